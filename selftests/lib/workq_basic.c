// SPDX-License-Identifier: GPL-2.0-only

/* Work queues: put, take, acknowledge; full, empty, in place, in order. */

#include "workq_fixture.h"

TEST(put_take_ack)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	uint64_t i, value;

	open_queue(&q, "basic", 8, 0);
	for (i = 0; i < 100; i++) {
		value = i * i;
		CHECK_EQ(shmchan_workq_put(&q, &value, 8, 0), 0);
		CHECK_EQ(stat_of(&q).ready, 1);
		CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
		CHECK_EQ(value_of(&item), i * i);
		CHECK_EQ(item.attempts, 1);
		CHECK_EQ(stat_of(&q).claimed, 1);
		CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
		CHECK_EQ(stat_of(&q).free, 8);
	}
	CHECK_EQ(stat_of(&q).redelivered, 0);
	shmchan_workq_close(&q);
}

/* One producer, one worker: in the order in which they were put. */
static void in_order(uint32_t nr_items, unsigned int batch)
{
	struct shmchan_workq_item items[SHMCHAN_WORKQ_MAX_TAKE];
	uint64_t put = 0, taken = 0, rnd = 7, n;
	struct shmchan_workq q;
	int round, got, i;

	open_queue(&q, "order", nr_items, 0);
	for (round = 0; round < HARNESS_ROUNDS(2000); round++) {
		rnd = rnd * 6364136223846793005ULL + 1;
		for (n = (rnd >> 33) % (nr_items + 1); n; n--) {
			if (shmchan_workq_put(&q, &put, 8, 0) == -EAGAIN)
				break;
			put++;
		}
		for (n = (rnd >> 40) % (nr_items + 1); n; n--) {
			got = shmchan_workq_take_n(&q, items, batch, 0);
			if (got == -EAGAIN)
				break;
			CHECK_GT(got, 0);
			for (i = 0; i < got; i++)
				CHECK_EQ(value_of(&items[i]), taken + (uint64_t)i);
			taken += (uint64_t)got;
			CHECK_EQ(shmchan_workq_ack_n(&q, items,
						     (unsigned int)got), 0);
		}
		CHECK_EQ(stat_of(&q).ready, put - taken);
	}
	CHECK_GT(taken, nr_items);
	shmchan_workq_close(&q);
}

TEST(order_of_one_and_one)
{
	in_order(1, 1);
	in_order(2, 1);
	in_order(64, 1);
	in_order(256, 1);
	in_order(16, 3);
	in_order(128, 8);
}

TEST(full_and_empty)
{
	struct shmchan_workq_item item, items[4];
	struct shmchan_workq q;
	uint64_t begin, i, v = 9;

	open_queue(&q, "full", 4, 0);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), -EAGAIN);
	begin = now_ns();
	CHECK_EQ(shmchan_workq_take(&q, &item, 20 * MS), -ETIMEDOUT);
	CHECK_GE(now_ns() - begin, 20 * MS);
	for (i = 0; i < 4; i++)
		put_value(&q, i);
	CHECK_EQ(shmchan_workq_put(&q, &v, 8, 0), -EAGAIN);
	CHECK_SAYS(shmchan_error_detail(), "4 items 4 are ready");
	begin = now_ns();
	CHECK_EQ(shmchan_workq_put(&q, &v, 8, 20 * MS), -ETIMEDOUT);
	CHECK_GE(now_ns() - begin, 20 * MS);
	/* What is taken still occupies its place. */
	for (i = 0; i < 4; i++)
		CHECK_EQ(shmchan_workq_take(&q, &items[i], 0), 0);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), -EAGAIN);
	CHECK_EQ(shmchan_workq_put(&q, &v, 8, 0), -EAGAIN);
	CHECK_SAYS(shmchan_error_detail(), "4 claimed");
	CHECK_EQ(shmchan_workq_ack(&q, &items[2]), 0);
	CHECK_EQ(shmchan_workq_put(&q, &v, 8, 0), 0);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	CHECK_EQ(value_of(&item), 9);
	CHECK_EQ(stat_of(&q).high_water, 4);
	shmchan_workq_close(&q);
}

TEST(in_place)
{
	struct shmchan_workq_item a, b, got;
	struct shmchan_workq q;

	open_queue(&q, "place", 4, 0);
	CHECK_EQ(shmchan_workq_reserve(&q, &a, 0), 0);
	CHECK_EQ(shmchan_workq_reserve(&q, &b, 0), 0);
	CHECK_EQ(a.length, 64);
	CHECK_EQ(a.attempts, 0);
	strcpy(a.data, "first");
	strcpy(b.data, "second");
	CHECK_EQ(shmchan_workq_take(&q, &got, 0), -EAGAIN);
	/* What is still being written holds up nobody. */
	CHECK_EQ(shmchan_workq_commit(&q, &b, 7), 0);
	CHECK_EQ(shmchan_workq_take(&q, &got, 0), 0);
	CHECK_EQ(got.length, 7);
	CHECK_STR(got.data, "second");
	CHECK_EQ(shmchan_workq_ack(&q, &got), 0);
	CHECK_EQ(shmchan_workq_commit(&q, &a, 65), -EMSGSIZE);
	CHECK_SAYS(shmchan_error_detail(), "at most 64");
	CHECK_EQ(shmchan_workq_commit(&q, &a, 6), 0);
	CHECK_EQ(shmchan_workq_commit(&q, &a, 6), -ESTALE);
	CHECK_EQ(shmchan_workq_abort(&q, &a), -ESTALE);
	CHECK_EQ(shmchan_workq_take(&q, &got, 0), 0);
	CHECK_STR(got.data, "first");
	CHECK_EQ(shmchan_workq_ack(&q, &got), 0);
	/* An aborted one is not seen, and its place is free. */
	CHECK_EQ(shmchan_workq_reserve(&q, &a, 0), 0);
	CHECK_EQ(stat_of(&q).writing, 1);
	CHECK_EQ(shmchan_workq_abort(&q, &a), 0);
	CHECK_EQ(shmchan_workq_take(&q, &got, 0), -EAGAIN);
	CHECK_EQ(stat_of(&q).free, 4);
	shmchan_workq_close(&q);
}

/* One that is held open for long does not keep order from those behind it. */
TEST(late_commit_is_found)
{
	struct shmchan_workq_item late, got;
	struct shmchan_workq q;
	uint64_t i, v = 1000;

	open_queue(&q, "late", 256, 0);
	CHECK_EQ(shmchan_workq_reserve(&q, &late, 0), 0);
	memcpy(late.data, &v, 8);
	for (i = 0; i < 150; i++)
		put_value(&q, i);
	for (i = 0; i < 120; i++) {
		CHECK_EQ(shmchan_workq_take(&q, &got, 0), 0);
		CHECK_EQ(value_of(&got), i);
		CHECK_EQ(shmchan_workq_ack(&q, &got), 0);
	}
	/* The oldest, once it is there. */
	CHECK_EQ(shmchan_workq_commit(&q, &late, 8), 0);
	CHECK_EQ(shmchan_workq_take(&q, &got, 0), 0);
	CHECK_EQ(value_of(&got), 1000);
	CHECK_EQ(shmchan_workq_take(&q, &got, 0), 0);
	CHECK_EQ(value_of(&got), 120);
	shmchan_workq_close(&q);
}

TEST(empty_items)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	int i;

	open_queue(&q, "nil", 4, 0);
	for (i = 0; i < 10; i++) {
		CHECK_EQ(shmchan_workq_put(&q, NULL, 0, 0), 0);
		CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
		CHECK_EQ(item.length, 0);
		CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	}
	shmchan_workq_close(&q);
}

TEST(nack_gives_back)
{
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	int i;

	open_queue(&q, "nack", 4, 3);
	put_value(&q, 5);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	/* Does not count, as often as one likes. */
	for (i = 0; i < 10; i++) {
		CHECK_EQ(item.attempts, 1);
		CHECK_EQ(shmchan_workq_nack(&q, &item, SHMCHAN_WORKQ_UNCOUNTED),
			 0);
		CHECK_EQ(shmchan_workq_nack(&q, &item, 0), -ESTALE);
		CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	}
	CHECK_EQ(shmchan_workq_nack(&q, &item, 0), 0);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	CHECK_EQ(item.attempts, 2);
	CHECK_EQ(value_of(&item), 5);
	/* What a worker has written into it, the next one sees. */
	memcpy(item.data, &(uint64_t){ 6 }, 8);
	CHECK_EQ(shmchan_workq_nack(&q, &item, 0), 0);
	/* Others first, then that. */
	put_value(&q, 7);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	CHECK_EQ(value_of(&item), 7);
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	CHECK_EQ(value_of(&item), 6);
	CHECK_EQ(item.attempts, 3);
	CHECK_EQ(shmchan_workq_ack(&q, &item), 0);
	CHECK_EQ(stat_of(&q).free, 4);
	CHECK_EQ(stat_of(&q).redelivered, 12);
	shmchan_workq_close(&q);
}

TEST_MAIN
