// SPDX-License-Identifier: GPL-2.0-only

/* A dma-buf of a region shows its bytes, and writes where the member may. */

#include <fcntl.h>

#include "region_fixture.h"

static void kmod_has_dmabufs(void)
{
	struct shmchan_query_device d;

	KMOD_ONLY("the module makes dma-bufs");
	CHECK_EQ(shmchan_device_query(&d), 0);
	if (!(d.features & SHMCHAN_FEATURE_DMABUF))
		SKIP("the module, or its kernel, has no dma-bufs");
}

static struct shmchan_region *open_in(uint32_t slot, struct shmchan_region **r)
{
	*r = fix_create(test_name("export"));
	return fix_open(test_name("export"), slot);
}

/* One range that is refused, with this in its detail. */
#define REFUSED(r, offset, length, flags, error, says)			\
	do {								\
		CHECK_EQ(shmchan_region_export(r, offset, length, flags), \
			 -(error));					\
		CHECK_SAYS(shmchan_error_detail(), says);		\
	} while (0)

TEST(bad_ranges)
{
	struct shmchan_region *r = fix_create(NULL);

	CHECK_EQ(shmchan_region_export(NULL, 0, 4096, 0), -EINVAL);
	REFUSED(r, 0, 4096, 2, EINVAL, "SHMCHAN_EXPORT_WRITE");
	REFUSED(r, 0, 0, 0, EINVAL, "4096 at 0 would do");
	REFUSED(r, 100, 4096, 0, EINVAL, "4096 at 0 would do");
	REFUSED(r, 4096, 5000, 0, EINVAL, "8192 at 0x1000 would do");
	REFUSED(r, 0, FIX_DATA + 4096, 0, EINVAL, "not within the data area");
	REFUSED(r, FIX_DATA, 4096, 0, EINVAL, "not within the data area");
	REFUSED(r, FIX_CONTROL_AT, FIX_CONTROL + 4096, 0, EINVAL,
		"the control area");
	REFUSED(r, r->status_offset, 4096, 0, EINVAL, "the control area");
	REFUSED(r, -4096ULL, 4096, 0, EINVAL, "not within");
	REFUSED(r, 4096, -4096ULL, 0, EINVAL, "not within");
	if (!on_kmod())
		REFUSED(r, 0, 4096, 0, ENOTSUP, "only the module");
	shmchan_region_close(r);
}

/* Slot 0 has pages 0 and 3 (shared) of the data, and its control page. */
TEST(writable_where_we_may_write)
{
	struct shmchan_region *r, *other;
	int fd;

	kmod_has_dmabufs();
	other = open_in(1, &r);
	CHECK_EQ(r->slot, 0);
	REFUSED(r, 4096, 4096, SHMCHAN_EXPORT_WRITE, EACCES,
		"the byte at 0x1000 is in no window that slot 0 may write");
	REFUSED(r, 0, 8192, SHMCHAN_EXPORT_WRITE, EACCES, "byte at 0x1000");
	REFUSED(r, 0, FIX_DATA, SHMCHAN_EXPORT_WRITE, EACCES, "0x1000");
	REFUSED(r, FIX_CONTROL_AT, 8192, SHMCHAN_EXPORT_WRITE, EACCES,
		"SHMCHAN_EXPORT_WRITE");
	fd = shmchan_region_export(r, 0, 4096, SHMCHAN_EXPORT_WRITE);
	CHECK_GE(fd, 0);
	close(fd);
	fd = shmchan_region_export(r, FIX_SHARED, 4096, SHMCHAN_EXPORT_WRITE);
	CHECK_GE(fd, 0);
	close(fd);
	fd = shmchan_region_export(other, 4096, 4096, SHMCHAN_EXPORT_WRITE);
	CHECK_GE(fd, 0);
	close(fd);
	shmchan_region_close(other);
	shmchan_region_close(r);
}

TEST(readers_export_for_reading_only)
{
	struct shmchan_region *r, *reader;
	struct shmchan_open_opts o = SHMCHAN_OPEN_OPTS(
		.rights = SHMCHAN_RIGHT_MAP_READ);
	int fd;

	kmod_has_dmabufs();
	r = fix_create(test_name("export"));
	CHECK_EQ(shmchan_region_open(&reader, test_name("export"), &o), 0);
	REFUSED(reader, 4096 * 3, 4096, SHMCHAN_EXPORT_WRITE, EACCES,
		"without SHMCHAN_RIGHT_MAP_WRITE");
	fd = shmchan_region_export(reader, 0, FIX_DATA, 0);
	CHECK_GE(fd, 0);
	CHECK(mmap(NULL, FIX_DATA, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) ==
	      MAP_FAILED);
	close(fd);
	shmchan_region_close(reader);
	shmchan_region_close(r);
}

TEST(shows_the_same_bytes)
{
	struct shmchan_region *r;
	uint64_t *ours, *theirs;
	int fd;

	kmod_has_dmabufs();
	r = fix_create(NULL);
	/* From the page of slot 0 on: more than one page, and an offset. */
	fd = shmchan_region_export(r, FIX_PAGE(0), 8192, 0);
	CHECK_GE(fd, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	theirs = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(theirs != MAP_FAILED);
	ours = shmchan_region_at(r, FIX_PAGE(0));
	CHECK_EQ(*theirs, 0);
	*ours = 42;
	CHECK_EQ(*(volatile uint64_t *)theirs, 42);
	munmap(theirs, 8192);
	close(fd);
	shmchan_region_close(r);
}

TEST(writes_reach_the_region_and_outlive_it)
{
	struct shmchan_region *r;
	uint64_t *theirs;
	int fd;

	kmod_has_dmabufs();
	r = fix_create(NULL);
	fd = shmchan_region_export(r, FIX_SHARED, 4096, SHMCHAN_EXPORT_WRITE);
	CHECK_GE(fd, 0);
	theirs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(theirs != MAP_FAILED);
	theirs[0] = 7;
	CHECK_EQ(shmchan_load_seq_cst(fix_word(r, 0)), 7);
	shmchan_region_close(r);
	CHECK_EQ(*(volatile uint64_t *)theirs, 7);
	munmap(theirs, 4096);
	close(fd);
}

/* It is a pin: what is in the slot's window may still be written. */
TEST(keeps_a_slot_from_its_next_holder)
{
	struct shmchan_region *r, *member, *next;
	struct shmchan_open_opts o = SHMCHAN_OPEN_OPTS(.slot = 1);
	int fd;

	kmod_has_dmabufs();
	member = open_in(1, &r);
	fd = shmchan_region_export(member, FIX_PAGE(1), 4096,
				   SHMCHAN_EXPORT_WRITE);
	CHECK_GE(fd, 0);
	shmchan_region_close(member);
	CHECK_EQ(shmchan_region_open(&next, test_name("export"), &o), -EBUSY);
	CHECK_SAYS(shmchan_error_detail(), "pinned");
	close(fd);
	next = fix_open(test_name("export"), 1);
	shmchan_region_close(next);
	shmchan_region_close(r);
}

TEST_MAIN
