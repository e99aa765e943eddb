// SPDX-License-Identifier: GPL-2.0-only

/*
 * Services: while the other side is awake, a call makes no system call.  In helpers
 * that a seccomp filter kills at the first call but write and exit.
 */

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>

#include "rpc_fixture.h"

/* So long that neither side gives up while the other is just preempted. */
#define AWAKE_NS	(20000 * MS)
/* Several laps; and few enough where both share a processor, a tick for each turn. */
#define CALLS		5000U

/* See spsc_strace.c. */
static void needs(void)
{
	FILE *file = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource",
			   "re");
	char name[32] = "";
	cpu_set_t set;

	if (file) {
		if (fscanf(file, "%31s", name) != 1)
			name[0] = 0;
		fclose(file);
	}
	if (!strcmp(name, "hpet") || !strcmp(name, "acpi_pm"))
		SKIP("this machine's clock is read by a system call");
	CHECK_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
	if (CPU_COUNT(&set) < 2)
		SKIP("one CPU only: each must sleep for the other to run");
	if (HARNESS_SANITIZED)
		SKIP("the sanitizer's runtime makes calls of its own");
}

/* From here on only write and exit; the first other call kills. */
static void strict(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
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

static void check_helper(pid_t pid)
{
	int status = child_wait(pid);

	if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_EXIT_SKIP)
		SKIP("seccomp is not permitted");
	CHECK_EQ(status, 0);
}

TEST_LIMIT(no_system_calls_by_a_client, 120)
{
	const struct shmchan_rpc_opts awake = SHMCHAN_RPC_OPTS(
		.spin_ns = AWAKE_NS);
	const uint64_t total = HARNESS_ROUNDS(CALLS);
	struct shmchan_rpc_server s;
	pid_t pid;

	needs();
	serve_with(&s, "client", awake);
	pid = child_fork();
	if (!pid) {
		struct shmchan_rpc_reply reply;
		struct shmchan_rpc_client c;
		uint64_t i, value;
		int err = 0;

		ask_with(&c, "client", awake);
		strict();
		for (i = 0; i < total && !err; i++)
			err = shmchan_rpc_call(&c, 1, &i, 8, &value, 8, &reply,
					       i & 1 ? -1 : AWAKE_NS);
		_exit(err != 0);
	}
	answer(&s, total);
	/* Nor did we: the helper's end came before. */
	CHECK_EQ(s.stats.waits, 0);
	CHECK_EQ(s.stats.rings, 0);
	check_helper(pid);
	shmchan_rpc_server_close(&s);
}

TEST_LIMIT(no_system_calls_by_a_server, 120)
{
	const struct shmchan_rpc_opts awake = SHMCHAN_RPC_OPTS(
		.spin_ns = AWAKE_NS);
	const uint64_t total = HARNESS_ROUNDS(CALLS);
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_client c;
	uint64_t i, value;
	pid_t pid;

	needs();
	ask_with(&c, "server", awake);
	pid = child_fork();
	if (!pid) {
		struct shmchan_rpc_server s;
		struct shmchan_rpc_call call;
		int err = 0;

		serve_with(&s, "server", awake);
		strict();
		for (i = 0; i < total && !err; i++) {
			err = shmchan_rpc_next(&s, &call, &value, 8, -1);
			if (!err)
				err = shmchan_rpc_reply(&s, &call, 0, &value, 8,
							-1);
		}
		_exit(err != 0);
	}
	/* Until it is there we may sleep. */
	for (i = 0; i < total; i++)
		CHECK_EQ(shmchan_rpc_call(&c, 1, &i, 8, &value, 8, &reply, -1),
			 0);
	CHECK_EQ(c.stats.rings, 0);
	check_helper(pid);
	shmchan_rpc_client_close(&c);
}

TEST_MAIN
