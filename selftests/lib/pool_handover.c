// SPDX-License-Identifier: GPL-2.0-only

/* Pools: what one has, another takes, without a copy; in flight it stays. */

#include <pthread.h>

#include "pool_fixture.h"

/* From one holder to the next, though its owner has dropped it long ago. */
TEST(passed_on)
{
	struct shmchan_pool *owner = open_owner("pass", 64, 1), *one, *two;
	struct shmchan_pool_buf a, b, c, d;
	struct shmchan_pool_ref ref;
	struct shmchan_spsc tx, rx;

	one = open_holder("pass");
	two = open_holder("pass");
	open_as(&tx, "lane", SHMCHAN_SENDER, 4096, -1);
	open_as(&rx, "lane", SHMCHAN_RECEIVER, 4096, -1);
	a = alloc_buf(owner, 64);
	memcpy(a.data, "from the owner", 15);
	ref = ref_of(owner, &a);
	CHECK_EQ(shmchan_pool_take(one, &ref, &b), 0);
	CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	/* It looks, and finds it in use. */
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 0), -EAGAIN);

	CHECK_EQ(shmchan_pool_send_spsc(one, &tx, &b, 5, 0, 0), 0);
	CHECK_EQ(shmchan_pool_drop(one, &b), 0);
	CHECK_EQ(shmchan_pool_in_flight(one), 1);
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 0), -EAGAIN);
	{
		uint32_t meta;

		CHECK_EQ(shmchan_pool_recv_spsc(two, &rx, &c, &meta, 0), 0);
		CHECK_EQ(meta, 5);
	}
	CHECK_STR((char *)c.data, "from the owner");
	CHECK_EQ(shmchan_pool_poll(one), 1);
	CHECK_EQ(shmchan_pool_in_flight(one), 0);
	CHECK_EQ(shmchan_pool_holders(owner, 0, NULL, 0), 1);
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 0), -EAGAIN);

	/* And back to the owner. */
	ref = ref_of(two, &c);
	CHECK_EQ(shmchan_pool_take(owner, &ref, &d), 0);
	CHECK_EQ(shmchan_pool_drop(two, &c), 0);
	CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 0), -EAGAIN);
	CHECK_EQ(shmchan_pool_drop(owner, &d), 0);
	a = alloc_buf(owner, 64);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(two);
	shmchan_pool_close(one);
	shmchan_pool_close(owner);
}

/* A holder keeps what it has sent, and has cells for no more. */
TEST(in_flight_it_takes_a_cell)
{
	struct shmchan_pool *owner = open_owner("cells", 64, 9), *one, *two;
	struct shmchan_pool_buf a, b;
	struct shmchan_pool_ref ref;
	struct shmchan_spsc tx, rx;
	int i;

	one = open_holder("cells");
	two = open_holder("cells");
	open_as(&tx, "lane", SHMCHAN_SENDER, 4096, -1);
	open_as(&rx, "lane", SHMCHAN_RECEIVER, 4096, -1);
	for (i = 0; i < 9; i++) {
		a = alloc_buf(owner, 64);
		ref = ref_of(owner, &a);
		if (i == 8)
			break;
		CHECK_EQ(shmchan_pool_take(one, &ref, &b), 0);
		CHECK_EQ(shmchan_pool_send_spsc(one, &tx, &b, 0, 0, 0), 0);
		CHECK_EQ(shmchan_pool_drop(one, &b), 0);
	}
	CHECK_EQ(shmchan_pool_take(one, &ref, &b), -ENOBUFS);
	CHECK_SAYS(shmchan_error_detail(), "8");
	CHECK_EQ(shmchan_pool_recv_spsc(two, &rx, &a, NULL, 0), 0);
	CHECK_EQ(shmchan_pool_take(one, &ref, &b), 0);
	/* What cannot be taken for want of cells stays in the channel. */
	for (i = 0; i < 7; i++)
		CHECK_EQ(shmchan_pool_recv_spsc(two, &rx, &a, NULL, 0), 0);
	CHECK_EQ(shmchan_pool_send_spsc(one, &tx, &b, 0, 0, 0), 0);
	CHECK_EQ(shmchan_pool_recv_spsc(two, &rx, &b, NULL, 0), -ENOBUFS);
	CHECK_EQ(shmchan_pool_drop(two, &a), 0);
	CHECK_EQ(shmchan_pool_recv_spsc(two, &rx, &a, NULL, 0), 0);
	CHECK_EQ(a.index, ref.index);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(two);
	shmchan_pool_close(one);
	shmchan_pool_close(owner);
}

/* Who has sent it and dies does not take it from who has taken it. */
TEST(who_passed_it_on_dies)
{
	struct shmchan_pool *owner = open_owner("giver", 64, 1), *one, *two;
	struct shmchan_pool_buf a, b;
	struct shmchan_pool_ref *ref = shared_alloc(sizeof(*ref));
	_Atomic int *sent = shared_alloc(sizeof(*sent));
	struct shmchan_spsc tx, rx;
	uint64_t begin;
	int round, err;
	pid_t pid;

	two = open_holder("giver");
	open_as(&rx, "lane", SHMCHAN_RECEIVER, 4096, -1);
	for (round = 0; round < 2; round++) {
		a = alloc_buf(owner, 64);
		memset(a.data, 'x', 64);
		*ref = ref_of(owner, &a);
		*sent = 0;
		pid = child_fork();
		if (!pid) {
			one = open_holder("giver");
			open_as(&tx, "lane", SHMCHAN_SENDER, 4096, -1);
			CHECK_EQ(shmchan_pool_take(one, ref, &b), 0);
			CHECK_EQ(shmchan_pool_send_spsc(one, &tx, &b, 0, 0, 0),
				 0);
			*sent = 1;
			for (;;)
				sleep_ms(1000);
		}
		while (!*sent)
			sleep_ms(1);
		CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
		if (round)
			child_kill(pid);
		/* Before, it counts; behind, nobody has it. */
		begin = now_ns();
		do
			err = shmchan_pool_alloc(owner, 64, &a, 0);
		while (round && err == -EAGAIN && now_ns() - begin < TOLD_NS);
		CHECK_EQ(err, round ? 0 : -EAGAIN);
		do
			err = shmchan_pool_recv_spsc(two, &rx, &b, NULL, 0);
		while (err == -EOWNERDEAD && now_ns() - begin < TOLD_NS);
		CHECK_EQ(err, round ? -ESTALE : 0);
		if (round)
			break;
		child_kill(pid);
		CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 200 * MS),
			 -ETIMEDOUT);
		CHECK_EQ(((char *)b.data)[63], 'x');
		CHECK_EQ(shmchan_pool_drop(two, &b), 0);
		CHECK_EQ(shmchan_pool_alloc(owner, 64, &a, 0), 0);
		CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
		CHECK_EQ(shmchan_spsc_recv(&rx, ref, 16, NULL, NULL, TOLD_NS),
			 -EOWNERDEAD);
	}
	shmchan_spsc_close(&rx);
	shmchan_pool_close(two);
	shmchan_pool_close(owner);
}

/*
 * Buffers go round between two holders and are never anybody's but for one of
 * them, while the owner, who has dropped all, looks again and again.
 */
struct link {
	const char *in, *out;
	int rounds;
};

static void pass_round(const struct link *l)
{
	struct shmchan_pool *pool = open_holder("round");
	struct shmchan_pool_buf b;
	struct shmchan_spsc tx, rx;
	uint64_t value;
	int i, err = 0;

	open_as(&rx, l->in, SHMCHAN_RECEIVER, 4096, 0);
	open_as(&tx, l->out, SHMCHAN_SENDER, 4096, 0);
	for (i = 0; i < l->rounds; i++) {
		err = shmchan_pool_recv_spsc(pool, &rx, &b, NULL, -1);
		if (err)
			break;
		memcpy(&value, b.data, 8);
		CHECK_EQ(value, 77 + b.index);
		err = shmchan_pool_send_spsc(pool, &tx, &b, 0, 0, -1);
		CHECK_EQ(shmchan_pool_drop(pool, &b), 0);
		if (err)
			break;
	}
	/* The one is done before the other. */
	CHECK(!err || err == -EPIPE);
	/* Until what it sent last is taken: leaving drops it. */
	while (!err && shmchan_pool_flush(pool, 10 * MS) &&
	       !shmchan_spsc__peer_ok(&tx))
		;
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(pool);
	child_done();
}

TEST_LIMIT(round_and_round, 60)
{
	const int rounds = HARNESS_ROUNDS(20000);
	const struct link links[2] = {
		{ "there", "back", rounds }, { "back", "there2", rounds },
	};
	struct shmchan_pool *owner = open_owner("round", 64, 4), *first;
	struct shmchan_pool_stats stats;
	struct shmchan_pool_buf a, b;
	struct shmchan_spsc tx, rx;
	uint64_t value, i, looks = 0;
	pid_t pids[2];
	int k, err, got = 0;

	for (k = 0; k < 2; k++) {
		pids[k] = child_fork();
		if (!pids[k])
			pass_round(&links[k]);
	}
	first = open_holder("round");
	open_as(&tx, "there", SHMCHAN_SENDER, 4096, 0);
	open_as(&rx, "there2", SHMCHAN_RECEIVER, 4096, 0);
	for (i = 0; i < 3; i++) {
		a = alloc_buf(owner, 64);
		value = 77 + a.index;
		memcpy(a.data, &value, 8);
		CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &a, 0, 0, -1), 0);
		CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
	}
	while (got < rounds) {
		err = shmchan_pool_recv_spsc(first, &rx, &b, NULL, 0);
		if (!err) {
			got++;
			memcpy(&value, b.data, 8);
			CHECK_EQ(value, 77 + b.index);
			if (got < rounds)
				err = shmchan_pool_send_spsc(first, &tx, &b, 0,
							     0, -1);
			CHECK(!err || err == -EPIPE);
			CHECK_EQ(shmchan_pool_drop(first, &b), 0);
			continue;
		}
		CHECK_EQ(err, -EAGAIN);
		/* The fourth is free; no other may become so. */
		if (!shmchan_pool_alloc(owner, 64, &a, 0)) {
			struct shmchan_pool_buf more;

			value = ~0ULL;
			memcpy(a.data, &value, 8);
			if (got + 8 < rounds)
				CHECK_EQ(shmchan_pool_alloc(owner, 64, &more,
							    0), -EAGAIN);
			looks++;
			CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
		}
	}
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	for (k = 0; k < 2; k++)
		CHECK_CHILD_OK(pids[k]);
	shmchan_pool_get_stats(owner, &stats);
	note("%d rounds, the owner looked %llu times", got,
	     (unsigned long long)stats.scans);
	CHECK_GT(looks, 0);
	shmchan_pool_close(first);
	shmchan_pool_close(owner);
}

TEST_MAIN
