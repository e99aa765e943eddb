// SPDX-License-Identifier: GPL-2.0-only

/* Services: calls with several replies. */

#include "rpc_fixture.h"

static struct shmchan_rpc_client c;
static struct shmchan_rpc_server s;

TEST(parts_then_the_last)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	uint64_t i, value;
	uint32_t id;

	serve(&s, "parts");
	ask(&c, "parts");
	id = send_one(&c, 1, 10);
	CHECK_EQ(next_one(&s, &call), 10);
	for (i = 0; i < 9; i++)
		CHECK_EQ(shmchan_rpc_reply_part(&s, &call, (int32_t)i, &i, 8,
						0), 0);
	CHECK_EQ(shmchan_rpc_reply(&s, &call, 9, &i, 8, 0), 0);
	for (i = 0; i < 10; i++) {
		CHECK_EQ(shmchan_rpc_recv(&c, id, &value, 8, &reply, 0), 0);
		CHECK_EQ(value, i);
		CHECK_EQ(reply.status, i);
		CHECK_EQ(reply.more, i < 9);
	}
	CHECK_EQ(shmchan_rpc_recv(&c, id, &value, 8, &reply, 0), -EINVAL);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST(two_streams_and_a_call_between)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call a, b, one;
	uint32_t ids[3];
	uint64_t i, value;

	serve(&s, "two");
	ask(&c, "two");
	for (i = 0; i < 3; i++)
		ids[i] = send_one(&c, 1, i);
	next_one(&s, &a);
	next_one(&s, &one);
	next_one(&s, &b);
	for (i = 0; i < 50; i++) {
		value = i;
		CHECK_EQ(shmchan_rpc_reply_part(&s, &a, 0, &value, 8, 0), 0);
		value = 1000 + i;
		CHECK_EQ(shmchan_rpc_reply_part(&s, &b, 0, &value, 8, 0), 0);
		if (i == 25)
			reply_one(&s, &one, 5555);
	}
	reply_one(&s, &b, 1050);
	reply_one(&s, &a, 50);
	/* Each in its order, whichever is asked for first. */
	CHECK_EQ(recv_one(&c, ids[1]), 5555);
	for (i = 0; i <= 50; i++) {
		CHECK_EQ(shmchan_rpc_recv(&c, ids[2], &value, 8, &reply, 0), 0);
		CHECK_EQ(value, 1000 + i);
		CHECK_EQ(reply.more, i < 50);
	}
	for (i = 0; i <= 50; i++) {
		CHECK_EQ(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8,
					  &reply, 0), 0);
		CHECK_EQ(reply.id, ids[0]);
		CHECK_EQ(value, i);
	}
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

/* A call of one reply, to a server that streams: the rest is dropped. */
TEST(call_takes_the_first_and_no_more)
{
	struct shmchan_rpc_reply reply;
	uint64_t value = 3;
	pid_t pid;

	(void)test_name("first");
	pid = child_fork();
	if (!pid) {
		struct shmchan_rpc_call call;
		int err;

		serve(&s, "first");
		value = next_one(&s, &call);
		do
			err = shmchan_rpc_reply_part(&s, &call, 0, &value, 8,
						     -1);
		while (!err);
		CHECK_EQ(err, -ECANCELED);
		value = next_one(&s, &call);
		reply_one(&s, &call, value + 1);
		shmchan_rpc_server_close(&s);
		child_done();
	}
	ask(&c, "first");
	CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &value, 8, &reply, -1), 0);
	CHECK_EQ(reply.more, 1);
	CHECK_EQ(value, 3);
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &value, 8, &reply, -1), 0);
	CHECK_EQ(reply.more, 0);
	CHECK_EQ(value, 4);
	shmchan_rpc_client_close(&c);
	CHECK_CHILD_OK(pid);
}

TEST_LIMIT(long_stream_between_two_processes, 60)
{
	const uint64_t total = HARNESS_ROUNDS(100000);
	struct shmchan_rpc_reply reply;
	uint64_t i, value;
	uint32_t id;
	pid_t pid;

	(void)test_name("long");
	pid = child_fork();
	if (!pid) {
		struct shmchan_rpc_call call;

		serve(&s, "long");
		next_one(&s, &call);
		for (i = 0; i < total; i++)
			CHECK_EQ(shmchan_rpc_reply_part(&s, &call, 0, &i, 8,
							-1), 0);
		CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, NULL, 0, -1), 0);
		CHECK_EQ(next_end(&s, &call), -EPIPE);
		shmchan_rpc_server_close(&s);
		child_done();
	}
	ask(&c, "long");
	id = send_one(&c, 1, 0);
	for (i = 0; i < total; i++) {
		CHECK_EQ(shmchan_rpc_recv(&c, id, &value, 8, &reply, -1), 0);
		CHECK_EQ(value, i);
		CHECK(reply.more);
	}
	CHECK_EQ(shmchan_rpc_recv(&c, id, &value, 8, &reply, -1), 0);
	CHECK(!reply.more);
	CHECK_EQ(reply.length, 0);
	shmchan_rpc_client_close(&c);
	CHECK_CHILD_OK(pid);
}

TEST_MAIN
