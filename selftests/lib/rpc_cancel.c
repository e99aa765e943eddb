// SPDX-License-Identifier: GPL-2.0-only

/* Services: calls that are taken back, and deadlines. */

#include "rpc_fixture.h"

/* The doorbell that a server sleeps on. */
#define SERVERS_BELL	1

static struct shmchan_rpc_client c;
static struct shmchan_rpc_server s;

static void begin(const char *tag)
{
	serve(&s, tag);
	ask(&c, tag);
}

static void end(void)
{
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST(taken_back_before_it_was_taken)
{
	struct shmchan_rpc_server_stats stats;
	struct shmchan_rpc_call call;
	uint32_t a, b;

	begin("before");
	a = send_one(&c, 1, 1);
	b = send_one(&c, 1, 2);
	CHECK_EQ(shmchan_rpc_cancel(&c, a), 0);
	/* The server never sees it. */
	CHECK_EQ(next_one(&s, &call), 2);
	CHECK_EQ(call.id, b);
	shmchan_rpc_server_get_stats(&s, &stats);
	CHECK_EQ(stats.skipped, 1);
	CHECK_EQ(shmchan_rpc_cancel(&c, a), -EINVAL);
	reply_one(&s, &call, 3);
	CHECK_EQ(recv_one(&c, b), 3);
	CHECK_EQ(shmchan_rpc_cancel(&c, b), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "not under way");
	end();
}

TEST(taken_back_while_it_is_executed)
{
	struct shmchan_rpc_call call;
	uint64_t value = 0;
	uint32_t id;

	begin("while");
	id = send_one(&c, 1, 1);
	CHECK_EQ(next_one(&s, &call), 1);
	CHECK(!shmchan_rpc_cancelled(&s, &call));
	CHECK_EQ(shmchan_rpc_cancel(&c, id), 0);
	CHECK(shmchan_rpc_cancelled(&s, &call));
	CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, &value, 8, 0), -ECANCELED);
	CHECK_SAYS(shmchan_error_detail(), "taken call");
	/* That was its end. */
	CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, &value, 8, 0), -EINVAL);
	end();
}

/* A server that sleeps until there is room for its reply. */
static void answer_without_end(int *full)
{
	struct shmchan_rpc_call call;
	static char big[900];
	int err = 0;

	serve_with(&s, "room", SHMCHAN_RPC_OPTS(.reply_capacity = 4096));
	CHECK_EQ(next_one(&s, &call), 1);
	while (!err)
		err = shmchan_rpc_reply_part(&s, &call, 0, big, sizeof(big), 0);
	CHECK_EQ(err, -EAGAIN);
	__atomic_store_n(full, 1, __ATOMIC_RELEASE);
	CHECK_EQ(shmchan_rpc_reply_part(&s, &call, 0, big, sizeof(big), -1),
		 -ECANCELED);
	/* All others are served again. */
	CHECK_EQ(next_one(&s, &call), 2);
	shmchan_rpc_server_close(&s);
}

TEST(taken_back_while_its_reply_waits_for_room)
{
	int *full = shared_alloc(sizeof(*full));
	uint32_t a, b;
	pid_t pid;

	/* Ours, whoever of the two is first. */
	test_name("room");
	pid = child_fork();
	if (!pid) {
		answer_without_end(full);
		child_done();
	}
	ask_with(&c, "room", SHMCHAN_RPC_OPTS(.reply_capacity = 4096));
	a = send_one(&c, 1, 1);
	while (!__atomic_load_n(full, __ATOMIC_ACQUIRE) ||
	       !shmchan_bell_wanted(c.region, SERVERS_BELL))
		sleep_ms(1);
	CHECK_EQ(shmchan_rpc_cancel(&c, a), 0);
	b = send_one(&c, 1, 2);
	CHECK_CHILD_OK(pid);
	CHECK_EQ(shmchan_rpc_cancel(&c, b), 0);
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	shmchan_rpc_client_close(&c);
}

TEST(late_reply_is_dropped)
{
	struct shmchan_rpc_client_stats stats;
	struct shmchan_rpc_call call;
	uint32_t a, b;

	begin("late");
	a = send_one(&c, 1, 1);
	CHECK_EQ(next_one(&s, &call), 1);
	reply_one(&s, &call, 1);
	CHECK_EQ(shmchan_rpc_cancel(&c, a), 0);
	b = send_one(&c, 1, 2);
	CHECK_EQ(next_one(&s, &call), 2);
	reply_one(&s, &call, 2);
	CHECK_EQ(recv_one(&c, b), 2);
	shmchan_rpc_client_get_stats(&c, &stats);
	CHECK_EQ(stats.late, 1);
	CHECK_EQ(stats.cancelled, 1);
	end();
}

TEST(kept_reply_goes_with_the_call)
{
	struct shmchan_rpc_call call;
	uint32_t a, b;

	begin("kept");
	a = send_one(&c, 1, 1);
	b = send_one(&c, 1, 2);
	CHECK_EQ(next_one(&s, &call), 1);
	reply_one(&s, &call, 1);
	CHECK_EQ(next_one(&s, &call), 2);
	reply_one(&s, &call, 2);
	CHECK_EQ(recv_one(&c, b), 2);
	CHECK_EQ(shmchan_rpc_cancel(&c, a), 0);
	end();
}

/* The place of a call is used again while the server still works on it. */
TEST(place_used_again)
{
	struct shmchan_rpc_call old, call;
	uint64_t value = 0;
	uint32_t id, i;

	begin("place");
	id = send_one(&c, 1, 0);
	CHECK_EQ(next_one(&s, &old), 0);
	CHECK_EQ(shmchan_rpc_cancel(&c, id), 0);
	for (i = 0; i < SHMCHAN_RPC_PENDING; i++) {
		id = send_one(&c, 1, i);
		CHECK_EQ(next_one(&s, &call), i);
		if (i < SHMCHAN_RPC_PENDING - 1) {
			reply_one(&s, &call, i);
			CHECK_EQ(recv_one(&c, id), i);
		}
	}
	CHECK_EQ(call.id, old.id + SHMCHAN_RPC_PENDING);
	CHECK(shmchan_rpc_cancelled(&s, &old));
	CHECK(!shmchan_rpc_cancelled(&s, &call));
	CHECK_EQ(shmchan_rpc_reply(&s, &old, 0, &value, 8, 0), -ECANCELED);
	reply_one(&s, &call, 77);
	CHECK_EQ(recv_one(&c, id), 77);
	end();
}

TEST(time_that_is_up_takes_back)
{
	struct shmchan_rpc_client_stats stats;
	struct shmchan_rpc_reply reply;
	uint64_t value = 1, begun, took;

	begin("time");
	begun = now_ns();
	CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &value, 8, &reply,
				  80 * MS), -ETIMEDOUT);
	took = now_ns() - begun;
	CHECK_GE(took, 80 * MS);
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	shmchan_rpc_client_get_stats(&c, &stats);
	CHECK_EQ(stats.cancelled, 1);
	end();
}

TEST(too_late_is_not_begun)
{
	struct shmchan_rpc_server_stats stats;
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	uint64_t value = 1;
	uint32_t a, b;

	begin("deadline");
	CHECK_EQ(shmchan_rpc_send(&c, 1, &value, 8, now_ns() + 20 * MS, &a, 0),
		 0);
	b = send_one(&c, 1, 2);
	sleep_ms(40);
	CHECK_EQ(next_one(&s, &call), 2);
	shmchan_rpc_server_get_stats(&s, &stats);
	CHECK_EQ(stats.skipped, 1);
	reply_one(&s, &call, 2);
	/* Who still waits for it is told, and of that alone. */
	CHECK_EQ(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8, &reply, -1),
		 0);
	CHECK_EQ(reply.id, b);
	CHECK_EQ(shmchan_rpc_recv(&c, a, &value, 8, &reply, -1), -ETIME);
	CHECK_EQ(reply.id, a);
	CHECK_SAYS(shmchan_error_detail(), "not executed");
	end();
}

TEST(too_late_while_it_is_executed)
{
	struct shmchan_rpc_call call;
	uint64_t value = 1;
	uint32_t id;

	begin("deadline2");
	CHECK_EQ(shmchan_rpc_send(&c, 1, &value, 8, now_ns() + 1000 * MS, &id,
				  0), 0);
	CHECK_EQ(next_one(&s, &call), 1);
	CHECK(!shmchan_rpc_cancelled(&s, &call));
	while (now_ns() < call.deadline)
		sleep_ms(10);
	CHECK(shmchan_rpc_cancelled(&s, &call));
	/* It may be answered all the same: the client has not taken it back. */
	reply_one(&s, &call, 9);
	CHECK_EQ(recv_one(&c, id), 9);
	end();
}

TEST_MAIN
