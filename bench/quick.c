// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * bench-quick: a lane beside the hardware, DPDK and the kernel, in one minute.
 *
 *	quick [-t SECONDS] [-r ROUNDS] [-c CPU,CPU] [-p PAUSES] [-o CSV]
 *	      [-b BLOCK[,BLOCK...]]
 *
 * Exits with 0 whatever the figures are, 1 if something does not work (a wrong
 * sum), 2 for a wrong command line, 4 if there are no two CPUs.
 */

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

#define EXIT_USAGE	2
#define EXIT_SKIP	4

/* The floor that was measured for the bare algorithm is 1.05 and 1.17. */
#define RTT_TARGET	{ 1.25, 1.12, 0 }

static const struct bench_block blocks[] = {
	{
		.name = "rtt-8",
		.title = "round trip of an 8-byte record, polled",
		.cases = { "lane-rtt-8", "lane-rtt-bell-8", "lane-rtt-asym-8",
			   "chan-rtt-poll-8", "chan-rtt-8", "rigtorp-rtt-8",
			   "rte-rtt-8" },
		.peer = "rte-rtt-8",
		.targets = {
			{ .name = "chan-rtt-poll-8", .raw_ratio = RTT_TARGET },
			{ .name = "chan-rtt-8", .raw_ratio = RTT_TARGET },
			{ .name = "lane-rtt-8", .raw_ratio = RTT_TARGET },
			{ .name = "lane-rtt-bell-8", .raw_ratio = RTT_TARGET },
		},
	},
	{
		.name = "one-8",
		.title = "8-byte records, one at a time (a raw record is a line)",
		.cases = { "lane-one-8", "lane-one-bell-8", "lane-one-asym-8",
			   "chan-one-8", "chan-one-asym-8", "raw-stream",
			   "rigtorp-one-8", "rte-one-8" },
		.peer = "rte-one-8",
		.targets = {
			{ .name = "lane-one-8", .peer_ratio = 1.0 },
			{ .name = "lane-one-bell-8", .peer_ratio = 1.0 },
			{ .name = "chan-one-8", .peer_ratio = 1.0 },
		},
	},
	{
		.name = "batch-8",
		.title = "8-byte records, 32 at a time",
		.cases = { "lane-n-8", "lane-more-8", "lane-zc-8", "rte-zc-8",
			   "rte-burst-8" },
		.peer = "rte-burst-8",
		.targets = {
			{ .name = "lane-n-8", .peer_ratio = 0.9 },
		},
	},
	{
		.name = "one-64",
		.title = "64-byte records, one at a time",
		.cases = { "lane-one-64", "lane-one-bell-64",
			   "lane-one-asym-64", "rte-one-64" },
		.peer = "rte-one-64",
		.targets = {
			{ .name = "lane-one-64", .peer_ratio = 1.0 },
			{ .name = "lane-one-bell-64", .peer_ratio = 1.0 },
		},
	},
	{
		.name = "batch-64",
		.title = "64-byte records, 32 at a time",
		.cases = { "lane-n-64", "lane-more-64", "lane-zc-64",
			   "rte-zc-64", "rte-burst-64" },
		.peer = "rte-burst-64",
		.targets = {
			{ .name = "lane-n-64", .peer_ratio = 0.9 },
		},
	},
	{
		.name = "one-256",
		.title = "256-byte records, one at a time",
		.cases = { "lane-one-256", "lane-one-bell-256",
			   "rte-one-256" },
		.peer = "rte-one-256",
		.targets = {
			{ .name = "lane-one-256", .peer_ratio = 1.0 },
			{ .name = "lane-one-bell-256", .peer_ratio = 1.0 },
		},
	},
	{
		.name = "batch-256",
		.title = "256-byte records, 32 at a time",
		.cases = { "lane-n-256", "lane-more-256", "lane-zc-256",
			   "rte-zc-256", "rte-burst-256" },
		.peer = "rte-burst-256",
		.targets = {
			{ .name = "lane-n-256", .peer_ratio = 0.9 },
		},
	},
	{
		.name = "one-4096",
		.title = "4 KiB records, one at a time, ring of 4 MiB",
		.cases = { "lane-one-4096", "lane-one-bell-4096",
			   "rte-one-4096" },
		.peer = "rte-one-4096",
		.targets = {
			{ .name = "lane-one-4096", .peer_ratio = 1.0 },
			{ .name = "lane-one-bell-4096", .peer_ratio = 1.0 },
		},
	},
	{
		.name = "batch-4096",
		.title = "4 KiB records, 32 at a time, ring of 4 MiB",
		.cases = { "lane-n-4096", "lane-more-4096", "lane-zc-4096",
			   "rte-zc-4096", "rte-burst-4096" },
		.peer = "rte-burst-4096",
		.targets = {
			{ .name = "lane-n-4096", .peer_ratio = 0.9 },
		},
	},
	{
		.name = "blocking",
		.title = "round trip of an 8-byte record, both sides sleep",
		.cases = { "chan-sleep-8", "chan-sleep-asym-8", "eventfd",
			   "pipe", "futex" },
		.peer = "futex",
		.targets = {
			{ .name = "chan-sleep-8", .peer_ratio = 0.9 },
		},
	},
};

#define NR_BLOCKS	(sizeof(blocks) / sizeof(blocks[0]))

/* The two CPUs to use unless told otherwise; how many there are. */
static int find_cpus(int cpus[2])
{
	cpu_set_t set;
	int cpu, nr = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 0;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		if (nr < 2)
			cpus[nr] = cpu;
		nr++;
	}
	return nr;
}

static int wanted(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (; list && *list; list += strcspn(list, ",")) {
		list += *list == ',';
		if (!strncmp(list, name, n) && (!list[n] || list[n] == ','))
			return 1;
	}
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: quick [-t SECONDS] [-r ROUNDS] [-c CPU,CPU] [-p PAUSES] [-o CSV] [-b BLOCK,...]\nblocks:");
	for (size_t i = 0; i < NR_BLOCKS; i++)
		fprintf(stderr, " %s", blocks[i].name);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static struct bench_plan plans[NR_BLOCKS];
	struct bench_opts opts = {
		.seconds = 40, .max_rounds = BENCH_MAX_ROUNDS,
	};
	const char *csv = NULL, *only = NULL;
	uint32_t nr = 0, rounds;
	FILE *out = NULL;
	char *end;
	int opt;

	if (find_cpus(opts.cpus) < 2) {
		fprintf(stderr, "quick: two CPUs are needed; this process may use only one: nothing measured\n");
		return EXIT_SKIP;
	}
	while ((opt = getopt(argc, argv, "t:r:c:p:o:b:")) != -1) {
		end = NULL;
		if (opt == 't') {
			opts.seconds = strtod(optarg, &end);
		} else if (opt == 'r') {
			opts.max_rounds = (uint32_t)strtoul(optarg, &end, 10);
		} else if (opt == 'c') {
			opts.cpus[0] = (int)strtol(optarg, &end, 10);
			if (*end++ != ',')
				return usage();
			opts.cpus[1] = (int)strtol(end, &end, 10);
		} else if (opt == 'p') {
			bench_idle_pauses = (unsigned int)
				strtoul(optarg, &end, 10);
		} else if (opt == 'o') {
			csv = optarg;
		} else if (opt == 'b') {
			only = optarg;
		} else {
			return usage();
		}
		if (end && *end)
			return usage();
	}
	if (optind != argc || !opts.max_rounds ||
	    opts.max_rounds > BENCH_MAX_ROUNDS ||
	    opts.cpus[0] == opts.cpus[1])
		return usage();

	for (size_t i = 0; i < NR_BLOCKS; i++)
		if (!only || wanted(only, blocks[i].name))
			nr += bench_plan_init(&plans[nr], &blocks[i]) > 0;
	if (!nr)
		return usage();
	if (csv) {
		out = fopen(csv, "we");
		if (!out)
			bench_die("cannot write %s", csv);
	}
	if (!bench_rte_cases[0].name)
		printf("rte_ring is not here (scripts/deps bench installs it): no ratios to it\n");
	bench_describe(stdout, "", opts.cpus);
	rounds = bench_run(plans, nr, &opts);
	bench_report(stdout, plans, nr, rounds);
	if (out) {
		bench_describe(out, "# ", opts.cpus);
		bench_csv(out, plans, nr);
		if (fclose(out))
			bench_die("cannot write %s", csv);
		printf("\nevery sample: %s\n", csv);
	}
	return 0;
}
