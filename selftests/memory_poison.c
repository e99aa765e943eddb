// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a region is found broken.  The kernel cannot take it out of the
 * region, so those who come to touch it get SIGBUS; the rest of the region is
 * good.  A page stays poisoned after its region, so this is the last program.
 */

#include "../kselftest_harness.h"

#include "test_window.h"

#ifndef MADV_HWPOISON
#define MADV_HWPOISON	100
#endif

/* In the peer: a page of the shared window breaks. */
static long break_page(long at, long b)
{
	(void)b;
	return madvise(peer_shared + at, PAGE, MADV_HWPOISON) ? -errno : 0;
}

static long peer_probe_read(long at, long b)
{
	(void)b;
	return probe_read(peer_shared + at);
}

TEST_F(memory, poison)
{
	size_t at = folio > PAGE ? PAGE : 0;
	struct peer later;
	long ret;
	char *p;

	memset(self->shared, 0x5a, folio);
	ASSERT_LT(0, peer_call(&self->peer, peer_map, 0, 0));
	ASSERT_EQ(0, peer_call(&self->peer, peer_probe_read, at, 0));
	ret = peer_call(&self->peer, break_page, at, 0);
	if (ret == -EINVAL || ret == -EPERM)
		SKIP(return, "no MADV_HWPOISON: %s", strerror(-ret));
	/* Whose page it was may be told by its end. */
	EXPECT_TRUE(!ret || ret == PEER_DEAD || ret == -EBUSY)
		TH_LOG("madvise: %ld", ret);

	/* A new mapping does not get the page, but all others. */
	p = map(self->fd, FOLIO_SHARED * folio, folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(SIGBUS, probe_read(p + at));
	if (folio > PAGE) {
		EXPECT_TRUE(all_bytes(p, at, 0x5a));
		EXPECT_TRUE(all_bytes(p + at + PAGE, folio - at - PAGE, 0x5a));
		EXPECT_EQ(0, probe_write(p + at + PAGE));
	}
	/* The region goes on: its other windows, its slots, its end. */
	EXPECT_TRUE(intact(self->own));
	peer_kill(&self->peer);
	ASSERT_EQ(0, peer_start(&later));
	EXPECT_LT(0, peer_call(&later, peer_map, 0, 0));
	EXPECT_EQ(SIGBUS, peer_call(&later, peer_probe_read, at, 0));
	peer_kill(&later);
	munmap(p, folio);
}

TEST_HARNESS_MAIN
