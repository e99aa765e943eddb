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

#include "access_private.h"
#include "asym.h"
#include "backend_kmod.h"

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

int shmchan__kmod_device(struct shmchan_query_device *q)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		return shmchan__fail(errno, DEVICE ": %s", shmchan__errstr(errno));
	if (fd < 0 && not_there(errno))
		return shmchan__fail(ENODEV,
			DEVICE " is not there: load the module (modprobe shmchan), give a container the device (--device " DEVICE "), or use the local backend (SHMCHAN_BACKEND=local)");
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
	fd = shmchan__kmod_device(query);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int shmchan__kmod_open_error(const char *name, int err,
			     const struct shmchan_open_opts *o)
{
	int ret = shmchan__kmod_join_error(name, err, o->slot);
	char rights[SHMCHAN__RIGHTS];

	if (ret)
		return ret;
	shmchan__rights_word(rights, o->rights);
	switch (err) {
	case ENOENT:
		return shmchan__fail(err,
			"there is no %s in this IPC namespace (shmchan ls shows what there is)",
			name);
	case EACCES:
		if (o->slot == SHMCHAN_SLOT_ANY)
			return shmchan__fail(err,
				"the mode of %s does not give you all of the rights %s (r: read and wait, w: write and ring, its owner: admin and publish), or it was published with less, or the slots that are free are other users'",
				name, rights);
		return shmchan__fail(err,
			"the mode of %s does not give you all of the rights %s (r: read and wait, w: write and ring), or it was published with less, or slot %u is another user's, or not the one that it was published for",
			name, rights, o->slot);
	case EPERM:
		if (o->has_owner_uid)
			return shmchan__fail(err,
				"the owner of %s is neither you, nor root, nor uid %u: if that is right, say so with owner_uid or any_owner",
				name, o->owner_uid);
		return shmchan__fail(err,
			"the owner of %s is neither you nor root: if that is right, say so with owner_uid or any_owner",
			name);
	case EINVAL:
		return shmchan__fail(err, "%s has no slot %u", name, o->slot);
	default:
		return shmchan__fail(err, "opening %s: %s", name,
				     shmchan__errstr(err));
	}
}

void shmchan__kmod_open_arg(struct shmchan_open *arg, const char *name,
			    const struct shmchan_open_opts *o)
{
	memset(arg, 0, sizeof(*arg));
	arg->size = sizeof(*arg);
	arg->name = (uintptr_t)name;
	arg->name_len = (uint32_t)strlen(name);
	arg->rights = o->rights;
	if (o->any_owner)
		return;
	arg->flags = SHMCHAN_OPEN_OWNER_SELF;
	if (o->has_owner_uid) {
		arg->flags |= SHMCHAN_OPEN_OWNER_UID;
		arg->owner_uid = o->owner_uid;
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
	/* Where it has no name here, that by which it was opened was true. */
	if (q.name[0] && !r->name[0])
		memcpy(r->name, q.name, sizeof(r->name));
	p->data = q.data;
	p->control = q.control;
	p->flags = q.create_flags;
	p->mode = q.mode;
	p->uid = q.uid;
	p->gid = q.gid;
	p->data_folio_size = q.data_folio_size;
	p->nr_extents = q.nr_extents;
	p->numa_policy = q.numa_policy;
	p->charged_uid = q.charged_uid;
	p->charged_bytes = q.charged_bytes;
	p->cgroup = q.cgroup;
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

static void leave(struct shmchan_region_private *p)
{
	struct shmchan_leave arg = { .size = sizeof(arg) };

	/* LEAVE says LEFT at once, however many copies of the file there are. */
	ioctl(p->file.fd, SHMCHAN_IOC_LEAVE, &arg);
	shmchan__unmap(p);
}

static void kmod_close(struct shmchan_region_private *p)
{
	leave(p);
	shmchan__file_close(&p->file);
}

/* The member is ours: map it. */
static int map_it(struct shmchan_region_private *p)
{
	int err = shmchan__map(p, 0);

	return err ? err : shmchan__map_windows(p);
}

/* A module without capabilities does not say what they reach: all. */
static void reach_all(struct shmchan_region_private *p)
{
	p->data = (struct shmchan_range){ .length = p->pub.data_size };
	p->control = (struct shmchan_range){
		.offset = p->pub.control_offset,
		.length = p->pub.control_size,
	};
}

static int settle(struct shmchan_region_private *p,
		  const struct shmchan_query_device *device)
{
	int err = describe(p);

	if (!err && !(device->features & SHMCHAN_FEATURE_ACCESS))
		reach_all(p);
	if (!err)
		err = map_it(p);
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
		.numa_policy = o->numa_policy,
		.numa_nodes = (uintptr_t)o->nodes,
		.nr_nodes = o->nr_nodes,
		.join_flags = o->join_flags,
		.join_slot = o->slot,
	};
	int fd = shmchan__kmod_device(&device), err;

	if (fd < 0)
		return fd;
	err = ioctl(fd, SHMCHAN_IOC_CREATE, &c) ? errno : 0;
	/* What is used of a limit is told as it is now. */
	if (err)
		device_query(fd, &device);
	close(fd);
	if (err)
		return shmchan__kmod_create_error(p, err, o, &device);
	shmchan__file_adopt(&p->file, c.fd);
	return settle(p, &device);
}

static int kmod_open(struct shmchan_region_private *p, const char *name,
		     const struct shmchan_open_opts *o)
{
	struct shmchan_query_device device;
	struct shmchan_open arg;
	int fd = shmchan__kmod_device(&device), err;

	if (fd < 0)
		return fd;
	shmchan__kmod_open_arg(&arg, name, o);
	arg.flags |= SHMCHAN_OPEN_JOIN;
	arg.join_slot = o->slot;
	arg.join_flags = o->join_flags;
	err = ioctl(fd, SHMCHAN_IOC_OPEN, &arg) ? errno : 0;
	close(fd);
	if (err)
		return shmchan__kmod_open_error(name, err, o);
	shmchan__file_adopt(&p->file, arg.fd);
	return settle(p, &device);
}

static int adopt_error(int err, const struct shmchan_query *q, uint32_t slot)
{
	const char *label = q->name[0] ? q->name : "(unnamed)";
	int ret = shmchan__kmod_join_error(label, err, slot);

	if (ret)
		return ret;
	if (err == EINVAL && slot != SHMCHAN_SLOT_ANY)
		return shmchan__fail(err, "%s has no slot %u: it has 0 to %u",
				     label, slot, q->nr_slots - 1);
	if (err == EACCES && slot != SHMCHAN_SLOT_ANY &&
	    q->join_slot != SHMCHAN_SLOT_ANY && q->join_slot != slot)
		return shmchan__fail(err,
			"slot is %u: this capability is for slot %u of %s",
			slot, q->join_slot, label);
	if (err == EACCES)
		return shmchan__fail(err,
			"slot %d of %s is reserved for another user",
			(int)(slot == SHMCHAN_SLOT_ANY ? q->join_slot : slot),
			label);
	return shmchan__fail(err, "joining %s: %s", label,
			     shmchan__errstr(err));
}

int shmchan__kmod_adopt(struct shmchan_region_private *p, int fd,
			uint32_t slot, uint32_t join_flags)
{
	struct shmchan_join join = {
		.size = sizeof(join), .flags = join_flags, .slot = slot,
	};
	char has[SHMCHAN__RIGHTS];
	struct shmchan_query q;
	int err;

	err = shmchan__capability_check(fd, &q);
	if (err)
		return err;
	if (!(q.rights & SHMCHAN_RIGHT_MAP_READ))
		return shmchan__fail(EACCES,
			"this capability has %s: a member needs the right read (SHMCHAN_RIGHT_MAP_READ), for the status area at least",
			shmchan__rights_word(has, q.rights));
	if (ioctl(fd, SHMCHAN_IOC_JOIN, &join))
		return adopt_error(errno, &q, slot);
	shmchan__file_adopt(&p->file, fd);
	err = describe(p);
	if (!err)
		err = map_it(p);
	if (err)
		shmchan__kmod_give_back(p);
	return err;
}

void shmchan__kmod_give_back(struct shmchan_region_private *p)
{
	leave(p);
	shmchan__file_release(&p->file);
}

static int kmod_query(const struct shmchan_region_private *p,
		      struct shmchan_query *q)
{
	struct shmchan_query now = { 0 };
	int err = query(p->file.fd, &now);

	if (err)
		return shmchan__kmod_member_error(p, -err, "QUERY");
	q->rights = now.rights;
	q->mode = now.mode;
	q->uid = now.uid;
	q->gid = now.gid;
	q->seals = now.seals;
	q->join_slot = now.join_slot;
	memcpy(q->name, now.name, sizeof(q->name));
	return 0;
}

static void kmod_forget(struct shmchan_region_private *p)
{
	(void)p;
}

int shmchan__kmod_member_error(const struct shmchan_region_private *p, int err,
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
		return shmchan__kmod_member_error(p, errno, "MEMBER_INFO");
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

	fd = shmchan__kmod_device(&device);
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
	return shmchan__kmod_member_error(p, err, "WAIT");
}

static void make_wait(struct shmchan_wait *w,
		      const struct shmchan__kmod_guard *g, uint64_t deadline)
{
	memset(w, 0, sizeof(*w));
	w->size = sizeof(*w);
	w->flags = g->flags;
	w->elems = (uintptr_t)g->elems;
	w->nr_elems = g->nr;
	w->clockid = CLOCK_MONOTONIC;
	w->deadline = deadline;
}

/* WAIT with what the guard has made of the elements; 0 or an errno. */
static int guarded_wait(struct shmchan_region_private *p,
			const struct shmchan__kmod_guard *g, uint64_t deadline,
			uint32_t *index)
{
	struct shmchan_wait w;
	uint64_t slice;
	int err;

	if (g->slice) {
		slice = shmchan__now() + g->slice;
		if (slice < deadline)
			deadline = slice;
	}
	make_wait(&w, g, deadline);
	/* The deadline is absolute: after a signal it is still the same. */
	do
		err = ioctl(p->file.fd, SHMCHAN_IOC_WAIT, &w) ? errno : 0;
	while (err == EINTR);
	*index = w.index;
	return err;
}

static int passed(uint64_t deadline)
{
	return deadline != SHMCHAN_FOREVER && shmchan__now() >= deadline;
}

static int kmod_wait(struct shmchan_region_private *p,
		     const struct shmchan_wait_elem *elems, uint32_t nr_elems,
		     uint64_t deadline, uint32_t *index, int own)
{
	struct shmchan__kmod_guard g;
	int err, careful = 0;
	uint32_t at = 0;

	for (;;) {
		shmchan__kmod_guard(p, elems, nr_elems, own, careful, &g);
		err = guarded_wait(p, &g, deadline, &at);
		if (err == EAGAIN && g.flags) {
			careful = 1;
			continue;
		}
		if (err && (err != ETIMEDOUT || !g.slice || passed(deadline)))
			return wait_error(p, err, elems, nr_elems);
		/* Not a slice that has passed, nor a condition of the guard's. */
		if (!err && at < nr_elems)
			break;
		if (passed(deadline))
			return wait_error(p, ETIMEDOUT, elems, nr_elems);
	}
	if (index)
		*index = at;
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
	return shmchan__kmod_member_error(p, err, "RING");
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
	struct shmchan__kmod_guard g;
	int err;

	shmchan__kmod_guard(p, elems, nr_elems, 1, 0, &g);
	if (g.slice) {
		err = kmod_ring(p, doorbell, max_wake);
		return err < 0 ? err : kmod_wait(p, elems, nr_elems, deadline,
						 index, 1);
	}
	make_wait(&rw.wait, &g, deadline);
	err = ioctl(p->file.fd, SHMCHAN_IOC_RING_WAIT, &rw) ? errno : 0;
	/* The ring has been done: a signal, or the guard, costs only the wait. */
	if (err == EINTR || err == EAGAIN ||
	    (!err && rw.wait.index >= nr_elems))
		return kmod_wait(p, elems, nr_elems, deadline, index, 1);
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
		if (shmchan__kmod_hand_over(p, doorbell))
			return 0;
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
		return shmchan__kmod_member_error(p, err, "SUBSCRIBE");
	}
}

/*
 * Armed: if there is somebody without a fence, look again behind a barrier.  A
 * ring between the two has made the file readable.
 */
static int look_again(struct shmchan_region_private *p,
		      const struct shmchan_wait_elem *elems, uint32_t nr_elems)
{
	uint64_t seq;
	uint32_t i;

	if (!shmchan__asym_any(p, 1, &seq))
		return 0;
	if (shmchan__asym_barrier())
		return shmchan__fail(EOPNOTSUPP,
			"a member of %s publishes without a fence (SHMCHAN_JOIN_ASYM), and membarrier(2) is refused here: sleep in shmchan_bell_wait(), or allow it (seccomp)",
			shmchan__label(p));
	for (i = 0; i < nr_elems; i++)
		if (shmchan__differs(p, &elems[i]))
			return shmchan__fail(EAGAIN,
				"a word has changed: drain again");
	return 0;
}

static int kmod_arm(struct shmchan_region_private *p, uint32_t doorbell,
		    const struct shmchan_wait_elem *elems, uint32_t nr_elems)
{
	int err = shmchan__kmod_arm(p, doorbell, elems, nr_elems);

	switch (err) {
	case 0:
		return look_again(p, elems, nr_elems);
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
		return shmchan__kmod_member_error(p, err, "ARM");
	}
}

static int kmod_count(struct shmchan_region_private *p, uint32_t doorbell)
{
	int err = shmchan__kmod_count(p, doorbell);

	return err ? shmchan__kmod_member_error(p, err, "ARM") : 0;
}

const struct shmchan__backend shmchan__kmod_ops = {
	.create = kmod_create,
	.open = kmod_open,
	.close = kmod_close,
	.forget = kmod_forget,
	.member = kmod_member,
	.query = kmod_query,
	.list = kmod_list,
	.poll_members = kmod_poll_members,
	.wait = kmod_wait,
	.ring = kmod_ring,
	.ring_wait = kmod_ring_wait,
	.subscribe = kmod_subscribe,
	.arm = kmod_arm,
	.count = kmod_count,
	.wait_many = shmchan__kmod_wait_many,
	.subscribe_members = shmchan__kmod_subscribe_members,
	.unsubscribe = shmchan__kmod_unsubscribe,
	.events = shmchan__kmod_events,
	.bind_eventfd = shmchan__kmod_bind_eventfd,
};
