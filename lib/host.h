/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_HOST_H
#define SHMCHAN_HOST_H

/*
 * What messages tell about this machine.  Whatever cannot be read is left out
 * of them: none of this fails.
 */

#include <stddef.h>
#include <stdint.h>

#pragma GCC visibility push(hidden)

/* The first line of a file, without its newline; NULL if it has none. */
char *shmchan__first_line(const char *path, char *buffer, size_t size);

/* Bytes of a line of /proc/meminfo: "MemTotal"; 0 if there is none. */
uint64_t shmchan__meminfo(const char *field);

/*
 * Lists of memory nodes, as "0-1,3": those that have memory, and those that
 * the caller's cpuset allows.  Empty if that cannot be told.
 */
#define SHMCHAN__NODES	128
void shmchan__nodes_with_memory(char *list);
void shmchan__nodes_allowed(char *list);
int shmchan__node_in(const char *list, uint32_t node);

/* Bytes of a line of a node's own meminfo: "MemFree"; 0 if there is none. */
uint64_t shmchan__node_meminfo(uint32_t node, const char *field);

/* A parameter of the module, as its file says; "" if it has none such. */
#define SHMCHAN__PARAMETER	96
const char *shmchan__parameter(const char *name, char *value);

/* The path of the memory cgroup with this inode number; NULL: not seen. */
char *shmchan__cgroup_path(uint64_t inode);

#pragma GCC visibility pop

#endif /* SHMCHAN_HOST_H */
