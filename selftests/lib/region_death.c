// SPDX-License-Identifier: GPL-2.0-only

/* Whoever ends, in whatever way, gives its slot back. */

#include "region_fixture.h"

/* A helper that joins as slot 1, says so in word 0, and then does this. */
static pid_t member(const char *name, void (*then)(struct shmchan_region *r))
{
	pid_t pid = child_fork();

	if (!pid) {
		struct shmchan_region *r = fix_open(name, 1);

		shmchan_store_seq_cst(fix_word(r, 0), 1);
		then(r);
		for (;;)
			pause();
	}
	return pid;
}

static void stay(struct shmchan_region *r)
{
	(void)r;
}

static void leave(struct shmchan_region *r)
{
	fix_await(r, 0, 1);
	shmchan_region_close(r);
}

static void leave_by_exit(struct shmchan_region *r)
{
	fix_await(r, 0, 1);
	child_done();
}

static void leave_by_exec(struct shmchan_region *r)
{
	fix_await(r, 0, 1);
	execlp("sleep", "sleep", "1000", (char *)NULL);
	FAIL("exec: %s", strerror(errno));
}

TEST(kill_is_noticed_in_time)
{
	const char *name = test_name("kill");
	struct shmchan_region *r = fix_create(name);
	unsigned int i;

	for (i = 1; i <= 5; i++) {
		struct shmchan_member_info info;
		uint64_t word, start;
		pid_t pid;

		shmchan_store_seq_cst(fix_word(r, 0), 0);
		pid = member(name, stay);
		fix_await(r, 0, 0);
		word = shmchan_slot_word(r, 1);
		CHECK_EQ(word, (uint64_t)i << 32 | SHMCHAN_SLOT_LIVE);
		kill(pid, SIGKILL);
		start = now_ns();
		word = fix_await_slot(r, 1, word);
		CHECK_LE(now_ns() - start, FIX_NOTICE_NS);
		CHECK_EQ(word, (uint64_t)i << 32 | SHMCHAN_SLOT_DIED);
		child_wait(pid);
		CHECK_EQ(shmchan_region_member(r, 1, &info), 0);
		CHECK_EQ(info.current_holder.state, SHMCHAN_SLOT_DIED);
		CHECK_EQ(info.current_holder.pid, 0);
		if (i > 1)
			CHECK_EQ(info.previous_holder.state, SHMCHAN_SLOT_DIED);
	}
	shmchan_region_close(r);
}

TEST(leaving_is_noticed)
{
	const char *name = test_name("leave");
	struct shmchan_region *r = fix_create(name);
	pid_t pid = member(name, leave);
	uint64_t word, start;

	fix_await(r, 0, 0);
	word = shmchan_slot_word(r, 1);
	shmchan_store_seq_cst(fix_word(r, 0), 2);
	start = now_ns();
	word = fix_await_slot(r, 1, word);
	CHECK_EQ(word, 1ULL << 32 | SHMCHAN_SLOT_LEFT);
	CHECK_LE(now_ns() - start, FIX_NOTICE_NS);
	child_kill(pid);
	shmchan_region_close(r);
}

static void ends(void (*how)(struct shmchan_region *r))
{
	const char *name = test_name("ends");
	struct shmchan_region *r = fix_create(name);
	pid_t pid = member(name, how);
	uint64_t word;

	fix_await(r, 0, 0);
	word = shmchan_slot_word(r, 1);
	shmchan_store_seq_cst(fix_word(r, 0), 2);
	word = fix_await_slot(r, 1, word);
	CHECK_EQ(word, 1ULL << 32 | SHMCHAN_SLOT_DIED);
	shmchan_region_close(fix_open(name, 1));
	child_kill(pid);
	shmchan_region_close(r);
}

TEST(exit_is_noticed)
{
	ends(leave_by_exit);
}

TEST(exec_is_noticed)
{
	ends(leave_by_exec);
}

TEST(pollers_notice_too)
{
	const char *name = test_name("poll");
	struct shmchan_region *r = fix_create(name);
	pid_t pid = member(name, stay);
	uint64_t word, start, seq;
	const struct shmchan_status *s = (const struct shmchan_status *)
		shmchan_region_at(r, r->status_offset);
	int nr = 0;

	fix_await(r, 0, 0);
	seq = shmchan_load_seq_cst(&s->members_seq);
	word = shmchan_slot_word(r, 1);
	child_kill(pid);
	start = now_ns();
	while (shmchan_slot_word(r, 1) == word) {
		int n = shmchan_region_poll_members(r);

		CHECK_GE(n, 0);
		nr += n;
		CHECK_LE(now_ns() - start, FIX_NOTICE_NS);
	}
	CHECK_EQ(nr, !on_kmod());
	CHECK_EQ(shmchan_load_seq_cst(&s->members_seq), seq + 1);
	shmchan_region_close(r);
}

TEST(dead_slot_can_be_taken_at_once)
{
	const char *name = test_name("retake");
	struct shmchan_region *r = fix_create(name), *r2;
	pid_t pid = member(name, stay);

	fix_await(r, 0, 0);
	child_kill(pid);
	r2 = fix_open(name, 1);
	CHECK_EQ(r2->generation, 2);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

static void create_and_stay(const char *name, uint32_t *ready)
{
	fix_create(name);
	shmchan_store_seq_cst(ready, 1);
	for (;;)
		pause();
}

TEST(name_of_the_dead_is_free)
{
	const char *name = test_name("ghost");
	uint32_t *ready = (uint32_t *)shared_alloc(4096);
	struct shmchan_region *r;
	int i;

	for (i = 0; i < 2; i++) {
		pid_t pid = child_fork();

		if (!pid)
			create_and_stay(name, ready);
		while (!shmchan_load_seq_cst(ready))
			sleep_ms(1);
		shmchan_store_seq_cst(ready, 0);
		child_kill(pid);
		/* Once for create to meet it first, once for open. */
		if (i) {
			CHECK_EQ(shmchan_region_open(&r, name, NULL), -ENOENT);
			continue;
		}
		r = fix_create(name);
		CHECK_EQ(r->generation, 1);
		CHECK_EQ(r->base[0], 0);
		shmchan_region_close(r);
	}
}

/* Many die at once; one who looks sees all. */
TEST(all_others_die)
{
	const char *name = test_name("many");
	struct shmchan_region *r = fix_create(name);
	pid_t pids[FIX_SLOTS];
	uint32_t i;

	for (i = 1; i < FIX_SLOTS; i++) {
		shmchan_store_seq_cst(fix_word(r, 0), 0);
		pids[i] = child_fork();
		if (!pids[i]) {
			struct shmchan_region *mine = fix_open(name, i);

			shmchan_store_seq_cst(fix_word(mine, 0), 1);
			for (;;)
				pause();
		}
		fix_await(r, 0, 0);
	}
	for (i = 1; i < FIX_SLOTS; i++)
		child_kill(pids[i]);
	for (i = 1; i < FIX_SLOTS; i++)
		CHECK_EQ(fix_await_slot(r, i, 1ULL << 32 | SHMCHAN_SLOT_LIVE),
			 1ULL << 32 | SHMCHAN_SLOT_DIED);
	shmchan_region_close(r);
}

/* Another handle of the same process is a member like any other. */
TEST(two_handles_in_a_process)
{
	const char *name = test_name("two");
	struct shmchan_region *a = fix_create(name), *b = fix_open(name, 1);

	sleep_ms(60);
	CHECK_EQ(shmchan_region_poll_members(a), 0);
	sleep_ms(60);
	CHECK_EQ(shmchan_region_poll_members(b), 0);
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(a, 1)),
		 SHMCHAN_SLOT_LIVE);
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(b, 0)),
		 SHMCHAN_SLOT_LIVE);
	shmchan_region_close(a);
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(b, 0)),
		 SHMCHAN_SLOT_LEFT);
	shmchan_region_close(b);
}

/*
 * The local backend: who buries, or leaves, may be killed or stopped between the slot
 * word and the count of such changes.  Others count it then.
 */
TEST(change_that_was_not_counted)
{
	const char *name = test_name("uncounted");
	struct shmchan_region *r = fix_create(name);
	uint64_t live = 1ULL << 32 | SHMCHAN_SLOT_LIVE, seq, start;
	pid_t pid;

	LOCAL_ONLY("the kernel does both under a lock");
	pid = member(name, stay);
	fix_await(r, 0, 0);
	seq = shmchan_members_seq(r);
	child_kill(pid);
	CHECK(shmchan_cas((uint64_t *)shmchan_region_at(r,
				shmchan_slot_offset(r, 1)), &live,
			  1ULL << 32 | SHMCHAN_SLOT_DIED));
	start = now_ns();
	while (shmchan_members_seq(r) == seq &&
	       now_ns() - start < FIX_NOTICE_NS) {
		sleep_ms(1);
		CHECK_GE(shmchan_region_poll_members(r), 0);
	}
	CHECK_EQ(shmchan_members_seq(r), seq + 1);
	sleep_ms(200);
	CHECK_EQ(shmchan_region_poll_members(r), 0);
	CHECK_EQ(shmchan_members_seq(r), seq + 1);
	shmchan_region_close(r);
}

TEST_MAIN
