// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * shmchan chmod, chown, seal, revoke, withdraw: what the owner of a region does
 * to it, by its name.
 */

#include <getopt.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "access.h"

static const struct option only_help[] = {
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* No option but --help: -1, or the exit status to end with. */
static int no_options(const struct command *command, int argc, char **argv)
{
	int letter = getopt_long(argc, argv, "h", only_help, NULL);

	if (letter == -1)
		return -1;
	return letter == 'h' ? tool_help(command) : tool_try_help(command);
}

/*
 * A capability with ADMIN, whoever owns it: who has that right may.  Its file, or
 * -1 after a message, with the exit status in *status.
 */
static int open_admin(const struct command *command, const char *name,
		      int *status)
{
	struct shmchan_capability_opts opts = SHMCHAN_CAPABILITY_OPTS(
		.rights = SHMCHAN_RIGHT_ADMIN, .any_owner = 1);
	int fd = shmchan_capability_open(name, &opts);

	if (fd >= 0)
		return fd;
	*status = tool_library_error(command, fd);
	return -1;
}

/* Close it; the exit status of a library call that returned err. */
static int done(const struct command *command, int fd, int err)
{
	int status = err < 0 ? tool_library_error(command, err) : TOOL_OK;

	close(fd);
	return status;
}

static const char chmod_help[] =
	"chmod MODE NAME\n\n"
	"Changes whom the name lets in from now on: MODE is octal permissions without x;\n"
	"r is to map for reading and to wait, w to map windows for writing and to ring.\n"
	"Who is in stays: see shmchan revoke.\n\n"
	"  -h, --help           this\n";

static int run_chmod(int argc, char **argv)
{
	int status = no_options(&chmod_command, argc, argv), fd;
	uint32_t mode = 0;
	const char *word;

	if (status >= 0)
		return status;
	if (argc - optind != 2)
		return tool_usage(&chmod_command,
				  "a mode and a name are wanted, as in 'shmchan chmod 0660 orders'");
	word = argv[optind];
	/* For nobody but who has CAP_IPC_OWNER: that is a mode, too. */
	if (parse_mode(word, &mode) && word[strspn(word, "0")])
		return tool_usage(&chmod_command,
			"the mode is '%s': should be octal permissions without x, as in 0660",
			word);
	fd = open_admin(&chmod_command, argv[optind + 1], &status);
	if (fd < 0)
		return status;
	return done(&chmod_command, fd, shmchan_capability_chmod(fd, mode));
}

const struct command chmod_command = {
	"chmod", run_chmod, "change whom a name lets in", chmod_help,
};

static const char chown_help[] =
	"chown OWNER[:GROUP] NAME\n"
	"       shmchan chown :GROUP NAME\n\n"
	"Gives the name to another user, group or both, by name or number. To another\n"
	"user takes CAP_CHOWN; to a group, being in it and its owner.\n\n"
	"  -h, --help           this\n";

static int run_chown(int argc, char **argv)
{
	int status = no_options(&chown_command, argc, argv), fd;
	uint32_t uid = UINT32_MAX, gid = UINT32_MAX;
	char owner[USER_WORD] = "";
	const char *word, *colon;
	size_t length;

	if (status >= 0)
		return status;
	if (argc - optind != 2)
		return tool_usage(&chown_command,
				  "an owner and a name are wanted, as in 'shmchan chown alice:traders orders'");
	word = argv[optind];
	colon = strchr(word, ':');
	length = colon ? (size_t)(colon - word) : strlen(word);
	if (length >= sizeof(owner))
		return tool_usage(&chown_command,
				  "'%.*s' is no user: should be a name or a number",
				  (int)length, word);
	memcpy(owner, word, length);
	if (owner[0] ? parse_user(owner, &uid) : !colon)
		return tool_usage(&chown_command,
				  "'%s' is no user: should be a name or a number",
				  owner);
	if (colon && parse_group(colon + 1, &gid))
		return tool_usage(&chown_command,
				  "'%s' is no group: should be a name or a number",
				  colon + 1);
	fd = open_admin(&chown_command, argv[optind + 1], &status);
	if (fd < 0)
		return status;
	return done(&chown_command, fd, shmchan_capability_chown(fd, uid, gid));
}

const struct command chown_command = {
	"chown", run_chown, "give a name to another user or group", chown_help,
};

static const char seal_help[] =
	"seal NAME members|publish...\n\n"
	"Closes a region, for good: nobody opens a seal.\n\n"
	"  members              nobody joins any more; who is in stays\n"
	"  publish              it gets no further names\n\n"
	"  -h, --help           this\n";

static int run_seal(int argc, char **argv)
{
	int status = no_options(&seal_command, argc, argv), fd, i;
	uint32_t seals = 0;

	if (status >= 0)
		return status;
	for (i = optind + 1; i < argc; i++) {
		if (!strcmp(argv[i], "members"))
			seals |= SHMCHAN_SEAL_MEMBERS;
		else if (!strcmp(argv[i], "publish"))
			seals |= SHMCHAN_SEAL_PUBLISH;
		else
			return tool_usage(&seal_command,
				"there is no seal '%s': should be members or publish",
				argv[i]);
	}
	if (!seals)
		return tool_usage(&seal_command,
				  "a name, and members or publish or both are wanted, as in 'shmchan seal orders members'");
	fd = open_admin(&seal_command, argv[optind], &status);
	if (fd < 0)
		return status;
	return done(&seal_command, fd, shmchan_capability_seal(fd, seals));
}

const struct command seal_command = {
	"seal", run_seal, "close a region against new members or names", seal_help,
};

static const char revoke_help[] =
	"revoke NAME SLOT[:GENERATION]\n"
	"       shmchan revoke NAME --uid USER\n\n"
	"Ends the member that holds a slot, or all members and capabilities of a user, and\n"
	"everything that came of them. When it is done nothing of the region is mapped by\n"
	"them; their calls fail. With GENERATION, if it is still that holder.\n"
	"shmchan stat tells who holds which slot.\n\n"
	"They may come in again if the name lets them: shmchan chmod or seal first.\n\n"
	"  -u, --uid USER       by name or number\n"
	"  -h, --help           this\n";

static const struct option revoke_options[] = {
	{ "uid", required_argument, NULL, 'u' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct revocation {
	const char *name;
	uint32_t uid;
	uint32_t slot;
	uint32_t generation;
	int by_uid;
};

static int parse_revoke(struct revocation *r, int argc, char **argv)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "u:h", revoke_options,
				     NULL)) != -1) {
		if (letter == 'h')
			return tool_help(&revoke_command);
		if (letter != 'u')
			return tool_try_help(&revoke_command);
		r->by_uid = 1;
		if (parse_user(optarg, &r->uid))
			return tool_usage(&revoke_command,
				"--uid is '%s', which is no user: should be a name or a number",
				optarg);
	}
	if (argc - optind != (r->by_uid ? 1 : 2))
		return tool_usage(&revoke_command,
				  "a name and a slot are wanted, as in 'shmchan revoke orders 1', or a name and --uid");
	r->name = argv[optind];
	if (!r->by_uid && parse_slot(argv[optind + 1], &r->slot,
				     &r->generation))
		return tool_usage(&revoke_command,
			"the slot is '%s': should be its number, or its number and a generation, as in 1 or 1:7",
			argv[optind + 1]);
	return -1;
}

static int run_revoke(int argc, char **argv)
{
	struct revocation r = { .name = NULL };
	struct shmchan_revoked revoked;
	int status = parse_revoke(&r, argc, argv), fd, err;

	if (status >= 0)
		return status;
	fd = open_admin(&revoke_command, r.name, &status);
	if (fd < 0)
		return status;
	if (r.by_uid)
		err = shmchan_capability_revoke_uid(fd, r.uid, &revoked);
	else
		err = shmchan_capability_revoke_slot(fd, r.slot, r.generation,
						     &revoked);
	if (!err)
		printf("%s: ended %" PRIu32 " member%s and %" PRIu32 " capabilit%s without one\n",
		       r.name, revoked.members, revoked.members == 1 ? "" : "s",
		       revoked.unjoined, revoked.unjoined == 1 ? "y" : "ies");
	status = done(&revoke_command, fd, err);
	return status ? status : tool_flush(&revoke_command);
}

const struct command revoke_command = {
	"revoke", run_revoke, "end a member of a region, or a user's", revoke_help,
};

static const char withdraw_help[] =
	"withdraw NAME [--of OTHER]\n"
	"       shmchan withdraw --all NAME\n\n"
	"Takes a name away again. Who has opened it stays: see shmchan revoke. A name\n"
	"that was published gives nobody the right to do that: take another name of the\n"
	"same region, or end the process that published it.\n\n"
	"  -o, --of OTHER       by right of this other name of the region\n"
	"  -a, --all            all names that the region NAME was published as, in\n"
	"                       whatever IPC namespaces\n"
	"  -h, --help           this\n";

static const struct option withdraw_options[] = {
	{ "of", required_argument, NULL, 'o' },
	{ "all", no_argument, NULL, 'a' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int withdraw(const char *name, const char *of, int all)
{
	int status = TOOL_FAILED, fd, ret;

	fd = open_admin(&withdraw_command, of ? of : name, &status);
	if (fd < 0)
		return status;
	if (!all)
		return done(&withdraw_command, fd,
			    shmchan_capability_withdraw(fd, name));
	ret = shmchan_capability_withdraw_all(fd);
	if (ret >= 0)
		printf("%s: withdrew %d name%s\n", name, ret,
		       ret == 1 ? "" : "s");
	status = done(&withdraw_command, fd, ret);
	return status ? status : tool_flush(&withdraw_command);
}

static int run_withdraw(int argc, char **argv)
{
	const char *of = NULL;
	int letter, all = 0;

	while ((letter = getopt_long(argc, argv, "o:ah", withdraw_options,
				     NULL)) != -1) {
		switch (letter) {
		case 'o':
			of = optarg;
			break;
		case 'a':
			all = 1;
			break;
		case 'h':
			return tool_help(&withdraw_command);
		default:
			return tool_try_help(&withdraw_command);
		}
	}
	if (argc - optind != 1)
		return tool_usage(&withdraw_command, "one name is wanted");
	if (all && of)
		return tool_usage(&withdraw_command,
			"--all and --of: with --all the name is that of the region itself");
	return withdraw(argv[optind], of, all);
}

const struct command withdraw_command = {
	"withdraw", run_withdraw, "take a name away again", withdraw_help,
};
