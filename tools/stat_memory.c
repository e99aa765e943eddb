// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan stat: where a region's memory lies and who pays for it. */

#include <inttypes.h>

#include "nodes.h"
#include "stat.h"
#include "tool.h"

/* As many runs as a screen has room for. */
#define MOST_RUNS	16

static void add_up(const struct shmchan_region_info *info,
		   struct node_shares *shares)
{
	uint32_t i;

	shares->nr = 0;
	for (i = 0; info->extents && i < info->query.nr_extents; i++)
		nodes_add(shares, &info->extents[i]);
}

static void show_nodes(const struct shmchan_region_info *info)
{
	static struct node_shares shares;
	char bytes[SIZE_WORD];
	uint32_t i;

	add_up(info, &shares);
	if (!shares.nr)
		return;
	printf("nodes      ");
	for (i = 0; i < shares.nr; i++)
		printf("%s%" PRIu32 ": %s", i ? ", " : "",
		       shares.share[i].node,
		       size_word(bytes, shares.share[i].bytes));
	printf("; policy %s\n", numa_word(info->query.numa_policy));
}

static void show_extents(const struct shmchan_region_info *info)
{
	uint32_t i, nr = info->query.nr_extents;
	char length[SIZE_WORD];

	if (!info->extents || !nr)
		return;
	printf("runs       %" PRIu32 "\n", nr);
	for (i = 0; i < nr && i < MOST_RUNS; i++) {
		const struct shmchan_extent *e = &info->extents[i];

		printf("  %#-10" PRIx64 " %-8s node %" PRIu32,
		       (uint64_t)e->offset, size_word(length, e->length),
		       e->node);
		if (info->extents_phys)
			printf(", at %#" PRIx64, (uint64_t)e->phys);
		putchar('\n');
	}
	if (nr > MOST_RUNS)
		printf("  and %" PRIu32 " more, which --json lists\n",
		       nr - MOST_RUNS);
}

static void show_charge(const struct shmchan_region_info *info)
{
	const struct shmchan_query *q = &info->query;
	char user[USER_WORD], bytes[SIZE_WORD];

	if (!q->charged_bytes)
		return;
	printf("charged    to user %s: %s\n", user_word(user, q->charged_uid),
	       size_word(bytes, q->charged_bytes));
	if (info->cgroup)
		printf("cgroup     %s\n", info->cgroup);
	else if (q->cgroup)
		printf("cgroup     one that cannot be seen from here, inode %" PRIu64 "\n",
		       (uint64_t)q->cgroup);
	else
		puts("cgroup     none: the kernel charges memory to no cgroup");
}

void stat_show_memory(const struct shmchan_region_info *info)
{
	const struct shmchan_query *q = &info->query;
	char size[SIZE_WORD], folio[SIZE_WORD], control[SIZE_WORD];

	printf("data       %s in pages of %s", size_word(size, q->data_size),
	       size_word(folio, q->data_folio_size));
	if (info->backend == SHMCHAN_BACKEND_KMOD)
		printf(", %" PRIu32 " physically contiguous run%s%s",
		       q->nr_extents, q->nr_extents == 1 ? "" : "s",
		       q->create_flags & SHMCHAN_CREATE_CONTIG ?
		       " as was asked for" : "");
	printf("\ncontrol    %s\n", size_word(control, q->control_size));
	show_nodes(info);
	show_extents(info);
	show_charge(info);
}

static void json_nodes(const struct shmchan_region_info *info)
{
	static struct node_shares shares;
	uint32_t i;

	if (!info->extents) {
		fputs(",\"nodes\":null", stdout);
		return;
	}
	add_up(info, &shares);
	fputs(",\"nodes\":[", stdout);
	for (i = 0; i < shares.nr; i++)
		printf("%s{\"node\":%" PRIu32 ",\"bytes\":%" PRIu64 "}",
		       i ? "," : "", shares.share[i].node,
		       shares.share[i].bytes);
	putchar(']');
}

static void json_extents(const struct shmchan_region_info *info)
{
	uint32_t i;

	if (!info->extents) {
		fputs(",\"extent_list\":null", stdout);
		return;
	}
	fputs(",\"extent_list\":[", stdout);
	for (i = 0; i < info->query.nr_extents; i++) {
		const struct shmchan_extent *e = &info->extents[i];

		printf("%s{\"offset\":%" PRIu64 ",\"length\":%" PRIu64 ",\"node\":%" PRIu32 ",\"phys\":",
		       i ? "," : "", (uint64_t)e->offset, (uint64_t)e->length,
		       e->node);
		if (info->extents_phys)
			printf("%" PRIu64 "}", (uint64_t)e->phys);
		else
			fputs("null}", stdout);
	}
	putchar(']');
}

static void json_charge(const struct shmchan_region_info *info)
{
	const struct shmchan_query *q = &info->query;
	char user[USER_WORD];

	printf(",\"charged_uid\":%" PRIu32 ",\"charged_user\":", q->charged_uid);
	json_string(stdout, user_word(user, q->charged_uid));
	printf(",\"charged_bytes\":%" PRIu64 ",\"cgroup\":",
	       (uint64_t)q->charged_bytes);
	if (info->cgroup)
		json_string(stdout, info->cgroup);
	else
		fputs("null", stdout);
	if (q->cgroup)
		printf(",\"cgroup_inode\":%" PRIu64, (uint64_t)q->cgroup);
	else
		fputs(",\"cgroup_inode\":null", stdout);
}

void stat_json_memory(const struct shmchan_region_info *info)
{
	const struct shmchan_query *q = &info->query;

	printf(",\"data_size\":%" PRIu64 ",\"control_size\":%" PRIu64 ",\"page_size\":%" PRIu32 ",\"extents\":",
	       (uint64_t)q->data_size, (uint64_t)q->control_size,
	       q->data_folio_size);
	if (info->backend == SHMCHAN_BACKEND_KMOD)
		printf("%" PRIu32, q->nr_extents);
	else
		fputs("null", stdout);
	printf(",\"contiguous\":%s,\"numa_policy\":\"%s\"",
	       q->create_flags & SHMCHAN_CREATE_CONTIG ? "true" : "false",
	       numa_word(q->numa_policy));
	json_nodes(info);
	json_extents(info);
	json_charge(info);
}
