/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SHMCHAN_H
#define SHMCHAN_SHMCHAN_H

/*
 * All of libshmchan.  Where to begin to read:
 *
 *  spsc.h	a channel from one process to another: most need no more
 *  region.h	memory with members: what everything else is made of
 *  bell.h	sleeping until a word changes, and waking who sleeps
 *  lane.h	a ring of records with one writer and many readers
 *  stat.h	looking at a region without joining it
 *  atomic.h	the few atomic operations that the algorithms are written in
 *
 * The conventions of all calls are in region.h: 0 or a count or -errno, the
 * reason in shmchan_error_detail(), no signals, no threads, no output.
 */

#include <shmchan/atomic.h>
#include <shmchan/bell.h>
#include <shmchan/lane.h>
#include <shmchan/region.h>
#include <shmchan/spsc.h>
#include <shmchan/stat.h>
#include <shmchan/version.h>

#endif /* SHMCHAN_SHMCHAN_H */
