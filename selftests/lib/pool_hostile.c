// SPDX-License-Identifier: GPL-2.0-only

/*
 * Pools: references and cells of others, and an owner's words, are whatever they
 * are.  No crash, no hang, nothing beyond the buffers; and who pins, pins no more
 * than its cells.
 */

#include <pthread.h>

#include "pool_fixture.h"
#include "../../lib/pool_private.h"

static uint64_t next_random(uint64_t *rnd)
{
	*rnd ^= *rnd << 13;
	*rnd ^= *rnd >> 7;
	*rnd ^= *rnd << 17;
	return *rnd;
}

/* Numbers that look like something, and numbers that do not. */
static uint32_t nasty(uint64_t *rnd, uint32_t near)
{
	uint64_t x = next_random(rnd);

	switch (x >> 61) {
	case 0:
		return 0;
	case 1:
		return (uint32_t)x;
	case 2:
		return ~0U - (uint32_t)(x & 63);
	case 3:
		return near + (uint32_t)(x & 3) - 1;
	default:
		return (uint32_t)x % (near + 1);
	}
}

TEST(hostile_references)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_OWNER, .create = 1,
		.classes = {{ 10, 3 }, { 100, 2 }, { 5000, 2 }});
	struct shmchan_pool *owner = open_pool("refs", &opts), *holder;
	struct shmchan_region *region;
	uint64_t rnd = 88172645463325252ULL, took = 0, bad = 0, stale = 0;
	struct shmchan_pool_buf b;
	struct shmchan_pool_ref ref;
	const uint8_t *base;
	uint8_t sink = 0;
	int i, err;

	holder = open_holder("refs");
	region = shmchan_pool_region(holder);
	base = region->base;
	for (i = 0; i < 7; i++)
		CHECK_EQ(shmchan_pool_alloc(owner, i < 3 ? 10 : 100, &b, 0), 0);
	for (i = 0; i < HARNESS_ROUNDS(200000); i++) {
		ref.index = nasty(&rnd, 7);
		ref.lap = (uint32_t)(next_random(&rnd) % 4 ? 0 : 1);
		ref.offset = nasty(&rnd, 100);
		ref.length = nasty(&rnd, 100);
		err = shmchan_pool_take(holder, &ref, &b);
		took += !err;
		bad += err == -EBADMSG;
		stale += err == -ESTALE;
		CHECK(!err || err == -EBADMSG || err == -ESTALE);
		if (err)
			continue;
		CHECK((const uint8_t *)b.data >= base);
		CHECK((const uint8_t *)b.data + b.capacity <=
		      base + region->data_size);
		CHECK_LE(b.length, b.capacity);
		if (b.length)
			sink ^= ((uint8_t *)b.data)[b.length - 1];
		CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
	}
	note("%llu taken, %llu senseless, %llu stale (%u)",
	     (unsigned long long)took, (unsigned long long)bad,
	     (unsigned long long)stale, sink);
	CHECK_GT(took, 0);
	CHECK_GT(bad, 0);
	CHECK_GT(stale, 0);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

/* Messages of any length, with anything in them. */
TEST(hostile_messages)
{
	struct shmchan_pool *owner = open_owner("msgs", 100, 4), *holder;
	uint64_t rnd = 7, i, took = 0, bad = 0;
	struct shmchan_pool_buf a, b;
	struct shmchan_pool_ref ref;
	struct shmchan_spsc tx, rx;
	uint8_t raw[64];
	size_t length;
	int err;

	holder = open_holder("msgs");
	a = alloc_buf(owner, 100);
	open_as(&tx, "lane", SHMCHAN_SENDER, 4096, -1);
	open_as(&rx, "lane", SHMCHAN_RECEIVER, 4096, -1);
	for (i = 0; i < 20000; i++) {
		ref = ref_of(owner, &a);
		memset(raw, 0xa5, sizeof(raw));
		if (next_random(&rnd) % 2)
			ref.index = nasty(&rnd, 4);
		if (next_random(&rnd) % 2)
			ref.offset = nasty(&rnd, 100);
		memcpy(raw, &ref, sizeof(ref));
		length = next_random(&rnd) % 2 ? 16 : next_random(&rnd) % 64;
		CHECK_EQ(shmchan_spsc_send(&tx, raw, length, 0, 0, 0), 0);
		err = shmchan_pool_recv_spsc(holder, &rx, &b, NULL, 0);
		CHECK(!err || err == -EBADMSG || err == -ESTALE);
		if (length != 16)
			CHECK_EQ(err, -EBADMSG);
		bad += err == -EBADMSG;
		took += !err;
		if (!err)
			CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
		/* One each: what cannot be taken does not stay. */
		CHECK_EQ(shmchan_pool_recv_spsc(holder, &rx, &b, NULL, 0),
			 -EAGAIN);
	}
	CHECK_GT(took, 0);
	CHECK_GT(bad, 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

/* A holder fills all its cells with what it never took: it pins so many. */
TEST(pins_its_cells_and_no_more)
{
	struct shmchan_pool *owner = open_owner("pins", 64, 20), *holder;
	struct shmchan_pool_loan loans[20];
	struct shmchan_pool_buf a[20], b;
	uint32_t i, n;
	uint64_t *cells;

	holder = open_holder("pins");
	cells = shmchan_pool_cells(holder->block);
	shmchan_store_seq_cst(&holder->block->used, ~0ULL);
	/* In its own window, and in no other's: it names eight. */
	for (i = 0; i < 64; i++)
		if (i < 8)
			shmchan_store_seq_cst(&cells[i], shmchan_pool_cell(
				holder->region->generation, i));
	for (n = 0; n < 3; n++) {
		for (i = 0; i < (n ? 12U : 20U); i++)
			a[i] = alloc_buf(owner, 64);
		CHECK_EQ(shmchan_pool_alloc(owner, 64, &b, 0), -EAGAIN);
		while (i)
			CHECK_EQ(shmchan_pool_drop(owner, &a[--i]), 0);
	}
	/* The owner is told who it is, and can do something about it. */
	CHECK_EQ(shmchan_pool_holders(owner, SHMCHAN_POOL_ALL, loans, 20), 8);
	for (i = 0; i < 8; i++) {
		CHECK_EQ(loans[i].slot, holder->region->slot);
		CHECK_EQ(loans[i].index, i);
	}
	shmchan_pool_close(holder);
	for (i = 0; i < 20; i++)
		a[i] = alloc_buf(owner, 64);
	shmchan_pool_close(owner);
}

/* Cells of other generations, of buffers that there are not, all counters. */
TEST(hostile_cells)
{
	struct shmchan_pool *owner = open_owner("cellar", 64, 12), *holder;
	uint64_t rnd = 5, i, got = 0;
	struct shmchan_pool_loan loans[8];
	struct shmchan_pool_buf b;
	uint64_t *cells;
	int err, k, n;

	holder = open_holder("cellar");
	cells = shmchan_pool_cells(holder->block);
	for (i = 0; i < (uint64_t)HARNESS_ROUNDS(20000); i++) {
		for (k = 0; k < 8; k++)
			shmchan_store_relaxed(&cells[k],
				(uint64_t)nasty(&rnd,
					holder->region->generation) << 32 |
				nasty(&rnd, 13));
		shmchan_store_relaxed(&holder->block->used,
				      (uint64_t)nasty(&rnd, 9) << 7 |
				      nasty(&rnd, 9));
		shmchan_store_relaxed(&holder->block->drops,
				      next_random(&rnd));
		err = shmchan_pool_alloc(owner, 64, &b,
					 next_random(&rnd) % 8 ? 0 : 10000);
		CHECK(!err || err == -EAGAIN || err == -ETIMEDOUT);
		/* Four are there that it cannot pin. */
		CHECK_EQ(err, 0);
		got++;
		CHECK_EQ(shmchan_pool_drop(owner, &b), 0);
		n = shmchan_pool_holders(owner, SHMCHAN_POOL_ALL, loans, 8);
		CHECK_GE(n, 0);
		CHECK_LE(n, 8);
		for (k = 0; k < n; k++)
			CHECK_LT(loans[k].index, 12);
	}
	CHECK_GT(got, 0);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

/* An owner that writes anything into its words; and one that takes over. */
TEST(hostile_words)
{
	struct shmchan_pool *owner = open_owner("words", 64, 8), *holder;
	uint64_t rnd = 9, i, took = 0;
	struct shmchan_pool_buf b, bufs[8];
	struct shmchan_pool_ref ref = { 0, 0, 0, 64 };
	uint32_t seen;
	int k, err;

	holder = open_holder("words");
	for (i = 0; i < (uint64_t)HARNESS_ROUNDS(3000); i++) {
		for (k = 0; k < 8; k++) {
			/* For ASKED there is a bound, tried below. */
			uint32_t state = nasty(&rnd, 3);

			shmchan_store_relaxed(&owner->view.words[k],
				shmchan_pool_word(nasty(&rnd, 1),
						  state == 2 ? 1 : state));
		}
		ref.index = (uint32_t)next_random(&rnd) % 8;
		ref.lap = nasty(&rnd, 1);
		err = shmchan_pool_take(holder, &ref, &b);
		CHECK(!err || err == -ESTALE);
		took += !err;
		if (!err)
			CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
	}
	CHECK_GT(took, 0);
	/* It asks, and never answers. */
	shmchan_store_relaxed(&owner->view.words[0],
			      shmchan_pool_word(5, SHMCHAN_POOL_ASKED));
	ref.index = 0;
	ref.lap = 5;
	CHECK_EQ(shmchan_pool_take(holder, &ref, &b), -EBUSY);
	CHECK_SAYS(shmchan_error_detail(), "stopped");
	CHECK_EQ(shmchan_pool_holders(holder, SHMCHAN_POOL_ALL, NULL, 0), 0);
	/* Of one that is gone, what it asked last is no more in question. */
	for (k = 1; k < 8; k++)
		shmchan_store_relaxed(&owner->view.words[k], next_random(&rnd));
	shmchan_pool_close(owner);
	CHECK_EQ(shmchan_pool_take(holder, &ref, &b), 0);
	/* Whatever is there: all of it is the next owner's, but for that. */
	owner = open_owner("words", 64, 8);
	for (seen = 0, k = 0; k < 7; k++) {
		bufs[k] = alloc_buf(owner, 64);
		seen |= 1U << bufs[k].index;
	}
	CHECK_EQ(seen, 0xfe);
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &bufs[7], 0), -EAGAIN);
	CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
	bufs[7] = alloc_buf(owner, 64);
	CHECK_EQ(bufs[7].index, 0);
	CHECK_EQ(bufs[7].lap, 6);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

/* A header that somebody else has made. */
static void header_refused(const struct shmchan_wire_pool *h, const char *says)
{
	const struct shmchan_window windows[] = {
		{ 0, 8192, 0, 0 },
		{ SHMCHAN_CONTROL_OFFSET(8192) + 4096, 4096, 0, 0 },
		{ SHMCHAN_CONTROL_OFFSET(8192) + 8192, 4096, 1, 0 },
	};
	const struct shmchan_doorbell bell = { 0, 0 };
	struct shmchan_region_opts ropts = SHMCHAN_REGION_OPTS(
		.flags = SHMCHAN_CREATE_SMALL,
		.nr_slots = 2, .nr_doorbells = 1, .doorbells = &bell,
		.nr_windows = 3, .windows = windows,
		.data_size = 8192, .control_size = 12288,
		.header = h, .header_len = sizeof(*h));
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_HOLDER);
	struct shmchan_pool *pool;
	struct shmchan_region *r;

	ropts.slot = 0;
	CHECK_EQ(shmchan_region_create(&r, test_name("header"), &ropts), 0);
	if (says) {
		CHECK_EQ(shmchan_pool_open(&pool, test_name("header"), &opts),
			 -EPROTO);
		CHECK_SAYS(shmchan_error_detail(), says);
	} else {
		CHECK_EQ(shmchan_pool_open(&pool, test_name("header"), &opts),
			 0);
		shmchan_pool_close(pool);
	}
	shmchan_region_close(r);
}

TEST(hostile_headers)
{
	const uint64_t control = SHMCHAN_CONTROL_OFFSET(8192);
	const struct shmchan_wire_pool good = {
		.wire = { SHMCHAN_WIRE_MAGIC, SHMCHAN_WIRE_VERSION,
			  SHMCHAN_WIRE_POOL, sizeof(good), 0 },
		.bell = 1, .nr_holders = 1, .nr_cells = 8, .nr_classes = 1,
		.nr_buffers = 8, .words_offset = control + 4096,
		.holders_offset = control + 8192, .holder_stride = 4096,
		.classes = { { 0, 1000, 1024, 8, 0 } },
	};
	struct shmchan_wire_pool h;

	header_refused(&good, NULL);
#define ODD(field, value, says) \
	do { \
		h = good; \
		h.field = (value); \
		header_refused(&h, says); \
	} while (0)
	ODD(wire.version, 7, "version 7");
	ODD(wire.length, 64, "64 bytes");
	ODD(bell, 0, "doorbell");
	ODD(flags, 2, "flags");
	ODD(flags, SHMCHAN_POOL_WRITABLE, "may not write");
	ODD(nr_holders, 2, "holders");
	ODD(nr_holders, ~0U, "holders");
	ODD(nr_cells, 0, "cells");
	ODD(nr_cells, 512, "cells");
	ODD(nr_classes, 9, "classes");
	ODD(nr_classes, 0, "classes");
	ODD(nr_buffers, 9, "buffers");
	ODD(words_offset, control, "words");
	ODD(words_offset, control + 12288, "words");
	ODD(words_offset, ~0ULL & ~63ULL, "words");
	ODD(holders_offset, control + 4096, "cells");
	ODD(holders_offset, control + 12288, "cells");
	ODD(holder_stride, 64, "cells");
	ODD(holder_stride, 8192, "cells");
	ODD(holder_stride, ~0ULL & ~63ULL, "cells");
	ODD(classes[0].offset, 8, "beyond");
	ODD(classes[0].offset, ~0ULL & ~7ULL, "beyond");
	ODD(classes[0].stride, 2048, "beyond");
	ODD(classes[0].stride, 8, "sizes");
	ODD(classes[0].stride, ~0ULL & ~7ULL, "sizes");
	ODD(classes[0].size, 0, "sizes");
	ODD(classes[0].size, ~0ULL, "sizes");
	ODD(classes[0].nr, 0, "sizes");
	ODD(classes[0].nr, ~0U, "sizes");
	h = good;
	h.nr_classes = 2;
	h.nr_buffers = 9;
	h.classes[1] = (struct shmchan_wire_pool_class){ 7168, 1008, 1008, 1, 0 };
	header_refused(&h, "overlap");
	ODD(words_offset, control + 8192, "cells");
}

struct scribbler {
	struct shmchan_pool *owner;
	struct shmchan_pool *holder;
	_Atomic int stop;
};

static void *keep_scribbling(void *arg)
{
	struct scribbler *job = (struct scribbler *)arg;
	uint64_t *cells = shmchan_pool_cells(job->holder->block);
	uint64_t rnd = 3;

	while (!job->stop) {
		shmchan_store_relaxed(&cells[next_random(&rnd) % 8],
			(uint64_t)nasty(&rnd, job->holder->region->generation)
			<< 32 | nasty(&rnd, 8));
		shmchan_store_relaxed(&job->holder->block->used,
				      next_random(&rnd));
		shmchan_store_relaxed(&job->owner->view.words[
					next_random(&rnd) % 8],
			shmchan_pool_word(nasty(&rnd, 2), nasty(&rnd, 2)));
	}
	return NULL;
}

/* All work, and somebody scribbles over all words meanwhile. */
TEST_LIMIT(scribbled_while_it_runs, 60)
{
	struct shmchan_pool *owner = open_owner("live", 64, 8), *holder, *third;
	struct scribbler job = { .owner = owner };
	struct shmchan_pool_ref ref = { 0, 0, 0, 64 };
	uint64_t rnd = 3, end, took = 0, got = 0;
	struct shmchan_pool_buf b;
	pthread_t thread;
	int err;

#ifdef SHMCHAN_TSAN
	SKIP("the races are meant");
#endif
	holder = open_holder("live");
	third = open_holder("live");
	job.holder = holder;
	CHECK_EQ(pthread_create(&thread, NULL, keep_scribbling, &job), 0);
	end = now_ns() + 1500 * MS;
	while (now_ns() < end) {
		err = shmchan_pool_alloc(owner, 64, &b,
					 (int64_t)(next_random(&rnd) % 20000));
		CHECK(!err || err == -EAGAIN || err == -ETIMEDOUT);
		got += !err;
		if (!err)
			CHECK_EQ(shmchan_pool_drop(owner, &b), 0);
		ref.index = nasty(&rnd, 8);
		ref.lap = nasty(&rnd, 2);
		err = shmchan_pool_take(third, &ref, &b);
		CHECK(!err || err == -ESTALE || err == -EBADMSG ||
		      err == -EBUSY);
		took += !err;
		if (!err)
			CHECK_EQ(shmchan_pool_drop(third, &b), 0);
	}
	job.stop = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	note("%llu lent, %llu taken", (unsigned long long)got,
	     (unsigned long long)took);
	CHECK_GT(got + took, 0);
	shmchan_pool_close(third);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

TEST_MAIN
