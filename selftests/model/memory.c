// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events, messages and views.  See memory.h; sequential consistency is in
 * psc.c.
 */
#include <stdlib.h>
#include <string.h>

#include "memory_private.h"

struct mm mm;

struct undo {
	void *p;
	uint64_t old;
	uint8_t size;
};

#define TRAIL	(1U << 20)

static struct undo trail[TRAIL];
static size_t trail_len;

static uint64_t peek(const void *p, size_t size)
{
	switch (size) {
	case 1:
		return *(const uint8_t *)p;
	case 2:
		return *(const uint16_t *)p;
	case 4:
		return *(const uint32_t *)p;
	default:
		return *(const uint64_t *)p;
	}
}

static void poke(void *p, size_t size, uint64_t value)
{
	switch (size) {
	case 1:
		*(uint8_t *)p = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)p = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)p = (uint32_t)value;
		break;
	default:
		*(uint64_t *)p = value;
		break;
	}
}

void mm_set(void *p, size_t size, uint64_t value)
{
	MM_CHECK(trail_len < TRAIL, "trail is full");
	trail[trail_len++] = (struct undo){ p, peek(p, size), (uint8_t)size };
	poke(p, size, value);
}

size_t mm_mark(void)
{
	return trail_len;
}

void mm_undo(size_t mark)
{
	while (trail_len > mark) {
		const struct undo *u = &trail[--trail_len];

		poke(u->p, u->size, u->old);
	}
}

void mm_reset(void)
{
	int i;

	trail_len = 0;
	memset(&mm, 0, offsetof(struct mm, views));
	mm.nr_msgs = MM_LOCS;
	for (i = 0; i < MM_LOCS; i++) {
		int t;

		mm.msg[i].loc = (uint16_t)i;
		mm.msg[i].tid = MM_INIT;
		mm.mo[i][0] = (uint16_t)i;
		mm.nr_mo[i] = 1;
		for (t = 0; t < MM_THREADS; t++) {
			mm.thread[t].cur.at[i] = (uint16_t)i;
			mm.thread[t].acq.at[i] = (uint16_t)i;
		}
	}
}

void mm_init_location(int loc, uint64_t value)
{
	MM_CHECK(loc < MM_LOCS, "too many locations");
	if (loc >= mm.nr_locs)
		mm.nr_locs = loc + 1;
	mm.msg[loc].value = value;
}

static void join_clock(struct mm_clock *to, const struct mm_clock *from)
{
	int t;

	for (t = 0; t < MM_THREADS; t++)
		if (from->at[t] > to->at[t])
			MM_SET(to->at[t], from->at[t]);
}

static void raise_at(struct mm_view *v, int loc, int msg)
{
	if (mm.msg[msg].rank > mm.msg[v->at[loc]].rank)
		MM_SET(v->at[loc], msg);
}

static void join_view(struct mm_view *to, const struct mm_view *from)
{
	int i;

	for (i = 0; i < mm.nr_locs; i++)
		if (from->at[i] != to->at[i])
			raise_at(to, i, from->at[i]);
	join_clock(&to->hb, &from->hb);
	join_clock(&to->seen, &from->seen);
}

static struct mm_view *snapshot(const struct mm_view *v)
{
	struct mm_view *s;

	MM_CHECK(mm.nr_views < MM_VIEWS, "too many views");
	s = &mm.views[mm.nr_views];
	MM_SET(mm.nr_views, mm.nr_views + 1);
	*s = *v;
	return s;
}

static int acquires(enum explorer_order o)
{
	return o == EXPLORER_ACQ || o == EXPLORER_ACQ_REL || o == EXPLORER_SC;
}

static int releases(enum explorer_order o)
{
	return o == EXPLORER_REL || o == EXPLORER_ACQ_REL || o == EXPLORER_SC;
}

static struct mm_event *new_event(int tid, const struct explorer_site *site,
				  enum explorer_kind kind,
				  enum explorer_order order)
{
	struct mm_thread *th = &mm.thread[tid];
	struct mm_event *e;

	MM_CHECK(th->nr_events < MM_EVENTS, "too many events");
	e = &mm.event[tid][th->nr_events];
	MM_SET(th->nr_events, th->nr_events + 1);
	*e = (struct mm_event){
		.site = site, .kind = kind, .order = order, .loc = MM_NOLOC,
		.rmsg = -1, .wmsg = -1, .sc = -1, .hb = th->cur.hb,
	};
	return e;
}

static int new_message(int tid, const struct mm_access *a,
		       const struct mm_event *e)
{
	int rank = mm.msg[a->after].rank + 1;
	struct mm_message *m;
	int msg, i;

	MM_CHECK(mm.nr_msgs < MM_MSGS && mm.nr_mo[a->loc] < MM_MO,
		 "too many messages");
	msg = mm.nr_msgs;
	MM_SET(mm.nr_msgs, msg + 1);
	m = &mm.msg[msg];
	*m = (struct mm_message){
		.value = a->value, .loc = (uint16_t)a->loc,
		.idx = (uint16_t)(mm.thread[tid].nr_events - 1),
		.rank = (uint16_t)rank, .tid = (uint8_t)tid,
		.whb = e->hb, .rhb = e->hb,
	};
	for (i = mm.nr_mo[a->loc]; i > rank; i--) {
		int moved = mm.mo[a->loc][i - 1];

		MM_SET(mm.mo[a->loc][i], moved);
		MM_SET(mm.msg[moved].rank, i);
	}
	MM_SET(mm.mo[a->loc][rank], msg);
	MM_SET(mm.nr_mo[a->loc], mm.nr_mo[a->loc] + 1);
	return msg;
}

/* Two accesses race if one is plain, one writes, and neither is first. */
static int races(int tid, const struct mm_access *a, const struct mm_event *e)
{
	int i;

	for (i = mm.log_head[a->loc]; i; i = mm.log[i].next) {
		const struct mm_log *l = &mm.log[i];
		const struct mm_event *f = &mm.event[l->tid][l->idx];

		if (l->tid == tid || mm_before(l->tid, l->idx, &e->hb))
			continue;
		if (f->wmsg < 0 && a->after < 0)
			continue;
		if (f->order == EXPLORER_PLAIN || a->order == EXPLORER_PLAIN)
			return 1;
	}
	return 0;
}

static void log_access(int tid, int loc)
{
	int n = mm.nr_log + 1;

	MM_CHECK(n < MM_LOG, "too many accesses");
	mm.log[n].tid = (uint8_t)tid;
	mm.log[n].idx = (uint16_t)(mm.thread[tid].nr_events - 1);
	mm.log[n].next = mm.log_head[loc];
	MM_SET(mm.nr_log, n);
	MM_SET(mm.log_head[loc], n);
}

enum mm_result mm_access(int tid, const struct mm_access *a)
{
	struct mm_thread *th = &mm.thread[tid];
	struct mm_clock before = th->cur.hb;
	const struct mm_view *carried = NULL;
	struct mm_event *e;

	if (a->rmsg >= 0) {
		const struct mm_message *r = &mm.msg[a->rmsg];

		raise_at(&th->cur, a->loc, a->rmsg);
		join_clock(&th->cur.seen, &r->whb);
		carried = r->view;
		if (carried)
			join_view(acquires(a->order) ? &th->cur : &th->acq,
				  carried);
	}
	e = new_event(tid, a->site, a->kind, a->order);
	e->loc = (uint16_t)a->loc;
	e->rmsg = (int16_t)a->rmsg;
	MM_SET(th->cur.hb.at[tid], th->nr_events);
	if (a->rmsg >= 0) {
		join_clock(&mm.msg[a->rmsg].rhb, &e->hb);
		if (a->after >= 0)
			MM_SET(mm.msg[a->rmsg].rmw_next, 1);
	}
	if (a->after >= 0) {
		struct mm_message *w;

		e->wmsg = (int16_t)new_message(tid, a, e);
		w = &mm.msg[e->wmsg];
		raise_at(&th->cur, a->loc, e->wmsg);
		w->view = releases(a->order) ? snapshot(&th->cur) : th->rel;
		if (carried && w->view) {
			struct mm_view *v = snapshot(w->view);

			join_view(v, carried);
			w->view = v;
		} else if (carried) {
			w->view = carried;
		}
	}
	if (races(tid, a, e))
		return MM_RACE;
	log_access(tid, a->loc);
	return psc_access(tid, e, &before);
}

enum mm_result mm_fence(int tid, enum explorer_order order,
			const struct explorer_site *site)
{
	struct mm_thread *th = &mm.thread[tid];
	struct mm_event *e;

	if (acquires(order))
		join_view(&th->cur, &th->acq);
	e = new_event(tid, site, EXPLORER_FENCE, order);
	MM_SET(th->cur.hb.at[tid], th->nr_events);
	if (releases(order))
		mm_set(&th->rel, sizeof(uintptr_t),
		       (uintptr_t)snapshot(&th->cur));
	return order == EXPLORER_SC ? psc_fence(tid, e) : MM_OK;
}

void mm_join(int tid, int other)
{
	join_view(&mm.thread[tid].cur, &mm.thread[other].cur);
}

int mm_nr_messages(int loc)
{
	return mm.nr_mo[loc];
}

int mm_message_at(int loc, int rank)
{
	return mm.mo[loc][rank];
}

const struct mm_message *mm_message(int msg)
{
	return &mm.msg[msg];
}

int mm_floor(int tid, int loc)
{
	return mm.msg[mm.thread[tid].cur.at[loc]].rank;
}

int mm_nr_events(int tid)
{
	return mm.thread[tid].nr_events;
}

const struct mm_event *mm_event(int tid, int idx)
{
	return &mm.event[tid][idx];
}
