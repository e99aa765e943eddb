/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_BELL_H
#define SHMCHAN_BELL_H

/*
 * Bells: sleeping until a word changes, and waking who sleeps.
 *
 * A sleeper names words of the region and what it believes is in them; it is
 * woken when one differs and its doorbell is rung.  A producer changes the
 * word first and then asks, with one load, whether anybody waits:
 *
 *	shmchan_store_seq_cst(word, new);
 *	shmchan_bell_notify(region, doorbell);
 *
 *	struct shmchan_wait_elem e = shmchan_elem64(doorbell, offset, old);
 *	err = shmchan_bell_wait(region, &e, 1, deadline, NULL);
 *
 * No wake-up is lost: the producer stores the word and then loads the count
 * of waiters, the sleeper raises the count and then loads the word, all four
 * sequentially consistent; so one of the two sees the other (the store
 * buffering litmus test).  If several stores preceded, or they were weaker
 * than seq_cst, call shmchan_fence_seq_cst() before shmchan_bell_notify().
 *
 * A producer that publishes often, one thing at a time, and is seldom waited for
 * can do without the seq_cst store: it joins with SHMCHAN_JOIN_ASYM and calls
 * shmchan_bell_publish().  Then its stores are plain, and who goes to sleep on a
 * doorbell of the region has the barrier passed through it instead, by
 * membarrier(2): some 10 us for the sleeper, and an interrupt of some us for each
 * CPU on which a process runs that has ever joined so.  So it is for those who can
 * bear an interrupt when somebody goes to sleep; on isolated CPUs (nohz_full) the
 * default is better, which never interrupts anybody.  A wish: where the kernel or
 * a seccomp filter refuses membarrier, and in regions of more than 64 slots, the
 * member goes on as by default, and region->asym is 0.  (If it is refused to a
 * sleeper only, shmchan_bell_wait() looks every millisecond, and
 * shmchan_bell_arm() says EOPNOTSUPP.)  With the module, sleeping for an ASYM
 * member subscribes to the doorbell: shmchan_region_fd() then also polls readable
 * when that is rung.
 *
 * Waits may return early for no reason: every wait is a loop on state.  All
 * sleepers who name a slot's word with doorbell SHMCHAN_DOORBELL_MEMBERS are
 * woken when that member ends.
 */

#include <stdint.h>

#include <shmchan/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A 64-bit word at a region offset, believed to hold value. */
static inline struct shmchan_wait_elem
shmchan_elem64(uint32_t doorbell, uint64_t offset, uint64_t value)
{
	struct shmchan_wait_elem elem = {};

	elem.fd = -1;
	elem.doorbell = doorbell;
	elem.offset = offset;
	elem.value = value;
	elem.mask = ~0ULL;
	return elem;
}

/* The word of a slot, believed to be as given: wakes when that member ends. */
static inline struct shmchan_wait_elem
shmchan_elem_slot(const struct shmchan_region *region, uint32_t slot,
		  uint64_t word)
{
	return shmchan_elem64(SHMCHAN_DOORBELL_MEMBERS,
			      shmchan_slot_offset(region, slot), word);
}

/*
 * The count of joins and ends, believed to be seen: wakes when any member comes or
 * goes.  For who waits for what a member that was woken in its place would have
 * done: if that one is killed first, this wakes the others.  Load seen before
 * looking at anything that a death could change.
 */
static inline struct shmchan_wait_elem
shmchan_elem_members(const struct shmchan_region *region, uint64_t seen)
{
	return shmchan_elem64(SHMCHAN_DOORBELL_MEMBERS, region->status_offset +
			      offsetof(struct shmchan_status, members_seq),
			      seen);
}

static inline uint64_t shmchan_members_seq(const struct shmchan_region *region)
{
	return shmchan_load_acquire((uint64_t *)
		shmchan_region_at(region, region->status_offset +
			offsetof(struct shmchan_status, members_seq)));
}

/*
 * Sleep while every word is as believed, at most until deadline (nanoseconds
 * of CLOCK_MONOTONIC; SHMCHAN_FOREVER: no end).  Blocks.  Returns 0 if one
 * differs or for no reason; *index, if not NULL, is the first that differs (or
 * 0).  Errors: ETIMEDOUT, ESTALE (we are no longer a member), EINVAL, EACCES
 * (not our doorbell), EUSERS (too many wait).  Signals do not show.
 */
int shmchan_bell_wait(const struct shmchan_region *region,
		      const struct shmchan_wait_elem *elems, uint32_t nr_elems,
		      uint64_t deadline, uint32_t *index);

/*
 * Ring: wake those whose words have changed, at most max_wake (0: all).
 * Returns how many were woken (the local backend may count some twice), or an
 * error: EACCES, ESTALE, EINVAL.
 */
int shmchan_bell_ring(const struct shmchan_region *region, uint32_t doorbell,
		      uint32_t max_wake);

/* Ring one doorbell, then wait, in one system call where the backend can. */
int shmchan_bell_ring_wait(const struct shmchan_region *region,
			   uint32_t doorbell, uint32_t max_wake,
			   const struct shmchan_wait_elem *elems,
			   uint32_t nr_elems, uint64_t deadline,
			   uint32_t *index);

/*
 * For who sleeps in poll, epoll or io_uring on shmchan_region_fd(): subscribe
 * once; then, each time: drain, arm, drain again if EAGAIN, sleep.  EOPNOTSUPP:
 * see above.
 */
int shmchan_bell_subscribe(const struct shmchan_region *region,
			   uint32_t doorbell);
int shmchan_bell_arm(const struct shmchan_region *region, uint32_t doorbell,
		     const struct shmchan_wait_elem *elems, uint32_t nr_elems);

/* Nanoseconds of CLOCK_MONOTONIC from now; negative: SHMCHAN_FOREVER. */
uint64_t shmchan_deadline(int64_t timeout_ns);

/* Does anybody sleep?  One load, seq_cst; no system call. */
static inline int shmchan_bell_wanted(const struct shmchan_region *region,
				      uint32_t doorbell)
{
	return shmchan_load_seq_cst(
		&shmchan_doorbell_status(region, doorbell)->waiters) != 0;
}

/*
 * Ring if anybody sleeps.  The caller's store came first, seq_cst.  As ring:
 * ESTALE if that store went nowhere.
 */
static inline int shmchan_bell_notify(const struct shmchan_region *region,
				      uint32_t doorbell)
{
	if (__builtin_expect(!shmchan_bell_wanted(region, doorbell), 1))
		return shmchan_region_check(region);
	return shmchan_bell_ring(region, doorbell, 0);
}

/*
 * Store the word, and ring if anybody sleeps: by a fence, or without one if that
 * is how we have joined.  What was stored before goes with it.  As notify.
 */
static inline int shmchan_bell_publish(const struct shmchan_region *region,
				       uint32_t doorbell, uint64_t *word,
				       uint64_t value)
{
	if (region->asym)
		shmchan_store_release(word, value);
	else
		shmchan_store_seq_cst(word, value);
	/* All that the first of the two needs, beside the sleeper's barrier. */
	shmchan_crash_fence();
	return shmchan_bell_notify(region, doorbell);
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_BELL_H */
