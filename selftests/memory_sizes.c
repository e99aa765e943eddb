// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes that cannot be: refused, and nothing is held for them.
 */

#include "../kselftest_harness.h"

#include "test_peer.h"

FIXTURE(sizes) {
	struct peer alice;
	int64_t before;
};

FIXTURE_VARIANT(sizes) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(sizes, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(sizes, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

static struct layout layout;

/* Here or in a peer: with data and control areas of these sizes. */
static long create_sizes(long data, long control)
{
	struct layout l = layout;
	int fd;

	l.data_size = data;
	l.control_size = control;
	fd = create_region(&l);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

FIXTURE_SETUP(sizes)
{
	layout = layout_default(variant->flags, false);
	layout.nr_windows = 0;
	self->before = user_bytes();
	ASSERT_EQ(0, peer_start(&self->alice));
}

FIXTURE_TEARDOWN(sizes)
{
	if (self->alice.pid)
		peer_kill(&self->alice);
	EXPECT_TRUE(eventually(self->before == user_bytes()));
}

TEST_F(sizes, nothing)
{
	/* A region may do without data, but not without its header. */
	EXPECT_EQ(0, create_sizes(0, PAGE));
	EXPECT_EQ(-EINVAL, create_sizes(0, 0));
	EXPECT_EQ(-EINVAL, create_sizes(2 * HUGE, 0));
}

TEST_F(sizes, not_whole_folios)
{
	static const long odd[] = { 1, 8, 512, 4095, 4097, 6144 };
	static const long pages[] = { PAGE, HUGE - PAGE, HUGE + PAGE };
	unsigned int i;

	for (i = 0; i < COUNT(odd); i++) {
		EXPECT_EQ(-EINVAL, create_sizes(odd[i], PAGE));
		EXPECT_EQ(-EINVAL, create_sizes(HUGE + odd[i], PAGE));
		EXPECT_EQ(-EINVAL, create_sizes(HUGE, odd[i]));
		EXPECT_EQ(-EINVAL, create_sizes(0, PAGE + odd[i]));
	}
	for (i = 0; i < COUNT(pages); i++)
		EXPECT_EQ(variant->flags ? 0 : -EINVAL,
			  create_sizes(pages[i], PAGE));
}

/* Nobody may have more than there is; users reach their own limit first. */
TEST_F(sizes, more_than_memory)
{
	long memory = sysconf(_SC_PHYS_PAGES) * PAGE;
	const long sizes[] = {
		SHMCHAN_ALIGN_UP(memory, HUGE), 4 * SHMCHAN_ALIGN_UP(memory, HUGE),
		1L << 40, 1L << 50, 1L << 62, LONG_MIN, -(long)HUGE,
	};
	unsigned int i;
	long ret;

	if (geteuid())
		SKIP(return, "only root has no limit of its own");
	ASSERT_EQ(0, peer_call(&self->alice, peer_become, 1000, 1000));
	for (i = 0; i < COUNT(sizes); i++) {
		EXPECT_EQ(-ENOSPC, create_sizes(sizes[i], PAGE))
			TH_LOG("%#lx", sizes[i]);
		EXPECT_EQ(-ENOSPC, create_sizes(0, sizes[i]))
			TH_LOG("%#lx of control", sizes[i]);
		ret = peer_call(&self->alice, create_sizes, sizes[i], PAGE);
		EXPECT_TRUE(ret == -EDQUOT || ret == -ENOSPC)
			TH_LOG("%#lx: %ld", sizes[i], ret);
	}
}

TEST_HARNESS_MAIN
