// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels from one sender to one receiver: waiting, and waking. */

#include <errno.h>
#include <sys/uio.h>

#include "backend.h"
#include "lane_private.h"
#include "spin.h"
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

void shmchan_spsc__set_spin(struct shmchan_spsc *ch, int64_t spin_ns)
{
	/* Who never sleeps has nothing to compare spinning with. */
	if (ch->poll && !spin_ns)
		spin_ns = SHMCHAN_SPIN_DEFAULT_NS;
	shmchan__spin_init(&ch->spin, spin_ns, shmchan__alone());
}

int shmchan_spsc__wrong_end(const struct shmchan_spsc *ch)
{
	static const char *const ends[] = { "sender", "receiver" };

	if (!ch->region)
		return shmchan__not_open("spsc");
	return shmchan__fail(EINVAL,
			     "spsc: this is the %s's end of %s: the call is the %s's",
			     ends[ch->role], shmchan__name_of(ch->region),
			     ends[!ch->role]);
}

/* The word that says whether we are there is not what it should be. */
int shmchan_spsc__stale(const struct shmchan_spsc *ch)
{
	/* Ours is: it was that of the end which we are not. */
	if (shmchan_load_relaxed(ch->own_word) == ch->own_live || !ch->region)
		return shmchan_spsc__wrong_end(ch);
	return shmchan__fail(ESTALE,
			     "spsc: we are no longer a member of %s: our seat was taken from us",
			     shmchan__name_of(ch->region));
}

int shmchan_spsc__done(struct shmchan_spsc *ch, int ret)
{
	if (ret > 0)
		return shmchan_spsc__ring(ch);
	return ret == -ESTALE ? shmchan_spsc__stale(ch) : ret;
}

/* The slot word of the receiver is not what it was when all was well. */
int shmchan_spsc__peer(struct shmchan_spsc *ch)
{
	uint64_t word = shmchan_load_acquire((uint64_t *)ch->peer_word);
	int err;

	if (!ch->region || ch->role != SHMCHAN_SENDER)
		return shmchan_spsc__wrong_end(ch);
	err = shmchan_spsc_check(ch);
	if (err)
		return err;
	switch (SHMCHAN_SLOT_WORD_STATE(word)) {
	case SHMCHAN_SLOT_LIVE:
		ch->peer_fine = word;
		return 0;
	case SHMCHAN_SLOT_FREE:
	case SHMCHAN_SLOT_CLAIMING:
		return 0;
	case SHMCHAN_SLOT_LEFT:
		return shmchan__fail(EPIPE, "spsc: the receiver of %s closed",
				     shmchan__name_of(ch->region));
	default:
		return shmchan__fail(EOWNERDEAD,
				     "spsc: the receiver of %s died",
				     shmchan__name_of(ch->region));
	}
}

/*
 * The kernel says it while the memory is still there, for a moment: from now on
 * we say it, too, and nothing is done there any more.
 */
int shmchan_spsc__told(struct shmchan_spsc *ch, int err)
{
	const uint64_t never = ~0ULL;

	if (err != -ESTALE)
		return err;
	ch->own_live = never;
	if (ch->role == SHMCHAN_SENDER) {
		ch->w.own_live = never;
		shmchan_lane__wary(&ch->w);
	} else {
		ch->r.own_live = never;
		ch->r.soft_end = 0;
	}
	return err;
}

int shmchan_spsc__ring(struct shmchan_spsc *ch)
{
	int ret;

	/* Of what was committed through a handle that is closed, say. */
	if (!ch->region)
		return shmchan__not_open("spsc");
	ch->rings++;
	ret = shmchan_bell_ring(ch->region, BELL_DATA, 0);
	return ret < 0 ? shmchan_spsc__told(ch, ret) : 0;
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
	return ch->poll || shmchan__spins(&ch->spin) ? EAGER_LOOKS : 0;
}

/* Returns whether it was worth it; *now is moved on, to shortly before the end. */
static int spin(struct shmchan_spsc *ch, const uint64_t *word, uint64_t value,
		uint64_t peer, uint64_t *now, uint64_t until)
{
	uint64_t begin = *now;
	int i;

	do {
		for (i = 0; i < LOOKS; i++) {
			if (shmchan_load_relaxed(word) != value ||
			    shmchan_load_relaxed(ch->peer_word) != peer)
				return 1;
			shmchan_cpu_relax();
		}
		*now = shmchan__now();
		shmchan__spin_bury(ch->region, begin, *now);
	} while (*now < until);
	return 0;
}

/* Before we sleep, if that may be worth it.  Returns whether it was. */
static int spin_first(struct shmchan_spsc *ch, const uint64_t *word,
		      uint64_t value, uint64_t peer, uint64_t deadline)
{
	uint64_t ns = shmchan__spin_begin(&ch->spin), begin, now, until;

	if (!ns && !ch->poll)
		return 0;
	begin = now = shmchan__now();
	until = deadline > begin && ns < deadline - begin ? begin + ns :
							   deadline;
	if (spin(ch, word, value, peer, &now, until)) {
		shmchan__spin_hit(&ch->spin, now - begin);
		return 1;
	}
	/* Cut short, it says nothing. */
	if (until != deadline)
		shmchan__spin_missed(&ch->spin, now - begin);
	return 0;
}

static int time_is_up(const struct shmchan_spsc *ch)
{
	return shmchan__fail(ETIMEDOUT, ch->role == SHMCHAN_SENDER ?
			     "spsc: the receiver of %s made no room in time" :
			     "spsc: nothing came through %s in time",
			     shmchan__name_of(ch->region));
}

/* Whatever the other side does to what we look at, time is up when it is. */
static int timed_out(uint64_t deadline)
{
	return deadline != SHMCHAN_FOREVER && shmchan__now() >= deadline;
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
	uint64_t begin;
	int err;

	err = shmchan_spsc_check(ch);
	if (err)
		return err;
	if (timed_out(deadline))
		return time_is_up(ch);
	if (spin_first(ch, word, value, peer, deadline))
		return 0;
	if (ch->poll) {
		shmchan__yield_to(ch->region);
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
	begin = shmchan__now();
	/* A handle is one thread's: no other of ours sends, or makes room. */
	err = shmchan__bell_wait_others(ch->region, elems, 2, deadline);
	if (!err)
		shmchan__spin_parked(&ch->spin, shmchan__now() - begin);
	return shmchan_spsc__told(ch, err);
}

/* In front of a header that is not there yet. */
static int wait_data(struct shmchan_spsc *ch, uint64_t peer, uint64_t deadline)
{
	uint64_t *word = shmchan_lane__from(&ch->r, ch->r.pos);
	uint64_t header = shmchan_load_acquire(word);

	if (lane_header_jumps(header))
		shmchan__await_repair(ch->region);
	/* Came meanwhile; or it is one more than a call skips. */
	if (shmchan_hdr_committed(header))
		return timed_out(deadline) ? time_is_up(ch) : 0;
	return wait_word(ch, word,
			 ch->ring_offset + (ch->r.pos & ch->r.mask), header,
			 peer, deadline);
}

/* A way to read that does not block: its arguments, and what does it. */
struct look {
	void *buf;			/* recv: room; recv_n: the array */
	size_t size;			/* ... of it; of one element */
	size_t max;			/* recv_n: elements */
	const void **data;		/* peek */
	size_t *length;
	uint32_t *meta;
};

typedef int (*look_fn)(struct shmchan_lane_reader *r, const struct look *look);

static int look_recv(struct shmchan_lane_reader *r, const struct look *l)
{
	return shmchan_lane_recv(r, l->buf, l->size, l->length, l->meta);
}

static int look_peek(struct shmchan_lane_reader *r, const struct look *l)
{
	return shmchan_lane_peek(r, l->data, l->length, l->meta);
}

static int look_recv_n(struct shmchan_lane_reader *r, const struct look *l)
{
	return shmchan_lane_recv_n(r, l->buf, l->size, l->max, l->meta);
}

/* What a try says then. */
static int nothing(const struct shmchan_spsc *ch)
{
	int ret = shmchan_spsc_check(ch);

	return ret ? ret : shmchan__fail_briefly(EAGAIN,
			"spsc: there is nothing to receive");
}

/*
 * A first look found nothing: look until there is something, or the time is
 * up.  Always inlined, so that each of its users calls its own fn directly.
 */
static inline __attribute__((always_inline)) int
look_until(struct shmchan_spsc *ch, look_fn fn, const struct look *look,
	   int64_t timeout_ns)
{
	uint64_t peer, deadline;
	int ret, looks;

	if (!timeout_ns)
		return nothing(ch);
	for (looks = eager_looks(ch); looks; looks--) {
		ret = fn(&ch->r, look);
		if (ret != -EAGAIN) {
			shmchan__spin_at_once(&ch->spin);
			return ret;
		}
	}
	deadline = shmchan_deadline(timeout_ns);
	for (;;) {
		peer = shmchan_load_acquire((uint64_t *)ch->peer_word);
		ret = fn(&ch->r, look);
		if (ret != -EAGAIN)
			return ret;
		ret = wait_data(ch, peer, deadline);
		if (ret)
			return ret;
	}
}

/* What lanes say without words. */
static int said(const struct shmchan_spsc *ch, int err, size_t length,
		size_t room)
{
	if (err == -EPIPE)
		return shmchan__fail(EPIPE, "spsc: the sender of %s closed",
				     shmchan__name_of(ch->region));
	if (err == -EMSGSIZE)
		return shmchan__fail(EMSGSIZE,
				     "spsc: a message of %zu bytes, the buffer has %zu: it is still there",
				     length, room);
	return err;
}

static __attribute__((noinline)) int
recv_or_say(struct shmchan_spsc *ch, const struct look *look,
	    int64_t timeout_ns, int err)
{
	if (err == -EAGAIN)
		err = look_until(ch, look_recv, look, timeout_ns);
	return err ? said(ch, err, *look->length, look->size) : 0;
}

/* A first look has said err. */
int shmchan_spsc__recv(struct shmchan_spsc *ch, void *buf, size_t capacity,
		       size_t *length, uint32_t *meta, int64_t timeout_ns,
		       int err)
{
	struct look look;

	/* Of one that is closed, too. */
	if (__builtin_expect(ch->role != SHMCHAN_RECEIVER, 0))
		return shmchan_spsc__wrong_end(ch);
	/* Who polls does so often. */
	if (err == -EAGAIN && !timeout_ns)
		return nothing(ch);
	look = (struct look){
		.buf = buf, .size = capacity, .length = length, .meta = meta,
	};
	return recv_or_say(ch, &look, timeout_ns, err);
}

static __attribute__((noinline)) int
peek_or_say(struct shmchan_spsc *ch, const struct look *look,
	    int64_t timeout_ns, int err)
{
	if (err == -EAGAIN)
		err = look_until(ch, look_peek, look, timeout_ns);
	return err ? said(ch, err, 0, 0) : 0;
}

int shmchan_spsc__peek(struct shmchan_spsc *ch, const void **data,
		       size_t *length, uint32_t *meta, int64_t timeout_ns,
		       int err)
{
	struct look look;

	if (__builtin_expect(ch->role != SHMCHAN_RECEIVER, 0))
		return shmchan_spsc__wrong_end(ch);
	if (err == -EAGAIN && !timeout_ns)
		return nothing(ch);
	look = (struct look){ .data = data, .length = length, .meta = meta };
	return peek_or_say(ch, &look, timeout_ns, err);
}

static int recv_n(struct shmchan_spsc *ch, const struct look *look,
		  int64_t timeout_ns)
{
	int ret;

	if (ch->role != SHMCHAN_RECEIVER)
		return shmchan_spsc__wrong_end(ch);
	if (!look->max)
		return 0;
	ret = look_recv_n(&ch->r, look);
	if (ret == -EAGAIN)
		ret = look_until(ch, look_recv_n, look, timeout_ns);
	if (ret == -EMSGSIZE)
		return shmchan__fail(EMSGSIZE,
				     "spsc: the next message is not one of %zu bytes: take it with shmchan_spsc_recv()",
				     look->size);
	return ret < 0 ? said(ch, ret, 0, 0) : ret;
}

int shmchan_spsc_recv_n(struct shmchan_spsc *ch, void *buf, size_t size,
			size_t max, uint32_t *meta, int64_t timeout_ns)
{
	uint32_t its_meta = 0;
	struct look look = {
		.buf = buf, .size = size, .max = max,
		.meta = meta ? meta : &its_meta,
	};
	int ret = spsc_enter(ch);

	if (ret)
		return ret;
	ret = recv_n(ch, &look, timeout_ns);
	shmchan__leave(&ch->busy);
	return ret;
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

/* As the call, which has not ended. */
static int flush(struct shmchan_spsc *ch)
{
	int ret = shmchan_lane_flush(&ch->w);

	return ret ? shmchan_spsc__done(ch, ret) : 0;
}

static int full(void)
{
	return shmchan__fail_briefly(EAGAIN,
				     "spsc: the ring is full: the receiver has not come so far");
}

/* wait_room() for a call that has just found none. */
static int more_room(struct shmchan_spsc *ch, size_t length, int64_t timeout_ns)
{
	int ret;

	/* What was sent with MORE must not wait for us while we wait. */
	ret = flush(ch);
	if (ret < 0)
		return ret;
	if (!timeout_ns) {
		ret = shmchan_spsc_check(ch);
		return ret ? ret : full();
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

static int sendv(struct shmchan_spsc *ch, const struct iovec *iov, int nr,
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

int shmchan_spsc_sendv(struct shmchan_spsc *ch, const struct iovec *iov, int nr,
		       uint32_t meta, unsigned int flags, int64_t timeout_ns)
{
	int ret = spsc_enter(ch);

	if (ret)
		return ret;
	ret = sendv(ch, iov, nr, meta, flags, timeout_ns);
	shmchan__leave(&ch->busy);
	return ret;
}

static int send_n(struct shmchan_spsc *ch, const void *buf, size_t size,
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
		/* What was sent with MORE must not wait for us while we wait. */
		ret = flush(ch);
		if (ret < 0)
			return sent ? (int)sent : ret;
		if (!timeout_ns)
			return sent ? (int)sent : full();
		if (!deadline)
			deadline = shmchan_deadline(timeout_ns);
		ret = wait_room(ch, size, deadline);
		if (ret)
			return sent ? (int)sent : ret;
	}
	return (int)sent;
}

int shmchan_spsc_send_n(struct shmchan_spsc *ch, const void *buf, size_t size,
			size_t n, uint32_t meta, int64_t timeout_ns)
{
	int ret = spsc_enter(ch);

	if (ret)
		return ret;
	ret = send_n(ch, buf, size, n, meta, timeout_ns);
	shmchan__leave(&ch->busy);
	return ret;
}

/*
 * Whoever was told of may have come to send only afterwards, and be gone by now.
 * After the load of its slot word: if it is gone, all that it sent is to be seen.
 */
static int has_left_records(const struct shmchan_spsc *ch)
{
	return ch->role == SHMCHAN_RECEIVER &&
	       (ch->r.run_left || shmchan_hdr_committed(shmchan_load_acquire(
			shmchan_lane__from(&ch->r, ch->r.pos))));
}

static int wait_peer(struct shmchan_spsc *ch, int64_t timeout_ns)
{
	uint64_t deadline = shmchan_deadline(timeout_ns), word;
	uint32_t slot = ch->role == SHMCHAN_SENDER ? SLOT_RECEIVER :
						     SLOT_SENDER;
	struct shmchan_wait_elem elem;
	int err;

	for (;;) {
		word = shmchan_load_acquire((uint64_t *)ch->peer_word);
		/* Behind it: who is revoked sees nobody there. */
		err = shmchan_spsc_check(ch);
		if (err)
			return err;
		if (SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE ||
		    SHMCHAN_SLOT_WORD_GEN(word) != ch->peer_known ||
		    has_left_records(ch)) {
			ch->peer_known = SHMCHAN_SLOT_WORD_GEN(word);
			return 0;
		}
		if (!timeout_ns)
			return shmchan__fail_lazily(EAGAIN,
				"spsc: nobody has come to the other end, slot %llu",
				(unsigned long long)slot);
		elem = shmchan_elem_slot(ch->region, slot, word);
		ch->waits++;
		err = shmchan_bell_wait(ch->region, &elem, 1, deadline, NULL);
		if (err)
			return shmchan_spsc__told(ch, err);
	}
}

int shmchan_spsc_wait_peer(struct shmchan_spsc *ch, int64_t timeout_ns)
{
	int ret = spsc_enter(ch);

	if (ret)
		return ret;
	ret = wait_peer(ch, timeout_ns);
	shmchan__leave(&ch->busy);
	return ret;
}
