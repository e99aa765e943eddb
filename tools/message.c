// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* What the subcommands that deal in messages share. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "message.h"

#define FIRST_ROOM	65536
#define MOST_ROOM	(1ULL << 30)

/* ---- Options ---- */

int common_option(struct common *c, int letter, const char *arg)
{
	switch (letter) {
	case 'w':
		c->wait = 1;
		return -1;
	case 't':
		if (parse_seconds(arg, &c->timeout_ns) || !c->timeout_ns)
			return tool_usage(c->command,
				"--timeout is '%s': should be seconds, more than 0, as in 5 or 0.25",
				arg);
		return -1;
	case 'b':
		if (parse_backend(arg, &c->backend))
			return tool_usage(c->command,
				"--backend is '%s': should be auto, kmod or local",
				arg);
		return -1;
	case 'A':
		c->any_owner = 1;
		return -1;
	case OPT_SOCKET:
		if (c->name)
			return tool_usage(c->command,
				"--socket and '%s': it comes from the socket or has a name here, one of the two",
				c->name);
		c->name = c->socket = arg;
		return -1;
	case 'h':
		return tool_help(c->command);
	default:
		return tool_try_help(c->command);
	}
}

int common_name(struct common *c, int argc, char **argv)
{
	if (c->socket)
		return -1;
	if (optind == argc)
		return tool_usage(c->command, "which channel? Give its name");
	c->name = argv[optind++];
	return -1;
}

int common_no_more(const struct common *c, int argc, char **argv)
{
	if (optind < argc)
		return tool_usage(c->command, "'%s' is too many", argv[optind]);
	return -1;
}

int common_fetch(const struct common *c, int *status)
{
	if (!c->wait && !c->backend && !c->any_owner)
		return socket_fetch(c->command, c->socket,
				    c->timeout_ns, status);
	*status = tool_usage(c->command,
		"--socket takes what is there, as it is: without --wait, --backend and --any-owner");
	return -1;
}

int64_t common_wait_ns(const struct common *c)
{
	return c->wait ? c->timeout_ns : 0;
}

int common_open_failed(const struct common *c, int err)
{
	tool_library_error(c->command, err);
	if (err == -EBUSY)
		fprintf(stderr, "shmchan stat %s shows who has the seats.\n",
			c->name);
	else if (err == -EPERM)
		fputs("To trust its owner all the same: --any-owner\n", stderr);
	return tool_status(err);
}

int option_number(const struct command *command, const char *option,
		  const char *arg, uint64_t least, uint64_t most,
		  uint64_t *number)
{
	int base = arg[0] == '0' && (arg[1] == 'x' || arg[1] == 'X') ? 16 : 10;
	char *end = NULL;

	errno = 0;
	/* strtoull() would take a sign, and of itself 010 for 8. */
	*number = isdigit((unsigned char)arg[0]) ? strtoull(arg, &end, base) : 0;
	if (end && !errno && !*end && *number >= least && *number <= most)
		return -1;
	return tool_usage(command,
		"--%s is '%s': should be a number from %" PRIu64 " to %" PRIu64,
		option, arg, least, most);
}

/* ---- Input ---- */

/* Reads more behind what is there.  Bytes; 0 at the end; -1. */
static ssize_t fill(struct input *in)
{
	struct pollfd p = { .fd = in->fd, .events = POLLIN };
	ssize_t n;

	for (;;) {
		n = read(in->fd, in->buffer + in->end, in->size - in->end);
		if (n >= 0)
			break;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			(void)poll(&p, 1, -1);
		else if (errno != EINTR)
			return -1;
	}
	in->end += (size_t)n;
	in->over = !n;
	return n;
}

/* Room for more: what was taken goes; then twice as much. */
static int make_room(struct input *in, size_t wanted)
{
	size_t kept = in->end - in->begin, size = in->size;
	char *buffer;

	if (in->begin) {
		memmove(in->buffer, in->buffer + in->begin, kept);
		in->begin = 0;
		in->end = kept;
	}
	while (size < wanted || size == kept)
		size = size ? 2 * size : FIRST_ROOM;
	if (size == in->size)
		return 0;
	if (size > MOST_ROOM) {
		errno = EMSGSIZE;
		return -1;
	}
	buffer = realloc(in->buffer, size);
	if (!buffer)
		return -1;
	in->buffer = buffer;
	in->size = size;
	return 0;
}

static int more(struct input *in, size_t wanted)
{
	if (make_room(in, wanted) || fill(in) < 0)
		return -1;
	return 0;
}

static int next_separated(struct input *in, char separator, const char **data,
			  size_t *length)
{
	size_t seen = 0;
	char *end;

	for (;;) {
		end = in->end > in->begin + seen ?
		      memchr(in->buffer + in->begin + seen, separator,
			     in->end - in->begin - seen) : NULL;
		if (end)
			break;
		seen = in->end - in->begin;
		/* The last one may do without. */
		if (in->over) {
			*data = in->buffer + in->begin;
			*length = seen;
			in->begin = in->end;
			return seen != 0;
		}
		if (more(in, 0))
			return -1;
	}
	*data = in->buffer + in->begin;
	*length = (size_t)(end - *data);
	in->begin += *length + 1;
	return 1;
}

/* Until so many bytes are there: 1; 0 if the input ends before. */
static int have(struct input *in, size_t wanted)
{
	while (in->end - in->begin < wanted && !in->over)
		if (more(in, wanted))
			return -1;
	return in->end - in->begin >= wanted;
}

static int next_prefixed(struct input *in, const char **data, size_t *length)
{
	const unsigned char *p;
	int ret = have(in, 4);

	if (!ret && in->begin == in->end)
		return 0;
	if (ret > 0) {
		p = (const unsigned char *)in->buffer + in->begin;
		*length = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 |
			  (size_t)p[3] << 24;
		if (*length > MOST_ROOM / 4) {
			errno = EMSGSIZE;
			return -1;
		}
		ret = have(in, 4 + *length);
	}
	if (!ret)
		errno = EPROTO;
	if (ret <= 0)
		return -1;
	*data = in->buffer + in->begin + 4;
	in->begin += 4 + *length;
	return 1;
}

static int next_read(struct input *in, const char **data, size_t *length)
{
	in->begin = in->end = 0;
	if (make_room(in, in->most))
		return -1;
	if (in->size > in->most)
		in->size = in->most;
	if (fill(in) < 0)
		return -1;
	*data = in->buffer;
	*length = in->end;
	return *length != 0;
}

int input_next(struct input *in, const char **data, size_t *length)
{
	switch (in->framing) {
	case FRAMING_LENGTH:
		return next_prefixed(in, data, length);
	case FRAMING_READS:
		return next_read(in, data, length);
	default:
		return next_separated(in, in->framing == FRAMING_NULL ? '\0' :
				      '\n', data, length);
	}
}

const char *input_error(void)
{
	if (errno == EPROTO)
		return "it ends within a message";
	if (errno == EMSGSIZE)
		return "a message that is longer than any can be";
	return strerror(errno);
}

int input_all(int fd, char **data, size_t *length)
{
	struct input in = { .fd = fd };

	while (!in.over) {
		if (more(&in, 0)) {
			free(in.buffer);
			return -1;
		}
	}
	*data = in.buffer;
	*length = in.end;
	return 0;
}

/* ---- Output ---- */

void message_write(FILE *out, enum framing framing, const void *data,
		   size_t length)
{
	const unsigned char prefix[4] = {
		length & 0xff, length >> 8 & 0xff, length >> 16 & 0xff,
		length >> 24 & 0xff,
	};

	if (framing == FRAMING_LENGTH)
		fwrite(prefix, 1, sizeof(prefix), out);
	fwrite(data, 1, length, out);
	if (framing == FRAMING_LINES)
		putc('\n', out);
	else if (framing == FRAMING_NULL)
		putc('\0', out);
}

/* Bytes of the UTF-8 sequence at s, of which n are there; 0: it is none. */
static size_t utf8(const unsigned char *s, size_t n)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 :
			s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	size_t i;

	if (length > n)
		return 0;
	for (i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong, surrogates, beyond the last. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static void base64(FILE *out, const unsigned char *s, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits;

	for (; n; s += 3, n -= n < 3 ? n : 3) {
		bits = (uint32_t)s[0] << 16 | (n > 1 ? s[1] << 8 : 0) |
		       (n > 2 ? s[2] : 0);
		putc(digits[bits >> 18], out);
		putc(digits[bits >> 12 & 63], out);
		putc(n > 1 ? digits[bits >> 6 & 63] : '=', out);
		putc(n > 2 ? digits[bits & 63] : '=', out);
	}
}

void message_json(FILE *out, const void *data, size_t length)
{
	const unsigned char *s = data;
	size_t i, n;

	for (i = 0; i < length; i += n) {
		n = utf8(s + i, length - i);
		if (!n) {
			fputs("\"base64\":\"", out);
			base64(out, s, length);
			putc('"', out);
			return;
		}
	}
	fputs("\"data\":\"", out);
	for (i = 0; i < length; i++) {
		if (s[i] == '"' || s[i] == '\\')
			fprintf(out, "\\%c", s[i]);
		else if (s[i] < 0x20 || s[i] == 0x7f)
			fprintf(out, "\\u%04x", s[i]);
		else
			putc(s[i], out);
	}
	putc('"', out);
}

int buffer_grow(const struct command *command, void **buffer, size_t *size,
		size_t wanted)
{
	void *bigger;

	if (*size >= wanted)
		return 0;
	bigger = realloc(*buffer, wanted);
	if (!bigger) {
		tool_fail(command, "no memory for a message of %zu bytes",
			  wanted);
		return -1;
	}
	*buffer = bigger;
	*size = wanted;
	return 0;
}

uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static volatile sig_atomic_t ending;

static const int end_signals[] = { SIGINT, SIGTERM, SIGHUP };
static struct sigaction actions_before[3];

static void on_signal(int number)
{
	(void)number;
	ending = 1;
}

void end_on_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	size_t i;

	sigemptyset(&action.sa_mask);
	/* The second one ends us as if there were no handler. */
	action.sa_flags = (int)SA_RESETHAND;
	for (i = 0; i < sizeof(end_signals) / sizeof(end_signals[0]); i++)
		sigaction(end_signals[i], &action, &actions_before[i]);
}

void signals_as_before(void)
{
	size_t i;

	for (i = 0; i < sizeof(end_signals) / sizeof(end_signals[0]); i++)
		sigaction(end_signals[i], &actions_before[i], NULL);
}

int asked_to_end(void)
{
	return ending;
}
