// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may ask for contiguous memory beyond 4 MiB: CAP_SYS_RESOURCE in the
 * first user namespace, or the group that the administrator chose.
 */

#include "../kselftest_harness.h"

#include <linux/capability.h>

#include "test_memory.h"
#include "test_peer.h"

#define CONTIG_GID	PARAMETERS "contig_gid"
#define ANYBODY		(4 * MB)
#define GROUP		4711

FIXTURE(rights) {
	struct peer peer;
};

FIXTURE_SETUP(rights)
{
	if (geteuid() || access(CONTIG_GID, W_OK))
		SKIP(return, "only root can say who may");
	ASSERT_EQ(0, peer_start(&self->peer));
}

FIXTURE_TEARDOWN(rights)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
	write_text(CONTIG_GID, "-1");
}

/* In a peer: a contiguous region that goes away again. */
static long try_contig(long size, long b)
{
	int fd = create_shared(size, SHMCHAN_CREATE_CONTIG);

	(void)b;
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* In a peer: -1 for no limit. */
static long contig_limit(long a, long b)
{
	struct shmchan_query_device q;
	int ret = query_device(&q);

	(void)a;
	(void)b;
	return ret ? ret : (long)q.contig_limit;
}

/* In a peer: 1000:1000 with @group beside it. */
static long become_with_group(long group, long b)
{
	gid_t gid = group;

	(void)b;
	if (syscall(SYS_setgroups, 1, &gid) ||
	    syscall(SYS_setresgid, 1000, 1000, 1000) ||
	    syscall(SYS_setresuid, 1000, 1000, 1000))
		return -errno;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

/* In a peer: without this capability. */
static long drop_cap(long cap, long b)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	(void)b;
	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[CAP_TO_INDEX(cap)].effective &= ~CAP_TO_MASK(cap);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* Allowed is not the same as possible: on a bad day there is no memory. */
#define allowed(size) do {						\
	long _ret = peer_call(&self->peer, try_contig, size, 0);	\
									\
	EXPECT_TRUE(!_ret || _ret == -ENOMEM)				\
		TH_LOG("%ld", _ret);					\
} while (0)

#define forbidden(size) \
	EXPECT_EQ(-EPERM, peer_call(&self->peer, try_contig, size, 0))

#define only_little() do {						\
	EXPECT_EQ(ANYBODY, peer_call(&self->peer, contig_limit, 0, 0));	\
	allowed(HUGE);							\
	allowed(ANYBODY);						\
	forbidden(ANYBODY + HUGE);					\
	forbidden(8 * ANYBODY);					\
} while (0)

#define much() do {							\
	EXPECT_EQ(-1, peer_call(&self->peer, contig_limit, 0, 0));	\
	allowed(HUGE);							\
	allowed(ANYBODY + HUGE);					\
	allowed(4 * ANYBODY);						\
} while (0)

TEST_F(rights, root)
{
	much();
}

TEST_F(rights, a_user)
{
	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, 1000));
	only_little();
	/* 0 is a group as well, and nobody's default. */
	ASSERT_EQ(0, set_number(CONTIG_GID, GROUP));
	only_little();
}

/* It is this capability and no other one. */
TEST_F(rights, root_without_the_capability)
{
	ASSERT_EQ(0, peer_call(&self->peer, drop_cap, CAP_SYS_RESOURCE, 0));
	only_little();
}

TEST_F(rights, its_group)
{
	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, GROUP));
	only_little();
	ASSERT_EQ(0, set_number(CONTIG_GID, GROUP));
	much();
	ASSERT_EQ(0, set_number(CONTIG_GID, GROUP + 1));
	only_little();
	ASSERT_EQ(0, set_number(CONTIG_GID, -1));
	only_little();
}

TEST_F(rights, another_of_its_groups)
{
	ASSERT_EQ(0, peer_call(&self->peer, become_with_group, GROUP, 0));
	only_little();
	ASSERT_EQ(0, set_number(CONTIG_GID, GROUP));
	much();
}

/* Capabilities in a namespace that anybody can make are worth nothing. */
TEST_F(rights, root_of_a_namespace)
{
	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, 1000));
	if (peer_call(&self->peer, peer_unshare, CLONE_NEWUSER, 0))
		SKIP(return, "cannot make a user namespace");
	only_little();
}

/* Nor is the number of a group there: it is the kernel's that counts. */
TEST_F(rights, group_of_a_namespace)
{
	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, GROUP));
	ASSERT_EQ(0, set_number(CONTIG_GID, GROUP));
	if (peer_call(&self->peer, peer_unshare, CLONE_NEWUSER, 0))
		SKIP(return, "cannot make a user namespace");
	much();
	ASSERT_EQ(0, set_number(CONTIG_GID, 65534));
	only_little();
}

/* The right to ask is none to hold. */
TEST_F(rights, limits_hold)
{
	ASSERT_EQ(0, set_number(CONTIG_GID, GROUP));
	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, GROUP));
	EXPECT_EQ(-EDQUOT, peer_call(&self->peer, try_contig, 64 * MB, 0));
	EXPECT_EQ(-EDQUOT, peer_call(&self->peer, try_contig, 1024 * MB, 0));
}

TEST_HARNESS_MAIN
