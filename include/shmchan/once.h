/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_ONCE_H
#define SHMCHAN_ONCE_H

/*
 * Once: what is to be done once, by whichever process comes first, while the
 * others wait until it is done.
 *
 *	err = shmchan_once_begin(&once);
 *	if (err == -EOWNERDEAD)
 *		clean(data);		(somebody died in the middle of it)
 *	if (err == SHMCHAN_ONCE_RUN || err == -EOWNERDEAD) {
 *		fill(data);
 *		err = shmchan_once_end(&once);
 *	}
 *
 * Who dies while it runs has not done it: the next one gets EOWNERDEAD, and it is
 * that one's to do, from whatever state the dead one has left.  So it is done once
 * to the end, and begun perhaps several times.
 *
 * When it is done, begin is two loads, of which one is of the object.
 *
 * The word is a cell, of who runs it, or that it is done.
 */

#include <shmchan/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 64 bytes at the place: struct shmchan_sync_line. */
#define SHMCHAN_ONCE_SIZE	64

enum shmchan_once_state {
	SHMCHAN_ONCE_RUNNING = 1,
	SHMCHAN_ONCE_DONE = 2,		/* nobody's */
};

/* What begin returns to who is to do it. */
#define SHMCHAN_ONCE_RUN	1

struct shmchan_once {
	struct shmchan_sync_object o;
};

/* As shmchan_mutex_attach(). */
int shmchan_once_attach(struct shmchan_once *once,
			const struct shmchan_place *place);

/* The same of object number nr of a region of objects; EINVAL: so many there are not. */
static inline int shmchan_once_at(struct shmchan_once *once,
				  const struct shmchan_sync *sync, uint32_t nr)
{
	struct shmchan_place place;
	int err = shmchan_sync_place(sync, nr, &place);

	return err ? err : shmchan_once_attach(once, &place);
}

/* Slow path. */
int shmchan_once__begin(struct shmchan_once *once, int64_t timeout_ns);

/* The acquire has its partner in the CAS of end: what was done is to be seen. */
static inline int shmchan_once__begin_fast(struct shmchan_once *once,
					   int64_t timeout_ns)
{
	if (shmchan_sync__ready(&once->o) &&
	    __builtin_expect(shmchan_load_acquire(&once->o.line->word) ==
			     SHMCHAN_ONCE_DONE, 1))
		return shmchan_region_check(once->o.region);
	return shmchan_once__begin(once, timeout_ns);
}

/*
 * 0: it is done.  SHMCHAN_ONCE_RUN: it is ours to do, and then to end or abandon.
 * EOWNERDEAD: the same, and one who was at it has died.  Blocks while somebody who
 * lives is at it.  EDEADLK: we are at it; and what sync.h says.
 */
static inline int shmchan_once_begin(struct shmchan_once *once)
{
	return shmchan_once__begin_fast(once, -1);
}

/* Never blocks: EAGAIN while somebody is at it. */
static inline int shmchan_once_trybegin(struct shmchan_once *once)
{
	return shmchan_once__begin_fast(once, 0);
}

/* For so long at most: ETIMEDOUT. */
static inline int shmchan_once_timedbegin(struct shmchan_once *once,
					  int64_t timeout_ns)
{
	return shmchan_once__begin_fast(once, timeout_ns);
}

/* It is done; wakes all.  Never blocks.  EPERM: this thread is not at it. */
int shmchan_once_end(struct shmchan_once *once);

/*
 * It is not done and nothing is left of the attempt, as if nobody had begun: the
 * next one gets SHMCHAN_ONCE_RUN.  Never blocks.  EPERM.
 */
int shmchan_once_abandon(struct shmchan_once *once);

/*
 * The same as a call: fn(arg, after_death) does it, unless it is done; if that does
 * not return 0 it is abandoned.  Returns 0, what fn returned, or as begin.  Blocks as
 * begin does.
 */
int shmchan_once_call(struct shmchan_once *once,
		      int (*fn)(void *arg, int after_death), void *arg);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_ONCE_H */
