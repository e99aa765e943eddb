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
#define RLX	EXPLORER_RLX
#define NONE	EXPLORER_NONE

#define RAISE_FENCE \
	"the fence in lane_raise() makes it an acquire; " \
	"ThreadSanitizer does not know fences, and needs it here"
#define JOIN \
	"in reader_place() and lane_raise() either the fences or the seq_cst " \
	"accesses would do; ThreadSanitizer builds have the accesses only"

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
	{ "reader_judge", LOAD, 2, RLX,
	  "only asks whether there is something; "
	  "shmchan_lane__next() loads the header again, with acquire", 0 },
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
	{ NULL, LOAD, 0, NONE, NULL, 0 },
};
