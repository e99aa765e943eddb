// SPDX-License-Identifier: GPL-2.0-only
/*
 * On a machine with several memory nodes: a region's data lies where CREATE
 * was told to put it.
 */

#include "../kselftest_harness.h"

#include "test_numa.h"
#include "test_peer.h"

#define TOTAL_MB	PARAMETERS "total_mb"
#define SIZE		(16 * MB)
#define MOST		4096

FIXTURE(place) {
	char total_mb[32];
	char cgroup[64];
	int nodes[2];		/* two that have memory */
	uint64_t size;
	struct shmchan_extent extents[MOST];
};

FIXTURE_VARIANT(place) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(place, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(place, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_VARIANT_ADD(place, contig) {
	.flags = SHMCHAN_CREATE_CONTIG,
};

FIXTURE_SETUP(place)
{
	if (!two_nodes(self->nodes))
		SKIP(return, "this machine has one memory node");
	if (geteuid())
		SKIP(return, "only root may ask for much");
	ASSERT_LT(0, read_text(TOTAL_MB, self->total_mb,
			       sizeof(self->total_mb)));
	self->size = variant->flags & SHMCHAN_CREATE_SMALL ? SIZE / 4 : SIZE;
}

FIXTURE_TEARDOWN(place)
{
	if (self->total_mb[0])
		write_text(TOTAL_MB, self->total_mb);
	if (self->cgroup[0])
		rmdir(self->cgroup);
}

/* Returns a member, or -errno. */
static int create_on(uint64_t size, unsigned int flags, unsigned int policy,
		     const int *nodes, unsigned int nr)
{
	struct layout l = layout_shared(size, flags);
	unsigned int i;

	l.numa_policy = policy;
	l.nr_nodes = nr;
	for (i = 0; i < nr; i++)
		l.nodes[i] = nodes[i];
	return create_joined(&l, 0);
}

/*
 * How many bytes of it lie on a node: as EXTENTS says, which has to be what
 * move_pages(2) says of a mapping of it; or -1.
 */
static int64_t bytes_on(struct shmchan_extent *e, int fd, int node)
{
	int nr = extents(fd, e, MOST, 0), i;
	int64_t bytes = 0;
	struct shmchan_query q;
	uint64_t at;
	char *p;

	if (nr < 0 || query(fd, &q) || q.nr_extents != (unsigned int)nr)
		return -1;
	p = map(fd, 0, q.data_size, PROT_READ);
	if (p == MAP_FAILED)
		return -1;
	for (i = 0; i < nr; i++) {
		if ((int)e[i].node == node)
			bytes += e[i].length;
		for (at = 0; at < e[i].length; at += q.data_folio_size)
			if (probe_read(p + e[i].offset + at) ||
			    node_of(p + e[i].offset + at) != (int)e[i].node)
				bytes = -1;
		if (bytes < 0)
			break;
	}
	munmap(p, q.data_size);
	return bytes;
}

TEST_F(place, bind)
{
	struct shmchan_query q;
	int i, fd;

	for (i = 0; i < 2; i++) {
		fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_BIND,
			       &self->nodes[i], 1);
		ASSERT_LE(0, fd);
		EXPECT_EQ(self->size, bytes_on(self->extents, fd,
					       self->nodes[i]));
		ASSERT_EQ(0, query(fd, &q));
		EXPECT_EQ(SHMCHAN_NUMA_BIND, q.numa_policy);
		if (variant->flags & SHMCHAN_CREATE_CONTIG)
			EXPECT_EQ(1, q.nr_extents);
		close(fd);
	}
}

/* The first that has room, whatever their numbers. */
TEST_F(place, first_of_several)
{
	int back[2] = { self->nodes[1], self->nodes[0] };
	int fd;

	fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_BIND,
		       self->nodes, 2);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->size, bytes_on(self->extents, fd, self->nodes[0]));
	close(fd);
	fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_BIND, back, 2);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->size, bytes_on(self->extents, fd, self->nodes[1]));
	close(fd);
	fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_PREFER, back,
		       2);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->size, bytes_on(self->extents, fd, self->nodes[1]));
}

TEST_F(place, prefer)
{
	int i, fd;

	for (i = 0; i < 2; i++) {
		fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_PREFER,
			       &self->nodes[i], 1);
		ASSERT_LE(0, fd);
		EXPECT_EQ(self->size, bytes_on(self->extents, fd,
					       self->nodes[i]));
		close(fd);
	}
}

/* Folio after folio. */
TEST_F(place, interleave)
{
	struct layout l = layout_shared(self->size, variant->flags);
	size_t folio = folio_size(&l);
	struct shmchan_extent e;
	uint64_t at, start;
	int fd;

	fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_INTERLEAVE,
		       self->nodes, 2);
	if (variant->flags & SHMCHAN_CREATE_CONTIG) {
		EXPECT_EQ(-EINVAL, fd);
		return;
	}
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->size / 2, bytes_on(self->extents, fd, self->nodes[0]));
	EXPECT_EQ(self->size / 2, bytes_on(self->extents, fd, self->nodes[1]));
	for (at = 0; at < self->size; at += folio) {
		start = at;
		ASSERT_EQ(1, extents_page(fd, &start, &e, 1, 0));
		EXPECT_EQ(self->nodes[at / folio % 2], e.node);
	}
}

/* A node that is given twice gets twice as much. */
TEST_F(place, interleave_with_weights)
{
	int given[3] = { self->nodes[0], self->nodes[0], self->nodes[1] };
	uint64_t size = self->size / 8 * 6;
	int fd;

	if (variant->flags & SHMCHAN_CREATE_CONTIG)
		SKIP(return, "no interleaving of one run");
	fd = create_on(size, variant->flags, SHMCHAN_NUMA_INTERLEAVE, given, 3);
	ASSERT_LE(0, fd);
	EXPECT_EQ(size / 3 * 2, bytes_on(self->extents, fd, self->nodes[0]));
	EXPECT_EQ(size / 3, bytes_on(self->extents, fd, self->nodes[1]));
}

/* Without a policy, that of the thread. */
TEST_F(place, default_follows_the_thread)
{
	int i, fd;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << self->nodes[i]));
		fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_DEFAULT,
			       NULL, 0);
		ASSERT_EQ(0, set_policy(MPOL_DEFAULT, 0));
		ASSERT_LE(0, fd);
		EXPECT_EQ(self->size, bytes_on(self->extents, fd,
					       self->nodes[i]));
		close(fd);
	}
	if (variant->flags & SHMCHAN_CREATE_CONTIG)
		return;
	ASSERT_EQ(0, set_policy(MPOL_INTERLEAVE, 1UL << self->nodes[0] |
						 1UL << self->nodes[1]));
	fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_DEFAULT, NULL,
		       0);
	ASSERT_EQ(0, set_policy(MPOL_DEFAULT, 0));
	ASSERT_LE(0, fd);
	EXPECT_LE(self->size / 4, bytes_on(self->extents, fd, self->nodes[0]));
	EXPECT_LE(self->size / 4, bytes_on(self->extents, fd, self->nodes[1]));
}

/* And what CREATE is told is stronger than that. */
TEST_F(place, stronger_than_the_thread)
{
	int fd;

	ASSERT_EQ(0, set_policy(MPOL_BIND, 1UL << self->nodes[0]));
	fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_BIND,
		       &self->nodes[1], 1);
	ASSERT_EQ(0, set_policy(MPOL_DEFAULT, 0));
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->size, bytes_on(self->extents, fd, self->nodes[1]));
}

TEST_F(place, no_such_node)
{
	static const int none[] = { 63, 64, 1023, 1024, INT32_MAX, -1 };
	unsigned int i, policy;
	int given[2] = { self->nodes[0] };

	for (i = 0; i < COUNT(none); i++) {
		for (policy = SHMCHAN_NUMA_BIND;
		     policy <= SHMCHAN_NUMA_INTERLEAVE; policy++) {
			given[1] = none[i];
			if (policy == SHMCHAN_NUMA_INTERLEAVE &&
			    variant->flags & SHMCHAN_CREATE_CONTIG)
				continue;
			EXPECT_EQ(-ENXIO, create_on(self->size, variant->flags,
						    policy, given, 2));
			EXPECT_EQ(-ENXIO, create_on(self->size, variant->flags,
						    policy, given + 1, 1));
		}
	}
}

/* Takes what 2 MiB folios a node has left. */
static bool fill_node(int node, unsigned int flags)
{
	uint64_t size = 256 * MB;
	int fd;

	while (size >= HUGE) {
		fd = create_on(size, flags, SHMCHAN_NUMA_BIND, &node, 1);
		if (fd == -ENOMEM)
			size /= 2;
		else if (fd < 0)
			return false;
	}
	return true;
}

TEST_F_TIMEOUT(place, full_node, 180)
{
	int full = self->nodes[1], other = self->nodes[0];
	int both[2] = { full, other };
	int fd;

	if (variant->flags & SHMCHAN_CREATE_SMALL)
		SKIP(return, "filling it with small folios takes too long");
	ASSERT_EQ(0, set_number(TOTAL_MB, 1 << 20));
	ASSERT_TRUE(fill_node(full, 0));
	/* And what it can be made to have, by moving others. */
	if (variant->flags)
		ASSERT_TRUE(fill_node(full, variant->flags));
	/* The kernel may find some of its own that it can do without; once. */
	EXPECT_TRUE(eventually(create_on(self->size, variant->flags,
					 SHMCHAN_NUMA_BIND, &full, 1) ==
			       -ENOMEM));
	fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_PREFER, &full,
		       1);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->size, bytes_on(self->extents, fd, other));
	close(fd);
	fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_BIND, both, 2);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->size, bytes_on(self->extents, fd, other));
	close(fd);
	if (variant->flags & SHMCHAN_CREATE_CONTIG)
		return;
	fd = create_on(self->size, variant->flags, SHMCHAN_NUMA_INTERLEAVE,
		       both, 2);
	ASSERT_LE(0, fd);
	EXPECT_EQ(self->size, bytes_on(self->extents, fd, other));
	EXPECT_EQ(-ENOMEM, create_on(self->size, variant->flags,
				     SHMCHAN_NUMA_INTERLEAVE, &full, 1));
}

static int peer_nodes[2];

/* In a peer. */
static long create_there(long policy, long flags)
{
	struct shmchan_extent e[64];
	int fd, ret;

	if (policy == SHMCHAN_NUMA_DEFAULT)
		fd = create_on(4 * MB, flags, policy, NULL, 0);
	else
		fd = create_on(4 * MB, flags, policy & 0xff,
			       peer_nodes + (policy >> 8), 2 - (policy >> 8));
	if (fd < 0)
		return fd;
	ret = extents(fd, e, COUNT(e), 0);
	close(fd);
	return ret < 0 ? ret : (long)e[0].node;
}

#define SECOND_ONLY	(1 << 8)	/* of peer_nodes; else both */

/* The cpuset forbids a node. */
TEST_F(place, cpuset)
{
	const long flags = variant->flags & ~SHMCHAN_CREATE_SMALL;
	static char path[sizeof(self->cgroup)];
	struct peer guest = {};
	char file[96];

	memcpy(peer_nodes, self->nodes, sizeof(peer_nodes));
	if (make_cgroup(path, sizeof(path)))
		SKIP(return, "cannot make a cgroup: %s", strerror(errno));
	memcpy(self->cgroup, path, sizeof(path));
	snprintf(file, sizeof(file), "%s/cpuset.mems", path);
	if (set_number(file, self->nodes[0]))
		SKIP(return, "no cpuset controller");
	ASSERT_EQ(0, peer_start(&guest));
	ASSERT_EQ(0, peer_call(&guest, enter_cgroup, (long)path, 0));
	EXPECT_EQ(self->nodes[0], peer_call(&guest, create_there,
					    SHMCHAN_NUMA_DEFAULT, flags));
	EXPECT_EQ(-ENXIO, peer_call(&guest, create_there,
				    SECOND_ONLY | SHMCHAN_NUMA_BIND, flags));
	EXPECT_EQ(-ENXIO, peer_call(&guest, create_there,
				    SECOND_ONLY | SHMCHAN_NUMA_PREFER, flags));
	EXPECT_EQ(-ENXIO, peer_call(&guest, create_there, SHMCHAN_NUMA_BIND,
				    flags));
	if (!flags)
		EXPECT_EQ(-ENXIO, peer_call(&guest, create_there,
					    SHMCHAN_NUMA_INTERLEAVE, flags));
	/* It may be changed, and then counts as it is. */
	ASSERT_EQ(0, set_number(file, self->nodes[1]));
	EXPECT_EQ(self->nodes[1], peer_call(&guest, create_there,
					    SECOND_ONLY | SHMCHAN_NUMA_BIND,
					    flags));
	EXPECT_EQ(-ENXIO, peer_call(&guest, create_there, SHMCHAN_NUMA_PREFER,
				    flags));
	EXPECT_EQ(0, peer_stop(&guest));
}

TEST_HARNESS_MAIN
