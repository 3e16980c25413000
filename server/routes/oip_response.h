// oip_response: writes the body of an inference response of the Open Inference Protocol v2.
#pragma once

#include "core/lenet5.h"
#include "core/text.h"
#include "server/routes/oip_request.h"

#define OIP_VERSION "1" // of every model

// scores: (request->n, 10). `logits` are the scores, negated if they are penalties, so that the highest is the likeliest digit for every
// network. `probabilities` are lenet5_predict's, with that temperature. Returns the size of the JSON if binary data follows it in *body, else 0.
size_t oip_response_write(const char *model, const struct lenet5 *net, float temperature, const struct oip_request *request,
			  const float *scores, struct text *body);
