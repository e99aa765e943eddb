// SPDX-License-Identifier: GPL-2.0-only
/*
 * Subscriptions: for whoever sleeps in poll, epoll or io_uring.
 *
 * A driver is told when somebody begins to poll, and never when that one goes
 * to sleep; so it cannot count sleepers as WAIT does.  A member subscribes to a
 * doorbell, and each time before it sleeps it arms the subscription: that
 * counts among the waiters until the next ring.  As in WAIT, the count is
 * raised before the words are compared, with a full barrier between.
 *
 * Each subscription that a ring finds wakes who polls that member's file.  That
 * may be thousands, and one of them may be a long chain by itself; whoever rings
 * shall not pay for them, still less under the doorbell's lock.  So a worker wakes
 * them first and looks how long it takes; only from a time that was quick do rings
 * do it themselves, as long as that is so.  Else they do not even take the lock of
 * those who poll, which the worker may hold for long.  A ring that has met with
 * one that was slow leaves all the rest of its own to the workers.
 *
 * What they are told then: see events.c.
 */

#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "doorbell.h"
#include "shmchan.h"

/* Subscriptions that a ring finds before it lets go of the lock. */
#define SHMCHAN_SUB_BATCH	16

/* Was it slow?  Under a spinlock, so that nothing else takes its time. */
static bool wake_pollers(struct shmchan_member *member)
{
	u64 start = local_clock();
	__poll_t key = EPOLLIN | EPOLLRDNORM;
	int nr_exclusive = 1;

	if (READ_ONCE(member->state) >= SHMCHAN_ENDED) {
		/* io_uring takes its word for it, and does not poll again. */
		key |= EPOLLERR | EPOLLHUP;
		/* Nobody can take it off the others: all are to know. */
		nr_exclusive = 0;
	}
	__wake_up(&member->poll, TASK_NORMAL, nr_exclusive, poll_to_key(key));
	return local_clock() - start > SHMCHAN_SLOW_NS;
}

/**
 * shmchan_poll_work - wake all who poll a member's file
 * @work: the member's; it is cancelled before the member is freed
 */
void shmchan_poll_work(struct work_struct *work)
{
	struct shmchan_member *member =
		container_of(work, struct shmchan_member, poll_work);

	spin_lock(&member->poll_busy);
	WRITE_ONCE(member->poll_slow, wake_pollers(member));
	spin_unlock(&member->poll_busy);
}

/**
 * shmchan_poll_wake - the same, a moment later, for the caller not to pay for it
 * @member: which; the caller has a reference, or the lock of its subscription
 */
void shmchan_poll_wake(struct shmchan_member *member)
{
	WRITE_ONCE(member->poll_slow, true);
	queue_work(shmchan_any_cpu_wq, &member->poll_work);
}

/* Was it slow?  Not if it is left to the worker, as it is with @defer. */
static bool ring_pollers(struct shmchan_member *member, bool defer)
{
	bool slow;

	if (defer || READ_ONCE(member->poll_slow)) {
		shmchan_poll_wake(member);
		return false;
	}
	slow = wake_pollers(member);
	WRITE_ONCE(member->poll_slow, slow);
	return slow;
}

/* Doorbell 0 is rung for those who come as well. */
static bool ends_told(struct shmchan_sub *sub)
{
	u64 nr_ends = READ_ONCE(sub->member->region->nr_ends);
	bool told = sub->told == nr_ends;

	sub->told = nr_ends;
	return told;
}

/* The same. */
static bool ring_sub(struct shmchan_sub *sub, bool defer)
{
	lockdep_assert_held(&sub->bell->lock);
	if (sub->eventfd)
		return shmchan_eventfd_ring(sub, defer);
	if (sub->armed) {
		sub->armed = false;
		sub->bell->nr_armed--;
	}
	if (sub->members && ends_told(sub))
		return false;
	return ring_pollers(sub->member, defer);
}

/**
 * shmchan_subs_ring - tell those who subscribed, and disarm them
 * @bell: being rung; the caller publishes the count of waiters after it
 *
 * Lets go of bell->lock on the way.
 */
void shmchan_subs_ring(struct shmchan_bell *bell)
{
	struct shmchan_sub *sub, mark = {}, end = {};
	bool slow = false;
	u32 nr = 0;

	lockdep_assert_held(&bell->lock);
	/* Who comes later has seen what this ring is about. */
	list_add_tail(&end.bell_node, &bell->subs);
	list_for_each_entry(sub, &bell->subs, bell_node) {
		if (sub == &end)
			break;
		if (!sub->member)
			continue;
		if (ring_sub(sub, slow))
			slow = true;
		if (++nr % SHMCHAN_SUB_BATCH)
			continue;
		list_add(&mark.bell_node, &sub->bell_node);
		shmchan_publish_waiters(bell);
		spin_unlock(&bell->lock);
		cond_resched();
		spin_lock(&bell->lock);
		sub = list_prev_entry(&mark, bell_node);
		list_del(&mark.bell_node);
	}
	list_del(&end.bell_node);
}

/* Off its doorbell: no ring finds it any more. */
static void sub_detach(struct shmchan_sub *sub)
{
	struct shmchan_bell *bell = sub->bell;

	spin_lock(&bell->lock);
	list_del(&sub->bell_node);
	if (sub->armed) {
		bell->nr_armed--;
		shmchan_publish_waiters(bell);
	}
	spin_unlock(&bell->lock);
}

/**
 * shmchan_subs_end - a member that ended is told of nothing any more
 * @member: in state ENDED
 */
void shmchan_subs_end(struct shmchan_member *member)
{
	struct shmchan_sub *sub, *next;
	LIST_HEAD(subs);

	spin_lock(&member->lock);
	list_splice_init(&member->subs, &subs);
	member->nr_subs = 0;
	spin_unlock(&member->lock);

	list_for_each_entry_safe(sub, next, &subs, member_node) {
		sub_detach(sub);
		if (sub->eventfd)
			shmchan_eventfd_end(sub);
		else
			kvfree(sub);
		cond_resched();
	}
	shmchan_poll_wake(member);
}

/**
 * shmchan_sub_find - a subscription of a member, or an eventfd that it bound
 * @member: whose; the caller holds its lock
 * @doorbell: to which
 * @bound: with an eventfd?
 *
 * Return: it, or NULL.
 */
struct shmchan_sub *shmchan_sub_find(struct shmchan_member *member,
				     u32 doorbell, bool bound)
{
	struct shmchan_sub *sub;

	lockdep_assert_held(&member->lock);
	list_for_each_entry(sub, &member->subs, member_node)
		if (sub->doorbell == doorbell && !sub->eventfd == !bound)
			return sub;
	return NULL;
}

/* There is no such subscription: any more, if the member has ended meanwhile. */
static int no_sub(const struct shmchan_member *member)
{
	return READ_ONCE(member->state) == SHMCHAN_BOUND ? -ENOENT : -ESTALE;
}

/* -ENOENT or -ESTALE if there is no such subscription any more. */
static int set_armed(struct shmchan_member *member, u32 doorbell, bool armed)
{
	struct shmchan_sub *sub;

	spin_lock(&member->lock);
	sub = shmchan_sub_find(member, doorbell, false);
	if (sub) {
		struct shmchan_bell *bell = sub->bell;

		spin_lock(&bell->lock);
		if (sub->armed != armed) {
			sub->armed = armed;
			bell->nr_armed += armed ? 1 : -1;
			shmchan_publish_waiters(bell);
		}
		spin_unlock(&bell->lock);
	}
	spin_unlock(&member->lock);
	return sub ? 0 : no_sub(member);
}

/* Elements of ARM: of this file and this doorbell. */
static int make_arm_conds(struct shmchan_member *member,
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
		ret = shmchan_make_cond(&conds[i], member, &elem);
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
		if (shmchan_cond_changed(&conds[i]))
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
	bell = shmchan_get_bell(member, a->doorbell);
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

/**
 * shmchan_sub_add - from now on rings tell of themselves
 * @sub: with its member, bell, doorbell, and what it is; armed or not
 *
 * Return: 0, -ESTALE, -EEXIST or -EUSERS; then it is the caller's still.
 */
int shmchan_sub_add(struct shmchan_sub *sub)
{
	struct shmchan_member *member = sub->member;
	struct shmchan_bell *bell = sub->bell;
	int ret = 0;

	spin_lock(&member->lock);
	/* Pairs with shmchan_bells_end(): ENDED is set before it looks. */
	if (READ_ONCE(member->state) != SHMCHAN_BOUND)
		ret = -ESTALE;
	else if (shmchan_sub_find(member, sub->doorbell, sub->eventfd))
		ret = -EEXIST;
	else if (member->nr_subs >= SHMCHAN_MAX_SUBS)
		ret = -EUSERS;
	if (ret)
		goto out;

	if (sub->members)
		shmchan_ends_begin(sub);
	/* Two for each member at most, so the doorbell needs no bound. */
	spin_lock(&bell->lock);
	list_add_tail(&sub->bell_node, &bell->subs);
	if (!sub->members)
		sub->seen = bell->seq;
	if (sub->armed) {
		bell->nr_armed++;
		shmchan_publish_waiters(bell);
	}
	spin_unlock(&bell->lock);
	list_add_tail(&sub->member_node, &member->subs);
	member->nr_subs++;
out:
	spin_unlock(&member->lock);
	return ret;
}

/**
 * shmchan_sub_remove - the opposite
 * @member: whose
 * @doorbell: to which
 * @bound: with an eventfd?
 *
 * Return: 0, -ENOENT, or -ESTALE.
 */
int shmchan_sub_remove(struct shmchan_member *member, u32 doorbell, bool bound)
{
	struct shmchan_sub *sub;

	spin_lock(&member->lock);
	sub = shmchan_sub_find(member, doorbell, bound);
	if (sub) {
		list_del(&sub->member_node);
		member->nr_subs--;
	}
	spin_unlock(&member->lock);
	if (!sub)
		return no_sub(member);
	sub_detach(sub);
	if (bound)
		shmchan_eventfd_put(sub);
	else
		kvfree(sub);
	return 0;
}

static int subscribe(struct shmchan_member *member, struct shmchan_bell *bell,
		     const struct shmchan_subscribe *s)
{
	bool members = s->flags & SHMCHAN_SUBSCRIBE_MEMBERS;
	u32 nr_seats = members ? member->region->nr_seats : 0;
	struct shmchan_sub *sub;
	int ret;

	sub = kvzalloc(struct_size(sub, ended, nr_seats), SHMCHAN_GFP_ARRAY);
	if (!sub)
		return -ENOMEM;
	sub->member = member;
	sub->bell = bell;
	sub->doorbell = s->doorbell;
	sub->members = members;
	ret = shmchan_sub_add(sub);
	if (ret)
		kvfree(sub);
	return ret;
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
	if (s->reserved || (s->flags && s->flags != SHMCHAN_SUBSCRIBE_END &&
			    s->flags != SHMCHAN_SUBSCRIBE_MEMBERS))
		return -EINVAL;
	if (s->flags == SHMCHAN_SUBSCRIBE_MEMBERS &&
	    s->doorbell != SHMCHAN_DOORBELL_MEMBERS)
		return -EINVAL;
	bell = shmchan_get_bell(member, s->doorbell);
	if (IS_ERR(bell))
		return PTR_ERR(bell);
	if (s->flags & SHMCHAN_SUBSCRIBE_END)
		return shmchan_sub_remove(member, s->doorbell, false);
	return subscribe(member, bell, s);
}
