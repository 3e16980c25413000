// `lenet export`: writes a network in the format of other programs.
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
		{ "onnx", "FILE", "ONNX file to write: input (n, 1, 28, 28), 0 to 1; output logits (n, 10)", .text = &onnx },
		{ "model", "FILE", "weights file to read (the built-in model)", .text = &model },
		{ "network", "NAME", "network of a weights file that does not name it: sigmoid, relu or 1998", .text = &network },
	};
	const struct usage usage = { "export", "", "Writes a network, sigmoid or relu, for other runtimes.", options, 3, 0, 0 };
	struct weights w = { 0 };
	uint8_t *bytes = NULL;
	size_t n;
	struct err e;
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	if (!onnx)
		return options_wrong(&usage, "give the file to write: --onnx FILE");
	status = measure_model(model, network, &w, &name, &e);
	if (!status && onnx_encode(&w, &bytes, &n, &e))
		status = err_prefix(&e, "%s", name);
	if (!status)
		status = file_write(onnx, bytes, n, &e);
	free(bytes);
	weights_free(&w);
	return status ? options_fail(&usage, &e) : 0;
}
