// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHMCHAN_CREATE_CONTIG: the data area is one run of physical memory, mapped
 * by entries of 2 MiB, zeroed; or there is no region, and nothing is kept.
 */

#include "../kselftest_harness.h"
#include "test_memory.h"
#include "test_smaps.h"

#define RW		(PROT_READ | PROT_WRITE)
#define MIGRATE		PARAMETERS "contig_migrate"
#define TOTAL_MB	PARAMETERS "total_mb"
/* A large one: processors keep no free blocks of 2 MiB for themselves. */
#define PCP_FRACTION	"/proc/sys/vm/percpu_pagelist_high_fraction"

FIXTURE(contig) {
	char total_mb[32];
	int64_t before;
};

FIXTURE_SETUP(contig)
{
	struct shmchan_query_device q;

	ASSERT_EQ(0, query_device(&q));
	if (!(q.features & SHMCHAN_FEATURE_CONTIG))
		SKIP(return, "this module makes no contiguous regions");
	if (geteuid())
		SKIP(return, "only root may ask for much");
	EXPECT_EQ(~0ULL, q.contig_limit);
	ASSERT_LT(0, read_text(TOTAL_MB, self->total_mb,
			       sizeof(self->total_mb)));
	ASSERT_EQ(0, set_number(TOTAL_MB, 1 << 20));
	self->before = total_bytes();
}

FIXTURE_TEARDOWN(contig)
{
	if (self->total_mb[0])
		write_text(TOTAL_MB, self->total_mb);
	write_text(MIGRATE, "Y");
}

FIXTURE_VARIANT(contig) {
	uint64_t size;
};

FIXTURE_VARIANT_ADD(contig, of_2_mib) {
	.size = 2 * MB,
};

FIXTURE_VARIANT_ADD(contig, of_4_mib) {
	.size = 4 * MB,
};

FIXTURE_VARIANT_ADD(contig, of_6_mib) {
	.size = 6 * MB,
};

FIXTURE_VARIANT_ADD(contig, of_64_mib) {
	.size = 64 * MB,
};

FIXTURE_VARIANT_ADD(contig, of_128_mib) {
	.size = 128 * MB,
};

/* Fills free memory with something, in small pages, and frees it. */
static void dirty_memory(void)
{
	size_t size = 256 * MB;
	char *p = mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	madvise(p, size, MADV_NOHUGEPAGE);
	memset(p, 0xa5, size);
	munmap(p, size);
}

TEST_F_TIMEOUT(contig, one_extent, 60)
{
	struct shmchan_extent e, more;
	struct shmchan_query q;
	uint64_t start = 0;
	int fd;
	char *p;

	dirty_memory();
	fd = create_shared(variant->size, SHMCHAN_CREATE_CONTIG);
	ASSERT_LE(0, fd);
	ASSERT_LT(0, join(fd, 0));
	ASSERT_EQ(0, query(fd, &q));
	EXPECT_EQ(1, q.nr_extents);
	EXPECT_EQ(SHMCHAN_CREATE_CONTIG, q.create_flags);
	EXPECT_EQ(HUGE, q.data_folio_size);
	ASSERT_EQ(1, extents_page(fd, &start, &e, 1, SHMCHAN_EXTENTS_PHYS));
	EXPECT_EQ(0, e.offset);
	EXPECT_EQ(variant->size, e.length);
	EXPECT_EQ(0, e.phys % HUGE);
	EXPECT_EQ(0, extents_page(fd, &start, &more, 1, 0));

	p = map(fd, 0, variant->size, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(all_bytes(p, variant->size, 0));
	EXPECT_EQ(variant->size / 1024, smaps_kb(p, "FilePmdMapped"));
	EXPECT_TRUE(lies_at(p, variant->size, e.phys));
	memset(p, 0x5a, variant->size);
	EXPECT_TRUE(all_bytes(p, variant->size, 0x5a));
	munmap(p, variant->size);
	close(fd);
	EXPECT_EQ(self->before, total_bytes());
}

/*
 * Again and again: what one region leaves, the next one finds; memory that is
 * lost each time would show.
 */
TEST_F_TIMEOUT(contig, comes_and_goes, 120)
{
	int64_t free_before = 0;
	int i, fd;
	char *p;

	for (i = 0; i < 12; i++) {
		fd = create_shared(variant->size, SHMCHAN_CREATE_CONTIG);
		ASSERT_LE(0, fd)
			TH_LOG("round %d: %s", i, strerror(-fd));
		ASSERT_LT(0, join(fd, 0));
		p = map(fd, 0, variant->size, RW);
		ASSERT_NE(MAP_FAILED, p);
		EXPECT_TRUE(all_bytes(p, variant->size, 0));
		memset(p, i + 1, variant->size);
		munmap(p, variant->size);
		close(fd);
		if (i == 2)
			free_before = free_bytes();
	}
	EXPECT_EQ(self->before, total_bytes());
	EXPECT_TRUE(eventually(free_bytes() >
			       free_before - 8 * (int64_t)MB));
}

/* Without moving anybody it may succeed, from free blocks. */
TEST_F_TIMEOUT(contig, without_migration, 60)
{
	struct shmchan_query q;
	long moved;
	int fd;

	ASSERT_EQ(0, write_text(MIGRATE, "N"));
	moved = text_number("/proc/vmstat", "pgmigrate_success ");
	fd = create_shared(variant->size, SHMCHAN_CREATE_CONTIG);
	if (fd >= 0) {
		ASSERT_EQ(0, query(fd, &q));
		EXPECT_EQ(1, q.nr_extents);
	} else {
		EXPECT_EQ(-ENOMEM, fd);
	}
	/* Compaction for the sake of one folio is everybody's. */
	if (fd >= 0 && variant->size > 4 * MB)
		EXPECT_EQ(moved,
			  text_number("/proc/vmstat", "pgmigrate_success "));
	close(fd);
	EXPECT_EQ(self->before, total_bytes());
}

FIXTURE(most) {
	char total_mb[32];
	char fraction[32];
};

FIXTURE_SETUP(most)
{
	if (geteuid())
		SKIP(return, "only root may ask for much");
	ASSERT_LT(0, read_text(TOTAL_MB, self->total_mb,
			       sizeof(self->total_mb)));
	ASSERT_EQ(0, set_number(TOTAL_MB, 1 << 30));
	ASSERT_LT(0, read_text(PCP_FRACTION, self->fraction,
			       sizeof(self->fraction)));
}

FIXTURE_TEARDOWN(most)
{
	if (self->fraction[0])
		write_text(PCP_FRACTION, self->fraction);
	if (self->total_mb[0])
		write_text(TOTAL_MB, self->total_mb);
	write_text(MIGRATE, "Y");
}

/* As much as fits; TH_LOG says how much that was. */
TEST_F_TIMEOUT(most, as_much_as_fits, 120)
{
	int64_t total = meminfo("MemTotal:");
	struct shmchan_query q;
	uint64_t size;
	int fd = -1;

	for (size = total / HUGE * HUGE; size; size = size / 8 * 7 / HUGE * HUGE) {
		fd = create_shared(size, SHMCHAN_CREATE_CONTIG);
		if (fd >= 0)
			break;
		EXPECT_EQ(-ENOMEM, fd);
	}
	EXPECT_LE(64 * MB, size);
	EXPECT_EQ(0, query(fd, &q));
	EXPECT_EQ(1, q.nr_extents);
	TH_LOG("%llu of %llu MiB", (unsigned long long)(size / MB),
	       (unsigned long long)(total / MB));
	close(fd);
}

#define MANY		160

static uint64_t block_of(int fd)
{
	struct shmchan_extent e;
	uint64_t start = 0;

	return extents_page(fd, &start, &e, 1, SHMCHAN_EXTENTS_PHYS) == 1 ?
	       e.phys / HUGE : 0;
}

/*
 * Many free blocks of 2 MiB whose neighbours are in use: the kernel gives these
 * out first.  They must not hinder anybody from getting what is beside others.
 */
TEST_F_TIMEOUT(most, beside_single_blocks, 120)
{
	/* Of long runs few lie beside what is in use. */
	static const unsigned int sizes[] = { 6, 10, 14, 62, 64, 126, 190, 254 };
	unsigned int i, k, alone = 0, tried = 0;
	bool fits[COUNT(sizes)];
	uint64_t blocks[MANY];
	int fds[MANY], fd;

	/* What is kept by a processor would be given back to who freed it. */
	ASSERT_EQ(0, set_number(PCP_FRACTION, 1 << 30));
	for (i = 0; i < MANY; i++) {
		fds[i] = create_shared(HUGE, 0);
		ASSERT_LE(0, fds[i]);
		blocks[i] = block_of(fds[i]);
		ASSERT_LT(0, blocks[i]);
	}
	/* What is not there now is not hindered by them. */
	for (i = 0; i < COUNT(sizes); i++) {
		fd = create_shared(sizes[i] * MB, SHMCHAN_CREATE_CONTIG);
		fits[i] = fd >= 0;
		if (sizes[i] <= 64)
			EXPECT_LE(0, fd);
		close(fd);
	}
	for (i = 0; i < MANY; i++) {
		for (k = 0; k < MANY && blocks[k] != (blocks[i] | 1); k++)
			continue;
		if (blocks[i] & 1 || k == MANY)
			continue;
		close(fds[i]);
		fds[i] = -1;
		alone++;
	}
	TH_LOG("%u blocks alone", alone);
	for (i = 0; i < 3 * COUNT(sizes); i++) {
		k = i % COUNT(sizes);
		if (!fits[k])
			continue;
		fd = create_shared(sizes[k] * MB, SHMCHAN_CREATE_CONTIG);
		EXPECT_LE(0, fd)
			TH_LOG("%u MiB: %s", sizes[k], strerror(-fd));
		close(fd);
		tried++;
	}
	TH_LOG("%u runs", tried);
	/* What anybody may ask for moves nobody. */
	ASSERT_EQ(0, write_text(MIGRATE, "N"));
	fd = create_shared(4 * MB, SHMCHAN_CREATE_CONTIG);
	EXPECT_LE(0, fd)
		TH_LOG("without migration: %s", strerror(-fd));
	close(fd);
	for (i = 0; i < MANY; i++)
		close(fds[i]);
}

#define ALL		420	/* of a GiB; file descriptors are few */
#define ALONE		64
#define GROUP		4
#define GROUPS		12

/* The index of a block in @blocks, or -1. */
static int holder_of(const uint64_t *blocks, uint64_t block)
{
	int i;

	for (i = 0; i < ALL; i++)
		if (blocks[i] && blocks[i] == block)
			return i;
	return -1;
}

/* Hold most of what is left, so that nothing else is cheap to clear. */
static unsigned int hold_the_rest(int *fds, unsigned int most)
{
	uint64_t size = free_bytes() / HUGE * HUGE;
	unsigned int nr = 0;

	for (; size >= HUGE && nr < most; size = size / 2 / HUGE * HUGE) {
		fds[nr] = create_shared(size, 0);
		if (fds[nr] >= 0)
			nr++;
	}
	return nr;
}

/*
 * The same in its purest form: three of four free blocks are all there is, so
 * the fourth is a free neighbour of one of them, wherever the run begins, while
 * many others are free that have no free neighbour.  The run has to come from
 * there, not from where more has to be moved.
 */
TEST_F_TIMEOUT(most, beside_a_free_block, 180)
{
	unsigned int i, k, nr_rest, alone = 0, groups = 0, there = 0;
	uint64_t blocks[ALL] = {}, at;
	int fds[ALL], rest[16], at_fd[GROUP], fd;

	ASSERT_EQ(0, set_number(PCP_FRACTION, 1 << 30));
	for (i = 0; i < ALL; i++) {
		fds[i] = create_shared(HUGE, 0);
		if (fds[i] >= 0)
			blocks[i] = block_of(fds[i]);
	}
	nr_rest = hold_the_rest(rest, COUNT(rest));
	/* Of those that are to be alone, none is beside a group. */
	for (i = 0; i < ALL && alone < ALONE; i++) {
		if (!blocks[i] || blocks[i] % (2 * GROUP) != 2 ||
		    holder_of(blocks, blocks[i] + 1) < 0)
			continue;
		close(fds[i]);
		fds[i] = -1;
		blocks[i] = 0;
		alone++;
	}
	for (i = 0; i < ALL && groups < GROUPS; i++) {
		at = blocks[i];
		if (!at || at % (2 * GROUP) != GROUP)
			continue;
		for (k = 0; k < GROUP; k++) {
			at_fd[k] = holder_of(blocks, at + k);
			if (at_fd[k] < 0)
				break;
		}
		if (k < GROUP)
			continue;
		for (k = 0; k < GROUP; k++) {
			close(fds[at_fd[k]]);
			fds[at_fd[k]] = -1;
			blocks[at_fd[k]] = 0;
		}
		fd = create_shared((GROUP - 1) * HUGE, SHMCHAN_CREATE_CONTIG);
		EXPECT_LE(0, fd)
			TH_LOG("3 of 4 blocks: %s", strerror(-fd));
		if (fd >= 0 && (block_of(fd) & ~1ULL) == at)
			there++;
		fds[at_fd[0]] = fd;
		groups++;
	}
	TH_LOG("%u blocks alone; %u of %u runs where they belong", alone, there,
	       groups);
	ASSERT_LE(GROUPS / 2, groups);
	EXPECT_LE(groups - groups / 4, there);
	for (i = 0; i < ALL; i++)
		close(fds[i]);
	for (i = 0; i < nr_rest; i++)
		close(rest[i]);
}

/* Bytes that the kernel has allocated so far. */
static int64_t allocated(void)
{
	static const char *const zones[] = {
		"pgalloc_dma32 ", "pgalloc_normal ",
	};
	unsigned int i;
	int64_t pages = 0;
	long nr;

	for (i = 0; i < COUNT(zones); i++) {
		nr = text_number("/proc/vmstat", zones[i]);
		pages += nr > 0 ? nr : 0;
	}
	return pages * (int64_t)PAGE;
}

/* What cannot be is refused before everybody's memory is taken for it. */
TEST_F_TIMEOUT(most, more_than_there_is, 120)
{
	int64_t before = total_bytes(), start;
	int64_t total = meminfo("MemTotal:");

	start = allocated();
	EXPECT_EQ(-ENOMEM, create_shared(2 * total / HUGE * HUGE,
					 SHMCHAN_CREATE_CONTIG));
	EXPECT_EQ(-ENOMEM, create_shared(1ULL << 40, SHMCHAN_CREATE_CONTIG));
	EXPECT_EQ(-ENOMEM, create_shared(1ULL << 49, SHMCHAN_CREATE_CONTIG));
	EXPECT_GT(total / 4, allocated() - start)
		TH_LOG("%lld of %lld MiB",
		       (long long)((allocated() - start) / (int64_t)MB),
		       (long long)(total / (int64_t)MB));
	ASSERT_EQ(0, set_number(TOTAL_MB, before / MB + 16));
	start = allocated();
	EXPECT_EQ(-ENOSPC, create_shared(32 * MB, SHMCHAN_CREATE_CONTIG));
	EXPECT_EQ(-ENOSPC, create_shared(1ULL << 40, SHMCHAN_CREATE_CONTIG));
	EXPECT_GT((int64_t)(16 * MB), allocated() - start);
	EXPECT_LE(0, create_shared(8 * MB, SHMCHAN_CREATE_CONTIG));
}

TEST_HARNESS_MAIN
