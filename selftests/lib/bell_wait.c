// SPDX-License-Identifier: GPL-2.0-only

/* Waiting: for words, until deadlines, through signals; and what is refused. */

#include <pthread.h>

#include "forbid.h"
#include "region_fixture.h"

#define MS	1000000LL

/* So late may a wake-up be on a busy machine. */
#define LATE_NS	(400 * MS)

static struct shmchan_region *set_up(void)
{
	return fix_create(test_name("bell"));
}

TEST(word_that_differs_returns_at_once)
{
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem e[3] = {
		fix_elem(1, 0, 0), fix_elem(1, 1, 5), fix_elem(1, 2, 6),
	};
	uint32_t index = 99;

	CHECK_EQ(shmchan_bell_wait(r, e, 3, SHMCHAN_FOREVER, &index), 0);
	CHECK_EQ(index, 1);
	CHECK_EQ(shmchan_bell_wait(r, e, 3, 0, NULL), 0);
	/* The mask says which bits count. */
	e[1].mask = 0xff00;
	CHECK_EQ(shmchan_bell_wait(r, e, 3, 0, &index), 0);
	CHECK_EQ(index, 2);
	e[2].mask = 0;
	CHECK_EQ(shmchan_bell_wait(r, e, 3, 0, &index), -ETIMEDOUT);
	shmchan_region_close(r);
}

TEST(words_of_32_bits)
{
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem e = fix_elem(1, 0, 0);
	uint32_t *half = (uint32_t *)fix_word(r, 0) + 1;

	e.offset += 4;
	e.mask = 0xffffffff;
	e.flags = SHMCHAN_ELEM_32;
	CHECK_EQ(shmchan_bell_wait(r, &e, 1, 0, NULL), -ETIMEDOUT);
	shmchan_store_seq_cst(half, 7);
	CHECK_EQ(shmchan_bell_wait(r, &e, 1, 0, NULL), 0);
	e.value = 7;
	CHECK_EQ(shmchan_bell_wait(r, &e, 1, 0, NULL), -ETIMEDOUT);
	CHECK_SAYS(shmchan_error_detail(), "deadline");
	shmchan_region_close(r);
}

TEST(deadlines_are_kept)
{
	static const int64_t timeouts[] = { 0, 1000, 3 * MS, 70 * MS, 130 * MS };
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem e = fix_elem(1, 0, 0);
	unsigned int i;

	for (i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		uint64_t start = now_ns(), took;

		CHECK_EQ(shmchan_bell_wait(r, &e, 1,
					   shmchan_deadline(timeouts[i]),
					   NULL), -ETIMEDOUT);
		took = now_ns() - start;
		CHECK_GE(took, timeouts[i]);
		CHECK_LE(took, timeouts[i] + LATE_NS);
	}
	CHECK_EQ(shmchan_deadline(-1), SHMCHAN_FOREVER);
	CHECK_EQ(shmchan_deadline(INT64_MAX), SHMCHAN_FOREVER);
	CHECK_LE(now_ns(), shmchan_deadline(0));
	shmchan_region_close(r);
}

TEST(bad_elements)
{
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem good = fix_elem(1, 0, 0), e;

#define REFUSED(assignment, error, says)				\
	do {								\
		e = good;						\
		e.assignment;						\
		CHECK_EQ(shmchan_bell_wait(r, &e, 1, 0, NULL), -(error)); \
		CHECK_SAYS(shmchan_error_detail(), says);		\
	} while (0)

	REFUSED(flags = 2, EINVAL, "flags");
	REFUSED(reserved = 1, EINVAL, "reserved");
	REFUSED(offset += 4, EINVAL, "8-byte word");
	REFUSED(offset = FIX_DATA, EINVAL, "word of the region");
	REFUSED(offset = ~7ULL, EINVAL, "word of the region");
	REFUSED(offset = r->control_offset + FIX_CONTROL, EINVAL, "word");
	REFUSED(offset = r->status_offset + r->status_size, EINVAL, "word");
	REFUSED(doorbell = FIX_BELLS + 1, EINVAL, "doorbells 0 to 5");
	REFUSED(doorbell = 2, EACCES, "slot 1's to wait on");
	if (!on_kmod())
		REFUSED(fd = 0, EINVAL, "should be -1");
	REFUSED(flags = SHMCHAN_ELEM_32, EINVAL, "32 bits");
	CHECK_EQ(shmchan_bell_wait(r, &good, 0, 0, NULL), -EINVAL);
	CHECK_EQ(shmchan_bell_wait(r, &good, SHMCHAN_MAX_ELEMS + 1, 0, NULL),
		 -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "1 to 128");
	CHECK_EQ(shmchan_bell_wait(NULL, &good, 1, 0, NULL), -EINVAL);
	/* The last words there are. */
	good.offset = FIX_DATA - 8;
	CHECK_EQ(shmchan_bell_wait(r, &good, 1, 0, NULL), -ETIMEDOUT);
	good.offset = r->status_offset + r->status_size - 8;
	CHECK_EQ(shmchan_bell_wait(r, &good, 1, 0, NULL), -ETIMEDOUT);
	shmchan_region_close(r);
}

TEST(rights_are_needed)
{
	struct shmchan_open_opts o = SHMCHAN_OPEN_OPTS(.slot = 1);
	struct shmchan_wait_elem e = fix_elem(2, 0, 0);
	struct shmchan_region *r = set_up(), *r2;

	o.rights = SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_RING;
	CHECK_EQ(shmchan_region_open(&r2, r->name, &o), 0);
	CHECK_EQ(shmchan_bell_wait(r2, &e, 1, 0, NULL), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "SHMCHAN_RIGHT_WAIT");
	CHECK_EQ(shmchan_bell_ring(r2, 1, 0), 0);
	shmchan_region_close(r2);
	o.rights = SHMCHAN_RIGHT_MAP_READ | SHMCHAN_RIGHT_WAIT;
	CHECK_EQ(shmchan_region_open(&r2, r->name, &o), 0);
	CHECK_EQ(shmchan_bell_ring(r2, 1, 0), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "SHMCHAN_RIGHT_RING");
	CHECK_EQ(shmchan_bell_ring_wait(r2, 1, 0, &e, 1, 0, NULL), -EACCES);
	CHECK_EQ(shmchan_bell_wait(r2, &e, 1, 0, NULL), -ETIMEDOUT);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(bad_rings)
{
	struct shmchan_region *r = set_up();

	CHECK_EQ(shmchan_bell_ring(r, FIX_BELLS + 1, 0), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "doorbells 1 to 5");
	CHECK_EQ(shmchan_bell_ring(r, 0, 0), -EACCES);
	CHECK_EQ(shmchan_bell_ring(r, UINT32_MAX, 0), -EINVAL);
	CHECK_EQ(shmchan_bell_ring(NULL, 1, 0), -EINVAL);
	CHECK_EQ(shmchan_bell_ring(r, 1, 0), 0);
	CHECK_EQ(shmchan_load_seq_cst(&shmchan_doorbell_status(r, 1)->seq), 1);
	CHECK_EQ(shmchan_bell_notify(r, 1), 0);
	CHECK_EQ(shmchan_load_seq_cst(&shmchan_doorbell_status(r, 1)->seq), 1);
	shmchan_region_close(r);
}

/* A sleeper in another process: index of what woke it into word 7, plus 1. */
static pid_t sleeper(const struct shmchan_region *r, uint32_t slot,
		     const struct shmchan_wait_elem *e, uint32_t nr)
{
	const char *name = r->name;
	pid_t pid = child_fork();

	if (!pid) {
		struct shmchan_region *mine = fix_open(name, slot);
		uint32_t index = 0;

		shmchan_fetch_add(fix_word(mine, 6), 1);
		CHECK_EQ(shmchan_bell_wait(mine, e, nr, SHMCHAN_FOREVER,
					   &index), 0);
		shmchan_store_seq_cst(fix_word(mine, 7), index + 1);
		shmchan_region_close(mine);
		child_done();
	}
	return pid;
}

/* Until somebody is asleep on it. */
static void await_sleeper(const struct shmchan_region *r, uint32_t doorbell)
{
	while (!shmchan_bell_wanted(r, doorbell))
		sleep_ms(1);
	sleep_ms(5);
}

TEST(ring_wakes)
{
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem e[2] = { fix_elem(2, 0, 0), fix_elem(2, 1, 0) };
	pid_t pid = sleeper(r, 1, e, 2);

	await_sleeper(r, 2);
	shmchan_store_seq_cst(fix_word(r, 1), 1);
	CHECK_EQ(shmchan_bell_notify(r, 2), 1);
	CHECK_CHILD_OK(pid);
	CHECK_EQ(*fix_word(r, 7), 2);
	shmchan_region_close(r);
}

TEST(ring_without_change_does_not_return)
{
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem e = fix_elem(2, 0, 0);
	pid_t pid = sleeper(r, 1, &e, 1);
	int i;

	for (i = 0; i < 20; i++) {
		await_sleeper(r, 2);
		CHECK_GE(shmchan_bell_ring(r, 2, 0), 0);
		sleep_ms(1);
	}
	CHECK_EQ(shmchan_load_seq_cst(fix_word(r, 7)), 0);
	shmchan_store_seq_cst(fix_word(r, 0), 1);
	shmchan_bell_ring(r, 2, 0);
	CHECK_CHILD_OK(pid);
	shmchan_region_close(r);
}

TEST(many_doorbells)
{
	struct shmchan_region *r = set_up();
	/* Slot 1's own, the shared one, and members. */
	struct shmchan_wait_elem e[4] = {
		fix_elem(2, 0, 0),
		fix_elem(FIX_BELL_SHARED, 1, 0),
		shmchan_elem_slot(r, 3, 0),
		fix_elem(2, 2, 0),
	};
	struct shmchan_region *r3 = NULL;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		uint64_t start;
		pid_t pid;

		shmchan_store_seq_cst(fix_word(r, 7), 0);
		e[2].value = shmchan_slot_word(r, 3);
		pid = sleeper(r, 1, e, 4);
		await_sleeper(r, 2);
		start = now_ns();
		if (i == 2)
			r3 = fix_open(r->name, 3);
		else
			shmchan_store_seq_cst(fix_word(r, i ? i - i / 3 : 0), 1);
		if (i != 2)
			shmchan_bell_notify(r, e[i].doorbell);
		CHECK_CHILD_OK(pid);
		CHECK_LE(now_ns() - start, LATE_NS);
		CHECK_EQ(*fix_word(r, 7), i + 1);
		shmchan_store_seq_cst(fix_word(r, 0), 0);
		shmchan_store_seq_cst(fix_word(r, 1), 0);
		shmchan_store_seq_cst(fix_word(r, 2), 0);
	}
	shmchan_region_close(r3);
	shmchan_region_close(r);
}

static void without_waitv(int err)
{
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem e[2] = {
		fix_elem(2, 0, 0), fix_elem(FIX_BELL_SHARED, 1, 0),
	};
	uint64_t start;
	unsigned int i;
	pid_t pid;

	/* SYS_futex_waitv, which old headers do not name. */
	forbid(449, err);
	for (i = 0; i < 2; i++) {
		pid = sleeper(r, 1, e, 2);
		await_sleeper(r, 2);
		start = now_ns();
		shmchan_store_seq_cst(fix_word(r, i), 1);
		CHECK_GE(shmchan_bell_notify(r, e[i].doorbell), 0);
		CHECK_CHILD_OK(pid);
		CHECK_LE(now_ns() - start, LATE_NS);
		CHECK_EQ(*fix_word(r, 7), i + 1);
		shmchan_store_seq_cst(fix_word(r, i), 0);
	}
	shmchan_region_close(r);
}

TEST(kernel_without_futex_waitv)
{
	LOCAL_ONLY("uses no futexes");
	without_waitv(ENOSYS);
}

TEST(container_without_futex_waitv)
{
	LOCAL_ONLY("uses no futexes");
	without_waitv(EPERM);
}

TEST(most_elements_most_doorbells)
{
	enum { NR = SHMCHAN_MAX_ELEMS };
	struct shmchan_doorbell bells[NR];
	struct shmchan_wait_elem e[NR];
	struct shmchan_region_opts o = fix_opts();
	struct shmchan_region *r;
	uint32_t i;
	pid_t pid;

	for (i = 0; i < NR; i++) {
		bells[i] = (struct shmchan_doorbell){ .owner = 1 };
		e[i] = fix_elem(i + 1, 8 + i, 0);
	}
	o.nr_doorbells = NR;
	o.doorbells = bells;
	CHECK_EQ(shmchan_region_create(&r, test_name("most"), &o), 0);
	pid = sleeper(r, 1, e, NR);
	for (i = 1; i <= NR; i++)
		while (!shmchan_bell_wanted(r, i))
			sleep_ms(1);
	sleep_ms(5);
	shmchan_store_seq_cst(fix_word(r, 8 + NR - 1), 1);
	CHECK_GE(shmchan_bell_notify(r, NR), 0);
	CHECK_CHILD_OK(pid);
	CHECK_EQ(*fix_word(r, 7), NR);
	shmchan_region_close(r);
}

/* Each member may sleep on a shared doorbell; one ring is for all. */
TEST(shared_doorbell_wakes_all)
{
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem e = fix_elem(FIX_BELL_SHARED, 0, 0);
	pid_t pids[FIX_SLOTS];
	uint32_t i;

	for (i = 1; i < FIX_SLOTS; i++)
		pids[i] = sleeper(r, i, &e, 1);
	while (shmchan_load_seq_cst(fix_word(r, 6)) < FIX_SLOTS - 1)
		sleep_ms(1);
	await_sleeper(r, FIX_BELL_SHARED);
	shmchan_store_seq_cst(fix_word(r, 0), 1);
	shmchan_bell_notify(r, FIX_BELL_SHARED);
	for (i = 1; i < FIX_SLOTS; i++)
		CHECK_CHILD_OK(pids[i]);
	shmchan_region_close(r);
}

TEST(ring_and_wait)
{
	struct shmchan_region *r = set_up();
	const unsigned int rounds = 200;
	struct shmchan_wait_elem e;
	unsigned int i;
	pid_t pid = child_fork();

	if (!pid) {
		struct shmchan_region *mine = fix_open(test_name("bell"), 1);

		for (i = 0; i < rounds; i++) {
			e = fix_elem(2, 0, i);
			CHECK_EQ(shmchan_bell_wait(mine, &e, 1,
						   SHMCHAN_FOREVER, NULL), 0);
			shmchan_store_seq_cst(fix_word(mine, 1), i + 1);
			CHECK_GE(shmchan_bell_ring(mine, 1, 0), 0);
		}
		child_done();
	}
	for (i = 0; i < rounds; i++) {
		e = fix_elem(1, 1, i);
		shmchan_store_seq_cst(fix_word(r, 0), i + 1);
		CHECK_EQ(shmchan_bell_ring_wait(r, 2, 0, &e, 1,
						SHMCHAN_FOREVER, NULL), 0);
		CHECK_EQ(shmchan_load_seq_cst(fix_word(r, 1)), i + 1);
	}
	CHECK_CHILD_OK(pid);
	e = fix_elem(1, 1, rounds);
	CHECK_EQ(shmchan_bell_ring_wait(r, 2, 0, &e, 1,
					shmchan_deadline(MS), NULL),
		 -ETIMEDOUT);
	CHECK_EQ(shmchan_bell_ring_wait(r, 0, 0, &e, 1, 0, NULL), -EACCES);
	CHECK_EQ(shmchan_bell_ring_wait(r, 99, 0, &e, 1, 0, NULL), -EINVAL);
	shmchan_region_close(r);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(signals_do_not_show)
{
	struct sigaction sa = { .sa_handler = nothing };
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem e = fix_elem(1, 0, 0);
	pid_t pid, us = getpid();
	uint64_t start = now_ns();

	sigaction(SIGUSR1, &sa, NULL);
	pid = child_fork();
	if (!pid) {
		int i;

		for (i = 0; i < 50; i++) {
			kill(us, SIGUSR1);
			sleep_ms(2);
		}
		child_done();
	}
	CHECK_EQ(shmchan_bell_wait(r, &e, 1, shmchan_deadline(80 * MS), NULL),
		 -ETIMEDOUT);
	CHECK_GE(now_ns() - start, 80 * MS);
	CHECK_EQ(shmchan_bell_ring_wait(r, 2, 0, &e, 1,
					shmchan_deadline(20 * MS), NULL),
		 -ETIMEDOUT);
	CHECK_CHILD_OK(pid);
	shmchan_region_close(r);
}

TEST(waiting_for_a_member_to_join)
{
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem e = shmchan_elem_slot(r, 1, 0);
	pid_t pid = sleeper(r, 2, &e, 1);
	uint64_t start;

	await_sleeper(r, SHMCHAN_DOORBELL_MEMBERS);
	start = now_ns();
	shmchan_region_close(fix_open(r->name, 1));
	CHECK_CHILD_OK(pid);
	CHECK_LE(now_ns() - start, LATE_NS);
	shmchan_region_close(r);
}

TEST(no_longer_a_member)
{
	struct shmchan_wait_elem e = fix_elem(1, 0, 0);
	struct shmchan_region *r;

	LOCAL_ONLY("nobody else can end a member in this version");
	r = set_up();
	/* A trusted member gone mad. */
	shmchan_store_seq_cst((uint64_t *)shmchan_region_at(r,
			      shmchan_slot_offset(r, 0)), 2ULL << 32 | 1);
	CHECK_EQ(shmchan_bell_wait(r, &e, 1, SHMCHAN_FOREVER, NULL), -ESTALE);
	CHECK_SAYS(shmchan_error_detail(), "no longer ours");
	CHECK_EQ(shmchan_bell_ring(r, 1, 0), -ESTALE);
	shmchan_region_close(r);
}

/* Threads of one member share it. */
static void *wait_in_thread(void *arg)
{
	struct shmchan_region *r = (struct shmchan_region *)arg;
	struct shmchan_wait_elem e = fix_elem(1, 0, 0);

	shmchan_fetch_add(fix_word(r, 6), 1);
	return (void *)(intptr_t)shmchan_bell_wait(r, &e, 1, SHMCHAN_FOREVER,
						   NULL);
}

TEST(threads_of_a_member)
{
	struct shmchan_region *r = set_up();
	pthread_t threads[4];
	void *ret;
	int i;

	for (i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, wait_in_thread, r), 0);
	while (shmchan_load_seq_cst(fix_word(r, 6)) < 4)
		sleep_ms(1);
	sleep_ms(10);
	shmchan_store_seq_cst(fix_word(r, 0), 1);
	shmchan_bell_notify(r, 1);
	for (i = 0; i < 4; i++) {
		pthread_join(threads[i], &ret);
		CHECK_EQ((intptr_t)ret, 0);
	}
	shmchan_region_close(r);
}

/* What a killed sleeper left raised costs a ring or two, then no more. */
TEST(killed_sleeper_is_forgotten)
{
	struct shmchan_region *r = set_up();
	struct shmchan_wait_elem e = fix_elem(2, 0, 0);
	pid_t pid = sleeper(r, 1, &e, 1);

	await_sleeper(r, 2);
	child_kill(pid);
	fix_await_slot(r, 1, 1ULL << 32 | SHMCHAN_SLOT_LIVE);
	shmchan_bell_notify(r, 2);
	CHECK(!shmchan_bell_wanted(r, 2));
	shmchan_region_close(r);
}

TEST_MAIN
