/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_RWLOCK_H
#define SHMCHAN_RWLOCK_H

/*
 * Reader-writer locks: many who read, or one who writes.
 *
 *	struct shmchan_rwlock l;
 *	int err = shmchan_rwlock_attach(&l, &place, NULL);
 *
 *	err = shmchan_rwlock_rdlock(&l);
 *	if (!err) {
 *		read;
 *		shmchan_rwlock_rdunlock(&l);
 *	}
 *
 *	err = shmchan_rwlock_wrlock(&l);
 *	if (err == -EOWNERDEAD) {
 *		a writer died in the middle of its work: repair what it left;
 *		err = shmchan_rwlock_consistent(&l);
 *	}
 *	if (!err) {
 *		write;
 *		shmchan_rwlock_wrunlock(&l);
 *	}
 *
 * <shmchan/sync.h> tells where a lock is and what holds for all its calls.  It
 * takes SHMCHAN_RWLOCK_SIZE(nr_slots of the region) bytes.
 *
 * This is a big-reader lock: each member has a line of its own in which it counts
 * its readers, and the writer has a word that all look at.  A reader raises its
 * count and then looks for a writer; a writer claims the word and then waits until
 * all counts are 0; all four are sequentially consistent, so one of two that meet
 * sees the other.  To read costs one atomic operation on a line that no other
 * member writes and one load of a line that does not change: readers do not slow
 * each other down, however many there are.  To write costs a look at every slot's
 * line.  So it is for what is read often and written seldom; else a mutex is
 * better.  (The kernel's lglocks and percpu_rw_semaphore are of this kind.)
 *
 * Who dies:
 *
 *  a reader		does not count any more.  It had changed nothing, so nobody
 *			is told.
 *  a writer that	... had changed nothing either: the same.
 *  still waited
 *  a writer that	the next writer gets EOWNERDEAD, and *has* the lock: it is
 *  had the lock	to repair and then to call shmchan_rwlock_consistent().
 *			Until it has, readers get EOWNERDEAD, and do *not* have the
 *			lock.
 *  the one who was	the same again
 *  to repair
 *
 * POSIX knows no robust rwlock.  That a writer is told with the lock in its hands
 * is what POSIX says of mutexes, for the same reason: that it can repair.  A reader
 * can repair nothing, and readers that were let in would keep out who can.  So it is
 * refused, at once, rather than made to wait for a writer that may never come; who
 * has to, and may, takes the lock for writing instead.  A writer that unlocks without
 * shmchan_rwlock_consistent() gives up: from then on all calls say ENOTRECOVERABLE,
 * for ever.
 *
 * A waiting writer goes before readers that come later (who holds the lock for
 * reading and asks again for reading may therefore wait for a writer that waits for
 * it: do not).  So readers starve while writers follow on each other without a
 * gap.  Writers are not queued: one of them may be overtaken by others, again and
 * again.
 *
 * Readers belong to members, not to threads: any thread of a member may give back
 * what another took, and a thread that ends leaves its count behind.  A writer is a
 * thread.
 *
 * With cells in the readers' own windows (<shmchan/sync_cells.h>) no reader can
 * claim that another reads.  But any reader can keep all writers out by not giving
 * back, in any such lock.
 */

#include <shmchan/sync_cells.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMCHAN_RWLOCK_SIZE(nr_slots)	(64 + SHMCHAN_SYNC_CELLS_SIZE(nr_slots))

/* How to attach.  Begin with SHMCHAN_RWLOCK_OPTS(). */
struct shmchan_rwlock_opts {
	size_t size;		/* of this struct; the initialiser sets it */
	uint64_t cells_offset;	/* region offset; 0: behind the first line */
	uint32_t cells_stride;	/* a power of two, 64 or more, if not */
};

#define SHMCHAN_RWLOCK_OPTS(...) \
	((struct shmchan_rwlock_opts){ \
		.size = sizeof(struct shmchan_rwlock_opts), __VA_ARGS__ })

/* A handle.  Nothing in it is for users. */
struct shmchan_rwlock {
	struct shmchan_sync_object o;
	struct shmchan_sync_cells cells;
	uint64_t fine;		/* bits 31 and up of our cell, if all is well */
};

/*
 * Attach to the lock at a place; opts may be NULL.  Does not block.  The handle is
 * the caller's memory, for all its threads.  Errors: EINVAL (the place, the
 * options), EACCES (of the rights, the windows or the doorbell we lack one),
 * EPROTO (something else is there, or others keep its cells elsewhere), ESTALE,
 * EOWNERDEAD (after fork).
 */
int shmchan_rwlock_attach(struct shmchan_rwlock *lock,
			  const struct shmchan_place *place,
			  const struct shmchan_rwlock_opts *opts);

/*
 * Take it for reading; any thread.  rdlock blocks for ever, tryrdlock does not,
 * timedrdlock for timeout_ns at most (0: as tryrdlock; negative: as rdlock).  No
 * system call unless it has to sleep.  Errors: EAGAIN, ETIMEDOUT; EOWNERDEAD (a
 * writer died with it and nobody has repaired: not taken), ENOTRECOVERABLE, EBUSY
 * (2^31 readers of this member have it: somebody forgets to unlock), EDEADLK (this
 * thread has it for writing, and would wait), EBADMSG (nonsense in its word),
 * ESTALE, EUSERS, EACCES.  Who has it for reading and then wants to write has to
 * give it back first: a writer waits for all readers, itself included.
 */
int shmchan_rwlock_timedrdlock(struct shmchan_rwlock *lock, int64_t timeout_ns);

static inline int shmchan_rwlock_rdlock(struct shmchan_rwlock *lock)
{
	return shmchan_rwlock_timedrdlock(lock, -1);
}

static inline int shmchan_rwlock_tryrdlock(struct shmchan_rwlock *lock)
{
	return shmchan_rwlock_timedrdlock(lock, 0);
}

/*
 * Give back what this or another thread of the member has taken for reading.  Does
 * not block; one system call if it was the last one of this member's, and a writer
 * sleeps.  Errors: EPERM (this member does not have it for reading), ESTALE.
 */
int shmchan_rwlock_rdunlock(struct shmchan_rwlock *lock);

/*
 * Take it for writing; any thread, and it alone has it then.  The three differ as
 * above.  A trywrlock that fails may make a tryrdlock beside it fail.  Errors:
 * EAGAIN, ETIMEDOUT; EOWNERDEAD (*taken*: a writer died with it, repair and call
 * consistent), ENOTRECOVERABLE, EDEADLK (this thread has it for writing), EBADMSG,
 * ESTALE, EUSERS, EACCES.  EOWNERDEAD of a handle that a child of fork inherited
 * takes nothing: do not use them there.
 */
int shmchan_rwlock_timedwrlock(struct shmchan_rwlock *lock, int64_t timeout_ns);

static inline int shmchan_rwlock_wrlock(struct shmchan_rwlock *lock)
{
	return shmchan_rwlock_timedwrlock(lock, -1);
}

static inline int shmchan_rwlock_trywrlock(struct shmchan_rwlock *lock)
{
	return shmchan_rwlock_timedwrlock(lock, 0);
}

/*
 * What the dead writer left is in order again.  By the thread that got EOWNERDEAD
 * and has the lock.  Does not block.  Errors: EINVAL (it is in order, or this
 * thread does not have the lock for writing), ESTALE.
 */
int shmchan_rwlock_consistent(struct shmchan_rwlock *lock);

/*
 * Give back what this thread has taken for writing.  Does not block; one system
 * call if somebody sleeps.  Errors: EPERM (this thread does not have it for
 * writing), ESTALE.
 */
int shmchan_rwlock_wrunlock(struct shmchan_rwlock *lock);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_RWLOCK_H */
