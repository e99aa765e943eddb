// SPDX-License-Identifier: GPL-2.0-only
/*
 * RING and WAIT as requests of io_uring (IORING_OP_URING_CMD).
 *
 * RING is done when it is submitted.  A WAIT that finds nothing changed stays
 * behind: a waiter like that of a thread, counted and bounded like it, in the
 * same queues, but without a task.  What ends it are a ring, the end of a
 * member, its deadline, and io_uring, which cancels it when the ring or the
 * submitter goes.  Whoever comes first, by its state, has it completed; the
 * others have only left their reason with it.
 *
 * It is completed in work of the submitter's, as who rings holds a spinlock, or else
 * by the cancelling itself, where the ring lets it.  There its entries are taken off
 * first, and what is said above struct shmchan_waiter holds for it then: nobody is
 * at it.  io_uring serializes that work and the cancelling, by its uring_lock.
 *
 * Who submits it may never run again, stopped or gone.  So the end of a member
 * takes its entries off the doorbells itself: see shmchan_bells_end().
 */

#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "doorbell.h"
#include "shmchan.h"

/* The command is in memory that its owner may be writing to. */
static void read_command(struct io_uring_cmd *cmd, u64 *first, u64 *second)
{
	const u64 *arg = shmchan_uring_arg(cmd);

	*first = READ_ONCE(arg[0]);
	*second = READ_ONCE(arg[1]);
}

static int do_ring(struct io_uring_cmd *cmd, struct shmchan_ring *r)
{
	const struct shmchan_member *member = cmd->file->private_data;
	union {
		struct shmchan_uring_ring arg;
		u64 raw[2];
	} u;
	int ret;

	static_assert(sizeof(u.arg) == sizeof(u.raw));
	read_command(cmd, &u.raw[0], &u.raw[1]);
	r->doorbell = u.arg.doorbell;
	r->max_wake = u.arg.max_wake;
	ret = shmchan_member_check(member, SHMCHAN_RIGHT_RING);
	if (ret)
		return ret;
	if (u.arg.reserved || cmd->flags & IORING_URING_CMD_MASK)
		return -EINVAL;
	/* However long the queue is, it does not sleep: no need to be punted. */
	ret = shmchan_ring_one(member, r->doorbell, r->max_wake);
	if (ret > 0 && !shmchan_reads_all(member))
		return 0;
	return ret;
}

static int uring_ring(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct shmchan_ring r = { .size = sizeof(r) };
	int ret = do_ring(cmd, &r);

	shmchan_trace_done(cmd->file, SHMCHAN_CMD_RING, &r, ret);
	return shmchan_uring_return(cmd, ret, issue_flags);
}

#ifdef SHMCHAN_URING_WAIT

/* Who moves it to ENDING has it completed. */
enum uring_state {
	URING_BEGINNING,	/* who submits it is at it still, and looks */
	URING_WAITING,
	URING_ENDING,
};

/**
 * struct uring_wait - a WAIT under way
 * @waiter: whose task is NULL
 * @cmd: the request, which lasts as long
 * @timer: for its deadline
 * @deadline: the host's; KTIME_MAX: none
 * @state: enum uring_state
 * @timed_out: the deadline has passed
 * @dying: io_uring wanted to cancel it, too late; uring_lock
 */
struct uring_wait {
	struct shmchan_waiter waiter;
	struct io_uring_cmd *cmd;
	struct hrtimer timer;
	ktime_t deadline;
	u32 state;
	bool timed_out;
	bool dying;
};

static struct uring_wait **wait_of(struct io_uring_cmd *cmd)
{
	return io_uring_cmd_to_pdu(cmd, struct uring_wait *);
}

static struct uring_wait *wait_new(struct io_uring_cmd *cmd, u32 nr)
{
	struct shmchan_waiter *waiter;
	struct uring_wait *wait;

	wait = kvzalloc(sizeof(*wait) + nr * (sizeof(*waiter->conds) +
					      sizeof(*waiter->entries)),
			GFP_KERNEL_ACCOUNT);
	if (!wait)
		return NULL;
	wait->cmd = cmd;
	wait->deadline = KTIME_MAX;
	waiter = &wait->waiter;
	waiter->nr_conds = nr;
	waiter->entries = (void *)(wait + 1);
	waiter->conds = (void *)(waiter->entries + nr);
	return wait;
}

static void wait_free(struct uring_wait *wait)
{
	shmchan_waiter_put(&wait->waiter);
	kvfree(wait);
}

/* What the request results in; nobody is at it any more. */
static int wait_result(struct uring_wait *wait, bool dying)
{
	struct shmchan_waiter *waiter = &wait->waiter;
	int found, ret;

	ret = wait->timed_out ? -ETIMEDOUT : -ECANCELED;
	found = wait->timed_out ? shmchan_waiter_changed(waiter) : -1;
	ret = shmchan_waiter_end(waiter, found, ret, dying);
	/* A thread would not come back to tell. */
	if (ret == -EINTR)
		return -ECANCELED;
	return ret ? ret : waiter->index;
}

/*
 * @dying: nobody is left who could use the result.  Once, by who moved it to
 * ENDING, with the flags that io_uring gave.
 */
static void wait_finish(struct io_uring_cmd *cmd, unsigned int issue_flags,
			bool dying)
{
	struct shmchan_wait w = { .size = sizeof(w) };
	struct uring_wait *wait = *wait_of(cmd);
	int ret;

	if (wait->deadline != KTIME_MAX)
		hrtimer_cancel(&wait->timer);
	shmchan_waiter_dequeue(&wait->waiter);
	ret = wait_result(wait, dying);
	/* What is told of a task is not there any more of one that dies. */
	if (!dying)
		shmchan_trace_done(cmd->file, SHMCHAN_CMD_WAIT, &w, ret);
	wait_free(wait);
	shmchan_uring_done(cmd, ret, issue_flags);
}

/* In the work: is nobody left who would look at what it results in? */
static bool submitter_goes(void)
{
	const struct io_uring_task *tctx = current->io_uring;

	/* A kernel thread is there in place of a submitter that has gone. */
	if (current->flags & (PF_EXITING | PF_KTHREAD))
		return true;
	/* What is ready is done before io_uring cancels the rest, at execve() too. */
	if (tctx && atomic_read(&tctx->in_cancel))
		return true;
	return fatal_signal_pending(current);
}

static void wait_work(struct io_uring_cmd *cmd, unsigned int issue_flags,
		      bool dying)
{
	dying |= (*wait_of(cmd))->dying;
	wait_finish(cmd, issue_flags, dying || submitter_goes());
}

SHMCHAN_URING_WORK(wait_task_work, wait_work);

/* Under spinlocks too, and in interrupts; what may take long comes later. */
static void wait_post(struct io_uring_cmd *cmd)
{
	__io_uring_cmd_do_in_task(cmd, wait_task_work, SHMCHAN_TWQ_FLAGS);
}

/* Its reason has been noted. */
static void wait_end(struct uring_wait *wait)
{
	if (xchg(&wait->state, URING_ENDING) == URING_WAITING)
		wait_post(wait->cmd);
}

/**
 * shmchan_uring_wake - a waiter without a task has been woken, or has gone stale
 * @waiter: which; under the lock of a bell or a member that has an entry of it
 */
void shmchan_uring_wake(struct shmchan_waiter *waiter)
{
	wait_end(container_of(waiter, struct uring_wait, waiter));
}

/**
 * shmchan_uring_gone - is a waiter without a task of no use to a ring?
 * @waiter: which; under the lock of a bell that had an entry of it
 *
 * A thread that exits leaves its requests behind, and the ring of io_uring may
 * live on: what is to be done in a task that has gone may never be done.
 *
 * Return: whether its submitter has gone; then it is ended.
 */
bool shmchan_uring_gone(struct shmchan_waiter *waiter)
{
	struct uring_wait *wait = container_of(waiter, struct uring_wait, waiter);
	const struct task_struct *task = io_uring_cmd_get_task(wait->cmd);

	if (!(READ_ONCE(task->flags) & PF_EXITING))
		return false;
	wait_end(wait);
	return true;
}

static enum hrtimer_restart wait_timer(struct hrtimer *timer)
{
	struct uring_wait *wait = container_of(timer, struct uring_wait, timer);

	WRITE_ONCE(wait->timed_out, true);
	wait_end(wait);
	return HRTIMER_NORESTART;
}

/* Is it to stay?  Then it is queued, and counted. */
static int wait_queue(struct uring_wait *wait)
{
	struct shmchan_waiter *waiter = &wait->waiter;
	int found, ret;

	/* As in run_waiter(). */
	found = shmchan_waiter_changed(waiter);
	if (found >= 0)
		return found;
	ret = shmchan_waiter_enqueue(waiter);
	if (!ret) {
		/*
		 * Between raising the count and reading the words: pairs with
		 * the producer's, between its store and its load of the count.
		 */
		smp_mb();
		found = shmchan_waiter_changed(waiter);
		if (found < 0 && !READ_ONCE(waiter->woken) &&
		    !READ_ONCE(waiter->stale)) {
			if (!shmchan_waiter_asym(waiter))
				return -EIOCBQUEUED;
			ret = -EAGAIN;
		}
		shmchan_waiter_dequeue(waiter);
	}
	ret = shmchan_waiter_end(waiter, found, ret, false);
	return ret ? ret : waiter->index;
}

/* From here on others may end it. */
static void wait_begin(struct io_uring_cmd *cmd, unsigned int issue_flags,
		       struct uring_wait *wait)
{
	*wait_of(cmd) = wait;
	if (wait->deadline != KTIME_MAX)
		hrtimer_start_range_ns(&wait->timer, wait->deadline,
				       current->timer_slack_ns,
				       HRTIMER_MODE_ABS);
	io_uring_cmd_mark_cancelable(cmd, issue_flags);
	if (cmpxchg(&wait->state, URING_BEGINNING, URING_WAITING) !=
	    URING_BEGINNING)
		wait_post(cmd);
}

static int do_wait(struct io_uring_cmd *cmd, unsigned int issue_flags,
		   const struct shmchan_wait *w)
{
	struct shmchan_wait_elem *elems;
	struct uring_wait *wait;
	int ret;

	ret = shmchan_wait_check(cmd->file->private_data, w);
	if (ret)
		return ret;
	elems = vmemdup_user(u64_to_user_ptr(w->elems),
			     w->nr_elems * sizeof(*elems));
	if (IS_ERR(elems))
		return PTR_ERR(elems);
	ret = -ENOMEM;
	wait = wait_new(cmd, w->nr_elems);
	if (!wait)
		goto out;
	if (w->deadline != SHMCHAN_FOREVER)
		wait->deadline = shmchan_timens_to_host(w->deadline);
	shmchan_hrtimer_setup(&wait->timer, wait_timer, CLOCK_MONOTONIC,
			      HRTIMER_MODE_ABS);
	wait->waiter.fenced = w->flags & SHMCHAN_WAIT_FENCED;
	ret = shmchan_waiter_make(&wait->waiter, cmd->file, elems);
	if (!ret)
		ret = wait_queue(wait);
	if (ret == -EIOCBQUEUED)
		wait_begin(cmd, issue_flags, wait);
	else
		wait_free(wait);
out:
	kvfree(elems);
	return ret;
}

static int uring_wait(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct shmchan_wait w = {};
	struct shmchan_call call;
	u64 uarg, reserved;
	int ret;

	read_command(cmd, &uarg, &reserved);
	if (reserved || cmd->flags & IORING_URING_CMD_MASK)
		return -EINVAL;
	call.uarg = u64_to_user_ptr(uarg);
	call.size = sizeof(w);
	ret = shmchan_call_read(&call, &w);
	if (ret)
		return ret;
	ret = do_wait(cmd, issue_flags, &w);
	if (ret == -EIOCBQUEUED)
		return ret;
	shmchan_trace_done(cmd->file, SHMCHAN_CMD_WAIT, &w, ret);
	return shmchan_uring_return(cmd, ret, issue_flags);
}

/*
 * The submitter has it to do, and may be stopped: io_uring asks again and again
 * until it has been done, for each request, with its lock held.
 */
static void cancel_later(void)
{
	static unsigned long last;

	if (!time_after(jiffies, READ_ONCE(last)))
		return;
	usleep_range(1000, 2000);
	WRITE_ONCE(last, jiffies);
}

/* The ring or the submitter goes; the caller holds uring_lock, as the work does. */
static void uring_cancel(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
	struct uring_wait *wait = *wait_of(cmd);

	switch (xchg(&wait->state, URING_ENDING)) {
	case URING_WAITING:
		/* Not where the submitter alone may, and we are in its place. */
		if (current->flags & PF_KTHREAD && shmchan_uring_deferred(cmd))
			wait_post(cmd);
		else
			wait_finish(cmd, issue_flags, true);
		break;
	case URING_ENDING:
		wait->dying = true;
		if (current->flags & PF_KTHREAD)
			cancel_later();
		break;
	}
}
#endif /* SHMCHAN_URING_WAIT */

/**
 * shmchan_uring_cmd - a request of io_uring on a member's file
 * @cmd: the request
 * @issue_flags: how io_uring wants it
 *
 * Return: what it results in, or -EIOCBQUEUED: it is completed later.
 */
int shmchan_uring_cmd(struct io_uring_cmd *cmd, unsigned int issue_flags)
{
#ifdef SHMCHAN_URING_WAIT
	if (issue_flags & IO_URING_F_CANCEL) {
		uring_cancel(cmd, issue_flags);
		return 0;
	}
#endif
	/*
	 * Its completions would be polled for, and old kernels do not ask.  Later
	 * ones do not say so, since we have nothing to be polled.
	 */
	if (issue_flags & IO_URING_F_IOPOLL)
		return -EOPNOTSUPP;
	switch (cmd->cmd_op) {
	case SHMCHAN_IOC_RING:
		return uring_ring(cmd, issue_flags);
#ifdef SHMCHAN_URING_WAIT
	case SHMCHAN_IOC_WAIT:
		return uring_wait(cmd, issue_flags);
#endif
	}
	return -EOPNOTSUPP;
}
