// Inference with the network as published, for one instruction set (isa_1998.h). It keeps every layer's output on its way, so a
// look inside is the same pass and a copy.
#include "kernels/cpu/isa_1998.h"
#include "kernels/cpu/isa_winograd.h"

#include <string.h>

static void forward_maps(const struct isa_network *n, const float *ink, struct isa_1998_maps *maps, struct isa_row *row)
{
	struct isa_points points;
	lay_out_input(n, ink, maps->input);
	input_points(maps->input, &points);
	c1_pixels(n, &points, maps->pixels.c1);
	forward_s2(n->params, maps);
	s2_points(maps->s2, &points);
	sum_c3(n->winograd, &points);
	c3_pixels(n, &points, maps->pixels.c3);
	forward_s4(n->params, maps);
	memcpy(row->s4, maps->s4, sizeof row->s4);
}

static void forward_rows(const struct isa_network *n, struct isa_row *rows, int pictures)
{
#define CALL(count) forward_hidden(n, count, ROW_STRIDE, rows[0].s4, rows[0].c5, rows[0].f6)
	FOR_PICTURES(pictures, CALL)
#undef CALL
	for (int p = 0; p < pictures; p++)
		forward_rbf(n->params, rows[p].f6, rows[p].scores);
}

void ISA_NAME(isa_1998_forward)(const struct isa_network *n, const float *ink, int pictures, float *scores)
{
	struct isa_1998_maps maps;
	struct isa_row rows[GROUP];
	for (int p = 0; p < pictures; p++)
		forward_maps(n, ink + p * LENET5_PIXELS, &maps, &rows[p]);
	forward_rows(n, rows, pictures);
	for (int p = 0; p < pictures; p++)
		memcpy(scores + p * LENET5_DIGITS, rows[p].scores, LENET5_DIGITS * sizeof *scores);
}

void ISA_NAME(isa_1998_trace)(const struct isa_network *n, const float *ink, struct engine_trace *t)
{
	struct isa_1998_maps maps;
	struct isa_row row;
	forward_maps(n, ink, &maps, &row);
	forward_rows(n, &row, 1);
	write_trace(maps.input, &maps.pixels, maps.s2, &row, t);
}
