/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_PARTY_FIXTURE_H
#define SHMCHAN_TEST_PARTY_FIXTURE_H

/*
 * A region for tests of locks in which each member has a cell: two shared pages for
 * objects, one for what they protect, then a page of each slot's own.
 */

#include <pthread.h>

#include <shmchan/barrier.h>
#include <shmchan/permits.h>
#include <shmchan/rwlock.h>
#include <shmchan/signal.h>

#include "no_calls.h"

#define PF_SLOTS	8
#define PF_BELLS	4
#define PF_CONTROL_AT	SHMCHAN_CONTROL_OFFSET(0)
#define PF_OBJECTS	(PF_CONTROL_AT + 4096)
#define PF_DATA		(PF_CONTROL_AT + 3 * 4096)
#define PF_PAGE(slot)	(PF_CONTROL_AT + 4096ULL * (4 + (slot)))
#define MS		1000000LL
/* A death is told well within this; the local backend looks every 50 ms. */
#define TOLD_NS		(5000 * MS)

static inline struct shmchan_region *pf_create(const char *name)
{
	struct shmchan_window windows[1 + PF_SLOTS] = {
		{ PF_OBJECTS, 3 * 4096, SHMCHAN_SLOT_SHARED, 0 },
	};
	struct shmchan_doorbell bells[PF_BELLS];
	struct shmchan_region *r;
	uint32_t i;

	for (i = 0; i < PF_SLOTS; i++)
		windows[1 + i] = (struct shmchan_window){ PF_PAGE(i), 4096, i,
							  0 };
	for (i = 0; i < PF_BELLS; i++)
		bells[i] = (struct shmchan_doorbell){ SHMCHAN_SLOT_SHARED, 0 };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.control_size = (4 + PF_SLOTS) * 4096, .nr_slots = PF_SLOTS,
		.nr_doorbells = PF_BELLS, .doorbells = bells,
		.nr_windows = 1 + PF_SLOTS, .windows = windows);
	CHECK_EQ(shmchan_region_create(&r, name, &opts), 0);
	return r;
}

static inline struct shmchan_region *pf_open(const char *name)
{
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_open(&r, name, NULL), 0);
	return r;
}

/* Object number nr, of four: each has 1 KiB and a doorbell. */
static inline struct shmchan_place pf_place(struct shmchan_region *r,
					    uint32_t nr)
{
	struct shmchan_place place = {
		.region = r, .offset = PF_OBJECTS + 1024ULL * nr,
		.doorbell = 1 + nr,
	};

	return place;
}

static inline uint64_t *pf_word(struct shmchan_region *r, unsigned int i)
{
	return (uint64_t *)shmchan_region_at(r, PF_DATA + 64ULL * i);
}

static inline void pf_await(uint64_t *word, uint64_t value)
{
	while (shmchan_load_seq_cst(word) != value)
		sleep_ms(1);
}

static inline void pf_await_sleeper(struct shmchan_region *r, uint32_t nr)
{
	while (!shmchan_bell_wanted(r, 1 + nr))
		sleep_ms(1);
}

#endif /* SHMCHAN_TEST_PARTY_FIXTURE_H */
