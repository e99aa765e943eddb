// SPDX-License-Identifier: GPL-2.0-only

/* One call that waits for words of several regions. */

#include <sys/time.h>

#include <shmchan/loop.h>

#include "forbid.h"
#include "region_fixture.h"

#define MS	1000000LL
#define NR	4

/* So late may a wake-up be on a busy machine. */
#define LATE_NS	(400 * MS)

static const char *name_of(unsigned int i)
{
	char tag[16];

	snprintf(tag, sizeof(tag), "many%u", i);
	return test_name(tag);
}

/* Regions, and word 0 of each on our own doorbell. */
static void set_up(struct shmchan_region **r, struct shmchan_cond *c)
{
	unsigned int i;

	for (i = 0; i < NR; i++) {
		r[i] = fix_create(name_of(i));
		c[i].region = r[i];
		c[i].elem = fix_elem(FIX_BELL(r[i]->slot), 0, 0);
	}
}

static void tear_down(struct shmchan_region **r)
{
	unsigned int i;

	for (i = 0; i < NR; i++)
		shmchan_region_close(r[i]);
}

TEST(tells_the_first_that_differs)
{
	struct shmchan_region *r[NR];
	struct shmchan_cond c[NR];
	uint32_t index = 99;

	set_up(r, c);
	CHECK_EQ(shmchan_wait_many(c, NR, 0, &index), -ETIMEDOUT);
	shmchan_store_seq_cst(fix_word(r[3], 0), 1);
	CHECK_EQ(shmchan_wait_many(c, NR, SHMCHAN_FOREVER, &index), 0);
	CHECK_EQ(index, 3);
	shmchan_store_seq_cst(fix_word(r[1], 0), 1);
	CHECK_EQ(shmchan_wait_many(c, NR, 0, &index), 0);
	CHECK_EQ(index, 1);
	CHECK_EQ(shmchan_wait_many(c + 2, 2, 0, &index), 0);
	CHECK_EQ(index, 1);
	CHECK_EQ(shmchan_wait_many(c, 2, 0, NULL), 0);
	tear_down(r);
}

TEST(each_region_wakes_it)
{
	struct shmchan_region *r[NR];
	struct shmchan_cond c[NR];
	uint32_t i, index;
	pid_t pid;

	set_up(r, c);
	for (i = 0; i < NR; i++) {
		pid = child_fork();
		if (!pid) {
			struct shmchan_region *theirs = fix_open(name_of(i), 1);

			while (!shmchan_bell_wanted(theirs, c[i].elem.doorbell))
				sleep_ms(1);
			shmchan_store_seq_cst(fix_word(theirs, 0), 1);
			CHECK_GE(shmchan_bell_notify(theirs,
						     c[i].elem.doorbell), 0);
			shmchan_region_close(theirs);
			child_done();
		}
		do
			CHECK_EQ(shmchan_wait_many(c, NR, SHMCHAN_FOREVER,
						   &index), 0);
		while (!shmchan_load_seq_cst(fix_word(r[i], 0)));
		CHECK_EQ(index, i);
		CHECK_CHILD_OK(pid);
		shmchan_store_seq_cst(fix_word(r[i], 0), 0);
	}
	tear_down(r);
}

/* Of the regions only the slot words are waited for. */
TEST(ends_of_members_wake_it)
{
	struct shmchan_region *r[NR];
	struct shmchan_cond c[NR + 1];
	uint32_t i, index;
	pid_t pid;

	set_up(r, c);
	for (i = 0; i < 2; i++) {
		pid = child_fork();
		if (!pid) {
			struct shmchan_region *theirs = fix_open(name_of(2), 1);

			shmchan_store_seq_cst(fix_word(theirs, 1), 1);
			for (;;)
				pause();
		}
		fix_await(r[2], 1, 0);
		shmchan_store_seq_cst(fix_word(r[2], 1), 0);
		/* Once beside the others' words, once beside our own. */
		c[NR].region = r[2];
		c[NR].elem = shmchan_elem_slot(r[2], 1,
					       shmchan_slot_word(r[2], 1));
		if (!i)
			c[2] = c[NR];
		kill(pid, SIGKILL);
		do
			CHECK_EQ(shmchan_wait_many(c, NR + i,
						   shmchan_deadline(10000 * MS),
						   &index), 0);
		while (SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(r[2], 1)) ==
		       SHMCHAN_SLOT_LIVE);
		CHECK_EQ(index, i ? NR : 2);
		child_wait(pid);
		c[2].elem = fix_elem(FIX_BELL(r[2]->slot), 0, 0);
	}
	tear_down(r);
}

TEST(deadlines_are_kept)
{
	static const int64_t timeouts[] = { 0, 1000, 3 * MS, 120 * MS };
	struct shmchan_region *r[NR];
	struct shmchan_cond c[NR];
	unsigned int i;

	set_up(r, c);
	for (i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		uint64_t start = now_ns();

		CHECK_EQ(shmchan_wait_many(c, NR, shmchan_deadline(timeouts[i]),
					   NULL), -ETIMEDOUT);
		CHECK_GE(now_ns() - start, timeouts[i]);
		CHECK_SAYS(shmchan_error_detail(), "deadline");
	}
	tear_down(r);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

TEST(signals_do_not_show)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 10000 }, { 0, 10000 } };
	struct shmchan_region *r[NR];
	struct shmchan_cond c[NR];

	set_up(r, c);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	CHECK_EQ(shmchan_wait_many(c, NR, shmchan_deadline(150 * MS), NULL),
		 -ETIMEDOUT);
	CHECK_GE(alarms, 1);
	tear_down(r);
}

TEST(most_conditions_and_one_more)
{
	struct shmchan_cond c[SHMCHAN_MAX_ELEMS + 1];
	struct shmchan_region *r[NR];
	uint32_t i, index;

	set_up(r, c);
	for (i = 0; i < SHMCHAN_MAX_ELEMS + 1; i++) {
		c[i].region = r[i % NR];
		c[i].elem = fix_elem(i % 3 ? FIX_BELL_SHARED :
					     FIX_BELL(r[i % NR]->slot), i / NR,
				     0);
	}
	CHECK_EQ(shmchan_wait_many(c, SHMCHAN_MAX_ELEMS, 0, NULL), -ETIMEDOUT);
	shmchan_store_seq_cst(fix_word(r[3], (SHMCHAN_MAX_ELEMS - 1) / NR), 1);
	CHECK_EQ(shmchan_wait_many(c, SHMCHAN_MAX_ELEMS, 0, &index), 0);
	CHECK_EQ(index, SHMCHAN_MAX_ELEMS - 1);
	CHECK_EQ(shmchan_wait_many(c, SHMCHAN_MAX_ELEMS + 1, 0, NULL), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "1 to 128");
	CHECK_EQ(shmchan_wait_many(c, 0, 0, NULL), -EINVAL);
	CHECK_EQ(shmchan_wait_many(NULL, 1, 0, NULL), -EINVAL);
	tear_down(r);
}

TEST(bad_conditions)
{
	struct shmchan_region *r[NR];
	struct shmchan_cond c[NR], good;

	set_up(r, c);
	good = c[2];
	c[2].region = NULL;
	CHECK_EQ(shmchan_wait_many(c, NR, 0, NULL), -EINVAL);
	c[2] = good;
	c[2].elem.doorbell = FIX_BELLS + 1;
	CHECK_EQ(shmchan_wait_many(c, NR, 0, NULL), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "condition 2: ");
	c[2].elem.doorbell = FIX_BELL(3);
	CHECK_EQ(shmchan_wait_many(c, NR, 0, NULL), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "slot 3's to wait on");
	c[2] = good;
	c[2].elem.fd = 0;
	CHECK_EQ(shmchan_wait_many(c, NR, 0, NULL), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "should be -1");
	c[2] = good;
	c[2].elem.offset = FIX_DATA;
	CHECK_EQ(shmchan_wait_many(c, NR, 0, NULL), -EINVAL);
	tear_down(r);
}

TEST(backends_do_not_mix)
{
	struct shmchan_region_opts opts = fix_opts();
	struct shmchan_region *r[NR], *other;
	struct shmchan_cond c[NR];

	KMOD_ONLY("there is one backend only");
	set_up(r, c);
	opts.backend = SHMCHAN_BACKEND_LOCAL;
	CHECK_EQ(shmchan_region_create(&other, name_of(NR), &opts), 0);
	c[1].region = other;
	CHECK_EQ(shmchan_wait_many(c, NR, 0, NULL), -EXDEV);
	CHECK_SAYS(shmchan_error_detail(), "local backend");
	shmchan_region_close(other);
	tear_down(r);
}

TEST(no_longer_a_member_of_one)
{
	struct shmchan_region *r[NR];
	struct shmchan_cond c[NR];
	uint32_t index = 99;

	LOCAL_ONLY("there it is told by a set's test");
	set_up(r, c);
	/* A trusted member gone mad. */
	shmchan_store_seq_cst((uint64_t *)shmchan_region_at(r[2],
			      shmchan_slot_offset(r[2], 0)), 2ULL << 32 | 1);
	CHECK_EQ(shmchan_wait_many(c, NR, SHMCHAN_FOREVER, &index), -ESTALE);
	CHECK_EQ(index, 2);
	tear_down(r);
}

TEST(not_for_a_forked_child)
{
	struct shmchan_region *r[NR];
	struct shmchan_cond c[NR];
	pid_t pid;

	set_up(r, c);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_wait_many(c, NR, 0, NULL), -EOWNERDEAD);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	tear_down(r);
}

/* The last region rings; the first one's bell is what is slept on. */
TEST(kernel_without_futex_waitv)
{
	struct shmchan_region *r[NR];
	struct shmchan_cond c[NR];
	uint32_t index;
	pid_t pid;

	LOCAL_ONLY("uses no futexes");
	set_up(r, c);
	pid = child_fork();
	if (!pid) {
		struct shmchan_region *theirs = fix_open(name_of(NR - 1), 1);

		while (!shmchan_bell_wanted(theirs, c[NR - 1].elem.doorbell))
			sleep_ms(1);
		shmchan_store_seq_cst(fix_word(theirs, 0), 1);
		CHECK_GE(shmchan_bell_notify(theirs, c[NR - 1].elem.doorbell), 0);
		shmchan_region_close(theirs);
		child_done();
	}
	forbid(449, ENOSYS);
	CHECK_EQ(shmchan_wait_many(c, NR, SHMCHAN_FOREVER, &index), 0);
	CHECK_EQ(index, NR - 1);
	CHECK_CHILD_OK(pid);
	tear_down(r);
}

TEST_MAIN
