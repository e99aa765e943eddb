// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * System calls per message, through the library: as the handles count them, and
 * as the kernel's tracepoint does, for each process by itself.
 */

#include <errno.h>
#include <linux/futex.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/spsc.h>

#include "doorbell.h"

#define SECOND	1000000000LL

/* What the two of a measurement tell the first process. */
static struct {
	uint32_t ready;
	uint64_t calls[2];	/* that the kernel saw */
	uint64_t own[2];	/* that the handles counted */
	uint32_t futex_head;
	uint32_t futex_tail;
	uint64_t cells[1024];
} *shared;

/* --- the kernel's count -------------------------------------------------- */

static int counter = -1;

static long tracepoint(void)
{
	static const char path[] =
		"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id";
	FILE *f = fopen(path, "re");
	long id;

	if (!f || fscanf(f, "%ld", &id) != 1)
		die("%s: %s", path, strerror(errno));
	fclose(f);
	return id;
}

/*
 * From now on, this process's; but reading the clock, which on hardware is no
 * call, and is one in guests that find their clock unfit for it.
 */
static void count_calls(void)
{
	char filter[32];
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = (uint64_t)tracepoint(),
	};

	counter = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	if (counter < 0)
		die("perf_event_open: %s", strerror(errno));
	snprintf(filter, sizeof(filter), "id != %d", SYS_clock_gettime);
	if (ioctl(counter, PERF_EVENT_IOC_SET_FILTER, filter))
		die("perf filter: %s", strerror(errno));
}

/* So far, and this one. */
static uint64_t calls(void)
{
	uint64_t v;

	if (read(counter, &v, sizeof(v)) != sizeof(v))
		die("counter: %s", strerror(errno));
	return v;
}

/* The two begin together; no call is made here once both are ready. */
static void meet(void)
{
	__atomic_fetch_add(&shared->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < 2)
		sched_yield();
}

/* --- two processes ------------------------------------------------------- */

struct work {
	const char *name;
	/* Until the last message; gives what the handles counted. */
	uint64_t (*side[2])(uint64_t messages);
	unsigned int cpus;	/* 2: each has its own */
	int64_t spin_ns;
	unsigned int burst;
};

static const struct work *work;

static void open_channel(struct shmchan_spsc *ch, const char *name,
			 enum shmchan_spsc_role role)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1, .capacity = 65536,
		.spin_ns = work->spin_ns);

	must(shmchan_spsc_open(ch, name, &opts), shmchan_error_detail());
}

static uint64_t count_of(struct shmchan_spsc *ch)
{
	struct shmchan_spsc_stats stats;

	shmchan_spsc_get_stats(ch, &stats);
	return stats.rings + stats.waits;
}

static void run_side(int i, uint64_t messages)
{
	count_calls();
	pin_to((unsigned int)i % work->cpus);
	/* Else who is woken may run, and answer, before the other one sleeps. */
	if (work->cpus == 1)
		be_fifo(1);
	shared->own[i] = work->side[i](messages);
	_exit(0);
}

struct result {
	double kernel;		/* calls per message */
	double handles;
};

static struct result run(const struct work *w, uint64_t messages)
{
	pid_t pids[2];
	int i, status;

	work = w;
	memset(shared, 0, sizeof(*shared));
	for (i = 0; i < 2; i++) {
		pids[i] = start_child();
		if (!pids[i])
			run_side(i, messages);
	}
	for (i = 0; i < 2; i++) {
		waitpid(pids[i], &status, 0);
		if (status)
			die("%s: a process failed", w->name);
	}
	return (struct result) {
		.kernel = (double)(shared->calls[0] + shared->calls[1]) /
			  (double)messages,
		.handles = (double)(shared->own[0] + shared->own[1]) /
			   (double)messages,
	};
}

/* Between the two: what was done in between is counted. */
#define COUNTED(i, act) do {						\
	uint64_t _before = calls();					\
									\
	act;								\
	shared->calls[i] = calls() - _before - 1;			\
} while (0)

/* --- a stream ------------------------------------------------------------ */

static void pause_for(unsigned int loops)
{
	while (loops--)
		shmchan_cpu_relax();
}

/*
 * Half of the time it sends, a burst of messages with a little work for each;
 * half it sleeps.  With no burst it sends all the time.
 */
static void send_stream(uint64_t messages, void (*send)(void *to, uint64_t v),
			void *to)
{
	uint64_t begin = count(), i;

	for (i = 0; i < messages; i++) {
		send(to, i);
		if (!work->burst)
			continue;
		pause_for(100);
		if (i % work->burst != work->burst - 1)
			continue;
		usleep((unsigned int)((count() - begin) / 1000 + 1));
		begin = count();
	}
}

static void channel_send(void *to, uint64_t v)
{
	must(shmchan_spsc_send(to, &v, sizeof(v), 0, 0, -1),
	     shmchan_error_detail());
}

static void channel_receive(struct shmchan_spsc *ch, uint64_t expected)
{
	uint64_t v;

	must(shmchan_spsc_recv(ch, &v, sizeof(v), NULL, NULL, -1),
	     shmchan_error_detail());
	if (v != expected)
		die("message %llu is %llu", (unsigned long long)expected,
		    (unsigned long long)v);
}

static uint64_t stream_sender(uint64_t messages)
{
	struct shmchan_spsc ch;

	open_channel(&ch, "stream", SHMCHAN_SENDER);
	must(shmchan_spsc_wait_peer(&ch, -1), "wait_peer");
	meet();
	COUNTED(0, send_stream(messages, channel_send, &ch));
	/* Not before all has been received: that is not what is measured. */
	while (__atomic_load_n(&shared->ready, __ATOMIC_SEQ_CST) < 3)
		usleep(1000);
	return count_of(&ch);
}

static void receive_stream(struct shmchan_spsc *ch, uint64_t messages)
{
	uint64_t i;

	for (i = 0; i < messages; i++)
		channel_receive(ch, i);
}

static uint64_t stream_receiver(uint64_t messages)
{
	struct shmchan_spsc ch;
	uint64_t before;

	open_channel(&ch, "stream", SHMCHAN_RECEIVER);
	must(shmchan_spsc_wait_peer(&ch, -1), "wait_peer");
	meet();
	before = count_of(&ch);
	COUNTED(1, receive_stream(&ch, messages));
	__atomic_fetch_add(&shared->ready, 1, __ATOMIC_SEQ_CST);
	return count_of(&ch) - before;
}

/* The same with a futex on every message. */
static void futex_send(void *to, uint64_t v)
{
	uint32_t head = shared->futex_head;

	(void)to;
	while (head - __atomic_load_n(&shared->futex_tail, __ATOMIC_ACQUIRE) ==
	       COUNT(shared->cells))
		shmchan_cpu_relax();
	shared->cells[head % COUNT(shared->cells)] = v;
	__atomic_store_n(&shared->futex_head, head + 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &shared->futex_head, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static uint64_t futex_sender(uint64_t messages)
{
	meet();
	COUNTED(0, send_stream(messages, futex_send, NULL));
	return 0;
}

static void futex_receive(uint64_t messages)
{
	uint32_t i, head;

	for (i = 0; i < messages; i++) {
		while ((head = __atomic_load_n(&shared->futex_head,
					       __ATOMIC_ACQUIRE)) == i)
			syscall(SYS_futex, &shared->futex_head, FUTEX_WAIT, head,
				NULL, NULL, 0);
		if (shared->cells[i % COUNT(shared->cells)] != i)
			die("a futex's message %u", i);
		__atomic_store_n(&shared->futex_tail, i + 1, __ATOMIC_RELEASE);
	}
}

static uint64_t futex_receiver(uint64_t messages)
{
	meet();
	COUNTED(1, futex_receive(messages));
	return 0;
}

/* --- each message sleeps: request and response; two hops a round --------- */

static void converse(int side, struct shmchan_spsc *to,
		     struct shmchan_spsc *from, uint64_t rounds)
{
	uint64_t i;

	for (i = 0; i < rounds; i++) {
		if (side)
			channel_receive(from, i);
		channel_send(to, i);
		if (!side)
			channel_receive(from, i);
	}
}

static uint64_t converse_side(int side, uint64_t messages)
{
	static const char *const names[] = { "there", "back" };
	struct shmchan_spsc to, from;

	open_channel(&to, names[side], SHMCHAN_SENDER);
	open_channel(&from, names[!side], SHMCHAN_RECEIVER);
	must(shmchan_spsc_wait_peer(&to, -1), "wait_peer");
	must(shmchan_spsc_wait_peer(&from, -1), "wait_peer");
	meet();
	COUNTED(side, converse(side, &to, &from, messages / 2));
	/* So that the other one gets its last answer. */
	while (__atomic_fetch_add(&shared->ready, 0, __ATOMIC_SEQ_CST) < 3 &&
	       side)
		usleep(1000);
	if (!side)
		__atomic_fetch_add(&shared->ready, 1, __ATOMIC_SEQ_CST);
	return count_of(&to) + count_of(&from);
}

static uint64_t converse_first(uint64_t messages)
{
	return converse_side(0, messages);
}

static uint64_t converse_second(uint64_t messages)
{
	return converse_side(1, messages);
}

/* --- the bells alone ----------------------------------------------------- */

#define WORDS	(SHMCHAN_CONTROL_OFFSET(0) + PAGE)

static struct shmchan_region *open_bells(int side)
{
	static const struct shmchan_window window = {
		.offset = WORDS,
		.length = PAGE,
		.slot = SHMCHAN_SLOT_SHARED,
	};
	static const struct shmchan_doorbell bells[2] = {
		{ .owner = 0 }, { .owner = 1 },
	};
	struct shmchan_region_opts create = SHMCHAN_REGION_OPTS(
		.control_size = 2 * PAGE, .nr_slots = 2, .slot = 0,
		.nr_windows = 1, .windows = &window,
		.nr_doorbells = 2, .doorbells = bells);
	struct shmchan_open_opts open = SHMCHAN_OPEN_OPTS(.slot = 1);
	struct shmchan_region *region;
	int err;

	if (!side) {
		must(shmchan_region_create(&region, "bells", &create),
		     shmchan_error_detail());
	} else {
		while ((err = shmchan_region_open(&region, "bells", &open)) ==
		       -ENOENT)
			usleep(1000);
		must(err, shmchan_error_detail());
	}
	return region;
}

static uint64_t *bell_word(struct shmchan_region *r, int side)
{
	return shmchan_region_at(r, WORDS + 64ULL * (unsigned int)side);
}

static void wait_word(struct shmchan_region *r, int side, uint64_t seen)
{
	struct shmchan_wait_elem e = shmchan_elem64(
		1 + (uint32_t)side, WORDS + 64ULL * (unsigned int)side, seen);

	while (shmchan_load_acquire(bell_word(r, side)) == seen)
		must(shmchan_bell_wait(r, &e, 1, SHMCHAN_FOREVER, NULL), "wait");
}

static void ring_wait_loop(struct shmchan_region *r, int side, uint64_t rounds)
{
	struct shmchan_wait_elem e = shmchan_elem64(
		1 + (uint32_t)side, WORDS + 64ULL * (unsigned int)side, 0);
	uint64_t i;

	if (side)
		wait_word(r, side, 0);
	for (i = 1; i <= rounds; i++) {
		shmchan_store_seq_cst(bell_word(r, !side), i);
		if (side && i == rounds) {
			shmchan_bell_notify(r, 1);
			break;
		}
		/* The first of the two begins, so the second is one ahead. */
		e.value = side ? i : i - 1;
		must(shmchan_bell_ring_wait(r, 2 - (uint32_t)side, 0, &e, 1,
					    SHMCHAN_FOREVER, NULL),
		     "ring_wait");
		wait_word(r, side, e.value);
	}
}

static uint64_t ring_wait_side(int side, uint64_t messages)
{
	struct shmchan_region *r = open_bells(side);

	meet();
	COUNTED(side, ring_wait_loop(r, side, messages / 2));
	return 0;
}

static uint64_t ring_wait_first(uint64_t messages)
{
	return ring_wait_side(0, messages);
}

static uint64_t ring_wait_second(uint64_t messages)
{
	return ring_wait_side(1, messages);
}

/* Drain, arm, drain again, sleep.  Gives how often it rang. */
static uint64_t epoll_loop(struct shmchan_region *r, int set, int side,
			   uint64_t rounds)
{
	struct shmchan_wait_elem e = shmchan_elem64(
		1 + (uint32_t)side, WORDS + 64ULL * (unsigned int)side, 0);
	struct epoll_event event;
	uint64_t i, rings = 0;
	int err;

	for (i = 1; i <= 2 * rounds; i++) {
		/* In turn: the first tells, the second is told. */
		if ((i & 1) != (unsigned int)side) {
			shmchan_store_seq_cst(bell_word(r, !side), (i + 1) / 2);
			rings += (uint64_t)shmchan_bell_wanted(
				r, 2 - (uint32_t)side);
			must(shmchan_bell_notify(r, 2 - (uint32_t)side),
			     "notify");
			continue;
		}
		e.value = (i + 1) / 2 - 1;
		while (shmchan_load_acquire(bell_word(r, side)) == e.value) {
			err = shmchan_bell_arm(r, e.doorbell, &e, 1);
			if (err == -EAGAIN)
				continue;
			must(err, "arm");
			if (epoll_wait(set, &event, 1, -1) < 0)
				die("epoll: %s", strerror(errno));
		}
	}
	return rings;
}

static uint64_t epoll_side(int side, uint64_t messages)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	struct shmchan_region *r = open_bells(side);
	int set = epoll_create1(0);
	uint64_t rings = 0;

	must(shmchan_bell_subscribe(r, 1 + (uint32_t)side), "subscribe");
	if (set < 0 ||
	    epoll_ctl(set, EPOLL_CTL_ADD, shmchan_region_fd(r), &event))
		die("epoll: %s", strerror(errno));
	meet();
	COUNTED(side, rings = epoll_loop(r, set, side, messages / 2));
	return rings;
}

static uint64_t epoll_first(uint64_t messages)
{
	return epoll_side(0, messages);
}

static uint64_t epoll_second(uint64_t messages)
{
	return epoll_side(1, messages);
}

/* --- the table ----------------------------------------------------------- */

static void measure_load(unsigned int burst)
{
	const struct work ours = {
		.name = "bursts",
		.side = { stream_sender, stream_receiver },
		.cpus = 2,
		.burst = burst,
	};
	const struct work theirs = {
		.name = "bursts, futex",
		.side = { futex_sender, futex_receiver },
		.cpus = 2,
		.burst = burst,
	};
	uint64_t messages = 500ULL * burst;
	struct result a = run(&ours, messages), b = run(&theirs, messages);
	double pauses = 1.0 / burst;	/* the sender's own calls to sleep */
	char text[80];

	snprintf(text, sizeof(text), "half load, bursts of %u", burst);
	value(text, a.kernel - pauses, 3);
	snprintf(text, sizeof(text), "the same, as the handles count");
	value(text, a.handles, 3);
	snprintf(text, sizeof(text), "the same, futex on every message");
	value(text, b.kernel - pauses, 3);
	wanted_most("ratio of the two", (a.kernel - pauses) /
		    (b.kernel - pauses), 0.5, 2);
}

void measure_calls(void)
{
	static const struct work awake = {
		.name = "awake",
		.side = { stream_sender, stream_receiver },
		.cpus = 2,
		.spin_ns = 100 * SECOND,
	};
	static const struct work asleep = {
		.name = "asleep",
		.side = { converse_first, converse_second },
		.cpus = 1,
		.spin_ns = -1,
	};
	static const struct work direct = {
		.name = "ring-wait",
		.side = { ring_wait_first, ring_wait_second },
		.cpus = 1,
	};
	static const struct work polled = {
		.name = "epoll",
		.side = { epoll_first, epoll_second },
		.cpus = 1,
	};
	static const unsigned int bursts[] = { 4, 16, 64 };
	struct result r;
	size_t i;

	shared = shared_memory(sizeof(*shared));
	heading("system calls per message, of both sides together");
	r = run(&awake, 200000);
	wanted_exactly("both awake: as the handles count", r.handles, 0, 2);
	wanted_exactly("both awake: as the kernel counts", r.kernel, 0, 2);
	r = run(&asleep, 20000);
	value("each sleeps, two channels: as the handles count", r.handles, 2);
	value("each sleeps, two channels: as the kernel counts", r.kernel, 2);
	r = run(&direct, 20000);
	wanted_most("each sleeps, ring-wait", r.kernel, 1.0, 2);
	r = run(&polled, 20000);
	wanted_most("each sleeps in epoll, who is told: arm, epoll_wait",
		    r.kernel - r.handles, 2.0, 2);
	value("each sleeps in epoll, who tells: ring", r.handles, 2);
	for (i = 0; i < COUNT(bursts); i++)
		measure_load(bursts[i]);
}
