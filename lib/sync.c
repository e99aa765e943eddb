// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Synchronisation objects: attaching to one.  See sync_private.h. */

#include <inttypes.h>
#include <string.h>

#include "access_private.h"
#include "backend.h"
#include "spin.h"
#include "sync_private.h"

#define NEEDED_RIGHTS \
	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_MAP_WRITE | \
	 SHMCHAN_RIGHT_RING | SHMCHAN_RIGHT_WAIT)

static const char *type_name(uint32_t type)
{
	static const char *const names[] = {
		[SHMCHAN_SYNC_MUTEX] = "mutex",
		[SHMCHAN_SYNC_CONDVAR] = "condition variable",
		[SHMCHAN_SYNC_ONCE] = "once",
		[SHMCHAN_SYNC_RWLOCK] = "rwlock",
		[SHMCHAN_SYNC_PERMITS] = "set of permits",
		[SHMCHAN_SYNC_SIGNAL] = "signal",
		[SHMCHAN_SYNC_BARRIER] = "barrier",
	};

	if (type < sizeof(names) / sizeof(names[0]) && names[type])
		return names[type];
	return "object of a type that we do not know";
}

static int check_rights(const struct shmchan_region *region)
{
	char has[SHMCHAN__RIGHTS];

	if (!(NEEDED_RIGHTS & ~region->rights))
		return 0;
	return shmchan__fail(EACCES,
		"sync: our rights for %s are %s: who uses locks needs read, write, ring and wait",
		shmchan__name_of(region),
		shmchan__rights_word(has, region->rights));
}

static int in_shared_window(const struct shmchan_region *region,
			    uint64_t offset, uint64_t size)
{
	const struct shmchan_region_private *p = shmchan__private(region);
	uint32_t i;

	for (i = 0; i < p->nr_windows; i++) {
		const struct shmchan_window *w = &p->windows[i];

		if (w->slot == SHMCHAN_SLOT_SHARED && offset >= w->offset &&
		    offset - w->offset < w->length &&
		    size <= w->length - (offset - w->offset))
			return 1;
	}
	return 0;
}

static int check_offset(const struct shmchan_region *region, uint64_t offset,
			uint64_t size)
{
	if (offset % sizeof(struct shmchan_sync_line))
		return shmchan__fail(EINVAL,
			"sync: offset %#" PRIx64 " should be a multiple of %zu; %#" PRIx64 " would do",
			offset, sizeof(struct shmchan_sync_line),
			(uint64_t)SHMCHAN_ALIGN_UP(offset,
				sizeof(struct shmchan_sync_line)));
	if (offset >= region->status_offset ||
	    !shmchan__in_area(region, offset, size))
		return shmchan__fail(EINVAL,
			"sync: %" PRIu64 " bytes at offset %#" PRIx64 " are not in %s: its data ends at %#" PRIx64 ", its control area is %#" PRIx64 " to %#" PRIx64,
			size, offset, shmchan__name_of(region),
			region->data_size, region->control_offset,
			region->control_offset + region->control_size);
	if (!shmchan__reaches(region, offset, size))
		return shmchan__fail(EACCES,
			"sync: %" PRIu64 " bytes at offset %#" PRIx64 " are beyond what our capability reaches",
			size, offset);
	if (!in_shared_window(region, offset, size))
		return shmchan__fail(EACCES,
			"sync: %" PRIu64 " bytes at offset %#" PRIx64 " of %s are not in one window with SHMCHAN_SLOT_SHARED: all members have to write them",
			size, offset, shmchan__name_of(region));
	return 0;
}

static int check_doorbell(const struct shmchan_region *region,
			  uint32_t doorbell)
{
	uint32_t owner;

	if (!doorbell || doorbell > region->nr_doorbells)
		return shmchan__fail(EINVAL,
			"sync: doorbell %u: %s has 1 to %u for this",
			doorbell, shmchan__name_of(region),
			region->nr_doorbells);
	owner = shmchan__private(region)->doorbells[doorbell - 1].owner;
	if (owner == SHMCHAN_SLOT_SHARED)
		return 0;
	return shmchan__fail(EACCES,
		"sync: doorbell %u of %s is slot %u's to wait on: should be one with the owner SHMCHAN_SLOT_SHARED",
		doorbell, shmchan__name_of(region), owner);
}

static uint32_t config_doorbell(uint64_t config)
{
	return (uint32_t)config >> 20;
}

static uint32_t config_type(uint64_t config)
{
	return (uint32_t)config >> 12 & 0xff;
}

static uint32_t config_version(uint64_t config)
{
	return (uint32_t)config >> 8 & 0xf;
}

/* What is there is not what we wanted: say both. */
static int other_config(const struct shmchan_region *region, uint64_t offset,
			uint64_t there, uint64_t wanted)
{
	const char *name = shmchan__name_of(region);
	uint32_t type = config_type(there);

	if ((there & 0xff) != SHMCHAN_SYNC_MAGIC)
		return shmchan__fail(EPROTO,
			"sync: %s has something at offset %#" PRIx64 " that is no synchronisation object (%#" PRIx64 ", should end in %#x)",
			name, offset, there, SHMCHAN_SYNC_MAGIC);
	if (config_version(there) != config_version(wanted))
		return shmchan__fail(EPROTO,
			"sync: the object at offset %#" PRIx64 " of %s has version %u, this program has version %u",
			offset, name, config_version(there),
			config_version(wanted));
	if (type != config_type(wanted))
		return shmchan__fail(EPROTO,
			"sync: the object at offset %#" PRIx64 " of %s is a %s (type %u), not a %s (type %u)",
			offset, name, type_name(type), type,
			type_name(config_type(wanted)), config_type(wanted));
	if (config_doorbell(there) != config_doorbell(wanted))
		return shmchan__fail(EPROTO,
			"sync: the %s at offset %#" PRIx64 " of %s has doorbell %u with the others, not %u",
			type_name(type), offset, name, config_doorbell(there),
			config_doorbell(wanted));
	return shmchan__fail(EPROTO,
		"sync: the %s at offset %#" PRIx64 " of %s was made for %u, not for %u",
		type_name(type), offset, name, (uint32_t)(there >> 32),
		(uint32_t)(wanted >> 32));
}

/* The first of all says what it is.  One word, one CAS: no kill cuts it in two. */
static int agree(const struct shmchan_sync_object *o, uint64_t wanted)
{
	uint64_t there = 0;

	if (shmchan_cas(&o->line->config, &there, wanted) || there == wanted)
		return shmchan_region_check(o->region);
	/* What a revoked member sees is nobody's. */
	if (shmchan_region_check(o->region))
		return -ESTALE;
	return other_config(o->region, o->offset, there, wanted);
}

int shmchan__sync_attach(struct shmchan_sync_object *o,
			 const struct shmchan_place *place,
			 enum shmchan_sync_type type, uint32_t parameter,
			 uint64_t size)
{
	struct shmchan_region *region;
	int err;

	if (!o || !place)
		return shmchan__fail(EINVAL, "sync: the %s is NULL",
				     o ? "place" : "handle");
	region = place->region;
	memset(o, 0, sizeof(*o));
	err = shmchan__usable(region);
	if (!err)
		err = check_rights(region);
	if (!err)
		err = check_offset(region, place->offset, size);
	if (!err)
		err = check_doorbell(region, place->doorbell);
	if (!err)
		err = shmchan_region_check(region);
	if (err)
		return err;
	o->region = region;
	o->offset = place->offset;
	o->line = shmchan_region_at(region, place->offset);
	o->slots = shmchan_region_at(region, shmchan_slot_offset(region, 0));
	o->doorbell = place->doorbell;
	o->self = shmchan_cell(region->generation, region->slot, 0, 0);
	shmchan__spin_init(&o->spin, place->spin_ns, shmchan__alone());
	err = agree(o, (uint64_t)parameter << 32 |
		       (uint64_t)place->doorbell << 20 |
		       (uint64_t)type << 12 | SHMCHAN_SYNC_VERSION << 8 |
		       SHMCHAN_SYNC_MAGIC);
	/* A handle that was not attached is of no use, and says so. */
	if (err)
		memset(o, 0, sizeof(*o));
	return err;
}

int shmchan__sync_enter(struct shmchan_sync_object *o)
{
	int err;

	if (!o || !o->region)
		return shmchan__fail(EINVAL,
			"sync: the handle is %s: attach it first",
			o ? "not attached to an object" : "NULL");
	err = shmchan__usable(o->region);
	return err ? err : shmchan__thread_number();
}
