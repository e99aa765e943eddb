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
 * A producer that has joined as ASYM has no barrier between a and b; then the
 * sleeper has one passed through it, between 2 and 3 (asym.h).
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

#include "asym.h"
#include "backend_local.h"

/* Linux 5.16; older headers lack them. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv	449
#endif

#define LOCAL_FUTEX_32	2	/* FUTEX_32, shared between processes */

/* Without futex_waitv one doorbell is slept on and the rest looked at. */
#define SHORT_SLICE_NS	1000000ULL

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

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000ULL),
		.tv_nsec = (long)(ns % 1000000000ULL),
	};
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

int local_still_member(const struct shmchan_region_private *p)
{
	if (shmchan__word_live(shmchan_slot_word(&p->pub, p->pub.slot),
			       p->pub.generation))
		return 0;
	return shmchan__fail(ESTALE,
		"slot %u of %s, generation %u, is no longer ours: we are no longer a member",
		p->pub.slot, shmchan__label(p), p->pub.generation);
}

/*
 * 1 and 2 for all bells, and the barrier for those who have none.  That once per
 * sleep, not per slice of one, which *passed tells: while no ring has moved a seq
 * on, the flags have been up since the last one, or a seq is about to move on.
 * own: our own other threads may be such ones, too.  Returns whether the barrier
 * could not be had.
 */
int local_bells_raise(struct local_bell *bells, uint32_t nr, int own,
		      int *passed)
{
	uint64_t unused;
	uint32_t i, seq;
	int any = 0;

	for (i = 0; i < nr; i++) {
		struct local_bell *b = &bells[i];

		seq = shmchan_load_seq_cst(futex_word(b->p, b->number));
		/* A ring has cleared it since the barrier. */
		if (*passed && seq != b->seq)
			*passed = 0;
		b->seq = seq;
		raise_flag(b->p, b->number);
	}
	/* For producers whose stores are weaker and who fence, too. */
	shmchan_fence_seq_cst();
	for (i = 0; i < nr && !any && !*passed; i++)
		any = shmchan__asym_any(bells[i].p, own, &unused);
	if (any)
		*passed = !shmchan__asym_barrier();
	return any && !*passed;
}

struct local_waitv local_bell_futex(const struct local_bell *b)
{
	return (struct local_waitv){
		.val = b->seq,
		.uaddr = (uintptr_t)futex_word(b->p, b->number),
		.flags = LOCAL_FUTEX_32,
	};
}

/* When there is to be a look that nobody rings for, at the latest. */
uint64_t local_bells_due(const struct local_bell *bells, uint32_t nr,
			 uint64_t now, int without)
{
	uint64_t until = SHMCHAN_FOREVER, due;
	uint32_t i;

	if (without)
		until = now + SHMCHAN__ASYM_SLICE_NS;
	for (i = 0; i < nr; i++) {
		due = next_reap(bells[i].p, now);
		if (due < until)
			until = due;
	}
	return until;
}

/* Its timeout is absolute, of CLOCK_MONOTONIC. */
static void sleep_on_one(const struct local_bell *b, uint64_t until)
{
	struct timespec ts = to_timespec(until);

	syscall(SYS_futex, futex_word(b->p, b->number), FUTEX_WAIT_BITSET,
		b->seq, &ts, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* Until one of them is rung, or until then, or for no reason. */
void local_bells_sleep(const struct local_bell *bells, uint32_t nr,
		       uint64_t until)
{
	struct local_waitv v[SHMCHAN_MAX_ELEMS];
	struct timespec ts = to_timespec(until);
	uint32_t i;

	if (nr == 1) {
		sleep_on_one(bells, until);
		return;
	}
	for (i = 0; i < nr; i++)
		v[i] = local_bell_futex(&bells[i]);
	if (syscall(SYS_futex_waitv, v, nr, 0, &ts, CLOCK_MONOTONIC) >= 0 ||
	    (errno != ENOSYS && errno != EPERM))
		return;
	/* Without it one is slept on, shortly, and the rest looked at. */
	if (until > shmchan__now() + SHORT_SLICE_NS)
		until = shmchan__now() + SHORT_SLICE_NS;
	sleep_on_one(bells, until);
}

int local_wait(struct shmchan_region_private *p,
	       const struct shmchan_wait_elem *elems, uint32_t nr_elems,
	       uint64_t deadline, uint32_t *index, int own)
{
	struct shmchan_cond conds[SHMCHAN_MAX_ELEMS];
	uint32_t i;
	int err;

	err = shmchan__check_wait(p, elems, nr_elems);
	if (err)
		return err;
	for (i = 0; i < nr_elems; i++)
		conds[i] = (struct shmchan_cond){
			.region = &p->pub, .elem = elems[i],
		};
	return local_wait_conds(conds, nr_elems, deadline, index, own);
}

int local_count(struct shmchan_region_private *p, uint32_t doorbell)
{
	raise_flag(p, doorbell);
	return 0;
}

int local_ring(struct shmchan_region_private *p, uint32_t doorbell,
	       uint32_t max_wake)
{
	int err = shmchan__check_ring(p, doorbell);

	/* Those whose conditions hold might not be the first in the queue. */
	(void)max_wake;
	if (!err)
		err = local_still_member(p);
	return err ? err : ring_one(p, doorbell);
}

int local_ring_wait(struct shmchan_region_private *p, uint32_t doorbell,
		    uint32_t max_wake, const struct shmchan_wait_elem *elems,
		    uint32_t nr_elems, uint64_t deadline, uint32_t *index)
{
	int woken = local_ring(p, doorbell, max_wake);

	if (woken < 0)
		return woken;
	return local_wait(p, elems, nr_elems, deadline, index, 1);
}
