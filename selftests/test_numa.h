/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_NUMA_H
#define SHMCHAN_TEST_NUMA_H

/* Memory nodes, by system calls: libnuma is not everywhere. */

#include <sched.h>

#include <linux/mempolicy.h>

#include "test_memory.h"

#define NODES		"/sys/devices/system/node/"

/* Two nodes that have memory; false if there are not as many. */
static inline bool two_nodes(int *nodes)
{
	char path[64];
	int node, nr = 0;

	for (node = 0; node < 64 && nr < 2; node++) {
		snprintf(path, sizeof(path), NODES "node%d/meminfo", node);
		if (text_number(path, "MemTotal:") > 0)
			nodes[nr++] = node;
	}
	return nr == 2;
}

static inline int set_policy(int mode, unsigned long nodes)
{
	return syscall(SYS_set_mempolicy, mode, nodes ? &nodes : NULL,
		       nodes ? 8 * sizeof(nodes) : 0) ? -errno : 0;
}

/* On which node a byte that is mapped lies, or -errno. */
static inline int node_of(void *p)
{
	int status = -ENOENT;
	void *page = (void *)(ptr(p) & ~(PAGE - 1));

	if (syscall(SYS_move_pages, 0, 1UL, &page, NULL, &status, 0))
		return -errno;
	return status;
}

/* Goes to a processor of a node.  Returns 0 or -errno. */
static inline int run_on_node(int node)
{
	char path[64], text[64];
	cpu_set_t set;

	snprintf(path, sizeof(path), NODES "node%d/cpulist", node);
	if (read_text(path, text, sizeof(text)) <= 0 || text[0] == '\n')
		return -ENODEV;
	CPU_ZERO(&set);
	CPU_SET(atoi(text), &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

#endif /* SHMCHAN_TEST_NUMA_H */
