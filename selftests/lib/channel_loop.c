// SPDX-License-Identifier: GPL-2.0-only

/* Receivers of channels of many in sets and event loops. */

#include <poll.h>

#include <shmchan/loop.h>

#include "channel_fixture.h"

#define CHANNELS	3

/* Fan-in of few, of more than one wait takes, and a channel that overwrites. */
static void open_all(struct shmchan_receiver *rx, struct shmchan_sender *tx)
{
	static const char *const tags[CHANNELS] = { "few", "many", "over" };
	struct shmchan_channel_opts opts[CHANNELS];
	int i;

	opts[0] = SHMCHAN_FANIN_OPTS(.create = 1, .nr_senders = 3,
				     .capacity = 4096);
	opts[1] = SHMCHAN_FANIN_OPTS(.create = 1, .nr_senders = 150,
				     .capacity = 4096);
	opts[2] = SHMCHAN_PUBSUB_OPTS(.create = 1, .capacity = 4096,
				      .policy = SHMCHAN_POLICY_OVERWRITE);
	for (i = 0; i < CHANNELS; i++) {
		open_rx(&rx[i], tags[i], &opts[i]);
		open_tx(&tx[i], tags[i], &opts[i]);
	}
}

static void close_all(struct shmchan_receiver *rx, struct shmchan_sender *tx)
{
	int i;

	for (i = 0; i < CHANNELS; i++) {
		shmchan_sender_close(&tx[i]);
		shmchan_receiver_close(&rx[i]);
	}
}

TEST(a_set_of_receivers)
{
	struct shmchan_receiver rx[CHANNELS];
	struct shmchan_sender tx[CHANNELS];
	struct shmchan_ready ready[CHANNELS];
	struct shmchan_set *set;
	struct shmchan_msg msg;
	uint64_t value, n;
	int i, id[CHANNELS];
	pid_t pid;

	open_all(rx, tx);
	CHECK_EQ(shmchan_set_create(&set), 0);
	for (i = 0; i < CHANNELS; i++) {
		id[i] = shmchan_set_add_receiver(set, &rx[i], &rx[i]);
		CHECK_GE(id[i], 0);
	}
	CHECK_EQ(shmchan_set_wait(set, ready, CHANNELS, 0), -EAGAIN);
	for (n = 0; n < 100; n++) {
		i = (int)(n % CHANNELS);
		CHECK_EQ(send_u64(&tx[i], n, 0), 0);
		CHECK_EQ(shmchan_set_wait(set, ready, CHANNELS, TOLD_NS), 1);
		CHECK_EQ(ready[0].id, id[i]);
		CHECK(ready[0].data == &rx[i]);
		CHECK_EQ(ready[0].error, 0);
		CHECK_EQ(recv_u64(&rx[i], &value, &msg, 0), 0);
		CHECK_EQ(value, n);
		CHECK_EQ(recv_u64(&rx[i], &value, &msg, 0), -EAGAIN);
	}
	CHECK_EQ(shmchan_set_wait(set, ready, CHANNELS, 10 * MS), -ETIMEDOUT);
	/* Asleep, and woken by another process, which then dies. */
	pid = child_fork();
	if (!pid) {
		struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS();
		struct shmchan_sender other;

		open_tx(&other, "many", &opts);
		for (n = 0; n < 20; n++) {
			sleep_ms(3);
			CHECK_EQ(send_u64(&other, n, 0), 0);
		}
		raise(SIGKILL);
	}
	for (n = 0; n < 20; n++) {
		CHECK_EQ(shmchan_set_wait(set, ready, CHANNELS, TOLD_NS), 1);
		CHECK_EQ(ready[0].id, id[1]);
		CHECK_EQ(recv_u64(&rx[1], &value, &msg, 0), 0);
		CHECK_EQ(value, n);
		/* What came meanwhile. */
		while (n < 19 && !recv_u64(&rx[1], &value, &msg, 0))
			CHECK_EQ(value, ++n);
	}
	do {
		CHECK_EQ(shmchan_set_wait(set, ready, CHANNELS, TOLD_NS), 1);
		i = recv_u64(&rx[1], &value, &msg, 0);
	} while (i == -EAGAIN);
	CHECK_EQ(i, -EOWNERDEAD);
	child_wait(pid);
	CHECK_EQ(shmchan_set_expect(set, id[1], 1), -EINVAL);
	CHECK_EQ(shmchan_set_remove(set, id[1]), 0);
	CHECK_EQ(send_u64(&tx[1], 1, 0), 0);
	CHECK_EQ(shmchan_set_wait(set, ready, CHANNELS, 10 * MS), -ETIMEDOUT);
	shmchan_set_close(set);
	close_all(rx, tx);
}

static int readable(int fd, int ms)
{
	struct pollfd pfd = { fd, POLLIN, 0 };

	return poll(&pfd, 1, ms);
}

/* The contract of every file: drain, arm, sleep, ack. */
TEST(the_file_of_a_set)
{
	struct shmchan_receiver rx[CHANNELS];
	struct shmchan_sender tx[CHANNELS];
	struct shmchan_ready ready[CHANNELS];
	struct shmchan_set *set;
	uint64_t value, n;
	int i, fd, err, tries;

	open_all(rx, tx);
	CHECK_EQ(shmchan_set_create(&set), 0);
	for (i = 0; i < CHANNELS; i++)
		CHECK_GE(shmchan_set_add_receiver(set, &rx[i], &rx[i]), 0);
	fd = shmchan_set_fd(set);
	if (fd == -ENOTSUP)
		SKIP("no file of a set: %s", shmchan_error_detail());
	CHECK_GE(fd, 0);
	for (n = 0; n < 60; n++) {
		i = (int)(n % CHANNELS);
		/* What came by itself (members) may need another turn. */
		for (tries = 0; tries < 20; tries++) {
			CHECK_EQ(shmchan_set_ack(set), 0);
			err = shmchan_set_arm(set);
			if (!err)
				break;
			CHECK_EQ(err, -EAGAIN);
			for (int j = 0; j < CHANNELS; j++)
				CHECK_EQ(recv_u64(&rx[j], &value, NULL, 0),
					 -EAGAIN);
		}
		CHECK_EQ(err, 0);
		CHECK_EQ(send_u64(&tx[i], n, 0), 0);
		CHECK_EQ(readable(fd, 5000), 1);
		CHECK_EQ(shmchan_set_ack(set), 0);
		CHECK_EQ(shmchan_set_wait(set, ready, CHANNELS, 0), 1);
		CHECK(ready[0].data == &rx[i]);
		CHECK_EQ(recv_u64(&rx[i], &value, NULL, 0), 0);
		CHECK_EQ(value, n);
	}
	shmchan_set_close(set);
	close_all(rx, tx);
}

TEST(the_file_of_a_region)
{
	struct shmchan_receiver rx[CHANNELS];
	struct shmchan_sender tx[CHANNELS];
	struct shmchan_cond conds[SHMCHAN_RECEIVER_CONDS];
	uint64_t value, n;
	int i, fd;

	open_all(rx, tx);
	for (i = 0; i < CHANNELS; i++) {
		CHECK_EQ(shmchan_receiver_conds(&rx[i], conds), 0);
		CHECK_EQ(shmchan_wait_many(conds, SHMCHAN_RECEIVER_CONDS,
					   shmchan_deadline(MS), NULL),
			 -ETIMEDOUT);
		CHECK_EQ(send_u64(&tx[i], 1, 0), 0);
		CHECK_EQ(shmchan_wait_many(conds, SHMCHAN_RECEIVER_CONDS,
					   shmchan_deadline(TOLD_NS), NULL), 0);
		CHECK_EQ(shmchan_receiver_conds(&rx[i], conds), -EAGAIN);
		CHECK_EQ(recv_u64(&rx[i], &value, NULL, 0), 0);
		/* Drained is what has said so. */
		CHECK_EQ(try_u64(&rx[i], &value, NULL), -EAGAIN);
		if (!on_kmod()) {
			CHECK_EQ(shmchan_receiver_arm(&rx[i]), -ENOTSUP);
			CHECK_EQ(shmchan_receiver_ack(&rx[i]), -ENOTSUP);
			continue;
		}
		fd = shmchan_region_fd(rx[i].region);
		/* It rang while we waited without the file. */
		CHECK_EQ(shmchan_receiver_arm(&rx[i]), 0);
		CHECK_EQ(shmchan_receiver_ack(&rx[i]), 0);
		for (n = 0; n < 30; n++) {
			CHECK_EQ(shmchan_receiver_arm(&rx[i]), 0);
			CHECK_EQ(readable(fd, 0), 0);
			CHECK_EQ(send_u64(&tx[i], n, 0), 0);
			CHECK_EQ(readable(fd, 5000), 1);
			CHECK_EQ(shmchan_receiver_arm(&rx[i]), -EAGAIN);
			CHECK_EQ(shmchan_receiver_ack(&rx[i]), 0);
			CHECK_EQ(try_u64(&rx[i], &value, NULL), 0);
			CHECK_EQ(value, n);
			CHECK_EQ(try_u64(&rx[i], &value, NULL), -EAGAIN);
		}
	}
	close_all(rx, tx);
}

TEST(nobody_rings_where_all_poll)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 2, .capacity = 4096, .poll = 1);
	struct shmchan_cond conds[SHMCHAN_RECEIVER_CONDS];
	struct shmchan_channel_stats stats;
	struct shmchan_receiver rx;
	uint64_t value, n;
	pid_t pid;

	open_rx(&rx, "poll", &opts);
	CHECK_EQ(shmchan_receiver_conds(&rx, conds), -ENOTSUP);
	pid = child_fork();
	if (!pid) {
		struct shmchan_sender tx;

		open_tx(&tx, "poll", &opts);
		for (n = 0; n < 2000; n++)
			CHECK_EQ(send_u64(&tx, n, TOLD_NS), 0);
		shmchan_sender_get_stats(&tx, &stats);
		CHECK_EQ(stats.rings, 0);
		shmchan_sender_close(&tx);
		child_done();
	}
	for (n = 0; n < 2000; n++) {
		CHECK_EQ(recv_u64(&rx, &value, NULL, TOLD_NS), 0);
		CHECK_EQ(value, n);
	}
	CHECK_CHILD_OK(pid);
	shmchan_receiver_close(&rx);
}

/* As the test of spsc_eos: a sender that is killed as it repairs its lane. */
TEST(sender_dies_amid_a_repair)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(.create = 1,
		.nr_senders = 2, .capacity = 4096);
	struct shmchan_cond conds[SHMCHAN_RECEIVER_CONDS];
	uint32_t *reached = shared_alloc(4096);
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	uint64_t value;
	pid_t pid;

	open_rx(&rx, "repair", &opts);
	pid = child_fork();
	if (!pid) {
		open_tx(&tx, "repair", &opts);
		CHECK_EQ(send_u64(&tx, 1, -1), 0);
		shmchan_store_release(shmchan_lane__at(&tx.w, tx.w.tail),
				      shmchan_hdr(SHMCHAN_CTRL_JUMP,
						  SHMCHAN_HDR_CTRL, 0));
		shmchan_store_seq_cst(reached, 1U);
		for (;;)
			sleep_ms(1000);
	}
	while (!shmchan_load_seq_cst(reached))
		sleep_ms(1);
	CHECK_EQ(recv_u64(&rx, &value, NULL, TOLD_NS), 0);
	CHECK_EQ(recv_u64(&rx, &value, NULL, 100 * MS), -ETIMEDOUT);
	child_kill(pid);
	CHECK_EQ(recv_u64(&rx, &value, NULL, TOLD_NS), -EOWNERDEAD);
	/* Once; and then it sleeps. */
	CHECK_EQ(recv_u64(&rx, &value, NULL, 100 * MS), -ETIMEDOUT);
	CHECK_EQ(shmchan_receiver_conds(&rx, conds), 0);
	open_tx(&tx, "repair", &opts);
	CHECK_EQ(send_u64(&tx, 2, -1), 0);
	CHECK_EQ(recv_u64(&rx, &value, NULL, TOLD_NS), -EBADMSG);
	CHECK_EQ(recv_u64(&rx, &value, NULL, TOLD_NS), 0);
	CHECK_EQ(value, 2);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

/* And one that has mended it and gone before the receiver, a new one, looks. */
TEST(what_a_jump_leads_to_is_told)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(.create = 1,
		.nr_senders = 2, .capacity = 4096);
	struct shmchan_sender tx, keep;
	struct shmchan_receiver rx;
	uint64_t value;
	int err, i;

	open_rx(&rx, "leads", &opts);
	open_tx(&tx, "leads", &opts);
	open_tx(&keep, "leads", &opts);
	CHECK_EQ(send_u64(&tx, 1, -1), 0);
	CHECK_EQ(recv_u64(&rx, &value, NULL, TOLD_NS), 0);
	shmchan_sender_close(&tx);
	open_tx(&tx, "leads", &opts);
	shmchan_store_release(shmchan_lane__at(&tx.w, 16),
			      shmchan_hdr(1 << 20, SHMCHAN_HDR_DATA, 0));
	shmchan_region_close(tx.region);
	open_tx(&tx, "leads", &opts);
	CHECK_EQ(send_u64(&tx, 42, -1), 0);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
	open_rx(&rx, "leads", &opts);
	for (i = 0; i < 8; i++) {
		err = recv_u64(&rx, &value, NULL, TOLD_NS);
		if (err != -EBADMSG && err != -EOWNERDEAD && err != -EPIPE)
			break;
	}
	CHECK_EQ(err, 0);
	CHECK_EQ(value, 42);
	shmchan_sender_close(&keep);
	shmchan_receiver_close(&rx);
}

/*
 * The local backend: one who rings is killed after it has said that nobody sleeps any
 * more, and before the count of rings has moved.  Nothing tells the receiver.
 */
TEST(ringer_dies_amid_a_ring)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(.create = 1,
		.nr_senders = 2, .capacity = 4096);
	struct shmchan_cond conds[SHMCHAN_RECEIVER_CONDS];
	struct shmchan_receiver rx;
	uint32_t *waiters;

	LOCAL_ONLY("the kernel does both under a lock");
	open_rx(&rx, "amid", &opts);
	waiters = &shmchan_doorbell_status(rx.region, 1)->waiters;
	CHECK_EQ(shmchan_receiver_conds(&rx, conds), 0);
	CHECK_EQ(shmchan_exchange(waiters, 0), 1);
	CHECK_EQ(shmchan_receiver_conds(&rx, conds), 0);
	CHECK_EQ(shmchan_load_seq_cst(waiters), 1);
	shmchan_receiver_close(&rx);
}

TEST_MAIN
