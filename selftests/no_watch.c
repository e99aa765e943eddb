// SPDX-License-Identifier: GPL-2.0-only
/*
 * A region can be neither watched nor opened again through /proc/self/fd: a
 * watch would hold its inode, so that it outlived its files, and the end of the
 * file system would wait for it for ever.
 */

#include <sys/inotify.h>

#include "../kselftest_harness.h"
#include "shmchan_test.h"

static void proc_path(char *path, size_t size, int fd)
{
	snprintf(path, size, "/proc/self/fd/%d", fd);
}

TEST(no_watch_and_no_second_open)
{
	struct layout layout = layout_default(SHMCHAN_CREATE_SMALL, true);
	int notify = inotify_init1(IN_CLOEXEC);
	int fd = create_joined(&layout, 0);
	char path[64];

	if (notify < 0 && errno == ENOSYS)
		SKIP(return, "this kernel has no inotify");
	ASSERT_LE(0, notify);
	ASSERT_LE(0, fd);
	proc_path(path, sizeof(path), fd);

	EXPECT_EQ(-1, inotify_add_watch(notify, path, IN_ALL_EVENTS));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, open(path, O_RDWR));
	EXPECT_EQ(EACCES, errno);
	/* The last close: it must come back, and the memory with it. */
	close(fd);
	EXPECT_TRUE(eventually(user_bytes() == 0));
	close(notify);
}

TEST_HARNESS_MAIN
