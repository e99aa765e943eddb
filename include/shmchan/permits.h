/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_PERMITS_H
#define SHMCHAN_PERMITS_H

/*
 * Permits: a counting semaphore whose permits come back by themselves.
 *
 * So many members at a time may use a device, hold a buffer, run a query: each
 * takes a permit, and gives it back.  If it dies, its permits are free again.
 *
 *	struct shmchan_permits p;
 *	uint32_t permit;
 *	int err = shmchan_permits_attach(&p, &place, 8);
 *
 *	err = shmchan_permits_acquire(&p, &permit);
 *	if (err >= 0) {
 *		use the thing; it could be number permit of eight;
 *		shmchan_permits_release(&p, permit);
 *	}
 *
 * <shmchan/sync.h> tells where they are and what holds for all calls.  nr of them
 * take SHMCHAN_PERMITS_SIZE(nr) bytes.
 *
 * Each permit is a cell with its owner's name in it (<shmchan/cell.h>).  Nothing
 * counts beside them: a semaphore whose owner is killed between the count and the
 * note of who has what has lost a permit, or has one too many, for ever.  Here a
 * permit is free if its cell is 0, or if whom it names is dead; to take it is one
 * compare-and-swap, to give it back another.  So permits have numbers, and each is
 * given back by a member that has taken it; a permit cannot be posted by somebody
 * else.  For that see <shmchan/signal.h>, where nothing comes back from the dead:
 * the two exclude each other.
 *
 * A permit that came back from a dead member is told of by the acquire that gets
 * it, which returns 1 instead of 0.  That is no error: the permit is as good as any
 * other.  But what it stands for may want a look.
 *
 * Who gives one back wakes one who sleeps; the death of a member wakes all.  Who
 * comes at the right moment may overtake those who sleep: anybody may starve while
 * there are fewer permits than members who want them all the time.
 *
 * To acquire costs a look at up to nr cells, eight in a line, and one atomic
 * operation; it begins at the permit that this handle had last, so in a program
 * that takes one at a time the first look mostly succeeds.
 */

#include <shmchan/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMCHAN_PERMITS_MAX	4096
#define SHMCHAN_PERMITS_SIZE(nr) \
	(64 + (((uint64_t)(nr) * 8 + 63) & ~63ULL))

/* A handle.  Nothing in it is for users. */
struct shmchan_permits {
	struct shmchan_sync_object o;
	uint64_t *cells;
	uint32_t nr;
	uint32_t next;		/* where to look first */
};

/*
 * Attach to nr permits, 1 to 4096, at a place; all who attach say the same number.
 * Does not block.  The handle is the caller's memory, for all its threads.
 * Errors: EINVAL (the place, the number), EACCES (of the rights, the window or the
 * doorbell we lack one), EPROTO (something else is there, or another number),
 * ESTALE, EOWNERDEAD (after fork).
 */
int shmchan_permits_attach(struct shmchan_permits *permits,
			   const struct shmchan_place *place, uint32_t nr);

/*
 * Take a permit: *permit is its number, 0 to nr - 1.  acquire blocks for ever,
 * tryacquire does not, timedacquire for timeout_ns at most (0: as tryacquire;
 * negative: as acquire).  Any thread; the permit is the member's, not the thread's.
 * No system call unless it has to sleep.  Returns 0; or 1: a member died with this
 * permit.  Errors: EAGAIN, ETIMEDOUT, ESTALE, EUSERS, EACCES, EINVAL (permit is
 * NULL).
 */
int shmchan_permits_timedacquire(struct shmchan_permits *permits,
				 uint32_t *permit, int64_t timeout_ns);

static inline int shmchan_permits_acquire(struct shmchan_permits *permits,
					  uint32_t *permit)
{
	return shmchan_permits_timedacquire(permits, permit, -1);
}

static inline int shmchan_permits_tryacquire(struct shmchan_permits *permits,
					     uint32_t *permit)
{
	return shmchan_permits_timedacquire(permits, permit, 0);
}

/*
 * Give a permit back, by any thread of the member that took it.  Does not block;
 * one system call if somebody sleeps.  Errors: EINVAL (there is no such number),
 * EPERM (this member does not have it), ESTALE.
 */
int shmchan_permits_release(struct shmchan_permits *permits, uint32_t permit);

/*
 * How many could be taken now, those of the dead included: a count that may be old
 * when it is told.  Does not block.  Errors: ESTALE, EOWNERDEAD (after fork).
 */
int shmchan_permits_available(struct shmchan_permits *permits);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_PERMITS_H */
