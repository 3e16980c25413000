// observer: passes the events of connections and requests on to the metrics and, if there is one, the access log. Any thread.
#pragma once

#include "server/observe/access_log.h"
#include "server/observe/metrics.h"
#include "server/observe/request_record.h"

struct observer {
	struct metrics *metrics;
	struct access_log *access_log; // or NULL
};

// The access log goes to standard output.
int observer_open(enum access_log_form form, struct observer *observer, struct err *e);
void observer_close_log(struct observer *observer); // after the last request's end
void observer_close(struct observer *observer); // all zeros is fine

void observer_connection(const struct observer *observer, bool opened); // or closed

// A request's head has arrived.
void observer_begin(const struct observer *observer, const struct route_request *request, const char *method, const char *path,
		    struct request_record *record);
// Its answer is ready. route: NULL if there was none.
void observer_answer(const struct observer *observer, const struct route *route, const struct route_response *response,
		     struct request_record *record);
// It has ended, with or without an answer. client: its address, or NULL if unknown.
void observer_end(const struct observer *observer, const struct request_record *record, const struct sockaddr *client);
