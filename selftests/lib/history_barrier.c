// SPDX-License-Identifier: GPL-2.0-only

/*
 * Barriers whose parties come, go and are killed at random: nobody leaves a phase
 * before all who take part have arrived or are gone, phases do not skip, all of one
 * are told the same, and that is of a death if there was one, and only then.
 */

#include <shmchan/barrier.h>

#include "history_sync.h"

#define PARTIES		4	/* to be there in the first phase, and actors */

enum barrier_op {
	BARRIER_OPEN = 1,
	BARRIER_REGISTER,	/* object: the slot; value: phases that had ended */
	BARRIER_ARRIVE,
	BARRIER_WAIT,		/* arrives too; value: phases that had ended */
	BARRIER_UNREGISTER,
	BARRIER_CLOSE,		/* who is registered has died */
};

struct barrier_rules {
	uint32_t parties;
};

/* Phases are numbered from 1: what a wait that returned saw to have ended. */
struct barrier_phase {
	uint64_t left;		/* the first return from it; 0: nobody's */
	uint64_t arrived;	/* the last arrival in it, of those who returned */
	int told;		/* what, if anybody returned */
	int due;		/* a death that is certain was to be told here */
	int excused;		/* a death can have been told here */
};

/* One actor's being a party, from registering to unregistering, or death. */
struct barrier_stay {
	uint64_t from;		/* register's invocation */
	uint64_t in;		/* ... and return; 0: cut */
	uint64_t base;		/* phases ended then */
	uint64_t last;		/* the last phase it returned from; 0: none */
	uint64_t arrival;	/* invoked in the one after that; 0: none */
	int arrived;		/* ... and certain */
	uint64_t end;		/* still there then; NEVER: to the end */
	uint64_t gone;		/* not there any more then */
	int died;
	int maybe;		/* ... or it was still able to unregister */
	uint32_t slot;
	uint32_t actor;
};

/* The history, taken apart. */
struct barrier_story {
	struct barrier_phase *phases;	/* 1 to nr_phases, and room behind */
	uint64_t nr_phases;
	struct barrier_stay *stays;
	size_t nr_stays;
};

/* One that returned from a wait. */
static const char *check_return(struct barrier_story *s,
				struct barrier_stay *stay,
				const struct history_event *e)
{
	struct barrier_phase *p;

	if (e->value < 1 || e->value > s->nr_phases)
		return HISTORY_WRONG("actor %u was in phase %llu, and so many there cannot have been",
				     e->actor, (unsigned long long)e->value);
	if (stay->last ? e->value != stay->last + 1 :
	    e->value < stay->base + 1 || e->value > stay->base + 2)
		return HISTORY_WRONG("actor %u was in phase %llu after %llu",
				     e->actor, (unsigned long long)e->value,
				     (unsigned long long)(stay->last ?
				     stay->last : stay->base));
	p = &s->phases[e->value];
	if (p->left && p->told != e->result)
		return HISTORY_WRONG("of phase %llu actor %u was told %d, others %d",
				     (unsigned long long)e->value, e->actor,
				     e->result, p->told);
	p->told = e->result;
	if (!p->left || e->ret < p->left)
		p->left = e->ret;
	if (stay->arrival > p->arrived)
		p->arrived = stay->arrival;
	stay->last = e->value;
	stay->arrival = 0;
	stay->arrived = 0;
	return NULL;
}

/* One event of who is a party. */
static const char *follow(struct barrier_story *s, struct barrier_stay *stay,
			  const struct history_event *e)
{
	const int over = e->op == BARRIER_WAIT && e->ret &&
			 (!e->result || e->result == -EOWNERDEAD);

	switch (e->op) {
	case BARRIER_ARRIVE:
	case BARRIER_WAIT:
		if (!stay->arrival)
			stay->arrival = e->invoke;
		if (over)
			return check_return(s, stay, e);
		stay->arrived |= !!e->ret;
		if (e->op == BARRIER_WAIT && e->ret && e->result != -EAGAIN &&
		    e->result != -ETIMEDOUT)
			return HISTORY_WRONG("actor %u waited, and was told %d",
					     e->actor, e->result);
		return NULL;
	case BARRIER_UNREGISTER:
		stay->end = e->invoke;
		stay->gone = e->ret;
		stay->died = stay->maybe = !e->ret;
		return NULL;
	case BARRIER_CLOSE:
		stay->end = e->invoke;
		stay->gone = e->ret;
		stay->died = 1;
		return NULL;
	default:
		return NULL;
	}
}

/* All stays of one actor, in order. */
static const char *follow_actor(const struct history_view *v, uint32_t actor,
				struct barrier_story *s)
{
	const struct history_actor *a = &v->actors[actor];
	struct barrier_stay *stay = NULL;
	const char *why;
	size_t i;

	for (i = 0; i < v->nr; i++) {
		const struct history_event *e = &v->events[i];

		if (e->actor != actor)
			continue;
		if (e->op == BARRIER_REGISTER) {
			stay = &s->stays[s->nr_stays++];
			*stay = (struct barrier_stay){
				.from = e->invoke, .in = e->ret,
				.base = e->value, .end = HISTORY_NEVER,
				.slot = e->object, .actor = actor,
			};
			continue;
		}
		if (!stay || stay->end != HISTORY_NEVER)
			continue;
		why = follow(s, stay, e);
		if (why)
			return why;
	}
	if (stay && a->killed && !stay->gone) {
		if (stay->end == HISTORY_NEVER)
			stay->end = a->killed;
		stay->gone = a->dead;
		stay->died = 1;
	}
	return NULL;
}

/* Who is a party is waited for, in each phase from the one on that is certain. */
static const char *check_stay(const struct barrier_story *s,
			      const struct barrier_stay *stay)
{
	uint64_t phase = stay->last ? stay->last + 1 : stay->base + 2;
	uint64_t here = stay->end;

	if (!stay->in)
		return NULL;
	/* In the first of them it may have arrived, but not returned from it. */
	if (stay->arrival && stay->arrival < here)
		here = stay->arrival;
	for (; phase <= s->nr_phases; phase++, here = stay->end)
		if (s->phases[phase].left && s->phases[phase].left < here)
			return HISTORY_WRONG("phase %llu was left at %llu, and actor %u had not arrived",
					     (unsigned long long)phase,
					     (unsigned long long)s->phases[phase].left,
					     stay->actor);
	return NULL;
}

/* Did somebody take that one's slot, and register, before that phase had ended? */
static int has_heir(const struct barrier_story *s,
		    const struct barrier_stay *stay, uint64_t phase)
{
	uint64_t ended = HISTORY_NEVER;
	size_t i;

	if (phase <= s->nr_phases && s->phases[phase].left)
		ended = s->phases[phase].left;
	for (i = 0; i < s->nr_stays; i++)
		if (s->stays[i].slot == stay->slot &&
		    s->stays[i].from > stay->end && s->stays[i].from < ended)
			return 1;
	return 0;
}

/* The phases in which a death is told: some for certain, some perhaps. */
static void attribute(struct barrier_story *s, const struct barrier_stay *stay)
{
	/* In which it died: arrived, or not. */
	uint64_t first = stay->last ? stay->last + 1 : stay->base + 1, phase;
	uint64_t last = stay->last ? first + 1 : stay->base + 3;
	int told = 0, open = 0;

	if (stay->last && !has_heir(s, stay, last)) {
		if (!stay->arrival)
			last = first;
		else if (stay->arrived)
			first = last;
	}
	for (phase = first; phase <= last && phase <= s->nr_phases; phase++) {
		struct barrier_phase *p = &s->phases[phase];

		/* Of one that nobody returned from it is not known. */
		open |= !p->left;
		told |= p->left && p->told;
		if (p->left > stay->end)
			p->excused = 1;
	}
	if (phase <= last || open || told || stay->maybe || !stay->in)
		return;
	s->phases[last].due = 1;
}

/* Who was killed in registering: in which phases, only the stamps say. */
static void excuse_cut(struct barrier_story *s, const struct barrier_stay *stay)
{
	uint64_t phase;

	for (phase = 1; phase <= s->nr_phases; phase++) {
		struct barrier_phase *p = &s->phases[phase];

		if (p->left > stay->from &&
		    (phase < 4 || s->phases[phase - 3].arrived < stay->gone))
			p->excused = 1;
	}
}

static const char *check_phases(const struct barrier_story *s,
				const struct barrier_rules *rules)
{
	uint64_t phase, begun = 0;
	uint32_t nr = 0;
	size_t i;

	for (phase = 1; phase <= s->nr_phases; phase++) {
		const struct barrier_phase *p = &s->phases[phase];
		const unsigned long long n = phase;

		if (!p->left)
			continue;
		begun = begun ? begun : p->left;
		if (p->left < p->arrived)
			return HISTORY_WRONG("phase %llu was left at %llu, and somebody arrived at %llu",
					     n, (unsigned long long)p->left,
					     (unsigned long long)p->arrived);
		if (p->told && !p->excused)
			return HISTORY_WRONG("in phase %llu a death was told of, and nobody had died",
					     n);
		if (p->due)
			return HISTORY_WRONG("a party died in phase %llu or before, and nobody was told",
					     n);
	}
	for (i = 0; i < s->nr_stays; i++)
		nr += s->stays[i].from < begun;
	if (begun && nr < rules->parties)
		return HISTORY_WRONG("the first phase ended with %u parties, not %u",
				     nr, rules->parties);
	return NULL;
}

static const char *barrier_checker(const struct history_view *v, const void *r)
{
	struct barrier_story s = { .nr_phases = v->nr };
	const char *why = NULL;
	uint32_t a;
	size_t i;

	s.phases = calloc(v->nr + 1, sizeof(*s.phases));
	s.stays = calloc(v->nr + 1, sizeof(*s.stays));
	CHECK(s.phases && s.stays);
	for (a = 0; a < v->nr_actors && !why; a++)
		why = follow_actor(v, a, &s);
	for (i = 0; i < s.nr_stays && !why; i++) {
		const struct barrier_stay *stay = &s.stays[i];

		why = check_stay(&s, stay);
		if (stay->died && stay->in)
			attribute(&s, stay);
		else if (stay->died)
			excuse_cut(&s, stay);
	}
	if (!why)
		why = check_phases(&s, r);
	free(s.phases);
	free(s.stays);
	return why;
}

/* ---- What the actors do ---- */

static void attach(struct shmchan_barrier *b, struct shmchan_sync *sync)
{
	struct shmchan_barrier_opts opts = SHMCHAN_BARRIER_OPTS(
		.parties = PARTIES);
	struct shmchan_place place;

	CHECK_EQ(shmchan_sync_place(sync, 0, &place), 0);
	CHECK_EQ(shmchan_barrier_attach(b, &place, &opts), 0);
}

/* Arrive and wait, in one call or in many.  0: gave up, having arrived. */
static int meet(struct history_self *me, struct shmchan_barrier *b)
{
	struct history_event *e;
	uint32_t patience;
	int err;

	if (!history_pick(me, 4)) {
		e = history_invoke(me, BARRIER_ARRIVE, 0, 0);
		history_return(e, me, shmchan_barrier_arrive(b), 0);
		CHECK_EQ(e->result, 0);
		stay(me);
	}
	for (patience = 1 + history_pick(me, 8); patience; patience--) {
		e = history_invoke(me, BARRIER_WAIT, 0, 0);
		err = shmchan_barrier_timedwait(b, some_time(me));
		history_return(e, me, err, shmchan_barrier_phase(b));
		if (!err || err == -EOWNERDEAD)
			return 1;
		stay(me);
	}
	/* Nobody waits for it: the others go on without. */
	return 0;
}

static void be_a_party(struct history_self *me, struct shmchan_barrier *b)
{
	uint32_t phases = 1 + history_pick(me, 20);
	struct history_event *e;
	int err;

	e = history_invoke(me, BARRIER_REGISTER, sync_region.region->slot, 0);
	err = shmchan_barrier_register(b);
	history_return(e, me, err, shmchan_barrier_phase(b));
	CHECK_EQ(err, 0);
	while (phases-- && meet(me, b))
		stay(me);
	/* Some leave without a word. */
	if (!history_pick(me, 8))
		return;
	e = history_invoke(me, BARRIER_UNREGISTER, 0, 0);
	history_return(e, me, shmchan_barrier_unregister(b), 0);
	CHECK_EQ(e->result, 0);
}

static void play(struct history_self *me)
{
	struct shmchan_barrier b;

	do {
		come(me, BARRIER_OPEN, 1);
		attach(&b, &sync_region);
		/* Who is idle is no party. */
		do
			be_a_party(me, &b);
		while (b.registered == 0 && history_goes_on(me) &&
		       history_pick(me, 4));
		leave(me, BARRIER_CLOSE);
	} while (history_goes_on(me));
}

TEST_LIMIT(random_runs, 120)
{
	static const struct barrier_rules rules = { .parties = PARTIES };
	struct history_run run = {
		.nr_roles = PARTIES, .kills = (uint32_t)HARNESS_ROUNDS(150),
		.play = play,
	};
	struct history *h = history_new();
	struct shmchan_sync keeper;

	/* The barrier outlives all actors. */
	open_objects(&keeper, 1);
	history_perform(h, &run);
	history_judge(h, barrier_checker, &rules);
	shmchan_sync_close(&keeper);
}

/* Actor 0 is killed, at 30; the others live. */
static const struct history_actor cast[] = {
	{ .killed = 30, .dead = 32 }, { .dead = 90 }, { .dead = 90 },
	{ .dead = 90 },
};

#define DEAD		(-EOWNERDEAD)
#define REGISTER(at, who, base)						\
	{ at, at + 1, who, BARRIER_REGISTER, who, 0, 0, base }
#define HEIR(at, base)	{ at, at + 1, 3, BARRIER_REGISTER, 0, 0, 0, base }
#define ARRIVE(at, who)	{ at, at + 1, who, BARRIER_ARRIVE, 0, 0, 0, 0 }
#define MEET(from, to, who, phase, told)				\
	{ from, to, who, BARRIER_WAIT, 0, told, 0, phase }
#define GO(at, who)	{ at, at + 1, who, BARRIER_UNREGISTER, 0, 0, 0, 0 }
#define CLOSE(at, who)	{ at, at + 1, who, BARRIER_CLOSE, 0, 0, 0, 0 }
#define CUT(at, what)	{ at, 0, 0, what, 0, 0, 0, 0 }
/* 1 and 2 are there, and pass the first phase. */
#define TWO								\
	REGISTER(1, 1, 0), REGISTER(3, 2, 0), MEET(5, 8, 1, 1, 0),	\
	MEET(6, 9, 2, 1, 0)
/* ... and 0, who is going to die. */
#define THREE		REGISTER(0 + 1, 0, 0), REGISTER(3, 1, 0),	\
	REGISTER(5, 2, 0), MEET(7, 11, 0, 1, 0), MEET(8, 12, 1, 1, 0),	\
	MEET(9, 13, 2, 1, 0)
/* 1 and 2 pass one phase more. */
#define BOTH(from, to, phase, told)					\
	MEET(from, to, 1, phase, told), MEET((from) + 1, (to) + 1, 2, phase, told)

#define JUDGE(says, ...)						\
	do {								\
		static const struct barrier_rules two = { .parties = 2 }; \
		const struct history_event ev[] = { __VA_ARGS__ };	\
									\
		HISTORY_EXPECT(ev, cast, barrier_checker, &two, says);	\
	} while (0)

TEST(the_judge_knows_who_is_waited_for)
{
	JUDGE(NULL, TWO, BOTH(11, 13, 2, 0));
	JUDGE("ended with 1 parties", REGISTER(1, 1, 0), MEET(3, 4, 1, 1, 0),
	      REGISTER(5, 2, 0));
	JUDGE("somebody arrived at 13", TWO, MEET(11, 12, 1, 2, 0),
	      MEET(13, 14, 2, 2, 0));
	JUDGE("actor 2 had not arrived", TWO, MEET(11, 12, 1, 2, 0));
	JUDGE("actor 2 had not arrived", TWO, ARRIVE(10, 2),
	      MEET(11, 12, 1, 2, 0), MEET(13, 14, 1, 3, 0));
	/* It arrives, and waits in many calls or none. */
	JUDGE(NULL, TWO, ARRIVE(10, 2), MEET(12, 13, 1, 2, 0));
	JUDGE(NULL, TWO, MEET(10, 11, 2, 1, -EAGAIN), MEET(12, 13, 1, 2, 0),
	      MEET(14, 15, 2, 2, 0));
	/* Who goes is not waited for, whether it had arrived or not. */
	JUDGE(NULL, TWO, GO(10, 2), MEET(12, 13, 1, 2, 0),
	      MEET(14, 15, 1, 3, 0));
	JUDGE("actor 2 had not arrived", TWO, MEET(12, 13, 1, 2, 0), GO(14, 2));
	/* Who comes is waited for in the next, or the one after that. */
	JUDGE(NULL, TWO, REGISTER(10, 3, 1), BOTH(12, 14, 2, 0));
	JUDGE("actor 3 had not arrived", TWO, REGISTER(10, 3, 1),
	      BOTH(12, 14, 2, 0), BOTH(16, 18, 3, 0));
	JUDGE("in phase 4 after 1", TWO, REGISTER(10, 3, 1),
	      MEET(12, 40, 3, 4, 0));
	JUDGE("in phase 3 after 1", TWO, BOTH(11, 13, 3, 0));
	JUDGE("in phase 1 after 1", TWO, BOTH(11, 13, 1, 0));
	JUDGE("was told -22", TWO, MEET(11, 12, 1, 1, -EINVAL));
}

TEST(the_judge_knows_who_is_told_of_a_death)
{
	/* Not arrived. */
	JUDGE(NULL, THREE, BOTH(20, 34, 2, DEAD), BOTH(36, 38, 3, 0));
	JUDGE("nobody was told", THREE, BOTH(20, 34, 2, 0), BOTH(36, 38, 3, 0));
	JUDGE("nobody had died", THREE, BOTH(20, 34, 2, DEAD),
	      BOTH(36, 38, 3, DEAD));
	JUDGE("actor 0 had not arrived", THREE, BOTH(20, 24, 2, DEAD));
	JUDGE("others -130", THREE, MEET(20, 34, 1, 2, DEAD),
	      MEET(21, 35, 2, 2, 0));
	JUDGE("nobody had died", TWO, BOTH(20, 34, 2, DEAD));
	/* Arrived, for certain or perhaps. */
	JUDGE(NULL, THREE, ARRIVE(14, 0), BOTH(20, 22, 2, 0),
	      BOTH(36, 38, 3, DEAD));
	JUDGE("nobody had died", THREE, ARRIVE(14, 0), BOTH(20, 34, 2, DEAD),
	      BOTH(36, 38, 3, 0));
	JUDGE("nobody was told", THREE, ARRIVE(14, 0), BOTH(20, 34, 2, 0),
	      BOTH(36, 38, 3, 0));
	JUDGE(NULL, THREE, CUT(14, BARRIER_WAIT), BOTH(20, 34, 2, DEAD),
	      BOTH(36, 38, 3, 0));
	JUDGE(NULL, THREE, CUT(14, BARRIER_WAIT), BOTH(20, 34, 2, 0),
	      BOTH(36, 38, 3, DEAD));
	JUDGE("nobody was told", THREE, CUT(14, BARRIER_WAIT),
	      BOTH(20, 34, 2, 0), BOTH(36, 38, 3, 0));
	/* It may have gone before it was killed. */
	JUDGE(NULL, THREE, CUT(29, BARRIER_UNREGISTER), BOTH(20, 34, 2, 0),
	      BOTH(36, 38, 3, 0));
	JUDGE(NULL, THREE, CUT(29, BARRIER_UNREGISTER), BOTH(20, 34, 2, DEAD),
	      BOTH(36, 38, 3, 0));
	/* ... or not have come. */
	JUDGE(NULL, TWO, CUT(29, BARRIER_REGISTER), BOTH(20, 34, 2, DEAD));
	JUDGE(NULL, TWO, CUT(29, BARRIER_REGISTER), BOTH(20, 34, 2, 0));
	JUDGE("nobody had died", TWO, CUT(29, BARRIER_REGISTER),
	      BOTH(20, 28, 2, DEAD));
	/* An heir may bring it forward, or tell it twice. */
	JUDGE(NULL, THREE, ARRIVE(14, 0), HEIR(33, 1), BOTH(20, 40, 2, DEAD),
	      BOTH(42, 46, 3, DEAD), ARRIVE(43, 3));
	/* To leave the region is to die. */
	JUDGE(NULL, TWO, CLOSE(11, 2), MEET(13, 14, 1, 2, DEAD),
	      MEET(15, 16, 1, 3, 0));
	JUDGE("nobody was told", TWO, CLOSE(11, 2), MEET(13, 14, 1, 2, 0));
}

TEST_MAIN
