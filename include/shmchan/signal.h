/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SIGNAL_H
#define SHMCHAN_SIGNAL_H

/*
 * Signals: a count that some members raise and others wait for and take down.
 *
 *	struct shmchan_signal s;
 *	int err = shmchan_signal_attach(&s, &place);
 *
 *	shmchan_signal_post(&s, 3);		three things to do
 *
 *	err = shmchan_signal_wait(&s);		takes one
 *
 * <shmchan/sync.h> tells where it is and what holds for all calls.  It takes 64
 * bytes.  It is what POSIX calls an unnamed semaphore, sem_post(3) and sem_wait(3),
 * with a count of 64 bits.
 *
 * A signal is *not robust*.  A count does not know whose it is: what a member took
 * and had not dealt with when it died is gone, and what it was going to post is not
 * posted.  No wake-up is lost, though, whoever dies and when: who sleeps while the
 * count is not 0 is woken.  Where a count stands for something that is held, use
 * permits (<shmchan/permits.h>); where it stands for work, send the work through
 * a lane, which loses nothing.
 *
 * There is no order among those who wait: any of them may be overtaken.
 */

#include <shmchan/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMCHAN_SIGNAL_SIZE	64

/* A handle.  Nothing in it is for users. */
struct shmchan_signal {
	struct shmchan_sync_object o;
};

/*
 * Attach to the signal at a place.  Does not block.  The handle is the caller's
 * memory, for all its threads.  Errors: EINVAL (the place), EACCES (of the rights,
 * the window or the doorbell we lack one), EPROTO (something else is there),
 * ESTALE, EOWNERDEAD (after fork).
 */
int shmchan_signal_attach(struct shmchan_signal *signal,
			  const struct shmchan_place *place);

/* The same of object number nr of a region of objects; EINVAL: so many there are not. */
static inline int shmchan_signal_at(struct shmchan_signal *signal,
				    const struct shmchan_sync *sync, uint32_t nr)
{
	struct shmchan_place place;
	int err = shmchan_sync_place(sync, nr, &place);

	return err ? err : shmchan_signal_attach(signal, &place);
}

/*
 * Add n to the count, and wake up to n who sleep.  Any thread.  Does not block; one
 * system call if somebody sleeps.  n of 0 does nothing.  Errors: EINVAL (not
 * attached, or NULL), EOWNERDEAD (after fork), ESTALE.
 */
int shmchan_signal_post(struct shmchan_signal *signal, uint32_t n);

/*
 * Take one from the count, when it is not 0.  wait blocks for ever, trywait does
 * not, timedwait for timeout_ns at most (0: as trywait; negative: as wait).  Any
 * thread.  No system call unless it has to sleep.  Errors: EAGAIN, ETIMEDOUT,
 * ESTALE, EUSERS, EACCES.
 */
int shmchan_signal_timedwait(struct shmchan_signal *signal, int64_t timeout_ns);

static inline int shmchan_signal_wait(struct shmchan_signal *signal)
{
	return shmchan_signal_timedwait(signal, -1);
}

static inline int shmchan_signal_trywait(struct shmchan_signal *signal)
{
	return shmchan_signal_timedwait(signal, 0);
}

/* Slow path of the next: of a thread that has no number yet. */
uint64_t shmchan_signal__count(const struct shmchan_signal *signal);

/*
 * The count, which may be old when it is told.  Does not block.  0 also of a handle
 * that is not attached, in a child of fork, and to a thread for which EUSERS holds:
 * shmchan_error_detail() says so.  (Who was revoked sees 0, and is told by the next
 * call.)
 */
static inline uint64_t shmchan_signal_count(const struct shmchan_signal *signal)
{
	if (!shmchan_sync__ready(&signal->o))
		return shmchan_signal__count(signal);
	return shmchan_load_acquire(&signal->o.line->word);
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_SIGNAL_H */
