/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_GUARD_H
#define SHMCHAN_GUARD_H

/*
 * Debug checks of handles that belong to one thread at a time: channels, services,
 * pools, barriers.
 *
 * With SHMCHAN_DEBUG defined before the first header of the library is included, a
 * call on such a handle that another thread is in a call on says EBUSY, and one on a
 * handle that was never opened EINVAL; else that costs nothing, and is not noticed.
 * That is so for all calls that are inlined.  For those that are not, the library has
 * to be built with it:
 *
 *	make lib CPPFLAGS=-DSHMCHAN_DEBUG
 *
 * Programs and libraries with and without it go together: nothing looks different.
 * A thread that finds a handle in use has still to be lucky (or not): it finds it if
 * the other one is in there at that moment, as who sleeps in a call is.
 */

#include <errno.h>

#include <shmchan/lane_writer.h>
#include <shmchan/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In words: -EBUSY, -EINVAL.  what: "spsc". */
int shmchan__in_use(const char *what);
int shmchan__not_open(const char *what);
/* A reservation that is none of ours, or that was committed or aborted before. */
int shmchan__no_reservation(const char *what);
/* More was committed than had been reserved. */
int shmchan__too_much(const char *what, size_t length, size_t room);

#ifdef SHMCHAN_DEBUG
/* A call begins; busy is the handle's. */
static inline int shmchan__enter(uint32_t *busy, const char *what)
{
	return shmchan_exchange(busy, 1U) ? shmchan__in_use(what) : 0;
}

/* The same where it would crash if the handle, whose region that is, is not open. */
static inline int shmchan__enter_open(uint32_t *busy,
				      const struct shmchan_region *region,
				      const char *what)
{
	return region ? shmchan__enter(busy, what) : shmchan__not_open(what);
}

/* ... and ends. */
static inline void shmchan__leave(uint32_t *busy)
{
	shmchan_store_release(busy, 0U);
}

/* Is there an open one at that place? */
static inline int
shmchan__check_reservation(const struct shmchan_lane_writer *w,
			   const struct shmchan_reservation *rsv,
			   const char *what)
{
	/* Zeros are no answer: the call itself says why it sees them. */
	if (shmchan_lane__gone(w->own_word, w->own_live))
		return 0;
	return rsv->data && rsv->pos < w->tail &&
	       shmchan_load_relaxed(shmchan_lane__at(w, rsv->pos)) ==
	       shmchan_hdr(rsv->length, SHMCHAN_HDR_BUSY, 0) ?
	       0 : shmchan__no_reservation(what);
}
#else
static inline int shmchan__enter(uint32_t *busy, const char *what)
{
	(void)busy;
	(void)what;
	return 0;
}

static inline int shmchan__enter_open(uint32_t *busy,
				      const struct shmchan_region *region,
				      const char *what)
{
	(void)busy;
	(void)region;
	(void)what;
	return 0;
}

static inline void shmchan__leave(uint32_t *busy)
{
	(void)busy;
}

static inline int
shmchan__check_reservation(const struct shmchan_lane_writer *w,
			   const struct shmchan_reservation *rsv,
			   const char *what)
{
	(void)w;
	(void)rsv;
	(void)what;
	return 0;
}
#endif

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_GUARD_H */
