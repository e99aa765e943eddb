// SPDX-License-Identifier: GPL-2.0-only

/*
 * System calls of mutexes, condition variables and once: without contention none,
 * and with it one to sleep and one to wake.
 *
 * None is shown by a filter that kills at the first call; one by strace, where it
 * is there.
 */

#include "no_calls.h"
#include "sync_fixture.h"

TEST(none_without_contention)
{
	const char *name = test_name("calls");
	struct shmchan_region *r = syn_create(name);
	struct shmchan_condvar cv;
	struct shmchan_once once;
	struct shmchan_mutex m;
	int i, err = 0;
	pid_t pid;

	if (HARNESS_SANITIZED)
		SKIP("the sanitizer's runtime makes calls of its own");
	pid = child_fork();
	if (!pid) {
		r = syn_open(name);
		syn_mutex(&m, r, 0);
		syn_condvar(&cv, r, 1);
		syn_once(&once, r, 2);
		/* The first call of a thread gives it its number. */
		CHECK_EQ(shmchan_mutex_lock(&m), 0);
		CHECK_EQ(shmchan_mutex_unlock(&m), 0);
		no_calls(0);
		err = shmchan_once_begin(&once) != SHMCHAN_ONCE_RUN;
		err |= shmchan_once_end(&once);
		for (i = 0; i < 100000 && !err; i++) {
			err |= shmchan_mutex_lock(&m);
			err |= shmchan_condvar_signal(&cv);
			err |= shmchan_mutex_unlock(&m);
			err |= shmchan_mutex_trylock(&m);
			err |= shmchan_condvar_broadcast(&cv);
			err |= shmchan_mutex_unlock(&m);
			err |= shmchan_once_begin(&once);
		}
		_exit(err != 0);
	}
	check_no_calls(pid);
	shmchan_region_close(r);
}

/*
 * The program run by the test below as "sleeper NAME" or "waker NAME"; getppid
 * marks what is counted.  Neither spins.
 */
static int actor(const char *role, const char *name)
{
	struct shmchan_region *r = syn_open(name);
	struct shmchan_place place = syn_place(r, 0);
	struct shmchan_mutex m;
	int err;

	place.spin_ns = -1;
	err = shmchan_mutex_attach(&m, &place);
	if (!strcmp(role, "waker")) {
		err |= shmchan_mutex_lock(&m);
		shmchan_store_seq_cst(syn_word(r, 0), 1);
		syn_await(syn_word(r, 0), 2);
		syscall(SYS_getppid);
		err |= shmchan_mutex_unlock(&m);
		syscall(SYS_getppid);
	} else {
		/* For the number of this thread. */
		err |= shmchan_mutex_trylock(&m) != -EAGAIN;
		syscall(SYS_getppid);
		err |= shmchan_mutex_lock(&m);
		syscall(SYS_getppid);
		err |= shmchan_mutex_unlock(&m);
	}
	shmchan_region_close(r);
	return err != 0;
}

static pid_t traced(const char *role, const char *out)
{
	char self[256] = { 0 }, command[1024];
	pid_t pid;

	CHECK_GT(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	snprintf(command, sizeof(command), "exec strace -f -o %s %s %s %s", out,
		 self, role, test_name("calls"));
	pid = child_fork();
	if (!pid) {
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(HARNESS_EXIT_FAIL);
	}
	return pid;
}

/*
 * The calls between the marks, but for those that look for dead members, and at the
 * clock where that takes a call (in guests).
 */
static int calls(const char *out)
{
	FILE *file = fopen(out, "r");
	int marks = 0, between = 0;
	char line[256];

	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, "getppid"))
			marks++;
		else if (marks == 1 && !strstr(line, "fcntl") &&
			 !strstr(line, "clock_gettime"))
			between++;
	}
	fclose(file);
	unlink(out);
	CHECK_EQ(marks, 2);
	return between;
}

TEST_LIMIT(one_to_sleep_and_one_to_wake, 60)
{
	char slept[64], woke[64];
	struct shmchan_region *r;
	pid_t waker, sleeper;
	int nr;

	if (HARNESS_SANITIZED)
		SKIP("the sanitizer's runtime makes calls of its own");
	if (system("strace -o /dev/null true >/dev/null 2>&1"))
		SKIP("strace is not there, or ptrace is not permitted");
	snprintf(slept, sizeof(slept), "/tmp/mutex_slept.%d", (int)getpid());
	snprintf(woke, sizeof(woke), "/tmp/mutex_woke.%d", (int)getpid());
	r = syn_create(test_name("calls"));
	waker = traced("waker", woke);
	syn_await(syn_word(r, 0), 1);
	sleeper = traced("sleeper", slept);
	syn_await_sleepers(r, 0);
	shmchan_store_seq_cst(syn_word(r, 0), 2);
	CHECK_CHILD_OK(waker);
	CHECK_CHILD_OK(sleeper);
	CHECK_EQ(calls(woke), 1);
	nr = calls(slept);
	/* There each slice of a sleep is a call. */
	if (on_kmod())
		CHECK_EQ(nr, 1);
	CHECK_GE(nr, 1);
	note("%d to sleep", nr);
	shmchan_region_close(r);
}

int main(int argc, char **argv)
{
	if (argc == 3 && (!strcmp(argv[1], "waker") ||
			  !strcmp(argv[1], "sleeper")))
		return actor(argv[1], argv[2]);
	return harness_main(argc, argv);
}
