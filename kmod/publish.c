// SPDX-License-Identifier: GPL-2.0-only
/*
 * Further names: a region in another namespace, or for others to open with less.
 *
 * Whoever publishes lends its own capability: a name gives what it was made
 * with, to those whom its own owner, group and mode let in, and what is opened
 * by it comes of the publisher's grant and goes with that.  Nothing can be
 * named in a namespace from outside: the fd is passed there, and somebody
 * there names it.
 */

#include <linux/cred.h>
#include <linux/fs_struct.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "shmchan.h"

/* The capability is not at JOIN, and may publish. */
static int publish(struct shmchan_member *member,
		   const struct shmchan_publish *p, struct shmchan_name *entry,
		   struct shmchan_presence *presence)
{
	const struct shmchan_offer offer = {
		.region = member->region,
		.published = true,
		.perm = {
			.uid = current_euid(),
			.gid = current_egid(),
			.mode = p->mode & ~current_umask(),
		},
		.terms = {
			.rights = p->rights,
			.slot = member->terms.slot,
			.data = member->terms.data,
			.control = member->terms.control,
		},
		.grant = member->grant,
	};
	int ret;

	if (p->rights & ~member->terms.rights)
		return -EACCES;
	if (member->region->seals & SHMCHAN_SEAL_PUBLISH)
		return -ECONNREFUSED;
	/* Nobody could open it. */
	if (member->grant->depth >= SHMCHAN_MAX_DEPTH)
		return -EMLINK;
	ret = shmchan_presence_test(member, presence);
	if (ret)
		return ret;
	return shmchan_name_add(entry, presence, &offer);
}

static int publish_call(struct shmchan_member *member,
			const struct shmchan_publish *p, const char *name)
{
	struct shmchan_presence *presence;
	struct shmchan_name *entry;
	struct shmchan_mm *smm;
	int ret;

	smm = shmchan_mm_get();
	if (IS_ERR(smm))
		return PTR_ERR(smm);
	entry = shmchan_name_new(name);
	presence = shmchan_presence_get(member->region);
	if (!entry || !presence) {
		ret = -ENOMEM;
		goto out_presence;
	}
	ret = shmchan_access_begin(member, SHMCHAN_RIGHT_PUBLISH);
	if (ret)
		goto out_presence;
	ret = publish(member, p, entry, presence);
	if (!ret)
		entry = NULL;
	/* A member keeps it anyway.  References are used up. */
	if (!ret && READ_ONCE(member->state) == SHMCHAN_UNBOUND) {
		shmchan_member_keep(member, smm);
		shmchan_presence_set(member, presence);
		presence = NULL;
		smm = NULL;
	}
	shmchan_access_end(member);
out_presence:
	shmchan_presence_put(presence);
	kfree(entry);
	if (smm)
		shmchan_mm_put(smm);
	return ret;
}

/**
 * shmchan_publish_ioctl - SHMCHAN_IOC_PUBLISH
 * @call: the call
 *
 * Return: see struct shmchan_publish.
 */
int shmchan_publish_ioctl(struct shmchan_call *call)
{
	const struct shmchan_publish *p = call->arg;
	int ret;

	if (p->flags || p->reserved || p->mode & ~0666 || !p->rights ||
	    p->rights & ~SHMCHAN_RIGHT_ALL)
		return -EINVAL;
	ret = shmchan_name_read(call, p->name, p->name_len);
	if (ret)
		return ret;
	return publish_call(call->file->private_data, p, call->name);
}

static bool is_published(const struct shmchan_grant *grant)
{
	return grant;
}

/**
 * shmchan_withdraw_ioctl - SHMCHAN_IOC_WITHDRAW
 * @call: the call
 *
 * Return: see struct shmchan_withdraw.
 */
int shmchan_withdraw_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	struct shmchan_withdraw *w = call->arg;
	bool all = w->flags & SHMCHAN_WITHDRAW_PUBLISHED;
	bool admin;
	int ret;

	if (w->flags & ~SHMCHAN_WITHDRAW_PUBLISHED)
		return -EINVAL;
	if (all && (w->name || w->name_len))
		return -EINVAL;
	if (!all) {
		ret = shmchan_name_read(call, w->name, w->name_len);
		if (ret)
			return ret;
	}
	ret = shmchan_access_begin(member, all ? SHMCHAN_RIGHT_ADMIN : 0);
	if (ret)
		return ret;
	admin = member->terms.rights & SHMCHAN_RIGHT_ADMIN;
	w->nr_names = 1;
	if (all)
		w->nr_names = shmchan_names_drop(member->region, is_published);
	else
		ret = shmchan_name_remove(member->region, call->name,
					  admin ? NULL : member->grant);
	shmchan_access_end(member);
	return ret ? ret : shmchan_respond(call);
}
