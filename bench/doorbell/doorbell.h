/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef BENCH_DOORBELL_H
#define BENCH_DOORBELL_H

/*
 * What the measurements of doorbells share.  They run as root in a guest of
 * their own; the storm and the system calls also run natively, on the local
 * backend.  The calls of the module and the counting are those of
 * bench/access.
 */

#include "../access/access.h"

/* --- main.c: what was found ---------------------------------------------- */

/* In instructions, or nanoseconds without -i. */
extern const char *unit;
/* Messages of a storm in all. */
extern uint64_t storm_messages;
/* NULL, or the one way to make a round trip. */
extern const char *only;
/* Something is wrong, whatever it costs. */
extern bool failed;

void heading(const char *text);
/* A line of the table, and one of the CSV. */
void value(const char *what, double v, int decimals);
/*
 * The same, and whether it is at most, or exactly, what is wanted, as far as
 * the decimals that are shown tell.
 */
void wanted_most(const char *what, double v, double most, int decimals);
void wanted_exactly(const char *what, double v, double wanted, int decimals);

/* --- stage.c: a region, its members, and processes on a processor -------- */

/*
 * Page 0 of the control area is the header; the second is a window that is
 * shared: words.  Slot n owns doorbell n + 1; the last doorbell is shared.
 */
struct stage {
	const char *name;
	int fd;			/* a member's */
	unsigned int nr_slots;
	unsigned int shared;	/* the doorbell */
	uint64_t words_offset;
	uint64_t *words;
	const char *status;
	uint64_t status_offset;
};

/* The region; the caller has the slot. */
void stage_create(struct stage *s, const char *name, unsigned int nr_slots,
		  unsigned int nr_bells, unsigned int slot);
/* In another process: another slot of it. */
void stage_join(struct stage *s, const struct stage *of, unsigned int slot);
void stage_leave(struct stage *s);
uint32_t stage_waiters(const struct stage *s, unsigned int bell);
/* Until so many are asleep there. */
void stage_await(const struct stage *s, unsigned int bell, uint32_t nr);

/* A word of its own cache line. */
static inline uint64_t *stage_word(const struct stage *s, unsigned int n)
{
	return s->words + 8 * n;
}

static inline struct shmchan_wait_elem
stage_elem(const struct stage *s, unsigned int bell, unsigned int n,
	   uint64_t now)
{
	return (struct shmchan_wait_elem) {
		.fd = -1,
		.doorbell = bell,
		.offset = s->words_offset + 64ULL * n,
		.value = now,
		.mask = ~0ULL,
	};
}

void pin_to(unsigned int cpu);
/* SCHED_FIFO; a higher one runs as soon as it is woken. */
void be_fifo(int priority);
void be_ordinary(void);
/* fork(); the child ends with its parent. */
pid_t start_child(void);
void end_child(pid_t pid);
/* Until it sleeps. */
void await_sleep(pid_t pid);

struct switches {
	uint64_t voluntary;
	uint64_t forced;
};

struct switches switches_of(pid_t pid);

/* --- the parts ----------------------------------------------------------- */

void measure_roundtrip(void);	/* roundtrip.c */
void measure_many(void);	/* many.c */
void measure_calls(void);	/* calls.c */
void measure_storm(void);	/* storm.c */
void measure_parked(void);	/* parked.c */

#endif /* BENCH_DOORBELL_H */
