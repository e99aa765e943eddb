/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_MEMORY_PRIVATE_H
#define MODEL_MEMORY_PRIVATE_H

/* What memory.c and psc.c share. */

#include <stdio.h>
#include <stdlib.h>

#include "memory.h"

#define MM_VIEWS	4096
#define MM_LOG		8192

#define MM_CHECK(cond, what) do { \
	if (!(cond)) { \
		fprintf(stderr, "explorer: %s\n", (what)); \
		abort(); \
	} \
} while (0)

#define MM_SET(lvalue, v) mm_set(&(lvalue), sizeof(lvalue), (uint64_t)(v))

struct mm_thread {
	struct mm_view cur;
	struct mm_view acq;		/* for the next acquire fence */
	const struct mm_view *rel;	/* of the last release fence */
	uint16_t nr_events;
};

/* Who accessed a location: a list per location, newest first. */
struct mm_log {
	uint16_t idx;
	uint16_t next;
	uint8_t tid;
};

struct mm_sc {
	uint16_t idx;
	uint8_t tid;
	const struct mm_view *view;	/* of a fence; NULL: an access */
};

struct mm {
	int nr_locs;
	uint16_t nr_msgs;
	uint16_t nr_views;
	uint16_t nr_log;
	uint16_t nr_sc;
	uint16_t nr_sc_fences;
	uint16_t nr_mo[MM_LOCS];
	uint16_t mo[MM_LOCS][MM_MO];
	uint16_t log_head[MM_LOCS];
	struct mm_log log[MM_LOG];
	struct mm_thread thread[MM_THREADS];
	struct mm_event event[MM_THREADS][MM_EVENTS];
	struct mm_message msg[MM_MSGS];
	struct mm_sc sc[MM_SC];
	uint64_t after[MM_SC];		/* closure of psc */
	struct mm_view views[MM_VIEWS];	/* last: not cleared */
};

extern struct mm mm;

static inline int mm_before(int tid, int idx, const struct mm_clock *c)
{
	return tid == MM_INIT || idx < c->at[tid];
}

enum mm_result psc_access(int tid, struct mm_event *e,
			  const struct mm_clock *before);
enum mm_result psc_fence(int tid, struct mm_event *e);

#endif /* MODEL_MEMORY_PRIVATE_H */
