/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_HISTORY_H
#define SHMCHAN_TEST_HISTORY_H

/*
 * Histories: what concurrent processes did, and were told, for a judge.
 *
 * Processes call the library at random and are killed at random; others take their
 * seats.  Each writes down what it does, before and after:
 *
 *	struct history_event *e = history_invoke(me, SEND, slot, value);
 *	history_return(e, me, shmchan_send(...), 0);
 *
 * When all is over a *checker*, a plain function of the whole history, says
 * what is wrong with it, or NULL.  It looks at nothing else, so it can be given
 * histories made by hand as well, and has to find out those that are wrong.
 *
 * Time is one counter that all increment: the *stamps*.  What an event did
 * it did at some instant between its two.  An event that returned before
 * another was invoked came before it; of others nothing is known.  An
 * event without a return was cut by a kill: it may or may not have taken effect,
 * before its actor's stamp `dead`.  (M. Herlihy, J. Wing, "Linearizability",
 * ACM TOPLAS 12(3), 1990; but what is judged here is each object's own promise.)
 *
 * An *actor* is one process.  It plays a *role*, such as being the sender, until it
 * is killed or told to leave; then a new actor plays that role.  While one is being
replaced all others are there: what would be gone with its last member is not.
 *
 * The log of an actor is shared memory that it alone writes: an entry counts
 * from the store of its first stamp, and has returned from that of its second.
 *
 * SHMCHAN_TEST_SEED repeats the choices of a run that has printed its seed; what
 * the scheduler makes of them is another matter.
 */

#include <sched.h>

#include <shmchan/atomic.h>

#include "harness.h"

#define HISTORY_EVENTS	4096U	/* of an actor */
#define HISTORY_ACTORS	1024U
#define HISTORY_NEVER	(~0ULL)

struct history_event {
	uint64_t invoke;	/* stamps; 0: there is no such event */
	uint64_t ret;		/* 0: cut by a kill */
	uint32_t actor;
	uint32_t op;		/* the program's own */
	uint32_t object;
	int32_t result;
	uint64_t arg;
	uint64_t value;		/* what came back, beside the result */
};

struct history_actor {
	uint64_t killed;	/* stamp: it still lived then; 0: not killed */
	uint64_t dead;		/* stamp: it lived no longer */
	uint32_t role;
	uint32_t leave;		/* it is to go by itself */
	pid_t pid;
};

/* What a checker looks at: events in order of invocation. */
struct history_view {
	const struct history_event *events;
	size_t nr;
	const struct history_actor *actors;
	uint32_t nr_actors;
};

struct history_log {
	struct history_event events[HISTORY_EVENTS];
};

struct history {
	uint64_t clock;
	uint64_t seed;
	uint32_t stop;		/* the phase of the end */
	uint32_t nr_actors;
	struct history_actor actors[HISTORY_ACTORS];
	struct history_log logs[HISTORY_ACTORS];
};

/* An actor's own view. */
struct history_self {
	struct history *h;
	struct history_event *events;
	uint32_t actor;
	uint32_t role;
	uint32_t nr;
	uint32_t limit;		/* of events, then it is idle */
	uint64_t rnd;
};

/* xorshift64*: S. Vigna, ACM TOMS 42(4), 2016. */
static inline uint64_t history_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * 0x2545f4914f6cdd1dULL) >> 16;
}

static inline uint32_t history_pick(struct history_self *me, uint32_t n)
{
	return (uint32_t)(history_random(&me->rnd) % n);
}

static inline uint64_t history_stamp(struct history *h)
{
	return shmchan_fetch_add(&h->clock, 1) + 1;
}

static inline struct history *history_new(void)
{
	const char *env = getenv("SHMCHAN_TEST_SEED");
	struct history *h = mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
				 -1, 0);

	if (h == MAP_FAILED)
		FAIL("mmap: %s", strerror(errno));
	h->seed = env ? strtoull(env, NULL, 0) : now_ns() % 1000000007;
	note("SHMCHAN_TEST_SEED=%llu", (unsigned long long)h->seed);
	(void)test_name("");
	return h;
}

/* A new actor: this process is it from now on, or is to fork it. */
static inline struct history_self history_actor(struct history *h,
						uint32_t role)
{
	struct history_self me = { .h = h, .role = role };

	CHECK_LT(h->nr_actors, HISTORY_ACTORS);
	me.actor = h->nr_actors++;
	me.events = h->logs[me.actor].events;
	h->actors[me.actor] = (struct history_actor){ .role = role };
	me.rnd = (h->seed + 1) * 0x9e3779b97f4a7c15ULL + me.actor * 7919ULL + 1;
	history_random(&me.rnd);
	/* The rest is for what it has to do at the end. */
	me.limit = HISTORY_EVENTS / 2;
	return me;
}

static inline struct history_event *history_invoke(struct history_self *me,
						   uint32_t op,
						   uint32_t object,
						   uint64_t arg)
{
	struct history_event *e = &me->events[me->nr];

	CHECK_LT(me->nr, HISTORY_EVENTS);
	me->nr++;
	e->actor = me->actor;
	e->op = op;
	e->object = object;
	e->arg = arg;
	e->ret = 0;
	/* What is cut here has no stamp, and did not begin. */
	shmchan_crash_fence();
	shmchan_store_seq_cst(&e->invoke, history_stamp(me->h));
	return e;
}

static inline void history_return(struct history_event *e,
				  const struct history_self *me, int result,
				  uint64_t value)
{
	uint64_t stamp = history_stamp(me->h);

	e->result = result;
	e->value = value;
	shmchan_crash_fence();
	shmchan_store_seq_cst(&e->ret, stamp);
}

/* Nothing happened in the last event, which has not returned: no need to tell. */
static inline void history_forget(struct history_event *e,
				  struct history_self *me)
{
	shmchan_store_seq_cst(&e->invoke, 0ULL);
	me->nr--;
}

/* Has it been told to leave?  To ask while it has something that others wait for. */
static inline int history_leaves(const struct history_self *me)
{
	return shmchan_load_seq_cst(&me->h->stop) ||
	       shmchan_load_seq_cst(&me->h->actors[me->actor].leave);
}

/* Is an actor to go on, or to leave?  Whose log is full does nothing until then. */
static inline int history_goes_on(const struct history_self *me)
{
	while (!history_leaves(me)) {
		if (me->nr < me->limit)
			return 1;
		usleep(500);
	}
	return 0;
}

/* A pause now and then, so that others come between. */
static inline void history_pace(struct history_self *me)
{
	uint32_t n = history_pick(me, 64);

	if (n == 0)
		usleep(200);
	else if (n < 4)
		sched_yield();
}

/* How a run goes: roles 0 to nr_roles - 1, each always played by somebody. */
struct history_run {
	uint32_t nr_roles;
	uint32_t kills;		/* and orderly ends */
	int gentle;		/* orderly ends only */
	uint64_t spared;	/* bit n: role n ends only with the run */
	uint64_t last;		/* ... and after the others have */
	void (*play)(struct history_self *me);
};

static inline uint32_t history_start(struct history *h,
				     const struct history_run *run,
				     uint32_t role)
{
	struct history_self me = history_actor(h, role);
	pid_t pid = child_fork();

	if (!pid) {
		run->play(&me);
		child_done();
	}
	h->actors[me.actor].pid = pid;
	return me.actor;
}

/* It has left by itself, or a check of its own has failed. */
static inline void history_left(struct history *h, uint32_t actor, int status)
{
	if (status)
		FAIL("role %u: wait status 0x%x; SHMCHAN_TEST_SEED=%llu",
		     h->actors[actor].role, (unsigned int)status,
		     (unsigned long long)h->seed);
	h->actors[actor].dead = history_stamp(h);
}

/* All are there, their first event is to come; and then until the clock says so. */
static inline void history_until(struct history *h,
				 const struct history_run *run,
				 const uint32_t *cast, uint64_t clock)
{
	uint64_t begin = now_ns(), slow = (uint64_t)harness_slowness();
	uint32_t role, come = 0;
	int status;

	do {
		usleep(100);
		for (come = role = 0; role < run->nr_roles; role++) {
			if (waitpid(h->actors[cast[role]].pid, &status,
				    WNOHANG)) {
				history_left(h, cast[role], status);
				FAIL("role %u left early", role);
			}
			come += !!shmchan_load_seq_cst(
				&h->logs[cast[role]].events[0].ret);
		}
		if (now_ns() - begin > 10000000000ULL * slow)
			FAIL("%u of %u have come; SHMCHAN_TEST_SEED=%llu",
			     come, run->nr_roles, (unsigned long long)h->seed);
	} while (come < run->nr_roles ||
		 (shmchan_load_seq_cst(&h->clock) < clock &&
		  now_ns() - begin < 20000000ULL * slow));
}

/* The end of an actor, by force or in order. */
static inline void history_finish(struct history *h, uint32_t actor, int force)
{
	struct history_actor *a = &h->actors[actor];
	int status;

	if (force) {
		a->killed = history_stamp(h);
		kill(a->pid, SIGKILL);
	} else {
		shmchan_store_seq_cst(&a->leave, 1U);
	}
	status = child_wait(a->pid);
	if (!force || status != SIGKILL)
		history_left(h, actor, force && !status ? -1 : status);
	a->dead = history_stamp(h);
}

/* Let it all happen, up to the last one's leaving. */
static inline void history_perform(struct history *h,
				   const struct history_run *run)
{
	uint64_t rnd = h->seed * 31 + 17, n;
	uint32_t cast[64], role, kill_nr, phase;

	CHECK_LE(run->nr_roles, 64);
	history_random(&rnd);
	for (role = 0; role < run->nr_roles; role++)
		cast[role] = history_start(h, run, role);
	for (kill_nr = 0; kill_nr < run->kills; kill_nr++) {
		n = history_random(&rnd);
		history_until(h, run, cast, h->clock + n % 500);
		role = (uint32_t)(n >> 20) % run->nr_roles;
		if (run->spared >> role & 1)
			continue;
		history_finish(h, cast[role],
			       !run->gentle && (n >> 30) % 4 != 0);
		cast[role] = history_start(h, run, role);
	}
	history_until(h, run, cast, h->clock + 500);
	for (phase = 1; phase <= 2; phase++) {
		shmchan_store_seq_cst(&h->stop, phase);
		for (role = 0; role < run->nr_roles; role++)
			if ((run->last >> role & 1) + 1 == phase)
				history_left(h, cast[role],
					     child_wait(h->actors[cast[role]].pid));
	}
}

/* An actor of the last ones waits for the others. */
static inline int history_last(const struct history_self *me)
{
	while (shmchan_load_seq_cst(&me->h->stop) == 1)
		usleep(500);
	return shmchan_load_seq_cst(&me->h->stop) == 2;
}

static inline int history_by_invoke(const void *a, const void *b)
{
	const struct history_event *x = a, *y = b;

	return x->invoke < y->invoke ? -1 : x->invoke > y->invoke;
}

/* All events, sorted; to be freed. */
static inline struct history_event *history_all(const struct history *h,
						size_t *nr)
{
	struct history_event *all = NULL;
	size_t n = 0, room = 0;
	uint32_t a, i;

	for (a = 0; a < h->nr_actors; a++)
		for (i = 0; i < HISTORY_EVENTS &&
			    h->logs[a].events[i].invoke; i++) {
			if (n == room) {
				room = room ? 2 * room : 4096;
				all = realloc(all, room * sizeof(*all));
				CHECK(all);
			}
			all[n++] = h->logs[a].events[i];
		}
	if (n)
		qsort(all, n, sizeof(*all), history_by_invoke);
	*nr = n;
	return all;
}

/* How a checker says what is wrong: return HISTORY_WRONG(...); */
static inline __attribute__((format(printf, 1, 2))) const char *
HISTORY_WRONG(const char *fmt, ...)
{
	static char why[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return why;
}

typedef const char *history_checker(const struct history_view *v,
				    const void *rules);

static inline void history_show(const struct history_event *e,
				const struct history_actor *a)
{
	note("%8llu %8llu  actor %u role %u%s: op %u object %u arg %llx: %d, %llx",
	     (unsigned long long)e->invoke, (unsigned long long)e->ret,
	     e->actor, a->role, a->killed ? " (killed)" : "", e->op, e->object,
	     (unsigned long long)e->arg, e->result,
	     (unsigned long long)e->value);
}

/* SHMCHAN_TEST_HISTORY=1 shows all of a history that is wrong. */
static inline void history_judge(const struct history *h,
				 history_checker *checker, const void *rules)
{
	struct history_view v = {
		.actors = h->actors, .nr_actors = h->nr_actors,
	};
	struct history_event *all = history_all(h, &v.nr);
	uint32_t killed = 0, a;
	size_t cut = 0, i;
	const char *why;

	v.events = all;
	for (a = 0; a < v.nr_actors; a++)
		killed += !!v.actors[a].killed;
	for (i = 0; i < v.nr; i++)
		cut += !v.events[i].ret;
	note("%zu events of %u actors, %u killed, %zu events cut", v.nr,
	     v.nr_actors, killed, cut);
	CHECK_GT(v.nr, 0);
	why = checker(&v, rules);
	if (why && getenv("SHMCHAN_TEST_HISTORY"))
		for (i = 0; i < v.nr; i++)
			history_show(&all[i], &v.actors[all[i].actor]);
	if (why)
		FAIL("SHMCHAN_TEST_SEED=%llu: %s", (unsigned long long)h->seed,
		     why);
	free(all);
	munmap((void *)(uintptr_t)h, sizeof(*h));
}

/* A history made by hand, and what the checker has to say of it; NULL: nothing. */
static inline void history_expect(const struct history_event *events, size_t nr,
				  const struct history_actor *actors,
				  uint32_t nr_actors,
				  history_checker *checker, const void *rules,
				  const char *says)
{
	struct history_view v = { events, nr, actors, nr_actors };
	const char *why = checker(&v, rules);

	if (!says && why)
		FAIL("a history that is right was called wrong: %s", why);
	if (says && !why)
		FAIL("it was not noticed that: %s", says);
	if (says)
		CHECK_SAYS(why, says);
}

#define HISTORY_EXPECT(events, actors, checker, rules, says)		\
	history_expect(events, sizeof(events) / sizeof((events)[0]),	\
		       actors, sizeof(actors) / sizeof((actors)[0]),	\
		       checker, rules, says)

/* Until when an event may have taken effect. */
static inline uint64_t history_end(const struct history_view *v,
				   const struct history_event *e)
{
	if (e->ret)
		return e->ret;
	return v->actors[e->actor].dead ? v->actors[e->actor].dead :
					  HISTORY_NEVER;
}

#endif /* SHMCHAN_TEST_HISTORY_H */
