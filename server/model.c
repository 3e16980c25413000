// The file's own memory is given back as soon as the engine has packed the parameters.
#include "server/model.h"

#include "core/builtin.h"
#include "core/weights.h"

#include <stdio.h>
#include <string.h>

static void set_name(struct model *model, const char *path, const char *network)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	snprintf(model->name, sizeof model->name, "%s", slash ? slash + 1 : path ? path : network);
	size_t n = strlen(model->name);
	if (n > 4 && strcmp(model->name + n - 4, ".bin") == 0)
		model->name[n - 4] = 0;
}

int model_open(struct engine *engine, const char *path, const char *network, struct model *model, struct err *e)
{
	struct weights w = { 0 };
	if (path ? weights_read(path, network, &w, e) : builtin_read(&w, e))
		return -1;
	struct model m = { .name = "" };
	struct engine_network numbers = { w.net, w.mean, w.std, w.params };
	int failed = engine_model_new(engine, &numbers, &m.engine_model, e);
	if (!failed) {
		set_name(&m, path, w.net->name);
		snprintf(m.description, sizeof m.description, "%s (%.160s, network %s)", m.name, path ? path : "built in",
			 w.net->name);
		*model = m;
	}
	weights_free(&w);
	return failed;
}

void model_close(struct model *model)
{
	engine_model_unref(model->engine_model);
	*model = (struct model){ .name = "" };
}
