// SPDX-License-Identifier: GPL-2.0-only

/* The latest value: always the newest, always whole, whatever the sender does. */

#include "channel_fixture.h"

/* A value of this number, of a length that follows from it. */
static size_t make(uint64_t *words, uint64_t n)
{
	size_t i, nr = 1 + n * 7 % 30;

	for (i = 0; i < nr; i++)
		words[i] = n + i;
	return nr * 8;
}

static uint64_t whole(const uint64_t *words, size_t length)
{
	size_t i;

	CHECK_EQ(length, 8 * (1 + words[0] * 7 % 30));
	for (i = 0; i < length / 8; i++)
		CHECK_EQ(words[i], words[0] + i);
	return words[0];
}

TEST(the_newest_alone)
{
	struct shmchan_channel_opts opts = SHMCHAN_LATEST_OPTS(
		.create = 1, .nr_receivers = 3);
	uint64_t words[32], n = 0, skipped = 0, times;
	struct shmchan_receiver rx, late;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	int i;

	open_tx(&tx, "new", &opts);
	open_rx(&rx, "new", &opts);
	CHECK_EQ(shmchan_recv_newest(&rx, words, sizeof(words), &msg, 0),
		 -EAGAIN);
	for (times = 0; times < 2000; times++) {
		uint64_t burst = 1 + times * times % 200;

		for (; burst; burst--, n++)
			CHECK_EQ(shmchan_send(&tx, words, make(words, n), 0, 0,
					      0), 0);
		CHECK_EQ(shmchan_recv_newest(&rx, words, sizeof(words), &msg,
					     0), 0);
		CHECK_EQ(whole(words, msg.length), n - 1);
		skipped += msg.lost;
		CHECK_EQ(shmchan_recv_newest(&rx, words, sizeof(words), &msg,
					     0), -EAGAIN);
	}
	CHECK_EQ(skipped + times, n);
	/* Who comes late gets what is there. */
	open_rx(&late, "new", &opts);
	CHECK_EQ(shmchan_recv_newest(&late, words, sizeof(words), &msg, 0), 0);
	CHECK_EQ(whole(words, msg.length), n - 1);
	/* Runs, too: the last of them. */
	for (i = 1; i < 20; i++) {
		uint64_t many[20] = { 0 }, got = 0;

		many[i - 1] = n += 9;
		CHECK_EQ(shmchan_send_n(&tx, many, 8, (size_t)i, 0, 0), i);
		CHECK_EQ(shmchan_recv_newest(&rx, &got, 8, &msg, 0), 0);
		CHECK_EQ(got, n);
		CHECK_EQ(msg.lost, i - 1);
		CHECK_EQ(shmchan_recv_newest(&rx, &got, 8, &msg, 0), -EAGAIN);
	}
	/* Too small a buffer: it stays. */
	CHECK_EQ(shmchan_send(&tx, words, 64, 0, 0, 0), 0);
	CHECK_EQ(shmchan_recv_newest(&rx, words, 8, &msg, 0), -EMSGSIZE);
	CHECK_EQ(msg.length, 64);
	CHECK_EQ(shmchan_recv_newest(&rx, words, 64, &msg, 0), 0);
	CHECK_EQ(msg.length, 64);
	/* Its end is told once; the value stays. */
	shmchan_sender_close(&tx);
	CHECK_EQ(shmchan_recv_newest(&rx, words, 64, &msg, 0), -EPIPE);
	CHECK_EQ(shmchan_recv_newest(&rx, words, 64, &msg, 0), -EAGAIN);
	shmchan_receiver_close(&late);
	open_rx(&late, "new", &opts);
	CHECK_EQ(shmchan_recv_newest(&late, words, 64, &msg, 0), 0);
	CHECK_EQ(msg.length, 64);
	CHECK_EQ(shmchan_recv_newest(&late, words, 64, &msg, 0), -EPIPE);
	CHECK_EQ(shmchan_recv_newest(&late, words, 64, &msg, 0), -EAGAIN);
	/* And who follows goes on. */
	open_tx(&tx, "new", &opts);
	CHECK_EQ(shmchan_recv_newest(&rx, words, 64, &msg, 0), -EAGAIN);
	CHECK_EQ(shmchan_send(&tx, words, 16, 0, 0, 0), 0);
	CHECK_EQ(shmchan_recv_newest(&rx, words, 64, &msg, 0), 0);
	CHECK_EQ(msg.length, 16);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
	shmchan_receiver_close(&late);
}

/* A sender that runs at full speed; receivers copy, sleep, come and go. */
TEST_LIMIT(never_torn_beside_a_fast_sender, 60)
{
	struct shmchan_channel_opts opts = SHMCHAN_LATEST_OPTS(
		.create = 1, .nr_receivers = 8, .capacity = 4096);
	uint64_t words[32], last, seen = 0, got;
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	int round, i, err;
	pid_t pid;

	(void)test_name("");
	pid = child_fork();
	if (!pid) {
		struct shmchan_sender tx;
		uint64_t n;

		open_tx(&tx, "fast", &opts);
		for (n = 0;; n++)
			CHECK_EQ(shmchan_send(&tx, words, make(words, n), 0, 0,
					      0), 0);
	}
	for (round = 0; round < HARNESS_ROUNDS(40); round++) {
		opts.spin_ns = round & 1 ? -1 : 0;
		open_rx(&rx, "fast", &opts);
		CHECK_EQ(shmchan_receiver_wait_peers(&rx, 1, TOLD_NS), 0);
		last = 0;
		for (i = 0; i < HARNESS_ROUNDS(2000); i++) {
			err = shmchan_recv_newest(&rx, words, sizeof(words),
						  &msg, i & 1 ? TOLD_NS : 0);
			if (err == -EAGAIN)
				continue;
			CHECK_EQ(err, 0);
			got = whole(words, msg.length);
			if (seen && i)
				CHECK_GT(got, last);
			last = got;
			seen++;
		}
		shmchan_receiver_close(&rx);
	}
	CHECK_GT(seen, 0);
	open_rx(&rx, "fast", &opts);
	child_kill(pid);
	do
		err = shmchan_recv_newest(&rx, words, sizeof(words), &msg,
					  TOLD_NS);
	while (!err);
	CHECK_EQ(err, -EOWNERDEAD);
	shmchan_receiver_close(&rx);
}

/* One that is begun and not there yet hides none that is, wherever it begins. */
TEST(one_that_is_open_hides_none)
{
	struct shmchan_channel_opts opts = SHMCHAN_LATEST_OPTS(
		.create = 1, .nr_receivers = 2, .capacity = 4096);
	struct shmchan_receiver rx, late;
	struct shmchan_reservation rsv;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	uint64_t n, value;

	open_tx(&tx, "open", &opts);
	open_rx(&rx, "open", &opts);
	for (n = 1; n < 1000; n++) {
		CHECK_EQ(send_u64(&tx, n, 0), 0);
		CHECK_EQ(shmchan_reserve(&tx, 8, &rsv, 0), 0);
		value = 0;
		CHECK_EQ(shmchan_recv_newest(&rx, &value, 8, &msg, 0), 0);
		CHECK_EQ(value, n);
		CHECK_EQ(msg.lost, 0);
		CHECK_EQ(shmchan_recv_newest(&rx, &value, 8, &msg, 0), -EAGAIN);
		CHECK_EQ(shmchan_abort(&tx, &rsv), 0);
	}
	/* Nor one that never comes. */
	for (;; n++) {
		CHECK_EQ(send_u64(&tx, n, 0), 0);
		if (!(tx.w.tail & (4096 / 8 - 1)))
			break;
	}
	CHECK_EQ(shmchan_reserve(&tx, 8, &rsv, 0), 0);
	shmchan_sender_close(&tx);
	open_rx(&late, "open", &opts);
	CHECK_EQ(shmchan_recv_newest(&late, &value, 8, &msg, 0), 0);
	CHECK_EQ(value, n);
	CHECK_EQ(shmchan_recv_newest(&late, &value, 8, &msg, 0), -EPIPE);
	CHECK_EQ(shmchan_recv_newest(&rx, &value, 8, &msg, 0), 0);
	CHECK_EQ(value, n);
	CHECK_EQ(shmchan_recv_newest(&rx, &value, 8, &msg, 0), -EPIPE);
	CHECK_EQ(shmchan_recv_newest(&rx, &value, 8, &msg, 0), -EAGAIN);
	shmchan_receiver_close(&rx);
	shmchan_receiver_close(&late);
}

TEST(it_takes_a_channel_that_overwrites)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 1, .capacity = 4096);
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	uint64_t value;

	open_rx(&rx, "not", &opts);
	open_tx(&tx, "not", &opts);
	/* Also while there is nothing: or who waits would wait. */
	CHECK_EQ(shmchan_recv_newest(&rx, &value, 8, NULL, MS), -ENOTSUP);
	CHECK_EQ(send_u64(&tx, 1, 0), 0);
	CHECK_EQ(shmchan_recv_newest(&rx, &value, 8, NULL, 0), -ENOTSUP);
	CHECK_EQ(recv_u64(&rx, &value, NULL, 0), 0);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

/* It is still there; how many were before it is told once, at once. */
TEST(too_long_a_newest_one)
{
	struct shmchan_channel_opts opts = SHMCHAN_LATEST_OPTS(
		.create = 1, .nr_receivers = 1);
	struct shmchan_channel_stats stats;
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	uint64_t value[2] = { 0 };

	open_rx(&rx, "long", &opts);
	open_tx(&tx, "long", &opts);
	for (; value[0] < 5; value[0]++)
		CHECK_EQ(shmchan_send(&tx, value, 16, 0, 0, 0), 0);
	CHECK_EQ(shmchan_recv_newest(&rx, value, 8, &msg, 0), -EMSGSIZE);
	CHECK_EQ(msg.length, 16);
	CHECK_EQ(msg.lost, 4);
	CHECK_EQ(shmchan_recv_newest(&rx, value, 8, &msg, 0), -EMSGSIZE);
	CHECK_EQ(msg.lost, 0);
	CHECK_EQ(shmchan_recv_newest(&rx, value, 16, &msg, 0), 0);
	CHECK_EQ(value[0], 4);
	CHECK_EQ(msg.lost, 0);
	shmchan_receiver_get_stats(&rx, &stats);
	CHECK_EQ(stats.records, 1);
	CHECK_EQ(stats.lost, 4);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

TEST_MAIN
