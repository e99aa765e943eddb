// SPDX-License-Identifier: GPL-2.0-only
/*
 * A further name: in the namespace of whoever publishes, with its own owner and
 * mode, for no more than the publisher has; and it goes as it came.
 */

#include "../kselftest_harness.h"

#include <sys/stat.h>

#include "test_peer.h"

#define ALL	SHMCHAN_RIGHT_ALL
#define READ	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT)

static struct layout layout;
static const char second[] = "second";
static const char third[] = "third";

FIXTURE(publish) {
	struct peer peer;	/* in an IPC namespace of its own */
	int fd;			/* slot 0 */
};

FIXTURE_SETUP(publish)
{
	if (geteuid())
		SKIP(return, "needs root, to make namespaces");
	umask(0);
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = own_name();
	ASSERT_EQ(0, peer_start(&self->peer));
	ASSERT_EQ(0, peer_call(&self->peer, peer_unshare, CLONE_NEWIPC, 0));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(publish)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

/* In a peer. */
static long open_second(long rights, long b)
{
	(void)b;
	return open_region(second, rights);
}

static long open_first(long rights, long b)
{
	(void)b;
	return open_region(layout.name, rights);
}

static long publish_as_second(long fd, long rights)
{
	return publish(fd, second, 0644, rights);
}

static long publish_as_third(long fd, long rights)
{
	return publish(fd, third, 0600, rights);
}

static long withdraw_second(long fd, long b)
{
	(void)b;
	return withdraw(fd, second);
}

static long withdraw_all(long fd, long b)
{
	(void)b;
	return withdraw_published(fd);
}

static long do_join(long fd, long slot)
{
	return join(fd, slot);
}

/* How many names there are, and whether one of them is a given one. */
static long count_names(long name, long flags)
{
	struct shmchan_list_entry entries[16];
	struct shmchan_list l = list_args(entries, COUNT(entries));
	unsigned int i;

	if (call(open_device(), SHMCHAN_IOC_LIST, &l))
		return -errno;
	for (i = 0; i < l.nr_entries; i++)
		if (!strcmp(entries[i].name, (const char *)name) &&
		    entries[i].flags == (unsigned int)flags)
			return l.nr_entries;
	return l.nr_entries ? -1 : 0;
}

/* The name as QUERY tells it: 1 layout.name, 2 second, 0 none, else -1. */
static long queried_name(long fd, long b)
{
	struct shmchan_query q;

	(void)b;
	if (query(fd, &q))
		return -errno;
	if (!q.name[0])
		return 0;
	if (!strcmp(q.name, layout.name))
		return 1;
	return strcmp(q.name, second) ? -1 : 2;
}

/* Does a text of /proc tell the region's name? */
static bool tells_name(const char *path)
{
	static char text[1 << 16];

	return read_text(path, text, sizeof(text)) > 0 &&
	       strstr(text, layout.name);
}

static long proc_tells(long fd, long b)
{
	char path[64];

	(void)b;
	if (map(fd, SHMCHAN_CONTROL_OFFSET(0), PAGE, PROT_READ) == MAP_FAILED)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%ld", fd);
	return tells_name("/proc/self/maps") || tells_name(path);
}

TEST_F(publish, elsewhere)
{
	long fd, theirs, again;

	/* Not there at first. */
	EXPECT_EQ(-ENOENT, peer_call(&self->peer, open_first, READ, 0));
	EXPECT_EQ(0, peer_call(&self->peer, count_names, (long)second, 0));
	fd = mint(self->fd, READ | SHMCHAN_RIGHT_PUBLISH);
	ASSERT_LE(0, fd);
	theirs = peer_give(&self->peer, fd);
	ASSERT_LE(0, theirs);
	close(fd);
	EXPECT_EQ(-EACCES, peer_call(&self->peer, publish_as_second, theirs,
				     READ | SHMCHAN_RIGHT_RING));
	ASSERT_EQ(0, peer_call(&self->peer, publish_as_second, theirs, READ));
	EXPECT_EQ(-EEXIST, peer_call(&self->peer, publish_as_second, theirs,
				     READ));
	/* There, and not here. */
	EXPECT_EQ(1, peer_call(&self->peer, count_names, (long)second,
			       SHMCHAN_NAME_PUBLISHED));
	EXPECT_EQ(-ENOENT, open_region(second, READ));
	EXPECT_EQ(-ENOENT, peer_call(&self->peer, open_first, READ, 0));
	EXPECT_EQ(1, count_names((long)layout.name, 0));

	/* Root there, and it gets what was published, not more. */
	EXPECT_EQ(-EACCES, peer_call(&self->peer, open_second, ALL, 0));
	EXPECT_EQ(-EACCES, peer_call(&self->peer, open_second,
				     SHMCHAN_RIGHT_PUBLISH, 0));
	EXPECT_EQ(-EACCES, peer_call(&self->peer, open_second,
				     SHMCHAN_RIGHT_RING, 0));
	again = peer_call(&self->peer, open_second, READ, 0);
	ASSERT_LE(0, again);
	EXPECT_EQ(1, peer_call(&self->peer, do_join, again, 1));
	/* It knows the region by the name there, and by no other. */
	EXPECT_EQ(2, peer_call(&self->peer, queried_name, again, 0));
	EXPECT_EQ(0, peer_call(&self->peer, proc_tells, again, 0));
	EXPECT_EQ(1, queried_name(self->fd, 0));
	EXPECT_EQ(1, proc_tells(self->fd, 0));

	/* A member keeps the name, the one that published it may go. */
	EXPECT_EQ(0, peer_call(&self->peer, peer_close, theirs, 0));
	EXPECT_LE(0, peer_call(&self->peer, open_second, READ, 0));
	EXPECT_EQ(0, peer_call(&self->peer, peer_leave, again, 0));
	EXPECT_EQ(-ENOENT, peer_call(&self->peer, open_second, READ, 0));
	EXPECT_EQ(0, peer_call(&self->peer, queried_name, again, 0));
	/* The first is as it was. */
	EXPECT_LE(0, open_region(layout.name, ALL));
}

/* The name's owner and mode decide, not the region's. */
TEST_F(publish, own_mode)
{
	struct peer other;
	int fd;

	ASSERT_EQ(0, peer_start(&other));
	ASSERT_EQ(0, peer_call(&other, peer_become, 1000, 1000));
	EXPECT_EQ(-EACCES, peer_call(&other, open_first, READ, 0));
	/* Here, for others to read. */
	ASSERT_EQ(0, publish(self->fd, second, 0644, ALL));
	EXPECT_LE(0, peer_call(&other, open_second, READ, 0));
	EXPECT_EQ(-EACCES, peer_call(&other, open_second,
				     SHMCHAN_RIGHT_MAP_WRITE, 0));
	EXPECT_EQ(-EACCES, peer_call(&other, open_second,
				     SHMCHAN_RIGHT_ADMIN, 0));
	EXPECT_EQ(-EACCES, peer_call(&other, open_first, READ, 0));
	/* The mode of the first does not change it. */
	ASSERT_EQ(0, set_mode(self->fd, 0));
	EXPECT_LE(0, peer_call(&other, open_second, READ, 0));
	fd = open_region(second, ALL);
	EXPECT_LE(0, fd);
	/* What comes of a name may publish too, if it was given that. */
	EXPECT_EQ(0, publish(fd, third, 0600, READ));
	EXPECT_EQ(0, withdraw(self->fd, second));
	EXPECT_EQ(-ENOENT, peer_call(&other, open_second, READ, 0));
	EXPECT_LE(0, open_region(third, READ));
	peer_kill(&other);
}

TEST_F(publish, withdrawn)
{
	long fd, mine;

	fd = peer_give(&self->peer, mint(self->fd, READ |
					 SHMCHAN_RIGHT_PUBLISH));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_call(&self->peer, publish_as_second, fd, READ));
	/* By whoever published it, and not by another of the kind. */
	mine = peer_call(&self->peer, open_second, READ, 0);
	ASSERT_LE(0, mine);
	EXPECT_EQ(-EACCES, peer_call(&self->peer, withdraw_second, mine, 0));
	EXPECT_EQ(0, peer_call(&self->peer, withdraw_second, fd, 0));
	EXPECT_EQ(-ENOENT, peer_call(&self->peer, withdraw_second, fd, 0));
	EXPECT_EQ(-ENOENT, peer_call(&self->peer, open_second, READ, 0));
	/* What was opened stays. */
	EXPECT_EQ(1, peer_call(&self->peer, do_join, mine, 1));

	/* By the owner, who sees no name of there: all of them. */
	ASSERT_EQ(0, peer_call(&self->peer, publish_as_second, fd, READ));
	ASSERT_EQ(0, publish(self->fd, third, 0600, READ));
	EXPECT_EQ(-ENOENT, withdraw(self->fd, second));
	EXPECT_EQ(-EACCES, peer_call(&self->peer, withdraw_all, fd, 0));
	EXPECT_EQ(2, withdraw_published(self->fd));
	EXPECT_EQ(0, withdraw_published(self->fd));
	EXPECT_EQ(-ENOENT, peer_call(&self->peer, open_second, READ, 0));
	EXPECT_EQ(-ENOENT, open_region(third, READ));
	/* That is not the first, which can be had too. */
	EXPECT_LE(0, open_region(layout.name, READ));
	EXPECT_EQ(0, withdraw(self->fd, layout.name));
	EXPECT_EQ(-ENOENT, open_region(layout.name, READ));
	EXPECT_EQ(0, queried_name(self->fd, 0));
	EXPECT_EQ(0, proc_tells(self->fd, 0));
}

TEST_F(publish, another_region)
{
	struct layout l = layout;
	int other;

	l.name = "other";
	other = create_region(&l);
	ASSERT_LE(0, other);
	EXPECT_EQ(-ENOENT, withdraw(self->fd, "other"));
	EXPECT_EQ(-EEXIST, publish(self->fd, "other", 0600, READ));
	EXPECT_EQ(-EEXIST, publish(self->fd, layout.name, 0600, READ));
	EXPECT_EQ(0, withdraw(other, "other"));
	EXPECT_EQ(0, publish(self->fd, "other", 0600, READ));
}

TEST_F_TIMEOUT(publish, most_names, 120)
{
	char name[32];
	int i;

	for (i = 1; i < SHMCHAN_MAX_NAMES; i++) {
		snprintf(name, sizeof(name), "many-%d", i);
		ASSERT_EQ(0, publish(self->fd, name, 0600, READ));
	}
	EXPECT_EQ(-EMLINK, publish(self->fd, "one-too-many", 0600, READ));
	EXPECT_EQ(-EEXIST, publish(self->fd, "many-1", 0600, READ));
	EXPECT_EQ(0, withdraw(self->fd, "many-1"));
	EXPECT_EQ(0, publish(self->fd, "one-too-many", 0600, READ));
	EXPECT_EQ(SHMCHAN_MAX_NAMES - 1, withdraw_published(self->fd));
}

/* A capability keeps names in one namespace; another one keeps others. */
TEST_F(publish, one_namespace)
{
	struct peer p;
	long fd;

	ASSERT_EQ(0, peer_start(&p));
	fd = peer_give(&p, mint(self->fd, READ | SHMCHAN_RIGHT_PUBLISH));
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, peer_call(&p, publish_as_second, fd, READ));
	ASSERT_EQ(0, peer_call(&p, peer_unshare, CLONE_NEWIPC, 0));
	EXPECT_EQ(-EXDEV, peer_call(&p, publish_as_third, fd, READ));
	/* Joining there, it lets go of the one here. */
	EXPECT_LE(0, open_region(second, READ));
	ASSERT_EQ(1, peer_call(&p, do_join, fd, 1));
	EXPECT_EQ(0, peer_call(&p, publish_as_third, fd, READ));
	EXPECT_EQ(0, withdraw(self->fd, layout.name));
	/* The test's own presence is here still, and it keeps that. */
	EXPECT_LE(0, open_region(second, READ));
	EXPECT_EQ(-ENOENT, open_region(third, READ));
	peer_kill(&p);
}

/* In the peer: creates, and gives its capability away. */
static long create_and_park(long a, long b)
{
	int fd = create_region(&layout);

	(void)a;
	(void)b;
	if (fd < 0)
		return fd;
	return send_fd(peer_sock, fd);
}

/* Nobody who has not joined keeps a name beyond its own process. */
TEST_F(publish, parked)
{
	struct layout l = layout;
	struct peer p;
	int fd, theirs;

	l.name = "parked";
	layout = l;
	ASSERT_EQ(0, peer_start(&p));
	peer_send(&p, create_and_park, 0, 0);
	fd = recv_fd(p.sock);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, peer_answer(&p, PATIENCE_MS));
	theirs = open_region("parked", READ);
	EXPECT_LE(0, theirs);
	peer_kill(&p);
	EXPECT_EQ(-ENOENT, open_region("parked", READ));
	/* The region lives. */
	EXPECT_EQ(1, join(fd, 0));
	EXPECT_EQ(0, publish(fd, "parked", 0600, READ));
	EXPECT_EQ(1, join(theirs, 1));
	/* Both are present here now, and keep it. */
	EXPECT_EQ(0, leave(fd));
	EXPECT_LE(0, open_region("parked", READ));
	EXPECT_EQ(0, leave(theirs));
	EXPECT_EQ(-ENOENT, open_region("parked", READ));
}

/* The IPC namespaces that there are: their numbers, by the files of /proc. */
static long own_ipc_inode(long a, long b)
{
	struct stat st;

	(void)a;
	(void)b;
	return stat("/proc/self/ns/ipc", &st) ? -errno : (long)st.st_ino;
}

/* A name does not keep a namespace whose processes are gone: SysV shows it. */
TEST_F(publish, namespace_goes)
{
	long fd, theirs;

	fd = mint(self->fd, ALL);
	ASSERT_LE(0, fd);
	theirs = peer_give(&self->peer, fd);
	ASSERT_LE(0, theirs);
	ASSERT_LT(0, peer_call(&self->peer, own_ipc_inode, 0, 0));
	ASSERT_EQ(0, peer_call(&self->peer, publish_as_second, theirs, ALL));
	peer_kill(&self->peer);
	/* We still have the file that keeps no name there any more. */
	EXPECT_EQ(0, queried_name(fd, 0) == 2);
	EXPECT_EQ(0, publish(fd, second, 0600, READ));
	EXPECT_LE(0, open_region(second, READ));
	close(fd);
	/* A member here keeps it: this process is present by its slot 0. */
	EXPECT_LE(0, open_region(second, READ));
	EXPECT_EQ(0, leave(self->fd));
	EXPECT_EQ(-ENOENT, open_region(second, READ));
}

TEST_HARNESS_MAIN
