// lenetd: wires the rooms. Opens from the bottom up (engine, models, batcher, HTTP), waits for a signal, and closes from the top down,
// so that requests in flight are still answered. The main thread waits for signals only. If the GPU is lost and the daemon has to exit,
// the thread that notices it sends the signal GPU_LOST to the main thread. A GPU_LOST from outside is ignored.
#include "core/log.h"
#include "core/version.h"
#include "kernels/engines.h"
#include "server/compute/service.h"
#include "server/config.h"
#include "server/http/http.h"
#include "server/observe/metrics_route.h"
#include "server/routes/routes.h"
#include "server/supervise/notify.h"
#include "server/supervise/watchdog.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { GPU_LOST = SIGUSR1, N_TABLES = ROUTES_N_TABLES + 1 };

struct daemon {
	const struct config *config;
	time_t started;
	struct health health;
	struct engine *engine;
	struct service *service;
	struct observer observer;
	struct routes_context routes;
	struct metrics_sources sources;
	struct route_table tables[N_TABLES];
	struct http *http;
	struct watchdog *watchdog; // or NULL
};

// Each connection needs a descriptor; threads, files and libraries need about 256 more.
static int raise_descriptor_limit(int n_connections, struct err *e)
{
	rlim_t needed = (rlim_t)n_connections + HTTP_RESERVE + 256;
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return err_errno(e, "cannot read the limit of open files");
	if (limit.rlim_cur >= needed)
		return 0;
	struct rlimit raised = { needed, limit.rlim_max > needed ? limit.rlim_max : needed };
	if (setrlimit(RLIMIT_NOFILE, &raised))
		return err_set(
			e,
			"--max-connections %d needs %lu open files, and this process may have %lu: raise the limit (ulimit -n) "
			"or lower --max-connections",
			n_connections, (unsigned long)needed, (unsigned long)limit.rlim_max);
	return 0;
}

static int n_threads(const struct config *config)
{
	long n = config->http.n_threads ? config->http.n_threads : sysconf(_SC_NPROCESSORS_ONLN);
	return n < 2 ? 2 : n > 64 ? 64 : (int)n;
}

static void on_engine_lost(void *arg, const struct engine *engine, const struct err *why)
{
	struct daemon *d = arg;
	health_engine_lost(&d->health, engine->name, why);
	if (health_must_exit(&d->health))
		kill(getpid(), GPU_LOST);
}

static void write_service(void *arg, struct text *t)
{
	service_write_metrics(arg, t);
}

// Reads models, keys and certificate again, on the loader's thread.
static void reload(void *arg)
{
	struct daemon *d = arg;
	struct err e;
	notify_reloading();
	int n_failed = service_load_all(d->service, &e);
	n_failed += http_load_all(d->http, &e);
	notify_reloaded(n_failed, &e);
}

static int add_connection(void *arg, int fd)
{
	return http_add_connection(((struct daemon *)arg)->http, fd);
}

static uint64_t count_passes(void *arg)
{
	uint64_t n_passes, n_pictures;
	metrics_passes(((struct daemon *)arg)->observer.metrics, &n_passes, &n_pictures);
	return n_passes;
}

static void probe(void *arg, void (*done)(void *), void *done_arg)
{
	service_probe(((struct daemon *)arg)->service, done, done_arg);
}

static bool is_stuck(void *arg)
{
	return service_is_stuck(((struct daemon *)arg)->service);
}

static int open_watchdog(struct daemon *d, struct err *e)
{
	const struct watchdog_options watching = {
		.period_us = notify_watchdog_us(),
		.n_threads = n_threads(d->config),
		.add_connection = add_connection,
		.n_passes = service_computes_here(d->service) ? NULL : count_passes,
		.probe = probe,
		.is_stuck = is_stuck,
		.arg = d,
	};
	return watching.period_us ? watchdog_open(&watching, &d->watchdog, e) : 0;
}

static void report_listening(const struct daemon *d)
{
	char limits[768];
	config_limits(d->config, !service_computes_here(d->service), limits, sizeof limits);
	log_info("%s", limits);
	const char *address = http_address(d->http);
	struct model *model = models_get(service_models(d->service), NULL);
	log_info("listening on %s, model %s, engine %s", address, model->description, d->engine->name);
	notify_send("READY=1\nSTATUS=%s, model %s, engine %s", address, model->description, d->engine->name);
	model_unref(model);
}

static int open_service(struct daemon *d, struct err *e)
{
	const struct config *c = d->config;
	char why[ENGINE_WHY_BYTES];
	const struct standby_watch watch = { on_engine_lost, d };
	if (engine_open_with_standby(&c->engine, &watch, &d->engine, why, sizeof why, e))
		return -1;
	if (c->old_cudnn)
		log_warning("--cudnn and LENETD_CUDNN are the old names of --kernels cudnn, and will be removed");
	log_info("%s", why);
	const struct service_options options = {
		.models = { d->engine, c->models, c->n_models, c->network, c->min_right, c->threshold },
		.batching = { c->max_batch, c->max_delay_us, c->limits.queue, d->observer.metrics },
		.decoding = { config_n_decoders(c), c->limits.decode_queue, c->limits.decode_memory },
		.n_callers = n_threads(c),
		.gather_on_cpu = c->batch_on_cpu,
		.reload = reload,
		.arg = d,
	};
	return service_open(&options, &d->service, e);
}

static void set_routes(struct daemon *d)
{
	const struct limits *limits = &d->config->limits;
	d->routes = (struct routes_context){ d->service, limits, &d->health };
	d->sources = (struct metrics_sources){ &d->observer, &d->health,    d->engine, limits->max_connections,
					       d->started,   write_service, d->service };
	routes_tables(&d->routes, d->tables);
	d->tables[ROUTES_N_TABLES] = (struct route_table){ &metrics_route, 1, &d->sources };
	metrics_set_routes(d->observer.metrics, d->tables, N_TABLES);
}

static int open_all(struct daemon *d, struct err *e)
{
	const struct config *c = d->config;
	if (observer_open(c->access_log, &d->observer, e) || raise_descriptor_limit(c->limits.max_connections, e) ||
	    open_service(d, e))
		return -1;
	set_routes(d);
	atomic_store(&d->health.open, true);
	struct http_options serving = c->http;
	serving.n_threads = n_threads(c);
	serving.limits = &c->limits;
	serving.tables = d->tables;
	serving.n_tables = N_TABLES;
	serving.observer = &d->observer;
	if (http_open(&serving, &d->http, e) || open_watchdog(d, e))
		return -1;
	report_listening(d);
	return 0;
}

// False: the loader is still reading a file, and everything that it uses is left open.
static bool close_all(struct daemon *d)
{
	watchdog_close(d->watchdog);
	if (d->http)
		http_stop(d->http);
	observer_close_log(&d->observer);
	if (!service_stop(d->service, 0))
		return false;
	http_close(d->http);
	service_close(d->service);
	engine_close(d->engine);
	return true;
}

// Waits for a reason to stop and returns it for the log.
static const char *await_stop(struct daemon *d, const sigset_t *signals)
{
	bool on_terminal = isatty(STDERR_FILENO);
	for (;;) {
		int number;
		if (sigwait(signals, &number))
			continue;
		if (number == SIGHUP) {
			if (on_terminal && !isatty(STDERR_FILENO))
				return "SIGHUP, the terminal was closed";
			loader_reload(service_loader(d->service));
			continue;
		}
		if (number != GPU_LOST)
			return number == SIGTERM ? "SIGTERM" : "SIGINT";
		if (health_must_exit(&d->health))
			return "GPU lost";
	}
}

// Makes the daemon unready and goes on answering for delay_ms, so that load balancers see it in /readyz and send requests elsewhere.
static void wait_drain_delay(struct daemon *d, const char *reason, int delay_ms)
{
	struct timespec left = { delay_ms / 1000, delay_ms % 1000 * 1000000L };
	atomic_store(&d->health.open, false);
	http_close_after_answers(d->http);
	if (delay_ms) {
		log_info("%s: unready; still answering for %d ms", reason, delay_ms);
		while (nanosleep(&left, &left) && errno == EINTR)
			;
	}
}

static int serve(const struct config *config)
{
	// Block the signals before any thread starts: all threads inherit the mask, and sigwait receives the signals.
	sigset_t stop, all;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	all = stop;
	sigaddset(&all, GPU_LOST);
	sigaddset(&all, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);

	struct err e;
	struct daemon d = { .config = config, .started = time(NULL), .health.on_loss = config->on_loss };
	int failed = open_all(&d, &e);
	if (failed) {
		log_error("%s", e.msg);
	} else {
		const char *reason = await_stop(&d, &all);
		pthread_sigmask(SIG_UNBLOCK, &stop, NULL); // a second one ends the process at once
		notify_send("STOPPING=1\nSTATUS=%s: going down", reason);
		wait_drain_delay(&d, reason, config->drain_delay_ms);
		log_info("%s: answering requests in flight", reason);
		service_stop(d.service, config->limits.deadline_ms);
		http_drain(d.http);
	}
	bool closed = close_all(&d);
	if (!failed) {
		uint64_t n_passes, n_pictures;
		metrics_passes(d.observer.metrics, &n_passes, &n_pictures);
		log_info("done: %" PRIu64 " pictures in %" PRIu64 " passes", n_pictures, n_passes);
	}
	int status = failed || health_must_exit(&d.health) ? EXIT_FAILURE : EXIT_SUCCESS;
	if (!closed) {
		log_warning("exiting: a file is still being read and did not finish in time");
		_exit(status); // the loader still uses what would be freed
	}
	observer_close(&d.observer);
	return status;
}

int main(int argc, char **argv)
{
	struct config config;
	struct err e;
	if (config_parse(argc, argv, environ, &config, &e)) {
		fprintf(stderr, "lenetd: %s\n", e.msg);
		return 2;
	}
	if (config.help) {
		char text[8192];
		config_help(text, sizeof text);
		fputs(text, stdout);
		return EXIT_SUCCESS;
	}
	if (config.version) {
		puts("lenetd " LENET_VERSION);
		return EXIT_SUCCESS;
	}
	log_set_level(config.log_level);
	// One arena and a fixed mmap threshold limit fragmentation: with glibc's defaults, an arena for each thread and a threshold that
	// grows, the daemon grew by 8 % in 1,000 loads of a model under load (tests/system/soak).
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	return serve(&config);
}
