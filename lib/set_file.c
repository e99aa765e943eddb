// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Sets: the file that a loop polls, once somebody has asked for it.
 *
 * It is one of epoll: on kmod with the files of the members' regions in it, which
 * subscribe to the members' doorbells; on the local backend with that of
 * backend_local_poll.c.
 */

#include <errno.h>
#include <sys/epoll.h>

#include "set_private.h"

struct set_sub *shmchan__set_find_sub(struct shmchan_set *set,
				      const struct shmchan_region *region,
				      uint32_t doorbell)
{
	uint32_t i;

	for (i = 0; i < set->nr_subs; i++)
		if (set->subs[i].region == region &&
		    set->subs[i].doorbell == doorbell)
			return &set->subs[i];
	return NULL;
}

static int has_region(const struct shmchan_set *set,
		      const struct shmchan_region *region)
{
	uint32_t i;

	for (i = 0; i < set->nr_subs; i++)
		if (set->subs[i].region == region)
			return 1;
	return 0;
}

static int poll_region(struct shmchan_set *set,
		       const struct shmchan_region *region)
{
	struct epoll_event ev = {
		.events = EPOLLIN, .data.ptr = (void *)region,
	};
	int fd = shmchan_region_fd(region);

	if (fd < 0)
		return fd;
	if (!epoll_ctl(set->epoll.fd, EPOLL_CTL_ADD, fd, &ev))
		return 0;
	return shmchan__fail(errno, "epoll_ctl: %s", shmchan__errstr(errno));
}

/* Gone from it already if that is closed, which it should not be. */
static void unpoll_region(struct shmchan_set *set,
			  const struct shmchan_region *region)
{
	epoll_ctl(set->epoll.fd, EPOLL_CTL_DEL,
		  shmchan__private(region)->file.fd, NULL);
}

static void drop_sub(struct shmchan_set *set,
		     const struct shmchan_region *region, uint32_t doorbell)
{
	struct set_sub *s = shmchan__set_find_sub(set, region, doorbell);

	if (!s || --s->users)
		return;
	if (s->ours)
		shmchan_bell_unsubscribe(region, doorbell);
	*s = set->subs[--set->nr_subs];
	if (!has_region(set, region))
		unpoll_region(set, region);
}

static int add_sub(struct shmchan_set *set, const struct shmchan_region *region,
		   uint32_t doorbell, int ends_only)
{
	struct set_sub *s = shmchan__set_find_sub(set, region, doorbell);
	int err = 0, first = !has_region(set, region);

	if (s) {
		s->users++;
		return 0;
	}
	if (first)
		err = poll_region(set, region);
	if (err)
		return err;
	err = ends_only ? shmchan__subscribe_ends(region) :
			  shmchan_bell_subscribe(region, doorbell);
	if (err && err != -EEXIST) {
		if (first)
			unpoll_region(set, region);
		return err;
	}
	s = &set->subs[set->nr_subs++];
	*s = (struct set_sub){
		.region = region, .doorbell = doorbell, .users = 1,
		.ours = !err,
	};
	return 0;
}

static int watch(struct shmchan_set *set, const struct set_member *m)
{
	int err;

	if (set->poll) {
		local_poll_changed(set->poll);
		return 0;
	}
	err = add_sub(set, m->region, m->elem.doorbell, 0);
	if (err || set_is_word(m))
		return err;
	err = add_sub(set, m->region, SHMCHAN_DOORBELL_MEMBERS, 1);
	if (err)
		drop_sub(set, m->region, m->elem.doorbell);
	return err;
}

void shmchan__set_unwatch(struct shmchan_set *set, const struct set_member *m)
{
	if (set->poll) {
		local_poll_changed(set->poll);
		return;
	}
	drop_sub(set, m->region, m->elem.doorbell);
	if (set_is_word(m))
		return;
	if (m->kind->unwatched)
		m->kind->unwatched(m->object);
	drop_sub(set, m->region, SHMCHAN_DOORBELL_MEMBERS);
}

/* The first member says which backend it is. */
static int begin_local(struct shmchan_set *set)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int err = local_poll_open(&set->poll);

	if (err)
		return err;
	if (!epoll_ctl(set->epoll.fd, EPOLL_CTL_ADD, local_poll_fd(set->poll),
		       &ev))
		return 0;
	err = shmchan__fail(errno, "epoll_ctl: %s", shmchan__errstr(errno));
	local_poll_close(set->poll);
	set->poll = NULL;
	return err;
}

void shmchan__set_end_local(struct shmchan_set *set)
{
	if (!set->poll)
		return;
	epoll_ctl(set->epoll.fd, EPOLL_CTL_DEL, local_poll_fd(set->poll), NULL);
	local_poll_close(set->poll);
	set->poll = NULL;
}

int shmchan__set_begin_watch(struct shmchan_set *set, const struct set_member *m)
{
	if (set->epoll.fd < 0)
		return 0;
	if (m->region->backend == SHMCHAN_BACKEND_LOCAL && !set->poll) {
		int err = begin_local(set);

		if (err)
			return err;
	}
	return watch(set, m);
}

void shmchan__set_end_file(struct shmchan_set *set)
{
	shmchan__set_end_local(set);
	shmchan__file_close(&set->epoll);
}

static int make_file(struct shmchan_set *set)
{
	uint32_t id;
	int fd, err = 0;

	if (set->epoll.fd >= 0)
		return set->epoll.fd;
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0)
		return shmchan__fail(errno, "epoll_create1: %s",
				     shmchan__errstr(errno));
	shmchan__file_adopt(&set->epoll, fd);
	for (id = 0; id < set->nr_ids && !err; id++)
		if (set->members[id].region)
			err = shmchan__set_begin_watch(set, &set->members[id]);
	if (!err)
		return fd;
	/* The last one failed: those before it are watched. */
	for (id--; id--;)
		if (set->members[id].region)
			shmchan__set_unwatch(set, &set->members[id]);
	shmchan__set_end_file(set);
	return err;
}

int shmchan_set_fd(struct shmchan_set *set)
{
	int err = shmchan__set_enter(set);

	return err ? err : set_leave(set, make_file(set));
}
