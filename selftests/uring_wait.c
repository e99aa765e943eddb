// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAIT as a request of io_uring: what ends it, each once, and what it leaves:
 * nothing.  From Linux 6.12 on.
 */

#include "../kselftest_harness.h"

#include <pthread.h>

#include "test_peer.h"
#include "test_uring.h"

#define RW		(PROT_READ | PROT_WRITE)
#define QUIET_MS	50	/* in which nothing is to happen */

static const char *name;
static struct layout layout;

#define WORD(nr)	(control_at(&layout, FOLIO_SHARED) + 64 * (nr))

FIXTURE(wait) {
	struct peer peer;
	struct uring ring;
	struct status status;	/* the ringer's */
	int fd;			/* slot 0 */
	int ringer;		/* slot 3 */
	char *shared;
};

FIXTURE_SETUP(wait)
{
	name = own_name();
	layout = layout_default(SHMCHAN_CREATE_SMALL, true);
	layout.name = name;
	if (!has_feature(SHMCHAN_FEATURE_URING_WAIT))
		SKIP(return, "this kernel cannot cancel such requests");
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	self->ringer = open_joined(name, 3);
	ASSERT_LE(0, self->ringer);
	ASSERT_EQ(0, map_status(self->ringer, &self->status));
	self->shared = map(self->ringer, WORD(0), PAGE, RW);
	ASSERT_NE(MAP_FAILED, self->shared);
	ASSERT_EQ(0, uring_setup_as(&self->ring, 2048, 0));
}

FIXTURE_TEARDOWN(wait)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

#define word64(nr) (*(volatile uint64_t *)(self->shared + 64 * (nr)))
#define waiters(bell) (self->status.bells[bell].waiters)
#define word_elem(bell) elem64(-1, bell, WORD(0), 0)

/* What has changed already leaves nothing behind. */
TEST_F(wait, changed_already)
{
	struct shmchan_wait_elem e[2] = {
		word_elem(BELL_OF(0)), elem64(-1, BELL_OF(0), WORD(1), 0),
	};

	word64(1) = 1;
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, 2));
	EXPECT_EQ(1, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_OF(0)));
	EXPECT_EQ(0, self->status.bells[BELL_OF(0)].seq);
}

TEST_F(wait, rung)
{
	struct shmchan_wait_elem e[2] = {
		elem64(-1, BELL_OF(0), WORD(1), 0), word_elem(BELL_SHARED),
	};

	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, 2));
	/* The caller's memory may go. */
	memset(e, 0xff, sizeof(e));
	EXPECT_EQ(1, waiters(BELL_OF(0)));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
	word64(0) = 1;
	EXPECT_EQ(0, ring(self->ringer, BELL_OF(0), 0));
	EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
	EXPECT_EQ(1, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(1, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_OF(0)));
	EXPECT_EQ(0, waiters(BELL_SHARED));
	EXPECT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
}

/* By each way that io_uring has to issue and to complete. */
TEST_F(wait, ways)
{
	static const unsigned int setups[] = {
		0, URING_DEFERRED, IORING_SETUP_SQPOLL,
	};
	struct shmchan_wait_elem e = word_elem(BELL_OF(0));
	struct shmchan_wait w = uring_wait_args(&e, 1);
	struct io_uring_sqe sqe;
	struct uring r;
	unsigned int i, way;

	for (i = 0; i < COUNT(setups); i++) {
		ASSERT_EQ(0, uring_setup_as(&r, 4, setups[i]));
		ASSERT_EQ(0, syscall(SYS_io_uring_register, r.fd,
				     IORING_REGISTER_FILES, &self->fd, 1));
		for (way = 0; way < 4; way++) {
			sqe = uring_wait_sqe(way & 1 ? 0 : self->fd, &w);
			if (way & 1)
				sqe.flags |= IOSQE_FIXED_FILE;
			if (way & 2)
				sqe.flags |= IOSQE_ASYNC;
			word64(0) = 0;
			ASSERT_EQ(0, uring_submit(&r, &sqe));
			EXPECT_TRUE(eventually(waiters(BELL_OF(0)) == 1));
			EXPECT_EQ(URING_NOTHING, uring_result(&r, QUIET_MS));
			word64(0) = 1;
			EXPECT_EQ(1, ring(self->ringer, BELL_OF(0), 0));
			EXPECT_EQ(0, uring_result(&r, PATIENCE_MS))
				TH_LOG("setup %u, way %u", i, way);
			EXPECT_EQ(0, waiters(BELL_OF(0)));
		}
		uring_close(&r);
	}
}

/* Also what is linked behind it. */
TEST_F(wait, ring_behind_a_wait)
{
	struct shmchan_wait_elem e = word_elem(BELL_OF(0));
	struct shmchan_wait w = uring_wait_args(&e, 1);
	struct io_uring_sqe sqe = uring_wait_sqe(self->fd, &w);

	sqe.flags = IOSQE_IO_LINK;
	uring_queue(&self->ring, &sqe);
	sqe = uring_ring_sqe(self->fd, BELL_SHARED, 0);
	uring_queue(&self->ring, &sqe);
	ASSERT_EQ(2, uring_enter(&self->ring, 2));
	EXPECT_EQ(0, self->status.bells[BELL_SHARED].seq);
	word64(0) = 1;
	EXPECT_EQ(1, ring(self->ringer, BELL_OF(0), 0));
	EXPECT_EQ(0, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(1, self->status.bells[BELL_SHARED].seq);
}

/*
 * EAGAIN is told at once.  It is also what io_uring tries again after, by a thread:
 * by then there may be anything where the wait has been.
 */
TEST_F(wait, beside_asym_members)
{
	struct shmchan_join j = {
		.size = sizeof(j), .flags = SHMCHAN_JOIN_ASYM, .slot = 2,
	};
	struct shmchan_wait_elem e;
	struct io_uring_sqe sqe;
	struct shmchan_wait w;
	unsigned int i;
	int asym;

	asym = open_region(name, SHMCHAN_RIGHT_ALL);
	ASSERT_EQ(0, call(asym, SHMCHAN_IOC_JOIN, &j));
	for (i = 0; i < 100; i++) {
		e = word_elem(BELL_OF(0));
		w = uring_wait_args(&e, 1);
		w.flags = SHMCHAN_WAIT_FENCED;
		sqe = uring_wait_sqe(self->fd, &w);
		sqe.flags = IOSQE_IO_LINK;
		uring_queue(&self->ring, &sqe);
		sqe = uring_ring_sqe(self->fd, BELL_SHARED, 0);
		uring_queue(&self->ring, &sqe);
		ASSERT_EQ(2, uring_enter(&self->ring, 2));
		/* What would wait for ever. */
		w.flags = 0;
		EXPECT_EQ(-EAGAIN, uring_result(&self->ring, PATIENCE_MS));
		EXPECT_EQ(-ECANCELED, uring_result(&self->ring, PATIENCE_MS));
	}
	EXPECT_EQ(0, waiters(BELL_OF(0)));

	/* By a thread as well, as long as it is there. */
	w.flags = SHMCHAN_WAIT_FENCED;
	sqe = uring_wait_sqe(self->fd, &w);
	sqe.flags = IOSQE_ASYNC;
	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	EXPECT_EQ(-EAGAIN, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, leave(asym));
	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	EXPECT_TRUE(eventually(waiters(BELL_OF(0)) == 1));
	word64(0) = 1;
	EXPECT_EQ(1, ring(self->ringer, BELL_OF(0), 0));
	EXPECT_EQ(0, uring_result(&self->ring, PATIENCE_MS));
}

TEST_F(wait, most_conditions_of_two_regions)
{
	struct shmchan_wait_elem e[SHMCHAN_MAX_ELEMS + 1];
	struct layout other = layout;
	struct status status = {};
	volatile uint64_t *word;
	unsigned int i;
	int fd;

	other.name = "uring-other";
	fd = create_joined(&other, 0);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, map_status(fd, &status));
	word = map(fd, WORD(0), PAGE, RW);
	ASSERT_NE(MAP_FAILED, (void *)word);
	for (i = 0; i < COUNT(e); i++)
		e[i] = elem64(i < 64 ? -1 : fd, BELL_OF(0), WORD(0) + 8 * i, 0);
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, COUNT(e)));
	EXPECT_EQ(-E2BIG, uring_result(&self->ring, PATIENCE_MS));
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, 0));
	EXPECT_EQ(-EINVAL, uring_result(&self->ring, PATIENCE_MS));
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, SHMCHAN_MAX_ELEMS));
	EXPECT_EQ(1, waiters(BELL_OF(0)));
	EXPECT_EQ(1, status.bells[BELL_OF(0)].waiters);
	word[SHMCHAN_MAX_ELEMS - 1] = 1;
	EXPECT_EQ(1, ring(fd, BELL_OF(0), 0));
	EXPECT_EQ(SHMCHAN_MAX_ELEMS - 1,
		  uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_OF(0)));
	EXPECT_EQ(0, status.bells[BELL_OF(0)].waiters);

	/* One of two members ends. */
	word[SHMCHAN_MAX_ELEMS - 1] = 0;
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, SHMCHAN_MAX_ELEMS));
	EXPECT_EQ(1, waiters(BELL_OF(0)));
	EXPECT_EQ(0, leave(fd));
	EXPECT_EQ(-ESTALE, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_OF(0)));
}

/* Submits one that is refused. */
#define refused(err, fd) do {						\
	sqe = uring_wait_sqe(fd, &w);					\
	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));			\
	EXPECT_EQ(-(err), uring_result(&self->ring, PATIENCE_MS));	\
} while (0)

#define refused_with(err, spoil) do {					\
	e = word_elem(BELL_OF(0));					\
	w = uring_wait_args(&e, 1);					\
	spoil;								\
	refused(err, self->fd);						\
} while (0)

TEST_F(wait, refusals)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_RANGE,
		.rights = RIGHTS_RW,
		.data.length = PAGE,
		.control = { control_at(&layout, FOLIO_NOBODY), PAGE },
	};
	struct shmchan_wait_elem e;
	struct io_uring_sqe sqe;
	struct shmchan_wait w;
	int fd;

	refused_with(EINVAL, e.offset += 4);
	refused_with(EINVAL, e.offset = ~7ULL);
	refused_with(EINVAL, e.flags = 2);
	refused_with(EINVAL, e.reserved = 1);
	refused_with(EINVAL, e.doorbell = 77);
	refused_with(EACCES, e.doorbell = BELL_OF(1));
	refused_with(EBADF, e.fd = 777);
	refused_with(EBADF, e.fd = self->ring.fd);
	refused_with(EBADF, e.fd = -2);
	refused_with(EFAULT, w.elems = 8);
	refused_with(EINVAL, w.flags = 2);
	refused_with(EINVAL, w.reserved = 1);
	refused_with(EINVAL, w.clockid = CLOCK_REALTIME);
	refused_with(EINVAL, w.deadline = SHMCHAN_FOREVER + 1);
	refused_with(EINVAL, w.nr_elems = 0);
	refused_with(EINVAL, w.size = sizeof(w) - 1);
	refused_with(E2BIG, w.size = 8192);

	w = uring_wait_args(&e, 1);
	sqe = uring_wait_sqe(self->fd, (void *)8);
	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	EXPECT_EQ(-EFAULT, uring_result(&self->ring, PATIENCE_MS));
	sqe = uring_wait_sqe(self->fd, &w);
	((uint64_t *)&sqe)[7] = 1;
	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	EXPECT_EQ(-EINVAL, uring_result(&self->ring, PATIENCE_MS));

	/* Beyond one's range, without the right, before JOIN. */
	e = word_elem(BELL_OF(1));
	fd = mint_args(self->fd, &m);
	ASSERT_LE(0, fd);
	refused(ENOTCONN, fd);
	ASSERT_LT(0, join(fd, 1));
	refused(EACCES, fd);
	fd = open_region(name, SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_RING);
	ASSERT_LT(0, join(fd, 2));
	e = word_elem(BELL_OF(2));
	refused(EACCES, fd);
	EXPECT_EQ(0, leave(fd));
	refused(ESTALE, fd);
	EXPECT_EQ(0, waiters(BELL_OF(0)) + waiters(BELL_OF(1)));
}

/* In the peer: a ring of its own on a file that it was given. */
static long wait_with_passed(long fd, long b)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(0), WORD(0), 0);
	struct uring r;

	(void)b;
	if (uring_setup(&r) || uring_wait(&r, fd, &e, 1))
		return 1;
	return uring_result(&r, PATIENCE_MS);
}

TEST_F(wait, of_another_process)
{
	long fd = peer_give(&self->peer, self->fd);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, peer_call(&self->peer, wait_with_passed, fd, 0));
	EXPECT_EQ(0, waiters(BELL_OF(0)));
}

TEST_F(wait, deadline)
{
	struct shmchan_wait_elem e = word_elem(BELL_OF(0));
	struct shmchan_wait w = uring_wait_args(&e, 1);
	struct io_uring_sqe sqe = uring_wait_sqe(self->fd, &w);
	uint64_t ms[] = { 0, 1, 20, 100 };
	unsigned int i;

	for (i = 0; i < COUNT(ms); i++) {
		w.deadline = now_ns() + ms[i] * MSEC;
		ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
		EXPECT_EQ(-ETIMEDOUT, uring_result(&self->ring, PATIENCE_MS));
		EXPECT_LE(w.deadline, now_ns());
		EXPECT_EQ(0, waiters(BELL_OF(0)));
	}
	w.deadline = 0;
	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	EXPECT_EQ(-ETIMEDOUT, uring_result(&self->ring, PATIENCE_MS));
	/* One that does not come. */
	w.deadline = now_ns() + 1000 * SEC;
	ASSERT_EQ(0, uring_submit(&self->ring, &sqe));
	EXPECT_EQ(1, waiters(BELL_OF(0)));
	word64(0) = 1;
	EXPECT_EQ(1, ring(self->ringer, BELL_OF(0), 0));
	EXPECT_EQ(0, uring_result(&self->ring, PATIENCE_MS));
}

/* Who was chosen has been, whatever comes before the submitter runs. */
TEST_F(wait, ring_beats_deadline)
{
	struct shmchan_wait_elem e = word_elem(BELL_OF(0));
	struct shmchan_wait w = uring_wait_args(&e, 1);
	struct io_uring_sqe sqe = uring_wait_sqe(self->fd, &w);
	struct uring r;

	ASSERT_EQ(0, uring_setup_as(&r, 4, URING_DEFERRED));
	w.deadline = now_ns() + SEC;
	ASSERT_EQ(0, uring_submit(&r, &sqe));
	word64(0) = 1;
	if (!ring(self->ringer, BELL_OF(0), 1))
		SKIP(return, "too slow");
	EXPECT_EQ(0, waiters(BELL_OF(0)));
	while (now_ns() < w.deadline + 10 * MSEC)
		usleep(1000);
	word64(0) = 0;
	EXPECT_EQ(0, uring_result(&r, PATIENCE_MS));
}

TEST_F(wait, leave)
{
	struct shmchan_wait_elem e = word_elem(BELL_OF(0));
	struct uring r;

	ASSERT_EQ(0, uring_setup_as(&r, 4, URING_DEFERRED));
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, &e, 1));
	ASSERT_EQ(0, uring_wait(&r, self->fd, &e, 1));
	EXPECT_EQ(2, waiters(BELL_OF(0)));
	ASSERT_EQ(0, leave(self->fd));
	/* At once, also of the one that its submitter has not heard of. */
	EXPECT_EQ(0, waiters(BELL_OF(0)));
	EXPECT_EQ(-ESTALE, uring_result(&r, PATIENCE_MS));
	EXPECT_EQ(-ESTALE, uring_result(&self->ring, PATIENCE_MS));
}

/* In the peer: joins, and leaves as many requests behind. */
static struct uring my_ring;

static long wait_as_peer(long slot, long nr)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(slot), WORD(0), 0);
	int fd = open_joined(name, slot);

	if (fd < 0 || uring_setup_as(&my_ring, 2048, 0))
		return -1;
	while (nr--)
		if (uring_wait(&my_ring, fd, &e, 1))
			return -2;
	return fd;
}

static long result_of_peer(long a, long b)
{
	(void)a;
	(void)b;
	return uring_result(&my_ring, PATIENCE_MS);
}

static long ring_of_peer(long a, long b)
{
	(void)a;
	(void)b;
	return my_ring.fd;
}

TEST_F(wait, revoke)
{
	ASSERT_LE(0, peer_call(&self->peer, wait_as_peer, 1, 3));
	EXPECT_EQ(3, waiters(BELL_OF(1)));
	EXPECT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(0, waiters(BELL_OF(1)));
	EXPECT_EQ(-ESTALE, peer_call(&self->peer, result_of_peer, 0, 0));
	EXPECT_EQ(-ESTALE, peer_call(&self->peer, result_of_peer, 0, 0));
	EXPECT_EQ(-ESTALE, peer_call(&self->peer, result_of_peer, 0, 0));
}

/* Who was stopped does not run, and holds nobody up. */
TEST_F(wait, revoke_of_one_that_is_stopped)
{
	ASSERT_LE(0, peer_call(&self->peer, wait_as_peer, 1, 3));
	kill(self->peer.pid, SIGSTOP);
	usleep(10000);
	EXPECT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(0, waiters(BELL_OF(1)));
	kill(self->peer.pid, SIGCONT);
	EXPECT_EQ(-ESTALE, peer_call(&self->peer, result_of_peer, 0, 0));
}

TEST_F(wait, death)
{
	ASSERT_LE(0, peer_call(&self->peer, wait_as_peer, 1, 50));
	EXPECT_EQ(50, waiters(BELL_OF(1)));
	peer_kill(&self->peer);
	EXPECT_TRUE(eventually(waiters(BELL_OF(1)) == 0));
	EXPECT_TRUE(eventually(slot_state(&self->status, 1) ==
			       SHMCHAN_SLOT_DIED));
	/* Nothing keeps the slot. */
	EXPECT_TRUE(eventually(open_joined(name, 1) >= 0));
}

/* The ring outlives who submitted: somebody else has it too. */
TEST_F(wait, death_with_the_ring_elsewhere)
{
	int pidfd, fd;

	ASSERT_LE(0, peer_call(&self->peer, wait_as_peer, 1, 5));
	EXPECT_EQ(5, waiters(BELL_OF(1)));
	pidfd = syscall(SYS_pidfd_open, self->peer.pid, 0);
	ASSERT_LE(0, pidfd);
	fd = syscall(SYS_pidfd_getfd, pidfd,
		     peer_call(&self->peer, ring_of_peer, 0, 0), 0);
	ASSERT_LE(0, fd);
	peer_kill(&self->peer);
	EXPECT_TRUE(eventually(waiters(BELL_OF(1)) == 0));
	EXPECT_TRUE(eventually(open_joined(name, 1) >= 0));
	close(fd);
}

/* The member's number is not the member: what waits keeps the file. */
TEST_F(wait, file_is_closed)
{
	struct shmchan_wait_elem e = word_elem(BELL_OF(0));

	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, &e, 1));
	EXPECT_EQ(0, close(self->fd));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 0));
	EXPECT_EQ(1, waiters(BELL_OF(0)));
	word64(0) = 1;
	EXPECT_EQ(1, ring(self->ringer, BELL_OF(0), 0));
	EXPECT_EQ(0, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_TRUE(eventually(slot_state(&self->status, 0) ==
			       SHMCHAN_SLOT_LEFT));
}

TEST_F(wait, ring_is_closed)
{
	static const unsigned int setups[] = {
		0, URING_DEFERRED, IORING_SETUP_SQPOLL,
	};
	struct shmchan_wait_elem e[2] = {
		word_elem(BELL_OF(0)), word_elem(BELL_SHARED),
	};
	struct uring r;
	unsigned int i, k;

	for (i = 0; i < COUNT(setups); i++) {
		ASSERT_EQ(0, uring_setup_as(&r, 16, setups[i]));
		for (k = 0; k < 10; k++)
			ASSERT_EQ(0, uring_wait(&r, self->fd, e, 2));
		EXPECT_TRUE(eventually(waiters(BELL_OF(0)) == 10));
		uring_close(&r);
		EXPECT_TRUE(eventually(waiters(BELL_OF(0)) == 0))
			TH_LOG("setup %u", i);
		EXPECT_TRUE(eventually(waiters(BELL_SHARED) == 0));
	}
}

static int thread_fd;
static unsigned int thread_setup;

static void *submit_and_exit(void *arg)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(0), WORD(0), 0);

	/* A ring with one issuer is that one's. */
	if (uring_setup_as(arg, 4, thread_setup))
		return arg;
	return (void *)(long)uring_wait(arg, thread_fd, &e, 1);
}

/* One whose submitter has gone is of no use to a ring: it is handed on. */
TEST_F(wait, submitter_is_gone)
{
	static const unsigned int setups[] = { 0, URING_DEFERRED };
	struct shmchan_wait_elem e = word_elem(BELL_OF(0));
	struct uring r;
	pthread_t thread;
	unsigned int i;
	void *ret;

	thread_fd = self->fd;
	for (i = 0; i < COUNT(setups); i++) {
		thread_setup = setups[i];
		word64(0) = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, submit_and_exit, &r));
		ASSERT_EQ(0, pthread_join(thread, &ret));
		ASSERT_EQ(NULL, ret);
		ASSERT_EQ(0, uring_wait(&self->ring, self->fd, &e, 1));
		EXPECT_TRUE(eventually(waiters(BELL_OF(0)) >= 1));
		word64(0) = 1;
		EXPECT_EQ(1, ring(self->ringer, BELL_OF(0), 1));
		EXPECT_EQ(0, uring_result(&self->ring, PATIENCE_MS))
			TH_LOG("setup %u", i);
		/* Nobody else may ask for what has been deferred. */
		if (!setups[i])
			EXPECT_EQ(-ECANCELED, uring_result(&r, PATIENCE_MS));
		EXPECT_EQ(0, waiters(BELL_OF(0)));
		uring_close(&r);
	}
}

/*
 * Chosen by a ring that wakes one, and ended before its submitter heard of it:
 * another is chosen.
 */
TEST_F(wait, chosen_and_closed)
{
	struct shmchan_wait_elem e = word_elem(BELL_OF(0));
	struct uring r;

	ASSERT_EQ(0, uring_setup_as(&r, 4, URING_DEFERRED));
	ASSERT_EQ(0, uring_wait(&r, self->fd, &e, 1));
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, &e, 1));
	EXPECT_EQ(2, waiters(BELL_OF(0)));
	word64(0) = 1;
	EXPECT_EQ(1, ring(self->ringer, BELL_OF(0), 1));
	EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
	uring_close(&r);
	EXPECT_EQ(0, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_OF(0)));
}

/* In the peer: waits on the shared doorbell, on a ring of its own. */
static long wait_on_shared(long setup, long b)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_SHARED, WORD(0), 0);
	int fd = open_joined(name, 1);

	(void)b;
	if (fd < 0 || uring_setup_as(&my_ring, 4, setup))
		return -1;
	return uring_wait(&my_ring, fd, &e, 1);
}

static long exec_other(long a, long b)
{
	(void)a;
	(void)b;
	/* Whatever it becomes: it ends at once, and says nothing. */
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	execl("/proc/self/exe", "other", "-h", NULL);
	return -errno;
}

/* The submitter does not come back from execve() to look. */
TEST_F(wait, chosen_and_execed)
{
	struct shmchan_wait_elem e = word_elem(BELL_SHARED);

	ASSERT_EQ(0, peer_call(&self->peer, wait_on_shared, URING_DEFERRED, 0));
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, &e, 1));
	EXPECT_EQ(2, waiters(BELL_SHARED));
	word64(0) = 1;
	EXPECT_EQ(1, ring(self->ringer, BELL_SHARED, 1));
	EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
	EXPECT_EQ(PEER_DEAD, peer_call(&self->peer, exec_other, 0, 0));
	EXPECT_EQ(0, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_SHARED));
}

TEST_F(wait, chosen_and_left)
{
	struct shmchan_wait_elem e = word_elem(BELL_SHARED);
	struct uring r;
	int fd = open_joined(name, 1);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, uring_setup_as(&r, 4, URING_DEFERRED));
	ASSERT_EQ(0, uring_wait(&r, fd, &e, 1));
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, &e, 1));
	word64(0) = 1;
	EXPECT_EQ(1, ring(self->ringer, BELL_SHARED, 1));
	EXPECT_EQ(0, leave(fd));
	EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
	EXPECT_EQ(-ESTALE, uring_result(&r, PATIENCE_MS));
	EXPECT_EQ(0, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_SHARED));
}

/* The bounds of threads in WAIT are those of requests. */
TEST_F_TIMEOUT(wait, bounds, 180)
{
	struct shmchan_wait_elem e[SHMCHAN_MAX_ELEMS];
	unsigned int i;

	for (i = 0; i < COUNT(e); i++)
		e[i] = word_elem(BELL_OF(0));
	for (i = 0; i < SHMCHAN_MAX_WAITERS; i++)
		ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, 1));
	EXPECT_EQ(SHMCHAN_MAX_WAITERS, waiters(BELL_OF(0)));
	EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, 0));
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, 1));
	EXPECT_EQ(-EUSERS, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(-EUSERS, wait_ms(self->fd, e, 1, 1));
	word64(0) = 1;
	EXPECT_EQ(SHMCHAN_MAX_WAITERS, ring(self->ringer, BELL_OF(0), 0));
	for (i = 0; i < SHMCHAN_MAX_WAITERS; i++)
		ASSERT_EQ(0, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_OF(0)));

	word64(0) = 0;
	for (i = 0; i < COUNT(e); i++)
		e[i] = word_elem(BELL_SHARED);
	for (i = 0; i < SHMCHAN_MAX_SHARED / COUNT(e); i++)
		ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, COUNT(e)));
	EXPECT_EQ(SHMCHAN_MAX_SHARED / COUNT(e), waiters(BELL_SHARED));
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, 1));
	EXPECT_EQ(-EUSERS, uring_result(&self->ring, PATIENCE_MS));
	/* What was refused has left none of its other places. */
	e[0] = word_elem(BELL_OF(0));
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, e, 2));
	EXPECT_EQ(-EUSERS, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_OF(0)));
	uring_close(&self->ring);
	EXPECT_TRUE(eventually(waiters(BELL_SHARED) == 0));
	EXPECT_EQ(-ETIMEDOUT, wait_ms(self->fd, e, 2, 1));
}

/* Nor do those that have ended grow without bound until they are asked for. */
TEST_F_TIMEOUT(wait, bound_of_those_that_have_ended, 180)
{
	struct shmchan_wait_elem e = word_elem(BELL_OF(0));
	struct uring r;
	unsigned int i;

	ASSERT_EQ(0, uring_setup_as(&r, SHMCHAN_MAX_ASYNC, URING_DEFERRED));
	for (i = 0; i < SHMCHAN_MAX_ASYNC; i++) {
		if (i && i % SHMCHAN_MAX_WAITERS == 0) {
			word64(0) = 1;
			EXPECT_EQ(SHMCHAN_MAX_WAITERS,
				  ring(self->ringer, BELL_OF(0), 0));
			EXPECT_EQ(0, waiters(BELL_OF(0)));
			word64(0) = 0;
		}
		ASSERT_EQ(0, uring_wait(&r, self->fd, &e, 1));
	}
	word64(0) = 1;
	EXPECT_EQ(SHMCHAN_MAX_WAITERS, ring(self->ringer, BELL_OF(0), 0));
	word64(0) = 0;
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, &e, 1));
	EXPECT_EQ(-EUSERS, uring_result(&self->ring, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_OF(0)));
	/* Threads are not among them. */
	EXPECT_EQ(-ETIMEDOUT, wait_ms(self->fd, &e, 1, 1));

	for (i = 0; i < SHMCHAN_MAX_ASYNC; i++)
		ASSERT_EQ(0, uring_result(&r, PATIENCE_MS));
	ASSERT_EQ(0, uring_wait(&self->ring, self->fd, &e, 1));
	EXPECT_EQ(URING_NOTHING, uring_result(&self->ring, QUIET_MS));
	EXPECT_EQ(1, waiters(BELL_OF(0)));
}

/* A ring that wakes one against the end of the request that is first in line. */

struct ringing {
	pthread_barrier_t start;
	volatile uint64_t *word;
	int fd;
	int woken;
	bool stop;
};

#define RACE_NS		(60 * SEC)	/* fewer rounds on slow machines */

static void *ring_each_round(void *arg)
{
	struct ringing *r = arg;

	for (;;) {
		pthread_barrier_wait(&r->start);
		if (r->stop)
			return NULL;
		__atomic_store_n(r->word, 1, __ATOMIC_SEQ_CST);
		r->woken = ring(r->fd, BELL_SHARED, 1);
		pthread_barrier_wait(&r->start);
	}
}

enum ending { CLOSES, LEAVES };

/* Has it got a result in the memory that it has left?  Which is it? */
static int result_there(const struct uring *r)
{
	if (!__atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		return URING_NOTHING;
	return r->cqes[0].res;
}

#define race(nr, how, flags) do {					\
	struct shmchan_wait_elem e = word_elem(BELL_SHARED);		\
	struct ringing ringing = { .fd = self->ringer };		\
	uint64_t until = now_ns() + RACE_NS;				\
	unsigned int firsts = 0, seconds = 0;				\
	char *pages = mmap(NULL, 2 * PAGE, RW,				\
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);		\
	pthread_t thread;						\
	struct uring r;							\
	int i, fd = -1, res, second;					\
									\
	ringing.word = &word64(0);					\
	pthread_barrier_init(&ringing.start, NULL, 2);			\
	ASSERT_EQ(0, pthread_create(&thread, NULL, ring_each_round,	\
				    &ringing));				\
	for (i = 0; i < (nr) && now_ns() < until; i++) {		\
		word64(0) = 0;						\
		ASSERT_EQ(0, uring_setup_in(&r, pages, flags));		\
		if ((how) == LEAVES)					\
			fd = open_joined(name, 1);			\
		ASSERT_EQ(0, uring_wait(&r, fd < 0 ? self->fd : fd, &e,	\
					1));				\
		/* The second in line stays. */				\
		ASSERT_EQ(0, uring_wait(&self->ring, self->fd, &e, 1));	\
		ASSERT_EQ(2, waiters(BELL_SHARED));			\
		pthread_barrier_wait(&ringing.start);			\
		if ((how) == LEAVES)					\
			leave(fd);					\
		else							\
			close(r.fd);					\
		pthread_barrier_wait(&ringing.start);			\
		EXPECT_EQ(1, ringing.woken);				\
		if ((how) == LEAVES) {					\
			res = uring_result(&r, PATIENCE_MS);		\
			EXPECT_TRUE(res == 0 || res == -ESTALE);	\
			EXPECT_EQ(URING_NOTHING, uring_result(&r, 0));	\
			close(r.fd);					\
			close(fd);					\
		}							\
		/* One of both was chosen, and will know. */		\
		second = URING_NOTHING;					\
		EXPECT_TRUE(eventually(					\
			second != URING_NOTHING ||			\
			(second = uring_result(&self->ring, 0)) !=	\
				URING_NOTHING ||			\
			result_there(&r) == 0))				\
			TH_LOG("round %d: the ring is lost", i);	\
		if (second == URING_NOTHING) {				\
			firsts++;					\
			EXPECT_EQ(1, ring(self->ringer, BELL_SHARED, 0));\
			second = uring_result(&self->ring, PATIENCE_MS);\
		} else {						\
			seconds++;					\
		}							\
		EXPECT_EQ(0, second);					\
		EXPECT_TRUE(eventually(waiters(BELL_SHARED) == 0));	\
		/* The pages are used again. */				\
		EXPECT_TRUE(eventually(result_there(&r) !=		\
				       URING_NOTHING));			\
		munmap(pages, 2 * PAGE);				\
		pages = mmap(NULL, 2 * PAGE, RW,			\
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);	\
	}								\
	ringing.stop = true;						\
	pthread_barrier_wait(&ringing.start);				\
	pthread_join(thread, NULL);					\
	TH_LOG("chosen: the first %u times, the second %u", firsts,	\
	       seconds);						\
} while (0)

TEST_F_TIMEOUT(wait, ring_races_close, 400)
{
	race(1500, CLOSES, 0);
}

TEST_F_TIMEOUT(wait, ring_races_close_deferred, 400)
{
	race(700, CLOSES, URING_DEFERRED);
}

TEST_F_TIMEOUT(wait, ring_races_leave, 400)
{
	race(1000, LEAVES, 0);
}

TEST_HARNESS_MAIN
