// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring polls and reads a member's file as any other: what is to come is
 * waited for without a thread, and what waits ends when it is cancelled, with
 * its ring, with its process, and with the member.
 */

#include "../kselftest_harness.h"

#include "test_peer.h"
#include "test_uring.h"

#define QUIET_MS	50	/* in which nothing is to happen */

#ifndef IORING_POLL_ADD_MULTI
#define IORING_POLL_ADD_MULTI	(1U << 0)
#endif

static const char *name;
static struct layout layout;

FIXTURE(events) {
	struct peer peer;
	struct uring ring;
	struct status status;	/* the ringer's */
	int fd;			/* slot 0 */
	int ringer;		/* slot 3 */
};

FIXTURE_SETUP(events)
{
	int ret;

	name = own_name();
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = name;
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	self->ringer = open_joined(name, 3);
	ASSERT_LE(0, self->ringer);
	ASSERT_EQ(0, map_status(self->ringer, &self->status));
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	ret = uring_setup_as(&self->ring, 16, 0);
	if (ret)
		SKIP(return, "no io_uring: %s", strerror(-ret));
}

FIXTURE_TEARDOWN(events)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

static struct io_uring_sqe poll_sqe(int fd, unsigned int flags)
{
	return (struct io_uring_sqe) {
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.poll32_events = POLLIN,
		.len = flags,
		.user_data = 0x1234,
	};
}

static struct io_uring_sqe read_sqe(int fd, void *buf, unsigned int len)
{
	return (struct io_uring_sqe) {
		.opcode = IORING_OP_READ,
		.fd = fd,
		.addr = ptr(buf),
		.len = len,
		.user_data = 0x1234,
	};
}

static int cancel(struct uring *r)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_ASYNC_CANCEL,
		.addr = 0x1234,
		.user_data = 1,
	};

	return uring_submit(r, &sqe);
}

TEST_F(events, poll)
{
	struct io_uring_sqe sqe = poll_sqe(self->fd, 0);

	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
	ring(self->ringer, BELL_SHARED, 0);
	EXPECT_EQ(POLLIN, uring_result(&self->ring, PATIENCE_MS));
	/* Pending already. */
	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	EXPECT_EQ(POLLIN, uring_result(&self->ring, PATIENCE_MS));
}

TEST_F(events, poll_multishot)
{
	struct io_uring_sqe sqe = poll_sqe(self->fd, IORING_POLL_ADD_MULTI);
	struct shmchan_event e;
	struct io_uring_cqe cqe;
	unsigned int i;

	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
		ring(self->ringer, BELL_SHARED, 0);
		ASSERT_TRUE(uring_next(&self->ring, &cqe, PATIENCE_MS));
		EXPECT_EQ(POLLIN, cqe.res & POLLIN);
		EXPECT_EQ(IORING_CQE_F_MORE, cqe.flags);
		EXPECT_EQ(sizeof(e), read(self->fd, &e, sizeof(e)));
		EXPECT_EQ(1, e.count);
	}
	EXPECT_EQ(0, leave(self->fd));
	/* It says so each time that it is asked to be told. */
	ASSERT_TRUE(uring_next(&self->ring, &cqe, PATIENCE_MS));
	EXPECT_EQ(POLLHUP, cqe.res & POLLHUP);
}

/* A read that was there first gets what comes. */
TEST_F(events, read)
{
	static const unsigned int flags[] = { 0, IOSQE_ASYNC };
	struct shmchan_event e[4];
	struct io_uring_sqe sqe;
	unsigned int i;

	ASSERT_EQ(0, subscribe(self->fd, BELL_OF(0), 0));
	for (i = 0; i < COUNT(flags); i++) {
		sqe = read_sqe(self->fd, e, sizeof(e));
		sqe.flags = flags[i];
		ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
		EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
		memset(e, 0xff, sizeof(e));
		ring(self->ringer, BELL_SHARED, 0);
		EXPECT_EQ(sizeof(e[0]),
			  uring_result(&self->ring, PATIENCE_MS));
		EXPECT_EQ(BELL_SHARED, e[0].doorbell);
		EXPECT_EQ(1, e[0].count);

		/* What is there already, as much as fits. */
		ring(self->ringer, BELL_SHARED, 0);
		ring(self->ringer, BELL_OF(0), 0);
		ring(self->ringer, BELL_OF(0), 0);
		ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
		EXPECT_EQ(2 * sizeof(e[0]),
			  uring_result(&self->ring, PATIENCE_MS));
		EXPECT_EQ(3, e[0].count + e[1].count);
		EXPECT_EQ(BELL_SHARED + BELL_OF(0),
			  e[0].doorbell + e[1].doorbell);
	}
}

/* The buffers of a multishot read. */
static char buffers[8][2 * sizeof(struct shmchan_event)];

static int give_buffers(struct uring *r)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_PROVIDE_BUFFERS,
		.fd = COUNT(buffers),
		.addr = ptr(buffers),
		.len = sizeof(buffers[0]),
		.buf_group = 7,
	};

	return uring_do(r, &sqe);
}

static bool knows_op(struct uring *r, unsigned int op)
{
	struct {
		struct io_uring_probe head;
		struct io_uring_probe_op ops[256];
	} probe = {};

	return !syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_PROBE,
			&probe, 256) &&
	       op <= probe.head.last_op &&
	       probe.ops[op].flags & IO_URING_OP_SUPPORTED;
}

TEST_F(events, read_multishot)
{
	struct io_uring_sqe sqe = {
		.opcode = URING_READ_MULTISHOT,
		.fd = self->fd,
		.flags = IOSQE_BUFFER_SELECT,
		.buf_group = 7,
		.user_data = 0x1234,
	};
	const struct shmchan_event *e;
	struct io_uring_cqe cqe;
	unsigned int i;

	if (!knows_op(&self->ring, URING_READ_MULTISHOT))
		SKIP(return, "no IORING_OP_READ_MULTISHOT");
	ASSERT_EQ(0, give_buffers(&self->ring));
	/* One that is there already, and those to come. */
	ring(self->ringer, BELL_SHARED, 0);
	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	for (i = 0; i < 5; i++) {
		if (i)
			ring(self->ringer, BELL_SHARED, 0);
		ASSERT_TRUE(uring_next(&self->ring, &cqe, PATIENCE_MS));
		ASSERT_EQ(sizeof(*e), cqe.res);
		EXPECT_EQ(IORING_CQE_F_MORE | IORING_CQE_F_BUFFER,
			  cqe.flags & 0xffff & ~4U);
		e = (void *)buffers[cqe.flags >> 16];
		EXPECT_EQ(BELL_SHARED, e->doorbell);
		EXPECT_EQ(1, e->count);
		EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
	}
	EXPECT_EQ(0, leave(self->fd));
	ASSERT_TRUE(uring_next(&self->ring, &cqe, PATIENCE_MS));
	EXPECT_EQ(-ESTALE, cqe.res);
	EXPECT_EQ(0, cqe.flags & IORING_CQE_F_MORE);
}

TEST_F(events, cancelled)
{
	struct shmchan_event e;
	struct io_uring_sqe sqes[] = {
		poll_sqe(self->fd, 0), poll_sqe(self->fd, IORING_POLL_ADD_MULTI),
		read_sqe(self->fd, &e, sizeof(e)),
	};
	struct io_uring_cqe cqe;
	unsigned int i, k;

	for (i = 0; i < COUNT(sqes); i++) {
		ASSERT_EQ(0, uring_submit(&self->ring, &sqes[i]));
		EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
		ASSERT_EQ(0, cancel(&self->ring));
		for (k = 0; k < 2; k++) {
			ASSERT_TRUE(uring_next(&self->ring, &cqe,
					       PATIENCE_MS));
			EXPECT_EQ(cqe.user_data == 1 ? 0 : -ECANCELED, cqe.res)
				TH_LOG("request %u", i);
		}
		/* It has taken nothing with it. */
		ring(self->ringer, BELL_SHARED, 0);
		EXPECT_EQ(sizeof(e), read(self->fd, &e, sizeof(e)));
		EXPECT_EQ(1, e.count);
		/* Who polls is told of it by now, be it by a worker. */
		usleep(QUIET_MS * 1000);
	}
}

TEST_F(events, member_ends)
{
	struct shmchan_event e;
	struct io_uring_sqe sqe = poll_sqe(self->fd, 0);

	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
	EXPECT_EQ(0, leave(self->fd));
	EXPECT_EQ(POLLIN | POLLERR | POLLHUP,
		  uring_result(&self->ring, PATIENCE_MS));
	sqe = read_sqe(self->fd, &e, sizeof(e));
	EXPECT_EQ(-ESTALE, uring_do(&self->ring, &sqe));
}

/* In the peer: joins, and leaves a read, or a poll, behind. */
static struct shmchan_event my_events[4];
static struct uring my_ring;

static long read_as_peer(long slot, long polls)
{
	struct io_uring_sqe sqe;
	int fd = open_joined(name, slot);

	if (fd < 0 || subscribe(fd, BELL_SHARED, 0) || uring_setup(&my_ring))
		return -1;
	sqe = polls ? poll_sqe(fd, IORING_POLL_ADD_MULTI) :
		      read_sqe(fd, my_events, sizeof(my_events));
	return uring_submit(&my_ring, &sqe);
}

static long result_of_peer(long a, long b)
{
	(void)a;
	(void)b;
	return uring_result(&my_ring, PATIENCE_MS);
}

TEST_F(events, revoked)
{
	ASSERT_EQ(0, peer_call(&self->peer, read_as_peer, 1, 0));
	EXPECT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(-ESTALE, peer_call(&self->peer, result_of_peer, 0, 0));
}

TEST_F(events, death)
{
	struct peer other;

	ASSERT_EQ(0, peer_start(&other));
	ASSERT_EQ(0, peer_call(&self->peer, read_as_peer, 1, 0));
	ASSERT_EQ(0, peer_call(&other, read_as_peer, 2, 1));
	peer_kill(&self->peer);
	peer_kill(&other);
	EXPECT_TRUE(eventually(slot_state(&self->status, 1) ==
			       SHMCHAN_SLOT_DIED));
	EXPECT_TRUE(eventually(slot_state(&self->status, 2) ==
			       SHMCHAN_SLOT_DIED));
	EXPECT_TRUE(eventually(open_joined(name, 1) >= 0));
}

TEST_F(events, ring_is_closed)
{
	struct io_uring_sqe sqe;
	struct shmchan_event e;
	unsigned int i;
	struct uring r;

	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, uring_setup(&r));
		sqe = read_sqe(self->fd, &e, sizeof(e));
		ASSERT_EQ(0, uring_submit(&r, &sqe));
		sqe = poll_sqe(self->fd, IORING_POLL_ADD_MULTI);
		ASSERT_EQ(0, uring_submit(&r, &sqe));
		uring_close(&r);
	}
	/* Nobody is left who keeps the member when its file is closed. */
	close(self->fd);
	EXPECT_TRUE(eventually(slot_state(&self->status, 0) ==
			       SHMCHAN_SLOT_LEFT));
}

/* preadv2() with RWF_NOWAIT: the same, without io_uring. */
TEST_F(events, read_nowait)
{
	struct shmchan_event e;
	struct iovec iov = { &e, sizeof(e) };

	EXPECT_EQ(-1, preadv2(self->fd, &iov, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ring(self->ringer, BELL_SHARED, 0);
	EXPECT_EQ(sizeof(e), preadv2(self->fd, &iov, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(1, e.count);
}

TEST_HARNESS_MAIN
