// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * A service that does sums, and somebody who asks it.
 *
 *	rpc			both, in two processes
 *	rpc serve NAME		the server, until its first client has closed
 *	rpc ask NAME		a client
 *
 * The client makes one call and waits; then has many under way at once, which the
 * server may answer in any order; then one whose reply comes in parts.
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/rpc.h>

enum method { ADD = 1, COUNT_TO = 2 };

#define PIPELINED	100
#define SECOND		1000000000LL

static int failed(const char *what, int ret)
{
	warnx("%s: %s (%s)", what, shmchan_error_detail(), strerror(-ret));
	return 1;
}

/* What one method does; returns as shmchan_rpc_reply(). */
static int serve_one(struct shmchan_rpc_server *s,
		     const struct shmchan_rpc_call *call,
		     const uint64_t *numbers)
{
	uint64_t value = 0;
	size_t i;
	int ret = 0;

	switch (call->method) {
	case ADD:
		for (i = 0; i < call->length / sizeof(*numbers); i++)
			value += numbers[i];
		break;
	case COUNT_TO:
		while (!ret && ++value < numbers[0] &&
		       !shmchan_rpc_cancelled(s, call))
			ret = shmchan_rpc_reply_part(s, call, 0, &value,
						     sizeof(value), SECOND);
		break;
	default:
		/* A status that this service and its clients agree on. */
		return shmchan_rpc_reply(s, call, -1, NULL, 0, SECOND);
	}
	if (ret)
		return ret;
	/* Who does not read for a second is not waited for. */
	return shmchan_rpc_reply(s, call, 0, &value, sizeof(value), SECOND);
}

static int serve(const char *name)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(.create = 1);
	struct shmchan_rpc_server_stats stats;
	struct shmchan_rpc_server s;
	struct shmchan_rpc_call call;
	uint64_t numbers[64];
	int ret;

	ret = shmchan_rpc_server_open(&s, name, &opts);
	if (ret)
		return failed(name, ret);
	for (;;) {
		memset(numbers, 0, sizeof(numbers));
		ret = shmchan_rpc_next(&s, &call, numbers, sizeof(numbers), -1);
		if (ret)
			break;
		ret = serve_one(&s, &call, numbers);
		if (ret)
			warnx("call %u: %s", call.id, shmchan_error_detail());
	}
	/* EPIPE: this client closed.  EOWNERDEAD: it died. */
	if (ret != -EPIPE)
		failed("next", ret);
	shmchan_rpc_server_get_stats(&s, &stats);
	printf("server: %llu calls, %llu replies, slept %llu times\n",
	       (unsigned long long)stats.calls,
	       (unsigned long long)stats.replies,
	       (unsigned long long)stats.waits);
	shmchan_rpc_server_close(&s);
	return ret != -EPIPE;
}

static int one_call(struct shmchan_rpc_client *c)
{
	const uint64_t numbers[3] = { 1, 2, 39 };
	struct shmchan_rpc_reply reply;
	uint64_t sum;
	int ret;

	ret = shmchan_rpc_call(c, ADD, numbers, sizeof(numbers), &sum,
			       sizeof(sum), &reply, 10 * SECOND);
	if (ret)
		return failed("call", ret);
	printf("client: 1 + 2 + 39 = %llu\n", (unsigned long long)sum);
	return sum != 42;
}

static int many_calls(struct shmchan_rpc_client *c)
{
	uint64_t i, numbers[2], value, sum = 0;
	struct shmchan_rpc_reply reply;
	uint32_t id;
	int ret = 0;

	for (i = 0; i < PIPELINED && !ret; i++) {
		numbers[0] = i;
		numbers[1] = 1;
		ret = shmchan_rpc_send(c, ADD, numbers, sizeof(numbers),
				       SHMCHAN_FOREVER, &id, -1);
	}
	while (!ret && shmchan_rpc_pending(c)) {
		ret = shmchan_rpc_recv(c, SHMCHAN_RPC_ANY, &value,
				       sizeof(value), &reply, -1);
		sum += value;
	}
	if (ret)
		return failed("pipelined", ret);
	printf("client: %d calls at once, which add up to %llu\n", PIPELINED,
	       (unsigned long long)sum);
	return sum != PIPELINED * (PIPELINED + 1) / 2;
}

static int streamed(struct shmchan_rpc_client *c)
{
	uint64_t limit = 10, value = 0;
	struct shmchan_rpc_reply reply;
	uint32_t id;
	int ret;

	ret = shmchan_rpc_send(c, COUNT_TO, &limit, sizeof(limit),
			       SHMCHAN_FOREVER, &id, -1);
	printf("client: counting");
	do {
		if (!ret)
			ret = shmchan_rpc_recv(c, id, &value, sizeof(value),
					       &reply, -1);
		if (ret)
			return failed("stream", ret);
		printf(" %llu", (unsigned long long)value);
	} while (reply.more);
	printf("\n");
	return value != limit;
}

static int ask(const char *name)
{
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(.create = 1);
	struct shmchan_rpc_client c;
	int ret;

	ret = shmchan_rpc_client_open(&c, name, &opts);
	if (ret)
		return failed(name, ret);
	ret = one_call(&c) || many_calls(&c) || streamed(&c);
	shmchan_rpc_client_close(&c);
	return ret;
}

static int both(void)
{
	char name[64];
	int status, ret;
	pid_t pid;

	snprintf(name, sizeof(name), "example.%d", (int)getpid());
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		exit(serve(name));
	ret = ask(name);
	if (waitpid(pid, &status, 0) != pid || status)
		ret = 1;
	return ret;
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return both();
	if (argc == 3 && !strcmp(argv[1], "serve"))
		return serve(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "ask"))
		return ask(argv[2]);
	fprintf(stderr, "usage: rpc [serve|ask NAME]\n");
	return 2;
}
