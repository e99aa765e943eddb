// SPDX-License-Identifier: GPL-2.0-only
/*
 * A debugger sees and changes what its tracee may; what the tracee maps
 * read-only it cannot write either, not even by the force that other
 * mappings give way to.
 */

#include "../kselftest_harness.h"

#include <sys/ptrace.h>

#include "test_window.h"

/* What a word of the pattern is. */
static long pattern_word(size_t at)
{
	unsigned char bytes[sizeof(long)];
	unsigned int i;
	long word;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = pattern(at + i);
	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* Stops it.  Returns 0 or -errno. */
static int trace(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_ATTACH, pid, 0, 0))
		return -errno;
	if (waitpid(pid, &status, __WALL) != pid)
		return -errno;
	return WIFSTOPPED(status) ? 0 : -ESRCH;
}

static long peek(pid_t pid, long addr)
{
	errno = 0;
	return ptrace(PTRACE_PEEKDATA, pid, addr, 0);
}

TEST_F(memory, peek_and_poke)
{
	size_t last = folio - sizeof(long);
	pid_t pid = self->peer.pid;
	long shared, own;

	shared = peer_call(&self->peer, peer_map, 0, 0);
	ASSERT_LT(0, shared);
	own = peer_call(&self->peer, peer_where_own, 0, 0);
	ASSERT_EQ(0, trace(pid));

	/* The peer has touched none of it. */
	EXPECT_EQ(pattern_word(0), peek(pid, own));
	EXPECT_EQ(pattern_word(last), peek(pid, own + last));
	EXPECT_EQ(0, peek(pid, shared));
	EXPECT_EQ(0, errno);
	EXPECT_EQ(0, ptrace(PTRACE_POKEDATA, pid, shared + last, 0x1234567L));
	EXPECT_EQ(0x1234567L, *(long *)(self->shared + last));
	EXPECT_EQ(0x1234567L, peek(pid, shared + last));

	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, pid, own, 1L));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, ptrace(PTRACE_POKETEXT, pid, own + last, 1L));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(pattern_word(0), peek(pid, own));
	EXPECT_TRUE(intact(self->own));

	EXPECT_EQ(0, ptrace(PTRACE_DETACH, pid, 0, 0));
	EXPECT_EQ(own, peer_call(&self->peer, peer_where_own, 0, 0));
}

/* The same by /proc/PID/mem. */
TEST_F(memory, proc_mem)
{
	char path[32], byte = 'm';
	long shared, own;
	char *buf;
	int mem;

	shared = peer_call(&self->peer, peer_map, 0, 0);
	ASSERT_LT(0, shared);
	own = peer_call(&self->peer, peer_where_own, 0, 0);
	snprintf(path, sizeof(path), "/proc/%d/mem", self->peer.pid);
	mem = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, mem);
	/* Some kernels let tracers alone write by force. */
	ASSERT_EQ(0, trace(self->peer.pid));
	buf = malloc(folio);
	ASSERT_NE(NULL, buf);

	EXPECT_EQ(folio, pread(mem, buf, folio, own));
	EXPECT_TRUE(intact(buf));
	EXPECT_EQ(1, pwrite(mem, &byte, 1, shared + folio - 1));
	EXPECT_EQ('m', self->shared[folio - 1]);
	EXPECT_EQ(-1, pwrite(mem, &byte, 1, own));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pwrite(mem, buf, folio, own));
	EXPECT_EQ(EIO, errno);
	EXPECT_TRUE(intact(self->own));

	EXPECT_EQ(0, ptrace(PTRACE_DETACH, self->peer.pid, 0, 0));
	free(buf);
	close(mem);
}

/*
 * A process's own: where it is no writer, and where it could be but did not
 * ask.
 */
TEST_F(memory, own_mem)
{
	char *foreign = map(self->fd, FOLIO_FOREIGN * folio, folio, PROT_READ);
	char *own = map(self->fd, FOLIO_OWN * folio, folio, PROT_READ);
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	char byte = 'm';

	ASSERT_LE(0, mem);
	ASSERT_NE(MAP_FAILED, foreign);
	ASSERT_NE(MAP_FAILED, own);
	EXPECT_EQ(-1, pwrite(mem, &byte, 1, (long)foreign));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pwrite(mem, &byte, 1, (long)own));
	EXPECT_EQ(EIO, errno);
	EXPECT_TRUE(all_bytes(foreign, folio, 0));
	EXPECT_TRUE(intact(own));
	EXPECT_EQ(1, pwrite(mem, &byte, 1, (long)self->shared));
	EXPECT_EQ('m', self->shared[0]);
	close(mem);
}

TEST_HARNESS_MAIN
