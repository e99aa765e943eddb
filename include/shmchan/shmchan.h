/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SHMCHAN_H
#define SHMCHAN_SHMCHAN_H

/*
 * All of libshmchan.  Where to begin to read:
 *
 *  spsc.h	a channel from one process to another: most need no more
 *  fanin.h	many tell one
 *  pubsub.h	one tells many, and somebody has to give way
 *  latest.h	only the newest counts
 *  channel.h	these three in general: N senders, M receivers
 *  rpc.h	a service: requests and replies of many clients
 *  region.h	memory with members: what everything else is made of
 *  access.h	letting others in as far as one wants, and out again
 *  bell.h	sleeping until a word changes, and waking who sleeps
 *  loop.h	waiting for many things, and in event loops (uring.h: io_uring;
 *		not included here, since it takes liburing)
 *  lane.h	a ring of records with one writer and many readers
 *  cell.h	one word that says who has something
 *  sync.h	locks and the like, that survive the death of whoever has them
 *  pool.h	buffers that are lent and passed on without copying
 *  workq.h	work queues: each item to one worker, or to another if that dies
 *  stat.h	looking at a region without joining it
 *  atomic.h	the few atomic operations that the algorithms are written in
 *
 * The conventions of all calls are in region.h: 0 or a count or -errno, the
 * reason in shmchan_error_detail(), no signals, no threads, no output.
 */

#include <shmchan/access.h>
#include <shmchan/atomic.h>
#include <shmchan/barrier.h>
#include <shmchan/bell.h>
#include <shmchan/cell.h>
#include <shmchan/channel.h>
#include <shmchan/condvar.h>
#include <shmchan/fanin.h>
#include <shmchan/lane.h>
#include <shmchan/latest.h>
#include <shmchan/loop.h>
#include <shmchan/mutex.h>
#include <shmchan/once.h>
#include <shmchan/permits.h>
#include <shmchan/pool.h>
#include <shmchan/pubsub.h>
#include <shmchan/region.h>
#include <shmchan/rpc.h>
#include <shmchan/rwlock.h>
#include <shmchan/signal.h>
#include <shmchan/spsc.h>
#include <shmchan/stat.h>
#include <shmchan/sync.h>
#include <shmchan/version.h>
#include <shmchan/workq.h>

#endif /* SHMCHAN_SHMCHAN_H */
