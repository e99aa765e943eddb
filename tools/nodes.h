/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_NODES_H
#define SHMCHAN_TOOL_NODES_H

/* Memory nodes, as options name them and as a region's extents tell them. */

#include <shmchan/region.h>

/* How much of a region lies on which nodes, by their numbers. */
struct node_shares {
	uint32_t nr;
	struct {
		uint32_t node;
		uint64_t bytes;
	} share[1024];		/* the most that Linux can be built for */
};

void nodes_add(struct node_shares *shares, const struct shmchan_extent *extent);

/* "node 0" or "nodes 0, 2 and 3"; cut short if there is no room for more. */
#define NODES_WORD	128
const char *nodes_word(char *buffer, const struct node_shares *shares);

/* "0,2,2" to numbers, in that order, as it counts. 0, or -1 if it is none. */
int parse_nodes(const char *word, uint32_t nodes[SHMCHAN_MAX_NODES],
		uint32_t *nr);

/* default, bind, prefer, interleave. */
int parse_numa(const char *word, uint32_t *policy);
const char *numa_word(uint32_t policy);

#endif /* SHMCHAN_TOOL_NODES_H */
