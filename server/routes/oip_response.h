// oip_response: scores → the body of an inference response of the Open Inference Protocol v2.
#pragma once

#include "core/lenet5.h"
#include "core/text.h"
#include "server/routes/oip_request.h"

#define OIP_VERSION "1" // of every model

// scores: (request->n, 10), the network's. `logits` are the scores, or of a network of penalties those below zero, so that with every
// network the highest is the likeliest digit. Returns how much of *body is JSON if binary data is behind it, else 0.
size_t oip_response_write(const char *model, const struct lenet5 *net, const struct oip_request *request, const float *scores,
			  struct text *body);
