// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Work queues: sleeping until there is work, or room, and waking who sleeps.
 *
 * What a sleeper waits for may come about in any of the cells, so it sleeps on a
 * word beside them, seq, which is changed only while somebody sleeps:
 *
 *	who makes a cell READY			sleeper
 *	a  the cell's step			1  sleepers++
 *	b  sleepers != 0?  then			2  members and seq, as they are
 *	c  seq++				3  looks at all cells
 *	d  rings, to wake one			4  sleeps while both are as they were
 *
 * a, b, 1 and 3 are sequentially consistent (3 by a fence): so either b sees
 * the sleeper or 3 sees the cell.  If b does, c comes either before 2, and then
 * 3 sees the cell, or after it, and then 4 does not begin, or is ended by d.
 *
 * Of several who sleep d wakes one, since there is one cell.  That one may be
 * killed before it has looked, as may the one at b be before c, and so may
 * whoever has an item.  Therefore all sleepers also sleep on the count of
 * members, and look at everything again when one ends.  Nothing else can be lost:
 * for each cell that comes one is woken, and if that one finds nothing then another,
 * who was awake, has it.
 *
 * Who is killed asleep leaves sleepers one higher.  Then c is done when
 * nobody sleeps: one more atomic step per item, and no system call.
 */

#include <errno.h>

#include "workq_private.h"

static struct shmchan_workq_side *side_of(const struct shmchan_workq *q,
					  enum shmchan__workq_side side)
{
	return side == WORKQ_WORK ? &q->control->work : &q->control->room;
}

static uint32_t bell_of(enum shmchan__workq_side side)
{
	return side == WORKQ_WORK ? BELL_WORK : BELL_ROOM;
}

void shmchan__workq_tell(struct shmchan_workq *q,
			 enum shmchan__workq_side side)
{
	struct shmchan_workq_side *s = side_of(q, side);

	/* Behind the step by seq_cst; with the fence of who falls asleep. */
	if (__builtin_expect(!shmchan_load_seq_cst(&s->sleepers), 1))
		return;
	shmchan_fetch_add(&s->seq, 1);
	/* If we are no member any more our caller says it. */
	if (shmchan_bell_wanted(q->region, bell_of(side)))
		(void)shmchan_bell_ring(q->region, bell_of(side), 1);
}

/* Look, and sleep once if there is nothing.  0: look again. */
static int doze(struct shmchan_workq *q, enum shmchan__workq_side side,
		struct shmchan_workq_item *items, unsigned int n,
		uint64_t deadline)
{
	struct shmchan_workq_side *s = side_of(q, side);
	struct shmchan_wait_elem elems[2];
	uint64_t members, seq;
	int ret;

	shmchan_fetch_add(&s->sleepers, 1);
	members = shmchan_members_seq(q->region);
	/* Acquires: if it counts a cell already, that cell is to be seen. */
	seq = shmchan_load_acquire(&s->seq);
	/* With the load of who tells. */
	shmchan_fence_seq_cst();
	ret = (int)shmchan__workq_look(q, side, items, n);
	if (!ret) {
		elems[0] = shmchan_elem64(bell_of(side), (uint64_t)
					  ((uint8_t *)&s->seq -
					   q->region->base), seq);
		elems[1] = shmchan_elem_members(q->region, members);
		ret = shmchan_bell_wait(q->region, elems, 2, deadline, NULL);
	}
	shmchan_fetch_sub(&s->sleepers, 1);
	return ret;
}

int shmchan__workq_sleep(struct shmchan_workq *q,
			 enum shmchan__workq_side side,
			 struct shmchan_workq_item *items, unsigned int n,
			 uint64_t deadline)
{
	int ret;

	do {
		ret = doze(q, side, items, n, deadline);
		/* However often others are before us. */
		if (!ret && shmchan__workq_late(deadline))
			ret = -ETIMEDOUT;
	} while (!ret);
	/* What woke us, and came too late for us, must not go to nobody. */
	if (ret == -ETIMEDOUT) {
		unsigned int got = shmchan__workq_look(q, side, items, n);

		if (got)
			return (int)got;
	}
	return ret;
}
