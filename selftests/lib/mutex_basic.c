// SPDX-License-Identifier: GPL-2.0-only

/* Mutexes: what each call says, without deaths. */

#include "sync_fixture.h"

TEST(lock_and_unlock)
{
	struct shmchan_region *r = syn_create(test_name("m"));
	struct shmchan_mutex m;
	int i;

	syn_mutex(&m, r, 0);
	for (i = 0; i < 1000; i++) {
		CHECK_EQ(shmchan_mutex_lock(&m), 0);
		CHECK_EQ(shmchan_mutex_unlock(&m), 0);
		CHECK_EQ(shmchan_mutex_trylock(&m), 0);
		CHECK_EQ(shmchan_mutex_unlock(&m), 0);
		CHECK_EQ(shmchan_mutex_timedlock(&m, SYN_MS), 0);
		CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	}
	CHECK_EQ(m.o.line->word, 0);
	CHECK_EQ(m.o.rings, 0);
	CHECK_EQ(m.o.waits, 0);
	shmchan_region_close(r);
}

TEST(errors_of_the_owner)
{
	struct shmchan_region *r = syn_create(test_name("m"));
	struct shmchan_mutex m, again;

	syn_mutex(&m, r, 0);
	syn_mutex(&again, r, 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), -EPERM);
	CHECK_SAYS(shmchan_error_detail(), "nobody");
	CHECK_EQ(shmchan_mutex_consistent(&m), -EPERM);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	CHECK_EQ(shmchan_mutex_lock(&m), -EDEADLK);
	CHECK_SAYS(shmchan_error_detail(), "already");
	CHECK_EQ(shmchan_mutex_trylock(&m), -EDEADLK);
	CHECK_EQ(shmchan_mutex_timedlock(&again, SYN_MS), -EDEADLK);
	CHECK_EQ(shmchan_mutex_consistent(&m), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "no owner died");
	/* Owners are threads, not handles. */
	CHECK_EQ(shmchan_mutex_unlock(&again), 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), -EPERM);
	shmchan_region_close(r);
}

static void *other_thread(void *arg)
{
	struct shmchan_mutex *m = (struct shmchan_mutex *)arg;
	uint64_t start = now_ns();

	CHECK_EQ(shmchan_mutex_trylock(m), -EAGAIN);
	CHECK_EQ(shmchan_mutex_timedlock(m, 0), -EAGAIN);
	CHECK_EQ(shmchan_mutex_timedlock(m, 20 * SYN_MS), -ETIMEDOUT);
	CHECK_GE(now_ns() - start, 20 * SYN_MS);
	CHECK_EQ(shmchan_mutex_unlock(m), -EPERM);
	CHECK_SAYS(shmchan_error_detail(), "has it");
	CHECK_EQ(shmchan_mutex_consistent(m), -EPERM);
	return NULL;
}

TEST(threads_are_owners)
{
	struct shmchan_region *r = syn_create(test_name("m"));
	struct shmchan_mutex m;
	pthread_t thread;

	syn_mutex(&m, r, 0);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	CHECK_EQ(pthread_create(&thread, NULL, other_thread, &m), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	shmchan_region_close(r);
}

/* Two regions in one process are two members. */
TEST(members_are_owners)
{
	struct shmchan_region *a = syn_create(test_name("m"));
	struct shmchan_region *b = syn_open(test_name("m"));
	struct shmchan_mutex ma, mb;

	syn_mutex(&ma, a, 0);
	syn_mutex(&mb, b, 0);
	CHECK_EQ(shmchan_mutex_lock(&ma), 0);
	CHECK_EQ(shmchan_mutex_trylock(&mb), -EAGAIN);
	CHECK_EQ(shmchan_mutex_unlock(&mb), -EPERM);
	CHECK_EQ(shmchan_mutex_unlock(&ma), 0);
	CHECK_EQ(shmchan_mutex_lock(&mb), 0);
	CHECK_EQ(shmchan_mutex_unlock(&mb), 0);
	shmchan_region_close(b);
	shmchan_region_close(a);
}

static void *take_a_number(void *arg)
{
	struct shmchan_mutex *m = (struct shmchan_mutex *)arg;

	CHECK_EQ(shmchan_mutex_lock(m), 0);
	CHECK_EQ(shmchan_mutex_unlock(m), 0);
	return (void *)(uintptr_t)shmchan_sync__thread();
}

/* Numbers of threads that have ended are free again, the lowest first. */
TEST_LIMIT(numbers_are_given_back, 60)
{
	struct shmchan_region *r = syn_create(test_name("m"));
	struct shmchan_mutex m;
	pthread_t thread[2];
	void *number[2];
	int i;

	syn_mutex(&m, r, 0);
	take_a_number(&m);
	for (i = 0; i < HARNESS_ROUNDS(500); i++) {
		CHECK_EQ(pthread_create(&thread[0], NULL, take_a_number, &m), 0);
		CHECK_EQ(pthread_create(&thread[1], NULL, take_a_number, &m), 0);
		CHECK_EQ(pthread_join(thread[0], &number[0]), 0);
		CHECK_EQ(pthread_join(thread[1], &number[1]), 0);
		CHECK((uintptr_t)number[0] > 1 && (uintptr_t)number[0] <= 3);
		CHECK((uintptr_t)number[1] > 1 && (uintptr_t)number[1] <= 3);
	}
	shmchan_region_close(r);
}

/* The parent's handles are dead in a child; its own are not. */
TEST(fork_has_its_own)
{
	struct shmchan_region *r = syn_create(test_name("m"));
	struct shmchan_mutex m;
	pid_t pid;

	syn_mutex(&m, r, 0);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	pid = child_fork();
	if (!pid) {
		struct shmchan_place place = syn_place(r, 0);

		CHECK_EQ(shmchan_mutex_unlock(&m), -EOWNERDEAD);
		CHECK_EQ(shmchan_mutex_lock(&m), -EOWNERDEAD);
		CHECK_SAYS(shmchan_error_detail(), "fork");
		CHECK_EQ(shmchan_mutex_attach(&m, &place), -EOWNERDEAD);
		r = syn_open(test_name("m"));
		syn_mutex(&m, r, 0);
		CHECK_EQ(shmchan_mutex_trylock(&m), -EAGAIN);
		CHECK_EQ(shmchan_mutex_unlock(&m), -EPERM);
		shmchan_region_close(r);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	shmchan_region_close(r);
}

TEST_MAIN
