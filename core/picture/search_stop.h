#pragma once

#include <stdbool.h>

// A condition to stop a search on. It is asked a few times, some milliseconds apart at most on a picture of 280×280.
struct search_stop {
	bool (*is_due)(void *arg);
	void *arg;
	bool stopped; // set by the search: it has stopped
};

// Whether the search is to stop, and notes it. stop may be NULL.
static inline bool search_stop_is_due(struct search_stop *stop)
{
	return stop && (stop->stopped = stop->is_due(stop->arg));
}
