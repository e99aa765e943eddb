/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_LANE_WRITER_H
#define SHMCHAN_LANE_WRITER_H

/*
 * The writing end of a lane.  See <shmchan/lane.h> for the whole.
 *
 * What a writer knows beside what is in the region is in its handle, and can
 * be derived again by whoever takes over (shmchan_lane_writer_attach()).
 * Invariants, of which W1 and W2 are what a kill at any instruction leaves:
 *
 *  W1  The header word at tail is 0 or, during a call, about to be written;
 *      it was zeroed before anything led a reader to it.
 *  W2  Nothing at or beyond floor + capacity has been touched.
 *  W3  All words of [tail, zeroed) are 0, and zeroed >= tail + 8.
 *  W4  A record that ends at or before room_end fits: below the limit less the
 *      margin, within this lap (lap is where its position 0 would be), without a
 *      new eighth.
 *  W5  One that ends at or before soft_end fits as well, and AHEAD bytes behind it
 *      are zeroed: so the fast path compares once.  Where soft_end is not beyond
 *      the tail, this says nothing; where room_end is 0 as well, who comes next
 *      goes through shmchan_lane__room().
 */

#include <errno.h>

#include <shmchan/lane_copy.h>
#include <shmchan/lane_layout.h>

#ifdef __cplusplus
extern "C" {
#endif

struct iovec;

/* For commit and send: more follows at once; the last one looks for sleepers. */
#define SHMCHAN_MORE	1U

/* A handle for one thread at a time.  Treat it as opaque. */
struct shmchan_lane_writer {
	/* What each record needs. */
	uint64_t tail;
	uint64_t soft_end;
	uintptr_t lap;		/* where position 0 would be, in this lap */
	uint64_t records;	/* payloads committed since the lane began */
	const uint32_t *waiters;	/* sleepers on our data; NULL: none, ever */
	uint32_t fence;		/* waiters is set, and we are not ASYM */
	uint32_t max_payload;
	uint32_t nr_open;	/* reservations */
	uint32_t flags;		/* of the lane */

	uint8_t *ring;
	uint64_t mask;
	uint64_t zeroed;
	uint64_t room_end;
	uint64_t limit;		/* floor + capacity */
	uint32_t generation;
	uint64_t mark;		/* all before is resolved ... */
	uint64_t mark_records;	/* ... and holds so many payloads */
	uint64_t checkpoint;	/* position of the newest one */
	uint32_t laggard;	/* the reader that held us last */
	uint8_t epoch_pending;
	uint8_t closed;
	const uint64_t *own_word;	/* our slot word ... */
	uint64_t own_live;		/* ... while we have the slot */
	struct shmchan_lane lane;
};

/* A place for a record, from reserve to commit or abort. */
struct shmchan_reservation {
	void *data;		/* write the payload here; 8-byte aligned */
	size_t length;		/* room there */
	uint64_t pos;
};

/*
 * Slow paths.
 *
 * _room: make room for a record of extent bytes at the tail, which it may move
 * over the end of the ring.  0, EAGAIN, EMSGSIZE, ENOBUFS, EPIPE, EBADMSG,
 * ESTALE.
 *
 * _prepare: all that a record of extent bytes needs that does not end at or
 * before soft_end.  As _room.
 *
 * _ahead: after the publication of a record that did not, off the critical
 * path: zero what will hold headers.  The stores fetch the lines for writing as
 * well, before they are needed.
 *
 * _send: shmchan_lane_send() with both of them around it.
 */
int shmchan_lane__room(struct shmchan_lane_writer *w, uint64_t extent,
		       int evict);
int shmchan_lane__prepare(struct shmchan_lane_writer *w, uint64_t extent);
void shmchan_lane__ahead(struct shmchan_lane_writer *w);
int shmchan_lane__send(struct shmchan_lane_writer *w, const void *buf,
		       size_t length, uint32_t meta, unsigned int flags);
void shmchan_lane__too_long(const struct shmchan_lane_writer *w, size_t length);
int shmchan_lane__too_much(const struct shmchan_reservation *rsv, size_t length);

static inline uint64_t *
shmchan_lane__at(const struct shmchan_lane_writer *w, uint64_t pos)
{
	return (uint64_t *)(w->ring + (pos & w->mask));
}

static inline void shmchan_lane__lap(struct shmchan_lane_writer *w)
{
	w->lap = (uintptr_t)w->ring - (uintptr_t)(w->tail & ~w->mask);
}

/* The same of the tail, where there is room for a record. */
static inline uint64_t *
shmchan_lane__at_tail(const struct shmchan_lane_writer *w)
{
	return (uint64_t *)(w->lap + (uintptr_t)w->tail);
}

/* Whoever comes next is to look at everything. */
static inline void shmchan_lane__wary(struct shmchan_lane_writer *w)
{
	w->room_end = 0;
	w->soft_end = 0;
}

/* Longer than any record; known without looking for short constants. */
static inline int shmchan_lane__long(const struct shmchan_lane_writer *w,
				     size_t length)
{
	if (__builtin_constant_p(length) &&
	    length <= SHMCHAN_LANE_MIN_CAPACITY / 4 - 8)
		return 0;
	return __builtin_expect(length > w->max_payload, 0);
}

/* W1 for the record after the one that ends at end; before its header. */
static inline void
shmchan_lane__terminate(struct shmchan_lane_writer *w, uint64_t end)
{
	if (end + 8 > w->zeroed) {
		shmchan_store_relaxed(shmchan_lane__at(w, end), (uint64_t)0);
		w->zeroed = end + 8;
	}
}

/*
 * A record of extent bytes has been published.  Nothing is zeroed behind a large
 * one: the next is probably as large, and covers it.
 */
static inline void shmchan_lane__written(struct shmchan_lane_writer *w,
					 uint64_t extent)
{
	if (extent <= SHMCHAN_LANE_AHEAD &&
	    __builtin_expect(w->tail > w->soft_end, 0))
		shmchan_lane__ahead(w);
}

/*
 * Of an ASYM writer: does anybody sleep?  It needs the order of the program
 * alone, between its store and this; the sleeper does the rest (lib/asym.h).
 */
static inline int shmchan_lane__asym_wanted(const struct shmchan_lane_writer *w)
{
#ifdef SHMCHAN_EXPLORER
	/* There is no membarrier there, and nobody is ASYM. */
	(void)w;
	return 0;
#else
	shmchan_crash_fence();
	return shmchan_load_relaxed(w->waiters) != 0;
#endif
}

/*
 * Make a header visible, and all that precedes it; pairs with the acquire of
 * the header in the reader.  Seq_cst unless more follows: together with the
 * load of the waiter count, and with the sleeper's count-then-look, this is
 * the store buffering litmus test, so one of the two sees the other.  Returns
 * whether the bell is to be rung.
 */
static inline int shmchan_lane__publish(struct shmchan_lane_writer *w,
					uint64_t *word, uint64_t header,
					unsigned int flags)
{
	if (__builtin_expect((flags & SHMCHAN_MORE) || !w->waiters, 1)) {
		shmchan_store_release(word, header);
		return 0;
	}
#ifndef SHMCHAN_EXPLORER
	/* Nobody is ASYM there. */
	if (!w->fence) {
		shmchan_store_release(word, header);
		return shmchan_lane__asym_wanted(w);
	}
#endif
	shmchan_store_seq_cst(word, header);
	return shmchan_load_seq_cst(w->waiters) != 0;
}

/* The tail goes back to pos: what was written behind is not zero any more. */
static inline void shmchan_lane__back(struct shmchan_lane_writer *w,
				      uint64_t pos)
{
	w->tail = pos;
	w->zeroed = pos + 8;
	if (w->soft_end > pos)
		w->soft_end = pos;
	/* Back over the end of an eighth, or of the lap. */
	if ((pos ^ (w->room_end - 1)) & ~(w->lane.eighth - 1))
		w->room_end = 0;
	shmchan_lane__lap(w);
}

/*
 * What is left of a reservation that is about to be committed shorter: given
 * back at the tail, else to be skipped.  The record's own header still says
 * BUSY with the full length; and what is stored here, its release publishes.
 */
static inline void shmchan_lane__trim(struct shmchan_lane_writer *w,
				      uint64_t from, uint64_t to)
{
	uint64_t header = 0;

	if (to == w->tail) {
		shmchan_lane__back(w, from);
	} else {
		header = shmchan_hdr(to - from - 8, SHMCHAN_HDR_PAD, 0);
	}
	shmchan_store_relaxed(shmchan_lane__at(w, from), header);
}

/*
 * Reserve room for a payload of up to length bytes.  It is no record before
 * it is committed; readers stop in front of it, so what is committed behind it
 * waits for it.  Any number may be open, within the capacity.  Never blocks.
 *
 * In a lane that readers may be passed in, fill it with shmchan_lane_fill()
 * (plain stores there race with readers that are about to find out).
 *
 * Returns 0, or: EAGAIN (full: a reader holds it), EMSGSIZE (longer than
 * max_payload, a quarter of the capacity less 8), ENOBUFS (full of the
 * writer's own open reservations), EPIPE (closed by shmchan_lane_close()),
 * EBADMSG (in a HOLD lane, a reader's cursor makes no sense), ESTALE (we have
 * been revoked).
 *
 * Whoever is revoked writes into memory that nobody else sees.  To look for that
 * each time would cost more than it is worth here: reserve and send notice it
 * where they need room or a new eighth of the ring, and flush and close do.  So
 * of the records of the last eighth of the ring it is not certain that they
 * arrived, when one of these says ESTALE.  For who has to know sooner there is
 * shmchan_lane_writer_check().
 */
static inline int shmchan_lane_reserve(struct shmchan_lane_writer *w,
				       size_t length,
				       struct shmchan_reservation *rsv)
{
	uint64_t extent, pos, *word;
	int err = 0;

	extent = shmchan_lane_extent(length);
	if (shmchan_lane__long(w, length)) {
		shmchan_lane__too_long(w, length);
		err = -EMSGSIZE;
	} else if (__builtin_expect(w->tail + extent > w->soft_end, 0)) {
		err = shmchan_lane__prepare(w, extent);
	}
	if (__builtin_expect(err, 0)) {
		rsv->data = NULL;
		rsv->length = 0;
		rsv->pos = 0;
		return err;
	}
	word = shmchan_lane__at_tail(w);
	pos = w->tail;
	w->nr_open++;
	w->tail = pos + extent;
	rsv->pos = pos;
	rsv->length = length;
	rsv->data = word + 1;
	/* The next holder walks from here to end: that must be zero by then. */
	shmchan_crash_fence();
	shmchan_store_relaxed(word, shmchan_hdr(length, SHMCHAN_HDR_BUSY, 0));
	/* No byte of payload before the header that says it is none. */
	shmchan_crash_fence();
	return 0;
}

/* Copy into a reservation at offset (a multiple of 8), as the lane needs it. */
static inline void shmchan_lane_fill(struct shmchan_lane_writer *w,
				     const struct shmchan_reservation *rsv,
				     size_t offset, const void *src, size_t n)
{
	shmchan_lane__copy_in((uint8_t *)rsv->data + offset, src, n,
			      w->flags & SHMCHAN_LANE_PASSABLE);
}

/*
 * Commit the first length bytes of a reservation as a record.  flags:
 * SHMCHAN_MORE if another commit, a send or shmchan_lane_flush() follows at
 * once: sleepers are looked for only then.  Reservations can be committed in
 * any order; readers see records in the order of reservation.
 *
 * Returns 1 if the doorbell of this lane is to be rung, 0 if not; EINVAL if
 * length is more than was reserved (and it is still open).
 */
static inline int shmchan_lane_commit(struct shmchan_lane_writer *w,
				      const struct shmchan_reservation *rsv,
				      size_t length, uint32_t meta,
				      unsigned int flags)
{
	uint64_t used, extent;
	int ring;

	if (__builtin_expect(length > rsv->length, 0))
		return shmchan_lane__too_much(rsv, length);
	used = shmchan_lane_extent(length);
	extent = shmchan_lane_extent(rsv->length);
	if (used != extent)
		shmchan_lane__trim(w, rsv->pos + used, rsv->pos + extent);
	ring = shmchan_lane__publish(w, shmchan_lane__at(w, rsv->pos),
				     shmchan_hdr(length, SHMCHAN_HDR_DATA,
						 meta), flags);
	w->records++;
	w->nr_open--;
	shmchan_lane__written(w, used);
	return ring;
}

/*
 * Give a reservation back.  The newest one vanishes; another becomes padding,
 * which may uncover what was committed behind it.  Returns as commit does.
 */
static inline int shmchan_lane_abort(struct shmchan_lane_writer *w,
				     const struct shmchan_reservation *rsv)
{
	uint64_t extent = shmchan_lane_extent(rsv->length);
	int ring;

	if (rsv->pos + extent == w->tail) {
		shmchan_lane__back(w, rsv->pos);
		shmchan_store_release(shmchan_lane__at(w, rsv->pos),
				      (uint64_t)0);
		w->nr_open--;
		return 0;
	}
	ring = shmchan_lane__publish(w, shmchan_lane__at(w, rsv->pos),
				     shmchan_hdr(extent - 8, SHMCHAN_HDR_PAD,
						 0), 0);
	w->nr_open--;
	return ring;
}

/*
 * Do we still have our slot?  0: all that was committed before is in the lane,
 * or ESTALE.  The fence: stores first, then the look.
 */
static inline int shmchan_lane_writer_check(const struct shmchan_lane_writer *w)
{
	shmchan_fence_seq_cst();
	return shmchan_lane__gone(w->own_word, w->own_live) ?
	       shmchan_lane__stale() : 0;
}

/*
 * Look for sleepers after commits with SHMCHAN_MORE.  The fence makes any of
 * the preceding stores, not just the last, one side of the litmus test.  Returns
 * as commit does; ESTALE.
 */
static inline int shmchan_lane_flush(struct shmchan_lane_writer *w)
{
	if (shmchan_lane__gone(w->own_word, w->own_live))
		return shmchan_lane__stale();
	if (!w->waiters)
		return 0;
	if (!w->fence)
		return shmchan_lane__asym_wanted(w);
	shmchan_fence_seq_cst();
	return shmchan_load_seq_cst(w->waiters) != 0;
}

/* The record itself, at the tail, once there is room; passable as the lane. */
static inline int shmchan_lane__put(struct shmchan_lane_writer *w,
				    const void *buf, size_t length,
				    uint32_t meta, unsigned int flags,
				    uint32_t passable)
{
	uint64_t *word = shmchan_lane__at_tail(w);
	uint64_t end = w->tail + shmchan_lane_extent(length);

	/*
	 * No BUSY: until the header is there, there is no record, and nobody
	 * looks behind a header that is 0.
	 */
	shmchan_lane__copy_in(word + 1, buf, length, passable);
	w->tail = end;
	w->records++;
	return shmchan_lane__publish(w, word,
				     shmchan_hdr(length, SHMCHAN_HDR_DATA,
						 meta), flags);
}

/*
 * Reserve, copy and commit in one; errors of the one, returns of the other.
 * Most short records end at or before soft_end.  Of the others those of constant
 * size are written here all the same, so that they are copied by a few moves.
 */
static inline int shmchan_lane_send(struct shmchan_lane_writer *w,
				    const void *buf, size_t length,
				    uint32_t meta, unsigned int flags)
{
	uint64_t extent;
	int ring, err;

	if (shmchan_lane__long(w, length)) {
		shmchan_lane__too_long(w, length);
		return -EMSGSIZE;
	}
	extent = shmchan_lane_extent(length);
	if (!__builtin_constant_p(length) || extent <= SHMCHAN_LANE_AHEAD) {
		if (__builtin_expect(w->tail + extent > w->soft_end, 0))
			return shmchan_lane__send(w, buf, length, meta, flags);
		return shmchan_lane__put(w, buf, length, meta, flags,
					 w->flags & SHMCHAN_LANE_PASSABLE);
	}
	if (w->tail + extent > w->soft_end) {
		err = shmchan_lane__prepare(w, extent);
		if (err)
			return err;
	}
	ring = shmchan_lane__put(w, buf, length, meta, flags,
				 w->flags & SHMCHAN_LANE_PASSABLE);
	shmchan_lane__written(w, extent);
	return ring;
}

/*
 * One record gathered from several pieces.  As send; EINVAL if nr is negative
 * or the lengths overflow.
 */
int shmchan_lane_sendv(struct shmchan_lane_writer *w, const struct iovec *iov,
		       int nr, uint32_t meta, unsigned int flags);

/*
 * Send n payloads of size bytes each, which lie one behind the other at buf;
 * all get the same meta.  Sizes that are multiples of 8 are packed behind few
 * headers.  *ring becomes whether the doorbell is to be rung, as commit
 * returns it.  Returns how many were sent, which may be fewer than n if the
 * lane fills up; an error only if none was.
 */
int shmchan_lane_send_n(struct shmchan_lane_writer *w, const void *buf,
			size_t size, size_t n, uint32_t meta,
			unsigned int flags, int *ring);

/*
 * Let no reader hold the writer back for the next length bytes: who is too
 * slow is passed, and told so.  For lanes with EVICT, by a rule that the
 * creator set.  As reserve; ENOTSUP in other lanes.
 */
int shmchan_lane_evict(struct shmchan_lane_writer *w, size_t length);

/*
 * Become the writer.  generation is that of our holding the writer's slot;
 * waiters counts the sleepers on our data (NULL in POLL lanes only).
 *
 * If there was a writer before, repairs what it left: walks from the newest
 * checkpoint, turns its reservations into padding, zeroes ahead, appends an
 * EPOCH record, which readers see as -EOWNERDEAD once unless they have seen
 * the end of the last writer already.  Bounded by two eighths of the capacity
 * in a sane lane and by the capacity in an insane one, where it jumps over
 * all that is left.  Returns 0, EINVAL, or ESTALE (that generation does not have
 * the slot, or not any more).
 */
int shmchan_lane_writer_attach(struct shmchan_lane_writer *w,
			       const struct shmchan_lane *lane,
			       uint32_t generation, const uint32_t *waiters);

/*
 * We have joined the region as ASYM (region->asym): from now on publications have
 * no fence, and those who sleep for us provide it (<shmchan/bell.h>).
 */
static inline void shmchan_lane_writer_asym(struct shmchan_lane_writer *w,
					    int asym)
{
	w->fence = w->waiters && !asym;
}

/*
 * End the stream: open reservations are aborted, EOS is appended, nothing can be
 * sent any more.  Returns as commit does; ESTALE; EAGAIN: no room for EOS, so that
 * readers are told that the writer died.  (There is room, but in a full lane where
 * another writer has come and closed since a reader made some.)
 */
int shmchan_lane_close(struct shmchan_lane_writer *w);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_LANE_WRITER_H */
