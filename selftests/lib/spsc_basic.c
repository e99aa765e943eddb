// SPDX-License-Identifier: GPL-2.0-only

/* Channels from one sender to one receiver: opening, sending, receiving. */

#include <sys/uio.h>

#include <shmchan/spsc.h>
#include <shmchan/wire.h>

#include "harness.h"

static void open_as(struct shmchan_spsc *ch, const char *tag,
		    enum shmchan_spsc_role role, uint64_t capacity)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1, .capacity = capacity);

	CHECK_EQ(shmchan_spsc_open(ch, test_name(tag), &opts), 0);
}

/* Both ends in one process. */
static void both(struct shmchan_spsc *tx, struct shmchan_spsc *rx,
		 const char *tag, uint64_t capacity)
{
	open_as(tx, tag, SHMCHAN_SENDER, capacity);
	open_as(rx, tag, SHMCHAN_RECEIVER, capacity);
}

TEST(messages_arrive)
{
	struct shmchan_spsc tx, rx;
	struct shmchan_spsc_stats stats;
	char buf[64];
	uint32_t meta;
	size_t len;
	int i;

	both(&tx, &rx, "arrive", 65536);
	CHECK_EQ(shmchan_spsc_recv(&rx, buf, sizeof(buf), &len, &meta, 0),
		 -EAGAIN);
	for (i = 0; i < 10000; i++) {
		CHECK_EQ(shmchan_spsc_send(&tx, "hello", 5, (uint32_t)i, 0, 0),
			 0);
		CHECK_EQ(shmchan_spsc_recv(&rx, buf, sizeof(buf), &len, &meta,
					   0), 0);
		CHECK_EQ(len, 5);
		CHECK_EQ(meta, i);
		CHECK(!memcmp(buf, "hello", 5));
	}
	shmchan_spsc_get_stats(&tx, &stats);
	CHECK_EQ(stats.records, 10000);
	CHECK_GE(stats.bytes, 10000 * 16);
	CHECK_EQ(stats.rings, 0);
	CHECK_EQ(stats.waits, 0);
	shmchan_spsc_get_stats(&rx, &stats);
	CHECK_EQ(stats.records, 10000);
	CHECK_EQ(stats.rings, 0);
	CHECK_EQ(stats.waits, 0);
	CHECK_EQ(stats.epochs, 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_spsc_close(&rx);
	shmchan_spsc_close(NULL);
}

TEST(either_side_may_come_first)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER);
	struct shmchan_spsc tx, rx;
	char buf[8];

	/* Without create it has to be there. */
	CHECK_EQ(shmchan_spsc_open(&rx, test_name("first"), &opts), -ENOENT);
	open_as(&rx, "first", SHMCHAN_RECEIVER, 4096);
	CHECK_EQ(shmchan_spsc_recv(&rx, buf, 8, NULL, NULL, 0), -EAGAIN);
	opts.role = SHMCHAN_SENDER;
	CHECK_EQ(shmchan_spsc_open(&tx, test_name("first"), &opts), 0);
	CHECK_EQ(shmchan_spsc_send(&tx, "x", 1, 0, 0, 0), 0);
	CHECK_EQ(shmchan_spsc_recv(&rx, buf, 8, NULL, NULL, 0), 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
}

TEST(seats_are_for_one)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1);
	struct shmchan_spsc tx, other;

	open_as(&tx, "seat", SHMCHAN_SENDER, 4096);
	CHECK_EQ(shmchan_spsc_open(&other, test_name("seat"), &opts), -EBUSY);
	opts.exclusive = 1;
	CHECK_EQ(shmchan_spsc_open(&other, test_name("seat"), &opts), -EEXIST);
	shmchan_spsc_close(&other);
	shmchan_spsc_close(&tx);
}

TEST(options_are_checked)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(.create = 1);
	struct shmchan_spsc ch;

	/* Of the first version, which ended before wait_ns. */
	opts.size = offsetof(struct shmchan_spsc_opts, wait_ns);
	opts.wait_ns = -1;
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("opts"), &opts), 0);
	shmchan_spsc_close(&ch);
	opts.size--;
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("opts"), &opts), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "SHMCHAN_SPSC_OPTS");
	opts.size = sizeof(opts);
	opts.wait_ns = 0;
	opts.role = (enum shmchan_spsc_role)2;
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("opts"), &opts), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "role");
	opts.role = SHMCHAN_SENDER;
	opts.capacity = (1ULL << 30) + 1;
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("opts"), &opts), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "capacity");
}

TEST(capacities)
{
	static const uint64_t ask[] = { 1, 4096, 5000, 1 << 20, (2 << 20) + 1, 0 };
	static const uint64_t get[] = { 4096, 4096, 8192, 1 << 20, 4 << 20, 0 };
	static uint8_t buf[8 << 20], in[8 << 20];
	struct shmchan_spsc tx, rx;
	unsigned int i;
	size_t len;

	for (i = 0; i < 6; i++) {
		both(&tx, &rx, "capacity", ask[i]);
		if (get[i])
			CHECK_EQ(tx.w.lane.capacity, get[i]);
		else
			CHECK_GE(tx.w.lane.capacity, 1 << 20);
		CHECK_EQ(rx.r.lane.capacity, tx.w.lane.capacity);
		len = tx.w.lane.capacity / 4 - 8;
		memset(buf, (int)i + 1, len);
		CHECK_EQ(shmchan_spsc_send(&tx, buf, len + 1, 0, 0, 0),
			 -EMSGSIZE);
		CHECK_EQ(shmchan_spsc_send(&tx, buf, len, 0, 0, 0), 0);
		CHECK_EQ(shmchan_spsc_recv(&rx, in, sizeof(in), &len, NULL, 0),
			 0);
		CHECK_EQ(len, tx.w.lane.capacity / 4 - 8);
		CHECK(!memcmp(buf, in, len));
		shmchan_spsc_close(&tx);
		shmchan_spsc_close(&rx);
	}
}

TEST(in_place_at_both_ends)
{
	struct shmchan_reservation a, b, c;
	struct shmchan_spsc tx, rx;
	const void *data;
	uint32_t meta;
	size_t len;

	both(&tx, &rx, "place", 4096);
	CHECK_EQ(shmchan_spsc_reserve(&tx, 100, &a, 0), 0);
	CHECK_EQ(shmchan_spsc_reserve(&tx, 100, &b, 0), 0);
	CHECK_EQ(shmchan_spsc_reserve(&tx, 100, &c, 0), 0);
	memcpy(a.data, "first", 5);
	memcpy(c.data, "third", 5);
	CHECK_EQ(shmchan_spsc_commit(&tx, &c, 5, 3, SHMCHAN_MORE), 0);
	CHECK_EQ(shmchan_spsc_peek(&rx, &data, &len, &meta, 0), -EAGAIN);
	CHECK_EQ(shmchan_spsc_commit(&tx, &a, 101, 1, 0), -EINVAL);
	CHECK_EQ(shmchan_spsc_commit(&tx, &a, 5, 1, 0), 0);
	CHECK_EQ(shmchan_spsc_peek(&rx, &data, &len, &meta, 0), 0);
	CHECK(len == 5 && meta == 1 && !memcmp(data, "first", 5));
	CHECK_EQ(shmchan_spsc_peek(&rx, &data, &len, &meta, 0), -EAGAIN);
	CHECK_EQ(shmchan_spsc_abort(&tx, &b), 0);
	CHECK_EQ(shmchan_spsc_peek(&rx, &data, &len, NULL, 0), 0);
	CHECK(len == 5 && !memcmp(data, "third", 5));
	shmchan_spsc_release(&rx);
	CHECK_EQ(shmchan_spsc_flush(&tx), 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
}

TEST(pieces_and_batches)
{
	struct shmchan_spsc tx, rx;
	struct iovec iov[2];
	uint64_t out[500], in[500];
	char buf[16];
	uint32_t meta;
	size_t len;
	int i, n;

	both(&tx, &rx, "batch", 65536);
	iov[0].iov_base = (void *)"ab";
	iov[0].iov_len = 2;
	iov[1].iov_base = (void *)"cde";
	iov[1].iov_len = 3;
	CHECK_EQ(shmchan_spsc_sendv(&tx, iov, 2, 4, 0, 0), 0);
	CHECK_EQ(shmchan_spsc_recv(&rx, buf, sizeof(buf), &len, &meta, 0), 0);
	CHECK(len == 5 && meta == 4 && !memcmp(buf, "abcde", 5));
	for (i = 0; i < 500; i++)
		out[i] = (uint64_t)i * 7;
	CHECK_EQ(shmchan_spsc_send_n(&tx, out, 8, 500, 6, 0), 500);
	for (n = 0; n < 500;) {
		i = shmchan_spsc_recv_n(&rx, in + n, 8, 77, &meta, 0);
		CHECK_GT(i, 0);
		CHECK_EQ(meta, 6);
		n += i;
	}
	CHECK(!memcmp(in, out, sizeof(in)));
	CHECK_EQ(shmchan_spsc_recv_n(&rx, in, 8, 77, NULL, 0), -EAGAIN);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
}

TEST(full_is_again)
{
	struct shmchan_reservation rsv;
	struct shmchan_spsc tx, rx;
	uint64_t value = 0, got = 0;
	int err;

	open_as(&tx, "full", SHMCHAN_SENDER, 4096);
	/* The receiver need not be there. */
	while (!(err = shmchan_spsc_send(&tx, &value, 8, 0, 0, 0)))
		value++;
	CHECK_EQ(err, -EAGAIN);
	CHECK_GE(value, 4096 / 16 - 4);
	CHECK_EQ(shmchan_spsc_reserve(&tx, 8, &rsv, 0), -EAGAIN);
	CHECK_EQ(shmchan_spsc_send_n(&tx, &value, 8, 1, 0, 0), -EAGAIN);
	open_as(&rx, "full", SHMCHAN_RECEIVER, 0);
	for (; value; value--)
		CHECK_EQ(shmchan_spsc_recv(&rx, &got, 8, NULL, NULL, 0), 0);
	CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, 0), 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
}

TEST(something_else_by_that_name)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .create = 1);
	struct shmchan_window windows[3] = {
		{ 0, 4096, 0, 0 },
		{ SHMCHAN_CONTROL_OFFSET(4096) + 4096, 4096, 0, 0 },
		{ SHMCHAN_CONTROL_OFFSET(4096) + 8192, 4096, 1, 0 },
	};
	struct shmchan_doorbell bells[2] = { { 1, 0 }, { 0, 0 } };
	struct shmchan_wire_spsc good = {
		.wire = { SHMCHAN_WIRE_MAGIC, SHMCHAN_WIRE_VERSION,
			  SHMCHAN_WIRE_SPSC, sizeof(good), 0 },
		.data_doorbell = 1, .space_doorbell = 2,
		.lane = {
			.capacity = 4096,
			.control_offset = SHMCHAN_CONTROL_OFFSET(4096) + 4096,
			.cursors_offset = SHMCHAN_CONTROL_OFFSET(4096) + 8192,
			.cursor_stride = 64, .nr_readers = 1,
			.writer_slot = 0, .reader_slot = 1,
			.flags = SHMCHAN_LANE_HOLD,
		},
	}, bad;
	struct shmchan_region_opts ropts = SHMCHAN_REGION_OPTS(
		.flags = SHMCHAN_CREATE_SMALL, .nr_slots = 2,
		.nr_doorbells = 2, .doorbells = bells, .nr_windows = 3,
		.windows = windows, .data_size = 4096,
		.control_size = 3 * 4096, .header = &bad,
		.header_len = sizeof(bad));
	struct shmchan_region *region;
	struct shmchan_spsc ch;
	int i;

	ropts.slot = 0;
	/* As it is, it opens: so what follows fails for its own reason. */
	bad = good;
	CHECK_EQ(shmchan_region_create(&region, test_name("else"), &ropts), 0);
	CHECK_EQ(shmchan_spsc_open(&ch, test_name("else"), &opts), 0);
	shmchan_spsc_close(&ch);
	shmchan_region_close(region);
#define BAD(field, value, says) \
	do { \
		bad = good; \
		bad.field = (value); \
		CHECK_EQ(shmchan_region_create(&region, test_name("else"), \
					       &ropts), 0); \
		CHECK_EQ(shmchan_spsc_open(&ch, test_name("else"), &opts), \
			 -EPROTO); \
		CHECK_SAYS(shmchan_error_detail(), says); \
		shmchan_region_close(region); \
	} while (0)
	BAD(wire.magic, 0, "not a channel");
	BAD(wire.version, 2, "version 2, this program has version 1");
	BAD(wire.kind, 7, "kind 7");
	BAD(wire.length, 8, "8 bytes");
	BAD(data_doorbell, 2, "geometry");
	BAD(space_doorbell, 1, "geometry");
	BAD(lane.capacity, 8192, "wrong areas");
	BAD(lane.capacity, 4097, "power of two");
	BAD(lane.nr_readers, 2, "geometry");
	BAD(lane.flags, SHMCHAN_LANE_OVERWRITE, "geometry");
	BAD(lane.writer_slot, 1, "geometry");
	BAD(lane.ring_offset, SHMCHAN_CONTROL_OFFSET(4096) + 4096, "overlap");
	BAD(lane.cursors_offset, SHMCHAN_CONTROL_OFFSET(4096), "wrong areas");
	BAD(lane.control_offset, 0, "overlap");
#undef BAD
	/* The header is right, the windows are not: no store may fault. */
	bad = good;
	for (i = 0; i < 3; i++) {
		enum shmchan_spsc_role role = i < 2 ? SHMCHAN_SENDER :
						      SHMCHAN_RECEIVER;

		windows[i].slot ^= 1;
		ropts.slot = role ^ 1;
		opts.role = role;
		CHECK_EQ(shmchan_region_create(&region, test_name("else"),
					       &ropts), 0);
		CHECK_EQ(shmchan_spsc_open(&ch, test_name("else"), &opts),
			 -EPROTO);
		CHECK_SAYS(shmchan_error_detail(), "may not write");
		shmchan_region_close(region);
		windows[i].slot ^= 1;
	}
}

TEST_MAIN
