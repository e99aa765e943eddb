/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_HISTORY_POOL_H
#define SHMCHAN_TEST_HISTORY_POOL_H

/*
 * The judge of pools' histories: what somebody has is nobody else's and stays as it is;
 * what the dead had comes back; and who is told that there is none is told so rightly.
 */

#include "history.h"
#include "pool_fixture.h"

#define NR		8U	/* buffers, at most */
#define OWNER		0U	/* role; the others hold */
#define TORN		(~0ULL)	/* not the same words all over */

enum pool_op {
	POOL_OPEN = 1,
	POOL_ALLOC,	/* object: the buffer; arg: its key; value: filled in */
	POOL_TAKE,	/* the same; value: what is in it */
	POOL_DROP,	/* the same; value: what was in it to the end */
	POOL_AGAIN,	/* of what is not ours to drop */
	POOL_ASK,	/* object: a buffer; result: how many have it */
	POOL_SEND,	/* object, arg: as POOL_DROP; value: filled in and sent */
	POOL_RECV,	/* as POOL_TAKE, but which it is, is known afterwards */
	POOL_CLOSE,
};

struct pool_rules {
	uint32_t buffers;
	uint32_t cells;
	int writable;		/* a buffer is one member's */
};

/* {ticket, lap}: one alloc or take of an actor; before it, {0, lap}. */
static inline uint64_t key_of(const struct shmchan_pool_buf *b)
{
	return (uint64_t)b->ticket << 32 | b->lap;
}

/* From when to when somebody had a buffer: for certain, and perhaps. */
struct pool_hold {
	uint64_t from, to;	/* certain; 0, 0: not at all */
	uint64_t first, last;	/* perhaps */
	uint64_t key;
	uint64_t value;
	uint32_t index;
	uint32_t actor;
	uint32_t op;		/* how it was got */
};

struct pool_story {
	const struct history_view *v;
	const struct pool_rules *rules;
	struct pool_hold *holds;	/* by buffer, then by time */
	size_t nr;
	size_t begin[NR + 1];		/* ... of each buffer */
};

static inline int by_buffer_and_time(const void *a, const void *b)
{
	const struct pool_hold *x = a, *y = b;

	if (x->index != y->index)
		return x->index < y->index ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static inline uint32_t lap_of(const struct pool_hold *h)
{
	return (uint32_t)h->key;
}

static inline int is_got(const struct history_event *e)
{
	return (e->op == POOL_ALLOC || e->op == POOL_TAKE ||
		e->op == POOL_RECV) && e->ret && !e->result;
}

/* How a hold ends that began with event i, and whether it stayed as it was. */
static inline const char *find_end(const struct pool_story *s, size_t i,
				   struct pool_hold *hold)
{
	const struct history_actor *a = &s->v->actors[hold->actor];

	hold->to = a->killed ? a->killed : HISTORY_NEVER;
	/* When a death is noticed is not known. */
	hold->last = HISTORY_NEVER;
	for (i++; i < s->v->nr; i++) {
		const struct history_event *e = &s->v->events[i];

		if (e->actor != hold->actor)
			continue;
		if (e->op == POOL_CLOSE) {
			hold->to = e->invoke;
			hold->last = e->ret ? e->ret : HISTORY_NEVER;
			break;
		}
		if ((e->op != POOL_DROP && e->op != POOL_SEND) ||
		    e->object != hold->index || e->arg != hold->key)
			continue;
		/* It has what it filled in, if it was not sent. */
		if (e->op == POOL_SEND && e->ret && e->result) {
			hold->value = e->value;
			continue;
		}
		hold->to = e->invoke;
		if (e->op == POOL_DROP && e->ret)
			hold->last = e->ret;
		if (e->op == POOL_DROP && e->ret && e->value != hold->value)
			return HISTORY_WRONG("buffer %u changed under actor %u, from %llx to %llx",
					     hold->index, hold->actor,
					     (unsigned long long)hold->value,
					     (unsigned long long)e->value);
		break;
	}
	return NULL;
}

static inline const char *add_hold(struct pool_story *s, size_t i)
{
	const struct history_event *e = &s->v->events[i];
	struct pool_hold *hold = &s->holds[s->nr];

	*hold = (struct pool_hold){
		.first = e->invoke, .last = e->ret ? e->ret : HISTORY_NEVER,
		.index = e->object, .actor = e->actor, .op = e->op,
		.key = e->arg, .value = e->value,
	};
	if (is_got(e)) {
		s->nr++;
		hold->from = e->ret;
		return find_end(s, i, hold);
	}
	/* A cell names what is to be taken before it is known whether it can be. */
	if (e->op == POOL_TAKE)
		s->nr++;
	/* Who died in allocating may have got any. */
	if (e->op == POOL_ALLOC && !e->ret)
		for (; hold->index < s->rules->buffers; s->nr++, hold++)
			hold[1] = (struct pool_hold){
				.first = e->invoke, .last = HISTORY_NEVER,
				.index = hold->index + 1, .actor = e->actor,
				.op = e->op,
			};
	return NULL;
}

/* What may have been had to the end was not, if somebody else got it since. */
static inline void end_by_next(struct pool_story *s)
{
	const struct history_actor *actors = s->v->actors;
	struct pool_hold *h, *next;
	size_t i, k;

	for (i = 0; i < s->nr; i++) {
		h = &s->holds[i];
		if (h->last != HISTORY_NEVER)
			continue;
		for (k = i + 1; k < s->nr; k++) {
			next = &s->holds[k];
			if (next->index != h->index)
				break;
			if (!next->from || (!s->rules->writable &&
					    next->op != POOL_ALLOC))
				continue;
			if (h->from ? next->from > h->from :
				      next->first > actors[h->actor].dead) {
				h->last = next->from;
				break;
			}
		}
	}
}

/* Two certain holds of one buffer at a time: only of the same use of it. */
static inline const char *check_overlap(const struct pool_story *s)
{
	size_t i, k;

	for (i = 0; i < s->nr; i++) {
		const struct pool_hold *a = &s->holds[i];

		for (k = i + 1; a->from && k < s->nr; k++) {
			const struct pool_hold *b = &s->holds[k];

			if (b->index != a->index || b->first > a->to)
				break;
			if (!b->from || b->from >= a->to || a->from >= b->to ||
			    (!s->rules->writable && lap_of(a) == lap_of(b)))
				continue;
			return HISTORY_WRONG("buffer %u was actor %u's from %llu on, and actor %u's from %llu on",
					     a->index, a->actor,
					     (unsigned long long)a->from,
					     b->actor,
					     (unsigned long long)b->from);
		}
	}
	return NULL;
}

/* What is taken has in it what was filled in when it was allocated for that use. */
static inline const char *check_taken(const struct pool_story *s)
{
	size_t i, k;

	for (i = 0; i < s->nr; i++) {
		const struct pool_hold *h = &s->holds[i];
		const struct pool_hold *a = NULL;

		if (h->op != POOL_TAKE || !h->from)
			continue;
		for (k = i; k-- > 0 && s->holds[k].index == h->index && !a;)
			if (s->holds[k].op == POOL_ALLOC && s->holds[k].from &&
			    lap_of(&s->holds[k]) == lap_of(h))
				a = &s->holds[k];
		if (!a || a->first > h->from)
			return HISTORY_WRONG("actor %u took buffer %u of lap %u, which was not allocated",
					     h->actor, h->index, lap_of(h));
		if (h->value != a->value)
			return HISTORY_WRONG("actor %u took buffer %u, and it had %llx, not %llx",
					     h->actor, h->index,
					     (unsigned long long)h->value,
					     (unsigned long long)a->value);
	}
	return NULL;
}

/* What is received was sent, in that buffer, and comes once. */
static inline const char *check_received(const struct pool_story *s)
{
	const struct history_view *v = s->v;
	size_t i, k;

	for (i = 0; i < v->nr; i++) {
		const struct history_event *e = &v->events[i], *sent = NULL;

		if (e->op != POOL_RECV || !is_got(e))
			continue;
		for (k = 0; k < v->nr; k++) {
			const struct history_event *f = &v->events[k];

			if (f->op == POOL_SEND && f->arg && f->value == e->value)
				sent = f;
			if (k > i && f->op == POOL_RECV && is_got(f) &&
			    f->value == e->value)
				return HISTORY_WRONG("%llx came to actor %u and to actor %u",
						     (unsigned long long)e->value,
						     e->actor, f->actor);
		}
		if (!sent || sent->object != e->object || sent->invoke > e->ret)
			return HISTORY_WRONG("actor %u received %llx in buffer %u, which was not sent",
					     e->actor,
					     (unsigned long long)e->value,
					     e->object);
	}
	return NULL;
}

static inline int is_holder(const struct pool_story *s,
			    const struct pool_hold *h)
{
	return s->v->actors[h->actor].role != OWNER;
}

/* Can all have been out, at one time or another of the event? */
static inline const char *check_none(const struct pool_story *s,
				     const struct history_event *e)
{
	uint32_t out = 0, index;
	size_t i;

	for (i = 0; i < s->nr; i++) {
		const struct pool_hold *h = &s->holds[i];

		/* What former owners had, nobody has. */
		if (h->first < e->ret && h->last > e->invoke &&
		    (s->rules->writable || h->actor == e->actor ||
		     is_holder(s, h)))
			out |= 1U << h->index;
	}
	for (index = 0; index < s->rules->buffers; index++)
		if (!(out & 1U << index))
			return HISTORY_WRONG("actor %u was told at %llu that there was none, and nobody had buffer %u",
					     e->actor,
					     (unsigned long long)e->invoke,
					     index);
	return NULL;
}

/* How many have one, as was asked. */
static inline const char *check_asked(const struct pool_story *s,
				      const struct history_event *e)
{
	int least = 0, most = 0;
	size_t i;

	for (i = s->begin[e->object]; i < s->begin[e->object + 1]; i++) {
		const struct pool_hold *h = &s->holds[i];

		if (!is_holder(s, h))
			continue;
		least += h->from && h->from < e->invoke && h->to > e->ret;
		most += h->first < e->ret && h->last > e->invoke;
	}
	if (e->result < least || e->result > most)
		return HISTORY_WRONG("%d had buffer %u at %llu: should be %d to %d",
				     e->result, e->object,
				     (unsigned long long)e->invoke, least,
				     most);
	return NULL;
}

/* Somebody else had just what was to be taken. */
static inline const char *check_stale(const struct pool_story *s,
				      const struct history_event *e)
{
	size_t i;

	for (i = s->begin[e->object]; i < s->begin[e->object + 1]; i++) {
		const struct pool_hold *h = &s->holds[i];

		if (h->from && lap_of(h) == (uint32_t)e->arg &&
		    h->from < e->invoke && h->to > e->ret)
			return HISTORY_WRONG("actor %u was told at %llu that buffer %u was stale, and actor %u had it",
					     e->actor,
					     (unsigned long long)e->invoke,
					     e->object, h->actor);
	}
	return NULL;
}

static inline const char *check_no_cell(const struct pool_story *s,
					const struct history_event *e)
{
	uint32_t held = 0;
	size_t i;

	for (i = 0; i < s->nr; i++) {
		const struct pool_hold *h = &s->holds[i];

		/* It may have gone on for a little after its kill. */
		held += h->from && h->actor == e->actor &&
			h->from < e->invoke && h->last > e->ret;
	}
	if (held < s->rules->cells)
		return HISTORY_WRONG("actor %u had %u buffers, and was not let have another",
				     e->actor, held);
	return NULL;
}

static inline const char *check_refused(const struct pool_story *s,
					const struct history_event *e)
{
	switch (e->result) {
	case -ESTALE:
		return check_stale(s, e);
	case -ENOBUFS:
		return check_no_cell(s, e);
	case -EBUSY:
		return NULL;
	default:
		return HISTORY_WRONG("actor %u took a buffer, and was told %d",
				     e->actor, e->result);
	}
}

static inline const char *check_event(const struct pool_story *s,
				      const struct history_event *e)
{
	switch (e->op) {
	case POOL_ALLOC:
		return e->result ? check_none(s, e) : NULL;
	case POOL_TAKE:
		return e->result ? check_refused(s, e) : NULL;
	case POOL_DROP:
		if (e->result)
			return HISTORY_WRONG("actor %u could not drop buffer %u: %d",
					     e->actor, e->object, e->result);
		return NULL;
	case POOL_AGAIN:
		if (e->result != -EINVAL)
			return HISTORY_WRONG("actor %u dropped what was not its own: %d",
					     e->actor, e->result);
		return NULL;
	case POOL_ASK:
		return check_asked(s, e);
	default:
		return NULL;
	}
}

static inline const char *pool_checker(const struct history_view *v,
				       const void *r)
{
	struct pool_story s = { .v = v, .rules = r };
	const char *why = NULL;
	size_t i, room = v->nr + 2;

	for (i = 0; i < v->nr; i++)
		if (v->events[i].op == POOL_ALLOC && !v->events[i].ret)
			room += s.rules->buffers;
	s.holds = calloc(room, sizeof(*s.holds));
	CHECK(s.holds);
	for (i = 0; i < v->nr && !why; i++)
		why = add_hold(&s, i);
	qsort(s.holds, s.nr, sizeof(*s.holds), by_buffer_and_time);
	for (i = 0; i < s.nr; i++)
		s.begin[s.holds[i].index + 1] = i + 1;
	for (i = 0; i < NR; i++)
		if (!s.begin[i + 1])
			s.begin[i + 1] = s.begin[i];
	end_by_next(&s);
	if (!why)
		why = check_overlap(&s);
	if (!why)
		why = check_taken(&s);
	if (!why)
		why = check_received(&s);
	for (i = 0; i < v->nr && !why; i++)
		if (v->events[i].ret)
			why = check_event(&s, &v->events[i]);
	free(s.holds);
	return why;
}

#endif /* SHMCHAN_TEST_HISTORY_POOL_H */
