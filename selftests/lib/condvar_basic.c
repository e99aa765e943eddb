// SPDX-License-Identifier: GPL-2.0-only

/* Condition variables: one, all, a time limit, and a queue made of two. */

#include "sync_fixture.h"

TEST(time_is_up)
{
	struct shmchan_region *r = syn_create(test_name("cv"));
	struct shmchan_condvar cv;
	struct shmchan_mutex m;
	uint64_t start = now_ns();

	syn_mutex(&m, r, 0);
	syn_condvar(&cv, r, 1);
	CHECK_EQ(shmchan_condvar_wait(&cv, &m), -EPERM);
	CHECK_EQ(shmchan_condvar_signal(&cv), 0);
	CHECK_EQ(shmchan_condvar_broadcast(&cv), 0);
	CHECK_EQ(cv.o.rings, 0);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	CHECK_EQ(shmchan_condvar_timedwait(&cv, &m, 20 * SYN_MS), -ETIMEDOUT);
	CHECK_GE(now_ns() - start, 20 * SYN_MS);
	CHECK_EQ(shmchan_condvar_timedwait(&cv, &m, 0), -EAGAIN);
	/* It is ours. */
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	shmchan_region_close(r);
}

#define SLEEPERS	4
#define TICKETS		0		/* words */
#define ASLEEP		1
#define TAKEN		2

/* Takes a ticket each time there is one. */
static pid_t taker(const char *name, int tickets)
{
	struct shmchan_region *r;
	struct shmchan_condvar cv;
	struct shmchan_mutex m;
	pid_t pid = child_fork();

	if (pid)
		return pid;
	r = syn_open(name);
	syn_mutex(&m, r, 0);
	syn_condvar(&cv, r, 1);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	for (; tickets; tickets--) {
		++*syn_word(r, ASLEEP);
		while (!*syn_word(r, TICKETS))
			CHECK_EQ(shmchan_condvar_wait(&cv, &m), 0);
		--*syn_word(r, ASLEEP);
		--*syn_word(r, TICKETS);
		++*syn_word(r, TAKEN);
	}
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	shmchan_region_close(r);
	child_done();
}

static void give(struct shmchan_region *r, struct shmchan_mutex *m,
		 uint64_t tickets)
{
	CHECK_EQ(shmchan_mutex_lock(m), 0);
	*syn_word(r, TICKETS) += tickets;
	CHECK_EQ(shmchan_mutex_unlock(m), 0);
}

static uint64_t asleep(struct shmchan_region *r, struct shmchan_mutex *m)
{
	uint64_t n;

	CHECK_EQ(shmchan_mutex_lock(m), 0);
	n = *syn_word(r, ASLEEP);
	CHECK_EQ(shmchan_mutex_unlock(m), 0);
	return n;
}

static void all_get_one(int broadcast)
{
	const char *name = test_name("cv");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_condvar cv;
	struct shmchan_mutex m;
	pid_t pids[SLEEPERS];
	int i;

	syn_mutex(&m, r, 0);
	syn_condvar(&cv, r, 1);
	for (i = 0; i < SLEEPERS; i++)
		pids[i] = taker(name, 1);
	while (asleep(r, &m) != SLEEPERS)
		sleep_ms(1);
	if (broadcast) {
		give(r, &m, SLEEPERS);
		CHECK_EQ(shmchan_condvar_broadcast(&cv), 0);
	} else {
		for (i = 0; i < SLEEPERS; i++) {
			give(r, &m, 1);
			CHECK_EQ(shmchan_condvar_signal(&cv), 0);
		}
	}
	for (i = 0; i < SLEEPERS; i++)
		CHECK_CHILD_OK(pids[i]);
	CHECK_EQ(*syn_word(r, TAKEN), SLEEPERS);
	CHECK_EQ(*syn_word(r, TICKETS), 0);
	shmchan_region_close(r);
}

TEST(signal_for_each)
{
	all_get_one(0);
}

TEST(broadcast_for_all)
{
	all_get_one(1);
}

/* As many signals as tickets, by two, to three who want them. */
TEST(no_signal_is_lost)
{
	const char *name = test_name("cv");
	int i, j, each = HARNESS_ROUNDS(2000);
	struct shmchan_region *r = syn_create(name);
	struct shmchan_condvar cv;
	struct shmchan_mutex m;
	pid_t pids[4];

	syn_mutex(&m, r, 0);
	syn_condvar(&cv, r, 1);
	for (j = 0; j < 3; j++)
		pids[j] = taker(name, 2 * each);
	pids[3] = child_fork();
	if (!pids[3]) {
		r = syn_open(name);
		syn_mutex(&m, r, 0);
		syn_condvar(&cv, r, 1);
	}
	for (i = 0; i < 3 * each; i++) {
		give(r, &m, 1);
		CHECK_EQ(shmchan_condvar_signal(&cv), 0);
	}
	if (!pids[3]) {
		shmchan_region_close(r);
		child_done();
	}
	for (j = 0; j < 4; j++)
		CHECK_CHILD_OK(pids[j]);
	CHECK_EQ(*syn_word(r, TAKEN), 6 * each);
	shmchan_region_close(r);
}

/* Threads, one handle of each kind. */
static struct shmchan_condvar shared_cv;
static struct shmchan_mutex shared_m;
static int turn;

static void *ping(void *arg)
{
	int me = *(int *)arg, i;

	CHECK_EQ(shmchan_mutex_lock(&shared_m), 0);
	for (i = 0; i < HARNESS_ROUNDS(2000); i++) {
		while (turn % 2 != me)
			CHECK_EQ(shmchan_condvar_wait(&shared_cv, &shared_m),
				 0);
		turn++;
		CHECK_EQ(shmchan_condvar_signal(&shared_cv), 0);
	}
	CHECK_EQ(shmchan_mutex_unlock(&shared_m), 0);
	return NULL;
}

TEST(threads_take_turns)
{
	struct shmchan_region *r = syn_create(test_name("cv"));
	int me[2] = { 0, 1 };
	pthread_t thread[2];
	int i;

	syn_mutex(&shared_m, r, 0);
	syn_condvar(&shared_cv, r, 1);
	for (i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, ping, &me[i]), 0);
	for (i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK_EQ(turn, 2 * HARNESS_ROUNDS(2000));
	shmchan_region_close(r);
}

TEST_MAIN
