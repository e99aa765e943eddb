// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Receivers in an epoll loop, beside a timer: several channels in a set, whose
 * file the loop sleeps on.
 *
 *	loop_epoll [-n COUNT]	two senders, in processes of their own, and us
 *
 * The same program runs on both backends.  Exit status 69: there is no file to
 * sleep on here, and the message says what to do instead.
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <shmchan/loop.h>

#include "loop_sender.h"

#define CHANNELS	2

struct source {
	char name[64];
	struct shmchan_spsc ch;
	uint64_t sum;
	int id;			/* in the set */
};

static unsigned long count = 1000;

/* All that is there.  Returns 1 at the end of the channel. */
static int drain(struct source *s)
{
	uint64_t number;
	int ret;

	while (!(ret = shmchan_spsc_recv(&s->ch, &number, sizeof(number), NULL,
					 NULL, 0)))
		s->sum += number;
	if (ret == -EAGAIN)
		return 0;
	/* EPIPE: the sender closed.  EOWNERDEAD: it died. */
	if (ret != -EPIPE)
		warnx("%s: %s", s->name, shmchan_error_detail());
	return 1;
}

/* Whoever is ready.  Returns how many channels came to their end. */
static int serve(struct shmchan_set *set)
{
	struct shmchan_ready ready[CHANNELS];
	int i, n, ended = 0;

	while ((n = shmchan_set_wait(set, ready, CHANNELS, 0)) > 0) {
		for (i = 0; i < n; i++) {
			struct source *s = ready[i].data;

			if (!ready[i].error && !drain(s))
				continue;
			shmchan_set_remove(set, s->id);
			ended++;
		}
		if (ended == CHANNELS)
			break;
	}
	return ended;
}

static void add(struct shmchan_set *set, struct source *s, int i)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .create = 1);

	snprintf(s->name, sizeof(s->name), "loop_epoll.%d.%d", (int)getpid(), i);
	if (shmchan_spsc_open(&s->ch, s->name, &opts))
		errx(1, "%s", shmchan_error_detail());
	s->id = shmchan_set_add_spsc(set, &s->ch, s);
	if (s->id == -ENOTSUP)
		errx(EX_UNAVAILABLE, "%s", shmchan_error_detail());
	if (s->id < 0)
		errx(1, "%s", shmchan_error_detail());
}

static void watch(int loop, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &ev))
		err(1, "epoll_ctl");
}

int main(int argc, char **argv)
{
	struct itimerspec often = { { 0, 10000000 }, { 0, 10000000 } };
	int loop = epoll_create1(EPOLL_CLOEXEC), open = CHANNELS;
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	unsigned long ticks = 0, sleeps = 0;
	struct source sources[CHANNELS];
	struct shmchan_set *set;
	struct epoll_event ev;
	uint64_t expired;
	int i, fd;

	if (argc == 3 && !strcmp(argv[1], "-n"))
		count = strtoul(argv[2], NULL, 0);
	memset(sources, 0, sizeof(sources));
	if (loop < 0 || timer < 0 || timerfd_settime(timer, 0, &often, NULL))
		err(1, "epoll_create1, timerfd");
	if (shmchan_set_create(&set))
		errx(1, "%s", shmchan_error_detail());
	fd = shmchan_set_fd(set);
	if (fd < 0)
		errx(1, "%s", shmchan_error_detail());
	watch(loop, fd);
	watch(loop, timer);
	for (i = 0; i < CHANNELS; i++)
		add(set, &sources[i], i);
	for (i = 0; i < CHANNELS; i++)
		if (!fork())
			send_all(sources[i].name, count);
	for (;;) {
		open -= serve(set);
		if (!open)
			break;
		/* Something has come since we looked: look again. */
		if (shmchan_set_arm(set) == -EAGAIN)
			continue;
		sleeps++;
		if (epoll_wait(loop, &ev, 1, -1) < 1)
			continue;
		if (ev.data.fd == fd)
			shmchan_set_ack(set);
		else if (read(timer, &expired, sizeof(expired)) > 0)
			ticks += expired;
	}
	for (i = 0; i < CHANNELS; i++) {
		struct shmchan_spsc_stats stats;

		shmchan_spsc_get_stats(&sources[i].ch, &stats);
		printf("channel %d: received %llu messages, sum %llu\n", i,
		       (unsigned long long)stats.records,
		       (unsigned long long)sources[i].sum);
		shmchan_spsc_close(&sources[i].ch);
	}
	printf("slept %lu times, %lu ticks of the timer\n", sleeps, ticks);
	shmchan_set_close(set);
	while (wait(NULL) > 0)
		;
	return 0;
}
