// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool: contiguous memory set aside when the module was loaded.
 *
 * Memory that was given out has been charged to somebody's memory cgroup, and
 * only freeing it ends that.  So a block that was put to use goes back to the
 * kernel at the end of its region, and a worker claims the same place again:
 * usually it gets it, since nothing else had the time to settle there; if not,
 * it goes on trying.
 */

#include <linux/bitmap.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "shmchan.h"

#define SHMCHAN_MB_BLOCKS(mb)	((unsigned long)(mb) >> 1)
#define SHMCHAN_BLOCKS_MB(nr)	((unsigned long)(nr) << 1)

/* How long one attempt of the worker may wait for its turn. */
#define SHMCHAN_POOL_TURN_MS	1000

/* Between its attempts; doubled up to the second each time it gets nothing. */
#define SHMCHAN_POOL_SOON	(HZ / 10 + 1)
#define SHMCHAN_POOL_LATE	(60 * HZ)

static unsigned int pool_mb;
module_param(pool_mb, uint, 0444);
MODULE_PARM_DESC(pool_mb, "MiB of contiguous memory to set aside at load (0)");

static void pool_work_fn(struct work_struct *work);

static DEFINE_MUTEX(pool_lock);		/* all of the following */
static struct folio **pool;		/* what is here; NULL: not here */
static unsigned long *pool_lost;	/* given back to the kernel */
static unsigned long pool_pfn;		/* of the first block */
static unsigned long pool_nr;		/* blocks; never changes once loaded */
static int pool_nid;			/* where it lies */
static unsigned long pool_nr_free;	/* not NULL */
static unsigned long pool_nr_lost;	/* bits set */
static unsigned long pool_delay;	/* before the worker's next attempt */
static DECLARE_DELAYED_WORK(pool_work, pool_work_fn);

static int pool_state_get(char *buffer, const struct kernel_param *kp)
{
	int len;

	mutex_lock(&pool_lock);
	len = scnprintf(buffer, PAGE_SIZE,
			"total %lu MiB, free %lu MiB, out %lu MiB, to be reclaimed %lu MiB\n",
			SHMCHAN_BLOCKS_MB(pool_nr),
			SHMCHAN_BLOCKS_MB(pool_nr_free),
			SHMCHAN_BLOCKS_MB(pool_nr - pool_nr_free - pool_nr_lost),
			SHMCHAN_BLOCKS_MB(pool_nr_lost));
	mutex_unlock(&pool_lock);
	return len;
}

static const struct kernel_param_ops pool_state_ops = {
	.get = pool_state_get,
};
module_param_cb(pool_state, &pool_state_ops, NULL, 0400);
MODULE_PARM_DESC(pool_state, "what has become of the pool (read only)");

/* The first of @nr blocks in a row that are here; or pool_nr. */
static unsigned long find_free(unsigned long nr)
{
	unsigned long i, len = 0;

	lockdep_assert_held(&pool_lock);
	for (i = 0; i < pool_nr; i++) {
		len = pool[i] ? len + 1 : 0;
		if (len == nr)
			return i + 1 - nr;
	}
	return pool_nr;
}

static bool node_allowed(const struct shmchan_numa *numa, int nid)
{
	struct shmchan_nodes it;
	int allowed;

	shmchan_nodes_start(&it, numa);
	while ((allowed = shmchan_nodes_next(&it)) != NUMA_NO_NODE)
		if (allowed == nid)
			return true;
	return false;
}

/**
 * shmchan_pool_take - take a run out of the pool
 * @folios: out: the folios, zeroed, in order
 * @nr: how many
 * @numa: on which nodes they may lie
 *
 * Return: 0, or -ENOMEM: the pool has no such run.
 */
int shmchan_pool_take(struct list_head *folios, u32 nr,
		      const struct shmchan_numa *numa)
{
	unsigned long first, i;
	int ret = -ENOMEM;

	mutex_lock(&pool_lock);
	first = find_free(nr);
	if (first < pool_nr && node_allowed(numa, pool_nid)) {
		for (i = first; i < first + nr; i++) {
			list_add_tail(&pool[i]->lru, folios);
			pool[i] = NULL;
		}
		pool_nr_free -= nr;
		ret = 0;
	}
	mutex_unlock(&pool_lock);
	return ret;
}

/* Which block a page is of; pool_nr: of none. */
static unsigned long pool_index(unsigned long pfn)
{
	unsigned long i;

	/* Both are what they are from load to unload. */
	if (!pool_nr || pfn < pool_pfn)
		return pool_nr;
	i = (pfn - pool_pfn) >> SHMCHAN_HUGE_ORDER;
	return min(i, pool_nr);
}

/**
 * shmchan_pool_return - put back what has not been put to use
 * @folio: zeroed, seen by nobody, charged to nobody; with our reference
 *
 * Return: whether it was the pool's; if not the reference is the caller's still.
 */
bool shmchan_pool_return(struct folio *folio)
{
	unsigned long i = pool_index(folio_pfn(folio));

	if (i == pool_nr)
		return false;
	mutex_lock(&pool_lock);
	pool[i] = folio;
	pool_nr_free++;
	/* Somebody got it from the kernel before the worker did, and so did we. */
	if (__test_and_clear_bit(i, pool_lost))
		pool_nr_lost--;
	mutex_unlock(&pool_lock);
	return true;
}

/**
 * shmchan_pool_lost - a folio has gone back to the kernel
 * @pfn: its first page
 *
 * If it was the pool's, it is to be claimed again.
 */
void shmchan_pool_lost(unsigned long pfn)
{
	unsigned long i = pool_index(pfn);

	if (i == pool_nr)
		return;
	mutex_lock(&pool_lock);
	if (!pool[i]) {
		if (!__test_and_set_bit(i, pool_lost))
			pool_nr_lost++;
		pool_delay = SHMCHAN_POOL_SOON;
		mod_delayed_work(system_long_wq, &pool_work, pool_delay);
	}
	mutex_unlock(&pool_lock);
}

/**
 * shmchan_pool_has - does a range of memory overlap the pool's?
 * @pfn: its first page
 * @nr_pages: its length
 *
 * Return: whether it does, also where the pool has it no more: it wants it back.
 */
bool shmchan_pool_has(unsigned long pfn, unsigned long nr_pages)
{
	return pool_nr && pfn + nr_pages > pool_pfn &&
	       pfn < pool_pfn + (pool_nr << SHMCHAN_HUGE_ORDER);
}

/* Claim blocks again, all or some of @nr in a row. */
static bool reclaim_blocks(unsigned long first, unsigned int nr)
{
	struct folio *folios[SHMCHAN_CLAIM_MOST] = {};
	LIST_HEAD(got);
	unsigned int i;
	bool some;

	if (shmchan_claim(pool_pfn + (first << SHMCHAN_HUGE_ORDER), nr,
			  pool_nid, folios))
		return false;
	for (i = 0; i < nr; i++)
		if (folios[i])
			list_add(&folios[i]->lru, &got);
	some = !list_empty(&got);
	shmchan_put_folios(&got);
	return some;
}

/* One turn: from the first block that is lost, many if that works. */
static bool reclaim_some(unsigned long i, unsigned int nr)
{
	bool got = false;

	if (shmchan_contig_lock(ktime_add_ms(ktime_get(), SHMCHAN_POOL_TURN_MS)))
		return false;
	if (nr == 1 || !reclaim_blocks(i, nr))
		while (nr--)
			got |= reclaim_blocks(i + nr, 1);
	else
		got = true;
	shmchan_contig_unlock();
	return got;
}

static void pool_work_fn(struct work_struct *work)
{
	unsigned long i, next;
	unsigned int nr;
	bool got = false;

	/* Whoever sets a bit meanwhile calls again. */
	for (i = find_first_bit(pool_lost, pool_nr); i < pool_nr;
	     i = find_next_bit(pool_lost, pool_nr, i + nr)) {
		next = find_next_zero_bit(pool_lost, pool_nr, i);
		nr = min_t(unsigned long, next - i, SHMCHAN_CLAIM_MOST);
		got |= reclaim_some(i, nr);
		cond_resched();
	}
	mutex_lock(&pool_lock);
	pool_delay = got ? SHMCHAN_POOL_SOON :
		     min(2 * pool_delay, (unsigned long)SHMCHAN_POOL_LATE);
	if (pool_nr_lost)
		queue_delayed_work(system_long_wq, &pool_work, pool_delay);
	mutex_unlock(&pool_lock);
}

/**
 * shmchan_pool_query - fill in what the pool has
 * @query: the answer; @query->contig_limit is there
 */
void shmchan_pool_query(struct shmchan_query_device *query)
{
	query->pool_bytes = (u64)pool_nr * SHMCHAN_HUGE;
	/* What others use is for those who may use it, too. */
	query->pool_free = query->contig_limit == U64_MAX ?
			   (u64)READ_ONCE(pool_nr_free) * SHMCHAN_HUGE : 0;
}

/* Less and less, until there is such a run; none at all is no failure either. */
static int fill_pool(struct list_head *folios, unsigned long nr)
{
	const struct shmchan_numa anywhere = {};
	unsigned long wanted = nr, step = nr / 8 + 1;
	int ret = -ENOMEM;

	for (; nr; nr -= min(nr, step)) {
		ret = shmchan_contig_find(folios, nr, &anywhere,
					  shmchan_contig_deadline());
		if (ret != -ENOMEM)
			break;
	}
	if (ret == -ENOMEM)
		ret = 0;
	if (nr < wanted)
		pr_warn("shmchan: no %lu MiB in one run for the pool, it has %lu MiB\n",
			SHMCHAN_BLOCKS_MB(wanted), SHMCHAN_BLOCKS_MB(nr));
	return ret;
}

/**
 * shmchan_pool_init - set the pool aside
 *
 * Return: 0, -ENOMEM, or -EINTR after a fatal signal.
 */
int shmchan_pool_init(void)
{
	unsigned long nr = SHMCHAN_MB_BLOCKS(READ_ONCE(pool_mb));
	struct folio *folio, *next;
	LIST_HEAD(folios);
	int ret = -ENOMEM;

	if (!nr)
		return 0;
	if (nr > totalram_pages() >> SHMCHAN_HUGE_ORDER)
		return -ENOMEM;
	pool = kvcalloc(nr, sizeof(*pool), GFP_KERNEL);
	pool_lost = kvcalloc(BITS_TO_LONGS(nr), sizeof(*pool_lost), GFP_KERNEL);
	if (pool && pool_lost)
		ret = fill_pool(&folios, nr);
	if (ret) {
		shmchan_pool_exit();
		return ret;
	}
	/* Its state can be read already. */
	mutex_lock(&pool_lock);
	list_for_each_entry_safe(folio, next, &folios, lru) {
		if (!pool_nr) {
			pool_pfn = folio_pfn(folio);
			pool_nid = folio_nid(folio);
		}
		list_del(&folio->lru);
		pool[pool_nr++] = folio;
	}
	pool_nr_free = pool_nr;
	mutex_unlock(&pool_lock);
	return 0;
}

/**
 * shmchan_pool_exit - give the pool back; no region is left
 */
void shmchan_pool_exit(void)
{
	unsigned long i;

	cancel_delayed_work_sync(&pool_work);
	mutex_lock(&pool_lock);
	for (i = 0; i < pool_nr; i++)
		if (pool[i])
			folio_put(pool[i]);
	pool_nr = 0;
	pool_nr_free = 0;
	pool_nr_lost = 0;
	mutex_unlock(&pool_lock);
	kvfree(pool_lost);
	kvfree(pool);
}
