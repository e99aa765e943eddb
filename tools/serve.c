// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan serve: a service whose replies a command gives. */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shmchan/loop.h>
#include <shmchan/rpc.h>

#include "message.h"
#include "worker.h"

#define FIRST_ROOM	65536
#define MOST_WORKERS	256
/*
 * Requests, the ends of clients, and room that they have made for replies come by
 * the file of a set, as the output of commands does by theirs.  Nothing tells of what
 * remains: whether a client still waits is looked at so often, and what is a matter
 * of moments (a command has said all, and is not dead yet) so often.
 */
#define ATTENTION_MS	50
#define LOOK_MS		2
/* Where sets have no file: requests are looked for so often; when idle, signals. */
#define IDLE_NS		500000000LL

static const char help[] =
	"serve NAME [OPTION]... -- COMMAND [ARGUMENT]...\n\n"
	"Serves the service NAME, which it makes if it is not there: for each request (of\n"
	"shmchan call NAME, or of any client) it runs the command with the request as its\n"
	"standard input. The reply is its standard output, and the reply's status its exit\n"
	"status. SHMCHAN_METHOD, SHMCHAN_CLIENT and SHMCHAN_CALL tell it the numbers of the\n"
	"method, the client's slot and the call. If the client dies or does not wait any\n"
	"more, the command is ended: SIGTERM to its process group, a second later SIGKILL.\n"
	"Serves until SIGINT, SIGTERM or SIGHUP.\n\n"
	"  -n, --workers N      run so many commands at once (1); replies go out as they\n"
	"                       are there\n"
	"  -s, --stream         each piece of output goes out at once, as a part of the\n"
	"                       reply (call --server-streaming)\n"
	"  -l, --lines          run the command once: it gets each request as a line, and\n"
	"                       answers it with a line, in order. Ends when it ends\n"
	"      --clients N      if it makes the service: seats, up to 1023 (16)\n"
	"  -c, --capacity SIZE  if it makes it: of each client's lanes, 4K to 1G (64K); a\n"
	"                       request or reply may be a quarter of it\n"
	"  -m, --mode MODE      if it makes it: permissions, octal (0600)\n"
	SOCKET_HELP
	"  -b, --backend WHICH  auto, kmod or local\n"
	"  -A, --any-owner      it may be anybody's, not only yours or root's\n"
	"  -h, --help           this\n"
	"\n"
	"What serve itself has to say to a client is a status below 0: -2 the command is\n"
	"not there, -22 the request is no line, -90 the reply is too long.\n\n"
	"exit status: 0 it was told to end; 1 something failed; 2 usage; 6 no permission; 8\n"
	"there is a server; 9 we were revoked. With --lines: the command's; 128 and the\n"
	"number of the signal that ended it; 127 if there is no such command, 126 if it\n"
	"cannot be run.\n";

enum { OPT_CLIENTS = 256 };

static const struct option options[] = {
	{ "workers", required_argument, NULL, 'n' },
	{ "stream", no_argument, NULL, 's' },
	{ "lines", no_argument, NULL, 'l' },
	{ "clients", required_argument, NULL, OPT_CLIENTS },
	{ "capacity", required_argument, NULL, 'c' },
	{ "mode", required_argument, NULL, 'm' },
	SOCKET_OPTION,
	{ "backend", required_argument, NULL, 'b' },
	{ "any-owner", no_argument, NULL, 'A' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* A call that is being worked on. */
struct job {
	struct worker worker;
	struct shmchan_rpc_call call;
	int busy;
	int over;		/* nobody waits for the reply any more */
	int done;		/* the reply is all there, with this status: */
	int status;
};

struct serve {
	struct common common;
	struct shmchan_rpc_opts opts;
	struct shmchan_rpc_server server;
	size_t most;			/* bytes of a reply */
	char **words;
	uint64_t nr_workers;
	int stream;
	int lines;
	struct job *jobs;
	uint32_t nr_busy;
	void *buffer;
	size_t size;
	struct pollfd *fds;
	struct shmchan_set *set;
	int set_fd;		/* negative: there is none */
	sigset_t unblocked;	/* signals end us while we sleep, and then alone */
};

static int take(struct serve *s, int letter, const char *arg)
{
	const struct command *command = s->common.command;
	uint64_t number = 0;
	int status;

	switch (letter) {
	case 'n':
		return option_number(command, "workers", arg, 1, MOST_WORKERS,
				     &s->nr_workers);
	case 's':
		s->stream = 1;
		return -1;
	case 'l':
		s->lines = 1;
		return -1;
	case OPT_CLIENTS:
		status = option_number(command, "clients", arg, 1,
				       SHMCHAN_RPC_MAX_CLIENTS, &number);
		s->opts.nr_clients = (uint32_t)number;
		return status;
	case 'c':
		if (parse_size(arg, &number) || !number)
			return tool_usage(command,
				"--capacity is '%s': should be bytes, with K, M or G for powers of 1024, as in 64K or 8M",
				arg);
		s->opts.request_capacity = s->opts.reply_capacity = number;
		return -1;
	case 'm':
		if (parse_mode(arg, &s->opts.mode))
			return tool_usage(command,
				"--mode is '%s': should be octal permissions without x, as in 0660",
				arg);
		return -1;
	default:
		return common_option(&s->common, letter, arg);
	}
}

/* As create's: options before and after the name, the command behind it. */
static int parse(struct serve *s, int argc, char **argv)
{
	int letter, status = -1;

	do {
		while (status < 0 &&
		       (letter = getopt_long(argc, argv, "+n:slc:m:b:Ah",
					     options, NULL)) != -1)
			status = take(s, letter, optarg);
		if (status >= 0 || s->common.name || optind == argc)
			break;
		s->common.name = argv[optind++];
	} while (strcmp(argv[optind - 2], "--") != 0);
	if (status >= 0)
		return status;
	if (!s->common.name)
		return tool_usage(s->common.command,
				  "which service? Give it a name");
	if (optind == argc)
		return tool_usage(s->common.command,
				  "what replies? Give -- and a command");
	if (s->lines && (s->stream || s->nr_workers > 1))
		return tool_usage(s->common.command,
			"--lines is one command and a line each: without --stream and --workers");
	s->words = argv + optind;
	return -1;
}

/* The message of a worker that could not be started, and its status. */
static int not_started(const struct serve *s, int err)
{
	tool_fail(s->common.command, "%s: %s", s->words[0], strerror(-err));
	return err == -ENOENT ? 127 : 126;
}

static void job_free(struct serve *s, struct job *job)
{
	/* A command for all of them stays. */
	if (!s->lines)
		worker_clear(&job->worker);
	job->busy = job->over = job->done = job->status = 0;
	s->nr_busy--;
}

/*
 * The last reply, or all there is of it: 1 when the call is over, 0 if the client has
 * no room for it now, or a negative errno that ends us.
 */
static int reply(struct serve *s, struct job *job, const void *data,
		 size_t length)
{
	int err = shmchan_rpc_reply(&s->server, &job->call, job->status, data,
				    length, 0);

	if (err == -EMSGSIZE)
		err = shmchan_rpc_reply(&s->server, &job->call, -EMSGSIZE,
					NULL, 0, 0);
	if (err == -EAGAIN)
		return 0;
	return err == -ESTALE ? err : 1;
}

/* What a command has said so far, in parts; as much as there is room for. */
static int reply_parts(struct serve *s, struct job *job)
{
	struct worker *w = &job->worker;
	size_t done = 0, n;
	int err = 0;

	while (done < w->output_length && !err) {
		n = w->output_length - done < s->most ?
		    w->output_length - done : s->most;
		err = shmchan_rpc_reply_part(&s->server, &job->call, 0,
					     w->output + done, n, 0);
		if (!err)
			done += n;
	}
	w->output_length -= done;
	memmove(w->output, w->output + done, w->output_length);
	if (err && err != -EAGAIN && err != -ESTALE)
		job->over = 1;
	return err == -ESTALE ? err : 0;
}

static void set_number(const char *name, uint32_t number)
{
	char word[16];

	snprintf(word, sizeof(word), "%" PRIu32, number);
	setenv(name, word, 1);
}

static void job_start(struct serve *s, struct job *job)
{
	int err;

	set_number("SHMCHAN_METHOD", job->call.method);
	set_number("SHMCHAN_CLIENT", job->call.client);
	set_number("SHMCHAN_CALL", job->call.id);
	err = worker_start(&job->worker, s->words, &s->unblocked);
	if (err)
		not_started(s, err);
	else
		err = worker_feed(&job->worker, job->call.data,
				  job->call.length);
	if (err) {
		worker_end(&job->worker, monotonic_ns());
		job->done = 1;
		job->status = err;
	}
}

static void job_line(struct job *job)
{
	int err = 0;

	if (job->call.length &&
	    memchr(job->call.data, '\n', job->call.length))
		err = -EINVAL;
	if (!err)
		err = worker_feed(&job->worker, job->call.data,
				  job->call.length);
	if (!err)
		err = worker_feed(&job->worker, "\n", 1);
	job->done = err != 0;
	job->status = err;
}

static struct job *idle_job(struct serve *s)
{
	uint64_t i;

	for (i = 0; i < s->nr_workers; i++)
		if (!s->jobs[i].busy)
			return &s->jobs[i];
	return NULL;
}

static void client_ended(struct serve *s, const struct shmchan_rpc_call *call)
{
	uint64_t i;

	for (i = 0; i < s->nr_workers; i++)
		if (s->jobs[i].busy &&
		    s->jobs[i].call.client == call->client &&
		    s->jobs[i].call.generation == call->generation)
			s->jobs[i].over = 1;
}

/* Take a request, if somebody is free for it: 0, or an errno that ends us. */
static int take_request(struct serve *s)
{
	struct job *job = idle_job(s);
	struct shmchan_rpc_call call;
	int err;

	if (!job)
		return 0;
	err = shmchan_rpc_next(&s->server, &call, s->buffer, s->size,
			       s->nr_busy || s->set_fd >= 0 ? 0 : IDLE_NS);
	switch (-err) {
	case 0:
		job->call = call;
		job->busy = 1;
		s->nr_busy++;
		if (s->lines)
			job_line(job);
		else
			job_start(s, job);
		return 0;
	case EAGAIN:
	case ETIMEDOUT:
		return 0;
	case EBADMSG:
		tool_fail(s->common.command,
			  "%s: the client in slot %" PRIu32 " broke the rules: %s",
			  s->common.name, call.client, shmchan_error_detail());
		client_ended(s, &call);
		return 0;
	case EOWNERDEAD:
	case EPIPE:
		client_ended(s, &call);
		return 0;
	case EMSGSIZE:
		return buffer_grow(s->common.command, &s->buffer, &s->size,
				   call.length) ? -ENOMEM : 0;
	default:
		return err;
	}
}

/* The answer to the line that was asked, or one that nobody has asked for. */
static void look_for_line(struct serve *s, struct job *job, size_t *length)
{
	struct worker *w = &job->worker;
	char *end;

	for (;;) {
		end = w->output_length ?
		      memchr(w->output, '\n', w->output_length) : NULL;
		*length = end ? (size_t)(end - w->output) : 0;
		if (!end || job->busy) {
			job->done |= end != NULL;
			return;
		}
		tool_fail(s->common.command,
			  "%s said a line that no request had asked for",
			  s->words[0]);
		w->output_length -= *length + 1;
		memmove(w->output, end + 1, w->output_length);
	}
}

/* One step of the command for all: 0, or an errno; *status is its end, or -1. */
static int step_line(struct serve *s, struct job *job, int *status)
{
	struct worker *w = &job->worker;
	size_t length = 0;
	int own, ret;

	/* An answer of ours to what is no line is none of its. */
	own = job->busy && job->done && job->status;
	ret = worker_move(w, 0, SIZE_MAX);
	if (ret)
		return ret;
	if (!own)
		look_for_line(s, job, &length);
	if (job->busy && job->done) {
		ret = job->over ? 1 :
		      reply(s, job, own ? NULL : w->output, length);
		if (ret < 0)
			return ret;
		if (ret) {
			if (!own) {
				w->output_length -= length + 1;
				memmove(w->output, w->output + length + 1,
					w->output_length);
			}
			job_free(s, job);
		}
	}
	worker_ended(w, status);
	return 0;
}

static int step(struct serve *s, struct job *job)
{
	struct worker *w = &job->worker;
	int ret = 0;

	if (shmchan_rpc_cancelled(&s->server, &job->call) > 0)
		job->over = 1;
	if (!job->done) {
		if (job->over)
			worker_end(w, monotonic_ns());
		/* What the client has no room for holds the command up. */
		if (!s->stream || job->over || w->output_length < s->most)
			ret = worker_move(w, 1, s->stream ? SIZE_MAX : s->most);
		if (ret) {
			job->status = ret;
			worker_end(w, monotonic_ns());
		}
		if (job->over)
			w->output_length = 0;
	}
	if (s->stream && !job->over) {
		ret = reply_parts(s, job);
		if (ret)
			return ret;
	}
	if (!job->done && worker_ended(w, &ret)) {
		job->done = 1;
		if (!job->status)
			job->status = ret;
	} else if (!job->done && job->status) {
		/* Too long: it is ended, and what it still says is dropped. */
		w->output_length = 0;
		worker_end(w, monotonic_ns());
	}
	if (!job->done || (s->stream && !job->over && w->output_length))
		return 0;
	/* A call that was taken back is brought to its end all the same. */
	ret = reply(s, job, job->status < 0 ? NULL : w->output,
		    job->status < 0 ? 0 : w->output_length);
	if (ret < 0)
		return ret;
	if (ret || job->over)
		job_free(s, job);
	return 0;
}

/*
 * From here on requests, ends and room make the file readable.  1; 0: there is no
 * file, or a request that nobody has taken; or an errno that ends us.
 */
static int arm(struct serve *s)
{
	int err;

	if (s->set_fd < 0)
		return 0;
	err = shmchan_set_arm(s->set);
	if (err == -EAGAIN)
		return 0;
	return err ? err : 1;
}

static int waits_for_room(const struct serve *s, const struct job *job)
{
	return job->busy && (job->done ||
			     (s->stream && job->worker.output_length));
}

/* At most so many milliseconds; -1: for ever. */
static int patience(const struct serve *s, int armed)
{
	const struct job *job = s->jobs;
	uint64_t i;

	for (i = 0; i < s->nr_workers; i++, job++)
		if ((job->worker.pid && job->worker.out < 0) ||
		    (!armed && waits_for_room(s, job)))
			return LOOK_MS;
	/* next() has slept already. */
	if (s->set_fd < 0)
		return s->nr_busy || s->lines ? LOOK_MS : 0;
	if (!armed && s->nr_busy < s->nr_workers)
		return 0;
	return s->nr_busy ? ATTENTION_MS : -1;
}

/* Until there is something to do.  0, or an errno that ends us. */
static int sleep_for_all(const struct serve *s, int armed)
{
	const int ms = patience(s, armed);
	const struct timespec ts = { 0, ms * 1000000L };
	nfds_t nr = 0;
	uint64_t i;

	for (i = 0; i < s->nr_workers; i++) {
		if (!s->jobs[i].worker.pid)
			continue;
		worker_poll(&s->jobs[i].worker, s->fds + nr);
		nr += 2;
	}
	s->fds[nr].fd = armed ? s->set_fd : -1;
	s->fds[nr].events = POLLIN;
	s->fds[nr].revents = 0;
	(void)ppoll(s->fds, nr + 1, ms < 0 ? NULL : &ts, &s->unblocked);
	return s->fds[nr].revents ? shmchan_set_ack(s->set) : 0;
}

static int pump(struct serve *s)
{
	int err = 0, status = -1, armed;
	uint64_t i;

	while (!err && status < 0 && !asked_to_end()) {
		/* Before all looks, so that nothing comes in between. */
		armed = arm(s);
		err = armed < 0 ? armed : take_request(s);
		if (s->lines && !err)
			err = step_line(s, &s->jobs[0], &status);
		for (i = 0; !s->lines && i < s->nr_workers && !err; i++)
			if (s->jobs[i].busy)
				err = step(s, &s->jobs[i]);
		if (err || status >= 0)
			break;
		err = sleep_for_all(s, armed);
		/* A client that has died is a call that is over. */
		shmchan_region_poll_members(s->server.region);
	}
	if (!err && status >= 0)
		tool_fail(s->common.command, "%s ended, with status %d",
			  s->words[0], status);
	if (err)
		status = tool_library_error(s->common.command, err);
	return status < 0 ? TOOL_OK : status;
}

/* A set of one, for its file; on the local backend not every kernel has one. */
static void make_set(struct serve *s)
{
	s->set_fd = shmchan_set_create(&s->set);
	if (!s->set_fd)
		s->set_fd = shmchan_set_add_rpc_server(s->set, &s->server, s);
	if (s->set_fd >= 0)
		s->set_fd = shmchan_set_fd(s->set);
}

static void block_signals(struct serve *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &s->unblocked);
}

static int serve(struct serve *s)
{
	int status = -1, err;
	uint64_t i;

	s->jobs = calloc(s->nr_workers, sizeof(*s->jobs));
	s->fds = calloc(2 * s->nr_workers + 1, sizeof(*s->fds));
	if (!s->jobs || !s->fds ||
	    buffer_grow(s->common.command, &s->buffer, &s->size, FIRST_ROOM))
		return tool_fail(s->common.command, "no memory for %" PRIu64
				 " workers", s->nr_workers);
	for (i = 0; i < s->nr_workers; i++)
		s->jobs[i].worker.in = s->jobs[i].worker.out = -1;
	/* Who does not read its request is no reason to end. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	end_on_signals();
	block_signals(s);
	make_set(s);
	if (s->lines) {
		err = worker_start(&s->jobs[0].worker, s->words, &s->unblocked);
		if (err)
			status = not_started(s, err);
	}
	if (status < 0)
		status = pump(s);
	for (i = 0; i < s->nr_workers; i++) {
		worker_end(&s->jobs[i].worker, monotonic_ns());
		worker_clear(&s->jobs[i].worker);
	}
	return status;
}

/* 0 or a negative errno; or the exit status, after a message. */
static int enter(struct serve *s)
{
	int fd, err, status;

	if (!s->common.socket)
		return shmchan_rpc_server_open(&s->server, s->common.name,
					       &s->opts);
	fd = common_fetch(&s->common, &status);
	if (fd < 0)
		return status;
	s->opts.create = 0;
	err = shmchan_rpc_server_adopt(&s->server, fd, &s->opts);
	if (err)
		close(fd);
	return err;
}

static int run(int argc, char **argv)
{
	struct serve s = {
		.common = { .command = &serve_command, .timeout_ns = -1 },
		.opts = SHMCHAN_RPC_OPTS(.create = 1),
		.nr_workers = 1,
	};
	int status = parse(&s, argc, argv), err;

	if (status >= 0)
		return status;
	s.opts.backend = s.common.backend;
	s.opts.any_owner = s.common.any_owner;
	err = enter(&s);
	if (err > 0)
		return err;
	if (err)
		return common_open_failed(&s.common, err);
	s.most = shmchan_rpc_max_reply(s.server.region);
	status = serve(&s);
	shmchan_set_close(s.set);
	shmchan_rpc_server_close(&s.server);
	free(s.jobs);
	free(s.fds);
	free(s.buffer);
	return status;
}

const struct command serve_command = {
	"serve", run, "reply to requests with what a command says", help,
};
