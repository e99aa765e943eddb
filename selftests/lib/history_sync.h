/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SHMCHAN_TEST_HISTORY_SYNC_H
#define SHMCHAN_TEST_HISTORY_SYNC_H

/* What the histories of synchronisation objects share: actors that are members. */

#include <shmchan/sync.h>

#include "history.h"

#define MS		1000000LL
#define TOLD_NS		(5000 * MS)
/* More than actors: the seats of the dead may take a moment. */
#define SYNC_MEMBERS	12

/* An actor's own. */
static struct shmchan_sync sync_region;

static inline void open_objects(struct shmchan_sync *s, uint32_t nr_objects)
{
	struct shmchan_sync_opts opts = SHMCHAN_SYNC_OPTS(
		.create = 1, .nr_members = SYNC_MEMBERS,
		.nr_objects = nr_objects);
	uint64_t begin = now_ns();
	int err;

	do {
		err = shmchan_sync_open(s, test_name("objects"), &opts);
		if (err == -EUSERS)
			sleep_ms(5);
	} while (err == -EUSERS && now_ns() - begin < TOLD_NS);
	CHECK_EQ(err, 0);
}

static inline void come(struct history_self *me, uint32_t op,
			uint32_t nr_objects)
{
	struct history_event *e = history_invoke(me, op, 0, 0);

	open_objects(&sync_region, nr_objects);
	history_return(e, me, 0, 0);
}

static inline void leave(struct history_self *me, uint32_t op)
{
	struct history_event *e = history_invoke(me, op, 0, 0);

	shmchan_sync_close(&sync_region);
	history_return(e, me, 0, 0);
}

static inline int64_t some_time(struct history_self *me)
{
	static const int64_t times[] = { 0, MS, 20 * MS, -1 };

	return times[history_pick(me, 4)];
}

/* In the middle of it. */
static inline void stay(struct history_self *me)
{
	uint32_t n = history_pick(me, 32);

	if (n < 2)
		usleep(50);
	else if (n < 8)
		sched_yield();
}

#endif /* SHMCHAN_TEST_HISTORY_SYNC_H */
