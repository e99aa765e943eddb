/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_CONDVAR_H
#define SHMCHAN_CONDVAR_H

/*
 * Condition variables: waiting, with a mutex, until somebody has made something
 * true.
 *
 *	err = shmchan_mutex_lock(&m);
 *	while (!err && !*ready)
 *		err = shmchan_condvar_wait(&c, &m);
 *	...
 *	shmchan_mutex_unlock(&m);
 *
 * and elsewhere, with the mutex locked or after it was:
 *
 *	*ready = 1;
 *	shmchan_condvar_signal(&c);
 *
 * Waits may return for no reason, so each is in a loop as above.  When any member
 * of the region ends, all waits return: the one whose signal one waits for may be
 * the one that ended, and only the caller can know.
 *
 * A condition variable is a count of signals.  Who waits has read it while it had
 * the mutex, and sleeps while it is the same; so a signal that comes between its
 * unlock and its sleep is not missed.  (The count has 64 bits, and so does not come
 * round to the same, as it does in 32 where somebody is preempted for long enough.)
 * A signal wakes one of those who have seen an older count.  If that one is killed
 * before it does anything, all others look again.
 *
 * What all threads wait with at one time should be one mutex, of the same region.
 * Nothing keeps an order among them.
 */

#include <shmchan/mutex.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 64 bytes at the place: struct shmchan_sync_line. */
#define SHMCHAN_CONDVAR_SIZE	64

struct shmchan_condvar {
	struct shmchan_sync_object o;
};

/* As shmchan_mutex_attach(). */
int shmchan_condvar_attach(struct shmchan_condvar *cv,
			const struct shmchan_place *place);

/* The same of object number nr of a region of objects; EINVAL: so many there are not. */
static inline int shmchan_condvar_at(struct shmchan_condvar *cv,
				     const struct shmchan_sync *sync, uint32_t nr)
{
	struct shmchan_place place;
	int err = shmchan_sync_place(sync, nr, &place);

	return err ? err : shmchan_condvar_attach(cv, &place);
}

/*
 * Unlock the mutex, which this thread has, wait, and lock it again.  Blocks.  0: it
 * may have been signalled, or not; the mutex is ours.  EOWNERDEAD: the mutex is ours,
 * and an owner died with it meanwhile, as lock says.  The mutex is not ours after
 * ENOTRECOVERABLE, ESTALE and EPERM (it was not before: nothing was done).  Else,
 * as what sync.h says, it is.
 */
int shmchan_condvar_wait(struct shmchan_condvar *cv,
		      struct shmchan_mutex *mutex);

/*
 * The same, for so long at most: then ETIMEDOUT, and the mutex is ours.  (With 0 it
 * unlocks and locks again, and says EAGAIN.)  Locking again has no limit.
 */
int shmchan_condvar_timedwait(struct shmchan_condvar *cv,
			   struct shmchan_mutex *mutex, int64_t timeout_ns);

/* Slow path. */
int shmchan_condvar__wake(struct shmchan_condvar *cv, uint32_t max_wake);

/*
 * The add is the store before the load of the count of sleepers: seq_cst.  Who has
 * no number yet may be a child of fork, for whom the object is not there.
 */
static inline int shmchan_condvar__wake_fast(struct shmchan_condvar *cv,
					     uint32_t max_wake)
{
	if (!shmchan_sync__ready(&cv->o))
		return shmchan_condvar__wake(cv, max_wake);
	shmchan_fetch_add(&cv->o.line->word, 1);
	return shmchan_sync__notify(&cv->o, max_wake);
}

/*
 * Wake one who waits.  Never blocks; no system call if nobody sleeps.  By whoever is
 * a member, with the mutex or without.  0, ESTALE.
 */
static inline int shmchan_condvar_signal(struct shmchan_condvar *cv)
{
	return shmchan_condvar__wake_fast(cv, 1);
}

/* The same for all who wait. */
static inline int shmchan_condvar_broadcast(struct shmchan_condvar *cv)
{
	return shmchan_condvar__wake_fast(cv, 0);
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_CONDVAR_H */
