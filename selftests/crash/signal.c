// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of signals.  They are not robust: what a dead member took is gone,
 * and it may have posted or not.  But the count is right, and nobody sleeps while
 * it is not 0.
 */

#include <shmchan/signal.h>

#include "sync_stage.h"

struct job {
	uint32_t helpers;	/* that take one each, asleep */
	uint32_t before;	/* the count */
	uint32_t posts;		/* of the victim */
	uint32_t release;	/* the driver's, when it sleeps */
	int late;		/* they come when the victim sleeps already */
	int64_t timeout_ns;	/* of the victim */
	int takes;		/* the victim takes one */
	int ret;
	void (*op)(struct shmchan_signal *s, const struct job *job);
};

static struct shmchan_signal mine;

static void attach(struct shmchan_signal *signal, struct shmchan_sync *s)
{
	struct shmchan_place place;

	CHECK_EQ(shmchan_sync_place(s, 0, &place), 0);
	CHECK_EQ(shmchan_signal_attach(signal, &place), 0);
}

static void help(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t nr = stage_get(&stage->ready);
	struct shmchan_signal signal;
	struct shmchan_sync sync;

	stage_help(&sync);
	attach(&signal, &sync);
	stage_await(&stage->go[nr], 1);
	CHECK_EQ(CRASH_IN_TIME(shmchan_signal_timedwait(&signal,
						CRASH_PATIENCE_NS)), 0);
	stage_add(&stage->done);
	/* It may have been for the victim. */
	if (job->late)
		CHECK_EQ(shmchan_signal_post(&signal, 1), 0);
	shmchan_sync_close(&sync);
}

static void setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i;

	stage_create();
	attach(&mine, &ours);
	CHECK_EQ(shmchan_signal_post(&mine, job->before), 0);
	stage_helpers(help, s, job->helpers);
	for (i = 0; !job->late && i < job->helpers; i++)
		stage_go(i);
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_signal signal;
	struct shmchan_sync sync;

	stage_enter(&sync);
	attach(&signal, &sync);
	job->op(&signal, job);
}

static void release(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint32_t i;

	if (!released && !job->timeout_ns) {
		released = 1;
		for (i = 0; job->late && i < job->helpers; i++)
			stage_go(i);
		CHECK_EQ(shmchan_signal_post(&mine, job->release), 0);
	}
}

static void survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	uint64_t posted = job->before + (released ? job->release : 0);
	uint64_t count = shmchan_signal_count(&mine);
	uint64_t took = count + stage_get(&stage->done);
	uint32_t i;

	crash_look(TAG, ours.region);
	stage_go_all();
	/* While there is a count nobody sleeps on: they take it without us. */
	while (shmchan_signal_count(&mine) && job->helpers &&
	       stage_get(&stage->done) < job->helpers) {
		CHECK_LT(now_ns(), end);
		sleep_ms(1);
	}
	stage_until_dead();
	CHECK_EQ(shmchan_signal_post(&mine, job->helpers), 0);
	posted += job->helpers;
	for (i = 0; i < job->helpers; i++)
		crash_helper_ok(helper[i]);
	CHECK_EQ(stage->done, job->helpers);
	posted += job->late ? job->helpers : 0;
	count = shmchan_signal_count(&mine) + stage->done;
	if (job->posts) {
		CHECK(count == posted + job->posts ||
		      (count == posted && !crash_ended()));
	} else {
		CHECK(count == posted - (uint64_t)job->takes ||
		      (count == posted && !crash_ended()));
	}
	if (!job->helpers) {
		CHECK_EQ(count, took);
		/* And each of them can be taken. */
		while (count--)
			CHECK_EQ(shmchan_signal_trywait(&mine), 0);
		CHECK_EQ(shmchan_signal_trywait(&mine), -EAGAIN);
	}
	stage_close();
}

#define SIGNAL(what, ...)						\
	CRASH("signal " what, .setup = setup, .victim = victim,		\
	      .release = release, .survive = survive,			\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void do_post(struct shmchan_signal *s, const struct job *job)
{
	uint32_t i;
	int ret;

	for (i = 0; i < job->helpers; i++)
		crash_until_asleep(helper[i]);
	crash_begin();
	ret = shmchan_signal_post(s, job->posts);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_wait(struct shmchan_signal *s, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_signal_wait(s);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_timedwait(struct shmchan_signal *s, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_signal_timedwait(s, job->timeout_ns);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

static void do_trywait(struct shmchan_signal *s, const struct job *job)
{
	int ret;

	crash_begin();
	ret = shmchan_signal_trywait(s);
	crash_end();
	CHECK_EQ(ret, job->ret);
}

SIGNAL("post", .posts = 3, .op = do_post);
SIGNAL("post, somebody sleeps", .posts = 1, .helpers = 1, .op = do_post);
SIGNAL("post of two, three sleep", .posts = 2, .helpers = 3, .op = do_post);
SIGNAL("wait", .before = 2, .takes = 1, .op = do_wait);
SIGNAL("wait, asleep", .release = 1, .takes = 1, .op = do_wait);
SIGNAL("wait, asleep beside others", .helpers = 1, .release = 2, .takes = 1,
       .op = do_wait);
SIGNAL("wait, chosen before others", .helpers = 2, .late = 1, .release = 1,
       .takes = 1, .op = do_wait);
SIGNAL("trywait", .before = 1, .takes = 1, .op = do_trywait);
SIGNAL("trywait, in vain", .op = do_trywait, .ret = -EAGAIN);
SIGNAL("timedwait, in vain", .helpers = 1, .op = do_timedwait,
       .timeout_ns = 10000000, .ret = -ETIMEDOUT);
