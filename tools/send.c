// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan send: from a file into a channel. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "stream.h"

#define RECORD_DEFAULT	(128ULL << 10)
/* A pipe's buffer, so that a fast writer fills whole records. */
#define PIPE_SIZE	(1 << 20)

static const char help[] =
	"send NAME [OPTION]...\n\n"
	"Sends standard input through the channel NAME, which a receiver has made\n"
	"(shmchan recv NAME). What read(2) returns is one record: it is read straight\n"
	"into the channel.\n\n"
	"  -i, --input FILE     instead of standard input\n"
	"      --create         make the channel if it is not there, and wait for a\n"
	"                       receiver\n"
	"  -c, --capacity SIZE  with --create: of its ring, 4K to 1G, rounded up to a\n"
	"                       power of two (default: what suits the caches)\n"
	"  -m, --mode MODE      with --create: permissions, octal (0600)\n"
	"  -r, --record SIZE    at most so many bytes per record (128K)\n"
	STREAM_HELP;

static const struct option options[] = {
	{ "input", required_argument, NULL, 'i' },
	{ "create", no_argument, NULL, 'C' },
	{ "record", required_argument, NULL, 'r' },
	STREAM_OPTIONS,
};

static int parse(struct stream *s, int argc, char **argv)
{
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv,
				"i:r:" STREAM_LETTERS, options, NULL)) != -1) {
		if (letter == 'i')
			s->path = optarg;
		else if (letter == 'C')
			s->opts.create = s->explicit_create = 1;
		else if (letter != 'r')
			status = stream_option(s, letter, optarg);
		else if (parse_size(optarg, &s->record) || !s->record)
			status = tool_usage(s->command,
				"--record is '%s': should be bytes, as in 64K",
				optarg);
	}
	if (status < 0 && s->for_create && !s->opts.create)
		status = tool_usage(s->command,
			"--capacity and --mode are for making a channel: add --create");
	return status < 0 ? stream_operand(s, argc, argv) : status;
}

static int open_failed(const struct stream *s, int err)
{
	tool_library_error(s->command, err);
	if (err == -ENOENT)
		fprintf(stderr,
			"Start the receiver first: shmchan recv %s\n"
			"or make the channel here:  shmchan send %s --create\n",
			s->name, s->name);
	else if (err == -EBUSY)
		fprintf(stderr,
			"A channel has one sender: shmchan stat %s shows who it is.\n",
			s->name);
	else if (err == -EPERM)
		fputs("To trust its owner all the same: --any-owner\n", stderr);
	return tool_status(err);
}

/* One record: its length, 0 at the end of the input, or an exit status < 0. */
static ssize_t read_record(struct stream *s, int fd,
			   const struct shmchan_reservation *rsv)
{
	ssize_t n;

	for (;;) {
		n = read(fd, rsv->data, rsv->length);
		if (n >= 0)
			return n;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			stream_poll(fd, POLLIN);
		else if (errno != EINTR)
			break;
	}
	tool_fail(s->command, "reading %s: %s",
		  s->path ? s->path : "standard input", strerror(errno));
	return -1;
}

/*
 * The channel does not want more.  If it is because the receiver has gone,
 * nobody is left to be misled by an end, and the local backend's file goes;
 * else see stream.h.
 */
static int give_up(struct stream *s, int err)
{
	int status = stream_error(s, err);

	if (status == TOOL_CLOSED || status == TOOL_DIED)
		shmchan_spsc_close(&s->ch);
	return status;
}

static int pump(struct stream *s, int fd)
{
	struct shmchan_reservation rsv;
	ssize_t n;
	int err;

	for (;;) {
		err = shmchan_spsc_reserve(&s->ch, s->record, &rsv,
					   s->timeout_ns);
		if (err == -EMSGSIZE && s->record > 1) {
			s->record /= 2;
			continue;
		}
		if (err)
			return give_up(s, err);
		n = read_record(s, fd, &rsv);
		if (n < 0)
			return stream_end(s, TOOL_FAILED, "no more input");
		err = n ? shmchan_spsc_commit(&s->ch, &rsv, (size_t)n, 0, 0) :
			  shmchan_spsc_abort(&s->ch, &rsv);
		if (err)
			return give_up(s, err);
		if (!n)
			return TOOL_OK;
		stream_count(s, (uint64_t)n, 1);
	}
}

static int transfer(struct stream *s, int fd)
{
	uint64_t most;
	int err, status;

	err = stream_open(s);
	if (err)
		return err < 0 ? open_failed(s, err) : err;
	/* What nobody has opened would end with us. */
	if (s->opts.create) {
		err = shmchan_spsc_wait_peer(&s->ch, s->timeout_ns);
		if (err) {
			status = stream_error(s, err);
			shmchan_spsc_close(&s->ch);
			return status;
		}
	}
	/* So that both sides work at once. */
	most = s->ch.region->data_size / 8;
	if (s->record > most)
		s->record = most;
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
	status = pump(s, fd);
	if (status)
		return status;
	stream_end(s, TOOL_OK, "all sent");
	shmchan_spsc_close(&s->ch);
	return TOOL_OK;
}

static int run(int argc, char **argv)
{
	struct stream s = {
		.command = &send_command,
		.opts = SHMCHAN_SPSC_OPTS(.role = SHMCHAN_SENDER),
		.timeout_ns = -1,
		.record = RECORD_DEFAULT,
	};
	int status = parse(&s, argc, argv), fd = STDIN_FILENO;

	if (status >= 0)
		return status;
	if (s.path && strcmp(s.path, "-") != 0) {
		fd = open(s.path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return tool_fail(s.command, "%s: %s", s.path,
					 strerror(errno));
	}
	return transfer(&s, fd);
}

const struct command send_command = {
	"send", run, "send standard input through a channel", help,
};
