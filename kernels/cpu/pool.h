// pool: threads that share the items of a loop. The caller's thread works too; a pool of one starts no thread.
#pragma once

#include "core/err.h"

struct pool;

// n_threads: the caller's included. The caller frees; one thread at a time may use a pool.
int pool_new(int n_threads, struct pool **pool, struct err *e);
void pool_free(struct pool *pool);

// Calls work(context, i) once for each i of 0..n_items-1, in any order, and returns when all are done.
void pool_run(struct pool *pool, int n_items, void (*work)(void *context, int i), void *context);
