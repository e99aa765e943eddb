/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_KERNEL_H
#define MODEL_KERNEL_H

/*
 * The kernel's side of doorbells, as models see it: written in C11 atomics
 * with what the kernel's primitives promise.  spin_lock() acquires,
 * spin_unlock() releases, atomic_inc() is relaxed, smp_mb() is a seq_cst
 * fence.
 *
 *	ring			sleeper, in WAIT
 *	  (word stored, count	  lock; onto the queue; unlock
 *	  loaded: not 0)	  waiters++
 *	  lock; wake who is	  smp_mb()
 *	  on the queue and	  words as believed? sleep until woken
 *	  whose words changed	  lock; off the queue; unlock
 *	  unlock		  waiters--
 *
 * In memory: the status area (one page at KERNEL_STATUS), and behind it what
 * is the kernel's own.
 */

#include "explorer.h"

#define KERNEL_STATUS	(32 << 10)
#define KERNEL_SLOTS	4
#define KERNEL_SLEEPERS	3	/* on one bell */

/* What a model leaves out, to see whether it is missed. */
enum kernel_flaw {
	KERNEL_RIGHT,
	KERNEL_NO_BARRIER,	/* no smp_mb() */
	KERNEL_NO_RECHECK,	/* sleeps without looking */
	KERNEL_COUNT_LATE,	/* waiters++ after looking */
};
extern enum kernel_flaw kernel_flaw;

struct kernel_elem {
	uint64_t *word;
	uint64_t believed;
};

/* Fills the status area: slots live in generation 1.  In setup functions. */
void kernel_setup(void);

uint64_t *kernel_slot_word(uint32_t slot);
uint32_t *kernel_waiters(uint32_t bell);

/* A slot word, from its parts. */
uint64_t kernel_slot_value(uint32_t generation, uint32_t state);

/* The count of members' joins and ends. */
uint64_t *kernel_members_seq(void);

/*
 * WAIT on a bell, 1 or 2, as sleeper me of it; at most three elements.  Note
 * 28 + me says that it is inside, for kernel_wait_killed().
 */
void kernel_wait(uint32_t bell, unsigned int me,
		 const struct kernel_elem *elem, unsigned int n);

/* Wakes all; or at most one, any, of those whose words changed. */
void kernel_ring(uint32_t bell);
void kernel_ring_one(uint32_t bell);

/* What WAIT does for a thread that is killed in it; in wills, first. */
void kernel_wait_killed(uint32_t bell, unsigned int me);

/*
 * The end of a member: its slot's word, and all who sleep look again (the
 * kernel's doorbell 0: whoever names a slot's word is also in its queue).
 */
void kernel_member_ends(uint32_t slot, uint64_t word);

#endif /* MODEL_KERNEL_H */
