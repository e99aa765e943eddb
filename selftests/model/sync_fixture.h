/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MODEL_SYNC_FIXTURE_H
#define MODEL_SYNC_FIXTURE_H

/*
 * Synchronisation objects for models: the library's inline and slow paths as they
 * are, and a kernel under their waits and rings.  That is coarser than the one of
 * kernel.h, so that three threads can be explored: all that WAIT does before it
 * sleeps is under the doorbell's lock, and a ring takes whom it wakes off the queue
 * and the count, as the module does.  That the finer steps lose nothing is what the
 * models of bells show.
 *
 * Each thread is a member of its own, in the slot of its number, and has handles of
 * its own; objects lie at multiples of 64 and have doorbell 1 or 2.
 */

#include <errno.h>

#include <linux/shmchan.h>
#include <shmchan/sync.h>

#include "explorer.h"
#include "kernel.h"

/* What a model leaves out, to see whether it is missed; reset by sync_setup(). */
enum sync_flaw {
	SYNC_RIGHT,
	SYNC_NO_MEMBERS,	/* sleepers do not name the count of members */
};
extern enum sync_flaw sync_flaw;

/* Doorbells that anybody sleeps on: 1, unless a model sets it after sync_setup(). */
extern uint32_t sync_bells;

/* For setup functions. */
void sync_setup(void);

/*
 * A handle of the member in a slot, of generation 1, for the object at offset.  A
 * wait settles (explorer_settle()): what the thread goes on to do depends on
 * nothing but the phase that sync_phase() has told of last, and on this return.
 */
void sync_attach(struct shmchan_sync_object *o, uint32_t slot, uint64_t offset,
		 uint32_t doorbell);

static inline void sync_phase(struct shmchan_sync_object *o, uint64_t phase)
{
	o->waits = phase;
}

/* Data that only who holds something may touch: plain, so races are reported. */
uint64_t sync_plain_get(unsigned int i);
void sync_plain_set(unsigned int i, uint64_t value);
uint64_t sync_plain_final(unsigned int i);

/* For wills: the member of a slot dies, wherever it is. */
void sync_dies(uint32_t slot);

/* What the program does next is not what the compiler may move. */
void sync_returned(void);

#endif /* MODEL_SYNC_FIXTURE_H */
