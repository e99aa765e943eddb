// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Mapping a region: one range of addresses for all of its areas.
 *
 * Everything that our capability reaches is mapped read-only first, and the rest
 * is left as addresses that nothing is at; then writable mappings are laid over
 * the windows that are ours or shared.  A data window is whole 2 MiB folios at
 * a 2 MiB aligned address, so that no overlay splits a huge page entry.  A
 * process maps no other window writable, on the local backend too, where only
 * that keeps a stray pointer of a trusted member out of another's window.
 */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backend.h"

static int reserve(struct shmchan_region_private *p, uint64_t size)
{
	uint8_t *start, *base;
	uint64_t head, tail;

	if (size > SIZE_MAX - SHMCHAN_HUGE)
		return shmchan__fail(ENOMEM,
			"the region of %llu bytes does not fit into the address space",
			(unsigned long long)size);
	start = mmap(NULL, size + SHMCHAN_HUGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return shmchan__fail(errno,
			"no %llu bytes of address space for the region: %s (ulimit -v?)",
			(unsigned long long)size, shmchan__errstr(errno));
	base = (uint8_t *)SHMCHAN_ALIGN_UP((uintptr_t)start, SHMCHAN_HUGE);
	head = (uint64_t)(base - start);
	tail = SHMCHAN_HUGE - head;
	if (head)
		munmap(start, head);
	munmap(base + size, tail);
	p->map = base;
	p->map_size = size;
	p->pub.base = base;
	return 0;
}

static int map_at(struct shmchan_region_private *p, uint64_t offset,
		  uint64_t length, int prot)
{
	void *addr = p->pub.base + offset;

	if (mmap(addr, length, prot, MAP_SHARED | MAP_FIXED, p->file.fd,
		 (off_t)offset) == addr)
		return 0;
	return shmchan__fail(errno,
		"mapping %llu bytes at region offset %#llx %s: %s%s",
		(unsigned long long)length, (unsigned long long)offset,
		prot & PROT_WRITE ? "writable" : "read-only", shmchan__errstr(errno),
		errno == ENOMEM ? " (vm.max_map_count, ulimit -v or -l?)" : "");
}

static int ours(const struct shmchan_region_private *p,
		const struct shmchan_window *w)
{
	return w->slot == p->pub.slot || w->slot == SHMCHAN_SLOT_SHARED;
}

/* A child of fork is no member.  Dumps: as the kernel's backend does. */
static int advise(struct shmchan_region_private *p)
{
	if (madvise(p->map, p->map_size, MADV_DONTFORK))
		return shmchan__fail(errno, "MADV_DONTFORK: %s",
				     shmchan__errstr(errno));
	if (!(p->flags & SHMCHAN_CREATE_DUMP))
		madvise(p->map, p->map_size, MADV_DONTDUMP);
	return 0;
}

/* The part of a window that we reach; its length is 0 if there is none. */
static struct shmchan_range reached(const struct shmchan_region_private *p,
				    const struct shmchan_window *w)
{
	const struct shmchan_range *range =
		w->offset < p->pub.control_offset ? &p->data : &p->control;
	uint64_t start = w->offset, end = w->offset + w->length;

	if (start < range->offset)
		start = range->offset;
	if (end > range->offset + range->length)
		end = range->offset + range->length;
	return (struct shmchan_range){
		.offset = start, .length = start < end ? end - start : 0,
	};
}

/*
 * Lay writable mappings over the windows that are ours or shared, as far as we
 * reach them, once p->pub.slot is known.  Windows come by offset; neighbours that
 * are ours take one mapping.
 */
int shmchan__map_windows(struct shmchan_region_private *p)
{
	uint64_t start = 0, end = 0;
	struct shmchan_range w;
	uint32_t i;
	int err;

	if (!(p->pub.rights & SHMCHAN_RIGHT_MAP_WRITE))
		return 0;
	for (i = 0; i < p->nr_windows; i++) {
		if (!ours(p, &p->windows[i]))
			continue;
		w = reached(p, &p->windows[i]);
		if (!w.length)
			continue;
		/* Never across areas: the header page is between. */
		if (end != start && w.offset == end) {
			end += w.length;
			continue;
		}
		if (end != start) {
			err = map_at(p, start, end - start,
				     PROT_READ | PROT_WRITE);
			if (err)
				return err;
		}
		start = w.offset;
		end = w.offset + w.length;
	}
	if (end != start) {
		err = map_at(p, start, end - start, PROT_READ | PROT_WRITE);
		if (err)
			return err;
	}
	return advise(p);
}

/* The header page, and what we reach of the rest of the control area. */
static int map_control(struct shmchan_region_private *p)
{
	uint64_t start = p->pub.control_offset, end = start + SHMCHAN_PAGE;
	const struct shmchan_range *c = &p->control;
	int err;

	if (c->length && c->offset <= end) {
		if (c->offset + c->length > end)
			end = c->offset + c->length;
		return map_at(p, start, end - start, PROT_READ);
	}
	err = map_at(p, start, end - start, PROT_READ);
	if (!err && c->length)
		err = map_at(p, c->offset, c->length, PROT_READ);
	return err;
}

/*
 * Map all that we reach, for reading.  p->file, the geometry and the ranges are
 * known.  On failure shmchan__unmap() undoes what was done.
 */
int shmchan__map(struct shmchan_region_private *p, int status_writable)
{
	const struct shmchan_region *r = &p->pub;
	int err;

	err = reserve(p, r->status_offset + r->status_size);
	if (!err && p->data.length)
		err = map_at(p, p->data.offset, p->data.length, PROT_READ);
	if (!err)
		err = map_control(p);
	if (!err)
		err = map_at(p, r->status_offset, r->status_size,
			     status_writable ? PROT_READ | PROT_WRITE :
					       PROT_READ);
	return err ? err : advise(p);
}

/*
 * Only in the process that mapped it: in a forked child something else may be
 * at these addresses by now.
 */
void shmchan__unmap(struct shmchan_region_private *p)
{
	if (p->map)
		munmap(p->map, p->map_size);
	p->map = NULL;
}
