/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_H
#define SHMCHAN_TOOL_H

/*
 * What the subcommands of `shmchan` share: each is one function in one file,
 * gets its own arguments (argv[0] reads "shmchan NAME", for getopt's messages)
 * and returns the exit status.
 */

#include <stdint.h>
#include <stdio.h>

#include <shmchan/region.h>

/* Exit statuses; shmchan(1) documents them, scripts rely on them. */
enum {
	TOOL_OK = 0,
	TOOL_FAILED = 1,	/* anything that has no number of its own */
	TOOL_USAGE = 2,
	TOOL_DIED = 3,		/* the other side died: the stream is not whole */
	TOOL_TIMEOUT = 4,
	TOOL_NO_NAME = 5,
	TOOL_DENIED = 6,
	TOOL_CLOSED = 7,	/* the receiver left before all was sent */
	TOOL_BUSY = 8,		/* somebody has that end of the channel */
	TOOL_REVOKED = 9,	/* we were, or our capability */
};

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
	const char *help;	/* after the usage line's "shmchan " */
};

extern const struct command send_command, recv_command, create_command,
	ls_command, stat_command, grant_command, publish_command,
	withdraw_command, chmod_command, chown_command, seal_command,
	revoke_command, doctor_command, pub_command, sub_command, serve_command,
	call_command, tap_command, record_command, replay_command,
	bench_command;

/* Print what --help shows; returns TOOL_OK. */
int tool_help(const struct command *command);

/* Say what is wrong with the arguments; returns TOOL_USAGE. */
__attribute__((format(printf, 2, 3)))
int tool_usage(const struct command *command, const char *fmt, ...);

/* "Try 'shmchan NAME --help'", after getopt's own message; TOOL_USAGE. */
int tool_try_help(const struct command *command);

/* "shmchan NAME: ..." on stderr; returns TOOL_FAILED. */
__attribute__((format(printf, 2, 3)))
int tool_fail(const struct command *command, const char *fmt, ...);

/* Print the detail of a library call that returned err; its exit status. */
int tool_library_error(const struct command *command, int err);

/* The exit status for a negative errno of the library. */
int tool_status(int err);

/* Did all of stdout get out?  TOOL_OK or, with a message, TOOL_FAILED. */
int tool_flush(const struct command *command);

/*
 * Words to numbers.  0, or -1 if the word is none.
 *
 *  size     bytes, with K, M or G for powers of 1024: 64K, 1MiB
 *  seconds  to nanoseconds, with a fraction: 0.5
 *  mode     octal permission bits without x: 0640
 *  backend  auto, kmod, local
 *  user     and group: their names, or numbers
 */
int parse_size(const char *word, uint64_t *bytes);
int parse_seconds(const char *word, int64_t *ns);
int parse_mode(const char *word, uint32_t *mode);
int parse_backend(const char *word, enum shmchan_backend *backend);
int parse_user(const char *word, uint32_t *uid);
int parse_group(const char *word, uint32_t *gid);

/* Numbers to words: "2 MiB", exact or with two decimals; the buffer's. */
#define SIZE_WORD	24
const char *size_word(char *buffer, uint64_t bytes);

/* The user's name, or its number; the buffer's. */
#define USER_WORD	40
const char *user_word(char *buffer, uint32_t uid);
const char *group_word(char *buffer, uint32_t gid);

/* A string as JSON, with its quotes. */
void json_string(FILE *out, const char *string);

#endif /* SHMCHAN_TOOL_H */
