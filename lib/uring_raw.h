/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_URING_RAW_H
#define SHMCHAN_URING_RAW_H

/* io_uring without a library: its system calls, and what older headers lack. */

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup	425
#define SYS_io_uring_enter	426
#define SYS_io_uring_register	427
#endif

/* Linux 6.0, 6.1, 6.7. */
#define URING_SINGLE_ISSUER	(1U << 12)
#define URING_DEFER_TASKRUN	(1U << 13)
#define URING_OP_FUTEX_WAITV	53

static inline int uring_setup(unsigned int entries, struct io_uring_params *p)
{
	return (int)syscall(SYS_io_uring_setup, entries, p);
}

static inline int uring_enter(int fd, unsigned int submit, unsigned int flags)
{
	return (int)syscall(SYS_io_uring_enter, fd, submit, 0, flags, NULL, 0);
}

static inline int uring_register(int fd, unsigned int op, void *arg,
				 unsigned int nr)
{
	return (int)syscall(SYS_io_uring_register, fd, op, arg, nr);
}

#endif /* SHMCHAN_URING_RAW_H */
