/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SPSC_PRIVATE_H
#define SHMCHAN_SPSC_PRIVATE_H

/* What spsc.c and spsc_wait.c share. */

#include <shmchan/spsc.h>

#include "internal.h"

#define SLOT_SENDER	SHMCHAN_SENDER
#define SLOT_RECEIVER	SHMCHAN_RECEIVER
#define BELL_DATA	1	/* the receiver waits on it */
#define BELL_SPACE	2	/* the sender waits on it */

#pragma GCC visibility push(hidden)

void shmchan_spsc__set_spin(struct shmchan_spsc *ch, int64_t spin_ns);

#pragma GCC visibility pop

#endif /* SHMCHAN_SPSC_PRIVATE_H */
