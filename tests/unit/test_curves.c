// What is read back of a training's files, and the figures made of them.
#include "models/curves.h"
#include "models/sweep_table.h"

#include "core/file.h"
#include "tests/unit/scratch.h"
#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

TEST(summary_of_numbers)
{
	struct summary s = summary_of((double[]){ 4, 1, 3, 2, 10 }, 5);
	CHECK(s.n == 5 && s.median == 3 && s.mean == 4 && s.low == 1 && s.high == 10);
	CHECK_MSG(fabs(s.deviation - sqrt(50.0 / 4)) < 1e-12, "deviation %g", s.deviation);
	s = summary_of((double[]){ 4, 1, 3, 2 }, 4);
	CHECK(s.median == 2.5);
	s = summary_of((double[]){ 7 }, 1);
	CHECK(s.n == 1 && s.median == 7 && s.deviation == 0 && s.low == 7 && s.high == 7);
	s = summary_of(NULL, 0);
	CHECK(s.n == 0 && s.median == 0);
}

static bool reads(struct scratch *s, const char *text, const char *head, const char *says, struct csv *csv)
{
	struct err e = { "" };
	const char *path = scratch_path(s, "a.csv");
	if (file_write(path, text, strlen(text), &e) || csv_read(path, head, csv, &e)) {
		CHECK_MSG(says && strstr(e.msg, says), "%s: %s", text, e.msg);
		return false;
	}
	CHECK_MSG(!says, "%s was read", text);
	return true;
}

TEST(csv_read_numbers)
{
	struct scratch s = scratch_new();
	struct csv csv;
	if (reads(&s, "epoch,test_loss\n1,0.5\n2,-1e-3\n3,0.2", "epoch,*_loss", NULL, &csv)) {
		CHECK(csv.n_columns == 2 && csv.n_rows == 2); // the third is still being written
		CHECK(csv.cells[0] == 1 && csv.cells[1] == 0.5 && csv.cells[3] == -1e-3);
		csv_free(&csv);
	}
	if (reads(&s, "a\n", "a", NULL, &csv)) {
		CHECK(csv.n_rows == 0);
		csv_free(&csv);
	}
	CHECK(!reads(&s, "", "a,b", "want a first line a,b", &csv));
	CHECK(!reads(&s, "a,c\n1,2\n", "a,b", "want a first line a,b", &csv));
	CHECK(!reads(&s, "a,b\n1,2\n1\n", "a,b", "line 3: want 2 numbers", &csv));
	CHECK(!reads(&s, "a,b\n1,2,3\n", "a,b", "line 2: want 2 numbers", &csv));
	CHECK(!reads(&s, "a,b\n1,x\n", "a,b", "line 2: want 2 numbers", &csv));
	scratch_free(&s);
}

TEST(csv_grows)
{
	struct scratch s = scratch_new();
	struct csv csv;
	char text[4096] = "a\n";
	for (int i = 0; i < 1000; i++)
		strcat(text, i % 2 ? "1\n" : "0\n");
	if (reads(&s, text, "a", NULL, &csv)) {
		CHECK(csv.n_rows == 1000 && csv.cells[998] == 0 && csv.cells[999] == 1);
		csv_free(&csv);
	}
	scratch_free(&s);
}

TEST(curves_smooth_weighs_pictures)
{
	// step, epoch, pictures, rate, loss: an epoch of 100 pictures in steps of 40, whose last step is a smaller one
	double cells[] = { 1, 1, 40, 0, 2, 2, 1, 80, 0, 4, 3, 1, 100, 0, 10, 4, 2, 140, 0, 1, 5, 2, 180, 0, 3, 6, 2, 200, 0, 9 };
	const struct csv steps = { 5, 6, cells };
	struct curve_block b[6];
	CHECK(curves_smooth(&steps, 1, 40, b) == 2 && b[0].pictures == 20 && b[0].loss == 2 && b[1].pictures == 60 &&
	      b[1].loss == 4);
	CHECK(curves_smooth(&steps, 1, 41, b) == 1 && b[0].pictures == 40 && b[0].loss == 3);
	CHECK(curves_smooth(&steps, 1, 100, b) == 1 && fabs(b[0].loss - (2 * 40 + 4 * 40 + 10 * 20) / 100.0) < 1e-12);
	CHECK(curves_smooth(&steps, 1, 101, b) == 0);
	CHECK(curves_smooth(&steps, 2, 80, b) == 1 && b[0].pictures == 140 && b[0].loss == 2);
}
