// SPDX-License-Identifier: GPL-2.0-only

/*
 * No wake-up is lost, wherever a sleeper is on its way to sleep: it is stopped
 * at each instruction of shmchan_bell_wait() in turn, and rung there.
 *
 * On the local backend; in the kernel there is nothing to step through.  What
 * is lost there comes a slice late, so late is what this looks for.
 */

#include <sched.h>
#include <sys/ptrace.h>

#include "region_fixture.h"

/* A wake-up takes far less, a lost one takes this or more. */
#define LATE_NS		(SHMCHAN_LOCAL_SLICE_NS * 3 / 5)

struct stage {
	uint32_t begun;
	uint32_t done;
	uint32_t next;
	uint64_t done_at;
};

/* Waits for word 0 to be 1; again and again, a turn for each switch point. */
static void sleeper(const char *name, struct stage *st)
{
	struct shmchan_region *r = fix_open(name, 1);
	uint32_t turn;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(HARNESS_EXIT_SKIP);
	for (turn = 0; ; turn++) {
		struct shmchan_wait_elem e = fix_elem(FIX_BELL(1), 0, 0);

		shmchan_store_seq_cst(&st->begun, turn + 1);
		raise(SIGSTOP);
		CHECK_EQ(shmchan_bell_wait(r, &e, 1, SHMCHAN_FOREVER, NULL), 0);
		st->done_at = now_ns();
		shmchan_store_seq_cst(&st->done, turn + 1);
		while (shmchan_load_seq_cst(&st->next) <= turn)
			sleep_ms(1);
	}
}

static int asleep(pid_t pid)
{
	char path[64], line[256], *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	CHECK(f);
	CHECK(fgets(line, sizeof(line), f));
	fclose(f);
	state = strrchr(line, ')');
	CHECK(state);
	return state[2] == 'S';
}

static pid_t start(const char *name, struct stage *st)
{
	pid_t pid = child_fork();

	if (!pid)
		sleeper(name, st);
	return pid;
}

static void await_stop(pid_t pid, int sig)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_EXIT_SKIP)
		SKIP("ptrace is not allowed here");
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), sig);
}

/*
 * Step so many instructions into the wait.  Returns 0 if it fell asleep or
 * finished before: a step that blocks does not come back.
 */
static int step(pid_t pid, const struct stage *st, uint32_t turn,
		unsigned int steps)
{
	uint64_t since;
	int status;

	while (steps--) {
		pid_t got;

		CHECK(!ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
		since = now_ns();
		while (!(got = waitpid(pid, &status, WNOHANG)) &&
		       !(now_ns() - since > 3000000 && asleep(pid)))
			sched_yield();
		if (!got)
			return 0;
		CHECK(WIFSTOPPED(status));
		if (shmchan_load_seq_cst(&st->done) > turn)
			return 0;
	}
	return 1;
}

/* Let it run, until it sleeps in the kernel or is done. */
static void run_on(pid_t pid, const struct stage *st, uint32_t turn)
{
	CHECK(!ptrace(PTRACE_CONT, pid, NULL, NULL));
	while (shmchan_load_seq_cst(&st->done) <= turn && !asleep(pid))
		sched_yield();
}

/* On one processor a step costs two switches, and no waking of another. */
static void one_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * At each instruction: spurious rings for nothing first, so that flag and seq
 * are stirred; real ones announce the word.
 */
static void at_each_instruction(int spurious)
{
	struct stage *st = (struct stage *)shared_alloc(sizeof(*st));
	const char *name = test_name("step");
	struct shmchan_region *r = fix_create(name);
	/* What a sanitizer adds is not worth so many steps. */
	unsigned int n, late = 0, every = HARNESS_SANITIZED ? 29 : 1;
	int more = 1;
	pid_t pid;

	one_cpu();
	pid = start(name, st);

	for (n = 0; more; n++) {
		uint64_t rung;

		await_stop(pid, SIGSTOP);
		CHECK_EQ(shmchan_load_seq_cst(&st->begun), n + 1);
		more = step(pid, st, n, n * every);
		if (spurious) {
			CHECK_GE(shmchan_bell_ring(r, FIX_BELL(1), 0), 0);
			if (more)
				run_on(pid, st, n);
		}
		rung = now_ns();
		shmchan_store_seq_cst(fix_word(r, 0), 1);
		CHECK_GE(shmchan_bell_notify(r, FIX_BELL(1)), 0);
		if (!spurious && more)
			CHECK(!ptrace(PTRACE_CONT, pid, NULL, NULL));
		if (!more) {
			/* A step under way ends in the stop that follows it. */
			await_stop(pid, SIGTRAP);
			CHECK(!ptrace(PTRACE_CONT, pid, NULL, NULL));
		}
		while (shmchan_load_seq_cst(&st->done) <= n)
			sleep_ms(1);
		late += more && st->done_at > rung + LATE_NS;
		shmchan_store_seq_cst(fix_word(r, 0), 0);
		shmchan_store_seq_cst(&st->next, n + 1);
	}
	note("%u switch points, %u late", n, late);
	CHECK_GT(n * every, 50);
	/* Some, on a busy machine; but not at the same places every time. */
	CHECK_LE(late, 2);
	child_kill(pid);
	shmchan_region_close(r);
}

static void not_with_tsan(void)
{
#ifdef SHMCHAN_TSAN
	SKIP("ThreadSanitizer: each load is thousands of its own instructions");
#endif
}

TEST_LIMIT(rung_at_each_instruction, 300)
{
	LOCAL_ONLY("the kernel does this in one call");
	not_with_tsan();
	at_each_instruction(0);
}

TEST_LIMIT(rung_for_nothing_at_each_instruction, 300)
{
	LOCAL_ONLY("the kernel does this in one call");
	not_with_tsan();
	at_each_instruction(1);
}

TEST_MAIN
