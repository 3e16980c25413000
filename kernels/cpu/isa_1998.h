// isa_1998: the forward pass of the network as published, shared by inference (isa_1998_forward.c) and training
// (isa_1998_train.c). Convolutions and full layers are those of isa_layers.h; here every pixel of C1 and C3 is kept, squashed,
// before a window's four are added up. Lanes of C1 and S2 are columns, those of C3 and S4 are maps, as there.
#pragma once

#include "kernels/cpu/isa_layers.h"

enum { C3_PIXELS = 100, S4_PIXELS = 25 };

// A picture's maps, after their activations. Lanes 14 and 15 of a row hold anything finite.
struct isa_1998_maps {
	float input[LENET5_PADDED * 32 + 16]; // as in struct isa_maps
	struct isa_pixels pixels;
	float s2[N_MAPS1][14][16];
	float s4[S4_PIXELS][N_MAPS3];
} __attribute__((aligned(64)));

ALWAYS_INLINE void squash_row(float *row, int n)
{
	VF_EACH(i, n)
		vf_store(&row[i], activate(LENET5_SQUASH, vf_load(&row[i])));
}

// The sums of the windows of which row y of S2 is made, from lane on; of S4's window `pixel`, from map on.
ALWAYS_INLINE vf add_c1(const float c1[28][2][16], int y, int lane)
{
	return (vf_load(&c1[2 * y][0][lane]) + vf_load(&c1[2 * y][1][lane])) +
	       (vf_load(&c1[2 * y + 1][0][lane]) + vf_load(&c1[2 * y + 1][1][lane]));
}

ALWAYS_INLINE int c3_corner(int pixel)
{
	return pixel / 5 * 20 + pixel % 5 * 2;
}

ALWAYS_INLINE vf add_c3(const float c3[C3_PIXELS][N_MAPS3], int pixel, int map)
{
	const float(*corner)[N_MAPS3] = c3 + c3_corner(pixel);
	return (vf_load(&corner[0][map]) + vf_load(&corner[1][map])) + (vf_load(&corner[10][map]) + vf_load(&corner[11][map]));
}

// C1's pixels, before they are squashed, to S2.
static inline void forward_s2(const struct isa_params *w, struct isa_1998_maps *maps)
{
	squash_row(maps->pixels.c1[0][0][0], N_MAPS1 * 28 * 32);
	for (int map = 0; map < N_MAPS1; map++)
		for (int y = 0; y < 14; y++)
			VF_EACH(lane, 16)
				vf_store(&maps->s2[map][y][lane], vf_fma(add_c1(maps->pixels.c1[map], y, lane),
									 vf_set1(w->s2_weight[map]), vf_set1(w->s2_bias[map])));
	squash_row(maps->s2[0][0], N_MAPS1 * 14 * 16);
}

// The same from C3 to S4.
static inline void forward_s4(const struct isa_params *w, struct isa_1998_maps *maps)
{
	squash_row(maps->pixels.c3[0], C3_PIXELS * N_MAPS3);
	for (int pixel = 0; pixel < S4_PIXELS; pixel++)
		VF_EACH(map, N_MAPS3)
			vf_store(&maps->s4[pixel][map], vf_fma(add_c3(maps->pixels.c3, pixel, map), vf_load(&w->s4_weight[map]),
							       vf_load(&w->s4_bias[map])));
	squash_row(maps->s4[0], S4_PIXELS * N_MAPS3);
}

// penalties (16) = Σ_j (f6[j] − centre[j])², lanes are digits; lanes from 10 on hold anything finite.
ALWAYS_INLINE void forward_rbf(const struct isa_params *w, const float *f6, float *penalties)
{
	VF_EACH(digit, SCORES_STRIDE) {
		vf sum = vf_set1(0.0f);
		for (int j = 0; j < N_F6; j++) {
			vf d = vf_set1(f6[j]) - vf_load(&w->output_weight[j][digit]);
			sum = vf_fma(d, d, sum);
		}
		vf_store(&penalties[digit], sum);
	}
}
