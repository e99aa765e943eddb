// SPDX-License-Identifier: GPL-2.0-only

/*
 * Lanes of who is revoked: both ends notice, and say nothing else.
 *
 * What the kernel does is done here by hand: in place of the status area, and
 * then of the rest, comes private memory, all zero at first.
 */

#include <pthread.h>
#include <sched.h>
#include <sys/uio.h>

#include "lane_fixture.h"

static void zeros_at(void *base, uint64_t size)
{
	CHECK(mmap(base, size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == base);
}

static void take_away(struct fixture *f)
{
	zeros_at(f->slots, 4096);
	zeros_at(f->base, f->size);
}

/* All that a reader can call. */
static void reader_is_told(struct shmchan_lane_reader *r)
{
	uint8_t buf[64];
	uint32_t meta;
	size_t len;
	int i;

	for (i = 0; i < 3; i++) {
		CHECK_EQ(shmchan_lane_recv(r, buf, sizeof(buf), &len, &meta),
			 -ESTALE);
		CHECK_SAYS(shmchan_error_detail(), "no longer a member");
		CHECK_EQ(shmchan_lane_recv_n(r, buf, 8, 8, &meta), -ESTALE);
		CHECK_EQ(shmchan_lane_reader_check(r), -ESTALE);
		CHECK_EQ(shmchan_lane_release(r), -ESTALE);
		CHECK(shmchan_lane_pending(r));
	}
	CHECK_EQ(shmchan_lane_reader_rejoin(r, SHMCHAN_FROM_OLDEST), -ESTALE);
	CHECK_EQ(shmchan_lane_reader_rejoin(r, SHMCHAN_FROM_NOW), -ESTALE);
	CHECK_EQ(shmchan_lane_recv(r, buf, sizeof(buf), &len, &meta), -ESTALE);
	shmchan_lane_publish(r);
	shmchan_lane_leave(r);
}

enum before { NOBODY, EMPTY, RECORDS, IN_A_RUN, RESERVED, ENDED, DEAD, BEFORES };

static void revoked_reader(uint32_t flags, enum before before)
{
	uint64_t values[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, got;
	struct shmchan_lane_sender sender;
	struct shmchan_reservation rsv;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	const void *data = NULL;
	struct fixture f;
	uint32_t meta;
	size_t len;
	int ring;

	fixture_init(&f, 4096, 1, flags);
	if (before == NOBODY)
		fixture_slot(&f, FIXTURE_WRITER, 0, SHMCHAN_SLOT_FREE);
	else
		fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, flags & SHMCHAN_LANE_HOLD ?
		       SHMCHAN_FROM_CURSOR : SHMCHAN_FROM_OLDEST);
	CHECK_RECV_ERR(&r, -EAGAIN);
	switch (before) {
	case RECORDS:
		CHECK_EQ(send_seed(&w, 40, 1), 0);
		CHECK_EQ(send_seed(&w, 40, 2), 0);
		CHECK_RECV(&r, 40, 1);
		break;
	case IN_A_RUN:
		CHECK_EQ(shmchan_lane_send_n(&w, values, 8, 8, 0, 0, &ring), 8);
		CHECK_EQ(shmchan_lane_recv_n(&r, &got, 8, 1, &meta), 1);
		break;
	case RESERVED:
		CHECK_EQ(shmchan_lane_reserve(&w, 40, &rsv), 0);
		CHECK_RECV_ERR(&r, -EAGAIN);
		break;
	case ENDED:
		CHECK_EQ(shmchan_lane_close(&w), 0);
		CHECK_RECV_ERR(&r, -EPIPE);
		break;
	case DEAD:
		fixture_slot(&f, FIXTURE_WRITER, 1, SHMCHAN_SLOT_DIED);
		CHECK_RECV_ERR(&r, -EOWNERDEAD);
		break;
	default:
		break;
	}
	CHECK_EQ(shmchan_lane_reader_check(&r), 0);
	take_away(&f);
	CHECK_EQ(shmchan_lane_reader_sender(&r, &sender), -ESTALE);
	if (!(flags & SHMCHAN_LANE_PASSABLE) && before != IN_A_RUN)
		CHECK_EQ(shmchan_lane_peek(&r, &data, &len, &meta), -ESTALE);
	reader_is_told(&r);
	fixture_free(&f);
}

TEST(readers_in_every_state)
{
	static const uint32_t flags[] = {
		0, SHMCHAN_LANE_HOLD, SHMCHAN_LANE_OVERWRITE,
		SHMCHAN_LANE_EVICT,
	};
	unsigned int i;
	int before;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		for (before = 0; before < BEFORES; before++)
			revoked_reader(flags[i], (enum before)before);
}

/* What was peeked at is void if it is revoked before it is released. */
TEST(a_look_that_is_void)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	const void *data;
	struct fixture f;
	uint32_t meta;
	size_t len;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(send_seed(&w, 40, 1), 0);
	CHECK_EQ(shmchan_lane_peek(&r, &data, &len, &meta), 0);
	CHECK_EQ(shmchan_lane_reader_check(&r), 0);
	CHECK(filled(data, len, 1));
	take_away(&f);
	CHECK_EQ(shmchan_lane_release(&r), -ESTALE);
	fixture_free(&f);

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(send_seed(&w, 40, 1), 0);
	CHECK_EQ(shmchan_lane_peek_spec(&r, &data, &len, &meta), 0);
	CHECK_EQ(shmchan_lane_still_valid(&r), 1);
	take_away(&f);
	CHECK_EQ(shmchan_lane_still_valid(&r), 0);
	CHECK_EQ(shmchan_lane_peek_spec(&r, &data, &len, &meta), -ESTALE);
}

/* Without a cursor the lane does not know who we are, unless it is told. */
TEST(readers_without_a_cursor)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_OVERWRITE);
	fixture_writer(&f, &w);
	CHECK_EQ(shmchan_lane_reader_join(&r, &f.lane, SHMCHAN_NO_CURSOR, 1,
					  SHMCHAN_FROM_OLDEST, NULL, NULL,
					  NULL), 0);
	CHECK_EQ(shmchan_lane_reader_slot(&r, FIXTURE_SLOTS), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "200 slots");
	fixture_slot(&f, 5, 9, SHMCHAN_SLOT_DIED);
	CHECK_EQ(shmchan_lane_reader_slot(&r, 5), -ESTALE);
	CHECK_EQ(shmchan_lane_reader_slot(&r, 6), 0);
	CHECK_RECV_ERR(&r, -EAGAIN);
	take_away(&f);
	CHECK_RECV_ERR(&r, -ESTALE);
	fixture_free(&f);

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(shmchan_lane_reader_slot(&r, 6), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "cursor");
}

/* All that a writer can call, and does look. */
static void writer_is_told(struct shmchan_lane_writer *w)
{
	uint64_t values[4] = { 0 };
	struct shmchan_reservation rsv;
	struct iovec iov = { values, sizeof(values) };
	int ring = 7, i, err;

	/* Up to an eighth is not worth a look at each. */
	for (i = 0; i < 4096 / 8; i++) {
		err = shmchan_lane_send(w, values, 8, 0, 0);
		if (err)
			break;
	}
	CHECK_EQ(err, -ESTALE);
	CHECK_LE(i, 512 / 16);
	CHECK_SAYS(shmchan_error_detail(), "no longer a member");
	CHECK_EQ(shmchan_lane_send(w, values, 8, 0, 0), -ESTALE);
	CHECK_EQ(shmchan_lane_reserve(w, 800, &rsv), -ESTALE);
	CHECK_EQ(shmchan_lane_sendv(w, &iov, 1, 0, 0), -ESTALE);
	CHECK_EQ(shmchan_lane_send_n(w, values, 8, 4, 0, 0, &ring), -ESTALE);
	CHECK_EQ(shmchan_lane_flush(w), -ESTALE);
	CHECK_EQ(shmchan_lane_writer_check(w), -ESTALE);
	if (w->flags & SHMCHAN_LANE_EVICT)
		CHECK_EQ(shmchan_lane_evict(w, 8), -ESTALE);
	CHECK_EQ(shmchan_lane_close(w), -ESTALE);
}

static void revoked_writer(uint32_t flags, int sent, int open)
{
	struct shmchan_reservation rsv[2];
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	int i;

	fixture_init(&f, 4096, 1, flags);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, flags & SHMCHAN_LANE_HOLD ?
		       SHMCHAN_FROM_CURSOR : SHMCHAN_FROM_OLDEST);
	for (i = 0; i < sent; i++)
		if (send_seed(&w, 40, (uint64_t)i))
			break;
	for (i = 0; i < open; i++)
		if (shmchan_lane_reserve(&w, 24, &rsv[i]))
			break;
	CHECK_EQ(shmchan_lane_writer_check(&w), 0);
	take_away(&f);
	/* What is open can be done with, for all the good it does. */
	while (i--)
		(void)shmchan_lane_commit(&w, &rsv[i], 24, 0, 0);
	writer_is_told(&w);
	fixture_free(&f);
}

TEST(writers_in_every_state)
{
	static const uint32_t flags[] = {
		0, SHMCHAN_LANE_HOLD, SHMCHAN_LANE_OVERWRITE,
		SHMCHAN_LANE_EVICT, SHMCHAN_LANE_POLL,
	};
	unsigned int i;
	int sent, open;

	for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		for (sent = 0; sent < 200; sent += 7)
			for (open = 0; open < 3; open++)
				revoked_writer(flags[i], sent, open);
}

/* A full lane looks as if a reader held it. */
TEST(a_full_lane)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_HOLD);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_CURSOR);
	while (!send_seed(&w, 40, 1))
		;
	CHECK_EQ(send_seed(&w, 40, 1), -EAGAIN);
	take_away(&f);
	CHECK_EQ(send_seed(&w, 40, 1), -ESTALE);
}

TEST(who_is_out_does_not_get_in)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	/* Another generation than has the slot. */
	CHECK_EQ(shmchan_lane_writer_attach(&w, &f.lane, 2, f.waiters),
		 -ESTALE);
	CHECK_EQ(shmchan_lane_reader_join(&r, &f.lane, 0, 2,
					  SHMCHAN_FROM_OLDEST, NULL, NULL,
					  NULL), -ESTALE);
	take_away(&f);
	CHECK_EQ(shmchan_lane_writer_attach(&w, &f.lane, 1, f.waiters),
		 -ESTALE);
	CHECK_EQ(shmchan_lane_reader_join(&r, &f.lane, 0, 1,
					  SHMCHAN_FROM_OLDEST, NULL, NULL,
					  NULL), -ESTALE);
}

/*
 * A stream, and a reader whose own view of it goes while it reads: no record
 * that it gets is other than it was sent.
 */
struct view {
	struct fixture own;		/* the reader's mappings */
	struct fixture f;
	uint64_t got;
	uint32_t ready;
	uint32_t over;
};

/* A second mapping of the same shared pages. */
static void *map_again(void *from, uint64_t size)
{
	void *to = mremap(from, 0, size, MREMAP_MAYMOVE);

	CHECK(to != MAP_FAILED);
	return to;
}

static void *read_on(void *arg)
{
	struct view *v = (struct view *)arg;
	struct shmchan_lane_reader r;
	uint64_t buf[128];
	uint32_t meta = 0;
	size_t len, i;
	int n;

	fixture_reader(&v->own, &r, 0, SHMCHAN_FROM_OLDEST);
	for (;;) {
		n = shmchan_lane_recv(&r, buf, sizeof(buf), &len, &meta);
		if (n == -EAGAIN || n == -EOVERFLOW)
			continue;
		if (n)
			break;
		CHECK_EQ(len, sizeof(buf));
		for (i = 0; i < len / 8; i++)
			CHECK_EQ(buf[i], meta);
		/* From now on both are at it. */
		if (!v->got++)
			shmchan_store_seq_cst(&v->ready, 1);
	}
	CHECK_EQ(n, -ESTALE);
	return NULL;
}

static void *write_on(void *arg)
{
	struct view *v = (struct view *)arg;
	struct shmchan_lane_writer w;
	uint64_t buf[128];
	uint32_t n = 1;
	size_t i;

	fixture_writer(&v->f, &w);
	while (!shmchan_load_relaxed(&v->over)) {
		for (i = 0; i < sizeof(buf) / 8; i++)
			buf[i] = n;
		if (!shmchan_lane_send(&w, buf, sizeof(buf), n, 0))
			n++;
	}
	return NULL;
}

static uint64_t torn(uint32_t flags, unsigned int us)
{
	pthread_t reader, writer;
	struct view v = { .got = 0 };
	uint64_t end;

	fixture_init(&v.f, 65536, 1, flags);
	v.own = v.f;
	v.own.base = map_again(v.f.base, v.f.size);
	v.own.slots = map_again(v.f.slots, 4096);
	v.own.waiters = (uint32_t *)(void *)((uint8_t *)v.own.slots + 2048);
	CHECK_EQ(shmchan_lane_attach(&v.own.lane, v.own.base, v.f.size,
				     &v.f.geo, v.own.slots, FIXTURE_SLOTS), 0);
	CHECK(!pthread_create(&reader, NULL, read_on, &v));
	CHECK(!pthread_create(&writer, NULL, write_on, &v));
	while (!shmchan_load_seq_cst(&v.ready))
		sched_yield();
	for (end = now_ns() + us * 1000ULL; now_ns() < end;)
		;
	/* The kernel's order: its own area first, then all that is left. */
	zeros_at(v.own.slots, 4096);
	zeros_at(v.own.base, v.f.size);
	CHECK(!pthread_join(reader, NULL));
	shmchan_store_relaxed(&v.over, 1);
	CHECK(!pthread_join(writer, NULL));
	fixture_free(&v.own);
	fixture_free(&v.f);
	return v.got;
}

TEST_LIMIT(nothing_torn_passes, 60)
{
	uint64_t got = 0;
	unsigned int i;

#ifdef SHMCHAN_TSAN
	SKIP("a mapping that changes under its reader is meant");
#endif
	for (i = 0; i < (unsigned int)HARNESS_ROUNDS(300); i++)
		got += torn(i & 1 ? SHMCHAN_LANE_OVERWRITE : 0, i % 100 * 5);
	note("%llu records", (unsigned long long)got);
	CHECK_GT(got, 0);
}

TEST_MAIN
