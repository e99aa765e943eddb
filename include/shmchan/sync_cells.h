/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SYNC_CELLS_H
#define SHMCHAN_SYNC_CELLS_H

/*
 * A word for each member, for locks in which each says something for itself: that
 * it reads, that it has arrived.
 *
 *	 63            32 31                            0
 *	+----------------+-------------------------------+
 *	|   generation   |            value              |
 *	+----------------+-------------------------------+
 *
 * Slot i's cell is written by the holder of slot i and by nobody else, and counts
 * while the generation in it is the one that holds the slot, by the status page.
 * So what the dead had said is void by itself, and nobody has to clear it away; who
 * comes next in that slot writes a word of its own over it.
 *
 * Each cell has a cache line to itself, which is what makes saying something
 * cheap.  They lie behind the object's first line, in the same shared window,
 * unless told otherwise: with cells_offset and cells_stride, slot i's cell is at
 * region offset cells_offset + i * cells_stride, which can be in a window that
 * only slot i may write.  Then, with the module, no member can speak for another.
 * All that attach have to say the same, which is checked.
 */

#include <shmchan/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What cells behind the first line take, of a region with so many slots. */
#define SHMCHAN_SYNC_CELLS_SIZE(nr_slots)	(64ULL * (nr_slots))

/* In a handle.  Nothing in it is for users. */
struct shmchan_sync_cells {
	uint64_t *own;			/* ours */
	uint8_t *first;			/* slot 0's */
	uint32_t shift;			/* of the stride */
};

static inline uint64_t *shmchan_sync__cell(const struct shmchan_sync_cells *c,
					   uint32_t slot)
{
	return (uint64_t *)(c->first + ((uint64_t)slot << c->shift));
}

static inline uint64_t shmchan_sync__said(uint32_t generation, uint32_t value)
{
	return (uint64_t)generation << 32 | value;
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_SYNC_CELLS_H */
