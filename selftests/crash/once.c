// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of once: it is done to the end, once, and who finds a half done one
 * is told so once for each death.
 */

#include <shmchan/once.h>

#include "sync_stage.h"

struct job {
	uint32_t helpers;
	int dead;		/* somebody has died at it */
	int held;		/* the driver is at it, when the victim comes */
	int abandons;		/* ... and does not do it */
	int done;		/* it is done */
	int64_t timeout_ns;	/* of the victim */
	int ret;
	void (*op)(struct shmchan_once *once, const struct job *job);
	/* How many are told, at most; and at least, and if all of it was done. */
	uint32_t most, least, ended;
};

static struct shmchan_once mine;

static void attach(struct shmchan_once *once, struct shmchan_sync *s)
{
	CHECK_EQ(shmchan_once_at(once, s, 0), 0);
}

static void use(struct shmchan_once *once)
{
	int ret = CRASH_IN_TIME(shmchan_once_timedbegin(once,
						CRASH_PATIENCE_NS));

	if (ret == -EOWNERDEAD) {
		stage_add(&stage->told);
		ret = SHMCHAN_ONCE_RUN;
	}
	if (ret == SHMCHAN_ONCE_RUN) {
		CHECK_EQ(stage_add(&stage->writers), 0);
		stage_add(&stage->done);
		stage_sub(&stage->writers);
		CHECK_EQ(shmchan_once_end(once), 0);
	} else {
		CHECK_EQ(ret, 0);
	}
	/* It is done now. */
	CHECK_EQ(shmchan_once_trybegin(once), 0);
}

static void help(const struct crash_scenario *s)
{
	uint32_t nr = stage_get(&stage->ready);
	struct shmchan_sync sync;
	struct shmchan_once once;

	(void)s;
	stage_help(&sync);
	attach(&once, &sync);
	stage_await(&stage->go[nr], 1);
	use(&once);
	shmchan_sync_close(&sync);
}

static void begin_and_die(struct shmchan_sync *s)
{
	struct shmchan_once once;

	attach(&once, s);
	CHECK_EQ(shmchan_once_begin(&once), SHMCHAN_ONCE_RUN);
}

static void setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i;

	stage_create();
	attach(&mine, &ours);
	if (job->dead)
		stage_dead(begin_and_die);
	if (job->held || job->done)
		CHECK_EQ(shmchan_once_begin(&mine), SHMCHAN_ONCE_RUN);
	if (job->done)
		CHECK_EQ(shmchan_once_end(&mine), 0);
	stage_helpers(help, s, job->helpers);
	for (i = 0; job->held && i < job->helpers; i++)
		stage_go(i);
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_sync sync;
	struct shmchan_once once;

	stage_enter(&sync);
	attach(&once, &sync);
	job->op(&once, job);
}

static void finish(const struct job *job)
{
	if (!job->held || released)
		return;
	released = 1;
	if (job->abandons) {
		CHECK_EQ(shmchan_once_abandon(&mine), 0);
		return;
	}
	stage_add(&stage->done);
	CHECK_EQ(shmchan_once_end(&mine), 0);
}

static void release(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	if (!job->timeout_ns)
		finish(job);
}

/* Done by the victim, all of it: by the operation's last step that can be seen. */
#define RUNNING(word)	((word) && (word) != SHMCHAN_ONCE_DONE)

static void survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint64_t word;
	uint32_t i;

	finish(job);
	word = shmchan_load_seq_cst(&mine.o.line->word);
	crash_look(TAG, ours.region);
	stage_go_all();
	use(&mine);
	for (i = 0; i < job->helpers; i++)
		crash_helper_ok(helper[i]);
	stage_until_dead();
	use(&mine);
	CHECK_EQ(shmchan_load_seq_cst(&mine.o.line->word), SHMCHAN_ONCE_DONE);
	/* By us, unless by the victim. */
	CHECK_LE(stage->done, 1);
	CHECK_LE(stage->told, job->most);
	CHECK_GE(stage->told, job->least);
	if (crash_ended())
		CHECK_EQ(stage->told, job->ended);
	if (!job->helpers) {
		CHECK_EQ(stage->told, RUNNING(word));
		CHECK_EQ(stage->done, job->held && !job->abandons ? 1 :
				      word != SHMCHAN_ONCE_DONE);
	}
	if (stage->told)
		CHECK_EQ(stage->done, 1);
	stage_close();
}

#define ONCE(what, ...)							\
	CRASH("once " what, .setup = setup, .victim = victim,		\
	      .release = release, .survive = survive,			\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void do_begin(struct shmchan_once *once, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_once_begin(once);
	crash_end();
	/* Who was abandoned to may be another. */
	CHECK(ret == job->ret || (job->abandons && job->helpers && !ret));
}

static void do_trybegin(struct shmchan_once *once, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_once_trybegin(once);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_timedbegin(struct shmchan_once *once, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_once_timedbegin(once, job->timeout_ns);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

ONCE("begin", .op = do_begin, .ret = SHMCHAN_ONCE_RUN, .most = 1, .ended = 1);
ONCE("begin of what is done", .done = 1, .op = do_begin);
ONCE("trybegin, somebody is at it", .held = 1, .op = do_trybegin, .ret = -EAGAIN);
ONCE("timedbegin, in vain", .held = 1, .helpers = 1, .op = do_timedbegin,
     .timeout_ns = 10000000, .ret = -ETIMEDOUT);
ONCE("begin, asleep until it is done", .held = 1, .helpers = 1, .op = do_begin);
ONCE("begin, asleep until it is abandoned", .held = 1, .abandons = 1,
     .op = do_begin, .ret = SHMCHAN_ONCE_RUN, .most = 1, .ended = 1);
ONCE("begin after a death", .dead = 1, .op = do_begin, .ret = -EOWNERDEAD,
     .most = 1, .least = 1, .ended = 1);

static void at_it(struct shmchan_once *once, const struct job *job)
{
	uint32_t i;

	CHECK_EQ(shmchan_once_begin(once),
		 job->dead ? -EOWNERDEAD : SHMCHAN_ONCE_RUN);
	for (i = 0; i < job->helpers; i++)
		stage_go(i);
}

static void do_end(struct shmchan_once *once, const struct job *job)
{
	int ret;

	at_it(once, job);
	crash_begin();
	ret = shmchan_once_end(once);
	crash_end();
	CHECK_EQ(ret, job->ret);
	CHECK_EQ(stage->done, 0);
}

static void do_abandon(struct shmchan_once *once, const struct job *job)
{
	int ret;

	at_it(once, job);
	crash_begin();
	ret = shmchan_once_abandon(once);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

ONCE("end", .op = do_end, .most = 1);
ONCE("end, two sleep", .helpers = 2, .op = do_end, .most = 1);
ONCE("end after a death", .dead = 1, .helpers = 1, .op = do_end, .most = 1);
ONCE("abandon", .op = do_abandon, .most = 1);
ONCE("abandon, two sleep", .helpers = 2, .op = do_abandon, .most = 1);
