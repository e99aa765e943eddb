// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Lanes, the writing end: taking over from whoever held it before.
 *
 * What a dead writer left is a prefix of what it did (docs/lane.md lists the
 * kill points), so a walk over the headers from the newest checkpoint finds
 * its tail.  Unless it was hostile: then anything may be there, and what makes
 * no sense is jumped over.
 */

#include <string.h>

#include "lane_private.h"

/* The newest checkpoint that can be one; ~0 if there is none. */
static struct shmchan_lane_checkpoint
repair_start(const struct shmchan_lane *lane, uint64_t floor)
{
	struct shmchan_lane_checkpoint entry, newest = { ~0ULL, 0 };
	uint32_t i;

	for (i = 0; i < SHMCHAN_LANE_CHECKPOINTS; i++) {
		entry = lane_checkpoint_get(lane, i);
		if (entry.pos < floor || entry.pos > floor + lane->capacity - 8)
			continue;
		if (newest.pos == ~0ULL || entry.pos > newest.pos)
			newest = entry;
	}
	return newest;
}

/*
 * From w->tail on, to the first header that is 0.  Returns 0 there, or 1 in
 * front of a header that no writer of ours wrote.
 */
static int repair_walk(struct shmchan_lane_writer *w)
{
	uint64_t header, extent;
	uint32_t size, count, kind;

	for (;; w->tail += extent) {
		header = shmchan_load_acquire(shmchan_lane__at(w, w->tail));
		if (!header)
			return 0;
		if (!lane_header_sane(&w->lane, header, w->tail))
			return 1;
		extent = shmchan_hdr_extent(header);
		if (w->tail + extent > w->limit - 8)
			return 1;
		kind = shmchan_hdr_kind(header);
		if (header & SHMCHAN_HDR_BUSY) {
			if (kind != SHMCHAN_HDR_DATA)
				return 1;
			shmchan_store_release(shmchan_lane__at(w, w->tail),
				shmchan_hdr(extent - 8, SHMCHAN_HDR_PAD, 0));
		} else if (kind == SHMCHAN_HDR_DATA) {
			w->records++;
		} else if (kind == SHMCHAN_HDR_RUN) {
			if (!lane_run_sane(header, shmchan_load_relaxed(
					shmchan_lane__at(w, w->tail + 8)),
					   &size, &count))
				return 1;
			w->records += count;
		} else if (lane_header_jumps(header)) {
			return 1;
		}
	}
}

/* Stale payload behind the tail would look like headers. */
static void repair_zero(struct shmchan_lane_writer *w)
{
	uint64_t end = w->tail + SHMCHAN_LANE_AHEAD + SHMCHAN_LANE_LINE;

	end &= ~(SHMCHAN_LANE_LINE - 1ULL);
	if (end > w->limit)
		end = w->limit;
	for (w->zeroed = w->tail; w->zeroed < end; w->zeroed += 8)
		shmchan_store_relaxed(shmchan_lane__at(w, w->zeroed),
				      (uint64_t)0);
}

/*
 * Leave all that makes no sense behind, up to the last line below the limit,
 * and go on there.  JUMP first: if we die before the checkpoint is there, our
 * successor comes here again; readers at JUMP wait for a later checkpoint.
 */
static void repair_jump(struct shmchan_lane_writer *w)
{
	uint64_t target = w->limit - SHMCHAN_LANE_LINE;

	if (w->tail < target) {
		shmchan_store_release(shmchan_lane__at(w, w->tail),
				      shmchan_hdr(SHMCHAN_CTRL_JUMP,
						  SHMCHAN_HDR_CTRL, 0));
		w->tail = target;
	}
	repair_zero(w);
	lane_checkpoint_put(w, w->tail, w->records);
}

int shmchan_lane_writer_attach(struct shmchan_lane_writer *w,
			       const struct shmchan_lane *lane,
			       uint32_t generation, const uint32_t *waiters)
{
	struct shmchan_lane_checkpoint start;
	uint64_t floor;
	int err;

	if (!generation || (!waiters && !(lane->flags & SHMCHAN_LANE_POLL)))
		return lane_fail(EINVAL,
				 "lane: no generation, or no count of waiters in a lane that is not POLL");
	memset(w, 0, sizeof(*w));
	err = shmchan__lane_own(lane, lane->writer_slot, generation,
				&w->own_word, &w->own_live);
	if (err)
		return err;
	w->lane = *lane;
	w->ring = lane->ring;
	w->mask = lane->capacity - 1;
	w->waiters = lane->flags & SHMCHAN_LANE_POLL ? NULL : waiters;
	w->fence = !!w->waiters;
	w->max_payload = lane->max_payload;
	w->flags = lane->flags;
	w->generation = generation;

	floor = shmchan_load_relaxed(&lane->control->floor);
	if (floor > SHMCHAN_LANE_MAX_POS)
		return lane_fail(EINVAL,
				 "lane: the limit that the last writer left is nonsense");
	floor = (floor + SHMCHAN_LANE_LINE - 1) & ~(SHMCHAN_LANE_LINE - 1ULL);
	w->limit = floor + lane->capacity;
	/* A raise that was not finished is none. */
	shmchan_store_seq_cst(&lane->control->proposed, floor);
	start = repair_start(lane, floor);
	if (start.pos == ~0ULL) {
		w->tail = floor;
		repair_jump(w);
	} else {
		w->tail = w->checkpoint = start.pos;
		w->records = start.records;
		if (repair_walk(w))
			repair_jump(w);
		else
			repair_zero(w);
	}
	w->mark = w->tail;
	w->mark_records = w->records;
	w->epoch_pending = generation != 1 || w->tail;
	/* At once if there is room, so that readers know; else with the first. */
	if (w->epoch_pending)
		(void)shmchan_lane__room(w, 8, 0);
	/* What we walked over may not have been the lane. */
	return shmchan_lane__gone(w->own_word, w->own_live) ?
	       shmchan_lane__stale() : 0;
}
