// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contiguous memory where there is none: what is in the way is moved; what
 * cannot be moved ends the search in time.  A search ends at once with its
 * process, others take turns, and none leaves anything behind.
 */

#include "../kselftest_harness.h"
#include "test_fragment.h"
#include "test_peer.h"

#define CONTIG_MS	PARAMETERS "contig_ms"
#define MIGRATE		PARAMETERS "contig_migrate"
#define SIZE		(192 * MB)
#define LONG_MS		60000	/* more than a search takes */
#define SHORTEST_MS	200	/* a search that can be cut short */

FIXTURE(time) {
	struct fragments fragments;
	char contig_ms[32];
	struct peer peers[4];
	int64_t total;
	int64_t before;
};

FIXTURE_SETUP(time)
{
	unsigned int i;

	if (geteuid() || access(CONTIG_MS, W_OK))
		SKIP(return, "only root may ask for much");
	ASSERT_LT(0, read_text(CONTIG_MS, self->contig_ms,
			       sizeof(self->contig_ms)));
	for (i = 0; i < COUNT(self->peers); i++)
		ASSERT_EQ(0, peer_start(&self->peers[i]));
	ASSERT_EQ(0, set_number(CONTIG_MS, LONG_MS));
	ASSERT_EQ(0, fragment_memory(&self->fragments, 16 * MB));
	self->total = total_bytes();
	self->before = settled_free_bytes();
}

#define kill_all() do {							\
	unsigned int _i;						\
									\
	for (_i = 0; _i < COUNT(self->peers); _i++) {			\
		if (self->peers[_i].pid)				\
			peer_kill(&self->peers[_i]);			\
	}								\
} while (0)

FIXTURE_TEARDOWN(time)
{
	kill_all();
	if (self->contig_ms[0])
		write_text(CONTIG_MS, self->contig_ms);
	write_text(MIGRATE, "Y");
	free_fragments(&self->fragments);
}

/* In a peer, or here. */
static long create_contig(long size, long b)
{
	(void)b;
	return create_shared(size, SHMCHAN_CREATE_CONTIG);
}

/* Returns what CREATE said; how long it took is in @ms. */
static int timed(uint64_t size, unsigned int *ms)
{
	uint64_t start = now_ns();
	int ret = create_contig(size, 0);

	*ms = ms_since(start);
	return ret;
}

/* All that a request had is given back: to the limit, and to the machine. */
#define nothing_kept() do {						\
	EXPECT_TRUE(eventually(total_bytes() == self->total));		\
	EXPECT_TRUE(eventually(free_bytes() >				\
			       self->before - 8 * (int64_t)MB))		\
		TH_LOG("%lld KiB less free",				\
		       (long long)(self->before - free_bytes()) / 1024);\
} while (0)

/* Those who are moved keep what is theirs. */
static bool intact(const struct fragments *f)
{
	size_t at;

	for (at = 0; at < f->size; at += 2 * PAGE)
		if (!all_bytes(f->p + at, PAGE, 1))
			return false;
	return true;
}

/* In a peer: the physical address of its region, or -errno. */
static long create_and_tell(long size, long b)
{
	struct shmchan_extent e;
	uint64_t start = 0;
	int fd = create_contig(size, b);
	int got = fd < 0 ? fd : extents_page(fd, &start, &e, 1,
					     SHMCHAN_EXTENTS_PHYS);

	if (got < 0)
		return got;
	return got == 1 && e.length == (uint64_t)size ? (long)e.phys : -EPROTO;
}

/* Everybody gets his own, or nothing: returns how many got it, or -1. */
static int many_at_once(struct peer *peers, unsigned int nr, long size)
{
	long at[4];
	unsigned int i, k;
	int got = 0;

	for (i = 0; i < nr; i++)
		peer_send(&peers[i], create_and_tell, size, 0);
	for (i = 0; i < nr; i++) {
		at[i] = peer_answer(&peers[i], LONG_MS);
		if (at[i] <= 0 && at[i] != -ENOMEM)
			return -1;
		got += at[i] > 0;
		for (k = 0; at[i] > 0 && k < i; k++)
			if (at[k] > 0 && labs(at[i] - at[k]) < size)
				return -1;
	}
	return got;
}

TEST_F_TIMEOUT(time, others_are_moved, 280)
{
	struct shmchan_query q;
	unsigned int ms;
	long moved;
	int fd, got;

	moved = text_number("/proc/vmstat", "pgmigrate_success ");
	fd = timed(SIZE, &ms);
	ASSERT_LE(0, fd)
		TH_LOG("%s after %u ms", strerror(-fd), ms);
	ASSERT_EQ(0, query(fd, &q));
	EXPECT_EQ(1, q.nr_extents);
	moved = text_number("/proc/vmstat", "pgmigrate_success ") - moved;
	TH_LOG("%ld pages moved in %u ms", moved, ms);
	EXPECT_LT(0, moved);
	EXPECT_TRUE(intact(&self->fragments));
	close(fd);
	nothing_kept();

	got = many_at_once(self->peers, COUNT(self->peers), SIZE / 4);
	TH_LOG("%d of %zu got theirs", got, COUNT(self->peers));
	EXPECT_LT(0, got);
	EXPECT_TRUE(intact(&self->fragments));
	kill_all();
	nothing_kept();
}

/* What is in the way is pinned; there is no such memory, however long. */
TEST_F_TIMEOUT(time, the_search_ends, 500)
{
	unsigned int unlimited, ms;
	uint64_t start;

	ASSERT_EQ(0, pin_fragments(&self->fragments));
	self->before = settled_free_bytes();
	EXPECT_EQ(-ENOMEM, timed(SIZE, &unlimited));
	TH_LOG("without a budget: after %u ms", unlimited);
	nothing_kept();
	if (unlimited < SHORTEST_MS)
		SKIP(return, "that was too fast to be cut short");

	/* What has been begun is not left half done; it is cut short. */
	ASSERT_EQ(0, set_number(CONTIG_MS, unlimited / 8));
	EXPECT_EQ(-ENOMEM, timed(SIZE, &ms));
	TH_LOG("with %u ms: after %u ms", unlimited / 8, ms);
	EXPECT_GT(unlimited / 2, ms);
	nothing_kept();
	ASSERT_EQ(0, set_number(CONTIG_MS, LONG_MS));

	/* Two wait for their turn: that ends as soon as a search does. */
	peer_send(&self->peers[0], create_contig, SIZE, 0);
	usleep(unlimited * 1000 / 8);
	peer_send(&self->peers[1], create_contig, SIZE, 0);
	peer_send(&self->peers[2], create_contig, SIZE, 0);
	usleep(50000);
	start = now_ns();
	peer_kill(&self->peers[2]);
	peer_kill(&self->peers[1]);
	peer_kill(&self->peers[0]);
	ms = ms_since(start);
	TH_LOG("killed: dead after %u ms", ms);
	EXPECT_GT(unlimited / 2, ms);
	nothing_kept();
	EXPECT_TRUE(intact(&self->fragments));
}

TEST_HARNESS_MAIN
