/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef BENCH_HOSTILE_H
#define BENCH_HOSTILE_H

/*
 * What a hostile member costs the others.
 *
 * The first process is the honest one, and the region's owner.  Hostile ones
 * are processes of another user.
 */

#include "access.h"

#define HOSTILE_UID	1000U
#define CROWD_UID	1001U

/*
 * A region: a data area, where each folio is the window of one slot as far as
 * there are slots; behind the header page a shared page of words, and if that
 * is wanted a page for each slot.  The first slots own a doorbell each; two
 * more are shared.
 */
#define MAX_SLOTS	4096
#define OWNED_BELLS	64U

struct plan {
	struct shape shape;
	uint64_t words;		/* the page of words */
	uint64_t pages;		/* the pages of slots */
	uint64_t status;	/* the status area */
	uint64_t status_size;
	unsigned int shared;	/* two doorbells, this one and the next */
	struct shmchan_window windows[MAX_SLOTS + 64];
	struct shmchan_doorbell bells[OWNED_BELLS + 2];
};

#define BELL_OF(slot)	((slot) + 1)

#define PLAN_SMALL	(1U << 0)	/* data of 4 KiB folios, no windows */
#define PLAN_PAGES	(1U << 1)	/* a page for each slot */
#define PLAN_READONLY	(1U << 2)	/* no windows in the data area */

void plan_region(struct plan *p, const char *name, uint64_t data_size,
		 unsigned int nr_slots, unsigned int flags);
/* A capability of the caller's. */
int plan_create(const struct plan *p);
char *map_range(int fd, uint64_t offset, size_t length, int prot);
/* Offsets in the region, and a count in the status area as it is mapped. */
uint64_t slot_word(const struct plan *p, unsigned int slot);
uint32_t waiters(const struct plan *p, const char *status, unsigned int bell);
/* Until there are so many: they are asleep then. */
void await_waiters(const struct plan *p, const char *status, unsigned int bell,
		   uint32_t nr);

/* Reads a byte of each folio; the second one gives the page faults. */
void touch(const char *map, size_t length, size_t stride);
long touch_faults(const char *map, size_t length, size_t stride);

/* What was found: a line, and one of the CSV.  Empties the costs. */
void heading(const char *text);
void row(const char *attack, const char *what, struct costs *c);
void row_number(const char *attack, const char *what, double value);
/* The line of the CSV alone. */
void record(const char *attack, const char *what, struct costs *c);
void record_number(const char *attack, const char *what, double value);

/* waits.c: many who sleep in WAIT, in a peer that has forked after the plan */
enum waits {
	WAITS_RUN,	/* @nr members, 512 conditions each in 4 places */
	WAITS_SINGLE,	/* the same, each in a place of its own; @nr is even */
	WAITS_MEMBERS,	/* as RUN, on doorbell 0 */
	WAITS_ONE,	/* @nr threads of a member, each for one slot word */
	WAITS_OWNED,	/* @nr threads, 128 conditions each, an own doorbell */
	WAITS_SUBS,	/* @nr members that subscribed, and do not poll */
	WAITS_EPOLL,	/* one that subscribed, in @nr epoll sets */
};

void waits_plan(const struct plan *p);
long waits_start(long how, long nr);

void measure_operations(void);	/* operations.c */
void measure_churn(void);	/* churn.c */
void measure_waits(void);	/* waits.c */
void measure_revoke(void);	/* revoke.c */

#endif /* BENCH_HOSTILE_H */
