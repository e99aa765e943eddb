// SPDX-License-Identifier: GPL-2.0-only

/*
 * Two processes at one name: the first is stopped at each of its system calls
 * in turn, the second does all it has to, then the first goes on.  In the end
 * all who got a region have got the same one, and the name leads to it; or
 * nobody has one, and there is no name.
 */

#include <sys/ptrace.h>

#include "region_fixture.h"

enum act { CREATE, OPEN, CLOSE };

struct side {
	uint32_t ready;		/* it has what it needs before it begins */
	uint32_t go;
	uint32_t done;
	int32_t err;		/* 0: it holds a region */
	uint32_t header;	/* what is in that region's */
	uint32_t release;
};

struct scene {
	const char *name;
	enum act act[2];
	int stale;		/* a dead process has left the name behind */
	struct side *side;
};

static int create(struct shmchan_region **r, const char *name)
{
	struct shmchan_region_opts opts = fix_opts();
	uint32_t pid = (uint32_t)getpid();

	opts.header = &pid;
	opts.header_len = sizeof(pid);
	return shmchan_region_create(r, name, &opts);
}

static uint32_t header_of(const struct shmchan_region *r)
{
	return *(uint32_t *)shmchan_region_at(r, r->control_offset);
}

/* What a side does; the first one is traced from the stop on. */
static void play(const struct scene *s, int which)
{
	struct side *side = &s->side[which];
	struct shmchan_region *r = NULL;
	int err = -ENOENT;

	if (s->act[which] == CLOSE &&
	    shmchan_region_open(&r, s->name, NULL))
		FAIL("%s", shmchan_error_detail());
	shmchan_store_seq_cst(&side->ready, 1);
	if (which) {
		while (!shmchan_load_seq_cst(&side->go))
			sleep_ms(1);
	} else {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(HARNESS_EXIT_SKIP);
		raise(SIGSTOP);
	}
	switch (s->act[which]) {
	case CREATE:
		err = create(&r, s->name);
		break;
	case OPEN:
		err = shmchan_region_open(&r, s->name, NULL);
		break;
	case CLOSE:
		shmchan_region_close(r);
		break;
	}
	side->err = err;
	if (!err)
		side->header = header_of(r);
	shmchan_store_seq_cst(&side->done, 1);
	while (!shmchan_load_seq_cst(&side->release))
		sleep_ms(1);
	if (!err)
		shmchan_region_close(r);
	_exit(0);
}

static pid_t begin(const struct scene *s, int which)
{
	pid_t pid;

	fflush(stdout);
	pid = child_fork();
	if (!pid)
		play(s, which);
	return pid;
}

/* Let the first go on to its nth stop.  Returns 0 if it was done before. */
static int stop_at(const struct scene *s, pid_t pid, unsigned int nth)
{
	unsigned int i;
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == HARNESS_EXIT_SKIP)
		SKIP("ptrace is not allowed here");
	CHECK(WIFSTOPPED(status));
	CHECK(!ptrace(PTRACE_SETOPTIONS, pid, NULL,
		      (void *)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)));
	for (i = 0; i < nth; i++) {
		CHECK(!ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSTOPPED(status));
		if (shmchan_load_seq_cst(&s->side[0].done))
			return 0;
	}
	return 1;
}

static int done_within(const struct side *side, unsigned int ms)
{
	while (ms-- && !shmchan_load_seq_cst(&side->done))
		sleep_ms(1);
	return (int)shmchan_load_seq_cst(&side->done);
}

/* All have the same, and the name leads there; or none, and there is none. */
static void judge(const struct scene *s)
{
	struct shmchan_region *r = NULL;
	int err = shmchan_region_open(&r, s->name, NULL), i, creators = 0;

	for (i = 0; i < 2; i++) {
		if (s->act[i] == CLOSE || s->side[i].err) {
			if (s->act[i] == CREATE)
				CHECK_EQ(s->side[i].err, -EEXIST);
			else
				CHECK_EQ(s->side[i].err, -ENOENT);
			continue;
		}
		creators += s->act[i] == CREATE;
		CHECK_EQ(err, 0);
		CHECK_EQ(s->side[i].header, header_of(r));
	}
	CHECK_LE(creators, 1);
	/* Two that want the name: one gets it. */
	if (s->act[0] == CREATE && s->act[1] == CREATE)
		CHECK_EQ(creators, 1);
	if (s->side[0].err && s->side[1].err)
		CHECK_EQ(err, -ENOENT);
	shmchan_region_close(r);
}

static void leave_behind(const char *name)
{
	struct shmchan_region *r;
	pid_t pid = child_fork();

	if (!pid)
		_exit(create(&r, name) ? HARNESS_EXIT_FAIL : 0);
	CHECK_CHILD_OK(pid);
}

/* One switch point.  Returns 0 when there are no more. */
static int round_of(struct scene *s, unsigned int nth)
{
	struct shmchan_region *holder = NULL, *r;
	pid_t pid[2];
	int stopped, i;

	memset(s->side, 0, 2 * sizeof(*s->side));
	if (s->stale)
		leave_behind(s->name);
	/* Who closes has opened what somebody made, who then left. */
	if (s->act[0] == CLOSE || s->act[1] == CLOSE)
		CHECK_EQ(create(&holder, s->name), 0);
	for (i = 0; i < 2; i++) {
		pid[i] = begin(s, i);
		while (!shmchan_load_seq_cst(&s->side[i].ready))
			sleep_ms(1);
	}
	shmchan_region_close(holder);
	stopped = stop_at(s, pid[0], nth);
	shmchan_store_seq_cst(&s->side[1].go, 1);
	/* It may have to wait for the first, but not for long. */
	done_within(&s->side[1], 12);
	CHECK(!ptrace(PTRACE_DETACH, pid[0], NULL, NULL));
	for (i = 0; i < 2; i++)
		CHECK(done_within(&s->side[i], 20000));
	judge(s);
	for (i = 0; i < 2; i++) {
		shmchan_store_seq_cst(&s->side[i].release, 1);
		CHECK_CHILD_OK(pid[i]);
	}
	CHECK_EQ(shmchan_region_open(&r, s->name, NULL), -ENOENT);
	return stopped;
}

#define SCENE(test, first, second, stale_)				\
	TEST_LIMIT(test, 120)						\
	{								\
		struct scene s = {					\
			.name = test_name(#test), .stale = stale_,	\
			.act = { first, second },			\
			.side = (struct side *)				\
				shared_alloc(2 * sizeof(struct side)),	\
		};							\
		unsigned int nth = 1;					\
									\
		while (round_of(&s, nth))				\
			nth++;						\
		note("%u switch points", nth - 1);			\
		CHECK_GT(nth, 5);					\
	}

SCENE(create_create, CREATE, CREATE, 0)
SCENE(create_open, CREATE, OPEN, 0)
SCENE(create_create_over_the_dead, CREATE, CREATE, 1)
SCENE(create_open_over_the_dead, CREATE, OPEN, 1)
SCENE(open_create_over_the_dead, OPEN, CREATE, 1)
SCENE(open_open_over_the_dead, OPEN, OPEN, 1)
SCENE(close_open, CLOSE, OPEN, 0)
SCENE(close_create, CLOSE, CREATE, 0)
SCENE(open_close, OPEN, CLOSE, 0)
SCENE(create_close, CREATE, CLOSE, 0)
SCENE(close_close, CLOSE, CLOSE, 0)

TEST_MAIN
