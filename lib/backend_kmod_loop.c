// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The kmod backend: several regions in one wait, events, eventfds.
 */

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend_kmod.h"

/*
 * An element says whose it is by its file, and the wait of a single region takes
 * those as they are.
 */
int shmchan__kmod_wait_many(const struct shmchan_cond *conds, uint32_t nr,
			    uint64_t deadline, uint32_t *index)
{
	struct shmchan_wait_elem elems[SHMCHAN_MAX_ELEMS];
	uint32_t i;

	for (i = 0; i < nr; i++) {
		elems[i] = conds[i].elem;
		elems[i].fd = shmchan__private(conds[i].region)->file.fd;
	}
	return shmchan_bell_wait(conds->region, elems, nr, deadline, index);
}

int shmchan__kmod_subscribe_members(struct shmchan_region_private *p)
{
	struct shmchan_subscribe s = {
		.size = sizeof(s), .flags = SHMCHAN_SUBSCRIBE_MEMBERS,
		.doorbell = SHMCHAN_DOORBELL_MEMBERS,
	};
	int err = ioctl(p->file.fd, SHMCHAN_IOC_SUBSCRIBE, &s) ? errno : 0;

	switch (err) {
	case 0:
		return 0;
	case EEXIST:
		return shmchan__fail(err,
			"doorbell 0 of %s is subscribed to already: end that first, with shmchan_bell_unsubscribe()",
			shmchan__label(p));
	case EUSERS:
		return shmchan__fail(err,
			"this member subscribes to %d doorbells, which is the most",
			SHMCHAN_MAX_SUBS);
	case EINVAL:
	case EOPNOTSUPP:
		return shmchan__fail(ENOTSUP,
			"this module does not tell who has ended: load a newer one, or compare the slot words when doorbell 0 is rung");
	default:
		return shmchan__kmod_member_error(p, err, "SUBSCRIBE");
	}
}

int shmchan__kmod_unsubscribe(struct shmchan_region_private *p,
			      uint32_t doorbell)
{
	struct shmchan_subscribe s = {
		.size = sizeof(s), .flags = SHMCHAN_SUBSCRIBE_END,
		.doorbell = doorbell,
	};
	int err = ioctl(p->file.fd, SHMCHAN_IOC_SUBSCRIBE, &s) ? errno : 0;

	if (!err)
		return 0;
	if (err == ENOENT)
		return shmchan__fail(err, "doorbell %u is not subscribed to",
				     doorbell);
	return shmchan__kmod_member_error(p, err, "SUBSCRIBE");
}

int shmchan__kmod_events(struct shmchan_region_private *p,
			 struct shmchan_event *events, uint32_t nr)
{
	ssize_t got;

	do
		got = read(p->file.fd, events, nr * sizeof(*events));
	while (got < 0 && errno == EINTR);
	if (got >= 0)
		return (int)((size_t)got / sizeof(*events));
	if (errno == EAGAIN)
		return 0;
	return shmchan__kmod_member_error(p, errno, "read");
}

int shmchan__kmod_bind_eventfd(struct shmchan_region_private *p,
			       uint32_t doorbell, int fd)
{
	struct shmchan_bind_eventfd b = {
		.size = sizeof(b), .flags = fd < 0 ? SHMCHAN_BIND_END : 0,
		.doorbell = doorbell, .fd = fd < 0 ? -1 : fd,
	};
	int err;

	if (doorbell > p->pub.nr_doorbells)
		return shmchan__fail(EINVAL,
			"doorbell %u: %s has doorbells 0 to %u", doorbell,
			shmchan__label(p), p->pub.nr_doorbells);
	err = ioctl(p->file.fd, SHMCHAN_IOC_BIND_EVENTFD, &b) ? errno : 0;
	switch (err) {
	case 0:
		return 0;
	case EEXIST:
		return shmchan__fail(err,
			"doorbell %u has an eventfd already: end that first, with fd -1",
			doorbell);
	case ENOENT:
		return shmchan__fail(err, "doorbell %u has no eventfd to end",
				     doorbell);
	case EUSERS:
		return shmchan__fail(err,
			"this member subscribes to %d doorbells, which is the most, or the doorbell has its most waiters",
			SHMCHAN_MAX_SUBS);
	case EBADF:
	case EINVAL:
		return shmchan__fail(err,
			"file %d is no eventfd: should be one of eventfd(2)",
			fd);
	case EACCES:
		return shmchan__fail(err,
			"doorbell %u is not ours to wait on, or %s was opened without SHMCHAN_RIGHT_WAIT",
			doorbell, shmchan__label(p));
	case ENOTTY:
		return shmchan__fail(ENOTSUP,
			"this module does not write to eventfds: load a newer one, or poll shmchan_region_fd()");
	default:
		return shmchan__kmod_member_error(p, err, "BIND_EVENTFD");
	}
}
