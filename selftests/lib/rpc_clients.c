// SPDX-License-Identifier: GPL-2.0-only

/* Services: many clients; fair turns; those who do not read their replies. */

#include "rpc_fixture.h"

static struct shmchan_rpc_server s;

TEST(turns_are_fair)
{
	enum { N = 5, EACH = 50 };
	static struct shmchan_rpc_client c[N];
	struct shmchan_rpc_call call;
	uint32_t got[N] = { 0 }, i, k;

	serve(&s, "fair");
	for (i = 0; i < N; i++) {
		ask(&c[i], "fair");
		for (k = 0; k < EACH; k++)
			send_one(&c[i], 1, k);
	}
	/* However many each has sent, all get on alike, in order. */
	for (k = 0; k < N * EACH; k++) {
		uint64_t value = next_one(&s, &call);

		i = call.client - 1;
		CHECK_EQ(value, got[i]);
		got[i]++;
		reply_one(&s, &call, value);
		for (i = 0; i < N; i++)
			CHECK_LE(got[i], k / N + 10);
	}
	for (i = 0; i < N; i++) {
		for (k = 0; k < EACH; k++)
			CHECK_EQ(recv_one(&c[i], k + 1), k);
		shmchan_rpc_client_close(&c[i]);
	}
	shmchan_rpc_server_close(&s);
}

/* Each client a process: so many at a time, all calling. */
static void processes(const char *tag, uint32_t nr, uint64_t each,
		      int64_t spin_ns)
{
	struct shmchan_rpc_server_stats stats;
	uint32_t i;
	pid_t *pids = calloc(nr, sizeof(*pids)), pid;

	(void)test_name(tag);
	pid = child_fork();
	if (!pid) {
		serve_with(&s, tag, SHMCHAN_RPC_OPTS(
			.nr_clients = nr, .request_capacity = 4096,
			.reply_capacity = 4096, .spin_ns = spin_ns));
		answer(&s, nr * each);
		shmchan_rpc_server_get_stats(&s, &stats);
		CHECK_EQ(stats.calls, nr * each);
		note("%u clients, %llu calls: slept %llu times", nr,
		     (unsigned long long)stats.calls,
		     (unsigned long long)stats.waits);
		shmchan_rpc_server_close(&s);
		child_done();
	}
	for (i = 0; i < nr; i++) {
		pids[i] = child_fork();
		if (!pids[i]) {
			struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
				.spin_ns = spin_ns, .wait_ns = -1);
			struct shmchan_rpc_reply reply;
			struct shmchan_rpc_client c;
			uint64_t k, value;

			OPEN_PATIENTLY(shmchan_rpc_client_open(&c,
							       test_name(tag),
							       &opts));
			for (k = 0; k < each; k++) {
				value = (uint64_t)i << 32 | k;
				CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8,
							  &value, 8, &reply,
							  -1), 0);
				CHECK_EQ(value, ((uint64_t)i << 32 | k) + 1);
			}
			shmchan_rpc_client_close(&c);
			child_done();
		}
	}
	for (i = 0; i < nr; i++)
		CHECK_CHILD_OK(pids[i]);
	CHECK_CHILD_OK(pid);
	free(pids);
}

TEST_LIMIT(eight_clients, 120)
{
	processes("eight", 8, HARNESS_ROUNDS(2000), 0);
}

/* More than one wait takes words: the server scans. */
TEST_LIMIT(forty_clients, 120)
{
	processes("forty", 40, HARNESS_ROUNDS(200), -1);
}

TEST_LIMIT(more_clients_than_conditions, 120)
{
	enum { N = 150 };
	static struct shmchan_rpc_client c[N];
	struct shmchan_rpc_call call;
	uint32_t i, id;
	pid_t pid;

	(void)test_name("crowd");
	pid = child_fork();
	if (!pid) {
		serve_with(&s, "crowd", SHMCHAN_RPC_OPTS(
			.nr_clients = N, .request_capacity = 4096,
			.reply_capacity = 4096, .spin_ns = -1));
		/* Until a client closes. */
		for (;;) {
			uint64_t value;
			int err = shmchan_rpc_next(&s, &call, &value, 8, -1);

			if (err == -EPIPE)
				break;
			CHECK_EQ(err, 0);
			value++;
			CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, &value, 8,
						   -1), 0);
		}
		shmchan_rpc_server_close(&s);
		child_done();
	}
	for (i = 0; i < N; i++) {
		struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
			.wait_ns = -1, .spin_ns = -1);

		OPEN_PATIENTLY(shmchan_rpc_client_open(&c[i],
						       test_name("crowd"),
						       &opts));
		id = send_one(&c[i], 1, i);
		CHECK_EQ(recv_one(&c[i], id), i + 1);
	}
	/* One after the other, the server asleep each time. */
	for (i = 0; i < 2 * N; i++) {
		id = send_one(&c[i * 67 % N], 1, i);
		CHECK_EQ(recv_one(&c[i * 67 % N], id), i + 1);
		if (i % 50 == 0)
			sleep_ms(5);
	}
	for (i = 0; i < N; i++)
		shmchan_rpc_client_close(&c[i]);
	CHECK_CHILD_OK(pid);
}

/* Fill the replies of a client that does not read. */
static int fill(struct shmchan_rpc_client *c, struct shmchan_rpc_call *call,
		int64_t timeout_ns, uint32_t *full)
{
	static char big[900];
	uint32_t i;
	int err = 0;

	for (i = 0; i < 50 && !err; i++) {
		*full = send_one(c, 1, i);
		CHECK_EQ(next_one(&s, call), i);
		CHECK_EQ(call->id, *full);
		err = shmchan_rpc_reply(&s, call, 0, big, sizeof(big),
					timeout_ns);
	}
	return err;
}

TEST(slow_client_does_not_stop_others)
{
	static struct shmchan_rpc_client slow, fast;
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call stuck, call;
	char buf[1024];
	uint32_t id, full, i, got = 0;

	serve_with(&s, "slow", SHMCHAN_RPC_OPTS(.request_capacity = 4096,
						.reply_capacity = 4096));
	ask(&slow, "slow");
	ask(&fast, "slow");
	CHECK_EQ(fill(&slow, &stuck, 0, &full), -EAGAIN);
	CHECK_EQ(shmchan_rpc_reply(&s, &stuck, 0, buf, 900, 20 * MS),
		 -ETIMEDOUT);
	for (i = 0; i < 100; i++) {
		id = send_one(&fast, 1, i);
		CHECK_EQ(next_one(&s, &call), i);
		CHECK_EQ(call.client, 2);
		reply_one(&s, &call, i);
		CHECK_EQ(recv_one(&fast, id), i);
	}
	/* It was only tried: when the slow one reads, it can be answered. */
	while (!shmchan_rpc_recv(&slow, SHMCHAN_RPC_ANY, buf, sizeof(buf),
				 &reply, 0))
		got++;
	CHECK_EQ(got, full - 1);
	CHECK_EQ(shmchan_rpc_reply(&s, &stuck, 0, buf, 900, 0), 0);
	CHECK_EQ(shmchan_rpc_recv(&slow, full, buf, sizeof(buf), &reply, 0), 0);
	shmchan_rpc_client_close(&slow);
	shmchan_rpc_client_close(&fast);
	shmchan_rpc_server_close(&s);
}

static void slow_is_dropped(int64_t after, int64_t timeout)
{
	static struct shmchan_rpc_client slow;
	struct shmchan_rpc_server_stats stats;
	struct shmchan_rpc_client_stats mine;
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call stuck, call;
	char buf[1024];
	uint32_t full, got = 0, id;
	int err;

	serve_with(&s, "drop", SHMCHAN_RPC_OPTS(.request_capacity = 4096,
						.reply_capacity = 4096,
						.drop_after_ns = after));
	ask(&slow, "drop");
	CHECK_EQ(fill(&slow, &stuck, timeout, &full), -EOVERFLOW);
	CHECK_SAYS(shmchan_error_detail(), "does not read");
	CHECK_EQ(shmchan_rpc_reply(&s, &stuck, 0, buf, 8, 0), -EINVAL);
	shmchan_rpc_server_get_stats(&s, &stats);
	CHECK_EQ(stats.dropped, 1);
	/* The slow one finds what was before it, and is told of it. */
	for (;;) {
		err = shmchan_rpc_recv(&slow, SHMCHAN_RPC_ANY, buf, sizeof(buf),
				       &reply, 0);
		if (err)
			break;
		got++;
	}
	CHECK_EQ(err, -EOVERFLOW);
	CHECK_EQ(reply.id, full);
	CHECK_EQ(got, full - 1);
	CHECK_EQ(shmchan_rpc_pending(&slow), 0);
	shmchan_rpc_client_get_stats(&slow, &mine);
	CHECK_EQ(mine.dropped, 1);
	/* And goes on. */
	id = send_one(&slow, 1, 1);
	CHECK_EQ(next_one(&s, &call), 1);
	reply_one(&s, &call, 2);
	CHECK_EQ(recv_one(&slow, id), 2);
	shmchan_rpc_client_close(&slow);
	shmchan_rpc_server_close(&s);
}

TEST(slow_client_is_dropped_at_once)
{
	slow_is_dropped(-1, -1);
}

TEST(slow_client_is_dropped_after_a_while)
{
	slow_is_dropped(30 * MS, -1);
}

/* A server asleep for want of room is woken by who reads. */
TEST_LIMIT(server_waits_for_room, 60)
{
	static struct shmchan_rpc_client c;
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	static char big[900];
	uint32_t i, n = HARNESS_ROUNDS(2000);
	uint64_t id;
	pid_t pid;

	(void)test_name("room");
	pid = child_fork();
	if (!pid) {
		serve_with(&s, "room", SHMCHAN_RPC_OPTS(
			.request_capacity = 4096, .reply_capacity = 4096));
		next_one(&s, &call);
		for (i = 0; i < n; i++) {
			memcpy(big, &i, 4);
			CHECK_EQ(shmchan_rpc_reply_part(&s, &call, 0, big,
							sizeof(big), -1), 0);
		}
		CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, NULL, 0, -1), 0);
		CHECK_EQ(next_end(&s, &call), -EPIPE);
		shmchan_rpc_server_close(&s);
		child_done();
	}
	ask_with(&c, "room", SHMCHAN_RPC_OPTS(.request_capacity = 4096,
					      .reply_capacity = 4096));
	id = send_one(&c, 1, 0);
	for (i = 0; i < n; i++) {
		if (i % 200 == 0)
			sleep_ms(5);
		CHECK_EQ(shmchan_rpc_recv(&c, (uint32_t)id, big, sizeof(big),
					  &reply, -1), 0);
		CHECK(!memcmp(big, &i, 4));
	}
	CHECK_EQ(shmchan_rpc_recv(&c, (uint32_t)id, big, sizeof(big), &reply,
				  -1), 0);
	shmchan_rpc_client_close(&c);
	CHECK_CHILD_OK(pid);
}

/* So that what is said of the one's calls is not taken for the other's. */
TEST(holders_of_a_seat_number_their_calls_apart)
{
	struct shmchan_rpc_client client;
	uint32_t ids[3], i, k;

	serve_with(&s, "apart", SHMCHAN_RPC_OPTS(.nr_clients = 1));
	for (i = 0; i < 3; i++) {
		ask(&client, "apart");
		ids[i] = send_one(&client, 1, 1);
		for (k = 0; k < i; k++)
			CHECK_NE(ids[k], ids[i]);
		shmchan_rpc_client_close(&client);
	}
	shmchan_rpc_server_close(&s);
}

TEST_MAIN
