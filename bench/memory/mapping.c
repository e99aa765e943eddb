// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * What a mapping is made of.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"

#define PAGEMAP_PRESENT	(1ULL << 63)
#define PAGEMAP_PFN	((1ULL << 55) - 1)

long smaps_kb(const void *addr, const char *field)
{
	FILE *f = fopen("/proc/self/smaps", "re");
	size_t length = strlen(field);
	unsigned long start, end;
	bool here = false;
	char line[512];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			here = start <= (uintptr_t)addr &&
			       (uintptr_t)addr < end;
			continue;
		}
		if (here && !strncmp(line, field, length) &&
		    line[length] == ':') {
			kb = strtol(line + length + 1, NULL, 10);
			break;
		}
	}
	if (f)
		fclose(f);
	return kb;
}

/* Somebody may be moving a page: touching it waits for him. */
static uint64_t frame(int fd, const char *addr)
{
	uint64_t entry = 0;
	unsigned int tries;

	for (tries = 0; tries < 1000; tries++) {
		(void)*(volatile const char *)addr;
		if (pread(fd, &entry, sizeof(entry),
			  (off_t)((uintptr_t)addr / PAGE * sizeof(entry))) !=
		    sizeof(entry))
			die("/proc/self/pagemap: %s", strerror(errno));
		if (entry & PAGEMAP_PRESENT && entry & PAGEMAP_PFN)
			return entry & PAGEMAP_PFN;
	}
	die("/proc/self/pagemap does not tell where a page is");
}

size_t physical_runs(const char *addr, size_t size)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entries[BLOCK_PAGES], pfn, last = 0;
	size_t page, i, runs = 0;

	if (fd < 0)
		die("/proc/self/pagemap: %s", strerror(errno));
	for (page = 0; page < size / PAGE; page += BLOCK_PAGES) {
		if (pread(fd, entries, sizeof(entries),
			  (off_t)(((uintptr_t)addr / PAGE + page) *
				  sizeof(entries[0]))) != sizeof(entries))
			die("/proc/self/pagemap: %s", strerror(errno));
		for (i = 0; i < BLOCK_PAGES; i++) {
			pfn = entries[i] & PAGEMAP_PFN;
			if (!(entries[i] & PAGEMAP_PRESENT) || !pfn)
				pfn = frame(fd, addr + (page + i) * PAGE);
			runs += pfn != last + 1;
			last = pfn;
		}
	}
	close(fd);
	return runs;
}
