// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan pub: messages of standard input to all who subscribe. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shmchan/latest.h>
#include <shmchan/pubsub.h>

#include "message.h"

static const char help[] =
	"pub NAME [OPTION]...\n\n"
	"Publishes standard input in the channel NAME: each line is a message, which all\n"
	"who subscribe get (shmchan sub NAME). The end of the input ends the stream.\n\n"
	"  -0, --null           messages end with a null byte instead of a newline\n"
	"  -l, --length-prefixed  messages begin with their length, 32 bits,\n"
	"                       little-endian\n"
	"  -r, --reads SIZE     what one read(2) of SIZE gives is a message\n"
	"  -M, --meta NUMBER    goes with each message (0)\n"
	"      --create         make the channel if it is not there. Then also:\n"
	"  -L, --latest           only the newest message counts (sub --newest)\n"
	"      --receivers N      seats of subscribers, up to 1024 (16; latest: 64)\n"
	"      --senders N        seats of publishers (1)\n"
	"      --reliable N       so many subscribers' seats may hold publishers up; the\n"
	"                         others are casual (all)\n"
	"  -p, --policy POLICY    of a full channel, when who is slow has been waited for:\n"
	"                         block: wait on; fail: drop the message; evict: pass who\n"
	"                         is slow, and go on; overwrite: never wait (block)\n"
	"      --hold S           wait so many seconds before fail or evict (0)\n"
	"  -c, --capacity SIZE    of each publisher's ring, 4K to 1G\n"
	"  -m, --mode MODE        permissions, octal (0600)\n"
	"  -n, --subscribers N  wait for so many before the first message (with --create:\n"
	"                       1, with --latest 0)\n"
	SOCKET_HELP
	COMMON_HELP
	"exit status: 0 all was published; 1 something failed, or messages were dropped; 2\n"
	"usage; 3 the receiver died; 4 timeout; 5 no such name; 6 no permission; 7 the\n"
	"receiver left; 8 no seat is free; 9 we were revoked.\n";

enum {
	OPT_CREATE = 256, OPT_RECEIVERS, OPT_SENDERS, OPT_RELIABLE, OPT_HOLD,
};

static const struct option options[] = {
	{ "null", no_argument, NULL, '0' },
	{ "length-prefixed", no_argument, NULL, 'l' },
	{ "reads", required_argument, NULL, 'r' },
	{ "meta", required_argument, NULL, 'M' },
	{ "create", no_argument, NULL, OPT_CREATE },
	{ "latest", no_argument, NULL, 'L' },
	{ "receivers", required_argument, NULL, OPT_RECEIVERS },
	{ "senders", required_argument, NULL, OPT_SENDERS },
	{ "reliable", required_argument, NULL, OPT_RELIABLE },
	{ "policy", required_argument, NULL, 'p' },
	{ "hold", required_argument, NULL, OPT_HOLD },
	{ "capacity", required_argument, NULL, 'c' },
	{ "mode", required_argument, NULL, 'm' },
	{ "subscribers", required_argument, NULL, 'n' },
	SOCKET_OPTION,
	COMMON_OPTIONS,
};

struct pub {
	struct common common;
	struct input in;
	struct shmchan_channel_opts opts;
	struct shmchan_sender tx;
	const char *for_create;		/* an option that needs it */
	uint32_t meta;
	uint64_t subscribers;
	int subscribers_given;
	int create;
	int latest;
	/* As given; 0: not. */
	uint64_t receivers, senders, reliable, capacity;
	int64_t hold_ns;
	uint32_t mode;
	const char *policy;
	uint64_t sent;
	uint64_t dropped;
};

static const char *const policies[] = {
	[SHMCHAN_POLICY_BLOCK] = "block", [SHMCHAN_POLICY_FAIL] = "fail",
	[SHMCHAN_POLICY_EVICT] = "evict",
	[SHMCHAN_POLICY_OVERWRITE] = "overwrite",
};

/* -1 if there is none of that name. */
static int policy_of(const char *word)
{
	int i;

	for (i = 0; i <= SHMCHAN_POLICY_OVERWRITE; i++)
		if (!strcmp(word, policies[i]))
			return i;
	return -1;
}

/* Options of a channel that is made: -1, or the exit status to end with. */
static int take_shape(struct pub *p, int letter, const char *arg)
{
	const struct command *command = p->common.command;

	switch (letter) {
	case 'L':
		p->for_create = "--latest";
		p->latest = 1;
		return -1;
	case OPT_RECEIVERS:
		p->for_create = "--receivers";
		return option_number(command, "receivers", arg, 1,
				     SHMCHAN_CHANNEL_MAX, &p->receivers);
	case OPT_SENDERS:
		p->for_create = "--senders";
		return option_number(command, "senders", arg, 1,
				     SHMCHAN_CHANNEL_MAX, &p->senders);
	case OPT_RELIABLE:
		p->for_create = "--reliable";
		return option_number(command, "reliable", arg, 1,
				     SHMCHAN_CHANNEL_MAX, &p->reliable);
	case 'p':
		p->for_create = "--policy";
		p->policy = arg;
		if (policy_of(arg) < 0)
			return tool_usage(command,
				"--policy is '%s': should be block, fail, evict or overwrite",
				arg);
		return -1;
	case OPT_HOLD:
		p->for_create = "--hold";
		if (parse_seconds(arg, &p->hold_ns))
			return tool_usage(command,
				"--hold is '%s': should be seconds, as in 0.001",
				arg);
		return -1;
	case 'c':
		p->for_create = "--capacity";
		if (parse_size(arg, &p->capacity) || !p->capacity)
			return tool_usage(command,
				"--capacity is '%s': should be bytes, with K, M or G for powers of 1024, as in 64K or 8M",
				arg);
		return -1;
	default:
		p->for_create = "--mode";
		if (parse_mode(arg, &p->mode))
			return tool_usage(command,
				"--mode is '%s': should be octal permissions without x, as in 0660",
				arg);
		return -1;
	}
}

static int take(struct pub *p, int letter, const char *arg)
{
	const struct command *command = p->common.command;
	uint64_t number = 0;
	int status;

	switch (letter) {
	case '0':
		p->in.framing = FRAMING_NULL;
		return -1;
	case 'l':
		p->in.framing = FRAMING_LENGTH;
		return -1;
	case 'r':
		p->in.framing = FRAMING_READS;
		if (parse_size(arg, &p->in.most) || !p->in.most ||
		    p->in.most > SHMCHAN_LANE_MAX_CAPACITY / 4)
			return tool_usage(command,
				"--reads is '%s': should be bytes, up to 256M, as in 4K",
				arg);
		return -1;
	case 'M':
		status = option_number(command, "meta", arg, 0, UINT32_MAX,
				       &number);
		p->meta = (uint32_t)number;
		return status;
	case OPT_CREATE:
		p->create = 1;
		return -1;
	case 'n':
		p->subscribers_given = 1;
		return option_number(command, "subscribers", arg, 0,
				     SHMCHAN_CHANNEL_MAX, &p->subscribers);
	case 'L':
	case OPT_RECEIVERS:
	case OPT_SENDERS:
	case OPT_RELIABLE:
	case 'p':
	case OPT_HOLD:
	case 'c':
	case 'm':
		return take_shape(p, letter, arg);
	default:
		return common_option(&p->common, letter, arg);
	}
}

static int check(const struct pub *p)
{
	const struct command *command = p->common.command;

	if (p->for_create && !p->create)
		return tool_usage(command,
			"%s is for making a channel: add --create",
			p->for_create);
	if (p->create && p->common.socket)
		return tool_usage(command,
			"--create and --socket: the channel is made here, or somebody else's");
	if (p->create && p->common.wait)
		return tool_usage(command,
			"--create and --wait: the channel is made here, or somebody else is waited for");
	if (p->latest && (p->policy || p->reliable || p->hold_ns))
		return tool_usage(command,
			"--latest never waits for anybody: without --policy, --reliable and --hold");
	return -1;
}

static int parse(struct pub *p, int argc, char **argv)
{
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv,
				"0lr:M:Lp:c:m:n:" COMMON_LETTERS, options,
				NULL)) != -1)
		status = take(p, letter, optarg);
	if (status < 0)
		status = check(p);
	if (status < 0)
		status = common_name(&p->common, argc, argv);
	return status < 0 ? common_no_more(&p->common, argc, argv) : status;
}

static void shape(struct pub *p)
{
	struct shmchan_channel_opts *o = &p->opts;

	if (!p->create)
		*o = SHMCHAN_CHANNEL_OPTS(.wait_ns = 0);
	else if (p->latest)
		*o = SHMCHAN_LATEST_OPTS(.create = 1);
	else
		*o = SHMCHAN_PUBSUB_OPTS(.create = 1);
	if (p->receivers)
		o->nr_receivers = (uint32_t)p->receivers;
	if (p->senders)
		o->nr_senders = (uint32_t)p->senders;
	if (p->policy)
		o->policy = (enum shmchan_policy)policy_of(p->policy);
	if (p->capacity)
		o->capacity = p->capacity;
	o->nr_reliable = (uint32_t)p->reliable;
	o->hold_ns = p->hold_ns;
	o->mode = p->mode;
	o->backend = p->common.backend;
	o->any_owner = p->common.any_owner;
	o->wait_ns = common_wait_ns(&p->common);
	/* What nobody has opened would be for nobody. */
	if (!p->subscribers_given)
		p->subscribers = p->create && !p->latest;
}

/*
 * It was not sent.  Who does not bring its work to an end does not close, so that
 * subscribers are told that it died: half a stream never passes for a whole.
 */
static int send_failed(struct pub *p, int err)
{
	const struct common *c = &p->common;
	int status = tool_status(err);

	if (err == -ETIMEDOUT)
		tool_fail(c->command,
			  "%s: no room for %g s: a subscriber is slow; %" PRIu64 " messages were published",
			  c->name, (double)c->timeout_ns / 1e9, p->sent);
	else
		tool_fail(c->command, "%s: message %" PRIu64 ": %s", c->name,
			  p->sent + p->dropped + 1, shmchan_error_detail());
	if (err == -EPIPE || err == -EOWNERDEAD)
		shmchan_sender_close(&p->tx);
	return status;
}

static int pump(struct pub *p)
{
	const char *data;
	size_t length;
	int more, err;

	while ((more = input_next(&p->in, &data, &length)) > 0) {
		err = shmchan_send(&p->tx, data, length, p->meta, 0,
				   p->common.timeout_ns);
		/* The policy, as no timeout is 0. */
		if (err == -EAGAIN)
			p->dropped++;
		else if (err)
			return send_failed(p, err);
		else
			p->sent++;
	}
	if (!more)
		return TOOL_OK;
	return tool_fail(p->common.command, "reading standard input: %s",
			 input_error());
}

/* 0 or a negative errno; or the exit status, after a message. */
static int enter(struct pub *p)
{
	int fd, err, status;

	if (!p->common.socket)
		return shmchan_sender_open(&p->tx, p->common.name, &p->opts);
	fd = common_fetch(&p->common, &status);
	if (fd < 0)
		return status;
	err = shmchan_sender_adopt(&p->tx, fd, &p->opts);
	if (err)
		close(fd);
	return err;
}

static int run(int argc, char **argv)
{
	struct pub p = {
		.common = { .command = &pub_command, .timeout_ns = -1 },
		.in = { .fd = STDIN_FILENO },
	};
	int status = parse(&p, argc, argv), err;

	if (status >= 0)
		return status;
	shape(&p);
	err = enter(&p);
	if (err > 0)
		return err;
	if (err) {
		status = common_open_failed(&p.common, err);
		if (err == -ENOENT)
			fprintf(stderr, "To make it: shmchan pub %s --create\n",
				p.common.name);
		return status;
	}
	err = p.subscribers ? shmchan_sender_wait_peers(&p.tx,
				(uint32_t)p.subscribers, p.common.timeout_ns) : 0;
	if (err) {
		status = tool_library_error(p.common.command, err);
		shmchan_sender_close(&p.tx);
		return status;
	}
	status = pump(&p);
	free(p.in.buffer);
	if (p.dropped)
		tool_fail(p.common.command,
			  "%s: %" PRIu64 " of %" PRIu64 " messages were dropped: subscribers were slow",
			  p.common.name, p.dropped, p.dropped + p.sent);
	if (status)
		return status;
	shmchan_sender_close(&p.tx);
	return p.dropped ? TOOL_FAILED : TOOL_OK;
}

const struct command pub_command = {
	"pub", run, "publish messages to all who subscribe", help,
};
