/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_MEMORY_H
#define SHMCHAN_TEST_MEMORY_H

/* Where a region's memory lies, and what memory the machine has. */

#include <sys/stat.h>

#include "shmchan_test.h"

#define CGROUP		"/sys/fs/cgroup"
#define MB		(1ULL << 20)
#define EXTENT_PAGE	1024	/* the most that one call tells */

/* All of the data area is shared. */
static inline struct layout layout_shared(uint64_t data_size,
					  unsigned int flags)
{
	return (struct layout) {
		.flags = flags,
		.mode = 0600,
		.data_size = data_size,
		.control_size = PAGE,
		.nr_slots = 4,
		.nr_windows = data_size ? 1 : 0,
		.windows[0] = {
			.length = data_size,
			.slot = SHMCHAN_SLOT_SHARED,
		},
	};
}

/* Returns a capability, or -errno. */
static inline int create_shared(uint64_t data_size, unsigned int flags)
{
	struct layout l = layout_shared(data_size, flags);

	return create_region(&l);
}

/* One page of extents: returns how many, or -errno; *start moves on. */
static inline int extents_page(int fd, uint64_t *start,
			       struct shmchan_extent *e, unsigned int room,
			       unsigned int flags)
{
	struct shmchan_extents x = {
		.size = sizeof(x),
		.flags = flags,
		.start = *start,
		.extents = ptr(e),
		.nr_extents = room,
		.extent_size = sizeof(*e),
	};
	int ret = call(fd, SHMCHAN_IOC_EXTENTS, &x);

	*start = x.start;
	return ret ? ret : (int)x.nr_extents;
}

/* All of them, if @max is room for them; returns how many, or -errno. */
static inline int extents(int fd, struct shmchan_extent *e, unsigned int max,
			  unsigned int flags)
{
	unsigned int nr = 0, room;
	uint64_t start = 0;
	int got;

	do {
		room = max - nr < EXTENT_PAGE ? max - nr : EXTENT_PAGE;
		if (!room)
			return -E2BIG;
		got = extents_page(fd, &start, e + nr, room, flags);
		if (got < 0)
			return got;
		nr += got;
	} while (got);
	return nr;
}

#define PAGEMAP_CHUNK	512

/*
 * The physical addresses of pages from @p on, PAGEMAP_CHUNK at most; 0 where
 * there is none or the caller may not know.  Returns whether it could ask.
 */
static inline bool phys_read(const volatile void *p, uint64_t *phys,
			     unsigned int nr)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	ssize_t got;
	unsigned int i;

	if (fd < 0)
		return false;
	got = pread(fd, phys, nr * 8, ptr((void *)p) / PAGE * 8);
	close(fd);
	for (i = 0; i < nr; i++)
		phys[i] = phys[i] >> 63 ?
			  (phys[i] & ((1ULL << 55) - 1)) * PAGE : 0;
	return got == (ssize_t)(nr * 8);
}

static inline uint64_t phys_of(const volatile void *p)
{
	uint64_t phys = 0;

	return phys_read(p, &phys, 1) ? phys : 0;
}

/* Does all of it, which has been touched, lie from @phys on, in one run? */
static inline bool lies_at(const char *p, uint64_t size, uint64_t phys)
{
	uint64_t is[PAGEMAP_CHUNK], at, nr, i;

	for (at = 0; at < size; at += nr * PAGE) {
		nr = (size - at) / PAGE;
		if (nr > PAGEMAP_CHUNK)
			nr = PAGEMAP_CHUNK;
		if (!phys_read(p + at, is, nr))
			return false;
		for (i = 0; i < nr; i++)
			if (is[i] != phys + at + i * PAGE)
				return false;
	}
	return true;
}

/* A line "KEY VALUE" of a file: the value, or -1. */
static inline long text_number(const char *path, const char *key)
{
	char text[16384], *at;

	if (read_text(path, text, sizeof(text)) < 0)
		return -1;
	at = strstr(text, key);
	return at ? atol(at + strlen(key)) : -1;
}

/* A field of /proc/meminfo in bytes, or -1024; e.g. "MemFree:". */
static inline int64_t meminfo(const char *field)
{
	return (int64_t)text_number("/proc/meminfo", field) * 1024;
}

/*
 * Free memory in bytes, with what the processors keep in their lists.  Both from
 * one file: between two, tens of MiB may move from there to here.
 */
static inline int64_t free_bytes(void)
{
	FILE *f = fopen("/proc/zoneinfo", "re");
	int64_t pages = 0;
	char line[256];
	long count;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " pages free %ld", &count) == 1 ||
		    sscanf(line, " count: %ld", &count) == 1)
			pages += count;
	if (f)
		fclose(f);
	return pages * (int64_t)PAGE;
}

/* The same, when what ended lately has given its memory back. */
static inline int64_t settled_free_bytes(void)
{
	uint64_t until = now_ns() + PATIENCE_MS * MSEC;
	int64_t last, now = free_bytes();

	do {
		last = now;
		usleep(300000);
		now = free_bytes();
	} while (now > last + (int64_t)MB && now_ns() < until);
	return now;
}

/* A parameter of the module as a number. */
static inline int set_number(const char *path, long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", value);
	return write_text(path, text);
}

/* Makes a cgroup; its folder is in @path.  Returns 0, or -1 with errno set. */
static inline int make_cgroup(char *path, size_t size)
{
	snprintf(path, size, CGROUP "/shmchan-%d", getpid());
	return mkdir(path, 0755);
}

/* In a peer, or here: goes into a cgroup. */
static inline long enter_cgroup(long path, long b)
{
	char procs[128];

	(void)b;
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", (const char *)path);
	return write_text(procs, "0");
}

static inline unsigned int ms_since(uint64_t start)
{
	return (now_ns() - start) / MSEC;
}

#endif /* SHMCHAN_TEST_MEMORY_H */
