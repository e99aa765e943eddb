// SPDX-License-Identifier: GPL-2.0-only
/*
 * A member moves its mappings about while they are taken from it.  mremap(2)
 * of old kernels takes what has just been unmapped for a page table, and the
 * page at address 0 becomes one: see shmchan_vma_open().
 *
 * The kernel says so when it comes upon it, in its log and by its taint.
 */

#include "../kselftest_harness.h"

#include <pthread.h>

#include "test_peer.h"

#define FOLIOS		32
#define ROUNDS		400
#define TAINT_BAD_PAGE	(1UL << 5)
#define TAINT_DIE	(1UL << 7)
#define TAINT_WARN	(1UL << 9)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

static unsigned long taint(void)
{
	char text[32];

	if (read_text("/proc/sys/kernel/tainted", text, sizeof(text)) < 0)
		return 0;
	return strtoul(text, NULL, 10) &
	       (TAINT_BAD_PAGE | TAINT_DIE | TAINT_WARN);
}

FIXTURE(race) {
	struct layout layout;
	size_t size;
	char *room;	/* addresses for two mappings */
	int keeper;	/* a member that stays */
};

FIXTURE_VARIANT(race) {
	size_t shift;	/* of where it moves to */
};

/* Whole page tables are moved, or the entries of one. */
FIXTURE_VARIANT_ADD(race, aligned) {
	.shift = 0,
};

FIXTURE_VARIANT_ADD(race, unaligned) {
	.shift = PAGE,
};

FIXTURE_SETUP(race)
{
	char *p;

	self->layout = layout_default(0, true);
	self->layout.name = own_name();
	self->layout.data_size = FOLIOS * HUGE;
	/* Behind the data now, all that concerns the control area. */
	self->layout.nr_windows = 0;
	self->size = self->layout.data_size;
	self->keeper = create_joined(&self->layout, 0);
	ASSERT_LE(0, self->keeper);
	p = mmap(NULL, 3 * self->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0);
	ASSERT_NE(MAP_FAILED, p);
	ASSERT_EQ(0, munmap(p, 3 * self->size));
	self->room = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
}

FIXTURE_TEARDOWN(race)
{
}

struct mover {
	char *from, *to;
	size_t size;
	volatile bool stop;
	volatile unsigned long moves;
};

static void *move_about(void *arg)
{
	struct mover *m = arg;
	char *p;

	while (!m->stop) {
		/* Fails once they are taken: it does not raise SIGBUS. */
		madvise(m->from, m->size, MADV_POPULATE_READ);
		p = mremap(m->from, m->size, m->size,
			   MREMAP_MAYMOVE | MREMAP_FIXED, m->to);
		if (p != m->to)
			break;
		m->to = m->from;
		m->from = p;
		m->moves++;
	}
	return NULL;
}

TEST_F_TIMEOUT(race, leave_while_it_moves, 240)
{
	unsigned long before = taint(), moves = 0;
	unsigned int i, spin, seed = 1;
	struct mover m = { .size = self->size };
	pthread_t thread;
	char *p;
	int fd;

	for (i = 0; i < ROUNDS; i++) {
		fd = open_joined(self->layout.name, SHMCHAN_SLOT_ANY);
		ASSERT_LE(0, fd);
		p = mmap(self->room, self->size, PROT_READ,
			 MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
		ASSERT_EQ(self->room, p);
		m.from = p;
		m.to = self->room + self->size + variant->shift;
		m.stop = false;
		m.moves = 0;
		ASSERT_EQ(0, pthread_create(&thread, NULL, move_about, &m));
		while (!m.moves)
			sched_yield();
		for (spin = rand_r(&seed) % 20000; spin; spin--)
			asm volatile("" ::: "memory");
		EXPECT_EQ(0, leave(fd));
		m.stop = true;
		pthread_join(thread, NULL);
		moves += m.moves;
		ASSERT_EQ(0, munmap(m.from, self->size));
		close(fd);
		ASSERT_EQ(before, taint())
			TH_LOG("round %u", i);
	}
	TH_LOG("%lu moves", moves);
}

TEST_HARNESS_MAIN
