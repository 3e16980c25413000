// exchange: libmicrohttpd's callbacks, which take a request from its head to its answer. Used by http.c only. The library calls them
// on any of its threads, for one connection one after the other.
#pragma once

#include "server/http/body.h"
#include "server/http/departures.h"
#include "server/http/http.h"
#include "server/http/in_flight.h"
#include "server/http/timeouts.h"

#include <microhttpd.h>
#include <stdatomic.h>

// Bytes a connection, for the head and a piece of the body. libmicrohttpd clears all of it after every request.
enum { EXCHANGE_MEMORY = 16 << 10 };

// Shared by all exchanges.
struct exchanges {
	struct http_options options;
	struct admission admission;
	struct timeouts *timeouts;
	struct departures *departures;
	struct body_budget bodies;
	struct in_flight in_flight;
	atomic_bool closing; // every answer closes its connection
};

// An MHD_AccessHandlerCallback, MHD_RequestCompletedCallback, MHD_NotifyConnectionCallback and that of MHD_OPTION_URI_LOG_CALLBACK. arg
// is the struct exchanges.
enum MHD_Result exchange_handle(void *arg, struct MHD_Connection *, const char *url, const char *method, const char *version,
				const char *data, size_t *n_data, void **state);
void exchange_complete(void *arg, struct MHD_Connection *, void **state, enum MHD_RequestTerminationCode);
void exchange_connection(void *arg, struct MHD_Connection *, void **context, enum MHD_ConnectionNotificationCode);
void *exchange_uri(void *arg, const char *uri, struct MHD_Connection *);
