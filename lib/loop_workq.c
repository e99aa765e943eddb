// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Work queues in event loops: what a worker waits for, and arming it.
 *
 * As in workq_wait.c, but that who is in a loop does not take what it finds: that is
 * its own to do.  So it looks without taking, behind having been counted among the
 * sleepers; counted it stays until it closes the queue, for nobody says when its
 * loop is asleep.  That costs who brings an item an atomic step, and no call.
 *
 * A ring is for one of those who sleep in a call, and for every file that is armed;
 * so one who is woken here and does nothing takes it away from no loop.
 */

#include <errno.h>

#include "loop_private.h"
#include "workq_private.h"

static int check(const struct shmchan_workq *q)
{
	int err = shmchan__workq_usable(q);

	return err ? err : shmchan_region_check(q->region);
}

void shmchan__workq_uncount(struct shmchan_workq *q)
{
	if (q->counted && !shmchan__usable(q->region))
		shmchan_fetch_sub(&q->control->work.sleepers, 1);
	q->counted = 0;
}

int shmchan__workq_conds(struct shmchan_workq *q, struct shmchan_cond *conds)
{
	int err = check(q), found;
	struct shmchan_workq_side *s;
	uint64_t members, seq;

	if (err)
		return err;
	s = &q->control->work;
	if (!q->counted)
		shmchan_fetch_add(&s->sleepers, 1);
	q->counted = 1;
	members = shmchan_members_seq(q->region);
	/* Acquires: if it counts a cell already, that cell is to be seen. */
	seq = shmchan_load_acquire(&s->seq);
	/* With the load of who tells, see workq_wait.c. */
	shmchan_fence_seq_cst();
	found = shmchan__workq_any(q);
	if (shmchan_region_check(q->region))
		return -ESTALE;
	if (found)
		return 1;
	conds[0].region = conds[1].region = q->region;
	conds[0].elem = shmchan_elem64(BELL_WORK, (uint64_t)
				       ((uint8_t *)&s->seq - q->region->base),
				       seq);
	conds[1].elem = shmchan_elem_members(q->region, members);
	return 0;
}

int shmchan_workq_conds(struct shmchan_workq *q,
			struct shmchan_cond conds[SHMCHAN_WORKQ_CONDS])
{
	int ret = shmchan__workq_conds(q, conds);

	return ret > 0 ? shmchan__fail(EAGAIN,
				       "workq: there is an item to take") : ret;
}

int shmchan_workq_arm(struct shmchan_workq *q)
{
	struct shmchan_cond conds[SHMCHAN_WORKQ_CONDS];
	int err = check(q);

	if (!err)
		err = shmchan__loop_subscribe(q->region, BELL_WORK,
					      &q->subscribed);
	if (!err)
		err = shmchan_bell_arm(q->region, BELL_WORK, NULL, 0);
	return err ? err : shmchan_workq_conds(q, conds);
}

int shmchan_workq_seen(struct shmchan_workq *q)
{
	int err = check(q);

	return err ? err : shmchan__loop_ack(q->region);
}
