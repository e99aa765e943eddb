// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Permits: a semaphore whose permits come back.  See <shmchan/permits.h>.
 *
 * The object's word counts what was given back; who sleeps, sleeps on that.  It is
 * raised behind the cell's store, and read before cells are looked at: whoever
 * misses a permit that was given back finds the word changed.  If the giver is
 * killed between the two, its death wakes the sleepers, who look at all cells.
 *
 * One is woken for one permit.  If it is killed before it takes it, that wakes all.
 */

#include <string.h>

#include <shmchan/permits.h>

#include "sync_private.h"

#define TAKEN	1U	/* the state of a cell that is somebody's */

static uint64_t permits_cell(const struct shmchan_permits *p)
{
	return p->o.self | TAKEN;
}

/* 0 or 1: taken.  EAGAIN: all are somebody's who lives. */
static int permits_take(struct shmchan_permits *p, uint32_t *permit)
{
	uint32_t i, k = shmchan_load_relaxed(&p->next) % p->nr;

	for (i = 0; i < p->nr; i++, k = k + 1 < p->nr ? k + 1 : 0) {
		uint64_t cell = shmchan_load_relaxed(&p->cells[k]);

		if (cell && shmchan__sync_lives(&p->o, cell))
			continue;
		/* Also acquires what its last owner did with it. */
		if (!shmchan_cas(&p->cells[k], &cell, permits_cell(p)))
			continue;
		shmchan_store_relaxed(&p->next, k);
		*permit = k;
		return cell != 0;
	}
	return -EAGAIN;
}

static int permits_none(const struct shmchan_permits *p, int err)
{
	(void)p;
	return sync_fail_lazily(err,
		"permits: all %llu are taken, by members that live",
		(unsigned long long)p->nr);
}

static int permits_take_slow(struct shmchan_permits *p, uint32_t *permit,
		     int64_t timeout_ns)
{
	uint64_t *word = &p->o.line->word, deadline = 0, members, seen;
	int ret, err = 0;

	for (;;) {
		members = shmchan_members_seq(p->o.region);
		/* Before the cells: see above. */
		seen = shmchan_load_acquire(word);
		ret = permits_take(p, permit);
		/* Of zeros that are no permits any more. */
		if (ret >= 0 && shmchan_region_check(p->o.region))
			return -ESTALE;
		if (ret != -EAGAIN)
			return ret;
		if (err)
			return permits_none(p, ETIMEDOUT);
		if (!timeout_ns) {
#ifndef SHMCHAN_EXPLORER
			if (shmchan_region_poll_members(p->o.region) > 0)
				continue;
#endif
			err = shmchan_region_check(p->o.region);
			return err ? err : permits_none(p, EAGAIN);
		}
		if (!deadline)
			deadline = shmchan_deadline(timeout_ns);
		err = shmchan__sync_wait(&p->o,
			&(struct shmchan__seen){ word, seen }, 1, members,
			deadline);
		if (err && err != -ETIMEDOUT)
			return err;
	}
}

int shmchan_permits_timedacquire(struct shmchan_permits *p, uint32_t *permit,
				 int64_t timeout_ns)
{
	int ret;

	if (!p || !p->cells || !permit) {
		ret = shmchan__sync_enter(p ? &p->o : NULL);
		return ret ? ret : sync_fail(EINVAL,
			"permits: nowhere to put the permit's number: NULL");
	}
	ret = shmchan__sync_here(&p->o);
	if (ret)
		return ret;
	ret = permits_take(p, permit);
	if (ret >= 0 && shmchan_region_check(p->o.region))
		return -ESTALE;
	if (ret != -EAGAIN)
		return ret;
	ret = shmchan__sync_enter(&p->o);
	return ret ? ret : permits_take_slow(p, permit, timeout_ns);
}

int shmchan_permits_release(struct shmchan_permits *p, uint32_t permit)
{
	uint64_t cell;
	int err;

	if (!p || !p->cells)
		return shmchan__sync_enter(p ? &p->o : NULL);
	if (permit >= p->nr)
		return sync_fail(EINVAL,
			"permits: there is no permit %u: they are 0 to %u",
			permit, p->nr - 1);
	err = shmchan__sync_here(&p->o);
	if (err)
		return err;
	cell = shmchan_load_relaxed(&p->cells[permit]);
	/*
	 * Of two threads that give back the same, one does; and who is thought dead
	 * takes nothing from who came after.  Partner: that in permits_take().
	 */
	if (cell != permits_cell(p) || !shmchan_cas(&p->cells[permit], &cell, 0)) {
		err = shmchan_region_check(p->o.region);
		return err ? err : sync_fail(EPERM,
			"permits: permit %u is not this member's to give back: %s",
			permit, cell ? "another has it" : "nobody has it");
	}
	/* In this order, killed or not; and before the waiters are looked at. */
	shmchan_fetch_add(&p->o.line->word, 1);
	return shmchan_sync__notify(&p->o, 1);
}

#ifndef SHMCHAN_EXPLORER
int shmchan_permits_available(struct shmchan_permits *p)
{
	int err = shmchan__sync_enter(p ? &p->o : NULL), n = 0;
	uint32_t i;

	if (err)
		return err;
	shmchan_region_poll_members(p->o.region);
	for (i = 0; i < p->nr; i++) {
		uint64_t cell = shmchan_load_relaxed(&p->cells[i]);

		n += !cell || !shmchan__sync_lives(&p->o, cell);
	}
	err = shmchan_region_check(p->o.region);
	return err ? err : n;
}

int shmchan_permits_attach(struct shmchan_permits *p,
			   const struct shmchan_place *place, uint32_t nr)
{
	int err;

	if (!p)
		return shmchan__fail(EINVAL, "permits: the handle is NULL");
	memset(p, 0, sizeof(*p));
	if (!nr || nr > SHMCHAN_PERMITS_MAX)
		return shmchan__fail(EINVAL,
			"permits: %u of them: should be 1 to %d", nr,
			SHMCHAN_PERMITS_MAX);
	err = shmchan__sync_attach(&p->o, place, SHMCHAN_SYNC_PERMITS, nr,
				   SHMCHAN_PERMITS_SIZE(nr));
	if (err)
		return err;
	p->cells = (uint64_t *)(p->o.line + 1);
	p->nr = nr;
	/* Members that begin at different permits meet less. */
	p->next = p->o.region->slot * 8 % nr;
	return 0;
}
#endif
