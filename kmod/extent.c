// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extents: the physically contiguous runs of a region, each on one node.
 */

#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "shmchan.h"

/**
 * shmchan_extent_at - the run that a byte of a region begins
 * @region: with all its memory
 * @start: region offset, a multiple of 4 KiB
 * @end: where to stop; [@start, @end) lies in one area, and is not empty
 *
 * Return: its length: up to @end, or to where the memory is another run's.
 */
u64 shmchan_extent_at(const struct shmchan_region *region, u64 start, u64 end)
{
	struct folio *folio = shmchan_memory_folio(region, start);
	int nid = folio_nid(folio);
	unsigned long next;
	u64 at = start;

	for (;;) {
		at = ((u64)folio->index << PAGE_SHIFT) + folio_size(folio);
		if (at >= end)
			return end - start;
		next = folio_pfn(folio) + folio_nr_pages(folio);
		folio = shmchan_memory_folio(region, at);
		if (folio_pfn(folio) != next || folio_nid(folio) != nid)
			return at - start;
		cond_resched();
	}
}

/**
 * shmchan_extents_count - how many runs make up a range?
 * @region: with all its memory
 * @start: region offset, a multiple of 4 KiB
 * @end: the end of the range, in the same area
 *
 * Return: their number.
 */
u32 shmchan_extents_count(const struct shmchan_region *region, u64 start,
			  u64 end)
{
	u32 nr = 0;

	for (; start < end; start += shmchan_extent_at(region, start, end))
		nr++;
	return nr;
}

/**
 * shmchan_extents_ioctl - SHMCHAN_IOC_EXTENTS
 * @call: the call
 *
 * Return: see struct shmchan_extents.
 */
int shmchan_extents_ioctl(struct shmchan_call *call)
{
	const struct shmchan_member *member = call->file->private_data;
	struct shmchan_region *region = member->region;
	struct shmchan_extents *arg = call->arg;
	struct shmchan_extent __user *uextents = u64_to_user_ptr(arg->extents);
	struct shmchan_range range;
	u64 start = arg->start;
	u64 end;
	u32 nr;

	if (arg->flags & ~SHMCHAN_EXTENTS_PHYS || !arg->nr_extents ||
	    arg->extent_size != sizeof(struct shmchan_extent) ||
	    !IS_ALIGNED(start, SHMCHAN_PAGE) || start > region->data_size)
		return -EINVAL;
	if (arg->nr_extents > SHMCHAN_LIST_MAX)
		return -E2BIG;
	/* Where memory lies helps attacks on it. */
	if (arg->flags & SHMCHAN_EXTENTS_PHYS && !capable(CAP_SYS_ADMIN))
		return -EPERM;

	if (mutex_lock_killable(&region->caps_lock))
		return -EINTR;
	range = member->terms.data;
	mutex_unlock(&region->caps_lock);
	if (shmchan_grant_revoked(member->grant))
		return -ESTALE;
	start = max(start, range.offset);
	end = range.offset + range.length;
	for (nr = 0; nr < arg->nr_extents && start < end; nr++) {
		struct folio *folio = shmchan_memory_folio(region, start);
		struct shmchan_extent extent = {
			.offset = start,
			.length = shmchan_extent_at(region, start, end),
			.node = folio_nid(folio),
		};

		if (arg->flags & SHMCHAN_EXTENTS_PHYS)
			extent.phys = PFN_PHYS(folio_pfn(folio)) + start -
				      ((u64)folio->index << PAGE_SHIFT);
		if (copy_to_user(&uextents[nr], &extent, sizeof(extent)))
			return -EFAULT;
		start += extent.length;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	arg->start = start;
	arg->nr_extents = nr;
	return shmchan_respond(call);
}
