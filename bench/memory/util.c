// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Small tools.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "memory.h"

void die(const char *fmt, ...)
{
	va_list args;

	fflush(stdout);
	fputs("bench-memory: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* xorshift64*: the same numbers in each run. */
uint64_t random_below(uint64_t limit)
{
	static uint64_t x = 0x9e3779b97f4a7c15;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	return (x * 0x2545f4914f6cdd1d >> 16) % limit;
}

int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(const double *sorted, size_t nr)
{
	return nr ? (sorted[(nr - 1) / 2] + sorted[nr / 2]) / 2 : 0;
}

long proc_number(const char *path, const char *name)
{
	FILE *f = fopen(path, "re");
	size_t length = strlen(name);
	char line[512];
	long value = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, name, length) &&
		    (line[length] == ':' || line[length] == ' ')) {
			value = strtol(line + length + 1, NULL, 10);
			break;
		}
	}
	if (f)
		fclose(f);
	return value;
}

long meminfo_kb(const char *name)
{
	return proc_number("/proc/meminfo", name);
}

int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;
	int ret;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	ret = n < 0 ? -errno : 0;
	close(fd);
	text[n < 0 ? 0 : n] = 0;
	return ret;
}
