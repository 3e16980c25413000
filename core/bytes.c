// SHA-256 is nettle's.
#include "core/bytes.h"

#include <nettle/sha2.h>

#include <stdio.h>

void bytes_sha256(const void *bytes, size_t n, char *hex, size_t hex_bytes)
{
	struct sha256_ctx sha;
	uint8_t digest[SHA256_DIGEST_SIZE];
	sha256_init(&sha);
	sha256_update(&sha, n, bytes);
	sha256_digest(&sha, sizeof digest, digest);
	for (size_t i = 0; i < sizeof digest && 2 * i + 2 < hex_bytes; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}
