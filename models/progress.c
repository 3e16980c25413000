// Each drawing asks for the terminal's width, so a resize needs no signal. A line never reaches the last column, where some terminals
// wrap.
#include "models/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

double progress_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_begin(struct progress *p)
{
	const char *term = getenv("TERM");
	*p = (struct progress){
		.live = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0),
		.begun = progress_now(),
	};
}

void progress_show(struct progress *p, const char *what, double done, const char *tail)
{
	enum { BAR = 24, MAX_WIDTH = 160 };
	double now = progress_now();
	if (!p->live || (p->shown && now - p->drawn < 0.1))
		return;
	p->drawn = now;
	p->shown = true;

	char bar[BAR + 1];
	int filled = (int)(done * BAR);
	for (int i = 0; i < BAR; i++)
		bar[i] = i < filled ? '=' : i == filled ? '>' : ' ';
	bar[BAR] = '\0';

	char left[32] = "";
	double seconds = done > 0 && now - p->begun > 1 ? (now - p->begun) * (1 - done) / done : -1;
	if (seconds >= 0 && seconds < 1e8)
		snprintf(left, sizeof left, ", %d:%02d left", (int)seconds / 60, (int)seconds % 60);

	struct winsize size;
	int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
	char line[MAX_WIDTH];
	snprintf(line, sizeof line, "%s [%s] %s%s", what, bar, tail, left);
	fprintf(stderr, "\r%.*s\033[K", width - 1, line);
	fflush(stderr);
}

void progress_clear(struct progress *p)
{
	if (!p->shown)
		return;
	fprintf(stderr, "\r\033[K");
	fflush(stderr);
	p->shown = false;
}
