// `learn` for the network as published: a block a picture, forward, loss and backward, in the manner of cuda_train.cu, whose
// `update` follows.
//
// Subsampling passes its gradient on to all four below, so that C3 and C1 have one everywhere. C3's activations are kept in the
// frame where their gradients then take their place. C1's would not fit beside them in the shared memory of every GPU: they
// are computed once more, a map at a time, on the way back.
#include "kernels/cuda/cuda_backward.cuh"

enum {
	ROW_PAIRS = 14, // a sum over a map of C1 has so many parts: two rows each
	C1_SUMS = N_TAPS + 1, // of a map of C1: 25 taps and the bias
};

struct learn_1998_memory {
	struct cuda_backward back;
	float dc1[28 * 28]; // of the map in hand
	float ds2_weight[196]; // its windows' parts of the gradient of S2's weight
	float c1_parts[ROW_PAIRS][C1_SUMS], s2_parts[ROW_PAIRS][2]; // weight, bias
};

// p_i = e^−y_i/(e^−j + Σ_k e^−y_k) of the paper's eq. 9. Returns the logarithm of the denominator.
static __device__ double posterior(const float (*y)[1], float j, float *p)
{
	float least = j, sum;
	for (int i = 0; i < N_SCORES; i++)
		least = fminf(least, y[i][0]);
	sum = expf(least - j);
	for (int i = 0; i < N_SCORES; i++)
		sum += p[i] = expf(least - y[i][0]);
	for (int i = 0; i < N_SCORES; i++)
		p[i] /= sum;
	return log((double)sum) - (double)least;
}

// The gradient by the penalties y, and the loss. n: pictures of the step.
static __device__ double penalty_loss(const struct cuda_training *t, const float (*y)[1], int label, uint32_t n, float *dy)
{
	float p[N_SCORES] = { 0.0f };
	double loss = (double)y[label][0];
	if (t->loss == ENGINE_MAP)
		loss += posterior(y, t->j, p);
	for (int i = 0; i < N_SCORES; i++)
		dy[i] = ((i == label ? 1.0f : 0.0f) - p[i]) / (float)n;
	return loss;
}

// Through the squared distances. turned: (10, 84).
static __device__ void penalties_back(struct cuda_backward *b, const float *centres)
{
	for (int unit = (int)threadIdx.x; unit < N_F6; unit += CUDA_THREADS) {
		float x = b->layers.f6[unit][0], sum = 0.0f;
		for (int i = 0; i < N_SCORES; i++)
			sum = fmaf(2.0f * b->dscores[i], x - centres[i * N_F6 + unit], sum);
		b->df6[unit] = derive(LENET5_SQUASH, x, sum);
	}
	__syncthreads();
}

static __device__ __forceinline__ float *c3_at(struct cuda_backward *b, int map, int y, int x)
{
	return &b->dc3[in_spread(map, y, x)];
}

// The gradients of S4, from C3's activations, of which b->dc3 is still full.
static __device__ void s4_gradient(struct cuda_backward *b, struct cuda_features *f)
{
	if (threadIdx.x >= 16)
		return;
	int map = (int)threadIdx.x;
	float weight = 0.0f, bias = 0.0f;
	for (int place = 0; place < 25; place++) {
		const float *c3 = c3_at(b, map, place / 5 * 2, place % 5 * 2);
		float d = b->ds4[map * 25 + place];
		weight = fmaf(d, (c3[0] + c3[1]) + (c3[SPREAD_STRIDE] + c3[SPREAD_STRIDE + 1]), weight);
		bias += d;
	}
	f->s4_weight[map] = weight;
	f->s4_bias[map] = bias;
}

// Through S4 and C3's activation: each activation gives way to its gradient.
static __device__ void s4_back(struct cuda_backward *b)
{
	for (int i = (int)threadIdx.x; i < 1600; i += CUDA_THREADS) {
		int map = i / 100, y = i % 100 / 10, x = i % 10;
		float *c3 = c3_at(b, map, y, x);
		*c3 = derive(LENET5_SQUASH, *c3, b->ds4[map * 25 + y / 2 * 5 + x / 2] * b->layers.s4_weight[map]);
	}
}

// A thread owns a tap of a map of C3, for the maps below it that it sees.
static __device__ void c3_gradient(struct cuda_backward *b, const struct cuda_network *network, struct cuda_features *f)
{
	for (int item = (int)threadIdx.x; item < 16 * N_TAPS; item += CUDA_THREADS) {
		int map = item / N_TAPS, tap = item % N_TAPS;
		float sums[6] = { 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f }, bias = 0.0f;
		for (int y = 0; y < 10; y++)
#pragma unroll
			for (int x = 0; x < 10; x++) {
				float d = *c3_at(b, map, y, x);
				const float *s2 = &b->layers.s2[0][(y + tap / 5) * S2_STRIDE + x + tap % 5];
				bias += d;
#pragma unroll
				for (int in = 0; in < 6; in++)
					sums[in] = fmaf(d, s2[in * 14 * S2_STRIDE], sums[in]);
			}
#pragma unroll
		for (int in = 0; in < 6; in++)
			f->c3_weight[in][map][tap] = network->c3_links[map] >> in & 1 ? sums[in] : 0.0f;
		if (tap == 0)
			f->c3_bias[map] = bias;
	}
}

// Through S2 and C1's activation, of one map: b->ds2 → m->dc1.
static __device__ void c1_map_back(struct learn_1998_memory *m, int map)
{
	const cuda_layers<1> *l = &m->back.layers;
	for (int place = (int)threadIdx.x; place < 196; place += CUDA_THREADS) {
		int y = place / 14 * 2, x = place % 14 * 2;
		float bias = l->c1_bias[map], c1[4] = { bias, bias, bias, bias }, d = m->back.ds2[map * 196 + place];
		convolve(load_patch(&l->input[0][y * 32 + x], 32), l->c1_weight[map], c1);
		for (int k = 0; k < 4; k++) {
			c1[k] = activate(LENET5_SQUASH, c1[k]);
			m->dc1[(y + k / 2) * 28 + x + k % 2] = derive(LENET5_SQUASH, c1[k], d * l->s2_weight[map]);
		}
		m->ds2_weight[place] = d * ((c1[0] + c1[1]) + (c1[2] + c1[3]));
	}
}

// The parts of the sums over a map: of C1 two rows each, of S2 one.
static __device__ void sum_parts(struct learn_1998_memory *m, int map)
{
	for (int item = (int)threadIdx.x; item < ROW_PAIRS * C1_SUMS; item += CUDA_THREADS) {
		int part = item / C1_SUMS, tap = item % C1_SUMS;
		float sum = 0.0f;
		for (int i = part * 56; i < part * 56 + 56; i++) {
			float x = tap < N_TAPS ? m->back.layers.input[0][(i / 28 + tap / 5) * 32 + i % 28 + tap % 5] : 1.0f;
			sum = fmaf(m->dc1[i], x, sum);
		}
		m->c1_parts[part][tap] = sum;
	}
	int row = (int)threadIdx.x - ROW_PAIRS * C1_SUMS; // by threads that are left
	if (row >= 0 && row < ROW_PAIRS) {
		float weight = 0.0f, bias = 0.0f;
		for (int i = row * 14; i < row * 14 + 14; i++) {
			weight += m->ds2_weight[i];
			bias += m->back.ds2[map * 196 + i];
		}
		m->s2_parts[row][0] = weight;
		m->s2_parts[row][1] = bias;
	}
}

static __device__ void add_parts(const struct learn_1998_memory *m, int map, struct cuda_features *f)
{
	int i = (int)threadIdx.x;
	float sum = 0.0f;
	if (i < C1_SUMS + 2)
		for (int part = 0; part < ROW_PAIRS; part++)
			sum += i < C1_SUMS ? m->c1_parts[part][i] : m->s2_parts[part][i - C1_SUMS];
	if (i < N_TAPS)
		f->c1_weight[map][i] = sum;
	else if (i == N_TAPS)
		f->c1_bias[map] = sum;
	else if (i == C1_SUMS)
		f->s2_weight[map] = sum;
	else if (i == C1_SUMS + 1)
		f->s2_bias[map] = sum;
}

static __global__ void __launch_bounds__(CUDA_THREADS, 1) learn_1998_kernel(struct cuda_training t)
{
	struct learn_1998_memory *m = (struct learn_1998_memory *)cuda_shared;
	struct cuda_backward *b = &m->back;
	const cuda_layers<1> *l = &b->layers;
	struct cuda_features *f = &t.features[blockIdx.x];
	uint32_t n;
	int label;
	if (!begin_picture(b, &t, &n, &label))
		return;
	__syncthreads();
	forward_layers<1, true>(&b->layers, &t.network, { nullptr, nullptr, b->dc3 });

	if (threadIdx.x == 0)
		f->loss = penalty_loss(&t, l->scores, label, n, b->dscores);
	turn_filters(b, t.turned);
	__syncthreads();
	penalties_back(b, t.turned->output_weight[0]);
	full_back<N_F6, N_C5>(b->df6, t.turned->f6_weight[0], LENET5_SQUASH, l->c5, b->dc5);
	full_back<N_C5, N_S4>(b->dc5, t.turned->c5_weight[0], LENET5_SQUASH, l->s4, b->ds4);
	s4_gradient(b, f);
	__syncthreads();
	s4_back(b);
	__syncthreads();
	c3_gradient(b, &t.network, f);
	s2_back(b, LENET5_SQUASH);
	__syncthreads();
	for (int map = 0; map < 6; map++) {
		c1_map_back(m, map);
		__syncthreads();
		sum_parts(m, map);
		__syncthreads();
		add_parts(m, map, f);
	}
	keep_features(b, f);
}

cudaError_t cuda_1998_prepare(void)
{
	return allow_shared<learn_1998_memory>(learn_1998_kernel);
}

cudaError_t cuda_1998_learn_launch(const struct cuda_training *training, cudaStream_t stream)
{
	void *arguments[] = { (void *)training };
	return cudaLaunchKernel(learn_1998_kernel, dim3(training->batch), dim3(CUDA_THREADS), arguments,
				sizeof(struct learn_1998_memory), stream);
}
