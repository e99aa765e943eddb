// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan recv: from a channel into a file. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stream.h"

/* Records that one writev(2) takes, if they are there at once. */
#define BATCH		64
#define PIPE_SIZE	(1 << 20)

static const char help[] =
	"recv NAME [OPTION]...\n\n"
	"Receives what comes through the channel NAME, which it makes if it is not\n"
	"there, and writes it to standard output, straight out of the channel. Ends\n"
	"when the sender has ended.\n\n"
	"  -o, --output FILE    instead of standard output\n"
	"  -c, --capacity SIZE  if it makes the channel: of its ring, 4K to 1G,\n"
	"                       rounded up to a power of two (default: what suits the\n"
	"                       caches)\n"
	"  -m, --mode MODE      if it makes the channel: permissions, octal (0600)\n"
	STREAM_HELP;

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	STREAM_OPTIONS,
};

/* Records that have been peeked at, and not written. */
struct batch {
	struct iovec iov[BATCH];
	int nr;
	uint64_t bytes;
	int err;		/* what came behind them; 0: nothing yet */
};

static int parse(struct stream *s, int argc, char **argv)
{
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv,
				"o:" STREAM_LETTERS, options, NULL)) != -1) {
		if (letter == 'o')
			s->path = optarg;
		else
			status = stream_option(s, letter, optarg);
	}
	return status < 0 ? stream_operand(s, argc, argv) : status;
}

static int open_failed(const struct stream *s, int err)
{
	tool_library_error(s->command, err);
	if (err == -EBUSY)
		fprintf(stderr,
			"A channel has one receiver: shmchan stat %s shows who it is.\n",
			s->name);
	else if (err == -EPERM)
		fputs("To trust its owner all the same: --any-owner\n", stderr);
	return tool_status(err);
}

/* At least one record, or b->err: then the stream ends behind b. */
static void gather(struct stream *s, struct batch *b)
{
	/* What is peeked keeps the sender from going on. */
	uint64_t most = s->ch.region->data_size / 4;
	const void *data;
	size_t length;

	b->nr = 0;
	b->bytes = 0;
	b->err = shmchan_spsc_peek(&s->ch, &data, &length, NULL,
				   s->timeout_ns);
	while (!b->err) {
		/* writev() does not change what it writes. */
		b->iov[b->nr].iov_base = (void *)(uintptr_t)data;
		b->iov[b->nr].iov_len = length;
		b->nr++;
		b->bytes += length;
		if (b->nr == BATCH || b->bytes >= most)
			return;
		b->err = shmchan_spsc_peek(&s->ch, &data, &length, NULL, 0);
	}
	if (b->nr && b->err == -EAGAIN)
		b->err = 0;
}

/* 0 or -1 with errno. */
static int write_all(int fd, struct iovec *iov, int nr)
{
	ssize_t n;

	while (nr) {
		n = writev(fd, iov, nr);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			stream_poll(fd, POLLOUT);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		while (nr && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			nr--;
		}
		if (nr) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/*
 * The output is gone or full: the sender is told that we left.  A reader that
 * went away ends us as it ends any filter.
 */
static int output_failed(struct stream *s, int err, void (*on_pipe)(int))
{
	int status = TOOL_FAILED;

	if (err == EPIPE && on_pipe != SIG_IGN)
		stream_end(s, status, "the output was closed");
	else
		status = stream_end(s, tool_fail(s->command, "writing to %s: %s",
					s->path ? s->path : "standard output",
					strerror(err)), "output failed");
	shmchan_spsc_close(&s->ch);
	if (err == EPIPE && on_pipe != SIG_IGN) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	return status;
}

static int pump(struct stream *s, int fd, void (*on_pipe)(int))
{
	struct batch b;
	int nr;

	do {
		gather(s, &b);
		nr = b.nr;
		if (write_all(fd, b.iov, nr))
			return output_failed(s, errno, on_pipe);
		/* What was written may not have been what was sent. */
		if (shmchan_spsc_release(&s->ch))
			b.err = -ESTALE;
		else if (nr)
			stream_count(s, b.bytes, (uint64_t)nr);
	} while (!b.err);
	if (b.err != -EPIPE) {
		int status = stream_error(s, b.err);

		shmchan_spsc_close(&s->ch);
		return status;
	}
	/* Some file systems say only now that the disk is full. */
	if (close(fd) && errno != EINTR)
		return output_failed(s, errno, on_pipe);
	stream_end(s, TOOL_OK, "end of stream");
	shmchan_spsc_close(&s->ch);
	return TOOL_OK;
}

static int transfer(struct stream *s, int fd)
{
	void (*on_pipe)(int) = signal(SIGPIPE, SIG_IGN);
	struct stat st;
	int err;

	err = stream_open(s);
	if (err)
		return err < 0 ? open_failed(s, err) : err;
	/* Only now: what was in the file is worth more than an error. */
	if (s->path && !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    ftruncate(fd, 0))
		return output_failed(s, errno, on_pipe);
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
	return pump(s, fd, on_pipe);
}

static int run(int argc, char **argv)
{
	struct stream s = {
		.command = &recv_command,
		.opts = SHMCHAN_SPSC_OPTS(.role = SHMCHAN_RECEIVER,
					  .create = 1),
		.timeout_ns = -1,
	};
	int status = parse(&s, argc, argv), fd = STDOUT_FILENO;

	if (status >= 0)
		return status;
	if (s.path && !strcmp(s.path, "-"))
		s.path = NULL;
	if (s.path) {
		fd = open(s.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
		if (fd < 0)
			return tool_fail(s.command, "%s: %s", s.path,
					 strerror(errno));
	}
	return transfer(&s, fd);
}

const struct command recv_command = {
	"recv", run, "write what comes through a channel to standard output",
	help,
};
