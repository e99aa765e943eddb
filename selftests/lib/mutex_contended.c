// SPDX-License-Identifier: GPL-2.0-only

/* Mutexes that many want: threads, processes, with and without a time limit. */

#include <sched.h>

#include "sync_fixture.h"

#define THREADS		4

struct job {
	struct shmchan_mutex *m;
	uint64_t *plain;		/* protected, and not atomic */
	int rounds;
	int64_t timeout_ns;
	uint64_t done;
};

static void *work(void *arg)
{
	struct job *job = (struct job *)arg;
	int i, err;

	for (i = 0; i < job->rounds; i++) {
		err = shmchan_mutex_timedlock(job->m, job->timeout_ns);
		if (err == -ETIMEDOUT || err == -EAGAIN)
			continue;
		CHECK_EQ(err, 0);
		++*job->plain;
		/* Preempted in the middle: the others come and sleep. */
		if (!(i % 8))
			sched_yield();
		CHECK_EQ(shmchan_mutex_unlock(job->m), 0);
		job->done++;
	}
	return NULL;
}

/* All threads by one handle over one mapping: ThreadSanitizer sees it. */
static uint64_t threads(int64_t timeout_ns, int64_t spin_ns, int rounds)
{
	struct shmchan_region *r = syn_create(test_name("m"));
	struct shmchan_place place = syn_place(r, 0);
	struct job jobs[THREADS];
	pthread_t thread[THREADS];
	struct shmchan_mutex m;
	uint64_t plain = 0, done = 0;
	int i;

	place.spin_ns = spin_ns;
	CHECK_EQ(shmchan_mutex_attach(&m, &place), 0);
	for (i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){ &m, &plain, rounds, timeout_ns, 0 };
		CHECK_EQ(pthread_create(&thread[i], NULL, work, &jobs[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
		done += jobs[i].done;
	}
	CHECK_EQ(plain, done);
	CHECK_EQ(m.o.line->word, 0);
	note("waits %llu, rings %llu", (unsigned long long)m.o.waits,
	     (unsigned long long)m.o.rings);
	shmchan_region_close(r);
	return done;
}

TEST(threads_that_wait)
{
	int rounds = HARNESS_ROUNDS(20000);

	CHECK_EQ(threads(-1, 0, rounds), THREADS * rounds);
}

TEST(threads_that_sleep_at_once)
{
	int rounds = HARNESS_ROUNDS(5000);

	CHECK_EQ(threads(-1, -1, rounds), THREADS * rounds);
}

TEST(threads_that_try)
{
	threads(0, 0, HARNESS_ROUNDS(20000));
}

TEST(threads_with_little_time)
{
	threads(20000, -1, HARNESS_ROUNDS(5000));
}

/*
 * Two processes, one of which sleeps each time: a wake-up that were lost would
 * end the test by its limit, on the local backend by a turn that takes a slice.
 */
TEST(processes)
{
	const char *name = test_name("m");
	struct shmchan_region *r = syn_create(name);
	int i, j, rounds = HARNESS_ROUNDS(5000);
	struct shmchan_mutex m;
	pid_t pids[3];

	for (j = 0; j < 3; j++) {
		pids[j] = child_fork();
		if (pids[j])
			continue;
		r = syn_open(name);
		syn_mutex(&m, r, 0);
		for (i = 0; i < rounds; i++) {
			CHECK_EQ(shmchan_mutex_lock(&m), 0);
			++*syn_word(r, 0);
			if (!(i % 8))
				sched_yield();
			CHECK_EQ(shmchan_mutex_unlock(&m), 0);
		}
		shmchan_region_close(r);
		child_done();
	}
	for (j = 0; j < 3; j++)
		CHECK_CHILD_OK(pids[j]);
	CHECK_EQ(*syn_word(r, 0), 3 * rounds);
	shmchan_region_close(r);
}

/* One unlock wakes one: nobody sleeps on with the mutex free. */
TEST(all_sleepers_get_it)
{
	const char *name = test_name("m");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_mutex m;
	pid_t pids[5];
	uint64_t start;
	int j;

	syn_mutex(&m, r, 0);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	for (j = 0; j < 5; j++) {
		pids[j] = child_fork();
		if (pids[j])
			continue;
		r = syn_open(name);
		syn_mutex(&m, r, 0);
		shmchan_fetch_add(syn_word(r, 0), 1);
		CHECK_EQ(shmchan_mutex_lock(&m), 0);
		CHECK_EQ(shmchan_mutex_unlock(&m), 0);
		shmchan_region_close(r);
		child_done();
	}
	syn_await(syn_word(r, 0), 5);
	syn_await_sleepers(r, 0);
	sleep_ms(10);
	start = now_ns();
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	CHECK_EQ(m.o.rings, 1);
	for (j = 0; j < 5; j++)
		CHECK_CHILD_OK(pids[j]);
	note("five in %llu us", (unsigned long long)(now_ns() - start) / 1000);
	shmchan_region_close(r);
}

TEST_MAIN
