// Each thread has a shard of counters. Beyond N_SHARDS threads some share one, so adding is atomic. All shards are allocated at once,
// and the kernel provides only the pages that are used. The number of labels is bounded: routes are the daemon's own paths, never a
// client's, and statuses are those that the daemon sends.
#include "server/observe/metrics.h"

#include "server/observe/prometheus_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { N_SHARDS = 72, MAX_ROUTES = 64, MAX_STATUSES = 32, CACHE_LINE = 64 };

static const struct prometheus_text_bound times[] = {
	{ 1000, "1e-06" },     { 2500, "2.5e-06" },   { 5000, "5e-06" },     { 10000, "1e-05" },    { 25000, "2.5e-05" },
	{ 50000, "5e-05" },    { 100000, "0.0001" },  { 250000, "0.00025" }, { 500000, "0.0005" },  { 1000000, "0.001" },
	{ 2500000, "0.0025" }, { 5000000, "0.005" },  { 10000000, "0.01" },  { 25000000, "0.025" }, { 50000000, "0.05" },
	{ 100000000, "0.1" },  { 250000000, "0.25" }, { 500000000, "0.5" },  { 1000000000, "1" },   { 2500000000, "2.5" },
	{ 5000000000, "5" },   { 10000000000, "10" },
};
static const struct prometheus_text_bound sizes[] = {
	{ 1, "1" },     { 2, "2" },     { 4, "4" },     { 8, "8" },       { 16, "16" },     { 32, "32" },     { 64, "64" },
	{ 128, "128" }, { 256, "256" }, { 512, "512" }, { 1024, "1024" }, { 2048, "2048" }, { 4096, "4096" },
};
enum { N_TIMES = sizeof times / sizeof times[0], N_SIZES = sizeof sizes / sizeof sizes[0] };

struct duration {
	_Atomic uint64_t buckets[N_TIMES + 1], sum_ns;
};

struct shard {
	_Atomic uint64_t requests[MAX_ROUTES + 1][MAX_STATUSES]; // by route (the last: none) and index into metrics->statuses
	struct duration whole[MAX_ROUTES + 1];
	struct duration stages[ROUTE_N_STAGES];
	_Atomic uint64_t batches[N_SIZES + 1], batched;
	_Atomic uint64_t rejections[ROUTE_N_REJECTIONS];
	_Atomic uint64_t predictions[ROUTE_N_SEEN];
	_Atomic uint64_t opened, closed, unanswered;
	char padding[CACHE_LINE];
};

struct metrics {
	const struct route *routes[MAX_ROUTES + 1]; // constant from metrics_set_routes on, as n_routes; the last is NULL
	int n_routes;
	atomic_int statuses[MAX_STATUSES]; // in the order of their first use; 0: free
	char padding[CACHE_LINE];
	struct shard shards[N_SHARDS];
};

static atomic_uint n_threads; // that have a shard

static struct shard *own_shard(struct metrics *m)
{
	static _Thread_local unsigned index;
	if (!index)
		index = atomic_fetch_add(&n_threads, 1) % N_SHARDS + 1;
	return &m->shards[index - 1];
}

static void add(_Atomic uint64_t *c, uint64_t n)
{
	atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

// The sum of a counter over all shards; `first` is the counter in the first shard.
static uint64_t total(const struct metrics *m, const _Atomic uint64_t *first)
{
	size_t offset = (size_t)((const char *)first - (const char *)&m->shards[0]);
	unsigned n_used = atomic_load(&n_threads);
	uint64_t sum = 0;
	for (unsigned i = 0; i < n_used && i < N_SHARDS; i++)
		sum += atomic_load_explicit((_Atomic uint64_t *)((char *)(uintptr_t)&m->shards[i] + offset), memory_order_relaxed);
	return sum;
}

static int bucket(const struct prometheus_text_bound *bounds, int n, uint64_t value)
{
	int i = 0;
	while (i < n && value > bounds[i].max)
		i++;
	return i;
}

static void observe(struct duration *d, int64_t ns)
{
	uint64_t value = ns > 0 ? (uint64_t)ns : 0;
	add(&d->buckets[bucket(times, N_TIMES, value)], 1);
	add(&d->sum_ns, value);
}

struct metrics *metrics_new(void)
{
	return calloc(1, sizeof(struct metrics));
}

void metrics_free(struct metrics *m)
{
	free(m);
}

void metrics_set_routes(struct metrics *m, const struct route_table *tables, int n_tables)
{
	for (int i = 0; i < n_tables; i++)
		for (int r = 0; r < tables[i].n_routes; r++) {
			assert(m->n_routes < MAX_ROUTES);
			m->routes[m->n_routes++] = &tables[i].routes[r];
		}
}

static int index_of_route(const struct metrics *m, const struct route *route)
{
	for (int i = 0; i < m->n_routes; i++)
		if (m->routes[i] == route)
			return i;
	return MAX_ROUTES;
}

static int index_of_status(struct metrics *m, int status)
{
	for (int i = 0; i < MAX_STATUSES; i++) {
		int used = atomic_load_explicit(&m->statuses[i], memory_order_relaxed);
		if (!used && atomic_compare_exchange_strong(&m->statuses[i], &used, status))
			return i;
		if (used == status)
			return i;
	}
	assert(!"more statuses than the daemon has");
	return MAX_STATUSES - 1;
}

void metrics_connection(struct metrics *m, bool opened)
{
	add(opened ? &own_shard(m)->opened : &own_shard(m)->closed, 1);
}

void metrics_request(struct metrics *m, const struct route *route, int status, int64_t ns, const struct route_account *account)
{
	struct shard *s = own_shard(m);
	int index = index_of_route(m, route);
	add(&s->requests[index][index_of_status(m, status)], 1);
	observe(&s->whole[index], ns);
	for (int stage = 0; stage < ROUTE_N_STAGES; stage++)
		if (account->stages & 1u << stage)
			observe(&s->stages[stage], account->ns[stage]);
	if (account->rejection)
		add(&s->rejections[account->rejection], 1);
	for (int i = 0; i < ROUTE_N_SEEN; i++)
		if (account->seen[i])
			add(&s->predictions[i], (uint64_t)account->seen[i]);
}

void metrics_unanswered(struct metrics *m)
{
	add(&own_shard(m)->unanswered, 1);
}

void metrics_pass(struct metrics *m, int n_pictures)
{
	struct shard *s = own_shard(m);
	add(&s->batches[bucket(sizes, N_SIZES, (uint64_t)n_pictures)], 1);
	add(&s->batched, (uint64_t)n_pictures);
}

void metrics_passes(const struct metrics *m, uint64_t *n_passes, uint64_t *n_pictures)
{
	*n_passes = 0;
	for (int i = 0; i <= N_SIZES; i++)
		*n_passes += total(m, &m->shards[0].batches[i]);
	*n_pictures = total(m, &m->shards[0].batched);
}

// Paths and methods are constants that need no escaping.
static void route_labels(const struct metrics *m, int index, char *labels, size_t n)
{
	const struct route *route = m->routes[index];
	snprintf(labels, n, "route=\"%s\",method=\"%s\"", route ? route->path : "none", route ? route->method : "any");
}

static void write_requests(const struct metrics *m, struct text *t)
{
	char labels[256];
	prometheus_text_family(t, "lenet_requests_total", "counter",
			       "Requests answered, by route (none: no such route) and status.");
	for (int index = 0; index <= MAX_ROUTES; index++)
		for (int i = 0, status; i < MAX_STATUSES && (status = atomic_load(&m->statuses[i])); i++) {
			uint64_t n = total(m, &m->shards[0].requests[index][i]);
			if (!n)
				continue;
			route_labels(m, index, labels, sizeof labels);
			text_printf(t, "lenet_requests_total{%s,code=\"%d\"} %" PRIu64 "\n", labels, status, n);
		}
}

static void write_duration(const struct metrics *m, struct text *t, const char *name, const char *labels,
			   const struct duration *first)
{
	uint64_t counts[N_TIMES + 1];
	for (int i = 0; i <= N_TIMES; i++)
		counts[i] = total(m, &first->buckets[i]);
	prometheus_text_histogram(t, name, labels, times, N_TIMES, counts, total(m, &first->sum_ns), 1000000000);
}

static bool is_used(const struct metrics *m, const struct duration *first)
{
	for (int i = 0; i <= N_TIMES; i++)
		if (total(m, &first->buckets[i]))
			return true;
	return false;
}

static void write_durations(const struct metrics *m, struct text *t)
{
	static const struct {
		const char *name, *help;
	} stages[] = {
		[ROUTE_WAIT] = { "lenet_decode_wait_duration_seconds", "Wait of a costly request for a thread that decodes." },
		[ROUTE_DECODE] = { "lenet_decode_duration_seconds", "Decoding a request's pictures from its body." },
		[ROUTE_QUEUE] = { "lenet_queue_duration_seconds", "Wait of a request's pictures for the engine." },
		[ROUTE_COMPUTE] = { "lenet_compute_duration_seconds", "Forward passes with a request's pictures." },
	};
	const struct shard *first = &m->shards[0];
	char labels[256];
	prometheus_text_family(t, "lenet_request_duration_seconds", "histogram",
			       "From a request's last header to its answer, by route.");
	for (int index = 0; index <= MAX_ROUTES; index++)
		if (is_used(m, &first->whole[index])) {
			route_labels(m, index, labels, sizeof labels);
			write_duration(m, t, "lenet_request_duration_seconds", labels, &first->whole[index]);
		}
	for (int i = 0; i < ROUTE_N_STAGES; i++) {
		prometheus_text_family(t, stages[i].name, "histogram", stages[i].help);
		write_duration(m, t, stages[i].name, "", &first->stages[i]);
	}
}

static void write_labelled(const struct metrics *m, struct text *t, const char *name, const char *label, const char *const *values,
			   int n, const _Atomic uint64_t *first)
{
	for (int i = 0; i < n; i++)
		text_printf(t, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, values[i], total(m, &first[i]));
}

static void write_predictions(const struct metrics *m, struct text *t)
{
	const _Atomic uint64_t *first = m->shards[0].predictions;
	const int refused = ROUTE_FIRST_REFUSED, n_refused = ROUTE_END_REFUSED - ROUTE_FIRST_REFUSED;
	uint64_t sum = 0;
	for (int i = refused; i < ROUTE_END_REFUSED; i++)
		sum += total(m, &first[i]);
	prometheus_text_family(t, "lenet_predictions_total", "counter",
			       "Pictures by result: a digit, refused (no digit in it), or unreadable.");
	write_labelled(m, t, "lenet_predictions_total", "digit", route_seen_names, refused, first);
	text_printf(t, "lenet_predictions_total{digit=\"refused\"} %" PRIu64 "\n", sum);
	write_labelled(m, t, "lenet_predictions_total", "digit", route_seen_names + ROUTE_UNREADABLE, 1, first + ROUTE_UNREADABLE);
	prometheus_text_family(t, "lenet_refused_total", "counter", "Pictures that were read but show no digit, by reason.");
	write_labelled(m, t, "lenet_refused_total", "reason", route_seen_names + refused, n_refused, first + refused);
}

void metrics_write(const struct metrics *m, struct text *t)
{
	static const char *const reasons[ROUTE_N_REJECTIONS] = {
		[ROUTE_QUEUE_FULL] = "queue_full",
		[ROUTE_DECODE_QUEUE_FULL] = "decode_queue_full",
		[ROUTE_LATE] = "late",
		[ROUTE_STOPPING] = "stopping",
		[ROUTE_BODY_TOO_LARGE] = "body_too_large",
		[ROUTE_NO_BUFFER] = "no_buffer",
		[ROUTE_NO_KEY] = "no_key",
		[ROUTE_FORBIDDEN] = "forbidden",
		[ROUTE_NO_CONNECTION] = "no_connection",
	};
	const struct shard *first = &m->shards[0];
	write_requests(m, t);
	prometheus_text_counter(t, "lenet_requests_unanswered_total", "Requests whose client disconnected before the answer.",
				total(m, &first->unanswered));
	write_durations(m, t);

	uint64_t counts[N_SIZES + 1];
	for (int i = 0; i <= N_SIZES; i++)
		counts[i] = total(m, &first->batches[i]);
	prometheus_text_family(t, "lenet_batch_size", "histogram", "Pictures in a forward pass.");
	prometheus_text_histogram(t, "lenet_batch_size", "", sizes, N_SIZES, counts, total(m, &first->batched), 1);

	write_predictions(m, t);
	prometheus_text_family(t, "lenet_rejections_total", "counter", "Requests rejected, by reason.");
	write_labelled(m, t, "lenet_rejections_total", "reason", reasons + 1, ROUTE_N_REJECTIONS - 1, first->rejections + 1);

	uint64_t closed = total(m, &first->closed), opened = total(m, &first->opened);
	prometheus_text_counter(t, "lenet_connections_total", "Connections accepted.", opened);
	prometheus_text_gauge(t, "lenet_connections_open", "Connections open now.", (double)(opened - closed));
}
