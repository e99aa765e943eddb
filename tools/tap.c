// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan tap: what passes through a channel, without disturbing it. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tap.h"

#define SECOND		UINT64_C(1000000000)
#define HEX_MOST	256		/* bytes of a message */

static const char help[] =
	"tap NAME [OPTION]...\n\n"
	"Shows what passes through the channel NAME, without disturbing it: it reads the\n"
	"memory and never writes, holds nobody up, and nobody rings for it. Where it is too\n"
	"slow it says how much has passed by. It ends when all members have left, or by a\n"
	"signal. With the module it takes a seat for who only looks, of which channels of\n"
	"many have three; those from one to one can be watched with the local backend alone.\n\n"
	"      --hex            messages in hexadecimal (the default), the first 256 bytes\n"
	"  -j, --json           a JSON object each, with slot, generation, length, meta,\n"
	"                       time (seconds of CLOCK_MONOTONIC), and data or base64\n"
	"  -s, --summary        no messages: a line each second, with messages and bytes\n"
	"                       per second and the sizes\n"
	"      --from WHERE     now, or oldest: what still lies there (now)\n"
	"  -n, --count N        end after N messages\n"
	COMMON_HELP
	"exit status: 0 the end, or a signal; 1 something failed; 2 usage; 4 timeout; 5 no\n"
	"such name; 6 no permission; 8 three others look; 9 we were revoked.\n";

enum { OPT_FROM = 256, OPT_HEX };

static const struct option options[] = {
	{ "hex", no_argument, NULL, OPT_HEX },
	{ "json", no_argument, NULL, 'j' },
	{ "summary", no_argument, NULL, 's' },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "count", required_argument, NULL, 'n' },
	COMMON_OPTIONS,
};

enum show { SHOW_HEX, SHOW_JSON, SHOW_SUMMARY };

struct watch {
	struct common common;
	struct tap tap;
	enum show show;
	enum shmchan_lane_from from;
	uint64_t count;		/* 0: all */
	uint64_t seen;
	uint64_t moved;		/* when something came last */
	/* Since the last line. */
	uint64_t line;
	uint64_t messages;
	uint64_t bytes;
	uint64_t lost;
	size_t smallest;
	size_t largest;
};

static int take(struct watch *w, int letter, const char *arg)
{
	switch (letter) {
	case OPT_HEX:
		w->show = SHOW_HEX;
		return -1;
	case 'j':
		w->show = SHOW_JSON;
		return -1;
	case 's':
		w->show = SHOW_SUMMARY;
		return -1;
	case OPT_FROM:
		if (!strcmp(arg, "now"))
			w->from = SHMCHAN_FROM_NOW;
		else if (!strcmp(arg, "oldest"))
			w->from = SHMCHAN_FROM_OLDEST;
		else
			return tool_usage(w->common.command,
				"--from is '%s': should be now or oldest", arg);
		return -1;
	case 'n':
		return option_number(w->common.command, "count", arg, 1,
				     UINT64_MAX, &w->count);
	default:
		return common_option(&w->common, letter, arg);
	}
}

static int parse(struct watch *w, int argc, char **argv)
{
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv,
				"jsn:" COMMON_LETTERS, options, NULL)) != -1)
		status = take(w, letter, optarg);
	if (status < 0)
		status = common_name(&w->common, argc, argv);
	return status < 0 ? common_no_more(&w->common, argc, argv) : status;
}

static void show_time(uint64_t now)
{
	printf("%" PRIu64 ".%09" PRIu64, now / SECOND, now % SECOND);
}

static void show_hex(const struct tap_message *m)
{
	const unsigned char *data = m->data;
	size_t most = m->length < HEX_MOST ? m->length : HEX_MOST, i, j;

	show_time(monotonic_ns());
	printf(" slot %" PRIu32 " meta %#" PRIx32 " length %zu\n", m->slot,
	       m->meta, m->length);
	for (i = 0; i < most; i += 16) {
		printf("  %04zx ", i);
		for (j = i; j < i + 16; j++) {
			if (j < most)
				printf(" %02x", data[j]);
			else
				fputs("   ", stdout);
		}
		fputs("  ", stdout);
		for (j = i; j < i + 16 && j < most; j++)
			putchar(data[j] < 0x80 && isprint(data[j]) ? data[j] :
								     '.');
		putchar('\n');
	}
	if (most < m->length)
		printf("  and %zu bytes more\n", m->length - most);
}

static void show_json(const struct tap_message *m)
{
	printf("{\"slot\":%" PRIu32 ",\"generation\":%" PRIu32 ",\"length\":%zu,\"meta\":%" PRIu32 ",\"time\":",
	       m->slot, m->generation, m->length, m->meta);
	show_time(monotonic_ns());
	putchar(',');
	message_json(stdout, m->data, m->length);
	fputs("}\n", stdout);
}

static void show_line(struct watch *w, uint64_t now)
{
	double seconds = (double)(now - w->line) / 1e9;
	char rate[SIZE_WORD];

	printf("%.0f messages/s, %s/s", (double)w->messages / seconds,
	       size_word(rate, (uint64_t)((double)w->bytes / seconds)));
	if (w->messages)
		printf(", of %zu to %zu bytes, on average %.1f", w->smallest,
		       w->largest, (double)w->bytes / (double)w->messages);
	if (w->lost)
		printf("; and %" PRIu64 " passed by unseen", w->lost);
	putchar('\n');
	fflush(stdout);
	w->line = now;
	w->messages = w->bytes = w->lost = w->largest = 0;
	w->smallest = SIZE_MAX;
}

static void show(struct watch *w, const struct tap_message *m)
{
	w->seen++;
	w->messages++;
	w->bytes += m->length;
	if (m->length < w->smallest)
		w->smallest = m->length;
	if (m->length > w->largest)
		w->largest = m->length;
	if (w->show == SHOW_HEX)
		show_hex(m);
	else if (w->show == SHOW_JSON)
		show_json(m);
}

/* What happened to one sender; an exit status ends us, -1 does not. */
static int told(struct watch *w, const struct tap_message *m, int err)
{
	const struct common *c = &w->common;

	switch (-err) {
	case EOVERFLOW:
		w->lost += m->lost;
		if (w->show != SHOW_SUMMARY)
			tool_fail(c->command,
				  "%s: %" PRIu64 " messages of slot %" PRIu32 " passed by unseen",
				  c->name, m->lost, m->slot);
		return -1;
	case EPIPE:
		tool_fail(c->command, "%s: the sender in slot %" PRIu32
			  " has ended", c->name, m->slot);
		return -1;
	case EOWNERDEAD:
		tool_fail(c->command, "%s: the sender in slot %" PRIu32
			  " has died", c->name, m->slot);
		return -1;
	case EBADMSG:
		tool_fail(c->command, "%s: slot %" PRIu32 ": %s", c->name,
			  m->slot, shmchan_error_detail());
		return -1;
	default:
		return tool_library_error(c->command, err);
	}
}

/* Nothing is there: an exit status, or -1. */
static int quiet(struct watch *w)
{
	const struct common *c = &w->common;

	if (tool_flush(c->command))
		return TOOL_FAILED;
	if (tap_sleep(&w->tap))
		return TOOL_OK;
	if (c->timeout_ns < 0 ||
	    monotonic_ns() - w->moved < (uint64_t)c->timeout_ns)
		return -1;
	tool_fail(c->command, "%s: nothing came for %g s", c->name,
		  (double)c->timeout_ns / 1e9);
	return TOOL_TIMEOUT;
}

static int pump(struct watch *w)
{
	struct tap_message m;
	int err, status = -1;
	uint64_t now;

	w->line = w->moved = monotonic_ns();
	w->smallest = SIZE_MAX;
	while (status < 0 && !asked_to_end()) {
		err = tap_next(&w->tap, &m);
		if (!err) {
			show(w, &m);
			if (w->seen == w->count)
				status = TOOL_OK;
		} else if (err == -EAGAIN) {
			status = quiet(w);
		} else {
			status = told(w, &m, err);
		}
		if (err && w->show != SHOW_SUMMARY)
			continue;
		/* Looking at the clock is cheap, against a message. */
		now = monotonic_ns();
		if (err != -EAGAIN)
			w->moved = now;
		if (w->show == SHOW_SUMMARY && now - w->line >= SECOND)
			show_line(w, now);
	}
	if (status > 0)
		return status;
	if (w->show == SHOW_SUMMARY && w->messages)
		show_line(w, monotonic_ns());
	return tool_flush(w->common.command);
}

static int run(int argc, char **argv)
{
	struct watch w = {
		.common = { .command = &tap_command, .timeout_ns = -1 },
		.from = SHMCHAN_FROM_NOW,
	};
	int status = parse(&w, argc, argv);

	if (status >= 0)
		return status;
	end_on_signals();
	status = tap_open(&w.tap, &w.common, w.from);
	if (status)
		return status;
	status = pump(&w);
	tap_close(&w.tap);
	return status;
}

const struct command tap_command = {
	"tap", run, "show what passes through a channel, without disturbing it",
	help,
};
