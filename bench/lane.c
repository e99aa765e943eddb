// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Lanes, polled: the bare data structure, on memory of our own, as DPDK's ring
 * is beside it.  With a bell, each publication is a sequentially consistent
 * store and a look at the count of sleepers, of which there are none, or for an
 * ASYM writer a plain store and a look; without, the lane was made for pollers
 * only (SHMCHAN_LANE_POLL).
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <shmchan/lane.h>

#include "bench.h"

enum lane_variant {
	LANE_ONE,	/* send, recv */
	LANE_N,		/* send_n, recv_n */
	LANE_MORE,	/* send with MORE except for the last of 32, recv */
	LANE_ZC,	/* reserve, commit with MORE; peek, release */
	LANE_BELL = 16,	/* or'ed in: a lane on which one may sleep */
	LANE_ASYM = 32,	/* ... and its writer has no fence */
};

#define LANE_BATCH	32
#define LANE_MAX_SIZE	4096

/* One lane's memory, in this order. */
struct lane_memory {
	struct shmchan_lane_control control;
	uint64_t pad[8];
	struct shmchan_lane_cursor cursor;
	uint64_t pad2[8];
	uint32_t data_waiters;
	uint32_t pad3[31];
	uint32_t room_waiters;
	uint32_t pad4[31];
};

/* One direction. */
struct lane_way {
	uint8_t *base;			/* the ring; behind it: */
	struct lane_memory *memory;
	struct shmchan_lane lane;
	struct shmchan_lane_writer writer;
	struct shmchan_lane_reader reader;
};

struct lane_pair {
	struct lane_way to_a;
	struct lane_way to_b;		/* round trips only */
};

/* Nobody sleeps in these cases, so nobody is to be woken. */
static void nobody_to_wake(void *arg)
{
	(void)arg;
	bench_die("a reader was asked to wake a writer that does not sleep");
}

static void lane_make(struct lane_way *way, const struct bench_case *c)
{
	way->base = bench_shared(c->ring + sizeof(struct lane_memory));
	way->memory = (struct lane_memory *)(way->base + c->ring);
}

static int lane_create(struct bench_case *c)
{
	struct lane_pair *pair = aligned_alloc(64, (sizeof(*pair) + 63) & ~63UL);

	if (!pair)
		return -ENOMEM;
	memset(pair, 0, sizeof(*pair));
	lane_make(&pair->to_a, c);
	if (c->kind == BENCH_RTT)
		lane_make(&pair->to_b, c);
	c->priv = pair;
	return 0;
}

static int lane_way_attach(struct lane_way *way, const struct bench_case *c,
			   int writes)
{
	int bell = c->variant & LANE_BELL;
	struct shmchan_lane_geometry g = {
		.capacity = c->ring,
		.control_offset = c->ring +
				  offsetof(struct lane_memory, control),
		.cursors_offset = c->ring +
				  offsetof(struct lane_memory, cursor),
		.cursor_stride = sizeof(struct shmchan_lane_cursor),
		.nr_readers = 1,
		.writer_slot = 0,
		.reader_slot = 1,
		.flags = SHMCHAN_LANE_HOLD | (bell ? 0 : SHMCHAN_LANE_POLL),
	};
	int err;

	err = shmchan_lane_attach(&way->lane, way->base,
				  c->ring + sizeof(struct lane_memory), &g,
				  NULL, 0);
	if (err)
		return err;
	if (writes) {
		err = shmchan_lane_writer_attach(&way->writer, &way->lane, 1,
				bell ? &way->memory->data_waiters : NULL);
		shmchan_lane_writer_asym(&way->writer, c->variant & LANE_ASYM);
		return err;
	}
	return shmchan_lane_reader_join(&way->reader, &way->lane, 0, 1,
			SHMCHAN_FROM_CURSOR,
			bell ? &way->memory->room_waiters : NULL,
			bell ? nobody_to_wake : NULL, NULL);
}

static int lane_attach(struct bench_case *c, enum bench_side side)
{
	struct lane_pair *pair = c->priv;
	int err = lane_way_attach(&pair->to_a, c, side == BENCH_B);

	if (!err && c->kind == BENCH_RTT)
		err = lane_way_attach(&pair->to_b, c, side == BENCH_A);
	return err;
}

/* What send and commit return beside 0 and EAGAIN ends the run. */
static void lane_failed(const struct bench_case *c, int err)
{
	if (err > 0)
		bench_die("%s: told to ring, though nobody sleeps", c->name);
	bench_die("%s: %s", c->name, strerror(-err));
}

static inline void lane_send(const struct bench_case *c,
			     struct shmchan_lane_writer *w, const void *data,
			     uint32_t size, unsigned int flags)
{
	int err;

	while (__builtin_expect(err = shmchan_lane_send(w, data, size, 0,
							flags), 0))
		if (err != -EAGAIN)
			lane_failed(c, err);
}

static uint64_t lane_rtt(struct bench_case *c, enum bench_side side,
			 uint64_t n)
{
	struct lane_pair *pair = c->priv;
	struct lane_way *in = side == BENCH_A ? &pair->to_a : &pair->to_b;
	struct lane_way *out = side == BENCH_A ? &pair->to_b : &pair->to_a;
	uint64_t i, got, sum = 0;
	uint32_t meta;
	size_t length;
	int err;

	for (i = 1; i <= n; i++) {
		if (side == BENCH_A)
			lane_send(c, &out->writer, &i, 8, 0);
		while ((err = shmchan_lane_recv(&in->reader, &got, 8, &length,
						&meta)))
			if (err != -EAGAIN)
				lane_failed(c, err);
		sum += got;
		if (side == BENCH_B)
			lane_send(c, &out->writer, &i, 8, 0);
	}
	return sum;
}

static inline __attribute__((always_inline)) void
lane_produce_zc(const struct bench_case *c, struct shmchan_lane_writer *w,
		uint64_t i, uint32_t size, unsigned int flags)
{
	struct shmchan_reservation rsv = { 0 };
	int err;

	while ((err = shmchan_lane_reserve(w, size, &rsv)))
		if (err != -EAGAIN)
			lane_failed(c, err);
	bench_fill(rsv.data, size / 8, i);
	err = shmchan_lane_commit(w, &rsv, size, 0, flags);
	if (err)
		lane_failed(c, err);
}

static inline __attribute__((always_inline)) void
lane_produce(struct bench_case *c, uint64_t n, uint32_t size, int variant)
{
	static uint64_t buf[LANE_BATCH * LANE_MAX_SIZE / 8];
	struct lane_pair *pair = c->priv;
	struct shmchan_lane_writer *w = &pair->to_a.writer;
	const uint32_t words = size / 8;
	uint32_t k, done, flags;
	uint64_t i;
	int err, ring;

	if (variant == LANE_ONE) {
		for (i = 0; i < n; i++) {
			bench_fill(buf, words, i);
			lane_send(c, w, buf, size, 0);
		}
		return;
	}
	for (i = 0; i < n; i += LANE_BATCH) {
		if (variant == LANE_N) {
			for (k = 0; k < LANE_BATCH; k++)
				bench_fill(buf + (size_t)k * words, words,
					   i + k);
			for (done = 0; done < LANE_BATCH;) {
				err = shmchan_lane_send_n(w, buf +
						(size_t)done * words, size,
						LANE_BATCH - done, 0, 0,
						&ring);
				if (err > 0)
					done += (uint32_t)err;
				else if (err != -EAGAIN)
					lane_failed(c, err);
			}
			continue;
		}
		for (k = 0; k < LANE_BATCH; k++) {
			flags = k < LANE_BATCH - 1 ? SHMCHAN_MORE : 0;
			if (variant == LANE_ZC) {
				lane_produce_zc(c, w, i + k, size, flags);
				continue;
			}
			bench_fill(buf, words, i + k);
			lane_send(c, w, buf, size, flags);
		}
	}
}

static inline __attribute__((always_inline)) uint64_t
lane_consume(struct bench_case *c, uint64_t n, uint32_t size, int variant)
{
	static uint64_t buf[LANE_BATCH * LANE_MAX_SIZE / 8];
	struct lane_pair *pair = c->priv;
	struct shmchan_lane_reader *r = &pair->to_a.reader;
	const uint32_t words = size / 8;
	uint64_t i = 0, sum = 0, mark = 0;
	const void *data;
	size_t length;
	uint32_t meta;
	int err;

	while (i < n) {
		if (variant == LANE_N) {
			err = shmchan_lane_recv_n(r, buf, size, LANE_BATCH,
						  &meta);
			if (err > 0) {
				sum += bench_sum(buf, (uint32_t)err * words);
				i += (uint32_t)err;
				continue;
			}
		} else if (variant == LANE_ZC) {
			err = shmchan_lane_peek(r, &data, &length, &meta);
			if (!err) {
				sum += bench_sum(data, words);
				/* Costs nothing unless an eighth is read. */
				shmchan_lane_release(r);
				i++;
				continue;
			}
		} else {
			err = shmchan_lane_recv(r, buf, size, &length, &meta);
			if (!err) {
				sum += bench_sum(buf, words);
				i++;
				continue;
			}
		}
		if (__builtin_expect(err != -EAGAIN, 0))
			lane_failed(c, err);
		bench_idle(i, &mark);
	}
	return sum;
}

/* Inlined with constant sizes, as an application uses them. */
#define LANE_RUN(variant, size) \
static uint64_t lane_run_##variant##_##size(struct bench_case *c, \
					    enum bench_side side, uint64_t n) \
{ \
	if (side == BENCH_A) \
		return lane_consume(c, n, size, variant); \
	lane_produce(c, n, size, variant); \
	return 0; \
}

#define LANE_RUNS(size) \
	LANE_RUN(LANE_ONE, size) LANE_RUN(LANE_N, size) \
	LANE_RUN(LANE_MORE, size) LANE_RUN(LANE_ZC, size)

LANE_RUNS(8)
LANE_RUNS(64)
LANE_RUNS(256)
LANE_RUNS(4096)

#define LANE_CASE(n, v, b, s, per, r) \
	{ .name = (n), .who = "shmchan", .kind = BENCH_STREAM, .size = (s), \
	  .batch = (per), .ring = (r), .create = lane_create, \
	  .attach = lane_attach, .run = lane_run_##v##_##s, \
	  .variant = (v) | (b) }

#define LANE_CASES(s, r) \
	LANE_CASE("lane-one-" #s, LANE_ONE, 0, s, 1, r), \
	LANE_CASE("lane-one-bell-" #s, LANE_ONE, LANE_BELL, s, 1, r), \
	LANE_CASE("lane-n-" #s, LANE_N, LANE_BELL, s, LANE_BATCH, r), \
	LANE_CASE("lane-more-" #s, LANE_MORE, LANE_BELL, s, LANE_BATCH, r), \
	LANE_CASE("lane-zc-" #s, LANE_ZC, LANE_BELL, s, LANE_BATCH, r)

#define LANE_RTT(n, b) \
	{ .name = (n), .who = "shmchan", .kind = BENCH_RTT, .size = 8, \
	  .batch = 1, .ring = BENCH_SMALL_RING, .create = lane_create, \
	  .attach = lane_attach, .run = lane_rtt, .variant = (b) }

struct bench_case bench_lane_cases[] = {
	LANE_RTT("lane-rtt-8", 0),
	LANE_RTT("lane-rtt-bell-8", LANE_BELL),
	LANE_RTT("lane-rtt-asym-8", LANE_BELL | LANE_ASYM),
	LANE_CASES(8, BENCH_SMALL_RING),
	LANE_CASE("lane-one-asym-8", LANE_ONE, LANE_BELL | LANE_ASYM, 8, 1,
		  BENCH_SMALL_RING),
	LANE_CASE("lane-one-asym-64", LANE_ONE, LANE_BELL | LANE_ASYM, 64, 1,
		  BENCH_SMALL_RING),
	LANE_CASES(64, BENCH_SMALL_RING),
	LANE_CASES(256, BENCH_SMALL_RING),
	LANE_CASES(4096, BENCH_BULK_RING),
	{ .name = NULL },
};
