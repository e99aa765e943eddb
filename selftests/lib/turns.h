/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_TURNS_H
#define SHMCHAN_TEST_TURNS_H

/*
 * Turns that members take by words and doorbells, and how a wake-up that was lost
 * shows: on the local backend as a turn that took the slice; on kmod nothing ends
 * such a sleep, so the test would not either.
 */

#include "region_fixture.h"

#define TIMELY_NS	(SHMCHAN_LOCAL_SLICE_NS * 9 / 10)

/* How many turns may be so late because the machine is busy. */
#define MAY_BE_LATE	4

static unsigned int late;

static inline int slept_in(uint64_t start)
{
	return shmchan_backend_default() == SHMCHAN_BACKEND_LOCAL &&
	       now_ns() - start >= TIMELY_NS;
}

static inline void wait_for(const struct shmchan_region *r, uint32_t doorbell,
			    unsigned int word, uint64_t was)
{
	struct shmchan_wait_elem e = fix_elem(doorbell, word, was);
	uint64_t start = now_ns();

	CHECK_EQ(shmchan_bell_wait(r, &e, 1, SHMCHAN_FOREVER, NULL), 0);
	late += slept_in(start);
}

/* A pause of a length that is never the same, to meet all interleavings. */
static inline void dither(unsigned int *seed)
{
	unsigned int i, n = (unsigned int)rand_r(seed) % 200;

	for (i = 0; i < n; i++)
		shmchan_cpu_relax();
}

#endif /* SHMCHAN_TEST_TURNS_H */
