// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Mutexes: the slow paths. */

#include <shmchan/mutex.h>

#include "sync_private.h"

#ifndef SHMCHAN_EXPLORER
int shmchan_mutex_attach(struct shmchan_mutex *mutex,
			 const struct shmchan_place *place)
{
	return shmchan__sync_attach(mutex ? &mutex->o : NULL, place,
				    SHMCHAN_SYNC_MUTEX, 0, SHMCHAN_MUTEX_SIZE);
}
#endif

static int mutex_lost(const struct shmchan_mutex *mutex)
{
	(void)mutex;
	return sync_fail(ENOTRECOVERABLE,
		"mutex: an owner died, and who locked after that unlocked without shmchan_mutex_consistent(): what the mutex at offset %#llx protects is lost",
		(unsigned long long)mutex->o.offset);
}

/* The word is not this thread's. */
static int mutex_not_ours(struct shmchan_mutex *mutex, uint64_t word, const char *what)
{
	int err = shmchan_region_check(mutex->o.region);

	(void)what;
	if (err)
		return err;
	if (shmchan_cell_state(word) == SHMCHAN_MUTEX_LOST || !word)
		return sync_fail(EPERM, "mutex: %s by one who has not locked it: nobody has",
				 what);
	return sync_fail(EPERM,
		"mutex: %s by slot %u, thread %u, but slot %u (generation %u), thread %u has it",
		what, mutex->o.region->slot, shmchan_sync__thread(),
		shmchan_cell_slot(word), shmchan_cell_generation(word),
		shmchan_cell_thread(word));
}

/* Somebody who lives has it: no time is left to wait for that. */
static int mutex_held(int err, uint64_t word)
{
	(void)word;
	return sync_fail_lazily(err,
		"mutex: slot %llu (generation %llu), thread %llu has it",
		SYNC_OWNER(word));
}

static int mutex_ours(const struct shmchan_mutex *mutex, uint64_t word)
{
	return shmchan_cell_owner(word) == shmchan_sync__me(&mutex->o, 0);
}

/* It was ours to take, by this CAS. */
static int mutex_take(struct shmchan_mutex *mutex, uint64_t *word, uint32_t state)
{
	return shmchan_cas(&mutex->o.line->word, word,
			   shmchan_sync__me(&mutex->o, state));
}

/*
 * One look.  0 or EOWNERDEAD: it is ours now.  EAGAIN: *word is that of a living
 * owner.  Turns only when the word has just changed.
 */
static int mutex_look(struct shmchan_mutex *mutex, uint64_t *word)
{
	int err;

	*word = shmchan_load_acquire(&mutex->o.line->word);
	for (;;) {
		if (!*word) {
			if (mutex_take(mutex, word, SHMCHAN_MUTEX_LOCKED))
				return shmchan_region_check(mutex->o.region);
			continue;
		}
		if (shmchan_cell_state(*word) == SHMCHAN_MUTEX_LOST) {
			err = shmchan_region_check(mutex->o.region);
			return err ? err : mutex_lost(mutex);
		}
		if (mutex_ours(mutex, *word))
			return sync_fail(EDEADLK,
				"mutex: this thread has locked the mutex at offset %#llx already",
				(unsigned long long)mutex->o.offset);
		if (shmchan__sync_lives(&mutex->o, *word))
			return -EAGAIN;
		/*
		 * The dead one's word, exactly: it will never be written again
		 * but by who takes over, and one of those succeeds.
		 */
		if (!mutex_take(mutex, word, SHMCHAN_MUTEX_INCONSISTENT))
			continue;
		err = shmchan_region_check(mutex->o.region);
		if (err)
			return err;
		return sync_fail(EOWNERDEAD,
			"mutex: the last owner (slot %u, generation %u) died with it: it is ours, to repair what it protects",
			shmchan_cell_slot(*word),
			shmchan_cell_generation(*word));
	}
}

int shmchan_mutex__lock(struct shmchan_mutex *mutex, int64_t timeout_ns)
{
	uint64_t deadline = 0, members;
	struct shmchan__seen seen;
	int err, last = 0;

	err = shmchan__sync_enter(&mutex->o);
	if (err)
		return err;
	seen.word = &mutex->o.line->word;
	for (;;) {
		members = shmchan_members_seq(mutex->o.region);
		err = mutex_look(mutex, &seen.value);
		if (err != -EAGAIN)
			return err;
		if (!timeout_ns) {
#ifndef SHMCHAN_EXPLORER
			/* Nobody else may be there to see that one has died. */
			if (shmchan_region_poll_members(mutex->o.region) > 0)
				continue;
#endif
			err = shmchan_region_check(mutex->o.region);
			return err ? err : mutex_held(EAGAIN, seen.value);
		}
		if (last)
			return mutex_held(ETIMEDOUT, seen.value);
		if (!deadline)
			deadline = shmchan_deadline(timeout_ns);
		err = shmchan__sync_wait(&mutex->o, &seen, 1, members,
					 deadline);
		if (err && err != -ETIMEDOUT)
			return err;
		last = err == -ETIMEDOUT;
	}
}

/* The CAS of unlock has failed: why? */
int shmchan_mutex__unlock(struct shmchan_mutex *mutex)
{
	int err = shmchan__sync_enter(&mutex->o);
	uint64_t word;

	if (err)
		return err;
	word = shmchan_load_relaxed(&mutex->o.line->word);
	if (!mutex_ours(mutex, word) ||
	    shmchan_cell_state(word) != SHMCHAN_MUTEX_INCONSISTENT ||
	    !shmchan_cas(&mutex->o.line->word, &word, SHMCHAN_MUTEX_LOST))
		return mutex_not_ours(mutex, word, "unlock");
	/* All, for there is nothing more to wait for. */
	return shmchan_sync__notify(&mutex->o, 0);
}

int shmchan_mutex_consistent(struct shmchan_mutex *mutex)
{
	int err = shmchan__sync_enter(mutex ? &mutex->o : NULL);
	uint64_t word;

	if (err)
		return err;
	word = shmchan_load_relaxed(&mutex->o.line->word);
	if (!mutex_ours(mutex, word))
		return mutex_not_ours(mutex, word, "shmchan_mutex_consistent()");
	if (shmchan_cell_state(word) != SHMCHAN_MUTEX_INCONSISTENT)
		return sync_fail(EINVAL,
			"mutex: no owner died with it: there is nothing to be made consistent");
	/* Only against a revocation that we have not noticed. */
	if (!shmchan_cas(&mutex->o.line->word, &word,
			 shmchan_sync__me(&mutex->o, SHMCHAN_MUTEX_LOCKED)))
		return mutex_not_ours(mutex, word, "shmchan_mutex_consistent()");
	return shmchan_region_check(mutex->o.region);
}
