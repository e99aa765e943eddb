/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_WORKQ_PRIVATE_H
#define SHMCHAN_WORKQ_PRIVATE_H

/* What the files of work queues share. */

#include <shmchan/workq.h>

#include "internal.h"

#define BELL_WORK	1	/* workers wait on it */
#define BELL_ROOM	2	/* producers wait on it */

/*
 * A reservation that stays open holds up those behind it for so many items; then
 * workers look past it, and who commits it tells them where it is.
 */
#define WORKQ_LAG	64

#pragma GCC visibility push(hidden)

/*
 * workq.c: the first line of all calls: EINVAL (not open; of those with a place for
 * an answer, or an item, that is NULL), EOWNERDEAD.
 */
int shmchan__workq_usable(const struct shmchan_workq *q);
int shmchan__workq_usable_for(const struct shmchan_workq *q, const void *place);

/* The states that are looked for, and who looks: a side of the queue. */
enum shmchan__workq_side { WORKQ_WORK, WORKQ_ROOM };

/*
 * workq_cells.c.  Cells are named by a position, of which the low bits count: a
 * cell lies 8 words behind that before it, so that those who are at neighbouring
 * items are at different lines.
 */
static inline uint64_t *shmchan__workq_cell(const struct shmchan_workq *q,
					    uint64_t pos)
{
	uint64_t i = pos & q->mask;

	if (q->mask >= 63)
		i = (i & ~63ULL) | (i & 7) << 3 | (i >> 3 & 7);
	return &q->cells[i];
}

/* Where hints say that it is.  Returns how many of n were had; room: n is 1. */
unsigned int shmchan__workq_try(struct shmchan_workq *q,
				enum shmchan__workq_side side,
				struct shmchan_workq_item *items,
				unsigned int n);

/*
 * Everywhere, and with the dead: if this finds nothing then there was no cell in
 * that state all the time, or its owner was alive, when that was looked at.
 */
unsigned int shmchan__workq_look(struct shmchan_workq *q,
				 enum shmchan__workq_side side,
				 struct shmchan_workq_item *items,
				 unsigned int n);

/* Is there an item to take?  Looks everywhere and with the dead, as above. */
int shmchan__workq_any(struct shmchan_workq *q);

/* A dead letter, and only that.  0 or 1. */
unsigned int shmchan__workq_exhume(struct shmchan_workq *q,
				   struct shmchan_workq_item *item);

/* Give back what members that have ended had, if any have since we looked. */
void shmchan__workq_bury(struct shmchan_workq *q);

/*
 * An item of ours, to another state, by one step.  0, or 1: it is no longer what
 * the ticket says.
 */
int shmchan__workq_move(struct shmchan_workq *q,
			const struct shmchan_workq_item *item, uint32_t state,
			uint32_t attempts);

/* Commit: as move, to READY. */
int shmchan__workq_publish(struct shmchan_workq *q,
			   const struct shmchan_workq_item *item,
			   uint32_t length);

/* What an item's owner gives back becomes. */
uint32_t shmchan__workq_after(const struct shmchan_workq *q, uint64_t word);

/*
 * workq_wait.c.  Until there is something, at most until deadline.  How many, or
 * ETIMEDOUT, ESTALE.
 */
int shmchan__workq_sleep(struct shmchan_workq *q,
			 enum shmchan__workq_side side,
			 struct shmchan_workq_item *items, unsigned int n,
			 uint64_t deadline);

/* loop_workq.c: the handle is about to be closed: its loop counts for a sleeper no more. */
void shmchan__workq_uncount(struct shmchan_workq *q);

/* Is the time up? */
static inline int shmchan__workq_late(uint64_t deadline)
{
	return deadline != SHMCHAN_FOREVER && shmchan__now() >= deadline;
}

/* A cell of this kind is there: wake one who waits for it. */
void shmchan__workq_tell(struct shmchan_workq *q,
			 enum shmchan__workq_side side);

#pragma GCC visibility pop

#endif /* SHMCHAN_WORKQ_PRIVATE_H */
