// SPDX-License-Identifier: GPL-2.0-only
/*
 * RING as a request of io_uring: does what the ioctl does, and is refused what
 * that is refused.
 */

#include "../kselftest_harness.h"

#include "test_peer.h"
#include "test_uring.h"

#define RW	(PROT_READ | PROT_WRITE)

static const char *name;
static struct layout layout;

#define WORD	control_at(&layout, FOLIO_SHARED)

FIXTURE(rings) {
	struct peer peer;
	struct uring ring;
	struct status status;
	int fd;			/* slot 0 */
	volatile uint64_t *word;
};

FIXTURE_SETUP(rings)
{
	int ret;

	name = own_name();
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = name;
	if (!has_feature(SHMCHAN_FEATURE_URING_RING))
		SKIP(return, "this kernel has no io_uring");
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
	self->word = map(self->fd, WORD, PAGE, RW);
	ASSERT_NE(MAP_FAILED, (void *)self->word);
	ret = uring_setup_as(&self->ring, 16, 0);
	if (ret)
		SKIP(return, "no io_uring: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(rings)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

#define waiters(bell) (self->status.bells[bell].waiters)

static int uring_ring(struct uring *r, int fd, unsigned int doorbell,
		      unsigned int max_wake)
{
	struct io_uring_sqe sqe = uring_ring_sqe(fd, doorbell, max_wake);

	return uring_do(r, &sqe);
}

/* In a peer: sleeps on the shared doorbell until the word is not 0. */
static long sleep_there(long slot, long b)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_SHARED, WORD, 0);
	int fd = open_joined(name, slot);

	(void)b;
	return fd < 0 ? fd : wait_until(fd, &e, 1, SHMCHAN_FOREVER);
}

TEST_F(rings, wakes)
{
	peer_send(&self->peer, sleep_there, 1, 0);
	ASSERT_TRUE(eventually(waiters(BELL_SHARED) == 1));
	EXPECT_EQ(0, uring_ring(&self->ring, self->fd, BELL_SHARED, 0));
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));
	*self->word = 1;
	EXPECT_EQ(1, uring_ring(&self->ring, self->fd, BELL_SHARED, 0));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
	EXPECT_EQ(2, self->status.bells[BELL_SHARED].seq);
	EXPECT_EQ(0, waiters(BELL_SHARED));
}

TEST_F(rings, wakes_as_many_as_wanted)
{
	struct peer other;

	ASSERT_EQ(0, peer_start(&other));
	peer_send(&self->peer, sleep_there, 1, 0);
	peer_send(&other, sleep_there, 2, 0);
	EXPECT_TRUE(eventually(waiters(BELL_SHARED) == 2));
	*self->word = 1;
	EXPECT_EQ(1, uring_ring(&self->ring, self->fd, BELL_SHARED, 1));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(1, uring_ring(&self->ring, self->fd, BELL_SHARED, 5));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
	EXPECT_EQ(0, peer_answer(&other, PATIENCE_MS));
	peer_kill(&other);
}

/* Having woken somebody is no failure: what is linked behind it follows. */
TEST_F(rings, linked)
{
	struct io_uring_sqe sqe = uring_ring_sqe(self->fd, BELL_SHARED, 0);
	struct io_uring_cqe cqe;
	unsigned int i;

	peer_send(&self->peer, sleep_there, 1, 0);
	ASSERT_TRUE(eventually(waiters(BELL_SHARED) == 1));
	*self->word = 1;
	sqe.flags = IOSQE_IO_LINK;
	sqe.user_data = 0;
	uring_queue(&self->ring, &sqe);
	sqe = uring_ring_sqe(self->fd, BELL_OF(1), 0);
	sqe.user_data = 1;
	uring_queue(&self->ring, &sqe);
	ASSERT_EQ(2, uring_enter(&self->ring, 2));
	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(uring_next(&self->ring, &cqe, PATIENCE_MS));
		EXPECT_EQ(!cqe.user_data, cqe.res);
	}
	EXPECT_EQ(1, self->status.bells[BELL_OF(1)].seq);
	/* What fails ends the chain. */
	sqe = uring_ring_sqe(self->fd, 99, 0);
	sqe.flags = IOSQE_IO_LINK;
	uring_queue(&self->ring, &sqe);
	sqe = uring_ring_sqe(self->fd, BELL_OF(1), 0);
	uring_queue(&self->ring, &sqe);
	ASSERT_EQ(2, uring_enter(&self->ring, 2));
	EXPECT_EQ(-EINVAL, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(-ECANCELED, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(1, self->status.bells[BELL_OF(1)].seq);
}

TEST_F(rings, ways)
{
	static const unsigned int setups[] = {
		0, URING_DEFERRED, IORING_SETUP_SQPOLL,
	};
	struct io_uring_sqe sqe;
	unsigned int i, way, seq = 0;
	struct uring r;

	for (i = 0; i < COUNT(setups); i++) {
		ASSERT_EQ(0, uring_setup_as(&r, 4, setups[i]));
		ASSERT_EQ(0, syscall(SYS_io_uring_register, r.fd,
				     IORING_REGISTER_FILES, &self->fd, 1));
		for (way = 0; way < 4; way++) {
			sqe = uring_ring_sqe(way & 1 ? 0 : self->fd,
					     BELL_SHARED, 0);
			if (way & 1)
				sqe.flags |= IOSQE_FIXED_FILE;
			if (way & 2)
				sqe.flags |= IOSQE_ASYNC;
			ASSERT_EQ(0, uring_submit(&r, &sqe));
			EXPECT_EQ(0, uring_result(&r, PATIENCE_MS))
				TH_LOG("setup %u, way %u", i, way);
			EXPECT_EQ(++seq, self->status.bells[BELL_SHARED].seq);
		}
		uring_close(&r);
	}
}

/* Nor is it told how many, where the ioctl does not say. */
TEST_F(rings, count_is_for_readers)
{
	int fd = open_region(name, SHMCHAN_RIGHT_RING);

	ASSERT_LE(0, fd);
	ASSERT_LT(0, join(fd, 3));
	peer_send(&self->peer, sleep_there, 1, 0);
	ASSERT_TRUE(eventually(waiters(BELL_SHARED) == 1));
	*self->word = 1;
	EXPECT_EQ(0, uring_ring(&self->ring, fd, BELL_SHARED, 0));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
}

/* In the peer: rings with a file that it was given. */
static long ring_with_passed(long fd, long bell)
{
	struct uring r;

	return uring_setup(&r) ? 1 : uring_ring(&r, fd, bell, 0);
}

TEST_F(rings, refusals)
{
	struct io_uring_sqe sqe = uring_ring_sqe(self->fd, BELL_SHARED, 0);
	struct uring *r = &self->ring;
	unsigned int ops[] = {
		0, SHMCHAN_IOC_LEAVE, SHMCHAN_IOC_RING_WAIT, ~0U,
		SHMCHAN_IOC_RING | 1U << 31,
	};
	struct uring polled;
	unsigned int i;
	long passed;
	int fd, ret;

	EXPECT_EQ(-EINVAL, uring_ring(r, self->fd, 6, 0));
	EXPECT_EQ(-EINVAL, uring_ring(r, self->fd, ~0U, 0));
	EXPECT_EQ(-EACCES, uring_ring(r, self->fd, SHMCHAN_DOORBELL_MEMBERS,
				      0));
	((uint64_t *)&sqe)[7] = 1;
	EXPECT_EQ(-EINVAL, uring_do(r, &sqe));
	for (i = 0; i < COUNT(ops); i++) {
		sqe = uring_ring_sqe(self->fd, BELL_SHARED, 0);
		sqe.off = ops[i];
		EXPECT_EQ(-EOPNOTSUPP, uring_do(r, &sqe));
	}
	if (!has_feature(SHMCHAN_FEATURE_URING_WAIT)) {
		sqe.off = SHMCHAN_IOC_WAIT;
		EXPECT_EQ(-EOPNOTSUPP, uring_do(r, &sqe));
	}

	/* Rings whose completions are polled for; later kernels do it anyhow. */
	ASSERT_EQ(0, uring_setup_as(&polled, 4, IORING_SETUP_IOPOLL));
	ret = uring_ring(&polled, self->fd, BELL_OF(1), 0);
	EXPECT_TRUE(ret == -EOPNOTSUPP || ret == 0)
		TH_LOG("%d", ret);
	uring_close(&polled);

	passed = peer_give(&self->peer, self->fd);
	ASSERT_LE(0, passed);
	EXPECT_EQ(-EPERM, peer_call(&self->peer, ring_with_passed, passed,
				    BELL_SHARED));
	fd = open_region(name, SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT);
	EXPECT_EQ(-ENOTCONN, uring_ring(r, fd, BELL_SHARED, 0));
	ASSERT_LT(0, join(fd, 1));
	EXPECT_EQ(-EACCES, uring_ring(r, fd, BELL_SHARED, 0));
	EXPECT_EQ(0, leave(fd));
	EXPECT_EQ(-ESTALE, uring_ring(r, fd, BELL_SHARED, 0));
	EXPECT_EQ(0, self->status.bells[BELL_SHARED].seq);
}

TEST_HARNESS_MAIN
