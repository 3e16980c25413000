// Which of the daemon's idle connections makes room for another.
#include "server/sweep.h"

#include "tests/unit/test.h"

#include <sys/socket.h>
#include <unistd.h>

static bool is_shut(int client)
{
	char byte;
	return recv(client, &byte, 1, MSG_DONTWAIT) == 0;
}

TEST(sweep_idle_longest_first)
{
	const struct limits limits = { .header_timeout_ms = 600000, .body_timeout_ms = 600000, .idle_timeout_s = 600 };
	struct sweep *sweep;
	struct sweep_entry entries[4];
	int sockets[4][2];
	struct err e;
	CHECK(sweep_open(&limits, &sweep, &e) == 0);
	sweep_shut_idle(sweep); // nobody
	for (int i = 0; i < 4; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets[i]) == 0);
		sweep_join(sweep, &entries[i], sockets[i][0]);
		sweep_enter(sweep, &entries[i], i == 0 ? SWEEP_BODY : SWEEP_IDLE);
	}
	CHECK(write(sockets[1][1], "G", 1) == 1); // the next request begins
	sweep_shut_idle(sweep);
	CHECK(is_shut(sockets[2][1]) && !is_shut(sockets[3][1]));
	sweep_shut_idle(sweep);
	CHECK(is_shut(sockets[3][1]));
	sweep_shut_idle(sweep);
	CHECK(!is_shut(sockets[0][1]) && !is_shut(sockets[1][1]));
	for (int i = 0; i < 4; i++) {
		sweep_leave(sweep, &entries[i]);
		close(sockets[i][0]);
		close(sockets[i][1]);
	}
	sweep_close(sweep);
}
