// SPDX-License-Identifier: GPL-2.0-only

/*
 * Locks whose holders are killed at random: nobody has what somebody else has who
 * lives, and a death with the lock is told of once; and onces.
 */

#include <shmchan/mutex.h>
#include <shmchan/once.h>
#include <shmchan/permits.h>
#include <shmchan/rwlock.h>

#include "history_sync.h"

#define ACTORS		4
#define ONCES		40
#define PERMITS		2

enum lock_op {
	LOCK_OPEN = 1,
	LOCK_ACQUIRE,		/* arg: how */
	LOCK_RELEASE,		/* arg: LOCK_DONE, or 0 */
	LOCK_REPAIR,
	LOCK_CLOSE,		/* what it has is as if it died */
};

/* How a lock is taken. */
#define LOCK_ALONE	0U
#define LOCK_SHARED	1U
/* Of a once: to the end. */
#define LOCK_DONE	1U

/* What an acquire has given, whatever it is called there; else -errno. */
#define LOCK_HAVE	0
#define LOCK_TOLD	1	/* ... from a dead owner */
#define LOCK_OVER	2	/* a once: it is done */

struct lock_rules {
	int any;		/* which one an acquire takes is the library's choice */
};

enum lock_death { DEATH_NO, DEATH_MAYBE, DEATH_YES };

/* From when to when somebody had something, for certain. */
struct lock_hold {
	uint64_t from;
	uint64_t to;
	uint32_t object;
	uint32_t actor;
	int shared;
	int told;
	enum lock_death died;
	int done;
};

static int by_object_and_time(const void *a, const void *b)
{
	const struct lock_hold *x = a, *y = b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

/* How what was taken in event i has ended. */
static struct lock_hold hold_of(const struct history_view *v, size_t i)
{
	const struct history_event *e = &v->events[i];
	struct lock_hold hold = {
		.from = e->ret, .object = e->object, .actor = e->actor,
		.shared = e->arg == LOCK_SHARED, .told = e->result == LOCK_TOLD,
		.died = DEATH_YES, .to = v->actors[e->actor].killed,
	};

	if (!hold.to)
		hold.to = HISTORY_NEVER;
	for (i++; i < v->nr; i++) {
		e = &v->events[i];
		if (e->actor != hold.actor)
			continue;
		if (e->op == LOCK_CLOSE) {
			hold.to = e->invoke;
			break;
		}
		if (e->op == LOCK_RELEASE && e->object == hold.object) {
			hold.to = e->invoke;
			hold.died = e->ret ? DEATH_NO : DEATH_MAYBE;
			hold.done = e->ret && e->arg == LOCK_DONE;
			break;
		}
	}
	return hold;
}

/* An acquire that was cut may have taken it between the two, and died with it. */
static int cut_between(const struct history_view *v,
		       const struct lock_rules *rules, uint8_t *used,
		       const struct lock_hold *b, uint64_t after)
{
	const struct history_event *e;
	size_t i, best = v->nr;

	for (i = 0; i < v->nr && v->events[i].invoke < b->from; i++) {
		e = &v->events[i];
		if (e->op != LOCK_ACQUIRE || e->ret || used[i] ||
		    e->arg == LOCK_SHARED ||
		    (!rules->any && e->object != b->object) ||
		    history_end(v, e) < after)
			continue;
		if (best == v->nr ||
		    history_end(v, e) < history_end(v, &v->events[best]))
			best = i;
	}
	if (best == v->nr)
		return 0;
	used[best] = 1;
	return 1;
}

/* One object, in order of time. */
static const char *check_holds(const struct history_view *v,
			       const struct lock_rules *rules,
			       const struct lock_hold *h, size_t nr,
			       uint8_t *used)
{
	const struct lock_hold *alone = NULL, *longest = NULL, *b;
	size_t i;

	for (i = 0; i < nr; i++) {
		b = &h[i];
		if (b->shared) {
			if (alone && b->from < alone->to)
				return HISTORY_WRONG("actor %u shared at %llu what actor %u had alone",
						     b->actor,
						     (unsigned long long)b->from,
						     alone->actor);
			if (alone && alone->died == DEATH_YES)
				return HISTORY_WRONG("actor %u shared at %llu what the dead actor %u had left unrepaired",
						     b->actor,
						     (unsigned long long)b->from,
						     alone->actor);
			if (b->told)
				return HISTORY_WRONG("who shares was told");
		} else {
			if (longest && b->from < longest->to)
				return HISTORY_WRONG("actor %u had at %llu what actor %u had as well",
						     b->actor,
						     (unsigned long long)b->from,
						     longest->actor);
			if (alone && alone->done)
				return HISTORY_WRONG("actor %u began what was done",
						     b->actor);
			if (alone && alone->died == DEATH_YES && !b->told)
				return HISTORY_WRONG("actor %u was not told at %llu that actor %u had died with it",
						     b->actor,
						     (unsigned long long)b->from,
						     alone->actor);
			if (b->told && (!alone || alone->died == DEATH_NO) &&
			    !cut_between(v, rules, used, b,
					 alone ? alone->from : 0))
				return HISTORY_WRONG("actor %u was told at %llu of a death, and nobody had died with it",
						     b->actor,
						     (unsigned long long)b->from);
			alone = b;
		}
		if (!longest || b->to > longest->to)
			longest = b;
	}
	return NULL;
}

/* Who is told that it is done: after somebody has begun to say so. */
static const char *check_over(const struct history_view *v)
{
	const struct history_event *e, *f;
	size_t i, k;

	for (i = 0; i < v->nr; i++) {
		e = &v->events[i];
		if (e->op != LOCK_ACQUIRE || !e->ret || e->result != LOCK_OVER)
			continue;
		for (k = 0; k < v->nr; k++) {
			f = &v->events[k];
			if (f->op == LOCK_RELEASE && f->object == e->object &&
			    f->arg == LOCK_DONE && f->invoke < e->ret)
				break;
		}
		if (k == v->nr)
			return HISTORY_WRONG("object %u was said to be done before it was",
					     e->object);
	}
	return NULL;
}

static const char *lock_checker(const struct history_view *v, const void *r)
{
	struct lock_hold *holds = calloc(v->nr, sizeof(*holds));
	uint8_t *used = calloc(v->nr, 1);
	const struct history_event *e;
	const char *why = NULL;
	size_t i, n = 0, from;

	CHECK(holds && used);
	for (i = 0; i < v->nr; i++) {
		e = &v->events[i];
		if ((e->op == LOCK_RELEASE || e->op == LOCK_REPAIR) && e->ret &&
		    e->result)
			why = HISTORY_WRONG("actor %u was not let go of what it had: %d",
					    e->actor, e->result);
		if (e->op == LOCK_ACQUIRE && e->ret &&
		    (e->result == LOCK_HAVE || e->result == LOCK_TOLD))
			holds[n++] = hold_of(v, i);
	}
	qsort(holds, n, sizeof(*holds), by_object_and_time);
	for (from = 0; from < n && !why; from = i) {
		for (i = from; i < n && holds[i].object == holds[from].object;)
			i++;
		why = check_holds(v, r, &holds[from], i - from, used);
	}
	if (!why)
		why = check_over(v);
	free(holds);
	free(used);
	return why;
}

/* ---- What the actors do ---- */

/* Nothing happened, or it is to be told how it ended. */
static int acquired(struct history_event *e, struct history_self *me, int err)
{
	if (err == -EAGAIN || err == -ETIMEDOUT) {
		history_forget(e, me);
		return -1;
	}
	if (err == -EOWNERDEAD)
		err = LOCK_TOLD;
	history_return(e, me, err, 0);
	CHECK_GE(err, 0);
	return err;
}

static void play_mutex(struct history_self *me)
{
	struct shmchan_mutex m[2];
	struct history_event *e;
	uint32_t i;
	int had;

	come(me, LOCK_OPEN, ONCES);
	for (i = 0; i < 2; i++)
		CHECK_EQ(shmchan_mutex_at(&m[i], &sync_region, i), 0);
	while (history_goes_on(me)) {
		i = history_pick(me, 2);
		e = history_invoke(me, LOCK_ACQUIRE, i, LOCK_ALONE);
		had = acquired(e, me, shmchan_mutex_timedlock(&m[i],
							      some_time(me)));
		if (had < 0)
			continue;
		stay(me);
		if (had == LOCK_TOLD) {
			e = history_invoke(me, LOCK_REPAIR, i, 0);
			history_return(e, me, shmchan_mutex_consistent(&m[i]),
				       0);
		}
		/* Leaving with it is dying. */
		if (history_leaves(me))
			break;
		e = history_invoke(me, LOCK_RELEASE, i, 0);
		history_return(e, me, shmchan_mutex_unlock(&m[i]), 0);
		history_pace(me);
	}
	leave(me, LOCK_CLOSE);
}

static void play_rwlock(struct history_self *me)
{
	struct history_event *e;
	struct shmchan_place place;
	struct shmchan_rwlock l;
	int had, err;

	come(me, LOCK_OPEN, ONCES);
	CHECK_EQ(shmchan_sync_place(&sync_region, 0, &place), 0);
	CHECK_EQ(shmchan_rwlock_attach(&l, &place, NULL), 0);
	while (history_goes_on(me)) {
		int shared = !!history_pick(me, 3);
		int64_t time = some_time(me);

		e = history_invoke(me, LOCK_ACQUIRE, 0,
				   shared ? LOCK_SHARED : LOCK_ALONE);
		err = shared ? shmchan_rwlock_timedrdlock(&l, time) :
			       shmchan_rwlock_timedwrlock(&l, time);
		/* Who shares is refused until a writer has repaired. */
		if (shared && err == -EOWNERDEAD) {
			history_return(e, me, err, 0);
			continue;
		}
		had = acquired(e, me, err);
		if (had < 0)
			continue;
		stay(me);
		if (had == LOCK_TOLD) {
			e = history_invoke(me, LOCK_REPAIR, 0, 0);
			history_return(e, me, shmchan_rwlock_consistent(&l),
				       0);
		}
		if (history_leaves(me))
			break;
		e = history_invoke(me, LOCK_RELEASE, 0, 0);
		err = shared ? shmchan_rwlock_rdunlock(&l) :
			       shmchan_rwlock_wrunlock(&l);
		history_return(e, me, err, 0);
		history_pace(me);
	}
	leave(me, LOCK_CLOSE);
}

static void play_permits(struct history_self *me)
{
	struct history_event *e;
	struct shmchan_permits p;
	struct shmchan_place place;
	uint32_t permit = 0;
	int err;

	come(me, LOCK_OPEN, ONCES);
	CHECK_EQ(shmchan_sync_place(&sync_region, 0, &place), 0);
	CHECK_EQ(shmchan_permits_attach(&p, &place, PERMITS), 0);
	while (history_goes_on(me)) {
		e = history_invoke(me, LOCK_ACQUIRE, 0, LOCK_ALONE);
		err = shmchan_permits_timedacquire(&p, &permit, some_time(me));
		/* Which it is, is known now. */
		e->object = permit;
		if (acquired(e, me, err) < 0)
			continue;
		CHECK_LT(permit, PERMITS);
		stay(me);
		if (history_leaves(me))
			break;
		e = history_invoke(me, LOCK_RELEASE, permit, 0);
		history_return(e, me, shmchan_permits_release(&p, permit), 0);
		history_pace(me);
	}
	leave(me, LOCK_CLOSE);
}

static void play_once(struct history_self *me)
{
	struct shmchan_once once;
	struct history_event *e;
	int had, done;
	uint32_t i;

	come(me, LOCK_OPEN, ONCES);
	while (history_goes_on(me)) {
		i = history_pick(me, ONCES);
		CHECK_EQ(shmchan_once_at(&once, &sync_region, i), 0);
		e = history_invoke(me, LOCK_ACQUIRE, i, LOCK_ALONE);
		had = shmchan_once_timedbegin(&once, some_time(me));
		had = acquired(e, me, had == SHMCHAN_ONCE_RUN ? LOCK_HAVE :
				      had == 0 ? LOCK_OVER : had);
		if (had < 0 || had == LOCK_OVER) {
			/* All will be, soon. */
			usleep(50);
			continue;
		}
		stay(me);
		if (history_leaves(me))
			break;
		done = !history_pick(me, 30);
		e = history_invoke(me, LOCK_RELEASE, i, done ? LOCK_DONE : 0);
		history_return(e, me, done ? shmchan_once_end(&once) :
					     shmchan_once_abandon(&once), 0);
		history_pace(me);
	}
	leave(me, LOCK_CLOSE);
}

static void run_locks(void (*play)(struct history_self *me), int kills,
		      int gentle, history_checker *checker, const void *rules)
{
	struct history_run run = {
		.nr_roles = ACTORS, .kills = (uint32_t)kills, .gentle = gentle,
		.play = play,
	};
	struct history *h = history_new();
	struct shmchan_sync keeper;

	/* The objects outlive all actors. */
	open_objects(&keeper, ONCES);
	history_perform(h, &run);
	if (play == play_mutex) {
		/* The last death is told of as well. */
		struct history_self me = history_actor(h, ACTORS);
		struct history_event *e;
		struct shmchan_mutex m;
		uint32_t i;

		for (i = 0; i < 2; i++) {
			CHECK_EQ(shmchan_mutex_at(&m, &keeper, i), 0);
			e = history_invoke(&me, LOCK_ACQUIRE, i, LOCK_ALONE);
			acquired(e, &me, shmchan_mutex_timedlock(&m, TOLD_NS));
			CHECK(e->ret);
		}
	}
	history_judge(h, checker, rules);
	shmchan_sync_close(&keeper);
}

static const struct lock_rules named = { 0 };
static const struct lock_rules unnamed = { .any = 1 };

TEST_LIMIT(mutexes, 120)
{
	run_locks(play_mutex, HARNESS_ROUNDS(150), 0, lock_checker, &named);
}

TEST_LIMIT(rwlocks, 120)
{
	run_locks(play_rwlock, HARNESS_ROUNDS(150), 0, lock_checker, &named);
}

TEST_LIMIT(permits, 120)
{
	run_locks(play_permits, HARNESS_ROUNDS(150), 0, lock_checker, &unnamed);
}

TEST_LIMIT(onces, 120)
{
	run_locks(play_once, HARNESS_ROUNDS(100), 0, lock_checker, &named);
}

/* Actor 0 is killed, at 30; the others live. */
static const struct history_actor cast[] = {
	{ .killed = 30, .dead = 32 }, { .dead = 90 }, { .dead = 90 },
};

#define HAS(from, to, who, how, result)					\
	{ from, (from) + 1, who, LOCK_ACQUIRE, 0, result, how, 0 },	\
	{ to, (to) + 1, who, LOCK_RELEASE, 0, 0, 0, 0 }
#define GETS(from, who, how, result)					\
	{ from, (from) + 1, who, LOCK_ACQUIRE, 0, result, how, 0 }
#define CUT(at, who, what, how)	{ at, 0, who, what, 0, 0, how, 0 }

#define JUDGE(says, ...)						\
	do {								\
		const struct history_event ev[] = { __VA_ARGS__ };	\
		HISTORY_EXPECT(ev, cast, lock_checker, &named, says);	\
	} while (0)

TEST(the_judge_of_locks)
{
	JUDGE(NULL, HAS(1, 5, 1, LOCK_ALONE, 0), HAS(4, 9, 2, LOCK_ALONE, 0));
	JUDGE("had as well", HAS(1, 7, 1, LOCK_ALONE, 0),
	      HAS(4, 9, 2, LOCK_ALONE, 0));
	JUDGE(NULL, HAS(1, 7, 1, LOCK_SHARED, 0), HAS(4, 9, 2, LOCK_SHARED, 0));
	JUDGE("had alone", HAS(1, 7, 1, LOCK_ALONE, 0),
	      HAS(4, 9, 2, LOCK_SHARED, 0));
	JUDGE("had as well", HAS(1, 7, 1, LOCK_SHARED, 0),
	      HAS(4, 9, 2, LOCK_ALONE, 0));
	/* Once for each death, and to those who may have it. */
	JUDGE(NULL, GETS(1, 0, LOCK_ALONE, 0), HAS(31, 40, 1, LOCK_ALONE, 1),
	      HAS(42, 44, 2, LOCK_ALONE, 0));
	JUDGE("had as well", GETS(1, 0, LOCK_ALONE, 0),
	      HAS(20, 40, 1, LOCK_ALONE, 1));
	JUDGE("not told", GETS(1, 0, LOCK_ALONE, 0),
	      HAS(33, 40, 1, LOCK_ALONE, 0));
	JUDGE("nobody had died", GETS(1, 0, LOCK_ALONE, 0),
	      HAS(33, 40, 1, LOCK_ALONE, 1), HAS(42, 44, 2, LOCK_ALONE, 1));
	JUDGE("unrepaired", GETS(1, 0, LOCK_ALONE, 0),
	      HAS(33, 40, 1, LOCK_SHARED, 0));
	/* What was cut may be one way or the other, but not both. */
	JUDGE(NULL, CUT(28, 0, LOCK_ACQUIRE, LOCK_ALONE),
	      HAS(33, 40, 1, LOCK_ALONE, 1));
	JUDGE(NULL, CUT(28, 0, LOCK_ACQUIRE, LOCK_ALONE),
	      HAS(33, 40, 1, LOCK_ALONE, 0));
	JUDGE("nobody had died", CUT(28, 0, LOCK_ACQUIRE, LOCK_ALONE),
	      HAS(33, 40, 1, LOCK_ALONE, 1), HAS(42, 44, 2, LOCK_ALONE, 1));
	JUDGE("nobody had died", CUT(28, 0, LOCK_ACQUIRE, LOCK_SHARED),
	      HAS(33, 40, 1, LOCK_ALONE, 1));
	JUDGE(NULL, GETS(1, 0, LOCK_ALONE, 0), CUT(29, 0, LOCK_RELEASE, 0),
	      HAS(33, 40, 1, LOCK_ALONE, 1));
	/* Onces. */
	JUDGE("was done", GETS(1, 1, LOCK_ALONE, 0),
	      { 3, 4, 1, LOCK_RELEASE, 0, 0, LOCK_DONE, 0 },
	      GETS(5, 2, LOCK_ALONE, 0));
	JUDGE("before it was", GETS(1, 1, LOCK_ALONE, 0),
	      GETS(3, 2, LOCK_ALONE, LOCK_OVER),
	      { 5, 6, 1, LOCK_RELEASE, 0, 0, LOCK_DONE, 0 });
}

TEST_MAIN
