// decoders: threads that decode requests which cost more than a small picture, so that a thread that answers HTTP never waits for one.
// Requests wait for them in a bounded queue that is fair to clients, and decode within a bound on their memory.
//
// A client is an address (http/client_key.h), not a connection: a connection has one request at a time, so a queue in order of arrival
// would be fair to connections already, and a client with a hundred of them would go before another's single one a hundred times. The
// n-th waiting request of a client goes before the (n+1)-th of any other. If the queue is full, the client that has the most requests in
// it loses its last one.
#pragma once

#include "core/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct decoders;
struct decoders_thread;

struct decoders_options {
	int n_threads; // at least 1
	int queue; // tasks that may wait
	int64_t memory; // bytes that running tasks may reserve together
};

enum decoders_result {
	DECODERS_OK,
	DECODERS_FULL, // the queue has no room
	DECODERS_LATE, // the deadline passed
	DECODERS_GONE, // the client has disconnected
	DECODERS_STOPPED, // the daemon is going down
};

// In the caller's memory, which must not be touched between submit and run.
struct decoders_task {
	// Called once, without locks: on a decoder with DECODERS_OK; or on any thread, with thread NULL and the reason why the task was
	// dropped. The task then belongs to the caller again.
	void (*run)(struct decoders_task *task, enum decoders_result result, struct decoders_thread *thread);
	uint64_t client; // equal for requests of one client
	int64_t deadline_ns; // by clock_now_ns
	const atomic_bool *gone; // true: the client has disconnected; or NULL

	// The decoders' own.
	uint64_t turn;
	struct decoders_task *next;
};

// Starts the threads, at a low priority: on a busy machine they leave the processors to the threads that answer HTTP.
int decoders_open(const struct decoders_options *options, struct decoders **decoders, struct err *e);

// Queues a task. run() may be called before this returns. Any thread.
void decoders_submit(struct decoders *decoders, struct decoders_task *task);

// For run(), at most once: waits until n bytes can be reserved, until the task's deadline, or until its client is known to be gone when
// memory becomes free. They are given back when run() returns. More than there are in all count as all of them: such a task runs alone.
// Returns DECODERS_OK, DECODERS_LATE or DECODERS_GONE.
enum decoders_result decoders_reserve(struct decoders_thread *thread, uint64_t n);

struct decoders_state {
	int n_queued, n_busy; // tasks that wait, and that run
	int64_t n_reserved; // bytes
	int64_t most_overdue_ns; // by which a running task is past its deadline; 0: none is
};
void decoders_state(struct decoders *decoders, struct decoders_state *state); // any thread

// The number of threads to use where none is given: one less than the processors that this process may use, at least 1.
int decoders_default_threads(void);

void decoders_close(struct decoders *decoders); // drops what waits, and waits for what runs; NULL is fine
