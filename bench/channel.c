// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Channels as a program opens them: a region of the local backend, windows, a
 * lane, bells, timeouts, and a look at the peer at each send.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <shmchan/spsc.h>

#include "bench.h"

enum channel_variant {
	CHANNEL_SPIN,		/* spins for 10 us, then sleeps */
	CHANNEL_POLL,		/* nobody ever sleeps */
	CHANNEL_SLEEP,		/* sleeps at once */
	CHANNEL_ASYM,		/* as SPIN; publishes without a fence */
	CHANNEL_SLEEP_ASYM,
};

#define CHANNEL_BATCH	32

/* One side's. */
struct channel_ends {
	struct shmchan_spsc to_a;
	struct shmchan_spsc to_b;	/* round trips only */
};

struct channel_pair {
	char name[2][SHMCHAN_NAME_LEN];	/* to A, to B */
	struct channel_ends side[2];	/* in insn.c one process has both */
};

static int channel_create(struct bench_case *c)
{
	struct channel_pair *pair;

	pair = aligned_alloc(64, (sizeof(*pair) + 63) & ~63UL);
	if (!pair)
		return -ENOMEM;
	memset(pair, 0, sizeof(*pair));
	snprintf(pair->name[0], sizeof(pair->name[0]), "bench-%d-%s-a",
		 (int)getpid(), c->name);
	snprintf(pair->name[1], sizeof(pair->name[1]), "bench-%d-%s-b",
		 (int)getpid(), c->name);
	c->priv = pair;
	return 0;
}

/*
 * How long to spin is said here and not left to the default, which takes a
 * process that is bound to one CPU for one that shares it with its peer.
 */
static const int64_t channel_spin_ns[] = {
	[CHANNEL_SPIN] = SHMCHAN_SPIN_DEFAULT_NS,
	[CHANNEL_POLL] = SHMCHAN_SPIN_DEFAULT_NS,
	[CHANNEL_SLEEP] = -1,
	[CHANNEL_ASYM] = SHMCHAN_SPIN_DEFAULT_NS,
	[CHANNEL_SLEEP_ASYM] = -1,
};

static int channel_open(struct shmchan_spsc *ch, const char *name,
			const struct bench_case *c, int sends)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = sends ? SHMCHAN_SENDER : SHMCHAN_RECEIVER,
		.backend = SHMCHAN_BACKEND_LOCAL, .create = 1,
		.capacity = c->ring, .poll = c->variant == CHANNEL_POLL,
		.spin_ns = channel_spin_ns[c->variant],
		.join_flags = c->variant >= CHANNEL_ASYM ?
			      SHMCHAN_JOIN_ASYM : 0);
	int err = shmchan_spsc_open(ch, name, &opts);

	if (err)
		fprintf(stderr, "bench: %s: %s\n", name,
			shmchan_error_detail());
	return err;
}

static int channel_attach(struct bench_case *c, enum bench_side side)
{
	struct channel_pair *pair = c->priv;
	struct channel_ends *ends = &pair->side[side];
	int err = channel_open(&ends->to_a, pair->name[0], c, side == BENCH_B);

	if (!err && c->kind != BENCH_STREAM)
		err = channel_open(&ends->to_b, pair->name[1], c,
				   side == BENCH_A);
	return err;
}

static void channel_detach(struct bench_case *c)
{
	struct channel_pair *pair = c->priv;
	int i;

	/* Those that were never opened are all 0: closed. */
	for (i = 0; i < 2; i++) {
		shmchan_spsc_close(&pair->side[i].to_a);
		shmchan_spsc_close(&pair->side[i].to_b);
	}
}

static void channel_check(const struct bench_case *c, int err)
{
	if (__builtin_expect(err, 0))
		bench_die("%s: %s (%s)", c->name, strerror(-err),
			  shmchan_error_detail());
}

static uint64_t channel_rtt(struct bench_case *c, enum bench_side side,
			    uint64_t n)
{
	struct channel_pair *pair = c->priv;
	struct channel_ends *ends = &pair->side[side];
	struct shmchan_spsc *in = side == BENCH_A ? &ends->to_a : &ends->to_b;
	struct shmchan_spsc *out = side == BENCH_A ? &ends->to_b : &ends->to_a;
	uint64_t i, got, sum = 0;

	for (i = 1; i <= n; i++) {
		if (side == BENCH_A)
			channel_check(c, shmchan_spsc_send(out, &i, 8, 0, 0,
							   -1));
		channel_check(c, shmchan_spsc_recv(in, &got, 8, NULL, NULL,
						   -1));
		sum += got;
		if (side == BENCH_B)
			channel_check(c, shmchan_spsc_send(out, &i, 8, 0, 0,
							   -1));
	}
	return sum;
}

static uint64_t channel_stream(struct bench_case *c, enum bench_side side,
			       uint64_t n)
{
	static uint64_t buf[1];
	struct channel_pair *pair = c->priv;
	struct shmchan_spsc *ch = &pair->side[side].to_a;
	uint64_t i, sum = 0;

	for (i = 0; i < n; i++) {
		if (side == BENCH_B) {
			bench_fill(buf, 1, i);
			channel_check(c, shmchan_spsc_send(ch, buf, 8, 0, 0,
							   -1));
		} else {
			channel_check(c, shmchan_spsc_recv(ch, buf, 8, NULL,
							   NULL, -1));
			sum += bench_sum(buf, 1);
		}
	}
	return sum;
}

/* 32 at once: send_n, recv_n. */
static uint64_t channel_batch(struct bench_case *c, enum bench_side side,
			      uint64_t n)
{
	static uint64_t buf[CHANNEL_BATCH];
	struct channel_pair *pair = c->priv;
	struct shmchan_spsc *ch = &pair->side[side].to_a;
	uint64_t i, sum = 0;
	uint32_t k, meta;
	int got;

	for (i = 0; i < n; i += (uint64_t)got) {
		if (side == BENCH_B) {
			for (k = 0; k < CHANNEL_BATCH; k++)
				bench_fill(buf + k, 1, i + k);
			got = shmchan_spsc_send_n(ch, buf, 8, CHANNEL_BATCH, 0,
						  -1);
		} else {
			got = shmchan_spsc_recv_n(ch, buf, 8, CHANNEL_BATCH,
						  &meta, -1);
			if (got > 0)
				sum += bench_sum(buf, (uint32_t)got);
		}
		if (got <= 0)
			channel_check(c, got ? got : -EIO);
	}
	return sum;
}

#define CHANNEL_CASE(n, k, r, v) CHANNEL_CASES(n, k, r, v, 1)
#define CHANNEL_CASES(n, k, r, v, per) \
	{ .name = (n), .who = "shmchan", .kind = (k), .size = 8, \
	  .batch = (per), \
	  .ring = BENCH_SMALL_RING, .create = channel_create, \
	  .attach = channel_attach, .detach = channel_detach, .run = (r), \
	  .variant = (v) }

struct bench_case bench_channel_cases[] = {
	CHANNEL_CASE("chan-rtt-poll-8", BENCH_RTT, channel_rtt, CHANNEL_POLL),
	CHANNEL_CASE("chan-rtt-8", BENCH_RTT, channel_rtt, CHANNEL_SPIN),
	CHANNEL_CASE("chan-one-8", BENCH_STREAM, channel_stream,
		     CHANNEL_SPIN),
	CHANNEL_CASE("chan-one-poll-8", BENCH_STREAM, channel_stream,
		     CHANNEL_POLL),
	CHANNEL_CASES("chan-n-8", BENCH_STREAM, channel_batch, CHANNEL_SPIN,
		      CHANNEL_BATCH),
	CHANNEL_CASE("chan-one-asym-8", BENCH_STREAM, channel_stream,
		     CHANNEL_ASYM),
	CHANNEL_CASE("chan-sleep-8", BENCH_BLOCKING, channel_rtt,
		     CHANNEL_SLEEP),
	CHANNEL_CASE("chan-sleep-asym-8", BENCH_BLOCKING, channel_rtt,
		     CHANNEL_SLEEP_ASYM),
	{ .name = NULL },
};
