/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_BENCH_H
#define SHMCHAN_TOOL_BENCH_H

/*
 * `shmchan bench`: how long a message takes there and back, and how many there are
 * in a second, between forked processes of this machine.
 *
 * Figures of one machine are not those of another, and not even its own of an hour
 * later.  So a round trip is also told as a multiple of what two processes take that
 * do nothing but pass a cache line to and fro, in the same run: below that nothing in
 * memory can get.
 */

#include <stddef.h>
#include <stdint.h>

#include "tool.h"

enum bench_pattern {
	BENCH_SPSC,
	BENCH_FANIN,
	BENCH_PUBSUB,
	BENCH_RPC,
};

#define BENCH_CPUS	3	/* a process each, if there are so many */
#define BENCH_SAMPLES	(1U << 20)

struct bench_samples {
	uint32_t *ns;
	uint32_t nr;
};

/* In memory that the processes share. */
struct bench_shared {
	_Alignas(128) uint64_t ping;
	_Alignas(128) uint64_t pong;
	_Alignas(128) uint32_t stop;
};

struct bench {
	const struct command *command;
	enum bench_pattern pattern;
	enum shmchan_backend backend;
	uint64_t size;			/* bytes of a message */
	int64_t ns;			/* of each of the two measurements */
	int json;
	int cpus[BENCH_CPUS];
	int nr_cpus;			/* that we may use, of these */
	struct bench_shared *shared;
	char *buffer;			/* size bytes */
	struct bench_samples raw;
	struct bench_samples trips;
	double per_second;
};

/* To CPU cpus[i], if there are so many. */
void bench_pin(const struct bench *b, int i);

/* A child that runs fn and exits with what it returns, and ends with us. */
int bench_fork(struct bench *b, int cpu, int (*fn)(struct bench *b, int arg),
	       int arg, int *pid);

/* Waits for a child: what it returned, or TOOL_FAILED. */
int bench_reap(int pid);

void bench_sample(struct bench_samples *s, uint64_t ns);

/* bench_run.c.  Each 0, or the exit status after a message. */
int bench_raw(struct bench *b, int64_t ns);
int bench_trips(struct bench *b);
int bench_rate(struct bench *b);

#endif /* SHMCHAN_TOOL_BENCH_H */
