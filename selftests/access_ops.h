/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_ACCESS_OPS_H
#define SHMCHAN_ACCESS_OPS_H

/*
 * What a subject of access_matrix does, each as a function that returns 0 or
 * -errno.  They leave nothing behind but what they did to the region.
 */

#include <poll.h>
#include <sys/eventfd.h>

#include "access_stage.h"

#define RO	PROT_READ
#define RW	(PROT_READ | PROT_WRITE)

/* How the subject comes to its capability. */
enum way {
	BY_CREATED_NAME,	/* of the region, in the subject's namespace */
	BY_PUBLISHED_NAME,	/* the same, by the publisher */
	PASSED,			/* by SCM_RIGHTS; the region is in the first */
};

static const char *const way_name[] = {
	"opened by its name", "opened by a published name", "passed",
};

/* What has become of the capability when it is used. */
enum state {
	A_MEMBER,
	UNBOUND,
	ANOTHERS,		/* from here on all rights, and passed */
	LEFT,
	REVOKED,
};

static const char *const state_name[] = {
	"member", "not joined", "another's member", "left", "revoked",
};

/* In memory that the test and its subject share. */
struct scene {
	char created[40];	/* the region's name, where it was created */
	char published[2][40];	/* by the publisher, where the subject is */
	char foreign[40];	/* of another region there */
	char own[40];		/* how those begin that are free there */
	char door[40];		/* by which the subject comes in */
	unsigned int rights;	/* of the subject's capability */
	unsigned int slot;	/* to join */
	enum way way;
	enum state state;
	uint64_t sets;		/* bit N: ask for rights N */
	uint64_t granted;	/* the same, and this was the answer */
	long results[MANY_FDS];
};

static struct scene *scene;

typedef long (*op_fn)(int fd, long a, long b);

/* The names there are, for the table. */
enum a_name { CREATED, PUBLISHED, PUBLISHED2, OF_ANOTHER, FREE };

static inline const char *name_of(long name)
{
	static unsigned int nr_free;
	static char unused[48];

	switch (name) {
	case CREATED:
		return scene->created;
	case PUBLISHED:
		return scene->published[0];
	case PUBLISHED2:
		return scene->published[1];
	case OF_ANOTHER:
		return scene->foreign;
	}
	/* What was published may last longer than what published it. */
	snprintf(unused, sizeof(unused), "%s%u", scene->own, nr_free++);
	return unused;
}

/* A file that was made only to see whether it can be. */
static inline long closed(long fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* What is refused, for whatever right is added to those there are. */
static inline long refused_with_more(int fd, long (*try)(int, unsigned int))
{
	unsigned int right;
	long ret = 0, last = 0;

	for (right = 1; right < SHMCHAN_RIGHT_ALL; right <<= 1) {
		if (right & scene->rights)
			continue;
		ret = try(fd, scene->rights | right);
		if (!ret || (last && ret != last))
			return ret ? -EBADMSG : 0;
		last = ret;
	}
	return last;
}

/* On the device. */

static inline long op_query_device(int fd, long a, long b)
{
	struct shmchan_query_device q;

	(void)fd;
	(void)a;
	(void)b;
	return query_device(&q);
}

/* Is it told, or allowed: -ENODATA if not. */

static inline long op_all_bytes(int fd, long a, long b)
{
	struct shmchan_query_device q;
	long ret = query_device(&q);

	(void)fd;
	(void)a;
	(void)b;
	return ret ? ret : q.total_bytes ? 0 : -ENODATA;
}

static inline long op_no_limit(int fd, long a, long b)
{
	struct shmchan_query_device q;
	long ret = query_device(&q);

	(void)fd;
	(void)a;
	(void)b;
	return ret ? ret : q.user_limit == ~0ULL ? 0 : -ENODATA;
}

/* Allowed is not the same as possible. */
static inline long op_contig(int fd, long a, long b)
{
	struct layout l = layout_default(SHMCHAN_CREATE_CONTIG, false);
	long ret;

	(void)fd;
	(void)a;
	(void)b;
	l.data_size = 3 * HUGE;
	l.nr_windows = 0;
	ret = closed(create_region(&l));
	return ret == -ENOMEM ? 0 : ret;
}

static inline long op_create(int fd, long name, long b)
{
	struct layout l = layout;

	(void)fd;
	(void)b;
	l.name = name_of(name);
	return closed(create_region(&l));
}

static inline long op_listed(int fd, long name, long b)
{
	struct shmchan_list_entry entries[16];
	struct shmchan_list l = list_args(entries, COUNT(entries));
	int dev = open_device();
	long ret = -ENODATA;
	unsigned int i;

	(void)fd;
	(void)b;
	do {
		if (call(dev, SHMCHAN_IOC_LIST, &l))
			ret = -EBADMSG;
		for (i = 0; ret == -ENODATA && i < l.nr_entries; i++)
			if (!strcmp(entries[i].name, name_of(name)))
				ret = 0;
	} while (ret == -ENODATA && l.nr_entries);
	close(dev);
	return ret;
}

/* Are other users than oneself there? */
static inline long op_list_users(int fd, long a, long b)
{
	struct shmchan_user_entry entries[16];
	struct shmchan_list_users l = {
		.size = sizeof(l),
		.entries = ptr(entries),
		.nr_entries = COUNT(entries),
		.entry_size = sizeof(entries[0]),
	};
	int dev = open_device();
	long ret = call(dev, SHMCHAN_IOC_LIST_USERS, &l);

	(void)fd;
	(void)a;
	(void)b;
	close(dev);
	return ret ? ret : l.nr_entries > 1 ? 0 : -ENODATA;
}

static inline long open_expecting(const char *name, unsigned int flags,
				  unsigned int uid)
{
	struct shmchan_open o = open_args(name, SHMCHAN_RIGHT_MAP_READ);
	int dev = open_device();
	long ret;

	o.flags = flags;
	o.owner_uid = uid;
	ret = call(dev, SHMCHAN_IOC_OPEN, &o);
	close(dev);
	return ret ? ret : closed(o.fd);
}

static inline long op_open(int fd, long name, long b)
{
	(void)fd;
	(void)b;
	return open_expecting(name_of(name), 0, 0);
}

static inline long op_open_own(int fd, long name, long b)
{
	(void)fd;
	(void)b;
	return open_expecting(name_of(name), SHMCHAN_OPEN_OWNER_SELF, 0);
}

static inline long op_open_of(int fd, long name, long uid)
{
	(void)fd;
	return open_expecting(name_of(name), SHMCHAN_OPEN_OWNER_UID, uid);
}

/* On a capability. */

static inline long op_query(int fd, long a, long b)
{
	struct shmchan_query q;

	(void)a;
	(void)b;
	return query(fd, &q);
}

static inline long op_cgroup(int fd, long a, long b)
{
	struct shmchan_query q;
	long ret = query(fd, &q);

	(void)a;
	(void)b;
	return ret ? ret : q.cgroup ? 0 : -ENODATA;
}

static inline long op_extents(int fd, long flags, long b)
{
	struct shmchan_extent extents[8];
	struct shmchan_extents e = {
		.size = sizeof(e),
		.flags = flags,
		.extents = ptr(extents),
		.nr_extents = COUNT(extents),
		.extent_size = sizeof(extents[0]),
	};

	(void)b;
	return call(fd, SHMCHAN_IOC_EXTENTS, &e);
}

static inline long op_join(int fd, long slot, long b)
{
	int ret = join(fd, slot);

	(void)b;
	return ret < 0 ? ret : 0;
}

static inline long try_mint(int fd, unsigned int rights)
{
	return closed(mint(fd, rights));
}

static inline long op_mint(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return try_mint(fd, scene->rights);
}

static inline long op_mint_more(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return refused_with_more(fd, try_mint);
}

static inline long op_mint_slot(int fd, long slot, long b)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_SLOT,
		.rights = scene->rights,
		.slot = slot,
	};

	(void)b;
	return closed(mint_args(fd, &m));
}

static inline long op_mint_folio(int fd, long nr, long b)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_RANGE,
		.rights = scene->rights,
		.data = { nr * PAGE, PAGE },
	};

	(void)b;
	return closed(mint_args(fd, &m));
}

static inline long try_narrow(int fd, unsigned int rights)
{
	struct shmchan_mint m = {
		.size = sizeof(m),
		.flags = SHMCHAN_MINT_SELF,
		.rights = rights,
	};

	return call(fd, SHMCHAN_IOC_MINT, &m);
}

static inline long op_narrow(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return try_narrow(fd, scene->rights);
}

static inline long op_narrow_more(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return refused_with_more(fd, try_narrow);
}

static inline long try_publish(int fd, unsigned int rights)
{
	return publish(fd, name_of(FREE), 0600, rights);
}

static inline long op_publish(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return try_publish(fd, scene->rights);
}

static inline long op_publish_more(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return refused_with_more(fd, try_publish);
}

static inline long op_publish_and_open(int fd, long a, long b)
{
	const char *name = name_of(FREE);
	long ret = publish(fd, name, 0600, scene->rights);

	(void)a;
	(void)b;
	return ret ? ret : closed(open_region(name, scene->rights));
}

static inline long op_publish_and_withdraw(int fd, long a, long b)
{
	const char *name = name_of(FREE);
	long ret = publish(fd, name, 0600, scene->rights);

	(void)a;
	(void)b;
	return ret ? ret : withdraw(fd, name);
}

static inline long op_withdraw(int fd, long name, long b)
{
	(void)b;
	return withdraw(fd, name_of(name));
}

static inline long op_withdraw_all(int fd, long a, long b)
{
	int ret = withdraw_published(fd);

	(void)a;
	(void)b;
	return ret < 0 ? ret : ret ? 0 : -ENODATA;
}

static inline long op_setattr(int fd, long flag, long value)
{
	struct shmchan_setattr s = { .size = sizeof(s), .flags = flag };

	if (flag == SHMCHAN_SETATTR_MODE)
		s.mode = value;
	else if (flag == SHMCHAN_SETATTR_UID)
		s.uid = value;
	else
		s.gid = value;
	return call(fd, SHMCHAN_IOC_SETATTR, &s);
}

static inline long op_setattr_own(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return op_setattr(fd, SHMCHAN_SETATTR_UID, geteuid());
}

static inline long op_seal(int fd, long seals, long b)
{
	(void)b;
	return seal(fd, seals);
}

static inline long op_revoke_slot(int fd, long slot, long b)
{
	int ret = revoke_slot(fd, slot, 0);

	(void)b;
	return ret < 0 ? ret : ret ? 0 : -ENODATA;
}

static inline long op_revoke_uid(int fd, long uid, long b)
{
	int ret = revoke_uid(fd, uid);

	(void)b;
	return ret < 0 ? ret : ret ? 0 : -ENODATA;
}

static inline long op_member_info(int fd, long slot, long b)
{
	struct shmchan_member_info info;

	(void)b;
	return member_info(fd, slot, &info);
}

/* On a member. */

static inline long op_leave(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return leave(fd);
}

/* The element is never quiet, so that the call returns at once. */
static inline long op_wait(int fd, long bell, long offset)
{
	struct shmchan_wait_elem elem = elem64(-1, bell, offset, ~0ULL);

	return wait_ms(fd, &elem, 1, 0);
}

static inline long op_wait_members(int fd, long a, long b)
{
	uint64_t status = SHMCHAN_STATUS_OFFSET(layout.data_size,
						layout.control_size);

	(void)a;
	(void)b;
	return op_wait(fd, SHMCHAN_DOORBELL_MEMBERS,
		       status + SHMCHAN_STATUS_SLOTS_OFFSET);
}

static inline long op_ring(int fd, long bell, long b)
{
	int ret = ring(fd, bell, 0);

	(void)b;
	return ret < 0 ? ret : 0;
}

static inline long op_ring_wait(int fd, long bell, long offset)
{
	struct shmchan_wait_elem elem = elem64(-1, bell, offset, ~0ULL);
	struct shmchan_ring_wait rw = {
		.size = sizeof(rw),
		.doorbell = bell,
		.wait = {
			.size = sizeof(rw.wait),
			.elems = ptr(&elem),
			.nr_elems = 1,
			.clockid = CLOCK_MONOTONIC,
			.deadline = now_ns(),
		},
	};

	return call(fd, SHMCHAN_IOC_RING_WAIT, &rw);
}

static inline long op_subscribe(int fd, long bell, long b)
{
	(void)b;
	return subscribe(fd, bell, 0);
}

static inline long op_subscribe_members(int fd, long a, long b)
{
	(void)a;
	(void)b;
	return subscribe_members(fd);
}

static inline long op_bind_eventfd(int fd, long bell, long b)
{
	int efd = eventfd(0, EFD_CLOEXEC);
	long ret = bind_eventfd(fd, bell, efd);

	(void)b;
	close(efd);
	return ret;
}

/* If that is not allowed ARM is tried all the same. */
static inline long op_arm(int fd, long bell, long offset)
{
	struct shmchan_wait_elem elem = elem64(-1, bell, offset, 0);

	subscribe(fd, bell, 0);
	return arm(fd, bell, &elem, 1, 0);
}

/* Nothing is pending. */
static inline long op_read(int fd, long a, long b)
{
	struct shmchan_event event;

	(void)a;
	(void)b;
	return read(fd, &event, sizeof(event)) < 0 && errno != EAGAIN ?
	       -errno : 0;
}

/* poll(2) has no errors; so those that stand for what it tells. */
static inline long op_poll(int fd, long a, long b)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	(void)a;
	(void)b;
	if (poll(&pfd, 1, 0) < 0)
		return -errno;
	if (pfd.revents & POLLHUP)
		return -ESTALE;
	return pfd.revents & POLLERR ? -ENOTCONN : 0;
}

static inline long op_map(int fd, long offset, long prot)
{
	return -map_error(fd, offset, PAGE, prot, MAP_SHARED);
}

static inline long op_map_header(int fd, long prot, long b)
{
	(void)b;
	return op_map(fd, SHMCHAN_CONTROL_OFFSET(layout.data_size), prot);
}

static inline long op_map_status(int fd, long prot, long b)
{
	(void)b;
	return op_map(fd, SHMCHAN_STATUS_OFFSET(layout.data_size,
						layout.control_size), prot);
}

/* A mapping that is made to read becomes writable. */
static inline long op_mprotect(int fd, long offset, long b)
{
	void *p = map(fd, offset, PAGE, RO);
	long ret = 0;

	(void)b;
	if (p == MAP_FAILED)
		return -errno;
	if (mprotect(p, PAGE, RW))
		ret = -errno;
	munmap(p, PAGE);
	return ret;
}

static inline long op_export(int fd, long offset, long flags)
{
	return closed(export_dmabuf(fd, offset, PAGE, flags));
}

#endif /* SHMCHAN_ACCESS_OPS_H */
