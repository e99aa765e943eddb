// SPDX-License-Identifier: GPL-2.0-only
/*
 * A capability that is minted from another allows less, never more: fewer
 * rights, one slot, a part of the memory.  And it makes two of one only where
 * there is a right to that.
 */

#include "../kselftest_harness.h"

#include "test_peer.h"

#define ALL	SHMCHAN_RIGHT_ALL
#define READ	(SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT)

static struct layout layout;

FIXTURE(mint) {
	struct peer peer;
	int fd;			/* not joined, all rights */
	int member;		/* slot 0, all rights */
	uint64_t control;
};

FIXTURE_SETUP(mint)
{
	layout = layout_default(SHMCHAN_CREATE_SMALL, true);
	layout.name = own_name();
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_region(&layout);
	ASSERT_LE(0, self->fd);
	self->member = open_region(layout.name, ALL);
	ASSERT_LE(0, self->member);
	ASSERT_LT(0, join(self->member, 0));
	self->control = SHMCHAN_CONTROL_OFFSET(layout.data_size);
}

FIXTURE_TEARDOWN(mint)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

static int rights_of(int fd)
{
	struct shmchan_query q;
	int ret = query(fd, &q);

	return ret ? ret : (int)q.rights;
}

/* Every set of rights from every other: exactly the subsets can be had. */
TEST_F_TIMEOUT(mint, every_pair_of_rights, 180)
{
	unsigned int had, wanted;
	int from, fd;

	for (had = 1; had <= ALL; had++) {
		from = mint(self->fd, had);
		ASSERT_LE(0, from);
		ASSERT_EQ(had, rights_of(from));
		for (wanted = 1; wanted <= ALL; wanted++) {
			fd = mint(from, wanted);
			if (!(had & SHMCHAN_RIGHT_PUBLISH) || wanted & ~had) {
				ASSERT_EQ(-EACCES, fd)
					TH_LOG("%#x of %#x", wanted, had);
				continue;
			}
			ASSERT_LE(0, fd)
				TH_LOG("%#x of %#x", wanted, had);
			ASSERT_EQ(wanted, rights_of(fd));
			close(fd);
		}
		close(from);
	}
}

/* In place it takes no right, works once a step, and only before JOIN. */
TEST_F(mint, itself)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_SELF,
		.rights = READ,
	};
	int fd;

	fd = mint(self->fd, READ | SHMCHAN_RIGHT_RING);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, mint_args(fd, &m));
	EXPECT_EQ(-1, m.fd);
	EXPECT_EQ(READ, rights_of(fd));
	m.rights = READ | SHMCHAN_RIGHT_RING;
	EXPECT_EQ(-EACCES, mint_args(fd, &m));
	m.rights = SHMCHAN_RIGHT_WAIT;
	EXPECT_EQ(-1, mint_args(fd, &m));
	EXPECT_EQ(SHMCHAN_RIGHT_WAIT, rights_of(fd));
	ASSERT_LT(0, join(fd, 1));
	EXPECT_EQ(-EISCONN, mint_args(fd, &m));
	EXPECT_EQ(EACCES, map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED));

	/* A file that was made writable is none any more. */
	fd = mint(self->fd, ALL & ~SHMCHAN_RIGHT_ADMIN);
	ASSERT_LE(0, fd);
	m.rights = READ;
	EXPECT_EQ(-1, mint_args(fd, &m));
	ASSERT_LT(0, join(fd, 2));
	EXPECT_EQ(0, map_error(fd, FOLIO_SHARED * PAGE, PAGE, PROT_READ,
			       MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(fd, FOLIO_SHARED * PAGE, PAGE,
				    PROT_READ | PROT_WRITE, MAP_SHARED));
}

TEST_F(mint, from_a_member)
{
	int fd = mint(self->member, READ);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	/* It has not joined, and joins by itself. */
	EXPECT_EQ(ENOTCONN, map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED));
	EXPECT_EQ(1, join(fd, 3));
	EXPECT_EQ(0, map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED));
	/* It does not end with what it was minted from. */
	EXPECT_EQ(0, leave(self->member));
	EXPECT_EQ(0, map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED));
	EXPECT_EQ(-ESTALE, mint(self->member, READ));
}

TEST_F(mint, one_slot)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_SLOT,
		.rights = RIGHTS_RW | SHMCHAN_RIGHT_PUBLISH,
		.slot = 2,
	};
	struct shmchan_query q;
	int fd, other;

	fd = mint_args(self->fd, &m);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, query(fd, &q));
	EXPECT_EQ(2, q.join_slot);
	m.slot = 3;
	EXPECT_EQ(-EACCES, mint_args(fd, &m));
	m.flags = 0;
	m.slot = 0;
	other = mint_args(fd, &m);
	ASSERT_LE(0, other);
	EXPECT_EQ(-EACCES, join(fd, 3));
	EXPECT_EQ(-EACCES, join(fd, 0));
	EXPECT_EQ(1, join(fd, SHMCHAN_SLOT_ANY));
	ASSERT_EQ(0, query(fd, &q));
	EXPECT_EQ(2, q.slot);
	/* Any is that one, and it is taken. */
	EXPECT_EQ(-EBUSY, join(other, SHMCHAN_SLOT_ANY));
	EXPECT_EQ(-EBUSY, join(other, 2));
	EXPECT_EQ(-EACCES, join(other, 1));
	close(fd);
	EXPECT_EQ(2, join(other, 2));
}

/* What a range reaches, byte by byte at its edges. */
TEST_F(mint, range)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_RANGE,
		.rights = RIGHTS_RW | SHMCHAN_RIGHT_PUBLISH,
		.data = { FOLIO_FOREIGN * PAGE, 2 * PAGE },
		.control = { control_at(&layout, FOLIO_SHARED), PAGE },
	};
	struct shmchan_wait_elem elem;
	struct shmchan_extent extent;
	struct shmchan_extents x = {
		.size = sizeof(x),
		.extents = ptr(&extent),
		.nr_extents = 1,
		.extent_size = sizeof(extent),
	};
	uint64_t shared = control_at(&layout, FOLIO_SHARED);
	struct status status = {};
	struct shmchan_query q;
	uint64_t at;
	int fd;

	fd = mint_args(self->fd, &m);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, query(fd, &q));
	EXPECT_EQ(0, memcmp(&q.data, &m.data, sizeof(q.data)));
	EXPECT_EQ(0, memcmp(&q.control, &m.control, sizeof(q.control)));
	/* Its own may be no wider. */
	m.data.offset = 0;
	EXPECT_EQ(-EACCES, mint_args(fd, &m));
	m.data.offset = FOLIO_FOREIGN * PAGE;
	m.data.length = 3 * PAGE;
	EXPECT_EQ(-EACCES, mint_args(fd, &m));
	m.data.length = PAGE;
	m.control.offset -= PAGE;
	EXPECT_EQ(-EACCES, mint_args(fd, &m));

	ASSERT_EQ(1, join(fd, 1));
	for (at = 0; at < layout.data_size; at += PAGE) {
		bool in = at / PAGE == FOLIO_FOREIGN || at / PAGE == FOLIO_SHARED;

		EXPECT_EQ(in ? 0 : EACCES,
			  map_error(fd, at, PAGE, PROT_READ, MAP_SHARED));
		EXPECT_EQ(in ? 0 : EACCES,
			  map_error(fd, at, PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED));
		elem = elem64(-1, BELL_OF(1), at, 1);
		EXPECT_EQ(in ? 0 : -EACCES, wait_ms(fd, &elem, 1, 0));
		elem = elem64(-1, BELL_OF(1), at + PAGE - 8, 1);
		EXPECT_EQ(in ? 0 : -EACCES, wait_ms(fd, &elem, 1, 0));
	}
	EXPECT_EQ(0, map_error(fd, FOLIO_FOREIGN * PAGE, 2 * PAGE,
			       PROT_READ | PROT_WRITE, MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(fd, FOLIO_FOREIGN * PAGE, 3 * PAGE,
				    PROT_READ, MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(fd, 0, 2 * PAGE, PROT_READ, MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(fd, 0, layout.data_size, PROT_READ,
				    MAP_SHARED));
	EXPECT_EQ(-EACCES, export_dmabuf(fd, 0, PAGE, 0));
	EXPECT_EQ(-EACCES, export_dmabuf(fd, FOLIO_SHARED * PAGE, 2 * PAGE, 0));

	/* The header page and the status area, with any range. */
	EXPECT_EQ(0, map_error(fd, self->control, PAGE, PROT_READ, MAP_SHARED));
	EXPECT_EQ(0, map_error(fd, shared, PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(fd, self->control, 2 * PAGE, PROT_READ,
				    MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(fd, shared, 2 * PAGE, PROT_READ,
				    MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(fd, shared - PAGE, 2 * PAGE, PROT_READ,
				    MAP_SHARED));
	ASSERT_EQ(0, map_status(fd, &status));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&status, 1));
	elem = elem64(-1, BELL_OF(1), status.slots_offset + 8, 0);
	EXPECT_EQ(0, wait_ms(fd, &elem, 1, 0));

	/* Extents are told as far as it reaches. */
	ASSERT_EQ(0, call(fd, SHMCHAN_IOC_EXTENTS, &x));
	ASSERT_EQ(1, x.nr_extents);
	EXPECT_EQ(FOLIO_FOREIGN * PAGE, extent.offset);
	EXPECT_GE(2 * PAGE, extent.length);
	x.start = (FOLIO_FOREIGN + 2) * PAGE;
	ASSERT_EQ(0, call(fd, SHMCHAN_IOC_EXTENTS, &x));
	EXPECT_EQ(0, x.nr_extents);
}

/* A range that begins behind the header page makes one mapping with it. */
TEST_F(mint, header_and_range)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_RANGE,
		.rights = READ,
		.control = { self->control + PAGE, PAGE },
	};
	int fd = mint_args(self->fd, &m);

	ASSERT_LE(0, fd);
	ASSERT_LT(0, join(fd, 1));
	EXPECT_EQ(0, map_error(fd, self->control, 2 * PAGE, PROT_READ,
			       MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(fd, self->control, 3 * PAGE, PROT_READ,
				    MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED));
}

TEST_F(mint, depth)
{
	int fd = self->fd, next, depth;

	for (depth = 0; depth < SHMCHAN_MAX_DEPTH; depth++) {
		next = mint(fd, ALL);
		ASSERT_LE(0, next);
		if (fd != self->fd)
			close(fd);
		fd = next;
	}
	EXPECT_EQ(-EMLINK, mint(fd, ALL));
	EXPECT_EQ(-EMLINK, publish(fd, "too-deep", 0600, READ));
	EXPECT_LT(0, join(fd, 1));
}

/* In the peer: joins with a capability that it was passed. */
static long join_passed(long fd, long slot)
{
	return join(fd, slot);
}

static long mint_with_passed(long fd, long rights)
{
	return mint(fd, rights);
}

static long map_passed(long fd, long prot)
{
	return map_error(fd, FOLIO_SHARED * PAGE, PAGE, prot, MAP_SHARED);
}

/* What is passed to another user in other namespaces lets it in, once. */
TEST_F(mint, passed)
{
	long theirs;
	int fd;

	fd = mint(self->fd, READ);
	ASSERT_LE(0, fd);
	if (peer_call(&self->peer, peer_unshare, CLONE_NEWIPC, 0))
		SKIP(return, "no IPC namespaces, or not root");
	ASSERT_EQ(0, peer_call(&self->peer, peer_become, 1234, 1234));
	theirs = peer_give(&self->peer, fd);
	ASSERT_LE(0, theirs);
	/* One member comes of it, not two. */
	EXPECT_EQ(-EACCES, peer_call(&self->peer, mint_with_passed, theirs, READ));
	EXPECT_EQ(1, peer_call(&self->peer, join_passed, theirs, 1));
	EXPECT_EQ(-EISCONN, join(fd, 2));
	EXPECT_EQ(EPERM, map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED));
	EXPECT_EQ(0, peer_call(&self->peer, map_passed, theirs, PROT_READ));
	EXPECT_EQ(EACCES, peer_call(&self->peer, map_passed, theirs,
				    PROT_READ | PROT_WRITE));
	EXPECT_EQ(-EPERM, leave(fd));
}

TEST_HARNESS_MAIN
