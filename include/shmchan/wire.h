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
};

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

#ifdef __cplusplus
}
#endif

#endif /* SHMCHAN_WIRE_H */
