// A descriptor is a bag of attributes, checked against one table. What executes is a copy of everything that it needs,
// which the plan owns, so that a graph that outlives its plan is found by AddressSanitizer.
#include "tests/cudnn/fake_cudnn.h"

#include "tests/cudnn/fake_compute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ATTRIBUTES = 12, MAX_BYTES = 64, MAX_JOBS = 64 };

struct attribute {
	cudnnBackendAttributeName_t name;
	int64_t count;
	unsigned char bytes[MAX_BYTES];
};

struct descriptor {
	cudnnBackendDescriptorType_t type;
	bool finalized;
	int n_attributes;
	struct attribute attributes[MAX_ATTRIBUTES];
	struct job job; // of an operation, its graph, heuristics, configuration and plan
	int engine; // of a configuration, an engine and a plan
	int64_t tile; // of a configuration, a choice of a knob and a plan
	int n_jobs; // of a plan
	struct job *jobs[MAX_JOBS];
};

struct cudnnContext {
	cudaStream_t stream;
};

static struct fake_cudnn fake;
static char last_error[256];

struct fake_cudnn *fake_cudnn(void)
{
	return &fake;
}

__attribute__((constructor)) void fake_cudnn_reset(void)
{
	int n_alive = fake.n_alive;
	fake = (struct fake_cudnn){
		.version = CUDNN_VERSION, .n_engines = 2, .n_mode_a = 1, .executions_left = -1, .n_alive = n_alive
	};
	fake.engines[0].workspace_bytes = 256;
}

static cudnnStatus_t refuse(cudnnStatus_t status, const char *why, int which)
{
	snprintf(last_error, sizeof last_error, "%s (%d)", why, which);
	return status;
}

// What has to be set, with which type, and how many; nothing else may be.
static const struct rule {
	cudnnBackendDescriptorType_t descriptor;
	cudnnBackendAttributeName_t name;
	cudnnBackendAttributeType_t type;
	int64_t count;
} rules[] = {
#define FORWARD(what) CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_##what
#define DATA(what) CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_##what
#define FILTER(what)                                                                                                               \
	CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_##what
	{ CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1 },
	{ CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4 },
	{ CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4 },
	{ CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1 },
	{ CUDNN_BACKEND_TENSOR_DESCRIPTOR, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1 },
	{ CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1 },
	{ CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1 },
	{ CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1 },
	{ CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2 },
	{ CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2 },
	{ CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2 },
	{ CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2 },
	{ FORWARD(ALPHA), CUDNN_TYPE_FLOAT, 1 },
	{ FORWARD(BETA), CUDNN_TYPE_FLOAT, 1 },
	{ FORWARD(CONV_DESC), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ FORWARD(X), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ FORWARD(W), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ FORWARD(Y), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ DATA(ALPHA), CUDNN_TYPE_FLOAT, 1 },
	{ DATA(BETA), CUDNN_TYPE_FLOAT, 1 },
	{ DATA(CONV_DESC), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ DATA(DX), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ DATA(W), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ DATA(DY), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ FILTER(ALPHA), CUDNN_TYPE_FLOAT, 1 },
	{ FILTER(BETA), CUDNN_TYPE_FLOAT, 1 },
	{ FILTER(CONV_DESC), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ FILTER(X), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ FILTER(DW), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ FILTER(DY), CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1 },
	{ CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1 },
	{ CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1 },
	{ CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1 },
	{ CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1 },
	{ CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1 },
	{ CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 },
	{ CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3 },
	{ CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3 },
	{ CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1 },
};
#undef FORWARD
#undef DATA
#undef FILTER
enum { N_RULES = sizeof rules / sizeof rules[0] };

static size_t size_of(cudnnBackendAttributeType_t type)
{
	switch (type) {
	case CUDNN_TYPE_INT64:
		return sizeof(int64_t);
	case CUDNN_TYPE_HANDLE:
	case CUDNN_TYPE_VOID_PTR:
	case CUDNN_TYPE_BACKEND_DESCRIPTOR:
		return sizeof(void *);
	default: // an enum, or a float
		return sizeof(float);
	}
}

static const struct attribute *find(const struct descriptor *d, cudnnBackendAttributeName_t name)
{
	for (int i = 0; i < d->n_attributes; i++)
		if (d->attributes[i].name == name)
			return &d->attributes[i];
	return NULL;
}

// Of a descriptor that has it.
static void get(const struct descriptor *d, cudnnBackendAttributeName_t name, void *to, size_t bytes)
{
	const struct attribute *a = find(d, name);
	if (!a)
		abort();
	memcpy(to, a->bytes, bytes);
}

static const struct descriptor *linked(const struct descriptor *d, cudnnBackendAttributeName_t name)
{
	const struct descriptor *to;
	get(d, name, &to, sizeof to);
	return to;
}

size_t cudnnGetVersion(void)
{
	return fake.version;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
	static char text[32];
	snprintf(text, sizeof text, "fake status %d", (int)status);
	return text;
}

void cudnnGetLastErrorString(char *message, size_t max_size)
{
	snprintf(message, max_size, "%s", last_error);
	*last_error = '\0';
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
	if (fake.create)
		return refuse(fake.create, "no handle today", 0);
	*handle = calloc(1, sizeof **handle);
	fake.n_alive++;
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
	free(handle);
	fake.n_alive--;
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
	handle->stream = stream;
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *descriptor)
{
	struct descriptor *d = calloc(1, sizeof *d);
	d->type = type;
	fake.n_alive++;
	*descriptor = d;
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor)
{
	struct descriptor *d = descriptor;
	for (int i = 0; i < d->n_jobs; i++)
		free(d->jobs[i]);
	free(d);
	fake.n_alive--;
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
				       cudnnBackendAttributeType_t type, int64_t count, const void *elements)
{
	struct descriptor *d = descriptor;
	const struct rule *rule = rules;
	while (rule < rules + N_RULES && (rule->descriptor != d->type || rule->name != name))
		rule++;
	if (d->finalized)
		return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute of a finalised descriptor", (int)name);
	if (rule == rules + N_RULES)
		return refuse(CUDNN_STATUS_BAD_PARAM, "this descriptor has no such attribute", (int)name);
	if (rule->type != type)
		return refuse(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "an attribute of another type", (int)name);
	if (rule->count != count || find(d, name))
		return refuse(CUDNN_STATUS_BAD_PARAM, "so many elements, or a second time", (int)name);
	if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR && !(*(struct descriptor *const *)elements)->finalized)
		return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a descriptor that is not finalised", (int)name);
	struct attribute *a = &d->attributes[d->n_attributes++];
	a->name = name;
	a->count = count;
	memcpy(a->bytes, elements, (size_t)count * size_of(type));
	return CUDNN_STATUS_SUCCESS;
}

static struct tensor tensor_of(const struct descriptor *operation, cudnnBackendAttributeName_t name)
{
	const struct descriptor *d = linked(operation, name);
	struct tensor t;
	get(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, &t.id, sizeof t.id);
	get(d, CUDNN_ATTR_TENSOR_DIMENSIONS, t.dims, sizeof t.dims);
	get(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, &t.alignment, sizeof t.alignment);
	return t;
}

static cudnnStatus_t finalize_tensor(const struct descriptor *d)
{
	int64_t dims[4], strides[4], want = 1;
	get(d, CUDNN_ATTR_TENSOR_DIMENSIONS, dims, sizeof dims);
	get(d, CUDNN_ATTR_TENSOR_STRIDES, strides, sizeof strides);
	for (int i = 3; i >= 0; want *= dims[i--])
		if (strides[i] != want)
			return refuse(CUDNN_STATUS_NOT_SUPPORTED_LAYOUT, "strides of no packed NCHW", i);
	return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_convolution(const struct descriptor *d)
{
	int64_t pair[2];
	cudnnConvolutionMode_t mode;
	get(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, &mode, sizeof mode);
	bool plain = mode == CUDNN_CROSS_CORRELATION;
	const struct {
		cudnnBackendAttributeName_t name;
		int64_t want;
	} pairs[] = { { CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 0 },
		      { CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 0 },
		      { CUDNN_ATTR_CONVOLUTION_DILATIONS, 1 },
		      { CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 1 } };
	for (int i = 0; i < 4; i++) {
		get(d, pairs[i].name, pair, sizeof pair);
		plain = plain && pair[0] == pairs[i].want && pair[1] == pairs[i].want;
	}
	return plain ? CUDNN_STATUS_SUCCESS : refuse(CUDNN_STATUS_NOT_SUPPORTED, "a convolution that is not plain", 0);
}

static cudnnStatus_t finalize_operation(struct descriptor *d, cudnnBackendAttributeName_t x, cudnnBackendAttributeName_t w,
					cudnnBackendAttributeName_t y)
{
	d->job = (struct job){ .type = d->type, .tensors = { tensor_of(d, x), tensor_of(d, w), tensor_of(d, y) } };
	const int64_t *xs = d->job.tensors[0].dims, *ws = d->job.tensors[1].dims, *ys = d->job.tensors[2].dims;
	if (xs[0] != ys[0] || xs[1] != ws[1] || ws[0] != ys[1] || xs[2] - ws[2] + 1 != ys[2] || xs[3] - ws[3] + 1 != ys[3])
		return refuse(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "shapes that do not fit", (int)d->type);
	return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_plan(struct descriptor *d)
{
	const struct descriptor *config = linked(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
	const struct fake_engine_config *engine = &fake.engines[config->engine];
	int64_t n = config->job.tensors[0].dims[0];
	d->job = config->job;
	d->engine = config->engine;
	d->job.workspace_bytes = (size_t)engine->workspace_bytes;
	d->job.other_bits = config->tile == 2 || (engine->unsteady_from && n >= engine->unsteady_from);
	cudnnStatus_t status = n < engine->min_batch ? CUDNN_STATUS_NOT_SUPPORTED : engine->plan;
	return status ? refuse(status, "a plan that does not work out", d->engine) : CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_engine(struct descriptor *d)
{
	int64_t index;
	get(d, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, &index, sizeof index);
	d->job = linked(d, CUDNN_ATTR_ENGINE_OPERATION_GRAPH)->job;
	d->engine = (int)index;
	return index >= 0 && index < fake.n_engines ? CUDNN_STATUS_SUCCESS
						    : refuse(CUDNN_STATUS_BAD_PARAM, "no such engine", d->engine);
}

static cudnnStatus_t finalize_knob(struct descriptor *d)
{
	cudnnBackendKnobType_t type;
	get(d, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, &type, sizeof type);
	get(d, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, &d->tile, sizeof d->tile);
	return type == CUDNN_KNOB_TYPE_TILE_SIZE ? CUDNN_STATUS_SUCCESS : refuse(CUDNN_STATUS_BAD_PARAM, "no such knob", (int)type);
}

static cudnnStatus_t finalize_config(struct descriptor *d)
{
	const struct descriptor *engine = linked(d, CUDNN_ATTR_ENGINECFG_ENGINE);
	d->job = engine->job;
	d->engine = engine->engine;
	d->tile = linked(d, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES)->tile;
	return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize(struct descriptor *d)
{
	switch (d->type) {
	case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
		return finalize_tensor(d);
	case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
		return finalize_convolution(d);
	case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
		return finalize_operation(d, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
					  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y);
	case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
		return finalize_operation(d, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
					  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
					  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY);
	case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
		return finalize_operation(d, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
					  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
					  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY);
	case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
		d->job = linked(d, CUDNN_ATTR_OPERATIONGRAPH_OPS)->job;
		return CUDNN_STATUS_SUCCESS;
	case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
		d->job = linked(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)->job;
		return CUDNN_STATUS_SUCCESS;
	case CUDNN_BACKEND_ENGINE_DESCRIPTOR:
		return finalize_engine(d);
	case CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR:
		return finalize_knob(d);
	case CUDNN_BACKEND_ENGINECFG_DESCRIPTOR:
		return finalize_config(d);
	case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
		return finalize_plan(d);
	case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
		return CUDNN_STATUS_SUCCESS;
	default:
		return refuse(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "a descriptor that nobody finalises", (int)d->type);
	}
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
	struct descriptor *d = descriptor;
	for (const struct rule *rule = rules; rule < rules + N_RULES; rule++)
		if (rule->descriptor == d->type && !find(d, rule->name))
			return refuse(CUDNN_STATUS_BAD_PARAM, "an attribute is missing", (int)rule->name);
	cudnnStatus_t status = finalize(d);
	d->finalized = !status;
	return status;
}

// The configurations of one mode. Each is written into a descriptor that is there already.
static void list_configs(const struct descriptor *heuristics, int64_t room, int64_t *count, struct descriptor *const *configs)
{
	cudnnBackendHeurMode_t mode;
	get(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, &mode, sizeof mode);
	int first = mode == CUDNN_HEUR_MODE_A ? 0 : fake.n_mode_a,
	    last = mode == CUDNN_HEUR_MODE_A ? fake.n_mode_a : fake.n_engines;
	*count = 0;
	for (int i = first; i < last && *count < room; i++) {
		struct descriptor *config = configs[(*count)++];
		config->job = heuristics->job;
		config->engine = i;
		config->tile = fake.engines[i].tile_from && config->job.tensors[0].dims[0] >= fake.engines[i].tile_from ? 2 : 1;
		config->finalized = true;
	}
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor, cudnnBackendAttributeName_t name,
				       cudnnBackendAttributeType_t type, int64_t room, int64_t *count, void *elements)
{
	const struct descriptor *d = descriptor;
	if (!d->finalized)
		return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "asked before it is finalised", (int)name);
	if (d->type == CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR && name == CUDNN_ATTR_ENGINEHEUR_RESULTS &&
	    type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
		list_configs(d, room, count, elements);
	} else if (d->type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR && name == CUDNN_ATTR_ENGINECFG_ENGINE &&
		   type == CUDNN_TYPE_BACKEND_DESCRIPTOR && room == 1) {
		struct descriptor *engine = *(struct descriptor **)elements;
		engine->engine = d->engine;
		engine->finalized = true;
		*count = 1;
	} else if (d->type == CUDNN_BACKEND_ENGINECFG_DESCRIPTOR && name == CUDNN_ATTR_ENGINECFG_KNOB_CHOICES &&
		   type == CUDNN_TYPE_BACKEND_DESCRIPTOR && room >= 1) {
		struct descriptor *choice = *(struct descriptor **)elements;
		choice->tile = d->tile;
		choice->finalized = true;
		*count = 1;
	} else if (d->type == CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR && name == CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE &&
		   type == CUDNN_TYPE_KNOB_TYPE && room == 1) {
		*(cudnnBackendKnobType_t *)elements = CUDNN_KNOB_TYPE_TILE_SIZE;
		*count = 1;
	} else if (d->type == CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR && name == CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE &&
		   type == CUDNN_TYPE_INT64 && room == 1) {
		*(int64_t *)elements = d->tile;
		*count = 1;
	} else if (d->type == CUDNN_BACKEND_ENGINE_DESCRIPTOR && name == CUDNN_ATTR_ENGINE_GLOBAL_INDEX &&
		   type == CUDNN_TYPE_INT64 && room == 1) {
		*(int64_t *)elements = d->engine;
		*count = 1;
	} else if (d->type == CUDNN_BACKEND_ENGINE_DESCRIPTOR && name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE &&
		   type == CUDNN_TYPE_NUMERICAL_NOTE && room >= CUDNN_NUMERICAL_NOTE_TYPE_COUNT) {
		*count = fake.engines[d->engine].n_notes;
		memcpy(elements, fake.engines[d->engine].notes, (size_t)*count * sizeof(cudnnBackendNumericalNote_t));
	} else if (d->type == CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR && name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE &&
		   type == CUDNN_TYPE_INT64 && room == 1) {
		*(int64_t *)elements = (int64_t)d->job.workspace_bytes;
		*count = 1;
	} else {
		return refuse(CUDNN_STATUS_BAD_PARAM, "this descriptor has no such attribute to get", (int)name);
	}
	return CUDNN_STATUS_SUCCESS;
}

// The plan's job with the pack's pointers in it.
static cudnnStatus_t fill_job(const struct descriptor *plan, const struct descriptor *pack, struct job *job)
{
	int64_t ids[3];
	float *pointers[3];
	*job = plan->job;
	get(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, ids, sizeof ids);
	get(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, pointers, sizeof pointers);
	get(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, &job->workspace, sizeof job->workspace);
	for (int t = 0; t < 3; t++)
		for (int i = 0; i < 3; i++)
			if (ids[i] == job->tensors[t].id)
				job->pointers[t] = pointers[i];
	for (int t = 0; t < 3; t++)
		if (!job->pointers[t] || (uintptr_t)job->pointers[t] % (uintptr_t)job->tensors[t].alignment)
			return refuse(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "a pointer that is missing or not aligned", t);
	if (job->workspace_bytes && !job->workspace)
		return refuse(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no workspace", plan->engine);
	return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t execution_plan,
				  cudnnBackendDescriptor_t variant_pack)
{
	struct descriptor *plan = execution_plan, *pack = variant_pack;
	if (!plan->finalized || !pack->finalized || plan->n_jobs == MAX_JOBS)
		return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "a plan or pack that is not finalised, or too many jobs",
			      plan->n_jobs);
	if (fake.executions_left == 0)
		return refuse(CUDNN_STATUS_EXECUTION_FAILED, "it was asked to fail", plan->engine);
	fake.executions_left -= fake.executions_left > 0;
	struct job *job = malloc(sizeof *job);
	cudnnStatus_t status = fill_job(plan, pack, job);
	if (!status && cudaLaunchHostFunc(handle->stream, fake_compute, job))
		status = refuse(CUDNN_STATUS_EXECUTION_FAILED, "the stream takes nothing", plan->engine);
	if (status) {
		free(job);
		return status;
	}
	plan->jobs[plan->n_jobs++] = job;
	return CUDNN_STATUS_SUCCESS;
}
