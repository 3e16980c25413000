// The progress of a program is measured ten times a second as the size of its folder. Its messages go into a file there, whose last
// line becomes the error if it fails.
#include "models/download.h"

#include "core/file.h"
#include "models/progress.h"
#include "models/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static uint64_t found_bytes; // global, since nftw passes no context to its callback

static int add_size(const char *path, const struct stat *s, int kind, struct FTW *ftw)
{
	(void)path, (void)ftw;
	if (kind == FTW_F)
		found_bytes += (uint64_t)s->st_size;
	return 0;
}

static uint64_t bytes_in(const char *dir)
{
	found_bytes = 0;
	nftw(dir, add_size, 8, FTW_PHYS);
	return found_bytes;
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *ftw)
{
	(void)s, (void)kind, (void)ftw;
	remove(path);
	return 0;
}

void download_remove(const char *dir)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int spawn(const struct download *d, const char *const argv[], const char *log, pid_t *pid, struct err *e)
{
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);
	if (error)
		return err_set(e, "%s: %s", argv[0], strerror(error));
	error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (!error)
		error = posix_spawn_file_actions_addchdir_np(&actions, d->dir);
	if (!error) // posix_spawnp does not write to argv; its prototype is older than const
		error = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		return err_set(e, "%s: %s", argv[0], error == ENOENT ? "not installed" : strerror(error));
	return 0;
}

int download_run(const struct download *d, const char *const argv[], struct err *e)
{
	char log[4096], line[300], tail[64];
	if (snprintf(log, sizeof log, "%s/messages", d->dir) >= (int)sizeof log)
		return err_set(e, "%s: too long a name", d->dir);
	pid_t pid, ended;
	int status = 0;
	uint64_t before = bytes_in(d->dir);
	if (spawn(d, argv, log, &pid, e))
		return -1;

	struct progress progress;
	progress_begin(&progress);
	bool told = false;
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
		if (stop_signal() && !told)
			told = kill(pid, SIGTERM) == 0;
		uint64_t now = bytes_in(d->dir), came = now > before ? now - before : 0;
		double done = d->bytes && came < d->bytes ? (double)came / (double)d->bytes : 1;
		snprintf(tail, sizeof tail, "%.1f of %.1f MB", (double)came / 1e6, (double)d->bytes / 1e6);
		progress_show(&progress, d->what, done, tail);
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
	progress_clear(&progress);
	if (stop_signal())
		return err_set(e, "stopped");
	if (ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	file_last_line(log, line, sizeof line);
	return err_set(e, "%s failed%s%s", argv[0], line[0] ? ": " : "", line);
}
