/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_URING_H
#define SHMCHAN_URING_H

/*
 * Submissions of io_uring for doorbells.  For programs that use liburing; no
 * other header of the library includes this one.
 *
 *  prep_ring		rings a doorbell
 *  prep_wait		waits for words, as shmchan_wait_many(): the way with the
 *			fewest steps for a program that sleeps in io_uring
 *  prep_poll		a completion each time the file of a member becomes
 *			readable; for it the contract of <shmchan/loop.h> holds:
 *			drain, arm, drain again if EAGAIN, sleep
 *  prep_read_events	reads what has made it so; it does not wait for events:
 *			without any, EAGAIN
 *
 * ring and wait take a module that can: shmchan_uring_can_ring() and _wait() say
 * so.  poll works with every one, and with a set, too: on its file.  Where
 * io_uring is forbidden (seccomp in most containers, kernel.io_uring_disabled),
 * shmchan_uring_check() says so; epoll works there.
 *
 * Each returns 0, and then the submission is filled in but for its user data; or
 * an error, and then it is a no-op that may be submitted: ENOTSUP (the local
 * backend has no file), EOWNERDEAD, EINVAL.  Submit in the process that opened
 * the region; a kernel thread that polls the queue (SQPOLL) counts as that.
 */

#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include <shmchan/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The file, with the submission filled in as a no-op if there is none. */
static inline int shmchan_uring__file(struct io_uring_sqe *sqe,
				      const struct shmchan_region *region)
{
	io_uring_prep_nop(sqe);
	return shmchan_region_fd(region);
}

/* cmd_op shares its place with off, and cmd with addr3: zeros before. */
static inline void shmchan_uring__cmd(struct io_uring_sqe *sqe, int fd,
				      uint32_t op, const void *arg, size_t size)
{
	io_uring_prep_rw(IORING_OP_URING_CMD, sqe, fd, NULL, 0, 0);
	sqe->cmd_op = op;
	memcpy(sqe->cmd, arg, size);
}

/* The completion's res: how many were woken, or an error of shmchan_bell_ring(). */
static inline int shmchan_uring_prep_ring(struct io_uring_sqe *sqe,
					  const struct shmchan_region *region,
					  uint32_t doorbell, uint32_t max_wake)
{
	struct shmchan_uring_ring arg;
	int fd = shmchan_uring__file(sqe, region);

	if (fd < 0)
		return fd;
	memset(&arg, 0, sizeof(arg));
	arg.doorbell = doorbell;
	arg.max_wake = max_wake;
	shmchan_uring__cmd(sqe, fd, SHMCHAN_IOC_RING, &arg, sizeof(arg));
	return 0;
}

/*
 * Fill in a wait for elements, whose fd is -1 or a member's file, for
 * shmchan_uring_prep_wait().  Without a deadline: set wait->deadline, nanoseconds of
 * CLOCK_MONOTONIC, for one.  (io_uring up to Linux 6.12 at least cannot cancel it by
 * a linked timeout or ASYNC_CANCEL; who has to end it early names a word of its own
 * as well, changes that and rings.  It ends with the io_uring, too.)
 */
static inline void shmchan_uring_init_wait(struct shmchan_wait *wait,
					   const struct shmchan_wait_elem *elems,
					   uint32_t nr_elems)
{
	memset(wait, 0, sizeof(*wait));
	wait->size = sizeof(*wait);
	wait->elems = (uintptr_t)elems;
	wait->nr_elems = nr_elems;
	wait->clockid = CLOCK_MONOTONIC;
	wait->deadline = SHMCHAN_FOREVER;
	/* Nobody could pass a barrier through them between the count and the look. */
	wait->flags = SHMCHAN_WAIT_FENCED;
}

/*
 * wait and its elements may go when it has been submitted, or, where io_uring begins
 * it later (behind a link, IOSQE_IO_DRAIN, IOSQE_ASYNC), when it has been completed.
 * The completion's res: which element has changed, or an error of shmchan_bell_wait(),
 * or ECANCELED, or EAGAIN beside members that joined with SHMCHAN_JOIN_ASYM: poll
 * there, and arm.
 */
static inline int shmchan_uring_prep_wait(struct io_uring_sqe *sqe,
					  const struct shmchan_region *region,
					  const struct shmchan_wait *wait)
{
	struct shmchan_uring_wait arg;
	int fd = shmchan_uring__file(sqe, region);

	if (fd < 0)
		return fd;
	memset(&arg, 0, sizeof(arg));
	arg.wait = (uintptr_t)wait;
	shmchan_uring__cmd(sqe, fd, SHMCHAN_IOC_WAIT, &arg, sizeof(arg));
	return 0;
}

/*
 * A completion for each time that the file becomes readable, as long as they have
 * IORING_CQE_F_MORE; submit it again when one has not.
 */
static inline int shmchan_uring_prep_poll(struct io_uring_sqe *sqe,
					  const struct shmchan_region *region)
{
	int fd = shmchan_uring__file(sqe, region);

	if (fd < 0)
		return fd;
	io_uring_prep_poll_multishot(sqe, fd, POLLIN);
	return 0;
}

/* The completion's res: bytes of whole events, or EAGAIN: none was pending. */
static inline int
shmchan_uring_prep_read_events(struct io_uring_sqe *sqe,
			       const struct shmchan_region *region,
			       struct shmchan_event *events, uint32_t nr)
{
	int fd = shmchan_uring__file(sqe, region);

	if (fd < 0)
		return fd;
	io_uring_prep_read(sqe, fd, events,
			   (unsigned int)(nr * sizeof(*events)), 0);
	/* Else io_uring would wait for some to come. */
	sqe->rw_flags = RWF_NOWAIT;
	return 0;
}

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_URING_H */
