// SPDX-License-Identifier: GPL-2.0-only
/*
 * A new page waits in a batch of its CPU before it gets on an LRU list: for
 * ever, if that CPU is idle.  Until then it looks as if it could not be moved.
 * Such a page in every window must not keep a contiguous run from being made.
 */

#include "../kselftest_harness.h"

#include <sched.h>

#include "test_fragment.h"

#define MOST_WANTED	(256 * MB)	/* of a guest of 1 GiB */
#define SPACING		(80 * MB)	/* of the pages that wait */
#define MOST_PAGES	14		/* a batch of 6.1 has 15 */
#define KPF_LRU		(1ULL << 5)

static struct fragments fragments;

/* Is the page on a list?  -1: that is not told. */
static int on_list(const char *p)
{
	int fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	uint64_t flags;
	int ret = -1;

	if (fd < 0)
		return -1;
	if (pread(fd, &flags, sizeof(flags), phys_of(p) / PAGE * 8) ==
	    sizeof(flags))
		ret = !!(flags & KPF_LRU);
	close(fd);
	return ret;
}

/* Pages that will wait: one where each SPACING of physical memory begins. */
static char *pages[MOST_PAGES];
static unsigned int nr_pages;

/* What memory of ours spans. */
static uint64_t low = ~0ULL, high;

static void look_at_page(char *p, uint64_t phys)
{
	static bool seen[1 << 12];

	if (!phys)
		return;
	low = phys < low ? phys : low;
	high = phys > high ? phys : high;
	if (nr_pages == MOST_PAGES || phys % SPACING >= 4 * MB ||
	    phys / SPACING >= COUNT(seen) || seen[phys / SPACING])
		return;
	seen[phys / SPACING] = true;
	pages[nr_pages++] = p;
}

static bool choose_pages(void)
{
	uint64_t phys[PAGEMAP_CHUNK];
	size_t at;

	for (at = 0; at < fragments.size; at += PAGE) {
		unsigned int i = at / PAGE % PAGEMAP_CHUNK;

		if (!i && !phys_read(fragments.p + at, phys, PAGEMAP_CHUNK))
			return false;
		look_at_page(fragments.p + at, phys[i]);
	}
	return nr_pages > 2 && on_list(pages[0]) >= 0;
}

static bool run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The most physical memory from @start on that no page waits in. */
static uint64_t widest_gap(uint64_t start, uint64_t end)
{
	uint64_t at[MOST_PAGES + 1], gap = 0;
	unsigned int i, nr = 0;

	for (i = 0; i < nr_pages; i++)
		if (on_list(pages[i]) == 0)
			at[nr++] = phys_of(pages[i]);
	at[nr++] = end;
	qsort(at, nr, sizeof(at[0]), by_value);
	for (i = 0; i < nr; i++) {
		if (at[i] > start && at[i] - start > gap)
			gap = at[i] - start;
		start = at[i];
	}
	return gap;
}

/*
 * On this CPU, what was freed last is given out first: so each page comes back,
 * maybe at the address of another one, and waits.  Unmapping puts on lists
 * what waits, so first all of that.
 */
static void renew_pages(void)
{
	unsigned int i;

	for (i = 0; i < nr_pages; i++)
		madvise(pages[i], PAGE, MADV_DONTNEED);
	for (i = nr_pages; i--;)
		pages[i][0] = 1;
}

FIXTURE(batches) {};

FIXTURE_SETUP(batches)
{
}

FIXTURE_TEARDOWN(batches)
{
	free_fragments(&fragments);
}

TEST_F_TIMEOUT(batches, pages_that_wait, 500)
{
	uint64_t start, gap, wanted;
	unsigned int tries = 0;
	int fd;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "one CPU: its batch is drained by whoever claims");
	if (fragment_memory(&fragments, 0))
		SKIP(return, "too little memory");
	if (!choose_pages())
		SKIP(return, "page frames are told to root only");
	/* Whatever else runs there may put them on lists meanwhile. */
	do {
		ASSERT_TRUE(run_on(1));
		renew_pages();
		ASSERT_TRUE(run_on(0));
		gap = widest_gap(low, high);
		wanted = (gap / HUGE + 2) * HUGE;
	} while (wanted > MOST_WANTED && ++tries < 10);
	if (wanted > MOST_WANTED)
		SKIP(return, "too few pages wait: none in a place of %llu MiB",
		     (unsigned long long)(gap / MB));

	start = now_ns();
	fd = create_shared(wanted, SHMCHAN_CREATE_CONTIG);
	EXPECT_LE(0, fd)
		TH_LOG("%s after %u ms", strerror(-fd), ms_since(start));
	close(fd);
	/* Claims drain the batch; without any that says nothing. */
	if (fd >= 0 && widest_gap(low, high) <= gap)
		SKIP(return, "a run of %llu MiB was free",
		     (unsigned long long)(wanted / MB));
}

TEST_HARNESS_MAIN
