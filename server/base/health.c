// No lock: the message of a loss is written before its count, so a reader that sees the count finds the message.
#include "server/base/health.h"

#include "core/log.h"

static const char *const consequences[] = {
	[HEALTH_LOSS_CPU] = "the CPU goes on in its place",
	[HEALTH_LOSS_UNREADY] = "the CPU goes on in its place, and /readyz sends new requests elsewhere",
	[HEALTH_LOSS_EXIT] = "the CPU answers what is in flight, and the daemon goes down",
};

void health_engine_lost(struct health *health, const char *engine, const struct err *why)
{
	health->loss = *why;
	err_prefix(&health->loss, "lost %s", engine);
	atomic_fetch_add(&health->n_losses, 1);
	log_error("%s; %s", health->loss.msg, consequences[health->on_loss]);
}

int health_ready(struct health *health, struct err *e)
{
	if (!atomic_load(&health->open))
		return err_set(e, "the daemon is going down");
	if (health->on_loss != HEALTH_LOSS_CPU && atomic_load(&health->n_losses))
		return err_set(e, "%.300s; %s", health->loss.msg, consequences[health->on_loss]);
	return 0;
}

bool health_must_exit(struct health *health)
{
	return health->on_loss == HEALTH_LOSS_EXIT && atomic_load(&health->n_losses) > 0;
}
