// SPDX-License-Identifier: GPL-2.0-only

/* Reader-writer locks whose holders die. */

#include "party_fixture.h"

static void attach(struct shmchan_rwlock *l, struct shmchan_region *r)
{
	struct shmchan_place place = pf_place(r, 0);

	CHECK_EQ(shmchan_rwlock_attach(l, &place, NULL), 0);
}

/* A member that takes it and says so in word 0, and then does nothing. */
static pid_t holder(const char *name, int writes)
{
	pid_t pid = child_fork();
	struct shmchan_region *r;
	struct shmchan_rwlock l;

	if (pid)
		return pid;
	r = pf_open(name);
	attach(&l, r);
	CHECK_EQ(writes ? shmchan_rwlock_wrlock(&l) :
			  shmchan_rwlock_rdlock(&l), 0);
	shmchan_store_seq_cst(pf_word(r, 0), 1);
	for (;;)
		pause();
}

TEST(dead_readers_do_not_count)
{
	const char *name = test_name("reader");
	struct shmchan_region *r = pf_create(name);
	struct shmchan_rwlock l;
	pid_t pid = holder(name, 0);

	attach(&l, r);
	pf_await(pf_word(r, 0), 1);
	CHECK_EQ(shmchan_rwlock_timedwrlock(&l, 10 * MS), -ETIMEDOUT);
	child_kill(pid);
	CHECK_EQ(shmchan_rwlock_timedwrlock(&l, TOLD_NS), 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), 0);
	shmchan_region_close(r);
}

TEST(the_next_writer_is_told_and_readers_are_refused)
{
	const char *name = test_name("writer");
	struct shmchan_region *r = pf_create(name);
	struct shmchan_rwlock l;
	pid_t pid = holder(name, 1);

	attach(&l, r);
	pf_await(pf_word(r, 0), 1);
	child_kill(pid);
	CHECK_EQ(shmchan_rwlock_timedrdlock(&l, TOLD_NS), -EOWNERDEAD);
	CHECK_SAYS(shmchan_error_detail(), "not taken");
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), -EPERM);
	CHECK_EQ(shmchan_rwlock_tryrdlock(&l), -EOWNERDEAD);
	CHECK_EQ(shmchan_rwlock_wrlock(&l), -EOWNERDEAD);
	CHECK_EQ(shmchan_rwlock_tryrdlock(&l), -EAGAIN);
	CHECK_EQ(shmchan_rwlock_consistent(&l), 0);
	CHECK_EQ(shmchan_rwlock_consistent(&l), -EINVAL);
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_wrlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), 0);
	shmchan_region_close(r);
}

/* Who gives up after a death leaves the news for the next. */
TEST(a_try_does_not_swallow_the_news)
{
	const char *name = test_name("news");
	struct shmchan_region *r = pf_create(name), *r2 = pf_open(name);
	struct shmchan_rwlock l, b;
	pid_t pid = holder(name, 1);

	attach(&l, r);
	attach(&b, r2);
	pf_await(pf_word(r, 0), 1);
	child_kill(pid);
	CHECK_EQ(shmchan_rwlock_timedrdlock(&l, TOLD_NS), -EOWNERDEAD);
	/* As if a reader was in, on its way to be refused. */
	shmchan_fetch_add(b.cells.own, 1);
	CHECK_EQ(shmchan_rwlock_trywrlock(&l), -EAGAIN);
	CHECK_EQ(shmchan_rwlock_timedwrlock(&l, 5 * MS), -ETIMEDOUT);
	shmchan_fetch_sub(b.cells.own, 1);
	CHECK_EQ(shmchan_rwlock_tryrdlock(&l), -EOWNERDEAD);
	CHECK_EQ(shmchan_rwlock_trywrlock(&l), -EOWNERDEAD);
	CHECK_EQ(shmchan_rwlock_consistent(&l), 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

/* Sleeps for it, and exits with what it was told. */
static pid_t sleeper(const char *name, int writes)
{
	pid_t pid = child_fork();
	struct shmchan_region *r;
	struct shmchan_rwlock l;
	int err;

	if (pid)
		return pid;
	r = pf_open(name);
	attach(&l, r);
	err = writes ? shmchan_rwlock_wrlock(&l) : shmchan_rwlock_rdlock(&l);
	_exit(-err);
}

TEST(sleepers_are_told_of_a_death)
{
	const char *name = test_name("asleep");
	struct shmchan_region *r = pf_create(name);
	pid_t pid = holder(name, 1), reader, writer;

	pf_await(pf_word(r, 0), 1);
	reader = sleeper(name, 0);
	pf_await_sleeper(r, 0);
	child_kill(pid);
	CHECK_EQ(WEXITSTATUS(child_wait(reader)), EOWNERDEAD);
	writer = sleeper(name, 1);
	CHECK_EQ(WEXITSTATUS(child_wait(writer)), EOWNERDEAD);
	/* That one has left with it. */
	writer = sleeper(name, 1);
	CHECK_EQ(WEXITSTATUS(child_wait(writer)), EOWNERDEAD);
	shmchan_region_close(r);
}

TEST(not_recoverable_is_told_to_all)
{
	const char *name = test_name("lost");
	struct shmchan_region *r = pf_create(name);
	pid_t pid = holder(name, 1), reader, writer;
	struct shmchan_rwlock l;

	attach(&l, r);
	pf_await(pf_word(r, 0), 1);
	child_kill(pid);
	CHECK_EQ(shmchan_rwlock_timedwrlock(&l, TOLD_NS), -EOWNERDEAD);
	reader = sleeper(name, 0);
	writer = sleeper(name, 1);
	pf_await_sleeper(r, 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), 0);
	CHECK_EQ(WEXITSTATUS(child_wait(reader)), ENOTRECOVERABLE);
	CHECK_EQ(WEXITSTATUS(child_wait(writer)), ENOTRECOVERABLE);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), -ENOTRECOVERABLE);
	CHECK_EQ(shmchan_rwlock_trywrlock(&l), -ENOTRECOVERABLE);
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), -EPERM);
	shmchan_region_close(r);
}

/* A writer that dies as it waits for readers has changed nothing. */
TEST(a_writer_that_waited_is_no_news)
{
	const char *name = test_name("waited");
	struct shmchan_region *r = pf_create(name), *r2 = pf_open(name);
	struct shmchan_rwlock l, b;
	pid_t pid;

	attach(&l, r);
	attach(&b, r2);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), 0);
	pid = sleeper(name, 1);
	pf_await_sleeper(r, 0);
	CHECK_EQ(shmchan_rwlock_tryrdlock(&l), -EAGAIN);
	child_kill(pid);
	CHECK_EQ(shmchan_rwlock_timedrdlock(&l, TOLD_NS), 0);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_trywrlock(&b), -EAGAIN);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_trywrlock(&b), 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&b), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

static void __attribute__((noreturn)) victim(const char *name, unsigned int seed)
{
	struct shmchan_region *r = pf_open(name);
	struct shmchan_rwlock l;
	int err, i;

	attach(&l, r);
	for (;;) {
		volatile uint64_t *a = pf_word(r, 1), *b = pf_word(r, 2);

		if (rand_r(&seed) % 4) {
			err = shmchan_rwlock_rdlock(&l);
			if (err == -EOWNERDEAD)
				continue;
			CHECK_EQ(err, 0);
			CHECK_EQ(*a, *b);
			CHECK_EQ(shmchan_rwlock_rdunlock(&l), 0);
			continue;
		}
		err = shmchan_rwlock_wrlock(&l);
		if (err == -EOWNERDEAD) {
			*b = *a;
			shmchan_fetch_add(pf_word(r, 3), 1);
			err = shmchan_rwlock_consistent(&l);
		}
		CHECK_EQ(err, 0);
		CHECK_EQ(*a, *b);
		++*a;
		/* Long enough to be killed in it. */
		for (i = 0; i < 2000; i++)
			shmchan_cpu_relax();
		++*b;
		CHECK_EQ(shmchan_rwlock_wrunlock(&l), 0);
		shmchan_fetch_add(pf_word(r, 4), 1);
	}
}

TEST_LIMIT(killed_at_any_time, 120)
{
	const char *name = test_name("any");
	struct shmchan_region *r = pf_create(name);
	unsigned int i, seed = 1, n = HARNESS_ROUNDS(40);
	struct timespec ts = { 0, 0 };
	pid_t pid[3];
	uint64_t before;

	for (i = 0; i < 3; i++) {
		pid[i] = child_fork();
		if (!pid[i])
			victim(name, i);
	}
	for (i = 0; i < n; i++) {
		unsigned int k = i % 3;

		/* Somebody has got on since the last death. */
		before = shmchan_load_seq_cst(pf_word(r, 4));
		while (shmchan_load_seq_cst(pf_word(r, 4)) == before) {
			CHECK_EQ(waitpid(pid[k], NULL, WNOHANG), 0);
			sleep_ms(1);
		}
		ts.tv_nsec = rand_r(&seed) % 2000000;
		nanosleep(&ts, NULL);
		child_kill(pid[k]);
		pid[k] = child_fork();
		if (!pid[k])
			victim(name, i + 3);
	}
	for (i = 0; i < 3; i++)
		child_kill(pid[i]);
	note("%llu repairs", (unsigned long long)*pf_word(r, 3));
	CHECK_GT(*pf_word(r, 4), n);
	shmchan_region_close(r);
}

/* As who looks for the dead, if it has taken the holder of a slot for one. */
static void think_dead(struct shmchan_rwlock *l)
{
	const struct shmchan_region *r = l->o.region;

	shmchan_store_seq_cst((uint64_t *)&l->o.slots[r->slot],
			      (uint64_t)r->generation << 32 |
			      SHMCHAN_SLOT_DIED);
}

static void *write_too_late(void *arg)
{
	struct shmchan_rwlock *l = arg;
	int err = shmchan_rwlock_timedwrlock(l, 200 * MS);

	CHECK(err == -ESTALE || err == -ETIMEDOUT);
	return NULL;
}

/*
 * A writer that waits for readers is thought dead, and another has taken over before
 * it knows: it changes nothing, whether it goes on or gives up.
 */
static void take_over(const char *name, int gives_up)
{
	struct shmchan_region *r = pf_create(name);
	struct shmchan_region *r2 = pf_open(name);
	struct shmchan_place place = pf_place(r2, 0);
	struct shmchan_rwlock a, b;
	pthread_t thread;
	uint64_t drains;

	attach(&a, r);
	place.spin_ns = 20000 * MS;
	CHECK_EQ(shmchan_rwlock_attach(&b, &place, NULL), 0);
	CHECK_EQ(shmchan_rwlock_trywrlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&a), 0);
	CHECK_EQ(pthread_create(&thread, NULL, write_too_late, &b), 0);
	while (!shmchan_load_seq_cst(&b.o.spinning))
		sleep_ms(1);
	think_dead(&b);
	/* As wrlock does it, from a writer that has changed nothing. */
	drains = shmchan_load_seq_cst(&a.o.line->word);
	CHECK(shmchan_cas(&a.o.line->word, &drains,
			  shmchan_sync__me(&a.o, 2)));
	if (!gives_up)
		CHECK_EQ(shmchan_rwlock_rdunlock(&a), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_tryrdlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_rdunlock(&a), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(goes_on_after_another_took_over)
{
	LOCAL_ONLY("words of slots are the kernel's to write");
	take_over(test_name("over"), 0);
}

TEST(gives_up_after_another_took_over)
{
	LOCAL_ONLY("words of slots are the kernel's to write");
	take_over(test_name("over"), 1);
}

TEST_MAIN
