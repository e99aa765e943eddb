// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Writable pools: each buffer is one trusted member's at a time (pool_cells.h). */

#include <errno.h>
#include <stdlib.h>

#include "pool_cells.h"
#include "pool_private.h"

static struct pool_member me(const struct shmchan_pool *pool)
{
	return (struct pool_member){ pool->region->slot,
				     pool->region->generation };
}

/* How many have been given back: who waits for one sees it move. */
static uint64_t *released(const struct shmchan_pool *pool)
{
	return &pool->view.words[pool->view.nr_buffers];
}

int shmchan__pool_shared_attach(struct shmchan_pool *pool)
{
	uint32_t nr = pool->view.nr_buffers + POOL_OWNER_TAKES, i;

	pool->handles = calloc(nr, sizeof(*pool->handles));
	pool->idle = calloc(nr, sizeof(*pool->idle));
	if (!pool->handles || !pool->idle)
		return shmchan__fail(ENOMEM, "pool: no memory for %u buffers",
				     pool->view.nr_buffers);
	for (i = 0; i < nr; i++)
		pool->idle[pool->nr_idle++] = nr - 1 - i;
	return 0;
}

/* One of a class that is free, or (dead) whose owner is gone. */
static int claim_in(struct shmchan_pool *pool, uint32_t c, int dead,
		    uint32_t *index, uint32_t *lap)
{
	const struct pool_member self = me(pool);
	const uint32_t nr = pool->classes[c].nr;
	uint32_t i, at;

	for (i = 0; i < nr; i++) {
		/* Behind the last one: what others look at first is elsewhere. */
		at = (pool->hint[c] + i) % nr;
		*index = pool->first[c] + at;
		if (pool_claim(&pool->view, &self, *index, dead, lap))
			continue;
		pool->hint[c] = (at + 1) % nr;
		return 0;
	}
	return -EAGAIN;
}

int shmchan__pool_shared_alloc(struct shmchan_pool *pool, size_t size,
			       struct shmchan_pool_buf *buf)
{
	uint32_t c, first = 0, index, lap, handle;
	int dead;

	while (pool->classes[first].size < size)
		first++;
	if (!pool->nr_idle)
		return -EAGAIN;
	for (dead = 0; dead < 2; dead++) {
		if (dead)
			shmchan_region_poll_members(pool->region);
		for (c = first; c < pool->nr_classes; c++)
			if (!claim_in(pool, c, dead, &index, &lap))
				goto found;
	}
	return -EAGAIN;
found:
	handle = pool->idle[--pool->nr_idle];
	pool->handles[handle].index = index;
	pool->handles[handle].lap = lap;
	shmchan__pool_give(pool, handle, buf);
	buf->data = shmchan__pool_data(pool, index);
	buf->length = size;
	buf->capacity = pool->classes[c].size;
	return 0;
}

int shmchan__pool_shared_take(struct shmchan_pool *pool, uint32_t index,
			      uint32_t *lap, uint32_t *handle)
{
	const struct pool_member self = me(pool);
	int err;

	if (!pool->nr_idle)
		return shmchan__fail(ENOBUFS,
				     "pool: we have sent more buffers than we have dropped: drop them");
	err = pool_take(&pool->view, &self, index, lap);
	if (!err)
		*handle = pool->idle[--pool->nr_idle];
	return err;
}

int shmchan__pool_shared_offer(struct shmchan_pool *pool,
			       const struct pool_handle *h, int back)
{
	const struct pool_member self = me(pool);

	if (!pool_offer(&pool->view, &self, h->index, h->lap, back))
		return 0;
	return shmchan__fail(EINVAL,
			     "pool: buffer %u (lap %u) has been sent: it is whose who takes it",
			     h->index, h->lap);
}

int shmchan__pool_shared_drop(struct shmchan_pool *pool, uint32_t handle)
{
	const struct pool_handle *h = &pool->handles[handle];
	const struct pool_member self = me(pool);
	int ret;

	pool->idle[pool->nr_idle++] = handle;
	/* If it was sent and taken, it is not ours to give back. */
	if (pool_release(&pool->view, &self, h->index, h->lap))
		return 0;
	shmchan_fetch_add(released(pool), (uint64_t)1);
	ret = shmchan_bell_notify(pool->region, POOL_BELL_OWNER);
	if (ret > 0)
		pool->stats.rings++;
	return ret < 0 ? ret : 0;
}

uint32_t shmchan__pool_shared_conds(const struct shmchan_pool *pool,
				    struct shmchan_cond *conds)
{
	uint64_t *word = released(pool);

	conds->region = pool->region;
	conds->elem = shmchan_elem64(POOL_BELL_OWNER,
		(uint64_t)((uint8_t *)word - pool->region->base),
		shmchan_load_acquire(word));
	return 1;
}
