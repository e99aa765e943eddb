// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: sleeping until a word changes, and waking who sleeps.
 *
 * No wake-up is lost.  A producer stores its word and then loads the count of
 * waiters, both sequentially consistent, and rings if it is not zero.  A
 * sleeper queues itself and raises the count, then has a full barrier, then
 * compares its words, and only then sleeps.  So either the producer sees the
 * count, or the sleeper sees the word (the store buffering litmus test); and
 * a ring takes the lock that the sleeper queued itself under.
 *
 * The kernel alone writes the count, under the doorbell's lock, so a process
 * that dies leaves none behind.  It counts down when an entry is taken off the
 * queue, by a waker or by the sleeper, so that producers ring once only.
 *
 * A ring evaluates each sleeper's own condition: one that is spurious, or
 * hostile, wakes nobody.  What it may have to evaluate is bounded: by
 * SHMCHAN_MAX_WAITERS on a doorbell that one slot owns, and on shared ones by
 * SHMCHAN_MAX_SHARED conditions of each member, so that nobody can take the
 * places of others.  It lets go of the lock now and then on the way.
 */

#include <linux/file.h>
#include <linux/hrtimer.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/time.h>
#include <linux/uaccess.h>
#include <linux/uio.h>

#include "compat.h"
#include "shmchan.h"

/* So many elements need no allocation. */
#define SHMCHAN_FEW_ELEMS	8

/* Conditions that a ring evaluates before it lets go of the lock. */
#define SHMCHAN_RING_BATCH	256

/* Events that read() looks for at a time. */
#define SHMCHAN_FEW_EVENTS	16

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

struct shmchan_waiter;

/**
 * struct shmchan_wait_entry - a sleeper's place in one doorbell's queue
 * @bell_node: in bell->waits, or empty once a ring took it off; bell->lock
 * @member_node: in member->waits; member->lock
 * @waiter: whose; NULL: a ring's bookmark
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
 * @task: who sleeps
 * @woken: a ring found a condition changed; set once, by cmpxchg
 * @stale: a member of ours has ended
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
	u32 index;
	struct shmchan_bell *chosen;
	u32 nr_conds;
	u32 nr_entries;
	struct shmchan_cond *conds;
	struct shmchan_wait_entry *entries;
};

/* What WAIT needs memory for; on the stack if there are few elements. */
struct shmchan_wait_few {
	struct shmchan_wait_elem elems[SHMCHAN_FEW_ELEMS];
	struct shmchan_cond conds[SHMCHAN_FEW_ELEMS];
	struct shmchan_wait_entry entries[SHMCHAN_FEW_ELEMS];
};

/**
 * struct shmchan_sub - a subscription
 * @bell_node: in bell->subs; bell->lock
 * @member_node: in member->subs; member->lock
 * @member: whose
 * @bell: to which doorbell
 * @doorbell: its number
 * @armed: counted in bell->nr_armed; bell->lock
 * @seen: bell->seq when the member last looked; member->lock
 */
struct shmchan_sub {
	struct list_head bell_node;
	struct list_head member_node;
	struct shmchan_member *member;
	struct shmchan_bell *bell;
	u32 doorbell;
	bool armed;
	u64 seen;
};

/**
 * shmchan_bell_init - make a doorbell
 * @bell: zeroed memory for it
 * @owner: the slot that may wait, or SHMCHAN_SLOT_SHARED
 * @status: its lines in the status area; may be set later, before its use
 */
void shmchan_bell_init(struct shmchan_bell *bell, u32 owner,
		       struct shmchan_doorbell_status *status)
{
	spin_lock_init(&bell->lock);
	INIT_LIST_HEAD(&bell->waits);
	INIT_LIST_HEAD(&bell->subs);
	bell->owner = owner;
	bell->status = status;
}

/* Producers read it with a plain load: see the top. */
static void publish_waiters(struct shmchan_bell *bell)
{
	lockdep_assert_held(&bell->lock);
	WRITE_ONCE(bell->status->waiters, bell->nr_waits + bell->nr_armed);
}

static bool cond_changed(const struct shmchan_cond *cond)
{
	u64 now;

	if (cond->is32)
		now = READ_ONCE(*(const u32 *)cond->word);
	else
		now = READ_ONCE(*(const u64 *)cond->word);
	return (now & cond->mask) != cond->value;
}

/* The first of some conditions that has changed, or -1. */
static int first_changed(const struct shmchan_waiter *waiter, u32 first, u32 nr)
{
	u32 i;

	for (i = first; i < first + nr; i++)
		if (cond_changed(&waiter->conds[i]))
			return i;
	return -1;
}

/* Returns whether it was this ring that woke the sleeper. */
static bool wake_entry(struct shmchan_wait_entry *entry)
{
	struct shmchan_waiter *waiter = entry->waiter;
	struct shmchan_bell *bell = entry->bell;
	int index;
	bool won;

	lockdep_assert_held(&bell->lock);
	index = first_changed(waiter, entry->first, entry->nr);
	if (index < 0)
		return false;
	list_del_init(&entry->bell_node);
	bell->nr_waits--;
	/* Another doorbell of the same sleeper may have been quicker. */
	won = !cmpxchg(&waiter->woken, 0, 1);
	if (won) {
		waiter->index = index;
		waiter->chosen = bell;
		wake_up_process(waiter->task);
	}
	return won;
}

/**
 * shmchan_bell_ring - ring a doorbell
 * @bell: which
 * @max_wake: wake at most so many sleepers; 0: all
 *
 * Return: how many were woken.
 */
u32 shmchan_bell_ring(struct shmchan_bell *bell, u32 max_wake)
{
	struct shmchan_wait_entry *entry, mark = {};
	struct list_head *pos, *next;
	struct shmchan_sub *sub;
	u32 woken = 0, nr = 0;
	u32 left;

	spin_lock(&bell->lock);
	WRITE_ONCE(bell->seq, bell->seq + 1);
	WRITE_ONCE(bell->status->seq, bell->seq);
	list_for_each_entry(sub, &bell->subs, bell_node) {
		if (sub->armed) {
			sub->armed = false;
			bell->nr_armed--;
		}
		wake_up_poll(&sub->member->poll, EPOLLIN | EPOLLRDNORM);
	}
	/* Who comes later has seen what this ring is about. */
	left = bell->nr_waits;
	for (pos = bell->waits.next; pos != &bell->waits && left; pos = next) {
		next = pos->next;
		entry = list_entry(pos, struct shmchan_wait_entry, bell_node);
		if (!entry->waiter)
			continue;
		left--;
		nr += entry->nr;
		if (wake_entry(entry) && ++woken == max_wake)
			break;
		if (nr < SHMCHAN_RING_BATCH)
			continue;
		nr = 0;
		list_add_tail(&mark.bell_node, next);
		publish_waiters(bell);
		spin_unlock(&bell->lock);
		cond_resched();
		spin_lock(&bell->lock);
		next = mark.bell_node.next;
		list_del(&mark.bell_node);
	}
	publish_waiters(bell);
	spin_unlock(&bell->lock);
	return woken;
}

static void sub_free(struct shmchan_sub *sub)
{
	struct shmchan_bell *bell = sub->bell;

	spin_lock(&bell->lock);
	list_del(&sub->bell_node);
	if (sub->armed) {
		bell->nr_armed--;
		publish_waiters(bell);
	}
	spin_unlock(&bell->lock);
	kfree(sub);
}

/**
 * shmchan_bells_end - a member that ended waits for nothing any more
 * @member: in state ENDED
 *
 * Its calls that sleep return -ESTALE, its subscriptions go.
 */
void shmchan_bells_end(struct shmchan_member *member)
{
	struct shmchan_wait_entry *entry;
	struct shmchan_sub *sub, *next;
	LIST_HEAD(subs);

	spin_lock(&member->lock);
	list_for_each_entry(entry, &member->waits, member_node) {
		WRITE_ONCE(entry->waiter->stale, true);
		wake_up_process(entry->waiter->task);
	}
	list_splice_init(&member->subs, &subs);
	member->nr_subs = 0;
	spin_unlock(&member->lock);

	list_for_each_entry_safe(sub, next, &subs, member_node)
		sub_free(sub);
	wake_up_poll(&member->poll, EPOLLIN | EPOLLERR | EPOLLHUP);
}

/* A doorbell that this member may wait on. */
static struct shmchan_bell *get_bell(const struct shmchan_member *member,
				     u32 doorbell)
{
	struct shmchan_region *region = member->region;
	struct shmchan_bell *bell;

	if (doorbell >= region->nr_bells)
		return ERR_PTR(-EINVAL);
	bell = &region->bells[array_index_nospec(doorbell, region->nr_bells)];
	if (bell->owner != member->slot && bell->owner != SHMCHAN_SLOT_SHARED)
		return ERR_PTR(-EACCES);
	return bell;
}

/* Waiting tells what a word is, so it takes the right to read it. */
static int make_cond(struct shmchan_cond *cond,
		     const struct shmchan_member *member,
		     const struct shmchan_wait_elem *elem)
{
	u32 width = elem->flags & SHMCHAN_ELEM_32 ? 4 : 8;

	if (elem->flags & ~SHMCHAN_ELEM_32 || elem->reserved)
		return -EINVAL;
	if (!IS_ALIGNED(elem->offset, width) ||
	    shmchan_memory_area(member->region, elem->offset, width))
		return -EINVAL;
	if (width == 4 && (elem->value >> 32 || elem->mask >> 32))
		return -EINVAL;
	cond->word = shmchan_memory_at(member->region, elem->offset);
	cond->mask = elem->mask;
	cond->value = elem->value & elem->mask;
	cond->is32 = width == 4;
	return 0;
}

#define SHMCHAN_WAIT_RIGHTS	(SHMCHAN_RIGHT_WAIT | SHMCHAN_RIGHT_MAP_READ)

/*
 * The place in a queue for element @i, which is not obviously like the last
 * one; by another number of the same file it may still be.
 */
static int make_entry(struct shmchan_waiter *waiter, struct file *file, u32 i,
		      const struct shmchan_wait_elem *elem)
{
	struct shmchan_wait_entry *entry = &waiter->entries[waiter->nr_entries];
	struct shmchan_member *member;
	int ret;

	entry->file = NULL;
	if (elem->fd >= 0) {
		file = fget(elem->fd);
		if (!file)
			return -EBADF;
		entry->file = file;
	} else if (elem->fd != -1) {
		return -EBADF;
	}
	/* From here on put_entries() gives the file back. */
	waiter->nr_entries++;
	INIT_LIST_HEAD(&entry->bell_node);
	INIT_LIST_HEAD(&entry->member_node);
	entry->waiter = waiter;
	entry->first = i;
	entry->nr = 0;
	if (file->f_op != &shmchan_member_fops)
		return -EBADF;
	member = file->private_data;
	ret = shmchan_member_check(member, SHMCHAN_WAIT_RIGHTS);
	if (ret)
		return ret;
	entry->member = member;
	entry->bell = get_bell(member, elem->doorbell);
	if (IS_ERR(entry->bell))
		return PTR_ERR(entry->bell);
	if (i && entry[-1].member == member && entry[-1].bell == entry->bell) {
		waiter->nr_entries--;
		if (entry->file)
			fput(entry->file);
	}
	return 0;
}

static int make_waiter(struct shmchan_waiter *waiter, struct file *file,
		       const struct shmchan_wait_elem *elems)
{
	struct shmchan_wait_entry *entry = NULL;
	u32 i;
	int ret;

	for (i = 0; i < waiter->nr_conds; i++) {
		if (!i || elems[i].fd != elems[i - 1].fd ||
		    elems[i].doorbell != elems[i - 1].doorbell) {
			ret = make_entry(waiter, file, i, &elems[i]);
			if (ret)
				return ret;
			entry = &waiter->entries[waiter->nr_entries - 1];
		}
		ret = make_cond(&waiter->conds[i], entry->member, &elems[i]);
		if (ret)
			return ret;
		entry->nr++;
	}
	return 0;
}

static void put_entries(struct shmchan_waiter *waiter)
{
	u32 i;

	for (i = 0; i < waiter->nr_entries; i++)
		if (waiter->entries[i].file)
			fput(waiter->entries[i].file);
}

static void dequeue_entry(struct shmchan_wait_entry *entry)
{
	struct shmchan_member *member = entry->member;
	struct shmchan_bell *bell = entry->bell;

	/* Even off the queue: a waker may still be at it, under the lock. */
	spin_lock(&bell->lock);
	if (!list_empty(&entry->bell_node)) {
		list_del(&entry->bell_node);
		bell->nr_waits--;
		publish_waiters(bell);
	}
	spin_unlock(&bell->lock);

	spin_lock(&member->lock);
	list_del(&entry->member_node);
	if (bell->owner == SHMCHAN_SLOT_SHARED)
		member->nr_shared -= entry->nr;
	spin_unlock(&member->lock);
}

static int enqueue_entry(struct shmchan_wait_entry *entry)
{
	struct shmchan_member *member = entry->member;
	struct shmchan_bell *bell = entry->bell;
	bool shared = bell->owner == SHMCHAN_SLOT_SHARED;
	int ret = 0;

	spin_lock(&member->lock);
	/* Pairs with shmchan_bells_end(): ENDED is set before it looks. */
	if (READ_ONCE(member->state) != SHMCHAN_BOUND)
		ret = -ESTALE;
	else if (shared && member->nr_shared + entry->nr > SHMCHAN_MAX_SHARED)
		ret = -EUSERS;
	if (!ret) {
		list_add(&entry->member_node, &member->waits);
		if (shared)
			member->nr_shared += entry->nr;
	}
	spin_unlock(&member->lock);
	if (ret)
		return ret;

	spin_lock(&bell->lock);
	if (!shared && bell->nr_waits >= SHMCHAN_MAX_WAITERS) {
		ret = -EUSERS;
	} else {
		list_add_tail(&entry->bell_node, &bell->waits);
		bell->nr_waits++;
		publish_waiters(bell);
	}
	spin_unlock(&bell->lock);
	if (ret)
		dequeue_entry(entry);
	return ret;
}

/* Sleep until a condition changes; the entries are queued. */
static int sleep_waiter(struct shmchan_waiter *waiter, ktime_t *deadline)
{
	bool timed_out = false;
	int index, ret;

	for (;;) {
		/*
		 * A full barrier, between raising the count in
		 * enqueue_entry() and reading the words: pairs with the
		 * producer's, between its store and its load of the count.
		 */
		set_current_state(TASK_INTERRUPTIBLE);
		ret = 0;
		if (READ_ONCE(waiter->woken))
			break;
		if (READ_ONCE(waiter->stale)) {
			ret = -ESTALE;
			break;
		}
		index = first_changed(waiter, 0, waiter->nr_conds);
		if (index >= 0) {
			waiter->index = index;
			break;
		}
		ret = -ETIMEDOUT;
		if (timed_out)
			break;
		ret = -ERESTARTSYS;
		if (signal_pending(current))
			break;
		timed_out = !schedule_hrtimeout_range(deadline,
						      current->timer_slack_ns,
						      HRTIMER_MODE_ABS);
	}
	__set_current_state(TASK_RUNNING);
	return ret;
}

static int run_waiter(struct shmchan_waiter *waiter, ktime_t *deadline)
{
	int index, ret = 0;
	u32 i;

	/* What has changed already costs no queue, no count and no barrier. */
	index = first_changed(waiter, 0, waiter->nr_conds);
	if (index >= 0) {
		waiter->index = index;
		return 0;
	}
	waiter->task = current;
	for (i = 0; i < waiter->nr_entries && !ret; i++)
		ret = enqueue_entry(&waiter->entries[i]);
	if (ret)
		i--;
	else
		ret = sleep_waiter(waiter, deadline);
	while (i--)
		dequeue_entry(&waiter->entries[i]);

	if (waiter->woken && (waiter->stale || fatal_signal_pending(current))) {
		/* Chosen by a ring, and no use to it: let it choose another. */
		shmchan_bell_ring(waiter->chosen, 1);
		return waiter->stale ? -ESTALE : -EINTR;
	}
	if (waiter->stale)
		return -ESTALE;
	/* A ring that chose us must not be lost to a timeout or a signal. */
	return waiter->woken ? 0 : ret;
}

static int do_wait(struct file *file, struct shmchan_wait *w)
{
	struct shmchan_waiter waiter = { .nr_conds = w->nr_elems };
	ktime_t deadline = w->deadline;
	struct shmchan_wait_elem *elems;
	struct shmchan_wait_few few;
	void *many = NULL;
	int ret;

	ret = shmchan_member_check(file->private_data, SHMCHAN_WAIT_RIGHTS);
	if (ret)
		return ret;
	if (w->flags || w->reserved || w->clockid != CLOCK_MONOTONIC ||
	    !w->nr_elems || w->deadline > SHMCHAN_FOREVER)
		return -EINVAL;
	if (w->nr_elems > SHMCHAN_MAX_ELEMS)
		return -E2BIG;
	if (w->deadline != SHMCHAN_FOREVER)
		deadline = shmchan_timens_to_host(deadline);

	elems = few.elems;
	waiter.conds = few.conds;
	waiter.entries = few.entries;
	if (w->nr_elems > SHMCHAN_FEW_ELEMS) {
		many = kvmalloc_array(w->nr_elems, sizeof(*elems) +
				      sizeof(*waiter.conds) +
				      sizeof(*waiter.entries),
				      GFP_KERNEL_ACCOUNT);
		if (!many)
			return -ENOMEM;
		waiter.entries = many;
		waiter.conds = (void *)(waiter.entries + w->nr_elems);
		elems = (void *)(waiter.conds + w->nr_elems);
	}
	ret = -EFAULT;
	if (copy_from_user(elems, u64_to_user_ptr(w->elems),
			   w->nr_elems * sizeof(*elems)))
		goto out;
	ret = make_waiter(&waiter, file, elems);
	if (!ret)
		ret = run_waiter(&waiter, w->deadline == SHMCHAN_FOREVER ?
					  NULL : &deadline);
	put_entries(&waiter);
	w->index = waiter.index;
out:
	kvfree(many);
	return ret;
}

/**
 * shmchan_wait_ioctl - SHMCHAN_IOC_WAIT
 * @call: the call
 *
 * Return: see struct shmchan_wait.
 */
int shmchan_wait_ioctl(struct shmchan_call *call)
{
	struct shmchan_wait *w = call->arg;
	int ret;

	ret = do_wait(call->file, w);
	if (ret)
		return ret;
	return shmchan_respond(call, sizeof(*w));
}

static int do_ring(const struct shmchan_member *member, u32 doorbell,
		   u32 max_wake)
{
	struct shmchan_region *region = member->region;

	if (doorbell >= region->nr_bells)
		return -EINVAL;
	/* The kernel's own. */
	if (doorbell == SHMCHAN_DOORBELL_MEMBERS)
		return -EACCES;
	doorbell = array_index_nospec(doorbell, region->nr_bells);
	return shmchan_bell_ring(&region->bells[doorbell], max_wake);
}

/* All or none: every number is checked before the first is rung. */
static int ring_set(const struct shmchan_member *member,
		    const struct shmchan_ring *r)
{
	u32 set[SHMCHAN_MAX_ELEMS];
	u32 i, woken = 0;

	if (r->doorbell || !r->nr_doorbells)
		return -EINVAL;
	if (r->nr_doorbells > ARRAY_SIZE(set))
		return -E2BIG;
	if (copy_from_user(set, u64_to_user_ptr(r->doorbells),
			   r->nr_doorbells * sizeof(set[0])))
		return -EFAULT;
	for (i = 0; i < r->nr_doorbells; i++) {
		if (set[i] >= member->region->nr_bells)
			return -EINVAL;
		if (set[i] == SHMCHAN_DOORBELL_MEMBERS)
			return -EACCES;
	}
	for (i = 0; i < r->nr_doorbells; i++) {
		woken += do_ring(member, set[i], r->max_wake);
		cond_resched();
	}
	return woken;
}

/**
 * shmchan_ring_ioctl - SHMCHAN_IOC_RING
 * @call: the call
 *
 * Return: see struct shmchan_ring.
 */
int shmchan_ring_ioctl(struct shmchan_call *call)
{
	const struct shmchan_member *member = call->file->private_data;
	struct shmchan_ring *r = call->arg;
	int ret;

	ret = shmchan_member_check(member, SHMCHAN_RIGHT_RING);
	if (ret)
		return ret;
	if (r->flags & ~SHMCHAN_RING_SET)
		return -EINVAL;
	if (r->flags & SHMCHAN_RING_SET)
		ret = ring_set(member, r);
	else if (r->doorbells || r->nr_doorbells)
		ret = -EINVAL;
	else
		ret = do_ring(member, r->doorbell, r->max_wake);
	if (ret < 0)
		return ret;
	r->woken = ret;
	return shmchan_respond(call, sizeof(*r));
}

/**
 * shmchan_ring_wait_ioctl - SHMCHAN_IOC_RING_WAIT
 * @call: the call
 *
 * Return: see struct shmchan_ring_wait.
 */
int shmchan_ring_wait_ioctl(struct shmchan_call *call)
{
	const struct shmchan_member *member = call->file->private_data;
	struct shmchan_ring_wait *rw = call->arg;
	int ret;

	ret = shmchan_member_check(member, SHMCHAN_RIGHT_RING);
	if (ret)
		return ret;
	if (rw->flags || rw->wait.size != sizeof(rw->wait))
		return -EINVAL;
	ret = do_ring(member, rw->doorbell, rw->max_wake);
	if (ret < 0)
		return ret;
	ret = do_wait(call->file, &rw->wait);
	/* A restart would ring again. */
	if (ret == -ERESTARTSYS)
		return -EINTR;
	if (ret)
		return ret;
	return shmchan_respond(call, sizeof(*rw));
}

static struct shmchan_sub *find_sub(struct shmchan_member *member, u32 doorbell)
{
	struct shmchan_sub *sub;

	lockdep_assert_held(&member->lock);
	list_for_each_entry(sub, &member->subs, member_node)
		if (sub->doorbell == doorbell)
			return sub;
	return NULL;
}

/* -ENOENT if there is no such subscription any more. */
static int set_armed(struct shmchan_member *member, u32 doorbell, bool armed)
{
	struct shmchan_sub *sub;

	spin_lock(&member->lock);
	sub = find_sub(member, doorbell);
	if (sub) {
		struct shmchan_bell *bell = sub->bell;

		spin_lock(&bell->lock);
		if (sub->armed != armed) {
			sub->armed = armed;
			bell->nr_armed += armed ? 1 : -1;
			publish_waiters(bell);
		}
		spin_unlock(&bell->lock);
	}
	spin_unlock(&member->lock);
	return sub ? 0 : -ENOENT;
}

/* Elements of ARM: of this file and this doorbell. */
static int make_arm_conds(const struct shmchan_member *member,
			  const struct shmchan_arm *a,
			  struct shmchan_cond *conds)
{
	const struct shmchan_wait_elem __user *uelems =
		u64_to_user_ptr(a->elems);
	struct shmchan_wait_elem elem;
	u32 i;
	int ret;

	for (i = 0; i < a->nr_elems; i++) {
		if (copy_from_user(&elem, &uelems[i], sizeof(elem)))
			return -EFAULT;
		if (elem.fd != -1 || elem.doorbell != a->doorbell)
			return -EINVAL;
		ret = make_cond(&conds[i], member, &elem);
		if (ret)
			return ret;
	}
	return 0;
}

static int do_arm(struct shmchan_member *member, const struct shmchan_arm *a,
		  const struct shmchan_cond *conds)
{
	u32 i;
	int ret;

	ret = set_armed(member, a->doorbell, true);
	if (ret)
		return ret;
	/*
	 * Between raising the count and reading the words: pairs with the
	 * producer's, between its store and its load of the count.
	 */
	smp_mb();
	/*
	 * It stays armed: another thread of the member may count on that, and
	 * one ring too many is all it costs.
	 */
	for (i = 0; i < a->nr_elems; i++)
		if (cond_changed(&conds[i]))
			return -EAGAIN;
	return 0;
}

/**
 * shmchan_arm_ioctl - SHMCHAN_IOC_ARM
 * @call: the call
 *
 * Return: see struct shmchan_arm.
 */
int shmchan_arm_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	const struct shmchan_arm *a = call->arg;
	struct shmchan_cond few[SHMCHAN_FEW_ELEMS];
	struct shmchan_cond *conds = few;
	struct shmchan_bell *bell;
	int ret;

	ret = shmchan_member_check(member, SHMCHAN_WAIT_RIGHTS);
	if (ret)
		return ret;
	if (a->flags & ~SHMCHAN_ARM_DISARM)
		return -EINVAL;
	if (a->nr_elems > SHMCHAN_MAX_ELEMS)
		return -E2BIG;
	bell = get_bell(member, a->doorbell);
	if (IS_ERR(bell))
		return PTR_ERR(bell);
	if (a->flags & SHMCHAN_ARM_DISARM)
		return a->nr_elems ? -EINVAL :
				     set_armed(member, a->doorbell, false);

	if (a->nr_elems > ARRAY_SIZE(few)) {
		conds = kmalloc_array(a->nr_elems, sizeof(*conds),
				      GFP_KERNEL_ACCOUNT);
		if (!conds)
			return -ENOMEM;
	}
	ret = make_arm_conds(member, a, conds);
	if (!ret)
		ret = do_arm(member, a, conds);
	if (conds != few)
		kfree(conds);
	return ret;
}

static int add_sub(struct shmchan_member *member, struct shmchan_bell *bell,
		   u32 doorbell)
{
	struct shmchan_sub *sub;
	int ret = 0;

	sub = kzalloc(sizeof(*sub), GFP_KERNEL_ACCOUNT);
	if (!sub)
		return -ENOMEM;
	sub->member = member;
	sub->bell = bell;
	sub->doorbell = doorbell;

	spin_lock(&member->lock);
	/* Pairs with shmchan_bells_end(): ENDED is set before it looks. */
	if (READ_ONCE(member->state) != SHMCHAN_BOUND)
		ret = -ESTALE;
	else if (find_sub(member, doorbell))
		ret = -EEXIST;
	else if (member->nr_subs >= SHMCHAN_MAX_SUBS)
		ret = -EUSERS;
	if (ret)
		goto out;

	/* One for each member at most, so the doorbell needs no bound. */
	spin_lock(&bell->lock);
	list_add_tail(&sub->bell_node, &bell->subs);
	sub->seen = bell->seq;
	spin_unlock(&bell->lock);
	list_add_tail(&sub->member_node, &member->subs);
	member->nr_subs++;
out:
	spin_unlock(&member->lock);
	if (ret)
		kfree(sub);
	return ret;
}

static int remove_sub(struct shmchan_member *member, u32 doorbell)
{
	struct shmchan_sub *sub;

	spin_lock(&member->lock);
	sub = find_sub(member, doorbell);
	if (sub) {
		list_del(&sub->member_node);
		member->nr_subs--;
	}
	spin_unlock(&member->lock);
	if (!sub)
		return -ENOENT;
	sub_free(sub);
	return 0;
}

/**
 * shmchan_subscribe_ioctl - SHMCHAN_IOC_SUBSCRIBE
 * @call: the call
 *
 * Return: see struct shmchan_subscribe.
 */
int shmchan_subscribe_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	const struct shmchan_subscribe *s = call->arg;
	struct shmchan_bell *bell;
	int ret;

	ret = shmchan_member_check(member, SHMCHAN_RIGHT_WAIT);
	if (ret)
		return ret;
	if (s->flags & ~SHMCHAN_SUBSCRIBE_END || s->reserved)
		return -EINVAL;
	bell = get_bell(member, s->doorbell);
	if (IS_ERR(bell))
		return PTR_ERR(bell);
	if (s->flags & SHMCHAN_SUBSCRIBE_END)
		return remove_sub(member, s->doorbell);
	return add_sub(member, bell, s->doorbell);
}

/**
 * shmchan_member_poll - readable: a doorbell subscribed to has been rung
 * @file: a capability
 * @table: who polls
 *
 * Return: EPOLLERR before JOIN; EPOLLHUP too once the member has ended.
 */
__poll_t shmchan_member_poll(struct file *file, poll_table *table)
{
	struct shmchan_member *member = file->private_data;
	struct shmchan_sub *sub;
	__poll_t mask = 0;
	u32 state;

	poll_wait(file, &member->poll, table);
	/* pairs with the release in shmchan_member_join() */
	state = smp_load_acquire(&member->state);
	if (state == SHMCHAN_ENDED)
		return EPOLLIN | EPOLLERR | EPOLLHUP;
	if (state != SHMCHAN_BOUND)
		return EPOLLERR;

	spin_lock(&member->lock);
	list_for_each_entry(sub, &member->subs, member_node) {
		if (READ_ONCE(sub->bell->seq) != sub->seen) {
			mask = EPOLLIN | EPOLLRDNORM;
			break;
		}
	}
	spin_unlock(&member->lock);
	return mask;
}

/*
 * Up to @max events that are pending, and what each doorbell's sequence number
 * was; nothing is marked as seen yet.
 */
static u32 peek_events(struct shmchan_member *member,
		       struct shmchan_event *events, u64 *seqs, u32 max)
{
	struct shmchan_sub *sub;
	u32 nr = 0;

	spin_lock(&member->lock);
	list_for_each_entry(sub, &member->subs, member_node) {
		if (nr == max)
			break;
		seqs[nr] = READ_ONCE(sub->bell->seq);
		if (seqs[nr] == sub->seen)
			continue;
		events[nr] = (struct shmchan_event) {
			.doorbell = sub->doorbell,
			.count = seqs[nr] - sub->seen,
		};
		nr++;
	}
	spin_unlock(&member->lock);
	return nr;
}

/* The reader has them: read_lock kept others from taking them meanwhile. */
static void mark_seen(struct shmchan_member *member,
		      const struct shmchan_event *events, const u64 *seqs,
		      u32 nr)
{
	struct shmchan_sub *sub;
	u32 i;

	spin_lock(&member->lock);
	for (i = 0; i < nr; i++) {
		sub = find_sub(member, events[i].doorbell);
		/* Not if it was ended and made anew: that has seen more. */
		if (!sub || (s64)(seqs[i] - sub->seen) <= 0)
			continue;
		sub->seen = seqs[i];
		/* Next time the others come first. */
		list_move_tail(&sub->member_node, &member->subs);
	}
	spin_unlock(&member->lock);
}

/**
 * shmchan_member_read - which doorbells were rung, and how often
 * @iocb: of a member's file
 * @to: room for struct shmchan_event, as many as fit
 *
 * Return: bytes, or -EAGAIN, -EINVAL, -EFAULT, -EINTR, and what a member's
 * calls give.
 */
ssize_t shmchan_member_read(struct kiocb *iocb, struct iov_iter *to)
{
	struct shmchan_member *member = iocb->ki_filp->private_data;
	struct shmchan_event events[SHMCHAN_FEW_EVENTS];
	u64 seqs[SHMCHAN_FEW_EVENTS];
	ssize_t done = 0;
	int ret;
	u32 nr;

	ret = shmchan_member_check(member, SHMCHAN_RIGHT_WAIT);
	if (ret)
		return ret;
	if (iov_iter_count(to) < sizeof(events[0]))
		return -EINVAL;

	/* Whoever holds it may sleep in a fault for as long as it likes. */
	if (mutex_lock_interruptible(&member->read_lock))
		return -EINTR;
	do {
		nr = min_t(size_t, iov_iter_count(to) / sizeof(events[0]),
			   ARRAY_SIZE(events));
		nr = peek_events(member, events, seqs, nr);
		if (!nr)
			break;
		if (copy_to_iter(events, nr * sizeof(events[0]), to) !=
		    nr * sizeof(events[0])) {
			ret = -EFAULT;
			break;
		}
		mark_seen(member, events, seqs, nr);
		done += nr * sizeof(events[0]);
	} while (nr == ARRAY_SIZE(events));
	mutex_unlock(&member->read_lock);

	if (done)
		return done;
	return ret ? ret : -EAGAIN;
}
