// SPDX-License-Identifier: GPL-2.0-only

/*
 * Services: while the other side is awake, a call makes no system call.  In helpers
 * that a seccomp filter kills at the first call (no_calls.h).
 */

#include "no_calls.h"
#include "rpc_fixture.h"

/* Several laps; and few enough where both share a processor, a tick for each turn. */
#define CALLS		5000U

static void needs(void)
{
	two_cpus();
	not_sanitized();
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
		no_calls(1);
		for (i = 0; i < total && !err; i++)
			err = shmchan_rpc_call(&c, 1, &i, 8, &value, 8, &reply,
					       i & 1 ? -1 : AWAKE_NS);
		_exit(err != 0);
	}
	answer(&s, total);
	/* Nor did we: the helper's end came before. */
	CHECK_EQ(s.stats.waits, 0);
	CHECK_EQ(s.stats.rings, 0);
	check_no_calls(pid);
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
		no_calls(1);
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
	check_no_calls(pid);
	shmchan_rpc_client_close(&c);
}

TEST_MAIN
