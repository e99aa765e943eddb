// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the writer may pass a reader: it never hands out bytes that were
 * written over, and counts what it lost exactly.  And where it may not: a
 * reader that joins while the writer raises its limit is either held for, or
 * goes on to a later place.
 *
 * Record i says i in its meta; so after each recv the reader's own count of
 * records must be i + 1, whatever it lost.
 */
#include <string.h>

#include "lane_fixture.h"
#include "tests.h"

static void setup_overwrite(void)
{
	lane_setup(SHMCHAN_LANE_OVERWRITE | SHMCHAN_LANE_POLL, 1);
	record_lengths = LENGTHS_BIG;
}

static void setup_evict(void)
{
	lane_setup(SHMCHAN_LANE_EVICT | SHMCHAN_LANE_POLL, 1);
	record_lengths = LENGTHS_BIG;
}

static void setup_block(void)
{
	lane_setup(SHMCHAN_LANE_POLL, 1);
	record_lengths = LENGTHS_BIG;
}

static void setup_small(void)
{
	lane_setup(SHMCHAN_LANE_POLL, 1);
}

static void setup_fast(void)
{
	setup_overwrite();
	record_lengths = LENGTHS_SMALL;
}

static uint64_t records(void)
{
	return (uint64_t)explorer_model->arg;
}

static void overwriter(void)
{
	struct writing s = { .next = 0 };

	writer_attach(&s.w, 1);
	writer_send_all(&s, records());
}

/* Sends as long as there is room: then it evicts, or gives up. */
static void evicter(void)
{
	struct writing s = { .next = 0 };
	unsigned int evicted = 0;
	uint8_t buf[24];

	writer_attach(&s.w, 1);
	while (s.next < records()) {
		unsigned int i = (unsigned int)s.next;
		int ret;

		explorer_settle(&s);
		record_fill(i, buf);
		ret = shmchan_lane_send(&s.w, buf, record_length(i), i, 0);
		if (ret == -EAGAIN) {
			explorer_cover("a reader holds the writer");
			if (!(lane.flags & SHMCHAN_LANE_EVICT))
				return;
			ret = shmchan_lane_evict(&s.w, record_length(i));
			explorer_assert(!ret && evicted++ < 2 * records(),
					"evict says %d, %u times", ret,
					evicted);
			explorer_cover("a reader is evicted");
			continue;
		}
		explorer_assert(ret >= 0, "send says %d", ret);
		s.next++;
	}
	explorer_cover("the writer sends all");
}

/* Reads a few, from wherever it got in. */
static void read_some(struct reading *s, int tries)
{
	uint8_t buf[24];
	size_t length;
	uint32_t meta;
	int first = 1;

	for (; tries; tries--) {
		int err;

		explorer_settle(s);
		err = shmchan_lane_recv(&s->r, buf, 24, &length, &meta);
		if (err == -EAGAIN) {
			explorer_cover("nothing there");
			continue;
		}
		if (err == -EOVERFLOW) {
			explorer_cover("passed");
			explorer_assert(s->r.lost, "nothing was lost");
			explorer_assert(lane.flags & SHMCHAN_LANE_PASSABLE,
					"passed in a lane that blocks");
			if (!first)
				s->next += s->r.lost;
			continue;
		}
		explorer_assert(!err, "recv says %d", err);
		record_check(buf, length, meta);
		explorer_assert(first || meta == s->next,
				"record %u instead of %llu", meta,
				(unsigned long long)s->next);
		explorer_assert(s->r.records == meta + 1ULL,
				"counts %llu at record %u",
				(unsigned long long)s->r.records, meta);
		if (!first)
			explorer_cover("two in a row");
		if (first && meta)
			explorer_cover("got in late");
		first = 0;
		s->next = meta + 1;
	}
}

static void some_reader(void)
{
	struct reading s = { .next = 0 };
	int err = shmchan_lane_reader_join(&s.r, &lane, 0, 1,
					   SHMCHAN_FROM_OLDEST, NULL, NULL,
					   NULL);

	if (err == -EAGAIN)
		explorer_cut();
	explorer_assert(!err, "join says %d", err);
	read_some(&s, 2);
}

/* Reads what is there, and leaves: it holds the writer no more. */
static void leaver(void)
{
	struct reading s = { .next = 0 };
	int err = shmchan_lane_reader_join(&s.r, &lane, 0, 1,
					   SHMCHAN_FROM_OLDEST, NULL, NULL,
					   NULL);

	if (err == -EAGAIN)
		explorer_cut();
	read_some(&s, 1);
	shmchan_lane_leave(&s.r);
	explorer_note(0, 1);
}

static void late_reader(void)
{
	struct reading s = { .next = 0 };
	int err = shmchan_lane_reader_join(&s.r, &lane, 0, 1, SHMCHAN_FROM_NOW,
					   NULL, NULL, NULL);

	if (err == -EAGAIN)
		explorer_cut();
	explorer_assert(!err, "join says %d", err);
	read_some(&s, 2);
}

/* Looks at a payload where it lies, and asks then whether it was there. */
static void speculator(void)
{
	struct reading s = { .next = 0 };
	const void *data;
	uint64_t word;
	size_t length;
	uint32_t meta;
	uint8_t want[24];
	int err = shmchan_lane_reader_join(&s.r, &lane, 0, 1,
					   SHMCHAN_FROM_OLDEST, NULL, NULL,
					   NULL);

	if (err == -EAGAIN)
		explorer_cut();
	err = shmchan_lane_peek_spec(&s.r, &data, &length, &meta);
	if (err || !length)
		return;
	word = shmchan_load_relaxed((const uint64_t *)data);
	if (!shmchan_lane_still_valid(&s.r)) {
		explorer_cover("not valid any more");
		return;
	}
	explorer_cover("still valid");
	record_fill(meta, want);
	explorer_assert(!memcmp(&word, want, 8), "valid, but wrong bytes");
}

static const char *const passed[] = {
	"passed", "two in a row", "got in late", "nothing there", NULL,
};
static const char *const evicted[] = {
	"passed", "a reader is evicted", "two in a row", NULL,
};
static const char *const held[] = {
	"a reader holds the writer", "two in a row", "got in late", NULL,
};
static const char *const fast[] = { "two in a row", NULL };
static const char *const left[] = {
	"a reader holds the writer", "the writer sends all", NULL,
};
static const char *const late[] = {
	"nothing there", "got in late", NULL,
};
static const char *const looked[] = {
	"still valid", "not valid any more", NULL,
};

const struct explorer_model pass_models[] = {
	{ .name = "join-block", .what = "who joins is held for, or moves on",
	  .thread = { evicter, some_reader }, .setup = setup_block,
	  .arg = 6, .covers = held },
	{ .name = "pass-overwrite", .what = "bytes are valid, losses exact",
	  .thread = { overwriter, some_reader }, .setup = setup_overwrite,
	  .arg = 6, .covers = passed },
	{ .name = "pass-evict", .what = "the same, where readers are evicted",
	  .thread = { evicter, some_reader }, .setup = setup_evict,
	  .arg = 5, .covers = evicted },
	{ .name = "pass-peek", .what = "a look that is valid was right",
	  .thread = { overwriter, speculator }, .setup = setup_overwrite,
	  .arg = 6, .covers = looked },
	{ .name = "join-leave", .what = "who leaves is done with the bytes",
	  .thread = { evicter, leaver }, .setup = setup_block,
	  .arg = 5, .races = 1, .covers = left },
	{ .name = "pass-fast", .what = "records without a slow path between",
	  .thread = { overwriter, some_reader }, .setup = setup_fast,
	  .arg = 3, .covers = fast },
	{ .name = "join-now", .what = "who joins at the end gets what follows",
	  .thread = { evicter, late_reader }, .setup = setup_small,
	  .arg = 6, .covers = late },
	{ .name = NULL },
};
