// lenetd: wiring. Opens from the bottom up (engine, model, batcher, HTTP), waits for a signal, closes from the top down, so
// that what is in flight is answered by parts that still stand. The daemon may end itself, too, when it loses its GPU: then it
// wakes its main thread by a signal as well, LEAVE, since that waits for nothing else. Who sends LEAVE from outside is ignored.
#include "core/log.h"
#include "core/version.h"
#include "kernels/engines.h"
#include "server/access.h"
#include "server/api.h"
#include "server/config.h"
#include "server/http.h"
#include "server/listen.h"
#include "server/metrics_route.h"
#include "server/notify.h"
#include "server/oip.h"
#include "server/page.h"
#include "server/tls.h"
#include "server/watchdog.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { LEAVE = SIGUSR1, N_TABLES = 6 };

struct daemon {
	const struct config *config;
	struct health health;
	struct engine *engine;
	struct models *models;
	struct loader *loader;
	struct metrics *metrics;
	struct access *access; // NULL: no access log
	struct batcher *batcher; // or
	struct direct *direct;
	struct api api;
	struct metrics_sources sources;
	struct route_table tables[N_TABLES];
	struct listener listener;
	struct keys *keys; // or NULL
	struct doors doors;
	struct http *http;
	struct watchdog *watchdog; // or NULL
};

// Each connection needs a descriptor; the pool, the files and the libraries need some.
static int raise_descriptor_limit(int n_connections, struct err *e)
{
	rlim_t needed = (rlim_t)n_connections + HTTP_RESERVE + 256;
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return err_errno(e, "cannot ask for the limit of open files");
	if (limit.rlim_cur >= needed)
		return 0;
	struct rlimit raised = { needed, limit.rlim_max > needed ? limit.rlim_max : needed };
	if (setrlimit(RLIMIT_NOFILE, &raised))
		return err_set(e,
			       "--max-connections %d needs %lu open files, and this process may have %lu: raise that (ulimit -n) "
			       "or lower --max-connections",
			       n_connections, (unsigned long)needed, (unsigned long)limit.rlim_max);
	return 0;
}

static int n_threads(const struct config *config)
{
	long n = config->http_threads ? config->http_threads : sysconf(_SC_NPROCESSORS_ONLN);
	return n < 2 ? 2 : n > 64 ? 64 : (int)n;
}

static void engine_lost_here(void *arg, const struct engine *engine, const struct err *why)
{
	struct daemon *d = arg;
	health_engine_lost(&d->health, engine->name, why);
	if (health_must_exit(&d->health))
		kill(getpid(), LEAVE);
}

static int open_observers(struct daemon *d, const struct config *config, struct err *e)
{
	d->metrics = metrics_new();
	if (!d->metrics)
		return err_set(e, "no memory for metrics");
	return config->access_log == ACCESS_OFF ? 0 : access_open(config->access_log, STDOUT_FILENO, &d->access, e);
}

static int open_doors(struct daemon *d, const struct config *config, struct err *e)
{
	if ((config->api_keys && keys_open(config->api_keys, &d->keys, e)) ||
	    (config->tls_cert && tls_load(config->tls_cert, config->tls_key, e)) || listen_open(&config->listen, &d->listener, e))
		return -1;
	d->doors = (struct doors){ &config->hosts, &config->origins, d->listener.loopback, d->keys };
	return 0;
}

static int open_watchdog(struct daemon *d, const struct config *config, struct err *e)
{
	const struct watchdog_options watching = {
		notify_watchdog_us(), d->http, n_threads(config), d->batcher, d->metrics, d->models,
	};
	return watching.period_us ? watchdog_open(&watching, &d->watchdog, e) : 0;
}

static void load_again(void *arg)
{
	struct daemon *d = arg;
	const struct config *config = d->config;
	struct models_state state;
	struct err e;
	int n_failed = 0;
	notify_reloading();
	for (int i = 0; models_state(d->models, i, &state); i++)
		if (models_load(d->models, state.name, &e)) {
			log_error("SIGHUP: model %s stays as it is: %s", state.name, e.msg);
			n_failed++;
		} else {
			log_info("SIGHUP: model %s is loaded again", state.name);
		}
	if (d->keys && keys_load(d->keys, &e)) {
		log_error("SIGHUP: the API keys stay as they are: %s", e.msg);
		n_failed++;
	}
	if (config->tls_cert && tls_load(config->tls_cert, config->tls_key, &e)) {
		log_error("SIGHUP: the certificate stays as it is: %s", e.msg);
		n_failed++;
	}
	if (n_failed)
		notify_send("READY=1\nSTATUS=reload: %d failed, the last: %s", n_failed, e.msg);
	else
		notify_send("READY=1\nSTATUS=everything is loaded again");
}

static int open_loader(struct daemon *d, struct err *e)
{
	const struct loader_options loading = { d->models, load_again, d };
	return loader_open(&loading, &d->loader, e);
}

static void say_listening(const struct daemon *d, const struct config *config)
{
	char limits[512];
	config_limits(config, d->batcher != NULL, limits, sizeof limits);
	log_info("%s", limits);
	const char *scheme = strncmp(d->listener.address, "unix:", 5) == 0 ? "" : config->tls_cert ? "https://" : "http://";
	struct model *model = models_get(d->models, NULL);
	log_info("listening on %s%s, model %s, engine %s", scheme, d->listener.address, model->description, d->engine->name);
	notify_send("READY=1\nSTATUS=%s%s, model %s, engine %s", scheme, d->listener.address, model->description, d->engine->name);
	model_unref(model);
}

static int open_all(struct daemon *d, const struct config *config, struct err *e)
{
	struct models_options models = { NULL, config->models, config->n_models, config->network, config->min_right };
	char why[ENGINE_WHY_BYTES];
	const struct standby_watch watch = { engine_lost_here, d };
	if (open_observers(d, config, e))
		return -1;
	const struct batcher_options gathering = { config->max_batch, config->max_delay_us, config->limits.queue, d->metrics };
	if (raise_descriptor_limit(config->limits.max_connections, e) ||
	    engine_open_with_standby(&config->engine, &watch, &d->engine, why, sizeof why, e))
		return -1;
	if (config->old_cudnn)
		log_warning("--cudnn and LENETD_CUDNN are the old names of --kernels cudnn, and will go");
	log_info("%s", why);
	models.engine = d->engine;
	if (models_open(&models, &d->models, e) || open_loader(d, e) ||
	    (d->engine->quick && !config->batch_on_cpu ? direct_open(d->engine, n_threads(config), d->metrics, &d->direct, e)
						       : batcher_open(d->engine, &gathering, &d->batcher, e)) ||
	    open_doors(d, config, e))
		return -1;
	d->api.limits = &config->limits;
	d->api.batcher = d->batcher;
	d->api.direct = d->direct;
	d->api.models = d->models;
	d->api.loader = d->loader;
	d->api.health = &d->health;
	d->api.metrics = d->metrics;
	d->sources =
		(struct metrics_sources){ d->metrics, &config->limits, d->batcher, d->models, &d->health, d->engine, d->access };
	d->tables[0] = (struct route_table){ api_routes, api_n_routes, &d->api };
	d->tables[1] = (struct route_table){ d->batcher ? &api_predict_batched : &api_predict_direct, 1, &d->api };
	d->tables[2] = (struct route_table){ page_routes, page_n_routes, NULL };
	d->tables[3] = (struct route_table){ oip_routes, oip_n_routes, &d->api };
	d->tables[4] = (struct route_table){ d->batcher ? oip_infer_batched : oip_infer_direct, OIP_N_INFER, &d->api };
	d->tables[5] = (struct route_table){ &metrics_route, 1, &d->sources };
	metrics_set_routes(d->metrics, d->tables, N_TABLES);
	atomic_store(&d->health.open, true);
	const struct http_options serving = {
		.listener = &d->listener,
		.n_threads = n_threads(config),
		.tls = config->tls_cert != NULL,
		.doors = &d->doors,
		.limits = &config->limits,
		.tables = d->tables,
		.n_tables = N_TABLES,
		.metrics = d->metrics,
		.access = d->access,
	};
	if (http_open(&serving, &d->http, e) || open_watchdog(d, config, e))
		return -1;
	say_listening(d, config);
	return 0;
}

// False: something is still being loaded, and may yet use what was left open for it.
static bool close_all(struct daemon *d)
{
	watchdog_close(d->watchdog);
	http_close(d->http);
	access_close(d->access);
	listen_close(&d->listener);
	if (!loader_stop(d->loader, 0))
		return false;
	loader_close(d->loader);
	keys_close(d->keys);
	tls_unload();
	batcher_close(d->batcher);
	direct_close(d->direct);
	models_close(d->models);
	engine_close(d->engine);
	return true;
}

// The reason to stop, for the log.
static const char *await_stop(struct daemon *d, const sigset_t *signals)
{
	bool on_terminal = isatty(STDERR_FILENO);
	for (;;) {
		int number;
		if (sigwait(signals, &number))
			continue;
		if (number == SIGHUP) {
			if (on_terminal && !isatty(STDERR_FILENO))
				return "SIGHUP, the terminal is gone";
			loader_reload(d->loader);
			continue;
		}
		if (number != LEAVE)
			return number == SIGTERM ? "SIGTERM" : "SIGINT";
		if (health_must_exit(&d->health))
			return "GPU lost";
	}
}

// Unready, but open: whoever watches /readyz has so long to send requests elsewhere.
static void linger(struct daemon *d, const char *reason, int delay_ms)
{
	struct timespec left = { delay_ms / 1000, delay_ms % 1000 * 1000000L };
	atomic_store(&d->health.open, false);
	http_close_after_answers(d->http);
	if (delay_ms) {
		log_info("%s: unready, and answers for %d ms more", reason, delay_ms);
		while (nanosleep(&left, &left) && errno == EINTR)
			;
	}
}

static int serve(const struct config *config)
{
	// Blocked before there are threads, so that all inherit it and the signals wait for sigwait.
	sigset_t stop, all;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	all = stop;
	sigaddset(&all, LEAVE);
	sigaddset(&all, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);

	struct err e;
	struct daemon d = { .config = config, .listener.fd = -1, .health.on_loss = config->on_loss };
	int failed = open_all(&d, config, &e);
	if (failed) {
		log_error("%s", e.msg);
	} else {
		const char *reason = await_stop(&d, &all);
		pthread_sigmask(SIG_UNBLOCK, &stop, NULL); // a second one ends the process at once
		notify_send("STOPPING=1\nSTATUS=%s: going down", reason);
		linger(&d, reason, config->drain_delay_ms);
		log_info("%s: answering what is in flight", reason);
		loader_stop(d.loader, config->limits.deadline_ms);
		http_drain(d.http);
	}
	bool closed = close_all(&d);
	if (!failed) {
		uint64_t n_passes, n_pictures;
		metrics_passes(d.metrics, &n_passes, &n_pictures);
		log_info("done: %llu pictures in %llu passes", (unsigned long long)n_pictures, (unsigned long long)n_passes);
	}
	int status = failed || health_must_exit(&d.health) ? EXIT_FAILURE : EXIT_SUCCESS;
	if (!closed) {
		log_warning("what is being loaded does not come, and is not waited for");
		_exit(status); // before there is nothing left of what its thread uses
	}
	metrics_free(d.metrics);
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
	// What threads free each in an arena of its own stays there in pieces, and so does a model's file once glibc has raised its
	// threshold to that size: with its own settings the daemon grew by 8 % in 1,000 loads under load (tests/soak).
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	return serve(&config);
}
