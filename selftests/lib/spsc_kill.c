// SPDX-License-Identifier: GPL-2.0-only

/* Channels: kill -9 of either side; the other is told, and nothing is lost. */

#include <sys/ptrace.h>

#include "spsc_fixture.h"

/* What a helper did, where its killer can see it. */
struct progress {
	_Atomic uint64_t started;	/* this one may or may not have happened */
	_Atomic uint64_t done;		/* these have */
};

static void sender(const char *tag, struct progress *p, uint64_t from,
		   int trace, int64_t spin_ns)
{
	struct shmchan_reservation rsv;
	struct shmchan_spsc tx;
	uint64_t i, dirt;

	if (trace) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(HARNESS_EXIT_SKIP);
		raise(SIGSTOP);
	}
	open_as(&tx, tag, SHMCHAN_SENDER, 4096, spin_ns);
	for (i = from; !trace || i < from + 1500; i++) {
		p->started = i + 1;
		if (i % 3) {
			CHECK_EQ(shmchan_spsc_send(&tx, &i, 8, 0, 0, -1), 0);
		} else {
			/* Dirt in what is never committed must not be seen. */
			dirt = ~0ULL;
			CHECK_EQ(shmchan_spsc_reserve(&tx, 100, &rsv, -1), 0);
			memcpy(rsv.data, &dirt, 8);
			memcpy(rsv.data, &i, 8);
			CHECK_EQ(shmchan_spsc_commit(&tx, &rsv, 8, 0, 0), 0);
		}
		p->done = i + 1;
	}
	raise(SIGKILL);
}

static void receiver(const char *tag, struct progress *p, int trace,
		     int64_t spin_ns)
{
	struct shmchan_spsc rx;
	uint64_t value, n;

	if (trace) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(HARNESS_EXIT_SKIP);
		raise(SIGSTOP);
	}
	open_as(&rx, tag, SHMCHAN_RECEIVER, 4096, spin_ns);
	p->started = 1;
	for (n = 0; !trace || n < 1500; n++) {
		CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, -1), 0);
		p->done = value + 1;
	}
	raise(SIGKILL);
}

/* Read all of a dead sender; returns the number expected next. */
static uint64_t drain(struct shmchan_spsc *rx, uint64_t next)
{
	uint64_t value;
	int err;

	while (!(err = shmchan_spsc_recv(rx, &value, 8, NULL, NULL, TOLD_NS))) {
		CHECK_EQ(value, next);
		next++;
	}
	CHECK_EQ(err, -EOWNERDEAD);
	return next;
}

TEST_LIMIT(senders_killed_at_random, 120)
{
	struct progress *p = shared_alloc(sizeof(*p));
	uint64_t rnd = 5, next = 0, begin, value;
	struct shmchan_spsc rx;
	int round, err;
	pid_t pid;

	open_as(&rx, "tx", SHMCHAN_RECEIVER, 4096, 0);
	for (round = 0; round < HARNESS_ROUNDS(60); round++) {
		rnd = rnd * 6364136223846793005ULL + 1;
		p->started = p->done = next;
		pid = child_fork();
		if (!pid)
			sender("tx", p, next, 0, round & 1 ? -1 : 0);
		/* Killed before it has come is no death that anyone sees. */
		CHECK_EQ(shmchan_spsc_wait_peer(&rx, 10 * TOLD_NS), 0);
		begin = now_ns();
		/* Run with it for a while, asleep and awake. */
		while (now_ns() - begin < (rnd >> 40) % (20 * MS)) {
			err = shmchan_spsc_recv(&rx, &value, 8, NULL, NULL,
						round & 2 ? MS : 0);
			if (err == -EAGAIN || err == -ETIMEDOUT ||
			    err == -EOWNERDEAD)
				continue;
			CHECK_EQ(err, 0);
			CHECK_EQ(value, next);
			next++;
		}
		child_kill(pid);
		begin = now_ns();
		next = drain(&rx, next);
		CHECK_LE(now_ns() - begin, TOLD_NS);
		/* All that was sent, and at most the one it was at. */
		CHECK_GE(next, p->done);
		CHECK_LE(next, p->started);
	}
	note("%llu messages of %d senders", (unsigned long long)next, round);
	shmchan_spsc_close(&rx);
}

TEST_LIMIT(receivers_killed_at_random, 120)
{
	struct progress *p = shared_alloc(sizeof(*p));
	uint64_t rnd = 5, next = 0, begin, value;
	struct shmchan_spsc tx, rx;
	int round, err;
	pid_t pid;

	open_as(&tx, "rx", SHMCHAN_SENDER, 4096, 0);
	for (round = 0; round < HARNESS_ROUNDS(60); round++) {
		rnd = rnd * 6364136223846793005ULL + 1;
		pid = child_fork();
		if (!pid)
			receiver("rx", p, 0, round & 1 ? -1 : 0);
		begin = now_ns();
		CHECK_EQ(shmchan_spsc_wait_peer(&tx, TOLD_NS), 0);
		while (now_ns() - begin < (rnd >> 40) % (20 * MS)) {
			err = shmchan_spsc_send(&tx, &next, 8, 0, 0,
						round & 2 ? MS : 0);
			/* The last receiver's end: this one is on its way. */
			if (err == -EAGAIN || err == -ETIMEDOUT ||
			    err == -EPIPE)
				continue;
			CHECK_EQ(err, 0);
			next++;
		}
		while (shmchan_spsc_send(&tx, &next, 8, 0, 0, 0) == -EPIPE)
			sleep_ms(1);
		next = tx.w.records;
		child_kill(pid);
		/* Told at the latest when it waits for room. */
		begin = now_ns();
		while (!(err = shmchan_spsc_send(&tx, &next, 8, 0, 0, TOLD_NS)))
			next++;
		CHECK_EQ(err, -EOWNERDEAD);
		CHECK_LE(now_ns() - begin, TOLD_NS);
		/* Nothing that it had not read is lost to the next one. */
		open_as(&rx, "rx", SHMCHAN_RECEIVER, 4096, 0);
		err = shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, 0);
		if (err != -EAGAIN) {
			CHECK_EQ(err, 0);
			CHECK_LE(value, p->done + 1);
			for (; value + 1 < next; value++) {
				uint64_t got = 0;

				CHECK_EQ(shmchan_spsc_recv(&rx, &got, 8, NULL,
							   NULL, 0), 0);
				CHECK_EQ(got, value + 1);
			}
		}
		CHECK_EQ(shmchan_spsc_recv(&rx, &value, 8, NULL, NULL, 0),
			 -EAGAIN);
		p->done = next;
		shmchan_spsc_close(&rx);
	}
	note("%llu messages to %d receivers", (unsigned long long)next, round);
	shmchan_spsc_close(&tx);
}

/*
 * Until it is at its next call, or has ended; if it sleeps in one for so long that
 * nobody is going to wake it (its peer was too slow to come, and left), it is killed
 * there: that is a place, too.  Returns whether it was.
 */
static int killed_asleep_at_call(pid_t pid, int *status)
{
	uint64_t begin = now_ns();
	pid_t ret;

	while (!(ret = waitpid(pid, status, WNOHANG | __WALL))) {
		if (now_ns() - begin > (uint64_t)TOLD_NS) {
			child_kill(pid);
			return 1;
		}
		usleep(100);
	}
	CHECK_EQ(ret, pid);
	return 0;
}

/* Let it come to the nth system call, and kill it there; 0: it had ended. */
static int kill_at(pid_t pid, int nth)
{
	int status = child_wait(pid);

	if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_EXIT_SKIP)
		SKIP("ptrace is not permitted");
	CHECK(WIFSTOPPED(status));
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_EXITKILL);
	for (; nth > 0; nth--) {
		int sig = 0;

		if (WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP &&
		    WSTOPSIG(status) != SIGSTOP)
			sig = WSTOPSIG(status);
		if (ptrace(PTRACE_SYSCALL, pid, NULL, (long)sig))
			FAIL("ptrace: %s", strerror(errno));
		if (killed_asleep_at_call(pid, &status))
			return 1;
		if (!WIFSTOPPED(status)) {
			CHECK(WIFSIGNALED(status) &&
			      WTERMSIG(status) == SIGKILL);
			return 0;
		}
	}
	child_kill(pid);
	return 1;
}

/*
 * Whatever the system call it is killed at (both on entry and on exit), in
 * opening, in waiting or in ringing, the other side comes to an end.
 */
static void killed_at_each_call(enum shmchan_spsc_role role)
{
	struct progress *p = shared_alloc(sizeof(*p));
	int nth, places = 0, step = HARNESS_SANITIZED ? 17 : 3, alive = 1;
	uint64_t begin = now_ns();
	struct shmchan_spsc keeper;
	pid_t pid, other;

	(void)test_name("");
	/* Opening, and then a good many waits and rings. */
	for (nth = 1; alive && nth <= 400 && now_ns() - begin < 60000 * MS;
	     nth += step) {
		/* It must have come so far that somebody waits for it. */
		p->started = p->done = 0;
		pid = child_fork();
		if (!pid) {
			if (role == SHMCHAN_SENDER)
				sender("call", p, 0, 1, -1);
			receiver("call", p, 1, -1);
		}
		other = child_fork();
		if (!other) {
			enum shmchan_spsc_role its = role == SHMCHAN_SENDER ?
				SHMCHAN_RECEIVER : SHMCHAN_SENDER;
			uint64_t value = 0, got;
			int err;

			open_as(&keeper, "call", its, 4096, -1);
			/* Perhaps it is killed before it has come: fine. */
			err = shmchan_spsc_wait_peer(&keeper, 200 * MS);
			CHECK(err == 0 || err == -ETIMEDOUT);
			while (!err) {
				if (its == SHMCHAN_SENDER)
					err = shmchan_spsc_send(&keeper, &value,
								8, 0, 0,
								TOLD_NS);
				else
					err = shmchan_spsc_recv(&keeper, &got,
								8, NULL, NULL,
								TOLD_NS);
				if (!err && its == SHMCHAN_RECEIVER)
					CHECK_EQ(got, value);
				value++;
			}
			CHECK(err == -EOWNERDEAD || value == 0);
			shmchan_spsc_close(&keeper);
			child_done();
		}
		alive = kill_at(pid, nth);
		CHECK_CHILD_OK(other);
		places++;
	}
	note("%s killed at %d places, the last at call %d",
	     role == SHMCHAN_SENDER ? "sender" : "receiver", places, nth / 2);
	CHECK_GT(places, 5);
}

TEST_LIMIT(sender_killed_at_each_call, 240)
{
	killed_at_each_call(SHMCHAN_SENDER);
}

TEST_LIMIT(receiver_killed_at_each_call, 240)
{
	killed_at_each_call(SHMCHAN_RECEIVER);
}

/* Until a helper has begun, and then has done nothing for a while. */
static void until_asleep(const struct progress *p)
{
	uint64_t begin = now_ns(), done;

	while (!p->started && now_ns() - begin < 10 * TOLD_NS)
		sleep_ms(1);
	CHECK_GT(p->started, 0);
	do {
		done = p->done;
		sleep_ms(100);
	} while (p->done != done && now_ns() - begin < 10 * TOLD_NS);
	CHECK_EQ(p->done, done);
}

/* While it sleeps, which is where a process spends its time. */
TEST_LIMIT(killed_asleep, 120)
{
	struct progress *p = shared_alloc(sizeof(*p));
	struct shmchan_spsc ch;
	uint64_t value = 7;
	pid_t pid;
	int err;

	(void)test_name("");
	/* A receiver that sleeps for want of messages. */
	pid = child_fork();
	if (!pid)
		receiver("sleep", p, 0, -1);
	open_as(&ch, "sleep", SHMCHAN_SENDER, 4096, -1);
	CHECK_EQ(shmchan_spsc_wait_peer(&ch, 10 * TOLD_NS), 0);
	until_asleep(p);
	child_kill(pid);
	while (!(err = shmchan_spsc_send(&ch, &value, 8, 0, 0, TOLD_NS)))
		;
	CHECK_EQ(err, -EOWNERDEAD);
	shmchan_spsc_close(&ch);
	/* A sender that sleeps for want of room. */
	p->started = p->done = 0;
	open_as(&ch, "sleep2", SHMCHAN_RECEIVER, 4096, -1);
	pid = child_fork();
	if (!pid)
		sender("sleep2", p, 0, 0, -1);
	CHECK_EQ(shmchan_spsc_wait_peer(&ch, 10 * TOLD_NS), 0);
	until_asleep(p);
	child_kill(pid);
	CHECK_EQ(drain(&ch, 0), p->done);
	CHECK_GT(p->done, 100);
	shmchan_spsc_close(&ch);
}

TEST_MAIN
