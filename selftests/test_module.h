/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_MODULE_H
#define SHMCHAN_TEST_MODULE_H

/*
 * The module comes and goes.  Its file is SHMCHAN_KO, or shmchan.ko in the
 * current folder.
 */

#include "shmchan_test.h"

static inline const char *module_file(void)
{
	const char *path = getenv("SHMCHAN_KO");

	return path ? path : "shmchan.ko";
}

/* @params: "NAME=VALUE ...".  Returns 0 or -errno. */
static inline int module_load(const char *params)
{
	int fd = open(module_file(), O_RDONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (syscall(SYS_finit_module, fd, params, 0))
		ret = -errno;
	close(fd);
	return ret;
}

static inline int module_unload(void)
{
	return syscall(SYS_delete_module, "shmchan", O_NONBLOCK) ? -errno : 0;
}

/* The last close of a file may be over a little later than it returns. */
static inline int module_unload_patiently(void)
{
	uint64_t until = now_ns() + PATIENCE_MS * MSEC;
	int ret;

	do {
		ret = module_unload();
	} while (ret == -EWOULDBLOCK && now_ns() < until && !usleep(1000));
	return ret;
}

#endif /* SHMCHAN_TEST_MODULE_H */
