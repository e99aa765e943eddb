// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Synchronisation objects: waiting, and waking.  See sync_private.h. */

#include "backend.h"
#include "spin.h"
#include "sync_private.h"

/* Between two looks at the clock. */
#define LOOKS	16

int shmchan_sync__ring(struct shmchan_sync_object *o, uint32_t max_wake)
{
	int ret;

	shmchan_fetch_add(&o->rings, 1);
	ret = shmchan_bell_ring(o->region, o->doorbell, max_wake);
	return ret < 0 ? ret : 0;
}

/* A handle is all threads', but what it has learned is one's at a time. */
static int take_spin(struct shmchan_sync_object *o)
{
	return !shmchan_load_relaxed(&o->spinning) &&
	       !shmchan_exchange(&o->spinning, 1);
}

static void give_spin(struct shmchan_sync_object *o)
{
	shmchan_store_release(&o->spinning, 0);
}

static int changed(struct shmchan_sync_object *o,
		   const struct shmchan__seen *seen, uint32_t nr,
		   uint64_t members)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (shmchan_load_relaxed((uint64_t *)seen[i].word) !=
		    seen[i].value)
			return 1;
	return shmchan_members_seq(o->region) != members;
}

/* Look again for ns.  Returns whether something changed. */
static int spin(struct shmchan_sync_object *o,
		const struct shmchan__seen *seen, uint32_t nr,
		uint64_t members, uint64_t ns, uint64_t deadline)
{
	uint64_t begin = shmchan__now(), now = begin, until;
	int i;

	until = deadline > now && ns < deadline - now ? now + ns : deadline;
	do {
		for (i = 0; i < LOOKS; i++) {
			if (changed(o, seen, nr, members)) {
				shmchan__spin_hit(&o->spin, now - begin);
				return 1;
			}
			shmchan_cpu_relax();
		}
		now = shmchan__now();
		shmchan__spin_bury(o->region, begin, now);
	} while (now < until);
	/* Cut short, it says nothing. */
	if (until != deadline)
		shmchan__spin_missed(&o->spin, now - begin);
	return 0;
}

/*
 * Before we sleep, if that may be worth it.  One thread of ours at a time: two that
 * look at one line cost its owner twice as much, and only one of them can get it.
 */
static int spin_first(struct shmchan_sync_object *o,
		      const struct shmchan__seen *seen, uint32_t nr,
		      uint64_t members, uint64_t deadline)
{
	uint64_t ns;
	int hit = 0;

	if (!take_spin(o))
		return 0;
	ns = shmchan__spin_begin(&o->spin);
	if (ns)
		hit = spin(o, seen, nr, members, ns, deadline);
	give_spin(o);
	return hit;
}

static void parked(struct shmchan_sync_object *o, uint64_t ns)
{
	if (!take_spin(o))
		return;
	shmchan__spin_parked(&o->spin, ns);
	give_spin(o);
}

int shmchan__sync_wait(struct shmchan_sync_object *o,
		       const struct shmchan__seen *seen, uint32_t nr,
		       uint64_t members, uint64_t deadline)
{
	struct shmchan_wait_elem elems[SHMCHAN__SYNC_WORDS + 1];
	uint64_t begin;
	uint32_t i;
	int err;

	err = shmchan_region_check(o->region);
	if (err)
		return err;
	if (deadline != SHMCHAN_FOREVER && shmchan__now() >= deadline)
		return sync_fail_briefly(ETIMEDOUT, "sync: the time is up");
	if (spin_first(o, seen, nr, members, deadline))
		return 0;
	for (i = 0; i < nr; i++)
		elems[i] = shmchan_elem64(o->doorbell, o->offset +
			(uint64_t)((const uint8_t *)seen[i].word -
				   (const uint8_t *)o->line), seen[i].value);
	elems[nr] = shmchan_elem_members(o->region, members);
	shmchan_fetch_add(&o->waits, 1);
	begin = shmchan__now();
	err = shmchan_bell_wait(o->region, elems, nr + 1, deadline, NULL);
	if (!err)
		parked(o, shmchan__now() - begin);
	return err;
}
