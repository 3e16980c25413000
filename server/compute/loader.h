// loader: loads models on a thread of its own, one after the other, and whatever else is to be read again after SIGHUP. Files may lie
// on storage that stalls, and nobody can take back a read that has begun: so nobody waits for one who has something else to do.
#pragma once

#include "core/err.h"
#include "server/compute/models.h"

#include <stdbool.h>

struct loader;

enum { LOADER_MAX_WAITING = 32 };

enum loader_result {
	LOADER_OK,
	LOADER_FAILED, // error says why; the old model stays
	LOADER_FULL, // so many wait already
	LOADER_STOPPED,
};

// The caller's memory, untouchable between submit and done.
struct loader_job {
	char name[MODELS_MAX_NAME];
	void (*done)(struct loader_job
			     *); // once, on the loader's thread or in loader_stop, without locks; the job is the caller's again
	enum loader_result result;
	struct err error;
	struct loader_job *next; // the loader's own
};

struct loader_options {
	struct models *models; // borrowed
	void (*reload)(void *arg); // what loader_reload asks for
	void *arg;
};

int loader_open(const struct loader_options *options, struct loader **loader, struct err *e);

// LOADER_OK: done will be called, maybe before this returns. Otherwise it will not. Any thread.
enum loader_result loader_submit(struct loader *loader, struct loader_job *job);

// Calls reload() on the loader's thread before the next job; once, if it is asked for again before it begins. Any thread.
void loader_reload(struct loader *loader);

// Ends the thread: jobs that it has not begun are done as stopped, and so is the one that it is at after patience_ms. True: the thread
// is gone. False: it is still at it, and whatever it uses, the loader too, has to stay until the process ends. NULL: true.
bool loader_stop(struct loader *loader, int patience_ms);

void loader_close(struct loader *loader); // after loader_stop said true; NULL is fine
