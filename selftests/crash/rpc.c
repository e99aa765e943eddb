// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of services.  A client is killed: the server, awake or asleep, is
 * told once, executes nothing twice, and goes on serving.  The server is killed:
 * each call that was under way is answered or told of its end, once; the next
 * server executes none of them.
 */

#include <shmchan/rpc.h>

#include "crash.h"

#define TAG	"rpc"
#define VICTIM	1U		/* methods: whose calls they are */
#define OTHER	2U
#define QUIT	3U
#define CALLS	3U		/* under way as the server dies, of each client */

struct job {
	int n;
	int sleeper;		/* the other side sleeps in a helper */
	void (*client)(struct shmchan_rpc_client *c, const struct job *job);
	void (*server)(struct shmchan_rpc_server *s, const struct job *job);
};

struct story {
	uint32_t last;		/* request of the victim that was taken */
	int ends;		/* of the victim, as the server was told */
	uint32_t sent;		/* clients that have sent all their calls */
	int go;			/* the server is dead: look */
	uint32_t told;		/* clients that know of all their calls */
	uint32_t replied[2];	/* of each client: calls, a bit each */
	uint32_t got[2];	/* ... that got the reply */
};

#define story	((struct story *)crash_scratch)

static struct shmchan_rpc_server srv;
static struct shmchan_rpc_client other;
static pid_t helper, waker;
static uint64_t answer_of(uint64_t value)
{
	return value * 3 + 1;
}

static struct shmchan_rpc_opts opts_of(void)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
		.create = 1, .nr_clients = 2, .request_capacity = 4096,
		.reply_capacity = 4096, .spin_ns = -1);

	return opts;
}

static void open_server(struct shmchan_rpc_server *s)
{
	struct shmchan_rpc_opts opts = opts_of();
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	int err;

	do
		err = shmchan_rpc_server_open(s, crash_name(TAG), &opts);
	while (err == -EBUSY && now_ns() < end);
	CHECK_EQ(err, 0);
}

static void open_client(struct shmchan_rpc_client *c)
{
	struct shmchan_rpc_opts opts = opts_of();
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	int err;

	do
		err = shmchan_rpc_client_open(c, crash_name(TAG), &opts);
	while (err == -EBUSY && now_ns() < end);
	CHECK_EQ(err, 0);
}

/* --- a client is killed ---------------------------------------------------- */

/* One thing that the server is told.  1: it is to quit. */
static int serve_one(struct shmchan_rpc_server *s, int64_t timeout)
{
	struct shmchan_rpc_call call;
	uint64_t value, answer;
	int err = shmchan_rpc_next(s, &call, &value, sizeof(value), timeout);

	if (err == -EOWNERDEAD || err == -EPIPE) {
		story->ends++;
		return 0;
	}
	if (err == -EAGAIN && !timeout)
		return err;
	CHECK_EQ(err, 0);
	CHECK_EQ(call.length, sizeof(value));
	if (call.method == VICTIM) {
		/* In order, and none twice. */
		CHECK_EQ(value, story->last + 1);
		story->last++;
	}
	answer = answer_of(value);
	err = shmchan_rpc_reply(s, &call, 0, &answer, sizeof(answer),
				CRASH_PATIENCE_NS);
	if (call.method != VICTIM)
		CHECK_EQ(err, 0);
	else
		CHECK(!err || err == -EOWNERDEAD || err == -EPIPE ||
		      err == -ECANCELED);
	return call.method == QUIT;
}

static void sleeping_server(const struct crash_scenario *s)
{
	static struct shmchan_rpc_server mine;

	(void)s;
	open_server(&mine);
	while (!serve_one(&mine, 2 * CRASH_PATIENCE_NS))
		;
	shmchan_rpc_server_close(&mine);
}

static void c_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	helper = 0;
	if (job->sleeper) {
		helper = crash_helper(sleeping_server, s);
		crash_until_asleep(helper);
	} else {
		open_server(&srv);
	}
	open_client(&other);
}

static void c_victim(const struct crash_scenario *s)
{
	static struct shmchan_rpc_client c;
	const struct job *job = s->arg;

	open_client(&c);
	if (helper)
		crash_until_asleep(helper);
	job->client(&c, job);
}

/* Send, serve if the server is ours, and receive. */
static void works(struct shmchan_rpc_client *c, uint32_t method, uint64_t value)
{
	struct shmchan_rpc_reply reply;
	uint64_t answer = 0;
	uint32_t id;

	CHECK_EQ(shmchan_rpc_send(c, method, &value, sizeof(value),
				  SHMCHAN_FOREVER, &id, CRASH_PATIENCE_NS), 0);
	do {
		if (!helper)
			(void)serve_one(&srv, CRASH_PATIENCE_NS);
	} while (shmchan_rpc_recv(c, id, &answer, sizeof(answer), &reply,
				  helper ? CRASH_PATIENCE_NS : 0) == -EAGAIN);
	CHECK_EQ(answer, answer_of(value));
	CHECK_EQ(reply.length, sizeof(answer));
	CHECK_EQ(shmchan_rpc_pending(c), 0);
}

static void c_survive(const struct crash_scenario *s)
{
	static struct shmchan_rpc_client next;
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	int i;

	(void)s;
	crash_look(TAG, other.region);
	works(&other, OTHER, 700);
	/* A server that never saw it come may see nothing of it at all. */
	while (helper || story->last ? !*(volatile int *)&story->ends :
				       !serve_one(&srv, 0)) {
		CHECK_LT(now_ns(), end);
		if (helper)
			sleep_ms(1);
		else if (story->last)
			(void)serve_one(&srv, CRASH_PATIENCE_NS);
	}
	/* There are two seats: this is the dead one's. */
	open_client(&next);
	for (i = 0; i < 5; i++)
		works(&next, OTHER, 800 + (uint64_t)i);
	works(&other, QUIT, 900);
	CHECK_LE(story->ends, 1);
	if (helper || story->last)
		CHECK_EQ(story->ends, 1);
	if (helper)
		crash_helper_ok(helper);
	shmchan_rpc_client_close(&next);
	shmchan_rpc_client_close(&other);
	if (!helper)
		shmchan_rpc_server_close(&srv);
	crash_no_trace(TAG);
}

#define CLIENT(what, ...)						\
	CRASH("rpc " what, .setup = c_setup, .victim = c_victim,	\
	      .survive = c_survive,					\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void c_send(struct shmchan_rpc_client *c, const struct job *job)
{
	uint32_t id;
	uint64_t v;
	int ret = 0;

	crash_begin();
	for (v = 1; v <= (uint64_t)job->n; v++)
		ret |= shmchan_rpc_send(c, VICTIM, &v, sizeof(v),
					SHMCHAN_FOREVER, &id, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

CLIENT("send", .n = 2, .client = c_send);
CLIENT("send, the server sleeps", .n = 2, .sleeper = 1, .client = c_send);

static void c_cancel(struct shmchan_rpc_client *c, const struct job *job)
{
	uint32_t id[2];
	uint64_t v;
	int ret;

	for (v = 1; v <= 2; v++)
		CHECK_EQ(shmchan_rpc_send(c, VICTIM, &v, sizeof(v),
					  SHMCHAN_FOREVER, &id[v - 1], -1), 0);
	if (job->sleeper)
		crash_until_asleep(helper);
	crash_begin();
	ret = shmchan_rpc_cancel(c, id[1]);
	crash_end();
	CHECK_EQ(ret, 0);
}

CLIENT("cancel", .client = c_cancel);
CLIENT("cancel, was answered, the server sleeps", .sleeper = 1,
       .client = c_cancel);

static void c_call(struct shmchan_rpc_client *c, const struct job *job)
{
	struct shmchan_rpc_reply reply;
	uint64_t v = 1, answer = 0;
	int ret;

	(void)job;
	crash_begin();
	ret = shmchan_rpc_call(c, VICTIM, &v, sizeof(v), &answer,
			       sizeof(answer), &reply, -1);
	crash_end();
	CHECK_EQ(ret, 0);
	CHECK_EQ(answer, answer_of(1));
}

static void c_release(const struct crash_scenario *s)
{
	(void)s;
	(void)serve_one(&srv, CRASH_PATIENCE_NS);
}

CRASH("rpc call, sleeps for the reply", .setup = c_setup, .victim = c_victim,
      .survive = c_survive, .release = c_release,
      .arg = &(const struct job){ .client = c_call });

static void c_recv(struct shmchan_rpc_client *c, const struct job *job)
{
	struct shmchan_rpc_reply reply;
	uint64_t v, answer = 0;
	uint32_t id[2];
	int ret;

	(void)job;
	for (v = 1; v <= 2; v++)
		CHECK_EQ(shmchan_rpc_send(c, VICTIM, &v, sizeof(v),
					  SHMCHAN_FOREVER, &id[v - 1], -1), 0);
	crash_until_asleep(helper);
	/* The other one is kept on the way. */
	crash_begin();
	ret = shmchan_rpc_recv(c, id[1], &answer, sizeof(answer), &reply, -1);
	ret |= shmchan_rpc_recv(c, id[0], &answer, sizeof(answer), &reply, -1);
	crash_end();
	CHECK_EQ(ret, 0);
	CHECK_EQ(answer, answer_of(1));
}

CLIENT("recv", .sleeper = 1, .client = c_recv);

static void c_close(struct shmchan_rpc_client *c, const struct job *job)
{
	uint32_t id;
	uint64_t v = 1;

	if (job->n)
		CHECK_EQ(shmchan_rpc_send(c, VICTIM, &v, sizeof(v),
					  SHMCHAN_FOREVER, &id, -1), 0);
	if (job->sleeper)
		crash_until_asleep(helper);
	crash_begin();
	shmchan_rpc_client_close(c);
	crash_end();
}

CLIENT("close by a client", .n = 1, .client = c_close);
CLIENT("close by a client, the server sleeps", .n = 1, .sleeper = 1,
       .client = c_close);

static void c_open_victim(const struct crash_scenario *s)
{
	static struct shmchan_rpc_client c;
	struct shmchan_rpc_opts opts = opts_of();
	const char *name = crash_name(TAG);
	int ret;

	(void)s;
	crash_begin();
	ret = shmchan_rpc_client_open(&c, name, &opts);
	crash_end();
	CHECK_EQ(ret, 0);
}

/* Whether it has come so far that its end is told is another matter. */
static void c_open_survive(const struct crash_scenario *s)
{
	static struct shmchan_rpc_client next;
	int i;

	(void)s;
	crash_look(TAG, other.region);
	works(&other, OTHER, 700);
	open_client(&next);
	for (i = 0; i < 5; i++) {
		works(&next, OTHER, 800 + (uint64_t)i);
		works(&other, OTHER, 800 + (uint64_t)i);
	}
	works(&other, QUIT, 900);
	CHECK_LE(story->ends, 1);
	if (helper)
		crash_helper_ok(helper);
	shmchan_rpc_client_close(&next);
	shmchan_rpc_client_close(&other);
	if (!helper)
		shmchan_rpc_server_close(&srv);
	crash_no_trace(TAG);
}

CRASH("rpc open by a client", .setup = c_setup, .victim = c_open_victim,
      .survive = c_open_survive, .arg = &(const struct job){ 0 });
CRASH("rpc open by a client, the server sleeps", .setup = c_setup,
      .victim = c_open_victim, .survive = c_open_survive,
      .arg = &(const struct job){ .sleeper = 1 });

/* --- the server is killed -------------------------------------------------- */

static void client_of(uint32_t which)
{
	static struct shmchan_rpc_client c;
	struct shmchan_rpc_reply reply;
	uint32_t id[CALLS], i, seen = 0;
	uint64_t v, answer;
	int err;

	open_client(&c);
	for (i = 0; i < CALLS; i++) {
		v = 100 * which + i;
		CHECK_EQ(shmchan_rpc_send(&c, VICTIM, &v, sizeof(v),
					  SHMCHAN_FOREVER, &id[i],
					  2 * CRASH_PATIENCE_NS), 0);
	}
	shmchan_fetch_add(&story->sent, 1U);
	/* The second one does not sleep there. */
	while (which && !shmchan_load_acquire(&story->go))
		sleep_ms(1);
	while (shmchan_rpc_pending(&c)) {
		err = shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &answer,
				       sizeof(answer), &reply,
				       2 * CRASH_PATIENCE_NS);
		CHECK(!err || err == -EOWNERDEAD || err == -EPIPE);
		for (i = 0; i < CALLS && id[i] != reply.id; i++)
			;
		CHECK_LT(i, CALLS);
		if (!err) {
			CHECK_EQ(answer, answer_of(100 * which + i));
			story->got[which] |= 1U << i;
		}
		if (!err && reply.more)
			continue;
		CHECK(!(seen & 1U << i));
		seen |= 1U << i;
	}
	CHECK_EQ(seen, (1U << CALLS) - 1);
	shmchan_fetch_add(&story->told, 1U);
	while (!shmchan_load_acquire(&story->go))
		sleep_ms(1);
	/* The next one serves it; that the last one is dead may not be known yet. */
	v = 500 + which;
	do
		err = shmchan_rpc_call(&c, OTHER, &v, sizeof(v), &answer,
				       sizeof(answer), &reply,
				       2 * CRASH_PATIENCE_NS);
	while (err == -EOWNERDEAD || err == -EPIPE);
	CHECK_EQ(err, 0);
	CHECK_EQ(answer, answer_of(v));
	shmchan_rpc_client_close(&c);
}

static void first_client(const struct crash_scenario *s)
{
	(void)s;
	client_of(0);
}

static void second_client(const struct crash_scenario *s)
{
	(void)s;
	client_of(1);
}

static void s_setup(const struct crash_scenario *s)
{
	helper = crash_helper(first_client, s);
	waker = crash_helper(second_client, s);
}

static void s_victim(const struct crash_scenario *s)
{
	static struct shmchan_rpc_server mine;
	const struct job *job = s->arg;

	open_server(&mine);
	while (shmchan_load_acquire(&story->sent) < 2)
		sleep_ms(1);
	crash_until_asleep(helper);
	job->server(&mine, job);
}

/* Way 0: all was told before the next one comes.  Way 1: it comes at once. */
static void s_survive(const struct crash_scenario *s)
{
	static struct shmchan_rpc_server mine;
	uint64_t end = now_ns() + CRASH_PATIENCE_NS, value, answer;
	struct shmchan_rpc_call call;
	int calls = 0, ends = 0, err;

	(void)s;
	crash_look(TAG, NULL);
	shmchan_store_release(&story->go, 1);
	while (!crash_way() && shmchan_load_acquire(&story->told) < 2) {
		CHECK_LT(now_ns(), end);
		sleep_ms(1);
	}
	open_server(&mine);
	while (calls < 2 || ends < 2) {
		err = shmchan_rpc_next(&mine, &call, &value, sizeof(value),
				       CRASH_PATIENCE_NS);
		if (err == -EPIPE) {
			ends++;
			continue;
		}
		CHECK_EQ(err, 0);
		/* What was addressed to the dead is executed by nobody else. */
		CHECK_EQ(call.method, OTHER);
		answer = answer_of(value);
		CHECK_EQ(shmchan_rpc_reply(&mine, &call, 0, &answer,
					   sizeof(answer), -1), 0);
		calls++;
	}
	crash_helper_ok(helper);
	crash_helper_ok(waker);
	if (crash_ended()) {
		CHECK_EQ(story->got[0] & story->replied[0], story->replied[0]);
		CHECK_EQ(story->got[1] & story->replied[1], story->replied[1]);
	}
	shmchan_rpc_server_close(&mine);
	crash_no_trace(TAG);
}

#define SERVER(what, ...)						\
	CRASH("rpc " what, .setup = s_setup, .victim = s_victim,	\
	      .survive = s_survive, .ways = 2,				\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void s_next(struct shmchan_rpc_server *s, const struct job *job)
{
	struct shmchan_rpc_call call;
	uint64_t value;
	int i, ret = 0;

	crash_begin();
	for (i = 0; i < job->n; i++)
		ret |= shmchan_rpc_next(s, &call, &value, sizeof(value), -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

SERVER("next", .n = 2 * CALLS, .server = s_next);
SERVER("next, sleeps in vain", .n = 2 * CALLS + 1, .server = s_next);

/* n replies, the last of them in parts if there are more. */
static void s_reply(struct shmchan_rpc_server *s, const struct job *job)
{
	struct shmchan_rpc_call call[2 * CALLS];
	uint64_t value, answer[2 * CALLS];
	unsigned int i;
	int ret = 0;

	for (i = 0; i < 2 * CALLS; i++) {
		CHECK_EQ(shmchan_rpc_next(s, &call[i], &value, sizeof(value),
					  0), 0);
		answer[i] = answer_of(value);
		if (i < (unsigned int)job->n)
			story->replied[value / 100] |= 1U << value % 100;
	}
	crash_until_asleep(helper);
	crash_begin();
	for (i = 0; i < (unsigned int)job->n; i++) {
		if (job->sleeper)
			ret |= shmchan_rpc_reply_part(s, &call[i], 0,
						      &answer[i], 8, -1);
		else
			ret |= shmchan_rpc_reply(s, &call[i], 0, &answer[i], 8,
						 -1);
	}
	crash_end();
	CHECK_EQ(ret, 0);
}

SERVER("reply", .n = 4, .server = s_reply);
SERVER("reply_part", .n = 4, .sleeper = 1, .server = s_reply);

static void s_close(struct shmchan_rpc_server *s, const struct job *job)
{
	struct shmchan_rpc_call call;
	uint64_t value, answer;

	CHECK_EQ(shmchan_rpc_next(s, &call, &value, sizeof(value), 0), 0);
	answer = answer_of(value);
	story->replied[value / 100] |= 1U << value % 100;
	CHECK_EQ(shmchan_rpc_reply(s, &call, 0, &answer, 8, -1), 0);
	crash_until_asleep(helper);
	(void)job;
	crash_begin();
	shmchan_rpc_server_close(s);
	crash_end();
}

SERVER("close by the server", .server = s_close);

/* A server has died before: this one takes its seat. */
static void first_server(const struct crash_scenario *s)
{
	static struct shmchan_rpc_server mine;
	struct shmchan_rpc_call call;
	uint64_t value;

	(void)s;
	open_server(&mine);
	while (shmchan_load_acquire(&story->sent) < 2)
		sleep_ms(1);
	CHECK_EQ(shmchan_rpc_next(&mine, &call, &value, sizeof(value), 0), 0);
	_exit(0);
}

static void take_over_setup(const struct crash_scenario *s)
{
	s_setup(s);
	crash_helper_ok(crash_helper(first_server, s));
}

static void s_open_victim(const struct crash_scenario *s)
{
	static struct shmchan_rpc_server mine;
	struct shmchan_rpc_opts opts = opts_of();
	const char *name = crash_name(TAG);
	int ret;

	(void)s;
	do {
		crash_look(TAG, NULL);
		sleep_ms(1);
		ret = shmchan_rpc_server_open(&mine, name, &opts);
	} while (ret == -EBUSY);
	CHECK_EQ(ret, 0);
	shmchan_rpc_server_close(&mine);
	crash_begin();
	ret = shmchan_rpc_server_open(&mine, name, &opts);
	crash_end();
	CHECK_EQ(ret, 0);
}

CRASH("rpc open by a server, in a dead one's seat", .setup = take_over_setup,
      .victim = s_open_victim, .survive = s_survive,
      .arg = &(const struct job){ 0 });

static void create_setup(const struct crash_scenario *s)
{
	(void)s;
}

static void s_create_victim(const struct crash_scenario *s)
{
	static struct shmchan_rpc_server mine;
	struct shmchan_rpc_opts opts = opts_of();
	const char *name = crash_name(TAG);
	int ret;

	(void)s;
	crash_begin();
	ret = shmchan_rpc_server_open(&mine, name, &opts);
	crash_end();
	CHECK_EQ(ret, 0);
}

static void s_create_survive(const struct crash_scenario *s)
{
	(void)s;
	crash_look(TAG, NULL);
	helper = 0;
	open_server(&srv);
	open_client(&other);
	works(&other, OTHER, 5);
	shmchan_rpc_client_close(&other);
	shmchan_rpc_server_close(&srv);
	crash_no_trace(TAG);
}

CRASH("rpc open, the server creates", .setup = create_setup,
      .victim = s_create_victim, .survive = s_create_survive,
      .arg = &(const struct job){ 0 });
CRASH("rpc open, a client creates", .setup = create_setup,
      .victim = c_open_victim, .survive = s_create_survive,
      .arg = &(const struct job){ 0 });
