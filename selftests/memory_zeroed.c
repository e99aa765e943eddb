// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nobody sees what was in memory before: not of other programs, not of an
 * earlier region, not of whoever held a slot of another one.
 */

#include "../kselftest_harness.h"
#include "test_peer.h"

#define RW	(PROT_READ | PROT_WRITE)
#define ROUNDS	4

FIXTURE(zeroed) {
	struct layout layout;
};

FIXTURE_VARIANT(zeroed) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(zeroed, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(zeroed, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_SETUP(zeroed)
{
	unsigned int i;

	self->layout = layout_default(variant->flags, true);
	/* All that can be shared is: so that all of it can be made dirty. */
	for (i = 0; i < self->layout.nr_windows; i++)
		self->layout.windows[i].slot = SHMCHAN_SLOT_SHARED;
}

FIXTURE_TEARDOWN(zeroed)
{
}

/* Fills free memory with something, and frees it. */
static void dirty_memory(size_t size)
{
	char *p = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	madvise(p, size, MADV_HUGEPAGE);
	memset(p, 0xa5, size);
	munmap(p, size);
}

TEST_F(zeroed, data_and_control)
{
	size_t windows = 4 * folio_size(&self->layout);
	uint64_t control = SHMCHAN_CONTROL_OFFSET(self->layout.data_size);
	char *p, *c;
	int i, fd;

	for (i = 0; i < ROUNDS; i++) {
		dirty_memory(32 << 20);
		fd = create_joined(&self->layout, 0);
		ASSERT_LE(0, fd);
		p = map(fd, 0, self->layout.data_size, PROT_READ);
		c = map(fd, control, self->layout.control_size, PROT_READ);
		ASSERT_NE(MAP_FAILED, p);
		ASSERT_NE(MAP_FAILED, c);
		EXPECT_TRUE(all_bytes(p, self->layout.data_size, 0));
		EXPECT_TRUE(all_bytes(c, self->layout.control_size, 0));
		munmap(p, self->layout.data_size);
		munmap(c, self->layout.control_size);

		p = map(fd, 0, windows, RW);
		c = map(fd, control_at(&self->layout, 0), 4 * PAGE, RW);
		ASSERT_NE(MAP_FAILED, p);
		ASSERT_NE(MAP_FAILED, c);
		memset(p, 0x5a, windows);
		memset(c, 0x5a, 4 * PAGE);
		munmap(p, windows);
		munmap(c, 4 * PAGE);
		close(fd);
	}
}

TEST_F(zeroed, header)
{
	static const size_t lengths[] = { 0, 1, 7, 100, 4095, 4096 };
	struct shmchan_create c;
	char header[4096];
	unsigned int i;
	char *p;

	for (i = 0; i < sizeof(header); i++)
		header[i] = i % 251 + 1;
	for (i = 0; i < COUNT(lengths); i++) {
		dirty_memory(8 << 20);
		c = create_args(&self->layout);
		c.header = ptr(header);
		c.header_len = lengths[i];
		ASSERT_EQ(0, call(open_device(), SHMCHAN_IOC_CREATE, &c));
		ASSERT_LT(0, join(c.fd, 0));
		p = map(c.fd, SHMCHAN_CONTROL_OFFSET(self->layout.data_size),
			PAGE, PROT_READ);
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_EQ(0, memcmp(p, header, lengths[i]));
		EXPECT_TRUE(all_bytes(p + lengths[i], PAGE - lengths[i], 0));
		munmap(p, PAGE);
		close(c.fd);
	}
}

TEST_F(zeroed, status)
{
	struct status s = {};
	unsigned int i;
	char *bytes;
	size_t end;
	int fd;

	self->layout.nr_slots = 100;
	dirty_memory(32 << 20);
	fd = create_joined(&self->layout, 5);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, map_status(fd, &s));
	bytes = (char *)s.head;
	EXPECT_TRUE(all_bytes((void *)s.head->reserved,
			      sizeof(s.head->reserved), 0));
	for (i = 0; i < 100; i++)
		if (i != 5)
			EXPECT_EQ(0, s.slots[i]);
	for (i = 1; i < s.head->nr_doorbells; i++)
		EXPECT_TRUE(all_bytes((void *)&s.bells[i], sizeof(s.bells[i]),
				      0));
	end = s.head->doorbells_offset + 128 * s.head->nr_doorbells;
	EXPECT_TRUE(all_bytes(bytes + end, s.size - end, 0));
	end = s.head->slots_offset + 8 * s.head->nr_slots;
	EXPECT_TRUE(all_bytes(bytes + end, s.head->doorbells_offset - end, 0));
}

/* A slot's next holder finds what the last one left: it is the region's. */
TEST_F(zeroed, not_between_holders)
{
	int fd, next;
	char *p;

	self->layout.windows[0].slot = 0;
	self->layout.name = own_name();
	ASSERT_LE(0, create_region(&self->layout));
	fd = open_joined(self->layout.name, 0);
	ASSERT_LE(0, fd);
	p = map(fd, 0, PAGE, RW);
	ASSERT_NE(MAP_FAILED, p);
	memcpy(p, "kept", 5);
	munmap(p, PAGE);
	close(fd);
	next = open_joined(self->layout.name, 0);
	ASSERT_LE(0, next);
	p = map(next, 0, PAGE, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_STREQ("kept", p);
}

TEST_HARNESS_MAIN
