#include "server/config.h"

#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

enum { MAX_WORDS = 8 };

// Parses "flag flag …" under "VARIABLE=…|VARIABLE=…".
static int parse(const char *flags, const char *variables, struct config *config, struct err *e)
{
	static char words[512], settings[512]; // what the config borrows
	char *argv[MAX_WORDS + 2] = { "lenetd" }, *environment[MAX_WORDS + 1] = { NULL }, *state;
	int argc = 1, n = 0;
	snprintf(words, sizeof words, "%s", flags);
	snprintf(settings, sizeof settings, "%s", variables);
	for (char *w = strtok_r(words, " ", &state); w && argc <= MAX_WORDS; w = strtok_r(NULL, " ", &state))
		argv[argc++] = w;
	for (char *w = strtok_r(settings, "|", &state); w && n < MAX_WORDS; w = strtok_r(NULL, "|", &state))
		environment[n++] = w;
	e->msg[0] = 0;
	return config_parse(argc, argv, environment, config, e);
}

TEST(config_defaults)
{
	struct config c;
	struct err e;
	CHECK_MSG(parse("", "", &c, &e) == 0, "%s", e.msg);
	CHECK(strcmp(c.http.listen.host, "127.0.0.1") == 0 && c.http.listen.port == 8080);
	CHECK(c.n_models == 1 && strcmp(c.models[0].name, "best") == 0 && !c.models[0].file && !c.network &&
	      strcmp(c.engine.device, "auto") == 0);
	CHECK(strcmp(c.engine.kernels, "auto") == 0 && !c.old_cudnn && !c.engine.tf32 && !c.engine.isa &&
	      c.on_loss == HEALTH_LOSS_CPU);
	CHECK(c.max_batch == 64 && c.max_delay_us == 0 && c.http.n_threads == 0 && c.log_level == LOG_INFO &&
	      c.access_log == ACCESS_LOG_OFF);
	CHECK(c.limits.max_body == 32 << 20 && c.limits.max_pixels == 64 << 20 && c.limits.max_whole_pixels == 16 << 20 &&
	      c.limits.max_scans == 32 && c.limits.decode_queue == 256 && c.limits.decode_memory == 256 << 20 &&
	      config_n_decoders(&c) >= 1 && c.limits.queue >= c.limits.max_pictures && c.limits.idle_timeout_s == 60);
}

TEST(config_flags_go_before_variables)
{
	struct config c;
	struct err e;
	CHECK(parse("--max-body=5000 --model a.bin", "LENETD_MAX_BODY=6000|LENETD_MODEL=b.bin|LENETD_QUEUE=999", &c, &e) == 0);
	CHECK(c.limits.max_body == 5000 && c.n_models == 1 && strcmp(c.models[0].file, "a.bin") == 0 && c.limits.queue == 999);
	CHECK(parse("", "LENETD_PORT=tcp://10.0.0.1:80|LENETD_LOG_LEVEL=error|LENETD_DEVICE=cuda:1", &c, &e) == 0);
	CHECK(c.log_level == LOG_ERROR && strcmp(c.engine.device, "cuda:1") == 0);
	CHECK(parse("--isa avx2", "LENETD_ISA=portable", &c, &e) == 0 && strcmp(c.engine.isa, "avx2") == 0);
	CHECK(parse("", "LENETD_ISA=portable", &c, &e) == 0 && strcmp(c.engine.isa, "portable") == 0);
	CHECK(parse("--access-log text", "LENETD_ACCESS_LOG=json", &c, &e) == 0 && c.access_log == ACCESS_LOG_TEXT);
	CHECK(parse("", "LENETD_ACCESS_LOG=json", &c, &e) == 0 && c.access_log == ACCESS_LOG_JSON);
}

TEST(config_decoders)
{
	struct config c;
	struct err e;
	char line[768];
	CHECK(parse("--decode-threads 3 --decode-queue 5", "LENETD_DECODE_MEMORY=300000000", &c, &e) == 0);
	CHECK(config_n_decoders(&c) == 3 && c.limits.decode_queue == 5 && c.limits.decode_memory == 300000000);
	config_limits(&c, true, line, sizeof line);
	CHECK_MSG(strstr(line, "3 decode threads (queue 5, 300000000 bytes)") && strstr(line, "idle 60 s"), "%s", line);
}

TEST(config_models)
{
	struct config c;
	struct err e;
	CHECK(parse("--model x=dir/a=b.bin --model=dir.d/c.bin --model ./a=b.bin", "LENETD_MODEL=z.bin", &c, &e) == 0 &&
	      c.n_models == 3);
	CHECK(strcmp(c.models[0].name, "x") == 0 && strcmp(c.models[0].file, "dir/a=b.bin") == 0);
	CHECK(strcmp(c.models[1].name, "c") == 0 && strcmp(c.models[1].file, "dir.d/c.bin") == 0);
	CHECK(strcmp(c.models[2].name, "ab") == 0 && strcmp(c.models[2].file, "./a=b.bin") == 0);
	CHECK(parse("", "LENETD_MODEL=one=z.bin", &c, &e) == 0 && c.n_models == 1 && strcmp(c.models[0].name, "one") == 0);
}

TEST(config_variables_of_many_words)
{
	struct config c;
	struct err e;
	CHECK(parse("", "LENETD_MODEL=a=x.bin  b=y.bin\tz.bin |LENETD_HOST=one [::1]|LENETD_CORS_ORIGIN=https://c\nhttps://d", &c,
		    &e) == 0);
	CHECK(c.n_models == 3 && strcmp(c.models[0].file, "x.bin") == 0 && strcmp(c.models[1].name, "b") == 0);
	CHECK(strcmp(c.models[2].name, "z") == 0 && strcmp(c.models[2].file, "z.bin") == 0);
	CHECK(c.http.hosts.n == 2 && strcmp(c.http.hosts.names[0], "one") == 0 && strcmp(c.http.hosts.names[1], "[::1]") == 0);
	CHECK(c.http.origins.n == 2 && strcmp(c.http.origins.names[1], "https://d") == 0);
	CHECK(parse("--model w.bin", "LENETD_MODEL=a=x.bin b=y.bin", &c, &e) == 0 && c.n_models == 1);
	CHECK(parse("", "LENETD_API_KEYS=a file of keys", &c, &e) == 0 && strcmp(c.http.api_keys, "a file of keys") == 0);
}

TEST(config_switches)
{
	static const struct {
		const char *flags, *variables;
		const char *kernels;
		bool tf32, old_cudnn;
	} cases[] = {
		{ "--tf32 --queue 999", "", "auto", true, false }, // takes no word for its value
		{ "--tf32=1 --queue=999 --kernels own", "", "own", true, false },
		{ "--queue 999", "LENETD_KERNELS=cudnn|LENETD_TF32=0", "cudnn", false, false },
		{ "--queue 999 --tf32=0", "LENETD_TF32=1", "auto", false, false },
		{ "--cudnn --queue 999", "", "cudnn", false, true },
		{ "--queue 999", "LENETD_CUDNN=1", "cudnn", false, true },
		{ "--queue 999 --cudnn=0", "LENETD_CUDNN=1", "own", false, true },
		{ "--queue 999 --cudnn", "LENETD_KERNELS=own", "cudnn", false, true },
		{ "--queue 999 --kernels own", "LENETD_CUDNN=1", "own", false, true },
		{ "--queue 999", "LENETD_CUDNN=1|LENETD_KERNELS=own", "own", false, true },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config c;
		struct err e;
		CHECK_MSG(parse(cases[i].flags, cases[i].variables, &c, &e) == 0, "\"%s\": %s", cases[i].flags, e.msg);
		CHECK_MSG(strcmp(c.engine.kernels, cases[i].kernels) == 0 && c.engine.tf32 == cases[i].tf32 &&
				  c.old_cudnn == cases[i].old_cudnn && c.limits.queue == 999,
			  "\"%s\" under \"%s\"", cases[i].flags, cases[i].variables);
	}
}

TEST(config_on_gpu_loss)
{
	static const char *const names[] = { "cpu", "unready", "exit" };
	static const enum health_on_loss values[] = { HEALTH_LOSS_CPU, HEALTH_LOSS_UNREADY, HEALTH_LOSS_EXIT };
	for (int i = 0; i < 3; i++) {
		struct config c;
		struct err e;
		char text[64];
		snprintf(text, sizeof text, "LENETD_ON_GPU_LOSS=%s", names[i]);
		CHECK(parse("", text, &c, &e) == 0 && c.on_loss == values[i]);
		snprintf(text, sizeof text, "--on-gpu-loss %s", names[i]);
		CHECK(parse(text, "LENETD_ON_GPU_LOSS=cpu", &c, &e) == 0 && c.on_loss == values[i]);
	}
}

TEST(config_listen)
{
	static const struct {
		const char *value, *host;
		int port;
	} good[] = { { "0.0.0.0:0", "0.0.0.0", 0 }, { "[::1]:8080", "::1", 8080 }, { "localhost:65535", "localhost", 65535 } };
	static const char *const bad[] = { "8080", ":8080", "[]:1", "::1:80", "a:", "a:65536", "a:-1", "a:1x", "a:99999999999" };
	struct config c;
	struct err e;
	char flags[128];
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		snprintf(flags, sizeof flags, "--listen %s", good[i].value);
		CHECK_MSG(parse(flags, "", &c, &e) == 0 && strcmp(c.http.listen.host, good[i].host) == 0 &&
				  c.http.listen.port == good[i].port,
			  "%s: %s", good[i].value, e.msg);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(flags, sizeof flags, "--listen %s", bad[i]);
		CHECK_MSG(parse(flags, "", &c, &e) == -1 && strstr(e.msg, "--listen: "), "%s: %s", bad[i], e.msg);
	}
}

TEST(config_listens_elsewhere)
{
	struct config c;
	struct err e;
	CHECK(parse("", "", &c, &e) == 0 && c.http.listen.kind == LISTEN_TCP);
	CHECK(parse("--listen unix:/run/a:b.sock", "", &c, &e) == 0 && c.http.listen.kind == LISTEN_UNIX &&
	      strcmp(c.http.listen.host, "/run/a:b.sock") == 0);
	CHECK(parse("--listen systemd", "LENETD_LISTEN=unix:/x", &c, &e) == 0 && c.http.listen.kind == LISTEN_SYSTEMD);
	CHECK(parse("--listen [::1]:1", "LENETD_LISTEN=systemd", &c, &e) == 0 && c.http.listen.kind == LISTEN_TCP);
	CHECK(parse("--listen unix:", "", &c, &e) == -1 && strstr(e.msg, "unix:PATH"));
}

TEST(config_names)
{
	struct config c;
	struct err e;
	CHECK(parse("", "", &c, &e) == 0 && c.http.hosts.n == 0 && c.http.origins.n == 0 && !c.http.api_keys &&
	      c.drain_delay_ms == 0);
	CHECK(parse("--host a --host=b --cors-origin https://c", "LENETD_HOST=x|LENETD_CORS_ORIGIN=https://y", &c, &e) == 0);
	CHECK(c.http.hosts.n == 2 && strcmp(c.http.hosts.names[0], "a") == 0 && strcmp(c.http.hosts.names[1], "b") == 0);
	CHECK(c.http.origins.n == 1 && strcmp(c.http.origins.names[0], "https://c") == 0);
	CHECK(parse("--host a", "LENETD_CORS_ORIGIN=https://y", &c, &e) == 0 && c.http.origins.n == 1 &&
	      strcmp(c.http.origins.names[0], "https://y") == 0);
	CHECK(parse("--cors-origin *", "", &c, &e) == 0);
}

TEST(config_says_what_is_wrong)
{
	static const struct {
		const char *flags, *variables, *message;
	} cases[] = {
		{ "--nonsense", "", "\"--nonsense\" is not a flag of lenetd" },
		{ "model.bin", "", "\"model.bin\" is not a flag of lenetd" },
		{ "--max", "", "\"--max\" is not a flag of lenetd" },
		{ "--", "", "\"--\" is not a flag of lenetd" },
		{ "--model", "", "--model needs a value: --model [NAME=]FILE" },
		{ "--model=", "", "--model: has an empty value" },
		{ "--max-batch 0", "", "--max-batch: \"0\" is not accepted: give a whole number from 1 to 4096" },
		{ "--max-batch 4097", "", "from 1 to 4096" },
		{ "--max-batch 99999999999999999999999", "", "from 1 to 4096" },
		{ "--max-batch 0x10", "", "from 1 to 4096" },
		{ "--queue -1", "", "--queue: " },
		{ "--model a/x.bin --model b/x.bin", "", "a second model is called \"x\"" },
		{ "--model x=", "", "give a file after" },
		{ "--model stats=x.bin", "", "no model may be called \"stats\"" },
		{ "--model a/stats.bin", "", "no model may be called \"stats\"" },
		{ "--model .=x.bin", "", "no model may be called \".\"" },
		{ "--model ..=x.bin", "", "no model may be called \"..\"" },
		{ "", "LENETD_MODEL=dir/...bin", "no model may be called \"..\"" },
		{ "--http-threads 1", "", "--http-threads: " },
		{ "--device gpu", "", "give auto, cpu, cuda or cuda:N" },
		{ "--device cuda:", "", "give auto, cpu, cuda or cuda:N" },
		{ "--isa sse2", "", "--isa: \"sse2\" is not accepted: give avx512, avx2 or portable" },
		{ "", "LENETD_ISA=AVX2", "environment variable LENETD_ISA: \"AVX2\" is not accepted" },
		{ "--cudnn 1", "", "\"1\" is not a flag of lenetd" },
		{ "--kernels ours", "", "--kernels: \"ours\" is not accepted: give auto, cudnn or own" },
		{ "--cudnn=yes", "", "--cudnn: \"yes\" is not accepted: give 1 or 0" },
		{ "--tf32=10", "", "--tf32: \"10\" is not accepted: give 1 or 0" },
		{ "--tf32=", "", "--tf32: has an empty value" },
		{ "", "LENETD_CUDNN=true", "environment variable LENETD_CUDNN: \"true\" is not accepted: give 1 or 0" },
		{ "--on-gpu-loss die", "", "--on-gpu-loss: \"die\" is not accepted: give cpu, unready or exit" },
		{ "--on-gpu-loss", "", "--on-gpu-loss needs a value: --on-gpu-loss WHAT" },
		{ "--log-level loud", "", "give debug, info, warning or error" },
		{ "", "LENETD_MAX_BATCH=many", "environment variable LENETD_MAX_BATCH: \"many\" is not accepted" },
		{ "", "LENETD_MODEL= ", "environment variable LENETD_MODEL: has an empty value" },
		{ "", "LENETD_MODEL=", "environment variable LENETD_MODEL: has an empty value" },
		{ "", "LENETD_MODEL=a=x.bin a=y.bin", "environment variable LENETD_MODEL: a second model is called \"a\"" },
		{ "--host a:80", "", "--host: \"a:80\" is not accepted" },
		{ "", "LENETD_CORS_ORIGIN=example.com", "LENETD_CORS_ORIGIN: \"example.com\" is not accepted" },
		{ "--cors-origin * --api-keys f", "", "--cors-origin * is not accepted with --api-keys" },
		{ "--tls-key f", "", "give both" },
		{ "--drain-delay 3600001", "", "from 0 to 3600000" },
		{ "--queue 10", "", "--queue 10 is less than --max-pictures 256" },
		{ "--max-buffer 10", "", "--max-buffer 10 is not more than --max-body" },
		{ "--decode-threads 0", "", "--decode-threads: \"0\" is not accepted: give a whole number from 1 to 64" },
		{ "--decode-memory 1000", "", "--decode-memory 1000 is less than" },
		{ "--max-whole-pixels 100000000", "", "that a picture of --max-whole-pixels 100000000 takes" },
		{ "--max-delay-us 2000 --deadline-ms 2", "", "every picture would be late" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config c = { .http.listen.port = -7 };
		struct err e;
		CHECK_MSG(parse(cases[i].flags, cases[i].variables, &c, &e) == -1, "\"%s\" was accepted", cases[i].flags);
		CHECK_MSG(strstr(e.msg, cases[i].message), "\"%s\": %s", cases[i].flags, e.msg);
		CHECK(c.http.listen.port == -7); // untouched
	}
}

TEST(config_help_works_in_a_broken_environment)
{
	struct config c;
	struct err e;
	char text[8192];
	CHECK(parse("--help", "LENETD_MAX_BATCH=many", &c, &e) == 0 && c.help);
	CHECK(parse("--version", "LENETD_MAX_BATCH=many", &c, &e) == 0 && c.version);
	config_help(text, sizeof text);
	CHECK(strstr(text, "--kernels KERNELS") && strstr(text, "--tf32  ") && strstr(text, "--on-gpu-loss WHAT"));
	CHECK(strstr(text, "--listen ADDR:PORT") && strstr(text, "Exit status") && strlen(text) < sizeof text - 1);
}

TEST(config_threshold)
{
	static const char *const bad[] = { "1.1", "-0.1", "nan", "1e-1", "0x1", "half" };
	struct config c;
	struct err e;
	CHECK(parse("", "", &c, &e) == 0 && c.threshold < 0); // the model's own
	CHECK(parse("--threshold 0", "LENETD_THRESHOLD=0.7", &c, &e) == 0 && c.threshold == 0);
	CHECK(parse("", "LENETD_THRESHOLD=0.75", &c, &e) == 0 && c.threshold == 0.75f);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char flags[64];
		snprintf(flags, sizeof flags, "--threshold %s", bad[i]);
		CHECK_MSG(parse(flags, "", &c, &e) == -1 && strstr(e.msg, "--threshold") && strstr(e.msg, "from 0 to 1"), "%s",
			  e.msg);
	}
}
