// The engine is open only while it predicts; the results stay valid after it is closed.
#include "models/commands/evaluation.h"

#include "models/commands/options.h"

#include <stdlib.h>

int evaluation_run(const struct program *program, const struct evaluation_choice *choice, struct evaluation *v, struct err *e)
{
	struct engine *engine;
	struct engine_context *context = NULL;
	uint32_t first = (uint32_t)choice->from, n = (uint32_t)choice->count;
	if (measure_model(choice->model, choice->network, &v->weights, &v->model, e) ||
	    measure_data(choice->data, IDX_TEST, &v->all, &v->dir, e))
		return -1;
	if (first + n > v->all.n)
		return err_set(e, "%u pictures from number %u on: %s has only %u", n, first, v->dir, v->all.n);
	v->test = (struct idx){ n ? n : v->all.n - first, v->all.pixels + (size_t)first * LENET5_PIXELS, v->all.labels + first };
	v->predictions = malloc(v->test.n * sizeof *v->predictions);
	if (!v->predictions)
		return err_set(e, "out of memory");
	if (options_open_engine(program, &choice->engine, &engine, e))
		return -1;
	const struct weights *w = &v->weights;
	const struct engine_network network = { w->net, w->mean, w->std, w->params };
	int status = engine_context_open(engine, MEASURE_BATCH, choice->threads, &context, e);
	if (!status)
		status = measure_network(context, &network, w->calibration.temperature, &v->test, v->predictions, &v->measure, e);
	for (uint32_t i = 0; i < v->test.n && !status; i++)
		v->confusion[v->test.labels[i]][v->predictions[i].digit]++;
	engine_context_close(context);
	engine_close(engine);
	return status;
}

void evaluation_fini(struct evaluation *v)
{
	free(v->predictions);
	idx_free(&v->all);
	weights_free(&v->weights);
}
