// metrics_route: GET /metrics: the counters of metrics.h, and the state of the daemon's parts.
#pragma once

#include "core/engine.h"
#include "server/base/health.h"
#include "server/base/route.h"
#include "server/observe/observer.h"

// The route's context. Members are borrowed; it outlives the last call.
struct metrics_sources {
	const struct observer *observer;
	struct health *health;
	const struct engine *engine;
	int max_connections;
	void (*write)(void *arg, struct text *t); // writes the metrics of other parts
	void *arg;
};

extern const struct route metrics_route;
