// SPDX-License-Identifier: GPL-2.0-only
/*
 * Region memory is ordinary memory to whoever moves data: files, disks, pipes,
 * other processes.  What a member may only read, none of them writes for it.
 */

#include "../kselftest_harness.h"

#include <sys/uio.h>

#include "test_window.h"

TEST_F(memory, read_and_write)
{
	FILE *file = tmpfile();
	int fd;

	ASSERT_NE(NULL, file);
	fd = fileno(file);
	EXPECT_EQ(folio, pwrite(fd, self->own, folio, 0));
	EXPECT_EQ(folio, pread(fd, self->shared, folio, 0));
	EXPECT_TRUE(intact(self->shared));
	EXPECT_EQ(-1, pread(fd, map(self->fd, FOLIO_FOREIGN * folio, PAGE,
				    PROT_READ), PAGE, 0));
	EXPECT_EQ(EFAULT, errno);
	fclose(file);
}

/* Needs a disk that may be overwritten: SHMCHAN_TEST_DISK=/dev/... */
TEST_F(memory, o_direct)
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

TEST_F(memory, vmsplice)
{
	struct iovec iov = { self->own + 100, 1000 };
	char buf[1000];
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(1000, vmsplice(pipes[1], &iov, 1, 0));
	EXPECT_EQ(1000, read(pipes[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, self->own + 100, sizeof(buf)));
}

TEST_F(memory, process_vm_readv)
{
	struct iovec local, remote;
	char buf[256];
	long theirs;

	theirs = peer_call(&self->peer, peer_map, 0, 0);
	ASSERT_LT(0, theirs);
	memcpy(self->shared, self->own, sizeof(buf));
	local = (struct iovec) { buf, sizeof(buf) };
	remote = (struct iovec) { (void *)theirs, sizeof(buf) };
	EXPECT_EQ(sizeof(buf), process_vm_readv(self->peer.pid, &local, 1,
						&remote, 1, 0));
	EXPECT_EQ(0, memcmp(buf, self->own, sizeof(buf)));
}

TEST_F(memory, process_vm_writev)
{
	struct iovec local = { (char[]) { "written" }, 8 };
	struct iovec remote = { NULL, 8 };
	long theirs;

	theirs = peer_call(&self->peer, peer_map, 0, 0);
	ASSERT_LT(0, theirs);
	remote.iov_base = (void *)theirs;
	EXPECT_EQ(8, process_vm_writev(self->peer.pid, &local, 1, &remote, 1,
				       0));
	EXPECT_STREQ("written", self->shared);

	theirs = peer_call(&self->peer, peer_where_own, 0, 0);
	remote.iov_base = (void *)theirs;
	EXPECT_EQ(-1, process_vm_writev(self->peer.pid, &local, 1, &remote, 1,
					0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(intact(self->own));
}

TEST_HARNESS_MAIN
