// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A round trip between two processes on one processor, both of which sleep:
 * the one tells the other and sleeps until it is told; and what parts of that
 * cost.
 *
 * Two switches from one to the other are in each.  With one processor nothing
 * is a race and, counted in instructions, nearly nothing varies.
 */

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <shmchan/bell.h>

#include "doorbell.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define WARM	300
#define BLOCKS	31
#define TRIPS	64

/* Of each side: what it is told, and the word that it tells by. */
struct side {
	struct stage stage;
	unsigned int own_bell;
	unsigned int peer_bell;
	unsigned int own_word;		/* that it waits for */
	unsigned int peer_word;
	int in;
	int out;
	uint64_t seen;
	uint64_t said;
	struct shmchan_ring_wait rw;
	struct shmchan_wait_elem elem;
	struct shmchan_region *region;
};

/* Tell the other; wait to be told. */
struct mechanism {
	const char *name;
	void (*turn)(struct side *s);
	/* The one that is told first. */
	void (*first)(struct side *s);
	int (*files)(int fds[2]);
	bool bells;
	bool library;
};

static uint64_t load(const struct side *s)
{
	return __atomic_load_n(stage_word(&s->stage, s->own_word),
			       __ATOMIC_ACQUIRE);
}

static void say(struct side *s)
{
	__atomic_store_n(stage_word(&s->stage, s->peer_word), ++s->said,
			 __ATOMIC_SEQ_CST);
}

static bool told(struct side *s)
{
	if (load(s) == s->seen)
		return false;
	s->seen++;
	return true;
}

/* --- doorbells ----------------------------------------------------------- */

static void make_wait(struct side *s)
{
	s->elem = stage_elem(&s->stage, s->own_bell, s->own_word, s->seen);
	s->rw = (struct shmchan_ring_wait) {
		.size = sizeof(s->rw),
		.doorbell = s->peer_bell,
		.wait = {
			.size = sizeof(s->rw.wait),
			.elems = (uintptr_t)&s->elem,
			.nr_elems = 1,
			.clockid = CLOCK_MONOTONIC,
			.deadline = SHMCHAN_FOREVER,
		},
	};
}

static void bell_wait(struct side *s)
{
	while (!told(s)) {
		s->elem.value = s->seen;
		if (ioctl(s->stage.fd, SHMCHAN_IOC_WAIT, &s->rw.wait))
			die("WAIT: %s", strerror(errno));
	}
}

static void ring_wait_turn(struct side *s)
{
	say(s);
	s->elem.value = s->seen;
	if (ioctl(s->stage.fd, SHMCHAN_IOC_RING_WAIT, &s->rw))
		die("RING_WAIT: %s", strerror(errno));
	bell_wait(s);
}

static void ring_then_wait_turn(struct side *s)
{
	struct shmchan_ring r = { .size = sizeof(r), .doorbell = s->peer_bell };

	say(s);
	if (ioctl(s->stage.fd, SHMCHAN_IOC_RING, &r))
		die("RING: %s", strerror(errno));
	bell_wait(s);
}

static void library_first(struct side *s)
{
	struct shmchan_wait_elem e;

	while (!told(s)) {
		e = shmchan_elem64(s->own_bell, s->elem.offset, s->seen);
		must(shmchan_bell_wait(s->region, &e, 1, SHMCHAN_FOREVER, NULL),
		     "shmchan_bell_wait");
	}
}

static void library_turn(struct side *s)
{
	struct shmchan_wait_elem e = shmchan_elem64(s->own_bell, s->elem.offset,
						    s->seen);

	say(s);
	must(shmchan_bell_ring_wait(s->region, s->peer_bell, 0, &e, 1,
				    SHMCHAN_FOREVER, NULL),
	     "shmchan_bell_ring_wait");
	library_first(s);
}

/* --- futexes, on ordinary shared memory ---------------------------------- */

static uint32_t *half(struct side *s, unsigned int word)
{
	return (uint32_t *)(void *)stage_word(&s->stage, word);
}

static void futex_first(struct side *s)
{
	while (!told(s))
		if (syscall(SYS_futex, half(s, s->own_word), FUTEX_WAIT,
			    (uint32_t)s->seen, NULL, NULL, 0) &&
		    errno != EAGAIN)
			die("FUTEX_WAIT: %s", strerror(errno));
}

static void futex_wake(struct side *s)
{
	say(s);
	if (syscall(SYS_futex, half(s, s->peer_word), FUTEX_WAKE, 1, NULL, NULL,
		    0) < 0)
		die("FUTEX_WAKE: %s", strerror(errno));
}

static void futex_turn(struct side *s)
{
	futex_wake(s);
	futex_first(s);
}

static void waitv_first(struct side *s)
{
	struct futex_waitv w = {
		.uaddr = (uintptr_t)half(s, s->own_word),
		.flags = FUTEX_32,
	};

	while (!told(s)) {
		w.val = (uint32_t)s->seen;
		if (syscall(SYS_futex_waitv, &w, 1, 0, NULL,
			    CLOCK_MONOTONIC) < 0 &&
		    errno != EAGAIN)
			die("futex_waitv: %s", strerror(errno));
	}
}

static void waitv_turn(struct side *s)
{
	futex_wake(s);
	waitv_first(s);
}

/* --- files --------------------------------------------------------------- */

static void file_first(struct side *s)
{
	uint64_t v;

	if (read(s->in, &v, sizeof(v)) != sizeof(v))
		die("read: %s", strerror(errno));
}

static void file_turn(struct side *s)
{
	uint64_t v = 1;

	if (write(s->out, &v, sizeof(v)) != sizeof(v))
		die("write: %s", strerror(errno));
	file_first(s);
}

static int make_eventfd(int fds[2])
{
	fds[0] = eventfd(0, EFD_CLOEXEC);
	fds[1] = fds[0];
	return fds[0] < 0 ? -1 : 0;
}

static int make_pipe(int fds[2])
{
	return pipe(fds);
}

static int make_sockets(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds);
}

/* --- the machine's own limit --------------------------------------------- */

static void yield_turn(struct side *s)
{
	(void)s;
	sched_yield();
}

static void yield_first(struct side *s)
{
	(void)s;
}

enum { RING_WAIT, RING_THEN_WAIT, LIBRARY, FUTEX, WAITV, EVENTFD, PIPE,
       SOCKETS, YIELD };

static const struct mechanism mechanisms[] = {
	[RING_WAIT] = {
		.name = "ring-wait",
		.turn = ring_wait_turn,
		.first = bell_wait,
		.bells = true,
	},
	[RING_THEN_WAIT] = {
		.name = "ring, then wait",
		.turn = ring_then_wait_turn,
		.first = bell_wait,
		.bells = true,
	},
	[LIBRARY] = {
		.name = "ring-wait, through the library",
		.turn = library_turn,
		.first = library_first,
		.library = true,
		.bells = true,
	},
	[FUTEX] = {
		.name = "futex",
		.turn = futex_turn,
		.first = futex_first,
	},
	[WAITV] = {
		.name = "futex and futex_waitv of one",
		.turn = waitv_turn,
		.first = waitv_first,
	},
	[EVENTFD] = {
		.name = "eventfd",
		.turn = file_turn,
		.first = file_first,
		.files = make_eventfd,
	},
	[PIPE] = {
		.name = "pipe",
		.turn = file_turn,
		.first = file_first,
		.files = make_pipe,
	},
	[SOCKETS] = {
		.name = "AF_UNIX, SOCK_SEQPACKET",
		.turn = file_turn,
		.first = file_first,
		.files = make_sockets,
	},
	[YIELD] = {
		.name = "sched_yield of both: two switches",
		.turn = yield_turn,
		.first = yield_first,
	},
};

#define NAME	"roundtrip"

static struct shmchan_region *library_region(unsigned int slot)
{
	struct shmchan_open_opts opts = SHMCHAN_OPEN_OPTS(
		.backend = SHMCHAN_BACKEND_KMOD, .slot = slot);
	struct shmchan_region *region;

	must(shmchan_region_open(&region, NAME, &opts), shmchan_error_detail());
	return region;
}

__attribute__((noreturn))
static void other_side(const struct mechanism *m, const struct stage *of,
		       const int there[2], const int back[2])
{
	struct side s = {
		.own_bell = 2,
		.peer_bell = 1,
		.own_word = 1,
		.peer_word = 0,
		.in = there[0],
		.out = back[1],
	};

	s.stage = *of;
	if (m->bells)
		stage_join(&s.stage, of, 1);
	/* Slot 3 is the library's: one address space, two members. */
	if (m->library) {
		s.region = library_region(3);
		s.own_bell = 4;
		s.peer_bell = 3;
	}
	make_wait(&s);
	m->first(&s);
	for (;;)
		m->turn(&s);
}

/* @text: the beginning of its line. */
static double measure(const struct mechanism *m, char *text, size_t room)
{
	static struct costs costs;
	int there[2] = { -1, -1 }, back[2] = { -1, -1 };
	struct switches before[2], after[2];
	struct side s = {
		.own_bell = 1,
		.peer_bell = 2,
		.own_word = 0,
		.peer_word = 1,
	};
	unsigned int block, i;
	struct summary sum;
	pid_t pid;

	if (m->bells)
		stage_create(&s.stage, NAME, 4, 4, 0);
	else
		s.stage.words = shared_memory(PAGE);
	if (m->library) {
		s.region = library_region(2);
		s.own_bell = 3;
		s.peer_bell = 4;
	}
	if (m->files && (m->files(there) || m->files(back)))
		die("%s: %s", m->name, strerror(errno));
	s.in = back[0];
	s.out = there[1];
	make_wait(&s);
	pid = start_child();
	if (!pid)
		other_side(m, &s.stage, there, back);
	if (m->turn != yield_turn)
		await_sleep(pid);
	for (i = 0; i < WARM; i++)
		m->turn(&s);
	before[0] = switches_of(getpid());
	before[1] = switches_of(pid);
	costs.nr = 0;
	for (block = 0; block < BLOCKS; block++) {
		uint64_t start = count();

		for (i = 0; i < TRIPS; i++)
			m->turn(&s);
		costs_add(&costs, count() - start);
	}
	after[0] = switches_of(getpid());
	after[1] = switches_of(pid);
	end_child(pid);
	for (i = 0; i < 2; i++) {
		if (there[i] >= 0)
			close(there[i]);
		if (back[i] >= 0)
			close(back[i]);
	}
	shmchan_region_close(s.region);
	if (m->bells)
		stage_leave(&s.stage);
	else
		munmap(s.stage.words, PAGE);

	snprintf(text, room, "%-36s %5.2f %5.2f", m->name,
		 (double)(after[0].voluntary - before[0].voluntary +
			  after[1].voluntary - before[1].voluntary) /
		 (BLOCKS * TRIPS),
		 (double)(after[0].forced - before[0].forced +
			  after[1].forced - before[1].forced) /
		 (BLOCKS * TRIPS));
	sum = costs_summary(&costs);
	return (double)(instructions ? sum.median : sum.min) / TRIPS;
}

/* --- the parts of it ----------------------------------------------------- */

#define REPEAT(what, act) do {						\
	static struct costs _costs;					\
	unsigned int _i;						\
									\
	for (_i = 0; _i < 200; _i++) {					\
		act;							\
	}								\
	for (_i = 0; _i < 501; _i++)					\
		TIMED(&_costs, act);					\
	value(what, (double)costs_median(&_costs) - (double)nothing, 0);	\
} while (0)

static void sleeper(const struct stage *of, unsigned int bell)
{
	struct shmchan_wait_elem e;
	struct stage s;

	stage_join(&s, of, 1);
	e = stage_elem(&s, bell, 5, 0);
	for (;;)
		must(wait_for(s.fd, &e, 1, SHMCHAN_FOREVER), "WAIT");
}

static void measure_pieces(void)
{
	static struct costs empty;
	struct shmchan_wait_elem changed, same;
	struct shmchan_query q;
	struct stage s;
	uint64_t nothing;
	uint32_t word = 0;
	unsigned int i;
	int quiet;
	pid_t pid;

	heading("parts of it, one process alone");
	for (i = 0; i < 501; i++)
		TIMED(&empty, (void)0);
	nothing = costs_median(&empty);
	stage_create(&s, NAME, 4, 4, 0);
	changed = stage_elem(&s, 1, 3, 1);
	same = stage_elem(&s, 1, 3, 0);
	quiet = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (quiet < 0)
		die("eventfd: %s", strerror(errno));

	REPEAT("getppid: in and out", syscall(SYS_getppid));
	REPEAT("ioctl, no such call (on the member's file)",
	       ioctl(s.fd, _IO(SHMCHAN_IOC_TYPE, 0x7f), &q));
	REPEAT("RING, nobody there", ring(s.fd, 2));
	REPEAT("WAIT, changed already", wait_for(s.fd, &changed, 1,
						 SHMCHAN_FOREVER));
	REPEAT("WAIT, the deadline has passed: queued, not slept",
	       wait_for(s.fd, &same, 1, 0));
	REPEAT("FUTEX_WAKE, shared, nobody there",
	       syscall(SYS_futex, s.words, FUTEX_WAKE, 1, NULL, NULL, 0));
	REPEAT("FUTEX_WAIT, shared, changed already",
	       syscall(SYS_futex, s.words, FUTEX_WAIT, 1, NULL, NULL, 0));
	REPEAT("FUTEX_WAKE, private, nobody there",
	       syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	REPEAT("eventfd, a write and a read, nobody there", {
		uint64_t v = 1;

		if (write(quiet, &v, 8) != 8 || read(quiet, &v, 8) != 8)
			die("eventfd: %s", strerror(errno));
	});
	REPEAT("sched_yield, alone", sched_yield());

	pid = start_child();
	if (!pid)
		sleeper(&s, 2);
	stage_await(&s, 2, 1);
	REPEAT("RING, one sleeps whose condition is unchanged", ring(s.fd, 2));
	end_child(pid);
	close(quiet);
	stage_leave(&s);
}

/*
 * Instructions repeat.  Time, on a machine that others use, does not: the least
 * of what is measured in turns says most.
 */
static void measure_all(double *cost)
{
	unsigned int pass, passes = instructions ? 1 : 5;
	char texts[COUNT(mechanisms)][80];
	double c;
	size_t i;

	for (pass = 0; pass < passes; pass++) {
		for (i = 0; i < COUNT(mechanisms); i++) {
			if (only && strcmp(only, mechanisms[i].name))
				continue;
			c = measure(&mechanisms[i], texts[i], sizeof(texts[i]));
			if (!pass || c < cost[i])
				cost[i] = c;
		}
	}
	for (i = 0; i < COUNT(mechanisms); i++)
		if (!only || !strcmp(only, mechanisms[i].name))
			value(texts[i], cost[i], 0);
}

static void ratio(const char *what, double v, double most)
{
	/* In nanoseconds of an emulator they are told, and mean little. */
	if (instructions)
		wanted_most(what, v, most, 2);
	else
		value(what, v, 2);
}

void measure_roundtrip(void)
{
	double cost[COUNT(mechanisms)] = { 0 };
	char text[160];

	pin_to(0);
	snprintf(text, sizeof(text),
		 "%s per blocking round trip, two processes on one processor\n"
		 "%56s", unit, "switches: own will, forced");
	heading(text);
	measure_all(cost);
	if (only)
		return;
	heading("ratios");
	ratio("ring-wait / futex", cost[RING_WAIT] / cost[FUTEX], 0.75);
	ratio("ring-wait / eventfd", cost[RING_WAIT] / cost[EVENTFD], 0.85);
	ratio("ring-wait / pipe", cost[RING_WAIT] / cost[PIPE], 0.70);
	value("through the library / ring-wait", cost[LIBRARY] / cost[RING_WAIT],
	      2);

	heading("the same under SCHED_FIFO: nobody is preempted by whom it wakes");
	be_fifo(1);
	measure_all(cost);
	be_ordinary();
	heading("ratios");
	value("ring-wait / futex", cost[RING_WAIT] / cost[FUTEX], 2);
	value("ring-wait / eventfd", cost[RING_WAIT] / cost[EVENTFD], 2);
	value("ring-wait / pipe", cost[RING_WAIT] / cost[PIPE], 2);
	value("ring-wait / sched_yield", cost[RING_WAIT] / cost[YIELD], 2);
	measure_pieces();
}
