// oip_request: parses the body of an inference request of the Open Inference Protocol v2: KServe's open-inference-protocol
// (inference_rest.md), Triton's extensions binary_tensor_data and classification. Knows no sockets and no engine.
#pragma once

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum oip_output { OIP_LOGITS, OIP_PROBABILITIES, OIP_N_OUTPUTS };
extern const char *const oip_output_names[OIP_N_OUTPUTS];

// An output that the request asks for.
struct oip_wanted {
	enum oip_output output;
	bool binary; // behind the JSON instead of in it
	int n_classes; // so many highest of each picture, as "value:index"; 0: the whole tensor
};

// Zero-initialise; oip_request_free frees what it holds.
struct oip_request {
	char *id; // or NULL
	int n; // pictures
	float *ink; // (n, 28, 28), finite: of an FP32 tensor. Or
	uint8_t *pixels; // (n, 28, 28): of a UINT8 tensor
	int n_wanted;
	struct oip_wanted wanted[OIP_N_OUTPUTS]; // each at most once, in the order of the answer
};

void oip_request_free(struct oip_request *request);

// header_length: the request's Inference-Header-Content-Length, how many of the body's n bytes are JSON; NULL: all; "0": none, the body
// is one FP32 tensor. Returns 0, or a status and e for the sender.
int oip_request_read(const char *header_length, const char *body, size_t n, int max_pictures, struct oip_request *request,
		     struct err *e);
