// notify: tells systemd the daemon's state by the protocol of sd_notify(3): a datagram of VARIABLE=VALUE lines to the socket that
// $NOTIFY_SOCKET names. No libsystemd is needed for that. Any thread.
#pragma once

#include "core/err.h"

#include <stdint.h>

// Does nothing without $NOTIFY_SOCKET. Logs a failure.
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Sends RELOADING=1 with the time, as Type=notify-reload needs it; and READY=1 afterwards. last: why the last file failed, if any did.
void notify_reloading(void);
void notify_reloaded(int n_failed, const struct err *last);

// The period in which systemd expects WATCHDOG=1 (sd_watchdog_enabled(3)); 0: it does not.
int64_t notify_watchdog_us(void);
