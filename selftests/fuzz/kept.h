/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_FUZZ_KEPT_H
#define SHMCHAN_FUZZ_KEPT_H

/*
 * Objects that are opened once and put back before each execution.
 *
 * To open a region takes files, locks and mappings: far longer than what is to be
 * tried with it.  So all that an object consists of, the handles of its members in
 * this process and the memory that they share, is copied when it is new, and copied
 * back before each execution.
 *
 *	static struct fuzz_kept kept;
 *
 *	open all members;
 *	fuzz_keep_region(&kept, rx.region);
 *	fuzz_keep(&kept, &rx, sizeof(rx));
 *	fuzz_keep_heap(&kept, rx.lanes);
 *	...
 *	fuzz_put_back(&kept);		per execution
 *
 * What the members write goes through their own mappings, which are writable in
 * their windows alone: who writes elsewhere gets a signal.  kept->all is all of the
 * region, writable: what is changed there nobody is to blame for, slots' words say.
 */

#include <shmchan/region.h>

#include "fuzz.h"

#define FUZZ_KEPT	48

struct fuzz_kept {
	uint8_t *all;
	uint64_t *slots;	/* in it: their words */
	uint64_t *members_seq;
	unsigned int nr;
	struct {
		uint8_t *at;
		uint8_t *copy;
		size_t size;
	} parts[FUZZ_KEPT];
};

/* All that members see of it.  Its name is gone then: nothing is left behind. */
void fuzz_keep_region(struct fuzz_kept *kept, struct shmchan_region *region);
/* ... or it stays, for whoever opens it. */
void fuzz_keep_named_region(struct fuzz_kept *kept,
			    struct shmchan_region *region);
/* Memory of this process; what malloc() has returned. */
void fuzz_keep(struct fuzz_kept *kept, void *p, size_t size);
void fuzz_keep_heap(struct fuzz_kept *kept, void *p);
void fuzz_put_back(const struct fuzz_kept *kept);

/* A name for a region of this process. */
const char *fuzz_name(void);

/*
 * The holder of a slot ends (SHMCHAN_SLOT_DIED, _LEFT), or the next one comes
 * (_LIVE).  Returns its generation.
 */
static inline uint32_t fuzz_slot(const struct fuzz_kept *kept, uint32_t slot,
				 uint32_t state)
{
	uint64_t generation = kept->slots[slot] >> 32;

	if (state == SHMCHAN_SLOT_LIVE)
		generation++;
	kept->slots[slot] = generation << 32 | state;
	++*kept->members_seq;
	return (uint32_t)generation;
}

#endif /* SHMCHAN_FUZZ_KEPT_H */
