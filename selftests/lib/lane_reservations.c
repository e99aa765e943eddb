// SPDX-License-Identifier: GPL-2.0-only

/* Lanes: several reservations open, resolved in every order and way. */

#include "lane_fixture.h"

#define MAX_OPEN	4

enum how { COMMIT, SHORTER, ABORT, NR_HOW };

struct open_one {
	struct shmchan_reservation rsv;
	size_t length;		/* as committed */
	enum how how;
	int resolved;
};

/* Resolve the one, and tell whether readers may see it. */
static void resolve(struct shmchan_lane_writer *w, struct open_one *one,
		    uint64_t seed)
{
	one->resolved = 1;
	if (one->how == ABORT) {
		CHECK_EQ(shmchan_lane_abort(w, &one->rsv), 0);
		return;
	}
	one->length = one->rsv.length;
	if (one->how == SHORTER)
		one->length = one->length * 2 / 5;
	memset(one->rsv.data, 0xee, one->rsv.length);
	fill(one->rsv.data, one->length, seed);
	CHECK_EQ(shmchan_lane_commit(w, &one->rsv, one->length, (uint32_t)seed,
				     0), 0);
}

/* Everything up to the first unresolved is delivered, and nothing more. */
static int deliver(struct shmchan_lane_reader *r, struct open_one *open, int nr,
		   int from)
{
	while (from < nr && open[from].resolved) {
		if (open[from].how != ABORT)
			CHECK_RECV(r, open[from].length, (uint64_t)from + 1);
		from++;
	}
	CHECK_RECV_ERR(r, -EAGAIN);
	return from;
}

static void sequence(struct fixture *f, int nr, const int *order, unsigned how,
		     size_t first, int send_between)
{
	struct open_one open[MAX_OPEN + 1] = { 0 };
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	int i, seen = 0, total = nr;

	fixture_reset(f);
	fixture_writer(f, &w);
	fixture_reader(f, &r, 0, SHMCHAN_FROM_OLDEST);
	if (first) {
		CHECK_EQ(send_seed(&w, first, 0), 0);
		CHECK_RECV(&r, first, 0);
	}
	for (i = 0; i < nr; i++, how /= NR_HOW) {
		open[i].how = (enum how)(how % NR_HOW);
		CHECK_EQ(shmchan_lane_reserve(&w, 40 + 24 * (size_t)i,
					      &open[i].rsv), 0);
	}
	CHECK_EQ(w.nr_open, nr);
	/* What is committed behind open ones waits for them. */
	if (send_between) {
		CHECK_EQ(send_seed(&w, 30, (uint64_t)nr + 1), 0);
		open[nr].how = COMMIT;
		open[nr].length = 30;
		open[nr].resolved = 1;
		total = nr + 1;
	}
	CHECK_RECV_ERR(&r, -EAGAIN);
	for (i = 0; i < nr; i++) {
		resolve(&w, &open[order[i]], (uint64_t)order[i] + 1);
		seen = deliver(&r, open, total, seen);
	}
	CHECK_EQ(seen, total);
	CHECK_EQ(w.nr_open, 0);
	CHECK_EQ(w.records, r.records);
	CHECK_EQ(send_seed(&w, 77, 77), 0);
	CHECK_RECV(&r, 77, 77);
	CHECK_RECV_ERR(&r, -EAGAIN);
}

static void permute(struct fixture *f, int nr, int *order, int depth,
		    size_t first)
{
	unsigned how, hows = 1;
	int i, tmp;

	if (depth == nr) {
		for (i = 0; i < nr; i++)
			hows *= NR_HOW;
		for (how = 0; how < hows; how++) {
			sequence(f, nr, order, how, first, 0);
			sequence(f, nr, order, how, first, 1);
		}
		return;
	}
	for (i = depth; i < nr; i++) {
		tmp = order[depth];
		order[depth] = order[i];
		order[i] = tmp;
		permute(f, nr, order, depth + 1, first);
		tmp = order[depth];
		order[depth] = order[i];
		order[i] = tmp;
	}
}

TEST_LIMIT(every_order_and_way, 120)
{
	int order[MAX_OPEN] = { 0, 1, 2, 3 };
	struct fixture f;
	int nr;

	fixture_init(&f, 4096, 1, 0);
	for (nr = 1; nr <= MAX_OPEN; nr++)
		permute(&f, nr, order, 0, 0);
}

/* The same where an eighth, and with it a checkpoint, falls among them. */
TEST_LIMIT(every_order_and_way_over_an_eighth, 120)
{
	int order[MAX_OPEN] = { 0, 1, 2, 3 };
	struct fixture f;
	size_t first;

	fixture_init(&f, 4096, 1, 0);
	for (first = 408; first <= 512; first += 8)
		permute(&f, 3, order, 0, first);
}

/* A window of open reservations that never closes, over many laps. */
TEST(always_some_open)
{
	struct shmchan_reservation rsv[8];
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r, late;
	struct fixture f;
	uint64_t i;

	fixture_init(&f, 4096, 2, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (i = 0; i < 8; i++)
		CHECK_EQ(shmchan_lane_reserve(&w, 48, &rsv[i]), 0);
	for (i = 0; i < 5000; i++) {
		fill(rsv[i % 8].data, 48, i);
		CHECK_EQ(shmchan_lane_commit(&w, &rsv[i % 8], 48, (uint32_t)i,
					     0), 0);
		CHECK_RECV(&r, 48, i);
		CHECK_EQ(shmchan_lane_reserve(&w, 48, &rsv[i % 8]), 0);
		CHECK_EQ(w.nr_open, 8);
		/* Checkpoints keep up, so others can still come. */
		if (i % 500 == 499) {
			fixture_reader(&f, &late, 1, SHMCHAN_FROM_NOW);
			CHECK_EQ(late.records, i + 1);
			CHECK_RECV_ERR(&late, -EAGAIN);
			shmchan_lane_leave(&late);
		}
	}
}

TEST(own_reservations_can_fill_the_lane)
{
	struct shmchan_reservation rsv[128], more;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	int nr = 0, err, i;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	while (!(err = shmchan_lane_reserve(&w, 100, &rsv[nr])))
		nr++;
	CHECK_EQ(err, -ENOBUFS);
	CHECK_GE(nr, 30);
	for (i = 0; i < nr; i++) {
		fill(rsv[i].data, 100, (uint64_t)i);
		CHECK_EQ(shmchan_lane_commit(&w, &rsv[i], 100, (uint32_t)i, 0),
			 0);
	}
	for (i = 0; i < nr; i++)
		CHECK_RECV(&r, 100, (uint64_t)i);
	CHECK_EQ(shmchan_lane_reserve(&w, 100, &more), 0);
	CHECK_EQ(shmchan_lane_commit(&w, &more, 101, 0, 0), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "101 bytes of a reservation of");
	CHECK_EQ(shmchan_lane_abort(&w, &more), 0);
}

/* An abort uncovers what was committed behind it: then the bell is due. */
TEST(abort_rings_for_what_it_uncovers)
{
	struct shmchan_reservation a, b;
	struct shmchan_lane_writer w;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	CHECK_EQ(shmchan_lane_reserve(&w, 8, &a), 0);
	CHECK_EQ(shmchan_lane_reserve(&w, 8, &b), 0);
	CHECK_EQ(shmchan_lane_commit(&w, &b, 8, 0, 0), 0);
	f.waiters[0] = 1;
	CHECK_EQ(shmchan_lane_abort(&w, &a), 1);
}

/*
 * Aborting the newest takes the tail back over the end of the ring: what comes
 * next may be longer than what was there, and must not be laid over that end.
 */
TEST(abort_goes_back_over_the_end_of_the_ring)
{
	struct shmchan_reservation a, b;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	int i;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (i = 0; i < 63; i++) {
		CHECK_EQ(send_seed(&w, 56, 1), 0);
		CHECK_RECV(&r, 56, 1);
	}
	CHECK_EQ(shmchan_lane_reserve(&w, 56, &a), 0);
	CHECK_EQ(shmchan_lane_reserve(&w, 8, &b), 0);
	CHECK_EQ(b.pos, 4096);
	CHECK_EQ(shmchan_lane_abort(&w, &b), 0);
	CHECK_EQ(shmchan_lane_abort(&w, &a), 0);
	CHECK_EQ(w.tail, 4096 - 64);
	CHECK_EQ(send_seed(&w, 100, 2), 0);
	CHECK_EQ(w.tail, 4096 + 112);
	CHECK_RECV(&r, 100, 2);
	CHECK_RECV_ERR(&r, -EAGAIN);
}

TEST(close_aborts_what_is_open)
{
	struct shmchan_reservation a, b;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(shmchan_lane_reserve(&w, 8, &a), 0);
	CHECK_EQ(send_seed(&w, 9, 9), 0);
	CHECK_EQ(shmchan_lane_reserve(&w, 8, &b), 0);
	CHECK_EQ(shmchan_lane_close(&w), 0);
	CHECK_RECV(&r, 9, 9);
	CHECK_RECV_ERR(&r, -EPIPE);
}

TEST_MAIN
