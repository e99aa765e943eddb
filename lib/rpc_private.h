/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_RPC_PRIVATE_H
#define SHMCHAN_RPC_PRIVATE_H

/* What the files of services share. */

#include <shmchan/rpc.h>

#include "entry.h"
#include "internal.h"

#define SLOT_SERVER		0U
#define BELL_SERVER		1U
#define BELL_CLIENT(slot)	((slot) + 1)

/* Where the calls of that number have their place. */
#define PLACE(id)		((id) % SHMCHAN_RPC_PENDING)

#pragma GCC visibility push(hidden)

/* rpc.c: options and the layout. */

/* The options as this library knows them, checked. */
int shmchan__rpc_opts(struct shmchan_rpc_opts *opts,
		      const struct shmchan_rpc_opts *theirs);
/* All that follows from the few numbers; sizes are those of the two areas. */
void shmchan__rpc_lay_out(struct shmchan_wire_rpc *header, uint64_t *data_size,
			  uint64_t *control_size);
/* Copies the sealed header, and checks all that it says.  EPROTO. */
int shmchan__rpc_check_header(const struct shmchan_region *region,
			      struct shmchan_wire_rpc *header);
/* Can we write what who has our seat must?  EPROTO. */
int shmchan__rpc_check_seat(const struct shmchan_region *region,
			    const struct shmchan_wire_rpc *header);
/* The lanes of the client in that slot. */
int shmchan__rpc_request_lane(const struct shmchan_region *region,
			      const struct shmchan_wire_rpc *header,
			      uint32_t slot, struct shmchan_lane *lane);
int shmchan__rpc_reply_lane(const struct shmchan_region *region,
			    const struct shmchan_wire_rpc *header,
			    uint32_t slot, struct shmchan_lane *lane);

/*
 * rpc_enter.c: find or make the service and take a seat of that role, by name or,
 * if it is not NULL, with a capability; header becomes what the region's says,
 * checked.
 */
int shmchan__rpc_enter(struct shmchan_region **region, const char *name,
		       const int *capability,
		       const struct shmchan_rpc_opts *opts, int server,
		       struct shmchan_wire_rpc *header);

/* rpc_stash.c: replies, in the order in which they came. */

struct shmchan_rpc__kept {
	uint32_t id;			/* 0: taken out */
	uint32_t flags;			/* SHMCHAN_WIRE_RPC_* */
	int32_t status;
	uint32_t length;		/* of the payload, which follows */
};

/* ENOMEM. */
int shmchan__rpc_stash_init(struct shmchan_rpc__stash *stash, size_t size);
/* One more, with room for its payload; NULL: there is no place. */
struct shmchan_rpc__kept *
shmchan__rpc_stash_put(struct shmchan_rpc__stash *stash, uint32_t id,
		       uint32_t length);
/* The oldest of that call, or of any; NULL: none. */
struct shmchan_rpc__kept *
shmchan__rpc_stash_find(struct shmchan_rpc__stash *stash, uint32_t id);
void shmchan__rpc_stash_drop(struct shmchan_rpc__stash *stash,
			     struct shmchan_rpc__kept *kept);

/* What the server knows of one client's seat, and of who has it. */
struct shmchan_rpc__seat {
	struct shmchan_lane_reader r;		/* requests */
	struct shmchan_lane_writer w;		/* replies */
	struct shmchan_region *region;
	struct shmchan_rpc_server *s;
	const struct shmchan_wire_rpc_client *client;
	struct shmchan_wire_rpc_server *own;
	const uint64_t *word;		/* slot word */
	uint64_t live_word;		/* ... while it is this client's */
	uint32_t slot;
	uint32_t generation;		/* whom we know; 0: nobody */
	uint32_t last;			/* whom we knew before ... */
	int last_end;			/* ... and how it ended */
	int attached;			/* r and w are in use */
	int bad;			/* 1: broke the rules; 2: and that was told */
	uint64_t full_since;		/* replies find no room; 0: they do */
	uint64_t request_ring;		/* region offsets */
	uint64_t reply_cursor;
	uint64_t ready_word;
	uint64_t cancelled_word;
	uint32_t open[SHMCHAN_RPC_PENDING];	/* calls to be answered */
	/* Calls that were open when their client used their place again. */
	uint32_t taken_back[SHMCHAN_RPC_PENDING];
};

/* rpc_seat.c: who has it. */

/*
 * Compares what we know of the seat with who has it.  0: a client that is served;
 * EAGAIN: nobody, or nobody yet; EOWNERDEAD, EPIPE: the one that we knew is gone;
 * EBADMSG: its lanes cannot be used.
 */
int shmchan__rpc_seat_look(struct shmchan_rpc__seat *seat);
/* How the client that we know has ended: EPIPE, EOWNERDEAD. */
int shmchan__rpc_seat_end(const struct shmchan_rpc__seat *seat);
/* The same of anybody who had a slot; 0: that is not known, or it has not. */
int shmchan__rpc_how_ended(const struct shmchan_region *region, uint32_t slot,
			   uint32_t generation);
/* The client broke the rules; next() tells of it. */
void shmchan__rpc_seat_bad(struct shmchan_rpc__seat *seat);
/* Has the client taken the call back? */
int shmchan__rpc_seat_taken_back(const struct shmchan_rpc__seat *seat,
				 uint32_t id);
/* A reply, if there is room: 0, EAGAIN and the errors of lanes. */
int shmchan__rpc_seat_put(struct shmchan_rpc__seat *seat, uint32_t id,
			  uint32_t flags, int32_t status, const void *reply,
			  size_t length);
/* A call ends without a reply, for want of room. */
void shmchan__rpc_seat_drop(struct shmchan_rpc__seat *seat, uint32_t id);

/* rpc_server_wait.c */

/*
 * Sleep until a client has something, comes or goes, or for no reason.  0,
 * ETIMEDOUT, ESTALE.
 */
int shmchan__rpc_wait_for_any(struct shmchan_rpc_server *s, uint64_t until);
/* Has any client something, or has one come or gone?  arg is the server. */
int shmchan__rpc_anything(void *arg);
/* What clients may be waiting for: where we are in their lanes. */
void shmchan__rpc_publish(struct shmchan_rpc_server *s);

#pragma GCC visibility pop

/* The first line of all calls; a handle of either kind. */
#define rpc_begin(handle) \
	((handle) ? rpc_enter((handle)->region, &(handle)->busy) : \
		    shmchan__not_open("rpc"))

static inline int rpc_enter(const struct shmchan_region *region, uint32_t *busy)
{
	int err = region ? shmchan__usable(region) : shmchan__not_open("rpc");

	return err ? err : shmchan__enter(busy, "rpc");
}

static inline struct shmchan_wire_rpc_server *
rpc_server_page(const struct shmchan_region *region,
		const struct shmchan_wire_rpc *header, uint32_t slot)
{
	return shmchan_region_at(region, header->servers +
				 sizeof(struct shmchan_wire_rpc_server) *
				 (slot - 1ULL));
}

static inline struct shmchan_wire_rpc_client *
rpc_client_page(const struct shmchan_region *region,
		const struct shmchan_wire_rpc *header, uint32_t slot)
{
	return shmchan_region_at(region, header->clients +
				 SHMCHAN_PAGE * (slot - 1ULL));
}

static inline uint64_t rpc_offset(const struct shmchan_region *region,
				  const void *p)
{
	return (uint64_t)((const uint8_t *)p - region->base);
}

#endif /* SHMCHAN_RPC_PRIVATE_H */
