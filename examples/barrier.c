// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Three processes that compute in steps: none begins a step before all have ended
 * the last.  One is killed; the others are told, and go on as two.
 */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/barrier.h>

#define SLOTS	4
#define PARTIES	3
#define STEPS	1000

static struct shmchan_region *create(const char *name)
{
	const struct shmchan_window window = {
		.offset = SHMCHAN_CONTROL_OFFSET(0) + 4096, .length = 4096,
		.slot = SHMCHAN_SLOT_SHARED,
	};
	const struct shmchan_doorbell bell = { .owner = SHMCHAN_SLOT_SHARED };
	struct shmchan_region_opts opts = SHMCHAN_REGION_OPTS(
		.control_size = 2 * 4096, .nr_slots = SLOTS,
		.nr_doorbells = 1, .doorbells = &bell,
		.nr_windows = 1, .windows = &window);
	struct shmchan_region *r;

	if (shmchan_region_create(&r, name, &opts))
		errx(1, "%s: %s", name, shmchan_error_detail());
	return r;
}

static struct shmchan_region *join(const char *name)
{
	struct shmchan_region *r;

	if (shmchan_region_open(&r, name, NULL))
		errx(1, "%s: %s", name, shmchan_error_detail());
	return r;
}

static int compute(const char *name, int number)
{
	struct shmchan_barrier_opts opts = SHMCHAN_BARRIER_OPTS(
		.parties = PARTIES);
	struct shmchan_region *r = join(name);
	struct shmchan_place place = {
		.region = r, .offset = r->control_offset + 4096, .doorbell = 1,
	};
	struct shmchan_barrier b;
	int step, ret, deaths = 0;

	if (shmchan_barrier_attach(&b, &place, &opts) ||
	    shmchan_barrier_register(&b))
		errx(1, "%s", shmchan_error_detail());
	for (step = 1; step <= STEPS; step++) {
		if (!number && step == STEPS / 2)
			raise(SIGKILL);
		ret = shmchan_barrier_arrive_and_wait(&b);
		if (ret == -EOWNERDEAD) {
			printf("process %d, step %d: %s\n", number, step,
			       shmchan_error_detail());
			deaths++;
		} else if (ret) {
			errx(1, "%s", shmchan_error_detail());
		}
	}
	shmchan_barrier_unregister(&b);
	shmchan_region_close(r);
	return deaths != 1;
}

int main(void)
{
	int i, status, killed = 0;
	struct shmchan_region *r;
	char name[64];

	snprintf(name, sizeof(name), "example.%d", (int)getpid());
	r = create(name);
	for (i = 0; i < PARTIES; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (!pid)
			exit(compute(name, i));
	}
	while (wait(&status) > 0) {
		if (WIFSIGNALED(status))
			killed++;
		else if (status)
			return 1;
	}
	shmchan_region_close(r);
	return killed != 1;
}
