// SPDX-License-Identifier: GPL-2.0-only

/*
 * Lanes: a writer and its readers in one process over one mapping, so that
 * ThreadSanitizer sees both sides of every race.
 */

#include <pthread.h>
#include <sched.h>

#include "lane_fixture.h"

#define MAX_LEN	200

struct job {
	struct fixture *f;
	uint32_t index;
	uint64_t records;
	uint64_t received;
	uint64_t lost;
	int zero_copy;
	_Atomic int *ready;
	_Atomic int *stop;
};

static size_t length_of(uint64_t n)
{
	return 8 + n * 31 % (MAX_LEN - 8);
}

static void send_records(struct job *job, struct shmchan_lane_writer *w)
{
	struct shmchan_reservation rsv;
	uint8_t buf[MAX_LEN];
	uint64_t n;
	int err;

	for (n = 0; n < job->records; n++) {
		size_t len = length_of(n);

		fill(buf, len, n);
		do {
			if (n % 3) {
				err = shmchan_lane_send(w, buf, len, (uint32_t)n,
							n % 2 ? SHMCHAN_MORE : 0);
			} else {
				err = shmchan_lane_reserve(w, MAX_LEN, &rsv);
				if (!err) {
					shmchan_lane_fill(w, &rsv, 0, buf, len);
					err = shmchan_lane_commit(w, &rsv, len,
						(uint32_t)n, 0);
				}
			}
			if (err == -EAGAIN)
				sched_yield();
		} while (err == -EAGAIN);
		CHECK_EQ(err, 0);
	}
	CHECK_EQ(shmchan_lane_close(w), 0);
}

static int recv_one(struct job *job, struct shmchan_lane_reader *r,
		    uint8_t *buf, size_t *len, uint32_t *meta)
{
	const void *data;
	int err;

	if (!job->zero_copy)
		return shmchan_lane_recv(r, buf, MAX_LEN, len, meta);
	err = shmchan_lane_peek(r, &data, len, meta);
	if (err)
		return err;
	memcpy(buf, data, *len);
	shmchan_lane_release(r);
	return 0;
}

static void *receive(void *arg)
{
	struct shmchan_lane_reader r;
	struct job *job = arg;
	uint8_t buf[MAX_LEN];
	uint64_t next = 0;
	uint32_t meta;
	size_t len;
	int err;

	fixture_reader(job->f, &r, job->index,
		       job->f->geo.flags & SHMCHAN_LANE_HOLD ?
		       SHMCHAN_FROM_CURSOR : SHMCHAN_FROM_OLDEST);
	next = r.records;
	(*job->ready)++;
	for (;;) {
		err = recv_one(job, &r, buf, &len, &meta);
		if (err == -EAGAIN) {
			sched_yield();
			continue;
		}
		if (err == -EPIPE)
			break;
		if (err == -EOVERFLOW) {
			next += r.lost;
			job->lost += r.lost;
			continue;
		}
		CHECK_EQ(err, 0);
		CHECK_EQ(meta, (uint32_t)next);
		CHECK_EQ(len, length_of(next));
		CHECK(filled(buf, len, next));
		next++;
		job->received++;
		/* Now and then slow, so that it is passed. */
		if (job->f->geo.flags & SHMCHAN_LANE_PASSABLE &&
		    next % 1000 < 3)
			sched_yield();
	}
	CHECK_EQ(next, job->records);
	shmchan_lane_leave(&r);
	return NULL;
}

static void threads(uint32_t flags, int nr, int zero_copy, uint64_t records)
{
	_Atomic int ready = 0;
	struct shmchan_lane_writer w;
	struct job job[4] = { 0 };
	pthread_t thread[4];
	struct fixture f;
	int i;

	fixture_init(&f, 8192, (uint32_t)nr, flags);
	fixture_writer(&f, &w);
	for (i = 0; i < nr; i++) {
		job[i].f = &f;
		job[i].index = (uint32_t)i;
		job[i].records = records;
		job[i].zero_copy = zero_copy;
		job[i].ready = &ready;
		CHECK_EQ(pthread_create(&thread[i], NULL, receive, &job[i]), 0);
	}
	while (ready < nr)
		sched_yield();
	send_records(&job[0], &w);
	for (i = 0; i < nr; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	for (i = 0; i < nr; i++) {
		CHECK_EQ(job[i].received + job[i].lost, records);
		if (!(flags & SHMCHAN_LANE_PASSABLE))
			CHECK_EQ(job[i].lost, 0);
	}
	note("%d readers, flags %#x: received %llu lost %llu", nr, flags,
	     (unsigned long long)job[0].received,
	     (unsigned long long)job[0].lost);
}

TEST_LIMIT(one_reader, 120)
{
	threads(SHMCHAN_LANE_HOLD, 1, 0, HARNESS_ROUNDS(400000));
}

TEST_LIMIT(one_reader_zero_copy, 120)
{
	threads(SHMCHAN_LANE_HOLD, 1, 1, HARNESS_ROUNDS(400000));
}

TEST_LIMIT(three_readers, 120)
{
	threads(0, 3, 0, HARNESS_ROUNDS(100000));
}

TEST_LIMIT(overwriting, 120)
{
	threads(SHMCHAN_LANE_OVERWRITE, 1, 0, HARNESS_ROUNDS(1000000));
}

TEST_LIMIT(overwriting_three_readers, 120)
{
	threads(SHMCHAN_LANE_OVERWRITE, 3, 0, HARNESS_ROUNDS(300000));
}

struct batch_job {
	struct fixture *f;
	uint64_t records;
	_Atomic int ready;
};

static void *receive_batches(void *arg)
{
	struct batch_job *job = arg;
	struct shmchan_lane_reader r;
	uint64_t buf[100], next = 0;
	uint32_t meta = 0;
	int n, i;

	fixture_reader(job->f, &r, 0, SHMCHAN_FROM_OLDEST);
	job->ready = 1;
	while (next < job->records) {
		n = shmchan_lane_recv_n(&r, buf, 8, 1 + next % 100, &meta);
		if (n == -EAGAIN) {
			sched_yield();
			continue;
		}
		if (n == -EOVERFLOW) {
			next += r.lost;
			continue;
		}
		if (n == -EPIPE)
			break;
		CHECK_GT(n, 0);
		for (i = 0; i < n; i++)
			CHECK_EQ(buf[i], next++);
	}
	CHECK_EQ(next, job->records);
	return NULL;
}

static void batches(uint32_t flags)
{
	struct batch_job job = { 0 };
	struct shmchan_lane_writer w;
	uint64_t buf[150], next = 0, i;
	pthread_t thread;
	struct fixture f;
	int n, ring;

	fixture_init(&f, 8192, 1, flags);
	fixture_writer(&f, &w);
	job.f = &f;
	job.records = HARNESS_ROUNDS(2000000);
	CHECK_EQ(pthread_create(&thread, NULL, receive_batches, &job), 0);
	while (!job.ready)
		sched_yield();
	while (next < job.records) {
		size_t want = 1 + next % 150;

		if (want > job.records - next)
			want = job.records - next;
		for (i = 0; i < want; i++)
			buf[i] = next + i;
		n = shmchan_lane_send_n(&w, buf, 8, want, 0, 0, &ring);
		if (n == -EAGAIN) {
			sched_yield();
			continue;
		}
		CHECK_GT(n, 0);
		next += (uint64_t)n;
	}
	CHECK_EQ(shmchan_lane_close(&w), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST_LIMIT(batches_blocking, 120)
{
	batches(0);
}

TEST_LIMIT(batches_overwriting, 120)
{
	batches(SHMCHAN_LANE_OVERWRITE);
}

/* Readers that come and go while the writer runs: the handshake of joining. */
static void *come_and_go(void *arg)
{
	struct job *job = arg;
	struct shmchan_lane_reader r;
	uint8_t buf[MAX_LEN];
	uint64_t next, rnd = job->index + 1;
	uint32_t meta;
	size_t len;
	int err, turns;

	while (!*job->stop) {
		rnd = rnd * 6364136223846793005ULL + 1;
		err = shmchan_lane_reader_join(&r, &job->f->lane, job->index, 1,
					       rnd >> 63 ? SHMCHAN_FROM_OLDEST :
							   SHMCHAN_FROM_NOW,
					       NULL, NULL, NULL);
		if (err == -EAGAIN)
			continue;
		CHECK_EQ(err, 0);
		next = r.records;
		for (turns = (int)(rnd >> 55 & 63); turns && !*job->stop;) {
			err = shmchan_lane_recv(&r, buf, sizeof(buf), &len,
						&meta);
			if (err == -EPIPE)
				break;
			if (err == -EAGAIN) {
				sched_yield();
				continue;
			}
			if (err == -EOVERFLOW) {
				next += r.lost;
				continue;
			}
			CHECK_EQ(err, 0);
			CHECK_EQ(meta, (uint32_t)next);
			CHECK_EQ(len, length_of(next));
			CHECK(filled(buf, len, next));
			next++;
			turns--;
		}
		job->received++;
		shmchan_lane_leave(&r);
	}
	return NULL;
}

static void joiners(uint32_t flags)
{
	_Atomic int stop = 0, ready = 0;
	struct shmchan_lane_writer w;
	struct job job[2] = { 0 };
	pthread_t thread[2];
	struct fixture f;
	int i;

	fixture_init(&f, 4096, 2, flags);
	fixture_writer(&f, &w);
	for (i = 0; i < 2; i++) {
		job[i].f = &f;
		job[i].index = (uint32_t)i;
		job[i].records = HARNESS_ROUNDS(200000);
		job[i].ready = &ready;
		job[i].stop = &stop;
		CHECK_EQ(pthread_create(&thread[i], NULL, come_and_go, &job[i]),
			 0);
	}
	send_records(&job[0], &w);
	stop = 1;
	for (i = 0; i < 2; i++) {
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
		CHECK_GT(job[i].received, 0);
	}
	note("flags %#x: joined %llu and %llu times", flags,
	     (unsigned long long)job[0].received,
	     (unsigned long long)job[1].received);
}

TEST_LIMIT(joining_a_running_lane, 120)
{
	joiners(0);
}

TEST_LIMIT(joining_a_running_overwriting_lane, 120)
{
	joiners(SHMCHAN_LANE_OVERWRITE);
}

TEST_MAIN
