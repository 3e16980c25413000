// Runs a fuzz target over files without libFuzzer: `replay-NAME PATH…`, a path being a file or a directory of them. Any
// compiler can build it, so that what fuzzing once found is tested every time.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

// A copy in memory of exactly its size, so that a sanitizer sees the first byte read beyond it. False if unreadable.
static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	uint8_t *bytes = NULL;
	int ok = file && fstat(fileno(file), &st) == 0 && (bytes = malloc((size_t)st.st_size + !st.st_size)) &&
		 fread(bytes, 1, (size_t)st.st_size, file) == (size_t)st.st_size;
	if (ok)
		LLVMFuzzerTestOneInput(bytes, (size_t)st.st_size);
	else
		perror(path);
	free(bytes);
	if (file)
		fclose(file);
	return ok;
}

// How many files were run, or -1 if one could not be read.
static int run_path(const char *path)
{
	DIR *directory = opendir(path);
	if (!directory)
		return run_file(path) ? 1 : -1;
	int n = 0;
	struct dirent *entry;
	while (n >= 0 && (entry = readdir(directory))) {
		char name[4096];
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
		n = run_file(name) ? n + 1 : -1;
	}
	closedir(directory);
	return n;
}

int main(int argc, char **argv)
{
	int total = 0;
	for (int i = 1; i < argc; i++) {
		int n = run_path(argv[i]);
		if (n < 0)
			return 1;
		total += n;
	}
	printf("%s: %d inputs\n", argv[0], total);
	return total == 0; // an empty corpus tests nothing
}
