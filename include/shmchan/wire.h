/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_WIRE_H
#define SHMCHAN_WIRE_H

/*
 * What the sealed header page of a channel's region begins with: which layout
 * the rest of the page describes.  Written once, at creation, and read-only to
 * everybody from then on; checked completely by whoever opens.
 *
 * The version is that of the bytes in the region, not of the library: inlined
 * code of old and new programs meets in one region.
 */

#include <stdint.h>

#include <shmchan/lane_layout.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SHMCHAN_WIRE_MAGIC	0x6e6168636d6873ULL	/* "shmchan" */
#define SHMCHAN_WIRE_VERSION	1U

enum shmchan_wire_kind {
	SHMCHAN_WIRE_SPSC = 1,
	SHMCHAN_WIRE_CHANNEL = 2,	/* lanes of many, <shmchan/channel.h> */
	SHMCHAN_WIRE_RPC = 3,
	SHMCHAN_WIRE_POOL = 4,
	SHMCHAN_WIRE_WORKQ = 5,
	SHMCHAN_WIRE_SYNC = 6,
};

/* What messages call it. */
static inline const char *shmchan_wire_kind_name(uint32_t kind)
{
	switch (kind) {
	case SHMCHAN_WIRE_SPSC:
		return "channel from one to one";
	case SHMCHAN_WIRE_CHANNEL:
		return "channel of many";
	case SHMCHAN_WIRE_RPC:
		return "service";
	case SHMCHAN_WIRE_POOL:
		return "pool";
	case SHMCHAN_WIRE_WORKQ:
		return "work queue";
	case SHMCHAN_WIRE_SYNC:
		return "set of locks";
	default:
		return "thing of a later version";
	}
}

struct shmchan_wire {
	uint64_t magic;
	uint32_t version;	/* SHMCHAN_WIRE_VERSION of who made it */
	uint32_t kind;		/* enum shmchan_wire_kind */
	uint32_t length;	/* of the whole header, this included */
	uint32_t reserved;	/* 0 */
};

/* A region of kind SHMCHAN_WIRE_SPSC. */
struct shmchan_wire_spsc {
	struct shmchan_wire wire;
	uint32_t data_doorbell;		/* the receiver waits on it */
	uint32_t space_doorbell;	/* the sender waits on it */
	struct shmchan_lane_geometry lane;
};

/* A region of kind SHMCHAN_WIRE_SYNC: object i has doorbell i + 1. */
struct shmchan_wire_sync {
	struct shmchan_wire wire;
	uint32_t nr_members;		/* slots */
	uint32_t nr_objects;
	uint64_t objects_offset;
	uint64_t stride;		/* from one object to the next */
	uint64_t data_offset;
	uint64_t data_size;
};

/*
 * A region of kind SHMCHAN_WIRE_RPC: slot 0 is the server's, clients' are 1 and up.
 * Of client i (slot i + 1):
 *
 *	replies + i * reply_capacity		ring of its replies; the server's
 *	requests + i * request_capacity		ring of its requests; its own
 *	servers + i * sizeof(struct shmchan_wire_rpc_server)	the server's
 *	clients + i * 4096	struct shmchan_wire_rpc_client; its own
 *
 * Doorbell 1 is the server's, doorbell i + 2 that client's.
 */
#define SHMCHAN_WIRE_RPC_PENDING	256U

struct shmchan_wire_rpc {
	struct shmchan_wire wire;
	uint32_t nr_clients;
	uint32_t reserved;		/* 0 */
	uint64_t request_capacity;
	uint64_t reply_capacity;
	uint64_t replies;		/* region offsets */
	uint64_t requests;
	uint64_t servers;
	uint64_t clients;
	int64_t drop_after_ns;		/* struct shmchan_rpc_opts */
};

/*
 * What the server writes about one client.  generation is that of the server once
 * that client's lanes are in order; start is where its own replies begin, behind
 * what the last server may have left as nonsense; dropped_ids[id % PENDING] is the call
 * of that place that was dropped last, dropped is raised behind it.
 */
struct shmchan_wire_rpc_server {
	struct shmchan_lane_control replies;
	struct shmchan_lane_cursor requests;
	uint64_t generation;
	uint64_t start;
	uint64_t dropped;
	uint64_t reserved[5];
	uint32_t dropped_ids[SHMCHAN_WIRE_RPC_PENDING];
	uint8_t pad[2048 - 320 - 4 * SHMCHAN_WIRE_RPC_PENDING];
};

/*
 * What a client writes.  generation is that of the client once its lanes are in
 * order; start is where its own requests begin.  cancelled_ids[id % PENDING] is the
 * call of that place that was taken back last, if none has followed it there;
 * cancelled is raised behind it.
 */
struct shmchan_wire_rpc_client {
	struct shmchan_lane_control requests;
	struct shmchan_lane_cursor replies;
	uint64_t generation;
	uint64_t start;
	uint64_t cancelled;
	uint64_t reserved[5];
	uint32_t cancelled_ids[SHMCHAN_WIRE_RPC_PENDING];
};

/* What a request begins with.  The record's meta is the number of the call. */
struct shmchan_wire_rpc_request {
	uint32_t server;		/* generation it is addressed to */
	uint32_t client;		/* generation that sent it */
	uint32_t method;
	uint32_t flags;			/* 0 */
	uint64_t deadline;		/* CLOCK_MONOTONIC, ns */
};

/* What a reply begins with.  The record's meta is the number of the call. */
#define SHMCHAN_WIRE_RPC_MORE		1U	/* this is not the last */
#define SHMCHAN_WIRE_RPC_EXPIRED	2U	/* the deadline was over: no reply */
struct shmchan_wire_rpc_reply {
	uint32_t client;		/* generation it is for */
	uint32_t flags;			/* SHMCHAN_WIRE_RPC_* */
	int32_t status;
	uint32_t reserved;		/* 0 */
};

#ifndef SHMCHAN_EXPLORER
SHMCHAN__ASSERT(sizeof(struct shmchan_wire_rpc) == 88);
SHMCHAN__ASSERT(sizeof(struct shmchan_wire_rpc_server) == 2048);
SHMCHAN__ASSERT(sizeof(struct shmchan_wire_rpc_client) == 1344);
SHMCHAN__ASSERT(sizeof(struct shmchan_wire_rpc_request) == 24);
SHMCHAN__ASSERT(sizeof(struct shmchan_wire_rpc_reply) == 16);
#endif

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_WIRE_H */
