// SPDX-License-Identifier: GPL-2.0-only
/*
 * Producers without a barrier (SHMCHAN_JOIN_ASYM): they store, they look for
 * waiters, and nothing keeps the two in order but the compiler.  Who sleeps
 * has a membarrier done in them instead, once it is counted and before it
 * compares.
 *
 * It has to be counted by ARM, since nothing can be called from within WAIT;
 * and from then on without a gap until it sleeps.  But any ring disarms it: so
 * WAIT watches the doorbell's seq as well, as it was before ARM.
 *
 * Whether a producer is of that kind, its slot's word says.  One that joins
 * after the sleeper looked must not be missed: WAIT watches members_seq, as it
 * was before it looked, with doorbell 0.
 */
#include "kmod.h"
#include "tests.h"

#define WORD	k_data(0)
#define BELL	1U

static uint64_t *members_seq(unsigned int i)
{
	(void)i;
	return k_members_seq();
}

#define ON_WORD		{ BELL, k_data, 0 }
#define ON_SEQ		{ BELL, k_seq, BELL }
#define ON_MEMBERS	{ 0, members_seq, 0 }

static const struct k_wait all = {
	.nr = 3, .elem = { ON_WORD, ON_SEQ, ON_MEMBERS },
};
static const struct k_wait all_on_0 = {
	.nr = 3, .elem = { ON_WORD, { 0, k_seq, BELL }, ON_MEMBERS },
};
static const struct k_wait no_seq = {
	.nr = 2, .elem = { ON_WORD, ON_MEMBERS },
};
static const struct k_wait no_members = {
	.nr = 2, .elem = { ON_WORD, ON_SEQ },
};

static int watches_members(void)
{
	return !k_flaw(K_NO_MEMBERS_COND) && !k_flaw(K_JOIN_BARRIER) &&
	       !k_flaw(K_JOIN_BARRIER_SCAN_FIRST) &&
	       !k_flaw(K_JOIN_NO_BARRIER);
}

static void setup(void)
{
	k_setup();
	*k_slot(1) = K_SLOT_ASYM;
	k_setup_sub(0, BELL);
	k_setup_wait(0, k_flaw(K_NO_SEQ_COND) ? &no_seq :
		     k_flaw(K_SEQ_ON_0) ? &all_on_0 :
		     watches_members() ? &all : &no_members);
}

static void setup_join(void)
{
	setup();
	*k_slot(1) = K_SLOT_ENDED;
}

static int any_asym(void)
{
	uint64_t word = shmchan_load_acquire(k_slot(1));

	return word == K_SLOT_ASYM || word == K_SLOT_CLAIMING;
}

struct sleeping {
	uint64_t members;
	uint64_t seq;
	int asym;
};

static void arm(struct sleeping *s)
{
	if (k_flaw(K_NO_ARM))
		return;
	if (!k_flaw(K_SEQ_AFTER_ARM))
		s->seq = shmchan_load_relaxed(k_seq(BELL));
	(void)k_arm(0, WORD, 0);
	if (k_flaw(K_SEQ_AFTER_ARM))
		s->seq = shmchan_load_relaxed(k_seq(BELL));
}

/* Returns whether nothing that it waits for can be missed in WAIT. */
static void prepare(struct sleeping *s)
{
	if (!k_flaw(K_SCAN_FIRST))
		s->members = shmchan_load_acquire(k_members_seq());
	if (k_flaw(K_JOIN_BARRIER) || k_flaw(K_JOIN_NO_BARRIER)) {
		/* Without members_seq it has to arm before it looks. */
		arm(s);
		s->asym = any_asym();
	} else {
		s->asym = any_asym();
		if (s->asym && k_flaw(K_MEMBARRIER_EARLY))
			k_membarrier(1);
		if (s->asym || !watches_members())
			arm(s);
	}
	if (k_flaw(K_SCAN_FIRST))
		s->members = shmchan_load_acquire(k_members_seq());
	if (!s->asym)
		explorer_cover("no such member");
	else if (!k_flaw(K_NO_MEMBARRIER) && !k_flaw(K_MEMBARRIER_EARLY))
		k_membarrier(1);
}

static void sleeper(void)
{
	while (!shmchan_load_acquire(WORD)) {
		struct sleeping s = { .seq = shmchan_load_relaxed(k_seq(BELL)) };
		uint64_t believed[K_CONDS];

		prepare(&s);
		believed[0] = 0;
		believed[1] = k_flaw(K_NO_SEQ_COND) ? s.members : s.seq;
		believed[2] = s.members;
		(void)k_wait(0, believed, NULL);
	}
}

static void produce(void)
{
	k_interrupt(0);
	shmchan_store_relaxed(WORD, 1);
	k_interrupt(0);
	if (shmchan_load_relaxed(k_count(BELL))) {
		explorer_cover("rings");
		k_interrupt(0);
		(void)k_ring(BELL, 0);
	} else {
		explorer_cover("nobody waits");
	}
	k_interrupts(0);
}

static void joiner(void)
{
	k_member_joins(1, K_SLOT_ASYM);
	if (k_flaw(K_JOIN_BARRIER) || k_flaw(K_JOIN_BARRIER_SCAN_FIRST))
		k_mb();
	produce();
}

/* Somebody rings for a reason of its own, or for none. */
static void ringer(void)
{
	(void)k_ring(BELL, 0);
}

/* Producers that are interrupted at any time never end. */
static void final(unsigned int stuck)
{
	stuck &= ~2U;
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
}

static const char *const simple[] = {
	"slept and was woken", "rings", "nobody waits", "interrupted", NULL,
};
static const char *const disarmed[] = {
	"slept and was woken", "a ring disarms", "interrupted", NULL,
};
static const char *const joined[] = {
	"slept and was woken", "no such member", "interrupted", NULL,
};

#define LOST	"sleep for ever"
#define ASYM	.setup = setup, .thread = { sleeper, produce }, .final = final
#define RUNG	.setup = setup, .thread = { sleeper, produce, ringer }, \
		.final = final
#define JOIN	.setup = setup_join, .thread = { sleeper, joiner }, \
		.final = final
#define JOIN_RUNG \
		.setup = setup_join, .thread = { sleeper, joiner, ringer }, \
		.final = final

const struct explorer_model asym_models[] = {
	{ .name = "asym", .what = "arm, membarrier, WAIT: nothing is lost",
	  ASYM, .covers = simple },
	{ .name = "asym-ring", .what = "... nor if another ring disarms",
	  RUNG, .covers = disarmed },
	{ .name = "asym-join", .what = "... nor if the producer joins late",
	  JOIN, .covers = joined },
	{ .name = "asym-join-ring", .what = "... nor if both happen",
	  JOIN_RUNG, .covers = joined },
	{ .name = "asym-join-barrier",
	  .what = "a barrier in JOIN does too, if who sleeps arms and looks",
	  JOIN_RUNG, .arg = K_JOIN_BARRIER },
	{ .name = "asym-join-claiming",
	  .what = "members_seq needs no release if CLAIMING passes for ASYM",
	  JOIN, .arg = K_MEMBERS_CLAIMING, .covers = joined },
	{ .name = "asym-seq-on-0",
	  .what = "that seq may be watched with doorbell 0: for one look",
	  RUNG, .arg = K_SEQ_ON_0, .covers = disarmed },

	{ .name = "asym-no-membarrier", .what = "without membarrier",
	  ASYM, .arg = K_NO_MEMBARRIER, .finds = LOST },
	{ .name = "asym-early", .what = "membarrier before arming",
	  ASYM, .arg = K_MEMBARRIER_EARLY, .finds = LOST },
	{ .name = "asym-no-arm", .what = "membarrier, then WAIT alone",
	  ASYM, .arg = K_NO_ARM, .finds = LOST },
	{ .name = "asym-no-seq", .what = "disarmed before WAIT, unnoticed",
	  RUNG, .arg = K_NO_SEQ_COND, .finds = LOST },
	{ .name = "asym-late-seq", .what = "the seq read after arming",
	  RUNG, .arg = K_SEQ_AFTER_ARM, .finds = LOST },
	{ .name = "asym-no-members", .what = "not watching members_seq",
	  JOIN, .arg = K_NO_MEMBERS_COND, .finds = LOST },
	{ .name = "asym-members-relaxed",
	  .what = "members_seq stored without release",
	  JOIN, .arg = K_MEMBERS_RELAXED, .finds = LOST },
	{ .name = "asym-scan-first", .what = "scans, then reads members_seq",
	  JOIN, .arg = K_SCAN_FIRST, .finds = LOST },
	{ .name = "asym-join-scan-first",
	  .what = "a barrier in JOIN does not do if who sleeps looks, then arms",
	  JOIN, .arg = K_JOIN_BARRIER_SCAN_FIRST, .finds = LOST },
	{ .name = "asym-join-nothing", .what = "no barrier in JOIN either",
	  JOIN, .arg = K_JOIN_NO_BARRIER, .finds = LOST },
	{ .name = NULL },
};
