// fake_cudnn: a libcudnn.so.9 for the tests that have no GPU. Of cuDNN's backend API it knows one convolution, forward or
// either gradient, of floats; it computes it on the emulated GPU's streams, in double. It takes nothing but what the
// documentation says: an attribute of another descriptor, of another type or count, on a finalised descriptor or from one
// that is not; a missing attribute, a shape that does not fit, a pointer that is less aligned than was promised, a missing
// workspace.
//
// Every engine has one knob, CUDNN_KNOB_TYPE_TILE_SIZE. Tests find fake_cudnn() by dlsym.
#pragma once

#include <cudnn.h>

#include <stdbool.h>

enum { FAKE_MAX_ENGINES = 8, FAKE_MAX_NOTES = 4 };

// A configuration that heuristics list; its engine's number is its place in `engines`.
struct fake_engine_config {
	int n_notes;
	cudnnBackendNumericalNote_t notes[FAKE_MAX_NOTES];
	cudnnStatus_t plan; // what finalising a plan of it comes to
	int64_t workspace_bytes;
	int min_batch; // plans for fewer pictures are not supported
	int tile_from; // from so many pictures on the heuristics set its tile to 2, not 1, which gives sums other bits; 0: never
	int unsteady_from; // from so many pictures on its sums have other bits, whatever the tile; 0: never
};

struct fake_cudnn {
	size_t version;
	cudnnStatus_t create; // what cudnnCreate comes to
	int n_engines, n_mode_a; // the first n_mode_a are listed in mode A, all others in FALLBACK
	struct fake_engine_config engines[FAKE_MAX_ENGINES];
	int executions_left; // before one fails; negative: none does
	int n_alive; // descriptors and handles
};

struct fake_cudnn *fake_cudnn(void); // what the library does; changes count from the next call on
void fake_cudnn_reset(void); // as at first: one configuration without notes in either mode, no failures
