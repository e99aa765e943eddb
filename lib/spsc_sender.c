// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Channels from one sender to one receiver: who has sent a message. */

#include <errno.h>
#include <string.h>

#include "spsc_private.h"

/* What ids that have no place in the asker's user namespace look like. */
#define OVERFLOW_ID	65534

/* Two holders that are known, of one user that this namespace can tell apart. */
static int same_user(const struct shmchan_identity *a,
		     const struct shmchan_identity *b)
{
	return a && b && a->uid == b->uid && a->gid == b->gid &&
	       a->uid != OVERFLOW_ID && a->gid != OVERFLOW_ID;
}

int shmchan__origin(const struct shmchan_region *region,
		    const struct shmchan_lane_reader *r,
		    struct shmchan_origin *origin)
{
	struct shmchan_lane_sender range;
	struct shmchan_member_info info;
	const struct shmchan_identity *id;
	int err;

	err = shmchan_lane_reader_sender(r, &range);
	if (!err)
		err = shmchan_region_member(region, range.slot, &info);
	if (err)
		return err;
	origin->slot = range.slot;
	origin->oldest = range.oldest;
	origin->newest = range.newest;
	origin->by_lane = range.by_lane;
	id = shmchan__identity_of(&info, range.newest);
	if (range.oldest == range.newest && id) {
		origin->certain = SHMCHAN_SENDER_HOLDER;
		origin->identity = *id;
	} else if (range.newest - range.oldest == 1 &&
		   same_user(id, shmchan__identity_of(&info, range.oldest))) {
		origin->certain = SHMCHAN_SENDER_USER;
		origin->identity.uid = id->uid;
		origin->identity.gid = id->gid;
	}
	return 0;
}

int shmchan_spsc_sender(struct shmchan_spsc *ch, struct shmchan_origin *origin)
{
	int err;

	if (!origin)
		return shmchan__fail(EINVAL,
				     "spsc: nowhere to put who it was: NULL");
	memset(origin, 0, sizeof(*origin));
	err = spsc_enter(ch);
	if (err)
		return err;
	if (ch->role == SHMCHAN_RECEIVER)
		err = shmchan__origin(ch->region, &ch->r, origin);
	else
		err = shmchan_spsc__wrong_end(ch);
	shmchan__leave(&ch->busy);
	return err;
}
