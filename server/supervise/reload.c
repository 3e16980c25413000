#include "server/supervise/reload.h"

#include "core/log.h"
#include "server/supervise/notify.h"

#include <stdlib.h>

void reload_run(const struct reload_step *steps, int n)
{
	struct err e;
	int n_failed = 0;
	notify_reloading();
	for (int i = 0; i < n; i++) {
		struct err step;
		int failed = steps[i].load(steps[i].arg, &step);
		if (!failed)
			continue;
		if (steps[i].kept)
			log_error("SIGHUP: %s: %s", steps[i].kept, step.msg);
		n_failed += abs(failed);
		e = step;
	}
	if (n_failed)
		notify_send("READY=1\nSTATUS=reload: %d failed, the last: %s", n_failed, e.msg);
	else
		notify_send("READY=1\nSTATUS=everything is loaded again");
}
