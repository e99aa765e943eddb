// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Each operation of an honest member, after one hostile operation of each kind.
 *
 * Before every honest operation the hostile process does its own once.  What
 * the honest one costs then is compared with what it costs after that process
 * did nothing.  Meanwhile others sleep in WAIT: have they run?
 */

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostile.h"

#define NAME		"victims"
#define ROUNDS		51
#define DATA		(64 * MIB)
#define NR_SLOTS	80

/* Who sits where. */
#define SLOT_OWNER	0U
#define SLOT_SLEEPER	1U
#define SLOT_CONSUMER	2U	/* awake: its doorbell has no waiters */
#define SLOT_FENCED	5U	/* its window is a folio that the owner reads */
#define SLOT_OTHER	40U
#define SLOT_HOSTILE	41U
#define SLOT_CHURN	42U

static struct plan plan;

/* --- the honest one ------------------------------------------------------ */

static struct {
	int fd;
	char *data;
	char *control;
	char *status;
	uint64_t *word;
} honest;

enum op {
	PUBLISH, RING, WAIT, READ, OPEN, JOIN, LEAVE, NR_OPS,
};

static const char * const op_names[NR_OPS] = {
	[PUBLISH] = "publication",
	[RING] = "RING",
	[WAIT] = "WAIT, no sleep",
	[READ] = "read all pages",
	[OPEN] = "OPEN",
	[JOIN] = "JOIN",
	[LEAVE] = "LEAVE",
};

static void honest_start(void)
{
	honest.fd = plan_create(&plan);
	must(member_join(honest.fd, SLOT_OWNER), "JOIN");
	honest.data = map_range(honest.fd, 0, DATA, PROT_READ);
	honest.control = map_range(honest.fd, SHMCHAN_CONTROL_OFFSET(DATA),
				   plan.shape.control_size, PROT_READ);
	honest.status = map_range(honest.fd, plan.status, plan.status_size,
				  PROT_READ);
	honest.word = (uint64_t *)(void *)map_range(honest.fd, plan.words, PAGE,
						    PROT_READ | PROT_WRITE);
}

/* As a lane with a bell: a locked store, a look at the count, a ring. */
static void publication(unsigned int bell)
{
	static uint64_t position;

	__atomic_exchange_n(honest.word, ++position, __ATOMIC_SEQ_CST);
	if (waiters(&plan, honest.status, bell))
		must(ring(honest.fd, bell), "RING");
}

static void read_all(void)
{
	touch(honest.data, DATA, HUGE);
	touch(honest.control, plan.shape.control_size, PAGE);
	touch(honest.status, plan.status_size, PAGE);
}

static void wait_none(void)
{
	const struct shmchan_wait_elem elem = {
		.fd = -1,
		.doorbell = BELL_OF(SLOT_OWNER),
		.offset = plan.words + 8,
		.mask = ~0ULL,
	};

	if (wait_for(honest.fd, &elem, 1, 0) != -ETIMEDOUT)
		die("WAIT");
}

/* --- sleepers ------------------------------------------------------------ */

static unsigned int sleepers_bells[3];
static int sleepers_fd;

static void *sleeper_main(void *arg)
{
	unsigned int bell = *(unsigned int *)arg;
	const struct shmchan_wait_elem elem = {
		.fd = -1,
		.doorbell = bell,
		/* Doorbell 0: the end of the owner. */
		.offset = bell ? plan.words + 8 : slot_word(&plan, SLOT_OWNER),
		.value = bell ? 0 : 1ULL << 32 | SHMCHAN_SLOT_LIVE,
		.mask = ~0ULL,
	};

	wait_for(sleepers_fd, &elem, 1, SHMCHAN_FOREVER);
	return NULL;
}

static long sleepers_start(long a, long b)
{
	pthread_t thread;
	size_t i;

	(void)a;
	(void)b;
	sleepers_fd = must(region_join(NAME, SLOT_SLEEPER), "JOIN");
	for (i = 0; i < COUNT(sleepers_bells); i++)
		if (pthread_create(&thread, NULL, sleeper_main,
				   &sleepers_bells[i]))
			return -EAGAIN;
	return 0;
}

/* --- hostile operations, in a process of another user --------------------- */

static struct {
	int fd;
	char *map;
	int caps[1000];
} hostile;

static long hostile_join(long slot, long b)
{
	(void)b;
	hostile.fd = must(region_join(NAME, (unsigned int)slot), "JOIN");
	hostile.map = map_range(hostile.fd, 0, HUGE, PROT_READ);
	touch(hostile.map, HUGE, HUGE);
	return 0;
}

static long nothing(long a, long b)
{
	(void)a;
	(void)b;
	return 0;
}

#define MAP_NONE	0
#define MAP_FOLIO	1	/* 2 MiB of data */
#define MAP_ALL		2	/* all of the three areas */

/* A mapping that is never touched will do. */
static long join_leave(long slot, long what)
{
	uint64_t start = count();
	int fd = must(region_join(NAME, (unsigned int)slot), "JOIN");
	char *data = NULL, *status = NULL;

	if (what)
		data = map_range(fd, 0, what == MAP_ALL ? DATA : HUGE,
				 PROT_READ);
	if (what == MAP_ALL)
		status = map_range(fd, plan.status, plan.status_size,
				   PROT_READ);
	must(member_leave(fd), "LEAVE");
	if (what)
		munmap(data, what == MAP_ALL ? DATA : HUGE);
	if (what == MAP_ALL)
		munmap(status, plan.status_size);
	close(fd);
	return (long)(count() - start);
}

static long spurious_ring(long bell, long b)
{
	uint64_t start = count();

	(void)b;
	if (ring(hostile.fd, (unsigned int)bell))
		die("a spurious ring woke somebody");
	return (long)(count() - start);
}

static long spurious_set(long a, long b)
{
	static uint32_t set[SHMCHAN_MAX_ELEMS];
	uint64_t start;
	size_t i;

	(void)a;
	(void)b;
	for (i = 0; i < COUNT(set); i++)
		set[i] = BELL_OF(SLOT_SLEEPER);
	start = count();
	if (ring_set(hostile.fd, set, COUNT(set)))
		die("a spurious ring woke somebody");
	return (long)(count() - start);
}

static long wait_shared(long a, long b)
{
	struct shmchan_wait_elem elems[SHMCHAN_MAX_ELEMS];
	uint64_t start;
	size_t i;

	(void)a;
	(void)b;
	for (i = 0; i < COUNT(elems); i++)
		elems[i] = (struct shmchan_wait_elem) {
			.fd = -1,
			.doorbell = plan.shared,
			.offset = plan.words + 8,
			.mask = ~0ULL,
		};
	start = count();
	if (wait_for(hostile.fd, elems, COUNT(elems), 0) != -ETIMEDOUT)
		die("WAIT");
	return (long)(count() - start);
}

static long export_close(long a, long b)
{
	uint64_t start = count();

	(void)a;
	(void)b;
	close(must(export_dmabuf(hostile.fd, HUGE), "EXPORT_DMABUF"));
	return (long)(count() - start);
}

/* Of one that was revoked: its pages are its own. */
static long revoked_fault(long a, long b)
{
	uint64_t start = count();

	(void)a;
	(void)b;
	madvise(hostile.map, HUGE, MADV_DONTNEED);
	if (*(volatile char *)hostile.map)
		die("a revoked member reads");
	return (long)(count() - start);
}

static long revoked_calls(long a, long b)
{
	uint64_t start = count();

	(void)a;
	(void)b;
	if (ring(hostile.fd, 1) != -ESTALE || query(hostile.fd) != -ESTALE ||
	    wait_for(hostile.fd, NULL, 1, 0) != -ESTALE ||
	    member_join(hostile.fd, 0) != -ESTALE ||
	    member_leave(hostile.fd) != -ESTALE ||
	    publish(hostile.fd, "again") != -ESTALE ||
	    revoke_slot(hostile.fd, SLOT_OWNER) != -ESTALE)
		die("a revoked member's call was not refused");
	return (long)(count() - start);
}

static long open_close(long a, long b)
{
	uint64_t start = count();

	(void)a;
	(void)b;
	close(must(region_open(NAME, RIGHTS_RW), "OPEN"));
	return (long)(count() - start);
}

static long list_all(long a, long b)
{
	static struct shmchan_list_entry entries[1024];
	uint64_t start = count(), cursor = 0;

	(void)a;
	(void)b;
	must(list_names(&cursor, entries, COUNT(entries)), "LIST");
	return (long)(count() - start);
}

static long hold_caps(long nr, long b)
{
	long i;

	(void)b;
	for (i = 0; i < nr; i++)
		hostile.caps[i] = must(region_open(NAME, RIGHTS_RW), "OPEN");
	return 0;
}

/* --- one after the other ------------------------------------------------- */

struct medians {
	uint64_t cost[NR_OPS];
	long faults;
};

static struct medians usual;

/* Does each honest operation once, each after a hostile one. */
static void do_round(const struct peer *p, peer_fn fn, long a, long b,
		     struct costs *own, struct costs *c, long *faults)
{
	int fd;

#define ATTACK()	costs_add(own, (uint64_t)peer_call(p, fn, a, b))
	read_all();
	ATTACK();
	TIMED(&c[READ], read_all());
	ATTACK();
	*faults = -page_faults();
	read_all();
	*faults += page_faults();
	ATTACK();
	TIMED(&c[PUBLISH], publication(BELL_OF(SLOT_CONSUMER)));
	ATTACK();
	TIMED(&c[RING], ring(honest.fd, BELL_OF(SLOT_SLEEPER)));
	ATTACK();
	TIMED(&c[WAIT], wait_none());
	ATTACK();
	TIMED(&c[OPEN], fd = region_open(NAME, RIGHTS_RW));
	must(fd, "OPEN");
	ATTACK();
	TIMED(&c[JOIN], member_join(fd, SLOT_OTHER));
	ATTACK();
	TIMED(&c[LEAVE], must(member_leave(fd), "LEAVE"));
	close(fd);
#undef ATTACK
}

static void print_head(void)
{
	enum op op;

	printf("%-44s %8s", "hostile operation", "itself");
	for (op = 0; op < NR_OPS; op++)
		printf(" %14s", op_names[op]);
	printf(" %7s %8s %8s\n", "faults", "slept", "run");
}

/* @fn: by @p, before each; what it adds is printed, or if it is NULL, all. */
static void attack(const char *what, const struct peer *p,
		   const struct peer *sleepers, peer_fn fn, long a, long b)
{
	static struct costs c[NR_OPS], own;
	struct usage before = usage_of(sleepers->pid), after;
	bool first = !usual.cost[RING];
	long faults = 0;
	unsigned int i;
	uint64_t median;
	enum op op;

	for (i = 0; i < ROUNDS; i++)
		do_round(p, fn, a, b, &own, c, &faults);
	after = usage_of(sleepers->pid);
	printf("%-44s %8llu", what, (unsigned long long)costs_median(&own));
	for (op = 0; op < NR_OPS; op++) {
		median = costs_median(&c[op]);
		if (first)
			usual.cost[op] = median;
		printf(first ? " %14lld" : " %+14lld",
		       (long long)(median - (first ? 0 : usual.cost[op])));
	}
	printf(" %7ld %8llu %8llu\n", faults,
	       (unsigned long long)(after.switches - before.switches),
	       (unsigned long long)(after.run - before.run));
	for (op = 0; op < NR_OPS; op++)
		record(what, op_names[op], &c[op]);
	record(what, "itself", &own);
	record_number(what, "page faults", (double)faults);
	record_number(what, "sleepers' switches",
		      (double)(after.switches - before.switches));
	record_number(what, "sleepers' run time",
		      (double)(after.run - before.run));
}

static void other_names(void)
{
	const struct shape s = {
		.mode = 0600,
		.flags = SHMCHAN_CREATE_SMALL,
		.control_size = PAGE,
		.nr_slots = 1,
	};
	unsigned int i;
	char name[16];

	for (i = 0; i < 100; i++) {
		struct shape named = s;

		snprintf(name, sizeof(name), "other-%02u", i);
		named.name = name;
		must(region_create(&named), name);
	}
}

void measure_operations(void)
{
	struct peer p, sleepers;

	heading("operations of others, each after one of a hostile process: "
		"what they cost, and what is added");
	plan_region(&plan, NAME, DATA, NR_SLOTS, 0);
	sleepers_bells[0] = BELL_OF(SLOT_SLEEPER);
	sleepers_bells[1] = SHMCHAN_DOORBELL_MEMBERS;
	sleepers_bells[2] = plan.shared;
	honest_start();
	other_names();
	peer_start(&sleepers, 0);
	peer_call(&sleepers, sleepers_start, 0, 0);
	await_waiters(&plan, honest.status, sleepers_bells[0], 1);
	await_waiters(&plan, honest.status, sleepers_bells[1], 1);
	await_waiters(&plan, honest.status, sleepers_bells[2], 1);
	peer_start(&p, HOSTILE_UID);
	peer_call(&p, hostile_join, SLOT_HOSTILE, 0);
	peer_call(&p, join_leave, SLOT_FENCED, MAP_NONE);

	print_head();
	/* The first time warms up. */
	do_round(&p, nothing, 0, 0, &(struct costs) { 0 },
		 (struct costs[NR_OPS]) { 0 }, &(long) { 0 });
#define ATTACK(what, fn, a, b)	attack(what, &p, &sleepers, fn, a, b)
	ATTACK("nothing", nothing, 0, 0);
	ATTACK("OPEN, JOIN, LEAVE, close", join_leave, SLOT_CHURN, MAP_NONE);
	ATTACK("the same, 2 MiB mapped", join_leave, SLOT_CHURN, MAP_FOLIO);
	ATTACK("the same, all areas mapped", join_leave, SLOT_CHURN, MAP_ALL);
	ATTACK("the same, slot with a window of 2 MiB", join_leave,
	       SLOT_FENCED, MAP_NONE);
	ATTACK("RING of a sleeper", spurious_ring, BELL_OF(SLOT_SLEEPER), 0);
	ATTACK("RING of a shared doorbell", spurious_ring, plan.shared, 0);
	ATTACK("RING, a set of 128", spurious_set, 0, 0);
	ATTACK("WAIT, 128 conditions, shared doorbell", wait_shared, 0, 0);
	ATTACK("EXPORT_DMABUF, close", export_close, 0, 0);
	ATTACK("OPEN, close", open_close, 0, 0);
	ATTACK("LIST of 101 names", list_all, 0, 0);
	peer_call(&p, hold_caps, 1000, 0);
	ATTACK("none, 1000 capabilities held", nothing, 0, 0);
	if (revoke_slot(honest.fd, SLOT_HOSTILE) != 1)
		die("REVOKE");
	ATTACK("revoked: a page fault", revoked_fault, 0, 0);
	ATTACK("revoked: 7 calls", revoked_calls, 0, 0);
#undef ATTACK
	peer_stop(&p);
	peer_stop(&sleepers);
}
