/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_RPC_CLIENT_H
#define SHMCHAN_RPC_CLIENT_H

/* What the files of the client share. */

#include "lane_private.h"
#include "rpc_private.h"

#pragma GCC visibility push(hidden)

int shmchan__rpc_ring_server(struct shmchan_rpc_client *c);

/* The call of that number, or NULL: it is not under way. */
struct shmchan_rpc__pending *
shmchan__rpc_pending(struct shmchan_rpc_client *c, uint32_t id);
void shmchan__rpc_forget(struct shmchan_rpc_client *c,
			 struct shmchan_rpc__pending *p);
/* shmchan_rpc_cancel() by another call. */
int shmchan__rpc_cancel(struct shmchan_rpc_client *c, uint32_t id);
/* EINVAL. */
int shmchan__rpc_no_call(const struct shmchan_rpc_client *c, uint32_t id);

/*
 * How long a call may take.  until is set when it first has to wait, so that calls
 * that need not do not look at the clock.
 */
struct shmchan__rpc_time {
	int64_t timeout_ns;
	uint64_t until;			/* 0: not set */
};

static inline uint64_t rpc_until(struct shmchan__rpc_time *time)
{
	if (!time->until)
		time->until = shmchan_deadline(time->timeout_ns);
	return time->until;
}

/* What a reply is to be copied to. */
struct shmchan__rpc_sink {
	uint32_t id;			/* SHMCHAN_RPC_ANY */
	int keep;			/* none: all are kept in the stash */
	void *buf;
	size_t capacity;
	struct shmchan_rpc_reply *reply;
};

/* rpc_recv.c */

/*
 * Look at what has come, until what sink wants is there.  0; EAGAIN: nothing (more)
 * has come, and what is over by now is marked so; EMSGSIZE, ENOBUFS, ESTALE.
 */
int shmchan__rpc_drain(struct shmchan_rpc_client *c,
		       const struct shmchan__rpc_sink *sink);
/* Receive; id may be any. */
int shmchan__rpc_recv(struct shmchan_rpc_client *c,
		      const struct shmchan__rpc_sink *sink,
		      struct shmchan__rpc_time *time);

/* rpc_ends.c */

/*
 * The lane has nothing, and says err; it was at pos before.  What does that tell?
 * 0: look at it once more; or EAGAIN, ESTALE.
 */
int shmchan__rpc_nothing(struct shmchan_rpc_client *c, int err, uint64_t pos);
/* The lane is drained of what came before c->dropped was raised. */
void shmchan__rpc_end_dropped(struct shmchan_rpc_client *c);
/* That server breaks the rules: nothing is heard of it any more. */
void shmchan__rpc_bad_server(struct shmchan_rpc_client *c);
/* Is there a server that says it has put the lane in order?  *server: who says so. */
int shmchan__rpc_in_order(const struct shmchan_rpc_client *c, uint64_t *server);
/* Is it another than the one that was bad? */
int shmchan__rpc_mended(const struct shmchan_rpc_client *c, uint64_t *server);
/* Are we in front of a jump? */
static inline int shmchan__rpc_jumps(const struct shmchan_rpc_client *c)
{
	return !c->r.run_left && lane_header_jumps(shmchan_load_acquire(
		shmchan_lane__from(&c->r, c->r.pos)));
}
/* c->bad: 0, there is another by now; EAGAIN, there will be; EBADMSG; ESTALE. */
int shmchan__rpc_after_bad(struct shmchan_rpc_client *c);
/* How the call ended, in words; returns err. */
int shmchan__rpc_say_over(const struct shmchan_rpc_client *c, int err,
			  uint32_t id);

/* rpc_wait.c */

/*
 * Sleep until something comes from the server (or, with room, its cursor of our
 * requests moves, which was at pos), or it ends or comes, or for no reason.  peer
 * is its slot word as it was before the caller looked.  0, ETIMEDOUT, ESTALE.
 */
int shmchan__rpc_wait(struct shmchan_rpc_client *c, uint64_t peer, int room,
		      uint64_t pos, uint64_t until);
/* Instead of waiting, for room or a reply, with a timeout of 0: EAGAIN or ESTALE. */
int shmchan__rpc_try_over(struct shmchan_rpc_client *c, int room);

#pragma GCC visibility pop

#endif /* SHMCHAN_RPC_CLIENT_H */
