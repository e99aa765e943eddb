// SPDX-License-Identifier: GPL-2.0-only
/*
 * A model of kmod/uring.c: a waiter without a task, in memory of its own, queued
 * as that of WAIT is.  Who moves its state from WAITING to ENDING has it
 * completed, by the task, or if that is a cancellation completes it; all others
 * have left their reason with it.  To complete it is to take it off the queues,
 * under their locks, and to free it.
 */
#include "kmod_private.h"

enum state { BEGINNING, WAITING, ENDING };

uint64_t *k_completions(unsigned int me)
{
	return k_waiter(me, WAITER_COMPLETIONS);
}

/* io_uring_cmd_do_in_task_lazy() */
static void post(unsigned int me)
{
	explorer_add(EXPLORER_SITE(EXPLORER_ADD, EXPLORER_REL),
		     k_waiter(me, WAITER_WORK), 8, 1);
}

static uint64_t set_ending(unsigned int me)
{
	uint64_t *state = k_waiter(me, WAITER_STATE);

	if (k_flaw(K_CLAIM_LOAD)) {
		uint64_t was = shmchan_load_acquire(state);

		shmchan_store_release(state, ENDING);
		return was;
	}
	return shmchan_exchange(state, ENDING);
}

/* Its reason has been noted; under the lock of a bell or a member. */
void k_async_end(unsigned int me)
{
	if (set_ending(me) == WAITING)
		post(me);
	else
		explorer_cover("not the one to complete it");
}

/* The last that anybody does with it. */
static enum k_ret finish(unsigned int me, enum k_ret ret, int dying)
{
	unsigned int bell = k_waits[me]->elem[0].bell;
	uint64_t woken, stale;

	if (k_flaw(K_FREE_NO_LOCK) &&
	    !shmchan_load_relaxed(k_bell(bell, BELL_QUEUED(me))))
		explorer_cover("off the queue already");
	else
		k_dequeue(me, bell);
	woken = shmchan_load_relaxed(k_waiter(me, WAITER_WOKEN));
	stale = shmchan_load_relaxed(k_waiter(me, WAITER_STALE));
	if (woken && ((stale && !k_flaw(K_NO_HAND_ON)) ||
		      (dying && !k_flaw(K_CANCEL_KEEPS)))) {
		explorer_cover("hands the ring on");
		(void)k_ring(bell, 1);
	}
	k_plain_store(k_waiter(me, WAITER_MEMORY), 0);
	explorer_add(EXPLORER_SITE(EXPLORER_ADD, EXPLORER_REL),
		     k_completions(me), 8, 1);
	if (stale)
		return K_ESTALE;
	return woken && !dying ? K_OK : ret;
}

static int queue(unsigned int me)
{
	int changed = 0;

	if (k_flaw(K_URING_LATE_COMPARE))
		changed = k_first_changed(me, -1) >= 0;
	if (!k_enqueue(me, k_waits[me]->elem[0].bell))
		return -1;
	/* Counted, then compared: as sleep_waiter(). */
	if (!k_flaw(K_URING_NO_BARRIER))
		k_mb();
	if (!k_flaw(K_URING_LATE_COMPARE))
		changed = k_first_changed(me, -1) >= 0;
	return changed || shmchan_load_relaxed(k_waiter(me, WAITER_WOKEN)) ||
		shmchan_load_relaxed(k_waiter(me, WAITER_STALE));
}

/* From here on others may end it. */
static void begin(unsigned int me)
{
	uint64_t *state = k_waiter(me, WAITER_STATE);

	if (k_flaw(K_BEGIN_STORE)) {
		shmchan_store_release(state, WAITING);
	} else if (!k_cmpxchg(state, BEGINNING, WAITING)) {
		explorer_cover("ended as it began");
		post(me);
	}
}

enum k_ret k_async_wait(unsigned int me, const uint64_t *believed)
{
	enum k_ret ret = K_ECANCELED;
	int now;

	explorer_syscall();
	k_plain_store(k_waiter(me, WAITER_MEMORY), 1);
	shmchan_store_relaxed(k_waiter(me, WAITER_BELIEVED(0)), believed[0]);
	now = queue(me);
	if (now < 0) {
		k_plain_store(k_waiter(me, WAITER_MEMORY), 0);
		ret = K_ESTALE;
	} else if (now) {
		explorer_cover("changed as it was submitted");
		ret = finish(me, K_OK, 0);
	} else {
		begin(me);
		explorer_await_either(k_waiter(me, WAITER_WORK), 0,
				      k_completions(me), 0);
		if (shmchan_load_acquire(k_waiter(me, WAITER_WORK))) {
			explorer_cover("completed later");
			ret = finish(me, ret, 0);
		}
	}
	explorer_sysret();
	return ret;
}

/* The submitter goes: there will be nobody who could use the result. */
void k_async_cancel(unsigned int me)
{
	explorer_syscall();
	/* io_uring asks for this only once it has been marked. */
	explorer_await(k_waiter(me, WAITER_STATE), EXPLORER_ACQ, WAITING);
	if (set_ending(me) == WAITING) {
		explorer_cover("cancelled");
		(void)finish(me, K_ECANCELED, 1);
	}
	explorer_sysret();
}
