// The script holds the data as blocks. If there are more runs than colours, dashes tell runs of one colour apart.
#include "models/chart.h"

#include "models/gnuplot.h"
#include "models/record.h"

#include <math.h>
#include <stdlib.h>

static int begin(struct gnuplot *g, const struct chart *c, int width, int height, struct err *e)
{
	if (gnuplot_begin(g, c->out, width, height, e))
		return -1;
	if (c->title) {
		fprintf(g->script, "set title ");
		gnuplot_quote(g, c->title);
		putc('\n', g->script);
	}
	return 0;
}

// Writes the style of run k's line.
static void line_style(struct gnuplot *g, int k, int n)
{
	static const int dashes[] = { 1, 2, 4 };
	fprintf(g->script, " linecolor '%s' linewidth 2 dashtype %d", gnuplot_colour(k),
		n > GNUPLOT_COLOURS ? dashes[k / GNUPLOT_COLOURS] : 1);
}

static int loss_data(struct gnuplot *g, const struct curve *c, int k, uint32_t smooth, struct err *e)
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
	struct gnuplot g = { 0 };
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
			fprintf(g.script, " title ");
			if (n == 1)
				fprintf(g.script, "'mean of %u pictures'", smooth);
			else
				gnuplot_quote(&g, curves[k].label);
			fprintf(g.script, k + 1 < n ? ", " : "\n");
		}
	}
	return gnuplot_end(&g, status, e);
}

// One panel: the columns `dashed`, unless NULL, and `solid` of all runs against the epoch.
static void panel(struct gnuplot *g, const struct curve *curves, int n, const char *dashed, const char *solid, bool key)
{
	fprintf(g->script, "set key %s\nplot ", key ? "bottom right" : "off");
	for (int k = 0; k < n; k++) {
		if (dashed)
			fprintf(g->script, "$run%d using 1:%s with lines linecolor '%s' linewidth 1.5 dashtype 3 notitle, ", k,
				dashed, gnuplot_colour(k));
		fprintf(g->script, "$run%d using 1:%s with linespoints pointtype 7 pointsize 0.4", k, solid);
		line_style(g, k, n);
		fprintf(g->script, " title ");
		gnuplot_quote(g, curves[k].label);
		fprintf(g->script, k + 1 < n ? ", " : "\n");
	}
}

int chart_epochs(const struct chart *chart, const struct curve *curves, int n, struct err *e)
{
	struct gnuplot g = { 0 };
	int status = gnuplot_begin(&g, chart->out, 980, 420, e);
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
		if (chart->title) {
			fprintf(g.script, " title ");
			gnuplot_quote(&g, chart->title);
		}
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
	return gnuplot_end(&g, status, e);
}

int chart_confusion(const struct chart *chart, const uint32_t counts[LENET5_DIGITS][LENET5_DIGITS], struct err *e)
{
	struct gnuplot g = { 0 };
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
	return gnuplot_end(&g, status, e);
}

int chart_kernels(const struct chart *chart, const float *weights, struct err *e)
{
	enum { MAPS = 6, SIDE = 5 };
	struct gnuplot g = { 0 };
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
	return gnuplot_end(&g, status, e);
}
