/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_NO_CALLS_H
#define SHMCHAN_NO_CALLS_H

/* What the tests share that see that no system call is made. */

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>

#include "harness.h"

/* So long that neither side gives up while the other is just preempted. */
#define AWAKE_NS	20000000000LL

/*
 * Waiting reads the clock, which is no system call where user space may read
 * the counter itself; an emulated machine may have only others.
 */
static inline void clock_without_calls(void)
{
	FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource",
			   "re");
	char name[32] = "";

	if (file) {
		if (fscanf(file, "%31s", name) != 1)
			name[0] = 0;
		fclose(file);
	}
	if (!strcmp(name, "hpet") || !strcmp(name, "acpi_pm"))
		SKIP("this machine's clock is read by a system call");
}

static inline void two_cpus(void)
{
	cpu_set_t set;

	clock_without_calls();
	CHECK_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
	if (CPU_COUNT(&set) < 2)
		SKIP("one CPU only: each must sleep for the other to run");
}

static inline void not_sanitized(void)
{
	if (HARNESS_SANITIZED)
		SKIP("the sanitizer's runtime makes calls of its own");
}

/*
 * From here on this process may write and exit; the first other call kills it.  (A
 * filter, as the strict mode forbids reading the time stamp counter too.)  May it ask
 * for a lock?  Who has been told to spin for so long, and has heard nothing for a slice,
 * since the other side was preempted, asks so whether that has died: with the local
 * backend.
 */
static inline void no_calls(int may_ask)
{
	const uint32_t asks = may_ask ? SYS_fcntl : UINT32_MAX;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, asks, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, F_OFD_GETLK, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = sizeof(code) / sizeof(code[0]), .filter = code,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		_exit(HARNESS_EXIT_SKIP);
}

/* Reap who called that. */
static inline void check_no_calls(pid_t pid)
{
	int status = child_wait(pid);

	if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_EXIT_SKIP)
		SKIP("seccomp is not permitted");
	CHECK_EQ(status, 0);
}

#endif /* SHMCHAN_NO_CALLS_H */
