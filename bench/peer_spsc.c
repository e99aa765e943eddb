// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The bounded queue of one producer and one consumer that is usual in C++
 * programs of threads, as published in Erik Rigtorp's SPSCQueue (v1.1): one slot
 * for each element, of a fixed size; each side has an index in a line of its own
 * and keeps a copy of the other side's, which it loads again only when by that copy
 * the queue is full, or empty.
 *
 * It is the least that such a queue can do: no lengths, no sleepers, no end, no
 * death of a side, no protection from one.
 *
 * As there, one slot stays empty, and an index goes back to 0 by a comparison
 * ("wrap"); "mask" is the same with indices that go on for ever and a mask.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <shmchan/atomic.h>

#include "bench.h"

enum spsc_variant { SPSC_WRAP, SPSC_MASK };

struct spsc_queue {
	uint64_t capacity;	/* slots; a power of two */
	uint64_t *slots;
	_Alignas(64) uint64_t write_index;
	_Alignas(64) uint64_t read_index_copy;	/* the producer's */
	_Alignas(64) uint64_t read_index;
	_Alignas(64) uint64_t write_index_copy;	/* the consumer's */
};

static inline __attribute__((always_inline)) int
spsc_push(struct spsc_queue *q, const uint64_t *element, int variant)
{
	uint64_t at = shmchan_load_relaxed(&q->write_index), next = at + 1;

	if (variant == SPSC_WRAP) {
		if (next == q->capacity)
			next = 0;
		if (next == q->read_index_copy) {
			q->read_index_copy =
				shmchan_load_acquire(&q->read_index);
			if (next == q->read_index_copy)
				return 0;
		}
	} else if (at - q->read_index_copy >= q->capacity) {
		q->read_index_copy = shmchan_load_acquire(&q->read_index);
		if (at - q->read_index_copy >= q->capacity)
			return 0;
	}
	q->slots[variant == SPSC_WRAP ? at : at & (q->capacity - 1)] = *element;
	shmchan_store_release(&q->write_index, next);
	return 1;
}

static inline __attribute__((always_inline)) int
spsc_pop(struct spsc_queue *q, uint64_t *element, int variant)
{
	uint64_t at = shmchan_load_relaxed(&q->read_index), next = at + 1;

	if (at == q->write_index_copy) {
		q->write_index_copy = shmchan_load_acquire(&q->write_index);
		if (at == q->write_index_copy)
			return 0;
	}
	if (variant == SPSC_WRAP && next == q->capacity)
		next = 0;
	*element = q->slots[variant == SPSC_WRAP ? at : at & (q->capacity - 1)];
	shmchan_store_release(&q->read_index, next);
	return 1;
}

struct spsc_pair {
	struct spsc_queue *to_a;
	struct spsc_queue *to_b;	/* round trips only */
};

static struct spsc_queue *spsc_make(const struct bench_case *c)
{
	struct spsc_queue *q = bench_shared(sizeof(*q));

	q->slots = bench_shared(c->ring);
	q->capacity = c->ring / 8;
	return q;
}

static int spsc_create(struct bench_case *c)
{
	struct spsc_pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return -ENOMEM;
	pair->to_a = spsc_make(c);
	if (c->kind == BENCH_RTT)
		pair->to_b = spsc_make(c);
	c->priv = pair;
	return 0;
}

static uint64_t spsc_rtt(struct bench_case *c, enum bench_side side, uint64_t n)
{
	struct spsc_pair *pair = c->priv;
	struct spsc_queue *in = side == BENCH_A ? pair->to_a : pair->to_b;
	struct spsc_queue *out = side == BENCH_A ? pair->to_b : pair->to_a;
	uint64_t i, got, sum = 0;

	for (i = 1; i <= n; i++) {
		if (side == BENCH_A)
			while (!spsc_push(out, &i, SPSC_WRAP))
				;
		while (!spsc_pop(in, &got, SPSC_WRAP))
			;
		sum += got;
		if (side == BENCH_B)
			while (!spsc_push(out, &i, SPSC_WRAP))
				;
	}
	return sum;
}

static inline __attribute__((always_inline)) uint64_t
spsc_stream(struct bench_case *c, enum bench_side side, uint64_t n, int variant)
{
	static uint64_t buf[1];
	struct spsc_pair *pair = c->priv;
	struct spsc_queue *q = pair->to_a;
	uint64_t i, sum = 0, mark = 0;

	for (i = 0; i < n; i++) {
		if (side == BENCH_B) {
			bench_fill(buf, 1, i);
			while (!spsc_push(q, buf, variant))
				;
		} else {
			while (!spsc_pop(q, buf, variant))
				bench_idle(i, &mark);
			sum += bench_sum(buf, 1);
		}
	}
	return sum;
}

#define SPSC_RUN(variant) \
static uint64_t spsc_run_##variant(struct bench_case *c, enum bench_side side, \
				   uint64_t n) \
{ \
	if (side == BENCH_A) \
		return spsc_stream(c, BENCH_A, n, variant); \
	return spsc_stream(c, BENCH_B, n, variant); \
}

SPSC_RUN(SPSC_WRAP)
SPSC_RUN(SPSC_MASK)

#define SPSC_CASE(n, k, r) \
	{ .name = (n), .who = "rigtorp", .kind = (k), .size = 8, .batch = 1, \
	  .ring = BENCH_SMALL_RING, .create = spsc_create, .run = (r) }

struct bench_case bench_spsc_cases[] = {
	SPSC_CASE("rigtorp-rtt-8", BENCH_RTT, spsc_rtt),
	SPSC_CASE("rigtorp-one-8", BENCH_STREAM, spsc_run_SPSC_WRAP),
	SPSC_CASE("rigtorp-mask-8", BENCH_STREAM, spsc_run_SPSC_MASK),
	{ .name = NULL },
};
