// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The calls of the module that are measured.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/shmchan.h>

#include "memory.h"

#define MAX_EXTENTS	1024

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

static int call_device(unsigned long cmd, void *arg)
{
	int fd = open("/dev/shmchan", O_RDWR | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = call(fd, cmd, arg);
	close(fd);
	return ret;
}

/* All of it in a window of slot 0, which the caller can take. */
int region_create(size_t size, unsigned int flags)
{
	struct shmchan_window window = { .length = size };
	struct shmchan_create c = {
		.size = sizeof(c),
		.flags = flags,
		.mode = 0600,
		.data_size = size,
		.control_size = PAGE,
		.nr_slots = 1,
		.nr_windows = 1,
		.windows = (uintptr_t)&window,
	};
	int ret = call_device(SHMCHAN_IOC_CREATE, &c);

	return ret ? ret : c.fd;
}

int region_join(int fd)
{
	struct shmchan_join j = { .size = sizeof(j) };

	return call(fd, SHMCHAN_IOC_JOIN, &j);
}

int region_extents(int fd)
{
	static struct shmchan_extent extents[MAX_EXTENTS];
	struct shmchan_extents e = {
		.size = sizeof(e),
		.extents = (uintptr_t)extents,
		.extent_size = sizeof(extents[0]),
	};
	int ret, nr = 0;

	do {
		e.nr_extents = MAX_EXTENTS;
		ret = call(fd, SHMCHAN_IOC_EXTENTS, &e);
		if (ret)
			return ret;
		nr += (int)e.nr_extents;
	} while (e.nr_extents);
	return nr;
}

int64_t region_charged(int fd)
{
	struct shmchan_query q = { .size = sizeof(q) };
	int ret = call(fd, SHMCHAN_IOC_QUERY, &q);

	return ret ? ret : (int64_t)q.charged_bytes;
}

int64_t regions_total(void)
{
	struct shmchan_query_device q = { .size = sizeof(q) };
	int ret = call_device(SHMCHAN_IOC_QUERY_DEVICE, &q);

	return ret ? ret : (int64_t)q.total_bytes;
}
