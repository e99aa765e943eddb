// SPDX-License-Identifier: GPL-2.0-only

/*
 * Who spins for longer than a death takes to be told is told of it all the same: with
 * the local backend it has to look for the dead itself.
 */

#include <shmchan/workq.h>
#include <shmchan/pubsub.h>
#include <shmchan/spsc.h>

#include "rpc_fixture.h"

#define LONG_NS	(60000 * MS)

static struct shmchan_rpc_client c;
static struct shmchan_rpc_server s;

/* Killed when it has done what it is there for, and the others have begun. */
static void linger(pid_t pid, uint32_t *ready)
{
	while (!shmchan_load_seq_cst(ready))
		sleep_ms(1);
	if (!child_fork()) {
		sleep_ms(100);
		kill(pid, SIGKILL);
		_exit(0);
	}
}

static void stay(uint32_t *ready)
{
	shmchan_store_seq_cst(ready, 1U);
	for (;;)
		sleep_ms(1000);
}

TEST(client)
{
	uint32_t *ready = shared_alloc(4096);
	uint64_t value = 1;
	pid_t pid;

	(void)test_name("client");
	pid = child_fork();
	if (!pid) {
		serve(&s, "client");
		stay(ready);
	}
	ask_with(&c, "client", SHMCHAN_RPC_OPTS(.spin_ns = LONG_NS));
	linger(pid, ready);
	CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &value, 8, NULL, TOLD_NS),
		 -EOWNERDEAD);
	shmchan_rpc_client_close(&c);
}

TEST(server)
{
	uint32_t *ready = shared_alloc(4096);
	struct shmchan_rpc_call call;
	pid_t pid;

	serve_with(&s, "server", SHMCHAN_RPC_OPTS(.spin_ns = LONG_NS));
	pid = child_fork();
	if (!pid) {
		ask(&c, "server");
		send_one(&c, 1, 1);
		stay(ready);
	}
	next_one(&s, &call);
	linger(pid, ready);
	CHECK_EQ(next_end(&s, &call), -EOWNERDEAD);
	shmchan_rpc_server_close(&s);
}

static void open_end(struct shmchan_spsc *ch, enum shmchan_spsc_role role,
		     int64_t spin_ns)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(.role = role,
		.create = 1, .spin_ns = spin_ns);

	CHECK_EQ(shmchan_spsc_open(ch, test_name("receiver"), &opts), 0);
}

TEST(receiver)
{
	uint32_t *ready = shared_alloc(4096);
	struct shmchan_spsc rx, tx;
	uint64_t value;
	pid_t pid;

	open_end(&rx, SHMCHAN_RECEIVER, LONG_NS);
	pid = child_fork();
	if (!pid) {
		open_end(&tx, SHMCHAN_SENDER, -1);
		stay(ready);
	}
	linger(pid, ready);
	CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, TOLD_NS),
		 -EOWNERDEAD);
	shmchan_spsc_close(&rx);
}

static void open_queue(struct shmchan_workq *q, int64_t spin_ns)
{
	struct shmchan_workq_opts opts = SHMCHAN_WORKQ_OPTS(.create = 1,
		.spin_ns = spin_ns);

	CHECK_EQ(shmchan_workq_open(q, test_name("worker"), &opts), 0);
}

/* What a worker had that died is for the others. */
TEST(worker)
{
	uint32_t *ready = shared_alloc(4096);
	struct shmchan_workq_item item;
	struct shmchan_workq q, other;
	pid_t pid;

	open_queue(&q, LONG_NS);
	CHECK_EQ(shmchan_workq_put(&q, "item", 4, -1), 0);
	pid = child_fork();
	if (!pid) {
		open_queue(&other, -1);
		CHECK_EQ(shmchan_workq_take(&other, &item, -1), 0);
		stay(ready);
	}
	linger(pid, ready);
	CHECK_EQ(shmchan_workq_take(&q, &item, TOLD_NS), 0);
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	shmchan_workq_close(&q);
}

static struct shmchan_channel_opts blocking(int poll, int64_t spin_ns)
{
	return SHMCHAN_PUBSUB_OPTS(.create = 1, .capacity = 4096,
		.policy = SHMCHAN_POLICY_BLOCK, .poll = poll,
		.spin_ns = spin_ns);
}

/* A sender that waits for room, and its receiver is killed, or closes. */
static void held_up(const char *tag, int poll, int closes)
{
	struct shmchan_channel_opts opts = blocking(poll, poll ? -1 : LONG_NS);
	uint32_t *ready = shared_alloc(4096);
	struct shmchan_receiver many;
	struct shmchan_sender sender;
	uint64_t value = 0;
	pid_t pid;

	CHECK_EQ(shmchan_sender_open(&sender, test_name(tag), &opts), 0);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_receiver_open(&many, test_name(tag), &opts),
			 0);
		if (!closes)
			stay(ready);
		shmchan_store_seq_cst(ready, 1U);
		sleep_ms(300);
		shmchan_receiver_close(&many);
		child_done();
	}
	while (!shmchan_load_seq_cst(ready))
		sleep_ms(1);
	while (!shmchan_send(&sender, &value, 8, 0, 0, 0))
		;
	if (!closes)
		linger(pid, ready);
	CHECK_EQ(shmchan_send(&sender, &value, 8, 0, 0, TOLD_NS), 0);
	if (closes)
		CHECK_CHILD_OK(pid);
	shmchan_sender_close(&sender);
}

TEST(sender_of_a_receiver_that_dies)
{
	held_up("dies", 0, 0);
}

TEST(sender_of_a_receiver_that_closes)
{
	held_up("closes", 0, 1);
}

TEST(polling_sender)
{
	held_up("polls", 1, 0);
}

TEST(polling_receiver)
{
	struct shmchan_channel_opts opts = blocking(1, -1);
	uint32_t *ready = shared_alloc(4096);
	struct shmchan_receiver many;
	struct shmchan_sender sender;
	uint64_t value;
	pid_t pid;

	CHECK_EQ(shmchan_receiver_open(&many, test_name("polled"), &opts), 0);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_sender_open(&sender, test_name("polled"),
					     &opts), 0);
		stay(ready);
	}
	linger(pid, ready);
	CHECK_EQ(shmchan_recv(&many, &value, 8, NULL, TOLD_NS), -EOWNERDEAD);
	shmchan_receiver_close(&many);
}

TEST_MAIN
