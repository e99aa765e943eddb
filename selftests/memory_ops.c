// SPDX-License-Identifier: GPL-2.0-only
/*
 * Region memory is ordinary memory to the rest of the kernel: what works on
 * shared file memory works on it; what would take it away is refused or does
 * nothing.
 */

#include "../kselftest_harness.h"

#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <sys/stat.h>
#include <sys/uio.h>

#ifndef MADV_COLD
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif

#include "test_peer.h"
#include "test_smaps.h"

#define RW	(PROT_READ | PROT_WRITE)

static struct layout layout;
static size_t folio;

FIXTURE(ops) {
	struct peer peer;
	int fd;
	char *own;
	char *shared;
};

FIXTURE_VARIANT(ops) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(ops, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(ops, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

/* What byte @at of the test's window is. */
static unsigned char pattern(size_t at)
{
	return at % 251 + 1;
}

static bool intact(const char *p)
{
	size_t at;

	for (at = 0; at < folio; at++)
		if ((unsigned char)p[at] != pattern(at))
			return false;
	return true;
}

FIXTURE_SETUP(ops)
{
	size_t at;

	layout = layout_default(variant->flags, true);
	layout.name = own_name();
	folio = folio_size(&layout);
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	self->own = map(self->fd, FOLIO_OWN * folio, folio, RW);
	self->shared = map(self->fd, FOLIO_SHARED * folio, folio, RW);
	ASSERT_NE(MAP_FAILED, self->own);
	ASSERT_NE(MAP_FAILED, self->shared);
	for (at = 0; at < folio; at++)
		self->own[at] = pattern(at);
}

FIXTURE_TEARDOWN(ops)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

static uint32_t *peer_word;

/* In the peer: joins slot 1 and maps the shared window. */
static long peer_map_shared(long a, long b)
{
	int fd = open_joined(layout.name, 1);
	char *p = map(fd, FOLIO_SHARED * folio, folio, RW);

	(void)a;
	(void)b;
	if (p == MAP_FAILED)
		return 0;
	peer_word = (uint32_t *)(p + folio - 64);
	return (long)p;
}

static long peer_futex_wait(long value, long b)
{
	(void)b;
	if (syscall(SYS_futex, peer_word, FUTEX_WAIT, value, NULL, NULL, 0))
		return -errno;
	return *peer_word;
}

TEST_F(ops, futex)
{
	uint32_t *word = (uint32_t *)(self->shared + folio - 64);

	ASSERT_LT(0, peer_call(&self->peer, peer_map_shared, 0, 0));
	EXPECT_EQ(-EAGAIN, peer_call(&self->peer, peer_futex_wait, 1, 0));
	peer_send(&self->peer, peer_futex_wait, 0, 0);
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));
	__atomic_store_n(word, 5, __ATOMIC_SEQ_CST);
	EXPECT_TRUE(eventually(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL,
				       NULL, 0) == 1));
	EXPECT_EQ(5, peer_answer(&self->peer, PATIENCE_MS));
}

TEST_F(ops, process_vm_readv)
{
	struct iovec local, remote;
	char buf[256];
	long theirs;

	theirs = peer_call(&self->peer, peer_map_shared, 0, 0);
	ASSERT_LT(0, theirs);
	memcpy(self->shared, self->own, sizeof(buf));
	local = (struct iovec) { buf, sizeof(buf) };
	remote = (struct iovec) { (void *)theirs, sizeof(buf) };
	EXPECT_EQ(sizeof(buf), process_vm_readv(self->peer.pid, &local, 1,
						&remote, 1, 0));
	EXPECT_EQ(0, memcmp(buf, self->own, sizeof(buf)));
}

TEST_F(ops, read_and_write)
{
	FILE *file = tmpfile();
	int fd;

	ASSERT_NE(NULL, file);
	fd = fileno(file);
	EXPECT_EQ(folio, pwrite(fd, self->own, folio, 0));
	EXPECT_EQ(folio, pread(fd, self->shared, folio, 0));
	EXPECT_TRUE(intact(self->shared));
	fclose(file);
}

TEST_F(ops, vmsplice)
{
	struct iovec iov = { self->own + 100, 1000 };
	char buf[1000];
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(1000, vmsplice(pipes[1], &iov, 1, 0));
	EXPECT_EQ(1000, read(pipes[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, self->own + 100, sizeof(buf)));
}

/* Needs a disk that may be overwritten: SHMCHAN_TEST_DISK=/dev/... */
TEST_F(ops, o_direct)
{
	const char *disk = getenv("SHMCHAN_TEST_DISK");
	int fd;

	if (!disk)
		SKIP(return, "SHMCHAN_TEST_DISK names no disk to overwrite");
	fd = open(disk, O_RDWR | O_DIRECT);
	if (fd < 0)
		SKIP(return, "cannot open %s: %s", disk, strerror(errno));
	EXPECT_EQ(folio, pwrite(fd, self->own, folio, 0));
	memset(self->shared, 0, folio);
	EXPECT_EQ(folio, pread(fd, self->shared, folio, 0));
	EXPECT_TRUE(intact(self->shared));
	/* Not into what is not the member's to write. */
	EXPECT_EQ(-1, pread(fd, map(self->fd, FOLIO_FOREIGN * folio, PAGE,
				    PROT_READ), PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
	/* Pins of finished I/O are gone: the slot can be used again. */
	ASSERT_LE(0, open_joined(layout.name, 3));
	EXPECT_EQ(0, leave(self->fd));
	EXPECT_LE(0, open_joined(layout.name, 0));
}

TEST_F(ops, madvise_keeps_data)
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

TEST_F(ops, file_cannot_change)
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

/* The physical page of an address; 0 if that is not told. */
static uint64_t frame_of(const void *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t entry = 0;

	probe_read(p);
	if (fd < 0 || pread(fd, &entry, 8, (uintptr_t)p / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry >> 63 ? entry & ((1ULL << 55) - 1) : 0;
}

/* Nothing reclaims, migrates, or drops it. */
TEST_F(ops, stays_where_it_is)
{
	size_t pages[] = { 0, folio / 2 & ~(PAGE - 1), folio - PAGE };
	uint64_t frames[COUNT(pages)];
	unsigned int i;

	for (i = 0; i < COUNT(pages); i++)
		frames[i] = frame_of(self->own + pages[i]);
	if (!frames[0])
		SKIP(return, "frames are told to root only");
	sync();
	EXPECT_EQ(0, write_text("/proc/sys/vm/drop_caches", "3"));
	EXPECT_EQ(0, posix_fadvise(self->fd, 0, 0, POSIX_FADV_DONTNEED));
	madvise(self->own, folio, MADV_PAGEOUT);
	EXPECT_EQ(0, write_text("/proc/sys/vm/drop_caches", "3"));
	if (write_text("/proc/sys/vm/compact_memory", "1"))
		EXPECT_EQ(ENOENT, errno);
	for (i = 0; i < COUNT(pages); i++)
		EXPECT_EQ(frames[i], frame_of(self->own + pages[i]));
	EXPECT_TRUE(intact(self->own));
	if (!variant->flags)
		EXPECT_EQ(folio / 1024, smaps_kb(self->own, "FilePmdMapped"));
}

/* A page out of the middle; of a small folio that is all of it. */
TEST_F(ops, partial_munmap)
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

TEST_F(ops, partial_mprotect)
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

/* Somebody else's handler must not decide what a page holds. */
TEST_F(ops, userfaultfd)
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

TEST_F(ops, mlock)
{
	EXPECT_EQ(0, mlock(self->own, folio));
	EXPECT_EQ(0, munlock(self->own, folio));
	EXPECT_TRUE(intact(self->own));
}

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

TEST_F(ops, core_dump)
{
	struct layout l = layout;
	char *p;
	int fd;

	EXPECT_TRUE(has_flag(self->own, " dd"));
	l.name = NULL;
	l.flags |= SHMCHAN_CREATE_DUMP;
	fd = create_joined(&l, 0);
	ASSERT_LE(0, fd);
	p = map(fd, 0, folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_FALSE(has_flag(p, " dd"));
}

/* Where /proc shows it. */
TEST_F(ops, maps)
{
	char text[16384], want[64];

	snprintf(want, sizeof(want), DEVICE ":%s", layout.name);
	ASSERT_LT(0, read_text("/proc/self/maps", text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, want));
}

TEST_HARNESS_MAIN
