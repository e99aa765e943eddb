// SPDX-License-Identifier: GPL-2.0-only
/*
 * Region memory stays on its node, whoever wants to move it; and automatic
 * NUMA balancing does not even unmap it to see who uses it, as it does with
 * other shared memory.
 */

#include "../kselftest_harness.h"

#include "test_numa.h"
#include "test_peer.h"

#define RW		(PROT_READ | PROT_WRITE)
#define BALANCING	"/proc/sys/kernel/numa_balancing"
#define KNOBS		"/sys/kernel/debug/sched/numa_balancing/"
#define SIZE		(32 * MB)
#define TOUCH_MS	3000
#define HINTS		"numa_hint_faults "
#define UPDATES		"numa_pte_updates "

static const char *const knobs[] = {
	"scan_delay_ms", "scan_period_min_ms", "scan_period_max_ms",
	"scan_size_mb",
};

static const int fast[COUNT(knobs)] = { 10, 10, 50, 512 };

FIXTURE(stay) {
	char balancing[16];
	char knobs[COUNT(knobs)][16];
	int nodes[2];
	int fd;
	char *p;
	uint64_t size;
};

FIXTURE_VARIANT(stay) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(stay, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(stay, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_VARIANT_ADD(stay, contig) {
	.flags = SHMCHAN_CREATE_CONTIG,
};

FIXTURE_SETUP(stay)
{
	struct layout l;

	if (!two_nodes(self->nodes))
		SKIP(return, "this machine has one memory node");
	if (geteuid())
		SKIP(return, "only root may ask for much");
	self->size = SIZE;
	l = layout_shared(self->size, variant->flags);
	l.numa_policy = SHMCHAN_NUMA_BIND;
	l.nr_nodes = 1;
	l.nodes[0] = self->nodes[0];
	self->fd = create_joined(&l, 0);
	ASSERT_LE(0, self->fd);
	self->p = map(self->fd, 0, self->size, RW);
	ASSERT_NE(MAP_FAILED, self->p);
	memset(self->p, 0x2a, self->size);
}

static void knob_path(char *path, size_t size, unsigned int i)
{
	snprintf(path, size, KNOBS "%s", knobs[i]);
}

FIXTURE_TEARDOWN(stay)
{
	char path[96];
	unsigned int i;

	for (i = 0; i < COUNT(knobs); i++) {
		knob_path(path, sizeof(path), i);
		if (self->knobs[i][0])
			write_text(path, self->knobs[i]);
	}
	if (self->balancing[0])
		write_text(BALANCING, self->balancing);
}

/* Is all of it on the node, and as it was? */
static bool stayed(char *p, uint64_t size, int node)
{
	uint64_t at;

	for (at = 0; at < size; at += PAGE)
		if (node_of(p + at) != node)
			return false;
	return all_bytes(p, size, 0x2a);
}

TEST_F(stay, mbind)
{
	unsigned long other = 1UL << self->nodes[1];
	unsigned int flags;

	for (flags = MPOL_MF_MOVE; flags <= MPOL_MF_MOVE_ALL; flags <<= 1) {
		/* It may say yes, no or EIO: the pages stay. */
		syscall(SYS_mbind, self->p, self->size, MPOL_BIND, &other,
			8 * sizeof(other), flags);
		EXPECT_TRUE(stayed(self->p, self->size, self->nodes[0]));
		EXPECT_NE(0, syscall(SYS_mbind, self->p, self->size, MPOL_BIND,
				     &other, 8 * sizeof(other),
				     flags | MPOL_MF_STRICT));
		EXPECT_TRUE(stayed(self->p, self->size, self->nodes[0]));
	}
}

TEST_F(stay, move_pages)
{
	enum { NR = 64 };
	void *pages[NR];
	int nodes[NR], status[NR], i;

	for (i = 0; i < NR; i++) {
		pages[i] = self->p + i * (self->size / NR);
		nodes[i] = self->nodes[1];
	}
	syscall(SYS_move_pages, 0, (unsigned long)NR, pages, nodes, status,
		MPOL_MF_MOVE_ALL);
	EXPECT_TRUE(stayed(self->p, self->size, self->nodes[0]));
}

TEST_F(stay, migrate_pages)
{
	unsigned long from = 1UL << self->nodes[0], to = 1UL << self->nodes[1];

	syscall(SYS_migrate_pages, 0, 8 * sizeof(from), &from, &to);
	EXPECT_TRUE(stayed(self->p, self->size, self->nodes[0]));
}

TEST_F(stay, compaction_and_reclaim)
{
	ASSERT_EQ(0, write_text("/proc/sys/vm/compact_memory", "1"));
	ASSERT_EQ(0, write_text("/proc/sys/vm/drop_caches", "3"));
	madvise(self->p, self->size, 21 /* MADV_PAGEOUT */);
	EXPECT_EQ(0, probe_read(self->p));
	EXPECT_TRUE(all_bytes(self->p, self->size, 0x2a));
	EXPECT_TRUE(stayed(self->p, self->size, self->nodes[0]));
}

static char *touched;
static uint64_t touched_size;

/* In a peer, which is on the other node: for so long touches every page. */
static long touch_for(long ms, long b)
{
	uint64_t start = now_ns(), at;

	(void)b;
	while (ms_since(start) < (unsigned int)ms)
		for (at = 0; at < touched_size; at += PAGE)
			(*(volatile char *)(touched + at))++;
	return 0;
}

/* What balancing has done, to all of the machine's memory. */
struct balanced {
	long updates;	/* pages unmapped, to see who faults */
	long hints;	/* such faults */
};

static struct balanced balanced(void)
{
	return (struct balanced) {
		.updates = text_number("/proc/vmstat", UPDATES),
		.hints = text_number("/proc/vmstat", HINTS),
	};
}

static struct balanced since(struct balanced before)
{
	struct balanced now = balanced();

	return (struct balanced) {
		.updates = now.updates - before.updates,
		.hints = now.hints - before.hints,
	};
}

/* In a peer. */
static long go_to_node(long node, long b)
{
	(void)b;
	return run_on_node(node);
}

/* In a peer: a shared mapping of @fd, or of memory that is no region's. */
static long map_there(long fd, long node)
{
	long ret;

	if (fd < 0) {
		ret = set_policy(MPOL_BIND, 1UL << node);
		if (ret)
			return ret;
		fd = memfd_create("plain", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, touched_size))
			return -errno;
	}
	touched = map(fd, 0, touched_size, RW);
	if (touched == MAP_FAILED)
		return -errno;
	memset(touched, 0x2a, touched_size);
	/* Balancing leaves memory alone that has a policy. */
	return set_policy(MPOL_DEFAULT, 0);
}

/* In a peer: joins the region and maps it. */
static long join_there(long name, long b)
{
	long fd = open_joined((const char *)name, 1);

	return fd < 0 ? fd : map_there(fd, b);
}

TEST_F_TIMEOUT(stay, balancing, 120)
{
	struct peer plain = {}, member = {};
	static char name[32];
	struct balanced theirs, ours;
	struct layout l;
	char path[96];
	unsigned int i;

	if (read_text(BALANCING, self->balancing, sizeof(self->balancing)) <= 0)
		SKIP(return, "this kernel does no NUMA balancing");
	for (i = 0; i < COUNT(knobs); i++) {
		knob_path(path, sizeof(path), i);
		if (read_text(path, self->knobs[i],
			      sizeof(self->knobs[i])) <= 0)
			SKIP(return, "no %s", path);
		ASSERT_EQ(0, set_number(path, fast[i]));
	}
	ASSERT_EQ(0, set_number(BALANCING, 1));

	snprintf(name, sizeof(name), "%s", own_name());
	l = layout_shared(self->size, variant->flags);
	l.name = name;
	l.numa_policy = SHMCHAN_NUMA_BIND;
	l.nr_nodes = 1;
	l.nodes[0] = self->nodes[0];
	self->fd = create_joined(&l, 0);
	ASSERT_LE(0, self->fd);
	touched_size = self->size;
	ASSERT_EQ(0, peer_start(&member));
	ASSERT_EQ(0, peer_start(&plain));

	ASSERT_EQ(0, peer_call(&plain, map_there, -1, self->nodes[0]));
	ASSERT_EQ(0, peer_call(&plain, go_to_node, self->nodes[1], 0));
	theirs = balanced();
	ASSERT_EQ(0, peer_call(&plain, touch_for, TOUCH_MS, 0));
	theirs = since(theirs);
	peer_kill(&plain);
	/* Once for all its pages at least. */
	if (theirs.updates < (long)(self->size / PAGE) || theirs.hints < 100)
		SKIP(return, "%ld updates, %ld hinting faults: too few",
		     theirs.updates, theirs.hints);

	ASSERT_EQ(0, peer_call(&member, join_there, (long)name,
			       self->nodes[0]));
	ASSERT_EQ(0, peer_call(&member, go_to_node, self->nodes[1], 0));
	ours = balanced();
	ASSERT_EQ(0, peer_call(&member, touch_for, TOUCH_MS, 0));
	ours = since(ours);
	TH_LOG("plain: %ld updates, %ld hinting faults; region: %ld and %ld",
	       theirs.updates, theirs.hints, ours.updates, ours.hints);
	/* Its stack and the like have some, whatever it maps. */
	EXPECT_GT(theirs.updates / 4, ours.updates);
	EXPECT_GT(theirs.hints / 4, ours.hints);
	peer_kill(&member);
	self->p = map(self->fd, 0, self->size, PROT_READ);
	ASSERT_NE(MAP_FAILED, self->p);
	for (i = 0; i < self->size; i += PAGE) {
		ASSERT_EQ(0, probe_read(self->p + i));
		ASSERT_EQ(self->nodes[0], node_of(self->p + i));
	}
}

TEST_HARNESS_MAIN
