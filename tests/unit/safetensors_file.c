#include "tests/unit/safetensors_file.h"

#include <stdlib.h>
#include <string.h>

uint8_t *safetensors_file(const char *header, size_t n_data, size_t *n)
{
	size_t length = strlen(header);
	uint8_t *file = calloc(1, 8 + length + n_data + 1);
	for (int i = 0; i < 8; i++)
		file[i] = (uint8_t)((uint64_t)length >> 8 * i);
	memcpy(file + 8, header, length);
	*n = 8 + length + n_data;
	return file;
}
