// health: whether the daemon should be sent requests, and what it has lost. What happens is told here by whoever sees it;
// /readyz reads it. Any thread may call.
#pragma once

#include "core/err.h"

#include <stdatomic.h>
#include <stdbool.h>

// What follows when the GPU is lost and the CPU has taken over.
enum health_on_loss {
	HEALTH_LOSS_CPU, // nothing more
	HEALTH_LOSS_UNREADY, // predictions are answered, but the daemon asks for no more of them
	HEALTH_LOSS_EXIT, // the daemon drains and exits with a failure, so that a supervisor starts another
};

// Zero-initialise, but for on_loss.
struct health {
	enum health_on_loss on_loss; // constant
	atomic_bool open; // takes requests: from the start's end until it goes down
	atomic_int n_losses; // of engines
	struct err loss; // what n_losses counts: a daemon has one engine to lose. Written before it
};

// Logs and counts the loss of `engine`, once.
void health_engine_lost(struct health *health, const char *engine, const struct err *why);

// -1 if no requests should be sent here: e says why.
int health_ready(struct health *health, struct err *e);

bool health_must_exit(struct health *health); // after a loss, under HEALTH_LOSS_EXIT
