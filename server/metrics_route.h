// metrics_route: GET /metrics: what metrics.h has counted, and what its neighbours know of themselves.
#pragma once

#include "server/batcher.h"
#include "server/health.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/models.h"
#include "server/route.h"

// The route's context. Borrowed members; outlives the last call.
struct metrics_sources {
	const struct metrics *metrics;
	const struct limits *limits;
	struct batcher *batcher; // NULL: nothing queues
	struct models *models;
	struct health *health;
	const struct engine *engine;
	struct access *access; // NULL: no access log
};

extern const struct route metrics_route;
