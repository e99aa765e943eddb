// SPDX-License-Identifier: GPL-2.0-only
/*
 * A large region: all of it mapped by 2 MiB entries, one fault each.  1 GiB
 * where there is room, else what fits.  And words of it all can be waited for,
 * wherever they lie.
 */

#include "../kselftest_harness.h"

#include <sys/resource.h>

#include "test_memory.h"
#include "test_smaps.h"

#define RW	(PROT_READ | PROT_WRITE)
#define MIB	(1ULL << 20)

#define LARGEST		(1024 * MIB)
#define SMALLEST	(256 * MIB)
#define STEP		(64 * MIB)

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* Every page of it; returns how many faults that took. */
static long touch(volatile char *p, uint64_t size, bool write)
{
	long before = minor_faults();
	uint64_t at;

	for (at = 0; at < size; at += PAGE)
		if (write)
			p[at] = 1;
		else
			(void)p[at];
	return minor_faults() - before;
}

/*
 * A member of the largest region there is room for, and its size; on the first
 * two nodes by turns, or wherever there is room.
 */
static int create_large(uint64_t *size, bool by_turns)
{
	struct layout l = layout_default(0, false);
	int fd;

	if (by_turns) {
		l.numa_policy = SHMCHAN_NUMA_INTERLEAVE;
		l.nr_nodes = 2;
		l.nodes[1] = 1;
	}
	l.nr_windows = 1;
	for (*size = LARGEST; ; *size -= STEP) {
		l.data_size = *size;
		l.windows[0] = (struct shmchan_window) {
			.length = *size,
			.slot = SHMCHAN_SLOT_SHARED,
		};
		fd = create_joined(&l, 0);
		if (fd >= 0 || *size == SMALLEST)
			return fd;
	}
}

TEST(one_fault_each)
{
	uint64_t size, total;
	char own[PAGE];
	char *p;
	int fd;

	if (geteuid())
		SKIP(return, "only root may have so much");
	total = (uint64_t)sysconf(_SC_PHYS_PAGES) * PAGE;
	/* Half of it is for regions. */
	if (total / 2 < SMALLEST)
		SKIP(return, "%llu MiB of memory", total / MIB);
	fd = create_large(&size, false);
	ASSERT_LE(0, fd)
		TH_LOG("%s", strerror(-fd));
	if (total / 2 > LARGEST + SMALLEST)
		EXPECT_EQ(LARGEST, size);
	TH_LOG("%llu MiB", size / MIB);
	/* So that its own faults are not counted. */
	touch(own, sizeof(own), true);

	p = map(fd, 0, size, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_GE(size / HUGE, touch(p, size, true));
	EXPECT_EQ(size / 1024, smaps_kb(p, "FilePmdMapped"));
	EXPECT_EQ(size / 1024, smaps_kb(p, "Rss"));
	EXPECT_EQ(0, munmap(p, size));

	p = map(fd, 0, size, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_GE(size / HUGE, touch(p, size, false));
	EXPECT_EQ(size / 1024, smaps_kb(p, "FilePmdMapped"));
	EXPECT_EQ(1, p[size - PAGE]);
}

#define FOUR_GIB	(1ULL << 32)
#define SOME		1024	/* extents */

/* How many bytes of it lie there that not all numbers of 32 bits reach. */
static uint64_t bytes_above(int fd)
{
	static struct shmchan_extent e[SOME];
	uint64_t above = 0;
	int i, nr;

	nr = extents(fd, e, SOME, SHMCHAN_EXTENTS_PHYS);
	for (i = 0; i < nr; i++)
		if (e[i].phys >= FOUR_GIB)
			above += e[i].length;
	return above;
}

/* Also where a page that was found once is remembered. */
TEST(words_wherever_they_lie)
{
	struct shmchan_wait_elem e;
	uint64_t size, at, above;
	char *p;
	int fd;

	if (geteuid())
		SKIP(return, "only root is told where it lies");
	/* Machines have their memory above 4 GiB on the last nodes. */
	fd = create_large(&size, true);
	if (fd < 0)
		fd = create_large(&size, false);
	if (fd == -ENOSPC || fd == -ENOMEM)
		SKIP(return, "no room for a large region");
	ASSERT_LE(0, fd)
		TH_LOG("%s", strerror(-fd));
	above = bytes_above(fd);
	TH_LOG("%llu MiB of %llu above 4 GiB", above / MIB, size / MIB);
	if (!above)
		SKIP(return, "none of it lies above 4 GiB");
	p = map(fd, 0, size, RW);
	ASSERT_NE(MAP_FAILED, p);
	for (at = 0; at < size; at += HUGE)
		*(volatile uint64_t *)(p + at) = ~at;
	for (at = 0; at < size; at += HUGE) {
		e = elem64(-1, BELL_OF(0), at, 0);
		ASSERT_EQ(0, wait_until(fd, &e, 1, 0));
		e.value = ~at;
		ASSERT_EQ(-ETIMEDOUT, wait_until(fd, &e, 1, 0))
			TH_LOG("at %llu MiB", at / MIB);
		ASSERT_EQ(-ETIMEDOUT, wait_until(fd, &e, 1, 0));
	}
}

TEST_HARNESS_MAIN
