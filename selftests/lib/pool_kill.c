// SPDX-License-Identifier: GPL-2.0-only

/* Pools: kill -9 of holders and owners; what they had comes back, or stays. */

#include "pool_fixture.h"

#define NR	16
#define SIZE	4096

/* What helpers tell, where their killer can see it. */
struct board {
	_Atomic int taken;
	_Atomic int owned;
	_Atomic uint64_t rounds;
	struct shmchan_pool_ref refs[NR];
	struct shmchan_pool_ref lost;
};

/* All buffers, once each; and given back. */
static void can_have_all(struct shmchan_pool *owner)
{
	struct shmchan_pool_buf bufs[NR], more;
	uint64_t begin = now_ns();
	uint32_t seen = 0;
	int i, err;

	for (i = 0; i < NR; i++) {
		/* Until the death is noticed. */
		do
			err = shmchan_pool_alloc(owner, SIZE, &bufs[i], 0);
		while (err == -EAGAIN && now_ns() - begin < TOLD_NS);
		CHECK_EQ(err, 0);
		CHECK(!(seen & 1U << bufs[i].index));
		seen |= 1U << bufs[i].index;
	}
	CHECK_EQ(shmchan_pool_alloc(owner, SIZE, &more, 0), -EAGAIN);
	for (i = 0; i < NR; i++)
		CHECK_EQ(shmchan_pool_drop(owner, &bufs[i]), 0);
}

TEST(loans_of_the_dead_come_back)
{
	struct board *board = shared_alloc(sizeof(*board));
	struct shmchan_pool *owner = open_owner("loans", SIZE, NR), *holder;
	struct shmchan_pool_buf bufs[8], b;
	pid_t pid;
	int i;

	for (i = 0; i < 8; i++) {
		bufs[i] = alloc_buf(owner, SIZE);
		board->refs[i] = ref_of(owner, &bufs[i]);
	}
	pid = child_fork();
	if (!pid) {
		holder = open_holder("loans");
		for (i = 0; i < 8; i++)
			CHECK_EQ(shmchan_pool_take(holder, &board->refs[i],
						   &b), 0);
		board->taken = 1;
		for (;;)
			sleep_ms(1000);
	}
	while (!board->taken)
		sleep_ms(1);
	for (i = 0; i < 8; i++)
		CHECK_EQ(shmchan_pool_drop(owner, &bufs[i]), 0);
	for (i = 0; i < NR - 8; i++)
		bufs[i] = alloc_buf(owner, SIZE);
	CHECK_EQ(shmchan_pool_alloc(owner, SIZE, &b, 0), -EAGAIN);
	for (i = 0; i < NR - 8; i++)
		CHECK_EQ(shmchan_pool_drop(owner, &bufs[i]), 0);
	child_kill(pid);
	can_have_all(owner);
	shmchan_pool_close(owner);
}

static void owner_that_dies(struct board *board)
{
	struct shmchan_pool *owner = open_owner("heir", SIZE, NR);
	struct shmchan_pool_buf b;
	int i;

	for (i = 0; i < 6; i++) {
		b = alloc_buf(owner, SIZE);
		memset(b.data, 'a' + i, SIZE);
		board->refs[i] = ref_of(owner, &b);
		/* Some it has dropped itself, some not. */
		if (i % 2)
			continue;
		while (board->taken < i + 1)
			sleep_ms(1);
		CHECK_EQ(shmchan_pool_drop(owner, &b), 0);
	}
	b = alloc_buf(owner, SIZE);
	board->lost = ref_of(owner, &b);
	board->owned = 1;
	while (board->taken < 6)
		sleep_ms(1);
	raise(SIGKILL);
}

/* What is held stays as it is, for its holders and those they pass it to. */
TEST(owner_killed_and_its_heir)
{
	struct board *board = shared_alloc(sizeof(*board));
	struct shmchan_pool *owner, *holder, *friend;
	struct shmchan_pool_buf bufs[6], more[NR], b;
	pid_t pid;
	int i, k;

	(void)test_name("");
	pid = child_fork();
	if (!pid)
		owner_that_dies(board);
	holder = open_holder("heir");
	for (i = 0; i < 6; i++) {
		while (!board->refs[i].length)
			sleep_ms(1);
		CHECK_EQ(shmchan_pool_take(holder, &board->refs[i], &bufs[i]),
			 0);
		board->taken = i + 1;
	}
	while (!board->owned)
		sleep_ms(1);
	CHECK_EQ(shmchan_pool_drop(holder, &bufs[5]), 0);
	child_wait(pid);
	/* Without an owner. */
	friend = open_holder("heir");
	CHECK_EQ(shmchan_pool_take(friend, &board->refs[0], &b), 0);
	CHECK_EQ(((char *)b.data)[SIZE - 1], 'a');
	CHECK_EQ(shmchan_pool_drop(friend, &b), 0);
	/* The next owner has all but what is held. */
	owner = open_owner("heir", SIZE, NR);
	CHECK_EQ(nr_free(owner), NR - 5);
	for (i = 0; i < NR - 5; i++) {
		more[i] = alloc_buf(owner, SIZE);
		memset(more[i].data, 'z', SIZE);
		for (k = 0; k < 5; k++)
			CHECK_NE(more[i].index, bufs[k].index);
	}
	CHECK_EQ(shmchan_pool_alloc(owner, SIZE, &b, 0), -EAGAIN);
	for (i = 0; i < 5; i++) {
		CHECK_EQ(((char *)bufs[i].data)[0], 'a' + i);
		CHECK_EQ(((char *)bufs[i].data)[SIZE - 1], 'a' + i);
	}
	/* It can be passed on; what nobody held is stale. */
	CHECK_EQ(shmchan_pool_take(friend, &board->refs[1], &b), 0);
	CHECK_EQ(shmchan_pool_drop(holder, &bufs[1]), 0);
	CHECK_EQ(((char *)b.data)[5], 'b');
	CHECK_EQ(shmchan_pool_drop(friend, &b), 0);
	CHECK_EQ(shmchan_pool_take(friend, &board->lost, &b), -ESTALE);
	CHECK_EQ(shmchan_pool_take(friend, &board->refs[5], &b), -ESTALE);
	for (i = 0; i < 5; i++)
		if (i != 1)
			CHECK_EQ(shmchan_pool_drop(holder, &bufs[i]), 0);
	for (i = 0; i < NR - 5; i++)
		CHECK_EQ(shmchan_pool_drop(owner, &more[i]), 0);
	can_have_all(owner);
	shmchan_pool_close(owner);
	shmchan_pool_close(holder);
	shmchan_pool_close(friend);
}

/* Sends what it can, each buffer full of its number. */
static void busy_owner(struct board *board)
{
	struct shmchan_pool *owner = open_owner("busy", SIZE, NR);
	struct shmchan_pool_buf b;
	struct shmchan_spsc tx;
	uint64_t value, i;

	open_as(&tx, "busylane", SHMCHAN_SENDER, 4096, 0);
	for (;;) {
		CHECK_EQ(shmchan_pool_alloc(owner, SIZE, &b, -1), 0);
		value = ++board->rounds;
		for (i = 0; i < SIZE; i += 8)
			memcpy((uint8_t *)b.data + i, &value, 8);
		CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &b, 0, 0, -1), 0);
		CHECK_EQ(shmchan_pool_drop(owner, &b), 0);
	}
}

/* Whole, and as it was sent; or it fails. */
static void check_whole(const struct shmchan_pool_buf *b)
{
	uint64_t first, value, i;

	memcpy(&first, b->data, 8);
	CHECK_GT(first, 0);
	for (i = 0; i < SIZE; i += 8) {
		memcpy(&value, (uint8_t *)b->data + i, 8);
		if (value != first)
			FAIL("%llu behind %llu, at %llu",
			     (unsigned long long)value,
			     (unsigned long long)first,
			     (unsigned long long)i);
	}
}

TEST_LIMIT(owners_killed_at_random, 120)
{
	struct board *board = shared_alloc(sizeof(*board));
	struct shmchan_pool *holder = NULL;
	struct shmchan_pool_buf kept, b;
	uint64_t rnd = 3, got = 0, stale = 0, end;
	struct shmchan_spsc rx;
	int round, err;
	pid_t pid;

	(void)test_name("");
	memset(&kept, 0, sizeof(kept));
	open_as(&rx, "busylane", SHMCHAN_RECEIVER, 4096, 0);
	for (round = 0; round < HARNESS_ROUNDS(40); round++) {
		pid = child_fork();
		if (!pid)
			busy_owner(board);
		if (!holder)
			holder = open_holder("busy");
		rnd = rnd * 6364136223846793005ULL + 1;
		/* Long enough for an owner to come and begin. */
		end = now_ns() + (5 * MS + (rnd >> 40) % (15 * MS)) *
				 (uint64_t)harness_slowness();
		while (now_ns() < end) {
			err = shmchan_pool_recv_spsc(holder, &rx, &b, NULL,
						     2 * MS);
			if (err == -ESTALE) {
				stale++;
				continue;
			}
			CHECK(!err || err == -ETIMEDOUT || err == -EOWNERDEAD);
			if (err)
				continue;
			got++;
			check_whole(&b);
			if (!kept.data) {
				kept = b;
				continue;
			}
			check_whole(&kept);
			CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
			if (!(got % 64))
				CHECK_EQ(shmchan_pool_drop(holder, &kept), 0);
		}
		child_kill(pid);
		if (kept.data)
			check_whole(&kept);
	}
	note("%llu buffers of %llu, %llu stale", (unsigned long long)got,
	     (unsigned long long)board->rounds, (unsigned long long)stale);
	CHECK_GT(got, 0);
	if (kept.data)
		CHECK_EQ(shmchan_pool_drop(holder, &kept), 0);
	{
		struct shmchan_pool *owner = open_owner("busy", SIZE, NR);

		can_have_all(owner);
		shmchan_pool_close(owner);
	}
	shmchan_pool_close(holder);
	shmchan_spsc_close(&rx);
}

/* Takes and drops what it is sent, and keeps some. */
static void busy_holder(struct board *board)
{
	struct shmchan_pool *holder = open_holder("busy2");
	struct shmchan_pool_buf kept[4], b;
	struct shmchan_spsc rx;
	uint32_t n = 0;
	int err;

	open_as(&rx, "busy2lane", SHMCHAN_RECEIVER, 4096, 0);
	for (;;) {
		err = shmchan_pool_recv_spsc(holder, &rx, &b, NULL, -1);
		/* What the dead one had not taken may come again. */
		if (err == -ESTALE)
			continue;
		CHECK_EQ(err, 0);
		check_whole(&b);
		board->rounds++;
		if (n >= 4)
			CHECK_EQ(shmchan_pool_drop(holder, &kept[n % 4]), 0);
		kept[n++ % 4] = b;
	}
}

TEST_LIMIT(holders_killed_at_random, 120)
{
	struct board *board = shared_alloc(sizeof(*board));
	struct shmchan_pool *owner = open_owner("busy2", SIZE, NR);
	struct shmchan_pool_buf b;
	const int rounds = HARNESS_ROUNDS(30);
	uint64_t rnd = 7, value = 0, end, i;
	struct shmchan_spsc tx;
	int round, err;
	pid_t pid;

	open_as(&tx, "busy2lane", SHMCHAN_SENDER, 4096, 0);
	/* Longer and longer ones, where holders had no time to come and begin. */
	for (round = 0; round < rounds || board->rounds <= 10; round++) {
		pid = child_fork();
		if (!pid)
			busy_holder(board);
		rnd = rnd * 6364136223846793005ULL + 1;
		end = now_ns() + (10 * MS + (rnd >> 40) % (20 * MS)) *
				 (uint64_t)(1 + round / rounds);
		while (now_ns() < end) {
			err = shmchan_pool_alloc(owner, SIZE, &b, 5 * MS);
			if (err == -ETIMEDOUT)
				continue;
			CHECK_EQ(err, 0);
			value++;
			for (i = 0; i < SIZE; i += 8)
				memcpy((uint8_t *)b.data + i, &value, 8);
			err = shmchan_pool_send_spsc(owner, &tx, &b, 0, 0,
						     5 * MS);
			CHECK(!err || err == -ETIMEDOUT || err == -EOWNERDEAD);
			CHECK_EQ(shmchan_pool_drop(owner, &b), 0);
		}
		child_kill(pid);
	}
	note("%llu sent, %llu received", (unsigned long long)value,
	     (unsigned long long)board->rounds);
	shmchan_pool_recall(owner, NULL);
	can_have_all(owner);
	shmchan_spsc_close(&tx);
	shmchan_pool_close(owner);
}

TEST_MAIN
