// SPDX-License-Identifier: GPL-2.0-only

/* A forked child has no part in its parent's regions. */

#include "region_fixture.h"

TEST(handle_is_dead_in_a_child)
{
	const char *name = test_name("fork");
	struct shmchan_region *r = fix_create(name);
	struct shmchan_wait_elem e = fix_elem(FIX_BELL(0), 0, 0);
	struct shmchan_member_info info;
	struct shmchan_query q = { .size = 0 };
	pid_t pid = child_fork();

	if (!pid) {
		struct shmchan_region *mine;

		CHECK_EQ(shmchan_bell_wait(r, &e, 1, 0, NULL), -EOWNERDEAD);
		CHECK_SAYS(shmchan_error_detail(), "opened before fork");
		CHECK_EQ(shmchan_bell_ring(r, 1, 0), -EOWNERDEAD);
		CHECK_EQ(shmchan_bell_ring_wait(r, 1, 0, &e, 1, 0, NULL),
			 -EOWNERDEAD);
		CHECK_EQ(shmchan_bell_subscribe(r, 1), -EOWNERDEAD);
		CHECK_EQ(shmchan_bell_arm(r, 1, &e, 1), -EOWNERDEAD);
		CHECK_EQ(shmchan_region_member(r, 0, &info), -EOWNERDEAD);
		CHECK_EQ(shmchan_region_query(r, &q), -EOWNERDEAD);
		CHECK_EQ(shmchan_region_fd(r), -EOWNERDEAD);
		CHECK_EQ(shmchan_region_poll_members(r), -EOWNERDEAD);
		/* Its own is another matter. */
		mine = fix_open(name, 1);
		CHECK_EQ(shmchan_bell_ring(mine, 1, 0), 0);
		CHECK_EQ(shmchan_bell_ring(r, 1, 0), -EOWNERDEAD);
		shmchan_region_close(r);
		CHECK_EQ(shmchan_bell_ring(mine, 1, 0), 0);
		shmchan_region_close(mine);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	/* What the child did to its copy has not touched ours. */
	r->base[0] = 1;
	CHECK_EQ(shmchan_bell_ring(r, 1, 0), 0);
	CHECK_EQ(shmchan_slot_word(r, 0), 1ULL << 32 | SHMCHAN_SLOT_LIVE);
	shmchan_region_close(r);
}

TEST(memory_is_not_in_a_child)
{
	struct shmchan_region *r = fix_create(NULL);
	static const uint64_t offsets[] = {
		0, 8192, FIX_CONTROL_AT, FIX_PAGE(0), FIX_SHARED,
	};
	unsigned int i;

	for (i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		pid_t pid = child_fork();
		int status;

		if (!pid) {
			signal(SIGSEGV, SIG_DFL);
			(void)*(volatile uint8_t *)
				shmchan_region_at(r, offsets[i]);
			child_done();
		}
		status = child_wait(pid);
		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), SIGSEGV);
	}
	shmchan_region_close(r);
}

/* Of a child that libc knows nothing of, too. */
TEST(raw_clone)
{
	struct shmchan_region *r = fix_create(NULL);
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	CHECK_GE(pid, 0);
	if (!pid)
		_exit(-shmchan_bell_ring(r, 1, 0));
	CHECK_EQ(child_wait(pid), EOWNERDEAD << 8);
	CHECK_EQ(shmchan_bell_ring(r, 1, 0), 0);
	shmchan_region_close(r);
}

TEST(grandchildren_too)
{
	struct shmchan_region *r = fix_create(test_name("grand"));
	pid_t pid = child_fork(), pid2;

	if (!pid) {
		struct shmchan_region *mine = fix_open(test_name("grand"), 1);

		pid2 = child_fork();
		if (!pid2) {
			CHECK_EQ(shmchan_bell_ring(r, 1, 0), -EOWNERDEAD);
			CHECK_EQ(shmchan_bell_ring(mine, 1, 0), -EOWNERDEAD);
			child_done();
		}
		CHECK_CHILD_OK(pid2);
		CHECK_EQ(shmchan_bell_ring(mine, 1, 0), 0);
		shmchan_region_close(mine);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	shmchan_region_close(r);
}

/*
 * An OFD lock lives as long as a copy of its file.  A child that outlives the
 * member must not make it look alive.
 */
TEST(death_is_noticed_though_a_child_lives)
{
	const char *name = test_name("hazard");
	struct shmchan_region *r = fix_create(name);
	uint32_t *ready = (uint32_t *)shared_alloc(4096);
	pid_t pid = fork();
	uint64_t word;

	if (!pid) {
		fix_open(name, 1);
		/* Not child_fork(): it shall live on. */
		if (!fork()) {
			shmchan_store_seq_cst(ready, 1);
			for (;;)
				pause();
		}
		for (;;)
			pause();
	}
	while (!shmchan_load_seq_cst(ready))
		sleep_ms(1);
	word = shmchan_slot_word(r, 1);
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(word), SHMCHAN_SLOT_LIVE);
	child_kill(pid);
	word = fix_await_slot(r, 1, word);
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(word), SHMCHAN_SLOT_DIED);
	/* And the slot is free. */
	shmchan_region_close(fix_open(name, 1));
	shmchan_region_close(r);
}

/* The child's copies of closed and of many handles. */
TEST(fork_after_close_and_reopen)
{
	const char *name = test_name("reopen");
	struct shmchan_region *a = fix_create(name), *b, *c;
	pid_t pid;

	b = fix_open(name, 1);
	c = fix_open(name, 2);
	shmchan_region_close(b);
	pid = child_fork();
	if (!pid) {
		shmchan_region_close(a);
		shmchan_region_close(c);
		for (;;)
			pause();
	}
	/* If the child kept anything then this would find slot 2 held. */
	shmchan_region_close(c);
	c = fix_open(name, 2);
	shmchan_region_close(c);
	shmchan_region_close(a);
	CHECK_EQ(shmchan_region_open(&a, name, NULL), -ENOENT);
	child_kill(pid);
}

TEST_MAIN
