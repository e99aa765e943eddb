// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan call: a request to a service, and what it replies. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shmchan/rpc.h>

#include "message.h"

#define FIRST_ROOM	65536

static const char help[] =
	"call NAME [OPTION]... [REQUEST]\n\n"
	"Sends REQUEST, or standard input, to the service NAME (shmchan serve NAME), and\n"
	"prints the reply.\n\n"
	"  -m, --method NUMBER  goes with the request (0)\n"
	"  -s, --server-streaming  print each part of a reply that comes in parts, as it\n"
	"                       comes; else that fails\n"
	"  -f, --fail-fast      if no server is there, fail and do not wait for one\n"
	"  -j, --json           a JSON object for each reply or part, with status, more,\n"
	"                       length, and data or base64\n"
	SOCKET_HELP
	COMMON_HELP
	"exit status: that of the reply, as the service gave it (255 if it is none from 0\n"
	"to 254). Without a reply, which is told on standard error: 1 something failed; 2\n"
	"usage; 3 the server died, and whether it had done it is not known; 4 timeout; 5 no\n"
	"such name; 6 no permission; 7 the server left; 8 no seat is free; 9 we were revoked.\n";

static const struct option options[] = {
	{ "method", required_argument, NULL, 'm' },
	{ "server-streaming", no_argument, NULL, 's' },
	{ "fail-fast", no_argument, NULL, 'f' },
	{ "json", no_argument, NULL, 'j' },
	SOCKET_OPTION,
	COMMON_OPTIONS,
};

struct call {
	struct common common;
	struct shmchan_rpc_client client;
	struct shmchan_rpc_reply reply;
	uint64_t method;
	int streaming;
	int fail_fast;
	int json;
	const char *request;
	size_t length;
	void *buffer;
	size_t size;
};

static int parse(struct call *c, int argc, char **argv)
{
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv,
				"m:sfj" COMMON_LETTERS, options, NULL)) != -1) {
		if (letter == 'm')
			status = option_number(c->common.command, "method",
					       optarg, 0, UINT32_MAX,
					       &c->method);
		else if (letter == 's')
			c->streaming = 1;
		else if (letter == 'f')
			c->fail_fast = 1;
		else if (letter == 'j')
			c->json = 1;
		else
			status = common_option(&c->common, letter, optarg);
	}
	if (status < 0)
		status = common_name(&c->common, argc, argv);
	if (status < 0 && optind < argc) {
		c->request = argv[optind++];
		c->length = strlen(c->request);
	}
	return status < 0 ? common_no_more(&c->common, argc, argv) : status;
}

static int failed(const struct call *c, int err)
{
	const struct common *o = &c->common;

	switch (-err) {
	case EOWNERDEAD:
		tool_fail(o->command,
			  "%s: the server died: the request was done once or not at all",
			  o->name);
		break;
	case EPIPE:
		tool_fail(o->command,
			  "%s: the server left: the request was done once or not at all",
			  o->name);
		break;
	case ETIMEDOUT:
	case ETIME:
		tool_fail(o->command, "%s: no reply in %g s", o->name,
			  (double)o->timeout_ns / 1e9);
		return TOOL_TIMEOUT;
	case EAGAIN:
		tool_fail(o->command, "%s: no server is there", o->name);
		return TOOL_CLOSED;
	default:
		tool_fail(o->command, "%s: %s", o->name,
			  shmchan_error_detail());
	}
	return tool_status(err);
}

static void print(const struct call *c)
{
	const struct shmchan_rpc_reply *r = &c->reply;

	if (!c->json) {
		fwrite(c->buffer, 1, r->length, stdout);
		return;
	}
	printf("{\"status\":%" PRId32 ",\"more\":%s,\"length\":%zu,", r->status,
	       r->more ? "true" : "false", r->length);
	message_json(stdout, c->buffer, r->length);
	fputs("}\n", stdout);
}

/* What is left of the time for all of it; -1: for ever. */
static int64_t left(uint64_t deadline)
{
	uint64_t now = monotonic_ns();

	if (deadline == SHMCHAN_FOREVER)
		return -1;
	return now < deadline ? (int64_t)(deadline - now) : 0;
}

/* All replies: 0 and the last one's status, or a negative errno. */
static int receive(struct call *c, uint32_t id, uint64_t deadline)
{
	int err;

	for (;;) {
		err = shmchan_rpc_recv(&c->client, id, c->buffer, c->size,
				       &c->reply, left(deadline));
		if (err == -EMSGSIZE) {
			if (buffer_grow(c->common.command, &c->buffer,
					&c->size, c->reply.length))
				return -ENOMEM;
			continue;
		}
		/* A try of no time at all. */
		if (err == -EAGAIN)
			err = -ETIMEDOUT;
		if (err)
			return err;
		if (c->reply.more && !c->streaming) {
			(void)shmchan_rpc_cancel(&c->client, id);
			return -EPROTO;
		}
		print(c);
		if (!c->reply.more)
			return 0;
		/* Each part when it comes. */
		if (tool_flush(c->common.command))
			return -EIO;
	}
}

static int do_call(struct call *c)
{
	int64_t timeout_ns = c->common.timeout_ns;
	uint64_t deadline = timeout_ns < 0 ? SHMCHAN_FOREVER :
					     shmchan_deadline(timeout_ns);
	uint32_t id;
	int err;

	err = shmchan_rpc_send(&c->client, (uint32_t)c->method, c->request,
			       c->length, deadline, &id, timeout_ns);
	if (!err)
		err = receive(c, id, deadline);
	if (err == -EIO)
		return TOOL_FAILED;
	if (err == -EPROTO && c->reply.more)
		return tool_fail(c->common.command,
			"%s: the reply comes in parts: --server-streaming prints them",
			c->common.name);
	if (err)
		return failed(c, err);
	if (tool_flush(c->common.command))
		return TOOL_FAILED;
	return c->reply.status < 0 || c->reply.status > 254 ?
	       255 : c->reply.status;
}

/* 0 or a negative errno; or the exit status, after a message. */
static int enter(struct call *c, const struct shmchan_rpc_opts *opts)
{
	int fd, err, status;

	if (!c->common.socket)
		return shmchan_rpc_client_open(&c->client, c->common.name, opts);
	fd = common_fetch(&c->common, &status);
	if (fd < 0)
		return status;
	err = shmchan_rpc_client_adopt(&c->client, fd, opts);
	if (err)
		close(fd);
	return err;
}

static int run(int argc, char **argv)
{
	struct call c = {
		.common = { .command = &call_command, .timeout_ns = -1 },
	};
	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(.create = 0);
	int status = parse(&c, argc, argv), err;
	char *input = NULL;

	if (status >= 0)
		return status;
	if (!c.request) {
		if (input_all(STDIN_FILENO, &input, &c.length))
			return tool_fail(c.common.command,
					 "reading standard input: %s",
					 input_error());
		c.request = input;
	}
	opts.backend = c.common.backend;
	opts.any_owner = c.common.any_owner;
	opts.fail_fast = c.fail_fast;
	opts.wait_ns = common_wait_ns(&c.common);
	err = enter(&c, &opts);
	if (err > 0) {
		status = err;
	} else if (err) {
		status = common_open_failed(&c.common, err);
	} else if (buffer_grow(c.common.command, &c.buffer, &c.size,
			       FIRST_ROOM)) {
		status = TOOL_FAILED;
		shmchan_rpc_client_close(&c.client);
	} else {
		status = do_call(&c);
		shmchan_rpc_client_close(&c.client);
	}
	free(c.buffer);
	free(input);
	return status;
}

const struct command call_command = {
	"call", run, "send a request to a service and print the reply", help,
};
