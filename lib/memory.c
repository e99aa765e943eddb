// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a region's memory is made of, who else may have it, and who has how
 * much: all of it the module's to tell.
 */

#include <errno.h>
#include <inttypes.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend_kmod.h"

#define MOST	1024	/* entries at a time */

/* A call that is newer than the module. */
static int too_old(const char *call)
{
	return shmchan__fail(ENOTSUP,
		"the module that is loaded is older than this library, and has no %s",
		call);
}

int shmchan__kmod_extents(int fd, uint32_t flags, uint64_t *start,
			  struct shmchan_extent *extents, uint32_t room)
{
	struct shmchan_extents e = {
		.size = sizeof(e),
		.flags = flags,
		.start = *start,
		.extents = (uintptr_t)extents,
		.nr_extents = room < MOST ? room : MOST,
		.extent_size = sizeof(*extents),
	};

	if (ioctl(fd, SHMCHAN_IOC_EXTENTS, &e))
		return -errno;
	*start = e.start;
	return (int)e.nr_extents;
}

static int extents_error(const struct shmchan_region_private *p, int err,
			 uint32_t flags)
{
	if (err == EPERM && flags & SHMCHAN_EXTENTS_PHYS)
		return shmchan__fail(err,
			"SHMCHAN_EXTENTS_PHYS: physical addresses are told to CAP_SYS_ADMIN in the initial user namespace only; leave the flag out for the rest");
	if (err == ENOTTY)
		return too_old("SHMCHAN_IOC_EXTENTS");
	return shmchan__kmod_member_error(p, err, "EXTENTS");
}

int shmchan_region_extents(const struct shmchan_region *region, uint32_t flags,
			   uint64_t *start, struct shmchan_extent *extents,
			   uint32_t room)
{
	int ret = shmchan__usable(region);

	if (ret)
		return ret;
	if (!start || !extents || !room)
		return shmchan__fail(EINVAL,
			"nowhere to put the answer: start and extents should not be NULL, room be 1 or more");
	if (flags & ~SHMCHAN_EXTENTS_PHYS)
		return shmchan__fail(EINVAL,
			"flags is %#x: should be 0 or SHMCHAN_EXTENTS_PHYS",
			flags);
	if (*start % SHMCHAN_PAGE || *start > region->data_size)
		return shmchan__fail(EINVAL,
			"*start is %#" PRIx64 ": should be 0 to begin with, then what came back; a multiple of 4 KiB, %#" PRIx64 " at most",
			*start, region->data_size);
	if (region->backend != SHMCHAN_BACKEND_KMOD)
		return shmchan__fail(ENOTSUP,
			"the local backend cannot tell where its memory lies: only the module places memory");
	if (*start == region->data_size)
		return 0;
	ret = shmchan__kmod_extents(shmchan__private(region)->file.fd, flags,
				    start, extents, room);
	return ret < 0 ? extents_error(shmchan__private(region), -ret, flags) :
			 ret;
}

static int check_range(const struct shmchan_region *r, uint64_t offset,
		       uint64_t length)
{
	if (offset % SHMCHAN_PAGE || length % SHMCHAN_PAGE || !length)
		return shmchan__fail(EINVAL,
			"%" PRIu64 " bytes at %#" PRIx64 ": both should be multiples of 4 KiB, and the length not 0; %" PRIu64 " at %#" PRIx64 " would do",
			length, offset, length ?
			(uint64_t)SHMCHAN_ALIGN_UP(length, SHMCHAN_PAGE) :
			(uint64_t)SHMCHAN_PAGE,
			(uint64_t)(offset - offset % SHMCHAN_PAGE));
	if (offset >= r->status_offset || !shmchan__in_area(r, offset, length))
		return shmchan__fail(EINVAL,
			"%" PRIu64 " bytes at %#" PRIx64 " are not within the data area, 0 to %#" PRIx64 ", or the control area, %#" PRIx64 " to %#" PRIx64,
			length, offset, r->data_size, r->control_offset,
			r->control_offset + r->control_size);
	if (!shmchan__reaches(r, offset, length))
		return shmchan__fail(EACCES,
			"%" PRIu64 " bytes at %#" PRIx64 " are beyond what our capability reaches (shmchan_region_query() tells)",
			length, offset);
	return 0;
}

/* Is all of it in windows of ours?  They come by offset. */
static int check_writable(const struct shmchan_region_private *p,
			  uint64_t offset, uint64_t length)
{
	uint64_t at = offset;
	uint32_t i;

	if (!(p->pub.rights & SHMCHAN_RIGHT_MAP_WRITE))
		return shmchan__fail(EACCES,
			"SHMCHAN_EXPORT_WRITE: %s was opened without SHMCHAN_RIGHT_MAP_WRITE",
			shmchan__label(p));
	for (i = 0; i < p->nr_windows && at < offset + length; i++) {
		const struct shmchan_window *w = &p->windows[i];

		if ((w->slot == p->pub.slot ||
		     w->slot == SHMCHAN_SLOT_SHARED) &&
		    at >= w->offset && at < w->offset + w->length)
			at = w->offset + w->length;
	}
	if (at >= offset + length)
		return 0;
	return shmchan__fail(EACCES,
		"SHMCHAN_EXPORT_WRITE: the byte at %#" PRIx64 " is in no window that slot %u may write; all of the range should be",
		at, p->pub.slot);
}

static int export_error(const struct shmchan_region_private *p, int err)
{
	if (err == ENOTTY)
		return too_old("SHMCHAN_IOC_EXPORT_DMABUF");
	if (err == EOPNOTSUPP)
		return shmchan__fail(ENOTSUP,
			"this kernel has no dma-bufs (CONFIG_DMA_SHARED_BUFFER)");
	return shmchan__kmod_member_error(p, err, "EXPORT_DMABUF");
}

int shmchan_region_export(const struct shmchan_region *region, uint64_t offset,
			  uint64_t length, uint32_t flags)
{
	struct shmchan_export_dmabuf e = {
		.size = sizeof(e), .flags = flags, .offset = offset,
		.length = length,
	};
	int err = shmchan__usable(region);

	if (err)
		return err;
	if (flags & ~SHMCHAN_EXPORT_WRITE)
		return shmchan__fail(EINVAL,
			"flags is %#x: should be 0 or SHMCHAN_EXPORT_WRITE",
			flags);
	err = check_range(region, offset, length);
	if (err)
		return err;
	if (region->backend != SHMCHAN_BACKEND_KMOD)
		return shmchan__fail(ENOTSUP,
			"the local backend has no dma-bufs: only the module makes them");
	if (flags & SHMCHAN_EXPORT_WRITE)
		err = check_writable(shmchan__private(region), offset, length);
	if (err)
		return err;
	if (ioctl(shmchan__private(region)->file.fd, SHMCHAN_IOC_EXPORT_DMABUF,
		  &e))
		return export_error(shmchan__private(region), errno);
	return e.fd;
}

int shmchan_users_list(int (*fn)(const struct shmchan_user_entry *entry,
				 void *arg), void *arg)
{
	struct shmchan_user_entry entries[64];
	struct shmchan_query_device device;
	struct shmchan_list_users l = { 0 };
	int fd, err = 0;
	uint32_t i;

	if (!fn)
		return shmchan__fail(EINVAL, "no function to call: NULL");
	fd = shmchan__kmod_device(&device);
	if (fd < 0)
		return fd;
	do {
		l.size = sizeof(l);
		l.entries = (uintptr_t)entries;
		l.nr_entries = sizeof(entries) / sizeof(entries[0]);
		l.entry_size = sizeof(entries[0]);
		if (ioctl(fd, SHMCHAN_IOC_LIST_USERS, &l)) {
			err = errno == ENOTTY ?
			      too_old("SHMCHAN_IOC_LIST_USERS") :
			      shmchan__fail(errno, "LIST_USERS: %s",
					    shmchan__errstr(errno));
			break;
		}
		for (i = 0; i < l.nr_entries && !err; i++)
			err = fn(&entries[i], arg);
	} while (l.nr_entries && !err);
	close(fd);
	return err;
}
