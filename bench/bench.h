/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef BENCH_H
#define BENCH_H

/*
 * Measuring what passes between two processes on two CPUs.
 *
 * On shared machines the time of one and the same cache-line round trip
 * drifts by a factor of four within minutes, because the host moves virtual
 * CPUs about.  So no figure here stands alone:
 *
 *  - a *case* is one way of passing records, run by both processes at once;
 *  - a *block* is a few cases to be compared.  They run as a palindrome with
 *    the raw cache-line round trip around them: raw, A, B, C, B, A, raw; so
 *    slow drift falls on all alike;
 *  - a *round* is one pass over all blocks.
 *
 * What is reported are ratios within one block of one round: to the raw round
 * trip, and to a peer.  The raw round trip also tells how the two CPUs are
 * placed at that moment (enum bench_class).  Blocks during which it changed
 * by 30 % or more are dropped and counted; runs in which one of the two
 * processes lost its CPU to another are repeated, and counted.
 *
 * The producer writes every word of every payload and the consumer adds them
 * up; a wrong sum ends the run.  Spinning is without a pause wherever latency
 * is measured; see bench_idle() for streams.
 */

#include <stddef.h>
#include <stdint.h>

#define BENCH_LINE	64

/*
 * Bytes of payload room that all users of rings get: a small ring, which stays
 * in the second level cache, for messages up to 256 bytes; one that goes
 * through the third level for 4 KiB.
 */
#define BENCH_SMALL_RING	(64ULL << 10)
#define BENCH_BULK_RING		(4ULL << 20)

/* Which of the two processes; it decides the CPU, too. */
enum bench_side {
	BENCH_A = 0,	/* consumes; starts round trips; keeps the time */
	BENCH_B = 1,	/* produces; answers */
};

enum bench_kind {
	BENCH_RTT,	/* an operation is a record there and one back */
	BENCH_STREAM,	/* an operation is a record from B to A */
	BENCH_BLOCKING,	/* as RTT, but both sleep while they wait */
};

/* Where the two CPUs are, as told by the raw round trip. */
enum bench_class {
	BENCH_S,	/* below 80 ns: two threads of one core */
	BENCH_C,	/* to 260 ns: two cores, one last level cache */
	BENCH_X,	/* beyond: across dies or sockets */
	BENCH_NR_CLASSES,
};

#define BENCH_S_BELOW_NS	80.0
#define BENCH_C_BELOW_NS	260.0

enum bench_class bench_classify(double raw_ns);
char bench_class_letter(enum bench_class cls);

/*
 * One way of passing records.  run() is called in both processes at once, with
 * the same n, a multiple of batch; it returns the sum of all payload words
 * that it received.  In a stream, record i is made of size / 8 words
 * i, i + 1, i + 2, ...; in a round trip, record i holds i + 1 in its first
 * word.  Counting starts at 0 in each run.
 */
struct bench_case {
	const char *name;	/* unique; for the table and the CSV */
	const char *who;	/* shmchan, rte_ring, raw, kernel */
	enum bench_kind kind;
	uint32_t size;		/* of a payload; a multiple of 8 */
	uint32_t batch;		/* records passed at once */
	uint64_t ring;		/* bytes of the ring that is used */
	/* In the parent, before the fork: memory that both will have. */
	int (*create)(struct bench_case *c);
	/* In each process, after the fork and the pinning; NULL: nothing. */
	int (*attach)(struct bench_case *c, enum bench_side side);
	/* In each process, at the end; NULL: nothing. */
	void (*detach)(struct bench_case *c);
	uint64_t (*run)(struct bench_case *c, enum bench_side side, uint64_t n);
	int variant;		/* for the case's own use */
	void *priv;		/* ... and this */
};

/* Both processes call this, and go on when both have. */
void bench_barrier(void);

/* Zeroed memory that a forked child shares, 2 MiB aligned; exits on failure. */
void *bench_shared(size_t size);

/* Ends the process (and with it the other) with a message. */
void bench_die(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/*
 * What a consumer does when it finds a stream empty.  If it looked again at
 * once, it would take the line with the next record away from the producer
 * each time; so after a burst it leaves the producer alone for a moment, once.
 * The same for all users of rings, in streams only: it costs no latency where
 * records come one by one.  -p sets the pauses, 0 for none.
 */
#define BENCH_BURST	4	/* records since the last time it was empty */

extern unsigned int bench_idle_pauses;

static inline void bench_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("yield" ::: "memory");
#endif
}

/* seen: how many records were received so far; *mark is the caller's. */
static inline void bench_idle(uint64_t seen, uint64_t *mark)
{
	unsigned int i;

	if (seen - *mark >= BENCH_BURST)
		for (i = bench_idle_pauses; i; i--)
			bench_pause();
	*mark = seen;
}

/* The payload of record i of a stream, and what it adds up to. */
static inline void bench_fill(uint64_t *words, uint32_t nr_words, uint64_t i)
{
	uint32_t k;

	for (k = 0; k < nr_words; k++)
		words[k] = i + k;
}

static inline uint64_t bench_sum(const uint64_t *words, uint32_t nr_words)
{
	uint64_t sum = 0;
	uint32_t k;

	for (k = 0; k < nr_words; k++)
		sum += words[k];
	return sum;
}

/* What run() has to return on a side of a case. */
static inline uint64_t bench_expected(const struct bench_case *c,
				      enum bench_side side, uint64_t n)
{
	uint64_t words = c->size / 8;

	if (c->kind != BENCH_STREAM)
		return n * (n + 1) / 2;
	if (side == BENCH_B)
		return 0;
	return words * (n * (n - 1) / 2) + n * (words * (words - 1) / 2);
}

/* The cases of each file, ended by one without a name. */
extern struct bench_case bench_raw_cases[];
extern struct bench_case bench_sleep_cases[];
extern struct bench_case bench_lane_cases[];
extern struct bench_case bench_channel_cases[];
extern struct bench_case bench_spsc_cases[];
extern struct bench_case bench_rte_cases[];	/* empty without DPDK */

#endif /* BENCH_H */
