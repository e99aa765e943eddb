// SPDX-License-Identifier: GPL-2.0-only
/*
 * As many slots and windows as there can be: each holder writes its own, and
 * none of the others'; and each can be taken from its holder alone.
 */

#include "../kselftest_harness.h"

#include <sys/resource.h>

#include "shmchan_test.h"

#define MOST		SHMCHAN_MAX_WINDOWS
#define RW		(PROT_READ | PROT_WRITE)

static unsigned int nr;		/* of slots, and of windows */

FIXTURE(thousands) {
	struct status status;
	uint64_t start;		/* of window 0 */
	int fds[MOST];
	int admin;
	const uint32_t *all;
};

FIXTURE_SETUP(thousands)
{
	struct rlimit files = { MOST + 64, MOST + 64 };
	struct shmchan_window *windows = calloc(MOST, sizeof(*windows));
	struct layout l = { .name = own_name(), .mode = 0600 };
	struct shmchan_create c;
	unsigned int i;

	/* A kernel with checkers needs milliseconds for each. */
	nr = getenv("SHMCHAN_SLOW") ? MOST / 8 : MOST;
	l.control_size = (1 + nr) * PAGE;
	l.nr_slots = nr;
	c = create_args(&l);

	if (setrlimit(RLIMIT_NOFILE, &files))
		SKIP(return, "no more than a thousand files");
	ASSERT_NE(NULL, windows);
	self->start = SHMCHAN_CONTROL_OFFSET(0) + PAGE;
	for (i = 0; i < nr; i++)
		windows[i] = (struct shmchan_window) {
			.offset = self->start + i * PAGE,
			.length = PAGE,
			.slot = i,
		};
	c.windows = ptr(windows);
	c.nr_windows = nr;
	ASSERT_EQ(0, call(open_device(), SHMCHAN_IOC_CREATE, &c));
	free(windows);
	self->admin = c.fd;
	for (i = 0; i < nr; i++) {
		self->fds[i] = open_joined(l.name, i);
		ASSERT_LE(0, self->fds[i])
			TH_LOG("slot %u: %s", i, strerror(-self->fds[i]));
	}
	ASSERT_EQ(0, map_status(self->fds[0], &self->status));
	self->all = map(self->fds[0], self->start, nr * PAGE, PROT_READ);
	ASSERT_NE(MAP_FAILED, self->all);
}

FIXTURE_TEARDOWN(thousands)
{
}

static uint32_t *own_window(int fd, uint64_t start, unsigned int i)
{
	return map(fd, start + i * PAGE, PAGE, RW);
}

TEST_F_TIMEOUT(thousands, each_its_own, 180)
{
	unsigned int i, wrong = 0;
	uint32_t *p;

	for (i = 0; i < nr; i++) {
		p = own_window(self->fds[i], self->start, i);
		ASSERT_NE(MAP_FAILED, p);
		p[5] = i + 1;
		munmap(p, PAGE);
		/* Its neighbours', and both together, and all. */
		if (i)
			wrong += map_error(self->fds[i], self->start +
					   (i - 1) * PAGE, PAGE, RW,
					   MAP_SHARED) != EACCES;
		if (i + 1 < nr)
			wrong += map_error(self->fds[i], self->start + i * PAGE,
					   2 * PAGE, RW, MAP_SHARED) != EACCES;
		wrong += map_error(self->fds[i], self->start, nr * PAGE, RW,
				   MAP_SHARED) != EACCES;
	}
	EXPECT_EQ(0, wrong);
	for (i = 0; i < nr; i++)
		wrong += self->all[i * PAGE / 4 + 5] != i + 1;
	EXPECT_EQ(0, wrong);
}

TEST_F_TIMEOUT(thousands, each_taken_alone, 180)
{
	const unsigned int taken[] = { 1, 2, 100, nr - 1 };
	uint32_t *windows[COUNT(taken)], *beside;
	unsigned int i, live = 0;

	beside = own_window(self->fds[3], self->start, 3);
	ASSERT_NE(MAP_FAILED, beside);
	for (i = 0; i < COUNT(taken); i++) {
		windows[i] = own_window(self->fds[taken[i]], self->start,
					taken[i]);
		ASSERT_NE(MAP_FAILED, windows[i]);
		windows[i][0] = 7;
		ASSERT_EQ(1, revoke_slot(self->admin, taken[i], 0));
		EXPECT_EQ(0, windows[i][0]);
		windows[i][0] = 8;
		EXPECT_EQ(7, self->all[taken[i] * PAGE / 4]);
	}
	for (i = 0; i < nr; i++)
		live += slot_state(&self->status, i) == SHMCHAN_SLOT_LIVE;
	EXPECT_EQ(nr - COUNT(taken), live);
	beside[0] = 9;
	EXPECT_EQ(9, self->all[3 * PAGE / 4]);
	EXPECT_EQ(-ESRCH, revoke_slot(self->admin, 100, 1));
}

/* All of a user at once: one walk over the memory, not one for each. */
TEST_F_TIMEOUT(thousands, all_at_once, 180)
{
	unsigned int i;

	/* The one that asks was made by the same user, and stays. */
	EXPECT_EQ(nr, revoke_uid(self->admin, geteuid()));
	EXPECT_TRUE(all_bytes(self->all, nr * PAGE, 0));
	EXPECT_EQ(-ESTALE, ring(self->fds[nr / 2], 0, 0));
	EXPECT_LE(0, join(mint(self->admin, SHMCHAN_RIGHT_ALL), 0));
	for (i = 0; i < nr; i++)
		close(self->fds[i]);
	EXPECT_EQ(1, revoke_slot(self->admin, 0, 0));
}

TEST_HARNESS_MAIN
