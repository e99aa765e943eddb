// SPDX-License-Identifier: GPL-2.0-only

/* Barriers: phases, parties that come, go and die. */

#include "party_fixture.h"

static void attach(struct shmchan_barrier *b, struct shmchan_region *r,
		   uint32_t parties)
{
	struct shmchan_place place = pf_place(r, 0);
	struct shmchan_barrier_opts opts = SHMCHAN_BARRIER_OPTS(
		.parties = parties);

	CHECK_EQ(shmchan_barrier_attach(b, &place, &opts), 0);
}

/* Join as a party; the region is the process's until it ends. */
static struct shmchan_region *join(struct shmchan_barrier *b, const char *name,
				   uint32_t parties)
{
	struct shmchan_region *r = pf_open(name);

	attach(b, r, parties);
	CHECK_EQ(shmchan_barrier_register(b), 0);
	return r;
}

TEST(two_meet)
{
	const char *name = test_name("two");
	struct shmchan_region *r = pf_create(name);
	struct shmchan_region *r2 = pf_open(name);
	struct shmchan_barrier a, b;
	uint64_t phase;

	attach(&a, r, 2);
	attach(&b, r2, 2);
	CHECK_EQ(shmchan_barrier_register(&a), 0);
	/* The first phase waits for both. */
	CHECK_EQ(shmchan_barrier_timedwait(&a, 0), -EAGAIN);
	CHECK_EQ(shmchan_barrier_timedwait(&a, 10 * MS), -ETIMEDOUT);
	CHECK_EQ(shmchan_barrier_phase(&a), 0);
	CHECK_EQ(shmchan_barrier_register(&b), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&a, 0), -EAGAIN);
	CHECK_EQ(shmchan_barrier_arrive_and_wait(&b), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&a, 0), 0);
	for (phase = 1; phase < 10; phase++) {
		CHECK_EQ(shmchan_barrier_phase(&b), phase);
		CHECK_EQ(shmchan_barrier_arrive(&a), 0);
		CHECK_EQ(shmchan_barrier_arrive(&a), 0);
		CHECK_EQ(shmchan_barrier_timedwait(&a, 0), -EAGAIN);
		CHECK_EQ(shmchan_barrier_timedwait(&b, 0), 0);
		CHECK_EQ(shmchan_barrier_arrive_and_wait(&a), 0);
	}
	/* Who goes is not waited for. */
	CHECK_EQ(shmchan_barrier_timedwait(&a, 0), -EAGAIN);
	CHECK_EQ(shmchan_barrier_unregister(&b), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&a, 0), 0);
	CHECK_EQ(shmchan_barrier_arrive_and_wait(&a), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(who_comes_late_takes_part_from_the_next_phase_on)
{
	const char *name = test_name("late");
	struct shmchan_region *r = pf_create(name);
	struct shmchan_region *r2 = pf_open(name);
	struct shmchan_barrier a, b;

	attach(&a, r, 0);
	attach(&b, r2, 0);
	CHECK_EQ(shmchan_barrier_register(&a), 0);
	CHECK_EQ(shmchan_barrier_arrive_and_wait(&a), 0);
	CHECK_EQ(shmchan_barrier_register(&b), 0);
	/* Not in this one, in which b has nothing to do. */
	CHECK_EQ(shmchan_barrier_timedwait(&b, 0), -EAGAIN);
	CHECK_EQ(shmchan_barrier_arrive_and_wait(&a), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&b, 0), -EAGAIN);
	CHECK_EQ(shmchan_barrier_arrive_and_wait(&a), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&b, 0), 0);
	/* ... but in the next. */
	CHECK_EQ(shmchan_barrier_timedwait(&a, 0), -EAGAIN);
	CHECK_EQ(shmchan_barrier_timedwait(&b, 0), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&a, 0), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(bad_input)
{
	const char *name = test_name("bad");
	struct shmchan_region *r = pf_create(name);
	struct shmchan_place place = pf_place(r, 0);
	struct shmchan_barrier_opts opts = SHMCHAN_BARRIER_OPTS();
	struct shmchan_barrier b, other, none = { .parties = 0 };

	CHECK_EQ(shmchan_barrier_attach(NULL, &place, NULL), -EINVAL);
	CHECK_EQ(shmchan_barrier_attach(&b, NULL, NULL), -EINVAL);
	opts.parties = PF_SLOTS + 1;
	CHECK_EQ(shmchan_barrier_attach(&b, &place, &opts), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "slots");
	opts.parties = 2;
	opts.size = 1;
	CHECK_EQ(shmchan_barrier_attach(&b, &place, &opts), -EINVAL);
	attach(&b, r, 2);
	CHECK_EQ(shmchan_barrier_attach(&other, &place, NULL), -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "2");
	CHECK_EQ(shmchan_barrier_arrive_and_wait(&none), -EINVAL);
	CHECK_EQ(shmchan_barrier_register(&none), -EINVAL);
	CHECK_EQ(shmchan_barrier_unregister(NULL), -EINVAL);
	CHECK_EQ(shmchan_barrier_arrive_and_wait(&b), -EPERM);
	CHECK_EQ(shmchan_barrier_arrive(&b), -EPERM);
	CHECK_EQ(shmchan_barrier_unregister(&b), -EPERM);
	CHECK_EQ(shmchan_barrier_register(&b), 0);
	CHECK_EQ(shmchan_barrier_register(&b), -EBUSY);
	attach(&other, r, 2);
	CHECK_EQ(shmchan_barrier_register(&other), -EBUSY);
	CHECK_EQ(shmchan_barrier_unregister(&b), 0);
	CHECK_EQ(shmchan_barrier_register(&other), 0);
	shmchan_region_close(r);
}

TEST(cells_in_the_windows_of_parties)
{
	const char *name = test_name("windows");
	struct shmchan_region *r = pf_create(name), *r2 = pf_open(name);
	struct shmchan_barrier_opts opts = SHMCHAN_BARRIER_OPTS(
		.parties = 2, .cells_offset = PF_PAGE(0),
		.cells_stride = 4096);
	struct shmchan_place place = pf_place(r, 0), place2 = pf_place(r2, 0);
	struct shmchan_barrier a, b;

	CHECK_EQ(shmchan_barrier_attach(&a, &place, &opts), 0);
	CHECK_EQ(shmchan_barrier_attach(&b, &place2, &opts), 0);
	CHECK_EQ(shmchan_barrier_register(&a), 0);
	CHECK_EQ(shmchan_barrier_register(&b), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&a, 0), -EAGAIN);
	CHECK_EQ(shmchan_barrier_arrive(&b), 0);
	CHECK_EQ(*(uint64_t *)shmchan_region_at(r, PF_PAGE(1)) >> 32,
		 r2->generation);
	CHECK_EQ(shmchan_barrier_timedwait(&a, 0), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&b, 0), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(no_system_call_uncontended)
{
	struct shmchan_region *r;
	struct shmchan_barrier b;
	int i, err = 0;
	pid_t pid;

	not_sanitized();
	r = pf_create(test_name("calls"));
	pid = child_fork();
	if (!pid) {
		join(&b, test_name("calls"), 0);
		no_calls(0);
		for (i = 0; i < 1000; i++)
			err |= shmchan_barrier_arrive_and_wait(&b);
		_exit(err != 0);
	}
	check_no_calls(pid);
	shmchan_region_close(r);
}

/* Words 1 + i: how far party i is. */
static void march(const char *name, unsigned int me, unsigned int parties,
		  uint64_t phases)
{
	struct shmchan_barrier b;
	struct shmchan_region *r = join(&b, name, parties);
	unsigned int seed = me, i;
	uint64_t phase;

	for (phase = 1; phase <= phases; phase++) {
		if (!(rand_r(&seed) % 16))
			sleep_ms(1);
		shmchan_store_relaxed(pf_word(r, 1 + me), phase);
		CHECK_EQ(shmchan_barrier_arrive_and_wait(&b), 0);
		for (i = 0; i < parties; i++) {
			uint64_t its = shmchan_load_relaxed(pf_word(r, 1 + i));

			CHECK(its == phase || its == phase + 1);
		}
	}
	CHECK_EQ(shmchan_barrier_unregister(&b), 0);
	shmchan_region_close(r);
}

TEST_LIMIT(nobody_goes_on_before_all_have_arrived, 60)
{
	const char *name = test_name("march");
	struct shmchan_region *r = pf_create(name);
	pid_t pid[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		pid[i] = child_fork();
		if (!pid[i]) {
			march(name, i, 4, HARNESS_ROUNDS(1000));
			child_done();
		}
	}
	for (i = 0; i < 4; i++)
		CHECK_CHILD_OK(pid[i]);
	shmchan_region_close(r);
}

/* A party that registers, says so, and never arrives; it leaves when it is told to. */
static pid_t idler(const char *name, int leaves)
{
	pid_t pid = child_fork();
	struct shmchan_barrier b;
	struct shmchan_region *r;

	if (pid)
		return pid;
	r = join(&b, name, 3);
	shmchan_fetch_add(pf_word(r, 0), 1);
	if (leaves) {
		pf_await(pf_word(r, 2), 1);
		shmchan_region_close(r);
		child_done();
	}
	for (;;)
		pause();
}

/* Arrives once, and exits with what it was told. */
static pid_t waiter(const char *name)
{
	pid_t pid = child_fork();
	struct shmchan_barrier b;
	struct shmchan_region *r;
	int err;

	if (pid)
		return pid;
	r = join(&b, name, 3);
	shmchan_fetch_add(pf_word(r, 0), 1);
	err = shmchan_barrier_arrive_and_wait(&b);
	shmchan_fetch_add(pf_word(r, 1), 1);
	/* All that are left have passed; the next phase says nothing of it. */
	if (err == -EOWNERDEAD) {
		CHECK_EQ(shmchan_barrier_arrive_and_wait(&b), 0);
		CHECK_EQ(shmchan_load_seq_cst(pf_word(r, 1)), 2);
	}
	CHECK_EQ(shmchan_barrier_unregister(&b), 0);
	_exit(-err);
}

static void shrinks(const char *name, int leaves)
{
	struct shmchan_region *r = pf_create(name);
	pid_t dead = idler(name, leaves), a = waiter(name), b = waiter(name);

	pf_await(pf_word(r, 0), 3);
	pf_await_sleeper(r, 0);
	CHECK_EQ(shmchan_load_seq_cst(pf_word(r, 1)), 0);
	shmchan_store_seq_cst(pf_word(r, 2), 1);
	if (leaves)
		CHECK_CHILD_OK(dead);
	else
		child_kill(dead);
	CHECK_EQ(WEXITSTATUS(child_wait(a)), EOWNERDEAD);
	CHECK_EQ(WEXITSTATUS(child_wait(b)), EOWNERDEAD);
	shmchan_region_close(r);
}

TEST(a_death_is_told_to_all_and_they_go_on)
{
	shrinks(test_name("death"), 0);
}

TEST(who_leaves_without_a_word_has_died)
{
	shrinks(test_name("leave"), 1);
}

/* Who polls has nobody to wake it. */
TEST(a_death_is_told_to_who_only_tries)
{
	const char *name = test_name("tries");
	struct shmchan_region *r = pf_create(name), *r2 = pf_open(name);
	struct shmchan_barrier a, b;
	pid_t pid = idler(name, 0);
	uint64_t begin = now_ns();
	int err;

	attach(&a, r, 3);
	attach(&b, r2, 3);
	CHECK_EQ(shmchan_barrier_register(&a), 0);
	CHECK_EQ(shmchan_barrier_register(&b), 0);
	pf_await(pf_word(r, 0), 1);
	CHECK_EQ(shmchan_barrier_timedwait(&a, 0), -EAGAIN);
	CHECK_EQ(shmchan_barrier_timedwait(&b, 0), -EAGAIN);
	child_kill(pid);
	while ((err = shmchan_barrier_timedwait(&a, 0)) == -EAGAIN &&
	       now_ns() - begin < TOLD_NS)
		sleep_ms(1);
	CHECK_EQ(err, -EOWNERDEAD);
	CHECK_EQ(shmchan_barrier_timedwait(&b, 0), -EOWNERDEAD);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

/* Whoever takes the slot of a dead party does not hide that it died. */
TEST(an_heir_does_not_hide_a_death)
{
	const char *name = test_name("heir");
	struct shmchan_region *r = pf_create(name), *r2;
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(.slot = 1);
	struct shmchan_barrier a, b;
	pid_t pid;
	int err;

	attach(&a, r, 2);
	CHECK_EQ(shmchan_barrier_register(&a), 0);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_region_open(&r2, name, &opts), 0);
		attach(&b, r2, 2);
		CHECK_EQ(shmchan_barrier_register(&b), 0);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	while ((err = shmchan_region_open(&r2, name, &opts)) == -EBUSY)
		sleep_ms(1);
	CHECK_EQ(err, 0);
	attach(&b, r2, 2);
	CHECK_EQ(shmchan_barrier_register(&b), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&a, TOLD_NS), -EOWNERDEAD);
	CHECK_EQ(shmchan_barrier_arrive(&b), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&a, TOLD_NS), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

static void __attribute__((noreturn)) victim(const char *name)
{
	struct shmchan_barrier b;
	struct shmchan_region *r = join(&b, name, 0);
	int err;

	for (;;) {
		err = shmchan_barrier_arrive_and_wait(&b);
		CHECK(!err || err == -EOWNERDEAD);
		shmchan_fetch_add(pf_word(r, 0), 1);
	}
}

TEST_LIMIT(killed_at_any_time, 120)
{
	const char *name = test_name("any");
	struct shmchan_region *r = pf_create(name);
	unsigned int i, seed = 1, n = HARNESS_ROUNDS(40);
	struct timespec ts = { 0, 0 };
	uint64_t before;
	pid_t pid[3];

	for (i = 0; i < 3; i++) {
		pid[i] = child_fork();
		if (!pid[i])
			victim(name);
	}
	for (i = 0; i < n; i++) {
		unsigned int k = i % 3;

		before = shmchan_load_seq_cst(pf_word(r, 0));
		while (shmchan_load_seq_cst(pf_word(r, 0)) < before + 6) {
			CHECK_EQ(waitpid(pid[k], NULL, WNOHANG), 0);
			sleep_ms(1);
		}
		ts.tv_nsec = rand_r(&seed) % 2000000;
		nanosleep(&ts, NULL);
		child_kill(pid[k]);
		pid[k] = child_fork();
		if (!pid[k])
			victim(name);
	}
	for (i = 0; i < 3; i++)
		child_kill(pid[i]);
	shmchan_region_close(r);
}

TEST_MAIN
