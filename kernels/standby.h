// standby: an engine made of two, for a server that must go on answering. The first computes until it is lost (engine_lost); then the
// second computes, beginning with the call that found the loss, so that no caller sees a failure. Models and contexts are made in
// both. It only serves: it has no trainers and no peak.
#pragma once

#include "core/engine.h"

struct standby_watch {
	// Called once, on the thread whose call found the loss, before the second engine answers that call. why: the first's error.
	void (*lost)(void *arg, const struct engine *first, const struct err *why);
	void *arg;
};

// Takes ownership of both engines and closes them with *engine; after a failure the caller still owns them. *engine has the first
// one's name, and is not lost when the first is.
int standby_open(struct engine *first, struct engine *second, const struct standby_watch *watch, struct engine **engine,
		 struct err *e);
