// metrics: what the daemon counts. Each thread adds to counters of its own, so that no cache line goes back and forth between
// processors for a request; who reads adds them up. Any thread may call; what is read while others count is of no single moment.
#pragma once

#include "core/text.h"
#include "server/base/route.h"

#include <stdbool.h>
#include <stdint.h>

struct metrics;

struct metrics *metrics_new(void); // NULL: no memory
void metrics_free(struct metrics *metrics); // NULL is fine

// The routes whose requests will be counted; borrowed. Before the first metrics_request.
void metrics_set_routes(struct metrics *metrics, const struct route_table *tables, int n_tables);

void metrics_connection(struct metrics *metrics, bool opened); // or closed

// A request has its answer, which took so long. route: NULL where there was none.
void metrics_request(struct metrics *metrics, const struct route *route, int status, int64_t ns,
		     const struct route_account *account);
void metrics_unanswered(struct metrics *metrics); // its client was gone before

void metrics_pass(struct metrics *metrics, int n_pictures); // a forward pass

void metrics_passes(const struct metrics *metrics, uint64_t *n_passes, uint64_t *n_pictures);

// All of it in Prometheus' text format.
void metrics_write(const struct metrics *metrics, struct text *t);
