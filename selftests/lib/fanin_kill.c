// SPDX-License-Identifier: GPL-2.0-only

/* Fan-in: kill -9 of senders and receivers; the others are told, nothing is lost. */

#include "channel_fixture.h"

#define SENDERS	4

/* What a helper did, where its killer can see it. */
struct progress {
	_Atomic uint64_t started;	/* this one may or may not have happened */
	_Atomic uint64_t done;		/* these have */
};

static const struct shmchan_channel_opts *opts(int64_t spin_ns, uint32_t slot)
{
	static struct shmchan_channel_opts o;

	o = SHMCHAN_FANIN_OPTS(.create = 1, .nr_senders = SENDERS,
			       .capacity = 4096, .burst = 8);
	o.spin_ns = spin_ns;
	o.slot = slot;
	return &o;
}

static void sender(const char *tag, struct progress *p, uint32_t slot,
		   int64_t spin_ns)
{
	struct shmchan_reservation rsv;
	struct shmchan_sender tx;
	uint64_t i, dirt = ~0ULL;
	int err = 0;

	open_tx(&tx, tag, opts(spin_ns, slot));
	for (i = p->done;; i++) {
		p->started = i + 1;
		if (i % 3) {
			err = send_u64(&tx, i, -1);
		} else {
			/* Dirt in what is never committed must not be seen. */
			err = shmchan_reserve(&tx, 100, &rsv, -1);
			if (!err) {
				memcpy(rsv.data, &dirt, 8);
				memcpy(rsv.data, &i, 8);
				err = shmchan_commit(&tx, &rsv, 8, 0, 0);
			}
		}
		/* While there is no receiver. */
		if (err == -EOWNERDEAD || err == -EPIPE) {
			sleep_ms(1);
			i--;
			continue;
		}
		CHECK_EQ(err, 0);
		p->done = i + 1;
	}
}

/* Until all that is there is read, and n ends were told. */
static void drain(struct shmchan_receiver *rx, uint64_t *next, uint32_t n)
{
	struct shmchan_msg msg;
	uint64_t value;
	int err;

	for (;;) {
		err = recv_u64(rx, &value, &msg, n ? TOLD_NS : 0);
		if (err == -EAGAIN && !n)
			return;
		if (err == -EOWNERDEAD && n) {
			n--;
			continue;
		}
		CHECK_EQ(err, 0);
		CHECK_EQ(value, next[msg.slot]);
		next[msg.slot]++;
	}
}

TEST_LIMIT(senders_killed_at_random, 120)
{
	struct progress *p = shared_alloc(SENDERS * sizeof(*p));
	uint64_t rnd = 5, next[SENDERS] = { 0 }, begin, value, total = 0;
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	pid_t pid[SENDERS];
	int round, err;
	uint32_t s;

	open_rx(&rx, "tx", opts(0, SHMCHAN_SLOT_ANY));
	for (round = 0; round < HARNESS_ROUNDS(25); round++) {
		for (s = 0; s < SENDERS; s++) {
			p[s].started = p[s].done = next[s];
			pid[s] = child_fork();
			if (!pid[s])
				sender("tx", &p[s], s, s & 1 ? -1 : 0);
		}
		/* Killed before it has come is no death that anyone sees. */
		CHECK_EQ(shmchan_receiver_wait_peers(&rx, SENDERS,
						     10 * TOLD_NS), 0);
		rnd = rnd * 6364136223846793005ULL + 1;
		begin = now_ns();
		while (now_ns() - begin < (rnd >> 40) % (20 * MS)) {
			err = recv_u64(&rx, &value, &msg, round & 1 ? MS : 0);
			if (err == -EAGAIN || err == -ETIMEDOUT)
				continue;
			CHECK_EQ(err, 0);
			CHECK_EQ(value, next[msg.slot]);
			next[msg.slot]++;
		}
		for (s = 0; s < SENDERS; s++)
			child_kill(pid[s]);
		drain(&rx, next, SENDERS);
		drain(&rx, next, 0);
		for (s = 0; s < SENDERS; s++) {
			/* All that was sent, and at most the one it was at. */
			CHECK_GE(next[s], p[s].done);
			CHECK_LE(next[s], p[s].started);
			total += next[s];
		}
	}
	note("%llu messages in %d rounds", (unsigned long long)total, round);
	shmchan_receiver_close(&rx);
}

/* It reads for ever; what it has read is in next. */
static void receiver(const char *tag, struct progress *p, int64_t spin_ns)
{
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	uint64_t value, last[SENDERS] = { 0 };

	open_rx(&rx, tag, opts(spin_ns, SHMCHAN_SLOT_ANY));
	for (;;) {
		CHECK_EQ(recv_u64(&rx, &value, &msg, -1), 0);
		if (last[msg.slot])
			CHECK_EQ(value, last[msg.slot]);
		/* It may begin with what the last one has seen; not after it. */
		CHECK_LE(value, p[msg.slot].done);
		last[msg.slot] = value + 1;
		if (value + 1 > p[msg.slot].done)
			p[msg.slot].done = value + 1;
	}
}

/* Senders go on, asleep for want of room or not, with the next receiver. */
TEST_LIMIT(receivers_killed_at_random, 120)
{
	struct progress *p = shared_alloc(SENDERS * sizeof(*p));
	struct progress *got = shared_alloc(SENDERS * sizeof(*got));
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	pid_t pid[SENDERS], reader;
	uint64_t rnd = 7, value, before[SENDERS];
	uint32_t s, stopped = 0;
	int round;

	(void)test_name("");
	for (s = 0; s < SENDERS; s++) {
		pid[s] = child_fork();
		if (!pid[s])
			sender("rx", &p[s], s, s & 1 ? -1 : 0);
	}
	for (round = 0; round < HARNESS_ROUNDS(25); round++) {
		for (s = 0; s < SENDERS; s++)
			before[s] = p[s].done;
		reader = child_fork();
		if (!reader)
			receiver("rx", got, round & 1 ? -1 : 0);
		/* All of them go on. */
		for (s = 0; s < SENDERS; s++) {
			uint64_t begin = now_ns();

			while (p[s].done == before[s] &&
			       now_ns() - begin < TOLD_NS)
				sleep_ms(1);
			CHECK_NE(p[s].done, before[s]);
		}
		rnd = rnd * 6364136223846793005ULL + 1;
		sleep_ms((unsigned int)((rnd >> 40) % 10));
		child_kill(reader);
	}
	/* The last one reads all that is left. */
	open_rx(&rx, "rx", opts(0, SHMCHAN_SLOT_ANY));
	for (s = 0; s < SENDERS; s++)
		child_kill(pid[s]);
	for (s = 0; s < SENDERS; s++)
		before[s] = 0;
	while (stopped < SENDERS) {
		int err = recv_u64(&rx, &value, &msg, TOLD_NS);

		if (err == -EOWNERDEAD) {
			stopped++;
			continue;
		}
		CHECK_EQ(err, 0);
		if (before[msg.slot])
			CHECK_EQ(value, before[msg.slot]);
		else
			CHECK_LE(value, got[msg.slot].done);
		before[msg.slot] = value + 1;
	}
	for (s = 0; s < SENDERS; s++)
		CHECK_GE(before[s] ? before[s] : got[s].done, p[s].done);
	shmchan_receiver_close(&rx);
}

/* Senders that sleep for want of room are told when the receiver dies. */
TEST_LIMIT(a_sleeping_sender_is_told_of_the_death, 60)
{
	struct progress *p = shared_alloc(sizeof(*p));
	struct shmchan_sender tx;
	struct shmchan_receiver rx;
	uint64_t begin, n = 0;
	int err;
	pid_t pid;

	(void)test_name("");
	pid = child_fork();
	if (!pid) {
		open_rx(&rx, "told", opts(0, SHMCHAN_SLOT_ANY));
		p->done = 1;
		for (;;)
			pause();
	}
	open_tx(&tx, "told", opts(-1, SHMCHAN_SLOT_ANY));
	while (!p->done)
		sleep_ms(1);
	while (!(err = send_u64(&tx, n, 0)))
		n++;
	CHECK_EQ(err, -EAGAIN);
	CHECK_EQ(send_u64(&tx, n, 50 * MS), -ETIMEDOUT);
	if (!child_fork()) {
		sleep_ms(100);
		kill(pid, SIGKILL);
		_exit(0);
	}
	begin = now_ns();
	CHECK_EQ(send_u64(&tx, n, 10 * TOLD_NS), -EOWNERDEAD);
	CHECK_LT(now_ns() - begin, TOLD_NS);
	shmchan_sender_close(&tx);
}

TEST_MAIN
