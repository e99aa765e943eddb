// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mutex, condition variable, once: the library's own code, under death of a
 * participant at any step, he who was just woken included.
 *
 * Exclusion is shown by data that is not atomic: two at it at once, or one that
 * does not see what the last one did, are a race or a wrong count.  A lost wake-up
 * is an execution that ends with a thread asleep.
 */
#include <shmchan/condvar.h>
#include <shmchan/mutex.h>
#include <shmchan/once.h>

#include "sync_fixture.h"
#include "tests.h"

#define MUTEX_AT	0
#define CONDVAR_AT	64
#define ONCE_AT		128
#define MUTEX_BELL	1
#define OTHER_BELL	2

/* Plain data: how often it was gone through, twice, and one more inside. */
#define COUNT		0

/* Notes of a thread. */
#define DONE(me)	(me)		/* how often it went through */
#define TOLD(me)	(4 + (me))	/* ... was told of a death */
#define LOST(me)	(8 + (me))	/* ... was told that all is lost */

static void setup(void);

/* What a model does differently: a sync_flaw, or one of these. */
enum variant {
	NOT_CONSISTENT = 16,	/* who is told unlocks at once */
	TIMED,			/* thread 1 does not wait for ever */
	SIGNAL_EARLY,		/* a signal, and then what it is about */
};

static int variant(void)
{
	return explorer_model->arg;
}

static void setup(void)
{
	sync_setup();
	if (variant() < NOT_CONSISTENT)
		sync_flaw = (enum sync_flaw)variant();
}

static void mutex_attach(struct shmchan_mutex *m, unsigned int me)
{
	sync_attach(&m->o, me, MUTEX_AT, MUTEX_BELL);
}

/* In the mutex, after err from lock: what is protected, begun and ended. */
static void protected(unsigned int me, int err)
{
	uint64_t count = sync_plain_get(COUNT);

	explorer_assert(err == -EOWNERDEAD || !(count & 1),
			"thread %u is not told of a death", me);
	if (count & 1)
		explorer_cover("died in the middle");
	count &= ~1ULL;
	sync_plain_set(COUNT, count + 1);
	sync_plain_set(COUNT, count + 2);
	sync_returned();
	explorer_note(DONE(me), explorer_notes[DONE(me)] + 1);
}

/* 0: gone through; else what lock says. */
static int go_through(struct shmchan_mutex *m, unsigned int me,
		      int64_t timeout_ns)
{
	struct {
		int64_t timeout_ns, err;
	} now = { timeout_ns, 0 };
	int err = shmchan_mutex_timedlock(m, timeout_ns);

	sync_returned();
	if (err == -EOWNERDEAD) {
		explorer_cover("told of a death");
		explorer_note(TOLD(me), explorer_notes[TOLD(me)] + 1);
		if (variant() == NOT_CONSISTENT) {
			err = shmchan_mutex_unlock(m);
			explorer_assert(!err, "unlock says %d", err);
			return -ENOTRECOVERABLE;
		}
		err = shmchan_mutex_consistent(m);
		explorer_assert(!err, "consistent says %d", err);
		err = -EOWNERDEAD;
	}
	if (err && err != -EOWNERDEAD)
		return err;
	now.err = err;
	explorer_settle(&now);
	if (explorer_model->setup == setup) {
		protected(me, err);
		explorer_settle(&now);
	}
	err = shmchan_mutex_unlock(m);
	sync_returned();
	explorer_assert(!err, "unlock says %d", err);
	return 0;
}

static void locker(unsigned int me)
{
	struct shmchan_mutex m;
	int64_t timeout = variant() == TIMED && me == 1 ? 1 : -1;
	int err;

	mutex_attach(&m, me);
	err = go_through(&m, me, timeout);
	if (err == -ENOTRECOVERABLE) {
		explorer_cover("not recoverable");
		explorer_note(LOST(me), 1);
		return;
	}
	explorer_assert(!err || (err == -ETIMEDOUT && timeout > 0),
			"lock says %d", err);
}

/* Has it when all begins, and has nothing more to do with it than unlock it. */
static void holder(void)
{
	struct shmchan_mutex m;
	int err;

	mutex_attach(&m, 0);
	err = shmchan_mutex_unlock(&m);
	explorer_assert(!err, "unlock says %d", err);
}

static void setup_held(void)
{
	setup();
	*(uint64_t *)(explorer_memory + MUTEX_AT) =
		shmchan_cell(1, 0, 1, SHMCHAN_MUTEX_LOCKED);
}

/* A third one has died with it. */
static void setup_dead(void)
{
	setup();
	*kernel_slot_word(2) = kernel_slot_value(1, SHMCHAN_SLOT_DIED);
	*(uint64_t *)(explorer_memory + MUTEX_AT) =
		shmchan_cell(1, 2, 1, SHMCHAN_MUTEX_LOCKED);
}

static void locker0(void)
{
	locker(0);
}

static void locker1(void)
{
	locker(1);
}

static void locker2(void)
{
	locker(2);
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

static void mutex_final(unsigned int stuck)
{
	uint64_t done = sum(DONE(0)), told = sum(TOLD(0));
	uint64_t count = sync_plain_final(COUNT) / 2;

	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(told <= (uint64_t)explorer_model->max_kills,
			"a death is told %llu times", (unsigned long long)told);
	explorer_assert(count >= done && count <= done + told,
			"%llu went through, %llu are counted",
			(unsigned long long)done, (unsigned long long)count);
}

/* Nobody goes through what is lost. */
static void lost_final(unsigned int stuck)
{
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(!sum(TOLD(0)) || sum(LOST(0)),
			"nobody is told that it is lost");
	explorer_assert(sum(TOLD(0)) <= 1, "told twice");
}

/* Condition variables: a ticket for who waits, and a signal behind it. */
#define TICKETS		0		/* plain data */

static void condvar_attach(struct shmchan_condvar *cv, unsigned int me)
{
	sync_attach(&cv->o, me, CONDVAR_AT, OTHER_BELL);
}

static void locked(struct shmchan_mutex *m, int err)
{
	sync_returned();
	if (err == -EOWNERDEAD) {
		explorer_cover("told of a death");
		err = shmchan_mutex_consistent(m);
	}
	explorer_assert(!err, "not locked: %d", err);
}

static void waiter(unsigned int me)
{
	struct {
		uint64_t tickets;
	} now = { 0 };
	struct shmchan_condvar cv;
	struct shmchan_mutex m;
	int err;

	mutex_attach(&m, me);
	condvar_attach(&cv, me);
	sync_phase(&m.o, 1);
	locked(&m, shmchan_mutex_lock(&m));
	for (;;) {
		now.tickets = sync_plain_get(TICKETS);
		explorer_settle(&now);
		if (now.tickets)
			break;
		sync_phase(&m.o, 2);
		sync_phase(&cv.o, 3);
		err = shmchan_condvar_timedwait(&cv, &m, variant() == TIMED &&
						me == 1 ? 1 : -1);
		if (err == -ETIMEDOUT) {
			shmchan_mutex_unlock(&m);
			return;
		}
		locked(&m, err);
	}
	sync_plain_set(TICKETS, now.tickets - 1);
	explorer_settle(&now);
	err = shmchan_mutex_unlock(&m);
	explorer_assert(!err, "unlock says %d", err);
	explorer_note(DONE(me), 1);
}

static void waiter1(void)
{
	waiter(1);
}

/* One ticket. */
static void giver(void)
{
	struct shmchan_condvar cv;
	struct shmchan_mutex m;
	int err;

	mutex_attach(&m, 0);
	condvar_attach(&cv, 0);
	if (variant() == SIGNAL_EARLY)
		shmchan_condvar_signal(&cv);
	locked(&m, shmchan_mutex_lock(&m));
	sync_plain_set(TICKETS, sync_plain_get(TICKETS) + 1);
	err = shmchan_mutex_unlock(&m);
	explorer_assert(!err, "unlock says %d", err);
	if (variant() != SIGNAL_EARLY)
		shmchan_condvar_signal(&cv);
}

static void setup_condvar(void)
{
	setup();
	sync_bells = 2;
}

static void condvar_final(unsigned int stuck)
{
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
}

/* If who gives dies before it has given, those who wait wait on. */
static void giver_final(unsigned int stuck)
{
	explorer_assert(!stuck || !sync_plain_final(TICKETS),
			"threads sleep for ever (mask %#x), and there are tickets",
			stuck);
}

/* Once: plain data that is 1 in the middle and 2 at the end. */
#define FILLED		0

static void doer(unsigned int me)
{
	struct shmchan_once once;
	uint64_t was;
	int ret;

	sync_attach(&once.o, me, ONCE_AT, MUTEX_BELL);
	ret = shmchan_once_begin(&once);
	sync_returned();
	was = sync_plain_get(FILLED);
	if (!ret) {
		explorer_assert(was == 2, "done, and %llu",
				(unsigned long long)was);
		explorer_cover("it is done");
		return;
	}
	explorer_assert(ret == SHMCHAN_ONCE_RUN || ret == -EOWNERDEAD,
			"begin says %d", ret);
	explorer_assert(ret == -EOWNERDEAD || !was, "not told of a death");
	explorer_note(TOLD(me), ret == -EOWNERDEAD);
	if (ret == -EOWNERDEAD)
		explorer_cover("told of a death");
	sync_plain_set(FILLED, 1);
	sync_plain_set(FILLED, 2);
	ret = shmchan_once_end(&once);
	sync_returned();
	explorer_assert(!ret, "end says %d", ret);
	explorer_note(DONE(me), 1);
}

static void doer0(void)
{
	doer(0);
}

static void doer1(void)
{
	doer(1);
}

static void once_final(unsigned int stuck)
{
	explorer_assert(!stuck, "threads sleep for ever (mask %#x)", stuck);
	explorer_assert(sum(DONE(0)) <= 1, "done %llu times",
			(unsigned long long)sum(DONE(0)));
	explorer_assert(sync_plain_final(FILLED) == 2, "not done");
	explorer_assert(sum(TOLD(0)) <= 1, "told twice");
}

static const char *const contended[] = {
	"rings", "changed before it slept", "slept and was woken", NULL,
};
static const char *const deaths[] = {
	"told of a death", "died in the middle", "killed while it slept",
	"slept and was woken", NULL,
};
static const char *const woken[] = {
	"told of a death", "killed while it slept", "slept and was woken", NULL,
};
static const char *const told[] = {
	"told of a death", "slept and was woken", NULL,
};
static const char *const all_lost[] = {
	"told of a death", "not recoverable", "slept and was woken", NULL,
};
static const char *const ends[] = {
	"the time is up", "slept and was woken", NULL,
};

static const char *const done[] = {
	"it is done", "slept and was woken", NULL,
};
static const char *const redone[] = {
	"it is done", "told of a death", "slept and was woken", NULL,
};

#define ASLEEP	"sleep for ever"

const struct explorer_model sync_models[] = {
	{ .name = "mutex", .what = "one at a time, and no wake-up is lost",
	  .thread = { locker0, locker1 }, .setup = setup,
	  .final = mutex_final, .covers = contended },
	{ .name = "mutex-two-sleepers", .what = "each is woken in its turn",
	  .thread = { holder, locker1, locker2 }, .setup = setup_held,
	  .final = mutex_final, .covers = contended },
	{ .name = "mutex-timed", .what = "... if one gives up, too",
	  .thread = { holder, locker1, locker2 }, .setup = setup_held,
	  .final = mutex_final, .arg = TIMED, .covers = ends },
	{ .name = "mutex-death", .what = "an owner dies: it is told once",
	  .thread = { locker0, locker1 }, .will = { dies0 },
	  .max_kills = 1, .setup = setup, .final = mutex_final,
	  .covers = deaths },
	{ .name = "mutex-death-woken",
	  .what = "who was woken dies: the other is woken",
	  .thread = { holder, locker1, locker2 }, .will = { NULL, dies1 },
	  .max_kills = 1, .setup = setup_held, .final = mutex_final,
	  .covers = woken },
	{ .name = "mutex-lost", .what = "not made consistent: all are told",
	  .thread = { locker0, locker1 }, .setup = setup_dead,
	  .final = lost_final, .arg = NOT_CONSISTENT, .covers = all_lost },
	{ .name = "mutex-no-members",
	  .what = "sleepers that do not watch the members lose a wake-up",
	  .thread = { holder, locker1, locker2 }, .will = { NULL, dies1 },
	  .max_kills = 1, .setup = setup_held, .arg = SYNC_NO_MEMBERS,
	  .finds = ASLEEP },
	{ .name = "condvar", .what = "no signal is lost",
	  .thread = { giver, waiter1 }, .setup = setup_condvar,
	  .final = condvar_final, .covers = contended },
	{ .name = "condvar-timed", .what = "who gives up has the mutex again",
	  .thread = { giver, waiter1 }, .setup = setup_condvar,
	  .final = condvar_final, .arg = TIMED, .covers = ends },
	{ .name = "condvar-death", .what = "who gives dies: nobody misses it",
	  .thread = { giver, waiter1 }, .will = { dies0 }, .max_kills = 1,
	  .setup = setup_condvar, .final = giver_final, .covers = told },
	{ .name = "condvar-early",
	  .what = "a signal before what it is about is lost",
	  .thread = { giver, waiter1 }, .setup = setup_condvar,
	  .arg = SIGNAL_EARLY, .finds = ASLEEP },
	{ .name = "once", .what = "done once, and all see it",
	  .thread = { doer0, doer1 }, .setup = setup,
	  .final = once_final, .covers = done },
	{ .name = "once-death", .what = "who was at it dies: the next does it",
	  .thread = { doer0, doer1 }, .will = { dies0 },
	  .max_kills = 1, .setup = setup, .final = once_final,
	  .covers = redone },
	{ .name = NULL },
};
