// oip: the Open Inference Protocol v2 over HTTP: KServe's specification (open-inference-protocol, inference_rest.md) and Triton's
// extensions binary_tensor_data, classification, model_configuration, model_repository and statistics. The context of all routes is
// a struct routes_context.
#pragma once

#include "server/base/route.h"

extern const struct route oip_routes[]; // all but inference
extern const int oip_n_routes;

enum { OIP_N_INFER = 2 };
extern const struct route oip_infer_routes[OIP_N_INFER];

struct routes_context;
struct model;

// A reference to the model that a path names by its first part, and by the second its version, if any. Returns NULL and fills the
// response with 404 if there is none.
struct model *oip_model(const struct routes_context *context, const struct route_parts *parts, struct route_response *response);
