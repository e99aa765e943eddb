/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_WORKER_H
#define SHMCHAN_TOOL_WORKER_H

/*
 * A command that is fed from memory and whose output is gathered: what
 * `shmchan serve` runs for a request, or keeps for all of them.
 *
 * It is a process group of its own, and ends with us.
 */

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct worker {
	pid_t pid;		/* 0: none */
	int in;			/* to it; -1: closed */
	int out;		/* from it; -1: closed */
	char *input;		/* the worker's; input_length, input_done of it */
	size_t input_length;
	size_t input_done;
	char *output;
	size_t output_length;
	size_t output_room;
	uint64_t asked;		/* to end, at this time; 0: not */
};

/*
 * Run words, with this mask of signals.  0, or a negative errno: there is no such
 * command, say.
 */
int worker_start(struct worker *w, char **words, const sigset_t *mask);

/* Give it bytes, a copy of which is kept until they are taken.  0 or -ENOMEM. */
int worker_feed(struct worker *w, const void *data, size_t length);

/* What poll(2) should look for; fds[2]. */
void worker_poll(const struct worker *w, struct pollfd *fds);

/*
 * Move what can be moved without blocking.  With close_in its input ends when all is
 * taken.  0; or -EMSGSIZE: it says more than most; -ENOMEM.
 */
int worker_move(struct worker *w, int close_in, size_t most);

/* Politely, then not: to be called again while it lives. */
void worker_end(struct worker *w, uint64_t now);

/*
 * Has it ended, and said all?  1, and *status is as a shell's; then it is gone and w
 * can be started again.  The output is there until then or worker_clear().
 */
int worker_ended(struct worker *w, int *status);

/* Forget it all. */
void worker_clear(struct worker *w);

#endif /* SHMCHAN_TOOL_WORKER_H */
