// A convolution through cuDNN's backend graph API rather than cudnnConvolutionForward and its kin: those are deprecated in
// cuDNN 9, and choose by a fixed list of algorithms that says less than an engine's notes do. What is asked of an engine
// here:
//
//   - the same bits every time: none that is noted as nondeterministic;
//   - full FP32 unless tf32 was asked for: none on tensor cores or with other roundings of its inputs or sums, nor one through
//     Winograd's or Fourier's transforms, whose sums of large terms lose more bits than the golden vectors allow.
//
// The engine heuristics list configurations, the fastest first; the first that fits and finalises is taken, from mode A and
// then from the list that is there for when nothing else works. An engine's note about CUDA graphs is of no concern: it
// speaks of cudnnBackendPopulateCudaGraph, while what a stream captures is captured whatever the engine.
#include "kernels/cudnn/cudnn.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { X = 1, W = 2, Y = 3 }; // the tensors' names in a variant pack
enum { MAX_CONFIGS = 64, MAX_NOTES = 32, MAX_KNOBS = 48 };
#define MAX_WORKSPACE_BYTES ((int64_t)256 << 20)

// One descriptor being made: after the first failure the rest is skipped, and status is the failure's.
struct maker {
	const struct cudnn *cudnn;
	cudnnBackendDescriptor_t descriptor;
	cudnnStatus_t status;
};

static struct maker make(const struct cudnn *cudnn, cudnnBackendDescriptorType_t type)
{
	struct maker m = { cudnn, NULL, CUDNN_STATUS_SUCCESS };
	m.status = cudnn->descriptor_create(type, &m.descriptor);
	return m;
}

static void set(struct maker *m, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
		const void *elements)
{
	if (!m->status)
		m->status = m->cudnn->attribute_set(m->descriptor, name, type, count, elements);
}

static void set_descriptor(struct maker *m, cudnnBackendAttributeName_t name, const cudnnBackendDescriptor_t *descriptor)
{
	set(m, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, descriptor);
}

static void drop(const struct cudnn *cudnn, cudnnBackendDescriptor_t *descriptor)
{
	if (*descriptor)
		cudnn->descriptor_destroy(*descriptor);
	*descriptor = NULL;
}

// Hands the finished descriptor over, or NULL.
static int finish(struct maker *m, const char *what, cudnnBackendDescriptor_t *out, struct err *e)
{
	if (!m->status)
		m->status = m->cudnn->descriptor_finalize(m->descriptor);
	int failed = cudnn_check(m->cudnn, m->status, what, e);
	if (failed)
		drop(m->cudnn, &m->descriptor);
	*out = m->descriptor;
	return failed;
}

static int make_tensor(const struct cudnn *cudnn, int64_t id, int n, int maps, int side, cudnnBackendDescriptor_t *out,
		       struct err *e)
{
	struct maker m = make(cudnn, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
	const cudnnDataType_t type = CUDNN_DATA_FLOAT;
	const int64_t dims[4] = { n, maps, side, side }, area = (int64_t)side * side, strides[4] = { maps * area, area, side, 1 };
	const int64_t alignment = CUDNN_ALIGNMENT;
	set(&m, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
	set(&m, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
	set(&m, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
	set(&m, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
	set(&m, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
	return finish(&m, "tensor", out, e);
}

static int make_convolution(const struct cudnn *cudnn, cudnnBackendDescriptor_t *out, struct err *e)
{
	struct maker m = make(cudnn, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
	const cudnnDataType_t type = CUDNN_DATA_FLOAT;
	const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
	const int64_t n_dims = 2, zeros[2] = { 0, 0 }, ones[2] = { 1, 1 };
	set(&m, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &n_dims);
	set(&m, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
	set(&m, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
	set(&m, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, zeros);
	set(&m, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, zeros);
	set(&m, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, ones);
	set(&m, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, ones);
	return finish(&m, "convolution", out, e);
}

static const struct {
	const char *name;
	cudnnBackendDescriptorType_t type;
	cudnnBackendAttributeName_t alpha, beta, convolution, x, w, y;
} operations[] = {
	[CUDNN_CONV_FORWARD] = { "forward", CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
				 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
				 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
				 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y },
	[CUDNN_CONV_DATA] = { "gradient of the data", CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
			      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
			      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
			      CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY },
	[CUDNN_CONV_FILTER] = { "gradient of the filter", CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
				CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
				CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
				CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
				CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY },
};

static int make_operation(const struct cudnn *cudnn, enum cudnn_direction direction, const cudnnBackendDescriptor_t *convolution,
			  const cudnnBackendDescriptor_t xwy[3], cudnnBackendDescriptor_t *out, struct err *e)
{
	struct maker m = make(cudnn, operations[direction].type);
	const float alpha = 1, beta = 0;
	set(&m, operations[direction].alpha, CUDNN_TYPE_FLOAT, 1, &alpha);
	set(&m, operations[direction].beta, CUDNN_TYPE_FLOAT, 1, &beta);
	set_descriptor(&m, operations[direction].convolution, convolution);
	set_descriptor(&m, operations[direction].x, &xwy[0]);
	set_descriptor(&m, operations[direction].w, &xwy[1]);
	set_descriptor(&m, operations[direction].y, &xwy[2]);
	return finish(&m, "operation", out, e);
}

// The graph of one operation. Only its handle's device, or the heuristics' description of one, ties it to a device.
static int make_graph(const struct cudnn_session *s, enum cudnn_direction direction, const struct cudnn_shape *shape,
		      cudnnBackendDescriptor_t *graph, struct err *e)
{
	const struct cudnn *cudnn = s->cudnn;
	int kernel = shape->in_side - shape->side + 1, failed = -1;
	cudnnBackendDescriptor_t xwy[3] = { NULL, NULL, NULL }, convolution = NULL, operation = NULL;
	if (make_tensor(cudnn, X, shape->n, shape->in_maps, shape->in_side, &xwy[0], e) ||
	    make_tensor(cudnn, W, shape->maps, shape->in_maps, kernel, &xwy[1], e) ||
	    make_tensor(cudnn, Y, shape->n, shape->maps, shape->side, &xwy[2], e) || make_convolution(cudnn, &convolution, e) ||
	    make_operation(cudnn, direction, &convolution, xwy, &operation, e))
		goto out;
	struct maker m = make(cudnn, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
	if (s->handle)
		set(&m, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &s->handle);
	set_descriptor(&m, CUDNN_ATTR_OPERATIONGRAPH_OPS, &operation);
	failed = finish(&m, "operation graph", graph, e);
out:
	drop(cudnn, &operation);
	drop(cudnn, &convolution);
	for (int i = 0; i < 3; i++)
		drop(cudnn, &xwy[i]);
	return failed;
}

static bool unwanted(const struct cudnn *cudnn, cudnnBackendNumericalNote_t note)
{
	switch (note) {
	case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
		return true;
	case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP:
		return false;
	default: // of those that are known, and of those to come: arithmetic other than plain FP32
		return !cudnn->tf32;
	}
}

// How a convolution is computed: an engine of cuDNN's, by its number, and the settings of its knobs.
struct config {
	int64_t engine;
	int64_t n_knobs;
	struct {
		cudnnBackendKnobType_t type;
		int64_t value;
	} knobs[MAX_KNOBS];
};

// The number of the configuration's engine, and whether it may be used.
static cudnnStatus_t read_engine(const struct cudnn *cudnn, cudnnBackendDescriptor_t from, struct config *config, bool *fits)
{
	struct maker engine = make(cudnn, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
	cudnnBackendNumericalNote_t notes[MAX_NOTES];
	int64_t count, n_notes = 0;
	cudnnStatus_t status = engine.status;
	if (!status)
		status = cudnn->attribute_get(from, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &count,
					      &engine.descriptor);
	if (!status)
		status = cudnn->attribute_get(engine.descriptor, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &count,
					      &config->engine);
	if (!status)
		status = cudnn->attribute_get(engine.descriptor, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
					      MAX_NOTES, &n_notes, notes);
	drop(cudnn, &engine.descriptor);
	*fits = true;
	for (int64_t i = 0; i < n_notes && i < MAX_NOTES; i++)
		if (unwanted(cudnn, notes[i]))
			*fits = false;
	return status;
}

static cudnnStatus_t read_knobs(const struct cudnn *cudnn, cudnnBackendDescriptor_t from, struct config *config)
{
	cudnnBackendDescriptor_t choices[MAX_KNOBS] = { NULL };
	int64_t count;
	cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
	for (int i = 0; i < MAX_KNOBS && !status; i++)
		status = cudnn->descriptor_create(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, &choices[i]);
	if (!status)
		status = cudnn->attribute_get(from, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, MAX_KNOBS,
					      &config->n_knobs, choices);
	if (!status && config->n_knobs > MAX_KNOBS)
		status = CUDNN_STATUS_NOT_SUPPORTED;
	for (int64_t i = 0; i < config->n_knobs && !status; i++) {
		status = cudnn->attribute_get(choices[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &count,
					      &config->knobs[i].type);
		if (!status)
			status = cudnn->attribute_get(choices[i], CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &count,
						      &config->knobs[i].value);
	}
	for (int i = 0; i < MAX_KNOBS; i++)
		drop(cudnn, &choices[i]);
	return status;
}

static int read_config(const struct cudnn *cudnn, cudnnBackendDescriptor_t from, struct config *config, bool *fits, struct err *e)
{
	*config = (struct config){ .engine = -1 };
	if (cudnn_check(cudnn, read_engine(cudnn, from, config, fits), "an engine's notes", e))
		return -1;
	return *fits ? cudnn_check(cudnn, read_knobs(cudnn, from, config), "the knobs of a configuration", e) : 0;
}

// The configuration for another graph than the one that it was listed for.
static int make_config(const struct cudnn_session *s, const cudnnBackendDescriptor_t *graph, const struct config *config,
		       cudnnBackendDescriptor_t *out, struct err *e)
{
	cudnnBackendDescriptor_t engine = NULL, choices[MAX_KNOBS] = { NULL };
	struct maker m = make(s->cudnn, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
	set_descriptor(&m, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph);
	set(&m, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &config->engine);
	if (s->device)
		set_descriptor(&m, CUDNN_ATTR_ENGINE_DEVICEPROP, &s->device);
	int failed = finish(&m, "engine", &engine, e);
	for (int64_t i = 0; i < config->n_knobs && !failed; i++) {
		m = make(s->cudnn, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
		set(&m, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &config->knobs[i].type);
		set(&m, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1, &config->knobs[i].value);
		failed = finish(&m, "choice of a knob", &choices[i], e);
	}
	if (!failed) {
		m = make(s->cudnn, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
		set_descriptor(&m, CUDNN_ATTR_ENGINECFG_ENGINE, &engine);
		if (config->n_knobs)
			set(&m, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, config->n_knobs, choices);
		failed = finish(&m, "engine configuration", out, e);
	}
	for (int64_t i = 0; i < config->n_knobs; i++)
		drop(s->cudnn, &choices[i]);
	drop(s->cudnn, &engine);
	return failed;
}

static int make_plan(const struct cudnn_session *s, const cudnnBackendDescriptor_t *config, struct cudnn_conv *conv, struct err *e)
{
	struct maker m = make(s->cudnn, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
	int64_t count, workspace = 0;
	cudnnBackendDescriptor_t plan;
	if (s->handle)
		set(&m, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &s->handle);
	else
		set_descriptor(&m, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, &s->device);
	set_descriptor(&m, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, config);
	if (finish(&m, "execution plan", &plan, e))
		return -1;
	cudnnStatus_t status =
		s->cudnn->attribute_get(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count, &workspace);
	if (cudnn_check(s->cudnn, status, "an execution plan's workspace", e) == 0 && workspace >= 0 &&
	    workspace <= MAX_WORKSPACE_BYTES) {
		conv->plan = plan;
		conv->workspace_bytes = (size_t)workspace;
		return 0;
	}
	drop(s->cudnn, &plan);
	return status ? -1
		      : err_set(e, "an execution plan needs %lld bytes of workspace, more than the limit", (long long)workspace);
}

// Plans for all graphs by one configuration, listed for the first of them. Those that are made when one fails are the caller's.
static int make_plans(const struct cudnn_session *s, cudnnBackendDescriptor_t listed, const cudnnBackendDescriptor_t *graphs, int n,
		      struct cudnn_conv *convs, struct err *e)
{
	struct config config;
	bool fits;
	int failed = read_config(s->cudnn, listed, &config, &fits, e) || !fits || make_plan(s, &listed, &convs[0], e);
	for (int i = 1; i < n && !failed; i++) {
		cudnnBackendDescriptor_t same = NULL;
		failed = make_config(s, &graphs[i], &config, &same, e) || make_plan(s, &same, &convs[i], e);
		drop(s->cudnn, &same);
	}
	for (int i = 0; i < n; i++)
		convs[i].engine = (int)config.engine;
	return failed;
}

// Up to MAX_CONFIGS configurations, the best first. The caller drops all of them, those past *n, too.
static int list_configs(const struct cudnn_session *s, const cudnnBackendDescriptor_t *graph, cudnnBackendHeurMode_t mode,
			cudnnBackendDescriptor_t configs[MAX_CONFIGS], int64_t *n, struct err *e)
{
	cudnnBackendDescriptor_t heuristics;
	struct maker m = make(s->cudnn, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
	set_descriptor(&m, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
	set(&m, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
	if (s->device)
		set_descriptor(&m, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, &s->device);
	if (finish(&m, "engine heuristics", &heuristics, e))
		return -1;
	cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
	for (int i = 0; i < MAX_CONFIGS && !status; i++)
		status = s->cudnn->descriptor_create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &configs[i]);
	if (!status)
		status = s->cudnn->attribute_get(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
						 MAX_CONFIGS, n, configs);
	drop(s->cudnn, &heuristics);
	return cudnn_check(s->cudnn, status, "the results of engine heuristics", e);
}

// -1 where no configuration of this mode will do: e says what was wrong with the last.
static int plan_by(const struct cudnn_session *s, const cudnnBackendDescriptor_t *graphs, int n_graphs, cudnnBackendHeurMode_t mode,
		   struct cudnn_conv *convs, struct err *e)
{
	cudnnBackendDescriptor_t configs[MAX_CONFIGS] = { NULL };
	int64_t n = 0;
	bool found = false;
	err_set(e, "no engine is deterministic%s", s->cudnn->tf32 ? "" : " and computes in plain FP32");
	if (list_configs(s, &graphs[0], mode, configs, &n, e) == 0)
		for (int64_t i = 0; i < n && i < MAX_CONFIGS && !found; i++) {
			found = make_plans(s, configs[i], graphs, n_graphs, convs, e) == 0;
			for (int c = 0; c < n_graphs && !found; c++)
				cudnn_conv_free(s, &convs[c]);
		}
	for (int i = 0; i < MAX_CONFIGS; i++)
		drop(s->cudnn, &configs[i]);
	return found ? 0 : -1;
}

int cudnn_conv_plan(const struct cudnn_session *s, enum cudnn_direction direction, const struct cudnn_shape *shapes, int n_shapes,
		    struct cudnn_conv *convs, struct err *e)
{
	cudnnBackendDescriptor_t graphs[CUDNN_MAX_SHAPES] = { NULL };
	struct cudnn_conv made[CUDNN_MAX_SHAPES] = { { NULL, 0, -1 } };
	int failed = 0;
	assert(n_shapes > 0 && n_shapes <= CUDNN_MAX_SHAPES);
	for (int i = 0; i < n_shapes && !failed; i++)
		failed = make_graph(s, direction, &shapes[i], &graphs[i], e);
	if (!failed)
		failed = plan_by(s, graphs, n_shapes, CUDNN_HEUR_MODE_A, made, e) &&
			 plan_by(s, graphs, n_shapes, CUDNN_HEUR_MODE_FALLBACK, made, e);
	for (int i = 0; i < n_shapes; i++)
		drop(s->cudnn, &graphs[i]);
	if (failed)
		return err_prefix(e, "convolution of %d pictures, %d maps of %d to %d of %d, %s", shapes->n, shapes->in_maps,
				  shapes->in_side, shapes->maps, shapes->side, operations[direction].name);
	memcpy(convs, made, (size_t)n_shapes * sizeof *convs);
	return 0;
}

void cudnn_conv_free(const struct cudnn_session *session, struct cudnn_conv *conv)
{
	drop(session->cudnn, &conv->plan);
}

int cudnn_conv_run(const struct cudnn_session *s, const struct cudnn_conv *conv, const float *x, const float *w, const float *y,
		   void *workspace, struct err *e)
{
	assert(((uintptr_t)x | (uintptr_t)w | (uintptr_t)y) % CUDNN_ALIGNMENT == 0);
	struct maker m = make(s->cudnn, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
	cudnnBackendDescriptor_t pack;
	const int64_t ids[3] = { X, W, Y };
	const void *pointers[3] = { x, w, y };
	set(&m, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, ids);
	set(&m, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3, pointers);
	set(&m, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &workspace);
	if (finish(&m, "variant pack", &pack, e))
		return -1;
	int failed = cudnn_check(s->cudnn, s->cudnn->execute(s->handle, conv->plan, pack), "cudnnBackendExecute", e);
	drop(s->cudnn, &pack);
	return failed;
}
