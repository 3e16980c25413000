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

static struct departures *departures;

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
	departures_add(departures, entry);
}

static void open_departures(void)
{
	struct err e;
	CHECK(departures_open(&departures, &e) == 0);
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

TEST(departures_tells_closed_from_half_closed)
{
	static const char nudge[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct departures_entry entries[4];
	int clients[4];
	char got[sizeof nudge] = "";
	open_departures();
	for (int i = 0; i < 4; i++)
		connect_pair(&entries[i], &clients[i], DEPARTURES_END_PROBE);
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
		departures_remove(departures, &entries[i]);
		close(entries[i].fd);
	}
	close(clients[3]);
	departures_close(departures);
}

TEST(departures_probes_only_where_it_may)
{
	struct departures_entry waits, leaves;
	int patient, encrypted;
	open_departures();
	connect_pair(&waits, &patient, DEPARTURES_END_IGNORE);
	connect_pair(&leaves, &encrypted, DEPARTURES_END_GONE);
	shutdown(patient, SHUT_WR);
	shutdown(encrypted, SHUT_WR); // the later one: when it was seen, so was the other
	await_gone(&leaves);
	CHECK(!atomic_load(&waits.gone) && !has_byte(patient) && !has_byte(encrypted));
	setsockopt(patient, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(patient);
	await_gone(&waits);
	departures_remove(departures, &waits);
	departures_remove(departures, &leaves);
	close(waits.fd);
	close(leaves.fd);
	close(encrypted);
	departures_close(departures);
}

static int64_t cpu_us(void)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

// An ended client that then resets stays in the set until its request is over, which may be long.
TEST(departures_sleeps_while_reset_sockets_stay)
{
	struct departures_entry asked, waits;
	int closes, resets;
	open_departures();
	connect_pair(&asked, &closes, DEPARTURES_END_PROBE);
	connect_pair(&waits, &resets, DEPARTURES_END_IGNORE);
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
	departures_remove(departures, &asked);
	departures_remove(departures, &waits);
	close(asked.fd);
	close(waits.fd);
	departures_close(departures);
}

TEST(departures_forgets_removed_entries)
{
	struct departures_entry entry;
	int client;
	open_departures();
	for (int i = 0; i < 200; i++) {
		connect_pair(&entry, &client, DEPARTURES_END_PROBE);
		if (i % 2)
			shutdown(client, SHUT_WR);
		departures_remove(departures, &entry);
		int fd = entry.fd;
		memset(&entry, 0xff, sizeof entry); // whoever looks at it now is seen by ThreadSanitizer
		close(fd);
		close(client);
	}
	departures_close(departures);
}
