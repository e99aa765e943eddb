// SPDX-License-Identifier: GPL-2.0-only

/*
 * A process is killed at each system call, in turn, of create, open and close:
 * before it and after it.  Whatever it left behind, all must be usable, and
 * nobody may ever see a region that is half made.
 *
 * Between two system calls there are stores to shared memory, too: joining and
 * leaving are also killed at each of the first instructions after each call.
 */

#include <sys/ptrace.h>

#include "region_fixture.h"

struct scene {
	const char *name;
	void (*victim)(const char *name);	/* what is interrupted */
	void (*check)(const char *name, struct shmchan_region *peer);
	int peer;				/* a live member beside it */
	unsigned int steps;			/* instructions after a stop */
};

static void traced(const struct scene *s)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(HARNESS_EXIT_SKIP);
	raise(SIGSTOP);
	s->victim(s->name);
	_exit(0);
}

/*
 * Run the victim to its nth stop at a system call (entry and exit both count),
 * then so many instructions more, and kill it there.  Returns 0 if it ended
 * before.
 */
static int kill_at(const struct scene *s, unsigned int nth)
{
	unsigned int i;
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		traced(s);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_EXIT_SKIP)
		SKIP("ptrace is not allowed here");
	CHECK(WIFSTOPPED(status));
	CHECK(!ptrace(PTRACE_SETOPTIONS, pid, NULL,
		      (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)));
	for (i = 0; i < nth; i++) {
		CHECK(!ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			CHECK_EQ(WEXITSTATUS(status), 0);
			return 0;
		}
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != (SIGTRAP | 0x80))
			FAIL("stop %u: wait status %#x", i,
			     (unsigned int)status);
	}
	for (i = 0; i < s->steps; i++) {
		CHECK(!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status))
			return 0;
	}
	kill(pid, SIGKILL);
	do
		CHECK_EQ(waitpid(pid, &status, 0), pid);
	while (!WIFSIGNALED(status));
	return 1;
}

static void play(const struct scene *s)
{
	unsigned int nth;

	for (nth = 1; ; nth++) {
		struct shmchan_region *peer = s->peer ? fix_create(s->name) :
							NULL;
		int killed = kill_at(s, nth);

		if (killed)
			s->check(s->name, peer);
		shmchan_region_close(peer);
		if (!killed)
			break;
		CHECK_LT(nth, 10000);
	}
	note("killed at %u stops", nth - 1);
	CHECK_GT(nth, 10);
}

static void do_create(const char *name)
{
	fix_create(name);
}

static void do_create_close(const char *name)
{
	shmchan_region_close(fix_create(name));
}

static void do_open(const char *name)
{
	fix_open(name, 1);
}

static void do_open_close(const char *name)
{
	shmchan_region_close(fix_open(name, 1));
}

static int seen_it(const struct shmchan_list_entry *entry, void *arg)
{
	return !strcmp(entry->name, (const char *)arg);
}

/* The name can be taken; and the region works. */
static void usable(const char *name)
{
	struct shmchan_region *r = fix_create(name), *r2;

	r2 = fix_open(name, 1);
	CHECK_EQ(r->generation, 1);
	CHECK_EQ(r2->generation, 1);
	CHECK_EQ(r2->data_size, FIX_DATA);
	CHECK(!memcmp(shmchan_region_at(r2, r2->control_offset), fix_header,
		      sizeof(fix_header)));
	shmchan_region_close(r);
	shmchan_region_close(r2);
	CHECK_EQ(shmchan_region_open(&r, name, NULL), -ENOENT);
}

static void open_first(const char *name, struct shmchan_region *peer)
{
	struct shmchan_region *r;

	(void)peer;
	CHECK_EQ(shmchan_region_list(SHMCHAN_BACKEND_AUTO, seen_it,
				     (void *)(uintptr_t)name), 0);
	CHECK_EQ(shmchan_region_open(&r, name, NULL), -ENOENT);
	usable(name);
}

static void create_first(const char *name, struct shmchan_region *peer)
{
	(void)peer;
	usable(name);
}

/* The peer lives on: the slot is soon not LIVE, and can be taken now. */
static void peer_goes_on(const char *name, struct shmchan_region *peer)
{
	uint64_t word = shmchan_slot_word(peer, 1);
	uint32_t generation = SHMCHAN_SLOT_WORD_GEN(word);
	struct shmchan_member_info info;
	struct shmchan_region *r;

	r = fix_open(name, 1);
	CHECK_EQ(r->generation, generation + 1);
	CHECK_EQ(shmchan_region_member(peer, 1, &info), 0);
	CHECK_EQ(info.current_holder.generation, generation + 1);
	CHECK_EQ(info.previous_holder.generation, generation);
	CHECK_EQ(shmchan_bell_ring(r, FIX_BELL(0), 0), 0);
	shmchan_region_close(r);
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(peer, 1)),
		 SHMCHAN_SLOT_LEFT);
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(peer, 0)),
		 SHMCHAN_SLOT_LIVE);
}

static void peer_notices(const char *name, struct shmchan_region *peer)
{
	uint64_t word = shmchan_slot_word(peer, 1);

	(void)name;
	if (SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE)
		CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(fix_await_slot(peer, 1, word)),
			 SHMCHAN_SLOT_DIED);
}

#define SCENE(test, victim_, check_, peer_)				\
	TEST_LIMIT(test, 120)						\
	{								\
		struct scene s = {					\
			.name = test_name(#test), .victim = victim_,	\
			.check = check_, .peer = peer_,			\
		};							\
									\
		play(&s);						\
	}

SCENE(create_then_open, do_create, open_first, 0)
SCENE(create_then_create, do_create, create_first, 0)
SCENE(create_close, do_create_close, open_first, 0)
SCENE(open_beside_a_peer, do_open, peer_goes_on, 1)
SCENE(open_close_beside_a_peer, do_open_close, peer_goes_on, 1)
SCENE(open_is_noticed, do_open, peer_notices, 1)
SCENE(open_close_is_noticed, do_open_close, peer_notices, 1)

/*
 * Joining and leaving, by instructions.  A slot is claimed and left by some
 * dozens of them between two system calls.
 */
static void play_steps(struct scene *s, unsigned int most)
{
	unsigned int nth, kills = 0;

	for (s->steps = 1; s->steps <= most; s->steps++) {
		/* After exits: these are the even stops. */
		for (nth = 2; ; nth += 2) {
			struct shmchan_region *peer = fix_create(s->name);
			struct shmchan_region *r = fix_open(s->name, 1);
			int killed;

			/* Somebody has held the slot before. */
			shmchan_region_close(r);
			killed = kill_at(s, nth);
			if (killed)
				s->check(s->name, peer);
			shmchan_region_close(peer);
			if (!killed)
				break;
			kills++;
		}
	}
	note("killed at %u places", kills);
}

TEST_LIMIT(open_close_by_instructions, 240)
{
	struct scene s = {
		.name = test_name("steps"), .victim = do_open_close,
		.check = peer_goes_on,
	};

	LOCAL_ONLY("the kernel does this in one call");
	play_steps(&s, HARNESS_ROUNDS(120));
}

static void do_replace(const char *name)
{
	shmchan_region_close(fix_create(name));
}

static void do_meet(const char *name)
{
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_open(&r, name, NULL), -ENOENT);
}

/* What the dead left is being removed by one who dies over it. */
static void over_the_dead(void (*victim)(const char *name))
{
	struct scene s = { .name = test_name("stale"), .victim = victim };
	unsigned int nth = 1;
	int killed;

	do {
		pid_t pid = child_fork();

		if (!pid) {
			fix_create(s.name);
			_exit(0);
		}
		CHECK_CHILD_OK(pid);
		killed = kill_at(&s, nth++);
		if (nth % 2)
			open_first(s.name, NULL);
		else
			create_first(s.name, NULL);
	} while (killed);
	note("killed at %u stops", nth - 2);
}

TEST_LIMIT(replacing_the_dead, 120)
{
	over_the_dead(do_replace);
}

TEST_LIMIT(meeting_the_dead, 120)
{
	over_the_dead(do_meet);
}

TEST_MAIN
