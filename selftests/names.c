// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names: how they are written, who sees them, how long they live.
 */

#include "../kselftest_harness.h"
#include "test_peer.h"

static const char *name;
static struct layout layout;

FIXTURE(names) {
	struct peer peer;
};

FIXTURE_SETUP(names)
{
	name = own_name();
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	ASSERT_EQ(0, peer_start(&self->peer));
}

FIXTURE_TEARDOWN(names)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

static int create_named(const char *text, size_t len)
{
	struct shmchan_create c = create_args(&layout);
	int dev = open_device();
	int ret;

	c.name = ptr(text);
	c.name_len = len;
	ret = call(dev, SHMCHAN_IOC_CREATE, &c);
	close(dev);
	return ret ? ret : c.fd;
}

/* Is the name there? */
static int look_up(const char *text)
{
	int fd = open_region(text, SHMCHAN_RIGHT_MAP_READ);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* How many names the caller's namespace has. */
static long count_names(long a, long b)
{
	struct shmchan_list_entry entries[64];
	struct shmchan_list l = list_args(entries, COUNT(entries));
	int dev = open_device();
	int ret = call(dev, SHMCHAN_IOC_LIST, &l);

	(void)a;
	(void)b;
	close(dev);
	return ret ? ret : (long)l.nr_entries;
}

/* In the peer. */
static long peer_create(long a, long b)
{
	(void)a;
	(void)b;
	layout.name = name;
	return create_region(&layout);
}

static long peer_create_joined(long slot, long b)
{
	(void)b;
	layout.name = name;
	return create_joined(&layout, slot);
}

static long peer_open(long rights, long b)
{
	(void)b;
	return open_region(name, rights);
}

static long peer_look_up(long a, long b)
{
	(void)a;
	(void)b;
	return look_up(name);
}

static long peer_join_fd(long fd, long slot)
{
	return join(fd, slot);
}

TEST_F(names, alphabet)
{
	static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz0123456789._-";
	char text[3] = "x?";
	int c, fd;

	for (c = 0; c < 256; c++) {
		text[1] = c;
		fd = create_named(text, 2);
		if (c && strchr(good, c)) {
			EXPECT_LE(0, fd)
				TH_LOG("byte %#x", c);
			EXPECT_EQ(0, look_up(text));
		} else {
			EXPECT_EQ(-EINVAL, fd)
				TH_LOG("byte %#x", c);
		}
		if (fd >= 0)
			close(fd);
	}
}

TEST_F(names, length)
{
	char text[SHMCHAN_NAME_LEN + 1];
	struct shmchan_query q;
	size_t len;
	int fd;

	memset(text, 'n', sizeof(text));
	for (len = 1; len < SHMCHAN_NAME_LEN; len++) {
		fd = create_named(text, len);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, query(fd, &q));
		EXPECT_EQ(len, strlen(q.name));
		EXPECT_EQ(0, memcmp(q.name, text, len));
		close(fd);
	}
	EXPECT_EQ(-EINVAL, create_named(text, SHMCHAN_NAME_LEN));
	EXPECT_EQ(-EINVAL, create_named(text, SHMCHAN_NAME_LEN + 1));
	EXPECT_EQ(-EINVAL, create_named(text, 0));
	/* A part of a name is another name. */
	fd = create_named(text, 10);
	ASSERT_LE(0, fd);
	text[9] = 0;
	EXPECT_EQ(-ENOENT, look_up(text));
}

/* The byte behind a name is not read. */
TEST_F(names, not_terminated)
{
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, page);
	ASSERT_EQ(0, munmap(page + PAGE, PAGE));
	memcpy(page + PAGE - 4, "edge", 4);
	EXPECT_LE(0, create_named(page + PAGE - 4, 4));
	EXPECT_EQ(0, look_up("edge"));
}

TEST_F(names, taken_and_unknown)
{
	int fd;

	EXPECT_EQ(-ENOENT, look_up(name));
	fd = create_named(name, strlen(name));
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, look_up(name));
	EXPECT_EQ(-EEXIST, create_named(name, strlen(name)));
	EXPECT_EQ(-EEXIST, peer_call(&self->peer, peer_create, 0, 0));
	close(fd);
	EXPECT_EQ(-ENOENT, look_up(name));
	EXPECT_LE(0, peer_call(&self->peer, peer_create, 0, 0));
	EXPECT_EQ(0, look_up(name));
}

TEST_F(names, unnamed)
{
	struct shmchan_query q;
	long before = count_names(0, 0);
	int a, b;

	a = create_region(&layout);
	b = create_region(&layout);
	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_EQ(before, count_names(0, 0));
	ASSERT_EQ(0, query(a, &q));
	EXPECT_EQ(0, q.name[0]);
	EXPECT_LT(0, join(a, 0));
	EXPECT_LT(0, join(b, 0));
}

TEST_F(names, creator_closes)
{
	long fd = peer_call(&self->peer, peer_create, 0, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, look_up(name));
	EXPECT_EQ(0, peer_call(&self->peer, peer_close, fd, 0));
	EXPECT_EQ(-ENOENT, look_up(name));
}

TEST_F(names, creator_dies)
{
	int64_t before = total_bytes();

	ASSERT_LE(0, peer_call(&self->peer, peer_create, 0, 0));
	EXPECT_EQ(0, look_up(name));
	peer_kill(&self->peer);
	EXPECT_EQ(-ENOENT, look_up(name));
	EXPECT_EQ(before, total_bytes());
}

TEST_F(names, creator_leaves)
{
	long fd = peer_call(&self->peer, peer_create_joined, 0, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, look_up(name));
	EXPECT_EQ(0, peer_call(&self->peer, peer_leave, fd, 0));
	EXPECT_EQ(-ENOENT, look_up(name));
}

/* The second member keeps it, after the creator, and after others. */
TEST_F(names, kept_by_a_member)
{
	int fd, other;

	ASSERT_LE(0, peer_call(&self->peer, peer_create_joined, 0, 0));
	fd = open_joined(name, 1);
	ASSERT_LE(0, fd);
	peer_kill(&self->peer);
	EXPECT_EQ(0, look_up(name));
	EXPECT_EQ(-EEXIST, create_named(name, strlen(name)));

	other = open_joined(name, 0);
	ASSERT_LE(0, other);
	EXPECT_EQ(0, leave(fd));
	EXPECT_EQ(0, look_up(name));
	close(other);
	EXPECT_EQ(-ENOENT, look_up(name));
}

/* Who only opened it does not. */
TEST_F(names, not_kept_by_a_capability)
{
	struct shmchan_query q;
	int fd, next;

	ASSERT_LE(0, peer_call(&self->peer, peer_create_joined, 0, 0));
	fd = open_region(name, RIGHTS_RW);
	ASSERT_LE(0, fd);
	peer_kill(&self->peer);
	EXPECT_EQ(-ENOENT, look_up(name));

	/* The region lives on, and the name is free for another. */
	next = create_named(name, strlen(name));
	EXPECT_LE(0, next);
	EXPECT_LT(0, join(fd, 1));
	EXPECT_EQ(0, query(fd, &q));
	EXPECT_EQ(layout.control_size, q.control_size);
	close(next);
	/* A late member does not bring the name back. */
	EXPECT_EQ(-ENOENT, look_up(name));
}

TEST_F(names, ipc_namespace)
{
	long mine, theirs;
	int fd;

	if (peer_call(&self->peer, peer_unshare, CLONE_NEWIPC, 0))
		SKIP(return, "cannot make an IPC namespace");
	fd = create_named(name, strlen(name));
	ASSERT_LE(0, fd);
	mine = count_names(0, 0);
	EXPECT_LE(1, mine);

	EXPECT_EQ(-ENOENT, peer_call(&self->peer, peer_look_up, 0, 0));
	EXPECT_EQ(0, peer_call(&self->peer, count_names, 0, 0));
	/* The same name is another one there. */
	theirs = peer_call(&self->peer, peer_create, 0, 0);
	EXPECT_LE(0, theirs);
	EXPECT_EQ(0, peer_call(&self->peer, peer_look_up, 0, 0));
	EXPECT_EQ(1, peer_call(&self->peer, count_names, 0, 0));
	EXPECT_EQ(mine, count_names(0, 0));

	close(fd);
	EXPECT_EQ(-ENOENT, look_up(name));
	EXPECT_EQ(0, peer_call(&self->peer, peer_look_up, 0, 0));
	EXPECT_EQ(0, peer_call(&self->peer, peer_close, theirs, 0));
	EXPECT_EQ(-ENOENT, peer_call(&self->peer, peer_look_up, 0, 0));
}

/* The namespace of the call counts, not that of opening the device. */
static long peer_open_by(long dev, long b)
{
	struct shmchan_open o = {
		.size = sizeof(o),
		.name = ptr(name),
		.name_len = strlen(name),
		.rights = SHMCHAN_RIGHT_MAP_READ,
	};

	(void)b;
	return call(dev, SHMCHAN_IOC_OPEN, &o);
}

TEST_F(names, passed_device)
{
	int fd = create_named(name, strlen(name));
	long dev;

	ASSERT_LE(0, fd);
	dev = peer_give(&self->peer, open_device());
	ASSERT_LE(0, dev);
	EXPECT_EQ(0, peer_call(&self->peer, peer_open_by, dev, 0));
	if (peer_call(&self->peer, peer_unshare, CLONE_NEWIPC, 0))
		SKIP(return, "cannot make an IPC namespace");
	EXPECT_EQ(-ENOENT, peer_call(&self->peer, peer_open_by, dev, 0));
}

/* A member of another namespace keeps the region, but not the name. */
TEST_F(names, member_from_elsewhere)
{
	struct status status = {};
	long theirs;
	int fd, cap;

	if (peer_call(&self->peer, peer_unshare, CLONE_NEWIPC, 0))
		SKIP(return, "cannot make an IPC namespace");
	layout.name = name;
	fd = create_joined(&layout, 0);
	ASSERT_LE(0, fd);
	cap = open_region(name, RIGHTS_RW);
	ASSERT_LE(0, cap);
	theirs = peer_give(&self->peer, cap);
	ASSERT_LE(0, theirs);
	close(cap);
	EXPECT_EQ(1, peer_call(&self->peer, peer_join_fd, theirs, 1));
	ASSERT_EQ(0, map_status(fd, &status));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&status, 1));
	EXPECT_EQ(0, look_up(name));
	EXPECT_EQ(-ENOENT, peer_call(&self->peer, peer_look_up, 0, 0));

	ASSERT_EQ(0, leave(fd));
	EXPECT_EQ(-ENOENT, look_up(name));
	EXPECT_EQ(0, peer_call(&self->peer, peer_leave, theirs, 0));
}

/* Where nobody is root: a namespace of one's own. */
TEST_F(names, user_namespace)
{
	long fd;

	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1000, 1000));
	if (peer_call(&self->peer, peer_unshare,
		      CLONE_NEWUSER | CLONE_NEWIPC, 0))
		SKIP(return, "cannot make a user namespace");
	fd = peer_call(&self->peer, peer_create_joined, 0, 0);
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, peer_call(&self->peer, peer_look_up, 0, 0));
	EXPECT_LE(0, peer_call(&self->peer, peer_open, RIGHTS_RW, 0));
	EXPECT_EQ(-ENOENT, look_up(name));
}

/* A name may lie anywhere in the caller's memory: where nothing does, usually, too. */
TEST_F(names, at_address_0)
{
	static const char lowest[] = "/proc/sys/vm/mmap_min_addr";
	static const char text[] = "zero";
	char was[32], *p;
	int fd;

	if (geteuid() || read_text(lowest, was, sizeof(was)) <= 0 ||
	    write_text(lowest, "0"))
		SKIP(return, "needs root, to allow it");
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	write_text(lowest, was);
	ASSERT_NE(MAP_FAILED, p);
	strcpy(p, text);
	fd = create_named(p, strlen(text));
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, look_up(text));
	close(fd);
	munmap(p, PAGE);
}

TEST_HARNESS_MAIN
