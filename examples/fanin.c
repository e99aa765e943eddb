// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Fan-in: some workers, each in a process of its own, tell one collector.
 *
 *	fanin [-n COUNT] [-w WORKERS]
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmchan/fanin.h>

struct result {
	uint32_t worker;
	uint32_t number;
	uint64_t value;
};

static unsigned long count = 100000;
static unsigned long workers = 3;

static int work(const char *name, uint32_t worker)
{
	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS();
	struct result result = { .worker = worker };
	struct shmchan_sender tx;
	int ret;

	ret = shmchan_sender_open(&tx, name, &opts);
	if (ret)
		errx(1, "%s: %s (%s)", name, shmchan_error_detail(),
		     strerror(-ret));
	while (!ret && result.number < count) {
		result.number++;
		result.value = (uint64_t)result.number * worker;
		/* Blocks while our own lane is full. */
		ret = shmchan_send(&tx, &result, sizeof(result), 0, 0, -1);
	}
	if (ret)
		warnx("send: %s (%s)", shmchan_error_detail(), strerror(-ret));
	shmchan_sender_close(&tx);
	return ret != 0;
}

static int collect(struct shmchan_receiver *rx)
{
	uint64_t sum = 0, total = 0;
	struct shmchan_msg msg;
	struct result result;
	unsigned long ends = 0;
	int ret;

	while (ends < workers) {
		ret = shmchan_recv(rx, &result, sizeof(result), &msg, -1);
		if (ret == -EPIPE || ret == -EOWNERDEAD) {
			printf("the worker in seat %u %s\n", msg.slot,
			       ret == -EPIPE ? "is done" : "died");
			ends++;
			continue;
		}
		if (ret) {
			warnx("recv: %s (%s)", shmchan_error_detail(),
			      strerror(-ret));
			return 1;
		}
		sum += result.value;
		total++;
	}
	printf("%llu results, which add up to %llu\n",
	       (unsigned long long)total, (unsigned long long)sum);
	return total != count * workers;
}

int main(int argc, char **argv)
{
	struct shmchan_channel_opts opts;
	struct shmchan_receiver rx;
	char name[64];
	uint32_t i;
	int opt, ret, status;

	while ((opt = getopt(argc, argv, "n:w:")) != -1) {
		if (opt == 'n') {
			count = strtoul(optarg, NULL, 0);
		} else if (opt == 'w') {
			workers = strtoul(optarg, NULL, 0);
		} else {
			fprintf(stderr, "usage: fanin [-n COUNT] [-w WORKERS]\n");
			return 2;
		}
	}
	snprintf(name, sizeof(name), "example.%d", (int)getpid());
	opts = SHMCHAN_FANIN_OPTS(.create = 1,
				  .nr_senders = (uint32_t)workers);
	ret = shmchan_receiver_open(&rx, name, &opts);
	if (ret)
		errx(1, "%s: %s (%s)", name, shmchan_error_detail(),
		     strerror(-ret));
	fflush(stdout);
	for (i = 0; i < workers; i++)
		if (!fork())
			exit(work(name, i + 1));
	ret = collect(&rx);
	while (wait(&status) > 0)
		ret |= status;
	shmchan_receiver_close(&rx);
	return ret != 0;
}
