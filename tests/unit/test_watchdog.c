#include "server/watchdog.h"

#include "server/metrics.h"
#include "tests/unit/fake_engine.h"
#include "tests/unit/test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PERIOD_US = 10000, PATIENCE_MS = 60000 };

static struct fake_engine fake;
static struct models *models;
static struct metrics *metrics;
static int systemd; // the socket that it is told by

static void start(void)
{
	static const struct models_spec spec = { "m", NULL };
	const struct models_options options = { &fake.engine, &spec, 1, NULL, 0 };
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct err e;
	fake_engine_init(&fake);
	metrics = metrics_new();
	CHECK(models_open(&options, &models, &e) == 0);
	snprintf(name.sun_path, sizeof name.sun_path, "/tmp/lenet-watchdog-%d", (int)getpid());
	systemd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CHECK(bind(systemd, (struct sockaddr *)&name, sizeof name) == 0);
	setenv("NOTIFY_SOCKET", name.sun_path, 1);
}

static void stop(void)
{
	unlink(getenv("NOTIFY_SOCKET"));
	unsetenv("NOTIFY_SOCKET");
	close(systemd);
	models_close(models);
	CHECK(fake.n_models == 0 && fake.n_contexts == 0);
	metrics_free(metrics);
}

static bool is_told(int timeout_ms)
{
	struct pollfd p = { .fd = systemd, .events = POLLIN };
	char message[64] = "";
	if (poll(&p, 1, timeout_ms) != 1)
		return false;
	CHECK(recv(systemd, message, sizeof message - 1, 0) > 0 && strcmp(message, "WATCHDOG=1") == 0);
	return true;
}

TEST(watchdog_speaks_while_the_engine_answers)
{
	start();
	struct batcher *batcher;
	struct watchdog *watchdog;
	struct err e;
	const struct batcher_options gathering = { 4, 0, 100, metrics };
	CHECK(batcher_open(&fake.engine, &gathering, &batcher, &e) == 0);
	const struct watchdog_options options = { PERIOD_US, metrics, batcher, NULL, models };
	CHECK(watchdog_open(&options, &watchdog, &e) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(is_told(PATIENCE_MS));
	fake_engine_hold();
	fake_engine_await();
	while (is_told(5 * PERIOD_US / 1000)) // for a pass that was made before
		;
	CHECK(!is_told(10 * PERIOD_US / 1000));
	fake_engine_release();
	CHECK(is_told(PATIENCE_MS));
	watchdog_close(watchdog);
	batcher_close(batcher);
	stop();
}

TEST(watchdog_takes_the_direct_way)
{
	start();
	struct direct *direct;
	struct watchdog *watchdog;
	struct err e;
	CHECK(direct_open(&fake.engine, 1, metrics, &direct, &e) == 0);
	const struct watchdog_options options = { PERIOD_US, metrics, NULL, direct, models };
	CHECK(watchdog_open(&options, &watchdog, &e) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(is_told(PATIENCE_MS));
	watchdog_close(watchdog);
	direct_close(direct);
	stop();
}
