/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_ACCESS_FIXTURE_H
#define SHMCHAN_TEST_ACCESS_FIXTURE_H

/* What the tests of capabilities and of revocation share. */

#include <sys/socket.h>

#include <shmchan/access.h>

#include "harness.h"

#define RIGHTS_READ	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT)
#define RIGHTS_MEMBER	(RIGHTS_READ | SHMCHAN_RIGHT_MAP_WRITE | \
			 SHMCHAN_RIGHT_RING)

/* A capability that has not joined. */
static inline int open_capability(const char *name, uint32_t rights)
{
	struct shmchan_capability_opts opts = SHMCHAN_CAPABILITY_OPTS(
		.rights = rights, .any_owner = 1);
	int fd = shmchan_capability_open(name, &opts);

	CHECK_GE(fd, 0);
	return fd;
}

/* End the member of a slot: kmod only. */
static inline void revoke_slot(const char *name, uint32_t slot)
{
	int fd = open_capability(name, SHMCHAN_RIGHT_ADMIN);

	CHECK_EQ(shmchan_capability_revoke_slot(fd, slot, 0, NULL), 0);
	close(fd);
}

/*
 * End our own membership, as seen from here: with the local backend, which has
 * no such thing, by mapping what the kernel would.
 */
static inline void revoke_us(const struct shmchan_region *r)
{
	if (r->backend == SHMCHAN_BACKEND_KMOD) {
		revoke_slot(r->name, r->slot);
		return;
	}
	CHECK(mmap(r->base + r->status_offset, r->status_size,
		   PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	      MAP_FAILED);
	CHECK(mmap(r->base, r->control_offset + r->control_size,
		   PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	      MAP_FAILED);
}

/* A pair of sockets for capabilities. */
static inline void socket_pair(int sock[2])
{
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock));
}

#endif /* SHMCHAN_TEST_ACCESS_FIXTURE_H */
