// SPDX-License-Identifier: GPL-2.0-only

/* Both ends of services in sets and event loops. */

#include <poll.h>

#include <shmchan/loop.h>

#include "rpc_fixture.h"

#define SERVICES	2
/* More clients than one wait takes words. */
#define CLIENTS		40

static struct shmchan_rpc_opts small(uint32_t nr_clients)
{
	return SHMCHAN_RPC_OPTS(.nr_clients = nr_clients,
				.request_capacity = 4096,
				.reply_capacity = 4096);
}

struct pair {
	struct shmchan_rpc_server s;
	struct shmchan_rpc_client c;
	int server_id;
	int client_id;
};

static void open_pairs(struct pair *pairs)
{
	static const char *const tags[SERVICES] = { "one", "two" };
	int i;

	for (i = 0; i < SERVICES; i++) {
		serve_with(&pairs[i].s, tags[i], small(8));
		ask_with(&pairs[i].c, tags[i], small(8));
	}
}

static void close_pairs(struct pair *pairs)
{
	int i;

	for (i = 0; i < SERVICES; i++) {
		shmchan_rpc_client_close(&pairs[i].c);
		shmchan_rpc_server_close(&pairs[i].s);
	}
}

static struct shmchan_set *set_of(struct pair *pairs)
{
	struct shmchan_set *set;
	int i;

	CHECK_EQ(shmchan_set_create(&set), 0);
	for (i = 0; i < SERVICES; i++) {
		pairs[i].server_id = shmchan_set_add_rpc_server(set,
						&pairs[i].s, &pairs[i].s);
		pairs[i].client_id = shmchan_set_add_rpc_client(set,
						&pairs[i].c, &pairs[i].c);
		CHECK_GE(pairs[i].server_id, 0);
		CHECK_GE(pairs[i].client_id, 0);
	}
	return set;
}

/* Nobody has anything: what comes by itself (members) may take a turn. */
static void drain(struct pair *pairs)
{
	struct shmchan_rpc_call call;
	int i;

	for (i = 0; i < SERVICES; i++)
		CHECK_EQ(shmchan_rpc_next(&pairs[i].s, &call, NULL, 0, 0),
			 -EAGAIN);
}

/* That one, and no other. */
static void only(struct shmchan_set *set, int id, const void *data)
{
	struct shmchan_ready ready[2 * SERVICES];

	CHECK_EQ(shmchan_set_wait(set, ready, 2 * SERVICES, TOLD_NS), 1);
	CHECK_EQ(ready[0].id, id);
	CHECK_EQ(ready[0].error, 0);
	CHECK(ready[0].data == data);
}

TEST(a_set_of_both_ends)
{
	struct shmchan_ready ready[2 * SERVICES];
	static struct pair pairs[SERVICES];
	struct shmchan_rpc_call call;
	struct shmchan_set *set;
	struct pair *p;
	uint64_t n;
	uint32_t id;

	open_pairs(pairs);
	set = set_of(pairs);
	drain(pairs);
	CHECK_EQ(shmchan_set_wait(set, ready, 4, 10 * MS), -ETIMEDOUT);
	for (n = 0; n < 200; n++) {
		p = &pairs[n % SERVICES];
		id = send_one(&p->c, 1, n);
		only(set, p->server_id, &p->s);
		CHECK_EQ(next_one(&p->s, &call), n);
		CHECK_EQ(shmchan_set_wait(set, ready, 4, 0), -EAGAIN);
		reply_one(&p->s, &call, n + 1);
		only(set, p->client_id, &p->c);
		CHECK_EQ(recv_one(&p->c, id), n + 1);
		CHECK_EQ(shmchan_set_wait(set, ready, 4, 0), -EAGAIN);
	}
	/* It is no channel whose words anybody else knows. */
	CHECK_EQ(shmchan_set_expect(set, pairs[0].server_id, 1), -EINVAL);
	CHECK_EQ(shmchan_set_remove(set, pairs[0].server_id), 0);
	(void)send_one(&pairs[0].c, 1, 1);
	CHECK_EQ(shmchan_set_wait(set, ready, 4, 10 * MS), -ETIMEDOUT);
	shmchan_set_close(set);
	close_pairs(pairs);
}

/* Asleep, and woken by others, who then die. */
TEST(others_come_and_go)
{
	static struct pair pairs[SERVICES];
	struct shmchan_ready ready[4];
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	struct shmchan_set *set;
	uint64_t value, n;
	int err;
	pid_t pid;

	open_pairs(pairs);
	set = set_of(pairs);
	drain(pairs);
	pid = child_fork();
	if (!pid) {
		struct shmchan_rpc_client c;

		ask_with(&c, "two", small(8));
		for (n = 0; n < 20; n++) {
			sleep_ms(3);
			value = n;
			CHECK_EQ(shmchan_rpc_call(&c, 1, &value, 8, &value, 8,
						  &reply, TOLD_NS), 0);
			CHECK_EQ(value, n + 1);
		}
		raise(SIGKILL);
	}
	for (n = 0; n < 20;) {
		only(set, pairs[1].server_id, &pairs[1].s);
		/* For its coming as well. */
		err = shmchan_rpc_next(&pairs[1].s, &call, &value, 8, 0);
		if (err == -EAGAIN)
			continue;
		CHECK_EQ(err, 0);
		CHECK_EQ(value, n++);
		reply_one(&pairs[1].s, &call, n);
	}
	do {
		CHECK_EQ(shmchan_set_wait(set, ready, 4, TOLD_NS), 1);
		CHECK_EQ(ready[0].id, pairs[1].server_id);
		err = shmchan_rpc_next(&pairs[1].s, &call, NULL, 0, 0);
	} while (err == -EAGAIN);
	CHECK_EQ(err, -EOWNERDEAD);
	child_wait(pid);
	shmchan_set_close(set);
	close_pairs(pairs);
}

/* The end of a server is the end of the calls that it has. */
TEST(the_server_dies)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_ready ready[1];
	struct shmchan_rpc_client c;
	struct shmchan_set *set;
	uint64_t value = 7;
	uint32_t id;
	pid_t pid;

	(void)test_name("dies");
	pid = child_fork();
	if (!pid) {
		struct shmchan_rpc_server s;
		struct shmchan_rpc_call call;

		serve_with(&s, "dies", small(2));
		(void)next_one(&s, &call);
		reply_one(&s, &call, 1);
		(void)next_one(&s, &call);
		sleep_ms(20);
		raise(SIGKILL);
	}
	ask_with(&c, "dies", small(2));
	CHECK_EQ(shmchan_set_create(&set), 0);
	CHECK_EQ(shmchan_set_add_rpc_client(set, &c, NULL), 0);
	id = send_one(&c, 1, 1);
	CHECK_EQ(shmchan_set_wait(set, ready, 1, TOLD_NS), 1);
	CHECK_EQ(recv_one(&c, id), 1);
	/* Without a call there is nothing to tell, nor to wait for. */
	CHECK_EQ(shmchan_set_wait(set, ready, 1, 5 * MS), -ETIMEDOUT);
	id = send_one(&c, 1, 2);
	CHECK_EQ(shmchan_set_wait(set, ready, 1, TOLD_NS), 1);
	CHECK_EQ(shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, &value, 8, &reply, 0),
		 -EOWNERDEAD);
	CHECK_EQ(reply.id, id);
	child_wait(pid);
	CHECK_EQ(shmchan_set_wait(set, ready, 1, 5 * MS), -ETIMEDOUT);
	shmchan_set_close(set);
	shmchan_rpc_client_close(&c);
}

/* Nobody waits for it any more: so nobody is woken, and nothing stays in the way. */
TEST(late_replies_are_nothing)
{
	struct shmchan_cond conds[SHMCHAN_RPC_CLIENT_CONDS];
	struct shmchan_rpc_call call;
	struct shmchan_ready ready[1];
	struct shmchan_rpc_client c;
	struct shmchan_rpc_server s;
	struct shmchan_set *set;
	uint64_t value = 1;
	uint32_t id, n;

	serve_with(&s, "late", small(2));
	ask_with(&c, "late", small(2));
	CHECK_EQ(shmchan_set_create(&set), 0);
	CHECK_EQ(shmchan_set_add_rpc_client(set, &c, NULL), 0);
	for (n = 0; n < 300; n++) {
		id = send_one(&c, 1, n);
		(void)next_one(&s, &call);
		/* A part, so that it was there before the call was taken back. */
		CHECK_EQ(shmchan_rpc_reply_part(&s, &call, 0, &value, 8, 0), 0);
		CHECK_EQ(shmchan_rpc_client_conds(&c, conds), -EAGAIN);
		CHECK_EQ(shmchan_rpc_cancel(&c, id), 0);
		CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, &value, 8, 0),
			 -ECANCELED);
		CHECK_EQ(shmchan_rpc_client_conds(&c, conds), 0);
		CHECK_EQ(shmchan_set_wait(set, ready, 1, 0), -EAGAIN);
	}
	shmchan_set_close(set);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

/* Calls that were dropped, as nobody read: the client is told of each. */
TEST(dropped_calls_are_told)
{
	struct shmchan_cond conds[SHMCHAN_RPC_CLIENT_CONDS];
	struct shmchan_rpc_opts opts = small(2);
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_call call;
	struct shmchan_rpc_client c;
	struct shmchan_rpc_server s;
	uint32_t id, sent, over = 0, replies = 0;
	char piece[900];
	int err = 0;

	memset(piece, 7, sizeof(piece));
	opts.drop_after_ns = -1;
	serve_with(&s, "drop", opts);
	ask_with(&c, "drop", opts);
	for (sent = 0; sent < 8; sent++) {
		id = send_one(&c, 1, sent);
		CHECK_NE(id, 0);
		(void)next_one(&s, &call);
		err = shmchan_rpc_reply(&s, &call, 0, piece, sizeof(piece), 0);
	}
	CHECK_EQ(err, -EOVERFLOW);
	while (shmchan_rpc_pending(&c)) {
		CHECK_EQ(shmchan_rpc_client_conds(&c, conds), -EAGAIN);
		err = shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, piece,
				       sizeof(piece), &reply, 0);
		replies += !err;
		over += err == -EOVERFLOW;
		CHECK(!err || err == -EOVERFLOW);
	}
	CHECK_GT(replies, 0);
	CHECK_GT(over, 0);
	CHECK_EQ(replies + over, sent);
	CHECK_EQ(shmchan_rpc_client_conds(&c, conds), 0);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

static int readable(int fd, int ms)
{
	struct pollfd pfd = { fd, POLLIN, 0 };

	return poll(&pfd, 1, ms);
}

static void arm(struct shmchan_set *set, struct pair *pairs)
{
	int err = -EAGAIN, tries;

	for (tries = 0; tries < 20 && err; tries++) {
		CHECK_EQ(shmchan_set_ack(set), 0);
		err = shmchan_set_arm(set);
		if (!err)
			break;
		CHECK_EQ(err, -EAGAIN);
		drain(pairs);
	}
	CHECK_EQ(err, 0);
}

/* The contract of every file: drain, arm, sleep, ack. */
TEST(the_file_of_a_set)
{
	struct shmchan_ready ready[2 * SERVICES];
	static struct pair pairs[SERVICES];
	struct shmchan_rpc_call call;
	struct shmchan_set *set;
	struct pair *p;
	uint64_t n;
	uint32_t id;
	int fd;

	open_pairs(pairs);
	set = set_of(pairs);
	fd = shmchan_set_fd(set);
	if (fd == -ENOTSUP)
		SKIP("no file of a set: %s", shmchan_error_detail());
	CHECK_GE(fd, 0);
	for (n = 0; n < 60; n++) {
		p = &pairs[n % SERVICES];
		arm(set, pairs);
		id = send_one(&p->c, 1, n);
		CHECK_EQ(readable(fd, 5000), 1);
		CHECK_EQ(shmchan_set_ack(set), 0);
		CHECK_EQ(shmchan_set_wait(set, ready, 4, 0), 1);
		CHECK(ready[0].data == &p->s);
		CHECK_EQ(next_one(&p->s, &call), n);
		arm(set, pairs);
		reply_one(&p->s, &call, n);
		CHECK_EQ(readable(fd, 5000), 1);
		CHECK_EQ(shmchan_set_ack(set), 0);
		CHECK_EQ(shmchan_set_wait(set, ready, 4, 0), 1);
		CHECK(ready[0].data == &p->c);
		/* Something is there: it is not armed, and says so. */
		CHECK_EQ(shmchan_set_arm(set), -EAGAIN);
		CHECK_EQ(recv_one(&p->c, id), n);
	}
	shmchan_set_close(set);
	close_pairs(pairs);
}

/* A server that sleeps on its own region's file, of more clients than words. */
TEST(the_file_of_a_region)
{
	static struct shmchan_rpc_client c[CLIENTS];
	struct shmchan_cond conds[SHMCHAN_RPC_SERVER_CONDS];
	struct shmchan_rpc_call call;
	struct shmchan_rpc_server s;
	uint32_t id;
	uint64_t n;
	int i, fd;

	serve_with(&s, "file", small(CLIENTS));
	for (i = 0; i < CLIENTS; i++)
		ask_with(&c[i], "file", small(CLIENTS));
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	CHECK_EQ(shmchan_rpc_server_conds(&s, conds), 0);
	CHECK_EQ(shmchan_wait_many(conds, SHMCHAN_RPC_SERVER_CONDS,
				   shmchan_deadline(MS), NULL), -ETIMEDOUT);
	id = send_one(&c[CLIENTS - 1], 1, 1);
	CHECK_EQ(shmchan_wait_many(conds, SHMCHAN_RPC_SERVER_CONDS,
				   shmchan_deadline(TOLD_NS), NULL), 0);
	CHECK_EQ(shmchan_rpc_server_conds(&s, conds), -EAGAIN);
	CHECK_EQ(next_one(&s, &call), 1);
	reply_one(&s, &call, 2);
	CHECK_EQ(recv_one(&c[CLIENTS - 1], id), 2);
	if (!on_kmod()) {
		CHECK_EQ(shmchan_rpc_server_arm(&s), -ENOTSUP);
		CHECK_EQ(shmchan_rpc_server_ack(&s), -ENOTSUP);
		CHECK_EQ(shmchan_rpc_client_arm(&c[0]), -ENOTSUP);
		CHECK_EQ(shmchan_rpc_client_ack(&c[0]), -ENOTSUP);
	}
	for (n = 0; n < 30 && on_kmod(); n++) {
		i = (int)(n * 7 % CLIENTS);
		fd = shmchan_region_fd(s.region);
		CHECK_EQ(shmchan_rpc_server_arm(&s), 0);
		CHECK_EQ(shmchan_rpc_server_ack(&s), 0);
		CHECK_EQ(shmchan_rpc_server_arm(&s), 0);
		CHECK_EQ(readable(fd, 0), 0);
		id = send_one(&c[i], 1, n);
		CHECK_EQ(readable(fd, 5000), 1);
		CHECK_EQ(shmchan_rpc_server_arm(&s), -EAGAIN);
		CHECK_EQ(shmchan_rpc_server_ack(&s), 0);
		CHECK_EQ(next_one(&s, &call), n);
		/* And the client on its own. */
		fd = shmchan_region_fd(c[i].region);
		CHECK_EQ(shmchan_rpc_client_arm(&c[i]), 0);
		CHECK_EQ(readable(fd, 0), 0);
		reply_one(&s, &call, n);
		CHECK_EQ(readable(fd, 5000), 1);
		CHECK_EQ(shmchan_rpc_client_arm(&c[i]), -EAGAIN);
		CHECK_EQ(shmchan_rpc_client_ack(&c[i]), 0);
		CHECK_EQ(recv_one(&c[i], id), n);
	}
	for (i = 0; i < CLIENTS; i++)
		shmchan_rpc_client_close(&c[i]);
	shmchan_rpc_server_close(&s);
}

TEST(what_is_none_is_refused)
{
	struct shmchan_cond conds[SHMCHAN_RPC_CLIENT_CONDS];
	struct shmchan_rpc_client c;
	struct shmchan_rpc_server s;
	struct shmchan_set *set;
	pid_t pid;

	serve_with(&s, "none", small(2));
	ask_with(&c, "none", small(2));
	CHECK_EQ(shmchan_set_create(&set), 0);
	CHECK_EQ(shmchan_set_add_rpc_server(set, NULL, NULL), -EINVAL);
	CHECK_EQ(shmchan_set_add_rpc_client(set, NULL, NULL), -EINVAL);
	CHECK_EQ(shmchan_set_add_rpc_server(NULL, &s, NULL), -EINVAL);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_rpc_server_conds(&s, conds), -EOWNERDEAD);
		CHECK_EQ(shmchan_rpc_client_conds(&c, conds), -EOWNERDEAD);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
	CHECK_EQ(shmchan_rpc_server_conds(&s, conds), -EINVAL);
	CHECK_EQ(shmchan_rpc_client_arm(&c), -EINVAL);
	CHECK_EQ(shmchan_set_add_rpc_server(set, &s, NULL), -EINVAL);
	shmchan_set_close(set);
}

/* As the test of channels of that name. */
TEST(ringer_dies_amid_a_ring)
{
	struct shmchan_cond conds[SHMCHAN_RPC_SERVER_CONDS];
	struct shmchan_rpc_server s;
	struct shmchan_rpc_call call;
	uint32_t *waiters;

	LOCAL_ONLY("the kernel does both under a lock");
	serve(&s, "amid");
	CHECK_EQ(shmchan_rpc_next(&s, &call, NULL, 0, 0), -EAGAIN);
	waiters = &shmchan_doorbell_status(s.region, 1)->waiters;
	CHECK_EQ(shmchan_rpc_server_conds(&s, conds), 0);
	CHECK_EQ(shmchan_exchange(waiters, 0), 1);
	CHECK_EQ(shmchan_rpc_server_conds(&s, conds), 0);
	CHECK_EQ(shmchan_load_seq_cst(waiters), 1);
	shmchan_rpc_server_close(&s);
}

TEST_MAIN
