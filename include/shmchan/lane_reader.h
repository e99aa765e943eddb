/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_LANE_READER_H
#define SHMCHAN_LANE_READER_H

/*
 * The reading end of a lane.  See <shmchan/lane.h> for the whole.
 *
 *  R1  pos is a record boundary; in a lane that is not passable, all bytes
 *      from the published cursor on stay as they are.
 *  R2  What is read ahead of the published cursor is less than two eighths of
 *      the capacity (and what peek holds); so a writer that is held up always
 *      has a reader with records in front of it.
 *  R3  A record of ordinary length that ends at or before room_end lies within
 *      this lap and needs no publication of the cursor.
 *  R4  lap is where position 0 would be in the lap of pos.  So that it need not
 *      be looked after, what ends at or before soft_end ends before the lap does,
 *      beside R3, and is in a lane that is not passable.
 */

#include <errno.h>

#include <shmchan/lane_copy.h>
#include <shmchan/lane_layout.h>

#ifdef __cplusplus
extern "C" {
#endif

enum shmchan_lane_from {
	/* At what the last holder of this slot published.  HOLD lanes only. */
	SHMCHAN_FROM_CURSOR = 0,
	/* At the oldest record that is there and is not about to vanish. */
	SHMCHAN_FROM_OLDEST = 1,
	/* Behind the newest record. */
	SHMCHAN_FROM_NOW = 2,
};

/* A handle for one thread at a time.  Treat it as opaque. */
struct shmchan_lane_reader {
	/* What each record needs. */
	uint64_t pos;
	uint64_t soft_end;		/* 0: look at everything again */
	uintptr_t lap;
	uint64_t records;		/* payloads before pos in this lane */
	const uint64_t *own_word;	/* our own slot word ... */
	uint64_t own_live;		/* ... while we have the slot */
	uint32_t max_payload;
	uint32_t passable;

	/* What each look at nothing needs. */
	const uint64_t *writer_word;	/* the writer's slot word */
	uint64_t live_word;		/* what it was when it was seen alive */

	const uint8_t *ring;
	uint64_t mask;
	uint64_t room_end;

	/* What is left of a run; pos is still at its header. */
	const uint8_t *run_next;
	uint64_t run_left;
	uint64_t run_end;
	uint32_t run_size;
	uint32_t run_meta;

	uint32_t nr_held;		/* records peeked and not released */
	uint32_t generation;
	uint64_t held;			/* if nr_held: position of the first */
	uint64_t published;		/* what our cursor says */
	uint64_t eighth;
	uint64_t lost;			/* of the last EOVERFLOW */
	uint64_t speculated;		/* position of the last peek_spec */
	uint32_t epochs;		/* writers that took over */
	uint32_t index;
	/* For shmchan_lane_reader_sender(): whose what comes is ... */
	struct {
		uint32_t oldest;	/* of no older generation */
		uint32_t epoch;		/* of this, as EPOCH says; 0: none did */
	} whose, whose_before;
	uint64_t whose_since;		/* ... since records was this */
	uint8_t end_seen;		/* of this writer; said so to the caller */
	uint8_t eos;			/* it ended the stream properly */
	int deferred;			/* error that recv_n met behind payloads */
	struct shmchan_lane_cursor *cursor;
	const uint32_t *waiters;	/* writers asleep for want of room */
	void (*wake)(void *arg);	/* ... and how to wake them */
	void *wake_arg;
	struct shmchan_lane lane;
};

/*
 * Slow paths.  _next: make the record at pos one that can be read: skip
 * padding, open a run (then run_left is not 0), judge the end; 0 or an error.
 * _recv, _peek: all of recv and peek.
 */
int shmchan_lane__next(struct shmchan_lane_reader *r, uint64_t *header);
int shmchan_lane__recv(struct shmchan_lane_reader *r, void *buf,
		       size_t capacity, size_t *length, uint32_t *meta);
int shmchan_lane__peek(struct shmchan_lane_reader *r, const void **data,
		       size_t *length, uint32_t *meta);

static inline uint64_t *
shmchan_lane__from(const struct shmchan_lane_reader *r, uint64_t pos)
{
	return (uint64_t *)(r->ring + (pos & r->mask));
}

/* Go to pos, which may be over the end of the lap (R4). */
static inline void shmchan_lane__move(struct shmchan_lane_reader *r,
				      uint64_t pos)
{
	r->pos = pos;
	r->lap = (uintptr_t)r->ring - (uintptr_t)(pos & ~r->mask);
}

/*
 * The payload length of a DATA record that is committed; of anything else a
 * number larger than any max_payload (the flags rotate to the top, and 0 less
 * 8 wraps).  So one comparison asks: is this a sane, ordinary record?
 */
static inline uint32_t shmchan_lane__plain_length(uint64_t header)
{
	uint32_t low = (uint32_t)header;

	return (low >> 3 | low << 29) - 8;
}

/* The header at pos. */
static inline uint64_t shmchan_lane__look(const uint64_t *word)
{
	/* Pairs with the release of the header in shmchan_lane__publish(). */
	return shmchan_load_acquire((uint64_t *)word);
}

static inline const uint64_t *
shmchan_lane__here(const struct shmchan_lane_reader *r, uint64_t pos)
{
	return (const uint64_t *)(r->lap + (uintptr_t)pos);
}

/* A DATA record of len bytes, up to end, needs no slow path. */
static inline int shmchan_lane__easy(const struct shmchan_lane_reader *r,
				     uint32_t len, uint64_t end)
{
	return __builtin_expect(len <= r->max_payload && end <= r->soft_end, 1);
}

/* The same of a header, where the compiler knows len: neither more nor less. */
static inline int shmchan_lane__exactly(const struct shmchan_lane_reader *r,
					uint64_t header, size_t len,
					uint64_t end)
{
	return __builtin_expect((uint32_t)header ==
				(uint32_t)shmchan_hdr(len, SHMCHAN_HDR_DATA,
						      0) &&
				end <= r->soft_end, 1);
}

/*
 * Nothing there, and nothing happened to the writer: the short way to EAGAIN,
 * for who polls.  In a passable lane the 0 may mean that we were passed.
 */
static inline int shmchan_lane__empty(const struct shmchan_lane_reader *r,
				      uint64_t header)
{
	return !header && r->soft_end && !r->passable && !r->run_left &&
	       shmchan_load_relaxed(r->writer_word) == r->live_word;
}

/* shmchan_lane__gone(), with own_live where the compiler can compare with it. */
static inline int shmchan_lane__lost(const struct shmchan_lane_reader *r)
{
#ifdef SHMCHAN_EXPLORER
	(void)r;
	return 0;
#else
	uint64_t word;

	shmchan_fence_acquire();
	word = shmchan_load_relaxed(r->own_word);
	return __builtin_expect(word != r->own_live, 0);
#endif
}

/* Copy an easy record of len bytes, and go on at its end. */
static inline int shmchan_lane__take(struct shmchan_lane_reader *r,
				     const uint64_t *word, uint32_t len,
				     uint64_t end, void *buf)
{
	shmchan_lane__copy_out(buf, word + 1, len);
	if (shmchan_lane__lost(r))
		return shmchan_lane__stale();
	r->records++;
	r->pos = end;
	return 0;
}

/* By way of its own variables, so that the caller's can be in registers. */
static inline int shmchan_lane__recv_slow(struct shmchan_lane_reader *r,
					  void *buf, size_t capacity,
					  size_t *length, uint32_t *meta)
{
	size_t its_length = 0;
	uint32_t its_meta = 0;
	int err;

	err = shmchan_lane__recv(r, buf, capacity, &its_length, &its_meta);
	*length = its_length;
	*meta = its_meta;
	return err;
}

/*
 * Read one payload into buf, of capacity bytes; *length becomes its length,
 * *meta what the writer gave with it.  Never blocks.  Safe against whatever
 * the writer does: nothing outside the lane is touched, nothing unbounded is
 * done, and what was checked is what is copied.
 *
 * Returns 0, or:
 *  EAGAIN      nothing there (yet, if the writer lives or none has come)
 *  EPIPE       the writer ended the stream
 *  EOWNERDEAD  the writer died; or, once, it had died and the next records are
 *              its successor's
 *  EMSGSIZE    buf is too small: *length is what it takes; nothing is read
 *  EOVERFLOW   the writer passed us: r->lost payloads were lost, exactly; the
 *              next call goes on behind them
 *  EBADMSG     the lane breaks its rules
 *  ESTALE      we have been revoked, and nothing above counts: no payload that
 *              is handed out is of what is there then instead of the lane
 */
static inline int shmchan_lane_recv(struct shmchan_lane_reader *r, void *buf,
				    size_t capacity, size_t *length,
				    uint32_t *meta)
{
	uint64_t header, pos = r->pos;
	/* If it is just what there is room for. */
	uint64_t end = pos + shmchan_lane_extent(capacity);
	const uint64_t *word = shmchan_lane__here(r, pos);
	uint32_t len;

	header = shmchan_lane__look(word);
	if (__builtin_constant_p(capacity) && capacity <= 64) {
		/* One comparison: a DATA record, sane, and that is its length. */
		if (shmchan_lane__exactly(r, header, capacity, end)) {
			*length = capacity;
			*meta = (uint32_t)(header >> 32);
			return shmchan_lane__take(r, word, (uint32_t)capacity,
						  end, buf);
		}
	} else {
		len = shmchan_lane__plain_length(header);
		end = pos + shmchan_lane_extent(len);
		if (shmchan_lane__easy(r, len, end)) {
			*length = len;
			*meta = (uint32_t)(header >> 32);
			if (__builtin_expect(len > capacity, 0))
				return -EMSGSIZE;
			return shmchan_lane__take(r, word, len, end, buf);
		}
	}
	if (shmchan_lane__empty(r, header)) {
		*length = 0;
		*meta = 0;
		return -EAGAIN;
	}
	return shmchan_lane__recv_slow(r, buf, capacity, length, meta);
}

static inline int shmchan_lane__peek_slow(struct shmchan_lane_reader *r,
					  uint64_t header, const void **data,
					  size_t *length, uint32_t *meta)
{
	const void *its_data = NULL;
	size_t its_length = 0;
	uint32_t its_meta = 0;
	int err = -EAGAIN;

	if (!shmchan_lane__empty(r, header))
		err = shmchan_lane__peek(r, &its_data, &its_length, &its_meta);
	*data = its_data;
	*length = its_length;
	*meta = its_meta;
	return err;
}

/*
 * The next payload where it lies, without copying; it stays there until
 * shmchan_lane_release().  Peek again for the one behind it.  Against a
 * hostile writer only recv keeps its promises: it may change what you look at.
 * As recv, without EMSGSIZE and EOVERFLOW; ENOTSUP in lanes where the writer
 * may pass readers (there it is shmchan_lane_peek_spec()).  If we are revoked
 * it turns to zeros while it is looked at: shmchan_lane_release() tells.
 */
static inline int shmchan_lane_peek(struct shmchan_lane_reader *r,
				    const void **data, size_t *length,
				    uint32_t *meta)
{
	uint64_t header, end, pos = r->pos;
	const uint64_t *word = shmchan_lane__here(r, pos);
	uint32_t len;

	header = shmchan_lane__look(word);
	len = shmchan_lane__plain_length(header);
	end = pos + shmchan_lane_extent(len);
	if (shmchan_lane__easy(r, len, end)) {
		if (!r->nr_held++)
			r->held = pos;
		*data = word + 1;
		*length = len;
		*meta = (uint32_t)(header >> 32);
		r->records++;
		r->pos = end;
		return 0;
	}
	return shmchan_lane__peek_slow(r, header, data, length, meta);
}

/* Tell the writer how far we are; it may reuse what lies before. */
void shmchan_lane_publish(struct shmchan_lane_reader *r);

/*
 * Give back all that was peeked.  0: what was seen of it was in the lane.
 * ESTALE: it may not have been, we have been revoked.  (Who has to know sooner
 * calls shmchan_lane_reader_check().)
 */
static inline int shmchan_lane_release(struct shmchan_lane_reader *r)
{
	r->nr_held = 0;
	if (shmchan_lane__gone(r->own_word, r->own_live))
		return shmchan_lane__stale();
	if (__builtin_expect(r->pos - r->published >= r->eighth, 0))
		shmchan_lane_publish(r);
	return 0;
}

/*
 * Do we still have our slot?  0: all that was read before was in the lane, or
 * ESTALE.  One load.  A reader without a cursor has no slot that the lane knows:
 * 0, unless shmchan_lane_reader_slot() has told which one it is.
 */
static inline int shmchan_lane_reader_check(const struct shmchan_lane_reader *r)
{
	return shmchan_lane__gone(r->own_word, r->own_live) ?
	       shmchan_lane__stale() : 0;
}

/* Of a reader with SHMCHAN_NO_CURSOR: which slot is ours.  EINVAL, ESTALE. */
int shmchan_lane_reader_slot(struct shmchan_lane_reader *r, uint32_t slot);

/*
 * In lanes where the writer may pass: look at the next payload where it lies,
 * and go past it.  Whatever was concluded from *data is void unless
 * shmchan_lane_still_valid() says so afterwards; and by the C language such a
 * look is a data race, so read it with relaxed atomics or with recv instead.
 * As peek; EOVERFLOW as recv.
 */
int shmchan_lane_peek_spec(struct shmchan_lane_reader *r, const void **data,
			   size_t *length, uint32_t *meta);
int shmchan_lane_still_valid(const struct shmchan_lane_reader *r);

/*
 * Read up to max payloads of size bytes each into buf, one behind the other.
 * Returns how many (1 or more), or an error as recv; EMSGSIZE if the next
 * payload has another size.  The meta of the first is given; the others in the
 * same call had the same.
 */
int shmchan_lane_recv_n(struct shmchan_lane_reader *r, void *buf, size_t size,
			size_t max, uint32_t *meta);

/*
 * In OVERWRITE lanes: read the newest payload, past all that is older; *skipped
 * becomes how many those are.  EAGAIN: what was read last is still the newest.  A
 * walk from the newest checkpoint to the end, so about an eighth of the capacity.
 * As recv, without EOVERFLOW; with EMSGSIZE *skipped counts, too.  ENOTSUP in other
 * lanes.
 */
int shmchan_lane_recv_newest(struct shmchan_lane_reader *r, void *buf,
			     size_t capacity, size_t *length, uint32_t *meta,
			     uint64_t *skipped);

/* Is there something to read?  A hint: also true for ends and errors. */
static inline int shmchan_lane_pending(const struct shmchan_lane_reader *r)
{
	uint64_t header;

	header = shmchan_load_acquire(shmchan_lane__from(r, r->pos));
	return r->run_left || shmchan_hdr_committed(header) ||
	       shmchan_load_relaxed(r->writer_word) != r->live_word;
}

/*
 * Become reader index of a lane, or one without a cursor: SHMCHAN_NO_CURSOR, in
 * OVERWRITE lanes.  generation is that of our holding its slot
 * (not 0).  waiters counts writers asleep for want of room and wake(wake_arg)
 * wakes them (NULL in POLL lanes).  Returns 0, EINVAL, EAGAIN (the writer ran
 * too fast to find a place), EBADMSG, ESTALE (that generation does not have the
 * slot, or not any more).
 */
int shmchan_lane_reader_join(struct shmchan_lane_reader *r,
			     const struct shmchan_lane *lane, uint32_t index,
			     uint32_t generation, enum shmchan_lane_from from,
			     const uint32_t *waiters,
			     void (*wake)(void *arg), void *wake_arg);

/*
 * After EBADMSG or at will: go on elsewhere.  As join; in HOLD lanes, OLDEST
 * and NOW get over a cursor that the last holder left as nonsense.
 */
int shmchan_lane_reader_rejoin(struct shmchan_lane_reader *r,
			       enum shmchan_lane_from from);

/*
 * Who has written the record that was read last?  Only holders of the writer's
 * slot can write a lane, one after the other, and each can rewrite what the
 * others have left.  So what is certain is a range of generations: it was one
 * of them, whatever any of them did.
 *
 *  newest  who has, or had last, the slot now.  Nobody later has touched what
 *          was read.
 *  oldest  when this generation had the slot (or was the next to get it) there
 *          was no record at this place: nobody earlier has published it.
 *
 * A reader that keeps up finds oldest == newest, and that is the sender.  They
 * differ while it reads what an earlier holder has left, and then no way exists
 * to tell the record of that one from what its successor made of it.
 * by_lane is whose it is by what the lane itself says (EPOCH records), that is if
 * all of them obey the rules; 0: it does not say.
 *
 * Call it after a read that succeeded (with peek: after the payload was looked
 * at) and before the next: what happens meanwhile widens the range, but never
 * makes it wrong.  Of several payloads read in one call it is about the last.
 * ENOTSUP: a lane without slots.  ESTALE.
 */
struct shmchan_lane_sender {
	uint32_t slot;
	uint32_t oldest;
	uint32_t newest;
	uint32_t by_lane;
};

int shmchan_lane_reader_sender(const struct shmchan_lane_reader *r,
			       struct shmchan_lane_sender *sender);

/* Publish how far we are, and hold the writer back no more. */
void shmchan_lane_leave(struct shmchan_lane_reader *r);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_LANE_READER_H */
