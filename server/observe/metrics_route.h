// metrics_route: GET /metrics: what metrics.h has counted, and what the parts of the daemon know of themselves.
#pragma once

#include "core/engine.h"
#include "server/base/health.h"
#include "server/base/route.h"
#include "server/observe/observer.h"

// The route's context. Borrowed members; outlives the last call.
struct metrics_sources {
	const struct observer *observer;
	struct health *health;
	const struct engine *engine;
	int max_connections;
	void (*write)(void *arg, struct text *t); // more families, of parts that are not known here
	void *arg;
};

extern const struct route metrics_route;
