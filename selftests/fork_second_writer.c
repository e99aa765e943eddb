// SPDX-License-Identifier: GPL-2.0-only
/*
 * A member is one address space: neither fork nor a passed file makes a second
 * one that writes to its window.
 */

#include "../kselftest_harness.h"

#ifndef MADV_DOFORK
#define MADV_DOFORK	11
#endif

#include "test_peer.h"

#define RW	(PROT_READ | PROT_WRITE)

static size_t folio;	/* for the peer, too */

FIXTURE(second) {
	struct layout layout;
	struct peer peer;
	struct status status;
	int fd;
	int watch;	/* slot 3 */
	char *own;
	char *readable;	/* of slot 1 */
};

FIXTURE_VARIANT(second) {
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(second, huge) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(second, small) {
	.flags = SHMCHAN_CREATE_SMALL,
};

FIXTURE_SETUP(second)
{
	self->layout = layout_default(variant->flags, true);
	self->layout.name = own_name();
	folio = folio_size(&self->layout);
	ASSERT_EQ(0, peer_start(&self->peer));
	self->fd = create_joined(&self->layout, 0);
	ASSERT_LE(0, self->fd);
	self->watch = open_joined(self->layout.name, 3);
	ASSERT_LE(0, self->watch);
	ASSERT_EQ(0, map_status(self->watch, &self->status));
	self->own = map(self->fd, FOLIO_OWN * folio, folio, RW);
	ASSERT_NE(MAP_FAILED, self->own);
	self->readable = map(self->fd, FOLIO_FOREIGN * folio, folio,
			     PROT_READ);
	ASSERT_NE(MAP_FAILED, self->readable);
}

FIXTURE_TEARDOWN(second)
{
	if (self->peer.pid)
		peer_kill(&self->peer);
}

/* Runs an expression in a child by fork; gives its value, 0 to 255. */
#define in_child(expr) ({						\
	pid_t _pid = fork();						\
	int _status = -1;						\
									\
	if (!_pid)							\
		_exit(expr);						\
	waitpid(_pid, &_status, 0);					\
	WIFEXITED(_status) ? WEXITSTATUS(_status) : -1;			\
})

TEST_F(second, fork)
{
	int i;

	/* Not touched yet, and touched. */
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(SIGSEGV, in_child(probe_write(self->own)));
		EXPECT_EQ(SIGSEGV, in_child(probe_read(self->own)));
		EXPECT_EQ(SIGSEGV, in_child(probe_read(self->readable)));
		EXPECT_EQ(0, probe_write(self->own));
		EXPECT_EQ(0, probe_read(self->readable));
	}
	EXPECT_EQ(2, *self->own);
	/* The child's end is not the member's. */
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 0));
}

/* Older kernels let a program undo what keeps a mapping from a child. */
TEST_F(second, fork_with_dofork)
{
	int i;

	if (madvise(self->own, folio, MADV_DOFORK) ||
	    madvise(self->readable, folio, MADV_DOFORK)) {
		EXPECT_EQ(EINVAL, errno);
		SKIP(return, "this kernel refuses MADV_DOFORK");
	}
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(SIGBUS, in_child(probe_write(self->own)));
		EXPECT_EQ(SIGBUS, in_child(probe_read(self->own)));
		EXPECT_EQ(SIGBUS, in_child(probe_write(self->own + folio -
						       1)));
		EXPECT_EQ(SIGBUS, in_child(probe_read(self->readable)));
		EXPECT_EQ(0, probe_write(self->own));
		EXPECT_EQ(0, probe_read(self->readable));
	}
	EXPECT_EQ(2, *self->own);
	/* Moving and changing it does not help. */
	EXPECT_EQ(SIGBUS, in_child(({
		char *p = mremap(self->own, folio, folio,
				 MREMAP_MAYMOVE | MREMAP_FIXED,
				 self->readable);
		p == MAP_FAILED ? SIGBUS : probe_write(p); })));
	EXPECT_EQ(SIGBUS, in_child(({
		mprotect(self->own, folio, PROT_READ);
		mprotect(self->own, folio, RW);
		probe_write(self->own); })));
	EXPECT_EQ(2, *self->own);
	EXPECT_EQ(0, probe_write(self->own));
}

/* It cannot get there through system calls, either. */
TEST_F(second, fork_and_pin)
{
	char byte = 0x55;
	int pipes[2];

	if (madvise(self->own, folio, MADV_DOFORK))
		SKIP(return, "this kernel refuses MADV_DOFORK");
	EXPECT_EQ(0, probe_write(self->own));
	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(1, write(pipes[1], &byte, 1));
	EXPECT_EQ(EFAULT, in_child(read(pipes[0], self->own, 1) < 0 ?
				   errno : 0));
	EXPECT_EQ(1, *self->own);
}

TEST_F(second, inherited_file)
{
	EXPECT_EQ(EPERM, in_child(map_error(self->fd, 0, folio, RW,
					    MAP_SHARED)));
	EXPECT_EQ(EPERM, in_child(map_error(self->fd, 0, folio,
					    PROT_READ, MAP_SHARED)));
	EXPECT_EQ(EPERM, in_child(-ring(self->fd, BELL_SHARED, 0)));
	EXPECT_EQ(EPERM, in_child(-leave(self->fd)));
	EXPECT_EQ(EISCONN, in_child(-join(self->fd, 2)));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 0));
}

/* In the peer: all that could make it a writer; the wrong ones, counted. */
static long abuse(long fd, long b)
{
	long wrong = 0;

	(void)b;
	wrong += map_error(fd, 0, folio, RW, MAP_SHARED) != EPERM;
	wrong += map_error(fd, 0, folio, PROT_READ, MAP_SHARED) != EPERM;
	wrong += join(fd, 0) != -EISCONN;
	wrong += join(fd, 2) != -EISCONN;
	wrong += ring(fd, BELL_SHARED, 0) != -EPERM;
	wrong += leave(fd) != -EPERM;
	return wrong;
}

TEST_F(second, passed_file)
{
	long theirs = peer_give(&self->peer, self->fd);

	ASSERT_LE(0, theirs);
	EXPECT_EQ(0, peer_call(&self->peer, abuse, theirs, 0));
	/* A copy keeps the file, but is not the member. */
	EXPECT_EQ(0, peer_call(&self->peer, peer_close, theirs, 0));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 0));
	EXPECT_EQ(0, probe_write(self->own));
}

static long take_by_pidfd(long pid, long fd)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0);
	int got;

	if (pidfd < 0)
		return -errno;
	got = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	return got < 0 ? -errno : got;
}

TEST_F(second, pidfd_getfd)
{
	long theirs = peer_call(&self->peer, take_by_pidfd, getpid(), self->fd);

	if (theirs == -EPERM || theirs == -ENOSYS)
		SKIP(return, "cannot take files of another process");
	ASSERT_LE(0, theirs);
	EXPECT_EQ(0, peer_call(&self->peer, abuse, theirs, 0));
}

/* A capability that has not joined is a gift: whoever joins first has it. */
TEST_F(second, unbound_file)
{
	int fd = open_region(self->layout.name, RIGHTS_RW);
	int again = open_region(self->layout.name, RIGHTS_RW);

	ASSERT_LE(0, fd);
	ASSERT_LE(0, again);
	EXPECT_EQ(1, in_child(join(fd, 1)));
	EXPECT_EQ(-EISCONN, join(fd, 1));
	EXPECT_EQ(EPERM, map_error(fd, 0, folio, PROT_READ, MAP_SHARED));
	EXPECT_EQ(SHMCHAN_SLOT_DIED, slot_state(&self->status, 1));
	EXPECT_EQ(2, join(again, 1));
	EXPECT_EQ(EISCONN, in_child(-join(again, 1)));
}

static char *shared_own;
static int clone_result;

static int write_own(void *arg)
{
	*shared_own += 1;
	clone_result = map_error((int)(long)arg, 0, PAGE, RW, MAP_SHARED);
	return 0;
}

/* A process that shares the address space is the same member. */
TEST_F(second, shared_address_space)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status;
	pid_t pid;

	shared_own = self->own;
	clone_result = -1;
	pid = clone(write_own, stack + sizeof(stack), CLONE_VM | SIGCHLD,
		    (void *)(long)self->fd);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(1, *self->own);
	EXPECT_EQ(0, clone_result);
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 0));
}

/*
 * In the peer: joins slot 1, maps its window, lets a child inherit it in every
 * way there is, and returns the child's pid.  The child says over @sock what
 * happens when it writes after the member's death.
 */
static long leave_a_child(long name, long sock)
{
	int fd = open_joined((const char *)name, 1);
	char byte, *p;
	pid_t pid;

	p = map(fd, FOLIO_FOREIGN * folio, folio, RW);
	if (fd < 0 || p == MAP_FAILED)
		return -EBADF;
	*p = 1;
	madvise(p, folio, MADV_DOFORK);
	pid = fork();
	if (pid)
		return pid;
	/* The test closes its end when the member is dead. */
	close(peer_sock);
	if (read(sock, &byte, 1) == 1) {
		byte = probe_write(p);
		(void)!write(sock, &byte, 1);
		byte = map_error(fd, FOLIO_FOREIGN * folio, folio, RW,
				 MAP_SHARED);
		(void)!write(sock, &byte, 1);
	}
	_exit(0);
}

TEST_F(second, child_outlives_the_member)
{
	int socks[2], fd;
	long theirs, pid;
	char byte = 0;
	char *p;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	theirs = peer_give(&self->peer, socks[1]);
	ASSERT_LE(0, theirs);
	pid = peer_call(&self->peer, leave_a_child, (long)self->layout.name,
			theirs);
	ASSERT_LT(0, pid);
	peer_kill(&self->peer);
	/* The child's copy of the file does not keep the slot. */
	EXPECT_EQ(SHMCHAN_SLOT_DIED, slot_state(&self->status, 1));
	fd = open_joined(self->layout.name, 1);
	EXPECT_LE(0, fd);
	p = map(fd, FOLIO_FOREIGN * folio, folio, RW);
	ASSERT_NE(MAP_FAILED, p);
	EXPECT_EQ(1, *p);

	ASSERT_EQ(1, write(socks[0], &byte, 1));
	ASSERT_EQ(1, read(socks[0], &byte, 1));
	EXPECT_TRUE(byte == SIGBUS || byte == SIGSEGV);
	ASSERT_EQ(1, read(socks[0], &byte, 1));
	EXPECT_EQ(EPERM, byte);
	EXPECT_EQ(1, *p);
}

TEST_HARNESS_MAIN
