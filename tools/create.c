// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan create: a region, for as long as this or a command runs. */

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hold.h"
#include "nodes.h"
#include "tool.h"

static const char help[] =
	"create NAME --size SIZE [OPTION]... --hold\n"
	"       shmchan create NAME --size SIZE [OPTION]... -- COMMAND [ARGUMENT]...\n\n"
	"Makes a region of memory that other programs open by its name, and holds it:\n"
	"until it is interrupted or terminated, or while the command runs. A region\n"
	"lives only while somebody holds it. When it is ready, one line says what was\n"
	"got: on standard output, with a command on standard error.\n\n"
	"All of the data may be written by all members. There are as many slots as asked\n"
	"for, numbered from 0, each with a doorbell of its own, its number plus 1; and one\n"
	"slot more, the last, that this command holds.\n\n"
	"  -s, --size SIZE      of the data: a multiple of the page size\n"
	"  -p, --page 4K|2M     the page size (2M)\n"
	"  -c, --contig         in one physically contiguous run\n"
	"  -n, --node N[,N]...  memory of these nodes, in this order\n"
	"      --numa POLICY    bind (from the nodes, and no others; what --node alone\n"
	"                       means), prefer (others when they are full) or interleave\n"
	"                       (page after page from each in turn)\n"
	"  -m, --mode MODE      permissions, octal (0600); the umask applies\n"
	"      --slots N        for other members (4)\n"
	"      --dump           in core dumps, too\n"
	"      --hold           hold it until SIGINT, SIGTERM or SIGHUP\n"
	"  -b, --backend WHICH  auto, kmod or local; the local one places no memory\n"
	"  -h, --help           this\n\n"
	"exit status with a command: the command's; 128 and the number of the signal that\n"
	"ended it; 127 if there is no such command, 126 if it cannot be run.\n";

enum { OPT_NUMA = 256, OPT_SLOTS, OPT_DUMP, OPT_HOLD };

static const struct option options[] = {
	{ "size", required_argument, NULL, 's' },
	{ "page", required_argument, NULL, 'p' },
	{ "contig", no_argument, NULL, 'c' },
	{ "node", required_argument, NULL, 'n' },
	{ "numa", required_argument, NULL, OPT_NUMA },
	{ "mode", required_argument, NULL, 'm' },
	{ "slots", required_argument, NULL, OPT_SLOTS },
	{ "dump", no_argument, NULL, OPT_DUMP },
	{ "hold", no_argument, NULL, OPT_HOLD },
	{ "backend", required_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

#define DEFAULT_SLOTS	4

struct creation {
	struct shmchan_region_opts opts;
	uint32_t nodes[SHMCHAN_MAX_NODES];
	const char *name;
	const char *size_arg;
	char **command;		/* NULL: --hold */
	uint32_t slots;
	int hold;
};

/* SIZE as it was asked for, in the unit that suits it: 4M. */
static const char *size_option(char *buffer, uint64_t bytes)
{
	static const char units[] = "KMG";
	unsigned int unit = 0;

	bytes >>= 10;
	while (bytes && !(bytes & 1023) && units[unit + 1]) {
		bytes >>= 10;
		unit++;
	}
	snprintf(buffer, SIZE_WORD, "%" PRIu64 "%c", bytes, units[unit]);
	return buffer;
}

static int parse_page(struct creation *c, const char *arg)
{
	uint64_t bytes;

	if (parse_size(arg, &bytes) ||
	    (bytes != SHMCHAN_PAGE && bytes != SHMCHAN_HUGE))
		return tool_usage(&create_command,
				  "--page is '%s': should be 4K or 2M", arg);
	c->opts.flags &= ~SHMCHAN_CREATE_SMALL;
	if (bytes == SHMCHAN_PAGE)
		c->opts.flags |= SHMCHAN_CREATE_SMALL;
	return -1;
}

static int parse_slots(struct creation *c, const char *arg)
{
	unsigned long n;
	char *end;

	n = isdigit((unsigned char)arg[0]) ? strtoul(arg, &end, 10) : 0;
	if (!n || *end || n >= SHMCHAN_MAX_SLOTS)
		return tool_usage(&create_command,
				  "--slots is '%s': should be 1 to %d", arg,
				  SHMCHAN_MAX_SLOTS - 1);
	c->slots = (uint32_t)n;
	return -1;
}

/* One option; -1, or the exit status to end with. */
static int take(struct creation *c, int letter, const char *arg)
{
	switch (letter) {
	case 's':
		c->size_arg = arg;
		if (parse_size(arg, &c->opts.data_size) || !c->opts.data_size)
			return tool_usage(&create_command,
				"--size is '%s': should be bytes, more than 0, with K, M or G for powers of 1024, as in 64M",
				arg);
		return -1;
	case 'p':
		return parse_page(c, arg);
	case 'c':
		c->opts.flags |= SHMCHAN_CREATE_CONTIG;
		return -1;
	case 'n':
		if (parse_nodes(arg, c->nodes, &c->opts.nr_nodes))
			return tool_usage(&create_command,
				"--node is '%s': should be numbers of memory nodes, %d at most, as in 0 or 0,1",
				arg, SHMCHAN_MAX_NODES);
		return -1;
	case OPT_NUMA:
		if (parse_numa(arg, &c->opts.numa_policy) ||
		    c->opts.numa_policy == SHMCHAN_NUMA_DEFAULT)
			return tool_usage(&create_command,
				"--numa is '%s': should be bind, prefer or interleave",
				arg);
		return -1;
	case 'm':
		if (parse_mode(arg, &c->opts.mode))
			return tool_usage(&create_command,
				"--mode is '%s': should be octal permissions without x, as in 0660",
				arg);
		return -1;
	case OPT_SLOTS:
		return parse_slots(c, arg);
	case OPT_DUMP:
		c->opts.flags |= SHMCHAN_CREATE_DUMP;
		return -1;
	case OPT_HOLD:
		c->hold = 1;
		return -1;
	case 'b':
		if (parse_backend(arg, &c->opts.backend))
			return tool_usage(&create_command,
				"--backend is '%s': should be auto, kmod or local",
				arg);
		return -1;
	case 'h':
		return tool_help(&create_command);
	default:
		return tool_try_help(&create_command);
	}
}

/* What the options say together. */
static int check_memory(const struct creation *c)
{
	int small = !!(c->opts.flags & SHMCHAN_CREATE_SMALL);
	uint64_t page = small ? SHMCHAN_PAGE : SHMCHAN_HUGE;
	int contig = !!(c->opts.flags & SHMCHAN_CREATE_CONTIG);
	char word[SIZE_WORD];

	if (!c->size_arg)
		return tool_usage(&create_command,
				  "how large? Give --size, as in --size 64M");
	if (contig && small)
		return tool_usage(&create_command,
				  "--contig with --page 4K: one run is made of 2 MiB pages; leave one of the two out");
	if (c->opts.data_size % page && c->opts.data_size < UINT64_MAX - page)
		return tool_usage(&create_command,
			"--size is %s: should be a multiple of the page size, %s; %s would do%s",
			c->size_arg, small ? "4 KiB" : "2 MiB",
			size_option(word, SHMCHAN_ALIGN_UP(c->opts.data_size,
							   page)),
			small || contig ||
			c->opts.data_size % SHMCHAN_PAGE ? "" :
			", or --page 4K");
	if (c->opts.numa_policy && !c->opts.nr_nodes)
		return tool_usage(&create_command,
				  "--numa %s of which nodes? Give --node, as in --node 0,1",
				  numa_word(c->opts.numa_policy));
	if (contig && c->opts.numa_policy == SHMCHAN_NUMA_INTERLEAVE)
		return tool_usage(&create_command,
				  "--contig with --numa interleave: one run lies on one node; bind or prefer would do");
	return -1;
}

/*
 * Options may come before and after the name, as in other commands; what comes
 * behind the first word after it is the command's, whether or not -- is there.
 */
static int parse_words(struct creation *c, int argc, char **argv)
{
	int letter, status = -1;

	do {
		while (status < 0 &&
		       (letter = getopt_long(argc, argv, "+s:p:cn:m:b:h",
					     options, NULL)) != -1)
			status = take(c, letter, optarg);
		if (status >= 0 || c->name || optind == argc)
			break;
		c->name = argv[optind++];
	} while (strcmp(argv[optind - 2], "--") != 0);
	if (optind < argc)
		c->command = argv + optind;
	return status;
}

static int parse(struct creation *c, int argc, char **argv)
{
	int status = parse_words(c, argc, argv);

	if (status >= 0)
		return status;
	if (!c->name)
		return tool_usage(&create_command,
				  "which name? Others open the region by it");
	if (c->hold && c->command)
		return tool_usage(&create_command,
			"--hold and the command '%s': the region is held either until a signal or while a command runs",
			c->command[0]);
	if (!c->hold && !c->command)
		return tool_usage(&create_command,
			"for how long? A region lives only while somebody holds it: give --hold, or -- and a command to hold it for");
	return check_memory(c);
}

/* One window over all of the data; a doorbell for each slot but our own. */
static int create(struct creation *c, struct shmchan_region **region)
{
	struct shmchan_window window = {
		.length = c->opts.data_size, .slot = SHMCHAN_SLOT_SHARED,
	};
	struct shmchan_doorbell *bells = calloc(c->slots, sizeof(*bells));
	uint32_t i;
	int err;

	if (!bells)
		return tool_fail(&create_command, "%s", strerror(errno));
	for (i = 0; i < c->slots; i++)
		bells[i].owner = i;
	c->opts.control_size = SHMCHAN_PAGE;
	c->opts.nr_slots = c->slots + 1;
	c->opts.slot = c->slots;
	c->opts.nr_doorbells = c->slots;
	c->opts.doorbells = bells;
	c->opts.nr_windows = 1;
	c->opts.windows = &window;
	if (c->opts.nr_nodes) {
		c->opts.nodes = c->nodes;
		if (!c->opts.numa_policy)
			c->opts.numa_policy = SHMCHAN_NUMA_BIND;
	}
	err = shmchan_region_create(region, c->name, &c->opts);
	free(bells);
	return err ? tool_library_error(&create_command, err) : -1;
}

/* How many runs, and of which nodes; "" where that cannot be told. */
#define RUNS_WORD	(NODES_WORD + 32)
static const char *runs_word(char *buffer, const struct shmchan_region *region)
{
	static struct node_shares shares;
	struct shmchan_extent extents[64];
	uint64_t start = 0, nr = 0;
	char nodes[NODES_WORD];
	int i, n;

	buffer[0] = 0;
	while ((n = shmchan_region_extents(region, 0, &start, extents,
					   sizeof(extents) / sizeof(extents[0]))) > 0) {
		for (i = 0; i < n; i++)
			nodes_add(&shares, &extents[i]);
		nr += (uint64_t)n;
	}
	if (nr)
		snprintf(buffer, RUNS_WORD, " in %" PRIu64 " run%s on %s", nr,
			 nr == 1 ? "" : "s", nodes_word(nodes, &shares));
	return buffer;
}

/* The line that scripts wait for. */
static void announce(FILE *out, const struct shmchan_region *region,
		     uint64_t ns)
{
	char size[SIZE_WORD], page[SIZE_WORD], runs[RUNS_WORD];
	struct shmchan_query query = { 0 };

	shmchan_region_query(region, &query);
	fprintf(out, "%s: %s%s, pages of %s, %s backend, took %.1f ms\n",
		region->name, size_word(size, region->data_size),
		runs_word(runs, region),
		size_word(page, query.data_folio_size),
		shmchan_backend_name(region->backend), (double)ns / 1e6);
	fflush(out);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static int run(int argc, char **argv)
{
	struct creation c = {
		.opts = SHMCHAN_REGION_OPTS(.data_size = 0),
		.slots = DEFAULT_SLOTS,
	};
	struct shmchan_region *region;
	struct hold hold;
	uint64_t began;
	int status;

	status = parse(&c, argc, argv);
	if (status >= 0)
		return status;
	began = now_ns();
	status = create(&c, &region);
	if (status >= 0)
		return status;
	/* Not before: a signal ends the search for contiguous memory. */
	hold_begin(&hold, &create_command, c.command);
	announce(c.command ? stderr : stdout, region, now_ns() - began);
	status = hold_wait(&hold, NULL, NULL);
	shmchan_region_close(region);
	return status;
}

const struct command create_command = {
	"create", run, "make a region of memory, and hold it for others", help,
};
