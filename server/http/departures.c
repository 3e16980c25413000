// Between epoll_wait and the use of an event another thread may remove the entry. So the thread sleeps in poll(2) on the epoll
// descriptor, and fetches the events under the lock under which entries are removed.
#include "server/http/departures.h"

#include "core/thread.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct departures {
	int set, stop; // descriptors: of epoll, and an eventfd that ends the thread
	struct thread thread; // its lock guards the set and the entries in it
};

static void handle(struct departures *d, struct departures_entry *entry, uint32_t events)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
	// A reset is reported even if it is not asked for, and again and again: without EPOLLONESHOT the thread would never sleep.
	struct epoll_event only_reset = { .events = EPOLLONESHOT, .data.ptr = entry };
	bool gone = (events & (EPOLLHUP | EPOLLERR)) || entry->end == DEPARTURES_END_GONE;
	if (!gone && entry->end == DEPARTURES_END_PROBE)
		gone = send(entry->fd, interim, sizeof interim - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN;
	if (gone)
		atomic_store(&entry->gone, true);
	else
		epoll_ctl(d->set, EPOLL_CTL_MOD, entry->fd, &only_reset);
}

static void *run(void *arg)
{
	struct departures *d = arg;
	struct pollfd fds[2] = { { .fd = d->set, .events = POLLIN }, { .fd = d->stop, .events = POLLIN } };
	while (!fds[1].revents) {
		if (poll(fds, 2, -1) < 0)
			continue;
		struct epoll_event events[64];
		pthread_mutex_lock(&d->thread.lock);
		int n = epoll_wait(d->set, events, 64, 0);
		for (int i = 0; i < n; i++)
			handle(d, events[i].data.ptr, events[i].events);
		pthread_mutex_unlock(&d->thread.lock);
	}
	return NULL;
}

static void free_memory(struct departures *d)
{
	if (d->set >= 0)
		close(d->set);
	if (d->stop >= 0)
		close(d->stop);
	free(d);
}

int departures_open(struct departures **departures, struct err *e)
{
	struct departures *d = calloc(1, sizeof *d);
	if (!d)
		return err_set(e, "no memory to watch connections");
	d->set = epoll_create1(EPOLL_CLOEXEC);
	d->stop = eventfd(0, EFD_CLOEXEC);
	if (d->set < 0 || d->stop < 0 ? err_errno(e, "cannot open descriptors to watch connections")
				      : thread_start(&d->thread, "watches connections", run, d, e)) {
		free_memory(d);
		return -1;
	}
	*departures = d;
	return 0;
}

void departures_close(struct departures *d)
{
	if (!d)
		return;
	eventfd_write(d->stop, 1);
	thread_close(&d->thread);
	free_memory(d);
}

static void control(struct departures *d, int operation, struct departures_entry *entry)
{
	struct epoll_event event = { .events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = entry };
	pthread_mutex_lock(&d->thread.lock);
	epoll_ctl(d->set, operation, entry->fd, &event);
	pthread_mutex_unlock(&d->thread.lock);
}

void departures_add(struct departures *d, struct departures_entry *entry)
{
	control(d, EPOLL_CTL_ADD, entry);
}

void departures_remove(struct departures *d, struct departures_entry *entry)
{
	control(d, EPOLL_CTL_DEL, entry);
}
