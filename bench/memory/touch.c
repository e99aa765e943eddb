// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a large region costs until it can be used: make it, map it, touch each
 * of its pages, drop it; and how many page faults that takes.  A region is
 * zeroed when it is made, the others when they are touched.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

static const char * const default_peers[] = {
	"small", "thp", "reserved", "huge", "contig",
};

/* With a clock that counts instructions, one a nanosecond: millions of them. */
static double unit = 1;

static double sum(const struct claim *c)
{
	return c->create + c->mapping + c->touch;
}

static void measure(const struct peer *peer, size_t size, FILE *csv)
{
	struct claim c;

	peer_claim(peer, &c, size, PAGE);
	if (c.error)
		die("%s: %s", peer->name, strerror(-c.error));
	if (c.size != size)
		die("%s: got %zu MiB only", peer->name, c.size / MIB);
	peer_drop(peer, &c);
	printf("%-28s %8ld %8.0f %% %6zu %10.3f %10.3f %10.3f %10.3f %10.3f\n",
	       peer->what, c.faults, 100.0 * (double)c.huge / (double)size,
	       c.runs, c.create * unit, c.mapping * unit, c.touch * unit,
	       sum(&c) * unit, c.drop * unit);
	fprintf(csv, "%s,%zu,%ld,%zu,%zu,%.9f,%.9f,%.9f,%.9f\n", peer->name,
		size / MIB, c.faults, c.huge / MIB, c.runs, c.create,
		c.mapping, c.touch, c.drop);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	size_t i, size = 1024 * MIB;
	FILE *csv = NULL;
	int opt;

	while ((opt = getopt(argc, argv, "im:o:")) != -1) {
		switch (opt) {
		case 'i':
			unit = 1e3;
			break;
		case 'm':
			size = strtoull(optarg, NULL, 10) * MIB;
			break;
		case 'o':
			csv = fopen(optarg, "we");
			if (!csv)
				die("%s: %s", optarg, strerror(errno));
			break;
		default:
			fputs("usage: touch [-i] [-m MIB] [-o CSV] [PEER]...\n",
			      stderr);
			return 2;
		}
	}
	if (!csv)
		csv = fopen("/dev/null", "we");
	if (!csv || !size || size % HUGE)
		die("a multiple of 2 MiB, please");

	printf("%zu MiB, in %s\n", size / MIB,
	       unit > 1 ? "millions of instructions" : "seconds");
	printf("%-28s %8s %10s %6s %10s %10s %10s %10s %10s\n", "", "faults",
	       "by PMD", "runs", "create", "map", "touch", "sum", "drop");
	fputs("peer,mib,faults,huge_mib,runs,create_s,map_s,touch_s,drop_s\n",
	      csv);
	if (optind < argc)
		for (; optind < argc; optind++)
			measure(find_peer(argv[optind]), size, csv);
	else
		for (i = 0; i < COUNT(default_peers); i++)
			measure(find_peer(default_peers[i]), size, csv);
	fclose(csv);
	return 0;
}
