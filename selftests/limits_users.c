// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who holds memory: LIST_USERS, and what QUERY says about whom a region counts
 * for.  The administrator sees all of it, others themselves.
 */

#include "../kselftest_harness.h"

#include "test_memory.h"
#include "test_peer.h"

#define NR_USERS	40
#define FIRST_UID	2000

static struct layout layout;

FIXTURE(users) {
	struct peer alice;	/* 1000 */
	struct shmchan_user_entry entries[1024];
};

FIXTURE_SETUP(users)
{
	if (geteuid())
		SKIP(return, "only root can become others");
	layout = layout_default(SHMCHAN_CREATE_SMALL, true);
	ASSERT_EQ(0, peer_start(&self->alice));
	ASSERT_EQ(0, peer_call(&self->alice, peer_become, 1000, 1000));
}

FIXTURE_TEARDOWN(users)
{
	if (self->alice.pid)
		peer_kill(&self->alice);
}

/* One page; returns how many it had, or -errno. */
static int users_page(uint64_t *cursor, struct shmchan_user_entry *e,
		      unsigned int room)
{
	struct shmchan_list_users l = {
		.size = sizeof(l),
		.cursor = *cursor,
		.entries = ptr(e),
		.nr_entries = room,
		.entry_size = sizeof(*e),
	};
	int dev = open_device();
	int ret = call(dev, SHMCHAN_IOC_LIST_USERS, &l);

	close(dev);
	*cursor = l.cursor;
	return ret ? ret : (int)l.nr_entries;
}

static const struct shmchan_user_entry *
entry_of(const struct shmchan_user_entry *e, int nr, unsigned int uid)
{
	for (; nr-- > 0; e++)
		if (e->uid == uid)
			return e;
	return NULL;
}

/* In a peer. */
static long create_here(long a, long b)
{
	(void)a;
	(void)b;
	return create_region(&layout);
}

static long held(long a, long b)
{
	(void)a;
	(void)b;
	return user_bytes();
}

/* In a peer: all that it sees must be @uid with @nr regions. */
static long sees_itself(long uid, long nr)
{
	struct shmchan_user_entry e[4];
	uint64_t cursor = 0;
	int got = users_page(&cursor, e, COUNT(e));

	if (got < 0)
		return got;
	if (!nr)
		return got;
	if (got != 1 || e[0].uid != uid || e[0].nr_regions != nr ||
	    (int64_t)e[0].bytes != user_bytes())
		return -EPROTO;
	return users_page(&cursor, e, COUNT(e));
}

TEST_F(users, all_of_them)
{
	const struct shmchan_user_entry *e;
	uint64_t cursor = 0, sum = 0;
	int nr, i;

	ASSERT_LE(0, create_region(&layout));
	ASSERT_LE(0, create_region(&layout));
	for (i = 0; i < 3; i++)
		ASSERT_LE(0, peer_call(&self->alice, create_here, 0, 0));
	nr = users_page(&cursor, self->entries, 1024);
	ASSERT_LE(2, nr);
	for (i = 0; i < nr; i++)
		sum += self->entries[i].bytes;
	EXPECT_EQ(total_bytes(), sum);
	e = entry_of(self->entries, nr, 0);
	ASSERT_NE(NULL, e);
	EXPECT_LE(2, e->nr_regions);
	EXPECT_EQ(user_bytes(), e->bytes);
	e = entry_of(self->entries, nr, 1000);
	ASSERT_NE(NULL, e);
	EXPECT_EQ(3, e->nr_regions);
	EXPECT_EQ(peer_call(&self->alice, held, 0, 0), e->bytes);
	EXPECT_EQ(0, users_page(&cursor, self->entries, 1024));
}

TEST_F(users, oneself)
{
	long fd;

	ASSERT_LE(0, create_region(&layout));
	/* Who holds nothing is not there. */
	EXPECT_EQ(0, peer_call(&self->alice, sees_itself, 1000, 0));
	fd = peer_call(&self->alice, create_here, 0, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, peer_call(&self->alice, sees_itself, 1000, 1));
	ASSERT_LE(0, peer_call(&self->alice, create_here, 0, 0));
	EXPECT_EQ(0, peer_call(&self->alice, sees_itself, 1000, 2));
	ASSERT_EQ(0, peer_call(&self->alice, peer_close, fd, 0));
	EXPECT_EQ(0, peer_call(&self->alice, sees_itself, 1000, 1));
}

/* Root of a namespace is nobody's administrator. */
TEST_F(users, in_a_user_namespace)
{
	ASSERT_LE(0, create_region(&layout));
	ASSERT_LE(0, peer_call(&self->alice, create_here, 0, 0));
	if (peer_call(&self->alice, peer_unshare, CLONE_NEWUSER, 0))
		SKIP(return, "cannot make a user namespace");
	/* It has no name there. */
	EXPECT_EQ(0, peer_call(&self->alice, sees_itself, 65534, 1));
}

/* Other users that hold something each, until they are killed. */
static bool start_users(struct peer *peers)
{
	int i;

	for (i = 0; i < NR_USERS; i++)
		if (peer_start(&peers[i]) ||
		    peer_call(&peers[i], peer_become, FIRST_UID + i,
			      FIRST_UID + i) ||
		    peer_call(&peers[i], create_here, 0, 0) < 0)
			return false;
	return true;
}

TEST_F(users, pages)
{
	static const unsigned int rooms[] = { 1, 7, NR_USERS, 1024 };
	struct peer peers[NR_USERS] = {};
	int told[NR_USERS];
	unsigned int i, uid;
	uint64_t cursor;
	int got, k;

	ASSERT_TRUE(start_users(peers));
	for (i = 0; i < COUNT(rooms); i++) {
		memset(told, 0, sizeof(told));
		cursor = 0;
		while ((got = users_page(&cursor, self->entries,
					 rooms[i])) > 0) {
			ASSERT_GE(rooms[i], got);
			for (k = 0; k < got; k++) {
				uid = self->entries[k].uid - FIRST_UID;
				if (uid >= NR_USERS)
					continue;
				told[uid]++;
				EXPECT_EQ(1, self->entries[k].nr_regions);
			}
		}
		EXPECT_EQ(0, got);
		for (k = 0; k < NR_USERS; k++)
			EXPECT_EQ(1, told[k])
				TH_LOG("uid %d, room %u", FIRST_UID + k,
				       rooms[i]);
	}
	/* Who goes between two pages harms nobody else. */
	memset(told, 0, sizeof(told));
	cursor = 0;
	for (i = 0; (got = users_page(&cursor, self->entries, 3)) > 0; i++) {
		for (k = 0; k < got; k++) {
			uid = self->entries[k].uid - FIRST_UID;
			if (uid < NR_USERS)
				told[uid]++;
		}
		if (i < NR_USERS / 4) {
			peer_kill(&peers[i]);
			peer_kill(&peers[NR_USERS - 1 - i]);
		}
	}
	EXPECT_EQ(0, got);
	for (k = NR_USERS / 4; k < NR_USERS - NR_USERS / 4; k++)
		EXPECT_EQ(1, told[k])
			TH_LOG("uid %d", FIRST_UID + k);
	for (k = 0; k < NR_USERS; k++)
		EXPECT_GE(1, told[k]);
}

/* A cursor that nobody was given is some place, or the end. */
TEST_F(users, any_cursor)
{
	static const uint64_t cursors[] = {
		1, 255, 256, UINT32_MAX, 1ULL << 32, 1ULL << 63, ~0ULL,
	};
	uint64_t cursor;
	unsigned int i;

	ASSERT_LE(0, create_region(&layout));
	for (i = 0; i < COUNT(cursors); i++) {
		cursor = cursors[i];
		EXPECT_LE(0, users_page(&cursor, self->entries, 1024));
	}
}

/* What the regions say they count for is what their user holds. */
TEST_F(users, query_adds_up)
{
	static const unsigned int flags[] = {
		0, SHMCHAN_CREATE_SMALL, SHMCHAN_CREATE_CONTIG,
	};
	int64_t before = user_bytes(), sum = 0;
	struct shmchan_query q;
	unsigned int i;
	int fd;

	for (i = 0; i < COUNT(flags); i++) {
		fd = create_shared(2 * MB, flags[i]);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, query(fd, &q));
		EXPECT_EQ(0, q.charged_uid);
		EXPECT_LE(q.data_size + q.control_size + q.status_size,
			  q.charged_bytes);
		EXPECT_GT(q.data_size + q.control_size + q.status_size + MB / 4,
			  q.charged_bytes);
		EXPECT_EQ(flags[i], q.create_flags);
		EXPECT_EQ(SHMCHAN_NUMA_DEFAULT, q.numa_policy);
		sum += q.charged_bytes;
	}
	EXPECT_EQ(before + sum, user_bytes());
}

/* Whoever asks is told the creator. */
TEST_F(users, query_names_the_creator)
{
	struct shmchan_query q;
	int pidfd, copy;
	long fd;

	fd = peer_call(&self->alice, create_here, 0, 0);
	ASSERT_LE(0, fd);
	pidfd = syscall(SYS_pidfd_open, self->alice.pid, 0);
	copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	ASSERT_LE(0, copy);
	ASSERT_EQ(0, query(copy, &q));
	EXPECT_EQ(1000, q.charged_uid);
	EXPECT_EQ(peer_call(&self->alice, held, 0, 0), q.charged_bytes);
}

/* In a peer: the cgroup that a new region is charged to. */
static long charged_cgroup(long size, long flags)
{
	struct shmchan_query q;
	int fd = create_shared(size, flags);
	int ret = fd < 0 ? fd : query(fd, &q);

	close(fd);
	return ret ? ret : (long)q.cgroup;
}

/* Of a region that is another's: what was there before is no answer. */
static long cgroup_of(long fd, long before)
{
	struct shmchan_query q = { .size = sizeof(q), .cgroup = before };
	int ret = call(fd, SHMCHAN_IOC_QUERY, &q);

	return ret ? ret : (long)q.cgroup;
}

static long pool_of(long before, long b)
{
	struct shmchan_query_device q = {
		.size = sizeof(q), .pool_free = before,
	};
	int ret = call(open_device(), SHMCHAN_IOC_QUERY_DEVICE, &q);

	(void)b;
	return ret ? ret : (long)q.pool_free;
}

TEST_F(users, what_is_not_told_is_0)
{
	int fd = create_shared(PAGE, SHMCHAN_CREATE_SMALL);
	long theirs;

	ASSERT_LE(0, fd);
	theirs = peer_give(&self->alice, fd);
	ASSERT_LE(0, theirs);
	EXPECT_EQ(0, peer_call(&self->alice, cgroup_of, theirs, 4711));
	EXPECT_EQ(0, peer_call(&self->alice, pool_of, 4711, 0));
}

TEST_F(users, query_names_the_cgroup)
{
	static char path[64];
	struct stat st;
	struct peer guest = {};

	if (make_cgroup(path, sizeof(path)) || stat(path, &st))
		SKIP(return, "cannot make a cgroup: %s", strerror(errno));
	ASSERT_EQ(0, peer_start(&guest));
	ASSERT_EQ(0, peer_call(&guest, enter_cgroup, (long)path, 0));
	EXPECT_EQ(st.st_ino, peer_call(&guest, charged_cgroup, 2 * MB, 0));
	EXPECT_EQ(st.st_ino, peer_call(&guest, charged_cgroup, PAGE,
				       SHMCHAN_CREATE_SMALL));
	EXPECT_EQ(st.st_ino, peer_call(&guest, charged_cgroup, 4 * MB,
				       SHMCHAN_CREATE_CONTIG));
	/* Without data there is still memory. */
	EXPECT_EQ(st.st_ino, peer_call(&guest, charged_cgroup, 0, 0));
	EXPECT_EQ(0, peer_stop(&guest));
	EXPECT_TRUE(eventually(!rmdir(path)));
}

/* The region lives on when its creator and the cgroup are gone. */
TEST_F(users, query_after_the_cgroup)
{
	static char path[64];
	struct shmchan_query before, after;
	struct peer guest = {};
	int pidfd, copy;
	long fd;

	if (make_cgroup(path, sizeof(path)))
		SKIP(return, "cannot make a cgroup: %s", strerror(errno));
	ASSERT_EQ(0, peer_start(&guest));
	ASSERT_EQ(0, peer_call(&guest, enter_cgroup, (long)path, 0));
	fd = peer_call(&guest, create_here, 0, 0);
	ASSERT_LE(0, fd);
	pidfd = syscall(SYS_pidfd_open, guest.pid, 0);
	copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	ASSERT_LE(0, copy);
	ASSERT_EQ(0, query(copy, &before));
	EXPECT_NE(0, before.cgroup);
	EXPECT_EQ(0, peer_stop(&guest));
	ASSERT_TRUE(eventually(!rmdir(path)));
	/* It is gone from the file system; its charge is not. */
	ASSERT_EQ(0, query(copy, &after));
	EXPECT_EQ(before.charged_bytes, after.charged_bytes);
}

TEST_HARNESS_MAIN
