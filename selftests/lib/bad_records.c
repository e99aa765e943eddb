// SPDX-License-Identifier: GPL-2.0-only

/*
 * Records that are larger than there is room for, on either side, and records of
 * nothing: the same of all that carries them.
 */

#include <sys/uio.h>

#include <shmchan/shmchan.h>

#include "harness.h"

/* Of a lane of 4 KiB: a quarter, less 8. */
#define MOST	1016

static uint8_t big[8192], got[8192];
static size_t length;
static uint32_t meta;

static void refused(int err, int want, const char *says, const char *says2)
{
	CHECK_EQ(err, -want);
	CHECK_SAYS(shmchan_error_detail(), says);
	CHECK_SAYS(shmchan_error_detail(), says2);
}

static struct iovec pieces[3] = {
	{ big, 1000 }, { big, 0 }, { big + 1000, 17 },
};

TEST(channel_of_one)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1, .capacity = 4096);
	const struct iovec huge[2] = {
		{ big, SIZE_MAX - 8 }, { big, 64 },
	};
	struct shmchan_reservation rsv;
	struct shmchan_spsc tx, rx;

	CHECK_EQ(shmchan_spsc_open(&tx, test_name("one"), &opts), 0);
	opts.role = SHMCHAN_RECEIVER;
	CHECK_EQ(shmchan_spsc_open(&rx, test_name("one"), &opts), 0);
	length = MOST + 1;
	refused(shmchan_spsc_send(&tx, big, length, 0, 0, -1), EMSGSIZE,
		"1017 bytes", "1016");
	refused(shmchan_spsc_send(&tx, big, SIZE_MAX, 0, 0, -1), EMSGSIZE,
		"bytes", "1016");
	refused(shmchan_spsc_reserve(&tx, length, &rsv, -1), EMSGSIZE,
		"1017 bytes", "1016");
	CHECK(!rsv.data);
	refused(shmchan_spsc_send_n(&tx, big, length, 2, 0, -1), EMSGSIZE,
		"1017 bytes", "1016");
	refused(shmchan_spsc_sendv(&tx, pieces, 3, 0, 0, -1), EMSGSIZE,
		"1017 bytes", "1016");
	refused(shmchan_spsc_sendv(&tx, huge, 2, 0, 0, -1), EINVAL,
		"overflow", "");
	refused(shmchan_spsc_sendv(&tx, pieces, -1, 0, 0, -1), EINVAL,
		"-1 pieces", "");
	/* All of that has sent nothing. */
	CHECK_EQ(shmchan_spsc_recv(&rx, got, sizeof(got), NULL, NULL, 0),
		 -EAGAIN);
	big[MOST - 1] = 3;
	CHECK_EQ(shmchan_spsc_send(&tx, big, MOST, 5, 0, 0), 0);
	length = 0;
	refused(shmchan_spsc_recv(&rx, got, MOST - 1, &length, NULL, -1),
		EMSGSIZE, "1016 bytes", "1015");
	CHECK_EQ(length, MOST);
	refused(shmchan_spsc_recv(&rx, got, 8, &length, NULL, -1), EMSGSIZE,
		"1016 bytes", "8");
	CHECK_EQ(length, MOST);
	refused(shmchan_spsc_recv_n(&rx, got, 8, 4, NULL, -1), EMSGSIZE,
		"8 bytes", "");
	CHECK_EQ(shmchan_spsc_recv(&rx, got, MOST, &length, &meta, 0), 0);
	CHECK_EQ(length, MOST);
	CHECK_EQ(meta, 5);
	CHECK_EQ(got[MOST - 1], 3);
	/* Nothing is a record. */
	CHECK_EQ(shmchan_spsc_send(&tx, NULL, 0, 6, 0, 0), 0);
	CHECK_EQ(shmchan_spsc_sendv(&tx, NULL, 0, 7, 0, 0), 0);
	CHECK_EQ(shmchan_spsc_reserve(&tx, 0, &rsv, 0), 0);
	refused(shmchan_spsc_commit(&tx, &rsv, 1, 8, 0), EINVAL,
		"1 bytes", "where 0 were reserved");
	CHECK_EQ(shmchan_spsc_commit(&tx, &rsv, 0, 8, 0), 0);
	CHECK_EQ(shmchan_spsc_send_n(&tx, big, 0, 3, 9, 0), 3);
	for (meta = 0; meta < 9;) {
		uint32_t before = meta;

		length = 1;
		CHECK_EQ(shmchan_spsc_recv(&rx, got, 0, &length, &meta, 0), 0);
		CHECK_EQ(length, 0);
		CHECK_EQ(meta, before ? before + 1 : 6);
	}
	CHECK_EQ(shmchan_spsc_recv_n(&rx, got, 0, 8, &meta, 0), 2);
	CHECK_EQ(meta, 9);
	CHECK_EQ(shmchan_spsc_recv_n(&rx, got, 8, 0, &meta, -1), 0);
	CHECK_EQ(shmchan_spsc_send_n(&tx, big, 8, 0, 9, -1), 0);
	CHECK_EQ(shmchan_spsc_recv(&rx, got, 8, NULL, NULL, 0), -EAGAIN);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
}

TEST(channel_of_many)
{
	struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(
		.create = 1, .capacity = 4096);
	const struct iovec huge[2] = {
		{ big, SIZE_MAX - 8 }, { big, 64 },
	};
	struct shmchan_view view, copy;
	struct shmchan_reservation rsv;
	struct shmchan_receiver rx, ry;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	uint32_t i;

	opts.nr_receivers = 2;
	CHECK_EQ(shmchan_sender_open(&tx, test_name("many"), &opts), 0);
	CHECK_EQ(shmchan_receiver_open(&rx, test_name("many"), &opts), 0);
	CHECK_EQ(shmchan_receiver_open(&ry, test_name("many"), &opts), 0);
	length = MOST + 1;
	refused(shmchan_send(&tx, big, length, 0, 0, -1), EMSGSIZE,
		"1017 bytes", "1016");
	refused(shmchan_reserve(&tx, length, &rsv, -1), EMSGSIZE,
		"1017 bytes", "1016");
	refused(shmchan_send_n(&tx, big, length, 2, 0, -1), EMSGSIZE,
		"1017 bytes", "1016");
	refused(shmchan_sendv(&tx, pieces, 3, 0, 0, -1), EMSGSIZE,
		"1017 bytes", "1016");
	refused(shmchan_sendv(&tx, huge, 2, 0, 0, -1), EINVAL, "overflow", "");
	refused(shmchan_sendv(&tx, pieces, -1, 0, 0, -1), EINVAL, "-1 pieces",
		"");
	refused(shmchan_recvv(&rx, pieces, -1, &msg, 0), EINVAL, "-1 pieces",
		"");
	CHECK_EQ(shmchan_recv(&rx, got, sizeof(got), &msg, 0), -EAGAIN);
	CHECK_EQ(shmchan_send(&tx, big, MOST, 5, 0, 0), 0);
	refused(shmchan_recv(&rx, got, MOST - 1, &msg, -1), EMSGSIZE,
		"sender 0", "another size");
	CHECK_EQ(msg.length, MOST);
	CHECK_EQ(msg.slot, 0);
	refused(shmchan_recv_n(&rx, got, 8, 4, &msg, -1), EMSGSIZE,
		"sender 0", "another size");
	CHECK_EQ(shmchan_recv(&rx, got, MOST, &msg, 0), 0);
	CHECK_EQ(msg.length, MOST);
	CHECK_EQ(shmchan_send(&tx, NULL, 0, 6, 0, 0), 0);
	CHECK_EQ(shmchan_reserve(&tx, 0, &rsv, 0), 0);
	refused(shmchan_commit(&tx, &rsv, 1, 8, 0), EINVAL, "1 bytes",
		"where 0 were reserved");
	CHECK_EQ(shmchan_commit(&tx, &rsv, 0, 7, 0), 0);
	CHECK_EQ(shmchan_send_n(&tx, big, 0, 2, 8, 0), 2);
	for (i = 6; i < 8; i++) {
		CHECK_EQ(shmchan_recv(&rx, got, 0, &msg, 0), 0);
		CHECK_EQ(msg.length, 0);
		CHECK_EQ(msg.meta, i);
	}
	CHECK_EQ(shmchan_recv_n(&rx, got, 0, 8, &msg, 0), 2);
	CHECK_EQ(shmchan_recv_n(&rx, got, 8, 0, &msg, -1), 0);
	/* Held: given back once, and by whom it is. */
	CHECK_EQ(shmchan_peek(&ry, &view, 0), 0);
	CHECK_EQ(view.msg.length, MOST);
	copy = view;
	refused(shmchan_release(&rx, &view), EINVAL, "another receiver", "");
	CHECK_EQ(shmchan_release(&ry, &view), 0);
	refused(shmchan_release(&ry, &copy), EINVAL, "released already", "");
	refused(shmchan_recv(&rx, got, 8, &msg, 0), EAGAIN, "nothing", "");
	refused(shmchan_recv(&rx, got, 8, &msg, 1000000), ETIMEDOUT, "nothing",
		"");
	shmchan_sender_close(&tx);
	refused(shmchan_recv(&rx, got, 8, &msg, 0), EPIPE,
		"sender 0 of test.", "closed");
	shmchan_receiver_close(&rx);
	shmchan_receiver_close(&ry);
}

TEST(service)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
		.create = 1, .request_capacity = 4096, .reply_capacity = 4096);
	static struct shmchan_rpc_client c, c2;
	static struct shmchan_rpc_server s;
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	size_t most;
	uint32_t id;

	CHECK_EQ(shmchan_rpc_server_open(&s, test_name("s"), &opts), 0);
	CHECK_EQ(shmchan_rpc_client_open(&c, test_name("s"), &opts), 0);
	CHECK_EQ(shmchan_rpc_client_open(&c2, test_name("s"), &opts), 0);
	most = shmchan_rpc_max_request(c.region);
	CHECK_EQ(most, MOST - 24);
	refused(shmchan_rpc_send(&c, 1, big, most + 1, SHMCHAN_FOREVER, &id,
				 -1), EMSGSIZE, "993 bytes", "992");
	CHECK_EQ(id, 0);
	refused(shmchan_rpc_call(&c, 1, big, most + 1, got, 8, &reply, -1),
		EMSGSIZE, "993 bytes", "992");
	CHECK_EQ(reply.length, 0);
	CHECK_EQ(shmchan_rpc_send(&c, 1, big, most, SHMCHAN_FOREVER, &id, 0),
		 0);
	refused(shmchan_rpc_next(&s, &call, got, most - 1, -1), EMSGSIZE,
		"992 bytes", "991");
	CHECK_EQ(call.length, most);
	CHECK_EQ(shmchan_rpc_next(&s, &call, got, most, -1), 0);
	most = shmchan_rpc_max_reply(s.region);
	CHECK_EQ(most, MOST - 16);
	refused(shmchan_rpc_reply(&s, &call, 0, big, most + 1, -1), EMSGSIZE,
		"1001 bytes", "1000");
	refused(shmchan_rpc_reply_part(&s, &call, 0, big, most + 1, -1),
		EMSGSIZE, "1001 bytes", "1000");
	CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, big, most, 0), 0);
	/* Once. */
	refused(shmchan_rpc_reply(&s, &call, 0, big, 8, 0), EINVAL,
		"answered before", "");
	refused(shmchan_rpc_recv(&c, id, got, 8, &reply, -1), EMSGSIZE,
		"1000 bytes", "8");
	CHECK_EQ(reply.length, most);
	/* Another's call, and one that is over. */
	refused(shmchan_rpc_recv(&c2, id, got, 8, &reply, -1), EINVAL,
		"not under way", "");
	refused(shmchan_rpc_cancel(&c2, id), EINVAL, "not under way", "");
	CHECK_EQ(shmchan_rpc_recv(&c, id, got, most, &reply, 0), 0);
	refused(shmchan_rpc_recv(&c, id, got, most, &reply, 0), EINVAL,
		"not under way", "");
	refused(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, got, 8, &reply, -1),
		EINVAL, "nothing to receive", "");
	refused(shmchan_rpc_call(&c, 1, big, 8, got, 8, &reply, 0), EINVAL,
		"timeout of 0", "");
	/* Nothing asked, nothing answered. */
	refused(shmchan_rpc_next(&s, &call, got, 8, 0), EAGAIN,
		"none of 2 clients", "");
	CHECK_EQ(shmchan_rpc_send(&c, 2, NULL, 0, SHMCHAN_FOREVER, &id, 0), 0);
	refused(shmchan_rpc_recv(&c, id, got, 8, &reply, 0), EAGAIN,
		"1 calls are under way", "");
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), 0);
	CHECK_EQ(call.length, 0);
	CHECK_EQ(call.method, 2);
	CHECK_EQ(shmchan_rpc_reply(&s, &call, 4, NULL, 0, 0), 0);
	CHECK_EQ(shmchan_rpc_recv(&c, id, NULL, 0, &reply, 0), 0);
	CHECK_EQ(reply.length, 0);
	CHECK_EQ(reply.status, 4);
	shmchan_rpc_client_close(&c2);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST(pool_and_work_queue)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_OWNER, .create = 1,
		.classes = {{ 64, 1 }});
	struct shmchan_workq_opts qopts = SHMCHAN_WORKQ_OPTS(
		.create = 1, .nr_items = 2, .item_size = 64);
	struct shmchan_workq_item item;
	struct shmchan_pool_buf buf;
	struct shmchan_workq q;
	struct shmchan_pool *p;

	CHECK_EQ(shmchan_pool_open(&p, test_name("pool"), &opts), 0);
	refused(shmchan_pool_alloc(p, 65, &buf, -1), EMSGSIZE, "65 bytes",
		"64");
	CHECK_EQ(shmchan_pool_alloc(p, 0, &buf, 0), 0);
	CHECK_EQ(buf.length, 0);
	refused(shmchan_pool_alloc(p, 64, &buf, 0), EAGAIN, "64 bytes",
		"in use");
	refused(shmchan_pool_alloc(p, 64, &buf, 1000000), ETIMEDOUT, "64 bytes",
		"in time");
	shmchan_pool_close(p);

	CHECK_EQ(shmchan_workq_open(&q, test_name("q"), &qopts), 0);
	refused(shmchan_workq_put(&q, big, 65, -1), EMSGSIZE, "65 bytes", "64");
	CHECK_EQ(shmchan_workq_reserve(&q, &item, 0), 0);
	refused(shmchan_workq_commit(&q, &item, 65), EMSGSIZE, "65 bytes",
		"64");
	CHECK_EQ(shmchan_workq_commit(&q, &item, 0), 0);
	refused(shmchan_workq_commit(&q, &item, 0), ESTALE, "already", "");
	CHECK_EQ(shmchan_workq_put(&q, NULL, 0, 0), 0);
	refused(shmchan_workq_put(&q, big, 8, 0), EAGAIN, "2 items", "full");
	refused(shmchan_workq_put(&q, big, 8, 1000000), ETIMEDOUT, "2 items",
		"full");
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	CHECK_EQ(item.length, 0);
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	refused(shmchan_workq_ack(&q, &item), ESTALE, "already", "");
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	refused(shmchan_workq_take(&q, &item, 0), EAGAIN, "none of 2 items",
		"");
	refused(shmchan_workq_take(&q, &item, 1000000), ETIMEDOUT,
		"none of the 2 items", "");
	refused(shmchan_workq_take_dead(&q, &item), EAGAIN, "no dead letter",
		"");
	refused(shmchan_workq_take_n(&q, &item, 0, 0), EINVAL, "0 items", "");
	shmchan_workq_close(&q);
}

TEST_MAIN
