// SPDX-License-Identifier: GPL-2.0-only
/*
 * Region memory stays, with what it holds and where it is: nothing that takes
 * pages away from their owners reclaims, migrates or drops it.
 */

#include "../kselftest_harness.h"

#include <linux/mempolicy.h>

#include "test_cgroup.h"
#include "test_window.h"

#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif

/* Pages at the ends and in the middle of a window. */
#define NR_PROBES	3

static size_t probe_at(unsigned int i)
{
	const size_t at[NR_PROBES] = {
		0, folio / 2 & ~(PAGE - 1), folio - PAGE,
	};

	return at[i];
}

/* Where they are; false where that is not told. */
static bool probe_frames(const char *p, uint64_t frames[NR_PROBES])
{
	unsigned int i;

	for (i = 0; i < NR_PROBES; i++)
		frames[i] = frame_of(p + probe_at(i));
	return frames[0];
}

#define expect_frames(frames, p) do {					\
	unsigned int _i;						\
									\
	for (_i = 0; _i < NR_PROBES; _i++)				\
		EXPECT_EQ((frames)[_i], frame_of((p) + probe_at(_i)));	\
	EXPECT_TRUE(intact(p));						\
	if (!variant->flags)						\
		EXPECT_EQ(folio / 1024, smaps_kb(p, "FilePmdMapped"));	\
} while (0)

TEST_F(memory, madvise_keeps_data)
{
	static const int advices[] = {
		MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT, MADV_SEQUENTIAL,
		MADV_RANDOM, MADV_WILLNEED, MADV_NORMAL,
	};
	unsigned int i;

	for (i = 0; i < COUNT(advices); i++) {
		/* Whether they are accepted is the kernel's business. */
		madvise(self->own, folio, advices[i]);
		EXPECT_TRUE(intact(self->own))
			TH_LOG("advice %d", advices[i]);
		madvise(self->own + folio - PAGE, PAGE, advices[i]);
		EXPECT_TRUE(intact(self->own))
			TH_LOG("advice %d of a page", advices[i]);
	}
	EXPECT_EQ(0, madvise(self->own, folio, MADV_DONTNEED));
	EXPECT_EQ(-1, madvise(self->own, folio, MADV_FREE));
	EXPECT_EQ(-1, madvise(self->own, folio, MADV_REMOVE));
	EXPECT_TRUE(intact(self->own));
}

TEST_F(memory, reclaim_and_compaction)
{
	uint64_t frames[NR_PROBES];

	if (!probe_frames(self->own, frames))
		SKIP(return, "frames are told to root only");
	sync();
	EXPECT_EQ(0, write_text("/proc/sys/vm/drop_caches", "3"));
	EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	madvise(self->own, folio, MADV_PAGEOUT);
	EXPECT_EQ(0, write_text("/proc/sys/vm/drop_caches", "3"));
	if (write_text("/proc/sys/vm/compact_memory", "1"))
		EXPECT_EQ(ENOENT, errno);
	expect_frames(frames, self->own);
}

/* Those who ask for a page by its address. */
TEST_F(memory, migration)
{
	unsigned long nodes = 1;
	uint64_t frames[NR_PROBES];
	void *page = self->own;
	int node = 0, status = 0;

	if (!probe_frames(self->own, frames))
		SKIP(return, "frames are told to root only");
	/* They say yes, no or nothing to do; what counts is what they did. */
	syscall(SYS_mbind, self->own, folio, MPOL_BIND, &nodes,
		8 * sizeof(nodes), MPOL_MF_MOVE_ALL);
	syscall(SYS_move_pages, 0, 1, &page, &node, &status, MPOL_MF_MOVE_ALL);
	expect_frames(frames, self->own);
}

/* A page with a corrected error is to be moved away: ours is not. */
TEST_F(memory, soft_offline)
{
	uint64_t frames[NR_PROBES];

	if (!probe_frames(self->own, frames))
		SKIP(return, "frames are told to root only");
	if (!madvise(self->own, PAGE, MADV_SOFT_OFFLINE)) {
		EXPECT_TRUE(false)
			TH_LOG("a page of the region has been soft-offlined");
	} else if (errno == EINVAL) {
		SKIP(return, "a kernel without CONFIG_MEMORY_FAILURE");
	}
	EXPECT_EQ(EBUSY, errno);
	expect_frames(frames, self->own);
}

static char cgroup[CGROUP_PATH];

/* In the peer: a region charged to the cgroup; returns a member's file. */
static long make_charged(long flags, long b)
{
	char *p;
	int fd;

	(void)b;
	layout = layout_default(flags, true);
	folio = folio_size(&layout);
	fd = create_joined(&layout, 0);
	if (fd < 0)
		return fd;
	p = map(fd, FOLIO_OWN * folio, folio, RW);
	if (p == MAP_FAILED)
		return -errno;
	fill_pattern(p);
	peer_own = p;
	return fd;
}

/* Maps and fills memory up to so many bytes of the cgroup. */
static long eat_up_to(long limit, long b)
{
	const size_t step = MB / 4;
	char *p;

	(void)b;
	while (cgroup_current(cgroup) + (long)step < limit) {
		p = mmap(NULL, step, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			return -errno;
		memset(p, 1, step);
	}
	return 0;
}

/* In a peer: the one that is killed when there is no more. */
static long be_the_victim(long a, long b)
{
	(void)a;
	(void)b;
	return write_text("/proc/self/oom_score_adj", "1000");
}

/* In the peer: a cache that can be reclaimed, of the test's disk. */
static long read_disk(long a, long b)
{
	const char *disk = getenv("SHMCHAN_TEST_DISK");
	char buf[4096];
	int fd;

	(void)a;
	(void)b;
	fd = disk ? open(disk, O_RDONLY | O_CLOEXEC) : -1;
	while (fd >= 0 && read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
	return 0;
}

static long ask_frame(long a, long b)
{
	(void)a;
	(void)b;
	return (long)frame_of(peer_own);
}

static long ask_intact(long a, long b)
{
	(void)a;
	(void)b;
	return intact(peer_own);
}

/*
 * Everything else in the cgroup is reclaimed, and somebody killed, before the
 * region loses a page.
 */
TEST_F(memory, pressure)
{
	const long limit = 48 * MB;
	struct peer eater;
	char reclaim[CGROUP_PATH + 32];
	long frame;
	int ret;

	ret = cgroup_make(cgroup, "pressure");
	if (ret) {
		rmdir(cgroup);
		SKIP(return, "no memory cgroup: %s", strerror(-ret));
	}
	/* Peers have what the test had when they were forked. */
	peer_kill(&self->peer);
	ASSERT_EQ(0, peer_start(&self->peer));
	ASSERT_EQ(0, peer_start(&eater));
	ASSERT_EQ(0, cgroup_set(cgroup, "memory.max", limit));
	ASSERT_EQ(0, peer_call(&self->peer, enter_cgroup, (long)cgroup, 0));
	ASSERT_EQ(0, peer_call(&eater, enter_cgroup, (long)cgroup, 0));
	ASSERT_LE(0, peer_call(&self->peer, make_charged, variant->flags, 0));
	frame = peer_call(&self->peer, ask_frame, 0, 0);
	EXPECT_LT(0, frame);

	/* Full, of what can be reclaimed only in part. */
	EXPECT_EQ(0, peer_call(&self->peer, eat_up_to, limit - 8 * MB, 0));
	EXPECT_EQ(0, peer_call(&self->peer, read_disk, 0, 0));
	snprintf(reclaim, sizeof(reclaim), "%s/memory.reclaim", cgroup);
	write_text(reclaim, "16M");
	EXPECT_EQ(0, cgroup_kills(cgroup));
	EXPECT_EQ(1, peer_call(&self->peer, ask_intact, 0, 0));

	/* More than full. */
	EXPECT_EQ(0, peer_call(&eater, be_the_victim, 0, 0));
	EXPECT_EQ(PEER_DEAD, peer_call(&eater, eat_up_to, 1L << 40, 0));
	EXPECT_EQ(1, cgroup_kills(cgroup));
	EXPECT_EQ(frame, peer_call(&self->peer, ask_frame, 0, 0));
	EXPECT_EQ(1, peer_call(&self->peer, ask_intact, 0, 0));

	peer_reap(&eater);
	peer_kill(&self->peer);
	EXPECT_TRUE(eventually(!rmdir(cgroup)));
}

TEST_HARNESS_MAIN
