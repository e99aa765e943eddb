// SPDX-License-Identifier: GPL-2.0-only
/*
 * The threads' side: each access of <shmchan/atomic.h> becomes an operation
 * that waits for the search to decide; and what the search needs to know of
 * locations, sites and steps.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "explore_private.h"

#define UNIT		4	/* bytes; the smallest access */
#define MAX_STEPS	2048

/* A private site, so that the section exists in every program. */
static struct explorer_site end_site = {
	.file = __FILE__, .line = __LINE__, .kind = EXPLORER_FENCE,
};
static struct explorer_site *const end_listed
	__attribute__((section("explorer_sites"), used)) = &end_site;

/* By the linker, which gives them these names. NOLINTBEGIN */
extern struct explorer_site *const __start_explorer_sites[];
extern struct explorer_site *const __stop_explorer_sites[];
/* NOLINTEND */

static struct thread *self;	/* NULL: no thread runs */
static jmp_buf final_out;
static int in_final;

/* Locations: numbers, by unit of memory; their sizes; initial contents. */
static int16_t loc_at[EXPLORER_MEMORY / UNIT];
static uint8_t loc_size[MM_LOCS];
static uint32_t loc_offset[MM_LOCS];
static int nr_locs;
static uint8_t initial[EXPLORER_MEMORY];

static struct step_log {
	uint8_t tid;
	uint8_t step;
	int16_t event;		/* -1: none */
	struct op op;
} steps[MAX_STEPS];
int explore_nr_steps;

size_t explorer_nr_sites(void)
{
	return (size_t)(__stop_explorer_sites - __start_explorer_sites);
}

struct explorer_site *explorer_site_at(size_t i)
{
	return __start_explorer_sites[i];
}

uint64_t explore_truncate(uint64_t value, int loc)
{
	return loc_size[loc] == 4 ? (uint32_t)value : value;
}

int explore_nr_locs(void)
{
	return nr_locs;
}

static uint64_t read_size(const void *p, size_t size)
{
	return size == 4 ? *(const uint32_t *)p : *(const uint64_t *)p;
}

static int shared(const volatile void *p)
{
	uintptr_t a = (uintptr_t)p, base = (uintptr_t)explorer_memory;

	return a >= base && a < base + EXPLORER_MEMORY;
}

static int location(const volatile void *p, size_t size)
{
	size_t offset = (size_t)((const uint8_t *)(uintptr_t)p -
				 explorer_memory);
	size_t i;
	int loc = loc_at[offset / UNIT];

	if ((size != 4 && size != 8) || offset % size)
		explorer_fail("access of %zu bytes at %#zx", size, offset);
	if (loc < 0) {
		loc = nr_locs++;
		loc_size[loc] = (uint8_t)size;
		loc_offset[loc] = (uint32_t)offset;
		mm_init_location(loc, read_size(initial + offset, size));
		for (i = 0; i < size; i += UNIT)
			loc_at[(offset + i) / UNIT] = (int16_t)loc;
	}
	if (loc_size[loc] != size || loc_offset[loc] != offset)
		explorer_fail("accesses of several sizes at %#zx", offset);
	return loc;
}

/* Let the search decide, and come back with what it decided. */
static void submit(const struct op *op)
{
	self->op = *op;
	coro_yield();
}

static void submit_at(struct op *op, const volatile void *p, size_t size)
{
	op->site->hits++;
	op->order = op->site->as;
	op->loc = location(p, size);
	op->value = explore_truncate(op->value, op->loc);
	explore_uses(self, op);
	/* A CAS that always fails, because it always comes late, might not. */
	if (op->what >= OP_ADD && op->what <= OP_CAS)
		explore_writes(self, op->loc);
	submit(op);
}

uint64_t explorer_load(struct explorer_site *site, const volatile void *p,
		       size_t size)
{
	struct op op = { .site = site, .what = OP_LOAD };

	if (!self || !shared(p)) {
		if (in_final && shared(p))
			return explorer_final(p, size);
		return read_size((const void *)(uintptr_t)p, size);
	}
	submit_at(&op, p, size);
	return self->result;
}

void explorer_store(struct explorer_site *site, volatile void *p, size_t size,
		    uint64_t value)
{
	struct op op = { .site = site, .what = OP_STORE, .value = value };

	if (self && shared(p))
		submit_at(&op, p, size);
	else if (size == 4)
		*(volatile uint32_t *)p = (uint32_t)value;
	else
		*(volatile uint64_t *)p = value;
}

static uint64_t rmw(struct explorer_site *site, enum what what,
		    volatile void *p, size_t size, uint64_t value)
{
	struct op op = { .site = site, .what = what, .value = value };

	if (!self || !shared(p))
		explorer_fail("RMW outside the explored memory");
	submit_at(&op, p, size);
	return self->result;
}

uint64_t explorer_add(struct explorer_site *site, volatile void *p,
		      size_t size, uint64_t value)
{
	return rmw(site, OP_ADD, p, size, value);
}

uint64_t explorer_xchg(struct explorer_site *site, volatile void *p,
		       size_t size, uint64_t value)
{
	return rmw(site, OP_XCHG, p, size, value);
}

int explorer_cas(struct explorer_site *site, volatile void *p, size_t size,
		 volatile void *expected, uint64_t value)
{
	struct op op = { .site = site, .what = OP_CAS, .value = value };

	if (!self || !shared(p))
		explorer_fail("CAS outside the explored memory");
	op.expected = read_size((const void *)(uintptr_t)expected, size);
	submit_at(&op, p, size);
	if (!self->swapped)
		explorer_store(site, expected, size, self->result);
	return self->swapped;
}

void explorer_fence(struct explorer_site *site)
{
	struct op op = {
		.site = site, .what = OP_FENCE, .order = site->as,
		.compiler_only = site->kind == EXPLORER_CRASH_FENCE,
	};

	if (!self)
		return;
	site->hits++;
	if (site->as == EXPLORER_NONE)
		return;
	submit(&op);
}

void explorer_relax(void)
{
}

void explorer_copy_in(struct explorer_site *site, void *dst, const void *src,
		      size_t n)
{
	const uint8_t *from = src;
	uint64_t *to = dst, word;

	for (; n; n -= n < 8 ? n : 8, from += 8) {
		word = 0;
		memcpy(&word, from, n < 8 ? n : 8);
		explorer_store(site, to++, 8, word);
	}
}

void explorer_copy_out(struct explorer_site *site, void *dst, const void *src,
		       size_t n)
{
	const uint64_t *from = src;
	uint8_t *to = dst;
	uint64_t word;

	for (; n; n -= n < 8 ? n : 8, to += 8) {
		word = explorer_load(site, from++, 8);
		memcpy(to, &word, n < 8 ? n : 8);
	}
}

unsigned int explorer_choose(unsigned int n)
{
	struct op op = { .site = &end_site, .what = OP_CHOOSE, .value = n };

	submit(&op);
	return (unsigned int)self->result;
}

void explorer_note(unsigned int i, uint64_t value)
{
	explorer_notes[i] = value;
}

void explorer_settle_at(unsigned int line, const void *state, size_t size)
{
	const uint8_t *p = state;
	uint64_t word;
	size_t i;

	self->hist[0] = line;
	self->hist[1] = size;
	for (i = 0; i < size; i += 8) {
		word = 0;
		memcpy(&word, p + i, size - i < 8 ? size - i : 8);
		hash_mix(self->hist, word);
	}
}

void explorer_await_at(struct explorer_site *site, const volatile void *p,
		       size_t size, uint64_t value)
{
	struct op op = {
		.site = site, .what = OP_LOAD, .blocking = 1, .expected = value,
	};

	submit_at(&op, p, size);
}

void explorer_await_not_at(struct explorer_site *site, const volatile void *p,
			   size_t size, uint64_t value)
{
	struct op op = {
		.site = site, .what = OP_LOAD, .blocking = 1, .expected = value,
		.inverted = 1,
	};

	submit_at(&op, p, size);
}

void explorer_await_either_at(struct explorer_site *site, const uint64_t *p,
			      uint64_t value, const uint64_t *p2,
			      uint64_t value2)
{
	struct op op = {
		.site = site, .what = OP_LOAD, .blocking = 1, .inverted = 1,
		.expected = value, .expected2 = value2,
	};

	op.loc2 = location(p2, 8);
	if (!op.loc2)
		explorer_fail("the second word must not be the first location");
	op.loc = op.loc2;
	explore_uses(self, &op);
	submit_at(&op, p, 8);
}

void explorer_syscall(void)
{
	struct op op = {
		.site = &end_site, .what = OP_FENCE, .order = EXPLORER_SC,
		.compiler_only = 1,
	};

	submit(&op);
	self->shielded = 1;
}

void explorer_sysret(void)
{
	self->shielded = 0;
}

void explorer_lock_at(struct explorer_site *site, volatile void *p,
		      size_t size)
{
	struct op op = {
		.site = site, .what = OP_CAS, .blocking = 1, .value = 1,
		.locks = 1,
	};

	submit_at(&op, p, size);
	if (self->outer)
		explorer_fail("more than two locks at a time");
	self->outer = self->lock;
	self->lock = location(p, size) + 1;
}

void explorer_unlock_at(struct explorer_site *site, volatile void *p,
			size_t size)
{
	struct op op = { .site = site, .what = OP_STORE, .locks = 1 };

	submit_at(&op, p, size);
	self->lock = self->outer;
	self->outer = 0;
}

void explorer_join(unsigned int thread)
{
	struct op op = { .site = &end_site, .what = OP_JOIN, .value = thread };

	submit(&op);
}

/* Give up this execution; never comes back to the caller. */
static void give_up(enum verdict verdict)
{
	explore_verdict = verdict;
	if (in_final)
		longjmp(final_out, 1);
	if (self)
		coro_yield();
	abort();
}

void explorer_cut(void)
{
	give_up(CUT);
	__builtin_unreachable();
}

void explorer_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(explore_result->why, sizeof(explore_result->why), fmt, ap);
	va_end(ap);
	if (!self && !in_final)
		fprintf(stderr, "explorer: %s\n", explore_result->why);
	give_up(FAILED);
	__builtin_unreachable();
}

uint64_t explorer_final(const volatile void *p, size_t size)
{
	int loc = location(p, size);

	return mm_message(mm_message_at(loc, mm_nr_messages(loc) - 1))->value;
}

void explore_setup(void)
{
	int i;

	if (!explorer_memory) {
		explorer_memory = mmap(NULL, EXPLORER_MEMORY, PROT_READ |
				       PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				       -1, 0);
		if (explorer_memory == MAP_FAILED)
			abort();
	}
	mprotect(explorer_memory, EXPLORER_MEMORY, PROT_READ | PROT_WRITE);
	memset(explorer_memory, 0, EXPLORER_MEMORY);
	if (explorer_model->setup)
		explorer_model->setup();
	memcpy(initial, explorer_memory, EXPLORER_MEMORY);
	mprotect(explorer_memory, EXPLORER_MEMORY, PROT_NONE);
	nr_locs = 0;
	for (i = 0; i < EXPLORER_MEMORY / UNIT; i++)
		loc_at[i] = -1;
}

void explore_begin(void)
{
	int i;

	for (i = 0; i < nr_locs; i++)
		mm_init_location(i, read_size(initial + loc_offset[i],
					      loc_size[i]));
}

void explore_end(void)
{
	mprotect(explorer_memory, EXPLORER_MEMORY, PROT_READ | PROT_WRITE);
}

void explore_resume(int tid)
{
	struct thread *th = &explore_thread[tid];

	self = th;
	if (coro_resume(&th->coro))
		th->op = (struct op){ .site = &end_site, .what = OP_END };
	self = NULL;
}

void explore_final(unsigned int stuck)
{
	in_final = 1;
	if (!setjmp(final_out)) {
		if (explorer_model->final)
			explorer_model->final(stuck);
		else if (stuck)
			explorer_fail("threads sleep for ever (mask %#x)",
				      stuck);
	}
	in_final = 0;
}

void explore_step(int tid, enum step step)
{
	struct step_log *s = &steps[explore_nr_steps];

	if (explore_nr_steps == MAX_STEPS - 1) {
		snprintf(explore_result->why, sizeof(explore_result->why),
			 "an execution of %d steps: a loop without end?",
			 MAX_STEPS);
		explore_verdict = FAILED;
		return;
	}
	explore_nr_steps++;
	s->tid = (uint8_t)tid;
	s->step = (uint8_t)step;
	s->op = explore_thread[tid].op;
	s->event = (int16_t)mm_nr_events(tid);
}

static const char *order_name(enum explorer_order o)
{
	static const char *const names[] = {
		"none", "plain", "relaxed", "acquire", "release", "acq_rel",
		"seq_cst",
	};

	return names[o];
}

static void print_access(const struct step_log *s)
{
	static const char *const names[] = {
		"load", "store", "add", "xchg", "cas",
	};
	const struct mm_event *e;

	printf(" %s %s [%#x]", names[s->op.what], order_name(s->op.order),
	       loc_offset[s->op.loc]);
	if (s->event >= mm_nr_events(s->tid)) {
		printf(" (the last)");
		return;
	}
	e = mm_event(s->tid, s->event);
	if (e->rmsg >= 0) {
		const struct mm_message *m = mm_message(e->rmsg);

		printf(" reads %#llx", (unsigned long long)m->value);
		if (m->tid == MM_INIT)
			printf(" (initial)");
		else
			printf(" (of t%d)", m->tid);
		if (m->rank + 1 < mm_nr_messages(m->loc))
			printf(" [not the newest]");
	}
	if (e->wmsg >= 0) {
		const struct mm_message *m = mm_message(e->wmsg);

		printf(" writes %#llx", (unsigned long long)m->value);
		if (m->rank + 1 < mm_nr_messages(m->loc))
			printf(" [not the newest]");
	}
}

void explore_print_trace(void)
{
	int i;

	for (i = 0; i < explore_nr_steps; i++) {
		const struct step_log *s = &steps[i];
		const struct explorer_site *site = s->op.site;
		const char *base = strrchr(site->file, '/');

		if (site == &end_site && s->step == STEP_GO)
			continue;
		printf("#   t%d %s:%d %s:", s->tid, base ? base + 1 :
		       site->file, site->line, site->func ? site->func : "");
		if (s->step == STEP_DIE) {
			printf(" killed before this\n");
			continue;
		}
		if (s->step == STEP_SKIP)
			printf(" moved behind the kill:");
		if (s->op.what == OP_FENCE)
			printf(" %s fence %s", s->op.compiler_only ?
			       "crash" : "", order_name(s->op.order));
		else if (s->op.what <= OP_CAS && s->step == STEP_SKIP)
			printf(" store [%#x] = %#llx", loc_offset[s->op.loc],
			       (unsigned long long)s->op.value);
		else if (s->op.what <= OP_CAS)
			print_access(s);
		printf("\n");
	}
	printf("#   => %s\n", explore_result->why);
}
