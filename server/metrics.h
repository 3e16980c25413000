// metrics: what the daemon counts. Each thread adds to counters of its own, so that no cache line goes back and forth between
// processors for a request; who reads adds them up. Any thread may call; what is read while others count is of no single moment.
#pragma once

#include "core/text.h"
#include "server/route.h"

#include <stdbool.h>
#include <stdint.h>

struct metrics;

// Why something was turned away that might have been answered at another time or by somebody else.
enum metrics_reason {
	METRICS_QUEUE_FULL,
	METRICS_LATE, // no answer within the deadline
	METRICS_STOPPING, // the daemon goes down
	METRICS_BODY_TOO_LARGE,
	METRICS_NO_BUFFER, // all bodies that come in are too much together
	METRICS_NO_KEY,
	METRICS_FORBIDDEN, // Host or Origin
	METRICS_NO_CONNECTION, // there are as many as there may be
	METRICS_N_REASONS,
};

// What was seen in a picture, beside the digits 0 to 9.
enum { METRICS_REFUSED = 10, METRICS_UNREADABLE, METRICS_N_PREDICTIONS };

struct metrics *metrics_new(void); // NULL: no memory
void metrics_free(struct metrics *metrics); // NULL is fine

// The routes whose requests will be counted; borrowed. Before the first metrics_request.
void metrics_set_routes(struct metrics *metrics, const struct route_table *tables, int n_tables);

void metrics_connection(struct metrics *metrics, bool opened); // or closed

// A request has its answer, which took so long. route: NULL where there was none.
void metrics_request(struct metrics *metrics, const struct route *route, int status, int64_t ns,
		     const struct route_account *account);
void metrics_unanswered(struct metrics *metrics); // its client was gone before

void metrics_reject(struct metrics *metrics, enum metrics_reason reason);
void metrics_prediction(struct metrics *metrics, int digit);
void metrics_pass(struct metrics *metrics, int n_pictures); // a forward pass

void metrics_passes(const struct metrics *metrics, uint64_t *n_passes, uint64_t *n_pictures);

// All of it in Prometheus' text format.
void metrics_write(const struct metrics *metrics, struct text *t);
