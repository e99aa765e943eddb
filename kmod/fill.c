// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filling a region: its folios are allocated, zeroed, put in order and added
 * to the page cache, which charges them to the caller's memory cgroup.
 *
 * 2 MiB folios come in batches, and are sorted by their place in memory: so
 * the region gets as few extents as can be had without disturbing anybody.
 * Batches begin small and grow with what has been charged, so that a full
 * cgroup does not take much more from others than it will be let keep.
 */

#include <linux/list_sort.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/preempt.h>
#include <linux/sched/signal.h>

#include "compat.h"
#include "shmchan.h"

/* 2 MiB folios that are allocated before they are charged: at first, at most. */
#define SHMCHAN_HUGE_BATCH	4
#define SHMCHAN_HUGE_BATCH_MOST	64

/* So many small folios are added between two flushes of the LRU batches. */
#define SHMCHAN_SMALL_BATCH	64

/**
 * shmchan_put_folio - give up a folio that has been the region's
 * @folio: with our reference
 */
void shmchan_put_folio(struct folio *folio)
{
	unsigned long pfn = folio_pfn(folio);

	folio_put(folio);
	shmchan_pool_lost(pfn);
}

/**
 * shmchan_put_folios - give up folios that nobody has seen or was charged for
 * @folios: zeroed, chained by their lru; empty afterwards
 */
void shmchan_put_folios(struct list_head *folios)
{
	struct folio *folio, *next;

	list_for_each_entry_safe(folio, next, folios, lru) {
		list_del(&folio->lru);
		if (!shmchan_pool_return(folio))
			folio_put(folio);
	}
}

/* The reference of the allocation stays: it is the extra one. */
static int add_folio(struct address_space *mapping, struct folio *folio,
		     pgoff_t index)
{
	int ret;

	/* Charges the memory cgroup, and takes the page cache's references. */
	ret = filemap_add_folio(mapping, folio, index,
				GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (ret) {
		shmchan_put_folio(folio);
		return ret;
	}
	folio_mark_uptodate(folio);
	folio_unlock(folio);
	return 0;
}

static int by_place(void *priv, const struct list_head *a,
		    const struct list_head *b)
{
	return folio_pfn(list_entry(a, struct folio, lru)) >
	       folio_pfn(list_entry(b, struct folio, lru));
}

/*
 * Free memory there may be, but in pieces, and the kernel makes blocks of it when
 * it likes.  Who may move others' memory gets runs, as long as can be had.
 */
static int clear_room(struct list_head *folios, const struct shmchan_numa *numa,
		      u32 nr, ktime_t *deadline)
{
	u32 run = nr;
	int ret = 0;

	if (shmchan_contig_limit() != U64_MAX ||
	    numa->policy == SHMCHAN_NUMA_INTERLEAVE)
		return -ENOMEM;
	/* One budget for all of the region. */
	if (!*deadline)
		*deadline = shmchan_contig_deadline();
	while (nr && !ret) {
		run = min(run, nr);
		ret = shmchan_contig_find(folios, run, numa, *deadline);
		if (!ret) {
			nr -= run;
		} else if (ret == -ENOMEM && run > 1) {
			run /= 2;
			ret = 0;
		}
	}
	return ret;
}

/* Allocate @nr folios; @index is the number of the first one. */
static int take_batch(struct list_head *folios, const struct shmchan_numa *numa,
		      u64 index, u32 nr, ktime_t *deadline)
{
	struct folio *folio;
	int ret;

	for (; nr; nr--, index++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		folio = shmchan_numa_alloc(numa, index, SHMCHAN_HUGE_ORDER);
		if (!folio) {
			ret = clear_room(folios, numa, nr, deadline);
			if (ret)
				return ret;
			break;
		}
		list_add_tail(&folio->lru, folios);
		cond_resched();
	}
	/* Interleaved ones are where they are to be. */
	if (numa->policy != SHMCHAN_NUMA_INTERLEAVE)
		list_sort(NULL, folios, by_place);
	return 0;
}

/* Add them in their order; those that cannot be are freed. */
static int add_batch(struct address_space *mapping, struct list_head *folios,
		     pgoff_t index)
{
	struct folio *folio, *next;
	int ret = 0;

	list_for_each_entry_safe(folio, next, folios, lru) {
		list_del(&folio->lru);
		ret = add_folio(mapping, folio, index);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
		if (ret)
			break;
		index += SHMCHAN_HUGE_PAGES;
		cond_resched();
	}
	shmchan_put_folios(folios);
	return ret;
}

static int fill_huge(struct address_space *mapping, u64 nr,
		     const struct shmchan_numa *numa)
{
	u64 i, batch, next = SHMCHAN_HUGE_BATCH;
	ktime_t deadline = 0;
	LIST_HEAD(folios);
	int ret = 0;

	for (i = 0; i < nr && !ret; i += batch) {
		batch = min(nr - i, next);
		next = min_t(u64, 2 * next, SHMCHAN_HUGE_BATCH_MOST);
		ret = take_batch(&folios, numa, i, batch, &deadline);
		if (ret)
			shmchan_put_folios(&folios);
		else
			ret = add_batch(mapping, &folios,
					i << SHMCHAN_HUGE_ORDER);
	}
	return ret;
}

static int fill_contig(struct address_space *mapping, u64 nr,
		       const struct shmchan_numa *numa)
{
	LIST_HEAD(folios);
	int ret;

	if (nr > U32_MAX)
		return -ENOMEM;
	ret = shmchan_contig_alloc(&folios, nr, numa);
	return ret ? ret : add_batch(mapping, &folios, 0);
}

/*
 * A small folio waits in a per-CPU batch before it gets on its LRU list, and
 * the batch holds a reference meanwhile: for ever, on an idle machine.  That
 * would look like a pin when a slot is to be used again.  Releasing a batch of
 * our own flushes those of this CPU, so stay on it until then.
 */
static int fill_small(struct address_space *mapping, u64 offset, u64 length,
		      const struct shmchan_numa *numa)
{
	pgoff_t first = offset >> PAGE_SHIFT, nr = length >> PAGE_SHIFT;
	struct folio_batch batch;
	struct folio *folio;
	pgoff_t i, end;
	int ret = 0;

	for (i = 0; i < nr && !ret; i = end) {
		if (fatal_signal_pending(current))
			return -EINTR;
		end = min_t(pgoff_t, nr, i + SHMCHAN_SMALL_BATCH);
		folio_batch_init(&batch);
		migrate_disable();
		for (; i < end; i++) {
			folio = shmchan_numa_alloc(numa, i, 0);
			ret = folio ? add_folio(mapping, folio, first + i) :
			      -ENOMEM;
			if (ret)
				break;
			if (!folio_batch_count(&batch)) {
				folio_get(folio);
				folio_batch_add(&batch, folio);
			}
		}
		folio_batch_release(&batch);
		migrate_enable();
		cond_resched();
	}
	return ret;
}

/**
 * shmchan_memory_fill - allocate, zero and charge all of a region's memory
 * @region: with its sizes and offsets filled in
 * @numa: where from
 *
 * On failure the caller drops the region, which frees what there is.
 *
 * Return: 0, -ENOMEM, -EINTR after a fatal signal; for CONTIG also -EPERM.
 */
int shmchan_memory_fill(struct shmchan_region *region,
			const struct shmchan_numa *numa)
{
	struct address_space *mapping = region->inode->i_mapping;
	u64 nr_huge = region->data_size / SHMCHAN_HUGE;
	int ret;

	/* finish_fault() maps no PMD beyond the size. */
	i_size_write(region->inode, region->status_offset + region->status_size);

	if (region->flags & SHMCHAN_CREATE_SMALL)
		ret = fill_small(mapping, 0, region->data_size, numa);
	else if (region->flags & SHMCHAN_CREATE_CONTIG && nr_huge > 1)
		ret = fill_contig(mapping, nr_huge, numa);
	else
		ret = fill_huge(mapping, nr_huge, numa);
	if (!ret)
		ret = fill_small(mapping, region->control_offset,
				 region->control_size, numa);
	if (!ret)
		ret = fill_small(mapping, region->status_offset,
				 region->status_size, numa);
	return ret;
}
