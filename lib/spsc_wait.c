// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels from one sender to one receiver: waiting, and waking. */

#include <errno.h>
#include <sched.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "spsc_private.h"

/* Looks at the word without a pause or a clock first, about a microsecond. */
#define EAGER_LOOKS	300
/* Between two looks at the clock. */
#define LOOKS		16
/*
 * A receiver that has caught up with a stream this dense looks away for so
 * many pauses, so that the sender can fill the line in peace: looking costs the
 * sender that line each time (docs/perf.md, lesson 2).  A single message, an
 * answer say, is waited for eagerly.
 */
#define DENSE		3
#define LOOK_AWAY	8

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/*
 * With one CPU our peer cannot run while we spin.  That we are bound to one of
 * several says nothing of the kind: those who want the least latency bind each
 * side to a CPU of its own.
 */
static int alone(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) == 1;
}

void shmchan_spsc__set_spin(struct shmchan_spsc *ch, int64_t spin_ns)
{
	if (spin_ns)
		ch->spin_ns = spin_ns > 0 ? (uint64_t)spin_ns : 0;
	else
		ch->spin_ns = alone() ? 0 : SHMCHAN_SPIN_DEFAULT_NS;
}

static int own_check(const struct shmchan_spsc *ch)
{
	if (shmchan_load_acquire((uint64_t *)ch->own_word) == ch->own_live)
		return 0;
	return shmchan__fail(ESTALE,
			     "spsc: we are no longer a member of %s",
			     ch->region->name);
}

/* The slot word of the receiver is not what it was when all was well. */
int shmchan_spsc__peer(struct shmchan_spsc *ch)
{
	uint64_t word = shmchan_load_acquire((uint64_t *)ch->peer_word);
	int err = own_check(ch);

	if (err)
		return err;
	switch (SHMCHAN_SLOT_WORD_STATE(word)) {
	case SHMCHAN_SLOT_FREE:
	case SHMCHAN_SLOT_LIVE:
		ch->peer_fine = word;
		return 0;
	case SHMCHAN_SLOT_CLAIMING:
		return 0;
	case SHMCHAN_SLOT_LEFT:
		return shmchan__fail(EPIPE, "spsc: the receiver of %s closed",
				     ch->region->name);
	default:
		return shmchan__fail(EOWNERDEAD,
				     "spsc: the receiver of %s died",
				     ch->region->name);
	}
}

int shmchan_spsc__ring(struct shmchan_spsc *ch)
{
	int ret;

	ch->rings++;
	ret = shmchan_bell_ring(ch->region, BELL_DATA, 0);
	return ret < 0 ? ret : 0;
}

/*
 * The receiver has found nothing.  Returns how often it is to look again before
 * anything else; and if it came to the end of a dense stream, looks away first.
 */
static int eager_looks(struct shmchan_spsc *ch)
{
	int i;

	if (ch->r.records - ch->caught_up > DENSE)
		for (i = 0; i < LOOK_AWAY; i++)
			shmchan_cpu_relax();
	ch->caught_up = ch->r.records;
	return ch->spin_ns || ch->poll ? EAGER_LOOKS : 0;
}

static int spin(struct shmchan_spsc *ch, const uint64_t *word, uint64_t value,
		uint64_t peer, uint64_t until)
{
	int i;

	do {
		for (i = 0; i < LOOKS; i++) {
			if (shmchan_load_relaxed(word) != value ||
			    shmchan_load_relaxed(ch->peer_word) != peer)
				return 1;
			shmchan_cpu_relax();
		}
	} while (now_ns() < until);
	return 0;
}

/* Whatever the other side does to what we look at, time is up when it is. */
static int timed_out(uint64_t deadline)
{
	return deadline != SHMCHAN_FOREVER && now_ns() >= deadline;
}

/*
 * Wait until *word, at a region offset, is not value any more, or something
 * happens to the peer, or for no reason.  0, ETIMEDOUT, ESTALE.  peer is the
 * peer's slot word as it was *before* the caller looked at what it waits for:
 * then it cannot miss the end of its peer in between.
 */
static int wait_word(struct shmchan_spsc *ch, const uint64_t *word,
		     uint64_t offset, uint64_t value, uint64_t peer,
		     uint64_t deadline)
{
	uint32_t own_bell = BELL_SPACE, peer_slot = SLOT_RECEIVER;
	struct shmchan_wait_elem elems[2];
	uint64_t until;
	int err;

	err = own_check(ch);
	if (err)
		return err;
	if (timed_out(deadline))
		return -ETIMEDOUT;
	if (ch->spin_ns || ch->poll) {
		until = now_ns() + ch->spin_ns;
		if (until > deadline)
			until = deadline;
		if (spin(ch, word, value, peer, until))
			return 0;
	}
	if (ch->poll) {
		/* Nobody would ring; but let whoever we wait for run. */
		sched_yield();
		return 0;
	}
	if (ch->role == SHMCHAN_RECEIVER) {
		/* What the sender may be waiting for, before we sleep. */
		shmchan_lane_publish(&ch->r);
		own_bell = BELL_DATA;
		peer_slot = SLOT_SENDER;
	}
	elems[0] = shmchan_elem64(own_bell, offset, value);
	elems[1] = shmchan_elem_slot(ch->region, peer_slot, peer);
	ch->waits++;
	return shmchan_bell_wait(ch->region, elems, 2, deadline, NULL);
}

/* In front of a header that is not there yet. */
static int wait_data(struct shmchan_spsc *ch, uint64_t peer, uint64_t deadline)
{
	uint64_t *word = shmchan_lane__from(&ch->r, ch->r.pos);
	uint64_t header = shmchan_load_acquire(word);

	/* Came meanwhile; or it is one more than a call skips. */
	if (shmchan_hdr_committed(header))
		return timed_out(deadline) ? -ETIMEDOUT : 0;
	return wait_word(ch, word,
			 ch->ring_offset + (ch->r.pos & ch->r.mask), header,
			 peer, deadline);
}

int shmchan_spsc__recv(struct shmchan_spsc *ch, void *buf, size_t capacity,
		       size_t *length, uint32_t *meta, int64_t timeout_ns)
{
	uint64_t peer, deadline;
	int ret, looks;

	if (!timeout_ns) {
		ret = own_check(ch);
		return ret ? ret : -EAGAIN;
	}
	for (looks = eager_looks(ch); looks; looks--) {
		ret = shmchan_lane_recv(&ch->r, buf, capacity, length, meta);
		if (ret != -EAGAIN)
			return ret;
	}
	deadline = shmchan_deadline(timeout_ns);
	for (;;) {
		peer = shmchan_load_acquire((uint64_t *)ch->peer_word);
		ret = shmchan_lane_recv(&ch->r, buf, capacity, length, meta);
		if (ret != -EAGAIN)
			return ret;
		ret = wait_data(ch, peer, deadline);
		if (ret)
			return ret;
	}
}

int shmchan_spsc__peek(struct shmchan_spsc *ch, const void **data,
		       size_t *length, uint32_t *meta, int64_t timeout_ns)
{
	uint64_t peer, deadline;
	int ret, looks;

	if (!timeout_ns) {
		ret = own_check(ch);
		return ret ? ret : -EAGAIN;
	}
	for (looks = eager_looks(ch); looks; looks--) {
		ret = shmchan_lane_peek(&ch->r, data, length, meta);
		if (ret != -EAGAIN)
			return ret;
	}
	deadline = shmchan_deadline(timeout_ns);
	for (;;) {
		peer = shmchan_load_acquire((uint64_t *)ch->peer_word);
		ret = shmchan_lane_peek(&ch->r, data, length, meta);
		if (ret != -EAGAIN)
			return ret;
		ret = wait_data(ch, peer, deadline);
		if (ret)
			return ret;
	}
}

int shmchan_spsc_recv_n(struct shmchan_spsc *ch, void *buf, size_t size,
			size_t max, uint32_t *meta, int64_t timeout_ns)
{
	uint64_t peer, deadline;
	uint32_t its_meta = 0;
	int ret, looks;

	if (!meta)
		meta = &its_meta;
	ret = shmchan_lane_recv_n(&ch->r, buf, size, max, meta);
	if (ret != -EAGAIN)
		return ret;
	if (!timeout_ns) {
		ret = own_check(ch);
		return ret ? ret : -EAGAIN;
	}
	for (looks = eager_looks(ch); looks; looks--) {
		ret = shmchan_lane_recv_n(&ch->r, buf, size, max, meta);
		if (ret != -EAGAIN)
			return ret;
	}
	deadline = shmchan_deadline(timeout_ns);
	for (;;) {
		peer = shmchan_load_acquire((uint64_t *)ch->peer_word);
		ret = shmchan_lane_recv_n(&ch->r, buf, size, max, meta);
		if (ret != -EAGAIN)
			return ret;
		ret = wait_data(ch, peer, deadline);
		if (ret)
			return ret;
	}
}

/*
 * Wait for room for a payload of length bytes.  0 if there is; then the next
 * reservation of that length cannot fail with EAGAIN.
 */
static int wait_room(struct shmchan_spsc *ch, size_t length, uint64_t deadline)
{
	struct shmchan_lane_cursor *cursor = shmchan_lane_cursor(&ch->w.lane, 0);
	uint64_t peer, pos;
	int ret;

	for (;;) {
		peer = shmchan_load_acquire((uint64_t *)ch->peer_word);
		pos = shmchan_load_acquire(&cursor->pos);
		ret = shmchan_spsc__peer_ok(ch);
		if (ret)
			return ret;
		ret = shmchan_lane__room(&ch->w, shmchan_lane_extent(length), 0);
		if (ret != -EAGAIN)
			return ret;
		ret = wait_word(ch, &cursor->pos, ch->cursor_offset, pos, peer,
				deadline);
		if (ret)
			return ret;
	}
}

/* wait_room() for a call that has just found none. */
static int more_room(struct shmchan_spsc *ch, size_t length, int64_t timeout_ns)
{
	int ret;

	/* What was sent with MORE must not wait for us while we wait. */
	ret = shmchan_spsc_flush(ch);
	if (ret < 0)
		return ret;
	if (!timeout_ns) {
		ret = own_check(ch);
		return ret ? ret : -EAGAIN;
	}
	return wait_room(ch, length, shmchan_deadline(timeout_ns));
}

int shmchan_spsc__send(struct shmchan_spsc *ch, const void *buf, size_t length,
		       uint32_t meta, unsigned int flags, int64_t timeout_ns)
{
	int ret = more_room(ch, length, timeout_ns);

	if (ret)
		return ret;
	return shmchan_spsc__due(ch, shmchan_lane_send(&ch->w, buf, length,
						       meta, flags));
}

int shmchan_spsc__reserve(struct shmchan_spsc *ch, size_t length,
			  struct shmchan_reservation *rsv, int64_t timeout_ns)
{
	int ret = more_room(ch, length, timeout_ns);

	return ret ? ret : shmchan_lane_reserve(&ch->w, length, rsv);
}

int shmchan_spsc_sendv(struct shmchan_spsc *ch, const struct iovec *iov, int nr,
		       uint32_t meta, unsigned int flags, int64_t timeout_ns)
{
	size_t length = 0;
	int i, ret;

	ret = shmchan_spsc__peer_ok(ch);
	if (ret)
		return ret;
	ret = shmchan_lane_sendv(&ch->w, iov, nr, meta, flags);
	if (ret != -EAGAIN)
		return shmchan_spsc__due(ch, ret);
	for (i = 0; i < nr; i++)
		length += iov[i].iov_len;
	ret = more_room(ch, length, timeout_ns);
	if (ret)
		return ret;
	return shmchan_spsc__due(ch, shmchan_lane_sendv(&ch->w, iov, nr, meta,
							flags));
}

int shmchan_spsc_send_n(struct shmchan_spsc *ch, const void *buf, size_t size,
			size_t n, uint32_t meta, int64_t timeout_ns)
{
	uint64_t deadline = 0;
	size_t sent = 0;
	int due, ret;

	while (sent < n) {
		ret = shmchan_spsc__peer_ok(ch);
		if (ret)
			return sent ? (int)sent : ret;
		ret = shmchan_lane_send_n(&ch->w,
					  (const uint8_t *)buf + sent * size,
					  size, n - sent, meta, 0, &due);
		if (ret > 0)
			sent += (size_t)ret;
		if (ret > 0 && due)
			(void)shmchan_spsc__ring(ch);
		if (sent == n)
			break;
		if (ret < 0 && ret != -EAGAIN)
			return sent ? (int)sent : ret;
		if (!timeout_ns)
			return sent ? (int)sent : -EAGAIN;
		if (!deadline)
			deadline = shmchan_deadline(timeout_ns);
		ret = wait_room(ch, size, deadline);
		if (ret)
			return sent ? (int)sent : ret;
	}
	return (int)sent;
}

int shmchan_spsc_wait_peer(struct shmchan_spsc *ch, int64_t timeout_ns)
{
	uint64_t deadline = shmchan_deadline(timeout_ns), word;
	uint32_t slot = ch->role == SHMCHAN_SENDER ? SLOT_RECEIVER :
						     SLOT_SENDER;
	struct shmchan_wait_elem elem;
	int err;

	for (;;) {
		err = own_check(ch);
		if (err)
			return err;
		word = shmchan_load_acquire((uint64_t *)ch->peer_word);
		if (SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE ||
		    SHMCHAN_SLOT_WORD_GEN(word) != ch->peer_known) {
			ch->peer_known = SHMCHAN_SLOT_WORD_GEN(word);
			return 0;
		}
		if (!timeout_ns)
			return -EAGAIN;
		elem = shmchan_elem_slot(ch->region, slot, word);
		ch->waits++;
		err = shmchan_bell_wait(ch->region, &elem, 1, deadline, NULL);
		if (err)
			return err;
	}
}
