/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_RPC_H
#define SHMCHAN_RPC_H

/*
 * A service: one server, up to 1023 clients; requests and replies.
 *
 * The server
 *
 *	struct shmchan_rpc_server s;
 *	struct shmchan_rpc_opts opts = SHMCHAN_RPC_OPTS(.create = 1);
 *	struct shmchan_rpc_call call;
 *
 *	err = shmchan_rpc_server_open(&s, "prices", &opts);
 *	for (;;) {
 *		err = shmchan_rpc_next(&s, &call, buf, sizeof(buf), -1);
 *		if (!err)
 *			shmchan_rpc_reply(&s, &call, 0, answer, length, -1);
 *		else if (err == -EOWNERDEAD || err == -EPIPE)
 *			client call.client is gone: forget what is kept for it
 *	}
 *
 * and a client
 *
 *	struct shmchan_rpc_client c;
 *	struct shmchan_rpc_reply reply;
 *
 *	err = shmchan_rpc_client_open(&c, "prices", &opts);
 *	err = shmchan_rpc_call(&c, GET, key, key_length, buf, sizeof(buf),
 *			       &reply, 1000000000);
 *
 * Either side may come first and may create.  Underneath is a region where slot 0
 * is the server's and each other slot a client's, with two HOLD lanes
 * (<shmchan/lane.h>) per client: requests, which that client alone can write, and
 * replies, which the server alone can.  So no client sees or disturbs another,
 * and whose request it is the server knows from where it lies.  (Who has a seat can
 * leave requests in its successor's name: with same_uid that is the same user's.)
 *
 * Calls.  A call is a request and its reply, or several replies of which all but
 * the last say that more is to come.  A client may have SHMCHAN_RPC_PENDING calls
 * under way: shmchan_rpc_send() gives each a number, shmchan_rpc_recv() takes
 * the reply to one, or whatever comes.  The server answers in any order.
 *
 * At most once.  A request is addressed to the holder of the server's seat that
 * was there when it was sent, by its generation.  If that one dies, the client is
 * told EOWNERDEAD for each call that has no last reply, once, and knows that it
 * was executed once or not at all; the next server drops what was not addressed
 * to it.  (EPIPE instead: the server closed.)  Replies that a server gave before
 * its end are delivered first.  What is to be done again is for the caller to
 * say, who knows whether it may.
 *
 * Who does not wait any more.  shmchan_rpc_cancel(), and a call whose time is up,
 * take the call back: a late reply is dropped.  The server skips requests that were
 * taken back before it came to them, or whose deadline is over (then the client is
 * told ETIME, if it still waits), and may ask shmchan_rpc_cancelled() while it
 * works.  Deadlines are of CLOCK_MONOTONIC: in a container with a time namespace of
 * its own use SHMCHAN_FOREVER.
 *
 * Who does not read.  Replies wait in their client's lane.  While that is full,
 * shmchan_rpc_reply() waits for room as long as it is told to (0: EAGAIN), and
 * meanwhile the server serves nobody; so keep the time short, or say so for all
 * when the service is made: with drop_after_ns the call is dropped, both sides
 * count it, and the client is told EOVERFLOW.
 *
 * What the server sees of a client that ends: its requests that were not taken
 * vanish, replies to it return EOWNERDEAD or EPIPE, and next() says so once.  One
 * that breaks the rules of its lane is told of with EBADMSG, once, and is not
 * listened to any more; the others are served as before.
 *
 * While both sides are awake no call makes a system call, and none allocates.
 *
 * Timeouts are in nanoseconds: 0 tries (EAGAIN), negative waits for ever, else
 * ETIMEDOUT.  All calls return 0 or -errno; shmchan_error_detail() has the words.
 *
 * A handle belongs to one thread at a time, must not be moved in memory while it is
 * open, and is of no use to a child after fork: there all calls say EOWNERDEAD.
 * Where it is closed, was never opened (and is all 0), or is NULL they say EINVAL; and
 * EBUSY, where the library was built with SHMCHAN_DEBUG (<shmchan/guard.h>), while
 * another thread is in a call on it.  Threads of one client have a
 * handle and so a seat each.  There is one server, with one thread that takes
 * requests; to spread work over several processes use <shmchan/workq.h>.
 */

#include <shmchan/bell.h>
#include <shmchan/guard.h>
#include <shmchan/lane.h>
#include <shmchan/region.h>
#include <shmchan/spin.h>
#include <shmchan/wire.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMCHAN_RPC_MAX_CLIENTS		1023U
/* Calls that a client may have under way. */
#define SHMCHAN_RPC_PENDING		SHMCHAN_WIRE_RPC_PENDING
/* shmchan_rpc_recv(): the reply to any call.  No call has this number. */
#define SHMCHAN_RPC_ANY			0U

struct shmchan_rpc_opts {
	size_t size;		/* of this struct; the initialiser sets it */
	enum shmchan_backend backend;
	int create;		/* 1: if it is not there; else it has to be */
	int exclusive;		/* with create: it must not be there (EEXIST) */
	uint32_t nr_clients;	/* for create: seats, up to 1023; 0: 16 */
	uint32_t mode;		/* for create: permission bits; 0: 0600 */
	uint64_t request_capacity;	/* for create: bytes; see below */
	uint64_t reply_capacity;
	int64_t drop_after_ns;	/* for create: a reply that has found no room for
				   so long is dropped; negative: at once; 0:
				   never, reply's timeout alone counts */
	int same_uid;		/* for create: a seat stays with its first user */
	int any_owner;		/* for open: whoever owns it (else us or root) */
	int fail_fast;		/* client: do not wait for a server to come */
	uint32_t join_flags;	/* SHMCHAN_JOIN_SIGBUS, see <shmchan/access.h>;
				   SHMCHAN_JOIN_ASYM, <shmchan/bell.h> */
	int64_t spin_ns;	/* before sleeping, as in <shmchan/spsc.h> */
	int64_t wait_ns;	/* for open: for the name to appear; negative:
				   for ever; 0: it has to be there */
};

/*
 * The capacities are those of the two lanes of each client, rounded up to powers of
 * two from 4 KiB to 1 GiB; a request or reply may be about a quarter of them long
 * (shmchan_rpc_max_request(), _max_reply()).  0: 64 KiB.  All clients' lanes are
 * memory from the beginning.
 */
#define SHMCHAN_RPC_OPTS(...) \
	((struct shmchan_rpc_opts){ \
		.size = sizeof(struct shmchan_rpc_opts), __VA_ARGS__ })

/* A request that the server has taken; plain, may be copied and kept. */
struct shmchan_rpc_call {
	uint32_t client;	/* its slot, 1 and up */
	uint32_t generation;	/* of its holding that */
	uint32_t id;		/* the client's number for the call */
	uint32_t method;	/* as given to send */
	uint64_t deadline;	/* CLOCK_MONOTONIC; SHMCHAN_FOREVER: none */
	const void *data;	/* the request: in buf, or in the lane */
	size_t length;
};

/* What has come back; one of the replies to a call, or its end. */
struct shmchan_rpc_reply {
	uint32_t id;		/* of the call */
	int32_t status;		/* as the server gave it; 0: all is well */
	size_t length;		/* of the payload */
	int more;		/* 1: the call goes on, more is to come */
};

struct shmchan_rpc_client_stats {
	uint64_t calls;		/* requests sent */
	uint64_t replies;	/* received, parts counted */
	uint64_t cancelled;	/* taken back, times that were up included */
	uint64_t late;		/* replies to calls that were over: dropped */
	uint64_t lost;		/* calls that ended with their server */
	uint64_t expired;	/* calls that the server came to too late */
	uint64_t dropped;	/* calls that the server dropped: we were slow */
	uint64_t rings;		/* doorbell rung: each is a system call */
	uint64_t waits;		/* slept: each is one or two system calls */
};

struct shmchan_rpc_server_stats {
	uint64_t calls;		/* requests that next() has given */
	uint64_t replies;	/* sent, parts counted */
	uint64_t skipped;	/* requests: taken back, or too late */
	uint64_t stale;		/* requests to a server before, or of a client
				   that has ended: dropped */
	uint64_t dropped;	/* calls whose replies found no room */
	uint64_t bad;		/* clients that broke the rules */
	uint64_t rings;
	uint64_t waits;
};

/* A call under way. */
struct shmchan_rpc__pending {
	uint32_t id;			/* 0: free */
	uint32_t server;		/* generation it is addressed to */
	uint32_t kept;			/* its last reply is in the stash */
	int over;			/* 0, or how it ended: -errno */
};

/* Replies that came while another one was waited for; see lib/rpc_stash.c. */
struct shmchan_rpc__stash {
	uint8_t *memory;
	size_t size;
	size_t head;
	size_t tail;
	uint32_t nr;
};

/* Plain, so that no call allocates; nothing in it is for users. */
struct shmchan_rpc_client {
	struct shmchan_lane_writer w;		/* requests */
	struct shmchan_lane_reader r;		/* replies */
	struct shmchan_region *region;
	struct shmchan_wire_rpc_client *own;	/* our page */
	const struct shmchan_wire_rpc_server *server;	/* of it, about us */
	const uint64_t *server_word;		/* slot word of the server */
	uint64_t reply_ring;			/* region offsets ... */
	uint64_t request_cursor;
	uint64_t dropped_word;
	uint32_t bell;
	uint32_t next_id;
	uint32_t nr_pending;
	uint32_t nr_over;	/* of these: over, and not told yet */
	uint32_t fail_fast;
	uint32_t ended;		/* of servers before this one no reply comes */
	uint32_t bad;		/* the server broke the rules ... */
	int end_error;		/* how the last server ended */
	uint64_t bad_server;	/* ... when the lane was of this generation */
	uint64_t dropped;	/* server->dropped as it was looked at last ... */
	uint64_t dropped_done;	/* ... and as it was when calls were ended */
	uint32_t subscribed;	/* the file polls; see <shmchan/loop.h> */
	struct shmchan_spin spin;
	struct shmchan_rpc__stash stash;
	struct shmchan_rpc_client_stats stats;
	uint32_t busy;		/* SHMCHAN_DEBUG: a thread is in a call */
	struct shmchan_rpc__pending pending[SHMCHAN_RPC_PENDING];
};

struct shmchan_rpc__seat;

struct shmchan_rpc_server {
	struct shmchan_region *region;
	struct shmchan_rpc__seat *seats;	/* of client slots 1 and up */
	struct shmchan_rpc__seat *held;		/* whose request is in place */
	uint32_t *live;				/* seats to be looked at */
	uint32_t nr_live;
	uint32_t at;				/* whose turn it is, in live */
	uint32_t turns;				/* how many it has left */
	uint64_t members;			/* members_seq of live */
	struct shmchan_wire_rpc header;
	uint64_t armed_seq;			/* for <shmchan/loop.h> */
	uint32_t armed;
	uint32_t subscribed;
	struct shmchan_spin spin;
	struct shmchan_rpc_server_stats stats;
	uint32_t busy;				/* SHMCHAN_DEBUG, as above */
};

/*
 * Open a service by name, or make it, or sleep until somebody has (wait_ns).
 * Errors: EINVAL (says which option), ENOENT, EEXIST, ETIMEDOUT (no such name
 * appeared), EBUSY (there is a server; all clients' seats are taken), EPROTO (the
 * name is something else, or of another version: says both), EACCES, EPERM,
 * ENOMEM, EDQUOT, and what else shmchan_region_create() and _open() return.
 */
int shmchan_rpc_server_open(struct shmchan_rpc_server *s, const char *name,
			    const struct shmchan_rpc_opts *opts);
int shmchan_rpc_client_open(struct shmchan_rpc_client *c, const char *name,
			    const struct shmchan_rpc_opts *opts);

/*
 * The same by a capability instead of a name: "Into what" in <shmchan/access.h>.  A
 * server by capability is one that need not own the service, or see its name: one
 * in a container, say, minted for slot 0.
 */
int shmchan_rpc_server_adopt(struct shmchan_rpc_server *s, int capability,
			     const struct shmchan_rpc_opts *opts);
int shmchan_rpc_client_adopt(struct shmchan_rpc_client *c, int capability,
			     const struct shmchan_rpc_opts *opts);

/*
 * Leave.  The other side gets EPIPE: clients for each call that is under way, the
 * server once for a client.  NULL or a closed one is fine.
 */
void shmchan_rpc_server_close(struct shmchan_rpc_server *s);
void shmchan_rpc_client_close(struct shmchan_rpc_client *c);

/* Bytes of the largest request and the largest reply; 0: revoked, NULL, after fork. */
size_t shmchan_rpc_max_request(const struct shmchan_region *region);
size_t shmchan_rpc_max_reply(const struct shmchan_region *region);

/* ---- The client ---- */

/*
 * Send a request and wait for the one reply to it, which is copied to buf.  Blocks;
 * also until a server comes, unless fail_fast.  timeout_ns is for all of it, and
 * goes with the request; when it is over the call is taken back, and was executed
 * or not.  Replies to other calls that come meanwhile are kept for recv.
 *
 * Returns 0 if there is a reply, whatever status it has.  Errors: as of send and
 * recv; EINVAL also for timeout 0.  EMSGSIZE: if the reply is what was too large,
 * reply->length says how large (else it is 0), and it is gone.  If more was to come
 * (reply->more), the call is taken back.
 */
int shmchan_rpc_call(struct shmchan_rpc_client *c, uint32_t method,
		     const void *request, size_t length, void *buf,
		     size_t capacity, struct shmchan_rpc_reply *reply,
		     int64_t timeout_ns);

/*
 * Send a request; *id becomes the number of the call.  method is for the server to
 * interpret.  deadline, of CLOCK_MONOTONIC as shmchan_deadline() makes it, goes
 * with the request: the server does not begin with it later; SHMCHAN_FOREVER: none.
 * Blocks until there is room, and a server, for
 * timeout_ns.
 *
 * Errors, and nothing was sent then: EAGAIN, ETIMEDOUT; EMSGSIZE (says what the
 * largest is); ENOBUFS (SHMCHAN_RPC_PENDING calls are under way, or no place is
 * left to keep replies that come while it waits: receive first); with fail_fast
 * EAGAIN (no server has come yet), EPIPE (it closed), EOWNERDEAD (it died);
 * EBADMSG (the server breaks the rules); ESTALE (we were revoked).
 */
int shmchan_rpc_send(struct shmchan_rpc_client *c, uint32_t method,
		     const void *request, size_t length, uint64_t deadline,
		     uint32_t *id, int64_t timeout_ns);

/*
 * Receive a reply to call id, or to any (SHMCHAN_RPC_ANY), into buf.  *reply tells
 * of which.  Blocks while there is none.
 *
 * Errors about one call, which is over (reply->id says which one): EOWNERDEAD, EPIPE
 * (its server died, closed), ETIME (its deadline was over before the server came to
 * it: it was not executed), EOVERFLOW (the server dropped it, as we did not read),
 * EBADMSG (its server breaks the rules).  Others: EAGAIN, ETIMEDOUT (it is still
 * under way); EMSGSIZE (reply->length is more than capacity; it is still there);
 * EINVAL (no such call is under way; for any: none is); ENOBUFS (no place is left
 * to keep replies to other calls: receive those first); ESTALE.
 */
int shmchan_rpc_recv(struct shmchan_rpc_client *c, uint32_t id, void *buf,
		     size_t capacity, struct shmchan_rpc_reply *reply,
		     int64_t timeout_ns);

/*
 * Take a call back: nothing is received of it any more.  It may have been executed,
 * or may still be; a server that waits for room for its reply goes on.  Never blocks.
 * EINVAL (no such call is under way), ESTALE.
 */
int shmchan_rpc_cancel(struct shmchan_rpc_client *c, uint32_t id);

/* How many calls are under way (closed: 0), those whose end is still to be received included. */
static inline uint32_t
shmchan_rpc_pending(const struct shmchan_rpc_client *c)
{
	return c->nr_pending;
}

/* Of a closed handle, and of NULL: all 0. */
void shmchan_rpc_client_get_stats(const struct shmchan_rpc_client *c,
				  struct shmchan_rpc_client_stats *stats);

/* ---- The server ---- */

/*
 * Take the next request: of one client after the other, a few of each.  It is
 * copied to buf, of capacity bytes, and cannot change any more.  With buf NULL it is
 * left where it is: call->data is valid until the next call of next(), and a
 * hostile client may change it meanwhile.  Blocks while there is none.
 *
 * Errors about one client (call->client and ->generation say which): EOWNERDEAD (it
 * died), EPIPE (it closed), EBADMSG (it broke the rules), each once.  Others:
 * EAGAIN, ETIMEDOUT; EMSGSIZE (call->length is more than capacity; it is still
 * there, for the client's next turn: take it in place, or with more room; a client
 * may ask for up to shmchan_rpc_max_request()); ESTALE (we were revoked).
 */
int shmchan_rpc_next(struct shmchan_rpc_server *s,
		     struct shmchan_rpc_call *call, void *buf, size_t capacity,
		     int64_t timeout_ns);

/*
 * The last reply to a call: status is for the client to interpret, 0 by custom if
 * all is well, and length may be 0.  Calls may be answered in any order.  Blocks
 * while the client has no room for it, see above.
 *
 * Errors: EAGAIN, ETIMEDOUT (no room: it can be tried again); EMSGSIZE (says what
 * the largest is; the call is still open).  Those after which the call is over:
 * EOVERFLOW (dropped, by drop_after_ns), ECANCELED (taken back by the client),
 * EOWNERDEAD, EPIPE (the client died, closed), EBADMSG (its cursor is nonsense).
 * EINVAL: it was over before (answered twice, say), or never was.  ESTALE.
 */
int shmchan_rpc_reply(struct shmchan_rpc_server *s,
		      const struct shmchan_rpc_call *call, int32_t status,
		      const void *reply, size_t length, int64_t timeout_ns);

/* A reply to a call that goes on: more is to come.  As above. */
int shmchan_rpc_reply_part(struct shmchan_rpc_server *s,
			   const struct shmchan_rpc_call *call, int32_t status,
			   const void *reply, size_t length,
			   int64_t timeout_ns);

/*
 * 1: nobody waits for the reply any more: it was taken back, its deadline is over
 * or the client is gone; or the handle is closed.  0: somebody does.  A reply ends
 * the call all the same.
 * Never blocks.
 */
int shmchan_rpc_cancelled(const struct shmchan_rpc_server *s,
			  const struct shmchan_rpc_call *call);

/* Of a closed handle, and of NULL: all 0. */
void shmchan_rpc_server_get_stats(const struct shmchan_rpc_server *s,
				  struct shmchan_rpc_server_stats *stats);

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_RPC_H */
