// SPDX-License-Identifier: GPL-2.0-only
/*
 * A lane, one writer, one reader, nobody dies: records come exactly once, in
 * order, with their bytes, over the end of the ring; nobody sleeps for ever;
 * and plain copies of payload never race.
 */
#include <string.h>

#include "lane_fixture.h"
#include "tests.h"

static void setup_hold(void)
{
	lane_setup(SHMCHAN_LANE_HOLD, 1);
}

static void setup_poll(void)
{
	lane_setup(SHMCHAN_LANE_HOLD | SHMCHAN_LANE_POLL, 1);
}

static unsigned int records(void)
{
	return (unsigned int)explorer_model->arg;
}

static void writer(void)
{
	struct writing s = { .next = 0 };
	int ring;

	writer_attach(&s.w, 1);
	writer_send_all(&s, records());
	ring = shmchan_lane_close(&s.w);
	explorer_assert(ring >= 0, "close says %d", ring);
	if (ring == 1)
		kernel_ring(DATA_BELL);
}

static void reader(void)
{
	struct reading s = { .next = 0 };
	int err;

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_CURSOR);
	err = reader_drain(&s);
	explorer_assert(err == -EPIPE, "the end is %d", err);
	explorer_assert(s.next == records(), "the end comes after %llu",
			(unsigned long long)s.next);
	explorer_assert(s.r.records == s.next, "counts %llu records",
			(unsigned long long)s.r.records);
}

static const char *const waits[] = {
	"the writer waits for room", "slept and was woken",
	"changed before it slept", "rings", NULL,
};
static const char *const poll_waits[] = {
	"the writer waits for room", NULL,
};

const struct explorer_model lane_models[] = {
	{ .name = "lane", .what = "order, exactly once, no sleep for ever",
	  .thread = { writer, reader }, .setup = setup_hold, .arg = 5 },
	{ .name = "lane-races", .what = "plain payload never races",
	  .thread = { writer, reader }, .setup = setup_poll, .arg = 9,
	  .races = 1, .covers = poll_waits },
	{ .name = "lane-wrap", .what = "the same, over the end of the ring",
	  .thread = { writer, reader }, .setup = setup_hold, .arg = 8,
	  .covers = waits },
	{ .name = "lane-poll", .what = "the same, without bells",
	  .thread = { writer, reader }, .setup = setup_poll, .arg = 12,
	  .covers = poll_waits },
	{ .name = NULL },
};
