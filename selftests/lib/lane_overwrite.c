// SPDX-License-Identifier: GPL-2.0-only

/* Lanes where readers do not hold the writer: losses are counted exactly. */

#include "lane_fixture.h"

/* Every payload is its number, so a reader knows what it lost. */
static int send_number(struct shmchan_lane_writer *w, uint64_t number,
		       size_t length)
{
	static uint8_t buf[4096];

	fill(buf, length, number);
	memcpy(buf, &number, 8);
	return shmchan_lane_send(w, buf, length, 0, 0);
}

/*
 * Read until there is nothing, checking each payload and each count of losses;
 * returns the number expected next.
 */
static uint64_t drain(struct shmchan_lane_reader *r, uint64_t next,
		      uint64_t *lost)
{
	static uint8_t buf[4096], want[4096];
	uint64_t number;
	uint32_t meta;
	size_t len;
	int err;

	for (;;) {
		err = shmchan_lane_recv(r, buf, sizeof(buf), &len, &meta);
		if (err == -EAGAIN)
			return next;
		if (err == -EOVERFLOW) {
			CHECK_GT(r->lost, 0);
			next += r->lost;
			*lost += r->lost;
			continue;
		}
		CHECK_EQ(err, 0);
		memcpy(&number, buf, 8);
		CHECK_EQ(number, next);
		fill(want, len, number);
		CHECK(!memcmp(want + 8, buf + 8, len - 8));
		next++;
	}
}

static size_t length_of(uint64_t number, unsigned kind)
{
	switch (kind) {
	case 0:
		return 8;
	case 1:
		return 8 + number % 100;
	default:
		return 8 + number * 7919 % (1016 - 8 + 1);
	}
}

TEST_LIMIT(losses_are_exact, 60)
{
	uint64_t number, next, lost;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	unsigned kind, burst, i, round;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_OVERWRITE);
	for (kind = 0; kind < 3; kind++) {
		for (burst = 1; burst < 2000; burst += burst / 3 + 1) {
			fixture_reset(&f);
			fixture_writer(&f, &w);
			fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
			number = next = lost = 0;
			for (round = 0; round < 20; round++) {
				for (i = 0; i < burst; i++, number++)
					CHECK_EQ(send_number(&w, number,
						 length_of(number, kind)), 0);
				next = drain(&r, next, &lost);
				CHECK_EQ(next, number);
			}
			CHECK_EQ(w.records, number);
			if (burst >= 1000)
				CHECK_GT(lost, 0);
		}
	}
}

/* A reader that takes a few now and then, in step with nothing. */
TEST_LIMIT(slow_reader, 60)
{
	uint64_t number = 0, next = 0, lost = 0, rnd = 7;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint8_t buf[4096];
	uint32_t meta;
	size_t len;
	int err, i, n;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (i = 0; i < HARNESS_ROUNDS(200000); i++) {
		rnd = rnd * 6364136223846793005ULL + 1442695040888963407ULL;
		for (n = (int)(rnd >> 61); n; n--, number++)
			CHECK_EQ(send_number(&w, number, length_of(number, 1)),
				 0);
		for (n = (int)((rnd >> 40) % 7); n; n--) {
			err = shmchan_lane_recv(&r, buf, sizeof(buf), &len,
						&meta);
			if (err == -EOVERFLOW) {
				next += r.lost;
				lost += r.lost;
				continue;
			}
			if (err == -EAGAIN)
				break;
			CHECK_EQ(err, 0);
			CHECK(!memcmp(&next, buf, 8));
			next++;
		}
	}
	next = drain(&r, next, &lost);
	CHECK_EQ(next, number);
	CHECK_GT(lost, 0);
}

TEST(losses_of_runs_and_aborts)
{
	uint64_t values[300], number = 0, next = 0, got[64], i;
	struct shmchan_reservation rsv, behind;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint32_t meta = 0;
	int n, k, ring, round;

	fixture_init(&f, 8192, 1, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (round = 0; round < 2000; round++) {
		k = round * 31 % 300 + 1;
		for (i = 0; i < (uint64_t)k; i++)
			values[i] = number++;
		CHECK_EQ(shmchan_lane_send_n(&w, values, 8, (size_t)k, 0, 0,
					     &ring), k);
		CHECK_EQ(shmchan_lane_reserve(&w, 64, &rsv), 0);
		CHECK_EQ(shmchan_lane_reserve(&w, 64, &behind), 0);
		CHECK_EQ(shmchan_lane_abort(&w, &rsv), 0);
		shmchan_lane_fill(&w, &behind, 0, &number, 8);
		number++;
		CHECK_EQ(shmchan_lane_commit(&w, &behind, 8, 0, 0), 0);
		if (round % 7)
			continue;
		for (;;) {
			n = shmchan_lane_recv_n(&r, got, 8, 1 + (size_t)k % 64,
						&meta);
			if (n == -EAGAIN)
				break;
			if (n == -EOVERFLOW) {
				next += r.lost;
				continue;
			}
			CHECK_GT(n, 0);
			for (i = 0; i < (uint64_t)n; i++)
				CHECK_EQ(got[i], next++);
		}
		CHECK_EQ(next, number);
	}
}

/* Stop in the middle of a run, be passed, and still count right. */
TEST(passed_inside_a_run)
{
	uint64_t values[100], number = 0, next = 0, got[100], i;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint32_t meta = 0;
	int n, ring, round;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (round = 0; round < 100; round++) {
		for (i = 0; i < 100; i++)
			values[i] = number++;
		CHECK_EQ(shmchan_lane_send_n(&w, values, 8, 100, 0, 0, &ring),
			 100);
		n = shmchan_lane_recv_n(&r, got, 8, 1 + (size_t)round % 90,
					&meta);
		if (n == -EOVERFLOW) {
			next += r.lost;
			n = shmchan_lane_recv_n(&r, got, 8, 1, &meta);
		}
		CHECK_GT(n, 0);
		for (i = 0; i < (uint64_t)n; i++)
			CHECK_EQ(got[i], next++);
	}
}

TEST(speculative_look)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	const void *data;
	struct fixture f;
	uint64_t number;
	uint32_t meta;
	size_t len;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(shmchan_lane_peek(&r, &data, &len, &meta), -ENOTSUP);
	CHECK_EQ(shmchan_lane_peek_spec(&r, &data, &len, &meta), -EAGAIN);
	for (number = 0; number < 5; number++)
		CHECK_EQ(send_number(&w, number, 20), 0);
	CHECK_EQ(shmchan_lane_peek_spec(&r, &data, &len, &meta), 0);
	CHECK_EQ(len, 20);
	memcpy(&number, data, 8);
	CHECK_EQ(number, 0);
	CHECK(shmchan_lane_still_valid(&r));
	for (number = 5; number < 300; number++)
		CHECK_EQ(send_number(&w, number, 20), 0);
	CHECK(!shmchan_lane_still_valid(&r));
	CHECK_EQ(shmchan_lane_peek_spec(&r, &data, &len, &meta), -EOVERFLOW);
	CHECK_EQ(shmchan_lane_peek_spec(&r, &data, &len, &meta), 0);
	memcpy(&number, data, 8);
	CHECK_EQ(number, 1 + r.lost);
}

/* The creator lets slow readers be passed; nobody else is. */
TEST(eviction)
{
	struct shmchan_lane_reader slow, quick;
	struct shmchan_lane_writer w;
	uint64_t number = 0, next = 0, lost = 0, evictions = 0;
	struct fixture f;
	int err;

	fixture_init(&f, 4096, 2, SHMCHAN_LANE_EVICT);
	fixture_writer(&f, &w);
	fixture_reader(&f, &slow, 0, SHMCHAN_FROM_OLDEST);
	fixture_reader(&f, &quick, 1, SHMCHAN_FROM_OLDEST);
	for (; number < 1000; number++) {
		err = send_number(&w, number, 32);
		if (err == -EAGAIN) {
			evictions++;
			CHECK_EQ(shmchan_lane_evict(&w, 32), 0);
			err = send_number(&w, number, 32);
		}
		CHECK_EQ(err, 0);
		next = drain(&quick, next, &lost);
		CHECK_EQ(next, number + 1);
	}
	CHECK_EQ(lost, 0);
	/* Once: from then on it is known to be passed. */
	CHECK_EQ(evictions, 1);
	next = drain(&slow, 0, &lost);
	CHECK_EQ(next, number);
	CHECK_GT(lost, 800);
	/* It has joined again, and holds the writer again. */
	while (!send_number(&w, number, 32))
		number++;
	CHECK_LE(number, 1000 + 4096 / 40);
	CHECK_EQ(drain(&slow, next, &lost), number);

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	CHECK_EQ(shmchan_lane_evict(&w, 32), -ENOTSUP);
}

TEST(reader_without_a_cursor)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	uint64_t number, lost = 0;
	struct fixture f;

	fixture_init(&f, 4096, 0, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	CHECK_EQ(shmchan_lane_reader_join(&r, &f.lane, SHMCHAN_NO_CURSOR, 1,
					  SHMCHAN_FROM_OLDEST, NULL, NULL,
					  NULL), 0);
	for (number = 0; number < 500; number++)
		CHECK_EQ(send_number(&w, number, 24), 0);
	CHECK_EQ(drain(&r, 0, &lost), 500);
	shmchan_lane_leave(&r);
	fixture_init(&f, 4096, 1, 0);
	CHECK_EQ(shmchan_lane_reader_join(&r, &f.lane, SHMCHAN_NO_CURSOR, 1,
					  SHMCHAN_FROM_NOW, NULL, NULL, NULL),
		 -EINVAL);
}

TEST_MAIN
