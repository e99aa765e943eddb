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

static void setup_small(void)
{
	setup_poll();
	record_lengths = LENGTHS_SMALL;
}

/* Room for several runs in an eighth. */
static void setup_wide(void)
{
	lane_capacity = 2ULL * CAPACITY;
	setup_poll();
	lane_capacity = CAPACITY;
}

/* Only the writer ever sleeps in the kernel. */
static void setup_room(void)
{
	setup_poll();
	lane_writer_sleeps = 1;
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

/* Two reservations at once, committed in either order, shorter, or aborted. */
static void reserver(void)
{
	struct writing s = { .next = 0 };
	struct shmchan_reservation a, b;
	uint8_t buf[24];
	unsigned int lost, late, cut;
	int ring;

	writer_attach(&s.w, 1);
	explorer_assert(!shmchan_lane_reserve(&s.w, 8, &a), "no room for a");
	explorer_assert(!shmchan_lane_reserve(&s.w, 24, &b), "no room for b");
	late = explorer_choose(2);	/* which one is committed last */
	lost = explorer_choose(3);	/* ... or aborted, or neither is */
	cut = explorer_choose(2);	/* the second one is filled by half */
	record_fill(0, buf);
	shmchan_lane_fill(&s.w, &a, 0, buf, 8);
	record_fill(lost == 0 ? 0 : 3, buf);
	shmchan_lane_fill(&s.w, &b, 0, buf, lost == 0 || cut ? 8 : 24);
	explorer_note(0, lost << 1 | cut);
	for (ring = 0; ring < 2; ring++) {
		int which = ring == (int)late;

		if ((int)lost == !which)
			shmchan_lane_abort(&s.w, which ? &a : &b);
		else if (which)
			shmchan_lane_commit(&s.w, &a, 8, 0, 0);
		else
			shmchan_lane_commit(&s.w, &b, lost == 0 || cut ? 8 : 24,
					    lost == 0 ? 0 : 3, 0);
	}
	explorer_settle(&s);
	s.next = 4;
	writer_send_all(&s, 6);
	explorer_assert(shmchan_lane_close(&s.w) >= 0, "cannot close");
}

/* What comes of the two, and all that follows. */
static void reserver_reader(void)
{
	struct reading s = { .next = 0 };
	uint64_t seen = 0;
	uint8_t buf[24], want[24];
	size_t length;
	uint32_t meta;
	int err;

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_CURSOR);
	for (;;) {
		err = reader_recv(&s, buf, &length, &meta);
		if (err)
			break;
		record_fill(meta, want);
		explorer_assert(!memcmp(buf, want, length), "wrong bytes");
		explorer_assert(!(seen >> meta), "record %u out of order",
				meta);
		if (meta == 3)
			explorer_cover(length == 8 ? "shortened" : "full");
		seen |= 1ULL << meta;
		explorer_note(1, seen);
	}
	explorer_assert(err == -EPIPE, "the end is %d", err);
}

static void reserver_final(unsigned int stuck)
{
	uint64_t lost = explorer_notes[0] >> 1;

	explorer_assert(!stuck, "threads sleep for ever");
	explorer_assert(explorer_notes[1] == (0x30ULL |
			(lost == 1 ? 1 : lost == 0 ? 1 : 9)),
			"of two reservations came %#llx",
			(unsigned long long)explorer_notes[1]);
}

/* Runs: several payloads behind one header. */
static void run_writer(void)
{
	struct writing s = { .next = 0 };
	uint64_t values[2];
	int ring, sent;

	writer_attach(&s.w, 1);
	while (s.next < (uint64_t)explorer_model->arg) {
		uint64_t pos;

		explorer_settle(&s);
		values[0] = 0x100 + s.next;
		values[1] = 0x101 + s.next;
		pos = shmchan_load_relaxed(&shmchan_lane_cursor(&lane, 0)->pos);
		sent = shmchan_lane_send_n(&s.w, values, 8, 2, 7, 0, &ring);
		if (sent == -EAGAIN) {
			writer_wait_room(&s.w, pos);
			continue;
		}
		explorer_assert(sent > 0, "send_n says %d", sent);
		s.next += (uint64_t)sent;
	}
	explorer_assert(shmchan_lane_close(&s.w) >= 0, "cannot close");
}

static void run_reader(void)
{
	struct reading s = { .next = 0 };
	uint8_t buf[24];
	uint64_t value;
	size_t length;
	uint32_t meta;
	int err;

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_CURSOR);
	while (!(err = reader_recv(&s, buf, &length, &meta))) {
		memcpy(&value, buf, 8);
		explorer_assert(length == 8 && meta == 7 &&
				value == 0x100 + s.next,
				"payload %#llx at %llu",
				(unsigned long long)value,
				(unsigned long long)s.next);
		s.next++;
	}
	explorer_assert(err == -EPIPE &&
			s.next >= (uint64_t)explorer_model->arg,
			"ends with %d after %llu", err,
			(unsigned long long)s.next);
}

/* Several payloads at once, whichever way they were sent. */
static void batch_reader(void)
{
	struct reading s = { .next = 0 };
	uint64_t values[3];
	uint32_t meta;
	int n, i;

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_CURSOR);
	for (;;) {
		explorer_settle(&s);
		n = shmchan_lane_recv_n(&s.r, values, 8, 3, &meta);
		if (n == -EAGAIN) {
			explorer_settle(&s);
			reader_wait(&s.r);
			continue;
		}
		if (n < 0)
			break;
		explorer_assert(meta == 7, "meta %u", meta);
		for (i = 0; i < n; i++)
			explorer_assert(values[i] == 0x100 + s.next + i,
					"payload %#llx at %llu",
					(unsigned long long)values[i],
					(unsigned long long)s.next + i);
		if (n == 3)
			explorer_cover("three at once");
		s.next += (uint64_t)n;
	}
	explorer_assert(n == -EPIPE &&
			s.next >= (uint64_t)explorer_model->arg,
			"ends with %d after %llu", n,
			(unsigned long long)s.next);
}

/* The end of the stream, with a reservation open over old records. */
static void closer(void)
{
	struct writing s = { .next = 0 };
	struct shmchan_reservation a;
	int err;

	writer_attach(&s.w, 1);
	writer_send_all(&s, records());
	explorer_assert(!shmchan_lane_reserve(&s.w, 8, &a), "no room for a");
	err = shmchan_lane_close(&s.w);
	explorer_assert(err >= 0, "close says %d", err);
}

/* A burst: commits with MORE, and one look for sleepers at the end. */
static void burst_writer(void)
{
	struct writing s = { .next = 0 };
	uint8_t buf[24];

	writer_attach(&s.w, 1);
	for (; s.next < records(); s.next++) {
		explorer_settle(&s);
		record_fill((unsigned int)s.next, buf);
		explorer_assert(!shmchan_lane_send(&s.w, buf,
				record_length((unsigned int)s.next),
				(uint32_t)s.next, SHMCHAN_MORE),
				"a send with MORE failed");
	}
	if (shmchan_lane_flush(&s.w))
		kernel_ring(DATA_BELL);
	explorer_note(0, 1);
}

/* No end of stream here: what is committed must arrive by itself. */
static void burst_reader(void)
{
	struct reading s = { .next = 0 };
	uint8_t buf[24];
	size_t length;
	uint32_t meta;

	reader_join(&s.r, 0, 1, SHMCHAN_FROM_CURSOR);
	for (; s.next < records(); s.next++) {
		explorer_assert(!reader_recv(&s, buf, &length, &meta),
				"recv failed");
		explorer_assert(meta == s.next, "record %u", meta);
		record_check(buf, length, meta);
	}
}

static const char *const sleeps[] = {
	"slept and was woken", "changed before it slept", "rings",
	"the reader finds nothing", NULL,
};
static const char *const room[] = {
	"the writer waits for room", "slept and was woken", "rings", NULL,
};
static const char *const full[] = {
	"the writer waits for room", "the reader finds nothing", NULL,
};
static const char *const batches[] = { "three at once", NULL };
static const char *const reserved[] = {
	"the reader finds nothing", "shortened", "full", NULL,
};

const struct explorer_model lane_models[] = {
	{ .name = "lane", .what = "order, exactly once, over the end of the ring",
	  .thread = { writer, reader }, .setup = setup_poll, .arg = 12,
	  .covers = full },
	{ .name = "lane-long", .what = "the same, three times around",
	  .thread = { writer, reader }, .setup = setup_poll, .arg = 28,
	  .deep = 1, .covers = full },
	{ .name = "lane-races", .what = "plain payload never races",
	  .thread = { writer, reader }, .setup = setup_poll, .arg = 9,
	  .races = 1, .covers = full },
	{ .name = "lane-bell", .what = "the reader sleeps: always woken",
	  .thread = { writer, reader }, .setup = setup_hold, .arg = 2,
	  .covers = sleeps },
	{ .name = "lane-bell-long", .what = "the same, more records",
	  .thread = { writer, reader }, .setup = setup_hold, .arg = 5,
	  .deep = 1, .covers = sleeps },
	{ .name = "lane-room", .what = "the writer sleeps: always woken",
	  .thread = { writer, reader }, .setup = setup_room, .arg = 8,
	  .covers = room },
	{ .name = "lane-burst", .what = "a burst: any record of it wakes",
	  .thread = { burst_writer, burst_reader }, .setup = setup_hold,
	  .arg = 3, .covers = sleeps },
	{ .name = "lane-reserve",
	  .what = "two reservations, in any order, cut or aborted",
	  .thread = { reserver, reserver_reader }, .setup = setup_poll,
	  .final = reserver_final, .covers = reserved },
	{ .name = "lane-runs", .what = "runs, over the end of the ring",
	  .thread = { run_writer, run_reader }, .setup = setup_poll, .arg = 10,
	  .covers = full },
	{ .name = "lane-batch", .what = "runs, read several at once",
	  .thread = { run_writer, batch_reader }, .setup = setup_wide,
	  .arg = 6, .covers = batches },
	{ .name = "lane-close", .what = "an end with a reservation open",
	  .thread = { closer, reader }, .setup = setup_small, .arg = 9,
	  .covers = full },
	{ .name = NULL },
};
