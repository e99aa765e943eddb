// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The local backend: making, opening, leaving and listing regions.
 *
 * How it works, and the rules, are at the top of backend_local.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <shmchan/stat.h>

#include "backend_local.h"
#include "host.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25	/* Linux 6.1 */
#endif

/* So much is allocated between two chances for a signal to interrupt. */
#define ALLOCATE_STEP	(64ULL << 20)

static uint64_t mib(uint64_t bytes)
{
	return (bytes + (1 << 20) - 1) >> 20;
}

static int local_state(struct shmchan_region_private *p)
{
	p->local = calloc(1, sizeof(*p->local));
	/* One more than needed, so that none is not a NULL. */
	p->windows = calloc(p->nr_windows + 1ULL, sizeof(*p->windows));
	p->doorbells = calloc(p->pub.nr_doorbells + 1ULL,
			      sizeof(*p->doorbells));
	if (p->local && p->windows && p->doorbells)
		return 0;
	return shmchan__fail(ENOMEM, "no memory for a handle");
}

/* What the file's inode says. */
static int local_inode(struct shmchan_region_private *p)
{
	struct stat st;

	if (fstat(p->file.fd, &st))
		return shmchan__fail(errno, "fstat: %s", shmchan__errstr(errno));
	p->mode = st.st_mode & 0777;
	p->uid = st.st_uid;
	p->gid = st.st_gid;
	/* No limit counts it but the file system's. */
	p->charged_uid = st.st_uid;
	return 0;
}

static void set_geometry(struct shmchan_region_private *p,
			 const struct local_super *s,
			 const struct local_layout *at)
{
	struct shmchan_region *r = &p->pub;

	r->data_size = s->data_size;
	r->control_offset = at->control;
	r->control_size = s->control_size;
	r->status_offset = at->status;
	r->status_size = at->status_size;
	r->nr_slots = s->nr_slots;
	r->nr_doorbells = s->nr_doorbells;
	p->flags = s->flags;
	p->nr_windows = s->nr_windows;
	p->data_folio_size = s->data_folio_size;
	p->data = (struct shmchan_range){ .length = r->data_size };
	p->control = (struct shmchan_range){
		.offset = r->control_offset, .length = r->control_size,
	};
	/* Nothing is known of how a tmpfs file lies in memory. */
	p->nr_extents = s->data_folio_size ?
		(uint32_t)(s->data_size / s->data_folio_size) : 0;
}

/* Map what lies behind the status area. */
static int map_meta(struct shmchan_region_private *p)
{
	struct shmchan__local *l = p->local;
	size_t size = l->at.size - l->at.meta;
	void *meta;

	meta = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, p->file.fd,
		    (off_t)l->at.meta);
	if (meta == MAP_FAILED)
		return shmchan__fail(errno, "mapping %zu bytes: %s", size,
				     shmchan__errstr(errno));
	l->meta = meta;
	l->super = local_meta(p, l->at.super);
	if (madvise(meta, size, MADV_DONTFORK))
		return shmchan__fail(errno, "MADV_DONTFORK: %s",
				     shmchan__errstr(errno));
	madvise(meta, size, MADV_DONTDUMP);
	return 0;
}

/* Undo everything but the handle's own memory. */
static void local_drop(struct shmchan_region_private *p)
{
	shmchan__unmap(p);
	if (p->local && p->local->meta)
		munmap(p->local->meta, p->local->at.size - p->local->at.meta);
	if (p->local)
		p->local->meta = NULL;
	shmchan__file_close(&p->file);
}

static void local_forget(struct shmchan_region_private *p)
{
	if (p->local) {
		free(p->local->path);
		free(p->local->told);
	}
	free(p->local);
	p->local = NULL;
}

/* A file that has no name yet. */
static int make_file(struct shmchan_region_private *p, uint32_t mode)
{
	const char *dir = local_dir();

	int fd = shmchan__file_open(&p->file, dir, O_TMPFILE | O_RDWR,
				    (mode_t)mode);

	if (fd >= 0)
		return 0;
	switch (-fd) {
	case ENOENT:
	case ENOTDIR:
		return shmchan__fail(ENODEV,
			"%s: %s: the local backend needs a tmpfs there (mount -t tmpfs), or SHMCHAN_LOCAL_DIR should name another",
			dir, shmchan__errstr(-fd));
	case EISDIR:
	case EOPNOTSUPP:
		return shmchan__fail(ENODEV,
			"%s is on a file system without O_TMPFILE: SHMCHAN_LOCAL_DIR should name a folder of a tmpfs",
			dir);
	default:
		return shmchan__fail(-fd, "making a file in %s: %s", dir,
				     shmchan__errstr(-fd));
	}
}

static int no_space(int err, uint64_t bytes)
{
	struct statvfs fs;

	if ((err != ENOSPC && err != EDQUOT) || statvfs(local_dir(), &fs))
		return shmchan__fail(err, "allocating %" PRIu64 " MiB in %s: %s",
				     mib(bytes), local_dir(), shmchan__errstr(err));
	return shmchan__fail(err,
		"the region needs %" PRIu64 " MiB, and %s has %" PRIu64 " MiB free of %" PRIu64 ": give it more (mount -o remount,size=..., docker --shm-size), or name another with SHMCHAN_LOCAL_DIR",
		mib(bytes), local_dir(),
		((uint64_t)fs.f_bavail * fs.f_frsize) >> 20,
		((uint64_t)fs.f_blocks * fs.f_frsize) >> 20);
}

/*
 * What cannot fit is refused before a byte of it is taken: a tmpfs may be
 * larger than what memory is left, and filling it would have somebody killed.
 */
static int check_room(uint64_t bytes)
{
	uint64_t available = shmchan__meminfo("MemAvailable") +
			     shmchan__meminfo("SwapFree");
	struct shmchan_cgroup_limit limit;
	struct statfs fs;

	if (statfs(local_dir(), &fs))
		return 0;
	/* A tmpfs without a limit says 0 blocks. */
	if (fs.f_blocks &&
	    (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < bytes)
		return no_space(ENOSPC, bytes);
	if (fs.f_type != TMPFS_MAGIC)
		return 0;
	if (available && available < bytes)
		return shmchan__fail(ENOMEM,
			"the region needs %" PRIu64 " MiB, and this machine has %" PRIu64 " of its %" PRIu64 " MiB of memory available: ask for less",
			mib(bytes), available >> 20,
			shmchan__meminfo("MemTotal") >> 20);
	shmchan_cgroup_limit(&limit);
	if (limit.max < bytes)
		return shmchan__fail(ENOMEM,
			"the region needs %" PRIu64 " MiB, and the memory cgroup %.200s may have %" PRIu64 " MiB: raise its memory.max, or ask for less",
			mib(bytes), limit.path, limit.max >> 20);
	return 0;
}

/* Memory now, or an error now: never SIGBUS later. */
static int allocate(int fd, uint64_t start, uint64_t length, uint64_t total)
{
	while (length) {
		uint64_t step = length < ALLOCATE_STEP ? length : ALLOCATE_STEP;

		if (!fallocate(fd, 0, (off_t)start, (off_t)step)) {
			start += step;
			length -= step;
		} else if (errno != EINTR) {
			return no_space(errno, total);
		}
	}
	return 0;
}

/*
 * Huge pages for the data area, where the kernel gives them: while it is
 * nearly a hole, so that next to nothing has to be copied.  One page of each
 * has to be there and mapped; it is allocated first, so that touching it
 * cannot raise SIGBUS.  Returns what was got.
 */
static uint32_t collapse(int fd, uint64_t size)
{
	uint8_t *start, *base;
	uint64_t at;
	int ok;

	if (!size || size % SHMCHAN_HUGE || size > SIZE_MAX - SHMCHAN_HUGE)
		return SHMCHAN_PAGE;
	start = mmap(NULL, size + SHMCHAN_HUGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (start == MAP_FAILED)
		return SHMCHAN_PAGE;
	base = (uint8_t *)SHMCHAN_ALIGN_UP((uintptr_t)start, SHMCHAN_HUGE);
	ok = mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		  fd, 0) != MAP_FAILED;
	for (at = 0; ok && at < size; at += SHMCHAN_HUGE) {
		ok = !fallocate(fd, 0, (off_t)at, SHMCHAN_PAGE);
		if (ok)
			(void)*(volatile uint8_t *)(base + at);
	}
	ok = ok && !madvise(base, size, MADV_COLLAPSE);
	munmap(start, size + SHMCHAN_HUGE);
	return ok ? SHMCHAN_HUGE : SHMCHAN_PAGE;
}

static int fill_file(struct shmchan_region_private *p,
		     const struct shmchan_region_opts *o,
		     struct local_super *super)
{
	const struct local_layout *at = &p->local->at;
	uint64_t total = o->data_size + o->control_size + at->size - at->status;
	int err = check_room(total);

	if (err)
		return err;
	if (ftruncate(p->file.fd, (off_t)at->size))
		return no_space(errno, total);
	if (!(o->flags & SHMCHAN_CREATE_SMALL))
		super->data_folio_size = collapse(p->file.fd, o->data_size);
	err = allocate(p->file.fd, 0, o->data_size, total);
	if (!err)
		err = allocate(p->file.fd, at->control, o->control_size, total);
	if (!err)
		err = allocate(p->file.fd, at->status, at->size - at->status, total);
	if (!err && o->header_len &&
	    pwrite(p->file.fd, o->header, o->header_len, (off_t)at->control) !=
	    (ssize_t)o->header_len)
		err = shmchan__fail(EIO, "writing the header");
	return err;
}

static void write_status(struct shmchan_region_private *p)
{
	struct shmchan_status *s = shmchan_region_at(&p->pub,
						     p->pub.status_offset);

	s->version = 1;
	s->nr_slots = p->pub.nr_slots;
	s->nr_doorbells = p->pub.nr_doorbells + 1;
	s->slots_offset = SHMCHAN_STATUS_SLOTS_OFFSET;
	s->doorbells_offset = SHMCHAN_STATUS_DOORBELLS_OFFSET(p->pub.nr_slots);
	s->doorbell_stride = sizeof(struct shmchan_doorbell_status);
}

static void copy_array(void *to, const void *from, uint64_t nr, size_t size)
{
	if (nr && from)
		memcpy(to, from, nr * size);
}

static void write_meta(struct shmchan_region_private *p,
		       const struct shmchan_region_opts *o,
		       const struct local_super *super)
{
	const struct local_layout *at = &p->local->at;

	copy_array(local_meta(p, at->slots), o->slots, o->nr_slots,
		   sizeof(*o->slots));
	copy_array(local_meta(p, at->doorbells), o->doorbells, o->nr_doorbells,
		   sizeof(*o->doorbells));
	copy_array(local_meta(p, at->windows), o->windows, o->nr_windows,
		   sizeof(*o->windows));
	*p->local->super = *super;
}

/* Give the file its name; -EEXIST: another has it now. */
static int give_name(int fd, const char *path)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (!linkat(AT_FDCWD, self, AT_FDCWD, path, AT_SYMLINK_FOLLOW))
		return 0;
	if (errno == EEXIST)
		return -EEXIST;
	/* Without /proc: needs a capability, or Linux 6.10. */
	if (errno == ENOENT && !linkat(fd, "", AT_FDCWD, path, AT_EMPTY_PATH))
		return 0;
	if (errno == EEXIST)
		return -EEXIST;
	return shmchan__fail(errno, "naming the region %s: %s%s", path,
			     shmchan__errstr(errno), errno == ENOENT ?
			     " (is /proc mounted?)" : "");
}

static int publish(struct shmchan_region_private *p, const char *path,
		   const char *name)
{
	unsigned int i;
	int err;

	for (i = 0; i < LOCAL_TRIES; i++) {
		err = give_name(p->file.fd, path);
		if (err != -EEXIST)
			return err;
		err = local_displace(path, name);
		if (err)
			return err;
	}
	return shmchan__fail(EEXIST,
		"the name %s is being taken and given back all the time", name);
}

/* All of a new region but its name. */
static int build(struct shmchan_region_private *p,
		 const struct shmchan_region_opts *o)
{
	struct local_super super = {
		.magic = LOCAL_MAGIC,
		.version = LOCAL_VERSION,
		.flags = o->flags,
		.data_size = o->data_size,
		.control_size = o->control_size,
		.nr_slots = o->nr_slots,
		.nr_doorbells = o->nr_doorbells,
		.nr_windows = o->nr_windows,
		.data_folio_size = SHMCHAN_PAGE,
	};
	struct local_layout at;
	int err;

	local_lay_out(&at, o->data_size, o->control_size, o->nr_slots,
		      o->nr_doorbells, o->nr_windows);
	set_geometry(p, &super, &at);
	p->pub.rights = SHMCHAN_RIGHT_ALL;
	err = local_state(p);
	if (err)
		return err;
	p->local->at = at;
	copy_array(p->windows, o->windows, o->nr_windows, sizeof(*o->windows));
	copy_array(p->doorbells, o->doorbells, o->nr_doorbells,
		   sizeof(*o->doorbells));
	err = make_file(p, o->mode);
	if (!err)
		err = local_inode(p);
	if (!err)
		err = fill_file(p, o, &super);
	if (err)
		return err;
	set_geometry(p, &super, &at);
	err = map_meta(p);
	if (err)
		return err;
	write_meta(p, o, &super);
	err = shmchan__map(p, 1);
	if (err)
		return err;
	write_status(p);
	err = local_claim(p, o->slot);
	return err ? err : shmchan__map_windows(p);
}

static int keep_path(struct shmchan_region_private *p, const char *path)
{
	p->local->path = strdup(path);
	return p->local->path ? 0 :
	       shmchan__fail(ENOMEM, "no memory for a handle");
}

/* A tmpfs takes its pages where they are. */
static int refuse_placement(const struct shmchan_region_opts *o)
{
	if (o->flags & SHMCHAN_CREATE_CONTIG)
		return shmchan__fail(EOPNOTSUPP,
			"SHMCHAN_CREATE_CONTIG: this is the local backend, and only the module places memory: load it (shmchan doctor says how), or leave CONTIG out");
	if (o->numa_policy != SHMCHAN_NUMA_DEFAULT)
		return shmchan__fail(EOPNOTSUPP,
			"numa_policy is %u: this is the local backend, and only the module places memory: load it (shmchan doctor says how), or leave the policy to numactl",
			o->numa_policy);
	return 0;
}

static int local_create(struct shmchan_region_private *p, const char *name,
			const struct shmchan_region_opts *o)
{
	char path[PATH_MAX];
	int err;

	err = refuse_placement(o);
	if (err)
		return err;
	if (name) {
		err = local_path(path, sizeof(path), name);
		/* Asked again when it counts: this saves the work. */
		if (!err)
			err = local_displace(path, name);
		if (err)
			return err;
	}
	err = build(p, o);
	if (!err && name)
		err = keep_path(p, path);
	if (!err && name)
		err = publish(p, path, name);
	if (err)
		local_drop(p);
	return err;
}

static int open_failed(int err, const char *path, const char *name)
{
	struct stat st;

	if (err == ENOENT)
		return shmchan__fail(ENOENT,
			"there is no %s: no %s (shmchan ls shows what there is)",
			name, path);
	if (err == ELOOP || err == EISDIR || err == ENXIO)
		return shmchan__fail(EPROTO, "%s is not a region: %s", path,
				     shmchan__errstr(err));
	if (err == EACCES && !stat(path, &st))
		return shmchan__fail(EACCES,
			"%s is of user %u, group %u, mode 0%o: the local backend needs read and write permission",
			path, st.st_uid, st.st_gid, st.st_mode & 0777);
	return shmchan__fail(err, "opening %s: %s", path, shmchan__errstr(err));
}

/* Whoever comes first can create any name: is this who was expected? */
static int check_owner(const char *name, uint32_t owner,
		       const struct shmchan_open_opts *o)
{
	if (o->any_owner || owner == geteuid() || owner == 0 ||
	    (o->has_owner_uid && owner == o->owner_uid))
		return 0;
	return shmchan__fail(EPERM,
		"the owner of %s is user %u, which is neither you nor root%s: if that is right, say so with owner_uid or any_owner",
		name, owner, o->has_owner_uid ? " nor the one you expect" : "");
}

/*
 * Our file, its gate entered, for a region that lives; or an error, or 1: try
 * again.
 */
static int enter(struct shmchan_region_private *p, const char *path,
		 const char *name, const struct shmchan_open_opts *o)
{
	struct stat st;
	int err;

	err = shmchan__file_open(&p->file, path,
				 O_RDWR | O_NOFOLLOW | O_NOCTTY, 0);
	if (err < 0)
		return open_failed(-err, path, name);
	if (fstat(p->file.fd, &st))
		return shmchan__fail(errno, "fstat: %s", shmchan__errstr(errno));
	if (!S_ISREG(st.st_mode))
		return shmchan__fail(EPROTO, "%s is not a region: not a file",
				     path);
	err = check_owner(name, st.st_uid, o);
	if (err)
		return err;
	err = local_gate_enter(p->file.fd, LOCAL_GATE_NS);
	if (err)
		return shmchan__fail(-err,
			"somebody keeps the gate of %s locked: %s", path,
			shmchan__errstr(-err));
	/* Removed while we came; the name may be another's by now. */
	if (!local_names(path, p->file.fd))
		return 1;
	if (local_anyone(p->file.fd))
		return 0;
	if (!local_is_region(p->file.fd))
		return shmchan__fail(EPROTO, "%s is not a region", path);
	/* Left behind by the dead: a region without members has ended. */
	if (unlink(path) && errno != ENOENT)
		return shmchan__fail(ENOENT,
			"there is no %s: %s was left behind by dead processes (shmchan doctor --clean removes it)",
			name, path);
	return 1;
}

/* Under the gate: read what it is, take a slot, map it. */
static int attach(struct shmchan_region_private *p,
		  const struct shmchan_open_opts *o)
{
	struct shmchan__layout layout;
	struct local_super super;
	struct local_layout at;
	int err;

	err = local_read_super(p->file.fd, &super, &at);
	if (err)
		return err;
	set_geometry(p, &super, &at);
	err = local_inode(p);
	if (!err)
		err = local_state(p);
	if (err)
		return err;
	p->local->at = at;
	err = map_meta(p);
	if (err)
		return err;
	copy_array(p->windows, local_meta(p, at.windows), p->nr_windows,
		   sizeof(*p->windows));
	copy_array(p->doorbells, local_meta(p, at.doorbells),
		   p->pub.nr_doorbells, sizeof(*p->doorbells));
	layout = (struct shmchan__layout){
		.data_size = p->pub.data_size,
		.control_size = p->pub.control_size,
		.data_granule = p->flags & SHMCHAN_CREATE_SMALL ?
				SHMCHAN_PAGE : SHMCHAN_HUGE,
		.nr_slots = p->pub.nr_slots,
	};
	if (shmchan__check_windows(&layout, p->windows, p->nr_windows) ||
	    shmchan__check_doorbells(p->pub.nr_slots, p->doorbells,
				     p->pub.nr_doorbells))
		return shmchan__fail(EPROTO, "%s is damaged: its %.300s",
				     p->pub.name, shmchan_error_detail());
	p->pub.rights = o->rights;
	err = shmchan__map(p, 1);
	if (!err)
		err = local_claim(p, o->slot);
	if (err)
		return err;
	/* Which windows are ours to write is known with the slot. */
	err = shmchan__map_windows(p);
	if (err)
		local_leave(p);
	return err;
}

static int local_open(struct shmchan_region_private *p, const char *name,
		      const struct shmchan_open_opts *o)
{
	char path[PATH_MAX];
	unsigned int i;
	int err;

	err = local_path(path, sizeof(path), name);
	if (err)
		return err;
	for (i = 0; i < LOCAL_TRIES; i++) {
		err = enter(p, path, name, o);
		if (err <= 0)
			break;
		local_drop(p);
	}
	if (err > 0)
		return shmchan__fail(EBUSY,
			"the name %s is being taken and given back all the time",
			name);
	if (!err)
		err = attach(p, o);
	if (!err) {
		err = keep_path(p, path);
		if (err)
			local_leave(p);
	}
	/* With its file goes the gate's lock, and a slot's. */
	if (err)
		local_drop(p);
	else
		local_gate_leave(p->file.fd);
	return err;
}

static void local_close(struct shmchan_region_private *p)
{
	const char *path = p->local->path;
	int gate;

	/* If somebody who is stopped keeps it, the next who comes tidies up. */
	gate = !local_gate_enter(p->file.fd, LOCAL_GATE_NS);
	local_leave(p);
	if (gate && path && !local_anyone(p->file.fd) &&
	    local_names(path, p->file.fd))
		unlink(path);
	local_drop(p);
}

static int local_poll_members(struct shmchan_region_private *p)
{
	return local_reap(p, shmchan__now());
}

static int no_file(struct shmchan_region_private *p, uint32_t doorbell)
{
	(void)p;
	return shmchan__fail(ENOTSUP,
		"doorbell %u: the local backend's regions have no file that polls readable: put them into a set (shmchan_set_fd() of <shmchan/loop.h>), load the module, or wait with shmchan_bell_wait()",
		doorbell);
}

static int local_arm(struct shmchan_region_private *p, uint32_t doorbell,
		     const struct shmchan_wait_elem *elems, uint32_t nr_elems)
{
	(void)elems;
	(void)nr_elems;
	return no_file(p, doorbell);
}

const struct shmchan__backend shmchan__local_ops = {
	.create = local_create,
	.open = local_open,
	.close = local_close,
	.forget = local_forget,
	.member = local_member,
	.list = local_list,
	.poll_members = local_poll_members,
	.wait = local_wait,
	.ring = local_ring,
	.ring_wait = local_ring_wait,
	.subscribe = no_file,
	.arm = local_arm,
	.count = local_count,
	.wait_many = local_wait_many,
	.subscribe_members = local_subscribe_members,
	.unsubscribe = local_unsubscribe,
	.events = local_events,
	.bind_eventfd = local_bind_eventfd,
};
