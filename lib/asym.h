/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_ASYM_H
#define SHMCHAN_ASYM_H

/*
 * Producers without a fence (SHMCHAN_JOIN_ASYM), and who sleeps for them.
 *
 * Whoever publishes stores a word and then loads the count of waiters; whoever
 * sleeps raises the count and then compares the word.  One has to see the other,
 * so each side needs a full barrier between its two.  An ASYM producer has none:
 * its sleeper gives it one, with membarrier(GLOBAL_EXPEDITED), which passes a
 * barrier through every CPU that runs a process registered for it.
 *
 *	P, ASYM				S
 *	a  store the word		1  raise the count
 *	   (compiler barrier)		2  is there an ASYM one?  then:
 *	b  load the count		3  membarrier
 *					4  compare the word, sleep
 *
 * No wake-up is lost if 2 says yes.  3 puts a full barrier at one point of P's
 * program, or P is not running, or was not yet a process that is registered,
 * and then b comes behind a context switch or the call that registers, which
 * are barriers behind 3.  If the point is behind a, 4 sees the word.  If it is
 * before a, b is behind it and sees the count as 1 left it, or as later rings
 * did, of which more below.
 *
 * Nor if it says no.  P registers before it joins, joining shows the ASYM bit in
 * its slot word, and then it executes a fence, once, before it publishes anything
 * (shmchan__asym_joined()).  So "show the bit, fence, b" and "1, fence, 2" are
 * the same litmus test again: 2 has missed the bit, so b sees the count.  P's
 * fence alone would not do if 2 came before 1: then S could look, be preempted,
 * and raise the count when P has long been publishing.  Where 1 is inside the
 * call that sleeps (WAIT of the module), that looks once more, behind 1 and a full
 * barrier of its own (SHMCHAN_WAIT_FENCED), and refuses if there is one.  If that is we
 * ourselves, who are not to be reckoned with, what 2 looked at is handed to it as
 * a condition instead, which it compares in the same place.  What 2 looks at is
 *
 *  - the slot words that the caller itself names in its elements, or
 *  - members_seq of the status page, which is read *before* the slot words.
 *    The kernel stores it behind the word that it counts; a CPU might show the
 *    two in another order, but not before CLAIMING, which was the word's value
 *    in an earlier critical section.  So CLAIMING passes for ASYM.
 *
 * What rings do to the count between 1 and 4: the local backend's clear it, and
 * move seq on afterwards, which its sleeper's futex would notice, whoever the
 * producer is (backend_local_bell.c).  In the module a ring disarms those who
 * are armed, and it is ARM that raises the count before 3.  So the doorbell's
 * seq is read before ARM, and its being still the same is a condition of WAIT:
 * then no ring came in between, and from ARM on the count was never 0.  These
 * conditions name doorbell 0, whatever their doorbell is: they are for the look
 * that WAIT takes first, and a ring for one sleeper must not find them.
 *
 * Nothing depends on members being honest or of one version: who shows the bit
 * without having registered, or publishes as ASYM without the bit, is somebody
 * who does not ring.
 */

#include "backend.h"

#pragma GCC visibility push(hidden)

/*
 * In regions with more slots ASYM is not in effect: its members use the fence.
 * There, who sleeps does not look, and is not disturbed by who joins.
 */
#define SHMCHAN__ASYM_SLOTS	64

/* How long to sleep at most where there is no barrier to be had. */
#define SHMCHAN__ASYM_SLICE_NS	1000000ULL

/* The join flags with which to go on: without ASYM where it cannot be had. */
uint32_t shmchan__asym_prepare(uint32_t join_flags);

/* We are a member: is it in effect?  Executes the fence. */
void shmchan__asym_joined(struct shmchan_region_private *p);

/* 3.  0, or -errno: there is no such call here. */
int shmchan__asym_barrier(void);

/*
 * 2.  Does anybody publish without a fence, or may do so any moment?  *seq is
 * members_seq as it was before looking.  own: our own other threads count, too.
 */
int shmchan__asym_any(struct shmchan_region_private *p, int own, uint64_t *seq);

/*
 * Do the elements themselves name the words of all slots but ours, as they
 * were when nobody was ASYM?  (Of this region: those with fd -1.)
 */
int shmchan__asym_named(const struct shmchan_region_private *p,
			const struct shmchan_wait_elem *elems,
			uint32_t nr_elems);

/* bell.c: has a word of our own region changed? */
int shmchan__differs(const struct shmchan_region_private *p,
		     const struct shmchan_wait_elem *e);

#pragma GCC visibility pop

#endif /* SHMCHAN_ASYM_H */
