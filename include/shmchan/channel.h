/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_CHANNEL_H
#define SHMCHAN_CHANNEL_H

/*
 * Channels of many: N senders, M receivers, and every receiver gets everything.
 *
 * What is mostly wanted is one of three patterns, with a header and an essay of
 * its own; they are all this one thing with other numbers:
 *
 *  <shmchan/fanin.h>	N : 1	many tell one; nothing is lost
 *  <shmchan/pubsub.h>	1 : M	one tells many; the creator says who may hold it up
 *  <shmchan/latest.h>	1 : M	only the newest counts
 *  this		N : M	what is left
 *
 *	struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
 *		.create = 1, .nr_senders = 4, .nr_receivers = 8);
 *	struct shmchan_sender tx;
 *	int err = shmchan_sender_open(&tx, "board", &opts);
 *
 *	err = shmchan_send(&tx, &event, sizeof(event), 0, 0, -1);
 *	...
 *	shmchan_sender_close(&tx);
 *
 * and in other processes, with the same opts,
 *
 *	struct shmchan_receiver rx;
 *	struct shmchan_msg msg;
 *
 *	shmchan_receiver_open(&rx, "board", &opts);
 *	for (;;) {
 *		err = shmchan_recv(&rx, buf, sizeof(buf), &msg, -1);
 *		if (!err)
 *			handle(buf, msg.length, msg.slot);
 *		else if (err == -EPIPE || err == -EOWNERDEAD)
 *			sender msg.slot is gone; others go on, and so do we
 *		else if (err == -EOVERFLOW)
 *			msg.lost messages of sender msg.slot are lost to us
 *		else
 *			break;
 *	}
 *
 * How it is made.  Senders' *seats* are the region's slots 0 to N - 1, receivers'
 * are N to N + M - 1, and some more are for who only looks.  Each sender's seat has a
 * lane of its own (<shmchan/lane.h>), which its holder alone can write; each
 * receiver's seat has pages of its own with its place in each lane.  So senders share
 * no line, never wait for each other, and one that dies or goes mad harms its own lane
 * alone.
 * Order is kept per sender; between senders there is none.  All receivers sleep on
 * one doorbell and all senders on another; who rings wakes those whose words have
 * changed.
 *
 * Receivers take turns over the lanes: at most burst messages of one sender, then
 * the next one that has some.  Lanes that were busy lately are looked at each time
 * and idle ones in turn, so a thousand idle senders cost little: a call that finds
 * nothing looks at up to SHMCHAN_CHANNEL_CHUNK idle lanes, in some 770 instructions
 * (1,850 where senders may pass).  Therefore, in channels
 * with more senders than that, a *try* (timeout 0) that says EAGAIN speaks for the
 * busy ones and for those it looked at; what has come from one that was idle, the
 * N / SHMCHAN_CHANNEL_CHUNK-th try finds at the latest.  Who waits, or arms, always
 * looks at all before it sleeps.
 *
 * Who holds whom.  A message stays until all *reliable* receivers are past it; the
 * first nr_reliable receivers' seats are reliable, as the creator says, and the
 * others (*casual*) read along without holding anybody.  When a sender's lane is
 * full it waits at most hold_ns for who is slow (and no longer than its timeout),
 * and then does what the policy says:
 *
 *  SHMCHAN_POLICY_BLOCK	goes on waiting, as long as its timeout says
 *  SHMCHAN_POLICY_FAIL		says EAGAIN
 *  SHMCHAN_POLICY_EVICT	passes who is slow, and goes on
 *  SHMCHAN_POLICY_OVERWRITE	never waits; no seat is reliable
 *
 * Who was passed (and any casual receiver may be) is told EOVERFLOW, with the exact
 * number of messages it lost of that sender, and goes on with what there is.  A
 * receiver that dies or leaves holds nobody, unless the channel is durable: then
 * its seat goes on holding until somebody comes, who continues where it was.
 *
 * Death.  The end of a sender is told to each receiver once: EPIPE (it closed) or
 * EOWNERDEAD, msg.slot says which, and behind all it had committed.  The channel
 * does not end by that.  Somebody else may take the seat and go on.  (A receiver that
 * was passed may have lost the place where the end was, and then is not told of it: of
 * whom what follows is, msg.generation says.)  A receiver in
 * the only seat of a durable channel that leaves or dies is told to the senders in
 * the same way, by send, until another comes.
 *
 * Timeouts are in nanoseconds: 0 tries (EAGAIN), negative waits for ever, else
 * ETIMEDOUT.  All calls return 0 or a count, or -errno; what was wrong is in
 * shmchan_error_detail().
 *
 * A handle belongs to one thread at a time, must not be moved in memory while it
 * is open, and is of no use to a child after fork.  With SHMCHAN_DEBUG
 * (<shmchan/guard.h>) a call on a handle that another thread is in a call on says
 * EBUSY.  A call on a handle that was closed, or whose opening failed, says EINVAL,
 * and so does one on a handle that was never opened and is all 0, but that a
 * sender's calls that are inlined (send, reserve, commit, abort, flush) crash there
 * without SHMCHAN_DEBUG.
 */

#include <shmchan/bell.h>
#include <shmchan/guard.h>
#include <shmchan/lane.h>
#include <shmchan/region.h>
#include <shmchan/spin.h>
#include <shmchan/spsc.h>
#include <shmchan/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

struct iovec;

#define SHMCHAN_CHANNEL_MAX	1024U	/* senders; receivers */
#define SHMCHAN_CHANNEL_CHUNK	64U	/* idle lanes that an empty poll looks at */
#define SHMCHAN_MAX_HELD	64U	/* peeked and not released, of one sender */

/* What the channel is meant for.  ANY fits all. */
enum shmchan_pattern {
	SHMCHAN_PATTERN_ANY = 0,
	SHMCHAN_PATTERN_FANIN = 1,
	SHMCHAN_PATTERN_PUBSUB = 2,
	SHMCHAN_PATTERN_LATEST = 3,
};

enum shmchan_policy {
	SHMCHAN_POLICY_BLOCK = 0,
	SHMCHAN_POLICY_FAIL = 1,
	SHMCHAN_POLICY_EVICT = 2,
	SHMCHAN_POLICY_OVERWRITE = 3,
};

/* Which of the receivers' seats to take. */
enum shmchan_seat {
	SHMCHAN_SEAT_ANY = 0,		/* the first that is free */
	SHMCHAN_SEAT_RELIABLE = 1,
	SHMCHAN_SEAT_CASUAL = 2,
};

/*
 * How to open or make a channel.  The same opts do for all roles; begin with
 * SHMCHAN_CHANNEL_OPTS() or the initialiser of a pattern.  What is for create
 * alone does nothing where the channel is there already.
 */
struct shmchan_channel_opts {
	size_t size;		/* of this struct; the initialiser sets it */
	enum shmchan_backend backend;
	int create;		/* 1: if it is not there; else it has to be */
	int exclusive;		/* with create: it must not be there (EEXIST) */
	enum shmchan_pattern pattern;	/* another than the channel's: EPROTO */
	/* For create. */
	uint32_t nr_senders;	/* seats, 1 to 1024; 0: 1 */
	uint32_t nr_receivers;	/* seats, 1 to 1024; 0: 1 */
	uint32_t nr_reliable;	/* of these, the first; 0: all, or with OVERWRITE
				   none */
	enum shmchan_policy policy;
	int64_t hold_ns;	/* before FAIL or EVICT; 0: at once */
	int durable;		/* seats hold while nobody has them; BLOCK, FAIL */
	int blind;		/* with OVERWRITE: receivers tell nobody where they
				   are, and need no pages for it */
	uint64_t capacity;	/* bytes of each sender's lane; see below */
	int poll;		/* nobody ever sleeps, all spin */
	uint32_t mode;		/* permission bits; 0: 0600 */
	int same_uid;		/* a seat stays with its first user */
	/* Of this handle. */
	uint32_t slot;		/* the seat; SHMCHAN_SLOT_ANY, the initialisers'
				   default: one that is free */
	enum shmchan_seat seat;	/* receivers: of which kind */
	enum shmchan_lane_from from;	/* receivers: where to begin; see below */
	uint32_t burst;		/* receivers: messages of a sender in a row; 0: 64 */
	int any_owner;		/* whoever owns it (else us or root) */
	int64_t spin_ns;	/* before sleeping; as in <shmchan/spsc.h> */
	uint32_t join_flags;	/* SHMCHAN_JOIN_SIGBUS, see <shmchan/access.h>;
				   SHMCHAN_JOIN_ASYM, <shmchan/bell.h> */
	int64_t wait_ns;	/* without create: for the name to appear;
				   negative: for ever; 0: it has to be there */
};

/*
 * capacity is rounded up to a power of two from 4 KiB to 1 GiB; a message may be a
 * quarter of it long, less 8 bytes; what is longer goes through a pool
 * (<shmchan/pool.h>), and its handle through the channel.  0: 16 MiB shared among
 * the senders, each from 16 KiB to 1 MiB.  Below 2 MiB rings are of 4 KiB pages.
 *
 * from: SHMCHAN_FROM_NOW, what is sent from now on; SHMCHAN_FROM_OLDEST, all that
 * is still kept; 0: in a durable channel where the last holder of the seat was,
 * else NOW.  Of senders that come later all is received.
 */
#define SHMCHAN_CHANNEL_OPTS(...) \
	SHMCHAN__OPTS(struct shmchan_channel_opts, __VA_ARGS__)

/* What is sealed in the region's header page: all the rest is computed. */
struct shmchan_wire_channel {
	struct shmchan_wire wire;
	uint32_t pattern;
	uint32_t policy;
	uint32_t nr_senders;
	uint32_t nr_receivers;
	uint32_t nr_reliable;
	uint32_t flags;			/* SHMCHAN_CHANNEL_* */
	uint64_t hold_ns;
	uint64_t capacity;
	uint32_t data_doorbell;		/* receivers wait on it */
	uint32_t space_doorbell;	/* senders wait on it */
	uint64_t reserved[2];		/* 0 */
};

#define SHMCHAN_CHANNEL_DURABLE	(1U << 0)
#define SHMCHAN_CHANNEL_POLL	(1U << 1)
#define SHMCHAN_CHANNEL_BLIND	(1U << 2)

/*
 * Slots are the senders' seats, then the receivers', then so many for who only
 * looks, with the right to read alone, and is nobody to the others.  The first of
 * these is for looks of a moment, as shmchan_channel_stat() takes one; the others
 * are for who stays, as shmchan tap does.
 */
#define SHMCHAN_CHANNEL_OBSERVERS	4

#ifndef SHMCHAN_EXPLORER
SHMCHAN__ASSERT(sizeof(struct shmchan_wire_channel) == 88);
#endif

/*
 * What is told of a message; and with EPIPE, EOWNERDEAD, EOVERFLOW, EBADMSG and
 * EMSGSIZE, of which sender that is.
 */
struct shmchan_msg {
	size_t length;
	uint32_t meta;
	uint32_t slot;		/* the sender's */
	uint32_t generation;	/* of its holding it, as the lane says: certain is
				   what shmchan_receiver_origin() tells; 0: unknown */
	uint64_t lost;		/* with EOVERFLOW, and of recv_newest: messages of
				   this sender between the last and this */
};

/* Plain, so that hot paths can be inlined; nothing in it is for users. */
struct shmchan_sender {
	struct shmchan_lane_writer w;
	const uint64_t *peer_word;	/* where one receiver is to be told of */
	uint64_t peer_fine;
	uint32_t busy;			/* SHMCHAN_DEBUG: a thread is in a call */
	uint32_t poll;
	struct shmchan_region *region;
	enum shmchan_policy policy;
	uint32_t nr_receivers;
	uint64_t hold_ns;
	uint64_t held_since;		/* 0: nobody holds us */
	uint64_t held_limit;		/* ... at this limit */
	uint64_t cursors_offset;	/* in the region, of our lane */
	uint64_t cursor_stride;
	uint32_t data_doorbell;
	uint32_t space_doorbell;
	struct shmchan_spin spin;
	uint64_t first_record;
	uint64_t rings;
	uint64_t waits;
	uint64_t evictions;
	uint32_t subscribed;
};

/* A receiver's state of one lane; the library's. */
struct shmchan__inlet;
struct shmchan__glance;

struct shmchan_receiver {
	/* The lane whose turn it is, and how many messages it still has. */
	struct shmchan_lane_reader *cur;
	uint32_t left;
	uint32_t burst;
	uint32_t busy;			/* SHMCHAN_DEBUG: a thread is in a call */
	uint32_t poll;
	struct shmchan_lane_reader *last;	/* what was received last is of it */
	struct shmchan_lane_reader *lanes;
	struct shmchan__glance *glances;
	struct shmchan__inlet *inlets;
	uint16_t *hot;			/* lanes that were busy lately, in turn */
	uint32_t nr_hot;
	uint32_t next_hot;
	uint32_t nr_lanes;
	uint32_t next_idle;
	uint32_t index;			/* our seat, among the receivers' */
	uint32_t passable;		/* senders may pass us */
	uint32_t blind;
	uint32_t wake_later;		/* ... and then once for all */
	uint32_t wake_due;
	uint64_t members;		/* members_seq when the seats were looked at */
	struct shmchan_region *region;
	uint32_t data_doorbell;
	uint32_t space_doorbell;
	struct shmchan_spin spin;
	uint8_t *bounce;		/* recvv where it may be passed */
	uint64_t caught_up;
	uint64_t records;
	uint64_t lost;
	uint64_t rings;
	uint64_t waits;
	uint64_t nr_held;
	uint64_t armed_seq;
	uint32_t armed;
	uint32_t subscribed;
};

/*
 * Take a sender's or a receiver's seat in a channel, by name; or make it; or sleep
 * until somebody has (wait_ns).  Errors: EINVAL (says which option), ENOENT,
 * EEXIST, ETIMEDOUT (no such name appeared), EBUSY (all seats of the role are
 * taken, or the one asked for), EPROTO (the name is something else, or of another
 * pattern or version: says both), EACCES, EPERM, ENOMEM, EDQUOT, and what else
 * shmchan_region_create() and _open() return.
 */
int shmchan_sender_open(struct shmchan_sender *tx, const char *name,
			const struct shmchan_channel_opts *opts);
int shmchan_receiver_open(struct shmchan_receiver *rx, const char *name,
			  const struct shmchan_channel_opts *opts);

/*
 * The same by a capability instead of a name: "Into what" in <shmchan/access.h>.  A
 * receiver of a blind channel needs the rights read and wait alone.  Beside slot,
 * the one that the capability is for says which seat it is.
 */
int shmchan_sender_adopt(struct shmchan_sender *tx, int capability,
			 const struct shmchan_channel_opts *opts);
int shmchan_receiver_adopt(struct shmchan_receiver *rx, int capability,
			   const struct shmchan_channel_opts *opts);

/*
 * Leave.  A sender ends its stream: open reservations are aborted, and receivers
 * get EPIPE behind its last message.  NULL or a closed one is fine.
 */
void shmchan_sender_close(struct shmchan_sender *tx);
void shmchan_receiver_close(struct shmchan_receiver *rx);

/*
 * Wait until seats of the other role are held: a receiver by nr senders, a sender by nr
 * receivers, who then get what is sent from there on (blind ones perhaps a moment
 * later).  Returns 0, ETIMEDOUT, EAGAIN (timeout 0), EINVAL (more
 * than there are seats), ESTALE.
 */
int shmchan_sender_wait_peers(struct shmchan_sender *tx, uint32_t nr,
			      int64_t timeout_ns);
int shmchan_receiver_wait_peers(struct shmchan_receiver *rx, uint32_t nr,
				int64_t timeout_ns);

/* Of one handle, since it was opened. */
struct shmchan_channel_stats {
	uint64_t records;	/* committed, or received */
	uint64_t lost;		/* receiver: as EOVERFLOW told */
	uint64_t evictions;	/* sender: how often it has passed who was slow */
	uint64_t rings;		/* doorbell rung: each is a system call */
	uint64_t waits;		/* slept: each is one or more system calls */
};

/* Of a closed handle, and of NULL: all 0. */
void shmchan_sender_get_stats(const struct shmchan_sender *tx,
			      struct shmchan_channel_stats *stats);
void shmchan_receiver_get_stats(const struct shmchan_receiver *rx,
				struct shmchan_channel_stats *stats);

/* Slow paths. */
int shmchan__sender_peer(struct shmchan_sender *tx);
int shmchan__sender_ring(struct shmchan_sender *tx);
int shmchan__sender_done(struct shmchan_sender *tx, int ret);
int shmchan__send(struct shmchan_sender *tx, const void *buf, size_t length,
		  uint32_t meta, unsigned int flags, int64_t timeout_ns,
		  int err);
int shmchan__reserve(struct shmchan_sender *tx, size_t length,
		     struct shmchan_reservation *rsv, int64_t timeout_ns,
		     int err);
int shmchan__recv(struct shmchan_receiver *rx, void *buf, size_t capacity,
		  struct shmchan_msg *msg, int64_t timeout_ns, int err);

/* Is the only receiver as we last saw it?  One load of a line that rarely moves. */
static inline int shmchan__sender_peer_ok(struct shmchan_sender *tx)
{
	if (__builtin_expect(shmchan_load_relaxed(tx->peer_word) ==
			     tx->peer_fine, 1))
		return 0;
	return shmchan__sender_peer(tx);
}

/* 1 from a lane is a ring due. */
static inline int shmchan__sender_due(struct shmchan_sender *tx, int ret)
{
	return __builtin_expect(ret > 0, 0) ? shmchan__sender_ring(tx) : ret;
}

/* Is what was stored in the lane? */
static inline int shmchan__sender_stored(struct shmchan_sender *tx)
{
	return shmchan_lane__gone(tx->w.own_word, tx->w.own_live) ?
	       shmchan__sender_done(tx, -ESTALE) : 0;
}

/*
 * Send one message of length bytes; meta goes with it.  flags: SHMCHAN_MORE if
 * more follows at once (then receivers are woken by the last, or by flush).  length
 * may be 0.
 * Blocks while the lane is full and the policy says so.  Errors: EAGAIN, ETIMEDOUT,
 * EMSGSIZE (says the longest), EPIPE and EOWNERDEAD (durable, one receiver: it left
 * or died), ENOBUFS (full of our own open reservations), EBADMSG (durable: a
 * receiver's cursor is nonsense), EINVAL (closed); nothing was sent then.
 * ESTALE: we were revoked; of this call and the one before it is not certain
 * whether they have sent (as in <shmchan/spsc.h>).
 */
static inline int shmchan_send(struct shmchan_sender *tx, const void *buf,
			       size_t length, uint32_t meta,
			       unsigned int flags, int64_t timeout_ns)
{
	int ret = shmchan__enter_open(&tx->busy, tx->region, "sender");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan__sender_peer_ok(tx);
	if (__builtin_expect(!ret, 1)) {
		ret = shmchan_lane_send(&tx->w, buf, length, meta, flags);
		if (__builtin_expect(ret < 0, 0))
			ret = shmchan__send(tx, buf, length, meta, flags,
					    timeout_ns, ret);
		else
			ret = shmchan__sender_due(tx, ret);
	}
	shmchan__leave(&tx->busy);
	return ret;
}

/*
 * Room for a message in the lane itself, to be filled in and then committed or
 * aborted.  Blocks and fails as send.  Several may be open, in any order.  Fill it
 * with shmchan_fill() where receivers may be passed (casual seats, EVICT,
 * OVERWRITE): plain stores race with those that are about to find out.
 */
static inline int shmchan_reserve(struct shmchan_sender *tx, size_t length,
				  struct shmchan_reservation *rsv,
				  int64_t timeout_ns)
{
	int ret = shmchan__enter_open(&tx->busy, tx->region, "sender");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan__sender_peer_ok(tx);
	if (__builtin_expect(!ret, 1)) {
		ret = shmchan_lane_reserve(&tx->w, length, rsv);
		if (__builtin_expect(ret < 0, 0))
			ret = shmchan__reserve(tx, length, rsv, timeout_ns,
					       ret);
	}
	shmchan__leave(&tx->busy);
	return ret;
}

/* Copy n bytes into a reservation at offset, a multiple of 8. */
static inline void shmchan_fill(struct shmchan_sender *tx,
				const struct shmchan_reservation *rsv,
				size_t offset, const void *src, size_t n)
{
	shmchan_lane_fill(&tx->w, rsv, offset, src, n);
}

/*
 * The first length bytes of a reservation are a message.  Once: commit or abort of
 * what is committed or aborted already breaks the lane (with SHMCHAN_DEBUG: EINVAL).
 * Never blocks.  EINVAL: length is more than was reserved; or closed.  ESTALE: it may
 * or may not have been sent; after 0 it has been.
 */
static inline int shmchan_commit(struct shmchan_sender *tx,
				 const struct shmchan_reservation *rsv,
				 size_t length, uint32_t meta,
				 unsigned int flags)
{
	int ret = shmchan__enter_open(&tx->busy, tx->region, "sender");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan__check_reservation(&tx->w, rsv, "channel");
	if (!ret) {
		ret = shmchan_lane_commit(&tx->w, rsv, length, meta, flags);
		if (__builtin_expect(ret == -EINVAL, 0))
			ret = shmchan__too_much("channel", length,
						rsv->length);
		else if (__builtin_expect(ret, 0))
			ret = shmchan__sender_ring(tx);
		else
			ret = shmchan__sender_stored(tx);
	}
	shmchan__leave(&tx->busy);
	return ret;
}

/* Give it back.  Once, as commit.  Never blocks.  EINVAL (closed), ESTALE. */
static inline int shmchan_abort(struct shmchan_sender *tx,
				const struct shmchan_reservation *rsv)
{
	int ret = shmchan__enter_open(&tx->busy, tx->region, "sender");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan__check_reservation(&tx->w, rsv, "channel");
	if (!ret) {
		ret = shmchan_lane_abort(&tx->w, rsv);
		ret = ret ? shmchan__sender_ring(tx) :
			    shmchan__sender_stored(tx);
	}
	shmchan__leave(&tx->busy);
	return ret;
}

/*
 * After sends and commits with SHMCHAN_MORE.  Never blocks.  EINVAL (closed), ESTALE.
 */
static inline int shmchan_flush(struct shmchan_sender *tx)
{
	int ret = shmchan__enter_open(&tx->busy, tx->region, "sender");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = shmchan_lane_flush(&tx->w);
	if (__builtin_expect(ret, 0))
		ret = shmchan__sender_done(tx, ret);
	shmchan__leave(&tx->busy);
	return ret;
}

/*
 * Send n messages of size bytes each that lie one behind the other; with sizes
 * that are multiples of 8 this is the way to send many small ones.  Returns how
 * many were sent; fewer than n if the time was up or something failed on the way,
 * an error (as send) only if none was.
 */
int shmchan_send_n(struct shmchan_sender *tx, const void *buf, size_t size,
		   size_t n, uint32_t meta, int64_t timeout_ns);

/* One message gathered from pieces.  As send; EINVAL for lengths that overflow. */
int shmchan_sendv(struct shmchan_sender *tx, const struct iovec *iov, int nr,
		  uint32_t meta, unsigned int flags, int64_t timeout_ns);

/* Whose generation: as the lane itself says.  0: it does not. */
static inline uint32_t
shmchan__lane_generation(const struct shmchan_lane_reader *r)
{
	return r->records == r->whose_since ? r->whose_before.epoch :
					      r->whose.epoch;
}

/* The message that was read last, of the lane whose turn it is. */
static inline void shmchan__received(struct shmchan_receiver *rx, size_t length,
				     uint32_t meta, struct shmchan_msg *msg)
{
	struct shmchan_lane_reader *r = rx->cur;

	rx->left--;
	rx->last = r;
	if (!msg)
		return;
	msg->length = length;
	msg->meta = meta;
	msg->slot = r->lane.writer_slot;
	msg->generation = shmchan__lane_generation(r);
	msg->lost = 0;
}

/*
 * Receive one message into buf, of any sender; msg, if not NULL, tells of it.
 * Blocks while there is none.  Errors: EAGAIN (see above for what it means with
 * many senders), ETIMEDOUT, EINVAL (closed), ESTALE (we were revoked); and of one
 * sender, msg->slot, the channel goes on:
 *  EPIPE       it closed
 *  EOWNERDEAD  it died
 *  EMSGSIZE    its message is longer than capacity: msg->length; it is still there,
 *              for the sender's next turn
 *  EOVERFLOW   it has passed us: msg->lost messages are lost; go on
 *  EBADMSG     it broke the rules; nothing more is read of it until somebody else
 *              has its seat
 * Safe against any sender, and against being revoked: what is received was in the
 * channel.
 */
static inline int shmchan_recv(struct shmchan_receiver *rx, void *buf,
			       size_t capacity, struct shmchan_msg *msg,
			       int64_t timeout_ns)
{
	uint32_t meta = 0;
	size_t length = 0;
	int ret = shmchan__enter(&rx->busy, "receiver");

	if (__builtin_expect(ret, 0))
		return ret;
	ret = -EAGAIN;
	if (__builtin_expect(rx->left, 1))
		ret = shmchan_lane_recv(rx->cur, buf, capacity, &length, &meta);
	if (__builtin_expect(!ret, 1))
		shmchan__received(rx, length, meta, msg);
	else
		ret = shmchan__recv(rx, buf, capacity, msg, timeout_ns, ret);
	shmchan__leave(&rx->busy);
	return ret;
}

/*
 * Receive one message into several pieces, in order.  As recv; EMSGSIZE if it is
 * longer than all of them.
 */
int shmchan_recvv(struct shmchan_receiver *rx, const struct iovec *iov, int nr,
		  struct shmchan_msg *msg, int64_t timeout_ns);

/*
 * Receive up to max messages of size bytes each, of one sender and with one meta,
 * one behind the other.  Blocks until there is one; returns how many, or as recv
 * (EMSGSIZE: the next of this sender has another size).
 */
int shmchan_recv_n(struct shmchan_receiver *rx, void *buf, size_t size,
		   size_t max, struct shmchan_msg *msg, int64_t timeout_ns);

/*
 * The newest message of a sender, and nothing that is older: what lies between the
 * last one and this is skipped, msg->lost says how many (with EMSGSIZE as
 * well).  Bounded work, however far behind we are.  EAGAIN, or waits, if the last
 * one is still the newest.  For channels with OVERWRITE (<shmchan/latest.h>); else
 * ENOTSUP.  As recv, without EOVERFLOW.
 */
int shmchan_recv_newest(struct shmchan_receiver *rx, void *buf, size_t capacity,
			struct shmchan_msg *msg, int64_t timeout_ns);

/* A message where it lies, from peek to release. */
struct shmchan_view {
	const void *data;
	struct shmchan_msg msg;
	uint64_t ticket;
	const struct shmchan_receiver *of;
};

/*
 * The next message where it lies, without copying, until shmchan_release(); peek
 * again for the one behind it.  Blocks as recv.  A hostile sender can change it
 * while it is looked at.  ENOTSUP where senders may pass us (OVERWRITE, EVICT,
 * casual seats): there it takes recv.  ENOBUFS: SHMCHAN_MAX_HELD of this sender are
 * held.
 */
int shmchan_peek(struct shmchan_receiver *rx, struct shmchan_view *view,
		 int64_t timeout_ns);

/*
 * Give back what was peeked, in any order.  But the lane is a ring: room for its
 * sender is only what lies before the oldest that is still held, so one held
 * message holds its sender up when the ring has gone round.  0: what was seen of it
 * was in the channel.  ESTALE: perhaps not, we were revoked.  EINVAL: released
 * already, or peeked by another.
 */
int shmchan_release(struct shmchan_receiver *rx, const struct shmchan_view *view);

/*
 * Who has sent the message that was received last, for certain: as
 * shmchan_spsc_sender() tells it.  Errors: EINVAL (none was received), EOWNERDEAD
 * (after fork), ESTALE.
 */
int shmchan_receiver_origin(struct shmchan_receiver *rx,
			    struct shmchan_origin *origin);

/*
 * What a channel looks like at the moment, to whoever may read it; the first of the
 * observers' seats is taken meanwhile, and nobody's.  Everything is what its members
 * say of themselves.  Positions of receivers are told once in an eighth of a lane,
 * and when they sleep.
 */
struct shmchan_lane_stat {
	uint32_t slot;
	uint32_t state;		/* SHMCHAN_SLOT_*, of the sender's seat */
	uint32_t generation;
	uint64_t records;	/* sent since the channel was made */
	uint64_t bytes;		/* of the ring, headers included */
	uint64_t high_water;	/* most bytes that were kept for a receiver */
};

/* How far a receiver is in a lane. */
struct shmchan_cursor_stat {
	uint64_t records;	/* it is past so many */
	uint64_t depth;		/* messages that it has not read */
	uint64_t depth_bytes;
	uint64_t lost;		/* by it and those in this seat before it */
	uint32_t evicted;	/* it has been passed and has not noticed yet */
};

struct shmchan_receiver_stat {
	uint32_t slot;
	uint32_t state;
	uint32_t generation;
	uint32_t reliable;
	/* Of all lanes together. */
	uint64_t records;
	uint64_t depth;
	uint64_t lost;
	uint32_t evicted;	/* lanes in which it is */
};

struct shmchan_channel_info {
	struct shmchan_wire_channel wire;
	struct shmchan_lane_stat *lanes;		/* wire.nr_senders */
	struct shmchan_receiver_stat *receivers;	/* wire.nr_receivers */
	/* Of receiver j in lane i: cursors[j * wire.nr_senders + i]; NULL: blind. */
	struct shmchan_cursor_stat *cursors;
};

/*
 * Describe the channel of that name.  *info is the caller's, to be freed with
 * shmchan_channel_info_free(); NULL after an error.  Reads the memory, so it may
 * take milliseconds where there are many lanes; does not block.  Errors: as
 * shmchan_region_open(), to read; EPROTO (it is no channel of many), EBUSY (others
 * look at it all the time).
 */
int shmchan_channel_stat(struct shmchan_channel_info **info,
			 enum shmchan_backend backend, const char *name);

/* The same by a member.  Errors: EINVAL (closed, or NULL), EOWNERDEAD, ESTALE, ENOMEM. */
int shmchan_sender_stat(const struct shmchan_sender *tx,
			struct shmchan_channel_info **info);
int shmchan_receiver_stat(const struct shmchan_receiver *rx,
			  struct shmchan_channel_info **info);

/* NULL is fine. */
void shmchan_channel_info_free(struct shmchan_channel_info *info);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_CHANNEL_H */
