// SPDX-License-Identifier: GPL-2.0-only

/* Crash points: the driver.  crash.h says what it is for. */

#include <setjmp.h>

#include "crash_private.h"

#define MAX_FAILURES	5	/* of a scenario; then it is given up */
#define HANG_S		300
#define AIDED_OF	64	/* one of so many is left to itself */
#define MISSES		8	/* so many in a row, and it takes another way now */

static struct crash_scenario *first, **last = &first;
struct crash_shared *crash_shared;

static sigjmp_buf failed_here;
static unsigned int way;
static const char *playing = "";

/*
 * limit: of an operation with no more kill points than this all are taken, else
 * about SOME of them.
 */
#define SOME		500
/*
 * To look at all that others can see, after each instruction, takes long: where few
 * kill points are wanted, that is done of operations up to here only.
 */
#define FEW		50
#define LOOK_STEPS	2000
static unsigned long stride = 1, seed, limit = 1000;
static long only_point = -1, only_way = -1;

/* Of all scenarios. */
static unsigned long operations, points, failures;

void crash_register(struct crash_scenario *s)
{
	*last = s;
	last = &s->next;
}

unsigned int crash_way(void)
{
	return way;
}

void crash_failed(void)
{
	if (getpid() != crash_driver)
		_exit(HARNESS_EXIT_FAIL);
	siglongjmp(failed_here, 1);
}

#if defined(__x86_64__)

/* Somebody waits for ever, without a limit. */
static void on_hang(int sig)
{
	static const char text[] = "not ok 1 the driver hangs\n";

	(void)sig;
	if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(HARNESS_EXIT_FAIL);
	note("in %s", playing);
	_exit(HARNESS_EXIT_FAIL);
}

static void watchdog(int on)
{
	struct sigaction sa = { .sa_handler = on_hang };

	if (on)
		sigaction(SIGALRM, &sa, NULL);
	alarm(on ? HANG_S : 0);
}

static void new_point(void)
{
	memset(crash_shared->scratch, 0, sizeof(crash_shared->scratch));
	crash_shared->phase = 0;
	crash_shared->failed = 0;
	crash_serial++;
	crash_aided = crash_serial % AIDED_OF != 0;
}

/* The operation as a whole.  Returns 0, or -1 if a check failed. */
static int measure(const struct crash_scenario *s, struct crash_course *course,
		   int look)
{
	static volatile pid_t victim;

	new_point();
	victim = 0;
	if (sigsetjmp(failed_here, 1)) {
		crash_tick(0);
		note("%s: the whole operation, way %u", s->name, way);
		if (victim)
			crash_kill(victim);
		crash_helpers_end();
		return -1;
	}
	watchdog(1);
	s->setup(s);
	watchdog(0);
	victim = crash_start(s);
	crash_measure(victim, s, course, look);
	crash_kill(victim);
	victim = 0;
	watchdog(1);
	s->survive(s);
	watchdog(0);
	crash_helpers_end();
	return 0;
}

/* One kill point.  Returns what became of it, or -1 if a check failed. */
static int play_once(const struct crash_scenario *s,
		const struct crash_course *course,
		const struct crash_point *point)
{
	static volatile uint64_t rip;
	static volatile pid_t victim;
	enum crash_outcome outcome;

	new_point();
	victim = 0;
	rip = 0;
	if (sigsetjmp(failed_here, 1)) {
		crash_tick(0);
		if (victim)
			crash_kill(victim);
		note("%s: kill point %u, way %u: %s%s, after %u system calls and %u instructions; to run it alone: -k %u -w %u '%s'",
		     s->name, point->index, way, point->asleep ? "asleep in " : "",
		     rip ? crash_where(rip) : "not there yet", point->calls,
		     point->steps, point->index, way, s->name);
		crash_helpers_end();
		return -1;
	}
	watchdog(1);
	s->setup(s);
	watchdog(0);
	victim = crash_start(s);
	outcome = crash_go(victim, s, course, point);
	if (!point->asleep || outcome != CRASH_THERE)
		rip = crash_rip(victim);
	crash_kill(victim);
	victim = 0;
	watchdog(1);
	s->survive(s);
	watchdog(0);
	crash_helpers_end();
	return (int)outcome;
}

/* Returns 1, 0 if there is no such point, -1 if a check failed. */
static int play(const struct crash_scenario *s,
		const struct crash_course *course,
		const struct crash_point *point)
{
	struct crash_point again = *point;
	int ret = play_once(s, course, point);

	if (ret == CRASH_LOST) {
		again.slow = 1;
		ret = play_once(s, course, &again);
	}
	return ret < 0 ? ret : ret == CRASH_THERE;
}

/* Which kill points of a course are taken. */
struct choice {
	unsigned long every;
	unsigned long every_seen;	/* 0: these are not chosen apart */
	unsigned long nr_seen;
};

/* What is seen, or what is executed for the first time, if nobody has looked. */
static int matters(const struct crash_course *course, unsigned int k)
{
	return course->seen ? course->seen[k] : course->anchor[k] == k;
}

static int chosen(struct choice *c, const struct crash_course *course,
		  unsigned int k)
{
	if (only_point >= 0)
		return (unsigned long)only_point == k;
	if (c->every_seen && k < course->total && matters(course, k) &&
	    c->nr_seen++ % c->every_seen == seed % c->every_seen)
		return 1;
	return k % c->every == seed % c->every;
}

static unsigned long divide_up(unsigned long a, unsigned long b)
{
	return (a + b - 1) / b;
}

static void choose(struct choice *c, const struct crash_course *course, int all)
{
	unsigned long seen = 0, some = limit < SOME ? limit : SOME;
	unsigned int k;

	c->every = all ? 1 : divide_up(course->total, some);
	if (c->every < stride)
		c->every = stride;
	c->every_seen = c->nr_seen = 0;
	if (all)
		return;
	for (k = 0; k < course->total; k++)
		seen += (unsigned long)matters(course, k);
	/* Half of them where it matters. */
	c->every_seen = seen ? divide_up(2 * seen, some) : 1;
	if (c->every_seen < stride)
		c->every_seen = stride;
	c->every *= 2;
}

struct tally {
	unsigned int killed, of, failed;
};

/* All kill points, in the order of the operation. */
static void play_all(const struct crash_scenario *s,
		     const struct crash_course *course, struct choice *choice,
		     struct tally *t)
{
	struct crash_point point = { 0 };
	int ret, missed = 0;

	for (;;) {
		int longer = point.steps >= course->steps[point.calls];
		int taken = chosen(choice, course, point.index);

		ret = 1;
		/*
		 * Behind what was measured there may be more this time; that
		 * is found out only where all are taken.
		 */
		if (longer && (choice->every > 1 || choice->every_seen ||
			       only_point >= 0))
			ret = 0;
		else if (taken)
			ret = play(s, course, &point);
		if (ret < 0) {
			t->failed++;
			if (t->failed >= MAX_FAILURES)
				return;
		}
		/*
		 * Who others were before, or whose time was up, comes by a
		 * shorter way this once; no reason to leave out all that follows.
		 */
		if (ret && taken)
			missed = 0;
		else if (!ret && !longer && ++missed < MISSES)
			taken = 0;
		else if (!ret)
			missed = MISSES;
		if (missed < MISSES) {
			t->killed += (unsigned int)taken;
			point.index++;
			point.steps++;
			continue;
		}
		missed = 0;
		/* This piece is over.  Does the call at its end sleep? */
		if (course->sleeps[point.calls]) {
			point.asleep = 1;
			point.index = course->first[point.calls] +
				      course->steps[point.calls];
			if (chosen(choice, course, point.index)) {
				ret = play(s, course, &point);
				t->failed += ret < 0;
				t->killed++;
			}
			point.asleep = 0;
		}
		if (point.calls >= course->nr_calls)
			break;
		point.calls++;
		point.steps = 0;
		point.index = course->first[point.calls];
	}
}

/* Where few kill points are wanted, of one way, and another with each seed. */
static int left_out(const struct crash_scenario *s)
{
	if (only_way >= 0)
		return (unsigned long)only_way != way;
	return limit <= FEW && s->ways > 1 && way != seed % s->ways;
}

static void play_scenario(const struct crash_scenario *s, unsigned int nr)
{
	static struct crash_course course;
	struct tally t = { 0 };
	struct choice choice;
	int all, partly = 0;

	for (way = 0; !way || way < s->ways; way++) {
		if (left_out(s))
			continue;
		playing = s->name;
		if (measure(s, &course, 0)) {
			t.failed++;
			break;
		}
		all = course.total <= limit;
		if (!all && (limit > FEW || course.total <= LOOK_STEPS) &&
		    measure(s, &course, 1)) {
			t.failed++;
			break;
		}
		choose(&choice, &course, all);
		partly |= choice.every > 1 || !all || only_point >= 0;
		t.of += course.total;
		play_all(s, &course, &choice, &t);
		/* The end itself was the first that was tried. */
		t.killed++;
	}
	operations++;
	points += t.killed;
	failures += t.failed;
	/* How many there are differs a little, where somebody else runs too. */
	if (!partly)
		printf("%s %u %s # %u kill points\n", t.failed ? "not ok" : "ok",
		       nr, s->name, t.killed);
	else
		printf("%s %u %s # %u of %u kill points\n",
		       t.failed ? "not ok" : "ok", nr, s->name, t.killed, t.of);
	fflush(stdout);
}

static int wanted(const struct crash_scenario *s, int argc, char **argv)
{
	int i;

	if (optind >= argc)
		return 1;
	for (i = optind; i < argc; i++)
		if (!strcmp(argv[i], s->name))
			return 1;
	return 0;
}

static int usage(const char *prog)
{
	fprintf(stderr, "usage: %s [-l] [-k KILL-POINT] [-w WAY] [SCENARIO]...\n"
		"-l lists the scenarios\n", prog);
	return 2;
}

static unsigned long from_env(const char *name, unsigned long none)
{
	const char *env = getenv(name);
	unsigned long n = env ? strtoul(env, NULL, 10) : none;

	return env && (n || !none) ? n : none;
}

static int can_trace(void)
{
	pid_t pid = child_fork();

	if (!pid)
		_exit(syscall(SYS_ptrace, 0, 0, 0, 0) ? 1 : 0);
	return !child_wait(pid);
}

static void run(int argc, char **argv)
{
	struct crash_scenario *s;
	unsigned int nr = 0;

	for (s = first; s; s = s->next)
		nr += (unsigned int)wanted(s, argc, argv);
	printf("TAP version 13\n1..%u\n", nr);
	nr = 0;
	for (s = first; s; s = s->next)
		if (wanted(s, argc, argv))
			play_scenario(s, ++nr);
	printf("# crash points: %lu operations, %lu kill points, %lu failures\n",
	       operations, points, failures);
}

int main(int argc, char **argv)
{
	struct crash_scenario *s;
	int opt;

	while ((opt = getopt(argc, argv, "lk:w:")) >= 0) {
		if (opt == 'l') {
			for (s = first; s; s = s->next)
				printf("%s\n", s->name);
			return 0;
		}
		if (opt == 'k')
			only_point = strtol(optarg, NULL, 10);
		else if (opt == 'w')
			only_way = strtol(optarg, NULL, 10);
		else
			return usage(argv[0]);
	}
	crash_driver = getpid();
	crash_shared = shared_alloc(sizeof(*crash_shared));
	stride = from_env("CRASH_STRIDE", 1);
	seed = from_env("CRASH_SEED", 0);
	limit = from_env("CRASH_LIMIT", limit);
	if (!can_trace()) {
		printf("TAP version 13\n1..0 # SKIP ptrace is not permitted\n");
		return HARNESS_EXIT_SKIP;
	}
	run(argc, argv);
	return failures ? HARNESS_EXIT_FAIL : 0;
}

#else

int main(void)
{
	printf("TAP version 13\n1..0 # SKIP single steps are counted on x86-64 only\n");
	return HARNESS_EXIT_SKIP;
}

#endif
