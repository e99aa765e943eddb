// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan sub: prints the messages of a channel of many. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shmchan/channel.h>

#include "message.h"

#define FIRST_ROOM	65536
#define LOOK_NS		50000000LL

static const char help[] =
	"sub NAME [OPTION]...\n\n"
	"Prints the messages of the channel NAME, a line each, until all who publish there\n"
	"have ended. What was lost, and whose end it was that came, is told on standard\n"
	"error.\n\n"
	"      --from WHERE     now: what is published from now on; oldest: all that is\n"
	"                       still kept (now; in durable channels where the last\n"
	"                       subscriber was)\n"
	"  -N, --newest         the newest message alone, each time that there is another\n"
	"                       one (channels of pub --latest, or that overwrite)\n"
	"  -n, --count N        end after N messages\n"
	"  -f, --follow         go on when all have ended: another publisher may come\n"
	"      --reliable       take a seat that is waited for; fail if none is free\n"
	"      --casual         take a seat that is not\n"
	"  -0, --null           messages end with a null byte instead of a newline\n"
	"  -l, --length-prefixed  messages begin with their length, 32 bits,\n"
	"                       little-endian\n"
	"      --raw            nothing between messages\n"
	"  -j, --json           a JSON object each, with slot, generation, length, meta,\n"
	"                       time (seconds of CLOCK_MONOTONIC), and data or base64\n"
	SOCKET_HELP
	COMMON_HELP
	"exit status: 0 the end; 1 something failed; 2 usage; 3 a publisher died; 4\n"
	"timeout; 5 no such name; 6 no permission; 8 no seat is free; 9 we were revoked.\n";

enum { OPT_FROM = 256, OPT_RELIABLE, OPT_CASUAL, OPT_RAW };

static const struct option options[] = {
	{ "from", required_argument, NULL, OPT_FROM },
	{ "newest", no_argument, NULL, 'N' },
	{ "count", required_argument, NULL, 'n' },
	{ "follow", no_argument, NULL, 'f' },
	{ "reliable", no_argument, NULL, OPT_RELIABLE },
	{ "casual", no_argument, NULL, OPT_CASUAL },
	{ "null", no_argument, NULL, '0' },
	{ "length-prefixed", no_argument, NULL, 'l' },
	{ "raw", no_argument, NULL, OPT_RAW },
	{ "json", no_argument, NULL, 'j' },
	SOCKET_OPTION,
	COMMON_OPTIONS,
};

struct sub {
	struct common common;
	struct shmchan_channel_opts opts;
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	enum framing framing;
	int json;
	int newest;
	int follow;
	uint64_t count;			/* 0: all */
	void *buffer;
	size_t size;
	int64_t waited;			/* in vain, see wait_and_look() */
	uint64_t received;
	uint64_t lost;
	int ends;			/* of publishers, that we were told of */
	int died;			/* one of these */
};

static int take(struct sub *s, int letter, const char *arg)
{
	switch (letter) {
	case OPT_FROM:
		if (!strcmp(arg, "now"))
			s->opts.from = SHMCHAN_FROM_NOW;
		else if (!strcmp(arg, "oldest"))
			s->opts.from = SHMCHAN_FROM_OLDEST;
		else
			return tool_usage(s->common.command,
				"--from is '%s': should be now or oldest", arg);
		return -1;
	case 'N':
		s->newest = 1;
		return -1;
	case 'n':
		return option_number(s->common.command, "count", arg, 1,
				     UINT64_MAX, &s->count);
	case 'f':
		s->follow = 1;
		return -1;
	case OPT_RELIABLE:
	case OPT_CASUAL:
		if (s->opts.seat)
			return tool_usage(s->common.command,
				"--reliable or --casual, once");
		s->opts.seat = letter == OPT_CASUAL ? SHMCHAN_SEAT_CASUAL :
						      SHMCHAN_SEAT_RELIABLE;
		return -1;
	case '0':
		s->framing = FRAMING_NULL;
		return -1;
	case 'l':
		s->framing = FRAMING_LENGTH;
		return -1;
	case OPT_RAW:
		s->framing = FRAMING_NONE;
		return -1;
	case 'j':
		s->json = 1;
		return -1;
	default:
		return common_option(&s->common, letter, arg);
	}
}

static int parse(struct sub *s, int argc, char **argv)
{
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv,
				"Nn:f0lj" COMMON_LETTERS, options,
				NULL)) != -1)
		status = take(s, letter, optarg);
	if (status < 0 && s->json && s->framing != FRAMING_LINES)
		status = tool_usage(s->common.command,
			"--json is a line each: without --null, --length-prefixed and --raw");
	if (status < 0)
		status = common_name(&s->common, argc, argv);
	if (status < 0)
		status = common_no_more(&s->common, argc, argv);
	/* What is newest may be older than we are. */
	if (s->newest && !s->opts.from)
		s->opts.from = SHMCHAN_FROM_OLDEST;
	s->opts.backend = s->common.backend;
	s->opts.any_owner = s->common.any_owner;
	s->opts.wait_ns = common_wait_ns(&s->common);
	return status;
}

static void print(struct sub *s)
{
	const struct shmchan_msg *m = &s->msg;
	uint64_t now;

	if (s->newest)
		s->lost += m->lost;
	if (!s->json) {
		message_write(stdout, s->framing, s->buffer, m->length);
		return;
	}
	now = monotonic_ns();
	printf("{\"slot\":%" PRIu32 ",\"generation\":%" PRIu32 ",\"length\":%zu,\"meta\":%" PRIu32 ",\"time\":%" PRIu64 ".%09" PRIu64,
	       m->slot, m->generation, m->length, m->meta, now / 1000000000,
	       now % 1000000000);
	if (s->newest)
		printf(",\"skipped\":%" PRIu64, m->lost);
	putchar(',');
	message_json(stdout, s->buffer, m->length);
	fputs("}\n", stdout);
}

/* What is told of one publisher, and goes on; else the exit status, or -1. */
static int told(struct sub *s, int err)
{
	const struct common *c = &s->common;

	switch (-err) {
	case EAGAIN:
		return -1;
	case EPIPE:
		s->ends++;
		return -1;
	case EOWNERDEAD:
		s->ends++;
		s->died = 1;
		tool_fail(c->command,
			  "%s: the publisher in slot %" PRIu32 " died: what it published is not the whole",
			  c->name, s->msg.slot);
		return -1;
	case EOVERFLOW:
		s->lost += s->msg.lost;
		tool_fail(c->command,
			  "%s: %" PRIu64 " messages of slot %" PRIu32 " are lost: we were too slow",
			  c->name, s->msg.lost, s->msg.slot);
		return -1;
	case EBADMSG:
		tool_fail(c->command,
			  "%s: the publisher in slot %" PRIu32 " broke the rules of the channel: %s",
			  c->name, s->msg.slot, shmchan_error_detail());
		s->ends++;
		s->died = 1;
		return -1;
	case EMSGSIZE:
		return buffer_grow(c->command, &s->buffer, &s->size,
				   s->msg.length) ? TOOL_FAILED : -1;
	case ETIMEDOUT:
		tool_fail(c->command, "%s: nothing came for %g s", c->name,
			  (double)c->timeout_ns / 1e9);
		return TOOL_TIMEOUT;
	case ESTALE:
		tool_fail(c->command,
			  "%s: after %" PRIu64 " messages our seat was taken from us",
			  c->name, s->received);
		return TOOL_REVOKED;
	default:
		return tool_library_error(c->command, err);
	}
}

static int receive(struct sub *s, int64_t timeout_ns)
{
	return s->newest ?
	       shmchan_recv_newest(&s->rx, s->buffer, s->size, &s->msg,
				   timeout_ns) :
	       shmchan_recv(&s->rx, s->buffer, s->size, &s->msg, timeout_ns);
}

/*
 * Some have ended and others hold seats; of these, some are about to leave who have
 * said all, and nobody tells us when.  EAGAIN: look again who is there.
 */
static int wait_and_look(struct sub *s)
{
	int64_t timeout_ns = s->common.timeout_ns;
	int err;

	if (timeout_ns >= 0 && timeout_ns <= LOOK_NS)
		return receive(s, timeout_ns);
	err = receive(s, LOOK_NS);
	if (err != -ETIMEDOUT)
		return err;
	s->waited += LOOK_NS;
	return timeout_ns < 0 || s->waited < timeout_ns ? -EAGAIN : err;
}

/*
 * One that is there, and if there is none, after what we have is out, one that comes.
 * When all publishers have ended, what is there is the rest: EPIPE behind it.
 */
static int receive_or_wait(struct sub *s)
{
	int ending = s->ends && !s->follow, over, tries, err;

	/* Who was there before we look at what is there. */
	over = ending && shmchan_receiver_wait_peers(&s->rx, 1, 0) == -EAGAIN;
	/* A try speaks for a part of the senders. */
	tries = over ? (int)(SHMCHAN_CHANNEL_MAX / SHMCHAN_CHANNEL_CHUNK) : 1;
	do
		err = receive(s, 0);
	while (err == -EAGAIN && --tries);
	if (err != -EAGAIN)
		return err;
	if (tool_flush(s->common.command))
		return -EIO;
	if (over)
		return -ENODATA;
	return ending ? wait_and_look(s) : receive(s, s->common.timeout_ns);
}

static int pump(struct sub *s)
{
	int err, status = -1;

	while (status < 0) {
		err = receive_or_wait(s);
		if (err == -EIO)
			status = TOOL_FAILED;
		else if (err == -ENODATA)
			status = s->died ? TOOL_DIED : TOOL_OK;
		else if (err)
			status = told(s, err);
		if (err)
			continue;
		print(s);
		s->waited = 0;
		if (++s->received == s->count)
			status = TOOL_OK;
	}
	if (!status)
		status = tool_flush(s->common.command);
	else
		fflush(stdout);
	return status;
}

/* 0 or a negative errno; or the exit status, after a message. */
static int enter(struct sub *s)
{
	int fd, err, status;

	if (!s->common.socket)
		return shmchan_receiver_open(&s->rx, s->common.name, &s->opts);
	fd = common_fetch(&s->common, &status);
	if (fd < 0)
		return status;
	err = shmchan_receiver_adopt(&s->rx, fd, &s->opts);
	if (err)
		close(fd);
	return err;
}

static int run(int argc, char **argv)
{
	struct sub s = {
		.common = { .command = &sub_command, .timeout_ns = -1 },
		.opts = SHMCHAN_CHANNEL_OPTS(.wait_ns = 0),
	};
	int status = parse(&s, argc, argv), err;

	if (status >= 0)
		return status;
	if (buffer_grow(s.common.command, &s.buffer, &s.size, FIRST_ROOM))
		return TOOL_FAILED;
	err = enter(&s);
	if (err) {
		free(s.buffer);
		if (err > 0)
			return err;
		status = common_open_failed(&s.common, err);
		if (err == -ENOENT)
			fprintf(stderr,
				"Start the publisher first, or wait for it: --wait\n");
		return status;
	}
	status = pump(&s);
	shmchan_receiver_close(&s.rx);
	free(s.buffer);
	return status;
}

const struct command sub_command = {
	"sub", run, "print the messages of a channel of many", help,
};
