// SPDX-License-Identifier: GPL-2.0-only
/*
 * On a shared doorbell no member can take the places of others, and no thread
 * of a member undoes what another has armed.
 */

#include <pthread.h>

#include "../kselftest_harness.h"
#include "test_peer.h"

#define THREADS		16
#define ELEMS		SHMCHAN_MAX_ELEMS

static struct layout layout;
static int member = -1;
static int copies[ELEMS];

/* Conditions that never come true, by as many numbers of one file. */
static void *take_places(void *arg)
{
	struct shmchan_wait_elem elems[ELEMS];
	unsigned int bell = (long)arg % 2 ? BELL_SHARED :
					    SHMCHAN_DOORBELL_MEMBERS;
	int i;

	for (i = 0; i < ELEMS; i++) {
		elems[i] = elem64(copies[i], bell, control_at(&layout, 0), 0);
		elems[i].mask = 0;
	}
	wait_ms(member, elems, ELEMS, 60000);
	return NULL;
}

/* In the peer: waits for as much as it can; returns what it is denied with. */
static long be_greedy(long a, long b)
{
	struct shmchan_wait_elem elem;
	pthread_t thread;
	long i;

	member = open_joined((const char *)a, SHMCHAN_SLOT_ANY);
	if (member < 0)
		return member;
	for (i = 0; i < ELEMS; i++)
		copies[i] = dup(member);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, take_places, (void *)i))
			return -EAGAIN;
	sleep(1);
	elem = elem64(-1, SHMCHAN_DOORBELL_MEMBERS, control_at(&layout, 0), 0);
	return wait_ms(member, &elem, 1, 10);
}

FIXTURE(fair) {
	struct peer peer;
	int fd;
};

FIXTURE_SETUP(fair)
{
	layout = layout_default(SHMCHAN_CREATE_SMALL, true);
	layout.name = own_name();
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, peer_start(&self->peer));
}

FIXTURE_TEARDOWN(fair)
{
	peer_kill(&self->peer);
	close(self->fd);
}

TEST_F(fair, nobody_takes_all_places)
{
	static const unsigned int bells[] = {
		SHMCHAN_DOORBELL_MEMBERS, BELL_SHARED
	};
	struct shmchan_wait_elem elem;
	unsigned int i;

	/* The greedy one is told that it is; others do not notice. */
	ASSERT_EQ(-EUSERS, peer_call(&self->peer, be_greedy,
				     (long)layout.name, 0));
	for (i = 0; i < COUNT(bells); i++) {
		elem = elem64(-1, bells[i], control_at(&layout, 0), 0);
		EXPECT_EQ(-ETIMEDOUT, wait_ms(self->fd, &elem, 1, 20));
		EXPECT_EQ(0, subscribe(self->fd, bells[i], 0));
	}
}

TEST_F(fair, arm_that_finds_a_change_leaves_others_armed)
{
	struct shmchan_wait_elem elem;
	struct status status = {};
	uint64_t *word;

	ASSERT_EQ(0, map_status(self->fd, &status));
	word = map(self->fd, control_at(&layout, 0), PAGE,
		   PROT_READ | PROT_WRITE);
	ASSERT_NE(MAP_FAILED, word);
	ASSERT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));

	elem = elem64(-1, BELL_SHARED, control_at(&layout, 0), 0);
	ASSERT_EQ(0, arm(self->fd, BELL_SHARED, &elem, 1, 0));
	EXPECT_EQ(1, status.bells[BELL_SHARED].waiters);
	*word = 1;
	EXPECT_EQ(-EAGAIN, arm(self->fd, BELL_SHARED, &elem, 1, 0));
	/* Producers still see that somebody wants to be rung. */
	EXPECT_EQ(1, status.bells[BELL_SHARED].waiters);
	EXPECT_EQ(0, ring(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(0, status.bells[BELL_SHARED].waiters);
}

TEST_HARNESS_MAIN
