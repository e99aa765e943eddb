/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_MEMORY_H
#define MODEL_MEMORY_H

/*
 * The memory model: RC11 (Lahav, Vafeiadis, Kang, Hur, Dreyer: "Repairing
 * Sequential Consistency in C/C++11", PLDI 2017), built one event at a time.
 *
 * A state is an execution graph: the events of each thread in program order,
 * for each location the order of its messages (modification order), and for
 * each read the message that it read.  Views make each extension of the graph
 * cheap to judge:
 *
 *  - a thread's view holds, per location, the newest message that an event
 *    which happens before the next one has read or written: a read may take
 *    this message or a newer one, a write may go anywhere behind it (in the
 *    middle too, but not between a message and the RMW that read it);
 *  - a release write carries its writer's view, a relaxed one the view of the
 *    writer's last release fence, an RMW adds the view of what it read;
 *  - an acquire read joins what the message carries, a relaxed one lays it by
 *    for the next acquire fence;
 *  - vector clocks in the views say which events happen before which.
 *
 * Sequential consistency is RC11's axiom itself, not an approximation: psc,
 * the relation on seq_cst accesses and fences, is kept as a graph and closed
 * as events are added; an event that makes it cyclic cannot happen.  Nothing
 * is ordered merely because the explorer executed it first.
 *
 * What this means against C11:
 *
 *  - Release sequences are those of C++20 and C23: later relaxed stores of
 *    the releasing thread do not continue one (in C11 they did): weaker.
 *  - seq_cst is that of C++20 (P0668), which is psc: weaker than C11 for
 *    mixed accesses, stronger for fences (C11 forgot to make them restore
 *    sequential consistency; no compiler or machine ever used that).
 *  - Like RC11, it has no cycles of program order and reads-from: load
 *    buffering (LB) never shows its weak outcome.  C11 allows it for relaxed
 *    loads followed by relaxed stores.  An algorithm for which this matters
 *    would have to be ordered by a relaxed load alone before a relaxed store.
 *
 * All state is changed through a trail, so that it can be taken back.
 */

#include <stddef.h>
#include <stdint.h>

#include "explorer_atomic.h"

#define MM_THREADS	5
#define MM_LOCS		256
#define MM_MSGS		4096
#define MM_MO		160	/* messages of one location */
#define MM_EVENTS	700	/* of one thread */
#define MM_SC		64
#define MM_NOLOC	0xffff
#define MM_INIT		MM_THREADS	/* the writer of initial messages */

struct mm_clock {
	uint16_t at[MM_THREADS];
};

struct mm_view {
	uint16_t at[MM_LOCS];	/* message */
	struct mm_clock hb;	/* events that happen before */
	struct mm_clock seen;	/* ... before a write that was read before */
};

struct mm_message {
	uint64_t value;
	uint16_t loc;
	uint16_t idx;		/* which event of its writer */
	uint16_t rank;		/* in modification order */
	uint8_t tid;
	uint8_t rmw_next;	/* an RMW read it */
	const struct mm_view *view;
	struct mm_clock whb;	/* what happens before the write */
	struct mm_clock rhb;	/* ... or before some access of the message */
};

struct mm_event {
	const struct explorer_site *site;
	enum explorer_kind kind;
	enum explorer_order order;
	uint16_t loc;
	int16_t rmsg;		/* -1: none */
	int16_t wmsg;
	int16_t sc;		/* number among the seq_cst events, or -1 */
	struct mm_clock hb;
};

struct mm_access {
	uint64_t value;
	int loc;
	int rmsg;		/* message to read, -1: none */
	int after;		/* message behind which to write, -1: none */
	enum explorer_kind kind;
	enum explorer_order order;
	const struct explorer_site *site;
};

enum mm_result {
	MM_OK,
	MM_INCONSISTENT,	/* no such execution */
	MM_RACE,		/* a plain access races */
	MM_LIMIT,		/* more seq_cst events than fit */
};

/* Forget everything: a new exploration. */
void mm_reset(void);

/* A place to come back to. */
size_t mm_mark(void);
void mm_undo(size_t mark);

/* Change *p in such a way that mm_undo() takes it back. */
void mm_set(void *p, size_t size, uint64_t value);

/* The initial value of a location; once, when it is first used. */
void mm_init_location(int loc, uint64_t value);

enum mm_result mm_access(int tid, const struct mm_access *a);
enum mm_result mm_fence(int tid, enum explorer_order order,
			const struct explorer_site *site);

/* All that thread other did happens before what tid does from now on. */
void mm_join(int tid, int other);

/* The messages of a location, oldest first. */
int mm_nr_messages(int loc);
int mm_message_at(int loc, int rank);
const struct mm_message *mm_message(int msg);

/* The oldest rank that a thread may still read. */
int mm_floor(int tid, int loc);

/*
 * Add to a hash what distinguishes this state from others for the future, if
 * these threads still run, and those that ended may be joined (canon.c).
 * Races are looked for at locations that mm_hash_plain() was told of; what
 * counts at a location is what the threads of mm_hash_user() may see, if they
 * take the lock first under which all accesses are (a location + 1; 0: none;
 * MM_IS_LOCK: this is one; locks: what each thread holds).  Both return
 * whether that is news, and hashes made before are void.
 */
#define MM_IS_LOCK	(-1)
void mm_hash(uint64_t h[2], unsigned int running, unsigned int joined,
	     const int locks[MM_THREADS], int with_races);
int mm_hash_plain(int loc);
int mm_hash_user(int tid, int loc, int lock);
void mm_hash_reset(void);

/* For traces. */
int mm_nr_events(int tid);
const struct mm_event *mm_event(int tid, int idx);

#endif /* MODEL_MEMORY_H */
