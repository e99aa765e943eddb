// SPDX-License-Identifier: GPL-2.0-only

/*
 * Channels: while the other side is awake, no call makes a system call.
 *
 * Counted from outside where strace is there; and, more strictly, in a helper
 * that a seccomp filter kills at the first call (no_calls.h).
 */

#include "no_calls.h"
#include "spsc_fixture.h"

#define MESSAGES	2000

static void sends(int how)
{
	struct shmchan_reservation rsv;
	struct shmchan_spsc tx, rx;
	uint64_t i, got = 0, values[32] = { 0 };
	pid_t pid;
	int err = 0, n;

	two_cpus();
	open_as(&rx, "calls", SHMCHAN_RECEIVER, 65536, AWAKE_NS);
	pid = child_fork();
	if (!pid) {
		open_as(&tx, "calls", SHMCHAN_SENDER, 65536, AWAKE_NS);
		no_calls(1);
		for (i = 0; i < 100000 && !err; i++) {
			switch (how) {
			case 0:
				err = shmchan_spsc_send(&tx, &i, 8, 0, 0, -1);
				break;
			case 1:
				err = shmchan_spsc_reserve(&tx, 64, &rsv, -1);
				if (!err) {
					memcpy(rsv.data, &i, 8);
					err = shmchan_spsc_commit(&tx, &rsv, 8,
								  0, 0);
				}
				break;
			default:
				n = shmchan_spsc_send_n(&tx, values, 8, 32, 0,
							-1);
				err = n == 32 ? 0 : n;
				i += 31;
			}
		}
		_exit(err != 0);
	}
	/* The receiver does not sleep, and so it makes no calls either. */
	while (got < 100000) {
		n = shmchan_spsc_recv_n(&rx, values, 8, 32, NULL, -1);
		CHECK_GT(n, 0);
		got += (uint64_t)n;
	}
	check_no_calls(pid);
	CHECK_EQ(rx.waits, 0);
	CHECK_EQ(rx.rings, 0);
	shmchan_spsc_close(&rx);
}

TEST_LIMIT(no_system_calls_by_send, 60)
{
	if (HARNESS_SANITIZED)
		SKIP("the sanitizer's runtime makes calls of its own");
	sends(0);
}

TEST_LIMIT(no_system_calls_by_reserve_and_commit, 60)
{
	if (HARNESS_SANITIZED)
		SKIP("the sanitizer's runtime makes calls of its own");
	sends(1);
}

TEST_LIMIT(no_system_calls_by_batches, 60)
{
	if (HARNESS_SANITIZED)
		SKIP("the sanitizer's runtime makes calls of its own");
	sends(2);
}

TEST_LIMIT(no_system_calls_by_the_receiver, 60)
{
	struct shmchan_spsc tx, rx;
	uint64_t i, value;
	pid_t pid;
	int err = 0;

	if (HARNESS_SANITIZED)
		SKIP("the sanitizer's runtime makes calls of its own");
	two_cpus();
	open_as(&tx, "calls", SHMCHAN_SENDER, 65536, AWAKE_NS);
	pid = child_fork();
	if (!pid) {
		open_as(&rx, "calls", SHMCHAN_RECEIVER, 65536, AWAKE_NS);
		no_calls(1);
		for (i = 0; i < 100000 && !err; i++)
			err = shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1);
		_exit(err != 0);
	}
	for (i = 0; i < 100000; i++)
		CHECK_EQ(shmchan_spsc_send(&tx, &i, 8, 0, 0, -1), 0);
	check_no_calls(pid);
	CHECK_EQ(tx.waits, 0);
	shmchan_spsc_close(&tx);
}

/* And where the receiver does sleep: one ring for one sleep, no more. */
TEST_LIMIT(one_ring_for_one_sleep, 60)
{
	struct shmchan_spsc tx, rx;
	uint64_t i, value = 0;
	pid_t pid;

	open_as(&rx, "ring", SHMCHAN_RECEIVER, 65536, -1);
	pid = child_fork();
	if (!pid) {
		open_as(&tx, "ring", SHMCHAN_SENDER, 65536, 0);
		for (i = 0; i < 50; i++) {
			sleep_ms(3);
			CHECK_EQ(shmchan_spsc_send(&tx, &i, 8, 0, SHMCHAN_MORE,
						   -1), 0);
			CHECK_EQ(shmchan_spsc_send(&tx, &i, 8, 0, SHMCHAN_MORE,
						   -1), 0);
			CHECK_EQ(shmchan_spsc_send(&tx, &i, 8, 0, 0, -1), 0);
		}
		note("rings %llu", (unsigned long long)tx.rings);
		CHECK_LE(tx.rings, 50);
		CHECK_GT(tx.rings, 0);
		shmchan_spsc_close(&tx);
		child_done();
	}
	for (i = 0; i < 150; i++) {
		CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), 0);
		CHECK_EQ(value, i / 3);
	}
	CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), -EPIPE);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&rx);
}

/*
 * The program run as "producer NAME" by the test below: between its two marks
 * (getppid) it sends, to a receiver that is awake.
 */
static int producer(const char *name)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .spin_ns = AWAKE_NS);
	struct shmchan_spsc tx;
	uint64_t i;
	int err;

	err = shmchan_spsc_open(&tx, name, &opts);
	syscall(SYS_getppid);
	for (i = 0; !err && i < MESSAGES; i++)
		err = shmchan_spsc_send(&tx, &i, 8, 0, 0, -1);
	syscall(SYS_getppid);
	shmchan_spsc_close(&tx);
	return err != 0;
}

TEST_LIMIT(strace_sees_nothing, 60)
{
	char self[256] = { 0 }, command[1024], line[256], out[64];
	struct shmchan_spsc rx;
	int marks = 0, between = 0, status;
	uint64_t value, i;
	FILE *file;
	pid_t pid;

	if (HARNESS_SANITIZED)
		SKIP("the sanitizer's runtime makes calls of its own");
	two_cpus();
	if (system("strace -o /dev/null true >/dev/null 2>&1"))
		SKIP("strace is not there, or ptrace is not permitted");
	CHECK_GT(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	open_as(&rx, "strace", SHMCHAN_RECEIVER, 65536, AWAKE_NS);
	snprintf(out, sizeof(out), "/tmp/spsc_strace.%d", (int)getpid());
	snprintf(command, sizeof(command),
		 "exec strace -f -o %s %s producer %s", out, self,
		 test_name("strace"));
	pid = child_fork();
	if (!pid) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(HARNESS_EXIT_FAIL);
	}
	for (i = 0; i < MESSAGES; i++)
		CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), 0);
	status = child_wait(pid);
	CHECK_EQ(status, 0);
	file = fopen(out, "r");
	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, "getppid"))
			marks++;
		else if (marks == 1 && !strstr(line, "F_OFD_GETLK"))
			between++;
	}
	fclose(file);
	unlink(out);
	CHECK_EQ(marks, 2);
	CHECK_EQ(between, 0);
	shmchan_spsc_close(&rx);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "producer"))
		return producer(argv[2]);
	return harness_main(argc, argv);
}
