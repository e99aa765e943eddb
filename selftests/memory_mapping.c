// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a process may do to its mappings of a region: take them apart, protect,
 * populate and lock them.  The file itself cannot be changed.
 */

#include "../kselftest_harness.h"

#include <linux/falloc.h>
#include <linux/userfaultfd.h>
#include <sys/stat.h>

#include "test_window.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#define MADV_POPULATE_WRITE	23
#endif

TEST_F(memory, file_cannot_change)
{
	struct timespec times[2] = {};
	struct stat st;

	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(-1, ftruncate(self->fd, 0));
	EXPECT_EQ(-1, ftruncate(self->fd, 1 << 30));
	EXPECT_EQ(-1, fallocate(self->fd, 0, 0, 1 << 30));
	EXPECT_EQ(-1, fallocate(self->fd, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, 0, folio));
	EXPECT_EQ(-1, fchmod(self->fd, 0777));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, fchown(self->fd, 1, 1));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, futimens(self->fd, times));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, pwrite(self->fd, "x", 1, 0));
	EXPECT_TRUE(intact(self->own));
	EXPECT_EQ(-1, ftruncate(open_region(layout.name, RIGHTS_RW), 0));
	EXPECT_TRUE(intact(self->own));
}

/* A page out of the middle; of a small folio that is all of it. */
TEST_F(memory, partial_munmap)
{
	size_t at = folio > PAGE ? folio / 2 : 0;

	ASSERT_EQ(0, munmap(self->own + at, PAGE));
	EXPECT_EQ(SIGSEGV, probe_read(self->own + at));
	if (at) {
		EXPECT_EQ((char)pattern(at - 1), self->own[at - 1]);
		EXPECT_EQ((char)pattern(at + PAGE), self->own[at + PAGE]);
		EXPECT_EQ(0, probe_write(self->own));
		self->own[0] = pattern(0);
		munmap(self->own, at);
		munmap(self->own + at + PAGE, folio - at - PAGE);
	}
	self->own = map(self->fd, FOLIO_OWN * folio, folio, RW);
	ASSERT_NE(MAP_FAILED, self->own);
	EXPECT_TRUE(intact(self->own));
}

TEST_F(memory, partial_mprotect)
{
	size_t at = folio > PAGE ? folio / 2 : 0;

	ASSERT_EQ(0, mprotect(self->own + at, PAGE, PROT_READ));
	EXPECT_EQ(SIGSEGV, probe_write(self->own + at));
	EXPECT_TRUE(intact(self->own));
	if (at) {
		EXPECT_EQ(0, probe_write(self->own + at - 1));
		EXPECT_EQ(0, probe_write(self->own + at + PAGE));
	}
	ASSERT_EQ(0, mprotect(self->own, folio, PROT_NONE));
	EXPECT_EQ(SIGSEGV, probe_read(self->own));
	ASSERT_EQ(0, mprotect(self->own, folio, RW));
	EXPECT_EQ(0, probe_write(self->own + at));
}

TEST_F(memory, populate)
{
	char *p = mmap(NULL, folio, PROT_READ, MAP_SHARED | MAP_POPULATE,
		       self->fd, FOLIO_OWN * folio);

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(folio / 1024, smaps_kb(p, "Rss"));
	EXPECT_TRUE(intact(p));
	munmap(p, folio);

	p = map(self->fd, FOLIO_FOREIGN * folio, folio, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, madvise(p, folio, MADV_POPULATE_READ));
	EXPECT_EQ(folio / 1024, smaps_kb(p, "Rss"));
	EXPECT_EQ(-1, madvise(p, folio, MADV_POPULATE_WRITE));
	EXPECT_EQ(0, madvise(self->shared, folio, MADV_POPULATE_WRITE));
	EXPECT_EQ(folio / 1024, smaps_kb(self->shared, "Rss"));
}

TEST_F(memory, mlock)
{
	EXPECT_EQ(0, mlock(self->own, folio));
	EXPECT_EQ(0, munlock(self->own, folio));
	EXPECT_TRUE(intact(self->own));
}

/* What is mapped later as well. */
TEST_F(memory, mlockall)
{
	char *p;

	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	EXPECT_TRUE(intact(self->own));
	p = map(self->fd, FOLIO_OWN * folio, folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(intact(p));
	EXPECT_EQ(0, munmap(p, folio));
	p = map(self->fd, FOLIO_FOREIGN * folio, folio, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, probe_read(p + folio - 1));
	EXPECT_EQ(SIGSEGV, probe_write(p));
	EXPECT_EQ(0, munlockall());
	EXPECT_TRUE(intact(self->own));
	EXPECT_EQ(0, leave(self->fd));
	EXPECT_EQ(SIGBUS, probe_read(self->own));
}

/* Somebody else's handler must not decide what a page holds. */
TEST_F(memory, userfaultfd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)self->own, folio },
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	unsigned int mode;

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		SKIP(return, "no userfaultfd");
	for (mode = UFFDIO_REGISTER_MODE_MISSING;
	     mode <= UFFDIO_REGISTER_MODE_MINOR; mode <<= 1) {
		reg.mode = mode;
		EXPECT_EQ(-1, ioctl(fd, UFFDIO_REGISTER, &reg))
			TH_LOG("mode %u", mode);
	}
}

/* Where /proc shows it. */
TEST_F(memory, maps)
{
	char text[16384], want[64];

	snprintf(want, sizeof(want), DEVICE ":%s", layout.name);
	ASSERT_LT(0, read_text("/proc/self/maps", text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, want));
}

TEST_HARNESS_MAIN
