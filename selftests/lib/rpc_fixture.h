/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_RPC_FIXTURE_H
#define SHMCHAN_RPC_FIXTURE_H

/* What the tests of services share. */

#include <shmchan/rpc.h>

#include "harness.h"

#define MS	1000000LL
/* A death is told well within this; the local backend looks every 50 ms. */
#define TOLD_NS	(5000 * MS)

/* The seat of somebody who has just died may take a moment. */
#define OPEN_PATIENTLY(open)						\
	do {								\
		uint64_t rpc_begin = now_ns();				\
		int rpc_err;						\
									\
		do {							\
			rpc_err = (open);				\
			if (rpc_err == -EBUSY)				\
				sleep_ms(5);				\
		} while (rpc_err == -EBUSY &&				\
			 now_ns() - rpc_begin < TOLD_NS);		\
		CHECK_EQ(rpc_err, 0);					\
	} while (0)

static inline void serve_with(struct shmchan_rpc_server *s, const char *tag,
			      struct shmchan_rpc_opts opts)
{
	opts.create = 1;
	OPEN_PATIENTLY(shmchan_rpc_server_open(s, test_name(tag), &opts));
}

static inline void serve(struct shmchan_rpc_server *s, const char *tag)
{
	serve_with(s, tag, SHMCHAN_RPC_OPTS());
}

static inline void ask_with(struct shmchan_rpc_client *c, const char *tag,
			    struct shmchan_rpc_opts opts)
{
	opts.create = 1;
	OPEN_PATIENTLY(shmchan_rpc_client_open(c, test_name(tag), &opts));
}

static inline void ask(struct shmchan_rpc_client *c, const char *tag)
{
	ask_with(c, tag, SHMCHAN_RPC_OPTS());
}

static inline uint32_t send_one(struct shmchan_rpc_client *c, uint32_t method,
				uint64_t value)
{
	uint32_t id;

	CHECK_EQ(shmchan_rpc_send(c, method, &value, sizeof(value),
				  SHMCHAN_FOREVER, &id, -1), 0);
	CHECK_NE(id, 0);
	return id;
}

/* Take a request of 8 bytes. */
static inline uint64_t next_one(struct shmchan_rpc_server *s,
				struct shmchan_rpc_call *call)
{
	uint64_t value = 0;

	CHECK_EQ(shmchan_rpc_next(s, call, &value, sizeof(value), -1), 0);
	CHECK_EQ(call->length, sizeof(value));
	CHECK(call->data == &value);
	call->data = NULL;
	return value;
}

static inline void reply_one(struct shmchan_rpc_server *s,
			     const struct shmchan_rpc_call *call,
			     uint64_t value)
{
	CHECK_EQ(shmchan_rpc_reply(s, call, 0, &value, sizeof(value), -1), 0);
}

/* Receive a reply of 8 bytes to that call, and no more. */
static inline uint64_t recv_one(struct shmchan_rpc_client *c, uint32_t id)
{
	struct shmchan_rpc_reply reply;
	uint64_t value = 0;

	CHECK_EQ(shmchan_rpc_recv(c, id, &value, sizeof(value), &reply, -1),
		 0);
	CHECK_EQ(reply.id, id);
	CHECK_EQ(reply.status, 0);
	CHECK_EQ(reply.length, sizeof(value));
	CHECK(!reply.more);
	return value;
}

/* As next() until a client's end is told. */
static inline int next_end(struct shmchan_rpc_server *s,
			   struct shmchan_rpc_call *call)
{
	int err = shmchan_rpc_next(s, call, NULL, 0, TOLD_NS);

	CHECK_NE(err, 0);
	return err;
}

/*
 * A server that answers value with value + 1, until `calls` were answered (0: for
 * ever); clients' ends are none of its business.
 */
static inline void answer(struct shmchan_rpc_server *s, uint64_t calls)
{
	struct shmchan_rpc_call call;
	uint64_t value, n = 0;
	int err;

	while (!calls || n < calls) {
		err = shmchan_rpc_next(s, &call, &value, sizeof(value), -1);
		if (err == -EPIPE || err == -EOWNERDEAD)
			continue;
		CHECK_EQ(err, 0);
		value++;
		err = shmchan_rpc_reply(s, &call, 0, &value, sizeof(value), -1);
		if (err != -EOWNERDEAD && err != -EPIPE)
			CHECK_EQ(err, 0);
		n++;
	}
}

static inline pid_t start_server_with(const char *tag, uint64_t calls,
				      struct shmchan_rpc_opts opts)
{
	struct shmchan_rpc_server s;
	pid_t pid;

	/* The name is that of the process which asks for it first. */
	(void)test_name(tag);
	pid = child_fork();
	if (pid)
		return pid;
	serve_with(&s, tag, opts);
	answer(&s, calls);
	shmchan_rpc_server_close(&s);
	child_done();
}

static inline pid_t start_server(const char *tag, uint64_t calls)
{
	return start_server_with(tag, calls, SHMCHAN_RPC_OPTS());
}

#endif /* SHMCHAN_RPC_FIXTURE_H */
