/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_POOL_H
#define SHMCHAN_POOL_H

/*
 * Pools: buffers that are lent, and passed on by reference.
 *
 * A pool is a region of buffers.  One member, its *owner*, allocates buffers and
 * fills them in.  What it sends through a channel is a *reference* of 16 bytes;
 * who gets one *takes* the buffer, reads it where it lies, and *drops* it.  So a
 * record of 1 MiB costs a message of 16 bytes, and no copy.
 *
 *	struct shmchan_pool *pool;
 *	struct shmchan_pool_buf buf;
 *	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
 *		.role = SHMCHAN_POOL_OWNER, .create = 1,
 *		.classes = {{ .size = 1 << 20, .nr = 16 }});
 *	int err = shmchan_pool_open(&pool, "frames", &opts);
 *
 *	err = shmchan_pool_alloc(pool, len, &buf, -1);
 *	fill(buf.data, len);
 *	err = shmchan_pool_send_spsc(pool, &ch, &buf, 0, 0, -1);
 *	shmchan_pool_drop(pool, &buf);
 *
 * and in another process, a *holder*,
 *
 *	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
 *		.role = SHMCHAN_POOL_HOLDER);
 *	...
 *	err = shmchan_pool_recv_spsc(pool, &ch, &buf, NULL, -1);
 *	look(buf.data, buf.length);
 *	shmchan_pool_drop(pool, &buf);
 *
 * Whoever has sent a buffer may drop it at once: it stays until the receiver has
 * taken or refused it.  A holder may pass on what it holds, in the same way, and
 * any member may take a buffer that it has a reference of, as long as somebody
 * still has it.
 *
 * Nobody trusts anybody.  The owner alone can write the buffers and the words
 * that tell their state; holders see both read-only.  What a holder holds it
 * names in cells of its own, a bounded number of them, and that is all it can
 * keep the owner from reusing; shmchan_pool_holders() tells who holds what.
 *
 * Death.  The cells of a member that is gone do not count: what it held comes
 * back by itself.  When the owner dies or leaves, what it had lent can still be
 * read by those who hold it, and be passed on; the next owner finds out what that
 * is, and all else is free.  References that were under way from a dead owner are
 * stale then.
 *
 * Trusted members may have a *writable* pool (the option of whoever makes it).  There
 * any member allocates, a buffer is always one member's, who may write it, and to send
 * it is to give it away: one receiver takes it, and the sender only drops what it was
 * sent as.  What the dead had, or had sent and nobody has taken, comes back.  The calls
 * are the same.
 *
 * How it works.  Each buffer has a word {lap, state} of the owner's:
 *
 *	FREE --alloc--> LOANED --reuse--> ASKED --named by nobody--> FREE, lap + 1
 *			  ^-----------------'     named
 *
 * and a reference has the lap.  Who takes, stores the buffer's number in a cell of
 * its own and then looks at the word; the owner, who wants it back, makes the word
 * ASKED and then looks at all cells.  A full barrier is between the two on each
 * side.  So, of a take and a reuse, at least one sees the other: if the owner does
 * not find the cell, then the taker finds ASKED or what came of it.  These are
 * hazard pointers (M. Michael, IEEE TPDS 15(6), 2004), with two differences:
 * generations make the cells of the dead void, and a buffer that is named goes
 * back to LOANED, so that it can be passed on.  lib/pool_words.h has the argument.
 *
 * The owner looks through the cells that are in use when there is no free buffer, or
 * when it has dropped twice as many as there are such cells; so in a pool that is
 * not scarce a buffer costs a constant number of loads, however many holders there
 * are.
 *
 * Timeouts are in nanoseconds: 0 tries (EAGAIN), negative waits for ever, else
 * ETIMEDOUT.  All calls return 0 or a count, or -errno with
 * shmchan_error_detail().  A handle belongs to one thread at a time (EBUSY, where the
 * library was built with SHMCHAN_DEBUG, <shmchan/guard.h>), and is of no use to a
 * child after fork: there its calls say EOWNERDEAD.  NULL, as a handle or as a place
 * for an answer, is EINVAL.  After close the handle is memory that was freed.
 */

#include <shmchan/lane.h>
#include <shmchan/pool_layout.h>
#include <shmchan/region.h>
#include <shmchan/spsc.h>

#ifdef __cplusplus
extern "C" {
#endif

enum shmchan_pool_role {
	SHMCHAN_POOL_OWNER = 0,		/* slot 0 */
	SHMCHAN_POOL_HOLDER = 1,	/* any other */
};

struct shmchan_pool;

/* Buffers of so many bytes, so many. */
struct shmchan_pool_class {
	uint64_t size;		/* up to SHMCHAN_POOL_MAX_SIZE */
	uint32_t nr;
};

struct shmchan_pool_opts {
	size_t size;		/* of this struct; the initialiser sets it */
	enum shmchan_pool_role role;
	enum shmchan_backend backend;
	int create;		/* 1: if it is not there; else it has to be */
	int exclusive;		/* with create: it must not be there (EEXIST) */
	/* For create: by size, rising; up to the first that is 0. */
	struct shmchan_pool_class classes[SHMCHAN_POOL_MAX_CLASSES];
	uint32_t nr_holders;	/* for create: seats; 0: 8 */
	uint32_t nr_cells;	/* for create: what one may hold; 0: 64 */
	int writable;		/* for create: see above */
	uint32_t mode;		/* for create: permission bits; 0: 0600 */
	int same_uid;		/* for create: a seat stays with its first user */
	int any_owner;		/* for open: whoever owns it (else us or root) */
	uint32_t join_flags;	/* SHMCHAN_JOIN_SIGBUS, see <shmchan/access.h>;
				   SHMCHAN_JOIN_ASYM, <shmchan/bell.h> */
	int64_t wait_ns;	/* for open: for the name to appear; negative:
				   for ever; 0: it has to be there */
};

#define SHMCHAN_POOL_OPTS(...) \
	((struct shmchan_pool_opts){ \
		.size = sizeof(struct shmchan_pool_opts), __VA_ARGS__ })

/*
 * A buffer that one has: by alloc or by take, until drop.  The caller's; a copy of
 * it is the same buffer, to be dropped once.
 */
struct shmchan_pool_buf {
	void *data;		/* who has not allocated it may only read it */
	size_t length;		/* as asked for; the owner may set it anew */
	size_t capacity;	/* bytes from data to the end of the buffer */
	uint32_t index;
	uint32_t lap;
	uint32_t ticket;	/* of this alloc or take; not for users */
	uint32_t cell;
};

/*
 * Open a pool by name, or make it, or sleep until somebody has (wait_ns).  An
 * owner finds out first what is lent: one look at all words and cells.
 * Errors: EINVAL (says which option), ENOENT, EEXIST, ETIMEDOUT (no such name
 * appeared), EBUSY (there is an owner; or all holders' seats are taken), EPROTO
 * (the name is something else, or of another version: says both), EACCES, EPERM,
 * ENOMEM, EDQUOT, and what else shmchan_region_create() and _open() return.
 */
int shmchan_pool_open(struct shmchan_pool **pool, const char *name,
		      const struct shmchan_pool_opts *opts);

/*
 * The same by a capability instead of a name: "Into what" in <shmchan/access.h>.  A
 * holder's that is minted for no slot is good for the owner's seat as well, while
 * that is free.
 */
int shmchan_pool_adopt(struct shmchan_pool **pool, int capability,
		       const struct shmchan_pool_opts *opts);

/*
 * Leave, and free the handle.  What a holder holds it has dropped; what an owner has
 * lent stays with those who hold it.  What was sent and not taken yet is stale then:
 * see shmchan_pool_flush().  No other thread may be using it.  NULL is fine.
 */
void shmchan_pool_close(struct shmchan_pool *pool);

/*
 * A buffer of size bytes or more, of the smallest class that has one; what is in
 * it is what its last user left.  The owner's call; in writable pools, anybody's.
 * Blocks while there is none, until a holder drops one, dies, or takes what is in
 * flight.  Errors: EAGAIN,
 * ETIMEDOUT, EMSGSIZE (no class is so large), EINVAL (this is a holder), ESTALE (we
 * have been revoked), EOWNERDEAD (after fork).
 */
int shmchan_pool_alloc(struct shmchan_pool *pool, size_t size,
		       struct shmchan_pool_buf *buf, int64_t timeout_ns);

/*
 * The reference of what one has: of the length bytes at data, which may be a part of
 * the buffer.  For who sends it otherwise than by the calls below, and keeps the
 * buffer until it has been taken.  Never blocks.  Errors: EINVAL (not ours, or not
 * within the buffer), ESTALE (we have been revoked), EOWNERDEAD.
 */
int shmchan_pool_ref(const struct shmchan_pool *pool,
		     const struct shmchan_pool_buf *buf,
		     struct shmchan_pool_ref *ref);

/*
 * Take what a reference names.  Any member; of the owner it is one more drop of
 * its own buffer.  Until drop the buffer is not reused, whatever its owner and
 * other members do; only a hostile owner can write to it meanwhile.  buf->data and
 * ->length are the part that the reference is of, within one buffer for certain.
 * Never blocks, but for the instant in which the owner looks whether this very
 * buffer is in use.  Errors:
 *  ESTALE      it is used no more, or for something else; or we have been revoked
 *  EBADMSG     there is no such buffer, or no such part of it
 *  ENOBUFS     we hold as many as we have cells
 *  EBUSY       the owner has been stopped in that instant, for 100 ms: later,
 *              perhaps
 *  EOWNERDEAD  after fork
 */
int shmchan_pool_take(struct shmchan_pool *pool,
		      const struct shmchan_pool_ref *ref,
		      struct shmchan_pool_buf *buf);

/*
 * Give back, and clear buf.  If it was sent and has not been taken yet, that
 * happens when it has (see shmchan_pool_poll()).  Never blocks.  Errors: EINVAL
 * (not ours, or dropped already), ESTALE (we have been revoked), EOWNERDEAD.
 */
int shmchan_pool_drop(struct shmchan_pool *pool, struct shmchan_pool_buf *buf);

/*
 * Send a reference of a buffer through a channel.  It is *in flight* then: who
 * sent it may drop it, and it stays until the receiver has taken it, and has said
 * so by moving on.  Blocks while the channel is full; meta and flags, and errors,
 * as of shmchan_spsc_send(), and EINVAL (not ours; the channel is closed, or this is
 * the receiver's end).  The channel must stay open
 * until shmchan_pool_recall(), or until nothing is in flight.
 */
int shmchan_pool_send_spsc(struct shmchan_pool *pool, struct shmchan_spsc *ch,
			   const struct shmchan_pool_buf *buf, uint32_t meta,
			   unsigned int flags, int64_t timeout_ns);

/*
 * Receive a reference and take what it names.  Blocks while there is none.  Errors
 * as of shmchan_spsc_recv() and shmchan_pool_take(), of which EINVAL is said first;
 * EBADMSG also for a message
 * that is no reference.  A message that cannot be taken is used up; but with
 * ENOBUFS (or no message) nothing is.  Gives back what was peeked in the channel.
 */
int shmchan_pool_recv_spsc(struct shmchan_pool *pool, struct shmchan_spsc *ch,
			   struct shmchan_pool_buf *buf, uint32_t *meta,
			   int64_t timeout_ns);

/*
 * For lanes without a channel: the record that was just committed to this lane has
 * a reference of the buffer; it is in flight until all readers' cursors that count
 * there have passed it (or it has been overwritten).  The writer's handle is
 * looked at until then, or until shmchan_pool_recall().  Never blocks.  Errors:
 * EINVAL (not ours), ENOMEM, ENOTSUP (a writable pool), ESTALE, EOWNERDEAD.
 */
int shmchan_pool_sent(struct shmchan_pool *pool,
		      const struct shmchan_lane_writer *writer,
		      const struct shmchan_pool_buf *buf);

/*
 * Nothing that was sent by this writer (of a channel: &ch->w; NULL: by any) is kept
 * any more: who has not taken it yet will find it stale, unless somebody else has
 * it.  For when the channel is closed, or its receiver does not come back.
 * Returns how many references were in flight.
 */
int shmchan_pool_recall(struct shmchan_pool *pool,
			const struct shmchan_lane_writer *writer);

/*
 * Wait until nothing is in flight: before closing.  Blocks; a receiver that has died
 * and has no successor is waited for until the time is up.  Errors: EAGAIN,
 * ETIMEDOUT, ESTALE (we have been revoked, here or in a channel), EOWNERDEAD.
 */
int shmchan_pool_flush(struct shmchan_pool *pool, int64_t timeout_ns);

/* How many references are in flight. */
int shmchan_pool_in_flight(struct shmchan_pool *pool);

/*
 * Let go of what was sent, taken since, and dropped before.  Calls of the pool do
 * it on the way; this is for a member that makes none.  Returns how many were.
 */
int shmchan_pool_poll(struct shmchan_pool *pool);

/* One cell of a living holder. */
struct shmchan_pool_loan {
	uint32_t slot;		/* shmchan_region_member() tells who that is */
	uint32_t generation;
	uint32_t index;		/* of the buffer */
	uint32_t lap;
};

/*
 * What holders hold, of one buffer or (SHMCHAN_POOL_ALL) of all.  Any member may ask.
 * It is so at some instant each, and by what the holders say.  Never blocks.  Returns
 * how many there are; the first room of them are in loans (may be NULL).  Errors:
 * EINVAL (no such buffer), ENOTSUP (a writable pool), ESTALE, EOWNERDEAD.
 */
#define SHMCHAN_POOL_ALL	0xffffffffU

int shmchan_pool_holders(const struct shmchan_pool *pool, uint32_t index,
			 struct shmchan_pool_loan *loans, uint32_t room);

/*
 * Of this handle (of NULL: all 0); free and dropped are the owner's to know (else 0).
 */
struct shmchan_pool_stats {
	uint64_t buffers;
	uint64_t free;		/* to be had without a look at the cells */
	uint64_t owned;		/* allocated or taken, and not dropped */
	uint64_t dropped;	/* and not known to be free yet */
	uint64_t taken;		/* alloc or take: how often */
	uint64_t scans;		/* looks at all cells */
	uint64_t cells;		/* ... that were looked at in all of them */
	uint64_t rings;
	uint64_t waits;
};

void shmchan_pool_get_stats(const struct shmchan_pool *pool,
			    struct shmchan_pool_stats *stats);

/* The region underneath, of NULL: NULL; for <shmchan/access.h>, and to know members by. */
struct shmchan_region *shmchan_pool_region(const struct shmchan_pool *pool);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_POOL_H */
