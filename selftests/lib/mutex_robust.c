// SPDX-License-Identifier: GPL-2.0-only

/* Owners that die with a mutex, and sleepers that do. */

#include "sync_fixture.h"

/* A helper that locks, says so in word 0, and stays. */
static pid_t holder(const char *name)
{
	pid_t pid = child_fork();

	if (!pid) {
		struct shmchan_region *r = syn_open(name);
		struct shmchan_mutex m;
		int err;

		syn_mutex(&m, r, 0);
		err = shmchan_mutex_lock(&m);
		CHECK(!err || err == -EOWNERDEAD);
		shmchan_store_seq_cst(syn_word(r, 0), 1);
		for (;;)
			pause();
	}
	return pid;
}

static pid_t dead_holder(struct shmchan_region *r, const char *name)
{
	pid_t pid;

	shmchan_store_seq_cst(syn_word(r, 0), 0);
	pid = holder(name);
	syn_await(syn_word(r, 0), 1);
	return pid;
}

TEST(next_owner_is_told_once)
{
	const char *name = test_name("m");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_mutex m;
	pid_t pid;

	syn_mutex(&m, r, 0);
	pid = dead_holder(r, name);
	CHECK_EQ(shmchan_mutex_trylock(&m), -EAGAIN);
	child_kill(pid);
	CHECK_EQ(shmchan_mutex_lock(&m), -EOWNERDEAD);
	CHECK_SAYS(shmchan_error_detail(), "slot 1, generation 1");
	CHECK_EQ(shmchan_mutex_lock(&m), -EDEADLK);
	CHECK_EQ(shmchan_mutex_consistent(&m), 0);
	CHECK_EQ(shmchan_mutex_consistent(&m), -EINVAL);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	shmchan_region_close(r);
}

/* Nobody sleeps, and so nobody but us looks for the dead. */
TEST(who_only_tries_is_told)
{
	const char *name = test_name("m");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_mutex m;
	int err;

	syn_mutex(&m, r, 0);
	child_kill(dead_holder(r, name));
	while ((err = shmchan_mutex_trylock(&m)) == -EAGAIN)
		sleep_ms(1);
	CHECK_EQ(err, -EOWNERDEAD);
	CHECK_EQ(shmchan_mutex_consistent(&m), 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	shmchan_region_close(r);
}

TEST(a_second_death_is_told_again)
{
	const char *name = test_name("m");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_mutex m;

	syn_mutex(&m, r, 0);
	child_kill(dead_holder(r, name));
	/* This one is told, and dies before it has repaired anything. */
	child_kill(dead_holder(r, name));
	CHECK_EQ(shmchan_mutex_lock(&m), -EOWNERDEAD);
	CHECK_EQ(shmchan_mutex_consistent(&m), 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	shmchan_region_close(r);
}

TEST(leaving_is_dying)
{
	struct shmchan_region *r = syn_create(test_name("m"));
	struct shmchan_region *other = syn_open(test_name("m"));
	struct shmchan_mutex m, theirs;

	syn_mutex(&m, r, 0);
	syn_mutex(&theirs, other, 0);
	CHECK_EQ(shmchan_mutex_lock(&theirs), 0);
	shmchan_region_close(other);
	/* Its seat is somebody else's: that one is not the owner. */
	other = syn_open(test_name("m"));
	syn_mutex(&theirs, other, 0);
	CHECK_EQ(shmchan_mutex_unlock(&theirs), -EPERM);
	CHECK_EQ(shmchan_mutex_lock(&m), -EOWNERDEAD);
	CHECK_EQ(shmchan_mutex_consistent(&m), 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	shmchan_region_close(other);
	shmchan_region_close(r);
}

/* Who sleeps is woken by the death. */
TEST(sleeper_is_told)
{
	const char *name = test_name("m");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_mutex m;
	pid_t pid, killer;

	syn_mutex(&m, r, 0);
	pid = dead_holder(r, name);
	killer = child_fork();
	if (!killer) {
		struct shmchan_region *mine = syn_open(name);

		syn_await_sleepers(mine, 0);
		kill(pid, SIGKILL);
		shmchan_region_close(mine);
		child_done();
	}
	CHECK_EQ(shmchan_mutex_timedlock(&m, 20000 * SYN_MS), -EOWNERDEAD);
	CHECK_GT(m.o.waits, 0);
	CHECK_EQ(shmchan_mutex_consistent(&m), 0);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	child_wait(pid);
	CHECK_CHILD_OK(killer);
	shmchan_region_close(r);
}

/* What is lost is lost to all, those asleep included. */
TEST(not_recoverable)
{
	const char *name = test_name("m");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_mutex m;
	pid_t pids[3];
	int i;

	syn_mutex(&m, r, 0);
	child_kill(dead_holder(r, name));
	CHECK_EQ(shmchan_mutex_lock(&m), -EOWNERDEAD);
	for (i = 0; i < 3; i++) {
		pids[i] = child_fork();
		if (!pids[i]) {
			struct shmchan_region *mine = syn_open(name);

			syn_mutex(&m, mine, 0);
			shmchan_fetch_add(syn_word(mine, 1), 1);
			CHECK_EQ(shmchan_mutex_lock(&m), -ENOTRECOVERABLE);
			CHECK_SAYS(shmchan_error_detail(), "lost");
			child_done();
		}
	}
	syn_await(syn_word(r, 1), 3);
	syn_await_sleepers(r, 0);
	sleep_ms(20);
	CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	for (i = 0; i < 3; i++)
		CHECK_CHILD_OK(pids[i]);
	CHECK_EQ(shmchan_mutex_lock(&m), -ENOTRECOVERABLE);
	CHECK_EQ(shmchan_mutex_trylock(&m), -ENOTRECOVERABLE);
	CHECK_EQ(shmchan_mutex_timedlock(&m, SYN_MS), -ENOTRECOVERABLE);
	CHECK_EQ(shmchan_mutex_unlock(&m), -EPERM);
	CHECK_EQ(shmchan_mutex_consistent(&m), -EPERM);
	shmchan_region_close(r);
}

/*
 * Members that lock and count are killed at any instant, again and again.  Under
 * the mutex a pair of words is changed, one after the other: equal but in the
 * middle.  Who is told of a death makes them equal; nobody else finds them unequal.
 */
#define MEMBERS	4

static void count_for_ever(const char *name)
{
	struct shmchan_region *r = syn_open(name);
	uint64_t *a = syn_word(r, 2), *b = syn_word(r, 3);
	struct shmchan_mutex m;

	syn_mutex(&m, r, 0);
	for (;;) {
		int err = shmchan_mutex_lock(&m);

		if (err == -EOWNERDEAD) {
			shmchan_store_relaxed(b, shmchan_load_relaxed(a));
			CHECK_EQ(shmchan_mutex_consistent(&m), 0);
			shmchan_fetch_add(syn_word(r, 4), 1);
			err = 0;
		}
		CHECK_EQ(err, 0);
		CHECK_EQ(shmchan_load_relaxed(a), shmchan_load_relaxed(b));
		shmchan_store_relaxed(a, shmchan_load_relaxed(a) + 1);
		shmchan_crash_fence();
		shmchan_store_relaxed(b, shmchan_load_relaxed(b) + 1);
		CHECK_EQ(shmchan_mutex_unlock(&m), 0);
	}
}

TEST_LIMIT(killed_at_any_instant, 60)
{
	const char *name = test_name("m");
	struct shmchan_region *r = syn_create(name);
	uint64_t *a = syn_word(r, 2), was;
	struct shmchan_mutex m;
	unsigned int seed = 7;
	pid_t pids[MEMBERS];
	int i, turn, err;

	syn_mutex(&m, r, 0);
	for (i = 0; i < MEMBERS; i++) {
		pids[i] = child_fork();
		if (!pids[i])
			count_for_ever(name);
	}
	for (turn = 0; turn < HARNESS_ROUNDS(60); turn++) {
		was = shmchan_load_relaxed(a);
		while (shmchan_load_relaxed(a) - was < 50)
			sleep_ms(1);
		i = turn % MEMBERS;
		for (err = rand_r(&seed) % 2000; err; err--)
			shmchan_cpu_relax();
		/* Alive until now: none has found anything wrong. */
		CHECK_EQ(waitpid(pids[i], NULL, WNOHANG), 0);
		child_kill(pids[i]);
		pids[i] = child_fork();
		if (!pids[i])
			count_for_ever(name);
	}
	for (i = 0; i < MEMBERS; i++)
		child_kill(pids[i]);
	err = shmchan_mutex_lock(&m);
	CHECK(!err || err == -EOWNERDEAD);
	note("%llu counted, %llu deaths told of",
	     (unsigned long long)shmchan_load_relaxed(a),
	     (unsigned long long)shmchan_load_relaxed(syn_word(r, 4)));
	shmchan_region_close(r);
}

TEST_MAIN
