// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first JOIN of a process succeeds however many signals come: the core's
 * way to register with an address space gives up at any, and who gets them
 * faster than it can join, from a profiler's timer say, would never have joined.
 */

#include "../kselftest_harness.h"

#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <linux/ptrace.h>

#include "shmchan_test.h"

#define MOST_SIGNALS	5

static volatile int ticks;

static void tick(int sig)
{
	ticks++;
}

/* Made by the parent, for a child: naming a region takes what joining takes. */
static int capability, dev;
static const char *name;

/* Returns a capability that keeps the name. */
static int make_region(void)
{
	struct layout layout = layout_default(0, true);

	name = own_name();
	layout.name = name;
	dev = open_device();
	return create_region(&layout);
}

/* A child, with a capability of its own. */
static pid_t fork_child(void)
{
	close(capability);
	capability = open_region(name, RIGHTS_RW);
	return capability < 0 ? -1 : fork();
}

/* The calls that join. */
static int by_join(void)
{
	struct shmchan_join j = { .size = sizeof(j) };

	return call(capability, SHMCHAN_IOC_JOIN, &j);
}

static int by_create(void)
{
	struct layout layout = layout_default(0, true);
	struct shmchan_create c = create_args(&layout);

	c.flags |= SHMCHAN_CREATE_JOIN;
	return call(dev, SHMCHAN_IOC_CREATE, &c);
}

static int by_open(void)
{
	struct shmchan_open o = open_args(name, RIGHTS_RW);

	o.flags = SHMCHAN_OPEN_JOIN;
	return call(dev, SHMCHAN_IOC_OPEN, &o);
}

/* For the tracer, who suppresses it. */
static void stop_for_tracer(void)
{
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	kill(getpid(), SIGSTOP);
}

/* Is this stop of a tracee where it enters the kernel with one of our calls? */
static bool enters_call(pid_t pid)
{
	struct ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	       info.entry.nr == __NR_ioctl &&
	       _IOC_TYPE(info.entry.args[1]) == SHMCHAN_IOC_TYPE;
}

/*
 * Sends a child that has stopped for its tracer a signal whenever it enters one
 * of our calls, so that the call finds it pending; but MOST_SIGNALS at most.
 * Returns how often it entered, or -1; how it ended is in @status.
 */
static int signal_at_calls(pid_t pid, int sig, int *status)
{
	int entered = 0, deliver = 0;

	if (waitpid(pid, status, 0) != pid || !WIFSTOPPED(*status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0,
		   PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		return -1;
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, 0, deliver) ||
		    waitpid(pid, status, 0) != pid)
			return -1;
		if (!WIFSTOPPED(*status))
			return entered;
		deliver = WSTOPSIG(*status);
		if (deliver == SIGSTOP)
			deliver = 0;
		if (deliver != (SIGTRAP | 0x80))
			continue;
		deliver = 0;
		if (enters_call(pid) && ++entered <= MOST_SIGNALS &&
		    kill(pid, sig))
			return -1;
	}
}

FIXTURE(first) {};

FIXTURE_VARIANT(first) {
	int (*join)(void);
};

FIXTURE_VARIANT_ADD(first, join) {
	.join = by_join,
};

FIXTURE_VARIANT_ADD(first, create) {
	.join = by_create,
};

FIXTURE_VARIANT_ADD(first, open) {
	.join = by_open,
};

FIXTURE_SETUP(first)
{
	struct sigaction sa = { .sa_handler = tick };

	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	capability = -1;
	ASSERT_LE(0, make_region());
}

FIXTURE_TEARDOWN(first)
{
}

/* In a process that has not joined anything yet: 0, or what went wrong. */
static int join_traced(int (*join)(void), int signals)
{
	stop_for_tracer();
	if (join())
		return 1;
	/* Nor is a signal lost by it. */
	return ticks == signals ? 0 : 2;
}

/* One is there already whenever the call begins. */
TEST_F(first, meets_a_signal)
{
	pid_t pid = fork_child();
	int status;

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(join_traced(variant->join, 1));
	/* If it began again each time, it would for ever. */
	EXPECT_EQ(1, signal_at_calls(pid, SIGALRM, &status));
	EXPECT_EQ(0, status);
}

/* A stop does not wait: afterwards the call begins again. */
TEST_F(first, is_stopped)
{
	pid_t pid = fork_child();
	int status;

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(join_traced(variant->join, 0));
	EXPECT_EQ(1 + MOST_SIGNALS, signal_at_calls(pid, SIGSTOP, &status));
	EXPECT_EQ(0, status);
}

/*
 * Signals that come faster than the machine handles them leave a program no
 * time of its own; these leave it some.
 */
static unsigned int interval_us(void)
{
	uint64_t start = now_ns();
	unsigned int us, i;

	for (i = 0; i < 100; i++)
		raise(SIGALRM);
	us = (now_ns() - start) / 100 * 10 / 1000;
	return us > 500 ? us : 500;
}

static int join_under_timer(int (*join)(void), unsigned int us)
{
	struct itimerval timer = { { 0, us }, { 0, us } };

	ticks = 0;
	if (setitimer(ITIMER_REAL, &timer, NULL))
		return 3;
	if (join())
		return 1;
	return eventually(ticks > 0) ? 0 : 2;
}

TEST_F_TIMEOUT(first, under_a_fast_timer, 120)
{
	unsigned int us = interval_us();
	int i, status;
	pid_t pid;

	for (i = 0; i < 20; i++) {
		pid = fork_child();
		ASSERT_LE(0, pid);
		if (!pid)
			_exit(join_under_timer(variant->join, us));
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		ASSERT_EQ(0, status)
			TH_LOG("a signal each %u us", us);
	}
}

TEST_HARNESS_MAIN
