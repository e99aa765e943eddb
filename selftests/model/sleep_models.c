// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAIT and RING: no wake-up is lost, whoever rings, ends or is killed; and what
 * a ring that wakes one only owes to the others.
 *
 * Each right model comes with variants in which one thing is left out, which
 * the explorer must find.
 */
#include "kmod.h"
#include "tests.h"

#define BELL	1U
#define OTHER	2U

static int take(unsigned int i)
{
	uint64_t n = shmchan_load_acquire(k_data(i));

	return n && shmchan_cas(k_data(i), &n, n - 1);
}

/* One sleeper or two, one word. */

static const struct k_wait one_word = { .nr = 1, .elem = {{ BELL, k_data, 0 }} };

static void setup_one(void)
{
	k_setup();
	k_setup_wait(0, &one_word);
	k_setup_wait(1, &one_word);
}

static void sleep_for_word(unsigned int me)
{
	uint64_t believed = 0;

	while (!shmchan_load_acquire(k_data(0)))
		(void)k_wait(me, &believed, NULL);
}

static void sleeper0(void)
{
	sleep_for_word(0);
}

static void sleeper1(void)
{
	sleep_for_word(1);
}

static void producer(void)
{
	k_produce(k_data(0), 1, BELL, 0);
}

static void final_count(unsigned int stuck)
{
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(!explorer_final(k_count(BELL), 8),
			"the count of waiters stays up");
}

/* Two producers, with a doorbell in common or each its own. */

static const struct k_wait two_words = {
	.nr = 2, .elem = {{ BELL, k_data, 0 }, { BELL, k_data, 1 }},
};
static const struct k_wait two_bells = {
	.nr = 2, .elem = {{ BELL, k_data, 0 }, { OTHER, k_data, 1 }},
};

static void setup_words(void)
{
	k_setup();
	k_setup_wait(0, &two_words);
}

static void setup_bells(void)
{
	k_setup();
	k_setup_wait(0, &two_bells);
}

static void sleeper_both(void)
{
	uint64_t seen[2] = { 0, 0 };

	for (;;) {
		seen[0] = shmchan_load_acquire(k_data(0));
		seen[1] = shmchan_load_acquire(k_data(1));
		if (seen[0] && seen[1])
			return;
		explorer_settle(&seen);
		(void)k_wait(0, seen, NULL);
	}
}

static void producer_same(void)
{
	k_produce(k_data(1), 1, BELL, 0);
}

static void producer_other(void)
{
	k_produce(k_data(1), 1, OTHER, 0);
}

/*
 * Wake one: consumers that take one item each.  An item may be left over only if
 * nobody sleeps for it.
 */

static const struct k_wait hasty = {
	.nr = 1, .elem = {{ BELL, k_data, 0 }}, .may_time_out = 1,
};
static const struct k_wait mortal = {
	.nr = 1, .elem = {{ BELL, k_data, 0 }}, .may_be_killed = 1,
};
static const struct k_wait patient = {
	.member = 1, .nr = 1, .elem = {{ BELL, k_data, 0 }},
};

static void setup_time_out(void)
{
	k_setup();
	k_setup_wait(0, &hasty);
	k_setup_wait(1, &patient);
}

static void setup_kill(void)
{
	k_setup();
	k_setup_wait(0, &mortal);
	k_setup_wait(1, &patient);
}

static void setup_revoke(void)
{
	k_setup();
	k_setup_wait(0, &one_word);
	k_setup_wait(1, &patient);
}

static void consume(unsigned int me)
{
	uint64_t believed = 0;

	while (!take(0)) {
		explorer_settle(&believed);
		if (k_wait(me, &believed, NULL) != K_OK) {
			explorer_cover("goes without an item");
			return;
		}
	}
}

static void consumer0(void)
{
	consume(0);
}

static void consumer1(void)
{
	consume(1);
}

static void put(unsigned int i, unsigned int bell)
{
	shmchan_fetch_add(k_data(i), 1);
	if (shmchan_load_seq_cst(k_count(bell))) {
		explorer_cover("rings");
		(void)k_ring(bell, 1);
	}
}

static void putter(void)
{
	put(0, BELL);
}

static void putter_twice(void)
{
	put(0, BELL);
	put(0, BELL);
}

static void thief(void)
{
	if (take(0))
		explorer_cover("an item is stolen");
}

static void revoker(void)
{
	k_member_end(0);
}

static void final_items(unsigned int stuck)
{
	explorer_assert(!(stuck & 3) || !explorer_final(k_data(0), 8),
			"an item lies there, and somebody sleeps for ever");
	explorer_assert(!(stuck & ~3U), "producers sleep for ever");
}

/* Two doorbells, each with an item; the first consumer waits for either. */

static const struct k_wait second_only = {
	.member = 1, .nr = 1, .elem = {{ OTHER, k_data, 1 }},
};

static void setup_either(void)
{
	k_setup();
	k_setup_wait(0, &two_bells);
	k_setup_wait(1, &second_only);
}

static void consumer_either(void)
{
	static const uint64_t believed[2];
	unsigned int i = 0;

	while (!take(i) && !take(!i)) {
		explorer_settle(&i);
		(void)k_wait(0, believed, &i);
		if (k_flaw(K_IGNORE_INDEX))
			i = 0;
	}
}

static void consumer_second(void)
{
	static const uint64_t believed;

	while (!take(1))
		(void)k_wait(1, &believed, NULL);
}

static void putter_other(void)
{
	put(1, OTHER);
}

static void putter_of_both(void)
{
	put(0, BELL);
	put(1, OTHER);
}

static void final_either(unsigned int stuck)
{
	uint64_t first = explorer_final(k_data(0), 8);
	uint64_t second = explorer_final(k_data(1), 8);

	explorer_assert(!(stuck & 1) || !(first || second),
			"an item lies there, and the first sleeps for ever");
	explorer_assert(!(stuck & 2) || !second,
			"an item lies there, and the second sleeps for ever");
}

/*
 * Chosen by a ring, and dead before it took the item: a peer that sleeps must
 * learn of it, so it watches the slots of those it shares items with.
 */

static const struct k_wait with_peer = {
	.member = 1, .nr = 2, .elem = {{ BELL, k_data, 0 }, { 0, k_slot, 0 }},
};

static void setup_peers(void)
{
	k_setup();
	k_setup_wait(0, &one_word);
	k_setup_wait(1, k_flaw(K_NO_PEERS) ? &patient : &with_peer);
}

static void doomed_consumer(void)
{
	uint64_t believed = 0;

	(void)k_wait(0, &believed, NULL);
	explorer_cover("dies with its ring");
	k_member_end(0);
	k_member_gone(0);
}

static void peer(void)
{
	uint64_t believed[2] = { 0, 0 };

	for (;;) {
		believed[1] = shmchan_load_acquire(k_slot(0));
		if (take(0))
			return;
		(void)k_wait(1, believed, NULL);
	}
}

/* The sleeper's own member ends. */

static void setup_end(void)
{
	k_setup();
	/* To be queued a second time is to look a second time. */
	k_setup_wait(0, k_flaw(K_STATE_EARLY) ? &one_word : &two_bells);
}

static void ended_sleeper(void)
{
	static const uint64_t believed[2];

	while (k_wait(0, believed, NULL) != K_ESTALE)
		;
	explorer_cover("ESTALE");
}

/* The producer dies, between its store and its ring too. */

static const struct k_wait word_and_slot = {
	.nr = 2, .elem = {{ BELL, k_data, 0 }, { 0, k_slot, 1 }},
};

#define STORED	0

static void setup_death(void)
{
	k_setup();
	k_setup_wait(0, k_flaw(K_NO_SLOT_COND) ? &one_word : &word_and_slot);
}

static void watching_sleeper(void)
{
	static const uint64_t believed[2] = { 0, K_SLOT_LIVE };

	while (!shmchan_load_acquire(k_data(0))) {
		if (shmchan_load_acquire(k_slot(1)) != K_SLOT_LIVE) {
			explorer_cover("learns of the death");
			explorer_note(1, 1);
			explorer_note(2, shmchan_load_relaxed(k_data(0)));
			return;
		}
		(void)k_wait(0, believed, NULL);
	}
}

static void mortal_producer(void)
{
	shmchan_store_seq_cst(k_data(0), 1);
	shmchan_crash_fence();
	explorer_note(STORED, 1);
	if (shmchan_load_seq_cst(k_count(BELL)))
		(void)k_ring(BELL, 0);
	else
		explorer_cover("nobody waits");
}

static void producer_will(void)
{
	k_member_gone(1);
}

static void final_death(unsigned int stuck)
{
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	if (explorer_notes[STORED] && explorer_notes[1])
		explorer_assert(explorer_notes[2],
				"who sees the death sees not all before it");
}

static const char *const both[] = {
	"rings", "nobody waits", "changed before it slept",
	"slept and was woken", NULL,
};
static const char *const timed[] = {
	"a ring beats a timeout", "goes without an item", NULL,
};
static const char *const handed[] = {
	"hands the ring on", "goes without an item", NULL,
};
static const char *const quicker[] = {
	"somebody else was quicker", "slept and was woken", NULL,
};
static const char *const stolen[] = { "an item is stolen", NULL };
static const char *const peers[] = { "dies with its ring", NULL };
static const char *const ends[] = { "ESTALE", "an end finds a sleeper", NULL };
static const char *const deaths[] = {
	"learns of the death", "slept and was woken", NULL,
};

#define LOST	"sleep for ever"
#define LEFT	"an item lies there"

#define ONE	.setup = setup_one, .thread = { sleeper0, producer }, \
		.final = final_count
#define TWO	.setup = setup_one, \
		.thread = { sleeper0, sleeper1, producer }, .final = final_count
#define WORDS	.setup = setup_words, \
		.thread = { sleeper_both, producer, producer_same }, \
		.final = final_count
#define BELLS	.setup = setup_bells, \
		.thread = { sleeper_both, producer, producer_other }, \
		.final = final_count
#define TIME_OUT .setup = setup_time_out, \
		.thread = { consumer0, consumer1, putter }, \
		.final = final_items
#define KILL	.setup = setup_kill, \
		.thread = { consumer0, consumer1, putter }, \
		.final = final_items
#define REVOKE	.setup = setup_revoke, \
		.thread = { consumer0, consumer1, putter, revoker }, \
		.final = final_items
#define STEAL	.setup = setup_one, \
		.thread = { consumer0, thief, putter_twice }, \
		.final = final_items
#define EITHER	.setup = setup_either, .final = final_either, \
		.thread = { consumer_either, consumer_second, putter_of_both }
#define EITHER_RACE .setup = setup_either, .final = final_either, \
		.thread = { consumer_either, consumer_second, putter, \
			    putter_other }
#define PEERS	.setup = setup_peers, \
		.thread = { doomed_consumer, peer, putter }, \
		.final = final_items
#define END	.setup = setup_end, .thread = { ended_sleeper, revoker }
#define DEATH	.setup = setup_death, \
		.thread = { watching_sleeper, mortal_producer }, \
		.will = { NULL, producer_will }, .max_kills = 1, \
		.final = final_death

const struct explorer_model sleep_models[] = {
	{ .name = "wait", .what = "no wake-up is lost", ONE, .covers = both },
	{ .name = "wait-two-sleepers", .what = "a ring wakes both", TWO,
	  .covers = both },
	{ .name = "wait-two-producers", .what = "nor of two producers", WORDS,
	  .covers = both },
	{ .name = "wait-two-bells", .what = "nor of two doorbells", BELLS,
	  .covers = quicker },
	{ .name = "wait-timeout",
	  .what = "wake one: a ring is not lost to a timeout", TIME_OUT,
	  .covers = timed },
	{ .name = "wait-killed", .what = "... nor to a signal that kills",
	  KILL, .covers = handed },
	{ .name = "wait-revoked", .what = "... nor to who is revoked",
	  REVOKE, .covers = handed },
	{ .name = "wait-stolen", .what = "... nor to who finds nothing",
	  STEAL, .covers = stolen },
	{ .name = "wait-either",
	  .what = "... nor to who was chosen by another doorbell", EITHER,
	  .covers = quicker },
	{ .name = "wait-peers", .what = "... nor to who dies with it, watched",
	  PEERS, .covers = peers },
	{ .name = "wait-end", .what = "who sleeps as its member ends is told",
	  END, .covers = ends },
	{ .name = "wait-death", .what = "the end of a producer wakes",
	  DEATH, .covers = deaths },

	{ .name = "wait-release", .what = "the word stored with release",
	  ONE, .arg = K_STORE_RELEASE, .finds = LOST },
	{ .name = "wait-load-first", .what = "waiters loaded, then stored",
	  ONE, .arg = K_LOAD_FIRST, .finds = LOST },
	{ .name = "wait-no-barrier", .what = "__set_current_state()",
	  ONE, .arg = K_NO_STATE_BARRIER, .finds = LOST },
	{ .name = "wait-count-late", .what = "compares, then is counted",
	  ONE, .arg = K_COUNT_LATE, .finds = LOST },
	{ .name = "wait-no-count", .what = "queued and not counted",
	  ONE, .arg = K_QUEUE_NO_COUNT, .finds = LOST },
	{ .name = "wait-no-compare", .what = "does not compare when queued",
	  ONE, .arg = K_NO_COMPARE, .finds = LOST },
	{ .name = "wait-ring-no-lock", .what = "a ring without the lock",
	  .setup = setup_one, .thread = { sleeper0, producer },
	  .arg = K_RING_NO_LOCK, .finds = LOST },
	{ .name = "wait-dequeue-no-lock",
	  .what = "gone while a waker is at it", BELLS, .races = 1,
	  .arg = K_NO_DEQUEUE_LOCK, .finds = "data race" },
	{ .name = "wait-timeout-beats", .what = "a timeout beats a ring",
	  TIME_OUT, .arg = K_TIMEOUT_BEATS, .finds = LEFT },
	{ .name = "wait-killed-keeps", .what = "killed, keeps the ring",
	  KILL, .arg = K_HAND_ON_STALE_ONLY, .finds = LEFT },
	{ .name = "wait-revoked-keeps", .what = "revoked, keeps the ring",
	  REVOKE, .arg = K_NO_HAND_ON, .finds = LEFT },
	{ .name = "wait-hand-on-early", .what = "hands on, then dequeues",
	  REVOKE, .arg = K_HAND_ON_EARLY, .finds = LEFT },
	{ .name = "wait-woken-late", .what = "wakes, then says so",
	  STEAL, .arg = K_WOKEN_LATE, .finds = LEFT },
	{ .name = "wait-woken-store", .what = "two rings wake one, a store",
	  EITHER_RACE, .arg = K_STORE_WOKEN, .finds = LEFT },
	{ .name = "wait-won-always", .what = "two rings wake one, both count",
	  EITHER, .arg = K_WON_ALWAYS, .finds = LEFT },
	{ .name = "wait-shared-index",
	  .what = "the sleeper writes the index that a ring writes",
	  EITHER, .arg = K_SHARED_INDEX, .races = 1, .finds = "data race" },
	{ .name = "wait-ignores-index", .what = "serves another element",
	  EITHER, .arg = K_IGNORE_INDEX, .finds = LEFT },
	{ .name = "wait-no-peers", .what = "its peers not watched",
	  PEERS, .arg = K_NO_PEERS, .finds = LEFT },
	{ .name = "wait-state-early", .what = "its state read before the lock",
	  END, .arg = K_STATE_EARLY, .finds = LOST },
	{ .name = "wait-state-late", .what = "an end tells, then is",
	  END, .arg = K_STATE_LATE, .finds = LOST },
	{ .name = "wait-wake-no-barrier",
	  .what = "wake_up_process() without its barrier", END,
	  .arg = K_WAKE_NO_BARRIER, .finds = LOST },
	{ .name = "wait-no-slot", .what = "the producer's slot not watched",
	  DEATH, .arg = K_NO_SLOT_COND, .finds = LOST },
	{ .name = "wait-slot-late", .what = "rings doorbell 0, then stores",
	  DEATH, .arg = K_SLOT_LATE, .finds = LOST },
	{ .name = "wait-gone-no-barrier",
	  .what = "the slot's word may pass what the dead stored", DEATH,
	  .arg = K_GONE_NO_BARRIER, .finds = "sees not all" },
	{ .name = NULL },
};
