// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may open a name: owner, group, mode, umask, CAP_IPC_OWNER, and the owner
 * that the caller expects.
 */

#include "../kselftest_harness.h"

#include <sys/stat.h>

#include "test_peer.h"

/* Who opens. */
enum who {
	OWNER,		/* 1000:1000 */
	GROUP,		/* 1001:1000 */
	MEMBER,		/* 1002:1002, and 1000 as another group */
	OTHER,		/* 1003:1003 */
	ROOT,
	NR_WHO,
};

static const char *const who_name[] = {
	"owner", "group", "member of the group", "other", "root",
};

static const char *name;

FIXTURE(access) {
	struct peer peers[NR_WHO];
};

/* In a peer: 1002:1002 with a supplementary group 1000. */
static long become_member(long a, long b)
{
	gid_t group = 1000;

	(void)a;
	(void)b;
	if (syscall(SYS_setgroups, 1, &group) ||
	    syscall(SYS_setresgid, 1002, 1002, 1002) ||
	    syscall(SYS_setresuid, 1002, 1002, 1002))
		return -errno;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

FIXTURE_SETUP(access)
{
	unsigned int i;

	if (geteuid())
		SKIP(return, "only root can become others");
	umask(0);
	name = own_name();
	for (i = 0; i < NR_WHO; i++)
		ASSERT_EQ(0, peer_start(&self->peers[i]));
	ASSERT_EQ(0, peer_call(&self->peers[OWNER], peer_become, 1000, 1000));
	ASSERT_EQ(0, peer_call(&self->peers[GROUP], peer_become, 1001, 1000));
	ASSERT_EQ(0, peer_call(&self->peers[MEMBER], become_member, 0, 0));
	ASSERT_EQ(0, peer_call(&self->peers[OTHER], peer_become, 1003, 1003));
}

FIXTURE_TEARDOWN(access)
{
	unsigned int i;

	for (i = 0; i < NR_WHO; i++)
		if (self->peers[i].pid)
			peer_kill(&self->peers[i]);
}

/* In a peer. */
static long create_mode(long mode, long mask)
{
	struct layout l = layout_default(SHMCHAN_CREATE_SMALL, false);
	long fd;

	l.name = name;
	l.mode = mode;
	umask(mask);
	fd = create_region(&l);
	umask(0);
	return fd;
}

/* In a peer: 0 or -errno. */
static long try_open(long rights, long b)
{
	struct shmchan_query q;
	long ret;
	int fd;

	(void)b;
	fd = open_region(name, rights);
	if (fd < 0)
		return fd;
	ret = query(fd, &q);
	if (!ret && q.rights != rights)
		ret = -EBADMSG;
	close(fd);
	return ret;
}

/* In a peer: for each single right, whether it is granted, as a bit. */
static long granted(long a, long b)
{
	long rights = 0, right, ret;

	(void)a;
	(void)b;
	for (right = 1; right < SHMCHAN_RIGHT_ALL; right <<= 1) {
		ret = try_open(right, 0);
		if (!ret)
			rights |= right;
		else if (ret != -EACCES)
			return ret;
	}
	return rights;
}

static unsigned int expected_rights(enum who who, unsigned int mode)
{
	unsigned int rights = 0;

	switch (who) {
	case ROOT:
		return SHMCHAN_RIGHT_ALL;
	case OWNER:
		rights = SHMCHAN_RIGHT_ADMIN | SHMCHAN_RIGHT_PUBLISH;
		mode >>= 6;
		break;
	case GROUP:
	case MEMBER:
		mode >>= 3;
		break;
	default:
		break;
	}
	if (mode & 4)
		rights |= SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT;
	if (mode & 2)
		rights |= SHMCHAN_RIGHT_MAP_WRITE | SHMCHAN_RIGHT_RING;
	return rights;
}

TEST_F_TIMEOUT(access, table, 90)
{
	struct peer *owner = &self->peers[OWNER];
	unsigned int bits, mode, who, want;
	long fd;

	for (bits = 0; bits < 64; bits++) {
		mode = (bits >> 4) << 7 | (bits >> 2 & 3) << 4 |
		       (bits & 3) << 1;
		fd = peer_call(owner, create_mode, mode, 0);
		ASSERT_LE(0, fd);
		for (who = 0; who < NR_WHO; who++) {
			want = expected_rights(who, mode);
			EXPECT_EQ(want, peer_call(&self->peers[who], granted,
						  0, 0))
				TH_LOG("%s, mode %03o", who_name[who], mode);
		}
		ASSERT_EQ(0, peer_call(owner, peer_close, fd, 0));
	}
}

/* All rights that are asked for, or none. */
TEST_F(access, all_or_none)
{
	struct peer *group = &self->peers[GROUP];
	long fd = peer_call(&self->peers[OWNER], create_mode, 0640, 0);
	unsigned int rights, want;

	ASSERT_LE(0, fd);
	want = expected_rights(GROUP, 0640);
	for (rights = 1; rights <= SHMCHAN_RIGHT_ALL; rights++)
		EXPECT_EQ(rights & ~want ? -EACCES : 0,
			  peer_call(group, try_open, rights, 0))
			TH_LOG("rights %#x", rights);
}

TEST_F(access, masked_by_umask)
{
	static const struct { int mode, mask; } modes[] = {
		{ 0666, 0 }, { 0666, 022 }, { 0666, 027 }, { 0666, 077 },
		{ 0640, 0777 }, { 0444, 0222 },
	};
	struct peer *root = &self->peers[ROOT];
	struct shmchan_query q;
	unsigned int i;
	long theirs;
	int fd;

	for (i = 0; i < COUNT(modes); i++) {
		theirs = peer_call(root, create_mode, modes[i].mode,
				   modes[i].mask);
		ASSERT_LE(0, theirs);
		fd = open_region(name, SHMCHAN_RIGHT_MAP_READ);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, query(fd, &q));
		EXPECT_EQ(modes[i].mode & ~modes[i].mask, q.mode);
		close(fd);
		ASSERT_EQ(0, peer_call(root, peer_close, theirs, 0));
	}
}

TEST_F(access, owner_and_group)
{
	long theirs = peer_call(&self->peers[GROUP], create_mode, 0600, 0);
	struct shmchan_query q;
	int fd;

	ASSERT_LE(0, theirs);
	fd = open_region(name, SHMCHAN_RIGHT_MAP_READ);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, query(fd, &q));
	EXPECT_EQ(1001, q.uid);
	EXPECT_EQ(1000, q.gid);
}

/* The creator's capability has all rights, whatever the mode says. */
TEST_F(access, creator)
{
	struct layout l = layout_default(SHMCHAN_CREATE_SMALL, false);
	struct shmchan_query q;
	int fd;

	l.mode = 0;
	fd = create_joined(&l, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, query(fd, &q));
	EXPECT_EQ(SHMCHAN_RIGHT_ALL, q.rights);
	EXPECT_EQ(0, map_error(fd, control_at(&l, FOLIO_OWN), PAGE,
			       PROT_READ | PROT_WRITE, MAP_SHARED));
}

/* In a peer: OPEN with these flags and this expected owner. */
static long open_expecting(long flags, long uid)
{
	struct shmchan_open o = open_args(name, SHMCHAN_RIGHT_MAP_READ);
	int dev = open_device();
	int ret;

	o.flags = flags;
	o.owner_uid = uid;
	ret = call(dev, SHMCHAN_IOC_OPEN, &o);
	close(dev);
	if (!ret)
		close(o.fd);
	return ret;
}

TEST_F(access, expected_owner)
{
	const unsigned int by_uid = SHMCHAN_OPEN_OWNER_UID;
	const unsigned int by_self = SHMCHAN_OPEN_OWNER_SELF;
	struct peer *owner = &self->peers[OWNER];
	struct peer *other = &self->peers[OTHER];
	struct peer *root = &self->peers[ROOT];
	long fd = peer_call(owner, create_mode, 0666, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, peer_call(other, open_expecting, 0, 0));
	EXPECT_EQ(0, peer_call(other, open_expecting, by_uid, 1000));
	EXPECT_EQ(-EPERM, peer_call(other, open_expecting, by_uid, 0));
	EXPECT_EQ(-EPERM, peer_call(other, open_expecting, by_uid, 1003));
	EXPECT_EQ(-EPERM, peer_call(other, open_expecting, by_self, 0));
	EXPECT_EQ(0, peer_call(owner, open_expecting, by_self, 0));
	EXPECT_EQ(-EPERM, peer_call(root, open_expecting, by_self, 0));
	/* Either of them. */
	EXPECT_EQ(0, peer_call(other, open_expecting, by_uid | by_self, 1000));
	EXPECT_EQ(0, peer_call(owner, open_expecting, by_uid | by_self, 1003));
	EXPECT_EQ(-EPERM, peer_call(other, open_expecting, by_uid | by_self,
				    1001));
	/* What root made is fine for everybody. */
	ASSERT_EQ(0, peer_call(owner, peer_close, fd, 0));
	fd = peer_call(root, create_mode, 0666, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, peer_call(other, open_expecting, by_self, 0));
	EXPECT_EQ(0, peer_call(root, open_expecting, by_self, 0));
}

/* A right that is missing comes first: nothing is told about the owner. */
TEST_F(access, not_readable_and_not_expected)
{
	long fd = peer_call(&self->peers[OWNER], create_mode, 0600, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EACCES, peer_call(&self->peers[OTHER], open_expecting,
				     SHMCHAN_OPEN_OWNER_SELF, 0));
}

/* In a peer: root of a user namespace, uid 0 there. */
static long become_ns_root(long flags, long b)
{
	char line[32];
	int uid = getuid(), gid = getgid();

	(void)b;
	prctl(PR_SET_DUMPABLE, 1);
	if (unshare(CLONE_NEWUSER | flags))
		return -errno;
	write_text("/proc/self/setgroups", "deny");
	snprintf(line, sizeof(line), "0 %d 1", uid);
	if (write_text("/proc/self/uid_map", line))
		return -EPERM;
	snprintf(line, sizeof(line), "0 %d 1", gid);
	if (write_text("/proc/self/gid_map", line))
		return -EPERM;
	return 0;
}

/* CAP_IPC_OWNER counts in the user namespace of the IPC namespace only. */
TEST_F(access, capability_of_a_namespace)
{
	struct peer *other = &self->peers[OTHER];
	struct peer *group = &self->peers[GROUP];
	long fd = peer_call(&self->peers[OWNER], create_mode, 0, 0);

	ASSERT_LE(0, fd);
	if (peer_call(other, become_ns_root, 0, 0))
		SKIP(return, "cannot make a user namespace");
	/* The first IPC namespace is not this root's. */
	EXPECT_EQ(-EACCES, peer_call(other, try_open, SHMCHAN_RIGHT_MAP_READ,
				     0));
	EXPECT_EQ(0, peer_call(other, granted, 0, 0));

	/* One of its own is: it opens what a mode of 0 hides. */
	ASSERT_EQ(0, peer_call(group, become_ns_root, CLONE_NEWIPC, 0));
	fd = peer_call(group, create_mode, 0, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(SHMCHAN_RIGHT_ALL, peer_call(group, granted, 0, 0));
}

/* Rights of a capability, used. */
TEST_F(access, rights_in_use)
{
	struct layout l = layout_default(SHMCHAN_CREATE_SMALL, false);
	uint64_t own = control_at(&l, FOLIO_OWN);
	struct shmchan_wait_elem elem = elem64(-1, BELL_OF(0), own, 1);
	unsigned int rights;
	int fd;

	l.name = name;
	l.mode = 0600;
	ASSERT_LE(0, create_region(&l));
	for (rights = 1; rights < 16; rights++) {
		bool can_read = rights & SHMCHAN_RIGHT_MAP_READ;
		bool can_write = can_read && rights & SHMCHAN_RIGHT_MAP_WRITE;
		bool can_ring = rights & SHMCHAN_RIGHT_RING;
		bool can_wait = rights & SHMCHAN_RIGHT_WAIT;

		fd = open_region(name, rights);
		ASSERT_LE(0, fd);
		ASSERT_LT(0, join(fd, 0));
		EXPECT_EQ(can_read ? 0 : EACCES,
			  map_error(fd, own, PAGE, PROT_READ, MAP_SHARED))
			TH_LOG("rights %#x", rights);
		EXPECT_EQ(can_write ? 0 : EACCES,
			  map_error(fd, own, PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED))
			TH_LOG("rights %#x", rights);
		EXPECT_EQ(can_ring ? 0 : -EACCES, ring(fd, BELL_SHARED, 0))
			TH_LOG("rights %#x", rights);
		EXPECT_EQ(can_wait && can_read ? 0 : -EACCES,
			  wait_ms(fd, &elem, 1, 0))
			TH_LOG("rights %#x", rights);
		EXPECT_EQ(can_wait ? 0 : -EACCES, subscribe(fd, BELL_OF(0), 0))
			TH_LOG("rights %#x", rights);
		/* A read-only mapping does not become writable. */
		if (can_read) {
			void *p = map(fd, own, PAGE, PROT_READ);

			ASSERT_NE(MAP_FAILED, p);
			EXPECT_EQ(can_write ? 0 : -1,
				  mprotect(p, PAGE, PROT_READ | PROT_WRITE))
				TH_LOG("rights %#x", rights);
			munmap(p, PAGE);
		}
		close(fd);
	}
}

TEST_HARNESS_MAIN
