// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* A command that is fed from memory and whose output is gathered. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker.h"

#define FIRST_ROOM	4096
/* Between SIGTERM and SIGKILL. */
#define PATIENCE_NS	1000000000ULL

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/*
 * Between fork and exec.  What went wrong goes through a pipe that exec closes: who
 * started us is told of a command that is not there, and not of its exit status.
 */
static void become(char **words, const sigset_t *mask, int in, int out,
		   int report, pid_t parent)
{
	int err;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (dup2(in, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0)
		execvp(words[0], words);
	err = errno;
	(void)!write(report, &err, sizeof(err));
	_exit(127);
}

/* What the child reports before exec: 0, or a negative errno. */
static int await_exec(int report, pid_t pid)
{
	int err = 0;
	ssize_t n;

	do
		n = read(report, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(err))
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return -err;
}

int worker_start(struct worker *w, char **words, const sigset_t *mask)
{
	int to[2] = { -1, -1 }, from[2] = { -1, -1 }, report[2] = { -1, -1 };
	const pid_t parent = getpid();
	int err = 0;
	pid_t pid;

	memset(w, 0, sizeof(*w));
	w->in = w->out = -1;
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC) ||
	    pipe2(report, O_CLOEXEC)) {
		err = -errno;
	} else {
		pid = fork();
		if (!pid)
			become(words, mask, to[0], from[1], report[1], parent);
		if (pid < 0)
			err = -errno;
		close_fd(&report[1]);
		if (!err)
			err = await_exec(report[0], pid);
		w->pid = err ? 0 : pid;
	}
	close_fd(&to[0]);
	close_fd(&from[1]);
	close_fd(&report[0]);
	close_fd(&report[1]);
	if (err) {
		close_fd(&to[1]);
		close_fd(&from[0]);
		return err;
	}
	w->in = to[1];
	w->out = from[0];
	fcntl(w->in, F_SETFL, O_NONBLOCK);
	fcntl(w->out, F_SETFL, O_NONBLOCK);
	return 0;
}

int worker_feed(struct worker *w, const void *data, size_t length)
{
	char *input = realloc(w->input, w->input_length + length + 1);

	if (!input)
		return -ENOMEM;
	if (length)
		memcpy(input + w->input_length, data, length);
	w->input = input;
	w->input_length += length;
	return 0;
}

void worker_poll(const struct worker *w, struct pollfd *fds)
{
	fds[0].fd = w->input_done < w->input_length ? w->in : -1;
	fds[0].events = POLLOUT;
	fds[1].fd = w->out;
	fds[1].events = POLLIN;
	fds[0].revents = fds[1].revents = 0;
}

/* Who does not read what it is given has read enough. */
static void move_in(struct worker *w, int close_in)
{
	ssize_t n;

	while (w->in >= 0 && w->input_done < w->input_length) {
		n = write(w->in, w->input + w->input_done,
			  w->input_length - w->input_done);
		if (n >= 0)
			w->input_done += (size_t)n;
		else if (errno == EAGAIN)
			return;
		else if (errno != EINTR)
			w->input_done = w->input_length;
	}
	w->input_length = w->input_done = 0;
	if (close_in)
		close_fd(&w->in);
}

static int more_room(struct worker *w)
{
	size_t room = w->output_room ? 2 * w->output_room : FIRST_ROOM;
	char *output;

	if (w->output_length < w->output_room)
		return 0;
	output = realloc(w->output, room);
	if (!output)
		return -ENOMEM;
	w->output = output;
	w->output_room = room;
	return 0;
}

int worker_move(struct worker *w, int close_in, size_t most)
{
	ssize_t n;
	int err;

	move_in(w, close_in);
	while (w->out >= 0) {
		err = more_room(w);
		if (err)
			return err;
		n = read(w->out, w->output + w->output_length,
			 w->output_room - w->output_length);
		if (n > 0)
			w->output_length += (size_t)n;
		else if (n < 0 && errno == EAGAIN)
			break;
		else if (!n || errno != EINTR)
			close_fd(&w->out);
		if (w->output_length > most)
			return -EMSGSIZE;
	}
	return 0;
}

void worker_end(struct worker *w, uint64_t now)
{
	if (!w->pid)
		return;
	if (!w->asked) {
		w->asked = now;
		kill(-w->pid, SIGTERM);
	} else if (now - w->asked > PATIENCE_NS) {
		kill(-w->pid, SIGKILL);
		/* Who holds its output now is none of ours. */
		close_fd(&w->out);
	}
}

int worker_ended(struct worker *w, int *status)
{
	int how;

	/* It may have left its output to somebody, and that one may go on. */
	if (!w->pid || w->out >= 0)
		return 0;
	if (waitpid(w->pid, &how, WNOHANG) != w->pid)
		return 0;
	w->pid = 0;
	close_fd(&w->in);
	*status = WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
	return 1;
}

void worker_clear(struct worker *w)
{
	close_fd(&w->in);
	close_fd(&w->out);
	free(w->input);
	free(w->output);
	memset(w, 0, sizeof(*w));
	w->in = w->out = -1;
}
