// SPDX-License-Identifier: GPL-2.0-only
/*
 * Capabilities from capabilities: what one allows, and where it comes from.
 *
 * Whoever holds a capability can pass it on, and no kernel can forbid that.
 * What can be kept is how many members come of it: one, as JOIN binds it once,
 * unless it has the right PUBLISH.  And what comes of it can be found again:
 * each capability has a grant, whose parent is that of what it was made from,
 * and which stays while anything made from it does.  Revoking marks one grant;
 * everything below it has been revoked with that.
 */

#include <linux/cred.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "shmchan.h"

/**
 * shmchan_grant_new - a grant for something that the caller makes
 * @region: of which region
 * @parent: of what it is made from, or NULL
 *
 * Return: the grant, or an ERR_PTR() of -EMLINK or -ENOMEM.
 */
struct shmchan_grant *shmchan_grant_new(struct shmchan_region *region,
					struct shmchan_grant *parent)
{
	struct shmchan_grant *grant;

	if (parent && parent->depth >= SHMCHAN_MAX_DEPTH)
		return ERR_PTR(-EMLINK);
	grant = kzalloc(sizeof(*grant), GFP_KERNEL_ACCOUNT);
	if (!grant)
		return ERR_PTR(-ENOMEM);
	refcount_set(&grant->refs, 1);
	grant->region = region;
	grant->uid = current_euid();
	if (parent) {
		grant->parent = shmchan_grant_get(parent);
		grant->depth = parent->depth + 1;
	}
	spin_lock(&region->list_lock);
	list_add(&grant->node, &region->grants);
	spin_unlock(&region->list_lock);
	return grant;
}

/**
 * shmchan_grant_get - one reference more
 * @grant: which
 *
 * Return: @grant.
 */
struct shmchan_grant *shmchan_grant_get(struct shmchan_grant *grant)
{
	refcount_inc(&grant->refs);
	return grant;
}

/**
 * shmchan_grant_put - one reference less
 * @grant: which, or NULL
 */
void shmchan_grant_put(struct shmchan_grant *grant)
{
	while (grant) {
		struct shmchan_region *region = grant->region;
		struct shmchan_grant *parent = grant->parent;

		/* Whoever finds it in the list may take a reference. */
		if (!refcount_dec_and_lock(&grant->refs, &region->list_lock))
			return;
		list_del(&grant->node);
		spin_unlock(&region->list_lock);
		kfree(grant);
		grant = parent;
	}
}

/**
 * shmchan_grants_walk - look at every grant of a region
 * @region: the region
 * @fn: called with list_lock held
 * @arg: for @fn
 *
 * What is added meanwhile may be passed over.
 */
void shmchan_grants_walk(struct shmchan_region *region,
			 void (*fn)(struct shmchan_grant *grant, void *arg),
			 void *arg)
{
	struct shmchan_grant *grant, *held = NULL;
	unsigned int nr = 0;

	spin_lock(&region->list_lock);
	list_for_each_entry(grant, &region->grants, node) {
		fn(grant, arg);
		if (++nr % SHMCHAN_WALK_BATCH)
			continue;
		/* A reference keeps it in the list. */
		shmchan_grant_get(grant);
		spin_unlock(&region->list_lock);
		shmchan_grant_put(held);
		held = grant;
		cond_resched();
		spin_lock(&region->list_lock);
	}
	spin_unlock(&region->list_lock);
	shmchan_grant_put(held);
}

/**
 * shmchan_grant_revoked - has it been revoked, or what it comes of?
 * @grant: which
 *
 * Return: whether.
 */
bool shmchan_grant_revoked(const struct shmchan_grant *grant)
{
	for (; grant; grant = grant->parent)
		if (READ_ONCE(grant->revoked))
			return true;
	return false;
}

/**
 * shmchan_grant_comes_of - is one the other, or below it?
 * @grant: the one
 * @from: the other
 *
 * Return: whether.
 */
bool shmchan_grant_comes_of(const struct shmchan_grant *grant,
			    const struct shmchan_grant *from)
{
	while (grant && grant != from)
		grant = grant->parent;
	return grant;
}

/**
 * shmchan_terms_all - everything there is
 * @region: of which
 * @terms: filled in
 */
void shmchan_terms_all(const struct shmchan_region *region,
		       struct shmchan_terms *terms)
{
	*terms = (struct shmchan_terms) {
		.rights = SHMCHAN_RIGHT_ALL,
		.slot = SHMCHAN_SLOT_ANY,
		.data.length = region->data_size,
		.control.offset = region->control_offset,
		.control.length = region->control_size,
	};
}

static bool range_has(const struct shmchan_range *range, u64 start, u64 length)
{
	return start >= range->offset &&
	       start - range->offset <= range->length &&
	       length <= range->length - (start - range->offset);
}

/**
 * shmchan_terms_cover - does a capability reach so far?
 * @member: the capability
 * @start: region offset of a range within one area
 * @length: in bytes, not 0
 *
 * Return: whether; always for the header page and the status area.
 */
bool shmchan_terms_cover(const struct shmchan_member *member, u64 start,
			 u64 length)
{
	const struct shmchan_region *region = member->region;
	u64 header_end = region->control_offset + SHMCHAN_PAGE;

	if (start >= region->status_offset)
		return true;
	if (start < region->control_offset)
		return range_has(&member->terms.data, start, length);
	if (start < header_end) {
		if (length <= header_end - start)
			return true;
		length -= header_end - start;
		start = header_end;
	}
	return range_has(&member->terms.control, start, length);
}

/* A range of one area that is no wider than another. */
static int narrow(struct shmchan_range *range, const struct shmchan_range *to,
		  u64 offset, u64 size)
{
	if (!to->length) {
		if (to->offset)
			return -EINVAL;
		*range = (struct shmchan_range) {};
		return 0;
	}
	if (!IS_ALIGNED(to->offset, SHMCHAN_PAGE) ||
	    !IS_ALIGNED(to->length, SHMCHAN_PAGE))
		return -EINVAL;
	/* Beyond the area is a mistake, and within it beyond ours a refusal. */
	if (!range_has(&(struct shmchan_range) { offset, size },
		       to->offset, to->length))
		return -EINVAL;
	if (!range_has(range, to->offset, to->length))
		return -EACCES;
	*range = *to;
	return 0;
}

/* What is asked for, from what there is. */
static int narrow_terms(const struct shmchan_region *region,
			struct shmchan_terms *terms,
			const struct shmchan_mint *m)
{
	int ret;

	if (m->rights & ~terms->rights)
		return -EACCES;
	terms->rights = m->rights;
	if (m->flags & SHMCHAN_MINT_SLOT) {
		if (m->slot >= region->nr_seats)
			return -EINVAL;
		if (terms->slot != SHMCHAN_SLOT_ANY && terms->slot != m->slot)
			return -EACCES;
		terms->slot = m->slot;
	}
	if (!(m->flags & SHMCHAN_MINT_RANGE))
		return 0;
	ret = narrow(&terms->data, &m->data, 0, region->data_size);
	if (ret)
		return ret;
	return narrow(&terms->control, &m->control, region->control_offset,
		      region->control_size);
}

static int check_mint(const struct shmchan_mint *m)
{
	const struct shmchan_range none = {};

	if (m->flags & ~(SHMCHAN_MINT_RANGE | SHMCHAN_MINT_SLOT |
			 SHMCHAN_MINT_SELF) || m->reserved)
		return -EINVAL;
	if (!m->rights || m->rights & ~SHMCHAN_RIGHT_ALL)
		return -EINVAL;
	if (!(m->flags & SHMCHAN_MINT_SLOT) && m->slot)
		return -EINVAL;
	if (!(m->flags & SHMCHAN_MINT_RANGE) &&
	    (memcmp(&m->data, &none, sizeof(none)) ||
	     memcmp(&m->control, &none, sizeof(none))))
		return -EINVAL;
	return 0;
}

/* No other than the one there is, but narrower. */
static int mint_self(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	struct shmchan_mint *m = call->arg;
	struct shmchan_terms terms;
	int ret;

	/* Not under the lock: it may take as long as the caller likes. */
	m->fd = -1;
	ret = shmchan_respond(call);
	if (ret)
		return ret;
	ret = shmchan_access_begin(member, 0);
	if (ret)
		return ret;
	terms = member->terms;
	ret = member->state == SHMCHAN_UNBOUND ? 0 : -EISCONN;
	if (!ret)
		ret = narrow_terms(member->region, &terms, m);
	if (!ret) {
		/* Calls that take no lock look at the rights alone. */
		WRITE_ONCE(member->terms.rights, terms.rights);
		member->terms = terms;
	}
	shmchan_access_end(member);
	return ret;
}

static struct file *mint_file(struct shmchan_member *member,
			      const struct shmchan_mint *m)
{
	struct shmchan_region *region = member->region;
	struct shmchan_member *minted;
	struct shmchan_terms terms;
	struct file *file;
	int ret;

	/* Who may not is told so before anything is made. */
	ret = shmchan_access_begin(member, SHMCHAN_RIGHT_PUBLISH);
	if (ret)
		return ERR_PTR(ret);
	shmchan_access_end(member);
	file = shmchan_member_file(region, m->rights, member->grant);
	if (IS_ERR(file))
		return file;
	minted = file->private_data;
	ret = shmchan_access_begin(member, SHMCHAN_RIGHT_PUBLISH);
	if (!ret) {
		terms = member->terms;
		ret = narrow_terms(region, &terms, m);
		if (!ret)
			minted->terms = terms;
		/* By uid it may be revoked, and the one it comes of not. */
		if (!ret && shmchan_grant_revoked(minted->grant))
			ret = -ESTALE;
		shmchan_access_end(member);
	}
	if (ret) {
		fput(file);
		return ERR_PTR(ret);
	}
	return file;
}

/**
 * shmchan_mint_ioctl - SHMCHAN_IOC_MINT
 * @call: the call
 *
 * Return: see struct shmchan_mint.
 */
int shmchan_mint_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	struct shmchan_mint *m = call->arg;
	struct file *file;
	int ret;

	ret = check_mint(m);
	if (ret)
		return ret;
	if (m->flags & SHMCHAN_MINT_SELF)
		return mint_self(call);

	m->fd = get_unused_fd_flags(O_CLOEXEC);
	if (m->fd < 0)
		return m->fd;
	file = mint_file(member, m);
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		goto err_fd;
	}
	ret = shmchan_respond(call);
	if (ret) {
		fput(file);
		goto err_fd;
	}
	fd_install(m->fd, file);
	return 0;

err_fd:
	put_unused_fd(m->fd);
	return ret;
}
