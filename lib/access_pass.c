// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Capabilities, passed on over a unix socket. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "access_private.h"

/* A file needs a byte to go with; and one byte is never cut in two. */
#define BYTE	'c'

int shmchan_capability_send(int sock, int capability)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	char byte = BYTE;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct shmchan_query q;
	struct cmsghdr *c;
	ssize_t n;
	int err;

	err = shmchan__capability_check(capability, &q);
	if (err)
		return err;
	if (q.slot != SHMCHAN_SLOT_NONE)
		return shmchan__fail(EINVAL,
			"the capability has joined, as slot %u: it is of no use to anybody else; mint one and send that",
			q.slot);
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &capability, sizeof(int));
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return 0;
	return shmchan__fail(errno, "sending a capability over file %d: %s%s",
			     sock, shmchan__errstr(errno),
			     errno == EINVAL || errno == EOPNOTSUPP ?
			     " (it should be a unix socket)" : "");
}

/* The file that came, if it was one; others that came with it are closed. */
static int take_files(struct msghdr *msg)
{
	int fd, found = -1, nr = 0;
	struct cmsghdr *c;
	size_t i, n;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			       sizeof(fd));
			if (nr++)
				close(fd);
			else
				found = fd;
		}
	}
	if (nr > 1) {
		close(found);
		found = -1;
	}
	return found;
}

/*
 * Ours, or whatever else somebody had open: devices are not to be called lightly.
 * (A file of ours has no type, as files without a place in a tree do.)
 */
static int check_file(int fd)
{
	struct shmchan_query q;
	struct stat st;

	if (fstat(fd, &st) || (st.st_mode & S_IFMT && !S_ISREG(st.st_mode)))
		return shmchan__fail(EPROTO,
			"what came over the socket is no capability of shmchan, but another kind of file");
	return shmchan__capability_check(fd, &q);
}

int shmchan_capability_receive(int sock)
{
	union {
		/* Room for more than there should be, so that it can be told. */
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;
	int fd, err;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return shmchan__fail(errno,
			"receiving a capability over file %d: %s", sock,
			shmchan__errstr(errno));
	fd = take_files(&msg);
	/* Cut off: too many of them, or this process has no room for one. */
	if (msg.msg_flags & MSG_CTRUNC) {
		if (fd >= 0)
			close(fd);
		return shmchan__fail(EMFILE,
			"a capability came over the socket and could not be taken: this process has too many files open (ulimit -n), or it was more than one file");
	}
	if (fd < 0 && !n)
		return shmchan__fail(EPIPE,
			"the other side closed the socket without sending a capability");
	if (fd < 0)
		return shmchan__fail(EPROTO,
			"what came over the socket was not one file: should come from shmchan_capability_send()");
	err = check_file(fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}
