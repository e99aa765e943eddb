// SPDX-License-Identifier: GPL-2.0-only

/*
 * Services whose server and clients are killed at random: each call is executed at
 * most once, by the server that it was sent to, and ends exactly once.
 */

#include "history.h"
#include "rpc_fixture.h"

#define CLIENTS		3
#define PENDING		8
#define TAG		"rpc"

enum call_op {
	CALL_SERVE = 1,		/* the server's open */
	CALL_EXECUTE,		/* arg: the call's value; object: client's actor */
	CALL_OPEN,
	CALL_SEND,		/* arg: the value; value: the number */
	CALL_RECV,		/* object: the number; value: of the reply ... */
	CALL_CANCEL,		/* object: the number */
	CALL_CLOSE,		/* result: calls that are under way */
};

/* A reply has the value, and in its status the server's actor. */

/* Of one call. */
struct call {
	const struct history_event *send;
	const struct history_event *exec;
	uint32_t ends;
	int error;		/* how it ended */
};

static int by_value(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	return x->send->arg < y->send->arg ? -1 : x->send->arg > y->send->arg;
}

static struct call *find_call(struct call *calls, size_t nr, uint64_t value)
{
	const struct history_event send = { .arg = value };
	const struct call key = { .send = &send };

	return nr ? bsearch(&key, calls, nr, sizeof(*calls), by_value) : NULL;
}

/* The last one of that actor with that number. */
static struct call *find_number(struct call *calls, size_t nr, uint32_t actor,
				uint32_t id, uint64_t before)
{
	struct call *found = NULL;
	size_t i;

	for (i = 0; i < nr; i++)
		if (calls[i].send->actor == actor && calls[i].send->ret &&
		    calls[i].send->ret < before &&
		    calls[i].send->value == id)
			found = &calls[i];
	return found;
}

/* When that actor took the server's seat. */
static const struct history_event *serving(const struct history_view *v,
					   uint32_t actor)
{
	size_t i;

	for (i = 0; i < v->nr; i++)
		if (v->events[i].op == CALL_SERVE &&
		    v->events[i].actor == actor)
			return &v->events[i];
	return NULL;
}

static const char *check_execute(const struct history_view *v,
				 const struct history_event *e,
				 struct call *calls, size_t nr)
{
	const unsigned long long value = e->arg;
	struct call *c = find_call(calls, nr, e->arg);
	const struct history_event *serve = serving(v, e->actor);

	if (!c)
		return HISTORY_WRONG("call %llx was never made", value);
	if (c->exec)
		return HISTORY_WRONG("call %llx was executed twice", value);
	c->exec = e;
	if (c->send->invoke > history_end(v, e))
		return HISTORY_WRONG("call %llx was executed before it was made",
				     value);
	if (!serve || (c->send->ret && serve->invoke > c->send->ret))
		return HISTORY_WRONG("call %llx was executed by actor %u, which came later",
				     value, e->actor);
	return NULL;
}

/* Has a server ended, so that it can have been told by then? */
static int server_ended(const struct history_view *v, uint64_t before)
{
	size_t i;

	for (i = 0; i < v->nr; i++) {
		const struct history_event *e = &v->events[i];

		if (e->op == CALL_SERVE &&
		    v->actors[e->actor].killed &&
		    v->actors[e->actor].killed < before)
			return 1;
		if (e->op == CALL_CLOSE && e->invoke < before &&
		    serving(v, e->actor))
			return 1;
	}
	return 0;
}

static const char *check_end(const struct history_view *v,
			     const struct history_event *e,
			     struct call *calls, size_t nr)
{
	struct call *c = find_number(calls, nr, e->actor, e->object, e->invoke);

	if (!c)
		return HISTORY_WRONG("number %u is no call of actor %u",
				     e->object, e->actor);
	if (c->ends++)
		return HISTORY_WRONG("call %llx ended twice",
				     (unsigned long long)c->send->arg);
	c->error = e->result < 0 ? e->result : 0;
	if (e->op == CALL_CANCEL)
		return NULL;
	if (e->result >= 0 && e->value != c->send->arg)
		return HISTORY_WRONG("call %llx got the reply to %llx",
				     (unsigned long long)c->send->arg,
				     (unsigned long long)e->value);
	if (e->result >= 0 && (!c->exec || c->exec->invoke > e->ret))
		return HISTORY_WRONG("call %llx got a reply before it was executed",
				     (unsigned long long)c->send->arg);
	if (e->result >= 0 && c->exec->actor != (uint32_t)e->result)
		return HISTORY_WRONG("call %llx was executed by actor %u, and %d replied",
				     (unsigned long long)c->send->arg,
				     c->exec->actor, e->result);
	if (e->result == -ETIME && c->exec)
		return HISTORY_WRONG("call %llx was too late, and executed",
				     (unsigned long long)c->send->arg);
	if ((e->result == -EOWNERDEAD || e->result == -EPIPE) &&
	    !server_ended(v, e->ret))
		return HISTORY_WRONG("call %llx ended with its server, which had not ended",
				     (unsigned long long)c->send->arg);
	if (e->result == -EBUSY && c->exec)
		return HISTORY_WRONG("call %llx was refused, and executed",
				     (unsigned long long)c->send->arg);
	if (e->result < 0 && e->result != -ETIME && e->result != -EOWNERDEAD &&
	    e->result != -EPIPE && e->result != -EBUSY)
		return HISTORY_WRONG("call %llx ended with %d",
				     (unsigned long long)c->send->arg,
				     e->result);
	return NULL;
}

/* Whoever left in order had seen the end of all its calls. */
static const char *check_left(const struct history_view *v,
			      const struct call *calls, size_t nr)
{
	size_t i, k;

	for (k = 0; k < v->nr; k++) {
		const struct history_event *e = &v->events[k];

		if (e->op != CALL_CLOSE || !e->ret)
			continue;
		for (i = 0; i < nr; i++)
			if (calls[i].send->actor == e->actor && !calls[i].ends)
				return HISTORY_WRONG("call %llx never ended",
						     (unsigned long long)calls[i].send->arg);
		if (e->result)
			return HISTORY_WRONG("%d calls of actor %u are under way at its end",
					     e->result, e->actor);
	}
	return NULL;
}

static const char *call_checker(const struct history_view *v, const void *rules)
{
	struct call *calls = calloc(v->nr, sizeof(*calls));
	const struct history_event *e;
	const char *why = NULL;
	size_t i, nr = 0;

	(void)rules;
	CHECK(calls);
	for (i = 0; i < v->nr; i++)
		if (v->events[i].op == CALL_SEND &&
		    (!v->events[i].ret || !v->events[i].result))
			calls[nr++].send = &v->events[i];
	qsort(calls, nr, sizeof(*calls), by_value);
	for (i = 0; i < v->nr && !why; i++)
		if (v->events[i].op == CALL_EXECUTE)
			why = check_execute(v, &v->events[i], calls, nr);
	for (i = 0; i < v->nr && !why; i++) {
		e = &v->events[i];
		if ((e->op == CALL_RECV || e->op == CALL_CANCEL) && e->ret)
			why = check_end(v, e, calls, nr);
	}
	if (!why)
		why = check_left(v, calls, nr);
	free(calls);
	return why;
}

/* ---- What the actors do ---- */

static struct shmchan_rpc_server s;
static struct shmchan_rpc_client c;

static void reply(const struct shmchan_rpc_call *call, int32_t status,
		  uint64_t value)
{
	int err = shmchan_rpc_reply(&s, call, status, &value, sizeof(value),
				    -1);

	CHECK(!err || err == -EOWNERDEAD || err == -EPIPE ||
	      err == -ECANCELED);
}

static void server(struct history_self *me)
{
	struct history_event *e = history_invoke(me, CALL_SERVE, 0, 0);
	struct shmchan_rpc_call kept[4], call;
	uint64_t values[4], value;
	uint32_t nr = 0, i;
	int err;

	serve_with(&s, TAG, SHMCHAN_RPC_OPTS(.spin_ns = history_pick(me, 2) ?
					     -1 : 0));
	history_return(e, me, 0, 0);
	/* At the end it serves until all clients have left. */
	while (!history_leaves(me) ||
	       shmchan_load_seq_cst(&me->h->stop) == 1) {
		err = shmchan_rpc_next(&s, &call, &value, sizeof(value), MS);
		if (!err && me->nr >= me->limit && !history_leaves(me)) {
			/* Its log is full; and a client that leaves waits. */
			reply(&call, -EBUSY, value);
		} else if (!err) {
			e = history_invoke(me, CALL_EXECUTE,
					   (uint32_t)(value >> 32), value);
			history_return(e, me, 0, 0);
			kept[nr] = call;
			values[nr++] = value;
		} else {
			CHECK(err == -ETIMEDOUT || err == -EOWNERDEAD ||
			      err == -EPIPE);
		}
		/* In any order. */
		while (nr == 4 || (nr && (err == -ETIMEDOUT ||
					  history_pick(me, 2)))) {
			i = history_pick(me, nr);
			reply(&kept[i], (int32_t)me->actor, values[i]);
			kept[i] = kept[--nr];
			values[i] = values[nr];
		}
		history_pace(me);
	}
	e = history_invoke(me, CALL_CLOSE, 0, 0);
	shmchan_rpc_server_close(&s);
	history_return(e, me, 0, 0);
}

static uint32_t ids[PENDING], nr_ids;

static void forget_id(uint32_t id)
{
	uint32_t i;

	for (i = 0; i < nr_ids; i++)
		if (ids[i] == id)
			ids[i--] = ids[--nr_ids];
}

static void receive(struct history_self *me, uint32_t id, int64_t timeout)
{
	struct history_event *e = history_invoke(me, CALL_RECV, 0, 0);
	struct shmchan_rpc_reply got = { 0 };
	uint64_t value = 0;
	int err = shmchan_rpc_recv(&c, id, &value, sizeof(value), &got,
				   timeout);

	if (err == -EAGAIN || err == -ETIMEDOUT) {
		history_forget(e, me);
		return;
	}
	e->object = got.id;
	history_return(e, me, err ? err : got.status, value);
	forget_id(got.id);
}

static void send_a_call(struct history_self *me)
{
	uint64_t value = (uint64_t)me->actor << 32 | (me->nr + 1), deadline;
	struct history_event *e = history_invoke(me, CALL_SEND, 0, value);
	uint32_t id = 0;
	int err;

	/* Some are not worth it when it is late. */
	deadline = history_pick(me, 8) ? SHMCHAN_FOREVER :
					 shmchan_deadline(50000);
	err = shmchan_rpc_send(&c, 1, &value, sizeof(value), deadline, &id, MS);
	CHECK(!err || err == -EAGAIN || err == -ETIMEDOUT);
	history_return(e, me, err, id);
	if (!err)
		ids[nr_ids++] = id;
}

static void client(struct history_self *me)
{
	struct history_event *e = history_invoke(me, CALL_OPEN, 0, 0);
	uint64_t begin;
	uint32_t id;
	int err;

	ask_with(&c, TAG, SHMCHAN_RPC_OPTS(.spin_ns = history_pick(me, 2) ?
					   -1 : 0));
	history_return(e, me, 0, 0);
	while (history_goes_on(me)) {
		if (nr_ids < PENDING && history_pick(me, 2)) {
			send_a_call(me);
		} else if (nr_ids && !history_pick(me, 16)) {
			id = ids[history_pick(me, nr_ids)];
			e = history_invoke(me, CALL_CANCEL, id, 0);
			err = shmchan_rpc_cancel(&c, id);
			CHECK_EQ(err, 0);
			history_return(e, me, err, 0);
			forget_id(id);
		} else if (nr_ids) {
			receive(me, history_pick(me, 2) ? SHMCHAN_RPC_ANY :
				ids[history_pick(me, nr_ids)],
				history_pick(me, 2) ? 0 : MS);
		}
		history_pace(me);
	}
	begin = now_ns();
	while (nr_ids && now_ns() - begin < 2 * TOLD_NS)
		receive(me, SHMCHAN_RPC_ANY, 10 * MS);
	e = history_invoke(me, CALL_CLOSE, 0, 0);
	err = (int)shmchan_rpc_pending(&c);
	shmchan_rpc_client_close(&c);
	history_return(e, me, err, 0);
}

static void play(struct history_self *me)
{
	if (me->role)
		client(me);
	else
		server(me);
}

TEST_LIMIT(random_runs, 120)
{
	struct history_run run = {
		.nr_roles = 1 + CLIENTS, .last = 1U << 0,
		.kills = (uint32_t)HARNESS_ROUNDS(100), .play = play,
	};
	struct history *h = history_new();

	history_perform(h, &run);
	history_judge(h, call_checker, NULL);
}

/* Actor 0 serves, is killed at 30, and then actor 1 serves; actor 2 calls. */
static const struct history_actor cast[] = {
	{ .killed = 30, .dead = 32 }, { .dead = 90 }, { .dead = 90, .role = 1 },
};

#define SENT(at, what)	{ at, at + 1, 2, CALL_SEND, 0, 0, what, what }
#define EXEC(at, who, what)	{ at, at + 1, who, CALL_EXECUTE, 2, 0, what, 0 }
#define GOT(at, what, by)	{ at, at + 1, 2, CALL_RECV, what, by, 0, what }
#define LEFT(at)	{ at, at + 1, 2, CALL_CLOSE, 0, 0, 0, 0 }

#define JUDGE(says, ...)						\
	do {								\
		const struct history_event ev[] = {			\
			{ 1, 2, 0, CALL_SERVE, 0, 0, 0, 0 },		\
			{ 33, 34, 1, CALL_SERVE, 0, 0, 0, 0 },		\
			__VA_ARGS__ };					\
		HISTORY_EXPECT(ev, cast, call_checker, NULL, says);	\
	} while (0)

TEST(the_judge_knows_right_from_wrong)
{
	JUDGE(NULL, SENT(3, 7), EXEC(5, 0, 7), GOT(7, 7, 0), LEFT(60));
	JUDGE(NULL, SENT(3, 7), EXEC(5, 0, 7), GOT(40, 7, -EOWNERDEAD),
	      LEFT(60));
	JUDGE("executed twice", SENT(3, 7), EXEC(5, 0, 7), EXEC(7, 0, 7));
	JUDGE("which came later", SENT(3, 7), EXEC(35, 1, 7));
	JUDGE("never made", EXEC(5, 0, 7));
	JUDGE("never made", { 3, 4, 2, CALL_SEND, 0, -ETIMEDOUT, 7, 0 },
	      EXEC(5, 0, 7));
	JUDGE("before it was made", EXEC(3, 0, 7), SENT(5, 7));
	JUDGE("ended twice", SENT(3, 7), EXEC(5, 0, 7), GOT(7, 7, 0),
	      GOT(40, 7, -EOWNERDEAD));
	JUDGE("ended twice", SENT(3, 7), EXEC(5, 0, 7),
	      { 7, 8, 2, CALL_CANCEL, 7, 0, 0, 0 }, GOT(9, 7, 0));
	JUDGE("before it was executed", SENT(3, 7), GOT(5, 7, 0));
	JUDGE("and 1 replied", SENT(3, 7), EXEC(5, 0, 7), GOT(40, 7, 1));
	JUDGE("the reply to 8", SENT(3, 7), EXEC(5, 0, 7),
	      { 7, 8, 2, CALL_RECV, 7, 0, 0, 8 });
	JUDGE("too late, and executed", SENT(3, 7), EXEC(5, 0, 7),
	      GOT(7, 7, -ETIME));
	JUDGE(NULL, SENT(3, 7), GOT(7, 7, -EBUSY));
	JUDGE("refused, and executed", SENT(3, 7), EXEC(5, 0, 7),
	      GOT(7, 7, -EBUSY));
	JUDGE("which had not ended", SENT(3, 7), GOT(7, 7, -EOWNERDEAD));
	JUDGE("never ended", SENT(3, 7), EXEC(5, 0, 7), LEFT(60));
}

TEST_MAIN
