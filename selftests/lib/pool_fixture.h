/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_POOL_FIXTURE_H
#define SHMCHAN_POOL_FIXTURE_H

/* What the tests of pools share. */

#include <shmchan/pool.h>

#include "spsc_fixture.h"

static inline struct shmchan_pool *
open_pool(const char *tag, const struct shmchan_pool_opts *opts)
{
	struct shmchan_pool *pool = NULL;
	uint64_t begin = now_ns();
	int err;

	/* The seat of somebody who has just died may take a moment. */
	do {
		err = shmchan_pool_open(&pool, test_name(tag), opts);
		if (err == -EBUSY)
			sleep_ms(5);
	} while (err == -EBUSY && now_ns() - begin < TOLD_NS);
	CHECK_EQ(err, 0);
	return pool;
}

/* nr buffers of one size. */
static inline struct shmchan_pool *open_owner(const char *tag, uint64_t size,
					      uint32_t nr)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_OWNER, .create = 1, .nr_holders = 4,
		.nr_cells = 8, .classes = {{ size, nr }});

	return open_pool(tag, &opts);
}

static inline struct shmchan_pool *open_holder(const char *tag)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_HOLDER, .wait_ns = 10 * TOLD_NS);

	return open_pool(tag, &opts);
}

static inline struct shmchan_pool_buf alloc_buf(struct shmchan_pool *pool,
						size_t size)
{
	struct shmchan_pool_buf buf;

	CHECK_EQ(shmchan_pool_alloc(pool, size, &buf, 0), 0);
	return buf;
}

static inline struct shmchan_pool_ref ref_of(const struct shmchan_pool *pool,
					     const struct shmchan_pool_buf *buf)
{
	struct shmchan_pool_ref ref;

	CHECK_EQ(shmchan_pool_ref(pool, buf, &ref), 0);
	return ref;
}

static inline uint64_t nr_free(const struct shmchan_pool *pool)
{
	struct shmchan_pool_stats stats;

	shmchan_pool_get_stats(pool, &stats);
	return stats.free;
}

#endif /* SHMCHAN_POOL_FIXTURE_H */
