/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_STAT_H
#define SHMCHAN_STAT_H

/*
 * Looking at a region without taking part in it: what `shmchan stat` shows.
 *
 *	struct shmchan_region_info *info;
 *	int err = shmchan_region_stat(&info, SHMCHAN_BACKEND_AUTO, "orders");
 *
 *	if (!err)
 *		printf("%u of %u slots\n", info->nr_live, info->query.nr_slots);
 *	shmchan_region_info_free(info);
 *
 * No slot is taken, no doorbell rung, nobody notices.  The price is that less
 * can be known: the module shows the status area to members only, so with it
 * words and bells are NULL; and who holds a slot to members and to the owner, so
 * members is NULL for others.  The local backend shows all of it to whoever may
 * read the file.
 *
 * Everything is a snapshot, and in the local backend the word of members who
 * could have written anything.
 *
 * The calls may be made by any thread; they do not block for longer than it
 * takes to read some files.
 */

#include <shmchan/region.h>
#include <shmchan/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

struct shmchan_region_info {
	enum shmchan_backend backend;
	uint32_t nr_live;		/* slots that are held */
	/* As QUERY tells; its windows and doorbells are those below. */
	struct shmchan_query query;
	struct shmchan_window *windows;		/* query.nr_windows */
	struct shmchan_doorbell *doorbells;	/* query.nr_doorbells, from 1 */

	/* What /proc/PID/maps shows beside mappings of the region. */
	uint64_t device;
	uint64_t inode;

	/* kmod; NULL in the local backend, and with a module without them. */
	struct shmchan_extent *extents;		/* query.nr_extents */
	int extents_phys;	/* ... with physical addresses: for root */
	/*
	 * Of the memory cgroup that is charged, in the hierarchy as it is
	 * mounted here.  NULL: none is, or it cannot be seen from here; then
	 * query.cgroup tells which of the two: 0 or an inode number.
	 */
	char *cgroup;

	/* NULL where it cannot be known without being a member or the owner. */
	struct shmchan_member_info *members;	/* query.nr_slots */
	/* NULL where it cannot be known without being a member. */
	uint64_t *words;			/* query.nr_slots */
	struct shmchan_doorbell_status *bells;	/* nr_doorbells + 1, from 0 */
	struct shmchan_wire *header;		/* magic 0: no channel */
};

/*
 * Describe the region of this name.  *info is the caller's, to be freed with
 * shmchan_region_info_free(); NULL after an error.  Errors: EINVAL (the name,
 * the environment), ENOENT, EACCES (with the module MAP_READ, in the local
 * backend read permission is needed), EPROTO (not a region), ENODEV, ENOMEM,
 * EMFILE, ENFILE.
 */
int shmchan_region_stat(struct shmchan_region_info **info,
			enum shmchan_backend backend, const char *name);

/* NULL is fine. */
void shmchan_region_info_free(struct shmchan_region_info *info);

/*
 * The tightest memory.max of the cgroups that the caller is in: regions are
 * charged to it when they are created.
 */
struct shmchan_cgroup_limit {
	uint64_t max;		/* bytes; ~0: there is no limit */
	uint64_t left;		/* of them, now */
	char path[1024];	/* the cgroup that sets it; empty: none does */
};

/* EINVAL only. */
int shmchan_cgroup_limit(struct shmchan_cgroup_limit *limit);

/* Where the local backend keeps its files here; valid for ever. */
const char *shmchan_local_dir(void);

/*
 * The files in that folder that dead processes have left and that
 * shmchan_local_clean() would remove, as far as permissions allow: fn is
 * called for each with its path; stops if that returns not 0, and returns it.
 */
int shmchan_local_stale(int (*fn)(const char *path, void *arg), void *arg);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_STAT_H */
