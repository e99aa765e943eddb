// SPDX-License-Identifier: GPL-2.0-only

/*
 * Channels: the other side scribbles over all that it may write, and more.
 * Whatever comes of it: no crash, no hang, nothing touched that is not ours.
 */

#include <pthread.h>

#include "spsc_fixture.h"

#define CAPACITY	4096

/* With SHMCHAN_DEBUG a reservation whose header was written over is none. */
#ifdef SHMCHAN_DEBUG
#define SCRIBBLED_OVER	(-EINVAL)
#else
#define SCRIBBLED_OVER	0
#endif

static uint64_t next_random(uint64_t *rnd)
{
	*rnd ^= *rnd << 13;
	*rnd ^= *rnd >> 7;
	*rnd ^= *rnd << 17;
	return *rnd;
}

/* Words that look like something, and words that do not. */
static uint64_t nasty(uint64_t *rnd, uint64_t near)
{
	uint64_t x = next_random(rnd);

	switch (x >> 61) {
	case 0:
		return 0;
	case 1:
		return x;
	case 2:
		return near + (x >> 50 & 127) * 8;
	case 3:
		return near - (x >> 50 & 1023);
	case 4:
		return ~0ULL - (x & 63);
	case 5:
		return (uint64_t)((x >> 20 & 63) + 1) << 32 | 8 * (x >> 4 & 7);
	default:
		return shmchan_hdr(x >> 30 & 1023, (uint32_t)x & 7,
				   (uint32_t)(x >> 50));
	}
}

static void scribble(uint64_t *words, size_t nr, uint64_t *rnd, uint64_t near)
{
	size_t i = next_random(rnd) % nr;

	shmchan_store_relaxed(&words[i], nasty(rnd, near));
}

/* The receiver's view of a sender that is not one. */
TEST_LIMIT(hostile_sender, 60)
{
	uint64_t rnd = 88172645463325252ULL, i, counts[64] = { 0 };
	struct shmchan_spsc tx, rx;
	static uint8_t buf[CAPACITY];
	const void *data;
	uint32_t meta = 0;
	size_t len = 0;
	int err, n, round;

	for (round = 0; round < HARNESS_ROUNDS(400); round++) {
		open_as(&tx, "hostile", SHMCHAN_SENDER, CAPACITY, -1);
		open_as(&rx, "hostile", SHMCHAN_RECEIVER, CAPACITY, -1);
		for (i = 0; i < 300; i++) {
			uint64_t near = rx.r.pos;

			for (n = (int)(next_random(&rnd) % 8); n; n--) {
				scribble((uint64_t *)(void *)tx.w.lane.ring,
					 CAPACITY / 8, &rnd, near);
				/* Where it reads next, most of all. */
				shmchan_store_relaxed(
					shmchan_lane__at(&tx.w, rx.r.pos),
					nasty(&rnd, near));
				scribble((uint64_t *)(void *)tx.w.lane.control,
					 24, &rnd, near);
			}
			switch (next_random(&rnd) % 3) {
			case 0:
				err = shmchan_spsc_recv(&rx, buf, sizeof(buf),
							&len, &meta, 0);
				if (!err)
					CHECK_LE(len, CAPACITY / 4 - 8);
				break;
			case 1:
				err = shmchan_spsc_recv_n(&rx, buf, 8,
							  CAPACITY / 8, &meta,
							  100000);
				if (err > 0)
					err = 0;
				break;
			default:
				err = shmchan_spsc_peek(&rx, &data, &len, &meta,
							0);
				if (!err) {
					CHECK_GE((const uint8_t *)data,
						 rx.r.ring);
					CHECK_LE((const uint8_t *)data + len,
						 rx.r.ring + CAPACITY);
					memcpy(buf, data, len);
					shmchan_spsc_release(&rx);
				}
			}
			CHECK(-err >= 0 && (err > -64 || err == -EMSGSIZE ||
			      err == -ETIMEDOUT || err == -EBADMSG ||
			      err == -EOWNERDEAD));
			counts[-err & 63]++;
			/* It is stuck at nonsense: look elsewhere. */
			if (err == -EBADMSG)
				shmchan_lane__move(&rx.r, rx.r.pos +
					8 * (next_random(&rnd) % 64));
		}
		shmchan_spsc_close(&rx);
		/* Its own end as well: it may be its memory that is broken. */
		shmchan_spsc_close(&tx);
	}
	note("%llu messages, %llu times nothing, %llu times EBADMSG",
	     (unsigned long long)counts[0],
	     (unsigned long long)counts[EAGAIN],
	     (unsigned long long)counts[EBADMSG & 63]);
	CHECK_GT(counts[0], 0);
	CHECK_GT(counts[EBADMSG & 63], 0);
}

/* The sender's view of a receiver that is not one, or of both windows. */
static void hostile_receiver(int all)
{
	uint64_t rnd = 88172645463325252ULL, i, sent = 0, again = 0, bad = 0;
	struct shmchan_reservation rsv[4];
	struct shmchan_spsc tx, rx;
	static uint8_t buf[CAPACITY];
	int err, round, open, n;

	for (round = 0; round < HARNESS_ROUNDS(300); round++) {
		struct shmchan_lane_cursor *cursor;

		open_as(&tx, "hostile", SHMCHAN_SENDER, CAPACITY, -1);
		open_as(&rx, "hostile", SHMCHAN_RECEIVER, CAPACITY, -1);
		cursor = shmchan_lane_cursor(&rx.r.lane, 0);
		open = 0;
		for (i = 0; i < 300; i++) {
			scribble((uint64_t *)(void *)cursor, 8, &rnd,
				 tx.w.tail);
			if (next_random(&rnd) % 2)
				cursor->pos = tx.w.tail & ~63ULL;
			for (n = 0; all && n < 4; n++) {
				scribble((uint64_t *)(void *)tx.w.lane.ring,
					 CAPACITY / 8, &rnd, tx.w.tail);
				scribble((uint64_t *)(void *)tx.w.lane.control,
					 24, &rnd, tx.w.tail);
			}
			switch (next_random(&rnd) % 5) {
			case 0:
				err = shmchan_spsc_send(&tx, buf,
					next_random(&rnd) % 1024, 0, 0, 0);
				break;
			case 1:
				err = shmchan_spsc_send(&tx, buf,
					next_random(&rnd) % 1024, 0, 0, 50000);
				break;
			case 2:
				err = shmchan_spsc_send_n(&tx, buf, 8,
					1 + next_random(&rnd) % 200, 0, 0);
				if (err > 0)
					err = 0;
				break;
			case 3:
				err = 0;
				if (open < 4)
					err = shmchan_spsc_reserve(&tx,
						next_random(&rnd) % 200,
						&rsv[open], 0);
				if (!err && open < 4)
					open++;
				break;
			default:
				err = 0;
				if (!open)
					break;
				open--;
				memset(rsv[open].data, 1, rsv[open].length);
				err = next_random(&rnd) % 2 ?
				      shmchan_spsc_commit(&tx, &rsv[open],
					next_random(&rnd) %
					(rsv[open].length + 1), 0, 0) :
				      shmchan_spsc_abort(&tx, &rsv[open]);
			}
			sent += !err;
			again += err == -EAGAIN || err == -ETIMEDOUT;
			bad += err == -EBADMSG;
			CHECK(err == 0 || err == -EAGAIN || err == -ETIMEDOUT ||
			      err == -EMSGSIZE || err == -EBADMSG ||
			      err == -ENOBUFS || err == SCRIBBLED_OVER);
			CHECK_LE(tx.w.tail, tx.w.limit);
		}
		shmchan_spsc_close(&rx);
		shmchan_spsc_close(&tx);
	}
	note("%llu done, %llu times no room, %llu times EBADMSG",
	     (unsigned long long)sent, (unsigned long long)again,
	     (unsigned long long)bad);
	CHECK_GT(sent, 1000);
	CHECK_GT(again, 0);
	CHECK_GT(bad, 0);
}

TEST_LIMIT(hostile_cursor, 60)
{
	hostile_receiver(0);
}

TEST_LIMIT(hostile_everything, 60)
{
	hostile_receiver(1);
}

struct scribbler {
	struct shmchan_spsc *tx;
	struct shmchan_spsc *rx;
	_Atomic int stop;
};

static void *keep_scribbling(void *arg)
{
	struct scribbler *job = arg;
	uint64_t rnd = 3, near = 0;

	while (!job->stop) {
		scribble((uint64_t *)(void *)job->tx->w.lane.ring, CAPACITY / 8,
			 &rnd, near);
		scribble((uint64_t *)(void *)job->tx->w.lane.control, 24, &rnd,
			 near);
		scribble((uint64_t *)(void *)job->rx->r.cursor, 8, &rnd, near);
		near = shmchan_load_relaxed(&job->tx->w.lane.control->floor);
	}
	return NULL;
}

/* Both ends work, and somebody scribbles meanwhile. */
TEST_LIMIT(scribbled_while_it_runs, 60)
{
	struct shmchan_spsc tx, rx;
	struct scribbler job = { .tx = &tx, .rx = &rx };
	uint64_t rnd = 3, end, sent = 0, got = 0;
	uint8_t buf[CAPACITY] = { 0 };
	pthread_t thread;
	int err;

#ifdef SHMCHAN_TSAN
	SKIP("the races are meant");
#endif
	open_as(&rx, "live", SHMCHAN_RECEIVER, CAPACITY, 0);
	open_as(&tx, "live", SHMCHAN_SENDER, CAPACITY, 0);
	CHECK_EQ(pthread_create(&thread, NULL, keep_scribbling, &job), 0);
	end = now_ns() + 2000 * MS;
	while (now_ns() < end) {
		err = shmchan_spsc_send(&tx, buf, next_random(&rnd) % 1024, 0,
					0, (int64_t)(next_random(&rnd) % 20000));
		CHECK(err <= 0);
		sent += !err;
		err = shmchan_spsc_recv(&rx, buf, sizeof(buf), NULL, NULL,
					(int64_t)(next_random(&rnd) % 20000));
		CHECK(err <= 0);
		got += !err;
		if (err == -EBADMSG)
			(void)shmchan_lane_reader_rejoin(&rx.r,
							 SHMCHAN_FROM_OLDEST);
	}
	job.stop = 1;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	note("%llu sent, %llu received", (unsigned long long)sent,
	     (unsigned long long)got);
	CHECK_GT(sent + got, 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
}

/* Where both sides say nonsense a receiver finds no place to begin, and is told so. */
TEST(no_place_to_begin)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .capacity = CAPACITY);
	struct shmchan_spsc tx, rx;

	open_as(&tx, "begin", SHMCHAN_SENDER, CAPACITY, -1);
	open_as(&rx, "begin", SHMCHAN_RECEIVER, CAPACITY, -1);
	shmchan_store_relaxed(&rx.r.cursor->pos, (uint64_t)7);
	shmchan_spsc_close(&rx);
	memset(tx.w.lane.control, 0xff, sizeof(*tx.w.lane.control));
	CHECK_EQ(shmchan_spsc_open(&rx, test_name("begin"), &opts), -EBADMSG);
	CHECK_SAYS(shmchan_error_detail(), "the sender breaks the rules");
	shmchan_spsc_close(&tx);
}

TEST_MAIN
