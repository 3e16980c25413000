// exchange: what libmicrohttpd calls for connections and requests, which takes a request from its head to its answer. http.c's own.
// Any of the library's threads; a connection's calls come one after the other.
#pragma once

#include "server/http/body.h"
#include "server/http/in_flight.h"
#include "server/http/http.h"
#include "server/http/timeouts.h"
#include "server/http/departures.h"

#include <microhttpd.h>
#include <stdatomic.h>

// Of a connection, for headers and what of a body comes in at once. libmicrohttpd clears all of it after every request.
enum { EXCHANGE_MEMORY = 16 << 10 };

// What all share.
struct exchanges {
	struct http_options options;
	struct admission admission;
	struct timeouts *timeouts;
	struct departures *departures;
	struct body_budget bodies;
	struct in_flight in_flight;
	atomic_bool closing; // every connection, after its answer
};

// MHD_AccessHandlerCallback, MHD_RequestCompletedCallback, MHD_NotifyConnectionCallback and MHD_OPTION_URI_LOG_CALLBACK's; arg: struct
// exchanges.
enum MHD_Result exchange_handle(void *arg, struct MHD_Connection *, const char *url, const char *method, const char *version,
				const char *data, size_t *n_data, void **state);
void exchange_complete(void *arg, struct MHD_Connection *, void **state, enum MHD_RequestTerminationCode);
void exchange_connection(void *arg, struct MHD_Connection *, void **context, enum MHD_ConnectionNotificationCode);
void *exchange_line(void *arg, const char *uri, struct MHD_Connection *);
