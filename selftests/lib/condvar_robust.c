// SPDX-License-Identifier: GPL-2.0-only

/* Condition variables among members that die. */

#include "sync_fixture.h"

#define ASLEEP	0			/* words */
#define TICKETS	1

/* Waits for a ticket; takes one, and ends. */
static pid_t taker(const char *name)
{
	struct shmchan_region *r;
	struct shmchan_condvar cv;
	struct shmchan_mutex m;
	pid_t pid = child_fork();
	int err;

	if (pid)
		return pid;
	r = syn_open(name);
	syn_mutex(&m, r, 0);
	syn_condvar(&cv, r, 1);
	err = shmchan_mutex_lock(&m);
	++*syn_word(r, ASLEEP);
	for (;;) {
		if (err == -EOWNERDEAD)
			err = shmchan_mutex_consistent(&m);
		CHECK_EQ(err, 0);
		if (*syn_word(r, TICKETS))
			break;
		err = shmchan_condvar_wait(&cv, &m);
	}
	--*syn_word(r, TICKETS);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	shmchan_region_close(r);
	child_done();
}

/* With the mutex; told of deaths or not. */
static void lock(struct shmchan_mutex *m)
{
	int err = shmchan_mutex_lock(m);

	if (err == -EOWNERDEAD)
		err = shmchan_mutex_consistent(m);
	CHECK_EQ(err, 0);
}

static void await_asleep(struct shmchan_region *r, struct shmchan_mutex *m,
			 uint64_t n)
{
	uint64_t now;

	do {
		sleep_ms(1);
		lock(m);
		now = *syn_word(r, ASLEEP);
		CHECK_EQ(shmchan_mutex_unlock(m), 0);
	} while (now != n);
}

/*
 * Two wait, one ticket is given and signalled, and whoever the signal was for is
 * killed in that moment, if it is the first: then the other gets the ticket, or
 * there is none any more.
 */
TEST_LIMIT(who_was_chosen_dies, 60)
{
	const char *name = test_name("cv");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_condvar cv;
	struct shmchan_mutex m;
	unsigned int seed = 3;
	int i, j;

	syn_mutex(&m, r, 0);
	syn_condvar(&cv, r, 1);
	for (i = 0; i < HARNESS_ROUNDS(40); i++) {
		pid_t first, second;

		*syn_word(r, ASLEEP) = 0;
		*syn_word(r, TICKETS) = 0;
		first = taker(name);
		await_asleep(r, &m, 1);
		second = taker(name);
		await_asleep(r, &m, 2);
		lock(&m);
		*syn_word(r, TICKETS) = 2;
		CHECK_EQ(shmchan_mutex_unlock(&m), 0);
		CHECK_EQ(shmchan_condvar_signal(&cv), 0);
		for (j = rand_r(&seed) % 2000; j; j--)
			shmchan_cpu_relax();
		child_kill(first);
		/* One signal, one death: the second must not sleep on. */
		CHECK_CHILD_OK(second);
	}
	shmchan_region_close(r);
}

/* Any death ends all waits. */
TEST(a_death_wakes)
{
	const char *name = test_name("cv");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_condvar cv;
	struct shmchan_mutex m;
	pid_t pid, killer;

	syn_mutex(&m, r, 0);
	syn_condvar(&cv, r, 1);
	pid = child_fork();
	if (!pid) {
		r = syn_open(name);
		shmchan_store_seq_cst(syn_word(r, 2), 1);
		for (;;)
			pause();
	}
	syn_await(syn_word(r, 2), 1);
	killer = child_fork();
	if (!killer) {
		struct shmchan_region *mine = syn_open(name);

		/* Joining woke it, too. */
		syn_await(syn_word(mine, 3), 1);
		syn_await_sleepers(mine, 1);
		kill(pid, SIGKILL);
		shmchan_store_seq_cst(syn_word(mine, 3), 2);
		pause();
	}
	lock(&m);
	while (shmchan_load_seq_cst(syn_word(r, 3)) != 2) {
		shmchan_store_seq_cst(syn_word(r, 3), 1);
		CHECK_EQ(shmchan_condvar_timedwait(&cv, &m, 20000 * SYN_MS), 0);
		if (SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(r, 1)) ==
		    SHMCHAN_SLOT_DIED)
			break;
	}
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	child_wait(pid);
	child_kill(killer);
	shmchan_region_close(r);
}

/* Whoever had the mutex as a wait ended died: the wait says so. */
static void owner_dies(int repair)
{
	const char *name = test_name("cv");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_condvar cv;
	struct shmchan_mutex m;
	pid_t pid;
	int err;

	syn_mutex(&m, r, 0);
	syn_condvar(&cv, r, 1);
	pid = child_fork();
	if (!pid) {
		r = syn_open(name);
		syn_mutex(&m, r, 0);
		syn_condvar(&cv, r, 1);
		syn_await_sleepers(r, 1);
		CHECK_EQ(shmchan_mutex_lock(&m), 0);
		CHECK_EQ(shmchan_condvar_signal(&cv), 0);
		syn_await_sleepers(r, 0);
		if (repair)
			raise(SIGKILL);
		/* As if we had been told of a death, and were not careful. */
		m.o.line->word += SHMCHAN_MUTEX_INCONSISTENT -
				  SHMCHAN_MUTEX_LOCKED;
		CHECK_EQ(shmchan_mutex_unlock(&m), 0);
		child_done();
	}
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	do
		err = shmchan_condvar_wait(&cv, &m);
	while (!err);
	child_wait(pid);
	if (repair) {
		CHECK_EQ(err, -EOWNERDEAD);
		CHECK_EQ(shmchan_mutex_consistent(&m), 0);
		CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	} else {
		CHECK_EQ(err, -ENOTRECOVERABLE);
		CHECK_EQ(shmchan_mutex_unlock(&m), -EPERM);
	}
	shmchan_region_close(r);
}

TEST(the_wait_tells_of_a_dead_owner)
{
	owner_dies(1);
}

TEST(the_wait_tells_that_all_is_lost)
{
	owner_dies(0);
}

TEST_MAIN
