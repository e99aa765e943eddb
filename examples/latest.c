// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * The latest value: somebody writes a position all the time; who wants to know
 * where we are now reads the newest, and never waits for what is old.
 *
 *	latest [-n READS]
 */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shmchan/latest.h>

struct position {
	uint64_t number;
	double x, y;
};

static int move(struct shmchan_sender *tx)
{
	struct position at = { 0, 0.0, 0.0 };
	struct timespec pause = { 0, 20000 };
	int ret = 0;

	while (!ret) {
		at.number++;
		at.x += 0.5;
		at.y = at.x * at.x;
		ret = shmchan_send(tx, &at, sizeof(at), 0, 0, -1);
		if (at.number % 100 == 0)
			nanosleep(&pause, NULL);
	}
	return 1;
}

int main(int argc, char **argv)
{
	struct shmchan_channel_opts opts = SHMCHAN_LATEST_OPTS(.create = 1);
	struct timespec pause = { 0, 50000000 };
	unsigned long reads = 10;
	struct shmchan_receiver rx;
	struct shmchan_sender tx;
	struct shmchan_msg msg;
	struct position at;
	char name[64];
	int opt, ret;
	pid_t pid;

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		if (opt != 'n') {
			fprintf(stderr, "usage: latest [-n READS]\n");
			return 2;
		}
		reads = strtoul(optarg, NULL, 0);
	}
	snprintf(name, sizeof(name), "example.%d", (int)getpid());
	ret = shmchan_receiver_open(&rx, name, &opts);
	if (ret)
		errx(1, "%s: %s (%s)", name, shmchan_error_detail(),
		     strerror(-ret));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		ret = shmchan_sender_open(&tx, name, &opts);
		exit(ret ? 1 : move(&tx));
	}
	for (; reads; reads--) {
		/* Sleeps until there is one, or a newer one than the last. */
		ret = shmchan_recv_newest(&rx, &at, sizeof(at), &msg, -1);
		if (ret)
			break;
		printf("position %llu: %.1f %.1f (%llu that nobody asked for)\n",
		       (unsigned long long)at.number, at.x, at.y,
		       (unsigned long long)msg.lost);
		nanosleep(&pause, NULL);
	}
	if (ret)
		warnx("recv_newest: %s (%s)", shmchan_error_detail(),
		      strerror(-ret));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	shmchan_receiver_close(&rx);
	return ret != 0;
}
