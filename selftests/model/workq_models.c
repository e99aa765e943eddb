// SPDX-License-Identifier: GPL-2.0-only
/*
 * Work queues: the library's own cells and sleep, under death of producers and
 * workers at any step, who was just woken included.
 *
 * What must hold in every execution: an item whose put returned is acknowledged
 * once, or is still there for workers, or is a dead letter; it is never two living
 * workers' at a time (they write to it, and that would be a race); whoever gets it
 * sees all of it; attempts counts every time; and nobody sleeps while there is
 * what it sleeps for.
 */
#include <string.h>

#include "workq_fixture.h"

#include "lib/workq_private.h"
#include "tests.h"

#define CELLS_AT	1024
#define ITEMS_AT	2048
#define STRIDE		64

/* Items are numbered from 1.  Notes; 1: begun, 2: the call returned. */
#define ITEMS		2U
#define PUT(i)		(i)
#define ACKED(me, i)	(4 + (me) * 4 + (i))
/* Of a thread: the bell that it sleeps on. */
#define SLEEPS(me)	(20 + (me))

/* What is in an item: which one, and how often it was worked on. */
struct payload {
	uint64_t item;
	uint64_t times;
};

/* A member, on its thread's stack. */
struct member {
	struct shmchan_region region;
	struct shmchan_workq q;
	unsigned int me;
	uint64_t phase;		/* all that a wait leaves alive */
};

/* What a model does differently. */
enum variant {
	RIGHT,
	NO_MEMBERS,		/* sleepers do not name the count of members */
};

static unsigned int nr_cells, max_attempts, nr_ready;

static void setup_cells(unsigned int n)
{
	kernel_setup();
	nr_cells = n;
	nr_ready = 0;
	max_attempts = 2;
}

static uint64_t *cell(unsigned int i)
{
	return (uint64_t *)(explorer_memory + CELLS_AT + 8UL * i);
}

/* The next item, put already, and perhaps taken so many times. */
static void setup_ready(unsigned int attempts)
{
	uint8_t *at = explorer_memory + ITEMS_AT + STRIDE * nr_ready;
	struct shmchan_workq_control *c =
		(struct shmchan_workq_control *)explorer_memory;
	struct payload p = { nr_ready + 1, attempts };
	uint32_t length = sizeof(p);

	memcpy(at, &length, 4);
	memcpy(at + 8, &p, sizeof(p));
	*cell(nr_ready) = shmchan_cell(0, 0, 1,
				       attempts << 3 | SHMCHAN_WORKQ_READY);
	c->tail = ++nr_ready;
}

static void join(struct member *m, unsigned int me)
{
	memset(m, 0, sizeof(*m));
	m->me = me;
	m->region.base = explorer_memory;
	m->region.status_offset = KERNEL_STATUS;
	m->region.nr_slots = KERNEL_SLOTS;
	m->region.nr_doorbells = 2;
	m->region.slot = me;
	m->region.generation = 1;
	m->q.region = &m->region;
	m->q.control = (struct shmchan_workq_control *)explorer_memory;
	m->q.cells = cell(0);
	m->q.items = explorer_memory + ITEMS_AT;
	m->q.slots = kernel_slot_word(0);
	m->q.item_stride = STRIDE;
	m->q.owner = shmchan_cell(1, me, 0, 0);
	m->q.nr_slots = KERNEL_SLOTS;
	m->q.mask = nr_cells - 1;
	m->q.item_size = sizeof(struct payload);
	m->q.max_attempts = max_attempts;
}

/* Under the library's waits and rings. */

int workq_model_wait(const struct shmchan_region *region,
		     const struct shmchan_wait_elem *elems, uint32_t nr_elems,
		     uint64_t deadline, uint32_t *index)
{
	struct member *m = (struct member *)region;
	struct kernel_elem e[2];
	uint64_t alive[2];
	uint32_t i;

	(void)deadline;
	(void)index;
	if (explorer_model->arg == NO_MEMBERS)
		nr_elems = 1;
	for (i = 0; i < nr_elems; i++)
		e[i] = (struct kernel_elem){
			(uint64_t *)(explorer_memory + elems[i].offset),
			elems[i].value,
		};
	explorer_note(SLEEPS(m->me), elems[0].doorbell);
	kernel_wait(elems[0].doorbell, m->me % KERNEL_SLEEPERS, e, nr_elems);
	explorer_note(SLEEPS(m->me), 0);
	alive[0] = m->phase;
	alive[1] = m->q.members_seen;
	explorer_settle(&alive);
	return 0;
}

int workq_model_ring(const struct shmchan_region *region, uint32_t doorbell,
		     uint32_t max_wake)
{
	(void)region;
	if (max_wake)
		kernel_ring_one(doorbell);
	else
		kernel_ring(doorbell);
	return 1;
}

uint64_t workq_model_now(void)
{
	return 0;
}

/* A call that returns is over for the compiler, too. */
static void returned(void)
{
	shmchan_crash_fence();
}

static void get(struct member *m, enum shmchan__workq_side side,
		struct shmchan_workq_item *item)
{
	int got = 0;

	/* The hints cost states, and two threads show all about them. */
	if (!explorer_model->thread[2])
		got = (int)shmchan__workq_try(&m->q, side, item, 1);
	if (!got)
		got = shmchan__workq_sleep(&m->q, side, item, 1,
					   SHMCHAN_FOREVER);
	explorer_assert(got == 1, "sleep says %d", got);
	returned();
}

static void put(struct member *m, uint64_t i)
{
	struct payload p = { i, 0 };
	struct shmchan_workq_item item;
	int err;

	get(m, WORKQ_ROOM, &item);
	shmchan_copy_in(item.data, &p, sizeof(p));
	explorer_note(PUT(i), 1);
	err = shmchan__workq_publish(&m->q, &item, sizeof(p));
	returned();
	explorer_note(PUT(i), 2);
	explorer_assert(!err, "a reservation is lost");
}

/* Take one, and be at it. */
static uint64_t take(struct member *m, struct shmchan_workq_item *item)
{
	struct payload p;

	get(m, WORKQ_WORK, item);
	explorer_assert(item->length == sizeof(p), "%zu bytes", item->length);
	shmchan_copy_out(&p, item->data, sizeof(p));
	explorer_assert(p.item && p.item <= ITEMS, "item %llu",
			(unsigned long long)p.item);
	p.times++;
	explorer_assert(item->attempts >= p.times,
			"worked on %llu times, attempts are %u",
			(unsigned long long)p.times, item->attempts);
	shmchan_copy_in(item->data, &p, sizeof(p));
	if (item->attempts > 1)
		explorer_cover("redelivered");
	return p.item;
}

static void ack(struct member *m, const struct shmchan_workq_item *item,
		uint64_t i)
{
	int lost;

	explorer_note(ACKED(m->me, i), 1);
	lost = shmchan__workq_move(&m->q, item, SHMCHAN_WORKQ_FREE, 0);
	returned();
	explorer_note(ACKED(m->me, i), 2);
	explorer_assert(!lost, "a claim is lost");
}

/* Threads. */

static void produce(unsigned int me, uint64_t first, uint64_t last)
{
	struct member m;

	join(&m, me);
	for (m.phase = first; m.phase <= last; m.phase++)
		put(&m, m.phase);
}

static void work(unsigned int me, unsigned int n)
{
	struct shmchan_workq_item item;
	struct member m;
	uint64_t i;

	join(&m, me);
	for (m.phase = 0; m.phase < n; m.phase++) {
		i = take(&m, &item);
		ack(&m, &item, i);
	}
}

static void producer0(void)
{
	produce(0, 1, 1);
}

static void producer0_two(void)
{
	produce(0, 1, 2);
}

static void producer1(void)
{
	produce(1, 2, 2);
}

static void worker0(void)
{
	work(0, 1);
}

static void worker1(void)
{
	work(1, 1);
}

static void worker1_two(void)
{
	work(1, 2);
}

/* For several who sleep: takes one and keeps it. */
static void keep(unsigned int me)
{
	struct shmchan_workq_item item;
	struct member m;

	join(&m, me);
	get(&m, WORKQ_WORK, &item);
	if (item.attempts > 1)
		explorer_cover("redelivered");
}

/* Asleep when all begins: counted, and has seen nothing. */
static void asleep(struct member *m, unsigned int me)
{
	struct shmchan_wait_elem elems[2];

	join(m, me);
	elems[0] = shmchan_elem64(BELL_WORK, offsetof(
			struct shmchan_workq_control, work.seq), 0);
	elems[1] = shmchan_elem_members(&m->region, 0);
	(void)shmchan_bell_wait(&m->region, elems, 2, SHMCHAN_FOREVER, NULL);
}

/* Dies when it is woken, before it looks. */
static void woken(void)
{
	struct member m;

	asleep(&m, 0);
	explorer_cover("dies, woken");
	/* Who names no member is in no queue of those whom an end wakes. */
	if (explorer_model->arg == NO_MEMBERS)
		shmchan_store_release(kernel_slot_word(0),
				      kernel_slot_value(1, SHMCHAN_SLOT_DIED));
	else
		kernel_member_ends(0, kernel_slot_value(1, SHMCHAN_SLOT_DIED));
}

static void sleeper2(void)
{
	struct shmchan_workq_item item;
	struct member m;

	asleep(&m, 2);
	shmchan_fetch_sub(&m.q.control->work.sleepers, 1);
	explorer_assert(shmchan__workq_sleep(&m.q, WORKQ_WORK, &item, 1,
					     SHMCHAN_FOREVER) == 1,
			"sleep has nothing");
}

static void keeper0(void)
{
	keep(0);
}

static void keeper1(void)
{
	keep(1);
}

/* Has reserved cell 0 when all begins. */
static void committer(void)
{
	struct shmchan_workq_item item = { .index = 0 };
	struct payload p = { 1, 0 };
	struct member m;

	join(&m, 1);
	item.data = explorer_memory + ITEMS_AT + 8;
	item.ticket = shmchan_cell(1, 1, 1, SHMCHAN_WORKQ_WRITING);
	shmchan_copy_in(item.data, &p, sizeof(p));
	explorer_note(PUT(1), 1);
	explorer_assert(!shmchan__workq_publish(&m.q, &item, sizeof(p)),
			"a reservation is lost");
	returned();
	explorer_note(PUT(1), 2);
}

/* Gives back what it has taken. */
static void unwilling(void)
{
	struct shmchan_workq_item item;
	struct member m;

	join(&m, 0);
	take(&m, &item);
	explorer_assert(!shmchan__workq_move(&m.q, &item, SHMCHAN_WORKQ_READY,
					     item.attempts),
			"a claim is lost");
}

/* Its own ticket of an earlier claim of the same cell is no ticket of now. */
static void forgetful(void)
{
	struct shmchan_workq_item first, second;
	struct member m;
	uint64_t i;

	join(&m, 0);
	put(&m, 1);
	i = take(&m, &first);
	ack(&m, &first, i);
	m.phase = 1;
	put(&m, 2);
	i = take(&m, &second);
	explorer_assert(first.index == second.index, "it is another cell");
	explorer_assert(shmchan__workq_move(&m.q, &first, SHMCHAN_WORKQ_FREE,
					    0),
			"an old ticket acknowledges");
	ack(&m, &second, i);
}

static void dies(unsigned int me)
{
	kernel_wait_killed(BELL_WORK, me);
	kernel_wait_killed(BELL_ROOM, me);
	kernel_member_ends(me, kernel_slot_value(1, SHMCHAN_SLOT_DIED));
}

static void dies0(void)
{
	dies(0);
}

static uint64_t final_cell(unsigned int i)
{
	return explorer_final(cell(i), 8);
}

static int final_lives(uint64_t word)
{
	uint64_t slot = explorer_final(kernel_slot_word(shmchan_cell_slot(word)),
				       8);

	return SHMCHAN_SLOT_WORD_STATE(slot) == SHMCHAN_SLOT_LIVE;
}

/* What a cell is, once somebody looks. */
static uint32_t final_state(unsigned int c)
{
	uint64_t word = final_cell(c);

	if (!shmchan_workq_owned(word) || final_lives(word))
		return shmchan_workq_state(word);
	if (shmchan_workq_state(word) == SHMCHAN_WORKQ_WRITING)
		return SHMCHAN_WORKQ_FREE;
	return shmchan_workq_attempts(word) < max_attempts ?
		SHMCHAN_WORKQ_READY : SHMCHAN_WORKQ_DEAD;
}

static unsigned int count(uint32_t state)
{
	unsigned int c, n = 0;

	for (c = 0; c < nr_cells; c++)
		n += final_state(c) == state;
	return n;
}

static void workq_final(unsigned int stuck)
{
	unsigned int me, left = count(SHMCHAN_WORKQ_READY) +
				count(SHMCHAN_WORKQ_CLAIMED) +
				count(SHMCHAN_WORKQ_DEAD);
	unsigned int least = 0, most = 0;
	uint64_t i;

	for (me = 0; me < EXPLORER_THREADS; me++) {
		if (!(stuck & 1U << me))
			continue;
		explorer_assert(explorer_notes[SLEEPS(me)],
				"thread %u is stuck elsewhere", me);
		explorer_assert(explorer_notes[SLEEPS(me)] != BELL_WORK ||
				!count(SHMCHAN_WORKQ_READY),
				"thread %u sleeps while there is work", me);
		explorer_assert(explorer_notes[SLEEPS(me)] != BELL_ROOM ||
				!count(SHMCHAN_WORKQ_FREE),
				"thread %u sleeps while there is room", me);
	}
	explorer_assert(!count(SHMCHAN_WORKQ_WRITING), "a cell is nobody's");
	/* Killed within put or ack: it was done or it was not. */
	for (i = 1; i <= ITEMS; i++) {
		uint64_t put = i <= nr_ready ? 2 : explorer_notes[PUT(i)];
		unsigned int acked = 0, perhaps = 0;

		for (me = 0; me < 3; me++) {
			acked += explorer_notes[ACKED(me, i)] == 2;
			perhaps += explorer_notes[ACKED(me, i)] == 1;
		}
		explorer_assert(acked <= 1, "item %llu is acknowledged twice",
				(unsigned long long)i);
		least += put == 2 && !acked && !perhaps;
		most += put && !acked;
	}
	explorer_assert(left >= least && left <= most,
			"%u items are left, of %u to %u", left, least, most);
	if (count(SHMCHAN_WORKQ_DEAD))
		explorer_cover("a dead letter");
}

static void setup_one(void)
{
	setup_cells(1);
}

static void setup_two(void)
{
	setup_cells(2);
}

static void setup_one_ready(void)
{
	setup_cells(1);
	setup_ready(0);
}

static void setup_two_ready(void)
{
	setup_cells(2);
	setup_ready(0);
	setup_ready(0);
}

/* Taken once already: the next death is the last. */
static void setup_tried(void)
{
	setup_cells(1);
	setup_ready(1);
}

static void setup_reserved(void)
{
	setup_cells(1);
	*cell(0) = shmchan_cell(1, 1, 1, SHMCHAN_WORKQ_WRITING);
}

static void setup_asleep(void)
{
	setup_reserved();
	((struct shmchan_workq_control *)explorer_memory)->work.sleepers = 2;
}

/* Member 3 has it, and is dead. */
static void setup_left(void)
{
	setup_cells(1);
	setup_ready(0);
	*cell(0) = shmchan_cell(1, 3, 2, 1 << 3 | SHMCHAN_WORKQ_CLAIMED);
	*kernel_slot_word(3) = kernel_slot_value(1, SHMCHAN_SLOT_DIED);
	*kernel_members_seq() = 1;
}

static const char *const slept[] = {
	"rings", "slept and was woken", NULL,
};
static const char *const redelivered[] = {
	"redelivered", "slept and was woken", NULL,
};
static const char *const buried[] = {
	"redelivered", NULL,
};
static const char *const letters[] = {
	"a dead letter", NULL,
};
static const char *const woken_dead[] = {
	"dies, woken", "slept and was woken", NULL,
};

const struct explorer_model workq_models[] = {
	{ .name = "workq", .what = "put, take, acknowledge, both asleep at times",
	  .thread = { producer0_two, worker1_two }, .setup = setup_one,
	  .final = workq_final, .covers = slept },
	{ .name = "workq-two-cells", .what = "the same with two cells",
	  .thread = { producer0_two, worker1_two }, .setup = setup_two,
	  .final = workq_final, .covers = slept },
	{ .name = "workq-producers", .what = "two producers at once",
	  .thread = { producer0, producer1 }, .setup = setup_two,
	  .final = workq_final },
	{ .name = "workq-workers", .what = "two workers at once",
	  .thread = { worker0, worker1 }, .setup = setup_two_ready,
	  .final = workq_final },
	{ .name = "workq-ticket", .what = "a ticket is of use once",
	  .thread = { forgetful }, .setup = setup_one, .final = workq_final },
	{ .name = "workq-nack", .what = "what is given back wakes",
	  .thread = { unwilling, worker1 }, .setup = setup_one_ready,
	  .final = workq_final, .covers = redelivered },
	{ .name = "workq-dead-worker", .what = "a worker dies, another goes on",
	  .thread = { worker0, worker1 }, .will = { dies0 },
	  .max_kills = 1, .setup = setup_one_ready, .final = workq_final,
	  .covers = redelivered },
	{ .name = "workq-dead-worker-two", .what = "... and has enough to do",
	  .thread = { worker0, worker1_two }, .will = { dies0 },
	  .max_kills = 1, .setup = setup_two_ready, .final = workq_final,
	  .covers = buried },
	{ .name = "workq-survivors", .what = "two give back what one had",
	  .thread = { keeper0, keeper1 }, .setup = setup_left,
	  .final = workq_final, .covers = buried },
	{ .name = "workq-dead-survivor", .what = "... and one of them dies, too",
	  .thread = { keeper0, keeper1 }, .will = { dies0 },
	  .max_kills = 1, .setup = setup_left, .final = workq_final,
	  .covers = letters },
	{ .name = "workq-dead-letter", .what = "the last attempt dies",
	  .thread = { worker0, worker1 }, .will = { dies0 },
	  .max_kills = 1, .setup = setup_tried, .final = workq_final,
	  .covers = letters },
	{ .name = "workq-dead-producer",
	  .what = "a producer dies, what it put is there or is not",
	  .thread = { producer0, worker1 }, .will = { dies0 },
	  .max_kills = 1, .setup = setup_one, .final = workq_final,
	  .covers = slept },
	{ .name = "workq-dead-reserver", .what = "... and its room is free",
	  .thread = { producer0, producer1 }, .will = { dies0 },
	  .max_kills = 1, .setup = setup_one, .final = workq_final },
	{ .name = "workq-dead-woken", .what = "who was woken dies before it looks",
	  .thread = { woken, committer, sleeper2 }, .setup = setup_asleep,
	  .final = workq_final, .covers = woken_dead },
	{ .name = "workq-no-members",
	  .what = "sleepers that do not watch the members",
	  .thread = { woken, committer, sleeper2 }, .setup = setup_asleep,
	  .final = workq_final, .arg = NO_MEMBERS,
	  .finds = "while there is work" },
	{ .name = NULL },
};
