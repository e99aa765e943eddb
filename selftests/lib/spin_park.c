// SPDX-License-Identifier: GPL-2.0-only

/*
 * Channels that spin, then sleep: what the default does to a pair on one CPU,
 * and to one that has little to say.  Counted, not timed.
 */

#include <sched.h>

#include "spsc_fixture.h"

/* What may be spun for nothing until it is known, and to try again. */
#define TO_LEARN	64

static void bind_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set));
}

static int first_cpu(void)
{
	cpu_set_t set;
	int cpu = 0;

	CHECK(!sched_getaffinity(0, sizeof(set), &set));
	while (!CPU_ISSET(cpu, &set))
		cpu++;
	return cpu;
}

static void few_misses(const struct shmchan_spsc *ch, uint64_t waits)
{
	note("%llu waits: %llu spun, %llu for nothing, %llu slept at once",
	     (unsigned long long)waits, (unsigned long long)ch->spin.spun,
	     (unsigned long long)ch->spin.missed,
	     (unsigned long long)ch->spin.parked);
	/* One of 16 to begin with, of 256 later. */
	CHECK_LE(ch->spin.missed, TO_LEARN + waits / 64);
}

static void echo(uint64_t n)
{
	struct shmchan_spsc rx, tx;
	uint64_t i, value;

	open_as(&rx, "there", SHMCHAN_RECEIVER, 4096, 0);
	open_as(&tx, "back", SHMCHAN_SENDER, 4096, 0);
	for (i = 0; i < n; i++) {
		CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), 0);
		CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, -1), 0);
	}
	few_misses(&rx, n);
	CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), -EPIPE);
	child_done();
}

TEST_LIMIT(both_on_one_cpu, 120)
{
	uint64_t n = (uint64_t)HARNESS_ROUNDS(20000), i, value;
	struct shmchan_spsc tx, rx;
	pid_t pid;

	bind_to(first_cpu());
	open_as(&tx, "there", SHMCHAN_SENDER, 4096, 0);
	open_as(&rx, "back", SHMCHAN_RECEIVER, 4096, 0);
	pid = child_fork();
	if (!pid)
		echo(n);
	for (i = 0; i < n; i++) {
		CHECK_EQ(shmchan_spsc_send(&tx, &i, 8, 0, 0, -1), 0);
		CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), 0);
		CHECK_EQ(value, i);
	}
	few_misses(&rx, n);
	shmchan_spsc_close(&tx);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&rx);
}

/* A full ring and a receiver on the same CPU: the sender's waits are the same. */
TEST_LIMIT(a_full_ring_on_one_cpu, 120)
{
	uint64_t n = (uint64_t)HARNESS_ROUNDS(200000), i, value;
	struct shmchan_spsc tx, rx;
	pid_t pid;

	bind_to(first_cpu());
	open_as(&tx, "full", SHMCHAN_SENDER, 4096, 0);
	pid = child_fork();
	if (!pid) {
		open_as(&rx, "full", SHMCHAN_RECEIVER, 4096, 0);
		for (i = 0; i < n; i++) {
			CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL,
						   -1), 0);
			CHECK_EQ(value, i);
		}
		few_misses(&rx, rx.waits);
		child_done();
	}
	for (i = 0; i < n; i++)
		CHECK_EQ(shmchan_spsc_send(&tx, &i, 8, 0, 0, -1), 0);
	few_misses(&tx, tx.waits);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&tx);
}

/* One message in some milliseconds: after a few it does not spin any more. */
TEST_LIMIT(a_quiet_channel, 60)
{
	struct shmchan_spsc tx, rx;
	uint64_t n = 200, i, value;
	pid_t pid;

	open_as(&rx, "quiet", SHMCHAN_RECEIVER, 4096, 0);
	pid = child_fork();
	if (!pid) {
		open_as(&tx, "quiet", SHMCHAN_SENDER, 4096, 0);
		for (i = 0; i < n; i++) {
			sleep_ms(2);
			CHECK_EQ(shmchan_spsc_send(&tx, &i, 8, 0, 0, -1), 0);
		}
		shmchan_spsc_close(&tx);
		child_done();
	}
	for (i = 0; i < n; i++)
		CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), 0);
	CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), -EPIPE);
	few_misses(&rx, rx.waits);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&rx);
}

/* Who says how long gets that, each time. */
TEST(as_told)
{
	struct shmchan_spsc never, fixed;
	uint64_t value;
	int i;

	open_as(&never, "never", SHMCHAN_RECEIVER, 4096, -1);
	open_as(&fixed, "fixed", SHMCHAN_RECEIVER, 4096, 1000);
	for (i = 0; i < 50; i++) {
		CHECK_EQ(shmchan_spsc_recv(&never, &value, 8, NULL, NULL,
					   2 * MS), -ETIMEDOUT);
		CHECK_EQ(shmchan_spsc_recv(&fixed, &value, 8, NULL, NULL,
					   2 * MS), -ETIMEDOUT);
	}
	CHECK_EQ(never.spin.missed + never.spin.spun, 0);
	CHECK_GE(fixed.spin.missed, 45);
	shmchan_spsc_close(&never);
	shmchan_spsc_close(&fixed);
}

TEST_MAIN
