// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of lanes in which readers can be passed (OVERWRITE, EVICT): what a
 * reader gets is whole and in order, and it is told how many it lost, exactly,
 * whoever was killed.
 */

#include "lane_stage.h"

#define TAG	"passed"
#define FIRST	1U		/* seed of the lane's first record: seeds count them */

struct job {
	uint32_t flags;
	uint64_t pos;
	size_t length;
	int n;			/* records of the operation */
	void (*op)(struct actor *a, const struct job *job);
};

struct progress {
	uint32_t next;		/* seed of the first record of the operation */
	uint32_t end;		/* behind its last */
};

#define progress	((struct progress *)crash_scratch)

static struct actor other;
static uint8_t payload[8192];

static void join(struct actor *a, uint32_t slot, uint32_t flags,
		 enum shmchan_lane_from from)
{
	stage_enter(a, TAG, slot, flags);
	CHECK_EQ(shmchan_lane_reader_join(&a->r, &a->lane, slot - 1,
			a->region->generation, from,
			stage_waiters(a, STAGE_SPACE), stage_wake, a), 0);
}

/* Of one length, so that nobody has to remember them. */
static void send_to(struct actor *w, uint32_t *next, uint64_t pos)
{
	while (w->w.tail < pos)
		CHECK_EQ(stage_send(w, 88, (*next)++), 0);
}

/*
 * From seed `next` on, which the reader has not got yet: records in order, what
 * is lost is counted.  Returns the seed behind the last.
 */
static uint32_t follow(struct actor *r, uint32_t next, int *ends)
{
	uint64_t seed;
	int err, silent = 0;

	*ends = 0;
	while (silent < 3) {
		err = stage_recv(r, &seed);
		if (!err) {
			if (seed != next)
				FAIL("record %llu, where %u should have been",
				     (unsigned long long)seed, next);
			next++;
			silent = 0;
			continue;
		}
		if (err == -EOVERFLOW) {
			next += (uint32_t)r->r.lost;
			continue;
		}
		CHECK(err == -EAGAIN || err == -EOWNERDEAD || err == -EPIPE);
		*ends += err != -EAGAIN && !silent;
		silent++;
	}
	return next;
}

static void go_on(struct actor *w, struct actor *r, uint32_t next)
{
	uint32_t i;
	int ends, err;

	for (i = 0; i < 60; i++) {
		err = stage_send(w, 88, next + i);
		if (err == -EAGAIN && w->w.flags & SHMCHAN_LANE_EVICT) {
			CHECK_EQ(shmchan_lane_evict(&w->w, 88), 0);
			err = stage_send(w, 88, next + i);
		}
		CHECK_EQ(err, 0);
	}
	CHECK_EQ(follow(r, next, &ends), next + 60);
	CHECK_EQ(ends, 0);
}

/* --- the writer is killed --------------------------------------------------- */

/* A reader that has read nothing: it will have been passed. */
static void w_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct actor w;

	keeper = stage_create(TAG);
	stage_writer(&w, TAG, job->flags);
	join(&other, 2, job->flags, SHMCHAN_FROM_OLDEST);
	stage_leave(&w);
}

static void w_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct actor w;

	stage_writer(&w, TAG, job->flags);
	progress->next = FIRST;
	if (job->flags & SHMCHAN_LANE_EVICT)
		/* As far as the reader lets it. */
		while (!stage_send(&w, 88, progress->next))
			progress->next++;
	else
		send_to(&w, &progress->next, job->pos);
	progress->end = progress->next + (uint32_t)job->n;
	job->op(&w, job);
}

static void check_behind(uint32_t behind)
{
	CHECK_LE(behind, progress->end);
	CHECK_GE(behind, crash_ended() ? progress->end : progress->next);
}

static void w_survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct actor w, r;
	uint32_t behind;
	int ends;

	if (crash_way()) {
		crash_look(TAG, NULL);
		stage_writer(&w, TAG, job->flags);
		behind = follow(&other, FIRST, &ends);
	} else {
		crash_until_dead(TAG, keeper, 0);
		behind = follow(&other, FIRST, &ends);
		stage_writer(&w, TAG, job->flags);
	}
	CHECK_GE(ends, 1);
	check_behind(behind);
	CHECK_EQ(w.w.records + FIRST, behind);
	/* One that comes now knows nothing of what was before. */
	join(&r, 1, job->flags, SHMCHAN_FROM_NOW);
	go_on(&w, &other, behind);
	CHECK_EQ(follow(&r, behind, &ends), behind + 60);
	stage_leave(&w);
	stage_leave(&r);
	stage_leave(&other);
	shmchan_region_close(keeper);
	crash_no_trace(TAG);
}

#define WRITER(what, ...)						\
	CRASH("lane " what, .setup = w_setup, .victim = w_victim,	\
	      .survive = w_survive, .ways = 2,				\
	      .arg = &(const struct job){ __VA_ARGS__ })
#define OVERWRITE	.flags = SHMCHAN_LANE_OVERWRITE
#define EVICT		.flags = SHMCHAN_LANE_EVICT

static void send_one(struct actor *a, const struct job *job)
{
	int ret;

	record_fill(payload, job->length, progress->next);
	crash_begin();
	ret = shmchan_lane_send(&a->w, payload, job->length, progress->next, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

WRITER("overwrite, send", OVERWRITE, .pos = 5000, .length = 100, .n = 1,
       .op = send_one);
WRITER("overwrite, send where the limit is raised", OVERWRITE,
       .pos = 2 * 4096 - 48, .length = 100, .n = 1, .op = send_one);
WRITER("overwrite, send, long", OVERWRITE, .pos = 5000, .length = 800, .n = 1,
       .op = send_one);

static void send_many(struct actor *a, const struct job *job)
{
	uint32_t i, next = progress->next;
	int ret = 0;

	for (i = 0; i < (uint32_t)job->n; i++)
		record_fill(payload + 88 * i, 88, next + i);
	crash_begin();
	for (i = 0; i < (uint32_t)job->n; i++)
		ret |= shmchan_lane_send(&a->w, payload + 88 * i, 88, next + i,
					 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

WRITER("overwrite, send, several eighths", OVERWRITE, .pos = 3 * 4096 - 500,
       .n = 15, .op = send_many);

static void evict_and_send(struct actor *a, const struct job *job)
{
	int ret;

	record_fill(payload, job->length, progress->next);
	crash_begin();
	ret = shmchan_lane_evict(&a->w, job->length);
	if (!ret)
		ret = shmchan_lane_send(&a->w, payload, job->length,
					progress->next, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

WRITER("evict, and send", EVICT, .length = 100, .n = 1, .op = evict_and_send);

/* --- a reader is killed ----------------------------------------------------- */

static void r_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	keeper = stage_create(TAG);
	join(&other, 2, job->flags, SHMCHAN_FROM_OLDEST);
}

/*
 * It is its own writer, before the operation: so it is passed when it has joined,
 * if it joined at the beginning.
 */
static void r_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint8_t buf[1024];
	struct actor a, w;
	uint32_t meta = 0;
	size_t len = 0;
	int i, ret = 0;

	stage_writer(&w, TAG, job->flags);
	progress->next = FIRST;
	if (!job->length)
		send_to(&w, &progress->next, job->pos);
	join(&a, 1, job->flags, SHMCHAN_FROM_OLDEST);
	send_to(&w, &progress->next, job->pos);
	CHECK_GE(shmchan_lane_close(&w.w), 0);
	stage_leave(&w);
	crash_begin();
	for (i = 0; i < job->n; i++)
		ret = shmchan_lane_recv(&a.r, buf, sizeof(buf), &len, &meta);
	crash_end();
	CHECK_EQ(ret, 0);
	record_check(buf, len, meta);
}

/* Nobody waits for it, nobody loses by it, and the next is told the truth. */
static void r_survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t next = progress->next;
	struct actor r, w;
	int ends;

	crash_until_dead(TAG, keeper, 1);
	CHECK_EQ(follow(&other, FIRST, &ends), next);
	CHECK_EQ(ends, 1);
	stage_writer(&w, TAG, job->flags);
	join(&r, 1, job->flags, SHMCHAN_FROM_NOW);
	go_on(&w, &other, next);
	CHECK_EQ(follow(&r, next, &ends), next + 60);
	stage_leave(&r);
	stage_leave(&other);
	stage_leave(&w);
	shmchan_region_close(keeper);
	crash_no_trace(TAG);
}

#define READER(what, ...)						\
	CRASH("lane " what, .setup = r_setup, .victim = r_victim,	\
	      .survive = r_survive,					\
	      .arg = &(const struct job){ __VA_ARGS__ })

READER("overwrite, recv", OVERWRITE, .pos = 9000, .n = 5);
READER("overwrite, recv, when passed", OVERWRITE, .pos = 9000, .n = 3,
       .length = 1);
