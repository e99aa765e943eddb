// SPDX-License-Identifier: GPL-2.0-only
/*
 * SUBSCRIBE, ARM, poll and read: for who sleeps elsewhere.
 */

#include "../kselftest_harness.h"

#include <sys/epoll.h>

#include "test_peer.h"

#define RW	(PROT_READ | PROT_WRITE)

static const char *name;
static struct layout layout;

#define WORD	control_at(&layout, FOLIO_SHARED)

FIXTURE(poll) {
	struct peer peer;
	struct status status;
	int fd;		/* slot 0 */
	int ringer;	/* slot 3 */
	volatile uint64_t *word;
};

FIXTURE_SETUP(poll)
{
	name = own_name();
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = name;
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	self->ringer = open_joined(name, 3);
	ASSERT_LE(0, self->ringer);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
	self->word = map(self->fd, WORD, PAGE, RW);
	ASSERT_NE(MAP_FAILED, (void *)self->word);
}

FIXTURE_TEARDOWN(poll)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

#define waiters(bell) (self->status.bells[bell].waiters)

/* What poll(2) says now. */
static int events(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) < 0 ? -errno : pfd.revents;
}

/* One event: its count; *doorbell is whose.  -errno if there is none. */
static long take_event(int fd, unsigned int *doorbell)
{
	struct shmchan_event e;

	if (read(fd, &e, sizeof(e)) != sizeof(e))
		return -errno;
	*doorbell = e.doorbell;
	return e.count;
}

TEST_F(poll, nothing_to_tell)
{
	unsigned int bell;
	int fd = open_region(name, RIGHTS_RW);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, events(self->fd));
	EXPECT_EQ(-EAGAIN, take_event(self->fd, &bell));
	/* Without a subscription a ring is nothing. */
	EXPECT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(0, events(self->fd));
	EXPECT_EQ(-EAGAIN, take_event(self->fd, &bell));
	/* Before JOIN it is an error. */
	EXPECT_NE(0, events(fd) & POLLERR);
}

TEST_F(poll, counts)
{
	struct shmchan_event e[3];
	unsigned int bell = 0;

	/* What was before does not count. */
	ring(self->ringer, BELL_SHARED, 0);
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(0, events(self->fd));
	ring(self->ringer, BELL_SHARED, 0);
	EXPECT_EQ(POLLIN, events(self->fd));
	EXPECT_EQ(1, take_event(self->fd, &bell));
	EXPECT_EQ(BELL_SHARED, bell);
	EXPECT_EQ(0, events(self->fd));
	ring(self->ringer, BELL_SHARED, 0);
	ring(self->ringer, BELL_SHARED, 0);
	ring(self->fd, BELL_SHARED, 0);
	EXPECT_EQ(3, take_event(self->fd, &bell));
	EXPECT_EQ(-EAGAIN, take_event(self->fd, &bell));

	/* Several at once; as many as fit. */
	ASSERT_EQ(0, subscribe(self->fd, BELL_OF(0), 0));
	ring(self->ringer, BELL_OF(0), 0);
	ring(self->ringer, BELL_SHARED, 0);
	EXPECT_EQ(2 * sizeof(e[0]), read(self->fd, e, sizeof(e)));
	EXPECT_EQ(1, e[0].count);
	EXPECT_EQ(1, e[1].count);
	EXPECT_EQ(BELL_OF(0) + BELL_SHARED, e[0].doorbell + e[1].doorbell);
	EXPECT_EQ(SHMCHAN_EVENT_RUNG, e[0].kind);
	EXPECT_EQ(SHMCHAN_EVENT_RUNG, e[1].kind);
	EXPECT_EQ(0, e[0].reserved | e[1].reserved);
	EXPECT_EQ(0, e[0].slot | e[0].generation | e[0].state);
	ring(self->ringer, BELL_OF(0), 0);
	ring(self->ringer, BELL_SHARED, 0);
	/* Room for one and a half: one. */
	EXPECT_EQ(sizeof(e[0]), read(self->fd, e, 48));
	EXPECT_EQ(POLLIN, events(self->fd));
	EXPECT_EQ(sizeof(e[0]), read(self->fd, e, sizeof(e)));
	EXPECT_EQ(0, events(self->fd));
}

/* WAIT does not take events, and nobody takes another's. */
TEST_F(poll, nobody_elses)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_SHARED, WORD, 0);
	unsigned int bell;
	int other = open_joined(name, 1);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	ASSERT_EQ(0, subscribe(other, BELL_SHARED, 0));
	*self->word = 1;
	ring(self->ringer, BELL_SHARED, 0);
	EXPECT_EQ(0, wait_ms(self->fd, &e, 1, 0));
	EXPECT_EQ(1, take_event(self->fd, &bell));
	EXPECT_EQ(-EAGAIN, take_event(self->fd, &bell));
	EXPECT_EQ(POLLIN, events(other));
	EXPECT_EQ(1, take_event(other, &bell));
}

TEST_F(poll, unsubscribe)
{
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	ring(self->ringer, BELL_SHARED, 0);
	EXPECT_EQ(POLLIN, events(self->fd));
	EXPECT_EQ(0, subscribe(self->fd, BELL_SHARED, SHMCHAN_SUBSCRIBE_END));
	EXPECT_EQ(0, events(self->fd));
	EXPECT_EQ(-ENOENT, subscribe(self->fd, BELL_SHARED,
				     SHMCHAN_SUBSCRIBE_END));
	EXPECT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(0, events(self->fd));
	/* An arm goes with its subscription. */
	EXPECT_EQ(0, arm(self->fd, BELL_SHARED, NULL, 0, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(0, subscribe(self->fd, BELL_SHARED, SHMCHAN_SUBSCRIBE_END));
	EXPECT_EQ(0, waiters(BELL_SHARED));
}

TEST_F(poll, arm)
{
	struct shmchan_wait_elem e[2] = {
		elem64(-1, BELL_SHARED, WORD, 0),
		elem32(-1, BELL_SHARED, WORD + 64, 0),
	};

	EXPECT_EQ(-ENOENT, arm(self->fd, BELL_SHARED, NULL, 0, 0));
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(0, waiters(BELL_SHARED));
	/* Once, however often. */
	EXPECT_EQ(0, arm(self->fd, BELL_SHARED, e, 2, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(0, arm(self->fd, BELL_SHARED, e, 1, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	/* The next ring disarms, even if nothing has changed. */
	EXPECT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(0, waiters(BELL_SHARED));
	EXPECT_EQ(POLLIN, events(self->fd));
	/* Or by hand; twice is the same. */
	EXPECT_EQ(0, arm(self->fd, BELL_SHARED, NULL, 0, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(0, arm(self->fd, BELL_SHARED, NULL, 0, SHMCHAN_ARM_DISARM));
	EXPECT_EQ(0, waiters(BELL_SHARED));
	EXPECT_EQ(0, arm(self->fd, BELL_SHARED, NULL, 0, SHMCHAN_ARM_DISARM));
	/* What has changed already is told; armed it is all the same. */
	*self->word = 1;
	EXPECT_EQ(-EAGAIN, arm(self->fd, BELL_SHARED, e, 1, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(-EAGAIN, arm(self->fd, BELL_SHARED, e, 2, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	e[0].value = 1;
	EXPECT_EQ(0, arm(self->fd, BELL_SHARED, e, 2, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(0, arm(self->fd, BELL_SHARED, NULL, 0, SHMCHAN_ARM_DISARM));
	EXPECT_EQ(0, waiters(BELL_SHARED));
}

TEST_F(poll, arm_with_many_elements)
{
	struct shmchan_wait_elem e[SHMCHAN_MAX_ELEMS];
	unsigned int i;

	for (i = 0; i < SHMCHAN_MAX_ELEMS; i++)
		e[i] = elem64(-1, BELL_SHARED, WORD + 8 * i, 0);
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(0, arm(self->fd, BELL_SHARED, e, SHMCHAN_MAX_ELEMS, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	self->word[SHMCHAN_MAX_ELEMS - 1] = 1;
	EXPECT_EQ(-EAGAIN, arm(self->fd, BELL_SHARED, e, SHMCHAN_MAX_ELEMS, 0));
	EXPECT_EQ(1, waiters(BELL_SHARED));
}

/* In the peer: a second later, a ring. */
static long ring_later(long slot, long ms)
{
	int fd = open_joined(name, slot);

	usleep(ms * 1000);
	return fd < 0 ? fd : ring(fd, BELL_SHARED, 0);
}

TEST_F(poll, wakes_a_sleeper)
{
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };

	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	peer_send(&self->peer, ring_later, 1, 50);
	EXPECT_EQ(1, poll(&pfd, 1, PATIENCE_MS));
	EXPECT_EQ(POLLIN, pfd.revents);
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
}

TEST_F(poll, epoll_level)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 1 };
	int ep = epoll_create1(0);
	unsigned int bell;

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &ev));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	ring(self->ringer, BELL_SHARED, 0);
	/* Perhaps a moment later, and as long as it is not read. */
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, PATIENCE_MS));
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, 0));
	EXPECT_EQ(1, take_event(self->fd, &bell));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	peer_send(&self->peer, ring_later, 1, 50);
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, PATIENCE_MS));
}

TEST_F(poll, epoll_edge)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(0);
	unsigned int bell;
	int i;

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &ev));
	for (i = 0; i < 3; i++) {
		ring(self->ringer, BELL_SHARED, 0);
		/* Once for each ring, read or not; perhaps a moment later. */
		EXPECT_EQ(1, epoll_wait(ep, &ev, 1, PATIENCE_MS));
		EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	}
	EXPECT_EQ(3, take_event(self->fd, &bell));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	peer_send(&self->peer, ring_later, 1, 50);
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, PATIENCE_MS));
}

TEST_F(poll, end)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);
	unsigned int bell;

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->fd, &ev));
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	ASSERT_EQ(0, arm(self->fd, BELL_SHARED, NULL, 0, 0));
	/* The status page goes with the member: look at the ringer's. */
	ASSERT_EQ(0, map_status(self->ringer, &self->status));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	ASSERT_EQ(0, leave(self->fd));
	EXPECT_EQ(0, waiters(BELL_SHARED));
	EXPECT_NE(0, events(self->fd) & POLLHUP);
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, PATIENCE_MS));
	EXPECT_NE(0, ev.events & EPOLLHUP);
	EXPECT_EQ(-ESTALE, take_event(self->fd, &bell));
	EXPECT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
}

/* In the peer: subscribes, arms two doorbells, and stays. */
static long arm_two(long slot, long b)
{
	int fd = open_joined(name, slot);

	(void)b;
	if (subscribe(fd, BELL_SHARED, 0) || subscribe(fd, BELL_OF(slot), 0))
		return -1;
	if (arm(fd, BELL_SHARED, NULL, 0, 0) || arm(fd, BELL_OF(slot), NULL,
						    0, 0))
		return -2;
	return fd;
}

TEST_F(poll, arms_die_with_the_member)
{
	ASSERT_LE(0, peer_call(&self->peer, arm_two, 1, 0));
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	ASSERT_EQ(0, arm(self->fd, BELL_SHARED, NULL, 0, 0));
	EXPECT_EQ(2, waiters(BELL_SHARED));
	EXPECT_EQ(1, waiters(BELL_OF(1)));
	peer_kill(&self->peer);
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(0, waiters(BELL_OF(1)));
	EXPECT_EQ(0, ring(self->ringer, BELL_SHARED, 0));
	EXPECT_EQ(0, waiters(BELL_SHARED));
}

/* The doorbell of joins and ends can be subscribed to as well. */
TEST_F(poll, members)
{
	unsigned int bell = 99;
	int fd;

	ASSERT_EQ(0, subscribe(self->fd, SHMCHAN_DOORBELL_MEMBERS, 0));
	fd = open_joined(name, 2);
	ASSERT_LE(0, fd);
	EXPECT_EQ(POLLIN, events(self->fd));
	EXPECT_EQ(1, take_event(self->fd, &bell));
	EXPECT_EQ(SHMCHAN_DOORBELL_MEMBERS, bell);
	close(fd);
	EXPECT_EQ(1, take_event(self->fd, &bell));
}

static int add_to_epoll(int fd)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		return -errno;
	return ep;
}

static bool told(int ep)
{
	struct epoll_event e;

	return epoll_wait(ep, &e, 1, PATIENCE_MS) == 1 && e.events == EPOLLIN;
}

/* More than a ring wakes itself: all are told. */
TEST_F_TIMEOUT(poll, many_pollers, 120)
{
	struct epoll_event e;
	unsigned int i, bell;
	int sets[200];

	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	for (i = 0; i < COUNT(sets); i++) {
		sets[i] = add_to_epoll(self->fd);
		ASSERT_LE(0, sets[i]);
		ASSERT_EQ(0, epoll_wait(sets[i], &e, 1, 0));
	}
	ring(self->ringer, BELL_SHARED, 0);
	for (i = 0; i < COUNT(sets); i++)
		EXPECT_TRUE(told(sets[i]));
	EXPECT_EQ(1, take_event(self->fd, &bell));
	/* Nor does the end pass them by. */
	EXPECT_EQ(0, leave(self->fd));
	for (i = 0; i < COUNT(sets); i++)
		EXPECT_TRUE(epoll_wait(sets[i], &e, 1, PATIENCE_MS) == 1 &&
			    e.events & EPOLLHUP);
}

/* The last close comes while they are still being told. */
TEST_F_TIMEOUT(poll, many_pollers_of_a_file_that_goes, 120)
{
	int fd, eps[100], round;
	unsigned int i;

	for (round = 0; round < 20; round++) {
		fd = open_joined(name, 1);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, subscribe(fd, BELL_SHARED, 0));
		for (i = 0; i < COUNT(eps); i++)
			eps[i] = add_to_epoll(fd);
		ring(self->ringer, BELL_SHARED, 0);
		if (round & 1)
			close(fd);
		for (i = 0; i < COUNT(eps); i++)
			close(eps[i]);
		if (!(round & 1))
			close(fd);
	}
}

/* More subscribers than a ring finds without letting go of its lock. */
TEST_F_TIMEOUT(poll, many_subscribers, 120)
{
	struct layout l = layout;
	int fds[40], ringer;
	unsigned int i;

	l.name = "many-subscribers";
	l.nr_slots = COUNT(fds) + 1;
	l.nr_windows = 0;
	ringer = create_joined(&l, COUNT(fds));
	ASSERT_LE(0, ringer);
	for (i = 0; i < COUNT(fds); i++) {
		fds[i] = open_joined(l.name, i);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, subscribe(fds[i], BELL_SHARED, 0));
		ASSERT_EQ(0, arm(fds[i], BELL_SHARED, NULL, 0, 0));
	}
	EXPECT_EQ(0, ring(ringer, BELL_SHARED, 0));
	for (i = 0; i < COUNT(fds); i++)
		EXPECT_EQ(POLLIN, events(fds[i]));
	/* All are disarmed, and the ring has left nothing of its own. */
	for (i = 0; i < COUNT(fds); i += 2)
		EXPECT_EQ(0, leave(fds[i]));
	EXPECT_EQ(0, ring(ringer, BELL_SHARED, 0));
	EXPECT_EQ(0, arm(fds[1], BELL_SHARED, NULL, 0, 0));
}

TEST_HARNESS_MAIN
