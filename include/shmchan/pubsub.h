/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_PUBSUB_H
#define SHMCHAN_PUBSUB_H

/*
 * Publish and subscribe: one sender, many receivers, everybody gets everything.
 *
 *	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
 *		.create = 1, .nr_receivers = 40, .nr_reliable = 2,
 *		.policy = SHMCHAN_POLICY_EVICT, .hold_ns = 1000000);
 *	struct shmchan_sender pub;
 *
 *	shmchan_sender_open(&pub, "prices", &opts);
 *	shmchan_send(&pub, &price, sizeof(price), 0, 0, -1);
 *
 * and up to 40 times
 *
 *	struct shmchan_channel_opts opts = SHMCHAN_PUBSUB_OPTS(
 *		.from = SHMCHAN_FROM_OLDEST, .seat = SHMCHAN_SEAT_CASUAL);
 *	struct shmchan_receiver sub;
 *
 *	shmchan_receiver_open(&sub, "prices", &opts);
 *	err = shmchan_recv(&sub, &price, sizeof(price), &msg, -1);
 *	if (err == -EOVERFLOW)
 *		we were too slow: msg.lost prices are gone, go on
 *
 * A message is written once, however many subscribe.
 *
 * Slow subscribers.  There is one ring, and somebody has to give way: the
 * publisher (it waits), or who is slow (it loses messages).  Who, is not for
 * subscribers to say, or any of them could stop the publisher; whoever *makes* the
 * channel decides:
 *
 *  nr_reliable	so many seats, the first, may hold the publisher back; the others
 *		(casual) read without holding.  0: all may.
 *  hold_ns	for how long, each time that the ring is full
 *  policy	what happens then: the publisher goes on waiting (BLOCK), or send says
 *		EAGAIN (FAIL), or who is slow is passed (EVICT)
 *  OVERWRITE	nobody may; the publisher never waits
 *
 * Who may sit where can be narrowed further by who may open the name at all, see
 * <shmchan/access.h>.
 *
 * A subscriber that was passed is told so once, EOVERFLOW with the exact number of
 * messages that it lost, and goes on with the oldest that is kept; it holds the
 * publisher back again from there on, if it is reliable.  So one that stands still
 * costs the publisher hold_ns once, and one that is always too slow hold_ns for
 * every eighth of the ring at most.
 *
 * Who comes late begins with what is sent from now on, or with the oldest that is
 * kept (from): an eighth of the ring at least is, once that much was sent.  Who
 * leaves or dies holds nobody any more, from the moment that its death is known.
 *
 * Subscribers are told of the publisher's end once, EPIPE or EOWNERDEAD, behind all
 * it had sent; when another takes its seat its messages follow.  The publisher is
 * not told of subscribers; shmchan_sender_wait_peers() waits for some.
 *
 * Several publishers: .nr_senders; each has a lane of its own, and the order of
 * each is kept.  All calls are in <shmchan/channel.h>.
 */

#include <shmchan/channel.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As SHMCHAN_CHANNEL_OPTS(); 16 receivers, if nothing else is said. */
#define SHMCHAN_PUBSUB_OPTS(...) \
	SHMCHAN__OPTS(struct shmchan_channel_opts, \
		      .pattern = SHMCHAN_PATTERN_PUBSUB, .nr_senders = 1, \
		      .nr_receivers = 16, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_PUBSUB_H */
