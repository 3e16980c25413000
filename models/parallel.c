#include "models/parallel.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { MAX_THREADS = 256 };

struct part {
	void (*work)(void *, uint32_t, uint32_t);
	void *context;
	uint32_t begin, end;
};

static void *run_part(void *argument)
{
	struct part *p = argument;
	p->work(p->context, p->begin, p->end);
	return NULL;
}

// How many of n items the first t threads take.
static uint32_t share(uint32_t n, int t, int n_threads)
{
	return (uint32_t)((uint64_t)n * (uint32_t)t / (uint32_t)n_threads);
}

void parallel_run(uint32_t n, int n_threads, void (*work)(void *, uint32_t, uint32_t), void *context)
{
	struct part parts[MAX_THREADS];
	pthread_t threads[MAX_THREADS];
	bool started[MAX_THREADS];
	if (n_threads > MAX_THREADS)
		n_threads = MAX_THREADS;
	for (int t = n_threads - 1; t >= 0; t--) {
		parts[t] = (struct part){ work, context, share(n, t, n_threads), share(n, t + 1, n_threads) };
		started[t] = t > 0 && pthread_create(&threads[t], NULL, run_part, &parts[t]) == 0;
		if (!started[t]) // part 0, and the parts whose thread could not be started
			run_part(&parts[t]);
	}
	for (int t = 1; t < n_threads; t++)
		if (started[t])
			pthread_join(threads[t], NULL);
}
