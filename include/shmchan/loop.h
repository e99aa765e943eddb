/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_LOOP_H
#define SHMCHAN_LOOP_H

/*
 * Waiting for many things at once, and in somebody else's event loop.
 *
 * There are three ways, and what each is for:
 *
 *  shmchan_wait_many()	one call that sleeps until one of up to
 *			SHMCHAN_MAX_ELEMS words of several regions has changed.
 *  a set		keeps such a list, of words, channels, services and work
 *			queues, from call to call; tells which are ready, in turn.
 *  a file		that poll, epoll, io_uring or a library around them sleeps
 *			on, beside sockets and timers: shmchan_region_fd() of one
 *			region or channel, shmchan_set_fd() of a set.
 *
 * With a file the contract is that of completion queues, for what is in shared
 * memory cannot ring a file that nobody has armed:
 *
 *	fd = shmchan_region_fd(ch.region);	or shmchan_set_fd(set)
 *	for (;;) {
 *		while (!(err = shmchan_spsc_recv(&ch, buf, sizeof(buf), &len,
 *						 NULL, 0)))
 *			handle(buf, len);		drain
 *		if (err != -EAGAIN)
 *			the end, or an error
 *		if (shmchan_spsc_arm(&ch) == -EAGAIN)	arm
 *			continue;			something came meanwhile
 *		epoll_wait(...);			sleep
 *		shmchan_spsc_ack(&ch);			take note
 *	}
 *
 * Nothing is lost: arm counts us among the waiters and looks after that.  While
 * armed, the first thing sent rings, once; so whoever sends to a loop that is
 * busy makes no system call.
 *
 * Level- and edge-triggered: a file polls readable from the ring until ack.
 * Level-triggered (the default), ack each time or the loop spins.  With EPOLLET
 * each ring is an edge: ack may be left out, but not arm.  Either way, sleep only
 * after an arm that returned 0.
 *
 * Several threads that sleep on the file of one region, each in an epoll file of
 * its own: add it with EPOLLEXCLUSIVE, and a ring wakes one of them (or a few)
 * and not all.  Who is woken has to drain and arm.  The file of a set is one of
 * epoll, which the kernel takes no EPOLLEXCLUSIVE for.
 *
 * The local backend's regions have no file, for their peers have only shared
 * memory to ring with.  The file of a set works all the same where the kernel can
 * sleep on futexes by io_uring (Linux 6.7, and not forbidden); else ENOTSUP, and
 * shmchan_set_wait() is what there is.  A member that dies rings nothing there;
 * so while such a set is armed its file becomes readable every
 * SHMCHAN_LOCAL_SLICE_NS, for somebody to look.
 *
 * Nothing here starts a thread.
 */

#include <shmchan/bell.h>
#include <shmchan/channel.h>
#include <shmchan/spsc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* <shmchan/rpc.h>, <shmchan/workq.h> */
struct shmchan_rpc_server;
struct shmchan_rpc_client;
struct shmchan_workq;

/* A word of a region, and what it is believed to be. */
struct shmchan_cond {
	const struct shmchan_region *region;
	struct shmchan_wait_elem elem;		/* with fd -1 */
};

/*
 * Sleep while every word is as believed, at most until deadline; as
 * shmchan_bell_wait(), for words of several regions, which have to be of one
 * backend (EXDEV).  *index, if not NULL: the first that differs, or 0; with
 * ESTALE, one whose region we are no longer a member of.  Where a kernel lacks
 * futex_waitv (before 5.16), the local backend looks at the words every
 * millisecond instead.
 *
 * Errors: ETIMEDOUT, ESTALE, EXDEV, EINVAL (none, or more than
 * SHMCHAN_MAX_ELEMS), EACCES, EUSERS, EOWNERDEAD (after fork).  Signals do not
 * show.
 */
int shmchan_wait_many(const struct shmchan_cond *conds, uint32_t nr,
		      uint64_t deadline, uint32_t *index);

/*
 * What the receiver of a channel waits for: fills in two conditions and returns
 * 0, or EAGAIN: there is something that recv has not said yet, a message or an
 * end.  (An end is said once; then this waits for another sender.)  Lets the
 * sender have all room, as going to sleep does.  Errors: ESTALE, EINVAL (not a
 * receiver), ENOTSUP (a channel made with poll, where nobody rings).
 */
#define SHMCHAN_SPSC_CONDS	2
int shmchan_spsc_conds(struct shmchan_spsc *ch,
		       struct shmchan_cond conds[SHMCHAN_SPSC_CONDS]);

/*
 * The receiver of a channel in an event loop.  arm: 0, the file will poll
 * readable; EAGAIN, drain again.  The first one subscribes.  ack: what made the
 * file readable has been seen.  Errors, but those of _conds(): ENOTSUP (the local
 * backend has no file: use a set), EUSERS.
 */
int shmchan_spsc_arm(struct shmchan_spsc *ch);
int shmchan_spsc_ack(struct shmchan_spsc *ch);

/*
 * The same for a sender: EAGAIN if a message of length bytes has room, or the
 * receiver is gone; both are told by send with timeout 0.
 */
int shmchan_spsc_arm_room(struct shmchan_spsc *ch, size_t length);

/*
 * The same for a receiver of a channel of many (<shmchan/channel.h>), whatever the
 * number of its senders: it is counted among those who sleep, then looks at every
 * lane, and what it waits for then is a ring of the doorbell.  So conds are good
 * once: ask again for each wait.  Where several receivers share a channel, one may
 * be woken for what it has read already.
 */
#define SHMCHAN_RECEIVER_CONDS	2
int shmchan_receiver_conds(struct shmchan_receiver *rx,
			   struct shmchan_cond conds[SHMCHAN_RECEIVER_CONDS]);
int shmchan_receiver_arm(struct shmchan_receiver *rx);
int shmchan_receiver_ack(struct shmchan_receiver *rx);

/*
 * The same for the server of a service (<shmchan/rpc.h>): EAGAIN while
 * shmchan_rpc_next() has something to tell, a request or the end of a client.  Room
 * that a client has made for replies rings as well; so who was told EAGAIN by
 * shmchan_rpc_reply() tries again when the file was readable.  As above, conds are
 * good once.  A client that takes a call back rings nothing: ask
 * shmchan_rpc_cancelled() every now and then while there is work.
 */
#define SHMCHAN_RPC_SERVER_CONDS	2
int shmchan_rpc_server_conds(struct shmchan_rpc_server *s,
			     struct shmchan_cond conds[SHMCHAN_RPC_SERVER_CONDS]);
int shmchan_rpc_server_arm(struct shmchan_rpc_server *s);
int shmchan_rpc_server_ack(struct shmchan_rpc_server *s);

/*
 * The same for a client: EAGAIN while shmchan_rpc_recv() of any call has something
 * to tell, a reply or the end of a call.  Where no call is under way, nothing can
 * come: that is no error here, and waits for ever.  Ask for conds again after each
 * shmchan_rpc_send().  May take replies out of the lane and keep them, as a recv of
 * another call does.
 */
#define SHMCHAN_RPC_CLIENT_CONDS	3
int shmchan_rpc_client_conds(struct shmchan_rpc_client *c,
			     struct shmchan_cond conds[SHMCHAN_RPC_CLIENT_CONDS]);
int shmchan_rpc_client_arm(struct shmchan_rpc_client *c);
int shmchan_rpc_client_ack(struct shmchan_rpc_client *c);

/*
 * The same for a worker of a work queue (<shmchan/workq.h>): EAGAIN while there is an
 * item to take.  It looks at all items, some us per thousand.  What is there one
 * worker takes, and perhaps another: then shmchan_workq_take() says EAGAIN.  Of those
 * who sleep in conds or in a call, an item wakes one, who has to take it; files that
 * are armed become readable all.  From the first of these calls until close, who
 * puts an item pays an atomic step more.  By one thread of the process at a time.
 * seen is what ack is to the others (shmchan_workq_ack() is of items).
 */
#define SHMCHAN_WORKQ_CONDS	2
int shmchan_workq_conds(struct shmchan_workq *q,
			struct shmchan_cond conds[SHMCHAN_WORKQ_CONDS]);
int shmchan_workq_arm(struct shmchan_workq *q);
int shmchan_workq_seen(struct shmchan_workq *q);

/*
 * Events: what has made the file of a region readable, and which members ended.
 *
 * From subscribe_members on, shmchan_bell_events() tells each end of a member
 * once: slot, generation, state (how).  If a slot has lost several meanwhile,
 * count says how many, and the last one is told of.  On the local backend an end
 * is noticed by looking: call it every now and then, or while a wait on
 * SHMCHAN_DOORBELL_MEMBERS returns.  EEXIST: done already, or on kmod doorbell 0
 * was subscribed to otherwise.
 */
int shmchan_bell_subscribe_members(const struct shmchan_region *region);

/* Ends what subscribe or subscribe_members began.  ENOENT: nothing. */
int shmchan_bell_unsubscribe(const struct shmchan_region *region,
			     uint32_t doorbell);

/*
 * Takes up to nr events; returns how many, 0: none is left.  Never blocks.  Any
 * thread; each event is told to one.  Errors: EINVAL, ESTALE.
 */
int shmchan_bell_events(const struct shmchan_region *region,
			struct shmchan_event *events, uint32_t nr);

/*
 * Rings of the doorbell add to an eventfd from now on, whoever reads it: KVM, vhost,
 * a loop that knows nothing else.  1 each, where that does not hold up who rings,
 * else 1 for several.  No arm, and a system call for each message.  fd -1 ends
 * it.  kmod only.  Errors: ENOTSUP, EEXIST (bound already), ENOENT (not bound),
 * EBADF, EINVAL (no eventfd), EACCES, EUSERS, ESTALE.
 */
int shmchan_bell_bind_eventfd(const struct shmchan_region *region,
			      uint32_t doorbell, int fd);

/*
 * A set: up to SHMCHAN_MAX_ELEMS conditions, of regions of one backend; the client of
 * a service counts as three, any other object as two, a word as one.  It belongs to
 * one thread at a time (calls say EBUSY where the library was built with
 * SHMCHAN_DEBUG, <shmchan/guard.h>), and is of no use to a child after fork.
 *
 *	struct shmchan_ready ready[8];
 *	int id = shmchan_set_add_spsc(set, &ch, &connection);
 *
 *	while ((n = shmchan_set_wait(set, ready, 8, -1)) > 0)
 *		for (i = 0; i < n; i++)
 *			serve(ready[i].data);
 *
 * Regions and channels are the caller's: take them out before closing them.  A
 * region should be in one set only, if the file of that is used.
 */
struct shmchan_set;

struct shmchan_ready {
	int id;			/* as add returned it */
	int error;		/* 0; -ESTALE: we have been revoked there */
	void *data;
};

int shmchan_set_create(struct shmchan_set **set);

/* NULL is fine. */
void shmchan_set_close(struct shmchan_set *set);

/*
 * Add a word, the receiver of a channel, of either kind, either end of a service, or
 * a worker.  Returns its number in the set, 0 or more, which is free for another
 * after remove.  A word is ready while it differs from what is believed (change that
 * with _expect); an object while its conds call would say EAGAIN: while recv, next
 * or take has something to say that it has not said (rarely that turns out to be
 * nothing: EAGAIN).  What fails with ESTALE is ready until it is removed.  Errors:
 * ENOSPC (the set is full), EXDEV (of another backend than the others), ENOMEM,
 * EINVAL, EACCES, ENOTSUP; EUSERS, if the file is in use.
 */
int shmchan_set_add(struct shmchan_set *set, const struct shmchan_region *region,
		    const struct shmchan_wait_elem *elem, void *data);
int shmchan_set_add_spsc(struct shmchan_set *set, struct shmchan_spsc *ch,
			 void *data);
int shmchan_set_add_receiver(struct shmchan_set *set,
			     struct shmchan_receiver *rx, void *data);
int shmchan_set_add_rpc_server(struct shmchan_set *set,
			       struct shmchan_rpc_server *s, void *data);
int shmchan_set_add_rpc_client(struct shmchan_set *set,
			       struct shmchan_rpc_client *c, void *data);
int shmchan_set_add_workq(struct shmchan_set *set, struct shmchan_workq *q,
			  void *data);

/* ENOENT: nothing in the set has that number. */
int shmchan_set_remove(struct shmchan_set *set, int id);

/* The word is now believed to be value.  ENOENT, EINVAL (it is no word). */
int shmchan_set_expect(struct shmchan_set *set, int id, uint64_t value);

/*
 * Sleep until something is ready; tells up to nr of them, and returns how many.
 * The next call begins behind the last one told of, so that all have their turn.
 * timeout_ns as everywhere: 0 tries (EAGAIN), negative waits for ever, else
 * ETIMEDOUT.  Errors: EINVAL (an empty set would sleep for ever), EUSERS,
 * EOWNERDEAD (after fork).
 */
int shmchan_set_wait(struct shmchan_set *set, struct shmchan_ready *ready,
		     uint32_t nr, int64_t timeout_ns);

/*
 * The file of a set; the set's: do not close it.  It stays the same while members
 * come and go.  Sleep on it after arm returned 0; after that ack, then
 * shmchan_set_wait() with timeout 0 tells who is ready.
 *
 *	while ((n = shmchan_set_wait(set, ready, 8, 0)) > 0)
 *		serve ...
 *	if (shmchan_set_arm(set) == -EAGAIN)
 *		once more
 *	epoll_wait(...)
 *	shmchan_set_ack(set);
 *
 * On the local backend the thread that armed has to be there until the file is
 * readable, or another arms.
 *
 * Errors of fd: ENOTSUP (local, see above), EUSERS, EMFILE, ENFILE.  Of arm:
 * EAGAIN, EINVAL (the file was never asked for), EUSERS.
 */
int shmchan_set_fd(struct shmchan_set *set);
int shmchan_set_arm(struct shmchan_set *set);
int shmchan_set_ack(struct shmchan_set *set);

/* An event, and of which region. */
struct shmchan_set_event {
	const struct shmchan_region *region;
	struct shmchan_event event;
};

/*
 * What ack throws away, for who wants to know: as shmchan_bell_events(), of all
 * regions of the set.  Call it until it returns less than nr, instead of ack.  On
 * the local backend it is ends of members alone, of regions that subscribe to
 * them.
 */
int shmchan_set_events(struct shmchan_set *set,
		       struct shmchan_set_event *events, uint32_t nr);

/*
 * What io_uring can do here (<shmchan/uring.h> has the calls for it).  _check():
 * 0, or why there is none: EPERM, ENOSYS.  _can_ring(), _can_wait(): 1 if the
 * module rings a doorbell, or waits, by a submission; 0 if not, and then poll
 * and arm do it.  They need no io_uring library.
 */
int shmchan_uring_check(void);
int shmchan_uring_can_ring(void);
int shmchan_uring_can_wait(void);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_LOOP_H */
