// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that is to be taken offline.
 *
 * Region memory does not move, but looks as if it did: taking its block
 * offline would try for as long as nobody sends a signal.  So say no at once.
 * The pool wants its memory back, wherever that is now: the same.
 *
 * Whoever looks at pages that it has no reference to keeps the rest of them
 * from going: a page may be offline by now, or not there.
 */

#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/notifier.h>
#include <linux/rwsem.h>
#include <linux/xarray.h>

#include "shmchan.h"

static DECLARE_RWSEM(offline_sem);	/* no page vanishes */
static DEFINE_MUTEX(regions_lock);	/* regions; folios of the evicted ones */
static LIST_HEAD(regions);		/* struct shmchan_region by node */

/**
 * shmchan_offline_hold - keep memory from vanishing
 *
 * Short: who takes memory offline waits.
 */
void shmchan_offline_hold(void)
{
	down_read(&offline_sem);
}

/**
 * shmchan_offline_release - the end of shmchan_offline_hold()
 */
void shmchan_offline_release(void)
{
	up_read(&offline_sem);
}

/**
 * shmchan_offline_lock - begin to change the folios of an evicted region
 */
void shmchan_offline_lock(void)
{
	mutex_lock(&regions_lock);
}

/**
 * shmchan_offline_unlock - the end of shmchan_offline_lock()
 */
void shmchan_offline_unlock(void)
{
	mutex_unlock(&regions_lock);
}

/**
 * shmchan_offline_watch - from now on a region's memory stays online
 * @region: that has no memory yet
 */
void shmchan_offline_watch(struct shmchan_region *region)
{
	mutex_lock(&regions_lock);
	list_add(&region->node, &regions);
	mutex_unlock(&regions_lock);
}

/**
 * shmchan_offline_forget - the end of shmchan_offline_watch()
 * @region: whose memory has been given up
 */
void shmchan_offline_forget(struct shmchan_region *region)
{
	mutex_lock(&regions_lock);
	list_del(&region->node);
	mutex_unlock(&regions_lock);
}

static bool folio_in(const struct folio *folio, unsigned long start,
		     unsigned long end)
{
	unsigned long pfn = folio_pfn((struct folio *)folio);

	return pfn < end &&
	       pfn + folio_nr_pages((struct folio *)folio) > start;
}

static bool region_has(const struct shmchan_region *region,
		       unsigned long start, unsigned long end)
{
	unsigned long index;
	struct folio *folio;

	lockdep_assert_held(&regions_lock);
	for (folio = region->folios; folio; folio = folio->private)
		if (folio_in(folio, start, end))
			return true;
	/* Evicted ones have no inode any more. */
	if (!region->inode)
		return false;
	xa_for_each(&region->inode->i_mapping->i_pages, index, folio) {
		if (folio_in(folio, start, end))
			return true;
		cond_resched();
	}
	return false;
}

static bool regions_have(const struct memory_notify *range)
{
	struct shmchan_region *region;
	bool has = false;

	mutex_lock(&regions_lock);
	list_for_each_entry(region, &regions, node) {
		has = region_has(region, range->start_pfn,
				 range->start_pfn + range->nr_pages);
		if (has)
			break;
	}
	mutex_unlock(&regions_lock);
	return has;
}

static int offline_notify(struct notifier_block *nb, unsigned long action,
			  void *arg)
{
	const struct memory_notify *range = arg;

	switch (action) {
	case MEM_GOING_OFFLINE:
		if (regions_have(range) ||
		    shmchan_pool_has(range->start_pfn, range->nr_pages))
			return notifier_from_errno(-EBUSY);
		break;
	case MEM_OFFLINE:
		/* From here on lookups say so; wait for those of before. */
		down_write(&offline_sem);
		up_write(&offline_sem);
		break;
	}
	return NOTIFY_OK;
}

static struct notifier_block offline_nb = {
	.notifier_call = offline_notify,
};

/**
 * shmchan_offline_init - begin to be asked
 *
 * Return: 0 or an error.
 */
int shmchan_offline_init(void)
{
	return register_memory_notifier(&offline_nb);
}

/**
 * shmchan_offline_exit - the end of shmchan_offline_init()
 */
void shmchan_offline_exit(void)
{
	unregister_memory_notifier(&offline_nb);
}
