// SPDX-License-Identifier: GPL-2.0-only

/* Work queues: threads of one member, over one handle, producers and workers. */

#include <pthread.h>

#include "workq_fixture.h"

#define PRODUCERS	2
#define WORKERS		3
#define ITEMS		20000

static struct shmchan_workq q;
static _Atomic uint8_t done[PRODUCERS][ITEMS];
static _Atomic uint64_t left;

static void *produce(void *arg)
{
	uint64_t me = (uint64_t)(uintptr_t)arg, i, value;

	for (i = 0; i < (uint64_t)HARNESS_ROUNDS(ITEMS - 1); i++) {
		value = me << 32 | i;
		left++;
		CHECK_EQ(shmchan_workq_put(&q, &value, 8, TOLD_NS), 0);
	}
	return NULL;
}

static void *work(void *arg)
{
	struct shmchan_workq_item items[SHMCHAN_WORKQ_MAX_TAKE];
	unsigned int n = 1 + 3 * (unsigned int)(uintptr_t)arg;
	uint64_t value;
	int got, i;

	for (;;) {
		got = shmchan_workq_take_n(&q, items, n, -1);
		CHECK_GT(got, 0);
		for (i = 0; i < got; i++) {
			value = value_of(&items[i]);
			/* The word to end, after all else is done. */
			if (value == ~0ULL) {
				CHECK_EQ(shmchan_workq_ack_n(&q, items + i, 1),
					 0);
				CHECK_EQ(got, 1);
				return NULL;
			}
			CHECK_EQ(items[i].attempts, 1);
			CHECK_EQ(done[value >> 32][(uint32_t)value]++, 0);
			CHECK_EQ(shmchan_workq_ack(&q, &items[i]), 0);
			left--;
		}
	}
}

static void run(uint32_t nr_items)
{
	pthread_t t[PRODUCERS + WORKERS];
	uint64_t begin = now_ns();
	unsigned int i;

	memset((void *)done, 0, sizeof(done));
	open_queue(&q, "threads", nr_items, 0);
	for (i = 0; i < PRODUCERS; i++)
		CHECK(!pthread_create(&t[i], NULL, produce,
				      (void *)(uintptr_t)i));
	for (; i < PRODUCERS + WORKERS; i++)
		CHECK(!pthread_create(&t[i], NULL, work,
				      (void *)(uintptr_t)(i - PRODUCERS)));
	for (i = 0; i < PRODUCERS; i++)
		pthread_join(t[i], NULL);
	while (left && now_ns() - begin < 10 * TOLD_NS)
		sleep_ms(1);
	CHECK_EQ(left, 0);
	for (; i < PRODUCERS + WORKERS; i++) {
		put_value(&q, ~0ULL);
		/* One at a time, so that nobody takes two. */
		while (stat_of(&q).free != nr_items)
			sleep_ms(1);
	}
	for (i = PRODUCERS; i < PRODUCERS + WORKERS; i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < PRODUCERS; i++)
		CHECK_EQ(done[i][HARNESS_ROUNDS(ITEMS - 1) - 1], 1);
	CHECK_EQ(stat_of(&q).redelivered, 0);
	shmchan_workq_close(&q);
}

TEST_LIMIT(threads_of_one_member, 120)
{
	run(128);
}

TEST_LIMIT(threads_in_a_tiny_queue, 120)
{
	run(1);
}

/* What one thread has taken another may acknowledge. */
static void *acknowledge(void *item)
{
	CHECK_EQ(shmchan_workq_ack(&q, item), 0);
	return NULL;
}

TEST(handed_to_another_thread)
{
	struct shmchan_workq_item item;
	pthread_t t;

	open_queue(&q, "hand", 4, 0);
	put_value(&q, 4);
	CHECK_EQ(shmchan_workq_take(&q, &item, 0), 0);
	CHECK(!pthread_create(&t, NULL, acknowledge, &item));
	pthread_join(t, NULL);
	CHECK_EQ(shmchan_workq_ack(&q, &item), -ESTALE);
	CHECK_EQ(stat_of(&q).free, 4);
	shmchan_workq_close(&q);
}

TEST_MAIN
