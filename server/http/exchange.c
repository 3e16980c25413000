// An exchange is one request: its head (begin), its body (receive), and its end (end), which starts the route. A route fills the
// response at once or returns a call.
//
// For a call that another thread computes, the connection is suspended BEFORE the call is submitted, since done() may run at once.
// done() resumes the connection; then libmicrohttpd calls exchange_handle again, which queues the response.
//
// A call that this thread computes is gathered (gather.h). libmicrohttpd calls exchange_handle again in the next turn of its event loop,
// without waiting, and after it has read the other requests that have arrived (MHD_AccessHandlerCallback).
//
// libmicrohttpd 0.9.75 cannot answer in the middle of an upload. If the answer comes before the upload, it closes the connection, which
// a sending client sees as a reset. So the body of a refused request is read and dropped, up to DISCARD_FACTOR times the limit;
// read_head has the exceptions.
#include "server/http/exchange.h"

#include "server/http/body.h"
#include "server/http/client_key.h"
#include "server/http/gather.h"
#include "server/http/head.h"
#include "server/observe/observer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

// A header, parameter or cookie takes VALUE_MEMORY bytes of a connection's memory beside its text; a cookie also takes a copy of its
// text. ANSWER_HEAD is more than the head of any answer needs.
enum { DISCARD_FACTOR = 4, VALUE_MEMORY = 64, ANSWER_HEAD = 2 << 10 };

struct exchange {
	struct exchanges *all;
	struct MHD_Connection *connection;
	struct client *client;
	const struct route *route; // NULL: there is none
	void *context; // of the route
	bool wants_body; // the route does; other bodies are dropped
	struct head head;
	size_t n_kept; // bytes of the connection's memory that the library uses beside the head itself
	struct route_parts parts;
	struct body body;
	struct route_call *call; // of the route; not NULL: submitted or gathered
	struct gather_entry gathered;
	bool watched; // by departures
	bool is_http_1_0;
	struct route_response response; // filled before the route starts if the request is refused
};

// A connection. Its exchanges come one after another, and most need no other memory.
struct client {
	struct timeouts_entry timeout;
	struct departures_entry departure; // while a call is submitted
	struct in_flight_connection in_flight;
	uint64_t key; // of its address (client_key.h)
	struct exchange exchange;
	struct request_record record; // of the exchange
	char authority[HEAD_MAX_AUTHORITY]; // of its URL
	bool has_nul; // the URL has a %00
	char body[BODY_SMALL];
};

static bool is_refused(const struct exchange *x)
{
	return x->response.status != 0;
}

static void refuse_too_large(struct exchange *x)
{
	route_reject(&x->response, 413, ROUTE_BODY_TOO_LARGE,
		     "the body has more than %d bytes; send a smaller picture, or fewer at once", x->all->options.limits->max_body);
}

static enum MHD_Result answer(struct exchange *x)
{
	struct route_response *r = &x->response;
	struct request_record *record = &x->client->record;
	char timing[REQUEST_RECORD_MAX_TIMING];
	observer_answer(x->all->options.observer, x->route, r, record);
	struct MHD_Response *out = MHD_create_response_from_buffer(r->n_body, (void *)(uintptr_t)r->body,
								   r->owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
	if (!out)
		return MHD_NO;
	r->owned = NULL;
	MHD_add_response_header(out, "Content-Type", r->content_type);
	MHD_add_response_header(out, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(out, "X-Request-Id", record->id);
	if (request_record_server_timing(&r->account, timing))
		MHD_add_response_header(out, "Server-Timing", timing);
	for (int i = 0; i < r->n_headers; i++)
		MHD_add_response_header(out, r->headers[i].name, r->headers[i].value);
	if (atomic_load(&x->all->closing) || x->client->in_flight.over_limit)
		MHD_add_response_header(out, "Connection", "close");
	timeouts_set(x->all->timeouts, &x->client->timeout, TIMEOUTS_BODY);
	enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)r->status, out);
	MHD_destroy_response(out);
	return result;
}

static const char *find_header(const void *arg, const char *name)
{
	const struct exchange *x = arg;
	if (x->head.is_absolute && strcasecmp(name, "Host") == 0)
		return x->head.host;
	return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result add_value(void *arg, enum MHD_ValueKind kind, const char *name, size_t n_name, const char *value,
				 size_t n_value)
{
	struct exchange *x = arg;
	x->n_kept += VALUE_MEMORY;
	if (kind == MHD_HEADER_KIND)
		head_add(&x->head, name, n_name, value);
	else if (kind == MHD_COOKIE_KIND)
		x->n_kept += n_name + n_value + 2;
	return MHD_YES;
}

// Whether the connection's memory has room for an answer's head beside the request's. Without it the library fails silently.
static bool has_room(const struct exchange *x)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	return !info || info->header_size + x->n_kept + ANSWER_HEAD <= EXCHANGE_MEMORY;
}

// Finds the route, or refuses the request by its head alone.
static void find_route(struct exchange *x, const char *method)
{
	const struct http_options *o = &x->all->options;
	const struct head *head = &x->head;
	const struct route_request request = { .find_header = find_header, .headers = x };
	if (!admission_check(&x->all->admission, method, head->path, &request, &x->response))
		return;
	x->route = route_find(o->tables, o->n_tables, method, head->path, &x->context, &x->parts, &x->response);
	if (!x->route)
		return;
	x->wants_body = strcmp(x->route->method, "POST") == 0;
	if (x->client->in_flight.over_limit && !admission_path_is_public(head->path)) {
		route_reject(&x->response, 503, ROUTE_NO_CONNECTION,
			     "the limit of %d connections is reached; try again in a second", o->limits->max_connections);
	} else if (head->n_body > (uint64_t)o->limits->max_body) {
		refuse_too_large(x);
	} else if (x->wants_body && head->content_encoding && strcasecmp(head->content_encoding, "identity") != 0) {
		route_answer_error(&x->response, 415, "the body's Content-Encoding is %.40s; send it without one",
				   head->content_encoding);
		route_header_add(&x->response, "Accept-Encoding", "identity"); // RFC 9110 section 12.5.3
	}
}

// Checks the head. An answer before the body closes the connection, so a refusal is sent here in three cases only: the end of the body
// is unknown, the body is too large to be read and dropped, or the client waits for a "100 Continue".
static enum MHD_Result read_head(struct exchange *x, const char *method, const char *url)
{
	const struct route_request request = { .find_header = find_header, .headers = x };
	struct err e;
	head_begin(&x->head, url, x->client->authority);
	x->head.has_nul = x->client->has_nul;
	MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND, add_value, x);
	observer_begin(x->all->options.observer, &request, method, x->head.path, &x->client->record);
	int status = head_check(&x->head, x->is_http_1_0, &e);
	if (status) {
		route_answer_error(&x->response, status, "%s", e.msg);
		return answer(x);
	}
	if (has_room(x))
		find_route(x, method);
	else
		route_answer_error(&x->response, 431, "the URL and the headers are too large; send fewer, or shorter cookies");
	// For these two methods alone libmicrohttpd does not read the body after the answer.
	bool has_body_after = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;
	bool waits = x->head.expect && strcasecmp(x->head.expect, "100-continue") == 0;
	bool is_endless = x->head.n_body > (uint64_t)x->all->options.limits->max_body * DISCARD_FACTOR;
	return is_refused(x) && has_body_after && (waits || is_endless) ? answer(x) : MHD_YES;
}

static struct client *client_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

static struct exchange *begin(struct exchanges *all, struct MHD_Connection *connection)
{
	struct client *client = client_of(connection);
	if (!client || !in_flight_begin_request(&all->in_flight, &client->in_flight))
		return NULL;
	client->exchange = (struct exchange){ .all = all, .connection = connection, .client = client };
	body_init(&client->exchange.body, client->body);
	timeouts_set(all->timeouts, &client->timeout, TIMEOUTS_BODY);
	return &client->exchange;
}

// Keeps a piece of the body if a route will read it, and counts it in any case.
static enum MHD_Result receive(struct exchange *x, const char *data, size_t n)
{
	uint64_t max = (uint64_t)x->all->options.limits->max_body;
	uint64_t n_in = x->client->record.n_in += n;
	if (!is_refused(x) && n_in > max)
		refuse_too_large(x);
	if (!is_refused(x) && x->wants_body &&
	    !body_append(&x->all->bodies, &x->body, data, n, (size_t)(x->head.n_body ? x->head.n_body : max)))
		route_reject(&x->response, 503, ROUTE_NO_BUFFER,
			     "no memory for the body: all bodies being received exceed the limit; try again in a second");
	if (!is_refused(x))
		return MHD_YES;
	body_free(&x->all->bodies, &x->body);
	return n_in <= max * DISCARD_FACTOR ? MHD_YES : MHD_NO;
}

static enum MHD_Result add_argument(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct route_request *request = arg;
	(void)kind;
	if (request->n_arguments == ROUTE_MAX_ARGUMENTS)
		return MHD_NO;
	request->arguments[request->n_arguments++] = (struct route_argument){ name, value ? value : "" };
	return MHD_YES;
}

// Watches whether the client disconnects, since libmicrohttpd does not watch suspended connections.
static void watch(struct exchange *x)
{
	struct departures_entry *departure = &x->client->departure;
	departure->fd = x->client->timeout.fd;
	departure->end = x->all->options.tls_cert ? DEPARTURES_END_GONE
			 : x->is_http_1_0         ? DEPARTURES_END_IGNORE
						  : DEPARTURES_END_PROBE;
	departures_add(x->all->departures, departure);
	x->watched = true;
}

static void unwatch(struct exchange *x)
{
	if (x->watched)
		departures_remove(x->all->departures, &x->client->departure);
	x->watched = false;
}

static void resume(void *arg)
{
	struct exchange *x = arg;
	MHD_resume_connection(x->connection);
}

// The request is complete: answers it, gathers its call, or suspends the connection and submits the call.
static enum MHD_Result end(struct exchange *x)
{
	if (!is_refused(x)) {
		struct route_request request = {
			.parts = x->parts,
			.find_header = find_header,
			.headers = x,
			.body = x->body.bytes,
			.n_body = x->body.n,
			.gone = &x->client->departure.gone,
			.client = x->client->key,
		};
		atomic_store(&x->client->departure.gone, false);
		x->body.bytes[x->body.n] = 0;
		int n = MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, add_argument, &request);
		if (n > ROUTE_MAX_ARGUMENTS)
			route_answer_error(&x->response, 400, "the URL has more than %d parameters", ROUTE_MAX_ARGUMENTS);
		else
			x->call = route_start(x->route, x->context, &request, &x->response);
		if (!x->call || !x->call->keeps_request)
			body_free(&x->all->bodies, &x->body);
	}
	if (!x->call)
		return answer(x);
	if (x->call->worker->compute) {
		gather_add(&x->gathered, x->call);
		return MHD_YES;
	}
	timeouts_set(x->all->timeouts, &x->client->timeout, TIMEOUTS_NONE);
	watch(x);
	MHD_suspend_connection(x->connection);
	x->call->worker->submit(x->call, resume, x); // from here on x may belong to another thread
	return MHD_YES;
}

enum MHD_Result exchange_handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
				const char *version, const char *data, size_t *n_data, void **state)
{
	struct exchange *x = *state;
	if (!x) {
		x = *state = begin(arg, connection);
		if (!x)
			return MHD_NO;
		x->is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
		return read_head(x, method, url);
	}
	if (*n_data) {
		size_t n = *n_data;
		*n_data = 0;
		return receive(x, data, n);
	}
	if (!x->call)
		return end(x);
	unwatch(x);
	if (x->gathered.waiting)
		gather_compute();
	body_free(&x->all->bodies, &x->body);
	x->route->finish(x->call, &x->response);
	return x->response.status == ROUTE_CLIENT_GONE ? MHD_NO : answer(x);
}

void exchange_complete(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
	struct exchanges *all = arg;
	struct exchange *x = *state;
	(void)code;
	if (!x)
		return;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	observer_end(all->options.observer, &x->client->record, info ? info->client_addr : NULL);
	unwatch(x);
	gather_remove(&x->gathered);
	if (x->call)
		x->route->discard(x->call);
	timeouts_set(all->timeouts, &x->client->timeout, TIMEOUTS_IDLE);
	body_free(&all->bodies, &x->body);
	free(x->response.owned);
	*state = NULL;
	in_flight_end_request(&all->in_flight);
}

void *exchange_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct exchanges *all = arg;
	struct client *client = client_of(connection);
	if (client) {
		client->has_nul = strstr(uri, "%00") != NULL; // later the library has decoded it to a string that ends there
		timeouts_set(all->timeouts, &client->timeout, TIMEOUTS_HEADERS);
	}
	return NULL;
}

void exchange_connection(void *arg, struct MHD_Connection *connection, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct exchanges *all = arg;
	struct client *client = *context;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		*context = client = malloc(sizeof *client);
		if (client) {
			const union MHD_ConnectionInfo *info =
				MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
			client->key = client_key(info ? info->client_addr : NULL);
			in_flight_begin_connection(&all->in_flight, &client->in_flight);
			timeouts_add(all->timeouts, &client->timeout, fd);
		} else {
			shutdown(fd, SHUT_RDWR); // no connection without a timeout
		}
		observer_connection(all->options.observer, true);
	} else {
		observer_connection(all->options.observer, false);
		if (client) {
			in_flight_end_connection(&all->in_flight, &client->in_flight);
			timeouts_remove(all->timeouts, &client->timeout);
		}
		free(client);
		*context = NULL;
	}
}
