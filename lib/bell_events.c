// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Events of a region, and who else is told of them: <shmchan/loop.h>.
 */

#include <errno.h>

#include "backend.h"

int shmchan_bell_subscribe_members(const struct shmchan_region *region)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	if (!(region->rights & SHMCHAN_RIGHT_WAIT))
		return shmchan__fail(EACCES,
			"%s was opened without SHMCHAN_RIGHT_WAIT",
			shmchan__name_of(region));
	return shmchan__private(region)->ops->subscribe_members(
		shmchan__private(region));
}

int shmchan_bell_unsubscribe(const struct shmchan_region *region,
			     uint32_t doorbell)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	return shmchan__private(region)->ops->unsubscribe(
		shmchan__private(region), doorbell);
}

int shmchan_bell_events(const struct shmchan_region *region,
			struct shmchan_event *events, uint32_t nr)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	if (!events || !nr || nr > INT32_MAX / sizeof(*events))
		return shmchan__fail(EINVAL,
			"room for %u events at %p: should be for one or more",
			nr, (void *)events);
	return shmchan__private(region)->ops->events(shmchan__private(region),
						     events, nr);
}

int shmchan_bell_bind_eventfd(const struct shmchan_region *region,
			      uint32_t doorbell, int fd)
{
	int err = shmchan__usable(region);

	if (err)
		return err;
	return shmchan__private(region)->ops->bind_eventfd(
		shmchan__private(region), doorbell, fd);
}
