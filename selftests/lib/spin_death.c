// SPDX-License-Identifier: GPL-2.0-only

/*
 * Who spins for longer than a death takes to be told is told of it all the same: with
 * the local backend it has to look for the dead itself.
 */

#include <shmchan/workq.h>
#include <shmchan/spsc.h>

#include "rpc_fixture.h"

#define LONG_NS	(60000 * MS)

static struct shmchan_rpc_client c;
static struct shmchan_rpc_server s;

/* Killed when it has done what it is there for, and the others have begun. */
static void linger(pid_t *pid, uint32_t *ready)
{
	while (!shmchan_load_seq_cst(ready))
		sleep_ms(1);
	if (!child_fork()) {
		sleep_ms(100);
		kill(*pid, SIGKILL);
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
	linger(&pid, ready);
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
	linger(&pid, ready);
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
	linger(&pid, ready);
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
	linger(&pid, ready);
	CHECK_EQ(shmchan_workq_take(&q, &item, TOLD_NS), 0);
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	shmchan_workq_close(&q);
}

TEST_MAIN
