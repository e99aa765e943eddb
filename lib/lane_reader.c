// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Lanes, the reading end: where to start, ends, and being passed. */

#include <string.h>

#include "lane_private.h"

/* Records that one call skips before it lets its caller look at the clock. */
#define SKIP_MAX	1024
#define JOIN_TRIES	1000

/* No slot word ever has this value: whoever compares goes the slow way. */
#define NO_WORD		(~0ULL)

/* The writer's word in a lane without slots: it never changes. */
static const uint64_t no_slot;

static uint64_t reader_floor(const struct shmchan_lane_reader *r)
{
	return shmchan_load_relaxed(&r->lane.control->floor);
}

/*
 * What was loaded before this, at pos and behind, may not be what was there:
 * the writer has been given leave to write over it.  The floor is stored
 * before such data, and the fences keep it so on both sides: if we saw any of
 * it, we see the floor.
 */
static int reader_passed(const struct shmchan_lane_reader *r, uint64_t pos)
{
	if (!r->passable)
		return 0;
	shmchan_fence_acquire();
	return reader_floor(r) > pos;
}

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
	r->soft_end = r->published + r->eighth;
	if (r->soft_end > lap)
		r->soft_end = lap;
}

/* When there is nothing to hand out, but perhaps much was skipped. */
static int reader_none(struct shmchan_lane_reader *r, int err)
{
	if (r->pos - r->published >= r->eighth)
		shmchan_lane_publish(r);
	return err;
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

	for (tries = 0; tries < JOIN_TRIES; tries++) {
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
		r->pos = r->published = place.pos;
		r->records = place.records;
		r->soft_end = 0;
		r->run_left = 0;
		r->nr_held = 0;
		r->end_seen = r->eos = 0;
		return 0;
	}
	return -EAGAIN;
}

/* In a HOLD lane the cursor holds the writer even while nobody has it. */
static int reader_resume(struct shmchan_lane_reader *r)
{
	uint64_t pos = shmchan_load_relaxed(&r->cursor->pos);
	uint64_t floor = reader_floor(r);

	if (pos & 7 || pos < floor || pos - floor > r->lane.capacity)
		return lane_fail(EBADMSG,
				 "lane: the cursor that the last reader left is nonsense");
	r->pos = r->published = pos;
	r->records = shmchan_load_relaxed(&r->cursor->records);
	r->soft_end = 0;
	r->run_left = 0;
	r->nr_held = 0;
	r->end_seen = r->eos = 0;
	shmchan_store_seq_cst(&r->cursor->generation, (uint64_t)r->generation);
	return 0;
}

/*
 * We were passed.  Go on at a checkpoint; its count less ours is what we lost.
 * 0 if that is nothing (only padding was passed).
 */
static int reader_resync(struct shmchan_lane_reader *r)
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
		r->live_word = no_slot;
		return -EAGAIN;
	}
	word = shmchan_load_acquire((uint64_t *)r->writer_word);
	if (!SHMCHAN_SLOT_WORD_GEN(word)) {
		r->live_word = word;
		return -EAGAIN;
	}
	if (SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE) {
		if (r->eos)
			return -EPIPE;
		r->live_word = word;
		return -EAGAIN;
	}
	header = shmchan_load_acquire(shmchan_lane__from(r, r->pos));
	if (shmchan_hdr_committed(header))
		return 0;
	if (reader_passed(r, r->pos))
		return 0;
	if (!(uint32_t)header) {
		r->end_seen = 1;
		shmchan_lane_publish(r);
		if (r->eos)
			return -EPIPE;
		return lane_fail(EOWNERDEAD,
				 "lane: the writer, generation %u of slot %u, died",
				 SHMCHAN_SLOT_WORD_GEN(word),
				 r->lane.writer_slot);
	}
	/* Reserved by the dead; what it committed behind it still counts. */
	if (shmchan_hdr_kind(header) != SHMCHAN_HDR_DATA ||
	    !lane_header_sane(&r->lane, header, r->pos))
		return reader_bad(r, header);
	r->pos += shmchan_hdr_extent(header);
	return 0;
}

static int reader_control(struct shmchan_lane_reader *r, uint64_t header)
{
	struct shmchan_lane_checkpoint place;

	switch (shmchan_hdr_length(header)) {
	case SHMCHAN_CTRL_EOS:
		r->pos += 8;
		r->eos = r->end_seen = 1;
		/* So that no shortcut says EAGAIN from here on. */
		r->live_word = NO_WORD;
		shmchan_lane_publish(r);
		return -EPIPE;
	case SHMCHAN_CTRL_EPOCH:
		r->pos += 8;
		r->eos = 0;
		r->live_word = NO_WORD;
		r->epochs++;
		if (!r->end_seen)
			return reader_none(r, lane_fail(EOWNERDEAD,
				"lane: the writer died; generation %u goes on",
				(uint32_t)(header >> 32)));
		r->end_seen = 0;
		return 0;
	default:
		/* JUMP: the last writer left nonsense from here on. */
		if (!reader_find(r, SHMCHAN_FROM_NOW, r->pos + 8, &place))
			return reader_none(r, -EAGAIN);
		r->pos = place.pos;
		r->records = place.records;
		return reader_none(r, lane_fail(EBADMSG,
			"lane: the last writer left nonsense behind; jumped over it"));
	}
}

static int reader_open_run(struct shmchan_lane_reader *r, uint64_t header)
{
	uint64_t word;
	uint32_t size, count;

	/* Wraps, for a header without payload in the last word of the ring. */
	word = shmchan_load_relaxed(shmchan_lane__from(r, r->pos + 8));
	if (reader_passed(r, r->pos))
		return reader_resync(r);
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

void shmchan_lane__run_done(struct shmchan_lane_reader *r)
{
	r->pos = r->run_end;
}

int shmchan_lane__next(struct shmchan_lane_reader *r, uint64_t *header)
{
	uint64_t at;
	int budget, err;

	if (r->deferred) {
		err = r->deferred;
		r->deferred = 0;
		return err;
	}
	for (budget = 0; budget < SKIP_MAX; budget++) {
		at = shmchan_load_acquire(shmchan_lane__from(r, r->pos));
		if (reader_passed(r, r->pos)) {
			err = reader_resync(r);
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
			r->pos += shmchan_hdr_extent(at);
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
 * The next payload in a lane where the writer may pass, found with _front's
 * rules; what is in *data may be nonsense until reader_passed() says no.
 */
static int reader_racy_front(struct shmchan_lane_reader *r,
			     const uint8_t **data, uint32_t *length,
			     uint32_t *meta, uint64_t *end)
{
	uint64_t header;
	int err;

	if (!r->run_left) {
		header = shmchan_load_acquire(shmchan_lane__from(r, r->pos));
		*length = shmchan_lane__plain_length(header);
		*end = r->pos + shmchan_lane_extent(*length);
		if (*length > r->max_payload || *end > r->soft_end) {
			err = shmchan_lane__next(r, &header);
			if (err)
				return err;
		}
	}
	if (r->run_left) {
		*data = r->run_next;
		*length = r->run_size;
		*meta = r->run_meta;
		*end = r->pos;
		return 0;
	}
	*length = shmchan_hdr_length(header);
	*end = r->pos + shmchan_lane_extent(*length);
	*data = (const uint8_t *)(shmchan_lane__from(r, r->pos) + 1);
	*meta = (uint32_t)(header >> 32);
	return 0;
}

int shmchan_lane__recv_racy(struct shmchan_lane_reader *r, void *buf,
			    size_t capacity, size_t *length, uint32_t *meta)
{
	const uint8_t *data;
	uint64_t end;
	uint32_t len;
	int err, tries;

	for (tries = 0; tries < JOIN_TRIES; tries++) {
		err = reader_racy_front(r, &data, &len, meta, &end);
		if (err)
			return err;
		if (len <= capacity)
			shmchan_lane__racy_out(buf, (const uint64_t *)data,
					       len);
		if (!reader_passed(r, r->pos)) {
			*length = len;
			if (len > capacity)
				return -EMSGSIZE;
			shmchan_lane__advance(r, end);
			return 0;
		}
		err = reader_resync(r);
		if (err)
			return err;
	}
	return -EAGAIN;
}

int shmchan_lane_peek_spec(struct shmchan_lane_reader *r, const void **data,
			   size_t *length, uint32_t *meta)
{
	const uint8_t *where;
	uint64_t end;
	uint32_t len;
	int err, tries;

	for (tries = 0; tries < JOIN_TRIES; tries++) {
		err = reader_racy_front(r, &where, &len, meta, &end);
		if (err)
			return err;
		if (!reader_passed(r, r->pos)) {
			*data = where;
			*length = len;
			r->speculated = r->pos;
			shmchan_lane__advance(r, end);
			return 0;
		}
		err = reader_resync(r);
		if (err)
			return err;
	}
	return -EAGAIN;
}

int shmchan_lane_still_valid(const struct shmchan_lane_reader *r)
{
	return !reader_passed(r, r->speculated);
}

/*
 * The usual case of a batch: a run of the right size, all of it wanted, in a
 * lane that is not passable, where neither lap nor eighth ends.  Returns how
 * many payloads were read, 0 if it is another case.
 */
static inline size_t reader_whole_run(struct shmchan_lane_reader *r,
				      uint8_t *buf, size_t size, size_t max,
				      uint32_t *meta, int first)
{
	uint64_t *at = shmchan_lane__from(r, r->pos), header, end;
	uint32_t its_size, count;

	/* Pairs with the release of the header in shmchan_lane__publish(). */
	header = shmchan_load_acquire(at);
	end = r->pos + shmchan_lane_extent(shmchan_hdr_length(header));
	if ((header & (SHMCHAN_HDR_KIND | SHMCHAN_HDR_BUSY)) !=
	    SHMCHAN_HDR_RUN || r->run_left ||
	    shmchan_hdr_length(header) > r->max_payload || end > r->soft_end)
		return 0;
	if (!lane_run_sane(header, shmchan_load_relaxed(at + 1), &its_size,
			   &count) ||
	    its_size != size || count > max ||
	    (!first && *meta != (uint32_t)(header >> 32)))
		return 0;
	shmchan_lane__copy_out(buf, at + 2, (size_t)count * its_size);
	*meta = (uint32_t)(header >> 32);
	r->records += count;
	r->pos = end;
	return count;
}

/* As many payloads of one size as lie in a row, up to max. */
static int reader_span(struct shmchan_lane_reader *r, uint8_t *buf, size_t size,
		       size_t max, uint32_t *meta, int first)
{
	const uint8_t *data;
	size_t n = 1;
	uint64_t end;
	uint32_t len, its;
	int err, fits;

	err = r->passable ? reader_racy_front(r, &data, &len, &its, &end) :
			    shmchan_lane__front(r, &data, &len, &its, &end);
	if (err)
		return err;
	if (r->run_left)
		n = max < r->run_left ? max : (size_t)r->run_left;
	fits = len == size && (first || its == *meta);
	if (fits) {
		if (r->passable)
			shmchan_lane__racy_out(buf, (const uint64_t *)data,
					       n * size);
		else
			shmchan_lane__copy_out(buf, data, n * size);
	}
	if (reader_passed(r, r->pos)) {
		err = reader_resync(r);
		return err ? err : -EAGAIN;
	}
	if (!fits)
		return -EMSGSIZE;
	*meta = its;
	if (end != r->pos) {
		shmchan_lane__advance(r, end);
		return 1;
	}
	r->records += n;
	r->run_next += n * size;
	r->run_left -= n;
	if (!r->run_left)
		shmchan_lane__run_done(r);
	return (int)n;
}

int shmchan_lane_recv_n(struct shmchan_lane_reader *r, void *buf, size_t size,
			size_t max, uint32_t *meta)
{
	uint8_t *to = buf;
	size_t got = 0;
	int n;

	if (max > INT32_MAX)
		max = INT32_MAX;
	while (got < max) {
		n = 0;
		if (!r->passable)
			n = (int)reader_whole_run(r, to, size, max - got, meta,
						  !got);
		if (!n)
			n = reader_span(r, to, size, max - got, meta, !got);
		if (n > 0) {
			got += (size_t)n;
			to += (size_t)n * size;
			continue;
		}
		if (!got)
			return n;
		/* What is said only once is said at the next call. */
		if (n != -EAGAIN && n != -EMSGSIZE) {
			r->deferred = n;
			r->soft_end = 0;
			r->live_word = NO_WORD;
		}
		break;
	}
	return (int)got;
}

int shmchan_lane_reader_rejoin(struct shmchan_lane_reader *r,
			       enum shmchan_lane_from from)
{
	uint64_t header, start, pos;
	int err;

	r->deferred = 0;
	err = from == SHMCHAN_FROM_CURSOR ? reader_resume(r) :
					    reader_place(r, from);
	if (err || from != SHMCHAN_FROM_NOW)
		return err;
	/* From the newest checkpoint to the end, without reading. */
	for (start = r->pos; r->pos - start < 2 * r->lane.capacity;) {
		pos = r->pos;
		err = shmchan_lane__next(r, &header);
		if (!err && r->run_left) {
			r->records += r->run_left;
			r->run_left = 0;
			shmchan_lane__run_done(r);
		} else if (!err) {
			r->records++;
			r->pos += shmchan_hdr_extent(header);
		} else if (r->pos == pos) {
			break;
		}
	}
	r->end_seen = 0;
	shmchan_lane_publish(r);
	return 0;
}

int shmchan_lane_reader_join(struct shmchan_lane_reader *r,
			     const struct shmchan_lane *lane, uint32_t index,
			     uint32_t generation, enum shmchan_lane_from from,
			     const uint32_t *waiters,
			     void (*wake)(void *arg), void *wake_arg)
{
	int blind = index == SHMCHAN_NO_CURSOR;

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
				       &no_slot;
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
