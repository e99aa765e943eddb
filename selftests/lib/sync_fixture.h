/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_SYNC_FIXTURE_H
#define SHMCHAN_TEST_SYNC_FIXTURE_H

/*
 * A region for tests of synchronisation objects: two shared pages, of which the
 * first is for objects, each with the shared doorbell of its number plus one, and
 * the second for what they protect; then a page of slot 0's, and its doorbell.
 */

#include <pthread.h>

#include <shmchan/condvar.h>
#include <shmchan/mutex.h>
#include <shmchan/once.h>

#include "harness.h"

#define SYN_SLOTS	16
#define SYN_BELLS	8		/* shared */
#define SYN_BELL_OF_0	(SYN_BELLS + 1)
#define SYN_CONTROL_AT	SHMCHAN_CONTROL_OFFSET(0)
#define SYN_OBJECTS	(SYN_CONTROL_AT + 4096)
#define SYN_DATA	(SYN_CONTROL_AT + 2 * 4096)
#define SYN_PAGE_OF_0	(SYN_CONTROL_AT + 3 * 4096)
#define SYN_MS		1000000LL

static inline struct shmchan_region *syn_create(const char *name)
{
	const struct shmchan_window windows[] = {
		{ SYN_OBJECTS, 2 * 4096, SHMCHAN_SLOT_SHARED, 0 },
		{ SYN_PAGE_OF_0, 4096, 0, 0 },
	};
	struct shmchan_doorbell bells[SYN_BELLS + 1];
	struct shmchan_region *r;
	uint32_t i;

	for (i = 0; i < SYN_BELLS; i++)
		bells[i] = (struct shmchan_doorbell){ SHMCHAN_SLOT_SHARED, 0 };
	bells[SYN_BELLS] = (struct shmchan_doorbell){ 0, 0 };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.control_size = 4 * 4096, .nr_slots = SYN_SLOTS,
		.nr_doorbells = SYN_BELLS + 1, .doorbells = bells,
		.nr_windows = 2, .windows = windows);
	CHECK_EQ(shmchan_region_create(&r, name, &opts), 0);
	return r;
}

static inline struct shmchan_region *syn_open(const char *name)
{
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_open(&r, name, NULL), 0);
	return r;
}

/* Object number nr. */
static inline struct shmchan_place syn_place(struct shmchan_region *r,
					     uint32_t nr)
{
	struct shmchan_place place = {
		.region = r, .offset = SYN_OBJECTS + 64ULL * nr,
		.doorbell = 1 + nr,
	};

	return place;
}

static inline void syn_mutex(struct shmchan_mutex *m, struct shmchan_region *r,
			     uint32_t nr)
{
	struct shmchan_place place = syn_place(r, nr);

	CHECK_EQ(shmchan_mutex_attach(m, &place), 0);
}

static inline void syn_condvar(struct shmchan_condvar *cv,
			       struct shmchan_region *r, uint32_t nr)
{
	struct shmchan_place place = syn_place(r, nr);

	CHECK_EQ(shmchan_condvar_attach(cv, &place), 0);
}

static inline void syn_once(struct shmchan_once *once,
			    struct shmchan_region *r, uint32_t nr)
{
	struct shmchan_place place = syn_place(r, nr);

	CHECK_EQ(shmchan_once_attach(once, &place), 0);
}

/* A word that an object protects. */
static inline uint64_t *syn_word(struct shmchan_region *r, unsigned int i)
{
	return (uint64_t *)shmchan_region_at(r, SYN_DATA + 64ULL * i);
}

static inline void syn_await(const uint64_t *word, uint64_t value)
{
	while (shmchan_load_seq_cst((uint64_t *)word) != value)
		sleep_ms(1);
}

/* Until so many, or more, sleep on object nr. */
static inline void syn_await_sleepers(struct shmchan_region *r, uint32_t nr)
{
	while (!shmchan_bell_wanted(r, 1 + nr))
		sleep_ms(1);
}

#endif /* SHMCHAN_TEST_SYNC_FIXTURE_H */
