// SPDX-License-Identifier: GPL-2.0-only

/* Pools: an owner that has lent all waits, and is woken by what frees a buffer. */

#include <pthread.h>

#include "pool_fixture.h"

/* A holder that takes what it is told, and drops it when it is told. */
struct other {
	_Atomic int taken;
	_Atomic int drop;
	struct shmchan_pool_ref ref;
};

static pid_t hold(const char *tag, struct other *o, int leave)
{
	struct shmchan_pool *holder;
	struct shmchan_pool_buf b;
	pid_t pid;

	(void)test_name("");
	pid = child_fork();
	if (pid)
		return pid;
	holder = open_holder(tag);
	CHECK_EQ(shmchan_pool_take(holder, &o->ref, &b), 0);
	o->taken = 1;
	while (!o->drop)
		sleep_ms(1);
	if (leave) {
		shmchan_pool_close(holder);
		child_done();
	}
	CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
	/* It stays: that it is gone is not what wakes. */
	for (;;)
		sleep_ms(1000);
}

static void *tell_later(void *arg)
{
	sleep_ms(100);
	((struct other *)arg)->drop = 1;
	return NULL;
}

static void woken_by(const char *tag, int leave)
{
	struct other *o = shared_alloc(sizeof(*o));
	struct shmchan_pool *owner = open_owner(tag, 64, 1);
	struct shmchan_pool_buf a;
	struct shmchan_pool_stats stats;
	pthread_t thread;
	uint64_t begin;
	pid_t pid;

	a = alloc_buf(owner, 64);
	o->ref = ref_of(owner, &a);
	pid = hold(tag, o, leave);
	while (!o->taken)
		sleep_ms(1);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	begin = now_ns();
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 20 * MS), -ETIMEDOUT);
	CHECK_GE(now_ns() - begin, 20 * MS);
	CHECK_EQ(pthread_create(&thread, NULL, tell_later, o), 0);
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, -1), 0);
	CHECK_EQ(o->drop, 1);
	CHECK_EQ(a.lap, 1);
	shmchan_pool_get_stats(owner, &stats);
	CHECK_GE(stats.waits, 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	if (leave)
		CHECK_CHILD_OK(pid);
	else
		child_kill(pid);
	shmchan_pool_close(owner);
}

TEST(woken_by_a_drop)
{
	woken_by("drop", 0);
}

TEST(woken_by_one_that_leaves)
{
	woken_by("leave", 1);
}

static void *kill_later(void *arg)
{
	sleep_ms(100);
	kill(*(pid_t *)arg, SIGKILL);
	return NULL;
}

TEST(woken_by_a_death)
{
	struct other *o = shared_alloc(sizeof(*o));
	struct shmchan_pool *owner = open_owner("death", 64, 1);
	struct shmchan_pool_buf a;
	pthread_t thread;
	pid_t pid;

	a = alloc_buf(owner, 64);
	o->ref = ref_of(owner, &a);
	pid = hold("death", o, 0);
	while (!o->taken)
		sleep_ms(1);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	CHECK_EQ(pthread_create(&thread, NULL, kill_later, &pid), 0);
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 20 * TOLD_NS), 0);
	CHECK_EQ(a.lap, 1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	child_wait(pid);
	shmchan_pool_close(owner);
}

/* It sleeps for a receiver that has not read yet: of another region. */
TEST(woken_by_a_landing)
{
	struct shmchan_pool *owner = open_owner("land", 64, 1);
	struct shmchan_pool_buf a;
	struct shmchan_spsc tx, rx;
	pid_t pid;

	open_as(&tx, "lane", SHMCHAN_SENDER, 4096, -1);
	a = alloc_buf(owner, 64);
	CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &a, 0, 0, 0), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 0), -EAGAIN);
	pid = child_fork();
	if (!pid) {
		char raw[16];

		open_as(&rx, "lane", SHMCHAN_RECEIVER, 4096, -1);
		sleep_ms(100);
		/* It does not know the pool, and takes nothing. */
		CHECK_EQ(shmchan_spsc_recv(&rx, raw, 16, NULL, NULL, -1), 0);
		CHECK_EQ(shmchan_spsc_recv(&rx, raw, 16, NULL, NULL, -1), 0);
		CHECK_EQ(shmchan_spsc_recv(&rx, raw, 16, NULL, NULL, -1),
			 -EPIPE);
		shmchan_spsc_close(&rx);
		child_done();
	}
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, -1), 0);
	CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &a, 0, 0, 0), 0);
	/* It may have been read by now. */
	CHECK_LE(shmchan_pool_recall(owner, &tx.w), 1);
	CHECK_EQ(shmchan_pool_in_flight(owner), 0);
	shmchan_spsc_close(&tx);
	CHECK_CHILD_OK(pid);
	shmchan_pool_close(owner);
}

/* Often, without pauses: a wake-up that is lost is a test that does not end. */
TEST_LIMIT(back_and_forth, 60)
{
	const int rounds = HARNESS_ROUNDS(20000);
	struct shmchan_pool *owner = open_owner("often", 64, 1), *holder;
	struct shmchan_pool_stats stats;
	struct shmchan_pool_buf a;
	struct shmchan_spsc tx, rx;
	uint64_t value;
	pid_t pid;
	int i;

	(void)test_name("");
	pid = child_fork();
	if (!pid) {
		holder = open_holder("often");
		open_as(&rx, "often2", SHMCHAN_RECEIVER, 4096, 0);
		for (i = 0; i < rounds; i++) {
			CHECK_EQ(shmchan_pool_recv_spsc(holder, &rx, &a, NULL,
							-1), 0);
			memcpy(&value, a.data, 8);
			CHECK_EQ(value, i);
			CHECK_EQ(shmchan_pool_drop(holder, &a), 0);
		}
		shmchan_spsc_close(&rx);
		shmchan_pool_close(holder);
		child_done();
	}
	open_as(&tx, "often2", SHMCHAN_SENDER, 4096, 0);
	for (i = 0; i < rounds; i++) {
		CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, -1), 0);
		value = (uint64_t)i;
		memcpy(a.data, &value, 8);
		CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &a, 0, 0, -1), 0);
		CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	}
	shmchan_pool_get_stats(owner, &stats);
	note("%d rounds, slept %llu times", rounds,
	     (unsigned long long)stats.waits);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&tx);
	shmchan_pool_close(owner);
}

TEST_MAIN
