// SPDX-License-Identifier: GPL-2.0-only

/* Publish and subscribe: kill -9 of subscribers and of the publisher. */

#include "channel_fixture.h"

struct progress {
	_Atomic uint64_t started;
	_Atomic uint64_t done;
};

/* It subscribes, reads some, and stands still. */
static void stuck(const char *tag, const struct shmchan_channel_opts *opts,
		  struct progress *p)
{
	struct shmchan_receiver rx;

	open_rx(&rx, tag, opts);
	p->done = 1;
	for (;;)
		pause();
}

/* A dead subscriber frees the publisher that sleeps because of it. */
TEST_LIMIT(a_death_frees_the_publisher, 60)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 3, .capacity = 4096,
		.spin_ns = -1);
	struct progress *p = shared_alloc(sizeof(*p));
	struct shmchan_receiver alive;
	struct shmchan_sender tx;
	uint64_t n = 0, begin, value;
	int round, err;
	pid_t pid, killer;

	open_tx(&tx, "free", &opts);
	open_rx(&alive, "free", &opts);
	for (round = 0; round < 4; round++) {
		p->done = 0;
		pid = child_fork();
		if (!pid)
			stuck("free", &opts, p);
		while (!p->done)
			sleep_ms(1);
		while (!(err = send_u64(&tx, n, 0))) {
			n++;
			CHECK_EQ(recv_u64(&alive, &value, NULL, 0), 0);
		}
		CHECK_EQ(err, -EAGAIN);
		killer = child_fork();
		if (!killer) {
			sleep_ms(30);
			kill(pid, SIGKILL);
			_exit(0);
		}
		begin = now_ns();
		CHECK_EQ(send_u64(&tx, n++, 4 * TOLD_NS), 0);
		CHECK_LT(now_ns() - begin, TOLD_NS);
		CHECK_EQ(recv_u64(&alive, &value, NULL, 0), 0);
		child_wait(pid);
		child_wait(killer);
	}
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&alive);
}

static void publisher(const char *tag, const struct shmchan_channel_opts *opts,
		      struct progress *p)
{
	struct shmchan_sender tx;
	uint64_t i;

	open_tx(&tx, tag, opts);
	CHECK_EQ(shmchan_sender_wait_peers(&tx, 2, TOLD_NS), 0);
	for (i = p->done;; i++) {
		p->started = i + 1;
		CHECK_EQ(send_u64(&tx, i, -1), 0);
		p->done = i + 1;
	}
}

/* Each subscriber gets all that each publisher had sent, then its death, once. */
TEST_LIMIT(publishers_killed_at_random, 120)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 2, .capacity = 4096);
	struct progress *p = shared_alloc(sizeof(*p));
	uint64_t next[2] = { 0, 0 }, value, begin, rnd = 3;
	struct shmchan_receiver rx[2];
	struct shmchan_msg msg;
	int round, i, err;
	pid_t pid;

	for (i = 0; i < 2; i++)
		open_rx(&rx[i], "pub", &opts);
	for (round = 0; round < HARNESS_ROUNDS(30); round++) {
		p->started = p->done = next[0];
		pid = child_fork();
		if (!pid)
			publisher("pub", &opts, p);
		CHECK_EQ(shmchan_receiver_wait_peers(&rx[0], 1, TOLD_NS), 0);
		rnd = rnd * 6364136223846793005ULL + 1;
		begin = now_ns();
		while (now_ns() - begin < (rnd >> 40) % (15 * MS)) {
			i = (int)(now_ns() >> 12 & 1);
			err = recv_u64(&rx[i], &value, &msg,
				       round & 1 ? MS : 0);
			if (err == -EAGAIN || err == -ETIMEDOUT)
				continue;
			CHECK_EQ(err, 0);
			CHECK_EQ(value, next[i]++);
		}
		child_kill(pid);
		for (i = 0; i < 2; i++) {
			while (!(err = recv_u64(&rx[i], &value, &msg, TOLD_NS)))
				CHECK_EQ(value, next[i]++);
			CHECK_EQ(err, -EOWNERDEAD);
			CHECK_EQ(msg.slot, 0);
			CHECK_EQ(recv_u64(&rx[i], &value, &msg, 0), -EAGAIN);
			CHECK_GE(next[i], p->done);
			CHECK_LE(next[i], p->started);
		}
		CHECK_EQ(next[0], next[1]);
	}
	note("%llu messages of %d publishers", (unsigned long long)next[0],
	     round);
	for (i = 0; i < 2; i++)
		shmchan_receiver_close(&rx[i]);
}

/* Loss is counted exactly while subscribers are passed and killed. */
TEST_LIMIT(subscribers_killed_while_passed, 120)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 3, .nr_reliable = 2,
		.policy = SHMCHAN_POLICY_EVICT, .capacity = 4096);
	struct progress *p = shared_alloc(sizeof(*p));
	struct shmchan_sender tx;
	uint64_t n = 0, rnd = 11, begin, end;
	int round, i;
	pid_t pid[3];

	open_tx(&tx, "passed", &opts);
	for (round = 0; round < HARNESS_ROUNDS(15); round++) {
		p->done = 0;
		for (i = 0; i < 3; i++) {
			struct shmchan_receiver rx;
			struct shmchan_msg msg;
			uint64_t value, next = 0;
			int err, first = 1;

			pid[i] = child_fork();
			if (pid[i])
				continue;
			opts.spin_ns = i == 1 ? -1 : 0;
			open_rx(&rx, "passed", &opts);
			p->done++;
			for (;;) {
				err = recv_u64(&rx, &value, &msg, -1);
				if (err == -EOVERFLOW) {
					next += msg.lost;
					continue;
				}
				CHECK_EQ(err, 0);
				if (!first)
					CHECK_EQ(value, next);
				first = 0;
				next = value + 1;
			}
		}
		begin = now_ns();
		while (p->done < 3) {
			sleep_ms(1);
			CHECK_LT(now_ns() - begin, 4 * TOLD_NS);
		}
		rnd = rnd * 6364136223846793005ULL + 1;
		end = now_ns() + (rnd >> 40) % (15 * MS);
		/* It never waits, so it never hangs on anybody. */
		while (now_ns() < end)
			for (i = 0; i < 50; i++)
				CHECK_EQ(send_u64(&tx, n++, -1), 0);
		for (i = 0; i < 3; i++)
			child_kill(pid[i]);
	}
	note("%llu messages", (unsigned long long)n);
	shmchan_sender_close(&tx);
}

TEST_MAIN
