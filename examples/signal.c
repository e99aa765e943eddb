// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * A count of things that have happened, which another process waits for and takes
 * down, one by one.
 */
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/signal.h>

#define NAME	"example-happened"
#define TIMES	3

static void enter(struct shmchan_sync *sync, struct shmchan_signal *happened)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_members = 2, .nr_objects = 1);

	if (shmchan_sync_open(sync, NAME, &opts) ||
	    shmchan_signal_at(happened, sync, 0))
		errx(1, "%s", shmchan_error_detail());
}

int main(void)
{
	struct shmchan_signal happened;
	struct shmchan_sync sync;
	int i, status;
	pid_t child;

	/* Before: a handle is of no use to a child of fork, which opens its own. */
	child = fork();
	if (child < 0)
		err(1, "fork");
	enter(&sync, &happened);
	if (!child) {
		for (i = 1; i <= TIMES; i++) {
			if (shmchan_signal_wait(&happened))
				errx(1, "%s", shmchan_error_detail());
			printf("it has happened, %d\n", i);
		}
		shmchan_sync_close(&sync);
		return 0;
	}
	if (shmchan_signal_post(&happened, TIMES))
		errx(1, "%s", shmchan_error_detail());
	/* What is posted is there as long as somebody is: until it is taken. */
	if (waitpid(child, &status, 0) != child || status)
		errx(1, "the other one has failed");
	shmchan_sync_close(&sync);
	return 0;
}
