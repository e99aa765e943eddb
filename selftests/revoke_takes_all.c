// SPDX-License-Identifier: GPL-2.0-only
/*
 * When REVOKE returns, the member has nothing left: no mapping, no call, no
 * wake-up, no dma-buf.  Where it looks it sees zeros, or gets SIGBUS if it asked
 * for that.  Others notice that it is gone, and nothing else.
 */

#include "../kselftest_harness.h"

#include <poll.h>
#include <pthread.h>

#include "test_window.h"

#define ALL	SHMCHAN_RIGHT_ALL

/* In the peer. */
static int member_fd;
static char *own_window;	/* slot 1's, writable */
static char *status_page;
static char *may_write;		/* the shared one, mapped to be read */

/* In the peer: joins slot 1 with these flags and maps everything. */
static long enter(long flags, long b)
{
	struct shmchan_join j = { .size = sizeof(j), .slot = 1, .flags = flags };
	struct shmchan_query q;

	(void)b;
	member_fd = open_region(layout.name, RIGHTS_RW);
	if (member_fd < 0)
		return member_fd;
	if (call(member_fd, SHMCHAN_IOC_JOIN, &j) || query(member_fd, &q))
		return -1;
	peer_own = map(member_fd, FOLIO_OWN * folio, folio, PROT_READ);
	own_window = map(member_fd, FOLIO_FOREIGN * folio, folio, RW);
	peer_shared = map(member_fd, FOLIO_SHARED * folio, folio, RW);
	may_write = map(member_fd, FOLIO_SHARED * folio, folio, PROT_READ);
	status_page = map(member_fd, q.status_offset, PAGE, PROT_READ);
	if (peer_own == MAP_FAILED || own_window == MAP_FAILED ||
	    peer_shared == MAP_FAILED || may_write == MAP_FAILED ||
	    status_page == MAP_FAILED)
		return -2;
	memset(own_window, 0x5a, folio);
	peer_shared[0] = 0x5b;
	return intact(peer_own) && may_write[0] == 0x5b && status_page[0] ?
	       (long)j.generation : -3;
}

static bool writable(char *p)
{
	p[8] = 0x77;
	p[folio - 1] = 0x78;
	return p[8] == 0x77;
}

/* In the peer: what it sees afterwards.  Returns 0, or the line. */
static long see_zeros(long a, long b)
{
	(void)a;
	(void)b;
	/* What others may read is one page of zeros, in each place. */
	if (!all_bytes(peer_own, folio, 0) || !all_bytes(status_page, PAGE, 0))
		return __LINE__;
	if (!all_bytes(own_window, folio, 0))
		return __LINE__;
	if (!all_bytes(peer_shared, folio, 0) || !all_bytes(may_write, folio, 0))
		return __LINE__;
	/* Stores go nowhere, and neither into what is read. */
	if (!writable(own_window) || !writable(peer_shared))
		return __LINE__;
	if (!all_bytes(peer_own, folio, 0) || !all_bytes(status_page, PAGE, 0))
		return __LINE__;
	/* What could become writable still can, and is its own as well. */
	if (mprotect(may_write, folio, RW) || !writable(may_write))
		return __LINE__;
	if (!mprotect(peer_own, folio, RW) || !mprotect(status_page, PAGE, RW))
		return __LINE__;
	if (!all_bytes(peer_own, folio, 0))
		return __LINE__;
	return 0;
}

static long see_sigbus(long a, long b)
{
	(void)a;
	(void)b;
	if (probe_read(peer_own) != SIGBUS || probe_read(status_page) != SIGBUS)
		return __LINE__;
	if (probe_read(own_window) != SIGBUS ||
	    probe_write(peer_shared) != SIGBUS)
		return __LINE__;
	return 0;
}

/* In the peer: every call says that it is out.  Returns 0, or the line. */
static long call_all(long a, long b)
{
	struct shmchan_wait_elem elem = elem64(-1, BELL_OF(1), 0, 1);
	struct shmchan_member_info info;
	struct pollfd pfd = { .fd = member_fd, .events = POLLIN };
	struct shmchan_event event;

	(void)a;
	(void)b;
	if (ring(member_fd, BELL_SHARED, 0) != -ESTALE ||
	    wait_ms(member_fd, &elem, 1, 0) != -ESTALE)
		return __LINE__;
	if (subscribe(member_fd, BELL_OF(1), 0) != -ESTALE ||
	    arm(member_fd, BELL_OF(1), NULL, 0, 0) != -ESTALE)
		return __LINE__;
	if (subscribe_members(member_fd) != -ESTALE ||
	    bind_eventfd(member_fd, BELL_OF(1), -1) != -ESTALE ||
	    unbind_eventfd(member_fd, BELL_OF(1)) != -ESTALE)
		return __LINE__;
	if (member_info(member_fd, 0, &info) != -ESTALE ||
	    leave(member_fd) != -ESTALE)
		return __LINE__;
	if (mint(member_fd, SHMCHAN_RIGHT_MAP_READ) != -ESTALE ||
	    publish(member_fd, "gone", 0600, SHMCHAN_RIGHT_RING) != -ESTALE)
		return __LINE__;
	if (export_dmabuf(member_fd, 0, PAGE, 0) != -ESTALE)
		return __LINE__;
	if (join(member_fd, 1) != -EISCONN && join(member_fd, 1) != -ESTALE)
		return __LINE__;
	if (map_error(member_fd, 0, PAGE, PROT_READ, MAP_SHARED) != ESTALE)
		return __LINE__;
	if (read(member_fd, &event, sizeof(event)) != -1 || errno != ESTALE)
		return __LINE__;
	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLHUP))
		return __LINE__;
	return 0;
}

TEST_F(memory, reads_zeros)
{
	struct shmchan_member_info info;
	struct status status = {};

	ASSERT_EQ(0, map_status(self->fd, &status));
	ASSERT_EQ(1, peer_call(&self->peer, enter, 0, 0));
	EXPECT_EQ(-ESRCH, revoke_slot(self->fd, 1, 2));
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 1));
	EXPECT_EQ(1ULL << 32 | SHMCHAN_SLOT_REVOKED, status.slots[1]);
	EXPECT_EQ(0, peer_call(&self->peer, see_zeros, 0, 0));
	EXPECT_EQ(0, peer_call(&self->peer, call_all, 0, 0));
	EXPECT_EQ(-ESRCH, revoke_slot(self->fd, 1, 1));
	EXPECT_EQ(-ESRCH, revoke_slot(self->fd, 1, 0));

	/* It wrote before, and nothing since. */
	EXPECT_TRUE(intact(self->own));
	EXPECT_EQ(0x5b, self->shared[0]);
	EXPECT_TRUE(all_bytes(self->shared + 1, folio - 1, 0));
	ASSERT_EQ(0, member_info(self->fd, 1, &info));
	EXPECT_EQ(SHMCHAN_SLOT_REVOKED, info.current_holder.state);
	EXPECT_EQ(self->peer.pid, info.current_holder.pid);

	/* The mode lets it in again, as another. */
	EXPECT_EQ(2, peer_call(&self->peer, enter, 0, 0));
	ASSERT_EQ(0, member_info(self->fd, 1, &info));
	EXPECT_EQ(2, info.current_holder.generation);
	EXPECT_EQ(SHMCHAN_SLOT_REVOKED, info.previous_holder.state);
}

TEST_F(memory, raises_sigbus)
{
	ASSERT_EQ(1, peer_call(&self->peer, enter, SHMCHAN_JOIN_SIGBUS, 0));
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(0, peer_call(&self->peer, see_sigbus, 0, 0));
	EXPECT_EQ(0, peer_call(&self->peer, call_all, 0, 0));
	EXPECT_TRUE(intact(self->own));
}

/* In the peer: a second thread that sleeps, to be asked about later. */
static pthread_t sleeper;
static long slept;

static void *sleep_in_wait(void *arg)
{
	struct shmchan_wait_elem elem = elem64(-1, BELL_OF(1), 0, 0);

	(void)arg;
	elem.mask = 0;
	slept = wait_until(member_fd, &elem, 1, SHMCHAN_FOREVER);
	return NULL;
}

static long begin_to_sleep(long a, long b)
{
	(void)a;
	(void)b;
	return -pthread_create(&sleeper, NULL, sleep_in_wait, NULL);
}

static long end_of_sleep(long a, long b)
{
	(void)a;
	(void)b;
	pthread_join(sleeper, NULL);
	return slept;
}

TEST_F(memory, wakes_who_sleeps)
{
	struct status status = {};

	ASSERT_EQ(0, map_status(self->fd, &status));
	ASSERT_EQ(1, peer_call(&self->peer, enter, 0, 0));
	ASSERT_EQ(0, peer_call(&self->peer, begin_to_sleep, 0, 0));
	ASSERT_TRUE(eventually(status.bells[BELL_OF(1)].waiters == 1));
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(-ESTALE, peer_call(&self->peer, end_of_sleep, 0, 0));
	EXPECT_EQ(0, status.bells[BELL_OF(1)].waiters);
}

/* Who waits for its slot's word is told. */
TEST_F(memory, others_are_told)
{
	struct shmchan_wait_elem elem;
	struct status status = {};
	uint64_t word;

	ASSERT_EQ(0, map_status(self->fd, &status));
	ASSERT_EQ(1, peer_call(&self->peer, enter, 0, 0));
	word = status.slots[1];
	elem = elem64(-1, SHMCHAN_DOORBELL_MEMBERS,
		      status.slots_offset + 8, word);
	EXPECT_EQ(-ETIMEDOUT, wait_ms(self->fd, &elem, 1, 0));
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(0, wait_ms(self->fd, &elem, 1, PATIENCE_MS));
}

static char *export_map[2];

/* In the peer: dma-bufs of what it may read and write, mapped. */
static long export_both(long a, long b)
{
	int fds[2], i;

	(void)a;
	(void)b;
	fds[0] = export_dmabuf(member_fd, FOLIO_OWN * folio, PAGE, 0);
	fds[1] = export_dmabuf(member_fd, FOLIO_FOREIGN * folio, PAGE,
			       SHMCHAN_EXPORT_WRITE);
	for (i = 0; i < 2; i++) {
		if (fds[i] < 0)
			return fds[i];
		export_map[i] = map(fds[i], 0, PAGE, i ? RW : PROT_READ);
		if (export_map[i] == MAP_FAILED || probe_read(export_map[i]))
			return -1;
	}
	return fds[1];
}

static long exports_are_gone(long fd, long b)
{
	(void)b;
	if (probe_read(export_map[0]) != SIGBUS ||
	    probe_read(export_map[1]) != SIGBUS ||
	    probe_write(export_map[1]) != SIGBUS)
		return __LINE__;
	return map_error(fd, 0, PAGE, PROT_READ, MAP_SHARED) == ESTALE ?
	       0 : __LINE__;
}

TEST_F(memory, exports_too)
{
	long fd;

	ASSERT_EQ(1, peer_call(&self->peer, enter, 0, 0));
	fd = peer_call(&self->peer, export_both, 0, 0);
	if (fd == -EOPNOTSUPP)
		SKIP(return, "a kernel without dma-bufs");
	ASSERT_LE(0, fd);
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(0, peer_call(&self->peer, exports_are_gone, fd, 0));
	EXPECT_TRUE(intact(self->own));
	/* The writable one still pins the window, until it is closed. */
	EXPECT_EQ(-EBUSY, open_joined(layout.name, 1));
	EXPECT_EQ(0, peer_call(&self->peer, peer_close, fd, 0));
	munmap(self->shared, folio);
	EXPECT_EQ(-EBUSY, open_joined(layout.name, 1));
	peer_kill(&self->peer);
	EXPECT_TRUE(eventually(open_joined(layout.name, 1) >= 0));
}

/* Another in the same process, of the same user, is not touched. */
static long enter_twice(long a, long b)
{
	int fd;

	(void)a;
	(void)b;
	if (enter(0, 0) != 1)
		return -1;
	fd = open_joined(layout.name, 2);
	if (fd < 0)
		return fd;
	may_write = map(fd, FOLIO_SHARED * folio, folio, RW);
	if (may_write == MAP_FAILED)
		return -2;
	may_write[1] = 0x5c;
	return fd;
}

static long second_lives(long fd, long b)
{
	(void)b;
	may_write[2] = 0x5d;
	return ring(fd, BELL_SHARED, 0);
}

TEST_F(memory, one_of_two)
{
	long fd = peer_call(&self->peer, enter_twice, 0, 0);

	ASSERT_LE(0, fd);
	ASSERT_EQ(1, revoke_slot(self->fd, 1, 0));
	EXPECT_EQ(0, peer_call(&self->peer, second_lives, fd, 0));
	EXPECT_EQ(0x5d, self->shared[2]);
	EXPECT_EQ(0, peer_call(&self->peer, call_all, 0, 0));
	/* By uid: both are root's, and so is the caller, who stays. */
	EXPECT_EQ(1, revoke_uid(self->fd, 0));
	EXPECT_EQ(-ESTALE, peer_call(&self->peer, second_lives, fd, 0));
	EXPECT_EQ(0, ring(self->fd, BELL_SHARED, 0));
	EXPECT_TRUE(intact(self->own));
}

TEST_HARNESS_MAIN
