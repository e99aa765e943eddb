// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of bells: who rings is killed, and who sleeps.  Whoever sleeps
 * for a word that has changed wakes; the others' rings reach who sleeps still.
 */

#include <shmchan/bell.h>

#include "crash.h"

#define TAG	"bell"
#define PEER	0	/* slots */
#define VICTIM	1
#define HELPER	2
#define SLOTS	3
#define BELL	1	/* anybody may wait on it */
#define WORD	0	/* offset in the data, which anybody may write */

static struct shmchan_region *peer;
static pid_t helper;

static void create(void)
{
	const struct shmchan_window windows[] = {
		{ 0, 4096, SHMCHAN_SLOT_SHARED, 0 },
	};
	const struct shmchan_doorbell bells[] = { { SHMCHAN_SLOT_SHARED, 0 } };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.flags = SHMCHAN_CREATE_SMALL, .slot = PEER, .data_size = 4096,
		.control_size = 4096, .nr_slots = SLOTS, .nr_doorbells = 1,
		.doorbells = bells, .nr_windows = 1, .windows = windows);

	CHECK_EQ(shmchan_region_create(&peer, crash_name(TAG), &opts), 0);
}

static struct shmchan_region *enter(uint32_t slot)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(.slot = slot);
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	struct shmchan_region *r = NULL;
	int err;

	do
		err = shmchan_region_open(&r, crash_name(TAG), &opts);
	while (err == -EBUSY && now_ns() < end);
	CHECK_EQ(err, 0);
	return r;
}

static uint64_t *word(const struct shmchan_region *r)
{
	return shmchan_region_at(r, WORD);
}

/* Until the word is 2 or more; a change to 1 alone wakes it on the way. */
static void sleeper(const struct crash_scenario *s)
{
	struct shmchan_region *r = enter(HELPER);
	struct shmchan_wait_elem elem;
	uint64_t value, *woken = crash_scratch;

	(void)s;
	while ((value = shmchan_load_seq_cst(word(r))) < 2) {
		shmchan_store_seq_cst(woken, value);
		elem = shmchan_elem64(BELL, WORD, value);
		CHECK_EQ(shmchan_bell_wait(r, &elem, 1, SHMCHAN_FOREVER, NULL),
			 0);
	}
	shmchan_store_seq_cst(woken, value);
	shmchan_region_close(r);
}

static void setup(const struct crash_scenario *s)
{
	create();
	if (s->arg) {
		helper = crash_helper(sleeper, s);
		crash_until_asleep(helper);
	}
}

/*
 * If the victim has stored the word and was killed before it rang, nobody has to
 * wake the sleeper; but the next who rings does.  If it has rung, it is awake.
 */
static void survive(const struct crash_scenario *s)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	uint64_t *woken = crash_scratch;

	if (s->arg) {
		while (crash_ended() && shmchan_load_seq_cst(woken) != 1) {
			CHECK_LT(now_ns(), end);
			sleep_ms(1);
		}
		shmchan_store_seq_cst(word(peer), 2);
		CHECK_GE(shmchan_bell_notify(peer, BELL), 0);
		crash_helper_ok(helper);
		CHECK_EQ(*woken, 2);
	}
	crash_until_dead(TAG, peer, VICTIM);
	/* What it left raised costs a ring, once. */
	CHECK_GE(shmchan_bell_ring(peer, BELL, 0), 0);
	CHECK_EQ(shmchan_bell_wanted(peer, BELL), 0);
	shmchan_region_close(peer);
	crash_no_trace(TAG);
}

static void victim_ring(const struct crash_scenario *s)
{
	struct shmchan_region *r = enter(VICTIM);
	int ret;

	(void)s;
	if (helper)
		crash_until_asleep(helper);
	crash_begin();
	shmchan_store_seq_cst(word(r), 1);
	ret = shmchan_bell_ring(r, BELL, 0);
	crash_end();
	CHECK_GE(ret, 0);
}

CRASH("bell ring", .setup = setup, .victim = victim_ring, .survive = survive);
CRASH("bell ring, somebody sleeps", .setup = setup, .victim = victim_ring,
      .survive = survive, .arg = "a sleeper");

static void victim_notify(const struct crash_scenario *s)
{
	struct shmchan_region *r = enter(VICTIM);
	int ret;

	(void)s;
	crash_until_asleep(helper);
	crash_begin();
	ret = shmchan_bell_publish(r, BELL, word(r), 1);
	crash_end();
	CHECK_GE(ret, 0);
}

CRASH("bell publish, somebody sleeps", .setup = setup, .victim = victim_notify,
      .survive = survive, .arg = "a sleeper");

static void victim_wait(const struct crash_scenario *s)
{
	struct shmchan_region *r = enter(VICTIM);
	struct shmchan_wait_elem elem = shmchan_elem64(BELL, WORD, 0);
	int ret;

	if (s->arg)
		crash_until_asleep(helper);
	crash_begin();
	ret = shmchan_bell_wait(r, &elem, 1, SHMCHAN_FOREVER, NULL);
	crash_end();
	CHECK_EQ(ret, 0);
}

static void change(const struct crash_scenario *s)
{
	(void)s;
	shmchan_store_seq_cst(word(peer), 1);
	CHECK_GE(shmchan_bell_notify(peer, BELL), 0);
}

/* A ring for the dead one reaches the other. */
static void survive_beside(const struct crash_scenario *s)
{
	uint64_t *woken = crash_scratch;

	shmchan_store_seq_cst(word(peer), 2);
	CHECK_GE(shmchan_bell_notify(peer, BELL), 0);
	if (s->arg) {
		crash_helper_ok(helper);
		CHECK_EQ(*woken, 2);
	}
	crash_until_dead(TAG, peer, VICTIM);
	CHECK_GE(shmchan_bell_ring(peer, BELL, 0), 0);
	CHECK_EQ(shmchan_bell_wanted(peer, BELL), 0);
	shmchan_region_close(peer);
	crash_no_trace(TAG);
}

CRASH("bell wait", .setup = setup, .victim = victim_wait, .release = change,
      .survive = survive_beside);
CRASH("bell wait, in vain", .setup = setup, .victim = victim_wait,
      .survive = survive_beside);
CRASH("bell wait, somebody else sleeps", .setup = setup, .victim = victim_wait,
      .release = change, .survive = survive_beside, .arg = "a sleeper");

static void victim_ring_wait(const struct crash_scenario *s)
{
	struct shmchan_region *r = enter(VICTIM);
	struct shmchan_wait_elem elem = shmchan_elem64(BELL, WORD + 8, 0);
	int ret;

	(void)s;
	crash_until_asleep(helper);
	crash_begin();
	shmchan_store_seq_cst(word(r), 1);
	ret = shmchan_bell_ring_wait(r, BELL, 0, &elem, 1, SHMCHAN_FOREVER,
				     NULL);
	crash_end();
	CHECK_EQ(ret, 0);
}

static void change_other(const struct crash_scenario *s)
{
	(void)s;
	shmchan_store_seq_cst(word(peer) + 1, 1);
	CHECK_GE(shmchan_bell_notify(peer, BELL), 0);
}

CRASH("bell ring and wait", .setup = setup, .victim = victim_ring_wait,
      .release = change_other, .survive = survive, .arg = "a sleeper");

/* The count of members wakes who waits for any of them. */
static void any_sleeper(const struct crash_scenario *s)
{
	struct shmchan_region *r = enter(HELPER);
	struct shmchan_wait_elem elem[2];
	uint64_t seq;

	(void)s;
	for (;;) {
		seq = shmchan_members_seq(r);
		if (SHMCHAN_SLOT_WORD_STATE(shmchan_slot_word(r, VICTIM)) ==
		    SHMCHAN_SLOT_DIED)
			break;
		elem[0] = shmchan_elem64(BELL, WORD, 0);
		elem[1] = shmchan_elem_members(r, seq);
		CHECK_EQ(shmchan_bell_wait(r, elem, 2, SHMCHAN_FOREVER, NULL),
			 0);
	}
	shmchan_region_close(r);
}

static void any_setup(const struct crash_scenario *s)
{
	create();
	helper = crash_helper(any_sleeper, s);
	crash_until_asleep(helper);
}

static void any_survive(const struct crash_scenario *s)
{
	(void)s;
	crash_look(TAG, peer);
	crash_helper_ok(helper);
	shmchan_region_close(peer);
	crash_no_trace(TAG);
}

CRASH("bell wait, for any member's end", .setup = any_setup,
      .victim = victim_wait, .survive = any_survive, .arg = "a sleeper");
