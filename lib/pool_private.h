/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef SHMCHAN_POOL_PRIVATE_H
#define SHMCHAN_POOL_PRIVATE_H

/*
 * What the files of a pool share: pool.c opens and closes, pool_owner.c lends and
 * reuses, pool_holder.c takes and drops, pool_shared.c does so in writable pools,
 * pool_flight.c knows what was sent.
 *
 * All that is shared between members is in the region, and is the business of
 * pool_words.h.  What is here is one member's own, dies with it, and is found again
 * by its successor: which buffers are free, what we have, what is in flight.
 */

#include <shmchan/guard.h>
#include <shmchan/loop.h>
#include <shmchan/pool.h>

#include "backend.h"
#include "pool_words.h"

#define POOL_SLOT_OWNER		0U
#define POOL_BELL_OWNER		1U
/* What an owner may have by take, beside what it has by alloc. */
#define POOL_OWNER_TAKES	64U

/*
 * Something that we have: struct shmchan_pool_buf has the number of one and its
 * ticket.  A holder's are its cells; the first of an owner's are its buffers, one
 * each, for alloc.  It ends when it is neither the user's nor in flight.
 */
struct pool_handle {
	uint32_t index;
	uint32_t lap;
	uint32_t ticket;
	uint32_t flights;
	uint32_t owned;		/* not dropped yet */
};

/* What an owner knows of a buffer. */
struct pool_buffer {
	uint32_t handles;	/* of ours */
	uint32_t stamp;		/* the last look at the cells that met it */
	uint32_t listed;	/* in dropped[] */
};

struct pool_lane;

struct shmchan_pool {
	struct shmchan_region *region;
	enum shmchan_pool_role role;
	struct pool_view view;
	uint32_t nr_classes;
	struct shmchan_wire_pool_class classes[SHMCHAN_POOL_MAX_CLASSES];
	uint32_t first[SHMCHAN_POOL_MAX_CLASSES];	/* index of its first */
	uint64_t holders_offset;
	int writable;

	struct pool_handle *handles;
	uint32_t *idle;		/* a stack of those for take */
	uint32_t nr_idle;
	uint32_t ticket;

	/* A holder's. */
	struct shmchan_pool_block *block;
	uint32_t used;
	uint64_t drops;

	/* An owner's. */
	struct pool_buffer *buffers;
	uint32_t *free;		/* a stack per class, from first[] on */
	uint32_t nr_free[SHMCHAN_POOL_MAX_CLASSES];
	uint32_t *dropped;	/* lent, and none of our handles has it */
	uint32_t nr_dropped;
	uint32_t reuse_at;	/* ... so many that a look at the cells pays */
	uint32_t stamp;

	/* A member's of a writable pool: where it looks for a free one first. */
	uint32_t hint[SHMCHAN_POOL_MAX_CLASSES];

	struct pool_lane *lanes;
	uint32_t nr_flights;

	struct shmchan_pool_stats stats;
	uint32_t busy;		/* SHMCHAN_DEBUG: a thread is in a call */
};

#pragma GCC visibility push(hidden)

/* Is it a pool that we may use now?  EINVAL, EOWNERDEAD, ESTALE. */
int shmchan__pool_usable(const struct shmchan_pool *pool);

/*
 * Calls begin with the first of these, which says what usable does, or EBUSY; and
 * those that do more than one thing do it by the inner calls.
 */
int shmchan__pool_enter(const struct shmchan_pool *pool);
/* The same of one that fills in buf, which is all 0 until then; EINVAL: it is NULL. */
int shmchan__pool_enter_for(const struct shmchan_pool *pool,
			    struct shmchan_pool_buf *buf);
void shmchan__pool_leave(const struct shmchan_pool *pool);
int shmchan__pool_ref(const struct shmchan_pool *pool,
		      const struct shmchan_pool_buf *buf,
		      struct shmchan_pool_ref *ref);
int shmchan__pool_take(struct shmchan_pool *pool,
		       const struct shmchan_pool_ref *ref,
		       struct shmchan_pool_buf *buf);
int shmchan__pool_drop(struct shmchan_pool *pool, struct shmchan_pool_buf *buf);
/* EINVAL: a place for an answer is NULL. */
int shmchan__pool_no_place(const char *what);

/* The class of a buffer; index is below nr_buffers. */
uint32_t shmchan__pool_class(const struct shmchan_pool *pool, uint32_t index);
void *shmchan__pool_data(const struct shmchan_pool *pool, uint32_t index);

/* Give a new handle to the user; its index and lap are set. */
void shmchan__pool_give(struct shmchan_pool *pool, uint32_t handle,
			struct shmchan_pool_buf *buf);
/* The user's handle, or EINVAL with words: not one of ours, or dropped. */
int shmchan__pool_handle(const struct shmchan_pool *pool,
			 const struct shmchan_pool_buf *buf,
			 struct pool_handle **handle);
/* Neither the user's nor in flight any more? */
int shmchan__pool_handle_end(struct shmchan_pool *pool, uint32_t handle);

/* pool_owner.c */
int shmchan__pool_owner_attach(struct shmchan_pool *pool);
int shmchan__pool_owner_take(struct shmchan_pool *pool, uint32_t index,
			     uint32_t lap, uint32_t *handle);
void shmchan__pool_owner_drop(struct shmchan_pool *pool, uint32_t index);

/* pool_holder.c */
int shmchan__pool_holder_drop(struct shmchan_pool *pool, uint32_t cell);

/* pool_shared.c: the same of writable pools */
int shmchan__pool_shared_attach(struct shmchan_pool *pool);
int shmchan__pool_shared_alloc(struct shmchan_pool *pool, size_t size,
			       struct shmchan_pool_buf *buf);
/* *lap becomes that in which it is ours. */
int shmchan__pool_shared_take(struct shmchan_pool *pool, uint32_t index,
			      uint32_t *lap, uint32_t *handle);
int shmchan__pool_shared_drop(struct shmchan_pool *pool, uint32_t handle);
/* Before it is sent: who takes it has it then.  back: it was not sent. */
int shmchan__pool_shared_offer(struct shmchan_pool *pool,
			       const struct pool_handle *h, int back);
uint32_t shmchan__pool_shared_conds(const struct shmchan_pool *pool,
				    struct shmchan_cond *conds);

/*
 * pool_flight.c: conditions for who waits until something lands, up to room of
 * them.  *slice becomes 1 if some of it cannot be waited for.
 */
uint32_t shmchan__pool_flight_conds(const struct shmchan_pool *pool,
				    struct shmchan_cond *conds, uint32_t room,
				    int *slice);
uint32_t shmchan__pool_land(struct shmchan_pool *pool);

/* Until when to sleep then. */
static inline uint64_t shmchan__pool_until(uint64_t deadline, uint64_t now,
					   int slice)
{
	return slice && deadline - now > SHMCHAN_LOCAL_SLICE_NS ?
	       now + SHMCHAN_LOCAL_SLICE_NS : deadline;
}

void shmchan__pool_flights_free(struct shmchan_pool *pool);

#pragma GCC visibility pop

#endif /* SHMCHAN_POOL_PRIVATE_H */
