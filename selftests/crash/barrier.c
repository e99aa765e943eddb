// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of barriers.  Two helpers are parties for some phases, the victim is
 * one as well, or about to be.  They go through all phases together, whoever dies,
 * and all are told the same: once, if a party died, and never if none did.
 */

#include <shmchan/barrier.h>

#define PARTIES		2	/* helpers */
/* And the driver; so the victim comes after whoever was there before it. */
#define STAGE_MEMBERS	(1 + PARTIES + 1)

#include "sync_stage.h"

#define PHASES	4	/* they go through */

struct job {
	uint32_t asleep;	/* helpers that have arrived and sleep */
	uint32_t parties;	/* of the first phase */
	int joins;		/* the victim is no party before the operation */
	int leaves;		/* ... and none behind it */
	int before;		/* phases that are over when it comes to it */
	int never;		/* it is a party in none */
	int dead;		/* a party has died, whose slot the victim has */
	int ret;
	void (*op)(struct shmchan_barrier *b, const struct job *job);
};

/* In stage->list: of helper i, phase p. */
#define ARRIVED(i)	(&stage->list[(i)])
#define TOLD(i, p)	(&stage->list[2 + (i) * PHASES + (p)])

static void attach(struct shmchan_barrier *b, struct shmchan_sync *s,
		   const struct job *job)
{
	struct shmchan_barrier_opts opts = SHMCHAN_BARRIER_OPTS(
		.parties = job->parties);
	struct shmchan_place place;

	CHECK_EQ(shmchan_sync_place(s, 0, &place), 0);
	CHECK_EQ(shmchan_barrier_attach(b, &place, &opts), 0);
}

static void help(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t nr = stage_get(&stage->ready), p;
	struct shmchan_barrier b;
	struct shmchan_sync sync;
	int ret;

	stage_open(&sync, 0);
	attach(&b, &sync, job);
	CHECK_EQ(shmchan_barrier_register(&b), 0);
	stage_add(&stage->ready);
	stage_await(&stage->go[nr], 1);
	for (p = 0; p < PHASES; p++) {
		stage_set(ARRIVED(nr), p + 1);
		ret = CRASH_IN_TIME(shmchan_barrier_timedwait(&b,
						CRASH_PATIENCE_NS));
		CHECK(!ret || ret == -EOWNERDEAD);
		stage_set(TOLD(nr, p), ret ? 2 : 1);
		/* Nobody before the other has come as far. */
		CHECK_GE(stage_get(ARRIVED(!nr)), p + 1);
	}
	CHECK_EQ(shmchan_barrier_unregister(&b), 0);
	shmchan_sync_close(&sync);
}

static void register_and_die(struct shmchan_sync *s)
{
	static const struct job job = { .parties = PARTIES };
	struct shmchan_barrier b;

	attach(&b, s, &job);
	CHECK_EQ(shmchan_barrier_register(&b), 0);
}

static void setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	stage_create();
	stage_helpers(help, s, PARTIES);
	if (job->dead)
		stage_dead(register_and_die);
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_barrier b;
	struct shmchan_sync sync;
	uint32_t i;
	int p;

	i = stage->slot;
	stage_enter(&sync);
	CHECK(!job->dead || stage->slot == i);
	attach(&b, &sync, job);
	if (!job->joins && !job->never)
		CHECK_EQ(shmchan_barrier_register(&b), 0);
	if (job->before) {
		stage_go_all();
		for (p = 0; p < job->before; p++)
			CHECK_EQ(shmchan_barrier_arrive_and_wait(&b), 0);
		for (i = 0; i < PARTIES; i++) {
			stage_await(ARRIVED(i), (uint32_t)job->before + 1);
			crash_until_asleep(helper[i]);
		}
	}
	for (i = 0; i < job->asleep; i++)
		stage_go(i);
	job->op(&b, job);
}

static void release(const struct crash_scenario *s)
{
	(void)s;
	stage_go_all();
}

static void survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i, p, told = 0;

	crash_look(TAG, ours.region);
	stage_go_all();
	for (i = 0; i < PARTIES; i++)
		crash_helper_ok(helper[i]);
	stage_until_dead();
	for (p = 0; p < PHASES; p++) {
		CHECK(*TOLD(0, p));
		CHECK_EQ(*TOLD(0, p), *TOLD(1, p));
		told += *TOLD(0, p) == 2;
	}
	if (job->dead) {
		/* Of both deaths, perhaps in one phase. */
		CHECK_GE(told, 1);
		CHECK_LE(told, 2);
		stage_close();
		return;
	}
	if (job->joins || job->leaves)
		CHECK_LE(told, 1);
	else
		CHECK_EQ(told, job->never ? 0 : 1);
	if (crash_ended())
		CHECK_EQ(told, job->leaves || job->never ? 0 : 1);
	stage_close();
}

#define BARRIER(what, ...)						\
	CRASH("barrier " what, .setup = setup, .victim = victim,	\
	      .release = release, .survive = survive,			\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void do_register(struct shmchan_barrier *b, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_barrier_register(b);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_arrive(struct shmchan_barrier *b, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_barrier_arrive(b);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_wait(struct shmchan_barrier *b, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_barrier_arrive_and_wait(b);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_try(struct shmchan_barrier *b, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_barrier_timedwait(b, 0);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_unregister(struct shmchan_barrier *b, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_barrier_unregister(b);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_arrived_unregister(struct shmchan_barrier *b, const struct job *job)
{
	CHECK_EQ(shmchan_barrier_arrive(b), 0);
	do_unregister(b, job);
}

BARRIER("register", .parties = PARTIES, .joins = 1, .op = do_register);
BARRIER("register, one has arrived", .parties = PARTIES, .joins = 1, .asleep = 1,
	.op = do_register);

BARRIER("register in the place of the dead", .parties = PARTIES, .joins = 1,
	.dead = 1, .op = do_register);

/* All three are parties of the first phase. */
#define ALL	(PARTIES + 1)

BARRIER("arrive, first", .parties = ALL, .op = do_arrive);
BARRIER("arrive, last", .parties = ALL, .asleep = PARTIES, .op = do_arrive);
BARRIER("arrive and wait, first", .parties = ALL, .op = do_wait);
BARRIER("arrive and wait, second", .parties = ALL, .asleep = 1, .op = do_wait);
BARRIER("arrive and wait, last", .parties = ALL, .asleep = PARTIES, .op = do_wait);
BARRIER("arrive and wait, last of a later phase", .parties = ALL, .before = 1,
	.op = do_wait);
BARRIER("arrive and do not wait for another", .parties = ALL, .asleep = 1,
	.op = do_try, .ret = -EAGAIN);
BARRIER("unregister", .parties = ALL, .leaves = 1, .op = do_unregister);
BARRIER("unregister, all others sleep", .parties = ALL, .leaves = 1,
	.asleep = PARTIES, .op = do_unregister);
BARRIER("unregister in a later phase, all others sleep", .parties = ALL,
	.leaves = 1, .before = 1, .op = do_unregister);
BARRIER("unregister, having arrived", .parties = ALL, .leaves = 1, .asleep = 1,
	.op = do_arrived_unregister);
