// SPDX-License-Identifier: GPL-2.0-only
/*
 * An OPEN that is under way while what it comes of is revoked ends with nothing,
 * and leaves nothing.  The module sleeps in it, once before there is a capability
 * and once before that is let in, if it was built with SHMCHAN_TEST_HOOKS=1.
 */

#include "../kselftest_harness.h"

#include <sys/stat.h>

#include "test_peer.h"

#define ALL		SHMCHAN_RIGHT_ALL
#define DELAY		PARAMETERS "open_delay_ms"
#define DELAY_MS	600
#define NOBODYS_UID	4242

static const char name[] = "below";

FIXTURE(open) {
	struct peer peer;
	int fd;			/* slot 0, of the creator */
	int publisher;		/* slot 1 */
};

static void set_delay(int ms)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", ms);
	write_text(DELAY, text);
}

FIXTURE_SETUP(open)
{
	struct layout l = layout_default(SHMCHAN_CREATE_SMALL, false);

	if (access(DELAY, W_OK))
		SKIP(return, "this module has no test hooks, or not for us");
	umask(0);
	l.name = own_name();
	l.nr_slots = 4;
	self->fd = create_joined(&l, 0);
	ASSERT_LE(0, self->fd);
	self->publisher = mint(self->fd, ALL);
	ASSERT_LT(0, join(self->publisher, 1));
	ASSERT_EQ(0, publish(self->publisher, name, 0666, ALL));
	ASSERT_EQ(0, peer_start(&self->peer));
}

FIXTURE_TEARDOWN(open)
{
	set_delay(0);
	if (self->peer.pid)
		peer_kill(&self->peer);
}

/* In the peer. */
static long open_below(long a, long b)
{
	(void)a;
	(void)b;
	return open_region(name, ALL);
}

static void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

/* Refused; or it was quicker than we are, on a busy machine, and was revoked later. */
static bool is_over(long answer)
{
	return answer == -ENOENT || answer >= 0;
}

/* A capability that is revoked before it is let in is found once. */
TEST_F(open, let_in_late)
{
	set_delay(DELAY_MS);
	peer_send(&self->peer, open_below, 0, 0);
	sleep_ms(DELAY_MS * 3 / 2);
	EXPECT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_TRUE(is_over(peer_answer(&self->peer, 10000)));
	set_delay(0);
	EXPECT_EQ(0, revoke_uid(self->fd, NOBODYS_UID));
}

/*
 * Made after that, it comes of what is revoked already.  A later REVOKE, of
 * something else, has nothing to do with it: it once took a reference for good.
 */
TEST_F(open, made_late)
{
	set_delay(DELAY_MS);
	peer_send(&self->peer, open_below, 0, 0);
	sleep_ms(DELAY_MS / 2);
	EXPECT_EQ(1, revoke_slot(self->fd, 1, 0));
	sleep_ms(DELAY_MS);
	EXPECT_EQ(0, revoke_uid(self->fd, NOBODYS_UID));
	EXPECT_TRUE(is_over(peer_answer(&self->peer, 10000)));
	set_delay(0);
	EXPECT_EQ(0, revoke_uid(self->fd, NOBODYS_UID));
}

TEST_HARNESS_MAIN
