// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* What send and recv share. */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "stream.h"

#define PROGRESS_NS	200000000ULL

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

int stream_option(struct stream *s, int letter, const char *arg)
{
	switch (letter) {
	case 'f':
		s->from = arg;
		return -1;
	case 'c':
		s->for_create = 1;
		if (parse_size(arg, &s->opts.capacity) || !s->opts.capacity)
			return tool_usage(s->command,
				"--capacity is '%s': should be bytes, with K, M or G for powers of 1024, as in 64K or 8M",
				arg);
		return -1;
	case 'm':
		s->for_create = 1;
		if (parse_mode(arg, &s->opts.mode))
			return tool_usage(s->command,
				"--mode is '%s': should be octal permissions without x, as in 0660",
				arg);
		return -1;
	case 't':
		if (parse_seconds(arg, &s->timeout_ns) || !s->timeout_ns)
			return tool_usage(s->command,
				"--timeout is '%s': should be seconds, more than 0, as in 5 or 0.25",
				arg);
		return -1;
	case 'b':
		if (parse_backend(arg, &s->opts.backend))
			return tool_usage(s->command,
				"--backend is '%s': should be auto, kmod or local",
				arg);
		return -1;
	case 'A':
		s->opts.any_owner = 1;
		return -1;
	case 's':
		s->stats = STATS_TEXT;
		if (arg && !strcmp(arg, "json"))
			s->stats = STATS_JSON;
		else if (arg && strcmp(arg, "text") != 0)
			return tool_usage(s->command,
				"--stats is '%s': should be text or json", arg);
		return -1;
	case 'q':
		s->quiet = 1;
		return -1;
	case 'h':
		return tool_help(s->command);
	default:
		return tool_try_help(s->command);
	}
}

int stream_operand(struct stream *s, int argc, char **argv)
{
	if (s->from && optind < argc)
		return tool_usage(s->command,
			"--from and '%s': the channel comes from the socket or has a name here, one of the two",
			argv[optind]);
	if (s->from && (s->for_create || s->explicit_create ||
			s->opts.backend || s->opts.any_owner))
		return tool_usage(s->command,
			"--from takes a channel that is there, as it is: without --capacity, --mode, --create, --backend and --any-owner");
	if (!s->from && optind == argc)
		return tool_usage(s->command, "which channel? Give its name");
	if (argc - optind > 1)
		return tool_usage(s->command,
				  "one name is wanted, '%s' is too many",
				  argv[optind + 1]);
	s->name = s->from ? s->from : argv[optind];
	s->progress = !s->quiet && isatty(STDERR_FILENO);
	return -1;
}

int stream_open(struct stream *s)
{
	int fd, err, status;

	if (!s->from)
		return shmchan_spsc_open(&s->ch, s->name, &s->opts);
	fd = socket_fetch(s->command, s->from, s->timeout_ns, &status);
	if (fd < 0)
		return status;
	s->opts.create = 0;
	err = shmchan_spsc_adopt(&s->ch, fd, &s->opts);
	if (err)
		close(fd);
	return err;
}

static double seconds_of(const struct stream *s)
{
	return s->started ? (double)(now_ns() - s->started) / 1e9 : 0;
}

/* Bytes per second, or 0 before any time has passed. */
static double rate_of(const struct stream *s, double seconds)
{
	return seconds > 0 ? (double)s->bytes / seconds : 0;
}

static void show_progress(struct stream *s)
{
	char done[SIZE_WORD], rate[SIZE_WORD];
	double seconds = seconds_of(s);

	fprintf(stderr, "\r%s: %s, %.1f s, %s/s\033[K", s->name,
		size_word(done, s->bytes), seconds,
		size_word(rate, (uint64_t)rate_of(s, seconds)));
}

static void hide_progress(struct stream *s)
{
	if (s->visible)
		fputs("\r\033[K", stderr);
	s->visible = 0;
}

void stream_count(struct stream *s, uint64_t bytes, uint64_t records)
{
	uint64_t now;

	if (!s->started)
		s->shown = s->started = now_ns();
	s->bytes += bytes;
	s->records += records;
	if (!s->progress)
		return;
	now = now_ns();
	if (now - s->shown < PROGRESS_NS)
		return;
	s->shown = now;
	s->visible = 1;
	show_progress(s);
}

static void print_text(const struct stream *s, double seconds, double per,
		       const struct shmchan_spsc_stats *st, const char *how)
{
	char rate[SIZE_WORD];

	fprintf(stderr,
		"shmchan %s: %s: %" PRIu64 " bytes in %" PRIu64 " records, %.3f s, %s/s, %" PRIu64 " rings and %" PRIu64 " sleeps (%.1f calls per 1000 records), %s backend: %s\n",
		s->command->name, s->name, s->bytes, s->records, seconds,
		size_word(rate, (uint64_t)rate_of(s, seconds)), st->rings,
		st->waits, per, shmchan_backend_name(s->ch.region->backend),
		how);
}

static void print_json(const struct stream *s, double seconds, double per,
		       const struct shmchan_spsc_stats *st, const char *how,
		       int status)
{
	fprintf(stderr, "{\"command\":\"%s\",\"name\":", s->command->name);
	json_string(stderr, s->name);
	fprintf(stderr,
		",\"backend\":\"%s\",\"bytes\":%" PRIu64 ",\"records\":%" PRIu64 ",\"seconds\":%.6f,\"bytes_per_second\":%.0f,\"rings\":%" PRIu64 ",\"sleeps\":%" PRIu64 ",\"calls_per_1000_records\":%.3f,\"status\":%d,\"end\":",
		shmchan_backend_name(s->ch.region->backend), s->bytes,
		s->records, seconds, rate_of(s, seconds), st->rings, st->waits,
		per, status);
	json_string(stderr, how);
	fputs("}\n", stderr);
}

int stream_end(struct stream *s, int status, const char *how)
{
	double seconds = seconds_of(s), per = 0;
	struct shmchan_spsc_stats st;

	hide_progress(s);
	if (s->stats == STATS_NONE)
		return status;
	shmchan_spsc_get_stats(&s->ch, &st);
	if (s->records)
		per = 1000.0 * (double)(st.rings + st.waits) /
		      (double)s->records;
	if (s->stats == STATS_JSON)
		print_json(s, seconds, per, &st, how, status);
	else
		print_text(s, seconds, per, &st, how);
	return status;
}

int stream_error(struct stream *s, int err)
{
	hide_progress(s);
	switch (-err) {
	case EOWNERDEAD:
		tool_fail(s->command,
			  "%s: the %s died after %" PRIu64 " bytes: this is not the whole",
			  s->name, s->opts.role == SHMCHAN_SENDER ?
			  "receiver" : "sender", s->bytes);
		return stream_end(s, TOOL_DIED, "the other side died");
	case EPIPE:
		tool_fail(s->command,
			  "%s: the receiver left after %" PRIu64 " bytes had been sent",
			  s->name, s->bytes);
		return stream_end(s, TOOL_CLOSED, "the receiver left");
	case ETIMEDOUT:
		tool_fail(s->command, "%s: nothing moved for %g s", s->name,
			  (double)s->timeout_ns / 1e9);
		return stream_end(s, TOOL_TIMEOUT, "timeout");
	case ESTALE:
		tool_fail(s->command,
			  "%s: after %" PRIu64 " bytes our place in the channel was taken from us",
			  s->name, s->bytes);
		return stream_end(s, TOOL_REVOKED, "revoked");
	case EBADMSG:
		tool_fail(s->command,
			  "%s: the other side broke the rules of the channel: %s",
			  s->name, shmchan_error_detail());
		return stream_end(s, TOOL_FAILED, "damaged");
	default:
		tool_fail(s->command, "%s: %s", s->name,
			  shmchan_error_detail());
		return stream_end(s, tool_status(err), "failed");
	}
}

void stream_poll(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	/* Woken early is fine: the caller tries again. */
	(void)poll(&p, 1, -1);
}
