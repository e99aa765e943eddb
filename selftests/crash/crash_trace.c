// SPDX-License-Identifier: GPL-2.0-only

/* Crash points: bring a victim to an instruction, by ptrace, and kill it there. */

#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "crash_private.h"

#if defined(__x86_64__)

/*
 * Of a system call that sleeps for want of anybody: ticks until we believe it.  What
 * is done at a tick has to be little beside a tick, in an emulated guest too, or single
 * steps get nowhere.
 */
#define TICK_US		(on_kmod() ? 10000 : 1000)
#define TICKS_ASLEEP	2
#define TICKS_LOST	60000

static unsigned int ticks;	/* while we wait for one stop */

static void on_tick(int sig)
{
	(void)sig;
}

void crash_tick(int on)
{
	struct itimerval it = {
		.it_interval.tv_usec = on ? TICK_US : 0,
		.it_value.tv_usec = on ? TICK_US : 0,
	};
	struct sigaction sa = { .sa_handler = on_tick };

	if (on)
		sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static int proc_read(pid_t pid, const char *what, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, size - 1);
	close(fd);
	buf[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* In a system call, and not only for so long as that itself says. */
int crash_is_asleep(pid_t pid)
{
	char buf[512], *state;
	long nr;

	if (!proc_read(pid, "stat", buf, sizeof(buf)))
		return 0;
	state = strrchr(buf, ')');
	if (!state || strncmp(state, ") S", 3))
		return 0;
	/* "running", or numbers. */
	if (!proc_read(pid, "syscall", buf, sizeof(buf)))
		return 1;
	nr = strtol(buf, NULL, 10);
	return nr != SYS_nanosleep && nr != SYS_clock_nanosleep;
}

uint64_t crash_rip(pid_t pid)
{
	return (uint64_t)ptrace(PTRACE_PEEKUSER, pid,
				offsetof(struct user_regs_struct, rip), NULL);
}

/* The victim is our fork: its code is at the same places here. */
static int is_call(uint64_t rip)
{
	const uint8_t *code = (const uint8_t *)(uintptr_t)rip;

	return code[0] == 0x0f && code[1] == 0x05;
}

/*
 * Go on, to the next stop.  Returns whether it has slept on the way: then, if
 * kill_asleep, it still does, and has not stopped.
 */
static int proceed(pid_t pid, const struct crash_scenario *s, int request,
		   int kill_asleep)
{
	int status, slept = 0, seen = 0;
	pid_t got;

	if (ptrace(request, pid, NULL, NULL))
		FAIL("ptrace: %s", strerror(errno));
	ticks = 0;
	for (;;) {
		got = waitpid(pid, &status, __WALL);
		if (got == pid)
			break;
		if (got >= 0 || errno != EINTR)
			FAIL("waitpid: %s", strerror(errno));
		if (++ticks > TICKS_LOST)
			FAIL("the victim neither goes on nor sleeps");
		seen = crash_is_asleep(pid) ? seen + 1 : 0;
		if (slept || seen < TICKS_ASLEEP)
			continue;
		slept = 1;
		if (kill_asleep)
			return 1;
		crash_tick(0);
		s->release(s);
		crash_tick(1);
	}
	if (!WIFSTOPPED(status))
		FAIL("the victim ended with status %#x", (unsigned int)status);
	if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != (SIGTRAP | 0x80))
		FAIL("the victim got signal %d at %s", WSTOPSIG(status),
		     crash_where(crash_rip(pid)));
	return slept;
}

/* A new victim, at the beginning of its operation. */
pid_t crash_start(const struct crash_scenario *s)
{
	pid_t pid = child_fork();
	int status;

	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(HARNESS_EXIT_SKIP);
		s->victim(s);
		_exit(HARNESS_EXIT_FAIL);
	}
	status = child_wait(pid);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP ||
	    crash_shared->phase != 1)
		FAIL("the victim did not come to its operation: status %#x",
		     (unsigned int)status);
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
		   PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD))
		FAIL("ptrace: %s", strerror(errno));
	return pid;
}

/*
 * To an instruction that is executed for the first time behind this system call,
 * at full speed: by a breakpoint.  Returns 1 there, 0 if none can be set, and -1
 * if it came to the next system call instead, or to the end.
 */
static int run_to(pid_t pid, const struct crash_scenario *s, uint64_t rip)
{
	long code;

	errno = 0;
	code = ptrace(PTRACE_PEEKTEXT, pid, rip, NULL);
	if (errno || ptrace(PTRACE_POKETEXT, pid, rip, (code & ~0xffL) | 0xcc))
		return 0;
	(void)proceed(pid, s, PTRACE_SYSCALL, 0);
	if (ptrace(PTRACE_POKETEXT, pid, rip, code))
		FAIL("ptrace: %s", strerror(errno));
	if (crash_rip(pid) != rip + 1)
		return -1;
	if (ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rip),
		   rip))
		FAIL("ptrace: %s", strerror(errno));
	return 1;
}

/* Fewer steps than a breakpoint is worth. */
#define FEW_STEPS	8

static enum crash_outcome go(pid_t pid, const struct crash_scenario *s,
			     const struct crash_course *course,
			     const struct crash_point *point)
{
	unsigned int i, left = point->steps, ahead;

	for (i = 0; i < point->calls + !!point->asleep; i++) {
		int last = point->asleep && i == point->calls;

		/* Into it, and out of it. */
		(void)proceed(pid, s, PTRACE_SYSCALL, 0);
		if (crash_ended())
			return CRASH_ENDED;
		/* Earlier than it was measured, and with nobody to release it? */
		if (proceed(pid, s, PTRACE_SYSCALL, last || !s->release) &&
		    (last || !s->release))
			return last ? CRASH_THERE : CRASH_BEFORE;
	}
	if (point->asleep)
		return CRASH_BEFORE;
	/* Not behind what was measured. */
	if (point->steps < course->steps[point->calls]) {
		ahead = point->index - course->anchor[point->index];
		if (!point->slow && left - ahead > FEW_STEPS) {
			i = course->anchor[point->index];
			switch (run_to(pid, s, course->rip[i])) {
			case 1:
				left = ahead;
				break;
			case -1:
				return CRASH_LOST;
			}
		}
	}
	for (; left; left--) {
		if (is_call(crash_rip(pid)))
			return CRASH_BEFORE;
		(void)proceed(pid, s, PTRACE_SINGLESTEP, 0);
		if (crash_ended())
			return CRASH_ENDED;
	}
	return CRASH_THERE;
}

enum crash_outcome crash_go(pid_t pid, const struct crash_scenario *s,
			    const struct crash_course *course,
			    const struct crash_point *point)
{
	enum crash_outcome outcome;

	crash_tick(1);
	outcome = go(pid, s, course, point);
	crash_tick(0);
	return outcome;
}

void crash_kill(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) == pid && !WIFSIGNALED(status) &&
	       !WIFEXITED(status))
		;
}

/* What others can see of the victim: its writable shared mappings. */
#define MAX_SPANS	64

struct sight {
	struct iovec span[MAX_SPANS];
	int nr;
	size_t size, room;
	uint8_t *now, *last;
};

static void sight_maps(pid_t pid, struct sight *v)
{
	unsigned long start, end;
	char path[64], line[512], prot[8];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	v->nr = 0;
	v->size = 0;
	while (f && fgets(line, sizeof(line), f) && v->nr < MAX_SPANS) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, prot) != 3 ||
		    strcmp(prot, "rw-s") ||
		    (start <= (uintptr_t)crash_shared &&
		     end > (uintptr_t)crash_shared) ||
		    (start <= (uintptr_t)harness_shared &&
		     end > (uintptr_t)harness_shared) ||
		    end - start > 1 << 20)
			continue;
		v->span[v->nr].iov_base = (void *)start;
		v->span[v->nr++].iov_len = end - start;
		v->size += end - start;
	}
	if (f)
		fclose(f);
	if (v->size > v->room) {
		v->room = v->size;
		v->now = realloc(v->now, v->room);
		v->last = realloc(v->last, v->room);
		if (!v->now || !v->last)
			FAIL("no memory");
	}
}

static void sight_read(pid_t pid, struct sight *v)
{
	struct iovec local = { v->now, v->size };

	if (v->size && process_vm_readv(pid, &local, 1, v->span,
					(unsigned long)v->nr, 0) !=
		       (ssize_t)v->size)
		v->size = 0;
}

/* Has anything changed since the last time? */
static int sight_differs(pid_t pid, struct sight *v)
{
	uint8_t *swap = v->last;

	sight_read(pid, v);
	if (!v->size || !memcmp(v->now, v->last, v->size))
		return 0;
	v->last = v->now;
	v->now = swap;
	return 1;
}

static void sight_again(pid_t pid, struct sight *v)
{
	uint8_t *swap;

	sight_maps(pid, v);
	sight_read(pid, v);
	swap = v->last;
	v->last = v->now;
	v->now = swap;
}

/* Which addresses have been executed behind the same call: a set of them. */
#define SET_SIZE	(1U << 16)

static int first_time(uint64_t rip, int clear)
{
	static uint64_t set[SET_SIZE];
	static unsigned int used;
	uint64_t h = rip * 0x9e3779b97f4a7c15ULL >> 48;

	if (clear) {
		memset(set, 0, sizeof(set));
		used = 0;
		return 0;
	}
	for (; set[h]; h = (h + 1) % SET_SIZE)
		if (set[h] == rip)
			return 0;
	/* Full: what is new is not known any more. */
	if (used++ > SET_SIZE / 2)
		return 0;
	set[h] = rip;
	return 1;
}

static void find_anchors(struct crash_course *c, unsigned int from,
			 unsigned int nr)
{
	unsigned int i, anchor = from;

	first_time(0, 1);
	for (i = from; i < from + nr; i++) {
		if (first_time(c->rip[i], 0))
			anchor = i;
		c->anchor[i] = anchor;
	}
}

static void *array(void *old, size_t size)
{
	void *p;

	free(old);
	p = calloc(CRASH_MAX_STEPS, size);
	if (!p)
		FAIL("no memory");
	return p;
}

static void see(struct crash_course *c, int differs)
{
	if (c->seen)
		c->seen[c->total] = (uint8_t)differs;
}

static void measure(pid_t pid, const struct crash_scenario *s,
		    struct crash_course *c, struct sight *v)
{
	unsigned int begin = 0;
	int call, slept;

	for (;;) {
		c->rip[c->total] = crash_rip(pid);
		call = is_call(c->rip[c->total]);
		c->steps[c->nr_calls]++;
		c->total++;
		/* Who is released goes on; for others this is the end. */
		slept = proceed(pid, s, PTRACE_SINGLESTEP, call && !s->release);
		if (call || crash_ended())
			find_anchors(c, begin, c->total - begin);
		if (slept) {
			c->sleeps[c->nr_calls] = 1;
			if (!s->release)
				return;
			see(c, 1);
			c->total++;
		}
		if (crash_ended())
			return;
		if (c->total >= CRASH_MAX_STEPS - 4)
			FAIL("no end after %u instructions", c->total);
		if (call) {
			begin = c->total;
			if (++c->nr_calls >= CRASH_MAX_CALLS)
				FAIL("no end after %u system calls",
				     c->nr_calls);
			c->first[c->nr_calls] = begin;
			see(c, 1);
			if (c->seen)
				sight_again(pid, v);
		} else if (c->seen) {
			see(c, sight_differs(pid, v));
		}
	}
}

/*
 * All of the operation, step by step.  look: note which steps others can see
 * the effect of.
 */
void crash_measure(pid_t pid, const struct crash_scenario *s,
		   struct crash_course *c, int look)
{
	struct sight v = { 0 };

	memset(c->steps, 0, sizeof(c->steps));
	memset(c->sleeps, 0, sizeof(c->sleeps));
	c->nr_calls = c->total = c->first[0] = 0;
	c->rip = array(c->rip, sizeof(*c->rip));
	c->anchor = array(c->anchor, sizeof(*c->anchor));
	free(c->seen);
	c->seen = NULL;
	if (look) {
		c->seen = array(NULL, 1);
		see(c, 1);
		sight_again(pid, &v);
	}
	crash_tick(1);
	measure(pid, s, c, &v);
	crash_tick(0);
	/* The end, or the sleep. */
	see(c, 1);
	c->total++;
	free(v.now);
	free(v.last);
}

#endif /* __x86_64__ */
