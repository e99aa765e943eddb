/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_WORKQ_FIXTURE_H
#define SHMCHAN_WORKQ_FIXTURE_H

/* What the tests of work queues share. */

#include <shmchan/workq.h>

#include "harness.h"

#define MS	1000000LL
/* A death is told well within this; the local backend looks every 50 ms. */
#define TOLD_NS	(3000 * MS)

/* With a seat for each of the tests' processes, and some to spare. */
static inline void open_queue(struct shmchan_workq *q, const char *tag,
			      uint32_t nr_items, uint32_t max_attempts)
{
	struct shmchan_workq_opts opts = SHMCHAN_WORKQ_OPTS(
		.create = 1, .nr_items = nr_items, .item_size = 64,
		.nr_members = 16, .max_attempts = max_attempts);
	uint64_t begin = now_ns();
	int err;

	/* The seats of those who have just died may take a moment. */
	do {
		err = shmchan_workq_open(q, test_name(tag), &opts);
		if (err == -EUSERS)
			sleep_ms(5);
	} while (err == -EUSERS && now_ns() - begin < TOLD_NS);
	CHECK_EQ(err, 0);
}

static inline void put_value(struct shmchan_workq *q, uint64_t value)
{
	CHECK_EQ(shmchan_workq_put(q, &value, sizeof(value), TOLD_NS), 0);
}

static inline uint64_t value_of(const struct shmchan_workq_item *item)
{
	uint64_t value;

	CHECK_EQ(item->length, sizeof(value));
	memcpy(&value, item->data, sizeof(value));
	return value;
}

static inline struct shmchan_workq_stat stat_of(struct shmchan_workq *q)
{
	struct shmchan_workq_stat stat;

	CHECK_EQ(shmchan_workq_get_stat(q, &stat), 0);
	CHECK_EQ(stat.free + stat.writing + stat.ready + stat.claimed +
		 stat.dead, stat.nr_items);
	return stat;
}

#endif /* SHMCHAN_WORKQ_FIXTURE_H */
