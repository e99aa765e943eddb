// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The kmod backend: /dev/shmchan.
 *
 * The calls are the kernel's; what is added is a message for each error.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "backend.h"

#define DEVICE	"/dev/shmchan"

/* The absence of the node, or of the module behind it: local may do instead. */
static int not_there(int err)
{
	return err == ENOENT || err == ENXIO || err == ENODEV;
}

int shmchan__kmod_present(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		/* One that we may not open is a fault to be shown. */
		return !not_there(errno);
	close(fd);
	return 1;
}

static int device_query(int fd, struct shmchan_query_device *q)
{
	memset(q, 0, sizeof(*q));
	q->size = sizeof(*q);
	return ioctl(fd, SHMCHAN_IOC_QUERY_DEVICE, q);
}

/* A file of the device, of an ABI that is ours; or an error. */
static int open_device(struct shmchan_query_device *q)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		return shmchan__fail(errno, DEVICE ": %s", shmchan__errstr(errno));
	if (fd < 0 && not_there(errno))
		return shmchan__fail(ENODEV,
			DEVICE " is not there: load the module (modprobe shmchan), or use the local backend (SHMCHAN_BACKEND=local)");
	if (fd < 0)
		return shmchan__fail(ENODEV,
			DEVICE " cannot be opened: %s: its mode should be 0666, and a container has to be given the device",
			shmchan__errstr(errno));
	if (device_query(fd, q)) {
		int err = errno;

		close(fd);
		return shmchan__fail(ENODEV,
			DEVICE " does not answer as shmchan does: %s",
			shmchan__errstr(err));
	}
	if (q->abi_major != SHMCHAN_ABI_MAJOR) {
		close(fd);
		return shmchan__fail(ENODEV,
			"the module's ABI is %u.%u, this library's %u.%u: they should be of the same major version",
			q->abi_major, q->abi_minor, SHMCHAN_ABI_MAJOR,
			SHMCHAN_ABI_MINOR);
	}
	return fd;
}

int shmchan_device_query(struct shmchan_query_device *query)
{
	int fd;

	if (!query)
		return shmchan__fail(EINVAL, "nowhere to put the answer: NULL");
	fd = open_device(query);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static uint64_t mib(uint64_t bytes)
{
	return (bytes + (1 << 20) - 1) >> 20;
}

/* What JOIN found wrong, in CREATE or OPEN; 0: not JOIN's error. */
static int join_error(const struct shmchan_region_private *p, int err,
		      uint32_t slot)
{
	switch (err) {
	case EBUSY:
		return shmchan__fail(err,
			"slot %u of %s is held, or I/O of its last holder has its memory pinned still",
			slot, shmchan__label(p));
	case EUSERS:
		return shmchan__fail(err,
			"all slots of %s are held: it was created with too few, or somebody should leave",
			shmchan__label(p));
	default:
		return 0;
	}
}

static int create_error(const struct shmchan_region_private *p, int err,
			const struct shmchan_region_opts *o, uint64_t bytes,
			const struct shmchan_query_device *q)
{
	int ret = join_error(p, err, o->slot);

	if (ret)
		return ret;
	switch (err) {
	case EEXIST:
		return shmchan__fail(err,
			"the name %s is taken in this IPC namespace: open it, or choose another",
			p->pub.name);
	case EDQUOT:
		return shmchan__fail(err,
			"the region needs %" PRIu64 " MiB, your limit is %" PRIu64 " MiB, of which %" PRIu64 " are used: raise it (modprobe shmchan user_mb=...), or have CAP_IPC_LOCK",
			mib(bytes), (uint64_t)q->user_limit >> 20, mib(q->user_bytes));
	case ENOSPC:
		return shmchan__fail(err,
			"the region needs %" PRIu64 " MiB, and all regions together may have %" PRIu64 " MiB: raise it (modprobe shmchan total_mb=...)",
			mib(bytes), (uint64_t)q->total_limit >> 20);
	case ENOMEM:
		return shmchan__fail(err,
			"no memory for %" PRIu64 " MiB%s, or the memory cgroup's limit (memory.max) is reached",
			mib(bytes), o->flags & SHMCHAN_CREATE_SMALL ? "" :
			" in 2 MiB folios (SHMCHAN_CREATE_SMALL takes 4 KiB ones)");
	case EACCES:
		return shmchan__fail(err,
			"slot %u is reserved for another user (slots[].uid)",
			o->slot);
	case EOPNOTSUPP:
		return shmchan__fail(err,
			"%s%sthis version of the module does not offer that (see shmchan_device_query())",
			o->flags & SHMCHAN_CREATE_CONTIG ?
			"SHMCHAN_CREATE_CONTIG: " : "",
			q->features & SHMCHAN_FEATURE_HUGE ? "" :
			"this kernel has no 2 MiB folios, take SHMCHAN_CREATE_SMALL: ");
	default:
		return shmchan__fail(err, "creating %s: %s", shmchan__label(p),
				     shmchan__errstr(err));
	}
}

static int open_error(const struct shmchan_region_private *p, int err,
		      const struct shmchan_open_opts *o)
{
	int ret = join_error(p, err, o->slot);

	if (ret)
		return ret;
	switch (err) {
	case ENOENT:
		return shmchan__fail(err,
			"there is no %s in this IPC namespace (shmchan ls shows what there is)",
			p->pub.name);
	case EACCES:
		return shmchan__fail(err,
			"the mode of %s does not give you the rights %#x (read: map and wait, write: map writable and ring), or slot %d is another user's",
			p->pub.name, o->rights, (int)o->slot);
	case EPERM:
		if (o->has_owner_uid)
			return shmchan__fail(err,
				"the owner of %s is neither you, nor root, nor uid %u: if that is right, say so with owner_uid or any_owner",
				p->pub.name, o->owner_uid);
		return shmchan__fail(err,
			"the owner of %s is neither you nor root: if that is right, say so with owner_uid or any_owner",
			p->pub.name);
	case EINVAL:
		return shmchan__fail(err, "%s has no slot %u", p->pub.name,
				     o->slot);
	default:
		return shmchan__fail(err, "opening %s: %s", p->pub.name,
				     shmchan__errstr(err));
	}
}

static int query(int fd, struct shmchan_query *q)
{
	q->size = sizeof(*q);
	return ioctl(fd, SHMCHAN_IOC_QUERY, q) ? -errno : 0;
}

/* Read the geometry, then the descriptors, which never change. */
static int describe(struct shmchan_region_private *p)
{
	struct shmchan_region *r = &p->pub;
	struct shmchan_query q = { 0 };
	int err;

	err = query(p->file.fd, &q);
	if (err)
		return shmchan__fail(-err, "QUERY of %s: %s",
				     shmchan__label(p), shmchan__errstr(-err));
	r->data_size = q.data_size;
	r->control_offset = q.control_offset;
	r->control_size = q.control_size;
	r->status_offset = q.status_offset;
	r->status_size = q.status_size;
	r->nr_slots = q.nr_slots;
	r->nr_doorbells = q.nr_doorbells;
	r->slot = q.slot;
	r->generation = q.generation;
	r->rights = q.rights;
	p->flags = q.create_flags;
	p->mode = q.mode;
	p->uid = q.uid;
	p->gid = q.gid;
	p->data_folio_size = q.data_folio_size;
	p->nr_extents = q.nr_extents;
	p->nr_windows = q.nr_windows;
	/* One more than needed, so that none is not a NULL. */
	p->windows = calloc(q.nr_windows + 1ULL, sizeof(*p->windows));
	p->doorbells = calloc(q.nr_doorbells + 1ULL, sizeof(*p->doorbells));
	if (!p->windows || !p->doorbells)
		return shmchan__fail(ENOMEM, "no memory for a handle");
	memset(&q, 0, sizeof(q));
	q.windows = (uintptr_t)p->windows;
	q.nr_windows = p->nr_windows;
	q.doorbells = (uintptr_t)p->doorbells;
	q.room_doorbells = r->nr_doorbells;
	err = query(p->file.fd, &q);
	if (err)
		return shmchan__fail(-err, "QUERY of %s: %s",
				     shmchan__label(p), shmchan__errstr(-err));
	return 0;
}

static void kmod_close(struct shmchan_region_private *p)
{
	struct shmchan_leave leave = { .size = sizeof(leave) };

	/* LEAVE says LEFT at once, however many copies of the file there are. */
	ioctl(p->file.fd, SHMCHAN_IOC_LEAVE, &leave);
	shmchan__unmap(p);
	shmchan__file_close(&p->file);
}

/* The member is ours: describe and map it. */
static int settle(struct shmchan_region_private *p)
{
	int err;

	err = describe(p);
	if (!err)
		err = shmchan__map(p, 0);
	if (!err)
		err = shmchan__map_windows(p);
	if (err)
		kmod_close(p);
	return err;
}

static int kmod_create(struct shmchan_region_private *p, const char *name,
		       const struct shmchan_region_opts *o)
{
	struct shmchan_query_device device;
	struct shmchan_create c = {
		.size = sizeof(c),
		.flags = o->flags | SHMCHAN_CREATE_JOIN,
		.name = (uintptr_t)name,
		.name_len = name ? (uint32_t)strlen(name) : 0,
		.mode = o->mode,
		.data_size = o->data_size,
		.control_size = o->control_size,
		.header = (uintptr_t)o->header,
		.header_len = (uint32_t)o->header_len,
		.nr_slots = o->nr_slots,
		.slots = (uintptr_t)o->slots,
		.doorbells = (uintptr_t)o->doorbells,
		.nr_doorbells = o->nr_doorbells,
		.nr_windows = o->nr_windows,
		.windows = (uintptr_t)o->windows,
		.join_slot = o->slot,
	};
	int fd = open_device(&device), err;

	if (fd < 0)
		return fd;
	err = ioctl(fd, SHMCHAN_IOC_CREATE, &c) ? errno : 0;
	if (err) {
		uint64_t bytes = o->data_size + o->control_size +
			SHMCHAN_STATUS_SIZE(o->nr_slots, o->nr_doorbells);

		device_query(fd, &device);
		close(fd);
		return create_error(p, err, o, bytes, &device);
	}
	close(fd);
	shmchan__file_adopt(&p->file, c.fd);
	return settle(p);
}

static int kmod_open(struct shmchan_region_private *p, const char *name,
		     const struct shmchan_open_opts *o)
{
	struct shmchan_query_device device;
	struct shmchan_open arg = {
		.size = sizeof(arg),
		.flags = SHMCHAN_OPEN_JOIN,
		.name = (uintptr_t)name,
		.name_len = (uint32_t)strlen(name),
		.rights = o->rights,
		.join_slot = o->slot,
	};
	int fd = open_device(&device), err;

	if (fd < 0)
		return fd;
	if (!o->any_owner)
		arg.flags |= SHMCHAN_OPEN_OWNER_SELF;
	if (!o->any_owner && o->has_owner_uid) {
		arg.flags |= SHMCHAN_OPEN_OWNER_UID;
		arg.owner_uid = o->owner_uid;
	}
	err = ioctl(fd, SHMCHAN_IOC_OPEN, &arg) ? errno : 0;
	close(fd);
	if (err)
		return open_error(p, err, o);
	shmchan__file_adopt(&p->file, arg.fd);
	return settle(p);
}

static void kmod_forget(struct shmchan_region_private *p)
{
	(void)p;
}

/* The errors that any call of a member can give. */
static int member_error(const struct shmchan_region_private *p, int err,
			const char *what)
{
	if (err == ESTALE)
		return shmchan__fail(err,
			"we are no longer a member of %s: our slot was taken from us, or we left",
			shmchan__label(p));
	if (err == EPERM)
		return shmchan__fail(EOWNERDEAD,
			"%s: this process is not the one that opened %s",
			what, shmchan__label(p));
	return shmchan__fail(err, "%s on %s: %s", what, shmchan__label(p),
			     shmchan__errstr(err));
}

static int kmod_member(const struct shmchan_region_private *p, uint32_t slot,
		       struct shmchan_member_info *info)
{
	info->slot = slot;
	if (ioctl(p->file.fd, SHMCHAN_IOC_MEMBER_INFO, info))
		return member_error(p, errno, "MEMBER_INFO");
	return 0;
}

static int kmod_list(int (*fn)(const struct shmchan_list_entry *entry,
			       void *arg), void *arg)
{
	struct shmchan_list_entry entries[32];
	struct shmchan_query_device device;
	struct shmchan_list l = { 0 };
	uint32_t i;
	int fd, err = 0;

	fd = open_device(&device);
	if (fd < 0)
		return fd;
	do {
		l.size = sizeof(l);
		l.entries = (uintptr_t)entries;
		l.nr_entries = sizeof(entries) / sizeof(entries[0]);
		l.entry_size = sizeof(entries[0]);
		if (ioctl(fd, SHMCHAN_IOC_LIST, &l)) {
			err = shmchan__fail(errno, "LIST: %s", shmchan__errstr(errno));
			break;
		}
		for (i = 0; i < l.nr_entries && !err; i++)
			err = fn(&entries[i], arg);
	} while (l.nr_entries && !err);
	close(fd);
	return err;
}

/* The kernel notices by itself. */
static int kmod_poll_members(struct shmchan_region_private *p)
{
	(void)p;
	return 0;
}

/* Why a call with these elements failed: our own checks can say it better. */
static int wait_error(const struct shmchan_region_private *p, int err,
		      const struct shmchan_wait_elem *elems, uint32_t nr_elems)
{
	int ret;

	if (err == ETIMEDOUT)
		return shmchan__fail(err, "the deadline has passed");
	if (err == EUSERS)
		return shmchan__fail(err,
			"a doorbell of %s has %d waiters, which is the most",
			shmchan__label(p), SHMCHAN_MAX_WAITERS);
	if (err == EINVAL || err == EACCES || err == E2BIG || err == EBADF) {
		ret = shmchan__check_wait(p, elems, nr_elems);
		if (ret)
			return ret;
	}
	return member_error(p, err, "WAIT");
}

static void make_wait(struct shmchan_wait *w,
		      const struct shmchan_wait_elem *elems, uint32_t nr_elems,
		      uint64_t deadline)
{
	memset(w, 0, sizeof(*w));
	w->size = sizeof(*w);
	w->elems = (uintptr_t)elems;
	w->nr_elems = nr_elems;
	w->clockid = CLOCK_MONOTONIC;
	w->deadline = deadline;
}

static int kmod_wait(struct shmchan_region_private *p,
		     const struct shmchan_wait_elem *elems, uint32_t nr_elems,
		     uint64_t deadline, uint32_t *index)
{
	struct shmchan_wait w;
	int err;

	make_wait(&w, elems, nr_elems, deadline);
	/* The deadline is absolute: after a signal it is still the same. */
	do
		err = ioctl(p->file.fd, SHMCHAN_IOC_WAIT, &w) ? errno : 0;
	while (err == EINTR);
	if (err)
		return wait_error(p, err, elems, nr_elems);
	if (index)
		*index = w.index;
	return 0;
}

static int ring_error(const struct shmchan_region_private *p, int err,
		      uint32_t doorbell)
{
	if (err == EINVAL || err == EACCES) {
		int ret = shmchan__check_ring(p, doorbell);

		if (ret)
			return ret;
	}
	return member_error(p, err, "RING");
}

static int kmod_ring(struct shmchan_region_private *p, uint32_t doorbell,
		     uint32_t max_wake)
{
	struct shmchan_ring r = {
		.size = sizeof(r), .doorbell = doorbell, .max_wake = max_wake,
	};

	if (ioctl(p->file.fd, SHMCHAN_IOC_RING, &r))
		return ring_error(p, errno, doorbell);
	return (int)r.woken;
}

static int kmod_ring_wait(struct shmchan_region_private *p, uint32_t doorbell,
			  uint32_t max_wake,
			  const struct shmchan_wait_elem *elems,
			  uint32_t nr_elems, uint64_t deadline,
			  uint32_t *index)
{
	struct shmchan_ring_wait rw = {
		.size = sizeof(rw), .doorbell = doorbell, .max_wake = max_wake,
	};
	int err;

	make_wait(&rw.wait, elems, nr_elems, deadline);
	err = ioctl(p->file.fd, SHMCHAN_IOC_RING_WAIT, &rw) ? errno : 0;
	/* The ring has been done: a signal costs only the wait. */
	if (err == EINTR)
		return kmod_wait(p, elems, nr_elems, deadline, index);
	if (err == EINVAL || err == EACCES) {
		int ret = shmchan__check_ring(p, doorbell);

		if (ret)
			return ret;
	}
	if (err)
		return wait_error(p, err, elems, nr_elems);
	if (index)
		*index = rw.wait.index;
	return 0;
}

static int kmod_subscribe(struct shmchan_region_private *p, uint32_t doorbell)
{
	struct shmchan_subscribe s = {
		.size = sizeof(s), .doorbell = doorbell,
	};
	int err = ioctl(p->file.fd, SHMCHAN_IOC_SUBSCRIBE, &s) ? errno : 0;

	switch (err) {
	case 0:
		return 0;
	case EEXIST:
		return shmchan__fail(err, "doorbell %u is subscribed to already",
				     doorbell);
	case EUSERS:
		return shmchan__fail(err,
			"this member subscribes to %d doorbells, which is the most, or the doorbell has its most waiters",
			SHMCHAN_MAX_SUBS);
	case EINVAL:
		return shmchan__fail(err,
			"doorbell %u: %s has doorbells 0 to %u", doorbell,
			shmchan__label(p), p->pub.nr_doorbells);
	case EACCES:
		return shmchan__fail(err,
			"doorbell %u is not ours to wait on, or %s was opened without SHMCHAN_RIGHT_WAIT",
			doorbell, shmchan__label(p));
	default:
		return member_error(p, err, "SUBSCRIBE");
	}
}

static int kmod_arm(struct shmchan_region_private *p, uint32_t doorbell,
		    const struct shmchan_wait_elem *elems, uint32_t nr_elems)
{
	struct shmchan_arm a = {
		.size = sizeof(a), .doorbell = doorbell,
		.nr_elems = nr_elems, .elems = (uintptr_t)elems,
	};
	int err = ioctl(p->file.fd, SHMCHAN_IOC_ARM, &a) ? errno : 0;

	switch (err) {
	case 0:
		return 0;
	case EAGAIN:
		return shmchan__fail(err, "a word has changed: drain again");
	case ENOENT:
		return shmchan__fail(err,
			"doorbell %u is not subscribed to: call shmchan_bell_subscribe() first",
			doorbell);
	case EINVAL:
	case EACCES:
	case E2BIG:
		if (nr_elems) {
			int ret = shmchan__check_wait(p, elems, nr_elems);

			if (ret)
				return ret;
		}
		return shmchan__fail(err,
			"ARM of doorbell %u: elements should have fd -1 and this doorbell",
			doorbell);
	default:
		return member_error(p, err, "ARM");
	}
}

const struct shmchan__backend shmchan__kmod_ops = {
	.create = kmod_create,
	.open = kmod_open,
	.close = kmod_close,
	.forget = kmod_forget,
	.member = kmod_member,
	.list = kmod_list,
	.poll_members = kmod_poll_members,
	.wait = kmod_wait,
	.ring = kmod_ring,
	.ring_wait = kmod_ring_wait,
	.subscribe = kmod_subscribe,
	.arm = kmod_arm,
};
