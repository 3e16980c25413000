// loader: a thread of its own that loads models, one after the other, and whatever else SIGHUP has the daemon read again. Files may
// lie on storage that stalls, and a read cannot be cancelled, so no other thread waits for one.
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
	void (*done)(struct loader_job *job);
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

// LOADER_OK: done will be called, maybe before this returns. Otherwise it will not. Any thread.
enum loader_result loader_submit(struct loader *loader, struct loader_job *job);

// Has reload() called on the loader's thread before the next job. Several calls before it begins count as one. Any thread.
void loader_reload(struct loader *loader);

// Ends the thread. Waiting jobs are done with LOADER_STOPPED at once, the current one after timeout_ms. False: the thread is still
// reading, and whatever it uses, the loader included, must stay until the process ends. NULL: true.
bool loader_stop(struct loader *loader, int timeout_ms);

void loader_close(struct loader *loader); // after loader_stop returned true; NULL is fine
