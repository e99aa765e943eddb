// SPDX-License-Identifier: GPL-2.0-only
/* What a model has seen: a check that it is not empty talk. */
#include <string.h>

#include "explore_private.h"

#define MAX_COVERS	64

static const char *seen[MAX_COVERS];
static unsigned int nr_seen;

void explorer_cover(const char *what)
{
	unsigned int i;

	for (i = 0; i < nr_seen; i++)
		if (seen[i] == what || !strcmp(seen[i], what))
			return;
	if (nr_seen < MAX_COVERS)
		seen[nr_seen++] = what;
}

void covers_clear(void)
{
	nr_seen = 0;
}

const char *covers_missing(const char *const *wanted)
{
	for (; wanted && *wanted; wanted++) {
		unsigned int i;

		for (i = 0; i < nr_seen; i++)
			if (!strcmp(seen[i], *wanted))
				break;
		if (i == nr_seen)
			return *wanted;
	}
	return NULL;
}
