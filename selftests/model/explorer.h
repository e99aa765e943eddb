/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_EXPLORER_H
#define MODEL_EXPLORER_H

/*
 * An exhaustive explorer for the library's lock-free code.
 *
 * A *model* is two to four threads which run the library's real headers over
 * a small piece of shared memory.  The explorer runs every execution that the
 * C11 memory model allows (as memory.h defines it), every way in which the
 * threads that may be killed die, and every explorer_choose(); the model says
 * with explorer_assert() and its final check what must hold in each.
 *
 * What one model looks like:
 *
 *	static void writer(void)
 *	{
 *		shmchan_store_relaxed(data, 1);
 *		shmchan_store_release(flag, 1);
 *	}
 *
 *	static void reader(void)
 *	{
 *		explorer_await(flag, EXPLORER_ACQ, 1);
 *		explorer_assert(shmchan_load_relaxed(data) == 1, "stale");
 *	}
 *
 * How it explores.  Threads are coroutines; at an atomic access, a *event*,
 * they stop and the explorer decides what comes of it.  Because a state of
 * memory.h is a graph in which nothing depends on the order of execution but
 * that a write is there before it is read, stores and fences are done as soon
 * as a thread reaches them, and only reads are scheduled: by which thread,
 * from which message.  A read whose location no other thread that still runs
 * ever writes (learned while exploring, which starts again when it learns)
 * needs no schedule either.  Choices are taken back by a trail for the memory
 * and copies of the stacks.  States are remembered by a 128-bit hash (as
 * SPIN's hash compaction: two states with one hash are improbable, at 10^7
 * states about 10^-24) of what each thread read since it last settled, and of
 * what the graph still permits (canon.c).
 *
 * Death.  A thread with a `will` may be killed before any of its stores: its
 * stack is dropped and the will runs in its place (what the kernel does at the
 * end of a member: tell in the status page).  What has happened until then is
 * a prefix of its program *as compiled*: stores that no compiler fence keeps
 * apart may have changed places.  So each store of such a thread may also be
 * left out, if the thread then dies before it reaches a crash fence, a release
 * operation or a fence: exactly the executions in which the compiler had moved
 * the store down to there.  (At most one store per kill, two with MODEL_DEEP.)
 *
 * What it cannot find: what needs more operations than a model makes, load
 * buffering (memory.h), and anything in memory that is not accessed by the
 * names of <shmchan/atomic.h> (the memory is mapped PROT_NONE while threads
 * run: forgetting one is a crash, not a hole).
 */

#include <stddef.h>
#include <stdint.h>

#include "explorer_atomic.h"

#define EXPLORER_THREADS	4
#define EXPLORER_MEMORY		(64 << 10)

struct explorer_model {
	const char *name;
	const char *what;		/* the claim, in one line */
	void (*setup)(void);		/* fills the memory, before all threads */
	void (*thread[EXPLORER_THREADS])(void);
	void (*will[EXPLORER_THREADS])(void);	/* if it may be killed */
	void (*final)(unsigned int stuck);	/* NULL: nobody may be stuck */
	const char *finds;		/* the failure that must be found; or NULL */
	const char *const *covers;	/* to be seen at least once; or NULL */
	int max_kills;
	int deep;			/* only where MODEL_DEEP is set */
	/*
	 * Races of plain accesses are reported wherever one is met; with this,
	 * states that differ only in who would race are explored apart, so
	 * that none is missed.  Many more states: for small models.
	 */
	int races;
	unsigned long max_states;	/* 0: the usual bound */
	int arg;			/* for the model's own use */
};

/* What an exploration did. */
struct explorer_result {
	int failed;
	int incomplete;			/* the bound on states was reached */
	char why[512];
	unsigned long states;
	unsigned long steps;
	unsigned long executions;
	double seconds;		/* of the CPU */
};

/* The model that runs, so that one function can serve several. */
extern const struct explorer_model *explorer_model;

/* Is MODEL_DEEP set?  Models take larger bounds then. */
extern int explorer_deep;

/* The shared memory: EXPLORER_MEMORY zero bytes before setup. */
extern uint8_t *explorer_memory;

/*
 * What threads leave for the final check: explorer_note() writes a word, which
 * only the check may read (and the thread itself).
 */
#define EXPLORER_NOTES		32
extern uint64_t explorer_notes[EXPLORER_NOTES];

/* Explore; trace: print the execution that failed, to stdout behind "# ". */
void explorer_run(const struct explorer_model *model,
		  struct explorer_result *result, int trace);

/* For models, inside threads. */

/* Any of 0..n-1. */
unsigned int explorer_choose(unsigned int n);

void explorer_note(unsigned int i, uint64_t value);

/* Sleep until the word can be read with this value.  Not a spin loop. */
void explorer_await_at(struct explorer_site *site, const volatile void *p,
		       size_t size, uint64_t value);
#define explorer_await(p, o, v) \
	explorer_await_at(EXPLORER_SITE(EXPLORER_LOAD, o), (p), sizeof(*(p)), \
			  (uint64_t)(v))

/* ... or with any other value than this. */
void explorer_await_not_at(struct explorer_site *site, const volatile void *p,
			   size_t size, uint64_t value);
#define explorer_await_not(p, o, v) \
	explorer_await_not_at(EXPLORER_SITE(EXPLORER_LOAD, o), (p), \
			      sizeof(*(p)), (uint64_t)(v))

/* ... or until one of two words is not as given. */
void explorer_await_either_at(struct explorer_site *site, const uint64_t *p,
			      uint64_t value, const uint64_t *p2,
			      uint64_t value2);
#define explorer_await_either(p, v, p2, v2) \
	explorer_await_either_at(EXPLORER_SITE(EXPLORER_LOAD, EXPLORER_RLX), \
				 (p), (v), (p2), (v2))

/*
 * A lock: sleeps until the word is 0 and makes it 1, acquire; and stores 0,
 * release.  One at a time.  Words that are accessed under one lock alone are
 * learned, so that what is stale in them does not make many states of one.
 */
void explorer_lock_at(struct explorer_site *site, volatile void *p,
		      size_t size);
#define explorer_lock(p) \
	explorer_lock_at(EXPLORER_SITE(EXPLORER_CAS, EXPLORER_ACQ), (p), \
			 sizeof(*(p)))
void explorer_unlock_at(struct explorer_site *site, volatile void *p,
			size_t size);
#define explorer_unlock(p) \
	explorer_unlock_at(EXPLORER_SITE(EXPLORER_STORE, EXPLORER_REL), (p), \
			   sizeof(*(p)))

/* Sleep until a thread has ended or is dead and buried, as pthread_join. */
void explorer_join(unsigned int thread);

/*
 * From here on, what this thread does depends on nothing that it read before
 * but what is in this state (and where in the program this is): all locals
 * that live on must be in it.  So that states with another past are one.
 */
void explorer_settle_at(unsigned int line, const void *state, size_t size);
#define explorer_settle(state) \
	explorer_settle_at(__LINE__, (state), sizeof(*(state)))

/*
 * Between the two, a thread is in a system call: it is not killed there, but
 * in its sleeps.  Both are compiler fences.
 */
void explorer_syscall(void);
void explorer_sysret(void);

/* This execution is of no interest (a bound of the model, not of the code). */
void explorer_cut(void) __attribute__((noreturn));

/* What must hold.  In final checks too. */
void explorer_fail(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
#define explorer_assert(cond, ...) \
	((cond) ? (void)0 : explorer_fail(__VA_ARGS__))

/* This has been seen: see explorer_model.covers. */
void explorer_cover(const char *what);

/* For final checks: the newest value. */
uint64_t explorer_final(const volatile void *p, size_t size);

/* Sites: all that are linked in. */
size_t explorer_nr_sites(void);
struct explorer_site *explorer_site_at(size_t i);

#endif /* MODEL_EXPLORER_H */
