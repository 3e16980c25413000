// health: whether the daemon is ready for requests, and which engines it has lost. /readyz reports it. Any thread may call.
#pragma once

#include "core/err.h"

#include <stdatomic.h>
#include <stdbool.h>

// What the daemon does when the GPU is lost and the CPU has taken over.
enum health_on_loss {
	HEALTH_LOSS_CPU, // nothing more
	HEALTH_LOSS_UNREADY, // is not ready any more, but still answers
	HEALTH_LOSS_EXIT, // drains and exits with a failure, so that a supervisor starts another
};

// Zero-initialise, but for on_loss.
struct health {
	enum health_on_loss on_loss; // constant
	atomic_bool open; // from the end of start-up until the daemon goes down
	atomic_int n_losses; // of engines; a daemon has one to lose
	struct err loss; // the reason; written before n_losses
};

// Logs and counts the loss of `engine`, once.
void health_engine_lost(struct health *health, const char *engine, const struct err *why);

// -1 if the daemon is not ready: e says why.
int health_ready(struct health *health, struct err *e);

bool health_must_exit(struct health *health); // after a loss under HEALTH_LOSS_EXIT
