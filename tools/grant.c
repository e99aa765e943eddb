// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan grant: hand capabilities to whoever connects to a socket. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access.h"

static const char help[] =
	"grant NAME --rights RIGHTS --socket PATH [OPTION]...\n\n"
	"Lets in processes that could not open NAME, or not so: listens on a unix socket,\n"
	"and hands a capability that allows no more than RIGHTS to each that connects,\n"
	"one each, until it is interrupted. A line tells who got one. They are used with\n"
	"--from PATH (send, recv, publish), --socket PATH (pub, sub, call, serve), or\n"
	"shmchan_capability_receive().\n\n"
	"  -r, --rights RIGHTS  letters of r (read and wait), w (write and ring), a (admin)\n"
	"                       and p (publish: to pass it on to more than one); or words:\n"
	"                       read,write,ring,wait,admin,publish\n"
	"  -s, --socket PATH    where to listen; removed at the end\n"
	"  -m, --mode MODE      of the socket (0600): who may write it may connect\n"
	"  -n, --slot N         as the holder of this slot, and no other\n"
	"      --range AREA=OFFSET+SIZE   of the area data or control that part alone, in\n"
	"                       multiples of 4K from its beginning; AREA=none: nothing\n"
	"      --once           end when one process has got one\n"
	"  -A, --any-owner      NAME may be anybody's, not only yours or root's\n"
	"  -h, --help           this\n\n"
	"shmchan revoke ends what came of it.\n";

enum { OPT_RANGE = 256, OPT_ONCE };

static const struct option options[] = {
	{ "rights", required_argument, NULL, 'r' },
	{ "socket", required_argument, NULL, 's' },
	{ "mode", required_argument, NULL, 'm' },
	{ "slot", required_argument, NULL, 'n' },
	{ "range", required_argument, NULL, OPT_RANGE },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "any-owner", no_argument, NULL, 'A' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* AREA=OFFSET+SIZE, as it was given: where the area is, the region tells. */
struct part {
	const char *arg;	/* NULL: not given */
	struct shmchan_range range;
};

struct grant {
	const char *name;
	const char *path;
	struct shmchan_mint_opts opts;
	struct part data;
	struct part control;
	uint32_t mode;
	int once;
	int any_owner;
	int capability;
};

static int wrong_range(const char *arg)
{
	return tool_usage(&grant_command,
		"--range is '%s': should be data=OFFSET+SIZE or control=OFFSET+SIZE, in multiples of 4K, or data=none, control=none",
		arg);
}

static int parse_range(struct grant *g, const char *arg)
{
	struct part *part = NULL;
	const char *rest, *plus;
	char offset[32];

	if (!strncmp(arg, "data=", 5))
		part = &g->data;
	else if (!strncmp(arg, "control=", 8))
		part = &g->control;
	if (!part)
		return wrong_range(arg);
	rest = strchr(arg, '=') + 1;
	plus = strchr(rest, '+');
	part->arg = arg;
	if (!strcmp(rest, "none"))
		return -1;
	if (!plus || (size_t)(plus - rest) >= sizeof(offset))
		return wrong_range(arg);
	snprintf(offset, sizeof(offset), "%.*s", (int)(plus - rest), rest);
	if (parse_size(offset, (uint64_t *)&part->range.offset) ||
	    parse_size(plus + 1, (uint64_t *)&part->range.length) ||
	    !part->range.length || part->range.offset % SHMCHAN_PAGE ||
	    part->range.length % SHMCHAN_PAGE)
		return wrong_range(arg);
	return -1;
}

/* One option; -1, or the exit status to end with. */
static int take(struct grant *g, int letter, const char *arg)
{
	uint32_t generation;

	switch (letter) {
	case 'r':
		if (parse_rights(arg, &g->opts.rights))
			return tool_usage(&grant_command,
				"--rights is '%s': " RIGHTS_SYNTAX, arg);
		return -1;
	case 's':
		g->path = arg;
		return -1;
	case 'm':
		if (parse_mode(arg, &g->mode))
			return tool_usage(&grant_command,
				"--mode is '%s': should be octal permissions without x, as in 0660",
				arg);
		return -1;
	case 'n':
		if (parse_slot(arg, &g->opts.slot, &generation) || generation)
			return tool_usage(&grant_command,
				"--slot is '%s': should be the number of a slot, as in 0",
				arg);
		return -1;
	case OPT_RANGE:
		return parse_range(g, arg);
	case OPT_ONCE:
		g->once = 1;
		return -1;
	case 'A':
		g->any_owner = 1;
		return -1;
	case 'h':
		return tool_help(&grant_command);
	default:
		return tool_try_help(&grant_command);
	}
}

static int parse(struct grant *g, int argc, char **argv)
{
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv, "r:s:m:n:Ah",
						   options, NULL)) != -1)
		status = take(g, letter, optarg);
	if (status >= 0)
		return status;
	if (optind == argc)
		return tool_usage(&grant_command,
				  "which region? 'shmchan ls' lists the names");
	if (argc - optind > 1)
		return tool_usage(&grant_command,
				  "one name is wanted, '%s' is too many",
				  argv[optind + 1]);
	g->name = argv[optind];
	if (!g->opts.rights)
		return tool_usage(&grant_command,
				  "to do what? Give --rights, as in --rights r");
	if (!g->path)
		return tool_usage(&grant_command,
				  "where? Give --socket, as in --socket ./%s.sock",
				  g->name);
	return -1;
}

/* A range's place in the region, now that the region is known. */
static void place(struct part *part, uint64_t area)
{
	if (part->range.length)
		part->range.offset += area;
}

static int open_it(struct grant *g)
{
	struct shmchan_capability_opts opts = SHMCHAN_CAPABILITY_OPTS(
		.rights = g->opts.rights | SHMCHAN_RIGHT_PUBLISH,
		.any_owner = g->any_owner);
	struct shmchan_query q = { .size = 0 };
	int fd = shmchan_capability_open(g->name, &opts), err;

	if (fd == -EPERM)
		fputs("To trust its owner all the same: --any-owner\n", stderr);
	if (fd < 0)
		return tool_library_error(&grant_command, fd);
	g->capability = fd;
	err = shmchan_capability_query(fd, &q);
	if (err)
		return tool_library_error(&grant_command, err);
	place(&g->control, q.control_offset);
	g->opts.data = g->data.arg ? &g->data.range : NULL;
	g->opts.control = g->control.arg ? &g->control.range : NULL;
	/* What is wrong with what is to be given is said before anybody comes. */
	fd = shmchan_capability_mint(g->capability, &g->opts);
	if (fd < 0)
		return tool_library_error(&grant_command, fd);
	close(fd);
	return -1;
}

/* One who came; -1, or the exit status to end with. */
static int serve(const struct grant *g, int sock)
{
	struct ucred cred = { .pid = 0 };
	socklen_t length = sizeof(cred);
	char rights[RIGHTS_WORD], user[USER_WORD], pid[16] = "?";
	int fd, err;

	fd = shmchan_capability_mint(g->capability, &g->opts);
	if (fd < 0)
		return tool_library_error(&grant_command, fd);
	err = shmchan_capability_send(sock, fd);
	close(fd);
	if (err) {
		/* That one went away: no reason to end for the others. */
		tool_library_error(&grant_command, err);
		return -1;
	}
	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &length))
		cred.uid = UINT32_MAX;
	if (cred.pid)
		snprintf(pid, sizeof(pid), "%d", (int)cred.pid);
	printf("%s: %s to process %s, user %s", g->name,
	       rights_word(rights, g->opts.rights), pid,
	       user_word(user, cred.uid));
	if (g->opts.slot != SHMCHAN_SLOT_ANY)
		printf(", for slot %" PRIu32, g->opts.slot);
	putchar('\n');
	err = tool_flush(&grant_command);
	return err || g->once ? err : -1;
}

static int listen_on(const struct grant *g, int sock, int signals)
{
	struct pollfd fds[2] = {
		{ .fd = sock, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	int status = -1, fd;

	while (status < 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return tool_fail(&grant_command, "poll: %s",
					 strerror(errno));
		if (fds[1].revents)
			return TOOL_OK;
		if (!fds[0].revents)
			continue;
		fd = accept4(sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE ||
			       errno == ENOMEM))
			return tool_fail(&grant_command, "accept: %s",
					 strerror(errno));
		/* Gone again already. */
		if (fd < 0)
			continue;
		status = serve(g, fd);
		close(fd);
	}
	return status;
}

static int run(int argc, char **argv)
{
	struct grant g = {
		.opts = SHMCHAN_MINT_OPTS(.rights = 0), .mode = 0600,
	};
	char rights[RIGHTS_WORD];
	int status, sock, signals;
	sigset_t set;

	status = parse(&g, argc, argv);
	if (status < 0)
		status = open_it(&g);
	if (status >= 0)
		return status;
	sock = socket_listen(&grant_command, g.path, g.mode);
	if (sock < 0)
		return TOOL_FAILED;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	/* The line that scripts wait for. */
	printf("%s: %s to who connects to %s\n", g.name,
	       rights_word(rights, g.opts.rights), g.path);
	status = tool_flush(&grant_command);
	if (status == TOOL_OK)
		status = listen_on(&g, sock, signals);
	unlink(g.path);
	return status;
}

const struct command grant_command = {
	"grant", run, "hand out capabilities for a region on a socket", help,
};
