/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_KMOD_H
#define MODEL_KMOD_H

/*
 * A model of kmod/doorbell.c and kmod/subscribe.c, function by function, for
 * the models of the protocol (kernel.h is a smaller one, for the library's).
 *
 * The kernel's primitives, as they are modelled:
 *
 *	spin_lock, spin_unlock	 acquire and release, no more (x86 has more)
 *	READ_ONCE, WRITE_ONCE	 relaxed
 *	smp_mb			 a seq_cst fence
 *	cmpxchg			 a relaxed one, fences around it
 *	set_current_state	 a relaxed store of the task's state; smp_mb
 *	wake_up_process		 smp_mb; if the state is "asleep", store "runs".
 *				 It may be late: then it is a wake-up for no
 *				 reason
 *	schedule		 sleep until the state is "runs"
 *	membarrier		 an interrupt in each registered thread, between
 *				 any two of its accesses: a fence there
 *
 * Left out: the order of a queue (a ring may begin with any entry), batches
 * and bookmarks, the bounds on waiters, restarts of system calls.  A member's
 * subscription is to one doorbell.
 *
 * What a thread waits for is described by constants; the values that it
 * believes in are in the explored memory, where rings read them.
 */

#include "explorer.h"

#define K_THREADS	4U	/* sleepers or pollers, by number of thread */
#define K_BELLS		3U	/* 0: of members */
#define K_MEMBERS	3U
#define K_CONDS		3U

/* What a model does wrong: explorer_model->arg. */
enum k_flaw {
	K_RIGHT,

	/* WAIT and RING */
	K_STORE_RELEASE,	/* the producer's store is a release */
	K_LOAD_FIRST,		/* it looks for waiters, then stores */
	K_NO_STATE_BARRIER,	/* __set_current_state() before comparing */
	K_COUNT_LATE,		/* compares, then is counted */
	K_NO_COMPARE,		/* does not compare once it is queued */
	K_RING_NO_LOCK,		/* a ring looks at the queue without the lock */
	K_QUEUE_NO_COUNT,	/* the queue without publishing the count */
	K_WAKE_NO_BARRIER,	/* a wake-up does not order @woken */
	K_WOKEN_LATE,		/* wakes, then says so */
	K_STORE_WOKEN,		/* two wakers: no cmpxchg */
	K_WON_ALWAYS,		/* ... and both think it was them */
	K_NO_DEQUEUE_LOCK,	/* off the queue: leaves without the lock */
	K_NO_HAND_ON,		/* chosen, of no use, keeps the ring */
	K_HAND_ON_STALE_ONLY,	/* ... hands it on when revoked, not if killed */
	K_TIMEOUT_BEATS,	/* a timeout beats a ring */
	K_HAND_ON_EARLY,	/* hands on before it is off the queues */
	K_SHARED_INDEX,		/* one word for the index of ring and sleeper */
	K_IGNORE_INDEX,		/* serves another element than that one */

	/* the end of a member */
	K_STATE_EARLY,		/* looks at the state before member->lock */
	K_STATE_LATE,		/* the end walks, then sets the state */
	K_NO_SLOT_COND,		/* does not watch the producer's slot */
	K_GONE_NO_BARRIER,	/* no full barrier before the slot's word */
	K_SLOT_LATE,		/* doorbell 0 is rung, then the word stored */
	K_NO_PEERS,		/* woken by one: does not watch its peers */

	/* ARM, poll, read */
	K_NO_ARM_BARRIER,	/* no smp_mb() in ARM */
	K_ARM_COUNT_LATE,	/* compares, then arms */
	K_NO_ARM_COMPARE,	/* arms and does not compare */
	K_EAGAIN_IGNORED,	/* sleeps though ARM said EAGAIN */
	K_EAGAIN_DISARMS,	/* ARM disarms when it says EAGAIN */
	K_DISARM_LATE,		/* a ring wakes, then disarms, not at once */
	K_POLL_LATE,		/* poll looks before it registers */
	K_POLL_NO_LOCK,		/* a ring looks for pollers without their lock */
	K_SEEN_CURRENT,		/* marks what is current as seen */
	K_SEQ_LATE,		/* a ring wakes pollers, then counts */
	K_NO_READ_LOCK,		/* two readers at a time */
	K_TWO_READERS,		/* two threads read one member's events */
	K_END_NO_POLL,		/* the end of a member wakes no poller */

	/* eventfd */
	K_BIND_NO_LOOK,		/* binds, does not look at the words */
	K_BIND_NO_BARRIER,	/* BIND without a full barrier */
	K_BIND_DISARMS,		/* a ring disarms it as an armed one */

	/* ASYM */
	K_NO_MEMBARRIER,	/* the sleeper does not call it */
	K_MEMBARRIER_EARLY,	/* calls it before it arms */
	K_NO_ARM,		/* membarrier, then WAIT alone */
	K_NO_SEQ_COND,		/* does not watch the doorbell's seq */
	K_SEQ_AFTER_ARM,	/* reads that seq after arming */
	K_NO_MEMBERS_COND,	/* does not watch for joins */
	K_MEMBERS_RELAXED,	/* the kernel stores members_seq relaxed */
	K_MEMBERS_CLAIMING,	/* ... but CLAIMING passes for ASYM */
	K_SEQ_ON_0,		/* nothing: the seq watched with doorbell 0 */
	K_SCAN_FIRST,		/* scans, then reads members_seq, then arms */
	K_JOIN_BARRIER,		/* a full barrier in JOIN instead */
	K_JOIN_BARRIER_SCAN_FIRST, /* ... with the scan before arming */
	K_JOIN_NO_BARRIER,	/* neither */

	/* io_uring */
	K_CLAIM_LOAD,		/* looks whether it is ending, then says so */
	K_BEGIN_STORE,		/* it waits from now on, whatever was before */
	K_FREE_NO_LOCK,		/* frees without the locks */
	K_CANCEL_KEEPS,		/* cancelled, keeps the ring that chose it */
	K_URING_LATE_COMPARE,	/* compares, then queues */
	K_URING_NO_BARRIER,	/* no full barrier before comparing */
};

int k_flaw(enum k_flaw flaw);

/* A word that a model uses for itself, 0 to 15; and the kernel's. */
uint64_t *k_data(unsigned int i);
uint64_t *k_count(unsigned int bell);	/* waiters in the status area */
uint64_t *k_seq(unsigned int bell);	/* seq there */
uint64_t *k_slot(unsigned int member);	/* the slot's word */
uint64_t *k_members_seq(void);
uint64_t *k_lock_word(unsigned int i);	/* locks of models, 0 to 7 */

#define K_SLOT_LIVE	1ULL
#define K_SLOT_ENDED	2ULL
#define K_SLOT_ASYM	3ULL	/* live, publishes without a barrier */
#define K_SLOT_CLAIMING	4ULL

/* Primitives. */
void k_lock(uint64_t *lock);
void k_unlock(uint64_t *lock);
void k_mb(void);
int k_cmpxchg(uint64_t *p, uint64_t old, uint64_t value);

/* One element: its doorbell, its word. */
struct k_elem {
	unsigned int bell;
	uint64_t *(*word)(unsigned int i);
	unsigned int i;
};

/* A WAIT: elements with one doorbell are neighbours. */
struct k_wait {
	unsigned int member;
	unsigned int nr;
	struct k_elem elem[K_CONDS];
	int may_time_out;
	int may_be_killed;
	int async;		/* of io_uring */
};

/* What WAIT returns. */
enum k_ret { K_OK, K_ESTALE, K_ETIMEDOUT, K_EINTR, K_ECANCELED };

/* In setup functions: who waits for what. */
void k_setup(void);
void k_setup_wait(unsigned int me, const struct k_wait *wait);
void k_setup_sub(unsigned int member, unsigned int bell);
void k_setup_eventfd(unsigned int bell);

/* Sleep while elements are as believed; *index: which is not. */
enum k_ret k_wait(unsigned int me, const uint64_t *believed,
		  unsigned int *index);
unsigned int k_ring(unsigned int bell, unsigned int max_wake);

/* shmchan_bells_end(): its state, then its sleepers and subscriptions. */
void k_member_end(unsigned int member);
/* What others see of it: the slot's word, doorbell 0. */
void k_member_gone(unsigned int member);
/* JOIN: the slot's word, twice, then doorbell 0. */
void k_member_joins(unsigned int member, uint64_t word);

/* ARM: 1 is EAGAIN. */
int k_arm(unsigned int member, const uint64_t *word, uint64_t believed);
/* poll(2) without a timeout: 0 is POLLIN, -1 is POLLHUP. */
int k_poll(unsigned int me, unsigned int member);
/* read(2): how many rings; 0 is EAGAIN. */
uint64_t k_read(unsigned int member);
uint64_t *k_seen(unsigned int member);

/* WAIT by io_uring, and its completion by the task; somebody cancels it. */
enum k_ret k_async_wait(unsigned int me, const uint64_t *believed);
void k_async_cancel(unsigned int me);
uint64_t *k_completions(unsigned int me);

/* Bound eventfds, one for a doorbell. */
void k_bind(unsigned int bell);
void k_eventfd_read(unsigned int bell);

/* membarrier, and where its interrupt may come in a registered thread. */
void k_membarrier(unsigned int nr_registered);
void k_interrupt(unsigned int registered);
/* ... once it has nothing else to do: never comes back. */
void k_interrupts(unsigned int registered);

/* Producers: as <shmchan/bell.h>, with the flaws. */
void k_produce(uint64_t *word, uint64_t value, unsigned int bell,
	       unsigned int max_wake);

#endif /* MODEL_KMOD_H */
