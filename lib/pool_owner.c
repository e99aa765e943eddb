// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Pools: the owner lends its buffers, and finds out which it may lend again. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pool_private.h"

/* A look at the cells is not worth it for fewer. */
#define REUSE_LEAST	4U

static void free_push(struct shmchan_pool *pool, uint32_t index)
{
	uint32_t c = shmchan__pool_class(pool, index);

	pool->free[pool->first[c] + pool->nr_free[c]++] = index;
}

static void stamp(void *arg, uint32_t holder, uint32_t generation,
		  uint32_t index)
{
	struct shmchan_pool *pool = (struct shmchan_pool *)arg;

	(void)holder;
	(void)generation;
	pool->buffers[index].stamp = pool->stamp;
}

/* Stamps what is named; returns how many cells it looked at. */
static uint32_t look(struct shmchan_pool *pool)
{
	uint32_t looked;

	pool->stamp++;
	looked = pool_look(&pool->view, stamp, pool);
	pool->stats.scans++;
	pool->stats.cells += looked;
	return looked;
}

static int named(const struct shmchan_pool *pool, uint32_t index)
{
	return pool->buffers[index].stamp == pool->stamp;
}

/*
 * Asks for what is on the list and was named by nobody in a first look: those are
 * moved to its end.  That look decides nothing; but so a buffer that is in use is
 * seldom ASKED for, and who takes it need not wait for the answer.  Returns where
 * they begin.
 */
static uint32_t ask_for(struct shmchan_pool *pool)
{
	uint32_t i = 0, keep = pool->nr_dropped, index;

	while (i < keep) {
		index = pool->dropped[i];
		if (pool->buffers[index].handles) {
			/* We have taken it ourselves, meanwhile. */
			pool->buffers[index].listed = 0;
			pool->dropped[i] = pool->dropped[--keep];
			pool->dropped[keep] =
				pool->dropped[--pool->nr_dropped];
		} else if (named(pool, index)) {
			i++;
		} else {
			pool_ask(&pool->view, index);
			pool->dropped[i] = pool->dropped[--keep];
			pool->dropped[keep] = index;
		}
	}
	return keep;
}

/* What was dropped and nobody has is free.  Returns how many. */
static uint32_t reuse(struct shmchan_pool *pool)
{
	uint32_t from, i, index, looked, n = 0;

	/* On the local backend, the dead are found by looking for them. */
	shmchan_region_poll_members(pool->region);
	looked = look(pool);
	from = ask_for(pool);
	if (from != pool->nr_dropped) {
		pool_ask_done();
		looked = look(pool);
	}
	for (i = from; i < pool->nr_dropped; i++) {
		index = pool->dropped[i];
		pool_settle(&pool->view, index, named(pool, index));
		if (named(pool, index)) {
			pool->dropped[from++] = index;
			continue;
		}
		pool->buffers[index].listed = 0;
		free_push(pool, index);
		n++;
	}
	pool_settled();
	pool->nr_dropped = from;
	/*
	 * The next time, half of what is looked at or more pays for it: so the
	 * cost of a buffer is constant, however many cells there are.
	 */
	pool->reuse_at = from + (looked > REUSE_LEAST / 2 ? 2 * looked :
							   REUSE_LEAST);
	return n;
}

static void list(struct shmchan_pool *pool, uint32_t index)
{
	if (pool->buffers[index].listed)
		return;
	pool->buffers[index].listed = 1;
	pool->dropped[pool->nr_dropped++] = index;
}

void shmchan__pool_owner_drop(struct shmchan_pool *pool, uint32_t index)
{
	if (--pool->buffers[index].handles)
		return;
	list(pool, index);
	if (pool->nr_dropped >= pool->reuse_at)
		(void)reuse(pool);
}

/*
 * All that is not free is lent, until a look at the cells shows that nobody has it:
 * then it comes back.  Bounded by the words and cells.
 */
int shmchan__pool_owner_attach(struct shmchan_pool *pool)
{
	uint32_t nr = pool->view.nr_buffers, i;

	pool->handles = calloc(nr + POOL_OWNER_TAKES, sizeof(*pool->handles));
	pool->idle = calloc(POOL_OWNER_TAKES, sizeof(*pool->idle));
	pool->buffers = calloc(nr, sizeof(*pool->buffers));
	pool->free = calloc(nr, sizeof(*pool->free));
	pool->dropped = calloc(nr, sizeof(*pool->dropped));
	if (!pool->handles || !pool->idle || !pool->buffers || !pool->free ||
	    !pool->dropped)
		return shmchan__fail(ENOMEM, "pool: no memory for %u buffers",
				     nr);
	for (i = 0; i < POOL_OWNER_TAKES; i++)
		pool->idle[pool->nr_idle++] = nr + POOL_OWNER_TAKES - 1 - i;
	pool->reuse_at = REUSE_LEAST;
	/* The first of a class is lent first. */
	for (i = nr; i-- > 0;) {
		if (pool_inherit(&pool->view, i))
			free_push(pool, i);
		else
			list(pool, i);
	}
	if (pool->nr_dropped)
		(void)reuse(pool);
	return 0;
}

int shmchan__pool_owner_take(struct shmchan_pool *pool, uint32_t index,
			     uint32_t lap, uint32_t *handle)
{
	uint64_t word = shmchan_load_relaxed(&pool->view.words[index]);

	/* Nobody but us could reuse it, and we do not just now. */
	if (word != shmchan_pool_word(lap, SHMCHAN_POOL_LOANED))
		return -ESTALE;
	if (!pool->nr_idle)
		shmchan__pool_land(pool);
	if (!pool->nr_idle)
		return shmchan__fail(ENOBUFS,
				     "pool: an owner may have %u buffers by take, beside those that it has allocated: drop one first",
				     POOL_OWNER_TAKES);
	*handle = pool->idle[--pool->nr_idle];
	pool->buffers[index].handles++;
	return 0;
}

static int lend(struct shmchan_pool *pool, uint32_t c, size_t size,
		struct shmchan_pool_buf *buf)
{
	uint32_t index = pool->free[pool->first[c] + --pool->nr_free[c]];

	pool->buffers[index].handles = 1;
	pool->handles[index].index = index;
	pool->handles[index].lap = pool_lend(&pool->view, index);
	shmchan__pool_give(pool, index, buf);
	buf->data = shmchan__pool_data(pool, index);
	buf->length = size;
	buf->capacity = pool->classes[c].size;
	return 0;
}

/* From the smallest class that has one. */
static int lend_any(struct shmchan_pool *pool, size_t size,
		    struct shmchan_pool_buf *buf)
{
	uint32_t c = 0;

	while (pool->classes[c].size < size)
		c++;
	if (pool->writable)
		return shmchan__pool_shared_alloc(pool, size, buf);
	for (; c < pool->nr_classes; c++)
		if (pool->nr_free[c])
			return lend(pool, c, size, buf);
	return -EAGAIN;
}

/*
 * What can make a buffer free: a living holder's drops, anybody's coming or going,
 * and what is in flight moving on.  Loaded before we look whether one is: pairs
 * with clear(), and with the lane's cursors.
 */
static uint32_t conditions(struct shmchan_pool *pool, struct shmchan_cond *conds,
			   int *slice)
{
	struct shmchan_region *region = pool->region;
	const struct pool_view *v = &pool->view;
	uint32_t h, n = 0;

	conds[n].region = region;
	conds[n++].elem = shmchan_elem_members(region,
					       shmchan_members_seq(region));
	if (pool->writable)
		n += shmchan__pool_shared_conds(pool, conds + n);
	for (h = 0; h < v->nr_holders && !pool->writable; h++) {
		uint64_t *drops = &pool_block(v, h)->drops;

		if (!pool_generation(v, 1 + h))
			continue;
		conds[n].region = region;
		conds[n++].elem = shmchan_elem64(POOL_BELL_OWNER,
			pool->holders_offset + v->stride * h +
			offsetof(struct shmchan_pool_block, drops),
			shmchan_load_acquire(drops));
	}
	*slice = 0;
	return n + shmchan__pool_flight_conds(pool, conds + n,
					      SHMCHAN_MAX_ELEMS - n, slice);
}

static int wait_for_any(struct shmchan_pool *pool, size_t size,
			struct shmchan_pool_buf *buf, uint64_t deadline)
{
	struct shmchan_cond conds[SHMCHAN_MAX_ELEMS];
	uint64_t now;
	uint32_t n;
	int slice, err;

	for (;;) {
		n = conditions(pool, conds, &slice);
		(void)shmchan__pool_land(pool);
		if (!pool->writable)
			(void)reuse(pool);
		if (!lend_any(pool, size, buf))
			return 0;
		now = shmchan__now();
		if (now >= deadline)
			return shmchan__fail(ETIMEDOUT,
					     "pool: no buffer of %zu bytes came back in time",
					     size);
		pool->stats.waits++;
		err = shmchan_wait_many(conds, n,
					shmchan__pool_until(deadline, now,
							    slice), NULL);
		if (err && err != -ETIMEDOUT)
			return err;
	}
}

static int alloc(struct shmchan_pool *pool, size_t size,
		 struct shmchan_pool_buf *buf, int64_t timeout_ns)
{
	if (pool->role != SHMCHAN_POOL_OWNER && !pool->writable)
		return shmchan__fail(EINVAL,
				     "pool: a holder of %s does not allocate: its owner does",
				     shmchan__name_of(pool->region));
	if (size > pool->classes[pool->nr_classes - 1].size)
		return shmchan__fail(EMSGSIZE,
				     "pool: %zu bytes: the largest buffers of %s have %llu",
				     size, shmchan__name_of(pool->region),
				     (unsigned long long)
				     pool->classes[pool->nr_classes - 1].size);
	(void)shmchan__pool_land(pool);
	if (!lend_any(pool, size, buf))
		return 0;
	if (!pool->writable && reuse(pool) && !lend_any(pool, size, buf))
		return 0;
	if (!timeout_ns)
		return shmchan__fail(EAGAIN,
				     "pool: all buffers of %zu bytes or more are in use",
				     size);
	return wait_for_any(pool, size, buf, shmchan_deadline(timeout_ns));
}

int shmchan_pool_alloc(struct shmchan_pool *pool, size_t size,
		       struct shmchan_pool_buf *buf, int64_t timeout_ns)
{
	int err = shmchan__pool_enter_for(pool, buf);

	if (err)
		return err;
	err = alloc(pool, size, buf, timeout_ns);
	shmchan__pool_leave(pool);
	return err;
}
