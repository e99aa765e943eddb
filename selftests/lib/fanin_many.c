// SPDX-License-Identifier: GPL-2.0-only

/* Fan-in of 1,024 senders: in few processes, but each with a seat and a lane. */

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "channel_fixture.h"

#define PROCESSES	8
#define SENDERS		1024
#define EACH		(SENDERS / PROCESSES)

/* What the receiver tells the helpers to do, and what they have done. */
struct plan {
	_Atomic uint32_t ready;
	_Atomic uint64_t turn;		/* all send one message each turn */
	_Atomic uint64_t who;		/* ... or this slot alone, if < SENDERS */
	_Atomic uint64_t done;		/* helpers, summed over turns */
};

static const struct shmchan_channel_opts *opts(void)
{
	static struct shmchan_channel_opts o;

	o = SHMCHAN_FANIN_OPTS(.create = 1, .nr_senders = SENDERS,
			       .capacity = 4096, .burst = 4);
	return &o;
}

static void helper(struct plan *p)
{
	struct shmchan_sender *tx = calloc(EACH, sizeof(*tx));
	uint64_t turn = 0;
	uint32_t i;

	CHECK(tx);
	for (i = 0; i < EACH; i++)
		open_tx(&tx[i], "many", opts());
	p->ready++;
	for (;;) {
		while (p->turn == turn)
			sleep_ms(1);
		turn = p->turn;
		for (i = 0; i < EACH; i++)
			if (p->who >= SENDERS || tx[i].region->slot == p->who)
				CHECK_EQ(send_u64(&tx[i], turn, 0), 0);
		p->done++;
	}
}

static uint64_t turn(struct plan *p, uint64_t who)
{
	p->who = who;
	return ++p->turn;
}

/* Instructions of ours in user space, or -1. */
static int counter(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE, .size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS, .exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static uint64_t count(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

TEST_LIMIT(a_thousand_senders, 120)
{
	struct plan *p = shared_alloc(sizeof(*p));
	uint8_t *seen = calloc(SENDERS, 1);
	struct shmchan_channel_info *info;
	struct rlimit files;
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	uint64_t value, t, before, begin;
	uint32_t i, n;
	pid_t pid[PROCESSES];
	int round, err, fd;

	getrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < EACH + 32)
		SKIP("too few open files are allowed: %llu",
		     (unsigned long long)files.rlim_cur);
	(void)test_name("");
	open_rx(&rx, "many", opts());
	for (i = 0; i < PROCESSES; i++) {
		pid[i] = child_fork();
		if (!pid[i])
			helper(p);
	}
	CHECK_EQ(shmchan_receiver_wait_peers(&rx, SENDERS, 10 * TOLD_NS), 0);
	while (p->ready < PROCESSES)
		sleep_ms(1);
	/* Each once, and nobody twice. */
	for (round = 0; round < 5; round++) {
		memset(seen, 0, SENDERS);
		t = turn(p, SENDERS);
		for (n = 0; n < SENDERS; n++) {
			CHECK_EQ(recv_u64(&rx, &value, &msg, TOLD_NS), 0);
			CHECK_EQ(value, t);
			CHECK_LT(msg.slot, SENDERS);
			CHECK(!seen[msg.slot]);
			seen[msg.slot] = 1;
		}
		CHECK_EQ(try_u64(&rx, &value, &msg), -EAGAIN);
		while (p->done < PROCESSES * p->turn)
			sleep_ms(1);
	}
	/* All idle: each try looks at a part, all of them at all. */
	for (i = 0; i < 4096; i++)
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EAGAIN);
	fd = counter();
	before = fd < 0 ? 0 : count(fd);
	begin = now_ns();
	for (i = 0; i < 4096; i++)
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EAGAIN);
	note("an empty poll with %d idle lanes: %llu ns", SENDERS,
	     (unsigned long long)(now_ns() - begin) / 4096);
	if (fd >= 0)
		note("an empty poll with %d idle lanes: %llu instructions",
		     SENDERS,
		     (unsigned long long)(count(fd) - before) / 4096);
	/* One of them wakes us from sleep, whichever it is. */
	for (round = 0; round < HARNESS_ROUNDS(40); round++) {
		uint64_t who = (uint64_t)round * 397 % SENDERS;

		/* Sometimes asleep, sometimes on the way there. */
		t = turn(p, who);
		if (round & 1)
			sleep_ms(2);
		CHECK_EQ(recv_u64(&rx, &value, &msg, 10 * TOLD_NS), 0);
		CHECK_EQ(value, t);
		CHECK_EQ(msg.slot, who);
		CHECK_EQ(recv_u64(&rx, &value, &msg, MS), -ETIMEDOUT);
		while (p->done < PROCESSES * p->turn)
			sleep_ms(1);
	}
	CHECK_EQ(shmchan_channel_stat(&info, SHMCHAN_BACKEND_AUTO,
				      test_name("many")), 0);
	CHECK_EQ(info->receivers[0].depth, 0);
	CHECK_EQ(info->receivers[0].records, 5 * SENDERS + (uint64_t)round);
	shmchan_channel_info_free(info);
	/* The death of 128 is told of each, once. */
	child_kill(pid[3]);
	memset(seen, 0, SENDERS);
	for (n = 0; n < EACH; n++) {
		err = recv_u64(&rx, &value, &msg, TOLD_NS);
		CHECK_EQ(err, -EOWNERDEAD);
		CHECK(!seen[msg.slot]);
		seen[msg.slot] = 1;
	}
	CHECK_EQ(recv_u64(&rx, &value, &msg, 100 * MS), -ETIMEDOUT);
	for (i = 0; i < PROCESSES; i++)
		if (i != 3)
			child_kill(pid[i]);
	free(seen);
	shmchan_receiver_close(&rx);
}

TEST_MAIN
