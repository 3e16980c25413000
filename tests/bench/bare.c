// What libmicrohttpd itself costs, the ceiling of lenetd in `make bench`: started as server/http.c starts it, it reads a POST into
// memory and answers a constant as long as lenetd's. No routes, limits or deadlines, no parsing.
// usage: bare epoll|poll THREADS, of which there are at least two, or it is no pool
#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BODY = 8192, CONNECTION_MEMORY = 16 << 10 }; // the latter as server/exchange.h

static const char constant[] =
	"{\"model\": \"relu\", \"predictions\": [{\"digit\": 7, \"confidence\": 0.999967754, \"probabilities\": [3.0642056e-07, "
	"3.0642056e-07, 3.0642056e-07, 3.0642056e-07, 3.0642056e-07, 3.0642056e-07, 3.0642056e-07, 0.999967754, 3.0642056e-07, "
	"3.0642056e-07]}]}\n";

struct body {
	size_t n;
	char bytes[MAX_BODY];
};

static enum MHD_Result answer(struct MHD_Connection *connection)
{
	struct MHD_Response *out =
		MHD_create_response_from_buffer(sizeof constant - 1, (void *)(size_t)constant, MHD_RESPMEM_PERSISTENT);
	if (!out)
		return MHD_NO;
	MHD_add_response_header(out, "Content-Type", "application/json");
	enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, out);
	MHD_destroy_response(out);
	return result;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *data, size_t *n_data, void **state)
{
	struct body *body = *state;
	(void)arg, (void)url, (void)method, (void)version;
	if (!body) {
		*state = body = malloc(sizeof *body);
		if (!body)
			return MHD_NO;
		body->n = 0;
		return MHD_YES;
	}
	if (!*n_data)
		return answer(connection);
	if (*n_data > MAX_BODY - body->n)
		return MHD_NO;
	memcpy(body->bytes + body->n, data, *n_data);
	body->n += *n_data;
	*n_data = 0;
	return MHD_YES;
}

static void complete(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
	(void)arg, (void)connection, (void)code;
	free(*state);
	*state = NULL;
}

int main(int argc, char **argv)
{
	int n_threads = argc == 3 ? atoi(argv[2]) : 0, caught;
	bool epoll = argc == 3 && strcmp(argv[1], "epoll") == 0;
	if (n_threads < 2 || (!epoll && strcmp(argv[1], "poll") != 0)) {
		fprintf(stderr, "usage: bare epoll|poll THREADS\n");
		return 2;
	}
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	unsigned mode = epoll ? MHD_USE_EPOLL_INTERNAL_THREAD : MHD_USE_POLL_INTERNAL_THREAD;
	struct MHD_Daemon *daemon = MHD_start_daemon(
		mode | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, NULL, MHD_OPTION_SOCK_ADDR, &address,
		MHD_OPTION_THREAD_POOL_SIZE, (unsigned)n_threads, MHD_OPTION_CONNECTION_LIMIT, 1024u, MHD_OPTION_STRICT_FOR_CLIENT,
		1, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_COMPLETED, complete, NULL,
		MHD_OPTION_END);
	if (!daemon) {
		fprintf(stderr, "bare: libmicrohttpd does not start with %s and %d threads\n", argv[1], n_threads);
		return 1;
	}
	fprintf(stderr, "listening on http://127.0.0.1:%d\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	sigwait(&ends, &caught);
	MHD_stop_daemon(daemon);
	return 0;
}
