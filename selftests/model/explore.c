// SPDX-License-Identifier: GPL-2.0-only
/*
 * The search: which events can come next, trying each, taking it back.  See
 * explorer.h for what is explored and why that is all.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "explore_private.h"

#define MAX_STATES	4000000UL
#define MAX_ALTS	256
#define MAX_DEPTH	8192

const struct explorer_model *explorer_model;
int explorer_deep;
uint8_t *explorer_memory;
uint64_t explorer_notes[EXPLORER_NOTES];

struct thread explore_thread[EXPLORER_THREADS];
struct explorer_result *explore_result;
enum verdict explore_verdict;
static int nr_threads;
static int kills;

/* What an alternative does with a thread's pending operation. */
enum how { GO, SKIP, DIE, STOP };

struct alt {
	uint8_t tid;
	uint8_t how;
	int16_t rmsg;
	int16_t after;
	uint16_t choice;
	uint8_t second;		/* reads loc2 */
};

/* A place with alternatives left. */
struct node {
	size_t mark;
	int nr_alts;
	int next;
	int kills;
	int nr_steps;
	struct alt *alts;
	struct thread thread[EXPLORER_THREADS];
	struct coro_state *state[EXPLORER_THREADS];
	uint64_t notes[EXPLORER_NOTES];
};

static struct node nodes[MAX_DEPTH];
static int depth;

/* Node contents, last in, first out. */
static uint8_t *heap;
static size_t heap_used;
#define HEAP	(256UL << 20)

/* Which threads were ever seen to write a location. */
static uint8_t writers[MM_LOCS];
static int learned;

/* Threads that somebody may join. */
static unsigned int joined;

static void *take(size_t n)
{
	void *p = heap + heap_used;

	heap_used += (n + 15) & ~15UL;
	if (heap_used > HEAP)
		abort();
	return p;
}

static int is_read(const struct op *op)
{
	switch (op->what) {
	case OP_LOAD:
	case OP_ADD:
	case OP_XCHG:
	case OP_CAS:
	case OP_JOIN:
		return 1;
	default:
		return 0;
	}
}

static int may_die(const struct thread *th)
{
	if (th->shielded && !(th->op.what == OP_LOAD && th->op.blocking))
		return 0;
	return th->status == RUNNING && th->will &&
		kills < explorer_model->max_kills;
}

static void add(struct alt *alts, int *n, struct alt alt)
{
	if (*n < 0 || *n >= MAX_ALTS)
		abort();
	alts[(*n)++] = alt;
}

/* The other word that a thread waits for. */
static void second_alts(int tid, struct alt *alts, int *n)
{
	const struct op *op = &explore_thread[tid].op;
	int floor = mm_floor(tid, op->loc2), r;

	for (r = mm_nr_messages(op->loc2) - 1; r >= floor; r--) {
		int msg = mm_message_at(op->loc2, r);

		if (mm_message(msg)->value != op->expected2)
			add(alts, n, (struct alt){ .tid = (uint8_t)tid,
				.how = GO, .rmsg = (int16_t)msg, .after = -1,
				.second = 1 });
	}
}

/* The ways in which a pending read can go. */
static void read_alts(int tid, struct alt *alts, int *n)
{
	const struct thread *th = &explore_thread[tid];
	const struct op *op = &th->op;
	int floor = mm_floor(tid, op->loc);
	int r;

	for (r = mm_nr_messages(op->loc) - 1; r >= floor; r--) {
		int msg = mm_message_at(op->loc, r);
		const struct mm_message *m = mm_message(msg);
		int writes = op->what != OP_LOAD;

		if (op->what == OP_CAS)
			writes = m->value == op->expected;
		if (op->blocking && (m->value == op->expected) == op->inverted)
			continue;
		if (writes && m->rmw_next)
			continue;
		add(alts, n, (struct alt){ .tid = (uint8_t)tid, .how = GO,
			.rmsg = (int16_t)msg,
			.after = (int16_t)(writes ? msg : -1) });
		if (op->order == EXPLORER_PLAIN)
			break;		/* an older one would be a race */
	}
	if (op->loc2)
		second_alts(tid, alts, n);
}

/* Where a pending store can go in modification order. */
static void store_alts(int tid, struct alt *alts, int *n)
{
	const struct op *op = &explore_thread[tid].op;
	int floor = mm_floor(tid, op->loc);
	int r;

	for (r = mm_nr_messages(op->loc) - 1; r >= floor; r--) {
		int msg = mm_message_at(op->loc, r);

		if (!mm_message(msg)->rmw_next)
			add(alts, n, (struct alt){ .tid = (uint8_t)tid,
				.how = GO, .rmsg = -1,
				.after = (int16_t)msg });
	}
}

static int skipped(const struct thread *th, int loc)
{
	return (th->skipped[loc / 64] & 1ULL << (loc % 64)) != 0;
}

/* Must a thread that has left a store out die here?  See explorer.h. */
static int doom_ends(const struct thread *th)
{
	const struct op *op = &th->op;

	switch (op->what) {
	case OP_LOAD:
		return op->blocking || skipped(th, op->loc);
	case OP_STORE:
		return op->order > EXPLORER_RLX || skipped(th, op->loc);
	case OP_FENCE:
		return op->order != EXPLORER_NONE && op->order != EXPLORER_ACQ;
	case OP_CHOOSE:
		return 0;
	default:
		return 1;
	}
}

/* How many stores may be left out before one kill. */
static int max_skips(void)
{
	return explorer_deep ? 2 : 1;
}

static void thread_alts(int tid, struct alt *alts, int *n)
{
	struct thread *th = &explore_thread[tid];
	const struct op *op = &th->op;
	struct alt go = { .tid = (uint8_t)tid, .how = GO,
			  .rmsg = -1, .after = -1 };
	struct alt die = go;
	unsigned int i;

	die.how = DIE;
	if (th->doomed && doom_ends(th)) {
		add(alts, n, die);
		return;
	}
	switch (op->what) {
	case OP_LOAD:
	case OP_ADD:
	case OP_XCHG:
	case OP_CAS:
		read_alts(tid, alts, n);
		if (op->what != OP_LOAD || op->blocking)
			break;		/* worth dying before */
		return;
	case OP_STORE:
		store_alts(tid, alts, n);
		if (th->doomed ? th->doomed < max_skips() : may_die(th)) {
			go.how = SKIP;
			add(alts, n, go);
		}
		break;
	case OP_JOIN:
		if (explore_thread[op->value].status == GONE)
			add(alts, n, go);
		break;
	case OP_CHOOSE:
		for (i = 0; i < op->value; i++) {
			go.choice = (uint16_t)i;
			add(alts, n, go);
		}
		return;
	case OP_END:
		add(alts, n, go);
		break;
	case OP_FENCE:
		add(alts, n, go);
		return;
	}
	if (may_die(th) || th->doomed)
		add(alts, n, die);
}

/* Can another thread still write what this one is about to read? */
static int contended(int tid)
{
	const struct op *op = &explore_thread[tid].op;
	unsigned int by = writers[op->loc];
	int u;

	if (op->loc2)
		by |= writers[op->loc2];
	for (u = 0; u < nr_threads; u++)
		if (u != tid && explore_thread[u].status != GONE &&
		    by & 1U << u)
			return 1;
	return 0;
}

/*
 * What can be done next, so that nothing is lost: one thread's store, fence or
 * choice; or one thread's read of what nobody else will write any more; or
 * any read of any thread.  *reads: one of the last two cases.
 */
static int gather(struct alt *alts, int *reads)
{
	int n = 0, t;

	*reads = 0;
	for (t = 0; t < nr_threads; t++) {
		const struct thread *th = &explore_thread[t];

		if (th->status == GONE ||
		    (is_read(&th->op) && !(th->doomed && doom_ends(th))))
			continue;
		thread_alts(t, alts, &n);
		if (n)
			return n;
	}
	*reads = 1;
	for (t = 0; t < nr_threads; t++) {
		if (explore_thread[t].status == GONE ||
		    explore_thread[t].op.what == OP_JOIN || contended(t))
			continue;
		thread_alts(t, alts, &n);
		if (n && alts[0].how == GO)
			return n;
		n = 0;
	}
	for (t = 0; t < nr_threads; t++)
		if (explore_thread[t].status != GONE)
			thread_alts(t, alts, &n);
	for (t = 0; t < n; t++)
		if (alts[t].how == GO)
			return n;
	/* All sleep: they may be killed, or sleep for ever. */
	if (n)
		add(alts, &n, (struct alt){ .how = STOP });
	return n;
}

static void mix_word(void *arg, uint64_t word)
{
	hash_mix(arg, word);
}

/*
 * Were we here before?  Two keys, of which either will do: the threads' local
 * state by what they read since they settled, and by their stacks.  The first
 * tells states apart that have become the same; the second those that differ
 * in dead words of the stack.
 */
static int seen_before(void)
{
	uint64_t h[2] = { 1, (uint64_t)kills }, k[2];
	int locks[MM_THREADS] = { 0 };
	unsigned int running = 0;
	int t, i, fresh;

	for (t = 0; t < nr_threads; t++) {
		const struct thread *th = &explore_thread[t];

		hash_mix(h, (uint64_t)th->status << 8 |
			 (uint64_t)th->doomed << 1 | (uint64_t)th->dead);
		if (th->status == GONE)
			continue;
		running |= 1U << t;
		locks[t] = th->lock;
		hash_mix(h, (uint64_t)th->shielded << 32 |
			 (uint64_t)th->outer << 16 | (uint64_t)th->lock);
		for (i = 0; th->doomed && i < MM_LOCS / 64; i++)
			hash_mix(h, th->skipped[i]);
	}
	for (i = 0; i < EXPLORER_NOTES; i++)
		hash_mix(h, explorer_notes[i]);
	mm_hash(h, running, joined, locks, explorer_model->races);

	k[0] = h[0];
	k[1] = h[1] + 1;
	for (t = 0; t < nr_threads; t++)
		if (running >> t & 1) {
			hash_mix(k, explore_thread[t].hist[0]);
			hash_mix(k, explore_thread[t].hist[1]);
		}
	fresh = hash_add(k);
	for (t = 0; t < nr_threads; t++)
		if (running >> t & 1)
			coro_words(&explore_thread[t].coro, mix_word, h);
	return !(hash_add(h) & fresh);
}

void explore_writes(const struct thread *th, int loc)
{
	int tid = (int)(th - explore_thread);

	if (!(writers[loc] & 1U << tid)) {
		writers[loc] |= (uint8_t)(1U << tid);
		learned = 1;
	}
}

void explore_uses(const struct thread *th, const struct op *op)
{
	if (mm_hash_user((int)(th - explore_thread), op->loc,
			 op->locks ? MM_IS_LOCK : th->lock))
		learned = 1;
}

static enum mm_result do_access(struct thread *th, const struct alt *alt)
{
	struct op *op = &th->op;
	int tid = (int)(th - explore_thread);
	struct mm_access a = {
		.loc = alt->second ? op->loc2 : op->loc, .rmsg = alt->rmsg, .after = alt->after,
		.order = op->order, .site = op->site, .value = op->value,
		.kind = op->site->kind,
	};

	if (alt->rmsg >= 0) {
		uint64_t old = mm_message(alt->rmsg)->value;

		th->result = old;
		if (op->what == OP_ADD)
			a.value = explore_truncate(old + op->value, op->loc);
		hash_mix(th->hist, old);
	}
	if (op->what == OP_CAS) {
		th->swapped = alt->after >= 0;
		if (!th->swapped)
			a.kind = EXPLORER_LOAD;
	}
	if (alt->after >= 0)
		explore_writes(th, op->loc);
	if (op->order == EXPLORER_PLAIN && mm_hash_plain(op->loc) &&
	    explorer_model->races)
		learned = 1;
	return mm_access(tid, &a);
}

static void finish(void)
{
	unsigned int stuck = 0;
	int t;

	for (t = 0; t < nr_threads; t++)
		if (explore_thread[t].status != GONE)
			stuck |= 1U << t;
	explore_result->executions++;
	explore_final(stuck);
}

/* Do it, and run the thread to its next operation. */
static void apply(const struct alt *alt)
{
	struct thread *th = &explore_thread[alt->tid];
	enum mm_result res = MM_OK;
	struct op *op = &th->op;

	if (alt->how == STOP) {
		finish();
		explore_verdict = explore_verdict == GOING ? CUT :
			explore_verdict;
		return;
	}
	explore_step(alt->tid, alt->how == DIE ? STEP_DIE :
		     alt->how == SKIP ? STEP_SKIP : STEP_GO);
	if (explore_verdict != GOING)
		return;
	if (alt->how == DIE) {
		if (!th->doomed)
			kills++;
		th->doomed = 0;
		th->shielded = 0;
		th->lock = 0;
		th->outer = 0;
		th->dead = 1;
		th->status = BURIED;
		th->hist[0] = th->hist[1] = 0xdead;
		coro_restart(&th->coro, th->will);
	} else if (alt->how == SKIP) {
		if (!th->doomed)
			kills++;
		th->doomed++;
		th->skipped[op->loc / 64] |= 1ULL << (op->loc % 64);
		hash_mix(th->hist, 0x5c1b);
	} else {
		switch (op->what) {
		case OP_LOAD:
		case OP_STORE:
		case OP_ADD:
		case OP_XCHG:
		case OP_CAS:
			res = do_access(th, alt);
			break;
		case OP_FENCE:
			if (op->order != EXPLORER_NONE && !op->compiler_only)
				res = mm_fence(alt->tid, op->order, op->site);
			break;
		case OP_JOIN:
			mm_join(alt->tid, (int)op->value);
			if (!(joined >> op->value & 1)) {
				joined |= 1U << op->value;
				learned = 1;
			}
			break;
		case OP_CHOOSE:
			th->result = alt->choice;
			hash_mix(th->hist, alt->choice);
			break;
		case OP_END:
			th->status = GONE;
			return;
		}
	}
	explore_result->steps++;
	if (res == MM_INCONSISTENT) {
		explore_verdict = CUT;
		return;
	}
	if (res == MM_RACE) {
		snprintf(explore_result->why, sizeof(explore_result->why),
			 "data race at %s:%d (%s)", op->site->file,
			 op->site->line, op->site->func);
		explore_verdict = FAILED;
		return;
	}
	if (res == MM_LIMIT) {
		snprintf(explore_result->why, sizeof(explore_result->why),
			 "more than %d seq_cst events: a loop without end?",
			 MM_SC);
		explore_verdict = FAILED;
		return;
	}
	explore_resume(alt->tid);
}

static void push(const struct alt *alts, int n)
{
	struct node *nd = &nodes[depth++];
	int t;

	if (depth == MAX_DEPTH)
		abort();
	nd->mark = mm_mark();
	nd->alts = take(sizeof(*alts) * (size_t)n);
	memcpy(nd->alts, alts, sizeof(*alts) * (size_t)n);
	nd->nr_alts = n;
	nd->next = 1;
	nd->kills = kills;
	nd->nr_steps = explore_nr_steps;
	memcpy(nd->notes, explorer_notes, sizeof(nd->notes));
	for (t = 0; t < nr_threads; t++) {
		nd->thread[t] = explore_thread[t];
		nd->state[t] = NULL;
		if (explore_thread[t].status == GONE)
			continue;
		nd->state[t] = take(coro_state_size(&explore_thread[t].coro));
		coro_save(&explore_thread[t].coro, nd->state[t]);
	}
}

/* The next alternative of the newest node that has one; NULL: none. */
static const struct alt *back(void)
{
	struct node *nd;
	int t;

	while (depth && nodes[depth - 1].next == nodes[depth - 1].nr_alts) {
		depth--;
		heap_used = (size_t)((uint8_t *)nodes[depth].alts - heap);
	}
	if (!depth)
		return NULL;
	nd = &nodes[depth - 1];
	mm_undo(nd->mark);
	kills = nd->kills;
	explore_nr_steps = nd->nr_steps;
	memcpy(explorer_notes, nd->notes, sizeof(nd->notes));
	for (t = 0; t < nr_threads; t++) {
		explore_thread[t] = nd->thread[t];
		if (nd->state[t])
			coro_restore(&explore_thread[t].coro, nd->state[t]);
	}
	explore_verdict = GOING;
	return &nd->alts[nd->next++];
}

static void start(void)
{
	int t;

	mm_reset();
	explore_begin();
	hash_clear();
	depth = 0;
	heap_used = 0;
	kills = 0;
	explore_nr_steps = 0;
	explore_verdict = GOING;
	memset(explorer_notes, 0, sizeof(explorer_notes));
	for (t = 0; t < nr_threads; t++) {
		struct thread *th = &explore_thread[t];
		struct coro keep = th->coro;

		memset(th, 0, sizeof(*th));
		th->coro = keep;
		th->will = explorer_model->will[t];
		coro_restart(&th->coro, explorer_model->thread[t]);
	}
	for (t = 0; t < nr_threads; t++)
		explore_resume(t);
}

/* Returns 0 if it learned something and has to begin again. */
static int search(void)
{
	unsigned long bound = explorer_model->max_states ?: MAX_STATES;
	struct alt alts[MAX_ALTS];
	const struct alt *alt;

	start();
	for (;;) {
		int reads, n = 0;

		if (explore_verdict == GOING) {
			n = gather(alts, &reads);
			if (!n) {
				finish();
			} else if (reads && n > 1) {
				if (seen_before()) {
					n = 0;
				} else if (++explore_result->states > bound) {
					explore_result->incomplete = 1;
					return 1;
				}
			}
		}
		if (explore_verdict == FAILED) {
			explore_result->failed = 1;
			return 1;
		}
		if (explore_verdict == GOING && n) {
			alt = &alts[0];
			if (n > 1)
				push(alts, n);
			apply(alt);
			continue;
		}
		if (learned)
			return 0;
		alt = back();
		if (!alt)
			return 1;
		apply(alt);
	}
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void explorer_run(const struct explorer_model *model,
		  struct explorer_result *result, int trace)
{
	static int made;
	int t;

	if (!made) {
		for (t = 0; t < EXPLORER_THREADS; t++)
			coro_create(&explore_thread[t].coro);
		heap = mmap(NULL, HEAP, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (heap == MAP_FAILED)
			abort();
		made = 1;
	}
	memset(result, 0, sizeof(*result));
	explorer_model = model;
	explore_result = result;
	memset(writers, 0, sizeof(writers));
	joined = 0;
	mm_hash_reset();
	for (nr_threads = 0; nr_threads < EXPLORER_THREADS &&
	     model->thread[nr_threads]; nr_threads++)
		;
	explore_setup();
	result->seconds = -now();
	do {
		result->states = 0;
		result->executions = 0;
		learned = 0;
	} while (!search());
	result->seconds += now();
	explore_end();
	if (result->failed && trace)
		explore_print_trace();
}
