/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_POOL_WORDS_H
#define SHMCHAN_POOL_WORDS_H

/*
 * Pools: the words of buffers, the cells of holders, and why nobody's buffer is
 * reused under its nose.  All of the algorithm is here; it knows no region, and the
 * model checker runs it as it is (selftests/model/pool_models.c).
 *
 *	taker				owner
 *	T1  cell = {generation, index}	O1  word = {lap, ASKED}
 *	T2  fence			O2  fence
 *	T3  look at the word		O3  look at all cells of the living
 *	    {lap, LOANED}: ours		O4  named: word = {lap, LOANED}
 *	    else: cell = 0, stale	    else:  word = {lap + 1, FREE}
 *
 * Claim: if a taker found {lap, LOANED}, then no O4 frees the buffer until it has
 * cleared the cell, or is dead.
 *
 * Fences are in one order.  If T2 comes before O2, then O3 sees T1, or what the
 * taker stored in that cell later, that is, after it dropped.  (And it sees what
 * T1 depends on: `used` that covers the cell, which the taker stored before, and
 * the slot's word with its generation, stored before it could begin.)  If O2 comes
 * before T2, then T3 sees O1, or something later.  What can be later with that
 * lap is the LOANED of O4; and then the taker is just early for the next O1, O2:
 * if T3 did not see that O1, T2 came before that O2.  So for each time that the
 * owner looks: it has seen the cell, or the taker has not seen LOANED.
 *
 * When T3 finds {lap, ASKED}, the owner is between O1 and O4, and soon one or the
 * other comes of it: the taker looks again.  But an owner may die there.  If T3
 * finds its slot's word not LIVE, then all that the dead owner ever stored is to be
 * seen; so if the word is still {lap, ASKED}, that one has not freed the buffer.
 * And its successor looks with a fence of its own, O2', behind its JOIN; since T3,
 * behind T2, did not see that JOIN, T2 came before O2', and O3' sees the cell.  So
 * the taker has it.
 *
 * Reuse.  What a holder read in the buffer comes before the owner overwrites it:
 * it clears the cell by a release, and O3 is an acquire; what is stored over the 0
 * for the next buffer is a release, too, for who sees that and not the 0.  Of the
 * dead the kernel says so, in the word of the slot.
 *
 * A kill.  A taker that dies has named something, or not: it does not count any
 * more.  An owner that dies leaves each word in one of the three states, and all
 * that it was about to do with the buffer comes behind a crash fence.
 */

#include <errno.h>
#include <stdint.h>

#include <linux/shmchan.h>

#include <shmchan/pool_layout.h>

/* Where it all is; checked when the pool was opened. */
struct pool_view {
	uint64_t *words;
	uint8_t *blocks;
	uint64_t stride;
	const uint64_t *slots;	/* slot words: 0 the owner's, then holders' */
	uint32_t nr_buffers;
	uint32_t nr_holders;
	uint32_t nr_cells;
};

static inline uint32_t pool_lap(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

static inline uint32_t pool_state(uint64_t word)
{
	return (uint32_t)word;
}

static inline struct shmchan_pool_block *
pool_block(const struct pool_view *v, uint32_t holder)
{
	return (struct shmchan_pool_block *)(v->blocks + holder * v->stride);
}

/*
 * Whose generation counts in a seat; 0: nobody's.  The acquire: who is seen dead
 * has read and stored all that it ever will.
 */
static inline uint32_t pool_generation(const struct pool_view *v, uint32_t slot)
{
	uint64_t word = shmchan_load_acquire((uint64_t *)&v->slots[slot]);

	return SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE ?
	       SHMCHAN_SLOT_WORD_GEN(word) : 0;
}

/*
 * T3: behind the fence, does a buffer that we have named stay?  0, ESTALE, or
 * EAGAIN: the owner is about to say.
 */
static inline int pool_judge(const struct pool_view *v, uint32_t index,
			     uint32_t lap)
{
	uint64_t *word = &v->words[index];
	uint64_t seen = shmchan_load_relaxed(word);

	if (seen == shmchan_pool_word(lap, SHMCHAN_POOL_LOANED))
		return 0;
	if (seen != shmchan_pool_word(lap, SHMCHAN_POOL_ASKED))
		return -ESTALE;
	if (pool_generation(v, 0))
		return -EAGAIN;
	/* Of a dead owner: whatever it has done is to be seen now. */
	seen = shmchan_load_relaxed(word);
	return seen == shmchan_pool_word(lap, SHMCHAN_POOL_LOANED) ||
	       seen == shmchan_pool_word(lap, SHMCHAN_POOL_ASKED) ?
	       0 : -ESTALE;
}

/*
 * We have the seat.  The cells of whoever had it before do not count; release: who
 * sees that we have come sees all that he has done.
 */
static inline void pool_sit(struct shmchan_pool_block *block)
{
	shmchan_store_release(&block->used, (uint64_t)0);
}

/*
 * T1 and T2: name a buffer in one of our cells.  *used is ours to know: how many
 * of our cells have been used.
 */
static inline void pool_name(struct shmchan_pool_block *block, uint32_t cell,
			     uint32_t *used, uint32_t generation,
			     uint32_t index)
{
	if (cell >= *used) {
		*used = cell + 1;
		shmchan_store_release(&block->used, (uint64_t)*used);
	}
	shmchan_store_release(&shmchan_pool_cells(block)[cell],
			      shmchan_pool_cell(generation, index));
	/* Pairs with that in pool_ask_done(). */
	shmchan_fence_seq_cst();
}

/* What was read in the buffer was read before: pairs with pool_look()'s acquire. */
static inline void pool_unname(struct shmchan_pool_block *block, uint32_t cell)
{
	shmchan_store_release(&shmchan_pool_cells(block)[cell], (uint64_t)0);
}

/* Whoever holds the buffer that a cell names; index is below nr_buffers. */
typedef void (*pool_seen_fn)(void *arg, uint32_t holder, uint32_t generation,
			     uint32_t index);

/*
 * O3: tell of all that living holders name.  Bounded, whatever they have written.
 * Returns how many cells were looked at.
 */
static inline uint32_t pool_look(const struct pool_view *v, pool_seen_fn seen,
				 void *arg)
{
	uint32_t h, i, generation, index, looked = 0;

	for (h = 0; h < v->nr_holders; h++) {
		struct shmchan_pool_block *block = pool_block(v, h);
		uint64_t used, cell;

		generation = pool_generation(v, 1 + h);
		if (!generation)
			continue;
		/*
		 * Perhaps the next holder's already, though we saw the last
		 * one living; then he is dead, and acquire says so.
		 */
		used = shmchan_load_acquire(&block->used);
		if (used > v->nr_cells)
			used = v->nr_cells;
		for (i = 0; i < used; i++) {
			cell = shmchan_load_acquire(
					&shmchan_pool_cells(block)[i]);
			index = (uint32_t)cell - 1;
			if (cell >> 32 == generation && index < v->nr_buffers)
				seen(arg, h, generation, index);
		}
		looked += (uint32_t)used;
	}
	return looked;
}

/* O1, for each buffer that is to be reused.  Only its owner stores a word. */
static inline void pool_ask(const struct pool_view *v, uint32_t index)
{
	uint32_t lap = pool_lap(shmchan_load_relaxed(&v->words[index]));

	shmchan_store_relaxed(&v->words[index],
			      shmchan_pool_word(lap, SHMCHAN_POOL_ASKED));
}

/* O2, once for all of them; pairs with that in pool_name(). */
static inline void pool_ask_done(void)
{
	shmchan_fence_seq_cst();
}

/* O4: whether anybody has it.  Behind the last of them: pool_settled(). */
static inline void pool_settle(const struct pool_view *v, uint32_t index,
			       int named)
{
	uint32_t lap = pool_lap(shmchan_load_relaxed(&v->words[index]));

	shmchan_store_relaxed(&v->words[index], named ?
			      shmchan_pool_word(lap, SHMCHAN_POOL_LOANED) :
			      shmchan_pool_word(lap + 1, SHMCHAN_POOL_FREE));
}

/*
 * No byte of a buffer before the word that says it is nobody's: if we are killed,
 * a word that still said ASKED would let somebody have it.
 */
static inline void pool_settled(void)
{
	shmchan_crash_fence();
}

/* A free buffer is lent.  Returns its lap. */
static inline uint32_t pool_lend(const struct pool_view *v, uint32_t index)
{
	uint32_t lap = pool_lap(shmchan_load_relaxed(&v->words[index]));

	shmchan_store_relaxed(&v->words[index],
			      shmchan_pool_word(lap, SHMCHAN_POOL_LOANED));
	return lap;
}

/*
 * What the last owner has left, whatever it was: returns whether the buffer is
 * free; else it is lent, until it is found that nobody has it.
 */
static inline int pool_inherit(const struct pool_view *v, uint32_t index)
{
	uint64_t word = shmchan_load_relaxed(&v->words[index]);

	if (pool_state(word) == SHMCHAN_POOL_FREE)
		return 1;
	if (pool_state(word) != SHMCHAN_POOL_LOANED)
		(void)pool_lend(v, index);
	return 0;
}

#endif /* SHMCHAN_POOL_WORDS_H */
