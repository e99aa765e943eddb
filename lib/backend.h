/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_BACKEND_H
#define SHMCHAN_BACKEND_H

/*
 * What a backend does, and what the files of region.c know of a handle.
 */

#include <shmchan/bell.h>

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
	uint32_t nr_windows;
	struct shmchan_window *windows;		/* ours to free */
	struct shmchan_doorbell *doorbells;	/* ours to free */
	struct shmchan__local *local;	/* the local backend's own */
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
	int (*list)(int (*fn)(const struct shmchan_list_entry *entry,
			      void *arg), void *arg);
	int (*poll_members)(struct shmchan_region_private *p);
	int (*wait)(struct shmchan_region_private *p,
		    const struct shmchan_wait_elem *elems, uint32_t nr_elems,
		    uint64_t deadline, uint32_t *index);
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
};

extern const struct shmchan__backend shmchan__kmod_ops;
extern const struct shmchan__backend shmchan__local_ops;

/* Can /dev/shmchan be used, or does it look as if it should be? */
int shmchan__kmod_present(void);

/* layout.c: options and descriptors, checked alike for both backends. */

int shmchan__take_opts(void *mine, size_t size, const void *theirs,
		       const char *initialiser);
int shmchan__check_name(const char *name);
int shmchan__check_create(const struct shmchan_region_opts *opts);
int shmchan__check_open(const struct shmchan_open_opts *opts);

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

/* bell.c: may this member do that?  0 or the error, with its detail. */
int shmchan__check_wait(const struct shmchan_region_private *p,
			const struct shmchan_wait_elem *elems,
			uint32_t nr_elems);
int shmchan__check_ring(const struct shmchan_region_private *p,
			uint32_t doorbell);

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

static inline struct shmchan_region_private *
shmchan__private(const struct shmchan_region *region)
{
	return region->priv;
}

/* What messages call a region. */
static inline const char *
shmchan__label(const struct shmchan_region_private *p)
{
	return p->pub.name[0] ? p->pub.name : "(unnamed)";
}

#pragma GCC visibility pop

#endif /* SHMCHAN_BACKEND_H */
