// SPDX-License-Identifier: GPL-2.0-only

/* Lanes: which holders of the writer's slot can have written a record. */

#include "lane_fixture.h"

static void next_writer(struct fixture *f, struct shmchan_lane_writer *w)
{
	fixture_slot(f, FIXTURE_WRITER,
		     SHMCHAN_SLOT_WORD_GEN(f->slots[FIXTURE_WRITER]) + 1,
		     SHMCHAN_SLOT_LIVE);
	fixture_writer(f, w);
}

static void end_writer(struct fixture *f, uint32_t state)
{
	fixture_slot(f, FIXTURE_WRITER,
		     SHMCHAN_SLOT_WORD_GEN(f->slots[FIXTURE_WRITER]), state);
}

#define CHECK_SENDER(r, from, to, lane)					\
	do {								\
		struct shmchan_lane_sender sender_;			\
		CHECK_EQ(shmchan_lane_reader_sender((r), &sender_), 0);	\
		CHECK_EQ(sender_.slot, FIXTURE_WRITER);			\
		CHECK_EQ(sender_.oldest, (from));			\
		CHECK_EQ(sender_.newest, (to));				\
		CHECK_EQ(sender_.by_lane, (lane));			\
	} while (0)

TEST(who_keeps_up_knows)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint32_t gen;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (gen = 1; gen < 5; gen++) {
		CHECK_RECV_ERR(&r, -EAGAIN);
		CHECK_EQ(send_seed(&w, 10, gen), 0);
		CHECK_EQ(send_seed(&w, 10, 100 + gen), 0);
		CHECK_RECV(&r, 10, gen);
		CHECK_SENDER(&r, gen, gen, gen);
		/* Also when it has left meanwhile, and nobody came. */
		end_writer(&f, SHMCHAN_SLOT_LEFT);
		CHECK_RECV(&r, 10, 100 + gen);
		CHECK_SENDER(&r, gen, gen, gen);
		CHECK_RECV_ERR(&r, -EOWNERDEAD);
		/* What it has found out since is not about that record. */
		CHECK_SENDER(&r, gen, gen, gen);
		next_writer(&f, &w);
	}
}

TEST(left_unread_is_of_one_or_the_other)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(send_seed(&w, 10, 1), 0);
	CHECK_EQ(send_seed(&w, 20, 2), 0);
	next_writer(&f, &w);
	CHECK_EQ(send_seed(&w, 30, 3), 0);
	CHECK_EQ(send_seed(&w, 40, 4), 0);
	CHECK_RECV(&r, 10, 1);
	CHECK_SENDER(&r, 1, 2, 1);
	CHECK_RECV(&r, 20, 2);
	CHECK_SENDER(&r, 1, 2, 1);
	CHECK_RECV_ERR(&r, -EOWNERDEAD);
	/* The second's, and who knows? The first may have made up an EPOCH. */
	CHECK_RECV(&r, 30, 3);
	CHECK_SENDER(&r, 1, 2, 2);
	CHECK_RECV(&r, 40, 4);
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_SENDER(&r, 1, 2, 2);
	/* Caught up: from now on it is certain. */
	CHECK_EQ(send_seed(&w, 50, 5), 0);
	CHECK_RECV(&r, 50, 5);
	CHECK_SENDER(&r, 2, 2, 2);
}

TEST(a_death_that_was_seen_separates)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(send_seed(&w, 10, 1), 0);
	CHECK_RECV(&r, 10, 1);
	end_writer(&f, SHMCHAN_SLOT_DIED);
	CHECK_RECV_ERR(&r, -EOWNERDEAD);
	next_writer(&f, &w);
	CHECK_EQ(send_seed(&w, 20, 2), 0);
	/* Nothing was there when the first was dead: it can only be the next. */
	CHECK_RECV(&r, 20, 2);
	CHECK_SENDER(&r, 2, 2, 2);
}

/* An EPOCH is what the lane says, and no more than that. */
TEST(an_epoch_proves_nothing)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint64_t *word;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(send_seed(&w, 8, 1), 0);
	CHECK_EQ(send_seed(&w, 8, 2), 0);
	next_writer(&f, &w);
	/* Its own record in front of which its predecessor would be. */
	word = shmchan_lane_word(&f.lane, 0);
	fill((uint8_t *)(word + 1), 8, 1000);
	*word = shmchan_hdr(8, SHMCHAN_HDR_DATA, 1000);
	CHECK_RECV(&r, 8, 1000);
	CHECK_SENDER(&r, 1, 2, 1);
	/* And one that says it is of somebody who never was. */
	word = shmchan_lane_word(&f.lane, 16);
	word[0] = shmchan_hdr(SHMCHAN_CTRL_EPOCH, SHMCHAN_HDR_CTRL, 77);
	word[1] = shmchan_hdr(0, SHMCHAN_HDR_DATA, 1001);
	CHECK_RECV_ERR(&r, -EOWNERDEAD);
	CHECK_RECV(&r, 0, 1001);
	CHECK_SENDER(&r, 1, 2, 0);
}

TEST(batches)
{
	uint64_t values[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, got[8];
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint32_t meta = 0;
	int ring;

	fixture_init(&f, 4096, 1, 0);
	fixture_slot(&f, FIXTURE_WRITER, 7, SHMCHAN_SLOT_LIVE);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_RECV_ERR(&r, -EOWNERDEAD);	/* the EPOCH of the seventh */
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_EQ(shmchan_lane_send_n(&w, values, 8, 8, 0, 0, &ring), 8);
	CHECK_EQ(shmchan_lane_recv_n(&r, got, 8, 3, &meta), 3);
	CHECK_SENDER(&r, 7, 7, 7);
	next_writer(&f, &w);
	CHECK_EQ(shmchan_lane_recv_n(&r, got, 8, 8, &meta), 5);
	CHECK_SENDER(&r, 7, 8, 7);
	CHECK_EQ(shmchan_lane_recv_n(&r, got, 8, 8, &meta), -EOWNERDEAD);
	CHECK_EQ(shmchan_lane_recv_n(&r, got, 8, 8, &meta), -EAGAIN);
	CHECK_SENDER(&r, 7, 8, 7);
}

/* Who joins knows nothing of what is there already. */
TEST(late_readers)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_HOLD);
	fixture_writer(&f, &w);
	CHECK_EQ(send_seed(&w, 10, 1), 0);
	next_writer(&f, &w);
	next_writer(&f, &w);
	CHECK_EQ(send_seed(&w, 20, 2), 0);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_CURSOR);
	CHECK_RECV(&r, 10, 1);
	CHECK_SENDER(&r, 1, 3, 1);
	CHECK_RECV_ERR(&r, -EOWNERDEAD);
	CHECK_RECV_ERR(&r, -EOWNERDEAD);
	CHECK_RECV(&r, 20, 2);
	CHECK_SENDER(&r, 1, 3, 3);
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_EQ(send_seed(&w, 30, 3), 0);
	CHECK_RECV(&r, 30, 3);
	CHECK_SENDER(&r, 3, 3, 3);
	CHECK_EQ(shmchan_lane_reader_rejoin(&r, SHMCHAN_FROM_OLDEST), 0);
	CHECK_RECV(&r, 10, 1);
	CHECK_SENDER(&r, 1, 3, 1);
}

TEST(being_passed_loses_the_thread)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	uint8_t buf[64];
	struct fixture f;
	uint32_t meta;
	uint64_t i;
	size_t len;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_EQ(send_seed(&w, 40, 1), 0);
	next_writer(&f, &w);
	for (i = 0; i < 200; i++)
		CHECK_EQ(send_seed(&w, 40, i), 0);
	CHECK_RECV_ERR(&r, -EOVERFLOW);
	CHECK_EQ(shmchan_lane_recv(&r, buf, sizeof(buf), &len, &meta), 0);
	/* The EPOCH was passed as well. */
	CHECK_SENDER(&r, 1, 2, 0);
}

TEST(without_slots_nobody_knows)
{
	struct shmchan_lane_sender sender;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	CHECK_EQ(shmchan_lane_attach(&f.lane, f.base, f.size, &f.geo, NULL, 0),
		 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(send_seed(&w, 10, 1), 0);
	CHECK_RECV(&r, 10, 1);
	CHECK_EQ(shmchan_lane_reader_sender(&r, &sender), -ENOTSUP);
	CHECK_SAYS(shmchan_error_detail(), "slot words");
}

TEST_MAIN
