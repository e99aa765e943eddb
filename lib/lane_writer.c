// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Lanes, the writing end: room, checkpoints, runs, the end. */

#include <string.h>
#include <sys/uio.h>

#include "lane_private.h"

/* clang does so of itself. */
#if defined(__clang__) || !defined(__GNUC__)
#define LANE_UNROLL
#else
#define LANE_UNROLL	_Pragma("GCC unroll 8")
#endif

/* Payload bytes of one run: small enough that the reader can follow closely. */
#define RUN_BYTES	2048

void shmchan_lane__too_long(const struct shmchan_lane_writer *w, size_t length)
{
	(void)lane_fail(EMSGSIZE,
		"lane: %zu bytes; a record holds at most %u, a quarter of the capacity less 8",
		length, w->max_payload);
	(void)w;
	(void)length;
}

int shmchan_lane__too_much(const struct shmchan_reservation *rsv, size_t length)
{
	(void)rsv;
	(void)length;
	return lane_fail(EINVAL,
		"lane: %zu bytes of a reservation of %zu; it is still open",
		length, rsv->length);
}

/*
 * A checkpoint at the mark, if it is the first there in its eighth: so the
 * newest is never the one that is replaced, as long as the mark does not move
 * by a lap at once.
 */
static void lane_checkpoint(struct shmchan_lane_writer *w)
{
	if ((w->mark ^ w->checkpoint) & ~(w->lane.eighth - 1))
		lane_checkpoint_put(w, w->mark, w->mark_records);
}

/*
 * Move the mark to the first record that is not resolved, counting.  With
 * nothing open that is the tail, and the count is known.  But if much was held
 * by a reservation, walk, over each header once in its life, and leave
 * checkpoints on the way.  The headers are our own, but do not trust them.
 */
static void lane_resolve(struct shmchan_lane_writer *w)
{
	uint64_t header, extent;
	uint32_t size, count;

	while (w->mark < w->tail) {
		if (!w->nr_open &&
		    w->tail - w->checkpoint <= w->lane.capacity / 2)
			break;
		header = shmchan_load_relaxed(shmchan_lane__at(w, w->mark));
		if (!shmchan_hdr_committed(header) ||
		    !lane_header_sane(&w->lane, header, w->mark))
			break;
		extent = shmchan_hdr_extent(header);
		if (extent > w->tail - w->mark)
			break;
		if (shmchan_hdr_kind(header) == SHMCHAN_HDR_DATA)
			w->mark_records++;
		else if (shmchan_hdr_kind(header) == SHMCHAN_HDR_RUN &&
			 lane_run_sane(header, shmchan_load_relaxed(
					shmchan_lane__at(w, w->mark + 8)),
				       &size, &count))
			w->mark_records += count;
		w->mark += extent;
		lane_checkpoint(w);
	}
	if (!w->nr_open) {
		w->mark = w->tail;
		w->mark_records = w->records;
	}
	lane_checkpoint(w);
}

/*
 * How far reader i lets us go: its cursor, or ~0 if it does not count: nobody
 * there, dead, passed before (then it knows, or is about to look), or corrupt.
 */
static uint64_t lane_cursor_pos(const struct shmchan_lane_writer *w, uint32_t i,
				uint64_t floor)
{
	struct shmchan_lane_cursor *cursor = shmchan_lane_cursor(&w->lane, i);
	uint64_t pos;

	if (!(w->flags & SHMCHAN_LANE_HOLD) &&
	    !lane_slot_live(&w->lane, w->lane.reader_slot + i,
			    shmchan_load_acquire(&cursor->generation)))
		return ~0ULL;
	/* Its loads of what we are going to overwrite came before: acquire. */
	pos = shmchan_load_acquire(&cursor->pos);
	if (w->flags & SHMCHAN_LANE_HOLD)
		return pos;
	return pos < floor || pos > w->tail ? ~0ULL : pos;
}

/* The most that was kept for a reader; for who looks from outside. */
static void lane_high_water(struct shmchan_lane_writer *w, uint64_t pos)
{
#ifndef SHMCHAN_EXPLORER
	uint64_t *high = &w->lane.control->reserved[0];

	if (pos < w->tail && w->tail - pos > shmchan_load_relaxed(high))
		shmchan_store_relaxed(high, w->tail - pos);
#else
	(void)w;
	(void)pos;
#endif
}

/*
 * The position that everybody lets us give away all before; want if nobody
 * cares.  Never beyond the newest checkpoint (who comes late starts there, and
 * so does the next writer) and so never beyond an open reservation.  ~0: a
 * cursor in a HOLD lane is nonsense.
 */
static uint64_t lane_minimum(struct shmchan_lane_writer *w, uint64_t floor,
			     uint64_t want, int evict)
{
	uint64_t pos, min = ~0ULL;
	uint32_t i;

	for (i = 0; i < w->lane.nr_readers && !evict; i++) {
		pos = lane_cursor_pos(w, i, floor);
		if (w->flags & SHMCHAN_LANE_HOLD && pos > w->tail)
			return ~0ULL;
		if (pos < min) {
			min = pos;
			w->laggard = i;
		}
	}
	if (min == ~0ULL)
		min = want;
	else
		lane_high_water(w, min);
	if (min > w->checkpoint)
		min = w->checkpoint;
	min &= ~(SHMCHAN_LANE_LINE - 1ULL);
	/* The clamp: what was given away is not ours to take back. */
	return min < floor ? floor : min;
}

/*
 * Raise the limit to need or more.  Readers join by storing a cursor and then
 * loading proposed; we store proposed and then load the cursors; fences
 * between: one of the two sees the other.  So either the joiner goes on to a
 * later place, or we do not take what it joined at.
 */
static int lane_raise(struct shmchan_lane_writer *w, uint64_t need, int evict)
{
	uint64_t capacity = w->lane.capacity, floor = w->limit - capacity;
	uint64_t want, min, again, pos;

	if (w->flags & SHMCHAN_LANE_OVERWRITE)
		evict = 1;
	/* Of many readers, the one that held us last probably still does. */
	if (!evict && w->laggard < w->lane.nr_readers) {
		pos = lane_cursor_pos(w, w->laggard, floor);
		if (pos < need - capacity) {
			lane_high_water(w, pos);
			return -EAGAIN;
		}
	}
	want = ((need + w->lane.eighth - 1) & ~(w->lane.eighth - 1)) - capacity;
	min = lane_minimum(w, floor, want, evict);
	if (min == ~0ULL)
		return lane_fail(EBADMSG,
				 "lane: a reader's cursor is beyond what was written");
	if (min + capacity < need) {
		if (w->nr_open && w->checkpoint + capacity <
				  need + SHMCHAN_LANE_LINE)
			return lane_fail(ENOBUFS,
					 "lane: full of %u reservations that are still open",
					 w->nr_open);
		return -EAGAIN;
	}
	for (;;) {
		shmchan_store_seq_cst(&w->lane.control->proposed, min);
		shmchan_fence_seq_cst();
		again = lane_minimum(w, floor, want, evict);
		if (again >= min)
			break;
		min = again;
	}
	/*
	 * A seqlock: the floor is stored before any data that it permits, so a
	 * reader that copied such data finds the floor above its position.
	 */
	shmchan_store_relaxed(&w->lane.control->floor, min);
	shmchan_fence_release();
	w->limit = min + capacity;
	return w->limit < need ? -EAGAIN : 0;
}

/* Append a control record, with the room that records leave for it. */
static int lane_control(struct shmchan_lane_writer *w, uint32_t type,
			uint32_t meta, int *ring)
{
	uint64_t pos = w->tail;
	int err;

	if (pos + 16 > w->limit) {
		err = lane_raise(w, pos + 8 + SHMCHAN_LANE_MARGIN, 0);
		if (err)
			return err;
	}
	shmchan_lane__terminate(w, pos + 8);
	*ring = shmchan_lane__publish(w, shmchan_lane__at(w, pos),
				      shmchan_hdr(type, SHMCHAN_HDR_CTRL, meta),
				      0);
	w->tail = pos + 8;
	return 0;
}

/* W5, from W3 and W4. */
static inline void lane_bound(struct shmchan_lane_writer *w)
{
	uint64_t end = w->zeroed - SHMCHAN_LANE_AHEAD;

	w->soft_end = end < w->room_end ? end : w->room_end;
}

static int lane_room(struct shmchan_lane_writer *w, uint64_t extent, int evict)
{
	uint64_t capacity = w->lane.capacity, offset, pad, need, end;
	int err, ring;

	if (w->closed)
		return lane_fail(EPIPE, "lane: closed by this writer");
	lane_resolve(w);
	if (w->epoch_pending) {
		/* Who sends next rings, or who flushes after attaching. */
		err = lane_control(w, SHMCHAN_CTRL_EPOCH, w->generation, &ring);
		if (err)
			return err;
		w->epoch_pending = 0;
	}
	offset = w->tail & (capacity - 1);
	pad = offset + extent > capacity ? capacity - offset : 0;
	need = w->tail + pad + extent + SHMCHAN_LANE_MARGIN;
	if (need > w->limit) {
		err = lane_raise(w, need, evict);
		if (err)
			return err;
	}
	if (pad) {
		/* The next lap's first header is 0 before PAD leads there. */
		shmchan_lane__terminate(w, w->tail + pad);
		shmchan_store_release(shmchan_lane__at(w, w->tail),
				      shmchan_hdr(pad - 8, SHMCHAN_HDR_PAD,
						  0));
		w->tail += pad;
	}
	/*
	 * Come here again at the end of each eighth; and at once after a
	 * record that begins a new one, for the checkpoint.
	 */
	end = (w->tail | (w->lane.eighth - 1)) + 1;
	if (end > w->limit - SHMCHAN_LANE_MARGIN)
		end = w->limit - SHMCHAN_LANE_MARGIN;
	w->room_end = w->tail + extent <= end ? end : 0;
	shmchan_lane__lap(w);
	if (w->zeroed >= SHMCHAN_LANE_AHEAD)
		lane_bound(w);
	else
		w->soft_end = 0;
	return 0;
}

/* Behind it, so that it is said whatever else was found. */
int shmchan_lane__room(struct shmchan_lane_writer *w, uint64_t extent,
		       int evict)
{
	int err = lane_room(w, extent, evict);

	if (!shmchan_lane__gone(w->own_word, w->own_live))
		return err;
	/* And at once, the next time. */
	shmchan_lane__wary(w);
	return shmchan_lane__stale();
}

static inline int lane_prepare(struct shmchan_lane_writer *w, uint64_t extent)
{
	int err;

	/* Unless W4 says that there is. */
	if (w->tail + extent > w->room_end) {
		err = shmchan_lane__room(w, extent, 0);
		if (err)
			return err;
	}
	shmchan_lane__terminate(w, w->tail + extent);
	return 0;
}

int shmchan_lane__prepare(struct shmchan_lane_writer *w, uint64_t extent)
{
	return lane_prepare(w, extent);
}

/*
 * Lines of the ring, one behind the other.  A reader that is passed may look
 * at them meanwhile, so it takes atomics or what the compiler does not see.
 */
static inline void lane_zero_lines(uint64_t *word, unsigned int n)
{
#if defined(SHMCHAN_EXPLORER) || defined(SHMCHAN_TSAN) || !defined(__x86_64__)
	unsigned int i;

	for (i = 0; i < n * SHMCHAN_LANE_LINE / 8; i++)
		shmchan_store_relaxed(word + i, (uint64_t)0);
#else
	typedef long long line __attribute__((vector_size(16), may_alias));
	line *to = (line *)word, zero = { 0, 0 };

	_Static_assert(SHMCHAN_LANE_LINE == 64, "four stores are a line");
	LANE_UNROLL
	for (; n; n--, to += 4)
		__asm__ __volatile__("movaps %4, %0\n\t"
				     "movaps %4, %1\n\t"
				     "movaps %4, %2\n\t"
				     "movaps %4, %3"
				     : "=m"(to[0]), "=m"(to[1]), "=m"(to[2]),
				       "=m"(to[3])
				     : "x"(zero));
#endif
}

/* In steps of AT_ONCE, which do not lie across the end of the ring. */
void shmchan_lane__ahead(struct shmchan_lane_writer *w)
{
	uint64_t zeroed = w->zeroed, end, *word;

	end = w->tail + SHMCHAN_LANE_AHEAD + SHMCHAN_LANE_AT_ONCE;
	if (end > w->limit)
		end = w->limit;
	end &= ~(SHMCHAN_LANE_AT_ONCE - 1);
	while (zeroed < end) {
		word = shmchan_lane__at(w, zeroed);
		if (!(zeroed & (SHMCHAN_LANE_AT_ONCE - 1))) {
			lane_zero_lines(word, SHMCHAN_LANE_AT_ONCE /
					      SHMCHAN_LANE_LINE);
			zeroed += SHMCHAN_LANE_AT_ONCE;
		} else if (!(zeroed & (SHMCHAN_LANE_LINE - 1))) {
			lane_zero_lines(word, 1);
			zeroed += SHMCHAN_LANE_LINE;
		} else {
			shmchan_store_relaxed(word, (uint64_t)0);
			zeroed += 8;
		}
	}
	w->zeroed = zeroed;
	lane_bound(w);
}

static __attribute__((noinline)) int
lane_send(struct shmchan_lane_writer *w, const void *buf, size_t length,
	  uint32_t meta, unsigned int flags)
{
	uint64_t extent = shmchan_lane_extent(length);
	int ring, err;

	err = lane_prepare(w, extent);
	if (err)
		return err;
	ring = shmchan_lane__put(w, buf, length, meta, flags,
				 w->flags & SHMCHAN_LANE_PASSABLE);
	shmchan_lane__written(w, extent);
	return ring;
}

/*
 * Usually a short record for which all is there, and only as much as can be
 * zeroed at once is to be zeroed behind it.  That calls nothing, and so saves no
 * registers.
 */
int shmchan_lane__send(struct shmchan_lane_writer *w, const void *buf,
		       size_t length, uint32_t meta, unsigned int flags)
{
	uint64_t end = w->tail + shmchan_lane_extent(length);
	uint64_t zeroed = w->zeroed;
	int ring;

	if (length > 64 || w->flags & SHMCHAN_LANE_PASSABLE ||
	    end > w->room_end || end >= zeroed ||
	    zeroed & (SHMCHAN_LANE_AT_ONCE - 1) ||
	    zeroed + SHMCHAN_LANE_AT_ONCE > w->limit)
		return lane_send(w, buf, length, meta, flags);
	ring = shmchan_lane__put(w, buf, length, meta, flags, 0);
	zeroed = w->zeroed;
	lane_zero_lines(shmchan_lane__at(w, zeroed),
			SHMCHAN_LANE_AT_ONCE / SHMCHAN_LANE_LINE);
	w->zeroed = zeroed + SHMCHAN_LANE_AT_ONCE;
	lane_bound(w);
	return ring;
}

int shmchan_lane_evict(struct shmchan_lane_writer *w, size_t length)
{
	if (!(w->flags & SHMCHAN_LANE_EVICT))
		return lane_fail(ENOTSUP,
				 "lane: its creator does not let readers be evicted");
	if (length > w->max_payload) {
		shmchan_lane__too_long(w, length);
		return -EMSGSIZE;
	}
	return shmchan_lane__room(w, shmchan_lane_extent(length), 1);
}

/* Pieces into words: piece ends need not fall on them. */
static void lane_gather(uint64_t *to, const struct iovec *iov, int nr)
{
	uint8_t word[8] = { 0 };
	uint64_t value;
	size_t i, fill = 0;
	int piece;

	for (piece = 0; piece < nr; piece++) {
		const uint8_t *from = iov[piece].iov_base;

		for (i = 0; i < iov[piece].iov_len; i++) {
			word[fill++] = from[i];
			if (fill < 8)
				continue;
			memcpy(&value, word, 8);
			shmchan_store_relaxed(to++, value);
			fill = 0;
		}
	}
	if (!fill)
		return;
	memset(word + fill, 0, 8 - fill);
	memcpy(&value, word, 8);
	shmchan_store_relaxed(to, value);
}

static int lane_iov_length(const struct iovec *iov, int nr, size_t *length)
{
	int i;

	*length = 0;
	for (i = 0; i < nr; i++)
		if (__builtin_add_overflow(*length, iov[i].iov_len, length))
			return lane_fail(EINVAL,
					 "lane: lengths of pieces overflow");
	return nr < 0 ? lane_fail(EINVAL, "lane: %d pieces", nr) : 0;
}

int shmchan_lane_sendv(struct shmchan_lane_writer *w, const struct iovec *iov,
		       int nr, uint32_t meta, unsigned int flags)
{
	struct shmchan_reservation rsv;
	size_t length, offset = 0;
	int i, err;

	err = lane_iov_length(iov, nr, &length);
	if (err)
		return err;
	err = shmchan_lane_reserve(w, length, &rsv);
	if (err)
		return err;
	if (w->flags & SHMCHAN_LANE_PASSABLE) {
		lane_gather(rsv.data, iov, nr);
	} else {
		for (i = 0; i < nr; i++) {
			if (iov[i].iov_len)
				shmchan_copy_in((uint8_t *)rsv.data + offset,
						iov[i].iov_base,
						iov[i].iov_len);
			offset += iov[i].iov_len;
		}
	}
	return shmchan_lane_commit(w, &rsv, length, meta, flags);
}

static int lane_send_run(struct shmchan_lane_writer *w, const void *buf,
			 uint32_t size, uint32_t count, uint32_t meta,
			 unsigned int flags)
{
	uint64_t length = 8 + (uint64_t)size * count;
	uint64_t extent = shmchan_lane_extent(length), *word;
	int ring, err;

	if (w->tail + extent > w->soft_end) {
		err = lane_prepare(w, extent);
		if (err)
			return err;
	}
	word = shmchan_lane__at_tail(w);
	shmchan_lane__copy_in(word + 2, buf, length - 8,
			      w->flags & SHMCHAN_LANE_PASSABLE);
	shmchan_store_relaxed(word + 1, (uint64_t)count << 32 | size);
	ring = shmchan_lane__publish(w, word,
				     shmchan_hdr(length, SHMCHAN_HDR_RUN, meta),
				     flags);
	w->tail += extent;
	w->records += count;
	shmchan_lane__written(w, extent);
	return ring;
}

int shmchan_lane_send_n(struct shmchan_lane_writer *w, const void *buf,
			size_t size, size_t n, uint32_t meta,
			unsigned int flags, int *ring)
{
	const uint8_t *from = buf;
	size_t sent = 0, per_run = 1, count;
	unsigned int more;
	int ret;

	*ring = 0;
	if (size > w->max_payload) {
		shmchan_lane__too_long(w, size);
		return -EMSGSIZE;
	}
	if (n > INT32_MAX)
		n = INT32_MAX;
	if (size && !(size & 7) && size <= RUN_BYTES / 2) {
		per_run = RUN_BYTES;
		if (per_run > w->max_payload - 8)
			per_run = w->max_payload - 8;
		/* No division for the usual, short batch. */
		if (n <= RUN_BYTES && n * size <= per_run)
			per_run = n;
		else
			per_run = per_run < size ? 1 : per_run / size;
	}
	while (sent < n) {
		count = n - sent < per_run ? n - sent : per_run;
		more = sent + count < n ? SHMCHAN_MORE : 0;
		if (count > 1)
			ret = lane_send_run(w, from, (uint32_t)size,
					    (uint32_t)count, meta,
					    flags | more);
		else
			ret = shmchan_lane_send(w, from, size, meta,
						flags | more);
		if (ret == -EAGAIN && count > 1) {
			/* What is left of the room may do for fewer. */
			per_run = count / 2;
			continue;
		}
		if (ret < 0) {
			if (!sent)
				return ret;
			if (ret != -ESTALE && !(flags & SHMCHAN_MORE))
				*ring = shmchan_lane_flush(w) > 0;
			break;
		}
		*ring = ret;
		sent += count;
		from += count * size;
	}
	return (int)sent;
}

/* What is still open at the end was never said. */
static void lane_abort_all(struct shmchan_lane_writer *w)
{
	uint64_t header, pos, extent;

	lane_resolve(w);
	for (pos = w->mark; pos < w->tail; pos += extent) {
		header = shmchan_load_relaxed(shmchan_lane__at(w, pos));
		if (!lane_header_sane(&w->lane, header, pos))
			break;
		extent = shmchan_hdr_extent(header);
		if (header & SHMCHAN_HDR_BUSY)
			shmchan_store_release(shmchan_lane__at(w, pos),
				shmchan_hdr(extent - 8, SHMCHAN_HDR_PAD, 0));
	}
	w->nr_open = 0;
}

int shmchan_lane_close(struct shmchan_lane_writer *w)
{
	int err, ring = 0;

	if (w->closed)
		return 0;
	if (w->nr_open)
		lane_abort_all(w);
	err = lane_control(w, SHMCHAN_CTRL_EOS, 0, &ring);
	w->closed = 1;
	shmchan_lane__wary(w);
	if (shmchan_lane__gone(w->own_word, w->own_live))
		return shmchan_lane__stale();
	return err ? err : ring;
}
