/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_LOOP_PRIVATE_H
#define SHMCHAN_LOOP_PRIVATE_H

/* What the files of event loops share with each other and with sets. */

#include <shmchan/loop.h>

#pragma GCC visibility push(hidden)

/*
 * Ends of members alone, if the module can; who came says so by a message.
 * EEXIST: somebody had subscribed before.
 */
int shmchan__subscribe_ends(const struct shmchan_region *region);

/*
 * From now on ends of members, and rings of this doorbell while it is armed, make the
 * region's file readable; *subscribed, the handle's, becomes 1.  0, also if it is so
 * already; else an error, of which ENOTSUP says that there is no file.
 */
int shmchan__loop_subscribe(const struct shmchan_region *region,
			    uint32_t doorbell, uint32_t *subscribed);

/* All that made the region's file readable has been seen. */
int shmchan__loop_ack(const struct shmchan_region *region);

/*
 * As the public calls without __, in the files named for them; but 1, and no detail,
 * for EAGAIN.
 */
int shmchan__spsc_conds(struct shmchan_spsc *ch, struct shmchan_cond *conds);
int shmchan__receiver_conds(struct shmchan_receiver *rx,
			    struct shmchan_cond *conds);
int shmchan__rpc_server_conds(struct shmchan_rpc_server *s,
			      struct shmchan_cond *conds);
int shmchan__rpc_client_conds(struct shmchan_rpc_client *c,
			      struct shmchan_cond *conds);
int shmchan__workq_conds(struct shmchan_workq *q, struct shmchan_cond *conds);

#pragma GCC visibility pop

#endif /* SHMCHAN_LOOP_PRIVATE_H */
