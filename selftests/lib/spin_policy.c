// SPDX-License-Identifier: GPL-2.0-only

/*
 * How long waits spin before they sleep: the policy alone, by a clock that the
 * tests move; nothing here takes time.
 */

#include <stdbool.h>

#include "../../lib/spin.h"

#include "harness.h"

#define US	1000ULL

/* A machine on which a sleep takes so long beyond what was waited for. */
static uint64_t park_cost = 30 * US;
static uint64_t clock_ns;
static uint64_t spinning_ns;

/* What waits for something that comes in ns; returns how late it noticed. */
static uint64_t wait_for(struct shmchan_spin *s, uint64_t ns)
{
	uint64_t begin = clock_ns, due = begin + ns;
	uint64_t budget = shmchan__spin_begin(s);

	if (budget) {
		if (ns <= budget) {
			clock_ns = due;
			spinning_ns += ns;
			shmchan__spin_hit(s, ns);
			return 0;
		}
		clock_ns += budget;
		spinning_ns += budget;
		shmchan__spin_missed(s, budget);
	}
	begin = clock_ns;
	clock_ns = (due > clock_ns ? due : clock_ns) + park_cost;
	shmchan__spin_parked(s, clock_ns - begin);
	return clock_ns - due;
}

/* A peer on our own CPU: it can do nothing while we spin, and little later all. */
static void wait_for_neighbour(struct shmchan_spin *s, uint64_t ns)
{
	uint64_t budget = shmchan__spin_begin(s);

	if (budget) {
		clock_ns += budget;
		spinning_ns += budget;
		shmchan__spin_missed(s, budget);
	}
	clock_ns += ns + park_cost;
	shmchan__spin_parked(s, ns + park_cost);
}

static struct shmchan_spin start(int64_t fixed_ns)
{
	struct shmchan_spin s;

	clock_ns = spinning_ns = 0;
	shmchan__spin_init(&s, fixed_ns, 0);
	return s;
}

static void repeat(struct shmchan_spin *s, unsigned int n, uint64_t ns)
{
	while (n--)
		wait_for(s, ns);
}

TEST(never)
{
	struct shmchan_spin s = start(-1);

	repeat(&s, 1000, 1 * US);
	CHECK_EQ(spinning_ns, 0);
	CHECK_EQ(s.parked, 1000);
}

TEST(fixed)
{
	struct shmchan_spin s = start(7000);

	repeat(&s, 1000, 100 * US);
	CHECK_EQ(spinning_ns, 1000 * 7000);
	CHECK_EQ(s.missed, 1000);
	/* However long: it is what was asked for. */
	s = start(100000000000LL);
	CHECK_EQ(shmchan__spin_begin(&s), 100000000000ULL);
}

TEST(one_cpu)
{
	struct shmchan_spin s;

	shmchan__spin_init(&s, 0, 1);
	CHECK_EQ(shmchan__spin_begin(&s), 0);
	CHECK_EQ(shmchan__spins(&s), 0);
	/* Unless told to. */
	shmchan__spin_init(&s, 5000, 1);
	CHECK_EQ(shmchan__spin_begin(&s), 5000);
}

TEST(short_waits_never_sleep)
{
	struct shmchan_spin s = start(0);

	repeat(&s, 10000, 2 * US);
	CHECK_EQ(s.parked + s.missed, 0);
	CHECK_EQ(s.spun, 10000);
}

TEST(long_waits_sleep_at_once)
{
	struct shmchan_spin s = start(0);

	repeat(&s, 10000, 1000 * US);
	/* What it takes to learn that, and nothing is tried afterwards. */
	CHECK_LE(s.missed, 32);
	CHECK_EQ(s.spun, 0);
	CHECK_LE(spinning_ns, 500 * US);
}

TEST(no_wait_spins_longer_than_the_most)
{
	struct shmchan_spin s = start(0);
	unsigned int i, seed = 1;

	park_cost = 500 * US;
	for (i = 0; i < 100000; i++) {
		uint64_t before = spinning_ns;

		wait_for(&s, (uint64_t)rand_r(&seed) % (i % 2000 * 100 + 1));
		CHECK_LE(spinning_ns - before, SHMCHAN_SPIN_MAX_NS);
	}
	CHECK_LE(s.park_ns, SHMCHAN_SPIN_MAX_NS);
}

TEST(a_load_that_comes_is_noticed)
{
	struct shmchan_spin s = start(0);
	unsigned int waits = 0;

	repeat(&s, 10000, 1000 * US);
	CHECK_EQ(shmchan__spins(&s), 0);
	/* Short ones now: in a few hundred waits it spins for all of them. */
	while (s.spun < 100) {
		wait_for(&s, 3 * US);
		CHECK_LE(++waits, 1000);
	}
	note("spinning again after %u waits", waits);
	repeat(&s, 1000, 3 * US);
	CHECK_GE(s.spun, 1100);
}

TEST(a_load_that_goes_is_noticed)
{
	struct shmchan_spin s = start(0);

	repeat(&s, 10000, 3 * US);
	repeat(&s, 1000, 300 * US);
	CHECK_LE(s.missed, 20);
}

/* One pause in ten is no reason to sleep for the other nine. */
TEST(a_pause_now_and_then)
{
	struct shmchan_spin s = start(0);
	unsigned int i;

	/* Until it knows what a sleep costs. */
	for (i = 0; i < 20000; i++)
		wait_for(&s, i % 10 ? 2 * US : 1000 * US);
	CHECK_GE(s.spun, 15000);
}

/* Nearly all the time the peer cannot run while we spin: then do not. */
TEST(a_peer_on_our_cpu)
{
	struct shmchan_spin s = start(0);
	unsigned int i;

	park_cost = 5 * US;
	for (i = 0; i < 100000; i++)
		wait_for_neighbour(&s, 1 * US);
	CHECK_EQ(s.spun, 0);
	/* One in 256 is tried. */
	CHECK_LE(s.missed, 100000 / 256 + 50);
	CHECK_LE(spinning_ns, clock_ns / 50);
}

/* What a sleep costs is not what was slept for, and not when none was slept. */
TEST(what_a_sleep_costs)
{
	struct shmchan_spin s = start(0);
	unsigned int i, seed = 2;

	for (i = 0; i < 100000; i++) {
		unsigned int r = (unsigned int)rand_r(&seed) % 100;

		shmchan__spin_parked(&s, r < 4 ? 1 * US :
				     30 * US + (r < 60 ? r * 100 : r * 10000));
	}
	note("a sleep of 30 us and more is taken to cost %u ns", s.park_ns);
	CHECK_GE(s.park_ns, 25 * US);
	CHECK_LE(s.park_ns, 40 * US);
}

/*
 * Whatever the load, latency and spinning together are not twice as much as with
 * the better of always and never.
 */
TEST(never_twice_the_better)
{
	static const uint64_t waits[] = {
		1 * US, 5 * US, 10 * US, 20 * US, 40 * US, 80 * US, 1000 * US,
	};
	unsigned int i, n = 20000;

	park_cost = 30 * US;
	for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
		struct shmchan_spin s = start(0);
		uint64_t late = 0, k, best;

		for (k = 0; k < n; k++)
			late += wait_for(&s, waits[i]);
		best = waits[i] < park_cost ? waits[i] : park_cost;
		note("waits of %u us: %u ns late, %u ns spun, each",
		     (unsigned int)(waits[i] / US), (unsigned int)(late / n),
		     (unsigned int)(spinning_ns / n));
		CHECK_LE(late + spinning_ns, n * best * 2);
	}
}

TEST_MAIN
