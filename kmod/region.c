// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making a region, and describing it.
 *
 * CREATE checks everything that the caller asked for before it allocates, and
 * shows the name last: nobody sees a region that is half made.
 */

#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs_struct.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "shmchan.h"

#define SHMCHAN_CREATE_FLAGS \
	(SHMCHAN_CREATE_SMALL | SHMCHAN_CREATE_CONTIG | \
	 SHMCHAN_CREATE_JOIN | SHMCHAN_CREATE_DUMP)

/* Beyond any machine, and far from overflow. */
#define SHMCHAN_MAX_BYTES	BIT_ULL(50)

/* What the data area is made of, by the flags of its region. */
static u64 data_granule(u32 flags)
{
	return flags & SHMCHAN_CREATE_SMALL ? SHMCHAN_PAGE : SHMCHAN_HUGE;
}

/* Everything about a CREATE that can be judged without its arrays. */
static int check_create(const struct shmchan_create *c)
{
	if (c->flags & ~SHMCHAN_CREATE_FLAGS || c->mode & ~0666)
		return -EINVAL;
	if (!(c->flags & SHMCHAN_CREATE_JOIN) && (c->join_flags || c->join_slot))
		return -EINVAL;
	if (!IS_ALIGNED(c->data_size, data_granule(c->flags)) ||
	    !IS_ALIGNED(c->control_size, SHMCHAN_PAGE) || !c->control_size)
		return -EINVAL;
	if (!c->nr_slots)
		return -EINVAL;
	if (c->nr_slots > SHMCHAN_MAX_SLOTS ||
	    c->nr_doorbells > SHMCHAN_MAX_DOORBELLS ||
	    c->nr_windows > SHMCHAN_MAX_WINDOWS ||
	    c->header_len > SHMCHAN_PAGE)
		return -E2BIG;
	/* One run is of 2 MiB folios, and on one node. */
	if (c->flags & SHMCHAN_CREATE_CONTIG &&
	    (c->flags & SHMCHAN_CREATE_SMALL || !c->data_size ||
	     c->numa_policy == SHMCHAN_NUMA_INTERLEAVE))
		return -EINVAL;
	if (!(c->flags & SHMCHAN_CREATE_SMALL) && c->data_size &&
	    !IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		return -EOPNOTSUPP;
	if (c->data_size > SHMCHAN_MAX_BYTES ||
	    c->control_size > SHMCHAN_MAX_BYTES)
		return -ENOSPC;
	return 0;
}

/* Whole folios of one area, by offset, apart, and not the header page. */
static int check_windows(const struct shmchan_region *region)
{
	u64 last = 0;
	u32 i;

	for (i = 0; i < region->nr_windows; i++) {
		const struct shmchan_window *w = &region->windows[i];
		bool control = w->offset >= region->control_offset;
		u64 granule = control ? SHMCHAN_PAGE : data_granule(region->flags);

		if (w->flags || !w->length ||
		    !IS_ALIGNED(w->offset, granule) ||
		    !IS_ALIGNED(w->length, granule))
			return -EINVAL;
		if (w->offset < last ||
		    w->offset >= region->status_offset ||
		    shmchan_memory_area(region, w->offset, w->length))
			return -EINVAL;
		if (control &&
		    w->offset < region->control_offset + SHMCHAN_PAGE)
			return -EINVAL;
		if (w->slot >= region->nr_seats &&
		    w->slot != SHMCHAN_SLOT_SHARED)
			return -EINVAL;
		last = w->offset + w->length;
	}
	return 0;
}

static int make_windows(struct shmchan_region *region,
			const struct shmchan_create *c)
{
	if (!c->nr_windows)
		return 0;
	region->windows = kvmalloc_array(c->nr_windows,
					 sizeof(*region->windows),
					 SHMCHAN_GFP_ARRAY);
	if (!region->windows)
		return -ENOMEM;
	region->nr_windows = c->nr_windows;
	if (copy_from_user(region->windows, u64_to_user_ptr(c->windows),
			   array_size(c->nr_windows, sizeof(*region->windows))))
		return -EFAULT;
	return check_windows(region);
}

static int make_seats(struct shmchan_region *region,
		      const struct shmchan_create *c)
{
	const struct shmchan_slot __user *uslots = u64_to_user_ptr(c->slots);
	struct shmchan_slot slot = {};
	u32 i;

	region->seats = kvcalloc(c->nr_slots, sizeof(*region->seats),
				 SHMCHAN_GFP_ARRAY);
	if (!region->seats)
		return -ENOMEM;
	region->nr_seats = c->nr_slots;
	for (i = 0; i < c->nr_slots; i++) {
		struct shmchan_seat *seat = &region->seats[i];

		if (c->slots && copy_from_user(&slot, &uslots[i], sizeof(slot)))
			return -EFAULT;
		if (slot.flags & ~(SHMCHAN_SLOT_FLAG_UID |
				   SHMCHAN_SLOT_FLAG_SAME_UID))
			return -EINVAL;
		INIT_LIST_HEAD(&seat->end_node);
		seat->flags = slot.flags;
		seat->uid = INVALID_UID;
		if (slot.flags & SHMCHAN_SLOT_FLAG_UID)
			seat->uid = make_kuid(current_user_ns(), slot.uid);
		else if (slot.uid)
			return -EINVAL;
		if (slot.flags & SHMCHAN_SLOT_FLAG_UID && !uid_valid(seat->uid))
			return -EINVAL;
	}
	return 0;
}

static int make_bells(struct shmchan_region *region,
		      const struct shmchan_create *c)
{
	const struct shmchan_doorbell __user *ubells =
		u64_to_user_ptr(c->doorbells);
	struct shmchan_doorbell bell;
	u32 i;

	region->bells = kvcalloc(c->nr_doorbells + 1, sizeof(*region->bells),
				 SHMCHAN_GFP_ARRAY);
	if (!region->bells)
		return -ENOMEM;
	region->nr_bells = c->nr_doorbells + 1;
	shmchan_bell_init(&region->bells[0], SHMCHAN_SLOT_SHARED, NULL);
	for (i = 1; i < region->nr_bells; i++) {
		if (copy_from_user(&bell, &ubells[i - 1], sizeof(bell)))
			return -EFAULT;
		if (bell.flags || (bell.owner >= c->nr_slots &&
				   bell.owner != SHMCHAN_SLOT_SHARED))
			return -EINVAL;
		shmchan_bell_init(&region->bells[i], bell.owner, NULL);
	}
	return 0;
}

/* Once there is memory: who points where in the status area. */
static void make_status(struct shmchan_region *region)
{
	u64 slots = region->status_offset + SHMCHAN_STATUS_SLOTS_OFFSET;
	u64 bells = region->status_offset +
		    SHMCHAN_STATUS_DOORBELLS_OFFSET(region->nr_seats);
	struct shmchan_status *status;
	u32 i;

	region->nr_extents = shmchan_extents_count(region, 0,
						   region->data_size);
	status = shmchan_memory_at(region, region->status_offset);
	status->version = 1;
	status->nr_slots = region->nr_seats;
	status->nr_doorbells = region->nr_bells;
	status->slots_offset = slots - region->status_offset;
	status->doorbells_offset = bells - region->status_offset;
	status->doorbell_stride = sizeof(struct shmchan_doorbell_status);
	region->status = status;
	for (i = 0; i < region->nr_seats; i++)
		region->seats[i].word = shmchan_memory_at(region,
							  slots + 8ULL * i);
	for (i = 0; i < region->nr_bells; i++)
		region->bells[i].status =
			shmchan_memory_at(region, bells +
				sizeof(struct shmchan_doorbell_status) * (u64)i);
}

/* All of it but its name; on failure the caller drops it. */
static int make_region(struct shmchan_region *region,
		       const struct shmchan_create *c)
{
	struct shmchan_numa numa;
	u64 bytes;
	int ret;

	ret = shmchan_numa_init(&numa, c);
	if (ret)
		return ret;
	region->numa_policy = numa.policy;
	region->flags = c->flags & (SHMCHAN_CREATE_SMALL |
				    SHMCHAN_CREATE_CONTIG | SHMCHAN_CREATE_DUMP);
	region->perm.mode = c->mode & ~current_umask();
	region->perm.uid = current_euid();
	region->perm.gid = current_egid();
	region->data_size = c->data_size;
	region->control_offset = SHMCHAN_CONTROL_OFFSET(c->data_size);
	region->control_size = c->control_size;
	region->status_offset = SHMCHAN_STATUS_OFFSET(c->data_size,
						      c->control_size);
	region->status_size = SHMCHAN_STATUS_SIZE(c->nr_slots, c->nr_doorbells);

	/* What the kernel keeps about it counts as well; a page for the rest. */
	bytes = region->data_size + region->control_size + region->status_size +
		array_size(c->nr_slots, sizeof(struct shmchan_seat)) +
		array_size(c->nr_doorbells + 1, sizeof(struct shmchan_bell)) +
		array_size(c->nr_windows, sizeof(struct shmchan_window)) +
		2 * PAGE_SIZE - 1;
	ret = shmchan_quota_charge(region, bytes >> PAGE_SHIFT);
	if (ret)
		return ret;
	ret = make_seats(region, c);
	if (ret)
		return ret;
	ret = make_bells(region, c);
	if (ret)
		return ret;
	ret = make_windows(region, c);
	if (ret)
		return ret;
	ret = shmchan_memory_fill(region, &numa);
	if (ret)
		return ret;
	make_status(region);
	if (c->header_len &&
	    copy_from_user(shmchan_memory_at(region, region->control_offset),
			   u64_to_user_ptr(c->header), c->header_len))
		return -EFAULT;
	return 0;
}

/**
 * shmchan_region_free - the end of a region, when its memory is gone
 * @region: whose inode is being evicted
 */
void shmchan_region_free(struct shmchan_region *region)
{
	u32 i;

	for (i = 0; i < region->nr_seats; i++) {
		put_pid(region->seats[i].cur.pid);
		put_pid(region->seats[i].prev.pid);
	}
	shmchan_offline_forget(region);
	shmchan_quota_uncharge(region, region->nr_pages);
	kvfree(region->windows);
	kvfree(region->bells);
	kvfree(region->seats);
	kfree(region);
}

/* A file on a new region. */
static struct file *make_file(const struct shmchan_create *c, const char *name)
{
	struct shmchan_region *region;
	struct shmchan_member *member;
	struct file *file;
	int ret;

	region = shmchan_memory_new();
	if (IS_ERR(region))
		return ERR_CAST(region);
	strscpy(region->label, name, sizeof(region->label));
	ret = make_region(region, c);
	file = ret ? ERR_PTR(ret) :
	       shmchan_member_file(region, SHMCHAN_RIGHT_ALL, NULL);
	if (!IS_ERR(file)) {
		member = file->private_data;
		shmchan_terms_all(region, &member->terms);
	}
	/* From here on the file, if any, is what holds the region. */
	shmchan_memory_drop(region);
	return file;
}

/*
 * The name, for as long as the creator's address space and its capability, or
 * another member there, do not end.  *smm becomes the capability's if it is used.
 */
static int name_region(struct shmchan_member *member, const char *name,
		       struct shmchan_mm **smm)
{
	const struct shmchan_offer offer = { .region = member->region };
	struct shmchan_region *region = member->region;
	struct shmchan_presence *presence;
	struct shmchan_name *entry;
	int ret = -ENOMEM;

	entry = shmchan_name_new(name);
	presence = shmchan_presence_get(region);
	if (!entry || !presence)
		goto out;
	/* Whoever opens it at once revokes nothing before we are through. */
	mutex_lock(&region->caps_lock);
	ret = shmchan_name_add(entry, presence, &offer);
	if (!ret) {
		entry = NULL;
		if (member->state == SHMCHAN_UNBOUND) {
			shmchan_member_keep(member, *smm);
			shmchan_presence_set(member, presence);
			presence = NULL;
			*smm = NULL;
		}
	}
	mutex_unlock(&region->caps_lock);
out:
	shmchan_presence_put(presence);
	kfree(entry);
	return ret;
}

/* All that can fail once the region is there; the name comes last. */
static int finish_create(struct shmchan_call *call, struct file *file,
			 struct shmchan_mm **smm)
{
	struct shmchan_member *member = file->private_data;
	struct shmchan_create *c = call->arg;
	int ret;

	if (c->flags & SHMCHAN_CREATE_JOIN) {
		ret = shmchan_member_join(member, c->join_slot, c->join_flags);
		if (ret)
			return ret;
		c->join_slot = member->slot;
		c->generation = member->generation;
	}
	ret = shmchan_respond(call);
	if (ret)
		return ret;
	return call->name[0] ? name_region(member, call->name, smm) : 0;
}

/**
 * shmchan_create_ioctl - SHMCHAN_IOC_CREATE
 * @call: the call
 *
 * Return: see struct shmchan_create.
 */
int shmchan_create_ioctl(struct shmchan_call *call)
{
	struct shmchan_create *c = call->arg;
	struct shmchan_mm *smm = NULL;
	struct file *file;
	int ret;

	ret = check_create(c);
	if (ret)
		return ret;
	if (c->name_len || c->name) {
		ret = shmchan_name_read(call, c->name, c->name_len);
		if (ret)
			return ret;
		/* It is asked again when it counts: this saves the work. */
		ret = shmchan_name_free(call->name);
		if (ret)
			return ret;
	}
	/* Before the memory: a restart would allocate all of that again. */
	if (c->flags & SHMCHAN_CREATE_JOIN || call->name[0]) {
		smm = shmchan_mm_get();
		if (IS_ERR(smm))
			return PTR_ERR(smm);
	}

	c->fd = get_unused_fd_flags(O_CLOEXEC);
	if (c->fd < 0) {
		ret = c->fd;
		goto out;
	}
	file = make_file(c, call->name);
	ret = PTR_ERR_OR_ZERO(file);
	if (ret)
		goto err_fd;
	ret = finish_create(call, file, &smm);
	if (ret)
		goto err_file;
	fd_install(c->fd, file);
	goto out;

err_file:
	fput(file);
err_fd:
	put_unused_fd(c->fd);
out:
	if (smm)
		shmchan_mm_put(smm);
	return ret;
}

/* The doorbells' descriptors are not kept: give them out one by one. */
static int copy_bells(const struct shmchan_region *region,
		      const struct shmchan_query *q)
{
	struct shmchan_doorbell __user *ubells = u64_to_user_ptr(q->doorbells);
	u32 i, nr = min(q->room_doorbells, region->nr_bells - 1);

	for (i = 0; i < nr; i++) {
		struct shmchan_doorbell bell = {
			.owner = region->bells[i + 1].owner,
		};

		if (copy_to_user(&ubells[i], &bell, sizeof(bell)))
			return -EFAULT;
	}
	return 0;
}

/**
 * shmchan_query_ioctl - SHMCHAN_IOC_QUERY
 * @call: the call
 *
 * Return: see struct shmchan_query.
 */
int shmchan_query_ioctl(struct shmchan_call *call)
{
	const struct shmchan_member *member = call->file->private_data;
	struct shmchan_region *region = member->region;
	struct shmchan_query *q = call->arg;
	struct shmchan_perm perm;
	u32 state;

	if (q->flags)
		return -EINVAL;
	if (shmchan_grant_revoked(member->grant))
		return -ESTALE;
	if (q->windows &&
	    copy_to_user(u64_to_user_ptr(q->windows), region->windows,
			 min(q->nr_windows, region->nr_windows) *
			 sizeof(*region->windows)))
		return -EFAULT;
	if (q->doorbells && copy_bells(region, q))
		return -EFAULT;

	q->create_flags = region->flags;
	q->data_size = region->data_size;
	q->control_offset = region->control_offset;
	q->control_size = region->control_size;
	q->status_offset = region->status_offset;
	q->status_size = region->status_size;
	q->nr_slots = region->nr_seats;
	q->nr_doorbells = region->nr_bells - 1;
	q->seals = READ_ONCE(region->seals);
	if (mutex_lock_killable(&region->caps_lock))
		return -EINTR;
	perm = region->perm;
	q->rights = member->terms.rights;
	q->data = member->terms.data;
	q->control = member->terms.control;
	q->join_slot = member->terms.slot;
	q->reserved = 0;
	mutex_unlock(&region->caps_lock);
	/* pairs with the release in bind() of member.c */
	state = smp_load_acquire(&member->state);
	if (state >= SHMCHAN_BOUND && member->generation) {
		q->slot = member->slot;
		q->generation = member->generation;
	} else {
		q->slot = SHMCHAN_SLOT_NONE;
		q->generation = 0;
	}
	q->mode = perm.mode;
	q->uid = from_kuid_munged(current_user_ns(), perm.uid);
	q->gid = from_kgid_munged(current_user_ns(), perm.gid);
	q->nr_windows = region->nr_windows;
	q->data_folio_size = data_granule(region->flags);
	q->nr_extents = region->nr_extents;
	q->numa_policy = region->numa_policy;
	q->cgroup = shmchan_quota_charged(region, q) ?
		    shmchan_memory_cgroup(region) : 0;
	shmchan_name_of(region, q->name);
	return shmchan_respond(call);
}
