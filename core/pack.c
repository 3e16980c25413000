// One walk over the parameters serves both ways.
#include "core/pack.h"

static size_t place_of(const struct pack_place *p, size_t i)
{
	int rest = (int)i, at = 0;
	for (int d = 3; d >= 0; rest /= p->n[d--])
		at += rest % p->n[d] * p->stride[d];
	return p->at + (size_t)at;
}

void pack_parameters(const struct lenet5 *net, const struct pack_place *places, const float *params, float *packed)
{
	for (const struct lenet5_tensor *t = net->tensors; t < net->tensors + net->n_tensors; t++)
		for (size_t i = 0; i < t->count; i++)
			packed[place_of(&places[t->parameter], i)] = params[t->offset + i];
}

void pack_parameters_back(const struct lenet5 *net, const struct pack_place *places, const float *packed, float *params)
{
	for (const struct lenet5_tensor *t = net->tensors; t < net->tensors + net->n_tensors; t++)
		for (size_t i = 0; i < t->count; i++)
			params[t->offset + i] = packed[place_of(&places[t->parameter], i)];
}
