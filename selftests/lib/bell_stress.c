// SPDX-License-Identifier: GPL-2.0-only

/*
 * No wake-up is lost, at full speed, between processes.
 *
 * With the module a lost one hangs: the test's time limit finds it.  The
 * local backend would wake after a slice, so there each turn is timed: turns
 * that took about a slice, and no other length, betray it.
 */

#include <sched.h>
#include <stdbool.h>

#include "turns.h"

#define ROUNDS		20000

static void pong(const char *name, unsigned int rounds)
{
	struct shmchan_region *r = fix_open(name, 1);
	unsigned int seed = 2;
	uint64_t i;

	for (i = 0; i < rounds; i++) {
		wait_for(r, FIX_BELL(1), 0, i);
		dither(&seed);
		shmchan_store_seq_cst(fix_word(r, 8), i + 1);
		CHECK_GE(shmchan_bell_notify(r, FIX_BELL(0)), 0);
	}
	CHECK_LE(late, MAY_BE_LATE);
	child_done();
}

TEST_LIMIT(ping_pong, 240)
{
	unsigned int rounds = HARNESS_ROUNDS(ROUNDS), seed = 1;
	const char *name = test_name("pp");
	struct shmchan_region *r = fix_create(name);
	pid_t pid = child_fork();
	uint64_t i;

	if (!pid)
		pong(name, rounds);
	/* The joining is no turn. */
	while (SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(r, 1)) !=
	       SHMCHAN_SLOT_LIVE)
		sleep_ms(1);
	for (i = 0; i < rounds; i++) {
		dither(&seed);
		shmchan_store_seq_cst(fix_word(r, 0), i + 1);
		CHECK_GE(shmchan_bell_notify(r, FIX_BELL(1)), 0);
		wait_for(r, FIX_BELL(0), 8, i);
	}
	CHECK_LE(late, MAY_BE_LATE);
	CHECK_CHILD_OK(pid);
	note("%u of %u turns late", late, rounds);
	shmchan_region_close(r);
}

/*
 * Three producers and one consumer that sleeps on one doorbell with a word of
 * each: a ring for one must not eat the ring for another.
 */
static void produce(const char *name, uint32_t slot, unsigned int rounds)
{
	struct shmchan_region *r = fix_open(name, slot);
	unsigned int seed = slot;
	uint64_t i;

	for (i = 1; i <= rounds; i++) {
		struct shmchan_wait_elem e =
			fix_elem(FIX_BELL(slot), 8 * slot + 1, i - 1);
		int err;

		shmchan_store_seq_cst(fix_word(r, 8 * slot), i);
		CHECK_GE(shmchan_bell_notify(r, FIX_BELL(0)), 0);
		dither(&seed);
		/* Until it was taken. */
		err = shmchan_bell_wait(r, &e, 1, SHMCHAN_FOREVER, NULL);
		CHECK_EQ(err, 0);
	}
	child_done();
}

TEST_LIMIT(three_to_one, 240)
{
	unsigned int rounds = HARNESS_ROUNDS(ROUNDS / 2);
	const char *name = test_name("fan");
	struct shmchan_region *r = fix_create(name);
	uint64_t seen[FIX_SLOTS] = { 0 };
	unsigned int slot, left = 3 * rounds;
	pid_t pids[FIX_SLOTS];

	for (slot = 1; slot < FIX_SLOTS; slot++) {
		pids[slot] = child_fork();
		if (!pids[slot])
			produce(name, slot, rounds);
		while (SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(r, slot)) ==
		       SHMCHAN_SLOT_FREE)
			sleep_ms(1);
	}
	while (left) {
		struct shmchan_wait_elem e[3];
		uint64_t start = now_ns();

		for (slot = 1; slot < FIX_SLOTS; slot++)
			e[slot - 1] = fix_elem(FIX_BELL(0), 8 * slot,
					       seen[slot]);
		CHECK_EQ(shmchan_bell_wait(r, e, 3, SHMCHAN_FOREVER, NULL), 0);
		late += slept_in(start);
		for (slot = 1; slot < FIX_SLOTS; slot++) {
			uint64_t now = shmchan_load_seq_cst(
				fix_word(r, 8 * slot));

			if (now == seen[slot])
				continue;
			CHECK_EQ(now, seen[slot] + 1);
			seen[slot] = now;
			left--;
			shmchan_store_seq_cst(fix_word(r, 8 * slot + 1), now);
			CHECK_GE(shmchan_bell_notify(r, FIX_BELL(slot)), 0);
		}
	}
	for (slot = 1; slot < FIX_SLOTS; slot++)
		CHECK_CHILD_OK(pids[slot]);
	CHECK_LE(late, MAY_BE_LATE);
	note("%u of %u turns late", late, 3 * rounds);
	shmchan_region_close(r);
}

/*
 * Several sleepers on one shared doorbell, each for its own word: whoever
 * rings clears the flag for all, and each must raise it again.
 */
static void own_word(const char *name, uint32_t slot, unsigned int rounds)
{
	struct shmchan_region *r = fix_open(name, slot);
	uint64_t i;

	for (i = 0; i < rounds; i++) {
		wait_for(r, FIX_BELL_SHARED, 8 * slot, i);
		shmchan_store_seq_cst(fix_word(r, 8 * slot + 1), i + 1);
		CHECK_GE(shmchan_bell_notify(r, FIX_BELL(0)), 0);
	}
	CHECK_LE(late, MAY_BE_LATE);
	child_done();
}

TEST_LIMIT(shared_by_three, 240)
{
	unsigned int rounds = HARNESS_ROUNDS(ROUNDS / 2), slot, seed = 3;
	const char *name = test_name("shared");
	struct shmchan_region *r = fix_create(name);
	pid_t pids[FIX_SLOTS];
	uint64_t i;

	for (slot = 1; slot < FIX_SLOTS; slot++) {
		pids[slot] = child_fork();
		if (!pids[slot])
			own_word(name, slot, rounds);
		while (SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(r, slot)) ==
		       SHMCHAN_SLOT_FREE)
			sleep_ms(1);
	}
	for (i = 0; i < rounds; i++) {
		for (slot = 1; slot < FIX_SLOTS; slot++) {
			shmchan_store_seq_cst(fix_word(r, 8 * slot), i + 1);
			CHECK_GE(shmchan_bell_notify(r, FIX_BELL_SHARED), 0);
			dither(&seed);
		}
		for (slot = 1; slot < FIX_SLOTS; slot++)
			wait_for(r, FIX_BELL(0), 8 * slot + 1, i);
	}
	for (slot = 1; slot < FIX_SLOTS; slot++)
		CHECK_CHILD_OK(pids[slot]);
	CHECK_LE(late, MAY_BE_LATE);
	note("%u of %u turns late", late, 3 * rounds);
	shmchan_region_close(r);
}

TEST_MAIN
