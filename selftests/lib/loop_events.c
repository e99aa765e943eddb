// SPDX-License-Identifier: GPL-2.0-only

/* Events: which members have ended, each told once; eventfds that are rung. */

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <shmchan/access.h>
#include <shmchan/loop.h>

#include "region_fixture.h"

#define MS	1000000LL

/* Joins as that slot, says so in word slot, and then waits for the end. */
static pid_t member(const char *name, uint32_t slot)
{
	pid_t pid = child_fork();

	if (!pid) {
		struct shmchan_region *r = fix_open(name, slot);

		shmchan_store_seq_cst(fix_word(r, slot), r->generation);
		for (;;) {
			/* Killed, or asked to leave. */
			if (shmchan_load_seq_cst(fix_word(r, 10 + slot)))
				break;
			sleep_ms(1);
		}
		shmchan_region_close(r);
		child_done();
	}
	return pid;
}

static uint32_t await(struct shmchan_region *r, uint32_t slot)
{
	fix_await(r, slot, 0);
	return (uint32_t)shmchan_exchange(fix_word(r, slot), 0);
}

static void leaves(struct shmchan_region *r, uint32_t slot, pid_t pid)
{
	shmchan_store_seq_cst(fix_word(r, 10 + slot), 1);
	CHECK_CHILD_OK(pid);
	shmchan_store_seq_cst(fix_word(r, 10 + slot), 0);
}

static struct shmchan_event next_event(struct shmchan_region *r)
{
	uint64_t begin = now_ns();
	struct shmchan_event e;
	int n;

	while (!(n = shmchan_bell_events(r, &e, 1))) {
		CHECK_LE(now_ns() - begin, 10000 * MS);
		sleep_ms(1);
	}
	CHECK_EQ(n, 1);
	return e;
}

#define CHECK_ENDED(e, its_slot, its_generation, its_state, its_count)	\
	do {								\
		struct shmchan_event ended_e = (e);			\
		CHECK_EQ(ended_e.kind, SHMCHAN_EVENT_ENDED);		\
		CHECK_EQ(ended_e.doorbell, SHMCHAN_DOORBELL_MEMBERS);	\
		CHECK_EQ(ended_e.slot, (its_slot));			\
		CHECK_EQ(ended_e.generation, (its_generation));		\
		CHECK_EQ(ended_e.state, (its_state));			\
		CHECK_EQ(ended_e.count, (its_count));			\
	} while (0)

TEST(each_end_is_told_once)
{
	const char *name = test_name("ends");
	struct shmchan_region *r = fix_create(name);
	uint32_t generation, before;
	struct shmchan_event e;
	pid_t pid, other;

	/* What was before is not told. */
	pid = member(name, 1);
	generation = await(r, 1);
	child_kill(pid);
	fix_await_slot(r, 1, (uint64_t)generation << 32 | SHMCHAN_SLOT_LIVE);
	CHECK_EQ(shmchan_bell_events(r, &e, 1), 0);
	CHECK_EQ(shmchan_bell_subscribe_members(r), 0);
	CHECK_EQ(shmchan_bell_subscribe_members(r), -EEXIST);
	CHECK_EQ(shmchan_bell_events(r, &e, 1), 0);

	/* One that comes is none; one that leaves is. */
	pid = member(name, 1);
	generation = await(r, 1);
	CHECK_EQ(generation, 2);
	CHECK_EQ(shmchan_bell_events(r, &e, 1), 0);
	leaves(r, 1, pid);
	CHECK_ENDED(next_event(r), 1, generation, SHMCHAN_SLOT_LEFT, 1);
	CHECK_EQ(shmchan_bell_events(r, &e, 1), 0);

	/* Two slots, one of them twice; its last one is told of. */
	other = member(name, 2);
	before = await(r, 2);
	pid = member(name, 1);
	generation = await(r, 1);
	leaves(r, 1, pid);
	pid = member(name, 1);
	CHECK_EQ(await(r, 1), generation + 1);
	child_kill(pid);
	fix_await_slot(r, 1,
		       (uint64_t)(generation + 1) << 32 | SHMCHAN_SLOT_LIVE);
	e = next_event(r);
	CHECK_ENDED(e, 1, generation + 1, SHMCHAN_SLOT_DIED, 2);
	child_kill(other);
	CHECK_ENDED(next_event(r), 2, before, SHMCHAN_SLOT_DIED, 1);
	CHECK_EQ(shmchan_bell_events(r, &e, 1), 0);

	/* One that has been followed by another. */
	pid = member(name, 3);
	CHECK_EQ(await(r, 3), 1);
	leaves(r, 3, pid);
	pid = member(name, 3);
	CHECK_EQ(await(r, 3), 2);
	CHECK_ENDED(next_event(r), 3, 1, SHMCHAN_SLOT_LEFT, 1);

	CHECK_EQ(shmchan_bell_unsubscribe(r, SHMCHAN_DOORBELL_MEMBERS), 0);
	CHECK_EQ(shmchan_bell_unsubscribe(r, SHMCHAN_DOORBELL_MEMBERS), -ENOENT);
	leaves(r, 3, pid);
	CHECK_EQ(shmchan_bell_events(r, &e, 1), 0);
	CHECK_EQ(shmchan_bell_subscribe_members(r), 0);
	CHECK_EQ(shmchan_bell_events(r, &e, 1), 0);
	CHECK_EQ(shmchan_bell_events(r, &e, 0), -EINVAL);
	CHECK_EQ(shmchan_bell_events(r, NULL, 1), -EINVAL);
	CHECK_EQ(shmchan_bell_events(NULL, &e, 1), -EINVAL);
	shmchan_region_close(r);
}

static struct shmchan_region *shared_region;
static uint64_t told;
static uint32_t done;

static void *reader(void *arg)
{
	struct shmchan_event e[2];
	int i, n;

	while (!shmchan_load_seq_cst(&done)) {
		n = shmchan_bell_events(shared_region, e, 2);
		CHECK_GE(n, 0);
		for (i = 0; i < n; i++)
			shmchan_fetch_add(&told, e[i].count);
	}
	return arg;
}

TEST_LIMIT(threads_share_the_events, 120)
{
	const char *name = test_name("threads");
	uint64_t ended = 0, begin;
	pthread_t threads[2];
	pid_t pids[2];
	int i, j;

	shared_region = fix_create(name);
	CHECK_EQ(shmchan_bell_subscribe_members(shared_region), 0);
	for (i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, reader, NULL), 0);
	for (i = 0; i < 5; i++) {
		for (j = 0; j < 2; j++)
			pids[j] = member(name, 1 + (uint32_t)j);
		for (j = 0; j < 2; j++) {
			await(shared_region, 1 + (uint32_t)j);
			leaves(shared_region, 1 + (uint32_t)j, pids[j]);
			ended++;
		}
	}
	begin = now_ns();
	while (shmchan_load_seq_cst(&told) < ended) {
		CHECK_LE(now_ns() - begin, 10000 * MS);
		sleep_ms(1);
	}
	shmchan_store_seq_cst(&done, 1);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(told, ended);
	shmchan_region_close(shared_region);
}

TEST(the_file_polls_for_ends_alone)
{
	const char *name = test_name("polls");
	struct shmchan_region *r = fix_create(name);
	struct shmchan_event e;
	struct pollfd p;
	uint32_t generation;
	pid_t pid;

	p.fd = shmchan_region_fd(r);
	p.events = POLLIN;
	if (!on_kmod()) {
		CHECK_EQ(p.fd, -ENOTSUP);
		CHECK_SAYS(shmchan_error_detail(), "shmchan_set_fd");
		SKIP("local backend: regions have no file");
	}
	CHECK_EQ(shmchan_bell_subscribe_members(r), 0);
	pid = member(name, 1);
	generation = await(r, 1);
	CHECK_EQ(poll(&p, 1, 0), 0);
	child_kill(pid);
	CHECK_EQ(poll(&p, 1, 10000), 1);
	CHECK_EQ(shmchan_bell_events(r, &e, 1), 1);
	CHECK_ENDED(e, 1, generation, SHMCHAN_SLOT_DIED, 1);
	CHECK_EQ(poll(&p, 1, 0), 0);
	shmchan_region_close(r);
}

TEST(rings_are_events)
{
	const char *name = test_name("rings");
	struct shmchan_region *r = fix_create(name), *other;
	struct shmchan_event e[4];

	KMOD_ONLY("no doorbell is subscribed to");
	other = fix_open(name, 1);
	CHECK_EQ(shmchan_bell_subscribe(r, FIX_BELL(0)), 0);
	CHECK_EQ(shmchan_bell_subscribe(r, FIX_BELL_SHARED), 0);
	CHECK_GE(shmchan_bell_ring(other, FIX_BELL(0), 0), 0);
	CHECK_GE(shmchan_bell_ring(other, FIX_BELL(0), 0), 0);
	CHECK_EQ(shmchan_bell_events(r, e, 4), 1);
	CHECK_EQ(e[0].kind, SHMCHAN_EVENT_RUNG);
	CHECK_EQ(e[0].doorbell, FIX_BELL(0));
	CHECK_EQ(e[0].count, 2);
	CHECK_EQ(shmchan_bell_unsubscribe(r, FIX_BELL(0)), 0);
	CHECK_GE(shmchan_bell_ring(other, FIX_BELL(0), 0), 0);
	CHECK_EQ(shmchan_bell_events(r, e, 4), 0);
	shmchan_region_close(other);
	shmchan_region_close(r);
}

static uint64_t count_of(int fd)
{
	uint64_t count = 0;

	if (read(fd, &count, sizeof(count)) < 0)
		CHECK_EQ(errno, EAGAIN);
	return count;
}

static int readable(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms);
}

TEST(a_bound_eventfd)
{
	const char *name = test_name("bound");
	struct shmchan_region *r = fix_create(name), *other;
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), none;

	CHECK_GE(fd, 0);
	if (!on_kmod()) {
		CHECK_EQ(shmchan_bell_bind_eventfd(r, FIX_BELL(0), fd), -ENOTSUP);
		CHECK_SAYS(shmchan_error_detail(), "shmchan_set_fd");
		SKIP("local backend: no way to a file of another process");
	}
	other = fix_open(name, 1);
	CHECK_EQ(shmchan_bell_bind_eventfd(r, FIX_BELL(0), -1), -ENOENT);
	CHECK_EQ(shmchan_bell_bind_eventfd(r, FIX_BELL(0), fd), 0);
	CHECK_EQ(shmchan_bell_bind_eventfd(r, FIX_BELL(0), fd), -EEXIST);
	/* Who is bound counts as waiting: no arm. */
	CHECK(shmchan_bell_wanted(other, FIX_BELL(0)));
	CHECK_GE(shmchan_bell_notify(other, FIX_BELL(0)), 0);
	CHECK_GE(shmchan_bell_notify(other, FIX_BELL(0)), 0);
	/* On a slow machine two may be told as one, and that late. */
	CHECK_EQ(readable(fd, 10000), 1);
	CHECK_GE(count_of(fd), 1);
	/* The binding goes with the member, not with our number of it. */
	CHECK_EQ(shmchan_bell_bind_eventfd(r, FIX_BELL(0), -1), 0);
	sleep_ms(100);
	count_of(fd);
	CHECK(!shmchan_bell_wanted(other, FIX_BELL(0)));
	CHECK_GE(shmchan_bell_ring(other, FIX_BELL(0), 0), 0);
	CHECK_EQ(count_of(fd), 0);
	none = dup(STDOUT_FILENO);
	CHECK_EQ(shmchan_bell_bind_eventfd(r, FIX_BELL(0), none), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "is no eventfd");
	close(none);
	CHECK_EQ(shmchan_bell_bind_eventfd(r, FIX_BELL(0), none), -EBADF);
	CHECK_EQ(shmchan_bell_bind_eventfd(r, FIX_BELL(1), fd), -EACCES);
	CHECK_EQ(shmchan_bell_bind_eventfd(r, FIX_BELLS + 1, fd), -EINVAL);
	shmchan_region_close(other);
	shmchan_region_close(r);
	close(fd);
}

TEST(not_for_a_forked_child)
{
	struct shmchan_region *r = fix_create(test_name("fork"));
	struct shmchan_event e;
	pid_t pid = child_fork();

	if (!pid) {
		CHECK_EQ(shmchan_bell_subscribe_members(r), -EOWNERDEAD);
		CHECK_EQ(shmchan_bell_events(r, &e, 1), -EOWNERDEAD);
		CHECK_EQ(shmchan_bell_unsubscribe(r, 0), -EOWNERDEAD);
		CHECK_EQ(shmchan_bell_bind_eventfd(r, 1, -1), -EOWNERDEAD);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	shmchan_region_close(r);
}

TEST_MAIN
