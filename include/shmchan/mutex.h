/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_MUTEX_H
#define SHMCHAN_MUTEX_H

/*
 * Mutexes: one thread at a time, of all processes, and none that is dead.
 *
 *	struct shmchan_mutex m;
 *	int err = shmchan_mutex_attach(&m, &place);	(<shmchan/sync.h>)
 *
 *	err = shmchan_mutex_lock(&m);
 *	if (err == -EOWNERDEAD) {
 *		repair(data);		(its owner died in the middle of it)
 *		err = shmchan_mutex_consistent(&m);
 *	}
 *	if (err)
 *		return err;
 *	change(data);
 *	shmchan_mutex_unlock(&m);
 *
 * They are robust as POSIX has it (pthread_mutexattr_setrobust(3)): who locks after
 * an owner has died gets EOWNERDEAD and *has* the mutex, once for each death.  It
 * looks after what the mutex protects and says shmchan_mutex_consistent().  If it
 * unlocks without, what was protected is lost: all who sleep and all who come get
 * ENOTRECOVERABLE, for ever.  If it dies as well, the next is told.
 *
 * They check errors: an owner that locks again gets EDEADLK, who unlocks what is
 * not its own EPERM.  That costs nothing, for the owner's name is in the word that
 * both change anyway.
 *
 * Lock is one compare-and-swap and one load of a line that seldom changes; unlock
 * is the same and one load of the count of sleepers.
 *
 * The word is a cell: nobody's is 0, else {generation, slot, thread, state} of the
 * owner.  Lock is Drepper's ("Futexes Are Tricky", mutex2) without the third state
 * for "and somebody sleeps", since the doorbell counts those who do; and unlock
 * wakes one, who has to compete for the mutex with whoever passes.
 */

#include <shmchan/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 64 bytes at the place: struct shmchan_sync_line. */
#define SHMCHAN_MUTEX_SIZE	64

enum shmchan_mutex_state {
	SHMCHAN_MUTEX_LOCKED = 1,
	SHMCHAN_MUTEX_INCONSISTENT = 2,	/* locked, after a death */
	SHMCHAN_MUTEX_LOST = 3,		/* nobody's, for ever */
};

struct shmchan_mutex {
	struct shmchan_sync_object o;
};

/*
 * Attach to the mutex at a place.  Never blocks.  Errors: EINVAL, EACCES (of the
 * window, the doorbell or the rights something is missing), EPROTO (something else
 * is there, or it has another doorbell with the others: both are said), ESTALE.
 */
int shmchan_mutex_attach(struct shmchan_mutex *mutex,
			 const struct shmchan_place *place);

/* The same of object number nr of a region of objects; EINVAL: so many there are not. */
static inline int shmchan_mutex_at(struct shmchan_mutex *mutex,
				   const struct shmchan_sync *sync, uint32_t nr)
{
	struct shmchan_place place;
	int err = shmchan_sync_place(sync, nr, &place);

	return err ? err : shmchan_mutex_attach(mutex, &place);
}

/* Slow paths. */
int shmchan_mutex__lock(struct shmchan_mutex *mutex, int64_t timeout_ns);
int shmchan_mutex__unlock(struct shmchan_mutex *mutex);

/*
 * The acquire of the CAS has its partner in the CAS of unlock; and if it takes over
 * from the dead, in the slow path, in the kernel's store of the slot word.  The
 * check comes last: who is revoked locks a page of zeros.
 */
static inline int shmchan_mutex__lock_fast(struct shmchan_mutex *mutex,
					   int64_t timeout_ns)
{
	uint64_t nobody = 0;

	if (shmchan_sync__ready(&mutex->o) &&
	    __builtin_expect(shmchan_cas(&mutex->o.line->word, &nobody,
					 shmchan_sync__me(&mutex->o,
						SHMCHAN_MUTEX_LOCKED)), 1))
		return shmchan_region_check(mutex->o.region);
	return shmchan_mutex__lock(mutex, timeout_ns);
}

/*
 * Lock.  Blocks while a living thread has it.  0: it is ours.  EOWNERDEAD: it is
 * ours, and the last owner died with it.  All others: it is not.  EDEADLK: it was
 * ours already; ENOTRECOVERABLE: see above; and what sync.h says.
 */
static inline int shmchan_mutex_lock(struct shmchan_mutex *mutex)
{
	return shmchan_mutex__lock_fast(mutex, -1);
}

/* As lock, but never blocks: EAGAIN while somebody else has it. */
static inline int shmchan_mutex_trylock(struct shmchan_mutex *mutex)
{
	return shmchan_mutex__lock_fast(mutex, 0);
}

/* As lock, for so long at most: ETIMEDOUT. */
static inline int shmchan_mutex_timedlock(struct shmchan_mutex *mutex,
					  int64_t timeout_ns)
{
	return shmchan_mutex__lock_fast(mutex, timeout_ns);
}

/*
 * Unlock.  Never blocks.  EPERM: it is not this thread's (says whose it is).
 * ESTALE: we were revoked, and it had gone on to others before.
 *
 * A CAS and no store: who was revoked, or its process thought dead, and does not
 * know yet, must not take it from who has taken over.  As seq_cst it is our half
 * of the store buffering with who goes to sleep (notify).
 *
 * If we are killed between the two steps nobody rings; but then a member ends, and
 * those who sleep look at that count too.  The same if who is woken is killed
 * before it has locked.
 *
 * ABA: a sleeper has seen our cell, and we may lock again before it looks.  Then
 * it sees our cell again, and sleeps on, rightly: it is counted by then, so this
 * next unlock rings.
 */
static inline int shmchan_mutex_unlock(struct shmchan_mutex *mutex)
{
	uint64_t mine = shmchan_sync__me(&mutex->o, SHMCHAN_MUTEX_LOCKED);

	if (shmchan_sync__ready(&mutex->o) &&
	    __builtin_expect(shmchan_cas(&mutex->o.line->word, &mine, 0), 1))
		return shmchan_sync__notify(&mutex->o, 1);
	return shmchan_mutex__unlock(mutex);
}

/*
 * By the owner, after EOWNERDEAD: what the mutex protects is in order again.  Never
 * blocks.  EINVAL: nothing was wrong; EPERM: it is not this thread's.
 */
int shmchan_mutex_consistent(struct shmchan_mutex *mutex);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_MUTEX_H */
