// Each child leads its own process group, so that Ctrl-C reaches this process only, which passes it on once: a second signal would
// end a training without saving. If this process dies, the kernel sends the children SIGTERM.
#include "models/children.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOT_STARTED = 127 };

// Runs in the child; returns only on failure. Executes the parent's own file, even if its path now names a newer build: all runs of a
// sweep use one program.
static void become(const char *const argv[], int log, pid_t parent, const sigset_t *mask)
{
	signal(SIGINT, SIG_DFL); // the parent's handlers would swallow a signal before the exec
	signal(SIGTERM, SIG_DFL);
	setpgid(0, 0);
	if (sigprocmask(SIG_SETMASK, mask, NULL) || prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != parent)
		return;
	int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (none < 0 || dup2(none, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
		return;
	execv("/proc/self/exe", (char *const *)(uintptr_t)argv); // execv does not write to argv; its prototype is older than const
}

int children_start(struct children *c, int id, const char *const argv[], const char *log, struct err *e)
{
	assert(c->n < CHILDREN_MAX);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0)
		return err_errno(e, "%s", log);
	sigset_t all, mask;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	pid_t parent = getpid(), pid = fork();
	int error = errno;
	if (pid == 0) {
		become(argv, fd, parent, &mask);
		_exit(NOT_STARTED);
	}
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(fd);
	errno = error;
	if (pid < 0)
		return err_errno(e, "starting %s", argv[0]);
	c->running[c->n++] = (struct child){ pid, id };
	return 0;
}

bool children_ended(struct children *c, int *id, int *status)
{
	for (int i = 0; i < c->n; i++) {
		int how;
		if (waitpid(c->running[i].pid, &how, WNOHANG) <= 0)
			continue;
		*id = c->running[i].id;
		*status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
		c->running[i] = c->running[--c->n];
		return true;
	}
	return false;
}

void children_signal(const struct children *c, int number)
{
	for (int i = 0; i < c->n; i++)
		kill(c->running[i].pid, number);
}
