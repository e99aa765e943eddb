// SPDX-License-Identifier: GPL-2.0-only

/* Several senders to several receivers: nobody sleeps over a message. */

#include <shmchan/loop.h>

#include "channel_fixture.h"

#define SENDERS		3
#define RECEIVERS	3

/* Each receiver says what it got, by fan-in. */
static void echo(const struct shmchan_channel_opts *opts,
		 const struct shmchan_channel_opts *ack)
{
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	uint64_t value;
	int err;

	open_rx(&rx, "wake", opts);
	open_tx(&tx, "ack", ack);
	for (;;) {
		err = recv_u64(&rx, &value, &msg, -1);
		if (err == -EPIPE)
			break;
		CHECK_EQ(err, 0);
		CHECK_EQ(send_u64(&tx, value, -1), 0);
	}
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
	child_done();
}

/* One message at a time, which all have to get before the next one. */
static void lockstep(const struct shmchan_channel_opts *opts)
{
	struct shmchan_channel_opts ack = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = RECEIVERS, .capacity = 4096,
		.spin_ns = -1);
	struct shmchan_channel_stats stats;
	struct shmchan_sender tx[SENDERS];
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	uint64_t value, n, rounds = (uint64_t)HARNESS_ROUNDS(1500);
	pid_t pid[RECEIVERS];
	int i;

	for (i = 0; i < SENDERS; i++)
		open_tx(&tx[i], "wake", opts);
	open_rx(&rx, "ack", &ack);
	for (i = 0; i < RECEIVERS; i++) {
		pid[i] = child_fork();
		if (!pid[i])
			echo(opts, &ack);
	}
	CHECK_EQ(shmchan_sender_wait_peers(&tx[0], RECEIVERS, TOLD_NS), 0);
	CHECK_EQ(shmchan_receiver_wait_peers(&rx, RECEIVERS, TOLD_NS), 0);
	for (n = 1; n <= rounds; n++) {
		CHECK_EQ(send_u64(&tx[n % SENDERS], n, TOLD_NS), 0);
		for (i = 0; i < RECEIVERS; i++) {
			CHECK_EQ(recv_u64(&rx, &value, &msg, TOLD_NS), 0);
			CHECK_EQ(value, n);
		}
	}
	shmchan_receiver_get_stats(&rx, &stats);
	note("%llu messages to %d receivers, slept %llu times, rang %llu times",
	     (unsigned long long)rounds, RECEIVERS,
	     (unsigned long long)stats.waits, (unsigned long long)stats.rings);
	CHECK_EQ(stats.records, rounds * RECEIVERS);
	/* Each leaves at the first end that it is told of. */
	shmchan_sender_close(&tx[0]);
	for (i = 0; i < RECEIVERS; i++)
		CHECK_CHILD_OK(pid[i]);
	for (i = 0; i < RECEIVERS; i++)
		CHECK_EQ(recv_u64(&rx, &value, &msg, TOLD_NS), -EPIPE);
	for (i = 1; i < SENDERS; i++)
		shmchan_sender_close(&tx[i]);
	shmchan_receiver_close(&rx);
}

TEST_LIMIT(one_wait_for_all_words, 60)
{
	const struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .nr_senders = SENDERS, .nr_receivers = RECEIVERS,
		.capacity = 4096, .spin_ns = -1);

	lockstep(&opts);
}

TEST_LIMIT(where_receivers_are_passed, 60)
{
	const struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .nr_senders = SENDERS, .nr_receivers = RECEIVERS,
		.policy = SHMCHAN_POLICY_OVERWRITE, .capacity = 4096,
		.spin_ns = -1);

	lockstep(&opts);
}

/* More lanes than one call takes words. */
TEST_LIMIT(with_too_many_lanes_for_one_wait, 60)
{
	const struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .nr_senders = 200, .nr_receivers = RECEIVERS,
		.capacity = 4096, .spin_ns = -1);

	lockstep(&opts);
}

TEST_LIMIT(who_spins, 60)
{
	const struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .nr_senders = SENDERS, .nr_receivers = RECEIVERS,
		.capacity = 4096);

	lockstep(&opts);
}

/* Full speed, everybody asleep and awake, and small lanes: senders wait, too. */
TEST_LIMIT(streams_with_sleeping_senders, 60)
{
	const struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .nr_senders = SENDERS, .nr_receivers = RECEIVERS,
		.capacity = 4096, .spin_ns = -1);
	const uint64_t each = (uint64_t)HARNESS_ROUNDS(30000);
	struct shmchan_receiver rx[RECEIVERS];
	uint64_t next[SENDERS], value;
	pid_t pid[SENDERS + RECEIVERS];
	struct shmchan_msg msg;
	int i, ends;

	/* They hold from the beginning on, so nothing is missed. */
	(void)test_name("");
	for (i = 0; i < RECEIVERS; i++) {
		pid[i] = child_fork();
		if (pid[i])
			continue;
		open_rx(&rx[0], "stream", &opts);
		memset(next, 0, sizeof(next));
		for (ends = 0; ends < SENDERS;) {
			int err = recv_u64(&rx[0], &value, &msg, 4 * TOLD_NS);

			if (err == -EPIPE) {
				CHECK_EQ(next[msg.slot], each);
				/* Who comes late may get the place of who is done. */
				next[msg.slot] = 0;
				ends++;
				continue;
			}
			CHECK_EQ(err, 0);
			CHECK_EQ(value, next[msg.slot]);
			next[msg.slot]++;
		}
		shmchan_receiver_close(&rx[0]);
		child_done();
	}
	for (; i < SENDERS + RECEIVERS; i++) {
		struct shmchan_sender tx;
		uint64_t n;

		pid[i] = child_fork();
		if (pid[i])
			continue;
		open_tx(&tx, "stream", &opts);
		CHECK_EQ(shmchan_sender_wait_peers(&tx, RECEIVERS, TOLD_NS), 0);
		for (n = 0; n < each; n++)
			CHECK_EQ(send_u64(&tx, n, 4 * TOLD_NS), 0);
		shmchan_sender_close(&tx);
		/* Its place stays until all have read it. */
		child_done();
	}
	for (i = 0; i < SENDERS + RECEIVERS; i++)
		CHECK_CHILD_OK(pid[i]);
}

static void first_is(const struct shmchan_channel_opts *opts, uint64_t wanted)
{
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	uint64_t value;

	open_rx(&rx, "follows", opts);
	CHECK_EQ(recv_u64(&rx, &value, &msg, TOLD_NS), 0);
	CHECK_EQ(value, wanted);
	shmchan_receiver_close(&rx);
	child_done();
}

/* It takes a walk over much to come to where it begins, and that is waited for. */
TEST(who_is_waited_for_gets_what_follows)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 1, .capacity = 1 << 18,
		.spin_ns = -1);
	uint64_t round, rounds = (uint64_t)HARNESS_ROUNDS(100), n, *settled;
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	pid_t pid;
	int err;

	open_tx(&tx, "follows", &opts);
	for (round = 1; round <= rounds; round++) {
		/* Nearly an eighth of the ring behind the newest checkpoint. */
		for (n = 0; n < (1 << 15) / 16 - 10; n++)
			CHECK_EQ(send_u64(&tx, 0, 0), 0);
		pid = child_fork();
		if (!pid)
			first_is(&opts, round);
		/* At once, not a pause later. */
		do
			err = shmchan_sender_wait_peers(&tx, 1, 0);
		while (err == -EAGAIN);
		CHECK_EQ(err, 0);
		CHECK_EQ(send_u64(&tx, round, 0), 0);
		CHECK_CHILD_OK(pid);
	}
	/* As it is in the middle of that walk: it holds us, and is not there yet. */
	open_rx(&rx, "follows", &opts);
	settled = &rx.lanes[0].cursor->settled;
	n = shmchan_exchange(settled, (uint64_t)0);
	CHECK_EQ(shmchan_sender_wait_peers(&tx, 1, 0), -EAGAIN);
	CHECK_SAYS(shmchan_error_detail(), "0 of 1 are in their places");
	CHECK_EQ(shmchan_sender_wait_peers(&tx, 1, MS), -ETIMEDOUT);
	shmchan_store_release(settled, n);
	CHECK_EQ(shmchan_sender_wait_peers(&tx, 1, 0), 0);
	shmchan_receiver_close(&rx);
	shmchan_sender_close(&tx);
}

/* Full of what was sent with MORE: who waits for room rings for that first. */
TEST(more_and_then_many)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 1, .capacity = 4096, .spin_ns = -1);
	struct shmchan_cond conds[SHMCHAN_RECEIVER_CONDS];
	uint64_t big[127] = { 0 };
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	int i;

	open_tx(&tx, "many", &opts);
	open_rx(&rx, "many", &opts);
	/* Counted among those who sleep. */
	CHECK_EQ(shmchan_receiver_conds(&rx, conds), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(shmchan_send(&tx, big, sizeof(big), 0, SHMCHAN_MORE,
				      0), 0);
	CHECK_EQ(tx.rings, 0);
	CHECK_EQ(shmchan_send_n(&tx, big, sizeof(big), 1, 0, MS), -ETIMEDOUT);
	CHECK_EQ(tx.rings, 1);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

TEST_MAIN
