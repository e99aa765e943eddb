// SPDX-License-Identifier: GPL-2.0-only
/*
 * A window does not grow into its neighbour by mremap(2), of which a driver is
 * not told.  What does no harm still works.
 */

#include "../kselftest_harness.h"
#include "test_peer.h"

#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(mremap) {
	struct layout layout;
	int fd;
	size_t folio;
	char *all;	/* the data area, read only */
	char *room;	/* addresses for a mapping and for its growth */
};

FIXTURE_VARIANT(mremap) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(mremap, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(mremap, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_SETUP(mremap)
{
	char *p;

	self->layout = layout_default(variant->flags, true);
	self->folio = folio_size(&self->layout);
	self->fd = create_joined(&self->layout, 0);
	ASSERT_LE(0, self->fd);
	self->all = map(self->fd, 0, self->layout.data_size, PROT_READ);
	ASSERT_NE(MAP_FAILED, self->all);
	p = mmap(NULL, 16 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, munmap(p, 16 * HUGE));
	self->room = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
}

FIXTURE_TEARDOWN(mremap)
{
}

/* Maps folios where there is room behind them. */
#define map_at(first, nr, prot) ({					\
	char *_p = mmap(self->room, (nr) * self->folio, prot,		\
			MAP_SHARED | MAP_FIXED_NOREPLACE, self->fd,	\
			(first) * self->folio);				\
									\
	ASSERT_EQ(self->room, _p);					\
	_p;								\
})

#define refused(p, old, new, flags) do {				\
	EXPECT_EQ(MAP_FAILED, mremap(p, old, new, flags))		\
		TH_LOG("%zu to %zu, flags %d", (size_t)(old),		\
		       (size_t)(new), (int)(flags));			\
} while (0)

TEST_F(mremap, grow)
{
	char *p = map_at(FOLIO_OWN, 1, RW);

	EXPECT_EQ(0, probe_write(p));
	refused(p, self->folio, 2 * self->folio, 0);
	refused(p, self->folio, self->folio + PAGE, 0);
	refused(p, self->folio, 2 * self->folio, MREMAP_MAYMOVE);
	refused(p, self->folio, 8 * self->folio, MREMAP_MAYMOVE);
	refused(p + self->folio - PAGE, PAGE, 2 * PAGE, 0);
	refused(p + self->folio - PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	EXPECT_EQ(SIGSEGV, probe_write(p + self->folio));
	EXPECT_EQ(0, probe_write(p + self->folio - 1));
	EXPECT_TRUE(all_bytes(self->all + FOLIO_FOREIGN * self->folio,
			      self->folio, 0));
}

/* Not before the first access, not when it was read only, either. */
TEST_F(mremap, grow_untouched)
{
	char *p = map_at(FOLIO_OWN, 1, RW);

	refused(p, self->folio, 2 * self->folio, MREMAP_MAYMOVE);
	munmap(p, self->folio);
	p = map_at(FOLIO_OWN, 1, PROT_READ);
	refused(p, self->folio, 2 * self->folio, 0);
	refused(p, self->folio, 2 * self->folio, MREMAP_MAYMOVE);
	ASSERT_EQ(0, mprotect(p, self->folio, RW));
	refused(p, self->folio, 2 * self->folio, MREMAP_MAYMOVE);
}

/* From the last folio over the end of the area. */
TEST_F(mremap, grow_past_the_end)
{
	char *p = map_at(FOLIO_NOBODY, 1, PROT_READ);

	refused(p, self->folio, 2 * self->folio, 0);
	refused(p, self->folio, 64 * self->folio, MREMAP_MAYMOVE);
	EXPECT_EQ(0, probe_read(p));
}

TEST_F(mremap, control)
{
	char *p = mmap(self->room, PAGE, RW, MAP_SHARED | MAP_FIXED_NOREPLACE,
		       self->fd, control_at(&self->layout, FOLIO_OWN));

	ASSERT_EQ(self->room, p);
	refused(p, PAGE, 2 * PAGE, 0);
	refused(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	EXPECT_EQ(0, probe_write(p));
}

TEST_F(mremap, duplicate)
{
	char *p = map_at(FOLIO_OWN, 1, RW);

	EXPECT_EQ(0, probe_write(p));
	refused(p, 0, self->folio, MREMAP_MAYMOVE);
	refused(p, 0, 2 * self->folio, MREMAP_MAYMOVE);
#ifdef MREMAP_DONTUNMAP
	refused(p, self->folio, self->folio,
		MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
#endif
}

TEST_F(mremap, shrink)
{
	/* Two of the member's: they can be one mapping. */
	char *p = map_at(FOLIO_SHARED, 2, RW);

	memset(p, 3, 2 * self->folio);
	EXPECT_EQ(p, mremap(p, 2 * self->folio, self->folio, 0));
	EXPECT_EQ(SIGSEGV, probe_read(p + self->folio));
	EXPECT_EQ(0, probe_write(p));
	EXPECT_TRUE(all_bytes(p + 1, self->folio - 1, 3));
	EXPECT_TRUE(all_bytes(self->all + FOLIO_OWN2 * self->folio,
			      self->folio, 3));
	refused(p, self->folio, 2 * self->folio, 0);
	refused(p, self->folio, 2 * self->folio, MREMAP_MAYMOVE);
	EXPECT_TRUE(all_bytes(self->all + FOLIO_FOREIGN * self->folio,
			      self->folio, 0));
	/* By a page, which may split a huge entry. */
	if (self->folio > PAGE) {
		EXPECT_EQ(p, mremap(p, self->folio, self->folio - PAGE, 0));
		EXPECT_EQ(SIGSEGV, probe_read(p + self->folio - PAGE));
		EXPECT_EQ(0, probe_write(p + self->folio - PAGE - 1));
		refused(p, self->folio - PAGE, self->folio, 0);
	}
}

TEST_F(mremap, move)
{
	char *p = map_at(FOLIO_OWN, 1, RW);
	char *to = self->room + 4 * HUGE;

	memset(p, 4, self->folio);
	EXPECT_EQ(to, mremap(p, self->folio, self->folio,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to));
	EXPECT_EQ(SIGSEGV, probe_read(p));
	EXPECT_TRUE(all_bytes(to, self->folio, 4));
	memset(to, 5, self->folio);
	EXPECT_TRUE(all_bytes(self->all, self->folio, 5));
	refused(to, self->folio, 2 * self->folio, MREMAP_MAYMOVE);
	/* Moved and larger in one. */
	EXPECT_EQ(MAP_FAILED, mremap(to, self->folio, 2 * self->folio,
				     MREMAP_MAYMOVE | MREMAP_FIXED,
				     self->room + 8 * HUGE));
	EXPECT_EQ(0, probe_read(to));
	/* To where a huge entry does not fit. */
	EXPECT_EQ(p + PAGE, mremap(to, self->folio, self->folio,
				   MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE));
	EXPECT_TRUE(all_bytes(p + PAGE, self->folio, 5));
	/* The member's end finds it there. */
	ASSERT_EQ(0, leave(self->fd));
	EXPECT_EQ(SIGBUS, probe_read(p + PAGE));
	EXPECT_EQ(SIGBUS, probe_write(p + self->folio));
}

TEST_HARNESS_MAIN
