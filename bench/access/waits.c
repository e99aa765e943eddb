// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Those who wait for ever: what do they cost who rings, and who joins?
 *
 * A condition that never comes true stays in its doorbell's queue, and each
 * ring evaluates it.  The count of waiters is not zero then, so producers ring.
 */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostile.h"

#define NAME	"waited"
#define ROUNDS	51

/* Threads that it takes for the conditions that a member may have. */
#define THREADS	(SHMCHAN_MAX_SHARED / SHMCHAN_MAX_ELEMS)

static struct plan plan;

/* --- sleepers, in a process of their own --------------------------------- */

struct sleeper {
	int fds[2];		/* in turn */
	unsigned int bell;
	unsigned int nr;
	uint64_t offset;
};

void waits_plan(const struct plan *p)
{
	plan = *p;
}

static void *sleeper_main(void *arg)
{
	struct shmchan_wait_elem elems[SHMCHAN_MAX_ELEMS];
	const struct sleeper *s = arg;
	unsigned int i;
	int ret;

	for (i = 0; i < s->nr; i++)
		elems[i] = (struct shmchan_wait_elem) {
			.fd = s->fds[i % 2],
			.doorbell = s->bell,
			.offset = s->offset,
			.mask = ~0ULL,
		};
	ret = wait_for(s->fds[0], elems, s->nr, SHMCHAN_FOREVER);
	if (ret != -ESTALE)
		die("a sleeper woke: %s", strerror(-ret));
	return NULL;
}

static void start_sleeper(const struct sleeper *s)
{
	struct sleeper *own = malloc(sizeof(*own));
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	if (!own)
		die("no memory");
	*own = *s;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	ret = pthread_create(&thread, &attr, sleeper_main, own);
	if (ret)
		die("a thread: %s", strerror(ret));
}

static int any_member(void)
{
	return must(region_join(plan.shape.name, SHMCHAN_SLOT_ANY), "JOIN");
}

/* Conditions of one member, or two, as many as they may have. */
static void start_member(enum waits how)
{
	unsigned int i, nr = how == WAITS_SINGLE ? 2 * THREADS : THREADS;
	struct sleeper s = {
		.bell = how == WAITS_MEMBERS ? SHMCHAN_DOORBELL_MEMBERS :
					       plan.shared,
		.nr = SHMCHAN_MAX_ELEMS,
		.offset = plan.words + 8,
	};

	s.fds[0] = any_member();
	s.fds[1] = how == WAITS_SINGLE ? any_member() : s.fds[0];
	for (i = 0; i < nr; i++)
		start_sleeper(&s);
}

static int start_subscriber(void)
{
	int fd = any_member();

	must(subscribe(fd, plan.shared), "SUBSCRIBE");
	return fd;
}

static void watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(EPOLL_CLOEXEC);

	if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &event))
		die("epoll: %s", strerror(errno));
}

/* @how: enum waits; @nr: of members, or threads. */
long waits_start(long how, long nr)
{
	struct sleeper s = { .nr = 1 };
	long i;

	switch (how) {
	case WAITS_RUN:
	case WAITS_MEMBERS:
		for (i = 0; i < nr; i++)
			start_member((enum waits)how);
		return 0;
	case WAITS_SINGLE:
		for (i = 0; i < nr / 2; i++)
			start_member(WAITS_SINGLE);
		return 0;
	case WAITS_SUBS:
		for (i = 0; i < nr; i++)
			start_subscriber();
		return 0;
	case WAITS_EPOLL:
		s.fds[0] = start_subscriber();
		for (i = 0; i < nr; i++)
			watch(s.fds[0]);
		return 0;
	case WAITS_ONE:
		s.offset = slot_word(&plan, plan.shape.nr_slots - 1);
		s.bell = SHMCHAN_DOORBELL_MEMBERS;
		s.fds[0] = any_member();
		break;
	case WAITS_OWNED:
		s.fds[0] = must(region_join(plan.shape.name, 1), "JOIN");
		s.bell = BELL_OF(1);
		s.offset = plan.words + 8;
		s.nr = SHMCHAN_MAX_ELEMS;
		break;
	default:
		return -EINVAL;
	}
	s.fds[1] = s.fds[0];
	for (i = 0; i < nr; i++)
		start_sleeper(&s);
	return 0;
}

/* --- the honest one ------------------------------------------------------ */

static struct {
	int fd;
	char *status;
	uint64_t *word;
} honest;

static void honest_start(unsigned int nr_slots)
{
	plan_region(&plan, NAME, 0, nr_slots, 0);
	honest.fd = plan_create(&plan);
	must(member_join(honest.fd, 0), "JOIN");
	honest.status = map_range(honest.fd, plan.status, plan.status_size,
				  PROT_READ);
	honest.word = (uint64_t *)(void *)map_range(honest.fd, plan.words, PAGE,
						    PROT_READ | PROT_WRITE);
	touch(honest.status, plan.status_size, PAGE);
	*honest.word = 0;
}

static void honest_stop(void)
{
	/* Mappings keep the region; this process makes another one. */
	must(member_leave(honest.fd), "LEAVE");
	close(honest.fd);
	munmap(honest.status, plan.status_size);
	munmap(honest.word, PAGE);
}

static void publication(unsigned int bell)
{
	static uint64_t position;

	__atomic_exchange_n(honest.word, ++position, __ATOMIC_SEQ_CST);
	if (waiters(&plan, honest.status, bell))
		must(ring(honest.fd, bell), "RING");
}

static void wait_none(unsigned int bell)
{
	const struct shmchan_wait_elem elem = {
		.fd = -1,
		.doorbell = bell,
		.offset = plan.words + 8,
		.mask = ~0ULL,
	};

	if (wait_for(honest.fd, &elem, 1, 0) != -ETIMEDOUT)
		die("WAIT");
}

static void time_publications(const char *attack, unsigned int bell)
{
	static struct costs ringing, waiting, publishing;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		TIMED(&publishing, publication(bell));
		TIMED(&ringing, must(ring(honest.fd, bell), "RING"));
		if (bell == plan.shared)
			TIMED(&waiting, wait_none(bell));
	}
	row(attack, "publication", &publishing);
	row(attack, "RING", &ringing);
	if (waiting.nr)
		row(attack, "WAIT, no sleep", &waiting);
}

static void time_joins(const char *attack)
{
	static struct costs joining, leaving;
	unsigned int i;
	int fd;

	for (i = 0; i < ROUNDS; i++) {
		fd = must(region_open(NAME, RIGHTS_RW), "OPEN");
		TIMED(&joining, must(member_join(fd, plan.shape.nr_slots - 2),
				     "JOIN"));
		TIMED(&leaving, must(member_leave(fd), "LEAVE"));
		close(fd);
	}
	row(attack, "JOIN", &joining);
	row(attack, "LEAVE", &leaving);
}

/* Sleepers of a kind; @nr members or threads, in @places of the queue. */
static void with_waits(const char *what, enum waits how, long nr,
		       unsigned int bell, uint32_t places)
{
	struct usage before, after;
	struct peer p;
	char attack[64];

	snprintf(attack, sizeof(attack), "%s: %ld", what, nr);
	honest_start(200);
	peer_start(&p, HOSTILE_UID);
	peer_call(&p, waits_start, how, nr);
	await_waiters(&plan, honest.status, bell, places);
	before = usage_of(p.pid);
	if (how == WAITS_MEMBERS || how == WAITS_ONE)
		time_joins(attack);
	else
		time_publications(attack, bell);
	after = usage_of(p.pid);
	if (waiters(&plan, honest.status, bell) != places)
		die("somebody woke");
	row_number(attack, "sleepers' switches",
		   (double)(after.switches - before.switches));
	row_number(attack, "sleepers' run time",
		   (double)(after.run - before.run));
	peer_stop(&p);
	honest_stop();
}

/* --- a sleeper in poll --------------------------------------------------- */

static struct {
	uint64_t wakes;
} *poller;

static void *poller_main(void *arg)
{
	int fd = *(int *)arg;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct shmchan_event event;

	for (;;) {
		must(arm(fd, BELL_OF(1)), "ARM");
		if (poll(&pfd, 1, -1) != 1 ||
		    read(fd, &event, sizeof(event)) != sizeof(event))
			die("poll: %s", strerror(errno));
		poller->wakes++;
	}
	return NULL;
}

static long poller_start(long a, long b)
{
	static int fd;
	pthread_t thread;

	(void)a;
	(void)b;
	fd = must(region_join(NAME, 1), "JOIN");
	must(subscribe(fd, BELL_OF(1)), "SUBSCRIBE");
	return -pthread_create(&thread, NULL, poller_main, &fd);
}

static int hostile_fd = -1;

static long hostile_join(long a, long b)
{
	(void)a;
	(void)b;
	hostile_fd = any_member();
	return 0;
}

static long hostile_ring(long bell, long times)
{
	uint64_t start = count();
	long i;

	for (i = 0; i < times; i++)
		must(ring(hostile_fd, (unsigned int)bell), "RING");
	return (long)(count() - start);
}

/* It wakes at each ring: that is what it asked for. */
static void with_poller(void)
{
	static const char attack[] = "spurious RING of a sleeper in poll";
	struct usage before, after;
	static struct costs ringing;
	struct peer sleeper, p;
	unsigned int i;

	poller = shared_memory(sizeof(*poller));
	honest_start(200);
	peer_start(&sleeper, 0);
	peer_call(&sleeper, poller_start, 0, 0);
	peer_start(&p, HOSTILE_UID);
	peer_call(&p, hostile_join, 0, 0);
	await_waiters(&plan, honest.status, BELL_OF(1), 1);
	poller->wakes = 0;
	before = usage_of(sleeper.pid);
	for (i = 0; i < ROUNDS; i++) {
		costs_add(&ringing, (uint64_t)peer_call(&p, hostile_ring,
							BELL_OF(1), 1));
		await_waiters(&plan, honest.status, BELL_OF(1), 1);
	}
	after = usage_of(sleeper.pid);
	row(attack, "itself", &ringing);
	row_number(attack, "wake-ups a ring",
		   (double)poller->wakes / ROUNDS);
	row_number(attack, "sleeper's run time a ring",
		   (double)(after.run - before.run) / ROUNDS);
	peer_stop(&p);
	peer_stop(&sleeper);
	honest_stop();
}

void measure_waits(void)
{
	static const long members[] = { 1, 8, 64 };
	uint32_t singles = SHMCHAN_MAX_SHARED;
	size_t i;
	long nr;

	heading("conditions that never come true");
	honest_start(200);
	time_publications("none", plan.shared);
	time_joins("none");
	honest_stop();
	for (i = 0; i < COUNT(members); i++) {
		nr = members[i];
		with_waits("512 conditions each, shared doorbell; members",
			   WAITS_RUN, nr, plan.shared, (uint32_t)nr * THREADS);
	}
	for (i = 1; i < COUNT(members); i++) {
		nr = members[i];
		with_waits("the same, each in its own place; members",
			   WAITS_SINGLE, nr, plan.shared,
			   (uint32_t)nr * singles);
	}
	for (i = 0; i < COUNT(members); i++) {
		nr = members[i];
		with_waits("512 conditions each, doorbell 0; members",
			   WAITS_MEMBERS, nr, SHMCHAN_DOORBELL_MEMBERS,
			   (uint32_t)nr * THREADS);
	}
	with_waits("one condition each, doorbell 0; threads", WAITS_ONE, 1,
		   SHMCHAN_DOORBELL_MEMBERS, 1);
	with_waits("one condition each, doorbell 0; threads", WAITS_ONE, 512,
		   SHMCHAN_DOORBELL_MEMBERS, 512);
	with_waits("128 conditions each, own doorbell; threads", WAITS_OWNED,
		   1, BELL_OF(1), 1);
	with_waits("128 conditions each, own doorbell; threads", WAITS_OWNED,
		   SHMCHAN_MAX_WAITERS, BELL_OF(1), SHMCHAN_MAX_WAITERS);
	for (i = 0; i < COUNT(members); i++)
		with_waits("subscribed, shared doorbell; members", WAITS_SUBS,
			   members[i], plan.shared, 0);
	for (nr = 1; nr <= 10000; nr *= 100)
		with_waits("one that subscribed; epoll sets it is in",
			   WAITS_EPOLL, nr, plan.shared, 0);
	with_poller();
}
