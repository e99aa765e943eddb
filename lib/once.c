// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Once: the slow paths. */

#include <shmchan/once.h>

#include "sync_private.h"

#ifndef SHMCHAN_EXPLORER
int shmchan_once_attach(struct shmchan_once *once,
			const struct shmchan_place *place)
{
	return shmchan__sync_attach(once ? &once->o : NULL, place,
				    SHMCHAN_SYNC_ONCE, 0, SHMCHAN_ONCE_SIZE);
}
#endif

/* It was ours to begin, by this CAS.  ESTALE: of zeros that are nobody's. */
static int once_take(struct shmchan_once *once, uint64_t *word)
{
	if (!shmchan_cas(&once->o.line->word, word,
			 shmchan_sync__me(&once->o, SHMCHAN_ONCE_RUNNING)))
		return 0;
	return shmchan_region_check(once->o.region) ? -ESTALE : 1;
}

/* One look: as begin, or EAGAIN: *word is that of one who lives. */
static int once_look(struct shmchan_once *once, uint64_t *word)
{
	int ret;

	*word = shmchan_load_acquire(&once->o.line->word);
	for (;;) {
		if (*word == SHMCHAN_ONCE_DONE)
			return shmchan_region_check(once->o.region);
		if (!*word) {
			ret = once_take(once, word);
			if (ret)
				return ret < 0 ? ret : SHMCHAN_ONCE_RUN;
			continue;
		}
		if (shmchan_cell_owner(*word) == shmchan_sync__me(&once->o, 0))
			return sync_fail(EDEADLK,
				"once: this thread is at it already: what is done once waits for itself");
		if (shmchan__sync_lives(&once->o, *word))
			return -EAGAIN;
		ret = once_take(once, word);
		if (!ret)
			continue;
		if (ret < 0)
			return ret;
		return sync_fail(EOWNERDEAD,
			"once: who was at it (slot %u, generation %u) died: it is ours to do, from what that has left",
			shmchan_cell_slot(*word),
			shmchan_cell_generation(*word));
	}
}

/* Somebody who lives is at it: no time is left to wait for that. */
static int once_busy(int err, uint64_t word)
{
	(void)word;
	return sync_fail_lazily(err,
		"once: slot %llu (generation %llu), thread %llu is at it",
		SYNC_OWNER(word));
}

int shmchan_once__begin(struct shmchan_once *once, int64_t timeout_ns)
{
	uint64_t deadline = 0, members;
	struct shmchan__seen seen;
	int err, last = 0;

	err = shmchan__sync_enter(&once->o);
	if (err)
		return err;
	seen.word = &once->o.line->word;
	for (;;) {
		members = shmchan_members_seq(once->o.region);
		err = once_look(once, &seen.value);
		if (err != -EAGAIN)
			return err;
		if (!timeout_ns) {
#ifndef SHMCHAN_EXPLORER
			/* Nobody else may be there to see that one has died. */
			if (shmchan_region_poll_members(once->o.region) > 0)
				continue;
#endif
			err = shmchan_region_check(once->o.region);
			return err ? err : once_busy(EAGAIN, seen.value);
		}
		if (last)
			return once_busy(ETIMEDOUT, seen.value);
		if (!deadline)
			deadline = shmchan_deadline(timeout_ns);
		err = shmchan__sync_wait(&once->o, &seen, 1, members, deadline);
		if (err && err != -ETIMEDOUT)
			return err;
		last = err == -ETIMEDOUT;
	}
}

/*
 * From ours to what comes of it.  All are woken in either case: an attempt that is
 * abandoned is rare, and whoever comes first is to do it.
 */
static int once_finish(struct shmchan_once *once, uint64_t next)
{
	int err = shmchan__sync_enter(once ? &once->o : NULL);
	uint64_t mine, word;

	if (err)
		return err;
	mine = shmchan_sync__me(&once->o, SHMCHAN_ONCE_RUNNING);
	word = mine;
	if (shmchan_cas(&once->o.line->word, &word, next))
		return shmchan_sync__notify(&once->o, 0);
	err = shmchan_region_check(once->o.region);
	if (err)
		return err;
	return sync_fail(EPERM,
		"once: this thread (slot %u, thread %u) has not begun it: %s",
		once->o.region->slot, shmchan_sync__thread(),
		word == SHMCHAN_ONCE_DONE ? "it is done" :
		word ? "somebody else has" : "nobody has");
}

int shmchan_once_end(struct shmchan_once *once)
{
	return once_finish(once, SHMCHAN_ONCE_DONE);
}

int shmchan_once_abandon(struct shmchan_once *once)
{
	return once_finish(once, 0);
}

int shmchan_once_call(struct shmchan_once *once,
		      int (*fn)(void *arg, int after_death), void *arg)
{
	int ret, err;

	if (!once || !fn)
		return sync_fail(EINVAL, "once: no %s (NULL)",
				 once ? "function to call" : "handle");
	ret = shmchan_once_begin(once);
	if (ret != SHMCHAN_ONCE_RUN && ret != -EOWNERDEAD)
		return ret;
	ret = fn(arg, ret < 0);
	err = ret ? shmchan_once_abandon(once) : shmchan_once_end(once);
	return ret ? ret : err;
}
