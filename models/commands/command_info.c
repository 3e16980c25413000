// `lenet info`: prints the layers of a weights file, with parameters and connections as the paper counts them, and its metadata.
#include "models/measure.h"
#include "models/commands/options.h"
#include "models/work.h"

#include <stdio.h>

enum { KEY_WIDTH = 24 };

static void print_layers(const struct lenet5 *net)
{
	static const char *const activations[] = {
		[LENET5_IDENTITY] = "", [LENET5_SIGMOID] = "sigmoid",   [LENET5_RELU] = "ReLU",
		[LENET5_TANH] = "tanh", [LENET5_SQUASH] = "1.7159tanh",
	};
	printf("layer      output  activation  parameters  connections\n");
	for (enum lenet5_layer layer = LENET5_INPUT; layer < LENET5_N_LAYERS; layer++) {
		const struct lenet5_shape *shape = &lenet5_shapes[layer];
		char output[32];
		if (shape->height > 1)
			snprintf(output, sizeof output, "%d@%dx%d", shape->maps, shape->height, shape->width);
		else
			snprintf(output, sizeof output, "%d", shape->maps);
		struct work w = work_of_layer(net, layer);
		printf("%-8s %8s  %-10s  %10zu  %11zu\n", shape->name, output, activations[net->activation[layer]], w.params,
		       w.connections);
	}
	printf("%-8s %8s  %-10s  %10zu  %11zu\n\n", "in all", "", "", net->n_trainable, net->n_connections);
}

// Prints control characters as '?': a terminal would obey them. Returns the number of characters printed.
static int print_clean(const char *text)
{
	int n = 0;
	for (; text[n]; n++)
		putchar((unsigned char)text[n] < 0x20 || text[n] == 0x7f ? '?' : text[n]);
	return n;
}

int command_info(const struct program *program, int argc, char **argv)
{
	(void)program;
	const char *network = NULL, *name;
	const struct option options[] = {
		{ "network", "NAME", "network of a weights file that does not name it: sigmoid, relu or 1998", .text = &network },
	};
	const struct usage usage = {
		"info", "[FILE]", "Shows what a weights file holds, or the built-in model.", options, 1, 0, 1
	};
	struct err e;
	struct weights w = { 0 };
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	if (measure_model(argc ? argv[0] : NULL, network, &w, &name, &e))
		return options_fail(&usage, &e);

	printf("%s: network %s (%s)\n\n", name, w.net->name, w.net->summary);
	print_layers(w.net);
	printf("%-*s%.6g, %.6g\n", KEY_WIDTH, "input mean, std", (double)w.mean, (double)w.std);
	if (w.momentum)
		printf("%-*syes: a checkpoint\n", KEY_WIDTH, "momentum");
	printf("%-*s%.6g, %.6g%s\n", KEY_WIDTH, "temperature, threshold", (double)w.calibration.temperature,
	       (double)w.calibration.threshold, w.is_calibrated ? "" : " (the defaults; `lenet calibrate` fits them)");
	for (int i = 0; i < w.n_meta; i++) {
		int n = print_clean(w.meta[i].key);
		printf("%*s", n < KEY_WIDTH ? KEY_WIDTH - n : 1, "");
		print_clean(w.meta[i].value);
		putchar('\n');
	}
	weights_free(&w);
	return 0;
}
