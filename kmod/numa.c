// SPDX-License-Identifier: GPL-2.0-only
/*
 * On which nodes a region's memory may lie, and folios from there.
 */

#include <linux/cache.h>
#include <linux/cpuset.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/nospec.h>
#include <linux/topology.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "shmchan.h"

/*
 * Blocks of 2 MiB that are taken whole and given back whole need not turn their
 * page block into one for kernel memory.  But where there is memory of CMA, what is
 * movable may come from there, and nothing may stay there.
 */
gfp_t shmchan_gfp_block __ro_after_init = __GFP_MOVABLE;

/**
 * shmchan_zones_init - look what the machine's memory is for
 *
 * CMA has its areas since boot, or never.
 */
void __init shmchan_zones_init(void)
{
	int nid, i;

	for_each_online_node(nid)
		for (i = 0; i < MAX_NR_ZONES; i++)
			if (zone_cma_pages(&NODE_DATA(nid)->node_zones[i]))
				shmchan_gfp_block = 0;
}

/**
 * shmchan_numa_init - read and check what CREATE was given
 * @numa: to be filled in
 * @c: the call's arguments
 *
 * Return: 0, -EINVAL, -E2BIG, -EFAULT, or -ENXIO: a node that is not there, has
 * no memory, or is not the caller's to use.
 */
int shmchan_numa_init(struct shmchan_numa *numa, const struct shmchan_create *c)
{
	const u32 __user *unodes = u64_to_user_ptr(c->numa_nodes);
	u32 i, node;

	numa->policy = c->numa_policy;
	numa->nr = c->nr_nodes;
	if (numa->policy > SHMCHAN_NUMA_INTERLEAVE)
		return -EINVAL;
	if (numa->nr > SHMCHAN_MAX_NODES)
		return -E2BIG;
	if ((numa->policy == SHMCHAN_NUMA_DEFAULT) != !numa->nr ||
	    (!numa->nr && c->numa_nodes))
		return -EINVAL;
	for (i = 0; i < numa->nr; i++) {
		if (get_user(node, &unodes[i]))
			return -EFAULT;
		if (node >= MAX_NUMNODES)
			return -ENXIO;
		node = array_index_nospec(node, MAX_NUMNODES);
		if (!node_state(node, N_MEMORY) ||
		    !node_isset(node, cpuset_current_mems_allowed))
			return -ENXIO;
		numa->nodes[i] = node;
	}
	return 0;
}

/**
 * shmchan_nodes_start - begin to go through the nodes that are allowed
 * @it: the iterator
 * @numa: what was asked for
 *
 * The given ones first, in their order; then, if others will do, the local one
 * and the rest.
 */
void shmchan_nodes_start(struct shmchan_nodes *it,
			 const struct shmchan_numa *numa)
{
	it->numa = numa;
	it->next = 0;
	nodes_and(it->left, node_states[N_MEMORY], cpuset_current_mems_allowed);
#ifdef CONFIG_NUMA
	/* Nobody but the task itself, which we are, replaces its policy. */
	if (numa->policy == SHMCHAN_NUMA_DEFAULT && current->mempolicy &&
	    current->mempolicy->mode == MPOL_BIND)
		nodes_and(it->left, it->left, current->mempolicy->nodes);
#endif
}

static bool take_node(struct shmchan_nodes *it, int nid)
{
	if (!node_isset(nid, it->left))
		return false;
	node_clear(nid, it->left);
	return true;
}

/**
 * shmchan_nodes_next - the next node
 * @it: the iterator
 *
 * Return: a node number, each only once; NUMA_NO_NODE at the end.
 */
int shmchan_nodes_next(struct shmchan_nodes *it)
{
	const struct shmchan_numa *numa = it->numa;
	int nid;

	while (it->next < numa->nr) {
		nid = numa->nodes[it->next++];
		if (take_node(it, nid))
			return nid;
	}
	if (numa->policy == SHMCHAN_NUMA_BIND ||
	    numa->policy == SHMCHAN_NUMA_INTERLEAVE)
		return NUMA_NO_NODE;
	nid = numa_mem_id();
	if (take_node(it, nid))
		return nid;
	nid = first_node(it->left);
	return nid < MAX_NUMNODES && take_node(it, nid) ? nid : NUMA_NO_NODE;
}

/* Try the given nodes in turn, beginning with one of them. */
static struct folio *alloc_from(const struct shmchan_numa *numa, u32 first,
				gfp_t gfp, unsigned int order)
{
	struct folio *folio = NULL;
	u32 i;

	for (i = 0; i < numa->nr && !folio; i++)
		folio = __folio_alloc_node(gfp | __GFP_THISNODE, order,
					   numa->nodes[(first + i) % numa->nr]);
	return folio;
}

/**
 * shmchan_numa_alloc - get a folio
 * @numa: from where
 * @index: which folio it will be, counted from where interleaving begins
 * @order: of it
 *
 * Return: the folio, zeroed; NULL without memory.
 */
struct folio *shmchan_numa_alloc(const struct shmchan_numa *numa, u64 index,
				 unsigned int order)
{
	gfp_t gfp = SHMCHAN_GFP | __GFP_ZERO;
	gfp_t light = SHMCHAN_GFP_LIGHT | __GFP_ZERO;
	struct folio *folio;
	u32 first = 0;

	if (order == SHMCHAN_HUGE_ORDER) {
		gfp |= shmchan_gfp_block;
		light |= shmchan_gfp_block;
	}
	switch (numa->policy) {
	case SHMCHAN_NUMA_INTERLEAVE:
		first = index % numa->nr;
		fallthrough;
	case SHMCHAN_NUMA_BIND:
	case SHMCHAN_NUMA_PREFER:
		/* A full node is not worth reclaim while the next has room. */
		folio = alloc_from(numa, first, light, order);
		if (folio)
			return folio;
		if (numa->policy == SHMCHAN_NUMA_PREFER)
			return __folio_alloc_node(gfp, order, numa->nodes[0]);
		return alloc_from(numa, first, gfp, order);
	default:
		return folio_alloc(gfp, order);
	}
}
