// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Bells: the calls of <shmchan/bell.h>, for whichever backend.
 */

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "asym.h"

uint64_t shmchan__now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

uint64_t shmchan_deadline(int64_t timeout_ns)
{
	uint64_t now;

	if (timeout_ns < 0)
		return SHMCHAN_FOREVER;
	now = shmchan__now();
	if ((uint64_t)timeout_ns >= SHMCHAN_FOREVER - now)
		return SHMCHAN_FOREVER;
	return now + (uint64_t)timeout_ns;
}

/* A doorbell that this member may wait on. */
static int check_doorbell(const struct shmchan_region_private *p,
			  uint32_t doorbell)
{
	uint32_t owner;

	if (doorbell > p->pub.nr_doorbells)
		return shmchan__fail(EINVAL,
			"doorbell %u: %s has doorbells 0 to %u", doorbell,
			shmchan__label(p), p->pub.nr_doorbells);
	if (doorbell == SHMCHAN_DOORBELL_MEMBERS)
		return 0;
	owner = p->doorbells[doorbell - 1].owner;
	if (owner != p->pub.slot && owner != SHMCHAN_SLOT_SHARED)
		return shmchan__fail(EACCES,
			"doorbell %u is slot %u's to wait on, ours is slot %u",
			doorbell, owner, p->pub.slot);
	return 0;
}

static int check_elem(const struct shmchan_region_private *p, uint32_t i,
		      const struct shmchan_wait_elem *e)
{
	uint32_t width = e->flags & SHMCHAN_ELEM_32 ? 4 : 8;

	if (e->flags & ~SHMCHAN_ELEM_32 || e->reserved)
		return shmchan__fail(EINVAL,
			"element %u: flags %#x, reserved %#x: only SHMCHAN_ELEM_32 is known",
			i, e->flags, e->reserved);
	/* Another member's file: its backend checks the rest. */
	if (e->fd >= 0 && p->pub.backend == SHMCHAN_BACKEND_KMOD)
		return 0;
	if (e->fd != -1)
		return shmchan__fail(EINVAL,
			"element %u: fd is %d: should be -1%s", i, e->fd,
			p->pub.backend == SHMCHAN_BACKEND_KMOD ?
			" or a member's file" : " on the local backend");
	if (e->offset % width || !shmchan__in_area(&p->pub, e->offset, width))
		return shmchan__fail(EINVAL,
			"element %u: offset %#" PRIx64 ": should be that of a %u-byte word of the region, aligned to %u",
			i, (uint64_t)e->offset, width, width);
	if (!shmchan__reaches(&p->pub, e->offset, width))
		return shmchan__fail(EACCES,
			"element %u: offset %#" PRIx64 " is beyond what our capability reaches",
			i, (uint64_t)e->offset);
	if (width == 4 && (e->value >> 32 || e->mask >> 32))
		return shmchan__fail(EINVAL,
			"element %u: value %#" PRIx64 ", mask %#" PRIx64 " for a word of 32 bits",
			i, (uint64_t)e->value, (uint64_t)e->mask);
	return check_doorbell(p, e->doorbell);
}

static int check_room(const struct shmchan_wait_elem *elems, uint32_t nr_elems)
{
	if (nr_elems && nr_elems <= SHMCHAN_MAX_ELEMS && elems)
		return 0;
	return shmchan__fail(EINVAL,
		"%u elements at %p: should be 1 to %d of them",
		nr_elems, (const void *)elems, SHMCHAN_MAX_ELEMS);
}

int shmchan__check_wait(const struct shmchan_region_private *p,
			const struct shmchan_wait_elem *elems,
			uint32_t nr_elems)
{
	uint32_t i;
	int err = check_room(elems, nr_elems);

	if (err)
		return err;
	if (!(p->pub.rights & SHMCHAN_RIGHT_WAIT))
		return shmchan__fail(EACCES,
			"%s was opened without SHMCHAN_RIGHT_WAIT",
			shmchan__label(p));
	for (i = 0; i < nr_elems; i++) {
		err = check_elem(p, i, &elems[i]);
		if (err)
			return err;
	}
	return 0;
}

int shmchan__check_ring(const struct shmchan_region_private *p,
			uint32_t doorbell)
{
	if (!(p->pub.rights & SHMCHAN_RIGHT_RING))
		return shmchan__fail(EACCES,
			"%s was opened without SHMCHAN_RIGHT_RING",
			shmchan__label(p));
	if (doorbell > p->pub.nr_doorbells)
		return shmchan__fail(EINVAL,
			"doorbell %u: %s has doorbells 1 to %u to ring",
			doorbell, shmchan__label(p), p->pub.nr_doorbells);
	if (doorbell == SHMCHAN_DOORBELL_MEMBERS)
		return shmchan__fail(EACCES,
			"doorbell 0 is rung when members come and go, and by nobody else");
	return 0;
}

int shmchan__differs(const struct shmchan_region_private *p,
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

int shmchan_bell_wait(const struct shmchan_region *region,
		      const struct shmchan_wait_elem *elems, uint32_t nr_elems,
		      uint64_t deadline, uint32_t *index)
{
	int err = shmchan__usable(region);

	/* A backend whose checks are the kernel's would say EFAULT. */
	if (!err)
		err = check_room(elems, nr_elems);
	if (err)
		return err;
	return shmchan__private(region)->ops->wait(shmchan__private(region),
		elems, nr_elems, deadline, index, 1);
}

int shmchan__bell_wait_others(const struct shmchan_region *region,
			      const struct shmchan_wait_elem *elems,
			      uint32_t nr_elems, uint64_t deadline)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	return shmchan__private(region)->ops->wait(shmchan__private(region),
		elems, nr_elems, deadline, NULL, 0);
}

struct shmchan_wait_elem shmchan__elem_rings(const struct shmchan_region *region,
					     uint32_t doorbell, uint64_t seq)
{
	uint8_t *word = (uint8_t *)
		&shmchan_doorbell_status(region, doorbell)->seq;

	return shmchan_elem64(doorbell, (uint64_t)(word - region->base), seq);
}

int shmchan__bell_count(const struct shmchan_region *region, uint32_t doorbell,
			uint64_t *seq)
{
	int err = shmchan__usable(region);
	uint64_t unused;

	if (err)
		return err;
	*seq = shmchan_load_seq_cst(
		&shmchan_doorbell_status(region, doorbell)->seq);
	err = shmchan__private(region)->ops->count(shmchan__private(region),
						   doorbell);
	/* Pairs with the producer's, between its store and its look at us. */
	shmchan_fence_seq_cst();
	if (err || !shmchan__asym_any(shmchan__private(region), 0, &unused) ||
	    !shmchan__asym_barrier())
		return err;
	return shmchan__fail(EOPNOTSUPP,
			     "a member of %s publishes without a fence (SHMCHAN_JOIN_ASYM), and membarrier(2) is refused here: sleep in a call that waits, or allow it (seccomp)",
			     shmchan__name_of(region));
}

/*
 * A producer whose store the scan did not see, sees that we are counted, or that
 * another ring has come after that; and each ring moves seq on.
 */
int shmchan__bell_wait_scan(const struct shmchan_region *region,
			    uint32_t doorbell, uint64_t members,
			    int (*scan)(void *arg), void *arg,
			    uint64_t deadline)
{
	struct shmchan_wait_elem elems[2];
	uint64_t seq, until = deadline, slice = 0;
	int err = shmchan__bell_count(region, doorbell, &seq);

	/* Locally one who rings may be stopped after it has uncounted us. */
	if (err == -EOPNOTSUPP)
		slice = SHMCHAN__ASYM_SLICE_NS;
	else if (err)
		return err;
	else if (region->backend == SHMCHAN_BACKEND_LOCAL)
		slice = SHMCHAN_LOCAL_SLICE_NS;
	if (slice && until > shmchan__now() + slice)
		until = shmchan__now() + slice;
	if (scan(arg))
		return 0;
	elems[0] = shmchan__elem_rings(region, doorbell, seq);
	elems[1] = shmchan_elem_members(region, members);
	err = shmchan__bell_wait_others(region, elems, 2, until);
	return err == -ETIMEDOUT && until != deadline ? 0 : err;
}

int shmchan_bell_ring(const struct shmchan_region *region, uint32_t doorbell,
		      uint32_t max_wake)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	return shmchan__private(region)->ops->ring(shmchan__private(region),
						   doorbell, max_wake);
}

int shmchan_bell_ring_wait(const struct shmchan_region *region,
			   uint32_t doorbell, uint32_t max_wake,
			   const struct shmchan_wait_elem *elems,
			   uint32_t nr_elems, uint64_t deadline,
			   uint32_t *index)
{
	int err = shmchan__usable(region);

	if (!err)
		err = check_room(elems, nr_elems);
	if (err)
		return err;
	return shmchan__private(region)->ops->ring_wait(
		shmchan__private(region), doorbell, max_wake, elems, nr_elems,
		deadline, index);
}

int shmchan_bell_subscribe(const struct shmchan_region *region,
			   uint32_t doorbell)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	return shmchan__private(region)->ops->subscribe(
		shmchan__private(region), doorbell);
}

int shmchan_bell_arm(const struct shmchan_region *region, uint32_t doorbell,
		     const struct shmchan_wait_elem *elems, uint32_t nr_elems)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	return shmchan__private(region)->ops->arm(shmchan__private(region),
						  doorbell, elems, nr_elems);
}
