// SPDX-License-Identifier: GPL-2.0-only

/* Writable pools: trusted members give each other buffers to write in. */

#include <pthread.h>

#include "pool_fixture.h"

#define NR	4

static struct shmchan_pool *open_member(const char *tag,
					enum shmchan_pool_role role)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = role, .create = 1, .writable = 1, .nr_holders = 4,
		.classes = {{ 64, NR }});

	return open_pool(tag, &opts);
}

/* All are to be had, once each, and no more. */
static void can_have_all(struct shmchan_pool *pool, int64_t timeout_ns)
{
	struct shmchan_pool_buf bufs[NR], more;
	uint32_t seen = 0;
	int i;

	for (i = 0; i < NR; i++) {
		CHECK_EQ(shmchan_pool_alloc(pool, 64, &bufs[i], timeout_ns), 0);
		CHECK(!(seen & 1U << bufs[i].index));
		seen |= 1U << bufs[i].index;
	}
	CHECK_EQ(shmchan_pool_alloc(pool, 64, &more, 0), -EAGAIN);
	for (i = 0; i < NR; i++)
		CHECK_EQ(shmchan_pool_drop(pool, &bufs[i]), 0);
}

TEST(given_away)
{
	struct shmchan_pool *one = open_member("give", SHMCHAN_POOL_HOLDER);
	struct shmchan_pool *two = open_member("give", SHMCHAN_POOL_HOLDER);
	struct shmchan_pool *three = open_member("give", SHMCHAN_POOL_OWNER);
	struct shmchan_pool_buf a, b, c;
	struct shmchan_pool_ref ref;
	struct shmchan_spsc tx, rx;

	open_as(&tx, "lane", SHMCHAN_SENDER, 4096, -1);
	open_as(&rx, "lane", SHMCHAN_RECEIVER, 4096, -1);
	a = alloc_buf(one, 64);
	memcpy(a.data, "one", 4);
	ref = ref_of(one, &a);
	/* Nobody takes what is not given. */
	CHECK_EQ(shmchan_pool_take(two, &ref, &b), -ESTALE);
	CHECK_EQ(shmchan_pool_send_spsc(one, &tx, &a, 0, 0, 0), 0);
	CHECK_EQ(shmchan_pool_send_spsc(one, &tx, &a, 0, 0, 0), -EINVAL);
	CHECK_SAYS(shmchan_error_detail(), "sent");
	CHECK_EQ(shmchan_pool_recv_spsc(two, &rx, &b, NULL, 0), 0);
	CHECK_STR((char *)b.data, "one");
	memcpy(b.data, "two", 4);
	/* By one of them. */
	CHECK_EQ(shmchan_pool_take(three, &ref, &c), -ESTALE);
	/* What it was sent as is no buffer of ours any more. */
	CHECK_EQ(shmchan_pool_drop(one, &a), 0);
	CHECK_EQ(shmchan_pool_drop(one, &a), -EINVAL);
	CHECK_STR((char *)b.data, "two");
	CHECK_EQ(shmchan_pool_holders(one, SHMCHAN_POOL_ALL, NULL, 0), -ENOTSUP);
	CHECK_EQ(shmchan_pool_sent(two, &tx.w, &b), -ENOTSUP);
	CHECK_EQ(shmchan_pool_drop(two, &b), 0);
	can_have_all(three, 0);
	CHECK_EQ(shmchan_pool_take(two, &ref, &b), -ESTALE);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(one);
	shmchan_pool_close(two);
	shmchan_pool_close(three);
}

/* What is not taken comes back to who has sent it: refused, or called back. */
TEST(not_taken)
{
	struct shmchan_pool *one = open_member("refuse", SHMCHAN_POOL_OWNER);
	struct shmchan_pool *two = open_member("refuse", SHMCHAN_POOL_HOLDER);
	struct shmchan_pool_buf a, b;
	struct shmchan_spsc tx, rx;
	char raw[16];

	open_as(&tx, "lane", SHMCHAN_SENDER, 4096, -1);
	open_as(&rx, "lane", SHMCHAN_RECEIVER, 4096, -1);
	a = alloc_buf(one, 64);
	CHECK_EQ(shmchan_pool_send_spsc(one, &tx, &a, 0, 0, 0), 0);
	CHECK_EQ(shmchan_pool_drop(one, &a), 0);
	CHECK_EQ(shmchan_pool_in_flight(one), 1);
	CHECK_EQ(shmchan_spsc_recv(&rx, raw, 16, NULL, NULL, 0), 0);
	shmchan_lane_publish(&rx.r);
	CHECK_EQ(shmchan_pool_in_flight(one), 0);
	can_have_all(two, 0);
	a = alloc_buf(one, 64);
	CHECK_EQ(shmchan_pool_send_spsc(one, &tx, &a, 0, 0, 0), 0);
	CHECK_EQ(shmchan_pool_drop(one, &a), 0);
	CHECK_EQ(shmchan_pool_recall(one, &tx.w), 1);
	CHECK_EQ(shmchan_pool_recv_spsc(two, &rx, &b, NULL, 0), -ESTALE);
	can_have_all(two, 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(one);
	shmchan_pool_close(two);
}

/* A member that has some, has sent some, and is killed. */
TEST(what_the_dead_had_comes_back)
{
	struct shmchan_pool *one, *two;
	struct shmchan_pool_buf a, b;
	_Atomic int *ready = shared_alloc(sizeof(*ready));
	struct shmchan_spsc tx, rx;
	int i;
	pid_t pid;

	one = open_member("dead", SHMCHAN_POOL_OWNER);
	open_as(&rx, "lane", SHMCHAN_RECEIVER, 4096, -1);
	pid = child_fork();
	if (!pid) {
		two = open_member("dead", SHMCHAN_POOL_HOLDER);
		open_as(&tx, "lane", SHMCHAN_SENDER, 4096, -1);
		for (i = 0; i < NR; i++) {
			a = alloc_buf(two, 64);
			memset(a.data, 'a' + i, 64);
			if (i < 2)
				CHECK_EQ(shmchan_pool_send_spsc(two, &tx, &a, 0,
								0, 0), 0);
		}
		*ready = 1;
		for (;;)
			sleep_ms(1000);
	}
	while (!*ready)
		sleep_ms(1);
	CHECK_EQ(shmchan_pool_alloc(one, 64, &b, 0), -EAGAIN);
	CHECK_EQ(shmchan_pool_recv_spsc(one, &rx, &a, NULL, 0), 0);
	child_kill(pid);
	CHECK_EQ(((char *)a.data)[63], 'a');
	/* The rest: also what was sent, and nobody had taken. */
	for (i = 0; i < NR - 1; i++) {
		CHECK_EQ(shmchan_pool_alloc(one, 64, &b, TOLD_NS), 0);
		CHECK_NE(b.index, a.index);
	}
	CHECK_EQ(shmchan_pool_recv_spsc(one, &rx, &b, NULL, 0), -ESTALE);
	CHECK_EQ(((char *)a.data)[0], 'a');
	shmchan_spsc_close(&rx);
	shmchan_pool_close(one);
}

/* Each adds one to what it is given, and gives it on. */
static void adder(const char *in, const char *out, int rounds)
{
	struct shmchan_pool *pool = open_member("add", SHMCHAN_POOL_HOLDER);
	struct shmchan_pool_buf b;
	struct shmchan_spsc tx, rx;
	uint64_t value;

	open_as(&rx, in, SHMCHAN_RECEIVER, 4096, 0);
	open_as(&tx, out, SHMCHAN_SENDER, 4096, 0);
	while (rounds--) {
		CHECK_EQ(shmchan_pool_recv_spsc(pool, &rx, &b, NULL, -1), 0);
		memcpy(&value, b.data, 8);
		value++;
		memcpy(b.data, &value, 8);
		CHECK_EQ(shmchan_pool_send_spsc(pool, &tx, &b, 0, 0, -1), 0);
		CHECK_EQ(shmchan_pool_drop(pool, &b), 0);
	}
	CHECK_EQ(shmchan_pool_flush(pool, -1), 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(pool);
	child_done();
}

TEST_LIMIT(each_writes_in_turn, 60)
{
	const int rounds = HARNESS_ROUNDS(10000);
	struct shmchan_pool *pool = open_member("add", SHMCHAN_POOL_OWNER);
	struct shmchan_pool_buf b;
	struct shmchan_spsc tx, rx;
	uint64_t value = 0;
	pid_t pids[2];
	int i;

	pids[0] = child_fork();
	if (!pids[0])
		adder("l0", "l1", rounds);
	pids[1] = child_fork();
	if (!pids[1])
		adder("l1", "l2", rounds);
	open_as(&tx, "l0", SHMCHAN_SENDER, 4096, 0);
	open_as(&rx, "l2", SHMCHAN_RECEIVER, 4096, 0);
	b = alloc_buf(pool, 64);
	memcpy(b.data, &value, 8);
	for (i = 0; i < rounds; i++) {
		CHECK_EQ(shmchan_pool_send_spsc(pool, &tx, &b, 0, 0, -1), 0);
		CHECK_EQ(shmchan_pool_drop(pool, &b), 0);
		CHECK_EQ(shmchan_pool_recv_spsc(pool, &rx, &b, NULL, -1), 0);
	}
	memcpy(&value, b.data, 8);
	CHECK_EQ(value, 2 * rounds);
	CHECK_EQ(shmchan_pool_drop(pool, &b), 0);
	for (i = 0; i < 2; i++)
		CHECK_CHILD_OK(pids[i]);
	can_have_all(pool, 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(pool);
}

/* Several allocate at once, and die; nobody has what another has. */
static void grabber(_Atomic uint64_t *rounds, _Atomic uint32_t *whose)
{
	struct shmchan_pool *pool = open_member("grab", SHMCHAN_POOL_HOLDER);
	uint64_t mine = (uint64_t)getpid(), value;
	struct shmchan_pool_buf b;
	int i;

	for (;;) {
		CHECK_EQ(shmchan_pool_alloc(pool, 64, &b, -1), 0);
		whose[b.index] = (uint32_t)mine;
		for (i = 0; i < 64; i += 8)
			memcpy((uint8_t *)b.data + i, &mine, 8);
		sched_yield();
		CHECK_EQ(whose[b.index], mine);
		for (i = 0; i < 64; i += 8) {
			memcpy(&value, (uint8_t *)b.data + i, 8);
			CHECK_EQ(value, mine);
		}
		CHECK_EQ(shmchan_pool_drop(pool, &b), 0);
		++*rounds;
	}
}

TEST_LIMIT(grabbers_killed_at_random, 120)
{
	struct {
		_Atomic uint64_t rounds;
		_Atomic uint32_t whose[NR];
	} *board = shared_alloc(sizeof(*board));
	struct shmchan_pool *pool = open_member("grab", SHMCHAN_POOL_OWNER);
	struct shmchan_pool_buf keep[NR - 2];
	const int rounds = HARNESS_ROUNDS(60);
	uint64_t rnd = 5;
	pid_t pids[3];
	int i, round;

	/* Two for three of them: they wait for each other. */
	for (i = 0; i < NR - 2; i++)
		keep[i] = alloc_buf(pool, 64);
	for (i = 0; i < 3; i++) {
		pids[i] = child_fork();
		if (!pids[i])
			grabber(&board->rounds, board->whose);
	}
	/* Longer and longer ones, where they had no time to come and begin. */
	for (round = 0; round < rounds || board->rounds <= 10; round++) {
		rnd = rnd * 6364136223846793005ULL + 1;
		sleep_ms((2 + (unsigned int)(rnd >> 60)) *
			 (unsigned int)(1 + round / rounds));
		i = round % 3;
		child_kill(pids[i]);
		pids[i] = child_fork();
		if (!pids[i])
			grabber(&board->rounds, board->whose);
	}
	for (i = 0; i < 3; i++)
		child_kill(pids[i]);
	note("%llu rounds", (unsigned long long)board->rounds);
	for (i = 0; i < NR - 2; i++)
		CHECK_EQ(shmchan_pool_drop(pool, &keep[i]), 0);
	can_have_all(pool, TOLD_NS);
	shmchan_pool_close(pool);
}

TEST_MAIN
