// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan publish: a region of elsewhere under a name of this IPC namespace. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "hold.h"

static const char help[] =
	"publish NAME --from PATH [OPTION]... --hold\n"
	"       shmchan publish NAME --from PATH [OPTION]... -- COMMAND [ARGUMENT]...\n\n"
	"Takes a capability from a socket (shmchan grant, with the right p) and gives its\n"
	"region the name NAME in this IPC namespace, owned by you: how a region gets into\n"
	"a container. The name stays until this is interrupted, or while the command runs,\n"
	"or until somebody withdraws it; who has opened it by then stays. When it is there,\n"
	"one line says so: on standard output, with a command on standard error.\n\n"
	"  -f, --from PATH      the socket\n"
	"  -m, --mode MODE      of the name (0600); the umask applies\n"
	"  -r, --rights RIGHTS  the most that the name gives to anybody, of what came:\n"
	"                       letters of r, w, a, p, or words, as of shmchan grant\n"
	"      --hold           hold it until SIGINT, SIGTERM or SIGHUP\n"
	"  -h, --help           this\n\n"
	"exit status with a command: the command's; 128 and the number of the signal that\n"
	"ended it; 127 if there is no such command, 126 if it cannot be run.\n";

enum { OPT_HOLD = 256 };

static const struct option options[] = {
	{ "from", required_argument, NULL, 'f' },
	{ "mode", required_argument, NULL, 'm' },
	{ "rights", required_argument, NULL, 'r' },
	{ "hold", no_argument, NULL, OPT_HOLD },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct publication {
	const char *name;
	const char *path;
	struct shmchan_publish_opts opts;
	char **command;		/* NULL: --hold */
	int hold;
	int capability;
};

static int take(struct publication *p, int letter, const char *arg)
{
	switch (letter) {
	case 'f':
		p->path = arg;
		return -1;
	case 'm':
		if (parse_mode(arg, &p->opts.mode))
			return tool_usage(&publish_command,
				"--mode is '%s': should be octal permissions without x, as in 0660",
				arg);
		return -1;
	case 'r':
		if (parse_rights(arg, &p->opts.rights))
			return tool_usage(&publish_command,
				"--rights is '%s': " RIGHTS_SYNTAX, arg);
		return -1;
	case OPT_HOLD:
		p->hold = 1;
		return -1;
	case 'h':
		return tool_help(&publish_command);
	default:
		return tool_try_help(&publish_command);
	}
}

/* As create's: options before and after the name, the command behind it. */
static int parse_words(struct publication *p, int argc, char **argv)
{
	int letter, status = -1;

	do {
		while (status < 0 &&
		       (letter = getopt_long(argc, argv, "+f:m:r:h", options,
					     NULL)) != -1)
			status = take(p, letter, optarg);
		if (status >= 0 || p->name || optind == argc)
			break;
		p->name = argv[optind++];
	} while (strcmp(argv[optind - 2], "--") != 0);
	if (optind < argc)
		p->command = argv + optind;
	return status;
}

static int parse(struct publication *p, int argc, char **argv)
{
	int status = parse_words(p, argc, argv);

	if (status >= 0)
		return status;
	if (!p->name)
		return tool_usage(&publish_command,
				  "which name? Others here open the region by it");
	if (!p->path)
		return tool_usage(&publish_command,
			"of what? Give --from, the socket of a 'shmchan grant'");
	if (p->hold && p->command)
		return tool_usage(&publish_command,
			"--hold and the command '%s': the name is held either until a signal or while a command runs",
			p->command[0]);
	if (!p->hold && !p->command)
		return tool_usage(&publish_command,
			"for how long? The name lives only while somebody holds it: give --hold, or -- and a command to hold it for");
	return -1;
}

static int is_it(const struct shmchan_list_entry *entry, void *arg)
{
	const struct publication *p = arg;

	return !strcmp(entry->name, p->name) &&
	       entry->flags & SHMCHAN_NAME_PUBLISHED;
}

/* Is the name still there?  -1, or the exit status to end with. */
static int look(void *arg)
{
	struct publication *p = arg;
	struct shmchan_query q = { .size = 0 };
	int err = shmchan_capability_query(p->capability, &q);

	if (err)
		return tool_library_error(&publish_command, err);
	if (shmchan_region_list(SHMCHAN_BACKEND_KMOD, is_it, p))
		return -1;
	fprintf(stderr, "shmchan publish: %s has been withdrawn\n", p->name);
	return TOOL_OK;
}

static void announce(FILE *out, const struct publication *p)
{
	struct shmchan_query q = { .size = 0 };
	char rights[RIGHTS_WORD], size[SIZE_WORD];

	shmchan_capability_query(p->capability, &q);
	fprintf(out, "%s: %s from %s, giving %s at most\n", p->name,
		size_word(size, q.data_size + q.control_size), p->path,
		rights_word(rights, p->opts.rights ? p->opts.rights :
			    q.rights & ~(SHMCHAN_RIGHT_ADMIN |
					 SHMCHAN_RIGHT_PUBLISH)));
	fflush(out);
}

static int run(int argc, char **argv)
{
	struct publication p = { .opts = SHMCHAN_PUBLISH_OPTS(.mode = 0) };
	struct hold hold;
	int status, err;

	status = parse(&p, argc, argv);
	if (status >= 0)
		return status;
	p.capability = socket_fetch(&publish_command, p.path, -1, &status);
	if (p.capability < 0)
		return status;
	err = shmchan_capability_publish(p.capability, p.name, &p.opts);
	if (err)
		return tool_library_error(&publish_command, err);
	hold_begin(&hold, &publish_command, p.command);
	announce(p.command ? stderr : stdout, &p);
	status = hold_wait(&hold, look, &p);
	/* Members here would keep it.  It may be gone already. */
	(void)shmchan_capability_withdraw(p.capability, p.name);
	return status;
}

const struct command publish_command = {
	"publish", run, "give a region of elsewhere a name here", help,
};
