// SPDX-License-Identifier: GPL-2.0-only
/*
 * One writer per byte: what a member may map, in which way, and what it may
 * make of it later.  For data of 2 MiB folios and of 4 KiB ones.
 */

#include "../kselftest_harness.h"

#include <sys/personality.h>
#include <sys/uio.h>

#include "test_peer.h"

#define RW	(PROT_READ | PROT_WRITE)

FIXTURE(windows) {
	struct layout layout;
	int fd;			/* slot 0 */
	int foreign;		/* slot 1 */
	size_t folio;
	uint64_t control;
	uint64_t status;
	size_t status_size;
};

FIXTURE_VARIANT(windows) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(windows, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(windows, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_SETUP(windows)
{
	struct shmchan_query q;

	self->layout = layout_default(variant->flags, true);
	self->layout.name = own_name();
	self->folio = folio_size(&self->layout);
	self->fd = create_joined(&self->layout, 0);
	ASSERT_LE(0, self->fd);
	self->foreign = open_joined(self->layout.name, 1);
	ASSERT_LE(0, self->foreign);
	ASSERT_EQ(0, query(self->fd, &q));
	self->control = q.control_offset;
	self->status = q.status_offset;
	self->status_size = q.status_size;
	EXPECT_EQ(SHMCHAN_CONTROL_OFFSET(self->layout.data_size), q.control_offset);
	EXPECT_EQ(SHMCHAN_STATUS_OFFSET(self->layout.data_size,
					self->layout.control_size),
		  q.status_offset);
	EXPECT_EQ(self->folio, q.data_folio_size);
}

FIXTURE_TEARDOWN(windows)
{
}

/* A range of folios (of pages of the control area), and what slot 0 may. */
static const struct {
	const char *name;
	unsigned int first;
	unsigned int nr;
	bool writable;
} ranges[] = {
	{ "own",			FOLIO_OWN, 1, true },
	{ "foreign",			FOLIO_FOREIGN, 1, false },
	{ "shared",			FOLIO_SHARED, 1, true },
	{ "another of its own",		FOLIO_OWN2, 1, true },
	{ "no window",			FOLIO_NOBODY, 1, false },
	{ "own and foreign",		FOLIO_OWN, 2, false },
	{ "foreign and shared",		FOLIO_FOREIGN, 2, false },
	{ "shared and own",		FOLIO_SHARED, 2, true },
	{ "own and no window",		FOLIO_OWN2, 2, false },
	{ "own around foreign",		FOLIO_OWN, 4, false },
	{ "all",			0, NR_FOLIOS, false },
};

/* Everything about one range, starting at @at. */
#define check_range(what, at, len, writable) do {			\
	char *_p;							\
									\
	EXPECT_EQ(0, map_error(self->fd, at, len, PROT_READ,		\
			       MAP_SHARED))				\
		TH_LOG("%s", what);					\
	EXPECT_EQ((writable) ? 0 : EACCES,				\
		  map_error(self->fd, at, len, RW, MAP_SHARED))		\
		TH_LOG("%s", what);					\
	EXPECT_EQ((writable) ? 0 : EACCES,				\
		  map_error(self->fd, at, len, PROT_WRITE,		\
			    MAP_SHARED))				\
		TH_LOG("%s", what);					\
	/* What is read-only now, stays so, or does not. */		\
	_p = map(self->fd, at, len, PROT_READ);				\
	ASSERT_NE(MAP_FAILED, _p);					\
	EXPECT_EQ(SIGSEGV, probe_write(_p));				\
	EXPECT_EQ((writable) ? 0 : -1, mprotect(_p, len, RW))		\
		TH_LOG("%s", what);					\
	EXPECT_EQ((writable) ? 0 : SIGSEGV, probe_write(_p + (len) - 1))\
		TH_LOG("%s", what);					\
	munmap(_p, len);						\
	/* The same from a mapping without any access. */		\
	_p = map(self->fd, at, len, PROT_NONE);				\
	ASSERT_NE(MAP_FAILED, _p);					\
	EXPECT_EQ((writable) ? 0 : -1, mprotect(_p, len, RW))		\
		TH_LOG("%s", what);					\
	EXPECT_EQ(0, mprotect(_p, len, PROT_READ));			\
	EXPECT_EQ(0, probe_read(_p));					\
	munmap(_p, len);						\
} while (0)

TEST_F(windows, ranges_of_data)
{
	unsigned int i;

	for (i = 0; i < COUNT(ranges); i++)
		check_range(ranges[i].name, ranges[i].first * self->folio,
			    ranges[i].nr * self->folio, ranges[i].writable);
}

/* A part of a window, too. */
TEST_F(windows, page_of_data)
{
	unsigned int i;
	size_t at;

	for (i = 0; i < NR_FOLIOS; i++) {
		for (at = 0; at < self->folio; at += self->folio / 2 + PAGE)
			check_range(ranges[i].name, i * self->folio +
				    (at & ~(PAGE - 1)), PAGE,
				    ranges[i].writable);
	}
	/* One page over the edge. */
	check_range("over the edge", self->folio - PAGE * (self->folio > PAGE),
		    2 * PAGE, false);
}

TEST_F(windows, ranges_of_control)
{
	unsigned int i;

	for (i = 0; i < COUNT(ranges); i++)
		check_range(ranges[i].name,
			    control_at(&self->layout, ranges[i].first),
			    ranges[i].nr * PAGE, ranges[i].writable);
}

TEST_F(windows, header_and_status)
{
	size_t at;

	check_range("header page", self->control, PAGE, false);
	check_range("header page and own", self->control, 2 * PAGE, false);
	check_range("status", self->status, self->status_size, false);
	for (at = 0; at < self->status_size; at += PAGE)
		check_range("page of status", self->status + at, PAGE, false);
}

TEST_F(windows, the_other_slot)
{
	char *mine, *theirs, *all;
	unsigned int i;

	all = map(self->fd, 0, self->layout.data_size, PROT_READ);
	ASSERT_NE(MAP_FAILED, all);
	for (i = 0; i < NR_FOLIOS; i++) {
		bool can = i == FOLIO_FOREIGN || i == FOLIO_SHARED;

		EXPECT_EQ(can ? 0 : EACCES,
			  map_error(self->foreign, i * self->folio,
				    self->folio, RW, MAP_SHARED));
	}
	mine = map(self->fd, FOLIO_OWN * self->folio, self->folio, RW);
	theirs = map(self->foreign, FOLIO_FOREIGN * self->folio, self->folio,
		     RW);
	ASSERT_NE(MAP_FAILED, mine);
	ASSERT_NE(MAP_FAILED, theirs);
	memset(mine, 1, self->folio);
	memset(theirs, 2, self->folio);
	/* Each is where it belongs, and nowhere else. */
	EXPECT_TRUE(all_bytes(all, self->folio, 1));
	EXPECT_TRUE(all_bytes(all + self->folio, self->folio, 2));
	EXPECT_TRUE(all_bytes(all + 2 * self->folio, 3 * self->folio, 0));
}

TEST_F(windows, outside)
{
	uint64_t data = self->layout.data_size;
	uint64_t control_end = self->control + self->layout.control_size;
	uint64_t status_end = self->status + self->status_size;
	const struct { uint64_t at; size_t len; } wrong[] = {
		{ data, PAGE },
		{ data - PAGE, 2 * PAGE },
		{ 0, data + PAGE },
		{ 0, status_end },
		{ self->control - PAGE, 2 * PAGE },
		{ control_end, PAGE },
		{ control_end - PAGE, 2 * PAGE },
		{ self->status - PAGE, 2 * PAGE },
		{ status_end, PAGE },
		{ status_end - PAGE, 2 * PAGE },
		{ 1ULL << 40, PAGE },
		{ ((uint64_t)INT64_MAX & ~(PAGE - 1)) - PAGE, PAGE },
	};
	unsigned int i;
	int err;

	for (i = 0; i < COUNT(wrong); i++) {
		/* Without a gap there is another area behind the data. */
		if (wrong[i].at == self->control)
			continue;
		err = map_error(self->fd, wrong[i].at, wrong[i].len,
				PROT_READ, MAP_SHARED);
		EXPECT_TRUE(err == EINVAL || err == EOVERFLOW)
			TH_LOG("row %u: %d", i, err);
	}
}

TEST_F(windows, private)
{
	uint64_t own = FOLIO_OWN * self->folio;

	EXPECT_EQ(EINVAL, map_error(self->fd, own, PAGE, PROT_READ,
				    MAP_PRIVATE));
	EXPECT_EQ(EINVAL, map_error(self->fd, own, PAGE, RW, MAP_PRIVATE));
	EXPECT_EQ(EINVAL, map_error(self->fd, self->status, PAGE, PROT_READ,
				    MAP_PRIVATE));
}

TEST_F(windows, executable)
{
	uint64_t own = FOLIO_OWN * self->folio;
	char *p;

	EXPECT_EQ(EPERM, map_error(self->fd, own, PAGE, PROT_READ | PROT_EXEC,
				   MAP_SHARED));
	EXPECT_EQ(EPERM, map_error(self->fd, own, PAGE, RW | PROT_EXEC,
				   MAP_SHARED));
	p = map(self->fd, own, PAGE, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(p, PAGE, PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(0, probe_write(p));
}

/* A program for which everything readable is executable still can map. */
TEST_F(windows, read_implies_exec)
{
	char maps[8192], *line;
	char *p;

	ASSERT_LE(0, personality(READ_IMPLIES_EXEC));
	p = map(self->fd, 0, PAGE, PROT_READ);
	personality(0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_LT(0, read_text("/proc/self/maps", maps, sizeof(maps)));
	line = strstr(maps, DEVICE);
	ASSERT_NE(NULL, line);
	while (line > maps && line[-1] != '\n')
		line--;
	line = strchr(line, ' ');
	ASSERT_NE(NULL, line);
	EXPECT_EQ(0, strncmp(line, " r--s ", 6));
}

/* It asks ->mmap again, with another offset. */
TEST_F(windows, remap_file_pages)
{
	unsigned long foreign = FOLIO_FOREIGN * self->folio / PAGE;
	char *all, *p;
	long ret;

	all = map(self->fd, 0, self->layout.data_size, PROT_READ);
	p = map(self->fd, FOLIO_OWN * self->folio, self->folio, RW);
	ASSERT_NE(MAP_FAILED, all);
	ASSERT_NE(MAP_FAILED, p);
	*p = 7;
	ret = syscall(SYS_remap_file_pages, p, PAGE, 0, foreign, 0);
	EXPECT_EQ(-1, ret);
	probe_write(p);
	EXPECT_TRUE(all_bytes(all + FOLIO_FOREIGN * self->folio, self->folio,
			      0));
}

/* What a debugger may, it may not do to its own process's mappings. */
TEST_F(windows, forced_writes)
{
	uint64_t foreign = FOLIO_FOREIGN * self->folio;
	char byte = 0x66;
	struct iovec local = { &byte, 1 }, remote = { NULL, 1 };
	char *p, *status;
	int mem;

	p = map(self->fd, foreign, PAGE, PROT_READ);
	status = map(self->fd, self->status, PAGE, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, status);
	mem = open("/proc/self/mem", O_RDWR);
	ASSERT_LE(0, mem);
	/* Present in the page table, and not. */
	EXPECT_EQ(-1, pwrite(mem, &byte, 1, (off_t)(uintptr_t)(p + 64)));
	EXPECT_EQ(0, p[64]);
	EXPECT_EQ(-1, pwrite(mem, &byte, 1, (off_t)(uintptr_t)(p + 64)));
	EXPECT_EQ(-1, pwrite(mem, &byte, 1, (off_t)(uintptr_t)status));
	remote.iov_base = p;
	EXPECT_EQ(-1, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	/* A read into it is a write to it. */
	EXPECT_EQ(-1, pread(mem, p, 1, (off_t)(uintptr_t)&byte));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, p[64]);
	EXPECT_EQ(0, p[0]);
	EXPECT_EQ(1, status[0]);
	/* Reading is not refused. */
	EXPECT_EQ(1, pread(mem, &byte, 1, (off_t)(uintptr_t)p));
	EXPECT_EQ(0, byte);
#ifdef MADV_POPULATE_WRITE
	EXPECT_EQ(-1, madvise(p, PAGE, MADV_POPULATE_WRITE));
	EXPECT_EQ(-1, madvise(status, PAGE, MADV_POPULATE_WRITE));
#endif
}

/* The same by somebody who may trace us. */
TEST_F(windows, forced_writes_by_another)
{
	char path[32], byte = 0x66;
	int status, mem;
	pid_t pid;
	char *p;

	p = map(self->fd, FOLIO_FOREIGN * self->folio, PAGE, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, p[5]);
	snprintf(path, sizeof(path), "/proc/%d/mem", getpid());
	pid = fork();
	if (!pid) {
		mem = open(path, O_RDWR);
		if (mem < 0)
			_exit(1);
		_exit(pwrite(mem, &byte, 1, (off_t)(uintptr_t)(p + 5)) != -1);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, p[5]);
}

TEST_HARNESS_MAIN
