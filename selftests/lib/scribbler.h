/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_SCRIBBLER_H
#define SHMCHAN_TEST_SCRIBBLER_H

/*
 * A real second process that writes anything, at full speed, wherever its role may
 * write, while honest members work beside it: no crash, no hang, and nothing out of
 * bounds, which is what sanitizers see.
 *
 * Who only scribbles is soon found out, and then scribbles at nobody.  So this one
 * works as its role does, and in between *fires*: it overwrites a few words, and mostly
 * puts back what was there.  An honest member that was told of it closes and opens
 * anew.  A *round* has an object and a scribbler of its own; how often it fires, and
 * how much of it stays, differs from round to round.  What honest members get done in
 * it counts from the first shot on, and of all rounds one half has to have *traffic*,
 * which is ENOUGH of that.
 *
 * The scribbler is killed when the round is over; it must have lived until then, so
 * that its fire was what it was meant to be.
 *
 * Shots are single relaxed atomics, as the library's own.  SHMCHAN_TEST_SEED repeats
 * the choices of a run.
 */

#include <sched.h>

#include <shmchan/atomic.h>

#include "harness.h"

#define SCRIBBLER_ROUNDS	(HARNESS_ROUNDS(24) + 7)
#define SCRIBBLER_OPS		2000U	/* of a round, at most */
#define SCRIBBLER_ENOUGH	8U
#define SCRIBBLER_SHOTS		100U	/* at least, if it does not take long */
#define SCRIBBLER_PLACES	4
#define SCRIBBLER_MS		1000000ULL

/* What both sides see. */
struct scribbler_stage {
	uint64_t shots;
	uint64_t offer;		/* the program's own: a reference, say */
	uint64_t there;		/* all have come */
	uint64_t asked;		/* the scribbler is to open anew, so often ... */
	uint64_t opened;	/* ... and has */
};

/* Words that the scribbler may write, as it has them mapped. */
struct scribbler_place {
	void *at;
	size_t size;
};

struct scribbler {
	struct scribbler_stage *stage;
	struct scribbler_place places[SCRIBBLER_PLACES];
	unsigned int nr;
	uint64_t rnd;
	uint32_t gap;		/* calls from shot to shot */
	uint32_t keep;		/* of so many shots one stays */
	uint32_t left;		/* calls to the next shot */
	uint64_t opened;	/* anew, so often */
};

/* An honest member's. */
struct scribbler_round {
	struct scribbler_stage *stage;
	const char *tag;	/* of the object's name */
	uint64_t rnd;
	uint64_t begin;
	uint64_t hot;		/* since when there is fire; 0: not yet */
	uint64_t ops;		/* that were done under fire */
	uint64_t last;		/* when the last one was */
	uint64_t reopened;
};

struct scribbler_scene {
	const char *what;
	/* Takes its role, and fires until it is killed. */
	void (*scribble)(struct scribbler *s, const char *tag);
	/* Works while scribbler_goes_on(), and closes all. */
	void (*work)(struct scribbler_round *r);
};

/* xorshift64*: S. Vigna, ACM TOMS 42(4), 2016. */
static inline uint64_t scribbler_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static inline uint32_t scribbler_pick(uint64_t *state, uint32_t n)
{
	return (uint32_t)(scribbler_random(state) >> 32) % n;
}

/* ---- The scribbler ---- */

static inline void scribbler_aim(struct scribbler *s, const void *at,
				 size_t size)
{
	CHECK_LT(s->nr, SCRIBBLER_PLACES);
	s->places[s->nr].at = (void *)(uintptr_t)at;
	s->places[s->nr++].size = size;
}

/* Words near what is there, what looks like a header or a cell, and anything. */
static inline uint64_t scribbler_word(uint64_t old, uint64_t *rnd)
{
	uint64_t x = scribbler_random(rnd);

	switch (x >> 61) {
	case 0:
		return old + (x >> 40 & 0xff8);
	case 1:
		return old - (x >> 40 & 0xff8);
	case 2:
		return old ^ 1ULL << (x >> 32 & 63);
	case 3:
		return (x >> 40 & 3) << 32 | (x >> 20 & 15);
	case 4:
		return (old & ~0xffffffffULL) | (uint32_t)x;
	case 5:
		return 0;
	case 6:
		return ~(x & 0xff);
	default:
		return x;
	}
}

static inline void scribbler_shoot(struct scribbler *s)
{
	const struct scribbler_place *p =
		&s->places[scribbler_pick(&s->rnd, s->nr)];
	uint64_t *word = (uint64_t *)p->at +
			 scribbler_pick(&s->rnd, (uint32_t)(p->size / 8));
	uint64_t old = shmchan_load_relaxed(word);
	uint32_t pause = scribbler_pick(&s->rnd, 64);

	shmchan_store_relaxed(word, scribbler_word(old, &s->rnd));
	shmchan_fetch_add(&s->stage->shots, 1);
	if (!scribbler_pick(&s->rnd, s->keep))
		return;
	while (pause--)
		shmchan_cpu_relax();
	shmchan_store_relaxed(word, old);
}

/*
 * In between what its role does.  err: how that went; with nothing to do it fires
 * less, so that there is something to fire at.
 */
static inline void scribbler_fire(struct scribbler *s, int err)
{
	uint32_t n;

	if (err) {
		sched_yield();
		if (scribbler_pick(&s->rnd, 4))
			return;
	}
	if (s->left-- > 1)
		return;
	s->left = s->gap;
	for (n = 1 + scribbler_pick(&s->rnd, 4); n; n--)
		scribbler_shoot(s);
}

/* Is it to close, and to open anew?  Then it aims anew, too. */
static inline int scribbler_asked(struct scribbler *s)
{
	uint64_t asked = shmchan_load_seq_cst(&s->stage->asked);

	if (asked == s->opened)
		return 0;
	s->opened = asked;
	s->nr = 0;
	return 1;
}

static inline void scribbler_opened(struct scribbler *s)
{
	shmchan_store_seq_cst(&s->stage->opened, s->opened);
}

/* Until the others have come, where one cannot come under fire. */
static inline void scribbler_await(struct scribbler *s)
{
	while (!shmchan_load_seq_cst(&s->stage->there))
		usleep(100);
}

static inline void __attribute__((noreturn))
scribbler_main(const struct scribbler_scene *scene,
	       struct scribbler_stage *stage, const char *tag, uint64_t seed)
{
	struct scribbler s = { .stage = stage, .rnd = seed };

	s.gap = 2U << scribbler_pick(&s.rnd, 6);
	s.keep = 4U << scribbler_pick(&s.rnd, 8);
	scene->scribble(&s, tag);
	FAIL("a scribbler does not end by itself");
}

/* ---- The honest ---- */

/* The scribbler waits for us. */
static inline void scribbler_are_there(struct scribbler_round *r)
{
	shmchan_store_seq_cst(&r->stage->there, 1ULL);
}

/* Something got done. */
static inline void scribbler_done(struct scribbler_round *r)
{
	r->ops += !!r->hot;
	r->last = now_ns();
}

/* Nothing has got done for long, and nobody has said why. */
static inline int scribbler_is_stuck(const struct scribbler_round *r)
{
	return r->hot && now_ns() - r->last >
			 10 * SCRIBBLER_MS * (uint64_t)harness_slowness();
}

static inline int scribbler_goes_on(struct scribbler_round *r)
{
	uint64_t slow = (uint64_t)harness_slowness() * SCRIBBLER_MS, now;

	now = now_ns();
	if (!r->hot && shmchan_load_seq_cst(&r->stage->shots))
		r->hot = r->last = now;
	if (!r->hot) {
		if (now - r->begin > 10000 * slow)
			FAIL("the scribbler does not begin");
		sched_yield();
		return 1;
	}
	if (r->ops < SCRIBBLER_ENOUGH)
		return now - r->hot < 200 * slow;
	if (shmchan_load_relaxed(&r->stage->shots) < SCRIBBLER_SHOTS)
		return now - r->hot < 30 * slow;
	return r->ops < SCRIBBLER_OPS && now - r->hot < 5 * slow;
}

/*
 * What the scribbler has written stands in our way: it is to open anew, as we do.
 * In its own time; it is not to be relied on.
 */
static inline void scribbler_ask(struct scribbler_round *r)
{
	uint64_t end = now_ns() + 5 * SCRIBBLER_MS *
			(uint64_t)harness_slowness();

	r->reopened++;
	shmchan_store_seq_cst(&r->stage->asked, r->reopened);
	while (shmchan_load_seq_cst(&r->stage->opened) != r->reopened &&
	       now_ns() < end)
		sched_yield();
	r->last = now_ns();
}

static inline uint32_t scribbler_choose(struct scribbler_round *r, uint32_t n)
{
	return scribbler_pick(&r->rnd, n);
}

/* Every byte of what was given is there. */
static inline void scribbler_look(const void *data, size_t length)
{
	size_t i;

	for (i = 0; i < length; i++)
		(void)((const volatile uint8_t *)data)[i];
}

/* One of the errors named; 0 is always. */
#define SCRIBBLER_ERRORS(err, ...)					\
	do {								\
		const int scribbler_known[] = { 0, __VA_ARGS__ };	\
		size_t scribbler_i = 0;					\
		while (scribbler_i < sizeof(scribbler_known) /		\
				     sizeof(int) &&			\
		       -(err) != scribbler_known[scribbler_i])		\
			scribbler_i++;					\
		if ((err) < 0 && scribbler_i ==				\
		    sizeof(scribbler_known) / sizeof(int))		\
			FAIL("%s = %d (%s): %s", #err, (int)(err),	\
			     strerror(-(err)), shmchan_error_detail());	\
	} while (0)

static inline uint64_t scribbler_seed(void)
{
	const char *env = getenv("SHMCHAN_TEST_SEED");

	return env ? strtoull(env, NULL, 0) : now_ns() % 1000000007;
}

static inline void scribbler_run(const struct scribbler_scene *scene)
{
	struct scribbler_stage *stage =
		(struct scribbler_stage *)shared_alloc(4096);
	uint64_t seed = scribbler_seed(), ops = 0, shots = 0, reopened = 0;
	unsigned int rounds = (unsigned int)SCRIBBLER_ROUNDS, busy = 0, i;

	/* The name is that of the process which asks for it first. */
	(void)test_name("");
	for (i = 0; i < rounds; i++) {
		struct scribbler_round r = {
			.stage = stage,
			.rnd = (seed + 1) * 0x9e3779b97f4a7c15ULL + i,
		};
		char tag[32];
		int status;
		pid_t pid;

		scribbler_random(&r.rnd);
		snprintf(tag, sizeof(tag), "%u", i);
		r.tag = tag;
		memset(stage, 0, sizeof(*stage));
		pid = child_fork();
		if (!pid)
			scribbler_main(scene, stage, tag, ~r.rnd);
		r.begin = now_ns();
		scene->work(&r);
		kill(pid, SIGKILL);
		status = child_wait(pid);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			FAIL("%s: the scribbler had ended: wait status 0x%x; SHMCHAN_TEST_SEED=%llu",
			     scene->what, (unsigned int)status,
			     (unsigned long long)seed);
		ops += r.ops;
		reopened += r.reopened;
		shots += stage->shots;
		busy += r.ops >= SCRIBBLER_ENOUGH;
	}
	note("%s: %u rounds, %u with traffic, %u without; %llu shots, %llu calls under fire, opened anew %llu times (SHMCHAN_TEST_SEED=%llu)",
	     scene->what, rounds, busy, rounds - busy,
	     (unsigned long long)shots, (unsigned long long)ops,
	     (unsigned long long)reopened, (unsigned long long)seed);
	CHECK_GE(2 * busy, rounds);
	munmap(stage, 4096);
}

#endif /* SHMCHAN_TEST_SCRIBBLER_H */
