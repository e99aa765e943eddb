/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_REGION_H
#define SHMCHAN_REGION_H

/*
 * Regions: shared memory with members.
 *
 * A region is memory that several processes map, plus slots, windows and
 * doorbells.  A process that opens one becomes a *member* by taking a slot;
 * it may write only the windows of that slot and the shared ones.  Whoever
 * dies gives its slot back without doing anything for it.
 *
 * Two backends offer the same calls over the same bytes:
 *
 *  kmod   /dev/shmchan: windows kept by the MMU, death noticed by the kernel,
 *         names scoped by IPC namespace.
 *  local  tmpfs files: for members that trust each other, where the module is
 *         not loaded.  Death is noticed within SHMCHAN_LOCAL_SLICE_NS; windows
 *         are not enforced; names live in one directory.
 *
 * The first is taken if it is there; SHMCHAN_BACKEND=kmod or =local in the
 * environment, or the option, decides otherwise.
 *
 *	struct shmchan_window win = {
 *		.offset = SHMCHAN_CONTROL_OFFSET(2 << 20) + 4096,
 *		.length = 4096, .slot = 0,
 *	};
 *	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
 *		.data_size = 2 << 20, .control_size = 8192,
 *		.nr_slots = 2, .nr_windows = 1, .windows = &win);
 *	struct shmchan_region *r;
 *	int err = shmchan_region_create(&r, "orders", &opts);
 *	if (err)
 *		errx(1, "%s", shmchan_error_detail());
 *
 * All calls return 0 or a count, or a negative errno; what was wrong and what
 * would be right is then in shmchan_error_detail(), per thread.
 *
 * Unless a call says otherwise: a region handle may be used by all threads of
 * the process that opened it, and by nobody after fork: a child has to open
 * its own.  The calls give it -EOWNERDEAD, the memory is not mapped there, and
 * shmchan_region_close() frees the handle and does no more.  Nothing blocks;
 * nothing prints.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/shmchan.h>

#include <shmchan/atomic.h>

#ifdef __cplusplus
extern "C" {
#endif

enum shmchan_backend {
	SHMCHAN_BACKEND_AUTO = 0,
	SHMCHAN_BACKEND_KMOD = 1,
	SHMCHAN_BACKEND_LOCAL = 2,
};

/* The local backend notices a member's death at least this often. */
#define SHMCHAN_LOCAL_SLICE_NS	50000000LL

/*
 * The local backend, in detail.  Named regions are files shmchan.NAME in the
 * folder SHMCHAN_LOCAL_DIR of the environment, or /dev/shm; a setuid program
 * looks at neither that nor SHMCHAN_BACKEND.  A member needs read and write
 * permission of the file, also to only read the region.  A process maps its
 * own and the shared windows writable and no others, as with the module; but
 * any process with permission for the file can do otherwise.  What a process
 * that was killed alone leaves behind is a file that the next create of that
 * name replaces and an open does not see.  A process made by a raw clone()
 * (no libc, no shared memory, no exec) keeps its parent's slots from being
 * seen dead; fork() and posix_spawn() do not.
 */

/*
 * Defaults that the caller overrides: not what these warnings are after.  (C++
 * takes designators in the order of the fields only: assign what comes before
 * slot afterwards.)
 */
#ifdef __cplusplus
#define SHMCHAN__NO_WARNING \
	_Pragma("GCC diagnostic ignored \"-Wmissing-field-initializers\"")
#else
#define SHMCHAN__NO_WARNING \
	_Pragma("GCC diagnostic ignored \"-Woverride-init\"")
#endif
#define SHMCHAN__OPTS(type, ...) __extension__ ({ \
	_Pragma("GCC diagnostic push") \
	SHMCHAN__NO_WARNING \
	type shmchan__opts = { .size = sizeof(type), \
			       .slot = SHMCHAN_SLOT_ANY, __VA_ARGS__ }; \
	_Pragma("GCC diagnostic pop") \
	shmchan__opts; })

/* How to make a region.  Begin with SHMCHAN_REGION_OPTS(). */
struct shmchan_region_opts {
	size_t size;			/* of this struct; the initialiser sets it */
	enum shmchan_backend backend;
	uint32_t flags;			/* SHMCHAN_CREATE_SMALL, _CONTIG, _DUMP */
	uint32_t mode;			/* permission bits; 0: 0600 */
	uint32_t slot;			/* to take; SHMCHAN_SLOT_ANY by default */
	uint32_t nr_slots;		/* 1 or more */
	uint32_t nr_doorbells;		/* numbered from 1 */
	uint32_t nr_windows;
	uint64_t data_size;
	uint64_t control_size;		/* one page (the header's) or more */
	const struct shmchan_slot *slots;		/* NULL: anybody */
	const struct shmchan_doorbell *doorbells;
	const struct shmchan_window *windows;	/* by offset, no overlap */
	const void *header;		/* to be sealed in the header page */
	size_t header_len;		/* up to 4096 */
	/*
	 * Where the data's memory is to come from: enum shmchan_numa_policy,
	 * and the nodes that it is about; none with SHMCHAN_NUMA_DEFAULT.  The
	 * module places memory; the local backend says EOPNOTSUPP to this and
	 * to SHMCHAN_CREATE_CONTIG.
	 */
	uint32_t numa_policy;
	uint32_t nr_nodes;		/* up to SHMCHAN_MAX_NODES */
	const uint32_t *nodes;
	uint32_t join_flags;		/* SHMCHAN_JOIN_SIGBUS, see <shmchan/access.h>;
					   SHMCHAN_JOIN_ASYM, <shmchan/bell.h> */
};

#define SHMCHAN_REGION_OPTS(...) \
	SHMCHAN__OPTS(struct shmchan_region_opts, __VA_ARGS__)

/* How to open one. */
struct shmchan_open_opts {
	size_t size;
	enum shmchan_backend backend;
	uint32_t slot;			/* to take; SHMCHAN_SLOT_ANY by default */
	uint32_t rights;		/* SHMCHAN_RIGHT_*; 0: read write ring wait */
	int any_owner;			/* else only one of our own uid, or root's */
	uint32_t owner_uid;		/* ... or of this uid, if has_owner_uid */
	int has_owner_uid;
	uint32_t join_flags;		/* the same */
};

#define SHMCHAN_OPEN_OPTS(...) \
	SHMCHAN__OPTS(struct shmchan_open_opts, __VA_ARGS__)

/*
 * A member's view of a region.  Read-only for users of the library; it is not
 * opaque so that hot paths can be inlined.
 */
struct shmchan_region {
	uint8_t *base;			/* region offset 0 */
	uint64_t data_size;
	uint64_t control_offset;
	uint64_t control_size;
	uint64_t status_offset;
	uint64_t status_size;
	uint32_t nr_slots;
	uint32_t nr_doorbells;		/* doorbell 0 not counted */
	uint32_t slot;			/* ours */
	uint32_t generation;		/* of our holding it */
	uint32_t rights;
	enum shmchan_backend backend;
	char name[SHMCHAN_NAME_LEN];
	struct shmchan_region_private *priv;
	const uint64_t *own_word;	/* the word of our slot ... */
	uint64_t own_live;		/* ... while we hold it */
	uint32_t asym;			/* SHMCHAN_JOIN_ASYM is in effect */
};

/*
 * Make a region, take a slot in it, map all of it.  Errors: EINVAL (says
 * which option), EEXIST, ENOMEM (also: no contiguous run was found), EDQUOT,
 * ENOSPC, EACCES, ENXIO (a node is not there, or not ours to use), EPERM (so
 * much contiguous memory is a privilege), EOPNOTSUPP (the backend does not
 * place memory), ENODEV (the backend asked for is not there), EMFILE, ENFILE.
 */
int shmchan_region_create(struct shmchan_region **region, const char *name,
			  const struct shmchan_region_opts *opts);

/*
 * Open a region by name, take a slot in it, map all of it.  Errors: ENOENT,
 * EACCES, EPERM (somebody else's than expected), EBUSY (the slot is held),
 * EUSERS (all are), ECONNREFUSED (sealed: nobody joins any more), EINVAL, ENODEV,
 * EPROTO (not a region of ours).
 */
int shmchan_region_open(struct shmchan_region **region, const char *name,
			const struct shmchan_open_opts *opts);

/* Leave, unmap, free.  No other thread may be using it. NULL is fine. */
void shmchan_region_close(struct shmchan_region *region);

/*
 * A file that polls readable; see <shmchan/bell.h>.  It is also the capability
 * that we have joined with; see <shmchan/access.h>.  The region's: do not close
 * it.  kmod only: ENOTSUP.
 */
int shmchan_region_fd(const struct shmchan_region *region);

/* Who holds a slot, and who held it before.  Local: by what it says itself. */
int shmchan_region_member(const struct shmchan_region *region, uint32_t slot,
			  struct shmchan_member_info *info);

/* The names that can be seen here: fn is called for each; stops if not 0. */
int shmchan_region_list(enum shmchan_backend backend,
			int (*fn)(const struct shmchan_list_entry *entry,
				  void *arg), void *arg);

/*
 * Everything QUERY tells of a region that is open; windows may be NULL.  data and
 * control are what is mapped.  ESTALE.
 */
int shmchan_region_query(const struct shmchan_region *region,
			 struct shmchan_query *query);

/*
 * What the data area is made of: its physically contiguous runs from offset
 * *start on, as many as there is room for, 1024 at most at a time; *start moves
 * on.  Returns how many, 0: no more.
 *
 *	struct shmchan_extent e[16];
 *	uint64_t at = 0;
 *	int i, n;
 *
 *	while ((n = shmchan_region_extents(r, 0, &at, e, 16)) > 0)
 *		for (i = 0; i < n; i++)
 *			...
 *
 * flags: SHMCHAN_EXTENTS_PHYS for physical addresses too.  Errors: EINVAL,
 * EPERM (addresses are told to CAP_SYS_ADMIN), ENOTSUP (the local backend, or
 * an older module), ESTALE.
 */
int shmchan_region_extents(const struct shmchan_region *region, uint32_t flags,
			   uint64_t *start, struct shmchan_extent *extents,
			   uint32_t room);

/*
 * A dma-buf of a range of the data or the control area, for devices and for
 * processes that are no members; with SHMCHAN_EXPORT_WRITE one that they may
 * write.  Returns its file, close-on-exec and the caller's to close: until then
 * the memory stays, and a slot whose window can be written by it goes to nobody
 * else.
 * Errors: EINVAL (the range, in multiples of 4 KiB), EACCES (not all of it is
 * in windows that we may write), ENOTSUP (the local backend, or a kernel or
 * module without it), ESTALE, ENOMEM, EMFILE, ENFILE.
 */
int shmchan_region_export(const struct shmchan_region *region, uint64_t offset,
			  uint64_t length, uint32_t flags);

/*
 * Who holds memory of the module's: fn is called for each user; stops if not
 * 0, and returns that.  Without CAP_SYS_ADMIN (in the initial user namespace)
 * the caller is told of itself alone.  Errors: ENODEV, ENOTSUP (an older
 * module), EMFILE.
 */
int shmchan_users_list(int (*fn)(const struct shmchan_user_entry *entry,
				 void *arg), void *arg);

/*
 * For who polls and never sleeps: look for members that have died.  The local
 * backend has nobody else to do it (who sleeps in shmchan_bell_wait() does);
 * it looks once per SHMCHAN_LOCAL_SLICE_NS, whoever of the region's members
 * asks, so ask often: mostly it costs a look at the clock.  With the module it
 * costs nothing.  Returns how many deaths it noticed now, which the slot words
 * show.
 */
int shmchan_region_poll_members(const struct shmchan_region *region);

/*
 * Remove the names that dead processes have left in the local backend's
 * folder, as far as permissions allow.  Returns how many.
 */
int shmchan_local_clean(void);

/* What the module is and can, and your limits.  Errors: ENODEV, EMFILE. */
int shmchan_device_query(struct shmchan_query_device *query);

/*
 * The backend that AUTO means here, with the environment considered.  (A word
 * in SHMCHAN_BACKEND that is none makes create and open fail with EINVAL.)
 */
enum shmchan_backend shmchan_backend_default(void);
const char *shmchan_backend_name(enum shmchan_backend backend);

/*
 * What the last call of this thread that failed found wrong, and what would
 * be right.  Never NULL; valid until the next failing call of this thread.
 */
const char *shmchan_error_detail(void);

/* The byte at a region offset.  The caller has checked the offset. */
static inline void *shmchan_region_at(const struct shmchan_region *region,
				      uint64_t offset)
{
	return region->base + offset;
}

/* Region offset of the word that tells a slot's generation and state. */
static inline uint64_t
shmchan_slot_offset(const struct shmchan_region *region, uint32_t slot)
{
	return region->status_offset + SHMCHAN_STATUS_SLOTS_OFFSET + 8ULL * slot;
}

/* {generation:32, flags:24, state:8} of a slot; acquire. */
static inline uint64_t
shmchan_slot_word(const struct shmchan_region *region, uint32_t slot)
{
	return shmchan_load_acquire((uint64_t *)
		shmchan_region_at(region, shmchan_slot_offset(region, slot)));
}

/* Sets the detail of ESTALE, and returns it negative. */
int shmchan_region__stale(const struct shmchan_region *region);

/*
 * Are we still a member?  0, or ESTALE: our slot was taken from us.  Where the
 * region was mapped are zeros then, what is stored there goes nowhere, and no
 * loop on its words will end by itself; so who polls them, without a call that
 * would say it, asks this.  If the answer is 0, all that was read before was the
 * region's.  One load, of a line that changes when members come and go.
 */
static inline int shmchan_region_check(const struct shmchan_region *region)
{
#ifdef SHMCHAN_EXPLORER
	/* Nobody is revoked there. */
	(void)region;
	return 0;
#else
	shmchan_fence_acquire();
	if (__builtin_expect(shmchan_load_relaxed(region->own_word) ==
			     region->own_live, 1))
		return 0;
	return shmchan_region__stale(region);
#endif
}

static inline struct shmchan_doorbell_status *
shmchan_doorbell_status(const struct shmchan_region *region, uint32_t doorbell)
{
	return (struct shmchan_doorbell_status *)
		shmchan_region_at(region, region->status_offset +
			SHMCHAN_STATUS_DOORBELLS_OFFSET(region->nr_slots) +
			sizeof(struct shmchan_doorbell_status) * doorbell);
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_REGION_H */
