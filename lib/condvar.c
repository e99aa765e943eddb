// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Condition variables: waiting. */

#include <shmchan/condvar.h>

#include "sync_private.h"

#ifndef SHMCHAN_EXPLORER
int shmchan_condvar_attach(struct shmchan_condvar *cv,
			const struct shmchan_place *place)
{
	return shmchan__sync_attach(cv ? &cv->o : NULL, place,
				    SHMCHAN_SYNC_CONDVAR, 0, SHMCHAN_CONDVAR_SIZE);
}
#endif

int shmchan_condvar_timedwait(struct shmchan_condvar *cv,
			   struct shmchan_mutex *mutex, int64_t timeout_ns)
{
	struct shmchan__seen seen;
	uint64_t deadline, members;
	int err, again;

	err = shmchan__sync_enter(cv ? &cv->o : NULL);
	if (!err && !mutex)
		err = sync_fail(EINVAL, "condvar: no mutex (NULL)");
	if (err)
		return err;
	deadline = shmchan_deadline(timeout_ns);
	members = shmchan_members_seq(cv->o.region);
	/*
	 * With the mutex: whoever makes our condition true has to lock it first,
	 * and signals after that.  So its signal is one that this has not seen;
	 * the order is the mutex's.
	 */
	seen.word = &cv->o.line->word;
	seen.value = shmchan_load_relaxed(seen.word);
	err = shmchan_mutex_unlock(mutex);
	if (err)
		return err;
	err = timeout_ns ? shmchan__sync_wait(&cv->o, &seen, 1, members,
					      deadline) :
			   sync_fail_briefly(EAGAIN,
				"condvar: no time to wait in was given");
	/*
	 * A signal that was for one alone may have been ours, as the time was
	 * up: who was not meant can say that it came; who was, must.
	 */
	if (err == -ETIMEDOUT &&
	    shmchan_load_relaxed((uint64_t *)seen.word) != seen.value)
		err = 0;
	again = shmchan_mutex_lock(mutex);
	return again ? again : err;
}

int shmchan_condvar_wait(struct shmchan_condvar *cv,
		      struct shmchan_mutex *mutex)
{
	return shmchan_condvar_timedwait(cv, mutex, -1);
}

int shmchan_condvar__wake(struct shmchan_condvar *cv, uint32_t max_wake)
{
	int err = shmchan__sync_enter(&cv->o);

	return err ? err : shmchan_condvar__wake_fast(cv, max_wake);
}
