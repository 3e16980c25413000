// api: what the daemon answers, apart from the page: POST /predict, GET /healthz, GET /readyz. Knows no sockets.
#pragma once

#include "server/batcher.h"
#include "server/direct.h"
#include "server/health.h"
#include "server/limits.h"
#include "server/loader.h"
#include "server/metrics.h"
#include "server/models.h"
#include "server/route.h"

// What the routes are given as their context. Borrowed members; outlives the last call.
struct api {
	const struct limits *limits;
	struct batcher *batcher; // api_predict_batched's
	struct direct *direct; // api_predict_direct's
	struct models *models;
	struct loader *loader; // of the models
	struct health *health; // /readyz says it
	struct metrics *metrics;
};

// One of these two, too.
extern const struct route api_predict_batched, api_predict_direct;

extern const struct route api_routes[];
extern const int api_n_routes;
