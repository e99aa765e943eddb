// SPDX-License-Identifier: GPL-2.0-only
/*
 * Core dumps leave region memory out, unless its creator wanted it in.
 */

#include "../kselftest_harness.h"

#include <elf.h>
#include <sys/resource.h>

#include "test_window.h"

#define CORE_PATTERN	"/proc/sys/kernel/core_pattern"

/* Which flags the kernel shows for a mapping. */
static bool has_flag(const void *addr, const char *flag)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	unsigned long start, end;
	bool here = false, has = false;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (uintptr_t)addr &&
			       (uintptr_t)addr < end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			has = strstr(line, flag) != NULL;
	}
	if (f)
		fclose(f);
	return has;
}

TEST_F(memory, flag)
{
	struct layout l = layout;
	char *p;
	int fd;

	EXPECT_TRUE(has_flag(self->own, " dd"));
	/* Its creator's word counts, not a member's. */
	EXPECT_EQ(-1, madvise(self->own, folio, MADV_DODUMP));
	EXPECT_TRUE(has_flag(self->own, " dd"));
	l.name = NULL;
	l.flags |= SHMCHAN_CREATE_DUMP;
	fd = create_joined(&l, 0);
	ASSERT_LE(0, fd);
	p = map(fd, 0, folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_FALSE(has_flag(p, " dd"));
}

/* Real ones: where the kernel is to put them, and what is in them. */

FIXTURE(core) {
	char pattern[128];
	char dir[32];
	char file[64];
	struct peer peer;
	long own;
	long foreign;
	FILE *core;
};

FIXTURE_VARIANT(core) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(core, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(core, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_VARIANT_ADD(core, huge_dump) {
	.flags = SHMCHAN_CREATE_DUMP,
};

FIXTURE_VARIANT_ADD(core, small_dump) {
	.flags = SHMCHAN_CREATE_SMALL | SHMCHAN_CREATE_DUMP,
};

/* In the peer: a member with its window full, and another's to be read. */
static long prepare_to_crash(long a, long b)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = open_joined(layout.name, 0);

	(void)a;
	(void)b;
	if (fd < 0)
		return fd;
	peer_own = map(fd, FOLIO_OWN * folio, folio, RW);
	peer_shared = map(fd, FOLIO_FOREIGN * folio, folio, PROT_READ);
	if (peer_own == MAP_FAILED || peer_shared == MAP_FAILED)
		return -errno;
	fill_pattern(peer_own);
	if (setrlimit(RLIMIT_CORE, &all))
		return -errno;
	return (long)peer_shared;
}

FIXTURE_SETUP(core)
{
	char wanted[64];

	if (geteuid() || access(CORE_PATTERN, W_OK))
		SKIP(return, "only root can say where core dumps go");
	layout = layout_default(variant->flags, true);
	layout.name = own_name();
	folio = folio_size(&layout);
	ASSERT_LT(0, read_text(CORE_PATTERN, self->pattern,
			       sizeof(self->pattern)));
	strcpy(self->dir, "/tmp/shmchan-core-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(wanted, sizeof(wanted), "%s/%%p", self->dir);
	ASSERT_EQ(0, write_text(CORE_PATTERN, wanted));

	ASSERT_LE(0, create_region(&layout));
	ASSERT_EQ(0, peer_start(&self->peer));
	self->foreign = peer_call(&self->peer, prepare_to_crash, 0, 0);
	ASSERT_LT(0, self->foreign);
	self->own = peer_call(&self->peer, peer_where_own, 0, 0);
	snprintf(self->file, sizeof(self->file), "%s/%d", self->dir,
		 self->peer.pid);
}

FIXTURE_TEARDOWN(core)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
	if (self->core)
		fclose(self->core);
	if (self->pattern[0])
		write_text(CORE_PATTERN, self->pattern);
	if (self->file[0])
		unlink(self->file);
	if (self->dir[0])
		rmdir(self->dir);
}

static long crash(long a, long b)
{
	(void)a;
	(void)b;
	abort();
}

#define take_core() do {						\
	int _status;							\
									\
	EXPECT_EQ(PEER_DEAD, peer_call(&self->peer, crash, 0, 0));	\
	_status = peer_reap(&self->peer);				\
	EXPECT_TRUE(WIFSIGNALED(_status) && WCOREDUMP(_status));	\
	self->core = fopen(self->file, "re");				\
	ASSERT_NE(NULL, self->core);					\
} while (0)

/* The segment of a core dump that an address is in. */
static bool segment_at(FILE *core, unsigned long addr, Elf64_Phdr *segment)
{
	Elf64_Ehdr head;
	unsigned int i;

	rewind(core);
	if (fread(&head, sizeof(head), 1, core) != 1 ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_type != ET_CORE ||
	    fseek(core, head.e_phoff, SEEK_SET))
		return false;
	for (i = 0; i < head.e_phnum; i++) {
		if (fread(segment, sizeof(*segment), 1, core) != 1)
			return false;
		if (segment->p_type == PT_LOAD && segment->p_vaddr <= addr &&
		    addr - segment->p_vaddr < segment->p_memsz)
			return true;
	}
	return false;
}

TEST_F(core, segments)
{
	bool wanted = variant->flags & SHMCHAN_CREATE_DUMP;
	Elf64_Phdr segment = {};
	char *bytes;

	take_core();
	bytes = calloc(1, folio);
	ASSERT_NE(NULL, bytes);
	ASSERT_TRUE(segment_at(self->core, self->own, &segment));
	EXPECT_EQ(self->own, segment.p_vaddr);
	EXPECT_EQ(folio, segment.p_memsz);
	EXPECT_EQ(wanted ? folio : 0, segment.p_filesz);
	if (wanted) {
		EXPECT_EQ(0, fseek(self->core, segment.p_offset, SEEK_SET));
		EXPECT_EQ(folio, fread(bytes, 1, folio, self->core));
		EXPECT_TRUE(intact(bytes));
	}
	ASSERT_TRUE(segment_at(self->core, self->foreign, &segment));
	EXPECT_EQ(wanted ? folio : 0, segment.p_filesz);
	free(bytes);
	/* The crash was the end of a member, as others are. */
	EXPECT_LE(0, open_joined(layout.name, 0));
}

/*
 * Is a stretch of the pattern anywhere in a file?  Tables of characters are
 * like its beginning, but do not come round.
 */
static bool has_pattern(FILE *f)
{
	static unsigned char block[65536];
	unsigned char want[600];
	size_t at, got, keep = 0;

	for (at = 0; at < sizeof(want); at++)
		want[at] = pattern(at);
	rewind(f);
	while ((got = fread(block + keep, 1, sizeof(block) - keep, f))) {
		got += keep;
		if (memmem(block, got, want, sizeof(want)))
			return true;
		keep = got < sizeof(want) ? got : sizeof(want);
		memmove(block, block + got - keep, keep);
	}
	return false;
}

/* In no place, however much the process wants to have dumped. */
TEST_F(core, whole_file)
{
	char filter[48];

	snprintf(filter, sizeof(filter), "/proc/%d/coredump_filter",
		 self->peer.pid);
	ASSERT_EQ(0, write_text(filter, "0x1ff"));
	take_core();
	EXPECT_EQ(!!(variant->flags & SHMCHAN_CREATE_DUMP),
		  has_pattern(self->core));
}

TEST_HARNESS_MAIN
