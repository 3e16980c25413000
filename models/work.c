// A tensor's name begins with its layer's; each of its numbers is used once for each pixel of that layer's maps.
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
		enum lenet5_parameter which = tensor->parameter;
		size_t count = which == LENET5_C3_WEIGHT ? 25 * (size_t)lenet5_n_links(net) : tensor->count;
		size_t inputs = which == LENET5_S2_WEIGHT || which == LENET5_S4_WEIGHT ? 4 : 1;
		bool centres = which == LENET5_OUTPUT_WEIGHT && net->output == LENET5_PENALTIES;
		w.params += centres ? 0 : count;
		w.connections += count * uses * inputs;
		if (strcmp(tensor->name + n, ".weight") == 0)
			w.multiplies += count * uses;
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
