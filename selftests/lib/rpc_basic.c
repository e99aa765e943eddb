// SPDX-License-Identifier: GPL-2.0-only

/* Services: a call and its reply, in one process and in two. */

#include "rpc_fixture.h"

TEST(one_call_step_by_step)
{
	struct shmchan_rpc_client c;
	struct shmchan_rpc_server s;
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	char buf[64];
	uint32_t id;

	serve(&s, "one");
	ask(&c, "one");
	CHECK_EQ(shmchan_rpc_next(&s, &call, buf, sizeof(buf), 0), -EAGAIN);
	CHECK_EQ(shmchan_rpc_send(&c, 7, "hello", 5, SHMCHAN_FOREVER, &id, 0),
		 0);
	CHECK_EQ(shmchan_rpc_pending(&c), 1);
	CHECK_EQ(shmchan_rpc_recv(&c, id, buf, sizeof(buf), &reply, 0),
		 -EAGAIN);
	CHECK_EQ(shmchan_rpc_next(&s, &call, buf, sizeof(buf), 0), 0);
	CHECK_EQ(call.client, 1);
	CHECK_EQ(call.generation, c.region->generation);
	CHECK_EQ(call.id, id);
	CHECK_EQ(call.method, 7);
	CHECK_EQ(call.length, 5);
	CHECK_EQ(call.deadline, SHMCHAN_FOREVER);
	CHECK(call.data == buf && !memcmp(buf, "hello", 5));
	CHECK(!shmchan_rpc_cancelled(&s, &call));
	CHECK_EQ(shmchan_rpc_reply(&s, &call, -42, "world!", 6, 0), 0);
	CHECK_EQ(shmchan_rpc_recv(&c, id, buf, sizeof(buf), &reply, 0), 0);
	CHECK_EQ(reply.id, id);
	CHECK_EQ(reply.status, -42);
	CHECK_EQ(reply.length, 6);
	CHECK_EQ(reply.more, 0);
	CHECK(!memcmp(buf, "world!", 6));
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	shmchan_rpc_client_close(&c);
	CHECK_EQ(next_end(&s, &call), -EPIPE);
	CHECK_EQ(call.client, 1);
	CHECK_EQ(shmchan_rpc_next(&s, &call, buf, sizeof(buf), 0), -EAGAIN);
	shmchan_rpc_server_close(&s);
}

TEST(request_in_place)
{
	struct shmchan_rpc_client c;
	struct shmchan_rpc_server s;
	struct shmchan_rpc_call call;
	uint32_t ids[2000], i;
	uint64_t value;

	serve(&s, "place");
	ask(&c, "place");
	/* Several laps, so that the place is given back. */
	for (i = 0; i < 2000; i++) {
		ids[i] = send_one(&c, i, i * 3);
		CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), 0);
		CHECK(call.data != NULL);
		CHECK_EQ((uintptr_t)call.data % 8, 0);
		CHECK_EQ(call.length, 8);
		memcpy(&value, call.data, 8);
		CHECK_EQ(value, i * 3);
		reply_one(&s, &call, value);
		CHECK_EQ(recv_one(&c, ids[i]), i * 3);
	}
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST(empty_and_largest)
{
	struct shmchan_rpc_client c;
	struct shmchan_rpc_server s;
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	static char big[8192], got[8192];
	size_t request, answer, i;
	uint32_t id;
	int round;

	serve_with(&s, "big", SHMCHAN_RPC_OPTS(.nr_clients = 1,
					       .request_capacity = 16384,
					       .reply_capacity = 32768));
	ask(&c, "big");
	request = shmchan_rpc_max_request(c.region);
	answer = shmchan_rpc_max_reply(s.region);
	CHECK_EQ(request, 16384 / 4 - 32);
	CHECK_EQ(answer, 32768 / 4 - 24);
	for (i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7);
	for (round = 0; round < 50; round++) {
		CHECK_EQ(shmchan_rpc_send(&c, 1, big, request, SHMCHAN_FOREVER,
					  &id, 0), 0);
		memset(got, 0, sizeof(got));
		CHECK_EQ(shmchan_rpc_next(&s, &call, got, sizeof(got), 0), 0);
		CHECK_EQ(call.length, request);
		CHECK(!memcmp(got, big, request));
		CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, big, answer, 0), 0);
		CHECK_EQ(shmchan_rpc_recv(&c, id, got, sizeof(got), &reply, 0),
			 0);
		CHECK_EQ(reply.length, answer);
		CHECK(!memcmp(got, big, answer));
	}
	CHECK_EQ(shmchan_rpc_send(&c, 1, NULL, 0, SHMCHAN_FOREVER, &id, 0), 0);
	CHECK_EQ(shmchan_rpc_next(&s, &call, got, 0, 0), 0);
	CHECK_EQ(call.length, 0);
	CHECK_EQ(shmchan_rpc_reply(&s, &call, 5, NULL, 0, 0), 0);
	CHECK_EQ(shmchan_rpc_recv(&c, id, NULL, 0, &reply, 0), 0);
	CHECK_EQ(reply.status, 5);
	CHECK_EQ(reply.length, 0);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

static void calls(int64_t spin_ns, uint32_t join_flags, uint64_t n)
{
	const struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
		.join_flags = join_flags, .spin_ns = spin_ns);
	struct shmchan_rpc_client_stats stats;
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_client c;
	uint64_t i, got;
	pid_t pid;

	pid = start_server_with("calls", n, opts);
	ask_with(&c, "calls", opts);
	for (i = 0; i < n; i++) {
		CHECK_EQ(shmchan_rpc_call(&c, 1, &i, 8, &got, 8, &reply,
					  i & 1 ? -1 : 20000 * MS), 0);
		CHECK_EQ(got, i + 1);
	}
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	shmchan_rpc_client_get_stats(&c, &stats);
	CHECK_EQ(stats.calls, n);
	CHECK_EQ(stats.replies, n);
	CHECK_EQ(stats.cancelled + stats.late + stats.lost, 0);
	note("%llu calls: slept %llu times, rang %llu times",
	     (unsigned long long)n, (unsigned long long)stats.waits,
	     (unsigned long long)stats.rings);
	shmchan_rpc_client_close(&c);
	CHECK_CHILD_OK(pid);
}

TEST_LIMIT(calls_between_two_processes, 60)
{
	calls(0, 0, HARNESS_ROUNDS(30000));
}

TEST_LIMIT(calls_asleep, 60)
{
	calls(-1, 0, HARNESS_ROUNDS(10000));
}

/* No fence in either's publications: who sleeps has it passed through. */
TEST_LIMIT(calls_without_a_fence, 60)
{
	calls(-1, SHMCHAN_JOIN_ASYM, HARNESS_ROUNDS(5000));
	calls(0, SHMCHAN_JOIN_ASYM, HARNESS_ROUNDS(5000));
}

TEST(client_comes_first_and_waits_for_a_server)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_client c;
	uint64_t value = 5, got = 0;
	uint32_t id;
	pid_t pid;

	ask(&c, "first");
	CHECK_EQ(shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id, 0),
		 -EAGAIN);
	CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &got, 8, &reply, 30 * MS),
		 -ETIMEDOUT);
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	pid = start_server("first", 1);
	CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &got, 8, &reply, -1), 0);
	CHECK_EQ(got, 6);
	shmchan_rpc_client_close(&c);
	CHECK_CHILD_OK(pid);
}

TEST(no_server_told_at_once_if_asked_for)
{
	struct shmchan_rpc_client c;
	struct shmchan_rpc_server s;
	uint64_t value = 5;
	uint32_t id;
	pid_t pid;

	ask_with(&c, "fast", SHMCHAN_RPC_OPTS(.fail_fast = 1));
	CHECK_EQ(shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id, -1),
		 -EAGAIN);
	CHECK_SAYS(shmchan_error_detail(), "no server yet");
	serve(&s, "fast");
	id = send_one(&c, 1, 1);
	shmchan_rpc_server_close(&s);
	CHECK_EQ(shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id, -1),
		 -EPIPE);
	CHECK_SAYS(shmchan_error_detail(), "closed");
	pid = start_server("fast", 0);
	while (shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id, -1))
		sleep_ms(1);
	child_kill(pid);
	while (!shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id, -1)) {
		CHECK_EQ(shmchan_rpc_cancel(&c, id), 0);
		shmchan_region_poll_members(c.region);
		sleep_ms(5);
	}
	CHECK_EQ(shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id, -1),
		 -EOWNERDEAD);
	CHECK_SAYS(shmchan_error_detail(), "died");
	shmchan_rpc_client_close(&c);
}

TEST(seat_is_used_again)
{
	struct shmchan_rpc_client c;
	struct shmchan_rpc_server s;
	struct shmchan_rpc_call call;
	int i, n;

	serve(&s, "again");
	for (i = 0; i < 20; i++) {
		ask(&c, "again");
		for (n = 0; n <= i; n++) {
			send_one(&c, 1, (uint64_t)n);
			CHECK_EQ(next_one(&s, &call), n);
			reply_one(&s, &call, (uint64_t)n);
			/* The last holder's replies are not for the next. */
			if (n < i)
				CHECK_EQ(recv_one(&c, call.id), n);
		}
		send_one(&c, 1, 0);
		shmchan_rpc_client_close(&c);
		CHECK_EQ(next_end(&s, &call), -EPIPE);
		CHECK_EQ(call.client, 1);
	}
	shmchan_rpc_server_close(&s);
}

TEST_MAIN
