// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of lanes, the reading end.  In a lane that keeps all for its next
 * reader (HOLD) that one gets all that was not read, in order, and not much
 * that was; in others the writer goes on and so do the other readers.
 */

#include "lane_stage.h"

#define TAG	"lane"
#define FIRST	1000U		/* seed of the first unread record */

/* Of the victim; by seeds, so that FIRST + n is in front of the (n+1)th. */
struct progress {
	uint32_t unread;	/* when the operation begins */
	uint32_t begun;		/* the next reader begins no later than this */
	uint32_t ended;		/* ... or, when the operation had ended, this */
	size_t held;		/* bytes that were peeked and not released */
};

#define progress	((struct progress *)crash_scratch)

struct job {
	uint32_t flags;
	uint64_t pos;		/* where the unread records begin */
	int skip;		/* so many are read before the operation */
	int n;			/* of the operation */
	size_t length;		/* of its array's elements */
	enum shmchan_lane_from from;
	void (*op)(struct actor *a, const struct job *job);
};

static struct actor writer, other;
static uint32_t sent;		/* FIRST + how many there are */

/* Lengths that vary, but those of a batch. */
static size_t length_of(const struct job *job, uint32_t seed)
{
	return job->length ? job->length : seed * 37 % 200;
}

/* The ring's bytes of the records from one seed to before another. */
static uint64_t bytes_of(const struct job *job, uint32_t from, uint32_t to)
{
	uint64_t n = 0;

	for (; from < to; from++)
		n += shmchan_lane_extent(length_of(job, from));
	return n;
}

static void send_some(const struct job *job, int n)
{
	static uint8_t buf[8192];
	int i, ring;

	if (job->length) {
		/* Elements of a batch have one meta, so one seed. */
		for (i = 0; i < n; i++)
			record_fill(buf + (size_t)i * job->length, job->length,
				   FIRST);
		CHECK_EQ(shmchan_lane_send_n(&writer.w, buf, job->length,
					     (size_t)n, FIRST, 0, &ring), n);
		sent += (uint32_t)n;
		return;
	}
	for (i = 0; i < n; i++, sent++)
		CHECK_EQ(stage_send(&writer, length_of(job, sent), sent), 0);
}

static void setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct actor r;

	keeper = stage_create(TAG);
	stage_writer(&writer, TAG, job->flags);
	stage_reader(&r, TAG, job->flags,
		     job->flags & SHMCHAN_LANE_HOLD ? SHMCHAN_FROM_CURSOR :
						      SHMCHAN_FROM_OLDEST);
	stage_advance(&writer, &r, job->pos);
	shmchan_lane_leave(&r.r);
	stage_leave(&r);
	sent = FIRST;
	if (!(job->flags & SHMCHAN_LANE_HOLD)) {
		stage_enter(&other, TAG, 2, job->flags);
		CHECK_EQ(shmchan_lane_reader_join(&other.r, &other.lane, 1,
				other.region->generation, SHMCHAN_FROM_NOW,
				stage_waiters(&other, STAGE_SPACE), stage_wake,
				&other), 0);
	}
	send_some(job, job->length ? job->n : 20);
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct actor a;
	uint64_t seed;
	int i;

	stage_enter(&a, TAG, 1, job->flags);
	progress->unread = progress->begun = progress->ended = FIRST;
	if (job->from != SHMCHAN_FROM_CURSOR) {
		job->op(&a, job);
		return;
	}
	CHECK_EQ(shmchan_lane_reader_join(&a.r, &a.lane, 0,
			a.region->generation,
			job->flags & SHMCHAN_LANE_HOLD ? SHMCHAN_FROM_CURSOR :
							 SHMCHAN_FROM_OLDEST,
			stage_waiters(&a, STAGE_SPACE), stage_wake, &a), 0);
	for (i = 0; i < job->skip; i++) {
		do
			CHECK_EQ(stage_recv(&a, &seed), 0);
		while (seed < FIRST);
		CHECK_EQ(seed, FIRST + (unsigned int)i);
	}
	progress->unread = progress->begun = progress->ended =
		FIRST + (uint32_t)job->skip;
	job->op(&a, job);
}

/* From the next reader's first record on: all that is there. */
static void read_all(struct actor *r, const struct job *job, uint32_t from)
{
	uint64_t seed;

	for (; from < sent; from++) {
		CHECK_EQ(stage_recv(r, &seed), 0);
		CHECK_EQ(seed, job->length ? FIRST : from);
	}
	CHECK_EQ(stage_recv(r, &seed), -EAGAIN);
}

static void survive_hold(const struct job *job)
{
	uint32_t most = crash_ended() ? progress->ended : progress->begun;
	struct actor r;
	uint64_t seed;
	uint32_t from;
	int i;

	crash_until_dead(TAG, keeper, 1);
	/* The lane is not full yet: nobody holds the writer. */
	if (!job->length)
		send_some(job, 1);
	stage_reader(&r, TAG, job->flags, SHMCHAN_FROM_CURSOR);
	if (job->length) {
		/* Which one it is tells the count. */
		from = FIRST;
		while (!stage_recv(&r, &seed))
			from++;
		from = FIRST + sent - from;
	} else {
		do
			CHECK_EQ(stage_recv(&r, &seed), 0);
		while (seed < FIRST);
		from = (uint32_t)seed;
	}
	if (from > most)
		FAIL("the next reader begins at %u, but only what is before %u was read",
		     from, most);
	if (from < progress->unread &&
	    bytes_of(job, from, progress->unread) >
	    STAGE_RING / 4 + progress->held + 64)
		FAIL("the next reader begins at %u, though what is before %u was read",
		     from, progress->unread);
	if (!job->length)
		read_all(&r, job, from + 1);
	/* And for more than a lap. */
	for (i = 0; i < 40; i++) {
		CHECK_EQ(stage_send(&writer, 150, 7000 + (uint64_t)i), 0);
		CHECK_EQ(stage_recv(&r, &seed), 0);
		CHECK_EQ(seed, 7000 + (unsigned int)i);
	}
	stage_leave(&r);
}

/* Nobody waits for the dead: others read and the writer writes, for laps. */
static void survive_without(const struct job *job)
{
	uint32_t from = FIRST, last = 0, i;
	struct actor r;
	uint64_t seed;
	int err;

	crash_until_dead(TAG, keeper, 1);
	read_all(&other, job, from);
	for (i = 0; i < 60; i++) {
		CHECK_EQ(stage_send(&writer, 150, 7000 + i), 0);
		CHECK_EQ(stage_recv(&other, &seed), 0);
		CHECK_EQ(seed, 7000 + i);
	}
	/* Its seat is free, and the next one is up to date. */
	stage_reader(&r, TAG, job->flags, SHMCHAN_FROM_OLDEST);
	while (!(err = stage_recv(&r, &seed))) {
		CHECK(!last || seed == last + 1);
		last = (uint32_t)seed;
	}
	CHECK_EQ(err, -EAGAIN);
	CHECK_EQ(last, 7059);
	for (i = 0; i < 60; i++) {
		CHECK_EQ(stage_send(&writer, 150, 8000 + i), 0);
		CHECK_EQ(stage_recv(&r, &seed), 0);
		CHECK_EQ(seed, 8000 + i);
		CHECK_EQ(stage_recv(&other, &seed), 0);
		CHECK_EQ(seed, 8000 + i);
	}
	stage_leave(&r);
	stage_leave(&other);
}

static void survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	if (job->flags & SHMCHAN_LANE_HOLD)
		survive_hold(job);
	else
		survive_without(job);
	stage_leave(&writer);
	shmchan_region_close(keeper);
	crash_no_trace(TAG);
}

#define READER(what, ...)						\
	CRASH("lane " what, .setup = setup, .victim = victim,		\
	      .survive = survive,					\
	      .arg = &(const struct job){ __VA_ARGS__ })
#define HOLD	.flags = SHMCHAN_LANE_HOLD

/* --- reading --------------------------------------------------------------- */

static void handed_out(void)
{
	volatile uint32_t *begun = &progress->begun;

	*begun = *begun + 1;
}

static void recv_some(struct actor *a, const struct job *job)
{
	uint8_t buf[1024];
	uint32_t meta = 0;
	size_t len = 0;
	int i, ret = 0;

	/* What is not handed out yet is there for the next one. */
	progress->ended += (uint32_t)job->n;
	crash_begin();
	for (i = 0; i < job->n; i++) {
		ret |= shmchan_lane_recv(&a->r, buf, sizeof(buf), &len, &meta);
		handed_out();
	}
	crash_end();
	CHECK_EQ(ret, 0);
}

READER("recv", HOLD, .pos = 1024, .skip = 1, .n = 1, .op = recv_some);
READER("recv, where the cursor is published", HOLD, .pos = 1024, .skip = 5,
       .n = 2, .op = recv_some);
READER("recv, many", HOLD, .pos = 1024, .n = 8, .op = recv_some);
READER("recv, over the end of the ring", HOLD, .pos = 4096 - 200, .skip = 1,
       .n = 5, .op = recv_some);
READER("recv, another reader beside", .pos = 1024, .skip = 1, .n = 8,
       .op = recv_some);

static void recv_batch(struct actor *a, const struct job *job)
{
	static uint8_t buf[8192];
	uint32_t meta = 0;
	int ret;

	progress->ended += (uint32_t)job->n;
	progress->begun += (uint32_t)job->n - 1;
	crash_begin();
	ret = shmchan_lane_recv_n(&a->r, buf, job->length, (size_t)job->n,
				  &meta);
	crash_end();
	CHECK_EQ(ret, job->n);
}

READER("recv_n, 20 of 8 bytes", HOLD, .pos = 1024, .n = 20, .length = 8,
       .op = recv_batch);
READER("recv_n, 10 of 30 bytes", HOLD, .pos = 1024, .n = 10, .length = 30,
       .op = recv_batch);
READER("recv_n, several runs", HOLD, .pos = 4096 - 80, .n = 150, .length = 16,
       .op = recv_batch);

static void peek(struct actor *a, int n)
{
	const void *data;
	uint32_t meta;
	size_t len;
	int i;

	for (i = 0; i < n; i++) {
		CHECK_EQ(shmchan_lane_peek(&a->r, &data, &len, &meta), 0);
		progress->held += shmchan_lane_extent(len);
	}
}

static void peek_some(struct actor *a, const struct job *job)
{
	const void *data;
	uint32_t meta = 0;
	size_t len = 0;
	int i, ret = 0;

	progress->held = STAGE_RING;
	crash_begin();
	for (i = 0; i < job->n; i++)
		ret |= shmchan_lane_peek(&a->r, &data, &len, &meta);
	crash_end();
	CHECK_EQ(ret, 0);
}

READER("peek", HOLD, .pos = 1024, .skip = 2, .n = 3, .op = peek_some);
READER("peek, over the end of the ring", HOLD, .pos = 4096 - 200, .skip = 1,
       .n = 8, .op = peek_some);

static void release_some(struct actor *a, const struct job *job)
{
	int ret;

	peek(a, job->n);
	progress->begun += (uint32_t)job->n;
	progress->ended += (uint32_t)job->n;
	crash_begin();
	ret = shmchan_lane_release(&a->r);
	crash_end();
	CHECK_EQ(ret, 0);
}

READER("release", HOLD, .pos = 1024, .skip = 2, .n = 3, .op = release_some);
READER("release, of much", HOLD, .pos = 1024, .n = 12, .op = release_some);

static void publish(struct actor *a, const struct job *job)
{
	(void)job;
	crash_begin();
	shmchan_lane_publish(&a->r);
	crash_end();
}

READER("publish", HOLD, .pos = 1024, .skip = 4, .op = publish);
READER("publish, another reader beside", .pos = 1024, .skip = 4, .op = publish);

/* --- coming and going ------------------------------------------------------ */

static void join(struct actor *a, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_lane_reader_join(&a->r, &a->lane, 0,
				       a->region->generation, job->from,
				       stage_waiters(a, STAGE_SPACE),
				       stage_wake, a);
	crash_end();
	CHECK_EQ(ret, 0);
}

READER("join, at the oldest", .pos = 5000, .from = SHMCHAN_FROM_OLDEST,
       .op = join);
READER("join, now", .pos = 5000, .from = SHMCHAN_FROM_NOW, .op = join);

static void join_cursor(struct actor *a, const struct job *job)
{
	int ret;

	(void)job;
	crash_begin();
	ret = shmchan_lane_reader_join(&a->r, &a->lane, 0,
				       a->region->generation,
				       SHMCHAN_FROM_CURSOR,
				       stage_waiters(a, STAGE_SPACE),
				       stage_wake, a);
	crash_end();
	CHECK_EQ(ret, 0);
}

/* Not joined before: any other place than the cursor says so. */
READER("join, at the cursor", HOLD, .pos = 5000, .from = SHMCHAN_FROM_NOW,
       .op = join_cursor);

static void rejoin(struct actor *a, const struct job *job)
{
	enum shmchan_lane_from from = job->n ? SHMCHAN_FROM_NOW :
					       SHMCHAN_FROM_OLDEST;
	int ret;

	/* In a HOLD lane it may go over all that is there. */
	progress->begun = progress->ended = sent;
	progress->held = STAGE_RING;
	crash_begin();
	ret = shmchan_lane_reader_rejoin(&a->r, from);
	crash_end();
	CHECK_EQ(ret, 0);
}

READER("rejoin, at the oldest", .pos = 5000, .skip = 3, .op = rejoin);
READER("rejoin, now", .pos = 5000, .skip = 3, .n = 1, .op = rejoin);
READER("rejoin, now, in a lane that holds", HOLD, .pos = 5000, .skip = 3, .n = 1,
       .op = rejoin);

static void leave(struct actor *a, const struct job *job)
{
	(void)job;
	crash_begin();
	shmchan_lane_leave(&a->r);
	crash_end();
}

READER("leave", HOLD, .pos = 1024, .skip = 4, .op = leave);
READER("leave, another reader beside", .pos = 1024, .skip = 4, .op = leave);
