// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Memory nodes: words to numbers, and extents to words. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes.h"

static const char *const policies[] = {
	[SHMCHAN_NUMA_DEFAULT] = "default", [SHMCHAN_NUMA_BIND] = "bind",
	[SHMCHAN_NUMA_PREFER] = "prefer",
	[SHMCHAN_NUMA_INTERLEAVE] = "interleave",
};
#define NR_POLICIES	(sizeof(policies) / sizeof(policies[0]))
#define NR_SHARES \
	(sizeof(((struct node_shares *)0)->share) / \
	 sizeof(((struct node_shares *)0)->share[0]))

void nodes_add(struct node_shares *shares, const struct shmchan_extent *extent)
{
	uint32_t i = 0;

	while (i < shares->nr && shares->share[i].node < extent->node)
		i++;
	if (i == shares->nr || shares->share[i].node != extent->node) {
		if (shares->nr == NR_SHARES)
			return;
		memmove(&shares->share[i + 1], &shares->share[i],
			(shares->nr - i) * sizeof(shares->share[0]));
		shares->nr++;
		shares->share[i].node = extent->node;
		shares->share[i].bytes = 0;
	}
	shares->share[i].bytes += extent->length;
}

const char *nodes_word(char *buffer, const struct node_shares *shares)
{
	size_t used = 0;
	uint32_t i;

	used += (size_t)snprintf(buffer, NODES_WORD, "node%s",
				 shares->nr == 1 ? "" : "s");
	for (i = 0; i < shares->nr && used < NODES_WORD; i++)
		used += (size_t)snprintf(buffer + used, NODES_WORD - used,
			"%s%" PRIu32, !i ? " " :
			i + 1 == shares->nr ? " and " : ", ",
			shares->share[i].node);
	return buffer;
}

int parse_nodes(const char *word, uint32_t nodes[SHMCHAN_MAX_NODES],
		uint32_t *nr)
{
	unsigned long n;
	char *end;

	*nr = 0;
	do {
		if (!isdigit((unsigned char)word[0]) ||
		    *nr == SHMCHAN_MAX_NODES)
			return -1;
		errno = 0;
		n = strtoul(word, &end, 10);
		if (errno || n > UINT32_MAX || (*end && *end != ','))
			return -1;
		nodes[(*nr)++] = (uint32_t)n;
		word = end + 1;
	} while (*end);
	return 0;
}

int parse_numa(const char *word, uint32_t *policy)
{
	uint32_t i;

	for (i = 0; i < NR_POLICIES; i++) {
		if (!strcmp(word, policies[i])) {
			*policy = i;
			return 0;
		}
	}
	return -1;
}

const char *numa_word(uint32_t policy)
{
	return policy < NR_POLICIES ? policies[policy] : "of a later version";
}
