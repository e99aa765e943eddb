/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_PEER_H
#define SHMCHAN_TEST_PEER_H

/*
 * Another process that runs functions of the test when told to.
 *
 * It is forked, so it has the test's code and its variables as they were, but
 * no file of the test's except the socket between them; what it does with its
 * variables is its own.  It dies with the test.
 */

#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "shmchan_test.h"

struct peer {
	pid_t pid;
	int sock;
};

typedef long (*peer_fn)(long a, long b);

struct peer_order {
	peer_fn fn;
	long a;
	long b;
};

#define PEER_DEAD	LONG_MIN	/* in place of an answer */
#define PEER_BUSY	(LONG_MIN + 1)	/* no answer yet */

/* In the peer: the socket to the test. */
static int peer_sock __attribute__((unused)) = -1;

static inline void peer_main(void)
{
	struct peer_order order;
	long answer;

	while (recv(peer_sock, &order, sizeof(order), 0) == sizeof(order)) {
		answer = order.fn(order.a, order.b);
		if (send(peer_sock, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* Returns 0 or -errno. */
static inline int peer_start(struct peer *p)
{
	int socks[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks))
		return -errno;
	p->pid = fork();
	if (p->pid < 0)
		return -errno;
	if (!p->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		peer_sock = dup2(socks[1], 3);
		fcntl(peer_sock, F_SETFD, FD_CLOEXEC);
		syscall(SYS_close_range, 4, ~0U, 0);
		peer_main();
	}
	close(socks[1]);
	p->sock = socks[0];
	return 0;
}

static inline void peer_send(const struct peer *p, peer_fn fn, long a, long b)
{
	struct peer_order order = { .fn = fn, .a = a, .b = b };

	/* A peer that died says so when it is asked for its answer. */
	(void)!send(p->sock, &order, sizeof(order), MSG_NOSIGNAL);
}

/* The answer, PEER_DEAD, or PEER_BUSY if there is none in time. */
static inline long peer_answer(const struct peer *p, int ms)
{
	struct pollfd pfd = { .fd = p->sock, .events = POLLIN };
	long answer;
	int ret;

	do {
		ret = poll(&pfd, 1, ms);
	} while (ret < 0 && errno == EINTR);
	if (!ret)
		return PEER_BUSY;
	if (recv(p->sock, &answer, sizeof(answer), 0) != sizeof(answer))
		return PEER_DEAD;
	return answer;
}

static inline long peer_call(const struct peer *p, peer_fn fn, long a, long b)
{
	peer_send(p, fn, a, b);
	return peer_answer(p, 2 * PATIENCE_MS);
}

/* Has it ended, and been waited for?  Returns its status as wait(2) does. */
static inline int peer_reap(struct peer *p)
{
	int status = -1;

	waitpid(p->pid, &status, 0);
	close(p->sock);
	p->pid = 0;
	return status;
}

static inline int peer_kill(struct peer *p)
{
	kill(p->pid, SIGKILL);
	return peer_reap(p);
}

/* Lets it end by itself. */
static inline int peer_stop(struct peer *p)
{
	shutdown(p->sock, SHUT_WR);
	return peer_reap(p);
}

/* Returns 0 or -errno. */
static inline int send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char byte = 'f';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* Returns the file, or -errno. */
static inline int recv_fd(int sock)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = sizeof(u.buf),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, 0) != 1)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* In a peer: a file that the test sends with peer_give(). */
static inline long peer_take_fd(long a, long b)
{
	(void)a;
	(void)b;
	return recv_fd(peer_sock);
}

/* Gives the peer a file; returns its number there, or -errno. */
static inline long peer_give(const struct peer *p, int fd)
{
	int ret;

	peer_send(p, peer_take_fd, 0, 0);
	ret = send_fd(p->sock, fd);
	if (ret)
		return ret;
	return peer_answer(p, PATIENCE_MS);
}

/* In a peer: become an ordinary user, with one group. */
static inline long peer_become(long uid, long gid)
{
	if (syscall(SYS_setgroups, 0, NULL) ||
	    syscall(SYS_setresgid, gid, gid, gid) ||
	    syscall(SYS_setresuid, uid, uid, uid))
		return -errno;
	/* Changing users clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

static inline long peer_unshare(long flags, long b)
{
	(void)b;
	return unshare(flags) ? -errno : 0;
}

/* In a peer: @name is in memory that it had when it was forked. */
static inline long peer_join(long name, long slot)
{
	return open_joined((const char *)name, slot);
}

static inline long peer_close(long fd, long b)
{
	(void)b;
	return close(fd) ? -errno : 0;
}

static inline long peer_leave(long fd, long b)
{
	(void)b;
	return leave(fd);
}

static inline long peer_ring(long fd, long doorbell)
{
	return ring(fd, doorbell, 0);
}

#endif /* SHMCHAN_TEST_PEER_H */
