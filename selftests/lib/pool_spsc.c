// SPDX-License-Identifier: GPL-2.0-only

/* Pools and channels: records of 1 MiB by references of 16 bytes. */

#include "pool_fixture.h"

#define MIB	(1ULL << 20)

static uint64_t sum_of(const void *data, size_t length)
{
	const uint64_t *words = data;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < length / 8; i++)
		sum = sum * 31 + words[i];
	return sum;
}

TEST_LIMIT(by_reference, 60)
{
	const uint64_t count = (uint64_t)HARNESS_ROUNDS(64);
	struct shmchan_pool *owner = open_owner("huge", MIB, 6), *holder;
	struct shmchan_pool_stats stats;
	struct shmchan_pool_buf a;
	struct shmchan_spsc tx, rx;
	uint64_t i, k, sum = 0, seen = 0;
	pid_t pid;

	(void)test_name("");
	pid = child_fork();
	if (!pid) {
		holder = open_holder("huge");
		open_as(&rx, "hugelane", SHMCHAN_RECEIVER, 4096, 0);
		for (i = 0;; i++) {
			int err = shmchan_pool_recv_spsc(holder, &rx, &a, NULL,
							 -1);

			if (err == -EPIPE)
				break;
			CHECK_EQ(err, 0);
			CHECK_EQ(a.length, MIB);
			seen += sum_of(a.data, a.length);
			CHECK_EQ(shmchan_pool_drop(holder, &a), 0);
		}
		CHECK_EQ(i, count);
		for (i = 0; i < count; i++) {
			uint64_t *words = malloc(MIB);

			for (k = 0; k < MIB / 8; k++)
				words[k] = i * MIB + k;
			sum += sum_of(words, MIB);
			free(words);
		}
		CHECK(sum == seen);
		shmchan_spsc_close(&rx);
		shmchan_pool_close(holder);
		child_done();
	}
	open_as(&tx, "hugelane", SHMCHAN_SENDER, 4096, 0);
	for (i = 0; i < count; i++) {
		CHECK_EQ(shmchan_pool_alloc(owner, MIB, &a, -1), 0);
		for (k = 0; k < MIB / 8; k++)
			((uint64_t *)a.data)[k] = i * MIB + k;
		CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &a, 0, 0, -1), 0);
		CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	}
	CHECK_EQ(shmchan_pool_flush(owner, -1), 0);
	CHECK_EQ(shmchan_pool_in_flight(owner), 0);
	shmchan_spsc_close(&tx);
	CHECK_CHILD_OK(pid);
	shmchan_pool_get_stats(owner, &stats);
	CHECK_EQ(stats.taken, count);
	CHECK_EQ(stats.owned, 0);
	/* All come back: nobody has any. */
	for (i = 0; i < 6; i++)
		a = alloc_buf(owner, MIB);
	shmchan_pool_close(owner);
}

/* One buffer through two channels, and several times through one. */
TEST(sent_more_than_once)
{
	struct shmchan_pool *owner = open_owner("twice", 64, 1), *holder;
	struct shmchan_pool_buf a, b[3];
	struct shmchan_spsc tx[2], rx[2];
	int i;

	holder = open_holder("twice");
	for (i = 0; i < 2; i++) {
		open_as(&tx[i], i ? "l1" : "l0", SHMCHAN_SENDER, 4096, -1);
		open_as(&rx[i], i ? "l1" : "l0", SHMCHAN_RECEIVER, 4096, -1);
	}
	a = alloc_buf(owner, 64);
	for (i = 0; i < 3; i++)
		CHECK_EQ(shmchan_pool_send_spsc(owner, &tx[i % 2], &a, 0, 0, 0),
			 0);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(shmchan_pool_in_flight(owner), 3 - i);
		CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 0), -EAGAIN);
		CHECK_EQ(shmchan_pool_recv_spsc(holder, &rx[i % 2], &b[i],
						NULL, 0), 0);
	}
	CHECK_EQ(shmchan_pool_in_flight(owner), 0);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 0), -EAGAIN);
		CHECK_EQ(shmchan_pool_drop(holder, &b[i]), 0);
	}
	a = alloc_buf(owner, 64);
	for (i = 0; i < 2; i++) {
		shmchan_spsc_close(&tx[i]);
		shmchan_spsc_close(&rx[i]);
	}
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

/* More in flight than it was made for at first. */
TEST(many_in_flight)
{
	struct shmchan_pool *owner = open_owner("many", 8, 100), *holder;
	struct shmchan_pool_buf a, b;
	struct shmchan_spsc tx, rx;
	uint64_t value;
	int round, i;

	holder = open_holder("many");
	open_as(&tx, "many2", SHMCHAN_SENDER, 4096, -1);
	open_as(&rx, "many2", SHMCHAN_RECEIVER, 4096, -1);
	for (round = 0; round < 5; round++) {
		for (i = 0; i < 100; i++) {
			a = alloc_buf(owner, 8);
			value = (uint64_t)i;
			memcpy(a.data, &value, 8);
			CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &a, 0, 0,
							0), 0);
			CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
		}
		CHECK_EQ(shmchan_pool_alloc(owner, 8, &a, 0), -EAGAIN);
		for (i = 0; i < 100; i++) {
			CHECK_EQ(shmchan_pool_recv_spsc(holder, &rx, &b, NULL,
							0), 0);
			memcpy(&value, b.data, 8);
			CHECK_EQ(value, i);
			CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
		}
	}
	CHECK_EQ(shmchan_pool_in_flight(owner), 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

/*
 * The receiver dies with references in flight.  Its successor finds them as they
 * were; or the sender, who does not wait for one, calls them back.
 */
TEST(receiver_dies_with_some_in_flight)
{
	struct shmchan_pool *owner = open_owner("fly", 64, 4), *holder;
	struct shmchan_pool_buf a, b;
	struct shmchan_spsc tx, rx;
	_Atomic int *got = shared_alloc(sizeof(*got));
	int i, err;
	pid_t pid;

	open_as(&tx, "fly2", SHMCHAN_SENDER, 4096, -1);
	for (i = 0; i < 4; i++) {
		a = alloc_buf(owner, 64);
		memset(a.data, 'a' + i, 64);
		CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &a, 0, 0, 0), 0);
		CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	}
	pid = child_fork();
	if (!pid) {
		holder = open_holder("fly");
		open_as(&rx, "fly2", SHMCHAN_RECEIVER, 4096, -1);
		CHECK_EQ(shmchan_pool_recv_spsc(holder, &rx, &b, NULL, -1), 0);
		*got = 1;
		for (;;)
			sleep_ms(1000);
	}
	while (!*got)
		sleep_ms(1);
	child_kill(pid);
	/* What it had taken comes back, and no more. */
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, TOLD_NS), 0);
	CHECK_EQ(a.index, 0);
	CHECK_EQ(shmchan_pool_in_flight(owner), 3);
	holder = open_holder("fly");
	open_as(&rx, "fly2", SHMCHAN_RECEIVER, 4096, -1);
	CHECK_EQ(shmchan_pool_recv_spsc(holder, &rx, &b, NULL, 0), 0);
	CHECK_EQ(((char *)b.data)[63], 'b');
	CHECK_EQ(shmchan_pool_flush(owner, 0), -EAGAIN);
	CHECK_EQ(shmchan_pool_flush(owner, 20 * MS), -ETIMEDOUT);
	CHECK_EQ(shmchan_pool_recall(owner, &tx.w), 2);
	CHECK_EQ(shmchan_pool_flush(owner, 0), 0);
	a = alloc_buf(owner, 64);
	a = alloc_buf(owner, 64);
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 0), -EAGAIN);
	for (i = 0; i < 2; i++) {
		err = shmchan_pool_recv_spsc(holder, &rx, &a, NULL, 0);
		CHECK_EQ(err, -ESTALE);
	}
	CHECK_EQ(((char *)b.data)[63], 'b');
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

/* Lanes with readers that come and go: those that are there count. */
TEST(lanes_of_many_readers)
{
	struct shmchan_pool *owner = open_owner("lanes", 64, 2);
	uint8_t *mem = shared_alloc(16 << 10);
	struct shmchan_lane_geometry geo = {
		.ring_offset = 0, .capacity = 4096, .control_offset = 4096,
		.cursors_offset = 8192, .cursor_stride = 64, .nr_readers = 2,
		.reader_slot = 1,
	};
	struct shmchan_lane_reader r[2];
	struct shmchan_lane_writer w;
	struct shmchan_pool_ref ref;
	struct shmchan_pool_buf a, b;
	struct shmchan_lane lane;
	uint32_t waiters = 0, meta;
	const void *data;
	size_t length;
	int i;

	CHECK_EQ(shmchan_lane_attach(&lane, mem, 16 << 10, &geo, NULL, 0), 0);
	CHECK_EQ(shmchan_lane_writer_attach(&w, &lane, 1, &waiters), 0);
	for (i = 0; i < 2; i++)
		CHECK_EQ(shmchan_lane_reader_join(&r[i], &lane, (uint32_t)i, 1,
						  SHMCHAN_FROM_OLDEST, &waiters,
						  NULL, NULL), 0);
	a = alloc_buf(owner, 64);
	ref = ref_of(owner, &a);
	CHECK_EQ(shmchan_lane_send(&w, &ref, sizeof(ref), 0, 0), 0);
	CHECK_EQ(shmchan_pool_sent(owner, &w, &a), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	for (i = 0; i < 2; i++) {
		CHECK_EQ(shmchan_pool_in_flight(owner), 1);
		CHECK_EQ(shmchan_lane_peek(&r[i], &data, &length, &meta), 0);
		CHECK_EQ(shmchan_lane_release(&r[i]), 0);
		shmchan_lane_publish(&r[i]);
	}
	CHECK_EQ(shmchan_pool_in_flight(owner), 0);
	/* One leaves: it does not count any more. */
	a = alloc_buf(owner, 64);
	CHECK_EQ(shmchan_lane_send(&w, &ref, sizeof(ref), 0, 0), 0);
	CHECK_EQ(shmchan_pool_sent(owner, &w, &a), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	CHECK_EQ(shmchan_lane_peek(&r[0], &data, &length, &meta), 0);
	CHECK_EQ(shmchan_lane_release(&r[0]), 0);
	shmchan_lane_publish(&r[0]);
	CHECK_EQ(shmchan_pool_in_flight(owner), 1);
	shmchan_lane_leave(&r[1]);
	CHECK_EQ(shmchan_pool_in_flight(owner), 0);
	a = alloc_buf(owner, 64);
	b = alloc_buf(owner, 64);
	CHECK_NE(a.index, b.index);
	shmchan_pool_close(owner);
}

TEST_MAIN
