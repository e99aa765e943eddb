// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that a region lies on cannot be taken offline: that is refused, soon,
 * and the region does not notice.  Other memory comes and goes as ever.
 */

#include <sys/time.h>

#include "../kselftest_harness.h"

#include "test_window.h"

#define BLOCKS		"/sys/devices/system/memory/"
#define MAX_BLOCKS	256

static long block_size(void)
{
	char text[32];

	if (read_text(BLOCKS "block_size_bytes", text, sizeof(text)) <= 0)
		return 0;
	return strtol(text, NULL, 16);
}

/* Returns 1, 0, or -1 if there is no such block. */
static int online(long block)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), BLOCKS "memory%ld/state", block);
	if (read_text(path, text, sizeof(text)) < 0)
		return -1;
	return !strncmp(text, "online", 6);
}

/* In a peer as well: @state is a text that it had when it was forked. */
static long set_state(long block, long state)
{
	char path[64];

	snprintf(path, sizeof(path), BLOCKS "memory%ld/state", block);
	return write_text(path, (const char *)state);
}

static const char go_offline[] = "offline";
static const char go_online[] = "online";

/*
 * In a process of its own, since an attempt that is not refused may go on for
 * ever; only a signal ends it.  Returns 0, -errno, or PEER_BUSY.
 */
static long offline(long block, unsigned int *ms)
{
	uint64_t start = now_ns();
	struct peer p;
	long ret;

	if (peer_start(&p))
		return -errno;
	peer_send(&p, set_state, block, (long)go_offline);
	ret = peer_answer(&p, PATIENCE_MS);
	*ms = (now_ns() - start) / MSEC;
	peer_kill(&p);
	return ret;
}

/*
 * Some blocks can never go, for what the kernel has there or for holes: EINVAL.
 * Returns whether it was the other one.
 */
#define expect_refused(block) ({					\
	unsigned int _ms = 0;						\
	long _ret;							\
									\
	EXPECT_EQ(1, online(block));					\
	_ret = offline(block, &_ms);					\
	EXPECT_TRUE(_ret == -EBUSY || _ret == -EINVAL)			\
		TH_LOG("block %ld: %ld, after %u ms", block, _ret, _ms); \
	/* Not after it has tried for as long as it could. */		\
	EXPECT_GT(5000, _ms);						\
	EXPECT_EQ(1, online(block));					\
	_ret == -EBUSY;							\
})

#define skip_if_impossible() do {					\
	if (!block_size())						\
		SKIP(return, "no memory hotplug");			\
	if (!frame_of(self->own))					\
		SKIP(return, "frames are told to root only");		\
} while (0)

/* The blocks that so many pages lie on. */
static void add_blocks(const uint64_t *frames, size_t nr, bool *blocks)
{
	size_t per_block = block_size() / PAGE;
	size_t i;

	for (i = 0; i < nr; i++)
		blocks[frames[i] / per_block % MAX_BLOCKS] = true;
}

/* Those that an area of a region lies on. */
static void add_area(int fd, uint64_t at, size_t size, bool *blocks)
{
	uint64_t *frames = calloc(size / PAGE, sizeof(*frames));
	char *p = map(fd, at, size, PROT_READ);

	if (frames && p != MAP_FAILED && frames_of(p, size / PAGE, frames))
		add_blocks(frames, size / PAGE, blocks);
	munmap(p, size);
	free(frames);
}

static void add_region(int fd, bool *blocks)
{
	struct shmchan_query q;

	if (query(fd, &q))
		return;
	add_area(fd, 0, q.data_size, blocks);
	add_area(fd, q.control_offset, q.control_size, blocks);
	add_area(fd, q.status_offset, q.status_size, blocks);
}

/* A region that lies on some blocks, so that one of them could go. */
static int create_wide(const struct layout *small)
{
	uint64_t size = sysconf(_SC_PHYS_PAGES) * PAGE / 3;
	struct layout l = *small;

	if (size > 320 * MB)
		size = 320 * MB;
	l.name = NULL;
	l.data_size = SHMCHAN_ALIGN_UP(size, HUGE);
	l.nr_windows = 1;
	l.windows[0] = (struct shmchan_window) {
		.length = l.data_size,
		.slot = SHMCHAN_SLOT_SHARED,
	};
	return create_joined(&l, 0);
}

/* Writes, or looks for, its own number into each page. */
static bool number_pages(char *p, size_t size, bool write)
{
	size_t at;

	for (at = 0; at < size; at += PAGE)
		if (write)
			*(size_t *)(p + at) = at;
		else if (*(size_t *)(p + at) != at)
			return false;
	return true;
}

TEST_F_TIMEOUT(memory, refused, 120)
{
	bool blocks[MAX_BLOCKS] = {};
	struct shmchan_query q;
	uint64_t *before, *after;
	unsigned int busy = 0;
	size_t size, nr;
	long block;
	char *p;
	int fd;

	skip_if_impossible();
	fd = create_wide(&layout);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, query(fd, &q));
	size = q.data_size;
	nr = size / PAGE;
	p = map(fd, 0, size, RW);
	ASSERT_NE(MAP_FAILED, p);
	before = calloc(nr, sizeof(*before));
	after = calloc(nr, sizeof(*after));
	ASSERT_TRUE(before && after);
	number_pages(p, size, true);
	ASSERT_TRUE(frames_of(p, nr, before));
	add_region(fd, blocks);
	add_region(self->fd, blocks);

	for (block = 0; block < MAX_BLOCKS; block++)
		if (blocks[block])
			busy += expect_refused(block);
	EXPECT_LT(0, busy);
	EXPECT_TRUE(number_pages(p, size, false));
	EXPECT_TRUE(frames_of(p, nr, after));
	EXPECT_EQ(0, memcmp(before, after, nr * sizeof(*before)));
	EXPECT_TRUE(intact(self->own));
	if (!variant->flags)
		EXPECT_EQ(size / 1024, smaps_kb(p, "FilePmdMapped"));

	/* Also where nobody has it mapped. */
	munmap(p, size);
	for (block = 0; block < MAX_BLOCKS; block++)
		if (blocks[block])
			expect_refused(block);
	p = map(fd, 0, size, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(number_pages(p, size, false));
	EXPECT_TRUE(frames_of(p, nr, after));
	EXPECT_EQ(0, memcmp(before, after, nr * sizeof(*before)));
	free(before);
	free(after);
}

/*
 * Where a region lies is up to the kernel, and be it on a bit of each block; but
 * not on those that were offline when it was made.
 */
TEST_F_TIMEOUT(memory, other_blocks, 60)
{
	unsigned int ms, i, nr = 0, went = 0;
	struct layout l = layout;
	long blocks[3], block;
	char *p = MAP_FAILED;
	int fd;

	skip_if_impossible();
	munmap(self->own, folio);
	munmap(self->shared, folio);
	close(self->fd);
	for (block = 0; block < MAX_BLOCKS && nr < COUNT(blocks); block++)
		if (online(block) == 1 && !offline(block, &ms))
			blocks[nr++] = block;
	/* Some may hold memory of the kernel's, but hardly all. */
	ASSERT_LT(0, nr);

	l.name = NULL;
	fd = create_joined(&l, 0);
	if (fd >= 0)
		p = map(fd, FOLIO_OWN * folio, folio, RW);
	if (p != MAP_FAILED)
		fill_pattern(p);
	for (i = 0; i < nr; i++)
		EXPECT_EQ(0, set_state(blocks[i], (long)go_online));
	ASSERT_LE(0, fd);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(intact(p));

	for (i = 0; i < nr; i++) {
		EXPECT_EQ(1, online(blocks[i]));
		/* The kernel may have taken some of it by now. */
		if (offline(blocks[i], &ms))
			continue;
		went++;
		EXPECT_EQ(0, online(blocks[i]));
		EXPECT_TRUE(intact(p));
		EXPECT_EQ(0, set_state(blocks[i], (long)go_online));
		EXPECT_EQ(1, online(blocks[i]));
	}
	EXPECT_LT(0, went);
	EXPECT_TRUE(intact(p));
}

static void interrupt(int signal)
{
	(void)signal;
}

/*
 * Ends an attempt after a second.  Before 6.17 a slab that is on none of its
 * allocator's lists looks as if it could be moved: a block with one is not
 * refused, and tried for ever, with this module or without.
 */
static long try_offline(long block)
{
	const struct itimerval seconds = {
		.it_value.tv_sec = 1,
		.it_interval.tv_sec = 1,
	}, none = {};
	long ret;

	setitimer(ITIMER_REAL, &seconds, NULL);
	ret = set_state(block, (long)go_offline);
	setitimer(ITIMER_REAL, &none, NULL);
	return ret;
}

/* In the peer: all blocks, round and round, for so long. */
static long shake(long ms, long b)
{
	const struct sigaction act = { .sa_handler = interrupt };
	uint64_t until = now_ns() + ms * MSEC;
	long block, went = 0;

	(void)b;
	sigaction(SIGALRM, &act, NULL);
	while (now_ns() < until)
		for (block = 0; block < MAX_BLOCKS; block++) {
			if (now_ns() < until && online(block) == 1)
				try_offline(block);
			if (!online(block))
				went += !set_state(block, (long)go_online);
		}
	return went;
}

/* Regions come and go while memory does. */
TEST_F_TIMEOUT(memory, meanwhile, 180)
{
	struct layout l = layout;
	unsigned int made = 0;
	long answer;
	char *p;
	int fd;

	skip_if_impossible();
	l.name = NULL;
	peer_send(&self->peer, shake, 3000, 0);
	do {
		fd = create_joined(&l, 0);
		if (fd >= 0) {
			p = map(fd, 0, folio, RW);
			ASSERT_NE(MAP_FAILED, p);
			EXPECT_TRUE(all_bytes(p, folio, 0));
			fill_pattern(p);
			EXPECT_TRUE(intact(p));
			munmap(p, folio);
			close(fd);
			made++;
		} else {
			EXPECT_EQ(-ENOMEM, fd);
		}
		EXPECT_TRUE(intact(self->own));
		answer = peer_answer(&self->peer, 0);
	} while (answer == PEER_BUSY);
	EXPECT_LE(0, answer);
	EXPECT_LT(0, made);
	TH_LOG("%ld times offline, %u regions", answer, made);
}

TEST_HARNESS_MAIN
