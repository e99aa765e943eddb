/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_BACKEND_H
#define SHMCHAN_BACKEND_H

/*
 * What a backend does, and what the files of region.c know of a handle.
 */

#include <shmchan/bell.h>
#include <shmchan/loop.h>

#include "internal.h"

#pragma GCC visibility push(hidden)

struct shmchan_region_private;
struct shmchan__local;

/*
 * An open file that forked children must not keep.  Opening and closing are
 * calls of process.c, so that no fork comes between a file and its entry in
 * the list of them.
 */
struct shmchan__file {
	int fd;				/* -1: not open */
	uint32_t is_region;		/* part of a shmchan_region_private */
	struct shmchan__file *next;
};

/* A handle: the part that users see, and the rest. */
struct shmchan_region_private {
	struct shmchan_region pub;
	const struct shmchan__backend *ops;
	uint32_t token;			/* of the process that opened it */
	struct shmchan__file file;	/* capability, or the local file */
	void *map;			/* all areas, with the gaps between */
	uint64_t map_size;
	uint32_t flags;			/* SHMCHAN_CREATE_* of the memory */
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint32_t data_folio_size;
	uint32_t nr_extents;
	uint32_t numa_policy;
	uint32_t charged_uid;
	uint64_t charged_bytes;
	uint64_t cgroup;		/* inode of the memory cgroup; 0: none */
	/* What we may map and wait for, beside the header page and the status. */
	struct shmchan_range data;
	struct shmchan_range control;
	uint32_t nr_windows;
	struct shmchan_window *windows;		/* ours to free */
	struct shmchan_doorbell *doorbells;	/* ours to free */
	struct shmchan__local *local;	/* the local backend's own */
	uint32_t join_flags;		/* with which we joined */
	/* asym.c: at which members_seq nobody was ASYM; backend_kmod_asym.c */
	uint64_t asym_seen;
	uint64_t subscribed[(SHMCHAN_MAX_DOORBELLS + 1) / 64];
};

/*
 * The calls of a backend.  Handles are usable and options checked when they
 * come here; create and open fill in p, and leave nothing behind (but what is
 * in p and its close undoes) when they fail.
 */
struct shmchan__backend {
	int (*create)(struct shmchan_region_private *p, const char *name,
		      const struct shmchan_region_opts *opts);
	int (*open)(struct shmchan_region_private *p, const char *name,
		    const struct shmchan_open_opts *opts);
	void (*close)(struct shmchan_region_private *p);
	/* What is freed without touching the region, in a forked child too. */
	void (*forget)(struct shmchan_region_private *p);
	int (*member)(const struct shmchan_region_private *p, uint32_t slot,
		      struct shmchan_member_info *info);
	/* What may have changed since it was opened; NULL: nothing does. */
	int (*query)(const struct shmchan_region_private *p,
		     struct shmchan_query *q);
	int (*list)(int (*fn)(const struct shmchan_list_entry *entry,
			      void *arg), void *arg);
	int (*poll_members)(struct shmchan_region_private *p);
	/* own: other threads of ours may be whom we wait for, too. */
	int (*wait)(struct shmchan_region_private *p,
		    const struct shmchan_wait_elem *elems, uint32_t nr_elems,
		    uint64_t deadline, uint32_t *index, int own);
	int (*ring)(struct shmchan_region_private *p, uint32_t doorbell,
		    uint32_t max_wake);
	int (*ring_wait)(struct shmchan_region_private *p, uint32_t doorbell,
			 uint32_t max_wake,
			 const struct shmchan_wait_elem *elems,
			 uint32_t nr_elems, uint64_t deadline,
			 uint32_t *index);
	int (*subscribe)(struct shmchan_region_private *p, uint32_t doorbell);
	int (*arm)(struct shmchan_region_private *p, uint32_t doorbell,
		   const struct shmchan_wait_elem *elems, uint32_t nr_elems);
	/* Be counted among those who sleep on it, until the next ring. */
	int (*count)(struct shmchan_region_private *p, uint32_t doorbell);
	/* wait, for several regions of this backend; conditions are checked. */
	int (*wait_many)(const struct shmchan_cond *conds, uint32_t nr,
			 uint64_t deadline, uint32_t *index);
	int (*subscribe_members)(struct shmchan_region_private *p);
	int (*unsubscribe)(struct shmchan_region_private *p, uint32_t doorbell);
	int (*events)(struct shmchan_region_private *p,
		      struct shmchan_event *events, uint32_t nr);
	int (*bind_eventfd)(struct shmchan_region_private *p, uint32_t doorbell,
			    int fd);
};

extern const struct shmchan__backend shmchan__kmod_ops;
extern const struct shmchan__backend shmchan__local_ops;

/* Join with a capability.  As open; but the file is the caller's if it fails. */
int shmchan__kmod_adopt(struct shmchan_region_private *p, int fd,
			uint32_t slot, uint32_t join_flags);
/* Undoes that. */
void shmchan__kmod_give_back(struct shmchan_region_private *p);

/* region.c: from what the caller asked for to what it gets. */
int shmchan__pick_backend(enum shmchan_backend *backend);
/* As close, of one that was adopted; but the file stays open. */
void shmchan__region_give_back(struct shmchan_region *region);

/* Can /dev/shmchan be used, or does it look as if it should be? */
int shmchan__kmod_present(void);

/* layout.c: options and descriptors, checked alike for both backends. */

/* An options structure: its size now, in the first version, its initialiser. */
struct shmchan__opts_type {
	size_t size;
	size_t least;
	const char *initialiser;
};

int shmchan__take_opts(void *mine, const struct shmchan__opts_type *type,
		       const void *theirs);
int shmchan__check_name(const char *name);
int shmchan__check_create(const struct shmchan_region_opts *opts);
int shmchan__check_open(const struct shmchan_open_opts *opts);
int shmchan__check_join(uint32_t slot, uint32_t join_flags);

/* The areas and granule that windows are checked against. */
struct shmchan__layout {
	uint64_t data_size;
	uint64_t control_size;
	uint64_t data_granule;
	uint32_t nr_slots;
};

int shmchan__check_windows(const struct shmchan__layout *layout,
			   const struct shmchan_window *windows, uint32_t nr);
int shmchan__check_doorbells(uint32_t nr_slots,
			     const struct shmchan_doorbell *doorbells,
			     uint32_t nr);

/* Does [offset, offset + length) lie in one area? */
int shmchan__in_area(const struct shmchan_region *region, uint64_t offset,
		     uint64_t length);

/* ... and does our capability reach it?  Length is not 0. */
int shmchan__reaches(const struct shmchan_region *region, uint64_t offset,
		     uint64_t length);

/* bell.c: as shmchan_bell_wait(), for what no thread of ours changes. */
int shmchan__bell_wait_others(const struct shmchan_region *region,
			      const struct shmchan_wait_elem *elems,
			      uint32_t nr_elems, uint64_t deadline);

/*
 * bell.c: to sleep for more words than one call takes.  We are counted, then scan
 * looks at all of them (not 0: there is something, and so it returns), then we
 * sleep until the doorbell is rung for whatever reason, or members_seq is not
 * members any more.  Once per call; as shmchan__bell_wait_others().
 */
int shmchan__bell_wait_scan(const struct shmchan_region *region,
			    uint32_t doorbell, uint64_t members,
			    int (*scan)(void *arg), void *arg,
			    uint64_t deadline);
/*
 * The first half: *seq is what the count of rings was before.  EOPNOTSUPP: for
 * members without a fence there is no barrier here.
 */
int shmchan__bell_count(const struct shmchan_region *region, uint32_t doorbell,
			uint64_t *seq);
struct shmchan_wait_elem shmchan__elem_rings(const struct shmchan_region *region,
					     uint32_t doorbell, uint64_t seq);

/* bell.c: may this member do that?  0 or the error, with its detail. */
int shmchan__check_wait(const struct shmchan_region_private *p,
			const struct shmchan_wait_elem *elems,
			uint32_t nr_elems);
int shmchan__check_ring(const struct shmchan_region_private *p,
			uint32_t doorbell);

/* wait_many.c: which conditions' region is no longer ours; nr: none. */
uint32_t shmchan__first_stale(const struct shmchan_cond *conds, uint32_t nr);

/* map.c: all areas at one place, and writable where we may write. */
int shmchan__map(struct shmchan_region_private *p, int status_writable);
int shmchan__map_windows(struct shmchan_region_private *p);
void shmchan__unmap(struct shmchan_region_private *p);

/* process.c: which process a handle belongs to. */
uint32_t shmchan__process_token(void);
int shmchan__process_is(uint32_t token);
int shmchan__file_open(struct shmchan__file *f, const char *path, int flags,
		       mode_t mode);
void shmchan__file_adopt(struct shmchan__file *f, int fd);
void shmchan__file_close(struct shmchan__file *f);
void shmchan__file_release(struct shmchan__file *f);
/* The open one of that number, or NULL. */
struct shmchan__file *shmchan__file_find(int fd);

static inline struct shmchan_region_private *
shmchan__private(const struct shmchan_region *region)
{
	return region->priv;
}

/* What messages call a region. */
static inline const char *
shmchan__label(const struct shmchan_region_private *p)
{
	return shmchan__name_of(&p->pub);
}

#pragma GCC visibility pop

#endif /* SHMCHAN_BACKEND_H */
