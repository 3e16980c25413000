// Script, picture and messages are temporary files without names: unlike pipes they cannot fill up. /proc/self/fd opens them
// again to read them from the beginning.
#include "models/gnuplot.h"

#include "core/file.h"

#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PICTURE = 64 << 20 };

extern char **environ;

const char *gnuplot_colour(int i)
{
	static const char *const colours[GNUPLOT_COLOURS] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7",
							      "#e69f00", "#56b4e9", "#000000" };
	return colours[i % GNUPLOT_COLOURS];
}

int gnuplot_begin(struct gnuplot *g, const char *out, int width, int height, struct err *e)
{
	const char *dot = strrchr(out, '.');
	bool svg = dot && strcmp(dot, ".svg") == 0;
	if (!svg && !(dot && strcmp(dot, ".png") == 0))
		return err_set(e, "%s: the name has to end in .svg or .png", out);
	FILE *script = tmpfile();
	if (!script)
		return err_errno(e, "a temporary file");
	if (svg)
		fprintf(script, "set terminal svg size %d,%d noenhanced font 'sans-serif,13' background '#ffffff'\n", width,
			height);
	else
		fprintf(script, "set terminal pngcairo size %d,%d noenhanced font 'sans-serif,13' fontscale 1.5 linewidth 2\n",
			2 * width, 2 * height);
	fprintf(script, "set border 3 linecolor '#808080'\nset tics nomirror textcolor '#000000'\n"
			"set grid linetype 1 linecolor '#dddddd' linewidth 0.5\n");
	*g = (struct gnuplot){ script, out };
	return 0;
}

void gnuplot_quote(struct gnuplot *g, const char *text)
{
	putc('\'', g->script);
	for (; *text; text++)
		fputs(*text == '\'' ? "''" : (const char[]){ (unsigned char)*text < 0x20 ? '?' : *text, '\0' }, g->script);
	putc('\'', g->script);
}

static int spawn(const FILE *const streams[3], pid_t *pid, struct err *e)
{
	char *argv[] = { "gnuplot", NULL };
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);
	if (error)
		return err_set(e, "gnuplot: %s", strerror(error));
	for (int i = 0; i < 3 && !error; i++)
		error = posix_spawn_file_actions_adddup2(&actions, fileno((FILE *)(uintptr_t)streams[i]), i);
	if (!error)
		error = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error == ENOENT)
		return err_set(e, "gnuplot is not installed: install the package gnuplot-nox, or run docker/install-deps.sh lab");
	return error ? err_set(e, "gnuplot: %s", strerror(error)) : 0;
}

// Sets e to gnuplot's last message: "line 12: undefined variable: x", after the line itself and a caret.
static int complain(const char *messages, struct err *e)
{
	char last[300];
	file_last_line(messages, last, sizeof last);
	return err_set(e, "gnuplot failed: %s", last[0] ? last : "no reason given");
}

static int draw(struct gnuplot *g, struct err *e)
{
	int status = -1, how;
	pid_t pid;
	uint8_t *bytes = NULL;
	size_t n = 0;
	char picture_path[64], messages_path[64];
	FILE *picture = tmpfile(), *messages = tmpfile();
	if (!picture || !messages || fflush(g->script) || ferror(g->script)) {
		err_errno(e, "a temporary file");
		goto out;
	}
	snprintf(picture_path, sizeof picture_path, "/proc/self/fd/%d", fileno(picture));
	snprintf(messages_path, sizeof messages_path, "/proc/self/fd/%d", fileno(messages));
	rewind(g->script);
	if (spawn((const FILE *const[3]){ g->script, picture, messages }, &pid, e))
		goto out;
	while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(how) || WEXITSTATUS(how) != 0) {
		complain(messages_path, e);
		goto out;
	}
	if (file_read(picture_path, MAX_PICTURE, &bytes, &n, e))
		goto out;
	status = n ? file_write(g->out, bytes, n, e) : complain(messages_path, e);
out:
	free(bytes);
	if (messages)
		fclose(messages);
	if (picture)
		fclose(picture);
	return status;
}

int gnuplot_end(struct gnuplot *g, int status, struct err *e)
{
	if (!status)
		status = draw(g, e);
	if (g->script)
		fclose(g->script);
	return status;
}
