// SPDX-License-Identifier: GPL-2.0-only
/*
 * A member that ends while one of its threads is in a page fault keeps no
 * mapping.  The module sleeps in the fault, after it has looked whether the
 * member lives, if it was built with SHMCHAN_TEST_HOOKS=1.
 */

#include "../kselftest_harness.h"

#include <pthread.h>

#include "test_peer.h"

#define RW		(PROT_READ | PROT_WRITE)
#define DELAY		PARAMETERS "fault_delay_ms"
#define DELAY_MS	300

struct toucher {
	volatile char *p;
	bool write;
	int result;
	pthread_t thread;
};

FIXTURE(race) {
	struct layout layout;
	size_t folio;
	int fd;
	int other;
	struct toucher toucher;
};

FIXTURE_VARIANT(race) {
	unsigned int flags;
	bool write;
};

FIXTURE_VARIANT_ADD(race, huge_write) {
	.flags = 0,
	.write = true,
};

FIXTURE_VARIANT_ADD(race, huge_read) {
	.flags = 0,
	.write = false,
};

FIXTURE_VARIANT_ADD(race, small_write) {
	.flags = SHMCHAN_CREATE_SMALL,
	.write = true,
};

static void set_delay(int ms)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", ms);
	write_text(DELAY, text);
}

/* A member with a window, and somebody else who keeps the name. */
#define begin() do {							\
	self->fd = create_joined(&self->layout, 0);			\
	ASSERT_LE(0, self->fd);						\
	self->other = open_joined(self->layout.name, 3);		\
	ASSERT_LE(0, self->other);					\
	self->toucher.p = map(self->fd, FOLIO_OWN * self->folio,	\
			      self->folio, RW);				\
	ASSERT_NE(MAP_FAILED, self->toucher.p);				\
	set_delay(DELAY_MS);						\
} while (0)

#define end() do {							\
	munmap((void *)self->toucher.p, self->folio);			\
	close(self->other);						\
	close(self->fd);						\
} while (0)

FIXTURE_SETUP(race)
{
	if (access(DELAY, W_OK))
		SKIP(return, "the module has no test hooks");
	self->layout = layout_default(variant->flags, true);
	self->layout.name = own_name();
	self->folio = folio_size(&self->layout);
	self->toucher.write = variant->write;
	begin();
}

FIXTURE_TEARDOWN(race)
{
	set_delay(0);
}

static void *touch(void *arg)
{
	struct toucher *t = arg;

	t->result = probe((char *)t->p, t->write);
	return NULL;
}

/* Lets a thread touch the window, and waits until it is in the fault. */
#define start_fault() do {						\
	ASSERT_EQ(0, pthread_create(&self->toucher.thread, NULL, touch,	\
				    &self->toucher));			\
	usleep(DELAY_MS * 1000 / 3);					\
} while (0)

TEST_F(race, fault_then_leave)
{
	uint64_t start, took = 0;
	int result, tries;

	/* On a busy machine either of them may be too late. */
	for (tries = 0; tries < 10 && took < DELAY_MS * MSEC / 4; tries++) {
		if (tries) {
			end();
			begin();
		}
		start_fault();
		start = now_ns();
		ASSERT_EQ(0, leave(self->fd));
		took = now_ns() - start;
		pthread_join(self->toucher.thread, NULL);
		/* It came before the end, so it may have been served. */
		result = self->toucher.result;
		EXPECT_TRUE(result == 0 || result == SIGBUS);
		/* But nothing of it is left. */
		set_delay(0);
		EXPECT_EQ(SIGBUS, probe_read(self->toucher.p));
		EXPECT_EQ(SIGBUS, probe_write(self->toucher.p));
		EXPECT_EQ(SIGBUS, probe_read(self->toucher.p + self->folio - 1));
	}
	/* The end waited for the fault: there was a race. */
	EXPECT_LT(DELAY_MS * MSEC / 4, took);
}

/* The slot's next holder has its window for itself. */
TEST_F(race, fault_then_next_holder)
{
	char *p;
	int fd;

	start_fault();
	ASSERT_EQ(0, leave(self->fd));
	set_delay(0);
	fd = open_joined(self->layout.name, 0);
	ASSERT_LE(0, fd);
	p = map(fd, FOLIO_OWN * self->folio, self->folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	pthread_join(self->toucher.thread, NULL);
	*p = 0x40;
	EXPECT_EQ(SIGBUS, probe_write(self->toucher.p));
	EXPECT_EQ(0x40, *p);
}

TEST_F(race, leave_then_fault)
{
	ASSERT_EQ(0, leave(self->fd));
	EXPECT_EQ(SIGBUS, probe((char *)self->toucher.p, variant->write));
}

TEST_HARNESS_MAIN
