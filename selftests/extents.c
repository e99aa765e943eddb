// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a data area is made of: EXTENTS tells the truth, in pages of any size,
 * to everybody who has a capability; physical addresses to root alone.
 */

#include "../kselftest_harness.h"
#include "test_memory.h"
#include "test_peer.h"

#define MOST	4096

FIXTURE(extents) {
	int fd;			/* has joined slot 0 */
	uint64_t size;
	size_t folio;
	unsigned int nr;
	struct shmchan_extent all[MOST];
	struct shmchan_extent some[MOST];
};

FIXTURE_VARIANT(extents) {
	unsigned int flags;
	uint64_t size;
};

FIXTURE_VARIANT_ADD(extents, huge) {
	.flags = 0,
	.size = 32 * MB,
};

FIXTURE_VARIANT_ADD(extents, small) {
	.flags = SHMCHAN_CREATE_SMALL,
	.size = 2 * MB + 4096,
};

/* Memory is in pieces: as after a day of use. */
static void make_holes(void)
{
	size_t size = 16 * MB, at;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	madvise(p, size, MADV_NOHUGEPAGE);
	memset(p, 1, size);
	for (at = 0; at < size; at += 2 * PAGE)
		madvise(p + at, PAGE, MADV_DONTNEED);
}

FIXTURE_SETUP(extents)
{
	struct layout l = layout_shared(variant->size, variant->flags);
	int nr;

	make_holes();
	self->size = variant->size;
	self->folio = folio_size(&l);
	self->fd = create_joined(&l, 0);
	ASSERT_LE(0, self->fd);
	nr = extents(self->fd, self->all, MOST, 0);
	ASSERT_LT(0, nr);
	self->nr = nr;
}

FIXTURE_TEARDOWN(extents)
{
}

/* From the first byte to the last, without gaps, in whole folios. */
TEST_F(extents, cover_the_data)
{
	struct shmchan_query q;
	uint64_t at = 0;
	unsigned int i;

	ASSERT_EQ(0, query(self->fd, &q));
	EXPECT_EQ(self->nr, q.nr_extents);
	for (i = 0; i < self->nr; i++) {
		EXPECT_EQ(at, self->all[i].offset);
		EXPECT_LT(0, self->all[i].length);
		EXPECT_EQ(0, self->all[i].length % self->folio);
		EXPECT_EQ(0, self->all[i].phys);
		EXPECT_EQ(0, self->all[i].reserved);
		at += self->all[i].length;
	}
	EXPECT_EQ(self->size, at);
	TH_LOG("%u extents of %llu KiB", self->nr,
	       (unsigned long long)self->size / 1024);
}

/* As /proc/self/pagemap sees it; and two that touch would be one. */
TEST_F(extents, are_where_they_say)
{
	uint64_t at;
	unsigned int i;
	char *p;

	if (geteuid())
		SKIP(return, "only root may know physical addresses");
	ASSERT_EQ(self->nr, extents(self->fd, self->some, MOST,
				    SHMCHAN_EXTENTS_PHYS));
	p = map(self->fd, 0, self->size, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < self->nr; i++) {
		struct shmchan_extent *e = &self->some[i];

		EXPECT_EQ(self->all[i].offset, e->offset);
		EXPECT_EQ(self->all[i].length, e->length);
		EXPECT_EQ(self->all[i].node, e->node);
		EXPECT_NE(0, e->phys);
		for (at = 0; at < e->length; at += self->folio)
			EXPECT_EQ(0, probe_read(p + e->offset + at));
		EXPECT_TRUE(lies_at(p + e->offset, e->length, e->phys))
			TH_LOG("extent %u", i);
		if (i)
			EXPECT_NE(e[-1].phys + e[-1].length, e->phys);
	}
}

/*
 * 2 MiB folios are taken in batches of 4, 8, 16, ..., and lie in the order of
 * their addresses: so a batch is as few extents as it can be.
 */
TEST_F(extents, are_sorted)
{
	uint64_t batch = 4 * HUGE, begins = 0;
	unsigned int i;

	if (geteuid())
		SKIP(return, "only root may know physical addresses");
	if (self->folio != HUGE)
		SKIP(return, "small folios are taken as they come");
	ASSERT_EQ(self->nr, extents(self->fd, self->some, MOST,
				    SHMCHAN_EXTENTS_PHYS));
	for (i = 1; i < self->nr; i++) {
		while (begins + batch <= self->some[i].offset) {
			begins += batch;
			batch *= 2;
		}
		if (self->some[i].offset != begins)
			EXPECT_LT(self->some[i - 1].phys, self->some[i].phys);
	}
}

TEST_F(extents, pages)
{
	static const unsigned int rooms[] = { 1, 2, 3, 7, EXTENT_PAGE };
	unsigned int i, nr;
	uint64_t start;
	int got;

	for (i = 0; i < COUNT(rooms); i++) {
		start = 0;
		nr = 0;
		memset(self->some, 0x5a, sizeof(self->some));
		while ((got = extents_page(self->fd, &start, self->some + nr,
					   rooms[i], 0)) > 0) {
			nr += got;
			ASSERT_GE(self->nr, nr);
			/* No byte behind what it says it wrote. */
			EXPECT_TRUE(all_bytes(self->some + nr,
					      sizeof(*self->some), 0x5a));
			EXPECT_EQ(start, self->some[nr - 1].offset +
					 self->some[nr - 1].length);
		}
		EXPECT_EQ(0, got);
		EXPECT_EQ(self->size, start);
		EXPECT_EQ(self->nr, nr);
		EXPECT_EQ(0, memcmp(self->all, self->some,
				    nr * sizeof(self->all[0])));
		/* And so again. */
		EXPECT_EQ(0, extents_page(self->fd, &start, self->some, 1, 0));
	}
}

/* From any page on: what comes is what is left. */
TEST_F(extents, from_the_middle)
{
	const struct shmchan_extent *e;
	unsigned int i = 0;
	uint64_t at, start;

	for (at = 0; at < self->size; at += PAGE) {
		while (at >= self->all[i].offset + self->all[i].length)
			i++;
		e = &self->all[i];
		start = at;
		ASSERT_EQ(1, extents_page(self->fd, &start, self->some, 1, 0));
		ASSERT_EQ(at, self->some[0].offset);
		ASSERT_EQ(e->offset + e->length - at, self->some[0].length);
		EXPECT_EQ(e->node, self->some[0].node);
		EXPECT_EQ(e->offset + e->length, start);
	}
}

/* The address that is told is that of the byte where one begins. */
TEST_F(extents, from_the_middle_with_address)
{
	uint64_t start = 0, at;
	struct shmchan_extent first, e;

	if (geteuid())
		SKIP(return, "only root may know physical addresses");
	ASSERT_EQ(1, extents_page(self->fd, &start, &first, 1,
				  SHMCHAN_EXTENTS_PHYS));
	for (at = PAGE; at < first.length; at += 3 * PAGE) {
		start = at;
		ASSERT_EQ(1, extents_page(self->fd, &start, &e, 1,
					  SHMCHAN_EXTENTS_PHYS));
		EXPECT_EQ(first.phys + at, e.phys);
	}
}

TEST_F(extents, of_a_bare_capability)
{
	struct layout l = layout_shared(self->size, variant->flags);
	struct shmchan_query q;
	int fd;

	l.name = own_name();
	ASSERT_LE(0, create_region(&l));
	fd = open_region(l.name, SHMCHAN_RIGHT_WAIT);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, query(fd, &q));
	EXPECT_EQ(q.nr_extents, extents(fd, self->some, MOST, 0));
}

TEST_F(extents, never_change)
{
	char *p = map(self->fd, 0, self->size, PROT_READ | PROT_WRITE);

	ASSERT_NE(MAP_FAILED, p);
	memset(p, 7, self->size);
	if (!geteuid()) {
		write_text("/proc/sys/vm/compact_memory", "1");
		write_text("/proc/sys/vm/drop_caches", "3");
	}
	EXPECT_EQ(self->nr, extents(self->fd, self->some, MOST, 0));
	EXPECT_EQ(0, memcmp(self->all, self->some,
			    self->nr * sizeof(self->all[0])));
	EXPECT_TRUE(all_bytes(p, self->size, 7));
}

/* In a peer: what does a region of its own say? */
static long ask(long size, long flags)
{
	struct shmchan_extent e[8];
	uint64_t start = 0;
	int fd = create_shared(size, 0);
	int got = fd < 0 ? fd : extents_page(fd, &start, e, COUNT(e), flags);

	if (got > 0 && e[0].phys)
		got = -EPROTO;
	close(fd);
	return got;
}

TEST(addresses_are_for_root)
{
	struct peer peer = {};

	if (geteuid())
		SKIP(return, "only root can become others");
	ASSERT_EQ(0, peer_start(&peer));
	/* Root in a namespace of its own is not. */
	ASSERT_EQ(0, peer_call(&peer, peer_become, 1000, 1000));
	EXPECT_LT(0, peer_call(&peer, ask, 8 * MB, 0));
	EXPECT_EQ(-EPERM, peer_call(&peer, ask, 8 * MB, SHMCHAN_EXTENTS_PHYS));
	if (peer_call(&peer, peer_unshare, CLONE_NEWUSER, 0))
		SKIP(return, "cannot make a user namespace");
	EXPECT_LT(0, peer_call(&peer, ask, 8 * MB, 0));
	EXPECT_EQ(-EPERM, peer_call(&peer, ask, 8 * MB, SHMCHAN_EXTENTS_PHYS));
}

TEST(no_data)
{
	struct layout l = layout_default(0, false);
	struct shmchan_extent e;
	struct shmchan_query q;
	uint64_t start = 0;
	int fd = create_region(&l);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, query(fd, &q));
	EXPECT_EQ(0, q.nr_extents);
	EXPECT_EQ(0, extents_page(fd, &start, &e, 1, 0));
}

TEST_HARNESS_MAIN
