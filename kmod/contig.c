// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physically contiguous runs of 2 MiB folios.
 *
 * The buddy allocator stops at 4 MiB, and a machine that has run for a while
 * has few free blocks of 2 MiB side by side.  So a run comes from where it is
 * cheapest:
 *
 * 1. from the pool, which was set aside at load (pool.c);
 * 2. from what is free: take somewhat more folios than needed, without reclaim,
 *    and look for a run among them;
 * 3. by clearing a window: look at the machine's blocks, find the window whose
 *    pages can all be moved and are the fewest, and claim its blocks with
 *    alloc_contig_range(), which moves them: many at a time, since each call
 *    disturbs all CPUs, and one by one where that fails.
 *
 * The look takes no locks and may be wrong: a page that seemed movable may be
 * pinned.  Then its block is ruled out and the next best window is taken; blocks
 * claimed already cost nothing there, the others go back.
 *
 * A new page waits in a batch of its CPU before it gets on an LRU list, for
 * ever if that CPU is idle.  It must not pass for one that cannot be moved:
 * with one in every window nothing would ever be claimed, and nothing but
 * claiming drains the batches.
 *
 * One request clears windows at a time; it has contig_ms for all of it, waiting
 * for its turn included, and gives up at a fatal signal.
 */

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "compat.h"
#include "shmchan.h"

/* What anybody may ask for: what the buddy allocator has in one piece. */
#define SHMCHAN_CONTIG_FREE	2U		/* folios */

/* Folios taken beyond those needed, for the chance of a run among them. */
#define SHMCHAN_CONTIG_SPARE(nr)	((nr) / 8 + 16U)

/* So often, pages that cannot be moved now are tried again, after a while. */
#define SHMCHAN_CONTIG_PASSES	4
#define SHMCHAN_CONTIG_PAUSE	(HZ / 20 + 1)

/*
 * What claiming a block costs in pages moved; what a page adds that may turn
 * out to be pinned; and when a block cannot be had.
 */
#define SHMCHAN_BLOCK_CLAIM	64
#define SHMCHAN_BLOCK_SUSPECT	512
#define SHMCHAN_BLOCK_BAD	U32_MAX

static int contig_gid = -1;
module_param(contig_gid, int, 0644);
MODULE_PARM_DESC(contig_gid, "group that may ask for CONTIG beyond 4 MiB, beside CAP_SYS_RESOURCE; -1: none (-1)");

static unsigned int contig_ms = 10000;
module_param(contig_ms, uint, 0644);
MODULE_PARM_DESC(contig_ms, "milliseconds that one CONTIG request may take (10000)");

static bool contig_migrate = true;
module_param(contig_migrate, bool, 0644);
MODULE_PARM_DESC(contig_migrate, "move others' pages to make room for CONTIG beyond 4 MiB (Y)");

#ifdef SHMCHAN_TEST_HOOKS
static bool take_nothing;
module_param(take_nothing, bool, 0644);
MODULE_PARM_DESC(take_nothing, "test: clear a window even where a run is free");
#else
#define take_nothing	false
#endif

static unsigned long contig_busy;		/* bit 0: somebody clears */
static DECLARE_WAIT_QUEUE_HEAD(contig_turn);	/* for contig_busy */

/**
 * struct shmchan_search - a search for a run
 * @held: folios claimed so far, by block number: their PFN in folios
 * @nr_held: how many
 * @nr: folios wanted
 * @nid: the node searched
 * @first: block number of the node's first block
 * @nr_blocks: how many it spans
 * @cost: for each, what it takes to get it, in pages moved; 0: it is held
 * @deadline: when to give up
 */
struct shmchan_search {
	struct xarray held;
	unsigned long nr_held;
	u32 nr;
	int nid;
	unsigned long first;
	unsigned long nr_blocks;
	u32 *cost;
	ktime_t deadline;
};

static unsigned long block_of(const struct folio *folio)
{
	return folio_pfn((struct folio *)folio) >> SHMCHAN_HUGE_ORDER;
}

static unsigned long block_pfn(unsigned long block)
{
	return block << SHMCHAN_HUGE_ORDER;
}

/* 0, or why to give up. */
static int search_over(const struct shmchan_search *s)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	return ktime_after(ktime_get(), s->deadline) ? -ENOMEM : 0;
}

/* What is claimed costs nothing any more in the choice of a window. */
static void set_cost(struct shmchan_search *s, unsigned long block, u32 cost)
{
	if (s->cost)
		s->cost[block - s->first] = cost;
}

static int hold(struct shmchan_search *s, struct folio *folio)
{
	unsigned long block = block_of(folio);
	int ret;

	/* No OOM killer: we may be why memory is short. */
	ret = xa_err(xa_store(&s->held, block, folio, GFP_KERNEL |
			      __GFP_RETRY_MAYFAIL | __GFP_NOWARN));
	if (ret) {
		folio_put(folio);
		return ret;
	}
	s->nr_held++;
	set_cost(s, block, 0);
	return 0;
}

/* Give back what is held outside of [first, last]. */
static void let_go(struct shmchan_search *s, unsigned long first,
		   unsigned long last)
{
	unsigned long block;
	struct folio *folio;

	xa_for_each(&s->held, block, folio) {
		if (block >= first && block <= last)
			continue;
		xa_erase(&s->held, block);
		s->nr_held--;
		set_cost(s, block, SHMCHAN_BLOCK_CLAIM);
		folio_put(folio);
		cond_resched();
	}
}

/* The first block of a run that is long enough; or none: ULONG_MAX. */
static unsigned long find_run(struct shmchan_search *s)
{
	unsigned long block, next = 0, len = 0;
	struct folio *folio;

	xa_for_each(&s->held, block, folio) {
		if (block != next)
			len = 0;
		next = block + 1;
		if (++len >= s->nr)
			return next - s->nr;
	}
	return ULONG_MAX;
}

/* Does the node have memory that nobody will miss for a while? */
static bool has_spare(int nid)
{
	unsigned long free = 0, needed = SHMCHAN_HUGE_PAGES;
	struct zone *zone = NODE_DATA(nid)->node_zones;
	struct zone *end = zone + MAX_NR_ZONES;

	for (; zone < end; zone++) {
		free += zone_page_state(zone, NR_FREE_PAGES);
		needed += high_wmark_pages(zone);
	}
	return free > needed;
}

/* Two in one piece, where all that came singly was alone. */
static void take_pair(struct shmchan_search *s)
{
	struct folio *folios[2];
	int ret;

	if (!has_spare(s->nid) || search_over(s) ||
	    shmchan_claim_pair(s->nid, folios))
		return;
	ret = hold(s, folios[0]);
	if (ret)
		folio_put(folios[1]);
	else
		hold(s, folios[1]);
}

/*
 * Take what is free, and look for a run among it now and then.  Not zeroed:
 * most of it may be given back.
 */
static unsigned long take_free(struct shmchan_search *s)
{
	unsigned long most = s->nr + SHMCHAN_CONTIG_SPARE(s->nr);
	unsigned long look = s->nr, run;
	struct folio *folio;

	while (s->nr_held < most && has_spare(s->nid) && !search_over(s)) {
		folio = __folio_alloc_node(SHMCHAN_GFP_LIGHT | __GFP_THISNODE |
					   shmchan_gfp_block,
					   SHMCHAN_HUGE_ORDER, s->nid);
		if (!folio || hold(s, folio))
			break;
		if (s->nr_held == look) {
			run = find_run(s);
			if (run != ULONG_MAX)
				return run;
			look += SHMCHAN_CONTIG_SPARE(s->nr) / 4 + 1;
		}
		cond_resched();
	}
	run = find_run(s);
	if (run != ULONG_MAX || s->nr != 2)
		return run;
	take_pair(s);
	return find_run(s);
}

/*
 * How many pages a page and those behind it of the same folio are, if they can
 * be moved, as far as can be told without a reference.  Everything read here
 * may change meanwhile, so nothing is believed that leads out of the folio, and
 * flags are read raw: the helpers assert what only holds with a reference.  0:
 * they cannot be moved.
 */
static unsigned long movable_pages(struct page *page)
{
	struct page *head = compound_head(page);
	unsigned long flags = shmchan_page_flags(head);
	unsigned int order = compound_order(head);
	unsigned long left;

	if (order > SHMCHAN_MAX_ORDER || PageHuge(page) ||
	    page_ref_count(head) >= GUP_PIN_COUNTING_BIAS)
		return 0;
	if (!test_bit(PG_lru, &flags)) {
		/* Before 6.17 it looks like a balloon's where it is on no list. */
		if (PageSlab(page))
			return 0;
		/* Not on its list yet, or again; or a balloon's, say. */
		if (!shmchan_page_has_mover(page) &&
		    (!READ_ONCE(head->mapping) ||
		     !test_bit(PG_uptodate, &flags)))
			return 0;
	} else if (test_bit(PG_unevictable, &flags) &&
		   !test_bit(PG_mlocked, &flags)) {
		/* A mapping that is unevictable as a whole: one of ours. */
		return 0;
	}
	left = BIT(order) - (page - head);
	return left && left <= BIT(order) ? left : 1;
}

/*
 * Does somebody refer to a page beside page tables and page cache?  It may be
 * a pin, or just some CPU's batch.
 */
static bool suspect(struct page *page)
{
	unsigned long flags = shmchan_page_flags(page);
	unsigned long mapping = (unsigned long)READ_ONCE(page->mapping);
	int refs = atomic_read(&page->_mapcount) + 1;

	if (test_bit(PG_head, &flags) || PageTail(page))
		return false;
	refs += !(mapping & FOLIO_MAPPING_ANON) + test_bit(PG_private, &flags) +
		test_bit(PG_swapcache, &flags);
	return page_ref_count(page) > refs;
}

/* What it takes to get a block: see shmchan_search.cost. */
static u32 block_cost(const struct shmchan_search *s, unsigned long block)
{
	unsigned long pfn = block_pfn(block), end = pfn + SHMCHAN_HUGE_PAGES;
	unsigned long order, step;
	u32 cost = SHMCHAN_BLOCK_CLAIM;
	struct page *page;

	if (!shmchan_claimable(pfn, s->nid))
		return SHMCHAN_BLOCK_BAD;
	for (; pfn < end; pfn += step) {
		page = pfn_to_page(pfn);
		step = 1;
		if (PageReserved(page))
			return SHMCHAN_BLOCK_BAD;
		if (PageBuddy(page)) {
			order = READ_ONCE(page->private);
			if (order <= SHMCHAN_MAX_ORDER &&
			    IS_ALIGNED(pfn, BIT(order)))
				step = BIT(order);
			continue;
		}
		if (!page_ref_count(page) && !PageTail(page)) {
			/* Slabs and the like have no references since 6.14. */
			if (page_has_type(page) && !PageBuddy(page))
				return SHMCHAN_BLOCK_BAD;
			/* Free, in some CPU's list. */
			continue;
		}
		step = movable_pages(page);
		if (!step)
			return SHMCHAN_BLOCK_BAD;
		cost += min(step, end - pfn);
		if (suspect(page))
			cost += SHMCHAN_BLOCK_SUSPECT;
	}
	return cost;
}

/* The same, while memory stays online. */
static u32 look_at_block(const struct shmchan_search *s, unsigned long block)
{
	u32 cost;

	shmchan_offline_hold();
	cost = block_cost(s, block);
	shmchan_offline_release();
	return cost;
}

/* Look at all blocks of the node, or at as many as time allows. */
static void look_at_blocks(struct shmchan_search *s)
{
	ktime_t now = ktime_get();
	ktime_t until = now + (ktime_sub(s->deadline, now) >> 1);
	unsigned long i;

	for (i = 0; i < s->nr_blocks; i++) {
		if (xa_load(&s->held, s->first + i))
			s->cost[i] = 0;
		else if (fatal_signal_pending(current) ||
			 ktime_after(ktime_get(), until))
			s->cost[i] = SHMCHAN_BLOCK_BAD;
		else
			s->cost[i] = look_at_block(s, s->first + i);
		cond_resched();
	}
}

/* The cheapest window without a bad block: its index, or ULONG_MAX. */
static unsigned long best_window(const struct shmchan_search *s)
{
	unsigned long i, len = 0, best = ULONG_MAX;
	u64 sum = 0, least = U64_MAX;

	for (i = 0; i < s->nr_blocks; i++) {
		if (!(i & 0xffff))
			cond_resched();
		if (s->cost[i] == SHMCHAN_BLOCK_BAD) {
			len = 0;
			sum = 0;
			continue;
		}
		sum += s->cost[i];
		if (len == s->nr)
			sum -= s->cost[i - len];
		else
			len++;
		if (len == s->nr && sum < least) {
			least = sum;
			best = i + 1 - len;
		}
	}
	return best;
}

/* Claim one block, and say if it is bad. */
static int claim_block(struct shmchan_search *s, unsigned long i)
{
	unsigned long pfn = block_pfn(s->first + i);
	struct folio *folio = NULL;
	int ret;

	ret = search_over(s);
	if (ret)
		return ret;
	ret = shmchan_claim(pfn, 1, s->nid, &folio);
	if (ret == -EBUSY || !folio) {
		/* It may have a new page. */
		shmchan_claim_prepare(s->nid);
		ret = shmchan_claim(pfn, 1, s->nid, &folio);
	}
	if (!ret && folio)
		return hold(s, folio);
	if (fatal_signal_pending(current))
		return -EINTR;
	/* Nowhere to move things to is not this block's fault. */
	if (ret == -ENOMEM)
		return ret;
	s->cost[i] = SHMCHAN_BLOCK_BAD;
	return -EBUSY;
}

/* Claim blocks of one gap: all in one go, and what is missing then singly. */
static int claim_gap(struct shmchan_search *s, unsigned long i, unsigned int nr)
{
	struct folio *folios[SHMCHAN_CLAIM_MOST] = {};
	unsigned int k;
	int ret;

	ret = search_over(s);
	if (ret)
		return ret;
	if (nr > 1)
		shmchan_claim(block_pfn(s->first + i), nr, s->nid, folios);
	for (k = 0; k < nr; k++)
		if (folios[k] && hold(s, folios[k]))
			ret = -ENOMEM;
	for (k = 0; k < nr && !ret; k++)
		if (!folios[k])
			ret = claim_block(s, i + k);
	return ret;
}

/* How many blocks from @i on are missing in a row, up to @end. */
static unsigned int gap_length(struct shmchan_search *s, unsigned long i,
			       unsigned long end)
{
	unsigned int nr = 1;

	while (nr < SHMCHAN_CLAIM_MOST && i + nr < end &&
	       !xa_load(&s->held, s->first + i + nr))
		nr++;
	return nr;
}

/* Claim what is missing of a window.  -EBUSY: a block turned out to be bad. */
static int claim_window(struct shmchan_search *s, unsigned long window)
{
	unsigned long i, end = window + s->nr;
	unsigned int nr;
	int ret = 0;

	/* Things may have changed since; this costs little. */
	for (i = window; i < end; i++) {
		if (xa_load(&s->held, s->first + i))
			continue;
		s->cost[i] = look_at_block(s, s->first + i);
		if (s->cost[i] == SHMCHAN_BLOCK_BAD)
			return -EBUSY;
	}
	/* What is moved out of the window needs the room. */
	let_go(s, s->first + window, s->first + end - 1);
	for (i = window; i < end && !ret; i += nr) {
		nr = 1;
		if (xa_load(&s->held, s->first + i))
			continue;
		nr = gap_length(s, i, end);
		ret = claim_gap(s, i, nr);
		cond_resched();
	}
	return ret;
}

/*
 * Claim the best window, or else the next best one.  -ENOENT: there is none;
 * -EBUSY: all that there were turned out to be bad.
 */
static int try_windows(struct shmchan_search *s, unsigned long *window)
{
	int ret = -ENOENT;

	while ((*window = best_window(s)) != ULONG_MAX) {
		ret = claim_window(s, *window);
		if (ret != -EBUSY || search_over(s))
			break;
	}
	return ret;
}

/* Clear a window of the node: its first block, or ULONG_MAX. */
static unsigned long clear_window(struct shmchan_search *s)
{
	unsigned long window, end = node_end_pfn(s->nid);
	unsigned int passes = 0;
	int ret;

	s->first = NODE_DATA(s->nid)->node_start_pfn >> SHMCHAN_HUGE_ORDER;
	s->nr_blocks = (end >> SHMCHAN_HUGE_ORDER) - s->first;
	if (s->nr_blocks < s->nr)
		return ULONG_MAX;
	s->cost = kvmalloc_array(s->nr_blocks, sizeof(*s->cost),
				 GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (!s->cost)
		return ULONG_MAX;

	while (!search_over(s)) {
		look_at_blocks(s);
		ret = try_windows(s, &window);
		if (!ret) {
			window += s->first;
			goto out;
		}
		if (ret == -ENOENT)
			break;
		/* Short of memory: somebody is freeing some, for all we know. */
		if (ret != -ENOMEM && ++passes == SHMCHAN_CONTIG_PASSES)
			break;
		schedule_timeout_killable(SHMCHAN_CONTIG_PAUSE << passes);
	}
	window = ULONG_MAX;
out:
	kvfree(s->cost);
	s->cost = NULL;
	return window;
}

/* The run of a search that found one, in order; the rest goes back. */
static void take_run(struct shmchan_search *s, unsigned long run,
		     struct list_head *folios)
{
	struct folio *folio;
	unsigned long i;

	let_go(s, run, run + s->nr - 1);
	for (i = run; i < run + s->nr; i++) {
		folio = xa_erase(&s->held, i);
		list_add_tail(&folio->lru, folios);
	}
}

/* What is claimed has been zeroed; what was taken only if all memory is. */
static void zero_folios(struct list_head *folios)
{
	struct folio *folio;

	if (want_init_on_alloc(0))
		return;
	list_for_each_entry(folio, folios, lru) {
		folio_zero_range(folio, 0, folio_size(folio));
		cond_resched();
	}
}

/* Search one node, by clearing a window of it or among what it has free. */
static int search_node(struct shmchan_search *s, int nid, bool clear,
		       struct list_head *folios)
{
	unsigned long run;

	if (node_present_pages(nid) >> SHMCHAN_HUGE_ORDER < s->nr)
		return -ENOMEM;
	s->nid = nid;
	s->nr_held = 0;
	xa_init(&s->held);
	run = clear ? clear_window(s) : take_free(s);
	if (run == ULONG_MAX) {
		/* Outside of nothing: all. */
		let_go(s, 1, 0);
		return -ENOMEM;
	}
	take_run(s, run, folios);
	if (!clear)
		zero_folios(folios);
	return 0;
}

/* All nodes that are allowed, one after the other. */
static int search_nodes(struct shmchan_search *s,
			const struct shmchan_numa *numa, bool clear,
			struct list_head *folios)
{
	struct shmchan_nodes it;
	int nid, ret = -ENOMEM;

	shmchan_nodes_start(&it, numa);
	while (ret == -ENOMEM &&
	       (nid = shmchan_nodes_next(&it)) != NUMA_NO_NODE) {
		ret = search_node(s, nid, clear, folios);
		if (ret)
			ret = search_over(s) ?: ret;
	}
	return ret;
}

/* First without disturbing anybody; then with. */
static int search_by(struct shmchan_search *s, const struct shmchan_numa *numa,
		     bool migrate, struct list_head *folios)
{
	int ret = -ENOMEM;

	if (!take_nothing)
		ret = search_nodes(s, numa, false, folios);
	if (ret != -ENOMEM || !migrate)
		return ret;
	ret = shmchan_contig_lock(s->deadline);
	if (ret)
		return ret;
	ret = search_nodes(s, numa, true, folios);
	shmchan_contig_unlock();
	return ret;
}

/* The nodes that are preferred are worth some disturbance: half of the time. */
static int search_preferred(struct shmchan_search *s,
			    const struct shmchan_numa *numa, bool migrate,
			    struct list_head *folios)
{
	struct shmchan_numa bound = *numa;
	ktime_t now = ktime_get(), deadline = s->deadline;
	int ret;

	bound.policy = SHMCHAN_NUMA_BIND;
	s->deadline = now + (ktime_sub(deadline, now) >> 1);
	ret = search_by(s, &bound, migrate, folios);
	s->deadline = deadline;
	return ret;
}

static int search(struct shmchan_search *s, const struct shmchan_numa *numa,
		  bool migrate, struct list_head *folios)
{
	int ret = -ENOMEM;

	if (numa->policy == SHMCHAN_NUMA_PREFER)
		ret = search_preferred(s, numa, migrate, folios);
	return ret == -ENOMEM ? search_by(s, numa, migrate, folios) : ret;
}

static bool in_contig_group(void)
{
	int gid = READ_ONCE(contig_gid);

	return gid >= 0 && in_egroup_p(KGIDT_INIT(gid));
}

/* In the first namespace: the memory that is moved is everybody's. */
static bool may_clear(bool audit)
{
	return in_contig_group() ||
	       (audit ? capable(CAP_SYS_RESOURCE) :
		has_capability_noaudit(current, CAP_SYS_RESOURCE));
}

/**
 * shmchan_contig_limit - how much may the caller ask for?
 *
 * Return: in bytes; U64_MAX where only memory is the limit.
 */
u64 shmchan_contig_limit(void)
{
	return may_clear(false) ? U64_MAX : SHMCHAN_CONTIG_FREE * SHMCHAN_HUGE;
}

/**
 * shmchan_contig_lock - wait for a turn to claim memory
 * @deadline: until when
 *
 * Return: 0, to be undone by shmchan_contig_unlock(); -ENOMEM if it never came;
 * -EINTR after a fatal signal.
 */
int shmchan_contig_lock(ktime_t deadline)
{
	long left = max_t(s64, 1, ktime_ms_delta(deadline, ktime_get()));
	long ret;

	ret = wait_event_killable_timeout(contig_turn,
					  !test_and_set_bit_lock(0, &contig_busy),
					  msecs_to_jiffies(left));
	if (ret < 0)
		return -EINTR;
	return ret ? 0 : -ENOMEM;
}

/**
 * shmchan_contig_unlock - undo shmchan_contig_lock()
 */
void shmchan_contig_unlock(void)
{
	clear_bit_unlock(0, &contig_busy);
	/* The waiters' test is ordered after their being queued. */
	smp_mb__after_atomic();
	wake_up(&contig_turn);
}

static int find(struct list_head *folios, u32 nr,
		const struct shmchan_numa *numa, bool clear, ktime_t deadline)
{
	struct shmchan_search s = { .nr = nr, .deadline = deadline };

	/* What is moved away needs room, and there is none to be made. */
	if (si_mem_available() >> SHMCHAN_HUGE_ORDER < (long)nr)
		return -ENOMEM;
	return search(&s, numa, clear, folios);
}

/**
 * shmchan_contig_deadline - when a request that begins now has to give up
 *
 * Return: the time.
 */
ktime_t shmchan_contig_deadline(void)
{
	return ktime_add_ms(ktime_get(), READ_ONCE(contig_ms));
}

/**
 * shmchan_contig_find - find one contiguous run, whoever asks
 * @folios: out: the folios, zeroed, in order, chained by their lru
 * @nr: how many; not 0
 * @numa: on which nodes
 * @deadline: when to give up
 *
 * Moves others' memory, unless the administrator forbids that.
 *
 * Return: 0, -ENOMEM, -EINTR.
 */
int shmchan_contig_find(struct list_head *folios, u32 nr,
			const struct shmchan_numa *numa, ktime_t deadline)
{
	return find(folios, nr, numa, READ_ONCE(contig_migrate), deadline);
}

/**
 * shmchan_contig_alloc - make one contiguous run of 2 MiB folios
 * @folios: out: the folios, zeroed, in order, chained by their lru
 * @nr: how many; not 0
 * @numa: on which nodes
 *
 * Return: 0; -EPERM (more than the caller may ask for), -ENOMEM, -EINTR.
 */
int shmchan_contig_alloc(struct list_head *folios, u32 nr,
			 const struct shmchan_numa *numa)
{
	bool large = nr > SHMCHAN_CONTIG_FREE;
	bool clear = may_clear(large);

	if (large && !clear)
		return -EPERM;
	/* Small ones would leave no long runs in the pool. */
	if (large && !shmchan_pool_take(folios, nr, numa))
		return 0;
	return find(folios, nr, numa, clear && READ_ONCE(contig_migrate),
		    shmchan_contig_deadline());
}
