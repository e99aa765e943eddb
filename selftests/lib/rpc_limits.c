// SPDX-License-Identifier: GPL-2.0-only

/* Services: what is wrong is said, with words. */

#include <shmchan/spsc.h>

#include "rpc_fixture.h"

static struct shmchan_rpc_client c;
static struct shmchan_rpc_server s;

#define CHECK_FAILS(call, error, words)					\
	do {								\
		CHECK_EQ(call, -(error));				\
		CHECK_SAYS(shmchan_error_detail(), words);		\
	} while (0)

TEST(options)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(.create = 1);
	struct shmchan_rpc_opts none = SHMCHAN_RPC_OPTS();
	const char *name = test_name("options");

	CHECK_FAILS(shmchan_rpc_server_open(&s, name, &none), ENOENT, name);
	CHECK_FAILS(shmchan_rpc_server_open(&s, NULL, &none), EINVAL, "name");
	opts.nr_clients = 1024;
	CHECK_FAILS(shmchan_rpc_server_open(&s, name, &opts), EINVAL,
		    "at most 1023");
	opts.nr_clients = 1;
	opts.reply_capacity = 1ULL << 31;
	CHECK_FAILS(shmchan_rpc_server_open(&s, name, &opts), EINVAL,
		    "reply_capacity");
	opts.reply_capacity = 0;
	opts.fail_fast = 1;
	CHECK_FAILS(shmchan_rpc_server_open(&s, name, &opts), EINVAL,
		    "fail_fast");
	opts.size = 3;
	CHECK_FAILS(shmchan_rpc_client_open(&c, name, &opts), EINVAL,
		    "SHMCHAN_RPC_OPTS");
	none.wait_ns = 20 * MS;
	CHECK_FAILS(shmchan_rpc_client_open(&c, name, &none), ETIMEDOUT, name);
}

TEST(seats)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(.create = 1,
							.nr_clients = 2);
	struct shmchan_rpc_client d, e;
	struct shmchan_rpc_server t;

	serve_with(&s, "seats", opts);
	CHECK_EQ(shmchan_rpc_server_open(&t, test_name("seats"), &opts),
		 -EBUSY);
	CHECK_EQ(shmchan_rpc_client_open(&c, test_name("seats"), &opts), 0);
	CHECK_EQ(shmchan_rpc_client_open(&d, test_name("seats"), &opts), 0);
	CHECK_EQ(c.region->slot, 1);
	CHECK_EQ(d.region->slot, 2);
	CHECK_FAILS(shmchan_rpc_client_open(&e, test_name("seats"), &opts),
		    EBUSY, "all 2 seats");
	opts.exclusive = 1;
	CHECK_EQ(shmchan_rpc_client_open(&e, test_name("seats"), &opts),
		 -EEXIST);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_client_close(&d);
	shmchan_rpc_server_close(&s);
	shmchan_rpc_server_close(&s);
	shmchan_rpc_server_close(NULL);
	shmchan_rpc_client_close(NULL);
}

TEST(as_many_seats_as_can_be)
{
	struct shmchan_rpc_call call;
	uint32_t id;
	int i;

	serve_with(&s, "most", SHMCHAN_RPC_OPTS(
		.nr_clients = SHMCHAN_RPC_MAX_CLIENTS,
		.request_capacity = 4096, .reply_capacity = 4096));
	for (i = 0; i < 10; i++) {
		ask(&c, "most");
		CHECK_EQ(c.region->nr_slots, SHMCHAN_RPC_MAX_CLIENTS + 1);
		id = send_one(&c, 1, (uint64_t)i);
		CHECK_EQ(next_one(&s, &call), i);
		CHECK_EQ(call.client, c.region->slot);
		reply_one(&s, &call, 7);
		CHECK_EQ(recv_one(&c, id), 7);
		shmchan_rpc_client_close(&c);
		CHECK_EQ(next_end(&s, &call), -EPIPE);
	}
	shmchan_rpc_server_close(&s);
}

TEST(something_else_of_that_name)
{
	struct shmchan_spsc_opts sopts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .create = 1, .capacity = 4096);
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS();
	struct shmchan_spsc ch;

	CHECK_EQ(shmchan_spsc_open(&ch, test_name("other"), &sopts), 0);
	CHECK_FAILS(shmchan_rpc_server_open(&s, test_name("other"), &opts),
		    EPROTO, "channel from one to one");
	shmchan_spsc_close(&ch);
	serve(&s, "other");
	CHECK_FAILS(shmchan_spsc_open(&ch, test_name("other"), &sopts), EPROTO,
		    "service");
	shmchan_rpc_server_close(&s);
}

/* Who asks for too much has itself to wait, and nobody else. */
TEST(too_large_for_the_server)
{
	struct shmchan_rpc_client other;
	struct shmchan_rpc_call call;
	uint32_t id, i;
	char buf[16];

	serve(&s, "large");
	ask(&c, "large");
	ask(&other, "large");
	CHECK_EQ(shmchan_rpc_send(&c, 1, buf, 16, SHMCHAN_FOREVER, &id, 0), 0);
	CHECK_EQ(shmchan_rpc_send(&other, 2, buf, 8, SHMCHAN_FOREVER, &id, 0),
		 0);
	for (i = 0; shmchan_rpc_next(&s, &call, buf, 8, 0); i++)
		CHECK_LT(i, 2);
	CHECK_EQ(call.method, 2);
	CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, NULL, 0, 0), 0);
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), 0);
	CHECK_EQ(call.length, 16);
	CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, NULL, 0, 0), 0);
	shmchan_rpc_client_close(&other);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST(sizes)
{
	static char big[65536];
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	size_t most;
	char buf[8];
	uint32_t id;

	serve(&s, "sizes");
	ask(&c, "sizes");
	most = shmchan_rpc_max_request(c.region);
	CHECK_EQ(most, 65536 / 4 - 32);
	CHECK_FAILS(shmchan_rpc_send(&c, 1, big, most + 1, SHMCHAN_FOREVER, &id,
				     0), EMSGSIZE, "16352");
	CHECK_EQ(id, 0);
	CHECK_FAILS(shmchan_rpc_call(&c, 1, big, most + 1, buf, 8, &reply, -1),
		    EMSGSIZE, "16352");
	CHECK_EQ(shmchan_rpc_pending(&c), 0);
	CHECK_EQ(shmchan_rpc_send(&c, 1, big, 9, SHMCHAN_FOREVER, &id, 0), 0);
	/* It is still there. */
	CHECK_FAILS(shmchan_rpc_next(&s, &call, buf, 8, 0), EMSGSIZE, "9 bytes");
	CHECK_EQ(call.length, 9);
	CHECK_EQ(shmchan_rpc_next(&s, &call, big, 9, 0), 0);
	most = shmchan_rpc_max_reply(s.region);
	CHECK_FAILS(shmchan_rpc_reply(&s, &call, 0, big, most + 1, 0), EMSGSIZE,
		    "16360");
	CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, big, 10, 0), 0);
	CHECK_FAILS(shmchan_rpc_recv(&c, id, buf, 8, &reply, 0), EMSGSIZE,
		    "10 bytes");
	CHECK_EQ(reply.id, id);
	CHECK_EQ(reply.length, 10);
	CHECK_EQ(shmchan_rpc_recv(&c, id, big, 10, &reply, 0), 0);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST(numbers_of_calls)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call, wrong;
	uint64_t value = 0;
	uint32_t id;

	serve(&s, "numbers");
	ask(&c, "numbers");
	CHECK_FAILS(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8, &reply,
				     -1), EINVAL, "no call");
	CHECK_FAILS(shmchan_rpc_recv(&c, 99, &value, 8, &reply, -1), EINVAL,
		    "call 99");
	CHECK_FAILS(shmchan_rpc_cancel(&c, 99), EINVAL, "call 99");
	CHECK_FAILS(shmchan_rpc_cancel(&c, 0), EINVAL, "call 0");
	CHECK_FAILS(shmchan_rpc_call(&c, 1, &value, 8, &value, 8, &reply, 0),
		    EINVAL, "timeout of 0");
	id = send_one(&c, 1, 1);
	CHECK_EQ(next_one(&s, &call), 1);
	wrong = call;
	wrong.id++;
	CHECK_FAILS(shmchan_rpc_reply(&s, &wrong, 0, NULL, 0, 0), EINVAL,
		    "not open");
	wrong = call;
	wrong.client = 17;
	CHECK_FAILS(shmchan_rpc_reply(&s, &wrong, 0, NULL, 0, 0), EINVAL,
		    "client 17");
	wrong.client = 0;
	CHECK_FAILS(shmchan_rpc_reply(&s, &wrong, 0, NULL, 0, 0), EINVAL,
		    "not open");
	wrong = call;
	wrong.generation++;
	CHECK_FAILS(shmchan_rpc_reply(&s, &wrong, 0, NULL, 0, 0), EINVAL,
		    "not open");
	CHECK(shmchan_rpc_cancelled(&s, &wrong));
	memset(&wrong, 0, sizeof(wrong));
	CHECK_FAILS(shmchan_rpc_reply(&s, &wrong, 0, NULL, 0, 0), EINVAL,
		    "not open");
	reply_one(&s, &call, 5);
	CHECK_FAILS(shmchan_rpc_reply(&s, &call, 0, NULL, 0, 0), EINVAL,
		    "answered before");
	CHECK_FAILS(shmchan_rpc_reply_part(&s, &call, 0, NULL, 0, 0), EINVAL,
		    "answered before");
	CHECK_EQ(recv_one(&c, id), 5);
	CHECK_FAILS(shmchan_rpc_recv(&c, id, &value, 8, &reply, -1), EINVAL,
		    "not under way");
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST(timeouts)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call, last;
	static char big[900];
	uint64_t begin, took;
	uint32_t id;

	serve_with(&s, "time", SHMCHAN_RPC_OPTS(.request_capacity = 4096,
						.reply_capacity = 4096));
	ask(&c, "time");
#define TAKES_80_MS(call) \
	do { \
		begin = now_ns(); \
		CHECK_EQ(call, -ETIMEDOUT); \
		took = now_ns() - begin; \
		CHECK_GE(took, 80 * MS); \
	} while (0)
	TAKES_80_MS(shmchan_rpc_next(&s, &call, big, sizeof(big), 80 * MS));
	id = send_one(&c, 1, 1);
	TAKES_80_MS(shmchan_rpc_recv(&c, id, big, sizeof(big), &reply,
				     80 * MS));
	CHECK_EQ(shmchan_rpc_cancel(&c, id), 0);
	while (!shmchan_rpc_send(&c, 1, big, sizeof(big), SHMCHAN_FOREVER, &id,
				 0))
		;
	TAKES_80_MS(shmchan_rpc_send(&c, 1, big, sizeof(big), SHMCHAN_FOREVER,
				     &id, 80 * MS));
	while (!shmchan_rpc_next(&s, &call, big, sizeof(big), 0))
		last = call;
	while (!shmchan_rpc_reply_part(&s, &last, 0, big, sizeof(big), 0))
		;
	TAKES_80_MS(shmchan_rpc_reply_part(&s, &last, 0, big, sizeof(big),
					   80 * MS));
#undef TAKES_80_MS
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST(after_fork)
{
	struct shmchan_rpc_call call;
	pid_t pid;

	serve(&s, "fork");
	ask(&c, "fork");
	send_one(&c, 1, 1);
	pid = child_fork();
	if (!pid) {
		shmchan_rpc_client_close(&c);
		shmchan_rpc_server_close(&s);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	/* The child's close was none of ours. */
	CHECK_EQ(next_one(&s, &call), 1);
	reply_one(&s, &call, 2);
	CHECK_EQ(recv_one(&c, call.id), 2);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

TEST_MAIN
