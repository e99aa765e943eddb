/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_TESTS_H
#define MODEL_TESTS_H

/* What the files of the test program offer each other. */

#include "explorer.h"

/* One line of KTAP. */
void test_result(int ok, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void test_litmus(void);

/* Each ends with an entry without a name. */
extern const struct explorer_model bell_models[];
extern const struct explorer_model lane_models[];
extern const struct explorer_model crash_models[];
extern const struct explorer_model pass_models[];
extern const struct explorer_model sync_models[];
extern const struct explorer_model party_models[];
extern const struct explorer_model workq_models[];
extern const struct explorer_model pool_models[];

#define MAX_MODELS	128
extern const struct explorer_model *models[MAX_MODELS];
extern int nr_models;

/* Of the kernel's side: no code of the library runs in them. */
extern const struct explorer_model sleep_models[];
extern const struct explorer_model arm_models[];
extern const struct explorer_model asym_models[];
extern const struct explorer_model uring_models[];

/*
 * Weaken each site of the library that the models ran, one at a time, and
 * expect a model to fail.  cost: of each model, in seconds.
 */
void test_mutants(const double *cost);
void mutants_note_use(int model);
int mutants_weaken(const char *spec);

/*
 * Sites that may be weaker than they are without a model failing, each with
 * the reason why they are as they are.
 */
struct allowed {
	const char *func;
	enum explorer_kind kind;
	int nth;			/* of this kind in the function, from 1 */
	enum explorer_order to;		/* this weak is allowed, or stronger */
	const char *reason;
	int group;		/* if not 0: all of it weakened fails */
};

extern const struct allowed allowed_sites[];

#endif /* MODEL_TESTS_H */
