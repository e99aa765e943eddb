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
 *  sender closed             after the last record, the receiver gets EPIPE
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
 * it is open, and is of no use to a child after fork.
 */

#include <shmchan/bell.h>
#include <shmchan/lane.h>
#include <shmchan/region.h>

#ifdef __cplusplus
extern "C" {
#endif

enum shmchan_spsc_role {
	SHMCHAN_SENDER = 0,	/* the numbers are those of the slots */
	SHMCHAN_RECEIVER = 1,
};

/*
 * Where spin_ns is not given: spin so long before sleeping; but not at all on a
 * machine with one CPU.  Peers that are bound to the same CPU want -1.
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
	int64_t spin_ns;	/* before sleeping; 0: the default; negative: none */
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

/* Plain, so that hot paths can be inlined; nothing in it is for users. */
struct shmchan_spsc {
	union {
		struct shmchan_lane_writer w;
		struct shmchan_lane_reader r;
	};
	const uint64_t *peer_word;	/* slot word of the other side */
	uint64_t peer_fine;		/* its value when it was last all right */
	const uint64_t *own_word;
	uint64_t own_live;
	struct shmchan_region *region;
	uint64_t ring_offset;
	uint64_t cursor_offset;
	uint64_t spin_ns;
	uint64_t rings;
	uint64_t waits;
	uint64_t caught_up;		/* records when there were no more */
	uint64_t first_record;
	uint64_t first_pos;
	enum shmchan_spsc_role role;
	uint32_t poll;
	uint32_t peer_known;		/* generation that wait_peer told of */
};

/*
 * Open a channel by name, or make it.  Errors: EINVAL (says which option),
 * ENOENT, EEXIST, EBUSY (that role is taken), EPROTO (the name is something
 * else, or of another version: says both), EACCES, EPERM, ENOMEM, EDQUOT, and
 * what else shmchan_region_create() and _open() return.
 */
int shmchan_spsc_open(struct shmchan_spsc *ch, const char *name,
		      const struct shmchan_spsc_opts *opts);

/*
 * Leave.  A sender ends its stream: open reservations are aborted and the
 * receiver gets EPIPE behind the last record.  NULL or a closed one is fine.
 */
void shmchan_spsc_close(struct shmchan_spsc *ch);

/*
 * Wait until the other side is there, or one has been there that was neither
 * there at open nor told of by this call before: it may have left messages.
 * Returns 0, ETIMEDOUT, EAGAIN (timeout 0), ESTALE.
 */
int shmchan_spsc_wait_peer(struct shmchan_spsc *ch, int64_t timeout_ns);

void shmchan_spsc_get_stats(const struct shmchan_spsc *ch,
			    struct shmchan_spsc_stats *stats);

/* Slow paths. */
int shmchan_spsc__peer(struct shmchan_spsc *ch);
int shmchan_spsc__ring(struct shmchan_spsc *ch);
int shmchan_spsc__send(struct shmchan_spsc *ch, const void *buf, size_t length,
		       uint32_t meta, unsigned int flags, int64_t timeout_ns);
int shmchan_spsc__reserve(struct shmchan_spsc *ch, size_t length,
			  struct shmchan_reservation *rsv, int64_t timeout_ns);
int shmchan_spsc__recv(struct shmchan_spsc *ch, void *buf, size_t capacity,
		       size_t *length, uint32_t *meta, int64_t timeout_ns);
int shmchan_spsc__peek(struct shmchan_spsc *ch, const void **data,
		       size_t *length, uint32_t *meta, int64_t timeout_ns);

/* Is the receiver as we last saw it?  One load of a line that rarely moves. */
static inline int shmchan_spsc__peer_ok(struct shmchan_spsc *ch)
{
	if (__builtin_expect(shmchan_load_relaxed(ch->peer_word) ==
			     ch->peer_fine, 1))
		return 0;
	return shmchan_spsc__peer(ch);
}

/* 1 from a lane is a ring due. */
static inline int shmchan_spsc__due(struct shmchan_spsc *ch, int ret)
{
	return __builtin_expect(ret > 0, 0) ? shmchan_spsc__ring(ch) : ret;
}

/*
 * Send one message of length bytes; meta goes with it.  flags: SHMCHAN_MORE if
 * more follows at once (then the receiver is woken by the last, or by flush).
 * Blocks while the ring is full.  Errors: EAGAIN, ETIMEDOUT, EMSGSIZE, EPIPE,
 * EOWNERDEAD, ENOBUFS (full of our own open reservations), EBADMSG (the
 * receiver's cursor is nonsense), ESTALE (we were revoked).  Nothing was sent
 * then.
 */
static inline int shmchan_spsc_send(struct shmchan_spsc *ch, const void *buf,
				    size_t length, uint32_t meta,
				    unsigned int flags, int64_t timeout_ns)
{
	int ret = shmchan_spsc__peer_ok(ch);

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan_lane_send(&ch->w, buf, length, meta, flags);
	if (__builtin_expect(ret == -EAGAIN, 0))
		return shmchan_spsc__send(ch, buf, length, meta, flags,
					  timeout_ns);
	return shmchan_spsc__due(ch, ret);
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
	int ret = shmchan_spsc__peer_ok(ch);

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan_lane_reserve(&ch->w, length, rsv);
	if (__builtin_expect(ret == -EAGAIN, 0))
		return shmchan_spsc__reserve(ch, length, rsv, timeout_ns);
	return ret;
}

/* Never blocks.  EINVAL: length is more than was reserved. */
static inline int shmchan_spsc_commit(struct shmchan_spsc *ch,
				      const struct shmchan_reservation *rsv,
				      size_t length, uint32_t meta,
				      unsigned int flags)
{
	return shmchan_spsc__due(ch, shmchan_lane_commit(&ch->w, rsv, length,
							 meta, flags));
}

/* Never blocks. */
static inline int shmchan_spsc_abort(struct shmchan_spsc *ch,
				     const struct shmchan_reservation *rsv)
{
	return shmchan_spsc__due(ch, shmchan_lane_abort(&ch->w, rsv));
}

/* After sends and commits with SHMCHAN_MORE.  Never blocks. */
static inline int shmchan_spsc_flush(struct shmchan_spsc *ch)
{
	return shmchan_spsc__due(ch, shmchan_lane_flush(&ch->w));
}

/*
 * Send n messages of size bytes each that lie one behind the other; with sizes
 * that are multiples of 8 this is the way to send many small ones.  Blocks
 * until all are sent.  Returns how many were; fewer than n if the time was up
 * or something failed on the way, an error (as send) only if none was.
 */
int shmchan_spsc_send_n(struct shmchan_spsc *ch, const void *buf, size_t size,
			size_t n, uint32_t meta, int64_t timeout_ns);

/* One message gathered from pieces.  As send; EINVAL for lengths that overflow. */
int shmchan_spsc_sendv(struct shmchan_spsc *ch, const struct iovec *iov, int nr,
		       uint32_t meta, unsigned int flags, int64_t timeout_ns);

/*
 * Receive one message into buf; *length and *meta, if not NULL, tell of it.
 * Blocks while there is none.  Errors: EAGAIN, ETIMEDOUT, EPIPE, EOWNERDEAD,
 * EMSGSIZE (it is longer than capacity: *length; it is still there), EBADMSG
 * (the sender broke the rules), ESTALE (we were revoked).  Safe against any
 * sender.
 */
static inline int shmchan_spsc_recv(struct shmchan_spsc *ch, void *buf,
				    size_t capacity, size_t *length,
				    uint32_t *meta, int64_t timeout_ns)
{
	uint32_t its_meta = 0;
	size_t its_length = 0;
	int ret;

	ret = shmchan_lane_recv(&ch->r, buf, capacity, &its_length, &its_meta);
	if (__builtin_expect(ret == -EAGAIN, 0))
		ret = shmchan_spsc__recv(ch, buf, capacity, &its_length,
					 &its_meta, timeout_ns);
	if (length)
		*length = its_length;
	if (meta)
		*meta = its_meta;
	return ret;
}

/*
 * The next message where it lies; valid until shmchan_spsc_release(), which
 * gives back all that was peeked.  As recv; a hostile sender can change it
 * while it is looked at.
 */
static inline int shmchan_spsc_peek(struct shmchan_spsc *ch, const void **data,
				    size_t *length, uint32_t *meta,
				    int64_t timeout_ns)
{
	uint32_t its_meta = 0;
	size_t its_length = 0;
	int ret;

	ret = shmchan_lane_peek(&ch->r, data, &its_length, &its_meta);
	if (__builtin_expect(ret == -EAGAIN, 0))
		ret = shmchan_spsc__peek(ch, data, &its_length, &its_meta,
					 timeout_ns);
	if (length)
		*length = its_length;
	if (meta)
		*meta = its_meta;
	return ret;
}

static inline void shmchan_spsc_release(struct shmchan_spsc *ch)
{
	shmchan_lane_release(&ch->r);
}

/*
 * Receive up to max messages of size bytes each.  Blocks until there is one;
 * returns how many, or as recv (EMSGSIZE: the next has another size).
 */
int shmchan_spsc_recv_n(struct shmchan_spsc *ch, void *buf, size_t size,
			size_t max, uint32_t *meta, int64_t timeout_ns);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_SPSC_H */
