// SPDX-License-Identifier: GPL-2.0-only
/*
 * Data of 2 MiB folios is mapped by entries of 2 MiB, whatever the system says
 * about transparent huge pages.
 */

#include "../kselftest_harness.h"

#include <sys/resource.h>

#include "test_peer.h"
#include "test_smaps.h"

#define RW	(PROT_READ | PROT_WRITE)
#define THP	"/sys/kernel/mm/transparent_hugepage/"

FIXTURE(pmd) {
	struct layout layout;
	char enabled[64];
	char shmem[64];
	int fd;
};

FIXTURE_VARIANT(pmd) {
	const char *thp;
};

FIXTURE_VARIANT_ADD(pmd, as_it_is) {
	.thp = NULL,
};

FIXTURE_VARIANT_ADD(pmd, never) {
	.thp = "never",
};

/* "always [madvise] never": the one in brackets. */
static void chosen(const char *path, char *word, size_t size)
{
	char text[128], *end, *start;

	word[0] = 0;
	if (read_text(path, text, sizeof(text)) < 0)
		return;
	start = strchr(text, '[');
	end = start ? strchr(start, ']') : NULL;
	if (end) {
		*end = 0;
		snprintf(word, size, "%.60s", start + 1);
	}
}

FIXTURE_SETUP(pmd)
{
	if (access(THP, F_OK))
		SKIP(return, "this kernel has no transparent huge pages");
	self->layout = layout_default(0, true);
	self->fd = create_joined(&self->layout, 0);
	ASSERT_LE(0, self->fd);
	chosen(THP "enabled", self->enabled, sizeof(self->enabled));
	chosen(THP "shmem_enabled", self->shmem, sizeof(self->shmem));
	if (!variant->thp)
		return;
	if (write_text(THP "enabled", variant->thp))
		SKIP(return, "only root can forbid huge pages");
	write_text(THP "shmem_enabled", variant->thp);
}

FIXTURE_TEARDOWN(pmd)
{
	if (self->enabled[0])
		write_text(THP "enabled", self->enabled);
	if (self->shmem[0])
		write_text(THP "shmem_enabled", self->shmem);
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

TEST_F(pmd, read)
{
	size_t size = self->layout.data_size;
	size_t at;
	long faults;
	char *p;

	p = map(self->fd, 0, size, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, (uintptr_t)p % HUGE);
	EXPECT_EQ(0, smaps_kb(p, "FilePmdMapped"));
	faults = minor_faults();
	for (at = 0; at < size; at += PAGE)
		EXPECT_EQ(0, probe_read(p + at));
	EXPECT_GE(NR_FOLIOS + 2, minor_faults() - faults);
	EXPECT_EQ(size / 1024, smaps_kb(p, "FilePmdMapped"));
	EXPECT_EQ(size / 1024, smaps_kb(p, "Rss"));
}

TEST_F(pmd, write)
{
	char *p, *q;

	p = map(self->fd, FOLIO_OWN * HUGE, HUGE, RW);
	q = map(self->fd, FOLIO_SHARED * HUGE, 2 * HUGE, RW);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	memset(p, 1, HUGE);
	memset(q, 2, 2 * HUGE);
	EXPECT_EQ(HUGE / 1024, smaps_kb(p, "FilePmdMapped"));
	EXPECT_EQ(2 * HUGE / 1024, smaps_kb(q, "FilePmdMapped"));
}

/* One write fault is enough: there is no second one to make it writable. */
TEST_F(pmd, read_then_write)
{
	char *p = map(self->fd, FOLIO_OWN * HUGE, HUGE, RW);
	long faults;

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, probe_read(p));
	faults = minor_faults();
	memset(p, 1, HUGE);
	EXPECT_GE(2, minor_faults() - faults);
	EXPECT_EQ(HUGE / 1024, smaps_kb(p, "FilePmdMapped"));
}

/* A part of a folio, or a wrong address, is mapped by pages and works. */
TEST_F(pmd, by_pages)
{
	char *p = map(self->fd, PAGE, HUGE - PAGE, PROT_READ);
	char *room, *q;

	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, probe_read(p));
	EXPECT_EQ(0, probe_read(p + HUGE - 2 * PAGE));
	EXPECT_EQ(0, smaps_kb(p, "FilePmdMapped"));

	room = mmap(NULL, 4 * HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	ASSERT_NE(MAP_FAILED, room);
	q = (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1)) + PAGE;
	ASSERT_EQ(q, mmap(q, HUGE, RW, MAP_SHARED | MAP_FIXED, self->fd, 0));
	memset(q, 7, HUGE);
	EXPECT_EQ(0, smaps_kb(q, "FilePmdMapped"));
	EXPECT_EQ(HUGE / 1024, smaps_kb(q, "Rss"));
	EXPECT_EQ(7, p[0]);
	EXPECT_EQ(7, p[HUGE - 2 * PAGE]);
}

TEST_F(pmd, control_and_small)
{
	struct layout small = layout_default(SHMCHAN_CREATE_SMALL, true);
	int fd = create_joined(&small, 0);
	char *control, *p;
	size_t at;

	ASSERT_LE(0, fd);
	p = map(fd, 0, small.data_size, PROT_READ);
	control = map(self->fd, SHMCHAN_CONTROL_OFFSET(self->layout.data_size),
		      self->layout.control_size, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, control);
	for (at = 0; at < small.data_size; at += PAGE)
		EXPECT_EQ(0, probe_read(p + at));
	EXPECT_EQ(0, probe_read(control));
	EXPECT_EQ(0, smaps_kb(p, "FilePmdMapped"));
	EXPECT_EQ(small.data_size / 1024, smaps_kb(p, "Rss"));
	EXPECT_EQ(0, smaps_kb(control, "FilePmdMapped"));
}

TEST_HARNESS_MAIN
