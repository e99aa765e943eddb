/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_EXPLORE_PRIVATE_H
#define MODEL_EXPLORE_PRIVATE_H

/* What explore.c (the search) and thread.c (the threads' side) share. */

#include "coroutine.h"
#include "explorer.h"
#include "memory.h"

/* What a thread is about to do. */
enum what {
	OP_LOAD, OP_STORE, OP_ADD, OP_XCHG, OP_CAS, OP_FENCE, OP_CHOOSE,
	OP_JOIN, OP_END,
};

struct op {
	struct explorer_site *site;
	uint64_t value;		/* to store, add; how many choices; thread */
	uint64_t expected;	/* of CAS and of what blocks */
	int loc;
	int loc2;		/* if not 0: or that reads not expected2 */
	uint64_t expected2;
	enum what what;
	enum explorer_order order;
	int blocking;		/* only if it reads what is expected */
	int inverted;		/* ... or anything else */
	int compiler_only;	/* a crash fence */
	int locks;		/* a lock, taken or given back */
};

enum status {
	RUNNING,
	BURIED,			/* dead; its will runs */
	GONE,			/* ended, or its will did */
};

struct thread {
	struct coro coro;
	struct op op;
	void (*will)(void);
	uint64_t result;
	int swapped;
	enum status status;
	int dead;
	int shielded;		/* in a system call */
	int lock;		/* location of the lock taken last, + 1 */
	int outer;		/* ... of the one around it */
	int doomed;		/* has left so many stores out */
	uint64_t skipped[MM_LOCS / 64];
	uint64_t hist[2];	/* hash: what it read and chose since it settled */
};

enum verdict {
	GOING,
	CUT,			/* nothing to learn from here on */
	FAILED,
};

enum step { STEP_GO, STEP_SKIP, STEP_DIE };

extern struct thread explore_thread[EXPLORER_THREADS];
extern struct explorer_result *explore_result;
extern enum verdict explore_verdict;
extern int explore_nr_steps;

/* explore.c: this thread may write, or access, this location */
void explore_writes(const struct thread *th, int loc);
void explore_uses(const struct thread *th, const struct op *op);

/* thread.c */
void explore_setup(void);
void explore_begin(void);
void explore_end(void);
int explore_nr_locs(void);
uint64_t explore_truncate(uint64_t value, int loc);
void explore_resume(int tid);
void explore_final(unsigned int stuck);
void explore_step(int tid, enum step step);
void explore_print_trace(void);

/* covers.c */
void covers_clear(void);
const char *covers_missing(const char *const *wanted);

/* hash.c: a set of 128-bit hashes */
void hash_mix(uint64_t h[2], uint64_t what);
void hash_clear(void);
int hash_add(const uint64_t h[2]);	/* 0: was in it */

#endif /* MODEL_EXPLORE_PRIVATE_H */
