// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which states of memory are the same?  Two graphs are, if everything that can
 * still happen is the same in both.  So what is hashed is not the graph but
 * what memory.c and psc.c will ever ask of it:
 *
 *  - of each location the messages that some running thread may still read,
 *    by their place behind the oldest such one, the *floor* (threads that
 *    never access the location, which is learned, do not count);
 *  - each view, where it is above the floor: of threads, and of messages;
 *  - of psc the events that are *live*: those that may still get an edge from
 *    a new event, and those behind them.  (A write gets one if a thread may
 *    still read something older; a fence, if one may read something older
 *    than it knows of.)  No cycle goes through the others any more.  With them
 *    goes each fact by which a new event will get an edge from them;
 *  - for races, if asked for, the newest access of each thread and kind to a location that
 *    has plain accesses, and who knows of it.
 *
 * Facts of happens-before are hashed as yes or no, not as clocks, so that it
 * does not matter how many events it took to get here.
 */
#include <string.h>

#include "explore_private.h"
#include "memory_private.h"

#define MAX_VIEWS	1024

struct seen_view {
	const uint16_t *at;
	const struct mm_clock *hb;
	const struct mm_clock *seen;
};

static uint16_t floor_of[MM_LOCS];
static struct seen_view view[MAX_VIEWS];
static int nr_view;
static uint8_t has_plain[MM_LOCS];
static uint8_t users[MM_LOCS];		/* threads that ever access it */
static int16_t lock_of[MM_LOCS];	/* see mm_hash_user() */
static struct mm_view fenced[MM_THREADS];

void mm_hash_reset(void)
{
	memset(has_plain, 0, sizeof(has_plain));
	memset(users, 0, sizeof(users));
}

int mm_hash_user(int tid, int loc, int lock)
{
	int news = !(users[loc] >> tid & 1);

	if (!users[loc]) {
		lock_of[loc] = (int16_t)lock;
	} else if (lock_of[loc] && lock_of[loc] != lock) {
		lock_of[loc] = 0;
		news = 1;
	}
	users[loc] |= (uint8_t)(1U << tid);
	return news;
}

/* Returns 1 if that is news. */
int mm_hash_plain(int loc)
{
	int news = !has_plain[loc];

	has_plain[loc] = 1;
	return news;
}

/* The oldest rank of loc that thread t may come to read. */
static int oldest(int t, int loc, const int locks[MM_THREADS])
{
	int r = mm.msg[mm.thread[t].cur.at[loc]].rank, lock = lock_of[loc];
	const struct mm_message *m;

	if (lock == MM_IS_LOCK)
		return mm.nr_mo[loc] - 1;
	if (!lock || locks[t] == lock)
		return r;
	/* It will take the lock first, from the newest message or later. */
	lock--;
	m = &mm.msg[mm.mo[lock][mm.nr_mo[lock] - 1]];
	if (m->view && mm.msg[m->view->at[loc]].rank > r)
		r = mm.msg[m->view->at[loc]].rank;
	return r;
}

static void find_floors(unsigned int running, const int locks[MM_THREADS])
{
	int i, t;

	for (i = 0; i < mm.nr_locs; i++) {
		int low = mm.nr_mo[i] - 1;

		for (t = 0; t < MM_THREADS; t++) {
			int r;

			if (!((running & users[i]) >> t & 1))
				continue;
			r = oldest(t, i, locks);
			if (r < low)
				low = r;
		}
		floor_of[i] = (uint16_t)low;
	}
}

static void add_view(const struct mm_view *v)
{
	MM_CHECK(nr_view < MAX_VIEWS, "too many views to hash");
	view[nr_view++] = (struct seen_view){ v->at, &v->hb, &v->seen };
}

/* What an acquire fence would make of the thread's view. */
static void add_fenced(int tid)
{
	struct mm_view *f = &fenced[tid];
	const struct mm_view *acq = &mm.thread[tid].acq;
	int i;

	*f = mm.thread[tid].cur;
	for (i = 0; i < mm.nr_locs; i++)
		if (mm.msg[acq->at[i]].rank > mm.msg[f->at[i]].rank)
			f->at[i] = acq->at[i];
	for (i = 0; i < MM_THREADS; i++) {
		if (acq->hb.at[i] > f->hb.at[i])
			f->hb.at[i] = acq->hb.at[i];
		if (acq->seen.at[i] > f->seen.at[i])
			f->seen.at[i] = acq->seen.at[i];
	}
	add_view(f);
}

static int above(int loc, int msg)
{
	int r = mm.msg[msg].rank - floor_of[loc];

	return r > 0 ? r : 0;
}

static void hash_messages(uint64_t h[2])
{
	int i, r;

	for (i = 0; i < mm.nr_locs; i++) {
		int n = mm.nr_mo[i] - floor_of[i];

		hash_mix(h, (uint64_t)n);
		for (r = floor_of[i]; r < mm.nr_mo[i]; r++) {
			const struct mm_message *m = &mm.msg[mm.mo[i][r]];

			hash_mix(h, m->value);
			hash_mix(h, (uint64_t)m->rmw_next << 1 |
				 (m->view != NULL));
			if (m->view)
				add_view(m->view);
		}
	}
}

static void hash_views(uint64_t h[2])
{
	int v, i;

	for (v = 0; v < nr_view; v++) {
		hash_mix(h, 0x71e3);
		for (i = 0; i < mm.nr_locs; i++) {
			int a = above(i, view[v].at[i]);

			if (a)
				hash_mix(h, (uint64_t)i << 16 | (uint64_t)a);
		}
	}
}

static const struct mm_event *sc_event(int s)
{
	return &mm.event[mm.sc[s].tid][mm.sc[s].idx];
}

static uint64_t live_events(void)
{
	uint64_t live = 0;
	int s, i;

	for (s = 0; s < mm.nr_sc; s++) {
		const struct mm_event *e = sc_event(s);
		int may = 0;

		if (e->wmsg >= 0)
			may = above(e->loc, e->wmsg) > 0;
		for (i = 0; mm.sc[s].view && !may && i < mm.nr_locs; i++)
			may = above(i, mm.sc[s].view->at[i]) > 0;
		if (may)
			live |= 1ULL << s | mm.after[s];
	}
	return live;
}

static int knows(const struct mm_clock *c, int tid, int idx)
{
	return idx < c->at[tid];
}

/* s hb some access of loc hb the view? */
static int between(int s, int loc, const struct mm_clock *c)
{
	int i;

	for (i = mm.log_head[loc]; i; i = mm.log[i].next)
		if (knows(c, mm.log[i].tid, mm.log[i].idx) &&
		    knows(&mm.event[mm.log[i].tid][mm.log[i].idx].hb,
			  mm.sc[s].tid, mm.sc[s].idx))
			return 1;
	return 0;
}

static int newer_write(int loc, int rank, const struct mm_clock *c)
{
	int r;

	for (r = rank + 1; r < mm.nr_mo[loc]; r++) {
		const struct mm_message *m = &mm.msg[mm.mo[loc][r]];

		if (m->tid == MM_INIT || knows(c, m->tid, m->idx))
			return 1;
	}
	return 0;
}

/* The first event after s elsewhere; where the thread ends, if none. */
static int next_elsewhere(int s)
{
	int u = mm.sc[s].tid, b;

	for (b = mm.sc[s].idx + 1; b < mm.thread[u].nr_events; b++)
		if (mm.event[u][b].loc != sc_event(s)->loc)
			break;
	return b;
}

/* What each view knows of a live event. */
static void hash_knowledge(uint64_t h[2], int s)
{
	const struct mm_event *e = sc_event(s);
	int tid = mm.sc[s].tid, idx = mm.sc[s].idx;
	int fence = mm.sc[s].view != NULL;
	int msg = e->rmsg >= 0 ? e->rmsg : e->wmsg;
	int elsewhere = next_elsewhere(s), v;

	for (v = 0; v < nr_view; v++) {
		const struct mm_clock *c = view[v].hb;
		unsigned int bits;

		bits = (unsigned int)knows(c, tid, idx) |
			(unsigned int)knows(view[v].seen, tid, idx) << 1;
		if (!fence && bits & 1)
			bits |= (unsigned int)knows(c, tid, idx + 1) << 2 |
				(unsigned int)knows(c, tid, elsewhere) << 3 |
				(unsigned int)between(s, e->loc, c) << 4;
		if (!fence)
			bits |= (unsigned int)newer_write(e->loc,
					mm.msg[msg].rank, c) << 5;
		hash_mix(h, bits);
	}
}

static void hash_message_facts(uint64_t h[2], int s, int loc)
{
	const struct mm_event *e = sc_event(s);
	int tid = mm.sc[s].tid, idx = mm.sc[s].idx, r, older = 0;

	for (r = 0; r < mm.nr_mo[loc]; r++) {
		const struct mm_message *m = &mm.msg[mm.mo[loc][r]];
		unsigned int bits;

		if (r < floor_of[loc]) {
			older |= knows(&m->rhb, tid, idx);
			continue;
		}
		bits = (unsigned int)knows(&m->rhb, tid, idx) |
			(unsigned int)knows(&m->whb, tid, idx) << 1;
		if (m->view && mm.sc[s].view)
			bits |= (unsigned int)between(s, loc, &m->view->hb)
				<< 2;
		if (mm.sc[s].view && m->tid != MM_INIT)
			bits |= (unsigned int)knows(&e->hb, m->tid, m->idx)
				<< 3;
		if (bits)
			hash_mix(h, (uint64_t)bits << 16 |
				 (uint64_t)(r - floor_of[loc]));
	}
	hash_mix(h, (uint64_t)older);
}

/* The clocks with which threads will ask psc.c's by_other_locations(). */
static void hash_last_events(uint64_t h[2], uint64_t live, int t)
{
	int last = mm.thread[t].nr_events - 1, other, s;
	int loc = last >= 0 ? mm.event[t][last].loc : -1;

	hash_mix(h, (uint64_t)loc);
	for (other = last; other >= 0; other--)
		if (mm.event[t][other].loc != loc)
			break;
	for (s = 0; s < mm.nr_sc; s++) {
		unsigned int bits = 0;
		int b;

		if (!(live >> s & 1) || mm.sc[s].view)
			continue;
		b = next_elsewhere(s);
		if (last >= 0)
			bits |= (unsigned int)knows(&mm.event[t][last].hb,
						    mm.sc[s].tid, b);
		if (other >= 0)
			bits |= (unsigned int)knows(&mm.event[t][other].hb,
						    mm.sc[s].tid, b) << 1;
		hash_mix(h, bits);
	}
}

/* Live events in an order that does not depend on when they were added. */
static int live_list(uint64_t live, uint8_t list[MM_SC])
{
	int t, s, n = 0;

	for (t = 0; t < MM_THREADS; t++)
		for (s = 0; s < mm.nr_sc; s++)
			if (live >> s & 1 && mm.sc[s].tid == t)
				list[n++] = (uint8_t)s;
	return n;
}

static void hash_psc(uint64_t h[2], unsigned int running)
{
	uint64_t live = live_events();
	uint8_t list[MM_SC];
	int n = live_list(live, list), i, k, t;

	hash_mix(h, (uint64_t)n);
	for (i = 0; i < n; i++) {
		int s = list[i];
		const struct mm_event *e = sc_event(s);
		uint64_t after = 0;

		for (k = 0; k < n; k++)
			after |= (mm.after[s] >> list[k] & 1) << k;
		hash_mix(h, after);
		hash_mix(h, (uint64_t)mm.sc[s].tid << 32 | e->loc);
		if (e->loc != MM_NOLOC) {
			hash_mix(h, e->rmsg < 0 ? 0 : 1 + (uint64_t)
				 above(e->loc, e->rmsg));
			hash_mix(h, e->wmsg < 0 ? 0 : 1 + (uint64_t)
				 above(e->loc, e->wmsg));
			/* Below the floor, ranks still order them. */
			hash_mix(h, (uint64_t)mm.msg[e->rmsg < 0 ? e->wmsg :
				 e->rmsg].rank < floor_of[e->loc]);
		}
		for (k = 0; k < mm.nr_locs; k++) {
			if (mm.sc[s].view) {
				int a = above(k, mm.sc[s].view->at[k]);

				if (a)
					hash_mix(h, (uint64_t)k << 16 |
						 (uint64_t)a);
			}
			hash_message_facts(h, s, k);
		}
		hash_knowledge(h, s);
	}
	for (t = 0; t < MM_THREADS; t++)
		if (n && running >> t & 1)
			hash_last_events(h, live, t);
}

static void hash_races(uint64_t h[2])
{
	int loc, i, v;

	for (loc = 0; loc < mm.nr_locs; loc++) {
		uint32_t done = 0;

		if (!has_plain[loc])
			continue;
		for (i = mm.log_head[loc]; i; i = mm.log[i].next) {
			const struct mm_log *l = &mm.log[i];
			const struct mm_event *e = &mm.event[l->tid][l->idx];
			unsigned int class = l->tid * 4U +
				(e->wmsg >= 0 ? 2U : 0U) +
				(e->order == EXPLORER_PLAIN ? 1U : 0U);
			uint64_t bits = 1;

			if (done >> class & 1)
				continue;
			done |= 1U << class;
			for (v = 0; v < nr_view; v++) {
				bits = bits << 1 | (uint64_t)
					knows(view[v].hb, l->tid, l->idx);
				if (bits >> 62) {
					hash_mix(h, bits);
					bits = 1;
				}
			}
			hash_mix(h, bits);
			hash_mix(h, (uint64_t)loc << 8 | class);
		}
	}
}

void mm_hash(uint64_t h[2], unsigned int running, unsigned int joined,
	     const int locks[MM_THREADS], int with_races)
{
	static const struct mm_view nothing;
	int t;

	find_floors(running, locks);
	nr_view = 0;
	for (t = 0; t < MM_THREADS; t++) {
		if (running >> t & 1) {
			add_view(&mm.thread[t].cur);
			add_fenced(t);
			add_view(mm.thread[t].rel ? mm.thread[t].rel :
				 &nothing);
			hash_mix(h, mm.thread[t].rel != NULL);
		} else if (joined >> t & 1) {
			add_view(&mm.thread[t].cur);
		}
	}
	hash_messages(h);
	hash_views(h);
	hash_psc(h, running);
	if (with_races)
		hash_races(h);
}
