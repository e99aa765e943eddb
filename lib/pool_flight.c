// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Pools: references in flight.
 *
 * Between a send and the receiver's take, the sender keeps the buffer: an owner its
 * loan, a holder its cell.  It has landed when the lane's readers have passed its
 * record, for who moves on has taken it before (or does not want it).  Then the
 * taker's cell is to be seen as well: the cursor is stored by a release, behind it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lane_private.h"
#include "pool_private.h"
#include "spsc_private.h"

#define FLIGHTS_LEAST	16U

struct pool_flight {
	uint64_t pos;			/* the end of its record */
	uint32_t handle;
};

/* What one writer has sent: a ring of its flights, by position. */
struct pool_lane {
	struct pool_lane *next;
	const struct shmchan_lane_writer *writer;
	const struct shmchan_spsc *ch;	/* whose writer that is, or NULL */
	struct pool_flight *flights;
	uint32_t size;			/* a power of two */
	uint32_t head, tail;
};

/* Readers have passed all before this, or it is overwritten. */
static uint64_t passed(const struct shmchan_lane_writer *w)
{
	const struct shmchan_lane *lane = &w->lane;
	uint64_t floor = w->limit - lane->capacity, min = w->tail, pos;
	struct shmchan_lane_cursor *cursor;
	uint32_t i;

	/* Nobody there says how far it is. */
	if (w->flags & SHMCHAN_LANE_OVERWRITE)
		return floor;
	for (i = 0; i < lane->nr_readers; i++) {
		cursor = shmchan_lane_cursor(lane, i);
		if (!(w->flags & SHMCHAN_LANE_HOLD) &&
		    !lane_slot_live(lane, lane->reader_slot + i,
				    shmchan_load_acquire(&cursor->generation)))
			continue;
		/* Pairs with shmchan_lane_publish(): its cells came before. */
		pos = shmchan_load_acquire(&cursor->pos);
		if (pos < min)
			min = pos;
	}
	return min > floor ? min : floor;
}

static void land(struct shmchan_pool *pool, uint32_t handle)
{
	pool->nr_flights--;
	pool->handles[handle].flights--;
	(void)shmchan__pool_handle_end(pool, handle);
}

uint32_t shmchan__pool_land(struct shmchan_pool *pool)
{
	struct pool_lane *lane;
	uint32_t n = 0;
	uint64_t pos;

	for (lane = pool->lanes; lane && pool->nr_flights; lane = lane->next) {
		/* Without flights, its writer may be gone. */
		if (lane->head == lane->tail)
			continue;
		pos = passed(lane->writer);
		while (lane->head != lane->tail) {
			struct pool_flight *f = &lane->flights[
				lane->head & (lane->size - 1)];

			if (f->pos > pos)
				break;
			lane->head++;
			n++;
			land(pool, f->handle);
		}
	}
	return n;
}

static int grow(struct pool_lane *lane)
{
	uint32_t size = lane->size ? 2 * lane->size : FLIGHTS_LEAST, i;
	struct pool_flight *flights = calloc(size, sizeof(*flights));

	if (!flights)
		return -ENOMEM;
	for (i = lane->head; i != lane->tail; i++)
		flights[i & (size - 1)] = lane->flights[i & (lane->size - 1)];
	free(lane->flights);
	lane->flights = flights;
	lane->size = size;
	return 0;
}

/* The lane of a writer, with room for one more flight; or NULL. */
static struct pool_lane *lane_of(struct shmchan_pool *pool,
				 const struct shmchan_lane_writer *writer,
				 const struct shmchan_spsc *ch)
{
	struct pool_lane *lane, *empty = NULL;

	for (lane = pool->lanes; lane; lane = lane->next) {
		if (lane->writer == writer)
			break;
		if (lane->head == lane->tail)
			empty = lane;
	}
	if (!lane)
		lane = empty;
	if (!lane) {
		lane = calloc(1, sizeof(*lane));
		if (!lane)
			return NULL;
		lane->next = pool->lanes;
		pool->lanes = lane;
	}
	lane->writer = writer;
	lane->ch = ch;
	if (lane->tail - lane->head == lane->size && grow(lane))
		return NULL;
	return lane;
}

static int no_memory(void)
{
	return shmchan__fail(ENOMEM,
			     "pool: no memory to remember what is in flight");
}

/* The record that ends at the lane's tail. */
static void take_off(struct shmchan_pool *pool, struct pool_lane *lane,
		     struct pool_handle *h)
{
	struct pool_flight *f = &lane->flights[lane->tail++ & (lane->size - 1)];

	f->pos = lane->writer->tail;
	f->handle = (uint32_t)(h - pool->handles);
	h->flights++;
	pool->nr_flights++;
}

static int sent(struct shmchan_pool *pool,
		const struct shmchan_lane_writer *writer,
		const struct shmchan_pool_buf *buf)
{
	struct pool_handle *h;
	struct pool_lane *lane;
	int err = shmchan__pool_handle(pool, buf, &h);

	if (err)
		return err;
	if (!writer)
		return shmchan__fail(EINVAL,
				     "pool: no writer (NULL) that has sent it");
	if (pool->writable)
		return shmchan__fail(ENOTSUP,
				     "pool: in a writable pool, what was sent has been given away before: send it with shmchan_pool_send_spsc()");
	lane = lane_of(pool, writer, NULL);
	if (!lane)
		return no_memory();
	take_off(pool, lane, h);
	return 0;
}

int shmchan_pool_sent(struct shmchan_pool *pool,
		      const struct shmchan_lane_writer *writer,
		      const struct shmchan_pool_buf *buf)
{
	int err = shmchan__pool_enter(pool);

	if (err)
		return err;
	err = sent(pool, writer, buf);
	shmchan__pool_leave(pool);
	return err;
}

/* Is it open, and at the right end? */
static int check_end(const struct shmchan_spsc *ch, enum shmchan_spsc_role role)
{
	if (!ch || !ch->region)
		return shmchan__not_open("pool: the channel: spsc");
	return ch->role == role ? 0 : shmchan_spsc__wrong_end(ch);
}

static int send_spsc(struct shmchan_pool *pool, struct shmchan_spsc *ch,
		     const struct shmchan_pool_buf *buf, uint32_t meta,
		     unsigned int flags, int64_t timeout_ns)
{
	struct shmchan_pool_ref ref = { 0 };
	struct pool_handle *h;
	struct pool_lane *lane;
	int err = shmchan__pool_ref(pool, buf, &ref);

	if (!err)
		err = shmchan__pool_handle(pool, buf, &h);
	if (!err)
		err = check_end(ch, SHMCHAN_SENDER);
	if (err)
		return err;
	(void)shmchan__pool_land(pool);
	/* What may fail, before anything is sent. */
	lane = lane_of(pool, &ch->w, ch);
	if (!lane)
		return no_memory();
	if (pool->writable)
		err = shmchan__pool_shared_offer(pool, h, 0);
	if (err)
		return err;
	err = shmchan_spsc_send(ch, &ref, sizeof(ref), meta, flags, timeout_ns);
	if (!err)
		take_off(pool, lane, h);
	else if (pool->writable)
		(void)shmchan__pool_shared_offer(pool, h, 1);
	return err;
}

int shmchan_pool_send_spsc(struct shmchan_pool *pool, struct shmchan_spsc *ch,
			   const struct shmchan_pool_buf *buf, uint32_t meta,
			   unsigned int flags, int64_t timeout_ns)
{
	int err = shmchan__pool_enter(pool);

	if (err)
		return err;
	err = send_spsc(pool, ch, buf, meta, flags, timeout_ns);
	shmchan__pool_leave(pool);
	return err;
}

/* One message, which is used up; *ref is what is in it. */
static int next_ref(struct shmchan_spsc *ch, struct shmchan_pool_ref *ref,
		    uint32_t *meta, int64_t timeout_ns)
{
	const void *data;
	size_t length;
	int err = shmchan_spsc_peek(ch, &data, &length, meta, timeout_ns);

	if (err)
		return err;
	/* Once: a hostile sender changes it while we look. */
	if (length == sizeof(*ref))
		memcpy(ref, data, sizeof(*ref));
	if (length != sizeof(*ref))
		return shmchan__fail(EBADMSG,
				     "pool: a message of %zu bytes, which is no reference (%zu bytes)",
				     length, sizeof(*ref));
	return 0;
}

static int recv_spsc(struct shmchan_pool *pool, struct shmchan_spsc *ch,
		     struct shmchan_pool_buf *buf, uint32_t *meta,
		     int64_t timeout_ns)
{
	struct shmchan_pool_ref ref;
	int err = check_end(ch, SHMCHAN_RECEIVER), released;

	if (err)
		return err;
	if (!pool->nr_idle)
		(void)shmchan__pool_land(pool);
	if (!pool->nr_idle)
		return shmchan__fail(ENOBUFS,
				     "pool: we have as many buffers as we can (%llu, and %u sent and not taken yet): drop one first",
				     (unsigned long long)pool->stats.owned,
				     pool->nr_flights);
	err = next_ref(ch, &ref, meta, timeout_ns);
	if (err && err != -EBADMSG)
		return err;
	if (!err)
		err = shmchan__pool_take(pool, &ref, buf);
	/* Taken: now the sender may let go of it, at once. */
	released = shmchan_spsc_release(ch);
	if (!released)
		shmchan_lane_publish(&ch->r);
	if (!err && released) {
		(void)shmchan__pool_drop(pool, buf);
		err = released;
	}
	return err;
}

int shmchan_pool_recv_spsc(struct shmchan_pool *pool, struct shmchan_spsc *ch,
			   struct shmchan_pool_buf *buf, uint32_t *meta,
			   int64_t timeout_ns)
{
	int err = shmchan__pool_enter_for(pool, buf);

	if (err)
		return err;
	err = recv_spsc(pool, ch, buf, meta, timeout_ns);
	shmchan__pool_leave(pool);
	return err;
}

int shmchan_pool_recall(struct shmchan_pool *pool,
			const struct shmchan_lane_writer *writer)
{
	struct pool_lane *lane;
	int err = shmchan__pool_enter(pool), n = 0;

	if (err)
		return err;
	(void)shmchan__pool_land(pool);
	for (lane = pool->lanes; lane; lane = lane->next) {
		if (writer && lane->writer != writer)
			continue;
		for (; lane->head != lane->tail; n++)
			land(pool, lane->flights[lane->head++ &
						 (lane->size - 1)].handle);
	}
	shmchan__pool_leave(pool);
	return n;
}

int shmchan_pool_in_flight(struct shmchan_pool *pool)
{
	int ret = shmchan__pool_enter(pool);

	if (ret)
		return ret;
	(void)shmchan__pool_land(pool);
	ret = (int)pool->nr_flights;
	shmchan__pool_leave(pool);
	return ret;
}

int shmchan_pool_poll(struct shmchan_pool *pool)
{
	int ret = shmchan__pool_enter(pool);

	if (ret)
		return ret;
	ret = (int)shmchan__pool_land(pool);
	shmchan__pool_leave(pool);
	return ret;
}

uint32_t shmchan__pool_flight_conds(const struct shmchan_pool *pool,
				    struct shmchan_cond *conds, uint32_t room,
				    int *slice)
{
	const struct pool_lane *lane;
	uint32_t n = 0;

	for (lane = pool->lanes; lane; lane = lane->next) {
		const struct shmchan_spsc *ch = lane->ch;

		if (lane->head == lane->tail)
			continue;
		/* Only who sees the waiter rings, and one call has one backend. */
		if (!ch || ch->poll || n == room ||
		    ch->region->backend != pool->region->backend) {
			*slice = 1;
			continue;
		}
		conds[n].region = ch->region;
		conds[n++].elem = shmchan_elem64(BELL_SPACE, ch->cursor_offset,
			shmchan_load_acquire(&shmchan_lane_cursor(
				&lane->writer->lane, 0)->pos));
	}
	return n;
}

static int flush(struct shmchan_pool *pool, int64_t timeout_ns)
{
	uint64_t deadline = shmchan_deadline(timeout_ns), now;
	struct shmchan_cond conds[SHMCHAN_MAX_ELEMS];
	int slice, err;
	uint32_t n;

	for (;;) {
		err = shmchan__pool_usable(pool);
		if (err)
			return err;
		slice = 0;
		conds[0].region = pool->region;
		conds[0].elem = shmchan_elem_members(pool->region,
			shmchan_members_seq(pool->region));
		n = 1 + shmchan__pool_flight_conds(pool, conds + 1,
						   SHMCHAN_MAX_ELEMS - 1,
						   &slice);
		(void)shmchan__pool_land(pool);
		if (!pool->nr_flights)
			return 0;
		now = shmchan__now();
		if (!timeout_ns || now >= deadline)
			return shmchan__fail(timeout_ns ? ETIMEDOUT : EAGAIN,
					     "pool: %u references are in flight still: their receivers have not moved on",
					     pool->nr_flights);
		pool->stats.waits++;
		err = shmchan_wait_many(conds, n,
					shmchan__pool_until(deadline, now,
							    slice), NULL);
		if (err && err != -ETIMEDOUT)
			return err;
	}
}

int shmchan_pool_flush(struct shmchan_pool *pool, int64_t timeout_ns)
{
	int err = shmchan__pool_enter(pool);

	if (err)
		return err;
	err = flush(pool, timeout_ns);
	shmchan__pool_leave(pool);
	return err;
}

void shmchan__pool_flights_free(struct shmchan_pool *pool)
{
	struct pool_lane *lane, *next;

	for (lane = pool->lanes; lane; lane = next) {
		next = lane->next;
		free(lane->flights);
		free(lane);
	}
	pool->lanes = NULL;
}
