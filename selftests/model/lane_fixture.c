// SPDX-License-Identifier: GPL-2.0-only
/* A tiny lane for models.  See lane_fixture.h. */
#include <string.h>

#include "lane_fixture.h"

struct shmchan_lane lane;
uint64_t lane_capacity = CAPACITY;
int lane_writer_sleeps;
enum record_lengths record_lengths;

void lane_setup(uint32_t flags, uint32_t nr_readers)
{
	struct shmchan_lane_geometry geo = {
		.ring_offset = RING_OFFSET, .capacity = lane_capacity,
		.control_offset = CONTROL_OFFSET,
		.cursors_offset = CURSORS_OFFSET, .cursor_stride = 64,
		.nr_readers = nr_readers, .writer_slot = WRITER_SLOT,
		.reader_slot = READER_SLOT(0), .flags = flags,
	};

	kernel_setup();
	record_lengths = LENGTHS_VARIED;
	lane_writer_sleeps = !(flags & SHMCHAN_LANE_POLL);
	if (shmchan_lane_attach(&lane, explorer_memory, EXPLORER_MEMORY, &geo,
				kernel_slot_word(0), KERNEL_SLOTS))
		explorer_fail("the geometry of the models is refused");
}

uint64_t *lane_ring_word(unsigned int i)
{
	return (uint64_t *)(explorer_memory + RING_OFFSET) +
		i % (CAPACITY / 8);
}

size_t record_length(unsigned int i)
{
	static const size_t lengths[] = { 8, 0, 13, 24 };
	static const size_t raise[] = { 0, 24, 0, 8, 0, 0, 24 };

	if (record_lengths == LENGTHS_RAISE)
		return raise[i % 7];
	if (record_lengths != LENGTHS_VARIED)
		return i && record_lengths == LENGTHS_BIG ? 24 : 8;
	return lengths[i % 4];
}

/* Each word looks like the header of a record of 8 bytes that nobody sent. */
void record_fill(unsigned int i, uint8_t buf[24])
{
	unsigned int k;

	for (k = 0; k < 3; k++) {
		uint64_t word = shmchan_hdr(8, SHMCHAN_HDR_DATA,
					    0x1000 + 16 * i + k);

		memcpy(buf + 8UL * k, &word, 8);
	}
}

void record_check(const uint8_t *buf, size_t length, uint32_t meta)
{
	uint8_t want[24];

	explorer_assert(meta < 0x1000, "bytes of payload taken for a record");
	record_fill(meta, want);
	explorer_assert(length == record_length(meta),
			"record %u has %zu bytes", meta, length);
	explorer_assert(!memcmp(buf, want, length),
			"record %u has wrong bytes", meta);
}

void writer_attach(struct shmchan_lane_writer *w, uint32_t generation)
{
	int err = shmchan_lane_writer_attach(w, &lane, generation,
					     kernel_waiters(DATA_BELL));

	explorer_assert(!err, "writer cannot attach: %d", err);
}

static void wake_writer(void *arg)
{
	(void)arg;
	kernel_ring(ROOM_BELL);
}

void reader_join(struct shmchan_lane_reader *r, uint32_t index,
		 uint32_t generation, enum shmchan_lane_from from)
{
	int poll = !lane_writer_sleeps;
	int err = shmchan_lane_reader_join(r, &lane, index, generation, from,
					   poll ? NULL :
					   kernel_waiters(ROOM_BELL),
					   poll ? NULL : wake_writer, NULL);

	explorer_assert(!err, "reader cannot join: %d", err);
}

/* Sleep until reader 0's cursor moves on from pos, or it dies. */
void writer_wait_room(struct shmchan_lane_writer *w, uint64_t pos)
{
	struct shmchan_lane_cursor *cursor = shmchan_lane_cursor(&lane, 0);
	struct kernel_elem elem[3] = {
		{ &cursor->pos, pos },
		{ kernel_slot_word(READER_SLOT(0)),
		  kernel_slot_value(1, SHMCHAN_SLOT_LIVE) },
		{ &cursor->generation, 1 },
	};
	/* In HOLD lanes nobody leaves. */
	unsigned int n = lane.flags & SHMCHAN_LANE_HOLD ? 2 : 3;

	explorer_cover("the writer waits for room");
	(void)w;
	if (lane_writer_sleeps)
		kernel_wait(ROOM_BELL, 0, elem, n);
	else
		explorer_await_either(&cursor->pos, pos, elem[1].word,
				      elem[1].believed);
}

void writer_send_all(struct writing *s, uint64_t end)
{
	struct shmchan_lane_cursor *cursor = shmchan_lane_cursor(&lane, 0);

	while (s->next < end) {
		unsigned int i = (unsigned int)s->next;
		uint8_t buf[24];
		uint64_t pos = 0;
		int ret;

		explorer_settle(s);
		record_fill(i, buf);
		/* A cursor that does not count cannot hold us either. */
		if (s->w.tail + 72 > s->w.limit)
			pos = shmchan_load_relaxed(&cursor->pos);
		ret = shmchan_lane_send(&s->w, buf, record_length(i), i, 0);
		if (ret == -EAGAIN) {
			writer_wait_room(&s->w, pos);
			continue;
		}
		explorer_assert(ret >= 0, "send says %d", ret);
		if (ret == 1)
			kernel_ring(DATA_BELL);
		s->next++;
	}
	explorer_settle(s);
}

void reader_wait(struct shmchan_lane_reader *r)
{
	uint64_t *word = shmchan_lane__from(r, r->pos);
	uint64_t slot = shmchan_load_relaxed(r->writer_word);
	uint64_t seen = shmchan_load_relaxed(word);
	struct kernel_elem elem[2] = {
		{ word, seen }, { kernel_slot_word(WRITER_SLOT), slot },
	};

	if (shmchan_hdr_committed(seen) ||
	    SHMCHAN_SLOT_WORD_STATE(slot) != SHMCHAN_SLOT_LIVE)
		return;
	if (lane.flags & SHMCHAN_LANE_POLL)
		explorer_await_either(word, seen,
				      kernel_slot_word(WRITER_SLOT), slot);
	else
		kernel_wait(DATA_BELL, r->index, elem, 2);
}

int reader_recv(struct reading *s, uint8_t buf[24], size_t *length,
		uint32_t *meta)
{
	for (;;) {
		int err;

		explorer_settle(s);
		err = shmchan_lane_recv(&s->r, buf, 24, length, meta);
		if (err != -EAGAIN)
			return err;
		explorer_cover("the reader finds nothing");
		explorer_settle(s);
		reader_wait(&s->r);
	}
}

int reader_drain(struct reading *s)
{
	uint8_t buf[24];
	size_t length;
	uint32_t meta;
	int err;

	for (;;) {
		err = reader_recv(s, buf, &length, &meta);
		if (err)
			return err;
		explorer_assert(meta == s->next, "record %u instead of %llu",
				meta, (unsigned long long)s->next);
		record_check(buf, length, meta);
		s->next++;
	}
}
