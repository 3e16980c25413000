// standby: an engine made of two, for those who must answer. While the first lives it computes alone; once it is lost
// (engine_lost) the second does, from the very call that saw the loss on, so that no caller sees it. What is made with the
// pair is made in both, a model as much as a context, so that a model keeps its numbers wherever it is computed. It serves:
// there are no trainers, and no peak.
#pragma once

#include "core/engine.h"

struct standby_watch {
	// Told once, on the thread whose call saw the loss, before the second engine answers that call. why: what the first said.
	void (*lost)(void *arg, const struct engine *first, const struct err *why);
	void *arg;
};

// Takes both engines over, and closes them when *engine is closed; after a failure they are the caller's still. *engine has
// the first one's name, and is not lost with it.
int standby_open(struct engine *first, struct engine *second, const struct standby_watch *watch, struct engine **engine,
		 struct err *e);
