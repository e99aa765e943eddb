// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Cells of slots: finding them.  See <shmchan/sync_cells.h>. */

#include <inttypes.h>

#include "backend.h"
#include "sync_cells_private.h"

#define LINE	((uint32_t)sizeof(struct shmchan_sync_line))

static int check_place(const struct shmchan_region *region, uint64_t offset,
		       uint32_t stride)
{
	uint64_t size;

	if (offset % LINE || stride < LINE || stride & (stride - 1))
		return shmchan__fail(EINVAL,
			"sync: cells at offset %#" PRIx64 ", %u bytes apart: should be a multiple of %u, and a power of two from %u up",
			offset, stride, LINE, LINE);
	size = (uint64_t)stride * (region->nr_slots - 1) + LINE;
	if (offset >= region->status_offset ||
	    !shmchan__in_area(region, offset, size))
		return shmchan__fail(EINVAL,
			"sync: cells for %u slots, %u bytes apart, at offset %#" PRIx64 " are not in one area of %s",
			region->nr_slots, stride, offset,
			shmchan__name_of(region));
	if (!shmchan__reaches(region, offset, size))
		return shmchan__fail(EACCES,
			"sync: cells at offset %#" PRIx64 " are beyond what our capability reaches",
			offset);
	return 0;
}

/* Is our own cell in a window that we may write? */
static int check_own(const struct shmchan_region *region, uint64_t offset)
{
	const struct shmchan_region_private *p = shmchan__private(region);
	uint32_t i;

	for (i = 0; i < p->nr_windows; i++) {
		const struct shmchan_window *w = &p->windows[i];

		if ((w->slot == SHMCHAN_SLOT_SHARED ||
		     w->slot == region->slot) && offset >= w->offset &&
		    offset - w->offset < w->length)
			return 0;
	}
	return shmchan__fail(EACCES,
		"sync: the cell of slot %u, ours, at offset %#" PRIx64 " of %s is in no window that we may write",
		region->slot, offset, shmchan__name_of(region));
}

int shmchan__sync_cells_check(const struct shmchan_place *place,
			      uint64_t cells_offset, uint32_t stride)
{
	const struct shmchan_region *region = place ? place->region : NULL;
	int err;

	if (!cells_offset && stride)
		return shmchan__fail(EINVAL,
			"sync: cells_stride is %u without cells_offset: cells behind the first line are %u bytes apart",
			stride, LINE);
	if (!cells_offset || !region || shmchan__usable(region))
		return 0;
	err = check_place(region, cells_offset, stride);
	return err ? err : check_own(region, cells_offset +
				     (uint64_t)region->slot * stride);
}

/* All have to look in the same place: the first of all says where, in one word. */
static int agree(const struct shmchan_sync_object *o, uint64_t wanted)
{
	uint64_t there = 0;

	if (shmchan_cas(&o->line->more[0], &there, wanted) || there == wanted)
		return shmchan_region_check(o->region);
	if (shmchan_region_check(o->region))
		return -ESTALE;
	return shmchan__fail(EPROTO,
		"sync: the others keep the cells of the object at offset %#" PRIx64 " of %s at offset %#" PRIx64 ", %llu bytes apart, not at %#" PRIx64 ", %llu bytes apart",
		o->offset, shmchan__name_of(o->region),
		there & ~(uint64_t)(LINE - 1), 1ULL << (there & (LINE - 1)),
		wanted & ~(uint64_t)(LINE - 1), 1ULL << (wanted & (LINE - 1)));
}

int shmchan__sync_cells_attach(const struct shmchan_sync_object *o,
			       struct shmchan_sync_cells *cells,
			       uint64_t cells_offset, uint32_t stride)
{
	struct shmchan_region *region = o->region;

	if (!cells_offset) {
		cells_offset = o->offset + LINE;
		stride = LINE;
	}
	cells->first = shmchan_region_at(region, cells_offset);
	cells->shift = (uint32_t)__builtin_ctz(stride);
	cells->own = shmchan_sync__cell(cells, region->slot);
	return agree(o, cells_offset | cells->shift);
}
