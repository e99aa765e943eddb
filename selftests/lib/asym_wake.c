// SPDX-License-Identifier: GPL-2.0-only

/*
 * Producers without a fence (SHMCHAN_JOIN_ASYM): their slot words say so, no
 * wake-up is lost, and where membarrier(2) is refused all goes on without.
 *
 * A lost wake-up shows as in bell_stress.c: as a turn that takes a slice of the
 * local backend's, or with the module as one that never ends.  (ThreadSanitizer
 * does not know membarrier; nor does it see anything between processes.)
 */

#include <linux/membarrier.h>
#include <sched.h>

#include <shmchan/spsc.h>

#include "forbid.h"
#include "turns.h"

#define ROUNDS		20000
#define MEMBERS		4000

static int have_membarrier(void)
{
	long cmds = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	return cmds > 0 && cmds & MEMBARRIER_CMD_GLOBAL_EXPEDITED;
}

#define NEEDS_MEMBARRIER()						\
	do {								\
		if (!have_membarrier())					\
			SKIP("membarrier(2) is not there, or refused");	\
	} while (0)

static struct shmchan_region *create_asym(const char *name)
{
	struct shmchan_region_opts opts = fix_opts();
	struct shmchan_region *r;

	opts.join_flags = SHMCHAN_JOIN_ASYM;
	CHECK_EQ(shmchan_region_create(&r, name, &opts), 0);
	return r;
}

static struct shmchan_region *open_asym(const char *name, uint32_t slot)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(
		.slot = slot, .join_flags = SHMCHAN_JOIN_ASYM);
	struct shmchan_region *r;

	CHECK_EQ(shmchan_region_open(&r, name, &opts), 0);
	return r;
}

static int shows_asym(const struct shmchan_region *r, uint32_t slot)
{
	return !!(shmchan_slot_word(r, slot) & SHMCHAN_SLOT_WORD_ASYM);
}

TEST(the_slot_word_says_so)
{
	const char *name = test_name("bit");
	struct shmchan_region *r, *plain, *other;

	NEEDS_MEMBARRIER();
	r = create_asym(name);
	plain = fix_open(name, 1);
	other = open_asym(name, 2);
	CHECK_EQ(r->asym, 1);
	CHECK_EQ(plain->asym, 0);
	CHECK_EQ(other->asym, 1);
	CHECK_EQ(shows_asym(plain, 0), 1);
	CHECK_EQ(shows_asym(r, 1), 0);
	CHECK_EQ(shows_asym(r, 2), 1);
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(r, 2)),
		 SHMCHAN_SLOT_LIVE);
	shmchan_region_close(other);
	/* It goes with its holder. */
	CHECK_EQ(shows_asym(r, 2), 0);
	shmchan_region_close(plain);
	shmchan_region_close(r);
}

TEST(not_in_regions_of_many_slots)
{
	struct shmchan_region_opts opts = fix_opts();
	struct shmchan_region *r;

	opts.nr_slots = 65;
	opts.join_flags = SHMCHAN_JOIN_ASYM;
	CHECK_EQ(shmchan_region_create(&r, test_name("many"), &opts), 0);
	CHECK_EQ(r->asym, 0);
	shmchan_region_close(r);
}

static void publish(const struct shmchan_region *r, uint32_t doorbell,
		    unsigned int word, uint64_t value)
{
	CHECK_GE(shmchan_bell_publish(r, doorbell, fix_word(r, word), value), 0);
}

static void pong(const char *name, unsigned int rounds)
{
	struct shmchan_region *r = open_asym(name, 1);
	unsigned int seed = 2;
	uint64_t i;

	for (i = 0; i < rounds; i++) {
		wait_for(r, FIX_BELL(1), 0, i);
		dither(&seed);
		publish(r, FIX_BELL(0), 8, i + 1);
	}
	CHECK_LE(late, MAY_BE_LATE);
	child_done();
}

TEST_LIMIT(ping_pong, 240)
{
	unsigned int rounds = HARNESS_ROUNDS(ROUNDS), seed = 1;
	const char *name = test_name("pp");
	struct shmchan_region *r;
	pid_t pid;
	uint64_t i;

	NEEDS_MEMBARRIER();
	r = create_asym(name);
	pid = child_fork();
	if (!pid)
		pong(name, rounds);
	while (!shows_asym(r, 1))
		sleep_ms(1);
	for (i = 0; i < rounds; i++) {
		dither(&seed);
		publish(r, FIX_BELL(1), 0, i + 1);
		wait_for(r, FIX_BELL(0), 8, i);
	}
	CHECK_LE(late, MAY_BE_LATE);
	CHECK_CHILD_OK(pid);
	note("%u of %u turns late", late, rounds);
	shmchan_region_close(r);
}

/*
 * A producer that is awake, and publishes just when the other one falls asleep,
 * behind so many stores into lines that the other has written last that its own
 * take long to be seen.  (Without the barrier some in 10,000 turns are late, where
 * stores are buffered: not in an emulated guest.)
 */
#define SLOW_LINES	40

static void dirty(const struct shmchan_region *r, unsigned int word, uint64_t i)
{
	uint64_t *page = shmchan_region_at(r, 3 * 4096);
	unsigned int k;

	for (k = 0; k < SLOW_LINES; k++)
		shmchan_store_relaxed(page + 8 * k + word, i);
}

/* Up to a microsecond or so. */
static void a_moment(unsigned int *seed)
{
	unsigned int k, n = (unsigned int)rand_r(seed) % 1000;

	for (k = 0; k < n; k++)
		shmchan_crash_fence();
}

static void awake(const char *name, unsigned int rounds)
{
	struct shmchan_region *r = open_asym(name, 1);
	unsigned int seed = 6, k;
	uint64_t i;

	for (i = 0; i < rounds; i++) {
		/* Awake, unless there is but one CPU for both. */
		for (k = 1; shmchan_load_acquire(fix_word(r, 8)) != i; k++) {
			shmchan_cpu_relax();
			if (!(k % 10000))
				sched_yield();
		}
		a_moment(&seed);
		shmchan_store_relaxed(fix_word(r, 16), now_ns());
		dirty(r, 0, i);
		publish(r, FIX_BELL(0), 0, i + 1);
	}
	child_done();
}

TEST_LIMIT(stores_that_take_long, 240)
{
	/* No emulator buffers stores: little is to be seen in one. */
	unsigned int rounds = HARNESS_ROUNDS(8 * ROUNDS / harness_slowness());
	unsigned int seed = 7;
	struct shmchan_wait_elem e;
	const char *name = test_name("slow");
	struct shmchan_region *r;
	pid_t pid;
	uint64_t i;

	NEEDS_MEMBARRIER();
	r = fix_create(name);
	pid = child_fork();
	if (!pid)
		awake(name, rounds);
	while (!shows_asym(r, 1))
		sleep_ms(1);
	for (i = 0; i < rounds; i++) {
		dirty(r, 1, i);
		shmchan_store_seq_cst(fix_word(r, 8), i);
		a_moment(&seed);
		e = fix_elem(FIX_BELL(0), 0, i);
		CHECK_EQ(shmchan_bell_wait(r, &e, 1, SHMCHAN_FOREVER, NULL), 0);
		/* By the clock of who published: it may have been preempted. */
		late += slept_in(shmchan_load_relaxed(fix_word(r, 16)));
	}
	CHECK_CHILD_OK(pid);
	CHECK_LE(late, MAY_BE_LATE);
	note("%u of %u turns late", late, rounds);
	shmchan_region_close(r);
}

/*
 * A shared doorbell, with rings for others between: each ring takes from the
 * count those who only were about to sleep.
 */
static void own_word(const char *name, uint32_t slot, unsigned int rounds)
{
	struct shmchan_region *r = open_asym(name, slot);
	uint64_t i;

	for (i = 0; i < rounds; i++) {
		wait_for(r, FIX_BELL_SHARED, 8 * slot, i);
		publish(r, FIX_BELL(0), 8 * slot + 1, i + 1);
	}
	CHECK_LE(late, MAY_BE_LATE);
	child_done();
}

TEST_LIMIT(rings_for_others_between, 240)
{
	unsigned int rounds = HARNESS_ROUNDS(ROUNDS / 4), slot, seed = 3;
	const char *name = test_name("shared");
	struct shmchan_region *r;
	pid_t pids[FIX_SLOTS];
	uint64_t i;

	NEEDS_MEMBARRIER();
	r = create_asym(name);
	for (slot = 1; slot < FIX_SLOTS; slot++) {
		pids[slot] = child_fork();
		if (!pids[slot])
			own_word(name, slot, rounds);
		while (!shows_asym(r, slot))
			sleep_ms(1);
	}
	for (i = 0; i < rounds; i++) {
		for (slot = 1; slot < FIX_SLOTS; slot++) {
			publish(r, FIX_BELL_SHARED, 8 * slot, i + 1);
			dither(&seed);
		}
		for (slot = 1; slot < FIX_SLOTS; slot++)
			wait_for(r, FIX_BELL(0), 8 * slot + 1, i);
	}
	for (slot = 1; slot < FIX_SLOTS; slot++)
		CHECK_CHILD_OK(pids[slot]);
	CHECK_LE(late, MAY_BE_LATE);
	note("%u of %u turns late", late, 3 * rounds);
	shmchan_region_close(r);
}

/*
 * Members that join as ASYM, publish once at once, and leave, while somebody is
 * about to go to sleep who may have looked before they came.
 */
static void come_and_go(const char *name, unsigned int members)
{
	unsigned int i, seed = 5;

	for (i = 0; i < members; i++) {
		struct shmchan_region *r = open_asym(name, 1);

		shmchan_store_relaxed(fix_word(r, 16), now_ns());
		publish(r, FIX_BELL(0), 0, i + 1);
		while (shmchan_load_seq_cst(fix_word(r, 8)) != i + 1)
			sched_yield();
		shmchan_region_close(r);
		dither(&seed);
	}
	child_done();
}

TEST_LIMIT(who_joins_while_others_fall_asleep, 120)
{
	unsigned int members = HARNESS_ROUNDS(MEMBERS), i;
	struct shmchan_wait_elem e;
	const char *name = test_name("join");
	struct shmchan_region *r;
	pid_t pid;

	NEEDS_MEMBARRIER();
	r = fix_create(name);
	pid = child_fork();
	if (!pid)
		come_and_go(name, members);
	for (i = 0; i < members; i++) {
		e = fix_elem(FIX_BELL(0), 0, i);
		CHECK_EQ(shmchan_bell_wait(r, &e, 1, SHMCHAN_FOREVER, NULL), 0);
		/* By the clock of who published: joining may take its time. */
		late += slept_in(shmchan_load_relaxed(fix_word(r, 16)));
		shmchan_store_seq_cst(fix_word(r, 8), (uint64_t)i + 1);
	}
	CHECK_CHILD_OK(pid);
	CHECK_LE(late, MAY_BE_LATE);
	note("%u of %u members late", late, members);
	shmchan_region_close(r);
}

/* As many elements as there may be: there is no place for one of the library's. */
static void tell_many(const char *name)
{
	struct shmchan_region *r = open_asym(name, 1);
	uint64_t i;

	for (i = 1; i <= 20; i++) {
		sleep_ms(2);
		publish(r, FIX_BELL(0), 0, i);
		fix_await(r, 8, i - 1);
	}
	child_done();
}

TEST(with_all_elements_taken)
{
	struct shmchan_wait_elem e[SHMCHAN_MAX_ELEMS];
	const char *name = test_name("full");
	struct shmchan_region *r;
	unsigned int k;
	uint32_t index;
	uint64_t i;
	pid_t pid;

	NEEDS_MEMBARRIER();
	r = fix_create(name);
	pid = child_fork();
	if (!pid)
		tell_many(name);
	for (i = 0; i < 20; i++) {
		for (k = 0; k < SHMCHAN_MAX_ELEMS; k++)
			e[k] = fix_elem(FIX_BELL(0), 100, 0);
		e[77] = fix_elem(FIX_BELL(0), 0, i);
		CHECK_EQ(shmchan_bell_wait(r, e, SHMCHAN_MAX_ELEMS,
					   SHMCHAN_FOREVER, &index), 0);
		CHECK_EQ(index, 77);
		shmchan_store_seq_cst(fix_word(r, 8), i + 1);
	}
	CHECK_CHILD_OK(pid);
	shmchan_region_close(r);
}

/* What is added to the elements is not the caller's business. */
TEST(the_deadline_and_the_index_are_the_callers)
{
	const char *name = test_name("index");
	struct shmchan_wait_elem e[2];
	struct shmchan_region *r, *other;
	uint32_t index = 9;
	uint64_t start;

	NEEDS_MEMBARRIER();
	r = fix_create(name);
	other = open_asym(name, 1);
	e[0] = fix_elem(FIX_BELL(0), 0, 0);
	e[1] = fix_elem(FIX_BELL(0), 1, 0);
	start = now_ns();
	CHECK_EQ(shmchan_bell_wait(r, e, 2, shmchan_deadline(30000000), &index),
		 -ETIMEDOUT);
	CHECK_GE(now_ns() - start, 30000000);
	publish(other, FIX_BELL(0), 1, 7);
	CHECK_EQ(shmchan_bell_wait(r, e, 2, SHMCHAN_FOREVER, &index), 0);
	CHECK_EQ(index, 1);
	shmchan_region_close(other);
	shmchan_region_close(r);
}

static void open_channel(struct shmchan_spsc *ch, const char *name,
			 enum shmchan_spsc_role role, uint32_t join_flags)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1, .capacity = 4096, .spin_ns = -1,
		.join_flags = join_flags);

	CHECK_EQ(shmchan_spsc_open(ch, name, &opts), 0);
}

static void echo(const char *there, const char *back, unsigned int rounds)
{
	struct shmchan_spsc rx, tx;
	unsigned int seed = 7;
	uint64_t i, value;

	open_channel(&rx, there, SHMCHAN_RECEIVER, SHMCHAN_JOIN_ASYM);
	open_channel(&tx, back, SHMCHAN_SENDER, SHMCHAN_JOIN_ASYM);
	for (i = 0; i < rounds; i++) {
		CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), 0);
		CHECK_EQ(value, i);
		dither(&seed);
		CHECK_EQ(shmchan_spsc_send(&tx, &value, 8, 0, 0, -1), 0);
	}
	/* It closes first. */
	CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), -EPIPE);
	child_done();
}

static void talk(uint32_t join_flags, unsigned int rounds)
{
	char there[SHMCHAN_NAME_LEN], back[SHMCHAN_NAME_LEN];
	struct shmchan_spsc tx, rx;
	unsigned int seed = 8;
	uint64_t i, value;
	pid_t pid;

	snprintf(there, sizeof(there), "%s", test_name("there"));
	snprintf(back, sizeof(back), "%s", test_name("back"));
	open_channel(&tx, there, SHMCHAN_SENDER, join_flags);
	open_channel(&rx, back, SHMCHAN_RECEIVER, join_flags);
	pid = child_fork();
	if (!pid)
		echo(there, back, rounds);
	CHECK_EQ(shmchan_spsc_wait_peer(&rx, -1), 0);
	for (i = 0; i < rounds; i++) {
		uint64_t start;

		dither(&seed);
		CHECK_EQ(shmchan_spsc_send(&tx, &i, 8, 0, 0, -1), 0);
		start = now_ns();
		CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), 0);
		late += slept_in(start);
		CHECK_EQ(value, i);
	}
	shmchan_spsc_close(&tx);
	CHECK_CHILD_OK(pid);
	CHECK_LE(late, MAY_BE_LATE);
	note("%u of %u turns late", late, rounds);
}

TEST_LIMIT(a_channel, 240)
{
	NEEDS_MEMBARRIER();
	talk(SHMCHAN_JOIN_ASYM, HARNESS_ROUNDS(ROUNDS));
}

/* A small ring and a slow receiver: it is the sender who sleeps. */
TEST_LIMIT(a_full_channel, 240)
{
	unsigned int n = HARNESS_ROUNDS(ROUNDS), seed = 9;
	const char *name = test_name("room");
	struct shmchan_spsc tx, rx;
	uint64_t i, value[64];
	pid_t pid;

	NEEDS_MEMBARRIER();
	open_channel(&rx, name, SHMCHAN_RECEIVER, SHMCHAN_JOIN_ASYM);
	pid = child_fork();
	if (!pid) {
		open_channel(&tx, test_name("room"), SHMCHAN_SENDER,
			     SHMCHAN_JOIN_ASYM);
		for (i = 0; i < n; i++) {
			value[0] = i;
			CHECK_EQ(shmchan_spsc_send(&tx, value, sizeof(value), 0,
						   0, -1), 0);
		}
		shmchan_spsc_close(&tx);
		child_done();
	}
	CHECK_EQ(shmchan_spsc_wait_peer(&rx, -1), 0);
	for (i = 0; i < n; i++) {
		uint64_t start = now_ns();

		CHECK_EQ(shmchan_spsc_recv(&rx, value, sizeof(value), NULL,
					   NULL, -1), 0);
		late += slept_in(start);
		CHECK_EQ(value[0], i);
		dither(&seed);
	}
	CHECK_EQ(shmchan_spsc_recv(&rx, value, 8, NULL, NULL, -1), -EPIPE);
	CHECK_CHILD_OK(pid);
	CHECK_LE(late, MAY_BE_LATE);
	shmchan_spsc_close(&rx);
}

TEST_LIMIT(nobody_has_membarrier, 120)
{
	struct shmchan_region *r;

	forbid(SYS_membarrier, EPERM);
	/* As by default, and nothing says otherwise. */
	r = create_asym(test_name("refused"));
	CHECK_EQ(r->asym, 0);
	CHECK_EQ(shows_asym(r, 0), 0);
	shmchan_region_close(r);
	talk(SHMCHAN_JOIN_ASYM, HARNESS_ROUNDS(ROUNDS / 10));
}

/* Its wake-ups may be lost; then it looks by itself, shortly. */
TEST_LIMIT(the_sleeper_alone_has_no_membarrier, 120)
{
	unsigned int rounds = HARNESS_ROUNDS(ROUNDS / 10), seed = 4;
	const char *name = test_name("alone");
	struct shmchan_region *r;
	pid_t pid;
	uint64_t i;

	NEEDS_MEMBARRIER();
	r = create_asym(name);
	pid = child_fork();
	if (!pid) {
		forbid(SYS_membarrier, EPERM);
		pong(name, rounds);
	}
	while (SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(r, 1)) !=
	       SHMCHAN_SLOT_LIVE)
		sleep_ms(1);
	CHECK_EQ(shows_asym(r, 1), 0);
	for (i = 0; i < rounds; i++) {
		dither(&seed);
		publish(r, FIX_BELL(1), 0, i + 1);
		wait_for(r, FIX_BELL(0), 8, i);
	}
	CHECK_CHILD_OK(pid);
	shmchan_region_close(r);
}

#define KMOD_FILE_ONLY()						\
	do {								\
		if (shmchan_backend_default() != SHMCHAN_BACKEND_KMOD)	\
			SKIP("local backend: no file that polls");	\
	} while (0)

static int drain(const struct shmchan_region *r)
{
	struct shmchan_event events[8];

	return read(shmchan_region_fd(r), events, sizeof(events)) > 0;
}

/* Drain, arm, drain again if EAGAIN, sleep in poll. */
TEST_LIMIT(who_sleeps_in_poll, 240)
{
	unsigned int rounds = HARNESS_ROUNDS(ROUNDS / 2);
	const char *name = test_name("poll");
	struct shmchan_region *r;
	struct pollfd p;
	pid_t pid;
	uint64_t i;

	NEEDS_MEMBARRIER();
	KMOD_FILE_ONLY();
	r = create_asym(name);
	pid = child_fork();
	if (!pid)
		pong(name, rounds);
	while (!shows_asym(r, 1))
		sleep_ms(1);
	/* The library's own subscription does not get in the way. */
	CHECK_EQ(shmchan_bell_subscribe(r, FIX_BELL(0)), 0);
	p = (struct pollfd){ .fd = shmchan_region_fd(r), .events = POLLIN };
	for (i = 0; i < rounds; i++) {
		publish(r, FIX_BELL(1), 0, i + 1);
		while (shmchan_load_seq_cst(fix_word(r, 8)) == i) {
			struct shmchan_wait_elem e = fix_elem(FIX_BELL(0), 8, i);
			int err = shmchan_bell_arm(r, FIX_BELL(0), &e, 1);

			if (err == -EAGAIN)
				continue;
			CHECK_EQ(err, 0);
			CHECK_EQ(poll(&p, 1, 20000), 1);
			drain(r);
		}
	}
	CHECK_CHILD_OK(pid);
	shmchan_region_close(r);
}

/* A sleeper for words of two regions, with an ASYM member in the other one. */
TEST_LIMIT(elements_of_another_region, 120)
{
	unsigned int rounds = HARNESS_ROUNDS(ROUNDS / 10);
	struct shmchan_wait_elem e[2];
	struct shmchan_region *here, *there;
	char name[SHMCHAN_NAME_LEN];
	uint32_t index;
	pid_t pid;
	uint64_t i;

	NEEDS_MEMBARRIER();
	KMOD_FILE_ONLY();
	snprintf(name, sizeof(name), "%s", test_name("there"));
	here = fix_create(test_name("here"));
	there = fix_create(name);
	pid = child_fork();
	if (!pid)
		pong(name, rounds);
	while (!shows_asym(there, 1))
		sleep_ms(1);
	for (i = 0; i < rounds; i++) {
		publish(there, FIX_BELL(1), 0, i + 1);
		e[0] = fix_elem(FIX_BELL(0), 0, 0);
		e[1] = fix_elem(FIX_BELL(0), 8, i);
		e[1].fd = shmchan_region_fd(there);
		CHECK_EQ(shmchan_bell_wait(here, e, 2, SHMCHAN_FOREVER, &index),
			 0);
		CHECK_EQ(index, 1);
	}
	CHECK_CHILD_OK(pid);
	shmchan_region_close(there);
	shmchan_region_close(here);
}

TEST(subscribing_after_a_sleep)
{
	const char *name = test_name("sub");
	struct shmchan_region *r, *other;
	struct shmchan_wait_elem e;

	NEEDS_MEMBARRIER();
	KMOD_FILE_ONLY();
	r = fix_create(name);
	other = open_asym(name, 1);
	e = fix_elem(FIX_BELL(0), 0, 0);
	CHECK_EQ(shmchan_bell_wait(r, &e, 1, shmchan_deadline(1000000), NULL),
		 -ETIMEDOUT);
	CHECK_EQ(shmchan_bell_subscribe(r, FIX_BELL(0)), 0);
	CHECK_EQ(shmchan_bell_subscribe(r, FIX_BELL(0)), -EEXIST);
	shmchan_region_close(other);
	shmchan_region_close(r);
}

TEST_MAIN
