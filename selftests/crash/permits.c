// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of permits: none is lost, none is two members', and that one comes
 * from a dead member is said once.
 */

#include <shmchan/permits.h>

#include "sync_stage.h"

#define NR	3

struct job {
	int driver;		/* so many are the driver's, when the victim comes */
	int dead;		/* so many are a dead member's */
	int victim;		/* so many are the victim's, before the operation */
	uint32_t helpers;	/* that want one, asleep */
	int late;		/* ... but not before the victim is */
	int64_t timeout_ns;	/* of the victim */
	int ret;
	void (*op)(struct shmchan_permits *p, const struct job *job);
	uint32_t most, least, ended;	/* permits from the dead */
};

static struct shmchan_permits mine;
static int has;		/* the driver, permits 0 and up */

static void attach(struct shmchan_permits *p, struct shmchan_sync *s)
{
	struct shmchan_place place;

	CHECK_EQ(shmchan_sync_place(s, 0, &place), 0);
	CHECK_EQ(shmchan_permits_attach(p, &place, NR), 0);
	/* All begin with the same one: the worst. */
	p->next = 0;
}

/* One is ours, and nobody else's. */
static uint32_t take(struct shmchan_permits *p)
{
	uint32_t permit;
	int ret = CRASH_IN_TIME(shmchan_permits_timedacquire(p, &permit,
						CRASH_PATIENCE_NS));

	CHECK(ret == 0 || ret == 1);
	CHECK_LT(permit, NR);
	if (ret)
		stage_add(&stage->told);
	CHECK_EQ(stage_add(&stage->list[permit]), 0);
	return permit;
}

static void give(struct shmchan_permits *p, uint32_t permit)
{
	stage_sub(&stage->list[permit]);
	CHECK_EQ(shmchan_permits_release(p, permit), 0);
}

static void help(const struct crash_scenario *s)
{
	uint32_t nr = stage_get(&stage->ready);
	struct shmchan_permits p;
	struct shmchan_sync sync;

	(void)s;
	stage_help(&sync);
	attach(&p, &sync);
	stage_await(&stage->go[nr], 1);
	give(&p, take(&p));
	stage_add(&stage->done);
	shmchan_sync_close(&sync);
}

static void take_and_die(struct shmchan_sync *s)
{
	struct shmchan_permits p;
	uint32_t permit, n;

	attach(&p, s);
	for (n = stage->list[8]; n; n--)
		CHECK_EQ(shmchan_permits_acquire(&p, &permit), 0);
}

static void go(const struct job *job)
{
	uint32_t i;

	for (i = 0; i < job->helpers; i++)
		stage_go(i);
}

static void setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	stage_create();
	attach(&mine, &ours);
	for (has = 0; has < job->driver; has++)
		CHECK_EQ(take(&mine), (uint32_t)has);
	stage->list[8] = (uint32_t)job->dead;
	if (job->dead)
		stage_dead(take_and_die);
	stage_helpers(help, s, job->helpers);
	if (job->driver == NR && !job->late)
		go(job);
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_permits p;
	struct shmchan_sync sync;

	stage_enter(&sync);
	attach(&p, &sync);
	job->op(&p, job);
}

/* One for each. */
static void let_go(const struct job *job)
{
	if (!has || released)
		return;
	released = 1;
	if (job->late) {
		/* For one alone; the others come back when it is dead. */
		give(&mine, (uint32_t)--has);
		return;
	}
	while (has)
		give(&mine, (uint32_t)--has);
}

static void release(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	if (!released && job->late)
		go(job);
	if (!job->timeout_ns)
		let_go(job);
}

static void survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t permit[NR], i, left = 0;

	let_go(job);
	for (i = 0; i < NR; i++)
		left += !!shmchan_load_seq_cst(&mine.cells[i]);
	crash_look(TAG, ours.region);
	stage_go_all();
	for (i = 0; i < job->helpers; i++)
		crash_helper_ok(helper[i]);
	CHECK_EQ(stage->done, job->helpers);
	while (has)
		give(&mine, (uint32_t)--has);
	/* All of them, and no more. */
	for (i = 0; i < NR; i++)
		permit[i] = take(&mine);
	CHECK_EQ(shmchan_permits_tryacquire(&mine, &i), -EAGAIN);
	CHECK_EQ(shmchan_permits_available(&mine), 0);
	for (i = 0; i < NR; i++)
		give(&mine, permit[i]);
	stage_until_dead();
	CHECK_EQ(shmchan_permits_available(&mine), NR);
	/* What came from the dead is so no more. */
	for (i = 0; i < NR; i++)
		CHECK_EQ(shmchan_permits_tryacquire(&mine, &permit[i]), 0);
	for (i = 0; i < NR; i++)
		CHECK_EQ(shmchan_permits_release(&mine, permit[i]), 0);
	CHECK_LE(stage->told, job->most);
	CHECK_GE(stage->told, job->least);
	if (crash_ended())
		CHECK_EQ(stage->told, job->ended);
	if (!job->helpers)
		CHECK_EQ(stage->told, left);
	stage_close();
}

#define PERMITS(what, ...)						\
	CRASH("permits " what, .setup = setup, .victim = victim,	\
	      .release = release, .survive = survive,			\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void do_acquire(struct shmchan_permits *p, const struct job *job)
{
	uint32_t permit;
	int ret;

	crash_begin();
	ret = shmchan_permits_acquire(p, &permit);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_timedacquire(struct shmchan_permits *p, const struct job *job)
{
	uint32_t permit;
	int ret;

	crash_begin();
	ret = shmchan_permits_timedacquire(p, &permit, job->timeout_ns);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_tryacquire(struct shmchan_permits *p, const struct job *job)
{
	uint32_t permit;
	int ret;

	crash_begin();
	ret = shmchan_permits_tryacquire(p, &permit);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

PERMITS("acquire", .op = do_acquire, .most = 1, .ended = 1);
PERMITS("acquire, the last one", .driver = NR - 1, .op = do_acquire, .most = 1,
	.ended = 1);
PERMITS("acquire, asleep", .driver = NR, .op = do_acquire, .most = 1, .ended = 1);
PERMITS("acquire, asleep beside others", .driver = NR, .helpers = 2,
	.op = do_acquire, .most = 1, .ended = 1);
PERMITS("acquire, chosen before others", .driver = NR, .helpers = 2, .late = 1,
	.op = do_acquire, .most = 1, .ended = 1);
PERMITS("tryacquire, in vain", .driver = NR, .op = do_tryacquire, .ret = -EAGAIN);
PERMITS("timedacquire, in vain", .driver = NR, .helpers = 1,
	.op = do_timedacquire, .timeout_ns = 10000000, .ret = -ETIMEDOUT);
PERMITS("acquire of one of the dead", .driver = NR - 1, .dead = 1,
	.op = do_acquire, .ret = 1, .most = 1, .least = 1, .ended = 1);
PERMITS("acquire, all of them of the dead", .dead = NR, .op = do_acquire, .ret = 1,
	.most = NR, .least = NR, .ended = NR);

static void do_release(struct shmchan_permits *p, const struct job *job)
{
	uint32_t permit = 0;
	int ret, i;

	for (i = 0; i < job->victim; i++)
		CHECK_GE(shmchan_permits_acquire(p, &permit), 0);
	if (job->victim + job->driver == NR)
		go(job);
	crash_begin();
	ret = shmchan_permits_release(p, permit);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

PERMITS("release", .victim = 1, .op = do_release, .most = 1);
PERMITS("release, somebody sleeps", .driver = NR - 1, .victim = 1, .helpers = 1,
	.op = do_release, .most = 1);
PERMITS("release of one of many, two sleep", .victim = NR, .helpers = 2,
	.op = do_release, .most = NR, .least = NR - 1, .ended = NR - 1);
PERMITS("release of a dead one's", .dead = NR, .victim = 1, .op = do_release,
	.most = NR, .least = NR - 1, .ended = NR - 1);
