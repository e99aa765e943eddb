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
 *  R3  A record of ordinary length that ends at or before soft_end lies within
 *      this lap and needs no publication of the cursor.
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
	const uint8_t *ring;
	uint64_t mask;
	uint64_t pos;
	uint64_t soft_end;
	uint64_t records;		/* payloads before pos in this lane */
	const uint64_t *writer_word;	/* the writer's slot word */
	uint64_t live_word;		/* what it was when it was seen alive */
	uint32_t max_payload;
	uint32_t passable;

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
 */
int shmchan_lane__next(struct shmchan_lane_reader *r, uint64_t *header);
int shmchan_lane__recv_racy(struct shmchan_lane_reader *r, void *buf,
			    size_t capacity, size_t *length, uint32_t *meta);
void shmchan_lane__run_done(struct shmchan_lane_reader *r);

static inline uint64_t *
shmchan_lane__from(const struct shmchan_lane_reader *r, uint64_t pos)
{
	return (uint64_t *)(r->ring + (pos & r->mask));
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

/*
 * The payload to be read next, at *data (NULL: in the ring); *end is where the
 * reader goes on after it.  The hot part of recv and peek.
 */
static inline int shmchan_lane__front(struct shmchan_lane_reader *r,
				      const uint8_t **data, uint32_t *length,
				      uint32_t *meta, uint64_t *end)
{
	uint64_t header, *word = shmchan_lane__from(r, r->pos);
	int err;

	/* Pairs with the release of the header in shmchan_lane__publish(). */
	header = shmchan_load_acquire(word);
	*length = shmchan_lane__plain_length(header);
	*end = r->pos + shmchan_lane_extent(*length);
	if (__builtin_expect(*length > r->max_payload || *end > r->soft_end,
			     0)) {
		if (r->run_left)
			goto run;
		/* Empty, and nothing happened to the writer. */
		if (!header &&
		    shmchan_load_relaxed(r->writer_word) == r->live_word)
			return -EAGAIN;
		err = shmchan_lane__next(r, &header);
		if (err)
			return err;
		if (r->run_left)
			goto run;
		*length = shmchan_hdr_length(header);
		*end = r->pos + shmchan_lane_extent(*length);
		word = shmchan_lane__from(r, r->pos);
	}
	*data = (const uint8_t *)(word + 1);
	*meta = (uint32_t)(header >> 32);
	return 0;
run:
	*data = r->run_next;
	*length = r->run_size;
	*meta = r->run_meta;
	*end = r->pos;
	return 0;
}

/* The payload that _front() found has been read. */
static inline void shmchan_lane__advance(struct shmchan_lane_reader *r,
					 uint64_t end)
{
	r->records++;
	if (__builtin_expect(end == r->pos, 0)) {
		r->run_next += r->run_size;
		if (!--r->run_left)
			shmchan_lane__run_done(r);
	} else {
		r->pos = end;
	}
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
 */
static inline int shmchan_lane_recv(struct shmchan_lane_reader *r, void *buf,
				    size_t capacity, size_t *length,
				    uint32_t *meta)
{
	const uint8_t *data;
	uint64_t end;
	uint32_t len;
	int err;

	if (r->passable)
		return shmchan_lane__recv_racy(r, buf, capacity, length, meta);
	err = shmchan_lane__front(r, &data, &len, meta, &end);
	if (__builtin_expect(err, 0))
		return err;
	*length = len;
	if (__builtin_expect(len > capacity, 0))
		return -EMSGSIZE;
	shmchan_lane__copy_out(buf, data, len);
	shmchan_lane__advance(r, end);
	return 0;
}

/*
 * The next payload where it lies, without copying; it stays there until
 * shmchan_lane_release().  Peek again for the one behind it.  Against a
 * hostile writer only recv keeps its promises: it may change what you look at.
 * As recv, without EMSGSIZE and EOVERFLOW; ENOTSUP in lanes where the writer
 * may pass readers (there it is shmchan_lane_peek_spec()).
 */
static inline int shmchan_lane_peek(struct shmchan_lane_reader *r,
				    const void **data, size_t *length,
				    uint32_t *meta)
{
	const uint8_t *where;
	uint64_t end, pos = r->pos;
	uint32_t len;
	int err;

	err = -ENOTSUP;
	if (__builtin_expect(!r->passable, 1))
		err = shmchan_lane__front(r, &where, &len, meta, &end);
	if (__builtin_expect(err, 0)) {
		*data = NULL;
		*length = 0;
		return err;
	}
	/* What was skipped on the way may be held: that errs on one side. */
	if (!r->nr_held++)
		r->held = pos;
	*data = where;
	*length = len;
	shmchan_lane__advance(r, end);
	return 0;
}

/* Tell the writer how far we are; it may reuse what lies before. */
void shmchan_lane_publish(struct shmchan_lane_reader *r);

/* Give back all that was peeked. */
static inline void shmchan_lane_release(struct shmchan_lane_reader *r)
{
	r->nr_held = 0;
	if (__builtin_expect(r->pos - r->published >= r->eighth, 0))
		shmchan_lane_publish(r);
}

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
 * too fast to find a place), EBADMSG.
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

/* Publish how far we are, and hold the writer back no more. */
void shmchan_lane_leave(struct shmchan_lane_reader *r);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_LANE_READER_H */
