// log: writes one line at a time to standard error. Any thread may call; a line is never torn.
#pragma once

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

// Lines below `level` are dropped. Call before other threads start; LOG_INFO until then.
void log_set_level(enum log_level level);

// Writes "2026-01-31T12:00:00.123Z info  message". Newlines and other control characters in the message become '?'.
void log_at(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_at(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
