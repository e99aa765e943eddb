/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_SYNC_STAGE_H
#define SHMCHAN_TEST_SYNC_STAGE_H

/*
 * A region of synchronisation objects, and who is there: the survivor in the
 * driver's process (ours), the victim, helpers, and somebody who was there before
 * the victim and died.
 */

#include <shmchan/sync.h>

#include "crash.h"

#define TAG	"sync"

#ifndef STAGE_MEMBERS
#define STAGE_MEMBERS	8
#endif

/* What they tell each other; they share it. */
struct stage {
	uint32_t slot;		/* the victim's */
	uint32_t go[3];		/* a helper may fall asleep */
	uint32_t ready;		/* helpers that have come */
	uint32_t told;		/* EOWNERDEADs, of the survivors' */
	uint32_t done;		/* what the survivors did */
	uint32_t lost;		/* ENOTRECOVERABLEs, of the survivors' */
	uint32_t writers;	/* survivors inside, */
	uint32_t readers;
	uint32_t list[64];	/* the scenario's own */
};

#define stage	((struct stage *)crash_scratch)

static struct shmchan_sync ours;
static pid_t helper[3];
static int released;	/* by the driver, for this kill point */

static inline uint32_t stage_add(uint32_t *what)
{
	return __atomic_fetch_add(what, 1, __ATOMIC_SEQ_CST);
}

static inline void stage_sub(uint32_t *what)
{
	__atomic_fetch_sub(what, 1, __ATOMIC_SEQ_CST);
}

static inline uint32_t stage_get(uint32_t *what)
{
	return __atomic_load_n(what, __ATOMIC_SEQ_CST);
}

static inline void stage_set(uint32_t *what, uint32_t value)
{
	__atomic_store_n(what, value, __ATOMIC_SEQ_CST);
}

static inline void stage_await(uint32_t *what, uint32_t value)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;

	while (stage_get(what) < value) {
		CHECK_LT(now_ns(), end);
		sleep_ms(1);
	}
}

static inline void stage_open(struct shmchan_sync *s, int create)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = create, .exclusive = create, .nr_members = STAGE_MEMBERS,
		.nr_objects = 2, .data_size = 4096, .spin_ns = -1);

	CHECK_EQ(shmchan_sync_open(s, crash_name(TAG), &opts), 0);
}

static inline void stage_create(void)
{
	stage_open(&ours, 1);
	released = 0;
}

/* In the victim, first. */
static inline void stage_enter(struct shmchan_sync *s)
{
	stage_open(s, 0);
	stage_set(&stage->slot, s->region->slot);
}

/* In a helper, first. */
static inline void stage_help(struct shmchan_sync *s)
{
	stage_open(s, 0);
	stage_add(&stage->ready);
}

static inline void stage_helpers(void (*fn)(const struct crash_scenario *s),
				 const struct crash_scenario *s, uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++) {
		helper[i] = crash_helper(fn, s);
		stage_await(&stage->ready, i + 1);
	}
}

/* Let helper i go on, and until it sleeps.  By the victim, or the driver. */
static inline void stage_go(uint32_t i)
{
	stage_set(&stage->go[i], 1);
	crash_until_asleep(helper[i]);
}

/* Let whoever has not gone on yet go on. */
static inline void stage_go_all(void)
{
	uint32_t i;

	for (i = 0; i < 3; i++)
		stage_set(&stage->go[i], 1);
}

/* Somebody does something, and dies with it. */
static inline void stage_dead(void (*fn)(struct shmchan_sync *s))
{
	struct shmchan_sync s;
	pid_t pid = child_fork();

	if (!pid) {
		stage_open(&s, 0);
		stage_set(&stage->slot, s.region->slot);
		fn(&s);
		_exit(0);
	}
	CHECK_CHILD_OK(pid);
	crash_until_dead(TAG, ours.region, stage->slot);
}

static inline void stage_until_dead(void)
{
	crash_until_dead(TAG, ours.region, stage->slot);
}

static inline void stage_close(void)
{
	shmchan_sync_close(&ours);
	crash_no_trace(TAG);
}

#endif /* SHMCHAN_TEST_SYNC_STAGE_H */
