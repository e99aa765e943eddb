// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of lanes, the writing end: in a lane with one reader that is not
 * to lose anything (HOLD).  What was committed is delivered, in order and once;
 * what was not never is; then comes the end; and the next writer goes on.
 */

#include <sys/uio.h>

#include "lane_stage.h"

#define FLAGS	SHMCHAN_LANE_HOLD
#define TAG	"lane"

struct job {
	uint64_t pos;		/* where it is to happen */
	size_t length;
	void (*before)(struct actor *a, const struct job *job);
	void (*op)(struct actor *a, const struct job *job);
	int n;
};

static struct shmchan_reservation rsv[8];
static uint8_t payload[8192];

static void setup(const struct crash_scenario *s)
{
	(void)s;
	keeper = stage_create(TAG);
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct actor w, r;

	stage_writer(&w, TAG, FLAGS);
	stage_reader(&r, TAG, FLAGS, SHMCHAN_FROM_CURSOR);
	stage_advance(&w, &r, job->pos);
	shmchan_lane_leave(&r.r);
	stage_leave(&r);
	if (job->before)
		job->before(&w, job);
	job->op(&w, job);
}

/* All there is, and how often an end was said. */
static void collect(struct actor *r, struct records *l, int *ends)
{
	uint64_t seed;
	int err, silent = 0;

	*ends = 0;
	while (silent < 3) {
		err = stage_recv(r, &seed);
		if (!err) {
			add(l, (uint32_t)seed);
			silent = 0;
			continue;
		}
		CHECK(err == -EAGAIN || err == -EOWNERDEAD || err == -EPIPE);
		*ends += err != -EAGAIN && !silent;
		silent++;
	}
}

/* Told at least once, and no more often than writers ended. */
static void check_ends(int ends)
{
	CHECK_GE(ends, 1);
	CHECK_LE(ends, found->writers ? found->writers : 1);
}

/* The next writer and the reader go on, for a lap. */
static void go_on(struct actor *w, struct actor *r)
{
	uint64_t seed, got;

	for (seed = 5000; seed < 5040; seed++) {
		CHECK_EQ(stage_send(w, 150, seed), 0);
		CHECK_EQ(stage_recv(r, &got), 0);
		CHECK_EQ(got, seed);
	}
	CHECK_EQ(stage_recv(r, &got), -EAGAIN);
}

/* Way 0: the reader finds the end, and then the next writer comes. */
static void survive_reader_first(void)
{
	struct records got = { 0 };
	struct actor r, w;
	int ends;

	crash_until_dead(TAG, keeper, 0);
	stage_reader(&r, TAG, FLAGS, SHMCHAN_FROM_CURSOR);
	collect(&r, &got, &ends);
	check_ends(ends);
	judge(&got);
	stage_writer(&w, TAG, FLAGS);
	go_on(&w, &r);
	stage_leave(&w);
	stage_leave(&r);
}

/* Way 1: the next writer has repaired it before anybody looks. */
static void survive_heir_first(void)
{
	struct records got = { 0 };
	struct actor r, w;
	int ends;

	crash_look(TAG, NULL);
	stage_writer(&w, TAG, FLAGS);
	stage_reader(&r, TAG, FLAGS, SHMCHAN_FROM_CURSOR);
	collect(&r, &got, &ends);
	check_ends(ends);
	judge(&got);
	go_on(&w, &r);
	CHECK_GE(shmchan_lane_close(&w.w), 0);
	stage_leave(&w);
	stage_leave(&r);
}

static void survive(const struct crash_scenario *s)
{
	(void)s;
	if (crash_way())
		survive_heir_first();
	else
		survive_reader_first();
	shmchan_region_close(keeper);
	crash_no_trace(TAG);
}

#define WRITER(what, ...)						\
	CRASH("lane " what, .setup = setup, .victim = victim,		\
	      .survive = survive, .ways = 2,				\
	      .arg = &(const struct job){ __VA_ARGS__ })

/* --- one record ------------------------------------------------------------ */

static void send_one(struct actor *a, const struct job *job)
{
	int ret;

	both(900);
	CHECK_EQ(stage_send(a, 24, 900), 0);
	add(&found->after, 901);
	record_fill(payload, job->length, 901);
	crash_begin();
	ret = shmchan_lane_send(&a->w, payload, job->length, 901, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

WRITER("send, 0 bytes", .pos = 1024, .length = 0, .op = send_one);
WRITER("send, 8 bytes", .pos = 1024, .length = 8, .op = send_one);
WRITER("send, 100 bytes", .pos = 1024, .length = 100, .op = send_one);
WRITER("send, as long as can be", .pos = 1024, .length = 1016, .op = send_one);
WRITER("send, into a new eighth", .pos = 1024 + 512 - 64, .length = 100,
       .op = send_one);
WRITER("send, over the end of the ring", .pos = 4096 - 64, .length = 100,
       .op = send_one);
WRITER("send, the end of the ring to the word", .pos = 4096 - 32 - 16,
       .length = 8, .op = send_one);
WRITER("send, a word before the end of the ring", .pos = 4096 - 32 - 8,
       .length = 8, .op = send_one);
WRITER("send, where the limit is raised", .pos = 2 * 4096 - 600,
       .length = 1016, .op = send_one);
WRITER("send, the limit is raised over the end", .pos = 3 * 4096 - 40,
       .length = 300, .op = send_one);

static void send_pieces(struct actor *a, const struct job *job)
{
	const struct iovec iov[] = {
		{ payload, 3 }, { payload + 3, 0 }, { payload + 3, 70 },
		{ payload + 73, job->length - 73 },
	};
	int ret;

	both(900);
	CHECK_EQ(stage_send(a, 24, 900), 0);
	add(&found->after, 901);
	record_fill(payload, job->length, 901);
	crash_begin();
	ret = shmchan_lane_sendv(&a->w, iov, 4, 901, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

WRITER("sendv, 100 bytes", .pos = 1024, .length = 100, .op = send_pieces);
WRITER("sendv, over the end of the ring", .pos = 4096 - 64, .length = 100,
       .op = send_pieces);

/* --- batches --------------------------------------------------------------- */

/* Each element is a record of its own seed, but they have one meta. */
static void send_batch(struct actor *a, const struct job *job)
{
	int i, ring, ret;

	both(900);
	CHECK_EQ(stage_send(a, 24, 900), 0);
	found->parts = 1;
	for (i = 0; i < job->n; i++) {
		add(&found->after, 901);
		record_fill(payload + (size_t)i * job->length, job->length, 901);
	}
	crash_begin();
	ret = shmchan_lane_send_n(&a->w, payload, job->length, (size_t)job->n,
				  901, 0, &ring);
	crash_end();
	CHECK_EQ(ret, job->n);
}

WRITER("send_n, 20 of 8 bytes", .pos = 1024, .length = 8, .n = 20,
       .op = send_batch);
WRITER("send_n, 5 of 7 bytes", .pos = 1024, .length = 7, .n = 5,
       .op = send_batch);
WRITER("send_n, more than a run, over the end", .pos = 4096 - 256, .length = 16,
       .n = 150, .op = send_batch);

/* --- reservations ---------------------------------------------------------- */

static void reserve(struct actor *a, int i, size_t length)
{
	CHECK_EQ(shmchan_lane_reserve(&a->w, length, &rsv[i]), 0);
	/* Dirt that must never be seen. */
	memset(rsv[i].data, 0xdd, length);
}

static void commit(struct actor *a, int i, size_t length, uint32_t seed)
{
	record_fill(payload, length, seed);
	shmchan_lane_fill(&a->w, &rsv[i], 0, payload, length);
	CHECK_EQ(shmchan_lane_commit(&a->w, &rsv[i], length, seed, 0), 0);
}

static void reserve_one(struct actor *a, const struct job *job)
{
	int ret;

	both(900);
	CHECK_EQ(stage_send(a, 24, 900), 0);
	crash_begin();
	ret = shmchan_lane_reserve(&a->w, job->length, &rsv[0]);
	crash_end();
	CHECK_EQ(ret, 0);
}

WRITER("reserve", .pos = 1024, .length = 100, .op = reserve_one);
WRITER("reserve, over the end of the ring", .pos = 4096 - 64, .length = 100,
       .op = reserve_one);

/* The payload is part of the operation. */
static void fill_and_commit(struct actor *a, const struct job *job)
{
	int ret;

	reserve(a, 0, job->length);
	if (job->n) {
		reserve(a, 1, 40);
		commit(a, 1, 40, 902);
		add(&found->before, 902);
	}
	add(&found->after, 901);
	if (job->n)
		add(&found->after, 902);
	record_fill(payload, 50, 901);
	crash_begin();
	memcpy(rsv[0].data, payload, 50);
	ret = shmchan_lane_commit(&a->w, &rsv[0], 50, 901, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

WRITER("commit", .pos = 1024, .length = 50, .op = fill_and_commit);
WRITER("commit, shorter, the newest", .pos = 1024, .length = 200,
       .op = fill_and_commit);
WRITER("commit, before one that is", .pos = 1024, .length = 50, .n = 1,
       .op = fill_and_commit);
WRITER("commit, shorter, before one that is", .pos = 1024, .length = 200, .n = 1,
       .op = fill_and_commit);
WRITER("commit, shorter, at the end of the ring", .pos = 4096 - 208,
       .length = 200, .op = fill_and_commit);

static void abort_it(struct actor *a, const struct job *job)
{
	int ret;

	both(900);
	CHECK_EQ(stage_send(a, 24, 900), 0);
	reserve(a, 0, job->length);
	if (job->n) {
		reserve(a, 1, 40);
		commit(a, 1, 40, 902);
		both(902);
	}
	crash_begin();
	ret = shmchan_lane_abort(&a->w, &rsv[0]);
	crash_end();
	CHECK_GE(ret, 0);
}

WRITER("abort, the newest", .pos = 1024, .length = 200, .op = abort_it);
WRITER("abort, before one that is committed", .pos = 1024, .length = 200,
       .n = 1, .op = abort_it);

/* Five are open, and two in the middle committed; all of it at once. */
static void several(struct actor *a, const struct job *job)
{
	int i, ret = 0;

	(void)job;
	for (i = 0; i < 5; i++)
		reserve(a, i, 60 + 8 * (size_t)i);
	commit(a, 1, 20, 901);
	commit(a, 3, 84, 903);
	add(&found->before, 901);
	add(&found->before, 903);
	add(&found->after, 901);
	add(&found->after, 902);
	add(&found->after, 903);
	record_fill(payload, 30, 902);
	crash_begin();
	ret |= shmchan_lane_abort(&a->w, &rsv[4]);
	ret |= shmchan_lane_abort(&a->w, &rsv[0]);
	shmchan_lane_fill(&a->w, &rsv[2], 0, payload, 30);
	ret |= shmchan_lane_commit(&a->w, &rsv[2], 30, 902, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

WRITER("several reservations", .pos = 1024, .op = several);
WRITER("several reservations, over the end", .pos = 4096 - 180, .op = several);

/*
 * One reservation has held everything back while the lane filled up behind it;
 * the checkpoints that are due are made at once.
 */
static void catch_up(struct actor *a, const struct job *job)
{
	static const size_t lengths[] = { 1016, 1016, 1016, 8, 520 };
	int i, ret;

	(void)job;
	reserve(a, 0, 40);
	for (i = 0; i < 5; i++) {
		CHECK_EQ(stage_send(a, lengths[i], 910 + (uint64_t)i), 0);
		both((uint32_t)(910 + i));
	}
	/* Those of before are the same, but behind this one. */
	memmove(&found->after.seed[1], &found->after.seed[0],
		(size_t)found->after.nr++ * sizeof(found->after.seed[0]));
	found->after.seed[0] = 901;
	record_fill(payload, 40, 901);
	crash_begin();
	memcpy(rsv[0].data, payload, 40);
	ret = shmchan_lane_commit(&a->w, &rsv[0], 40, 901, 0);
	if (!ret)
		ret = shmchan_lane_send(&a->w, payload, 1016, 0, 0);
	crash_end();
	CHECK_EQ(ret, -EAGAIN);
}

WRITER("checkpoints that catch up", .pos = 960, .op = catch_up);

/* --- the end --------------------------------------------------------------- */

static void close_it(struct actor *a, const struct job *job)
{
	int ret;

	both(900);
	CHECK_EQ(stage_send(a, 24, 900), 0);
	if (job->n) {
		reserve(a, 0, 100);
		reserve(a, 1, 40);
		commit(a, 1, 40, 902);
		both(902);
	}
	crash_begin();
	ret = shmchan_lane_close(&a->w);
	crash_end();
	CHECK_EQ(ret, 0);
}

WRITER("close", .pos = 1024, .op = close_it);
WRITER("close, at the end of the ring", .pos = 4096 - 40, .op = close_it);
WRITER("close, with open reservations", .pos = 1024, .n = 1, .op = close_it);

/* --- taking over ----------------------------------------------------------- */

/* A writer that dies with all kinds of things undone. */
static void die_in_the_middle(const struct job *job)
{
	pid_t pid = child_fork();
	struct actor w, r;

	if (pid) {
		CHECK_CHILD_OK(pid);
		return;
	}
	stage_writer(&w, TAG, FLAGS);
	stage_reader(&r, TAG, FLAGS, SHMCHAN_FROM_CURSOR);
	stage_advance(&w, &r, job->pos);
	shmchan_lane_leave(&r.r);
	stage_leave(&r);
	CHECK_EQ(stage_send(&w, 50, 901), 0);
	reserve(&w, 0, 40);
	CHECK_EQ(stage_send(&w, 30, 902), 0);
	reserve(&w, 1, 300);
	commit(&w, 1, 100, 903);
	reserve(&w, 2, 24);
	_exit(0);
}

static void setup_dead(const struct crash_scenario *s)
{
	keeper = stage_create(TAG);
	die_in_the_middle(s->arg);
	both(901);
	both(902);
	both(903);
	found->writers = 2;
}

static void victim_heir(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct actor a;
	int ret;

	stage_enter(&a, TAG, 0, FLAGS);
	if (job->n)
		add(&found->after, 904);
	record_fill(payload, 100, 904);
	crash_begin();
	ret = shmchan_lane_writer_attach(&a.w, &a.lane, a.region->generation,
					 stage_waiters(&a, STAGE_DATA));
	if (!ret && job->n)
		ret = shmchan_lane_send(&a.w, payload, 100, 904, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

#define HEIR(what, ...)							\
	CRASH("lane take-over" what, .setup = setup_dead,		\
	      .victim = victim_heir, .survive = survive, .ways = 2,	\
	      .arg = &(const struct job){ __VA_ARGS__ })

HEIR("", .pos = 1024);
HEIR(" and a send", .pos = 504, .n = 1);
HEIR(", over the end of the ring", .pos = 4096 - 136, .n = 1);
HEIR(", at the end of the ring", .pos = 4096 - 8);
