/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_WORKQ_H
#define SHMCHAN_WORKQ_H

/*
 * Work queues: each item goes to one worker, and to another if that one dies.
 *
 *	struct shmchan_workq q;
 *	struct shmchan_workq_opts opts = SHMCHAN_WORKQ_OPTS(
 *		.create = 1, .nr_items = 1024, .item_size = sizeof(job));
 *	int err = shmchan_workq_open(&q, "jobs", &opts);
 *
 *	err = shmchan_workq_put(&q, &job, sizeof(job), -1);
 *
 * and in any number of other processes
 *
 *	struct shmchan_workq_item item;
 *
 *	while (!(err = shmchan_workq_take(&q, &item, -1))) {
 *		do_job(item.data, item.length);
 *		shmchan_workq_ack(&q, &item);
 *	}
 *
 * An item that was taken stays in the queue, as its worker's, until the worker
 * acknowledges it.  A worker that ends first, killed or not, gives back what it
 * had taken: the next one who looks takes it, and finds in item.attempts that it
 * is not the first.  When an item has been taken max_attempts times, and the last
 * one ended too or gave it back, it is a dead letter: no worker gets it any more,
 * shmchan_workq_take_dead() does.  Dead letters occupy their places until somebody
 * comes for them.
 *
 * What is promised, whoever is killed at whatever instruction:
 *
 *  - An item whose put returned 0 is in the queue until a worker acknowledges
 *    it (or somebody a dead letter).  One whose producer was killed in put is
 *    there as a whole or not at all.
 *  - An item is one living worker's at a time.  It is taken from a worker that has
 *    ended, or was revoked, and from no other: who is slow, or stopped in a debugger,
 *    keeps it, as long as it lives.  There are no leases and nothing to extend.
 *  - The acknowledgement is one atomic step.  After it, the item is nobody's
 *    and does not come again; a worker killed before it leaves the item to others.
 *  - Nobody sleeps while there is something for it to do.
 *
 * What is not:
 *
 *  - Effects that happen exactly once.  A worker may be killed when it has done
 *    its work and not yet acknowledged it: the work is done again, by another.
 *    Work has to bear that; item.attempts says when to look.
 *  - Strict order.  Workers look where the oldest items are, about: two items that
 *    were put near each other, or are taken at about the same time, may change
 *    places, also with one producer and one worker; one that is still being
 *    written does not hold up those behind it.  Where order counts take a channel.
 *    What comes back after a death comes before what was put after it, about;
 *    what a worker gives back comes when there is nothing else, or when the
 *    queue has gone round.  At worst, about nr_items others pass an item.
 *  - Items that outlive all members.  The queue is a region: when the last
 *    member has left it is gone, and a machine that goes down takes it along.
 *
 * Members trust each other: all may write all of the queue.  A member that breaks
 * it on purpose can lose, change and repeat items for all, but crash nobody's
 * library.
 *
 * A handle may be used by all threads of its process at once, but for open
 * and close; an item belongs to one thread at a time, any.  The threads of a
 * process are one member: a thread that ends alone takes its items along, until
 * the process ends.  A child has to open its own after fork; it gets EOWNERDEAD.
 * EINVAL is what all calls say of a handle that is closed, was never opened (and is
 * all 0) or is NULL, and of an item, or a place for one, that is NULL.
 *
 * Timeouts are in nanoseconds: 0 tries (EAGAIN), negative waits for ever, else
 * ETIMEDOUT.  All calls return 0 or a count, or -errno; shmchan_error_detail()
 * says more.  While there are items, and room, no call makes a system call; who
 * finds none spins for a moment and then sleeps, and who brings one wakes one.
 *
 * The algorithm is in <shmchan/workq_layout.h>; its steps are explored
 * exhaustively in selftests/model/workq_models.c.
 */

#include <stddef.h>

#include <shmchan/bell.h>
#include <shmchan/region.h>
#include <shmchan/spsc.h>
#include <shmchan/workq_layout.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For max_attempts: items are given to workers until one acknowledges. */
#define SHMCHAN_WORKQ_UNLIMITED		0xffffffffU

struct shmchan_workq_opts {
	size_t size;		/* of this struct; the initialiser sets it */
	enum shmchan_backend backend;
	int create;		/* 1: if it is not there; else it has to be */
	int exclusive;		/* with create: it must not be there (EEXIST) */
	uint32_t nr_items;	/* for create: rounded up to a power of two; 0:
				   1024; at most SHMCHAN_WORKQ_MAX_ITEMS.  Who
				   finds nothing has looked at all of them: some
				   us per thousand, at each sleep */
	uint32_t item_size;	/* for create: bytes of the largest item; 0: 256;
				   at most SHMCHAN_WORKQ_MAX_ITEM_SIZE */
	uint32_t nr_members;	/* for create: processes at a time; 0: 16 */
	uint32_t max_attempts;	/* for create: how often an item is taken before
				   it is a dead letter, 1 to
				   SHMCHAN_WORKQ_MAX_ATTEMPTS; 0: 5;
				   or SHMCHAN_WORKQ_UNLIMITED */
	uint32_t mode;		/* for create: permission bits; 0: 0600 */
	int same_uid;		/* for create: a seat stays with its first user */
	int any_owner;		/* for open: whoever owns it (else us or root) */
	int64_t spin_ns;	/* before sleeping; 0: SHMCHAN_SPIN_DEFAULT_NS,
				   none on one CPU; negative: none */
	uint32_t join_flags;	/* SHMCHAN_JOIN_SIGBUS, see <shmchan/access.h> */
	int64_t wait_ns;	/* for open: for the name to appear; negative:
				   for ever; 0: it has to be there */
};

#define SHMCHAN_WORKQ_OPTS(...) __extension__ ({ \
	_Pragma("GCC diagnostic push") \
	SHMCHAN__NO_WARNING \
	struct shmchan_workq_opts shmchan__workq_opts = { \
		.size = sizeof(struct shmchan_workq_opts), __VA_ARGS__ }; \
	_Pragma("GCC diagnostic pop") \
	shmchan__workq_opts; })

/* A handle.  The caller's memory; nothing in it is for users. */
struct shmchan_workq {
	struct shmchan_region *region;	/* NULL: not open */
	struct shmchan_workq_control *control;
	uint64_t *cells;
	uint8_t *items;
	const uint64_t *slots;		/* words of all members */
	uint64_t item_stride;
	uint64_t owner;			/* ours, as a cell without state */
	uint64_t members_seen;		/* when we looked for the dead */
	uint64_t head_seen;		/* for the high water mark */
	uint64_t spin_ns;
	uint32_t nr_slots;
	uint32_t mask;			/* number of items - 1 */
	uint32_t item_size;
	uint32_t max_attempts;
	/* <shmchan/loop.h>: one thread's. */
	uint32_t counted;		/* among those who sleep */
	uint32_t subscribed;
};

/*
 * An item that is ours for now: room reserved by a producer, or what a worker has
 * taken.  It may be copied, but is of use once.
 */
struct shmchan_workq_item {
	void *data;		/* in shared memory; ours to read and write */
	size_t length;		/* bytes; of one that is reserved: room */
	uint32_t attempts;	/* how often it was taken, this time included; of
				   more than 31, 31.  0: reserved */
	uint32_t index;		/* of its cell */
	uint64_t ticket;	/* what the cell says: that it is ours */
};

/*
 * Open a queue by name, or make it, or sleep until somebody has (wait_ns).
 * Errors: EINVAL (says which option), ENOENT, EEXIST, ETIMEDOUT (no such name
 * appeared), EUSERS (nr_members are there), EPROTO (the name is something else,
 * or of another version: says both), EACCES, EPERM, ENOMEM, EDQUOT, and what else
 * shmchan_region_create() and _open() return.
 */
int shmchan_workq_open(struct shmchan_workq *q, const char *name,
		       const struct shmchan_workq_opts *opts);

/* By a capability instead of a name: "Into what" in <shmchan/access.h>. */
int shmchan_workq_adopt(struct shmchan_workq *q, int capability,
			const struct shmchan_workq_opts *opts);

/*
 * Leave.  What we have taken and not acknowledged goes to others, as if we had
 * died; what we have reserved and not committed is free again.  No other thread may
 * be in a call.  NULL or a closed one is fine.
 */
void shmchan_workq_close(struct shmchan_workq *q);

/*
 * Put a copy of length bytes (0 is fine) into the queue.  Blocks while it is
 * full.  Errors: EAGAIN, ETIMEDOUT (full; the detail says of what), EMSGSIZE (more
 * than item_size: the detail says how many fit); nothing was put then.  ESTALE (we
 * were revoked): it may or may not have been.  EINVAL (not open), EOWNERDEAD.
 */
int shmchan_workq_put(struct shmchan_workq *q, const void *data, size_t length,
		      int64_t timeout_ns);

/*
 * Room for an item in the queue itself: write up to item->length bytes to
 * item->data, then commit or abort.  Blocks and fails as put.  Several may be open;
 * each occupies one of nr_items, so who holds some must not wait for more than
 * are left.
 */
int shmchan_workq_reserve(struct shmchan_workq *q,
			  struct shmchan_workq_item *item, int64_t timeout_ns);

/*
 * Put what was reserved; length is how much of it.  Never blocks.  Errors:
 * EMSGSIZE (more than was reserved; it still is), EINVAL (this is no reservation of
 * ours), ESTALE (it was committed or aborted already; or we were revoked, and it may
 * or may not have been put).
 */
int shmchan_workq_commit(struct shmchan_workq *q,
			 const struct shmchan_workq_item *item, size_t length);

/* Give the room back.  Never blocks.  Errors: EINVAL, ESTALE, as commit. */
int shmchan_workq_abort(struct shmchan_workq *q,
			const struct shmchan_workq_item *item);

/*
 * Take an item: from now on it is ours, until ack or nack.  Its bytes lie in the
 * queue, and are ours to read and to write; if we do not acknowledge it, the next
 * one who takes it sees what we have written.  Blocks while there is none.
 * Errors: EAGAIN, ETIMEDOUT, ESTALE (we were revoked), EINVAL (not open),
 * EOWNERDEAD.
 */
int shmchan_workq_take(struct shmchan_workq *q,
		       struct shmchan_workq_item *item, int64_t timeout_ns);

/* Of one take_n. */
#define SHMCHAN_WORKQ_MAX_TAKE	8

/*
 * Take up to n at once, at most SHMCHAN_WORKQ_MAX_TAKE: what is there; blocks only
 * while there is none.  Cheaper than so many takes, but what we have others cannot
 * do.  Returns how many, or as take.
 */
int shmchan_workq_take_n(struct shmchan_workq *q,
			 struct shmchan_workq_item *items, unsigned int n,
			 int64_t timeout_ns);

/*
 * It is done: the item leaves the queue.  Of a dead letter as well.  Never blocks.
 * Errors: EINVAL (this is no item of ours), ESTALE (it was acknowledged or given
 * back already; or we were revoked: then others do it again).
 */
int shmchan_workq_ack(struct shmchan_workq *q,
		      const struct shmchan_workq_item *item);

/*
 * Acknowledge n items.  All that can be are.  Returns 0, or the error of the first
 * that could not be.
 */
int shmchan_workq_ack_n(struct shmchan_workq *q,
			const struct shmchan_workq_item *items, unsigned int n);

/* This time does not count: attempts is one less again. */
#define SHMCHAN_WORKQ_UNCOUNTED	1U
/* Of a dead letter: to the workers again, with all its attempts before it. */
#define SHMCHAN_WORKQ_AFRESH	2U

/*
 * Give an item back undone: to other workers, or to ourselves, not before what
 * else is there; beyond the limit of attempts it is a dead letter.  A dead letter
 * goes back to the dead letters, or with SHMCHAN_WORKQ_AFRESH to the workers.
 * Never blocks.  Errors: as ack; EINVAL also for other flags.
 */
int shmchan_workq_nack(struct shmchan_workq *q,
		       const struct shmchan_workq_item *item,
		       unsigned int flags);

/*
 * Take a dead letter, to look at, then ack or nack it.  item->attempts says how
 * often it was taken by workers.  If we die it is a dead letter again.  Never
 * blocks.  Errors: EAGAIN (there is none), and as take.
 */
int shmchan_workq_take_dead(struct shmchan_workq *q,
			    struct shmchan_workq_item *item);

struct shmchan_workq_stat {
	uint32_t nr_items;	/* there is room for */
	uint32_t item_size;	/* bytes of the largest */
	uint32_t max_attempts;	/* or SHMCHAN_WORKQ_UNLIMITED */
	uint32_t free;		/* of nr_items, now: these add up to it */
	uint32_t writing;
	uint32_t ready;
	uint32_t claimed;
	uint32_t dead;		/* those that somebody looks at included */
	uint32_t high_water;	/* that were waiting at once, about */
	uint32_t reserved;
	uint64_t redelivered;	/* given back, by the dead or by nack, about */
	uint64_t dead_lettered;	/* of them, beyond the limit, about */
};

/*
 * How it is.  A snapshot: each cell at a time of its own.  Repairs what the dead
 * have left.  Counts that say about may lack what was counted by who was killed
 * meanwhile.  Errors: EINVAL, EOWNERDEAD, ESTALE.
 */
int shmchan_workq_get_stat(struct shmchan_workq *q,
			   struct shmchan_workq_stat *stat);

/* Who has what. */
struct shmchan_workq_claim {
	uint32_t index;		/* of the cell */
	uint32_t state;		/* SHMCHAN_WORKQ_WRITING, _CLAIMED, _EXAMINED */
	uint32_t slot;		/* shmchan_region_member() tells who that is */
	uint32_t generation;
	uint32_t attempts;
	uint32_t lives;		/* 0: it is about to be given back */
};

/*
 * All cells that somebody has, as many as there is room for.  Returns how many, or
 * as get_stat; changes nothing.
 */
int shmchan_workq_claims(struct shmchan_workq *q,
			 struct shmchan_workq_claim *claims, unsigned int room);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_WORKQ_H */
