// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of condition variables.  What was made true before a signal reaches
 * those who wait for it, though who signals is killed, or who was woken for it.
 */

#include <shmchan/condvar.h>

#include "sync_stage.h"

#define MUTEX	0	/* objects */
#define CONDVAR	1

struct job {
	uint32_t helpers;	/* that wait for a token each */
	int late;		/* the last of them comes after the victim sleeps */
	int64_t timeout_ns;	/* of the victim */
	int locked;		/* it signals with the mutex */
	int ret;
	void (*op)(struct shmchan_condvar *cv, struct shmchan_mutex *m,
		   const struct job *job);
	uint32_t most, ended;	/* are told */
};

struct pair {
	struct shmchan_sync sync;
	struct shmchan_mutex m;
	struct shmchan_condvar cv;
};

static struct pair mine;	/* the driver's */

static void attach(struct pair *p)
{
	CHECK_EQ(shmchan_mutex_at(&p->m, &p->sync, MUTEX), 0);
	CHECK_EQ(shmchan_condvar_at(&p->cv, &p->sync, CONDVAR), 0);
}

static uint64_t *tokens(struct pair *p)
{
	return p->sync.data;
}

/* The mutex is ours; is that news? */
static void hear(struct pair *p, int err)
{
	if (err == -EOWNERDEAD) {
		stage_add(&stage->told);
		CHECK_EQ(shmchan_mutex_consistent(&p->m), 0);
	} else {
		CHECK_EQ(err, 0);
	}
	CHECK_EQ(stage_add(&stage->writers), 0);
}

static void lock(struct pair *p)
{
	hear(p, CRASH_IN_TIME(shmchan_mutex_timedlock(&p->m,
						      CRASH_PATIENCE_NS)));
}

static void unlock(struct pair *p)
{
	stage_sub(&stage->writers);
	CHECK_EQ(shmchan_mutex_unlock(&p->m), 0);
}

static void give(struct pair *p, uint64_t nr)
{
	lock(p);
	*tokens(p) += nr;
	unlock(p);
}

static void help(const struct crash_scenario *s)
{
	uint32_t nr = stage_get(&stage->ready);
	struct pair p;

	(void)s;
	stage_help(&p.sync);
	attach(&p);
	stage_await(&stage->go[nr], 1);
	lock(&p);
	while (!*tokens(&p)) {
		stage_sub(&stage->writers);
		hear(&p, CRASH_IN_TIME(shmchan_condvar_timedwait(&p.cv, &p.m,
						CRASH_PATIENCE_NS)));
	}
	--*tokens(&p);
	stage_add(&stage->done);
	unlock(&p);
	/* It may have been for somebody who does not take it. */
	CHECK_EQ(shmchan_condvar_broadcast(&p.cv), 0);
	shmchan_sync_close(&p.sync);
}

static void setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i;

	stage_create();
	mine.sync = ours;
	attach(&mine);
	stage_helpers(help, s, job->helpers);
	for (i = 0; i + (uint32_t)job->late < job->helpers; i++)
		stage_go(i);
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct pair p;

	stage_enter(&p.sync);
	attach(&p);
	job->op(&p.cv, &p.m, job);
}

/* All are seen to have a token; one signal alone. */
static void release(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	if (released || job->timeout_ns)
		return;
	released = 1;
	if (job->late)
		stage_go(job->helpers - 1);
	give(&mine, job->helpers);
	CHECK_EQ(shmchan_condvar_signal(&mine.cv), 0);
}

/*
 * There is a token for each that waits.  Who was to be woken for it, or to wake
 * for it, is dead; that is what wakes them.
 */
static void survive_wait(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint64_t word = shmchan_load_seq_cst(&mine.m.o.line->word);
	uint32_t i;

	crash_look(TAG, ours.region);
	stage_go_all();
	if (!released) {
		give(&mine, job->helpers);
		CHECK_EQ(shmchan_condvar_signal(&mine.cv), 0);
		/* As is due to them: so many tokens, so many signals. */
		for (i = 1; i < job->helpers; i++)
			CHECK_EQ(shmchan_condvar_signal(&mine.cv), 0);
	}
	for (i = 0; i < job->helpers; i++)
		crash_helper_ok(helper[i]);
	stage_until_dead();
	lock(&mine);
	CHECK_EQ(*tokens(&mine), 0);
	unlock(&mine);
	CHECK_EQ(stage->done, job->helpers);
	CHECK_LE(stage->told, job->most);
	if (crash_ended())
		CHECK_EQ(stage->told, job->ended);
	if (!job->helpers)
		CHECK_EQ(stage->told, !!word);
	/* Once. */
	CHECK_EQ(shmchan_mutex_trylock(&mine.m), 0);
	CHECK_EQ(shmchan_mutex_unlock(&mine.m), 0);
	stage_close();
}

#define CONDVAR_WAIT(what, ...)						\
	CRASH("condvar " what, .setup = setup, .victim = victim,	\
	      .release = release, .survive = survive_wait,		\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void do_wait(struct shmchan_condvar *cv, struct shmchan_mutex *m,
		    const struct job *job)
{
	int ret;

	CHECK_EQ(shmchan_mutex_lock(m), 0);
	crash_begin();
	if (job->timeout_ns)
		ret = shmchan_condvar_timedwait(cv, m, job->timeout_ns);
	else
		ret = shmchan_condvar_wait(cv, m);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

CONDVAR_WAIT("wait", .op = do_wait, .most = 1, .ended = 1);
CONDVAR_WAIT("wait, others wait longer", .helpers = 2, .op = do_wait,
	     .most = 1, .ended = 1);
CONDVAR_WAIT("wait, chosen before others", .helpers = 1, .late = 1, .op = do_wait,
	     .most = 1, .ended = 1);
CONDVAR_WAIT("timedwait, in vain", .helpers = 1, .op = do_wait,
	     .timeout_ns = 10000000, .ret = -ETIMEDOUT, .most = 1, .ended = 1);

/* Behind what was made true, and nobody signals but the victim, or its death. */
static void survive_signal(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i;

	/* Even while it is not known yet that it is dead. */
	if (!crash_ended() || job->locked)
		crash_look(TAG, ours.region);
	for (i = 0; i < job->helpers; i++)
		crash_helper_ok(helper[i]);
	stage_until_dead();
	lock(&mine);
	CHECK_EQ(*tokens(&mine), 0);
	unlock(&mine);
	CHECK_EQ(stage->done, job->helpers);
	CHECK_EQ(stage->told, job->locked ? 1 : 0);
	CHECK_EQ(shmchan_mutex_trylock(&mine.m), 0);
	CHECK_EQ(shmchan_mutex_unlock(&mine.m), 0);
	stage_close();
}

#define CONDVAR_SIGNAL(what, ...)					\
	CRASH("condvar " what, .setup = setup, .victim = victim,	\
	      .survive = survive_signal,				\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void make_true(struct shmchan_condvar *cv, struct shmchan_mutex *m,
		      const struct job *job)
{
	uint32_t i;

	for (i = 0; i < job->helpers; i++)
		crash_until_asleep(helper[i]);
	CHECK_EQ(shmchan_mutex_lock(m), 0);
	*(uint64_t *)shmchan_region_at(cv->o.region, (uint64_t)
		((uint8_t *)ours.data - ours.region->base)) += job->helpers;
	if (!job->locked)
		CHECK_EQ(shmchan_mutex_unlock(m), 0);
}

static void do_signal(struct shmchan_condvar *cv, struct shmchan_mutex *m,
		      const struct job *job)
{
	int ret;

	make_true(cv, m, job);
	crash_begin();
	ret = shmchan_condvar_signal(cv);
	crash_end();
	CHECK_EQ(ret, 0);
}

static void do_broadcast(struct shmchan_condvar *cv, struct shmchan_mutex *m,
			 const struct job *job)
{
	int ret;

	make_true(cv, m, job);
	crash_begin();
	ret = shmchan_condvar_broadcast(cv);
	crash_end();
	CHECK_EQ(ret, 0);
}

CONDVAR_SIGNAL("signal, nobody waits", .op = do_signal);
CONDVAR_SIGNAL("signal", .helpers = 1, .op = do_signal);
CONDVAR_SIGNAL("signal with the mutex", .helpers = 1, .locked = 1, .op = do_signal);
CONDVAR_SIGNAL("signal, two wait", .helpers = 2, .op = do_signal);
CONDVAR_SIGNAL("broadcast", .helpers = 2, .op = do_broadcast);
CONDVAR_SIGNAL("broadcast with the mutex", .helpers = 2, .locked = 1,
	       .op = do_broadcast);
