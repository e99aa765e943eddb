// SPDX-License-Identifier: GPL-2.0-only
/*
 * A member ends when nobody can store through its address space any more, or
 * sooner when it leaves: however it happens, and whatever still holds the
 * file.  Everybody who asked is told, and nobody else.
 */

#include "../kselftest_harness.h"

#include <pthread.h>

#include "test_peer.h"

#define RW	(PROT_READ | PROT_WRITE)
#define PAUSE	"SHMCHAN_TEST_PAUSE"

static const char *name;
static struct layout layout;

FIXTURE(end) {
	struct peer member;	/* slot 0 */
	struct peer watcher;	/* slot 2, sleeps on the word of slot 0 */
	struct peer other;	/* slot 1, sleeps on the word of slot 3 */
	struct status status;
	int fd;			/* slot 3 */
	long theirs;		/* the member's file */
	uint64_t bell_seq;
	uint64_t members_seq;
};

/* What the program is after an exec: something that sleeps. */
static void __attribute__((constructor)) pause_if_told(void)
{
	if (getenv(PAUSE)) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
}

/* In a peer: sleep until the word of a slot is not @value. */
static long watch_slot(long slot, long value)
{
	struct status s = {};
	struct shmchan_wait_elem elem;
	int fd = open_joined(name, slot ? 1 : 2);

	if (fd < 0 || map_status(fd, &s))
		return -EBADF;
	elem = elem64(-1, SHMCHAN_DOORBELL_MEMBERS, s.slots_offset + 8 * slot,
		      value);
	return wait_until(fd, &elem, 1, SHMCHAN_FOREVER);
}

static char *window;

/* In the member. */
static long map_window(long fd, long b)
{
	(void)b;
	window = map(fd, control_at(&layout, FOLIO_OWN), PAGE, RW);
	if (window == MAP_FAILED)
		return -errno;
	*window = 1;
	return 0;
}

FIXTURE_SETUP(end)
{
	const volatile struct shmchan_doorbell_status *bell;

	name = own_name();
	layout = layout_default(SHMCHAN_CREATE_SMALL, false);
	layout.name = name;
	ASSERT_EQ(0, peer_start(&self->member));
	ASSERT_EQ(0, peer_start(&self->watcher));
	ASSERT_EQ(0, peer_start(&self->other));
	self->fd = create_joined(&layout, 3);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
	self->theirs = peer_call(&self->member, peer_join, (long)name, 0);
	ASSERT_LE(0, self->theirs);
	ASSERT_EQ(0, peer_call(&self->member, map_window, self->theirs, 0));

	peer_send(&self->watcher, watch_slot, 0, self->status.slots[0]);
	peer_send(&self->other, watch_slot, 3, self->status.slots[3]);
	bell = &self->status.bells[SHMCHAN_DOORBELL_MEMBERS];
	ASSERT_TRUE(eventually(bell->waiters == 2));
	self->bell_seq = bell->seq;
	self->members_seq = self->status.head->members_seq;
}

FIXTURE_TEARDOWN(end)
{
	struct peer *peers[] = { &self->member, &self->watcher, &self->other };
	unsigned int i;

	for (i = 0; i < COUNT(peers); i++)
		if (peers[i]->pid)
			peer_kill(peers[i]);
}

/* The member has ended in this way, and the right ones know. */
#define check_ended(how) do {						\
	const volatile struct shmchan_doorbell_status *_bell =		\
		&self->status.bells[SHMCHAN_DOORBELL_MEMBERS];		\
									\
	EXPECT_EQ(0, peer_answer(&self->watcher, PATIENCE_MS));		\
	EXPECT_EQ(1ULL << 32 | (how), self->status.slots[0]);		\
	EXPECT_EQ(self->bell_seq + 1, _bell->seq);			\
	EXPECT_EQ(self->members_seq + 1, self->status.head->members_seq);\
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->other, 20));		\
	EXPECT_EQ(1, _bell->waiters);					\
	/* The slot is free. */						\
	EXPECT_LE(0, open_joined(name, 0));				\
} while (0)

#define check_alive() do {						\
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->watcher, 50));		\
	EXPECT_EQ(1ULL << 32 | SHMCHAN_SLOT_LIVE, self->status.slots[0]);\
	EXPECT_EQ(self->members_seq, self->status.head->members_seq);	\
	EXPECT_EQ(-EBUSY, open_joined(name, 0));			\
} while (0)

TEST_F(end, killed)
{
	peer_kill(&self->member);
	check_ended(SHMCHAN_SLOT_DIED);
}

static long exit_now(long status, long b)
{
	(void)b;
	_exit(status);
}

TEST_F(end, exits)
{
	EXPECT_EQ(PEER_DEAD, peer_call(&self->member, exit_now, 0, 0));
	check_ended(SHMCHAN_SLOT_DIED);
}

static long crash(long a, long b)
{
	(void)a;
	(void)b;
	raise(SIGSEGV);
	return 0;
}

TEST_F(end, crashes)
{
	EXPECT_EQ(PEER_DEAD, peer_call(&self->member, crash, 0, 0));
	check_ended(SHMCHAN_SLOT_DIED);
}

static long exec_self(long fd, long b)
{
	(void)b;
	/* Even if the file stays open. */
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
	setenv(PAUSE, "1", 1);
	execl("/proc/self/exe", "pause", NULL);
	return -errno;
}

TEST_F(end, execs)
{
	peer_send(&self->member, exec_self, -1, 0);
	check_ended(SHMCHAN_SLOT_DIED);
}

TEST_F(end, execs_with_the_file)
{
	peer_send(&self->member, exec_self, self->theirs, 0);
	check_ended(SHMCHAN_SLOT_DIED);
}

/* In the member: what touching the window gives. */
static long touch(long write, long b)
{
	(void)b;
	return write ? probe_write(window) : probe_read(window);
}

TEST_F(end, leaves)
{
	EXPECT_EQ(0, peer_call(&self->member, peer_leave, self->theirs, 0));
	EXPECT_EQ(SIGBUS, peer_call(&self->member, touch, 0, 0));
	EXPECT_EQ(SIGBUS, peer_call(&self->member, touch, 1, 0));
	EXPECT_EQ(-ESTALE, peer_call(&self->member, peer_ring, self->theirs,
				     BELL_SHARED));
	check_ended(SHMCHAN_SLOT_LEFT);
	EXPECT_EQ(SIGBUS, peer_call(&self->member, touch, 1, 0));
}

static long unmap_window(long a, long b)
{
	(void)a;
	(void)b;
	return munmap(window, PAGE) ? -errno : 0;
}

/* A mapping keeps the file: the last of both ends the member. */
TEST_F(end, closes)
{
	EXPECT_EQ(0, peer_call(&self->member, peer_close, self->theirs, 0));
	check_alive();
	EXPECT_EQ(0, peer_call(&self->member, touch, 1, 0));
	EXPECT_EQ(0, peer_call(&self->member, unmap_window, 0, 0));
	check_ended(SHMCHAN_SLOT_LEFT);
}

/* In the member: puts the file on the way to itself, and forgets it. */
static long park(long sock, long fd)
{
	int ret = send_fd(sock, fd);

	return ret ? ret : peer_close(fd, 0);
}

TEST_F(end, file_is_parked_in_a_socket)
{
	int socks[2], parked;
	long theirs;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, socks));
	theirs = peer_give(&self->member, socks[1]);
	ASSERT_LE(0, theirs);
	ASSERT_EQ(0, peer_call(&self->member, park, theirs, self->theirs));
	EXPECT_EQ(0, peer_call(&self->member, unmap_window, 0, 0));
	check_alive();
	peer_kill(&self->member);
	check_ended(SHMCHAN_SLOT_DIED);
	/* What comes out of the socket is of no use. */
	parked = recv_fd(socks[0]);
	ASSERT_LE(0, parked);
	EXPECT_EQ(-EPERM, ring(parked, BELL_SHARED, 0));
	EXPECT_EQ(-EISCONN, join(parked, 1));
	EXPECT_EQ(0, close(parked));
}

static char stack[65536] __attribute__((aligned(16)));

static int pause_child(void *arg)
{
	(void)arg;
	prctl(PR_SET_PDEATHSIG, 0);
	for (;;)
		pause();
	return 0;
}

/* In the member: another process; returns its pid. */
static long clone_child(long flags, long b)
{
	pid_t pid = clone(pause_child, stack + sizeof(stack), flags | SIGCHLD,
			  NULL);

	(void)b;
	return pid < 0 ? -errno : pid;
}

TEST_F(end, files_are_shared)
{
	long child = peer_call(&self->member, clone_child, CLONE_FILES, 0);

	ASSERT_LT(0, child);
	peer_kill(&self->member);
	check_ended(SHMCHAN_SLOT_DIED);
	EXPECT_EQ(0, kill(child, SIGKILL));
}

static long fork_child(long a, long b)
{
	pid_t pid = fork();

	(void)a;
	(void)b;
	if (!pid) {
		close(peer_sock);
		pause_child(NULL);
	}
	return pid;
}

TEST_F(end, child_has_the_file)
{
	long child = peer_call(&self->member, fork_child, 0, 0);

	ASSERT_LT(0, child);
	peer_kill(&self->member);
	check_ended(SHMCHAN_SLOT_DIED);
	EXPECT_EQ(0, kill(child, SIGKILL));
}

static volatile int *child_counts;

static int count_child(void *arg)
{
	(void)arg;
	prctl(PR_SET_PDEATHSIG, 0);
	for (;;) {
		++*child_counts;
		usleep(1000);
	}
	return 0;
}

/* In the member: a process that goes on storing into the window. */
static long clone_writer(long a, long b)
{
	pid_t pid;

	(void)a;
	(void)b;
	child_counts = (int *)(window + 64);
	pid = clone(count_child, stack + sizeof(stack), CLONE_VM | SIGCHLD,
		    NULL);
	return pid < 0 ? -errno : pid;
}

/* Somebody still can store: the slot must not go to anybody else. */
TEST_F(end, address_space_is_shared)
{
	volatile int *count;
	char *p;
	long child;
	int seen;

	p = map(self->fd, control_at(&layout, FOLIO_OWN), PAGE, PROT_READ);
	ASSERT_NE(MAP_FAILED, p);
	count = (int *)(p + 64);
	child = peer_call(&self->member, clone_writer, 0, 0);
	ASSERT_LT(0, child);
	EXPECT_TRUE(eventually(*count > 0));
	peer_kill(&self->member);
	seen = *count;
	EXPECT_TRUE(eventually(*count > seen + 1));
	check_alive();
	EXPECT_EQ(0, kill(child, SIGKILL));
	check_ended(SHMCHAN_SLOT_DIED);
	seen = *count;
	usleep(20000);
	EXPECT_EQ(seen, *count);
}

static void *thread_counts(void *arg)
{
	count_child(arg);
	return NULL;
}

static void *do_nothing(void *arg)
{
	(void)arg;
	return NULL;
}

static long start_thread(long a, long b)
{
	pthread_t thread;

	(void)a;
	(void)b;
	child_counts = (int *)(window + 64);
	return -pthread_create(&thread, NULL, thread_counts, NULL);
}

static long end_leader(long a, long b)
{
	(void)a;
	(void)b;
	/* The thread alone, not the process. */
	syscall(SYS_exit, 0);
	return 0;
}

TEST_F(end, first_thread_ends)
{
	ASSERT_EQ(0, peer_call(&self->member, start_thread, 0, 0));
	peer_send(&self->member, end_leader, 0, 0);
	check_alive();
	peer_kill(&self->member);
	check_ended(SHMCHAN_SLOT_DIED);
}

static long join_in_a_thread(long a, long b)
{
	pthread_t thread;
	int ret;

	(void)a;
	(void)b;
	ret = pthread_create(&thread, NULL, do_nothing, NULL);
	if (!ret)
		ret = pthread_join(thread, NULL);
	return -ret;
}

/* A thread that ends is not the end, and a child that execs is not. */
TEST_F(end, not_by_a_thread_or_a_child)
{
	long child;

	EXPECT_EQ(0, peer_call(&self->member, join_in_a_thread, 0, 0));
	check_alive();
	child = peer_call(&self->member, fork_child, 0, 0);
	ASSERT_LT(0, child);
	EXPECT_EQ(0, kill(child, SIGKILL));
	check_alive();
	child = peer_call(&self->member, clone_child, CLONE_VM, 0);
	ASSERT_LT(0, child);
	EXPECT_EQ(0, kill(child, SIGKILL));
	check_alive();
}

/* Several members of one process: all of them. */
TEST_F(end, several_members)
{
	struct layout l = layout;
	struct status second = {};
	int fd;

	l.name = "second-region";
	fd = create_joined(&l, 3);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, map_status(fd, &second));
	ASSERT_LE(0, peer_call(&self->member, peer_join, (long)l.name, 0));
	ASSERT_LE(0, peer_call(&self->member, peer_join, (long)l.name, 1));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&second, 1));
	peer_kill(&self->member);
	EXPECT_EQ(SHMCHAN_SLOT_DIED, slot_state(&second, 0));
	EXPECT_EQ(SHMCHAN_SLOT_DIED, slot_state(&second, 1));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&second, 3));
	check_ended(SHMCHAN_SLOT_DIED);
}

/* Those who touch the region of a member that left go on. */
TEST_F(end, others_keep_their_mappings)
{
	char *p = map(self->fd, control_at(&layout, FOLIO_SHARED), PAGE, RW);
	char *q = map(self->fd, control_at(&layout, FOLIO_OWN), PAGE,
		      PROT_READ);

	ASSERT_NE(MAP_FAILED, p);
	ASSERT_NE(MAP_FAILED, q);
	*p = 9;
	EXPECT_EQ(1, *q);
	EXPECT_EQ(0, peer_call(&self->member, peer_leave, self->theirs, 0));
	EXPECT_EQ(9, *p);
	EXPECT_EQ(1, *q);
	EXPECT_EQ(0, probe_write(p));
	check_ended(SHMCHAN_SLOT_LEFT);
}

TEST_HARNESS_MAIN
