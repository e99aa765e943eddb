// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan stat: everything about one region, without disturbing it. */

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <shmchan/channel.h>

#include "mappers.h"
#include "stat.h"
#include "tool.h"

static const char help[] =
	"stat NAME [OPTION]...\n\n"
	"Tells what can be known of a region without being a member of it: nothing is\n"
	"taken or changed, but in channels of many for a moment the seat for who only\n"
	"looks; of these it tells what is in the lanes. With the module, who holds which slot is told to its owner; and\n"
	"learned from /proc, for the processes that you may look into (as root: all of this\n"
	"PID namespace).\n\n"
	"  -j, --json           as JSON\n"
	"  -b, --backend WHICH  auto, kmod or local\n"
	"  -h, --help           this\n";

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "backend", required_argument, NULL, 'b' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* A region, and who was seen to map it. */
struct view {
	const struct shmchan_region_info *info;
	struct mapper *mappers;
	int nr_mappers;
	struct shmchan_channel_info *channel;	/* of many; else NULL */
};

#define SLOT_WORD	16

static const char *slot_word(char *buffer, uint32_t slot)
{
	if (slot == SHMCHAN_SLOT_SHARED)
		return "shared";
	snprintf(buffer, SLOT_WORD, "slot %" PRIu32, slot);
	return buffer;
}

const char *stat_state_word(uint32_t state)
{
	static const char *const words[] = {
		[SHMCHAN_SLOT_FREE] = "free", [SHMCHAN_SLOT_LIVE] = "live",
		[SHMCHAN_SLOT_LEFT] = "left", [SHMCHAN_SLOT_DIED] = "died",
		[SHMCHAN_SLOT_REVOKED] = "revoked",
		[SHMCHAN_SLOT_CLAIMING] = "changing hands",
	};

	return state < sizeof(words) / sizeof(words[0]) ? words[state] : "?";
}

static const char *kind_word(const struct view *v)
{
	const struct shmchan_wire *header = v->info->header;

	if (v->channel)
		return shmchan_wire_kind_name(SHMCHAN_WIRE_CHANNEL);
	if (!header || header->magic != SHMCHAN_WIRE_MAGIC)
		return NULL;
	return header->kind == SHMCHAN_WIRE_SPSC ?
	       "one sender, one receiver" :
	       shmchan_wire_kind_name(header->kind);
}

static uint32_t version_of(const struct view *v)
{
	return v->channel ? v->channel->wire.wire.version :
			    v->info->header->version;
}

/* What a slot is for, in a channel that we know. */
static const char *role_word(const struct view *v, uint32_t slot)
{
	const struct shmchan_wire *header = v->info->header;

	if (v->channel) {
		const struct shmchan_wire_channel *w = &v->channel->wire;

		return slot < w->nr_senders ? " sender" :
		       slot < w->nr_senders + w->nr_receivers ? " receiver" :
								" observer";
	}
	if (!header || header->magic != SHMCHAN_WIRE_MAGIC)
		return "";
	if (header->kind == SHMCHAN_WIRE_SPSC)
		return slot ? " receiver" : " sender";
	if (header->kind == SHMCHAN_WIRE_RPC)
		return slot ? " client" : " server";
	return "";
}

static void show_region(const struct view *v)
{
	const struct shmchan_region_info *info = v->info;
	const struct shmchan_query *q = &info->query;
	char owner[USER_WORD], group[USER_WORD];

	printf("name       %s\n", q->name);
	printf("backend    %s\n", shmchan_backend_name(info->backend));
	if (kind_word(v))
		printf("channel    %s, layout version %" PRIu32 "\n",
		       kind_word(v), version_of(v));
	printf("owner      %s, group %s, mode %04" PRIo32 "\n",
	       user_word(owner, q->uid), group_word(group, q->gid), q->mode);
	if (q->seals)
		printf("sealed     against %s%s%s\n",
		       q->seals & SHMCHAN_SEAL_MEMBERS ? "new members" : "",
		       q->seals & SHMCHAN_SEAL_MEMBERS &&
		       q->seals & SHMCHAN_SEAL_PUBLISH ? " and " : "",
		       q->seals & SHMCHAN_SEAL_PUBLISH ? "further names" : "");
	stat_show_memory(info);
}

static void show_identity(const char *what, const struct shmchan_identity *id)
{
	char owner[USER_WORD], pid[16] = "?";

	if (!id->generation)
		return;
	if (id->pid)
		snprintf(pid, sizeof(pid), "%" PRIu32, id->pid);
	printf("%s %s, generation %" PRIu32 ", user %s", what,
	       stat_state_word(id->state), id->generation,
	       user_word(owner, id->uid));
	if (id->state == SHMCHAN_SLOT_LIVE)
		printf(", process %s", pid);
	putchar('\n');
}

static void show_slots(const struct view *v)
{
	const struct shmchan_region_info *info = v->info;
	uint32_t i;

	printf("slots      %" PRIu32 " of %" PRIu32 " held\n", info->nr_live,
	       info->query.nr_slots);
	for (i = 0; info->members && i < info->query.nr_slots; i++) {
		const struct shmchan_member_info *m = &info->members[i];

		printf("  %-4" PRIu32 "%s", i, role_word(v, i));
		if (!m->current_holder.generation)
			puts(" never held");
		show_identity("", &m->current_holder);
		if (m->previous_holder.generation)
			show_identity("       before:", &m->previous_holder);
	}
}

static void show_mappers(const struct view *v)
{
	char owner[USER_WORD], data[SIZE_WORD], huge[SIZE_WORD];
	char slot[SLOT_WORD];
	int i;

	printf("mapped by  %d process%s that may be looked into\n",
	       v->nr_mappers, v->nr_mappers == 1 ? "" : "es");
	for (i = 0; i < v->nr_mappers; i++) {
		const struct mapper *m = &v->mappers[i];

		printf("  %-7d %s, user %s, %s", (int)m->pid, m->comm,
		       user_word(owner, m->uid),
		       m->slot == SHMCHAN_SLOT_NONE ? "slot not known" :
		       slot_word(slot, m->slot));
		if (m->generation)
			printf(", generation %" PRIu32, m->generation);
		printf(", data mapped %s", size_word(data, m->data));
		if (!m->no_smaps)
			printf(", by 2 MiB entries %s",
			       size_word(huge, m->huge));
		putchar('\n');
	}
}

static void show_windows(const struct shmchan_region_info *info)
{
	char length[SIZE_WORD], slot[SLOT_WORD];
	uint32_t i;

	printf("windows    %" PRIu32 "\n", info->query.nr_windows);
	for (i = 0; i < info->query.nr_windows; i++)
		printf("  %#-10" PRIx64 " %-8s %s\n",
		       (uint64_t)info->windows[i].offset,
		       size_word(length, info->windows[i].length),
		       slot_word(slot, info->windows[i].slot));
}

static void show_bells(const struct shmchan_region_info *info)
{
	char slot[SLOT_WORD];
	uint32_t i;

	printf("doorbells  %" PRIu32 "\n", info->query.nr_doorbells);
	for (i = 0; i <= info->query.nr_doorbells; i++) {
		/* 0 is the kernel's: nothing to tell unless it can be read. */
		if (!i && !info->bells)
			continue;
		printf("  %-4" PRIu32 " %s", i, i ?
		       slot_word(slot, info->doorbells[i - 1].owner) :
		       "members come and go");
		if (info->bells)
			printf(", rung %" PRIu64 " times, %" PRIu32 " waiting",
			       (uint64_t)info->bells[i].seq,
			       info->bells[i].waiters);
		putchar('\n');
	}
}

static void show(const struct view *v)
{
	show_region(v);
	show_slots(v);
	show_mappers(v);
	show_windows(v->info);
	show_bells(v->info);
	if (v->channel)
		stat_show_channel(v->channel);
	if (!v->info->members)
		puts("\nWho holds which slot the module shows to the owner and to members, who waits on doorbells to members only.");
	else if (!v->info->bells)
		puts("\nWho waits on doorbells the module shows to members only.");
}

static void json_slot(const char *key, uint32_t slot)
{
	if (slot == SHMCHAN_SLOT_SHARED)
		printf("\"%s\":\"shared\"", key);
	else if (slot == SHMCHAN_SLOT_NONE)
		printf("\"%s\":null", key);
	else
		printf("\"%s\":%" PRIu32, key, slot);
}

static void json_identity(const char *key, const struct shmchan_identity *id)
{
	if (!id->generation) {
		printf("\"%s\":null", key);
		return;
	}
	printf("\"%s\":{\"generation\":%" PRIu32 ",\"state\":\"%s\",\"pid\":",
	       key, id->generation, stat_state_word(id->state));
	if (id->pid)
		printf("%" PRIu32, id->pid);
	else
		fputs("null", stdout);
	printf(",\"uid\":%" PRIu32 ",\"gid\":%" PRIu32 "}", id->uid, id->gid);
}

static void json_region(const struct view *v)
{
	const struct shmchan_region_info *info = v->info;
	const struct shmchan_query *q = &info->query;
	char word[USER_WORD];

	fputs("{\"name\":", stdout);
	json_string(stdout, q->name);
	printf(",\"backend\":\"%s\",\"channel\":",
	       shmchan_backend_name(info->backend));
	if (kind_word(v))
		json_string(stdout, kind_word(v));
	else
		fputs("null", stdout);
	printf(",\"uid\":%" PRIu32 ",\"owner\":", q->uid);
	json_string(stdout, user_word(word, q->uid));
	printf(",\"gid\":%" PRIu32 ",\"group\":", q->gid);
	json_string(stdout, group_word(word, q->gid));
	printf(",\"mode\":\"%04" PRIo32 "\",\"seals\":[%s%s%s]", q->mode,
	       q->seals & SHMCHAN_SEAL_MEMBERS ? "\"members\"" : "",
	       q->seals & SHMCHAN_SEAL_MEMBERS &&
	       q->seals & SHMCHAN_SEAL_PUBLISH ? "," : "",
	       q->seals & SHMCHAN_SEAL_PUBLISH ? "\"publish\"" : "");
	stat_json_memory(info);
	printf(",\"slots\":%" PRIu32 ",\"slots_live\":%" PRIu32, q->nr_slots,
	       info->nr_live);
}

static void json_lists(const struct shmchan_region_info *info)
{
	uint32_t i;

	fputs(",\"members\":", stdout);
	for (i = 0; info->members && i < info->query.nr_slots; i++) {
		printf("%s{\"slot\":%" PRIu32 ",", i ? "," : "[", i);
		json_identity("holder", &info->members[i].current_holder);
		putchar(',');
		json_identity("before", &info->members[i].previous_holder);
		putchar('}');
	}
	fputs(info->members ? "],\"windows\":[" : "null,\"windows\":[", stdout);
	for (i = 0; i < info->query.nr_windows; i++) {
		printf("%s{\"offset\":%" PRIu64 ",\"length\":%" PRIu64 ",",
		       i ? "," : "", (uint64_t)info->windows[i].offset,
		       (uint64_t)info->windows[i].length);
		json_slot("slot", info->windows[i].slot);
		putchar('}');
	}
	fputs("],\"doorbells\":[", stdout);
	for (i = 0; i < info->query.nr_doorbells; i++) {
		printf("%s{\"number\":%" PRIu32 ",", i ? "," : "", i + 1);
		json_slot("owner", info->doorbells[i].owner);
		if (info->bells)
			printf(",\"rings\":%" PRIu64 ",\"waiters\":%" PRIu32,
			       (uint64_t)info->bells[i + 1].seq,
			       info->bells[i + 1].waiters);
		putchar('}');
	}
}

static void show_json(const struct view *v)
{
	int i;

	json_region(v);
	json_lists(v->info);
	fputs("],\"mapped_by\":[", stdout);
	for (i = 0; i < v->nr_mappers; i++) {
		const struct mapper *m = &v->mappers[i];

		printf("%s{\"pid\":%d,\"comm\":", i ? "," : "", (int)m->pid);
		json_string(stdout, m->comm);
		printf(",\"uid\":%" PRIu32 ",", m->uid);
		json_slot("slot", m->slot);
		if (m->generation)
			printf(",\"generation\":%" PRIu32, m->generation);
		printf(",\"data_mapped\":%" PRIu64 ",\"data_huge\":", m->data);
		if (m->no_smaps)
			fputs("null", stdout);
		else
			printf("%" PRIu64, m->huge);
		putchar('}');
	}
	putchar(']');
	stat_json_channel(v->channel);
	puts("}");
}

static int run(int argc, char **argv)
{
	enum shmchan_backend backend = SHMCHAN_BACKEND_AUTO;
	struct shmchan_region_info *info;
	struct view v = { 0 };
	int letter, err, json = 0;

	while ((letter = getopt_long(argc, argv, "jb:h", options,
				     NULL)) != -1) {
		switch (letter) {
		case 'j':
			json = 1;
			break;
		case 'b':
			if (parse_backend(optarg, &backend))
				return tool_usage(&stat_command,
					"--backend is '%s': should be auto, kmod or local",
					optarg);
			break;
		case 'h':
			return tool_help(&stat_command);
		default:
			return tool_try_help(&stat_command);
		}
	}
	if (optind == argc)
		return tool_usage(&stat_command,
				  "which region? 'shmchan ls' lists the names");
	if (argc - optind > 1)
		return tool_usage(&stat_command,
				  "one name is wanted, '%s' is too many",
				  argv[optind + 1]);
	err = shmchan_region_stat(&info, backend, argv[optind]);
	if (err)
		return tool_library_error(&stat_command, err);
	v.info = info;
	v.channel = stat_look_at_channel(info);
	v.nr_mappers = mappers_find(info, &v.mappers);
	if (v.nr_mappers < 0)
		v.nr_mappers = 0;
	if (json)
		show_json(&v);
	else
		show(&v);
	free(v.mappers);
	shmchan_channel_info_free(v.channel);
	shmchan_region_info_free(info);
	return tool_flush(&stat_command);
}

const struct command stat_command = {
	"stat", run, "tell all about one region, without disturbing it", help,
};
