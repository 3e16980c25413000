// scratch: a directory of one test's own under TMPDIR or /tmp, removed with what is in it.
#pragma once

enum { SCRATCH_PATHS = 16 };

struct scratch {
	char dir[256];
	char paths[SCRATCH_PATHS][512];
	int n_paths;
};

struct scratch scratch_new(void); // ends the program if it cannot be made
void scratch_free(struct scratch *s);

// DIR/NAME; stays as long as the scratch. At most SCRATCH_PATHS of them.
const char *scratch_path(struct scratch *s, const char *name);

int scratch_count(const struct scratch *s); // of entries in the directory
