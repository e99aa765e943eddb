// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Lanes, the reading end: where to start, ends, being passed, what comes next. */

#include <string.h>

#include "lane_private.h"

/* Records that one call skips before it lets its caller look at the clock. */
#define SKIP_MAX	1024
/* So often a call looks for another place. */
#define RESYNC_MAX	4

void shmchan_lane_publish(struct shmchan_lane_reader *r)
{
	uint64_t pos = r->nr_held ? r->held : r->pos;

	if (!r->cursor || pos == r->published)
		return;
	r->published = pos;
	shmchan_store_relaxed(&r->cursor->records, r->records - r->nr_held);
	/*
	 * Release: our loads before it, and then the writer's stores over what
	 * we read; it loads this with acquire.  Seq_cst: as in a commit, with
	 * the roles of the two sides exchanged.
	 */
	if (!r->waiters) {
		shmchan_store_release(&r->cursor->pos, pos);
		return;
	}
	shmchan_store_seq_cst(&r->cursor->pos, pos);
	if (shmchan_load_seq_cst(r->waiters))
		r->wake(r->wake_arg);
}

/*
 * Before a record that ends at end is handed out: publish if we would be more
 * than an eighth ahead of what the writer knows.  And from here on, ordinary
 * records need no look up to soft_end.
 */
static void reader_settle(struct shmchan_lane_reader *r, uint64_t end)
{
	uint64_t lap = (r->pos | r->mask) + 1;

	if (end - r->published > r->eighth)
		shmchan_lane_publish(r);
	r->room_end = r->published + r->eighth;
	if (r->room_end > lap)
		r->room_end = lap;
	/* In a passable lane: below every end, and not 0. */
	r->soft_end = 1;
	if (!r->passable)
		r->soft_end = r->room_end < lap ? r->room_end : lap - 8;
}

/* When there is nothing to hand out, but perhaps much was skipped. */
static int reader_none(struct shmchan_lane_reader *r, int err)
{
	if (r->pos - r->published >= r->eighth)
		shmchan_lane_publish(r);
	return err;
}

/* For what was read before, what was known before goes on to hold. */
static void reader_whose(struct shmchan_lane_reader *r)
{
	if (r->records != r->whose_since)
		r->whose_before = r->whose;
	r->whose_since = r->records;
}

/* There is no record at pos: what comes is of this generation or a later one. */
static void reader_oldest(struct shmchan_lane_reader *r, uint32_t generation)
{
	reader_whose(r);
	r->whose.oldest = generation;
}

/* A new section.  The first of all begins at position 0, and says nothing. */
static void reader_epoch(struct shmchan_lane_reader *r, uint32_t generation)
{
	reader_whose(r);
	r->whose.epoch = generation;
}

/* The first place from which the lane can be read and will stay readable. */
static int reader_find(struct shmchan_lane_reader *r, enum shmchan_lane_from from,
		       uint64_t bound, struct shmchan_lane_checkpoint *place)
{
	struct shmchan_lane_checkpoint entry, first, last;
	uint64_t slack = 0;
	uint32_t i;

	/* Do not start where the writer is about to be. */
	if (r->lane.flags & SHMCHAN_LANE_OVERWRITE)
		slack = r->eighth;
	first.pos = ~0ULL;
	last.pos = 0;
	last.records = 0;
	for (i = 0; i < SHMCHAN_LANE_CHECKPOINTS; i++) {
		entry = lane_checkpoint_get(&r->lane, i);
		if (entry.pos == ~0ULL || entry.pos < bound ||
		    entry.pos - bound > r->lane.capacity)
			continue;
		if (entry.pos >= bound + slack && entry.pos < first.pos)
			first = entry;
		if (entry.pos >= last.pos)
			last = entry;
	}
	if (last.pos < bound)
		return 0;
	*place = from == SHMCHAN_FROM_OLDEST && first.pos != ~0ULL ? first :
								     last;
	return 1;
}

/*
 * The other half of lane_raise(): say where we stand, then look whether the
 * writer had already decided to take that.
 */
static int reader_place(struct shmchan_lane_reader *r,
			enum shmchan_lane_from from)
{
	struct shmchan_lane_control *control = r->lane.control;
	struct shmchan_lane_checkpoint place = { 0, 0 };
	int tries;

	for (tries = 0; tries < LANE_JOIN_TRIES; tries++) {
		if (!reader_find(r, from,
				 shmchan_load_acquire(&control->proposed),
				 &place)) {
			shmchan_cpu_relax();
			continue;
		}
		if (r->cursor) {
			shmchan_store_relaxed(&r->cursor->records,
					      place.records);
			shmchan_store_release(&r->cursor->pos, place.pos);
			shmchan_store_seq_cst(&r->cursor->generation,
					      (uint64_t)r->generation);
		}
		shmchan_fence_seq_cst();
		if (place.pos < shmchan_load_seq_cst(&control->proposed))
			continue;
		shmchan_lane__move(r, place.pos);
		r->published = place.pos;
		r->records = place.records;
		r->soft_end = 0;
		r->run_left = 0;
		r->nr_held = 0;
		r->end_seen = r->eos = 0;
		reader_epoch(r, !place.pos);
		return 0;
	}
	return -EAGAIN;
}

/* In a HOLD lane the cursor holds the writer even while nobody has it. */
static int reader_resume(struct shmchan_lane_reader *r)
{
	uint64_t pos = shmchan_load_relaxed(&r->cursor->pos);
	uint64_t floor = lane_floor(r);

	if (pos & 7 || pos > SHMCHAN_LANE_MAX_POS || pos < floor ||
	    pos - floor > r->lane.capacity)
		return lane_fail(EBADMSG,
				 "lane: the cursor that the last reader left is nonsense");
	shmchan_lane__move(r, pos);
	r->published = pos;
	r->records = shmchan_load_relaxed(&r->cursor->records);
	r->soft_end = 0;
	r->run_left = 0;
	r->nr_held = 0;
	r->end_seen = r->eos = 0;
	reader_epoch(r, !pos);
	shmchan_store_seq_cst(&r->cursor->generation, (uint64_t)r->generation);
	return 0;
}

/*
 * We were passed.  Go on at a checkpoint; its count less ours is what we lost.
 * 0 if that is nothing (only padding was passed).
 */
int shmchan_lane__resync(struct shmchan_lane_reader *r)
{
	uint64_t before = r->records;
	int err;

	err = reader_place(r, SHMCHAN_FROM_OLDEST);
	if (err)
		return err;
	if (r->records <= before)
		return 0;
	r->lost = r->records - before;
	return lane_fail(EOVERFLOW,
			 "lane: the writer passed us; %llu records were lost",
			 (unsigned long long)r->lost);
}

static int reader_bad(struct shmchan_lane_reader *r, uint64_t header)
{
	(void)header;
	return reader_none(r, lane_fail(EBADMSG,
		"lane: header %#llx at position %llu breaks the rules",
		(unsigned long long)header, (unsigned long long)r->pos));
}

/* There is no more of the writer that ended, whose slot word that is. */
static int reader_over(struct shmchan_lane_reader *r, uint64_t word)
{
	r->end_seen = 1;
	reader_oldest(r, SHMCHAN_SLOT_WORD_GEN(word) + 1);
	shmchan_lane_publish(r);
	if (r->eos)
		return -EPIPE;
	return lane_fail(EOWNERDEAD,
			 "lane: the writer, generation %u of slot %u, died",
			 SHMCHAN_SLOT_WORD_GEN(word), r->lane.writer_slot);
}

/*
 * At pos is a header that is 0 or BUSY.  Is that the end?  0: look again.
 *
 * The writer's slot word is loaded first (acquire: of what a dead writer
 * stored, all is visible then), and the header once more after it.  If it is
 * still not committed, no writer of that generation will.  And it is none of
 * a successor's either: the first thing that one puts at a place where we can
 * be is an EPOCH (or JUMP), and who has passed its EPOCH sees its slot word.
 */
static int reader_judge(struct shmchan_lane_reader *r)
{
	uint64_t word, header;

	if (!r->lane.slots) {
		if (r->eos)
			return -EPIPE;
		r->live_word = shmchan__no_slot;
		return -EAGAIN;
	}
	word = shmchan_load_acquire((uint64_t *)r->writer_word);
	/* Nobody yet; or so it looks to who has been revoked: no shortcut. */
	if (!SHMCHAN_SLOT_WORD_GEN(word))
		return -EAGAIN;
	if (SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE) {
		if (r->whose.oldest != SHMCHAN_SLOT_WORD_GEN(word) &&
		    !shmchan_load_relaxed(shmchan_lane__from(r, r->pos)))
			reader_oldest(r, SHMCHAN_SLOT_WORD_GEN(word));
		if (r->eos)
			return -EPIPE;
		r->live_word = word;
		return -EAGAIN;
	}
	header = shmchan_load_acquire(shmchan_lane__from(r, r->pos));
	if (shmchan_hdr_committed(header))
		return 0;
	if (lane_passed(r, r->pos))
		return 0;
	if (!(uint32_t)header)
		return reader_over(r, word);
	/* Reserved by the dead; what it committed behind it still counts. */
	if (shmchan_hdr_kind(header) != SHMCHAN_HDR_DATA ||
	    !lane_header_sane(&r->lane, header, r->pos))
		return reader_bad(r, header);
	shmchan_lane__move(r, r->pos + shmchan_hdr_extent(header));
	return 0;
}

/*
 * JUMP: the last writer left nonsense from here on.  Who says so says then where
 * its own begins; if it ended in between, its successor comes here again.
 */
static int reader_jump(struct shmchan_lane_reader *r)
{
	struct shmchan_lane_checkpoint place;
	uint64_t word = 0;

	/* As in reader_judge(): what the dead did is visible then. */
	if (r->lane.slots)
		word = shmchan_load_acquire((uint64_t *)r->writer_word);
	if (!reader_find(r, SHMCHAN_FROM_NOW, r->pos + 8, &place)) {
		if (!SHMCHAN_SLOT_WORD_GEN(word) || lane_passed(r, r->pos) ||
		    SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE)
			return -EAGAIN;
		return reader_over(r, word);
	}
	shmchan_lane__move(r, place.pos);
	r->records = place.records;
	reader_epoch(r, 0);
	return lane_fail(EBADMSG,
			 "lane: the last writer left nonsense behind; jumped over it");
}

static int reader_control(struct shmchan_lane_reader *r, uint64_t header)
{

	switch (shmchan_hdr_length(header)) {
	case SHMCHAN_CTRL_EOS:
		shmchan_lane__move(r, r->pos + 8);
		r->eos = r->end_seen = 1;
		/* So that no shortcut says EAGAIN from here on. */
		r->live_word = LANE_NO_WORD;
		shmchan_lane_publish(r);
		return -EPIPE;
	case SHMCHAN_CTRL_EPOCH:
		shmchan_lane__move(r, r->pos + 8);
		r->eos = 0;
		r->live_word = LANE_NO_WORD;
		r->epochs++;
		reader_epoch(r, (uint32_t)(header >> 32));
		if (!r->end_seen)
			return reader_none(r, lane_fail(EOWNERDEAD,
				"lane: the writer died; generation %u goes on",
				(uint32_t)(header >> 32)));
		r->end_seen = 0;
		return 0;
	default:
		return reader_none(r, reader_jump(r));
	}
}

static int reader_open_run(struct shmchan_lane_reader *r, uint64_t header)
{
	uint64_t word;
	uint32_t size, count;

	/* Wraps, for a header without payload in the last word of the ring. */
	word = shmchan_load_relaxed(shmchan_lane__from(r, r->pos + 8));
	if (lane_passed(r, r->pos))
		return shmchan_lane__resync(r);
	if (!lane_run_sane(header, word, &size, &count))
		return reader_bad(r, header);
	r->run_end = r->pos + shmchan_hdr_extent(header);
	reader_settle(r, r->run_end);
	r->run_next = (const uint8_t *)(shmchan_lane__from(r, r->pos) + 2);
	r->run_size = size;
	r->run_meta = (uint32_t)(header >> 32);
	r->run_left = count;
	return 0;
}

static int reader_next(struct shmchan_lane_reader *r, uint64_t *header)
{
	uint64_t at;
	int budget, resyncs = 0, err;

	if (r->deferred) {
		err = r->deferred;
		r->deferred = 0;
		return err;
	}
	for (budget = 0; budget < SKIP_MAX; budget++) {
		at = shmchan_load_acquire(shmchan_lane__from(r, r->pos));
		if (lane_passed(r, r->pos)) {
			/* Passed again, and nothing lost: that is made up. */
			if (resyncs++ == RESYNC_MAX)
				return reader_none(r, -EAGAIN);
			err = shmchan_lane__resync(r);
			if (err)
				return err;
			continue;
		}
		if (!shmchan_hdr_committed(at)) {
			err = reader_judge(r);
			if (err)
				return reader_none(r, err);
			continue;
		}
		if (!lane_header_sane(&r->lane, at, r->pos))
			return reader_bad(r, at);
		switch (shmchan_hdr_kind(at)) {
		case SHMCHAN_HDR_DATA:
			reader_settle(r, r->pos + shmchan_hdr_extent(at));
			*header = at;
			return 0;
		case SHMCHAN_HDR_PAD:
			shmchan_lane__move(r, r->pos + shmchan_hdr_extent(at));
			continue;
		case SHMCHAN_HDR_RUN:
			err = reader_open_run(r, at);
			if (err || r->run_left)
				return err;
			continue;
		default:
			err = reader_control(r, at);
			if (err)
				return err;
		}
	}
	return reader_none(r, -EAGAIN);
}

/*
 * What was found may have been zeros that were never in the lane: they look like
 * an empty one, like a dead writer, like a broken run.
 */
int shmchan_lane__next(struct shmchan_lane_reader *r, uint64_t *header)
{
	int err = reader_next(r, header);

	if (shmchan_lane__gone(r->own_word, r->own_live)) {
		r->run_left = 0;
		return shmchan_lane__stale();
	}
	return err;
}

int shmchan_lane_reader_rejoin(struct shmchan_lane_reader *r,
			       enum shmchan_lane_from from)
{
	uint64_t header, start, pos;
	int err, passed = 0;

	r->deferred = 0;
	/* It may go back to what we have never been at. */
	reader_oldest(r, 1);
	err = from == SHMCHAN_FROM_CURSOR ? reader_resume(r) :
					    reader_place(r, from);
	/*
	 * In a HOLD lane that may be further than the last reader was: who waits
	 * for that has seen us come, and looked, before the cursor moved.
	 */
	if (!err && r->cursor && r->waiters && shmchan_load_seq_cst(r->waiters))
		r->wake(r->wake_arg);
	if (err || from != SHMCHAN_FROM_NOW)
		return lane_said(r, err);
	/* From the newest checkpoint to the end, without reading. */
	for (start = r->pos; r->pos - start < 2 * r->lane.capacity;) {
		pos = r->pos;
		err = shmchan_lane__next(r, &header);
		if (!err && r->run_left) {
			r->records += r->run_left;
			r->run_left = 0;
			shmchan_lane__move(r, r->run_end);
		} else if (!err) {
			r->records++;
			shmchan_lane__move(r, r->pos + shmchan_hdr_extent(header));
		} else if (r->pos == pos ||
			   (err == -EOVERFLOW && ++passed == LANE_JOIN_TRIES)) {
			/* A mad writer can take us to and fro for ever. */
			break;
		}
	}
	r->end_seen = 0;
	shmchan_lane_publish(r);
	return lane_said(r, 0);
}

int shmchan_lane_reader_join(struct shmchan_lane_reader *r,
			     const struct shmchan_lane *lane, uint32_t index,
			     uint32_t generation, enum shmchan_lane_from from,
			     const uint32_t *waiters,
			     void (*wake)(void *arg), void *wake_arg)
{
	int blind = index == SHMCHAN_NO_CURSOR, err;

	if (blind ? !(lane->flags & SHMCHAN_LANE_OVERWRITE) :
		    index >= lane->nr_readers || !generation)
		return lane_fail(EINVAL,
				 "lane: no cursor %u in this lane, or no generation",
				 index);
	if (from == SHMCHAN_FROM_CURSOR && !(lane->flags & SHMCHAN_LANE_HOLD))
		return lane_fail(EINVAL,
				 "lane: only HOLD lanes go on at a cursor");
	memset(r, 0, sizeof(*r));
	r->lane = *lane;
	r->ring = lane->ring;
	r->mask = lane->capacity - 1;
	/* Within the ring, also if no place is found: it may be looked for later. */
	shmchan_lane__move(r, 0);
	r->eighth = lane->eighth;
	r->max_payload = lane->max_payload;
	r->passable = lane->flags & SHMCHAN_LANE_PASSABLE;
	r->index = index;
	r->generation = generation;
	r->cursor = blind ? NULL : shmchan_lane_cursor(lane, index);
	r->waiters = wake ? waiters : NULL;
	r->wake = wake;
	r->wake_arg = wake_arg;
	r->writer_word = lane->slots ? &lane->slots[lane->writer_slot] :
				       &shmchan__no_slot;
	r->live_word = LANE_NO_WORD;
	r->own_word = &shmchan__no_slot;
	if (!blind) {
		err = shmchan__lane_own(lane, lane->reader_slot + index,
					generation, &r->own_word, &r->own_live);
		if (err)
			return err;
	}
	return shmchan_lane_reader_rejoin(r, from);
}

void shmchan_lane_leave(struct shmchan_lane_reader *r)
{
	r->nr_held = 0;
	shmchan_lane_publish(r);
	if (!r->cursor || r->lane.flags & SHMCHAN_LANE_HOLD)
		return;
	shmchan_store_seq_cst(&r->cursor->generation, (uint64_t)0);
	if (r->waiters && shmchan_load_seq_cst(r->waiters))
		r->wake(r->wake_arg);
}
