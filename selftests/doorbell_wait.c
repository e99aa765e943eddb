// SPDX-License-Identifier: GPL-2.0-only
/*
 * WAIT, RING and RING_WAIT: who sleeps, who wakes, and why.
 */

#include "../kselftest_harness.h"

#include <sys/time.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME	0x00000080
#endif

#include "test_peer.h"

#define RW		(PROT_READ | PROT_WRITE)
#define NR_SLEEPERS	3

static const char *name;
static struct layout layout;

/* Region offsets of words in the shared page of the control area. */
#define WORD(nr)	(control_at(&layout, FOLIO_SHARED) + 64 * (nr))

FIXTURE(wait) {
	struct peer peer;
	struct peer sleepers[NR_SLEEPERS];
	struct status status;
	int fd;			/* slot 0 */
	char *shared;
};

FIXTURE_SETUP(wait)
{
	unsigned int i;

	name = own_name();
	layout = layout_default(SHMCHAN_CREATE_SMALL, true);
	layout.nr_slots = 16;
	layout.name = name;
	ASSERT_EQ(0, peer_start(&self->peer));
	for (i = 0; i < NR_SLEEPERS; i++)
		ASSERT_EQ(0, peer_start(&self->sleepers[i]));
	self->fd = create_joined(&layout, 0);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, map_status(self->fd, &self->status));
	self->shared = map(self->fd, WORD(0), PAGE, RW);
	ASSERT_NE(MAP_FAILED, self->shared);
}

FIXTURE_TEARDOWN(wait)
{
	unsigned int i;

	if (self->peer.pid)
		peer_kill(&self->peer);
	for (i = 0; i < NR_SLEEPERS; i++)
		if (self->sleepers[i].pid)
			peer_kill(&self->sleepers[i]);
}

#define word64(nr) (*(volatile uint64_t *)(self->shared + 64 * (nr)))
#define waiters(bell) (self->status.bells[bell].waiters)

/* In a peer. */

static int my_fd;

static long join_slot(long slot, long b)
{
	(void)b;
	my_fd = open_joined(name, slot);
	return my_fd;
}

/* Sleeps on one word until it is not @value; joins any slot first. */
static long sleep_on(long nr, long value)
{
	struct shmchan_wait_elem elem = elem64(-1, BELL_SHARED, WORD(nr),
					       value);

	if (!my_fd)
		join_slot(SHMCHAN_SLOT_ANY, 0);
	return wait_until(my_fd, &elem, 1, SHMCHAN_FOREVER);
}

/* Sleeps on two words of two doorbells: returns which. */
static long sleep_on_two(long slot, long b)
{
	struct shmchan_wait_elem elems[] = {
		elem64(-1, BELL_OF(slot), WORD(0), 0),
		elem64(-1, BELL_SHARED, WORD(1), 0),
	};

	(void)b;
	if (!my_fd)
		join_slot(slot, 0);
	return wait_until(my_fd, elems, 2, SHMCHAN_FOREVER);
}

/* Every call that returns at once. */
TEST_F(wait, changed_already)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(0), WORD(0), 0);

	word64(0) = 1;
	EXPECT_EQ(0, wait_until(self->fd, &e, 1, SHMCHAN_FOREVER));
	EXPECT_EQ(0, wait_until(self->fd, &e, 1, 0));
	EXPECT_EQ(0, waiters(BELL_OF(0)));
	/* Nothing was rung. */
	EXPECT_EQ(0, self->status.bells[BELL_OF(0)].seq);
}

TEST_F(wait, widths_and_masks)
{
	struct {
		uint64_t word, value, mask;
		bool is32;
		bool quiet;
	} rows[] = {
		{ 5, 5, ~0ULL, false, true },
		{ 5, 4, ~0ULL, false, false },
		{ 5, 4, ~1ULL, false, true },
		{ 5, 4, 1, false, false },
		{ 1ULL << 63, 0, ~0ULL, false, false },
		{ 1ULL << 63, 0, ~0ULL >> 1, false, true },
		{ 1ULL << 32, 0, ~0U, false, true },
		{ 1ULL << 32, 0, 1ULL << 32, false, false },
		{ 7, 9, 0, false, true },	/* no bit counts */
		/* Only bits of the mask count, of both. */
		{ 0xf0, 0x0f, 0, false, true },
		{ 0xf1, 0x31, 0x3f, false, true },
		{ 5, 5, ~0U, true, true },
		{ 5, 6, ~0U, true, false },
		{ 0xdeadbeef00000005, 5, ~0U, true, true },
		{ 0x80000000, 0, 0x80000000, true, false },
		{ 0x80000000, 0, 0x7fffffff, true, true },
		{ 5, 6, 0, true, true },
	};
	struct shmchan_wait_elem e;
	unsigned int i;

	for (i = 0; i < COUNT(rows); i++) {
		word64(0) = rows[i].word;
		e = elem64(-1, BELL_OF(0), WORD(0), rows[i].value);
		e.mask = rows[i].mask;
		e.flags = rows[i].is32 ? SHMCHAN_ELEM_32 : 0;
		EXPECT_EQ(rows[i].quiet ? -ETIMEDOUT : 0,
			  wait_until(self->fd, &e, 1, 0))
			TH_LOG("row %u", i);
	}
	/* The upper half of a word is a word. */
	word64(0) = 3ULL << 32;
	e = elem32(-1, BELL_OF(0), WORD(0) + 4, 3);
	EXPECT_EQ(-ETIMEDOUT, wait_until(self->fd, &e, 1, 0));
	e.value = 2;
	EXPECT_EQ(0, wait_until(self->fd, &e, 1, 0));
}

/* A word in each area that there is. */
TEST_F(wait, areas)
{
	uint64_t places[] = {
		0, layout.data_size - 8,		/* data */
		SHMCHAN_CONTROL_OFFSET(layout.data_size), /* header page */
		control_at(&layout, NR_FOLIOS) - 8,
		self->status.offset + 64,		/* reserved */
		self->status.offset + self->status.size - 8,
	};
	struct shmchan_wait_elem e;
	unsigned int i;

	for (i = 0; i < COUNT(places); i++) {
		e = elem64(-1, BELL_OF(0), places[i], 0);
		EXPECT_EQ(-ETIMEDOUT, wait_until(self->fd, &e, 1, 0))
			TH_LOG("row %u", i);
		e.value = 1;
		EXPECT_EQ(0, wait_until(self->fd, &e, 1, 0))
			TH_LOG("row %u", i);
	}
}

TEST_F(wait, index_of_many)
{
	struct shmchan_wait_elem elems[SHMCHAN_MAX_ELEMS];
	unsigned int nr, i;
	uint64_t start;

	for (i = 0; i < SHMCHAN_MAX_ELEMS; i++)
		elems[i] = elem64(i % 3 ? -1 : self->fd,
				  i % 2 ? BELL_OF(0) : BELL_SHARED,
				  WORD(0) + 8 * i, 0);
	for (nr = 1; nr <= SHMCHAN_MAX_ELEMS; nr += nr < 10 ? 1 : 59) {
		start = now_ns();
		EXPECT_EQ(-ETIMEDOUT, wait_ms(self->fd, elems, nr, 2));
		EXPECT_LE(2 * MSEC, now_ns() - start);
		EXPECT_EQ(0, waiters(BELL_OF(0)));
		EXPECT_EQ(0, waiters(BELL_SHARED));
		for (i = 0; i < nr; i += nr < 10 ? 1 : 7) {
			elems[i].value = 1;
			EXPECT_EQ(i, wait_ms(self->fd, elems, nr, 0));
			elems[i].value = 0;
		}
	}
	/* The first of two. */
	elems[3].value = 1;
	elems[90].value = 1;
	EXPECT_EQ(3, wait_ms(self->fd, elems, SHMCHAN_MAX_ELEMS, 0));
}

/* Not earlier, by any clock that the caller can read. */
TEST_F(wait, deadlines)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(0), WORD(0), 0);
	static const unsigned int ms[] = { 0, 1, 3, 10, 40 };
	uint64_t deadline;
	unsigned int i, k;

	for (i = 0; i < COUNT(ms); i++) {
		for (k = 0; k < 5; k++) {
			deadline = now_ns() + ms[i] * MSEC;
			EXPECT_EQ(-ETIMEDOUT, wait_until(self->fd, &e, 1,
							 deadline));
			EXPECT_LE(deadline, now_ns());
		}
	}
	/* Past ones. */
	EXPECT_EQ(-ETIMEDOUT, wait_until(self->fd, &e, 1, 0));
	EXPECT_EQ(-ETIMEDOUT, wait_until(self->fd, &e, 1, 1));
	EXPECT_EQ(-ETIMEDOUT, wait_until(self->fd, &e, 1, now_ns() - SEC));
}

/* The last one that there is: it does not come. */
static long wait_until_last(long a, long b)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_SHARED, WORD(0), 0);

	(void)a;
	(void)b;
	join_slot(SHMCHAN_SLOT_ANY, 0);
	return wait_until(my_fd, &e, 1, SHMCHAN_FOREVER - 1);
}

TEST_F(wait, last_deadline)
{
	peer_send(&self->peer, wait_until_last, 0, 0);
	EXPECT_TRUE(eventually(waiters(BELL_SHARED) == 1));
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));
	word64(0) = 1;
	EXPECT_EQ(1, ring(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
}

/* In the peer: a wait in a time namespace whose clock is ahead or behind. */
static long wait_in_timens(long offset_s, long ms)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_SHARED, WORD(0), 0);
	char text[32];
	int status;
	pid_t pid;

	snprintf(text, sizeof(text), "monotonic %ld 0", offset_s);
	if (unshare(CLONE_NEWTIME) ||
	    write_text("/proc/self/timens_offsets", text))
		return -ENOSYS;
	pid = fork();
	if (!pid) {
		uint64_t deadline, start;
		int fd = open_joined(name, SHMCHAN_SLOT_ANY);

		start = now_ns();
		deadline = start + ms * MSEC;
		if (wait_until(fd, &e, 1, deadline) != -ETIMEDOUT)
			_exit(1);
		if (now_ns() < deadline)
			_exit(2);
		if (now_ns() - start > 5 * SEC)
			_exit(3);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

TEST_F(wait, time_namespace)
{
	long ret = peer_call(&self->peer, wait_in_timens, 1000000, 50);

	if (ret == -ENOSYS)
		SKIP(return, "cannot make a time namespace");
	EXPECT_EQ(0, ret);
	/* Behind: by less than the machine is up. */
	EXPECT_EQ(0, peer_call(&self->sleepers[0], wait_in_timens, -1, 50));
}

static int wait_fenced(int fd, const struct shmchan_wait_elem *elems,
		       unsigned int nr, uint64_t deadline)
{
	return wait_with(fd, SHMCHAN_WAIT_FENCED, elems, nr, deadline);
}

/* In the peer, to and fro. */
static long join_as_asym(long slot, long b)
{
	struct shmchan_join j = {
		.size = sizeof(j), .flags = SHMCHAN_JOIN_ASYM, .slot = slot,
	};

	(void)b;
	my_fd = open_region(name, SHMCHAN_RIGHT_ALL);
	return my_fd < 0 ? my_fd : call(my_fd, SHMCHAN_IOC_JOIN, &j);
}

static long leave_again(long a, long b)
{
	(void)a;
	(void)b;
	return leave(my_fd) ?: close(my_fd);
}

/* Who relies on others' fences is told of those who have none. */
TEST_F(wait, beside_asym_members)
{
	struct shmchan_wait_elem e[2] = {
		elem64(-1, BELL_OF(0), WORD(0), 0),
		elem64(-1, BELL_SHARED, WORD(0), 0),
	};
	unsigned int nr;

	word64(0) = 0;
	for (nr = 1; nr <= 2; nr++) {
		EXPECT_EQ(-ETIMEDOUT, wait_fenced(self->fd, e, nr, 1));
		ASSERT_EQ(0, peer_call(&self->peer, join_as_asym, 3, 0));
		EXPECT_EQ(-EAGAIN, wait_fenced(self->fd, e, nr,
					       SHMCHAN_FOREVER));
		EXPECT_EQ(-ETIMEDOUT, wait_until(self->fd, e, nr, 1));
		/* What has changed already is told all the same. */
		word64(0) = 1;
		EXPECT_EQ(0, wait_fenced(self->fd, e, nr, SHMCHAN_FOREVER));
		word64(0) = 0;
		ASSERT_EQ(0, peer_call(&self->peer, leave_again, 0, 0));
		EXPECT_EQ(-ETIMEDOUT, wait_fenced(self->fd, e, nr, 1));
	}
	EXPECT_EQ(0, waiters(BELL_OF(0)));
	EXPECT_EQ(0, waiters(BELL_SHARED));
}

/* A ring whose word has not changed wakes nobody. */
TEST_F(wait, spurious_ring)
{
	unsigned int i;

	peer_send(&self->peer, sleep_on, 0, 0);
	ASSERT_TRUE(eventually(waiters(BELL_SHARED) == 1));
	for (i = 0; i < 10; i++)
		EXPECT_EQ(0, ring(self->fd, BELL_SHARED, 0));
	/* Nor one for another word of the same doorbell. */
	word64(1) = 1;
	EXPECT_EQ(0, ring(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));
	EXPECT_EQ(1, waiters(BELL_SHARED));
	EXPECT_EQ(11, self->status.bells[BELL_SHARED].seq);
	/* Nor the right word with the wrong doorbell. */
	word64(0) = 1;
	EXPECT_EQ(0, ring(self->fd, BELL_OF(2), 0));
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 50));
	EXPECT_EQ(1, ring(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_SHARED));
	EXPECT_EQ(0, ring(self->fd, BELL_SHARED, 0));
}

/* Whom a ring has woken tells of words; who may not read them is not told. */
TEST_F(wait, count_is_for_readers)
{
	struct shmchan_mint m = {
		.flags = SHMCHAN_MINT_RANGE,
		.rights = RIGHTS_RW,
		.data.length = PAGE,
		.control = { control_at(&layout, FOLIO_NOBODY), PAGE },
	};
	int ringers[2];
	unsigned int i;

	ringers[0] = mint(self->fd, SHMCHAN_RIGHT_RING);
	ringers[1] = mint_args(self->fd, &m);
	for (i = 0; i < COUNT(ringers); i++) {
		ASSERT_LT(0, join(ringers[i], SHMCHAN_SLOT_ANY));
		peer_send(&self->peer, sleep_on, i, 0);
		ASSERT_TRUE(eventually(waiters(BELL_SHARED) == 1));
		word64(i) = 1;
		EXPECT_EQ(0, ring(ringers[i], BELL_SHARED, 0));
		/* It is woken all the same. */
		EXPECT_EQ(0, peer_answer(&self->peer, PATIENCE_MS));
	}
}

/* Two doorbells: the index says which. */
TEST_F(wait, two_doorbells)
{
	int round;

	for (round = 0; round < 2; round++) {
		peer_send(&self->peer, sleep_on_two, 1, 0);
		ASSERT_TRUE(eventually(waiters(BELL_SHARED) == 1));
		EXPECT_EQ(1, waiters(BELL_OF(1)));
		word64(round) = 1;
		EXPECT_EQ(1, ring(self->fd, round ? BELL_SHARED : BELL_OF(1),
				  0));
		EXPECT_EQ(round, peer_answer(&self->peer, PATIENCE_MS));
		EXPECT_EQ(0, waiters(BELL_SHARED));
		EXPECT_EQ(0, waiters(BELL_OF(1)));
		word64(round) = 0;
	}
}

static int many_fds[2];

/* In the peer: members of two regions, one wait. */
static long sleep_on_regions(long other, long b)
{
	struct shmchan_wait_elem elems[2];

	(void)b;
	many_fds[0] = open_joined(name, 1);
	many_fds[1] = open_joined((const char *)other, 1);
	if (many_fds[0] < 0 || many_fds[1] < 0)
		return -EBADF;
	elems[0] = elem64(many_fds[0], BELL_OF(1), WORD(0), 0);
	elems[1] = elem64(many_fds[1], BELL_OF(1), WORD(0), 0);
	return wait_until(many_fds[0], elems, 2, SHMCHAN_FOREVER);
}

TEST_F(wait, two_regions)
{
	static const char other[] = "other-region";
	struct layout second = layout;
	int fd;

	second.name = other;
	fd = create_joined(&second, 0);
	ASSERT_LE(0, fd);
	peer_send(&self->peer, sleep_on_regions, (long)other, 0);
	ASSERT_TRUE(eventually(waiters(BELL_OF(1)) == 1));
	*(volatile uint64_t *)map(fd, WORD(0), PAGE, RW) = 1;
	EXPECT_EQ(0, ring(self->fd, BELL_OF(1), 0));
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->peer, 20));
	EXPECT_TRUE(eventually(ring(fd, BELL_OF(1), 0) == 1));
	EXPECT_EQ(1, peer_answer(&self->peer, PATIENCE_MS));
	EXPECT_EQ(0, waiters(BELL_OF(1)));
}

TEST_F(wait, max_wake)
{
	unsigned int i, left = NR_SLEEPERS, answered = 0;

	for (i = 0; i < NR_SLEEPERS; i++)
		peer_send(&self->sleepers[i], sleep_on, 0, 0);
	ASSERT_TRUE(eventually(waiters(BELL_SHARED) == NR_SLEEPERS));
	word64(0) = 1;
	/* One, and then all that are left. */
	EXPECT_EQ(1, ring(self->fd, BELL_SHARED, 1));
	left--;
	EXPECT_EQ(left, waiters(BELL_SHARED));
	usleep(50000);
	for (i = 0; i < NR_SLEEPERS; i++)
		answered += peer_answer(&self->sleepers[i], 0) == 0;
	EXPECT_EQ(1, answered);
	EXPECT_EQ(left, ring(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(0, waiters(BELL_SHARED));
	EXPECT_EQ(0, ring(self->fd, BELL_SHARED, 0));
}

/* Waking one picks the first whose word has changed. */
TEST_F(wait, max_wake_skips_the_quiet)
{
	unsigned int i;

	for (i = 0; i < NR_SLEEPERS; i++) {
		peer_send(&self->sleepers[i], sleep_on, i, 0);
		ASSERT_TRUE(eventually(waiters(BELL_SHARED) == i + 1));
	}
	word64(NR_SLEEPERS - 1) = 1;
	EXPECT_EQ(1, ring(self->fd, BELL_SHARED, 1));
	EXPECT_EQ(0, peer_answer(&self->sleepers[NR_SLEEPERS - 1],
				 PATIENCE_MS));
	EXPECT_EQ(PEER_BUSY, peer_answer(&self->sleepers[0], 20));
	EXPECT_EQ(NR_SLEEPERS - 1, waiters(BELL_SHARED));
}

TEST_F(wait, ring_set)
{
	uint32_t set[] = { BELL_OF(0), BELL_SHARED, BELL_OF(3), BELL_SHARED };
	struct shmchan_ring r = {
		.size = sizeof(r),
		.flags = SHMCHAN_RING_SET,
		.doorbells = ptr(set),
		.nr_doorbells = COUNT(set),
	};
	unsigned int i;

	for (i = 0; i < NR_SLEEPERS; i++)
		peer_send(&self->sleepers[i], sleep_on, i, 0);
	ASSERT_TRUE(eventually(waiters(BELL_SHARED) == NR_SLEEPERS));
	word64(0) = 1;
	word64(2) = 1;
	ASSERT_EQ(0, call(self->fd, SHMCHAN_IOC_RING, &r));
	EXPECT_EQ(2, r.woken);
	EXPECT_EQ(0, peer_answer(&self->sleepers[0], PATIENCE_MS));
	EXPECT_EQ(0, peer_answer(&self->sleepers[2], PATIENCE_MS));
	EXPECT_EQ(1, self->status.bells[BELL_OF(0)].seq);
	EXPECT_EQ(2, self->status.bells[BELL_SHARED].seq);
	EXPECT_EQ(1, self->status.bells[BELL_OF(3)].seq);
	EXPECT_EQ(0, self->status.bells[BELL_OF(1)].seq);
}

static volatile sig_atomic_t signals;

static void count_signal(int sig)
{
	(void)sig;
	signals++;
}

/* A SIGALRM soon, handled with these flags. */
static void start_alarms(int flags)
{
	struct sigaction act = { .sa_handler = count_signal,
				 .sa_flags = flags };
	struct itimerval timer = {
		.it_value = { 0, 30000 },
	};

	signals = 0;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

TEST_F(wait, interrupted)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(0), WORD(0), 0);

	start_alarms(0);
	EXPECT_EQ(-EINTR, wait_ms(self->fd, &e, 1, PATIENCE_MS));
	EXPECT_EQ(1, signals);
	EXPECT_EQ(0, waiters(BELL_OF(0)));
}

TEST_F(wait, restarted)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(0), WORD(0), 0);
	uint64_t deadline = now_ns() + 120 * MSEC;

	start_alarms(SA_RESTART);
	EXPECT_EQ(-ETIMEDOUT, wait_until(self->fd, &e, 1, deadline));
	EXPECT_EQ(1, signals);
	/* The deadline is absolute: a restart does not start it again. */
	EXPECT_LE(deadline, now_ns());
	EXPECT_GT(deadline + 5 * SEC, now_ns());
}

static int ring_wait(int fd, unsigned int doorbell,
		     const struct shmchan_wait_elem *e, uint64_t deadline)
{
	struct shmchan_ring_wait rw = {
		.size = sizeof(rw),
		.doorbell = doorbell,
		.wait = {
			.size = sizeof(rw.wait),
			.elems = ptr(e),
			.nr_elems = 1,
			.clockid = CLOCK_MONOTONIC,
			.deadline = deadline,
		},
	};
	int ret = call(fd, SHMCHAN_IOC_RING_WAIT, &rw);

	return ret ? ret : (int)rw.wait.index;
}

/* A restart would ring twice, so there is none. */
TEST_F(wait, ring_wait_is_not_restarted)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(0), WORD(0), 0);

	start_alarms(SA_RESTART);
	EXPECT_EQ(-EINTR, ring_wait(self->fd, BELL_SHARED, &e,
				    now_ns() + PATIENCE_MS * MSEC));
	EXPECT_EQ(1, signals);
	EXPECT_EQ(1, self->status.bells[BELL_SHARED].seq);
	EXPECT_EQ(-ETIMEDOUT, ring_wait(self->fd, BELL_SHARED, &e, now_ns()));
	EXPECT_EQ(2, self->status.bells[BELL_SHARED].seq);
}

/* In the peer, slot 1: @rounds times: wait for word 0, answer in word 1. */
static long pong(long rounds, long b)
{
	volatile uint64_t *words = map(join_slot(1, 0), WORD(0), PAGE, RW);
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(1), WORD(0), 0);
	long i;
	int ret;

	(void)b;
	ret = wait_until(my_fd, &e, 1, SHMCHAN_FOREVER);
	for (i = 1; i <= rounds && !ret; i++) {
		words[8] = i;
		e.value = i;
		if (i < rounds)
			ret = ring_wait(my_fd, BELL_OF(0), &e,
					SHMCHAN_FOREVER);
		else
			ret = ring(my_fd, BELL_OF(0), 0) < 0;
	}
	return ret ? ret : i - 1;
}

TEST_F(wait, ring_wait_hops)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_OF(0), WORD(1), 0);
	const long rounds = 500;
	uint64_t limit;
	long i;

	peer_send(&self->peer, pong, rounds, 0);
	for (i = 1; i <= rounds; i++) {
		e.value = i - 1;
		limit = now_ns() + PATIENCE_MS * MSEC;
		word64(0) = i;
		ASSERT_EQ(0, ring_wait(self->fd, BELL_OF(1), &e, limit));
		ASSERT_EQ(i, word64(1));
	}
	EXPECT_EQ(rounds, peer_answer(&self->peer, PATIENCE_MS));
	EXPECT_EQ(rounds, self->status.bells[BELL_OF(1)].seq);
	EXPECT_EQ(rounds, self->status.bells[BELL_OF(0)].seq);
}

/* A member that leaves while it sleeps is told. */
static long leave_soon(long a, long b)
{
	(void)a;
	(void)b;
	return leave(my_fd);
}

static struct {
	int fd;
	int ret;
} thread_wait;

static int wait_in_thread(void *arg)
{
	struct shmchan_wait_elem e = elem64(-1, BELL_SHARED, WORD(0), 0);

	(void)arg;
	thread_wait.ret = wait_until(thread_wait.fd, &e, 1, SHMCHAN_FOREVER);
	return 0;
}

/* In the peer: a task of the same address space sleeps. */
static long start_sleeper(long a, long b)
{
	static char stack[65536] __attribute__((aligned(16)));

	(void)a;
	(void)b;
	thread_wait.fd = join_slot(1, 0);
	thread_wait.ret = 1;
	return clone(wait_in_thread, stack + sizeof(stack),
		     CLONE_VM | CLONE_FILES | SIGCHLD, NULL) < 0 ? -errno : 0;
}

static long end_sleeper(long a, long b)
{
	(void)a;
	(void)b;
	wait(NULL);
	return thread_wait.ret;
}

TEST_F(wait, leaves_while_it_sleeps)
{
	ASSERT_EQ(0, peer_call(&self->peer, start_sleeper, 0, 0));
	ASSERT_TRUE(eventually(waiters(BELL_SHARED) == 1));
	EXPECT_EQ(0, peer_call(&self->peer, leave_soon, 0, 0));
	EXPECT_EQ(-ESTALE, peer_call(&self->peer, end_sleeper, 0, 0));
	EXPECT_EQ(0, waiters(BELL_SHARED));
}

/* Closing the file does not: the call holds it. */
static long close_mine(long a, long b)
{
	(void)a;
	(void)b;
	return close(my_fd) ? -errno : 0;
}

TEST_F(wait, closes_while_it_sleeps)
{
	ASSERT_EQ(0, peer_call(&self->peer, start_sleeper, 0, 0));
	ASSERT_TRUE(eventually(waiters(BELL_SHARED) == 1));
	EXPECT_EQ(0, peer_call(&self->peer, close_mine, 0, 0));
	EXPECT_EQ(SHMCHAN_SLOT_LIVE, slot_state(&self->status, 1));
	word64(0) = 1;
	EXPECT_EQ(1, ring(self->fd, BELL_SHARED, 0));
	EXPECT_EQ(0, peer_call(&self->peer, end_sleeper, 0, 0));
	EXPECT_TRUE(eventually(slot_state(&self->status, 1) ==
			       SHMCHAN_SLOT_LEFT));
}

TEST_F(wait, killed_while_it_sleeps)
{
	peer_send(&self->peer, sleep_on_two, 1, 0);
	ASSERT_TRUE(eventually(waiters(BELL_SHARED) == 1));
	EXPECT_EQ(1, waiters(BELL_OF(1)));
	peer_kill(&self->peer);
	EXPECT_EQ(0, waiters(BELL_SHARED));
	EXPECT_EQ(0, waiters(BELL_OF(1)));
	EXPECT_EQ(0, ring(self->fd, BELL_SHARED, 0));
}

TEST_HARNESS_MAIN
