// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The kmod backend: what WAIT is to be given so that it loses no wake-up by a
 * producer without a fence.  See asym.h.
 */

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>

#include "asym.h"
#include "backend_kmod.h"

/*
 * With no place for one more element, by who joins as ASYM in this instant a
 * wake-up may be lost: it is made up for so much later.
 */
#define FULL_SLICE_NS	10000000ULL

static uint64_t seq_offset(const struct shmchan_region *r, uint32_t doorbell)
{
	return (uint64_t)((uint8_t *)&shmchan_doorbell_status(r, doorbell)->seq -
			  r->base);
}

static uint64_t members_offset(const struct shmchan_region *r)
{
	return r->status_offset + offsetof(struct shmchan_status, members_seq);
}

/* Whose region an element is about; NULL: of none that we know. */
static struct shmchan_region_private *
whose(struct shmchan_region_private *p, const struct shmchan_wait_elem *e)
{
	struct shmchan__file *file;

	if (e->fd == -1 || e->fd == p->file.fd)
		return p;
	file = shmchan__file_find(e->fd);
	if (!file || !file->is_region)
		return NULL;
	return (struct shmchan_region_private *)(void *)
		((uint8_t *)file - offsetof(struct shmchan_region_private, file));
}

/* One more condition.  0 if there is no place for it. */
static int add(struct shmchan__kmod_guard *g, int fd, uint64_t offset,
	       uint64_t value)
{
	struct shmchan_wait_elem *e;

	if (g->nr == SHMCHAN_MAX_ELEMS)
		return 0;
	if (g->elems != g->room) {
		memcpy(g->room, g->elems, g->nr * sizeof(g->room[0]));
		g->elems = g->room;
	}
	e = &g->room[g->nr++];
	*e = shmchan_elem64(SHMCHAN_DOORBELL_MEMBERS, offset, value);
	e->fd = fd;
	return 1;
}

int shmchan__kmod_arm(struct shmchan_region_private *p, uint32_t doorbell,
		      const struct shmchan_wait_elem *elems, uint32_t nr_elems)
{
	struct shmchan_arm a = {
		.size = sizeof(a), .doorbell = doorbell,
		.nr_elems = nr_elems, .elems = (uintptr_t)elems,
	};

	return ioctl(p->file.fd, SHMCHAN_IOC_ARM, &a) ? errno : 0;
}

static uint64_t *ours(struct shmchan_region_private *p, uint32_t doorbell,
		      uint64_t *bit)
{
	*bit = 1ULL << doorbell % 64;
	return &p->subscribed[doorbell / 64];
}

/* Was it us who subscribed?  The caller's from now on. */
int shmchan__kmod_hand_over(struct shmchan_region_private *p, uint32_t doorbell)
{
	uint64_t bit, *word;

	if (doorbell > p->pub.nr_doorbells)
		return 0;
	word = ours(p, doorbell, &bit);
	return !!(__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit);
}

/* Be counted among the waiters, until the next ring. */
int shmchan__kmod_count(struct shmchan_region_private *p, uint32_t doorbell)
{
	struct shmchan_subscribe s = {
		.size = sizeof(s), .doorbell = doorbell,
	};
	uint64_t bit, *word;
	int err = shmchan__kmod_arm(p, doorbell, NULL, 0);

	if (err != ENOENT)
		return err;
	word = ours(p, doorbell, &bit);
	__atomic_fetch_or(word, bit, __ATOMIC_SEQ_CST);
	if (ioctl(p->file.fd, SHMCHAN_IOC_SUBSCRIBE, &s)) {
		err = errno;
		__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
		/* Another thread was quicker. */
		if (err != EEXIST)
			return err;
	}
	return shmchan__kmod_arm(p, doorbell, NULL, 0);
}

/* Is the doorbell of element nr that of an earlier one? */
static int seen_before(const struct shmchan_wait_elem *elems, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (elems[i].fd == elems[nr].fd &&
		    elems[i].doorbell == elems[nr].doorbell)
			return 1;
	return 0;
}

/* There is one: raise all counts, then have the barrier.  0 if it cannot be. */
static int raise_counts(struct shmchan_region_private *p,
			struct shmchan__kmod_guard *g, uint32_t nr_elems)
{
	const struct shmchan_wait_elem *elems = g->elems;
	struct shmchan_region_private *q;
	uint64_t seq;
	uint32_t i;

	for (i = 0; i < nr_elems; i++) {
		q = whose(p, &elems[i]);
		if (elems[i].doorbell == SHMCHAN_DOORBELL_MEMBERS || !q ||
		    elems[i].doorbell > q->pub.nr_doorbells ||
		    seen_before(elems, i))
			continue;
		seq = shmchan_load_seq_cst(&shmchan_doorbell_status(
			&q->pub, elems[i].doorbell)->seq);
		if (!add(g, elems[i].fd, seq_offset(&q->pub, elems[i].doorbell),
			 seq) || shmchan__kmod_count(q, elems[i].doorbell))
			return 0;
	}
	return !shmchan__asym_barrier();
}

/*
 * What to give WAIT instead of these elements.  Those that are added come behind
 * the caller's.  Where nobody is ASYM the kernel looks again, behind the count, and
 * says EAGAIN if somebody is, be it we ourselves: then careful, which is dearer,
 * and wakes us whenever somebody joins.
 */
void shmchan__kmod_guard(struct shmchan_region_private *p,
			 const struct shmchan_wait_elem *elems,
			 uint32_t nr_elems, int own, int careful,
			 struct shmchan__kmod_guard *g)
{
	struct shmchan_region_private *q, *last = NULL;
	uint64_t seq;
	uint32_t i;
	int any = 0;

	g->elems = elems;
	g->nr = nr_elems;
	g->slice = 0;
	g->flags = 0;
	/* The kernel will say what is wrong with them. */
	if (!elems || nr_elems > SHMCHAN_MAX_ELEMS)
		return;
	for (i = 0; i < nr_elems && !any; i++) {
		/* The kernel alone rings that one. */
		if (elems[i].doorbell == SHMCHAN_DOORBELL_MEMBERS)
			continue;
		q = whose(p, &elems[i]);
		if (!q || q == last)
			continue;
		last = q;
		any = shmchan__asym_any(q, own || q != p, &seq);
		if (any || (q == p && shmchan__asym_named(p, elems, nr_elems)) ||
		    q->pub.nr_slots > SHMCHAN__ASYM_SLOTS)
			continue;
		if (!careful)
			g->flags = SHMCHAN_WAIT_FENCED;
		else if (!add(g, elems[i].fd, members_offset(&q->pub), seq))
			g->slice = FULL_SLICE_NS;
	}
	if (!any)
		return;
	g->flags = 0;
	if (!raise_counts(p, g, nr_elems))
		g->slice = SHMCHAN__ASYM_SLICE_NS;
}
