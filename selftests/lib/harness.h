/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_HARNESS_H
#define SHMCHAN_TEST_HARNESS_H

/*
 * A small harness for tests of the library, in kselftest's output format.
 *
 *	#include "harness.h"
 *
 *	TEST(empty_lane_says_again)
 *	{
 *		CHECK_EQ(recv(...), -EAGAIN);
 *	}
 *
 *	TEST_LIMIT(slow_one, 120)		(seconds; 30 otherwise)
 *	{
 *		if (geteuid())
 *			SKIP("needs root");
 *		pid_t pid = fork();
 *		if (!pid) { CHECK(...); child_done(); }
 *		CHECK_CHILD_OK(pid);
 *	}
 *
 *	TEST_MAIN
 *
 * Each test runs in a child of its own, leader of a process group that is
 * killed when the test is over: a crash or a hang fails one test and leaves
 * nothing behind.  A failed CHECK says where and what, and ends the process
 * it is in; a helper process that a test forked shows it by its exit status.
 *
 * The program takes -l (list), or names of tests to run; exit status 0, 1 (a
 * test failed) or 4 (all were skipped).  SHMCHAN_TEST_SLOW=N multiplies the
 * time limits and divides the rounds of long loops.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shmchan/region.h>

#define HARNESS_EXIT_FAIL	1
#define HARNESS_EXIT_SKIP	4
#define HARNESS_LIMIT_S		30

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define HARNESS_SANITIZED	1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define HARNESS_SANITIZED	1
#endif
#endif
#ifndef HARNESS_SANITIZED
#define HARNESS_SANITIZED	0
#endif

/*
 * Loop counts: so many, or a part of it where each turn is dear: with a
 * sanitizer, or where SHMCHAN_TEST_SLOW says how slow the machine is (a guest
 * whose instructions are emulated).
 */
static inline int harness_slowness(void)
{
	const char *env = getenv("SHMCHAN_TEST_SLOW");
	unsigned long n = env ? strtoul(env, NULL, 10) : 1;

	return n >= 1 && n <= 1000 ? (int)n : 1;
}

#define HARNESS_ROUNDS(n) \
	((n) / ((HARNESS_SANITIZED ? 8 : 1) * harness_slowness()) + 1)

struct harness_test {
	const char *name;
	void (*fn)(void);
	unsigned int limit_s;
	struct harness_test *next;
};

/* Shared by the runner and the test's processes. */
struct harness_shared {
	char reason[256];
};

static struct harness_test *harness_first, **harness_last = &harness_first;
static struct harness_shared *harness_shared;

#define TEST_LIMIT(test, seconds)					\
	static void test_##test(void);					\
	__attribute__((constructor)) static void harness_add_##test(void) \
	{								\
		static struct harness_test t = {			\
			#test, test_##test, (seconds), NULL		\
		};							\
		*harness_last = &t;					\
		harness_last = &t.next;					\
	}								\
	static void test_##test(void)

#define TEST(test)	TEST_LIMIT(test, HARNESS_LIMIT_S)

/* One diagnostic line; one write, so that processes do not mix theirs. */
__attribute__((format(printf, 1, 2)))
static inline void note(const char *fmt, ...)
{
	char line[1024] = "# ";
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(line + 2, sizeof(line) - 3, fmt, ap);
	va_end(ap);
	n = strlen(line);
	line[n++] = '\n';
	fflush(stdout);
	if (write(STDOUT_FILENO, line, n) < 0)
		_exit(HARNESS_EXIT_FAIL);
}

/* What a failed check does; a driver of its own may have defined another. */
#ifndef HARNESS_FAILED
#define HARNESS_FAILED()	_exit(HARNESS_EXIT_FAIL)
#endif

/* The test, or the helper process that calls it, has failed. */
#define FAIL(...)							\
	do {								\
		note("%s:%d: in process %d:", __FILE__, __LINE__, (int)getpid()); \
		note(__VA_ARGS__);					\
		HARNESS_FAILED();					\
	} while (0)

/* Not applicable here.  Only in the test's own process, not in a helper. */
#define SKIP(...)							\
	do {								\
		snprintf(harness_shared->reason,			\
			 sizeof(harness_shared->reason), __VA_ARGS__);	\
		_exit(HARNESS_EXIT_SKIP);				\
	} while (0)

#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			FAIL("CHECK(%s) failed (detail of the last error: %s)", \
			     #cond, shmchan_error_detail());		\
	} while (0)

/* Compared as long long: for integers of any type, not for pointers. */
#define HARNESS_COMPARE(a, op, b)					\
	do {								\
		long long harness_a = (long long)(a);			\
		long long harness_b = (long long)(b);			\
		if (!(harness_a op harness_b))				\
			FAIL("CHECK(%s %s %s) failed: %lld and %lld (0x%llx and 0x%llx)" \
			     " (detail of the last error: %s)",		\
			     #a, #op, #b, harness_a, harness_b, harness_a, \
			     harness_b, shmchan_error_detail());	\
	} while (0)

#define CHECK_EQ(a, b)	HARNESS_COMPARE(a, ==, b)
#define CHECK_NE(a, b)	HARNESS_COMPARE(a, !=, b)
#define CHECK_LT(a, b)	HARNESS_COMPARE(a, <, b)
#define CHECK_LE(a, b)	HARNESS_COMPARE(a, <=, b)
#define CHECK_GT(a, b)	HARNESS_COMPARE(a, >, b)
#define CHECK_GE(a, b)	HARNESS_COMPARE(a, >=, b)

#define CHECK_STR(a, b)							\
	do {								\
		const char *harness_a = (a), *harness_b = (b);		\
		if (strcmp(harness_a, harness_b))			\
			FAIL("CHECK_STR(%s, %s) failed: \"%s\" and \"%s\"", \
			     #a, #b, harness_a, harness_b);		\
	} while (0)

/* A string that must say something: that this is in it. */
#define CHECK_SAYS(text, part)						\
	do {								\
		const char *harness_a = (text), *harness_b = (part);	\
		if (!strstr(harness_a, harness_b))			\
			FAIL("%s: \"%s\" does not say \"%s\"", #text,	\
			     harness_a, harness_b);			\
	} while (0)

/* A helper process ends here when all went well. */
static inline void __attribute__((noreturn)) child_done(void)
{
	fflush(stdout);
	_exit(0);
}

/* Reap a helper process; returns the raw wait status. */
static inline int child_wait(pid_t pid)
{
	int status;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		FAIL("waitpid(%d): %s", (int)pid, strerror(errno));
	return status;
}

#define CHECK_CHILD_OK(pid)						\
	do {								\
		int harness_s = child_wait(pid);			\
		if (harness_s)						\
			FAIL("helper process %s: wait status 0x%x",	\
			     #pid, (unsigned int)harness_s);		\
	} while (0)

/* Fork a helper that dies with the process that made it. */
static inline pid_t child_fork(void)
{
	pid_t parent = getpid(), pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		FAIL("fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(HARNESS_EXIT_FAIL);
	}
	return pid;
}

/* kill -9 and reap. */
static inline void child_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	child_wait(pid);
}

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

static inline void sleep_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, (long)(ms % 1000) * 1000000L };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

/* Memory that forked helpers share, zeroed; gone with the test. */
static inline void *shared_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		FAIL("mmap: %s", strerror(errno));
	return p;
}

/* A region name of this test's own: "test.PID.TAG"; valid until the next. */
static inline const char *test_name(const char *tag)
{
	static char name[SHMCHAN_NAME_LEN];
	static pid_t owner;

	/* A helper process names what its test named. */
	if (!owner)
		owner = getpid();
	snprintf(name, sizeof(name), "test.%d.%.40s", (int)owner, tag);
	return name;
}

static inline int on_kmod(void)
{
	return shmchan_backend_default() == SHMCHAN_BACKEND_KMOD;
}

#define KMOD_ONLY(promise)						\
	do {								\
		if (!on_kmod())						\
			SKIP("local backend: %s", promise);		\
	} while (0)

#define LOCAL_ONLY(promise)						\
	do {								\
		if (on_kmod())						\
			SKIP("kmod backend: %s", promise);		\
	} while (0)

/* Wait for the child, but no longer than the limit: then *status is -1. */
static inline void harness_reap(pid_t pid, unsigned int limit_s, int *status)
{
	struct pollfd pfd = { (int)syscall(SYS_pidfd_open, pid, 0), POLLIN, 0 };
	uint64_t end = now_ns() + limit_s * 1000000000ULL;
	int n = 0;

	while (pfd.fd >= 0 && now_ns() < end) {
		n = poll(&pfd, 1, 1000);
		if (n > 0 || (n < 0 && errno != EINTR))
			break;
	}
	if (pfd.fd >= 0)
		close(pfd.fd);
	/* Without pidfds the limit is the caller's who runs the program. */
	if (pfd.fd >= 0 && n <= 0) {
		kill(-pid, SIGKILL);
		child_wait(pid);
		*status = -1;
		return;
	}
	*status = child_wait(pid);
	kill(-pid, SIGKILL);
}

static inline int harness_run(const struct harness_test *t, unsigned int nr,
			      unsigned int slow)
{
	unsigned int limit_s = t->limit_s * slow;
	int status;
	pid_t pid;

	memset(harness_shared, 0, sizeof(*harness_shared));
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		printf("not ok %u %s # fork: %s\n", nr, t->name, strerror(errno));
		return HARNESS_EXIT_FAIL;
	}
	if (!pid) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		t->fn();
		fflush(stdout);
		/* Not _exit: the leak checker works at exit. */
		exit(0);
	}
	setpgid(pid, pid);
	harness_reap(pid, limit_s, &status);
	if (status == -1) {
		printf("# no end within %u s\n", limit_s);
		printf("not ok %u %s\n", nr, t->name);
		return HARNESS_EXIT_FAIL;
	}
	if (WIFSIGNALED(status)) {
		printf("# killed by signal %d\n", WTERMSIG(status));
		printf("not ok %u %s\n", nr, t->name);
		return HARNESS_EXIT_FAIL;
	}
	if (WEXITSTATUS(status) == HARNESS_EXIT_SKIP) {
		printf("ok %u %s # SKIP %s\n", nr, t->name,
		       harness_shared->reason);
		return HARNESS_EXIT_SKIP;
	}
	if (WEXITSTATUS(status)) {
		printf("# exit status %d\n", WEXITSTATUS(status));
		printf("not ok %u %s\n", nr, t->name);
		return HARNESS_EXIT_FAIL;
	}
	printf("ok %u %s\n", nr, t->name);
	return 0;
}

static inline int harness_wanted(const struct harness_test *t, int argc,
				 char **argv)
{
	int i;

	if (argc < 2)
		return 1;
	for (i = 1; i < argc; i++)
		if (!strcmp(argv[i], t->name))
			return 1;
	return 0;
}

static inline int harness_main(int argc, char **argv)
{
	/* Rounds were divided already: this is for what is left. */
	unsigned int slow = harness_slowness() < 8 ?
			    (unsigned int)harness_slowness() : 8;
	unsigned int nr = 0, skipped = 0, failed = 0;
	struct harness_test *t;

	if (argc == 2 && !strcmp(argv[1], "-l")) {
		for (t = harness_first; t; t = t->next)
			printf("%s\n", t->name);
		return 0;
	}
	for (t = harness_first; t; t = t->next)
		nr += (unsigned int)harness_wanted(t, argc, argv);
	if (!nr) {
		fprintf(stderr, "%s: no such test (-l lists them)\n", argv[0]);
		return HARNESS_EXIT_FAIL;
	}
	harness_shared = (struct harness_shared *)
		mmap(NULL, sizeof(*harness_shared), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (harness_shared == MAP_FAILED) {
		perror("mmap");
		return HARNESS_EXIT_FAIL;
	}
	printf("TAP version 13\n1..%u\n", nr);
	nr = 0;
	for (t = harness_first; t; t = t->next) {
		int r;

		if (!harness_wanted(t, argc, argv))
			continue;
		r = harness_run(t, ++nr, slow ? slow : 1);
		failed += r == HARNESS_EXIT_FAIL;
		skipped += r == HARNESS_EXIT_SKIP;
	}
	printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n",
	       nr - failed - skipped, failed, skipped);
	fflush(stdout);
	if (failed)
		return HARNESS_EXIT_FAIL;
	return skipped == nr ? HARNESS_EXIT_SKIP : 0;
}

#define TEST_MAIN							\
	int main(int argc, char **argv)					\
	{								\
		return harness_main(argc, argv);			\
	}

#endif /* SHMCHAN_TEST_HARNESS_H */
