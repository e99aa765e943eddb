/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_HOLD_H
#define SHMCHAN_TOOL_HOLD_H

/*
 * What create and publish do when they have got what they were asked for: keep
 * it, until a signal says that this is enough, or while a command runs.
 */

#include <signal.h>

#include "tool.h"

struct hold {
	const struct command *command;
	char **words;		/* to be run; NULL: none */
	sigset_t signals;
	sigset_t before;
};

/* From here on signals wait for hold_wait(). */
void hold_begin(struct hold *h, const struct command *command, char **words);

/*
 * Until SIGINT, SIGTERM or SIGHUP, or the command's end.  look, if not NULL, is
 * called about once a second without a command: not negative is the exit status
 * to end with.  Returns the exit status.
 */
int hold_wait(struct hold *h, int (*look)(void *arg), void *arg);

#endif /* SHMCHAN_TOOL_HOLD_H */
