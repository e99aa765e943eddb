/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_SET_PRIVATE_H
#define SHMCHAN_SET_PRIVATE_H

/*
 * What the files of sets share: set.c has the members, set_file.c the file that is
 * polled, set_wait.c looks, waits and arms.
 */

#include <shmchan/guard.h>

#include "backend_local_poll.h"
#include "loop_private.h"

#define SET_MAX		SHMCHAN_MAX_ELEMS

/* What knows by itself what it waits for: a channel, say. */
struct set_kind {
	uint32_t nr_conds;
	/* As the call of that name: 0; 1: nothing, it is ready; or an error. */
	int (*conds)(void *object, struct shmchan_cond *conds);
	/* The set subscribes to its doorbell no more. */
	void (*unwatched)(void *object);
};

struct set_member {
	const struct shmchan_region *region;	/* NULL: a free place */
	const struct set_kind *kind;		/* NULL: a word */
	void *object;
	struct shmchan_wait_elem elem;
	void *data;
};

/* A doorbell of a region that the file tells of. */
struct set_sub {
	const struct shmchan_region *region;
	uint32_t doorbell;
	uint32_t users;
	int ours;		/* to end; else somebody had subscribed before */
	int armed;		/* when it had been rung so often: */
	uint64_t seq;
};

struct shmchan_set {
	uint32_t token;			/* of the process */
	uint32_t busy;			/* SHMCHAN_DEBUG: a thread is in a call */
	enum shmchan_backend backend;	/* AUTO: empty */
	uint32_t nr_ids;		/* no members behind */
	uint32_t nr_conds;
	uint32_t next;			/* whose turn is first */
	uint32_t nr_subs;
	struct shmchan__file epoll;	/* open: somebody polls us */
	struct local_poll *poll;
	struct set_member members[SET_MAX];
	struct set_sub subs[SET_MAX];
};

static inline int set_is_word(const struct set_member *m)
{
	return !m->kind;
}

static inline uint32_t set_weight(const struct set_member *m)
{
	return set_is_word(m) ? 1 : m->kind->nr_conds;
}

/* A call is over, and returns ret. */
static inline int set_leave(struct shmchan_set *set, int ret)
{
	shmchan__leave(&set->busy);
	return ret;
}

#pragma GCC visibility push(hidden)

/* Every call begins with this and ends with that.  EINVAL, EOWNERDEAD, EBUSY. */
int shmchan__set_enter(struct shmchan_set *set);

/* The file, once there is one, tells of m's doorbells too; and no more. */
int shmchan__set_begin_watch(struct shmchan_set *set,
			     const struct set_member *m);
void shmchan__set_unwatch(struct shmchan_set *set, const struct set_member *m);

/* The last member has gone; the set has. */
void shmchan__set_end_local(struct shmchan_set *set);
void shmchan__set_end_file(struct shmchan_set *set);

struct set_sub *shmchan__set_find_sub(struct shmchan_set *set,
				      const struct shmchan_region *region,
				      uint32_t doorbell);

#pragma GCC visibility pop

#endif /* SHMCHAN_SET_PRIVATE_H */
