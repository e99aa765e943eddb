// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * A receiver in a program that sleeps in io_uring, beside a timer.
 *
 *	loop_uring [-p] [-n COUNT]	a sender, in a process of its own, and us
 *
 * Where the module can, the wait is a submission of its own; else, or with -p, it
 * is a poll of the region's file, and the channel is armed before each sleep.  The
 * local backend's regions have no file: there the set's is polled.  Exit status
 * 69: there is no io_uring here, and the message says what to do instead.
 */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <shmchan/uring.h>

#include "loop_sender.h"

enum { OF_CHANNEL = 1, OF_TIMER };

/* How the loop hears of the channel. */
enum way { BY_WAIT, BY_POLL, BY_SET };

static const char *const ways[] = {
	"wait by io_uring", "poll of the region", "poll of a set",
};

struct receiver {
	enum way way;
	struct io_uring ring;
	struct shmchan_spsc ch;
	struct shmchan_set *set;
	struct shmchan_cond conds[SHMCHAN_SPSC_CONDS];
	uint64_t sum;
	unsigned long sleeps;
	unsigned long ticks;
	int watched;		/* a submission for the channel is under way */
};

static unsigned long count = 1000;

/* The last step before sleeping: EAGAIN if something has come. */
static int arm(struct receiver *r)
{
	switch (r->way) {
	case BY_WAIT:
		/* The submission looks at these again. */
		return shmchan_spsc_conds(&r->ch, r->conds);
	case BY_POLL:
		return shmchan_spsc_arm(&r->ch);
	default:
		return shmchan_set_arm(r->set);
	}
}

static void watch(struct receiver *r)
{
	struct shmchan_wait_elem elems[SHMCHAN_SPSC_CONDS];
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
	struct shmchan_wait wait;
	int i, ret = 0;

	switch (r->way) {
	case BY_WAIT:
		for (i = 0; i < SHMCHAN_SPSC_CONDS; i++)
			elems[i] = r->conds[i].elem;
		shmchan_uring_init_wait(&wait, elems, SHMCHAN_SPSC_CONDS);
		ret = shmchan_uring_prep_wait(sqe, r->ch.region, &wait);
		break;
	case BY_POLL:
		ret = shmchan_uring_prep_poll(sqe, r->ch.region);
		break;
	default:
		io_uring_prep_poll_multishot(sqe, shmchan_set_fd(r->set), POLLIN);
	}
	if (ret)
		errx(1, "%s", shmchan_error_detail());
	io_uring_sqe_set_data64(sqe, OF_CHANNEL);
	io_uring_submit(&r->ring);
	r->watched = 1;
}

static void tick(struct receiver *r)
{
	static struct __kernel_timespec often = { .tv_nsec = 10000000 };
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

	io_uring_prep_timeout(sqe, &often, 0, 0);
	io_uring_sqe_set_data64(sqe, OF_TIMER);
	io_uring_submit(&r->ring);
}

static void on_completion(struct receiver *r, const struct io_uring_cqe *cqe)
{
	if (cqe->user_data == OF_TIMER) {
		r->ticks++;
		tick(r);
		return;
	}
	if (cqe->res < 0)
		errx(1, "%s: %s", ways[r->way], strerror(-cqe->res));
	/* A poll goes on by itself; a wait is for once. */
	if (!(cqe->flags & IORING_CQE_F_MORE))
		r->watched = 0;
	if (r->way == BY_POLL)
		shmchan_spsc_ack(&r->ch);
	if (r->way == BY_SET)
		shmchan_set_ack(r->set);
}

/* Until the channel's end. */
static void loop(struct receiver *r)
{
	struct io_uring_cqe *cqe;
	uint64_t number;
	int ret;

	tick(r);
	for (;;) {
		while (!(ret = shmchan_spsc_recv(&r->ch, &number, sizeof(number),
						 NULL, NULL, 0)))
			r->sum += number;
		/* EPIPE: the sender closed.  EOWNERDEAD: it died. */
		if (ret != -EAGAIN)
			break;
		/* A wait that is under way has been armed. */
		if (r->way != BY_WAIT || !r->watched) {
			ret = arm(r);
			if (ret == -EAGAIN)
				continue;
			if (ret)
				errx(1, "%s", shmchan_error_detail());
		}
		if (!r->watched)
			watch(r);
		r->sleeps++;
		ret = io_uring_wait_cqe(&r->ring, &cqe);
		if (ret)
			continue;
		on_completion(r, cqe);
		io_uring_cqe_seen(&r->ring, cqe);
	}
	if (ret != -EPIPE)
		warnx("%s", shmchan_error_detail());
}

/* What this machine offers. */
static void choose(struct receiver *r, int poll)
{
	if (r->ch.region->backend == SHMCHAN_BACKEND_KMOD) {
		r->way = poll || !shmchan_uring_can_wait() ? BY_POLL : BY_WAIT;
		return;
	}
	r->way = BY_SET;
	if (shmchan_set_create(&r->set) ||
	    shmchan_set_add_spsc(r->set, &r->ch, NULL) < 0)
		errx(1, "%s", shmchan_error_detail());
	if (shmchan_set_fd(r->set) < 0)
		errx(EX_UNAVAILABLE, "%s", shmchan_error_detail());
}

int main(int argc, char **argv)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_RECEIVER, .create = 1);
	struct receiver r;
	int opt, poll = 0;
	char name[64];

	while ((opt = getopt(argc, argv, "n:p")) != -1) {
		if (opt == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (opt == 'p')
			poll = 1;
		else
			errx(EX_USAGE, "usage: loop_uring [-p] [-n COUNT]");
	}
	memset(&r, 0, sizeof(r));
	if (shmchan_uring_check())
		errx(EX_UNAVAILABLE, "%s", shmchan_error_detail());
	snprintf(name, sizeof(name), "loop_uring.%d", (int)getpid());
	if (shmchan_spsc_open(&r.ch, name, &opts))
		errx(1, "%s", shmchan_error_detail());
	choose(&r, poll);
	/* Before there is a ring, which a child has no use for. */
	if (!fork())
		send_all(name, count);
	if (io_uring_queue_init(8, &r.ring, 0))
		errx(1, "io_uring_queue_init");
	loop(&r);
	printf("channel 0: received %llu messages, sum %llu\n",
	       (unsigned long long)r.ch.r.records, (unsigned long long)r.sum);
	printf("%s: slept %lu times, %lu ticks of the timer\n", ways[r.way],
	       r.sleeps, r.ticks);
	io_uring_queue_exit(&r.ring);
	shmchan_set_close(r.set);
	shmchan_spsc_close(&r.ch);
	while (wait(NULL) > 0)
		;
	return 0;
}
