/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SPSC_H
#define SHMCHAN_SPSC_H

/*
 * A channel from one sender to one receiver.
 *
 *	struct shmchan_spsc ch;
 *	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
 *		.role = SHMCHAN_SENDER, .create = 1);
 *	int err = shmchan_spsc_open(&ch, "orders", &opts);
 *
 *	err = shmchan_spsc_send(&ch, &order, sizeof(order), 0, 0, -1);
 *	...
 *	shmchan_spsc_close(&ch);
 *
 * and in another process
 *
 *	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
 *		.role = SHMCHAN_RECEIVER, .create = 1);
 *	...
 *	while (!(err = shmchan_spsc_recv(&ch, buf, sizeof(buf), &len, NULL, -1)))
 *		handle(buf, len);
 *	if (err == -EPIPE)
 *		the sender closed; -EOWNERDEAD: it died
 *
 * Either side may come first and may create; whoever comes second finds the
 * other's name.  Underneath is a region with two slots and one HOLD lane
 * (<shmchan/lane.h>): slot 0 sends, slot 1 receives; the sender can write the
 * ring and the receiver its cursor, and nothing else.
 *
 * While the other side is awake no call makes a system call.  Who finds
 * nothing (or no room) spins for a moment and then sleeps; who then sends (or
 * makes room) rings.
 *
 * What one side sees of the other:
 *
 *  receiver not there yet    the sender fills the ring, then waits for it
 *  receiver closed           the sender gets EPIPE
 *  receiver died             the sender gets EOWNERDEAD
 *    ... and another came    sending goes on; the new one starts at what the
 *                            last one had said it was done with, so it may see
 *                            again up to a quarter of the ring
 *  sender not there yet      the receiver waits for it (EAGAIN for a try)
 *  sender closed             after the last record, the receiver gets EPIPE (of the
 *                            second that closes a full channel: EOWNERDEAD)
 *  sender died               after the last committed record, EOWNERDEAD
 *    ... and another came    its records follow.  Between those of two senders
 *                            the receiver has always been told EPIPE or
 *                            EOWNERDEAD, at least once: just go on receiving
 *
 * Whoever wants to wait for a new peer after such an error calls
 * shmchan_spsc_wait_peer().
 *
 * Timeouts are in nanoseconds: 0 tries (EAGAIN), negative waits for ever, else
 * ETIMEDOUT.  All calls return 0 or a count, or -errno.
 *
 * A handle belongs to one thread at a time, must not be moved in memory while
 * it is open, and is of no use to a child after fork.  With SHMCHAN_DEBUG
 * (<shmchan/guard.h>) a call on a handle that another thread is in a call on says
 * EBUSY.  A call on a handle that was closed, or whose opening failed, and one of
 * the other end (to send with the receiver's) say EINVAL, and so does one on a
 * handle that was never opened and is all 0, but that those which are inlined
 * (send, reserve, commit, abort, flush, recv, peek, release, check) crash there
 * without SHMCHAN_DEBUG.
 */

#include <shmchan/bell.h>
#include <shmchan/guard.h>
#include <shmchan/lane.h>
#include <shmchan/region.h>
#include <shmchan/spin.h>

#ifdef __cplusplus
extern "C" {
#endif

enum shmchan_spsc_role {
	SHMCHAN_SENDER = 0,	/* the numbers are those of the slots */
	SHMCHAN_RECEIVER = 1,
};

/*
 * Who waits spins first, then sleeps.  spin_ns positive: for so long each time;
 * negative: not at all; 0, the default: for about as long as a sleep costs, 50 us
 * at most, and only while that has paid lately.  So at high rates it spins and at
 * low rates it sleeps, and a peer that shares our CPU is let run.  On a machine
 * with one CPU the default is not to spin.
 *
 * This is what the default begins with, and what those spin between two yields who
 * never sleep (poll).
 */
#define SHMCHAN_SPIN_DEFAULT_NS	10000

struct shmchan_spsc_opts {
	size_t size;		/* of this struct; the initialiser sets it */
	enum shmchan_spsc_role role;
	enum shmchan_backend backend;
	int create;		/* 1: if it is not there; else it has to be */
	int exclusive;		/* with create: it must not be there (EEXIST) */
	uint64_t capacity;	/* bytes, for create; see below */
	int poll;		/* for create: nobody ever sleeps, both spin */
	uint32_t mode;		/* for create: permission bits; 0: 0600 */
	int same_uid;		/* for create: a seat stays with its first user */
	int any_owner;		/* for open: whoever owns it (else us or root) */
	int64_t spin_ns;	/* before sleeping; 0: adaptive; negative: none */
	uint32_t join_flags;	/* SHMCHAN_JOIN_SIGBUS, see <shmchan/access.h>;
				   SHMCHAN_JOIN_ASYM, <shmchan/bell.h> */
	int64_t wait_ns;	/* for open: for the name to appear; negative:
				   for ever; 0: it has to be there */
};

/*
 * capacity is rounded up to a power of two from 4 KiB to 1 GiB; a message may
 * be a quarter of it long, less 8 bytes.  0: from the sizes of the caches: what
 * left the sender's L2 and is still in the L3 when it is read moves fastest.
 * Below 2 MiB the ring is of 4 KiB pages.  64 KiB is plenty for messages of a
 * few dozen bytes, and kinder to the caches.
 */
#define SHMCHAN_SPSC_OPTS(...) \
	((struct shmchan_spsc_opts){ \
		.size = sizeof(struct shmchan_spsc_opts), __VA_ARGS__ })

/* Of this handle, since it was opened. */
struct shmchan_spsc_stats {
	uint64_t records;	/* committed, or received */
	uint64_t bytes;		/* of the ring passed over, headers included */
	uint64_t rings;		/* doorbell rung: each is a system call */
	uint64_t waits;		/* slept: each is one or more system calls */
	uint64_t epochs;	/* receiver: how often another sender took over */
};

/*
 * Plain, so that hot paths can be inlined; nothing in it is for users.  Of w and r
 * the one that is not our end's (and both, when it is closed) is one at which
 * nothing is ever to be had, so that no call has to look whether it is its own.
 */
struct shmchan_spsc {
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	const uint64_t *peer_word;	/* slot word of the other side */
	uint64_t peer_fine;		/* its value when it was last all right;
					   never 0, as the word of the revoked is */
	const uint64_t *own_word;
	uint64_t own_live;
	struct shmchan_region *region;
	uint64_t ring_offset;
	uint64_t cursor_offset;
	struct shmchan_spin spin;
	uint64_t rings;
	uint64_t waits;
	uint64_t caught_up;		/* records when there were no more */
	uint64_t first_record;
	uint64_t first_pos;
	enum shmchan_spsc_role role;
	uint32_t poll;
	uint32_t peer_known;		/* generation that wait_peer told of */
	uint32_t subscribed;		/* the file polls; see <shmchan/loop.h> */
	uint32_t busy;			/* SHMCHAN_DEBUG: a thread is in a call */
};

/*
 * Open a channel by name, or make it, or sleep until somebody has (wait_ns).
 * Errors: EINVAL (says which option), ENOENT, EEXIST, ETIMEDOUT (no such name
 * appeared), EBUSY (that role is taken), EPROTO (the name is something else, or
 * of another version: says both), EBADMSG (a receiver: the sender breaks the rules,
 * and there is no place to begin), EACCES, EPERM, ENOMEM, EDQUOT, and what else
 * shmchan_region_create() and _open() return.
 */
int shmchan_spsc_open(struct shmchan_spsc *ch, const char *name,
		      const struct shmchan_spsc_opts *opts);

/*
 * Open a channel by a capability for it instead of a name: "Into what" in
 * <shmchan/access.h>.  Of opts, role, spin_ns and join_flags count; the others should
 * be 0.
 */
int shmchan_spsc_adopt(struct shmchan_spsc *ch, int capability,
		       const struct shmchan_spsc_opts *opts);

/*
 * Leave.  A sender ends its stream: open reservations are aborted and the
 * receiver gets EPIPE behind the last record.  NULL or a closed one is fine.
 */
void shmchan_spsc_close(struct shmchan_spsc *ch);

/*
 * Wait until the other side is there, or one has been there that was neither
 * there at open nor told of by this call before: it may have left messages.  The
 * receiver is also told while there is something to receive.
 * Returns 0, ETIMEDOUT, EAGAIN (timeout 0), EINVAL (closed), ESTALE.
 */
int shmchan_spsc_wait_peer(struct shmchan_spsc *ch, int64_t timeout_ns);

/* Of a closed handle, and of NULL: all 0. */
void shmchan_spsc_get_stats(const struct shmchan_spsc *ch,
			    struct shmchan_spsc_stats *stats);

/*
 * Do we still have our seat?  0, ESTALE, or EINVAL (closed).  One load.  With peek: 0
 * says that what was looked at before was in the channel.
 */
int shmchan_spsc__stale(const struct shmchan_spsc *ch);

static inline int shmchan_spsc_check(const struct shmchan_spsc *ch)
{
	shmchan_fence_acquire();
	if (__builtin_expect(shmchan_load_relaxed(ch->own_word) ==
			     ch->own_live, 1))
		return 0;
	return shmchan_spsc__stale(ch);
}

/* Slow paths.  _done: of a call that returned ret. */
int shmchan_spsc__peer(struct shmchan_spsc *ch);
int shmchan_spsc__ring(struct shmchan_spsc *ch);
int shmchan_spsc__done(struct shmchan_spsc *ch, int ret);
int shmchan_spsc__send(struct shmchan_spsc *ch, const void *buf, size_t length,
		       uint32_t meta, unsigned int flags, int64_t timeout_ns);
int shmchan_spsc__reserve(struct shmchan_spsc *ch, size_t length,
			  struct shmchan_reservation *rsv, int64_t timeout_ns);
int shmchan_spsc__recv(struct shmchan_spsc *ch, void *buf, size_t capacity,
		       size_t *length, uint32_t *meta, int64_t timeout_ns,
		       int err);
int shmchan_spsc__peek(struct shmchan_spsc *ch, const void **data,
		       size_t *length, uint32_t *meta, int64_t timeout_ns,
		       int err);

/* Is the receiver as we last saw it?  One load of a line that rarely moves. */
static inline int shmchan_spsc__peer_ok(struct shmchan_spsc *ch)
{
	if (__builtin_expect(shmchan_load_relaxed(ch->peer_word) ==
			     ch->peer_fine, 1))
		return 0;
	return shmchan_spsc__peer(ch);
}

/* 1 from a lane is a ring due; an error of commit, abort or flush wants words. */
static inline int shmchan_spsc__due(struct shmchan_spsc *ch, int ret)
{
	return __builtin_expect(ret > 0, 0) ? shmchan_spsc__ring(ch) : ret;
}

/* Is what was stored in the channel? */
static inline int shmchan_spsc__stored(struct shmchan_spsc *ch)
{
	return shmchan_lane__gone(ch->w.own_word, ch->w.own_live) ?
	       shmchan_spsc__stale(ch) : 0;
}

/*
 * Send one message of length bytes; meta goes with it.  flags: SHMCHAN_MORE if
 * more follows at once (then the receiver is woken by the last, or by flush).
 * length may be 0.  Blocks while the ring is full.  Errors: EAGAIN, ETIMEDOUT,
 * EMSGSIZE (says the longest), EPIPE, EOWNERDEAD, ENOBUFS (full of our own open
 * reservations), EBADMSG (the receiver's cursor is nonsense), EINVAL (closed, or the
 * receiver's end); nothing was sent then.  ESTALE: we were revoked.
 *
 * In the instant of revocation: it looks before it sends.  So of the call that
 * says ESTALE it is not certain that it has sent nothing, and of the one before it
 * not that what it sent (of send_n: what it sent at last) has arrived.  All that
 * was sent before these two is in the channel, and the receiver gets it.
 */
static inline int shmchan_spsc_send(struct shmchan_spsc *ch, const void *buf,
				    size_t length, uint32_t meta,
				    unsigned int flags, int64_t timeout_ns)
{
	int ret = shmchan__enter_open(&ch->busy, ch->region, "spsc");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan_spsc__peer_ok(ch);
	if (__builtin_expect(!ret, 1)) {
		ret = shmchan_lane_send(&ch->w, buf, length, meta, flags);
		if (__builtin_expect(ret == -EAGAIN, 0))
			ret = shmchan_spsc__send(ch, buf, length, meta, flags,
						 timeout_ns);
		else
			ret = shmchan_spsc__due(ch, ret);
	}
	shmchan__leave(&ch->busy);
	return ret;
}

/*
 * Room for a message in the ring itself, to be filled in and then committed or
 * aborted.  Blocks and fails as send.  Several may be open.  They and what is
 * still to be reserved should not take more than half of the ring: who holds
 * reservations must not wait for room that they occupy.
 */
static inline int shmchan_spsc_reserve(struct shmchan_spsc *ch, size_t length,
				       struct shmchan_reservation *rsv,
				       int64_t timeout_ns)
{
	int ret = shmchan__enter_open(&ch->busy, ch->region, "spsc");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan_spsc__peer_ok(ch);
	if (__builtin_expect(!ret, 1)) {
		ret = shmchan_lane_reserve(&ch->w, length, rsv);
		if (__builtin_expect(ret == -EAGAIN, 0))
			ret = shmchan_spsc__reserve(ch, length, rsv,
						    timeout_ns);
	}
	shmchan__leave(&ch->busy);
	return ret;
}

/*
 * The first length bytes of a reservation are a message.  Once: commit or abort of
 * what is committed or aborted already breaks the channel (with SHMCHAN_DEBUG:
 * EINVAL).  Never blocks.  Errors: EINVAL (length is more than was reserved; or
 * closed, or the receiver's end).  ESTALE: it may or may not have been sent; after 0
 * it has been.
 */
static inline int shmchan_spsc_commit(struct shmchan_spsc *ch,
				      const struct shmchan_reservation *rsv,
				      size_t length, uint32_t meta,
				      unsigned int flags)
{
	int ret = shmchan__enter_open(&ch->busy, ch->region, "spsc");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan__check_reservation(&ch->w, rsv, "spsc");
	if (!ret) {
		ret = shmchan_lane_commit(&ch->w, rsv, length, meta, flags);
		if (__builtin_expect(ret == -EINVAL, 0))
			ret = shmchan__too_much("spsc", length, rsv->length);
		else if (__builtin_expect(ret, 0))
			ret = shmchan_spsc__ring(ch);
		else
			ret = shmchan_spsc__stored(ch);
	}
	shmchan__leave(&ch->busy);
	return ret;
}

/* Give it back.  Once, as commit.  Never blocks.  EINVAL (closed, ...), ESTALE. */
static inline int shmchan_spsc_abort(struct shmchan_spsc *ch,
				     const struct shmchan_reservation *rsv)
{
	int ret = shmchan__enter_open(&ch->busy, ch->region, "spsc");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan__check_reservation(&ch->w, rsv, "spsc");
	if (!ret) {
		ret = shmchan_lane_abort(&ch->w, rsv);
		ret = ret ? shmchan_spsc__ring(ch) : shmchan_spsc__stored(ch);
	}
	shmchan__leave(&ch->busy);
	return ret;
}

/*
 * After sends and commits with SHMCHAN_MORE.  Never blocks.  EINVAL (closed, or the
 * receiver's end), ESTALE.
 */
static inline int shmchan_spsc_flush(struct shmchan_spsc *ch)
{
	int ret = shmchan__enter_open(&ch->busy, ch->region, "spsc");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan_lane_flush(&ch->w);
	if (__builtin_expect(ret, 0))
		ret = shmchan_spsc__done(ch, ret);
	shmchan__leave(&ch->busy);
	return ret;
}

/*
 * Send n messages of size bytes each that lie one behind the other; with sizes
 * that are multiples of 8 this is the way to send many small ones.  Blocks
 * until all are sent.  Returns how many were; fewer than n if the time was up
 * or something failed on the way, an error (as send) only if none was.
 */
int shmchan_spsc_send_n(struct shmchan_spsc *ch, const void *buf, size_t size,
			size_t n, uint32_t meta, int64_t timeout_ns);

/*
 * One message gathered from pieces.  As send; EINVAL for lengths that overflow, and nr
 * that is negative.
 */
int shmchan_spsc_sendv(struct shmchan_spsc *ch, const struct iovec *iov, int nr,
		       uint32_t meta, unsigned int flags, int64_t timeout_ns);

/*
 * The slow paths of recv and peek, by way of variables of their own, so that the
 * caller's can be in registers.
 */
static inline int shmchan_spsc__recv_slow(struct shmchan_spsc *ch, void *buf,
					  size_t capacity, size_t *length,
					  uint32_t *meta, int64_t timeout_ns,
					  size_t its_length, int err)
{
	uint32_t its_meta = 0;
	int ret;

	ret = shmchan_spsc__recv(ch, buf, capacity, &its_length, &its_meta,
				 timeout_ns, err);
	if (length)
		*length = its_length;
	if (meta)
		*meta = its_meta;
	return ret;
}

static inline int shmchan_spsc__peek_slow(struct shmchan_spsc *ch,
					  const void **data, size_t *length,
					  uint32_t *meta, int64_t timeout_ns,
					  int err)
{
	uint32_t its_meta = 0;
	size_t its_length = 0;
	int ret;

	ret = shmchan_spsc__peek(ch, data, &its_length, &its_meta, timeout_ns,
				 err);
	if (length)
		*length = its_length;
	if (meta)
		*meta = its_meta;
	return ret;
}

/*
 * Receive one message into buf; *length and *meta, if not NULL, tell of it.
 * Blocks while there is none.  Errors: EAGAIN, ETIMEDOUT, EPIPE, EOWNERDEAD,
 * EMSGSIZE (it is longer than capacity: *length; it is still there), EBADMSG
 * (the sender broke the rules), EINVAL (closed, or the sender's end), ESTALE (we were
 * revoked).  Safe against any sender, and against being revoked: what is received
 * was in the channel.
 */
static inline int shmchan_spsc_recv(struct shmchan_spsc *ch, void *buf,
				    size_t capacity, size_t *length,
				    uint32_t *meta, int64_t timeout_ns)
{
	uint32_t its_meta;
	size_t its_length;
	int ret = shmchan__enter_open(&ch->busy, ch->region, "spsc");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan_lane_recv(&ch->r, buf, capacity, &its_length, &its_meta);
	if (__builtin_expect(ret, 0)) {
		ret = shmchan_spsc__recv_slow(ch, buf, capacity, length, meta,
					      timeout_ns, its_length, ret);
	} else {
		if (length)
			*length = its_length;
		if (meta)
			*meta = its_meta;
	}
	shmchan__leave(&ch->busy);
	return ret;
}

/*
 * The next message where it lies; valid until shmchan_spsc_release(), which
 * gives back all that was peeked.  As recv; a hostile sender can change it
 * while it is looked at, and being revoked turns it to zeros, which release and
 * shmchan_spsc_check() tell.
 */
static inline int shmchan_spsc_peek(struct shmchan_spsc *ch, const void **data,
				    size_t *length, uint32_t *meta,
				    int64_t timeout_ns)
{
	uint32_t its_meta;
	size_t its_length;
	int ret = shmchan__enter_open(&ch->busy, ch->region, "spsc");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan_lane_peek(&ch->r, data, &its_length, &its_meta);
	if (__builtin_expect(ret, 0)) {
		ret = shmchan_spsc__peek_slow(ch, data, length, meta,
					      timeout_ns, ret);
	} else {
		if (length)
			*length = its_length;
		if (meta)
			*meta = its_meta;
	}
	shmchan__leave(&ch->busy);
	return ret;
}

/*
 * Gives back all that was peeked, and does nothing if that is nothing.  0: what was
 * seen of it was in the channel; ESTALE: perhaps not.  EINVAL (closed, or the
 * sender's end).
 */
static inline int shmchan_spsc_release(struct shmchan_spsc *ch)
{
	int ret = shmchan__enter_open(&ch->busy, ch->region, "spsc");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan_lane_release(&ch->r);
	if (__builtin_expect(ret, 0))
		ret = shmchan_spsc__done(ch, ret);
	shmchan__leave(&ch->busy);
	return ret;
}

/*
 * Receive up to max messages of size bytes each.  Blocks until there is one;
 * returns how many, or as recv (EMSGSIZE: the next has another size).
 */
int shmchan_spsc_recv_n(struct shmchan_spsc *ch, void *buf, size_t size,
			size_t max, uint32_t *meta, int64_t timeout_ns);

/*
 * Who has sent the message that was received last.
 *
 * The kernel keeps everybody but the holder of the sender's seat from writing a
 * channel, and knows who that is; so who sent a message needs no signature.  But
 * a seat has holders one after the other, and each can rewrite what those before
 * it have left and nobody has read.  What is certain is therefore a range, of
 * generations from oldest to newest (see struct shmchan_lane_sender): one of
 * them has sent it, and no other process on the machine can have.
 *
 *  SHMCHAN_SENDER_HOLDER	the range is one generation, and identity is that
 *				sender, as MEMBER_INFO tells it: user and group
 *				at its JOIN; whether it is still there; its pid
 *				if so.  So it is for a receiver that keeps up,
 *				and where no sender ever followed another.
 *  SHMCHAN_SENDER_USER		it is several, all known and of one user and
 *				group: these alone are set in identity.
 *  neither			not of one user, or so long ago that the kernel
 *				does not know any more (it remembers the holder
 *				and the one before): identity is all 0.  by_lane
 *				is whose the message is if all are honest.
 *
 * Receivers that decide by it: ask before the next message; do without what is
 * not certain; or have seats that stay with one user (same_uid, when the channel
 * is made).  The uid is that of JOIN: whom the sender has passed its memory or
 * its work to since then, it answers for.  With the local backend all this is
 * what the members say of themselves.
 */
#define SHMCHAN_SENDER_HOLDER	1U
#define SHMCHAN_SENDER_USER	2U

struct shmchan_origin {
	uint32_t slot;
	uint32_t oldest;
	uint32_t newest;
	uint32_t by_lane;	/* 0: the channel does not say */
	uint32_t certain;	/* SHMCHAN_SENDER_*, or 0 */
	struct shmchan_identity identity;
};

/*
 * Errors: EINVAL (this is the sender's end; closed; origin is NULL), EOWNERDEAD (after
 * fork), ESTALE.
 */
int shmchan_spsc_sender(struct shmchan_spsc *ch, struct shmchan_origin *origin);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_SPSC_H */
