/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_URING_H
#define SHMCHAN_TEST_URING_H

/*
 * io_uring by its system calls: one request at a time with uring_do(), or as
 * many as the ring has room for with the rest.
 */

#include <linux/io_uring.h>
#include <stddef.h>
#include <sys/uio.h>

#include "shmchan_test.h"

#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER	(1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN	(1U << 13)
#endif
#ifndef IORING_SETUP_NO_MMAP
#define IORING_SETUP_NO_MMAP		(1U << 14)
#endif
#define URING_DEFERRED \
	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)
#define URING_READ_MULTISHOT	49	/* IORING_OP_ */

struct uring {
	int fd;
	struct io_uring_sqe *sqes;
	unsigned int *sq_tail;
	unsigned int *sq_mask;
	unsigned int *sq_array;
	unsigned int *sq_flags;
	unsigned int *cq_head;
	unsigned int *cq_tail;
	unsigned int *cq_mask;
	struct io_uring_cqe *cqes;
	void *maps[3];
	size_t sizes[3];
};

static inline void uring_point(struct uring *r,
			       const struct io_uring_params *p, char *sq,
			       char *cq)
{
	r->sq_tail = (void *)(sq + p->sq_off.tail);
	r->sq_mask = (void *)(sq + p->sq_off.ring_mask);
	r->sq_array = (void *)(sq + p->sq_off.array);
	r->sq_flags = (void *)(sq + p->sq_off.flags);
	r->cq_head = (void *)(cq + p->cq_off.head);
	r->cq_tail = (void *)(cq + p->cq_off.tail);
	r->cq_mask = (void *)(cq + p->cq_off.ring_mask);
	r->cqes = (void *)(cq + p->cq_off.cqes);
}

/* @flags: IORING_SETUP_*.  Returns 0 or -errno. */
static inline int uring_setup_as(struct uring *r, unsigned int entries,
				 unsigned int flags)
{
	struct io_uring_params p = { .flags = flags };
	static const off_t offsets[] = {
		IORING_OFF_SQ_RING, IORING_OFF_CQ_RING, IORING_OFF_SQES,
	};
	unsigned int i;

	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, entries, &p);
	if (r->fd < 0)
		return -errno;
	r->sizes[0] = p.sq_off.array + p.sq_entries * sizeof(*r->sq_array);
	r->sizes[1] = p.cq_off.cqes + p.cq_entries * sizeof(*r->cqes);
	r->sizes[2] = p.sq_entries * sizeof(*r->sqes);
	for (i = 0; i < COUNT(offsets); i++) {
		r->maps[i] = mmap(NULL, r->sizes[i], PROT_READ | PROT_WRITE,
				  MAP_SHARED, r->fd, offsets[i]);
		if (r->maps[i] == MAP_FAILED)
			return -errno;
	}
	r->sqes = r->maps[2];
	uring_point(r, &p, r->maps[0], r->maps[1]);
	return 0;
}

static inline int uring_setup(struct uring *r)
{
	return uring_setup_as(r, 4, 0);
}

/*
 * A small ring in two pages of the caller's, which can be read when it is gone.
 * Returns 0 or -errno.
 */
static inline int uring_setup_in(struct uring *r, char *pages,
				 unsigned int flags)
{
	struct io_uring_params p = { .flags = flags | IORING_SETUP_NO_MMAP };
	uint64_t ring = ptr(pages), sqes = ptr(pages + PAGE);

	memset(r, 0, sizeof(*r));
	memset(pages, 0, 2 * PAGE);
	/* user_addr, the last member of both, had other names. */
	memcpy((char *)(&p.cq_off + 1) - sizeof(ring), &ring, sizeof(ring));
	memcpy((char *)(&p.sq_off + 1) - sizeof(sqes), &sqes, sizeof(sqes));
	r->fd = syscall(SYS_io_uring_setup, 4, &p);
	if (r->fd < 0)
		return -errno;
	r->sqes = (void *)(pages + PAGE);
	uring_point(r, &p, pages, pages);
	return 0;
}

/* The last of it, as a mapping is a reference too. */
static inline void uring_close(struct uring *r)
{
	unsigned int i;

	for (i = 0; i < COUNT(r->maps); i++)
		if (r->maps[i])
			munmap(r->maps[i], r->sizes[i]);
	close(r->fd);
}

/* Puts a request into the queue; it is not submitted yet. */
static inline void uring_queue(struct uring *r, const struct io_uring_sqe *sqe)
{
	unsigned int tail = *r->sq_tail;
	unsigned int i = tail & *r->sq_mask;

	r->sqes[i] = *sqe;
	r->sq_array[i] = i;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
}

/* Returns how many were submitted, or -errno. */
static inline int uring_enter(struct uring *r, unsigned int nr)
{
	unsigned int flags = 0;
	int ret;

	/* Where a thread of the kernel's looks, and may have fallen asleep. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (*r->sq_flags & IORING_SQ_NEED_WAKEUP)
		flags |= IORING_ENTER_SQ_WAKEUP;
	ret = syscall(SYS_io_uring_enter, r->fd, nr, 0, flags, NULL, 0);
	return ret < 0 ? -errno : ret;
}

/* Returns 0 or -errno. */
static inline int uring_submit(struct uring *r, const struct io_uring_sqe *sqe)
{
	int ret;

	uring_queue(r, sqe);
	ret = uring_enter(r, 1);
	return ret < 0 ? ret : 0;
}

/* Takes a completion that comes within @ms.  Returns whether there was one. */
static inline bool uring_next(struct uring *r, struct io_uring_cqe *cqe,
			      unsigned int ms)
{
	struct __kernel_timespec ts = {
		.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000,
	};
	struct io_uring_getevents_arg arg = { .ts = ptr(&ts) };
	unsigned int head = *r->cq_head;

	if (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		syscall(SYS_io_uring_enter, r->fd, 0, 1,
			IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &arg,
			sizeof(arg));
	if (head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		return false;
	*cqe = r->cqes[head & *r->cq_mask];
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return true;
}

#define URING_NOTHING	1000000	/* in place of a result */

/* The result of the next one that comes within @ms. */
static inline int uring_result(struct uring *r, unsigned int ms)
{
	struct io_uring_cqe cqe;

	return uring_next(r, &cqe, ms) ? cqe.res : URING_NOTHING;
}

/* Submits one request and waits for it.  Returns its result, or -errno. */
static inline int uring_do(struct uring *r, const struct io_uring_sqe *sqe)
{
	unsigned int tail = *r->sq_tail;
	unsigned int head = *r->cq_head;
	int ret;

	r->sqes[0] = *sqe;
	r->sq_array[tail & *r->sq_mask] = 0;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return -errno;
	ret = r->cqes[head & *r->cq_mask].res;
	__atomic_store_n(r->cq_head, head + 1, __ATOMIC_RELEASE);
	return ret;
}

/* Returns 0 or -errno. */
static inline int uring_register(struct uring *r, const struct iovec *iov,
				 unsigned int nr)
{
	return syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS,
		       iov, nr) ? -errno : 0;
}

static inline int uring_unregister(struct uring *r)
{
	return syscall(SYS_io_uring_register, r->fd, IORING_UNREGISTER_BUFFERS,
		       NULL, 0) ? -errno : 0;
}

/* Requests that a member's file does itself; see the header. */

static inline struct io_uring_sqe uring_command(int fd, unsigned int op,
						const void *arg)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_URING_CMD,
		.fd = fd,
		.off = op,	/* cmd_op */
	};

	memcpy(&sqe.addr3, arg, 16);	/* cmd */
	return sqe;
}

static inline struct io_uring_sqe uring_ring_sqe(int fd, unsigned int doorbell,
						 unsigned int max_wake)
{
	struct shmchan_uring_ring arg = {
		.doorbell = doorbell,
		.max_wake = max_wake,
	};

	return uring_command(fd, SHMCHAN_IOC_RING, &arg);
}

static inline struct io_uring_sqe uring_wait_sqe(int fd,
						 const struct shmchan_wait *w)
{
	struct shmchan_uring_wait arg = { .wait = ptr(w) };

	return uring_command(fd, SHMCHAN_IOC_WAIT, &arg);
}

static inline struct shmchan_wait
uring_wait_args(const struct shmchan_wait_elem *elems, unsigned int nr)
{
	return (struct shmchan_wait) {
		.size = sizeof(struct shmchan_wait),
		.elems = ptr(elems),
		.nr_elems = nr,
		.clockid = CLOCK_MONOTONIC,
		.deadline = SHMCHAN_FOREVER,
	};
}

/* Submits a WAIT.  Returns 0 or -errno. */
static inline int uring_wait(struct uring *r, int fd,
			     const struct shmchan_wait_elem *elems,
			     unsigned int nr)
{
	struct shmchan_wait w = uring_wait_args(elems, nr);
	struct io_uring_sqe sqe = uring_wait_sqe(fd, &w);

	return uring_submit(r, &sqe);
}

static inline bool has_feature(uint64_t feature)
{
	struct shmchan_query_device q;

	return !query_device(&q) && q.features & feature;
}

#endif /* SHMCHAN_TEST_URING_H */
