// service: pictures in, scores out, by the name of a model. This is all that routes know of computing: which engine it is, and
// whether a batcher's thread computes (a GPU) or the threads that ask (a CPU, direct.h), is decided here.
#pragma once

#include "core/text.h"
#include "server/compute/batcher.h"
#include "server/compute/loader.h"
#include "server/compute/models.h"

#include <stdbool.h>

struct service_options {
	struct models_options models; // their engine is borrowed, and outlives the service
	struct batcher_options batching; // of a batcher
	int n_callers; // threads that compute at once at most, where there is none
	bool gather_on_cpu; // a batcher there, too
	void (*reload)(void *arg); // after service_reload: on the loader's thread
	void *arg;
};

struct service;

// Loads all models, and opens what computes them.
int service_open(const struct service_options *options, struct service **service, struct err *e);

// Models: as models_get and models_state.
struct model *service_model(struct service *service, const char *name);
bool service_model_state(struct service *service, int i, struct models_state *state);

// Loading, on a thread of its own: as loader_submit and loader_reload.
enum loader_result service_load(struct service *service, struct loader_job *job);
void service_reload(struct service *service);
// Loads every model again, and logs what came of each. How many failed; *e: why the last one did. The loader's thread.
int service_load_all(struct service *service, struct err *e);

// One of the two, for all jobs. True: service_compute, by the caller, with jobs of others if there are any. False: service_submit,
// which is batcher_submit.
bool service_computes_here(const struct service *service);
void service_compute(struct service *service, struct job *const *jobs, int n);
enum job_result service_submit(struct service *service, struct job *job);

// A forward pass of a built-in digit through the batcher, if that is what computes. done: it is through, or failed; once, on any
// thread. One at a time.
void service_probe(struct service *service, void (*done)(void *arg), void *arg);

// The families of models and of the queue in Prometheus' text format.
void service_write_metrics(struct service *service, struct text *t);

// Ends the loader: as loader_stop. False: it is still reading, and nothing that it uses may be freed.
bool service_stop(struct service *service, int patience_ms);
void service_close(struct service *service); // after service_stop said true; no job is out; NULL is fine
