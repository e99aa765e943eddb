// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may open a region, and who may change that.
 *
 * A name lets in by owner, group and mode, with the credentials of the call, and
 * CAP_IPC_OWNER of the user namespace that owns the IPC namespace of the call.
 * What the name was published with is the most that it gives, to anybody.
 *
 * What is opened is in the region's lists before it is decided for good, under a
 * lock, whether the name is still there and lets it in: so who changes the mode,
 * or withdraws the name, and then revokes, finds all that came in before.
 */

#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/ipc_namespace.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nsproxy.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>

#include "shmchan.h"

/**
 * shmchan_access_begin - begin to act by right of a capability
 * @member: a capability, joined or not
 * @rights: that the act takes
 *
 * On success the region's caps_lock is held, so the capability is not revoked,
 * narrowed or joined before shmchan_access_end(); it may end, though.
 *
 * Return: 0, -EALREADY, -EPERM, -ESTALE, -EACCES, or -EINTR after a fatal signal.
 */
int shmchan_access_begin(struct shmchan_member *member, u32 rights)
{
	struct shmchan_region *region = member->region;
	int ret = 0;

	if (mutex_lock_killable(&region->caps_lock))
		return -EINTR;
	/* It may be revoked by its parent while it is at JOIN. */
	if (shmchan_grant_revoked(member->grant))
		ret = -ESTALE;
	else if (READ_ONCE(member->state) == SHMCHAN_JOINING)
		ret = -EALREADY;
	else if (READ_ONCE(member->state) != SHMCHAN_UNBOUND)
		ret = shmchan_member_check(member, 0);
	if (!ret && rights & ~member->terms.rights)
		ret = -EACCES;
	if (ret)
		mutex_unlock(&region->caps_lock);
	return ret;
}

/**
 * shmchan_access_end - the end of shmchan_access_begin()
 * @member: the capability
 */
void shmchan_access_end(struct shmchan_member *member)
{
	mutex_unlock(&member->region->caps_lock);
}

/* What a name gives to the caller, whose wishes save a look at capabilities. */
static u32 granted_rights(const struct shmchan_perm *perm, u32 wanted)
{
	struct ipc_namespace *ipc = current->nsproxy->ipc_ns;
	umode_t mode = perm->mode;
	u32 granted = 0;

	if (uid_eq(current_euid(), perm->uid)) {
		granted = SHMCHAN_RIGHT_ADMIN | SHMCHAN_RIGHT_PUBLISH;
		mode >>= 6;
	} else if (in_group_p(perm->gid)) {
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

/* May the caller have what it wants of what a name offers? */
static int check_offer(const struct shmchan_open *o, struct shmchan_offer *offer)
{
	struct shmchan_region *region = offer->region;

	if (!offer->published) {
		spin_lock(&region->seat_lock);
		offer->perm = region->perm;
		spin_unlock(&region->seat_lock);
		shmchan_terms_all(region, &offer->terms);
	}
	if (o->rights & ~offer->terms.rights ||
	    o->rights & ~granted_rights(&offer->perm, o->rights))
		return -EACCES;
	offer->terms.rights = o->rights;
	return check_owner(o, offer->perm.uid);
}

/* Gives the capability its terms, if the name is there and lets the caller in. */
static int admit(struct shmchan_member *member, const struct shmchan_open *o,
		 const char *name, struct shmchan_offer *offer)
{
	int ret;

	if (mutex_lock_killable(&offer->region->caps_lock))
		return -EINTR;
	if (!shmchan_name_again(name, offer))
		ret = -ENOENT;
	else
		ret = check_offer(o, offer);
	if (!ret && shmchan_grant_revoked(member->grant))
		ret = -ESTALE;
	if (!ret)
		member->terms = offer->terms;
	mutex_unlock(&offer->region->caps_lock);
	return ret;
}

#ifdef SHMCHAN_TEST_HOOKS
static unsigned int open_delay_ms;
module_param(open_delay_ms, uint, 0644);
MODULE_PARM_DESC(open_delay_ms, "test: sleep in OPEN before there is a capability, and before it is let in");
#else
#define open_delay_ms	0
#endif

/* A capability for the region of that name. */
static struct file *open_name(const struct shmchan_open *o, const char *name)
{
	struct shmchan_offer offer;
	struct file *file;
	int ret;

	/* The last file may be closed as soon as we have the inode. */
	ret = shmchan_memory_pin();
	if (ret)
		return ERR_PTR(ret);
	ret = shmchan_name_find(name, &offer);
	if (ret) {
		file = ERR_PTR(ret);
		goto out_pin;
	}
	/* Who may not is told so before anything is made, or locked. */
	ret = check_offer(o, &offer);
	if (ret) {
		file = ERR_PTR(ret);
		goto out_offer;
	}
	shmchan_test_delay(open_delay_ms);
	file = shmchan_member_file(offer.region, o->rights, offer.grant);
	if (IS_ERR(file))
		goto out_offer;
	shmchan_test_delay(open_delay_ms);
	ret = admit(file->private_data, o, name, &offer);
	if (ret) {
		fput(file);
		file = ERR_PTR(ret);
	}

out_offer:
	shmchan_grant_put(offer.grant);
	iput(offer.region->inode);
out_pin:
	shmchan_memory_unpin();
	return file;
}

static int check_open(const struct shmchan_open *o)
{
	if (o->flags & ~(SHMCHAN_OPEN_JOIN | SHMCHAN_OPEN_OWNER_UID |
			 SHMCHAN_OPEN_OWNER_SELF) || o->reserved)
		return -EINVAL;
	if (!o->rights || o->rights & ~SHMCHAN_RIGHT_ALL)
		return -EINVAL;
	if (!(o->flags & SHMCHAN_OPEN_JOIN) && (o->join_flags || o->join_slot))
		return -EINVAL;
	if (!(o->flags & SHMCHAN_OPEN_OWNER_UID) && o->owner_uid)
		return -EINVAL;
	return 0;
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
	struct shmchan_member *member;
	struct file *file;
	int fd, ret;

	ret = check_open(o);
	if (ret)
		return ret;
	ret = shmchan_name_read(call, o->name, o->name_len);
	if (ret)
		return ret;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	file = open_name(o, call->name);
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
	ret = shmchan_respond(call);
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

/*
 * May the caller give it to those?  Not to root, or to whoever else is trusted
 * by name, unless those are the caller's to act for.
 */
static bool may_chown(const struct shmchan_perm *old,
		      const struct shmchan_perm *new)
{
	struct user_namespace *ns = current_user_ns();

	if (uid_eq(new->uid, old->uid) &&
	    (gid_eq(new->gid, old->gid) ||
	     (uid_eq(current_euid(), old->uid) && in_group_p(new->gid))))
		return true;
	return kuid_has_mapping(ns, old->uid) &&
	       kuid_has_mapping(ns, new->uid) &&
	       kgid_has_mapping(ns, old->gid) &&
	       kgid_has_mapping(ns, new->gid) && ns_capable(ns, CAP_CHOWN);
}

static int set_perm(struct shmchan_region *region,
		    const struct shmchan_setattr *s)
{
	struct shmchan_perm perm = region->perm;

	lockdep_assert_held(&region->caps_lock);
	if (s->flags & SHMCHAN_SETATTR_MODE)
		perm.mode = s->mode;
	if (s->flags & SHMCHAN_SETATTR_UID)
		perm.uid = make_kuid(current_user_ns(), s->uid);
	if (s->flags & SHMCHAN_SETATTR_GID)
		perm.gid = make_kgid(current_user_ns(), s->gid);
	if (!uid_valid(perm.uid) || !gid_valid(perm.gid))
		return -EINVAL;
	if (!may_chown(&region->perm, &perm))
		return -EPERM;
	spin_lock(&region->seat_lock);
	region->perm = perm;
	spin_unlock(&region->seat_lock);
	return 0;
}

/**
 * shmchan_setattr_ioctl - SHMCHAN_IOC_SETATTR
 * @call: the call
 *
 * Return: see struct shmchan_setattr.
 */
int shmchan_setattr_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	const struct shmchan_setattr *s = call->arg;
	int ret;

	if (!s->flags || s->reserved ||
	    s->flags & ~(SHMCHAN_SETATTR_MODE | SHMCHAN_SETATTR_UID |
			 SHMCHAN_SETATTR_GID))
		return -EINVAL;
	if (s->mode & ~0666 ||
	    (!(s->flags & SHMCHAN_SETATTR_MODE) && s->mode) ||
	    (!(s->flags & SHMCHAN_SETATTR_UID) && s->uid) ||
	    (!(s->flags & SHMCHAN_SETATTR_GID) && s->gid))
		return -EINVAL;
	ret = shmchan_access_begin(member, SHMCHAN_RIGHT_ADMIN);
	if (ret)
		return ret;
	ret = set_perm(member->region, s);
	shmchan_access_end(member);
	return ret;
}

/**
 * shmchan_seal_ioctl - SHMCHAN_IOC_SEAL
 * @call: the call
 *
 * Return: see struct shmchan_seal.
 */
int shmchan_seal_ioctl(struct shmchan_call *call)
{
	struct shmchan_member *member = call->file->private_data;
	struct shmchan_region *region = member->region;
	const struct shmchan_seal *s = call->arg;
	int ret;

	if (s->flags || s->reserved || !s->seals ||
	    s->seals & ~(SHMCHAN_SEAL_MEMBERS | SHMCHAN_SEAL_PUBLISH))
		return -EINVAL;
	ret = shmchan_access_begin(member, SHMCHAN_RIGHT_ADMIN);
	if (ret)
		return ret;
	WRITE_ONCE(region->seals, region->seals | s->seals);
	shmchan_access_end(member);
	return 0;
}
