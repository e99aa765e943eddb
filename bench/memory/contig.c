// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Asks for huge pages, and for contiguous memory, where there is hardly any.
 *
 * In each round every peer asks once for each size, all in the same state of
 * memory: before each request what is free is filled with 4 KiB pages, and
 * others are freed in its place.  So nobody finds the room of the one before.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

#define MAX_ROUNDS	100

static const size_t sizes[] = { 64 * MIB, 256 * MIB };
static const char * const default_peers[] = {
	"contig", "huge", "hugetlb", "thp", "contig-buddy",
};

/* What a peer got in all rounds, for one size. */
struct result {
	unsigned int nr;
	unsigned int possible;	/* there was a place without kernel pages */
	unsigned int all_huge;
	unsigned int contiguous;
	double share;		/* sum over the requests */
	double seconds[MAX_ROUNDS];
};

struct range {
	double min, max;
};

static struct {
	unsigned int rounds;
	double seconds;		/* no new round after them; 0: no limit */
	const char *dir;
	const char *csv;
	const struct peer *peers[8];
	size_t nr_peers;
} opts = { .rounds = 20, .dir = ".", };

static struct state state;	/* at the start of a round */
static struct range free_mib, free_9, free_10, places_64, places_256;

static void widen(struct range *r, double value)
{
	if (r->max < value)
		r->max = value;
	if (!r->min || value < r->min)
		r->min = value;
}

/* How memory is before a request; the head of its line in the CSV. */
static void note_state(FILE *csv, unsigned int round, bool count_places)
{
	double mib = (double)meminfo_kb("MemFree") / 1024;
	double nr_9 = (double)free_blocks(9), nr_10 = (double)free_blocks(10);

	widen(&free_mib, mib);
	widen(&free_9, nr_9);
	widen(&free_10, nr_10);
	/* Every page is read for it: once a round. */
	if (count_places) {
		state_free(&state);
		state_read(&state);
		widen(&places_64, (double)state.windows_64);
		widen(&places_256, (double)state.windows_256);
	}
	fprintf(csv, "%u,%.0f,%.0f,%.0f,%llu,%llu,", round, mib, nr_9, nr_10,
		(unsigned long long)state.windows_64,
		(unsigned long long)state.windows_256);
}

static void request(const struct peer *peer, size_t size, struct result *r,
		    FILE *csv)
{
	struct claim c;
	bool all;

	peer_claim(peer, &c, size, PAGE);
	/* No memory is an answer; anything else means that it cannot work. */
	if (c.error && c.error != -ENOMEM)
		die("%s: %s", peer->name, strerror(-c.error));
	all = c.huge == size;
	r->possible += (size == sizes[0] ? state.windows_64 :
			state.windows_256) > 0;
	r->all_huge += all;
	r->contiguous += all && c.runs == 1;
	r->share += (double)c.huge / (double)size;
	r->seconds[r->nr++] = c.create + c.mapping + c.touch;
	fprintf(csv, "%s,%zu,%d,%.3f,%zu,%.3f,%.3f\n", peer->name, size / MIB,
		c.error, (double)c.huge / (double)size, c.runs, c.create,
		c.mapping + c.touch);
	fflush(csv);
	peer_drop(peer, &c);
}

static void print_result(const struct peer *peer, size_t size,
			 struct result *r)
{
	qsort(r->seconds, r->nr, sizeof(r->seconds[0]), compare_doubles);
	printf("%-32s %4zu %5u/%-2u %7u/%-2u %8u %7.0f %% %8.2f %8.2f\n",
	       peer->what, size / MIB, r->all_huge, r->nr, r->contiguous,
	       r->nr, r->possible, 100 * r->share / r->nr,
	       median(r->seconds, r->nr), r->seconds[r->nr - 1]);
}

static void print_range(const char *what, const struct range *r)
{
	printf("    %-28s %6.0f to %.0f\n", what, r->min, r->max);
}

static void run(FILE *csv)
{
	static struct result results[COUNT(opts.peers)][COUNT(sizes)];
	struct fragment *f;
	unsigned int round;
	double start = now();
	size_t p, s;

	f = fragment_memory(opts.dir);
	state_read(&state);
	printf("fragmented in %.0f s: ", now() - start);
	state_print(&state, stdout);
	state_print_map(&state, stdout);
	fflush(stdout);

	start = now();
	for (round = 0; round < opts.rounds; round++) {
		if (opts.seconds && now() - start > opts.seconds)
			break;
		for (p = 0; p < opts.nr_peers; p++) {
			for (s = 0; s < COUNT(sizes); s++) {
				fragment_again(f);
				note_state(csv, round, p + s == 0);
				request(opts.peers[p], sizes[s],
					&results[p][s], csv);
			}
		}
		fprintf(stderr, "round %u of %u, %.0f s\n", round + 1,
			opts.rounds, now() - start);
	}

	printf("\n%u rounds of %u in %.0f s; before the requests:\n", round,
	       opts.rounds, now() - start);
	print_range("MiB free", &free_mib);
	print_range("free blocks of 2 MiB", &free_9);
	print_range("free blocks of 4 MiB", &free_10);
	print_range("places for 64 MiB", &places_64);
	print_range("places for 256 MiB", &places_256);
	printf("\n%-32s %4s %8s %10s %8s %9s %8s %8s\n", "peer", "MiB",
	       "all huge", "contiguous", "possible", "in huge", "median s",
	       "max s");
	for (p = 0; p < opts.nr_peers; p++)
		for (s = 0; s < COUNT(sizes); s++)
			print_result(opts.peers[p], sizes[s], &results[p][s]);
	printf("\nat the end: ");
	state_free(&state);
	state_read(&state);
	state_print(&state, stdout);
	state_free(&state);
}

static void usage(void)
{
	size_t i;

	fputs("usage: contig [-r ROUNDS] [-t SECONDS] [-d FOLDER] [-o CSV] [PEER]...\n"
	      "FOLDER is on an empty file system larger than memory.  Peers:\n",
	      stderr);
	for (i = 0; i < nr_peers; i++)
		fprintf(stderr, "    %-14s %s\n", peers[i].name,
			peers[i].what);
	exit(2);
}

int main(int argc, char **argv)
{
	FILE *csv;
	size_t i;
	int opt;

	while ((opt = getopt(argc, argv, "r:t:d:o:")) != -1) {
		switch (opt) {
		case 'r':
			opts.rounds = (unsigned int)atoi(optarg);
			break;
		case 't':
			opts.seconds = atof(optarg);
			break;
		case 'd':
			opts.dir = optarg;
			break;
		case 'o':
			opts.csv = optarg;
			break;
		default:
			usage();
		}
	}
	if (opts.rounds < 1 || opts.rounds > MAX_ROUNDS ||
	    (size_t)(argc - optind) > COUNT(opts.peers))
		usage();
	for (; optind < argc; optind++)
		opts.peers[opts.nr_peers++] = find_peer(argv[optind]);
	if (!opts.nr_peers)
		for (i = 0; i < COUNT(default_peers); i++)
			opts.peers[opts.nr_peers++] =
				find_peer(default_peers[i]);

	csv = fopen(opts.csv ? opts.csv : "/dev/null", "we");
	if (!csv)
		die("%s: %s", opts.csv, strerror(errno));
	fputs("round,free_mib,free_2mib,free_4mib,places_64,places_256,", csv);
	fputs("peer,mib,error,huge_share,runs,create_s,touch_s\n", csv);
	run(csv);
	fclose(csv);
	return 0;
}
