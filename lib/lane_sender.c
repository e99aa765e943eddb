// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Lanes, the reading end: who has written what was read, and who reads. */

#include "lane_private.h"

int shmchan_lane_reader_slot(struct shmchan_lane_reader *r, uint32_t slot)
{
	if (r->cursor || !r->lane.slots || slot >= r->lane.nr_slots)
		return lane_fail(EINVAL,
				 "lane: slot %u for a reader %s; there are %u slots",
				 slot, r->cursor ? "that has a cursor in its own" :
				 "without a cursor", r->lane.nr_slots);
	r->generation = SHMCHAN_SLOT_WORD_GEN(shmchan_load_relaxed(
				(uint64_t *)&r->lane.slots[slot]));
	return shmchan__lane_own(&r->lane, slot, r->generation, &r->own_word,
				 &r->own_live);
}

int shmchan_lane_reader_sender(const struct shmchan_lane_reader *r,
			       struct shmchan_lane_sender *sender)
{
	int before = r->records == r->whose_since;
	uint32_t epoch = before ? r->whose_before.epoch : r->whose.epoch;

	if (!r->lane.slots)
		return lane_fail(ENOTSUP,
				 "lane: without slot words nobody knows who has written");
	/* The payload was loaded before this: nobody later has touched it. */
	shmchan_fence_acquire();
	sender->newest = SHMCHAN_SLOT_WORD_GEN(
		shmchan_load_relaxed((uint64_t *)r->writer_word));
	sender->slot = r->lane.writer_slot;
	sender->oldest = before ? r->whose_before.oldest : r->whose.oldest;
	sender->by_lane = epoch;
	if (sender->oldest == sender->newest)
		sender->by_lane = sender->newest;
	else if (epoch < sender->oldest || epoch > sender->newest)
		sender->by_lane = 0;
	return shmchan_lane_reader_check(r);
}
