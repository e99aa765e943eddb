/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_CRASH_H
#define SHMCHAN_TEST_CRASH_H

/*
 * Crash points: kill a participant after every single instruction of an
 * operation, and see that the survivors finish their work.
 *
 * Every .c file here that is not the driver's (crash*.c) is one program, with
 * the *scenarios* of one object.  A scenario says how to begin anew, what the
 * victim does, and what must be true when it is dead:
 *
 *	#include "crash.h"
 *
 *	static struct shmchan_region *ours;	(of the survivor's process)
 *
 *	static void setup(const struct crash_scenario *s)
 *	{
 *		ours = thing_create(crash_name("thing"));
 *	}
 *
 *	static void victim(const struct crash_scenario *s)
 *	{
 *		struct thing t = thing_open(crash_name("thing"));
 *
 *		crash_begin();
 *		CHECK_EQ(thing_lock(&t), 0);
 *		crash_end();
 *	}
 *
 *	static void survive(const struct crash_scenario *s)
 *	{
 *		crash_look(ours);
 *		... crash_ended() ? it must be so : it may be one or the other
 *		thing_close(ours);
 *		crash_no_trace("thing");
 *	}
 *
 *	CRASH("thing.lock", .setup = setup, .victim = victim,
 *	      .survive = survive);
 *
 * For each kill point, from the first instruction after crash_begin() to the
 * last before crash_end(), all starts anew: setup() in the driver's process,
 * victim() in a forked one that is single-stepped that far and killed
 * (SIGKILL), survive() in the driver's.  A system call is one instruction; if
 * it sleeps, the victim is killed in its sleep as well, and where a scenario
 * has release(), that is called (in the driver's process) when the victim has
 * gone to sleep, to wake it, so that what it does after that is tried too.
 *
 * Checks are those of harness.h, in any of the processes.  One that fails in
 * the driver's ends this kill point, and the next is tried; the report says
 * which one it was, the function it was in, and how to run it alone.  Who waits
 * has to do so with a limit (CRASH_PATIENCE_NS): a survivor that waits for ever
 * is what is being looked for.
 *
 * Peers that are asleep while the victim dies are *helpers*: setup() forks them
 * with crash_helper(), and lets them fall asleep with crash_until_asleep();
 * survive() asks them with crash_helper_ok().  crash_scratch is zeroed memory
 * that all of a scenario's processes share.
 *
 * An operation with more instructions than CRASH_LIMIT (1000) is killed only
 * after those behind which others can see a difference, system calls and stores
 * to shared memory, and after some in between: some 500 of them, or CRASH_LIMIT if
 * that is less.  (To find those out takes longer than a few kill points.  So with a
 * CRASH_LIMIT up to 50, of a long operation those are taken where something is
 * executed for the first time, and of several ways to survive one.)
 * CRASH_STRIDE=N in the environment takes every Nth kill point.  Which ones both leave
 * out depends on CRASH_SEED.
 */

#include <stdint.h>

/* Checks in the driver's process end the kill point, not the program. */
#define HARNESS_FAILED()	crash_failed()
void crash_failed(void) __attribute__((noreturn));

#include "harness.h"

struct crash_scenario {
	const char *name;	/* "object.operation and how" */
	void (*setup)(const struct crash_scenario *s);
	void (*victim)(const struct crash_scenario *s);
	void (*release)(const struct crash_scenario *s);	/* or NULL */
	void (*survive)(const struct crash_scenario *s);
	const void *arg;	/* theirs */
	unsigned int ways;	/* to survive, each point so often; 0: one */
	struct crash_scenario *next;
};

void crash_register(struct crash_scenario *s);

#define CRASH__PASTE(a, b)	a##b
#define CRASH__ID(a, b)		CRASH__PASTE(a, b)
#define CRASH(name_, ...)						\
	static struct crash_scenario CRASH__ID(crash_scenario_, __LINE__) = { \
		.name = (name_), __VA_ARGS__				\
	};								\
	__attribute__((constructor))					\
	static void CRASH__ID(crash_add_, __LINE__)(void)		\
	{								\
		crash_register(&CRASH__ID(crash_scenario_, __LINE__));	\
	}								\
	struct crash_scenario

/* Longer than any wait of a survivor takes, also in an emulated guest. */
#define CRASH_PATIENCE_NS	60000000000LL

/*
 * A call with that limit, which was not used up: one that looks once more when its
 * time is up would otherwise succeed, though nobody has woken it.
 */
#define CRASH_IN_TIME(call)	__extension__ ({				\
	uint64_t crash_end_ns = now_ns() + CRASH_PATIENCE_NS;		\
	int crash_ret = (call);						\
	CHECK_LT(now_ns(), crash_end_ns);				\
	crash_ret; })

#define CRASH_SCRATCH		65536

/* What the driver and its processes share. */
struct crash_shared {
	volatile int phase;		/* 1: in the operation, 2: behind it */
	volatile int failed;		/* a check in another process did */
	uint8_t scratch[CRASH_SCRATCH] __attribute__((aligned(64)));
};

extern struct crash_shared *crash_shared;
#define crash_scratch		((void *)crash_shared->scratch)

/* Begin and end of the operation; in the victim. */
#if defined(__x86_64__)
#define CRASH__TRAP()	__asm__ __volatile__("int3" : : : "memory")
#else
#define CRASH__TRAP()	__builtin_trap()
#endif

static inline __attribute__((always_inline)) void crash_begin(void)
{
	crash_shared->phase = 1;
	CRASH__TRAP();
}

static inline __attribute__((always_inline)) void crash_end(void)
{
	__asm__ __volatile__("" : : : "memory");
	crash_shared->phase = 2;
	CRASH__TRAP();
}

/* Had the victim done all of it? */
static inline int crash_ended(void)
{
	return crash_shared->phase == 2;
}

/* Of a scenario with several ways to survive: which one, from 0. */
unsigned int crash_way(void);

/* A name of this kill point's own; the same for all of its processes. */
const char *crash_name(const char *tag);

/*
 * The victim is dead; see to it that this is noticed now.  The local backend
 * looks every 50 ms: for most kill points the stamp of its last look is set
 * back, and who sleeps is woken for no reason, which may happen at any time.
 * The others are left to themselves, so survivors must not rely on this.  Then,
 * unless region is NULL, looks.
 */
void crash_look(const char *tag, const struct shmchan_region *region);

/* Look until the holder of a slot is not alive any more. */
void crash_until_dead(const char *tag, const struct shmchan_region *region,
		      uint32_t slot);

/* Nobody is in it any more: no name is left, and nothing in the folder. */
void crash_no_trace(const char *tag);

/* A process beside the victim; it ends with the kill point at the latest. */
pid_t crash_helper(void (*fn)(const struct crash_scenario *s),
		   const struct crash_scenario *s);
/* Until it is asleep, and not only for a moment. */
void crash_until_asleep(pid_t helper);
/* It must end, in time, with all of its checks true. */
void crash_helper_ok(pid_t helper);

#endif /* SHMCHAN_TEST_CRASH_H */
