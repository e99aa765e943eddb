// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of mutexes.  Whoever is killed in whatever call, the survivors get
 * the mutex, one at a time, and are told once for each death of an owner.
 */

#include <shmchan/mutex.h>

#include "sync_stage.h"

struct job {
	uint32_t helpers;	/* that want it; asleep if they have to be */
	int dead;		/* the last owner has died with it */
	int held;		/* by the driver, when the victim comes */
	int late;		/* the helpers come when the victim sleeps */
	int cold;		/* the victim's thread has used no lock yet */
	int64_t timeout_ns;	/* of the victim */
	int ret;		/* of the operation */
	void (*op)(struct shmchan_mutex *m, const struct job *job);
	/* How many are told, at most; and at least, and if all of it was done. */
	uint32_t most, least, ended;
	int lost;		/* the operation gives it up */
};

static struct shmchan_mutex mine;	/* the driver's */

static void attach(struct shmchan_mutex *m, struct shmchan_sync *s)
{
	CHECK_EQ(shmchan_mutex_at(m, s, 0), 0);
}

/* Lock, look that nobody else has, unlock.  ENOTRECOVERABLE is counted. */
static void use(struct shmchan_mutex *m, const struct shmchan_sync *s)
{
	uint64_t *uses = s->data;
	int err = CRASH_IN_TIME(shmchan_mutex_timedlock(m,
						CRASH_PATIENCE_NS));

	if (err == -ENOTRECOVERABLE) {
		stage_add(&stage->lost);
		return;
	}
	if (err == -EOWNERDEAD) {
		stage_add(&stage->told);
		CHECK_EQ(shmchan_mutex_consistent(m), 0);
	} else {
		CHECK_EQ(err, 0);
	}
	CHECK_EQ(stage_add(&stage->writers), 0);
	++*uses;
	stage_add(&stage->done);
	stage_sub(&stage->writers);
	CHECK_EQ(shmchan_mutex_unlock(m), 0);
}

static void help(const struct crash_scenario *s)
{
	uint32_t nr = stage_get(&stage->ready);
	struct shmchan_sync sync;
	struct shmchan_mutex m;

	(void)s;
	stage_help(&sync);
	attach(&m, &sync);
	stage_await(&stage->go[nr], 1);
	use(&m, &sync);
	shmchan_sync_close(&sync);
}

static void lock_and_die(struct shmchan_sync *s)
{
	struct shmchan_mutex m;

	attach(&m, s);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
}

static void setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i;

	stage_create();
	attach(&mine, &ours);
	if (job->dead)
		stage_dead(lock_and_die);
	stage_helpers(help, s, job->helpers);
	if (job->held) {
		CHECK_EQ(shmchan_mutex_lock(&mine), 0);
		for (i = 0; !job->late && i < job->helpers; i++)
			stage_go(i);
	}
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_sync sync;
	struct shmchan_mutex m, other;

	stage_enter(&sync);
	attach(&m, &sync);
	if (!job->cold) {
		CHECK_EQ(shmchan_mutex_at(&other, &sync, 1), 0);
		CHECK_EQ(shmchan_mutex_lock(&other), 0);
		CHECK_EQ(shmchan_mutex_unlock(&other), 0);
	}
	job->op(&m, job);
}

/* The driver's part of it; perhaps it has done that for this one already. */
static void release(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i;

	for (i = 0; !released && job->late && i < job->helpers; i++)
		stage_go(i);
	if (!released && job->held && !job->timeout_ns)
		CHECK_EQ(shmchan_mutex_unlock(&mine), 0);
	if (!job->timeout_ns)
		released = 1;
}

static void survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t all = job->helpers + 2, i, told;
	int exact = !job->helpers && !job->held;
	uint64_t word;

	if (job->held && !released)
		CHECK_EQ(shmchan_mutex_unlock(&mine), 0);
	crash_look(TAG, ours.region);
	word = shmchan_load_seq_cst(&mine.o.line->word);
	stage_go_all();
	use(&mine, &ours);
	for (i = 0; i < job->helpers; i++)
		crash_helper_ok(helper[i]);
	stage_until_dead();
	use(&mine, &ours);
	told = stage->told;
	CHECK_EQ(stage->done + stage->lost, all);
	CHECK_EQ(*(uint64_t *)ours.data, stage->done);
	if (stage->lost) {
		CHECK(job->lost);
		/* For all of them, for ever. */
		CHECK_EQ(stage->lost, all);
		CHECK_EQ(told, 0);
	} else {
		CHECK(!job->lost || !crash_ended());
		CHECK_LE(told, job->most);
		CHECK_GE(told, job->least);
		if (crash_ended())
			CHECK_EQ(told, job->ended);
		/* Nobody else was there: what it has left says it. */
		if (exact)
			CHECK_EQ(told, !!word);
		CHECK_EQ(shmchan_load_seq_cst(&mine.o.line->word), 0);
	}
	stage_close();
}

#define MUTEX(what, ...)						\
	CRASH("mutex " what, .setup = setup, .victim = victim,		\
	      .release = release, .survive = survive,			\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void do_lock(struct shmchan_mutex *m, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_mutex_lock(m);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_trylock(struct shmchan_mutex *m, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_mutex_trylock(m);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_timedlock(struct shmchan_mutex *m, const struct job *job)
{
	int64_t ns = job->timeout_ns ? job->timeout_ns : CRASH_PATIENCE_NS;
	int ret;

	crash_begin();
	ret = shmchan_mutex_timedlock(m, ns);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

MUTEX("lock", .op = do_lock, .most = 1, .ended = 1);
MUTEX("lock, the thread's first", .cold = 1, .op = do_lock, .most = 1, .ended = 1);
MUTEX("trylock", .op = do_trylock, .most = 1, .ended = 1);
MUTEX("timedlock", .op = do_timedlock, .most = 1, .ended = 1);
MUTEX("trylock of one that is held", .held = 1, .op = do_trylock, .ret = -EAGAIN);
MUTEX("lock, asleep", .held = 1, .op = do_lock, .most = 1, .ended = 1);
MUTEX("lock, asleep behind others", .held = 1, .helpers = 2, .op = do_lock,
      .most = 1, .ended = 1);
MUTEX("lock, chosen before others", .held = 1, .helpers = 2, .late = 1,
      .op = do_lock, .most = 1, .ended = 1);
MUTEX("timedlock, asleep", .held = 1, .helpers = 1, .op = do_timedlock, .most = 1,
      .ended = 1);
MUTEX("timedlock, in vain", .held = 1, .helpers = 1, .op = do_timedlock,
      .timeout_ns = 10000000, .ret = -ETIMEDOUT);

static void held(struct shmchan_mutex *m, const struct job *job)
{
	uint32_t i;

	CHECK_EQ(shmchan_mutex_lock(m), job->dead ? -EOWNERDEAD : 0);
	for (i = 0; i < job->helpers; i++)
		stage_go(i);
}

static void do_unlock(struct shmchan_mutex *m, const struct job *job)
{
	int ret;

	held(m, job);
	crash_begin();
	ret = shmchan_mutex_unlock(m);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

MUTEX("unlock", .op = do_unlock, .most = 1);
MUTEX("unlock, somebody sleeps", .helpers = 1, .op = do_unlock, .most = 1);
MUTEX("unlock, two sleep", .helpers = 2, .op = do_unlock, .most = 1);

/*
 * Two deaths, but of the first the victim is told, or we; and then of the victim's.
 */
MUTEX("lock after a death", .dead = 1, .op = do_lock, .ret = -EOWNERDEAD,
      .most = 1, .least = 1, .ended = 1);
MUTEX("trylock after a death", .dead = 1, .op = do_trylock, .ret = -EOWNERDEAD,
      .most = 1, .least = 1, .ended = 1);

static void do_consistent(struct shmchan_mutex *m, const struct job *job)
{
	int ret;

	held(m, job);
	crash_begin();
	ret = shmchan_mutex_consistent(m);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

MUTEX("consistent", .dead = 1, .op = do_consistent, .most = 1, .least = 1,
      .ended = 1);
MUTEX("consistent, somebody sleeps", .dead = 1, .helpers = 1,
      .op = do_consistent, .most = 1, .least = 1, .ended = 1);
MUTEX("unlock without consistent", .dead = 1, .op = do_unlock, .most = 1, .least = 1,
      .lost = 1);
MUTEX("unlock without consistent, two sleep", .dead = 1, .helpers = 2,
      .op = do_unlock, .most = 1, .least = 1, .lost = 1);

/* --- the owner dies while the victim sleeps for it --------------------------- */

static pid_t owner;

static void own(const struct crash_scenario *s)
{
	struct shmchan_sync sync;
	struct shmchan_mutex m;

	(void)s;
	stage_open(&sync, 0);
	attach(&m, &sync);
	CHECK_EQ(shmchan_mutex_lock(&m), 0);
	stage_add(&stage->list[0]);
	stage_await(&stage->list[1], 1);
	_exit(0);
}

static void owner_setup(const struct crash_scenario *s)
{
	stage_create();
	attach(&mine, &ours);
	owner = crash_helper(own, s);
	stage_await(&stage->list[0], 1);
	stage_helpers(help, s, 1);
	stage_go(0);
}

static void owner_victim(const struct crash_scenario *s)
{
	struct shmchan_sync sync;
	struct shmchan_mutex m;
	int ret;

	(void)s;
	stage_enter(&sync);
	attach(&m, &sync);
	crash_begin();
	ret = shmchan_mutex_lock(&m);
	crash_end();
	CHECK(!ret || ret == -EOWNERDEAD);
}

static void owner_release(const struct crash_scenario *s)
{
	(void)s;
	if (released)
		return;
	stage_set(&stage->list[1], 1);
	crash_helper_ok(owner);
	crash_look(TAG, ours.region);
	released = 1;
}

static void owner_survive(const struct crash_scenario *s)
{
	owner_release(s);
	crash_look(TAG, ours.region);
	use(&mine, &ours);
	crash_helper_ok(helper[0]);
	stage_until_dead();
	use(&mine, &ours);
	/* Of the owner's death the victim may have been told. */
	CHECK_GE(stage->told, 1);
	CHECK_LE(stage->told, 2);
	CHECK_EQ(stage->done, 3);
	CHECK_EQ(*(uint64_t *)ours.data, 3);
	CHECK_EQ(stage->lost, 0);
	stage_close();
}

CRASH("mutex lock, asleep as the owner dies", .setup = owner_setup,
      .victim = owner_victim, .release = owner_release,
      .survive = owner_survive);
