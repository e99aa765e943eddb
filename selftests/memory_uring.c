// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring moves data to and from a region; by registered buffers as well
 * where the kernel lets files other than its own be registered, from 6.5 on.
 * That a registered buffer keeps a slot from its next holder is shown by
 * pin_outlives.
 */

#include "../kselftest_harness.h"

#include <sys/utsname.h>

#include "test_window.h"
#include "test_uring.h"

/* One that registers no memory of files but shmem's and hugetlbfs's. */
static bool old_kernel(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;

	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	return major < 6 || (major == 6 && minor < 5);
}

/* The test's disk, past all caches, or a file. */
static int backing(void)
{
	const char *disk = getenv("SHMCHAN_TEST_DISK");
	int fd = disk ? open(disk, O_RDWR | O_DIRECT | O_CLOEXEC) : -1;

	return fd >= 0 ? fd : open("/tmp", O_TMPFILE | O_RDWR, 0600);
}

static struct io_uring_sqe rw(int opcode, int fd, void *addr, size_t len)
{
	return (struct io_uring_sqe) {
		.opcode = opcode,
		.fd = fd,
		.addr = ptr(addr),
		.len = len,
	};
}

TEST_F(memory, plain)
{
	struct io_uring_sqe sqe;
	int file = backing();
	struct uring r;
	char *foreign;
	int ret;

	ASSERT_LE(0, file);
	ret = uring_setup(&r);
	if (ret)
		SKIP(return, "no io_uring: %s", strerror(-ret));
	sqe = rw(IORING_OP_WRITE, file, self->own, folio);
	EXPECT_EQ(folio, uring_do(&r, &sqe));
	sqe = rw(IORING_OP_READ, file, self->shared, folio);
	EXPECT_EQ(folio, uring_do(&r, &sqe));
	EXPECT_TRUE(intact(self->shared));

	foreign = map(self->fd, FOLIO_FOREIGN * folio, folio, PROT_READ);
	ASSERT_NE(MAP_FAILED, foreign);
	/* A page: for more, some drivers have another error. */
	sqe = rw(IORING_OP_READ, file, foreign, PAGE);
	EXPECT_EQ(-EFAULT, uring_do(&r, &sqe));
	EXPECT_TRUE(all_bytes(foreign, folio, 0));
}

TEST_F(memory, registered)
{
	struct iovec iov[] = {
		{ self->own, folio },
		{ self->shared, folio },
	};
	struct io_uring_sqe sqe;
	int file = backing();
	struct uring r;
	int ret;

	ASSERT_LE(0, file);
	ret = uring_setup(&r);
	if (ret)
		SKIP(return, "no io_uring: %s", strerror(-ret));
	ret = uring_register(&r, iov, COUNT(iov));
	if (old_kernel()) {
		EXPECT_EQ(-EOPNOTSUPP, ret);
		return;
	}
	ASSERT_EQ(0, ret);
	sqe = rw(IORING_OP_WRITE_FIXED, file, self->own, folio);
	sqe.buf_index = 0;
	EXPECT_EQ(folio, uring_do(&r, &sqe));
	sqe = rw(IORING_OP_READ_FIXED, file, self->shared, folio);
	sqe.buf_index = 1;
	EXPECT_EQ(folio, uring_do(&r, &sqe));
	EXPECT_TRUE(intact(self->shared));
	/* It is the region that was read into, not a copy. */
	EXPECT_TRUE(intact(map(self->fd, FOLIO_SHARED * folio, folio,
			       PROT_READ)));
	EXPECT_EQ(0, uring_unregister(&r));
}

/* Registering is for writing too: not of what is only the member's to read. */
TEST_F(memory, register_read_only)
{
	char *foreign = map(self->fd, FOLIO_FOREIGN * folio, folio, PROT_READ);
	struct iovec iov = { foreign, folio };
	struct uring r;
	int ret;

	ASSERT_NE(MAP_FAILED, foreign);
	ret = uring_setup(&r);
	if (ret)
		SKIP(return, "no io_uring: %s", strerror(-ret));
	EXPECT_EQ(-EFAULT, uring_register(&r, &iov, 1));
	EXPECT_TRUE(all_bytes(foreign, folio, 0));
}

TEST_HARNESS_MAIN
