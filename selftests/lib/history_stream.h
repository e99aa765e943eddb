/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_HISTORY_STREAM_H
#define SHMCHAN_TEST_HISTORY_STREAM_H

/*
 * What histories of streams have to be like: of channels of one sender or of many,
 * whose seats are taken by one actor after the other.
 *
 * A sender's seat has one order: its actors', and of each the order of its sends.
 * A send that was cut is in it or not, for all receivers alike.  Each receiver gets
 * a contiguous part of that, but for losses, which it is told of with
 * their exact number.
 */

#include "history.h"

enum stream_op {
	STREAM_OPEN_TX = 1,	/* object: the seat */
	STREAM_SEND,		/* arg: the value, actor << 32 | number */
	STREAM_ABORT,		/* the same, never committed */
	STREAM_CLOSE_TX,
	STREAM_OPEN_RX,
	STREAM_RECV,		/* object: the sender's; value: what came, or lost */
	STREAM_DRAINED,		/* senders are gone, and it says EAGAIN */
	STREAM_CLOSE_RX,
};

/* What a received message is called whose words were not all the same. */
#define STREAM_TORN	(-EILSEQ)

struct stream_rules {
	uint32_t nr_slots;	/* senders' seats */
	int durable;		/* a receiver goes on where the last one was */
	uint64_t again;		/* durable: so many messages may come again */
	int told_once;		/* each end; else at least once */
	int passed;		/* receivers may be passed, and ends with that */
};

/* One message of a seat; sorted by value, which is the order of the seat. */
struct stream_item {
	const struct history_event *send;
	int seen;
	uint64_t sure;		/* messages before this that are there */
	uint64_t maybe;		/* ... and that may be */
};

struct stream_slot {
	struct stream_item *items;	/* and one more, as an end */
	uint64_t nr;
};

static inline uint64_t stream_value(const struct history_self *me)
{
	/* Of an actor's events each is another. */
	return (uint64_t)me->actor << 32 | (me->nr + 1);
}

/* The message of that value; nr if there is none that was or may have been sent. */
static inline uint64_t stream_find(const struct stream_slot *s, uint64_t value)
{
	uint64_t lo = 0, hi = s->nr;

	while (lo < hi) {
		uint64_t mid = (lo + hi) / 2;

		if (s->items[mid].send->arg < value)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->nr && s->items[lo].send->arg == value ? lo : s->nr;
}

static inline int stream_sure(const struct stream_item *item)
{
	return item->seen || item->send->ret;
}

/* How many are between two places, at least and at most. */
static inline uint64_t stream_least(const struct stream_slot *s, uint64_t from,
				    uint64_t to)
{
	return from < to ? s->items[to].sure - s->items[from].sure : 0;
}

static inline uint64_t stream_most(const struct stream_slot *s, uint64_t from,
				   uint64_t to)
{
	return from < to ? stream_least(s, from, to) + s->items[to].maybe -
			   s->items[from].maybe : 0;
}

/* All that was sent there, and who has seen it. */
static inline void stream_collect(const struct history_view *v, uint32_t slot,
				  struct stream_slot *s)
{
	const struct history_event *e;
	uint64_t i, at;

	s->nr = 0;
	s->items = calloc(v->nr + 1, sizeof(*s->items));
	CHECK(s->items);
	for (i = 0; i < v->nr; i++) {
		e = &v->events[i];
		if (e->op == STREAM_SEND && e->object == slot &&
		    (!e->ret || !e->result))
			s->items[s->nr++].send = e;
	}
	for (i = 0; i < v->nr; i++) {
		e = &v->events[i];
		if (e->op != STREAM_RECV || e->object != slot || !e->ret ||
		    e->result)
			continue;
		at = stream_find(s, e->value);
		if (at < s->nr)
			s->items[at].seen = 1;
	}
	for (i = 0; i < s->nr; i++) {
		int sure = stream_sure(&s->items[i]);

		s->items[i + 1].sure = s->items[i].sure + (uint64_t)sure;
		s->items[i + 1].maybe = s->items[i].maybe + (uint64_t)!sure;
	}
}

/* Had the seat a sender that ended, as that says, before the stamp?  How many? */
static inline uint32_t stream_ends(const struct history_view *v, uint32_t slot,
				   uint64_t before)
{
	const struct history_event *e;
	uint32_t ends = 0;
	size_t i;

	for (i = 0; i < v->nr && v->events[i].invoke < before; i++) {
		e = &v->events[i];
		if (e->object != slot)
			continue;
		if (e->op == STREAM_CLOSE_TX && e->ret)
			ends++;
		else if (e->op == STREAM_OPEN_TX &&
			 v->actors[e->actor].killed &&
			 v->actors[e->actor].killed < before)
			ends++;
	}
	return ends;
}

/* One in a seat at a time, and all in order. */
static inline const char *stream_seat(const struct history_view *v,
				      uint32_t slot)
{
	const struct history_event *e;
	uint64_t value = 0, until = 0;
	uint32_t holder = ~0U;
	size_t i;

	for (i = 0; i < v->nr; i++) {
		e = &v->events[i];
		if (e->object != slot)
			continue;
		if (e->op == STREAM_OPEN_TX && e->ret && !e->result) {
			if (holder != ~0U && !until)
				until = v->actors[holder].killed;
			if (holder != ~0U && (!until || e->ret < until))
				return HISTORY_WRONG("actor %u took seat %u from actor %u, which lived",
						     e->actor, slot, holder);
			holder = e->actor;
			until = 0;
		} else if (e->op == STREAM_CLOSE_TX && e->actor == holder) {
			until = e->invoke;
		} else if (e->op == STREAM_SEND) {
			if (e->arg <= value)
				return HISTORY_WRONG("value %llx sent after %llx",
						     (unsigned long long)e->arg,
						     (unsigned long long)value);
			value = e->arg;
		}
	}
	return NULL;
}

/* A receiver's place in the messages of a seat. */
struct stream_place {
	const struct history_event *open;
	int begun;
	uint64_t next;		/* item that comes next, if begun */
	uint64_t lost;		/* told of, since the last one */
	uint32_t told;		/* ends */
	uint32_t told_since;	/* ... since the last message */
};

/* Of a durable channel: how far all of its receivers together are. */
struct stream_high {
	uint64_t next;
	uint32_t cuts;		/* any of these may have taken one more */
};

/*
 * The first message that a receiver is given in a channel that is not durable.  It
 * began somewhere between what had been sent when it came and what was sent
 * later; and it may have lost some of that.
 */
static inline const char *stream_first(const struct stream_slot *s,
				       const struct stream_place *p,
				       uint64_t at)
{
	uint64_t least = 0, most, lo, hi;

	if (!p->open)
		return HISTORY_WRONG("a message came before open");
	while (least < s->nr && s->items[least].send->ret &&
	       s->items[least].send->ret < p->open->invoke)
		least++;
	for (most = least; most < s->nr; most++)
		if (s->items[most].send->invoke > p->open->ret)
			break;
	/* Those places from which on it may have lost so many. */
	for (hi = at; hi && stream_most(s, hi, at) < p->lost; hi--)
		;
	for (lo = hi; lo && stream_least(s, lo - 1, at) <= p->lost; lo--)
		;
	if (stream_least(s, hi, at) > p->lost)
		return HISTORY_WRONG("%llu were lost, which cannot be",
				     (unsigned long long)p->lost);
	if (hi < least)
		return HISTORY_WRONG("value %llx is old: it had been sent before its receiver came",
				     (unsigned long long)s->items[at].send->arg);
	if (lo > most)
		return HISTORY_WRONG("value %llx came first, and others before it are missing",
				     (unsigned long long)s->items[at].send->arg);
	return NULL;
}

static inline const char *stream_message(const struct stream_slot *s,
					 const struct stream_rules *rules,
					 const struct history_event *e,
					 struct stream_place *p,
					 struct stream_high *high)
{
	uint64_t at = stream_find(s, e->value), gap;
	const unsigned long long value = e->value;
	const char *why = NULL;

	if (at == s->nr)
		return HISTORY_WRONG("value %llx was never sent", value);
	if (s->items[at].send->invoke > e->ret)
		return HISTORY_WRONG("value %llx came before it was sent", value);
	if (p->begun && at < p->next)
		return HISTORY_WRONG("value %llx came again, or late", value);
	if (p->begun && (p->lost < stream_least(s, p->next, at) ||
			 p->lost > stream_most(s, p->next, at)))
		return HISTORY_WRONG("before value %llx %llu to %llu are missing, and %llu were said to be lost",
				     value,
				     (unsigned long long)stream_least(s, p->next, at),
				     (unsigned long long)stream_most(s, p->next, at),
				     (unsigned long long)p->lost);
	if (!p->begun && rules->durable) {
		gap = stream_least(s, high->next, at);
		if (gap > high->cuts)
			return HISTORY_WRONG("a new receiver begins with value %llx, before which %llu are missing",
					     value, (unsigned long long)gap);
		gap = stream_least(s, at, high->next);
		if (gap > rules->again)
			return HISTORY_WRONG("a new receiver begins with value %llx, and gets %llu again",
					     value, (unsigned long long)gap);
	} else if (!p->begun) {
		why = stream_first(s, p, at);
	} else if (!rules->passed && !p->told_since && p->next &&
		   s->items[p->next - 1].send->actor !=
		   s->items[at].send->actor) {
		why = HISTORY_WRONG("value %llx is another sender's, and the end of the last one was not told",
				    value);
	}
	p->begun = 1;
	p->next = at + 1;
	p->lost = 0;
	p->told_since = 0;
	if (high->next < p->next) {
		high->next = p->next;
		high->cuts = 0;
	}
	return why;
}

static inline const char *stream_drained(const struct stream_slot *s,
					 const struct stream_rules *rules,
					 const struct stream_place *p,
					 const struct stream_high *high)
{
	uint64_t left;

	if (rules->durable) {
		left = stream_least(s, high->next, s->nr);
		if (left > high->cuts)
			return HISTORY_WRONG("%llu messages never came, the first is %llx",
					     (unsigned long long)left,
					     (unsigned long long)s->items[high->next].send->arg);
	} else if (p->begun) {
		left = stream_least(s, p->next, s->nr);
		if (p->lost < left || p->lost > stream_most(s, p->next, s->nr))
			return HISTORY_WRONG("at the end %llu messages are missing, and %llu were said to be lost",
					     (unsigned long long)left,
					     (unsigned long long)p->lost);
	}
	return NULL;
}

/* All events of one receiver about one seat. */
static inline const char *stream_receiver(const struct history_view *v,
					  const struct stream_rules *rules,
					  const struct stream_slot *s,
					  uint32_t slot, uint32_t actor,
					  struct stream_high *high)
{
	struct stream_place p = { 0 };
	const struct history_event *e;
	const char *why = NULL;
	size_t i;

	for (i = 0; i < v->nr && !why; i++) {
		e = &v->events[i];
		if (e->actor != actor)
			continue;
		if (e->op == STREAM_OPEN_RX && e->ret && !e->result)
			p.open = e;
		if (e->op == STREAM_DRAINED)
			why = stream_drained(s, rules, &p, high);
		if (e->op != STREAM_RECV)
			continue;
		if (!e->ret) {
			high->cuts++;
			continue;
		}
		if (e->object != slot)
			continue;
		switch (e->result) {
		case 0:
			why = stream_message(s, rules, e, &p, high);
			break;
		case STREAM_TORN:
			why = HISTORY_WRONG("value %llx came torn",
					    (unsigned long long)e->value);
			break;
		case -EOVERFLOW:
			if (rules->durable || !e->value)
				why = HISTORY_WRONG("%llu were lost",
						    (unsigned long long)e->value);
			p.lost += e->value;
			break;
		case -EOWNERDEAD:
		case -EPIPE:
			p.told++;
			p.told_since++;
			if (stream_ends(v, slot, e->ret) <
			    (rules->told_once ? p.told : 1))
				why = HISTORY_WRONG("the end of a sender in seat %u was told that has not ended",
						    slot);
			break;
		default:
			why = HISTORY_WRONG("recv said %d", e->result);
		}
	}
	return why;
}

static inline const char *stream_checker(const struct history_view *v,
					 const void *r)
{
	const struct stream_rules *rules = r;
	const char *why = NULL;
	uint32_t slot, a;

	for (slot = 0; slot < rules->nr_slots && !why; slot++) {
		struct stream_high high = { 0 };
		struct stream_slot s;

		stream_collect(v, slot, &s);
		why = stream_seat(v, slot);
		for (a = 0; a < v->nr_actors && !why; a++)
			why = stream_receiver(v, rules, &s, slot, a, &high);
		free(s.items);
	}
	return why;
}

#endif /* SHMCHAN_TEST_HISTORY_STREAM_H */
