// A thread an element, but for the input, a block a picture, and the two that sum: the loss is one block, and a map's parameter is
// a block for each slice of the pictures and then one for their sums. A block's threads sum what is theirs, one by one, and then
// halve their number until one is left, so that the order is the same on every device.
#include "kernels/cuda/cuda_activation.cuh"
#include "kernels/cudnn/cudnn_parts.h"

enum { THREADS = 128, INPUT = LENET5_PADDED * LENET5_PADDED, FRAME = (LENET5_PADDED - LENET5_SIDE) / 2, F6 = LENET5_N_F6 };

extern __shared__ float4 cuda_shared[];

// The number of this thread among all of the grid.
static __device__ size_t global_thread()
{
	return (size_t)blockIdx.x * blockDim.x + threadIdx.x;
}

// The sum over the block's threads, in thread 0. `sums`: shared, one for each; blockDim.x is a power of two.
template <class T> static __device__ T block_sum(T *sums, T mine)
{
	sums[threadIdx.x] = mine;
	for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
		__syncthreads();
		if (threadIdx.x < half)
			sums[threadIdx.x] += sums[threadIdx.x + half];
	}
	return sums[0];
}

// A block a picture. It may come over the bus, so a thread loads 16 bytes at a time. nvcc rounds a division as IEEE 754 does, so
// the bits are those of engine_ink_from_pixels.
static __global__ void input_kernel(struct cudnn_input a)
{
	const bool are_pixels = a.steps || *a.are_pixels;
	const int n_bytes = LENET5_PIXELS * (are_pixels ? 1 : (int)sizeof(float));
	size_t picture = blockIdx.x;
	if (a.steps)
		picture = a.steps->order[(size_t)a.steps->step * (size_t)a.batch + picture];
	const float4 *from = (const float4 *)(a.steps ? a.steps->pixels : a.pictures) + picture * (size_t)n_bytes / sizeof(float4);
	for (int i = (int)threadIdx.x; i < n_bytes / (int)sizeof(float4); i += THREADS)
		cuda_shared[i] = from[i];
	__syncthreads();
	float *to = a.x + (size_t)blockIdx.x * INPUT;
	for (int i = (int)threadIdx.x; i < INPUT; i += THREADS) {
		int y = i / LENET5_PADDED - FRAME, x = i % LENET5_PADDED - FRAME, pixel = y * LENET5_SIDE + x;
		float ink = 0.0f;
		if (x >= 0 && x < LENET5_SIDE && y >= 0 && y < LENET5_SIDE)
			ink = are_pixels ? (float)((const uint8_t *)cuda_shared)[pixel] / 255.0f
					 : ((const float *)cuda_shared)[pixel];
		to[i] = (ink - a.network->mean) * a.network->scale;
	}
}

// Where the window of element i of a pooled layer begins in the layer below, whose rows are 2·side long.
static __device__ size_t window(size_t i, int side)
{
	size_t row = i / (size_t)side, column = i % (size_t)side;
	return 4 * row * (size_t)side + 2 * column;
}

static __global__ void pool_kernel(struct cudnn_layer a)
{
	size_t i = global_thread(), area = (size_t)(a.side * a.side);
	if (i >= (size_t)(a.n * a.maps) * area)
		return;
	const float *x = a.x + window(i, a.side);
	const float four[4] = { x[0], x[1], x[2 * a.side], x[2 * a.side + 1] };
	int best = 0;
	for (int k = 1; k < 4; k++)
		if (four[k] > four[best])
			best = k;
	a.y[i] = activate(a.network->activation[a.layer], four[best] + a.x_bias[i / area % (size_t)a.maps]);
	if (a.from)
		a.from[i] = (uint8_t)best;
}

static __global__ void subsample_kernel(struct cudnn_layer a)
{
	size_t i = global_thread(), area = (size_t)(a.side * a.side), map = i / area % (size_t)a.maps;
	if (i >= (size_t)(a.n * a.maps) * area)
		return;
	float *x = a.x + window(i, a.side);
	float four[4];
	for (int k = 0; k < 4; k++) {
		float *pixel = &x[k / 2 * 2 * a.side + k % 2];
		four[k] = *pixel = activate(a.network->activation[a.layer - 1], *pixel + a.x_bias[map]);
	}
	float sum = (four[0] + four[1]) + (four[2] + four[3]);
	a.y[i] = activate(a.network->activation[a.layer], fmaf(sum, a.weight[map], a.bias[map]));
	if (a.sums)
		a.sums[i] = sum;
}

static __global__ void bias_kernel(struct cudnn_layer a)
{
	size_t i = global_thread(), area = (size_t)(a.side * a.side);
	if (i < (size_t)(a.n * a.maps) * area)
		a.y[i] = activate(a.network->activation[a.layer], a.x[i] + a.bias[i / area % (size_t)a.maps]);
}

static __global__ void penalties_kernel(struct cudnn_layer a)
{
	size_t i = global_thread();
	if (i >= (size_t)a.n * LENET5_DIGITS)
		return;
	const float *x = a.x + i / LENET5_DIGITS * F6, *centre = a.weight + i % LENET5_DIGITS * F6;
	float sum = 0.0f;
	for (int k = 0; k < F6; k++)
		sum = fmaf(x[k] - centre[k], x[k] - centre[k], sum);
	a.y[i] = sum;
}

// The loss of one picture; d (10) becomes its share of the gradient.
static __device__ double logits_loss(const struct cudnn_loss &a, int picture, int label)
{
	float scores[LENET5_DIGITS];
	for (int i = 0; i < LENET5_DIGITS; i++)
		scores[i] = a.x[picture * LENET5_DIGITS + i] + a.bias[i];
	return softmax_loss(scores, label, a.smoothing, a.n, a.d + picture * LENET5_DIGITS);
}

// The same of penalties. p_i are the posteriors of the paper's eq. 9; eq. 8 is what is left without them.
static __device__ double penalties_loss(const struct cudnn_loss &a, int picture, int label)
{
	const float *y = a.x + picture * LENET5_DIGITS;
	float p[LENET5_DIGITS] = { 0.0f }, least = a.j, sum = 0.0f;
	double loss = (double)y[label];
	if (a.loss == ENGINE_MAP) {
		for (int i = 0; i < LENET5_DIGITS; i++)
			least = y[i] < least ? y[i] : least;
		for (int i = 0; i < LENET5_DIGITS; i++)
			sum += p[i] = expf(least - y[i]);
		sum += expf(least - a.j);
		loss += log((double)sum) - (double)least;
		for (int i = 0; i < LENET5_DIGITS; i++)
			p[i] /= sum;
	}
	for (int i = 0; i < LENET5_DIGITS; i++)
		a.d[picture * LENET5_DIGITS + i] = ((i == label ? 1.0f : 0.0f) - p[i]) / (float)a.n;
	return loss;
}

static __device__ double picture_loss(const struct cudnn_loss &a, int picture, int label)
{
	return a.bias ? logits_loss(a, picture, label) : penalties_loss(a, picture, label);
}

static __global__ void loss_kernel(struct cudnn_loss a)
{
	uint32_t step = a.steps->step;
	const uint32_t *order = a.steps->order + (size_t)step * (size_t)a.batch;
	double loss = 0;
	for (int picture = (int)threadIdx.x; picture < a.n; picture += (int)blockDim.x)
		loss += picture_loss(a, picture, a.steps->labels[order[picture]]);
	loss = block_sum((double *)cuda_shared, loss); // its barriers let every thread read the step first
	if (threadIdx.x == 0) {
		a.steps->losses[step] = (float)(loss / a.n);
		a.steps->rate = a.steps->rates[step];
		a.steps->step = step + 1;
	}
}

static __global__ void penalties_back_kernel(struct cudnn_layer a)
{
	size_t i = global_thread(), picture = i / F6, k = i % F6;
	if (i >= (size_t)a.n * F6)
		return;
	float sum = 0.0f;
	for (size_t digit = 0; digit < LENET5_DIGITS; digit++)
		sum = fmaf(2.0f * a.dy[picture * LENET5_DIGITS + digit], a.x[i] - a.weight[digit * F6 + k], sum);
	a.dx[i] = sum;
}

static __global__ void derive_kernel(struct cudnn_layer a)
{
	size_t i = global_thread();
	if (i < (size_t)(a.n * a.maps) * (size_t)(a.side * a.side))
		a.dy[i] = derive(a.network->activation[a.layer], a.y[i], a.dy[i]);
}

static __global__ void pool_back_kernel(struct cudnn_layer a)
{
	size_t i = global_thread();
	if (i >= (size_t)(a.n * a.maps) * (size_t)(a.side * a.side))
		return;
	float *dx = a.dx + window(i, a.side);
	float d = derive(a.network->activation[a.layer], a.y[i], a.dy[i]);
	for (int k = 0; k < 4; k++)
		dx[k / 2 * 2 * a.side + k % 2] = k == a.from[i] ? d : 0.0f;
}

static __global__ void subsample_back_kernel(struct cudnn_layer a)
{
	size_t i = global_thread(), area = (size_t)(a.side * a.side);
	if (i >= (size_t)(a.n * a.maps) * area)
		return;
	size_t corner = window(i, a.side);
	float d = derive(a.network->activation[a.layer], a.y[i], a.dy[i]);
	a.dy[i] = d;
	d *= a.weight[i / area % (size_t)a.maps];
	for (int k = 0; k < 4; k++) {
		size_t pixel = corner + (size_t)(k / 2 * 2 * a.side + k % 2);
		a.dx[pixel] = derive(a.network->activation[a.layer - 1], a.x[pixel], d);
	}
}

// The pictures of which a block sums one map: eight elements a thread, or one picture.
static __host__ __device__ int slice(int area)
{
	return area < 8 * THREADS ? 8 * THREADS / area : 1;
}

static __host__ __device__ int n_slices(int n, int area)
{
	return (n + slice(area) - 1) / slice(area);
}

// A block a slice of the pictures and a map; dp is (maps, slices).
static __global__ void map_gradients_kernel(struct cudnn_map_gradients a)
{
	int block = (int)blockIdx.x, which = 0;
	while (block >= a.gradients[which].maps * n_slices(a.n, a.gradients[which].area)) {
		block -= a.gradients[which].maps * n_slices(a.n, a.gradients[which].area);
		which++;
	}
	struct cudnn_map_gradient g = a.gradients[which];
	int slices = n_slices(a.n, g.area), map = block / slices;
	int first = block % slices * slice(g.area), last = min(first + slice(g.area), a.n);
	float sum = 0.0f;
	for (int i = first * g.area + (int)threadIdx.x; i < last * g.area; i += THREADS) {
		size_t at = ((size_t)(i / g.area * g.maps) + (size_t)map) * (size_t)g.area + (size_t)(i % g.area);
		sum += g.x ? g.d[at] * g.x[at] : g.d[at];
	}
	sum = block_sum((float *)cuda_shared, sum);
	if (threadIdx.x == 0)
		g.dp[block] = sum;
}

static __device__ bool is_unlinked(const struct cudnn_update &a, size_t i)
{
	size_t weight = i - a.c3_weight; // huge before C3
	return weight < 16 * 150 && !(a.c3_links[weight / 150] >> (weight % 150 / 25) & 1);
}

static __global__ void update_kernel(struct cudnn_update a)
{
	size_t i = global_thread();
	if (i >= (size_t)a.count)
		return;
	float gradient = is_unlinked(a, i) ? 0.0f : a.gradient[i];
	float v = a.momentum_rate * a.momentum[i] + (gradient + a.weight_decay * a.params[i]);
	a.momentum[i] = v;
	a.params[i] -= a.steps->rate * v;
}

template <class Arguments>
static cudaError_t launch(void (*kernel)(Arguments), const Arguments *arguments, size_t blocks, size_t shared_bytes,
			  cudaStream_t stream)
{
	Arguments copy = *arguments;
	void *pointers[] = { &copy };
	return cudaLaunchKernel(kernel, dim3((unsigned)blocks), dim3(THREADS), pointers, shared_bytes, stream);
}

// A thread an element.
template <class Arguments>
static cudaError_t launch_each(void (*kernel)(Arguments), const Arguments *arguments, size_t elements, cudaStream_t stream)
{
	return launch(kernel, arguments, (elements + THREADS - 1) / THREADS, 0, stream);
}

cudaError_t cudnn_input_launch(const struct cudnn_input *input, cudaStream_t stream)
{
	return launch(input_kernel, input, (size_t)input->n, LENET5_PIXELS * sizeof(float), stream);
}

cudaError_t cudnn_part_launch(enum cudnn_part part, const struct cudnn_layer *layer, cudaStream_t stream)
{
	// by enum cudnn_part
	static void (*const kernels[])(struct cudnn_layer) = { pool_kernel,      subsample_kernel,      bias_kernel,
							       penalties_kernel, penalties_back_kernel, derive_kernel,
							       pool_back_kernel, subsample_back_kernel };
	int each = part == CUDNN_PENALTIES_BACK ? F6 : layer->maps * layer->side * layer->side;
	return launch_each(kernels[part], layer, (size_t)layer->n * (size_t)each, stream);
}

cudaError_t cudnn_loss_launch(const struct cudnn_loss *loss, cudaStream_t stream)
{
	return launch(loss_kernel, loss, 1, THREADS * sizeof(double), stream);
}

size_t cudnn_map_gradients_n_sums(const struct cudnn_map_gradients *g)
{
	size_t n = 0;
	for (int i = 0; i < g->n_gradients; i++)
		n += (size_t)(g->gradients[i].maps * n_slices(g->n, g->gradients[i].area));
	return n;
}

static cudaError_t launch_map_gradients(const struct cudnn_map_gradients *g, cudaStream_t stream)
{
	return launch(map_gradients_kernel, g, cudnn_map_gradients_n_sums(g), THREADS * sizeof(float), stream);
}

// Sums each slice, and then the slices' sums, as if they were the maps of one picture.
cudaError_t cudnn_map_gradients_launch(const struct cudnn_map_gradients *g, cudaStream_t stream)
{
	struct cudnn_map_gradients slices = *g, sums = *g;
	float *at = g->sums;
	sums.n = 1;
	for (int i = 0; i < g->n_gradients; i++) {
		const struct cudnn_map_gradient *of = &g->gradients[i];
		slices.gradients[i].dp = at;
		sums.gradients[i] = { at, NULL, of->dp, of->maps, n_slices(g->n, of->area) };
		at += of->maps * n_slices(g->n, of->area);
	}
	cudaError_t error = launch_map_gradients(&slices, stream);
	return error ? error : launch_map_gradients(&sums, stream);
}

cudaError_t cudnn_update_launch(const struct cudnn_update *update, cudaStream_t stream)
{
	return launch_each(update_kernel, update, (size_t)update->count, stream);
}
