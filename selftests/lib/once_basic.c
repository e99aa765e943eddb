// SPDX-License-Identifier: GPL-2.0-only

/* Once: to the end once, whoever dies on the way. */

#include "sync_fixture.h"

#define RUNS	0			/* words */
#define ENDS	1
#define READY	2

TEST(what_each_call_says)
{
	struct shmchan_region *r = syn_create(test_name("once"));
	struct shmchan_once once;

	syn_once(&once, r, 0);
	CHECK_EQ(shmchan_once_end(&once), -EPERM);
	CHECK_SAYS(shmchan_error_detail(), "nobody has");
	CHECK_EQ(shmchan_once_begin(&once), SHMCHAN_ONCE_RUN);
	CHECK_EQ(shmchan_once_begin(&once), -EDEADLK);
	CHECK_EQ(shmchan_once_trybegin(&once), -EDEADLK);
	CHECK_EQ(shmchan_once_abandon(&once), 0);
	CHECK_EQ(shmchan_once_abandon(&once), -EPERM);
	CHECK_EQ(shmchan_once_trybegin(&once), SHMCHAN_ONCE_RUN);
	CHECK_EQ(shmchan_once_end(&once), 0);
	CHECK_EQ(shmchan_once_begin(&once), 0);
	CHECK_EQ(shmchan_once_trybegin(&once), 0);
	CHECK_EQ(shmchan_once_timedbegin(&once, 0), 0);
	CHECK_EQ(shmchan_once_end(&once), -EPERM);
	CHECK_SAYS(shmchan_error_detail(), "it is done");
	CHECK_EQ(once.o.rings, 0);
	shmchan_region_close(r);
}

static void *other_thread(void *arg)
{
	struct shmchan_once *once = (struct shmchan_once *)arg;

	CHECK_EQ(shmchan_once_trybegin(once), -EAGAIN);
	CHECK_EQ(shmchan_once_timedbegin(once, 20 * SYN_MS), -ETIMEDOUT);
	CHECK_EQ(shmchan_once_end(once), -EPERM);
	CHECK_SAYS(shmchan_error_detail(), "somebody else");
	return NULL;
}

TEST(others_wait)
{
	struct shmchan_region *r = syn_create(test_name("once"));
	struct shmchan_once once;
	pthread_t thread;

	syn_once(&once, r, 0);
	CHECK_EQ(shmchan_once_begin(&once), SHMCHAN_ONCE_RUN);
	CHECK_EQ(pthread_create(&thread, NULL, other_thread, &once), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(shmchan_once_end(&once), 0);
	shmchan_region_close(r);
}

static int fill(void *arg, int after_death)
{
	struct shmchan_region *r = (struct shmchan_region *)arg;

	(void)after_death;
	shmchan_fetch_add(syn_word(r, RUNS), 1);
	sleep_ms(1);
	if (shmchan_load_relaxed(syn_word(r, READY)) == 13)
		return -EBADMSG;
	/* Plain: who finds it done sees it. */
	++*syn_word(r, ENDS);
	return 0;
}

TEST(all_come_at_once)
{
	const char *name = test_name("once");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_once once;
	pid_t pids[6];
	int j;

	for (j = 0; j < 6; j++) {
		pids[j] = child_fork();
		if (pids[j])
			continue;
		r = syn_open(name);
		syn_once(&once, r, 0);
		shmchan_fetch_add(syn_word(r, READY), 1);
		while (shmchan_load_relaxed(syn_word(r, READY)) < 6)
			sleep_ms(1);
		CHECK_EQ(shmchan_once_call(&once, fill, r), 0);
		CHECK_EQ(*syn_word(r, ENDS), 1);
		shmchan_region_close(r);
		child_done();
	}
	for (j = 0; j < 6; j++)
		CHECK_CHILD_OK(pids[j]);
	CHECK_EQ(*syn_word(r, RUNS), 1);
	shmchan_region_close(r);
}

TEST(what_fails_is_not_done)
{
	struct shmchan_region *r = syn_create(test_name("once"));
	struct shmchan_once once;

	syn_once(&once, r, 0);
	shmchan_store_relaxed(syn_word(r, READY), 13);
	CHECK_EQ(shmchan_once_call(&once, fill, r), -EBADMSG);
	shmchan_store_relaxed(syn_word(r, READY), 0);
	CHECK_EQ(shmchan_once_call(&once, fill, r), 0);
	CHECK_EQ(shmchan_once_call(&once, fill, r), 0);
	CHECK_EQ(*syn_word(r, RUNS), 2);
	shmchan_region_close(r);
}

/* Those who were at it are killed; who sleeps goes on in their place. */
TEST(the_runner_dies)
{
	const char *name = test_name("once");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_once once;
	pid_t pids[3];
	int j, err;

	syn_once(&once, r, 0);
	for (j = 0; j < 3; j++) {
		pids[j] = child_fork();
		if (pids[j]) {
			/* One begins, the others come to sleep. */
			syn_await(syn_word(r, READY), (uint64_t)j + 1);
			continue;
		}
		r = syn_open(name);
		syn_once(&once, r, 0);
		shmchan_fetch_add(syn_word(r, READY), 1);
		CHECK_EQ(shmchan_once_begin(&once),
			 j ? -EOWNERDEAD : SHMCHAN_ONCE_RUN);
		shmchan_store_seq_cst(syn_word(r, RUNS), (uint64_t)getpid());
		for (;;)
			pause();
	}
	for (j = 0; j < 3; j++) {
		pid_t at_it;

		while (!(at_it = (pid_t)shmchan_exchange(syn_word(r, RUNS), 0)))
			sleep_ms(1);
		CHECK_EQ(shmchan_once_trybegin(&once), -EAGAIN);
		child_kill(at_it);
	}
	/* Nobody sleeps now: who only tries has to look for the dead itself. */
	while ((err = shmchan_once_trybegin(&once)) == -EAGAIN)
		sleep_ms(1);
	CHECK_EQ(err, -EOWNERDEAD);
	CHECK_SAYS(shmchan_error_detail(), "died");
	CHECK_EQ(shmchan_once_end(&once), 0);
	CHECK_EQ(shmchan_once_begin(&once), 0);
	shmchan_region_close(r);
}

TEST_MAIN
