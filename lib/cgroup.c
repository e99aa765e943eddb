// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The memory cgroup that a region is charged to, as it can be seen from here:
 * its path by its inode number, and the tightest limit above the caller.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <shmchan/stat.h>

#include "host.h"
#include "internal.h"

#define CGROUPS		"/sys/fs/cgroup"
#define UNLIMITED	(~0ULL)

/* Where memory cgroups are; in the first version every controller has a tree. */
static const char *cgroup_root(void)
{
	return access(CGROUPS "/cgroup.controllers", F_OK) ?
	       CGROUPS "/memory" : CGROUPS;
}

/* A folder's path, and how long it is; a cgroup's is at most this long. */
struct walk {
	char path[4096];
	size_t length;
	uint64_t inode;
};

static int descend(struct walk *w);

/* 1: this entry of the folder, or one below it, is the one. */
static int look_into(struct walk *w, const struct dirent *e)
{
	size_t length = w->length, more = strlen(e->d_name) + 1;
	int found;

	if (e->d_type != DT_DIR || e->d_name[0] == '.' ||
	    length + more >= sizeof(w->path))
		return 0;
	snprintf(w->path + length, sizeof(w->path) - length, "/%s", e->d_name);
	w->length += more;
	found = e->d_ino == w->inode || descend(w);
	if (!found) {
		w->length = length;
		w->path[length] = 0;
	}
	return found;
}

/* Cgroups are nested as deep as somebody made them, and paths end that. */
static int descend(struct walk *w)
{
	DIR *dir = opendir(w->path);
	struct dirent *e;
	int found = 0;

	/* The stream is ours alone.  NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while (dir && !found && (e = readdir(dir)))
		found = look_into(w, e);
	if (dir)
		closedir(dir);
	return found;
}

char *shmchan__cgroup_path(uint64_t inode)
{
	const char *root = cgroup_root();
	size_t length = strlen(root);
	struct walk w = { .length = length, .inode = inode };
	struct stat st;

	memcpy(w.path, root, length + 1);
	if (!inode || stat(root, &st))
		return NULL;
	if (st.st_ino == inode)
		return strdup("/");
	return descend(&w) ? strdup(w.path + length) : NULL;
}

/* A number of bytes in a cgroup's file; "max" and no file: UNLIMITED. */
static uint64_t cgroup_number(const char *group, const char *file)
{
	char path[sizeof(((struct shmchan_cgroup_limit *)0)->path) + 64];
	char line[64];

	snprintf(path, sizeof(path), CGROUPS "%s/%s", group, file);
	if (!shmchan__first_line(path, line, sizeof(line)) ||
	    !strcmp(line, "max"))
		return UNLIMITED;
	return strtoull(line, NULL, 10);
}

/* The caller's path in the unified hierarchy; 0 if there is one. */
static int own_cgroup(char *group, size_t size)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[1024 + 8];
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

int shmchan_cgroup_limit(struct shmchan_cgroup_limit *limit)
{
	uint64_t max, current, left;
	char group[sizeof(limit->path)], *slash;

	if (!limit)
		return shmchan__fail(EINVAL, "nowhere to put the answer: NULL");
	limit->max = UNLIMITED;
	limit->left = UNLIMITED;
	limit->path[0] = 0;
	if (own_cgroup(group, sizeof(group)))
		return 0;
	do {
		slash = strrchr(group, '/');
		if (!strcmp(group, "/"))
			group[0] = 0;
		max = cgroup_number(group, "memory.max");
		current = cgroup_number(group, "memory.current");
		left = current < max ? max - current : 0;
		if (max != UNLIMITED && left < limit->left) {
			limit->max = max;
			limit->left = left;
			snprintf(limit->path, sizeof(limit->path), "%s",
				 group[0] ? group : "/");
		}
		if (slash)
			*slash = 0;
	} while (slash);
	return 0;
}
