// SPDX-License-Identifier: GPL-2.0-only

/* Pools: lent, taken, dropped, and lent again; to whom, and who has it. */

#include "pool_fixture.h"

TEST(lent_taken_and_dropped)
{
	struct shmchan_pool *owner = open_owner("basic", 1000, 2), *holder;
	struct shmchan_pool_buf a, b;
	struct shmchan_pool_ref ref;

	holder = open_holder("basic");
	a = alloc_buf(owner, 1000);
	CHECK_EQ(a.length, 1000);
	CHECK_EQ(a.capacity, 1000);
	memset(a.data, 7, a.length);
	ref = ref_of(owner, &a);
	CHECK_EQ(ref.offset, 0);
	CHECK_EQ(ref.length, 1000);
	CHECK_EQ(shmchan_pool_take(holder, &ref, &b), 0);
	CHECK_EQ(b.length, 1000);
	CHECK_EQ(((uint8_t *)b.data)[0], 7);
	CHECK_EQ(((uint8_t *)b.data)[999], 7);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	CHECK(!a.data);
	CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

/* Whoever holds a buffer keeps it as it is; when nobody does, it is used again. */
TEST(reused_when_nobody_has_it)
{
	struct shmchan_pool *owner = open_owner("reuse", 64, 1), *holder;
	struct shmchan_pool_buf a, b, c;
	struct shmchan_pool_ref ref;

	holder = open_holder("reuse");
	a = alloc_buf(owner, 64);
	memset(a.data, 1, 64);
	ref = ref_of(owner, &a);
	CHECK_EQ(shmchan_pool_take(holder, &ref, &b), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &c, 0), -EAGAIN);
	CHECK_EQ(((uint8_t *)b.data)[63], 1);
	CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
	c = alloc_buf(owner, 64);
	CHECK_EQ(c.index, ref.index);
	CHECK_EQ(c.lap, ref.lap + 1);
	/* What it was then is no more. */
	CHECK_EQ(shmchan_pool_take(holder, &ref, &b), -ESTALE);
	CHECK_SAYS(shmchan_error_detail(), "lap");
	CHECK(!b.data);
	shmchan_pool_close(owner);
	shmchan_pool_close(holder);
}

/* A reference of a part, where it says, of what it says. */
TEST(parts)
{
	struct shmchan_pool *owner = open_owner("parts", 4096, 1), *holder;
	struct shmchan_pool_buf a, b, part;
	struct shmchan_pool_ref ref;
	int i;

	holder = open_holder("parts");
	a = alloc_buf(owner, 4096);
	for (i = 0; i < 4096; i++)
		((uint8_t *)a.data)[i] = (uint8_t)(i / 16);
	part = a;
	part.data = (uint8_t *)a.data + 160;
	part.length = 16;
	ref = ref_of(owner, &part);
	CHECK_EQ(ref.offset, 160);
	CHECK_EQ(shmchan_pool_take(holder, &ref, &b), 0);
	CHECK_EQ(b.length, 16);
	CHECK_EQ(((uint8_t *)b.data)[0], 10);
	CHECK_EQ(((uint8_t *)b.data)[15], 10);
	CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
	part.length = 4096;
	CHECK_EQ(shmchan_pool_ref(owner, &part, &ref), -EINVAL);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	shmchan_pool_close(owner);
	shmchan_pool_close(holder);
}

TEST(who_has_what)
{
	struct shmchan_pool *owner = open_owner("who", 64, 4), *one, *two;
	struct shmchan_pool_loan loans[4];
	struct shmchan_pool_buf a, b, c, d;
	struct shmchan_pool_ref ref;

	one = open_holder("who");
	two = open_holder("who");
	a = alloc_buf(owner, 64);
	b = alloc_buf(owner, 64);
	CHECK_EQ(shmchan_pool_holders(owner, SHMCHAN_POOL_ALL, loans, 4), 0);
	ref = ref_of(owner, &a);
	CHECK_EQ(shmchan_pool_take(one, &ref, &c), 0);
	CHECK_EQ(shmchan_pool_take(two, &ref, &d), 0);
	ref = ref_of(owner, &b);
	CHECK_EQ(shmchan_pool_take(two, &ref, &b), 0);
	CHECK_EQ(shmchan_pool_holders(owner, SHMCHAN_POOL_ALL, loans, 1), 3);
	CHECK_EQ(shmchan_pool_holders(owner, ref.index, loans, 4), 1);
	CHECK_EQ(loans[0].slot, shmchan_pool_region(two)->slot);
	CHECK_EQ(loans[0].generation, shmchan_pool_region(two)->generation);
	CHECK_EQ(loans[0].index, ref.index);
	CHECK_EQ(loans[0].lap, ref.lap);
	CHECK_EQ(shmchan_pool_holders(one, a.index, loans, 4), 2);
	CHECK_EQ(shmchan_pool_drop(one, &c), 0);
	CHECK_EQ(shmchan_pool_holders(two, a.index, loans, 4), 1);
	CHECK_EQ(loans[0].slot, shmchan_pool_region(two)->slot);
	CHECK_EQ(shmchan_pool_holders(owner, 4, loans, 4), -EINVAL);
	/* Who leaves has dropped all. */
	shmchan_pool_close(two);
	CHECK_EQ(shmchan_pool_holders(owner, SHMCHAN_POOL_ALL, loans, 4), 0);
	shmchan_pool_close(one);
	shmchan_pool_close(owner);
}

/* The owner takes what it is given a reference of. */
TEST(owner_takes_its_own)
{
	struct shmchan_pool *owner = open_owner("own", 64, 1);
	struct shmchan_pool_buf a, b, c;
	struct shmchan_pool_ref ref;

	a = alloc_buf(owner, 64);
	ref = ref_of(owner, &a);
	CHECK_EQ(shmchan_pool_take(owner, &ref, &b), 0);
	CHECK(a.data == b.data);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	CHECK_EQ(shmchan_pool_alloc(owner, 1, &c, 0), -EAGAIN);
	CHECK_EQ(shmchan_pool_drop(owner, &b), 0);
	/* Nobody has asked for it yet. */
	CHECK_EQ(shmchan_pool_take(owner, &ref, &b), 0);
	CHECK_EQ(shmchan_pool_alloc(owner, 1, &c, 0), -EAGAIN);
	CHECK_EQ(shmchan_pool_drop(owner, &b), 0);
	c = alloc_buf(owner, 1);
	CHECK_EQ(shmchan_pool_take(owner, &ref, &b), -ESTALE);
	shmchan_pool_close(owner);
}

/* A look at the cells is paid for by many buffers. */
TEST(looks_are_few)
{
	struct shmchan_pool *owner = open_owner("few", 64, 64), *holder;
	struct shmchan_pool_stats stats;
	struct shmchan_pool_buf a, b, kept[8];
	struct shmchan_pool_ref ref;
	int i;

	holder = open_holder("few");
	for (i = 0; i < 7; i++) {
		a = alloc_buf(owner, 64);
		ref = ref_of(owner, &a);
		CHECK_EQ(shmchan_pool_take(holder, &ref, &kept[i]), 0);
		CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	}
	for (i = 0; i < 1000; i++) {
		a = alloc_buf(owner, 64);
		ref = ref_of(owner, &a);
		CHECK_EQ(shmchan_pool_take(holder, &ref, &b), 0);
		CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
		CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
	}
	shmchan_pool_get_stats(owner, &stats);
	note("%llu cells looked at, in %llu looks",
	     (unsigned long long)stats.cells, (unsigned long long)stats.scans);
	CHECK_GT(stats.scans, 0);
	/* Two looks each, and half of what a look costs is freed by it. */
	CHECK_LE(stats.cells, 2 * 1007 + 64);
	CHECK_EQ(stats.taken, 1007);
	shmchan_pool_close(owner);
	shmchan_pool_close(holder);
}

TEST_MAIN
