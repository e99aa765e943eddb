/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_CELL_H
#define SHMCHAN_CELL_H

/*
 * Cells: one 64-bit word that says who has something.
 *
 *	 63            32 31      20 19       8 7      0
 *	+----------------+----------+----------+--------+
 *	|   generation   |   slot   |  thread  |  state |
 *	+----------------+----------+----------+--------+
 *
 * Where many may write, one word says who, and it is claimed by one store or one
 * compare-and-swap that names the new owner in full.  So there is no instant at
 * which something is taken and nobody knows by whom: a kill between any two
 * instructions leaves a cell that is the owner's or is not.  Nothing is counted
 * beside it; what is only a hint (a head, a number of free ones) is never
 * trusted.
 *
 * An owner is a slot of the region and the generation that held it, and a thread
 * of that member where that matters (else 0).  Whether it lives, the status page
 * tells, which only the kernel writes: its word for the slot has this generation
 * and is LIVE, or the owner is dead.  It cannot come back, since generations do
 * not; so whoever finds a dead owner's cell may take it over by a
 * compare-and-swap from what it has seen.
 *
 * What the state means is that of what the cell is for; 0 as a whole is nobody's
 * everywhere.  All that is read from a cell is of another member's making, and may
 * be nonsense: a slot that the region does not have belongs to no living owner.
 */

#include <stdint.h>

#include <linux/shmchan.h>

#include <shmchan/atomic.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMCHAN_CELL_MAX_THREAD	0xfffU

static inline uint64_t shmchan_cell(uint32_t generation, uint32_t slot,
				    uint32_t thread, uint32_t state)
{
	return (uint64_t)generation << 32 | (uint64_t)(slot & 0xfffU) << 20 |
	       (uint64_t)(thread & 0xfffU) << 8 | (state & 0xffU);
}

static inline uint32_t shmchan_cell_generation(uint64_t cell)
{
	return (uint32_t)(cell >> 32);
}

static inline uint32_t shmchan_cell_slot(uint64_t cell)
{
	return (uint32_t)cell >> 20;
}

static inline uint32_t shmchan_cell_thread(uint64_t cell)
{
	return (uint32_t)cell >> 8 & 0xfffU;
}

static inline uint32_t shmchan_cell_state(uint64_t cell)
{
	return (uint32_t)cell & 0xffU;
}

/* The owner without the state: equal for cells of one thread of one member. */
static inline uint64_t shmchan_cell_owner(uint64_t cell)
{
	return cell & ~0xffULL;
}

/*
 * Does the owner of a cell live?  slots are the slot words of the region's status
 * page, nr_slots of them.  The acquire: if it is dead, all that it ever stored is
 * to be seen.
 */
static inline int shmchan_cell_lives(const uint64_t *slots, uint32_t nr_slots,
				     uint64_t cell)
{
	uint32_t slot = shmchan_cell_slot(cell);
	uint64_t word;

	if (slot >= nr_slots)
		return 0;
	word = shmchan_load_acquire((uint64_t *)&slots[slot]);
	return SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE &&
	       SHMCHAN_SLOT_WORD_GEN(word) == shmchan_cell_generation(cell);
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_CELL_H */
