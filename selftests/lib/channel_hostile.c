// SPDX-License-Identifier: GPL-2.0-only

/* Channels of many: a sender or receiver that writes anything harms itself alone. */

#include "channel_fixture.h"

static uint64_t rnd = 88172645463325252ULL;

static uint64_t random_u64(void)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return rnd;
}

/* Its lane stops, which is told once; the others go on; a successor mends it. */
TEST(nonsense_in_one_lane)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 3, .capacity = 4096);
	struct shmchan_sender good, bad;
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	uint64_t value, n;
	int round;

	open_rx(&rx, "bad", &opts);
	open_tx(&good, "bad", &opts);
	for (round = 0; round < 5; round++) {
		open_tx(&bad, "bad", &opts);
		CHECK_EQ(bad.region->slot, 1);
		CHECK_EQ(send_u64(&bad, 1, 0), 0);
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), 0);
		CHECK_EQ(msg.slot, 1);
		/* A record that reaches out of the ring. */
		*shmchan_lane__at(&bad.w, bad.w.tail) =
			shmchan_hdr(4000, SHMCHAN_HDR_DATA, 0);
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EBADMSG);
		CHECK_EQ(msg.slot, 1);
		for (n = 0; n < 500; n++) {
			CHECK_EQ(send_u64(&good, n, 0), 0);
			CHECK_EQ(recv_u64(&rx, &value, &msg, 0), 0);
			CHECK_EQ(value, n);
			CHECK_EQ(msg.slot, 0);
		}
		CHECK_EQ(recv_u64(&rx, &value, &msg, 0), -EAGAIN);
		/* It does not keep us awake either. */
		CHECK_EQ(recv_u64(&rx, &value, &msg, 60 * MS), -ETIMEDOUT);
		/* Leave as one does that was killed. */
		shmchan_region_close(bad.region);
		open_tx(&bad, "bad", &opts);
		for (n = 0; n < 200; n++) {
			int err, tries = 0;

			CHECK_EQ(send_u64(&bad, n, 0), 0);
			do
				err = recv_u64(&rx, &value, &msg, TOLD_NS);
			while ((err == -EBADMSG || err == -EOWNERDEAD ||
				err == -EPIPE) && ++tries < 4);
			CHECK_EQ(err, 0);
			CHECK_EQ(value, n);
			CHECK_EQ(msg.slot, 1);
		}
		shmchan_sender_close(&bad);
		CHECK_EQ(recv_u64(&rx, &value, &msg, TOLD_NS), -EPIPE);
	}
	shmchan_sender_close(&good);
	shmchan_receiver_close(&rx);
}

/* Anything anywhere in its windows, while we read: bounded, and the others go on. */
TEST_LIMIT(scribbling_senders, 60)
{
	struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .nr_senders = 2, .nr_receivers = 2,
		.capacity = 4096);
	int policy, round;

	for (policy = 0; policy < 4; policy++) {
		struct shmchan_sender good, bad;
		struct shmchan_receiver rx;
		struct shmchan_msg msg;
		uint64_t n = 0, next = 0, buf[512], begin;

		opts.policy = (enum shmchan_policy)policy;
		open_tx(&good, "scribble", &opts);
		open_tx(&bad, "scribble", &opts);
		open_rx(&rx, "scribble", &opts);
		for (round = 0; round < HARNESS_ROUNDS(3000); round++) {
			uint64_t *word = shmchan_lane__at(&bad.w,
							  random_u64() & ~7ULL);
			uint64_t *control = (uint64_t *)bad.w.lane.control;
			int i, err;

			switch (random_u64() % 4) {
			case 0:
				*word = random_u64();
				break;
			case 1:
				*word = shmchan_hdr(random_u64() % 2000,
						    random_u64() & 7, 1);
				break;
			case 2:
				if (round % 16 == 0)
					control[random_u64() % 24] =
						random_u64() >>
						random_u64() % 64;
				break;
			default:
				err = send_u64(&bad, ~0ULL, 0);
				CHECK_LE(err, 0);
				break;
			}
			CHECK_EQ(send_u64(&good, n++, 0), 0);
			begin = now_ns();
			for (i = 0; next < n; i++) {
				err = shmchan_recv(&rx, buf, sizeof(buf), &msg,
						   0);
				if (!err && !msg.slot)
					CHECK_EQ(buf[0], next++);
				/* Neither for ever, nor an error of ours. */
				CHECK_LT(now_ns() - begin, TOLD_NS);
				CHECK(err <= 0 && err != -EINVAL &&
				      err != -ESTALE);
				if (!msg.slot && err)
					CHECK(err == -EAGAIN);
			}
		}
		shmchan_sender_close(&good);
		shmchan_region_close(bad.region);
		shmchan_receiver_close(&rx);
	}
}

/* A receiver's cursors are its own; senders believe nothing that cannot be. */
TEST(scribbling_receivers)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 2, .capacity = 4096,
		.policy = SHMCHAN_POLICY_EVICT);
	struct shmchan_receiver good, bad;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	uint64_t n, value;

	open_tx(&tx, "cursor", &opts);
	open_rx(&good, "cursor", &opts);
	open_rx(&bad, "cursor", &opts);
	for (n = 0; n < 5000; n++) {
		bad.lanes[0].cursor->pos = random_u64() >> random_u64() % 64;
		if (n % 7 == 0)
			bad.lanes[0].cursor->generation = random_u64() % 3;
		CHECK_EQ(send_u64(&tx, n, -1), 0);
		CHECK_EQ(recv_u64(&good, &value, &msg, 0), 0);
		CHECK_EQ(value, n);
	}
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&good);
	shmchan_receiver_close(&bad);
}

TEST_MAIN
