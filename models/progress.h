// progress: a progress line on standard error, if that is a terminal. Belongs to one thread.
#pragma once

#include <stdbool.h>

struct progress {
	bool live; // standard error is a terminal
	bool shown; // the line is on the screen
	double begun, drawn; // seconds
};

double progress_now(void); // seconds of the monotonic clock

void progress_begin(struct progress *p);

// Draws "what [=====>    ] tail, 1:23 left", at most ten times a second. done: 0..1, the part done since progress_begin.
void progress_show(struct progress *p, const char *what, double done, const char *tail);

void progress_clear(struct progress *p); // call before printing anything else
