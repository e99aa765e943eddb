// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan replay: a recording, once more through a channel. */

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <shmchan/channel.h>
#include <shmchan/pubsub.h>
#include <shmchan/spsc.h>

#include "message.h"
#include "recording.h"

static const char help[] =
	"replay FILE NAME [OPTION]...\n\n"
	"Sends the messages of a recording (shmchan record) through the channel NAME, one\n"
	"from one to one or one of many, with the times between them that they had.\n\n"
	"  -x, --speed FACTOR   so many times as fast (1)\n"
	"      --fast           as fast as the channel takes them\n"
	"      --slot N         of the sender in this slot alone\n"
	"      --create         make the channel if it is not there, of the kind that was\n"
	"                       recorded, and wait for a receiver\n"
	COMMON_HELP
	"exit status: 0 all of it; 1 something failed; 2 usage; 3 the receiver died, or the\n"
	"recording is cut off: all there is was sent; 4 timeout; 5 no such name; 6 no\n"
	"permission; 7 the receiver left; 8 no seat is free; 9 we were revoked.\n";

enum { OPT_FAST = 256, OPT_SLOT, OPT_CREATE };

static const struct option options[] = {
	{ "speed", required_argument, NULL, 'x' },
	{ "fast", no_argument, NULL, OPT_FAST },
	{ "slot", required_argument, NULL, OPT_SLOT },
	{ "create", no_argument, NULL, OPT_CREATE },
	COMMON_OPTIONS,
};

struct replay {
	struct common common;
	const char *path;
	FILE *file;
	struct recording_header header;
	double speed;		/* 0: as fast as it goes */
	int speed_given;
	uint64_t slot;
	int one_slot;
	int create;
	int many;		/* which of the two is open */
	struct shmchan_sender tx;
	struct shmchan_spsc ch;
	uint64_t sent;
};

static int parse_speed(struct replay *r, const char *arg)
{
	char *end;

	r->speed_given++;
	r->speed = strtod(arg, &end);
	if (end != arg && !*end && isfinite(r->speed) && r->speed > 0)
		return -1;
	return tool_usage(r->common.command,
			  "--speed is '%s': should be more than 0, as in 2 or 0.5",
			  arg);
}

static int take(struct replay *r, int letter, const char *arg)
{
	switch (letter) {
	case 'x':
		return parse_speed(r, arg);
	case OPT_FAST:
		r->speed_given++;
		r->speed = 0;
		return -1;
	case OPT_SLOT:
		r->one_slot = 1;
		return option_number(r->common.command, "slot", arg, 0,
				     SHMCHAN_CHANNEL_MAX - 1, &r->slot);
	case OPT_CREATE:
		r->create = 1;
		return -1;
	default:
		return common_option(&r->common, letter, arg);
	}
}

static int parse(struct replay *r, int argc, char **argv)
{
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv,
				"x:" COMMON_LETTERS, options, NULL)) != -1)
		status = take(r, letter, optarg);
	if (status >= 0)
		return status;
	if (argc - optind < 2)
		return tool_usage(r->common.command,
				  "a recording and a name are wanted");
	if (r->speed_given > 1)
		return tool_usage(r->common.command,
				  "--speed or --fast, once");
	r->path = argv[optind++];
	status = common_name(&r->common, argc, argv);
	return status < 0 ? common_no_more(&r->common, argc, argv) : status;
}

static int open_many(struct replay *r)
{
	struct shmchan_channel_opts opts = SHMCHAN_CHANNEL_OPTS(.slot =
							SHMCHAN_SLOT_ANY);

	if (r->create)
		opts = SHMCHAN_PUBSUB_OPTS(.create = 1,
					   .capacity = r->header.capacity);
	opts.backend = r->common.backend;
	opts.any_owner = r->common.any_owner;
	opts.wait_ns = r->create ? 0 : common_wait_ns(&r->common);
	r->many = 1;
	return shmchan_sender_open(&r->tx, r->common.name, &opts);
}

static int open_one(struct replay *r)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = r->create,
		.capacity = r->header.capacity,
		.backend = r->common.backend,
		.any_owner = r->common.any_owner,
		.wait_ns = r->create ? 0 : common_wait_ns(&r->common));

	r->many = 0;
	return shmchan_spsc_open(&r->ch, r->common.name, &opts);
}

/* What was recorded first; what it is turns out by trying. */
static int open_channel(struct replay *r)
{
	int one = r->header.kind == SHMCHAN_WIRE_SPSC;
	int err = one ? open_one(r) : open_many(r);

	if (err == -EPROTO)
		err = one ? open_many(r) : open_one(r);
	return err;
}

static void close_channel(struct replay *r)
{
	if (r->many)
		shmchan_sender_close(&r->tx);
	else
		shmchan_spsc_close(&r->ch);
}

static int send(struct replay *r, const struct recording_entry *entry,
		const void *data)
{
	int64_t timeout_ns = r->common.timeout_ns;

	return r->many ?
	       shmchan_send(&r->tx, data, entry->length, entry->meta, 0,
			    timeout_ns) :
	       shmchan_spsc_send(&r->ch, data, entry->length, entry->meta, 0,
				 timeout_ns);
}

/*
 * Until the time of an entry.  0, or -1: a signal asked us to end.  Elsewhere it does
 * end us: who waits for room, or for somebody to come, does not look.
 */
static int sleep_until(uint64_t ns)
{
	const struct timespec when = {
		(time_t)(ns / 1000000000), (long)(ns % 1000000000),
	};

	if (ns <= monotonic_ns())
		return 0;
	end_on_signals();
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) ==
	       EINTR)
		if (asked_to_end())
			return -1;
	signals_as_before();
	return asked_to_end() ? -1 : 0;
}

/* When that is; the slowest are as good as never. */
static uint64_t time_of(const struct replay *r, uint64_t start,
			const struct recording_entry *entry)
{
	double after = (double)entry->time / r->speed;

	return after < (double)(INT64_MAX / 2) ? start + (uint64_t)after :
						 INT64_MAX;
}

/*
 * Who does not bring its work to an end does not close, so that receivers are told
 * that it died; unless nobody is left who could be misled.
 */
static int send_failed(struct replay *r, int err)
{
	tool_fail(r->common.command, "%s: message %" PRIu64 ": %s",
		  r->common.name, r->sent + 1, err == -ETIMEDOUT ?
		  "no room: the receiver is slow" : shmchan_error_detail());
	if (err == -EPIPE || err == -EOWNERDEAD)
		close_channel(r);
	return tool_status(err);
}

static int finish(struct replay *r, enum recording_read how)
{
	const struct common *c = &r->common;

	if (how == RECORDING_FAILED)
		return tool_fail(c->command, "reading %s: %s", r->path,
				 strerror(errno));
	if (how == RECORDING_CUT) {
		tool_fail(c->command,
			  "%s: the recording is cut off behind message %" PRIu64,
			  r->path, r->sent);
		return TOOL_DIED;
	}
	close_channel(r);
	return TOOL_OK;
}

static int pump(struct replay *r)
{
	const uint64_t start = monotonic_ns();
	struct recording_entry entry;
	enum recording_read how;
	size_t size = 0;
	void *data = NULL;
	int err = 0;

	for (;;) {
		how = recording_next(r->file, &entry, &data, &size);
		if (how != RECORDING_READ)
			break;
		if (entry.what != RECORDING_MESSAGE ||
		    (r->one_slot && entry.slot != r->slot))
			continue;
		if (r->speed > 0 && sleep_until(time_of(r, start, &entry)))
			break;
		err = send(r, &entry, data);
		if (err)
			break;
		r->sent++;
	}
	free(data);
	if (err)
		return send_failed(r, err);
	if (how == RECORDING_READ)
		return tool_fail(r->common.command,
				 "interrupted behind message %" PRIu64,
				 r->sent);
	return finish(r, how);
}

static int replay(struct replay *r)
{
	const char *wrong = recording_open(r->file, &r->header);
	int err, status;

	if (wrong)
		return tool_fail(r->common.command, "%s: %s", r->path, wrong);
	err = open_channel(r);
	if (err)
		return common_open_failed(&r->common, err);
	/* What nobody has opened would be for nobody. */
	if (r->create)
		err = r->many ? shmchan_sender_wait_peers(&r->tx, 1,
						r->common.timeout_ns) :
				shmchan_spsc_wait_peer(&r->ch,
						r->common.timeout_ns);
	if (err) {
		status = tool_library_error(r->common.command, err);
		close_channel(r);
		return status;
	}
	return pump(r);
}

static int run(int argc, char **argv)
{
	struct replay r = {
		.common = { .command = &replay_command, .timeout_ns = -1 },
		.speed = 1,
	};
	int status = parse(&r, argc, argv);

	if (status >= 0)
		return status;
	r.file = strcmp(r.path, "-") != 0 ? fopen(r.path, "re") : stdin;
	if (!r.file)
		return tool_fail(r.common.command, "%s: %s", r.path,
				 strerror(errno));
	status = replay(&r);
	if (r.file != stdin)
		fclose(r.file);
	return status;
}

const struct command replay_command = {
	"replay", run, "send what was recorded through a channel again", help,
};
