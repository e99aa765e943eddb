// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * A sender and a receiver: the smallest useful program.
 *
 *	spsc [-n COUNT] [-s]		both, in two processes
 *	spsc [-n COUNT] [-s] send NAME	the sender alone
 *	spsc [-n COUNT] [-s] recv NAME	the receiver alone
 *
 * -s makes the sender slow, so that the receiver falls asleep each time.  At
 * the end each side tells what it did, and how many system calls that took.
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shmchan/spsc.h>

struct order {
	uint64_t number;
	uint64_t price;
	char symbol[8];
};

static unsigned long count = 1000000;
static int slow;

static void tell(const char *who, const struct shmchan_spsc *ch)
{
	struct shmchan_spsc_stats stats;

	shmchan_spsc_get_stats(ch, &stats);
	printf("%s: %llu messages, %llu bytes, rang %llu times, slept %llu times: %.3f system calls per thousand\n",
	       who, (unsigned long long)stats.records,
	       (unsigned long long)stats.bytes,
	       (unsigned long long)stats.rings,
	       (unsigned long long)stats.waits,
	       stats.records ? 1000.0 * (double)(stats.rings + stats.waits) /
			       (double)stats.records : 0.0);
}

static int open_it(struct shmchan_spsc *ch, const char *name,
		   enum shmchan_spsc_role role)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1);
	int ret = shmchan_spsc_open(ch, name, &opts);

	if (ret)
		warnx("%s: %s (%s)", name, shmchan_error_detail(),
		      strerror(-ret));
	return ret;
}

static int run_sender(const char *name)
{
	struct timespec pause = { 0, 200000 };
	struct order order = { 0, 0, "SHMC" };
	struct shmchan_spsc ch;
	int ret = 0;

	if (open_it(&ch, name, SHMCHAN_SENDER))
		return 1;
	while (!ret && order.number < count) {
		order.number++;
		order.price = order.number * 3;
		/* Blocks while the ring is full, for ever if need be. */
		ret = shmchan_spsc_send(&ch, &order, sizeof(order), 0, 0, -1);
		if (slow)
			nanosleep(&pause, NULL);
	}
	if (ret)
		warnx("send: %s (%s)", shmchan_error_detail(), strerror(-ret));
	tell("sender", &ch);
	/* What was sent stays for the receiver; then it is told of the end. */
	shmchan_spsc_wait_peer(&ch, 1000000000);
	shmchan_spsc_close(&ch);
	return ret != 0;
}

static int run_receiver(const char *name)
{
	struct shmchan_spsc ch;
	struct order order;
	uint64_t sum = 0;
	size_t length;
	int ret;

	if (open_it(&ch, name, SHMCHAN_RECEIVER))
		return 1;
	for (;;) {
		ret = shmchan_spsc_recv(&ch, &order, sizeof(order), &length,
					NULL, -1);
		if (ret)
			break;
		sum += order.price;
	}
	/* EPIPE: the sender closed.  EOWNERDEAD: it died. */
	if (ret != -EPIPE)
		warnx("recv: %s (%s)", shmchan_error_detail(), strerror(-ret));
	tell("receiver", &ch);
	printf("receiver: prices add up to %llu\n", (unsigned long long)sum);
	shmchan_spsc_close(&ch);
	return ret != -EPIPE;
}

static int run_both(void)
{
	char name[64];
	int status, ret;
	pid_t pid;

	snprintf(name, sizeof(name), "example.%d", (int)getpid());
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid)
		exit(run_sender(name));
	ret = run_receiver(name);
	if (waitpid(pid, &status, 0) != pid || status)
		ret = 1;
	return ret;
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:s")) != -1) {
		switch (opt) {
		case 'n':
			count = strtoul(optarg, NULL, 0);
			break;
		case 's':
			slow = 1;
			break;
		default:
			goto usage;
		}
	}
	argc -= optind;
	argv += optind;
	if (!argc)
		return run_both();
	if (argc == 2 && !strcmp(argv[0], "send"))
		return run_sender(argv[1]);
	if (argc == 2 && !strcmp(argv[0], "recv"))
		return run_receiver(argv[1]);
usage:
	fprintf(stderr, "usage: spsc [-n COUNT] [-s] [send|recv NAME]\n");
	return 2;
}
