// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reader-writer lock, permits, signal, barrier: the library's own code, under death
 * of a participant at any step.
 *
 * Exclusion is shown by data that is not atomic: two at it at once, or one that
 * does not see what the last one did, are a race or a wrong value.  A lost wake-up
 * is an execution that ends with a thread asleep.
 */
#include <shmchan/barrier.h>
#include <shmchan/permits.h>
#include <shmchan/rwlock.h>
#include <shmchan/signal.h>

#include "lib/sync_private.h"
#include "sync_fixture.h"
#include "tests.h"

#define AT	0
#define CELLS	64
#define BELL	1

/* Notes of a thread. */
#define DONE(me)	(me)		/* went through; phases passed */
#define TOLD(me)	(4 + (me))	/* was told of a death; in which phases */
#define GONE(me)	(8 + (me))	/* came to its end without */
#define HELD(me)	(12 + (me))	/* the phase that it joined in */

/* What a model does differently: a sync_flaw, or one of these. */
enum variant {
	NOT_CONSISTENT = 16,	/* who is told unlocks at once */
	AFTER_WRITER,		/* a writer died before all this, having it */
	AFTER_WAITER,		/* ... or still waiting for it */
	TIMED,			/* thread 1 does not wait for ever */
	TWO,			/* two permits */
	ONCE_ONLY,		/* one phase */
	UNREGISTERS,		/* party 0 unregisters */
	HEIR,			/* party 0's slot is taken by another */
};

static int variant(void)
{
	return explorer_model->arg;
}

static int64_t patience(unsigned int me)
{
	return variant() == TIMED && me == 1 ? 1 : -1;
}

int party_wait(struct shmchan_sync_object *o, const struct shmchan__seen *seen,
	       uint32_t nr, uint64_t members, uint64_t deadline);

/*
 * All that lives on over a wait: which word it is for, what the thread has seen so
 * far, and as what a writer that waits for readers has claimed the lock.
 */
int party_wait(struct shmchan_sync_object *o, const struct shmchan__seen *seen,
	       uint32_t nr, uint64_t members, uint64_t deadline)
{
	uint32_t me = o->region->slot, i;
	uint64_t phase = (uint64_t)((const uint8_t *)seen[0].word -
				    explorer_memory);

	for (i = 0; i < 4; i++)
		phase = phase << 9 | explorer_notes[4 * i + me];
	if (seen[0].word != &o->line->word)
		phase = phase << 3 | shmchan_cell_state(
			shmchan_load_relaxed(&o->line->word));
	sync_phase(o, phase);
	return shmchan__sync_wait(o, seen, nr, members, deadline);
}

static uint64_t *at(unsigned int offset)
{
	return (uint64_t *)(explorer_memory + AT + offset);
}

static void setup(void)
{
	sync_setup();
	if (variant() < NOT_CONSISTENT)
		sync_flaw = (enum sync_flaw)variant();
}

/* As the fixture's, with as many slots as there are threads: each is looked at. */
static struct shmchan_region regions[EXPLORER_THREADS];

static void attach(struct shmchan_sync_object *o, unsigned int me)
{
	sync_attach(o, me, AT, BELL);
	regions[me] = *o->region;
	regions[me].nr_slots = explorer_model->thread[2] && variant() != HEIR ?
			       3 : 2;
	o->region = &regions[me];
}

static void cells_attach(struct shmchan_sync_cells *c, unsigned int me)
{
	c->first = explorer_memory + AT + CELLS;
	c->shift = 6;
	c->own = shmchan_sync__cell(c, me);
}

static void dies0(void)
{
	sync_dies(0);
}

static void dies1(void)
{
	sync_dies(1);
}

static uint64_t sum(unsigned int first)
{
	return explorer_notes[first] + explorer_notes[first + 1] +
	       explorer_notes[first + 2];
}

/* Reader-writer lock.  What it protects: two words that are the same. */

static void rw_setup(void)
{
	uint32_t slot;

	setup();
	for (slot = 0; slot < KERNEL_SLOTS; slot++)
		*at(CELLS + 64 * slot) = shmchan_sync__said(1, 0);
	/* The states are lib/rwlock.c's; a slot beyond the region's is dead. */
	if (variant() == AFTER_WRITER || variant() == NOT_CONSISTENT)
		*at(0) = shmchan_cell(1, KERNEL_SLOTS, 1, 2);
	if (variant() == AFTER_WAITER)
		*at(0) = shmchan_cell(1, KERNEL_SLOTS, 1, 1);
}

static void rw_attach(struct shmchan_rwlock *l, unsigned int me)
{
	attach(&l->o, me);
	cells_attach(&l->cells, me);
	l->fine = 2;
}

static void reader(unsigned int me)
{
	struct shmchan_rwlock l;
	int err;

	rw_attach(&l, me);
	err = shmchan_rwlock_timedrdlock(&l, patience(me));
	sync_returned();
	if (err) {
		if (err == -EOWNERDEAD)
			explorer_cover("a reader is told of a death");
		else if (err == -ENOTRECOVERABLE)
			explorer_cover("a reader is told that it is lost");
		else
			explorer_assert(err == -ETIMEDOUT && patience(me) > 0,
					"rdlock says %d", err);
		explorer_note(GONE(me), (uint64_t)-err);
		return;
	}
	explorer_assert(sync_plain_get(0) == sync_plain_get(1),
			"a reader sees what is half written");
	explorer_note(DONE(me), 1);
	sync_returned();
	err = shmchan_rwlock_rdunlock(&l);
	explorer_assert(!err, "rdunlock says %d", err);
}

static void writer(unsigned int me)
{
	struct shmchan_rwlock l;
	int err, told;
	uint64_t n;

	rw_attach(&l, me);
	/* As if inlined: what keeps our writes behind the word is in there. */
	err = shmchan_rwlock_timedwrlock(&l, patience(me));
	told = err == -EOWNERDEAD;
	if (told) {
		explorer_cover("a writer is told of a death");
		explorer_note(TOLD(me), 1);
		if (variant() == NOT_CONSISTENT) {
			err = shmchan_rwlock_wrunlock(&l);
			explorer_assert(!err, "wrunlock says %d", err);
			return;
		}
	} else if (err) {
		explorer_assert(err == -ENOTRECOVERABLE ||
				(err == -ETIMEDOUT && patience(me) > 0),
				"wrlock says %d", err);
		explorer_note(GONE(me), (uint64_t)-err);
		return;
	}
	n = sync_plain_get(0);
	explorer_assert(told || n == sync_plain_get(1),
			"a writer is not told of a death");
	if (n != sync_plain_get(1))
		explorer_cover("died in the middle");
	n++;
	sync_plain_set(0, n);
	/* Half written is to be seen as that: not the compiler's to turn round. */
	sync_returned();
	sync_plain_set(1, n);
	if (told) {
		err = shmchan_rwlock_consistent(&l);
		explorer_assert(!err, "consistent says %d", err);
	}
	explorer_note(DONE(me), 1);
	sync_returned();
	err = shmchan_rwlock_wrunlock(&l);
	explorer_assert(!err, "wrunlock says %d", err);
}

static void reader0(void) { reader(0); }
static void reader1(void) { reader(1); }
static void writer0(void) { writer(0); }
static void writer1(void) { writer(1); }

static void rw_final(unsigned int stuck)
{
	int deaths = explorer_model->max_kills;

	if (variant() == AFTER_WRITER || variant() == NOT_CONSISTENT)
		deaths++;
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(sum(TOLD(0)) <= (uint64_t)deaths,
			"a death is told %llu times",
			(unsigned long long)sum(TOLD(0)));
	if (variant() == AFTER_WRITER || variant() == NOT_CONSISTENT)
		explorer_assert(sum(TOLD(0)), "a death is not told");
	if (variant() == AFTER_WAITER)
		explorer_assert(!sum(TOLD(0)) && !sum(GONE(0)),
				"a death is told that was none");
}

/* Permits.  What they stand for: a word each, which counts. */

static uint32_t nr_permits(void)
{
	return variant() == TWO ? 2 : 1;
}

static void permits_attach(struct shmchan_permits *p, unsigned int me)
{
	attach(&p->o, me);
	p->cells = at(CELLS);
	p->nr = nr_permits();
	p->next = 0;
}

static void user(unsigned int me)
{
	struct shmchan_permits p;
	uint32_t permit = 99;
	int ret;

	permits_attach(&p, me);
	ret = shmchan_permits_timedacquire(&p, &permit, patience(me));
	sync_returned();
	if (ret < 0) {
		explorer_assert(ret == -ETIMEDOUT && patience(me) > 0,
				"acquire says %d", ret);
		explorer_note(GONE(me), 1);
		return;
	}
	if (ret == 1) {
		explorer_cover("came back from the dead");
		explorer_note(TOLD(me), 1);
	}
	sync_plain_set(permit, sync_plain_get(permit) + 1);
	sync_returned();
	explorer_note(DONE(me), 1);
	ret = shmchan_permits_release(&p, permit);
	explorer_assert(!ret, "release says %d", ret);
}

/* Has it from the beginning. */
static void releaser0(void)
{
	struct shmchan_permits p;
	int err;

	permits_attach(&p, 0);
	sync_plain_set(0, 1);
	sync_returned();
	explorer_note(DONE(0), 1);
	err = shmchan_permits_release(&p, 0);
	explorer_assert(!err, "release says %d", err);
}

static void taken_setup(void)
{
	setup();
	*at(CELLS) = shmchan_cell(1, 0, 0, 1);
}

static void user0(void) { user(0); }
static void user1(void) { user(1); }
static void user2(void) { user(2); }

static void permits_final(unsigned int stuck)
{
	uint64_t count = sync_plain_final(0) + sync_plain_final(1);
	uint64_t done = sum(DONE(0));

	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(sum(TOLD(0)) <= (uint64_t)explorer_model->max_kills,
			"a death is told twice");
	explorer_assert(count >= done && count <= done +
			(uint64_t)explorer_model->max_kills,
			"%llu had permits, %llu are counted",
			(unsigned long long)done, (unsigned long long)count);
}

/* Signal. */

static void poster0(void)
{
	struct shmchan_signal s;

	attach(&s.o, 0);
	sync_plain_set(0, 7);
	shmchan_signal_post(&s, 1);
}

static void taker(unsigned int me)
{
	struct shmchan_signal s;
	int err;

	attach(&s.o, me);
	err = shmchan_signal_timedwait(&s, patience(me));
	if (err == -ETIMEDOUT && patience(me) > 0)
		return;
	explorer_assert(!err, "wait says %d", err);
	explorer_note(DONE(me), 1);
	explorer_assert(sync_plain_get(0) == 7, "taken, and not posted");
}

static void taker1(void) { taker(1); }
static void taker2(void) { taker(2); }

/* Nobody sleeps while there is something to take. */
static void signal_final(unsigned int stuck)
{
	uint64_t left = explorer_final(at(0), 8);

	explorer_assert(!stuck || !left,
			"threads sleep for ever (mask %#x), count %llu", stuck,
			(unsigned long long)left);
	explorer_assert(left + sum(DONE(0)) <= 1, "taken more than posted");
}

/*
 * Barrier.  Each party writes a word before it arrives, and reads those of the others
 * behind the phase.
 */

#define PARTY	(1U << 31)

static uint32_t nr_parties(void)
{
	return explorer_model->thread[2] && variant() != HEIR ? 3 : 2;
}

/* All are registered, in the first phase. */
static void barrier_setup(void)
{
	uint32_t slot;

	setup();
	*at(0) = 1 << 24;
	for (slot = 0; slot < nr_parties(); slot++)
		*at(CELLS + 64 * slot) = shmchan_sync__said(1, PARTY | 1);
}

static void barrier_attach(struct shmchan_barrier *b, unsigned int me)
{
	*b = (struct shmchan_barrier){ .next = 1, .registered = 1 };
	attach(&b->o, me);
	cells_attach(&b->cells, me);
}

/* What is ours in a phase: two turns, so that nobody writes what others read. */
static unsigned int part(unsigned int who, uint64_t phase)
{
	return (unsigned int)(phase & 1) * 4 + who;
}

/* One phase: 0, or what it said. */
static int step(struct shmchan_barrier *b, unsigned int me, uint64_t phase,
		unsigned int others)
{
	unsigned int i;
	int err;

	sync_plain_set(part(me, phase), phase);
	sync_returned();
	err = shmchan_barrier_timedwait(b, patience(me));
	while (err == -ETIMEDOUT)
		err = shmchan_barrier_timedwait(b, -1);
	sync_returned();
	explorer_assert(!err || err == -EOWNERDEAD, "wait says %d", err);
	if (err)
		explorer_note(TOLD(me), explorer_notes[TOLD(me)] | 1U << phase);
	for (i = 0; i < nr_parties() && !err; i++)
		explorer_assert(!(others >> i & 1) ||
				sync_plain_get(part(i, phase)) == phase,
				"thread %u passes phase %llu before %u arrived",
				me, (unsigned long long)phase, i);
	explorer_note(DONE(me), phase);
	return err;
}

static void partaker(unsigned int me)
{
	unsigned int others = (1U << nr_parties()) - 1;
	struct shmchan_barrier b;
	uint64_t phase, last = 2;
	int err = 0;

	if (variant() == ONCE_ONLY || variant() == HEIR || variant() == TIMED)
		last = 1;
	if (variant() == UNREGISTERS)
		others &= ~1U;
	barrier_attach(&b, me);
	for (phase = 1; phase <= last; phase++) {
		err = step(&b, me, phase, others);
		if (err) {
			explorer_cover("told of a death");
			others &= ~1U;
		}
	}
}

static void partaker0(void) { partaker(0); }
static void partaker1(void) { partaker(1); }
static void partaker2(void) { partaker(2); }

/* Does its part of the first phase, and does not wait for the others. */
static void arriver0(void)
{
	struct shmchan_barrier b;
	int err;

	barrier_attach(&b, 0);
	sync_plain_set(part(0, 1), 1);
	sync_returned();
	err = shmchan_barrier_arrive(&b);
	explorer_assert(!err, "arrive says %d", err);
}

/* Does not do its part, and says so. */
static void goer0(void)
{
	struct shmchan_barrier b;
	int err;

	barrier_attach(&b, 0);
	err = shmchan_barrier_unregister(&b);
	explorer_assert(!err, "unregister says %d", err);
}

/* A party that dies, at no matter what. */
static void doomed0(void)
{
	sync_dies(0);
}

/* Is there for two phases. */
static void stayer1(void)
{
	struct shmchan_barrier b;
	int err;

	barrier_attach(&b, 1);
	err = shmchan_barrier_timedwait(&b, -1);
	explorer_assert(err == -EOWNERDEAD, "wait says %d", err);
	explorer_note(DONE(1), 1);
	err = shmchan_barrier_timedwait(&b, -1);
	explorer_assert(!err, "wait says %d", err);
}

/* Arrives, and goes: in that phase or in the next one, whatever has come of it. */
static void leaver2(void)
{
	struct shmchan_barrier b;
	int err;

	barrier_attach(&b, 2);
	err = shmchan_barrier_arrive(&b);
	explorer_assert(!err, "arrive says %d", err);
	err = shmchan_barrier_unregister(&b);
	explorer_assert(!err, "unregister says %d", err);
}

static void leaver_final(unsigned int stuck)
{
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
}

/* All who passed a phase were told the same of it, and of one phase. */
static void barrier_final(unsigned int stuck)
{
	uint64_t told = explorer_notes[TOLD(1)];

	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	if (nr_parties() == 3)
		explorer_assert(told == explorer_notes[TOLD(2)],
				"one is told of a death and one is not");
	explorer_assert(!(told & (told - 1)), "a death is told twice");
	if (!explorer_model->max_kills)
		explorer_assert(!told, "nobody died");
}

/* Parties that register for themselves; two are to be there. */
static void registrant(unsigned int me)
{
	struct shmchan_barrier b = { .parties = 2 };
	int err;

	attach(&b.o, me);
	cells_attach(&b.cells, me);
	err = shmchan_barrier_register(&b);
	explorer_assert(!err, "register says %d", err);
	explorer_note(HELD(me), b.next);
	step(&b, me, b.next, 1U << (1 - me));
}

static void registrant0(void) { registrant(0); }
static void registrant1(void) { registrant(1); }

/* Party 1 is about to arrive in phase 2. */
#define ARRIVES	at(1024)

/* One is at it, another comes when it likes, and goes along for a phase. */
static void late1(void)
{
	struct shmchan_barrier b = { .parties = 0 };
	uint64_t mine;
	int err;

	attach(&b.o, 1);
	cells_attach(&b.cells, 1);
	err = shmchan_barrier_register(&b);
	explorer_assert(!err, "register says %d", err);
	mine = b.next;
	explorer_note(HELD(1), mine);
	if (mine == 2) {
		explorer_cover("registered in phase 1");
		sync_plain_set(part(1, 2), 2);
		shmchan_store_relaxed(ARRIVES, 1);
		sync_returned();
		err = shmchan_barrier_timedwait(&b, -1);
		explorer_assert(!err, "wait says %d", err);
		explorer_assert(sync_plain_get(part(0, 2)) == 2,
				"the late one passes before the other arrived");
	} else {
		explorer_cover("registered later");
	}
	err = shmchan_barrier_unregister(&b);
	explorer_assert(!err, "unregister says %d", err);
}

static void late_setup(void)
{
	barrier_setup();
	*at(CELLS + 64) = 0;
}

static void early0(void)
{
	struct shmchan_barrier b;
	int err;

	barrier_attach(&b, 0);
	step(&b, 0, 1, 1);
	step(&b, 0, 2, 1);
	explorer_note(GONE(0), shmchan_load_relaxed(ARRIVES));
	err = shmchan_barrier_unregister(&b);
	explorer_assert(!err, "unregister says %d", err);
}

/* Who registered in phase 1 is waited for in phase 2. */
static void late_final(unsigned int stuck)
{
	barrier_final(stuck);
	explorer_assert(explorer_notes[HELD(1)] != 2 || explorer_notes[GONE(0)],
			"phase 2 ends without one who registered in phase 1");
}

/*
 * Party 0 died before all this; who has its slot now registers, and writes over its
 * cell.
 */
static void heir0(void)
{
	struct shmchan_barrier b = { .parties = 0 };
	int err;

	attach(&b.o, 0);
	regions[0].generation = 2;
	cells_attach(&b.cells, 0);
	err = shmchan_barrier_register(&b);
	explorer_assert(!err, "register says %d", err);
	err = shmchan_barrier_unregister(&b);
	explorer_assert(!err, "unregister says %d", err);
}

static void heir_setup(void)
{
	barrier_setup();
	*kernel_slot_word(0) = kernel_slot_value(2, SHMCHAN_SLOT_LIVE);
}

static void heir_final(unsigned int stuck)
{
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(explorer_notes[TOLD(1)], "a death is not told");
}

static const char *const rw_covers[] = {
	"rings", "changed before it slept", "slept and was woken", NULL,
};
static const char *const rw_deaths[] = {
	"a writer is told of a death", "died in the middle",
	"killed while it slept", "slept and was woken", NULL,
};
static const char *const rw_heir[] = {
	"a writer is told of a death", "slept and was woken", NULL,
};
static const char *const rw_refused[] = {
	"a reader is told of a death", "slept and was woken", NULL,
};
static const char *const rw_lost[] = {
	"a writer is told of a death", "a reader is told that it is lost",
	NULL,
};
static const char *const permits_deaths[] = {
	"came back from the dead", "killed while it slept",
	"slept and was woken", NULL,
};
static const char *const deaths[] = {
	"told of a death", "killed while it slept", "slept and was woken", NULL,
};
static const char *const told[] = {
	"told of a death", "slept and was woken", NULL,
};
static const char *const killed[] = {
	"killed while it slept", "slept and was woken", NULL,
};
static const char *const ends[] = {
	"the time is up", "slept and was woken", NULL,
};
static const char *const lates[] = {
	"registered in phase 1", "registered later", NULL,
};

#define ASLEEP	"sleep for ever"

const struct explorer_model party_models[] = {
	{ .name = "rwlock", .what = "a reader and a writer",
	  .thread = { reader0, writer1 }, .setup = rw_setup,
	  .final = rw_final, .covers = rw_covers, .races = 1 },
	{ .name = "rwlock-writers", .what = "two writers",
	  .thread = { writer0, writer1 }, .setup = rw_setup,
	  .final = rw_final, .covers = rw_covers },
	{ .name = "rwlock-timed", .what = "a writer gives up",
	  .thread = { reader0, writer1 }, .setup = rw_setup,
	  .final = rw_final, .arg = TIMED, .covers = ends },
	{ .name = "rwlock-timed-reader", .what = "a reader gives up",
	  .thread = { writer0, reader1 }, .setup = rw_setup,
	  .final = rw_final, .arg = TIMED, .covers = ends },
	{ .name = "rwlock-dead-reader", .what = "a reader dies: no matter",
	  .thread = { reader0, writer1 }, .will = { dies0 },
	  .max_kills = 1, .setup = rw_setup, .final = rw_final,
	  .covers = killed },
	{ .name = "rwlock-dead-writer", .what = "a writer dies: one is told",
	  .thread = { writer0, writer1 }, .will = { dies0 },
	  .max_kills = 1, .setup = rw_setup, .final = rw_final,
	  .covers = rw_deaths },
	{ .name = "rwlock-refused", .what = "... and a reader is refused",
	  .thread = { writer0, reader1 }, .will = { dies0 },
	  .max_kills = 1, .setup = rw_setup, .final = rw_final,
	  .covers = rw_refused },
	{ .name = "rwlock-heir", .what = "a reader sees what was repaired",
	  .thread = { writer0, reader1 }, .setup = rw_setup,
	  .final = rw_final, .arg = AFTER_WRITER, .covers = rw_heir },
	{ .name = "rwlock-waiter", .what = "who died waiting is no news",
	  .thread = { writer0, reader1 }, .setup = rw_setup,
	  .final = rw_final, .arg = AFTER_WAITER },
	{ .name = "rwlock-heirs", .what = "two who would repair",
	  .thread = { writer0, writer1 }, .setup = rw_setup,
	  .final = rw_final, .arg = AFTER_WRITER, .covers = rw_heir },
	{ .name = "rwlock-lost", .what = "not made consistent: all are told",
	  .thread = { writer0, reader1 }, .setup = rw_setup,
	  .final = rw_final, .arg = NOT_CONSISTENT, .covers = rw_lost },
	{ .name = "rwlock-no-members",
	  .what = "who does not watch the members sleeps for ever",
	  .thread = { writer0, reader1 }, .will = { dies0 },
	  .max_kills = 1, .setup = rw_setup, .final = rw_final,
	  .arg = SYNC_NO_MEMBERS, .finds = ASLEEP },

	{ .name = "permits", .what = "one permit, two users",
	  .thread = { user0, user1 }, .setup = setup, .races = 1,
	  .final = permits_final, .covers = rw_covers },
	{ .name = "permits-three", .what = "... which a third has: one is woken",
	  .thread = { releaser0, user1, user2 }, .setup = taken_setup,
	  .deep = 1, .final = permits_final, .covers = rw_covers },
	{ .name = "permits-two", .what = "two permits, two users",
	  .thread = { user0, user1 }, .setup = setup,
	  .arg = TWO, .final = permits_final },
	{ .name = "permits-timed", .what = "one user gives up",
	  .thread = { user0, user1 }, .setup = setup,
	  .arg = TIMED, .final = permits_final, .covers = ends },
	{ .name = "permits-death", .what = "permits of the dead come back",
	  .thread = { user0, user1 }, .will = { dies0 },
	  .max_kills = 1, .setup = setup, .final = permits_final,
	  .covers = permits_deaths },
	{ .name = "permits-death-woken", .what = "... of one who was woken",
	  .thread = { releaser0, user1, user2 }, .will = { NULL, dies1 },
	  .max_kills = 1, .setup = taken_setup, .deep = 1, .final = permits_final,
	  .covers = permits_deaths },
	{ .name = "permits-no-members",
	  .what = "who does not watch the members sleeps for ever",
	  .thread = { user0, user1 }, .will = { dies0 },
	  .max_kills = 1, .setup = setup, .final = permits_final,
	  .arg = SYNC_NO_MEMBERS, .finds = ASLEEP },

	{ .name = "signal", .what = "a post, two takers",
	  .thread = { poster0, taker1, taker2 }, .setup = setup,
	  .final = signal_final, .covers = rw_covers },
	{ .name = "signal-death", .what = "a taker dies: the other is woken",
	  .thread = { poster0, taker1, taker2 }, .will = { NULL, dies1 },
	  .max_kills = 1, .setup = setup, .final = signal_final,
	  .covers = killed },

	{ .name = "barrier", .what = "two parties, two phases",
	  .thread = { partaker0, partaker1 }, .setup = barrier_setup,
	  .final = barrier_final, .covers = rw_covers, .races = 1 },
	{ .name = "barrier-three", .what = "three parties",
	  .thread = { arriver0, partaker1, partaker2 }, .arg = ONCE_ONLY,
	  .setup = barrier_setup, .final = barrier_final,
	  .covers = rw_covers },
	{ .name = "barrier-timed", .what = "one waits in two turns",
	  .thread = { partaker0, partaker1 }, .arg = TIMED,
	  .setup = barrier_setup, .final = barrier_final, .covers = ends },
	{ .name = "barrier-death", .what = "a party dies: all others are told",
	  .thread = { doomed0, partaker1, partaker2 }, .arg = ONCE_ONLY,
	  .max_kills = 1, .setup = barrier_setup, .final = barrier_final,
	  .covers = told },
	{ .name = "barrier-death-late", .what = "... in either of two phases",
	  .thread = { partaker0, partaker1 }, .will = { dies0 },
	  .max_kills = 1, .setup = barrier_setup,
	  .final = barrier_final, .covers = deaths },
	{ .name = "barrier-unregister", .what = "a party goes",
	  .thread = { goer0, partaker1 }, .arg = UNREGISTERS,
	  .setup = barrier_setup, .final = barrier_final },
	{ .name = "barrier-leaver", .what = "... and did not see who died",
	  .thread = { doomed0, stayer1, leaver2 }, .setup = barrier_setup,
	  .final = leaver_final },
	{ .name = "barrier-gather", .what = "two register, then begin",
	  .thread = { registrant0, registrant1 }, .setup = setup,
	  .final = barrier_final },
	{ .name = "barrier-late", .what = "one registers as others are at it",
	  .thread = { early0, late1 }, .setup = late_setup,
	  .final = late_final, .covers = lates },
	{ .name = "barrier-heir", .what = "... in the slot of one who died",
	  .thread = { heir0, partaker1 }, .arg = HEIR,
	  .setup = heir_setup, .final = heir_final },
	{ .name = "barrier-no-members",
	  .what = "who does not watch the members sleeps for ever",
	  .thread = { partaker0, partaker1 }, .will = { dies0 },
	  .max_kills = 1, .arg = SYNC_NO_MEMBERS, .setup = barrier_setup,
	  .final = barrier_final, .finds = ASLEEP },
	{ .name = NULL },
};
