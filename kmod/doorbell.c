// SPDX-License-Identifier: GPL-2.0-only
/*
 * Doorbells: sleeping until a word changes, and waking who sleeps.  For who
 * sleeps elsewhere, in poll and its like, see subscribe.c.  Requests of io_uring
 * wait here as threads do; what is peculiar to them is in uring.c.
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

#include "compat.h"
#include "doorbell.h"
#include "shmchan.h"

/* Conditions that a ring evaluates before it lets go of the lock. */
#define SHMCHAN_RING_BATCH	256
/* Sleepers that are told of the end before the same. */
#define SHMCHAN_END_BATCH	256

/* What WAIT needs memory for; on the stack if there are few elements. */
struct shmchan_wait_few {
	struct shmchan_wait_elem elems[SHMCHAN_FEW_ELEMS];
	struct shmchan_cond conds[SHMCHAN_FEW_ELEMS];
	struct shmchan_wait_entry entries[SHMCHAN_FEW_ELEMS];
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

/* Once for each reason; under the lock of an entry's bell or member. */
static void wake_waiter(struct shmchan_waiter *waiter)
{
	if (likely(waiter->task))
		wake_up_process(waiter->task);
	else
		shmchan_uring_wake(waiter);
}

/* Returns whether it was this ring that woke the sleeper. */
static bool wake_entry(struct shmchan_wait_entry *entry)
{
	struct shmchan_waiter *waiter = entry->waiter;
	struct shmchan_bell *bell = entry->bell;
	int index;
	bool won;

	lockdep_assert_held(&bell->lock);
	index = shmchan_first_changed(waiter, entry->first, entry->nr);
	if (index < 0)
		return false;
	list_del_init(&entry->bell_node);
	bell->nr_waits--;
	/* One whose task comes late would keep another asleep meanwhile. */
	if (unlikely(!waiter->task) &&
	    (READ_ONCE(waiter->stale) || shmchan_uring_gone(waiter)))
		return false;
	/* Another doorbell of the same sleeper may have been quicker. */
	won = !cmpxchg(&waiter->woken, 0, 1);
	if (won) {
		waiter->index = index;
		waiter->chosen = bell;
		wake_waiter(waiter);
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
	struct shmchan_wait_entry mark shmchan_uninitialized;
	struct shmchan_wait_entry *entry;
	struct list_head *pos, *next;
	u32 woken = 0, nr = 0;
	u32 left;

	spin_lock(&bell->lock);
	WRITE_ONCE(bell->seq, bell->seq + 1);
	WRITE_ONCE(bell->status->seq, bell->seq);
	if (!list_empty(&bell->subs))
		shmchan_subs_ring(bell);
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
		mark.waiter = NULL;
		list_add_tail(&mark.bell_node, next);
		shmchan_publish_waiters(bell);
		spin_unlock(&bell->lock);
		cond_resched();
		spin_lock(&bell->lock);
		next = mark.bell_node.next;
		list_del(&mark.bell_node);
	}
	shmchan_publish_waiters(bell);
	spin_unlock(&bell->lock);
	return woken;
}

/* No ring finds it any more, and none is at it any more. */
static void unqueue_entry(struct shmchan_wait_entry *entry)
{
	struct shmchan_bell *bell = entry->bell;

	/* Even off the queue: a waker may still be at it, under the lock. */
	spin_lock(&bell->lock);
	if (!list_empty(&entry->bell_node)) {
		list_del_init(&entry->bell_node);
		bell->nr_waits--;
		shmchan_publish_waiters(bell);
	}
	spin_unlock(&bell->lock);
}

/**
 * shmchan_bells_end - a member that ended waits for nothing any more
 * @member: in state ENDED or REVOKED; may be called again
 *
 * Its calls that sleep return -ESTALE, its subscriptions go.
 */
void shmchan_bells_end(struct shmchan_member *member)
{
	struct shmchan_wait_entry *entry, mark = {};
	u32 nr = 0;

	/* They only become fewer. */
	spin_lock(&member->lock);
	list_for_each_entry(entry, &member->waits, member_node) {
		if (!entry->waiter)
			continue;
		WRITE_ONCE(entry->waiter->stale, true);
		/* A task comes to take it off; a request may be left lying. */
		if (!entry->waiter->task)
			unqueue_entry(entry);
		wake_waiter(entry->waiter);
		if (++nr % SHMCHAN_END_BATCH)
			continue;
		list_add(&mark.member_node, &entry->member_node);
		spin_unlock(&member->lock);
		cond_resched();
		spin_lock(&member->lock);
		entry = list_prev_entry(&mark, member_node);
		list_del(&mark.member_node);
	}
	spin_unlock(&member->lock);
	shmchan_subs_end(member);
}

/**
 * shmchan_get_bell - a doorbell that a member may wait on
 * @member: bound
 * @doorbell: its number, unchecked
 *
 * Return: it, or an ERR_PTR() of -EINVAL or -EACCES.
 */
struct shmchan_bell *shmchan_get_bell(const struct shmchan_member *member,
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

/*
 * Where the kernel sees a word that a member may wait for, in an area, aligned;
 * or an ERR_PTR().
 *
 * Areas and what a capability reaches are of whole pages, and a member's terms
 * do not change; so a page that was found once need not be checked again.  The
 * few last ones are remembered: index and frame number in one word, so that
 * threads need no lock.
 */
static const void *word_at(struct shmchan_member *member, u64 offset, u32 width)
{
	u64 index = offset >> PAGE_SHIFT;
	u64 *recent = &member->recent[index % ARRAY_SIZE(member->recent)];
	u64 known = READ_ONCE(*recent);
	const void *word;
	u64 pfn;

	if (known && known >> 32 == index)
		return pfn_to_kaddr(known & U32_MAX) + offset_in_page(offset);
	if (shmchan_memory_area(member->region, offset, width))
		return ERR_PTR(-EINVAL);
	if (!shmchan_terms_cover(member, offset, width))
		return ERR_PTR(-EACCES);
	word = shmchan_memory_at(member->region, offset);
	pfn = page_to_pfn(virt_to_page(word));
	if (!(pfn >> 32) && !(index >> 32))
		WRITE_ONCE(*recent, index << 32 | pfn);
	return word;
}

/**
 * shmchan_make_cond - check the word of an element, and find it
 * @cond: filled in
 * @member: whose region the word is in
 * @elem: as user space gave it; its fd and doorbell are the caller's to check
 *
 * Waiting tells what a word is, so the caller has checked SHMCHAN_WAIT_RIGHTS.
 *
 * Return: 0, -EINVAL or -EACCES.
 */
int shmchan_make_cond(struct shmchan_cond *cond, struct shmchan_member *member,
		      const struct shmchan_wait_elem *elem)
{
	u32 width = elem->flags & SHMCHAN_ELEM_32 ? 4 : 8;

	if (elem->flags & ~SHMCHAN_ELEM_32 || elem->reserved)
		return -EINVAL;
	if (!IS_ALIGNED(elem->offset, width))
		return -EINVAL;
	if (width == 4 && (elem->value >> 32 || elem->mask >> 32))
		return -EINVAL;
	cond->word = word_at(member, elem->offset, width);
	if (IS_ERR(cond->word))
		return PTR_ERR(cond->word);
	cond->mask = elem->mask;
	cond->value = elem->value & elem->mask;
	cond->is32 = width == 4;
	return 0;
}

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
	/* From here on shmchan_waiter_put() gives the file back. */
	waiter->nr_entries++;
	INIT_LIST_HEAD(&entry->bell_node);
	INIT_LIST_HEAD(&entry->member_node);
	entry->waiter = waiter;
	entry->first = i;
	entry->nr = 0;
	if (file->f_op != &shmchan_member_fops)
		return -EBADF;
	member = file->private_data;
	/* Again: reading the elements may have taken until after its end. */
	ret = shmchan_member_check(member, SHMCHAN_WAIT_RIGHTS);
	if (ret)
		return ret;
	entry->member = member;
	entry->bell = shmchan_get_bell(member, elem->doorbell);
	if (IS_ERR(entry->bell))
		return PTR_ERR(entry->bell);
	if (i && entry[-1].member == member && entry[-1].bell == entry->bell) {
		waiter->nr_entries--;
		if (entry->file)
			fput(entry->file);
	}
	return 0;
}

/**
 * shmchan_waiter_make - check what is waited for, and find it
 * @waiter: with nr_conds, conds and entries set, and the rest 0
 * @file: of the call
 * @elems: as user space gave them, as many as nr_conds
 *
 * What it has taken until an error as well is for shmchan_waiter_put().
 *
 * Return: 0, or an error of WAIT.
 */
int shmchan_waiter_make(struct shmchan_waiter *waiter, struct file *file,
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
		ret = shmchan_make_cond(&waiter->conds[i], entry->member, &elems[i]);
		if (ret)
			return ret;
		entry->nr++;
	}
	return 0;
}

/**
 * shmchan_waiter_put - give back what keeps the members
 * @waiter: on no queue
 */
void shmchan_waiter_put(struct shmchan_waiter *waiter)
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

	unqueue_entry(entry);
	spin_lock(&member->lock);
	list_del(&entry->member_node);
	if (bell->owner == SHMCHAN_SLOT_SHARED)
		member->nr_shared -= entry->nr;
	if (!entry->waiter->task)
		member->nr_async--;
	spin_unlock(&member->lock);
}

static int enqueue_entry(struct shmchan_wait_entry *entry)
{
	struct shmchan_member *member = entry->member;
	struct shmchan_bell *bell = entry->bell;
	bool shared = bell->owner == SHMCHAN_SLOT_SHARED;
	bool async = !entry->waiter->task;
	int ret = 0;

	spin_lock(&member->lock);
	/* Pairs with shmchan_bells_end(): ENDED is set before it looks. */
	if (READ_ONCE(member->state) != SHMCHAN_BOUND)
		ret = -ESTALE;
	else if (shared && member->nr_shared + entry->nr > SHMCHAN_MAX_SHARED)
		ret = -EUSERS;
	/* They last until their submitter has taken what they result in. */
	else if (async && member->nr_async >= SHMCHAN_MAX_ASYNC)
		ret = -EUSERS;
	if (!ret) {
		list_add(&entry->member_node, &member->waits);
		if (shared)
			member->nr_shared += entry->nr;
		if (async)
			member->nr_async++;
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
		shmchan_publish_waiters(bell);
	}
	spin_unlock(&bell->lock);
	if (ret)
		dequeue_entry(entry);
	return ret;
}

/**
 * shmchan_waiter_enqueue - queue up at every doorbell, and be counted there
 * @waiter: made, and its task set
 *
 * Return: 0, -ESTALE or -EUSERS; then it is on no queue.
 */
int shmchan_waiter_enqueue(struct shmchan_waiter *waiter)
{
	int ret;
	u32 i;

	for (i = 0; i < waiter->nr_entries; i++) {
		ret = enqueue_entry(&waiter->entries[i]);
		if (ret)
			goto err;
	}
	return 0;

err:
	while (i--)
		dequeue_entry(&waiter->entries[i]);
	return ret;
}

/**
 * shmchan_waiter_dequeue - the opposite; nobody is at it afterwards
 * @waiter: enqueued
 */
void shmchan_waiter_dequeue(struct shmchan_waiter *waiter)
{
	u32 i = waiter->nr_entries;

	while (i--)
		dequeue_entry(&waiter->entries[i]);
}

/**
 * shmchan_waiter_end - what a wait results in
 * @waiter: on no queue any more
 * @found: a condition that it has seen changed itself, or -1
 * @ret: what if neither that nor a ring
 * @dying: it does not come back to look
 *
 * Return: 0: waiter->index says which; or an error.
 */
int shmchan_waiter_end(struct shmchan_waiter *waiter, int found, int ret,
		       bool dying)
{
	if (waiter->woken && (waiter->stale || dying)) {
		/* Chosen by a ring, and no use to it: let it choose another. */
		shmchan_bell_ring(waiter->chosen, 1);
		return waiter->stale ? -ESTALE : -EINTR;
	}
	if (waiter->stale)
		return -ESTALE;
	/*
	 * A ring that chose us must not be lost to a timeout or a signal, and with
	 * it comes an item that is ours to take: so its index is the one to tell.
	 */
	if (waiter->woken)
		return 0;
	if (found < 0)
		return ret;
	waiter->index = found;
	return 0;
}

/*
 * Sleep until a condition changes; the entries are queued.  @found: a condition
 * that we saw changed ourselves.  What a ring found is its own to write.
 */
static int sleep_waiter(struct shmchan_waiter *waiter, ktime_t *deadline,
			int *found)
{
	bool timed_out = false;
	int ret;

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
		*found = shmchan_waiter_changed(waiter);
		if (*found >= 0)
			break;
		ret = -EAGAIN;
		if (shmchan_waiter_asym(waiter))
			break;
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

/* Wait for what a first look has not found. */
static int run_waiter(struct shmchan_waiter *waiter, ktime_t *deadline)
{
	int found = -1, ret;

	waiter->task = current;
	ret = shmchan_waiter_enqueue(waiter);
	if (!ret) {
		ret = sleep_waiter(waiter, deadline, &found);
		shmchan_waiter_dequeue(waiter);
	}
	return shmchan_waiter_end(waiter, found, ret,
				  fatal_signal_pending(current));
}

/* Is what is asked for sound, but for its elements? */
static int wait_sound(const struct shmchan_wait *w)
{
	if (w->flags & ~SHMCHAN_WAIT_FENCED || w->reserved || w->clockid != CLOCK_MONOTONIC ||
	    !w->nr_elems || w->deadline > SHMCHAN_FOREVER)
		return -EINVAL;
	return w->nr_elems > SHMCHAN_MAX_ELEMS ? -E2BIG : 0;
}

/**
 * shmchan_wait_check - may it wait, and may it wait so?
 * @member: whose file the call is on
 * @w: as user space gave it; its elements are not looked at
 *
 * Return: 0, an error of shmchan_member_check(), -EINVAL or -E2BIG.
 */
int shmchan_wait_check(const struct shmchan_member *member,
		       const struct shmchan_wait *w)
{
	int ret;

	ret = shmchan_member_check(member, SHMCHAN_WAIT_RIGHTS);
	return ret ? ret : wait_sound(w);
}

/* One word of the caller's own region, which is what most wait for. */
static int wait_for_one(struct shmchan_member *member, struct shmchan_wait *w,
			const struct shmchan_wait_elem *elem, ktime_t *deadline)
{
	struct shmchan_wait_entry entry shmchan_uninitialized;
	struct shmchan_waiter waiter shmchan_uninitialized;
	struct shmchan_cond cond shmchan_uninitialized;
	struct shmchan_bell *bell;
	int ret;

	/* Reading the element may have taken until after its end. */
	if (READ_ONCE(member->state) != SHMCHAN_BOUND)
		return -ESTALE;
	bell = shmchan_get_bell(member, elem->doorbell);
	if (IS_ERR(bell))
		return PTR_ERR(bell);
	ret = shmchan_make_cond(&cond, member, elem);
	if (ret)
		return ret;
	w->index = 0;
	if (shmchan_cond_changed(&cond))
		return 0;
	entry = (struct shmchan_wait_entry) {
		.waiter = &waiter,
		.member = member,
		.bell = bell,
		.nr = 1,
	};
	INIT_LIST_HEAD(&entry.bell_node);
	INIT_LIST_HEAD(&entry.member_node);
	waiter = (struct shmchan_waiter) {
		.fenced = w->flags & SHMCHAN_WAIT_FENCED,
		.nr_conds = 1,
		.nr_entries = 1,
		.conds = &cond,
		.entries = &entry,
	};
	return run_waiter(&waiter, deadline);
}

/* Any number of them, of any regions. */
static noinline int wait_for_many(struct file *file, struct shmchan_wait *w,
				  ktime_t *deadline)
{
	struct shmchan_waiter waiter = {
		.fenced = w->flags & SHMCHAN_WAIT_FENCED,
		.nr_conds = w->nr_elems,
	};
	struct shmchan_wait_few few shmchan_uninitialized;
	struct shmchan_wait_elem *elems;
	void *many = NULL;
	int index, ret;

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
	ret = shmchan_waiter_make(&waiter, file, elems);
	if (!ret) {
		/* What has changed already costs no queue and no barrier. */
		index = shmchan_waiter_changed(&waiter);
		if (index < 0)
			ret = run_waiter(&waiter, deadline);
		else
			waiter.index = index;
	}
	shmchan_waiter_put(&waiter);
	w->index = waiter.index;
out:
	kvfree(many);
	return ret;
}

/* The member has been found to be one; its rights have not been looked at. */
static int do_wait(struct file *file, struct shmchan_wait *w)
{
	struct shmchan_member *member = file->private_data;
	struct shmchan_wait_elem elem shmchan_uninitialized;
	ktime_t deadline = w->deadline, *until = NULL;
	int ret;

	if (SHMCHAN_WAIT_RIGHTS & ~member->terms.rights)
		return -EACCES;
	ret = wait_sound(w);
	if (ret)
		return ret;
	if (w->deadline != SHMCHAN_FOREVER) {
		deadline = shmchan_timens_to_host(deadline);
		until = &deadline;
	}
	if (w->nr_elems > 1)
		return wait_for_many(file, w, until);
	if (!shmchan_copy_words(&elem, u64_to_user_ptr(w->elems), sizeof(elem)))
		return -EFAULT;
	if (elem.fd != -1)
		return wait_for_many(file, w, until);
	return wait_for_one(member, w, &elem, until);
}

/**
 * shmchan_wait_call - SHMCHAN_IOC_WAIT
 * @file: it was called on
 * @w: what was asked, and the answer
 *
 * Return: see struct shmchan_wait.
 */
int shmchan_wait_call(struct file *file, struct shmchan_wait *w)
{
	int ret = shmchan_member_check(file->private_data, SHMCHAN_WAIT_RIGHTS);

	return ret ? ret : do_wait(file, w);
}

/**
 * shmchan_ring_one - ring by number
 * @member: who rings; it may
 * @doorbell: unchecked
 * @max_wake: wake at most so many sleepers; 0: all
 *
 * Return: how many were woken, -EINVAL or -EACCES.
 */
int shmchan_ring_one(const struct shmchan_member *member, u32 doorbell,
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
		if (READ_ONCE(member->state) != SHMCHAN_BOUND)
			return -ESTALE;
		woken += shmchan_ring_one(member, set[i], r->max_wake);
		cond_resched();
	}
	return woken;
}

/**
 * shmchan_reads_all - may it read every word that somebody could wait for?
 * @member: bound
 *
 * Return: whether.  If not it is not told how many a ring has woken, since who
 * is woken has seen a word change.
 */
bool shmchan_reads_all(const struct shmchan_member *member)
{
	const struct shmchan_region *region = member->region;

	return member->terms.rights & SHMCHAN_RIGHT_MAP_READ &&
	       member->terms.data.length == region->data_size &&
	       member->terms.control.length == region->control_size;
}

/**
 * shmchan_ring_call - SHMCHAN_IOC_RING
 * @file: it was called on
 * @r: what was asked, and the answer
 *
 * Return: see struct shmchan_ring.
 */
int shmchan_ring_call(struct file *file, struct shmchan_ring *r)
{
	const struct shmchan_member *member = file->private_data;
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
		ret = shmchan_ring_one(member, r->doorbell, r->max_wake);
	if (ret < 0)
		return ret;
	/* Who is woken has seen a word change. */
	r->woken = shmchan_reads_all(member) ? ret : 0;
	return 0;
}

/**
 * shmchan_ring_wait_call - SHMCHAN_IOC_RING_WAIT
 * @file: it was called on
 * @rw: what was asked, and the answer
 *
 * Return: see struct shmchan_ring_wait.
 */
int shmchan_ring_wait_call(struct file *file, struct shmchan_ring_wait *rw)
{
	const struct shmchan_member *member = file->private_data;
	int ret;

	ret = shmchan_member_check(member, SHMCHAN_RIGHT_RING);
	if (ret)
		return ret;
	if (rw->flags || rw->wait.size != sizeof(rw->wait))
		return -EINVAL;
	ret = shmchan_ring_one(member, rw->doorbell, rw->max_wake);
	if (ret < 0)
		return ret;
	/*
	 * Hand over: whoever was woken and is to run here runs now.  When it
	 * comes back the answer may be there, and nobody has to sleep for it.
	 */
	shmchan_give_way();
	ret = do_wait(file, &rw->wait);
	/* A restart would ring again. */
	return ret == -ERESTARTSYS ? -EINTR : ret;
}
