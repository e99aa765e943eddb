// SPDX-License-Identifier: GPL-2.0-only

/* Services of who is revoked: every call says so, and nothing else. */

#include "access_fixture.h"
#include "rpc_fixture.h"

#define SAYS_STALE(call)						\
	do {								\
		CHECK_EQ((call), -ESTALE);				\
		CHECK_SAYS(shmchan_error_detail(), "no longer a member"); \
	} while (0)

static struct shmchan_rpc_client c;
static struct shmchan_rpc_server s;

/* With calls in each state: sent, taken, answered. */
static void begin(struct shmchan_rpc_call *call)
{
	uint32_t i;

	serve_with(&s, "revoked", SHMCHAN_RPC_OPTS(.spin_ns = -1));
	ask_with(&c, "revoked", SHMCHAN_RPC_OPTS(.spin_ns = -1));
	for (i = 0; i < 3; i++)
		send_one(&c, 1, i);
	next_one(&s, call);
	reply_one(&s, call, 1);
	next_one(&s, call);
}

static void end(void)
{
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

static void client(int64_t timeout_ns)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	uint64_t value = 0;
	uint32_t id;
	int i;

	begin(&call);
	revoke_us(c.region);
	for (i = 0; i < 2; i++) {
		SAYS_STALE(shmchan_rpc_send(&c, 1, &value, 8, SHMCHAN_FOREVER,
					    &id, timeout_ns));
		SAYS_STALE(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8,
					    &reply, timeout_ns));
		SAYS_STALE(shmchan_rpc_recv(&c, 1, &value, 8, &reply,
					    timeout_ns));
		if (timeout_ns)
			SAYS_STALE(shmchan_rpc_call(&c, 1, &value, 8, &value, 8,
						    &reply, timeout_ns));
		SAYS_STALE(shmchan_rpc_cancel(&c, 2));
	}
	end();
}

static void server(int64_t timeout_ns)
{
	struct shmchan_rpc_call call, none;
	uint64_t value = 0;
	int i;

	begin(&call);
	revoke_us(s.region);
	for (i = 0; i < 2; i++) {
		SAYS_STALE(shmchan_rpc_next(&s, &none, &value, 8, timeout_ns));
		SAYS_STALE(shmchan_rpc_next(&s, &none, NULL, 0, timeout_ns));
		SAYS_STALE(shmchan_rpc_reply(&s, &call, 0, &value, 8,
					     timeout_ns));
		SAYS_STALE(shmchan_rpc_reply_part(&s, &call, 0, &value, 8,
						  timeout_ns));
	}
	end();
}

TEST(clients)
{
	client(0);
	client(-1);
	client(10 * MS);
}

TEST(servers)
{
	server(0);
	server(-1);
	server(10 * MS);
}

TEST(sleepers_are_woken)
{
	uint32_t *ready = shared_alloc(4096);
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	uint64_t value = 0;
	uint32_t slot;
	pid_t pid;

	KMOD_ONLY("nobody else can revoke");
	for (slot = 0; slot < 2; slot++) {
		test_name("sleeps");
		shmchan_store_seq_cst(ready, 0U);
		pid = child_fork();
		if (!pid && !slot) {
			serve_with(&s, "sleeps", SHMCHAN_RPC_OPTS(
				.spin_ns = -1));
			shmchan_store_seq_cst(ready, 1U);
			CHECK_EQ(shmchan_rpc_next(&s, &call, &value, 8, -1),
				 -ESTALE);
			shmchan_rpc_server_close(&s);
			child_done();
		}
		if (!pid) {
			ask_with(&c, "sleeps", SHMCHAN_RPC_OPTS(.spin_ns = -1));
			shmchan_store_seq_cst(ready, 1U);
			CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &value, 8,
						  &reply, -1), -ESTALE);
			shmchan_rpc_client_close(&c);
			child_done();
		}
		while (!shmchan_load_seq_cst(ready))
			sleep_ms(1);
		sleep_ms(100);
		revoke_slot(test_name("sleeps"), slot);
		CHECK_CHILD_OK(pid);
	}
}

TEST_MAIN
