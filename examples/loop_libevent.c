// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * A receiver in a program that lives in libevent, beside a timer of its.
 *
 *	loop_libevent [-n COUNT]	a sender, in a process of its own, and us
 *
 * A set of one, since that has a file on both backends.  Exit status 69: there is
 * none here, and the message says what to do instead.
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event.h>

#include <shmchan/loop.h>

#include "loop_sender.h"

struct receiver {
	struct event_base *base;
	struct shmchan_set *set;
	struct shmchan_spsc ch;
	uint64_t sum;
	unsigned long wakeups;
	unsigned long ticks;
};

static unsigned long count = 1000;

/* Drain and arm, until arm says that nothing came in between. */
static void receive(struct receiver *r)
{
	uint64_t number;
	int ret;

	do {
		while (!(ret = shmchan_spsc_recv(&r->ch, &number, sizeof(number),
						 NULL, NULL, 0)))
			r->sum += number;
		/* EPIPE: the sender closed.  EOWNERDEAD: it died. */
		if (ret != -EAGAIN) {
			event_base_loopbreak(r->base);
			return;
		}
	} while (shmchan_set_arm(r->set) == -EAGAIN);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct receiver *r = arg;

	(void)fd;
	(void)what;
	r->wakeups++;
	shmchan_set_ack(r->set);
	receive(r);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct receiver *r = arg;

	(void)fd;
	(void)what;
	r->ticks++;
}

int main(int argc, char **argv)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .create = 1);
	struct timeval often = { 0, 10000 };
	struct event *readable, *timer;
	struct receiver r;
	char name[64];
	int fd, ret;

	if (argc == 3 && !strcmp(argv[1], "-n"))
		count = strtoul(argv[2], NULL, 0);
	memset(&r, 0, sizeof(r));
	snprintf(name, sizeof(name), "loop_libevent.%d", (int)getpid());
	if (shmchan_spsc_open(&r.ch, name, &opts) ||
	    shmchan_set_create(&r.set))
		errx(1, "%s", shmchan_error_detail());
	ret = shmchan_set_add_spsc(r.set, &r.ch, NULL);
	if (ret < 0)
		errx(1, "%s", shmchan_error_detail());
	fd = shmchan_set_fd(r.set);
	if (fd < 0)
		errx(fd == -ENOTSUP ? EX_UNAVAILABLE : 1, "%s",
		     shmchan_error_detail());
	if (!fork())
		send_all(name, count);
	r.base = event_base_new();
	if (!r.base)
		errx(1, "event_base_new");
	readable = event_new(r.base, fd, EV_READ | EV_PERSIST, on_readable, &r);
	timer = event_new(r.base, -1, EV_PERSIST, on_timer, &r);
	if (!readable || event_add(readable, NULL) || !timer ||
	    event_add(timer, &often))
		errx(1, "event_new");
	/* For what came before there was a loop. */
	receive(&r);
	event_base_dispatch(r.base);
	printf("channel 0: received %llu messages, sum %llu\n",
	       (unsigned long long)r.ch.r.records, (unsigned long long)r.sum);
	printf("woken %lu times, %lu ticks of the timer\n", r.wakeups, r.ticks);
	event_free(readable);
	event_free(timer);
	event_base_free(r.base);
	shmchan_set_close(r.set);
	shmchan_spsc_close(&r.ch);
	while (wait(NULL) > 0)
		;
	return 0;
}
