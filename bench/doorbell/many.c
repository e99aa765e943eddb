// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Many conditions of one sleeper, many sleepers, and rings that concern none.
 *
 * The sleeper has the higher priority: it runs as soon as it is woken, until it
 * sleeps again.  So what one call of the producer takes is the whole cycle: its
 * own part, both switches, the sleeper's way out, what it does and its way in.
 */

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "doorbell.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define SOURCES	64
#define ROUNDS	640		/* each source ten times */

static struct stage stage;
static uint64_t *cycles;	/* of the sleeper, shared */

/* --- 64 sources ---------------------------------------------------------- */

struct sources {
	const char *name;
	void (*make)(void);
	void (*sleeper)(void);
	void (*tell)(unsigned int i);
};

static uint32_t *futexes;
static int files[SOURCES];

static void make_bells(void)
{
	stage_create(&stage, "many", 2, 2, 0);
}

static void bell_sleeper(void)
{
	struct shmchan_wait_elem elems[SOURCES];
	struct shmchan_wait w = {
		.size = sizeof(w),
		.elems = (uintptr_t)elems,
		.nr_elems = SOURCES,
		.clockid = CLOCK_MONOTONIC,
		.deadline = SHMCHAN_FOREVER,
	};
	struct stage s;
	unsigned int i;

	stage_join(&s, &stage, 1);
	for (i = 0; i < SOURCES; i++)
		elems[i] = stage_elem(&s, 2, i, 0);
	for (;;) {
		if (ioctl(s.fd, SHMCHAN_IOC_WAIT, &w))
			die("WAIT: %s", strerror(errno));
		elems[w.index].value++;
		if (elems[w.index].value != *stage_word(&s, w.index))
			die("WAIT: the wrong element");
		++*cycles;
	}
}

static void bell_tell(unsigned int i)
{
	struct shmchan_ring r = { .size = sizeof(r), .doorbell = 2 };

	__atomic_fetch_add(stage_word(&stage, i), 1, __ATOMIC_SEQ_CST);
	if (ioctl(stage.fd, SHMCHAN_IOC_RING, &r))
		die("RING: %s", strerror(errno));
}

/* The same with a word that sums up: a bit for each source. */
static void sum_sleeper(void)
{
	struct shmchan_wait_elem elem;
	struct shmchan_wait w = {
		.size = sizeof(w),
		.elems = (uintptr_t)&elem,
		.nr_elems = 1,
		.clockid = CLOCK_MONOTONIC,
		.deadline = SHMCHAN_FOREVER,
	};
	struct stage s;

	stage_join(&s, &stage, 1);
	elem = stage_elem(&s, 2, 0, 0);
	for (;;) {
		if (ioctl(s.fd, SHMCHAN_IOC_WAIT, &w))
			die("WAIT: %s", strerror(errno));
		if (!__atomic_exchange_n(stage_word(&s, 0), 0,
					 __ATOMIC_SEQ_CST))
			die("WAIT: no bit");
		++*cycles;
	}
}

static void sum_tell(unsigned int i)
{
	struct shmchan_ring r = { .size = sizeof(r), .doorbell = 2 };

	__atomic_fetch_or(stage_word(&stage, 0), 1ULL << i, __ATOMIC_SEQ_CST);
	if (ioctl(stage.fd, SHMCHAN_IOC_RING, &r))
		die("RING: %s", strerror(errno));
}

static void make_futexes(void)
{
	futexes = shared_memory(PAGE);
}

static void futex_sleeper(void)
{
	struct futex_waitv w[SOURCES];
	unsigned int i;
	long ret;

	for (i = 0; i < SOURCES; i++)
		w[i] = (struct futex_waitv) {
			.uaddr = (uintptr_t)&futexes[16 * i],
			.flags = FUTEX_32,
		};
	for (;;) {
		ret = syscall(SYS_futex_waitv, w, SOURCES, 0, NULL,
			      CLOCK_MONOTONIC);
		if (ret < 0)
			die("futex_waitv: %s", strerror(errno));
		w[ret].val++;
		++*cycles;
	}
}

static void futex_tell(unsigned int i)
{
	__atomic_fetch_add(&futexes[16 * i], 1, __ATOMIC_SEQ_CST);
	if (syscall(SYS_futex, &futexes[16 * i], FUTEX_WAKE, 1, NULL, NULL,
		    0) != 1)
		die("FUTEX_WAKE");
}

static void make_files(void)
{
	unsigned int i;

	for (i = 0; i < SOURCES; i++) {
		if (files[i] > 0)
			close(files[i]);
		files[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (files[i] < 0)
			die("eventfd: %s", strerror(errno));
	}
}

static void epoll_loop(uint32_t edge)
{
	struct epoll_event event;
	int set = epoll_create1(0);
	unsigned int i;
	uint64_t v;

	for (i = 0; i < SOURCES; i++) {
		event = (struct epoll_event) {
			.events = EPOLLIN | edge,
			.data.u32 = i,
		};
		if (epoll_ctl(set, EPOLL_CTL_ADD, files[i], &event))
			die("epoll: %s", strerror(errno));
	}
	for (;;) {
		if (epoll_wait(set, &event, 1, -1) != 1)
			die("epoll: %s", strerror(errno));
		if (!edge && read(files[event.data.u32], &v, 8) != 8)
			die("read: %s", strerror(errno));
		++*cycles;
	}
}

static void epoll_sleeper(void)
{
	epoll_loop(0);
}

static void epoll_edge_sleeper(void)
{
	epoll_loop(EPOLLET);
}

static void file_tell(unsigned int i)
{
	uint64_t v = 1;

	if (write(files[i], &v, 8) != 8)
		die("write: %s", strerror(errno));
}

static const struct sources sources[] = {
	{ "WAIT on 64 conditions of one doorbell", make_bells, bell_sleeper,
	  bell_tell },
	{ "futex_waitv on 64", make_futexes, futex_sleeper, futex_tell },
	{ "epoll on 64 eventfds, each read", make_files, epoll_sleeper,
	  file_tell },
	{ "the same, edge-triggered, not read", make_files, epoll_edge_sleeper,
	  file_tell },
	{ "WAIT on one word with a bit for each of 64", make_bells, sum_sleeper,
	  sum_tell },
};

/* A child that is asleep at priority 2; we are at 1. */
static pid_t start_sleeper(void (*fn)(void))
{
	pid_t pid = start_child();

	if (!pid) {
		be_fifo(2);
		fn();
		_exit(1);
	}
	await_sleep(pid);
	return pid;
}

static double measure_source(const struct sources *s)
{
	static struct costs costs;
	unsigned int i;
	uint64_t before;
	double cost;
	pid_t pid;

	s->make();
	pid = start_sleeper(s->sleeper);
	costs.nr = 0;
	for (i = 0; i < ROUNDS; i++) {
		before = *cycles;
		TIMED(&costs, s->tell(i * 7 % SOURCES));
		if (*cycles != before + 1)
			die("%s: %llu cycles, not one", s->name,
			    (unsigned long long)(*cycles - before));
	}
	end_child(pid);
	if (s->make == make_bells)
		stage_leave(&stage);
	cost = (double)costs_median(&costs);
	value(s->name, cost, 0);
	return cost;
}

static void measure_sources(void)
{
	double cost[COUNT(sources)];
	size_t i;

	heading("one of 64 changes: the whole cycle, instructions");
	for (i = 0; i < COUNT(sources); i++)
		cost[i] = measure_source(&sources[i]);
	wanted_most("WAIT / futex_waitv", cost[0] / cost[1], 0.6, 2);
	wanted_most("WAIT / epoll", cost[0] / cost[2], 0.5, 2);
	value("WAIT / epoll, edge-triggered", cost[0] / cost[3], 2);
	value("WAIT on one word / epoll", cost[4] / cost[2], 2);
}

/* --- one of many who are idle -------------------------------------------- */

#define PER_REGION	4000U
#define REGIONS		3

static struct stage crowd[REGIONS];
static const char *const crowd_names[REGIONS] = { "crowd0", "crowd1", "crowd2" };

struct place {
	unsigned int region;
	unsigned int slot;
};

/* The first slot of each region is the producer's. */
static struct place place_of(unsigned int n)
{
	return (struct place) { n % REGIONS, 1 + n / REGIONS };
}

/* A member of its own, on its own doorbell. */
static void *idle_main(void *arg)
{
	struct place p = place_of((unsigned int)(uintptr_t)arg);
	struct stage *s = &crowd[p.region];
	struct shmchan_wait_elem e = stage_elem(s, p.slot + 1, 3, 0);
	int fd = must(region_join(crowd_names[p.region], p.slot), "JOIN");

	must(wait_for(fd, &e, 1, SHMCHAN_FOREVER), "WAIT");
	die("an idle member woke");
	return NULL;
}

static long start_idle(long from, long to)
{
	pthread_attr_t attr;
	pthread_t thread;
	long i;
	int ret;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 32768);
	for (i = from; i < to; i++) {
		ret = pthread_create(&thread, &attr, idle_main,
				     (void *)(uintptr_t)i);
		if (ret)
			die("thread %ld: %s", i, strerror(ret));
	}
	return 0;
}

#define TARGET	0U	/* its place */

static void target_sleeper(void)
{
	struct place p = place_of(TARGET);
	struct shmchan_wait_elem e;
	struct stage s;

	stage_join(&s, &crowd[p.region], p.slot);
	e = stage_elem(&s, p.slot + 1, 4, 0);
	for (;;) {
		must(wait_for(s.fd, &e, 1, SHMCHAN_FOREVER), "WAIT");
		if (*stage_word(&s, 4) == e.value)
			continue;
		e.value++;
		++*cycles;
	}
}

static void await_idle(unsigned int nr)
{
	unsigned int n;

	for (n = 1; n < nr; n++) {
		struct place p = place_of(n);
		struct stage *s = &crowd[p.region];

		if (!stage_waiters(s, p.slot + 1))
			stage_await(s, p.slot + 1, 1);
	}
	usleep(50000);
}

static double ring_one(bool wake)
{
	static struct costs costs;
	struct place p = place_of(TARGET);
	struct stage *s = &crowd[p.region];
	uint64_t before;
	unsigned int i;

	costs.nr = 0;
	for (i = 0; i < 301; i++) {
		before = *cycles;
		if (wake)
			__atomic_fetch_add(stage_word(s, 4), 1,
					   __ATOMIC_SEQ_CST);
		TIMED(&costs, ring(s->fd, p.slot + 1));
		if (*cycles != before + wake)
			die("%llu cycles, not %d",
			    (unsigned long long)(*cycles - before), wake);
	}
	return (double)costs_median(&costs);
}

static void measure_crowd(void)
{
	static const unsigned int sizes[] = { 1, 100, 10000 };
	double spurious, cost, first = 0;
	struct usage before, after;
	unsigned int there = 1;
	struct peer idle;
	char text[80];
	pid_t target;
	size_t i;

	heading("ring and wake of one, while others are joined and idle, each asleep\n"
		"on its own doorbell; 3 regions; instructions");
	for (i = 0; i < REGIONS; i++)
		stage_create(&crowd[i], crowd_names[i], PER_REGION,
			     PER_REGION, 0);
	target = start_sleeper(target_sleeper);
	be_ordinary();
	peer_start(&idle, 0);
	for (i = 0; i < COUNT(sizes); i++) {
		peer_call(&idle, start_idle, there, sizes[i]);
		there = sizes[i];
		await_idle(there);
		before = usage_of(idle.pid);
		be_fifo(1);
		cost = ring_one(true);
		spurious = ring_one(false);
		be_ordinary();
		after = usage_of(idle.pid);
		snprintf(text, sizeof(text), "%u members: ring, wake, sleep again",
			 there);
		value(text, cost, 0);
		snprintf(text, sizeof(text), "%u members: a ring for nothing",
			 there);
		value(text, spurious, 0);
		snprintf(text, sizeof(text), "%u members: switches of the idle",
			 there);
		wanted_exactly(text,
			       (double)(after.switches - before.switches), 0,
			       0);
		snprintf(text, sizeof(text),
			 "%u members: run time of the idle, ns", there);
		wanted_exactly(text, (double)(after.run - before.run), 0, 0);
		if (!i)
			first = cost;
	}
	wanted_most("10000 members / 1 member", cost / first, 1.02, 2);
	peer_stop(&idle);
	end_child(target);
	for (i = 0; i < REGIONS; i++)
		stage_leave(&crowd[i]);
	be_fifo(1);
}

/* --- rings that concern nobody ------------------------------------------- */

#define SPURIOUS	10000

static unsigned int sleeper_conditions;

static void unconcerned_sleeper(void)
{
	struct shmchan_wait_elem elems[SOURCES];
	struct stage s;
	unsigned int i;

	stage_join(&s, &stage, 1);
	for (i = 0; i < sleeper_conditions; i++)
		elems[i] = stage_elem(&s, 2, i, 0);
	must(wait_for(s.fd, elems, sleeper_conditions, SHMCHAN_FOREVER),
	     "WAIT");
	die("a sleeper woke");
}

static void measure_spurious(void)
{
	static const unsigned int sizes[] = { 1, 64 };
	struct switches before, after;
	uint64_t start;
	unsigned int i, k;
	char text[80];
	double cost;
	pid_t pid;

	heading("10,000 rings whose sleeper's conditions are unchanged");
	for (k = 0; k < COUNT(sizes); k++) {
		make_bells();
		sleeper_conditions = sizes[k];
		pid = start_sleeper(unconcerned_sleeper);
		before = switches_of(pid);
		start = count();
		for (i = 0; i < SPURIOUS; i++)
			must(ring(stage.fd, 2), "RING");
		cost = (double)(count() - start) / SPURIOUS;
		after = switches_of(pid);
		end_child(pid);
		stage_leave(&stage);
		snprintf(text, sizeof(text), "a ring, %u conditions, instructions",
			 sizes[k]);
		value(text, cost, 0);
		snprintf(text, sizeof(text), "switches of the sleeper, %u conditions",
			 sizes[k]);
		wanted_exactly(text,
			       (double)(after.voluntary - before.voluntary +
					after.forced - before.forced), 0, 0);
	}
}

void measure_many(void)
{
	raise_files(20000);
	cycles = shared_memory(PAGE);
	pin_to(0);
	be_fifo(1);
	measure_sources();
	measure_spurious();
	measure_crowd();
	be_ordinary();
}
