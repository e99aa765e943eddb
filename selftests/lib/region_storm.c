// SPDX-License-Identifier: GPL-2.0-only

/* Many processes at one name, at the same time, some killed anywhere. */

#include <sched.h>

#include "region_fixture.h"

#define NR_RACERS	8

struct race {
	uint32_t arrived[3];
	uint32_t winners;
	uint32_t winner;	/* pid */
	uint32_t stop;
	uint64_t opened;
	uint64_t created;
};

static void meet(struct race *race, unsigned int which, uint32_t round)
{
	shmchan_fetch_add(&race->arrived[which], 1);
	while (shmchan_load_seq_cst(&race->arrived[which]) <
	       NR_RACERS * (round + 1))
		sched_yield();
}

static void racer(const char *name, struct race *race, uint32_t rounds)
{
	uint32_t pid = (uint32_t)getpid(), round;

	for (round = 0; round < rounds; round++) {
		struct shmchan_region_opts opts = fix_opts();
		struct shmchan_region *r = NULL;
		int err;

		opts.nr_slots = NR_RACERS + FIX_SLOTS;
		opts.header = &pid;
		opts.header_len = sizeof(pid);
		meet(race, 0, round);
		err = shmchan_region_create(&r, name, &opts);
		if (!err) {
			shmchan_fetch_add(&race->winners, 1);
			shmchan_store_seq_cst(&race->winner, pid);
		} else {
			CHECK_EQ(err, -EEXIST);
			/* It is there, whole, before create says so. */
			r = fix_open(name, SHMCHAN_SLOT_ANY);
		}
		meet(race, 1, round);
		CHECK_EQ(shmchan_load_seq_cst(&race->winners), round + 1);
		CHECK(*(uint32_t *)shmchan_region_at(r, r->control_offset) ==
		      shmchan_load_seq_cst(&race->winner));
		shmchan_region_close(r);
		meet(race, 2, round);
		CHECK_EQ(shmchan_region_open(&r, name, NULL), -ENOENT);
	}
	child_done();
}

TEST_LIMIT(one_of_eight_creates, 120)
{
	struct race *race = (struct race *)shared_alloc(sizeof(*race));
	const char *name = test_name("race");
	pid_t pids[NR_RACERS];
	int i;

	for (i = 0; i < NR_RACERS; i++) {
		pids[i] = child_fork();
		if (!pids[i])
			racer(name, race, HARNESS_ROUNDS(150));
	}
	for (i = 0; i < NR_RACERS; i++)
		CHECK_CHILD_OK(pids[i]);
}

/* Join in one way or the other, look, leave; until killed. */
static void busy(const char *name, struct race *race)
{
	struct shmchan_region_opts opts = fix_opts();
	unsigned int seed = (unsigned int)getpid();

	while (!shmchan_load_seq_cst(&race->stop)) {
		struct shmchan_region *r;
		uint64_t word;
		int err;

		if (rand_r(&seed) % 2)
			err = shmchan_region_create(&r, name, &opts);
		else
			err = shmchan_region_open(&r, name, NULL);
		if (err == -EEXIST || err == -ENOENT || err == -EUSERS)
			continue;
		CHECK_EQ(err, 0);
		/* Never half made. */
		CHECK_EQ(r->data_size, FIX_DATA);
		CHECK_EQ(r->nr_doorbells, FIX_BELLS);
		CHECK(!memcmp(shmchan_region_at(r, r->control_offset),
			      fix_header, sizeof(fix_header)));
		/* Nobody else is what we are. */
		shmchan_fetch_add(r->slot ? &race->opened : &race->created, 1);
		word = (uint64_t)getpid();
		shmchan_store_seq_cst((uint64_t *)
			shmchan_region_at(r, FIX_PAGE(r->slot)), word);
		sched_yield();
		CHECK_EQ(shmchan_load_seq_cst((uint64_t *)
			shmchan_region_at(r, FIX_PAGE(r->slot))), word);
		CHECK_EQ(shmchan_slot_word(r, r->slot),
			 (uint64_t)r->generation << 32 | SHMCHAN_SLOT_LIVE);
		if (rand_r(&seed) % 4 == 0)
			child_done();
		shmchan_region_close(r);
	}
	child_done();
}

TEST_LIMIT(killed_anywhere, 120)
{
	struct race *race = (struct race *)shared_alloc(sizeof(*race));
	const char *name = test_name("storm");
	uint64_t end = now_ns() + 4000000000ULL;
	unsigned int seed = 1, kills = 0;
	struct shmchan_region *r;
	pid_t pids[5];
	int i;

	for (i = 0; i < 5; i++) {
		pids[i] = child_fork();
		if (!pids[i])
			busy(name, race);
	}
	while (now_ns() < end) {
		int status;

		usleep((useconds_t)(rand_r(&seed) % 3000));
		i = rand_r(&seed) % 5;
		kill(pids[i], SIGKILL);
		status = child_wait(pids[i]);
		if (WIFEXITED(status))
			CHECK_EQ(WEXITSTATUS(status), 0);
		kills += WIFSIGNALED(status);
		pids[i] = child_fork();
		if (!pids[i])
			busy(name, race);
	}
	shmchan_store_seq_cst(&race->stop, 1);
	for (i = 0; i < 5; i++)
		CHECK_CHILD_OK(pids[i]);
	note("%u killed, %llu opened, %llu as slot 0", kills,
	     (unsigned long long)race->opened,
	     (unsigned long long)race->created);
	CHECK_GT(kills, 10);
	CHECK_GT(race->opened, 10);
	CHECK_EQ(shmchan_region_open(&r, name, NULL), -ENOENT);
	r = fix_create(name);
	CHECK_EQ(r->generation, 1);
	shmchan_region_close(r);
}

TEST_MAIN
