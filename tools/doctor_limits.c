// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* shmchan doctor: how much memory regions may have, and have. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "doctor.h"

#define UNLIMITED	(~0ULL)
#define CGROUPS		"/sys/fs/cgroup"
#define GROUP_LEN	4000

/* More than nine tenths are in use. */
static int nearly(uint64_t used, uint64_t limit)
{
	return limit != UNLIMITED && used >= limit - limit / 10;
}

static void look_at_user(struct doctor *d,
			 const struct shmchan_query_device *q)
{
	char used[SIZE_WORD], limit[SIZE_WORD];

	size_word(used, q->user_bytes);
	if (q->user_limit == UNLIMITED) {
		doctor_good("you hold %s, and have no limit (CAP_IPC_LOCK)",
			    used);
	} else if (nearly(q->user_bytes, q->user_limit)) {
		doctor_problem(d, "you hold %s of %s that a user may have",
			       used, size_word(limit, q->user_limit));
		doctor_advice("raise it: echo MIB > /sys/module/shmchan/parameters/user_mb, or have CAP_IPC_LOCK; shmchan ls -l shows what there is");
	} else {
		doctor_good("you hold %s of %s that a user may have (user_mb)",
			    used, size_word(limit, q->user_limit));
	}
}

static void look_at_total(struct doctor *d,
			  const struct shmchan_query_device *q)
{
	char used[SIZE_WORD], limit[SIZE_WORD];

	size_word(limit, q->total_limit);
	/* Told to CAP_SYS_ADMIN only; the kernel has nothing without users. */
	if (!q->total_bytes) {
		doctor_good("all together may hold %s (total_mb)", limit);
	} else if (nearly(q->total_bytes, q->total_limit)) {
		doctor_problem(d, "all together hold %s of %s",
			       size_word(used, q->total_bytes), limit);
		doctor_advice("raise it: echo MIB > /sys/module/shmchan/parameters/total_mb");
	} else {
		doctor_good("all together hold %s of %s (total_mb)",
			    size_word(used, q->total_bytes), limit);
	}
}

/* A number of bytes in a cgroup's file; "max" and no file: UNLIMITED. */
static uint64_t cgroup_number(const char *group, const char *file)
{
	char path[GROUP_LEN + 64], line[64];

	snprintf(path, sizeof(path), CGROUPS "%.4000s/%s", group, file);
	if (!doctor_line(path, line, sizeof(line)) || !strcmp(line, "max"))
		return UNLIMITED;
	return strtoull(line, NULL, 10);
}

/* The caller's path in the unified hierarchy; 0 if there is one. */
static int own_cgroup(char *group, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[4096];
	int found = 0;

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(group, size, "%.*s", (int)size - 1, line + 3);
		found = 1;
	}
	if (f)
		fclose(f);
	return found ? 0 : -1;
}

/*
 * The tightest of the limits above us: memory of a region is charged to its
 * creator's cgroup at creation, and cannot be reclaimed.
 */
static void look_at_cgroup(void)
{
	uint64_t max, current, left, least = UNLIMITED, least_max = UNLIMITED;
	char group[GROUP_LEN], where[GROUP_LEN] = "", word[SIZE_WORD], of[SIZE_WORD];
	char *slash;

	if (own_cgroup(group, sizeof(group)))
		return;
	for (;;) {
		if (!strcmp(group, "/"))
			group[0] = 0;
		max = cgroup_number(group, "memory.max");
		current = cgroup_number(group, "memory.current");
		left = current < max ? max - current : 0;
		if (max != UNLIMITED && left < least) {
			least = left;
			least_max = max;
			snprintf(where, sizeof(where), "%s",
				 group[0] ? group : "/");
		}
		slash = strrchr(group, '/');
		if (!slash)
			break;
		*slash = 0;
	}
	if (least == UNLIMITED)
		doctor_good("the memory cgroup sets no limit");
	else
		doctor_note("the memory cgroup %s has %s left of %s (memory.max): regions are charged to it, and creating one fails beyond that",
			    where, size_word(word, least),
			    size_word(of, least_max));
}

void doctor_limits(struct doctor *d)
{
	struct shmchan_query_device q;

	doctor_title("limits");
	if (d->kmod_works && !shmchan_device_query(&q)) {
		look_at_user(d, &q);
		look_at_total(d, &q);
	}
	look_at_cgroup();
}
