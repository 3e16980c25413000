// service: computes jobs with the models. Only this module knows whether the batcher's thread computes (on a GPU) or the calling threads
// do (on a CPU, direct.h).
#pragma once

#include "core/text.h"
#include "server/compute/batcher.h"
#include "server/compute/decoders.h"
#include "server/compute/loader.h"
#include "server/compute/models.h"

#include <stdbool.h>

struct service_options {
	struct models_options models; // the engine is borrowed and outlives the service
	struct batcher_options batching;
	struct decoders_options decoding; // n_threads 0: there are no decoders
	int n_callers; // other threads that may call service_compute at the same time
	bool gather_on_cpu; // use the batcher on a CPU, too
	void (*reload)(void *arg); // called on the loader's thread after loader_reload
	void *arg;
};

struct service;

// Loads all models, and opens the decoders and the batcher or the contexts of the calling threads.
int service_open(const struct service_options *options, struct service **service, struct err *e);

// The service's own, for callers on any thread.
struct models *service_models(const struct service *service);
struct loader *service_loader(const struct service *service);
struct decoders *service_decoders(const struct service *service); // or NULL

// Loads every model again and logs the results. Returns how many failed; e says why the last one did. On the loader's thread.
int service_load_all(struct service *service, struct err *e);

// Whether a decoder is past its task's deadline by so much that it must be stuck.
bool service_is_stuck(const struct service *service);

// True: jobs are computed by service_compute, on the calling thread. False: they are submitted to the batcher.
bool service_computes_here(const struct service *service);
void service_compute(struct service *service, struct job *const *jobs, int n);
enum job_result service_submit(struct service *service, struct job *job);

// Submits a built-in digit to the batcher, if !service_computes_here(). Calls done(arg) once, on any thread, when the pass is over or has
// failed. One probe at a time.
void service_probe(struct service *service, void (*done)(void *arg), void *arg);

// Writes the metrics of models and queues in Prometheus' text format.
void service_write_metrics(struct service *service, struct text *t);

// Stops the loader, as loader_stop. False: it is still reading, and nothing that it uses may be freed.
bool service_stop(struct service *service, int timeout_ms);
void service_close(struct service *service); // after service_stop returned true; no job may be queued; NULL is fine
