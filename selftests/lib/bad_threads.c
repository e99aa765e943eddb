// SPDX-License-Identifier: GPL-2.0-only

/*
 * With SHMCHAN_DEBUG: a second thread on a handle that belongs to one at a time is
 * told so, and the first goes on; and what is inlined may be called on zeros.
 */

/* What is not inlined is checked if the library was built so, too. */
#ifdef SHMCHAN_DEBUG
#define LIBRARY_CHECKS	1
#else
#define LIBRARY_CHECKS	0
#define SHMCHAN_DEBUG
#endif

#include <pthread.h>

#include <shmchan/shmchan.h>

#include "party_fixture.h"

#define LIBRARY_BUILT_SO() \
	do { \
		if (!LIBRARY_CHECKS) \
			SKIP("the library was built without SHMCHAN_DEBUG"); \
	} while (0)

static uint64_t words[512], got_words[512];

/*
 * A thread that is in fn(arg), which says EBUSY while we are in one, until that has
 * returned something else.
 */
struct inside {
	int (*fn)(void *arg);
	void *arg;
	pthread_t thread;
	int ret;
};

static void *run(void *arg)
{
	struct inside *in = arg;

	do
		in->ret = in->fn(in->arg);
	while (in->ret == -EBUSY);
	return NULL;
}

static void enter(struct inside *in, int (*fn)(void *arg), void *arg)
{
	in->fn = fn;
	in->arg = arg;
	CHECK(!pthread_create(&in->thread, NULL, run, in));
}

static int leave(struct inside *in)
{
	CHECK(!pthread_join(in->thread, NULL));
	return in->ret;
}

/* Until it sleeps in there our try finds nothing; then it is refused. */
#define UNTIL_REFUSED(call, what) \
	do { \
		uint64_t begin = now_ns(); \
		int err; \
		while ((err = (call)) != -EBUSY) { \
			CHECK(err == -EAGAIN || err == -ETIMEDOUT); \
			CHECK_LT(now_ns() - begin, TOLD_NS); \
		} \
		CHECK_SAYS(shmchan_error_detail(), what); \
		CHECK_SAYS(shmchan_error_detail(), "another thread"); \
	} while (0)

static struct shmchan_spsc spsc_tx, spsc_rx;

static void open_ends(uint64_t capacity)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1, .capacity = capacity);

	CHECK_EQ(shmchan_spsc_open(&spsc_tx, test_name("ch"), &opts), 0);
	opts.role = SHMCHAN_RECEIVER;
	CHECK_EQ(shmchan_spsc_open(&spsc_rx, test_name("ch"), &opts), 0);
}

static int in_spsc_recv(void *arg)
{
	return shmchan_spsc_recv(arg, words, 8, NULL, NULL, -1);
}

TEST(receiver_of_one)
{
	struct shmchan_reservation rsv;
	struct inside in;
	const void *data;
	uint64_t value = 1, got;

	open_ends(4096);
	enter(&in, in_spsc_recv, &spsc_rx);
	UNTIL_REFUSED(shmchan_spsc_recv(&spsc_rx, &got, 8, NULL, NULL, 0),
		      "spsc");
	CHECK_EQ(shmchan_spsc_peek(&spsc_rx, &data, NULL, NULL, 0), -EBUSY);
	CHECK_EQ(shmchan_spsc_release(&spsc_rx), -EBUSY);
	if (LIBRARY_CHECKS) {
		CHECK_EQ(shmchan_spsc_recv_n(&spsc_rx, &got, 8, 1, NULL, 0),
			 -EBUSY);
		CHECK_EQ(shmchan_spsc_wait_peer(&spsc_rx, 0), -EBUSY);
	}
	/* The other end is another handle. */
	CHECK_EQ(shmchan_spsc_reserve(&spsc_tx, 8, &rsv, 0), 0);
	CHECK_EQ(shmchan_spsc_abort(&spsc_tx, &rsv), 0);
	CHECK_EQ(shmchan_spsc_send(&spsc_tx, &value, 8, 0, 0, 0), 0);
	CHECK_EQ(leave(&in), 0);
	/* And again by whoever has it then. */
	CHECK_EQ(shmchan_spsc_recv(&spsc_rx, &got, 8, NULL, NULL, 0), -EAGAIN);
	CHECK_EQ(shmchan_spsc_release(&spsc_rx), 0);
	shmchan_spsc_close(&spsc_tx);
	shmchan_spsc_close(&spsc_rx);
}

static int in_spsc_send(void *arg)
{
	return shmchan_spsc_send(arg, words, 1000, 0, 0, -1);
}

TEST(sender_of_one)
{
	struct inside in;
	int n = 0;

	open_ends(4096);
	while (!shmchan_spsc_send(&spsc_tx, words, 1000, 0, 0, 0))
		n++;
	enter(&in, in_spsc_send, &spsc_tx);
	UNTIL_REFUSED(shmchan_spsc_send(&spsc_tx, words, 1000, 0, 0, 0),
		      "spsc");
	CHECK_EQ(shmchan_spsc_flush(&spsc_tx), -EBUSY);
	if (LIBRARY_CHECKS)
		CHECK_EQ(shmchan_spsc_send_n(&spsc_tx, words, 8, 1, 0, 0),
			 -EBUSY);
	for (; n >= 0; n--)
		CHECK_EQ(shmchan_spsc_recv(&spsc_rx, got_words, 1000, NULL,
					   NULL, TOLD_NS), 0);
	CHECK_EQ(leave(&in), 0);
	CHECK_EQ(shmchan_spsc_flush(&spsc_tx), 0);
	shmchan_spsc_close(&spsc_tx);
	shmchan_spsc_close(&spsc_rx);
}

static int in_send(void *arg)
{
	return shmchan_send(arg, words, 1000, 0, 0, -1);
}

TEST(sender_of_many)
{
	struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .capacity = 4096);
	static struct shmchan_sender tx;
	static struct shmchan_receiver rx;
	struct inside in;
	int n = 0;

	CHECK_EQ(shmchan_sender_open(&tx, test_name("many"), &opts), 0);
	CHECK_EQ(shmchan_receiver_open(&rx, test_name("many"), &opts), 0);
	while (!shmchan_send(&tx, words, 1000, 0, 0, 0))
		n++;
	enter(&in, in_send, &tx);
	UNTIL_REFUSED(shmchan_send(&tx, words, 1000, 0, 0, 0), "sender");
	CHECK_EQ(shmchan_flush(&tx), -EBUSY);
	for (; n >= 0; n--)
		CHECK_EQ(shmchan_recv(&rx, got_words, 1000, NULL, TOLD_NS), 0);
	CHECK_EQ(leave(&in), 0);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
}

static struct shmchan_rpc_server server;
static struct shmchan_rpc_client client;

static int in_next(void *arg)
{
	struct shmchan_rpc_call call;

	(void)arg;
	return shmchan_rpc_next(&server, &call, words, 8, -1);
}

static int in_call(void *arg)
{
	(void)arg;
	return shmchan_rpc_call(&client, 1, words, 8, words, 8, NULL, -1);
}

TEST(both_sides_of_a_service)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(.create = 1);
	struct shmchan_rpc_call call;
	struct inside in;
	uint32_t id;

	LIBRARY_BUILT_SO();
	CHECK_EQ(shmchan_rpc_server_open(&server, test_name("s"), &opts), 0);
	CHECK_EQ(shmchan_rpc_client_open(&client, test_name("s"), &opts), 0);
	enter(&in, in_next, NULL);
	UNTIL_REFUSED(shmchan_rpc_next(&server, &call, words, 8, 0), "rpc");
	call = (struct shmchan_rpc_call){ .client = 1, .id = 1 };
	CHECK_EQ(shmchan_rpc_reply(&server, &call, 0, NULL, 0, 0), -EBUSY);
	CHECK_EQ(shmchan_rpc_send(&client, 1, words, 8, SHMCHAN_FOREVER, &id,
				  TOLD_NS), 0);
	CHECK_EQ(leave(&in), 0);
	CHECK_EQ(shmchan_rpc_cancel(&client, id), 0);

	enter(&in, in_call, NULL);
	CHECK_EQ(shmchan_rpc_next(&server, &call, words, 8, TOLD_NS), 0);
	/* It may have sent and not be asleep yet: it is in the call. */
	CHECK_EQ(shmchan_rpc_send(&client, 1, words, 8, SHMCHAN_FOREVER, &id,
				  0), -EBUSY);
	CHECK_SAYS(shmchan_error_detail(), "another thread");
	CHECK_EQ(shmchan_rpc_recv(&client, SHMCHAN_RPC_ANY, words, 8, NULL, 0),
		 -EBUSY);
	CHECK_EQ(shmchan_rpc_cancel(&client, 1), -EBUSY);
	CHECK_EQ(shmchan_rpc_reply(&server, &call, 0, NULL, 0, TOLD_NS), 0);
	CHECK_EQ(leave(&in), 0);
	shmchan_rpc_client_close(&client);
	shmchan_rpc_server_close(&server);
}

static struct shmchan_pool *owner;

static int in_alloc(void *arg)
{
	return shmchan_pool_alloc(owner, 64, arg, -1);
}

TEST(owner_of_a_pool)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_OWNER, .create = 1,
		.classes = {{ 64, 1 }});
	struct shmchan_pool_buf mine, theirs, buf;
	struct shmchan_pool_ref ref;
	struct shmchan_pool *holder;
	struct inside in;

	LIBRARY_BUILT_SO();
	CHECK_EQ(shmchan_pool_open(&owner, test_name("pool"), &opts), 0);
	opts.role = SHMCHAN_POOL_HOLDER;
	CHECK_EQ(shmchan_pool_open(&holder, test_name("pool"), &opts), 0);
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &mine, 0), 0);
	CHECK_EQ(shmchan_pool_ref(owner, &mine, &ref), 0);
	CHECK_EQ(shmchan_pool_take(holder, &ref, &theirs), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &mine), 0);
	enter(&in, in_alloc, &mine);
	UNTIL_REFUSED(shmchan_pool_alloc(owner, 64, &buf, 0), "pool");
	CHECK_EQ(shmchan_pool_take(owner, &ref, &buf), -EBUSY);
	CHECK_EQ(shmchan_pool_poll(owner), -EBUSY);
	CHECK_EQ(shmchan_pool_drop(holder, &theirs), 0);
	CHECK_EQ(leave(&in), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &mine), 0);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

static int in_barrier(void *arg)
{
	return shmchan_barrier_arrive_and_wait(arg);
}

TEST(party_of_a_barrier)
{
	struct shmchan_barrier_opts opts = SHMCHAN_BARRIER_OPTS(.parties = 2);
	struct shmchan_region *r, *r2;
	struct shmchan_barrier b, b2;
	struct shmchan_place place;
	struct inside in;
	uint64_t begin;
	int err;

	LIBRARY_BUILT_SO();
	r = pf_create(test_name("b"));
	r2 = pf_open(test_name("b"));
	place = pf_place(r, 0);
	CHECK_EQ(shmchan_barrier_attach(&b, &place, &opts), 0);
	place = pf_place(r2, 0);
	CHECK_EQ(shmchan_barrier_attach(&b2, &place, &opts), 0);
	CHECK_EQ(shmchan_barrier_register(&b), 0);
	CHECK_EQ(shmchan_barrier_register(&b2), 0);
	CHECK_EQ(shmchan_barrier_arrive(&b), 0);
	CHECK_EQ(shmchan_barrier_arrive_and_wait(&b2), 0);
	CHECK_EQ(shmchan_barrier_timedwait(&b, TOLD_NS), 0);
	enter(&in, in_barrier, &b);
	/* Registering does nothing but say that it is. */
	begin = now_ns();
	do {
		err = shmchan_barrier_register(&b);
		CHECK_EQ(err, -EBUSY);
		CHECK_LT(now_ns() - begin, TOLD_NS);
	} while (!strstr(shmchan_error_detail(), "another thread"));
	CHECK_EQ(shmchan_barrier_unregister(&b), -EBUSY);
	CHECK_EQ(shmchan_barrier_arrive(&b), -EBUSY);
	CHECK_EQ(shmchan_barrier_arrive_and_wait(&b2), 0);
	CHECK_EQ(leave(&in), 0);
	CHECK_EQ(shmchan_barrier_unregister(&b), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

static int in_set(void *arg)
{
	struct shmchan_ready ready;

	return shmchan_set_wait(arg, &ready, 1, -1);
}

TEST(set_of_a_loop)
{
	struct shmchan_set_event event;
	struct shmchan_ready ready;
	struct shmchan_set *set;
	struct inside in;
	uint64_t value = 1, got;

	LIBRARY_BUILT_SO();
	open_ends(4096);
	CHECK_EQ(shmchan_set_create(&set), 0);
	CHECK_EQ(shmchan_set_add_spsc(set, &spsc_rx, NULL), 0);
	enter(&in, in_set, set);
	UNTIL_REFUSED(shmchan_set_wait(set, &ready, 1, 0), "set");
	CHECK_EQ(shmchan_set_add_spsc(set, &spsc_rx, NULL), -EBUSY);
	CHECK_EQ(shmchan_set_add(set, spsc_rx.region, NULL, NULL), -EBUSY);
	CHECK_EQ(shmchan_set_remove(set, 0), -EBUSY);
	CHECK_EQ(shmchan_set_expect(set, 0, 1), -EBUSY);
	CHECK_EQ(shmchan_set_fd(set), -EBUSY);
	CHECK_EQ(shmchan_set_arm(set), -EBUSY);
	CHECK_EQ(shmchan_set_ack(set), -EBUSY);
	CHECK_EQ(shmchan_set_events(set, &event, 1), -EBUSY);
	CHECK_EQ(shmchan_spsc_send(&spsc_tx, &value, 8, 0, 0, 0), 0);
	CHECK_EQ(leave(&in), 1);
	/* And after each of them by whoever comes next. */
	CHECK_EQ(shmchan_set_events(set, &event, 1), -EINVAL);
	CHECK_EQ(shmchan_set_ack(set), -EINVAL);
	CHECK_EQ(shmchan_set_arm(set), -EINVAL);
	CHECK_EQ(shmchan_set_expect(set, 0, 1), -EINVAL);
	CHECK_EQ(shmchan_set_add(set, spsc_rx.region, NULL, NULL), -EINVAL);
	CHECK_EQ(shmchan_set_add_spsc(set, NULL, NULL), -EINVAL);
	CHECK_GE(shmchan_set_fd(set), 0);
	CHECK_EQ(shmchan_set_wait(set, &ready, 1, 0), 1);
	CHECK_EQ(shmchan_spsc_recv(&spsc_rx, &got, 8, NULL, NULL, 0), 0);
	CHECK_EQ(shmchan_set_wait(set, &ready, 1, 0), -EAGAIN);
	CHECK_EQ(shmchan_set_remove(set, 0), 0);
	CHECK_EQ(shmchan_set_remove(set, 0), -ENOENT);
	shmchan_set_close(set);
	shmchan_spsc_close(&spsc_tx);
	shmchan_spsc_close(&spsc_rx);
}

#define NOT_OPEN(call) \
	do { \
		CHECK_EQ((call), -EINVAL); \
		CHECK_SAYS(shmchan_error_detail(), "not open"); \
	} while (0)

TEST(zeros)
{
	struct shmchan_reservation rsv = { .data = words, .length = 8 };
	static struct shmchan_spsc ch;
	static struct shmchan_sender tx;
	const void *data;

	NOT_OPEN(shmchan_spsc_send(&ch, words, 8, 0, 0, 0));
	NOT_OPEN(shmchan_spsc_reserve(&ch, 8, &rsv, 0));
	NOT_OPEN(shmchan_spsc_commit(&ch, &rsv, 8, 0, 0));
	NOT_OPEN(shmchan_spsc_abort(&ch, &rsv));
	NOT_OPEN(shmchan_spsc_flush(&ch));
	NOT_OPEN(shmchan_spsc_recv(&ch, words, 8, NULL, NULL, 0));
	NOT_OPEN(shmchan_spsc_peek(&ch, &data, NULL, NULL, 0));
	NOT_OPEN(shmchan_spsc_release(&ch));
	NOT_OPEN(shmchan_send(&tx, words, 8, 0, 0, 0));
	NOT_OPEN(shmchan_reserve(&tx, 8, &rsv, 0));
	NOT_OPEN(shmchan_commit(&tx, &rsv, 8, 0, 0));
	NOT_OPEN(shmchan_abort(&tx, &rsv));
	NOT_OPEN(shmchan_flush(&tx));
}

#define NONE(call) \
	do { \
		CHECK_EQ((call), -EINVAL); \
		CHECK_SAYS(shmchan_error_detail(), "no reservation"); \
	} while (0)

TEST(reservations_are_used_once)
{
	struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .capacity = 4096);
	struct shmchan_reservation a, b, none = { 0 };
	static struct shmchan_receiver rx;
	static struct shmchan_sender tx;

	open_ends(4096);
	CHECK_EQ(shmchan_spsc_reserve(&spsc_tx, 16, &a, 0), 0);
	CHECK_EQ(shmchan_spsc_reserve(&spsc_tx, 16, &b, 0), 0);
	CHECK_EQ(shmchan_spsc_commit(&spsc_tx, &a, 8, 0, 0), 0);
	NONE(shmchan_spsc_commit(&spsc_tx, &a, 8, 0, 0));
	NONE(shmchan_spsc_abort(&spsc_tx, &a));
	CHECK_EQ(shmchan_spsc_abort(&spsc_tx, &b), 0);
	NONE(shmchan_spsc_commit(&spsc_tx, &b, 8, 0, 0));
	NONE(shmchan_spsc_abort(&spsc_tx, &none));
	CHECK_EQ(shmchan_spsc_recv(&spsc_rx, words, 8, NULL, NULL, 0), 0);
	CHECK_EQ(shmchan_spsc_recv(&spsc_rx, words, 8, NULL, NULL, 0),
		 -EAGAIN);
	CHECK_EQ(shmchan_sender_open(&tx, test_name("many"), &opts), 0);
	CHECK_EQ(shmchan_receiver_open(&rx, test_name("many"), &opts), 0);
	CHECK_EQ(shmchan_reserve(&tx, 16, &a, 0), 0);
	/* Of another handle. */
	NONE(shmchan_spsc_commit(&spsc_tx, &a, 16, 0, 0));
	CHECK_EQ(shmchan_commit(&tx, &a, 16, 0, 0), 0);
	NONE(shmchan_commit(&tx, &a, 16, 0, 0));
	NONE(shmchan_abort(&tx, &a));
	CHECK_EQ(shmchan_recv(&rx, words, 16, NULL, 0), 0);
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
	shmchan_spsc_close(&spsc_tx);
	shmchan_spsc_close(&spsc_rx);
}

TEST_MAIN
