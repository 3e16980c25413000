// Each chart is a gnuplot script that holds its data as blocks. If there are more runs than colours, dashes tell runs of one colour
// apart.
#include "models/chart.h"

#include "core/file.h"
#include "models/record.h"

#include <errno.h>
#include <math.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { MAX_PICTURE = 64 << 20, COLOURS = 7 };

extern char **environ;

// Colour-blind people can tell these apart (Okabe and Ito).
static const char *const colours[COLOURS] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000" };

// A script for gnuplot that holds its data. Write text into it by `quote` only, so that a file's name cannot become a command.
struct plot {
	FILE *script; // data blocks are "$name << END" … "END"
	const char *out;
};

static void quote(struct plot *g, const char *text)
{
	putc('\'', g->script);
	for (; *text; text++)
		fputs(*text == '\'' ? "''" : (const char[]){ (unsigned char)*text < 0x20 ? '?' : *text, '\0' }, g->script);
	putc('\'', g->script);
}

static void put_title(struct plot *g, const char *title)
{
	if (!title)
		return;
	fprintf(g->script, " title ");
	quote(g, title);
}

// Begins a script for a picture of that size in points; a PNG has two pixels a point.
static int begin(struct plot *g, const struct chart *c, int width, int height, struct err *e)
{
	const char *dot = strrchr(c->out, '.');
	bool svg = dot && strcmp(dot, ".svg") == 0;
	if (!svg && !(dot && strcmp(dot, ".png") == 0))
		return err_set(e, "%s: the name has to end in .svg or .png", c->out);
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
	*g = (struct plot){ script, c->out };
	if (c->title) {
		fprintf(script, "set");
		put_title(g, c->title);
		putc('\n', script);
	}
	return 0;
}

static int spawn(FILE *const streams[3], pid_t *pid, struct err *e)
{
	char *argv[] = { "gnuplot", NULL };
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);
	if (error)
		return err_set(e, "gnuplot: %s", strerror(error));
	for (int i = 0; i < 3 && !error; i++)
		error = posix_spawn_file_actions_adddup2(&actions, fileno(streams[i]), i);
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

// Runs gnuplot and writes the picture, whole or not at all. Script, picture and messages are temporary files without names: unlike
// pipes they cannot fill up. /proc/self/fd opens them again to read them from the beginning.
static int draw(struct plot *g, struct err *e)
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
	if (spawn((FILE *const[3]){ g->script, picture, messages }, &pid, e))
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

// Draws the picture if status is 0. Frees g in any case. Returns status, or -1 with gnuplot's message in e.
static int end(struct plot *g, int status, struct err *e)
{
	if (!status)
		status = draw(g, e);
	if (g->script)
		fclose(g->script);
	return status;
}

// Writes the style of run k's line.
static void line_style(struct plot *g, int k, int n)
{
	static const int dashes[] = { 1, 2, 4 };
	fprintf(g->script, " linecolor '%s' linewidth 2 dashtype %d", colours[k % COLOURS], n > COLOURS ? dashes[k / COLOURS] : 1);
}

static int loss_data(struct plot *g, const struct curve *c, int k, uint32_t smooth, struct err *e)
{
	struct curve_block *blocks = malloc((c->steps.n_rows + 1) * sizeof *blocks);
	if (!blocks)
		return err_set(e, "out of memory");
	int n = curves_smooth(&c->steps, 1, smooth, blocks);
	fprintf(g->script, "$mean%d << END\n", k);
	for (int i = 0; i < n; i++)
		fprintf(g->script, "%.9g %.9g\n", blocks[i].pictures / 1000, blocks[i].loss);
	fprintf(g->script, "END\n$step%d << END\n", k);
	for (size_t i = 0; i < c->steps.n_rows; i++) {
		const double *row = c->steps.cells + i * (size_t)c->steps.n_columns;
		if (row[RECORD_STEPS_EPOCH] == 1)
			fprintf(g->script, "%.9g %.9g\n", row[RECORD_STEPS_PICTURES] / 1000, row[RECORD_STEPS_LOSS]);
	}
	fprintf(g->script, "END\n");
	free(blocks);
	return n ? 0
		 : err_set(e, "%s: fewer than %u pictures of the first epoch are recorded; use a smaller --smooth", c->out, smooth);
}

int chart_loss(const struct chart *chart, const struct curve *curves, int n, uint32_t smooth, struct err *e)
{
	struct plot g = { 0 };
	int status = begin(&g, chart, n > 1 ? 900 : 760, 440, e);
	for (int k = 0; k < n && !status; k++)
		status = loss_data(&g, &curves[k], k, smooth, e);
	if (!status) {
		fprintf(g.script, "set xlabel 'training pictures seen, thousands'\nset xrange [0:*]\nset yrange [0:*]\n"
				  "set ylabel 'training loss'\n");
		if (n == 1)
			fprintf(g.script, "set key top right\n"
					  "plot $step0 with lines linecolor '#c0c0c0' linewidth 0.7 title 'each step', ");
		else
			fprintf(g.script, "set key outside right top reverse Left title 'mean of %u pictures'\nplot ", smooth);
		for (int k = 0; k < n; k++) {
			fprintf(g.script, "$mean%d with lines", k);
			line_style(&g, k, n);
			if (n == 1)
				fprintf(g.script, " title 'mean of %u pictures'", smooth);
			else
				put_title(&g, curves[k].label);
			fprintf(g.script, k + 1 < n ? ", " : "\n");
		}
	}
	return end(&g, status, e);
}

// One panel: the columns `dashed`, unless NULL, and `solid` of all runs against the epoch.
static void panel(struct plot *g, const struct curve *curves, int n, const char *dashed, const char *solid, bool key)
{
	fprintf(g->script, "set key %s\nplot ", key ? "bottom right" : "off");
	for (int k = 0; k < n; k++) {
		if (dashed)
			fprintf(g->script, "$run%d using 1:%s with lines linecolor '%s' linewidth 1.5 dashtype 3 notitle, ", k,
				dashed, colours[k % COLOURS]);
		fprintf(g->script, "$run%d using 1:%s with linespoints pointtype 7 pointsize 0.4", k, solid);
		line_style(g, k, n);
		put_title(g, curves[k].label);
		fprintf(g->script, k + 1 < n ? ", " : "\n");
	}
}

int chart_epochs(const struct chart *chart, const struct curve *curves, int n, struct err *e)
{
	struct plot g = { 0 };
	int status = begin(&g, &(struct chart){ .out = chart->out }, 980, 420, e); // the title is that of both panels, below
	const char *measured = n && curves[0].recipe.validation ? "validation" : "test";
	for (int k = 0; k < n && !status; k++) {
		fprintf(g.script, "$run%d << END\n", k);
		for (size_t i = 0; i < curves[k].epochs.n_rows; i++) {
			const double *row = curves[k].epochs.cells + i * (size_t)curves[k].epochs.n_columns;
			fprintf(g.script, "%.0f %.9g %.9g %.9g\n", row[RECORD_EPOCHS_EPOCH], row[RECORD_EPOCHS_TRAIN_LOSS],
				row[RECORD_EPOCHS_ACCURACY], row[RECORD_EPOCHS_LOSS]);
		}
		fprintf(g.script, "END\n");
		if (!curves[k].epochs.n_rows)
			status = err_set(e, "%s: no epoch is finished", curves[k].out);
	}
	if (!status) {
		fprintf(g.script, "set multiplot layout 1,2");
		put_title(&g, chart->title);
		// Logarithmic: late losses differ by a hundredth of what the first ones do.
		fprintf(g.script,
			"\nset xlabel 'epoch'\nset xrange [0.5:*]\nset xtics 1 autofreq\nset logscale y\nset format y '%%g'\n"
			"set ylabel 'loss (dotted: training, solid: %s)'\n",
			measured);
		panel(&g, curves, n, "2", "4", false);
		fprintf(g.script,
			"set yrange [*:*] reverse\nset ylabel '%s accuracy, %% (finer towards 100)'\n"
			"set ytics ('0' 100, '50' 50, '80' 20, '90' 10, '95' 5, '98' 2, '99' 1, '99.5' 0.5, '99.8' 0.2, '99.9' "
			"0.1)\n"
			"wrong(right) = right > 0.9999 ? 0.01 : 100 - 100 * right\n",
			measured);
		panel(&g, curves, n, NULL, "(wrong($3))", n > 1);
	}
	return end(&g, status, e);
}

int chart_confusion(const struct chart *chart, const uint32_t counts[LENET5_DIGITS][LENET5_DIGITS], struct err *e)
{
	struct plot g = { 0 };
	int status = begin(&g, chart, 560, 500, e);
	if (!status) {
		fprintf(g.script, "$counts << END\n");
		for (int label = 0; label < LENET5_DIGITS; label++)
			for (int answer = 0; answer < LENET5_DIGITS; answer++)
				fprintf(g.script, "%d %d %u\n", answer, label, counts[label][answer]);
		fprintf(g.script,
			"END\nset border 15\nunset grid\nset size ratio -1\nset tics scale 0\nset xtics 1\nset ytics 1\n"
			"set xrange [-0.5:9.5]\nset yrange [9.5:-0.5]\nset xlabel 'answer'\nset ylabel 'label'\n"
			"set palette defined (0 '#ffffff', 1 '#e69f00')\nset cbrange [0:*]\nset cblabel 'mistakes'\nset key off\n");
		for (int i = 0; i < LENET5_DIGITS; i++)
			fprintf(g.script,
				"set object rectangle center %d,%d size 1,1 fillcolor '#dcebf5' fillstyle solid noborder\n", i, i);
		fprintf(g.script, "plot $counts using 1:2:($1 == $2 ? NaN : $3) with image pixels, "
				  "$counts using 1:2:($3 > 0 ? sprintf('%%d', $3) : '') with labels\n");
	}
	return end(&g, status, e);
}

int chart_kernels(const struct chart *chart, const float *weights, struct err *e)
{
	enum { MAPS = 6, SIDE = 5 };
	struct plot g = { 0 };
	int status = begin(&g, chart, 880, 210, e);
	float most = 0;
	for (int i = 0; i < MAPS * SIDE * SIDE; i++)
		most = fmaxf(most, fabsf(weights[i]));
	if (!status) {
		for (int map = 0; map < MAPS; map++) {
			fprintf(g.script, "$map%d << END\n", map);
			for (int i = 0; i < SIDE * SIDE; i++)
				fprintf(g.script, "%d %d %.9g\n", map * (SIDE + 1) + i % SIDE, i / SIDE,
					(double)weights[map * SIDE * SIDE + i]);
			fprintf(g.script,
				"END\nset label '%d' at %d,-1.2 center\n"
				"set object rectangle center %d,2 size 5,5 front fillstyle empty border linecolor '#808080'\n",
				map, map * (SIDE + 1) + SIDE / 2, map * (SIDE + 1) + SIDE / 2);
		}
		fprintf(g.script,
			"unset border\nunset tics\nunset grid\nset key off\nset size ratio -1\nset cbtics textcolor '#000000'\n"
			"set xrange [-0.5:%d-0.5]\nset yrange [4.5:-1.8]\nset cbrange [%.9g:%.9g]\nset cblabel 'weight'\n"
			"set palette defined (-1 '#0072b2', 0 '#ffffff', 1 '#d55e00')\nplot ",
			MAPS * (SIDE + 1) - 1, -(double)most, (double)most);
		for (int map = 0; map < MAPS; map++)
			fprintf(g.script, "$map%d using 1:2:3 with image pixels%s", map, map + 1 < MAPS ? ", " : "\n");
	}
	return end(&g, status, e);
}
