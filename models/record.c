// A checkpoint says how many steps and epochs are done. Resuming keeps so many lines and drops later ones, so the finished files are
// the same as without a break. Lines are written to the disk before the checkpoint that counts them.
#include "models/record.h"

#include "core/weights.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int join(char **path, const char *base, int n, const char *ending, struct err *e)
{
	if (asprintf(path, "%.*s%s", n, base, ending) >= 0)
		return 0;
	*path = NULL;
	return err_set(e, "out of memory");
}

int record_init(struct record *record, const char *out, struct err *e)
{
	struct record r = { 0 };
	struct stat s;
	size_t n = strlen(out);
	if (n == 0 || (stat(out, &s) == 0 && !S_ISREG(s.st_mode))) // refuse it now, not after hours of training
		return err_set(e, "\"%s\": not the name of a file to write", out);
	if (n > 4 && strcmp(out + n - 4, ".bin") == 0 && out[n - 5] != '/')
		n -= 4;
	if (n > 4096)
		return err_set(e, "%.40s...: too long a name", out);
	if (join(&r.steps_path, out, (int)n, ".steps.csv", e) || join(&r.epochs_path, out, (int)n, ".epochs.csv", e) ||
	    join(&r.checkpoint_path, out, (int)n, ".checkpoint", e)) {
		record_fini(&r);
		return -1;
	}
	*record = r;
	return 0;
}

void record_fini(struct record *record)
{
	if (record->steps)
		fclose(record->steps);
	if (record->epochs)
		fclose(record->epochs);
	free(record->steps_path);
	free(record->epochs_path);
	free(record->checkpoint_path);
	*record = (struct record){ 0 };
}

// Opens a file for writing after its first line and n_lines more; with n_lines 0 creates it with the line `head`.
static FILE *open_cut(const char *path, const char *head, uint64_t n_lines, struct err *e)
{
	FILE *f = fopen(path, n_lines ? "r+e" : "w+e");
	if (!f) {
		err_errno(e, "%s", path);
		return NULL;
	}
	uint64_t n = 0;
	int c;
	while (n_lines && n < n_lines + 1 && (c = getc(f)) != EOF)
		n += c == '\n';
	off_t end = ftello(f);
	if (n_lines && n < n_lines + 1)
		err_set(e, "%s: the checkpoint needs %llu lines, the file has %llu; train anew without --resume", path,
			(unsigned long long)n_lines, (unsigned long long)(n ? n - 1 : 0));
	else if (n_lines ? end < 0 || ftruncate(fileno(f), end) || fseeko(f, 0, SEEK_END) : fputs(head, f) < 0 || fflush(f))
		err_errno(e, "%s", path);
	else
		return f;
	fclose(f);
	return NULL;
}

int record_begin(struct record *record, const char *measured, uint64_t n_steps, uint64_t n_epochs, struct err *e)
{
	char head[128];
	snprintf(head, sizeof head, "epoch,train_loss,%s_accuracy,%s_loss\n", measured, measured);
	record->steps = open_cut(record->steps_path, RECORD_STEPS_HEAD "\n", n_steps, e);
	record->epochs = record->steps ? open_cut(record->epochs_path, head, n_epochs, e) : NULL;
	return record->epochs ? 0 : -1;
}

int record_step(struct record *record, uint64_t step, uint32_t epoch, uint64_t seen, float rate, float loss, struct err *e)
{
	if (fprintf(record->steps, "%llu,%u,%llu,%.9g,%.9g\n", (unsigned long long)step, epoch, (unsigned long long)seen,
		    (double)rate, (double)loss) < 0)
		return err_errno(e, "%s", record->steps_path);
	return 0;
}

int record_epoch(struct record *record, uint32_t epoch, double loss, const struct measure *m, struct err *e)
{
	if (fprintf(record->epochs, "%u,%.9g,%.9g,%.9g\n", epoch, loss, measure_accuracy(m), m->loss) < 0)
		return err_errno(e, "%s", record->epochs_path);
	return 0;
}

int record_flush(struct record *record, bool to_disk, struct err *e)
{
	if (fflush(record->steps) || (to_disk && fsync(fileno(record->steps))))
		return err_errno(e, "%s", record->steps_path);
	if (fflush(record->epochs) || (to_disk && fsync(fileno(record->epochs))))
		return err_errno(e, "%s", record->epochs_path);
	return 0;
}

int record_recipe(const char *weights, struct recipe *recipe, struct err *e)
{
	struct weights w = { 0 };
	if (weights_read(weights, NULL, &w, e))
		return -1;
	const char *text = weights_get(&w, "recipe");
	int status = text ? recipe_parse(text, weights, NULL, recipe, e) : err_set(e, "%s: holds no recipe", weights);
	weights_free(&w);
	return status;
}
