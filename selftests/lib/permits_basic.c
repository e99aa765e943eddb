// SPDX-License-Identifier: GPL-2.0-only

/* Permits: so many and no more; they come back from the dead. */

#include "party_fixture.h"

static void attach(struct shmchan_permits *p, struct shmchan_region *r,
		   uint32_t nr)
{
	struct shmchan_place place = pf_place(r, 0);

	CHECK_EQ(shmchan_permits_attach(p, &place, nr), 0);
}

TEST(so_many_and_no_more)
{
	struct shmchan_region *r = pf_create(test_name("many"));
	struct shmchan_region *r2 = pf_open(test_name("many"));
	struct shmchan_permits a, b;
	uint32_t permit[3] = { 9, 9, 9 }, again = 9;
	uint64_t begin;

	attach(&a, r, 3);
	attach(&b, r2, 3);
	CHECK_EQ(shmchan_permits_available(&a), 3);
	CHECK_EQ(shmchan_permits_acquire(&a, &permit[0]), 0);
	CHECK_EQ(shmchan_permits_tryacquire(&b, &permit[1]), 0);
	CHECK_EQ(shmchan_permits_timedacquire(&a, &permit[2], MS), 0);
	CHECK_EQ(permit[0] + permit[1] + permit[2], 3);
	CHECK(permit[0] != permit[1] && permit[1] != permit[2]);
	CHECK_EQ(shmchan_permits_available(&b), 0);
	CHECK_EQ(shmchan_permits_tryacquire(&b, &again), -EAGAIN);
	begin = now_ns();
	CHECK_EQ(shmchan_permits_timedacquire(&b, &again, 20 * MS),
		 -ETIMEDOUT);
	CHECK_GE(now_ns() - begin, 20 * MS);
	CHECK_EQ(again, 9);
	CHECK_EQ(shmchan_permits_release(&a, permit[2]), 0);
	CHECK_EQ(shmchan_permits_tryacquire(&b, &again), 0);
	CHECK_EQ(again, permit[2]);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(bad_input)
{
	struct shmchan_region *r = pf_create(test_name("bad"));
	struct shmchan_region *r2 = pf_open(test_name("bad"));
	struct shmchan_place place = pf_place(r, 0);
	struct shmchan_permits p, p2, none = { .nr = 0 };
	uint32_t permit = 0;

	CHECK_EQ(shmchan_permits_attach(&p, &place, 0), -EINVAL);
	CHECK_EQ(shmchan_permits_attach(&p, &place, 4097), -EINVAL);
	CHECK_EQ(shmchan_permits_attach(NULL, &place, 2), -EINVAL);
	/* Beyond the window. */
	CHECK_EQ(shmchan_permits_attach(&p, &place, 4096), -EACCES);
	CHECK_EQ(shmchan_permits_attach(&p, &place, 2), 0);
	CHECK_EQ(shmchan_permits_attach(&p2, &place, 3), -EPROTO);
	attach(&p2, r2, 2);
	CHECK_EQ(shmchan_permits_acquire(&p, NULL), -EINVAL);
	CHECK_EQ(shmchan_permits_release(&p, 0), -EPERM);
	CHECK_EQ(shmchan_permits_release(&p, 2), -EINVAL);
	CHECK_EQ(shmchan_permits_acquire(&p, &permit), 0);
	CHECK_EQ(shmchan_permits_release(&p2, permit), -EPERM);
	CHECK_SAYS(shmchan_error_detail(), "another has it");
	CHECK_EQ(shmchan_permits_release(&p, permit), 0);
	CHECK_EQ(shmchan_permits_release(&p, permit), -EPERM);
	CHECK_EQ(shmchan_permits_acquire(&none, &permit), -EINVAL);
	CHECK_EQ(shmchan_permits_release(&none, 0), -EINVAL);
	CHECK_EQ(shmchan_permits_available(&none), -EINVAL);
	/* What cannot be an owner is a dead one. */
	p.cells[0] = ~0ULL;
	p.cells[1] = ~0ULL;
	CHECK_EQ(shmchan_permits_acquire(&p, &permit), 1);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

TEST(no_system_call_uncontended)
{
	struct shmchan_region *r;
	struct shmchan_permits p;
	uint32_t permit;
	int i, err = 0;
	pid_t pid;

	not_sanitized();
	r = pf_create(test_name("calls"));
	pid = child_fork();
	if (!pid) {
		attach(&p, pf_open(test_name("calls")), 5);
		no_calls(0);
		for (i = 0; i < 1000; i++) {
			err |= shmchan_permits_acquire(&p, &permit);
			err |= shmchan_permits_release(&p, permit);
		}
		_exit(err != 0);
	}
	check_no_calls(pid);
	shmchan_region_close(r);
}

/* Takes one, says so, and does nothing. */
static pid_t holder(const char *name, uint32_t nr)
{
	pid_t pid = child_fork();
	struct shmchan_region *r;
	struct shmchan_permits p;
	uint32_t permit;

	if (pid)
		return pid;
	r = pf_open(name);
	attach(&p, r, nr);
	CHECK_EQ(shmchan_permits_acquire(&p, &permit), 0);
	shmchan_fetch_add(pf_word(r, 0), 1);
	for (;;)
		pause();
}

TEST(permits_of_the_dead_come_back)
{
	const char *name = test_name("dead");
	struct shmchan_region *r = pf_create(name);
	struct shmchan_permits p;
	uint32_t permit[2];
	pid_t a = holder(name, 2), b = holder(name, 2);

	attach(&p, r, 2);
	pf_await(pf_word(r, 0), 2);
	CHECK_EQ(shmchan_permits_tryacquire(&p, &permit[0]), -EAGAIN);
	child_kill(a);
	CHECK_EQ(shmchan_permits_timedacquire(&p, &permit[0], TOLD_NS), 1);
	CHECK_EQ(shmchan_permits_tryacquire(&p, &permit[1]), -EAGAIN);
	child_kill(b);
	/* Who only tries finds it, too, after a while. */
	while (shmchan_permits_tryacquire(&p, &permit[1]) != 1)
		sleep_ms(1);
	CHECK_EQ(shmchan_permits_release(&p, permit[0]), 0);
	CHECK_EQ(shmchan_permits_release(&p, permit[1]), 0);
	CHECK_EQ(shmchan_permits_available(&p), 2);
	CHECK_EQ(shmchan_permits_acquire(&p, &permit[0]), 0);
	shmchan_region_close(r);
}

static pid_t waiter(const char *name)
{
	pid_t pid = child_fork();
	struct shmchan_region *r;
	struct shmchan_permits p;
	uint32_t permit;
	int ret;

	if (pid)
		return pid;
	r = pf_open(name);
	attach(&p, r, 1);
	ret = shmchan_permits_acquire(&p, &permit);
	/* And it leaves with it: so it comes back. */
	_exit(ret < 0 ? 100 : ret);
}

TEST(sleepers_get_what_is_given_back)
{
	const char *name = test_name("asleep");
	struct shmchan_region *r = pf_create(name);
	struct shmchan_permits p;
	pid_t pid[3];
	uint32_t permit;
	int i, back = 0;

	attach(&p, r, 1);
	CHECK_EQ(shmchan_permits_acquire(&p, &permit), 0);
	for (i = 0; i < 3; i++)
		pid[i] = waiter(name);
	pf_await_sleeper(r, 0);
	CHECK_EQ(shmchan_permits_release(&p, permit), 0);
	for (i = 0; i < 3; i++) {
		int status = child_wait(pid[i]);

		CHECK(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		back += WEXITSTATUS(status);
	}
	CHECK_EQ(back, 2);
	shmchan_region_close(r);
}

static void __attribute__((noreturn)) victim(const char *name)
{
	struct shmchan_region *r = pf_open(name);
	struct shmchan_permits p;
	uint32_t permit;
	int ret;

	attach(&p, r, 2);
	for (;;) {
		uint64_t mine = (uint64_t)getpid(), was;

		ret = shmchan_permits_acquire(&p, &permit);
		CHECK_GE(ret, 0);
		was = shmchan_exchange(pf_word(r, 2 + permit), mine);
		/* Whoever had it gave it back, or died. */
		CHECK(!was || ret == 1);
		shmchan_fetch_add(pf_word(r, 0), 1);
		shmchan_store_seq_cst(pf_word(r, 2 + permit), 0);
		CHECK_EQ(shmchan_permits_release(&p, permit), 0);
	}
}

TEST_LIMIT(killed_at_any_time, 120)
{
	const char *name = test_name("any");
	struct shmchan_region *r = pf_create(name);
	unsigned int i, seed = 1, n = HARNESS_ROUNDS(40);
	struct timespec ts = { 0, 0 };
	uint64_t before;
	pid_t pid[3];

	for (i = 0; i < 3; i++) {
		pid[i] = child_fork();
		if (!pid[i])
			victim(name);
	}
	for (i = 0; i < n; i++) {
		unsigned int k = i % 3;

		before = shmchan_load_seq_cst(pf_word(r, 0));
		while (shmchan_load_seq_cst(pf_word(r, 0)) == before) {
			CHECK_EQ(waitpid(pid[k], NULL, WNOHANG), 0);
			sleep_ms(1);
		}
		ts.tv_nsec = rand_r(&seed) % 2000000;
		nanosleep(&ts, NULL);
		child_kill(pid[k]);
		pid[k] = child_fork();
		if (!pid[k])
			victim(name);
	}
	for (i = 0; i < 3; i++)
		child_kill(pid[i]);
	shmchan_region_close(r);
}

static struct shmchan_permits shared_permits;
static uint64_t plain[2];

static void *thread_stress(void *arg)
{
	uint32_t permit;
	int i;

	(void)arg;
	for (i = 0; i < HARNESS_ROUNDS(8000); i++) {
		CHECK_EQ(shmchan_permits_acquire(&shared_permits, &permit), 0);
		plain[permit]++;
		CHECK_EQ(shmchan_permits_release(&shared_permits, permit), 0);
	}
	return NULL;
}

TEST_LIMIT(threads_at_once, 60)
{
	struct shmchan_region *r = pf_create(test_name("threads"));
	pthread_t thread[4];
	int i;

	attach(&shared_permits, r, 2);
	for (i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, thread_stress, NULL),
			 0);
	for (i = 0; i < 4; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK_EQ(plain[0] + plain[1], 4 * HARNESS_ROUNDS(8000));
	shmchan_region_close(r);
}

/* They are not there for a child, which is told so. */
TEST(fork_has_its_own)
{
	struct shmchan_region *r = pf_create(test_name("fork"));
	struct shmchan_permits p;
	uint32_t permit, other;
	pid_t pid;

	attach(&p, r, 2);
	CHECK_EQ(shmchan_permits_acquire(&p, &permit), 0);
	pid = child_fork();
	if (!pid) {
		CHECK_EQ(shmchan_permits_release(&p, permit), -EOWNERDEAD);
		CHECK_SAYS(shmchan_error_detail(), "fork");
		CHECK_EQ(shmchan_permits_acquire(&p, &other), -EOWNERDEAD);
		CHECK_EQ(shmchan_permits_tryacquire(&p, &other), -EOWNERDEAD);
		child_done();
	}
	CHECK_CHILD_OK(pid);
	CHECK_EQ(shmchan_permits_release(&p, permit), 0);
	shmchan_region_close(r);
}

static void *stop_and_release(void *arg)
{
	struct shmchan_permits **p = arg;
	uint64_t *words = (uint64_t *)p[0]->o.slots;

	while (!shmchan_load_seq_cst(&p[0]->o.spinning))
		sleep_ms(1);
	/* As who looks for the dead, if it has taken us for one. */
	shmchan_store_seq_cst(&words[p[0]->o.region->slot],
			      (uint64_t)p[0]->o.region->generation << 32 |
			      SHMCHAN_SLOT_DIED);
	CHECK_EQ(shmchan_permits_release(p[1], 0), 0);
	return NULL;
}

/* Who is no member any more has no permit, also if it waited for one. */
TEST(not_to_who_is_no_member)
{
	LOCAL_ONLY("words of slots are the kernel's to write");
	struct shmchan_region *r = pf_create(test_name("gone"));
	struct shmchan_region *r2 = pf_open(test_name("gone"));
	struct shmchan_place place = pf_place(r2, 0);
	struct shmchan_permits a, b, *both[2] = { &b, &a };
	uint32_t permit;
	pthread_t thread;

	attach(&a, r, 1);
	place.spin_ns = 20000 * MS;
	CHECK_EQ(shmchan_permits_attach(&b, &place, 1), 0);
	CHECK_EQ(shmchan_permits_acquire(&a, &permit), 0);
	CHECK_EQ(pthread_create(&thread, NULL, stop_and_release, both), 0);
	CHECK_EQ(shmchan_permits_acquire(&b, &permit), -ESTALE);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	shmchan_region_close(r2);
	shmchan_region_close(r);
}

struct givers {
	struct shmchan_permits p;
	uint64_t round;		/* that begins */
	uint64_t ended;		/* by how many, of all rounds */
	uint64_t given;
};

#define GIVERS_ROUNDS	HARNESS_ROUNDS(20000)

static void give_in(struct givers *g, uint64_t round)
{
	int err;

	while (shmchan_load_seq_cst(&g->round) < round)
		shmchan_cpu_relax();
	err = shmchan_permits_release(&g->p, 0);
	CHECK(!err || err == -EPERM);
	if (!err)
		shmchan_fetch_add(&g->given, 1);
	shmchan_fetch_add(&g->ended, 1);
}

static void *giver(void *arg)
{
	uint64_t round;

	for (round = 1; round <= (uint64_t)GIVERS_ROUNDS; round++)
		give_in(arg, round);
	return NULL;
}

/* Two threads give back the same permit at once: one of them has, the other is told. */
TEST(given_back_once)
{
	struct shmchan_region *r = pf_create(test_name("twice"));
	struct givers g = { .round = 0 };
	pthread_t thread;
	uint32_t permit;
	uint64_t round;

	attach(&g.p, r, 1);
	CHECK_EQ(pthread_create(&thread, NULL, giver, &g), 0);
	for (round = 1; round <= (uint64_t)GIVERS_ROUNDS; round++) {
		CHECK_EQ(shmchan_permits_tryacquire(&g.p, &permit), 0);
		shmchan_store_seq_cst(&g.round, round);
		give_in(&g, round);
		while (shmchan_load_seq_cst(&g.ended) < 2 * round)
			shmchan_cpu_relax();
		CHECK_EQ(g.given, round);
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	shmchan_region_close(r);
}

TEST_MAIN
