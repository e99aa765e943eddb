// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf of a region: what of it can be exported, how it is mapped, and how
 * long it lives.  dmabuf_import has the devices.
 */

#include "../kselftest_harness.h"

#include <linux/dma-buf.h>

#include "test_memory.h"
#include "test_module.h"
#include "test_peer.h"

#define RW	(PROT_READ | PROT_WRITE)

static struct layout layout;

FIXTURE(dmabuf) {
	struct peer peer;
	struct status status;
	size_t folio;
	int fd;			/* slot 0 */
};

FIXTURE_VARIANT(dmabuf) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(dmabuf, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(dmabuf, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_VARIANT_ADD(dmabuf, contig) {
	.flags = SHMCHAN_CREATE_CONTIG,
};

FIXTURE_SETUP(dmabuf)
{
	struct shmchan_query_device q;

	ASSERT_EQ(0, query_device(&q));
	if (!(q.features & SHMCHAN_FEATURE_DMABUF))
		SKIP(return, "this module exports no dma-bufs");
	layout = layout_default(variant->flags, true);
	if (variant->flags & SHMCHAN_CREATE_CONTIG && geteuid())
		SKIP(return, "only root may ask for that much");
	layout.name = own_name();
	self->folio = folio_size(&layout);
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
}

FIXTURE_TEARDOWN(dmabuf)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

/* In a peer: reads and, if @value is not 0, writes the first byte of a file. */
static long touch(long fd, long value)
{
	char *p = map(fd, 0, PAGE, value ? RW : PROT_READ);
	long was;

	if (p == MAP_FAILED)
		return -errno;
	was = p[0];
	if (value)
		p[0] = value;
	munmap(p, PAGE);
	return was;
}

/* Another process sees the region's bytes, and we see its. */
TEST_F(dmabuf, both_ways)
{
	char *p = map(self->fd, 0, self->folio, RW);
	long theirs;
	int buf;

	ASSERT_NE(MAP_FAILED, p);
	buf = export_dmabuf(self->fd, 0, self->folio, SHMCHAN_EXPORT_WRITE);
	ASSERT_LE(0, buf);
	EXPECT_EQ(FD_CLOEXEC, fcntl(buf, F_GETFD));
	theirs = peer_give(&self->peer, buf);
	ASSERT_LE(0, theirs);
	p[0] = 11;
	EXPECT_EQ(11, peer_call(&self->peer, touch, theirs, 22));
	EXPECT_EQ(22, p[0]);
	p[0] = 33;
	EXPECT_EQ(33, peer_call(&self->peer, touch, theirs, 0));
}

/* Offsets in it are from where it begins. */
TEST_F(dmabuf, ranges)
{
	const struct { uint64_t at; size_t size; } ranges[] = {
		{ 0, layout.data_size },
		{ PAGE, PAGE },
		{ self->folio, 2 * self->folio },
		{ 2 * self->folio - PAGE, PAGE },
		{ layout.data_size - PAGE, PAGE },
		{ SHMCHAN_CONTROL_OFFSET(layout.data_size),
		  layout.control_size },
		{ control_at(&layout, 2), 2 * PAGE },
	};
	unsigned int i;
	char *p, *q;
	size_t at;
	int buf;

	/* Its own windows get a pattern; the rest is zero. */
	p = map(self->fd, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	for (at = 0; at < self->folio; at += PAGE)
		memset(p + at, at / PAGE + 1, PAGE);
	p = map(self->fd, control_at(&layout, FOLIO_SHARED), PAGE, RW);
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 99, PAGE);
	for (i = 0; i < COUNT(ranges); i++) {
		if (ranges[i].at + ranges[i].size > layout.data_size &&
		    ranges[i].at < layout.data_size)
			continue;
		buf = export_dmabuf(self->fd, ranges[i].at, ranges[i].size, 0);
		ASSERT_LE(0, buf)
			TH_LOG("range %u: %s", i, strerror(-buf));
		EXPECT_EQ(ranges[i].size, lseek(buf, 0, SEEK_END));
		EXPECT_EQ(0, lseek(buf, 0, SEEK_SET));
		p = map(self->fd, ranges[i].at, ranges[i].size, PROT_READ);
		q = map(buf, 0, ranges[i].size, PROT_READ);
		ASSERT_NE(MAP_FAILED, p);
		ASSERT_NE(MAP_FAILED, q);
		EXPECT_EQ(0, memcmp(p, q, ranges[i].size));
		munmap(q, ranges[i].size);
		/* From some page on, and not beyond its end. */
		q = map(buf, ranges[i].size - PAGE, PAGE, PROT_READ);
		ASSERT_NE(MAP_FAILED, q);
		EXPECT_EQ(0, memcmp(p + ranges[i].size - PAGE, q, PAGE));
		munmap(q, PAGE);
		EXPECT_EQ(EINVAL, map_error(buf, 0, ranges[i].size + PAGE,
					    PROT_READ, MAP_SHARED));
		EXPECT_EQ(EINVAL, map_error(buf, ranges[i].size, PAGE,
					    PROT_READ, MAP_SHARED));
		munmap(p, ranges[i].size);
		close(buf);
	}
}

/* Writable only where every byte is writable to the member. */
TEST_F(dmabuf, windows)
{
	static const struct {
		unsigned int first;
		unsigned int nr;
		int write;
	} ranges[] = {
		{ FOLIO_OWN,		1, 0 },
		{ FOLIO_FOREIGN,	1, -EACCES },
		{ FOLIO_SHARED,		1, 0 },
		{ FOLIO_SHARED,		2, 0 },
		{ FOLIO_NOBODY,		1, -EACCES },
		{ FOLIO_OWN,		2, -EACCES },
		{ FOLIO_OWN2,		2, -EACCES },
		{ FOLIO_OWN,		NR_FOLIOS, -EACCES },
	};
	unsigned int i, area;
	uint64_t at;
	size_t size;
	int buf;

	for (area = 0; area < 2; area++) {
		for (i = 0; i < COUNT(ranges); i++) {
			size = area ? PAGE : self->folio;
			at = area ? control_at(&layout, ranges[i].first) :
				    ranges[i].first * size;
			size *= ranges[i].nr;
			buf = export_dmabuf(self->fd, at, size,
					    SHMCHAN_EXPORT_WRITE);
			EXPECT_EQ(ranges[i].write, buf < 0 ? buf : 0)
				TH_LOG("area %u, range %u", area, i);
			close(buf);
			buf = export_dmabuf(self->fd, at, size, 0);
			EXPECT_LE(0, buf);
			close(buf);
		}
	}
	/* One page of a foreign window is enough. */
	EXPECT_EQ(-EACCES, export_dmabuf(self->fd, self->folio - PAGE, 2 * PAGE,
					 SHMCHAN_EXPORT_WRITE));
	/* The header page is nobody's. */
	EXPECT_EQ(-EACCES,
		  export_dmabuf(self->fd,
				SHMCHAN_CONTROL_OFFSET(layout.data_size), PAGE,
				SHMCHAN_EXPORT_WRITE));
}

TEST_F(dmabuf, bounds)
{
	uint64_t control = SHMCHAN_CONTROL_OFFSET(layout.data_size);
	uint64_t status = self->status.offset;
	const struct { uint64_t at, size; } bad[] = {
		{ 0, 0 },
		{ 0, 1 },
		{ 1, PAGE },
		{ PAGE, PAGE - 1 },
		{ 0, layout.data_size + PAGE },
		{ layout.data_size - PAGE, 2 * PAGE },
		{ control + layout.control_size, PAGE },
		{ control, layout.control_size + PAGE },
		{ 0, control + PAGE },
		{ status, PAGE },
		{ status, self->status.size },
		{ 0, ~0ULL << 12 },
		{ ~0ULL << 12, PAGE },
		{ ~0ULL << 12, 2 * PAGE },
	};
	unsigned int i;

	for (i = 0; i < COUNT(bad); i++) {
		EXPECT_EQ(-EINVAL, export_dmabuf(self->fd, bad[i].at,
						 bad[i].size, 0))
			TH_LOG("range %u", i);
		EXPECT_EQ(-EINVAL, export_dmabuf(self->fd, bad[i].at,
						 bad[i].size,
						 SHMCHAN_EXPORT_WRITE))
			TH_LOG("range %u", i);
	}
}

/* Nothing makes a read-only one writable. */
TEST_F(dmabuf, read_only)
{
	char path[64], *mine, *p;
	int buf, again;

	mine = map(self->fd, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, mine);
	buf = export_dmabuf(self->fd, 0, self->folio, 0);
	ASSERT_LE(0, buf);
	EXPECT_EQ(EACCES, map_error(buf, 0, PAGE, RW, MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(buf, 0, PAGE, PROT_WRITE, MAP_SHARED));
	p = map(buf, 0, PAGE, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	mine[0] = 5;
	EXPECT_EQ(5, p[0]);
	EXPECT_EQ(SIGSEGV, probe_write(p));
	EXPECT_EQ(-1, mprotect(p, PAGE, RW));
	EXPECT_EQ(EACCES, errno);
	/* A copy of one's own, if there is one, is one's own. */
	p = mmap(NULL, PAGE, RW, MAP_PRIVATE, buf, 0);
	if (p != MAP_FAILED) {
		p[0] = 6;
		EXPECT_EQ(5, mine[0]);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", buf);
	again = open(path, O_RDWR);
	if (again >= 0)
		EXPECT_NE(0, map_error(again, 0, PAGE, RW, MAP_SHARED));
	EXPECT_EQ(-1, pwrite(buf, "x", 1, 0));
	EXPECT_EQ(5, mine[0]);
}

TEST_F(dmabuf, rights)
{
	static const struct {
		unsigned int rights;
		int read;
		int write;
	} with[] = {
		{ RIGHTS_RW, 0, 0 },
		{ SHMCHAN_RIGHT_MAP_READ, 0, -EACCES },
		{ SHMCHAN_RIGHT_MAP_WRITE, -EACCES, -EACCES },
		{ SHMCHAN_RIGHT_WAIT | SHMCHAN_RIGHT_RING, -EACCES, -EACCES },
		{ SHMCHAN_RIGHT_ALL & ~SHMCHAN_RIGHT_MAP_READ, -EACCES,
		  -EACCES },
	};
	uint64_t at = FOLIO_SHARED * self->folio;
	unsigned int i;
	int fd, buf;

	for (i = 0; i < COUNT(with); i++) {
		fd = open_region(layout.name, with[i].rights);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-ENOTCONN, export_dmabuf(fd, at, PAGE, 0));
		ASSERT_LT(0, join(fd, 2));
		buf = export_dmabuf(fd, at, PAGE, 0);
		EXPECT_EQ(with[i].read, buf < 0 ? buf : 0)
			TH_LOG("rights %#x", with[i].rights);
		close(buf);
		buf = export_dmabuf(fd, at, PAGE, SHMCHAN_EXPORT_WRITE);
		EXPECT_EQ(with[i].write, buf < 0 ? buf : 0)
			TH_LOG("rights %#x", with[i].rights);
		close(buf);
		close(fd);
	}
}

TEST_F(dmabuf, sync)
{
	static const uint64_t kinds[] = {
		DMA_BUF_SYNC_READ, DMA_BUF_SYNC_WRITE, DMA_BUF_SYNC_RW,
	};
	struct dma_buf_sync s;
	unsigned int i, write;
	int buf;

	for (write = 0; write < 2; write++) {
		buf = export_dmabuf(self->fd, 0, PAGE, write);
		ASSERT_LE(0, buf);
		for (i = 0; i < COUNT(kinds); i++) {
			s.flags = kinds[i] | DMA_BUF_SYNC_START;
			EXPECT_EQ(0, ioctl(buf, DMA_BUF_IOCTL_SYNC, &s));
			s.flags = kinds[i] | DMA_BUF_SYNC_END;
			EXPECT_EQ(0, ioctl(buf, DMA_BUF_IOCTL_SYNC, &s));
		}
		close(buf);
	}
}

/* Those who map it are no members, so LEAVE takes nothing from them. */
TEST_F(dmabuf, after_leave)
{
	char *mine, *p, *q;
	int buf;

	mine = map(self->fd, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, mine);
	buf = export_dmabuf(self->fd, 0, self->folio, SHMCHAN_EXPORT_WRITE);
	ASSERT_LE(0, buf);
	p = map(buf, 0, self->folio, RW);
	q = map(buf, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	p[0] = 1;
	p[self->folio - 1] = 2;
	ASSERT_EQ(0, leave(self->fd));
	EXPECT_EQ(SIGBUS, probe_read(mine));
	/* One that was touched before, and one that was not. */
	EXPECT_EQ(0, probe_write(p));
	EXPECT_EQ(2, q[0]);
	EXPECT_EQ(2, q[self->folio - 1]);
	EXPECT_EQ(-ESTALE, export_dmabuf(self->fd, 0, PAGE, 0));
}

TEST_F(dmabuf, fork)
{
	int buf, status;
	char *p, *mine;
	pid_t pid;

	mine = map(self->fd, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, mine);
	buf = export_dmabuf(self->fd, 0, self->folio, SHMCHAN_EXPORT_WRITE);
	ASSERT_LE(0, buf);
	p = map(buf, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	mine[0] = 1;
	p[1] = 2;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (p[0] != 1 || p[1] != 2)
			_exit(1);
		p[2] = 3;
		_exit(munmap(p, self->folio) ? 2 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(3, mine[2]);
	EXPECT_EQ(0, probe_write(p));
}

/* In a peer: joins slot 0 and exports its window. */
static long join_and_export(long slot, long size)
{
	int fd = open_joined(layout.name, slot);
	int buf;

	if (fd < 0)
		return fd;
	buf = export_dmabuf(fd, 0, size, SHMCHAN_EXPORT_WRITE);
	/* The answer is a number, so the file goes by itself. */
	return buf < 0 ? buf : send_fd(peer_sock, buf);
}

/* Not by READ_IMPLIES_EXEC either, nor later. */
TEST_F(dmabuf, not_executable)
{
	int buf = export_dmabuf(self->fd, 0, self->folio, SHMCHAN_EXPORT_WRITE);
	char *p;

	ASSERT_LE(0, buf);
	EXPECT_EQ(EPERM, map_error(buf, 0, PAGE, PROT_READ | PROT_EXEC,
				   MAP_SHARED));
	p = map(buf, 0, PAGE, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(-1, mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
}

/* Else any reader could keep every slot from its next holder, for ever. */
TEST_F(dmabuf, reading_holds_no_slot)
{
	int reader = open_joined(layout.name, 3), buf;
	char *p;

	ASSERT_LE(0, reader);
	buf = export_dmabuf(reader, 0, self->folio, 0);
	ASSERT_LE(0, buf);
	p = map(buf, 0, PAGE, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, p[0]);
	ASSERT_EQ(0, leave(self->fd));
	self->fd = open_joined(layout.name, 0);
	EXPECT_LE(0, self->fd);
	/* It shows what the next holder writes. */
	((char *)map(self->fd, 0, PAGE, RW))[0] = 9;
	EXPECT_EQ(9, p[0]);
}

/* The next holder of a slot must not be written to by devices of the last. */
#define check_held() do {						\
	int _fd;							\
									\
	EXPECT_EQ(-EBUSY, open_joined(layout.name, 0));			\
	EXPECT_EQ(-EBUSY, open_joined(layout.name, 0));			\
	_fd = open_joined(layout.name, 1);				\
	EXPECT_LE(0, _fd);						\
	close(_fd);							\
	_fd = open_joined(layout.name, 1);				\
	EXPECT_LE(0, _fd);						\
	close(_fd);							\
} while (0)

TEST_F(dmabuf, holds_the_slot)
{
	int watcher, buf;
	char *p;

	/* The peer is slot 0; we stay, as somebody else. */
	watcher = open_joined(layout.name, 3);
	ASSERT_LE(0, watcher);
	ASSERT_EQ(0, leave(self->fd));
	peer_send(&self->peer, join_and_export, 0, self->folio);
	buf = recv_fd(self->peer.sock);
	ASSERT_LE(0, buf);
	ASSERT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
	peer_kill(&self->peer);
	check_held();
	p = map(buf, 0, PAGE, RW);
	ASSERT_NE(MAP_FAILED, p);
	p[0] = 7;
	check_held();
	/* A mapping is enough to hold it. */
	close(buf);
	check_held();
	EXPECT_EQ(7, p[0]);
	munmap(p, PAGE);
	EXPECT_TRUE(eventually(open_joined(layout.name, 0) >= 0));
	p = map(watcher, 0, PAGE, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(7, p[0]);
}

/* Who exported it may hold the slot again no sooner either. */
TEST_F(dmabuf, holds_the_slot_after_leave)
{
	int keeper = open_joined(layout.name, 3);
	struct status status = {};
	int buf, fd;

	ASSERT_LE(0, keeper);
	/* One page of a folio is all of it. */
	buf = export_dmabuf(self->fd, self->folio - PAGE, PAGE,
			    SHMCHAN_EXPORT_WRITE);
	ASSERT_LE(0, buf);
	ASSERT_EQ(0, leave(self->fd));
	ASSERT_EQ(0, map_status(keeper, &status));
	check_held();
	EXPECT_EQ(SHMCHAN_SLOT_LEFT, slot_state(&status, 0));
	close(buf);
	EXPECT_TRUE(eventually((fd = open_joined(layout.name, 0)) >= 0));
	EXPECT_EQ(2, slot_gen(&status, 0));
}

/* The memory stays with it, and counts; then all of it goes back. */
TEST_F(dmabuf, outlives_the_region)
{
	struct layout l = layout_default(variant->flags, true);
	int64_t before = user_bytes(), whole;
	int fd, buf;
	char *p;

	l.name = "short-lived";
	fd = create_joined(&l, 0);
	ASSERT_LE(0, fd);
	whole = user_bytes() - before;
	p = map(fd, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	memset(p, 0x77, self->folio);
	munmap(p, self->folio);
	buf = export_dmabuf(fd, 0, self->folio, SHMCHAN_EXPORT_WRITE);
	ASSERT_LE(0, buf);
	close(fd);
	EXPECT_EQ(-ENOENT, open_region(l.name, RIGHTS_RW));
	p = map(buf, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(all_bytes(p, self->folio, 0x77));
	EXPECT_LE((int64_t)self->folio, user_bytes() - before);
	EXPECT_GE(whole, user_bytes() - before);
	close(buf);
	EXPECT_LE((int64_t)self->folio, user_bytes() - before);
	EXPECT_EQ(0, probe_write(p));
	munmap(p, self->folio);
	EXPECT_TRUE(eventually(user_bytes() == before));
}

TEST_F(dmabuf, holds_the_module)
{
	int buf;

	if (geteuid())
		SKIP(return, "only root unloads modules");
	buf = export_dmabuf(self->fd, 0, self->folio, 0);
	ASSERT_LE(0, buf);
	munmap((void *)self->status.head, self->status.size);
	peer_stop(&self->peer);
	close(self->fd);
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	usleep(100000);
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	EXPECT_EQ(self->folio, lseek(buf, 0, SEEK_END));
}

/* Many at once, of the same bytes. */
TEST_F(dmabuf, many)
{
	char *p = map(self->fd, 0, PAGE, RW), *q;
	int64_t before = user_bytes();
	int bufs[64];
	unsigned int i;

	ASSERT_NE(MAP_FAILED, p);
	for (i = 0; i < COUNT(bufs); i++) {
		bufs[i] = export_dmabuf(self->fd, 0, self->folio,
					SHMCHAN_EXPORT_WRITE);
		ASSERT_LE(0, bufs[i]);
	}
	/* They add no memory. */
	EXPECT_EQ(before, user_bytes());
	for (i = 0; i < COUNT(bufs); i++) {
		q = map(bufs[i], 0, PAGE, RW);
		ASSERT_NE(MAP_FAILED, q);
		q[0] = i;
		EXPECT_EQ(i, p[0]);
		munmap(q, PAGE);
		close(bufs[i]);
	}
}

TEST_HARNESS_MAIN
