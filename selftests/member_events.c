// SPDX-License-Identifier: GPL-2.0-only
/*
 * SUBSCRIBE with MEMBERS: each member that ends is told of, once, to everybody
 * who subscribed before.
 */

#include "../kselftest_harness.h"

#include <pthread.h>
#include <sys/epoll.h>

#include "test_peer.h"

#define BELL_MEMBERS	SHMCHAN_DOORBELL_MEMBERS
#define LOOPS		200

static const char *name;
static struct layout layout;

FIXTURE(ends) {
	struct peer peer;
	int fd;		/* slot 0, who subscribes */
	struct shmchan_event e[8];
};

FIXTURE_SETUP(ends)
{
	name = own_name();
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = name;
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(ends)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

/* What poll(2) says now. */
static int events(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) < 0 ? -errno : pfd.revents;
}

/* Returns how many, or -errno. */
static long take(int fd, struct shmchan_event *e, size_t max)
{
	ssize_t got;

	memset(e, 0xff, max * sizeof(*e));
	got = read(fd, e, max * sizeof(*e));
	if (got < 0)
		return -errno;
	return got % sizeof(*e) ? -EBADMSG : (long)(got / sizeof(*e));
}

#define EXPECT_END(event, _slot, _generation, _state, _count) do {	\
	const struct shmchan_event *_e = &(event);			\
									\
	EXPECT_EQ(SHMCHAN_EVENT_ENDED, _e->kind);			\
	EXPECT_EQ(BELL_MEMBERS, _e->doorbell);				\
	EXPECT_EQ(_slot, _e->slot);					\
	EXPECT_EQ(_generation, _e->generation);				\
	EXPECT_EQ(_state, _e->state);					\
	EXPECT_EQ(_count, _e->count);					\
	EXPECT_EQ(0, _e->reserved);					\
} while (0)

/* Joins a slot and ends at once. */
static int come_and_go(unsigned int slot)
{
	int fd = open_joined(name, slot);

	if (fd < 0)
		return fd;
	return close(fd) ? -errno : 0;
}

TEST_F(ends, each_kind_once)
{
	int fd;

	ASSERT_EQ(0, subscribe_members(self->fd));
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));

	fd = open_joined(name, 1);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, events(self->fd));
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
	ASSERT_EQ(0, leave(fd));
	EXPECT_EQ(POLLIN, events(self->fd));
	EXPECT_EQ(1, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 1, 1, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_EQ(0, events(self->fd));
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
	/* The last close of one that has left is no second end. */
	close(fd);
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));

	ASSERT_EQ(0, come_and_go(2));
	EXPECT_EQ(1, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 2, 1, SHMCHAN_SLOT_LEFT, 1);

	fd = open_joined(name, 3);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, revoke_slot(self->fd, 3, 0));
	EXPECT_EQ(1, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 3, 1, SHMCHAN_SLOT_REVOKED, 1);
	close(fd);
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));

	ASSERT_LE(0, peer_call(&self->peer, peer_join, (long)name, 1));
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
	peer_kill(&self->peer);
	EXPECT_EQ(POLLIN, events(self->fd));
	EXPECT_EQ(1, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 1, 2, SHMCHAN_SLOT_DIED, 1);
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
}

/* One walk ends many. */
TEST_F(ends, revoked_together)
{
	unsigned int slot;

	for (slot = 1; slot < 4; slot++)
		ASSERT_LE(0, open_joined(name, slot));
	ASSERT_EQ(0, subscribe_members(self->fd));
	ASSERT_EQ(3, revoke_uid(self->fd, geteuid()));
	EXPECT_EQ(3, take(self->fd, self->e, 8));
	for (slot = 0; slot < 3; slot++)
		EXPECT_END(self->e[slot], self->e[slot].slot, 1,
			   SHMCHAN_SLOT_REVOKED, 1);
	EXPECT_EQ(6, self->e[0].slot + self->e[1].slot + self->e[2].slot);
	EXPECT_NE(self->e[0].slot, self->e[1].slot);
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
}

TEST_F(ends, died_together)
{
	unsigned int slot;

	for (slot = 1; slot < 4; slot++)
		ASSERT_LE(0, peer_call(&self->peer, peer_join, (long)name,
				       slot));
	ASSERT_EQ(0, subscribe_members(self->fd));
	peer_kill(&self->peer);
	EXPECT_EQ(3, take(self->fd, self->e, 8));
	for (slot = 0; slot < 3; slot++)
		EXPECT_END(self->e[slot], self->e[slot].slot, 1,
			   SHMCHAN_SLOT_DIED, 1);
	EXPECT_EQ(6, self->e[0].slot + self->e[1].slot + self->e[2].slot);
}

/* What was before does not count, not even as one more. */
TEST_F(ends, from_now_on)
{
	int fd;

	ASSERT_EQ(0, come_and_go(1));
	ASSERT_EQ(0, come_and_go(1));
	fd = open_joined(name, 2);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, subscribe_members(self->fd));
	EXPECT_EQ(0, events(self->fd));
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
	/* Members that had come before do. */
	close(fd);
	ASSERT_EQ(0, come_and_go(1));
	EXPECT_EQ(2, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 2, 1, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_END(self->e[1], 1, 3, SHMCHAN_SLOT_LEFT, 1);

	/* The same of a subscription that is ended and made anew. */
	ASSERT_EQ(0, come_and_go(3));
	EXPECT_EQ(POLLIN, events(self->fd));
	EXPECT_EQ(0, subscribe(self->fd, BELL_MEMBERS, SHMCHAN_SUBSCRIBE_END));
	EXPECT_EQ(0, events(self->fd));
	ASSERT_EQ(0, come_and_go(1));
	ASSERT_EQ(0, subscribe_members(self->fd));
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
	ASSERT_EQ(0, come_and_go(1));
	EXPECT_EQ(1, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 1, 5, SHMCHAN_SLOT_LEFT, 1);
}

TEST_F(ends, room_for_few)
{
	unsigned int slot;

	ASSERT_EQ(0, subscribe_members(self->fd));
	for (slot = 1; slot < 4; slot++)
		ASSERT_EQ(0, come_and_go(slot));
	/* The rest stays; in the order of the ends. */
	for (slot = 1; slot < 4; slot++) {
		EXPECT_EQ(POLLIN, events(self->fd));
		/* Room for one and a half. */
		EXPECT_EQ(sizeof(self->e[0]), read(self->fd, self->e, 48));
		EXPECT_END(self->e[0], slot, 1, SHMCHAN_SLOT_LEFT, 1);
	}
	EXPECT_EQ(0, events(self->fd));
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 1));
	EXPECT_EQ(-1, read(self->fd, self->e, sizeof(self->e[0]) - 1));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(ends, fault_loses_nothing)
{
	unsigned char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t size = sizeof(self->e[0]);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, munmap(p + PAGE, PAGE));
	ASSERT_EQ(0, subscribe_members(self->fd));
	ASSERT_EQ(0, come_and_go(1));
	ASSERT_EQ(0, come_and_go(2));
	EXPECT_EQ(-1, read(self->fd, p + PAGE, 2 * size));
	EXPECT_EQ(EFAULT, errno);
	/* Room for one, but it said two. */
	EXPECT_EQ(-1, read(self->fd, p + PAGE - size, 2 * size));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(self->fd, p + PAGE - size - 8, 2 * size));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(POLLIN, events(self->fd));
	EXPECT_EQ(2, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 1, 1, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_END(self->e[1], 2, 1, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
}

TEST_F(ends, slot_taken_anew)
{
	int fd;

	ASSERT_EQ(0, subscribe_members(self->fd));
	/* Three are gone and the fourth lives when it is read. */
	ASSERT_EQ(0, come_and_go(1));
	fd = open_joined(name, 1);
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
	close(fd);
	ASSERT_EQ(0, come_and_go(1));
	fd = open_joined(name, 1);
	ASSERT_LE(0, fd);
	EXPECT_EQ(1, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 1, 3, SHMCHAN_SLOT_LEFT, 3);
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(1, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 1, 4, SHMCHAN_SLOT_REVOKED, 1);

	/* Again before the first was read, and again before the second was. */
	ASSERT_EQ(0, come_and_go(1));
	ASSERT_EQ(0, come_and_go(2));
	ASSERT_EQ(0, come_and_go(1));
	EXPECT_EQ(1, take(self->fd, self->e, 1));
	EXPECT_END(self->e[0], 2, 1, SHMCHAN_SLOT_LEFT, 1);
	ASSERT_EQ(0, come_and_go(2));
	EXPECT_EQ(1, take(self->fd, self->e, 1));
	EXPECT_END(self->e[0], 1, 6, SHMCHAN_SLOT_LEFT, 2);
	EXPECT_EQ(1, take(self->fd, self->e, 1));
	EXPECT_END(self->e[0], 2, 2, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
}

/* Each has its own view, and its own end is in it for the others only. */
TEST_F(ends, two_subscribers)
{
	int other = open_joined(name, 1);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, subscribe_members(self->fd));
	ASSERT_EQ(0, come_and_go(2));
	ASSERT_EQ(0, subscribe_members(other));
	ASSERT_EQ(0, come_and_go(3));
	EXPECT_EQ(1, take(other, self->e, 8));
	EXPECT_END(self->e[0], 3, 1, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_EQ(2, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 2, 1, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_END(self->e[1], 3, 1, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_EQ(-EAGAIN, take(other, self->e, 8));

	ASSERT_EQ(0, come_and_go(2));
	ASSERT_EQ(0, leave(other));
	EXPECT_NE(0, events(other) & POLLHUP);
	EXPECT_EQ(-ESTALE, take(other, self->e, 8));
	EXPECT_EQ(2, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 2, 2, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_END(self->e[1], 1, 1, SHMCHAN_SLOT_LEFT, 1);
}

/* A plain subscription counts rings still, of members that come as well. */
TEST_F(ends, without_the_flag)
{
	int other = open_joined(name, 3);

	ASSERT_LE(0, other);
	ASSERT_EQ(0, subscribe(other, BELL_MEMBERS, 0));
	ASSERT_EQ(0, subscribe_members(self->fd));
	ASSERT_EQ(0, come_and_go(1));
	EXPECT_EQ(1, take(other, self->e, 8));
	EXPECT_EQ(SHMCHAN_EVENT_RUNG, self->e[0].kind);
	EXPECT_EQ(BELL_MEMBERS, self->e[0].doorbell);
	EXPECT_EQ(2, self->e[0].count);
	EXPECT_EQ(0, self->e[0].slot | self->e[0].generation |
		     self->e[0].state | self->e[0].reserved);
	/* Other doorbells come with the ends. */
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	ring(other, BELL_SHARED, 0);
	EXPECT_EQ(2, take(self->fd, self->e, 8));
	if (self->e[0].kind == SHMCHAN_EVENT_RUNG) {
		self->e[2] = self->e[0];
		self->e[0] = self->e[1];
		self->e[1] = self->e[2];
	}
	EXPECT_END(self->e[0], 1, 1, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_EQ(SHMCHAN_EVENT_RUNG, self->e[1].kind);
	EXPECT_EQ(BELL_SHARED, self->e[1].doorbell);
}

static int add_to_epoll(int fd, unsigned int how)
{
	struct epoll_event e = { .events = EPOLLIN | how };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (ep >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		return -errno;
	return ep;
}

static int told(int ep, int ms)
{
	struct epoll_event e;

	return epoll_wait(ep, &e, 1, ms);
}

/* In the peer, a moment later. */
static long come_and_go_later(long slot, long ms)
{
	usleep(ms * 1000);
	return come_and_go(slot);
}

TEST_F(ends, epoll_level)
{
	int ep;

	ASSERT_EQ(0, subscribe_members(self->fd));
	ep = add_to_epoll(self->fd, 0);
	ASSERT_LE(0, ep);
	ASSERT_LE(0, open_joined(name, 1));
	EXPECT_EQ(0, told(ep, 0));
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(1, told(ep, PATIENCE_MS));
	EXPECT_EQ(1, told(ep, 0));
	EXPECT_EQ(1, take(self->fd, self->e, 8));
	EXPECT_EQ(0, told(ep, 0));
	peer_send(&self->peer, come_and_go_later, 2, 50);
	EXPECT_EQ(1, told(ep, PATIENCE_MS));
	EXPECT_EQ(1, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 2, 1, SHMCHAN_SLOT_LEFT, 1);
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
}

/* Once for each end, read or not, and never for who comes. */
TEST_F(ends, epoll_edge)
{
	unsigned int i;
	int ep, fd;

	ASSERT_EQ(0, subscribe_members(self->fd));
	ep = add_to_epoll(self->fd, EPOLLET);
	ASSERT_LE(0, ep);
	for (i = 0; i < 3; i++) {
		fd = open_joined(name, 1);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, told(ep, 0));
		close(fd);
		EXPECT_EQ(1, told(ep, PATIENCE_MS));
		EXPECT_EQ(0, told(ep, 0));
	}
	EXPECT_EQ(1, take(self->fd, self->e, 8));
	EXPECT_END(self->e[0], 1, 3, SHMCHAN_SLOT_LEFT, 3);
	EXPECT_EQ(0, told(ep, 0));
	peer_send(&self->peer, come_and_go_later, 2, 50);
	EXPECT_EQ(1, told(ep, PATIENCE_MS));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
}

struct sleeper {
	pthread_t thread;
	volatile pid_t tid;
	int ep;
	int ret;
};

static void *sleep_in_epoll(void *arg)
{
	struct sleeper *s = arg;

	s->tid = syscall(SYS_gettid);
	s->ret = told(s->ep, 3000);
	return NULL;
}

static bool is_asleep(pid_t tid)
{
	char path[64], text[256], *state;
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[got < 0 ? 0 : got] = 0;
	state = strrchr(text, ')');
	return state && state[2] == 'S';
}

TEST_F(ends, epoll_exclusive)
{
	struct sleeper s[2] = {};
	unsigned int i;

	ASSERT_EQ(0, subscribe_members(self->fd));
	for (i = 0; i < 2; i++) {
		s[i].ep = add_to_epoll(self->fd, EPOLLEXCLUSIVE);
		ASSERT_LE(0, s[i].ep);
		ASSERT_EQ(0, pthread_create(&s[i].thread, NULL, sleep_in_epoll,
					    &s[i]));
	}
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(eventually(s[i].tid && is_asleep(s[i].tid)));
	usleep(50000);
	/* Who comes wakes none, who goes wakes one. */
	ASSERT_EQ(0, come_and_go(1));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
	EXPECT_EQ(1, s[0].ret + s[1].ret);
	EXPECT_EQ(1, take(self->fd, self->e, 8));
}

/* The end of the member itself is no event that one could take for all. */
TEST_F(ends, epoll_exclusive_own_end)
{
	struct sleeper s[2] = {};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		s[i].ep = add_to_epoll(self->fd, EPOLLEXCLUSIVE);
		ASSERT_LE(0, s[i].ep);
		ASSERT_EQ(0, pthread_create(&s[i].thread, NULL, sleep_in_epoll,
					    &s[i]));
	}
	for (i = 0; i < 2; i++)
		ASSERT_TRUE(eventually(s[i].tid && is_asleep(s[i].tid)));
	usleep(50000);
	ASSERT_EQ(0, leave(self->fd));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(s[i].thread, NULL));
		EXPECT_EQ(1, s[i].ret);
	}
}

/* In the peer: as fast as it can. */
static long loop(long slot, long nr)
{
	long i, ret = 0;

	for (i = 0; !ret && i < nr; i++)
		ret = come_and_go(slot);
	return ret;
}

/* The reader is always behind, and loses none. */
TEST_F_TIMEOUT(ends, join_and_leave_for_ever, 180)
{
	struct pollfd pfd = { .fd = self->fd, .events = POLLIN };
	unsigned int last = 0;
	uint64_t sum = 0;
	long i, nr;

	ASSERT_EQ(0, subscribe_members(self->fd));
	peer_send(&self->peer, loop, 1, LOOPS);
	while (last < LOOPS) {
		if (poll(&pfd, 1, PATIENCE_MS) != 1)
			break;
		nr = take(self->fd, self->e, 8);
		/* poll() says it only if it is so. */
		ASSERT_LT(0, nr);
		for (i = 0; i < nr; i++) {
			ASSERT_EQ(1, self->e[i].slot);
			ASSERT_EQ(SHMCHAN_SLOT_LEFT, self->e[i].state);
			ASSERT_EQ(last + self->e[i].count,
				  self->e[i].generation);
			ASSERT_LT(0, self->e[i].count);
			last = self->e[i].generation;
			sum += self->e[i].count;
		}
	}
	EXPECT_EQ(LOOPS, last);
	EXPECT_EQ(LOOPS, sum);
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
}

struct reader {
	pthread_t thread;
	int fd;
	volatile bool *done;
	uint64_t sum;
};

static void *read_all(void *arg)
{
	struct reader *r = arg;
	struct pollfd pfd = { .fd = r->fd, .events = POLLIN };
	struct shmchan_event e;
	bool done;
	long got;

	do {
		done = *r->done;
		poll(&pfd, 1, 10);
		while ((got = take(r->fd, &e, 1)) == 1)
			r->sum += e.count;
	} while (!done && got == -EAGAIN);
	return NULL;
}

/* Several threads read the same file: no end is told twice. */
TEST_F_TIMEOUT(ends, several_readers, 180)
{
	volatile bool done = false;
	struct reader readers[3];
	uint64_t sum = 0;
	unsigned int i;

	ASSERT_EQ(0, subscribe_members(self->fd));
	for (i = 0; i < COUNT(readers); i++) {
		readers[i] = (struct reader) { .fd = self->fd, .done = &done };
		ASSERT_EQ(0, pthread_create(&readers[i].thread, NULL, read_all,
					    &readers[i]));
	}
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(0, peer_call(&self->peer, loop, 2, 10));
		EXPECT_EQ(0, peer_call(&self->peer, loop, 3, 10));
	}
	done = true;
	for (i = 0; i < COUNT(readers); i++) {
		ASSERT_EQ(0, pthread_join(readers[i].thread, NULL));
		sum += readers[i].sum;
	}
	EXPECT_EQ(200, sum);
	EXPECT_EQ(-EAGAIN, take(self->fd, self->e, 8));
}

/* More slots and subscribers than are looked at in one go. */
TEST_F_TIMEOUT(ends, many, 180)
{
	struct shmchan_event e[64];
	struct layout l = layout;
	unsigned int i, k;
	int fds[40], fd;

	l.name = "many-ends";
	l.nr_slots = 2 * COUNT(fds) + 1;
	l.nr_windows = 0;
	fd = create_joined(&l, 2 * COUNT(fds));
	ASSERT_LE(0, fd);
	name = l.name;
	for (i = 0; i < COUNT(fds); i++) {
		fds[i] = open_joined(name, i);
		ASSERT_LE(0, fds[i]);
		ASSERT_EQ(0, subscribe_members(fds[i]));
	}
	for (i = 0; i < COUNT(fds); i++)
		ASSERT_EQ(0, come_and_go(COUNT(fds) + i));
	for (i = 0; i < COUNT(fds); i++) {
		EXPECT_EQ(POLLIN, events(fds[i]));
		ASSERT_EQ(COUNT(fds), take(fds[i], e, COUNT(e)));
		for (k = 0; k < COUNT(fds); k++)
			ASSERT_EQ(COUNT(fds) + k, e[k].slot);
		EXPECT_EQ(0, events(fds[i]));
	}
}

TEST_HARNESS_MAIN
