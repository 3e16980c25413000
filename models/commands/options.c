// One pass over argv fills the variables that the table points to. The same table is the help, so the two cannot differ. Nothing here
// exits: a command returns its status to main.
#include "models/commands/options.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *dashes(const struct option *o)
{
	return o->name[1] ? "--" : "-";
}

static int print_help(const struct usage *usage)
{
	const char *space = usage->arguments[0] ? " " : "";
	printf("usage: lenet %s%s%s [OPTION]...\n\n%s\n\noptions:\n", usage->command, space, usage->arguments, usage->help);
	for (int i = 0; i < usage->n_options; i++) {
		const struct option *o = &usage->options[i];
		char left[64];
		snprintf(left, sizeof left, "%s%s %s", dashes(o), o->name, o->value ? o->value : "");
		printf("  %-26s %s\n", left, o->help);
	}
	return 0;
}

static bool same_name(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i]))
			return false;
	return b[n] == '\0';
}

static const struct option *find(const struct usage *usage, const char *name, size_t n)
{
	for (int i = 0; i < usage->n_options; i++)
		if (n && same_name(name, usage->options[i].name, n))
			return &usage->options[i];
	return NULL;
}

static int min(int a, int b)
{
	return a < b ? a : b;
}

// The Levenshtein distance of the first 31 characters.
static int distance(const char *a, const char *b)
{
	int row[32];
	int n = (int)strnlen(b, 31);
	for (int j = 0; j <= n; j++)
		row[j] = j;
	for (int i = 0; a[i] && i < 31; i++) {
		int diagonal = row[0];
		row[0] = i + 1;
		for (int j = 1; j <= n; j++) {
			int replaced = diagonal + (a[i] != b[j - 1]);
			diagonal = row[j];
			row[j] = min(replaced, 1 + min(row[j], row[j - 1]));
		}
	}
	return row[n];
}

static int unknown(const struct usage *usage, const char *argument)
{
	char name[32];
	snprintf(name, sizeof name, "%.*s", (int)strcspn(argument, "="), argument);
	const char *bare = name + strspn(name, "-");
	char near[512] = "";
	for (int pass = 0; pass < 2 && !near[0]; pass++) {
		for (int i = 0; i < usage->n_options; i++) {
			const struct option *o = &usage->options[i];
			size_t used = strlen(near);
			if (pass || (o->name[1] && distance(bare, o->name) <= 1 + (int)strlen(o->name) / 4))
				snprintf(near + used, sizeof near - used, "%s%s%s", used ? ", " : "", dashes(o), o->name);
		}
		if (near[0] && !pass)
			return options_wrong(usage, "there is no option %s; did you mean %s?", argument, near);
	}
	return options_wrong(usage, "there is no option %s; there are: %s", argument, near[0] ? near : "none");
}

static bool read_count(const struct option *o, const char *value)
{
	char *end;
	errno = 0;
	long n = strtol(value, &end, 10);
	if (errno || end == value || *end || n < !o->zero || n > o->max)
		return false;
	*o->count = (int)n;
	return true;
}

int options_parse(const struct usage *usage, int *argc, char **argv)
{
	int kept = 0;
	bool options = true;
	for (int i = 1; i < *argc; i++) {
		char *argument = argv[i];
		if (!options || argument[0] != '-' || !argument[1]) {
			argv[kept++] = argument;
			continue;
		}
		if (strcmp(argument, "--") == 0) {
			options = false;
			continue;
		}
		if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0)
			return print_help(usage);
		const char *name = argument + (argument[1] == '-' ? 2 : 1);
		size_t n = strcspn(name, "=");
		const struct option *o = find(usage, name, n);
		if (!o || (argument[1] == '-') != (o->name[1] != '\0'))
			return unknown(usage, argument);
		const char *value = name[n] ? name + n + 1 : NULL;
		if ((o->flag || o->preset) && value)
			return options_wrong(usage, "--%s takes no value", o->name);
		if (o->flag) {
			*o->flag = true;
			continue;
		}
		if (o->preset) {
			fprintf(stderr, "lenet %s: warning: --%s is the %s\n", usage->command, o->name, o->help);
			*o->text = o->preset;
			continue;
		}
		if (!value && i + 1 < *argc)
			value = argv[++i];
		if (!value)
			return options_wrong(usage, "%s%s needs a value: %s (%s)", dashes(o), o->name, o->value, o->help);
		if (o->text)
			*o->text = value;
		else if (!read_count(o, value))
			return options_wrong(usage, "--%s %s: want a whole number from %d to %d", o->name, value, !o->zero, o->max);
	}
	*argc = kept;
	if (kept < usage->min_arguments)
		return options_wrong(usage, "an argument is missing; usage: lenet %s %s", usage->command, usage->arguments);
	if (kept > usage->max_arguments)
		return options_wrong(usage, "unexpected argument \"%s\"%s", argv[usage->max_arguments],
				     find(usage, "model", 5) ? "; name a weights file with --model" : "");
	return OPTIONS_OK;
}

int options_fail(const struct usage *usage, const struct err *e)
{
	fprintf(stderr, "lenet %s: %s\n", usage->command, e->msg);
	return 1;
}

int options_wrong(const struct usage *usage, const char *format, ...)
{
	fprintf(stderr, "lenet %s: ", usage->command);
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n`lenet help %s` lists arguments and options\n", usage->command);
	return 2;
}

int options_open_engine(const struct program *program, const struct engine_choice *choice, struct engine **engine, struct err *e)
{
	char why[ENGINE_WHY_BYTES];
	if (program->engine_open(choice, engine, why, sizeof why, e))
		return -1;
	if (!(*engine)->quick)
		fprintf(stderr, "%s\n", why);
	return 0;
}

int options_default_threads(void)
{
	cpu_set_t cpus;
	if (sched_getaffinity(0, sizeof cpus, &cpus))
		return 1;
	return min(CPU_COUNT(&cpus), OPTIONS_MAX_THREADS);
}
