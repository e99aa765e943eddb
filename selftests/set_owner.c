// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owner, group and mode of a region can be changed by who may; and from then
 * on they count, for those who come and not for those who are in.
 */

#include "../kselftest_harness.h"

#include <sys/stat.h>

#include "test_peer.h"

#define ALL	SHMCHAN_RIGHT_ALL
#define READ	SHMCHAN_RIGHT_MAP_READ

static struct layout layout;

FIXTURE(owner) {
	struct peer peer;	/* uid 1000, groups 1000 and 50 */
	int fd;
};

/* In the peer. */
static long become_member_of(long uid, long group)
{
	gid_t groups[] = { group };

	if (syscall(SYS_setgroups, 1, groups) ||
	    syscall(SYS_setresgid, uid, uid, uid) ||
	    syscall(SYS_setresuid, uid, uid, uid))
		return -errno;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

static long create_own(long a, long b)
{
	(void)a;
	(void)b;
	return create_region(&layout);
}

static int set_ids(int fd, unsigned int flags, unsigned int uid,
		   unsigned int gid)
{
	struct shmchan_setattr s = {
		.size = sizeof(s),
		.flags = flags,
		.uid = uid,
		.gid = gid,
	};

	return call(fd, SHMCHAN_IOC_SETATTR, &s);
}

static long chown_region(long fd, long uid)
{
	return set_ids(fd, SHMCHAN_SETATTR_UID, uid, 0);
}

static long chgrp_region(long fd, long gid)
{
	return set_ids(fd, SHMCHAN_SETATTR_GID, 0, gid);
}

static long open_with(long name, long rights)
{
	return open_region((const char *)name, rights);
}

FIXTURE_SETUP(owner)
{
	if (geteuid())
		SKIP(return, "needs root, to become others");
	umask(0);
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = own_name();
	ASSERT_EQ(0, peer_start(&self->peer));
	ASSERT_EQ(0, peer_call(&self->peer, become_member_of, 1000, 50));
}

FIXTURE_TEARDOWN(owner)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

TEST_F(owner, mode)
{
	struct shmchan_query q;
	long fd;

	self->fd = create_region(&layout);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(-EACCES, peer_call(&self->peer, open_with, (long)layout.name,
				     READ));
	ASSERT_EQ(0, set_mode(self->fd, 0604));
	fd = peer_call(&self->peer, open_with, (long)layout.name, READ);
	EXPECT_LE(0, fd);
	ASSERT_EQ(0, query(self->fd, &q));
	EXPECT_EQ(0604, q.mode);
	ASSERT_EQ(0, set_mode(self->fd, 0));
	EXPECT_EQ(-EACCES, peer_call(&self->peer, open_with, (long)layout.name,
				     READ));
	/* The umask is not asked: chmod(2) does not either. */
	umask(077);
	ASSERT_EQ(0, set_mode(self->fd, 0606));
	ASSERT_EQ(0, query(self->fd, &q));
	EXPECT_EQ(0606, q.mode);
}

/* An owner can choose among its groups, and cannot give it away. */
TEST_F(owner, by_the_owner)
{
	long fd = peer_call(&self->peer, create_own, 0, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, peer_call(&self->peer, chgrp_region, fd, 50));
	EXPECT_EQ(0, peer_call(&self->peer, chgrp_region, fd, 1000));
	EXPECT_EQ(-EPERM, peer_call(&self->peer, chgrp_region, fd, 51));
	EXPECT_EQ(-EPERM, peer_call(&self->peer, chgrp_region, fd, 0));
	EXPECT_EQ(-EPERM, peer_call(&self->peer, chown_region, fd, 0));
	EXPECT_EQ(-EPERM, peer_call(&self->peer, chown_region, fd, 1001));
	/* What it is already is no change. */
	EXPECT_EQ(0, peer_call(&self->peer, chown_region, fd, 1000));
}

TEST_F(owner, by_root)
{
	struct shmchan_query q;

	self->fd = create_region(&layout);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(-EACCES, peer_call(&self->peer, open_with, (long)layout.name,
				     READ));
	ASSERT_EQ(0, set_ids(self->fd,
			     SHMCHAN_SETATTR_UID | SHMCHAN_SETATTR_GID,
			     1000, 77));
	ASSERT_EQ(0, query(self->fd, &q));
	EXPECT_EQ(1000, q.uid);
	EXPECT_EQ(77, q.gid);
	/* An owner may do anything, and its limit does not change hands. */
	EXPECT_LE(0, peer_call(&self->peer, open_with, (long)layout.name, ALL &
			       ~(SHMCHAN_RIGHT_WAIT | SHMCHAN_RIGHT_RING)));
	EXPECT_EQ(0, q.charged_uid);
}

/* Who has ADMIN and does not own it cannot make it anybody's. */
TEST_F(owner, by_a_delegate)
{
	long fd;

	self->fd = create_region(&layout);
	ASSERT_LE(0, self->fd);
	fd = peer_give(&self->peer, mint(self->fd, SHMCHAN_RIGHT_ADMIN));
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, peer_call(&self->peer, chown_region, fd, 1000));
	EXPECT_EQ(-EPERM, peer_call(&self->peer, chgrp_region, fd, 50));
	EXPECT_EQ(0, peer_call(&self->peer, chown_region, fd, 0));
}

/* Root of a user namespace is root for the ids of that namespace only. */
TEST_F(owner, root_of_a_namespace)
{
	char path[64];
	struct peer p;
	long fd;

	self->fd = create_region(&layout);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, peer_start(&p));
	if (peer_call(&p, peer_unshare, CLONE_NEWUSER, 0))
		SKIP(return, "no user namespaces");

	snprintf(path, sizeof(path), "/proc/%d/uid_map", p.pid);
	ASSERT_EQ(0, write_text(path, "0 100000 1000\n"));
	snprintf(path, sizeof(path), "/proc/%d/gid_map", p.pid);
	ASSERT_EQ(0, write_text(path, "0 100000 1000\n"));
	ASSERT_EQ(0, peer_call(&p, peer_become, 0, 0));
	fd = peer_give(&p, mint(self->fd, ALL));
	ASSERT_LE(0, fd);
	/* That of root outside is none of its. */
	EXPECT_EQ(-EPERM, peer_call(&p, chown_region, fd, 0));
	EXPECT_EQ(-EPERM, peer_call(&p, chgrp_region, fd, 5));
	ASSERT_EQ(0, set_ids(self->fd,
			     SHMCHAN_SETATTR_UID | SHMCHAN_SETATTR_GID,
			     100007, 100007));
	EXPECT_EQ(0, peer_call(&p, chown_region, fd, 8));
	EXPECT_EQ(0, peer_call(&p, chgrp_region, fd, 9));
	EXPECT_EQ(-EINVAL, peer_call(&p, chown_region, fd, 5000));
	peer_kill(&p);
}

TEST_HARNESS_MAIN
