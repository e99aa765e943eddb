// SPDX-License-Identifier: GPL-2.0-only

/* Lanes: records of any size go through, in order, unchanged. */

#include <sys/uio.h>

#include "lane_fixture.h"

TEST(empty_lane_says_again)
{
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK(!shmchan_lane_pending(&r));
}

TEST(lengths_are_exact)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	size_t n;

	fixture_init(&f, 8192, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (n = 0; n <= 8192 / 4 - 8; n++) {
		CHECK_EQ(send_seed(&w, n, n), 0);
		CHECK(shmchan_lane_pending(&r));
		CHECK_RECV(&r, n, n);
		CHECK_RECV_ERR(&r, -EAGAIN);
	}
	CHECK_EQ(w.records, 8192 / 4 - 8 + 1);
	CHECK_EQ(r.records, w.records);
}

TEST(large_records)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	int i;

	fixture_init(&f, 1 << 20, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (i = 0; i < 40; i++) {
		CHECK_EQ(send_seed(&w, (1 << 18) - 8 - (size_t)i, i), 0);
		CHECK_EQ(send_seed(&w, (1 << 18) - 8 - (size_t)i * 1000, i), 0);
		CHECK_RECV(&r, (1 << 18) - 8 - (size_t)i, i);
		CHECK_RECV(&r, (1 << 18) - 8 - (size_t)i * 1000, i);
	}
}

TEST(bell_is_due_only_if_somebody_sleeps)
{
	struct shmchan_lane_writer w;
	struct shmchan_reservation a;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	CHECK_EQ(shmchan_lane_send(&w, "x", 1, 0, 0), 0);
	f.waiters[0] = 1;
	CHECK_EQ(shmchan_lane_send(&w, "x", 1, 0, SHMCHAN_MORE), 0);
	CHECK_EQ(shmchan_lane_send(&w, "x", 1, 0, 0), 1);
	CHECK_EQ(shmchan_lane_flush(&w), 1);
	CHECK_EQ(shmchan_lane_reserve(&w, 10, &a), 0);
	CHECK_EQ(shmchan_lane_commit(&w, &a, 10, 0, 0), 1);
	f.waiters[0] = 0;
	CHECK_EQ(shmchan_lane_flush(&w), 0);
}

TEST(poll_lane_never_asks_for_a_bell)
{
	struct shmchan_lane_writer w;
	struct fixture f;

	fixture_init(&f, 4096, 1, SHMCHAN_LANE_POLL);
	CHECK_EQ(shmchan_lane_writer_attach(&w, &f.lane, 1, NULL), 0);
	f.waiters[0] = 1;
	CHECK_EQ(shmchan_lane_send(&w, "x", 1, 0, 0), 0);
	CHECK_EQ(shmchan_lane_flush(&w), 0);
}

TEST(too_small_a_buffer_takes_nothing)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint8_t buf[16];
	size_t len = 0;
	uint32_t meta;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(send_seed(&w, 17, 3), 0);
	CHECK_EQ(shmchan_lane_recv(&r, buf, 16, &len, &meta), -EMSGSIZE);
	CHECK_EQ(len, 17);
	CHECK_RECV(&r, 17, 3);
}

TEST(recv_writes_no_more_than_the_payload)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint8_t buf[128];
	size_t n, i, len;
	uint32_t meta;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (n = 0; n < 100; n++) {
		memset(buf, 0xa5, sizeof(buf));
		CHECK_EQ(send_seed(&w, n, n), 0);
		CHECK_EQ(shmchan_lane_recv(&r, buf, sizeof(buf), &len, &meta),
			 0);
		for (i = n; i < sizeof(buf); i++)
			CHECK_EQ(buf[i], 0xa5);
	}
}

TEST(full_lane_says_again_and_goes_on)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint64_t sent = 0, got = 0;
	int round;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (round = 0; round < 50; round++) {
		while (!send_seed(&w, 8 + sent % 50, sent))
			sent++;
		CHECK_EQ(send_seed(&w, 8 + sent % 50, sent), -EAGAIN);
		/* At most the margin, a line, and an eighth are not used. */
		CHECK_GE(sent - got, (4096 - 512 - 512) / 64);
		while (got < sent) {
			CHECK_RECV(&r, 8 + got % 50, got);
			got++;
		}
		CHECK_RECV_ERR(&r, -EAGAIN);
	}
}

TEST(writer_is_told_when_there_is_room)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	int i, sent = 0;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	while (!send_seed(&w, 8, sent))
		sent++;
	f.waiters[1] = 1;
	for (i = 0; i < sent; i++)
		CHECK_RECV(&r, 8, i);
	/* Once for each eighth. */
	CHECK_GE(f.wakes, 6);
	CHECK_LE(f.wakes, 8);
}

TEST(pieces_are_gathered)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct iovec iov[4];
	struct fixture f;
	uint8_t buf[600];
	size_t a, b, len;
	uint32_t meta, flags;

	for (flags = 0; flags <= SHMCHAN_LANE_OVERWRITE; flags++) {
		fixture_init(&f, 4096, 1, flags);
		fixture_writer(&f, &w);
		fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
		for (a = 0; a < 20; a++) {
			for (b = 0; b < 20; b++) {
				fill(buf, a + b + 40, a);
				iov[0].iov_base = buf;
				iov[0].iov_len = a;
				iov[1].iov_base = NULL;
				iov[1].iov_len = 0;
				iov[2].iov_base = buf + a;
				iov[2].iov_len = b;
				iov[3].iov_base = buf + a + b;
				iov[3].iov_len = 40;
				CHECK_EQ(shmchan_lane_sendv(&w, iov, 4, 7, 0),
					 0);
				memset(buf, 0, sizeof(buf));
				CHECK_EQ(shmchan_lane_recv(&r, buf, sizeof(buf),
							   &len, &meta), 0);
				CHECK_EQ(len, a + b + 40);
				CHECK(filled(buf, len, a));
			}
		}
		CHECK_EQ(shmchan_lane_sendv(&w, iov, -1, 0, 0), -EINVAL);
		iov[0].iov_len = SIZE_MAX;
		iov[2].iov_len = 2;
		CHECK_EQ(shmchan_lane_sendv(&w, iov, 4, 0, 0), -EINVAL);
	}
}

static void batches(uint32_t flags, size_t size)
{
	static uint8_t out[64 * 1024], in[64 * 1024];
	uint64_t sent = 0, got = 0, i;
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint32_t meta = 0;
	int n, ring, round;

	fixture_init(&f, 16384, 1, flags);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (round = 0; round < 200; round++) {
		size_t want = 1 + (size_t)round % 70;

		for (i = 0; i < want; i++)
			fill(out + i * size, size, sent + i);
		n = shmchan_lane_send_n(&w, out, size, want, 9, 0, &ring);
		CHECK_GT(n, 0);
		CHECK_EQ(ring, 0);
		sent += (uint64_t)n;
		while (got < sent) {
			n = shmchan_lane_recv_n(&r, in, size,
						1 + (size_t)round % 33, &meta);
			CHECK_GT(n, 0);
			CHECK_EQ(meta, 9);
			for (i = 0; i < (uint64_t)n; i++)
				CHECK(filled(in + i * size, size, got + i));
			got += (uint64_t)n;
		}
		CHECK_EQ(shmchan_lane_recv_n(&r, in, size, 1, &meta), -EAGAIN);
	}
	CHECK_EQ(w.records, sent);
	CHECK_EQ(r.records, sent);
	fixture_free(&f);
}

TEST(batches_of_any_size)
{
	size_t size;

	for (size = 1; size <= 72; size++) {
		batches(0, size);
		batches(SHMCHAN_LANE_OVERWRITE, size);
	}
}

TEST(runs_are_read_singly_too)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	uint64_t values[100], i;
	const void *data;
	struct fixture f;
	uint32_t meta;
	size_t len;
	int ring;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (i = 0; i < 100; i++)
		values[i] = i * i;
	CHECK_EQ(shmchan_lane_send_n(&w, values, 8, 100, 5, 0, &ring), 100);
	for (i = 0; i < 100; i += 2) {
		uint64_t value = 0;

		CHECK_EQ(shmchan_lane_recv(&r, &value, 8, &len, &meta), 0);
		CHECK_EQ(value, i * i);
		CHECK_EQ(shmchan_lane_peek(&r, &data, &len, &meta), 0);
		memcpy(&value, data, 8);
		CHECK_EQ(value, (i + 1) * (i + 1));
		CHECK_EQ(len, 8);
		CHECK_EQ(meta, 5);
		shmchan_lane_release(&r);
	}
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_EQ(r.records, 100);
}

TEST(a_batch_ends_where_meta_or_size_changes)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	uint64_t in[8] = { 0 };
	struct fixture f;
	uint32_t meta = 0;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_EQ(shmchan_lane_send(&w, in, 8, 1, 0), 0);
	CHECK_EQ(shmchan_lane_send(&w, in, 8, 1, 0), 0);
	CHECK_EQ(shmchan_lane_send(&w, in, 8, 2, 0), 0);
	CHECK_EQ(shmchan_lane_send(&w, in, 16, 2, 0), 0);
	CHECK_EQ(shmchan_lane_close(&w), 0);
	CHECK_EQ(shmchan_lane_recv_n(&r, in, 8, 8, &meta), 2);
	CHECK_EQ(meta, 1);
	CHECK_EQ(shmchan_lane_recv_n(&r, in, 8, 8, &meta), 1);
	CHECK_EQ(meta, 2);
	CHECK_EQ(shmchan_lane_recv_n(&r, in, 8, 8, &meta), -EMSGSIZE);
	CHECK_EQ(shmchan_lane_recv_n(&r, in, 16, 4, &meta), 1);
	CHECK_EQ(shmchan_lane_recv_n(&r, in, 16, 4, &meta), -EPIPE);
}

TEST(peeked_records_stay)
{
	const void *data[16];
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;
	uint64_t sent = 0, i;
	uint32_t meta;
	size_t len;
	int round;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	for (round = 0; round < 200; round++) {
		uint64_t first = sent;

		for (i = 0; i < 16; i++)
			CHECK_EQ(send_seed(&w, 33, sent++), 0);
		for (i = 0; i < 16; i++) {
			CHECK_EQ(shmchan_lane_peek(&r, &data[i], &len, &meta),
				 0);
			CHECK_EQ(len, 33);
		}
		/* Held: the writer cannot come round. */
		while (!send_seed(&w, 33, sent))
			sent++;
		for (i = 0; i < 16; i++)
			CHECK(filled(data[i], 33, first + i));
		for (i = first + 16; i < sent; i++)
			CHECK_RECV(&r, 33, i);
		shmchan_lane_release(&r);
		CHECK_EQ(r.nr_held, 0);
	}
}

TEST(end_of_stream)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct shmchan_reservation rsv;
	struct fixture f;
	int sent = 0, i;

	fixture_init(&f, 4096, 1, 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	/* There is room for the end in a lane that is full. */
	while (!send_seed(&w, 8, sent))
		sent++;
	CHECK_EQ(shmchan_lane_close(&w), 0);
	CHECK_EQ(send_seed(&w, 8, 0), -EPIPE);
	CHECK_EQ(shmchan_lane_reserve(&w, 8, &rsv), -EPIPE);
	for (i = 0; i < sent; i++)
		CHECK_RECV(&r, 8, i);
	CHECK_RECV_ERR(&r, -EPIPE);
	CHECK_RECV_ERR(&r, -EPIPE);
	fixture_slot(&f, FIXTURE_WRITER, 1, SHMCHAN_SLOT_LEFT);
	CHECK_RECV_ERR(&r, -EPIPE);
}

TEST(geometry_is_checked)
{
	struct shmchan_lane_geometry good, bad;
	struct shmchan_lane lane;
	struct fixture f;

	fixture_init(&f, 4096, 4, 0);
	good = f.geo;
#define BAD(field, value, says) \
	do { \
		bad = good; \
		bad.field = (value); \
		CHECK_EQ(shmchan_lane_attach(&lane, f.base, f.size, &bad, \
					     f.slots, FIXTURE_SLOTS), \
			 -EINVAL); \
		CHECK_SAYS(shmchan_error_detail(), says); \
	} while (0)
	BAD(capacity, 0, "power of two");
	BAD(capacity, 2048, "power of two");
	BAD(capacity, 4104, "power of two");
	BAD(capacity, 1ULL << 31, "power of two");
	BAD(capacity, 8192, "overlap");
	BAD(capacity, 1ULL << 30, "outside");
	BAD(ring_offset, 8, "multiple");
	BAD(ring_offset, f.size, "outside");
	BAD(ring_offset, 0ULL - 4096, "outside");
	BAD(control_offset, good.control_offset + 8, "multiple");
	BAD(control_offset, 64, "overlap");
	BAD(control_offset, f.size - 64, "outside");
	BAD(control_offset, 0ULL - 64, "outside");
	BAD(cursors_offset, 4, "multiple");
	BAD(cursors_offset, f.size - 64, "outside");
	BAD(cursors_offset, 0ULL - 64, "outside");
	BAD(cursors_offset, good.control_offset, "overlap");
	BAD(cursor_stride, 0, "multiple");
	BAD(cursor_stride, 32, "multiple");
	BAD(cursor_stride, 0xffffffc0, "outside");
	BAD(nr_readers, 1025, "at most");
	BAD(nr_readers, 5, "outside");
	BAD(writer_slot, FIXTURE_SLOTS, "slots");
	BAD(reader_slot, FIXTURE_SLOTS - 3, "slots");
	BAD(reader_slot, 0xffffffff, "slots");
	BAD(flags, 16, "unknown");
	BAD(reserved[1], 1, "unknown");
	BAD(flags, SHMCHAN_LANE_OVERWRITE | SHMCHAN_LANE_HOLD, "exclude");
#undef BAD
	CHECK_EQ(shmchan_lane_attach(NULL, f.base, f.size, &good, NULL, 0),
		 -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "no handle");
	CHECK_EQ(shmchan_lane_attach(&lane, NULL, f.size, &good, NULL, 0),
		 -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "no memory");
	CHECK_EQ(shmchan_lane_attach(&lane, f.base, f.size, NULL, NULL, 0),
		 -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "no geometry");
	CHECK_EQ(shmchan_lane_attach(&lane, f.base + 8, f.size - 8, &good,
				     f.slots, FIXTURE_SLOTS), -EINVAL);
	CHECK_EQ(shmchan_lane_attach(&lane, f.base, f.size, &good, NULL, 0), 0);
}

TEST(lane_without_slots)
{
	struct shmchan_lane_writer w;
	struct shmchan_lane_reader r;
	struct fixture f;

	fixture_init(&f, 4096, 1, 0);
	CHECK_EQ(shmchan_lane_attach(&f.lane, f.base, f.size, &f.geo, NULL, 0),
		 0);
	fixture_writer(&f, &w);
	fixture_reader(&f, &r, 0, SHMCHAN_FROM_OLDEST);
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_EQ(send_seed(&w, 5, 5), 0);
	CHECK_RECV(&r, 5, 5);
	CHECK_RECV_ERR(&r, -EAGAIN);
	CHECK_EQ(shmchan_lane_close(&w), 0);
	CHECK_RECV_ERR(&r, -EPIPE);
	CHECK_RECV_ERR(&r, -EPIPE);
}

TEST_MAIN
