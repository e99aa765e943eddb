// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Checking what a caller asks for, before a backend sees it.
 *
 * The kernel checks it all again and can only say EINVAL; these messages say
 * which option, which value, and what would be right.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend.h"
#include "host.h"

/* Beyond any machine, and far from overflow; the kernel's bound too. */
#define MAX_BYTES	(1ULL << 50)

#define CREATE_FLAGS \
	(SHMCHAN_CREATE_SMALL | SHMCHAN_CREATE_CONTIG | SHMCHAN_CREATE_DUMP)

/*
 * Copy a structure that begins with its size.  A longer one, of a later
 * version, is accepted if what we do not know is zero; of a shorter one, of an
 * earlier version, what it lacks is zero.
 */
int shmchan__take_opts(void *mine, const struct shmchan__opts_type *type,
		       const void *theirs)
{
	const uint8_t *bytes = theirs;
	size_t given, i;

	if (!theirs)
		return shmchan__fail(EINVAL, "opts is NULL: give %s()",
				     type->initialiser);
	memcpy(&given, theirs, sizeof(given));
	if (given < type->least)
		return shmchan__fail(EINVAL,
			"opts.size is %zu, should be %zu: begin with %s()",
			given, type->size, type->initialiser);
	if (given > 4096)
		return shmchan__fail(EINVAL,
			"opts.size is %zu: begin with %s()", given,
			type->initialiser);
	for (i = type->size; i < given; i++)
		if (bytes[i])
			return shmchan__fail(EINVAL,
				"opts has a field at byte %zu that this library does not know: a newer one is needed",
				i);
	memset(mine, 0, type->size);
	memcpy(mine, theirs, given < type->size ? given : type->size);
	memcpy(mine, &type->size, sizeof(type->size));
	return 0;
}

static int name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/* A name that is not NULL. */
int shmchan__check_name(const char *name)
{
	size_t i;

	if (!name[0])
		return shmchan__fail(EINVAL,
			"the name is empty: 1 to %d bytes of A-Z a-z 0-9 . _ -",
			SHMCHAN_NAME_LEN - 1);
	for (i = 0; name[i]; i++) {
		if (i >= SHMCHAN_NAME_LEN - 1)
			return shmchan__fail(EINVAL,
				"the name \"%.20s...\" is too long: at most %d bytes",
				name, SHMCHAN_NAME_LEN - 1);
		if (!name_char(name[i]))
			return shmchan__fail(EINVAL,
				"byte 0x%02x at %zu of the name: only A-Z a-z 0-9 . _ - are allowed",
				(unsigned int)(unsigned char)name[i], i);
	}
	return 0;
}

static int check_count(const char *what, uint64_t nr, uint64_t min,
		       uint64_t max, const char *array, const void *ptr)
{
	if (nr < min || nr > max)
		return shmchan__fail(EINVAL,
			"%s is %" PRIu64 ": should be %" PRIu64 " to %" PRIu64,
			what, nr, min, max);
	if (array && nr && !ptr)
		return shmchan__fail(EINVAL, "%s is %" PRIu64 ", but %s is NULL",
				     what, nr, array);
	return 0;
}

static int check_sizes(const struct shmchan_region_opts *o)
{
	int small = !!(o->flags & SHMCHAN_CREATE_SMALL);
	uint64_t granule = small ? SHMCHAN_PAGE : SHMCHAN_HUGE;

	if (o->data_size % granule)
		return shmchan__fail(EINVAL,
			"data_size is %" PRIu64 ": should be a multiple of %s; %" PRIu64 " would do",
			o->data_size,
			small ? "4 KiB" :
			o->flags & SHMCHAN_CREATE_CONTIG ? "2 MiB" :
			"2 MiB (of 4 KiB with SHMCHAN_CREATE_SMALL)",
			(uint64_t)SHMCHAN_ALIGN_UP(o->data_size, granule));
	if (!o->control_size || o->control_size % SHMCHAN_PAGE)
		return shmchan__fail(EINVAL,
			"control_size is %" PRIu64 ": should be a multiple of 4 KiB, at least one page (the header's); %" PRIu64 " would do",
			o->control_size, o->control_size ?
			(uint64_t)SHMCHAN_ALIGN_UP(o->control_size,
						   SHMCHAN_PAGE) :
			(uint64_t)SHMCHAN_PAGE);
	if (o->data_size > MAX_BYTES || o->control_size > MAX_BYTES)
		return shmchan__fail(ENOSPC,
			"data_size %" PRIu64 ", control_size %" PRIu64 ": no machine has that much memory; this one has %" PRIu64 " MiB",
			o->data_size, o->control_size,
			shmchan__meminfo("MemTotal") >> 20);
	return 0;
}

static int check_contig(const struct shmchan_region_opts *o)
{
	if (!(o->flags & SHMCHAN_CREATE_CONTIG))
		return 0;
	if (o->flags & SHMCHAN_CREATE_SMALL)
		return shmchan__fail(EINVAL,
			"flags has SHMCHAN_CREATE_SMALL and SHMCHAN_CREATE_CONTIG: one run is made of 2 MiB pages; take one of the two");
	if (!o->data_size)
		return shmchan__fail(EINVAL,
			"data_size is 0, with SHMCHAN_CREATE_CONTIG: there is nothing to be contiguous; should be a multiple of 2 MiB");
	if (o->numa_policy == SHMCHAN_NUMA_INTERLEAVE)
		return shmchan__fail(EINVAL,
			"numa_policy is SHMCHAN_NUMA_INTERLEAVE, with SHMCHAN_CREATE_CONTIG: one run lies on one node; take SHMCHAN_NUMA_BIND or _PREFER, or leave CONTIG out");
	return 0;
}

static int check_nodes(const struct shmchan_region_opts *o)
{
	if (o->numa_policy > SHMCHAN_NUMA_INTERLEAVE)
		return shmchan__fail(EINVAL,
			"numa_policy is %u: should be SHMCHAN_NUMA_DEFAULT, _BIND, _PREFER or _INTERLEAVE, 0 to %d",
			o->numa_policy, SHMCHAN_NUMA_INTERLEAVE);
	if (o->numa_policy == SHMCHAN_NUMA_DEFAULT) {
		if (!o->nr_nodes && !o->nodes)
			return 0;
		return shmchan__fail(EINVAL,
			"nr_nodes is %u, with numa_policy SHMCHAN_NUMA_DEFAULT: which policy are the nodes for? SHMCHAN_NUMA_BIND, _PREFER or _INTERLEAVE; or should be 0, and nodes NULL",
			o->nr_nodes);
	}
	if (!o->nr_nodes)
		return shmchan__fail(EINVAL,
			"numa_policy is %u, and nr_nodes 0: should be 1 to %d, and nodes say which",
			o->numa_policy, SHMCHAN_MAX_NODES);
	return check_count("nr_nodes", o->nr_nodes, 1, SHMCHAN_MAX_NODES,
			   "nodes", o->nodes);
}

static int check_slots(const struct shmchan_region_opts *o)
{
	const uint32_t known = SHMCHAN_SLOT_FLAG_UID |
			       SHMCHAN_SLOT_FLAG_SAME_UID;
	uint32_t i;

	for (i = 0; o->slots && i < o->nr_slots; i++) {
		const struct shmchan_slot *s = &o->slots[i];

		if (s->flags & ~known)
			return shmchan__fail(EINVAL,
				"slots[%u].flags is %#x: only SHMCHAN_SLOT_FLAG_UID and _SAME_UID are known",
				i, s->flags);
		if (s->uid && !(s->flags & SHMCHAN_SLOT_FLAG_UID))
			return shmchan__fail(EINVAL,
				"slots[%u].uid is %u without SHMCHAN_SLOT_FLAG_UID",
				i, s->uid);
		if (s->uid == UINT32_MAX)
			return shmchan__fail(EINVAL,
				"slots[%u].uid is -1, which is no user", i);
	}
	return 0;
}

int shmchan__check_doorbells(uint32_t nr_slots,
			     const struct shmchan_doorbell *doorbells,
			     uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++) {
		const struct shmchan_doorbell *d = &doorbells[i];

		if (d->flags)
			return shmchan__fail(EINVAL,
				"doorbells[%u].flags is %#x: should be 0", i,
				d->flags);
		if (d->owner >= nr_slots && d->owner != SHMCHAN_SLOT_SHARED)
			return shmchan__fail(EINVAL,
				"doorbells[%u].owner is %u: should be a slot below %u or SHMCHAN_SLOT_SHARED",
				i, d->owner, nr_slots);
	}
	return 0;
}

static int check_window_place(const struct shmchan__layout *l, uint32_t i,
			      const struct shmchan_window *w)
{
	uint64_t control = SHMCHAN_CONTROL_OFFSET(l->data_size);
	int in_control = w->offset >= control;
	uint64_t start = in_control ? control + SHMCHAN_PAGE : 0;
	uint64_t end = in_control ? control + l->control_size : l->data_size;
	uint64_t granule = in_control ? SHMCHAN_PAGE : l->data_granule;
	const char *area = in_control ? "control" : "data";

	if (w->offset % granule || w->length % granule || !w->length)
		return shmchan__fail(EINVAL,
			"windows[%u] is %" PRIu64 " bytes at %#" PRIx64 ": both should be multiples of %" PRIu64 ", which the folios of the %s area have, and the length not 0",
			i, (uint64_t)w->length, (uint64_t)w->offset, granule,
			area);
	if (in_control && w->offset < start)
		return shmchan__fail(EINVAL,
			"windows[%u] is at %#" PRIx64 ", the header page, which nobody may write: control windows begin at %#" PRIx64,
			i, (uint64_t)w->offset, start);
	if (w->offset >= end || w->length > end - w->offset)
		return shmchan__fail(EINVAL,
			"windows[%u], %" PRIu64 " bytes at %#" PRIx64 ", reaches beyond the %s area, which ends at %#" PRIx64,
			i, (uint64_t)w->length, (uint64_t)w->offset, area, end);
	return 0;
}

int shmchan__check_windows(const struct shmchan__layout *layout,
			   const struct shmchan_window *windows, uint32_t nr)
{
	uint64_t last = 0;
	uint32_t i;
	int err;

	for (i = 0; i < nr; i++) {
		const struct shmchan_window *w = &windows[i];

		if (w->flags)
			return shmchan__fail(EINVAL,
				"windows[%u].flags is %#x: should be 0", i,
				w->flags);
		if (w->slot >= layout->nr_slots &&
		    w->slot != SHMCHAN_SLOT_SHARED)
			return shmchan__fail(EINVAL,
				"windows[%u].slot is %u: should be a slot below %u or SHMCHAN_SLOT_SHARED",
				i, w->slot, layout->nr_slots);
		err = check_window_place(layout, i, w);
		if (err)
			return err;
		if (w->offset < last)
			return shmchan__fail(EINVAL,
				"windows[%u] is at %#" PRIx64 ", before the end of the last, %#" PRIx64 ": they should come by offset and not overlap",
				i, (uint64_t)w->offset, last);
		last = w->offset + w->length;
	}
	return 0;
}

static int check_backend(enum shmchan_backend backend)
{
	if (backend == SHMCHAN_BACKEND_AUTO ||
	    backend == SHMCHAN_BACKEND_KMOD ||
	    backend == SHMCHAN_BACKEND_LOCAL)
		return 0;
	return shmchan__fail(EINVAL,
		"backend is %d: should be a SHMCHAN_BACKEND_ value",
		(int)backend);
}

/* What is asked of JOIN: whether the slot is there, the region tells. */
int shmchan__check_join(uint32_t slot, uint32_t join_flags)
{
	if (slot != SHMCHAN_SLOT_ANY && slot >= SHMCHAN_MAX_SLOTS)
		return shmchan__fail(EINVAL,
			"slot is %u: should be a slot of the region or SHMCHAN_SLOT_ANY",
			slot);
	if (join_flags & ~(SHMCHAN_JOIN_SIGBUS | SHMCHAN_JOIN_ASYM))
		return shmchan__fail(EINVAL,
			"join_flags is %#x: should be 0, SHMCHAN_JOIN_SIGBUS, SHMCHAN_JOIN_ASYM or both",
			join_flags);
	return 0;
}

/* Everything about the options of create, of whichever backend. */
int shmchan__check_create(const struct shmchan_region_opts *o)
{
	struct shmchan__layout layout = {
		.data_size = o->data_size,
		.control_size = o->control_size,
		.data_granule = o->flags & SHMCHAN_CREATE_SMALL ?
				SHMCHAN_PAGE : SHMCHAN_HUGE,
		.nr_slots = o->nr_slots,
	};
	int err;

	err = check_backend(o->backend);
	if (err)
		return err;
	if (o->flags & ~CREATE_FLAGS)
		return shmchan__fail(EINVAL,
			"flags is %#x: only SHMCHAN_CREATE_SMALL, _CONTIG and _DUMP are options",
			o->flags);
	if (o->mode & ~0666U)
		return shmchan__fail(EINVAL,
			"mode is 0%o: only read and write bits, 0666 at most",
			o->mode);
	err = check_count("nr_slots", o->nr_slots, 1, SHMCHAN_MAX_SLOTS, NULL,
			  NULL);
	if (!err)
		err = check_count("nr_doorbells", o->nr_doorbells, 0,
				  SHMCHAN_MAX_DOORBELLS, "doorbells",
				  o->doorbells);
	if (!err)
		err = check_count("nr_windows", o->nr_windows, 0,
				  SHMCHAN_MAX_WINDOWS, "windows", o->windows);
	if (!err)
		err = check_count("header_len", o->header_len, 0, SHMCHAN_PAGE,
				  "header", o->header);
	if (err)
		return err;
	if (o->slot != SHMCHAN_SLOT_ANY && o->slot >= o->nr_slots)
		return shmchan__fail(EINVAL,
			"slot is %u: should be below nr_slots, %u, or SHMCHAN_SLOT_ANY",
			o->slot, o->nr_slots);
	err = shmchan__check_join(SHMCHAN_SLOT_ANY, o->join_flags);
	if (!err)
		err = check_sizes(o);
	if (!err)
		err = check_contig(o);
	if (!err)
		err = check_nodes(o);
	if (!err)
		err = check_slots(o);
	if (!err)
		err = shmchan__check_doorbells(o->nr_slots, o->doorbells,
					       o->nr_doorbells);
	if (!err)
		err = shmchan__check_windows(&layout, o->windows,
					     o->nr_windows);
	return err;
}

int shmchan__check_open(const struct shmchan_open_opts *o)
{
	int err = check_backend(o->backend);

	if (err)
		return err;
	if (o->rights & ~SHMCHAN_RIGHT_ALL)
		return shmchan__fail(EINVAL,
			"rights is %#x: only SHMCHAN_RIGHT_ bits, %#x at most",
			o->rights, SHMCHAN_RIGHT_ALL);
	if (o->rights && !(o->rights & SHMCHAN_RIGHT_MAP_READ))
		return shmchan__fail(EINVAL,
			"rights is %#x: a member needs SHMCHAN_RIGHT_MAP_READ",
			o->rights);
	if (o->owner_uid && !o->has_owner_uid)
		return shmchan__fail(EINVAL,
			"owner_uid is %u without has_owner_uid", o->owner_uid);
	return shmchan__check_join(o->slot, o->join_flags);
}

int shmchan__in_area(const struct shmchan_region *r, uint64_t offset,
		     uint64_t length)
{
	const struct {
		uint64_t start, size;
	} areas[] = {
		{ 0, r->data_size },
		{ r->control_offset, r->control_size },
		{ r->status_offset, r->status_size },
	};
	size_t i;

	for (i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
		if (offset >= areas[i].start &&
		    offset - areas[i].start < areas[i].size &&
		    length <= areas[i].size - (offset - areas[i].start))
			return 1;
	return 0;
}

static int range_has(const struct shmchan_range *range, uint64_t offset,
		     uint64_t length)
{
	return offset >= range->offset &&
	       offset - range->offset <= range->length &&
	       length <= range->length - (offset - range->offset);
}

int shmchan__reaches(const struct shmchan_region *r, uint64_t offset,
		     uint64_t length)
{
	const struct shmchan_region_private *p = shmchan__private(r);
	uint64_t header_end = r->control_offset + SHMCHAN_PAGE;

	if (!shmchan__in_area(r, offset, length))
		return 0;
	if (offset >= r->status_offset)
		return 1;
	if (offset < r->control_offset)
		return range_has(&p->data, offset, length);
	/* The header page is there for all. */
	if (offset < header_end) {
		if (length <= header_end - offset)
			return 1;
		length -= header_end - offset;
		offset = header_end;
	}
	return range_has(&p->control, offset, length);
}
