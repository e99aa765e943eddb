// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names, and where a region is present.  Who may open them: see access.c.
 *
 * A name belongs to the IPC namespace of who made it and is looked up in that
 * of whoever opens it, both at the time of the call: as System V IPC does.  A
 * region is present in a namespace while it has users there: members that
 * joined there, and the capabilities that named it, as long as they and the
 * address space that did it last.  With the last one the names there go.  It is the
 * presence, not the region, that holds the namespace; so a member elsewhere
 * keeps no dead container's namespace alive.
 *
 * Each namespace has trees of its own, so that neither what a caller is told
 * nor how long that takes says anything about others.
 */

#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/ipc_namespace.h>
#include <linux/nsproxy.h>
#include <linux/proc_ns.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/user_namespace.h>

#include "shmchan.h"

/**
 * struct shmchan_space - one IPC namespace
 * @node: in spaces
 * @ns: the namespace, a reference
 * @by_name: struct shmchan_name by name
 * @by_id: the same by id, in the order of creation
 * @last_id: the newest one's
 * @nr_presences: regions that are present; the last one frees this
 *
 * Protected by names_lock.
 */
struct shmchan_space {
	struct hlist_node node;
	struct ns_common *ns;
	struct rb_root by_name;
	struct rb_root by_id;
	u64 last_id;
	u32 nr_presences;
};

/**
 * struct shmchan_presence - a region in a namespace
 * @region: good while @users is not 0: each of them has a file
 * @region_node: in region->presences
 * @space: the namespace
 * @names: struct shmchan_name by presence_node, oldest first
 * @users: members that joined there, capabilities that named it there, and
 *	calls that are about to be one of them
 *
 * Protected by names_lock.
 */
struct shmchan_presence {
	struct shmchan_region *region;
	struct list_head region_node;
	struct shmchan_space *space;
	struct list_head names;
	u32 users;
};

/**
 * struct shmchan_name - a name of a region in a namespace
 * @name_node: in space->by_name
 * @name: padded with zeros
 * @presence: of the region
 * @presence_node: in presence->names
 * @id_node: in space->by_id
 * @id: its number there, never used again
 * @perm: whom it lets in, if it is published
 * @terms: what it gives, if it is published
 * @grant: of the capability that published it, a reference; NULL: it is the
 *	one that CREATE gave, and the region's own owner and mode count
 *
 * Protected by names_lock.
 */
struct shmchan_name {
	struct rb_node name_node;
	char name[SHMCHAN_NAME_LEN];
	struct shmchan_presence *presence;
	struct list_head presence_node;
	struct rb_node id_node;
	u64 id;
	struct shmchan_perm perm;
	struct shmchan_terms terms;
	struct shmchan_grant *grant;
};

static DEFINE_MUTEX(names_lock);	/* all of the above */
static DEFINE_HASHTABLE(spaces, 8);

static struct ns_common *current_ipc(void)
{
	return &current->nsproxy->ipc_ns->ns;
}

/* That of the caller's namespace, or NULL if no region is present there. */
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
	space->by_name = RB_ROOT;
	space->by_id = RB_ROOT;
	space->ns = current_ipc()->ops->get(current);
	return space;
}

/* One that is not, or no longer, in the table; or NULL. */
static void free_space(struct shmchan_space *space)
{
	if (!space)
		return;
	space->ns->ops->put(space->ns);
	kfree(space);
}

static int compare_names(const void *key, const struct rb_node *node)
{
	return memcmp(key, rb_entry(node, struct shmchan_name, name_node)->name,
		      SHMCHAN_NAME_LEN);
}

static bool name_less(struct rb_node *a, const struct rb_node *b)
{
	return compare_names(rb_entry(a, struct shmchan_name, name_node)->name,
			     b) < 0;
}

static bool id_less(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct shmchan_name, id_node)->id <
	       rb_entry(b, struct shmchan_name, id_node)->id;
}

/* In the caller's namespace; @name is padded with zeros. */
static struct shmchan_name *find_name(const char *name)
{
	struct shmchan_space *space = find_space();
	struct rb_node *node;

	node = space ? rb_find(name, &space->by_name, compare_names) : NULL;
	return node ? rb_entry(node, struct shmchan_name, name_node) : NULL;
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

static void remove_name(struct shmchan_name *entry)
{
	struct shmchan_space *space = entry->presence->space;
	struct shmchan_region *region = entry->presence->region;

	lockdep_assert_held(&names_lock);
	rb_erase(&entry->name_node, &space->by_name);
	rb_erase(&entry->id_node, &space->by_id);
	list_del(&entry->presence_node);
	region->nr_names--;
	if (!entry->grant)
		WRITE_ONCE(region->label_ns, NULL);
	shmchan_grant_put(entry->grant);
	kfree(entry);
}

/**
 * shmchan_name_read - read a name and check how it is written
 * @call: gets it, padded with zeros
 * @uptr: user pointer
 * @len: its length
 *
 * Return: 0, -EINVAL or -EFAULT.
 */
int shmchan_name_read(struct shmchan_call *call, u64 uptr, u32 len)
{
	char name[SHMCHAN_NAME_LEN] = "";
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
	memcpy(call->name, name, sizeof(call->name));
	return 0;
}

/**
 * shmchan_name_free - could a name be created now?
 * @name: as read
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
 * shmchan_name_find - what does a name lead to?
 * @name: as read; looked up in the caller's namespace
 * @offer: filled in; the references in it are the caller's to give back
 *
 * Return: 0 or -ENOENT.
 */
int shmchan_name_find(const char *name, struct shmchan_offer *offer)
{
	struct shmchan_name *entry;

	mutex_lock(&names_lock);
	entry = find_name(name);
	if (entry) {
		*offer = (struct shmchan_offer) {
			.region = entry->presence->region,
			.published = entry->grant,
			.perm = entry->perm,
			.terms = entry->terms,
			.grant = entry->grant,
		};
		ihold(offer->region->inode);
		if (offer->grant)
			shmchan_grant_get(offer->grant);
	}
	mutex_unlock(&names_lock);
	return entry ? 0 : -ENOENT;
}

/**
 * shmchan_name_again - does a name still lead where it led before?
 * @name: as read
 * @offer: what shmchan_name_find() has found; brought up to date
 *
 * Return: whether.
 */
bool shmchan_name_again(const char *name, struct shmchan_offer *offer)
{
	const struct shmchan_name *entry;
	bool leads;

	mutex_lock(&names_lock);
	entry = find_name(name);
	leads = entry && entry->presence->region == offer->region &&
		entry->grant == offer->grant;
	if (leads) {
		/* It may have been withdrawn, and published for less. */
		offer->perm = entry->perm;
		offer->terms = entry->terms;
	}
	mutex_unlock(&names_lock);
	return leads;
}

/**
 * shmchan_name_of - what a region is called in the caller's namespace
 * @region: the region
 * @name: room for SHMCHAN_NAME_LEN bytes; all zeros if it has no name there
 */
void shmchan_name_of(const struct shmchan_region *region, char *name)
{
	struct ns_common *ns = current_ipc();
	struct shmchan_presence *presence;
	struct shmchan_name *entry;

	memset(name, 0, SHMCHAN_NAME_LEN);
	mutex_lock(&names_lock);
	list_for_each_entry(presence, &region->presences, region_node) {
		if (presence->space->ns != ns)
			continue;
		entry = list_first_entry_or_null(&presence->names,
						 struct shmchan_name,
						 presence_node);
		if (entry)
			memcpy(name, entry->name, SHMCHAN_NAME_LEN);
		break;
	}
	mutex_unlock(&names_lock);
}

/**
 * shmchan_label - what a region was named, for those who may know
 * @region: the region
 *
 * May be called from anywhere, with any locks held.
 *
 * Return: the name that CREATE gave, where it is still its name; else "".
 */
const char *shmchan_label(const struct shmchan_region *region)
{
	const struct ns_common *ns = READ_ONCE(region->label_ns);

	/* A task that exits may have none any more. */
	if (ns && current->nsproxy && ns == current_ipc())
		return region->label;
	return "";
}

/**
 * shmchan_name_new - get ready to make a name visible
 * @name: as read
 *
 * Return: to be given to shmchan_name_add() or kfree(); or NULL.
 */
struct shmchan_name *shmchan_name_new(const char *name)
{
	struct shmchan_name *entry;

	/* Nothing is allocated under the locks, which are everybody's. */
	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (entry)
		memcpy(entry->name, name, sizeof(entry->name));
	return entry;
}

/**
 * shmchan_name_add - make a name visible
 * @entry: from shmchan_name_new(); the caller's still if this fails
 * @presence: where
 * @offer: what it is to lead to; its grant gets a reference
 *
 * Return: 0, -EEXIST or -EMLINK.
 */
int shmchan_name_add(struct shmchan_name *entry,
		     struct shmchan_presence *presence,
		     const struct shmchan_offer *offer)
{
	struct shmchan_space *space = presence->space;
	struct shmchan_region *region = presence->region;
	int ret = 0;

	entry->presence = presence;
	entry->perm = offer->perm;
	entry->terms = offer->terms;

	mutex_lock(&names_lock);
	if (rb_find(entry->name, &space->by_name, compare_names))
		ret = -EEXIST;
	else if (region->nr_names >= SHMCHAN_MAX_NAMES)
		ret = -EMLINK;
	if (!ret) {
		rb_add(&entry->name_node, &space->by_name, name_less);
		entry->id = ++space->last_id;
		rb_add(&entry->id_node, &space->by_id, id_less);
		list_add_tail(&entry->presence_node, &presence->names);
		region->nr_names++;
		if (offer->grant)
			entry->grant = shmchan_grant_get(offer->grant);
		else
			WRITE_ONCE(region->label_ns, space->ns);
	}
	mutex_unlock(&names_lock);
	return ret;
}

/**
 * shmchan_name_remove - take a region's name in the caller's namespace away
 * @region: the region
 * @name: as read
 * @grant: that it has to be published by; NULL: it does not matter
 *
 * Return: 0, -ENOENT or -EACCES.
 */
int shmchan_name_remove(struct shmchan_region *region, const char *name,
			const struct shmchan_grant *grant)
{
	struct shmchan_name *entry;
	int ret = 0;

	mutex_lock(&names_lock);
	entry = find_name(name);
	if (!entry || entry->presence->region != region)
		ret = -ENOENT;
	else if (grant && entry->grant != grant)
		ret = -EACCES;
	else
		remove_name(entry);
	mutex_unlock(&names_lock);
	return ret;
}

/**
 * shmchan_names_drop - take names of a region away, in all namespaces
 * @region: the region
 * @match: is a name of that grant to go?
 *
 * Return: how many went.
 */
u32 shmchan_names_drop(struct shmchan_region *region,
		       bool (*match)(const struct shmchan_grant *grant))
{
	struct shmchan_presence *presence;
	struct shmchan_name *entry, *next;
	u32 nr = 0;

	mutex_lock(&names_lock);
	list_for_each_entry(presence, &region->presences, region_node) {
		list_for_each_entry_safe(entry, next, &presence->names,
					 presence_node) {
			if (!match(entry->grant))
				continue;
			remove_name(entry);
			nr++;
		}
	}
	mutex_unlock(&names_lock);
	return nr;
}

/* That of the caller's namespace, with one user more; or NULL. */
static struct shmchan_presence *use_presence(struct shmchan_region *region)
{
	struct ns_common *ns = current_ipc();
	struct shmchan_presence *presence;

	lockdep_assert_held(&names_lock);
	list_for_each_entry(presence, &region->presences, region_node) {
		if (presence->space->ns == ns) {
			presence->users++;
			return presence;
		}
	}
	return NULL;
}

/* The first of a region in a namespace, which may be the first there. */
static struct shmchan_presence *make_presence(struct shmchan_region *region)
{
	struct shmchan_presence *presence, *new;
	struct shmchan_space *space, *spare;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	spare = make_space();
	if (!spare) {
		kfree(new);
		return NULL;
	}
	new->region = region;
	INIT_LIST_HEAD(&new->names);
	new->users = 1;

	mutex_lock(&names_lock);
	presence = use_presence(region);
	if (!presence) {
		space = find_space();
		if (!space) {
			space = spare;
			spare = NULL;
			hash_add(spaces, &space->node, (unsigned long)space->ns);
		}
		space->nr_presences++;
		presence = new;
		new = NULL;
		presence->space = space;
		list_add(&presence->region_node, &region->presences);
	}
	mutex_unlock(&names_lock);
	free_space(spare);
	kfree(new);
	return presence;
}

/**
 * shmchan_presence_get - be present in the caller's namespace
 * @region: the region, which the caller has a file on
 *
 * Return: a use of its presence, to be given to shmchan_presence_set() or
 * shmchan_presence_put(); or NULL: there is no memory.
 */
struct shmchan_presence *shmchan_presence_get(struct shmchan_region *region)
{
	struct shmchan_presence *presence;

	mutex_lock(&names_lock);
	presence = use_presence(region);
	mutex_unlock(&names_lock);
	return presence ? presence : make_presence(region);
}

/**
 * shmchan_presence_put - one user less; with the last one the names go
 * @presence: of which, or NULL
 */
void shmchan_presence_put(struct shmchan_presence *presence)
{
	struct shmchan_space *empty = NULL;
	struct shmchan_name *entry, *next;

	if (!presence)
		return;
	mutex_lock(&names_lock);
	if (--presence->users) {
		mutex_unlock(&names_lock);
		return;
	}
	list_for_each_entry_safe(entry, next, &presence->names, presence_node)
		remove_name(entry);
	list_del(&presence->region_node);
	if (!--presence->space->nr_presences) {
		empty = presence->space;
		hash_del(&empty->node);
	}
	mutex_unlock(&names_lock);
	free_space(empty);
	kfree(presence);
}

/**
 * shmchan_presence_test - may a capability name the region there?
 * @member: the capability, not at JOIN
 * @presence: where, in use by the caller
 *
 * Return: 0; -EXDEV: it is in use elsewhere; -ESTALE: it is a member that ended.
 */
int shmchan_presence_test(const struct shmchan_member *member,
			  const struct shmchan_presence *presence)
{
	int ret = 0;

	mutex_lock(&names_lock);
	if (member->presence)
		ret = member->presence == presence ? 0 : -EXDEV;
	else if (READ_ONCE(member->state) != SHMCHAN_UNBOUND)
		ret = -ESTALE;
	mutex_unlock(&names_lock);
	return ret;
}

/**
 * shmchan_presence_set - a capability is a user of that one, and no other
 * @member: the capability
 * @presence: a use that becomes its own; NULL: of none
 */
void shmchan_presence_set(struct shmchan_member *member,
			  struct shmchan_presence *presence)
{
	struct shmchan_presence *old;

	mutex_lock(&names_lock);
	old = member->presence;
	member->presence = presence;
	mutex_unlock(&names_lock);
	shmchan_presence_put(old);
}

static void fill_entry(struct shmchan_list_entry *out,
		       const struct shmchan_name *entry)
{
	struct shmchan_region *region = entry->presence->region;
	struct shmchan_perm perm = entry->perm;

	memset(out, 0, sizeof(*out));
	memcpy(out->name, entry->name, sizeof(out->name));
	out->data_size = region->data_size;
	out->control_size = region->control_size;
	out->nr_slots = region->nr_seats;
	spin_lock(&region->seat_lock);
	out->nr_live = region->nr_live;
	if (!entry->grant)
		perm = region->perm;
	spin_unlock(&region->seat_lock);
	if (entry->grant)
		out->flags = SHMCHAN_NAME_PUBLISHED;
	out->uid = from_kuid_munged(current_user_ns(), perm.uid);
	out->gid = from_kgid_munged(current_user_ns(), perm.gid);
	out->mode = perm.mode;
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
	return shmchan_respond(call);
}
