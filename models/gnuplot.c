// Script, picture and messages are files without names: gnuplot reads the first to its end and writes the others as it
// likes, and no pipe can fill up.
#include "models/gnuplot.h"

#include "core/file.h"

#include <errno.h>
#include <spawn.h>
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
	if (!dot || (strcmp(dot, ".svg") != 0 && strcmp(dot, ".png") != 0))
		return err_set(e, "%s: what kind of picture? End its name in .svg or .png", out);
	FILE *script = tmpfile();
	if (!script)
		return err_errno(e, "a temporary file");
	if (strcmp(dot, ".svg") == 0)
		fprintf(script, "set terminal svg size %d,%d noenhanced font 'sans-serif,13' background '#ffffff'\n", width,
			height);
	else
		fprintf(script, "set terminal pngcairo size %d,%d noenhanced font 'sans-serif,13' fontscale 1.5 linewidth 2\n",
			2 * width, 2 * height);
	// The frame is quiet, the data is not.
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
		return err_set(e, "gnuplot draws this and is not installed: docker/install-deps.sh lab installs it "
				  "(the package gnuplot-nox)");
	return error ? err_set(e, "gnuplot: %s", strerror(error)) : 0;
}

static int read_back(FILE *f, uint8_t **bytes, size_t *n, struct err *e)
{
	off_t size = lseek(fileno(f), 0, SEEK_END);
	if (size < 0 || size > MAX_PICTURE)
		return err_set(e, "gnuplot wrote %lld bytes, which no picture needs", (long long)size);
	*bytes = malloc((size_t)size + 1);
	if (!*bytes)
		return err_set(e, "out of memory");
	rewind(f);
	*n = fread(*bytes, 1, (size_t)size, f);
	(*bytes)[*n] = '\0';
	return 0;
}

// What it complained of: its messages are "line 12: undefined variable: x" behind the line itself and a caret.
static int complain(FILE *messages, struct err *e)
{
	char line[300], last[300] = "no reason given";
	rewind(messages);
	while (fgets(line, sizeof line, messages))
		if (line[strspn(line, " \t\r\n")])
			snprintf(last, sizeof last, "%.*s", (int)strcspn(line, "\n"), line);
	return err_set(e, "gnuplot failed: %s", last);
}

int gnuplot_end(struct gnuplot *g, struct err *e)
{
	int status = -1, how;
	pid_t pid;
	uint8_t *bytes = NULL;
	size_t n = 0;
	FILE *picture = tmpfile(), *messages = tmpfile();
	if (!picture || !messages || fflush(g->script) || ferror(g->script)) {
		err_errno(e, "a temporary file");
		goto out;
	}
	rewind(g->script);
	if (spawn((const FILE *const[3]){ g->script, picture, messages }, &pid, e))
		goto out;
	while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(how) || WEXITSTATUS(how) != 0) {
		complain(messages, e);
		goto out;
	}
	if (read_back(picture, &bytes, &n, e))
		goto out;
	status = n ? file_write(g->out, bytes, n, e) : complain(messages, e);
out:
	free(bytes);
	if (messages)
		fclose(messages);
	if (picture)
		fclose(picture);
	return status;
}

void gnuplot_fini(struct gnuplot *g)
{
	if (g->script)
		fclose(g->script);
	g->script = NULL;
}
