/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_MESSAGE_H
#define SHMCHAN_TOOL_MESSAGE_H

/*
 * What the subcommands that deal in messages share: options, cutting an input into
 * messages, and printing them.
 */

#include <getopt.h>
#include <stddef.h>

#include "tool.h"

/* ---- Options ---- */

struct common {
	const struct command *command;
	const char *name;	/* with socket, that */
	const char *socket;	/* of who hands out capabilities; NULL: by name */
	enum shmchan_backend backend;
	int any_owner;
	int64_t timeout_ns;	/* -1: none */
	int wait;		/* for the name to appear */
};

#define COMMON_OPTIONS \
	{ "wait", no_argument, NULL, 'w' }, \
	{ "timeout", required_argument, NULL, 't' }, \
	{ "backend", required_argument, NULL, 'b' }, \
	{ "any-owner", no_argument, NULL, 'A' }, \
	{ "help", no_argument, NULL, 'h' }, \
	{ NULL, 0, NULL, 0 }
#define COMMON_LETTERS "wt:b:Ah"

/* For those that can do with a capability; behind the name, before the others. */
#define OPT_SOCKET	512
#define SOCKET_OPTION	{ "socket", required_argument, NULL, OPT_SOCKET }
#define SOCKET_HELP \
	"      --socket PATH    instead of NAME: that for which somebody hands out\n" \
	"                       capabilities on this socket (shmchan grant --rights rw)\n"

#define COMMON_HELP \
	"  -w, --wait           if there is no such name, wait for it to appear\n" \
	"  -t, --timeout S      give up (exit status 4) when nothing has moved for S\n" \
	"                       seconds; may have a fraction\n" \
	"  -b, --backend WHICH  auto, kmod or local\n" \
	"  -A, --any-owner      it may be anybody's, not only yours or root's\n" \
	"  -h, --help           this\n" \
	"\n"

/* One of the letters above: -1, or the exit status to end with. */
int common_option(struct common *c, int letter, const char *arg);

/* The next operand, the name: -1, or the exit status to end with. */
int common_name(struct common *c, int argc, char **argv);

/* No operands are left: -1, or the exit status to end with. */
int common_no_more(const struct common *c, int argc, char **argv);

/*
 * With --socket: a capability from there, to be closed unless it is adopted.  Its
 * file; or -1, and *status is the exit status after a message.
 */
int common_fetch(const struct common *c, int *status);

/* What wait_ns should be in the library's options. */
int64_t common_wait_ns(const struct common *c);

/* The message of a failed open, with what to do about it; the exit status. */
int common_open_failed(const struct common *c, int err);

/* A number from least to most: -1, or the exit status after a message. */
int option_number(const struct command *command, const char *option,
		  const char *arg, uint64_t least, uint64_t most,
		  uint64_t *number);

/* ---- Messages of an input and an output ---- */

enum framing {
	FRAMING_LINES,		/* each ends with a newline, */
	FRAMING_NULL,		/* with a null byte */
	FRAMING_LENGTH,		/* begins with its length: 32 bits, little-endian */
	FRAMING_READS,		/* what one read(2) gives */
	FRAMING_NONE,		/* output only: one behind the other */
};

struct input {
	int fd;
	enum framing framing;
	uint64_t most;		/* FRAMING_READS: bytes of one */
	char *buffer;
	size_t size;
	size_t begin;
	size_t end;
	int over;
};

/*
 * The next message; it is there until the next call.  1; 0 at the end; -1 with errno
 * (EPROTO: the input ends within one; EMSGSIZE: longer than any can be).
 */
int input_next(struct input *in, const char **data, size_t *length);

/* What is wrong, in words, after -1. */
const char *input_error(void);

/* All of an input as one message, in memory to be freed: 0, or -1 with errno. */
int input_all(int fd, char **data, size_t *length);

/* One message to a file.  Its errors show in tool_flush(). */
void message_write(FILE *out, enum framing framing, const void *data,
		   size_t length);

/*
 * Its bytes as a member of a JSON object, without a comma: "data", a string, if
 * they are UTF-8; else "base64".
 */
void message_json(FILE *out, const void *data, size_t length);

/* At least so many bytes; 0, or -1 after a message. */
int buffer_grow(const struct command *command, void **buffer, size_t *size,
		size_t wanted);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t monotonic_ns(void);

/* From here on SIGINT, SIGTERM and SIGHUP set what asked_to_end() tells. */
void end_on_signals(void);
/* They do again what they did before that. */
void signals_as_before(void);
int asked_to_end(void);

#endif /* SHMCHAN_TOOL_MESSAGE_H */
