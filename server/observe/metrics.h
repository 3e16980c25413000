// metrics: the daemon's counters. Each thread has its own, so that a request moves no cache line between processors; a reader adds them
// up. Any thread may call; what is read while other threads count is not a snapshot.
#pragma once

#include "core/text.h"
#include "server/base/route.h"

#include <stdbool.h>
#include <stdint.h>

struct metrics;

struct metrics *metrics_new(void); // NULL: no memory
void metrics_free(struct metrics *metrics); // NULL is fine

// Sets the routes whose requests will be counted; borrowed. Call before the first metrics_request.
void metrics_set_routes(struct metrics *metrics, const struct route_table *tables, int n_tables);

void metrics_connection(struct metrics *metrics, bool opened); // or closed

// Counts a request with its answer, which took ns. route: NULL if there was none.
void metrics_request(struct metrics *metrics, const struct route *route, int status, int64_t ns,
		     const struct route_account *account);
void metrics_unanswered(struct metrics *metrics); // a request whose client disconnected before

void metrics_pass(struct metrics *metrics, int n_pictures); // a forward pass
void metrics_passes(const struct metrics *metrics, uint64_t *n_passes, uint64_t *n_pictures);

// Writes all of them in Prometheus' text format.
void metrics_write(const struct metrics *metrics, struct text *t);
