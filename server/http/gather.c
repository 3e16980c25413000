// A handful of entries, the last one first.
#include "server/http/gather.h"

#include <sched.h>
#include <stddef.h>

static _Thread_local struct gather_entry *gathered;

void gather_add(struct gather_entry *entry, struct route_call *call)
{
	*entry = (struct gather_entry){ .call = call, .waits = true, .next = gathered };
	gathered = entry;
}

void gather_remove(struct gather_entry *entry)
{
	for (struct gather_entry **at = &gathered; entry->waits && *at; at = &(*at)->next)
		if (*at == entry) {
			*at = entry->next;
			entry->waits = false;
			return;
		}
}

// Takes out the calls of a worker. Returns how many.
static int take(const struct route_worker *worker, struct route_call *calls[ROUTE_MAX_CALLS])
{
	int n = 0;
	for (struct gather_entry **at = &gathered; *at && n < ROUTE_MAX_CALLS;) {
		if ((*at)->call->worker == worker) {
			calls[n++] = (*at)->call;
			(*at)->waits = false;
			*at = (*at)->next;
		} else {
			at = &(*at)->next;
		}
	}
	return n;
}

// The answers of the turn before are out by now: where there are more threads than processors, another one may have its turn
// first, lest its clients wait for the end of a time slice.
void gather_compute(void)
{
	sched_yield();
	while (gathered) {
		const struct route_worker *worker = gathered->call->worker;
		struct route_call *calls[ROUTE_MAX_CALLS];
		worker->compute(calls, take(worker, calls));
	}
}
