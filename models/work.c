// A tensor belongs to the layer whose name stands before its dot; each number is used once a pixel of that layer's maps.
#include "models/work.h"

#include <string.h>

struct work work_of_layer(const struct lenet5 *net, enum lenet5_layer layer)
{
	const struct lenet5_shape *shape = &lenet5_shapes[layer];
	size_t n = strlen(shape->name), uses = (size_t)shape->height * (size_t)shape->width;
	struct work w = { 0 };
	for (int t = 0; t < net->n_tensors; t++) {
		const struct lenet5_tensor *tensor = &net->tensors[t];
		if (strncmp(tensor->name, shape->name, n) != 0 || tensor->name[n] != '.')
			continue;
		w.params += tensor->count;
		w.connections += tensor->count * uses;
		if (tensor->n_dims > 1)
			w.multiplies += tensor->count * uses;
	}
	return w;
}

double work_forward(const struct lenet5 *net)
{
	double multiplies = 0;
	for (enum lenet5_layer layer = LENET5_INPUT; layer < LENET5_N_LAYERS; layer++)
		multiplies += (double)work_of_layer(net, layer).multiplies;
	return 2 * multiplies;
}

double work_training(const struct lenet5 *net)
{
	return 3 * work_forward(net) - 2 * (double)work_of_layer(net, LENET5_C1).multiplies;
}
