// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What waiting and waking cost, beside futex, eventfd, pipe and epoll.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "doorbell.h"

const char *unit = "ns";
uint64_t storm_messages = 200000;
const char *only;
bool failed;

static FILE *csv;
static const char *part;

static const struct {
	const char *name;
	void (*fn)(void);
	bool module;		/* needs it */
} parts[] = {
	{ "roundtrip", measure_roundtrip, true },
	{ "many", measure_many, true },
	{ "calls", measure_calls, true },
	{ "parked", measure_parked, true },
	{ "storm", measure_storm, false },
};

void heading(const char *text)
{
	printf("\n%s\n\n", text);
}

static void line(const char *what, double v, int decimals, const char *bound,
		 const char *verdict)
{
	printf("  %-52s %12.*f %10s  %s\n", what, decimals, v, bound, verdict);
	fflush(stdout);
	fprintf(csv, "%s,\"%s\",%.8g,%s,%s\n", part, what, v, bound, verdict);
}

void value(const char *what, double v, int decimals)
{
	line(what, v, decimals, "", "");
}

static void wanted(const char *what, double v, int decimals, bool met,
		   const char *relation, double bound)
{
	char text[32];

	snprintf(text, sizeof(text), "%s%.*f", relation, decimals, bound);
	line(what, v, decimals, text, met ? "met" : "MISSED");
}

/* Half of the last decimal that is shown. */
static double last_half(int decimals)
{
	double half = 0.5;

	while (decimals--)
		half /= 10;
	return half;
}

void wanted_most(const char *what, double v, double most, int decimals)
{
	wanted(what, v, decimals, v < most + last_half(decimals), "<= ", most);
}

void wanted_exactly(const char *what, double v, double exactly, int decimals)
{
	double error = v > exactly ? v - exactly : exactly - v;

	wanted(what, v, decimals, error < last_half(decimals), "", exactly);
}

__attribute__((noreturn))
static void misuse(void)
{
	size_t i;

	fputs("usage: doorbell [-i] [-m MECHANISM] [-n MESSAGES] [-o CSV] [PART]...\nPART:",
	      stderr);
	for (i = 0; i < COUNT(parts); i++)
		fprintf(stderr, " %s", parts[i].name);
	fputc('\n', stderr);
	exit(2);
}

static bool asked_for(const char *name, char **names)
{
	for (; *names; names++)
		if (!strcmp(*names, name))
			return true;
	return false;
}

static bool known(const char *name)
{
	size_t i;

	for (i = 0; i < COUNT(parts); i++)
		if (!strcmp(parts[i].name, name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *path = "/dev/null";
	bool module;
	size_t i;
	int opt;

	while ((opt = getopt(argc, argv, "im:n:o:")) != -1) {
		switch (opt) {
		case 'i':
			instructions = true;
			unit = "instructions";
			break;
		case 'm':
			only = optarg;
			break;
		case 'n':
			storm_messages = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			path = optarg;
			break;
		default:
			misuse();
		}
	}
	for (i = (size_t)optind; argv[i]; i++)
		if (!known(argv[i]))
			misuse();
	csv = fopen(path, "we");
	if (!csv)
		die("%s: %s", path, strerror(errno));
	fputs("part,what,value,wanted,verdict\n", csv);
	module = open_device() >= 0;
	for (i = 0; i < COUNT(parts); i++) {
		if (argv[optind] && !asked_for(parts[i].name, argv + optind))
			continue;
		if (parts[i].module && !module)
			die("%s needs the module", parts[i].name);
		part = parts[i].name;
		parts[i].fn();
	}
	fclose(csv);
	return failed;
}
