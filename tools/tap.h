/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_TOOL_TAP_H
#define SHMCHAN_TOOL_TAP_H

/*
 * Watching a channel without disturbing it.
 *
 * A tap maps the channel's memory to read and never writes: it has no cursor, holds
 * no sender up, and is nobody for whom one would ring, so it looks again and again
 * with short sleeps.  To it every lane is one whose writer may pass it: it copies a
 * record, then looks whether it was still whole, as <shmchan/lane.h> says of lanes
 * that overwrite.  If it was passed it knows how much it has missed.
 *
 * With the local backend what is mapped is the file, and nobody can know.  The
 * module lets members alone map: there a tap takes one of the seats that channels of
 * many keep for who only looks (SHMCHAN_CHANNEL_OBSERVERS), with the right to read
 * alone.  Channels from one to one have two seats and none for this.
 */

#include <shmchan/channel.h>
#include <shmchan/spsc.h>
#include <shmchan/stat.h>

#include "message.h"

struct tap {
	const struct common *common;
	enum shmchan_wire_kind kind;
	uint32_t nr_senders;
	uint64_t capacity;		/* of a lane */
	struct shmchan_lane_reader *lanes;
	uint32_t next;			/* whose turn it is */
	struct shmchan_region *region;	/* kmod: as a member; else NULL */
	const uint8_t *base;		/* local: what is mapped */
	size_t mapped;
	const uint64_t *slots;		/* slot words */
	uint32_t nr_slots;
	uint64_t inode;			/* local: of the file */
	uint64_t looked;		/* when it was looked who is there */
	uint64_t idle_ns;		/* of the next sleep */
	uint8_t *dead;			/* of each sender: its end was told */
	int died;			/* a sender did, as far as we have seen */
	int gone;			/* all members are */
	void *buffer;
	size_t size;
};

/* What is told: a message, or something of one sender. */
struct tap_message {
	const void *data;
	size_t length;
	uint32_t meta;
	uint32_t slot;
	uint32_t generation;	/* as the lane says; 0: it does not */
	uint64_t lost;		/* with EOVERFLOW */
};

/*
 * Look at a channel, from its oldest record or from now on.  0, or the exit status after a
 * message.
 */
int tap_open(struct tap *t, const struct common *common,
	     enum shmchan_lane_from from);
void tap_close(struct tap *t);

/*
 * The next message of any sender; never sleeps.  0; EAGAIN; and of the sender in
 * m->slot: EPIPE (it ended), EOWNERDEAD (it died), EOVERFLOW (m->lost of its messages
 * passed by unseen), EBADMSG (its lane is damaged).  ENOMEM, ESTALE.
 */
int tap_next(struct tap *t, struct tap_message *m);

/*
 * After EAGAIN: sleep for a moment, the longer the quieter it is.  1: all members are
 * gone, and what there was has been told; else 0.
 */
int tap_sleep(struct tap *t);

#endif /* SHMCHAN_TOOL_TAP_H */
