// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Regions of synchronisation objects: opening, closing, places. */

#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "sync_private.h"

#define DEFAULT_MEMBERS		64
#define DEFAULT_OBJECTS		64
#define LINE			sizeof(struct shmchan_sync_line)
/* Beyond any use, and far from overflow; ENOMEM comes long before. */
#define MAX_DATA		(1ULL << 40)

static int take_opts(struct shmchan_sync_opts *opts,
		     const struct shmchan_sync_opts *theirs)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), sizeof(*opts), "SHMCHAN_SYNC_OPTS",
	};
	int err = shmchan__take_opts(opts, &type, theirs);

	if (err)
		return err;
	if (opts->nr_members > SHMCHAN_MAX_SLOTS)
		return shmchan__fail(EINVAL,
			"sync: nr_members is %u: at most %u", opts->nr_members,
			SHMCHAN_MAX_SLOTS);
	if (opts->nr_objects > SHMCHAN_MAX_DOORBELLS)
		return shmchan__fail(EINVAL,
			"sync: nr_objects is %u: at most %u, for each has a doorbell",
			opts->nr_objects, SHMCHAN_MAX_DOORBELLS);
	if (opts->data_size > MAX_DATA)
		return shmchan__fail(EINVAL,
			"sync: data_size is %llu: at most %llu",
			(unsigned long long)opts->data_size, MAX_DATA);
	return 0;
}

static int make(struct shmchan_region **region, const char *name,
		const struct shmchan__entry *entry)
{
	const struct shmchan_sync_opts *opts = entry->arg;
	uint32_t members = opts->nr_members ? opts->nr_members :
					      DEFAULT_MEMBERS;
	uint32_t objects = opts->nr_objects ? opts->nr_objects :
					      DEFAULT_OBJECTS;
	uint64_t data = SHMCHAN_ALIGN_UP(opts->data_size, SHMCHAN_PAGE);
	uint64_t at = SHMCHAN_CONTROL_OFFSET(data) + SHMCHAN_PAGE;
	uint64_t stride = LINE * (1 + (uint64_t)members);
	uint64_t length = SHMCHAN_ALIGN_UP(stride * objects, SHMCHAN_PAGE);
	const struct shmchan_window windows[2] = {
		{ 0, data, SHMCHAN_SLOT_SHARED, 0 },
		{ at, length, SHMCHAN_SLOT_SHARED, 0 },
	};
	const struct shmchan_wire_sync header = {
		.wire = {
			.magic = SHMCHAN_WIRE_MAGIC,
			.version = SHMCHAN_WIRE_VERSION,
			.kind = SHMCHAN_WIRE_SYNC,
			.length = sizeof(header),
		},
		.nr_members = members, .nr_objects = objects,
		.objects_offset = at, .stride = stride,
		.data_offset = 0, .data_size = opts->data_size,
	};
	struct shmchan_region_opts ropts = SHMCHAN_REGION_OPTS(
		.backend = entry->backend, .flags = SHMCHAN_CREATE_SMALL,
		.mode = opts->mode, .nr_slots = members,
		.nr_doorbells = objects, .nr_windows = data ? 2 : 1,
		.windows = data ? windows : windows + 1, .data_size = data,
		.control_size = SHMCHAN_PAGE + length,
		.header = &header, .header_len = sizeof(header),
		.join_flags = entry->join_flags);
	struct shmchan_doorbell *bells = calloc(objects, sizeof(*bells));
	uint32_t i;
	int err;

	if (!bells)
		return shmchan__fail(ENOMEM, "sync: no memory for %u doorbells",
				     objects);
	for (i = 0; i < objects; i++)
		bells[i].owner = SHMCHAN_SLOT_SHARED;
	ropts.doorbells = bells;
	err = shmchan_region_create(region, name, &ropts);
	free(bells);
	return err;
}

/* The creator's word, and what the region is.  Places are checked by attach. */
static int check_geometry(const struct shmchan_region *region,
			  const struct shmchan_wire_sync *h)
{
	uint64_t end = region->control_offset + region->control_size;

	if (h->nr_members == region->nr_slots &&
	    h->nr_objects == region->nr_doorbells && h->nr_objects &&
	    h->stride >= LINE && h->stride % LINE == 0 &&
	    h->objects_offset % LINE == 0 &&
	    h->objects_offset >= region->control_offset + SHMCHAN_PAGE &&
	    h->objects_offset <= end &&
	    h->stride <= (end - h->objects_offset) / h->nr_objects &&
	    h->data_offset <= region->data_size &&
	    h->data_size <= region->data_size - h->data_offset)
		return 0;
	return shmchan__fail(EPROTO,
		"sync: %s has a header that does not fit the region: %u members (%u slots), %u objects (%u doorbells) of %llu bytes at %#llx, %llu bytes of data",
		shmchan__name_of(region), h->nr_members, region->nr_slots,
		h->nr_objects, region->nr_doorbells,
		(unsigned long long)h->stride,
		(unsigned long long)h->objects_offset,
		(unsigned long long)h->data_size);
}

/* It is there already: has it what we need? */
static int check_wishes(const struct shmchan_region *region,
			const struct shmchan_wire_sync *h,
			const struct shmchan_sync_opts *opts)
{
	if (h->nr_members >= opts->nr_members &&
	    h->nr_objects >= opts->nr_objects &&
	    h->data_size >= opts->data_size)
		return 0;
	return shmchan__fail(EPROTO,
		"sync: %s was made for %u members, %u objects and %llu bytes of data: less than the %u, %u and %llu that are asked for",
		shmchan__name_of(region), h->nr_members, h->nr_objects,
		(unsigned long long)h->data_size, opts->nr_members,
		opts->nr_objects, (unsigned long long)opts->data_size);
}

static int check(const struct shmchan_region *region,
		 struct shmchan_wire_sync *h,
		 const struct shmchan_sync_opts *opts)
{
	int err;

	err = shmchan__entry_header(region, "sync", SHMCHAN_WIRE_SYNC, h,
				    sizeof(*h));
	if (!err)
		err = check_geometry(region, h);
	if (!err)
		err = check_wishes(region, h, opts);
	if (!err)
		err = shmchan__entry_rights(region->rights, region->name,
					    "sync", SHMCHAN__RIGHTS_OF_MEMBERS);
	if (!err && h->data_size)
		err = shmchan__entry_reach(region, "sync", "data",
					   h->data_offset, h->data_size);
	if (!err && h->data_size)
		err = shmchan__entry_window(region, "sync", h->data_offset,
					    h->data_size);
	/* Whatever was found, and was no part of it. */
	if (err && shmchan_region_check(region))
		err = -ESTALE;
	return err;
}

static int enter(struct shmchan_sync *sync, const char *name,
		 const int *capability, const struct shmchan_sync_opts *theirs)
{
	struct shmchan_wire_sync h;
	struct shmchan_sync_opts opts;
	struct shmchan_region *region;
	int err;

	if (!sync)
		return shmchan__fail(EINVAL, "sync: nowhere to put it: NULL");
	memset(sync, 0, sizeof(*sync));
	err = take_opts(&opts, theirs);
	if (err)
		return err;
	const struct shmchan__entry entry = {
		.what = "sync", .kind = SHMCHAN_WIRE_SYNC,
		.length = sizeof(struct shmchan_wire_sync),
		.seat = "a member", .backend = opts.backend,
		.capability = capability,
		/* How many there are, the header says, to who is in. */
		.first_slot = SHMCHAN_SLOT_ANY, .nr_slots = 1,
		.join_flags = opts.join_flags, .any_owner = opts.any_owner,
		.create = opts.create, .exclusive = opts.exclusive,
		.wait_ns = opts.wait_ns, .make = make, .arg = &opts,
	};
	err = shmchan__entry_open(&region, name, &entry);
	if (err)
		return err;
	err = check(region, &h, &opts);
	if (err) {
		shmchan__entry_undo(region, capability);
		return err;
	}
	sync->region = region;
	sync->nr_members = h.nr_members;
	sync->nr_objects = h.nr_objects;
	sync->objects_offset = h.objects_offset;
	sync->stride = h.stride;
	sync->data_offset = h.data_offset;
	sync->data_size = h.data_size;
	sync->data = h.data_size ? shmchan_region_at(region, h.data_offset) :
				   NULL;
	sync->spin_ns = opts.spin_ns;
	return 0;
}

int shmchan_sync_open(struct shmchan_sync *sync, const char *name,
		      const struct shmchan_sync_opts *opts)
{
	return enter(sync, name, NULL, opts);
}

int shmchan_sync_adopt(struct shmchan_sync *sync, int capability,
		       const struct shmchan_sync_opts *opts)
{
	return enter(sync, NULL, &capability, opts);
}

void shmchan_sync_close(struct shmchan_sync *sync)
{
	if (!sync || !sync->region)
		return;
	shmchan_region_close(sync->region);
	memset(sync, 0, sizeof(*sync));
}

int shmchan_sync_place(const struct shmchan_sync *sync, uint32_t nr,
		       struct shmchan_place *place)
{
	if (!sync || !sync->region || !place)
		return shmchan__fail(EINVAL, "sync: %s",
				     place ? "it is not open" :
					     "nowhere to put the place: NULL");
	if (nr >= sync->nr_objects)
		return shmchan__fail(EINVAL,
			"sync: object %u: %s has 0 to %u", nr,
			shmchan__name_of(sync->region), sync->nr_objects - 1);
	memset(place, 0, sizeof(*place));
	place->region = sync->region;
	place->offset = sync->objects_offset + sync->stride * nr;
	place->doorbell = nr + 1;
	place->spin_ns = sync->spin_ns;
	return 0;
}
