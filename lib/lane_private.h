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

/* So often a reader looks for a place in a lane that moves on meanwhile. */
#ifndef LANE_JOIN_TRIES		/* the fuzzer has less time */
#define LANE_JOIN_TRIES	1000
#endif

/* No slot word ever has this value: whoever compares goes the slow way. */
#define LANE_NO_WORD		(~0ULL)

#pragma GCC visibility push(hidden)

/* The word of a slot in a lane without slots: it never changes. */
extern const uint64_t shmchan__no_slot;

/*
 * Our own slot word, and what is in it while we have the slot; ESTALE if that
 * is over already.
 */
int shmchan__lane_own(const struct shmchan_lane *lane, uint32_t slot,
		      uint32_t generation, const uint64_t **word,
		      uint64_t *live);

/*
 * The payload to be read next in a lane that is not passable, as
 * shmchan_lane_recv() finds it and with its errors; *end is for _advance(), once it
 * has been read.
 */
int shmchan_lane__front(struct shmchan_lane_reader *r, const uint8_t **data,
			uint32_t *length, uint32_t *meta, uint64_t *end);
void shmchan_lane__advance(struct shmchan_lane_reader *r, uint64_t end);

/*
 * We were passed.  Go on at a checkpoint; EOVERFLOW: its count less ours is what we
 * lost.  0 if that is nothing (only padding was passed).  EAGAIN: there is no place.
 */
int shmchan_lane__resync(struct shmchan_lane_reader *r);

#pragma GCC visibility pop

static inline uint64_t lane_floor(const struct shmchan_lane_reader *r)
{
	return shmchan_load_relaxed(&r->lane.control->floor);
}

/*
 * What was loaded before this, at pos and behind, may not be what was there:
 * the writer has been given leave to write over it.  The floor is stored
 * before such data, and the fences keep it so on both sides: if we saw any of
 * it, we see the floor.
 */
static inline int lane_passed(const struct shmchan_lane_reader *r, uint64_t pos)
{
	if (!r->passable)
		return 0;
	shmchan_fence_acquire();
	return lane_floor(r) > pos;
}

/* What is told to the caller, unless what led to it was no part of the lane. */
static inline int lane_said(const struct shmchan_lane_reader *r, int ret)
{
	return shmchan_lane__gone(r->own_word, r->own_live) ?
	       shmchan_lane__stale() : ret;
}

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

/* Is that a writer's who leaves what the last one left behind? */
static inline int lane_header_jumps(uint64_t header)
{
	return shmchan_hdr_committed(header) &&
	       shmchan_hdr_kind(header) == SHMCHAN_HDR_CTRL &&
	       shmchan_hdr_length(header) == SHMCHAN_CTRL_JUMP;
}

/* Has recv said, where it is now, that the writer whose slot word that is has ended? */
static inline int lane_end_is_told(const struct shmchan_lane_reader *r,
				   uint64_t word)
{
	return r->end_seen &&
	       SHMCHAN_SLOT_WORD_STATE(word) != SHMCHAN_SLOT_LIVE &&
	       r->whose.oldest == SHMCHAN_SLOT_WORD_GEN(word) + 1;
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
	if (shmchan_load_relaxed(&from->pos) != copy.pos || copy.pos & 7 ||
	    copy.pos > SHMCHAN_LANE_MAX_POS)
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
