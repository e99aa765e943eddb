// SPDX-License-Identifier: GPL-2.0-only

/*
 * Services: the end of the server, which every call under way is told of once; of
 * one client, which the server is told of; and that no request is executed twice.
 */

#include <sys/resource.h>

#include <shmchan/loop.h>

#include "rpc_fixture.h"
#include "../../lib/rpc_private.h"

static struct shmchan_rpc_client c;
static struct shmchan_rpc_server s;

/* A server that takes `take` requests, answers `reply` of them, and waits. */
static pid_t server_that_stops(const char *tag, uint32_t take, uint32_t reply,
			       uint32_t *reached)
{
	struct shmchan_rpc_call call;
	uint64_t value;
	uint32_t i;
	pid_t pid;

	(void)test_name(tag);
	pid = child_fork();
	if (pid)
		return pid;
	serve(&s, tag);
	for (i = 0; i < take; i++) {
		value = next_one(&s, &call);
		if (i < reply)
			reply_one(&s, &call, value);
	}
	shmchan_store_seq_cst(reached, 1U);
	for (;;)
		sleep_ms(1000);
}

static void await(uint32_t *reached)
{
	while (!shmchan_load_seq_cst(reached))
		sleep_ms(1);
	shmchan_store_seq_cst(reached, 0U);
}

#define CALLS	20
#define TAKEN	10
#define ANSWERED 5

/* Replies first, then each of the others once; whichever way they are asked for. */
static void pending_are_told(int any)
{
	struct shmchan_rpc_client_stats stats;
	uint32_t *reached = shared_alloc(4096), ids[CALLS], i, told = 0;
	struct shmchan_rpc_reply reply;
	uint64_t value, seen = 0;
	pid_t pid;
	int err;

	pid = server_that_stops("pending", TAKEN, ANSWERED, reached);
	ask(&c, "pending");
	for (i = 0; i < CALLS; i++)
		ids[i] = send_one(&c, 1, i);
	await(reached);
	child_kill(pid);
	for (i = 0; i < CALLS; i++) {
		err = shmchan_rpc_recv(&c, any ? SHMCHAN_RPC_ANY : ids[i],
				       &value, 8, &reply, TOLD_NS);
		if (!err) {
			CHECK_LT(value, ANSWERED);
			CHECK_EQ(reply.id, ids[value]);
		} else {
			CHECK_EQ(err, -EOWNERDEAD);
			CHECK_SAYS(shmchan_error_detail(), "once or not");
			told++;
		}
		CHECK(reply.id >= ids[0] && reply.id < ids[0] + CALLS);
		CHECK(!(seen & 1ULL << (reply.id - ids[0])));
		seen |= 1ULL << (reply.id - ids[0]);
	}
	CHECK_EQ(told, CALLS - ANSWERED);
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	CHECK_EQ(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8, &reply, 0),
		 -EINVAL);
	shmchan_rpc_client_get_stats(&c, &stats);
	CHECK_EQ(stats.lost, CALLS - ANSWERED);
	shmchan_rpc_client_close(&c);
}

TEST(server_dies_each_call_is_told_as_any)
{
	pending_are_told(1);
}

TEST(server_dies_each_call_is_told_by_number)
{
	pending_are_told(0);
}

TEST(server_closes)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	uint32_t a, b, d;
	uint64_t value;

	serve(&s, "closes");
	ask(&c, "closes");
	a = send_one(&c, 1, 1);
	b = send_one(&c, 1, 2);
	d = send_one(&c, 1, 3);
	next_one(&s, &call);
	reply_one(&s, &call, 1);
	next_one(&s, &call);
	shmchan_rpc_server_close(&s);
	CHECK_EQ(shmchan_rpc_recv(&c, d, &value, 8, &reply, TOLD_NS), -EPIPE);
	CHECK_EQ(shmchan_rpc_recv(&c, b, &value, 8, &reply, TOLD_NS), -EPIPE);
	CHECK_EQ(recv_one(&c, a), 1);
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	/* And another comes. */
	serve(&s, "closes");
	a = send_one(&c, 1, 7);
	CHECK_EQ(next_one(&s, &call), 7);
	CHECK_EQ(call.id, a);
	reply_one(&s, &call, 8);
	CHECK_EQ(recv_one(&c, a), 8);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

/* Its lane had no end yet, for the server had never looked at it. */
TEST(server_closes_without_a_look)
{
	uint32_t id, value;

	serve(&s, "unseen");
	ask(&c, "unseen");
	id = send_one(&c, 1, 1);
	shmchan_rpc_server_close(&s);
	CHECK_EQ(shmchan_rpc_recv(&c, id, &value, sizeof(value), NULL, TOLD_NS),
		 -EPIPE);
	CHECK_SAYS(shmchan_error_detail(), "closed");
	shmchan_rpc_client_close(&c);
}

/* The client sleeps in call() when the server dies. */
TEST(sleeping_caller_is_woken)
{
	uint32_t *reached = shared_alloc(4096);
	struct shmchan_rpc_reply reply;
	uint64_t value = 1;
	pid_t pid, killer;

	pid = server_that_stops("sleeping", 1, 0, reached);
	killer = child_fork();
	if (!killer) {
		await(reached);
		sleep_ms(50);
		kill(pid, SIGKILL);
		child_done();
	}
	ask_with(&c, "sleeping", SHMCHAN_RPC_OPTS(.spin_ns = -1));
	CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &value, 8, &reply, -1),
		 -EOWNERDEAD);
	child_wait(pid);
	CHECK_CHILD_OK(killer);
	shmchan_rpc_client_close(&c);
}

/* What was sent to one server the next does not see. */
TEST(next_server_executes_nothing_old)
{
	uint32_t *reached = shared_alloc(4096), i, id;
	struct shmchan_rpc_server_stats stats;
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	uint64_t value;
	int round;
	pid_t pid;

	ask(&c, "next");
	for (round = 0; round < 3; round++) {
		pid = server_that_stops("next", TAKEN, ANSWERED, reached);
		for (i = 0; i < CALLS; i++)
			send_one(&c, 1, i);
		await(reached);
		child_kill(pid);
		/* It is there before the client has looked at anything. */
		serve(&s, "next");
		CHECK_EQ(shmchan_rpc_next(&s, &call, &value, 8, 0), -EAGAIN);
		id = send_one(&c, 1, 100);
		CHECK_EQ(next_one(&s, &call), 100);
		CHECK_EQ(call.id, id);
		reply_one(&s, &call, 101);
		CHECK_EQ(recv_one(&c, id), 101);
		shmchan_rpc_server_get_stats(&s, &stats);
		CHECK_EQ(stats.calls, 1);
		CHECK_GE(stats.stale, CALLS - TAKEN);
		for (i = 0; i < CALLS; i++) {
			int err = shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value,
						   8, &reply, TOLD_NS);

			CHECK_EQ(err, i < ANSWERED ? 0 : -EOWNERDEAD);
		}
		CHECK_EQ(shmchan_rpc_pending(&c), 0);
		shmchan_rpc_server_close(&s);
	}
	shmchan_rpc_client_close(&c);
}

#define STORM_CALLS	(4U << 20)

/*
 * Servers that are killed at any moment, one after the other.  Each marks what it
 * executes: none is marked twice; whose reply came is marked; whoever was told
 * that the server died may be.
 */
TEST_LIMIT(killed_at_any_moment_none_is_executed_twice, 120)
{
	const uint32_t rounds = HARNESS_ROUNDS(25);
	uint8_t *marks = shared_alloc(STORM_CALLS);
	uint32_t sent = 0, lost = 0, kills = 0, id;
	struct shmchan_rpc_reply reply;
	uint64_t value, next_kill = 0;
	pid_t pid = 0;
	int err;

	ask(&c, "storm");
	while (kills < rounds || shmchan_rpc_pending(&c)) {
		if (kills < rounds && now_ns() >= next_kill) {
			if (pid) {
				child_kill(pid);
				kills++;
			}
			pid = child_fork();
			if (!pid) {
				struct shmchan_rpc_call call;

				serve(&s, "storm");
				for (;;) {
					value = next_one(&s, &call);
					__atomic_fetch_add(&marks[value], 1,
							   __ATOMIC_SEQ_CST);
					reply_one(&s, &call, value);
				}
			}
			/* Not before it has begun. */
			next_kill = ~0ULL;
		}
		while (kills < rounds && sent < STORM_CALLS &&
		       shmchan_rpc_pending(&c) < 32) {
			value = sent;
			err = shmchan_rpc_send(&c, 1, &value, 8,
					       SHMCHAN_FOREVER, &id, MS);
			if (err == -ETIMEDOUT)
				break;
			CHECK_EQ(err, 0);
			sent++;
		}
		if (!shmchan_rpc_pending(&c))
			continue;
		err = shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8, &reply,
				       MS);
		if (err == -ETIMEDOUT)
			continue;
		if (err) {
			CHECK_EQ(err, -EOWNERDEAD);
			lost++;
			continue;
		}
		CHECK_EQ(marks[value], 1);
		if (next_kill == ~0ULL)
			next_kill = now_ns() + kills * 173 % 7 * MS / 2;
	}
	child_kill(pid);
	CHECK_LT(sent, STORM_CALLS);
	for (id = 0; id < sent; id++)
		CHECK_LE(marks[id], 1);
	note("%u calls, %u servers killed, %u calls told of it", sent, kills,
	     lost);
	shmchan_rpc_client_close(&c);
}

/* A client that sends `n` requests, then waits or closes. */
static pid_t client_that_stops(const char *tag, uint32_t n, int closes,
			       uint32_t *reached)
{
	uint32_t i;
	pid_t pid = child_fork();

	if (pid)
		return pid;
	ask(&c, tag);
	for (i = 0; i < n; i++)
		send_one(&c, 1, i);
	shmchan_store_seq_cst(reached, 1U);
	if (closes) {
		await(reached + 1);
		shmchan_rpc_client_close(&c);
		shmchan_store_seq_cst(reached, 1U);
	}
	for (;;)
		sleep_ms(1000);
}

static void client_ends(int closes)
{
	uint32_t *reached = shared_alloc(4096);
	struct shmchan_rpc_call call, old;
	const int how = closes ? -EPIPE : -EOWNERDEAD;
	uint64_t value = 0;
	uint32_t id;
	pid_t pid;
	int err;

	serve(&s, "client");
	pid = client_that_stops("client", 5, closes, reached);
	CHECK_EQ(next_one(&s, &old), 0);
	await(reached);
	if (closes) {
		shmchan_store_seq_cst(reached + 1, 1U);
		await(reached);
	} else {
		child_kill(pid);
	}
	/*
	 * The four that were not taken vanish, as soon as its end is noticed: on the
	 * local backend, by who sleeps.  That is told once.
	 */
	do
		err = shmchan_rpc_next(&s, &call, NULL, 0, TOLD_NS);
	while (!err && !closes);
	CHECK_EQ(err, how);
	CHECK_EQ(call.client, old.client);
	CHECK_EQ(call.generation, old.generation);
	CHECK(shmchan_rpc_cancelled(&s, &old));
	CHECK_EQ(shmchan_rpc_reply(&s, &old, 0, &value, 8, -1), how);
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	/* The next holder of the seat. */
	ask(&c, "client");
	id = send_one(&c, 1, 9);
	CHECK_EQ(next_one(&s, &call), 9);
	CHECK_EQ(call.client, old.client);
	CHECK_NE(call.generation, old.generation);
	CHECK_EQ(shmchan_rpc_reply(&s, &old, 0, &value, 8, -1), how);
	reply_one(&s, &call, 10);
	CHECK_EQ(recv_one(&c, id), 10);
	shmchan_rpc_client_close(&c);
	CHECK_EQ(next_end(&s, &call), -EPIPE);
	shmchan_rpc_server_close(&s);
	if (closes)
		child_kill(pid);
}

TEST(client_dies)
{
	client_ends(0);
}

TEST(client_closes)
{
	client_ends(1);
}

/* Nobody was asleep to notice; the seat has gone on by the time we look. */
TEST(client_ends_and_another_comes_unseen)
{
	struct shmchan_rpc_call call;
	uint32_t id;

	serve(&s, "unseen");
	ask(&c, "unseen");
	id = send_one(&c, 1, 1);
	CHECK_EQ(next_one(&s, &call), 1);
	reply_one(&s, &call, 1);
	CHECK_EQ(recv_one(&c, id), 1);
	send_one(&c, 1, 2);
	shmchan_rpc_client_close(&c);
	ask(&c, "unseen");
	id = send_one(&c, 1, 3);
	CHECK_EQ(next_end(&s, &call), -EPIPE);
	CHECK_EQ(next_one(&s, &call), 3);
	reply_one(&s, &call, 4);
	CHECK_EQ(recv_one(&c, id), 4);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

/*
 * Clients that are killed at any moment, pipelining, one after the other in the same
 * few seats: the server never takes one for another, nor for one that breaks the
 * rules, and who is not killed gets what it asked for.
 */
TEST_LIMIT(clients_killed_at_any_moment, 120)
{
	enum { N = 3 };
	const int rounds = HARNESS_ROUNDS(60);
	const struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
		.nr_clients = N + 1, .request_capacity = 4096,
		.reply_capacity = 4096);
	uint32_t *begun = shared_alloc(4096);
	struct shmchan_rpc_reply reply;
	pid_t server, pids[N] = { 0 };
	uint64_t i, value;
	int round, k;

	server = start_server_with("clients", 0, opts);
	ask_with(&c, "clients", opts);
	for (round = 0; round < rounds; round++) {
		k = round % N;
		if (pids[k]) {
			while (!shmchan_load_seq_cst(&begun[k]))
				sleep_ms(1);
			child_kill(pids[k]);
		}
		shmchan_store_seq_cst(&begun[k], 0U);
		pids[k] = child_fork();
		if (!pids[k]) {
			struct shmchan_rpc_client mine;

			ask_with(&mine, "clients", opts);
			for (i = 0;; i++) {
				if (shmchan_rpc_pending(&mine) < 20) {
					send_one(&mine, 1, i);
					continue;
				}
				CHECK_EQ(shmchan_rpc_recv(&mine,
							  SHMCHAN_RPC_ANY,
							  &value, 8, &reply,
							  -1), 0);
				CHECK_LE(value, i);
				shmchan_store_seq_cst(&begun[k], 1U);
			}
		}
		for (i = 0; i < 20; i++) {
			value = (uint64_t)round << 32 | i;
			CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &value, 8,
						  &reply, -1), 0);
			CHECK_EQ(value, ((uint64_t)round << 32 | i) + 1);
		}
	}
	for (k = 0; k < N; k++)
		if (pids[k])
			child_kill(pids[k]);
	value = 1;
	CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &value, 8, &reply, -1), 0);
	CHECK_EQ(value, 2);
	shmchan_rpc_client_close(&c);
	child_kill(server);
}

/* Whose lanes are full of what the last holder has left. */
TEST(next_client_after_one_that_filled_its_lanes)
{
	const struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
		.nr_clients = 1, .request_capacity = 4096,
		.reply_capacity = 4096);
	struct shmchan_rpc_call call;
	uint64_t value = 0;
	uint32_t id = 0;
	int round;

	serve_with(&s, "filled", opts);
	for (round = 0; round < 5; round++) {
		ask_with(&c, "filled", opts);
		send_one(&c, 1, 1);
		CHECK_EQ(next_one(&s, &call), 1);
		while (!shmchan_rpc_reply_part(&s, &call, 0, &value, 8, 0))
			;
		while (!shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id,
					 0))
			;
		shmchan_rpc_client_close(&c);
		CHECK_EQ(next_end(&s, &call), -EPIPE);
		ask_with(&c, "filled", opts);
		/* Now the server finds it, and gives it room. */
		CHECK_EQ(shmchan_rpc_next(&s, &call, &value, 8, 0), -EAGAIN);
		id = send_one(&c, 1, 55);
		CHECK_EQ(next_one(&s, &call), 55);
		reply_one(&s, &call, 56);
		CHECK_EQ(recv_one(&c, id), 56);
		shmchan_rpc_client_close(&c);
		CHECK_EQ(next_end(&s, &call), -EPIPE);
	}
	shmchan_rpc_server_close(&s);
}

/* It has closed, and the next one is killed before it has looked at its clients. */
TEST(killed_after_another_closed)
{
	uint32_t *reached = shared_alloc(4096), id;
	struct shmchan_rpc_call call;
	uint64_t value;
	pid_t pid;

	serve(&s, "after");
	ask(&c, "after");
	id = send_one(&c, 1, 1);
	next_one(&s, &call);
	shmchan_rpc_server_close(&s);
	CHECK_EQ(shmchan_rpc_recv(&c, id, &value, 8, NULL, TOLD_NS), -EPIPE);
	pid = server_that_stops("after", 0, 0, reached);
	await(reached);
	id = send_one(&c, 1, 2);
	CHECK_EQ(shmchan_rpc_recv(&c, id, &value, 8, NULL, 0), -EAGAIN);
	child_kill(pid);
	CHECK_EQ(shmchan_rpc_recv(&c, id, &value, 8, NULL, TOLD_NS),
		 -EOWNERDEAD);
	shmchan_rpc_client_close(&c);
}

/*
 * What a server leaves that is killed as it repairs its lane: a jump, and no place to
 * go on at.  Its end is told, the next one is waited for asleep, and it is heard.
 */
TEST(killed_amid_a_repair)
{
	uint32_t *reached = shared_alloc(4096), id;
	struct shmchan_cond conds[SHMCHAN_RPC_CLIENT_CONDS];
	struct shmchan_rpc_call call;
	struct rusage before, after;
	struct shmchan_lane_writer *w;
	uint64_t value;
	pid_t pid;

	(void)test_name("repair");
	pid = child_fork();
	if (!pid) {
		serve(&s, "repair");
		next_one(&s, &call);
		w = &s.seats[call.client - 1].w;
		shmchan_store_release(shmchan_lane__at(w, w->tail),
				      shmchan_hdr(SHMCHAN_CTRL_JUMP,
						  SHMCHAN_HDR_CTRL, 0));
		/* As if the lane were not in order yet. */
		shmchan_store_seq_cst(&s.seats[call.client - 1].own->generation,
				      (uint64_t)0);
		shmchan_store_seq_cst(reached, 1U);
		for (;;)
			sleep_ms(1000);
	}
	ask_with(&c, "repair", SHMCHAN_RPC_OPTS(.spin_ns = -1));
	id = send_one(&c, 1, 1);
	await(reached);
	CHECK_EQ(getrusage(RUSAGE_SELF, &before), 0);
	CHECK_EQ(shmchan_rpc_recv(&c, id, &value, 8, NULL, 300 * MS),
		 -ETIMEDOUT);
	CHECK_EQ(shmchan_rpc_client_conds(&c, conds), 0);
	child_kill(pid);
	CHECK_EQ(shmchan_rpc_recv(&c, id, &value, 8, NULL, TOLD_NS),
		 -EOWNERDEAD);
	/* For a server, as none is there. */
	CHECK_EQ(shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER, &id,
				  300 * MS), -ETIMEDOUT);
	CHECK_EQ(shmchan_rpc_client_conds(&c, conds), 0);
	CHECK_EQ(getrusage(RUSAGE_SELF, &after), 0);
	CHECK_LT((after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
		 after.ru_utime.tv_usec - before.ru_utime.tv_usec, 200000);
	serve(&s, "repair");
	id = send_one(&c, 1, 7);
	CHECK_EQ(next_one(&s, &call), 7);
	reply_one(&s, &call, 8);
	CHECK_EQ(recv_one(&c, id), 8);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST_MAIN
