// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * The calls of the module that are measured.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "access.h"

int dev = -1;

static int call(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

int open_device(void)
{
	dev = open("/dev/shmchan", O_RDWR | O_CLOEXEC);
	return dev < 0 ? -errno : dev;
}

int region_create(const struct shape *s)
{
	struct shmchan_create c = {
		.size = sizeof(c),
		.flags = s->flags,
		.name = (uintptr_t)s->name,
		.name_len = s->name ? (uint32_t)strlen(s->name) : 0,
		.mode = s->mode,
		.data_size = s->data_size,
		.control_size = s->control_size,
		.nr_slots = s->nr_slots,
		.nr_windows = s->nr_windows,
		.windows = (uintptr_t)s->windows,
		.nr_doorbells = s->nr_bells,
		.doorbells = (uintptr_t)s->bells,
	};
	int ret = call(dev, SHMCHAN_IOC_CREATE, &c);

	return ret ? ret : c.fd;
}

int region_open(const char *name, unsigned int rights)
{
	struct shmchan_open o = {
		.size = sizeof(o),
		.name = (uintptr_t)name,
		.name_len = (uint32_t)strlen(name),
		.rights = rights,
	};
	int ret = call(dev, SHMCHAN_IOC_OPEN, &o);

	return ret ? ret : o.fd;
}

int member_join(int fd, unsigned int slot)
{
	struct shmchan_join j = { .size = sizeof(j), .slot = slot };

	return call(fd, SHMCHAN_IOC_JOIN, &j);
}

int member_leave(int fd)
{
	struct shmchan_leave l = { .size = sizeof(l) };

	return call(fd, SHMCHAN_IOC_LEAVE, &l);
}

int region_join(const char *name, unsigned int slot)
{
	int fd = region_open(name, RIGHTS_RW);
	int ret = fd < 0 ? fd : member_join(fd, slot);

	if (ret && fd >= 0)
		close(fd);
	return ret ? ret : fd;
}

int ring(int fd, unsigned int doorbell)
{
	struct shmchan_ring r = { .size = sizeof(r), .doorbell = doorbell };
	int ret = call(fd, SHMCHAN_IOC_RING, &r);

	return ret ? ret : (int)r.woken;
}

int wait_for(int fd, const struct shmchan_wait_elem *elems, unsigned int nr,
	     uint64_t deadline)
{
	struct shmchan_wait w = {
		.size = sizeof(w),
		.elems = (uintptr_t)elems,
		.nr_elems = nr,
		.clockid = CLOCK_MONOTONIC,
		.deadline = deadline,
	};

	return call(fd, SHMCHAN_IOC_WAIT, &w);
}

int publish(int fd, const char *name)
{
	struct shmchan_publish p = {
		.size = sizeof(p),
		.name = (uintptr_t)name,
		.name_len = (uint32_t)strlen(name),
		.mode = 0600,
		.rights = RIGHTS_RW,
	};

	return call(fd, SHMCHAN_IOC_PUBLISH, &p);
}

int withdraw(int fd, const char *name)
{
	struct shmchan_withdraw w = {
		.size = sizeof(w),
		.name = (uintptr_t)name,
		.name_len = (uint32_t)strlen(name),
	};

	return call(fd, SHMCHAN_IOC_WITHDRAW, &w);
}

int list_names(uint64_t *cursor, struct shmchan_list_entry *entries,
	       unsigned int nr)
{
	struct shmchan_list l = {
		.size = sizeof(l),
		.cursor = *cursor,
		.entries = (uintptr_t)entries,
		.nr_entries = nr,
		.entry_size = sizeof(entries[0]),
	};
	int ret = call(dev, SHMCHAN_IOC_LIST, &l);

	*cursor = l.cursor;
	return ret ? ret : (int)l.nr_entries;
}

static int do_revoke(int fd, struct shmchan_revoke *r)
{
	int ret;

	r->size = sizeof(*r);
	ret = call(fd, SHMCHAN_IOC_REVOKE, r);
	return ret ? ret : (int)r->nr_members;
}

int revoke_slot(int fd, unsigned int slot)
{
	struct shmchan_revoke r = {
		.flags = SHMCHAN_REVOKE_SLOT,
		.slot = slot,
	};

	return do_revoke(fd, &r);
}

int revoke_uid(int fd, unsigned int uid)
{
	struct shmchan_revoke r = { .flags = SHMCHAN_REVOKE_UID, .uid = uid };

	return do_revoke(fd, &r);
}

int export_dmabuf(int fd, uint64_t length)
{
	struct shmchan_export_dmabuf e = {
		.size = sizeof(e),
		.length = length,
	};
	int ret = call(fd, SHMCHAN_IOC_EXPORT_DMABUF, &e);

	return ret ? ret : e.fd;
}

int query(int fd)
{
	struct shmchan_query q = { .size = sizeof(q) };

	return call(fd, SHMCHAN_IOC_QUERY, &q);
}

int ring_set(int fd, const uint32_t *doorbells, unsigned int nr)
{
	struct shmchan_ring r = {
		.size = sizeof(r),
		.flags = SHMCHAN_RING_SET,
		.doorbells = (uintptr_t)doorbells,
		.nr_doorbells = nr,
	};
	int ret = call(fd, SHMCHAN_IOC_RING, &r);

	return ret ? ret : (int)r.woken;
}

int subscribe(int fd, unsigned int doorbell)
{
	struct shmchan_subscribe s = {
		.size = sizeof(s),
		.doorbell = doorbell,
	};

	return call(fd, SHMCHAN_IOC_SUBSCRIBE, &s);
}

int arm(int fd, unsigned int doorbell)
{
	struct shmchan_arm a = { .size = sizeof(a), .doorbell = doorbell };

	return call(fd, SHMCHAN_IOC_ARM, &a);
}
