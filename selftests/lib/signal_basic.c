// SPDX-License-Identifier: GPL-2.0-only

/* Signals: what is posted is taken, once; and what is lost with the dead. */

#include "party_fixture.h"

static void attach(struct shmchan_signal *s, struct shmchan_region *r)
{
	struct shmchan_place place = pf_place(r, 0);

	CHECK_EQ(shmchan_signal_attach(s, &place), 0);
}

TEST(posted_and_taken)
{
	struct shmchan_region *r = pf_create(test_name("take"));
	struct shmchan_region *r2 = pf_open(test_name("take"));
	struct shmchan_signal a, b;
	uint64_t begin;

	attach(&a, r);
	attach(&b, r2);
	CHECK_EQ(shmchan_signal_trywait(&b), -EAGAIN);
	CHECK_EQ(shmchan_signal_post(&a, 0), 0);
	CHECK_EQ(shmchan_signal_count(&b), 0);
	CHECK_EQ(shmchan_signal_post(&a, 3), 0);
	CHECK_EQ(shmchan_signal_count(&b), 3);
	CHECK_EQ(shmchan_signal_wait(&b), 0);
	CHECK_EQ(shmchan_signal_trywait(&a), 0);
	CHECK_EQ(shmchan_signal_timedwait(&b, MS), 0);
	begin = now_ns();
	CHECK_EQ(shmchan_signal_timedwait(&b, 20 * MS), -ETIMEDOUT);
	CHECK_GE(now_ns() - begin, 20 * MS);
	CHECK_EQ(shmchan_signal_post(&a, UINT32_MAX), 0);
	CHECK_EQ(shmchan_signal_post(&a, UINT32_MAX), 0);
	CHECK_EQ(shmchan_signal_count(&b), 2ULL * UINT32_MAX);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(bad_input)
{
	struct shmchan_region *r = pf_create(test_name("bad"));
	struct shmchan_place place = pf_place(r, 0);
	struct shmchan_signal s = { .o = { .line = NULL } };
	struct shmchan_permits p;

	CHECK_EQ(shmchan_signal_attach(NULL, &place), -EINVAL);
	CHECK_EQ(shmchan_signal_attach(&s, NULL), -EINVAL);
	CHECK_EQ(shmchan_signal_post(&s, 1), -EINVAL);
	CHECK_EQ(shmchan_signal_wait(&s), -EINVAL);
	CHECK_EQ(shmchan_signal_attach(&s, &place), 0);
	CHECK_EQ(shmchan_permits_attach(&p, &place, 1), -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "signal");
	shmchan_region_close(r);
}

static pid_t waiter(const char *name, unsigned int turns)
{
	pid_t pid = child_fork();
	struct shmchan_region *r;
	struct shmchan_signal s;

	if (pid)
		return pid;
	r = pf_open(name);
	attach(&s, r);
	while (turns--) {
		CHECK_EQ(shmchan_signal_wait(&s), 0);
		shmchan_fetch_add(pf_word(r, 0), 1);
	}
	shmchan_region_close(r);
	child_done();
}

TEST_LIMIT(each_post_is_taken_once, 60)
{
	const char *name = test_name("once");
	struct shmchan_region *r = pf_create(name);
	unsigned int i, n = HARNESS_ROUNDS(3000);
	struct shmchan_signal s;
	pid_t pid[3];

	attach(&s, r);
	for (i = 0; i < 3; i++)
		pid[i] = waiter(name, 2 * n);
	for (i = 0; i < n; i++) {
		CHECK_EQ(shmchan_signal_post(&s, 1), 0);
		CHECK_EQ(shmchan_signal_post(&s, 5), 0);
	}
	for (i = 0; i < 3; i++)
		CHECK_CHILD_OK(pid[i]);
	CHECK_EQ(*pf_word(r, 0), 6 * n);
	CHECK_EQ(shmchan_signal_count(&s), 0);
	shmchan_region_close(r);
}

/* What a waiter was woken for and did not take is another's. */
TEST_LIMIT(a_dead_waiter_keeps_no_other_asleep, 60)
{
	const char *name = test_name("dead");
	struct shmchan_region *r = pf_create(name);
	unsigned int i, n = HARNESS_ROUNDS(20), lost = 0;
	struct shmchan_signal s;

	attach(&s, r);
	for (i = 0; i < n; i++) {
		pid_t a = waiter(name, 1), b = waiter(name, 1);

		pf_await_sleeper(r, 0);
		CHECK_EQ(shmchan_signal_post(&s, 1), 0);
		child_kill(a);
		/* One is there for b, or a has taken it along. */
		while (shmchan_signal_count(&s))
			sleep_ms(1);
		if (waitpid(b, NULL, WNOHANG) == b)
			continue;
		lost++;
		CHECK_EQ(shmchan_signal_post(&s, 1), 0);
		CHECK_CHILD_OK(b);
		while (!shmchan_signal_trywait(&s))
			;
	}
	note("%u of %u went with the dead, or were slow", lost, n);
	shmchan_region_close(r);
}

TEST(no_system_call_uncontended)
{
	struct shmchan_region *r;
	struct shmchan_signal s;
	int i, err = 0;
	pid_t pid;

	not_sanitized();
	r = pf_create(test_name("calls"));
	pid = child_fork();
	if (!pid) {
		attach(&s, pf_open(test_name("calls")));
		no_calls(0);
		for (i = 0; i < 1000; i++) {
			err |= shmchan_signal_post(&s, 1);
			err |= shmchan_signal_wait(&s);
		}
		_exit(err != 0);
	}
	check_no_calls(pid);
	shmchan_region_close(r);
}

/* It is not there for a child, which is told so. */
TEST(fork_has_its_own)
{
	struct shmchan_region *r = pf_create(test_name("fork"));
	struct shmchan_place place = pf_place(r, 0);
	struct shmchan_signal s;
	pid_t pid;

	CHECK_EQ(shmchan_signal_attach(&s, &place), 0);
	CHECK_EQ(shmchan_signal_post(&s, 1), 0);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_signal_post(&s, 1), -EOWNERDEAD);
		CHECK_SAYS(shmchan_error_detail(), "fork");
		CHECK_EQ(shmchan_signal_trywait(&s), -EOWNERDEAD);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	CHECK_EQ(shmchan_signal_count(&s), 1);
	shmchan_region_close(r);
}

TEST_MAIN
