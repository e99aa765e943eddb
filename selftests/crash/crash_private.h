/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_CRASH_PRIVATE_H
#define SHMCHAN_TEST_CRASH_PRIVATE_H

/* What the driver's files share. */

#include "crash.h"

/*
 * A kill point.  The operation is cut into pieces by its system calls: so many
 * of these are run at full speed, then so many instructions step by step.
 */
struct crash_point {
	unsigned int calls;
	unsigned int steps;
	int asleep;		/* in the call after those, instead */
	unsigned int index;	/* in the order in which it was measured */
	int slow;		/* by single steps alone */
};

/* How the operation went when nobody disturbed it. */
#define CRASH_MAX_CALLS		4096
#define CRASH_MAX_STEPS		(1U << 22)

struct crash_course {
	unsigned int nr_calls;
	unsigned int total;			/* kill points */
	unsigned int steps[CRASH_MAX_CALLS + 1];	/* behind so many calls */
	unsigned int first[CRASH_MAX_CALLS + 1];	/* kill point of these */
	uint8_t sleeps[CRASH_MAX_CALLS + 1];	/* does the next call? */
	/* Of each kill point. */
	uint8_t *seen;		/* can others see a difference? */
	uint64_t *rip;		/* the next instruction */
	/*
	 * The last one up to here, behind the same call, where an instruction is
	 * come to that was not executed before: a breakpoint goes there.
	 */
	unsigned int *anchor;
};

enum crash_outcome {
	CRASH_THERE,		/* stopped at the kill point */
	CRASH_BEFORE,		/* this piece was shorter this time */
	CRASH_ENDED,		/* the operation was */
	CRASH_LOST,		/* it took another way than before: go slowly */
};

/* crash_trace.c */
pid_t crash_start(const struct crash_scenario *s);
enum crash_outcome crash_go(pid_t pid, const struct crash_scenario *s,
			    const struct crash_course *course,
			    const struct crash_point *point);
void crash_measure(pid_t pid, const struct crash_scenario *s,
		   struct crash_course *course, int look);
void crash_kill(pid_t pid);
uint64_t crash_rip(pid_t pid);
int crash_is_asleep(pid_t pid);
/* Every ms a signal, so that waiting is interrupted; 0: none any more. */
void crash_tick(int on);

/* crash_where.c: the name of the function at an address, and how far in it. */
const char *crash_where(uint64_t address);

/* crash_help.c */
extern unsigned int crash_serial;	/* of the kill point, for names */
extern int crash_aided;			/* crash_look() does what it can */
extern pid_t crash_driver;
void crash_helpers_end(void);

#endif /* SHMCHAN_TEST_CRASH_PRIVATE_H */
