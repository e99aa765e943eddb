/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_SMAPS_H
#define SHMCHAN_TEST_SMAPS_H

/* Fields of /proc/self/smaps. */

#include "shmchan_test.h"

/*
 * A field in KiB, of the mapping that holds an address; e.g. "Rss".  Returns
 * -1 if there is none.
 */
static inline long smaps_kb(const void *addr, const char *field)
{
	FILE *f = fopen("/proc/self/smaps", "re");
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
		if (here && !strncmp(line, field, strlen(field)) &&
		    line[strlen(field)] == ':') {
			kb = atol(line + strlen(field) + 1);
			break;
		}
	}
	if (f)
		fclose(f);
	return kb;
}

#endif /* SHMCHAN_TEST_SMAPS_H */
