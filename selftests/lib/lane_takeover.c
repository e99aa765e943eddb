// SPDX-License-Identifier: GPL-2.0-only

/* Lanes: writers die, readers judge, the next writer repairs. */

#include "lane_fixture.h"

static void die(struct fixture *f)
{
	fixture_slot(f, FIXTURE_WRITER,
		     SHMCHAN_SLOT_WORD_GEN(f->slots[FIXTURE_WRITER]),
		     SHMCHAN_SLOT_DIED);
}

static void next_writer(struct fixture *f, struct shmchan_lane_writer *w)
{
	fixture_slot(f, FIXTURE_WRITER,
		     SHMCHAN_SLOT_WORD_GEN(f->slots[FIXTURE_WRITER]) + 1,
		     SHMCHAN_SLOT_LIVE);
	fixture_writer(f, w);
}

TEST(readers_judge)
{
	struct shmchan_reservation a, c;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	fixture_slot(&f, FIXTURE_WRITER, 0, SHMCHAN_SLOT_FREE);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	/* Nobody has come yet: that is no death. */
	CHECK_RECV_ERR(&r, -EAGAIN);
	fixture_slot(&f, FIXTURE_WRITER, 1, SHMCHAN_SLOT_LIVE);
	fixture_writer(&f, &w);
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_EQ(shmchan_lane_reserve(&w, 50, &a), 0);
	CHECK_EQ(send_seed(&w, 60, 1), 0);
	CHECK_EQ(shmchan_lane_reserve(&w, 70, &c), 0);
	CHECK_RECV_ERR(&r, -EAGAIN);
	die(&f);
	/* What it committed behind what it did not is delivered. */
	CHECK_RECV(&r, 60, 1);
	CHECK_RECV_ERR(&r, -EOWNERDEAD);
	CHECK_SAYS(shmchan_error_detail(), "died");
	CHECK_RECV_ERR(&r, -EOWNERDEAD);
	next_writer(&f, &w);
	CHECK_EQ(w.records, 1);
	/* It has been said already. */
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_EQ(send_seed(&w, 80, 2), 0);
	CHECK_RECV(&r, 80, 2);
	CHECK_EQ(r.epochs, 1);
}

TEST(a_death_that_nobody_saw_is_said_in_its_place)
{
	struct shmchan_reservation a;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(send_seed(&w, 10, 1), 0);
	CHECK_EQ(shmchan_lane_reserve(&w, 50, &a), 0);
	memset(a.data, 0xff, 50);
	CHECK_EQ(send_seed(&w, 20, 2), 0);
	next_writer(&f, &w);
	CHECK_EQ(send_seed(&w, 30, 3), 0);
	next_writer(&f, &w);
	CHECK_EQ(send_seed(&w, 40, 4), 0);
	CHECK_RECV(&r, 10, 1);
	CHECK_RECV(&r, 20, 2);
	CHECK_RECV_ERR(&r, -EOWNERDEAD);
	CHECK_RECV(&r, 30, 3);
	CHECK_RECV_ERR(&r, -EOWNERDEAD);
	CHECK_RECV(&r, 40, 4);
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_EQ(r.epochs, 2);
}

TEST(after_a_clean_end)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(send_seed(&w, 10, 1), 0);
	CHECK_EQ(shmchan_lane_close(&w), 0);
	die(&f);
	next_writer(&f, &w);
	CHECK_EQ(send_seed(&w, 30, 3), 0);
	CHECK_RECV(&r, 10, 1);
	CHECK_RECV_ERR(&r, -EPIPE);
	CHECK_RECV(&r, 30, 3);
	CHECK_RECV_ERR(&r, -EAGAIN);
}

TEST(a_batch_keeps_what_it_met)
{
	uint64_t values[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, got[16];
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint32_t meta = 0;
	int ring;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(shmchan_lane_send_n(&w, values, 8, 8, 0, 0, &ring), 8);
	next_writer(&f, &w);
	CHECK_EQ(shmchan_lane_recv_n(&r, got, 8, 16, &meta), 8);
	/* The end of the first writer was met behind them: said next. */
	CHECK_EQ(shmchan_lane_recv_n(&r, got, 8, 16, &meta), -EOWNERDEAD);
	CHECK_EQ(shmchan_lane_recv_n(&r, got, 8, 16, &meta), -EAGAIN);
}

/* Every fill level, so every state of wrap, limit, checkpoint and margin. */
static void at_every_level(uint32_t flags)
{
	struct shmchan_reservation rsv;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	uint64_t level, n, got;
	struct fixture f;
	int ends;

	fixture_init(&f, 4096, 1, flags);
	for (level = 0; level < 700; level++) {
		fixture_reset(&f);
		fixture_writer(&f, &w);
		fixture_reader(&f, &r, 0, flags & SHMCHAN_LANE_HOLD ?
			       SHMCHAN_FROM_CURSOR : SHMCHAN_FROM_OLDEST);
		for (n = got = 0; n < level; n++) {
			while (send_seed(&w, n % 41, n) == -EAGAIN) {
				CHECK_RECV(&r, got % 41, got);
				got++;
			}
		}
		if (level & 1 && !shmchan_lane_reserve(&w, level % 300, &rsv))
			memset(rsv.data, 0xff, level % 300);
		die(&f);
		next_writer(&f, &w);
		CHECK_EQ(w.records, n);
		while (send_seed(&w, n % 41, n) == -EAGAIN) {
			CHECK_RECV(&r, got % 41, got);
			got++;
		}
		n++;
		for (ends = 0; got < n;) {
			uint8_t buf[64];
			uint32_t meta;
			size_t len;
			int err = shmchan_lane_recv(&r, buf, sizeof(buf), &len,
						    &meta);

			if (err == -EOWNERDEAD) {
				CHECK_EQ(got, n - 1);
				ends++;
				continue;
			}
			CHECK_EQ(err, 0);
			CHECK_EQ(meta, got);
			CHECK(filled(buf, len, got));
			got++;
		}
		CHECK_EQ(ends, 1);
		CHECK_RECV_ERR(&r, -EAGAIN);
	}
}

TEST(takeover_at_every_level)
{
	at_every_level(0);
}

TEST(takeover_at_every_level_of_a_hold_lane)
{
	at_every_level(SHMCHAN_LANE_HOLD);
}

TEST(losses_over_takeovers_are_exact)
{
	uint64_t n = 0, next = 0, ends = 0;
	struct shmchan_reservation rsv;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint8_t buf[64];
	uint32_t meta;
	size_t len;
	int i, err, round;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (round = 0; round < 500; round++) {
		for (i = 0; i < round % 190; i++, n++)
			CHECK_EQ(send_seed(&w, n % 41, n), 0);
		if (round & 1)
			CHECK_EQ(shmchan_lane_reserve(&w, 30, &rsv), 0);
		next_writer(&f, &w);
		CHECK_EQ(w.records, n);
		while ((err = shmchan_lane_recv(&r, buf, sizeof(buf), &len,
						&meta)) != -EAGAIN) {
			if (err == -EOVERFLOW) {
				next += r.lost;
			} else if (err == -EOWNERDEAD) {
				ends++;
			} else {
				CHECK_EQ(err, 0);
				CHECK_EQ(meta, (uint32_t)next);
				next++;
			}
		}
		CHECK_EQ(next, n);
	}
	CHECK_GT(ends, 400);
}

/*
 * The last writer was hostile: anything may be in its windows.  The next one
 * is bounded and its own records arrive, at who joins and at who goes on.
 */
TEST_LIMIT(takeover_of_nonsense, 120)
{
	uint64_t rnd = 99, n, round;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader old, new;
	struct fixture f;
	int i, k, err;

	fixture_init(&f, 4096, 2, 0);
	for (round = 0; round < (uint64_t)HARNESS_ROUNDS(4000); round++) {
		uint64_t *ring = (uint64_t *)(void *)f.lane.ring;
		uint64_t *control = (uint64_t *)(void *)f.lane.control;

		fixture_reset(&f);
		fixture_writer(&f, &w);
		fixture_reader(&f, &old, 0, SHMCHAN_FROM_OLDEST);
		for (n = 0; n < round % 77; n++)
			CHECK_EQ(send_seed(&w, 20, n), 0);
		for (i = 0; i < 1 + (int)(round % 5); i++) {
			rnd = rnd * 6364136223846793005ULL + 99;
			k = (int)(rnd >> 55);
			ring[k] = rnd << 9;
			if (round & 1)
				ring[k] = shmchan_hdr(rnd >> 20 & 1023,
						      (uint32_t)rnd >> 8 & 7,
						      1);
			if (round % 3 == 0)
				control[8 + (rnd >> 30) % 16] = rnd >> 50 << 3;
		}
		if (round % 11 == 0)
			control[0] = rnd >> 48;
		die(&f);
		for (i = 0; i < 300; i++) {
			uint8_t buf[1024];
			uint32_t meta;
			size_t len;

			err = shmchan_lane_recv(&old, buf, sizeof(buf), &len,
						&meta);
			if (err)
				break;
		}
		next_writer(&f, &w);
		fixture_reader(&f, &new, 1, SHMCHAN_FROM_NOW);
		/* The old reader may hold it: it leaves. */
		shmchan_lane_leave(&old);
		for (n = 0; n < 500; n++) {
			CHECK_EQ(send_seed(&w, 33, n), 0);
			err = -1;
			for (i = 0; err && i < 3; i++) {
				uint8_t buf[64];
				uint32_t meta;
				size_t len;

				err = shmchan_lane_recv(&new, buf, sizeof(buf),
							&len, &meta);
				if (!err) {
					CHECK_EQ(len, 33);
					CHECK(filled(buf, 33, n));
				} else {
					/* The end of its predecessor. */
					CHECK(err == -EOWNERDEAD ||
					      err == -EBADMSG);
					CHECK_EQ(n, 0);
				}
			}
			CHECK_EQ(err, 0);
		}
		/* And the old one, when it joins again. */
		CHECK_EQ(shmchan_lane_reader_rejoin(&old, SHMCHAN_FROM_NOW), 0);
		CHECK_EQ(send_seed(&w, 44, 4), 0);
		CHECK_RECV(&old, 44, 4);
		CHECK_RECV(&new, 44, 4);
	}
}

TEST(a_limit_that_is_nonsense)
{
	struct shmchan_lane_writer w;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	f.lane.control->floor = ~0ULL - 100;
	fixture_slot(&f, FIXTURE_WRITER, 2, SHMCHAN_SLOT_LIVE);
	CHECK_EQ(shmchan_lane_writer_attach(&w, &f.lane, 2, f.waiters),
		 -EINVAL);
}

TEST_MAIN
