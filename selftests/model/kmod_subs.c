// SPDX-License-Identifier: GPL-2.0-only
/* A model of kmod/subscribe.c, of bound eventfds, and of membarrier. */
#include "kmod_private.h"

#define NO_BELL		99U

static unsigned int sub_bell[K_MEMBERS];	/* constant in a model */
static unsigned int bound_bell;

void k_subs_setup(void)
{
	unsigned int m;

	for (m = 0; m < K_MEMBERS; m++)
		sub_bell[m] = NO_BELL;
	bound_bell = NO_BELL;
}

void k_setup_sub(unsigned int member, unsigned int bell)
{
	sub_bell[member] = bell;
}

void k_setup_eventfd(unsigned int bell)
{
	bound_bell = bell;
}

static void poll_wake(unsigned int member)
{
	unsigned int t, any = 0;

	if (k_flaw(K_POLL_NO_LOCK)) {
		for (t = 0; t < K_THREADS; t++)
			if (shmchan_load_relaxed(
				    k_member(member, MEMBER_POLLS(t))))
				any = 1;
		if (!any)
			return;
	}
	k_lock(k_member(member, MEMBER_POLL_LOCK));
	for (t = 0; t < K_THREADS; t++)
		if (shmchan_load_relaxed(k_member(member, MEMBER_POLLS(t))))
			shmchan_store_release(k_waiter(t, WAITER_TRIGGERED),
					      1);
	k_unlock(k_member(member, MEMBER_POLL_LOCK));
}

static void disarm(unsigned int member)
{
	unsigned int bell = sub_bell[member];

	if (!shmchan_load_relaxed(k_member(member, MEMBER_ARMED)))
		return;
	shmchan_store_relaxed(k_member(member, MEMBER_ARMED), 0);
	k_add(k_bell(bell, BELL_NR), -1ULL);
	explorer_cover("a ring disarms");
}

static void eventfd_signal(unsigned int bell)
{
	if (!shmchan_load_relaxed(k_bell(bell, BELL_BOUND)))
		return;
	k_lock(k_bell(bell, BELL_EVENTFD_LOCK));
	k_add(k_bell(bell, BELL_EVENTFD), 1);
	k_unlock(k_bell(bell, BELL_EVENTFD_LOCK));
	if (k_flaw(K_BIND_DISARMS) &&
	    shmchan_load_relaxed(k_bell(bell, BELL_BOUND)) == 1) {
		shmchan_store_relaxed(k_bell(bell, BELL_BOUND), 2);
		k_add(k_bell(bell, BELL_NR), -1ULL);
	}
}

/* The ring's first half: under the lock of the doorbell. */
void k_subs_ring(unsigned int bell)
{
	unsigned int m;

	if (!k_flaw(K_SEQ_LATE))
		k_add(k_seq(bell), 1);
	if (bound_bell == bell)
		eventfd_signal(bell);
	for (m = 0; m < K_MEMBERS; m++) {
		if (sub_bell[m] != bell)
			continue;
		if (!k_flaw(K_DISARM_LATE))
			disarm(m);
		poll_wake(m);
	}
	if (k_flaw(K_SEQ_LATE))
		k_add(k_seq(bell), 1);
}

/* After the ring: nothing, if all is right. */
void k_subs_rung(unsigned int bell)
{
	unsigned int m;

	if (!k_flaw(K_DISARM_LATE))
		return;
	k_lock(k_bell(bell, BELL_LOCK));
	for (m = 0; m < K_MEMBERS; m++)
		if (sub_bell[m] == bell)
			disarm(m);
	k_publish(bell);
	k_unlock(k_bell(bell, BELL_LOCK));
}

void k_subs_end(unsigned int member)
{
	unsigned int bell = sub_bell[member];

	if (bell == NO_BELL)
		return;
	k_lock(k_member(member, MEMBER_LOCK));
	shmchan_store_relaxed(k_member(member, MEMBER_NO_SUB), 1);
	k_unlock(k_member(member, MEMBER_LOCK));
	k_lock(k_bell(bell, BELL_LOCK));
	disarm(member);
	k_publish(bell);
	k_unlock(k_bell(bell, BELL_LOCK));
	if (!k_flaw(K_END_NO_POLL))
		poll_wake(member);
}

/* 0: there is no such subscription any more. */
static int set_armed(unsigned int member, int armed)
{
	uint64_t *p = k_member(member, MEMBER_ARMED);
	unsigned int bell = sub_bell[member];
	int there;

	k_lock(k_member(member, MEMBER_LOCK));
	there = !shmchan_load_relaxed(k_member(member, MEMBER_NO_SUB));
	if (there) {
		k_lock(k_bell(bell, BELL_LOCK));
		if (shmchan_load_relaxed(p) != (uint64_t)armed) {
			shmchan_store_relaxed(p, (uint64_t)armed);
			k_add(k_bell(bell, BELL_NR), armed ? 1 : -1ULL);
			k_publish(bell);
		} else {
			explorer_cover("armed already");
		}
		k_unlock(k_bell(bell, BELL_LOCK));
	}
	k_unlock(k_member(member, MEMBER_LOCK));
	return there;
}

int k_arm(unsigned int member, const uint64_t *word, uint64_t believed)
{
	int again;

	if (k_flaw(K_ARM_COUNT_LATE)) {
		again = shmchan_load_relaxed(word) != believed;
		(void)set_armed(member, 1);
		return again;
	}
	if (!set_armed(member, 1))
		return 0;
	if (!k_flaw(K_NO_ARM_BARRIER))
		k_mb();
	if (k_flaw(K_NO_ARM_COMPARE))
		return 0;
	again = shmchan_load_relaxed(word) != believed;
	if (again) {
		explorer_cover("EAGAIN");
		if (k_flaw(K_EAGAIN_DISARMS))
			(void)set_armed(member, 0);
	}
	return again && !k_flaw(K_EAGAIN_IGNORED);
}

/* 1: POLLIN, 0: nothing, -1: POLLHUP. */
static int poll_mask(unsigned int member)
{
	uint64_t seq, seen;

	if (shmchan_load_acquire(k_member(member, MEMBER_ENDED)))
		return -1;
	k_lock(k_member(member, MEMBER_LOCK));
	seq = shmchan_load_relaxed(k_seq(sub_bell[member]));
	seen = shmchan_load_relaxed(k_member(member, MEMBER_SEEN));
	k_unlock(k_member(member, MEMBER_LOCK));
	return seq != seen;
}

static void poll_register(unsigned int me, unsigned int member, uint64_t on)
{
	k_lock(k_member(member, MEMBER_POLL_LOCK));
	shmchan_store_relaxed(k_member(member, MEMBER_POLLS(me)), on);
	k_unlock(k_member(member, MEMBER_POLL_LOCK));
}

int k_poll(unsigned int me, unsigned int member)
{
	int mask = 0;

	explorer_syscall();
	shmchan_store_relaxed(k_waiter(me, WAITER_TRIGGERED), 0);
	if (k_flaw(K_POLL_LATE))
		mask = poll_mask(member);
	poll_register(me, member, 1);
	if (!k_flaw(K_POLL_LATE))
		mask = poll_mask(member);
	while (!mask) {
		explorer_await(k_waiter(me, WAITER_TRIGGERED), EXPLORER_ACQ,
			       1);
		explorer_cover("polled and was woken");
		shmchan_store_relaxed(k_waiter(me, WAITER_TRIGGERED), 0);
		k_mb();
		mask = poll_mask(member);
	}
	poll_register(me, member, 0);
	explorer_sysret();
	return mask < 0 ? -1 : 0;
}

uint64_t k_read(unsigned int member)
{
	uint64_t *p = k_member(member, MEMBER_SEEN);
	uint64_t seq, seen;

	if (!k_flaw(K_NO_READ_LOCK))
		k_lock(k_member(member, MEMBER_READ_LOCK));
	k_lock(k_member(member, MEMBER_LOCK));
	seq = shmchan_load_relaxed(k_seq(sub_bell[member]));
	seen = shmchan_load_relaxed(p);
	k_unlock(k_member(member, MEMBER_LOCK));
	if (seq != seen) {
		k_lock(k_member(member, MEMBER_LOCK));
		if (k_flaw(K_SEEN_CURRENT))
			shmchan_store_relaxed(p, shmchan_load_relaxed(
					k_seq(sub_bell[member])));
		else if (seq > shmchan_load_relaxed(p))
			shmchan_store_relaxed(p, seq);
		k_unlock(k_member(member, MEMBER_LOCK));
	}
	if (!k_flaw(K_NO_READ_LOCK))
		k_unlock(k_member(member, MEMBER_READ_LOCK));
	return seq - seen;
}

uint64_t *k_seen(unsigned int member)
{
	return k_member(member, MEMBER_SEEN);
}

void k_bind(unsigned int bell)
{
	explorer_syscall();
	k_lock(k_bell(bell, BELL_LOCK));
	shmchan_store_relaxed(k_bell(bell, BELL_BOUND), 1);
	k_add(k_bell(bell, BELL_NR), 1);
	k_publish(bell);
	k_unlock(k_bell(bell, BELL_LOCK));
	if (!k_flaw(K_BIND_NO_BARRIER))
		k_mb();
	explorer_sysret();
}

void k_eventfd_read(unsigned int bell)
{
	explorer_await_not(k_bell(bell, BELL_EVENTFD), EXPLORER_ACQ, 0);
	k_lock(k_bell(bell, BELL_EVENTFD_LOCK));
	shmchan_store_relaxed(k_bell(bell, BELL_EVENTFD), 0);
	k_unlock(k_bell(bell, BELL_EVENTFD_LOCK));
	explorer_cover("an eventfd was signalled");
}

#define REQUEST		k_data(14)
#define ANSWER(i)	k_data(12 + (i))

static void answer(unsigned int registered, uint64_t request)
{
	k_mb();
	shmchan_store_release(ANSWER(registered), request);
}

void k_interrupt(unsigned int registered)
{
	uint64_t request = shmchan_load_acquire(REQUEST);

	if (request != shmchan_load_relaxed(ANSWER(registered))) {
		explorer_cover("interrupted");
		answer(registered, request);
	}
}

void k_interrupts(unsigned int registered)
{
	for (;;) {
		explorer_await_not(REQUEST, EXPLORER_ACQ,
				   shmchan_load_relaxed(ANSWER(registered)));
		answer(registered, shmchan_load_relaxed(REQUEST));
	}
}

void k_membarrier(unsigned int nr_registered)
{
	uint64_t request = shmchan_load_relaxed(REQUEST) + 1;
	unsigned int i;

	k_mb();
	shmchan_store_release(REQUEST, request);
	for (i = 0; i < nr_registered; i++)
		explorer_await(ANSWER(i), EXPLORER_ACQ, request);
	k_mb();
}
