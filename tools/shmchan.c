// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* The shmchan command: finds the subcommand and hands over. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <shmchan/version.h>

#include "tool.h"

static const struct command *const commands[] = {
	&send_command, &recv_command, &pub_command, &sub_command,
	&serve_command, &call_command,
	&tap_command, &record_command, &replay_command,
	&bench_command,
	&create_command, &ls_command,
	&stat_command, &grant_command, &publish_command, &withdraw_command,
	&chmod_command, &chown_command, &seal_command, &revoke_command,
	&doctor_command,
};
#define NR_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *out)
{
	size_t i;

	fputs("usage: shmchan COMMAND [OPTION]... [NAME]\n\n"
	      "Channels in shared memory between processes of one machine.\n\n",
	      out);
	for (i = 0; i < NR_COMMANDS; i++)
		fprintf(out, "  %-8s  %s\n", commands[i]->name,
			commands[i]->summary);
	fputs("  help      what is there, or one command's help\n"
	      "  version   of this command, its library and the module's ABI\n\n"
	      "`shmchan COMMAND --help` tells each one's options; shmchan(1), more.\n\n"
	      "In one terminal  shmchan recv orders > copy.tar\n"
	      "in another       tar c /usr/include | shmchan send orders\n", out);
}

static int print_version(void)
{
	struct shmchan_query_device device;
	unsigned int v = shmchan_version();

	printf("shmchan %d.%d.%d (library %u.%u.%u, ABI %d.%d, module: ",
	       SHMCHAN_VERSION_MAJOR, SHMCHAN_VERSION_MINOR,
	       SHMCHAN_VERSION_PATCH, v >> 16, v >> 8 & 0xff, v & 0xff,
	       SHMCHAN_ABI_MAJOR, SHMCHAN_ABI_MINOR);
	if (shmchan_device_query(&device))
		puts("none here)");
	else
		printf("ABI %u.%u)\n", device.abi_major, device.abi_minor);
	if (!fflush(stdout))
		return TOOL_OK;
	perror("shmchan: standard output");
	return TOOL_FAILED;
}

/* Insertions, deletions and changes that make a into b; both are short. */
static size_t distance(const char *a, const char *b)
{
	enum { MOST = 32 };
	size_t row[MOST + 1], i, j, n = strlen(b);

	if (strlen(a) > MOST || n > MOST)
		return MOST;
	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 0; a[i]; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (j = 0; j < n; j++) {
			size_t best = corner + (a[i] != b[j]);

			corner = row[j + 1];
			if (corner + 1 < best)
				best = corner + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			row[j + 1] = best;
		}
	}
	return row[n];
}

static int unknown(const char *word)
{
	size_t i, best = 0, d, least = distance(word, commands[0]->name);

	for (i = 1; i < NR_COMMANDS; i++) {
		d = distance(word, commands[i]->name);
		if (d < least) {
			least = d;
			best = i;
		}
	}
	fprintf(stderr, "shmchan: there is no command '%s'", word);
	if (least <= strlen(word) / 2)
		fprintf(stderr, "; did you mean '%s'?\n", commands[best]->name);
	else
		fputs("; 'shmchan --help' lists them\n", stderr);
	return TOOL_USAGE;
}

static const struct command *find(const char *word)
{
	size_t i;

	for (i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(word, commands[i]->name))
			return commands[i];
	return NULL;
}

static int help(int argc, char **argv)
{
	const struct command *command;

	if (argc > 2) {
		command = find(argv[2]);
		return command ? tool_help(command) : unknown(argv[2]);
	}
	print_help(stdout);
	if (!fflush(stdout))
		return TOOL_OK;
	perror("shmchan: standard output");
	return TOOL_FAILED;
}

/*
 * Without this a channel's file could become the standard input.  Opened the
 * wrong way round: to use what is not there is an error, as it should be.
 */
static void fill_standard_files(void)
{
	int fd;

	for (fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", fd ? O_RDONLY : O_WRONLY);
}

int main(int argc, char **argv)
{
	const struct command *command;
	char title[32];

	fill_standard_files();
	if (argc < 2) {
		print_help(stderr);
		return TOOL_USAGE;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") ||
	    !strcmp(argv[1], "-h"))
		return help(argc, argv);
	if (!strcmp(argv[1], "version") || !strcmp(argv[1], "--version") ||
	    !strcmp(argv[1], "-V"))
		return print_version();
	command = find(argv[1]);
	if (!command)
		return unknown(argv[1]);
	snprintf(title, sizeof(title), "shmchan %s", command->name);
	argv[1] = title;
	return command->run(argc - 1, argv + 1);
}
