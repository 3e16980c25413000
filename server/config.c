// One table describes the flags: name, parser of the value, field, bounds and default. The help text and the parsers of the command line
// and the environment all use it, so they cannot disagree. A default is a string that goes through the same parser.
#include "server/config.h"

#include "core/decimal.h"
#include "core/picture/decode.h"
#include "server/compute/decoders.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// WORD stores one of `words` itself; CHOICE stores its index, the value of an enum.
enum kind { TEXT, MODEL, NUMBER, SWITCH, LISTEN, HOSTS, ORIGINS, DEVICE, WORD, CHOICE, CUDNN, SHARE };

struct flag {
	const char *name, *value; // value: its name in --help; NULL for a switch
	enum kind kind;
	size_t offset; // into struct config
	int min, max; // of a NUMBER
	const char *words[5]; // of a WORD or CHOICE; the last is NULL
	const char *fallback; // NULL: stays unset
	const char *help;
};

#define AT(field) offsetof(struct config, field)

static const struct flag flags[] = {
	{ "model", "[NAME=]FILE", MODEL, AT(models), .help = "serve this lenet.bin; repeatable; without it the built-in model" },
	{ "network", "NAME", TEXT, AT(network), .help = "the network of a model file that does not name one" },
	{ "min-right", "N", NUMBER, AT(min_right), .max = 10, .fallback = "7",
	  .help = "refuse a model that gets fewer than N of ten built-in digits right" },
	{ "threshold", "P", SHARE, AT(threshold),
	  .help = "refuse what is read with less confidence than P, 0 to 1 (the model's own)" },
	{ "listen", "ADDR:PORT", LISTEN, AT(http.listen), .fallback = "127.0.0.1:8080",
	  .help = "listen here; also [v6]:PORT, unix:PATH, systemd; 0: a free port" },
	{ "host", "NAME", HOSTS, AT(http.hosts), .help = "also accept requests whose Host header is NAME; repeatable" },
	{ "cors-origin", "ORIGIN", ORIGINS, AT(http.origins),
	  .help = "accept requests from pages of ORIGIN, as https://example.com; repeatable" },
	{ "api-keys", "FILE", TEXT, AT(http.api_keys),
	  .help = "require an API key of this file, one a line, except for the page and probes" },
	{ "tls-cert", "FILE", TEXT, AT(http.tls_cert),
	  .help = "serve HTTPS with the certificate and its chain from this PEM file" },
	{ "tls-key", "FILE", TEXT, AT(http.tls_key), .help = "the PEM file of the certificate's private key" },
	{ "device", "DEVICE", DEVICE, AT(engine.device), .fallback = "auto", .help = "compute on auto, cpu, cuda or cuda:N" },
	{ "cudnn", NULL, CUDNN, AT(engine.kernels), .help = "the old name of --kernels cudnn" },
	{ "kernels", "KERNELS", WORD, AT(engine.kernels), .words = { "auto", "cudnn", "own" }, .fallback = "auto",
	  .help = "on a GPU, compute by cudnn, own, or auto: cuDNN where it works, else own" },
	{ "tf32", NULL, SWITCH, AT(engine.tf32), .help = "with --kernels cudnn: use tensor cores, faster and less exact" },
	{ "isa", "ISA", WORD, AT(engine.isa), .words = { "avx512", "avx2", "portable" },
	  .help = "on the CPU, use avx512, avx2 or portable; without it the best that the CPU has" },
	{ "on-gpu-loss", "WHAT", CHOICE, AT(on_loss), .words = { "cpu", "unready", "exit" }, .fallback = "cpu",
	  .help = "when the CPU has replaced a lost GPU: cpu (go on), unready or exit" },
	{ "batch-on-cpu", NULL, SWITCH, AT(batch_on_cpu), .help = "on the CPU, too, batch pictures in a separate thread; slower" },
	{ "max-batch", "N", NUMBER, AT(max_batch), .min = 1, .max = 4096, .fallback = "64",
	  .help = "on a GPU, compute at most N pictures in one pass" },
	{ "max-delay-us", "US", NUMBER, AT(max_delay_us), .max = 1000000, .fallback = "0",
	  .help = "on an idle GPU, let a picture wait up to US microseconds for others" },
	{ "queue", "N", NUMBER, AT(limits.queue), .min = 1, .max = 1 << 20, .fallback = "4096",
	  .help = "on a GPU, answer 503 when more than N pictures would wait" },
	{ "decode-threads", "N", NUMBER, AT(n_decoders), .min = 1, .max = 64,
	  .help = "decode what is costly with N threads; without it processors less 1, at least 1" },
	{ "decode-queue", "N", NUMBER, AT(limits.decode_queue), .min = 1, .max = 4096, .fallback = "256",
	  .help = "answer 503 when more than N costly requests would wait to be decoded" },
	{ "decode-memory", "BYTES", NUMBER, AT(limits.decode_memory), .min = 1, .max = INT32_MAX, .fallback = "268435456",
	  .help = "decode at the same time what takes up to BYTES together" },
	{ "deadline-ms", "MS", NUMBER, AT(limits.deadline_ms), .min = 1, .max = 600000, .fallback = "5000",
	  .help = "answer 503 when a picture has waited for MS milliseconds" },
	{ "header-timeout-ms", "MS", NUMBER, AT(limits.header_timeout_ms), .min = 1, .max = 600000, .fallback = "10000",
	  .help = "close a connection whose headers take longer than MS milliseconds" },
	{ "body-timeout-ms", "MS", NUMBER, AT(limits.body_timeout_ms), .min = 1, .max = 3600000, .fallback = "30000",
	  .help = "close a connection whose body or answer takes more than MS ms" },
	{ "idle-timeout", "S", NUMBER, AT(limits.idle_timeout_s), .min = 1, .max = 86400, .fallback = "60",
	  .help = "close a connection that sends no request for S seconds" },
	{ "max-body", "BYTES", NUMBER, AT(limits.max_body), .min = 1, .max = 1 << 30, .fallback = "33554432",
	  .help = "answer 413 to a body of more than BYTES" },
	{ "max-buffer", "BYTES", NUMBER, AT(limits.max_buffer), .min = 1, .max = INT32_MAX, .fallback = "268435456",
	  .help = "answer 503 when all bodies in memory take more than BYTES" },
	{ "max-pictures", "N", NUMBER, AT(limits.max_pictures), .min = 1, .max = 65536, .fallback = "256",
	  .help = "answer 413 to a request with more than N pictures" },
	{ "max-pixels", "N", NUMBER, AT(limits.max_pixels), .min = 784, .max = 1 << 28, .fallback = "67108864",
	  .help = "refuse a picture, or all pictures of a request, of more than N pixels" },
	{ "max-whole-pixels", "N", NUMBER, AT(limits.max_whole_pixels), .min = 784, .max = 1 << 28, .fallback = "16777216",
	  .help = "refuse a WebP or a progressive JPEG of more than N pixels" },
	{ "max-scans", "N", NUMBER, AT(limits.max_scans), .min = 1, .max = 1000, .fallback = "32",
	  .help = "refuse a progressive JPEG of more than N scans" },
	{ "max-connections", "N", NUMBER, AT(limits.max_connections), .min = 2, .max = 65536, .fallback = "1024",
	  .help = "accept at most N connections at once, and a few more for probes" },
	{ "max-connections-per-address", "N", NUMBER, AT(limits.max_connections_per_address), .max = 65536, .fallback = "0",
	  .help = "accept at most N connections from one address; 0: no limit" },
	{ "drain-delay", "MS", NUMBER, AT(drain_delay_ms), .max = 3600000, .fallback = "0",
	  .help = "after SIGTERM, be unready but answer for MS milliseconds, then drain" },
	{ "http-threads", "N", NUMBER, AT(http.n_threads), .min = 2, .max = 64,
	  .help = "answer HTTP with N threads; without it one for each processor, at least 2" },
	{ "log-level", "LEVEL", CHOICE, AT(log_level), .words = { "debug", "info", "warning", "error" }, .fallback = "info",
	  .help = "log messages of this level and above: debug, info, warning or error" },
	{ "access-log", "FORM", CHOICE, AT(access_log), .words = { "off", "text", "json" }, .fallback = "off",
	  .help = "log each request to standard output: off, text or json" },
};
enum { N_FLAGS = sizeof flags / sizeof flags[0] };

static void variable_name(const struct flag *flag, char *name, size_t n)
{
	snprintf(name, n, "LENETD_%s", flag->name);
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static int read_number(const char *value, int min, int max, int *number, struct err *e)
{
	long n = 0;
	const char *c = value;
	while (*c >= '0' && *c <= '9' && n <= max)
		n = n * 10 + (*c++ - '0');
	if (c == value || *c || n < min || n > max)
		return err_set(e, "\"%.60s\" is not accepted: give a whole number from %d to %d", value, min, max);
	*number = (int)n;
	return 0;
}

static int read_share(const char *value, float *share, struct err *e)
{
	return decimal_parse(value, 0, 1, share)
		       ? 0
		       : err_set(e, "\"%.60s\" is not accepted: give a number from 0 to 1, as 0.9", value);
}

static int read_switch(const char *value, bool *on, struct err *e)
{
	if ((*value != '0' && *value != '1') || value[1])
		return err_set(e, "\"%.60s\" is not accepted: give 1 or 0", value);
	*on = *value == '1';
	return 0;
}

static int read_listen(const char *value, struct listen_spec *listen, struct err *e)
{
	const char *colon = strrchr(value, ':');
	const char *host = value;
	size_t n = colon ? (size_t)(colon - value) : 0;
	bool bracketed = n > 2 && value[0] == '[' && value[n - 1] == ']';
	if (strcmp(value, "systemd") == 0) {
		listen->kind = LISTEN_SYSTEMD;
		return 0;
	}
	if (strncmp(value, "unix:", 5) == 0) {
		if (!value[5] || strlen(value + 5) >= sizeof listen->host)
			return err_set(e, "\"%.60s\" is not accepted: give unix:PATH, as in unix:/run/lenetd.sock", value);
		listen->kind = LISTEN_UNIX;
		strcpy(listen->host, value + 5);
		return 0;
	}
	if (bracketed) {
		host++;
		n -= 2;
	}
	if (n == 0 || n >= sizeof listen->host || (!bracketed && (memchr(host, ':', n) || *host == '[')))
		return err_set(e,
			       "\"%.60s\" is not accepted: give ADDRESS:PORT, as in 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080, or "
			       "unix:PATH, or systemd",
			       value);
	int port;
	if (read_number(colon + 1, 0, 65535, &port, e))
		return err_prefix(e, "the port of \"%.60s\"", value);
	listen->kind = LISTEN_TCP;
	memcpy(listen->host, host, n);
	listen->host[n] = 0;
	listen->port = port;
	return 0;
}

static int add_name(const char *value, int (*check)(const char *, struct err *), struct admission_names *names, struct err *e)
{
	if (check(value, e))
		return -1;
	if (names->n == sizeof names->names / sizeof names->names[0])
		return err_set(e, "\"%.60s\" is one too many: give at most %d", value, names->n);
	names->names[names->n++] = value;
	return 0;
}

static int read_device(const char *value, const char **device, struct err *e)
{
	int number;
	bool ok = strcmp(value, "auto") == 0 || strcmp(value, "cpu") == 0 || strcmp(value, "cuda") == 0;
	if (!ok && (strncmp(value, "cuda:", 5) != 0 || read_number(value + 5, 0, 1023, &number, e)))
		return err_set(e, "\"%.60s\" is not accepted: give auto, cpu, cuda or cuda:N", value);
	*device = value;
	return 0;
}

// The index of a value in a list that ends with NULL, or -1.
static int index_in(const char *value, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(value, names[i]) == 0)
			return i;
	return -1;
}

// Adds NAME=FILE, or a file whose name becomes the model's.
static int read_model(const char *value, struct config *config, struct err *e)
{
	// As parts of a URL: /v2/models/stats is another route, and clients resolve dots.
	static const char *const reserved[] = { "stats", ".", "..", NULL };
	struct models_spec spec = { .file = value };
	size_t n = strspn(value, MODELS_NAME_CHARS);
	if (n > 0 && n < MODELS_MAX_NAME && value[n] == '=') {
		memcpy(spec.name, value, n);
		spec.file = value + n + 1;
	} else {
		models_name_of(value, spec.name);
	}
	if (!*spec.file)
		return err_set(e, "\"%.60s\" is not accepted: give a file after the '='", value);
	if (index_in(spec.name, reserved) >= 0)
		return err_set(
			e,
			"no model may be called \"%s\", since that has another meaning in a URL: give it another name, as in "
			"--model NAME=%.60s",
			spec.name, spec.file);
	for (int i = 0; i < config->n_models; i++)
		if (strcmp(config->models[i].name, spec.name) == 0)
			return err_set(e, "a second model is called \"%s\": give it another name, as in --model NAME=%.60s",
				       spec.name, spec.file);
	if (config->n_models == MODELS_MAX)
		return err_set(e, "more than %d models: give fewer", MODELS_MAX);
	config->models[config->n_models++] = spec;
	return 0;
}

// The index of the value in the flag's words; -1, and e lists them.
static int read_word(const struct flag *flag, const char *value, struct err *e)
{
	int i = index_in(value, flag->words), n = 0;
	char list[80] = "";
	if (i >= 0)
		return i;
	for (int w = 0; flag->words[w]; w++)
		n += snprintf(list + n, sizeof list - (size_t)n, "%s%s",
			      w == 0               ? ""
			      : flag->words[w + 1] ? ", "
						   : " or ",
			      flag->words[w]);
	return err_set(e, "\"%.60s\" is not accepted: give %s", value, list);
}

// --cudnn and LENETD_CUDNN, the old switch that --kernels replaces.
static int read_cudnn(const char *value, struct config *config, struct err *e)
{
	bool on = false;
	if (read_switch(value, &on, e))
		return -1;
	config->engine.kernels = on ? "cudnn" : "own";
	config->old_cudnn = true;
	return 0;
}

static int set(const struct flag *flag, const char *value, struct config *config, struct err *e)
{
	void *field = (char *)config + flag->offset;
	int word;
	if (!*value)
		return err_set(e, "has an empty value");
	switch (flag->kind) {
	case TEXT:
		*(const char **)field = value;
		return 0;
	case MODEL:
		return read_model(value, config, e);
	case NUMBER:
		return read_number(value, flag->min, flag->max, field, e);
	case SHARE:
		return read_share(value, field, e);
	case SWITCH:
		return read_switch(value, field, e);
	case LISTEN:
		return read_listen(value, field, e);
	case HOSTS:
		return add_name(value, admission_check_host, field, e);
	case ORIGINS:
		return add_name(value, admission_check_origin, field, e);
	case DEVICE:
		return read_device(value, field, e);
	case WORD:
	case CHOICE:
		word = read_word(flag, value, e);
		if (word < 0)
			return -1;
		if (flag->kind == WORD)
			*(const char **)field = flag->words[word];
		else
			*(int *)field = word;
		return 0;
	case CUDNN:
		return read_cudnn(value, config, e);
	}
	assert(!"a kind without a parser");
	return -1;
}

// The length of a repeatable flag's list; NULL if the flag has one value.
static int *list_length(const struct flag *flag, struct config *config)
{
	return flag->kind == MODEL                            ? &config->n_models
	       : flag->kind == HOSTS || flag->kind == ORIGINS ? &((struct admission_names *)((char *)config + flag->offset))->n
							      : NULL;
}

// The variable of a repeatable flag lists its values, separated by blanks, which are overwritten here.
static int set_variable(const struct flag *flag, char *value, struct config *config, struct err *e)
{
	char *rest, *word;
	int failed;
	if (!list_length(flag, config))
		return set(flag, value, config, e);
	word = strtok_r(value, " \t\n", &rest);
	do
		failed = set(flag, word ? word : "", config, e);
	while (!failed && word && (word = strtok_r(NULL, " \t\n", &rest)));
	return failed;
}

static int set_from_environment(char *const *environ, struct config *config, struct err *e)
{
	for (int i = 0; i < N_FLAGS; i++) {
		char name[64];
		variable_name(&flags[i], name, sizeof name);
		size_t n = strlen(name);
		for (char *const *v = environ; *v; v++)
			if (strncmp(*v, name, n) == 0 && (*v)[n] == '=' && set_variable(&flags[i], *v + n + 1, config, e))
				return err_prefix(e, "environment variable %s", name);
	}
	return 0;
}

// A list replaces that of the environment.
static int set_from_arguments(int argc, char *const *argv, struct config *config, struct err *e)
{
	bool seen[N_FLAGS] = { false };
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			config->help = true;
			return 0;
		}
		if (strcmp(word, "--version") == 0) {
			config->version = true;
			return 0;
		}
		size_t n = strcspn(word, "=");
		const struct flag *flag = NULL;
		for (int f = 0; f < N_FLAGS; f++)
			if (n > 2 && strncmp(word, "--", 2) == 0 && strlen(flags[f].name) == n - 2 &&
			    strncmp(word + 2, flags[f].name, n - 2) == 0)
				flag = &flags[f];
		if (!flag)
			return err_set(e, "\"%.60s\" is not a flag of lenetd; lenetd --help lists them", word);
		const char *value = word[n] ? word + n + 1 : !flag->value ? "1" : i + 1 < argc ? argv[++i] : NULL;
		if (!value)
			return err_set(e, "--%s needs a value: --%s %s", flag->name, flag->name, flag->value);
		int *n_listed = list_length(flag, config);
		if (n_listed && !seen[flag - flags])
			*n_listed = 0;
		seen[flag - flags] = true;
		if (set(flag, value, config, e))
			return err_prefix(e, "--%s", flag->name);
	}
	return 0;
}

// Checks that involve several flags.
static int check_together(const struct config *c, struct err *e)
{
	if (c->limits.queue < c->limits.max_pictures)
		return err_set(e, "--queue %d is less than --max-pictures %d: a full request would never fit", c->limits.queue,
			       c->limits.max_pictures);
	if (c->limits.max_buffer <= c->limits.max_body)
		return err_set(e, "--max-buffer %d is not more than --max-body %d: a full body would never fit",
			       c->limits.max_buffer, c->limits.max_body);
	const struct picture_limits largest = { .max_whole_pixels = (uint64_t)c->limits.max_whole_pixels };
	uint64_t needed = picture_memory_at_most(&largest);
	if ((uint64_t)c->limits.decode_memory < needed)
		return err_set(
			e, "--decode-memory %d is less than the %" PRIu64 " bytes that a picture of --max-whole-pixels %d takes",
			c->limits.decode_memory, needed, c->limits.max_whole_pixels);
	if (c->max_delay_us / 1000 >= c->limits.deadline_ms)
		return err_set(e, "--max-delay-us %d is not less than --deadline-ms %d: every picture would be late",
			       c->max_delay_us, c->limits.deadline_ms);
	if (!c->http.tls_cert != !c->http.tls_key)
		return err_set(e, "only one of --tls-cert and --tls-key is given: give both");
	for (int i = 0; i < c->http.origins.n; i++)
		if (c->http.api_keys && strcmp(c->http.origins.names[i], "*") == 0)
			return err_set(
				e, "--cors-origin * is not accepted with --api-keys: name the origins whose pages may use a key");
	return 0;
}

int config_parse(int argc, char *const *argv, char *const *environ, struct config *config, struct err *e)
{
	struct config c = { .threshold = -1 };
	for (int i = 0; i < N_FLAGS; i++)
		if (flags[i].fallback && set(&flags[i], flags[i].fallback, &c, e))
			assert(!"a default that its own flag refuses");
	// An error in the environment is reported last, so that --help works whatever the environment holds.
	struct err environment_error;
	int environment_failed = set_from_environment(environ, &c, &environment_error);
	if (set_from_arguments(argc, argv, &c, e))
		return -1;
	if (!c.help && !c.version) {
		if (environment_failed)
			return err_set(e, "%s", environment_error.msg);
		if (c.n_models == 0)
			c.models[c.n_models++] = (struct models_spec){ "best", NULL };
		c.engine.max_batch = c.max_batch;
		if (check_together(&c, e))
			return -1;
	}
	*config = c;
	return 0;
}

void config_help(char *text, size_t n_text)
{
	size_t n = 0;
#define SAY(...) (n += n < n_text ? (size_t)snprintf(text + n, n_text - n, __VA_ARGS__) : 0)
	SAY("usage: lenetd [--flag VALUE]...\n\n"
	    "Serves a LeNet-5: reads pictures of digits over HTTP, with a page to draw on.\n\n");
	for (int i = 0; i < N_FLAGS; i++) {
		const struct flag *f = &flags[i];
		char left[64];
		snprintf(left, sizeof left, "--%s %s", f->name, f->value ? f->value : "");
		SAY("  %-26s %s%s%s%s\n", left, f->help, f->fallback ? " (" : "", f->fallback ? f->fallback : "",
		    f->fallback ? ")" : "");
	}
	SAY("  %-26s %s\n  %-26s %s\n\n", "--help", "this text", "--version", "the version");
	SAY("Each flag has an environment variable: LENETD_LISTEN for --listen, LENETD_MAX_BODY for --max-body.\n"
	    "LENETD_TF32=1 is --tf32; both take 0 for no: --tf32=0. The variable of a repeatable flag lists its values, separated "
	    "by\nblanks: LENETD_MODEL='a=x.bin b=y.bin'.\n"
	    "Exit status: 0 after SIGTERM or SIGINT, 1 after a failure or, with --on-gpu-loss exit, the loss of the GPU,\n"
	    "2 for wrong usage.\n");
#undef SAY
}

int config_n_decoders(const struct config *config)
{
	return config->n_decoders ? config->n_decoders : decoders_default_threads();
}

void config_limits(const struct config *config, bool batched, char *line, size_t n_line)
{
	const struct limits *l = &config->limits;
	char gathering[128] = "", per_address[48] = "";
	if (l->max_connections_per_address)
		snprintf(per_address, sizeof per_address, " (%d an address)", l->max_connections_per_address);
	if (batched)
		snprintf(gathering, sizeof gathering, "queue %d, batch %d, delay %d us, ", l->queue, config->max_batch,
			 config->max_delay_us);
	snprintf(line, n_line,
		 "limits: body %d bytes (%d in all), %d pictures a request, %d pixels a picture (%d of a WebP or progressive JPEG, "
		 "of at most %d scans), %d connections%s, %s%d decode threads (queue %d, %d bytes), deadline %d ms, headers "
		 "%d ms, body %d ms, idle %d s",
		 l->max_body, l->max_buffer, l->max_pictures, l->max_pixels, l->max_whole_pixels, l->max_scans, l->max_connections,
		 per_address, gathering, config_n_decoders(config), l->decode_queue, l->decode_memory, l->deadline_ms,
		 l->header_timeout_ms, l->body_timeout_ms, l->idle_timeout_s);
}
