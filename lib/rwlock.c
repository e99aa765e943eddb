// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Reader-writer locks.  See <shmchan/rwlock.h>.
 *
 *	reader				writer
 *	a  own count + 1		1  word: 0 -> {us, DRAINS}
 *	b  word == 0?  in		2  each slot's count == 0, or dead?
 *	   else count - 1, wait		   else wait for that one
 *					3  word = {us, HAS}: in
 *
 * a, b, 1 and 2 are sequentially consistent: if b does not see 1, 2 sees a.
 *
 * A writer that dies as it DRAINS has changed nothing; its word is as good as 0, for
 * readers too, who leave it there.  One that dies as it HAS the lock leaves the
 * word as the news that it did.  Readers write nothing but their own cells.
 *
 * Who finds that an owner is dead looks at the word again before it believes what
 * it has read there: the word may be older than the death.
 */

#include <shmchan/rwlock.h>

#ifndef SHMCHAN_EXPLORER
#include <string.h>

#include "backend.h"
#endif
#include "sync_cells_private.h"

/* What the writer named in the word is at. */
enum {
	DRAINS = 1,	/* waits for readers */
	HAS = 2,	/* has the lock */
	HEIR_DRAINS = 3,	/* waits for readers, after a writer that died */
	HEIR_HAS = 4,	/* has the lock, not consistent yet */
	LOST = 5,	/* nobody's, not recoverable */
};

#define NR_STATES	6

static int rwlock_drains(uint64_t w)
{
	uint32_t state = shmchan_cell_state(w);

	return state == DRAINS || state == HEIR_DRAINS;
}

/* Our own word in any state, for a thread that has a number. */
static int rwlock_ours(const struct shmchan_rwlock *l, uint64_t w)
{
	return shmchan_cell_owner(w) == shmchan_sync__me(&l->o, 0) &&
	       shmchan_sync__thread();
}

/* What no writer leaves is nonsense; what LOST names is nobody. */
static int rwlock_check_word(const struct shmchan_rwlock *l, uint64_t w)
{
	uint32_t state = shmchan_cell_state(w);
	int err;

	if (state && state < LOST)
		return 0;
	err = shmchan_region_check(l->o.region);
	if (err)
		return err;
	if (state == LOST)
		return sync_fail(ENOTRECOVERABLE,
			"rwlock: a writer died, and the one after it unlocked without shmchan_rwlock_consistent()");
	return sync_fail(EBADMSG,
		"rwlock: nonsense in the word (%#llx): its state is %u, should be below %u",
		(unsigned long long)w, state, NR_STATES);
}

/* Our own cell is not what it should be, which we have just raised. */
static int rwlock_bad_cell(const struct shmchan_rwlock *l, uint64_t cell)
{
	int err = shmchan_region_check(l->o.region);

	if (err)
		return err;
	if (cell >> 32 == l->fine >> 1)
		return sync_fail(EBUSY,
			"rwlock: this member has it %u times for reading: not all readers unlock",
			(uint32_t)cell);
	return sync_fail(EBADMSG,
		"rwlock: somebody has written generation %u into our cell, ours is %u",
		(uint32_t)(cell >> 32), (uint32_t)(l->fine >> 1));
}

/*
 * One reader less, and the last one tells a writer that waits for it.  If that one
 * is not to be seen here, it sees our count when it drains: the same four as above.
 */
static int rwlock_lower(struct shmchan_rwlock *l)
{
	uint64_t cell = shmchan_fetch_sub(l->cells.own, 1);

	if ((uint32_t)cell == 1 &&
	    rwlock_drains(shmchan_load_seq_cst(&l->o.line->word)))
		return shmchan_sync__notify(&l->o, 0);
	return shmchan_region_check(l->o.region);
}

/* Would a word that is this keep a reader out? */
static int rwlock_admits(const struct shmchan_rwlock *l, uint64_t w)
{
	return !w || (shmchan_cell_state(w) == DRAINS &&
		      !shmchan__sync_lives(&l->o, w));
}

/* 0: in.  EAGAIN: the word is not w any more. */
static int rwlock_enter(struct shmchan_rwlock *l, uint64_t w)
{
	uint64_t cell = shmchan_fetch_add(l->cells.own, 1);

	if (cell >> 31 != l->fine) {
		int err = rwlock_bad_cell(l, cell);

		rwlock_lower(l);
		return err;
	}
	/* A dead writer's too: it may have gone on before it died. */
	if (shmchan_load_seq_cst(&l->o.line->word) == w)
		return 0;
	rwlock_lower(l);
	return -EAGAIN;
}

/* After a deadline there is one more look; and a try looks for the dead. */
static int rwlock_out_of_time(struct shmchan_rwlock *l, int64_t timeout_ns, int timed_out)
{
	if (timed_out)
		return -ETIMEDOUT;
	if (timeout_ns)
		return 0;
#ifndef SHMCHAN_EXPLORER
	if (shmchan_region_poll_members(l->o.region) > 0)
		return 0;
#else
	(void)l;
#endif
	return -EAGAIN;
}

/* Somebody who lives keeps us out, and no time is left: err says how. */
static int rwlock_kept_by_writer(int err, uint64_t w)
{
	(void)w;
	return sync_fail_lazily(-err,
		"rwlock: slot %llu (generation %llu), thread %llu has it for writing, or waits to have it",
		SYNC_OWNER(w));
}

static int rwlock_kept_by_reader(int err, uint32_t slot, uint64_t cell)
{
	(void)slot;
	(void)cell;
	return sync_fail_lazily(-err,
		"rwlock: slot %llu (generation %llu) has it for reading, %llu times",
		(unsigned long long)slot, (unsigned long long)cell >> 32,
		(unsigned long long)(uint32_t)cell);
}

static int rwlock_rdlock_slow(struct shmchan_rwlock *l, int64_t timeout_ns)
{
	uint64_t *word = &l->o.line->word, deadline = 0, members, w;
	int timed_out = 0, err;

	for (;;) {
		members = shmchan_members_seq(l->o.region);
		w = shmchan_load_acquire(word);
		if (rwlock_admits(l, w)) {
			err = rwlock_enter(l, w);
			if (err != -EAGAIN)
				return err;
			continue;
		}
		err = rwlock_check_word(l, w);
		if (err)
			return err;
		if (timeout_ns && rwlock_ours(l, w))
			return sync_fail(EDEADLK,
				"rwlock: this thread has it for writing: it would wait for itself");
		if (!shmchan__sync_lives(&l->o, w)) {
			if (shmchan_load_relaxed(word) != w)
				continue;
			return sync_fail(EOWNERDEAD,
				"rwlock: a writer, slot %u, died with it: not taken for reading; take it for writing, repair, and call shmchan_rwlock_consistent()",
				shmchan_cell_slot(w));
		}
		err = rwlock_out_of_time(l, timeout_ns, timed_out);
		if (err)
			return rwlock_kept_by_writer(err, w);
		if (!timeout_ns)
			continue;
		if (!deadline)
			deadline = shmchan_deadline(timeout_ns);
		err = shmchan__sync_wait(&l->o,
			&(struct shmchan__seen){ word, w }, 1, members, deadline);
		if (err == -ETIMEDOUT)
			timed_out = 1;
		else if (err)
			return err;
	}
}

int shmchan_rwlock_timedrdlock(struct shmchan_rwlock *l, int64_t timeout_ns)
{
	int err;

	if (l && l->cells.own && !shmchan__sync_here(&l->o)) {
		uint64_t cell = shmchan_fetch_add(l->cells.own, 1);

		/* One comparison for the generation, and for a count in bounds. */
		if (cell >> 31 == l->fine &&
		    !shmchan_load_seq_cst(&l->o.line->word))
			return 0;
		rwlock_lower(l);
	}
	err = shmchan__sync_enter(l ? &l->o : NULL);
	return err ? err : rwlock_rdlock_slow(l, timeout_ns);
}

int shmchan_rwlock_rdunlock(struct shmchan_rwlock *l)
{
	uint64_t cell;
	int err;

	if (!l || !l->cells.own)
		return shmchan__sync_enter(l ? &l->o : NULL);
	err = shmchan__sync_here(&l->o);
	if (err)
		return err;
	cell = shmchan_load_relaxed(l->cells.own);
	if (cell >> 32 == l->fine >> 1 && (uint32_t)cell)
		return rwlock_lower(l);
	err = shmchan_region_check(l->o.region);
	return err ? err : sync_fail(EPERM,
		"rwlock: no thread of this member has it for reading");
}

/* Wait until nobody who lives says that it reads. */
static int rwlock_drain(struct shmchan_rwlock *l, int64_t timeout_ns, uint64_t *deadline)
{
	uint32_t slot, nr = l->o.region->nr_slots;
	int timed_out = 0, err;

	for (slot = 0; slot < nr; slot++) {
		uint64_t *word = shmchan_sync__cell(&l->cells, slot);
		uint64_t members, cell;

		for (;;) {
			members = shmchan_members_seq(l->o.region);
			cell = shmchan_load_seq_cst(word);
			/* If it reads, we see it live: it joined before. */
			if (!(uint32_t)cell ||
			    !shmchan__sync_cell_lives(&l->o, slot, cell))
				break;
			err = rwlock_out_of_time(l, timeout_ns, timed_out);
			if (err)
				return rwlock_kept_by_reader(err, slot, cell);
			if (!timeout_ns)
				continue;
			if (!*deadline)
				*deadline = shmchan_deadline(timeout_ns);
			err = shmchan__sync_wait(&l->o,
				&(struct shmchan__seen){ word, cell }, 1,
				members, *deadline);
			if (err == -ETIMEDOUT)
				timed_out = 1;
			else if (err)
				return err;
		}
	}
	return 0;
}

/*
 * Make the word ours.  *left is what it was, for who gives up: 0, or the news of a
 * writer that died.
 */
static int rwlock_claim(struct shmchan_rwlock *l, int64_t timeout_ns,
		 uint64_t *deadline, uint64_t *left)
{
	uint64_t *word = &l->o.line->word, members, w;
	uint32_t state;
	int timed_out = 0, err;

	for (;;) {
		members = shmchan_members_seq(l->o.region);
		w = 0;
		*left = 0;
		if (shmchan_cas(word, &w, shmchan_sync__me(&l->o, DRAINS)))
			return 0;
		err = rwlock_check_word(l, w);
		if (err)
			return err;
		if (rwlock_ours(l, w))
			return sync_fail(EDEADLK,
				"rwlock: this thread has it for writing");
		if (!shmchan__sync_lives(&l->o, w)) {
			state = DRAINS;
			if (shmchan_cell_state(w) != DRAINS) {
				state = HEIR_DRAINS;
				*left = w;
			}
			if (shmchan_cas(word, &w,
					shmchan_sync__me(&l->o, state)))
				return 0;
			continue;
		}
		err = rwlock_out_of_time(l, timeout_ns, timed_out);
		if (err)
			return rwlock_kept_by_writer(err, w);
		if (!timeout_ns)
			continue;
		if (!*deadline)
			*deadline = shmchan_deadline(timeout_ns);
		err = shmchan__sync_wait(&l->o,
			&(struct shmchan__seen){ word, w }, 1, members, *deadline);
		if (err == -ETIMEDOUT)
			timed_out = 1;
		else if (err)
			return err;
	}
}

/*
 * From what is ours to what comes of it.  A compare-and-swap and no store: who was
 * revoked, or thought dead, and does not know yet, must not write over the word of
 * who has taken over.  0: it was ours.
 */
static int rwlock_step(struct shmchan_rwlock *l, uint64_t mine, uint64_t next)
{
	int err;

	if (shmchan_cas(&l->o.line->word, &mine, next))
		return 0;
	err = shmchan_region_check(l->o.region);
	return err ? err : sync_fail(EBADMSG,
		"rwlock: somebody has written %#llx over our word",
		(unsigned long long)mine);
}

int shmchan_rwlock_timedwrlock(struct shmchan_rwlock *l, int64_t timeout_ns)
{
	uint64_t deadline = 0, left, mine;
	int err;

	err = shmchan__sync_enter(l ? &l->o : NULL);
	if (!err)
		err = rwlock_claim(l, timeout_ns, &deadline, &left);
	if (err)
		return err;
	mine = shmchan_sync__me(&l->o, left ? HEIR_DRAINS : DRAINS);
	err = rwlock_drain(l, timeout_ns, &deadline);
	if (err) {
		if (!rwlock_step(l, mine, left))
			shmchan_sync__notify(&l->o, 0);
		return err;
	}
	err = rwlock_step(l, mine,
			  shmchan_sync__me(&l->o, left ? HEIR_HAS : HAS));
	if (err)
		return err;
	/* If we are killed as we write, the word says so. */
	shmchan_crash_fence();
	if (!left)
		return shmchan_region_check(l->o.region);
	return sync_fail(EOWNERDEAD,
		"rwlock: taken for writing from slot %u, which died with it: repair, then call shmchan_rwlock_consistent()",
		shmchan_cell_slot(left));
}

int shmchan_rwlock_consistent(struct shmchan_rwlock *l)
{
	uint64_t w;
	int err;

	err = shmchan__sync_enter(l ? &l->o : NULL);
	if (err)
		return err;
	w = shmchan_load_relaxed(&l->o.line->word);
	if (!rwlock_ours(l, w) || shmchan_cell_state(w) != HEIR_HAS) {
		err = shmchan_region_check(l->o.region);
		return err ? err : sync_fail(EINVAL,
			"rwlock: there is nothing that this thread could make consistent");
	}
	/* What was repaired is in memory if we are killed behind this. */
	shmchan_crash_fence();
	err = rwlock_step(l, w, shmchan_sync__me(&l->o, HAS));
	shmchan_crash_fence();
	return err ? err : shmchan_region_check(l->o.region);
}

int shmchan_rwlock_wrunlock(struct shmchan_rwlock *l)
{
	uint64_t w;
	int err;

	if (!l || !l->cells.own)
		return shmchan__sync_enter(l ? &l->o : NULL);
	err = shmchan__sync_here(&l->o);
	if (err)
		return err;
	w = shmchan_load_relaxed(&l->o.line->word);
	if (!rwlock_ours(l, w) || (shmchan_cell_state(w) != HAS &&
			    shmchan_cell_state(w) != HEIR_HAS)) {
		err = shmchan_region_check(l->o.region);
		return err ? err : sync_fail(EPERM,
			"rwlock: this thread does not have it for writing");
	}
	/* The word first, then who sleeps: <shmchan/bell.h>. */
	err = rwlock_step(l, w, shmchan_cell_state(w) == HAS ? 0 :
				shmchan_cell(0, 0, 0, LOST));
	return err ? err : shmchan_sync__notify(&l->o, 0);
}

#ifndef SHMCHAN_EXPLORER
/* Our cell, with nobody reading; but not over what our other handles count. */
static void rwlock_claim_cell(struct shmchan_rwlock *l, uint32_t generation)
{
	uint64_t cell = shmchan_load_relaxed(l->cells.own);

	while (cell >> 32 != generation &&
	       !shmchan_cas(l->cells.own, &cell,
			    shmchan_sync__said(generation, 0)))
		;
}

int shmchan_rwlock_attach(struct shmchan_rwlock *l,
			  const struct shmchan_place *place,
			  const struct shmchan_rwlock_opts *opts)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), sizeof(*opts), "SHMCHAN_RWLOCK_OPTS",
	};
	static const struct shmchan_rwlock_opts defaults = {
		.size = sizeof(defaults),
	};
	struct shmchan_rwlock_opts o;
	int err;

	if (!l)
		return shmchan__fail(EINVAL, "rwlock: the handle is NULL");
	memset(l, 0, sizeof(*l));
	err = shmchan__take_opts(&o, &type, opts ? opts : &defaults);
	if (!err)
		err = shmchan__sync_cells_check(place, o.cells_offset,
						o.cells_stride);
	if (!err)
		err = shmchan__sync_attach(&l->o, place, SHMCHAN_SYNC_RWLOCK, 0,
			shmchan__sync_cells_size(place, o.cells_offset));
	if (!err)
		err = shmchan__sync_cells_attach(&l->o, &l->cells,
						 o.cells_offset,
						 o.cells_stride);
	if (err) {
		/* A handle that was not attached is of no use, and says so. */
		memset(l, 0, sizeof(*l));
		return err;
	}
	l->fine = (uint64_t)l->o.region->generation << 1;
	rwlock_claim_cell(l, l->o.region->generation);
	return 0;
}
#endif
