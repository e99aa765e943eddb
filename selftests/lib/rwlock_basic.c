// SPDX-License-Identifier: GPL-2.0-only

/* Reader-writer locks: who keeps out whom, tries and timeouts, bad input. */

#include "party_fixture.h"

static void attach(struct shmchan_rwlock *l, struct shmchan_region *r)
{
	struct shmchan_place place = pf_place(r, 0);

	CHECK_EQ(shmchan_rwlock_attach(l, &place, NULL), 0);
}

TEST(readers_share_and_writers_do_not)
{
	struct shmchan_region *r = pf_create(test_name("share"));
	struct shmchan_region *r2 = pf_open(test_name("share"));
	struct shmchan_rwlock a, b;

	attach(&a, r);
	attach(&b, r2);
	CHECK_EQ(shmchan_rwlock_rdlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_tryrdlock(&b), 0);
	CHECK_EQ(shmchan_rwlock_trywrlock(&b), -EAGAIN);
	CHECK_EQ(shmchan_rwlock_rdunlock(&b), 0);
	CHECK_EQ(shmchan_rwlock_rdunlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_trywrlock(&b), -EAGAIN);
	/* A writer that gave up keeps nobody out. */
	CHECK_EQ(shmchan_rwlock_tryrdlock(&b), 0);
	CHECK_EQ(shmchan_rwlock_rdunlock(&b), 0);
	CHECK_EQ(shmchan_rwlock_rdunlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_trywrlock(&b), 0);
	CHECK_EQ(shmchan_rwlock_tryrdlock(&a), -EAGAIN);
	CHECK_EQ(shmchan_rwlock_trywrlock(&a), -EAGAIN);
	CHECK_EQ(shmchan_rwlock_wrunlock(&b), 0);
	CHECK_EQ(shmchan_rwlock_wrlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&a), 0);
	CHECK_EQ(a.o.waits + b.o.waits + a.o.rings + b.o.rings, 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(timeouts)
{
	struct shmchan_region *r = pf_create(test_name("time"));
	struct shmchan_region *r2 = pf_open(test_name("time"));
	struct shmchan_rwlock a, b;
	uint64_t begin;

	attach(&a, r);
	attach(&b, r2);
	CHECK_EQ(shmchan_rwlock_wrlock(&a), 0);
	begin = now_ns();
	CHECK_EQ(shmchan_rwlock_timedrdlock(&b, 20 * MS), -ETIMEDOUT);
	CHECK_EQ(shmchan_rwlock_timedwrlock(&b, 20 * MS), -ETIMEDOUT);
	CHECK_GE(now_ns() - begin, 40 * MS);
	CHECK_EQ(shmchan_rwlock_wrunlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_timedwrlock(&b, 20 * MS), -ETIMEDOUT);
	/* ... and that one is gone. */
	CHECK_EQ(shmchan_rwlock_tryrdlock(&b), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(a_waiting_writer_goes_before_later_readers)
{
	struct shmchan_region *r = pf_create(test_name("prefer"));
	struct shmchan_rwlock l;
	pid_t pid;

	attach(&l, r);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), 0);
	pid = child_fork();
	if (!pid) {
		struct shmchan_region *r2 = pf_open(test_name("prefer"));
		struct shmchan_rwlock b;

		attach(&b, r2);
		CHECK_EQ(shmchan_rwlock_wrlock(&b), 0);
		*pf_word(r2, 0) = 1;
		CHECK_EQ(shmchan_rwlock_wrunlock(&b), 0);
		shmchan_region_close(r2);
		child_done();
	}
	pf_await_sleeper(r, 0);
	CHECK_EQ(shmchan_rwlock_tryrdlock(&l), -EAGAIN);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), 0);
	/* Overtaking it is possible, but not likely to have been seen. */
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), 0);
	CHECK_CHILD_OK(pid);
	CHECK_EQ(*pf_word(r, 0), 1);
	shmchan_region_close(r);
}

TEST(what_is_not_ours_to_unlock)
{
	struct shmchan_region *r = pf_create(test_name("eperm"));
	struct shmchan_rwlock l, none = { .fine = 0 };

	attach(&l, r);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), -EPERM);
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), -EPERM);
	CHECK_EQ(shmchan_rwlock_consistent(&l), -EINVAL);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), -EPERM);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), -EPERM);
	CHECK_EQ(shmchan_rwlock_wrlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), -EPERM);
	CHECK_EQ(shmchan_rwlock_consistent(&l), -EINVAL);
	CHECK_EQ(shmchan_rwlock_wrlock(&l), -EDEADLK);
	CHECK_SAYS(shmchan_error_detail(), "this thread");
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&none), -EINVAL);
	CHECK_EQ(shmchan_rwlock_rdunlock(&none), -EINVAL);
	CHECK_EQ(shmchan_rwlock_wrlock(&none), -EINVAL);
	CHECK_EQ(shmchan_rwlock_wrunlock(NULL), -EINVAL);
	shmchan_region_close(r);
}

static void *other_thread(void *arg)
{
	struct shmchan_rwlock *l = arg;

	CHECK_EQ(shmchan_rwlock_wrunlock(l), -EPERM);
	CHECK_EQ(shmchan_rwlock_trywrlock(l), -EAGAIN);
	CHECK_EQ(shmchan_rwlock_tryrdlock(l), -EAGAIN);
	return NULL;
}

TEST(a_writer_is_a_thread)
{
	struct shmchan_region *r = pf_create(test_name("thread"));
	struct shmchan_rwlock l;
	pthread_t thread;

	attach(&l, r);
	CHECK_EQ(shmchan_rwlock_wrlock(&l), 0);
	CHECK_EQ(pthread_create(&thread, NULL, other_thread, &l), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), 0);
	shmchan_region_close(r);
}

TEST(nonsense_in_the_words)
{
	struct shmchan_region *r = pf_create(test_name("bad"));
	struct shmchan_rwlock l;

	attach(&l, r);
	l.o.line->word = 0xff;
	CHECK_EQ(shmchan_rwlock_rdlock(&l), -EBADMSG);
	CHECK_EQ(shmchan_rwlock_wrlock(&l), -EBADMSG);
	/* A slot that the region does not have is a dead writer's. */
	l.o.line->word = shmchan_cell(1, 4000, 1, 2);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), -EOWNERDEAD);
	l.o.line->word = 0;
	*l.cells.own = shmchan_sync__said(77, 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), -EBADMSG);
	*l.cells.own = shmchan_sync__said(r->generation, 1U << 31);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), -EBUSY);
	shmchan_region_close(r);
}

TEST(attaching_what_does_not_fit)
{
	struct shmchan_region *r = pf_create(test_name("attach"));
	struct shmchan_place place = pf_place(r, 0), none = place;
	struct shmchan_rwlock_opts opts = SHMCHAN_RWLOCK_OPTS();
	struct shmchan_rwlock l;
	struct shmchan_signal s;

	CHECK_EQ(shmchan_rwlock_attach(NULL, &place, NULL), -EINVAL);
	CHECK_EQ(shmchan_rwlock_attach(&l, NULL, NULL), -EINVAL);
	none.region = NULL;
	CHECK_EQ(shmchan_rwlock_attach(&l, &none, NULL), -EINVAL);
	none = place;
	none.offset += 8;
	CHECK_EQ(shmchan_rwlock_attach(&l, &none, NULL), -EINVAL);
	none = place;
	none.doorbell = PF_BELLS + 1;
	CHECK_EQ(shmchan_rwlock_attach(&l, &none, NULL), -EINVAL);
	opts.size = 4;
	CHECK_EQ(shmchan_rwlock_attach(&l, &place, &opts), -EINVAL);
	opts = SHMCHAN_RWLOCK_OPTS(.cells_stride = 64);
	CHECK_EQ(shmchan_rwlock_attach(&l, &place, &opts), -EINVAL);
	opts = SHMCHAN_RWLOCK_OPTS(.cells_offset = PF_PAGE(0),
				   .cells_stride = 100);
	CHECK_EQ(shmchan_rwlock_attach(&l, &place, &opts), -EINVAL);
	opts = SHMCHAN_RWLOCK_OPTS(.cells_offset = PF_PAGE(PF_SLOTS - 1),
				   .cells_stride = 4096);
	CHECK_EQ(shmchan_rwlock_attach(&l, &place, &opts), -EINVAL);
	/* Slot 0's cell in slot 1's page. */
	opts = SHMCHAN_RWLOCK_OPTS(.cells_offset = PF_PAGE(1),
				   .cells_stride = 64);
	CHECK_EQ(shmchan_rwlock_attach(&l, &place, &opts), -EACCES);
	CHECK_SAYS(shmchan_error_detail(), "slot 0");

	CHECK_EQ(shmchan_rwlock_attach(&l, &place, NULL), 0);
	opts = SHMCHAN_RWLOCK_OPTS(.cells_offset = PF_PAGE(0),
				   .cells_stride = 4096);
	CHECK_EQ(shmchan_rwlock_attach(&l, &place, &opts), -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "4096 bytes apart");
	CHECK_EQ(shmchan_signal_attach(&s, &place), -EPROTO);
	CHECK_SAYS(shmchan_error_detail(), "rwlock");
	shmchan_region_close(r);
}

TEST(cells_in_the_windows_of_readers)
{
	struct shmchan_rwlock_opts opts = SHMCHAN_RWLOCK_OPTS(
		.cells_offset = PF_PAGE(0), .cells_stride = 4096);
	struct shmchan_region *r = pf_create(test_name("windows"));
	struct shmchan_region *r2 = pf_open(test_name("windows"));
	struct shmchan_place place = pf_place(r, 0), place2 = pf_place(r2, 0);
	struct shmchan_rwlock a, b;

	CHECK_EQ(shmchan_rwlock_attach(&a, &place, &opts), 0);
	CHECK_EQ(shmchan_rwlock_attach(&b, &place2, &opts), 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&b), 0);
	CHECK_EQ(*(uint64_t *)shmchan_region_at(r, PF_PAGE(1)),
		 shmchan_sync__said(r2->generation, 1));
	CHECK_EQ(shmchan_rwlock_trywrlock(&a), -EAGAIN);
	CHECK_EQ(shmchan_rwlock_rdunlock(&b), 0);
	CHECK_EQ(shmchan_rwlock_trywrlock(&a), 0);
	CHECK_EQ(shmchan_rwlock_wrunlock(&a), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(no_system_call_uncontended)
{
	struct shmchan_region *r;
	struct shmchan_rwlock l;
	pid_t pid;
	int i, err = 0;

	not_sanitized();
	r = pf_create(test_name("calls"));
	pid = child_fork();
	if (!pid) {
		struct shmchan_region *r2 = pf_open(test_name("calls"));

		attach(&l, r2);
		/* The thread's number is had with the first. */
		err |= shmchan_rwlock_wrlock(&l);
		err |= shmchan_rwlock_wrunlock(&l);
		no_calls(0);
		for (i = 0; i < 1000; i++) {
			err |= shmchan_rwlock_rdlock(&l);
			err |= shmchan_rwlock_rdunlock(&l);
			err |= shmchan_rwlock_wrlock(&l);
			err |= shmchan_rwlock_wrunlock(&l);
		}
		_exit(err != 0);
	}
	check_no_calls(pid);
	shmchan_region_close(r);
}

#define ROUNDS	20000

static void stress(const char *name, unsigned int me)
{
	struct shmchan_region *r = pf_open(name);
	unsigned int seed = me, i, n = HARNESS_ROUNDS(ROUNDS);
	struct shmchan_rwlock l;
	uint64_t *a, *b;

	attach(&l, r);
	a = pf_word(r, 0);
	b = pf_word(r, 1);
	for (i = 0; i < n; i++) {
		if (rand_r(&seed) % 8) {
			CHECK_EQ(shmchan_rwlock_rdlock(&l), 0);
			CHECK_EQ(*(volatile uint64_t *)a, *(volatile uint64_t *)b);
			CHECK_EQ(shmchan_rwlock_rdunlock(&l), 0);
		} else {
			CHECK_EQ(shmchan_rwlock_wrlock(&l), 0);
			++*(volatile uint64_t *)a;
			++*(volatile uint64_t *)b;
			++*pf_word(r, 2 + me);
			CHECK_EQ(shmchan_rwlock_wrunlock(&l), 0);
		}
	}
	shmchan_region_close(r);
}

TEST_LIMIT(processes_at_once, 60)
{
	struct shmchan_region *r = pf_create(test_name("stress"));
	uint64_t sum = 0;
	pid_t pid[4];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		pid[i] = child_fork();
		if (!pid[i]) {
			stress(test_name("stress"), i);
			child_done();
		}
	}
	for (i = 0; i < 4; i++)
		CHECK_CHILD_OK(pid[i]);
	for (i = 0; i < 4; i++)
		sum += *pf_word(r, 2 + i);
	CHECK_EQ(*pf_word(r, 0), sum);
	CHECK_GT(sum, 0);
	shmchan_region_close(r);
}

/* Two handles of one process over one mapping: for ThreadSanitizer. */
static struct shmchan_rwlock shared_lock;
static uint64_t plain[2];

static void *thread_stress(void *arg)
{
	unsigned int seed = (unsigned int)(uintptr_t)arg;
	int i;

	for (i = 0; i < HARNESS_ROUNDS(8000); i++) {
		if (rand_r(&seed) % 4) {
			CHECK_EQ(shmchan_rwlock_rdlock(&shared_lock), 0);
			CHECK_EQ(plain[0], plain[1]);
			CHECK_EQ(shmchan_rwlock_rdunlock(&shared_lock), 0);
		} else {
			CHECK_EQ(shmchan_rwlock_wrlock(&shared_lock), 0);
			plain[0]++;
			plain[1]++;
			CHECK_EQ(shmchan_rwlock_wrunlock(&shared_lock), 0);
		}
	}
	return NULL;
}

TEST_LIMIT(threads_at_once, 60)
{
	struct shmchan_region *r = pf_create(test_name("threads"));
	pthread_t thread[3];
	uintptr_t i;

	attach(&shared_lock, r);
	for (i = 0; i < 3; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_stress,
					(void *)(i + 1)), 0);
	for (i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK_EQ(plain[0], plain[1]);
	CHECK_GT(plain[0], 0);
	shmchan_region_close(r);
}

/* The lock is not there for a child, which is told so. */
TEST(fork_has_its_own)
{
	struct shmchan_region *r = pf_create(test_name("fork"));
	struct shmchan_rwlock l;
	pid_t pid;

	attach(&l, r);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), 0);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_rwlock_rdunlock(&l), -EOWNERDEAD);
		CHECK_SAYS(shmchan_error_detail(), "fork");
		CHECK_EQ(shmchan_rwlock_rdlock(&l), -EOWNERDEAD);
		CHECK_EQ(shmchan_rwlock_tryrdlock(&l), -EOWNERDEAD);
		CHECK_EQ(shmchan_rwlock_wrlock(&l), -EOWNERDEAD);
		CHECK_EQ(shmchan_rwlock_wrunlock(&l), -EOWNERDEAD);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), 0);
	shmchan_region_close(r);
}

/* Who writes does not wait for itself, as a reader either. */
TEST(a_writer_that_wants_to_read)
{
	struct shmchan_region *r = pf_create(test_name("self"));
	struct shmchan_rwlock l;

	attach(&l, r);
	CHECK_EQ(shmchan_rwlock_wrlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_timedrdlock(&l, TOLD_NS), -EDEADLK);
	CHECK_SAYS(shmchan_error_detail(), "for writing");
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), -EPERM);
	CHECK_EQ(shmchan_rwlock_wrunlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_rdlock(&l), 0);
	CHECK_EQ(shmchan_rwlock_rdunlock(&l), 0);
	shmchan_region_close(r);
}

TEST_MAIN
