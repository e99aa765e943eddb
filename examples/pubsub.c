// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Publish and subscribe: one that may hold the publisher back for a while, and one
 * that is slow, loses prices, and is told how many.
 *
 *	pubsub [-n COUNT]
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <shmchan/pubsub.h>

struct price {
	uint64_t number;
	double value;
};

static unsigned long count = 200000;

static int subscribe(const char *name, enum shmchan_seat seat, long pause_ns)
{
	struct timespec pause = { 0, pause_ns };
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS();
	uint64_t got = 0, lost = 0;
	struct shmchan_receiver rx;
	struct shmchan_msg msg;
	struct price price;
	int ret;

	opts.seat = seat;
	ret = shmchan_receiver_open(&rx, name, &opts);
	if (ret)
		errx(1, "%s: %s (%s)", name, shmchan_error_detail(),
		     strerror(-ret));
	for (;;) {
		ret = shmchan_recv(&rx, &price, sizeof(price), &msg, -1);
		if (ret == -EOVERFLOW)
			lost += msg.lost;
		else if (ret)
			break;
		else
			got++;
		if (pause_ns && got % 1000 == 0)
			nanosleep(&pause, NULL);
	}
	if (ret != -EPIPE)
		warnx("recv: %s (%s)", shmchan_error_detail(), strerror(-ret));
	printf("%s subscriber: %llu prices, %llu lost\n",
	       seat == SHMCHAN_SEAT_RELIABLE ? "reliable" : "casual",
	       (unsigned long long)got, (unsigned long long)lost);
	shmchan_receiver_close(&rx);
	return ret != -EPIPE || got + lost != count;
}

int main(int argc, char **argv)
{
	/* The creator says who may hold us: one seat, for 10 ms. */
	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
		.create = 1, .nr_receivers = 8, .nr_reliable = 1,
		.policy = SHMCHAN_POLICY_EVICT, .hold_ns = 10000000,
		.capacity = 65536);
	struct price price = { 0, 100.0 };
	struct shmchan_sender tx;
	char name[64];
	int opt, ret, status;

	while ((opt = getopt(argc, argv, "n:")) != -1) {
		if (opt != 'n') {
			fprintf(stderr, "usage: pubsub [-n COUNT]\n");
			return 2;
		}
		count = strtoul(optarg, NULL, 0);
	}
	snprintf(name, sizeof(name), "example.%d", (int)getpid());
	ret = shmchan_sender_open(&tx, name, &opts);
	if (ret)
		errx(1, "%s: %s (%s)", name, shmchan_error_detail(),
		     strerror(-ret));
	fflush(stdout);
	if (!fork())
		exit(subscribe(name, SHMCHAN_SEAT_RELIABLE, 0));
	if (!fork())
		exit(subscribe(name, SHMCHAN_SEAT_CASUAL, 5000000));
	ret = shmchan_sender_wait_peers(&tx, 2, -1);
	/* They have seats; what they get begins when they have looked around. */
	sleep(1);
	while (!ret && price.number < count) {
		price.number++;
		price.value += price.number & 1 ? 0.25 : -0.25;
		ret = shmchan_send(&tx, &price, sizeof(price), 0, 0, -1);
	}
	if (ret)
		warnx("send: %s (%s)", shmchan_error_detail(), strerror(-ret));
	shmchan_sender_close(&tx);
	while (wait(&status) > 0)
		ret |= status;
	return ret != 0;
}
