// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much memory a user, and all users together, may hold.
 *
 * Region memory cannot be reclaimed, and no process shows it as its own when
 * it is not mapped, so holding it is a privilege beside the memory cgroup's
 * limit.  It is counted per kernel uid, not per namespace: a namespace is no
 * boundary for anybody who can make new ones.
 */

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "shmchan.h"

static unsigned int user_mb = 64;
module_param(user_mb, uint, 0644);
MODULE_PARM_DESC(user_mb, "MiB that a user may hold; CAP_IPC_LOCK overrides (64)");

static unsigned int total_mb;
module_param(total_mb, uint, 0644);
MODULE_PARM_DESC(total_mb, "MiB that all users may hold; 0: half of RAM (0)");

/**
 * struct shmchan_user - what one user holds
 * @node: in users, by uid
 * @uid: who
 * @nr_pages: what its regions hold
 * @nr_regions: how many of them; the last one frees this
 *
 * Protected by quota_lock.
 */
struct shmchan_user {
	struct rb_node node;
	kuid_t uid;
	u64 nr_pages;
	u32 nr_regions;
};

static DEFINE_MUTEX(quota_lock);	/* users, total_pages */
static struct rb_root users = RB_ROOT;
static u64 total_pages;

static u64 mb_to_pages(u64 mb)
{
	return mb << (20 - PAGE_SHIFT);
}

static u64 total_limit(void)
{
	unsigned int mb = READ_ONCE(total_mb);

	return mb ? mb_to_pages(mb) : totalram_pages() / 2;
}

/* The user, or else the first one with a greater uid; or NULL. */
static struct shmchan_user *lookup_from(u64 uid)
{
	struct shmchan_user *user, *found = NULL;
	struct rb_node *node = users.rb_node;

	lockdep_assert_held(&quota_lock);
	while (node) {
		user = rb_entry(node, struct shmchan_user, node);
		if (__kuid_val(user->uid) >= uid) {
			found = user;
			node = node->rb_left;
		} else {
			node = node->rb_right;
		}
	}
	return found;
}

static struct shmchan_user *lookup_user(kuid_t uid)
{
	struct shmchan_user *user = lookup_from(__kuid_val(uid));

	return user && uid_eq(user->uid, uid) ? user : NULL;
}

static bool uid_less(struct rb_node *a, const struct rb_node *b)
{
	return uid_lt(rb_entry(a, struct shmchan_user, node)->uid,
		      rb_entry(b, struct shmchan_user, node)->uid);
}

/* -EDQUOT, -ENOSPC, or 0; *spare is used up if the user is a new one. */
static int charge(struct shmchan_region *region, u64 nr_pages, kuid_t uid,
		  struct shmchan_user **spare, bool exempt)
{
	struct shmchan_user *user = lookup_user(uid);
	u64 held = user ? user->nr_pages : 0;

	if (held + nr_pages > mb_to_pages(READ_ONCE(user_mb)) && !exempt)
		return -EDQUOT;
	if (total_pages + nr_pages > total_limit())
		return -ENOSPC;
	if (!user) {
		user = *spare;
		*spare = NULL;
		user->uid = uid;
		rb_add(&user->node, &users, uid_less);
	}
	user->nr_pages += nr_pages;
	user->nr_regions++;
	total_pages += nr_pages;
	region->user = user;
	region->nr_pages = nr_pages;
	return 0;
}

/**
 * shmchan_quota_charge - count a region's memory before it is allocated
 * @region: the region, not charged yet
 * @nr_pages: all it will hold
 *
 * Return: 0, or -EDQUOT (the user's limit), -ENOSPC (that of all), -ENOMEM.
 */
int shmchan_quota_charge(struct shmchan_region *region, u64 nr_pages)
{
	kuid_t uid = current_euid();
	struct shmchan_user *spare;
	int ret;

	/* Before the lock, which is everybody's: this may wait for reclaim. */
	spare = kzalloc(sizeof(*spare), GFP_KERNEL_ACCOUNT);
	if (!spare)
		return -ENOMEM;
	mutex_lock(&quota_lock);
	ret = charge(region, nr_pages, uid, &spare, false);
	mutex_unlock(&quota_lock);
	/* In the first namespace only: others hand capabilities to anybody. */
	if (ret == -EDQUOT && capable(CAP_IPC_LOCK)) {
		mutex_lock(&quota_lock);
		ret = charge(region, nr_pages, uid, &spare, true);
		mutex_unlock(&quota_lock);
	}
	kfree(spare);
	return ret;
}

/**
 * shmchan_quota_uncharge - give back what a region held
 * @region: the region, charged or not
 * @nr_pages: how much of it; with the last page the region no longer counts
 */
void shmchan_quota_uncharge(struct shmchan_region *region, u64 nr_pages)
{
	struct shmchan_user *user = region->user;

	if (!user)
		return;
	mutex_lock(&quota_lock);
	user->nr_pages -= nr_pages;
	total_pages -= nr_pages;
	region->nr_pages -= nr_pages;
	if (!region->nr_pages) {
		region->user = NULL;
		if (!--user->nr_regions) {
			rb_erase(&user->node, &users);
			kfree(user);
		}
	}
	mutex_unlock(&quota_lock);
}

/**
 * shmchan_quota_query - fill in the limits and what is held
 * @query: the answer
 */
void shmchan_quota_query(struct shmchan_query_device *query)
{
	bool admin = has_capability_noaudit(current, CAP_SYS_ADMIN);
	struct shmchan_user *user;

	if (has_capability_noaudit(current, CAP_IPC_LOCK))
		query->user_limit = ~0ULL;
	else
		query->user_limit = mb_to_pages(READ_ONCE(user_mb)) << PAGE_SHIFT;
	query->total_limit = total_limit() << PAGE_SHIFT;

	mutex_lock(&quota_lock);
	user = lookup_user(current_euid());
	query->user_bytes = user ? user->nr_pages << PAGE_SHIFT : 0;
	query->total_bytes = admin ? total_pages << PAGE_SHIFT : 0;
	mutex_unlock(&quota_lock);
}

/**
 * shmchan_quota_charged - fill in whom a region is charged to
 * @region: the region; it has a file, so what is charged does not change
 * @query: the answer
 *
 * Return: whether the caller is that user, or one that may know all of it.
 */
bool shmchan_quota_charged(const struct shmchan_region *region,
			   struct shmchan_query *query)
{
	query->charged_uid = from_kuid_munged(current_user_ns(),
					      region->user->uid);
	query->charged_bytes = region->nr_pages << PAGE_SHIFT;
	return uid_eq(region->user->uid, current_euid()) ||
	       has_capability_noaudit(current, CAP_SYS_ADMIN);
}

/* The next one to be told: the cursor is one more than the uid of the last. */
static bool next_user(struct shmchan_user_entry *out, u64 *cursor, bool all)
{
	u64 uid = __kuid_val(current_euid());
	struct shmchan_user *user;
	bool found;

	if (!all && *cursor > uid)
		return false;
	mutex_lock(&quota_lock);
	user = all ? lookup_from(*cursor) : lookup_user(current_euid());
	found = user;
	if (found) {
		*cursor = __kuid_val(user->uid) + 1ULL;
		out->uid = from_kuid_munged(current_user_ns(), user->uid);
		out->nr_regions = user->nr_regions;
		out->bytes = user->nr_pages << PAGE_SHIFT;
	}
	mutex_unlock(&quota_lock);
	return found;
}

/**
 * shmchan_list_users_ioctl - SHMCHAN_IOC_LIST_USERS
 * @call: the call
 *
 * Return: see struct shmchan_list_users.
 */
int shmchan_list_users_ioctl(struct shmchan_call *call)
{
	bool all = has_capability_noaudit(current, CAP_SYS_ADMIN);
	struct shmchan_list_users *l = call->arg;
	struct shmchan_user_entry __user *uentries =
		u64_to_user_ptr(l->entries);
	struct shmchan_user_entry out;
	u32 nr;

	if (l->flags || l->entry_size != sizeof(out) || !l->nr_entries)
		return -EINVAL;
	if (l->nr_entries > SHMCHAN_LIST_MAX)
		return -E2BIG;
	for (nr = 0; nr < l->nr_entries; nr++) {
		if (!next_user(&out, &l->cursor, all))
			break;
		if (copy_to_user(&uentries[nr], &out, sizeof(out)))
			return -EFAULT;
		cond_resched();
	}
	l->nr_entries = nr;
	return shmchan_respond(call);
}
