// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nobody sees what was in memory before: not of other programs, not of an
 * earlier region, not of whoever held a slot of another one.
 */

#include "../kselftest_harness.h"

#include "test_cgroup.h"
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

FIXTURE_VARIANT_ADD(zeroed, contig) {
	.flags = SHMCHAN_CREATE_CONTIG,
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

/* A new region's data and control area: nothing in them. */
#define expect_zeros(fd, l) do {					\
	size_t _data = (l)->data_size, _control = (l)->control_size;	\
	char *_p = map(fd, 0, _data, PROT_READ);			\
	char *_c = map(fd, SHMCHAN_CONTROL_OFFSET(_data), _control,	\
		       PROT_READ);					\
									\
	ASSERT_NE(MAP_FAILED, _p);					\
	ASSERT_NE(MAP_FAILED, _c);					\
	EXPECT_TRUE(all_bytes(_p, _data, 0));				\
	EXPECT_TRUE(all_bytes(_c, _control, 0));			\
	munmap(_p, _data);						\
	munmap(_c, _control);						\
} while (0)

/* All of it that can be written. */
static void fill_region(int fd, const struct layout *l)
{
	size_t windows = 4 * folio_size(l);
	char *p = map(fd, 0, windows, RW);
	char *c = map(fd, control_at(l, 0), 4 * PAGE, RW);

	if (p == MAP_FAILED || c == MAP_FAILED)
		return;
	memset(p, 0x5a, windows);
	memset(c, 0x5a, 4 * PAGE);
	munmap(p, windows);
	munmap(c, 4 * PAGE);
}

TEST_F(zeroed, data_and_control)
{
	int i, fd;

	for (i = 0; i < ROUNDS; i++) {
		dirty_memory(32 << 20);
		fd = create_joined(&self->layout, 0);
		ASSERT_LE(0, fd);
		expect_zeros(fd, &self->layout);
		fill_region(fd, &self->layout);
		close(fd);
	}
}

/* CREATE that ends at any step, with memory that has been written to. */
TEST_F(zeroed, after_failures)
{
	struct layout taken = self->layout;
	struct shmchan_create c;
	char *guarded, *end;
	int i, fd;

	taken.name = own_name();
	ASSERT_LE(0, create_region(&taken));
	guarded = mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, guarded);
	ASSERT_EQ(0, munmap(guarded + PAGE, PAGE));
	memset(guarded, 0x5a, PAGE);
	end = guarded + PAGE;

	for (i = 0; i < ROUNDS; i++) {
		fd = create_joined(&self->layout, 0);
		ASSERT_LE(0, fd);
		fill_region(fd, &self->layout);
		close(fd);

		/* A header of which a part, or nothing, can be read. */
		c = create_args(&self->layout);
		c.header = ptr(end - 100);
		c.header_len = 200;
		EXPECT_EQ(-EFAULT, call(open_device(), SHMCHAN_IOC_CREATE, &c));
		c.header = ptr(end);
		EXPECT_EQ(-EFAULT, call(open_device(), SHMCHAN_IOC_CREATE, &c));
		/* Arrays that end too soon, a name that is there already. */
		c = create_args(&self->layout);
		c.windows = ptr(end - sizeof(struct shmchan_window));
		EXPECT_EQ(-EFAULT, call(open_device(), SHMCHAN_IOC_CREATE, &c));
		EXPECT_EQ(-EEXIST, create_region(&taken));

		fd = create_joined(&self->layout, 0);
		ASSERT_LE(0, fd);
		expect_zeros(fd, &self->layout);
		close(fd);
	}
}

static struct layout in_cgroup;

/* In the peer. */
static long create_in_cgroup(long factor, long b)
{
	struct layout l = in_cgroup;
	int fd;

	(void)b;
	l.data_size *= factor;
	fd = create_region(&l);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

/* The cgroup's limit is met in the middle of the data area. */
TEST_F(zeroed, after_half_a_region)
{
	static char cgroup[CGROUP_PATH];
	struct peer peer = {};
	int ret, i, fd;
	long used;

	in_cgroup = self->layout;
	in_cgroup.nr_windows = 0;
	in_cgroup.data_size *= self->layout.flags & SHMCHAN_CREATE_SMALL ?
			       256 : 1;
	ret = cgroup_make(cgroup, "zeroed");
	if (ret) {
		rmdir(cgroup);
		SKIP(return, "no memory cgroup: %s", strerror(-ret));
	}
	ASSERT_EQ(0, peer_start(&peer));
	ASSERT_EQ(0, peer_call(&peer, enter_cgroup, (long)cgroup, 0));
	ASSERT_EQ(0, peer_call(&peer, create_in_cgroup, 1, 0));
	used = cgroup_current(cgroup);
	ASSERT_EQ(0, cgroup_set(cgroup, "memory.max",
				used + in_cgroup.data_size + HUGE));
	for (i = 0; i < ROUNDS; i++) {
		dirty_memory(32 << 20);
		EXPECT_EQ(-ENOMEM, peer_call(&peer, create_in_cgroup, 3, 0));
		fd = create_joined(&self->layout, 0);
		ASSERT_LE(0, fd);
		expect_zeros(fd, &self->layout);
		fill_region(fd, &self->layout);
		close(fd);
	}
	EXPECT_EQ(0, cgroup_kills(cgroup));
	peer_kill(&peer);
	EXPECT_TRUE(eventually(!rmdir(cgroup)));
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
