// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Small tools.
 */

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "access.h"

bool instructions;

void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

int must(int ret, const char *what)
{
	if (ret < 0)
		die("%s: %s", what, strerror(-ret));
	return ret;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct summary costs_summary(struct costs *c)
{
	struct summary s = { .nr = c->nr };
	size_t i;

	if (!c->nr)
		return s;
	qsort(c->v, c->nr, sizeof(c->v[0]), compare);
	s.min = c->v[0];
	s.median = c->v[c->nr / 2];
	for (i = 0; i < c->nr; i++)
		s.mean += (double)c->v[i] / (double)c->nr;
	return s;
}

uint64_t costs_median(struct costs *c)
{
	return costs_summary(c).median;
}

/* So many files at once, in this process and those that it forks. */
void raise_files(unsigned long nr)
{
	struct rlimit limit = { nr, nr };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("%lu files: %s", nr, strerror(errno));
}

static uint64_t read_number(const char *path, const char *name)
{
	FILE *f = fopen(path, "re");
	size_t length = strlen(name);
	uint64_t value = 0;
	char line[256];

	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, length))
			continue;
		value = strtoull(line + length, NULL, 10);
		break;
	}
	fclose(f);
	return value;
}

struct usage usage_of(pid_t pid)
{
	struct usage sum = { 0 };
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		die("%s: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		int tid = atoi(entry->d_name);

		if (!tid || tid == pid)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", pid,
			 tid);
		sum.run += read_number(path, "");
		snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid,
			 tid);
		sum.switches += read_number(path, "voluntary_ctxt_switches:");
	}
	closedir(dir);
	return sum;
}

long page_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Zeroed, and the same in all processes that are forked later. */
void *shared_memory(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("%zu bytes: %s", size, strerror(errno));
	return p;
}
