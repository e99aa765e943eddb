/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_STREAM_H
#define SHMCHAN_TOOL_STREAM_H

/*
 * What send and recv share: options, opening, counting, and what is told at
 * the end.
 *
 * Who has not brought its work to an end does not close its channel but exits:
 * the other side is then told that this one died, and not that all is well.
 */

#include <getopt.h>
#include <poll.h>

#include <shmchan/spsc.h>

#include "tool.h"

enum stream_stats { STATS_NONE, STATS_TEXT, STATS_JSON };

struct stream {
	const struct command *command;
	const char *name;
	const char *from;		/* a socket, instead of a name; or NULL */
	const char *path;		/* -i, -o; NULL: standard */
	struct shmchan_spsc_opts opts;
	struct shmchan_spsc ch;
	int64_t timeout_ns;		/* -1: none */
	uint64_t record;		/* send: bytes per record at most */
	enum stream_stats stats;
	int quiet;
	int for_create;			/* an option was given that needs it */
	int explicit_create;		/* --create was given */
	int progress;
	uint64_t bytes;
	uint64_t records;
	uint64_t started;		/* ns of CLOCK_MONOTONIC; 0: not yet */
	uint64_t shown;			/* when progress was looked at last */
	int visible;			/* it is on the terminal now */
};

/* getopt_long's; a subcommand adds its own in front. */
#define STREAM_OPTIONS \
	{ "from", required_argument, NULL, 'f' }, \
	{ "capacity", required_argument, NULL, 'c' }, \
	{ "mode", required_argument, NULL, 'm' }, \
	{ "timeout", required_argument, NULL, 't' }, \
	{ "backend", required_argument, NULL, 'b' }, \
	{ "any-owner", no_argument, NULL, 'A' }, \
	{ "stats", optional_argument, NULL, 's' }, \
	{ "quiet", no_argument, NULL, 'q' }, \
	{ "help", no_argument, NULL, 'h' }, \
	{ NULL, 0, NULL, 0 }
#define STREAM_LETTERS "f:c:m:t:b:Aqh"

#define STREAM_HELP \
	"  -f, --from PATH      instead of NAME: the channel for which somebody hands out\n" \
	"                       capabilities on this socket (shmchan grant --rights rw)\n" \
	"  -t, --timeout S      give up (exit status 4) when nothing has moved for S\n" \
	"                       seconds; may have a fraction\n" \
	"  -b, --backend WHICH  auto, kmod or local\n" \
	"  -A, --any-owner      the channel may be anybody's, not only yours or root's\n" \
	"      --stats[=json]   a line on standard error at the end\n" \
	"  -q, --quiet          no progress on a terminal\n" \
	"  -h, --help           this\n" \
	"\n" \
	"exit status: 0 end of the stream; 1 something failed; 2 usage; 3 the other\n" \
	"side died; 4 timeout; 5 no such name; 6 no permission; 7 the receiver left\n" \
	"before the end; 8 that end of the channel is taken; 9 we were revoked.\n"

/* One of the letters above: -1, or the exit status to end with. */
int stream_option(struct stream *s, int letter, const char *arg);

/* The one operand, the name: -1, or the exit status to end with. */
int stream_operand(struct stream *s, int argc, char **argv);

/*
 * Open the channel: 0, or a negative errno of the library, whose detail is still
 * to be told; or, after a message, the exit status to end with.
 */
int stream_open(struct stream *s);

/* Count a record that went through, and show progress. */
void stream_count(struct stream *s, uint64_t bytes, uint64_t records);

/*
 * The end: progress goes, and with --stats the summary comes.  how is in
 * words, for it.  Returns status.  The channel is still open.
 */
int stream_end(struct stream *s, int status, const char *how);

/* The message and exit status of a library error in midstream. */
int stream_error(struct stream *s, int err);

/* Block until a file that is O_NONBLOCK can be read or written. */
void stream_poll(int fd, short events);

#endif /* SHMCHAN_TOOL_STREAM_H */
