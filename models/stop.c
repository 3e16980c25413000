// A signal handler can reach global state only.
#include "models/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught;

static void catch (int number)
{
	if (caught) {
		signal(number, SIG_DFL);
		raise(number);
	}
	caught = number;
}

void stop_catch(void)
{
	struct sigaction action = { .sa_handler = catch, .sa_flags = SA_RESTART };
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int stop_signal(void)
{
	return caught;
}
