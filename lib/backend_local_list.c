// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Local regions: which there are, and removing what the dead have left.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend_local.h"

/* The region name of a folder's entry, or NULL. */
static const char *region_name(const char *entry)
{
	const size_t prefix = sizeof(LOCAL_PREFIX) - 1;

	if (strncmp(entry, LOCAL_PREFIX, prefix) != 0 ||
	    shmchan__check_name(entry + prefix))
		return NULL;
	return entry + prefix;
}

static uint32_t count_live(int fd, const struct local_super *super,
			   const struct local_layout *at)
{
	off_t words = (off_t)(at->status + SHMCHAN_STATUS_SLOTS_OFFSET);
	uint32_t slot, nr = 0;
	uint64_t word;

	for (slot = 0; slot < super->nr_slots; slot++) {
		if (pread(fd, &word, sizeof(word),
			  words + 8 * (off_t)slot) != sizeof(word))
			break;
		nr += SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE &&
		      local_slot_held(fd, slot);
	}
	return nr;
}

/* Fill an entry in; 0 if there is something to show. */
static int describe(int fd, const char *name, struct shmchan_list_entry *e)
{
	struct local_super super;
	struct local_layout at;
	struct stat st;

	/* The dead's files are not regions any more. */
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !local_anyone(fd) ||
	    local_read_super(fd, &super, &at))
		return -1;
	memset(e, 0, sizeof(*e));
	strncpy(e->name, name, sizeof(e->name) - 1);
	e->data_size = super.data_size;
	e->control_size = super.control_size;
	e->uid = st.st_uid;
	e->gid = st.st_gid;
	e->mode = st.st_mode & 0777;
	e->nr_slots = super.nr_slots;
	e->nr_live = count_live(fd, &super, &at);
	return 0;
}

/* Call fn for each name that may be a region; stops if it returns not 0. */
static int for_each(int (*fn)(int dirfd, const char *entry, const char *name,
			      void *arg), void *arg)
{
	struct dirent *entry;
	DIR *dir;
	int ret = 0;

	dir = opendir(local_dir());
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return shmchan__fail(errno, "%s: %s", local_dir(),
				     shmchan__errstr(errno));
	/* The stream is ours alone.  NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while (!ret && (entry = readdir(dir))) {
		const char *name = region_name(entry->d_name);

		if (name)
			ret = fn(dirfd(dir), entry->d_name, name, arg);
	}
	closedir(dir);
	return ret;
}

struct lister {
	int (*fn)(const struct shmchan_list_entry *entry, void *arg);
	void *arg;
};

/*
 * What cannot be opened is left out: it cannot be told from what the dead have
 * left.
 */
static int list_one(int dirfd, const char *entry, const char *name, void *arg)
{
	int fd = openat(dirfd, entry, LOCAL_LOOK_FLAGS);
	const struct lister *l = arg;
	struct shmchan_list_entry e;
	int wrong;

	if (fd < 0)
		return 0;
	wrong = describe(fd, name, &e);
	close(fd);
	return wrong ? 0 : l->fn(&e, l->arg);
}

int local_list(int (*fn)(const struct shmchan_list_entry *entry, void *arg),
	       void *arg)
{
	struct lister l = { fn, arg };

	return for_each(list_one, &l);
}

static int clean_one(int dirfd, const char *entry, const char *name, void *arg)
{
	char path[PATH_MAX];
	struct shmchan__file f = { .fd = -1 };
	int *removed = arg;
	int fd;

	(void)dirfd;
	(void)entry;
	if (local_path(path, sizeof(path), name))
		return 0;
	fd = shmchan__file_open(&f, path,
				O_RDWR | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	/* Busy means that somebody is joining, or cleaning. */
	if (local_is_region(fd) && !local_anyone(fd) &&
	    !local_gate_enter(fd, 0) && !local_anyone(fd) &&
	    local_names(path, fd) && !unlink(path))
		++*removed;
	shmchan__file_close(&f);
	return 0;
}

int shmchan_local_clean(void)
{
	int removed = 0;
	int err = for_each(clean_one, &removed);

	return err ? err : removed;
}
