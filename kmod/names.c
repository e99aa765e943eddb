// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names, and who may open them.
 *
 * A name belongs to the IPC namespace of its creator and is looked up in that
 * of whoever opens it, both at the time of the call, with the credentials of
 * the call: as System V IPC does.  The name entry, not the region, holds the
 * namespace, and it goes when the last member bound from that namespace ends
 * (and the creator's capability, if that never joined); so a member elsewhere
 * keeps no dead container's namespace alive.
 *
 * Each namespace that has names has a table of its own, so that neither what
 * a caller is told nor how long that takes says anything about others.
 */

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/hashtable.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/proc_ns.h>
#include <linux/rbtree.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "shmchan.h"

#define SHMCHAN_LIST_MAX	1024

/**
 * struct shmchan_space - the names of one IPC namespace
 * @node: in spaces
 * @ns: the namespace, a reference
 * @names: struct shmchan_name by name
 * @by_id: the same by id, in the order of creation
 * @last_id: the newest one's
 * @nr_names: how many there are; the last one frees this
 *
 * Protected by names_lock.
 */
struct shmchan_space {
	struct hlist_node node;
	struct ns_common *ns;
	struct rhashtable names;
	struct rb_root by_id;
	u64 last_id;
	u32 nr_names;
};

/**
 * struct shmchan_name - a name of a region in a namespace
 * @node: in space->names
 * @name: padded with zeros
 * @space: whose it is
 * @region: good while @users is not 0: each of them has a file
 * @users: members and the creator's capability that keep the name
 * @id_node: in space->by_id
 * @id: its number there, never used again
 *
 * Protected by names_lock.
 */
struct shmchan_name {
	struct rhash_head node;
	char name[SHMCHAN_NAME_LEN];
	struct shmchan_space *space;
	struct shmchan_region *region;
	u32 users;
	struct rb_node id_node;
	u64 id;
};

static const struct rhashtable_params names_params = {
	.key_len	= SHMCHAN_NAME_LEN,
	.key_offset	= offsetof(struct shmchan_name, name),
	.head_offset	= offsetof(struct shmchan_name, node),
	.automatic_shrinking = true,
};

static DEFINE_MUTEX(names_lock);	/* all below, and shmchan_region.name */
static DEFINE_HASHTABLE(spaces, 8);

static struct ns_common *current_ipc(void)
{
	return &current->nsproxy->ipc_ns->ns;
}

/* The names of the caller's namespace, or NULL if it has none. */
static struct shmchan_space *find_space(void)
{
	struct ns_common *ns = current_ipc();
	struct shmchan_space *space;

	lockdep_assert_held(&names_lock);
	hash_for_each_possible(spaces, space, node, (unsigned long)ns)
		if (space->ns == ns)
			return space;
	return NULL;
}

/* For the caller's namespace, and not in the table yet. */
static struct shmchan_space *make_space(void)
{
	struct shmchan_space *space;

	space = kzalloc(sizeof(*space), GFP_KERNEL_ACCOUNT);
	if (!space)
		return NULL;
	if (rhashtable_init(&space->names, &names_params)) {
		kfree(space);
		return NULL;
	}
	space->by_id = RB_ROOT;
	space->ns = current_ipc()->ops->get(current);
	return space;
}

/* Ids only grow, so a new one is the rightmost. */
static void add_id(struct shmchan_space *space, struct shmchan_name *entry)
{
	struct rb_node **link = &space->by_id.rb_node;
	struct rb_node *parent = NULL;

	while (*link) {
		parent = *link;
		link = &parent->rb_right;
	}
	entry->id = ++space->last_id;
	rb_link_node(&entry->id_node, parent, link);
	rb_insert_color(&entry->id_node, &space->by_id);
}

/* The oldest name that is newer than @id. */
static struct shmchan_name *next_id(const struct shmchan_space *space, u64 id)
{
	struct rb_node *node = space->by_id.rb_node;
	struct shmchan_name *entry, *next = NULL;

	lockdep_assert_held(&names_lock);
	while (node) {
		entry = rb_entry(node, struct shmchan_name, id_node);
		if (entry->id > id) {
			next = entry;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return next;
}

/*
 * If it has no names left, take a space out of the table: the caller gives it
 * to free_space() once it has let go of names_lock.
 */
static struct shmchan_space *unhash_space(struct shmchan_space *space)
{
	lockdep_assert_held(&names_lock);
	if (space->nr_names)
		return NULL;
	hash_del(&space->node);
	return space;
}

static void free_space(struct shmchan_space *space)
{
	struct ns_common *ns;

	if (!space)
		return;
	ns = space->ns;
	rhashtable_destroy(&space->names);
	ns->ops->put(ns);
	kfree(space);
}

/* @name is padded with zeros. */
static struct shmchan_name *find_name(const char *name)
{
	struct shmchan_space *space = find_space();

	return space ? rhashtable_lookup_fast(&space->names, name,
					      names_params) : NULL;
}

/**
 * shmchan_name_check - read a name and check how it is written
 * @uptr: user pointer
 * @len: its length
 * @name: room for SHMCHAN_NAME_LEN bytes
 *
 * Return: 0, -EINVAL or -EFAULT.
 */
int shmchan_name_check(u64 uptr, u32 len, char *name)
{
	u32 i;

	if (!len || len >= SHMCHAN_NAME_LEN)
		return -EINVAL;
	if (copy_from_user(name, u64_to_user_ptr(uptr), len))
		return -EFAULT;
	for (i = 0; i < len; i++) {
		char c = name[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		      (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '-'))
			return -EINVAL;
	}
	memset(name + len, 0, SHMCHAN_NAME_LEN - len);
	return 0;
}

/**
 * shmchan_name_free - could a name be created now?
 * @name: checked
 *
 * Return: 0 or -EEXIST.
 */
int shmchan_name_free(const char *name)
{
	int ret;

	mutex_lock(&names_lock);
	ret = find_name(name) ? -EEXIST : 0;
	mutex_unlock(&names_lock);
	return ret;
}

/**
 * shmchan_name_add - make a region's name visible
 * @creator: keeps the name until it ends or its file is released
 * @name: checked
 *
 * Return: 0, -EEXIST or -ENOMEM.
 */
int shmchan_name_add(struct shmchan_member *creator, const char *name)
{
	struct shmchan_space *space, *spare = NULL;
	struct shmchan_name *entry;
	int ret;

	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	memcpy(entry->name, name, sizeof(entry->name));
	entry->region = creator->region;
	entry->users = 1;

	/* Nothing is allocated under the lock, which is everybody's. */
	mutex_lock(&names_lock);
	space = find_space();
	if (!space) {
		mutex_unlock(&names_lock);
		spare = make_space();
		if (!spare) {
			kfree(entry);
			return -ENOMEM;
		}
		mutex_lock(&names_lock);
		space = find_space();
	}
	if (!space) {
		space = spare;
		spare = NULL;
		hash_add(spaces, &space->node, (unsigned long)space->ns);
	}
	entry->space = space;
	ret = rhashtable_lookup_insert_fast(&space->names, &entry->node,
					    names_params);
	if (ret) {
		if (!spare)
			spare = unhash_space(space);
	} else {
		add_id(space, entry);
		space->nr_names++;
		creator->name = entry;
		creator->region->name = entry;
	}
	mutex_unlock(&names_lock);
	free_space(spare);
	if (ret)
		kfree(entry);
	return ret;
}

/**
 * shmchan_name_hold - a new member keeps the name, if it is of its namespace
 * @member: being joined by the caller
 */
void shmchan_name_hold(struct shmchan_member *member)
{
	struct shmchan_name *entry;

	mutex_lock(&names_lock);
	entry = member->region->name;
	if (!member->name && entry && entry->space->ns == current_ipc()) {
		entry->users++;
		member->name = entry;
	}
	mutex_unlock(&names_lock);
}

/**
 * shmchan_name_put - a member no longer keeps the name; the last one ends it
 * @member: ended, or released without ever joining
 */
void shmchan_name_put(struct shmchan_member *member)
{
	struct shmchan_space *empty;
	struct shmchan_name *entry;

	mutex_lock(&names_lock);
	entry = member->name;
	member->name = NULL;
	if (!entry || --entry->users) {
		mutex_unlock(&names_lock);
		return;
	}
	entry->region->name = NULL;
	rb_erase(&entry->id_node, &entry->space->by_id);
	rhashtable_remove_fast(&entry->space->names, &entry->node,
			       names_params);
	entry->space->nr_names--;
	empty = unhash_space(entry->space);
	mutex_unlock(&names_lock);
	free_space(empty);
	/* Lookups are under names_lock: no grace period is needed. */
	kfree(entry);
}

/* What a caller may have of a region that it opens by name. */
static u32 granted_rights(const struct shmchan_region *region, u32 wanted)
{
	struct ipc_namespace *ipc = current->nsproxy->ipc_ns;
	umode_t mode = region->mode;
	u32 granted = 0;

	if (uid_eq(current_euid(), region->uid)) {
		granted = SHMCHAN_RIGHT_ADMIN | SHMCHAN_RIGHT_PUBLISH;
		mode >>= 6;
	} else if (in_group_p(region->gid)) {
		mode >>= 3;
	}
	if (mode & 4)
		granted |= SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT;
	if (mode & 2)
		granted |= SHMCHAN_RIGHT_MAP_WRITE | SHMCHAN_RIGHT_RING;
	/* Access only: no limit is overridden by a namespace's capability. */
	if (wanted & ~granted && ns_capable(ipc->user_ns, CAP_IPC_OWNER))
		granted = SHMCHAN_RIGHT_ALL;
	return granted;
}

static int check_owner(const struct shmchan_open *o, kuid_t owner)
{
	if (!(o->flags & (SHMCHAN_OPEN_OWNER_UID | SHMCHAN_OPEN_OWNER_SELF)))
		return 0;
	if (o->flags & SHMCHAN_OPEN_OWNER_UID &&
	    uid_eq(owner, make_kuid(current_user_ns(), o->owner_uid)))
		return 0;
	if (o->flags & SHMCHAN_OPEN_OWNER_SELF &&
	    (uid_eq(owner, current_euid()) || uid_eq(owner, GLOBAL_ROOT_UID)))
		return 0;
	return -EPERM;
}

/* The region of that name, with a reference to its inode. */
static struct shmchan_region *get_region(const struct shmchan_open *o,
					 const char *name)
{
	struct shmchan_region *region = NULL;
	struct shmchan_name *entry;
	int ret;

	mutex_lock(&names_lock);
	entry = find_name(name);
	if (entry) {
		region = entry->region;
		ihold(region->inode);
	}
	mutex_unlock(&names_lock);
	if (!region)
		return ERR_PTR(-ENOENT);
	ret = -EACCES;
	if (!(o->rights & ~granted_rights(region, o->rights)))
		ret = check_owner(o, region->uid);
	if (ret) {
		iput(region->inode);
		return ERR_PTR(ret);
	}
	return region;
}

/* A capability for the region of that name. */
static struct file *open_name(const struct shmchan_open *o, const char *name)
{
	struct shmchan_region *region;
	struct file *file;
	int ret;

	/* The last file may be closed as soon as we have the inode. */
	ret = shmchan_memory_pin();
	if (ret)
		return ERR_PTR(ret);
	region = get_region(o, name);
	if (IS_ERR(region)) {
		file = ERR_CAST(region);
		goto out;
	}
	file = shmchan_memory_file(region, o->rights);
	if (IS_ERR(file))
		iput(region->inode);
out:
	shmchan_memory_unpin();
	return file;
}

/**
 * shmchan_open_ioctl - SHMCHAN_IOC_OPEN
 * @call: the call
 *
 * Return: see struct shmchan_open.
 */
int shmchan_open_ioctl(struct shmchan_call *call)
{
	struct shmchan_open *o = call->arg;
	char name[SHMCHAN_NAME_LEN];
	struct shmchan_member *member;
	struct file *file;
	int fd, ret;

	if (o->flags & ~(SHMCHAN_OPEN_JOIN | SHMCHAN_OPEN_OWNER_UID |
			 SHMCHAN_OPEN_OWNER_SELF) || o->reserved)
		return -EINVAL;
	if (!o->rights || o->rights & ~SHMCHAN_RIGHT_ALL)
		return -EINVAL;
	if (!(o->flags & SHMCHAN_OPEN_JOIN) && (o->join_flags || o->join_slot))
		return -EINVAL;
	if (!(o->flags & SHMCHAN_OPEN_OWNER_UID) && o->owner_uid)
		return -EINVAL;
	ret = shmchan_name_check(o->name, o->name_len, name);
	if (ret)
		return ret;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = open_name(o, name);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_fd;
	}
	member = file->private_data;
	if (o->flags & SHMCHAN_OPEN_JOIN) {
		ret = shmchan_member_join(member, o->join_slot, o->join_flags);
		if (ret)
			goto err_file;
		o->join_slot = member->slot;
		o->generation = member->generation;
	}
	o->fd = fd;
	ret = shmchan_respond(call, sizeof(*o));
	if (ret)
		goto err_file;
	fd_install(fd, file);
	return 0;

err_file:
	fput(file);
err_fd:
	put_unused_fd(fd);
	return ret;
}

static void fill_entry(struct shmchan_list_entry *out,
		       const struct shmchan_name *entry)
{
	struct shmchan_region *region = entry->region;

	memset(out, 0, sizeof(*out));
	memcpy(out->name, entry->name, sizeof(out->name));
	out->data_size = region->data_size;
	out->control_size = region->control_size;
	out->uid = from_kuid_munged(current_user_ns(), region->uid);
	out->gid = from_kgid_munged(current_user_ns(), region->gid);
	out->mode = region->mode;
	out->nr_slots = region->nr_seats;
	spin_lock(&region->seat_lock);
	out->nr_live = region->nr_live;
	spin_unlock(&region->seat_lock);
}

/**
 * shmchan_list_ioctl - SHMCHAN_IOC_LIST
 * @call: the call
 *
 * Return: see struct shmchan_list.
 */
int shmchan_list_ioctl(struct shmchan_call *call)
{
	struct shmchan_list *l = call->arg;
	struct shmchan_list_entry __user *uentries =
		u64_to_user_ptr(l->entries);
	struct shmchan_list_entry out;
	struct shmchan_space *space;
	struct shmchan_name *entry;
	u32 nr = 0;

	if (l->flags || l->entry_size != sizeof(out))
		return -EINVAL;
	if (!l->nr_entries)
		return -EINVAL;
	if (l->nr_entries > SHMCHAN_LIST_MAX)
		return -E2BIG;

	while (nr < l->nr_entries) {
		/* Let go in between: copying may fault and sleep for long. */
		mutex_lock(&names_lock);
		space = find_space();
		entry = space ? next_id(space, l->cursor) : NULL;
		if (entry) {
			fill_entry(&out, entry);
			l->cursor = entry->id;
		}
		mutex_unlock(&names_lock);
		if (!entry)
			break;
		if (copy_to_user(&uentries[nr], &out, sizeof(out)))
			return -EFAULT;
		nr++;
		cond_resched();
	}
	l->nr_entries = nr;
	return shmchan_respond(call, sizeof(*l));
}
