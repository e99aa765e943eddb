/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SYNC_PRIVATE_H
#define SHMCHAN_SYNC_PRIVATE_H

/*
 * What the slow paths of synchronisation objects share.
 *
 * All of them are one loop:
 *
 *	err = shmchan__sync_enter(o);
 *	if (err)
 *		return err;
 *	for (;;) {
 *		members = shmchan_members_seq(o->region);
 *		look at the object's words; done?  return;
 *		(an owner that shmchan__sync_lives() denies is dead: go on
 *		from there, or take over)
 *		if (timed out) return -ETIMEDOUT;
 *		err = shmchan__sync_wait(o, words as seen, nr, members, deadline);
 *		if (err == -ETIMEDOUT)
 *			timed out, after one more look;
 *		else if (err)
 *			return err;
 *	}
 *
 * members is read before the words: a death between the two then ends the sleep
 * at once.  The look after the time is up is for a wake-up that was ours, where
 * sleepers are woken one at a time, and came in that moment: nobody else will get
 * another.  (The module lets a wake-up beat the end of the time; nothing here
 * depends on it.)
 *
 * The models compile these slow paths as they are, and have their own enter, wait
 * and ring.
 */

#include <errno.h>

#include <shmchan/sync.h>

/* The last two are for what is said to who tries again and again. */
#ifdef SHMCHAN_EXPLORER
#define sync_fail(err, ...)		(-(err))
#define sync_fail_lazily(err, ...)	(-(err))
#define sync_fail_briefly(err, text)	(-(err))
#else
#include "internal.h"
#define sync_fail(err, ...)		shmchan__fail((err), __VA_ARGS__)
#define sync_fail_lazily(err, ...)	shmchan__fail_lazily((err), __VA_ARGS__)
#define sync_fail_briefly(err, text)	shmchan__fail_briefly((err), (text))
#endif

/* Who is named in a cell, for "slot %llu (generation %llu), thread %llu". */
#define SYNC_OWNER(cell) \
	(unsigned long long)shmchan_cell_slot(cell), \
	(unsigned long long)shmchan_cell_generation(cell), \
	(unsigned long long)shmchan_cell_thread(cell)

#pragma GCC visibility push(hidden)

/*
 * Attach to an object of a type, size bytes long, with the parameter that all
 * have to agree on.  Errors: EINVAL (the place), EACCES (of the rights, the window,
 * or the doorbell we lack one), EPROTO (it is something else, or all the others
 * have another parameter or doorbell), EOWNERDEAD, ESTALE.
 */
int shmchan__sync_attach(struct shmchan_sync_object *o,
			 const struct shmchan_place *place,
			 enum shmchan_sync_type type, uint32_t parameter,
			 uint64_t size);

/*
 * A slow path's first line: may this process use it, and has this thread a
 * number?  0, EOWNERDEAD, EUSERS.
 */
int shmchan__sync_enter(struct shmchan_sync_object *o);

/*
 * The first line of a fast path that needs no number: is the object there, or is this
 * a child of fork?  For a handle that is attached.  0, EOWNERDEAD.
 */
static inline int shmchan__sync_here(const struct shmchan_sync_object *o)
{
#ifndef SHMCHAN_EXPLORER
	/* Who has a number has been asked. */
	if (__builtin_expect(!shmchan_sync__thread(), 0))
		return shmchan__usable(o->region);
#endif
	(void)o;
	return 0;
}

/* A word of an object, and what was seen in it. */
struct shmchan__seen {
	const uint64_t *word;
	uint64_t value;
};

#define SHMCHAN__SYNC_WORDS	3

/*
 * Wait while all words, SHMCHAN__SYNC_WORDS at most, are as seen, and members_seq
 * is: spins first, if that pays, then makes one system call.  0 (or for no
 * reason), ETIMEDOUT, ESTALE, EUSERS.
 */
int shmchan__sync_wait(struct shmchan_sync_object *o,
		       const struct shmchan__seen *seen, uint32_t nr,
		       uint64_t members, uint64_t deadline);

/* thread_number.c: that of this thread, from now on; EUSERS: no more are left. */
int shmchan__thread_number(void);

#pragma GCC visibility pop

/* Does the owner of a cell live?  If not, all that it has stored is to be seen. */
static inline int shmchan__sync_lives(const struct shmchan_sync_object *o,
				      uint64_t cell)
{
	return shmchan_cell_lives(o->slots, o->region->nr_slots, cell);
}

#endif /* SHMCHAN_SYNC_PRIVATE_H */
