// oip: the Open Inference Protocol v2 over HTTP: KServe's specification (open-inference-protocol, inference_rest.md) and Triton's
// extensions binary_tensor_data, classification, model_configuration, model_repository and statistics. The context of the routes is a
// struct routes_context.
#pragma once

#include "server/base/route.h"

extern const struct route oip_routes[]; // all but inference, and health (health_route.h)
extern const int oip_n_routes;

enum { OIP_N_INFER = 2 };
extern const struct route oip_infer_routes[OIP_N_INFER];

struct routes_context;
struct model;

// Returns a reference to the model that the first part of a path names; the second part, if any, is its version. NULL: there is no such
// model or version, and the response is filled with 404.
struct model *oip_model(const struct routes_context *context, const struct route_parts *parts, struct route_response *response);
