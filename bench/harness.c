// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Two pinned processes that walk through the same schedule.
 */

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

/*
 * How long a run takes: a block is to be over before the placement changes,
 * and a run, often enough, before somebody else gets the CPU.
 */
#define RAW_TARGET_NS		0.2e6
#define RUN_TARGET_NS		0.4e6
#define BLOCKING_TARGET_NS	5.0e6
/* How often a run that lost its CPU is tried again. */
#define MAX_REPEATS		20
/* Raw round trips around a block that differ by more: it does not count. */
#define RAW_TOLERANCE		1.3
/*
 * Turns of a barrier, before it sleeps and, awake again, looks whether anybody
 * is there.  Where CPUs are shared with others, who waits awake for a process
 * that has lost its CPU wastes its own share, and is gone when that returns.
 */
#define BARRIER_PATIENCE	(1U << 14)
#define BARRIER_SLEEP_NS	20000000

/* What the two tell each other between the measurements. */
struct sync {
	struct {
		uint32_t count;
		uint32_t asleep;	/* the other one, waiting for count */
		uint64_t pad[15];
	} arrived[2];
	uint64_t n;		/* of the next run; written by A */
	uint64_t stop;
	uint64_t switches[2];	/* involuntary ones in the last run */
};

unsigned int bench_idle_pauses = 8;

static struct sync *sync_area;
static enum bench_side my_side;
static pid_t child;

void bench_die(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "bench: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	if (child > 0)
		kill(child, SIGKILL);
	exit(1);
}

void *bench_shared(size_t size)
{
	const size_t huge = 2u << 20;
	size_t room = ((size + huge - 1) & ~(huge - 1)) + huge;
	char *p = mmap(NULL, room, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		bench_die("no %zu bytes of shared memory: %s", size,
			  strerror(errno));
	p = (char *)(((uintptr_t)p + huge - 1) & ~(huge - 1));
	/* Faults belong into the preparation. */
	memset(p, 0, size);
	return p;
}

enum bench_class bench_classify(double raw_ns)
{
	if (raw_ns < BENCH_S_BELOW_NS)
		return BENCH_S;
	return raw_ns < BENCH_C_BELOW_NS ? BENCH_C : BENCH_X;
}

char bench_class_letter(enum bench_class cls)
{
	return "SCX"[cls];
}

/* The one who is alone has nothing to wait for. */
static void look_for_other(void)
{
	int status;

	/* B gets SIGKILL when A ends. */
	if (my_side == BENCH_B || waitpid(child, &status, WNOHANG) != child)
		return;
	child = 0;
	bench_die("the second process ended: %s %d",
		  WIFSIGNALED(status) ? "signal" : "status",
		  WIFSIGNALED(status) ? WTERMSIG(status) :
					WEXITSTATUS(status));
}

void bench_barrier(void)
{
	static const struct timespec limit = { .tv_nsec = BARRIER_SLEEP_NS };
	static uint32_t count;
	uint32_t *mine = &sync_area->arrived[my_side].count;
	uint32_t *other = &sync_area->arrived[!my_side].count;
	uint32_t *asleep = &sync_area->arrived[!my_side].asleep;
	uint32_t seen, turns = 0;

	__atomic_store_n(mine, ++count, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&sync_area->arrived[my_side].asleep,
			    __ATOMIC_SEQ_CST))
		syscall(SYS_futex, mine, FUTEX_WAKE, 1, NULL, NULL, 0);
	/* The other may be one barrier ahead of us, and no more. */
	while ((int32_t)((seen = __atomic_load_n(other, __ATOMIC_SEQ_CST)) -
			 count) < 0) {
		if (++turns % BARRIER_PATIENCE)
			continue;
		__atomic_store_n(asleep, 1, __ATOMIC_SEQ_CST);
		syscall(SYS_futex, other, FUTEX_WAIT, seen, &limit, NULL, 0);
		__atomic_store_n(asleep, 0, __ATOMIC_SEQ_CST);
		look_for_other();
	}
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return 1e9 * (double)ts.tv_sec + (double)ts.tv_nsec;
}

static uint64_t involuntary_switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_nivcsw;
}

static void check_sum(const struct bench_case *c, uint64_t n, uint64_t sum)
{
	uint64_t expected = bench_expected(c, my_side, n);

	if (sum != expected)
		bench_die("%s: after %llu records the sum is %llu, not %llu",
			  c->name, (unsigned long long)n,
			  (unsigned long long)sum,
			  (unsigned long long)expected);
}

/*
 * One run on both sides: nanoseconds per operation.  *switches: how often one
 * of the two lost its CPU.
 */
static double run_once(struct bench_case *c, uint64_t n, uint64_t *switches)
{
	uint64_t sum, before;
	double start, end;

	if (my_side == BENCH_A)
		sync_area->n = n;
	bench_barrier();
	n = sync_area->n;
	bench_barrier();
	before = involuntary_switches();
	start = now_ns();
	sum = c->run(c, my_side, n);
	end = now_ns();
	before = involuntary_switches() - before;
	check_sum(c, n, sum);
	sync_area->switches[my_side] = before;
	bench_barrier();
	*switches = sync_area->switches[BENCH_A] +
		    sync_area->switches[BENCH_B];
	return (end - start) / (double)n;
}

/*
 * A run in which nobody lost its CPU, tried some times.  *lost counts the runs
 * that were repeated, and is raised beyond MAX_REPEATS if none succeeded.  A
 * sleeper often loses its CPU by being woken: there it means nothing.
 */
static double measure(struct bench_case *c, uint64_t n, uint32_t *lost)
{
	uint64_t switches;
	uint32_t i;
	double ns;

	for (i = 0; i <= MAX_REPEATS; i++) {
		ns = run_once(c, n, &switches);
		if (!switches || c->kind == BENCH_BLOCKING)
			return ns;
		++*lost;
	}
	*lost += BENCH_GAVE_UP;
	return ns;
}

/* How many operations make a run of about the time that we want. */
static uint64_t operations(const struct bench_case *c, double ns)
{
	double target = RUN_TARGET_NS;
	uint64_t n;

	if (c->kind == BENCH_BLOCKING)
		target = BLOCKING_TARGET_NS;
	if (!strcmp(c->who, "raw") && c->kind == BENCH_RTT)
		target = RAW_TARGET_NS;
	n = (uint64_t)(target / ns);
	/* At least some turns of the ring. */
	if (c->kind == BENCH_STREAM && n < 2 * c->ring / c->size)
		n = 2 * c->ring / c->size;
	if (n < 64)
		n = 64;
	return n - n % c->batch;
}

/*
 * All cases of a block there and back, with the raw round trip around them.
 * Each case's number of operations follows its last speed.
 */
static void run_block(struct bench_plan *plan, struct bench_case *raw,
		      double *raw_ns, double *case_ns)
{
	static struct bench_sample scratch;
	struct bench_sample *s = &scratch;
	uint32_t i, pass, lost = 0;
	uint64_t n;
	double ns;

	if (my_side == BENCH_A)
		s = &plan->samples[plan->nr_samples];
	memset(s, 0, sizeof(*s));
	*raw_ns = measure(raw, operations(raw, *raw_ns), &lost);
	s->raw[0] = *raw_ns;
	for (pass = 0; pass < 2 * plan->nr_cases; pass++) {
		i = pass < plan->nr_cases ? pass :
			2 * plan->nr_cases - 1 - pass;
		n = operations(plan->cases[i], case_ns[i]);
		ns = measure(plan->cases[i], n, &lost);
		case_ns[i] = ns;
		s->ns[i] += ns / 2;
		s->n[i] = n;
	}
	*raw_ns = measure(raw, operations(raw, *raw_ns), &lost);
	s->raw[1] = *raw_ns;
	s->cls = bench_classify((s->raw[0] + s->raw[1]) / 2);
	s->repeats = lost % BENCH_GAVE_UP;
	if (lost >= BENCH_GAVE_UP)
		s->verdict = BENCH_DISTURBED;
	else if (s->raw[0] > RAW_TOLERANCE * s->raw[1] ||
		 s->raw[1] > RAW_TOLERANCE * s->raw[0])
		s->verdict = BENCH_MOVED;
	else
		s->verdict = BENCH_KEPT;
	if (my_side == BENCH_A)
		plan->nr_samples++;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		bench_die("cannot run on CPU %d: %s", cpu, strerror(errno));
}

static void attach_all(struct bench_plan *plans, uint32_t nr_plans)
{
	uint32_t p, i;
	int err;

	for (p = 0; p < nr_plans; p++) {
		for (i = 0; i < plans[p].nr_cases; i++) {
			struct bench_case *c = plans[p].cases[i];

			if (!c->attach)
				continue;
			err = c->attach(c, my_side);
			if (err)
				bench_die("%s: attach: %s", c->name,
					  strerror(-err));
		}
	}
}

static void detach_all(struct bench_plan *plans, uint32_t nr_plans)
{
	uint32_t p, i;

	for (p = 0; p < nr_plans; p++)
		for (i = 0; i < plans[p].nr_cases; i++)
			if (plans[p].cases[i]->detach)
				plans[p].cases[i]->detach(plans[p].cases[i]);
}

/* Both sides: rounds until A says stop.  Returns how many. */
static uint32_t rounds(struct bench_plan *plans, uint32_t nr_plans,
		       struct bench_case *raw, const struct bench_opts *opts)
{
	double case_ns[BENCH_MAX_BLOCKS][BENCH_MAX_CASES];
	double raw_ns = 200, end = now_ns() + 1e9 * opts->seconds;
	uint32_t p, i, ignored = 0, round = 0;

	/* A guess to begin with: 64 operations. */
	for (p = 0; p < nr_plans; p++)
		for (i = 0; i < plans[p].nr_cases; i++)
			case_ns[p][i] = measure(plans[p].cases[i], 64,
						&ignored);
	do {
		for (p = 0; p < nr_plans; p++)
			run_block(&plans[p], raw, &raw_ns, case_ns[p]);
		/* The first round warms up and finds the right lengths. */
		if (!round && my_side == BENCH_A)
			for (p = 0; p < nr_plans; p++)
				plans[p].nr_samples = 0;
		round++;
		if (my_side == BENCH_A)
			sync_area->stop = now_ns() >= end ||
					  round > opts->max_rounds;
		bench_barrier();
	} while (!sync_area->stop);
	return round - 1;
}

static struct bench_case *find_case(const char *name)
{
	struct bench_case *tables[] = {
		bench_raw_cases, bench_sleep_cases, bench_lane_cases,
		bench_channel_cases, bench_spsc_cases, bench_rte_cases,
	};
	struct bench_case *c;
	size_t i;

	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (c = tables[i]; c->name; c++)
			if (!strcmp(c->name, name))
				return c;
	return NULL;
}

uint32_t bench_plan_init(struct bench_plan *plan,
			 const struct bench_block *block)
{
	struct bench_case *c;
	uint32_t i;

	memset(plan, 0, sizeof(*plan));
	plan->block = block;
	plan->peer = -1;
	for (i = 0; i < BENCH_MAX_CASES && block->cases[i]; i++) {
		c = find_case(block->cases[i]);
		if (!c)
			continue;
		if (block->peer && !strcmp(block->peer, c->name))
			plan->peer = (int)plan->nr_cases;
		plan->cases[plan->nr_cases++] = c;
	}
	return plan->nr_cases;
}

uint32_t bench_run(struct bench_plan *plans, uint32_t nr_plans,
		   const struct bench_opts *opts)
{
	struct bench_case *raw = find_case("raw-rtt");
	uint32_t p, i, nr;
	int err;

	sync_area = bench_shared(sizeof(*sync_area));
	raw->create(raw);
	for (p = 0; p < nr_plans; p++) {
		plans[p].samples = calloc(opts->max_rounds + 1,
					  sizeof(*plans[p].samples));
		if (!plans[p].samples)
			bench_die("no memory for %u rounds", opts->max_rounds);
		for (i = 0; i < plans[p].nr_cases; i++) {
			struct bench_case *c = plans[p].cases[i];

			err = c->priv ? 0 : c->create(c);
			if (err)
				bench_die("%s: create: %s", c->name,
					  strerror(-err));
		}
	}
	fflush(NULL);
	child = fork();
	if (child < 0)
		bench_die("fork: %s", strerror(errno));
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		my_side = BENCH_B;
	}
	pin(opts->cpus[my_side]);
	attach_all(plans, nr_plans);
	nr = rounds(plans, nr_plans, raw, opts);
	detach_all(plans, nr_plans);
	if (my_side == BENCH_B)
		_exit(0);
	waitpid(child, NULL, 0);
	child = 0;
	return nr;
}
