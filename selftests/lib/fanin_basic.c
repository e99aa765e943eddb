// SPDX-License-Identifier: GPL-2.0-only

/* Fan-in: several senders, one receiver; order, ends, turns, refusals. */

#include <sys/uio.h>

#include "channel_fixture.h"

#define SENDERS	5

TEST(each_senders_order_is_kept)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = SENDERS, .capacity = 4096);
	uint64_t next[SENDERS] = { 0 }, value, i;
	struct shmchan_sender tx[SENDERS];
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	uint32_t s;
	int round;

	open_rx(&rx, "order", &opts);
	for (s = 0; s < SENDERS; s++) {
		open_tx(&tx[s], "order", &opts);
		CHECK_EQ(tx[s].region->slot, s);
	}
	CHECK_EQ(try_u64(&rx, &value, &msg), -EAGAIN);
	for (round = 0; round < 50; round++) {
		for (s = 0; s < SENDERS; s++)
			for (i = 0; i <= s * 3; i++)
				CHECK_EQ(send_u64(&tx[s], (uint64_t)round * 16 +
						  i, 0), 0);
		for (s = 0; s < SENDERS; s++)
			next[s] = (uint64_t)round * 16;
		while (!try_u64(&rx, &value, &msg)) {
			CHECK_LT(msg.slot, SENDERS);
			CHECK_EQ(msg.length, 8);
			CHECK_EQ(msg.generation, tx[msg.slot].region->generation);
			CHECK_EQ(value, next[msg.slot]);
			next[msg.slot]++;
		}
		for (s = 0; s < SENDERS; s++)
			CHECK_EQ(next[s], (uint64_t)round * 16 + s * 3 + 1);
	}
	for (s = 0; s < SENDERS; s++)
		shmchan_sender_close(&tx[s]);
	shmchan_receiver_close(&rx);
}

TEST(an_end_is_told_once_of_each_and_the_channel_goes_on)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 3, .capacity = 4096);
	struct shmchan_sender tx[3];
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	uint64_t value;
	uint32_t s;
	int i;

	open_rx(&rx, "end", &opts);
	for (s = 0; s < 3; s++)
		open_tx(&tx[s], "end", &opts);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(send_u64(&tx[1], 7, 0), 0);
		shmchan_sender_close(&tx[1]);
		CHECK_EQ(recv_u64(&rx, &value, &msg, TOLD_NS), 0);
		CHECK_EQ(value, 7);
		CHECK_EQ(recv_u64(&rx, &value, &msg, TOLD_NS), -EPIPE);
		CHECK_EQ(msg.slot, 1);
		CHECK_EQ(msg.generation, i + 1);
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EAGAIN);
		CHECK_EQ(recv_u64(&rx, &value, &msg, 80 * MS), -ETIMEDOUT);
		/* The others go on, and so does the next holder. */
		CHECK_EQ(send_u64(&tx[2], 8, 0), 0);
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), 0);
		CHECK_EQ(msg.slot, 2);
		open_tx(&tx[1], "end", &opts);
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EAGAIN);
		CHECK_EQ(send_u64(&tx[1], 9, 0), 0);
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), 0);
		CHECK_EQ(msg.slot, 1);
		CHECK_EQ(msg.generation, i + 2);
		CHECK_EQ(value, 9);
	}
	for (s = 0; s < 3; s++)
		shmchan_sender_close(&tx[s]);
	for (s = 0; s < 3; s++)
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EPIPE);
	CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EAGAIN);
	shmchan_receiver_close(&rx);
}

/* Behind a message that is the last of its turn there is no other word to change. */
TEST(an_end_behind_the_last_of_a_turn)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 2, .capacity = 4096, .burst = 4);
	struct shmchan_sender tx, other;
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	uint64_t value, n;

	open_rx(&rx, "turn", &opts);
	open_tx(&other, "turn", &opts);
	for (n = 1; n < 14; n++) {
		uint64_t i;

		open_tx(&tx, "turn", &opts);
		for (i = 0; i < n; i++)
			CHECK_EQ(send_u64(&tx, i, 0), 0);
		/* As if it had died. */
		shmchan_region_close(tx.region);
		for (i = 0; i < n; i++)
			CHECK_EQ(recv_u64(&rx, &value, &msg, 0), 0);
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EOWNERDEAD);
		CHECK_EQ(msg.slot, 1);
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EAGAIN);
	}
	shmchan_sender_close(&other);
	shmchan_receiver_close(&rx);
}

/* One that floods does not keep others from their turn. */
TEST(turns_are_fair)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 4, .capacity = 65536, .burst = 4);
	struct shmchan_sender tx[4];
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	uint64_t value;
	int i, run = 0, longest = 0;
	uint32_t s, last = 9;

	open_rx(&rx, "fair", &opts);
	for (s = 0; s < 4; s++)
		open_tx(&tx[s], "fair", &opts);
	for (i = 0; i < 400; i++)
		CHECK_EQ(send_u64(&tx[0], 1, 0), 0);
	for (i = 0; i < 40; i++)
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), 0);
	for (s = 1; s < 4; s++)
		for (i = 0; i < 12; i++)
			CHECK_EQ(send_u64(&tx[s], 1, 0), 0);
	for (i = 0; i < 48; i++) {
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), 0);
		run = msg.slot == last ? run + 1 : 1;
		last = msg.slot;
		if (run > longest)
			longest = run;
	}
	CHECK_LE(longest, 4);
	/* All of the others' 36 came within 48: each round gives each 4. */
	for (i = 0; i < 400 - 40 - 12; i++) {
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), 0);
		CHECK_EQ(msg.slot, 0);
	}
	CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EAGAIN);
	for (s = 0; s < 4; s++)
		shmchan_sender_close(&tx[s]);
	shmchan_receiver_close(&rx);
}

TEST(all_ways_to_send_and_receive)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 2, .capacity = 8192);
	uint64_t in[40], out[40], value;
	struct iovec iov[3];
	struct shmchan_reservation a, b;
	struct shmchan_sender tx, other;
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	char x[5] = "abcd", y[11] = "0123456789", got[3][16] = { { 0 } };
	int i;

	open_rx(&rx, "ways", &opts);
	open_tx(&tx, "ways", &opts);
	open_tx(&other, "ways", &opts);
	/* Gathered and scattered. */
	iov[0] = (struct iovec){ x, 4 };
	iov[1] = (struct iovec){ NULL, 0 };
	iov[2] = (struct iovec){ y, 10 };
	CHECK_EQ(shmchan_sendv(&tx, iov, 3, 5, 0, 0), 0);
	iov[0] = (struct iovec){ got[0], 7 };
	iov[1] = (struct iovec){ got[1], 2 };
	iov[2] = (struct iovec){ got[2], 1 };
	CHECK_EQ(shmchan_recvv(&rx, iov, 3, &msg, 0), -EMSGSIZE);
	CHECK_EQ(msg.length, 14);
	iov[2].iov_len = 16;
	CHECK_EQ(shmchan_recvv(&rx, iov, 3, &msg, 0), 0);
	CHECK_EQ(msg.length, 14);
	CHECK_EQ(msg.meta, 5);
	CHECK_STR(got[0], "abcd012");
	CHECK_STR(got[1], "34");
	CHECK_STR(got[2], "56789");
	/* Many of one size. */
	for (i = 0; i < 40; i++)
		in[i] = (uint64_t)i;
	CHECK_EQ(shmchan_send_n(&tx, in, 8, 40, 3, 0), 40);
	CHECK_EQ(shmchan_recv_n(&rx, out, 8, 15, &msg, 0), 15);
	CHECK_EQ(msg.meta, 3);
	CHECK_EQ(shmchan_recv_n(&rx, out + 15, 8, 40, &msg, 0), 25);
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK_EQ(shmchan_recv_n(&rx, out, 8, 4, &msg, 0), -EAGAIN);
	/* Reservations, committed the other way round; one given back. */
	CHECK_EQ(shmchan_reserve(&tx, 100, &a, 0), 0);
	CHECK_EQ(shmchan_reserve(&tx, 100, &b, 0), 0);
	value = 1;
	memcpy(b.data, &value, 8);
	CHECK_EQ(shmchan_commit(&tx, &b, 8, 2, SHMCHAN_MORE), 0);
	CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EAGAIN);
	CHECK_EQ(shmchan_commit(&tx, &a, 101, 0, 0), -EINVAL);
	CHECK_EQ(shmchan_abort(&tx, &a), 0);
	CHECK_EQ(shmchan_flush(&tx), 0);
	CHECK_EQ(recv_u64(&rx, &value, &msg, 0), 0);
	CHECK_EQ(value, 1);
	CHECK_EQ(msg.meta, 2);
	/* Too small a buffer: it stays. */
	CHECK_EQ(shmchan_send(&other, y, 11, 0, 0, 0), 0);
	CHECK_EQ(shmchan_recv(&rx, &value, 8, &msg, 0), -EMSGSIZE);
	CHECK_EQ(msg.length, 11);
	CHECK_EQ(msg.slot, 1);
	/* And keeps nobody else waiting. */
	value = 7;
	CHECK_EQ(shmchan_send(&tx, &value, 8, 0, 0, 0), 0);
	value = 0;
	CHECK_EQ(recv_u64(&rx, &value, &msg, 0), 0);
	CHECK_EQ(value, 7);
	CHECK_EQ(msg.slot, 0);
	CHECK_EQ(shmchan_recv(&rx, got, sizeof(got), &msg, 0), 0);
	CHECK_EQ(msg.length, 11);
	CHECK_STR(got[0], y);
	shmchan_sender_close(&tx);
	shmchan_sender_close(&other);
	shmchan_receiver_close(&rx);
}

TEST(messages_are_held_and_released_in_any_order)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 2, .capacity = 4096);
	struct shmchan_view view[8], again, many[SHMCHAN_MAX_HELD];
	struct shmchan_sender tx, other;
	struct shmchan_receiver rx;
	uint64_t value, n;
	int i, err;

	open_rx(&rx, "hold", &opts);
	open_tx(&tx, "hold", &opts);
	open_tx(&other, "hold", &opts);
	for (n = 0; n < 8; n++)
		CHECK_EQ(send_u64(&tx, n, 0), 0);
	for (i = 0; i < 8; i++) {
		CHECK_EQ(shmchan_peek(&rx, &view[i], 0), 0);
		memcpy(&value, view[i].data, 8);
		CHECK_EQ(value, i);
	}
	again = view[0];
	/* All but the oldest. */
	for (i = 7; i > 0; i--)
		CHECK_EQ(shmchan_release(&rx, &view[i]), 0);
	CHECK_EQ(shmchan_release(&rx, &view[3]), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "released already");
	/* It holds its sender's ring, and the other's not. */
	while (!(err = send_u64(&tx, n, 0))) {
		n++;
		CHECK_EQ(recv_u64(&rx, &value, NULL, 0), 0);
	}
	CHECK_EQ(err, -EAGAIN);
	CHECK_LT(n, 4096 / 16 + 1);
	for (n = 0; n < 1000; n++) {
		CHECK_EQ(send_u64(&other, n, 0), 0);
		CHECK_EQ(recv_u64(&rx, &value, NULL, 0), 0);
	}
	memcpy(&value, again.data, 8);
	CHECK_EQ(value, 0);
	CHECK_EQ(shmchan_release(&rx, &again), 0);
	CHECK_EQ(shmchan_release(&rx, &again), -EINVAL);
	CHECK_EQ(send_u64(&tx, 1, 0), 0);
	CHECK_EQ(shmchan_peek(&rx, &view[0], 0), 0);
	view[1] = view[0];
	view[1].of = NULL;
	CHECK_EQ(shmchan_release(&rx, &view[1]), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "another receiver");
	CHECK_EQ(shmchan_release(&rx, &view[0]), 0);
	/* So many, and no more. */
	for (i = 0; i < (int)SHMCHAN_MAX_HELD; i++) {
		CHECK_EQ(send_u64(&tx, 1, 0), 0);
		CHECK_EQ(shmchan_peek(&rx, &many[i], 0), 0);
	}
	CHECK_EQ(send_u64(&tx, 1, 0), 0);
	CHECK_EQ(shmchan_peek(&rx, &again, 0), -ENOBUFS);
	for (i = 0; i < (int)SHMCHAN_MAX_HELD; i++)
		CHECK_EQ(shmchan_release(&rx, &many[i]), 0);
	CHECK_EQ(shmchan_peek(&rx, &again, 0), 0);
	CHECK_EQ(shmchan_release(&rx, &again), 0);
	CHECK_EQ(shmchan_peek(&rx, &again, 0), -EAGAIN);
	shmchan_sender_close(&tx);
	shmchan_sender_close(&other);
	shmchan_receiver_close(&rx);
}

/* What was sent while nobody was there waits; and the next one goes on. */
TEST(receivers_follow_each_other)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 2, .capacity = 4096);
	struct shmchan_sender tx, keeper;
	struct shmchan_receiver rx;
	uint64_t value, n, next = 0;
	int i;

	open_tx(&tx, "follow", &opts);
	open_tx(&keeper, "follow", &opts);
	for (n = 0; n < 100; n++)
		CHECK_EQ(send_u64(&tx, n, 0), 0);
	for (i = 0; i < 5; i++) {
		open_rx(&rx, "follow", &opts);
		CHECK_EQ(shmchan_sender_wait_peers(&tx, 1, TOLD_NS), 0);
		CHECK_EQ(send_u64(&tx, n++, 0), 0);
		for (; next < n - 20 + (uint64_t)i; next++) {
			CHECK_EQ(recv_u64(&rx, &value, NULL, 0), 0);
			CHECK_EQ(value, next);
		}
		shmchan_receiver_close(&rx);
		CHECK_EQ(send_u64(&tx, n, 0), -EPIPE);
	}
	shmchan_sender_close(&tx);
	/* The last one comes when the sender has gone. */
	open_rx(&rx, "follow", &opts);
	for (; next < n; next++) {
		CHECK_EQ(recv_u64(&rx, &value, NULL, 0), 0);
		CHECK_EQ(value, next);
	}
	CHECK_EQ(recv_u64(&rx, &value, NULL, 0), -EPIPE);
	CHECK_EQ(recv_u64(&rx, &value, NULL, 0), -EAGAIN);
	shmchan_receiver_close(&rx);
	shmchan_sender_close(&keeper);
}

/* As many of one sender are held as can be: the others' still come. */
TEST(held_of_one_sender)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 2, .burst = 1000);
	struct shmchan_view views[SHMCHAN_MAX_HELD], view;
	struct shmchan_sender tx, other;
	struct shmchan_receiver rx;
	uint64_t n;

	open_tx(&tx, "held", &opts);
	open_tx(&other, "held", &opts);
	open_rx(&rx, "held", &opts);
	for (n = 0; n <= SHMCHAN_MAX_HELD; n++)
		CHECK_EQ(send_u64(&tx, n, 0), 0);
	for (n = 0; n < SHMCHAN_MAX_HELD; n++)
		CHECK_EQ(shmchan_peek(&rx, &views[n], 0), 0);
	CHECK_EQ(send_u64(&other, 77, 0), 0);
	CHECK_EQ(shmchan_peek(&rx, &view, 0), -ENOBUFS);
	CHECK_EQ(view.msg.slot, 0);
	CHECK_EQ(shmchan_peek(&rx, &view, 0), 0);
	CHECK_EQ(view.msg.slot, 1);
	CHECK_EQ(shmchan_release(&rx, &view), 0);
	for (n = 0; n < SHMCHAN_MAX_HELD; n++)
		CHECK_EQ(shmchan_release(&rx, &views[n]), 0);
	CHECK_EQ(shmchan_peek(&rx, &view, 0), 0);
	CHECK_EQ(view.msg.slot, 0);
	CHECK_EQ(shmchan_release(&rx, &view), 0);
	shmchan_sender_close(&tx);
	shmchan_sender_close(&other);
	shmchan_receiver_close(&rx);
}

TEST_MAIN
