// SPDX-License-Identifier: GPL-2.0-only

/* Services: many calls of one client under way, answered in any order. */

#include "rpc_fixture.h"

#define N	100

static struct shmchan_rpc_client c;
static struct shmchan_rpc_server s;
static struct shmchan_rpc_call calls[SHMCHAN_RPC_PENDING];
static uint32_t ids[SHMCHAN_RPC_PENDING];

/* So many calls, all taken by the server. */
static void begin(const char *tag, uint32_t n)
{
	uint32_t i;

	serve(&s, tag);
	ask(&c, tag);
	for (i = 0; i < n; i++)
		ids[i] = send_one(&c, i, i);
	for (i = 0; i < n; i++) {
		CHECK_EQ(next_one(&s, &calls[i]), i);
		CHECK_EQ(calls[i].id, ids[i]);
	}
}

static void end(void)
{
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST(answered_backwards_received_forwards)
{
	uint32_t i;

	begin("backwards", N);
	for (i = N; i-- > 0;)
		reply_one(&s, &calls[i], i * 2);
	for (i = 0; i < N; i++)
		CHECK_EQ(recv_one(&c, ids[i]), i * 2);
	end();
}

TEST(answered_shuffled_received_as_they_come)
{
	struct shmchan_rpc_reply reply;
	uint64_t value;
	uint32_t i;

	begin("shuffled", N);
	for (i = 0; i < N; i++)
		reply_one(&s, &calls[i * 37 % N], i * 37 % N);
	for (i = 0; i < N; i++) {
		CHECK_EQ(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8,
					  &reply, 0), 0);
		CHECK_EQ(value, i * 37 % N);
		CHECK_EQ(reply.id, ids[value]);
	}
	CHECK_EQ(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8, &reply, 0),
		 -EINVAL);
	end();
}

TEST(any_gives_what_was_kept_first)
{
	struct shmchan_rpc_reply reply;
	uint64_t value;
	uint32_t i;

	begin("kept", 10);
	for (i = 0; i < 10; i++)
		reply_one(&s, &calls[i], i);
	CHECK_EQ(recv_one(&c, ids[5]), 5);
	CHECK_EQ(recv_one(&c, ids[2]), 2);
	for (i = 0; i < 10; i++) {
		if (i == 5 || i == 2)
			continue;
		CHECK_EQ(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8,
					  &reply, 0), 0);
		CHECK_EQ(reply.id, ids[i]);
		CHECK_EQ(value, i);
	}
	end();
}

TEST(table_of_calls_is_bounded)
{
	uint64_t value = 0;
	uint32_t id, i;

	begin("table", SHMCHAN_RPC_PENDING);
	CHECK_EQ(shmchan_rpc_pending(&c), SHMCHAN_RPC_PENDING);
	CHECK_EQ(shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id, -1),
		 -ENOBUFS);
	CHECK_SAYS(shmchan_error_detail(), "256 calls");
	/* One place, and a number that is none of the others'. */
	reply_one(&s, &calls[100], 7);
	CHECK_EQ(recv_one(&c, ids[100]), 7);
	ids[100] = send_one(&c, 1, 8);
	for (i = 0; i < SHMCHAN_RPC_PENDING; i++)
		CHECK(i == 100 || ids[i] != ids[100]);
	CHECK_EQ(next_one(&s, &calls[100]), 8);
	for (i = 0; i < SHMCHAN_RPC_PENDING; i++)
		reply_one(&s, &calls[i], i);
	for (i = SHMCHAN_RPC_PENDING; i-- > 0;)
		CHECK_EQ(recv_one(&c, ids[i]), i);
	end();
}

/* What is kept has an end, which is told and can be got over. */
TEST(place_for_what_is_out_of_turn_is_bounded)
{
	static char big[900];
	struct shmchan_rpc_reply reply;
	uint32_t i, n = 0;
	int err;

	serve_with(&s, "bounded", SHMCHAN_RPC_OPTS(.request_capacity = 4096,
						   .reply_capacity = 4096));
	ask(&c, "bounded");
	for (i = 0; i < 20; i++) {
		ids[i] = send_one(&c, 0, i);
		CHECK_EQ(next_one(&s, &calls[i]), i);
	}
	for (i = 1; i < 20; i++) {
		do {
			err = shmchan_rpc_reply(&s, &calls[i], 0, big,
						sizeof(big), 0);
			if (err != -EAGAIN)
				break;
			err = shmchan_rpc_recv(&c, ids[0], big, sizeof(big),
					       &reply, 0);
		} while (err == -EAGAIN);
		if (err == -ENOBUFS)
			break;
		CHECK_EQ(err, 0);
	}
	CHECK_EQ(err, -ENOBUFS);
	CHECK_SAYS(shmchan_error_detail(), "receive those first");
	while (!shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, big, sizeof(big), &reply,
				 0)) {
		CHECK_NE(reply.id, ids[0]);
		n++;
	}
	CHECK_EQ(n, i - 1);
	CHECK_EQ(shmchan_rpc_reply(&s, &calls[0], 0, big, 8, 0), 0);
	CHECK_EQ(shmchan_rpc_recv(&c, ids[0], big, sizeof(big), &reply, 0), 0);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

/*
 * The lanes of both directions full, server and client both wanting to send: the
 * client takes what comes while it waits, so both get on.
 */
TEST_LIMIT(full_lanes_do_not_lock_each_other, 60)
{
	const uint32_t total = HARNESS_ROUNDS(20000);
	struct shmchan_rpc_reply reply;
	static uint64_t big[100];
	uint32_t sent = 0, got = 0, id;
	pid_t pid;
	int err;

	(void)test_name("full");
	pid = child_fork();
	if (!pid) {
		struct shmchan_rpc_call call;
		static uint64_t buf[100];

		serve_with(&s, "full",
			   SHMCHAN_RPC_OPTS(.request_capacity = 4096,
					    .reply_capacity = 4096));
		while (!(err = shmchan_rpc_next(&s, &call, buf, sizeof(buf),
						-1)))
			CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, buf,
						   call.length, -1), 0);
		CHECK_EQ(err, -EPIPE);
		shmchan_rpc_server_close(&s);
		child_done();
	}
	ask_with(&c, "full", SHMCHAN_RPC_OPTS(.request_capacity = 4096,
					      .reply_capacity = 4096));
	while (got < total) {
		err = -ENOBUFS;
		if (sent < total) {
			big[0] = sent;
			err = shmchan_rpc_send(&c, 1, big, sizeof(big),
					       SHMCHAN_FOREVER, &id, -1);
		}
		if (!err) {
			sent++;
			continue;
		}
		CHECK_EQ(err, -ENOBUFS);
		CHECK_EQ(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, big, sizeof(big),
					  &reply, -1), 0);
		CHECK_EQ(big[0], got);
		got++;
	}
	shmchan_rpc_client_close(&c);
	CHECK_CHILD_OK(pid);
}

TEST_LIMIT(pipelined_between_two_processes, 60)
{
	const uint64_t total = HARNESS_ROUNDS(100000);
	struct shmchan_rpc_reply reply;
	uint64_t sent = 0, got = 0, value, sum = 0;
	pid_t pid;

	pid = start_server("two", total);
	ask(&c, "two");
	while (got < total) {
		while (sent < total && shmchan_rpc_pending(&c) < 64)
			send_one(&c, 1, sent++);
		CHECK_EQ(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8,
					  &reply, -1), 0);
		sum += value;
		got++;
	}
	CHECK_EQ(sum, total * (total + 1) / 2);
	shmchan_rpc_client_close(&c);
	CHECK_CHILD_OK(pid);
}

/* One reply that is not fetched for long takes its own place and no more. */
TEST(kept_for_long)
{
	const struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
		.reply_capacity = 4096);
	struct shmchan_rpc_client c;
	struct shmchan_rpc_server s;
	struct shmchan_rpc_call call;
	uint32_t first, ids[2];
	uint64_t value, n;
	int i;

	serve_with(&s, "long", opts);
	ask_with(&c, "long", opts);
	first = send_one(&c, 1, 77);
	value = next_one(&s, &call);
	reply_one(&s, &call, value);
	for (n = 0; n < 500; n++) {
		for (i = 0; i < 2; i++) {
			ids[i] = send_one(&c, 1, 2 * n + (uint64_t)i);
			value = next_one(&s, &call);
			reply_one(&s, &call, value);
		}
		/* The later one first: so the other is kept. */
		for (i = 1; i >= 0; i--) {
			CHECK_EQ(shmchan_rpc_recv(&c, ids[i], &value, 8, NULL,
						  TOLD_NS), 0);
			CHECK_EQ(value, 2 * n + (uint64_t)i);
		}
	}
	CHECK_EQ(shmchan_rpc_recv(&c, first, &value, 8, NULL, 0), 0);
	CHECK_EQ(value, 77);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST_MAIN
