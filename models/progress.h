// progress: one redrawn line on a terminal; nothing anywhere else. Belongs to one thread.
#pragma once

#include <stdbool.h>

struct progress {
	bool live; // standard error is a terminal
	bool shown; // the line is on the screen
	double begun, drawn; // seconds
};

double progress_now(void); // seconds of a clock that only goes forward

void progress_begin(struct progress *p);

// "what [=====>    ] tail, 1:23 left". done: 0..1, since progress_begin, which the time left is reckoned from. Draws ten
// times a second at most, and never more than the terminal's width.
void progress_show(struct progress *p, const char *what, double done, const char *tail);

void progress_clear(struct progress *p); // before anything else is printed
