/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_POOL_CELLS_H
#define SHMCHAN_POOL_CELLS_H

/*
 * Writable pools: a buffer is always one member's, and its word says whose.
 *
 * The word is a cell (<shmchan/cell.h>), with the lap, mod 4096, where a thread
 * would be (who keeps a reference for 4096 of them may get what it is not of):
 *
 *	FREE --claim--> OWNED by me --offer--> OFFERED by me --take--> OWNED by you
 *	 ^------------------'------ release ------'
 *
 * Each arrow is one compare-and-swap, from what was seen, to a word that names the
 * new owner in full.  So of two who take it one does, and a kill between any two
 * instructions leaves it with who had it or who has it.  If that one is dead, claim
 * takes it like a free one: generations do not come back, so a word that names the
 * dead changes once.  All swaps are seq_cst: what one wrote in a buffer comes
 * before what the next reads there.
 */

#include <errno.h>

#include <shmchan/cell.h>

#include "pool_words.h"

enum pool_cell_state {
	POOL_CELL_FREE = 0,
	POOL_CELL_OWNED = 1,
	POOL_CELL_OFFERED = 2,
};

/* A member: the slot and the generation of it. */
struct pool_member {
	uint32_t slot;
	uint32_t generation;
};

static inline uint64_t pool_cell_of(const struct pool_member *me, uint32_t lap,
				    uint32_t state)
{
	return shmchan_cell(me->generation, me->slot, lap, state);
}

static inline uint32_t pool_next_lap(uint32_t lap)
{
	return (lap + 1) & SHMCHAN_CELL_MAX_THREAD;
}

/*
 * A free buffer, or (dead) one whose owner is, becomes ours, in its next lap.  0, or
 * EAGAIN: it is somebody's.
 */
static inline int pool_claim(const struct pool_view *v,
			     const struct pool_member *me, uint32_t index,
			     int dead, uint32_t *lap)
{
	uint64_t *word = &v->words[index];
	uint64_t seen = shmchan_load_relaxed(word);

	if (shmchan_cell_state(seen) != POOL_CELL_FREE &&
	    (!dead || shmchan_cell_lives(v->slots, 1 + v->nr_holders, seen)))
		return -EAGAIN;
	*lap = pool_next_lap(shmchan_cell_thread(seen));
	return shmchan_cas(word, &seen,
			   pool_cell_of(me, *lap, POOL_CELL_OWNED)) ?
	       0 : -EAGAIN;
}

/* What is ours may be taken, or (back) may not. */
static inline int pool_offer(const struct pool_view *v,
			     const struct pool_member *me, uint32_t index,
			     uint32_t lap, int back)
{
	uint64_t from = pool_cell_of(me, lap, back ? POOL_CELL_OFFERED :
						     POOL_CELL_OWNED);
	uint64_t to = pool_cell_of(me, lap, back ? POOL_CELL_OWNED :
						   POOL_CELL_OFFERED);

	return shmchan_cas(&v->words[index], &from, to) ? 0 : -ESTALE;
}

/*
 * What somebody offers, or offered before it died, becomes ours, in its next lap: so
 * if it was ours once and comes back, that is something else to us.  0, ESTALE.
 */
static inline int pool_take(const struct pool_view *v,
			    const struct pool_member *me, uint32_t index,
			    uint32_t *lap)
{
	uint64_t *word = &v->words[index];
	uint64_t seen = shmchan_load_relaxed(word);

	if (shmchan_cell_state(seen) != POOL_CELL_OFFERED ||
	    shmchan_cell_thread(seen) != *lap)
		return -ESTALE;
	*lap = pool_next_lap(*lap);
	return shmchan_cas(word, &seen,
			   pool_cell_of(me, *lap, POOL_CELL_OWNED)) ?
	       0 : -ESTALE;
}

/* Nobody's, if it is ours still.  0, ESTALE: it was taken. */
static inline int pool_release(const struct pool_view *v,
			       const struct pool_member *me, uint32_t index,
			       uint32_t lap)
{
	const uint32_t states[] = { POOL_CELL_OWNED, POOL_CELL_OFFERED };
	uint64_t from;
	int i;

	for (i = 0; i < 2; i++) {
		from = pool_cell_of(me, lap, states[i]);
		if (shmchan_cas(&v->words[index], &from,
				shmchan_cell(0, 0, lap, POOL_CELL_FREE)))
			return 0;
	}
	return -ESTALE;
}

#endif /* SHMCHAN_POOL_CELLS_H */
