// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device uses a dma-buf of a region: vgem, a driver without hardware, takes
 * it as any graphics driver would, mapped for reading and writing.
 */

#include "../kselftest_harness.h"

#include <linux/dma-buf.h>
#include <sys/utsname.h>

#include "test_memory.h"
#include "test_module.h"
#include "test_peer.h"

#define RW	(PROT_READ | PROT_WRITE)

/* Of drm/drm.h, which the headers of libc do not always have. */

struct drm_version {
	int major, minor, patch;
	size_t name_len;
	char *name;
	size_t date_len;
	char *date;
	size_t desc_len;
	char *desc;
};

struct drm_gem_close {
	uint32_t handle;
	uint32_t pad;
};

struct drm_prime_handle {
	uint32_t handle;
	uint32_t flags;
	int32_t fd;
};

#define DRM_IOCTL_VERSION		_IOWR('d', 0x00, struct drm_version)
#define DRM_IOCTL_GEM_CLOSE		_IOW('d', 0x09, struct drm_gem_close)
#define DRM_IOCTL_PRIME_HANDLE_TO_FD	_IOWR('d', 0x2d, struct drm_prime_handle)
#define DRM_IOCTL_PRIME_FD_TO_HANDLE	_IOWR('d', 0x2e, struct drm_prime_handle)

static struct layout layout;

FIXTURE(import) {
	struct peer peer;
	size_t folio;
	int vgem;
	int fd;			/* slot 3 */
};

FIXTURE_VARIANT(import) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(import, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(import, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_VARIANT_ADD(import, contig) {
	.flags = SHMCHAN_CREATE_CONTIG,
};

/* Returns a file of the driver, or -ENODEV. */
static int open_vgem(void)
{
	char path[32], name[16];
	int i, fd;

	for (i = 0; i < 2 * 64; i++) {
		struct drm_version v = {
			.name = name,
			.name_len = sizeof(name) - 1,
		};

		snprintf(path, sizeof(path), "/dev/dri/%s%d",
			 i % 2 ? "card" : "renderD", i / 2 + (i % 2 ? 0 : 128));
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		memset(name, 0, sizeof(name));
		if (!ioctl(fd, DRM_IOCTL_VERSION, &v) && !strcmp(name, "vgem"))
			return fd;
		close(fd);
	}
	return -ENODEV;
}

FIXTURE_SETUP(import)
{
	struct shmchan_query_device q;

	ASSERT_EQ(0, query_device(&q));
	if (!(q.features & SHMCHAN_FEATURE_DMABUF))
		SKIP(return, "this module exports no dma-bufs");
	self->vgem = open_vgem();
	if (self->vgem < 0)
		SKIP(return, "no vgem: load that module");
	if (geteuid())
		SKIP(return, "only root may ask for that much");
	layout = layout_default(variant->flags, true);
	layout.name = own_name();
	self->folio = folio_size(&layout);
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 3);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(import)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

/* Returns a handle of the driver's, or -errno. */
static long import(int vgem, int buf)
{
	struct drm_prime_handle p = { .fd = buf };

	if (ioctl(vgem, DRM_IOCTL_PRIME_FD_TO_HANDLE, &p))
		return -errno;
	return p.handle;
}

/* Returns a dma-buf, or -errno. */
static int export(int vgem, long handle)
{
	struct drm_prime_handle p = {
		.handle = handle,
		.flags = O_RDWR | O_CLOEXEC,
		.fd = -1,
	};

	return ioctl(vgem, DRM_IOCTL_PRIME_HANDLE_TO_FD, &p) ? -errno : p.fd;
}

static int gem_close(int vgem, long handle)
{
	struct drm_gem_close c = { .handle = handle };

	return ioctl(vgem, DRM_IOCTL_GEM_CLOSE, &c) ? -errno : 0;
}

/* In a peer: joins, writes a pattern into what it then exports. */
static long join_and_export(long slot, long size)
{
	int fd = open_joined(layout.name, slot);
	char *p;
	int buf;

	if (fd < 0)
		return fd;
	p = map(fd, 0, size, RW);
	if (p == MAP_FAILED)
		return -errno;
	memset(p, 0x33, size);
	munmap(p, size);
	buf = export_dmabuf(fd, 0, size, SHMCHAN_EXPORT_WRITE);
	return buf < 0 ? buf : send_fd(peer_sock, buf);
}

/* The peer, as slot 0, exports its window. */
#define peer_exports(size) ({						\
	int _buf;							\
									\
	peer_send(&self->peer, join_and_export, 0, size);		\
	_buf = recv_fd(self->peer.sock);				\
	ASSERT_LE(0, _buf);						\
	ASSERT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));		\
	_buf;								\
})

static bool slot_is_free(unsigned int slot)
{
	int fd = open_joined(layout.name, slot);

	close(fd);
	return fd >= 0;
}

TEST_F(import, takes_it)
{
	struct dma_buf_sync sync = {
		.flags = DMA_BUF_SYNC_RW | DMA_BUF_SYNC_START,
	};
	int buf = peer_exports(self->folio), again;
	long handle = import(self->vgem, buf);
	char *p;

	ASSERT_LT(0, handle);
	/* While a device uses it the processor takes its turn by these. */
	EXPECT_EQ(0, ioctl(buf, DMA_BUF_IOCTL_SYNC, &sync));
	p = map(buf, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(all_bytes(p, self->folio, 0x33));
	sync.flags = DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END;
	EXPECT_EQ(0, ioctl(buf, DMA_BUF_IOCTL_SYNC, &sync));
	/* The same one, not a copy. */
	close(buf);
	again = export(self->vgem, handle);
	ASSERT_LE(0, again);
	p[0] = 0x44;
	munmap(p, self->folio);
	p = map(again, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0x44, p[0]);
	munmap(p, self->folio);
	close(again);
	EXPECT_EQ(0, gem_close(self->vgem, handle));
}

/* A range of several folios, and one that begins within one. */
TEST_F(import, ranges)
{
	const struct { uint64_t at; size_t size; } ranges[] = {
		{ FOLIO_SHARED * self->folio, 2 * self->folio },
		{ FOLIO_SHARED * self->folio + self->folio - PAGE, 2 * PAGE },
		{ FOLIO_OWN2 * self->folio, PAGE },
		{ control_at(&layout, FOLIO_SHARED), 2 * PAGE },
	};
	int fd = open_joined(layout.name, 0);
	unsigned int i;
	long handle;
	int buf;

	ASSERT_LE(0, fd);
	for (i = 0; i < COUNT(ranges); i++) {
		if (ranges[i].size > 2 * self->folio ||
		    (self->folio == PAGE && i == 1))
			continue;
		buf = export_dmabuf(fd, ranges[i].at, ranges[i].size,
				    SHMCHAN_EXPORT_WRITE);
		ASSERT_LE(0, buf)
			TH_LOG("range %u: %s", i, strerror(-buf));
		handle = import(self->vgem, buf);
		EXPECT_LT(0, handle)
			TH_LOG("range %u: %s", i, strerror(-handle));
		close(buf);
		EXPECT_EQ(0, gem_close(self->vgem, handle));
	}
}

/* vgem of later kernels asks for the memory when it is used, which is never here. */
static bool imports_lazily(void)
{
	struct utsname u;
	int major, minor;

	return !uname(&u) && sscanf(u.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor > 12));
}

/*
 * No device may write what its exporter may not: it is refused when it asks for the
 * memory, which vgem does to write.
 */
TEST_F(import, not_read_only)
{
	int fd = open_joined(layout.name, 0);
	char *p;
	int buf, i, handle;

	ASSERT_LE(0, fd);
	buf = export_dmabuf(fd, 0, self->folio, 0);
	ASSERT_LE(0, buf);
	for (i = 0; i < 2; i++) {
		handle = import(self->vgem, buf);
		if (handle > 0) {
			EXPECT_TRUE(imports_lazily());
			EXPECT_EQ(MAP_FAILED, map(buf, 0, PAGE, RW));
			EXPECT_EQ(EACCES, errno);
			EXPECT_EQ(0, gem_close(self->vgem, handle));
		} else {
			EXPECT_EQ(-EACCES, handle);
		}
	}
	/* It is as good as before to those who read. */
	p = map(buf, 0, PAGE, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(0, probe_read(p));
	munmap(p, PAGE);
	close(buf);
	/* And holds nothing. */
	close(fd);
	EXPECT_TRUE(eventually(slot_is_free(0)));
}

/* The device keeps it when nobody else does, and keeps the slot with it. */
TEST_F(import, outlives_the_member)
{
	int buf = peer_exports(self->folio);
	long handle = import(self->vgem, buf);
	char *p;

	ASSERT_LT(0, handle);
	close(buf);
	peer_kill(&self->peer);
	EXPECT_EQ(-EBUSY, open_joined(layout.name, 0));
	EXPECT_TRUE(slot_is_free(1));
	EXPECT_TRUE(slot_is_free(1));
	buf = export(self->vgem, handle);
	ASSERT_LE(0, buf);
	p = map(buf, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(all_bytes(p, self->folio, 0x33));
	munmap(p, self->folio);
	close(buf);
	EXPECT_EQ(-EBUSY, open_joined(layout.name, 0));
	ASSERT_EQ(0, gem_close(self->vgem, handle));
	EXPECT_TRUE(eventually(slot_is_free(0)));
}

TEST_F(import, outlives_the_region)
{
	int buf = peer_exports(self->folio);
	long handle = import(self->vgem, buf);
	int64_t with = user_bytes();
	char *p;

	ASSERT_LT(0, handle);
	close(buf);
	peer_kill(&self->peer);
	close(self->fd);
	EXPECT_EQ(-ENOENT, open_region(layout.name, RIGHTS_RW));
	EXPECT_EQ(-EWOULDBLOCK, module_unload());
	EXPECT_LE((int64_t)self->folio, user_bytes());
	buf = export(self->vgem, handle);
	ASSERT_LE(0, buf);
	p = map(buf, 0, self->folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_TRUE(all_bytes(p, self->folio, 0x33));
	munmap(p, self->folio);
	close(buf);
	/* The last close of the driver's file lets go of all of it. */
	close(self->vgem);
	EXPECT_TRUE(eventually(user_bytes() <= with - (int64_t)self->folio));
	EXPECT_TRUE(eventually(user_bytes() == 0));
}

/* Two files of the driver are two users of one dma-buf. */
TEST_F(import, twice)
{
	int buf = peer_exports(self->folio);
	int other = open_vgem();
	long first, second;

	ASSERT_LE(0, other);
	first = import(self->vgem, buf);
	second = import(other, buf);
	EXPECT_LT(0, first);
	EXPECT_LT(0, second);
	close(buf);
	peer_kill(&self->peer);
	close(other);
	EXPECT_EQ(-EBUSY, open_joined(layout.name, 0));
	EXPECT_EQ(0, gem_close(self->vgem, first));
	EXPECT_TRUE(eventually(slot_is_free(0)));
}

TEST_HARNESS_MAIN
