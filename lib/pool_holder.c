// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Pools: taking what a reference names, and dropping what one has. */

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "pool_private.h"

/* While the owner looks whether a buffer is in use: microseconds, but that it is
 * preempted meanwhile, or stopped. */
#define ASKED_SPINS	1000
#define ASKED_NS	100000000ULL

void shmchan__pool_give(struct shmchan_pool *pool, uint32_t handle,
			struct shmchan_pool_buf *buf)
{
	struct pool_handle *h = &pool->handles[handle];

	h->ticket = ++pool->ticket;
	h->owned = 1;
	h->flights = 0;
	buf->index = h->index;
	buf->lap = h->lap;
	buf->ticket = h->ticket;
	buf->cell = handle;
	pool->stats.taken++;
	pool->stats.owned++;
}

static uint32_t nr_handles(const struct shmchan_pool *pool)
{
	return pool->role == SHMCHAN_POOL_OWNER || pool->writable ?
	       pool->view.nr_buffers + POOL_OWNER_TAKES : pool->view.nr_cells;
}

int shmchan__pool_handle(const struct shmchan_pool *pool,
			 const struct shmchan_pool_buf *buf,
			 struct pool_handle **handle)
{
	struct pool_handle *h;

	if (!buf || !buf->ticket || buf->cell >= nr_handles(pool))
		return shmchan__fail(EINVAL,
				     "pool: no buffer that was allocated or taken here, or it was dropped already");
	h = &pool->handles[buf->cell];
	if (!h->owned || h->ticket != buf->ticket || h->index != buf->index ||
	    h->lap != buf->lap)
		return shmchan__fail(EINVAL,
				     "pool: buffer %u (lap %u) is not ours: it was dropped already, or is another member's",
				     buf->index, buf->lap);
	*handle = h;
	return 0;
}

/* The part of a buffer that a reference is of; whoever made it. */
static int check_ref(const struct shmchan_pool *pool,
		     const struct shmchan_pool_ref *ref)
{
	uint64_t size;

	if (ref->index >= pool->view.nr_buffers)
		return shmchan__fail(EBADMSG,
				     "pool: a reference to buffer %u: %s has 0 to %u",
				     ref->index, shmchan__name_of(pool->region),
				     pool->view.nr_buffers - 1);
	size = pool->classes[shmchan__pool_class(pool, ref->index)].size;
	if (ref->offset <= size && ref->length <= size - ref->offset)
		return 0;
	return shmchan__fail(EBADMSG,
			     "pool: a reference to %u bytes at %u of buffer %u, which has %llu",
			     ref->length, ref->offset, ref->index,
			     (unsigned long long)size);
}

static int stale(const struct shmchan_pool *pool, uint32_t index, uint32_t lap)
{
	int err = shmchan_region_check(pool->region);

	return err ? err :
	       shmchan__fail(ESTALE,
			     "pool: buffer %u of %s is not what it was in lap %u: it has been reused or will be, since nobody had it any more",
			     index, shmchan__name_of(pool->region), lap);
}

/* A cell names nobody's any more; who waits for that is woken. */
static int clear(struct shmchan_pool *pool, uint32_t cell)
{
	int ret;

	pool_unname(pool->block, cell);
	pool->idle[pool->nr_idle++] = cell;
	/* Behind the cell: who sees this sees that.  Pairs with wait_for_any(). */
	ret = shmchan_bell_publish(pool->region, POOL_BELL_OWNER,
				   &pool->block->drops, ++pool->drops);
	if (ret > 0)
		pool->stats.rings++;
	return ret < 0 ? ret : 0;
}

int shmchan__pool_holder_drop(struct shmchan_pool *pool, uint32_t cell)
{
	return clear(pool, cell);
}

/* Until the owner has looked; it has our cell before its eyes. */
static int judge(struct shmchan_pool *pool, uint32_t index, uint32_t lap)
{
	uint64_t until = 0;
	int i, err;

	for (i = 0;; i++) {
		err = pool_judge(&pool->view, index, lap);
		if (err != -EAGAIN)
			return err;
		if (i < ASKED_SPINS) {
			shmchan_cpu_relax();
			continue;
		}
		if (!until)
			until = shmchan__now() + ASKED_NS;
		else if (shmchan__now() > until)
			return -EBUSY;
		/* It may have died in there. */
		shmchan_region_poll_members(pool->region);
		sched_yield();
	}
}

static int holder_take(struct shmchan_pool *pool, uint32_t index, uint32_t lap,
		       uint32_t *cell)
{
	int err;

	if (!pool->nr_idle)
		shmchan__pool_land(pool);
	if (!pool->nr_idle)
		return shmchan__fail(ENOBUFS,
				     "pool: we hold %u buffers already, as many as there are cells (%u of them sent and not taken yet): drop one first",
				     pool->view.nr_cells, pool->nr_flights);
	*cell = pool->idle[--pool->nr_idle];
	pool_name(pool->block, *cell, &pool->used, pool->region->generation,
		  index);
	err = judge(pool, index, lap);
	if (!err)
		return 0;
	(void)clear(pool, *cell);
	if (err == -EBUSY)
		return shmchan__fail(EBUSY,
				     "pool: the owner of %s has been looking for %llu ms whether buffer %u is in use: it is stopped",
				     shmchan__name_of(pool->region),
				     ASKED_NS / 1000000, index);
	return err;
}

int shmchan__pool_take(struct shmchan_pool *pool,
		       const struct shmchan_pool_ref *ref,
		       struct shmchan_pool_buf *buf)
{
	struct shmchan_pool_ref r;
	uint32_t handle, lap;
	int err;

	if (!ref)
		return shmchan__fail(EINVAL, "pool: no reference (NULL)");
	/* It may lie where others write. */
	memcpy(&r, ref, sizeof(r));
	err = check_ref(pool, &r);
	if (err)
		return err;
	lap = r.lap;
	if (pool->writable)
		err = shmchan__pool_shared_take(pool, r.index, &lap, &handle);
	else if (pool->role == SHMCHAN_POOL_OWNER)
		err = shmchan__pool_owner_take(pool, r.index, r.lap, &handle);
	else
		err = holder_take(pool, r.index, r.lap, &handle);
	if (err == -ESTALE)
		return stale(pool, r.index, r.lap);
	if (err)
		return err;
	pool->handles[handle].index = r.index;
	pool->handles[handle].lap = lap;
	shmchan__pool_give(pool, handle, buf);
	buf->data = (uint8_t *)shmchan__pool_data(pool, r.index) + r.offset;
	buf->length = r.length;
	buf->capacity = pool->classes[shmchan__pool_class(pool, r.index)].size -
			r.offset;
	return 0;
}

int shmchan_pool_take(struct shmchan_pool *pool,
		      const struct shmchan_pool_ref *ref,
		      struct shmchan_pool_buf *buf)
{
	int err = shmchan__pool_enter_for(pool, buf);

	if (err)
		return err;
	err = shmchan__pool_take(pool, ref, buf);
	shmchan__pool_leave(pool);
	return err;
}

int shmchan__pool_handle_end(struct shmchan_pool *pool, uint32_t handle)
{
	struct pool_handle *h = &pool->handles[handle];

	if (h->owned || h->flights)
		return 0;
	if (pool->writable)
		return shmchan__pool_shared_drop(pool, handle);
	if (pool->role == SHMCHAN_POOL_HOLDER)
		return shmchan__pool_holder_drop(pool, handle);
	if (handle >= pool->view.nr_buffers)
		pool->idle[pool->nr_idle++] = handle;
	shmchan__pool_owner_drop(pool, h->index);
	return 0;
}

int shmchan__pool_drop(struct shmchan_pool *pool, struct shmchan_pool_buf *buf)
{
	struct pool_handle *h;
	int err = shmchan__pool_handle(pool, buf, &h);

	if (err)
		return err;
	h->owned = 0;
	pool->stats.owned--;
	memset(buf, 0, sizeof(*buf));
	if (h->flights)
		(void)shmchan__pool_land(pool);
	else
		err = shmchan__pool_handle_end(pool,
					       (uint32_t)(h - pool->handles));
	return err;
}

int shmchan_pool_drop(struct shmchan_pool *pool, struct shmchan_pool_buf *buf)
{
	int err = shmchan__pool_enter(pool);

	if (err)
		return err;
	err = shmchan__pool_drop(pool, buf);
	shmchan__pool_leave(pool);
	return err;
}

int shmchan__pool_ref(const struct shmchan_pool *pool,
		      const struct shmchan_pool_buf *buf,
		      struct shmchan_pool_ref *ref)
{
	const uint8_t *start;
	struct pool_handle *h;
	uint64_t size, offset;
	int err = shmchan__pool_handle(pool, buf, &h);

	if (err)
		return err;
	start = shmchan__pool_data(pool, buf->index);
	size = pool->classes[shmchan__pool_class(pool, buf->index)].size;
	offset = (uint64_t)((const uint8_t *)buf->data - start);
	if (offset > size || buf->length > size - offset)
		return shmchan__fail(EINVAL,
				     "pool: %zu bytes at %p are not all in buffer %u, which is %llu bytes at %p",
				     buf->length, buf->data, buf->index,
				     (unsigned long long)size,
				     (const void *)start);
	ref->index = buf->index;
	ref->lap = buf->lap;
	ref->offset = (uint32_t)offset;
	ref->length = (uint32_t)buf->length;
	return 0;
}

int shmchan_pool_ref(const struct shmchan_pool *pool,
		     const struct shmchan_pool_buf *buf,
		     struct shmchan_pool_ref *ref)
{
	int err;

	if (!ref)
		return shmchan__pool_no_place("the reference");
	memset(ref, 0, sizeof(*ref));
	err = shmchan__pool_enter(pool);
	if (err)
		return err;
	err = shmchan__pool_ref(pool, buf, ref);
	shmchan__pool_leave(pool);
	return err;
}
