// SPDX-License-Identifier: GPL-2.0-only
/*
 * What I/O still pins of a region that is gone counts against its user until
 * it is let go: else pipes would hold any amount of memory beyond the limit.
 */

#include <sys/uio.h>

#include "../kselftest_harness.h"
#include "shmchan_test.h"

#define FOLIOS	4

FIXTURE(pinned) {
	struct layout layout;
	int pipe[2];
	int64_t before;
};

FIXTURE_SETUP(pinned)
{
	self->layout = layout_default(0, true);
	ASSERT_EQ(0, pipe(self->pipe));
	self->before = user_bytes();
	ASSERT_LE(0, self->before);
}

FIXTURE_TEARDOWN(pinned)
{
	close(self->pipe[0]);
	close(self->pipe[1]);
}

/* A region comes and goes; a byte of each of its first folios stays. */
static bool pin_some(struct layout *layout, int pipe_in)
{
	int i, fd = create_joined(layout, 0);
	bool ok = true;
	char *p;

	if (fd < 0)
		return false;
	p = map(fd, 0, layout->data_size, PROT_READ);
	for (i = 0; i < FOLIOS; i++) {
		struct iovec iov = { p + i * HUGE, 1 };

		ok = ok && vmsplice(pipe_in, &iov, 1, 0) == 1;
	}
	munmap(p, layout->data_size);
	close(fd);
	return ok;
}

TEST_F(pinned, counts_until_it_is_let_go)
{
	char bytes[FOLIOS];
	int64_t whole;
	int fd;

	fd = create_region(&self->layout);
	ASSERT_LE(0, fd);
	whole = user_bytes() - self->before;
	close(fd);
	EXPECT_TRUE(eventually(user_bytes() == self->before));

	ASSERT_TRUE(pin_some(&self->layout, self->pipe[1]));
	/* What is not pinned is given back at once, the rest is not. */
	EXPECT_TRUE(eventually(user_bytes() - self->before < whole));
	EXPECT_LE((int64_t)(FOLIOS * HUGE), user_bytes() - self->before);
	sleep(3);
	EXPECT_LE((int64_t)(FOLIOS * HUGE), user_bytes() - self->before);

	ASSERT_EQ(FOLIOS, read(self->pipe[0], bytes, FOLIOS));
	EXPECT_TRUE(eventually(user_bytes() == self->before));
}

TEST_HARNESS_MAIN
