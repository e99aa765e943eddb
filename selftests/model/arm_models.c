// SPDX-License-Identifier: GPL-2.0-only
/*
 * ARM, poll and read: drain, arm, drain again if EAGAIN, sleep, read; and bound
 * eventfds.
 */
#include "kmod.h"
#include "tests.h"

#define BELL	1U
#define ITEMS	2U

static uint64_t items(void)
{
	return explorer_deep ? ITEMS + 1 : ITEMS;
}

static void setup(void)
{
	k_setup();
	k_setup_sub(0, BELL);
	k_setup_sub(1, BELL);
}

struct subscriber {
	uint64_t drained;
};

static void subscribe(unsigned int me, unsigned int member, uint64_t *word,
		      uint64_t all)
{
	struct subscriber s;

	for (;;) {
		s.drained = shmchan_load_acquire(word);
		if (s.drained == all)
			return;
		explorer_settle(&s);
		if (k_arm(member, word, s.drained))
			continue;
		if (k_poll(me, member) < 0) {
			explorer_cover("POLLHUP");
			return;
		}
		(void)k_read(member);
	}
}

static void subscriber0(void)
{
	subscribe(0, 0, k_data(0), items());
}

static void producer(void)
{
	uint64_t i;

	for (i = 1; i <= items(); i++)
		k_produce(k_data(0), i, BELL, 0);
}

/* Two threads of one member, each with a word. */

static void poller(void)
{
	subscribe(0, 0, k_data(0), 1);
}

/* Another member, which waits for the same. */
static void other_member(void)
{
	subscribe(1, 1, k_data(0), 1);
}

static void producer_one(void)
{
	k_produce(k_data(0), 1, BELL, 0);
}

/* Leaves the polling to the other: arms on its behalf, or finds its word. */
static void helper(void)
{
	while (!shmchan_load_acquire(k_data(1)))
		if (!k_arm(0, k_data(1), 0)) {
			explorer_cover("armed for another");
			return;
		}
}

static void second_poller(void)
{
	subscribe(1, 0, k_data(1), 1);
}

static void producer_two(void)
{
	k_produce(k_data(1), 1, BELL, 0);
	k_produce(k_data(0), 1, BELL, 0);
}

/* Each ring is told of once. */

static void reader0(void)
{
	uint64_t n = k_read(0);

	n += k_read(0);
	explorer_note(0, n);
}

static void reader1(void)
{
	explorer_note(1, k_read(0));
}

static void ringer(void)
{
	(void)k_ring(BELL, 0);
	(void)k_ring(BELL, 0);
}

static void final_events(unsigned int stuck)
{
	uint64_t told = explorer_notes[0] + explorer_notes[1];
	uint64_t seen = explorer_final(k_seen(0), 8);

	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(told == seen, "%llu rings seen, %llu told of",
			(unsigned long long)seen, (unsigned long long)told);
	if (told)
		explorer_cover("told of rings");
}

static void ender(void)
{
	k_member_end(0);
}

static void final_end(unsigned int stuck)
{
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(!explorer_final(k_count(BELL), 8),
			"an armed member's count outlives it");
}

/* Bound eventfds. */

static void setup_bound(void)
{
	k_setup();
	k_setup_eventfd(BELL);
}

static void bound(void)
{
	uint64_t seen;

	k_bind(BELL);
	if (k_flaw(K_BIND_NO_LOOK))
		k_eventfd_read(BELL);
	for (;;) {
		seen = shmchan_load_acquire(k_data(0));
		if (seen == items())
			return;
		k_eventfd_read(BELL);
	}
}

static const char *const arms[] = {
	"EAGAIN", "polled and was woken", "a ring disarms", "nobody waits",
	"rings", NULL,
};
static const char *const helps[] = {
	"EAGAIN", "armed already", "armed for another",
	"polled and was woken", NULL,
};
static const char *const told[] = { "told of rings", NULL };
static const char *const hup[] = {
	"POLLHUP", "polled and was woken", "a ring disarms", NULL,
};
static const char *const signals[] = {
	"an eventfd was signalled", "nobody waits", NULL,
};

#define LOST	"sleep for ever"
#define ARM	.setup = setup, .thread = { subscriber0, producer }
#define HELP	.setup = setup, .thread = { poller, helper, producer_two }
#define READ	.setup = setup, .thread = { reader0, reader1, ringer }, \
		.final = final_events
#define END	.setup = setup, .thread = { subscriber0, ender }, \
		.final = final_end
#define BIND	.setup = setup_bound, .thread = { bound, producer }

const struct explorer_model arm_models[] = {
	{ .name = "arm", .what = "drain, arm, poll, read: nothing is lost",
	  ARM, .covers = arms },
	{ .name = "arm-two-members", .what = "nobody takes another's event",
	  .setup = setup, .thread = { poller, other_member, producer_one },
	  .covers = arms },
	{ .name = "arm-two-threads", .what = "EAGAIN leaves the member armed",
	  HELP, .covers = helps },
	{ .name = "arm-events", .what = "each ring is told of once", READ,
	  .covers = told },
	{ .name = "arm-end", .what = "the end of the member ends poll, disarms",
	  END, .covers = hup },
	{ .name = "bind", .what = "bind, look, sleep: nothing is lost",
	  BIND, .covers = signals },

	{ .name = "arm-release", .what = "the word stored with release",
	  ARM, .arg = K_STORE_RELEASE, .finds = LOST },
	{ .name = "arm-load-first", .what = "waiters loaded, then stored",
	  ARM, .arg = K_LOAD_FIRST, .finds = LOST },
	{ .name = "arm-no-barrier", .what = "ARM without smp_mb()",
	  ARM, .arg = K_NO_ARM_BARRIER, .finds = LOST },
	{ .name = "arm-count-late", .what = "compares, then arms",
	  ARM, .arg = K_ARM_COUNT_LATE, .finds = LOST },
	{ .name = "arm-no-compare", .what = "arms, does not compare",
	  ARM, .arg = K_NO_ARM_COMPARE, .finds = LOST },
	{ .name = "arm-eagain-ignored", .what = "sleeps in spite of EAGAIN",
	  ARM, .arg = K_EAGAIN_IGNORED, .finds = LOST },
	{ .name = "arm-disarm-late", .what = "a ring wakes, then disarms",
	  ARM, .arg = K_DISARM_LATE, .finds = LOST },
	{ .name = "arm-seq-late", .what = "a ring wakes, then counts",
	  ARM, .arg = K_SEQ_LATE, .finds = LOST },
	{ .name = "arm-poll-late", .what = "poll looks, then registers",
	  ARM, .arg = K_POLL_LATE, .finds = LOST },
	{ .name = "arm-poll-no-lock",
	  .what = "a ring looks for pollers without lock or barrier",
	  ARM, .arg = K_POLL_NO_LOCK, .finds = LOST },
	{ .name = "arm-eagain-disarms",
	  .what = "EAGAIN disarms what another thread armed",
	  HELP, .arg = K_EAGAIN_DISARMS, .finds = LOST },
	{ .name = "arm-two-readers",
	  .what = "two threads of a member that both read its events",
	  .setup = setup, .arg = K_TWO_READERS, .finds = LOST,
	  .thread = { poller, second_poller, producer_two } },
	{ .name = "arm-seen-current", .what = "marks as seen what is current",
	  READ, .arg = K_SEEN_CURRENT, .finds = "told of" },
	{ .name = "arm-no-read-lock", .what = "two readers at a time",
	  READ, .arg = K_NO_READ_LOCK, .finds = "told of" },
	{ .name = "arm-end-no-poll", .what = "an end wakes no poller",
	  END, .arg = K_END_NO_POLL, .finds = LOST },
	{ .name = "bind-no-look", .what = "binds, and sleeps",
	  BIND, .arg = K_BIND_NO_LOOK, .finds = LOST },
	{ .name = "bind-no-barrier", .what = "BIND without a full barrier",
	  BIND, .arg = K_BIND_NO_BARRIER, .finds = LOST },
	{ .name = "bind-disarms", .what = "a ring disarms what is bound",
	  BIND, .arg = K_BIND_DISARMS, .finds = LOST },
	{ .name = NULL },
};
