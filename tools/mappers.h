/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_MAPPERS_H
#define SHMCHAN_TOOL_MAPPERS_H

/*
 * Who maps a region, as /proc shows it.
 *
 * The module tells members alone who holds a slot.  But whoever may look into
 * a process sees what it maps, and in /proc/PID/fdinfo which slot its file
 * holds.  The local backend has no such file; there, what a process maps
 * writable is in the windows of its slot.
 */

#include <sys/types.h>

#include <shmchan/stat.h>

struct mapper {
	pid_t pid;
	uint32_t uid;
	char comm[32];
	uint32_t slot;		/* SHMCHAN_SLOT_NONE: nothing tells */
	uint32_t generation;	/* 0: not known */
	uint64_t data;		/* bytes of the data area that are mapped */
	uint64_t huge;		/* ... by 2 MiB entries, as of now */
	int no_smaps;		/* huge is not known */
};

/*
 * Find them among the processes that we may look into.  Returns how many, or
 * -errno; *mappers is the caller's to free.
 */
int mappers_find(const struct shmchan_region_info *info,
		 struct mapper **mappers);

#endif /* SHMCHAN_TOOL_MAPPERS_H */
