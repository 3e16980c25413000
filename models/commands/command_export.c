// `lenet export`: a network in another program's format.
#include "core/file.h"
#include "models/commands/command.h"
#include "models/measure.h"
#include "models/onnx.h"
#include "models/commands/options.h"

#include <stdio.h>
#include <stdlib.h>

int command_export(const struct program *program, int argc, char **argv)
{
	(void)program;
	const char *model = NULL, *network = NULL, *onnx = NULL, *name;
	const struct option options[] = {
		{ "onnx", "FILE", "write an ONNX model: ink (n, 1, 28, 28) in 0..1 to logits (n, 10)", .text = &onnx },
		{ "model", "FILE", "a weights file (the built-in model)", .text = &model },
		{ "network", "NAME", "the network, where the file does not say", .text = &network },
	};
	const struct usage usage = { "export", "", "\nWrites a network for other runtimes: sigmoid or relu.", options, 3 };
	struct weights w = { 0 };
	uint8_t *bytes = NULL;
	size_t n;
	int status;
	struct err e;
	if (!options_parse(&usage, &argc, argv, &status))
		return status;
	if (argc)
		return options_wrong(&usage, "what is \"%s\"? A model is named by --model", argv[0]);
	if (!onnx)
		return options_wrong(&usage, "in which format? --onnx FILE");
	status = measure_model(model, network, &w, &name, &e);
	if (!status && onnx_encode(&w, &bytes, &n, &e))
		status = err_prefix(&e, "%s", name);
	if (!status)
		status = file_write(onnx, bytes, n, &e);
	free(bytes);
	weights_free(&w);
	return status ? options_fail(&usage, &e) : 0;
}
