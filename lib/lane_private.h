/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_LANE_PRIVATE_H
#define SHMCHAN_LANE_PRIVATE_H

/* What the slow paths of both ends of a lane share. */

#include <errno.h>

#include <linux/shmchan.h>

#include <shmchan/lane.h>

#ifdef SHMCHAN_EXPLORER
#define lane_fail(err, ...)	(-(err))
#else
#include "internal.h"
#define lane_fail(err, ...)	shmchan__fail((err), __VA_ARGS__)
#endif

/* The holder of generation still has the slot. */
static inline int lane_slot_live(const struct shmchan_lane *lane, uint32_t slot,
				 uint64_t generation)
{
	uint64_t word;

	if (!lane->slots)
		return generation != 0;
	word = shmchan_load_acquire((uint64_t *)&lane->slots[slot]);
	return generation && SHMCHAN_SLOT_WORD_GEN(word) == generation &&
	       SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE;
}

/* A header, whoever wrote it, that may be followed from pos. */
static inline int lane_header_sane(const struct shmchan_lane *lane,
				   uint64_t header, uint64_t pos)
{
	uint64_t offset = pos & (lane->capacity - 1);
	uint32_t length = shmchan_hdr_length(header);

	if (shmchan_hdr_kind(header) == SHMCHAN_HDR_CTRL)
		return length <= SHMCHAN_CTRL_JUMP &&
		       !(header & SHMCHAN_HDR_BUSY);
	return length <= lane->max_payload &&
	       offset + shmchan_lane_extent(length) <= lane->capacity;
}

/* The word behind the header of a RUN; whether it goes with the header. */
static inline int lane_run_sane(uint64_t header, uint64_t word,
				uint32_t *size, uint32_t *count)
{
	*size = (uint32_t)word;
	*count = (uint32_t)(word >> 32);
	return *size && *count && !(*size & 7) &&
	       (uint64_t)*size * *count + 8 == shmchan_hdr_length(header);
}

/*
 * A checkpoint as it was at one moment; its pos is ~0 if there was none.
 * Pairs with lane_checkpoint_put().
 */
static inline struct shmchan_lane_checkpoint
lane_checkpoint_get(const struct shmchan_lane *lane, uint32_t i)
{
	struct shmchan_lane_checkpoint *from = &lane->control->checkpoints[i];
	struct shmchan_lane_checkpoint copy;

	copy.pos = shmchan_load_acquire(&from->pos);
	copy.records = shmchan_load_relaxed(&from->records);
	shmchan_fence_acquire();
	if (shmchan_load_relaxed(&from->pos) != copy.pos || copy.pos & 7)
		copy.pos = ~0ULL;
	return copy;
}

/*
 * The writer's.  The sequence of the entry's seqlock is its pos: ~0 while
 * records changes.  The release also covers the records before pos: who starts
 * there has no other edge to them.
 */
static inline void lane_checkpoint_put(struct shmchan_lane_writer *w,
				       uint64_t pos, uint64_t records)
{
	uint64_t i = pos / w->lane.eighth % SHMCHAN_LANE_CHECKPOINTS;
	struct shmchan_lane_checkpoint *to = &w->lane.control->checkpoints[i];

	shmchan_store_relaxed(&to->pos, ~0ULL);
	shmchan_fence_release();
	shmchan_store_relaxed(&to->records, records);
	shmchan_store_release(&to->pos, pos);
	w->checkpoint = pos;
}

#endif /* SHMCHAN_LANE_PRIVATE_H */
