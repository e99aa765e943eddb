/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SPSC_PRIVATE_H
#define SHMCHAN_SPSC_PRIVATE_H

/* What spsc.c and spsc_wait.c share. */

#include <shmchan/spsc.h>

#include "guard_private.h"
#include "internal.h"

#define SLOT_SENDER	SHMCHAN_SENDER
#define SLOT_RECEIVER	SHMCHAN_RECEIVER
#define BELL_DATA	1	/* the receiver waits on it */
#define BELL_SPACE	2	/* the sender waits on it */

#pragma GCC visibility push(hidden)

int shmchan_spsc__told(struct shmchan_spsc *ch, int err);
/* EINVAL, in words: it is closed, or the other end than the call is for. */
int shmchan_spsc__wrong_end(const struct shmchan_spsc *ch);
void shmchan_spsc__set_spin(struct shmchan_spsc *ch, int64_t spin_ns);

/* spsc_sender.c: who has sent what was read last; *origin is all 0 before. */
int shmchan__origin(const struct shmchan_region *region,
		    const struct shmchan_lane_reader *r,
		    struct shmchan_origin *origin);

#pragma GCC visibility pop

/* The first line of calls that are not inlined. */
static inline int spsc_enter(struct shmchan_spsc *ch)
{
	if (!ch || !ch->region)
		return shmchan__not_open("spsc");
	return shmchan__enter(&ch->busy, "spsc");
}

#endif /* SHMCHAN_SPSC_PRIVATE_H */
