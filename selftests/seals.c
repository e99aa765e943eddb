// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is sealed stays so: no new members, no further names.
 */

#include "../kselftest_harness.h"

#include <pthread.h>

#include "test_peer.h"

#define ALL	SHMCHAN_RIGHT_ALL

static struct layout layout;

FIXTURE(seals) {
	int fd;			/* slot 0 */
	struct status status;
};

FIXTURE_SETUP(seals)
{
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = own_name();
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
}

FIXTURE_TEARDOWN(seals)
{
}

static unsigned int seals_of(int fd)
{
	struct shmchan_query q;

	return query(fd, &q) ? ~0U : q.seals;
}

TEST_F(seals, members)
{
	int before, member, minted;
	uint64_t seq;

	before = open_region(layout.name, ALL);
	ASSERT_LE(0, before);
	member = open_joined(layout.name, 1);
	ASSERT_LE(0, member);
	EXPECT_EQ(0, seals_of(self->fd));
	ASSERT_EQ(0, seal(self->fd, SHMCHAN_SEAL_MEMBERS));
	EXPECT_EQ(SHMCHAN_SEAL_MEMBERS, seals_of(self->fd));

	seq = self->status.head->members_seq;
	EXPECT_EQ(-ECONNREFUSED, join(before, 2));
	EXPECT_EQ(-ECONNREFUSED, open_joined(layout.name, SHMCHAN_SLOT_ANY));
	minted = mint(self->fd, ALL);
	ASSERT_LE(0, minted);
	EXPECT_EQ(-ECONNREFUSED, join(minted, 2));
	EXPECT_EQ(seq, self->status.head->members_seq);
	EXPECT_EQ(0, self->status.slots[2]);
	/* Who is in stays, and can go; nobody comes back. */
	EXPECT_EQ(0, ring(member, BELL_SHARED, 0));
	EXPECT_EQ(0, leave(member));
	EXPECT_EQ(-ECONNREFUSED, join(before, 1));
	/* Nothing else is sealed. */
	EXPECT_EQ(0, publish(self->fd, "sealed-2", 0600,
			     SHMCHAN_RIGHT_MAP_READ));
	EXPECT_EQ(0, set_mode(before, 0644));
}

TEST_F(seals, publishing)
{
	ASSERT_EQ(0, publish(self->fd, "sealed-1", 0600,
			     SHMCHAN_RIGHT_MAP_READ));
	ASSERT_EQ(0, seal(self->fd, SHMCHAN_SEAL_PUBLISH));
	EXPECT_EQ(-ECONNREFUSED, publish(self->fd, "sealed-2", 0600,
					 SHMCHAN_RIGHT_MAP_READ));
	/* The ones there are stay, until they are withdrawn. */
	EXPECT_LE(0, open_region("sealed-1", SHMCHAN_RIGHT_MAP_READ));
	EXPECT_LE(0, open_joined(layout.name, 1));
	EXPECT_EQ(0, withdraw(self->fd, "sealed-1"));
	EXPECT_EQ(-ENOENT, open_region("sealed-1", SHMCHAN_RIGHT_MAP_READ));
}

TEST_F(seals, only_more)
{
	ASSERT_EQ(0, seal(self->fd, SHMCHAN_SEAL_PUBLISH));
	ASSERT_EQ(0, seal(self->fd, SHMCHAN_SEAL_PUBLISH));
	EXPECT_EQ(SHMCHAN_SEAL_PUBLISH, seals_of(self->fd));
	ASSERT_EQ(0, seal(self->fd, SHMCHAN_SEAL_MEMBERS));
	EXPECT_EQ(SHMCHAN_SEAL_PUBLISH | SHMCHAN_SEAL_MEMBERS,
		  seals_of(self->fd));
}

static void *join_on_and_on(void *arg)
{
	int fd;

	(void)arg;
	for (;;) {
		fd = open_joined(layout.name, SHMCHAN_SLOT_ANY);
		if (fd == -ECONNREFUSED)
			return NULL;
		if (fd >= 0)
			close(fd);
	}
}

/* Against JOIN: when SEAL has returned, nobody comes in. */
TEST_F_TIMEOUT(seals, while_they_join, 120)
{
	pthread_t threads[3];
	uint64_t words[4];
	unsigned int i, slot;

	for (i = 0; i < COUNT(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, join_on_and_on,
					    NULL));
	ASSERT_TRUE(eventually(self->status.head->members_seq > 200));
	ASSERT_EQ(0, seal(self->fd, SHMCHAN_SEAL_MEMBERS));
	for (i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	for (slot = 1; slot < 4; slot++) {
		words[slot] = self->status.slots[slot];
		EXPECT_NE(SHMCHAN_SLOT_LIVE, slot_state(&self->status, slot));
	}
	EXPECT_EQ(-ECONNREFUSED, open_joined(layout.name, SHMCHAN_SLOT_ANY));
	for (slot = 1; slot < 4; slot++)
		EXPECT_EQ(words[slot], self->status.slots[slot]);
}

TEST_HARNESS_MAIN
