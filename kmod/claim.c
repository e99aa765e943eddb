// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claiming the folios at a given place, whatever is there now.
 *
 * alloc_contig_range() moves away what can be moved, and gives single pages; no
 * exported function makes compound pages of these.  But 256 pages of which 255
 * have no reference are what an allocation of order 8 looks like that is not
 * compound, and splitting one makes single pages.  So each half of a folio is
 * freed as that; the buddy allocator joins them to a block of order 9, and gives
 * out first what was freed last: the block comes back as a folio.  Somebody may
 * come between: then it is lost, and has to be claimed again.
 *
 * There are lists for each type of block (movable, ...), so what asks for it has to
 * be of its type: what claiming has made it, or since 6.17 what it was before.
 *
 * Halves, since blocks of order 9 would go to a list of this CPU, where the
 * allocator does not look when the zone has no other free block of that order.
 * Two blocks at a time, since it moves two to that list when it takes one: a
 * second one that is not ours would come first the next time.  And not two that
 * are neighbours, since these would join to a block of order 10: of these none is
 * given out while there is a smaller one anywhere.  A free neighbour outside of
 * what is claimed would join as well, so it is held meanwhile.
 *
 * (Since 6.12 alloc_contig_range() can make a compound page itself, one at a
 * time.  It warns and leaks if somebody else isolates the neighbouring block
 * meanwhile, and a GiB takes 512 calls, each of which disturbs all CPUs.)
 */

#include <linux/error-injection.h>
#include <linux/gfp.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/page_ref.h>
#include <linux/preempt.h>

#include "compat.h"
#include "shmchan.h"

#define SHMCHAN_HALF_ORDER	(SHMCHAN_HUGE_ORDER - 1)
#define SHMCHAN_HALF_PAGES	BIT(SHMCHAN_HALF_ORDER)
#define SHMCHAN_PAIR_ORDER	(SHMCHAN_HUGE_ORDER + 1)

/* How many blocks the allocator may give out before those that are wanted. */
#define SHMCHAN_TAKE_BACK	16

/* How often to try to drain the batches. */
#define SHMCHAN_PREPARE		4

static void free_pages_singly(struct page *page, unsigned int nr)
{
	/* free_contig_range() would warn of a reference that is passing by. */
	while (nr--)
		__free_page(page++);
}

/* Free single pages as one block, so that it can be joined with another. */
static bool free_half(struct page *page)
{
	unsigned int i;

	for (i = 1; i < SHMCHAN_HALF_PAGES; i++)
		if (!page_ref_freeze(page + i, 1))
			break;
	if (i == SHMCHAN_HALF_PAGES) {
		__free_pages(page, SHMCHAN_HALF_ORDER);
		return true;
	}
	/* Somebody looks at one just now. */
	while (--i)
		page_ref_unfreeze(page + i, 1);
	free_pages_singly(page, SHMCHAN_HALF_PAGES);
	return false;
}

/* Free 512 single pages as one block; false: it is lost. */
static bool free_block(unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	bool whole = free_half(page);

	return free_half(page + SHMCHAN_HALF_PAGES) && whole;
}

/**
 * struct shmchan_joining - single pages that are to become folios
 * @pfn: of the first page
 * @nr: how many folios
 * @nid: their node
 * @gfp: what asks for blocks like theirs, where claiming sets their type
 * @gone: bit by bit, those whose pages are not ours any more
 * @folios: out
 * @others: what was given out in place of them
 */
struct shmchan_joining {
	unsigned long pfn;
	unsigned int nr;
	int nid;
	gfp_t gfp;
	u64 gone;
	struct folio **folios;
	struct list_head others;
};

/* Take @nr blocks back that have just been freed on this CPU; @gfp asks for them. */
static void take_back(struct shmchan_joining *join, unsigned int nr, gfp_t gfp)
{
	unsigned int tries = SHMCHAN_TAKE_BACK;
	struct folio *folio;
	unsigned long i;

	while (nr && tries--) {
		folio = __folio_alloc_node(gfp, SHMCHAN_HUGE_ORDER, join->nid);
		if (!folio)
			break;
		i = (folio_pfn(folio) - join->pfn) >> SHMCHAN_HUGE_ORDER;
		if (folio_pfn(folio) >= join->pfn && i < join->nr) {
			join->folios[i] = folio;
			nr--;
		} else {
			list_add(&folio->lru, &join->others);
		}
	}
}

/* Every second block is no other's neighbour; those of one type share a list. */
static void join_alternate(struct shmchan_joining *join, unsigned int i)
{
	unsigned int k, freed;
	gfp_t gfp = 0, next;
	unsigned long pfn;

	while (i < join->nr) {
		freed = 0;
		/* What this CPU freed last is what it is given first. */
		migrate_disable();
		for (k = 0; k < 2 && i < join->nr; i += 2) {
			if (join->gone & BIT_ULL(i))
				continue;
			pfn = join->pfn + i * SHMCHAN_HUGE_PAGES;
			next = shmchan_block_gfp(pfn, join->gfp);
			if (k && next != gfp)
				break;
			gfp = next;
			freed += free_block(pfn);
			k++;
		}
		take_back(join, freed, gfp);
		migrate_enable();
		cond_resched();
	}
}

/* Is the block at @pfn free, as far as can be told, and of the zone of @page? */
static bool is_free_block(unsigned long pfn, const struct page *page)
{
	struct page *at = pfn_to_online_page(pfn);

	return at && PageBuddy(at) && page_zone(at) == page_zone(page) &&
	       READ_ONCE(at->private) == SHMCHAN_HUGE_ORDER;
}

/*
 * If block @i has a free neighbour that is none of ours, have that, too: they
 * join when ours is freed, and what was freed last is given out first.  Returns
 * the neighbour's place, to be given back later, or 0.
 */
static unsigned long hold_neighbour(struct shmchan_joining *join,
				    unsigned int i)
{
	unsigned long pfn = join->pfn + i * SHMCHAN_HUGE_PAGES;
	unsigned long other = pfn ^ SHMCHAN_HUGE_PAGES;
	gfp_t gfp = shmchan_block_gfp(pfn, join->gfp);
	struct page *pair;

	if (SHMCHAN_PAIR_ORDER > SHMCHAN_MAX_ORDER ||
	    (other >= join->pfn &&
	     other < join->pfn + join->nr * SHMCHAN_HUGE_PAGES) ||
	    !is_free_block(other, pfn_to_page(pfn)))
		return 0;
	migrate_disable();
	free_block(pfn);
	pair = alloc_pages_node(join->nid, gfp & ~__GFP_ZERO,
				SHMCHAN_PAIR_ORDER);
	if (pair && page_to_pfn(pair) == min(pfn, other)) {
		split_page(pair, SHMCHAN_PAIR_ORDER);
	} else {
		/* Somebody came between. */
		if (pair)
			__free_pages(pair, SHMCHAN_PAIR_ORDER);
		join->gone |= BIT_ULL(i);
		take_back(join, 1, gfp);
		other = 0;
	}
	migrate_enable();
	return other;
}

static void join_pages(struct shmchan_joining *join)
{
	unsigned long before, after = 0;

	INIT_LIST_HEAD(&join->others);
	before = hold_neighbour(join, 0);
	if (join->nr > 1)
		after = hold_neighbour(join, join->nr - 1);
	join_alternate(join, 0);
	join_alternate(join, 1);
	if (before)
		free_block(before);
	if (after)
		free_block(after);
	shmchan_put_folios(&join->others);
}

/**
 * shmchan_claimable - may memory be claimed here at all?
 * @pfn: of the first page of a folio; aligned
 * @nid: the node that it should be on
 *
 * The caller keeps memory from being taken offline.
 *
 * Return: whether all of it is online, on that node, in a zone whose memory may be
 * kept (others need DMA, and what is in MOVABLE must not be pinned), and no reserve.
 */
bool shmchan_claimable(unsigned long pfn, int nid)
{
	struct page *page = pfn_to_online_page(pfn);
	struct page *last = pfn_to_online_page(pfn + SHMCHAN_HUGE_PAGES - 1);

	return page && last && page_zone(page) == page_zone(last) &&
	       page_to_nid(page) == nid && shmchan_zone_fits(page) &&
	       shmchan_block_usual(pfn);
}

/*
 * Does the allocator give out memory of CMA where it is asked for what is movable?
 * Then nothing would come back that is freed here, and all moving would be in vain.
 */
static bool cma_comes_first(struct zone *zone)
{
	return zone_page_state(zone, NR_FREE_CMA_PAGES) >
	       zone_page_state(zone, NR_FREE_PAGES) / 2;
}

/**
 * shmchan_claim - get the folios at a given place
 * @pfn: of the first page; aligned
 * @nr: how many folios; all of one zone are claimed at one disturbance
 * @nid: the node that they should be on
 * @folios: out: the folios, zeroed; NULL: this one was lost on the way
 *
 * Moves away whatever can be moved.  Disturbs all CPUs, and may take long.
 *
 * Return: 0; -EBUSY (something there cannot be moved now, or is not to be
 * claimed), -ENOMEM (nowhere to move it to, or CMA comes first), -EINTR.  After an
 * error there are none.
 */
int shmchan_claim(unsigned long pfn, unsigned int nr, int nid,
		  struct folio **folios)
{
	unsigned long end = pfn + nr * SHMCHAN_HUGE_PAGES, at;
	struct page *page = pfn_to_page(pfn);
	struct shmchan_joining join = {
		.pfn = pfn, .nr = nr, .nid = nid, .folios = folios,
		/* MOVABLE is what alloc_contig_range() makes of blocks. */
		.gfp = SHMCHAN_GFP_LIGHT | __GFP_MOVABLE | __GFP_THISNODE |
		       __GFP_ZERO,
	};
	int ret = 0;

	memset(folios, 0, nr * sizeof(*folios));
	shmchan_offline_hold();
	for (at = pfn; at < end && !ret; at += SHMCHAN_HUGE_PAGES)
		if (!shmchan_claimable(at, nid) ||
		    page_zone(pfn_to_page(at)) != page_zone(page))
			ret = -EBUSY;
	if (!ret && cma_comes_first(page_zone(page)))
		ret = -ENOMEM;
	if (!ret)
		ret = shmchan_alloc_contig(pfn, end);
	if (!ret) {
		join.gfp |= shmchan_zone_gfp(page);
		join_pages(&join);
	}
	shmchan_offline_release();
	return ret;
}
ALLOW_ERROR_INJECTION(shmchan_claim, ERRNO);

/**
 * shmchan_claim_pair - get two folios side by side from what is free
 * @nid: the node
 * @folios: out: the two, zeroed
 *
 * From one block of the allocator, which gives out single folios of those that
 * have no neighbour as long as there are any.
 *
 * Return: 0, or -ENOMEM.
 */
int shmchan_claim_pair(int nid, struct folio *folios[2])
{
	struct shmchan_joining join = {
		.nr = 2, .nid = nid, .folios = folios,
		.gfp = SHMCHAN_GFP_LIGHT | shmchan_gfp_block | __GFP_THISNODE,
	};
	struct page *page = NULL;
	unsigned int i;

	if (SHMCHAN_PAIR_ORDER <= SHMCHAN_MAX_ORDER)
		page = alloc_pages_node(nid, join.gfp, SHMCHAN_PAIR_ORDER);
	if (!page)
		return -ENOMEM;
	split_page(page, SHMCHAN_PAIR_ORDER);
	memset(folios, 0, 2 * sizeof(*folios));
	join.pfn = page_to_pfn(page);
	join.gfp |= shmchan_zone_gfp(page) | __GFP_ZERO;
	join_pages(&join);
	if (folios[0] && folios[1])
		return 0;
	for (i = 0; i < 2; i++)
		if (folios[i])
			folio_put(folios[i]);
	return -ENOMEM;
}

/**
 * shmchan_claim_prepare - get waiting pages onto their LRU lists
 * @nid: the node where something is to be claimed
 *
 * A new page waits in a batch of its CPU before it gets on a list, for ever if
 * that CPU is idle.  Until then it does not look movable, and claims of its
 * block are refused, before they come to drain the batches.  Claiming a page
 * that is free gets as far as that, and drains those of all CPUs.
 */
void shmchan_claim_prepare(int nid)
{
	gfp_t gfp = SHMCHAN_GFP | __GFP_MOVABLE | __GFP_THISNODE;
	struct page *page, *pages[SHMCHAN_PREPARE];
	unsigned int tries, nr = 0;
	unsigned long pfn;

	shmchan_offline_hold();
	for (tries = 0; tries < SHMCHAN_PREPARE; tries++) {
		page = alloc_pages_node(nid, gfp, 0);
		if (!page)
			break;
		pfn = page_to_pfn(page);
		__free_page(page);
		if (!shmchan_alloc_contig(pfn, pfn + 1)) {
			__free_page(page);
			break;
		}
		/* Somebody else has it, or it cannot be had: another one. */
		page = alloc_pages_node(nid, gfp, 0);
		if (!page)
			break;
		pages[nr++] = page;
	}
	shmchan_offline_release();
	while (nr)
		__free_page(pages[--nr]);
}
