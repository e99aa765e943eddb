// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Looking at local regions from outside, by reading their files.
 *
 * Read, not mapped: a file may be truncated under us by any of its members,
 * which would be a SIGBUS.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend_local.h"
#include "stat_private.h"

static int read_at(int fd, void *to, uint64_t nr, size_t size, uint64_t offset)
{
	ssize_t got = pread(fd, to, nr * size, (off_t)offset);

	if (got >= 0 && (uint64_t)got == nr * size)
		return 0;
	return shmchan__fail(EPROTO, "the file got shorter meanwhile");
}

/* Who holds or held a slot, as it said itself. */
static void show(struct shmchan_identity *to, const struct local_identity *id,
		 uint32_t generation, uint32_t state, uint64_t pid_ns)
{
	to->generation = generation;
	to->state = state;
	to->uid = id->uid;
	to->gid = id->gid;
	if (state == SHMCHAN_SLOT_LIVE && id->pid_ns == pid_ns)
		to->pid = id->pid;
}

static int read_members(int fd, const struct local_layout *at,
			struct shmchan_region_info *info)
{
	uint32_t nr = info->query.nr_slots, slot, live = 0;
	struct local_holders *holders;
	uint64_t pid_ns = 0;
	struct stat st;
	int err;

	info->words = calloc(nr, sizeof(*info->words));
	info->members = calloc(nr, sizeof(*info->members));
	holders = calloc(nr, sizeof(*holders));
	if (!info->words || !info->members || !holders) {
		free(holders);
		return shmchan__fail(ENOMEM, "no memory to describe a region");
	}
	if (!stat("/proc/self/ns/pid", &st))
		pid_ns = st.st_ino;
	err = read_at(fd, info->words, nr, sizeof(*info->words),
		      at->status + SHMCHAN_STATUS_SLOTS_OFFSET);
	if (!err)
		err = read_at(fd, holders, nr, sizeof(*holders), at->holders);
	for (slot = 0; slot < nr && !err; slot++) {
		struct shmchan_member_info *m = &info->members[slot];
		uint64_t word = info->words[slot];
		uint32_t generation = SHMCHAN_SLOT_WORD_GEN(word);
		uint32_t state = SHMCHAN_SLOT_WORD_STATE(word);

		m->size = sizeof(*m);
		m->slot = slot;
		/* Dead already, and nobody has noticed. */
		if (state == SHMCHAN_SLOT_LIVE && !local_slot_held(fd, slot))
			state = SHMCHAN_SLOT_DIED;
		live += state == SHMCHAN_SLOT_LIVE;
		if (!generation)
			continue;
		if (holders[slot].now.generation == generation)
			show(&m->current_holder, &holders[slot].now,
			     generation, state, pid_ns);
		if (holders[slot].before.generation &&
		    holders[slot].before.generation != generation)
			show(&m->previous_holder, &holders[slot].before,
			     holders[slot].before.generation,
			     holders[slot].before.state, pid_ns);
	}
	info->nr_live = live;
	free(holders);
	return err;
}

static int read_rest(int fd, const struct local_layout *at,
		     struct shmchan_region_info *info)
{
	const struct shmchan_query *q = &info->query;
	int err;

	info->bells = calloc(q->nr_doorbells + 1ULL, sizeof(*info->bells));
	info->header = calloc(1, sizeof(*info->header));
	if (!info->bells || !info->header)
		return shmchan__fail(ENOMEM, "no memory to describe a region");
	err = read_at(fd, info->windows, q->nr_windows,
		      sizeof(*info->windows), at->windows);
	if (!err)
		err = read_at(fd, info->doorbells, q->nr_doorbells,
			      sizeof(*info->doorbells), at->doorbells);
	if (!err)
		err = read_at(fd, info->bells, q->nr_doorbells + 1ULL,
			      sizeof(*info->bells), at->status +
			      SHMCHAN_STATUS_DOORBELLS_OFFSET(q->nr_slots));
	if (!err)
		err = read_at(fd, info->header, 1, sizeof(*info->header),
			      at->control);
	if (!err && info->header->magic != SHMCHAN_WIRE_MAGIC)
		memset(info->header, 0, sizeof(*info->header));
	return err;
}

static void set_query(struct shmchan_query *q, const struct local_super *s,
		      const struct local_layout *at, const struct stat *st,
		      const char *name)
{
	q->size = sizeof(*q);
	q->create_flags = s->flags;
	q->data_size = s->data_size;
	q->control_offset = at->control;
	q->control_size = s->control_size;
	q->status_offset = at->status;
	q->status_size = at->status_size;
	q->nr_slots = s->nr_slots;
	q->nr_doorbells = s->nr_doorbells;
	q->slot = SHMCHAN_SLOT_NONE;
	q->mode = st->st_mode & 0777;
	q->uid = st->st_uid;
	q->gid = st->st_gid;
	q->charged_uid = st->st_uid;
	q->nr_windows = s->nr_windows;
	q->data_folio_size = s->data_folio_size;
	strncpy(q->name, name, sizeof(q->name) - 1);
}

static int stat_file(int fd, struct shmchan_region_info *info, const char *name)
{
	struct local_super super;
	struct local_layout at;
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return shmchan__fail(errno, "fstat: %s", shmchan__errstr(errno));
	err = local_read_super(fd, &super, &at);
	if (err)
		return err;
	if (!local_anyone(fd))
		return shmchan__fail(ENOENT,
			"there is no %s: the file of that name in %s was left by dead processes (shmchan doctor --clean removes it)",
			name, local_dir());
	set_query(&info->query, &super, &at, &st, name);
	info->device = st.st_dev;
	info->inode = st.st_ino;
	err = shmchan__info_room(info);
	if (!err)
		err = read_members(fd, &at, info);
	return err ? err : read_rest(fd, &at, info);
}

int shmchan__local_stat(struct shmchan_region_info *info, const char *name)
{
	int fd = local_look(name), err;

	if (fd < 0)
		return fd;
	err = stat_file(fd, info, name);
	close(fd);
	return err;
}

const char *shmchan_local_dir(void)
{
	return local_dir();
}

/* Is this entry of the folder a region's file without members? */
static int is_stale(int dirfd, const char *entry)
{
	struct local_super super;
	struct local_layout at;
	struct stat st;
	int fd, stale;

	fd = openat(dirfd, entry, LOCAL_LOOK_FLAGS);
	if (fd < 0)
		return 0;
	stale = !fstat(fd, &st) && S_ISREG(st.st_mode) &&
		!local_read_super(fd, &super, &at) && !local_anyone(fd);
	close(fd);
	return stale;
}

int shmchan_local_stale(int (*fn)(const char *path, void *arg), void *arg)
{
	const size_t prefix = sizeof(LOCAL_PREFIX) - 1;
	char path[PATH_MAX];
	struct dirent *e;
	int ret = 0;
	DIR *dir;

	if (!fn)
		return shmchan__fail(EINVAL, "no function to call: NULL");
	dir = opendir(local_dir());
	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return shmchan__fail(errno, "%s: %s", local_dir(),
				     shmchan__errstr(errno));
	/* The stream is ours alone.  NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while (!ret && (e = readdir(dir)))
		if (!strncmp(e->d_name, LOCAL_PREFIX, prefix) &&
		    !shmchan__check_name(e->d_name + prefix) &&
		    is_stale(dirfd(dir), e->d_name) &&
		    !local_path(path, sizeof(path), e->d_name + prefix))
			ret = fn(path, arg);
	closedir(dir);
	return ret;
}
