// Which of the daemon's idle connections makes room for another.
#include "server/http/timeouts.h"

#include "tests/unit/test.h"

#include <sys/socket.h>
#include <unistd.h>

static bool is_shut(int client)
{
	char byte;
	return recv(client, &byte, 1, MSG_DONTWAIT) == 0;
}

TEST(timeouts_idle_longest_first)
{
	const int64_t time_ms[TIMEOUTS_N_PHASES] = { 600000, 600000, 600000 };
	struct timeouts *timeouts;
	struct timeouts_entry entries[4];
	int sockets[4][2];
	struct err e;
	CHECK(timeouts_open(time_ms, &timeouts, &e) == 0);
	timeouts_shut_idle(timeouts); // nobody
	for (int i = 0; i < 4; i++) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets[i]) == 0);
		timeouts_add(timeouts, &entries[i], sockets[i][0]);
		timeouts_set(timeouts, &entries[i], i == 0 ? TIMEOUTS_BODY : TIMEOUTS_IDLE);
	}
	CHECK(write(sockets[1][1], "G", 1) == 1); // the next request begins
	timeouts_shut_idle(timeouts);
	CHECK(is_shut(sockets[2][1]) && !is_shut(sockets[3][1]));
	timeouts_shut_idle(timeouts);
	CHECK(is_shut(sockets[3][1]));
	timeouts_shut_idle(timeouts);
	CHECK(!is_shut(sockets[0][1]) && !is_shut(sockets[1][1]));
	for (int i = 0; i < 4; i++) {
		timeouts_remove(timeouts, &entries[i]);
		close(sockets[i][0]);
		close(sockets[i][1]);
	}
	timeouts_close(timeouts);
}
