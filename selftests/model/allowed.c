// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sites that can be weaker than they are without a model failing, and why they
 * are as they are.  Sites that cover for each other are a group: one of them
 * may be weak, all of them may not, and that is tried as well.
 */
#include "tests.h"

#define LOAD	EXPLORER_LOAD
#define STORE	EXPLORER_STORE
#define FENCE	EXPLORER_FENCE
#define CRASH	EXPLORER_CRASH_FENCE
#define CAS	EXPLORER_CAS
#define ACQ_REL	EXPLORER_ACQ_REL
#define ADD	EXPLORER_ADD
#define CAS	EXPLORER_CAS
#define RLX	EXPLORER_RLX
#define NONE	EXPLORER_NONE

#define RAISE_FENCE \
	"the fence in lane_raise() makes it an acquire; " \
	"ThreadSanitizer does not know fences, and needs it here"
#define HINT \
	"a hint where to begin to look, which is never trusted; the names have " \
	"one kind of compare-and-swap"
#define COUNT \
	"a count for tools"
#define DOZE \
	"the fence behind it orders it against the cells; ThreadSanitizer does " \
	"not know fences"
#define JOIN \
	"in reader_place() and lane_raise() either the fences or the seq_cst " \
	"accesses would do; ThreadSanitizer builds have the accesses only"

#define ONE_NAME \
	"to take needs no more than acq_rel; all read-modify-writes have one " \
	"name, and cost the same where it matters"
#define BEHIND_CAS \
	"the compare-and-swap beside it is a fence for the compiler as well; it " \
	"says which order counts, and costs nothing"
#define BY_MESSAGE \
	"who takes it has a reference, and got that by a message, which is a " \
	"release and an acquire"
#define TAKES \
	"in mutex_look() and mutex_take() either the load or the CAS makes " \
	"what the last owner did seen, unless a third one comes in between"

const struct allowed allowed_sites[] = {
	/* Joining against raising. */
	{ "reader_place", STORE, 3, RLX, JOIN, 1 },
	{ "reader_place", FENCE, 1, NONE, JOIN, 1 },
	{ "reader_place", LOAD, 2, RLX, JOIN, 1 },
	{ "lane_raise", STORE, 1, RLX, JOIN, 1 },
	{ "reader_place", LOAD, 1, RLX,
	  "a hint where to begin; looked at again behind the fence", 0 },
	{ "reader_place", STORE, 2, RLX,
	  "the store of the generation that follows releases it; "
	  "the release is for a reader that has its generation in already", 0 },
	{ "lane_slot_live", LOAD, 1, RLX, RAISE_FENCE, 0 },
	{ "lane_cursor_pos", LOAD, 1, RLX, RAISE_FENCE, 0 },
	{ "lane_cursor_pos", LOAD, 2, RLX, RAISE_FENCE, 0 },

	/* Where nobody looks, or who looks looks again. */
	{ "reader_resume", STORE, 1, RLX,
	  "in a HOLD lane the writer does not look at generations; "
	  "it tells tools who reads", 0 },
	{ "reader_judge", LOAD, 3, RLX,
	  "only asks whether there is something; "
	  "reader_next() loads the header again, with acquire", 0 },
	{ "shmchan_lane_writer_attach", STORE, 1, RLX,
	  "a joiner that reads an older, higher value goes on to a later "
	  "place, which is right too", 0 },
	{ "repair_jump", STORE, 1, RLX,
	  "who meets a JUMP reads nothing but checkpoints, which have a "
	  "release of their own", 0 },
	{ "repair_walk", LOAD, 1, RLX,
	  "what the dead stored happens before the JOIN of its successor: "
	  "the kernel's doing", 0 },
	{ "shmchan_lane_abort", STORE, 1, RLX,
	  "a 0 publishes nothing, and what was written under it is never "
	  "read; a rare call", 0 },
	{ "shmchan_lane_flush", LOAD, 1, RLX,
	  "the fence before it orders it; a plain load on x86 either way", 0 },
	{ "shmchan_lane_reserve", CRASH, 2, NONE,
	  "payload under a header that is 0 is what shmchan_lane_send() "
	  "leaves as well, and repair zeroes behind the tail; the fence keeps "
	  "the claim simple, and costs nothing", 0 },
	{ "shmchan_lane_reader_sender", FENCE, 1, NONE,
	  "who obeys the rules has its header acquired; this is for a later "
	  "holder that scribbles over what is being read", 0 },
	{ "shmchan_lane_reader_rejoin", LOAD, 1, RLX,
	  "not shown to be needed or not: no model has a writer asleep as a "
	  "reader joins; it is as <shmchan/bell.h> has it", 0 },

	/* Mutexes and once. */
	{ "shmchan_mutex__lock_fast", CAS, 1, ACQ_REL, ONE_NAME, 0 },
	{ "once_take", CAS, 1, ACQ_REL, ONE_NAME, 0 },
	{ "shmchan_mutex_consistent", CAS, 1, RLX,
	  "the owner's: it has all already, and unlock releases it", 0 },
	{ "mutex_take", CAS, 1, RLX, TAKES, 2 },
	{ "mutex_look", LOAD, 1, RLX, TAKES, 2 },

	/* Reader-writer locks, permits, signals, barriers. */
	{ "rwlock_rdlock_slow", LOAD, 1, RLX,
	  "all that it leads to looks again: rwlock_enter() by a seq_cst "
	  "load, the wait by its value, the news of a death behind the slot's "
	  "word; a slow path", 0 },
	{ "shmchan_rwlock_timedwrlock", CRASH, 1, NONE, BEHIND_CAS, 0 },
	{ "shmchan_rwlock_consistent", CRASH, 1, NONE, BEHIND_CAS, 0 },
	{ "shmchan_rwlock_consistent", CRASH, 2, NONE, BEHIND_CAS, 0 },
	{ "shmchan_permits_release", CAS, 1, ACQ_REL, ONE_NAME, 0 },
	{ "permits_take", CAS, 1, ACQ_REL, ONE_NAME, 0 },
	{ "signal_take", CAS, 1, ACQ_REL, ONE_NAME, 0 },
	{ "barrier_enrol", CAS, 1, ACQ_REL, ONE_NAME, 0 },
	{ "barrier_bequeath", CAS, 1, RLX,
	  "the store of the cell that follows releases it; who has not seen "
	  "that fails at its own CAS of the word", 0 },
	{ "barrier_bequeath", CRASH, 1, NONE,
	  "the store that follows is a release, which is one already; it says "
	  "which order counts", 0 },

	/* Work queues. */
	{ "advance_tail", CAS, 1, RLX, HINT, 0 },
	{ "advance_head", CAS, 1, RLX, HINT, 0 },
	{ "retreat", CAS, 1, RLX, HINT, 0 },
	{ "bury_cell", ADD, 1, RLX, COUNT, 0 },
	{ "bury_cell", ADD, 2, RLX, COUNT, 0 },
	{ "doze", ADD, 1, RLX, DOZE, 0 },
	{ "doze", LOAD, 1, RLX, DOZE, 0 },
	{ "doze", ADD, 2, RLX,
	  "one sleeper more than there is costs others a step", 0 },

	/* Writable pools. */
	{ "pool_claim", CAS, 1, ACQ_REL, ONE_NAME, 0 },
	{ "pool_release", CAS, 1, ACQ_REL, ONE_NAME, 0 },
	{ "pool_offer", CAS, 1, RLX, BY_MESSAGE, 0 },
	{ "pool_take", CAS, 1, RLX, BY_MESSAGE, 0 },
	{ NULL, LOAD, 0, NONE, NULL, 0 },
};
