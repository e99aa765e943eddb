// SPDX-License-Identifier: GPL-2.0-only

/* Channels from one sender to one receiver: how they end, and go on. */

#include <shmchan/loop.h>
#include <shmchan/wire.h>

#include "spsc_fixture.h"

static void send_u64(struct shmchan_spsc *tx, uint64_t value)
{
	CHECK_EQ(shmchan_spsc_send(tx, &value, 8, 0, 0, -1), 0);
}

#define CHECK_GETS(rx, want)						\
	do {								\
		uint64_t gets_value = 0;				\
		CHECK_EQ(shmchan_spsc_recv((rx), &gets_value, 8, NULL,	\
					   NULL, 10000 * MS), 0);	\
		CHECK_EQ(gets_value, (want));				\
	} while (0)

#define CHECK_ENDS(rx, e)						\
	do {								\
		uint64_t ends_value = 0;				\
		CHECK_EQ(shmchan_spsc_recv((rx), &ends_value, 8, NULL,	\
					   NULL, 10000 * MS), (e));	\
	} while (0)

TEST(all_is_delivered_then_the_end)
{
	struct shmchan_reservation rsv;
	struct shmchan_spsc tx, rx;
	uint64_t i;

	open_as(&rx, "end", SHMCHAN_RECEIVER, 65536, 0);
	open_as(&tx, "end", SHMCHAN_SENDER, 65536, 0);
	for (i = 0; i < 100; i++)
		send_u64(&tx, i);
	CHECK_EQ(shmchan_spsc_reserve(&tx, 8, &rsv, 0), 0);
	shmchan_spsc_close(&tx);
	for (i = 0; i < 100; i++)
		CHECK_GETS(&rx, i);
	CHECK_ENDS(&rx, -EPIPE);
	CHECK_ENDS(&rx, -EPIPE);
	CHECK_EQ(shmchan_spsc_recv(&rx, &i, 8, NULL, NULL, 0), -EPIPE);
	shmchan_spsc_close(&rx);
}

TEST(the_end_wakes_a_sleeper)
{
	struct shmchan_spsc tx, rx;
	uint64_t value;
	pid_t pid;
	int err;

	open_as(&rx, "wake", SHMCHAN_RECEIVER, 4096, -1);
	open_as(&tx, "wake", SHMCHAN_SENDER, 4096, -1);
	shmchan_spsc_close(&tx);
	CHECK_ENDS(&rx, -EPIPE);
	pid = child_fork();
	if (!pid) {
		open_as(&tx, "wake", SHMCHAN_SENDER, 4096, -1);
		send_u64(&tx, 1);
		sleep_ms(100);
		shmchan_spsc_close(&tx);
		child_done();
	}
	CHECK_EQ(shmchan_spsc_wait_peer(&rx, 10000 * MS), 0);
	/* The last one's end is told until this one has begun. */
	do {
		err = shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, 0);
		CHECK(!err || err == -EPIPE || err == -EAGAIN);
	} while (err);
	CHECK_ENDS(&rx, -EPIPE);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&rx);
}

TEST(closed_receiver)
{
	struct shmchan_reservation rsv;
	struct shmchan_spsc tx, rx;
	uint64_t value = 0;

	open_as(&tx, "closed", SHMCHAN_SENDER, 4096, 0);
	open_as(&rx, "closed", SHMCHAN_RECEIVER, 4096, 0);
	send_u64(&tx, 1);
	send_u64(&tx, 2);
	CHECK_GETS(&rx, 1);
	shmchan_spsc_close(&rx);
	CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, -1), -EPIPE);
	CHECK_SAYS(shmchan_error_detail(), "closed");
	CHECK_EQ(shmchan_spsc_reserve(&tx, 8, &rsv, -1), -EPIPE);
	CHECK_EQ(shmchan_spsc_send_n(&tx, &value, 8, 1, 0, -1), -EPIPE);
	CHECK_EQ(shmchan_spsc_sendv(&tx, NULL, 0, 0, 0, -1), -EPIPE);
	/* The next one goes on where that one was. */
	open_as(&rx, "closed", SHMCHAN_RECEIVER, 4096, 0);
	send_u64(&tx, 3);
	CHECK_GETS(&rx, 2);
	CHECK_GETS(&rx, 3);
	shmchan_spsc_close(&tx);
	CHECK_ENDS(&rx, -EPIPE);
	shmchan_spsc_close(&rx);
}

TEST(closing_wakes_a_sender_that_waits_for_room)
{
	struct shmchan_spsc tx, rx;
	uint64_t value = 0;
	int err = 0;
	pid_t pid;

	open_as(&tx, "room", SHMCHAN_SENDER, 4096, -1);
	pid = child_fork();
	if (!pid) {
		open_as(&rx, "room", SHMCHAN_RECEIVER, 4096, -1);
		CHECK_GETS(&rx, 0);
		sleep_ms(100);
		shmchan_spsc_close(&rx);
		child_done();
	}
	while (!err)
		err = shmchan_spsc_send(&tx, &value, 8, 0, 0, 10000 * MS);
	CHECK_EQ(err, -EPIPE);
	CHECK_CHILD_OK(pid);
	shmchan_spsc_close(&tx);
}

TEST(sender_after_sender)
{
	struct shmchan_spsc tx, rx;
	struct shmchan_spsc_stats stats;
	uint64_t round;

	open_as(&rx, "after", SHMCHAN_RECEIVER, 4096, 0);
	for (round = 0; round < 500; round++) {
		open_as(&tx, "after", SHMCHAN_SENDER, 4096, 0);
		send_u64(&tx, round);
		shmchan_spsc_close(&tx);
		CHECK_GETS(&rx, round);
		CHECK_ENDS(&rx, -EPIPE);
	}
	shmchan_spsc_get_stats(&rx, &stats);
	CHECK_EQ(stats.epochs, 499);
	shmchan_spsc_close(&rx);
}

/*
 * A sender takes its seat, of which the receiver is told, and only then becomes
 * the lane's writer, sends and leaves: by then nobody has come since.
 */
TEST(told_of_before_it_sends)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(.slot = SHMCHAN_SENDER);
	struct shmchan_wire_spsc *header;
	struct shmchan_lane_writer w;
	struct shmchan_region *late;
	struct shmchan_spsc tx, rx;
	struct shmchan_lane lane;
	uint64_t value = 5;

	open_as(&rx, "late", SHMCHAN_RECEIVER, 4096, 0);
	open_as(&tx, "late", SHMCHAN_SENDER, 4096, 0);
	CHECK_EQ(shmchan_spsc_wait_peer(&rx, 0), 0);
	shmchan_spsc_close(&tx);
	CHECK_ENDS(&rx, -EPIPE);
	CHECK_EQ(shmchan_region_open(&late, test_name("late"), &opts), 0);
	CHECK_EQ(shmchan_spsc_wait_peer(&rx, 0), 0);
	CHECK_ENDS(&rx, -EPIPE);
	header = shmchan_region_at(late, late->control_offset);
	CHECK_EQ(shmchan_lane_attach(&lane, late->base,
			late->control_offset + late->control_size,
			&header->lane, shmchan_region_at(late,
				shmchan_slot_offset(late, 0)), 2), 0);
	CHECK_EQ(shmchan_lane_writer_attach(&w, &lane, late->generation,
			&shmchan_doorbell_status(late, 1)->waiters), 0);
	CHECK_GE(shmchan_lane_send(&w, &value, 8, 0, 0), 0);
	CHECK_GE(shmchan_lane_close(&w), 0);
	shmchan_region_close(late);
	/* It is gone, and known; but it has left something. */
	CHECK_EQ(shmchan_spsc_wait_peer(&rx, 0), 0);
	CHECK_GETS(&rx, 5);
	CHECK_ENDS(&rx, -EPIPE);
	CHECK_EQ(shmchan_spsc_wait_peer(&rx, 0), -EAGAIN);
	shmchan_spsc_close(&rx);
}

/* Everybody gone and the name with them: the next channel is a new one. */
TEST(a_name_can_be_used_again)
{
	struct shmchan_spsc tx, rx;
	int round;

	for (round = 0; round < 20; round++) {
		open_as(&tx, "again", SHMCHAN_SENDER, 4096, 0);
		open_as(&rx, "again", SHMCHAN_RECEIVER, 4096, 0);
		CHECK_EQ(rx.r.records, 0);
		send_u64(&tx, 1);
		CHECK_GETS(&rx, 1);
		shmchan_spsc_close(&rx);
		shmchan_spsc_close(&tx);
	}
}

/*
 * What a sender leaves that is killed as it repairs the lane: a jump, and no place to
 * go on at.  Its end is told, once to an event loop, and the next one is heard.
 */
TEST(sender_dies_amid_a_repair)
{
	uint32_t *reached = shared_alloc(4096);
	struct shmchan_cond conds[SHMCHAN_SPSC_CONDS];
	struct shmchan_spsc tx, rx;
	pid_t pid;

	open_as(&rx, "repair", SHMCHAN_RECEIVER, 4096, -1);
	pid = child_fork();
	if (!pid) {
		open_as(&tx, "repair", SHMCHAN_SENDER, 4096, -1);
		send_u64(&tx, 1);
		shmchan_store_release(shmchan_lane__at(&tx.w, tx.w.tail),
				      shmchan_hdr(SHMCHAN_CTRL_JUMP,
						  SHMCHAN_HDR_CTRL, 0));
		shmchan_store_seq_cst(reached, 1U);
		for (;;)
			sleep_ms(1000);
	}
	while (!shmchan_load_seq_cst(reached))
		sleep_ms(1);
	CHECK_GETS(&rx, 1);
	child_kill(pid);
	CHECK_ENDS(&rx, -EOWNERDEAD);
	CHECK_EQ(shmchan_spsc_conds(&rx, conds), 0);
	open_as(&tx, "repair", SHMCHAN_SENDER, 4096, -1);
	send_u64(&tx, 2);
	CHECK_ENDS(&rx, -EBADMSG);
	CHECK_GETS(&rx, 2);
	shmchan_spsc_close(&tx);
	CHECK_ENDS(&rx, -EPIPE);
	shmchan_spsc_close(&rx);
}

/*
 * Nonsense of one sender, and another that has come and gone since: behind the jump is
 * what it has sent, also for an event loop.
 */
TEST(what_a_jump_leads_to_is_told)
{
	struct shmchan_cond conds[SHMCHAN_SPSC_CONDS];
	struct shmchan_spsc tx, rx;

	open_as(&rx, "leads", SHMCHAN_RECEIVER, 4096, -1);
	open_as(&tx, "leads", SHMCHAN_SENDER, 4096, -1);
	send_u64(&tx, 1);
	shmchan_spsc_close(&tx);
	CHECK_GETS(&rx, 1);
	CHECK_ENDS(&rx, -EPIPE);
	CHECK_EQ(shmchan_spsc_conds(&rx, conds), 0);
	/* Where its EPOCH would be. */
	open_as(&tx, "leads", SHMCHAN_SENDER, 4096, -1);
	shmchan_store_release(shmchan_lane__at(&tx.w, tx.w.tail - 8),
			      shmchan_hdr(1 << 20, SHMCHAN_HDR_DATA, 0));
	shmchan_region_close(tx.region);
	open_as(&tx, "leads", SHMCHAN_SENDER, 4096, -1);
	send_u64(&tx, 42);
	shmchan_spsc_close(&tx);
	CHECK_EQ(shmchan_spsc_conds(&rx, conds), -EAGAIN);
	CHECK_ENDS(&rx, -EBADMSG);
	CHECK_GETS(&rx, 42);
	CHECK_ENDS(&rx, -EPIPE);
	shmchan_spsc_close(&rx);
}

/* A time that is up between two looks at the clock is no reason to spin on. */
TEST(timeouts_are_kept_by_who_spins)
{
	struct shmchan_spsc tx, rx;
	uint64_t value, begin, i;

	open_as(&rx, "kept", SHMCHAN_RECEIVER, 4096, 20000 * MS);
	open_as(&tx, "kept", SHMCHAN_SENDER, 4096, -1);
	begin = now_ns();
	for (i = 0; i < 2000; i++)
		CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL,
					   1 + i % 200), -ETIMEDOUT);
	CHECK_LT(now_ns() - begin, 20000 * MS);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
}

TEST_MAIN
