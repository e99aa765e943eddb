/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_FUZZ_LANE_H
#define SHMCHAN_FUZZ_LANE_H

/* A lane in heap memory: what is beside it, ASan watches. */

#include <linux/shmchan.h>

#include <shmchan/lane.h>

#include "fuzz.h"

#define FUZZ_READERS	2

struct fuzz_lane {
	uint8_t *base;
	size_t size;
	uint64_t slots[1 + FUZZ_READERS];
	uint32_t waiters[2];
	struct shmchan_lane lane;
	unsigned int wakes;
};

static inline void fuzz_lane_wake(void *arg)
{
	((struct fuzz_lane *)arg)->wakes++;
}

/* Ring, control, cursors; nothing between them. */
static inline void fuzz_lane_new(struct fuzz_lane *l, uint64_t capacity,
				 uint32_t flags)
{
	struct shmchan_lane_geometry geo = {
		.capacity = capacity,
		.control_offset = capacity,
		.cursors_offset = capacity + sizeof(struct shmchan_lane_control),
		.cursor_stride = 64, .nr_readers = FUZZ_READERS,
		.reader_slot = 1, .flags = flags,
	};
	unsigned int i;

	memset(l, 0, sizeof(*l));
	l->size = geo.cursors_offset + 64 * FUZZ_READERS;
	FUZZ_CHECK(!posix_memalign((void **)&l->base, 4096, l->size));
	memset(l->base, 0, l->size);
	for (i = 0; i < 1 + FUZZ_READERS; i++)
		l->slots[i] = 1ULL << 32 | SHMCHAN_SLOT_LIVE;
	FUZZ_CHECK(!shmchan_lane_attach(&l->lane, l->base, l->size, &geo,
					l->slots, 1 + FUZZ_READERS));
}

static inline void fuzz_lane_free(struct fuzz_lane *l)
{
	free(l->base);
}

static inline void *fuzz_lane_control(struct fuzz_lane *l)
{
	return l->lane.control;
}

static inline uint32_t fuzz_lane_flags(uint8_t choice)
{
	static const uint32_t flags[] = {
		0, SHMCHAN_LANE_HOLD, SHMCHAN_LANE_OVERWRITE,
		SHMCHAN_LANE_EVICT,
	};

	return flags[choice % 4];
}

#endif /* SHMCHAN_FUZZ_LANE_H */
