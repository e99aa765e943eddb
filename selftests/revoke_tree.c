// SPDX-License-Identifier: GPL-2.0-only
/*
 * Revoking one capability revokes what came of it, by whatever way, and nothing
 * else; and nobody revokes what its own comes of.
 */

#include "../kselftest_harness.h"

#include <pthread.h>
#include <sys/stat.h>

#include "test_peer.h"

#define ALL	SHMCHAN_RIGHT_ALL
#define READ	SHMCHAN_RIGHT_MAP_READ

static struct layout layout;

FIXTURE(tree) {
	int fd;			/* slot 0, of the creator */
	int owner;		/* not joined, opened by name */
	struct status status;
};

FIXTURE_SETUP(tree)
{
	umask(0);
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = own_name();
	layout.mode = 0666;
	layout.nr_slots = 8;
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	self->owner = open_region(layout.name, ALL);
	ASSERT_LE(0, self->owner);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
}

FIXTURE_TEARDOWN(tree)
{
}

static int alive(int fd)
{
	return ring(fd, BELL_SHARED, 0);
}

TEST_F(tree, below)
{
	int a, b, c, joined, beside, named;

	a = mint(self->fd, ALL);
	beside = mint(self->fd, ALL);
	b = mint(a, ALL);
	joined = mint(b, ALL);
	ASSERT_LE(0, joined);
	ASSERT_LT(0, join(a, 1));
	ASSERT_LT(0, join(joined, 2));
	ASSERT_LT(0, join(beside, 3));
	ASSERT_EQ(0, publish(b, "below", 0666, ALL));
	named = open_region("below", ALL);
	ASSERT_LE(0, named);
	ASSERT_LT(0, join(named, 4));
	/* Closing what lies between does not cut the branch off. */
	close(b);
	c = mint(joined, ALL);
	ASSERT_LE(0, c);

	EXPECT_EQ(3, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(-ESTALE, alive(a));
	EXPECT_EQ(-ESTALE, alive(joined));
	EXPECT_EQ(-ESTALE, alive(named));
	EXPECT_EQ(-ESTALE, join(c, 5));
	EXPECT_EQ(-ESTALE, mint(c, READ));
	EXPECT_EQ(-ESTALE, set_mode(c, 0600));
	EXPECT_EQ(-ENOENT, open_region("below", READ));
	/* The others do not notice. */
	EXPECT_EQ(0, alive(beside));
	EXPECT_EQ(0, alive(self->fd));
	EXPECT_LT(0, join(mint(beside, RIGHTS_RW), 1));
}

TEST_F(tree, not_above)
{
	int a, b;

	a = mint(self->fd, ALL);
	b = mint(a, ALL);
	ASSERT_LE(0, b);
	ASSERT_LT(0, join(a, 1));
	ASSERT_LT(0, join(b, 2));
	EXPECT_EQ(-EPERM, revoke_slot(b, 1, 0));
	EXPECT_EQ(-EPERM, revoke_slot(b, 0, 0));
	EXPECT_EQ(-EINVAL, revoke_slot(b, 2, 0));
	/* By uid they are passed over, and so is the one itself. */
	EXPECT_EQ(1, revoke_uid(b, geteuid()));
	EXPECT_EQ(-ESTALE, join(self->owner, 3));
	EXPECT_EQ(0, alive(a));
	EXPECT_EQ(0, alive(b));
	EXPECT_EQ(0, alive(self->fd));
	/* Who opened by its own right stands below nobody. */
	self->owner = open_region(layout.name, ALL);
	EXPECT_EQ(3, revoke_slot(self->owner, 0, 0));
	EXPECT_EQ(-ESTALE, alive(b));
}

/* In the peer. */
static long open_join(long slot, long b)
{
	(void)b;
	return open_joined(layout.name, slot);
}

static long open_only(long rights, long b)
{
	(void)b;
	return open_region(layout.name, rights);
}

static long join_it(long fd, long slot)
{
	return join(fd, slot);
}

TEST_F(tree, by_uid)
{
	struct peer p, q;
	long unjoined, passed;

	if (geteuid())
		SKIP(return, "needs root, to become others");
	ASSERT_EQ(0, peer_start(&p));
	ASSERT_EQ(0, peer_start(&q));
	ASSERT_EQ(0, peer_call(&p, peer_become, 1000, 1000));
	ASSERT_EQ(0, peer_call(&q, peer_become, 1001, 1001));
	ASSERT_LE(0, peer_call(&p, open_join, 1, 0));
	ASSERT_LE(0, peer_call(&p, open_join, 2, 0));
	ASSERT_LE(0, peer_call(&q, open_join, 3, 0));
	unjoined = peer_call(&p, open_only, RIGHTS_RW, 0);
	ASSERT_LE(0, unjoined);
	/* What it was passed and joined with counts as its own. */
	passed = peer_give(&p, mint(self->fd, RIGHTS_RW));
	ASSERT_LE(0, passed);
	ASSERT_LT(0, peer_call(&p, join_it, passed, 4));

	EXPECT_EQ(0, set_mode(self->fd, 0600));
	EXPECT_EQ(4, revoke_uid(self->fd, 1000));
	EXPECT_EQ(SHMCHAN_SLOT_REVOKED, slot_state(&self->status, 1));
	EXPECT_EQ(SHMCHAN_SLOT_REVOKED, slot_state(&self->status, 2));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 3));
	EXPECT_EQ(SHMCHAN_SLOT_REVOKED, slot_state(&self->status, 4));
	EXPECT_EQ(-ESTALE, peer_call(&p, join_it, unjoined, 1));
	EXPECT_EQ(-EACCES, peer_call(&p, open_only, READ, 0));
	EXPECT_EQ(0, revoke_uid(self->fd, 1000));
	EXPECT_EQ(0, revoke_uid(self->fd, 4711));
	peer_kill(&p);
	peer_kill(&q);
}

/* In the peer: joins, exports what all may write, and says which file it is. */
static long export_shared(long slot, long b)
{
	int fd = open_joined(layout.name, slot), buf;

	(void)b;
	if (fd < 0)
		return fd;
	buf = export_dmabuf(fd, control_at(&layout, FOLIO_SHARED), PAGE,
			    SHMCHAN_EXPORT_WRITE);
	if (buf < 0)
		return buf;
	if (send_fd(peer_sock, buf))
		return -errno;
	close(buf);
	return close(fd);
}

/* In the peer: publishes, and closes what it published with. */
static long publish_and_close(long fd, long b)
{
	int ret = publish(fd, "closed", 0666, ALL & ~SHMCHAN_RIGHT_ADMIN);

	(void)b;
	close(fd);
	return ret;
}

/* In the peer: mints for others, and closes what it minted from. */
static long mint_and_close(long fd, long b)
{
	int minted = mint(fd, RIGHTS_RW);

	(void)b;
	if (minted < 0)
		return minted;
	close(fd);
	return send_fd(peer_sock, minted);
}

/* Gives the peer what it alone has then. */
static long give_minted(const struct peer *p, int from)
{
	int fd = mint(from, ALL);
	long theirs = peer_give(p, fd);

	close(fd);
	return theirs;
}

/* Who has closed its files can still be revoked. */
TEST_F(tree, closed)
{
	int buf, minted, named;
	struct peer p;
	long fd;
	char *w;

	if (geteuid())
		SKIP(return, "needs root, to become others");
	ASSERT_EQ(0, peer_start(&p));
	ASSERT_EQ(0, peer_call(&p, peer_become, 1000, 1000));
	peer_send(&p, export_shared, 1, 0);
	buf = recv_fd(p.sock);
	ASSERT_LE(0, buf);
	ASSERT_EQ(0, peer_answer(&p, PATIENCE_MS));
	w = map(buf, 0, PAGE, PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, w);
	ASSERT_EQ(0, probe_write(w));

	/* Its uid counts by having joined. */
	fd = give_minted(&p, self->fd);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, peer_call(&p, join_it, fd, 2));
	/* The name stays while somebody is present here: this process. */
	ASSERT_EQ(0, peer_call(&p, publish_and_close, fd, 0));
	named = open_region("closed", RIGHTS_RW);
	ASSERT_LE(0, named);
	ASSERT_LT(0, join(named, 3));

	fd = give_minted(&p, self->fd);
	ASSERT_LT(0, peer_call(&p, join_it, fd, 4));
	peer_send(&p, mint_and_close, fd, 0);
	minted = recv_fd(p.sock);
	ASSERT_LE(0, minted);
	ASSERT_EQ(0, peer_answer(&p, PATIENCE_MS));
	ASSERT_LT(0, join(minted, 5));

	EXPECT_EQ(2, revoke_uid(self->fd, 1000));
	EXPECT_EQ(SIGBUS, probe_read(w));
	EXPECT_EQ(SIGBUS, probe_write(w));
	EXPECT_EQ(-ENOENT, open_region("closed", READ));
	EXPECT_EQ(-ESTALE, alive(named));
	EXPECT_EQ(-ESTALE, alive(minted));
	EXPECT_EQ(0, alive(self->fd));
	peer_kill(&p);
}

/* By slot and generation too, as long as something of it is there. */
TEST_F(tree, generation_that_left)
{
	int fd, minted;

	fd = mint(self->fd, ALL);
	ASSERT_EQ(1, join(fd, 1));
	minted = mint(fd, RIGHTS_RW);
	ASSERT_LT(0, join(minted, 2));
	ASSERT_EQ(0, leave(fd));
	EXPECT_EQ(-ESRCH, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(-ESRCH, revoke_slot(self->fd, 1, 2));
	EXPECT_EQ(1, revoke_slot(self->fd, 1, 1));
	EXPECT_EQ(-ESTALE, alive(minted));
	EXPECT_EQ(-ESRCH, revoke_slot(self->fd, 1, 1));
}

static volatile bool stop;

/* Opens, joins and mints as fast as it can, with what it was given. */
static void *churn(void *arg)
{
	int from = *(int *)arg;
	int fd;

	while (!stop) {
		fd = mint(from, RIGHTS_RW);
		if (fd >= 0) {
			join(fd, SHMCHAN_SLOT_ANY);
			close(fd);
		}
	}
	return NULL;
}

/* Against MINT and JOIN: nothing slips through. */
TEST_F_TIMEOUT(tree, while_they_join, 120)
{
	pthread_t threads[2];
	unsigned int i, round, slot;
	int from;

	for (round = 0; round < 50; round++) {
		from = mint(self->fd, ALL);
		ASSERT_LE(0, from);
		ASSERT_LT(0, join(from, 1));
		stop = false;
		for (i = 0; i < COUNT(threads); i++)
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, churn,
						    &from));
		usleep(1000 * (round % 7));
		EXPECT_LE(1, revoke_slot(self->owner, 1, 0));
		/* One that was about to close may be at that still. */
		for (slot = 1; slot < 8; slot++)
			EXPECT_TRUE(eventually(slot_state(&self->status, slot)
					       != SHMCHAN_SLOT_LIVE))
				TH_LOG("a survivor in round %u", round);
		stop = true;
		for (i = 0; i < COUNT(threads); i++)
			pthread_join(threads[i], NULL);
		close(from);
	}
}

TEST_HARNESS_MAIN
