// SPDX-License-Identifier: GPL-2.0-only

/*
 * Lanes: kill their members between any two instructions.
 *
 * A helper runs a script of operations under ptrace, one instruction at a
 * time.  What a kill leaves is what is in memory at that point; so whenever
 * memory has changed, a copy of it is what a survivor would find, and is put
 * to all that survivors do: readers judge, the next writer repairs, the next
 * reader resumes.  Some copies are made by a real SIGKILL.
 */

#include <sys/ptrace.h>
#include <sys/user.h>

#include "lane_fixture.h"

#define CAPACITY	4096
#define MAX_OPS		40
/* A helper that runs away. */
#define MAX_STEPS	400000

enum what {
	RESERVE, COMMIT, SHORTER, ABORT, SEND, BATCH, FULL, CLOSE, TAKE_OVER,
};

struct op {
	enum what what;
	int which;		/* reservation */
	size_t length;
};

struct shared {
	struct fixture f;
	volatile int done;	/* operations, or records read, completed */
	volatile int started;
	uint64_t base;		/* records before the script */
	uint64_t pos;		/* where the script begins */
};

static uint8_t payload[MAX_OPS][1024];
static uint64_t batch[20];

/* Seeds of operations: their index, above all seeds before the script. */
static uint64_t seed_of(int op)
{
	return 1000 + (uint64_t)op;
}

static void do_op(struct shmchan_lane_writer *w, const struct op *op, int nr,
		  struct shmchan_reservation *rsv, struct shared *s)
{
	int ring;

	switch (op->what) {
	case RESERVE:
		CHECK_EQ(shmchan_lane_reserve(w, op->length, &rsv[op->which]),
			 0);
		/* What was never committed must never be seen. */
		memset(rsv[op->which].data, 0xdd, op->length);
		break;
	case COMMIT:
	case SHORTER:
		shmchan_lane_fill(w, &rsv[op->which], 0, payload[nr],
				  op->length);
		CHECK_EQ(shmchan_lane_commit(w, &rsv[op->which], op->length,
					     (uint32_t)seed_of(nr), 0), 0);
		break;
	case ABORT:
		CHECK_EQ(shmchan_lane_abort(w, &rsv[op->which]), 0);
		break;
	case SEND:
		CHECK_EQ(shmchan_lane_send(w, payload[nr], op->length,
					   (uint32_t)seed_of(nr), 0), 0);
		break;
	case BATCH:
		CHECK_EQ(shmchan_lane_send_n(w, batch, 8, op->length, 5, 0,
					     &ring), (int)op->length);
		break;
	case FULL:
		CHECK_EQ(shmchan_lane_send(w, payload[nr], op->length, 0, 0),
			 -EAGAIN);
		break;
	case CLOSE:
		CHECK_EQ(shmchan_lane_close(w), 0);
		break;
	case TAKE_OVER:
		fixture_slot(&s->f, FIXTURE_WRITER, 2, SHMCHAN_SLOT_LIVE);
		CHECK_EQ(shmchan_lane_writer_attach(w, &s->f.lane, 2,
						    &s->f.waiters[0]), 0);
		break;
	}
}

/* What readers may see after the first n operations. */
struct expected {
	int nr;
	uint64_t seed[MAX_OPS * 20];	/* 5 for each payload of a batch */
	size_t length[MAX_OPS * 20];
};

static void expect(const struct op *ops, int n, struct expected *e)
{
	int state[MAX_OPS] = { 0 }, op_of[MAX_OPS] = { 0 };
	int where[8] = { 0 }, nr = 0, i;
	size_t k;

	for (i = 0; i < n; i++) {
		switch (ops[i].what) {
		case RESERVE:
			where[ops[i].which] = nr;
			state[nr++] = 0;
			break;
		case COMMIT:
		case SHORTER:
			state[where[ops[i].which]] = 1;
			op_of[where[ops[i].which]] = i;
			break;
		case ABORT:
			state[where[ops[i].which]] = 2;
			break;
		case SEND:
		case BATCH:
			state[nr] = 1;
			op_of[nr++] = i;
			break;
		default:
			break;
		}
	}
	e->nr = 0;
	for (i = 0; i < nr; i++) {
		const struct op *op = &ops[op_of[i]];

		if (state[i] != 1)
			continue;
		for (k = 0; k < (op->what == BATCH ? op->length : 1); k++) {
			e->seed[e->nr] = op->what == BATCH ? 5 :
							     seed_of(op_of[i]);
			e->length[e->nr++] = op->what == BATCH ? 8 : op->length;
		}
	}
}

/* A copy of the lane as the dead left it, with its own slots. */
static void snapshot(struct fixture *copy, const struct fixture *from)
{
	memcpy(copy->base, from->base, from->size);
	memcpy(copy->slots, from->slots, 8 * FIXTURE_SLOTS);
	copy->waiters[0] = copy->waiters[1] = 0;
	copy->wakes = 0;
}

/*
 * Read all there is.  Compares with one of two expectations, and returns how
 * many payloads there were.  *ends counts what was said of ends.
 */
static int collect(struct shmchan_lane_reader *r, const struct expected *a,
		   const struct expected *b, int *ends)
{
	const struct expected *e = b->nr > a->nr ? b : a;
	uint8_t buf[1024];
	int n = 0, silent = 0, err;
	uint32_t meta;
	size_t len;

	*ends = 0;
	while (silent < 3) {
		err = shmchan_lane_recv(r, buf, sizeof(buf), &len, &meta);
		if (err == -EOWNERDEAD || err == -EPIPE || err == -EAGAIN) {
			*ends += err != -EAGAIN && !silent;
			silent++;
			continue;
		}
		CHECK_EQ(err, 0);
		silent = 0;
		CHECK_LT(n, e->nr);
		/* Both expectations agree as far as both go, or one is right. */
		if (n < a->nr && meta != (uint32_t)a->seed[n])
			a = b;
		if (n < b->nr && meta != (uint32_t)b->seed[n])
			b = a;
		e = b->nr > a->nr ? b : a;
		CHECK_LT(n, e->nr);
		CHECK_EQ(meta, (uint32_t)e->seed[n]);
		CHECK_EQ(len, e->length[n]);
		if (meta != 5)
			CHECK(filled(buf, len, meta));
		n++;
	}
	CHECK(n == a->nr || n == b->nr);
	return n;
}

/* Invariant W3 in a writer that has just taken over. */
static void check_writer(const struct shmchan_lane_writer *w)
{
	uint64_t pos;

	CHECK_GE(w->zeroed, w->tail + 8);
	CHECK_LE(w->zeroed, w->limit);
	for (pos = w->tail; pos < w->zeroed; pos += 8)
		CHECK_EQ(*shmchan_lane__at(w, pos), 0);
}

/* What survivors make of it, when operations done or done + 1 took effect. */
static void survivors(struct shared *s, struct fixture *copy,
		      const struct op *ops, int nr, int done, uint32_t gen)
{
	struct shmchan_lane_reader judge, late;
	struct shmchan_lane_writer w;
	static struct expected a, b;
	int ends, n, i;

	expect(ops, done, &a);
	expect(ops, done < nr ? done + 1 : done, &b);

	/* Readers judge, then it is repaired. */
	snapshot(copy, &s->f);
	fixture_slot(copy, FIXTURE_WRITER, gen, SHMCHAN_SLOT_DIED);
	fixture_reader(copy, &judge, 0, SHMCHAN_FROM_CURSOR);
	n = collect(&judge, &a, &b, &ends);
	CHECK_GE(ends, 1);
	fixture_slot(copy, FIXTURE_WRITER, gen + 1, SHMCHAN_SLOT_LIVE);
	fixture_writer(copy, &w);
	check_writer(&w);
	CHECK_EQ(w.records, s->base + (uint64_t)n);
	CHECK_RECV_ERR(&judge, -EAGAIN);
	for (i = 0; i < 3; i++) {
		CHECK_EQ(send_seed(&w, 100, 77 + (uint64_t)i), 0);
		CHECK_RECV(&judge, 100, 77 + (uint64_t)i);
	}
	CHECK_RECV_ERR(&judge, -EAGAIN);

	/* It is repaired before anybody looks. */
	snapshot(copy, &s->f);
	fixture_slot(copy, FIXTURE_WRITER, gen + 1, SHMCHAN_SLOT_LIVE);
	fixture_writer(copy, &w);
	check_writer(&w);
	fixture_reader(copy, &late, 0, SHMCHAN_FROM_CURSOR);
	CHECK_EQ(collect(&late, &a, &b, &ends), n);
	CHECK_GE(ends, 1);
	for (i = 0; i < 40; i++) {
		CHECK_EQ(send_seed(&w, 150, 77 + (uint64_t)i), 0);
		CHECK_RECV(&late, 150, 77 + (uint64_t)i);
	}
	CHECK_RECV_ERR(&late, -EAGAIN);
}

/* One instruction; 0 when the helper has ended. */
static int step(pid_t pid)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL))
		FAIL("single step: %s", strerror(errno));
	status = child_wait(pid);
	if (WIFEXITED(status)) {
		CHECK_EQ(WEXITSTATUS(status), 0);
		return 0;
	}
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		FAIL("the helper stopped with status %#x", (unsigned int)status);
	return 1;
}

static void trace_me(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(HARNESS_EXIT_SKIP);
	raise(SIGSTOP);
}

static void traced(pid_t pid)
{
	int status = child_wait(pid);

	if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_EXIT_SKIP)
		SKIP("ptrace is not permitted");
	CHECK(WIFSTOPPED(status));
}

/*
 * Bring a new lane to position pos, with nothing unread.  The odd length goes
 * first, so that the checkpoints are as far into their eighths as pos is.
 */
static void prepare(struct shared *s, struct shmchan_lane_writer *w,
		    uint64_t pos)
{
	struct shmchan_lane_reader r;
	uint64_t extent, seed;

	fixture_reset(&s->f);
	s->done = s->started = 0;
	fixture_writer(&s->f, w);
	fixture_reader(&s->f, &r, 0, SHMCHAN_FROM_CURSOR);
	while (w->tail < pos) {
		extent = (pos - w->tail) % 512;
		if (!extent)
			extent = 512;
		seed = w->records;
		CHECK_EQ(send_seed(w, extent - 8, seed), 0);
		CHECK_RECV(&r, extent - 8, seed);
	}
	shmchan_lane_leave(&r);
	s->base = w->records;
	s->pos = w->tail;
}

static pid_t start(struct shared *s, const struct shmchan_lane_writer *from,
		   const struct op *ops, int nr)
{
	struct shmchan_reservation rsv[8];
	struct shmchan_lane_writer w = *from;
	pid_t pid = child_fork();
	int i;

	if (pid)
		return pid;
	trace_me();
	s->started = 1;
	for (i = 0; i < nr; i++) {
		do_op(&w, &ops[i], i, rsv, s);
		s->done = i + 1;
	}
	_exit(0);
}

/* The script at position pos, killed everywhere. */
static unsigned int kill_everywhere(uint64_t pos, const struct op *ops, int nr,
				    uint32_t gen)
{
	struct shared *s = shared_alloc(sizeof(*s));
	struct shmchan_lane_writer w;
	unsigned int steps = 0, points = 0;
	struct fixture copy;
	uint8_t *last;
	int done = -1, i;
	pid_t pid;

	for (i = 0; i < nr; i++)
		fill(payload[i], ops[i].length <= 1024 ? ops[i].length : 0,
		     seed_of(i));
	fixture_init(&s->f, CAPACITY, 1, SHMCHAN_LANE_HOLD);
	fixture_init(&copy, CAPACITY, 1, SHMCHAN_LANE_HOLD);
	last = malloc(s->f.size);
	CHECK(last);
	prepare(s, &w, pos);
	memcpy(last, s->f.base, s->f.size);
	pid = start(s, &w, ops, nr);
	traced(pid);
	while (step(pid)) {
		CHECK_LT(++steps, MAX_STEPS);
		if (!s->started || (s->done == done &&
				    !memcmp(last, s->f.base, s->f.size)))
			continue;
		done = s->done;
		memcpy(last, s->f.base, s->f.size);
		survivors(s, &copy, ops, nr, done, gen);
		points++;
	}
	CHECK_EQ(s->done, nr);
	survivors(s, &copy, ops, nr, nr, gen);
	free(last);
	fixture_free(&s->f);
	fixture_free(&copy);
	munmap(s, sizeof(*s));
	note("position %llu: %u instructions, %u states",
	     (unsigned long long)pos, steps, points);
	return points;
}

static const struct op script[] = {
	{ SEND, 0, 8 },
	{ RESERVE, 0, 40 },
	{ RESERVE, 1, 24 },
	{ SEND, 0, 100 },
	{ COMMIT, 1, 24 },
	{ RESERVE, 2, 64 },
	{ SHORTER, 0, 9 },
	{ ABORT, 2, 64 },
	{ BATCH, 0, 20 },
	{ RESERVE, 3, 200 },
	{ RESERVE, 4, 56 },
	{ ABORT, 3, 200 },
	{ SHORTER, 4, 3 },
	{ SEND, 0, 0 },
	{ SEND, 0, 300 },
};

/* Where it starts new, ends eighths, ends the ring, and meets the limit. */
TEST_LIMIT(writer_killed_anywhere, 300)
{
	static const uint64_t places[] = {
		0, 488, 1000, 3200, CAPACITY - 600, CAPACITY - 232,
		CAPACITY - 160, CAPACITY - 64, CAPACITY - 16, CAPACITY - 8,
		2 * CAPACITY - 320, 3 * CAPACITY - 48,
	};
	unsigned int i, points;

	if (HARNESS_SANITIZED)
		SKIP("it is the optimised build whose kill points count");
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		points = kill_everywhere(places[i], script,
				(int)(sizeof(script) / sizeof(script[0])), 1);
		CHECK_GT(points, 60);
	}
}

/*
 * One reservation holds everything while the lane fills up behind it; when it
 * is committed, the next checkpoint belongs a whole lap further on, in the
 * entry of the newest one.
 */
static const struct op wide[] = {
	{ RESERVE, 0, 40 },
	{ SEND, 0, 1016 },
	{ SEND, 0, 1016 },
	{ SEND, 0, 1016 },
	{ SEND, 0, 8 },
	{ SEND, 0, 520 },
	{ COMMIT, 0, 40 },
	{ FULL, 0, 1016 },
};

TEST_LIMIT(killed_while_checkpoints_catch_up, 60)
{
	if (HARNESS_SANITIZED)
		SKIP("it is the optimised build whose kill points count");
	kill_everywhere(960, wide, 8, 1);
}

static const struct op clean[] = {
	{ SEND, 0, 30 },
	{ RESERVE, 0, 30 },
	{ SEND, 0, 30 },
	{ CLOSE, 0, 0 },
};

TEST_LIMIT(writer_killed_while_it_closes, 60)
{
	if (HARNESS_SANITIZED)
		SKIP("it is the optimised build whose kill points count");
	kill_everywhere(8, clean, 4, 1);
	kill_everywhere(CAPACITY - 128, clean, 4, 1);
}

static const struct op heir[] = {
	{ RESERVE, 0, 40 },
	{ SEND, 0, 50 },
	{ RESERVE, 1, 24 },
	{ SEND, 0, 30 },
	{ TAKE_OVER, 0, 0 },
	{ SEND, 0, 30 },
	{ RESERVE, 2, 24 },
	{ SEND, 0, 300 },
};

/* The one that repairs is killed as well: its successor starts over. */
TEST_LIMIT(killed_while_it_repairs, 120)
{
	static const uint64_t places[] = {
		0, 504, CAPACITY - 240, CAPACITY - 136, CAPACITY - 8,
	};
	unsigned int i;

	if (HARNESS_SANITIZED)
		SKIP("it is the optimised build whose kill points count");
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		kill_everywhere(places[i], heir, 8, 2);
}

/* The same by SIGKILL, at every 37th instruction. */
TEST_LIMIT(writer_really_killed, 120)
{
	int nr = (int)(sizeof(script) / sizeof(script[0])), i, k, alive = 1;
	struct shared *s = shared_alloc(sizeof(*s));
	struct shmchan_lane_writer w;
	struct fixture copy;
	pid_t pid;

	if (HARNESS_SANITIZED)
		SKIP("it is the optimised build whose kill points count");
	for (i = 0; i < nr; i++)
		fill(payload[i], script[i].length, seed_of(i));
	fixture_init(&s->f, CAPACITY, 1, SHMCHAN_LANE_HOLD);
	fixture_init(&copy, CAPACITY, 1, SHMCHAN_LANE_HOLD);
	for (k = 37; alive; k += 37) {
		prepare(s, &w, CAPACITY - 600);
		pid = start(s, &w, script, nr);
		traced(pid);
		for (i = 0; i < k && alive; i++)
			alive = step(pid);
		if (alive)
			child_kill(pid);
		if (s->started)
			survivors(s, &copy, script, nr, s->done, 1);
	}
	CHECK_GT(k, 1000);
}

/* A reader: what it has not said it is done with is still there. */
static void reader_killed(int zero_copy)
{
	struct shared *s = shared_alloc(sizeof(*s));
	struct shmchan_lane_writer w, heir_w;
	struct shmchan_lane_reader r, next;
	unsigned int steps = 0, points = 0;
	int total = 0, done = -1, ends = 0, err;
	struct fixture copy;
	uint8_t buf[1024], *last;
	uint64_t seed, sent;
	const void *data;
	uint32_t meta;
	size_t len;
	pid_t pid;

	fixture_init(&s->f, CAPACITY, 1, SHMCHAN_LANE_HOLD);
	fixture_init(&copy, CAPACITY, 1, SHMCHAN_LANE_HOLD);
	last = malloc(s->f.size);
	CHECK(last);
	prepare(s, &w, CAPACITY / 2);
	while (!send_seed(&w, (uint64_t)total % 200, s->base + (uint64_t)total))
		total++;
	CHECK_GT(total, 30);
	pid = child_fork();
	if (!pid) {
		fixture_reader(&s->f, &r, 0, SHMCHAN_FROM_CURSOR);
		trace_me();
		s->started = 1;
		while (s->done < total) {
			if (zero_copy) {
				CHECK_EQ(shmchan_lane_peek(&r, &data, &len,
							   &meta), 0);
				shmchan_lane_release(&r);
			} else {
				CHECK_EQ(shmchan_lane_recv(&r, buf, sizeof(buf),
							   &len, &meta), 0);
			}
			s->done++;
		}
		shmchan_lane_leave(&r);
		_exit(0);
	}
	traced(pid);
	memcpy(last, s->f.base, s->f.size);
	while (step(pid)) {
		CHECK_LT(++steps, MAX_STEPS);
		if (!s->started || (s->done == done &&
				    !memcmp(last, s->f.base, s->f.size)))
			continue;
		done = s->done;
		memcpy(last, s->f.base, s->f.size);
		points++;
		/* Another writer and another reader go on with what is left. */
		snapshot(&copy, &s->f);
		fixture_slot(&copy, FIXTURE_WRITER, 2, SHMCHAN_SLOT_LIVE);
		fixture_slot(&copy, FIXTURE_READER, 1, SHMCHAN_SLOT_DIED);
		fixture_writer(&copy, &heir_w);
		for (sent = s->base + (uint64_t)total;
		     !send_seed(&heir_w, 20, sent); sent++)
			;
		fixture_slot(&copy, FIXTURE_READER, 2, SHMCHAN_SLOT_LIVE);
		fixture_reader(&copy, &next, 0, SHMCHAN_FROM_CURSOR);
		seed = 0;
		ends = 0;
		while ((err = shmchan_lane_recv(&next, buf, sizeof(buf), &len,
						&meta)) != -EAGAIN) {
			if (err == -EOWNERDEAD) {
				CHECK(!seed || seed == s->base + (uint64_t)total);
				ends++;
				continue;
			}
			CHECK_EQ(err, 0);
			if (!seed) {
				/* All that was not read, and a little more. */
				seed = meta;
				CHECK_LE(seed, s->base + (uint64_t)done + 1);
				CHECK_GE(seed + 30, s->base + (uint64_t)done);
			}
			CHECK_EQ(meta, (uint32_t)seed);
			CHECK(filled(buf, len, seed));
			seed++;
		}
		CHECK_EQ(seed, sent);
		CHECK_EQ(ends, 1);
	}
	CHECK_EQ(s->done, total);
	note("%u instructions, %u states", steps, points);
	CHECK_GT(points, 30);
}

TEST_LIMIT(reader_killed_anywhere, 120)
{
	if (HARNESS_SANITIZED)
		SKIP("it is the optimised build whose kill points count");
	reader_killed(0);
}

TEST_LIMIT(reader_killed_anywhere_zero_copy, 120)
{
	if (HARNESS_SANITIZED)
		SKIP("it is the optimised build whose kill points count");
	reader_killed(1);
}

TEST_MAIN
