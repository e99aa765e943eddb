/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_FANIN_H
#define SHMCHAN_FANIN_H

/*
 * Fan-in: many senders, one receiver; logs, requests, market data of many feeds.
 *
 *	struct shmchan_channel_opts opts = SHMCHAN_FANIN_OPTS(
 *		.create = 1, .nr_senders = 100);
 *	struct shmchan_sender tx;
 *
 *	shmchan_sender_open(&tx, "log", &opts);
 *	shmchan_send(&tx, line, strlen(line), LEVEL_INFO, 0, -1);
 *
 * and once
 *
 *	struct shmchan_receiver rx;
 *	struct shmchan_msg msg;
 *
 *	shmchan_receiver_open(&rx, "log", &opts);
 *	while ((err = shmchan_recv(&rx, buf, sizeof(buf), &msg, -1)) == 0 ||
 *	       err == -EPIPE || err == -EOWNERDEAD)
 *		...
 *
 * Either side may come first and create.  Senders do not know of each other: each
 * has a lane of its own, so they never contend, and the order of each is kept.
 * What they send at the same time has no order.
 *
 * The receiver is fair: of who has something it takes at most burst messages (64),
 * then it is somebody else's turn.  So a sender that floods the channel fills its
 * own lane and then waits, and nobody else notices.
 *
 * Nothing is lost.  The channel is durable: what is sent while no receiver is there
 * waits for one; and one that takes over goes on where the last one had said it
 * was, so after a death it may see again up to a quarter of each lane.  When the
 * receiver closes or dies, senders are told by send (EPIPE, EOWNERDEAD) until
 * another comes.  That a sender closed or died the receiver is told once, behind
 * the sender's last message: EPIPE or EOWNERDEAD, with its slot; and receiving goes
 * on.  So there is no end of the channel; count the ends if there should be.
 *
 * One message that is peeked and not released holds up its own sender alone.
 *
 * All calls are in <shmchan/channel.h>.
 */

#include <shmchan/channel.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As SHMCHAN_CHANNEL_OPTS(); 16 senders, if nothing else is said. */
#define SHMCHAN_FANIN_OPTS(...) \
	SHMCHAN__OPTS(struct shmchan_channel_opts, \
		      .pattern = SHMCHAN_PATTERN_FANIN, .nr_senders = 16, \
		      .nr_receivers = 1, .durable = 1, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_FANIN_H */
