// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels of many, the sending end: room, and who is in the way. */

#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "backend.h"
#include "channel_private.h"
#include "entry.h"
#include "guard_private.h"
#include "spin.h"

/* Between two looks at the clock. */
#define LOOKS		16

/* No word is this: a handle that is closed goes the slow way. */
static void shut(struct shmchan_sender *tx)
{
	memset(tx, 0, sizeof(*tx));
	shmchan__shut_writer(&tx->w);
	tx->peer_word = &channel_nothing;
	tx->peer_fine = ~0ULL;
}

static int closed(void)
{
	return shmchan__fail(EINVAL,
			     CHANNEL ": this sender is not open: it was closed, or its opening failed");
}

/* As in spsc_wait.c: from now on we say it, too, and nothing is done there. */
static int told(struct shmchan_sender *tx, int err)
{
	if (err != -ESTALE)
		return err;
	tx->w.own_live = ~0ULL;
	shmchan_lane__wary(&tx->w);
	return err;
}

static int check(const struct shmchan_sender *tx)
{
	if (!tx || !tx->region)
		return closed();
	return shmchan_lane_writer_check(&tx->w);
}

int shmchan__sender_done(struct shmchan_sender *tx, int ret)
{
	if (!tx->region)
		return closed();
	return ret > 0 ? shmchan__sender_ring(tx) : ret;
}

/* The word of the only receiver is not what it was when all was well. */
int shmchan__sender_peer(struct shmchan_sender *tx)
{
	uint64_t word = shmchan_load_acquire((uint64_t *)tx->peer_word);
	int err = check(tx);

	if (err)
		return err;
	if (tx->peer_word == &channel_nothing)
		return 0;
	switch (SHMCHAN_SLOT_WORD_STATE(word)) {
	case SHMCHAN_SLOT_LIVE:
		tx->peer_fine = word;
		return 0;
	case SHMCHAN_SLOT_FREE:
	case SHMCHAN_SLOT_CLAIMING:
		return 0;
	case SHMCHAN_SLOT_LEFT:
		return shmchan__fail(EPIPE,
				     CHANNEL ": the receiver of %s closed",
				     shmchan__name_of(tx->region));
	default:
		return shmchan__fail(EOWNERDEAD,
				     CHANNEL ": the receiver of %s died",
				     shmchan__name_of(tx->region));
	}
}

int shmchan__sender_ring(struct shmchan_sender *tx)
{
	int ret;

	if (!tx->region)
		return closed();
	tx->rings++;
	ret = shmchan_bell_ring(tx->region, BELL_DATA, 0);
	return ret < 0 ? told(tx, ret) : 0;
}

static int attach(struct shmchan_sender *tx,
		  const struct shmchan_channel_opts *opts)
{
	struct shmchan_region *region = tx->region;
	struct channel_shape shape;
	struct shmchan_lane lane;
	int err;

	err = channel_check(region, opts, 0, &shape);
	if (!err)
		err = channel_lane(region, &shape, region->slot, VIEW_WRITER,
				   &lane);
	if (!err)
		err = shmchan_lane_writer_attach(&tx->w, &lane,
			region->generation,
			&shmchan_doorbell_status(region, BELL_DATA)->waiters);
	if (err)
		return err;
	shmchan_lane_writer_asym(&tx->w, (int)region->asym);
	tx->poll = !!(shape.wire.flags & SHMCHAN_CHANNEL_POLL);
	tx->policy = (enum shmchan_policy)shape.wire.policy;
	tx->hold_ns = shape.wire.hold_ns;
	tx->nr_receivers = shape.wire.nr_receivers;
	tx->cursors_offset = shape.cursors +
			     SHMCHAN_LANE_CURSORS_SIZE(region->slot);
	tx->cursor_stride = shape.cursor_stride;
	tx->data_doorbell = BELL_DATA;
	tx->space_doorbell = BELL_SPACE;
	tx->peer_word = &channel_nothing;
	if (shape.wire.flags & SHMCHAN_CHANNEL_DURABLE &&
	    shape.wire.nr_receivers == 1) {
		tx->peer_word = &channel_slots(region)[shape.wire.nr_senders];
		/* No word that is there: it is looked at first. */
		tx->peer_fine = ~0ULL;
	}
	shmchan__spin_init(&tx->spin, tx->poll && !opts->spin_ns ?
			   SHMCHAN_SPIN_DEFAULT_NS : opts->spin_ns,
			   shmchan__alone());
	tx->first_record = tx->w.records;
	/* For the EPOCH that a takeover has appended, unless there was none. */
	if (tx->w.tail && shmchan_lane_flush(&tx->w) > 0)
		(void)shmchan__sender_ring(tx);
	return 0;
}

static int enter(struct shmchan_sender *tx, const char *name,
		 const int *capability, const struct shmchan_channel_opts *opts)
{
	struct shmchan_channel_opts o;
	int err;

	if (!tx)
		return shmchan__fail(EINVAL, CHANNEL ": no handle (NULL)");
	shut(tx);
	err = channel_check_opts(&o, opts);
	if (!err)
		err = channel_open(&tx->region, name, capability, &o, 0);
	if (err) {
		shut(tx);
		return err;
	}
	err = attach(tx, &o);
	if (err && shmchan_region_check(tx->region))
		err = -ESTALE;
	if (err) {
		shmchan__entry_undo(tx->region, capability);
		shut(tx);
	}
	return err;
}

int shmchan_sender_open(struct shmchan_sender *tx, const char *name,
			const struct shmchan_channel_opts *opts)
{
	return enter(tx, name, NULL, opts);
}

int shmchan_sender_adopt(struct shmchan_sender *tx, int capability,
			 const struct shmchan_channel_opts *opts)
{
	return enter(tx, NULL, &capability, opts);
}

void shmchan_sender_close(struct shmchan_sender *tx)
{
	int due;

	if (!tx || !tx->region)
		return;
	/* A sender that was revoked has not come to its end. */
	if (!shmchan__usable(tx->region) &&
	    !shmchan_region_check(tx->region)) {
		due = shmchan_lane_close(&tx->w);
		if (due > 0 || shmchan_lane_flush(&tx->w) > 0)
			(void)shmchan__sender_ring(tx);
	}
	shmchan_region_close(tx->region);
	shut(tx);
}

void shmchan_sender_get_stats(const struct shmchan_sender *tx,
			      struct shmchan_channel_stats *stats)
{
	if (!stats)
		return;
	memset(stats, 0, sizeof(*stats));
	if (!tx || !tx->region)
		return;
	stats->records = tx->w.records - tx->first_record;
	stats->evictions = tx->evictions;
	stats->rings = tx->rings;
	stats->waits = tx->waits;
}

/*
 * Room.  Of many receivers one holds us, the laggard; so we wait for its cursor,
 * and for its end, and look again when it has moved.
 */

struct hold {
	uint32_t laggard;
	uint64_t *pos_word;
	uint64_t *generation_word;
	uint64_t pos;
	uint64_t generation;
	uint64_t member;
};

/* As it is before we look whether it holds us. */
static void look_at(const struct shmchan_sender *tx, struct hold *h)
{
	const struct shmchan_lane *lane = &tx->w.lane;
	struct shmchan_lane_cursor *cursor;

	h->laggard = tx->w.laggard;
	cursor = shmchan_lane_cursor(lane, h->laggard);
	h->pos_word = &cursor->pos;
	h->generation_word = &cursor->generation;
	h->member = shmchan_load_acquire((uint64_t *)
			&lane->slots[lane->reader_slot + h->laggard]);
	h->generation = shmchan_load_acquire(&cursor->generation);
	h->pos = shmchan_load_acquire(&cursor->pos);
}

/* The ring is full: since when?  Room in between begins it anew. */
static uint64_t held_since(struct shmchan_sender *tx, uint64_t now)
{
	if (!tx->held_since || tx->held_limit != tx->w.limit) {
		tx->held_since = now;
		tx->held_limit = tx->w.limit;
	}
	return tx->held_since;
}

/* Until then we wait at most before the policy has its say. */
static uint64_t patience(struct shmchan_sender *tx, uint64_t now)
{
	uint64_t since = held_since(tx, now);

	if (tx->policy == SHMCHAN_POLICY_BLOCK ||
	    tx->hold_ns >= SHMCHAN_FOREVER - since)
		return SHMCHAN_FOREVER;
	return since + tx->hold_ns;
}

/* It is up. */
static int give_up(struct shmchan_sender *tx, size_t length)
{
	int err;

	if (tx->policy != SHMCHAN_POLICY_EVICT)
		return shmchan__fail(EAGAIN,
				     CHANNEL ": receiver %u, slot %u, holds the lane, and the policy is to fail",
				     tx->w.laggard, tx->w.lane.reader_slot +
				     tx->w.laggard);
	err = shmchan_lane_evict(&tx->w, length);
	if (!err)
		tx->evictions++;
	return err;
}

/* It has made room, or has gone. */
static int let_go(const struct hold *h, const uint64_t *member_word)
{
	return shmchan_load_relaxed(h->pos_word) != h->pos ||
	       shmchan_load_relaxed(h->generation_word) != h->generation ||
	       shmchan_load_relaxed((uint64_t *)member_word) != h->member;
}

static int spin(struct shmchan_sender *tx, const struct hold *h, uint64_t until)
{
	const uint64_t *member_word =
		&tx->w.lane.slots[tx->w.lane.reader_slot + h->laggard];
	uint64_t ns = shmchan__spin_begin(&tx->spin), begin, now;
	int i;

	if (!ns)
		return 0;
	begin = now = shmchan__now();
	do {
		for (i = 0; i < LOOKS; i++) {
			if (let_go(h, member_word)) {
				shmchan__spin_hit(&tx->spin, now - begin);
				return 1;
			}
			shmchan_cpu_relax();
		}
		now = shmchan__now();
		shmchan__spin_bury(tx->region, begin, now);
	} while (now - begin < ns && now < until);
	if (now < until)
		shmchan__spin_missed(&tx->spin, now - begin);
	return 0;
}

static int sleep_for(struct shmchan_sender *tx, const struct hold *h,
		     uint64_t until)
{
	uint64_t at = tx->cursors_offset + h->laggard * tx->cursor_stride;
	struct shmchan_wait_elem elems[3];
	uint64_t begin;
	int err;

	if (spin(tx, h, until))
		return 0;
	if (tx->poll) {
		shmchan__yield_to(tx->region);
		return 0;
	}
	elems[0] = shmchan_elem64(BELL_SPACE, at, h->pos);
	elems[1] = shmchan_elem64(BELL_SPACE, at +
			offsetof(struct shmchan_lane_cursor, generation),
			h->generation);
	elems[2] = shmchan_elem_slot(tx->region, tx->w.lane.reader_slot +
				     h->laggard, h->member);
	tx->waits++;
	begin = shmchan__now();
	err = shmchan__bell_wait_others(tx->region, elems, 3, until);
	if (!err)
		shmchan__spin_parked(&tx->spin, shmchan__now() - begin);
	return told(tx, err);
}

/* 0 if there is room; then the next reservation of that length finds it. */
static int wait_room(struct shmchan_sender *tx, size_t length,
		     int64_t timeout_ns, uint64_t deadline)
{
	uint64_t now, until;
	struct hold h;
	int ret;

	for (;;) {
		look_at(tx, &h);
		ret = shmchan__sender_peer_ok(tx);
		if (!ret)
			ret = shmchan_lane__room(&tx->w,
						 shmchan_lane_extent(length),
						 0);
		if (ret != -EAGAIN)
			return ret;
		if (h.laggard != tx->w.laggard)
			continue;
		now = shmchan__now();
		until = patience(tx, now);
		if (now >= until)
			return give_up(tx, length);
		if (!timeout_ns)
			return shmchan__fail(EAGAIN,
					     CHANNEL ": the lane is full: receiver %u, slot %u, holds it",
					     h.laggard,
					     tx->w.lane.reader_slot + h.laggard);
		if (now >= deadline)
			return shmchan__fail(ETIMEDOUT,
					     CHANNEL ": the lane is full: receiver %u, slot %u, has held it for all the time that there was",
					     h.laggard,
					     tx->w.lane.reader_slot + h.laggard);
		ret = sleep_for(tx, &h, until < deadline ? until : deadline);
		if (ret && ret != -ETIMEDOUT)
			return ret;
	}
}

/* A call has failed: what to do about it.  0: try once more. */
static int after(struct shmchan_sender *tx, size_t length, int64_t timeout_ns,
		 int err)
{
	uint64_t deadline;

	if (!tx->region)
		return closed();
	if (err == -EMSGSIZE)
		return shmchan__fail(EMSGSIZE,
				     CHANNEL ": %zu bytes; a message of %s holds at most %u (a quarter of the lane's capacity, %llu, less 8): send it through a pool, or make the channel with a capacity of %llu",
				     length, shmchan__name_of(tx->region),
				     tx->w.max_payload,
				     (unsigned long long)tx->w.lane.capacity,
				     4ULL * (length + 8));
	if (err != -EAGAIN)
		return told(tx, err);
	if (!tx->w.lane.nr_readers)
		return err;
	/* What was sent with MORE must not wait for us while we wait. */
	err = shmchan__sender_due(tx, shmchan_lane_flush(&tx->w));
	if (err)
		return err;
	deadline = timeout_ns ? shmchan_deadline(timeout_ns) : 0;
	err = shmchan__usable(tx->region);
	return err ? err : wait_room(tx, length, timeout_ns, deadline);
}

int shmchan__send(struct shmchan_sender *tx, const void *buf, size_t length,
		  uint32_t meta, unsigned int flags, int64_t timeout_ns,
		  int err)
{
	err = after(tx, length, timeout_ns, err);
	if (err)
		return err;
	return shmchan__sender_due(tx, shmchan_lane_send(&tx->w, buf, length,
							 meta, flags));
}

int shmchan__reserve(struct shmchan_sender *tx, size_t length,
		     struct shmchan_reservation *rsv, int64_t timeout_ns,
		     int err)
{
	err = after(tx, length, timeout_ns, err);
	return err ? err : shmchan_lane_reserve(&tx->w, length, rsv);
}

static int sendv(struct shmchan_sender *tx, const struct iovec *iov, int nr,
		 uint32_t meta, unsigned int flags, int64_t timeout_ns)
{
	size_t length = 0;
	int i, ret;

	ret = shmchan__sender_peer_ok(tx);
	if (ret)
		return ret;
	ret = shmchan_lane_sendv(&tx->w, iov, nr, meta, flags);
	if (ret >= 0)
		return shmchan__sender_due(tx, ret);
	for (i = 0; i < nr; i++)
		length += iov[i].iov_len;
	ret = after(tx, length, timeout_ns, ret);
	if (ret)
		return ret;
	return shmchan__sender_due(tx, shmchan_lane_sendv(&tx->w, iov, nr, meta,
							  flags));
}

int shmchan_sendv(struct shmchan_sender *tx, const struct iovec *iov, int nr,
		  uint32_t meta, unsigned int flags, int64_t timeout_ns)
{
	int ret;

	if (!tx || !tx->region)
		return closed();
	ret = shmchan__enter(&tx->busy, "sender");
	if (ret)
		return ret;
	ret = sendv(tx, iov, nr, meta, flags, timeout_ns);
	shmchan__leave(&tx->busy);
	return ret;
}

static int send_n(struct shmchan_sender *tx, const void *buf, size_t size,
		  size_t n, uint32_t meta, int64_t timeout_ns)
{
	uint64_t deadline = timeout_ns ? shmchan_deadline(timeout_ns) : 0;
	size_t sent = 0;
	int due, ret = 0;

	while (sent < n) {
		ret = shmchan__sender_peer_ok(tx);
		if (ret)
			break;
		ret = shmchan_lane_send_n(&tx->w,
					  (const uint8_t *)buf + sent * size,
					  size, n - sent, meta, 0, &due);
		if (ret > 0) {
			sent += (size_t)ret;
			ret = due ? shmchan__sender_ring(tx) : 0;
			if (ret)
				break;
			continue;
		}
		if (ret == -EAGAIN && tx->w.lane.nr_readers) {
			/* As in after(), but with the deadline of all of it. */
			ret = shmchan__sender_due(tx,
						  shmchan_lane_flush(&tx->w));
			if (!ret)
				ret = wait_room(tx, size, timeout_ns, deadline);
		} else {
			ret = after(tx, size, timeout_ns, ret);
		}
		if (ret)
			break;
	}
	return sent ? (int)sent : ret;
}

int shmchan_send_n(struct shmchan_sender *tx, const void *buf, size_t size,
		   size_t n, uint32_t meta, int64_t timeout_ns)
{
	int ret;

	if (!tx || !tx->region)
		return closed();
	ret = shmchan__enter(&tx->busy, "sender");
	if (ret)
		return ret;
	ret = send_n(tx, buf, size, n, meta, timeout_ns);
	shmchan__leave(&tx->busy);
	return ret;
}

/*
 * How many receivers have found their place in our lane.  A seat is held a moment
 * before that, and a cursor too, and what is sent in between is not for its holder.
 * Blind ones do not say: those are taken as they are.
 */
static uint32_t placed(const struct shmchan_sender *tx)
{
	const uint32_t first = tx->w.lane.reader_slot;
	const struct shmchan_lane_cursor *cursor;
	uint32_t j, nr = 0;
	uint64_t word;

	for (j = 0; j < tx->nr_receivers; j++) {
		word = shmchan_slot_word(tx->region, first + j);
		if (SHMCHAN_SLOT_WORD_STATE(word) != SHMCHAN_SLOT_LIVE)
			continue;
		cursor = shmchan_region_at(tx->region, tx->cursors_offset +
					   j * tx->cursor_stride);
		/* Pairs with the store in the receiver's join(). */
		nr += !tx->cursor_stride ||
		      shmchan_load_acquire((uint64_t *)&cursor->settled) ==
		      SHMCHAN_SLOT_WORD_GEN(word);
	}
	return nr;
}

int shmchan_sender_wait_peers(struct shmchan_sender *tx, uint32_t nr,
			      int64_t timeout_ns)
{
	/* From JOIN to there it is some microseconds, and nobody rings. */
	const struct timespec pause = { 0, 100000 };
	uint64_t deadline = timeout_ns > 0 ? shmchan_deadline(timeout_ns) : 0;
	int err = check(tx);

	while (!err) {
		err = channel_wait_peers(tx->region, tx->w.lane.reader_slot,
					 tx->nr_receivers, nr, timeout_ns);
		if (err || placed(tx) >= nr)
			break;
		if (!timeout_ns)
			return shmchan__fail(EAGAIN,
					     CHANNEL ": %u of %u are in their places",
					     placed(tx), nr);
		if (timeout_ns > 0 && shmchan__now() >= deadline)
			return shmchan__fail(ETIMEDOUT,
					     CHANNEL ": %u of %u are in their places",
					     placed(tx), nr);
		nanosleep(&pause, NULL);
	}
	return told(tx, err);
}
