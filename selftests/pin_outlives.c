// SPDX-License-Identifier: GPL-2.0-only
/*
 * I/O that a member has begun may hold its memory after its end.  Its slot is
 * given to nobody before that is over; other slots are.
 */

#include "../kselftest_harness.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "test_peer.h"
#include "test_uring.h"

#define RW	(PROT_READ | PROT_WRITE)

static struct layout layout;
static size_t folio;

FIXTURE(pin) {
	struct peer peer;	/* slot 0 */
	struct status status;
	int pipes[2];
	int fd;			/* slot 3 */
	long theirs;
	long their_pipe;
};

FIXTURE_VARIANT(pin) {
	unsigned int flags;
	bool control;
};

FIXTURE_VARIANT_ADD(pin, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(pin, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_VARIANT_ADD(pin, control) {
	.flags = 0,
	.control = true,
};

static uint64_t window_at;
static size_t window_size;

FIXTURE_SETUP(pin)
{
	layout = layout_default(variant->flags, true);
	layout.name = own_name();
	folio = folio_size(&layout);
	window_at = variant->control ? control_at(&layout, FOLIO_OWN) :
				       FOLIO_OWN * folio;
	window_size = variant->control ? PAGE : folio;
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 3);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
	ASSERT_EQ(0, pipe(self->pipes));
	self->theirs = peer_call(&self->peer, peer_join, (long)layout.name, 0);
	ASSERT_LE(0, self->theirs);
	self->their_pipe = peer_give(&self->peer, self->pipes[1]);
	ASSERT_LE(0, self->their_pipe);
}

FIXTURE_TEARDOWN(pin)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

/* In the peer: a pipe holds the last byte of its window. */
static long pin_by_pipe(long fd, long pipe)
{
	char *p = map(fd, window_at, window_size, RW);
	struct iovec iov = { p + window_size - 1, 1 };

	if (p == MAP_FAILED)
		return -errno;
	p[window_size - 1] = 'p';
	if (vmsplice(pipe, &iov, 1, 0) != 1)
		return -errno;
	/* The pipe alone: no mapping is in the way. */
	munmap(p, window_size);
	return 0;
}

/* The slot is held back, and nothing else is. */
#define check_held(state) do {						\
	int _other;							\
									\
	EXPECT_EQ(state, slot_state(&self->status, 0));			\
	EXPECT_EQ(-EBUSY, open_joined(layout.name, 0));			\
	EXPECT_EQ(-EBUSY, open_joined(layout.name, 0));			\
	/* It says what it was before, not that it is being claimed. */	\
	EXPECT_EQ(state, slot_state(&self->status, 0));			\
	EXPECT_EQ(1, slot_gen(&self->status, 0));			\
	_other = open_joined(layout.name, 1);				\
	EXPECT_LE(0, _other);						\
	close(_other);							\
	_other = open_joined(layout.name, 1);				\
	EXPECT_LE(0, _other);						\
	close(_other);							\
	/* Somebody who takes any slot takes another. */		\
	_other = open_joined(layout.name, SHMCHAN_SLOT_ANY);		\
	EXPECT_LE(0, _other);						\
	EXPECT_NE(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 0));	\
	close(_other);							\
} while (0)

#define check_free() do {						\
	int _fd = open_joined(layout.name, 0);				\
									\
	EXPECT_LE(0, _fd);						\
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 0));	\
	EXPECT_EQ(2, slot_gen(&self->status, 0));			\
	EXPECT_EQ(0, map_error(_fd, window_at, window_size, RW,		\
			       MAP_SHARED));				\
} while (0)

TEST_F(pin, pipe_after_death)
{
	char byte;

	ASSERT_EQ(0, peer_call(&self->peer, pin_by_pipe, self->theirs,
			       self->their_pipe));
	peer_kill(&self->peer);
	check_held(SHMCHAN_SLOT_DIED);
	ASSERT_EQ(1, read(self->pipes[0], &byte, 1));
	EXPECT_EQ('p', byte);
	check_free();
}

TEST_F(pin, pipe_after_leave)
{
	char byte;

	ASSERT_EQ(0, peer_call(&self->peer, pin_by_pipe, self->theirs,
			       self->their_pipe));
	ASSERT_EQ(0, peer_call(&self->peer, peer_leave, self->theirs, 0));
	check_held(SHMCHAN_SLOT_LEFT);
	ASSERT_EQ(1, read(self->pipes[0], &byte, 1));
	check_free();
}

static void *let_go_soon(void *pipe)
{
	char byte;

	usleep(10000);
	return (void *)read(*(int *)pipe, &byte, 1);
}

/* What goes a moment later is as good as none: JOIN waits for it. */
TEST_F(pin, let_go_meanwhile)
{
	int fd = -EBUSY, tries;
	pthread_t thread;
	void *got;

	/* Long enough for a thread that is not much too late, once of ten times. */
	for (tries = 0; tries < 10 && fd == -EBUSY; tries++) {
		if (tries) {
			ASSERT_EQ(0, peer_start(&self->peer));
			self->theirs = peer_call(&self->peer, peer_join,
						 (long)layout.name, 0);
			ASSERT_LE(0, self->theirs);
			self->their_pipe = peer_give(&self->peer,
						     self->pipes[1]);
		}
		ASSERT_EQ(0, peer_call(&self->peer, pin_by_pipe, self->theirs,
				       self->their_pipe));
		peer_kill(&self->peer);
		ASSERT_EQ(0, pthread_create(&thread, NULL, let_go_soon,
					    &self->pipes[0]));
		fd = open_joined(layout.name, 0);
		ASSERT_EQ(0, pthread_join(thread, &got));
		ASSERT_EQ(1, (long)got);
	}
	EXPECT_LE(0, fd)
		TH_LOG("%s, %d times", strerror(-fd), tries);
}

struct joiner {
	int fd;
	int ret;
};

static void *join_0(void *arg)
{
	struct joiner *j = arg;

	j->ret = join(j->fd, 0);
	return NULL;
}

/* While it waits for that it may be revoked, and who polls it is told. */
TEST_F(pin, revoked_as_it_joins)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int above, ep = epoll_create1(EPOLL_CLOEXEC);
	struct joiner j = {};
	pthread_t thread;

	ASSERT_EQ(0, peer_call(&self->peer, pin_by_pipe, self->theirs,
			       self->their_pipe));
	peer_kill(&self->peer);
	above = mint(self->fd, SHMCHAN_RIGHT_ALL);
	ASSERT_LT(0, join(above, 1));
	j.fd = mint(above, SHMCHAN_RIGHT_ALL);
	ASSERT_LE(0, j.fd);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, j.fd, &ev));
	epoll_wait(ep, &ev, 1, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, join_0, &j));
	usleep(10000);
	EXPECT_EQ(1, revoke_slot(self->fd, 1, 0));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(j.ret == -ESTALE || j.ret == -EBUSY);
	EXPECT_EQ(-ESTALE, join(j.fd, 2));
	ASSERT_EQ(1, epoll_wait(ep, &ev, 1, PATIENCE_MS));
	EXPECT_NE(0, ev.events & EPOLLHUP);
	close(ep);
}

/* The region ends all the same; its memory when the pin does. */
TEST_F(pin, pipe_after_the_region)
{
	int64_t before = total_bytes();
	char byte;

	ASSERT_EQ(0, peer_call(&self->peer, pin_by_pipe, self->theirs,
			       self->their_pipe));
	peer_kill(&self->peer);
	munmap((void *)self->status.head, self->status.size);
	close(self->fd);
	if (before > 0)
		EXPECT_GT(before, total_bytes());
	EXPECT_EQ(-ENOENT, open_region(layout.name, RIGHTS_RW));
	ASSERT_EQ(1, read(self->pipes[0], &byte, 1));
	EXPECT_EQ('p', byte);
}

/* In the peer. */
static struct uring ring_there;
static char *ring_buf;
static pid_t ring_keeper;

/* In the peer: its window is a registered buffer: a writable pin. */
static long pin_by_ring(long fd, long b)
{
	struct iovec iov;
	long ret;

	(void)b;
	ret = uring_setup(&ring_there);
	if (ret)
		return ret;
	ring_buf = map(fd, window_at, window_size, RW);
	if (ring_buf == MAP_FAILED)
		return -errno;
	iov = (struct iovec) { ring_buf, window_size };
	return uring_register(&ring_there, &iov, 1);
}

/* In whoever has the ring: reads a byte into the buffer. */
static long scribble(int pipe)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ_FIXED,
		.fd = pipe,
		.addr = ptr(ring_buf),
		.len = 1,
		.off = -1,
	};

	return uring_do(&ring_there, &sqe) == 1 ? 0 : -EIO;
}

/*
 * In the peer: a child that keeps the ring, and for each byte that it gets
 * over @sock scribbles once.
 */
static long fork_ring_keeper(long sock, long pipe)
{
	char byte;

	ring_keeper = fork();
	if (ring_keeper)
		return ring_keeper;
	close(peer_sock);
	while (read(sock, &byte, 1) == 1) {
		byte = scribble(pipe) ? 1 : 0;
		(void)!write(sock, &byte, 1);
	}
	_exit(0);
}

static long unregister(long a, long b)
{
	(void)a;
	(void)b;
	return uring_unregister(&ring_there);
}

static bool no_ring(long ret)
{
	return ret == -ENOSYS || ret == -EPERM || ret == -EOPNOTSUPP;
}

TEST_F(pin, ring_after_leave)
{
	long ret = peer_call(&self->peer, pin_by_ring, self->theirs, 0);

	if (no_ring(ret))
		SKIP(return, "no fixed buffers of io_uring: %s",
		     strerror(-ret));
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, peer_call(&self->peer, peer_leave, self->theirs, 0));
	check_held(SHMCHAN_SLOT_LEFT);
	ASSERT_EQ(0, peer_call(&self->peer, unregister, 0, 0));
	check_free();
}

/* The hazard itself: a ring writes into the window of a dead member. */
TEST_F(pin, ring_after_death)
{
	int socks[2], input[2];
	long ret, sock, pipe_there, keeper;
	char byte = 'w';
	char *p;

	ret = peer_call(&self->peer, pin_by_ring, self->theirs, 0);
	if (no_ring(ret))
		SKIP(return, "no fixed buffers of io_uring: %s",
		     strerror(-ret));
	ASSERT_EQ(0, ret);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	ASSERT_EQ(0, pipe(input));
	sock = peer_give(&self->peer, socks[1]);
	ASSERT_LE(0, sock);
	pipe_there = peer_give(&self->peer, input[0]);
	ASSERT_LE(0, pipe_there);
	keeper = peer_call(&self->peer, fork_ring_keeper, sock, pipe_there);
	ASSERT_LT(0, keeper);
	close(socks[1]);
	peer_kill(&self->peer);

	EXPECT_EQ(SHMCHAN_SLOT_DIED, slot_state(&self->status, 0));
	p = map(self->fd, window_at, window_size, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(1, write(input[1], &byte, 1));
	ASSERT_EQ(1, write(socks[0], &byte, 1));
	ASSERT_EQ(1, read(socks[0], &byte, 1));
	EXPECT_EQ(0, byte);
	EXPECT_EQ('w', *p);
	/* So nobody else gets it. */
	check_held(SHMCHAN_SLOT_DIED);
	EXPECT_EQ(0, kill(keeper, SIGKILL));
	/* Rings are torn down by a worker. */
	EXPECT_TRUE(eventually(open_joined(layout.name, 0) >= 0));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 0));
}

TEST_HARNESS_MAIN
