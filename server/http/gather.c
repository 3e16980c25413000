// A list of a few entries, the latest first.
#include "server/http/gather.h"

#include <sched.h>

static _Thread_local struct gather_entry *gathered;

void gather_add(struct gather_entry *entry, struct route_call *call)
{
	*entry = (struct gather_entry){ .call = call, .waiting = true, .next = gathered };
	gathered = entry;
}

void gather_remove(struct gather_entry *entry)
{
	for (struct gather_entry **at = &gathered; entry->waiting && *at; at = &(*at)->next)
		if (*at == entry) {
			*at = entry->next;
			entry->waiting = false;
			return;
		}
}

// Moves the calls of a worker from the list to calls[]. Returns how many.
static int collect(const struct route_worker *worker, struct route_call *calls[ROUTE_MAX_CALLS])
{
	int n = 0;
	for (struct gather_entry **at = &gathered; *at && n < ROUTE_MAX_CALLS;) {
		if ((*at)->call->worker == worker) {
			calls[n++] = (*at)->call;
			(*at)->waiting = false;
			*at = (*at)->next;
		} else {
			at = &(*at)->next;
		}
	}
	return n;
}

// The answers of the previous turn are sent by now. So where threads outnumber processors, yield to another one, whose clients would
// wait for the end of this time slice.
void gather_compute(void)
{
	sched_yield();
	while (gathered) {
		const struct route_worker *worker = gathered->call->worker;
		struct route_call *calls[ROUTE_MAX_CALLS];
		worker->compute(calls, collect(worker, calls));
	}
}
