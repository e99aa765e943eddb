// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bounds that QUERY_DEVICE tells are those that hold, and who reaches one
 * harms nobody else.
 */

#include "../kselftest_harness.h"

#include <sys/resource.h>

#include "test_peer.h"

#define RW	(PROT_READ | PROT_WRITE)

static struct layout layout;

#define WORD	control_at(&layout, FOLIO_SHARED)

FIXTURE(bounds) {
	struct shmchan_query_device limits;
};

FIXTURE_SETUP(bounds)
{
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = own_name();
	ASSERT_EQ(0, query_device(&self->limits));
}

FIXTURE_TEARDOWN(bounds)
{
}

TEST_F(bounds, told)
{
	EXPECT_EQ(SHMCHAN_ABI_MAJOR, self->limits.abi_major);
	EXPECT_EQ(SHMCHAN_MAX_SLOTS, self->limits.max_slots);
	EXPECT_EQ(SHMCHAN_MAX_DOORBELLS, self->limits.max_doorbells);
	EXPECT_EQ(SHMCHAN_MAX_WINDOWS, self->limits.max_windows);
	EXPECT_EQ(SHMCHAN_MAX_ELEMS, self->limits.max_elems);
	EXPECT_EQ(SHMCHAN_MAX_SUBS, self->limits.max_subs);
	EXPECT_EQ(SHMCHAN_MAX_WAITERS, self->limits.max_waiters);
	EXPECT_NE(0, self->limits.features & SHMCHAN_FEATURE_SMALL);
}

/* The largest region, in numbers. */
TEST_F(bounds, largest_region)
{
	struct shmchan_doorbell *bells, *bells_out;
	struct shmchan_window *windows, *windows_out;
	struct shmchan_create c = create_args(&layout);
	struct status status = {};
	struct shmchan_query q;
	unsigned int i;

	bells = calloc(SHMCHAN_MAX_DOORBELLS, sizeof(*bells));
	bells_out = calloc(SHMCHAN_MAX_DOORBELLS + 1, sizeof(*bells));
	windows = calloc(SHMCHAN_MAX_WINDOWS, sizeof(*windows));
	windows_out = calloc(SHMCHAN_MAX_WINDOWS + 1, sizeof(*windows));
	ASSERT_TRUE(bells && bells_out && windows && windows_out);
	for (i = 0; i < SHMCHAN_MAX_DOORBELLS; i++)
		bells[i].owner = i;
	for (i = 0; i < SHMCHAN_MAX_WINDOWS; i++)
		windows[i] = (struct shmchan_window) {
			.offset = (1 + i) * PAGE,
			.length = PAGE,
			.slot = i,
		};
	c.nr_slots = SHMCHAN_MAX_SLOTS;
	c.control_size = (1 + SHMCHAN_MAX_WINDOWS) * PAGE;
	c.doorbells = ptr(bells);
	c.nr_doorbells = SHMCHAN_MAX_DOORBELLS;
	c.windows = ptr(windows);
	c.nr_windows = SHMCHAN_MAX_WINDOWS;
	ASSERT_EQ(0, call(open_device(), SHMCHAN_IOC_CREATE, &c));
	ASSERT_LT(0, join(c.fd, SHMCHAN_MAX_SLOTS - 2));
	ASSERT_EQ(0, map_status(c.fd, &status));
	EXPECT_EQ(0, ring(c.fd, SHMCHAN_MAX_DOORBELLS, 0));
	EXPECT_EQ(1, status.bells[SHMCHAN_MAX_DOORBELLS].seq);
	EXPECT_EQ(-EINVAL, ring(c.fd, SHMCHAN_MAX_DOORBELLS + 1, 0));
	EXPECT_EQ(0, map_error(c.fd, (SHMCHAN_MAX_SLOTS - 1) * PAGE, PAGE, RW,
			       MAP_SHARED));
	EXPECT_EQ(EACCES, map_error(c.fd, SHMCHAN_MAX_SLOTS * PAGE, PAGE, RW,
				    MAP_SHARED));

	memset(&q, 0, sizeof(q));
	q.size = sizeof(q);
	q.windows = ptr(windows_out);
	q.nr_windows = SHMCHAN_MAX_WINDOWS + 1;
	q.doorbells = ptr(bells_out);
	q.room_doorbells = SHMCHAN_MAX_DOORBELLS + 1;
	ASSERT_EQ(0, call(c.fd, SHMCHAN_IOC_QUERY, &q));
	EXPECT_EQ(SHMCHAN_MAX_WINDOWS, q.nr_windows);
	EXPECT_EQ(SHMCHAN_MAX_DOORBELLS, q.nr_doorbells);
	EXPECT_EQ(SHMCHAN_MAX_SLOTS, q.nr_slots);
	EXPECT_EQ(0, memcmp(windows, windows_out,
			    SHMCHAN_MAX_WINDOWS * sizeof(*windows)));
	EXPECT_EQ(0, memcmp(bells, bells_out,
			    SHMCHAN_MAX_DOORBELLS * sizeof(*bells)));
	/* Nothing beyond. */
	EXPECT_TRUE(all_bytes(&windows_out[SHMCHAN_MAX_WINDOWS],
			      sizeof(*windows), 0));
	EXPECT_TRUE(all_bytes(&bells_out[SHMCHAN_MAX_DOORBELLS],
			      sizeof(*bells), 0));
}

TEST_F(bounds, subscriptions_of_a_member)
{
	struct shmchan_doorbell bells[SHMCHAN_MAX_SUBS + 2];
	struct shmchan_create c = create_args(&layout);
	struct shmchan_event *events;
	unsigned int i;
	ssize_t got;
	int fd;

	for (i = 0; i < COUNT(bells); i++)
		bells[i] = (struct shmchan_doorbell) { SHMCHAN_SLOT_SHARED, 0 };
	c.doorbells = ptr(bells);
	c.nr_doorbells = COUNT(bells);
	ASSERT_EQ(0, call(open_device(), SHMCHAN_IOC_CREATE, &c));
	ASSERT_LT(0, join(c.fd, 0));
	for (i = 1; i <= SHMCHAN_MAX_SUBS; i++)
		ASSERT_EQ(0, subscribe(c.fd, i, 0));
	EXPECT_EQ(-EUSERS, subscribe(c.fd, i, 0));
	EXPECT_EQ(-EEXIST, subscribe(c.fd, 1, 0));
	/* It is the member's bound: another has its own. */
	fd = open_joined(layout.name, 1);
	EXPECT_EQ(0, subscribe(fd, 1, 0));
	/* One less, one more. */
	EXPECT_EQ(0, subscribe(c.fd, 7, SHMCHAN_SUBSCRIBE_END));
	EXPECT_EQ(0, subscribe(c.fd, i, 0));
	EXPECT_EQ(-EUSERS, subscribe(c.fd, 7, 0));

	/* All of them, at once. */
	for (i = 1; i <= COUNT(bells); i++)
		ASSERT_EQ(0, ring(fd, i, 0));
	events = calloc(SHMCHAN_MAX_SUBS + 1, sizeof(*events));
	ASSERT_NE(NULL, events);
	got = read(c.fd, events, (SHMCHAN_MAX_SUBS + 1) * sizeof(*events));
	EXPECT_EQ(SHMCHAN_MAX_SUBS * sizeof(*events), got);
	for (i = 0; i < SHMCHAN_MAX_SUBS; i++)
		EXPECT_EQ(1, events[i].count);
}

/* In the peer: tasks of one address space that sleep on a doorbell. */

#define STACK	8192

static int sleeper_fd;
static unsigned int sleeper_bell;

static int sleeper(void *arg)
{
	struct shmchan_wait_elem e = elem64(-1, sleeper_bell, WORD, 0);

	(void)arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (wait_until(sleeper_fd, &e, 1, SHMCHAN_FOREVER) == -EINTR)
		;
	return 0;
}

static long many_sleepers(long nr, long bell)
{
	char *stacks = mmap(NULL, nr * STACK, RW,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			    0);
	long i;

	if (stacks == MAP_FAILED)
		return -errno;
	sleeper_bell = bell;
	for (i = 0; i < nr; i++)
		if (clone(sleeper, stacks + (i + 1) * STACK,
			  CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD,
			  NULL) < 0)
			return -errno;
	return 0;
}

static long join_as_sleeper(long slot, long b)
{
	(void)b;
	sleeper_fd = open_joined(layout.name, slot);
	return sleeper_fd;
}

/* One wait more by the member of the sleepers; it does not last. */
static long one_more(long bell, long b)
{
	struct shmchan_wait_elem e = elem64(-1, bell, WORD, 0);

	(void)b;
	return wait_ms(sleeper_fd, &e, 1, 1);
}

FIXTURE(crowd) {
	struct peer peer;	/* slot 1 */
	struct status status;
	volatile uint64_t *word;
	int fd;			/* slot 0 */
};

FIXTURE_SETUP(crowd)
{
	struct rlimit limit = { 4096, 4096 };

	setrlimit(RLIMIT_NPROC, &limit);
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = own_name();
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
	self->word = map(self->fd, WORD, PAGE, RW);
	ASSERT_NE(MAP_FAILED, (void *)self->word);
	ASSERT_LE(0, peer_call(&self->peer, join_as_sleeper, 1, 0));
}

FIXTURE_TEARDOWN(crowd)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

#define waiters(bell) (self->status.bells[bell].waiters)

TEST_F_TIMEOUT(crowd, on_an_owned_doorbell, 100)
{
	const unsigned int bell = BELL_OF(1);

	ASSERT_EQ(0, peer_call(&self->peer, many_sleepers, SHMCHAN_MAX_WAITERS,
			       bell));
	EXPECT_TRUE(eventually(waiters(bell) == SHMCHAN_MAX_WAITERS));
	EXPECT_EQ(-EUSERS, peer_call(&self->peer, one_more, bell, 0));
	EXPECT_EQ(SHMCHAN_MAX_WAITERS, waiters(bell));
	/* Other doorbells are not full. */
	EXPECT_EQ(-ETIMEDOUT, peer_call(&self->peer, one_more, BELL_SHARED, 0));
	EXPECT_EQ(0, ring(self->fd, bell, 0));

	*self->word = 1;
	/* What has changed needs no place. */
	EXPECT_EQ(0, peer_call(&self->peer, one_more, bell, 0));
	EXPECT_EQ(24, ring(self->fd, bell, 24));
	EXPECT_EQ(SHMCHAN_MAX_WAITERS - 24, waiters(bell));
	EXPECT_EQ(SHMCHAN_MAX_WAITERS - 24, ring(self->fd, bell, 0));
	EXPECT_EQ(0, waiters(bell));
	*self->word = 0;
	EXPECT_EQ(-ETIMEDOUT, peer_call(&self->peer, one_more, bell, 0));
}

/* Here the bound is the member's, so that nobody takes the place of others. */
TEST_F_TIMEOUT(crowd, on_a_shared_doorbell, 100)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_SHARED, WORD, 0);

	ASSERT_EQ(0, peer_call(&self->peer, many_sleepers, SHMCHAN_MAX_SHARED,
			       BELL_SHARED));
	EXPECT_TRUE(eventually(waiters(BELL_SHARED) == SHMCHAN_MAX_SHARED));
	EXPECT_EQ(-EUSERS, peer_call(&self->peer, one_more, BELL_SHARED, 0));
	EXPECT_EQ(-EUSERS, peer_call(&self->peer, one_more,
				     SHMCHAN_DOORBELL_MEMBERS, 0));
	EXPECT_EQ(-ETIMEDOUT, peer_call(&self->peer, one_more, BELL_OF(1), 0));
	/* Us it does not concern. */
	EXPECT_EQ(-ETIMEDOUT, wait_ms(self->fd, &e, 1, 1));
	EXPECT_EQ(0, subscribe(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(SHMCHAN_MAX_SHARED, waiters(BELL_SHARED));

	/* All die at once, and the count goes with them. */
	peer_kill(&self->peer);
	EXPECT_TRUE(eventually(waiters(BELL_SHARED) == 0));
	EXPECT_TRUE(eventually(slot_state(&self->status, 1) ==
			       SHMCHAN_SLOT_DIED));
}

TEST_HARNESS_MAIN
