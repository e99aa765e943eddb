// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of work queues.  An item that was put is acknowledged once, by one
 * who survives, unless the dead had done that; none is two workers' at a time, none
 * is half there, all room comes back, and nobody sleeps while there is something
 * for it to do.
 */

#include <shmchan/workq.h>

#include "crash.h"

#define TAG	"workq"
#define ITEMS	4		/* room for so many */
#define VALUES	64

/* What becomes of the items that the operation is about. */
enum fate {
	STAYS,		/* there are some, and the dead has acknowledged none */
	COMES,		/* there is one if the operation was done */
	GOES,		/* ... if it was not */
	NEVER,		/* there is none */
};

struct job {
	uint32_t items;		/* there are, values 1 and up */
	uint32_t dead;		/* so many of these were a dead worker's */
	uint32_t max_attempts;	/* 0: many */
	uint32_t workers, producers;	/* helpers, asleep */
	int late;		/* not before the victim is */
	uint32_t first, nr;	/* values that the operation is about */
	enum fate fate;
	uint32_t flags;		/* of nack */
	int64_t timeout_ns;
	int ret;
	void (*op)(struct shmchan_workq *q, const struct job *job);
	void (*release)(void);
};

struct scene {
	uint32_t slot;		/* the victim's */
	uint32_t ready, go, done;	/* helpers */
	uint32_t die;		/* the worker that has some has to */
	uint32_t put[VALUES];	/* by survivors, or before the operation */
	uint32_t got[VALUES];	/* and acknowledged, by survivors */
	uint32_t has[VALUES];	/* at this moment */
};

#define scene	((struct scene *)crash_scratch)

static struct shmchan_workq ours;
static pid_t helper[4], worker;
static int released;

static uint32_t add(uint32_t *what)
{
	return __atomic_fetch_add(what, 1, __ATOMIC_SEQ_CST);
}

static uint32_t get(uint32_t *what)
{
	return __atomic_load_n(what, __ATOMIC_SEQ_CST);
}

static void await(uint32_t *what, uint32_t value)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;

	while (get(what) < value) {
		CHECK_LT(now_ns(), end);
		sleep_ms(1);
	}
}

static void enter(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_opts opts = SHMCHAN_WORKQ_OPTS(
		.create = 1, .nr_items = ITEMS, .item_size = 64,
		.nr_members = 8, .spin_ns = -1,
		.max_attempts = job->max_attempts);

	CHECK_EQ(shmchan_workq_open(q, crash_name(TAG), &opts), 0);
}

/* Of each value another length, and bytes that depend on it. */
static size_t length_of(uint32_t value)
{
	return 8 + value % 56;
}

static void fill(uint8_t *buf, uint32_t value)
{
	size_t i, n = length_of(value);

	for (i = 0; i < n; i++)
		buf[i] = (uint8_t)(value + i * 7);
	memcpy(buf, &value, sizeof(value));
}

static void put(struct shmchan_workq *q, uint32_t value)
{
	uint8_t buf[64];

	fill(buf, value);
	CHECK_EQ(CRASH_IN_TIME(shmchan_workq_put(q, buf, length_of(value),
						 CRASH_PATIENCE_NS)), 0);
	add(&scene->put[value]);
}

/* It is whole, nobody else has it, and nobody has acknowledged it. */
static void finish(struct shmchan_workq *q, const struct shmchan_workq_item *item)
{
	uint8_t buf[64];
	uint32_t value;

	CHECK_GE(item->length, sizeof(value));
	memcpy(&value, item->data, sizeof(value));
	CHECK_LT(value, VALUES);
	CHECK_EQ(item->length, length_of(value));
	fill(buf, value);
	CHECK(!memcmp(buf, item->data, item->length));
	CHECK_EQ(add(&scene->has[value]), 0);
	CHECK_EQ(add(&scene->got[value]), 0);
	__atomic_fetch_sub(&scene->has[value], 1, __ATOMIC_SEQ_CST);
	CHECK_EQ(shmchan_workq_ack(q, item), 0);
}

static void help_work(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	uint32_t nr;

	enter(&q, job);
	nr = add(&scene->ready);
	await(&scene->go, 1);
	CHECK_EQ(CRASH_IN_TIME(shmchan_workq_take(&q, &item,
						  CRASH_PATIENCE_NS)), 0);
	finish(&q, &item);
	/* It may have been for the victim. */
	if (job->late)
		put(&q, 50 + nr);
	add(&scene->done);
	shmchan_workq_close(&q);
}

static void help_produce(const struct crash_scenario *s)
{
	struct shmchan_workq q;
	uint32_t nr;

	enter(&q, s->arg);
	nr = add(&scene->ready);
	await(&scene->go, 1);
	put(&q, 40 + nr);
	add(&scene->done);
	shmchan_workq_close(&q);
}

static uint32_t nr_helpers(const struct job *job)
{
	return job->workers + job->producers;
}

/* Take so many, and die: at once, or when it is said. */
static void take_and_die(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	uint32_t i;

	enter(&q, job);
	scene->slot = q.region->slot;
	for (i = 0; i < job->dead; i++)
		CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	add(&scene->ready);
	await(&scene->die, 1);
	_exit(0);
}

static void go(const struct job *job)
{
	uint32_t i;

	scene->go = 1;
	for (i = 0; i < nr_helpers(job); i++)
		crash_until_asleep(helper[i]);
}

static void setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i;

	released = 0;
	enter(&ours, job);
	for (i = 1; i <= job->items; i++)
		put(&ours, i);
	if (job->dead) {
		worker = crash_helper(take_and_die, s);
		await(&scene->ready, 1);
		scene->ready = 0;
	}
	if (job->dead && !job->release) {
		add(&scene->die);
		crash_helper_ok(worker);
		crash_until_dead(TAG, ours.region, scene->slot);
	}
	for (i = 0; i < nr_helpers(job); i++) {
		helper[i] = crash_helper(i < job->workers ? help_work :
						help_produce, s);
		await(&scene->ready, i + 1);
	}
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_workq q;

	enter(&q, job);
	scene->slot = q.region->slot;
	job->op(&q, job);
}

static void release(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	if (released || !job->release)
		return;
	released = 1;
	if (job->late)
		go(job);
	job->release();
}

static int in_state(enum shmchan_workq_state a, enum shmchan_workq_state b)
{
	uint32_t i, state;

	for (i = 0; i < ITEMS; i++) {
		state = shmchan_workq_state(shmchan_load_seq_cst(&ours.cells[i]));
		if (state == (uint32_t)a || state == (uint32_t)b)
			return 1;
	}
	return 0;
}

static void drain(const struct job *job)
{
	struct shmchan_workq_item item;
	int err;

	while (!(err = shmchan_workq_take(&ours, &item, 0))) {
		if (job->max_attempts)
			CHECK_LE(item.attempts, job->max_attempts);
		CHECK_LE(item.attempts, 3);
		finish(&ours, &item);
	}
	CHECK_EQ(err, -EAGAIN);
	while (!(err = shmchan_workq_take_dead(&ours, &item))) {
		CHECK(job->max_attempts);
		CHECK_EQ(item.attempts, job->max_attempts);
		finish(&ours, &item);
	}
	CHECK_EQ(err, -EAGAIN);
}

/* Helpers do what there is for them, and nobody has to wake them. */
static void await_helpers(const struct job *job)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;

	while (get(&scene->done) < nr_helpers(job)) {
		if (job->workers && !in_state(SHMCHAN_WORKQ_READY,
					      SHMCHAN_WORKQ_CLAIMED))
			break;
		if (job->producers && !in_state(SHMCHAN_WORKQ_FREE,
						SHMCHAN_WORKQ_WRITING))
			break;
		CHECK_LT(now_ns(), end);
		sleep_ms(1);
	}
}

static void survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_workq_stat stat;
	uint32_t i, n = 0;

	crash_look(TAG, ours.region);
	if (job->dead && job->release && !released)
		job->release();
	scene->go = 1;
	await_helpers(job);
	crash_until_dead(TAG, ours.region, scene->slot);
	await_helpers(job);
	/* There was nothing for them. */
	for (i = get(&scene->done); job->workers && i < nr_helpers(job); i++)
		put(&ours, 30 + i);
	if (job->producers)
		drain(job);
	for (i = 0; i < nr_helpers(job); i++)
		crash_helper_ok(helper[i]);
	drain(job);
	for (i = 0; i < VALUES; i++) {
		int about = i >= job->first && i < job->first + job->nr;

		if (!about || job->fate == STAYS) {
			CHECK_EQ(scene->got[i], scene->put[i]);
			continue;
		}
		n += scene->got[i];
		if (crash_ended())
			CHECK_EQ(scene->got[i], job->fate == COMES);
		if (job->fate == NEVER)
			CHECK_EQ(scene->got[i], 0);
	}
	CHECK_LE(n, job->nr);
	CHECK_EQ(shmchan_workq_get_stat(&ours, &stat), 0);
	CHECK_EQ(stat.free, ITEMS);
	/* All room can be had, at once. */
	for (i = 0; i < ITEMS; i++)
		put(&ours, 60 + i);
	CHECK_EQ(shmchan_workq_put(&ours, "", 0, 0), -EAGAIN);
	drain(job);
	shmchan_workq_close(&ours);
	crash_no_trace(TAG);
}

#define WORKQ(what, ...)						\
	CRASH("workq " what, .setup = setup, .victim = victim,		\
	      .release = release, .survive = survive,			\
	      .arg = &(const struct job){ __VA_ARGS__ })

#define MINE	20	/* the victim's value */

/* --- producers --------------------------------------------------------------- */

static void do_put(struct shmchan_workq *q, const struct job *job)
{
	uint8_t buf[64];
	int ret;

	fill(buf, MINE);
	if (!job->late && !job->release)
		go(job);
	crash_begin();
	ret = shmchan_workq_put(q, buf, length_of(MINE), job->timeout_ns);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_reserve(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item item;
	int ret;

	crash_begin();
	ret = shmchan_workq_reserve(q, &item, job->timeout_ns);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void reserve(struct shmchan_workq *q, const struct job *job,
		    struct shmchan_workq_item *item)
{
	CHECK_EQ(shmchan_workq_reserve(q, item, 0), 0);
	fill(item->data, MINE);
	go(job);
}

static void do_commit(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item item;
	int ret;

	reserve(q, job, &item);
	crash_begin();
	ret = shmchan_workq_commit(q, &item, length_of(MINE));
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_abort(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item item;
	int ret;

	reserve(q, job, &item);
	crash_begin();
	ret = shmchan_workq_abort(q, &item);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

/* Values 1 and up are there; one, or two, are done. */
static void do_one(void)
{
	struct shmchan_workq_item item;

	CHECK_EQ(shmchan_workq_take(&ours, &item, 0), 0);
	finish(&ours, &item);
}

static void do_two(void)
{
	do_one();
	do_one();
}

#define ABOUT_MINE	.first = MINE, .nr = 1

WORKQ("put", .items = 1, ABOUT_MINE, .fate = COMES, .op = do_put);
WORKQ("put, a worker sleeps", .workers = 1, ABOUT_MINE, .fate = COMES, .op = do_put);
WORKQ("put, two sleep", .workers = 2, ABOUT_MINE, .fate = COMES, .op = do_put);
WORKQ("put, full", .items = ITEMS, .ret = -EAGAIN, ABOUT_MINE, .fate = NEVER,
      .op = do_put);
WORKQ("put, asleep while it is full", .items = ITEMS, .timeout_ns = -1, ABOUT_MINE,
      .fate = COMES, .op = do_put, .release = do_one);
WORKQ("put, chosen before another", .items = ITEMS, .timeout_ns = -1,
      .producers = 1, .late = 1, ABOUT_MINE, .fate = COMES, .op = do_put,
      .release = do_two);
WORKQ("reserve", .items = 1, ABOUT_MINE, .fate = NEVER, .op = do_reserve);
WORKQ("commit", .items = 1, ABOUT_MINE, .fate = COMES, .op = do_commit);
WORKQ("commit, two sleep", .workers = 2, ABOUT_MINE, .fate = COMES, .op = do_commit);
WORKQ("abort", .items = 1, ABOUT_MINE, .fate = NEVER, .op = do_abort);
WORKQ("abort, a producer sleeps", .items = ITEMS - 1, .producers = 1, ABOUT_MINE,
      .fate = NEVER, .op = do_abort);

/* --- workers ----------------------------------------------------------------- */

static void do_take(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item item;
	int ret;

	if (!job->late && nr_helpers(job))
		go(job);
	crash_begin();
	ret = shmchan_workq_take(q, &item, job->timeout_ns);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_take_n(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item items[SHMCHAN_WORKQ_MAX_TAKE];
	int ret;

	crash_begin();
	ret = shmchan_workq_take_n(q, items, 3, job->timeout_ns);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void put_one(void)
{
	put(&ours, 10);
}

static void put_two(void)
{
	put(&ours, 10);
	put(&ours, 11);
}

WORKQ("take", .items = 2, .op = do_take);
WORKQ("take, nothing is there", .ret = -EAGAIN, .op = do_take);
WORKQ("take, asleep", .timeout_ns = -1, .op = do_take, .release = put_one);
WORKQ("take, asleep beside others", .workers = 1, .timeout_ns = -1, .op = do_take,
      .release = put_two);
WORKQ("take, chosen before others", .workers = 2, .late = 1, .timeout_ns = -1,
      .op = do_take, .release = put_one);
WORKQ("take, in vain", .timeout_ns = 10000000, .workers = 1, .ret = -ETIMEDOUT,
      .op = do_take);
WORKQ("take_n", .items = ITEMS, .ret = 3, .op = do_take_n);
WORKQ("take, the last time", .items = 1, .max_attempts = 1, .op = do_take);

/* What a dead worker had, and who is given it dies as well. */
WORKQ("take what the dead had", .items = 2, .dead = 1, .op = do_take);
WORKQ("take_n, all that the dead had", .items = ITEMS, .dead = ITEMS, .ret = 3,
      .op = do_take_n);
WORKQ("take what the dead had, the last time", .items = 1, .dead = 1,
      .max_attempts = 2, .op = do_take);
WORKQ("take beside dead letters", .items = 2, .dead = 1, .max_attempts = 1,
      .op = do_take);
WORKQ("put beside what the dead had", .items = 2, .dead = 2, ABOUT_MINE,
      .fate = COMES, .op = do_put);

static void worker_dies(void)
{
	add(&scene->die);
	crash_helper_ok(worker);
	crash_look(TAG, ours.region);
}

WORKQ("take, asleep as a worker dies", .items = 2, .dead = 2, .workers = 1,
      .timeout_ns = -1, .op = do_take, .release = worker_dies);

static void take(struct shmchan_workq *q, const struct job *job,
		 struct shmchan_workq_item *item)
{
	uint32_t value;

	CHECK_EQ(shmchan_workq_take(q, item, 0), 0);
	memcpy(&value, item->data, sizeof(value));
	CHECK_EQ(value, 1);
	go(job);
}

static void do_ack(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item item;
	int ret;

	take(q, job, &item);
	crash_begin();
	ret = shmchan_workq_ack(q, &item);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_nack(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item item;
	int ret;

	take(q, job, &item);
	crash_begin();
	ret = shmchan_workq_nack(q, &item, job->flags);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_ack_n(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item items[SHMCHAN_WORKQ_MAX_TAKE];
	int ret;

	CHECK_EQ(shmchan_workq_take_n(q, items, 3, 0), 3);
	crash_begin();
	ret = shmchan_workq_ack_n(q, items, 3);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

#define ABOUT_FIRST	.first = 1, .nr = 1

WORKQ("ack", .items = 2, ABOUT_FIRST, .fate = GOES, .op = do_ack);
WORKQ("ack, a producer sleeps", .items = ITEMS, .producers = 1, ABOUT_FIRST,
      .fate = GOES, .op = do_ack);
WORKQ("ack, a worker sleeps", .items = 1, .workers = 1, ABOUT_FIRST, .fate = GOES,
      .op = do_ack);
WORKQ("ack of what the dead had", .items = 1, .dead = 1, ABOUT_FIRST, .fate = GOES,
      .op = do_ack);
WORKQ("ack_n", .items = ITEMS, .first = 1, .nr = 3, .fate = GOES, .op = do_ack_n);
WORKQ("nack", .items = 2, .op = do_nack);
WORKQ("nack, two sleep", .items = 1, .workers = 2, .op = do_nack);
WORKQ("nack, not counted", .items = 1, .workers = 1, .flags = SHMCHAN_WORKQ_UNCOUNTED,
      .op = do_nack);
WORKQ("nack, to the dead letters", .items = 1, .max_attempts = 1, .op = do_nack);

/* --- dead letters ------------------------------------------------------------ */

static void do_take_dead(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item item;
	int ret;

	crash_begin();
	ret = shmchan_workq_take_dead(q, &item);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_ack_dead(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item item;
	int ret;

	CHECK_EQ(shmchan_workq_take_dead(q, &item), 0);
	go(job);
	crash_begin();
	ret = shmchan_workq_ack(q, &item);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_nack_dead(struct shmchan_workq *q, const struct job *job)
{
	struct shmchan_workq_item item;
	int ret;

	CHECK_EQ(shmchan_workq_take_dead(q, &item), 0);
	crash_begin();
	ret = shmchan_workq_nack(q, &item, job->flags);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

#define LETTER	.items = 1, .dead = 1, .max_attempts = 1

WORKQ("take_dead", LETTER, .op = do_take_dead);
WORKQ("take_dead, none is there", .items = 1, .ret = -EAGAIN, .op = do_take_dead);
WORKQ("ack of a dead letter", LETTER, ABOUT_FIRST, .fate = GOES, .op = do_ack_dead);
WORKQ("ack of a dead letter, a producer sleeps", .items = ITEMS, .dead = ITEMS,
      .max_attempts = 1, .producers = 1, ABOUT_FIRST, .fate = GOES,
      .op = do_ack_dead);
WORKQ("nack of a dead letter", LETTER, .op = do_nack_dead);
WORKQ("nack of a dead letter, afresh", LETTER, .flags = SHMCHAN_WORKQ_AFRESH,
      .op = do_nack_dead);
