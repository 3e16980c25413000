// The watchdog's probe is a job of one built-in digit for the default model. Only one runs at a time, so its memory is in the service.
#include "server/compute/service.h"

#include "core/builtin.h"
#include "core/log.h"
#include "server/compute/direct.h"
#include "server/observe/prometheus_text.h"

#include <inttypes.h>
#include <stdlib.h>

// Decoders look at the clock every few milliseconds, but for the parser of JSON, whose time the limits of a body bound.
static const int64_t STUCK_NS = 30 * (int64_t)1000000000;

struct service {
	struct models *models;
	struct loader *loader;
	struct decoders *decoders; // or NULL
	struct decoders_options decoding;
	int queue; // of the batcher
	struct batcher *batcher; // or
	struct direct *direct;
	struct probe {
		struct job job;
		struct model *model;
		float scores[LENET5_DIGITS];
		void (*done)(void *);
		void *arg;
	} probe; // the batcher's until done
};

int service_open(const struct service_options *o, struct service **service, struct err *e)
{
	struct engine *engine = o->models.engine;
	bool here = engine->quick && !o->gather_on_cpu;
	struct service *s = calloc(1, sizeof *s);
	if (!s)
		return err_set(e, "no memory for the service");
	s->queue = o->batching.queue;
	s->decoding = o->decoding;
	if (models_open(&o->models, &s->models, e))
		goto failed;
	const struct loader_options loading = { s->models, o->reload, o->arg };
	const int n_callers = o->n_callers + o->decoding.n_threads;
	if (loader_open(&loading, &s->loader, e) || (here ? direct_open(engine, n_callers, o->batching.metrics, &s->direct, e)
							  : batcher_open(engine, &o->batching, &s->batcher, e)))
		goto failed;
	if (o->decoding.n_threads && decoders_open(&o->decoding, &s->decoders, e))
		goto failed;
	*service = s;
	return 0;
failed:
	service_stop(s, 0);
	service_close(s);
	return -1;
}

struct models *service_models(const struct service *s)
{
	return s->models;
}

struct loader *service_loader(const struct service *s)
{
	return s->loader;
}

struct decoders *service_decoders(const struct service *s)
{
	return s->decoders;
}

bool service_is_stuck(const struct service *s)
{
	struct decoders_state state = { .most_overdue_ns = 0 };
	if (s->decoders)
		decoders_state(s->decoders, &state);
	return state.most_overdue_ns > STUCK_NS;
}

int service_load_all(struct service *s, struct err *e)
{
	struct models_state state;
	int n_failed = 0;
	for (int i = 0; models_state(s->models, i, &state); i++)
		if (models_load(s->models, state.name, e)) {
			log_error("SIGHUP: model %s stays as it is: %s", state.name, e->msg);
			n_failed++;
		} else {
			log_info("SIGHUP: model %s is loaded again", state.name);
		}
	return n_failed;
}

bool service_computes_here(const struct service *s)
{
	return s->direct != NULL;
}

void service_compute(struct service *s, struct job *const *jobs, int n)
{
	direct_compute(s->direct, jobs, n);
}

enum job_result service_submit(struct service *s, struct job *job)
{
	return batcher_submit(s->batcher, job);
}

static void probe_done(void *arg)
{
	struct probe *p = arg;
	model_unref(p->model);
	p->done(p->arg);
}

void service_probe(struct service *s, void (*done)(void *), void *arg)
{
	struct probe *p = &s->probe;
	*p = (struct probe){ .model = models_get(s->models, NULL), .done = done, .arg = arg };
	p->job = (struct job){
		.model = p->model->engine_model,
		.pixels = builtin_digits(),
		.scores = p->scores,
		.n = 1,
		.deadline_us = INT64_MAX,
		.done = probe_done,
		.done_arg = p,
	};
	if (batcher_submit(s->batcher, &p->job) != JOB_OK)
		probe_done(p);
}

static void write_models(struct models *models, struct text *t)
{
	static const struct {
		const char *name, *type, *help;
	} families[] = {
		{ "lenet_model_loads_total", "counter", "Loads of a model that succeeded." },
		{ "lenet_model_load_failures_total", "counter", "Loads of a model that failed: the old one stayed." },
		{ "lenet_model_last_load_successful", "gauge", "1 if the last load of a model succeeded, else 0." },
	};
	struct models_state state;
	for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
		prometheus_text_family(t, families[f].name, families[f].type, families[f].help);
		for (int i = 0; models_state(models, i, &state); i++) {
			const uint64_t values[] = { state.n_loads, state.n_failures, !*state.failure.msg };
			text_printf(t, "%s{model=\"%s\"} %" PRIu64 "\n", families[f].name, state.name, values[f]);
		}
	}
	prometheus_text_family(t, "lenet_model_info", "gauge", "A model that is served, 1.");
	for (int i = 0; models_state(models, i, &state); i++) {
		struct model *model = models_get(models, state.name);
		text_printf(t, "lenet_model_info{model=\"%s\",network=\"%s\"} 1\n", state.name, model->engine_model->net->name);
		model_unref(model);
	}
}

static void write_decoders(const struct service *s, struct text *t)
{
	struct decoders_state state = { .n_queued = 0 };
	if (s->decoders)
		decoders_state(s->decoders, &state);
	prometheus_text_gauge(t, "lenet_decode_queue_depth", "Costly requests that wait for a thread that decodes.",
			      state.n_queued);
	prometheus_text_gauge(t, "lenet_decode_queue_capacity", "Costly requests that may wait.", s->decoding.queue);
	prometheus_text_gauge(t, "lenet_decode_threads", "Threads that decode costly requests.", s->decoding.n_threads);
	prometheus_text_gauge(t, "lenet_decode_threads_busy", "Threads that decode a costly request now.", state.n_busy);
	prometheus_text_gauge(t, "lenet_decode_memory_bytes", "Memory reserved for decoding now.", (double)state.n_reserved);
	prometheus_text_gauge(t, "lenet_decode_memory_max_bytes", "Memory that may be reserved.", (double)s->decoding.memory);
}

void service_write_metrics(struct service *s, struct text *t)
{
	prometheus_text_gauge(t, "lenet_queue_depth", "Pictures that wait for the engine.",
			      s->batcher ? batcher_depth(s->batcher) : 0);
	prometheus_text_gauge(t, "lenet_queue_capacity", "Pictures that may wait; 0 where requests do not queue.",
			      s->batcher ? s->queue : 0);
	write_decoders(s, t);
	write_models(s->models, t);
}

bool service_stop(struct service *s, int timeout_ms)
{
	return !s || loader_stop(s->loader, timeout_ms);
}

void service_close(struct service *s)
{
	if (!s)
		return;
	loader_close(s->loader);
	decoders_close(s->decoders); // they use what follows
	batcher_close(s->batcher);
	direct_close(s->direct);
	models_close(s->models);
	free(s);
}
