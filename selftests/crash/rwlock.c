// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of reader-writer locks.  A dead reader counts no more, a writer that
 * died as it waited has changed nothing, and of one that had the lock the next is
 * told, once; until it has repaired no reader is let in.
 */

#include <shmchan/rwlock.h>

#include "sync_stage.h"

enum has { NOBODY, READS, WRITES };

struct job {
	enum has driver;	/* when the victim comes */
	uint32_t readers, writers;	/* helpers that want it, asleep */
	int dead;		/* the last writer has died with it */
	int64_t timeout_ns;	/* of the victim */
	int ret;
	void (*op)(struct shmchan_rwlock *l, const struct job *job);
	uint32_t most, least, ended;	/* writers that are told */
	int lost;
};

static struct shmchan_rwlock mine;

static void attach(struct shmchan_rwlock *l, struct shmchan_sync *s)
{
	struct shmchan_place place;

	CHECK_EQ(shmchan_sync_place(s, 0, &place), 0);
	CHECK_EQ(shmchan_rwlock_attach(l, &place, NULL), 0);
}

static void write_it(struct shmchan_rwlock *l)
{
	int err = CRASH_IN_TIME(shmchan_rwlock_timedwrlock(l,
						CRASH_PATIENCE_NS));

	if (err == -ENOTRECOVERABLE) {
		stage_add(&stage->lost);
		return;
	}
	CHECK(!err || err == -EOWNERDEAD);
	CHECK_EQ(stage_add(&stage->writers), 0);
	CHECK_EQ(stage_get(&stage->readers), 0);
	if (err) {
		stage_add(&stage->told);
		CHECK_EQ(shmchan_rwlock_consistent(l), 0);
	}
	stage_add(&stage->done);
	stage_sub(&stage->writers);
	CHECK_EQ(shmchan_rwlock_wrunlock(l), 0);
}

/* Who is refused since a writer has died repairs, as a writer; then it may read. */
static void read_it(struct shmchan_rwlock *l)
{
	int err = CRASH_IN_TIME(shmchan_rwlock_timedrdlock(l,
						CRASH_PATIENCE_NS));

	while (err == -EOWNERDEAD) {
		write_it(l);
		err = CRASH_IN_TIME(shmchan_rwlock_timedrdlock(l,
						CRASH_PATIENCE_NS));
	}
	if (err == -ENOTRECOVERABLE) {
		stage_add(&stage->lost);
		return;
	}
	CHECK_EQ(err, 0);
	stage_add(&stage->readers);
	CHECK_EQ(stage_get(&stage->writers), 0);
	stage_add(&stage->list[0]);
	stage_sub(&stage->readers);
	CHECK_EQ(shmchan_rwlock_rdunlock(l), 0);
}

static void help(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t nr = stage_get(&stage->ready);
	struct shmchan_rwlock l;
	struct shmchan_sync sync;

	stage_help(&sync);
	attach(&l, &sync);
	stage_await(&stage->go[nr], 1);
	if (nr < job->readers)
		read_it(&l);
	else
		write_it(&l);
	shmchan_sync_close(&sync);
}

static void write_and_die(struct shmchan_sync *s)
{
	struct shmchan_rwlock l;

	attach(&l, s);
	CHECK_EQ(shmchan_rwlock_wrlock(&l), 0);
}

static void go(const struct job *job)
{
	uint32_t i;

	for (i = 0; i < job->readers + job->writers; i++)
		stage_go(i);
}

static void setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	stage_create();
	attach(&mine, &ours);
	if (job->dead)
		stage_dead(write_and_die);
	stage_helpers(help, s, job->readers + job->writers);
	if (job->driver == READS)
		CHECK_EQ(shmchan_rwlock_rdlock(&mine), 0);
	if (job->driver == WRITES)
		CHECK_EQ(shmchan_rwlock_wrlock(&mine), 0);
	if (job->driver)
		go(job);
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_sync sync;
	struct shmchan_rwlock l;

	stage_enter(&sync);
	attach(&l, &sync);
	job->op(&l, job);
}

static void let_go(const struct job *job)
{
	if (released)
		return;
	released = 1;
	if (job->driver == READS)
		CHECK_EQ(shmchan_rwlock_rdunlock(&mine), 0);
	if (job->driver == WRITES)
		CHECK_EQ(shmchan_rwlock_wrunlock(&mine), 0);
}

static void release(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	if (!job->timeout_ns)
		let_go(job);
}

/* States of the word, as rwlock.c has them. */
static int had_it(uint64_t word)
{
	uint32_t state = shmchan_cell_state(word);

	return state == 2 || state == 3 || state == 4;
}

static void survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i, helpers = job->readers + job->writers;
	uint64_t word;
	int err;

	if (job->driver == READS && !released && job->ret != -EAGAIN) {
		/* A writer that died as it waited keeps no reader out for long. */
		stage_until_dead();
		if (!helpers) {
			CHECK_EQ(CRASH_IN_TIME(shmchan_rwlock_timedrdlock(
					&mine, CRASH_PATIENCE_NS)), 0);
			CHECK_EQ(shmchan_rwlock_rdunlock(&mine), 0);
		}
	}
	let_go(job);
	word = shmchan_load_seq_cst(&mine.o.line->word);
	crash_look(TAG, ours.region);
	stage_go_all();
	if (!helpers) {
		stage_until_dead();
		err = shmchan_rwlock_tryrdlock(&mine);
		if (shmchan_cell_state(word) == 5)
			CHECK_EQ(err, -ENOTRECOVERABLE);
		else
			CHECK_EQ(err, had_it(word) ? -EOWNERDEAD : 0);
		if (!err)
			CHECK_EQ(shmchan_rwlock_rdunlock(&mine), 0);
	}
	write_it(&mine);
	read_it(&mine);
	for (i = 0; i < helpers; i++)
		crash_helper_ok(helper[i]);
	stage_until_dead();
	write_it(&mine);
	if (stage->lost) {
		CHECK(job->lost);
		CHECK_GE(stage->lost, 3 + helpers);
		CHECK_EQ(stage->told, 0);
		CHECK_EQ(stage->done, 0);
		stage_close();
		return;
	}
	CHECK(!job->lost || !crash_ended());
	CHECK_EQ(stage->list[0], 1 + job->readers);
	CHECK_GE(stage->done, 2 + job->writers);
	CHECK_LE(stage->told, job->most);
	CHECK_GE(stage->told, job->least);
	if (crash_ended())
		CHECK_EQ(stage->told, job->ended);
	if (!helpers)
		CHECK_EQ(stage->told, had_it(word));
	CHECK_EQ(shmchan_load_seq_cst(&mine.o.line->word), 0);
	stage_close();
}

#define RWLOCK(what, ...)						\
	CRASH("rwlock " what, .setup = setup, .victim = victim,		\
	      .release = release, .survive = survive,			\
	      .arg = &(const struct job){ __VA_ARGS__ })

#define OPERATION(op, call)						\
static void do_##op(struct shmchan_rwlock *l, const struct job *job)	\
{									\
	int ret;							\
									\
	crash_begin();							\
	ret = call;							\
	crash_end();							\
	CHECK_EQ(ret, job->ret);					\
}

OPERATION(rdlock, shmchan_rwlock_rdlock(l))
OPERATION(tryrdlock, shmchan_rwlock_tryrdlock(l))
OPERATION(timedrdlock, shmchan_rwlock_timedrdlock(l, job->timeout_ns))
OPERATION(wrlock, shmchan_rwlock_wrlock(l))
OPERATION(trywrlock, shmchan_rwlock_trywrlock(l))
OPERATION(timedwrlock, shmchan_rwlock_timedwrlock(l, job->timeout_ns))

RWLOCK("rdlock", .op = do_rdlock);
RWLOCK("rdlock beside another", .driver = READS, .op = do_rdlock);
RWLOCK("rdlock, asleep for a writer", .driver = WRITES, .op = do_rdlock);
RWLOCK("rdlock, asleep beside others", .driver = WRITES, .readers = 1, .writers = 1,
       .op = do_rdlock);
RWLOCK("tryrdlock, in vain", .driver = WRITES, .op = do_tryrdlock, .ret = -EAGAIN);
RWLOCK("timedrdlock, in vain", .driver = WRITES, .writers = 1, .op = do_timedrdlock,
       .timeout_ns = 10000000, .ret = -ETIMEDOUT);
RWLOCK("rdlock after a death", .dead = 1, .op = do_rdlock, .ret = -EOWNERDEAD,
       .most = 1, .least = 1, .ended = 1);

RWLOCK("wrlock", .op = do_wrlock, .most = 1, .ended = 1);
RWLOCK("wrlock, asleep for a reader", .driver = READS, .op = do_wrlock, .most = 1,
       .ended = 1);
RWLOCK("wrlock, asleep for a writer", .driver = WRITES, .op = do_wrlock, .most = 1,
       .ended = 1);
RWLOCK("wrlock, asleep beside others", .driver = WRITES, .readers = 1,
       .writers = 1, .op = do_wrlock, .most = 1, .ended = 1);
RWLOCK("trywrlock, in vain for a reader", .driver = READS, .op = do_trywrlock,
       .ret = -EAGAIN);
RWLOCK("trywrlock, in vain for a writer", .driver = WRITES, .op = do_trywrlock,
       .ret = -EAGAIN);
RWLOCK("timedwrlock, in vain for a reader", .driver = READS, .op = do_timedwrlock,
       .timeout_ns = 10000000, .ret = -ETIMEDOUT);
RWLOCK("wrlock after a death", .dead = 1, .op = do_wrlock, .ret = -EOWNERDEAD,
       .most = 1, .least = 1, .ended = 1);

static void do_rdunlock(struct shmchan_rwlock *l, const struct job *job)
{
	int ret;

	CHECK_EQ(shmchan_rwlock_rdlock(l), 0);
	go(job);
	crash_begin();
	ret = shmchan_rwlock_rdunlock(l);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

RWLOCK("rdunlock", .op = do_rdunlock);
RWLOCK("rdunlock, a writer sleeps", .writers = 1, .op = do_rdunlock);
RWLOCK("rdunlock, two writers sleep", .writers = 2, .op = do_rdunlock);

static void writes(struct shmchan_rwlock *l, const struct job *job)
{
	CHECK_EQ(shmchan_rwlock_wrlock(l), job->dead ? -EOWNERDEAD : 0);
	go(job);
}

static void do_wrunlock(struct shmchan_rwlock *l, const struct job *job)
{
	int ret;

	writes(l, job);
	crash_begin();
	ret = shmchan_rwlock_wrunlock(l);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_consistent(struct shmchan_rwlock *l, const struct job *job)
{
	int ret;

	writes(l, job);
	crash_begin();
	ret = shmchan_rwlock_consistent(l);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

RWLOCK("wrunlock", .op = do_wrunlock, .most = 1);
RWLOCK("wrunlock, others sleep", .readers = 1, .writers = 1, .op = do_wrunlock,
       .most = 1);
RWLOCK("consistent", .dead = 1, .op = do_consistent, .most = 1, .least = 1,
       .ended = 1);
RWLOCK("consistent, others sleep", .dead = 1, .readers = 1, .writers = 1,
       .op = do_consistent, .most = 1, .least = 1, .ended = 1);
RWLOCK("wrunlock without consistent", .dead = 1, .op = do_wrunlock, .most = 1,
       .least = 1, .lost = 1);
RWLOCK("wrunlock without consistent, others sleep", .dead = 1, .readers = 1,
       .writers = 1, .op = do_wrunlock, .most = 1, .least = 1, .lost = 1);
