/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

/*
 * Running blocks of cases in two processes, and keeping what was measured.
 * See bench.h for the method.
 */

#include <stdint.h>
#include <stdio.h>

#include "bench.h"

#define BENCH_MAX_CASES		9	/* per block */
#define BENCH_MAX_BLOCKS	24
#define BENCH_MAX_ROUNDS	4000
#define BENCH_GAVE_UP		10000

/* What one case is expected to reach; 0: nothing was promised. */
struct bench_target {
	const char *name;		/* of the case */
	double raw_ratio[BENCH_NR_CLASSES];	/* at most so many raw RTTs */
	double peer_ratio;		/* at least so much of the peer's rate */
};

/* Cases that are compared with each other. */
struct bench_block {
	const char *name;
	const char *title;
	const char *cases[BENCH_MAX_CASES];	/* names, ended by NULL */
	const char *peer;		/* the one that the others are divided by */
	struct bench_target targets[BENCH_MAX_CASES];
};

/* Why a block of a round does not count. */
enum bench_verdict {
	BENCH_KEPT,
	BENCH_MOVED,		/* the raw round trip changed by 30 % or more */
	BENCH_DISTURBED,	/* a process lost its CPU again and again */
	BENCH_NR_VERDICTS,
};

/* One block in one round. */
struct bench_sample {
	double raw[2];			/* ns, before and after */
	double ns[BENCH_MAX_CASES];	/* per operation; mean of both passes */
	uint64_t n[BENCH_MAX_CASES];	/* operations per pass */
	uint32_t repeats;		/* of runs that lost their CPU */
	enum bench_class cls;
	enum bench_verdict verdict;
};

/* A block with its cases looked up (those that are built in). */
struct bench_plan {
	const struct bench_block *block;
	struct bench_case *cases[BENCH_MAX_CASES];
	uint32_t nr_cases;
	int peer;			/* index in cases, or -1 */
	struct bench_sample *samples;	/* one per round */
	uint32_t nr_samples;
};

struct bench_opts {
	double seconds;		/* stop after the round that reaches this */
	uint32_t max_rounds;
	int cpus[2];
};

/* Look the cases of a block up; returns how many are there. */
uint32_t bench_plan_init(struct bench_plan *plan,
			 const struct bench_block *block);

/*
 * Fork, pin, run rounds over all plans, fill their samples.  Returns the
 * number of rounds; ends the process on a wrong sum.
 */
uint32_t bench_run(struct bench_plan *plans, uint32_t nr_plans,
		   const struct bench_opts *opts);

/* report.c */
void bench_describe(FILE *out, const char *prefix, const int cpus[2]);
void bench_report(FILE *out, const struct bench_plan *plans,
		  uint32_t nr_plans, uint32_t rounds);
void bench_csv(FILE *out, const struct bench_plan *plans, uint32_t nr_plans);

#endif /* BENCH_HARNESS_H */
