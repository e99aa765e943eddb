/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_BARRIER_H
#define SHMCHAN_BARRIER_H

/*
 * Barriers: nobody goes on until all have arrived - all that live.
 *
 *	struct shmchan_barrier b;
 *	struct shmchan_barrier_opts opts = SHMCHAN_BARRIER_OPTS(.parties = 4);
 *	int err = shmchan_barrier_attach(&b, &place, &opts);
 *
 *	err = shmchan_barrier_register(&b);
 *	for (each step) {
 *		do our part of it;
 *		err = shmchan_barrier_arrive_and_wait(&b);
 *		if (err == -EOWNERDEAD)
 *			a party died before it had done its part of it
 *	}
 *	shmchan_barrier_unregister(&b);
 *
 * <shmchan/sync.h> tells where it is and what holds for all calls.  It takes
 * SHMCHAN_BARRIER_SIZE(nr_slots of the region) bytes.
 *
 * A *party* is a member that has registered: a process, whose threads meet each
 * other by other means first (pthread_barrier_wait(3)).  The barrier's life is a
 * row of *phases*, which a word counts.  A phase ends when every party that takes
 * part in it has arrived; then all go on.
 *
 *  registers		takes part from the next phase on, and is waited for there
 *  unregisters		is not waited for any more
 *  dies, or leaves	is not waited for any more: the barrier shrinks.  If it had
 *  its region		not arrived in a phase, all others get EOWNERDEAD when that
 *			phase ends, and go on all the same: by analogy with what
 *			POSIX says of a mutex, they have what they asked for, and
 *			are told that what it stands for may be incomplete.  There is
 *			nothing to be made consistent, and later phases say nothing
 *			more of it.  Who registered and then left without
 *			unregistering has died in this sense.
 *
 * (Who dies after it arrived has done its part of that phase; the others are told
 * at the end of the next.  If somebody takes its slot and registers before that,
 * they may be told a phase early, or twice.)
 *
 * All of a phase are told the same.  POSIX has no robust barrier, no timed one, and
 * one whose number of parties never changes.
 *
 * The first phase does not end before parties have registered, by the option; with
 * 0, the default, whoever is registered begins.  A party that dies before that has
 * to be replaced: only the first phase waits for a number.
 *
 * A *latch*, for which one waits once, is a barrier of which one phase is used.
 * Those who only count down arrive with shmchan_barrier_arrive().
 *
 * Each party has a cell (<shmchan/sync_cells.h>) that says up to which phase it has
 * arrived.  Who arrives writes its own, then looks at all, and if none that counts
 * is missing, moves the phase on by one compare-and-swap: it need not be the last to
 * have arrived, and if that one is killed before it can, the death wakes the others,
 * of whom one does it.  To arrive costs a store and a look at cells up to the first
 * that is missing.
 */

#include <shmchan/sync_cells.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMCHAN_BARRIER_SIZE(nr_slots)	(64 + SHMCHAN_SYNC_CELLS_SIZE(nr_slots))

/* How to attach.  Begin with SHMCHAN_BARRIER_OPTS(). */
struct shmchan_barrier_opts {
	size_t size;		/* of this struct; the initialiser sets it */
	uint32_t parties;	/* to be there before the first phase can end */
	uint32_t cells_stride;	/* a power of two, 64 or more, with cells_offset */
	uint64_t cells_offset;	/* region offset; 0: behind the first line */
};

#define SHMCHAN_BARRIER_OPTS(...) \
	((struct shmchan_barrier_opts){ \
		.size = sizeof(struct shmchan_barrier_opts), __VA_ARGS__ })

/*
 * A handle.  Nothing in it is for users.  One thread at a time may use it (EBUSY,
 * where the library was built with SHMCHAN_DEBUG, <shmchan/guard.h>), and a member
 * has one for each barrier.
 */
struct shmchan_barrier {
	struct shmchan_sync_object o;
	struct shmchan_sync_cells cells;
	uint64_t next;		/* phase that we are to arrive in */
	uint32_t parties;
	uint8_t registered;
	uint8_t waiting;	/* we have arrived in the one before next */
	uint32_t missing;	/* who had not, when we looked; ~0: nobody */
	uint32_t busy;		/* SHMCHAN_DEBUG: a thread is in a call */
};

/*
 * Attach to the barrier at a place; opts may be NULL.  Does not register.  Does not
 * block.  Errors: EINVAL (the place, the options), EACCES (of the rights, the
 * windows or the doorbell we lack one), EPROTO (something else is there, or for
 * another number of parties, or others keep its cells elsewhere), ESTALE,
 * EOWNERDEAD (after fork).
 */
int shmchan_barrier_attach(struct shmchan_barrier *barrier,
			   const struct shmchan_place *place,
			   const struct shmchan_barrier_opts *opts);

/*
 * Become a party, from the next phase on.  Does not block.  Errors: EBUSY (this
 * member is one already), ESTALE, EOWNERDEAD (after fork).
 */
int shmchan_barrier_register(struct shmchan_barrier *barrier);

/*
 * Be none any more; if all others have arrived, they go on.  Also between
 * arriving and the end of the phase.  Does not block; one system call if somebody
 * sleeps and can go on.  Errors: EPERM (not a party), ESTALE.
 */
int shmchan_barrier_unregister(struct shmchan_barrier *barrier);

/*
 * Arrive, if this party has not in this phase, and do not wait for its end.  0.
 * Does not block; one system call if somebody sleeps and can go on.  What follows
 * is shmchan_barrier_timedwait(): to arrive twice in one phase is not possible.
 * Errors: EPERM (not a party), ESTALE.
 */
int shmchan_barrier_arrive(struct shmchan_barrier *barrier);

/*
 * Arrive, if this party has not in this phase, and wait until the phase ends.
 * arrive_and_wait blocks for ever, timedwait for timeout_ns at most (0: not at all;
 * negative: for ever).  After EAGAIN or ETIMEDOUT this party *has* arrived: call
 * again, to wait on, or unregister.  No system call unless it has to sleep; the one
 * that ends the phase makes one, if others sleep.  Errors: EOWNERDEAD (the phase has
 * ended, go on; a party died before it had arrived in it), EAGAIN, ETIMEDOUT, EPERM
 * (not a party), ESTALE, EUSERS, EACCES.
 */
int shmchan_barrier_timedwait(struct shmchan_barrier *barrier,
			      int64_t timeout_ns);

static inline int
shmchan_barrier_arrive_and_wait(struct shmchan_barrier *barrier)
{
	return shmchan_barrier_timedwait(barrier, -1);
}

/* Slow path of the next: of a thread that has no number yet. */
uint64_t shmchan_barrier__phase(const struct shmchan_barrier *barrier);

/*
 * How many phases have ended, modulo 2^40.  Does not block.  0 also of a handle that
 * is not attached, in a child of fork, and to a thread for which EUSERS holds:
 * shmchan_error_detail() says so.
 */
static inline uint64_t
shmchan_barrier_phase(const struct shmchan_barrier *barrier)
{
	uint64_t phase;

	if (!shmchan_sync__ready(&barrier->o))
		return shmchan_barrier__phase(barrier);
	phase = shmchan_load_acquire(&barrier->o.line->word) >> 24;
	/* In the one before the first, parties gather. */
	return phase ? phase - 1 : 0;
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_BARRIER_H */
