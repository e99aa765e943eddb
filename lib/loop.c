// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Event loops: the file of a region, which polls readable, and what has been seen. */

#include <errno.h>

#include "backend.h"
#include "loop_private.h"

int shmchan__subscribe_ends(const struct shmchan_region *region)
{
	int err = shmchan_bell_subscribe_members(region);

	if (err == -ENOTSUP && region->backend == SHMCHAN_BACKEND_KMOD)
		err = shmchan_bell_subscribe(region, SHMCHAN_DOORBELL_MEMBERS);
	return err;
}

int shmchan__loop_subscribe(const struct shmchan_region *region,
			    uint32_t doorbell, uint32_t *subscribed)
{
	int err;

	if (*subscribed)
		return 0;
	err = shmchan_region_fd(region);
	if (err < 0)
		return err;
	err = shmchan__subscribe_ends(region);
	if (!err || err == -EEXIST)
		err = shmchan_bell_subscribe(region, doorbell);
	if (err && err != -EEXIST)
		return err;
	*subscribed = 1;
	return 0;
}

int shmchan__loop_ack(const struct shmchan_region *region)
{
	struct shmchan_event events[16];
	int n;

	if (region->backend != SHMCHAN_BACKEND_KMOD)
		return shmchan_region_fd(region);
	do
		n = shmchan_bell_events(region, events, 16);
	while (n == 16);
	return n < 0 ? n : 0;
}
