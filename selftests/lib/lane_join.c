// SPDX-License-Identifier: GPL-2.0-only

/* Lanes: readers that come late, leave, die, come again. */

#include "lane_fixture.h"

static void recv_next(struct shmchan_lane_reader *r)
{
	uint64_t n = r->records;

	CHECK_RECV(r, n % 90, n);
	CHECK_EQ(r->records, n + 1);
}

/* Send numbers until w->records is upto, draining r (if any) on the way. */
static void run_to(struct shmchan_lane_writer *w, struct shmchan_lane_reader *r,
		   uint64_t upto)
{
	int err;

	while (w->records < upto) {
		err = send_seed(w, w->records % 90, w->records);
		if (err == -EAGAIN && r) {
			while (r->records < w->records)
				recv_next(r);
			continue;
		}
		CHECK_EQ(err, 0);
	}
}

static void drain(struct shmchan_lane_reader *r, uint64_t upto)
{
	while (r->records < upto)
		recv_next(r);
	CHECK_RECV_ERR(r, -EAGAIN);
}

TEST(now_sees_only_what_comes)
{
	struct shmchan_lane_reader early, late;
	struct shmchan_lane_writer w;
	struct fixture f;
	uint64_t n;

	fixture_init(&f, 4096, 2, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &early, 0, SHMCHAN_FROM_OLDEST);
	for (n = 0; n < 3000; n += 37) {
		run_to(&w, &early, n);
		fixture_reader(&f, &late, 1, SHMCHAN_FROM_NOW);
		CHECK_EQ(late.records, n);
		CHECK_RECV_ERR(&late, -EAGAIN);
		CHECK_EQ(send_seed(&w, n % 90, n), 0);
		CHECK_RECV(&late, n % 90, n);
		shmchan_lane_leave(&late);
		drain(&early, n + 1);
	}
}

TEST(oldest_sees_what_is_still_there)
{
	struct shmchan_lane_reader early, late;
	struct shmchan_lane_writer w;
	struct fixture f;
	uint64_t n;

	fixture_init(&f, 4096, 2, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &early, 0, SHMCHAN_FROM_OLDEST);
	run_to(&w, &early, 20);
	/* Nothing has been given away yet: all of it. */
	fixture_reader(&f, &late, 1, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(late.records, 0);
	drain(&late, 20);
	shmchan_lane_leave(&late);
	for (n = 100; n < 3000; n += 53) {
		run_to(&w, &early, n);
		drain(&early, n);
		fixture_reader(&f, &late, 1, SHMCHAN_FROM_OLDEST);
		CHECK_LE(late.records, n);
		drain(&late, n);
		shmchan_lane_leave(&late);
	}
}

TEST(overwriting_lane_can_be_joined_anywhere)
{
	struct shmchan_lane_reader r;
	struct shmchan_lane_writer w;
	struct fixture f;
	uint64_t n;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	for (n = 0; n < 3000; n += 29) {
		run_to(&w, NULL, n);
		fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
		CHECK_LE(r.records, n);
		/* A good part of the ring is there to be read. */
		if (n > 200)
			CHECK_LE(r.records + 20, n);
		drain(&r, n);
		fixture_reader(&f, &r, 0, SHMCHAN_FROM_NOW);
		CHECK_EQ(r.records, n);
	}
}

/* From the moment it has joined, a reader holds the writer. */
TEST(a_joined_reader_holds_the_writer)
{
	struct shmchan_lane_reader r;
	struct shmchan_lane_writer w;
	struct fixture f;
	uint64_t n;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	run_to(&w, NULL, 1000);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	n = r.records;
	while (!send_seed(&w, w.records % 90, w.records))
		;
	CHECK_EQ(r.records, n);
	drain(&r, w.records);
	CHECK_EQ(send_seed(&w, 1, 1), 0);
	/* And no more when it has left, or is dead, or has been replaced. */
	shmchan_lane_leave(&r);
	run_to(&w, NULL, w.records + 1000);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_NOW);
	while (!send_seed(&w, 20, 0))
		;
	fixture_slot(&f, FIXTURE_READER, 1, SHMCHAN_SLOT_DIED);
	run_to(&w, NULL, w.records + 1000);
	fixture_slot(&f, FIXTURE_READER, 2, SHMCHAN_SLOT_LIVE);
	run_to(&w, NULL, w.records + 1000);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_NOW);
	n = w.records;
	run_to(&w, &r, n + 500);
	drain(&r, n + 500);
}

/* A cursor beyond what was written is nonsense; its reader is not waited for. */
TEST(a_lying_cursor_holds_nobody)
{
	struct shmchan_lane_reader r;
	struct shmchan_lane_writer w;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	r.cursor->pos = 1ULL << 60;
	run_to(&w, NULL, 1000);
	r.cursor->pos = 0;
	run_to(&w, NULL, 2000);
}

TEST(many_readers)
{
	struct shmchan_lane_reader r[SHMCHAN_LANE_MAX_READERS / 8];
	struct shmchan_lane_writer w;
	uint64_t round, n = 0;
	struct fixture f;
	uint32_t i, nr = SHMCHAN_LANE_MAX_READERS / 8;

	fixture_init(&f, 4096, nr, 0);
	CHECK_EQ(shmchan_lane_attach(&f.lane, f.base, f.size, &f.geo, NULL, 0),
		 0);
	fixture_writer(&f, &w);
	for (i = 0; i < nr; i++)
		CHECK_EQ(shmchan_lane_reader_join(&r[i], &f.lane, i, 1,
				SHMCHAN_FROM_OLDEST, NULL, NULL, NULL), 0);
	for (round = 0; round < 20; round++) {
		while (!send_seed(&w, n % 90, n))
			n++;
		/* All but one are quick; the one is waited for. */
		for (i = 1; i < nr; i++)
			drain(&r[(i + round) % nr], n);
		CHECK_EQ(send_seed(&w, n % 90, n), -EAGAIN);
		drain(&r[round % nr], n);
		CHECK_EQ(send_seed(&w, n % 90, n), 0);
		n++;
	}
}

TEST(hold_lane_waits_for_its_reader)
{
	struct shmchan_lane_reader r;
	struct shmchan_lane_writer w;
	struct fixture f;
	uint64_t n = 0, first;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_HOLD);
	fixture_writer(&f, &w);
	/* Nobody there yet: what fits is kept. */
	while (!send_seed(&w, n % 90, n))
		n++;
	CHECK_GT(n, 4000 / 104);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_CURSOR);
	drain(&r, n);
	run_to(&w, &r, 1000);
	/* It leaves: the next one goes on exactly there. */
	shmchan_lane_leave(&r);
	first = r.records;
	while (!send_seed(&w, w.records % 90, w.records))
		;
	fixture_slot(&f, FIXTURE_READER, 2, SHMCHAN_SLOT_LIVE);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_CURSOR);
	CHECK_EQ(r.records, first);
	run_to(&w, &r, 2000);
	/* It dies: the next one sees again what was not acknowledged. */
	first = r.records;
	fixture_slot(&f, FIXTURE_READER, 2, SHMCHAN_SLOT_DIED);
	while (!send_seed(&w, w.records % 90, w.records))
		;
	fixture_slot(&f, FIXTURE_READER, 3, SHMCHAN_SLOT_LIVE);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_CURSOR);
	CHECK_LE(r.records, first);
	CHECK_GE(r.records + 40, first);
	drain(&r, w.records);
}

TEST(hold_lane_and_a_lying_cursor)
{
	static const uint64_t lies[] = {
		1, 12, 4096 * 3, 1ULL << 60, ~0ULL, ~7ULL,
	};
	struct shmchan_lane_reader r;
	struct shmchan_lane_writer w;
	struct fixture f;
	unsigned int i;

	for (i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		int err;

		fixture_init(&f, 4096, 1, SHMCHAN_LANE_HOLD);
		fixture_writer(&f, &w);
		fixture_reader(&f, &r, 0, SHMCHAN_FROM_CURSOR);
		run_to(&w, &r, 500);
		r.cursor->pos = lies[i];
		while (!(err = send_seed(&w, w.records % 90, w.records)))
			;
		CHECK(err == -EAGAIN || err == -EBADMSG);
		CHECK_EQ(shmchan_lane_reader_join(&r, &f.lane, 0, 1,
				SHMCHAN_FROM_CURSOR, NULL, NULL, NULL),
			 -EBADMSG);
		CHECK_EQ(shmchan_lane_reader_rejoin(&r, SHMCHAN_FROM_OLDEST),
			 0);
		drain(&r, w.records);
		run_to(&w, &r, w.records + 500);
		fixture_free(&f);
	}
}

TEST(joins_that_cannot_be)
{
	struct shmchan_lane_reader r;
	struct shmchan_lane_writer w;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	CHECK_EQ(shmchan_lane_reader_join(&r, &f.lane, 1, 1,
			SHMCHAN_FROM_NOW, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(shmchan_lane_reader_join(&r, &f.lane, 0, 0,
			SHMCHAN_FROM_NOW, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(shmchan_lane_reader_join(&r, &f.lane, 0, 1,
			SHMCHAN_FROM_CURSOR, NULL, NULL, NULL), -EINVAL);
	CHECK_EQ(shmchan_lane_writer_attach(&w, &f.lane, 0, f.waiters),
		 -EINVAL);
	CHECK_EQ(shmchan_lane_writer_attach(&w, &f.lane, 1, NULL), -EINVAL);
}

/* A checkpoint that is being written when its writer dies counts as none. */
TEST(no_checkpoint_no_place)
{
	struct shmchan_lane_reader r;
	struct shmchan_lane_writer w;
	struct fixture f;
	uint32_t i;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	run_to(&w, NULL, 1000);
	for (i = 0; i < SHMCHAN_LANE_CHECKPOINTS; i++)
		f.lane.control->checkpoints[i].pos = ~0ULL;
	CHECK_EQ(shmchan_lane_reader_join(&r, &f.lane, 0, 1,
			SHMCHAN_FROM_NOW, NULL, NULL, NULL), -EAGAIN);
}

/* Who comes and begins further on than the last one was makes room by that. */
TEST(who_joins_a_hold_lane_wakes_its_writer)
{
	uint8_t buf[504] = { 0 };
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_HOLD);
	fixture_writer(&f, &w);
	/* With a checkpoint at each: the newest is where the lane ends. */
	while (!shmchan_lane_send(&w, buf, sizeof(buf), 0, 0))
		;
	CHECK_EQ(w.checkpoint, w.tail);
	f.waiters[1] = 1;
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_NOW);
	CHECK_GE(f.wakes, 1);
	CHECK_EQ(shmchan_lane_send(&w, buf, sizeof(buf), 0, 0), 0);
	fixture_free(&f);
}

TEST_MAIN
