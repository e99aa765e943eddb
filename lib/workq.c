// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Work queues: opening and closing. */

#include <errno.h>
#include <string.h>

#include "entry.h"
#include "spin.h"
#include "workq_private.h"

#define DEFAULT_ITEMS		1024
#define DEFAULT_ITEM_SIZE	256
#define DEFAULT_MEMBERS		16
#define DEFAULT_ATTEMPTS	5

/* Items begin at lines: neighbours are different owners'. */
#define ITEM_ALIGN		64

static int take_opts(struct shmchan_workq_opts *o,
		     const struct shmchan_workq_opts *theirs)
{
	static const struct shmchan__opts_type type = {
		sizeof(*o), sizeof(*o), "SHMCHAN_WORKQ_OPTS",
	};
	int err = shmchan__take_opts(o, &type, theirs);

	if (err)
		return err;
	if (o->nr_items > SHMCHAN_WORKQ_MAX_ITEMS)
		return shmchan__fail(EINVAL,
			"workq: nr_items is %u: at most %u", o->nr_items,
			SHMCHAN_WORKQ_MAX_ITEMS);
	if (o->item_size > SHMCHAN_WORKQ_MAX_ITEM_SIZE)
		return shmchan__fail(EINVAL,
			"workq: item_size is %u bytes: at most %u",
			o->item_size, SHMCHAN_WORKQ_MAX_ITEM_SIZE);
	if (o->nr_members > SHMCHAN_MAX_SLOTS)
		return shmchan__fail(EINVAL,
			"workq: nr_members is %u: at most %u", o->nr_members,
			SHMCHAN_MAX_SLOTS);
	if (o->max_attempts > SHMCHAN_WORKQ_MAX_ATTEMPTS &&
	    o->max_attempts != SHMCHAN_WORKQ_UNLIMITED)
		return shmchan__fail(EINVAL,
			"workq: max_attempts is %u: 1 to %u, or SHMCHAN_WORKQ_UNLIMITED",
			o->max_attempts, SHMCHAN_WORKQ_MAX_ATTEMPTS);
	if (!o->nr_items)
		o->nr_items = DEFAULT_ITEMS;
	if (!o->item_size)
		o->item_size = DEFAULT_ITEM_SIZE;
	if (!o->nr_members)
		o->nr_members = DEFAULT_MEMBERS;
	if (!o->max_attempts)
		o->max_attempts = DEFAULT_ATTEMPTS;
	return 0;
}

static uint64_t stride_of(uint32_t item_size)
{
	return SHMCHAN_ALIGN_UP(sizeof(struct shmchan_workq_item_header) +
				item_size, ITEM_ALIGN);
}

/* The first cell, behind the hints. */
static uint64_t cells_behind(uint64_t control)
{
	return control + SHMCHAN_ALIGN_UP(sizeof(struct shmchan_workq_control),
					  ITEM_ALIGN);
}

static int make(struct shmchan_region **region, const char *name,
		const struct shmchan__entry *entry)
{
	const struct shmchan_workq_opts *o = entry->arg;
	uint32_t nr = (uint32_t)shmchan__power_of_two(o->nr_items, 1);
	uint64_t stride = stride_of(o->item_size);
	int small = nr * stride < SHMCHAN_HUGE;
	uint64_t data = SHMCHAN_ALIGN_UP(nr * stride, small ? SHMCHAN_PAGE :
							     SHMCHAN_HUGE);
	/* Behind the header page. */
	uint64_t control = SHMCHAN_CONTROL_OFFSET(data) + SHMCHAN_PAGE;
	uint64_t words = SHMCHAN_ALIGN_UP(cells_behind(control) + 8ULL * nr -
					  control, SHMCHAN_PAGE);
	const struct shmchan_doorbell doorbells[2] = {
		{ SHMCHAN_SLOT_SHARED, 0 }, { SHMCHAN_SLOT_SHARED, 0 },
	};
	const struct shmchan_window windows[2] = {
		{ 0, data, SHMCHAN_SLOT_SHARED, 0 },
		{ control, words, SHMCHAN_SLOT_SHARED, 0 },
	};
	const struct shmchan_wire_workq header = {
		.wire = {
			.magic = SHMCHAN_WIRE_MAGIC,
			.version = SHMCHAN_WIRE_VERSION,
			.kind = SHMCHAN_WIRE_WORKQ,
			.length = sizeof(header),
		},
		.work_doorbell = BELL_WORK,
		.room_doorbell = BELL_ROOM,
		.control_offset = control,
		.cells_offset = cells_behind(control),
		.items_offset = 0,
		.item_stride = stride,
		.item_size = o->item_size,
		.nr_items = nr,
		.max_attempts = o->max_attempts,
	};
	struct shmchan_slot slots[SHMCHAN_MAX_SLOTS];
	struct shmchan_region_opts ropts = SHMCHAN_REGION_OPTS(
		.backend = o->backend,
		.flags = small ? SHMCHAN_CREATE_SMALL : 0,
		.mode = o->mode,
		.nr_slots = o->nr_members,
		.nr_doorbells = 2, .doorbells = doorbells,
		.nr_windows = 2, .windows = windows,
		.data_size = data, .control_size = SHMCHAN_PAGE + words,
		.header = &header, .header_len = sizeof(header));
	uint32_t i;

	for (i = 0; o->same_uid && i < o->nr_members; i++)
		slots[i] = (struct shmchan_slot){
			SHMCHAN_SLOT_FLAG_SAME_UID, 0
		};
	if (o->same_uid)
		ropts.slots = slots;
	ropts.join_flags = o->join_flags;
	return shmchan_region_create(region, name, &ropts);
}

/* What the sealed header says is the creator's word. */
static int check_geometry(const struct shmchan_region *r,
			  const struct shmchan_wire_workq *h)
{
	if (r->nr_doorbells == 2 && h->work_doorbell == BELL_WORK &&
	    h->room_doorbell == BELL_ROOM && h->nr_items &&
	    h->nr_items <= SHMCHAN_WORKQ_MAX_ITEMS &&
	    !(h->nr_items & (h->nr_items - 1)) && h->item_size &&
	    h->item_size <= SHMCHAN_WORKQ_MAX_ITEM_SIZE &&
	    h->item_stride == stride_of(h->item_size) && h->max_attempts &&
	    (h->max_attempts <= SHMCHAN_WORKQ_MAX_ATTEMPTS ||
	     h->max_attempts == SHMCHAN_WORKQ_UNLIMITED) &&
	    !h->items_offset && h->nr_items * h->item_stride <= r->data_size &&
	    h->control_offset == r->control_offset + SHMCHAN_PAGE &&
	    h->cells_offset == cells_behind(h->control_offset) &&
	    h->cells_offset + 8ULL * h->nr_items <=
	    r->control_offset + r->control_size)
		return 0;
	return shmchan__fail(EPROTO,
		"workq: %s has another geometry than a work queue: %u items of %u bytes (%llu apart), %u attempts, %u doorbells",
		shmchan__name_of(r), h->nr_items, h->item_size,
		(unsigned long long)h->item_stride, h->max_attempts,
		r->nr_doorbells);
}

static int check_parts(const struct shmchan_region *r,
		       const struct shmchan_wire_workq *h)
{
	const struct {
		const char *name;
		uint64_t offset, length;
	} parts[] = {
		{ "items", h->items_offset, h->nr_items * h->item_stride },
		{ "cells", h->control_offset,
		  h->cells_offset + 8ULL * h->nr_items - h->control_offset },
	};
	size_t i;
	int err;

	err = shmchan__entry_rights(r->rights, r->name, "workq",
				    SHMCHAN__RIGHTS_OF_MEMBERS);
	for (i = 0; !err && i < sizeof(parts) / sizeof(parts[0]); i++) {
		err = shmchan__entry_reach(r, "workq", parts[i].name,
					   parts[i].offset, parts[i].length);
		if (!err)
			err = shmchan__entry_window(r, "workq",
						    parts[i].offset,
						    parts[i].length);
	}
	return err;
}

static int attach(struct shmchan_workq *q, int64_t spin_ns)
{
	struct shmchan_region *r = q->region;
	struct shmchan_wire_workq h;
	int err;

	err = shmchan__entry_header(r, "workq", SHMCHAN_WIRE_WORKQ, &h,
				    sizeof(h));
	if (!err)
		err = check_geometry(r, &h);
	if (!err)
		err = check_parts(r, &h);
	if (err)
		return err;
	q->control = (struct shmchan_workq_control *)
		shmchan_region_at(r, h.control_offset);
	q->cells = (uint64_t *)shmchan_region_at(r, h.cells_offset);
	q->items = (uint8_t *)shmchan_region_at(r, h.items_offset);
	q->slots = (const uint64_t *)
		shmchan_region_at(r, shmchan_slot_offset(r, 0));
	q->item_stride = h.item_stride;
	q->owner = shmchan_cell(r->generation, r->slot, 0, 0);
	q->nr_slots = r->nr_slots;
	q->mask = h.nr_items - 1;
	q->item_size = h.item_size;
	q->max_attempts = h.max_attempts;
	if (!spin_ns)
		spin_ns = shmchan__alone() ? -1 : SHMCHAN_SPIN_DEFAULT_NS;
	q->spin_ns = spin_ns > 0 ? (uint64_t)spin_ns : 0;
	/* What is left of members that have ended while nobody was there. */
	q->members_seen = ~0ULL;
	return shmchan_region_check(r);
}

static int enter(struct shmchan_workq *q, const char *name,
		 const int *capability, const struct shmchan_workq_opts *opts)
{
	struct shmchan_workq_opts o;
	struct shmchan__entry entry = {
		.what = "workq", .kind = SHMCHAN_WIRE_WORKQ,
		.length = sizeof(struct shmchan_wire_workq),
		.seat = "a member's",
		.capability = capability,
		.first_slot = SHMCHAN_SLOT_ANY, .nr_slots = 1,
		.make = make, .arg = &o,
	};
	int err;

	if (!q)
		return shmchan__fail(EINVAL, "workq: no handle (NULL)");
	memset(q, 0, sizeof(*q));
	err = take_opts(&o, opts);
	if (err)
		return err;
	entry.backend = o.backend;
	entry.join_flags = o.join_flags;
	entry.any_owner = o.any_owner;
	entry.create = o.create;
	entry.exclusive = o.exclusive;
	entry.wait_ns = o.wait_ns;
	err = shmchan__entry_open(&q->region, name, &entry);
	if (!err) {
		err = attach(q, o.spin_ns);
		if (err)
			shmchan__entry_undo(q->region, capability);
	}
	if (err)
		memset(q, 0, sizeof(*q));
	return err;
}

int shmchan_workq_open(struct shmchan_workq *q, const char *name,
		       const struct shmchan_workq_opts *opts)
{
	return enter(q, name, NULL, opts);
}

int shmchan_workq_adopt(struct shmchan_workq *q, int capability,
			const struct shmchan_workq_opts *opts)
{
	return enter(q, NULL, &capability, opts);
}

int shmchan__workq_usable(const struct shmchan_workq *q)
{
	if (!q || !q->region)
		return shmchan__fail(EINVAL,
			"workq: this handle is not open (or closed already)");
	return shmchan__usable(q->region);
}

int shmchan__workq_usable_for(const struct shmchan_workq *q, const void *place)
{
	int err = shmchan__workq_usable(q);

	return err || place ? err :
	       shmchan__fail(EINVAL, "workq: no item, or nowhere to put it: NULL");
}

void shmchan_workq_close(struct shmchan_workq *q)
{
	if (!q)
		return;
	if (q->region)
		shmchan__workq_uncount(q);
	/* Our end is what gives back what we have: the others are woken by it. */
	shmchan_region_close(q->region);
	memset(q, 0, sizeof(*q));
}
