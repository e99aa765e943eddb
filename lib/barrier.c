// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Barriers.  See <shmchan/barrier.h>.
 *
 * The object's word:
 *
 *	 63                     24 23                  2    1         0
 *	+-------------------------+---------------------+---------+--------+
 *	|          phase          |    registrations    | pending |  died  |
 *	+-------------------------+---------------------+---------+--------+
 *
 * died: a party died in the phase before this one; pending: in this one, and its
 * cell cannot tell any more.  A cell's value: bit 31, this is a party; below, the
 * next phase in which it has to arrive (its low bits).  So in phase p a party
 *
 *	has p there		has not arrived
 *	has p + 1 or p + 2	has arrived; or registered in p; or both
 *	has less		is dead, and that is no news any more; or is just
 *				registering, and will find that the phase has moved
 *
 * Phase 0 is the one in which the first parties gather.  Nobody is to arrive in it:
 * it ends when as many have registered as the option says.
 *
 *	arrives, or goes		sleeps
 *	a  own cell			1  members_seq
 *	b  fence			2  b to d
 *	c  word, all cells, slots of	3  sleeps, unless 1 has changed
 *	   those who are missing
 *	d  nobody missing: CAS of
 *	   the word
 *
 * Fences are in one order: of two that arrive at once the later one sees both.  And
 * who arrives and does not sleep sees dead whom a sleeper has taken note of at 1:
 * the sleeper will not look at that again, so if its fence came first, then it did
 * not see a, and relies on c.
 *
 * Who registers stores its cell and then counts itself in the word: whoever looked at
 * the cells before that fails at d, and looks again.  (Unless 2^22 register, or 2^40
 * phases pass, while it looks.)
 *
 * Whether a party died is in the word that moves the phase on, from cells that cannot
 * change any more but by who comes next in a slot, which says pending before it
 * overwrites one.  So all of a phase are told the same.
 */

#include <shmchan/barrier.h>
#include <shmchan/guard.h>

#ifndef SHMCHAN_EXPLORER
#include <string.h>

#include "backend.h"
#endif
#include "sync_cells_private.h"

#define DIED	1ULL
#define PENDING	2ULL
#define PARTY	(1U << 31)
#define MASK	(PARTY - 1)

#define REGISTRATION		4ULL
#define REGISTRATIONS		(((1ULL << 22) - 1) << 2)
#define PHASE_SHIFT		24
#define PHASES			(1ULL << 40)

static uint64_t barrier_phase_of(uint64_t w)
{
	return w >> PHASE_SHIFT;
}

/* The word in the next phase. */
static uint64_t barrier_next_of(uint64_t w, uint64_t died)
{
	return (barrier_phase_of(w) + 1) << PHASE_SHIFT | (w & REGISTRATIONS) |
	       died;
}

/* How many phases from here is the one that this party is to arrive in? */
static uint32_t barrier_ahead(uint64_t cell, uint64_t phase)
{
	return ((uint32_t)cell - (uint32_t)phase) & MASK;
}

/* Too far to be anything but behind. */
static int barrier_is_behind(uint64_t cell, uint64_t phase)
{
	return barrier_ahead(cell, phase) > MASK / 2;
}

/*
 * May the phase of this word end?  *died: a party died in it.  There is always
 * somebody who waits in the next phase, or in the one after that.
 */
static int barrier_complete(struct shmchan_barrier *b, uint64_t w, uint64_t *died)
{
	uint64_t phase = barrier_phase_of(w);
	uint32_t slot, parties = 0;

	*died = w & PENDING ? DIED : 0;
	for (slot = 0; slot < b->o.region->nr_slots; slot++) {
		uint64_t *word = shmchan_sync__cell(&b->cells, slot);
		/* What was done before it arrived; d hands it on to all. */
		uint64_t cell = shmchan_load_acquire(word);

		if (!(cell & PARTY) || barrier_is_behind(cell, phase))
			continue;
		if (shmchan__sync_cell_lives(&b->o, slot, cell)) {
			if (!barrier_ahead(cell, phase)) {
				b->missing = slot;
				return 0;
			}
			parties++;
			continue;
		}
		/* It may have arrived since we looked, and then died. */
		cell = shmchan_load_relaxed(word);
		if (cell & PARTY && !barrier_ahead(cell, phase))
			*died = DIED;
	}
	b->missing = ~0U;
	return parties && (phase || parties >= b->parties);
}

/*
 * Move the phase on, as far as it goes, and wake who waits for that.  Living
 * parties are two phases ahead at most, and who comes nearer moves it on itself; a
 * cell that is further ahead is nonsense, and does not keep us here for it.
 */
#define MOVES_MAX	8

static int barrier_advance(struct shmchan_barrier *b)
{
	uint64_t *word = &b->o.line->word, w, died;
	int moved = 0;

	/* Pairs with itself, in all who arrive, go or sleep: see above. */
	shmchan_fence_seq_cst();
	/* Acquires: the cells of all who are counted in it are to be seen. */
	w = shmchan_load_acquire(word);
	while (moved < MOVES_MAX && barrier_complete(b, w, &died)) {
		uint64_t next = barrier_next_of(w, died);

		if (!shmchan_cas(word, &w, next))
			continue;
		w = next;
		moved++;
	}
	return moved ? shmchan_sync__notify(&b->o, 0) :
		       shmchan_region_check(b->o.region);
}

static void barrier_say(struct shmchan_barrier *b, uint32_t value)
{
	shmchan_store_release(b->cells.own,
		shmchan_sync__said(b->o.region->generation, value));
}

static uint32_t barrier_party(uint64_t next)
{
	return PARTY | ((uint32_t)next & MASK);
}

/*
 * Whoever held our slot before us may have died as a party, and its cell is all
 * that tells of it: say it elsewhere before we write over it.  Returns the phase.
 */
static uint64_t barrier_bequeath(struct shmchan_barrier *b, uint64_t cell)
{
	uint64_t w = shmchan_load_relaxed(&b->o.line->word);

	while (cell & PARTY && !barrier_is_behind(cell, barrier_phase_of(w)) &&
	       !(w & PENDING) && !shmchan_cas(&b->o.line->word, &w, w | PENDING))
		;
	/* Said before the cell is overwritten, killed or not. */
	shmchan_crash_fence();
	return w;
}

/*
 * Say that we are a party from the next phase on, and be counted.  The phase may
 * move meanwhile.  By one: who moved it may have counted on us for this one, and then
 * it does not end without us; we are counted in it.  By more: we were not there.
 */
static void barrier_enrol(struct shmchan_barrier *b, uint64_t w)
{
	uint64_t after;

	do {
		b->next = barrier_phase_of(w) + 1;
		barrier_say(b, barrier_party(b->next));
		do {
			after = (w & ~REGISTRATIONS) |
				((w + REGISTRATION) & REGISTRATIONS);
			if (shmchan_cas(&b->o.line->word, &w, after))
				return;
		} while (!barrier_is_behind(b->next, barrier_phase_of(w)));
	} while (1);
}

static int barrier_not_a_party(const struct shmchan_barrier *b)
{
	int err = shmchan_region_check(b->o.region);

	return err ? err : sync_fail(EPERM,
		"barrier: not a party: shmchan_barrier_register() comes first");
}

/* All calls begin and end so; EBUSY: two threads are in one at a time. */
static int barrier_begin(struct shmchan_barrier *b)
{
	int err = shmchan__sync_enter(b ? &b->o : NULL);

	return err ? err : shmchan__enter(&b->busy, "barrier");
}

static int barrier_end(struct shmchan_barrier *b, int ret)
{
	shmchan__leave(&b->busy);
	return ret;
}

static int barrier_register(struct shmchan_barrier *b)
{
	uint64_t cell = shmchan_load_relaxed(b->cells.own);

	if (cell >> 32 == b->o.region->generation && cell & PARTY)
		return sync_fail(EBUSY,
			"barrier: this member, slot %u, is a party already",
			b->o.region->slot);
	barrier_enrol(b, barrier_bequeath(b, cell));
	b->registered = 1;
	b->waiting = 0;
	/* The first phase may have waited for us. */
	return barrier_advance(b);
}

int shmchan_barrier_register(struct shmchan_barrier *b)
{
	int err = barrier_begin(b);

	return err ? err : barrier_end(b, barrier_register(b));
}

static int barrier_unregister(struct shmchan_barrier *b)
{
	if (!b->registered)
		return barrier_not_a_party(b);
	b->registered = 0;
	b->waiting = 0;
	barrier_say(b, 0);
	return barrier_advance(b);
}

int shmchan_barrier_unregister(struct shmchan_barrier *b)
{
	int err = barrier_begin(b);

	return err ? err : barrier_end(b, barrier_unregister(b));
}

/* Our own part of arriving, once in a phase. */
static int barrier_mark(struct shmchan_barrier *b)
{
	if (!b->registered)
		return barrier_not_a_party(b);
	if (b->waiting)
		return 0;
	b->next++;
	b->waiting = 1;
	barrier_say(b, barrier_party(b->next));
	return 0;
}

int shmchan_barrier_arrive(struct shmchan_barrier *b)
{
	int err = barrier_begin(b);

	if (err)
		return err;
	err = barrier_mark(b);
	return barrier_end(b, err ? err : barrier_advance(b));
}

/* It is not over, and no time is left to wait for that. */
static int barrier_not_over(const struct shmchan_barrier *b, int err)
{
	if (b->missing == ~0U)
		return sync_fail_lazily(err,
			"barrier: not so many have registered as it begins with, %llu",
			(unsigned long long)b->parties);
	return sync_fail_lazily(err,
		"barrier: phase %llu is not over: slot %llu, for one, has not arrived",
		(unsigned long long)b->next - 1,
		(unsigned long long)b->missing);
}

/* The phase that we have arrived in is over. */
static int barrier_over(struct shmchan_barrier *b, uint64_t w)
{
	b->waiting = 0;
	if (!(w & DIED))
		return shmchan_region_check(b->o.region);
	return sync_fail(EOWNERDEAD,
		"barrier: phase %llu has ended, in which a party died before it had arrived",
		(unsigned long long)b->next - 1);
}

static int barrier_wait(struct shmchan_barrier *b, int64_t timeout_ns)
{
	uint64_t *word, deadline = 0, members, w;
	int err, timed_out = 0;

	err = barrier_mark(b);
	if (err)
		return err;
	word = &b->o.line->word;
	for (;;) {
		/* Who dies before this is missed by nobody, behind it wakes us. */
		members = shmchan_members_seq(b->o.region);
		err = barrier_advance(b);
		if (err)
			return err;
		w = shmchan_load_acquire(word);
		/* It cannot go further without us. */
		if (((barrier_phase_of(w) - b->next) & (PHASES - 1)) < PHASES / 2)
			return barrier_over(b, w);
		if (timed_out)
			return barrier_not_over(b, ETIMEDOUT);
		if (!timeout_ns) {
#ifndef SHMCHAN_EXPLORER
			if (shmchan_region_poll_members(b->o.region) > 0)
				continue;
#endif
			return barrier_not_over(b, EAGAIN);
		}
		if (!deadline)
			deadline = shmchan_deadline(timeout_ns);
		err = shmchan__sync_wait(&b->o,
			&(struct shmchan__seen){ word, w }, 1, members,
			deadline);
		if (err && err != -ETIMEDOUT)
			return err;
		timed_out = err == -ETIMEDOUT;
	}
}

int shmchan_barrier_timedwait(struct shmchan_barrier *b, int64_t timeout_ns)
{
	int err = barrier_begin(b);

	return err ? err : barrier_end(b, barrier_wait(b, timeout_ns));
}

uint64_t shmchan_barrier__phase(const struct shmchan_barrier *b)
{
	uint64_t phase;

	/* It writes nothing there. */
	if (shmchan__sync_enter(b ? (struct shmchan_sync_object *)&b->o : NULL))
		return 0;
	phase = barrier_phase_of(shmchan_load_acquire(&b->o.line->word));
	return phase ? phase - 1 : 0;
}

#ifndef SHMCHAN_EXPLORER
int shmchan_barrier_attach(struct shmchan_barrier *b,
			   const struct shmchan_place *place,
			   const struct shmchan_barrier_opts *opts)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), sizeof(*opts), "SHMCHAN_BARRIER_OPTS",
	};
	static const struct shmchan_barrier_opts defaults = {
		.size = sizeof(defaults),
	};
	struct shmchan_barrier_opts o;
	int err;

	if (!b)
		return shmchan__fail(EINVAL, "barrier: the handle is NULL");
	memset(b, 0, sizeof(*b));
	err = shmchan__take_opts(&o, &type, opts ? opts : &defaults);
	if (!err && place && place->region &&
	    o.parties > place->region->nr_slots)
		err = shmchan__fail(EINVAL,
			"barrier: %u parties, but %s has %u slots", o.parties,
			shmchan__name_of(place->region),
			place->region->nr_slots);
	if (!err)
		err = shmchan__sync_cells_check(place, o.cells_offset,
						o.cells_stride);
	if (!err)
		err = shmchan__sync_attach(&b->o, place, SHMCHAN_SYNC_BARRIER,
			o.parties,
			shmchan__sync_cells_size(place, o.cells_offset));
	if (!err)
		err = shmchan__sync_cells_attach(&b->o, &b->cells,
						 o.cells_offset,
						 o.cells_stride);
	if (err) {
		/* A handle that was not attached is of no use, and says so. */
		memset(b, 0, sizeof(*b));
		return err;
	}
	b->parties = o.parties;
	return 0;
}
#endif
