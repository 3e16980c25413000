// $NOTIFY_SOCKET is a path, or '@' and a name in the abstract namespace.
#include "server/supervise/notify.h"

#include "core/clock.h"
#include "core/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int send_to(const char *name, const char *text, struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	if (n < 2 || n >= sizeof address.sun_path || (*name != '/' && *name != '@'))
		return err_set(e, "NOTIFY_SOCKET=%.100s is neither a path nor @NAME", name);
	memcpy(address.sun_path, name, n);
	if (*name == '@')
		address.sun_path[0] = 0;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(e, "cannot open a socket for NOTIFY_SOCKET=%.100s", name);
	socklen_t n_address = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*name == '/'));
	int failed = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, n_address) < 0
			     ? err_errno(e, "cannot send to NOTIFY_SOCKET=%.100s", name)
			     : 0;
	close(fd);
	return failed;
}

void notify_send(const char *format, ...)
{
	const char *name = getenv("NOTIFY_SOCKET");
	if (!name)
		return;
	char text[512];
	struct err e;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (send_to(name, text, &e))
		log_warning("%s", e.msg);
}

void notify_reloading(void)
{
	notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)(clock_now_ns() / 1000));
}

void notify_reloaded(int n_failed, const struct err *last)
{
	if (n_failed)
		notify_send("READY=1\nSTATUS=reload: %d failed, the last: %s", n_failed, last->msg);
	else
		notify_send("READY=1\nSTATUS=everything is loaded again");
}

int64_t notify_watchdog_us(void)
{
	const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	if (!us || (pid && strtoll(pid, NULL, 10) != (long long)getpid()))
		return 0;
	long long n = strtoll(us, NULL, 10);
	return n > 0 ? (int64_t)n : 0;
}
