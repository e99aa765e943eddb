// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Local regions: bells made of futexes.
 *
 * Each doorbell is an eventcount in its lines of the status area; waiters is
 * a flag here, that somebody may be asleep:
 *
 *	sleeper				producer
 *	1  s = seq			a  store the word
 *	2  waiters = 1			b  waiters != 0?  then ring:
 *	3  compare the words		c  waiters = 0
 *	4  FUTEX_WAIT(seq, s)		d  seq++
 *					e  FUTEX_WAKE all
 *
 * All are sequentially consistent, and no wake-up is lost.  Say 3 saw the old
 * word: then 3 came before a, and so 2 before b.  At b waiters was either
 * still 1, and the producer went on to d; or another ring had cleared it after
 * 2, and goes on to its own d.  In both cases a d comes after 2, so after 1:
 * 4 finds another seq, or is in the queue when e comes.  (Unless 2^32 rings
 * fall between 1 and 4.)
 *
 * Because the ring clears the flag and wakes all, a producer rings once per
 * sleep; and what somebody who was killed left raised costs one ring, once.
 *
 * Nobody sleeps for longer than SHMCHAN_LOCAL_SLICE_NS at a time: then
 * members that have died are looked for, which no ring announces.
 *
 * Doorbell 0 has no queue of its own when there are others to sleep on:
 * whoever changes a slot word rings every doorbell that somebody waits on.
 */

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "backend_local.h"

/* Linux 5.16; older headers lack them. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv	449
#endif

struct local_waitv {
	uint64_t val;
	uint64_t uaddr;
	uint32_t flags;
	uint32_t reserved;
};

#define LOCAL_FUTEX_32	2	/* FUTEX_32, shared between processes */

/* Without futex_waitv one doorbell is slept on and the rest looked at. */
#define SHORT_SLICE_NS	1000000ULL

/* The doorbells of one wait. */
struct bells {
	uint32_t nr;
	uint32_t number[SHMCHAN_MAX_ELEMS];
	uint32_t seq[SHMCHAN_MAX_ELEMS];
};

static struct shmchan_doorbell_status *
bell(const struct shmchan_region_private *p, uint32_t number)
{
	return shmchan_doorbell_status(&p->pub, number);
}

/* What is slept on: the low half of seq. */
static uint32_t *futex_word(const struct shmchan_region_private *p,
			    uint32_t number)
{
	uint32_t *halves = (uint32_t *)&bell(p, number)->seq;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	halves++;
#endif
	return halves;
}

/* Returns how many woke; wakes all: which conditions hold is not known here. */
static int ring_one(struct shmchan_region_private *p, uint32_t number)
{
	uint32_t asleep = shmchan_exchange(&bell(p, number)->waiters, 0);
	long woken;

	shmchan_fetch_add(&bell(p, number)->seq, 1);
	/* A sleeper that came after the exchange sees the word. */
	if (!asleep)
		return 0;
	woken = syscall(SYS_futex, futex_word(p, number), FUTEX_WAKE, INT_MAX,
			NULL, NULL, 0);
	return woken > 0 ? (int)woken : 0;
}

void local_ring_members(struct shmchan_region_private *p)
{
	uint32_t number;

	ring_one(p, SHMCHAN_DOORBELL_MEMBERS);
	for (number = 1; number <= p->pub.nr_doorbells; number++)
		if (shmchan_bell_wanted(&p->pub, number))
			ring_one(p, number);
}

/* Say that we may be asleep; a flag that is up already is as good. */
static void raise_flag(struct shmchan_region_private *p, uint32_t number)
{
	uint32_t *waiters = &bell(p, number)->waiters;

	if (!shmchan_load_seq_cst(waiters))
		shmchan_store_seq_cst(waiters, 1);
}

static int differs(const struct shmchan_region_private *p,
		   const struct shmchan_wait_elem *e)
{
	void *word = shmchan_region_at(&p->pub, e->offset);
	uint64_t value;

	if (e->flags & SHMCHAN_ELEM_32)
		value = shmchan_load_seq_cst((uint32_t *)word);
	else
		value = shmchan_load_seq_cst((uint64_t *)word);
	return !!((value ^ e->value) & e->mask);
}

/* Has a word changed?  Tells which in *index. */
static int any_differs(const struct shmchan_region_private *p,
		       const struct shmchan_wait_elem *elems,
		       uint32_t nr_elems, uint32_t *index)
{
	uint32_t i;

	for (i = 0; i < nr_elems; i++) {
		if (!differs(p, &elems[i]))
			continue;
		if (index)
			*index = i;
		return 1;
	}
	return 0;
}

static int bells_have(const struct bells *b, uint32_t number)
{
	uint32_t i;

	for (i = 0; i < b->nr; i++)
		if (b->number[i] == number)
			return 1;
	return 0;
}

/* The distinct doorbells to sleep on: doorbell 0 only if it is alone. */
static void collect(struct bells *b, const struct shmchan_wait_elem *elems,
		    uint32_t nr_elems)
{
	uint32_t i;

	b->nr = 0;
	for (i = 0; i < nr_elems; i++) {
		uint32_t number = elems[i].doorbell;

		if (number != SHMCHAN_DOORBELL_MEMBERS &&
		    !bells_have(b, number))
			b->number[b->nr++] = number;
	}
	if (!b->nr)
		b->number[b->nr++] = SHMCHAN_DOORBELL_MEMBERS;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000ULL),
		.tv_nsec = (long)(ns % 1000000000ULL),
	};
}

/* Without futex_waitv: sleep on the first, shortly. */
static void sleep_on_one(struct shmchan_region_private *p,
			 const struct bells *b, uint64_t until)
{
	struct timespec ts;

	if (b->nr > 1 && until > shmchan__now() + SHORT_SLICE_NS)
		until = shmchan__now() + SHORT_SLICE_NS;
	ts = to_timespec(until);
	/* Its timeout is absolute, of CLOCK_MONOTONIC. */
	syscall(SYS_futex, futex_word(p, b->number[0]), FUTEX_WAIT_BITSET,
		b->seq[0], &ts, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* Sleep until one of them is rung, or until then, or for no reason. */
static void sleep_on(struct shmchan_region_private *p, const struct bells *b,
		     uint64_t until)
{
	struct local_waitv v[SHMCHAN_MAX_ELEMS];
	struct timespec ts = to_timespec(until);
	uint32_t i;

	if (b->nr == 1) {
		sleep_on_one(p, b, until);
		return;
	}
	for (i = 0; i < b->nr; i++)
		v[i] = (struct local_waitv){
			.val = b->seq[i],
			.uaddr = (uintptr_t)futex_word(p, b->number[i]),
			.flags = LOCAL_FUTEX_32,
		};
	if (syscall(SYS_futex_waitv, v, b->nr, 0, &ts, CLOCK_MONOTONIC) < 0 &&
	    (errno == ENOSYS || errno == EPERM))
		sleep_on_one(p, b, until);
}

/* When the next look for dead members is due. */
static uint64_t next_reap(const struct shmchan_region_private *p, uint64_t now)
{
	uint64_t last = shmchan_load_relaxed(&p->local->super->reaped);

	if (now - last < (uint64_t)SHMCHAN_LOCAL_SLICE_NS)
		return last + (uint64_t)SHMCHAN_LOCAL_SLICE_NS;
	/* Never, or by a clock of another time namespace. */
	return now + (uint64_t)SHMCHAN_LOCAL_SLICE_NS;
}

static int still_member(const struct shmchan_region_private *p)
{
	if (shmchan__word_live(shmchan_slot_word(&p->pub, p->pub.slot),
			       p->pub.generation))
		return 0;
	return shmchan__fail(ESTALE,
		"slot %u of %s, generation %u, is no longer ours",
		p->pub.slot, shmchan__label(p), p->pub.generation);
}

/* One turn: 1 if a word differs, 0 after a sleep, or an error. */
static int wait_once(struct shmchan_region_private *p, struct bells *b,
		     const struct shmchan_wait_elem *elems, uint32_t nr_elems,
		     uint64_t deadline, uint32_t *index)
{
	uint64_t now, until;
	uint32_t i;
	int err;

	for (i = 0; i < b->nr; i++) {
		b->seq[i] = shmchan_load_seq_cst(futex_word(p, b->number[i]));
		raise_flag(p, b->number[i]);
	}
	/* For producers whose stores are weaker and who fence, too. */
	shmchan_fence_seq_cst();
	if (any_differs(p, elems, nr_elems, index))
		return 1;
	err = still_member(p);
	if (err)
		return err;
	now = shmchan__now();
	if (now >= deadline)
		return shmchan__fail(ETIMEDOUT, "the deadline has passed");
	/* It may have changed a word of ours, or of an element. */
	if (local_reap(p, now))
		return 0;
	until = next_reap(p, now);
	sleep_on(p, b, until < deadline ? until : deadline);
	return 0;
}

int local_wait(struct shmchan_region_private *p,
	       const struct shmchan_wait_elem *elems, uint32_t nr_elems,
	       uint64_t deadline, uint32_t *index)
{
	struct bells b;
	int ret;

	ret = shmchan__check_wait(p, elems, nr_elems);
	if (ret)
		return ret;
	/* Already?  Then nobody has to ring for us. */
	if (any_differs(p, elems, nr_elems, index))
		return still_member(p);
	collect(&b, elems, nr_elems);
	do
		ret = wait_once(p, &b, elems, nr_elems, deadline, index);
	while (!ret);
	return ret > 0 ? 0 : ret;
}

int local_ring(struct shmchan_region_private *p, uint32_t doorbell,
	       uint32_t max_wake)
{
	int err = shmchan__check_ring(p, doorbell);

	/* Those whose conditions hold might not be the first in the queue. */
	(void)max_wake;
	if (!err)
		err = still_member(p);
	return err ? err : ring_one(p, doorbell);
}

int local_ring_wait(struct shmchan_region_private *p, uint32_t doorbell,
		    uint32_t max_wake, const struct shmchan_wait_elem *elems,
		    uint32_t nr_elems, uint64_t deadline, uint32_t *index)
{
	int woken = local_ring(p, doorbell, max_wake);

	if (woken < 0)
		return woken;
	return local_wait(p, elems, nr_elems, deadline, index);
}
