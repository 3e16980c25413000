// A WebP, from its bytes to a picture, small and as it is.
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	picture_cost(bytes, n);
	decode_checked(bytes, n, 1 << 20);
	decode_checked(bytes, n, 300);
	return 0;
}
