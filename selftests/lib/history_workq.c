// SPDX-License-Identifier: GPL-2.0-only

/*
 * Work queues whose producers and workers are killed at random: every item that was
 * put is acknowledged once, or a dead letter; and it is one living worker's at a time.
 */

#include "history.h"
#include "workq_fixture.h"

#define PRODUCERS	2
#define WORKERS		3
#define NR_ITEMS	32
#define MAX_ATTEMPTS	3
#define TAG		"q"

enum work_op {
	WORK_OPEN = 1,
	WORK_PUT,		/* arg: the item */
	WORK_ABORT,		/* arg: an item that is not put */
	WORK_TAKE,		/* value: the item; object: attempts */
	WORK_TAKE_DEAD,		/* the same */
	WORK_ACK,		/* arg: the item */
	WORK_NACK,		/* arg: the item */
	WORK_CLOSE,
	WORK_DRAINED,		/* the queue was empty */
};

struct work_rules {
	uint32_t max_attempts;
	int in_order;		/* one producer, one worker, nothing comes back */
	uint32_t may_pass;	/* ... so many may pass an item, about */
};

/* One worker's having an item. */
struct work_claim {
	uint64_t item;
	uint64_t from;
	uint64_t to;		/* NEVER: it was acknowledged */
	uint32_t attempts;
	uint32_t actor;
	int letter;		/* taken as a dead letter */
};

/* What is known of an item. */
struct work_item {
	const struct history_event *put;
	uint32_t acks;
	uint32_t maybe;		/* acks that were cut */
};

static int by_item_and_time(const void *a, const void *b)
{
	const struct work_claim *x = a, *y = b;

	if (x->item != y->item)
		return x->item < y->item ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static int by_item(const void *a, const void *b)
{
	const struct work_item *x = a, *y = b;

	return x->put->arg < y->put->arg ? -1 : x->put->arg > y->put->arg;
}

static struct work_item *find_item(struct work_item *items, size_t nr,
				   uint64_t item)
{
	const struct history_event put = { .arg = item };
	const struct work_item key = { .put = &put };

	return nr ? bsearch(&key, items, nr, sizeof(*items), by_item) : NULL;
}

static struct work_claim claim_of(const struct history_view *v, size_t i)
{
	const struct history_event *e = &v->events[i];
	struct work_claim c = {
		.item = e->value, .from = e->ret, .actor = e->actor,
		.attempts = e->object, .letter = e->op == WORK_TAKE_DEAD,
		.to = v->actors[e->actor].killed,
	};

	if (!c.to)
		c.to = HISTORY_NEVER;
	for (i++; i < v->nr; i++) {
		e = &v->events[i];
		if (e->actor != c.actor)
			continue;
		if (e->op == WORK_CLOSE ||
		    (e->op == WORK_NACK && e->arg == c.item)) {
			c.to = e->invoke;
			break;
		}
		if (e->op == WORK_ACK && e->arg == c.item) {
			c.to = e->ret ? HISTORY_NEVER : e->invoke;
			break;
		}
	}
	return c;
}

/* All claims of all items, in order: one at a time, and rightly counted. */
static const char *check_claims(const struct work_claim *c, size_t nr,
				const struct work_rules *rules, uint32_t cuts)
{
	uint32_t before = 0;
	size_t i;

	for (i = 0; i < nr; i++) {
		const unsigned long long item = c[i].item;

		if (i && c[i].item == c[i - 1].item &&
		    c[i - 1].to == HISTORY_NEVER)
			return HISTORY_WRONG("item %llx came again after it was acknowledged",
					     item);
		if (i && c[i].item == c[i - 1].item && c[i].from < c[i - 1].to)
			return HISTORY_WRONG("actor %u was given item %llx while actor %u had it",
					     c[i].actor, item,
					     c[i - 1].actor);
		if (!i || c[i].item != c[i - 1].item)
			before = 0;
		if (c[i].letter && c[i].attempts < rules->max_attempts)
			return HISTORY_WRONG("item %llx is a dead letter after %u attempts",
					     item, c[i].attempts);
		if (c[i].letter)
			continue;
		if (c[i].attempts > rules->max_attempts)
			return HISTORY_WRONG("item %llx came for the %u. time",
					     item, c[i].attempts);
		if (c[i].attempts <= before ||
		    c[i].attempts > before + 1 + cuts)
			return HISTORY_WRONG("item %llx came after %u attempts, and says %u",
					     item, before, c[i].attempts);
		before = c[i].attempts;
	}
	return NULL;
}

/* As it was put, and only after it was; all has an end; nothing has two. */
static const char *check_items(const struct history_view *v,
			       struct work_item *items, size_t nr)
{
	const struct history_event *e;
	struct work_item *item;
	int drained = 0;
	size_t i;

	for (i = 0; i < v->nr; i++) {
		e = &v->events[i];
		drained |= e->op == WORK_DRAINED;
		if (e->op != WORK_TAKE && e->op != WORK_TAKE_DEAD &&
		    e->op != WORK_ACK && e->op != WORK_NACK)
			continue;
		if (e->op == WORK_TAKE || e->op == WORK_TAKE_DEAD) {
			if (!e->ret)
				continue;
			item = find_item(items, nr, e->value);
			if (!item)
				return HISTORY_WRONG("item %llx was never put",
						     (unsigned long long)e->value);
			if (item->put->invoke > e->ret)
				return HISTORY_WRONG("item %llx came before it was put",
						     (unsigned long long)e->value);
			continue;
		}
		if (e->ret && e->result)
			return HISTORY_WRONG("actor %u could not return item %llx: %d",
					     e->actor,
					     (unsigned long long)e->arg,
					     e->result);
		item = find_item(items, nr, e->arg);
		if (e->op == WORK_ACK && item) {
			item->acks += !!e->ret;
			item->maybe += !e->ret;
		}
	}
	for (i = 0; i < nr; i++) {
		if (items[i].acks > 1)
			return HISTORY_WRONG("item %llx was acknowledged %u times",
					     (unsigned long long)items[i].put->arg,
					     items[i].acks);
		if (drained && items[i].put->ret && !items[i].acks &&
		    !items[i].maybe)
			return HISTORY_WRONG("item %llx is lost",
					     (unsigned long long)items[i].put->arg);
	}
	return NULL;
}

/* No item is passed by more than a round of the queue. */
static const char *check_order(const struct history_view *v, uint32_t may_pass)
{
	uint64_t most = 0;
	size_t i;

	for (i = 0; i < v->nr; i++) {
		const struct history_event *e = &v->events[i];

		if (e->op != WORK_TAKE)
			continue;
		/* Of one producer: numbers grow by one or two with each. */
		if (e->value + 4ULL * may_pass < most &&
		    e->value >> 32 == most >> 32)
			return HISTORY_WRONG("item %llx came after %llx",
					     (unsigned long long)e->value,
					     (unsigned long long)most);
		if (e->value > most)
			most = e->value;
	}
	return NULL;
}

static const char *work_checker(const struct history_view *v, const void *r)
{
	struct work_claim *claims = calloc(v->nr, sizeof(*claims));
	struct work_item *items = calloc(v->nr, sizeof(*items));
	const struct work_rules *rules = r;
	size_t i, nr_claims = 0, nr = 0;
	const char *why;
	uint32_t cuts = 0;

	CHECK(claims && items);
	for (i = 0; i < v->nr; i++) {
		const struct history_event *e = &v->events[i];

		if (e->op == WORK_PUT && (!e->ret || !e->result))
			items[nr++].put = e;
		if (e->op == WORK_TAKE && !e->ret)
			cuts++;
		if ((e->op == WORK_TAKE || e->op == WORK_TAKE_DEAD) && e->ret)
			claims[nr_claims++] = claim_of(v, i);
	}
	qsort(items, nr, sizeof(*items), by_item);
	qsort(claims, nr_claims, sizeof(*claims), by_item_and_time);
	why = check_items(v, items, nr);
	if (!why)
		why = check_claims(claims, nr_claims, rules, cuts);
	if (!why && rules->in_order)
		why = check_order(v, rules->may_pass);
	free(claims);
	free(items);
	return why;
}

/* ---- What the actors do ---- */

static int orderly;		/* nothing is given back or aborted */

static int64_t some_time(struct history_self *me)
{
	return history_pick(me, 3) ? history_pick(me, 3) * MS : 0;
}

static void come(struct history_self *me, struct shmchan_workq *q)
{
	struct history_event *e = history_invoke(me, WORK_OPEN, 0, 0);

	open_queue(q, TAG, NR_ITEMS, MAX_ATTEMPTS);
	history_return(e, me, 0, 0);
}

static void leave(struct history_self *me, struct shmchan_workq *q)
{
	struct history_event *e = history_invoke(me, WORK_CLOSE, 0, 0);

	shmchan_workq_close(q);
	history_return(e, me, 0, 0);
}

static int put_some(struct history_self *me, struct shmchan_workq *q,
		    uint64_t value, int commit)
{
	struct shmchan_workq_item item;
	int err;

	if (commit && history_pick(me, 2))
		return shmchan_workq_put(q, &value, sizeof(value),
					 some_time(me));
	err = shmchan_workq_reserve(q, &item, some_time(me));
	if (err)
		return err;
	memcpy(item.data, &value, sizeof(value));
	return commit ? shmchan_workq_commit(q, &item, sizeof(value)) :
			shmchan_workq_abort(q, &item);
}

static void producer(struct history_self *me)
{
	struct history_event *e;
	struct shmchan_workq q;
	int err, commit;

	come(me, &q);
	while (history_goes_on(me)) {
		uint64_t value = (uint64_t)me->actor << 32 | (me->nr + 1);

		commit = orderly || history_pick(me, 8);
		e = history_invoke(me, commit ? WORK_PUT : WORK_ABORT, 0,
				   value);
		err = put_some(me, &q, value, commit);
		history_return(e, me, err, 0);
		CHECK(!err || err == -EAGAIN || err == -ETIMEDOUT);
		history_pace(me);
	}
	leave(me, &q);
}

/* 1 if one was taken. */
static int take(struct history_self *me, struct shmchan_workq *q, int letter,
		struct shmchan_workq_item *item, int64_t timeout)
{
	struct history_event *e = history_invoke(me, letter ? WORK_TAKE_DEAD :
							      WORK_TAKE, 0, 0);
	int err = letter ? shmchan_workq_take_dead(q, item) :
			   shmchan_workq_take(q, item, timeout);

	if (err == -EAGAIN || err == -ETIMEDOUT) {
		history_forget(e, me);
		return 0;
	}
	CHECK_EQ(err, 0);
	e->object = item->attempts;
	history_return(e, me, 0, value_of(item));
	return 1;
}

static void done_with(struct history_self *me, struct shmchan_workq *q,
		      struct shmchan_workq_item *item, int ack)
{
	struct history_event *e = history_invoke(me, ack ? WORK_ACK : WORK_NACK,
						 0, value_of(item));

	history_return(e, me, ack ? shmchan_workq_ack(q, item) :
				    shmchan_workq_nack(q, item, 0), 0);
}

static void worker(struct history_self *me)
{
	struct shmchan_workq_item items[4];
	struct shmchan_workq q;
	uint32_t n, i;

	come(me, &q);
	while (history_goes_on(me)) {
		for (n = 0; n < 1 + history_pick(me, 4); n++)
			if (!take(me, &q, !orderly && !history_pick(me, 16),
				  &items[n], n ? 0 : some_time(me)))
				break;
		history_pace(me);
		/* It may leave with what it has. */
		for (i = 0; i < n && (orderly || !history_leaves(me)); i++)
			done_with(me, &q, &items[i],
				  orderly || history_pick(me, 8));
	}
	leave(me, &q);
}

static void play(struct history_self *me)
{
	if (me->role < PRODUCERS)
		producer(me);
	else
		worker(me);
}

static void play_orderly(struct history_self *me)
{
	if (me->role)
		worker(me);
	else
		producer(me);
}

/* All that is left is acknowledged, when the last deaths have been noticed. */
static void drain(struct history *h, struct shmchan_workq *q)
{
	struct history_self me = history_actor(h, PRODUCERS + WORKERS);
	struct shmchan_workq_item item;
	uint64_t begin = now_ns();
	struct history_event *e;

	while (stat_of(q).free != NR_ITEMS && now_ns() - begin < 10 * TOLD_NS) {
		if (take(&me, q, 0, &item, 5 * MS) ||
		    take(&me, q, 1, &item, 0))
			done_with(&me, q, &item, 1);
	}
	CHECK_EQ(stat_of(q).free, NR_ITEMS);
	e = history_invoke(&me, WORK_DRAINED, 0, 0);
	history_return(e, &me, 0, 0);
}

static const struct work_rules with_kills = { .max_attempts = MAX_ATTEMPTS };
static const struct work_rules without = {
	.max_attempts = MAX_ATTEMPTS, .in_order = 1, .may_pass = NR_ITEMS,
};
static const struct work_rules strict = {
	.max_attempts = MAX_ATTEMPTS, .in_order = 1,
};

TEST_LIMIT(random_runs, 120)
{
	struct history_run run = {
		.nr_roles = PRODUCERS + WORKERS,
		.kills = (uint32_t)HARNESS_ROUNDS(200), .play = play,
	};
	struct history *h = history_new();
	struct shmchan_workq q;

	open_queue(&q, TAG, NR_ITEMS, MAX_ATTEMPTS);
	history_perform(h, &run);
	drain(h, &q);
	history_judge(h, work_checker, &with_kills);
	shmchan_workq_close(&q);
}

/* One producer at a time, whose successor puts larger numbers, and one worker. */
TEST_LIMIT(passed_by_a_round_at_most, 120)
{
	struct history_run run = {
		.nr_roles = 2, .kills = (uint32_t)HARNESS_ROUNDS(60),
		.gentle = 1, .play = play_orderly,
	};
	struct history *h = history_new();
	struct shmchan_workq q;

	orderly = 1;
	open_queue(&q, TAG, NR_ITEMS, MAX_ATTEMPTS);
	history_perform(h, &run);
	drain(h, &q);
	history_judge(h, work_checker, &without);
	shmchan_workq_close(&q);
}

/* Actor 0 is killed, at 30; the others live. */
static const struct history_actor cast[] = {
	{ .killed = 30, .dead = 32 }, { .dead = 90 }, { .dead = 90 },
};

#define PUT(at, what)	{ at, at + 1, 2, WORK_PUT, 0, 0, what, 0 }
#define TAKE(at, who, what, tries) \
			{ at, at + 1, who, WORK_TAKE, tries, 0, 0, what }
#define LETTER(at, who, what, tries) \
			{ at, at + 1, who, WORK_TAKE_DEAD, tries, 0, 0, what }
#define ACK(at, who, what)	{ at, at + 1, who, WORK_ACK, 0, 0, what, 0 }
#define NACK(at, who, what)	{ at, at + 1, who, WORK_NACK, 0, 0, what, 0 }
#define DRAINED(at)	{ at, at + 1, 1, WORK_DRAINED, 0, 0, 0, 0 }

#define JUDGE_BY(rules, says, ...)					\
	do {								\
		const struct history_event ev[] = { __VA_ARGS__ };	\
		HISTORY_EXPECT(ev, cast, work_checker, rules, says);	\
	} while (0)
#define JUDGE(says, ...)	JUDGE_BY(&with_kills, says, __VA_ARGS__)

TEST(the_judge_knows_right_from_wrong)
{
	JUDGE(NULL, PUT(1, 1), TAKE(3, 0, 1, 1), TAKE(33, 1, 1, 2),
	      ACK(35, 1, 1), DRAINED(40));
	JUDGE("while actor 0 had it", PUT(1, 1), TAKE(3, 0, 1, 1),
	      TAKE(23, 1, 1, 2), ACK(35, 1, 1));
	JUDGE("after it was acknowledged", PUT(1, 1), TAKE(3, 1, 1, 1),
	      ACK(5, 1, 1), TAKE(7, 2, 1, 2));
	JUDGE("acknowledged 2 times", PUT(1, 1), TAKE(3, 1, 1, 1),
	      ACK(5, 1, 1), TAKE(7, 2, 1, 2), ACK(9, 2, 1));
	JUDGE("is lost", PUT(1, 1), TAKE(3, 0, 1, 1), DRAINED(40));
	/* But not if its acknowledgement was cut. */
	JUDGE(NULL, PUT(1, 1), TAKE(3, 0, 1, 1),
	      { 29, 0, 0, WORK_ACK, 0, 0, 1, 0 }, DRAINED(40));
	JUDGE(NULL, PUT(1, 1), TAKE(3, 0, 1, 1),
	      { 29, 0, 0, WORK_ACK, 0, 0, 1, 0 }, TAKE(33, 1, 1, 2),
	      ACK(35, 1, 1), DRAINED(40));
	JUDGE("never put", PUT(1, 1), TAKE(3, 1, 2, 1));
	JUDGE("never put", { 1, 2, 2, WORK_PUT, 0, -EAGAIN, 1, 0 },
	      TAKE(3, 1, 1, 1));
	JUDGE("never put", { 1, 2, 2, WORK_ABORT, 0, 0, 1, 0 },
	      TAKE(3, 1, 1, 1));
	JUDGE("before it was put", TAKE(1, 1, 1, 1), PUT(3, 1));
	JUDGE("says 1", PUT(1, 1), TAKE(3, 1, 1, 1), NACK(5, 1, 1),
	      TAKE(7, 2, 1, 1));
	JUDGE("says 3", PUT(1, 1), TAKE(3, 1, 1, 1), NACK(5, 1, 1),
	      TAKE(7, 2, 1, 3));
	JUDGE("for the 4. time", PUT(1, 1), TAKE(7, 2, 1, 4));
	JUDGE("dead letter after 2", PUT(1, 1), LETTER(7, 2, 1, 2));
	JUDGE_BY(&strict, "came after", PUT(1, 1), PUT(3, 2),
		 TAKE(5, 1, 2, 1), TAKE(7, 1, 1, 1));
}

TEST_MAIN
