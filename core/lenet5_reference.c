// Sections and equations are those of the paper that core/lenet5.h names. A kind of layer is a function: convolve, pool,
// full, distances. It computes y from the layer's input x, weights w and biases b; the activation follows. The function
// after it goes backward: dx is the derivative of the loss by x, and so on; by the chain rule, dx, dw and db follow from dy.
// They are added up, because many units see one input, a filter is used at many places, and a batch has many pictures.
#include "core/lenet5_reference.h"

#include <math.h>
#include <string.h>

static int count(enum lenet5_layer layer)
{
	return lenet5_shapes[layer].maps * lenet5_shapes[layer].height * lenet5_shapes[layer].width;
}

double *lenet5_reference_layer(struct lenet5_reference_units *u, enum lenet5_layer layer)
{
	double *const layers[LENET5_N_LAYERS] = { u->input, u->c1, u->s2, u->c3, u->s4, u->c5, u->f6, u->output };
	return layers[layer];
}

// The maps below that each map of C1 or C3 sees: bit i of links[m] is set where map m sees map i. C1's see the input.
static const uint8_t *links_of(const struct lenet5 *net, enum lenet5_layer layer)
{
	static const uint8_t c1_links[6] = { 1, 1, 1, 1, 1, 1 };
	return layer == LENET5_C1 ? c1_links : net->c3_links;
}

// §II.B, C1 and C3: y[m][r][c] = b[m] + Σ_i Σ_j Σ_k w[m][i][j][k]·x[i][r + j][c + k], over the maps i that map m sees.
// In the paper's network, C3's maps (across) see S2's (down) by its table I:
//      0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
//   0  X  .  .  .  X  X  X  .  .  X  X  X  X  .  X  X
//   1  X  X  .  .  .  X  X  X  .  .  X  X  X  X  .  X
//   2  X  X  X  .  .  .  X  X  X  .  .  X  .  X  X  X
//   3  .  X  X  X  .  .  X  X  X  X  .  .  X  .  X  X
//   4  .  .  X  X  X  .  .  X  X  X  X  .  X  X  .  X
//   5  .  .  .  X  X  X  .  .  X  X  X  X  .  X  X  X
static void convolve(int n_in, int n_out, int side, const uint8_t *links, const double x[n_in][side + 4][side + 4],
		     const double w[n_out][n_in][5][5], const double *b, double y[n_out][side][side])
{
	for (int m = 0; m < n_out; m++)
		for (int r = 0; r < side; r++)
			for (int c = 0; c < side; c++) {
				y[m][r][c] = b[m];
				for (int i = 0; i < n_in; i++)
					if (links[m] >> i & 1)
						for (int j = 0; j < 5; j++)
							for (int k = 0; k < 5; k++)
								y[m][r][c] += w[m][i][j][k] * x[i][r + j][c + k];
			}
}

static void convolve_backward(int n_in, int n_out, int side, const uint8_t *links, const double x[n_in][side + 4][side + 4],
			      const double w[n_out][n_in][5][5], const double dy[n_out][side][side],
			      double dx[n_in][side + 4][side + 4], double dw[n_out][n_in][5][5], double *db)
{
	for (int m = 0; m < n_out; m++)
		for (int r = 0; r < side; r++)
			for (int c = 0; c < side; c++) {
				db[m] += dy[m][r][c];
				for (int i = 0; i < n_in; i++)
					if (links[m] >> i & 1)
						for (int j = 0; j < 5; j++)
							for (int k = 0; k < 5; k++) {
								dw[m][i][j][k] += dy[m][r][c] * x[i][r + j][c + k];
								dx[i][r + j][c + k] += dy[m][r][c] * w[m][i][j][k];
							}
			}
}

// §II.B, S2 and S4: y[m][r][c] = w[m]·(the sum of a 2×2 window of x[m]) + b[m]; with max-pooling, its largest value.
static void pool(enum lenet5_pooling pooling, int maps, int side, const double x[maps][2 * side][2 * side], const double *w,
		 const double *b, double pooled[maps][side][side], double y[maps][side][side])
{
	for (int m = 0; m < maps; m++)
		for (int r = 0; r < side; r++)
			for (int c = 0; c < side; c++) {
				const double *up = &x[m][2 * r][2 * c], *low = &x[m][2 * r + 1][2 * c];
				if (pooling == LENET5_SUBSAMPLING) {
					pooled[m][r][c] = up[0] + up[1] + low[0] + low[1];
					y[m][r][c] = w[m] * pooled[m][r][c] + b[m];
				} else {
					pooled[m][r][c] = fmax(fmax(up[0], up[1]), fmax(low[0], low[1]));
					y[m][r][c] = pooled[m][r][c];
				}
			}
}

// The derivative by a window's sum is that by each of its four pixels; the one by its largest value goes to the first
// pixel that has it, and the others have 0.
static void pool_backward(enum lenet5_pooling pooling, int maps, int side, const double x[maps][2 * side][2 * side],
			  const double *w, const double pooled[maps][side][side], const double dy[maps][side][side],
			  double dx[maps][2 * side][2 * side], double *dw, double *db)
{
	for (int m = 0; m < maps; m++)
		for (int r = 0; r < side; r++)
			for (int c = 0; c < side; c++) {
				if (pooling == LENET5_SUBSAMPLING) {
					dw[m] += dy[m][r][c] * pooled[m][r][c];
					db[m] += dy[m][r][c];
				}
				for (int i = 0; i < 4; i++) {
					int row = 2 * r + i / 2, column = 2 * c + i % 2;
					if (pooling == LENET5_SUBSAMPLING) {
						dx[m][row][column] += dy[m][r][c] * w[m];
					} else if (x[m][row][column] == pooled[m][r][c]) {
						dx[m][row][column] += dy[m][r][c];
						break;
					}
				}
			}
}

// §II.B, C5, F6 and an output layer of logits: y[u] = b[u] + Σ_i w[u][i]·x[i].
static void full(int n_in, int n_out, const double *x, const double w[n_out][n_in], const double *b, double *y)
{
	for (int u = 0; u < n_out; u++) {
		y[u] = b[u];
		for (int i = 0; i < n_in; i++)
			y[u] += w[u][i] * x[i];
	}
}

static void full_backward(int n_in, int n_out, const double *x, const double w[n_out][n_in], const double *dy, double *dx,
			  double dw[n_out][n_in], double *db)
{
	for (int u = 0; u < n_out; u++) {
		db[u] += dy[u];
		for (int i = 0; i < n_in; i++) {
			dw[u][i] += dy[u] * x[i];
			dx[i] += dy[u] * w[u][i];
		}
	}
}

// §II.B, eq. 7, an output layer of penalties: y[u] = Σ_i (x[i] − w[u][i])². The centres w are not trained.
static void distances(const double x[84], const double w[10][84], double y[10])
{
	for (int u = 0; u < 10; u++) {
		y[u] = 0;
		for (int i = 0; i < 84; i++)
			y[u] += (x[i] - w[u][i]) * (x[i] - w[u][i]);
	}
}

static void distances_backward(const double x[84], const double w[10][84], const double dy[10], double dx[84])
{
	for (int u = 0; u < 10; u++)
		for (int i = 0; i < 84; i++)
			dx[i] += dy[u] * 2 * (x[i] - w[u][i]);
}

// Eq. 6 and appendix A: the squashing function f(a) = A·tanh(S·a), A = 1.7159, S = 2/3, and those that other networks
// have in its place. *slope: f'(a).
static double activate(enum lenet5_activation f, double a, double *slope)
{
	double y = a;
	*slope = 1;
	switch (f) {
	case LENET5_IDENTITY:
		break;
	case LENET5_SIGMOID:
		y = 1 / (1 + exp(-a));
		*slope = y * (1 - y);
		break;
	case LENET5_RELU:
		y = fmax(0, a);
		*slope = a > 0;
		break;
	case LENET5_TANH:
		y = tanh(a);
		*slope = 1 - y * y;
		break;
	case LENET5_SQUASH:
		y = 1.7159 * tanh(2.0 / 3 * a);
		*slope = 2.0 / 3 * (1.7159 - y * y / 1.7159);
	}
	return y;
}

// §II.B: the picture lies in a frame of two pixels of background, and is scaled to a mean near 0 and a variance near 1.
void lenet5_reference_input(double mean, double std, const float *ink, struct lenet5_reference_pass *pass)
{
	for (int r = 0; r < 32; r++)
		for (int c = 0; c < 32; c++) {
			bool in_frame = r < 2 || r >= 30 || c < 2 || c >= 30;
			pass->y.input[r * 32 + c] = ((in_frame ? 0 : (double)ink[(r - 2) * 28 + c - 2]) - mean) / std;
		}
}

void lenet5_reference_forward_layer(const struct lenet5 *net, const double *params, enum lenet5_layer layer,
				    struct lenet5_reference_pass *pass)
{
	const struct lenet5_shape *in = &lenet5_shapes[layer - 1], *out = &lenet5_shapes[layer];
	const size_t weight = lenet5_offset(net, lenet5_weight(layer)), bias = lenet5_offset(net, lenet5_bias(layer));
	const void *w = params + weight, *b = params + bias;
	void *x = lenet5_reference_layer(&pass->y, layer - 1), *a = lenet5_reference_layer(&pass->y, layer);
	double *y = a, *slope = lenet5_reference_layer(&pass->slope, layer);
	if (layer == LENET5_C1 || layer == LENET5_C3)
		convolve(in->maps, out->maps, out->width, links_of(net, layer), x, w, b, a);
	else if (layer == LENET5_S2)
		pool(net->pooling, out->maps, out->width, x, w, b, (void *)pass->s2_pooled, a);
	else if (layer == LENET5_S4)
		pool(net->pooling, out->maps, out->width, x, w, b, (void *)pass->s4_pooled, a);
	else if (layer == LENET5_OUTPUT && net->output == LENET5_PENALTIES)
		distances(x, w, a);
	else
		full(count(layer - 1), count(layer), x, w, b, a);
	for (int i = 0; i < count(layer); i++)
		y[i] = activate(net->activation[layer], y[i], &slope[i]);
}

void lenet5_reference_forward(const struct lenet5 *net, const double *params, struct lenet5_reference_pass *pass)
{
	for (enum lenet5_layer layer = LENET5_C1; layer <= LENET5_OUTPUT; layer++)
		lenet5_reference_forward_layer(net, params, layer, pass);
}

static void backward_layer(const struct lenet5 *net, const double *params, enum lenet5_layer layer,
			   struct lenet5_reference_pass *pass, struct lenet5_reference_units *d, double *gradient)
{
	const struct lenet5_shape *in = &lenet5_shapes[layer - 1], *out = &lenet5_shapes[layer];
	const size_t weight = lenet5_offset(net, lenet5_weight(layer)), bias = lenet5_offset(net, lenet5_bias(layer));
	const void *w = params + weight, *x = lenet5_reference_layer(&pass->y, layer - 1);
	void *dw = gradient + weight, *db = gradient + bias;
	void *dx = lenet5_reference_layer(d, layer - 1), *dy = lenet5_reference_layer(d, layer);
	if (layer == LENET5_C1 || layer == LENET5_C3)
		convolve_backward(in->maps, out->maps, out->width, links_of(net, layer), x, w, dy, dx, dw, db);
	else if (layer == LENET5_S2)
		pool_backward(net->pooling, out->maps, out->width, x, w, (void *)pass->s2_pooled, dy, dx, dw, db);
	else if (layer == LENET5_S4)
		pool_backward(net->pooling, out->maps, out->width, x, w, (void *)pass->s4_pooled, dy, dx, dw, db);
	else if (layer == LENET5_OUTPUT && net->output == LENET5_PENALTIES)
		distances_backward(x, w, dy, dx);
	else
		full_backward(count(layer - 1), count(layer), x, w, dy, dx, dw, db);
}

void lenet5_reference_backward(enum lenet5_layer top, const struct lenet5 *net, const double *params,
			       struct lenet5_reference_pass *pass, struct lenet5_reference_units *d, double *gradient)
{
	for (enum lenet5_layer layer = top; layer >= LENET5_C1; layer--) {
		double *dy = lenet5_reference_layer(d, layer), *slope = lenet5_reference_layer(&pass->slope, layer);
		for (int i = 0; i < count(layer); i++)
			dy[i] *= slope[i];
		memset(lenet5_reference_layer(d, layer - 1), 0, (size_t)count(layer - 1) * sizeof(double));
		backward_layer(net, params, layer, pass, d, gradient);
	}
}

// log Σ_i e^v[i], and in p its derivatives, the softmax e^v[i] / Σ_k e^v[k]. The largest v is taken out lest e^v overflow.
static double log_sum_exp(int n, const double *v, double *p)
{
	double top = v[0], sum = 0;
	for (int i = 1; i < n; i++)
		top = fmax(top, v[i]);
	for (int i = 0; i < n; i++)
		sum += p[i] = exp(v[i] - top);
	for (int i = 0; i < n; i++)
		p[i] /= sum;
	return top + log(sum);
}

// §II.C, for penalties y and a picture of the digit D: y_D (eq. 8), or y_D + log(e^−j + Σ_i e^−y_i) (eq. 9). For logits z,
// the cross-entropy log Σ_i e^z_i − Σ_i t_i·z_i, whose target t is 1 for D and 0 for others; smoothed by s, (1−s)·t + s/10; s = 1 for a picture
// that shows no digit.
double lenet5_reference_loss(const struct engine_training *training, const double *scores, int digit, double *dscores)
{
	double v[11], p[11], loss = digit < LENET5_DIGITS ? scores[digit] : 0;
	for (int i = 0; i < 10; i++)
		dscores[i] = i == digit;
	if (training->loss == ENGINE_MAP) {
		for (int i = 0; i < 10; i++)
			v[i] = -scores[i];
		v[10] = -(double)training->j;
		loss += log_sum_exp(11, v, p);
		for (int i = 0; i < 10; i++)
			dscores[i] -= p[i];
	} else if (training->loss == ENGINE_CROSS_ENTROPY) {
		const double s = digit == LENET5_NO_DIGIT ? 1 : training->label_smoothing;
		loss = log_sum_exp(10, scores, p);
		for (int i = 0; i < 10; i++) {
			double t = s / 10 + (i == digit ? 1 - s : 0);
			loss -= t * scores[i];
			dscores[i] = p[i] - t;
		}
	}
	return loss;
}

// v ← momentum_rate·v + weight_decay·p + the mean gradient; p ← p − rate·v.
double lenet5_reference_step(const struct engine_training *training, const uint8_t *pixels, const uint8_t *labels,
			     const uint32_t *order, int n, double rate, double *params, double *momentum)
{
	const struct lenet5 *net = training->start.net;
	// the centres are the last tensor, and stay as they are
	const size_t n_trained = net->output == LENET5_PENALTIES ? lenet5_offset(net, LENET5_OUTPUT_WEIGHT) : net->n_params;
	double loss = 0;
	for (size_t k = 0; k < n_trained; k++)
		momentum[k] = training->momentum_rate * momentum[k] + training->weight_decay * params[k];
	for (int i = 0; i < n; i++) {
		struct lenet5_reference_pass pass;
		struct lenet5_reference_units d;
		float ink[LENET5_PIXELS];
		engine_ink_from_pixels(pixels + (size_t)order[i] * LENET5_PIXELS, LENET5_PIXELS, ink);
		lenet5_reference_input(training->start.mean, training->start.std, ink, &pass);
		lenet5_reference_forward(net, params, &pass);
		loss += lenet5_reference_loss(training, pass.y.output, labels[order[i]], d.output) / n;
		for (int u = 0; u < 10; u++)
			d.output[u] /= n;
		lenet5_reference_backward(LENET5_OUTPUT, net, params, &pass, &d, momentum);
	}
	for (size_t k = 0; k < n_trained; k++)
		params[k] -= rate * momentum[k];
	return loss;
}
