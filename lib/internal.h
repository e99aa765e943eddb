/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_INTERNAL_H
#define SHMCHAN_INTERNAL_H

/*
 * What the library's files share and its users do not see.  Everything
 * declared here is hidden in the shared library.
 */

#include <stdint.h>

#include <shmchan/region.h>

#pragma GCC visibility push(hidden)

/*
 * Sets what shmchan_error_detail() tells this thread, and returns -err.  A
 * good detail says what was wrong, with its value, and what would be right.
 */
__attribute__((format(printf, 2, 3)))
int shmchan__fail(int err, const char *fmt, ...);

/* What an errno means; valid until this thread's next call. */
const char *shmchan__errstr(int err);

/*
 * Is this handle the caller's to use?  0, or -EINVAL (NULL), or -EOWNERDEAD:
 * a forked child inherited it.  A slow path's first line; one load.
 */
int shmchan__usable(const struct shmchan_region *region);

/* Is this slot word {generation, SHMCHAN_SLOT_LIVE}? */
static inline int shmchan__word_live(uint64_t word, uint32_t generation)
{
	return SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE &&
	       SHMCHAN_SLOT_WORD_GEN(word) == generation;
}

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t shmchan__now(void);

#pragma GCC visibility pop

#endif /* SHMCHAN_INTERNAL_H */
