// loader: a thread that loads models one after another, and reads all files again after SIGHUP. Files may lie on storage that stalls,
// and a read cannot be cancelled, so only this thread reads files while the daemon serves.
#pragma once

#include "core/err.h"
#include "server/compute/models.h"

#include <stdbool.h>

struct loader;

enum { LOADER_MAX_WAITING = 32 };

enum loader_result {
	LOADER_OK,
	LOADER_FAILED, // error says why; the old model stays
	LOADER_FULL, // LOADER_MAX_WAITING jobs are waiting already
	LOADER_STOPPED,
};

// In the caller's memory, which must not be touched between submit and done.
struct loader_job {
	char name[MODELS_MAX_NAME];
	// Called once, without locks, on the loader's thread or in loader_stop; the job then belongs to the caller again.
	void (*done)(void *arg);
	void *done_arg;
	enum loader_result result;
	struct err error;
	struct loader_job *next; // the loader's own
};

struct loader_options {
	struct models *models; // borrowed
	void (*reload)(void *arg); // called after loader_reload
	void *arg;
};

int loader_open(const struct loader_options *options, struct loader **loader, struct err *e);

// LOADER_OK: done will be called, perhaps before this returns. Otherwise it will not, and job->result is the same. Any thread.
enum loader_result loader_submit(struct loader *loader, struct loader_job *job);

// Requests a call of reload() on the loader's thread before the next job. Several requests before it begins count as one. Any thread.
void loader_reload(struct loader *loader);

// Ends the thread. Waiting jobs are done with LOADER_STOPPED at once, and the current one if it is not done after timeout_ms. False: the
// thread is still reading, so everything that it uses, and the loader, must stay until the process ends. NULL: true.
bool loader_stop(struct loader *loader, int timeout_ms);

void loader_close(struct loader *loader); // after loader_stop returned true; NULL is fine
