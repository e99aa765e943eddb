/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SYNC_H
#define SHMCHAN_SYNC_H

/*
 * Synchronisation objects: locks and the like, between processes, of which any
 * may be killed at any instant.
 *
 *  mutex.h	one at a time; who comes after a dead owner is told so
 *  condvar.h	waiting, with a mutex, for a condition to become true
 *  once.h	something that is to be done once, by whoever comes first
 *  rwlock.h	many who read, or one who writes
 *  permits.h	so many at a time; the permits of the dead come back
 *  signal.h	a count that is posted and taken; not robust
 *  barrier.h	nobody goes on before all have arrived that live
 *
 * What is said here holds for all of them.
 *
 * An *object* is some cache lines of a region: 64 bytes for a mutex, at an offset
 * that is a multiple of 64.  All zero is a valid object that nobody holds, and new
 * regions are zero: nothing has to be made or destroyed.  Those who use it write
 * it, so it lies in a window with SHMCHAN_SLOT_SHARED, which the members map
 * writable, all of them: this is for members that trust each other.  A hostile one
 * can make any call fail or wait for ever; it cannot make it crash, or look at
 * memory outside of the object.
 *
 * Who has to wait for an object sleeps on its *doorbell*, one with the owner
 * SHMCHAN_SLOT_SHARED, of the same region.  Each object takes a doorbell of its
 * own.  With one doorbell for two objects wake-ups are lost: where one sleeper is
 * woken and there are many, it could be one of the other object.  That two members
 * do not name the same doorbell for one object is checked; this is not.
 *
 * Where an object is, is its *place*.  A program attaches to it, which checks all
 * that can be checked, and gets a *handle*:
 *
 *	struct shmchan_place place = {
 *		.region = r, .offset = locks + 64 * 3, .doorbell = 4,
 *	};
 *	struct shmchan_mutex m;
 *	int err = shmchan_mutex_attach(&m, &place);
 *
 *	err = shmchan_mutex_lock(&m);
 *	...
 *	shmchan_mutex_unlock(&m);
 *
 * A handle is plain memory of the process.  There is nothing to detach; it must
 * not be used after its region was closed.  All threads may use one handle at a
 * time, or each have its own, which is the same thing: owners are threads, not
 * handles.
 *
 * Who has no region yet takes one that is nothing but objects, by their numbers, and
 * some memory for what they protect:
 *
 *	struct shmchan_sync s;
 *	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
 *		.create = 1, .nr_members = 8, .nr_objects = 16, .data_size = 4096);
 *	int err = shmchan_sync_open(&s, "locks", &opts);
 *
 *	err = shmchan_mutex_at(&m, &s, 3);
 *
 * The owner of something is a slot, the generation that holds it, and a thread of
 * that member (<shmchan/cell.h>).  When a member dies, leaves its region or is
 * revoked, all that its threads held is at once without a living owner, and the
 * calls say so to whoever comes next, as POSIX says of robust mutexes; whoever
 * sleeps is woken.  A thread that ends in a process that goes on is not dead in
 * this sense: what it held stays held, by a thread that may get its number.  So
 * cancelling threads that hold something is no good here either.  A process that
 * is a member twice, by two regions, has two of each owner.  After fork a child
 * opens the region for itself, and does not hold what its parent holds.
 *
 * Calls.  What may have to wait comes thrice: X() waits for ever, tryX() not at
 * all (EAGAIN), timedX() for timeout_ns nanoseconds (0: EAGAIN; negative: for
 * ever; else ETIMEDOUT).  Without contention no call makes a system call, and with
 * it one: to sleep, or to wake.  Before sleeping a thread looks again for about as
 * long as a sleep costs, if that has paid lately; of the threads that share a
 * handle one at a time does so.  Signals do not show.  Beside what each call says:
 *
 *  ESTALE	we were revoked: what was stored went nowhere
 *  EOWNERDEAD	also: the handle is the parent's, and this is a child
 *  EUSERS	4095 threads of this process use locks already; or too many members
 *		sleep (512 a member with the module)
 *  EACCES	we may not ring or wait
 *
 * There is no fairness: whoever comes at the right moment may overtake those who
 * sleep.  There is no priority inheritance, for an owner is no TID: where that is
 * needed, a PTHREAD_PRIO_INHERIT mutex of glibc works in a region as well.
 */

#include <stddef.h>
#include <stdint.h>

#include <shmchan/bell.h>
#include <shmchan/cell.h>
#include <shmchan/region.h>
#include <shmchan/spin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where an object is, and how to wait for it. */
struct shmchan_place {
	struct shmchan_region *region;
	uint64_t offset;	/* of the region; a multiple of 64 */
	uint32_t doorbell;	/* the object's own; 1 and up */
	int64_t spin_ns;	/* before sleeping; 0: adaptive; negative: none */
};

/*
 * What an object is, in its second word, so that nobody takes a semaphore for a
 * mutex.  The first attach of all writes it, from 0, and all others compare.
 *
 *	 63           32 31        20 19      12 11       8 7        0
 *	+---------------+------------+----------+----------+----------+
 *	|   parameter   |  doorbell  |   type   | version  |   0xb5   |
 *	+---------------+------------+----------+----------+----------+
 *
 * The parameter is what all sides have to agree on, a number of permits say.  The
 * version is that of the object's bytes and of what they mean.
 */
#define SHMCHAN_SYNC_MAGIC	0xb5U
#define SHMCHAN_SYNC_VERSION	1U

enum shmchan_sync_type {
	SHMCHAN_SYNC_MUTEX = 1,
	SHMCHAN_SYNC_CONDVAR = 2,
	SHMCHAN_SYNC_ONCE = 3,
	SHMCHAN_SYNC_RWLOCK = 4,
	SHMCHAN_SYNC_PERMITS = 5,
	SHMCHAN_SYNC_SIGNAL = 6,
	SHMCHAN_SYNC_BARRIER = 7,
};

/* The first line of every object. */
struct shmchan_sync_line {
	uint64_t word;		/* what all look at first; mostly a cell */
	uint64_t config;
	uint64_t more[6];	/* the type's own; 0 where it has no use for it */
};

SHMCHAN__ASSERT(sizeof(struct shmchan_sync_line) == 64);

/* What every handle begins with.  Nothing in it is for users. */
struct shmchan_sync_object {
	struct shmchan_sync_line *line;
	uint64_t self;			/* our cell, but thread and state */
	struct shmchan_region *region;
	const uint64_t *slots;		/* the slot words */
	uint64_t offset;		/* region offset of line */
	uint32_t doorbell;
	uint32_t spinning;		/* a thread of ours has spin */
	struct shmchan_spin spin;
	uint64_t rings;			/* system calls to wake */
	uint64_t waits;			/* ... and to sleep */
};

/*
 * The number of this thread, 1 to 4095, in the cells that it owns; 0: it has none
 * yet, which the slow paths change.  A child of fork begins with 0, so that it comes
 * to a slow path before it touches memory that it has not, and is told so.  (With a
 * lock of its own it gets a number: from then on handles that it has inherited are
 * as any pointer to what is not there, and it must not use them.)
 */
#ifdef SHMCHAN_EXPLORER
#define shmchan_sync__thread()	1U
#else
extern __thread uint32_t shmchan_sync__thread_number;
#define shmchan_sync__thread()	shmchan_sync__thread_number
#endif

/* Can the fast path be taken?  Else the slow one says why not. */
static inline int shmchan_sync__ready(const struct shmchan_sync_object *o)
{
	return __builtin_expect(shmchan_sync__thread() && o->line, 1);
}

/* The cell of this thread, in that state; its thread is 0 if it has no number. */
static inline uint64_t shmchan_sync__me(const struct shmchan_sync_object *o,
					uint32_t state)
{
	return o->self | (uint64_t)shmchan_sync__thread() << 8 | state;
}

/* Slow path of the next. */
int shmchan_sync__ring(struct shmchan_sync_object *o, uint32_t max_wake);

/*
 * What an object's words say has changed: wake sleepers, if there are any, at most
 * max_wake of those for whom it has (0: all).  The caller's store came first,
 * seq_cst; that and this load are one side of the store buffering of
 * <shmchan/bell.h>.  0, or ESTALE: the store went nowhere.
 *
 * Waking one is enough only if it goes on to do what wakes the next, and if those
 * who were not woken are sure to notice its death, for which they name
 * shmchan_elem_members().
 */
static inline int shmchan_sync__notify(struct shmchan_sync_object *o,
				       uint32_t max_wake)
{
	if (__builtin_expect(!shmchan_bell_wanted(o->region, o->doorbell), 1))
		return shmchan_region_check(o->region);
	return shmchan_sync__ring(o, max_wake);
}

/* How to open or make a region of objects.  Begin with SHMCHAN_SYNC_OPTS(). */
struct shmchan_sync_opts {
	size_t size;		/* of this struct; the initialiser sets it */
	enum shmchan_backend backend;
	int create;		/* 1: if it is not there; else it has to be */
	int exclusive;		/* with create: it must not be there (EEXIST) */
	uint32_t nr_members;	/* for create: at a time; 0: 64; at most 4096 */
	uint32_t nr_objects;	/* for create: 0: 64; at most 4095 */
	uint64_t data_size;	/* for create: bytes for what they protect */
	uint32_t mode;		/* for create: permission bits; 0: 0600 */
	int any_owner;		/* for open: whoever owns it (else us or root) */
	int64_t wait_ns;	/* without create: for the name to appear */
	int64_t spin_ns;	/* of all places, see struct shmchan_place */
	uint32_t join_flags;	/* SHMCHAN_JOIN_SIGBUS, see <shmchan/access.h> */
};

/*
 * Each object takes 64 bytes and 64 for each member, so any type has room, and a
 * doorbell.  nr_members, nr_objects and data_size, if they are given and it is there
 * already, are what it has to have at least (EPROTO).
 */
#define SHMCHAN_SYNC_OPTS(...) \
	((struct shmchan_sync_opts){ \
		.size = sizeof(struct shmchan_sync_opts), __VA_ARGS__ })

struct shmchan_sync {
	struct shmchan_region *region;
	uint32_t nr_members;
	uint32_t nr_objects;
	void *data;		/* data_size bytes, of all members; zero at first */
	uint64_t data_size;
	uint64_t data_offset;	/* of the region */
	uint64_t objects_offset;
	uint64_t stride;
	int64_t spin_ns;
};

/*
 * Open a region of objects by name, or make it; become a member.  May block with
 * wait_ns.  Errors: EINVAL (says which option), ENOENT, EEXIST, ETIMEDOUT (it did not
 * appear), EUSERS (it is full), EPROTO (the name is something else, or of another
 * version, or has less: says both), EACCES, and what else shmchan_region_create()
 * and _open() return.
 */
int shmchan_sync_open(struct shmchan_sync *sync, const char *name,
		      const struct shmchan_sync_opts *opts);

/*
 * By a capability instead of a name: "Into what" in <shmchan/access.h>.  nr_members,
 * nr_objects and data_size are what it has to have at least, here as well.
 */
int shmchan_sync_adopt(struct shmchan_sync *sync, int capability,
		       const struct shmchan_sync_opts *opts);

/*
 * Leave.  What our threads still hold is as if they had died.  No handle that was
 * attached to one of its objects may be used any more.  NULL or a closed one is fine.
 */
void shmchan_sync_close(struct shmchan_sync *sync);

/*
 * The place of object number nr, from 0 up.  What type it is, the first one to attach
 * says.  EINVAL.
 */
int shmchan_sync_place(const struct shmchan_sync *sync, uint32_t nr,
		       struct shmchan_place *place);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_SYNC_H */
