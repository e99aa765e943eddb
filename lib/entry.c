// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* How one gets into a region with a layout: see entry.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "access_private.h"
#include "entry.h"

/* A name that appears and disappears under us so often is a quarrel. */
#define OPEN_TRIES	16

/* Between two looks for a name: from the first to the last. */
#define LOOK_FIRST_NS	1000000ULL
#define LOOK_LAST_NS	50000000ULL

/* So many are tried in order; where there are more, the rest from somewhere. */
#define IN_ORDER	8

static int all_taken(const char *name, const struct shmchan__entry *e,
		     uint32_t first, uint32_t nr)
{
	return shmchan__fail(EBUSY,
			     "%s: all %u seats of %s are taken (%s, slots %u to %u): one of them has to leave, or it is made anew with more",
			     e->what, nr, name, e->seat, first, first + nr - 1);
}

/* The nth seat to try, of nr: each once.  Who come together begin apart. */
static uint32_t seat_to_try(const struct shmchan__entry *e, uint32_t n,
			    uint32_t nr, uint32_t somewhere)
{
	if (n >= IN_ORDER)
		n = IN_ORDER + (n - IN_ORDER + somewhere) % (nr - IN_ORDER);
	return e->last_first ? nr - 1 - n : n;
}

static int take_slot(struct shmchan_region **region, const char *name,
		     const struct shmchan__entry *e, uint32_t slot)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(
		.backend = e->backend, .rights = e->rights, .slot = slot,
		.any_owner = e->any_owner, .join_flags = e->join_flags);
	struct shmchan_adopt_opts aopts = SHMCHAN_ADOPT_OPTS(
		.slot = slot, .join_flags = e->join_flags);

	return e->capability ?
	       shmchan_region_adopt(region, *e->capability, &aopts) :
	       shmchan_region_open(region, name, &opts);
}

static int take_one_of(struct shmchan_region **region, const char *name,
		       const struct shmchan__entry *e, uint32_t first,
		       uint32_t nr)
{
	uint32_t somewhere = (uint32_t)(shmchan__now() >> 4) & 0xffff;
	uint32_t there = 0, i;
	int err = 0, denied = 0;

	if (!nr)
		return shmchan__fail(EPROTO,
				     "%s: %s has no such seats (%s)", e->what,
				     name, e->seat);
	for (i = 0; i < nr; i++) {
		err = take_slot(region, name, e,
				first + seat_to_try(e, i, nr, somewhere));
		/* All else was all right just now: it has fewer seats. */
		if (err == -EINVAL && there)
			continue;
		there++;
		/* A seat may be another user's, and the next one not. */
		denied += err == -EACCES;
		if (err != -EBUSY && err != -EACCES)
			return err;
	}
	return nr == 1 || denied ? err : all_taken(name, e, first, there);
}

int shmchan__entry_all_but_first(const struct shmchan__sight *sight,
				 const struct shmchan__entry *e,
				 uint32_t *first, uint32_t *nr,
				 uint32_t *rights)
{
	(void)e;
	(void)rights;
	if (*first)
		*nr = sight->nr_slots - 1;
	return 0;
}

/* Any of the seats of our role. */
static int take_seat(struct shmchan_region **region, const char *name,
		     const struct shmchan__entry *e)
{
	uint32_t first = e->first_slot, nr = e->nr_slots;
	uint32_t rights = SHMCHAN__RIGHTS_OF_MEMBERS;
	struct shmchan__sight *sight;
	int err = shmchan__entry_look(&sight, name, e);

	if (err)
		return err;
	if (e->seats && !sight->abandoned)
		err = e->seats(sight, e, &first, &nr, &rights);
	free(sight);
	return err ? err : take_one_of(region, name, e, first, nr);
}

/* Until it is there, or the time is up. */
static int wait_for_name(struct shmchan_region **region, const char *name,
			 const struct shmchan__entry *e)
{
	uint64_t deadline = shmchan_deadline(e->wait_ns), now;
	uint64_t pause = LOOK_FIRST_NS;
	struct timespec ts = { 0, 0 };
	int err;

	for (;;) {
		err = take_seat(region, name, e);
		if (err != -ENOENT)
			return err;
		now = shmchan__now();
		if (now >= deadline)
			return shmchan__fail(ETIMEDOUT,
					     "%s: no %s appeared within %lld ms: who makes it gives .create = 1",
					     e->what, name,
					     (long long)(e->wait_ns / 1000000));
		if (pause > deadline - now)
			pause = deadline - now;
		ts.tv_nsec = (long)pause;
		nanosleep(&ts, NULL);
		if (pause < LOOK_LAST_NS)
			pause *= 2;
	}
}

/* By capability: what it reaches, and which seat it is for. */

/* All of both areas; the header page can be read with any. */
static int check_all(const struct shmchan__entry *e,
		     const struct shmchan_query *q)
{
	if (q->data.length == q->data_size &&
	    (q->control_size == SHMCHAN_PAGE ||
	     (q->control.offset <= q->control_offset + SHMCHAN_PAGE &&
	      q->control.offset + q->control.length ==
	      q->control_offset + q->control_size)))
		return 0;
	return shmchan__fail(EACCES,
			     "%s: the capability reaches %llu of %llu bytes of data, %llu of %llu of control: a member needs all (mint one without .data and .control)",
			     e->what, (unsigned long long)q->data.length,
			     (unsigned long long)q->data_size,
			     (unsigned long long)q->control.length,
			     (unsigned long long)q->control_size);
}

/* One that is for a slot is for that role which has it. */
static int check_slot(const struct shmchan__entry *e,
		      const struct shmchan_query *q, uint32_t *first,
		      uint32_t *nr)
{
	uint32_t slot = q->join_slot;

	if (slot == SHMCHAN_SLOT_ANY || *first == SHMCHAN_SLOT_ANY)
		return 0;
	if (slot < *first || slot - *first >= *nr)
		return shmchan__fail(EACCES,
				     "%s: the capability is for slot %u of %s, which is none of these: %s, slots %u to %u; mint one for them, or use it in the role that it is for",
				     e->what, slot, shmchan__queried_name(q),
				     e->seat, *first, *first + *nr - 1);
	*first = slot;
	*nr = 1;
	return 0;
}

static int adopt(struct shmchan_region **region, const struct shmchan__entry *e)
{
	uint32_t first = e->first_slot, nr = e->nr_slots;
	uint32_t rights = SHMCHAN__RIGHTS_OF_MEMBERS;
	struct shmchan__sight *sight;
	struct shmchan_query q;
	int err;

	if (e->create || e->exclusive || e->any_owner || e->backend ||
	    e->wait_ns)
		return shmchan__fail(EINVAL,
				     "%s: a capability is for what is there, whoever made it: create, exclusive, any_owner, backend and wait_ns should be 0",
				     e->what);
	err = shmchan__capability_check(*e->capability, &q);
	if (!err)
		err = shmchan__entry_look(&sight, shmchan__queried_name(&q), e);
	if (err)
		return err;
	if (e->seats)
		err = e->seats(sight, e, &first, &nr, &rights);
	free(sight);
	if (!err)
		err = shmchan__entry_rights(q.rights, q.name, e->what, rights);
	if (!err)
		err = check_all(e, &q);
	if (!err)
		err = check_slot(e, &q, &first, &nr);
	return err ? err : take_one_of(region, shmchan__queried_name(&q), e,
				       first, nr);
}

void shmchan__entry_undo(struct shmchan_region *region, const int *capability)
{
	if (capability)
		shmchan__region_give_back(region);
	else
		shmchan_region_close(region);
}

int shmchan__entry_open(struct shmchan_region **region, const char *name,
			const struct shmchan__entry *e)
{
	int err, tries;

	*region = NULL;
	if (e->capability) {
		err = adopt(region, e);
		if (err)
			*region = NULL;
		return err;
	}
	if (!name)
		return shmchan__fail(EINVAL, "%s: no name (NULL)", e->what);
	/* To make one without a name would be a thing that nobody finds. */
	err = shmchan__check_name(name);
	if (err)
		return err;
	if (!e->create && e->exclusive)
		return shmchan__fail(EINVAL,
				     "%s: exclusive is of use with create alone",
				     e->what);
	if (!e->create && e->wait_ns)
		return wait_for_name(region, name, e);
	for (tries = 0; tries < OPEN_TRIES; tries++) {
		if (e->create) {
			err = e->make(region, name, e);
			if (err != -EEXIST || e->exclusive)
				break;
		}
		err = take_seat(region, name, e);
		if (err != -ENOENT || !e->create)
			break;
	}
	if (err)
		*region = NULL;
	return err;
}

int shmchan__entry_wire(const char *what, const char *name,
			const struct shmchan_wire *wire, uint32_t kind,
			uint32_t length)
{
	if (wire->magic != SHMCHAN_WIRE_MAGIC)
		return shmchan__fail(EPROTO,
				     "%s: %s is not a %s (magic %#llx, not %#llx)",
				     what, name, shmchan_wire_kind_name(kind),
				     (unsigned long long)wire->magic,
				     (unsigned long long)SHMCHAN_WIRE_MAGIC);
	if (wire->version != SHMCHAN_WIRE_VERSION)
		return shmchan__fail(EPROTO,
				     "%s: %s has layout version %u, this program has version %u",
				     what, name, wire->version,
				     SHMCHAN_WIRE_VERSION);
	if (wire->kind != kind || wire->length != length)
		return shmchan__fail(EPROTO,
				     "%s: %s is a %s (kind %u) with a header of %u bytes, not a %s (kind %u) with %u",
				     what, name,
				     shmchan_wire_kind_name(wire->kind),
				     wire->kind, wire->length,
				     shmchan_wire_kind_name(kind), kind,
				     length);
	return 0;
}

int shmchan__entry_header(const struct shmchan_region *region,
			  const char *what, uint32_t kind, void *header,
			  uint32_t length)
{
	struct shmchan_wire wire;

	memcpy(header, shmchan_region_at(region, region->control_offset),
	       length);
	memcpy(&wire, header, sizeof(wire));
	return shmchan__entry_wire(what, shmchan__name_of(region), &wire, kind,
				   length);
}

int shmchan__entry_rights(uint32_t rights, const char *name, const char *what,
			  uint32_t needed)
{
	char has[SHMCHAN__RIGHTS], needs[SHMCHAN__RIGHTS];
	char lacks[SHMCHAN__RIGHTS];

	if (!(needed & ~rights))
		return 0;
	return shmchan__fail(EACCES,
			     "%s: the rights for %s are %s: it needs %s, so %s is missing: mint a capability that has it (shmchan_capability_mint(), or shmchan grant --rights %s)",
			     what, name[0] ? name : "(unnamed)",
			     shmchan__rights_word(has, rights),
			     shmchan__rights_word(needs, needed),
			     shmchan__rights_word(lacks, needed & ~rights),
			     needed & SHMCHAN_RIGHT_MAP_WRITE ? "rw" : "r");
}

int shmchan__entry_reach(const struct shmchan_region *region, const char *what,
			 const char *part, uint64_t offset, uint64_t length)
{
	if (length && shmchan__reaches(region, offset, length))
		return 0;
	return shmchan__fail(EACCES,
			     "%s: the capability does not reach all of the %s (%llu bytes at %#llx)",
			     what, part, (unsigned long long)length,
			     (unsigned long long)offset);
}

int shmchan__entry_window(const struct shmchan_region *region,
			  const char *what, uint64_t offset, uint64_t length)
{
	const struct shmchan_region_private *p = shmchan__private(region);
	const struct shmchan_window *w;
	uint32_t i;

	for (i = 0; i < p->nr_windows; i++) {
		w = &p->windows[i];
		if ((w->slot == region->slot ||
		     w->slot == SHMCHAN_SLOT_SHARED) &&
		    offset >= w->offset && offset - w->offset <= w->length &&
		    length <= w->length - (offset - w->offset))
			return 0;
	}
	return shmchan__fail(EPROTO,
			     "%s: slot %u may not write %llu bytes at %#llx, as its role must",
			     what, region->slot, (unsigned long long)length,
			     (unsigned long long)offset);
}

uint64_t shmchan__power_of_two(uint64_t n, uint64_t least)
{
	uint64_t p = least;

	while (p < n && p < 1ULL << 63)
		p <<= 1;
	return p;
}
