// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eventfds that are bound to doorbells: for KVM, vhost, and whoever else can
 * sleep on nothing else.
 *
 * Nobody tells when such a one goes to sleep, so it counts among the waiters as
 * long as it is bound.  As in WAIT the count is raised, with a full barrier,
 * before the caller looks at its words.
 *
 * A signal calls back whoever sleeps on the eventfd, under its lock and with
 * interrupts off.  Those queue work, wake tasks or other eventfds, and none of
 * them comes to poll our files or to ring: so it may be given under a doorbell's
 * lock.  But they may be thousands, nobody tells how many, and whoever rings
 * shall not pay for them.  So a worker gives the first signal and looks how long
 * it takes; only from one that was quick do rings give them themselves, as long as
 * that is so.  What a worker has not given yet is one signal for each eventfd,
 * however many rings there were: no backlog of work that nobody pays for.
 *
 * When the member ends by whatever the eventfd is signalled once more: who sleeps
 * on it alone would sleep for ever.
 */

#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "doorbell.h"
#include "shmchan.h"

/* Was it slow?  Under a spinlock, so that nothing else takes its time. */
static bool signal_sub(const struct shmchan_sub *sub)
{
	u64 start = local_clock();

	shmchan_eventfd_signal(sub->eventfd);
	return local_clock() - start > SHMCHAN_SLOW_NS;
}

/**
 * struct shmchan_signals - what the eventfds of a member are owed
 * @refs: the member's, and one while @work is queued or runs
 * @lock: protects @owed; never held while a signal is given
 * @owed: struct shmchan_sub by owed_node
 * @work: gives the signals, one each time it runs
 * @busy: held while it does, so that nothing else takes its time
 *
 * It outlives the member, which so never has to wait for it: not even at the
 * last of it, where a REVOKE may be who has that.
 */
struct shmchan_signals {
	refcount_t refs;
	spinlock_t lock;		/* owed */
	struct list_head owed;
	struct work_struct work;
	spinlock_t busy;		/* for the time it takes */
};

/* Flushed at module exit: what it runs outlives files. */
static struct workqueue_struct *signal_wq;

/**
 * shmchan_signals_put - one reference less
 * @signals: which, or NULL
 */
void shmchan_signals_put(struct shmchan_signals *signals)
{
	if (signals && refcount_dec_and_test(&signals->refs))
		kfree(signals);
}

/* Leaves it to the worker.  However many rings it is owed for, it gets one. */
static void owe(struct shmchan_sub *sub, bool over)
{
	struct shmchan_signals *signals = sub->member->signals;

	spin_lock(&signals->lock);
	sub->over = over;
	if (list_empty(&sub->owed_node))
		list_add_tail(&sub->owed_node, &signals->owed);
	spin_unlock(&signals->lock);
	/* What is over may be gone by now; the member keeps the rest. */
	refcount_inc(&signals->refs);
	if (!queue_work(signal_wq, &signals->work))
		refcount_dec(&signals->refs);
}

/**
 * shmchan_eventfd_ring - the doorbell is being rung
 * @sub: with an eventfd; the caller holds the doorbell's lock
 * @defer: leave it to the worker
 *
 * Return: was it slow?  Not if it is left to the worker.
 */
bool shmchan_eventfd_ring(struct shmchan_sub *sub, bool defer)
{
	bool slow;

	lockdep_assert_held(&sub->bell->lock);
	if (defer || READ_ONCE(sub->slow)) {
		owe(sub, false);
		return false;
	}
	slow = signal_sub(sub);
	WRITE_ONCE(sub->slow, slow);
	return slow;
}

static void free_sub(struct shmchan_sub *sub)
{
	eventfd_ctx_put(sub->eventfd);
	kvfree(sub);
}

/* Touches neither the member nor the doorbell: they may be gone. */
static void signal_work(struct work_struct *work)
{
	struct shmchan_signals *signals =
		container_of(work, struct shmchan_signals, work);
	struct shmchan_sub *sub;
	bool over = false;

	spin_lock(&signals->lock);
	sub = list_first_entry_or_null(&signals->owed, struct shmchan_sub,
				       owed_node);
	if (sub) {
		list_del_init(&sub->owed_node);
		over = sub->over;
	}
	spin_unlock(&signals->lock);
	if (sub) {
		spin_lock(&signals->busy);
		WRITE_ONCE(sub->slow, signal_sub(sub));
		spin_unlock(&signals->busy);
	}
	if (over)
		free_sub(sub);
	/* Who waits for us waits for one signal.  Who adds queues us as well. */
	if (list_empty(&signals->owed) || !queue_work(signal_wq, work))
		shmchan_signals_put(signals);
}

/* For the member's first eventfd. */
static int make_signals(struct shmchan_member *member)
{
	struct shmchan_signals *signals;

	if (READ_ONCE(member->signals))
		return 0;
	signals = kzalloc(sizeof(*signals), GFP_KERNEL_ACCOUNT);
	if (!signals)
		return -ENOMEM;
	refcount_set(&signals->refs, 1);
	spin_lock_init(&signals->lock);
	INIT_LIST_HEAD(&signals->owed);
	INIT_WORK(&signals->work, signal_work);
	spin_lock_init(&signals->busy);
	/* Another thread may have been quicker. */
	if (cmpxchg(&member->signals, NULL, signals))
		kfree(signals);
	return 0;
}

/**
 * shmchan_eventfd_end - the last signal, as the member has ended
 * @sub: with an eventfd; off the member and its doorbell.  The worker frees it
 */
void shmchan_eventfd_end(struct shmchan_sub *sub)
{
	owe(sub, true);
}

/**
 * shmchan_eventfd_put - it is bound no more
 * @sub: with an eventfd; off the member and its doorbell
 */
void shmchan_eventfd_put(struct shmchan_sub *sub)
{
	struct shmchan_signals *signals = sub->member->signals;
	bool owed;

	spin_lock(&signals->lock);
	owed = !list_empty(&sub->owed_node);
	list_del_init(&sub->owed_node);
	spin_unlock(&signals->lock);
	/* What rang before is not forgotten; the caller may pay for its own. */
	flush_work(&signals->work);
	if (owed)
		shmchan_eventfd_signal(sub->eventfd);
	free_sub(sub);
}

static int bind(struct shmchan_member *member, struct shmchan_bell *bell,
		const struct shmchan_bind_eventfd *b)
{
	struct eventfd_ctx *eventfd;
	struct shmchan_sub *sub;
	int ret;

	eventfd = eventfd_ctx_fdget(b->fd);
	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	ret = -ENOMEM;
	sub = kvzalloc(sizeof(*sub), GFP_KERNEL_ACCOUNT);
	if (!sub)
		goto err_put;
	sub->member = member;
	sub->bell = bell;
	sub->doorbell = b->doorbell;
	sub->eventfd = eventfd;
	sub->armed = true;
	sub->slow = true;
	INIT_LIST_HEAD(&sub->owed_node);
	ret = make_signals(member);
	if (!ret)
		ret = shmchan_sub_add(sub);
	if (ret)
		goto err_free;
	/*
	 * Between raising the count and the caller's look at its words: pairs
	 * with the producer's, between its store and its load of the count.
	 */
	smp_mb();
	return 0;

err_free:
	kvfree(sub);
err_put:
	eventfd_ctx_put(eventfd);
	return ret;
}

/**
 * shmchan_bind_eventfd_ioctl - SHMCHAN_IOC_BIND_EVENTFD
 * @call: the call
 *
 * Return: see struct shmchan_bind_eventfd.
 */
int shmchan_bind_eventfd_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	const struct shmchan_bind_eventfd *b = call->arg;
	struct shmchan_bell *bell;
	int ret;

	ret = shmchan_member_check(member, SHMCHAN_RIGHT_WAIT);
	if (ret)
		return ret;
	if (b->flags & ~SHMCHAN_BIND_END)
		return -EINVAL;
	if (b->flags & SHMCHAN_BIND_END && b->fd != -1)
		return -EINVAL;
	bell = shmchan_get_bell(member, b->doorbell);
	if (IS_ERR(bell))
		return PTR_ERR(bell);
	if (b->flags & SHMCHAN_BIND_END)
		return shmchan_sub_remove(member, b->doorbell, true);
	return bind(member, bell, b);
}

/**
 * shmchan_eventfd_init - make what gives signals
 *
 * Return: 0 or -ENOMEM.
 */
int shmchan_eventfd_init(void)
{
	signal_wq = alloc_workqueue("shmchan", WQ_UNBOUND, 0);
	return signal_wq ? 0 : -ENOMEM;
}

/**
 * shmchan_eventfd_exit - give what is owed still, then no more
 */
void shmchan_eventfd_exit(void)
{
	destroy_workqueue(signal_wq);
}
