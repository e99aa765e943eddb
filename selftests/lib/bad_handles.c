// SPDX-License-Identifier: GPL-2.0-only

/*
 * Calls on handles that are closed, were never opened, are NULL or are the other
 * end: EINVAL, in words, and never a crash.
 */

#include <sys/uio.h>

#include <shmchan/shmchan.h>

#include "harness.h"

#define SECOND	1000000000LL

/* As the largest record, so far as compilers can tell. */
static uint64_t words[512];
#define word	words[0]
static uint32_t number;
static size_t length;
static const void *data;
static struct shmchan_reservation rsv = { .data = &word, .length = 8 };
static struct iovec piece = { &word, sizeof(word) };
static struct shmchan_msg msg;
static struct shmchan_view view;
static struct shmchan_origin origin;

/* What an earlier call said is no answer to this one. */
static void forget(void)
{
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_open(&r, NULL, NULL), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "no name (NULL) to open");
}

#define REFUSED_AS(err, call, says) \
	do { \
		forget(); \
		CHECK_EQ((call), -(err)); \
		CHECK_SAYS(shmchan_error_detail(), (says)); \
	} while (0)

#define REFUSED(call, says)	REFUSED_AS(EINVAL, call, says)

/* Channels of one. */

static void refuse_spsc_inlined(struct shmchan_spsc *ch, const char *says)
{
	REFUSED(shmchan_spsc_send(ch, &word, 8, 0, 0, SECOND), says);
	REFUSED(shmchan_spsc_send(ch, &word, length, 0, 0, SECOND), says);
	REFUSED(shmchan_spsc_reserve(ch, 8, &rsv, SECOND), says);
	rsv.data = &word;
	rsv.length = 8;
	REFUSED(shmchan_spsc_commit(ch, &rsv, 8, 0, 0), says);
	REFUSED(shmchan_spsc_commit(ch, &rsv, 0, 0, 0), says);
	REFUSED(shmchan_spsc_abort(ch, &rsv), says);
	REFUSED(shmchan_spsc_flush(ch), says);
	REFUSED(shmchan_spsc_recv(ch, &word, 8, &length, NULL, SECOND), says);
	REFUSED(shmchan_spsc_recv(ch, &word, length, NULL, NULL, 0), says);
	REFUSED(shmchan_spsc_peek(ch, &data, NULL, NULL, SECOND), says);
	REFUSED(shmchan_spsc_release(ch), says);
}

static void refuse_spsc(struct shmchan_spsc *ch, const char *says)
{
	struct shmchan_cond conds[SHMCHAN_SPSC_CONDS];
	struct shmchan_spsc_stats stats = { .records = 1 };

	REFUSED(shmchan_spsc_send_n(ch, &word, 8, 1, 0, SECOND), says);
	REFUSED(shmchan_spsc_sendv(ch, &piece, 1, 0, 0, SECOND), says);
	REFUSED(shmchan_spsc_recv_n(ch, &word, 8, 1, NULL, SECOND), says);
	REFUSED(shmchan_spsc_wait_peer(ch, SECOND), says);
	REFUSED(shmchan_spsc_sender(ch, &origin), says);
	REFUSED(shmchan_spsc_conds(ch, conds), says);
	REFUSED(shmchan_spsc_arm(ch), says);
	REFUSED(shmchan_spsc_arm_room(ch, 8), says);
	REFUSED(shmchan_spsc_ack(ch), says);
	shmchan_spsc_get_stats(ch, &stats);
	CHECK_EQ(stats.records, 0);
	shmchan_spsc_close(ch);
}

TEST(channel_of_one)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1, .capacity = 4096);
	struct shmchan_spsc ch, zeros;

	/* What is inlined crashes on such a one, without SHMCHAN_DEBUG. */
	memset(&zeros, 0, sizeof(zeros));
	refuse_spsc(&zeros, "not open");
	refuse_spsc(NULL, "not open");
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("one"), &opts), 0);
	CHECK_EQ(shmchan_spsc_send(&ch, &word, 8, 0, 0, 0), 0);
	REFUSED(shmchan_spsc_sender(&ch, NULL), "NULL");
	shmchan_spsc_close(&ch);
	refuse_spsc_inlined(&ch, "not open");
	REFUSED(shmchan_spsc_check(&ch), "not open");
	refuse_spsc(&ch, "not open");
	/* One that failed to open is as closed. */
	opts.create = 0;
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("none"), &opts), -ENOENT);
	refuse_spsc_inlined(&ch, "not open");
	REFUSED(shmchan_spsc_check(&ch), "not open");
	refuse_spsc(&ch, "not open");
	REFUSED(shmchan_spsc_open(NULL, "a", &opts), "NULL");
	REFUSED(shmchan_spsc_adopt(NULL, 0, &opts), "NULL");
	REFUSED(shmchan_spsc_open(&ch, "a", NULL), "SHMCHAN_SPSC_OPTS");
	REFUSED(shmchan_spsc_adopt(&ch, 0, NULL), "SHMCHAN_SPSC_OPTS");
}

TEST(the_other_end)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1, .capacity = 4096);
	const char *at_tx = "this is the sender's end";
	const char *at_rx = "this is the receiver's end";
	struct shmchan_spsc tx, rx;

	CHECK_EQ(shmchan_spsc_open(&tx, test_name("ends"), &opts), 0);
	opts.role = SHMCHAN_RECEIVER;
	CHECK_EQ(shmchan_spsc_open(&rx, test_name("ends"), &opts), 0);
	length = 8;
	REFUSED(shmchan_spsc_send(&rx, &word, 8, 0, 0, SECOND), at_rx);
	REFUSED(shmchan_spsc_send(&rx, &word, length, 0, 0, 0), at_rx);
	REFUSED(shmchan_spsc_reserve(&rx, 8, &rsv, SECOND), at_rx);
	REFUSED(shmchan_spsc_send_n(&rx, &word, 8, 1, 0, SECOND), at_rx);
	REFUSED(shmchan_spsc_sendv(&rx, &piece, 1, 0, 0, SECOND), at_rx);
	REFUSED(shmchan_spsc_flush(&rx), at_rx);
#ifndef SHMCHAN_DEBUG
	/* With it there is no such reservation, which is said first. */
	rsv.data = &word;
	rsv.length = 8;
	REFUSED(shmchan_spsc_commit(&rx, &rsv, 8, 0, 0), at_rx);
	REFUSED(shmchan_spsc_commit(&rx, &rsv, 0, 0, 0), at_rx);
	REFUSED(shmchan_spsc_abort(&rx, &rsv), at_rx);
#endif
	REFUSED(shmchan_spsc_arm_room(&rx, 8), at_rx);
	REFUSED(shmchan_spsc_recv(&tx, &word, 8, &length, NULL, SECOND), at_tx);
	REFUSED(shmchan_spsc_recv(&tx, &word, length, NULL, NULL, 0), at_tx);
	REFUSED(shmchan_spsc_peek(&tx, &data, NULL, NULL, SECOND), at_tx);
	REFUSED(shmchan_spsc_release(&tx), at_tx);
	REFUSED(shmchan_spsc_recv_n(&tx, &word, 8, 1, NULL, SECOND), at_tx);
	REFUSED(shmchan_spsc_sender(&tx, &origin), at_tx);
	REFUSED(shmchan_spsc_arm(&tx), at_tx);
	/* And none of that has done anything. */
	word = 7;
	CHECK_EQ(shmchan_spsc_send(&tx, &word, 8, 3, 0, 0), 0);
	CHECK_EQ(shmchan_spsc_recv(&rx, &word, 8, &length, &number, 0), 0);
	CHECK_EQ(word, 7);
	CHECK_EQ(number, 3);
	shmchan_spsc_close(&tx);
	CHECK_EQ(shmchan_spsc_recv(&rx, &word, 8, NULL, NULL, 0), -EPIPE);
	CHECK_SAYS(shmchan_error_detail(), "closed");
	shmchan_spsc_close(&rx);
}

/* Channels of many. */

static void refuse_sender_inlined(struct shmchan_sender *tx)
{
	REFUSED(shmchan_send(tx, &word, 8, 0, 0, SECOND), "not open");
	REFUSED(shmchan_reserve(tx, 8, &rsv, SECOND), "not open");
	rsv.data = &word;
	rsv.length = 8;
	REFUSED(shmchan_commit(tx, &rsv, 8, 0, 0), "not open");
	REFUSED(shmchan_commit(tx, &rsv, 0, 0, 0), "not open");
	REFUSED(shmchan_abort(tx, &rsv), "not open");
	REFUSED(shmchan_flush(tx), "not open");
}

static void refuse_sender(struct shmchan_sender *tx)
{
	struct shmchan_channel_stats stats = { .records = 1 };
	struct shmchan_channel_info *info = (void *)&stats;

	REFUSED(shmchan_send_n(tx, &word, 8, 1, 0, SECOND), "not open");
	REFUSED(shmchan_sendv(tx, &piece, 1, 0, 0, SECOND), "not open");
	REFUSED(shmchan_sender_wait_peers(tx, 1, SECOND), "not open");
	REFUSED(shmchan_sender_stat(tx, &info), "not open");
	CHECK(!info);
	shmchan_sender_get_stats(tx, &stats);
	CHECK_EQ(stats.records, 0);
	shmchan_sender_close(tx);
}

/* Their fast path asks nothing that is NULL. */
static void refuse_receiver_open(struct shmchan_receiver *rx)
{
	struct shmchan_cond conds[SHMCHAN_RECEIVER_CONDS];

	REFUSED(shmchan_recv(rx, &word, 8, &msg, SECOND), "not open");
	REFUSED(shmchan_receiver_conds(rx, conds), "not open");
}

static void refuse_receiver(struct shmchan_receiver *rx, const char *says)
{
	struct shmchan_channel_stats stats = { .records = 1 };
	struct shmchan_channel_info *info = (void *)&stats;

	REFUSED(shmchan_recvv(rx, &piece, 1, &msg, SECOND), says);
	REFUSED(shmchan_recv_n(rx, &word, 8, 1, &msg, SECOND), says);
	REFUSED(shmchan_recv_newest(rx, &word, 8, &msg, SECOND), says);
	REFUSED(shmchan_peek(rx, &view, SECOND), says);
	REFUSED(shmchan_peek(rx, NULL, SECOND), "no view");
	REFUSED(shmchan_release(rx, &view), says);
	REFUSED(shmchan_release(rx, NULL), "no view");
	REFUSED(shmchan_receiver_wait_peers(rx, 1, SECOND), says);
	REFUSED(shmchan_receiver_origin(rx, &origin), says);
	REFUSED(shmchan_receiver_arm(rx), says);
	REFUSED(shmchan_receiver_ack(rx), says);
	REFUSED(shmchan_receiver_stat(rx, &info), "not open");
	CHECK(!info);
	shmchan_receiver_get_stats(rx, &stats);
	CHECK_EQ(stats.records, 0);
	shmchan_receiver_close(rx);
}

TEST(channel_of_many)
{
	struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .capacity = 4096);
	struct shmchan_channel_info *info = NULL;
	static struct shmchan_sender tx, no_tx;
	static struct shmchan_receiver rx, no_rx;

	refuse_sender(&no_tx);
	refuse_sender(NULL);
	refuse_receiver_open(&no_rx);
	refuse_receiver(&no_rx, "not open");
	refuse_receiver(NULL, "NULL");
	CHECK_EQ(shmchan_sender_open(&tx, test_name("many"), &opts), 0);
	CHECK_EQ(shmchan_receiver_open(&rx, test_name("many"), &opts), 0);
	CHECK_EQ(shmchan_send(&tx, &word, 8, 0, 0, 0), 0);
	REFUSED(shmchan_receiver_origin(&rx, NULL), "NULL");
	REFUSED(shmchan_sender_stat(&tx, NULL), "NULL");
	REFUSED(shmchan_receiver_stat(&rx, NULL), "NULL");
	REFUSED(shmchan_channel_stat(NULL, SHMCHAN_BACKEND_AUTO, "a"), "NULL");
	REFUSED(shmchan_channel_stat(&info, SHMCHAN_BACKEND_AUTO, NULL),
		"no name");
	REFUSED(shmchan_sender_wait_peers(&tx, 2, 0), "waiting for 2");
	REFUSED(shmchan_receiver_wait_peers(&rx, 2, 0), "waiting for 2");
	shmchan_sender_close(&tx);
	shmchan_receiver_close(&rx);
	shmchan_channel_info_free(NULL);
	refuse_sender_inlined(&tx);
	refuse_sender(&tx);
	refuse_receiver_open(&rx);
	refuse_receiver(&rx, "not open");
	opts.create = 0;
	CHECK_EQ(shmchan_sender_open(&tx, test_name("no"), &opts), -ENOENT);
	CHECK_EQ(shmchan_receiver_open(&rx, test_name("no"), &opts), -ENOENT);
	refuse_sender_inlined(&tx);
	refuse_sender(&tx);
	refuse_receiver_open(&rx);
	refuse_receiver(&rx, "not open");
	REFUSED(shmchan_sender_open(NULL, "a", &opts), "NULL");
	REFUSED(shmchan_receiver_open(NULL, "a", &opts), "NULL");
	REFUSED(shmchan_sender_open(&tx, "a", NULL), "SHMCHAN_CHANNEL_OPTS");
	REFUSED(shmchan_receiver_open(&rx, "a", NULL), "SHMCHAN_CHANNEL_OPTS");
}

/* Services. */

static void refuse_client(struct shmchan_rpc_client *c)
{
	struct shmchan_rpc_client_stats stats = { .calls = 1 };
	struct shmchan_rpc_reply reply = { .id = 1 };

	REFUSED(shmchan_rpc_call(c, 1, &word, 8, &word, 8, &reply, SECOND),
		"not open");
	CHECK_EQ(reply.id, 0);
	REFUSED(shmchan_rpc_call(c, 1, &word, 8, &word, 8, NULL, SECOND),
		"not open");
	REFUSED(shmchan_rpc_send(c, 1, &word, 8, SHMCHAN_FOREVER, &number,
				 SECOND), "not open");
	REFUSED(shmchan_rpc_recv(c, SHMCHAN_RPC_ANY, &word, 8, &reply, SECOND),
		"not open");
	REFUSED(shmchan_rpc_recv(c, 1, &word, 8, NULL, SECOND), "not open");
	REFUSED(shmchan_rpc_cancel(c, 1), "not open");
	shmchan_rpc_client_get_stats(c, &stats);
	CHECK_EQ(stats.calls, 0);
	shmchan_rpc_client_close(c);
}

static void refuse_server(struct shmchan_rpc_server *s)
{
	struct shmchan_rpc_server_stats stats = { .calls = 1 };
	struct shmchan_rpc_call call = { .client = 1, .id = 1 };

	REFUSED(shmchan_rpc_reply(s, &call, 0, &word, 8, SECOND), "not open");
	REFUSED(shmchan_rpc_reply_part(s, &call, 0, &word, 8, SECOND),
		"not open");
	CHECK_EQ(shmchan_rpc_cancelled(s, &call), 1);
	REFUSED(shmchan_rpc_next(s, &call, &word, 8, SECOND), "not open");
	CHECK_EQ(call.id, 0);
	shmchan_rpc_server_get_stats(s, &stats);
	CHECK_EQ(stats.calls, 0);
	shmchan_rpc_server_close(s);
}

TEST(service)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(.create = 1);
	static struct shmchan_rpc_client c, no_c;
	static struct shmchan_rpc_server s, no_s;

	refuse_client(&no_c);
	refuse_client(NULL);
	refuse_server(&no_s);
	refuse_server(NULL);
	CHECK_EQ(shmchan_rpc_pending(&no_c), 0);
	CHECK_EQ(shmchan_rpc_max_request(NULL), 0);
	CHECK_EQ(shmchan_rpc_max_reply(NULL), 0);
	CHECK_EQ(shmchan_rpc_server_open(&s, test_name("s"), &opts), 0);
	CHECK_EQ(shmchan_rpc_client_open(&c, test_name("s"), &opts), 0);
	REFUSED(shmchan_rpc_next(&s, NULL, &word, 8, 0), "NULL");
	REFUSED(shmchan_rpc_reply(&s, NULL, 0, &word, 8, 0), "NULL");
	CHECK_EQ(shmchan_rpc_cancelled(&s, NULL), 1);
	REFUSED(shmchan_rpc_send(&c, 1, &word, 8, SHMCHAN_FOREVER, NULL, 0),
		"NULL");
	CHECK_EQ(shmchan_rpc_send(&c, 1, &word, 8, SHMCHAN_FOREVER, &number,
				  0), 0);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
	refuse_client(&c);
	refuse_server(&s);
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	opts.create = 0;
	CHECK_EQ(shmchan_rpc_server_open(&s, test_name("no"), &opts), -ENOENT);
	CHECK_EQ(shmchan_rpc_client_open(&c, test_name("no"), &opts), -ENOENT);
	refuse_client(&c);
	refuse_server(&s);
	REFUSED(shmchan_rpc_client_open(NULL, "a", &opts), "NULL");
	REFUSED(shmchan_rpc_server_open(NULL, "a", &opts), "NULL");
	REFUSED(shmchan_rpc_client_open(&c, "a", NULL), "SHMCHAN_RPC_OPTS");
	REFUSED(shmchan_rpc_server_open(&s, "a", NULL), "SHMCHAN_RPC_OPTS");
}

/* Pools: a handle is freed by close, so it is NULL or open. */

TEST(pool)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_OWNER, .create = 1,
		.classes = {{ 64, 2 }});
	struct shmchan_spsc_opts sopts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1, .capacity = 4096);
	struct shmchan_pool_stats stats = { .taken = 1 };
	struct shmchan_pool_buf buf = { .ticket = 1 };
	struct shmchan_pool_ref ref = { 0 };
	static struct shmchan_lane_writer w;
	struct shmchan_spsc closed, never;
	struct shmchan_pool *p = NULL;

	REFUSED(shmchan_pool_alloc(p, 8, &buf, SECOND), "NULL");
	REFUSED(shmchan_pool_ref(p, &buf, &ref), "NULL");
	REFUSED(shmchan_pool_take(p, &ref, &buf), "NULL");
	REFUSED(shmchan_pool_drop(p, &buf), "NULL");
	REFUSED(shmchan_pool_sent(p, &w, &buf), "NULL");
	REFUSED(shmchan_pool_recall(p, NULL), "NULL");
	REFUSED(shmchan_pool_flush(p, SECOND), "NULL");
	REFUSED(shmchan_pool_in_flight(p), "NULL");
	REFUSED(shmchan_pool_poll(p), "NULL");
	REFUSED(shmchan_pool_holders(p, 0, NULL, 0), "NULL");
	REFUSED(shmchan_pool_send_spsc(p, NULL, &buf, 0, 0, 0), "NULL");
	REFUSED(shmchan_pool_recv_spsc(p, NULL, &buf, NULL, 0), "NULL");
	shmchan_pool_get_stats(p, &stats);
	CHECK_EQ(stats.taken, 0);
	CHECK(!shmchan_pool_region(p));
	shmchan_pool_close(p);
	REFUSED(shmchan_pool_open(NULL, "a", &opts), "NULL");
	REFUSED(shmchan_pool_open(&p, "a", NULL), "SHMCHAN_POOL_OPTS");

	CHECK_EQ(shmchan_pool_open(&p, test_name("pool"), &opts), 0);
	REFUSED(shmchan_pool_alloc(p, 8, NULL, 0), "NULL");
	CHECK_EQ(shmchan_pool_alloc(p, 8, &buf, 0), 0);
	REFUSED(shmchan_pool_ref(p, &buf, NULL), "NULL");
	REFUSED(shmchan_pool_take(p, NULL, &buf), "NULL");
	REFUSED(shmchan_pool_take(p, &ref, NULL), "NULL");
	REFUSED(shmchan_pool_recv_spsc(p, NULL, NULL, NULL, 0), "NULL");
	CHECK_EQ(shmchan_pool_alloc(p, 8, &buf, 0), 0);
	REFUSED(shmchan_pool_sent(p, NULL, &buf), "NULL");
	memset(&never, 0, sizeof(never));
	REFUSED(shmchan_pool_send_spsc(p, NULL, &buf, 0, 0, 0), "not open");
	REFUSED(shmchan_pool_send_spsc(p, &never, &buf, 0, 0, 0), "not open");
	CHECK_EQ(shmchan_spsc_open(&closed, test_name("ch"), &sopts), 0);
	shmchan_spsc_close(&closed);
	REFUSED(shmchan_pool_send_spsc(p, &closed, &buf, 0, 0, 0), "not open");
	CHECK_EQ(shmchan_pool_drop(p, &buf), 0);
	REFUSED(shmchan_pool_recv_spsc(p, &closed, &buf, NULL, 0), "not open");
	shmchan_pool_get_stats(p, NULL);
	shmchan_pool_close(p);
}

/* Work queues. */

static void refuse_workq(struct shmchan_workq *q)
{
	struct shmchan_workq_item item = { .ticket = 1 };
	struct shmchan_workq_claim claim;
	struct shmchan_workq_stat stat;

	REFUSED(shmchan_workq_put(q, &word, 8, SECOND), "not open");
	REFUSED(shmchan_workq_reserve(q, &item, SECOND), "not open");
	REFUSED(shmchan_workq_commit(q, &item, 8), "not open");
	REFUSED(shmchan_workq_abort(q, &item), "not open");
	REFUSED(shmchan_workq_take(q, &item, SECOND), "not open");
	REFUSED(shmchan_workq_take_n(q, &item, 1, SECOND), "not open");
	REFUSED(shmchan_workq_take_dead(q, &item), "not open");
	REFUSED(shmchan_workq_ack(q, &item), "not open");
	REFUSED(shmchan_workq_ack_n(q, &item, 1), "not open");
	REFUSED(shmchan_workq_nack(q, &item, 0), "not open");
	REFUSED(shmchan_workq_get_stat(q, &stat), "not open");
	REFUSED(shmchan_workq_claims(q, &claim, 1), "not open");
	shmchan_workq_close(q);
}

TEST(work_queue)
{
	struct shmchan_workq_opts opts = SHMCHAN_WORKQ_OPTS(
		.create = 1, .nr_items = 4);
	static struct shmchan_workq q, none;

	refuse_workq(&none);
	refuse_workq(NULL);
	REFUSED(shmchan_workq_open(NULL, "a", &opts), "NULL");
	REFUSED(shmchan_workq_open(&q, "a", NULL), "SHMCHAN_WORKQ_OPTS");
	CHECK_EQ(shmchan_workq_open(&q, test_name("q"), &opts), 0);
	REFUSED(shmchan_workq_put(&q, NULL, 8, 0), "8 bytes at NULL");
	REFUSED(shmchan_workq_reserve(&q, NULL, 0), "NULL");
	REFUSED(shmchan_workq_commit(&q, NULL, 0), "NULL");
	REFUSED(shmchan_workq_abort(&q, NULL), "NULL");
	REFUSED(shmchan_workq_take(&q, NULL, 0), "NULL");
	REFUSED(shmchan_workq_take_n(&q, NULL, 1, 0), "NULL");
	REFUSED(shmchan_workq_take_dead(&q, NULL), "NULL");
	REFUSED(shmchan_workq_ack(&q, NULL), "NULL");
	REFUSED(shmchan_workq_ack_n(&q, NULL, 1), "NULL");
	CHECK_EQ(shmchan_workq_ack_n(&q, NULL, 0), 0);
	REFUSED(shmchan_workq_nack(&q, NULL, 0), "NULL");
	REFUSED(shmchan_workq_get_stat(&q, NULL), "NULL");
	REFUSED(shmchan_workq_claims(&q, NULL, 1), "NULL");
	CHECK_EQ(shmchan_workq_claims(&q, NULL, 0), 0);
	shmchan_workq_close(&q);
	refuse_workq(&q);
	opts.create = 0;
	CHECK_EQ(shmchan_workq_open(&q, test_name("no"), &opts), -ENOENT);
	refuse_workq(&q);
}

TEST_MAIN
