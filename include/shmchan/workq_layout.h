/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_WORKQ_LAYOUT_H
#define SHMCHAN_WORKQ_LAYOUT_H

/*
 * What a work queue is in memory: one cell per item, and hints.
 *
 * A cell is one word of <shmchan/cell.h>, with the state's byte and the place of
 * the thread used so:
 *
 *	 63            32 31      20 19       8 7        3 2     0
 *	+----------------+----------+----------+----------+-------+
 *	|   generation   |   slot   |   lap    | attempts | state |
 *	+----------------+----------+----------+----------+-------+
 *
 *	          put              commit            take            ack
 *	   FREE -------> WRITING --------> READY --------> CLAIMED ------> FREE
 *	                   |                 ^               |
 *	            death, abort          death, nack:       | the same, beyond
 *	                   |              attempts < limit --+ the limit
 *	                   v                                 v    take_dead
 *	                  FREE                              DEAD ----------> EXAMINED
 *
 * Each arrow is one compare-and-swap, from the whole word as it was seen.  Those
 * by which somebody takes a cell name it in full; so there is no instant in which
 * an item is taken and nobody knows by whom.  Only WRITING, CLAIMED and EXAMINED
 * have an owner (the others have generation and slot 0), only the owner takes a
 * cell out of these while it lives, and any member does when it is dead.
 *
 * The lap grows whenever a cell is taken.  It is what keeps a ticket that was
 * used already, for an earlier claim of the same cell by the same member, from
 * being taken for one of now (up to a multiple of 4096 claims later).  Nothing else rests
 * on it: who takes a FREE or READY cell needs no past of it, and a dead owner's
 * word cannot come again, since generations do not.
 *
 * attempts is how often the item was taken, counted when it is taken.  So what a
 * death has to do is one step that loses nothing: only the owner goes.
 *
 * Where producers and workers begin to look (tail, head) are hints, as all counts
 * are: nobody relies on them but for order and speed.
 */

#include <shmchan/cell.h>
#include <shmchan/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

enum shmchan_workq_state {
	SHMCHAN_WORKQ_FREE = 0,
	SHMCHAN_WORKQ_WRITING = 1,	/* reserved by a producer */
	SHMCHAN_WORKQ_READY = 2,
	SHMCHAN_WORKQ_CLAIMED = 3,	/* a worker is at it */
	SHMCHAN_WORKQ_DEAD = 4,		/* was taken too often: a dead letter */
	SHMCHAN_WORKQ_EXAMINED = 5,	/* ... and somebody looks at it */
};

/* What fits into the word. */
#define SHMCHAN_WORKQ_MAX_ATTEMPTS	31U

#define SHMCHAN_WORKQ_MAX_ITEMS		(1U << 20)
#define SHMCHAN_WORKQ_MAX_ITEM_SIZE	(64U << 20)

static inline uint32_t shmchan_workq_state(uint64_t word)
{
	return (uint32_t)word & 7U;
}

static inline uint32_t shmchan_workq_attempts(uint64_t word)
{
	return (uint32_t)word >> 3 & SHMCHAN_WORKQ_MAX_ATTEMPTS;
}

/* Does somebody own a cell in this state? */
static inline int shmchan_workq_owned(uint64_t word)
{
	uint32_t state = shmchan_workq_state(word);

	return state == SHMCHAN_WORKQ_WRITING ||
	       state == SHMCHAN_WORKQ_CLAIMED ||
	       state == SHMCHAN_WORKQ_EXAMINED;
}

/* The word by which owner (a cell without state) takes a cell from old. */
static inline uint64_t shmchan_workq_taken(uint64_t old, uint64_t owner,
					   uint32_t state, uint32_t attempts)
{
	return shmchan_cell(shmchan_cell_generation(owner),
			    shmchan_cell_slot(owner),
			    shmchan_cell_thread(old) + 1,
			    attempts << 3 | state);
}

/* The word by which a cell becomes nobody's. */
static inline uint64_t shmchan_workq_left(uint64_t old, uint32_t state,
					  uint32_t attempts)
{
	return shmchan_cell(0, 0, shmchan_cell_thread(old),
			    attempts << 3 | state);
}

/* In front of each item's bytes.  The owner's of the cell. */
struct shmchan_workq_item_header {
	uint32_t length;
	uint32_t reserved;
};

/* One side's sleepers.  In a line that changes when somebody falls asleep. */
struct shmchan_workq_side {
	uint32_t sleepers;	/* or more than there are: see workq_wait.c */
	uint32_t reserved1[15];
	uint64_t seq;		/* what they sleep on */
	uint64_t reserved2[7];
};

/* Hints and counts, by who changes them: each in lines of its own. */
struct shmchan_workq_control {
	uint64_t tail;		/* producers begin to look here */
	uint64_t reserved1[15];
	uint64_t head;		/* workers here */
	uint64_t reserved2[15];
	struct shmchan_workq_side work;
	struct shmchan_workq_side room;
	uint64_t high_water;
	uint64_t redelivered;
	uint64_t dead_lettered;
	uint64_t reserved3[13];
};

/* A region of kind SHMCHAN_WIRE_WORKQ. */
struct shmchan_wire_workq {
	struct shmchan_wire wire;
	uint32_t work_doorbell;		/* workers wait on it */
	uint32_t room_doorbell;		/* producers */
	uint64_t control_offset;	/* struct shmchan_workq_control */
	uint64_t cells_offset;		/* nr_items words */
	uint64_t items_offset;		/* a header and item_size bytes, each */
	uint64_t item_stride;
	uint32_t item_size;
	uint32_t nr_items;		/* a power of two */
	uint32_t max_attempts;		/* ~0: there is no limit */
	uint32_t reserved;		/* 0 */
};

#ifndef SHMCHAN_EXPLORER
SHMCHAN__ASSERT(sizeof(struct shmchan_workq_item_header) == 8);
SHMCHAN__ASSERT(sizeof(struct shmchan_workq_side) == 128);
SHMCHAN__ASSERT(sizeof(struct shmchan_workq_control) == 5 * 128);
SHMCHAN__ASSERT(sizeof(struct shmchan_wire_workq) == 80);
#endif

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_WORKQ_LAYOUT_H */
