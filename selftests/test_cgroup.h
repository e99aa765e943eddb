/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_CGROUP_H
#define SHMCHAN_TEST_CGROUP_H

/* The files of memory cgroups. */

#include "test_memory.h"

#define CGROUP_PATH	64	/* room for the path of one */

/*
 * Makes one, where a test wants several; @what is part of its name.  Returns
 * 0 or -errno; what has been made the caller removes in any case.
 */
static inline int cgroup_make(char *path, const char *what)
{
	char control[CGROUP_PATH + 32];

	snprintf(path, CGROUP_PATH, CGROUP "/shmchan-%.16s-%d", what, getpid());
	if (mkdir(path, 0755))
		return -errno;
	snprintf(control, sizeof(control), "%s/memory.max", path);
	return access(control, W_OK) ? -EOPNOTSUPP : 0;
}

static inline int cgroup_set(const char *path, const char *file, long value)
{
	char control[CGROUP_PATH + 32];

	snprintf(control, sizeof(control), "%s/%s", path, file);
	return set_number(control, value);
}

/* The number behind @key in a file of it, or -1. */
static inline long cgroup_number(const char *path, const char *file,
				 const char *key)
{
	char control[CGROUP_PATH + 32];

	snprintf(control, sizeof(control), "%s/%s", path, file);
	return text_number(control, key);
}

static inline long cgroup_current(const char *path)
{
	return cgroup_number(path, "memory.current", "");
}

/* How many the kernel killed there for want of memory. */
static inline long cgroup_kills(const char *path)
{
	return cgroup_number(path, "memory.events", "oom_kill ");
}

#endif /* SHMCHAN_TEST_CGROUP_H */
