/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_LANE_FIXTURE_H
#define SHMCHAN_LANE_FIXTURE_H

/*
 * Lanes over plain memory, without a region: the memory is shared with forked
 * helpers, and a page of slot words stands in for the status page.
 */

#include <shmchan/lane.h>

#include "harness.h"

#define FIXTURE_WRITER	0	/* slots */
#define FIXTURE_READER	1
#define FIXTURE_SLOTS	200

struct fixture {
	uint8_t *base;
	uint64_t size;
	uint64_t *slots;
	uint32_t *waiters;	/* [0]: readers asleep, [1]: writers asleep */
	struct shmchan_lane_geometry geo;
	struct shmchan_lane lane;
	unsigned int wakes;	/* calls of the readers' hook, this process */
};

static inline void fixture_wake(void *arg)
{
	((struct fixture *)arg)->wakes++;
}

/* An empty lane, its members alive with generation 1. */
static inline void fixture_init(struct fixture *f, uint64_t capacity,
				uint32_t nr_readers, uint32_t flags)
{
	uint64_t control = capacity < 4096 ? 4096 : capacity;
	uint8_t *page;
	uint32_t i;

	memset(f, 0, sizeof(*f));
	f->size = control + 4096 + 64ULL * nr_readers;
	f->base = shared_alloc(f->size);
	page = shared_alloc(4096);
	f->slots = (uint64_t *)(void *)page;
	f->waiters = (uint32_t *)(void *)(page + 2048);
	for (i = 0; i < FIXTURE_SLOTS; i++)
		f->slots[i] = 1ULL << 32 | SHMCHAN_SLOT_LIVE;
	f->geo.capacity = capacity;
	f->geo.control_offset = control;
	f->geo.cursors_offset = control + 4096;
	f->geo.cursor_stride = 64;
	f->geo.nr_readers = nr_readers;
	f->geo.writer_slot = FIXTURE_WRITER;
	f->geo.reader_slot = FIXTURE_READER;
	f->geo.flags = flags;
	CHECK_EQ(shmchan_lane_attach(&f->lane, f->base, f->size, &f->geo,
				     f->slots, FIXTURE_SLOTS), 0);
}

/* All zero again, as new. */
static inline void fixture_reset(struct fixture *f)
{
	uint32_t i;

	memset(f->base, 0, f->size);
	for (i = 0; i < FIXTURE_SLOTS; i++)
		f->slots[i] = 1ULL << 32 | SHMCHAN_SLOT_LIVE;
}

static inline void fixture_free(struct fixture *f)
{
	munmap(f->base, f->size);
	munmap(f->slots, 4096);
}

static inline void fixture_slot(struct fixture *f, uint32_t slot,
				uint32_t generation, uint32_t state)
{
	__atomic_store_n(&f->slots[slot], (uint64_t)generation << 32 | state,
			 __ATOMIC_SEQ_CST);
}

static inline void fixture_writer(struct fixture *f,
				  struct shmchan_lane_writer *w)
{
	CHECK_EQ(shmchan_lane_writer_attach(w, &f->lane,
			SHMCHAN_SLOT_WORD_GEN(f->slots[FIXTURE_WRITER]),
			&f->waiters[0]), 0);
}

static inline void fixture_reader(struct fixture *f,
				  struct shmchan_lane_reader *r, uint32_t index,
				  enum shmchan_lane_from from)
{
	CHECK_EQ(shmchan_lane_reader_join(r, &f->lane, index,
			SHMCHAN_SLOT_WORD_GEN(f->slots[FIXTURE_READER + index]),
			from, &f->waiters[1], fixture_wake, f), 0);
}

/* Payload bytes that depend on all of it, so that a wrong one shows. */
static inline void fill(uint8_t *buf, size_t n, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + n + 1;
	size_t i;

	for (i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		buf[i] = (uint8_t)x;
	}
}

static inline int filled(const uint8_t *buf, size_t n, uint64_t seed)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL + n + 1;
	size_t i;

	for (i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (buf[i] != (uint8_t)x)
			return 0;
	}
	return 1;
}

/* Send n bytes that tell seed, with meta the same; the return of send. */
static inline int send_seed(struct shmchan_lane_writer *w, size_t n,
			    uint64_t seed)
{
	static uint8_t buf[1 << 20];

	fill(buf, n, seed);
	return shmchan_lane_send(w, buf, n, (uint32_t)seed, 0);
}

/* Receive one, which must be n bytes that tell seed. */
#define CHECK_RECV(r, n, seed)						\
	do {								\
		static uint8_t recv_buf[1 << 20];			\
		size_t recv_len = 0;					\
		uint32_t recv_meta = 0;					\
		CHECK_EQ(shmchan_lane_recv((r), recv_buf, sizeof(recv_buf), \
					   &recv_len, &recv_meta), 0);	\
		CHECK_EQ(recv_len, (n));				\
		CHECK_EQ(recv_meta, (uint32_t)(seed));			\
		CHECK(filled(recv_buf, recv_len, (seed)));		\
	} while (0)

/* The next receive must fail so. */
#define CHECK_RECV_ERR(r, e)						\
	do {								\
		static uint8_t recv_buf[1 << 20];			\
		size_t recv_len = 0;					\
		uint32_t recv_meta = 0;					\
		CHECK_EQ(shmchan_lane_recv((r), recv_buf, sizeof(recv_buf), \
					   &recv_len, &recv_meta), (e)); \
	} while (0)

#endif /* SHMCHAN_LANE_FIXTURE_H */
