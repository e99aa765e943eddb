// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What the hardware can do: the limits that everything else is a multiple of.
 */

#include <stdlib.h>

#include "bench.h"

/* One word on a line, with the neighbour line left alone by the prefetcher. */
struct raw_line {
	uint64_t word;
	uint64_t pad[15];
};

struct raw {
	struct raw_line ping;
	struct raw_line pong;
	struct raw_line consumed;
	uint64_t lines[];
};

/* A line of a stream: a stamp and seven words of payload. */
#define RAW_NR_LINES	1024u
#define RAW_WORDS	(BENCH_LINE / 8)

static int raw_create(struct bench_case *c)
{
	c->priv = bench_shared(sizeof(struct raw) +
			       (size_t)RAW_NR_LINES * BENCH_LINE);
	return 0;
}

/* One line each way: nothing that answers a message can be faster. */
static uint64_t raw_pingpong(struct bench_case *c, enum bench_side side,
			     uint64_t n)
{
	struct raw *raw = c->priv;
	uint64_t *in = side == BENCH_A ? &raw->pong.word : &raw->ping.word;
	uint64_t *out = side == BENCH_A ? &raw->ping.word : &raw->pong.word;
	uint64_t i, got, sum = 0;

	for (i = 1; i <= n; i++) {
		if (side == BENCH_A)
			__atomic_store_n(out, i, __ATOMIC_RELEASE);
		do {
			got = __atomic_load_n(in, __ATOMIC_ACQUIRE);
		} while (got != i);
		sum += got;
		if (side == BENCH_B)
			__atomic_store_n(out, i, __ATOMIC_RELEASE);
	}
	/* Both words back to 0, by their writer, once their reader is done. */
	bench_barrier();
	__atomic_store_n(out, 0, __ATOMIC_RELEASE);
	return sum;
}

/*
 * Lines that carry their own stamp, as fast as they go.  The consumer says
 * where it is once per quarter of the ring.
 */
static uint64_t raw_stream(struct bench_case *c, enum bench_side side,
			   uint64_t n)
{
	struct raw *raw = c->priv;
	uint64_t i, sum = 0, mark = 0, *line;
	uint64_t room = RAW_NR_LINES;

	if (side == BENCH_B) {
		for (i = 0; i < n; i++) {
			while (i >= room)
				room = RAW_NR_LINES +
					__atomic_load_n(&raw->consumed.word,
							__ATOMIC_ACQUIRE);
			line = &raw->lines[i % RAW_NR_LINES * RAW_WORDS];
			bench_fill(line + 1, RAW_WORDS - 1, i);
			__atomic_store_n(line, i + 1, __ATOMIC_RELEASE);
		}
		bench_barrier();
		return 0;
	}
	for (i = 0; i < n; i++) {
		line = &raw->lines[i % RAW_NR_LINES * RAW_WORDS];
		while (__atomic_load_n(line, __ATOMIC_ACQUIRE) != i + 1)
			bench_idle(i, &mark);
		sum += bench_sum(line + 1, RAW_WORDS - 1);
		if (i % (RAW_NR_LINES / 4) == RAW_NR_LINES / 4 - 1)
			__atomic_store_n(&raw->consumed.word, i + 1,
					 __ATOMIC_RELEASE);
	}
	bench_barrier();
	/* Stamps of this run must not look like the next one's. */
	for (i = 0; i < RAW_NR_LINES; i++)
		raw->lines[i * RAW_WORDS] = 0;
	raw->consumed.word = 0;
	return sum;
}

struct bench_case bench_raw_cases[] = {
	{ .name = "raw-rtt", .who = "raw", .kind = BENCH_RTT, .size = 8,
	  .batch = 1, .create = raw_create, .run = raw_pingpong },
	{ .name = "raw-stream", .who = "raw", .kind = BENCH_STREAM,
	  .size = 56, .batch = 1, .ring = (uint64_t)RAW_NR_LINES * BENCH_LINE,
	  .create = raw_create, .run = raw_stream },
	{ .name = NULL },
};
