#pragma once

#include <stddef.h>
#include <stdint.h>

// A safetensors file of `header` and n_data bytes of zeros. The caller frees.
uint8_t *safetensors_file(const char *header, size_t n_data, size_t *n);
