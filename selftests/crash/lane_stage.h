/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_LANE_STAGE_H
#define SHMCHAN_TEST_LANE_STAGE_H

/*
 * A lane in a region of its own, for scenarios: the writer has slot 0, reader i
 * slot 1 + i, and the last slot is the keeper's, who is the driver and sees to
 * it that the region stays.  What is in the lane is known by *seeds*: the payload
 * of a record tells its seed and length, and its meta is the seed.
 */

#include <shmchan/bell.h>
#include <shmchan/lane.h>

#include "records.h"

#define STAGE_RING	4096ULL
#define STAGE_READERS	2
#define STAGE_SLOTS	(1 + STAGE_READERS + 1)
#define STAGE_KEEPER	(STAGE_SLOTS - 1)
#define STAGE_DATA	1	/* doorbells */
#define STAGE_SPACE	2

/* One member of the lane. */
struct actor {
	struct shmchan_region *region;
	struct shmchan_lane lane;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
};

static struct shmchan_region *keeper;

static inline struct shmchan_region *stage_create(const char *tag)
{
	const uint64_t c = SHMCHAN_CONTROL_OFFSET(STAGE_RING);
	const struct shmchan_window windows[] = {
		{ 0, STAGE_RING, 0, 0 },
		{ c + 4096, 4096, 0, 0 },
		{ c + 2 * 4096, 4096, 1, 0 },
		{ c + 3 * 4096, 4096, 2, 0 },
	};
	const struct shmchan_doorbell bells[] = { { 1, 0 }, { 0, 0 } };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.flags = SHMCHAN_CREATE_SMALL, .slot = STAGE_KEEPER,
		.data_size = STAGE_RING, .control_size = 4 * 4096,
		.nr_slots = STAGE_SLOTS, .nr_doorbells = 2, .doorbells = bells,
		.nr_windows = 4, .windows = windows);
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_create(&r, crash_name(tag), &opts), 0);
	return r;
}

static inline void stage_lane(struct shmchan_lane *lane,
			      const struct shmchan_region *r, uint32_t flags)
{
	const struct shmchan_lane_geometry geo = {
		.capacity = STAGE_RING,
		.control_offset = r->control_offset + 4096,
		.cursors_offset = r->control_offset + 2 * 4096,
		.cursor_stride = 4096,
		.nr_readers = STAGE_READERS - !!(flags & SHMCHAN_LANE_HOLD),
		.writer_slot = 0,
		.reader_slot = 1,
		.flags = flags,
	};

	CHECK_EQ(shmchan_lane_attach(lane, r->base,
			r->control_offset + r->control_size, &geo,
			(const uint64_t *)shmchan_region_at(r,
				shmchan_slot_offset(r, 0)), r->nr_slots), 0);
}

static inline void stage_enter(struct actor *a, const char *tag, uint32_t slot,
			       uint32_t flags)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(.slot = slot);
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	int err;

	memset(a, 0, sizeof(*a));
	/* The slot of somebody who has just died may take a moment. */
	do
		err = shmchan_region_open(&a->region, crash_name(tag), &opts);
	while (err == -EBUSY && now_ns() < end);
	CHECK_EQ(err, 0);
	stage_lane(&a->lane, a->region, flags);
}

static inline uint32_t *stage_waiters(const struct actor *a, uint32_t bell)
{
	return &shmchan_doorbell_status(a->region, bell)->waiters;
}

static inline void stage_wake(void *arg)
{
	const struct actor *a = arg;

	CHECK_GE(shmchan_bell_ring(a->region, STAGE_SPACE, 0), 0);
}

static inline void stage_writer(struct actor *a, const char *tag,
				uint32_t flags)
{
	stage_enter(a, tag, 0, flags);
	CHECK_EQ(shmchan_lane_writer_attach(&a->w, &a->lane,
					    a->region->generation,
					    stage_waiters(a, STAGE_DATA)), 0);
}

static inline void stage_reader(struct actor *a, const char *tag,
				uint32_t flags, enum shmchan_lane_from from)
{
	stage_enter(a, tag, 1, flags);
	CHECK_EQ(shmchan_lane_reader_join(&a->r, &a->lane, 0,
					  a->region->generation, from,
					  stage_waiters(a, STAGE_SPACE),
					  stage_wake, a), 0);
}

static inline void stage_leave(struct actor *a)
{
	shmchan_region_close(a->region);
	a->region = NULL;
}

static inline int stage_send(struct actor *a, size_t n, uint64_t seed)
{
	uint8_t buf[1024];

	record_fill(buf, n, seed);
	return shmchan_lane_send(&a->w, buf, n, (uint32_t)seed, 0);
}

/* Receive one that is whole; its seed, or the error. */
static inline int stage_recv(struct actor *a, uint64_t *seed)
{
	uint8_t buf[1024];
	uint32_t meta;
	size_t len;
	int err;

	err = shmchan_lane_recv(&a->r, buf, sizeof(buf), &len, &meta);
	if (err)
		return err;
	record_check(buf, len, meta);
	*seed = meta;
	return 0;
}

/*
 * Bring a lane to where its tail is at pos, nothing unread.  The odd length comes
 * first, so that checkpoints lie as far into their eighths as pos does.
 */
static inline void stage_advance(struct actor *w, struct actor *r, uint64_t pos)
{
	uint64_t extent, seed = 1, got;

	while (w->w.tail < pos) {
		extent = (pos - w->w.tail) % 512;
		if (!extent)
			extent = 512;
		CHECK_EQ(stage_send(w, extent - 8, seed), 0);
		CHECK_EQ(stage_recv(r, &got), 0);
		CHECK_EQ(got, seed);
	}
}

#endif /* SHMCHAN_TEST_LANE_STAGE_H */
