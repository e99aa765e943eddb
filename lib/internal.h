/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_INTERNAL_H
#define SHMCHAN_INTERNAL_H

/*
 * What the library's files share and its users do not see.  Everything
 * declared here is hidden in the shared library.
 */

#include <sched.h>
#include <stdint.h>
#include <time.h>

#include <shmchan/region.h>

#pragma GCC visibility push(hidden)

/*
 * Sets what shmchan_error_detail() tells this thread, and returns -err.  A
 * good detail says what was wrong, with its value, and what would be right.
 */
__attribute__((format(printf, 2, 3)))
int shmchan__fail(int err, const char *fmt, ...);

/*
 * The same of numbers alone, put into words when somebody asks for them: for what a
 * call that is made in a loop may say each time, which is EAGAIN.  fmt is a literal;
 * what follows are up to four of unsigned long long.
 */
#define shmchan__fail_lazily(err, ...) __extension__ ({ \
	if (0) \
		shmchan__like_printf(__VA_ARGS__); \
	SHMCHAN__LAZILY((err), __VA_ARGS__, 0, 0, 0, 0, 0); })
#define SHMCHAN__LAZILY(err, fmt, a, b, c, d, ...) \
	shmchan__fail_later((err), (fmt), (a), (b), (c), (d))
int shmchan__fail_later(int err, const char *fmt, unsigned long long a,
			unsigned long long b, unsigned long long c,
			unsigned long long d);

/* The same of a literal without a number, which is less to remember. */
int shmchan__fail_briefly(int err, const char *text);

__attribute__((format(printf, 1, 2)))
static inline void shmchan__like_printf(const char *fmt, ...)
{
	(void)fmt;
}

/* What an errno means; valid until this thread's next call. */
const char *shmchan__errstr(int err);

/*
 * Is this handle the caller's to use?  0, or -EINVAL (NULL), or -EOWNERDEAD:
 * a forked child inherited it.  A slow path's first line; one load.
 */
int shmchan__usable(const struct shmchan_region *region);

/* What messages call a region. */
static inline const char *shmchan__name_of(const struct shmchan_region *region)
{
	return region->name[0] ? region->name : "(unnamed)";
}

/* Is this slot word {generation, SHMCHAN_SLOT_LIVE}? */
static inline int shmchan__word_live(uint64_t word, uint32_t generation)
{
	return SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE &&
	       SHMCHAN_SLOT_WORD_GEN(word) == generation;
}

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t shmchan__now(void);

/*
 * Who was told to spin for longer than a death takes to be told looks for the dead
 * itself; not before, as that takes system calls.
 */
static inline void shmchan__spin_bury(const struct shmchan_region *region,
				      uint64_t begin, uint64_t now)
{
	if (now - begin >= (uint64_t)SHMCHAN_LOCAL_SLICE_NS)
		(void)shmchan_region_poll_members(region);
}

/* Where nobody would ring: let whoever we wait for run, if it lives. */
static inline void shmchan__yield_to(const struct shmchan_region *region)
{
	(void)shmchan_region_poll_members(region);
	sched_yield();
}

/*
 * In front of a lane that is being repaired; or somebody has died amid it, or is
 * hostile.
 */
static inline void shmchan__await_repair(const struct shmchan_region *region)
{
	(void)shmchan_region_poll_members(region);
	nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
}

/* Of a slot's two last holders the one of that generation; or NULL. */
static inline const struct shmchan_identity *
shmchan__identity_of(const struct shmchan_member_info *info,
		     uint32_t generation)
{
	if (info->current_holder.generation == generation)
		return &info->current_holder;
	if (info->previous_holder.generation == generation)
		return &info->previous_holder;
	return NULL;
}

#pragma GCC visibility pop

#endif /* SHMCHAN_INTERNAL_H */
