// Over pairs of connected TCP sockets, for only TCP keeps it a secret whether a client that ends has left.
#include "server/http/departures.h"

#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct departures *watch;

static void connect_pair(struct departures_entry *entry, int *client, enum departures_end end)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof address;
	int listening = socket(AF_INET, SOCK_STREAM, 0);
	*client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(bind(listening, (struct sockaddr *)&address, n) == 0 && listen(listening, 1) == 0);
	CHECK(getsockname(listening, (struct sockaddr *)&address, &n) == 0 &&
	      connect(*client, (struct sockaddr *)&address, n) == 0);
	memset(entry, 0, sizeof *entry);
	entry->fd = accept(listening, NULL, NULL);
	entry->end = end;
	close(listening);
	departures_add(watch, entry);
}

static void open_watch(void)
{
	struct err e;
	CHECK(departures_open(&watch, &e) == 0);
}

static void await_gone(struct departures_entry *entry)
{
	for (int i = 0; i < 10000 && !atomic_load(&entry->gone); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	CHECK(atomic_load(&entry->gone));
}

static bool has_byte(int fd)
{
	char byte;
	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

TEST(watch_sees_who_closes_and_who_only_ends)
{
	static const char nudge[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct departures_entry entries[4];
	int clients[4];
	char got[sizeof nudge] = "";
	open_watch();
	for (int i = 0; i < 4; i++)
		connect_pair(&entries[i], &clients[i], DEPARTURES_END_ASKS);
	shutdown(clients[1], SHUT_WR);
	CHECK(recv(clients[1], got, sizeof nudge - 1, MSG_WAITALL) == sizeof nudge - 1 && strcmp(got, nudge) == 0);
	close(clients[0]);
	await_gone(&entries[0]);
	setsockopt(clients[2], SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(clients[2]);
	await_gone(&entries[2]);
	CHECK(!atomic_load(&entries[1].gone) && !has_byte(clients[1]));
	CHECK(!atomic_load(&entries[3].gone) && !has_byte(clients[3]));
	close(clients[1]); // and then it does leave: what the daemon says next is answered by a reset
	CHECK(send(entries[1].fd, "x", 1, MSG_NOSIGNAL) == 1);
	await_gone(&entries[1]);
	for (int i = 0; i < 4; i++) {
		departures_remove(watch, &entries[i]);
		close(entries[i].fd);
	}
	close(clients[3]);
	departures_close(watch);
}

TEST(watch_does_not_ask_everyone)
{
	struct departures_entry waits, leaves;
	int patient, encrypted;
	open_watch();
	connect_pair(&waits, &patient, DEPARTURES_END_WAITS);
	connect_pair(&leaves, &encrypted, DEPARTURES_END_LEAVES);
	shutdown(patient, SHUT_WR);
	shutdown(encrypted, SHUT_WR); // the later one: when it was seen, so was the other
	await_gone(&leaves);
	CHECK(!atomic_load(&waits.gone) && !has_byte(patient) && !has_byte(encrypted));
	setsockopt(patient, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(patient);
	await_gone(&waits);
	departures_remove(watch, &waits);
	departures_remove(watch, &leaves);
	close(waits.fd);
	close(leaves.fd);
	close(encrypted);
	departures_close(watch);
}

static int64_t cpu_us(void)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

// An ended client that then resets stays in the set until its request is over, which may be long.
TEST(watch_sleeps_beside_those_who_have_left)
{
	struct departures_entry asked, waits;
	int closes, resets;
	open_watch();
	connect_pair(&asked, &closes, DEPARTURES_END_ASKS);
	connect_pair(&waits, &resets, DEPARTURES_END_WAITS);
	close(closes);
	await_gone(&asked);
	shutdown(resets, SHUT_WR);
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	setsockopt(resets, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(resets);
	await_gone(&waits);
	const int64_t asleep_us = 300000, before_us = cpu_us();
	nanosleep(&(struct timespec){ .tv_nsec = asleep_us * 1000 }, NULL);
	int64_t spent_us = cpu_us() - before_us;
	CHECK_MSG(spent_us < asleep_us / 10, "%lld us of CPU time in %lld us of sleep", (long long)spent_us, (long long)asleep_us);
	departures_remove(watch, &asked);
	departures_remove(watch, &waits);
	close(asked.fd);
	close(waits.fd);
	departures_close(watch);
}

TEST(watch_leaves_alone_what_was_removed)
{
	struct departures_entry entry;
	int client;
	open_watch();
	for (int i = 0; i < 200; i++) {
		connect_pair(&entry, &client, DEPARTURES_END_ASKS);
		if (i % 2)
			shutdown(client, SHUT_WR);
		departures_remove(watch, &entry);
		int fd = entry.fd;
		memset(&entry, 0xff, sizeof entry); // whoever looks at it now is seen by ThreadSanitizer
		close(fd);
		close(client);
	}
	departures_close(watch);
}
