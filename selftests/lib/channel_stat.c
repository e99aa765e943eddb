// SPDX-License-Identifier: GPL-2.0-only

/* What a channel of many looks like from outside, while it works. */

#include "channel_fixture.h"

static struct shmchan_channel_info *look(const char *tag)
{
	struct shmchan_channel_info *info;

	CHECK_EQ(shmchan_channel_stat(&info, SHMCHAN_BACKEND_AUTO,
				      test_name(tag)), 0);
	return info;
}

TEST(depth_and_lag_are_seen_from_outside)
{
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_senders = 2, .nr_receivers = 3,
		.capacity = 4096, .policy = SHMCHAN_POLICY_EVICT);
	struct shmchan_channel_info *info, *own;
	const struct shmchan_cursor_stat *c;
	struct shmchan_receiver slow, fast;
	struct shmchan_sender tx, other;
	struct shmchan_msg msg;
	uint64_t value, n, lost = 0, reads = 0;
	int err;

	open_tx(&tx, "depth", &opts);
	open_tx(&other, "depth", &opts);
	open_rx(&slow, "depth", &opts);
	open_rx(&fast, "depth", &opts);
	for (n = 0; n < 40; n++)
		CHECK_EQ(send_u64(&tx, n, 0), 0);
	CHECK_EQ(send_u64(&other, 1, 0), 0);
	while (!recv_u64(&fast, &value, &msg, 0))
		;
	/* Who sleeps says where it is. */
	CHECK_EQ(recv_u64(&fast, &value, &msg, MS), -ETIMEDOUT);
	info = look("depth");
	CHECK_EQ(info->wire.nr_senders, 2);
	CHECK_EQ(info->wire.nr_receivers, 3);
	CHECK_EQ(info->wire.policy, SHMCHAN_POLICY_EVICT);
	CHECK_EQ(info->lanes[0].records, 40);
	CHECK_EQ(info->lanes[0].bytes, 40 * 16);
	CHECK_EQ(info->lanes[0].state, SHMCHAN_SLOT_LIVE);
	CHECK_EQ(info->lanes[1].records, 1);
	CHECK_EQ(info->receivers[0].slot, 2);
	CHECK_EQ(info->receivers[0].state, SHMCHAN_SLOT_LIVE);
	CHECK_EQ(info->receivers[0].reliable, 1);
	CHECK_EQ(info->receivers[0].depth, 41);
	CHECK_EQ(info->receivers[0].evicted, 0);
	CHECK_EQ(info->receivers[1].depth, 0);
	CHECK_EQ(info->receivers[1].records, 41);
	CHECK_EQ(info->receivers[2].state, SHMCHAN_SLOT_FREE);
	CHECK_EQ(info->cursors[0].depth, 40);
	CHECK_EQ(info->cursors[0].depth_bytes, 640);
	CHECK_EQ(info->cursors[1].depth, 1);
	shmchan_channel_info_free(info);
	/* Now the slow one is passed: it is seen before it knows. */
	for (; n < 1000; n++) {
		CHECK_EQ(send_u64(&tx, n, 0), 0);
		CHECK_EQ(recv_u64(&fast, &value, &msg, 0), 0);
	}
	info = look("depth");
	CHECK_EQ(info->lanes[0].records, 1000);
	CHECK_EQ(info->receivers[0].evicted, 1);
	c = &info->cursors[0];
	CHECK(c->evicted);
	CHECK_EQ(c->lost, 0);
	CHECK_GE(info->lanes[0].high_water, 4096 * 3 / 4);
	CHECK_LE(info->lanes[0].high_water, 4096);
	CHECK_EQ(info->lanes[1].high_water, 0);
	shmchan_channel_info_free(info);
	while ((err = recv_u64(&slow, &value, &msg, 0)) != -EAGAIN) {
		if (err == -EOVERFLOW)
			lost += msg.lost;
		else
			reads++;
	}
	CHECK_EQ(lost + reads, 1001);
	info = look("depth");
	CHECK_EQ(info->receivers[0].lost, lost);
	CHECK_EQ(info->receivers[0].evicted, 0);
	CHECK_EQ(info->receivers[1].lost, 0);
	/* Members see the same. */
	CHECK_EQ(shmchan_sender_stat(&tx, &own), 0);
	CHECK(!memcmp(own->lanes, info->lanes, 2 * sizeof(*own->lanes)));
	shmchan_channel_info_free(own);
	CHECK_EQ(shmchan_receiver_stat(&slow, &own), 0);
	CHECK(!memcmp(own->cursors, info->cursors, 6 * sizeof(*own->cursors)));
	shmchan_channel_info_free(own);
	shmchan_channel_info_free(info);
	shmchan_sender_close(&tx);
	shmchan_sender_close(&other);
	info = look("depth");
	CHECK_EQ(info->lanes[0].state, SHMCHAN_SLOT_LEFT);
	CHECK_EQ(info->lanes[0].records, 1000);
	shmchan_channel_info_free(info);
	shmchan_channel_info_free(NULL);
	shmchan_receiver_close(&slow);
	shmchan_receiver_close(&fast);
	CHECK_EQ(shmchan_channel_stat(&info, SHMCHAN_BACKEND_AUTO,
				      test_name("depth")), -ENOENT);
}

/* While others work, what is seen is never nonsense. */
TEST(looking_beside_work)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 1, .capacity = 4096);
	struct shmchan_channel_info *info;
	struct shmchan_receiver rx;
	uint64_t value, last = 0;
	int round;
	pid_t pid;

	open_rx(&rx, "beside", &opts);
	pid = child_fork();
	if (!pid) {
		struct shmchan_sender tx;
		uint64_t n;

		open_tx(&tx, "beside", &opts);
		for (n = 0;; n++)
			CHECK_EQ(send_u64(&tx, n, -1), 0);
	}
	for (round = 0; round < HARNESS_ROUNDS(300); round++) {
		CHECK_EQ(recv_u64(&rx, &value, NULL, TOLD_NS), 0);
		while (!recv_u64(&rx, &value, NULL, 0) && value % 97)
			;
		info = look("beside");
		CHECK_GE(info->lanes[0].records, last);
		CHECK_GE(info->lanes[0].records, value + 1);
		CHECK_LE(info->receivers[0].depth, 4096 / 16);
		CHECK_LE(info->lanes[0].high_water, 4096);
		last = info->lanes[0].records;
		shmchan_channel_info_free(info);
	}
	child_kill(pid);
	shmchan_receiver_close(&rx);
}

TEST(it_is_no_channel_of_many)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1, .capacity = 4096);
	struct shmchan_channel_info *info;
	struct shmchan_spsc ch;

	CHECK_EQ(shmchan_channel_stat(&info, SHMCHAN_BACKEND_AUTO,
				      test_name("none")), -ENOENT);
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("spsc"), &opts), 0);
	CHECK_EQ(shmchan_channel_stat(&info, SHMCHAN_BACKEND_AUTO,
				      test_name("spsc")), -EPROTO);
	CHECK(!info);
	shmchan_spsc_close(&ch);
}

TEST_MAIN
