// SPDX-License-Identifier: GPL-2.0-only

/* Lanes: every size of record at every place near the end of the ring. */

#include "lane_fixture.h"

#define CAPACITY	4096
#define MAX_PAYLOAD	(CAPACITY / 4 - 8)

/* Records that bring writer and reader to position to. */
static void advance(struct shmchan_lane_writer *w,
		    struct shmchan_lane_reader *r, uint64_t to)
{
	while (w->tail < to) {
		uint64_t extent = to - w->tail;

		if (extent > MAX_PAYLOAD + 8)
			extent = MAX_PAYLOAD + 8;
		CHECK_EQ(send_seed(w, extent - 8, 1), 0);
		CHECK_RECV(r, extent - 8, 1);
	}
	CHECK_EQ(w->tail, to);
}

/* All that follows the tail up to zeroed is zero (W3). */
static void check_zeroed(const struct shmchan_lane_writer *w)
{
	uint64_t pos;

	CHECK_GE(w->zeroed, w->tail + 8);
	CHECK_LE(w->zeroed, w->limit);
	for (pos = w->tail; pos < w->zeroed; pos += 8)
		CHECK_EQ(*shmchan_lane__at(w, pos), 0);
}

static void one(struct fixture *f, uint64_t offset, size_t length,
		uint64_t laps)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	int i;

	fixture_reset(f);
	fixture_writer(f, &w);
	fixture_reader(f, &r, 0, SHMCHAN_FROM_OLDEST);
	advance(&w, &r, laps * CAPACITY + offset);
	check_zeroed(&w);
	for (i = 0; i < 4; i++) {
		CHECK_EQ(send_seed(&w, length, 10 + (uint64_t)i), 0);
		check_zeroed(&w);
		CHECK_RECV(&r, length, 10 + (uint64_t)i);
		CHECK_RECV_ERR(&r, -EAGAIN);
	}
}

static void all(uint32_t flags, uint64_t laps, size_t step)
{
	struct fixture f;
	uint64_t offset;
	size_t length;

	fixture_init(&f, CAPACITY, 1, flags);
	for (offset = CAPACITY - MAX_PAYLOAD - 24; offset < CAPACITY;
	     offset += 8)
		for (length = 0; length <= MAX_PAYLOAD; length += step)
			one(&f, offset, length, laps);
}

TEST_LIMIT(every_extent_at_every_offset_near_the_end, 120)
{
	all(0, 1, HARNESS_SANITIZED ? 56 : 8);
}

TEST_LIMIT(in_overwriting_lanes_too, 120)
{
	all(SHMCHAN_LANE_OVERWRITE, 1, 56);
}

TEST_LIMIT(every_length_at_the_last_words, 120)
{
	struct fixture f;
	uint64_t offset;
	size_t length;

	fixture_init(&f, CAPACITY, 1, 0);
	for (offset = CAPACITY - 80; offset < CAPACITY; offset += 8)
		for (length = 0; length <= 150; length++)
			one(&f, offset, length, 2);
}

/* Reserve, commit shorter, abort, at the end of the ring. */
TEST_LIMIT(reservations_near_the_end, 120)
{
	struct shmchan_reservation rsv;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint64_t offset;
	size_t length, used;

	fixture_init(&f, CAPACITY, 1, 0);
	for (offset = CAPACITY - 160; offset < CAPACITY; offset += 8) {
		for (length = 0; length <= 160; length += 8) {
			for (used = 0; used <= length; used += 8) {
				fixture_reset(&f);
				fixture_writer(&f, &w);
				fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
				advance(&w, &r, CAPACITY + offset);
				CHECK_EQ(shmchan_lane_reserve(&w, length, &rsv),
					 0);
				memset(rsv.data, 0xff, length);
				CHECK_EQ(shmchan_lane_abort(&w, &rsv), 0);
				CHECK_RECV_ERR(&r, -EAGAIN);
				check_zeroed(&w);
				CHECK_EQ(shmchan_lane_reserve(&w, length, &rsv),
					 0);
				memset(rsv.data, 0xff, length);
				fill(rsv.data, used, used);
				CHECK_RECV_ERR(&r, -EAGAIN);
				CHECK_EQ(shmchan_lane_commit(&w, &rsv, used,
							     (uint32_t)used, 0),
					 0);
				check_zeroed(&w);
				CHECK_RECV(&r, used, used);
				CHECK_RECV_ERR(&r, -EAGAIN);
				CHECK_EQ(send_seed(&w, 20, 5), 0);
				CHECK_RECV(&r, 20, 5);
			}
		}
	}
}

/* Long streams of changing sizes: 2,000 laps. */
TEST_LIMIT(many_laps, 120)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint64_t i = 0, rnd = 1;
	int batch, n, k;

	fixture_init(&f, CAPACITY, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	while (w.tail < (uint64_t)HARNESS_ROUNDS(2000) * CAPACITY) {
		rnd = rnd * 6364136223846793005ULL + 1442695040888963407ULL;
		batch = (int)(rnd >> 60);
		for (n = 0; n < batch; n++)
			if (send_seed(&w, ((i + (uint64_t)n) * 7919) %
				      (MAX_PAYLOAD + 1), i + (uint64_t)n))
				break;
		for (k = 0; k < n; k++, i++)
			CHECK_RECV(&r, (i * 7919) % (MAX_PAYLOAD + 1), i);
		check_zeroed(&w);
	}
	CHECK_EQ(r.records, i);
}

TEST_MAIN
