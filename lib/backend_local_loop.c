// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Local regions: waiting for words, of one or of several, and who has ended.
 *
 * The bells are those of backend_local_bell.c, and no ring is lost for the reasons
 * given there.
 */

#include <errno.h>
#include <stdlib.h>

#include "asym.h"
#include "backend_local.h"

static int have(const struct local_bell *bells, uint32_t nr,
		const struct shmchan_region_private *p, uint32_t number)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (bells[i].p == p && bells[i].number == number)
			return 1;
	return 0;
}

/* Has the region another doorbell to be woken by, which tells of members too? */
static int other_bell(const struct shmchan_cond *conds, uint32_t nr,
		      const struct shmchan_region *region)
{
	uint32_t i;

	for (i = 0; i < nr; i++)
		if (conds[i].region == region &&
		    conds[i].elem.doorbell != SHMCHAN_DOORBELL_MEMBERS)
			return 1;
	return 0;
}

/* The distinct bells to sleep on; as many as conditions at most. */
uint32_t local_collect(struct local_bell *bells,
		       const struct shmchan_cond *conds, uint32_t nr)
{
	uint32_t i, n = 0;

	for (i = 0; i < nr; i++) {
		struct shmchan_region_private *p =
			shmchan__private(conds[i].region);
		uint32_t number = conds[i].elem.doorbell;

		if (have(bells, n, p, number) ||
		    (number == SHMCHAN_DOORBELL_MEMBERS &&
		     other_bell(conds, nr, conds[i].region)))
			continue;
		bells[n].p = p;
		bells[n++].number = number;
	}
	return n;
}

/* Has a word changed?  Tells which in *index. */
static int any_differs(const struct shmchan_cond *conds, uint32_t nr,
		       uint32_t *index)
{
	uint32_t i;

	for (i = 0; i < nr; i++) {
		if (!shmchan__differs(shmchan__private(conds[i].region),
				      &conds[i].elem))
			continue;
		if (index)
			*index = i;
		return 1;
	}
	return 0;
}

static int still_members(const struct shmchan_cond *conds, uint32_t nr)
{
	uint32_t i;
	int err;

	for (i = 0; i < nr; i++) {
		err = local_still_member(shmchan__private(conds[i].region));
		if (err)
			return err;
	}
	return 0;
}

/* One turn: 1 if a word differs, 0 after a sleep, or an error. */
static int wait_once(struct local_bell *bells, uint32_t nr_bells,
		     const struct shmchan_cond *conds, uint32_t nr,
		     uint64_t deadline, uint32_t *index, int own,
		     int *passed)
{
	int err, without, dead = 0;
	uint64_t now, until;
	uint32_t i;

	without = local_bells_raise(bells, nr_bells, own, passed);
	if (any_differs(conds, nr, index))
		return 1;
	err = still_members(conds, nr);
	if (err)
		return err;
	now = shmchan__now();
	if (now >= deadline)
		return shmchan__fail(ETIMEDOUT, "the deadline has passed");
	for (i = 0; i < nr_bells; i++)
		dead += local_reap(bells[i].p, now);
	/* It may have changed a word of ours, or of an element. */
	if (dead)
		return 0;
	until = local_bells_due(bells, nr_bells, now, without);
	local_bells_sleep(bells, nr_bells, until < deadline ? until : deadline);
	return 0;
}

int local_wait_conds(const struct shmchan_cond *conds, uint32_t nr,
		     uint64_t deadline, uint32_t *index, int own)
{
	struct local_bell bells[SHMCHAN_MAX_ELEMS];
	uint32_t nr_bells;
	int ret, passed = 0;

	/* Already?  Then nobody has to ring for us. */
	if (any_differs(conds, nr, index))
		return still_members(conds, nr);
	nr_bells = local_collect(bells, conds, nr);
	do
		ret = wait_once(bells, nr_bells, conds, nr, deadline, index,
				own, &passed);
	while (!ret);
	return ret > 0 ? 0 : ret;
}

int local_wait_many(const struct shmchan_cond *conds, uint32_t nr,
		    uint64_t deadline, uint32_t *index)
{
	return local_wait_conds(conds, nr, deadline, index, 1);
}

/*
 * Of the members that a slot has lost, the last: its generation and how it
 * ended.  0: it has lost none.
 */
static uint32_t last_end(const struct shmchan_region_private *p, uint32_t slot,
			 uint32_t *state)
{
	uint64_t word = shmchan_load_acquire(local_word(p, slot));
	uint32_t generation = SHMCHAN_SLOT_WORD_GEN(word);
	struct shmchan_member_info info = { 0 };

	*state = SHMCHAN_SLOT_WORD_STATE(word);
	if (*state != SHMCHAN_SLOT_LIVE)
		return generation;
	/* How it ended before somebody else came is known for the last one. */
	*state = SHMCHAN_SLOT_DIED;
	if (--generation && !local_member(p, slot, &info) &&
	    info.previous_holder.generation == generation)
		*state = info.previous_holder.state;
	return generation;
}

int local_subscribe_members(struct shmchan_region_private *p)
{
	uint32_t *told = shmchan_load_acquire(&p->local->told), *none = NULL;
	uint32_t slot, state, off = 0;

	if (!told) {
		told = calloc(p->pub.nr_slots, sizeof(*told));
		if (!told)
			return shmchan__fail(ENOMEM, "no memory for events");
		if (!shmchan_cas(&p->local->told, &none, told)) {
			free(told);
			told = none;
		}
	}
	if (shmchan_load_acquire(&p->local->telling))
		return shmchan__fail(EEXIST,
			"ends of members of %s are told already",
			shmchan__label(p));
	for (slot = 0; slot < p->pub.nr_slots; slot++)
		shmchan_store_relaxed(&told[slot], last_end(p, slot, &state));
	if (!shmchan_cas(&p->local->telling, &off, 1))
		return shmchan__fail(EEXIST,
			"ends of members of %s are told already",
			shmchan__label(p));
	return 0;
}

int local_unsubscribe(struct shmchan_region_private *p, uint32_t doorbell)
{
	uint32_t on = 1;

	if (doorbell != SHMCHAN_DOORBELL_MEMBERS ||
	    !shmchan_cas(&p->local->telling, &on, 0))
		return shmchan__fail(ENOENT, "doorbell %u is not subscribed to",
				     doorbell);
	return 0;
}

int local_events(struct shmchan_region_private *p,
		 struct shmchan_event *events, uint32_t nr)
{
	uint32_t slot, state, generation, before, n = 0;
	int err = local_still_member(p);

	if (err)
		return err;
	local_reap(p, shmchan__now());
	if (!shmchan_load_acquire(&p->local->telling))
		return 0;
	for (slot = 0; slot < p->pub.nr_slots && n < nr; slot++) {
		before = shmchan_load_acquire(&p->local->told[slot]);
		generation = last_end(p, slot, &state);
		/* Another thread may be telling it. */
		if (generation == before ||
		    !shmchan_cas(&p->local->told[slot], &before, generation))
			continue;
		events[n++] = (struct shmchan_event){
			.kind = SHMCHAN_EVENT_ENDED,
			.doorbell = SHMCHAN_DOORBELL_MEMBERS,
			.count = generation - before, .slot = slot,
			.generation = generation, .state = state,
		};
	}
	return (int)n;
}

int local_bind_eventfd(struct shmchan_region_private *p, uint32_t doorbell,
		       int fd)
{
	(void)p;
	(void)fd;
	return shmchan__fail(ENOTSUP,
		"doorbell %u: whoever rings in the local backend has no way to an eventfd of ours: load the module, or sleep on shmchan_set_fd()",
		doorbell);
}
