/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_LATEST_H
#define SHMCHAN_LATEST_H

/*
 * The latest value: one sender, many receivers, and only the newest counts; the
 * state of a machine, a position, a configuration.
 *
 *	struct shmchan_channel_opts opts = SHMCHAN_LATEST_OPTS(.create = 1);
 *	struct shmchan_sender tx;
 *
 *	shmchan_sender_open(&tx, "position", &opts);
 *	shmchan_send(&tx, &position, sizeof(position), 0, 0, -1);
 *
 * and in others
 *
 *	struct shmchan_receiver rx;
 *
 *	shmchan_receiver_open(&rx, "position", &opts);
 *	err = shmchan_recv_newest(&rx, &position, sizeof(position), &msg, 0);
 *
 * shmchan_recv_newest() gives the newest value that is complete, or EAGAIN if that
 * is the one it gave before; with a timeout it sleeps until there is another.
 * msg.lost tells how many values in between nobody here has seen.  Who comes late
 * gets the value that was there before.  A value may have any length, and another
 * each time; it is never torn.
 *
 * The sender never waits and knows of nobody.  Receivers write nothing that it
 * reads, so any number of them cost it nothing but the bell of those who sleep.
 * Its end is told once (EPIPE, EOWNERDEAD); the value stays, for those who come
 * later.
 *
 * Underneath is a channel whose sender overwrites (SHMCHAN_POLICY_OVERWRITE) and
 * whose receivers have no cursors (.blind).  shmchan_recv() works as well, for who
 * wants to see each value that is still kept.  Jumping to the newest takes a walk
 * over at most about an eighth of the ring, so the ring should be small: about 32
 * of the values is plenty.
 *
 * If the sender writes round the whole ring while a receiver copies one value, the
 * receiver starts again; after a thousand times it says EAGAIN.
 */

#include <shmchan/channel.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As SHMCHAN_CHANNEL_OPTS(); 64 receivers and 16 KiB, if nothing else is said. */
#define SHMCHAN_LATEST_OPTS(...) \
	SHMCHAN__OPTS(struct shmchan_channel_opts, \
		      .pattern = SHMCHAN_PATTERN_LATEST, .nr_senders = 1, \
		      .nr_receivers = 64, .policy = SHMCHAN_POLICY_OVERWRITE, \
		      .blind = 1, .capacity = 16384, \
		      .from = SHMCHAN_FROM_OLDEST, __VA_ARGS__)

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_LATEST_H */
