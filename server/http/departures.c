// What epoll_wait reports may be removed by another thread before it is looked at. So the thread sleeps in poll(2) on the set,
// which is a descriptor itself, and asks for the events under the lock under which entries are removed.
#include "server/http/departures.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct departures {
	int set, stop; // descriptors
	pthread_t thread;
	pthread_mutex_t lock; // of the set and of what is done to its sockets
};

static void look(struct departures *w, struct departures_entry *entry, uint32_t events)
{
	static const char nudge[] = "HTTP/1.1 100 Continue\r\n\r\n";
	// A reset is reported whether it is asked for or not, and goes on being so: once must do here, too, or the thread never sleeps.
	struct epoll_event only_reset = { .events = EPOLLONESHOT, .data.ptr = entry };
	bool gone = (events & (EPOLLHUP | EPOLLERR)) || entry->end == DEPARTURES_END_LEAVES;
	if (!gone && entry->end == DEPARTURES_END_ASKS)
		gone = send(entry->fd, nudge, sizeof nudge - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN;
	if (gone)
		atomic_store(&entry->gone, true);
	else
		epoll_ctl(w->set, EPOLL_CTL_MOD, entry->fd, &only_reset);
}

static void *run(void *arg)
{
	struct departures *w = arg;
	struct pollfd set[2] = { { .fd = w->set, .events = POLLIN }, { .fd = w->stop, .events = POLLIN } };
	while (!set[1].revents) {
		if (poll(set, 2, -1) < 0)
			continue;
		struct epoll_event events[64];
		pthread_mutex_lock(&w->lock);
		int n = epoll_wait(w->set, events, 64, 0);
		for (int i = 0; i < n; i++)
			look(w, events[i].data.ptr, events[i].events);
		pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

int departures_open(struct departures **departures, struct err *e)
{
	struct departures *w = calloc(1, sizeof *w);
	if (!w)
		return err_set(e, "no memory to watch connections");
	w->set = epoll_create1(EPOLL_CLOEXEC);
	w->stop = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&w->lock, NULL);
	if (w->set < 0 || w->stop < 0) {
		err_errno(e, "no descriptors to watch connections");
		goto failed;
	}
	errno = pthread_create(&w->thread, NULL, run, w);
	if (errno) {
		err_errno(e, "cannot start the thread that watches connections");
		goto failed;
	}
	*departures = w;
	return 0;
failed:
	if (w->set >= 0)
		close(w->set);
	if (w->stop >= 0)
		close(w->stop);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return -1;
}

void departures_close(struct departures *w)
{
	if (!w)
		return;
	eventfd_write(w->stop, 1);
	pthread_join(w->thread, NULL);
	close(w->set);
	close(w->stop);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void departures_add(struct departures *w, struct departures_entry *entry)
{
	struct epoll_event event = { .events = EPOLLRDHUP | EPOLLONESHOT, .data.ptr = entry };
	pthread_mutex_lock(&w->lock);
	epoll_ctl(w->set, EPOLL_CTL_ADD, entry->fd, &event);
	pthread_mutex_unlock(&w->lock);
}

void departures_remove(struct departures *w, struct departures_entry *entry)
{
	pthread_mutex_lock(&w->lock);
	epoll_ctl(w->set, EPOLL_CTL_DEL, entry->fd, NULL);
	pthread_mutex_unlock(&w->lock);
}
