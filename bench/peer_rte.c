// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * DPDK's rte_ring with one producer and one consumer, in memory of our own: no
 * EAL, no huge pages, no hugetlbfs.  Elements are as large as the payload, so
 * the ring carries the data itself.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <rte_ring_peek_zc.h>

#include "bench.h"

enum rte_variant {
	RTE_ONE,	/* enqueue_elem, dequeue_elem */
	RTE_BURST,	/* _burst_elem, 32 at once */
	RTE_ZC,		/* _zc_burst_elem_start, _finish */
};

#define RTE_BATCH	32
#define RTE_MAX_SIZE	4096

struct rte_pair {
	struct rte_ring *to_a;
	struct rte_ring *to_b;
};

static struct rte_ring *rte_make(const struct bench_case *c)
{
	unsigned int count = (unsigned int)(c->ring / c->size);
	ssize_t size = rte_ring_get_memsize_elem(c->size, count);
	struct rte_ring *ring;

	if (size < 0)
		return NULL;
	ring = bench_shared((size_t)size);
	if (rte_ring_init(ring, "bench", count,
			  RING_F_SP_ENQ | RING_F_SC_DEQ))
		return NULL;
	return ring;
}

static int rte_create(struct bench_case *c)
{
	struct rte_pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return -ENOMEM;
	pair->to_a = rte_make(c);
	pair->to_b = c->kind == BENCH_RTT ? rte_make(c) : NULL;
	if (!pair->to_a || (c->kind == BENCH_RTT && !pair->to_b)) {
		free(pair);
		return -EINVAL;
	}
	c->priv = pair;
	return 0;
}

static uint64_t rte_rtt(struct bench_case *c, enum bench_side side,
			uint64_t n)
{
	struct rte_pair *pair = c->priv;
	struct rte_ring *in = side == BENCH_A ? pair->to_a : pair->to_b;
	struct rte_ring *out = side == BENCH_A ? pair->to_b : pair->to_a;
	uint64_t i, got, sum = 0;

	for (i = 1; i <= n; i++) {
		if (side == BENCH_A)
			while (rte_ring_sp_enqueue_elem(out, &i, 8))
				;
		while (rte_ring_sc_dequeue_elem(in, &got, 8))
			;
		sum += got;
		if (side == BENCH_B)
			while (rte_ring_sp_enqueue_elem(out, &i, 8))
				;
	}
	return sum;
}

/*
 * The bodies are inlined with constant sizes: that is how an application uses
 * them, and what the copy loops of rte_ring are made for.
 */
static inline __attribute__((always_inline)) void
rte_produce(struct rte_ring *ring, uint64_t n, uint32_t size, int variant)
{
	static uint64_t buf[RTE_BATCH * RTE_MAX_SIZE / 8];
	const uint32_t words = size / 8;
	struct rte_ring_zc_data zcd;
	unsigned int k, done;
	uint64_t i;

	if (variant == RTE_ONE) {
		for (i = 0; i < n; i++) {
			bench_fill(buf, words, i);
			while (rte_ring_sp_enqueue_elem(ring, buf, size))
				;
		}
		return;
	}
	for (i = 0; i < n; i += RTE_BATCH) {
		for (k = 0; variant == RTE_BURST && k < RTE_BATCH; k++)
			bench_fill(buf + (size_t)k * words, words, i + k);
		for (done = 0; done < RTE_BATCH; done += k) {
			if (variant == RTE_BURST) {
				k = rte_ring_sp_enqueue_burst_elem(ring,
					buf + (size_t)done * words, size,
					RTE_BATCH - done, NULL);
				continue;
			}
			k = rte_ring_enqueue_zc_burst_elem_start(ring, size,
					RTE_BATCH - done, &zcd, NULL);
			if (!k)
				continue;
			for (unsigned int j = 0; j < k; j++)
				bench_fill(j < zcd.n1 ?
					   (uint64_t *)zcd.ptr1 +
					   (size_t)j * words :
					   (uint64_t *)zcd.ptr2 +
					   (size_t)(j - zcd.n1) * words,
					   words, i + done + j);
			rte_ring_enqueue_zc_elem_finish(ring, k);
		}
	}
}

static inline __attribute__((always_inline)) uint64_t
rte_consume(struct rte_ring *ring, uint64_t n, uint32_t size, int variant)
{
	static uint64_t buf[RTE_BATCH * RTE_MAX_SIZE / 8];
	const uint32_t words = size / 8;
	struct rte_ring_zc_data zcd;
	uint64_t i, sum = 0, mark = 0;
	unsigned int k;

	for (i = 0; i < n; i += k) {
		if (variant == RTE_ONE) {
			while (rte_ring_sc_dequeue_elem(ring, buf, size))
				bench_idle(i, &mark);
			sum += bench_sum(buf, words);
			k = 1;
		} else if (variant == RTE_BURST) {
			while (!(k = rte_ring_sc_dequeue_burst_elem(ring, buf,
						size, RTE_BATCH, NULL)))
				bench_idle(i, &mark);
			sum += bench_sum(buf, k * words);
		} else {
			while (!(k = rte_ring_dequeue_zc_burst_elem_start(ring,
						size, RTE_BATCH, &zcd, NULL)))
				bench_idle(i, &mark);
			if (k <= zcd.n1) {
				sum += bench_sum(zcd.ptr1, k * words);
			} else {
				sum += bench_sum(zcd.ptr1, zcd.n1 * words);
				sum += bench_sum(zcd.ptr2,
						 (k - zcd.n1) * words);
			}
			rte_ring_dequeue_zc_elem_finish(ring, k);
		}
	}
	return sum;
}

#define RTE_RUN(variant, size) \
static uint64_t rte_run_##variant##_##size(struct bench_case *c, \
					   enum bench_side side, uint64_t n) \
{ \
	struct rte_pair *pair = c->priv; \
 \
	if (side == BENCH_A) \
		return rte_consume(pair->to_a, n, size, variant); \
	rte_produce(pair->to_a, n, size, variant); \
	return 0; \
}

#define RTE_RUNS(size) \
	RTE_RUN(RTE_ONE, size) RTE_RUN(RTE_BURST, size) RTE_RUN(RTE_ZC, size)

RTE_RUNS(8)
RTE_RUNS(64)
RTE_RUNS(256)
RTE_RUNS(4096)

#define RTE_CASE(n, v, s, b, r) \
	{ .name = (n), .who = "rte_ring", .kind = BENCH_STREAM, .size = (s), \
	  .batch = (b), .ring = (r), .create = rte_create, \
	  .run = rte_run_##v##_##s }

#define RTE_CASES(s, r) \
	RTE_CASE("rte-one-" #s, RTE_ONE, s, 1, r), \
	RTE_CASE("rte-burst-" #s, RTE_BURST, s, RTE_BATCH, r), \
	RTE_CASE("rte-zc-" #s, RTE_ZC, s, RTE_BATCH, r)

struct bench_case bench_rte_cases[] = {
	{ .name = "rte-rtt-8", .who = "rte_ring", .kind = BENCH_RTT,
	  .size = 8, .batch = 1, .ring = BENCH_SMALL_RING,
	  .create = rte_create, .run = rte_rtt },
	RTE_CASES(8, BENCH_SMALL_RING),
	RTE_CASES(64, BENCH_SMALL_RING),
	RTE_CASES(256, BENCH_SMALL_RING),
	RTE_CASES(4096, BENCH_BULK_RING),
	{ .name = NULL },
};
