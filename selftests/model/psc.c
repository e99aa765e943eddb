// SPDX-License-Identifier: GPL-2.0-only
/*
 * RC11's condition for sequential consistency, kept up to date event by event:
 * psc, a relation on seq_cst events, must be acyclic.
 *
 *	scb      = sb | sb'; hb; sb' | hb on one location | mo | fr
 *	           (sb': between accesses of different locations)
 *	psc_base = ([SC] | [F]; hb?); scb; ([SC] | hb?; [F])
 *	psc_F    = [F]; (hb | hb; eco; hb); [F]
 *	psc      = psc_base | psc_F         (F: seq_cst fences, SC: those and
 *	                                     seq_cst accesses)
 *
 * Each edge is found when the last event that it needs is added: either its
 * end, or an access in the middle of it.  The comments name the rule by which
 * an edge exists.  axioms.c has the same relation written down literally, and
 * litmus.c compares the two on random programs.
 */
#include <string.h>

#include "memory_private.h"

static const struct mm_event *sc_event(int s)
{
	return &mm.event[mm.sc[s].tid][mm.sc[s].idx];
}

static int is_fence(int s)
{
	return mm.sc[s].view != NULL;
}

/* Is s before the event whose clock is c? */
static int sc_before(int s, const struct mm_clock *c)
{
	return mm_before(mm.sc[s].tid, mm.sc[s].idx, c);
}

/* Returns 0 if that closes a cycle. */
static int add_edge(int from, int to)
{
	uint64_t gain = mm.after[to] | 1ULL << to;
	int i;

	if (gain & 1ULL << from)
		return 0;
	if (mm.after[from] & 1ULL << to)
		return 1;
	for (i = 0; i < mm.nr_sc; i++)
		if (i == from || mm.after[i] & 1ULL << from)
			MM_SET(mm.after[i], mm.after[i] | gain);
	return 1;
}

static int new_sc(int tid, struct mm_event *e, const struct mm_view *view)
{
	int s = mm.nr_sc;

	if (s == MM_SC)
		return -1;
	MM_SET(mm.nr_sc, s + 1);
	if (view)
		MM_SET(mm.nr_sc_fences, mm.nr_sc_fences + 1);
	mm.sc[s].tid = (uint8_t)tid;
	mm.sc[s].idx = (uint16_t)(mm.thread[tid].nr_events - 1);
	mm.sc[s].view = view;
	MM_SET(mm.after[s], 0);
	e->sc = (int16_t)s;
	return s;
}

/* Is there a write of loc behind rank that is before the event of clock c? */
static int write_before(int loc, int rank, const struct mm_clock *c)
{
	int r;

	for (r = rank + 1; r < mm.nr_mo[loc]; r++) {
		const struct mm_message *m = &mm.msg[mm.mo[loc][r]];

		if (mm_before(m->tid, m->idx, c))
			return 1;
	}
	return 0;
}

/* An access of loc, before clock c, that (from, or what follows it) precedes */
static int access_between(int s, int loc, const struct mm_clock *c,
			  const struct mm_event *but)
{
	int i;

	for (i = mm.log_head[loc]; i; i = mm.log[i].next) {
		const struct mm_event *f =
			&mm.event[mm.log[i].tid][mm.log[i].idx];

		if (f != but && mm_before(mm.log[i].tid, mm.log[i].idx, c) &&
		    sc_before(s, &f->hb))
			return 1;
	}
	return 0;
}

/* s sb' b hb c sb' e, for e of thread tid at loc? */
static int by_other_locations(int s, int tid, int loc)
{
	const struct mm_event *a = sc_event(s);
	int u = mm.sc[s].tid;
	int b, c;

	for (b = mm.sc[s].idx + 1; b < mm.thread[u].nr_events; b++)
		if (mm.event[u][b].loc != a->loc)
			break;
	/* The last event of ours elsewhere knows the most. */
	for (c = mm.thread[tid].nr_events - 2; c >= 0; c--)
		if (mm.event[tid][c].loc != loc)
			break;
	return c >= 0 && b < mm.event[tid][c].hb.at[u];
}

/* The edges into a new access that come by happens-before. */
static int hb_into_access(int e, int tid, const struct mm_event *ev,
			  const struct mm_clock *before)
{
	int s;

	for (s = 0; s < e; s++) {
		int edge = 0;

		if (mm.sc[s].tid == tid)
			edge = 1;			/* sb */
		else if (is_fence(s))
			edge = sc_before(s, before) ||	/* [F]; hb?; sb */
				access_between(s, ev->loc, &ev->hb, ev);
		else if (sc_event(s)->loc == ev->loc)
			edge = sc_before(s, &ev->hb);	/* hb on a location */
		if (!edge && !is_fence(s) && mm.sc[s].tid != tid)
			edge = by_other_locations(s, tid, ev->loc);
		if (edge && !add_edge(s, e))
			return 0;
	}
	return 1;
}

/* The edges into a new write: [SC] or [F]; hb?, then mo or fr. */
static int mo_into_write(int e, const struct mm_event *ev)
{
	int rank = mm.msg[ev->wmsg].rank;
	int s, r;

	for (s = 0; s < mm.nr_sc; s++) {
		const struct mm_event *a = sc_event(s);

		if (s == e)
			continue;
		if (is_fence(s)) {
			for (r = 0; r < rank; r++) {
				const struct mm_message *m =
					&mm.msg[mm.mo[ev->loc][r]];

				if (sc_before(s, &m->rhb)) {
					if (!add_edge(s, e))
						return 0;
					break;
				}
			}
		} else if (a->loc == ev->loc) {
			int at = a->rmsg >= 0 ? a->rmsg : a->wmsg;

			if (mm.msg[at].rank < rank && !add_edge(s, e))
				return 0;
		}
	}
	return 1;
}

/*
 * The edges that go through a new access, or out of it, over mo and fr: to
 * seq_cst writes that it is before, and to fences that know of such writes.
 */
static int mo_out(int e, const struct mm_event *ev)
{
	int rank = mm.msg[ev->rmsg >= 0 ? ev->rmsg : ev->wmsg].rank;
	int s, f;

	for (s = 0; s < mm.nr_sc; s++) {
		const struct mm_event *b = sc_event(s);
		int through, out;

		if (s == e)
			continue;
		if (is_fence(s)) {
			const struct mm_view *v = mm.sc[s].view;

			/* [F]; hb; eco; hb; [F]: what it knows, read or hb */
			through = mm.msg[v->at[ev->loc]].rank > rank;
			/* [SC]; (mo | fr); hb; [F] */
			out = e >= 0 && write_before(ev->loc, rank, &b->hb);
		} else {
			through = b->loc == ev->loc && b->wmsg >= 0 &&
				mm.msg[b->wmsg].rank > rank;
			out = e >= 0 && through;
		}
		if (out && !add_edge(e, s))
			return 0;
		for (f = 0; through && f < mm.nr_sc; f++)
			if (is_fence(f) && sc_before(f, &ev->hb) &&
			    !add_edge(f, s))
				return 0;
	}
	return 1;
}

enum mm_result psc_access(int tid, struct mm_event *e,
			  const struct mm_clock *before)
{
	int s = -1;

	if (e->order == EXPLORER_SC) {
		s = new_sc(tid, e, NULL);
		if (s < 0)
			return MM_LIMIT;
		if (!hb_into_access(s, tid, e, before))
			return MM_INCONSISTENT;
		if (e->wmsg >= 0 && !mo_into_write(s, e))
			return MM_INCONSISTENT;
	}
	if ((s >= 0 || mm.nr_sc_fences) && !mo_out(s, e))
		return MM_INCONSISTENT;
	return MM_OK;
}

/* Does fence s have hb; eco; hb to a fence whose view is v? */
static int eco_known(int s, const struct mm_view *v)
{
	int loc, r;

	if (sc_before(s, &v->seen))		/* eco = rf */
		return 1;
	for (loc = 0; loc < mm.nr_locs; loc++) {
		int rank = mm.msg[v->at[loc]].rank;

		for (r = 0; r < rank; r++)
			if (sc_before(s, &mm.msg[mm.mo[loc][r]].rhb))
				return 1;
	}
	return 0;
}

enum mm_result psc_fence(int tid, struct mm_event *e)
{
	/* The fence's view was just attached to the thread's later writes. */
	const struct mm_view *v = mm.thread[tid].rel;
	int f = new_sc(tid, e, v);
	int s;

	if (f < 0)
		return MM_LIMIT;

	for (s = 0; s < f; s++) {
		const struct mm_event *a = sc_event(s);
		int edge;

		if (mm.sc[s].tid == tid) {
			edge = 1;
		} else if (is_fence(s)) {
			edge = sc_before(s, &e->hb) || eco_known(s, v);
		} else {
			int at = a->rmsg >= 0 ? a->rmsg : a->wmsg;

			/* sb; hb, or hb on a location; hb, or mo, fr; hb */
			edge = mm.sc[s].idx + 1 < e->hb.at[mm.sc[s].tid] ||
				access_between(s, a->loc, &e->hb, NULL) ||
				write_before(a->loc, mm.msg[at].rank, &e->hb);
		}
		if (edge && !add_edge(s, f))
			return MM_INCONSISTENT;
	}
	return MM_OK;
}
