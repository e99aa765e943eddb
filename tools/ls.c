// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan ls: the names that can be seen here. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>

#include "tool.h"

static const char help[] =
	"ls [OPTION]...\n\n"
	"Lists the names that can be seen here: with the module those of this IPC\n"
	"namespace, oldest first; else those of the local backend's folder.\n\n"
	"  -l, --long           owner, group, mode, size, slots held and there; and\n"
	"                       whether it is a further name, by shmchan publish\n"
	"  -j, --json           all of it as JSON\n"
	"  -b, --backend WHICH  auto, kmod or local\n"
	"  -h, --help           this\n";

static const struct option options[] = {
	{ "long", no_argument, NULL, 'l' },
	{ "json", no_argument, NULL, 'j' },
	{ "backend", required_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct listing {
	int detailed;
	int json;
	uint64_t seen;
};

static void show_json(const struct shmchan_list_entry *e, uint64_t seen)
{
	char owner[USER_WORD], group[USER_WORD];

	printf("%s{\"name\":", seen ? "," : "");
	json_string(stdout, e->name);
	printf(",\"uid\":%" PRIu32 ",\"owner\":", e->uid);
	json_string(stdout, user_word(owner, e->uid));
	printf(",\"gid\":%" PRIu32 ",\"group\":", e->gid);
	json_string(stdout, group_word(group, e->gid));
	printf(",\"mode\":\"%04" PRIo32 "\",\"data_size\":%" PRIu64 ",\"control_size\":%" PRIu64 ",\"slots\":%" PRIu32 ",\"slots_live\":%" PRIu32 ",\"published\":%s}",
	       e->mode, (uint64_t)e->data_size, (uint64_t)e->control_size,
	       e->nr_slots, e->nr_live,
	       e->flags & SHMCHAN_NAME_PUBLISHED ? "true" : "false");
}

static void show_long(const struct shmchan_list_entry *e, uint64_t seen)
{
	char owner[USER_WORD], group[USER_WORD], size[SIZE_WORD];

	if (!seen)
		printf("%-10s %-10s %-4s %10s %5s  %s\n", "OWNER", "GROUP",
		       "MODE", "SIZE", "SLOTS", "NAME");
	printf("%-10s %-10s %04" PRIo32 " %10s %2" PRIu32 "/%-2" PRIu32 "  %s%s\n",
	       user_word(owner, e->uid), group_word(group, e->gid), e->mode,
	       size_word(size, e->data_size + e->control_size), e->nr_live,
	       e->nr_slots, e->name,
	       e->flags & SHMCHAN_NAME_PUBLISHED ? " (published)" : "");
}

static int show(const struct shmchan_list_entry *e, void *arg)
{
	struct listing *l = arg;

	if (l->json)
		show_json(e, l->seen);
	else if (l->detailed)
		show_long(e, l->seen);
	else
		puts(e->name);
	l->seen++;
	return 0;
}

static int run(int argc, char **argv)
{
	enum shmchan_backend backend = SHMCHAN_BACKEND_AUTO;
	struct listing l = { 0 };
	int letter, err;

	while ((letter = getopt_long(argc, argv, "ljb:h", options,
				     NULL)) != -1) {
		switch (letter) {
		case 'l':
			l.detailed = 1;
			break;
		case 'j':
			l.json = 1;
			break;
		case 'b':
			if (parse_backend(optarg, &backend))
				return tool_usage(&ls_command,
					"--backend is '%s': should be auto, kmod or local",
					optarg);
			break;
		case 'h':
			return tool_help(&ls_command);
		default:
			return tool_try_help(&ls_command);
		}
	}
	if (optind < argc)
		return tool_usage(&ls_command,
				  "no name is wanted: 'shmchan stat %s' tells about one",
				  argv[optind]);
	if (l.json)
		printf("{\"backend\":\"%s\",\"regions\":[",
		       shmchan_backend_name(backend ? backend :
					    shmchan_backend_default()));
	err = shmchan_region_list(backend, show, &l);
	if (l.json)
		puts("]}");
	if (err)
		return tool_library_error(&ls_command, err);
	return tool_flush(&ls_command);
}

const struct command ls_command = {
	"ls", run, "list the names that can be seen here", help,
};
