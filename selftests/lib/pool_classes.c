// SPDX-License-Identifier: GPL-2.0-only

/* Pools: several sizes of buffers, and buffers of all sizes. */

#include "pool_fixture.h"

TEST(the_smallest_that_does)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_OWNER, .create = 1,
		.classes = {{ 64, 2 }, { 1000, 1 }, { 5000, 1 }});
	struct shmchan_pool *owner = open_pool("classes", &opts);
	struct shmchan_pool_buf a, b, c, d, e;

	a = alloc_buf(owner, 1);
	CHECK_EQ(a.capacity, 64);
	CHECK_EQ(a.length, 1);
	b = alloc_buf(owner, 64);
	CHECK_EQ(b.capacity, 64);
	c = alloc_buf(owner, 65);
	CHECK_EQ(c.capacity, 1000);
	/* Its class has none left: the next one does. */
	d = alloc_buf(owner, 1);
	CHECK_EQ(d.capacity, 5000);
	CHECK_EQ(shmchan_pool_alloc(owner, 1, &e, 0), -EAGAIN);
	CHECK_EQ(shmchan_pool_alloc(owner, 5001, &e, -1), -EMSGSIZE);
	CHECK_SAYS(shmchan_error_detail(), "5000");
	CHECK_EQ(shmchan_pool_drop(owner, &c), 0);
	CHECK_EQ(shmchan_pool_alloc(owner, 1001, &e, 0), -EAGAIN);
	c = alloc_buf(owner, 2);
	CHECK_EQ(c.capacity, 1000);
	CHECK_EQ(shmchan_pool_drop(owner, &d), 0);
	d = alloc_buf(owner, 5000);
	CHECK_EQ(d.capacity, 5000);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &b), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &c), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &d), 0);
	shmchan_pool_close(owner);
}

/* Each has its own bytes, all of them; all are to be had, and come back. */
static void all_apart(const struct shmchan_pool_opts *opts, const char *tag)
{
	struct shmchan_pool *owner = open_pool(tag, opts), *holder;
	struct shmchan_pool_buf bufs[64], b;
	struct shmchan_pool_ref ref;
	uint32_t n, i, c, round;
	size_t k;

	holder = open_holder(tag);
	for (round = 0; round < 3; round++) {
		n = 0;
		for (c = 0; c < SHMCHAN_POOL_MAX_CLASSES; c++)
			for (i = 0; i < opts->classes[c].nr; i++) {
				bufs[n] = alloc_buf(owner, opts->classes[c].size);
				CHECK_EQ(bufs[n].capacity,
					 opts->classes[c].size);
				CHECK_EQ((uintptr_t)bufs[n].data %
					 SHMCHAN_POOL_ALIGN, 0);
				memset(bufs[n].data, (int)(n + round),
				       bufs[n].length);
				n++;
			}
		CHECK_EQ(shmchan_pool_alloc(owner, 0, &b, 0), -EAGAIN);
		for (i = 0; i < n; i++) {
			ref = ref_of(owner, &bufs[i]);
			CHECK_EQ(shmchan_pool_take(holder, &ref, &b), 0);
			for (k = 0; k < b.length; k++)
				if (((uint8_t *)b.data)[k] !=
				    (uint8_t)(i + round))
					FAIL("byte %zu of buffer %u", k, i);
			CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
			CHECK_EQ(shmchan_pool_drop(owner, &bufs[i]), 0);
		}
	}
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

TEST(all_sizes_apart)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_OWNER, .create = 1,
		.classes = {{ 1, 5 }, { 63, 3 }, { 64, 4 }, { 65, 7 },
			    { 4095, 2 }, { 4096, 3 }, { 4097, 3 },
			    { 100000, 2 }});

	all_apart(&opts, "apart");
}

/* More than 2 MiB of data is made of larger pages. */
TEST(large_ones)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_OWNER, .create = 1,
		.classes = {{ 8, 9 }, { 3000000, 2 }});

	all_apart(&opts, "large");
}

/* Whoever comes first may make it. */
TEST(made_by_a_holder)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = SHMCHAN_POOL_HOLDER, .create = 1, .nr_holders = 2,
		.classes = {{ 64, 2 }});
	struct shmchan_pool *holder = open_pool("first", &opts), *owner;
	struct shmchan_pool_ref ref = { 0, 0, 0, 1 };
	struct shmchan_pool_buf a, b;

	CHECK_EQ(shmchan_pool_region(holder)->slot, 1);
	CHECK_EQ(shmchan_pool_take(holder, &ref, &b), -ESTALE);
	opts.role = SHMCHAN_POOL_OWNER;
	owner = open_pool("first", &opts);
	a = alloc_buf(owner, 64);
	ref = ref_of(owner, &a);
	CHECK_EQ(shmchan_pool_take(holder, &ref, &b), 0);
	shmchan_pool_close(owner);
	shmchan_pool_close(holder);
}

TEST_MAIN
