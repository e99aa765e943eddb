// SPDX-License-Identifier: GPL-2.0-only

/* Publish and subscribe: who holds the publisher, who is passed, who comes late. */

#include "channel_fixture.h"

/* A message of this number, of 8 to 200 bytes, that can be told to be whole. */
static int publish(struct shmchan_sender *tx, uint64_t n, int64_t timeout_ns)
{
	uint64_t words[25];
	size_t i, nr = 1 + n % 25;

	for (i = 0; i < nr; i++)
		words[i] = n + i;
	return shmchan_send(tx, words, nr * 8, (uint32_t)n, 0, timeout_ns);
}

static int take(struct shmchan_receiver *rx, uint64_t *n,
		struct shmchan_msg *msg, int64_t timeout_ns)
{
	uint64_t words[25];
	size_t i;
	int ret = shmchan_recv(rx, words, sizeof(words), msg, timeout_ns);

	if (ret)
		return ret;
	*n = words[0];
	CHECK_EQ(msg->length, 8 * (1 + *n % 25));
	CHECK_EQ(msg->meta, (uint32_t)*n);
	for (i = 0; i < msg->length / 8; i++)
		CHECK_EQ(words[i], *n + i);
	return 0;
}

TEST(everybody_gets_everything)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 6, .capacity = 8192);
	struct shmchan_receiver rx[6];
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	uint64_t n, got;
	int i;

	open_tx(&tx, "all", &opts);
	for (i = 0; i < 6; i++)
		open_rx(&rx[i], "all", &opts);
	for (n = 0; n < 1000; n++) {
		CHECK_EQ(publish(&tx, n, 0), 0);
		for (i = 0; i < 6; i++) {
			CHECK_EQ(take(&rx[i], &got, &msg, 0), 0);
			CHECK_EQ(got, n);
		}
	}
	for (i = 0; i < 6; i++)
		CHECK_EQ(take(&rx[i], &got, &msg, 0), -EAGAIN);
	shmchan_sender_close(&tx);
	for (i = 0; i < 6; i++) {
		CHECK_EQ(take(&rx[i], &got, &msg, TOLD_NS), -EPIPE);
		CHECK_EQ(take(&rx[i], &got, &msg, 0), -EAGAIN);
		shmchan_receiver_close(&rx[i]);
	}
}

TEST(late_joiners_begin_where_they_say)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 4, .capacity = 8192);
	struct shmchan_receiver now, oldest, later;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	uint64_t n, got, first;

	open_tx(&tx, "late", &opts);
	/* Nobody is there, so nobody holds. */
	for (n = 0; n < 5000; n++)
		CHECK_EQ(publish(&tx, n, 0), 0);
	opts.from = SHMCHAN_FROM_NOW;
	open_rx(&now, "late", &opts);
	opts.from = SHMCHAN_FROM_OLDEST;
	open_rx(&oldest, "late", &opts);
	CHECK_EQ(take(&now, &got, &msg, 0), -EAGAIN);
	CHECK_EQ(take(&oldest, &first, &msg, 0), 0);
	CHECK_LT(first, n - 8);
	CHECK_GT(first, n - 8192 / 16);
	CHECK_EQ(publish(&tx, n++, 0), 0);
	CHECK_EQ(take(&now, &got, &msg, 0), 0);
	CHECK_EQ(got, n - 1);
	for (first++; first < n; first++) {
		CHECK_EQ(take(&oldest, &got, &msg, 0), 0);
		CHECK_EQ(got, first);
	}
	CHECK_EQ(take(&oldest, &got, &msg, 0), -EAGAIN);
	/* When the publisher has gone, what is kept is there all the same. */
	shmchan_sender_close(&tx);
	open_rx(&later, "late", &opts);
	CHECK_EQ(take(&later, &first, &msg, 0), 0);
	for (first++; first < n; first++) {
		CHECK_EQ(take(&later, &got, &msg, 0), 0);
		CHECK_EQ(got, first);
	}
	CHECK_EQ(take(&later, &got, &msg, 0), -EPIPE);
	CHECK_EQ(take(&later, &got, &msg, 0), -EAGAIN);
	shmchan_receiver_close(&later);
	/* That it has ended is no news to who begins behind its last message. */
	opts.from = SHMCHAN_FROM_NOW;
	open_rx(&later, "late", &opts);
	CHECK_EQ(take(&later, &got, &msg, 0), -EAGAIN);
	shmchan_receiver_close(&later);
	shmchan_receiver_close(&now);
	shmchan_receiver_close(&oldest);
}

/* Reads until nothing is left; returns how many, and adds what was lost. */
static uint64_t catch_up(struct shmchan_receiver *rx, uint64_t *next,
			 uint64_t *lost)
{
	struct shmchan_msg msg;
	uint64_t got, n = 0;
	int err;

	for (;;) {
		err = take(rx, &got, &msg, 0);
		if (err == -EAGAIN)
			return n;
		if (err == -EOVERFLOW) {
			CHECK_GT(msg.lost, 0);
			CHECK_EQ(msg.slot, 0);
			*lost += msg.lost;
			*next += msg.lost;
			continue;
		}
		CHECK_EQ(err, 0);
		CHECK_EQ(got, *next);
		(*next)++;
		n++;
	}
}

TEST(reliable_seats_hold_and_casual_ones_do_not)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 3, .nr_reliable = 1,
		.capacity = 4096);
	struct shmchan_receiver reliable, casual, third, none;
	uint64_t n = 0, next = 0, lost = 0, reads = 0, got;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	int err, i;

	open_tx(&tx, "casual", &opts);
	opts.seat = SHMCHAN_SEAT_CASUAL;
	open_rx(&casual, "casual", &opts);
	CHECK_EQ(casual.region->slot, 3);
	open_rx(&third, "casual", &opts);
	CHECK_EQ(shmchan_receiver_open(&none, test_name("casual"), &opts),
		 -EBUSY);
	CHECK_SAYS(shmchan_error_detail(), "casual");
	/* Nobody reliable is there. */
	for (; n < 1000; n++)
		CHECK_EQ(publish(&tx, n, 0), 0);
	opts.seat = SHMCHAN_SEAT_RELIABLE;
	open_rx(&reliable, "casual", &opts);
	CHECK_EQ(reliable.region->slot, 1);
	CHECK_EQ(shmchan_receiver_open(&none, test_name("casual"), &opts),
		 -EBUSY);
	/* It begins now, and holds from now on; by peek, too. */
	while (!(err = publish(&tx, n, 0)))
		n++;
	CHECK_EQ(err, -EAGAIN);
	CHECK_SAYS(shmchan_error_detail(), "slot 1");
	CHECK_LT(n, 1000 + 4096 / 16);
	CHECK_EQ(publish(&tx, n, 20 * MS), -ETIMEDOUT);
	reads = catch_up(&casual, &next, &lost);
	CHECK_EQ(next, n);
	CHECK_EQ(reads + lost, n);
	CHECK_GT(lost, 1000 - 4096 / 16);
	for (i = 1000; i < (int)n; i++) {
		struct shmchan_view view;

		CHECK_EQ(shmchan_peek(&reliable, &view, 0), 0);
		CHECK_EQ(view.msg.meta, i);
		CHECK_EQ(shmchan_release(&reliable, &view), 0);
	}
	CHECK_EQ(publish(&tx, n, 0), 0);
	CHECK_EQ(take(&reliable, &got, &msg, 0), 0);
	CHECK_EQ(got, n);
	/* Casual ones cannot peek: what they look at may be written over. */
	CHECK_EQ(take(&casual, &got, &msg, 0), 0);
	CHECK_EQ(publish(&tx, ++n, 0), 0);
	{
		struct shmchan_view view;

		CHECK_EQ(shmchan_peek(&casual, &view, 0), -ENOTSUP);
		/* Also while there is nothing: or who waits would wait. */
		CHECK_EQ(take(&casual, &got, &msg, 0), 0);
		CHECK_EQ(shmchan_peek(&casual, &view, MS), -ENOTSUP);
		CHECK_EQ(publish(&tx, ++n, 0), 0);
	}
	/* Who leaves holds nobody. */
	while (!publish(&tx, n, 0))
		n++;
	shmchan_receiver_close(&reliable);
	for (i = 0; i < 500; i++)
		CHECK_EQ(publish(&tx, n + (uint64_t)i, 0), 0);
	shmchan_receiver_close(&casual);
	shmchan_receiver_close(&third);
	shmchan_sender_close(&tx);
}

TEST(the_policy_fail_fails)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 2, .capacity = 4096,
		.policy = SHMCHAN_POLICY_FAIL);
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	uint64_t n = 0, begin;
	int err;

	open_tx(&tx, "fail", &opts);
	open_rx(&rx, "fail", &opts);
	begin = now_ns();
	/* Whatever the timeout. */
	while (!(err = publish(&tx, n, -1)))
		n++;
	CHECK_EQ(err, -EAGAIN);
	CHECK_SAYS(shmchan_error_detail(), "policy");
	CHECK_LT(now_ns() - begin, TOLD_NS);
	shmchan_receiver_close(&rx);
	CHECK_EQ(publish(&tx, n, -1), 0);
	shmchan_sender_close(&tx);
	opts.hold_ns = 30 * MS;
	open_tx(&tx, "fail2", &opts);
	open_rx(&rx, "fail2", &opts);
	while (!(err = publish(&tx, n, 0)))
		n++;
	CHECK_EQ(err, -EAGAIN);
	begin = now_ns();
	CHECK_EQ(publish(&tx, n, -1), -EAGAIN);
	CHECK_LT(now_ns() - begin, TOLD_NS);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

TEST(who_is_slow_is_evicted_and_told_how_many_it_lost)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 3, .nr_reliable = 3,
		.capacity = 4096, .policy = SHMCHAN_POLICY_EVICT,
		.hold_ns = 20 * MS);
	uint64_t n = 0, next[2] = { 0, 0 }, lost = 0, none = 0, reads = 0;
	struct shmchan_channel_stats stats;
	struct shmchan_receiver slow, fast;
	struct shmchan_sender tx;
	uint64_t begin;
	int err;

	open_tx(&tx, "evict", &opts);
	open_rx(&slow, "evict", &opts);
	open_rx(&fast, "evict", &opts);
	begin = now_ns();
	for (; n < 2000; n++) {
		/* Who tries is told, until the time has passed. */
		while ((err = publish(&tx, n, n & 1 ? 0 : -1)) == -EAGAIN)
			CHECK_LT(now_ns() - begin, TOLD_NS);
		CHECK_EQ(err, 0);
		reads += catch_up(&fast, &next[0], &none);
	}
	CHECK_EQ(none, 0);
	CHECK_EQ(reads, n);
	shmchan_sender_get_stats(&tx, &stats);
	/* It stands still: it costs hold_ns once. */
	CHECK_EQ(stats.evictions, 1);
	CHECK_GE(now_ns() - begin, 20 * MS);
	reads = catch_up(&slow, &next[1], &lost);
	CHECK_EQ(next[1], n);
	CHECK_EQ(reads + lost, n);
	CHECK_GT(lost, 0);
	CHECK_GT(reads, 0);
	shmchan_receiver_get_stats(&slow, &stats);
	CHECK_EQ(stats.lost, lost);
	CHECK_EQ(stats.records, reads);
	/* From here on it holds again, and is passed again. */
	for (; n < 2500; n++)
		CHECK_EQ(publish(&tx, n, -1), 0);
	catch_up(&slow, &next[1], &lost);
	CHECK_EQ(next[1], n);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&slow);
	shmchan_receiver_close(&fast);
}

TEST(nobody_holds_who_overwrites)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 2, .capacity = 4096,
		.policy = SHMCHAN_POLICY_OVERWRITE);
	uint64_t n = 0, next = 0, lost = 0, reads = 0;
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	int i;

	open_tx(&tx, "over", &opts);
	open_rx(&rx, "over", &opts);
	for (i = 0; i < 300; i++) {
		uint64_t end = n + (uint64_t)i * 7 % 100;

		for (; n < end; n++)
			CHECK_EQ(publish(&tx, n, 0), 0);
		reads += catch_up(&rx, &next, &lost);
		CHECK_EQ(next, n);
	}
	CHECK_EQ(reads + lost, n);
	CHECK_GT(lost, 0);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

/* All of it zeros: a place that was passed looks as if nothing had come. */
TEST(zeros_that_pass_are_seen)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 2, .capacity = 4096,
		.policy = SHMCHAN_POLICY_OVERWRITE, .spin_ns = -1);
	uint64_t zeros[100] = { 0 };
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	uint64_t lost = 0, got = 0, round, i;
	int err;

	open_tx(&tx, "zeros", &opts);
	open_rx(&rx, "zeros", &opts);
	for (round = 0; round < 50; round++) {
		for (i = 0; i < 5 + round % 7; i++)
			CHECK_EQ(shmchan_send(&tx, zeros, 1000 - 8 * 26, 0,
					      SHMCHAN_MORE, 0), 0);
		CHECK_EQ(shmchan_flush(&tx), 0);
		err = shmchan_recv(&rx, zeros, sizeof(zeros), &msg, TOLD_NS);
		CHECK(!err || err == -EOVERFLOW);
		do {
			if (err == -EOVERFLOW)
				lost += msg.lost;
			else
				got++;
			err = shmchan_recv(&rx, zeros, sizeof(zeros), &msg, 0);
		} while (!err || err == -EOVERFLOW);
		CHECK_EQ(err, -EAGAIN);
		CHECK_EQ(tx.w.records, got + lost);
	}
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

TEST_MAIN
