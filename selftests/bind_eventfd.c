// SPDX-License-Identifier: GPL-2.0-only
/*
 * BIND_EVENTFD: each ring of a doorbell adds 1, or several together, as long as the
 * member lives and wants it.
 *
 * A signal may come a moment after the ring, so what is there is waited for.
 */

#include "../kselftest_harness.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "test_peer.h"

#define RW	(PROT_READ | PROT_WRITE)
#define ROUNDS	300

static const char *name;
static struct layout layout;

#define WORD	control_at(&layout, FOLIO_SHARED)

FIXTURE(bound) {
	struct peer peer;
	struct status status;
	int fd;		/* slot 0 */
	int ringer;	/* slot 3 */
	int efd;
};

FIXTURE_SETUP(bound)
{
	name = own_name();
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = name;
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	self->ringer = open_joined(name, 3);
	ASSERT_LE(0, self->ringer);
	/* Of one that does not end. */
	ASSERT_EQ(0, map_status(self->ringer, &self->status));
	self->efd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	ASSERT_LE(0, self->efd);
}

FIXTURE_TEARDOWN(bound)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

#define waiters(bell) (self->status.bells[bell].waiters)

static int events(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, ms) < 0 ? -errno : pfd.revents;
}

/* What is in it now. */
static uint64_t taken(int efd)
{
	uint64_t count;

	return read(efd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* The same after some rings, of which several may have given 1. */
static bool taken_some(int efd, uint64_t most)
{
	uint64_t count = events(efd, PATIENCE_MS) == POLLIN ? taken(efd) : 0;

	return count && count <= most;
}

/* What is in it once that is as much, or does not become more. */
static uint64_t taken_of(int efd, uint64_t wanted)
{
	uint64_t sum = 0;

	while (sum < wanted && events(efd, PATIENCE_MS) == POLLIN)
		sum += taken(efd);
	return sum + taken(efd);
}

TEST_F(bound, each_ring_adds)
{
	int i;

	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(0, events(self->efd, 0));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	/* No ring ends it. */
	EXPECT_EQ(1, waiters(BELL_SHARED));
	/* What has been rung is there when BIND_END returns. */
	ASSERT_EQ(0, unbind_eventfd(self->fd, BELL_SHARED));
	EXPECT_TRUE(taken_some(self->efd, 5));
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
		EXPECT_EQ(1, taken_of(self->efd, 1));
	}
	/* Another doorbell is nothing to it. */
	ASSERT_EQ(0, ring(self->ringer, BELL_OF(0), 0));
	ASSERT_EQ(0, unbind_eventfd(self->fd, BELL_SHARED));
	EXPECT_EQ(0, taken(self->efd));
}

TEST_F(bound, unbind)
{
	EXPECT_EQ(-ENOENT, unbind_eventfd(self->fd, BELL_SHARED));
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	EXPECT_EQ(-EEXIST, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	ASSERT_EQ(0, unbind_eventfd(self->fd, BELL_SHARED));
	EXPECT_EQ(0, waiters(BELL_SHARED));
	/* What had been rung before is there when it returns. */
	EXPECT_EQ(1, taken(self->efd));
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(0, taken(self->efd));
	EXPECT_EQ(-ENOENT, unbind_eventfd(self->fd, BELL_SHARED));
	/* And again. */
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(1, taken_of(self->efd, 1));
}

TEST_F(bound, what_may_be_bound)
{
	int pipes[2];
	int fd, closed;

	ASSERT_EQ(0, pipe(pipes));
	closed = dup(self->efd);
	close(closed);
	EXPECT_EQ(-EBADF, bind_eventfd(self->fd, BELL_SHARED, closed));
	EXPECT_EQ(-EBADF, bind_eventfd(self->fd, BELL_SHARED, -1));
	EXPECT_EQ(-EINVAL, bind_eventfd(self->fd, BELL_SHARED, pipes[1]));
	EXPECT_EQ(-EINVAL, bind_eventfd(self->fd, BELL_SHARED, self->fd));
	EXPECT_EQ(-EACCES, bind_eventfd(self->fd, BELL_OF(1), self->efd));
	EXPECT_EQ(-EINVAL, bind_eventfd(self->fd, 6, self->efd));
	EXPECT_EQ(0, waiters(BELL_SHARED));

	/* No right to wait; not joined. */
	fd = open_region(name, RIGHTS_RW & ~SHMCHAN_RIGHT_WAIT);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOTCONN, bind_eventfd(fd, BELL_SHARED, self->efd));
	ASSERT_LT(0, join(fd, 2));
	EXPECT_EQ(-EACCES, bind_eventfd(fd, BELL_SHARED, self->efd));
	EXPECT_EQ(-EACCES, unbind_eventfd(fd, BELL_SHARED));
}

TEST_F(bound, feature)
{
	struct shmchan_query_device q;

	ASSERT_EQ(0, query_device(&q));
	EXPECT_NE(0, q.features & SHMCHAN_FEATURE_EVENTFD);
	EXPECT_NE(0, q.features & SHMCHAN_FEATURE_MEMBERS);
}

/* Beside a subscription to the same doorbell; each for itself. */
TEST_F(bound, and_subscribed)
{
	struct shmchan_event e;

	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	EXPECT_EQ(-ENOENT, arm(self->fd, BELL_SHARED, NULL, 0, 0));
	EXPECT_EQ(-ENOENT, subscribe(self->fd, BELL_SHARED,
				     SHMCHAN_SUBSCRIBE_END));
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(0, events(self->fd, 0));
	EXPECT_EQ(-1, read(self->fd, &e, sizeof(e)));
	EXPECT_EQ(EAGAIN, errno);

	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	ASSERT_EQ(0, arm(self->fd, BELL_SHARED, NULL, 0, 0));
	EXPECT_EQ(2, waiters(BELL_SHARED));
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(POLLIN, events(self->fd, 0));
	EXPECT_EQ(sizeof(e), read(self->fd, &e, sizeof(e)));
	EXPECT_EQ(1, e.count);
	EXPECT_TRUE(taken_some(self->efd, 2));
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, SHMCHAN_SUBSCRIBE_END));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_TRUE(taken_some(self->efd, 2));
}

TEST_F(bound, bound_of_a_member)
{
	struct shmchan_doorbell bells[SHMCHAN_MAX_SUBS + 1];
	struct shmchan_create c;
	struct layout l = layout;
	unsigned int i;
	int dev = open_device();

	l.name = NULL;
	c = create_args(&l);
	for (i = 0; i < COUNT(bells); i++)
		bells[i] = (struct shmchan_doorbell) { SHMCHAN_SLOT_SHARED, 0 };
	c.doorbells = ptr(bells);
	c.nr_doorbells = COUNT(bells);
	ASSERT_EQ(0, call(dev, SHMCHAN_IOC_CREATE, &c));
	ASSERT_LT(0, join(c.fd, 0));
	/* Subscriptions and eventfds together. */
	ASSERT_EQ(0, subscribe(c.fd, 1, 0));
	for (i = 1; i < SHMCHAN_MAX_SUBS; i++)
		ASSERT_EQ(0, bind_eventfd(c.fd, i, self->efd));
	EXPECT_EQ(-EUSERS, bind_eventfd(c.fd, i, self->efd));
	EXPECT_EQ(-EUSERS, subscribe(c.fd, i, 0));
	EXPECT_EQ(-EEXIST, bind_eventfd(c.fd, 1, self->efd));
	for (i = 1; i < SHMCHAN_MAX_SUBS; i++)
		ASSERT_EQ(0, ring(c.fd, i, 0));
	/* One eventfd, from many doorbells. */
	EXPECT_EQ(SHMCHAN_MAX_SUBS - 1,
		  taken_of(self->efd, SHMCHAN_MAX_SUBS - 1));
	EXPECT_EQ(0, unbind_eventfd(c.fd, 7));
	EXPECT_EQ(0, bind_eventfd(c.fd, SHMCHAN_MAX_SUBS, self->efd));
	/* All end with it, each with a last signal. */
	EXPECT_EQ(0, leave(c.fd));
	EXPECT_EQ(SHMCHAN_MAX_SUBS - 1,
		  taken_of(self->efd, SHMCHAN_MAX_SUBS - 1));
	close(c.fd);
	EXPECT_EQ(0, taken(self->efd));
}

/* Who sleeps on it alone is told of the end, and then of nothing. */
#define EXPECT_OVER() do {						\
	EXPECT_EQ(0, waiters(BELL_SHARED));				\
	EXPECT_EQ(1, taken_of(self->efd, 1));				\
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));		\
	EXPECT_EQ(0, events(self->efd, 100));				\
} while (0)

TEST_F(bound, leave)
{
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	ASSERT_EQ(0, leave(self->fd));
	EXPECT_OVER();
	EXPECT_EQ(-ESTALE, unbind_eventfd(self->fd, BELL_SHARED));
	EXPECT_EQ(-ESTALE, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	close(self->fd);
	EXPECT_EQ(0, events(self->efd, 0));
}

TEST_F(bound, revoke)
{
	int fd = open_joined(name, 1);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bind_eventfd(fd, BELL_SHARED, self->efd));
	ASSERT_EQ(0, bind_eventfd(fd, BELL_OF(1), self->efd));
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(1, taken_of(self->efd, 1));
	ASSERT_EQ(0, unbind_eventfd(fd, BELL_OF(1)));
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_OVER();
	EXPECT_EQ(0, waiters(BELL_OF(1)));
	EXPECT_EQ(-ESTALE, unbind_eventfd(fd, BELL_SHARED));
}

static long bind_in_peer(long slot, long efd)
{
	int fd = open_joined(name, slot);

	return fd < 0 ? fd : bind_eventfd(fd, BELL_SHARED, efd);
}

TEST_F(bound, kill)
{
	long efd = peer_give(&self->peer, self->efd);

	ASSERT_LE(0, efd);
	ASSERT_EQ(0, peer_call(&self->peer, bind_in_peer, 1, efd));
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(1, taken_of(self->efd, 1));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	peer_kill(&self->peer);
	EXPECT_OVER();
}

/* The binding holds the eventfd, whatever becomes of its number. */
TEST_F(bound, closed)
{
	int other = dup(self->efd);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	close(self->efd);
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(1, taken_of(other, 1));
	/* The last one: nobody is there to see it, and nothing breaks. */
	close(other);
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(0, unbind_eventfd(self->fd, BELL_SHARED));
	EXPECT_EQ(0, waiters(BELL_SHARED));
	/* The same, with the end of the member last. */
	self->efd = eventfd(0, EFD_NONBLOCK);
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	close(self->efd);
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(0, leave(self->fd));
	EXPECT_EQ(0, waiters(BELL_SHARED));
}

TEST_F(bound, semaphore)
{
	int efd = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
	unsigned int i;

	ASSERT_LE(0, efd);
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, efd));
	for (i = 0; i < 5; i++) {
		ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
		EXPECT_EQ(POLLIN, events(efd, PATIENCE_MS));
		EXPECT_EQ(1, taken(efd));
	}
	ASSERT_EQ(0, unbind_eventfd(self->fd, BELL_SHARED));
	EXPECT_EQ(0, taken(efd));
}

/* It can hold no more, and stays readable. */
TEST_F(bound, full)
{
	uint64_t most = ~1ULL;
	unsigned int i;

	ASSERT_EQ(sizeof(most), write(self->efd, &most, sizeof(most)));
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	ASSERT_EQ(0, unbind_eventfd(self->fd, BELL_SHARED));
	EXPECT_NE(0, events(self->efd, 0) & POLLIN);
	EXPECT_LE(most, taken(self->efd));
	EXPECT_EQ(0, events(self->efd, 0));
}

static int add(int ep, int fd, unsigned int how)
{
	struct epoll_event e = { .events = EPOLLIN | how, .data.fd = fd };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

static int told(int ep, int ms)
{
	struct epoll_event e[4];

	return epoll_wait(ep, e, 4, ms);
}

/* In the peer: a moment later, a ring. */
static long ring_later(long slot, long ms)
{
	int fd = open_joined(name, slot);

	usleep(ms * 1000);
	return fd < 0 ? fd : ring(fd, BELL_SHARED, 0);
}

TEST_F(bound, epoll)
{
	int level = epoll_create1(0), edge = epoll_create1(0);

	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	ASSERT_EQ(0, add(level, self->efd, 0));
	ASSERT_EQ(0, add(edge, self->efd, EPOLLET));
	EXPECT_EQ(0, told(level, 0));
	peer_send(&self->peer, ring_later, 1, 50);
	EXPECT_EQ(1, told(edge, PATIENCE_MS));
	EXPECT_EQ(1, told(level, 0));
	EXPECT_EQ(1, told(level, 0));
	EXPECT_EQ(0, told(edge, 0));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
	ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(1, told(edge, PATIENCE_MS));
	EXPECT_EQ(2, taken_of(self->efd, 2));
	EXPECT_EQ(0, told(level, 0));
}

/*
 * With the member's own file, through a set of sets, and with the doorbells bound
 * crosswise: a signal comes back to where it came from.
 */
TEST_F(bound, epoll_with_the_member)
{
	int inner = epoll_create1(0), outer = epoll_create1(0);
	struct shmchan_event e;
	unsigned int i;

	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_OF(0), self->efd));
	ASSERT_EQ(0, bind_eventfd(self->ringer, BELL_SHARED, self->efd));
	ASSERT_EQ(0, add(inner, self->efd, 0));
	ASSERT_EQ(0, add(inner, self->fd, 0));
	ASSERT_EQ(0, add(outer, inner, 0));
	ASSERT_EQ(0, add(outer, self->efd, EPOLLET));
	ASSERT_EQ(0, add(outer, self->fd, EPOLLET));
	EXPECT_EQ(2, waiters(BELL_SHARED));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
		EXPECT_LE(1, told(outer, PATIENCE_MS));
		EXPECT_EQ(sizeof(e), read(self->fd, &e, sizeof(e)));
		EXPECT_EQ(1, e.count);
		EXPECT_EQ(2, taken_of(self->efd, 2));
		EXPECT_EQ(0, told(inner, 0));
	}
	EXPECT_EQ(0, leave(self->fd));
	EXPECT_LE(1, told(outer, PATIENCE_MS));
	EXPECT_EQ(1, waiters(BELL_SHARED));
}

/* Many at a time, that a worker has to tell: nobody waits for it, none is left. */
TEST_F_TIMEOUT(bound, many_sleepers_of_the_revoked, 180)
{
	int fd = open_joined(name, 1), sets[200];
	unsigned int i;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, bind_eventfd(fd, BELL_SHARED, self->efd));
	ASSERT_EQ(0, bind_eventfd(fd, BELL_OF(1), self->efd));
	ASSERT_EQ(0, bind_eventfd(fd, SHMCHAN_DOORBELL_MEMBERS, self->efd));
	for (i = 0; i < COUNT(sets); i++) {
		sets[i] = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_LE(0, sets[i]);
		ASSERT_EQ(0, add(sets[i], self->efd, EPOLLET));
	}
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
	close(fd);
	for (i = 0; i < COUNT(sets); i++)
		EXPECT_EQ(1, told(sets[i], PATIENCE_MS));
	EXPECT_EQ(3, taken_of(self->efd, 3));
}

/* The kernel's own doorbell rings when somebody comes or goes. */
TEST_F(bound, doorbell_of_members)
{
	int fd;

	ASSERT_EQ(0, bind_eventfd(self->fd, SHMCHAN_DOORBELL_MEMBERS,
				  self->efd));
	fd = open_joined(name, 1);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, taken_of(self->efd, 1));
	close(fd);
	EXPECT_EQ(1, taken_of(self->efd, 1));
}

/* So many sleep on it that whoever rings does not wake them: all are told. */
TEST_F_TIMEOUT(bound, many_sleepers, 180)
{
	int sets[500];
	unsigned int i;

	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	for (i = 0; i < COUNT(sets); i++) {
		sets[i] = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_LE(0, sets[i]);
		ASSERT_EQ(0, add(sets[i], self->efd, 0));
	}
	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	for (i = 0; i < COUNT(sets); i++)
		EXPECT_EQ(1, told(sets[i], PATIENCE_MS));
	ASSERT_EQ(0, unbind_eventfd(self->fd, BELL_SHARED));
	EXPECT_TRUE(taken_some(self->efd, 20));
	EXPECT_EQ(0, taken(self->efd));
	ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
	for (i = 0; i < COUNT(sets); i++)
		close(sets[i]);
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
		EXPECT_EQ(1, taken_of(self->efd, 1));
	}
}

/* More than a ring finds without letting go of its lock. */
TEST_F_TIMEOUT(bound, many_members, 120)
{
	struct layout l = layout;
	int fds[40], efds[40], ringer;
	struct status status = {};
	unsigned int i, k;

	l.name = "many-bound";
	l.nr_slots = COUNT(fds) + 1;
	l.nr_windows = 0;
	ringer = create_joined(&l, COUNT(fds));
	ASSERT_LE(0, ringer);
	ASSERT_EQ(0, map_status(ringer, &status));
	for (i = 0; i < COUNT(fds); i++) {
		fds[i] = open_joined(l.name, i);
		efds[i] = eventfd(0, EFD_NONBLOCK);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, bind_eventfd(fds[i], BELL_SHARED, efds[i]));
	}
	EXPECT_EQ(COUNT(fds), status.bells[BELL_SHARED].waiters);
	for (k = 0; k < 3; k++) {
		ASSERT_EQ(0, ring(ringer, BELL_SHARED, 0));
		for (i = 0; i < COUNT(fds); i++)
			EXPECT_EQ(1, taken_of(efds[i], 1));
	}
	for (i = 0; i < COUNT(fds); i += 2)
		EXPECT_EQ(0, leave(fds[i]));
	EXPECT_EQ(COUNT(fds) / 2, status.bells[BELL_SHARED].waiters);
	ASSERT_EQ(0, ring(ringer, BELL_SHARED, 0));
	for (i = 0; i < COUNT(fds); i++)
		EXPECT_EQ(1, taken_of(efds[i], 1));
}

/*
 * In the peer: each time it is asked for it, the word, and a ring if somebody
 * waits.
 */
static long produce(long slot, long rounds)
{
	volatile uint64_t *words;
	struct status status;
	int fd = open_joined(name, slot);
	long i;

	if (fd < 0 || map_status(fd, &status))
		return -1;
	words = map(fd, WORD, PAGE, RW);
	if (words == MAP_FAILED)
		return -2;
	words[2] = 1;
	for (i = 1; i <= rounds; i++) {
		while (__atomic_load_n(&words[1], __ATOMIC_SEQ_CST) < i)
			sched_yield();
		__atomic_store_n(&words[0], i, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&status.bells[BELL_SHARED].waiters,
				    __ATOMIC_SEQ_CST))
			ring(fd, BELL_SHARED, 0);
	}
	return 0;
}

/* Bound while the producer looks whether somebody is: no wake-up is lost. */
TEST_F_TIMEOUT(bound, no_lost_wakeup, 180)
{
	volatile uint64_t *words = map(self->fd, WORD, PAGE, RW);
	int64_t delay = 0;
	int i, slept = 0;
	uint64_t until;

	ASSERT_NE(MAP_FAILED, (void *)words);
	peer_send(&self->peer, produce, 1, ROUNDS);
	ASSERT_TRUE(eventually(words[2]));
	for (i = 1; i <= ROUNDS; i++) {
		__atomic_store_n(&words[1], i, __ATOMIC_SEQ_CST);
		until = now_ns() + delay;
		while (now_ns() < until)
			;
		ASSERT_EQ(0, bind_eventfd(self->fd, BELL_SHARED, self->efd));
		if (__atomic_load_n(&words[0], __ATOMIC_SEQ_CST) < i) {
			slept++;
			/* The ring of the round before may come only now. */
			do {
				ASSERT_EQ(POLLIN, events(self->efd, PATIENCE_MS))
					TH_LOG("round %d", i);
				taken(self->efd);
			} while (__atomic_load_n(&words[0], __ATOMIC_SEQ_CST) < i);
			delay += 1000;
		} else if (delay) {
			/* To meet it half of the time. */
			delay -= 1000;
		}
		ASSERT_EQ(0, unbind_eventfd(self->fd, BELL_SHARED));
		taken(self->efd);
	}
	TH_LOG("slept in %d of %d rounds", slept, ROUNDS);
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
}

static volatile bool stop;

static void *ring_on(void *arg)
{
	while (!stop)
		ring(*(int *)arg, BELL_SHARED, 0);
	return NULL;
}

/* Rung all the while that members bind, unbind, and end. */
TEST_F_TIMEOUT(bound, rung_meanwhile, 180)
{
	pthread_t thread;
	int i, fd, ep, ret;

	stop = false;
	ASSERT_EQ(0, pthread_create(&thread, NULL, ring_on, &self->ringer));
	for (i = 0; i < ROUNDS; i++) {
		fd = open_joined(name, 2);
		ep = epoll_create1(0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, bind_eventfd(fd, BELL_SHARED, self->efd));
		ASSERT_EQ(0, add(ep, self->efd, 0));
		ret = 0;
		if (i % 4 == 1)
			ret = unbind_eventfd(fd, BELL_SHARED);
		else if (i % 4 == 2)
			ret = leave(fd);
		else if (i % 4 == 3)
			ret = revoke_slot(self->fd, 2, 0) - 1;
		ASSERT_EQ(0, ret);
		close(fd);
		close(ep);
		taken(self->efd);
	}
	stop = true;
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, waiters(BELL_SHARED));
}

TEST_HARNESS_MAIN
