/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_LITMUS_H
#define MODEL_LITMUS_H

/*
 * Litmus tests: tiny programs whose outcomes under C11 are known.
 *
 * Written as text, threads apart by '|', operations by ';':
 *
 *	x=1.rlx		store		r0=x.acq	load
 *	F.sc		fence		r0=x+1.rel	fetch_add
 *	r0=x<5.sc	exchange	r0=x?1:2.sc	cas from 1 to 2
 *
 * Orders: rlx acq rel ar sc.  An outcome is the registers in their order, one
 * digit each, then the final values of the locations in the order x y z w, if
 * asked for, behind a colon: "01", "01:2".
 */

#include "explorer.h"

#define LITMUS_OPS	6	/* per thread */
#define LITMUS_REGS	8
#define LITMUS_LOCS	4

struct litmus_op {
	enum explorer_kind kind;
	enum explorer_order order;
	int loc, reg;
	uint64_t value, expected;
};

struct litmus {
	struct litmus_op op[EXPLORER_THREADS][LITMUS_OPS];
	int nr_ops[EXPLORER_THREADS];
	int nr_threads, nr_regs, nr_locs;
	int finals;
};

#define LITMUS_OUTCOMES	4096

struct outcomes {
	char text[LITMUS_OUTCOMES][16];
	int nr;
};

/* Text to program; aborts on nonsense (tests are ours). */
void litmus_parse(struct litmus *l, const char *text, int finals);

/* What the explorer says, and what RC11's axioms, taken literally, say. */
void litmus_explore(const struct litmus *l, struct outcomes *out);
void litmus_axioms(const struct litmus *l, struct outcomes *out);

void outcomes_add(struct outcomes *out, const struct litmus *l,
		  const uint64_t *regs, const uint64_t *finals);
void outcomes_sort(struct outcomes *out);

#endif /* MODEL_LITMUS_H */
