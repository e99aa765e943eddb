// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/* Pools: opening and closing, and what can be told of one. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "entry.h"
#include "pool_private.h"

#define DEFAULT_HOLDERS	8U
#define DEFAULT_CELLS	64U

static int check_classes(const struct shmchan_pool_opts *o)
{
	uint64_t nr = 0;
	uint32_t i;

	for (i = 0; i < SHMCHAN_POOL_MAX_CLASSES && o->classes[i].size; i++) {
		const struct shmchan_pool_class *c = &o->classes[i];

		if (c->size > SHMCHAN_POOL_MAX_SIZE)
			return shmchan__fail(EINVAL,
					     "pool: classes[%u] is of buffers of %llu bytes, at most %llu",
					     i, (unsigned long long)c->size,
					     SHMCHAN_POOL_MAX_SIZE);
		if (i && c->size <= c[-1].size)
			return shmchan__fail(EINVAL,
					     "pool: classes[%u] is of %llu bytes, the one before it of %llu: they come by size, rising",
					     i, (unsigned long long)c->size,
					     (unsigned long long)c[-1].size);
		if (!c->nr)
			return shmchan__fail(EINVAL,
					     "pool: classes[%u] has no buffers (nr is 0)",
					     i);
		nr += c->nr;
	}
	if (!i)
		return shmchan__fail(EINVAL,
				     "pool: no class: to make one, give .classes = {{ .size = BYTES, .nr = HOW_MANY }}");
	if (nr > SHMCHAN_POOL_MAX_BUFFERS)
		return shmchan__fail(EINVAL, "pool: %llu buffers, at most %u",
				     (unsigned long long)nr,
				     SHMCHAN_POOL_MAX_BUFFERS);
	for (; i < SHMCHAN_POOL_MAX_CLASSES; i++)
		if (o->classes[i].size || o->classes[i].nr)
			return shmchan__fail(EINVAL,
					     "pool: classes[%u] follows one of size 0, which ends the list",
					     i);
	return 0;
}

static int take_opts(struct shmchan_pool_opts *opts,
		     const struct shmchan_pool_opts *theirs)
{
	static const struct shmchan__opts_type type = {
		sizeof(*opts), sizeof(*opts), "SHMCHAN_POOL_OPTS",
	};
	int err = shmchan__take_opts(opts, &type, theirs);

	if (err)
		return err;
	if (opts->role != SHMCHAN_POOL_OWNER &&
	    opts->role != SHMCHAN_POOL_HOLDER)
		return shmchan__fail(EINVAL,
				     "pool: role %d is neither SHMCHAN_POOL_OWNER nor SHMCHAN_POOL_HOLDER",
				     (int)opts->role);
	if (opts->nr_holders > SHMCHAN_POOL_MAX_HOLDERS)
		return shmchan__fail(EINVAL, "pool: %u holders, at most %u",
				     opts->nr_holders,
				     SHMCHAN_POOL_MAX_HOLDERS);
	if (opts->nr_cells > SHMCHAN_POOL_MAX_CELLS)
		return shmchan__fail(EINVAL,
				     "pool: %u cells for each holder, at most %u",
				     opts->nr_cells, SHMCHAN_POOL_MAX_CELLS);
	if (!opts->nr_holders)
		opts->nr_holders = DEFAULT_HOLDERS;
	if (!opts->nr_cells)
		opts->nr_cells = DEFAULT_CELLS;
	return opts->create ? check_classes(opts) : 0;
}

/* Where each class begins; returns where the last one ends. */
static uint64_t lay_out(struct shmchan_wire_pool *header,
			const struct shmchan_pool_opts *opts)
{
	uint64_t end = 0;
	uint32_t i;

	for (i = 0; i < SHMCHAN_POOL_MAX_CLASSES && opts->classes[i].size; i++) {
		struct shmchan_wire_pool_class *c = &header->classes[i];

		c->size = opts->classes[i].size;
		c->nr = opts->classes[i].nr;
		c->stride = SHMCHAN_ALIGN_UP(c->size, SHMCHAN_POOL_ALIGN);
		/* Large ones by themselves in their pages. */
		if (c->size >= SHMCHAN_PAGE)
			c->stride = SHMCHAN_ALIGN_UP(c->size, SHMCHAN_PAGE);
		c->offset = end;
		end = SHMCHAN_ALIGN_UP(end + c->stride * c->nr, SHMCHAN_PAGE);
		header->nr_buffers += c->nr;
	}
	header->nr_classes = i;
	return end;
}

static int make(struct shmchan_region **region, const char *name,
		const struct shmchan__entry *entry)
{
	const struct shmchan_pool_opts *opts = entry->arg;
	const uint64_t stride = SHMCHAN_ALIGN_UP(
		sizeof(struct shmchan_pool_block) + 8ULL * opts->nr_cells,
		SHMCHAN_PAGE);
	struct shmchan_slot slots[1 + SHMCHAN_POOL_MAX_HOLDERS];
	struct shmchan_window windows[2 + SHMCHAN_POOL_MAX_HOLDERS];
	const uint32_t writer = opts->writable ? SHMCHAN_SLOT_SHARED :
						 POOL_SLOT_OWNER;
	const struct shmchan_doorbell bell = { writer, 0 };
	struct shmchan_wire_pool header;
	struct shmchan_region_opts ropts;
	uint64_t data, control, words, at;
	uint32_t i;

	memset(&header, 0, sizeof(header));
	data = lay_out(&header, opts);
	if (data >= SHMCHAN_HUGE)
		data = SHMCHAN_ALIGN_UP(data, SHMCHAN_HUGE);
	control = SHMCHAN_CONTROL_OFFSET(data);
	words = SHMCHAN_ALIGN_UP(8ULL * (header.nr_buffers + 1), SHMCHAN_PAGE);
	header.wire.magic = SHMCHAN_WIRE_MAGIC;
	header.wire.version = SHMCHAN_WIRE_VERSION;
	header.wire.kind = SHMCHAN_WIRE_POOL;
	header.wire.length = sizeof(header);
	header.bell = POOL_BELL_OWNER;
	header.flags = opts->writable ? SHMCHAN_POOL_WRITABLE : 0;
	header.nr_holders = opts->nr_holders;
	header.nr_cells = opts->nr_cells;
	header.words_offset = control + SHMCHAN_PAGE;
	header.holders_offset = header.words_offset + words;
	header.holder_stride = stride;

	memset(slots, 0, sizeof(slots));
	memset(windows, 0, sizeof(windows));
	windows[0].length = data;
	windows[0].slot = writer;
	windows[1].offset = header.words_offset;
	windows[1].length = words;
	windows[1].slot = writer;
	at = header.holders_offset;
	for (i = 0; i < opts->nr_holders; i++, at += stride) {
		windows[2 + i].offset = at;
		windows[2 + i].length = stride;
		windows[2 + i].slot = 1 + i;
	}
	for (i = 0; i <= opts->nr_holders && opts->same_uid; i++)
		slots[i].flags = SHMCHAN_SLOT_FLAG_SAME_UID;
	ropts = SHMCHAN_REGION_OPTS(
		.backend = opts->backend,
		.flags = data < SHMCHAN_HUGE ? SHMCHAN_CREATE_SMALL : 0,
		.mode = opts->mode, .slot = entry->first_slot,
		.nr_slots = 1 + opts->nr_holders, .slots = slots,
		.nr_doorbells = 1, .doorbells = &bell,
		.nr_windows = 2 + opts->nr_holders, .windows = windows,
		.data_size = data, .control_size = at - control,
		.header = &header, .header_len = sizeof(header));
	ropts.join_flags = opts->join_flags;
	return shmchan_region_create(region, name, &ropts);
}

static int open_or_create(struct shmchan_region **region, const char *name,
			  const int *capability,
			  const struct shmchan_pool_opts *opts)
{
	const int owner = opts->role == SHMCHAN_POOL_OWNER;
	struct shmchan__entry entry = {
		.what = "pool", .kind = SHMCHAN_WIRE_POOL,
		.length = sizeof(struct shmchan_wire_pool),
		.capability = capability,
		.seats = shmchan__entry_all_but_first,
		.seat = owner ? "the owner's" : "a holder's",
		.backend = opts->backend,
		.first_slot = owner ? POOL_SLOT_OWNER : 1,
		.nr_slots = owner ? 1 : opts->nr_holders,
		.join_flags = opts->join_flags,
		.any_owner = opts->any_owner, .create = opts->create,
		.exclusive = opts->exclusive, .wait_ns = opts->wait_ns,
		.make = make, .arg = opts,
	};
	int err;

	err = shmchan__entry_open(region, name, &entry);
	if (err == -EBUSY && owner)
		return shmchan__fail(EBUSY,
				     "pool: %s has an owner already: open it as SHMCHAN_POOL_HOLDER, or wait until that one has left",
				     name ? name : "what the capability is for");
	return err;
}

static int odd(const struct shmchan_region *region, const char *what)
{
	return shmchan__fail(EPROTO,
			     "pool: the header of %s makes no sense: %s",
			     shmchan__name_of(region), what);
}

/* The classes: each lies in the data area, and they hold all buffers. */
static int check_data(const struct shmchan_region *region,
		      const struct shmchan_wire_pool *h)
{
	uint64_t nr = 0;
	uint32_t i;

	if (!h->nr_classes || h->nr_classes > SHMCHAN_POOL_MAX_CLASSES)
		return odd(region, "the number of classes");
	for (i = 0; i < h->nr_classes; i++) {
		const struct shmchan_wire_pool_class *c = &h->classes[i];

		if (!c->size || c->size > SHMCHAN_POOL_MAX_SIZE || !c->nr ||
		    c->nr > SHMCHAN_POOL_MAX_BUFFERS || c->stride < c->size ||
		    c->stride > 2 * SHMCHAN_POOL_MAX_SIZE ||
		    c->stride % 8 || c->offset % 8 || c->reserved ||
		    (i && c->size <= c[-1].size))
			return odd(region, "the sizes of a class");
		if (c->offset > region->data_size ||
		    c->stride * c->nr > region->data_size - c->offset)
			return odd(region, "a class reaches beyond the data");
		if (i && c->offset < c[-1].offset + c[-1].stride * c[-1].nr)
			return odd(region, "two classes overlap");
		nr += c->nr;
	}
	if (nr != h->nr_buffers || nr > SHMCHAN_POOL_MAX_BUFFERS)
		return odd(region, "the number of buffers");
	return 0;
}

/* The words, and that behind them. */
static uint64_t words_size(const struct shmchan_wire_pool *h)
{
	return 8ULL * (h->nr_buffers + 1ULL);
}

static int check_control(const struct shmchan_region *region,
			 const struct shmchan_wire_pool *h)
{
	uint64_t begin = region->control_offset + SHMCHAN_PAGE;
	uint64_t end = region->control_offset + region->control_size;

	if (h->bell != POOL_BELL_OWNER || region->nr_doorbells != 1 ||
	    h->flags & ~SHMCHAN_POOL_WRITABLE)
		return odd(region, "the doorbell, or the flags");
	if (!h->nr_holders || h->nr_holders > SHMCHAN_POOL_MAX_HOLDERS ||
	    region->nr_slots != 1 + h->nr_holders)
		return odd(region, "the number of holders");
	if (!h->nr_cells || h->nr_cells > SHMCHAN_POOL_MAX_CELLS ||
	    h->holder_stride > 1 << 20 || h->holder_stride % 64 ||
	    h->holder_stride < sizeof(struct shmchan_pool_block) +
			       8ULL * h->nr_cells)
		return odd(region, "the cells");
	if (h->words_offset % 64 || h->words_offset < begin ||
	    h->words_offset > end ||
	    words_size(h) > end - h->words_offset)
		return odd(region, "where the words are");
	if (h->holders_offset % 64 || h->holders_offset > end ||
	    h->holders_offset < h->words_offset + words_size(h) ||
	    h->holder_stride * h->nr_holders > end - h->holders_offset)
		return odd(region, "where the holders' cells are");
	return 0;
}

/* What our role writes, and all that it reads. */
static int check_reach(const struct shmchan_region *region,
		       const struct shmchan_wire_pool *h)
{
	const uint64_t words = words_size(h);
	int err = shmchan__entry_rights(region->rights, region->name, "pool",
					SHMCHAN__RIGHTS_OF_MEMBERS);

	if (!err)
		err = shmchan__entry_reach(region, "pool", "buffers", 0,
					   region->data_size);
	if (!err)
		err = shmchan__entry_reach(region, "pool", "words",
					   h->words_offset, words);
	if (!err)
		err = shmchan__entry_reach(region, "pool", "cells",
					   h->holders_offset,
					   h->holder_stride * h->nr_holders);
	if (err)
		return err;
	if (region->slot != POOL_SLOT_OWNER &&
	    !(h->flags & SHMCHAN_POOL_WRITABLE))
		return shmchan__entry_window(region, "pool",
			h->holders_offset +
			h->holder_stride * (region->slot - 1),
			sizeof(struct shmchan_pool_block) + 8ULL * h->nr_cells);
	err = shmchan__entry_window(region, "pool", h->words_offset, words);
	if (!err)
		err = shmchan__entry_window(region, "pool", 0,
					    region->data_size);
	return err;
}

static int check_header(const struct shmchan_region *region,
			struct shmchan_wire_pool *header)
{
	int err = shmchan__entry_header(region, "pool", SHMCHAN_WIRE_POOL,
					header, sizeof(*header));

	if (!err)
		err = check_data(region, header);
	if (!err)
		err = check_control(region, header);
	return err ? err : check_reach(region, header);
}

static int attach_holder(struct shmchan_pool *pool)
{
	struct pool_view *v = &pool->view;
	uint32_t i;

	pool->handles = calloc(v->nr_cells, sizeof(*pool->handles));
	pool->idle = calloc(v->nr_cells, sizeof(*pool->idle));
	if (!pool->handles || !pool->idle)
		return shmchan__fail(ENOMEM, "pool: no memory for %u cells",
				     v->nr_cells);
	for (i = 0; i < v->nr_cells; i++)
		pool->idle[i] = v->nr_cells - 1 - i;
	pool->nr_idle = v->nr_cells;
	pool->block = pool_block(v, pool->region->slot - 1);
	pool->drops = shmchan_load_relaxed(&pool->block->drops);
	pool_sit(pool->block);
	return 0;
}

static int attach(struct shmchan_pool *pool)
{
	struct shmchan_region *region = pool->region;
	struct shmchan_wire_pool h;
	uint32_t i;
	int err = check_header(region, &h);

	if (err)
		return err;
	pool->view.words = shmchan_region_at(region, h.words_offset);
	pool->view.blocks = shmchan_region_at(region, h.holders_offset);
	pool->view.stride = h.holder_stride;
	pool->view.slots = shmchan_region_at(region,
					     shmchan_slot_offset(region, 0));
	pool->view.nr_buffers = h.nr_buffers;
	pool->view.nr_holders = h.nr_holders;
	pool->view.nr_cells = h.nr_cells;
	pool->holders_offset = h.holders_offset;
	pool->writable = !!(h.flags & SHMCHAN_POOL_WRITABLE);
	pool->nr_classes = h.nr_classes;
	for (i = 0; i < h.nr_classes; i++) {
		pool->classes[i] = h.classes[i];
		pool->first[i] = i ? pool->first[i - 1] + h.classes[i - 1].nr :
				     0;
	}
	if (pool->writable)
		return shmchan__pool_shared_attach(pool);
	return pool->role == SHMCHAN_POOL_OWNER ?
	       shmchan__pool_owner_attach(pool) : attach_holder(pool);
}

static void release(struct shmchan_pool *pool, const int *capability)
{
	shmchan__entry_undo(pool->region, capability);
	shmchan__pool_flights_free(pool);
	free(pool->handles);
	free(pool->idle);
	free(pool->buffers);
	free(pool->free);
	free(pool->dropped);
	free(pool);
}

static int enter(struct shmchan_pool **pool, const char *name,
		 const int *capability, const struct shmchan_pool_opts *opts)
{
	struct shmchan_pool_opts o;
	struct shmchan_pool *p;
	int err;

	if (!pool)
		return shmchan__pool_no_place("the pool");
	*pool = NULL;
	err = take_opts(&o, opts);
	if (err)
		return err;
	p = calloc(1, sizeof(*p));
	if (!p)
		return shmchan__fail(ENOMEM, "pool: no memory for a handle");
	p->role = o.role;
	err = open_or_create(&p->region, name, capability, &o);
	if (err) {
		free(p);
		return err;
	}
	err = attach(p);
	/* Whatever was found, and was no part of the pool. */
	if (err && shmchan_region_check(p->region))
		err = -ESTALE;
	if (err) {
		release(p, capability);
		return err;
	}
	*pool = p;
	return 0;
}

int shmchan_pool_open(struct shmchan_pool **pool, const char *name,
		      const struct shmchan_pool_opts *opts)
{
	return enter(pool, name, NULL, opts);
}

int shmchan_pool_adopt(struct shmchan_pool **pool, int capability,
		       const struct shmchan_pool_opts *opts)
{
	return enter(pool, NULL, &capability, opts);
}

void shmchan_pool_close(struct shmchan_pool *pool)
{
	if (pool)
		release(pool, NULL);
}

int shmchan__pool_usable(const struct shmchan_pool *pool)
{
	int err;

	if (!pool)
		return shmchan__fail(EINVAL,
				     "pool: NULL, which is no pool: it was not opened, or is closed");
	err = shmchan__usable(pool->region);
	return err ? err : shmchan_region_check(pool->region);
}

/* Who only asks has a pool that is const; whether it is in a call is beside that. */
static uint32_t *busy_of(const struct shmchan_pool *pool)
{
	return (uint32_t *)&pool->busy;
}

int shmchan__pool_enter(const struct shmchan_pool *pool)
{
	int err = shmchan__pool_usable(pool);

	return err ? err : shmchan__enter(busy_of(pool), "pool");
}

void shmchan__pool_leave(const struct shmchan_pool *pool)
{
	shmchan__leave(busy_of(pool));
}

int shmchan__pool_no_place(const char *what)
{
	return shmchan__fail(EINVAL, "pool: nowhere to put %s: NULL", what);
}

int shmchan__pool_enter_for(const struct shmchan_pool *pool,
			    struct shmchan_pool_buf *buf)
{
	if (!buf)
		return shmchan__pool_no_place("the buffer");
	memset(buf, 0, sizeof(*buf));
	return shmchan__pool_enter(pool);
}

uint32_t shmchan__pool_class(const struct shmchan_pool *pool, uint32_t index)
{
	uint32_t c = pool->nr_classes - 1;

	while (index < pool->first[c])
		c--;
	return c;
}

void *shmchan__pool_data(const struct shmchan_pool *pool, uint32_t index)
{
	uint32_t c = shmchan__pool_class(pool, index);

	return shmchan_region_at(pool->region, pool->classes[c].offset +
				 pool->classes[c].stride *
				 (index - pool->first[c]));
}

struct shmchan_region *shmchan_pool_region(const struct shmchan_pool *pool)
{
	return pool ? pool->region : NULL;
}

/* What is asked for, and how much of it was found. */
struct asking {
	const struct shmchan_pool *pool;
	uint32_t index;
	struct shmchan_pool_loan *loans;
	uint32_t room;
	uint32_t nr;
};

static void found(void *arg, uint32_t holder, uint32_t generation,
		  uint32_t index)
{
	struct asking *a = (struct asking *)arg;
	struct shmchan_pool_loan *loan;

	if (a->index != SHMCHAN_POOL_ALL && a->index != index)
		return;
	if (a->nr++ >= a->room)
		return;
	loan = &a->loans[a->nr - 1];
	loan->slot = 1 + holder;
	loan->generation = generation;
	loan->index = index;
	loan->lap = pool_lap(shmchan_load_relaxed(&a->pool->view.words[index]));
}

static int holders(const struct shmchan_pool *pool, uint32_t index,
		   struct shmchan_pool_loan *loans, uint32_t room)
{
	struct asking a = { pool, index, loans, loans ? room : 0, 0 };
	int err;

	if (pool->writable)
		return shmchan__fail(ENOTSUP,
				     "pool: in a writable one like %s a buffer is one member's, and nobody holds it besides",
				     shmchan__name_of(pool->region));
	if (index != SHMCHAN_POOL_ALL && index >= pool->view.nr_buffers)
		return shmchan__fail(EINVAL,
				     "pool: there is no buffer %u: %s has 0 to %u",
				     index, shmchan__name_of(pool->region),
				     pool->view.nr_buffers - 1);
	shmchan_region_poll_members(pool->region);
	(void)pool_look(&pool->view, found, &a);
	err = shmchan_region_check(pool->region);
	return err ? err : (int)a.nr;
}

int shmchan_pool_holders(const struct shmchan_pool *pool, uint32_t index,
			 struct shmchan_pool_loan *loans, uint32_t room)
{
	int ret = shmchan__pool_enter(pool);

	if (ret)
		return ret;
	ret = holders(pool, index, loans, room);
	shmchan__pool_leave(pool);
	return ret;
}

void shmchan_pool_get_stats(const struct shmchan_pool *pool,
			    struct shmchan_pool_stats *stats)
{
	uint32_t i;

	if (!stats)
		return;
	memset(stats, 0, sizeof(*stats));
	if (!pool)
		return;
	*stats = pool->stats;
	stats->buffers = pool->view.nr_buffers;
	stats->free = 0;
	for (i = 0; i < pool->nr_classes; i++)
		stats->free += pool->nr_free[i];
	stats->dropped = pool->nr_dropped;
}
