// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Capabilities with the right ADMIN: whom a name lets in, seals, and revoking.
 */

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "access_private.h"

static int setattr(int fd, struct shmchan_setattr *s)
{
	struct shmchan_query q;
	int err = shmchan__capability_check(fd, &q);

	if (err)
		return err;
	s->size = sizeof(*s);
	if (!ioctl(fd, SHMCHAN_IOC_SETATTR, s))
		return 0;
	err = errno;
	if (err == EPERM && !shmchan__joined_elsewhere(fd, &q))
		return shmchan__fail(err,
			"%s is of user %u, group %u: giving it to another user takes CAP_CHOWN over the old and the new ids, to another group being its owner and in that group",
			shmchan__queried_name(&q), q.uid, q.gid);
	if (err == EINVAL && s->flags & ~SHMCHAN_SETATTR_MODE)
		return shmchan__fail(err,
			"user %d, group %d: one of them has no mapping in this user namespace",
			s->flags & SHMCHAN_SETATTR_UID ? (int)s->uid : -1,
			s->flags & SHMCHAN_SETATTR_GID ? (int)s->gid : -1);
	return shmchan__capability_failed(fd, err, "SETATTR", SHMCHAN_RIGHT_ADMIN);
}

int shmchan_capability_chmod(int capability, uint32_t mode)
{
	struct shmchan_setattr s = {
		.flags = SHMCHAN_SETATTR_MODE, .mode = mode,
	};
	int err = shmchan__check_mode(mode);

	return err ? err : setattr(capability, &s);
}

int shmchan_capability_chown(int capability, uint32_t uid, uint32_t gid)
{
	struct shmchan_setattr s = { .flags = 0 };

	if (uid != ~0U) {
		s.flags |= SHMCHAN_SETATTR_UID;
		s.uid = uid;
	}
	if (gid != ~0U) {
		s.flags |= SHMCHAN_SETATTR_GID;
		s.gid = gid;
	}
	if (!s.flags)
		return shmchan__fail(EINVAL,
			"uid and gid are -1: then nothing is to change; give one of them");
	return setattr(capability, &s);
}

int shmchan_capability_seal(int capability, uint32_t seals)
{
	struct shmchan_seal s = { .size = sizeof(s), .seals = seals };
	struct shmchan_query q;
	int err;

	if (!seals || seals & ~(SHMCHAN_SEAL_MEMBERS | SHMCHAN_SEAL_PUBLISH))
		return shmchan__fail(EINVAL,
			"seals is %#x: should be SHMCHAN_SEAL_MEMBERS, SHMCHAN_SEAL_PUBLISH or both",
			seals);
	err = shmchan__capability_check(capability, &q);
	if (err)
		return err;
	if (ioctl(capability, SHMCHAN_IOC_SEAL, &s))
		return shmchan__capability_failed(capability, errno, "SEAL", SHMCHAN_RIGHT_ADMIN);
	return 0;
}

/* With the words about slots; by uid there are none of its own but EPERM's. */
static int revoke_error(int fd, int err, const struct shmchan_revoke *r,
			const struct shmchan_query *q)
{
	struct shmchan_member_info info;

	if (err == ESRCH && r->generation &&
	    !shmchan_capability_member(fd, r->slot, &info) &&
	    info.current_holder.generation != r->generation)
		return shmchan__fail(err,
			"slot %u of %s is not held by generation %u: its holder now, or the last one, is generation %u",
			r->slot, shmchan__queried_name(q), r->generation,
			info.current_holder.generation);
	if (err == ESRCH)
		return shmchan__fail(err, "nobody holds slot %u of %s", r->slot,
				     shmchan__queried_name(q));
	if (err == EINVAL && r->flags == SHMCHAN_REVOKE_SLOT &&
	    r->slot == q->slot)
		return shmchan__fail(err,
			"slot %u is our own: close the region to leave it",
			r->slot);
	if (err == EINVAL && r->flags == SHMCHAN_REVOKE_UID)
		return shmchan__fail(err,
			"uid %u has no mapping in this user namespace", r->uid);
	if (err == EPERM && !shmchan__joined_elsewhere(fd, q))
		return shmchan__fail(err,
			"this capability was minted from that of the holder of slot %u, and cannot end it: take one that was not, as the owner can open it",
			r->slot);
	return shmchan__capability_failed(fd, err, "REVOKE", SHMCHAN_RIGHT_ADMIN);
}

static int take_back(int fd, struct shmchan_revoke *r, struct shmchan_revoked *to)
{
	struct shmchan_query q;
	int err = shmchan__capability_check(fd, &q);

	if (to)
		memset(to, 0, sizeof(*to));
	if (err)
		return err;
	if (r->flags == SHMCHAN_REVOKE_SLOT && r->slot >= q.nr_slots)
		return shmchan__fail(EINVAL, "slot is %u: should be below %u",
				     r->slot, q.nr_slots);
	r->size = sizeof(*r);
	if (ioctl(fd, SHMCHAN_IOC_REVOKE, r))
		return revoke_error(fd, errno, r, &q);
	if (to) {
		to->members = r->nr_members;
		to->unjoined = r->nr_unjoined;
	}
	return 0;
}

int shmchan_capability_revoke_slot(int capability, uint32_t slot,
				   uint32_t generation,
				   struct shmchan_revoked *revoked)
{
	struct shmchan_revoke r = {
		.flags = SHMCHAN_REVOKE_SLOT, .slot = slot,
		.generation = generation,
	};

	return take_back(capability, &r, revoked);
}

int shmchan_capability_revoke_uid(int capability, uint32_t uid,
				  struct shmchan_revoked *revoked)
{
	struct shmchan_revoke r = { .flags = SHMCHAN_REVOKE_UID, .uid = uid };

	return take_back(capability, &r, revoked);
}
