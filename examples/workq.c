// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * A work queue whose workers are killed: no job is lost.
 *
 *	workq [-n COUNT]	a producer, three workers and who kills one of them
 *
 * Each worker adds up what it is given; one is killed with jobs in its hands.
 * What it had others do again: they see from the attempts that it may have been
 * done before.
 */

#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/workq.h>

#define WORKERS	3

struct job {
	unsigned int number;
	unsigned int last;	/* there is no more: for one worker each */
};

static void open_it(struct shmchan_workq *q, const char *name)
{
	struct shmchan_workq_opts opts = SHMCHAN_WORKQ_OPTS(
		.create = 1, .nr_items = 64, .item_size = sizeof(struct job));

	if (shmchan_workq_open(q, name, &opts))
		errx(1, "%s: %s", name, shmchan_error_detail());
}

static int worker(const char *name, int me)
{
	unsigned int done = 0, again = 0;
	struct shmchan_workq_item item;
	struct shmchan_workq q;
	struct job job;
	int ret;

	open_it(&q, name);
	do {
		/* Sleeps until there is something, or somebody dies with it. */
		if (shmchan_workq_take(&q, &item, -1))
			errx(1, "take: %s", shmchan_error_detail());
		job = *(const struct job *)item.data;
		usleep(job.last ? 0 : 200);
		done += !job.last;
		again += item.attempts > 1;
		/* Until here, the job is ours; if we die, others have it. */
		ret = shmchan_workq_ack(&q, &item);
	} while (!ret && !job.last);
	if (ret)
		warnx("ack: %s", shmchan_error_detail());
	printf("worker %d: %u jobs, %u of them not for the first time\n", me,
	       done, again);
	shmchan_workq_close(&q);
	return ret != 0;
}

static void put(struct shmchan_workq *q, unsigned int number, unsigned int last)
{
	struct job job = { number, last };

	/* Sleeps while the queue is full. */
	if (shmchan_workq_put(q, &job, sizeof(job), -1))
		errx(1, "put: %s", shmchan_error_detail());
}

int main(int argc, char **argv)
{
	unsigned int count = argc == 3 ? (unsigned int)atoi(argv[2]) : 2000, i;
	struct shmchan_workq_stat stat;
	struct shmchan_workq q;
	pid_t pids[WORKERS];
	int status, bad = 0;
	char name[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(name, sizeof(name), "example.%d", (int)getpid());
	open_it(&q, name);
	for (i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			err(1, "fork");
		if (!pids[i])
			_exit(worker(name, (int)i));
	}
	for (i = 0; i < count; i++) {
		put(&q, i, 0);
		if (i == count / 2)
			kill(pids[0], SIGKILL);
	}
	/* All that was put is done, or some living worker's: it sees to that. */
	for (i = 1; i < WORKERS; i++)
		put(&q, 0, 1);
	for (i = 0; i < WORKERS; i++)
		bad |= waitpid(pids[i], &status, 0) != pids[i] ||
		       (i && status);
	if (shmchan_workq_get_stat(&q, &stat))
		errx(1, "stat: %s", shmchan_error_detail());
	printf("%u jobs, %llu given back by the dead, at most %u waited, %u are left\n",
	       count, (unsigned long long)stat.redelivered, stat.high_water,
	       stat.nr_items - stat.free);
	shmchan_workq_close(&q);
	return bad || stat.free != stat.nr_items;
}
