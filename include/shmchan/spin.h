/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SPIN_H
#define SHMCHAN_SPIN_H

/*
 * What a handle has learned about waiting: whether to look again for a while
 * before sleeping.  Private to the library; it is here because handles are plain
 * structures.
 */

#include <stdint.h>

/* No wait spins for longer, unless it was told to. */
#define SHMCHAN_SPIN_MAX_NS	50000

struct shmchan_spin {
	int64_t fixed_ns;	/* 0: adaptive; negative: never; else so long */
	uint32_t park_ns;	/* what going to sleep and being woken costs */
	uint32_t spin_ns;	/* what spinning would cost, lately, per wait */
	uint32_t skip;		/* short waits until spinning is tried again */
	uint32_t backoff;	/* how many that will be the next time */
	uint64_t spun;		/* waits that ended before a sleep */
	uint64_t missed;	/* that spun for nothing */
	uint64_t parked;	/* that slept at once */
};

#endif /* SHMCHAN_SPIN_H */
