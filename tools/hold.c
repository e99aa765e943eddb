// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Keeping something until a signal comes, or while a command runs. */

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hold.h"

void hold_begin(struct hold *h, const struct command *command, char **words)
{
	h->command = command;
	h->words = words;
	sigemptyset(&h->signals);
	sigaddset(&h->signals, SIGINT);
	sigaddset(&h->signals, SIGTERM);
	sigaddset(&h->signals, SIGHUP);
	if (words)
		sigaddset(&h->signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &h->signals, &h->before);
}

static int until_signal(const struct hold *h, int (*look)(void *arg), void *arg)
{
	const struct timespec second = { 1, 0 };
	int status = tool_flush(h->command);

	while (status == TOOL_OK) {
		if (sigtimedwait(&h->signals, NULL, look ? &second : NULL) >= 0)
			return TOOL_OK;
		if (errno == EAGAIN) {
			status = look(arg);
			if (status >= 0)
				return status;
			status = TOOL_OK;
		}
	}
	return status;
}

/*
 * Signals that somebody sends to us are for the command; those of the terminal
 * go to it, too.  Then its status is ours.
 */
static int await(pid_t pid, const sigset_t *signals)
{
	siginfo_t info;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (sigwaitinfo(signals, &info) < 0 ||
		    info.si_signo == SIGCHLD || info.si_code == SI_KERNEL)
			continue;
		kill(pid, info.si_signo);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) :
				     WEXITSTATUS(status);
}

static int run_command(const struct hold *h)
{
	posix_spawnattr_t attr;
	pid_t pid;
	int err;

	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &h->before);
	/* What is ignored leaves nobody to be waited for. */
	signal(SIGCHLD, SIG_DFL);
	err = posix_spawnp(&pid, h->words[0], NULL, &attr, h->words, environ);
	posix_spawnattr_destroy(&attr);
	if (err) {
		tool_fail(h->command, "%s: %s", h->words[0], strerror(err));
		return err == ENOENT ? 127 : 126;
	}
	return await(pid, &h->signals);
}

int hold_wait(struct hold *h, int (*look)(void *arg), void *arg)
{
	return h->words ? run_command(h) : until_signal(h, look, arg);
}
