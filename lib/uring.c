// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What io_uring can do here: for who chooses between it and epoll.
 */

#include <errno.h>
#include <string.h>

#include <shmchan/loop.h>

#include "internal.h"
#include "uring_raw.h"

int shmchan_uring_check(void)
{
	struct io_uring_params p;
	int fd;

	memset(&p, 0, sizeof(p));
	fd = uring_setup(1, &p);
	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno == EPERM)
		return shmchan__fail(EPERM,
			"io_uring is forbidden here, by kernel.io_uring_disabled or the seccomp filter of a container: allow it, or use epoll with shmchan_region_fd() or shmchan_set_fd()");
	if (errno == ENOSYS)
		return shmchan__fail(ENOSYS,
			"this kernel has no io_uring, or a seccomp filter hides it: use epoll with shmchan_region_fd() or shmchan_set_fd()");
	return shmchan__fail(errno, "io_uring_setup: %s", shmchan__errstr(errno));
}

static int can(uint64_t feature)
{
	struct shmchan_query_device device;

	if (shmchan_uring_check() || shmchan_device_query(&device))
		return 0;
	return !!(device.features & feature);
}

int shmchan_uring_can_ring(void)
{
	return can(SHMCHAN_FEATURE_URING_RING);
}

int shmchan_uring_can_wait(void)
{
	return can(SHMCHAN_FEATURE_URING_WAIT);
}
