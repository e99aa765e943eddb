// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan bench: what is measured. */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <shmchan/fanin.h>
#include <shmchan/pubsub.h>
#include <shmchan/rpc.h>
#include <shmchan/spsc.h>

#include "bench.h"
#include "message.h"

/* Nothing takes so long unless a process is gone. */
#define TIMEOUT_NS	20000000000LL
#define MOST_CHILDREN	2
#define AT_ONCE		64	/* calls under way */
#define STEP		64	/* messages between two looks at the clock */

/* One end of a channel of whatever pattern. */
struct end {
	int many;
	struct shmchan_spsc ch;
	struct shmchan_sender tx;
	struct shmchan_receiver rx;
};

/* Names of our own: the process that measures, and which channel. */
static const char *name_of(char *buffer, size_t size, int pid, int which)
{
	snprintf(buffer, size, "bench.%d.%d", pid, which);
	return buffer;
}

static int library_error(const struct bench *b, int err)
{
	return tool_library_error(b->command, err);
}

static uint64_t capacity_for(const struct bench *b)
{
	uint64_t wanted = 64 * (b->size + 16);

	return wanted < 1U << 20 ? 1U << 20 : wanted;
}

static int open_end(const struct bench *b, struct end *e, const char *name,
		    int sender)
{
	struct shmchan_spsc_opts one = SHMCHAN_SPSC_OPTS(
		.role = sender ? SHMCHAN_SENDER : SHMCHAN_RECEIVER,
		.create = 1, .backend = b->backend,
		.capacity = capacity_for(b));
	struct shmchan_channel_opts many = SHMCHAN_FANIN_OPTS(
		.create = 1, .nr_senders = 2);

	if (b->pattern == BENCH_PUBSUB)
		many = SHMCHAN_PUBSUB_OPTS(.create = 1, .nr_receivers = 2);
	many.backend = b->backend;
	many.capacity = capacity_for(b);
	memset(e, 0, sizeof(*e));
	e->many = b->pattern != BENCH_SPSC;
	if (!e->many)
		return shmchan_spsc_open(&e->ch, name, &one);
	return sender ? shmchan_sender_open(&e->tx, name, &many) :
			shmchan_receiver_open(&e->rx, name, &many);
}

static void close_end(struct end *e, int sender)
{
	if (!e->many)
		shmchan_spsc_close(&e->ch);
	else if (sender)
		shmchan_sender_close(&e->tx);
	else
		shmchan_receiver_close(&e->rx);
}

static int wait_peers(struct end *e, uint32_t nr)
{
	return e->many ? shmchan_sender_wait_peers(&e->tx, nr, TIMEOUT_NS) :
			 shmchan_spsc_wait_peer(&e->ch, TIMEOUT_NS);
}

static inline int put(const struct bench *b, struct end *e)
{
	return e->many ? shmchan_send(&e->tx, b->buffer, b->size, 0, 0,
				      TIMEOUT_NS) :
			 shmchan_spsc_send(&e->ch, b->buffer, b->size, 0, 0,
					   TIMEOUT_NS);
}

static inline int get(const struct bench *b, struct end *e)
{
	return e->many ? shmchan_recv(&e->rx, b->buffer, b->size, NULL,
				      TIMEOUT_NS) :
			 shmchan_spsc_recv(&e->ch, b->buffer, b->size, NULL,
					   NULL, TIMEOUT_NS);
}

static int is_end(int err)
{
	return err == -EPIPE || err == -EOWNERDEAD;
}

/* ---- A bare cache line ---- */

static void await_word(const struct bench *b, const uint64_t *word,
		       uint64_t value)
{
	while (shmchan_load_acquire((uint64_t *)word) != value) {
		if (b->nr_cpus < 2)
			sched_yield();
		else
			shmchan_cpu_relax();
	}
}

static int raw_peer(struct bench *b, int arg)
{
	uint64_t n;

	(void)arg;
	for (n = 1;; n++) {
		await_word(b, &b->shared->ping, n);
		shmchan_store_release(&b->shared->pong, n);
	}
	return 0;
}

int bench_raw(struct bench *b, int64_t ns)
{
	uint64_t begin, now, before, n;
	int pid, status;

	b->shared->ping = b->shared->pong = 0;
	status = bench_fork(b, 1, raw_peer, 0, &pid);
	if (status)
		return status;
	begin = now = monotonic_ns();
	for (n = 1; now - begin < (uint64_t)ns; n++) {
		before = now;
		shmchan_store_release(&b->shared->ping, n);
		await_word(b, &b->shared->pong, n);
		now = monotonic_ns();
		/* The first one waits for its process. */
		if (n > 1)
			bench_sample(&b->raw, now - before);
	}
	kill(pid, SIGKILL);
	(void)bench_reap(pid);
	return 0;
}

/* ---- There and back ---- */

static int echo_peer(struct bench *b, int parent)
{
	char name[32];
	struct end in, out;
	int err;

	err = open_end(b, &in, name_of(name, sizeof(name), parent, 0), 0);
	if (err)
		return library_error(b, err);
	err = open_end(b, &out, name_of(name, sizeof(name), parent, 1), 1);
	if (!err)
		err = wait_peers(&out, 1);
	while (!err) {
		err = get(b, &in);
		if (!err)
			err = put(b, &out);
	}
	if (!is_end(err))
		return library_error(b, err);
	close_end(&in, 0);
	close_end(&out, 1);
	return 0;
}

static int serve_peer(struct bench *b, int parent)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
		.create = 1, .nr_clients = 1, .backend = b->backend,
		.request_capacity = capacity_for(b),
		.reply_capacity = capacity_for(b));
	struct shmchan_rpc_server server;
	struct shmchan_rpc_call call;
	char name[32];
	int err;

	err = shmchan_rpc_server_open(&server,
				      name_of(name, sizeof(name), parent, 0),
				      &opts);
	while (!err) {
		err = shmchan_rpc_next(&server, &call, b->buffer, b->size,
				       TIMEOUT_NS);
		if (!err)
			err = shmchan_rpc_reply(&server, &call, 0, b->buffer,
						call.length, TIMEOUT_NS);
	}
	if (!is_end(err))
		return library_error(b, err);
	shmchan_rpc_server_close(&server);
	return 0;
}

static int open_client(const struct bench *b, struct shmchan_rpc_client *client)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(
		.create = 1, .nr_clients = 1, .backend = b->backend,
		.request_capacity = capacity_for(b),
		.reply_capacity = capacity_for(b));
	char name[32];

	return shmchan_rpc_client_open(client,
				       name_of(name, sizeof(name), getpid(), 0),
				       &opts);
}

/* What goes there and back. */
struct trip {
	struct end out, in;
	struct shmchan_rpc_client client;
};

static inline int one_trip(const struct bench *b, struct trip *t)
{
	struct shmchan_rpc_reply reply;
	int err;

	if (b->pattern == BENCH_RPC)
		return shmchan_rpc_call(&t->client, 0, b->buffer, b->size,
					b->buffer, b->size, &reply, TIMEOUT_NS);
	err = put(b, &t->out);
	return err ? err : get(b, &t->in);
}

static int open_trip(const struct bench *b, struct trip *t)
{
	char name[32];
	int err;

	if (b->pattern == BENCH_RPC)
		return open_client(b, &t->client);
	err = open_end(b, &t->out, name_of(name, sizeof(name), getpid(), 0), 1);
	if (err)
		return err;
	err = open_end(b, &t->in, name_of(name, sizeof(name), getpid(), 1), 0);
	if (!err)
		err = wait_peers(&t->out, 1);
	return err;
}

static void close_trip(const struct bench *b, struct trip *t)
{
	if (b->pattern == BENCH_RPC) {
		shmchan_rpc_client_close(&t->client);
		return;
	}
	close_end(&t->out, 1);
	close_end(&t->in, 0);
}

int bench_trips(struct bench *b)
{
	uint64_t begin, now, before, n;
	static struct trip t;
	int pid, err, status;

	status = bench_fork(b, 1, b->pattern == BENCH_RPC ? serve_peer :
							    echo_peer,
			    getpid(), &pid);
	if (status)
		return status;
	err = open_trip(b, &t);
	begin = now = monotonic_ns();
	for (n = 0; !err && now - begin < (uint64_t)b->ns; n++) {
		before = now;
		err = one_trip(b, &t);
		now = monotonic_ns();
		if (n)
			bench_sample(&b->trips, now - before);
	}
	if (err) {
		kill(pid, SIGKILL);
		status = library_error(b, err);
		(void)bench_reap(pid);
		return status;
	}
	close_trip(b, &t);
	return bench_reap(pid);
}

/* ---- As many as there can be ---- */

static int flood(struct bench *b, int parent)
{
	uint32_t peers = b->pattern == BENCH_PUBSUB ? 2 : 1;
	char name[32];
	struct end out;
	int err;

	err = open_end(b, &out, name_of(name, sizeof(name), parent, 2), 1);
	if (!err)
		err = wait_peers(&out, peers);
	while (!err && !shmchan_load_relaxed(&b->shared->stop))
		err = put(b, &out);
	if (err && !is_end(err))
		return library_error(b, err);
	close_end(&out, 1);
	return 0;
}

static int drain(struct bench *b, int parent)
{
	char name[32];
	struct end in;
	int err;

	err = open_end(b, &in, name_of(name, sizeof(name), parent, 2), 0);
	while (!err)
		err = get(b, &in);
	if (!is_end(err))
		return library_error(b, err);
	close_end(&in, 0);
	return 0;
}

/* Messages per second that come out here. */
static int count(struct bench *b, struct end *in)
{
	uint64_t begin, now, nr = 0;
	int i, err;

	err = get(b, in);
	begin = now = monotonic_ns();
	while (!err && now - begin < (uint64_t)b->ns) {
		for (i = 0; i < STEP && !err; i++)
			err = get(b, in);
		nr += STEP;
		now = monotonic_ns();
	}
	b->per_second = (double)nr * 1e9 / (double)(now - begin);
	return err;
}

static int rate_of_channel(struct bench *b, struct end *in)
{
	int senders = b->pattern == BENCH_FANIN ? 2 : 1, err;
	char name[32];

	err = open_end(b, in, name_of(name, sizeof(name), getpid(), 2), 0);
	if (!err)
		err = count(b, in);
	shmchan_store_relaxed(&b->shared->stop, 1U);
	/* To their ends: they may be waiting for room. */
	while (!err && senders) {
		err = get(b, in);
		if (err == -EPIPE) {
			senders--;
			err = 0;
		}
	}
	if (err)
		return library_error(b, err);
	close_end(in, 0);
	return 0;
}

static int rate_of_calls(struct bench *b)
{
	static struct shmchan_rpc_client client;
	struct shmchan_rpc_reply reply;
	uint64_t begin, now, nr = 0;
	uint32_t id;
	int err;

	err = open_client(b, &client);
	begin = now = monotonic_ns();
	while (!err) {
		while (!err && shmchan_rpc_pending(&client) < AT_ONCE &&
		       now - begin < (uint64_t)b->ns)
			err = shmchan_rpc_send(&client, 0, b->buffer, b->size,
					       SHMCHAN_FOREVER, &id,
					       TIMEOUT_NS);
		if (err || !shmchan_rpc_pending(&client))
			break;
		err = shmchan_rpc_recv(&client, SHMCHAN_RPC_ANY, b->buffer,
				       b->size, &reply, TIMEOUT_NS);
		if (!(++nr % STEP))
			now = monotonic_ns();
	}
	now = monotonic_ns();
	b->per_second = (double)nr * 1e9 / (double)(now - begin);
	if (err)
		return library_error(b, err);
	shmchan_rpc_client_close(&client);
	return 0;
}

int bench_rate(struct bench *b)
{
	int pids[MOST_CHILDREN] = { 0, 0 }, status, ended, i;
	static struct end in;

	b->shared->stop = 0;
	status = bench_fork(b, 1, b->pattern == BENCH_RPC ? serve_peer : flood,
			    getpid(), &pids[0]);
	if (!status && b->pattern == BENCH_FANIN)
		status = bench_fork(b, 2, flood, getpid(), &pids[1]);
	if (!status && b->pattern == BENCH_PUBSUB)
		status = bench_fork(b, 2, drain, getpid(), &pids[1]);
	if (!status)
		status = b->pattern == BENCH_RPC ? rate_of_calls(b) :
						   rate_of_channel(b, &in);
	for (i = 0; i < MOST_CHILDREN; i++) {
		if (!pids[i])
			continue;
		if (status)
			kill(pids[i], SIGKILL);
		ended = bench_reap(pids[i]);
		if (!status)
			status = ended;
	}
	return status;
}
