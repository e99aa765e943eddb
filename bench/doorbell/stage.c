// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A region, its members, and processes on a processor.
 */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doorbell.h"

static char *map(int fd, uint64_t offset, size_t length, int prot)
{
	char *p = mmap(NULL, length, prot, MAP_SHARED | MAP_POPULATE, fd,
		       (off_t)offset);

	if (p == MAP_FAILED)
		die("mapping %zu bytes at %llu: %s", length,
		    (unsigned long long)offset, strerror(errno));
	return p;
}

static size_t status_size(const struct stage *s)
{
	return SHMCHAN_STATUS_SIZE(s->nr_slots, s->shared);
}

static void map_areas(struct stage *s)
{
	s->words = (uint64_t *)(void *)map(s->fd, s->words_offset, PAGE,
					   PROT_READ | PROT_WRITE);
	s->status = map(s->fd, s->status_offset, status_size(s), PROT_READ);
}

void stage_create(struct stage *s, const char *name, unsigned int nr_slots,
		  unsigned int nr_bells, unsigned int slot)
{
	struct shmchan_window window = {
		.offset = SHMCHAN_CONTROL_OFFSET(0) + PAGE,
		.length = PAGE,
		.slot = SHMCHAN_SLOT_SHARED,
	};
	struct shmchan_doorbell *bells = calloc(nr_bells + 1, sizeof(*bells));
	struct shape shape = {
		.name = name,
		.mode = 0600,
		.control_size = 2 * PAGE,
		.nr_slots = nr_slots,
		.nr_windows = 1,
		.windows = &window,
		.nr_bells = nr_bells + 1,
		.bells = bells,
	};
	unsigned int i;

	if (!bells)
		die("no memory");
	for (i = 0; i < nr_bells; i++)
		bells[i].owner = i < nr_slots ? i : nr_slots - 1;
	bells[nr_bells].owner = SHMCHAN_SLOT_SHARED;
	*s = (struct stage) {
		.name = name,
		.nr_slots = nr_slots,
		.shared = nr_bells + 1,
		.words_offset = window.offset,
		.status_offset = SHMCHAN_STATUS_OFFSET(0, 2 * PAGE),
	};
	s->fd = must(region_create(&shape), "CREATE");
	must(member_join(s->fd, slot), "JOIN");
	map_areas(s);
	free(bells);
}

void stage_join(struct stage *s, const struct stage *of, unsigned int slot)
{
	*s = *of;
	s->fd = must(region_join(of->name, slot), "JOIN");
	map_areas(s);
}

void stage_leave(struct stage *s)
{
	must(member_leave(s->fd), "LEAVE");
	close(s->fd);
	munmap(s->words, PAGE);
	munmap((void *)(uintptr_t)s->status, status_size(s));
}

uint32_t stage_waiters(const struct stage *s, unsigned int bell)
{
	uint64_t at = SHMCHAN_STATUS_DOORBELLS_OFFSET(s->nr_slots) +
		      sizeof(struct shmchan_doorbell_status) * bell;

	return __atomic_load_n((const uint32_t *)(const void *)(s->status + at),
			       __ATOMIC_SEQ_CST);
}

void stage_await(const struct stage *s, unsigned int bell, uint32_t nr)
{
	unsigned int patience = 100000;

	while (stage_waiters(s, bell) != nr && --patience)
		usleep(1000);
	if (!patience)
		die("doorbell %u: %u sleep, not %u", bell,
		    stage_waiters(s, bell), nr);
	/* Counted is not asleep yet: it looks once more. */
	usleep(20000);
}

void pin_to(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("processor %u: %s", cpu, strerror(errno));
}

static void set_policy(int policy, int priority)
{
	struct sched_param param = { .sched_priority = priority };

	/* Of the calling thread. */
	if (sched_setscheduler(0, policy, &param))
		die("scheduling: %s", strerror(errno));
}

void be_fifo(int priority)
{
	set_policy(SCHED_FIFO, priority);
}

void be_ordinary(void)
{
	set_policy(SCHED_OTHER, 0);
}

pid_t start_child(void)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static uint64_t status_line(pid_t pid, const char *name, char *letter)
{
	char path[64], line[256];
	size_t length = strlen(name);
	uint64_t v = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	if (!f)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, length))
			continue;
		v = strtoull(line + length, NULL, 10);
		if (letter)
			sscanf(line + length, " %c", letter);
		break;
	}
	fclose(f);
	return v;
}

void await_sleep(pid_t pid)
{
	unsigned int patience = 100000;
	char letter = 0;

	while (letter != 'S' && --patience) {
		usleep(1000);
		status_line(pid, "State:", &letter);
	}
	if (!patience)
		die("process %d does not sleep", pid);
}

struct switches switches_of(pid_t pid)
{
	return (struct switches) {
		.voluntary = status_line(pid, "voluntary_ctxt_switches:", NULL),
		.forced = status_line(pid, "nonvoluntary_ctxt_switches:", NULL),
	};
}
