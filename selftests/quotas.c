// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits on memory: of a user, of all users, of a memory cgroup.  Reaching one
 * is an error of CREATE and of nothing else, and leaves nothing behind.
 */

#include "../kselftest_harness.h"

#include "test_cgroup.h"
#include "test_peer.h"

#define USER_MB		PARAMETERS "user_mb"
#define TOTAL_MB	PARAMETERS "total_mb"

static struct layout layout;

FIXTURE(quotas) {
	struct peer alice;	/* 1000 */
	struct peer bob;	/* 1001 */
	struct peer root;
	char user_mb[32];
	char total_mb[32];
	char cgroup[CGROUP_PATH];
};

FIXTURE_SETUP(quotas)
{
	if (geteuid() || access(USER_MB, W_OK))
		SKIP(return, "only root can set limits");
	ASSERT_LT(0, read_text(USER_MB, self->user_mb, sizeof(self->user_mb)));
	ASSERT_LT(0, read_text(TOTAL_MB, self->total_mb,
			       sizeof(self->total_mb)));
	layout = layout_default(0, false);
	ASSERT_EQ(0, peer_start(&self->alice));
	ASSERT_EQ(0, peer_start(&self->bob));
	ASSERT_EQ(0, peer_start(&self->root));
	ASSERT_EQ(0, peer_call(&self->alice, peer_become, 1000, 1000));
	ASSERT_EQ(0, peer_call(&self->bob, peer_become, 1001, 1001));
}

FIXTURE_TEARDOWN(quotas)
{
	struct peer *peers[] = { &self->alice, &self->bob, &self->root };
	unsigned int i;

	for (i = 0; i < COUNT(peers); i++)
		if (peers[i]->pid)
			peer_kill(peers[i]);
	if (self->user_mb[0])
		write_text(USER_MB, self->user_mb);
	if (self->total_mb[0])
		write_text(TOTAL_MB, self->total_mb);
	if (self->cgroup[0])
		rmdir(self->cgroup);
}

static int set_mb(const char *path, unsigned int mb)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", mb);
	return write_text(path, text);
}

/* In a peer: a region of so many MiB of data; by 2 MiB or by 4 KiB. */
static long create_mb(long mb, long flags)
{
	struct layout l = layout;

	l.data_size = mb * MB;
	l.nr_windows = 0;
	l.flags |= flags;
	return create_region(&l);
}

static long held(long a, long b)
{
	(void)a;
	(void)b;
	return user_bytes();
}

static long user_limit(long a, long b)
{
	struct shmchan_query_device q;

	(void)a;
	(void)b;
	if (query_device(&q))
		return -1;
	return q.user_limit == ~0ULL ? -2 : (long)q.user_limit;
}

static long seen_total(long a, long b)
{
	(void)a;
	(void)b;
	return total_bytes();
}

TEST_F(quotas, of_a_user)
{
	long fds[4], i;

	ASSERT_EQ(0, set_mb(USER_MB, 8));
	EXPECT_EQ(8 * MB, peer_call(&self->alice, user_limit, 0, 0));
	EXPECT_EQ(0, peer_call(&self->alice, held, 0, 0));
	EXPECT_EQ(-EDQUOT, peer_call(&self->alice, create_mb, 8, 0));
	EXPECT_EQ(-EDQUOT, peer_call(&self->alice, create_mb, 1024, 0));
	EXPECT_EQ(0, peer_call(&self->alice, held, 0, 0));

	/* What is about the data counts as well: three of 2 MiB fit, not four. */
	for (i = 0; i < 3; i++) {
		fds[i] = peer_call(&self->alice, create_mb, 2, 0);
		ASSERT_LE(0, fds[i]);
		EXPECT_LT((i + 1) * 2 * MB, peer_call(&self->alice, held, 0, 0));
		EXPECT_GT((i + 2) * 2 * MB, peer_call(&self->alice, held, 0, 0));
	}
	EXPECT_EQ(-EDQUOT, peer_call(&self->alice, create_mb, 2, 0));
	EXPECT_EQ(-EDQUOT, peer_call(&self->alice, create_mb, 2,
				     SHMCHAN_CREATE_SMALL));
	/* Other users have their own. */
	EXPECT_EQ(0, peer_call(&self->bob, held, 0, 0));
	EXPECT_LE(0, peer_call(&self->bob, create_mb, 2, 0));
	/* It is given back. */
	EXPECT_EQ(0, peer_call(&self->alice, peer_close, fds[0], 0));
	fds[0] = peer_call(&self->alice, create_mb, 2, 0);
	EXPECT_LE(0, fds[0]);
	peer_kill(&self->bob);
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, peer_call(&self->alice, peer_close, fds[i], 0));
	EXPECT_EQ(0, peer_call(&self->alice, held, 0, 0));
}

/* The charge is the creator's, whoever keeps the region. */
TEST_F(quotas, of_the_creator)
{
	struct shmchan_query_device q;
	int64_t before;
	long theirs;
	int pidfd;

	ASSERT_EQ(0, set_mb(USER_MB, 8));
	before = user_bytes();
	theirs = peer_call(&self->alice, create_mb, 4, 0);
	ASSERT_LE(0, theirs);
	EXPECT_EQ(before, user_bytes());
	/* Root keeps a copy of the capability, alice does not. */
	pidfd = syscall(SYS_pidfd_open, self->alice.pid, 0);
	ASSERT_LE(0, syscall(SYS_pidfd_getfd, pidfd, theirs, 0));
	EXPECT_EQ(0, peer_call(&self->alice, peer_close, theirs, 0));
	EXPECT_LT(4 * MB, peer_call(&self->alice, held, 0, 0));
	EXPECT_EQ(-EDQUOT, peer_call(&self->alice, create_mb, 4, 0));
	ASSERT_EQ(0, query_device(&q));
	EXPECT_EQ(before, q.user_bytes);
}

TEST_F(quotas, of_nothing)
{
	ASSERT_EQ(0, set_mb(USER_MB, 0));
	EXPECT_EQ(-EDQUOT, peer_call(&self->alice, create_mb, 0, 0));
	EXPECT_EQ(-EDQUOT, peer_call(&self->alice, create_mb, 2, 0));
	/* CAP_IPC_LOCK overrides. */
	EXPECT_EQ(-2, peer_call(&self->root, user_limit, 0, 0));
	EXPECT_LE(0, peer_call(&self->root, create_mb, 2, 0));
}

/* A namespace is no way around: its root is the same user. */
TEST_F(quotas, in_a_user_namespace)
{
	long fd;

	ASSERT_EQ(0, set_mb(USER_MB, 8));
	fd = peer_call(&self->alice, create_mb, 4, 0);
	ASSERT_LE(0, fd);
	if (peer_call(&self->alice, peer_unshare,
		      CLONE_NEWUSER | CLONE_NEWIPC, 0))
		SKIP(return, "cannot make a user namespace");
	EXPECT_EQ(-EDQUOT, peer_call(&self->alice, create_mb, 4, 0));
	EXPECT_LT(4 * MB, peer_call(&self->alice, held, 0, 0));
	EXPECT_EQ(8 * MB, peer_call(&self->alice, user_limit, 0, 0));
	EXPECT_EQ(0, peer_call(&self->alice, peer_close, fd, 0));
	EXPECT_EQ(0, peer_call(&self->alice, held, 0, 0));
}

TEST_F(quotas, of_all)
{
	int64_t before = total_bytes();
	long fd;

	ASSERT_EQ(0, set_mb(USER_MB, 1024));
	ASSERT_EQ(0, set_mb(TOTAL_MB, before / MB + 9));
	fd = peer_call(&self->alice, create_mb, 4, 0);
	ASSERT_LE(0, fd);
	/* Nothing overrides it. */
	EXPECT_EQ(-ENOSPC, peer_call(&self->root, create_mb, 6, 0));
	EXPECT_EQ(-ENOSPC, peer_call(&self->bob, create_mb, 6, 0));
	EXPECT_LE(0, peer_call(&self->bob, create_mb, 2, 0));
	EXPECT_EQ(-ENOSPC, peer_call(&self->root, create_mb, 4,
				     SHMCHAN_CREATE_SMALL));
	EXPECT_EQ(0, peer_call(&self->alice, peer_close, fd, 0));
	EXPECT_LE(0, peer_call(&self->root, create_mb, 4, 0));
	/* Who else holds how much is told to the administrator. */
	EXPECT_LT(before + 6 * MB, peer_call(&self->root, seen_total, 0, 0));
	EXPECT_EQ(0, peer_call(&self->alice, seen_total, 0, 0));
	peer_kill(&self->bob);
	peer_kill(&self->root);
	EXPECT_EQ(before, total_bytes());
}

TEST_F(quotas, of_a_cgroup)
{
	static char path[sizeof(self->cgroup)];
	static const unsigned int kinds[] = { 0, SHMCHAN_CREATE_SMALL };
	long fd, empty, now;
	struct peer guest;
	unsigned int i;
	int ret;

	ret = cgroup_make(path, "quota");
	strcpy(self->cgroup, path);
	if (ret)
		SKIP(return, "no memory cgroup: %s", strerror(-ret));
	ASSERT_EQ(0, cgroup_set(path, "memory.max", 32 * MB));
	ASSERT_EQ(0, peer_start(&guest));
	ASSERT_EQ(0, peer_call(&guest, enter_cgroup, (long)path, 0));

	for (i = 0; i < COUNT(kinds); i++) {
		/* Fits, and is charged. */
		empty = cgroup_current(path);
		fd = peer_call(&guest, create_mb, 16, kinds[i]);
		ASSERT_LE(0, fd);
		now = cgroup_current(path);
		EXPECT_LE(16 * MB, now - empty + MB);
		/* A second one does not: an error, and no OOM kill. */
		EXPECT_EQ(-ENOMEM, peer_call(&guest, create_mb, 24, kinds[i]));
		EXPECT_EQ(-ENOMEM, peer_call(&guest, create_mb, 64, kinds[i]));
		EXPECT_GT(now + MB, cgroup_current(path));
		EXPECT_EQ(0, peer_call(&guest, peer_close, fd, 0));
		EXPECT_GT(empty + 4 * MB, cgroup_current(path));
	}
	EXPECT_EQ(0, cgroup_kills(path));
	EXPECT_LE(0, peer_call(&guest, create_mb, 16, 0));
	EXPECT_EQ(0, peer_stop(&guest));
}

TEST_HARNESS_MAIN
