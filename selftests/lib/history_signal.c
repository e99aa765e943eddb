// SPDX-License-Identifier: GPL-2.0-only

/*
 * Signals whose posters and waiters are killed at random: what was posted is taken,
 * each once; who is told that there is none is told so rightly; and nobody sleeps
 * beside a count.
 */

#include <shmchan/signal.h>

#include "history_sync.h"

#define WAITERS		4
#define POSTER		0U	/* role; the others wait */

enum signal_op {
	SIGNAL_OPEN = 1,
	SIGNAL_POST,		/* arg: how many */
	SIGNAL_WAIT,		/* arg: timeout; value: how long it took, ns */
	SIGNAL_COUNT,		/* value */
	SIGNAL_SETTLE,		/* until it is 0; else ETIMEDOUT, value: what is left */
	SIGNAL_CLOSE,
};

/*
 * What the count is at least and at most behind each stamp: takes that have begun
 * may be done already, posts that have begun too; what was cut stays in doubt.
 */
struct signal_bounds {
	int64_t *least;
	int64_t *most;
	uint64_t nr;
};

static void bound(const struct history_view *v, struct signal_bounds *b)
{
	uint64_t x;
	size_t i;

	b->nr = 1;
	for (i = 0; i < v->nr; i++) {
		const struct history_event *e = &v->events[i];
		uint64_t last = e->ret > e->invoke ? e->ret : e->invoke;

		b->nr = last >= b->nr ? last + 1 : b->nr;
	}
	b->least = calloc(b->nr, sizeof(*b->least));
	b->most = calloc(b->nr, sizeof(*b->most));
	CHECK(b->least && b->most);
	for (i = 0; i < v->nr; i++) {
		const struct history_event *e = &v->events[i];

		if (e->op == SIGNAL_POST) {
			b->most[e->invoke] += (int64_t)e->arg;
			if (e->ret)
				b->least[e->ret] += (int64_t)e->arg;
		} else if (e->op == SIGNAL_WAIT && (!e->ret || !e->result)) {
			b->least[e->invoke]--;
			if (e->ret)
				b->most[e->ret]--;
		}
	}
	for (x = 1; x < b->nr; x++) {
		b->least[x] += b->least[x - 1];
		b->most[x] += b->most[x - 1];
	}
}

/* Can it have been so many at some instant of that event? */
static int may_have_been(const struct signal_bounds *b,
			 const struct history_event *e, int64_t n)
{
	uint64_t x;

	for (x = e->invoke; x < e->ret; x++)
		if (b->least[x] <= n && n <= b->most[x])
			return 1;
	return 0;
}

static const char *check_wait(const struct history_event *e,
			      const struct signal_bounds *b)
{
	const int64_t timeout = (int64_t)e->arg;
	const unsigned long long at = e->invoke;
	int none = !timeout ? -EAGAIN : timeout > 0 ? -ETIMEDOUT : 0;

	if (e->result && e->result != none)
		return HISTORY_WRONG("actor %u waited for %lld ns at %llu, and was told %d",
				     e->actor, (long long)timeout, at,
				     e->result);
	if (e->result == -ETIMEDOUT && (int64_t)e->value < timeout)
		return HISTORY_WRONG("actor %u waited for %lld ns at %llu, and only %lld passed",
				     e->actor, (long long)timeout, at,
				     (long long)e->value);
	if (e->result && !may_have_been(b, e, 0))
		return HISTORY_WRONG("actor %u was told at %llu that there was none, and all the time there was",
				     e->actor, at);
	return NULL;
}

static const char *check_event(const struct history_event *e,
			       const struct signal_bounds *b)
{
	switch (e->op) {
	case SIGNAL_POST:
		if (e->result)
			return HISTORY_WRONG("actor %u could not post: %d",
					     e->actor, e->result);
		return NULL;
	case SIGNAL_WAIT:
		return check_wait(e, b);
	case SIGNAL_COUNT:
		if (may_have_been(b, e, (int64_t)e->value))
			return NULL;
		return HISTORY_WRONG("a count of %llu at %llu: should be %lld to %lld",
				     (unsigned long long)e->value,
				     (unsigned long long)e->invoke,
				     (long long)b->least[e->invoke],
				     (long long)b->most[e->invoke]);
	case SIGNAL_SETTLE:
		if (e->result)
			return HISTORY_WRONG("a count of %llu was left, and all slept",
					     (unsigned long long)e->value);
		return NULL;
	default:
		return NULL;
	}
}

static const char *signal_checker(const struct history_view *v, const void *r)
{
	struct signal_bounds b;
	const char *why = NULL;
	uint64_t x;
	size_t i;

	(void)r;
	bound(v, &b);
	for (x = 0; x < b.nr && !why; x++)
		if (b.most[x] < 0)
			why = HISTORY_WRONG("at %llu more had been taken than posted",
					    (unsigned long long)x);
	for (i = 0; i < v->nr && !why; i++)
		if (v->events[i].ret)
			why = check_event(&v->events[i], &b);
	free(b.least);
	free(b.most);
	return why;
}

/* ---- What the actors do ---- */

static struct shmchan_signal signal_of(struct shmchan_sync *sync)
{
	struct shmchan_signal s;
	struct shmchan_place place;

	CHECK_EQ(shmchan_sync_place(sync, 0, &place), 0);
	CHECK_EQ(shmchan_signal_attach(&s, &place), 0);
	return s;
}

static void count(struct history_self *me, const struct shmchan_signal *s)
{
	struct history_event *e = history_invoke(me, SIGNAL_COUNT, 0, 0);

	history_return(e, me, 0, shmchan_signal_count(s));
}

static void post(struct history_self *me, struct shmchan_signal *s, uint32_t n)
{
	struct history_event *e = history_invoke(me, SIGNAL_POST, 0, n);

	history_return(e, me, shmchan_signal_post(s, n), 0);
}

/* Others wait for what this one does: when its log fills up it only slows down. */
static void slow_down(const struct history_self *me)
{
	if (me->nr > me->limit)
		usleep(2000);
}

/* Until all is taken: there is always somebody who waits. */
static void settle(struct history_self *me, struct shmchan_signal *s)
{
	struct history_event *e = history_invoke(me, SIGNAL_SETTLE, 0, 0);
	uint64_t end = now_ns() + TOLD_NS * (uint64_t)harness_slowness();
	uint64_t left;

	do {
		left = shmchan_signal_count(s);
		if (left)
			usleep(100);
	} while (left && !history_leaves(me) && now_ns() < end);
	if (history_leaves(me))
		history_forget(e, me);
	else
		history_return(e, me, left ? -ETIMEDOUT : 0, left);
}

static void poster(struct history_self *me)
{
	struct shmchan_signal s;

	come(me, SIGNAL_OPEN, 1);
	s = signal_of(&sync_region);
	/* Who waits for ever leaves when it has been given something. */
	while (!history_leaves(me) ||
	       shmchan_load_seq_cst(&me->h->stop) == 1) {
		slow_down(me);
		post(me, &s, 1 + history_pick(me, 5));
		if (!history_pick(me, 4))
			settle(me, &s);
		else
			usleep(20 + history_pick(me, 100));
		if (!history_pick(me, 8))
			count(me, &s);
	}
	leave(me, SIGNAL_CLOSE);
}

static void waiter(struct history_self *me)
{
	struct history_event *e;
	struct shmchan_signal s;
	int64_t timeout;
	uint64_t begin;
	int err;

	come(me, SIGNAL_OPEN, 1);
	s = signal_of(&sync_region);
	while (!history_leaves(me)) {
		slow_down(me);
		timeout = some_time(me);
		e = history_invoke(me, SIGNAL_WAIT, 0, (uint64_t)timeout);
		begin = now_ns();
		err = shmchan_signal_timedwait(&s, timeout);
		/* To be told of nothing is common, and some of it will do. */
		if (err == -EAGAIN && history_pick(me, 16)) {
			history_forget(e, me);
			sched_yield();
			continue;
		}
		history_return(e, me, err, now_ns() - begin);
		if (!err && !history_pick(me, 8))
			post(me, &s, 1);
		history_pace(me);
	}
	leave(me, SIGNAL_CLOSE);
}

static void play(struct history_self *me)
{
	if (me->role == POSTER)
		poster(me);
	else
		waiter(me);
}

TEST_LIMIT(random_runs, 120)
{
	struct history_run run = {
		.nr_roles = 1 + WAITERS, .kills = (uint32_t)HARNESS_ROUNDS(200),
		.last = 1U << POSTER, .play = play,
	};
	struct history *h = history_new();
	struct shmchan_sync keeper;
	struct history_self me;
	struct shmchan_signal s;

	/* The count outlives all actors. */
	open_objects(&keeper, 1);
	s = signal_of(&keeper);
	history_perform(h, &run);
	me = history_actor(h, 1 + WAITERS);
	count(&me, &s);
	history_judge(h, signal_checker, NULL);
	shmchan_sync_close(&keeper);
}

/* Actor 0 is killed, at 30; the others live. */
static const struct history_actor cast[] = {
	{ .killed = 30, .dead = 32 }, { .dead = 90 }, { .dead = 90 },
};

#define POST(at, n)	{ at, at + 1, 2, SIGNAL_POST, 0, 0, n, 0 }
#define TAKE(from, to, who)						\
	{ from, to, who, SIGNAL_WAIT, 0, 0, UINT64_MAX, 0 }
#define NONE(from, to)	{ from, to, 1, SIGNAL_WAIT, 0, -EAGAIN, 0, 0 }
#define LATE(from, to, after)						\
	{ from, to, 1, SIGNAL_WAIT, 0, -ETIMEDOUT, MS, after }
#define COUNT(at, n)	{ at, at + 1, 1, SIGNAL_COUNT, 0, 0, 0, n }
#define CUT(at, what, n) { at, 0, 0, what, 0, 0, n, 0 }

#define JUDGE(says, ...)						\
	do {								\
		const struct history_event ev[] = { __VA_ARGS__ };	\
		HISTORY_EXPECT(ev, cast, signal_checker, NULL, says);	\
	} while (0)

TEST(the_judge_knows_right_from_wrong)
{
	JUDGE(NULL, POST(1, 2), TAKE(3, 4, 1), TAKE(5, 6, 2), NONE(7, 8),
	      COUNT(9, 0));
	/* Who waits may begin long before. */
	JUDGE(NULL, TAKE(1, 9, 1), POST(3, 1), COUNT(11, 0));
	JUDGE("more had been taken", TAKE(1, 2, 1), POST(3, 1));
	JUDGE("more had been taken", POST(1, 1), TAKE(3, 4, 1), TAKE(5, 6, 2));
	/* Lost, or doubled. */
	JUDGE("should be 3 to 3", POST(1, 3), COUNT(3, 2));
	JUDGE("should be 2 to 2", POST(1, 3), TAKE(3, 4, 1), COUNT(5, 3));
	/* What is under way may be either. */
	JUDGE(NULL, POST(1, 3), TAKE(3, 9, 1), COUNT(5, 3), COUNT(7, 2));
	JUDGE("none, and all the time there was", POST(1, 1), NONE(3, 4));
	JUDGE(NULL, { 1, 9, 2, SIGNAL_POST, 0, 0, 1, 0 }, NONE(3, 4));
	JUDGE(NULL, POST(1, 1), TAKE(3, 9, 2), NONE(4, 6));
	JUDGE("none, and all the time there was", POST(1, 2), TAKE(3, 9, 2),
	      NONE(4, 6));
	JUDGE("none, and all the time there was", POST(1, 1),
	      LATE(3, 6, 2 * MS));
	JUDGE(NULL, LATE(1, 4, 2 * MS), POST(5, 1));
	JUDGE("only 1 passed", LATE(1, 4, 1));
	JUDGE("was told -11", { 1, 2, 1, SIGNAL_WAIT, 0, -EAGAIN, MS, 0 });
	JUDGE("was told -110",
	      { 1, 2, 1, SIGNAL_WAIT, 0, -ETIMEDOUT, UINT64_MAX, 0 });
	/* The dead took one along, or not; posted all that they were to, or not. */
	JUDGE(NULL, POST(1, 2), CUT(29, SIGNAL_WAIT, 0), COUNT(33, 2));
	JUDGE(NULL, POST(1, 2), CUT(29, SIGNAL_WAIT, 0), COUNT(33, 1));
	JUDGE("should be 1 to 2", POST(1, 2), CUT(29, SIGNAL_WAIT, 0),
	      COUNT(33, 0));
	JUDGE(NULL, CUT(29, SIGNAL_POST, 2), COUNT(33, 0));
	JUDGE(NULL, CUT(29, SIGNAL_POST, 2), COUNT(33, 2));
	JUDGE("should be 0 to 2", CUT(29, SIGNAL_POST, 2), COUNT(33, 3));
	JUDGE("all slept", POST(1, 1),
	      { 3, 4, 2, SIGNAL_SETTLE, 0, -ETIMEDOUT, 0, 1 });
}

TEST_MAIN
