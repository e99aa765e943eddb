// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Looking at a region from outside: <shmchan/stat.h>, and its kmod half.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend_kmod.h"
#include "host.h"
#include "stat_private.h"

int shmchan__info_room(struct shmchan_region_info *info)
{
	/* One more than needed, so that none is not a NULL. */
	info->windows = calloc(info->query.nr_windows + 1ULL,
			       sizeof(*info->windows));
	info->doorbells = calloc(info->query.nr_doorbells + 1ULL,
				 sizeof(*info->doorbells));
	if (!info->windows || !info->doorbells)
		return shmchan__fail(ENOMEM, "no memory to describe a region");
	info->query.windows = (uintptr_t)info->windows;
	info->query.doorbells = (uintptr_t)info->doorbells;
	info->query.room_doorbells = info->query.nr_doorbells;
	return 0;
}

static int query(int fd, struct shmchan_query *q)
{
	q->size = sizeof(*q);
	if (!ioctl(fd, SHMCHAN_IOC_QUERY, q))
		return 0;
	return shmchan__fail(errno, "QUERY: %s", shmchan__errstr(errno));
}

static int open_failed(int err, const char *name)
{
	switch (err) {
	case ENOENT:
		return shmchan__fail(err,
			"there is no %s in this IPC namespace (shmchan ls shows what there is)",
			name);
	case EACCES:
		return shmchan__fail(err,
			"the mode of %s does not let you read it", name);
	default:
		return shmchan__fail(err, "opening %s: %s", name,
				     shmchan__errstr(err));
	}
}

/*
 * A capability that never joins: it takes no slot.  With ADMIN, if there is a
 * prospect of it: a refusal is worth an entry in somebody's audit.
 */
static int open_capability(const char *name, int admin)
{
	struct shmchan_open arg = {
		.size = sizeof(arg),
		.name = (uintptr_t)name,
		.name_len = (uint32_t)strlen(name),
		.rights = SHMCHAN_RIGHT_MAP_READ,
	};
	struct shmchan_query_device device;
	int fd, err;

	fd = shmchan__kmod_device(&device);
	if (fd < 0)
		return fd;
	if (admin)
		arg.rights |= SHMCHAN_RIGHT_ADMIN;
	err = ioctl(fd, SHMCHAN_IOC_OPEN, &arg) ? errno : 0;
	if (err == EACCES && admin) {
		arg.rights = SHMCHAN_RIGHT_MAP_READ;
		err = ioctl(fd, SHMCHAN_IOC_OPEN, &arg) ? errno : 0;
	}
	close(fd);
	return err ? open_failed(err, name) : arg.fd;
}

/* Who holds the slots: told with ADMIN, and by no older module. */
static int read_members(int fd, struct shmchan_region_info *info)
{
	uint32_t nr = info->query.nr_slots, slot;
	struct shmchan_member_info *m;

	if (!(info->query.rights & SHMCHAN_RIGHT_ADMIN))
		return 0;
	info->members = calloc(nr, sizeof(*info->members));
	if (!info->members)
		return shmchan__fail(ENOMEM, "no memory to describe a region");
	for (slot = 0; slot < nr; slot++) {
		m = &info->members[slot];
		m->size = sizeof(*m);
		m->slot = slot;
		if (ioctl(fd, SHMCHAN_IOC_MEMBER_INFO, m)) {
			free(info->members);
			info->members = NULL;
			break;
		}
	}
	return 0;
}

/*
 * All extents, with physical addresses if we may know them.  An older module
 * has no such call; a description is good for something without it, too.
 */
static int read_extents(int fd, struct shmchan_region_info *info)
{
	uint32_t nr = 0, total = info->query.nr_extents;
	uint32_t flags = SHMCHAN_EXTENTS_PHYS;
	uint64_t start = 0;
	int got = 0;

	info->extents = calloc(total + 1ULL, sizeof(*info->extents));
	if (!info->extents)
		return shmchan__fail(ENOMEM, "no memory to describe a region");
	while (nr < total) {
		got = shmchan__kmod_extents(fd, flags, &start,
					    info->extents + nr, total - nr);
		if (got == -EPERM && flags) {
			flags = 0;
			continue;
		}
		if (got <= 0)
			break;
		nr += (uint32_t)got;
	}
	if (nr == total) {
		info->extents_phys = total && flags;
		return 0;
	}
	free(info->extents);
	info->extents = NULL;
	if (got == -ENOTTY)
		return 0;
	return shmchan__fail(got ? -got : EPROTO,
		"EXTENTS: %u of %u told: %s", nr, total,
		shmchan__errstr(got ? -got : EPROTO));
}

static int kmod_stat(struct shmchan_region_info *info, const char *name,
		     const struct shmchan_list_entry *entry)
{
	struct stat st;
	int fd, err;

	fd = open_capability(name, !(entry->flags & SHMCHAN_NAME_PUBLISHED) &&
				   (entry->uid == geteuid() || !geteuid()));
	if (fd < 0)
		return fd;
	err = query(fd, &info->query);
	if (!err)
		err = shmchan__info_room(info);
	/* The descriptors are fixed at creation: the room is still right. */
	if (!err)
		err = query(fd, &info->query);
	if (!err)
		err = read_extents(fd, info);
	if (!err)
		err = read_members(fd, info);
	if (!err)
		info->cgroup = shmchan__cgroup_path(info->query.cgroup);
	if (!err && !fstat(fd, &st)) {
		info->device = st.st_dev;
		info->inode = st.st_ino;
	}
	close(fd);
	return err;
}

struct finder {
	const char *name;
	struct shmchan_list_entry entry;
};

static int find(const struct shmchan_list_entry *entry, void *arg)
{
	struct finder *f = arg;

	if (strncmp(entry->name, f->name, sizeof(entry->name)) != 0)
		return 0;
	f->entry = *entry;
	return 1;
}

int shmchan_region_stat(struct shmchan_region_info **info,
			enum shmchan_backend backend, const char *name)
{
	struct shmchan_region_info *i;
	struct finder f = { .name = name };
	int err;

	if (!info)
		return shmchan__fail(EINVAL, "nowhere to put the answer: NULL");
	*info = NULL;
	if (!name)
		return shmchan__fail(EINVAL, "no name (NULL) to look at");
	err = shmchan__check_name(name);
	if (err)
		return err;
	/* The kernel counts the slots held for LIST alone. */
	err = shmchan_region_list(backend, find, &f);
	if (err < 0)
		return err;
	if (backend == SHMCHAN_BACKEND_AUTO)
		backend = shmchan_backend_default();
	i = calloc(1, sizeof(*i));
	if (!i)
		return shmchan__fail(ENOMEM, "no memory to describe a region");
	i->backend = backend;
	i->nr_live = f.entry.nr_live;
	err = backend == SHMCHAN_BACKEND_KMOD ? kmod_stat(i, name, &f.entry) :
						shmchan__local_stat(i, name);
	if (err) {
		shmchan_region_info_free(i);
		return err;
	}
	*info = i;
	return 0;
}

void shmchan_region_info_free(struct shmchan_region_info *info)
{
	if (!info)
		return;
	free(info->extents);
	free(info->cgroup);
	free(info->windows);
	free(info->doorbells);
	free(info->members);
	free(info->words);
	free(info->bells);
	free(info->header);
	free(info);
}
