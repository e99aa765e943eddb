// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first JOIN of a process succeeds however many signals are pending: the
 * core's way to register with an address space gives up at any, and a
 * profiler's timer would keep a process from ever joining.
 */

#include <sys/time.h>
#include <sys/wait.h>

#include "../kselftest_harness.h"
#include "shmchan_test.h"

static volatile int ticks;

static void tick(int sig)
{
	ticks++;
}

/* In a process that has not joined anything yet. */
static int join_under_timer(void)
{
	struct layout layout = layout_default(0, true);
	struct itimerval timer = { { 0, 500 }, { 0, 500 } };
	struct sigaction sa = { .sa_handler = tick };
	struct shmchan_create c;

	sigaction(SIGALRM, &sa, NULL);
	c = create_args(&layout);
	c.flags |= SHMCHAN_CREATE_JOIN;
	setitimer(ITIMER_REAL, &timer, NULL);
	if (call(open_device(), SHMCHAN_IOC_CREATE, &c))
		return 1;
	/* Nor is a signal lost by it. */
	return eventually(ticks > 0) ? 0 : 2;
}

TEST(joins_under_a_fast_timer)
{
	int i, status;
	pid_t pid;

	for (i = 0; i < 20; i++) {
		pid = fork();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(join_under_timer());
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status);
	}
}

TEST_HARNESS_MAIN
