// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of regions: being made, entered and left.  Whatever the dead has
 * left behind, the name and the slots can be taken, nobody ever sees half a
 * region, and who is in it goes on.
 */

#include <shmchan/bell.h>

#include "crash.h"

#define TAG	"region"
#define SLOTS	3
#define VICTIM	1	/* slots */
#define PEER	0

struct job {
	int peer;		/* somebody is in it */
	int seat;		/* somebody has had the victim's slot before */
	int stale;		/* the dead have left a file of that name */
	void (*op)(struct shmchan_region **r, const struct job *job);
	int named;
};

static struct shmchan_region *peer;
static pid_t helper;

static int create(struct shmchan_region **r, uint32_t slot)
{
	const uint64_t c = SHMCHAN_CONTROL_OFFSET(4096);
	const struct shmchan_window windows[] = {
		{ 0, 4096, SHMCHAN_SLOT_SHARED, 0 },
		{ c + 4096, 4096, VICTIM, 0 },
	};
	const struct shmchan_doorbell bells[] = { { PEER, 0 }, { VICTIM, 0 } };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.flags = SHMCHAN_CREATE_SMALL, .data_size = 4096,
		.control_size = 2 * 4096, .nr_slots = SLOTS, .nr_doorbells = 2,
		.doorbells = bells, .nr_windows = 2, .windows = windows,
		.header = "header", .header_len = 7);

	opts.slot = slot;
	return shmchan_region_create(r, crash_name(TAG), &opts);
}

static int enter(struct shmchan_region **r, uint32_t slot)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(.slot = slot);

	return shmchan_region_open(r, crash_name(TAG), &opts);
}

/* A moment may pass before a death is known. */
static struct shmchan_region *enter_soon(uint32_t slot)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	struct shmchan_region *r = NULL;
	int err;

	do
		err = enter(&r, slot);
	while (err == -EBUSY && now_ns() < end);
	CHECK_EQ(err, 0);
	return r;
}

static void setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_region *r;
	pid_t pid;

	if (job->stale) {
		pid = child_fork();
		if (!pid)
			_exit(create(&r, VICTIM) ? 1 : 0);
		CHECK_CHILD_OK(pid);
	}
	if (job->peer)
		CHECK_EQ(create(&peer, PEER), 0);
	if (job->seat)
		shmchan_region_close(enter_soon(VICTIM));
}

static void victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_region *r = NULL;

	(void)crash_name(TAG);
	job->op(&r, job);
}

/* A name that nobody has: a whole region can be made, and goes away. */
static void anew(void)
{
	struct shmchan_region *r, *r2;

	CHECK_EQ(create(&r, PEER), 0);
	CHECK_EQ(enter(&r2, VICTIM), 0);
	CHECK_EQ(r->generation, 1);
	CHECK_EQ(r2->generation, 1);
	CHECK_EQ(r2->data_size, 4096);
	CHECK_STR((char *)shmchan_region_at(r2, r2->control_offset), "header");
	CHECK_EQ(shmchan_bell_ring(r2, 1, 0), 0);
	shmchan_region_close(r);
	shmchan_region_close(r2);
}

/*
 * The slot is free, of another generation, the last holder is known, no other
 * slot was lost; and it can be left and taken again.
 */
static void beside(const struct job *job)
{
	uint32_t before = (uint32_t)job->seat, generation, slot;
	struct shmchan_region *r[SLOTS], *none;
	struct shmchan_member_info info;

	crash_until_dead(TAG, peer, VICTIM);
	generation = SHMCHAN_SLOT_WORD_GEN(shmchan_slot_word(peer, VICTIM));
	CHECK(generation == before || generation == before + 1);
	if (crash_ended())
		CHECK_EQ(generation, before + 1);
	r[VICTIM] = enter_soon(VICTIM);
	CHECK_EQ(r[VICTIM]->generation, generation + 1);
	CHECK_EQ(shmchan_region_member(peer, VICTIM, &info), 0);
	CHECK_EQ(info.current_holder.generation, generation + 1);
	CHECK_EQ(info.previous_holder.generation, generation);
	CHECK_EQ(shmchan_bell_ring(r[VICTIM], 1, 0), 0);
	/* All slots, and no more. */
	for (slot = VICTIM + 1; slot < SLOTS; slot++)
		CHECK_EQ(enter(&r[slot], SHMCHAN_SLOT_ANY), 0);
	CHECK_EQ(enter(&none, SHMCHAN_SLOT_ANY), -EUSERS);
	for (slot = VICTIM; slot < SLOTS; slot++) {
		shmchan_region_close(r[slot]);
		CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(peer, slot)),
			 SHMCHAN_SLOT_LEFT);
	}
	CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(peer, PEER)),
		 SHMCHAN_SLOT_LIVE);
	shmchan_region_close(peer);
}

static void survive(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_region *none;

	if (job->peer) {
		beside(job);
	} else {
		/* Nobody opens what nobody is in; or the next one replaces it. */
		if (crash_way() == 0)
			CHECK_EQ(enter(&none, SHMCHAN_SLOT_ANY), -ENOENT);
		anew();
	}
	crash_no_trace(TAG);
}

#define REGION(what, ...)						\
	CRASH("region " what, .setup = setup, .victim = victim,		\
	      .survive = survive, .ways = 1,				\
	      .arg = &(const struct job){ __VA_ARGS__ })
#define REGION_TWICE(what, ...)						\
	CRASH("region " what, .setup = setup, .victim = victim,		\
	      .survive = survive, .ways = 2,				\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void do_create(struct shmchan_region **r, const struct job *job)
{
	int ret;

	(void)job;
	crash_begin();
	ret = create(r, VICTIM);
	crash_end();
	CHECK_EQ(ret, 0);
}

REGION_TWICE("create", .op = do_create);
REGION("create, where the dead have left the name", .stale = 1, .op = do_create);

static void do_open(struct shmchan_region **r, const struct job *job)
{
	int ret;

	(void)job;
	crash_begin();
	ret = enter(r, VICTIM);
	crash_end();
	CHECK_EQ(ret, 0);
}

REGION("open", .peer = 1, .op = do_open);
REGION("open, a slot that was held before", .peer = 1, .seat = 1, .op = do_open);

static void do_close(struct shmchan_region **r, const struct job *job)
{
	if (job->peer)
		*r = enter_soon(VICTIM);
	else
		CHECK_EQ(create(r, VICTIM), 0);
	crash_begin();
	shmchan_region_close(*r);
	crash_end();
}

REGION("close", .peer = 1, .op = do_close);
REGION_TWICE("close, the last one", .op = do_close);

static void do_open_stale(struct shmchan_region **r, const struct job *job)
{
	int ret;

	(void)job;
	crash_begin();
	ret = enter(r, VICTIM);
	crash_end();
	CHECK_EQ(ret, -ENOENT);
}

REGION("open, where the dead have left the name", .stale = 1,
       .op = do_open_stale);

/* --- who sleeps until a member comes or goes -------------------------------- */

/* Until the victim's slot is dead or left, as it was not when it fell asleep. */
static void sleeper(const struct crash_scenario *s)
{
	struct shmchan_region *r = enter_soon(SLOTS - 1);
	uint64_t word = 0, *seen = crash_scratch;
	struct shmchan_wait_elem elem;

	(void)s;
	for (;;) {
		word = shmchan_slot_word(r, VICTIM);
		if (SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_DIED ||
		    SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LEFT)
			break;
		elem = shmchan_elem_slot(r, VICTIM, word);
		CHECK_EQ(shmchan_bell_wait(r, &elem, 1, SHMCHAN_FOREVER, NULL),
			 0);
	}
	shmchan_store_seq_cst(seen, word);
	shmchan_region_close(r);
}

static void asleep_setup(const struct crash_scenario *s)
{
	CHECK_EQ(create(&peer, PEER), 0);
	helper = crash_helper(sleeper, s);
	crash_until_asleep(helper);
}

static void asleep_victim(const struct crash_scenario *s)
{
	struct shmchan_region *r = enter_soon(VICTIM);

	(void)s;
	/* It has woken because we came. */
	crash_until_asleep(helper);
	crash_begin();
	shmchan_region_close(r);
	crash_end();
}

static void asleep_survive(const struct crash_scenario *s)
{
	uint64_t *seen = crash_scratch;

	(void)s;
	crash_look(TAG, peer);
	crash_helper_ok(helper);
	if (crash_ended())
		CHECK_EQ(SHMCHAN_SLOT_WORD_STATE(*seen), SHMCHAN_SLOT_LEFT);
	shmchan_region_close(peer);
	crash_no_trace(TAG);
}

CRASH("region close, somebody sleeps for it", .setup = asleep_setup,
      .victim = asleep_victim, .survive = asleep_survive);
