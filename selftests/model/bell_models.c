// SPDX-License-Identifier: GPL-2.0-only
/*
 * No lost wake-up: the real <shmchan/bell.h> against the kernel's side.  A
 * lost wake-up is an execution that ends with a thread asleep.
 */
#include <shmchan/bell.h>

#include "kernel.h"
#include "tests.h"

static struct shmchan_region region = {
	.status_offset = KERNEL_STATUS, .nr_slots = KERNEL_SLOTS,
	.nr_doorbells = 2, .slot = 0, .generation = 1,
};

#define BELL	1U

/* What a model does differently: a kernel_flaw, or one of these. */
enum variant {
	STORE_RELEASE = 16,	/* the commit is not seq_cst */
	MORE_NO_FENCE,		/* flush without its fence */
	MORE_LAST_SC,		/* ... but the last store of it is seq_cst */
	LATE_ARM,		/* epoll: drains, then arms, does not look */
	NO_MEMBER_WAIT,		/* does not watch the producer's slot */
	NO_LOOK,		/* eventcount: does not look after counting */
};

static uint64_t *word(unsigned int i)
{
	return (uint64_t *)(explorer_memory + 64UL * i);
}

#define ARM_LOCK	word(8)
#define ARM_WOKEN	word(9)
#define ARMED		word(10)
#define FUTEX_LOCK	word(11)
#define FUTEX_WOKEN	word(12)
#define FUTEX_QUEUED	word(13)
#define FUTEX_SEQ	((uint32_t *)word(14))

/* Notes: what a sleeper who learned of the death found; what was stored. */
#define STORED		8
#define DIED_UNSEEN	9

static int variant(void)
{
	return explorer_model->arg;
}

static void unlock(uint64_t *lock)
{
	explorer_unlock(lock);
}

static void count(int by)
{
	explorer_add(EXPLORER_SITE(EXPLORER_ADD, EXPLORER_RLX),
		     kernel_waiters(BELL), 4, (uint64_t)by);
}

/* A ring also disarms who armed, and makes its file readable. */
int shmchan_bell_ring(const struct shmchan_region *r, uint32_t doorbell,
		      uint32_t max_wake)
{
	(void)r;
	(void)max_wake;
	kernel_ring(doorbell);
	explorer_lock(ARM_LOCK);
	if (shmchan_load_relaxed(ARMED)) {
		shmchan_store_relaxed(ARMED, 0);
		explorer_cover("a ring disarms");
		count(-1);
		shmchan_store_release(ARM_WOKEN, 1);
	}
	unlock(ARM_LOCK);
	return 1;
}

static void setup(void)
{
	kernel_setup();
	region.base = explorer_memory;
	if (variant() < STORE_RELEASE)
		kernel_flaw = (enum kernel_flaw)variant();
}

static void sleep_for(unsigned int me)
{
	uint64_t live = kernel_slot_value(1, SHMCHAN_SLOT_LIVE);
	struct kernel_elem elem[2] = {
		{ word(0), 0 }, { kernel_slot_word(0), live },
	};

	while (!shmchan_load_acquire(word(0))) {
		if (shmchan_slot_word(&region, 0) != live) {
			explorer_cover("learns of the death");
			explorer_note(me, shmchan_load_relaxed(word(0)));
			explorer_note(DIED_UNSEEN, 1);
			return;
		}
		kernel_wait(BELL, me, elem, variant() == NO_MEMBER_WAIT ?
			    1 : 2);
	}
}

static void sleeper0(void)
{
	sleep_for(0);
}

static void sleeper1(void)
{
	sleep_for(1);
}

static void producer(void)
{
	if (variant() == STORE_RELEASE)
		shmchan_store_release(word(0), 1);
	else
		shmchan_store_seq_cst(word(0), 1);
	shmchan_crash_fence();
	explorer_note(STORED, 1);
	if (!shmchan_bell_notify(&region, BELL))
		explorer_cover("nobody waits");
}

/* A burst: the sleeper may wait for any record of it. */
static void producer_more(void)
{
	shmchan_store_release(word(0), 1);
	if (variant() == MORE_LAST_SC)
		shmchan_store_seq_cst(word(1), 1);
	else
		shmchan_store_release(word(1), 1);
	if (variant() != MORE_NO_FENCE && variant() != MORE_LAST_SC)
		shmchan_fence_seq_cst();
	if (!shmchan_bell_notify(&region, BELL))
		explorer_cover("nobody waits");
}

static void producer_will(void)
{
	kernel_member_ends(0, kernel_slot_value(1, SHMCHAN_SLOT_DIED));
}

static void sleeper_will(void)
{
	kernel_wait_killed(BELL, 0);
}

static void final_count(unsigned int stuck)
{
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(!explorer_final(kernel_waiters(BELL), 4),
			"the count of waiters stays up");
	if (explorer_notes[STORED] && explorer_notes[DIED_UNSEEN])
		explorer_assert(explorer_notes[0],
				"who sees the death sees not all before it");
}

/* epoll: drain, arm, drain again if EAGAIN, sleep. */
static void armer(void)
{
	while (!shmchan_load_acquire(word(0))) {
		explorer_lock(ARM_LOCK);
		shmchan_store_relaxed(ARM_WOKEN, 0);
		if (!shmchan_load_relaxed(ARMED)) {
			shmchan_store_relaxed(ARMED, 1);
			count(1);
		}
		unlock(ARM_LOCK);
		shmchan_fence_seq_cst();
		if (variant() != LATE_ARM && shmchan_load_relaxed(word(0))) {
			explorer_cover("EAGAIN");
			continue;
		}
		explorer_await(ARM_WOKEN, EXPLORER_ACQ, 1);
		explorer_cover("slept and was woken");
	}
}

/*
 * The local backend: an eventcount {seq, waiters} on a futex.  The futex's own
 * queue is guarded by its bucket's lock, under which FUTEX_WAIT compares.
 */
static void futex_wait(uint32_t seq)
{
	explorer_lock(FUTEX_LOCK);
	if (shmchan_load_relaxed(FUTEX_SEQ) != seq) {
		explorer_cover("FUTEX_WAIT says EAGAIN");
		unlock(FUTEX_LOCK);
		return;
	}
	shmchan_store_relaxed(FUTEX_QUEUED, 1);
	shmchan_store_relaxed(FUTEX_WOKEN, 0);
	unlock(FUTEX_LOCK);
	explorer_await(FUTEX_WOKEN, EXPLORER_ACQ, 1);
	explorer_cover("slept and was woken");
}

static void futex_sleeper(void)
{
	while (!shmchan_load_acquire(word(0))) {
		uint32_t seq;

		shmchan_fetch_add(kernel_waiters(BELL), 1);
		seq = shmchan_load_seq_cst(FUTEX_SEQ);
		if (variant() == NO_LOOK || !shmchan_load_seq_cst(word(0)))
			futex_wait(seq);
		shmchan_fetch_sub(kernel_waiters(BELL), 1);
	}
}

static void futex_producer(void)
{
	if (variant() == STORE_RELEASE)
		shmchan_store_release(word(0), 1);
	else
		shmchan_store_seq_cst(word(0), 1);
	if (!shmchan_bell_wanted(&region, BELL)) {
		explorer_cover("nobody waits");
		return;
	}
	shmchan_fetch_add(FUTEX_SEQ, 1);
	explorer_lock(FUTEX_LOCK);
	if (shmchan_load_relaxed(FUTEX_QUEUED)) {
		shmchan_store_relaxed(FUTEX_QUEUED, 0);
		shmchan_store_release(FUTEX_WOKEN, 1);
	}
	unlock(FUTEX_LOCK);
}

static const char *const both[] = {
	"rings", "nobody waits", "changed before it slept",
	"slept and was woken", NULL,
};
static const char *const deaths[] = {
	"learns of the death", "slept and was woken", NULL,
};
static const char *const dead_sleeper[] = {
	"killed while it slept", "slept and was woken", NULL,
};
static const char *const arms[] = {
	"EAGAIN", "slept and was woken", "a ring disarms", NULL,
};
static const char *const futexes[] = {
	"FUTEX_WAIT says EAGAIN", "slept and was woken", "nobody waits", NULL,
};

#define LOST	"sleep for ever"

const struct explorer_model bell_models[] = {
	{ .name = "bell", .what = "no wake-up is lost",
	  .thread = { producer, sleeper0 }, .setup = setup, .covers = both,
	  .final = final_count },
	{ .name = "bell-two-sleepers", .what = "one ring wakes both",
	  .thread = { producer, sleeper0, sleeper1 }, .setup = setup,
	  .covers = both, .final = final_count },
	{ .name = "bell-more", .what = "a burst: any record of it wakes",
	  .thread = { producer_more, sleeper0 }, .setup = setup,
	  .covers = both, .final = final_count },
	{ .name = "bell-death", .what = "a death between store and ring wakes",
	  .thread = { producer, sleeper0 }, .will = { producer_will },
	  .max_kills = 1, .setup = setup, .covers = deaths,
	  .final = final_count },
	{ .name = "bell-dead-sleeper", .what = "a killed sleeper harms nobody",
	  .thread = { sleeper0, producer, sleeper1 },
	  .will = { sleeper_will }, .max_kills = 1, .setup = setup,
	  .final = final_count, .covers = dead_sleeper },
	{ .name = "bell-arm", .what = "arm, look, sleep: no wake-up is lost",
	  .thread = { armer, producer }, .setup = setup, .covers = arms },
	{ .name = "bell-futex", .what = "the local backend's eventcount",
	  .thread = { futex_producer, futex_sleeper }, .setup = setup,
	  .covers = futexes, .final = final_count },

	/* The explorer finds what is wrong with these. */
	{ .name = "bell-release", .what = "a commit with release only loses",
	  .thread = { producer, sleeper0 }, .setup = setup,
	  .arg = STORE_RELEASE, .finds = LOST },
	{ .name = "bell-no-barrier", .what = "a sleeper without barrier loses",
	  .thread = { producer, sleeper0 }, .setup = setup,
	  .arg = KERNEL_NO_BARRIER, .finds = LOST },
	{ .name = "bell-no-recheck", .what = "a sleeper that looks once loses",
	  .thread = { producer, sleeper0 }, .setup = setup,
	  .arg = KERNEL_NO_RECHECK, .finds = LOST },
	{ .name = "bell-count-late", .what = "look, then count: loses",
	  .thread = { producer, sleeper0 }, .setup = setup,
	  .arg = KERNEL_COUNT_LATE, .finds = LOST },
	{ .name = "bell-more-no-fence", .what = "a flush without fence loses",
	  .thread = { producer_more, sleeper0 }, .setup = setup,
	  .arg = MORE_NO_FENCE, .finds = LOST },
	{ .name = "bell-more-last-sc",
	  .what = "the last store's seq_cst does not cover the first",
	  .thread = { producer_more, sleeper0 }, .setup = setup,
	  .arg = MORE_LAST_SC, .finds = LOST },
	{ .name = "bell-late-arm", .what = "arming without looking again loses",
	  .thread = { armer, producer }, .setup = setup, .arg = LATE_ARM,
	  .finds = LOST },
	{ .name = "bell-no-member",
	  .what = "not watching the producer's slot loses its death",
	  .thread = { producer, sleeper0 }, .will = { producer_will },
	  .max_kills = 1, .setup = setup, .arg = NO_MEMBER_WAIT,
	  .finds = LOST },
	{ .name = "bell-futex-release", .what = "eventcount, commit by release",
	  .thread = { futex_producer, futex_sleeper }, .setup = setup,
	  .arg = STORE_RELEASE, .finds = LOST },
	{ .name = "bell-futex-no-look", .what = "eventcount, no second look",
	  .thread = { futex_producer, futex_sleeper }, .setup = setup,
	  .arg = NO_LOOK, .finds = LOST },
	{ .name = NULL },
};
