#include "server/observe/observer.h"

#include <unistd.h>

int observer_open(enum access_log_form form, struct observer *observer, struct err *e)
{
	struct observer o = { metrics_new(), NULL };
	if (!o.metrics)
		return err_set(e, "no memory for metrics");
	if (form != ACCESS_LOG_OFF && access_log_open(form, STDOUT_FILENO, &o.access_log, e)) {
		observer_close(&o);
		return -1;
	}
	*observer = o;
	return 0;
}

void observer_close_log(struct observer *o)
{
	access_log_close(o->access_log);
	o->access_log = NULL;
}

void observer_close(struct observer *o)
{
	observer_close_log(o);
	metrics_free(o->metrics);
}

void observer_connection(const struct observer *o, bool opened)
{
	metrics_connection(o->metrics, opened);
}

void observer_begin(const struct observer *o, const struct route_request *request, const char *method, const char *path,
		    struct request_record *record)
{
	request_record_begin(record, request, method, path, o->access_log != NULL);
}

void observer_answer(const struct observer *o, const struct route *route, const struct route_response *response,
		     struct request_record *record)
{
	request_record_answer(record, response);
	metrics_request(o->metrics, route, record->status, record->took_ns, &record->account);
}

void observer_end(const struct observer *o, const struct request_record *record, const struct sockaddr *client)
{
	if (!record->status)
		metrics_unanswered(o->metrics);
	if (o->access_log)
		access_log_write(o->access_log, record, client);
}
