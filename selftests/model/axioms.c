// SPDX-License-Identifier: GPL-2.0-only
/*
 * RC11 taken literally: all reads-from and modification orders of a litmus
 * program are enumerated, and the axioms of the paper evaluated on relations
 * as sets of pairs.  Slow, independent of the explorer, and easy to compare
 * with the paper (without CAS, whose events depend on values).
 *
 *	coherence	hb; eco? is irreflexive
 *	atomicity	rmw & (fr; mo) is empty; here an RMW is one event, so:
 *			fr; mo from it does not come back to it, nor does eco
 *	sc		psc is acyclic
 *	no thin air	sb | rf is acyclic
 */
#include <stdlib.h>
#include <string.h>

#include "litmus.h"

#define MAXE	32

typedef uint32_t rel[MAXE];	/* row a, bit b: a -> b */

struct graph {
	const struct litmus *l;
	struct outcomes *out;
	int n;
	const struct litmus_op *op[MAXE];	/* NULL: initial write */
	int tid[MAXE], loc[MAXE];
	int rf[MAXE];			/* of a read: the write */
	int order[MAXE];		/* of a write: place in mo */
	int writes[LITMUS_LOCS][MAXE], nr_writes[LITMUS_LOCS];
};

static int is_read(const struct graph *g, int e)
{
	return g->op[e] && g->op[e]->kind != EXPLORER_STORE &&
		g->op[e]->kind != EXPLORER_FENCE;
}

static int is_write(const struct graph *g, int e)
{
	return !g->op[e] || (g->op[e]->kind != EXPLORER_LOAD &&
			     g->op[e]->kind != EXPLORER_FENCE);
}

static int is_fence(const struct graph *g, int e)
{
	return g->op[e] && g->op[e]->kind == EXPLORER_FENCE;
}

static int has(const struct graph *g, int e, int acquire, int release)
{
	enum explorer_order o = g->op[e] ? g->op[e]->order : EXPLORER_NONE;

	return (acquire && (o == EXPLORER_ACQ || o == EXPLORER_ACQ_REL ||
			    o == EXPLORER_SC)) ||
	       (release && (o == EXPLORER_REL || o == EXPLORER_ACQ_REL ||
			    o == EXPLORER_SC));
}

static int is_sc(const struct graph *g, int e)
{
	return g->op[e] && g->op[e]->order == EXPLORER_SC;
}

static void compose(const struct graph *g, rel out, const rel a, const rel b)
{
	rel r = { 0 };
	int i, j;

	for (i = 0; i < g->n; i++) {
		r[i] = 0;
		for (j = 0; j < g->n; j++)
			if (a[i] >> j & 1)
				r[i] |= b[j];
	}
	memcpy(out, r, sizeof(r));
}

static void unite(const struct graph *g, rel out, const rel a, const rel b)
{
	int i;

	for (i = 0; i < g->n; i++)
		out[i] = a[i] | b[i];
}

static void closure(const struct graph *g, rel r)
{
	int i, k;

	for (k = 0; k < g->n; k++)
		for (i = 0; i < g->n; i++)
			if (r[i] >> k & 1)
				r[i] |= r[k];
}

static void maybe(const struct graph *g, rel out, const rel a)
{
	int i;

	for (i = 0; i < g->n; i++)
		out[i] = a[i] | 1U << i;
}

static int reflexive(const struct graph *g, const rel r)
{
	int i;

	for (i = 0; i < g->n; i++)
		if (r[i] >> i & 1)
			return 1;
	return 0;
}

/* Keep only pairs that begin in from and end in to (bit sets). */
static void restrict_to(const struct graph *g, rel out, const rel a,
			uint32_t from, uint32_t to)
{
	int i;

	for (i = 0; i < g->n; i++)
		out[i] = from >> i & 1 ? a[i] & to : 0;
}

/* One location (same), or not (both have one and they differ, or a fence). */
static void by_location(const struct graph *g, rel out, const rel a, int same)
{
	int i, j;

	for (i = 0; i < g->n; i++) {
		uint32_t row = 0;

		for (j = 0; j < g->n; j++) {
			int eq = !is_fence(g, i) && !is_fence(g, j) &&
				g->loc[i] == g->loc[j];

			if ((a[i] >> j & 1) && eq == same)
				row |= 1U << j;
		}
		out[i] = row;
	}
}

static void basics(const struct graph *g, rel sb, rel rf, rel mo, rel fr)
{
	int i, j;

	for (i = 0; i < g->n; i++)
		sb[i] = rf[i] = mo[i] = fr[i] = 0;
	for (i = 0; i < g->n; i++)
		for (j = 0; j < g->n; j++) {
			if (i == j)
				continue;
			if (!g->op[i] ? g->op[j] != NULL :
			    g->tid[i] == g->tid[j] && i < j)
				sb[i] |= 1U << j;
			if (is_write(g, i) && is_write(g, j) &&
			    g->loc[i] == g->loc[j] && g->order[i] < g->order[j])
				mo[i] |= 1U << j;
			if (is_read(g, j) && g->rf[j] == i)
				rf[i] |= 1U << j;
			if (is_read(g, i) && is_write(g, j) &&
			    g->loc[i] == g->loc[j] &&
			    g->order[g->rf[i]] < g->order[j])
				fr[i] |= 1U << j;
		}
}

static void synchronizes(const struct graph *g, rel sw, const rel sb,
			 const rel rf)
{
	rel rs = { 0 }, a = { 0 }, b = { 0 }, sbq = { 0 };
	uint32_t w = 0, u, rel_ev = 0, acq_ev = 0, f = 0, r = 0;
	int i;

	for (i = 0; i < g->n; i++) {
		w |= is_write(g, i) && g->op[i] ? 1U << i : 0;
		r |= is_read(g, i) ? 1U << i : 0;
		f |= is_fence(g, i) ? 1U << i : 0;
		rel_ev |= has(g, i, 0, 1) ? 1U << i : 0;
		acq_ev |= has(g, i, 1, 0) ? 1U << i : 0;
	}
	u = w & r;
	/* rs = [W]; (rf; rmw)*: an RMW is one event, so rf into RMWs */
	restrict_to(g, a, rf, ~0U, u);
	closure(g, a);
	maybe(g, rs, a);
	restrict_to(g, rs, rs, w, ~0U);
	/* [release]; ([F]; sb)?; rs; rf; (sb; [F])?; [acquire] */
	restrict_to(g, a, sb, f, w);
	maybe(g, sbq, a);
	compose(g, sw, sbq, rs);
	compose(g, sw, sw, rf);
	restrict_to(g, b, sb, r, f);
	maybe(g, sbq, b);
	compose(g, sw, sw, sbq);
	restrict_to(g, sw, sw, rel_ev, acq_ev);
}

static int psc_cyclic(const struct graph *g, const rel sb, const rel hb,
		      const rel mo, const rel fr, const rel eco)
{
	rel scb = { 0 }, t = { 0 }, u = { 0 }, left = { 0 }, right = { 0 };
	rel psc = { 0 }, hbq = { 0 };
	uint32_t sc = 0, f = 0;
	int i;

	for (i = 0; i < g->n; i++) {
		sc |= is_sc(g, i) ? 1U << i : 0;
		f |= is_sc(g, i) && is_fence(g, i) ? 1U << i : 0;
	}
	by_location(g, t, sb, 0);
	compose(g, u, t, hb);
	compose(g, u, u, t);
	unite(g, scb, sb, u);
	by_location(g, t, hb, 1);
	unite(g, scb, scb, t);
	unite(g, scb, scb, mo);
	unite(g, scb, scb, fr);
	maybe(g, hbq, hb);
	for (i = 0; i < g->n; i++)
		t[i] = sc >> i & 1 ? 1U << i : 0;
	restrict_to(g, left, hbq, f, ~0U);
	unite(g, left, left, t);
	restrict_to(g, right, hbq, ~0U, f);
	unite(g, right, right, t);
	compose(g, psc, left, scb);
	compose(g, psc, psc, right);
	compose(g, t, hb, eco);
	compose(g, t, t, hb);
	unite(g, t, t, hb);
	restrict_to(g, t, t, f, f);
	unite(g, psc, psc, t);
	closure(g, psc);
	return reflexive(g, psc);
}

static int consistent(const struct graph *g)
{
	rel sb = { 0 }, rf = { 0 }, mo = { 0 }, fr = { 0 };
	rel sw = { 0 }, hb = { 0 }, eco = { 0 }, t = { 0 };

	basics(g, sb, rf, mo, fr);
	unite(g, t, sb, rf);
	closure(g, t);
	if (reflexive(g, t))
		return 0;
	synchronizes(g, sw, sb, rf);
	unite(g, hb, sb, sw);
	closure(g, hb);
	unite(g, eco, rf, mo);
	unite(g, eco, eco, fr);
	closure(g, eco);
	if (reflexive(g, eco))		/* an RMW reads what is before it */
		return 0;
	maybe(g, t, eco);
	compose(g, t, hb, t);
	if (reflexive(g, t))
		return 0;
	compose(g, t, fr, mo);
	if (reflexive(g, t))
		return 0;
	return !psc_cyclic(g, sb, hb, mo, fr, eco);
}

/* The value that a write stores; depth: rf may be cyclic in a bad graph. */
static int value_of(const struct graph *g, int e, int depth, uint64_t *value)
{
	uint64_t old;

	if (!g->op[e]) {
		*value = 0;
		return 1;
	}
	*value = g->op[e]->value;
	if (g->op[e]->kind != EXPLORER_ADD)
		return 1;
	if (depth > g->n || !value_of(g, g->rf[e], depth + 1, &old))
		return 0;
	*value += old;
	return 1;
}

static void judge(struct graph *g)
{
	uint64_t regs[LITMUS_REGS] = { 0 }, finals[LITMUS_LOCS] = { 0 };
	int e, i;

	if (!consistent(g))
		return;
	for (e = 0; e < g->n; e++)
		if (is_read(g, e) &&
		    !value_of(g, g->rf[e], 0, &regs[g->op[e]->reg]))
			return;
	for (i = 0; i < g->l->nr_locs; i++)
		for (e = 0; e < g->nr_writes[i]; e++)
			if (g->order[g->writes[i][e]] == g->nr_writes[i] - 1)
				value_of(g, g->writes[i][e], 0, &finals[i]);
	outcomes_add(g->out, g->l, regs, finals);
}

static void choose_rf(struct graph *g, int e)
{
	int i;

	while (e < g->n && !is_read(g, e))
		e++;
	if (e == g->n) {
		judge(g);
		return;
	}
	for (i = 0; i < g->nr_writes[g->loc[e]]; i++) {
		g->rf[e] = g->writes[g->loc[e]][i];
		if (g->rf[e] != e)
			choose_rf(g, e + 1);
	}
}

/* The initial write, at 0, stays first; the rest in every order. */
static void choose_mo(struct graph *g, int loc, int place)
{
	int i;

	if (loc == g->l->nr_locs) {
		choose_rf(g, 0);
		return;
	}
	if (place == g->nr_writes[loc]) {
		choose_mo(g, loc + 1, 1);
		return;
	}
	for (i = 1; i < g->nr_writes[loc]; i++) {
		int e = g->writes[loc][i];

		if (g->order[e] >= 0)
			continue;
		g->order[e] = place;
		choose_mo(g, loc, place + 1);
		g->order[e] = -1;
	}
}

void litmus_axioms(const struct litmus *l, struct outcomes *out)
{
	struct graph g = { .l = l, .out = out };
	int t, i;

	out->nr = 0;
	for (i = 0; i < l->nr_locs; i++) {
		g.loc[g.n] = i;
		g.tid[g.n] = -1;
		g.order[g.n] = 0;
		g.writes[i][g.nr_writes[i]++] = g.n++;
	}
	for (t = 0; t < l->nr_threads; t++)
		for (i = 0; i < l->nr_ops[t]; i++) {
			int e = g.n++;

			g.op[e] = &l->op[t][i];
			g.tid[e] = t;
			g.loc[e] = g.op[e]->loc;
			g.order[e] = -1;
			if (is_write(&g, e))
				g.writes[g.loc[e]][g.nr_writes[g.loc[e]]++] = e;
		}
	choose_mo(&g, 0, 1);
	outcomes_sort(out);
}
