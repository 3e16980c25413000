// notify: tells systemd how the daemon is doing: sd_notify(3)'s protocol, a datagram of VARIABLE=VALUE lines to the socket that
// $NOTIFY_SOCKET names. That is all there is to it, so no libsystemd is linked.
#pragma once

#include <stdint.h>

// Nothing where nobody listens. A failure is logged, and no more. Any thread.
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

// RELOADING=1 with the time that Type=notify-reload wants; READY=1 has to follow.
void notify_reloading(void);

// How often WATCHDOG=1 is awaited (sd_watchdog_enabled(3)), or 0: not at all.
int64_t notify_watchdog_us(void);
