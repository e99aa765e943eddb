// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan record: what passes through a channel, into a file. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recording.h"
#include "tap.h"

static const char help[] =
	"record NAME -o FILE [OPTION]...\n\n"
	"Writes the messages that pass through the channel NAME, and when they came, to a\n"
	"file, which shmchan replay publishes again. It watches as shmchan tap does and\n"
	"disturbs nobody; what passes by unseen is counted, told and marked. It ends when all\n"
	"members have left, or by a signal. A recording that is cut off is whole up to there.\n\n"
	"  -o, --output FILE    the file, which must not be there (-: standard output)\n"
	"      --from WHERE     now, or oldest: what still lies there (now)\n"
	"  -n, --count N        end after N messages\n"
	"      --seconds S      end after so much time\n"
	COMMON_HELP
	"exit status: 0 all of it, or a signal; 1 something failed, or messages passed by\n"
	"unseen; 2 usage; 3 a sender died; 4 timeout; 5 no such name; 6 no permission; 8\n"
	"three others look; 9 we were revoked.\n";

enum { OPT_FROM = 256, OPT_SECONDS };

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "count", required_argument, NULL, 'n' },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	COMMON_OPTIONS,
};

struct record {
	struct common common;
	struct tap tap;
	enum shmchan_lane_from from;
	const char *path;
	FILE *file;
	uint64_t start;
	uint64_t count;		/* 0: all */
	int64_t length_ns;	/* 0: no end */
	uint64_t moved;		/* when something came last */
	uint64_t written;
	uint64_t bytes;
	uint64_t lost;
};

static int take(struct record *r, int letter, const char *arg)
{
	switch (letter) {
	case 'o':
		r->path = arg;
		return -1;
	case OPT_FROM:
		if (!strcmp(arg, "now"))
			r->from = SHMCHAN_FROM_NOW;
		else if (!strcmp(arg, "oldest"))
			r->from = SHMCHAN_FROM_OLDEST;
		else
			return tool_usage(r->common.command,
				"--from is '%s': should be now or oldest", arg);
		return -1;
	case 'n':
		return option_number(r->common.command, "count", arg, 1,
				     UINT64_MAX, &r->count);
	case OPT_SECONDS:
		if (parse_seconds(arg, &r->length_ns) || !r->length_ns)
			return tool_usage(r->common.command,
				"--seconds is '%s': should be more than 0, as in 60",
				arg);
		return -1;
	default:
		return common_option(&r->common, letter, arg);
	}
}

static int parse(struct record *r, int argc, char **argv)
{
	int letter, status = -1;

	while (status < 0 && (letter = getopt_long(argc, argv,
				"o:n:" COMMON_LETTERS, options, NULL)) != -1)
		status = take(r, letter, optarg);
	if (status < 0)
		status = common_name(&r->common, argc, argv);
	if (status < 0)
		status = common_no_more(&r->common, argc, argv);
	if (status < 0 && !r->path)
		status = tool_usage(r->common.command,
				    "into which file? Give --output");
	return status;
}

static int disk_failed(const struct record *r)
{
	return tool_fail(r->common.command, "writing to %s: %s", r->path,
			 strerror(errno));
}

static int append(struct record *r, enum recording_what what,
		  const struct tap_message *m)
{
	struct recording_entry entry = {
		.time = monotonic_ns() - r->start,
		.what = what,
	};

	if (m) {
		entry.slot = m->slot;
		entry.generation = m->generation;
	}
	if (what == RECORDING_MESSAGE) {
		entry.length = (uint32_t)m->length;
		entry.meta = m->meta;
	} else if (what == RECORDING_LOST) {
		entry.meta = m->lost > UINT32_MAX ? 0 : (uint32_t)m->lost;
	}
	return recording_append(r->file, &entry, m ? m->data : NULL) ?
	       disk_failed(r) : -1;
}

/* An exit status, or -1 to go on. */
static int told(struct record *r, const struct tap_message *m, int err)
{
	const struct common *c = &r->common;

	switch (-err) {
	case EOVERFLOW:
		r->lost += m->lost;
		tool_fail(c->command,
			  "%s: %" PRIu64 " messages of slot %" PRIu32 " passed by unseen",
			  c->name, m->lost, m->slot);
		return append(r, RECORDING_LOST, m);
	case EPIPE:
		return append(r, RECORDING_CLOSED, m);
	case EOWNERDEAD:
	case EBADMSG:
		tool_fail(c->command, "%s: slot %" PRIu32 ": %s", c->name,
			  m->slot, shmchan_error_detail());
		return append(r, RECORDING_DIED, m);
	default:
		return tool_library_error(c->command, err);
	}
}

static int quiet(struct record *r)
{
	const struct common *c = &r->common;

	/* Whoever reads the file meanwhile has all there is. */
	if (fflush(r->file))
		return disk_failed(r);
	if (tap_sleep(&r->tap))
		return r->tap.died ? TOOL_DIED : TOOL_OK;
	if (c->timeout_ns < 0 ||
	    monotonic_ns() - r->moved < (uint64_t)c->timeout_ns)
		return -1;
	tool_fail(c->command, "%s: nothing came for %g s", c->name,
		  (double)c->timeout_ns / 1e9);
	return TOOL_TIMEOUT;
}

static int pump(struct record *r)
{
	struct tap_message m = { .data = NULL };
	int err, status = -1;

	r->moved = r->start;
	while (status < 0 && !asked_to_end()) {
		if (r->length_ns &&
		    monotonic_ns() - r->start >= (uint64_t)r->length_ns)
			break;
		err = tap_next(&r->tap, &m);
		if (err == -EAGAIN) {
			status = quiet(r);
			continue;
		}
		r->moved = monotonic_ns();
		if (err) {
			m.length = 0;
			status = told(r, &m, err);
			continue;
		}
		status = append(r, RECORDING_MESSAGE, &m);
		r->bytes += m.length;
		if (status < 0 && ++r->written == r->count)
			status = TOOL_OK;
	}
	return status < 0 ? TOOL_OK : status;
}

static int begin(struct record *r)
{
	struct recording_header header = {
		.capacity = r->tap.capacity,
		.kind = r->tap.kind,
		.nr_senders = r->tap.nr_senders,
	};
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	header.realtime = (uint64_t)ts.tv_sec * 1000000000ULL +
			  (uint64_t)ts.tv_nsec;
	header.monotonic = r->start = monotonic_ns();
	return recording_begin(r->file, &header, r->common.name) ?
	       disk_failed(r) : TOOL_OK;
}

static int record(struct record *r)
{
	int status = begin(r);
	char bytes[SIZE_WORD];

	if (status)
		return status;
	status = pump(r);
	/* END says that nothing is missing behind the last entry. */
	if (status != TOOL_FAILED) {
		int end = append(r, RECORDING_END, NULL);

		if (end >= 0)
			status = end;
	}
	if (fflush(r->file) || (fsync(fileno(r->file)) && errno != EINVAL &&
				errno != EROFS))
		status = disk_failed(r);
	fprintf(stderr, "shmchan record: %s: %" PRIu64 " messages, %s, %.3f s\n",
		r->common.name, r->written, size_word(bytes, r->bytes),
		(double)(monotonic_ns() - r->start) / 1e9);
	return status ? status : r->lost ? TOOL_FAILED : TOOL_OK;
}

static FILE *open_file(const struct record *r)
{
	FILE *file;
	int fd;

	if (!strcmp(r->path, "-"))
		return stdout;
	/* A recording cannot be had again. */
	fd = open(r->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file)
		tool_fail(r->common.command, "%s: %s", r->path,
			  strerror(errno));
	return file;
}

static int run(int argc, char **argv)
{
	struct record r = {
		.common = { .command = &record_command, .timeout_ns = -1 },
		.from = SHMCHAN_FROM_NOW,
	};
	int status = parse(&r, argc, argv);

	if (status >= 0)
		return status;
	end_on_signals();
	status = tap_open(&r.tap, &r.common, r.from);
	if (status)
		return status;
	r.file = open_file(&r);
	status = r.file ? record(&r) : TOOL_FAILED;
	if (r.file && r.file != stdout && fclose(r.file) && !status)
		status = disk_failed(&r);
	tap_close(&r.tap);
	return status;
}

const struct command record_command = {
	"record", run, "write what passes through a channel to a file", help,
};
