// weights: lenet.bin. A safetensors file (8-byte little-endian header length, JSON header, raw little-endian tensors,
// https://huggingface.co/docs/safetensors) that safetensors.torch.load_file opens. A state dict that PyTorch saved under the
// names of core/lenet5.h is read as it is. F32 only.
//
// __metadata__ (strings) of files that this project writes: format "lenet", version "1", network, mean and std of the
// input, sha256 of the data section, temperature and threshold once `lenet calibrate` has fitted them (decimals, 0.01 to 100 and 0 to 1),
// and what the writer adds (recipe, seed, results …). The same content gives the same
// bytes: no time, host or thread count. A reader trusts nothing.
#pragma once

#include "core/err.h"
#include "core/lenet5.h"

#include <stdbool.h>
#include <stddef.h>

enum { WEIGHTS_MAX_BYTES = 16 << 20, WEIGHTS_MAX_META = 64 };

struct weights_meta {
	char *key, *value; // owned
};

// A model file in memory. Zero-initialise; weights_free frees what it holds.
struct weights {
	const struct lenet5 *net;
	float mean, std;
	bool is_calibrated; // the file stores a temperature or a threshold
	struct lenet5_calibration
		calibration; // written if is_calibrated; weights_parse sets what is not stored to lenet5_uncalibrated's
	float *params; // (net->n_params), owned
	float *momentum; // (net->n_params), owned; NULL but in a checkpoint: the tensors momentum.*
	float *curvature; // the same, and NULL but where parameters have rates of their own: the tensors curvature.*
	int n_meta;
	struct weights_meta meta[WEIGHTS_MAX_META]; // what is not one of the fields above, in the file's order
};

void weights_free(struct weights *w);

// The value, or NULL where there is none.
const char *weights_get(const struct weights *w, const char *key);

// Sets or replaces; both are copied.
int weights_set(struct weights *w, const char *key, const char *value, struct err *e);

// Parses a file's bytes. `network` names the network of a file that does not say (a foreign one); where both do they must
// agree. NULL: the file must say. In a foreign file `format` may be anything, mean and std are the network's own if
// missing. Refused, with the reason: bad sizes, offsets, overlaps, types, shapes; missing or additional tensors; a number
// that is not finite; a temperature or threshold that is out of range; a weight that is not 0 where C3 has no link; a sha256 that does not match. The centres of 1998 are what
// the file says they are.
int weights_parse(const void *bytes, size_t n, const char *network, struct weights *w, struct err *e);

// As weights_parse; the file's name stands before every message.
int weights_read(const char *path, const char *network, struct weights *w, struct err *e);

// Writes `path` through a temporary file beside it, synced and renamed: after a failure the old file is untouched.
int weights_write(const char *path, const struct weights *w, struct err *e);
