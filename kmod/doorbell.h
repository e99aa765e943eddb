/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _SHMCHAN_DOORBELL_H
#define _SHMCHAN_DOORBELL_H

/*
 * What sleeping in WAIT (doorbell.c), in poll (subscribe.c, events.c) and on an
 * eventfd (eventfd.c) share: the words that are waited for, and the count of who
 * waits.
 */

#include <linux/lockdep.h>

#include "compat.h"
#include "shmchan.h"

struct eventfd_ctx;

/* So many elements need no allocation. */
#define SHMCHAN_FEW_ELEMS	8

/* Longer than a few take who are woken. */
#define SHMCHAN_SLOW_NS		50000

#define SHMCHAN_WAIT_RIGHTS	(SHMCHAN_RIGHT_WAIT | SHMCHAN_RIGHT_MAP_READ)

/**
 * struct shmchan_cond - a word, and what it was
 * @word: where the kernel sees it; u32 or u64
 * @value: what it was, masked
 * @mask: which bits count
 * @is32: how wide it is
 */
struct shmchan_cond {
	const void *word;
	u64 value;
	u64 mask;
	bool is32;
};

static inline bool shmchan_cond_changed(const struct shmchan_cond *cond)
{
	u64 now;

	if (cond->is32)
		now = READ_ONCE(*(const u32 *)cond->word);
	else
		now = READ_ONCE(*(const u64 *)cond->word);
	return (now & cond->mask) != cond->value;
}

/**
 * struct shmchan_wait_entry - a sleeper's place in one doorbell's queue
 * @bell_node: in bell->waits, or empty once a ring took it off; bell->lock
 * @member_node: in member->waits; member->lock
 * @waiter: whose; NULL: a bookmark
 * @member: by whose right
 * @bell: on which doorbell
 * @file: keeps @member; NULL: the file of the call
 * @first: index of its first condition
 * @nr: how many conditions
 */
struct shmchan_wait_entry {
	struct list_head bell_node;
	struct list_head member_node;
	struct shmchan_waiter *waiter;
	struct shmchan_member *member;
	struct shmchan_bell *bell;
	struct file *file;
	u32 first;
	u32 nr;
};

/**
 * struct shmchan_waiter - a WAIT under way
 * @task: who sleeps; NULL: a request of io_uring, see uring.c
 * @woken: a ring found a condition changed; set once, by cmpxchg
 * @stale: a member of ours has ended
 * @fenced: not beside members that joined as ASYM
 * @index: which condition that ring found
 * @chosen: the doorbell that was rung
 * @nr_conds: length of @conds
 * @nr_entries: length of @entries
 * @conds: what is waited for
 * @entries: one for each run of conditions with one file and doorbell
 *
 * Wakers touch it under the lock of a bell or a member that has an entry of
 * it; so it may go once every entry was taken off under those locks.
 */
struct shmchan_waiter {
	struct task_struct *task;
	u32 woken;
	bool stale;
	bool fenced;
	u32 index;
	struct shmchan_bell *chosen;
	u32 nr_conds;
	u32 nr_entries;
	struct shmchan_cond *conds;
	struct shmchan_wait_entry *entries;
};

/* The first of some conditions that has changed, or -1. */
static inline int shmchan_first_changed(const struct shmchan_waiter *waiter,
					u32 first, u32 nr)
{
	u32 i;

	for (i = first; i < first + nr; i++)
		if (shmchan_cond_changed(&waiter->conds[i]))
			return i;
	return -1;
}

static inline int shmchan_waiter_changed(const struct shmchan_waiter *waiter)
{
	return shmchan_first_changed(waiter, 0, waiter->nr_conds);
}

/**
 * struct shmchan_sub - a subscription, or an eventfd that is bound
 * @bell_node: in bell->subs; bell->lock
 * @member_node: in member->subs; member->lock
 * @member: whose; NULL: a ring's bookmark
 * @bell: to which doorbell
 * @doorbell: its number
 * @armed: counted in bell->nr_armed; bell->lock.  As long as it is there, with
 *	an eventfd
 * @members: tells of members that have ended; never changes
 * @seen: bell->seq, or with @members region->nr_ends, when the member last
 *	looked; member->lock
 * @told: with @members: region->nr_ends when who polls was last woken; bell->lock
 * @eventfd: what is bound, a reference; NULL: nothing.  Never changes
 * @slow: a signal may take long; one that rings or the worker says so
 * @over: the member has ended: only the worker has it any more; its lock
 * @owed_node: in what the worker has to signal, or empty; its lock
 * @ended: with @members: which holder of each slot was the last that the member
 *	knows to have ended; member->lock
 */
struct shmchan_sub {
	struct list_head bell_node;
	struct list_head member_node;
	struct shmchan_member *member;
	struct shmchan_bell *bell;
	u32 doorbell;
	bool armed;
	bool members;
	u64 seen;
	u64 told;
	struct eventfd_ctx *eventfd;
	bool slow;
	bool over;
	struct list_head owed_node;
	u32 ended[];
};

/*
 * Is it not to sleep beside somebody who publishes without a fence?  Looked at
 * behind the barrier that follows the count.  Who joins as ASYM is counted first, and
 * has a barrier of its own before it looks at counts of waiters: one sees the other.
 */
static inline bool shmchan_waiter_asym(const struct shmchan_waiter *waiter)
{
	u32 i;

	if (!waiter->fenced)
		return false;
	for (i = 0; i < waiter->nr_entries; i++)
		if (READ_ONCE(waiter->entries[i].member->region->nr_asym))
			return true;
	return false;
}

/* Producers read it with a plain load: see the top of doorbell.c. */
static inline void shmchan_publish_waiters(struct shmchan_bell *bell)
{
	lockdep_assert_held(&bell->lock);
	WRITE_ONCE(bell->status->waiters, bell->nr_waits + bell->nr_armed);
}

/* doorbell.c */
struct shmchan_bell *shmchan_get_bell(const struct shmchan_member *member,
				      u32 doorbell);
int shmchan_make_cond(struct shmchan_cond *cond, struct shmchan_member *member,
		      const struct shmchan_wait_elem *elem);
int shmchan_waiter_make(struct shmchan_waiter *waiter, struct file *file,
			const struct shmchan_wait_elem *elems);
void shmchan_waiter_put(struct shmchan_waiter *waiter);
int shmchan_waiter_enqueue(struct shmchan_waiter *waiter);
void shmchan_waiter_dequeue(struct shmchan_waiter *waiter);
int shmchan_waiter_end(struct shmchan_waiter *waiter, int found, int ret,
		       bool dying);
int shmchan_wait_check(const struct shmchan_member *member,
		       const struct shmchan_wait *w);
int shmchan_ring_one(const struct shmchan_member *member, u32 doorbell,
		     u32 max_wake);
bool shmchan_reads_all(const struct shmchan_member *member);

/* uring.c */
#ifdef SHMCHAN_URING_WAIT
void shmchan_uring_wake(struct shmchan_waiter *waiter);
bool shmchan_uring_gone(struct shmchan_waiter *waiter);
#else
static inline bool shmchan_uring_gone(struct shmchan_waiter *waiter)
{
	return false;
}

static inline void shmchan_uring_wake(struct shmchan_waiter *waiter)
{
}
#endif

/* subscribe.c */
void shmchan_subs_ring(struct shmchan_bell *bell);
void shmchan_subs_end(struct shmchan_member *member);
struct shmchan_sub *shmchan_sub_find(struct shmchan_member *member,
				     u32 doorbell, bool bound);
int shmchan_sub_add(struct shmchan_sub *sub);
int shmchan_sub_remove(struct shmchan_member *member, u32 doorbell, bool bound);

/* events.c */
void shmchan_ends_begin(struct shmchan_sub *sub);

/* eventfd.c */
bool shmchan_eventfd_ring(struct shmchan_sub *sub, bool defer);
void shmchan_eventfd_end(struct shmchan_sub *sub);
void shmchan_eventfd_put(struct shmchan_sub *sub);

#endif /* _SHMCHAN_DOORBELL_H */
