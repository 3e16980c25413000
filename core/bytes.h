// bytes: numbers out of bytes, and bytes as text. Pure; any thread.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { BYTES_SHA256_HEX = 64 + 1 }; // a whole SHA-256 as text

// The big-endian number of the four bytes at p.
static inline uint32_t bytes_u32_be(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// Writes the SHA-256 of n bytes as hexadecimal text: as many of its 64 digits as fit into hex_bytes, and a 0.
void bytes_sha256(const void *bytes, size_t n, char *hex, size_t hex_bytes);
