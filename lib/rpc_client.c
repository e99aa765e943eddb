// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Services, the client: coming, going, and taking calls back. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rpc_client.h"
#include "spin.h"

/* Room in the reply lane: the server may be waiting for it. */
static void wake_server(void *arg)
{
	struct shmchan_rpc_client *c = arg;

	/* ESTALE shows at the next call; nothing else can fail. */
	(void)shmchan__rpc_ring_server(c);
}

int shmchan__rpc_ring_server(struct shmchan_rpc_client *c)
{
	int ret;

	c->stats.rings++;
	ret = shmchan_bell_ring(c->region, BELL_SERVER, 0);
	return ret < 0 ? ret : 0;
}

/* Both lanes; what the seat's last holder left in them is none of ours. */
static int attach_lanes(struct shmchan_rpc_client *c,
			const struct shmchan_wire_rpc *header)
{
	struct shmchan_region *region = c->region;
	const uint32_t *waiters =
		&shmchan_doorbell_status(region, BELL_SERVER)->waiters;
	struct shmchan_lane lane;
	int err;

	err = shmchan__rpc_request_lane(region, header, region->slot, &lane);
	if (!err)
		err = shmchan_lane_writer_attach(&c->w, &lane,
						 region->generation, waiters);
	if (err)
		return err;
	shmchan_lane_writer_asym(&c->w, (int)region->asym);
	c->request_cursor = rpc_offset(region, lane.cursors);
	c->server_word = &lane.slots[SLOT_SERVER];
	err = shmchan__rpc_reply_lane(region, header, region->slot, &lane);
	if (err)
		return err;
	c->reply_ring = rpc_offset(region, lane.ring);
	err = shmchan_lane_reader_join(&c->r, &lane, 0, region->generation,
				       SHMCHAN_FROM_NOW, waiters, wake_server,
				       c);
	if (err != -EAGAIN)
		return err;
	/* No checkpoint: that server's calls end so, and the next one's do not. */
	shmchan__rpc_bad_server(c);
	return 0;
}

static int attach(struct shmchan_rpc_client *c,
		  const struct shmchan_wire_rpc *header)
{
	struct shmchan_region *region = c->region;
	uint32_t i;
	int err;

	c->bell = BELL_CLIENT(region->slot);
	/* Numbers of its own: what is still said of the last holder's is none of ours. */
	c->next_id = (region->generation - 1) << 20;
	c->own = rpc_client_page(region, header, region->slot);
	c->server = rpc_server_page(region, header, region->slot);
	c->dropped_word = rpc_offset(region, &c->server->dropped);
	for (i = 0; i < SHMCHAN_RPC_PENDING; i++)
		shmchan_store_relaxed(&c->own->cancelled_ids[i], 0);
	err = attach_lanes(c, header);
	if (err)
		return err;
	c->dropped = c->dropped_done =
		shmchan_load_relaxed((uint64_t *)&c->server->dropped);
	shmchan_store_relaxed(&c->own->start, c->w.tail);
	/* Now the server may look at it all; release, among other things. */
	shmchan_store_seq_cst(&c->own->generation,
			      (uint64_t)region->generation);
	return shmchan_bell_notify(region, BELL_SERVER) == -ESTALE ? -ESTALE :
								     0;
}

static int enter(struct shmchan_rpc_client *c, const char *name,
		 const int *capability, const struct shmchan_rpc_opts *opts)
{
	struct shmchan_wire_rpc header;
	struct shmchan_rpc_opts o;
	int err;

	if (!c)
		return shmchan__fail(EINVAL, "rpc: no handle (NULL)");
	memset(c, 0, sizeof(*c));
	err = shmchan__rpc_opts(&o, opts);
	if (!err)
		err = shmchan__rpc_enter(&c->region, name, capability, &o, 0,
					 &header);
	if (err)
		return err;
	c->fail_fast = !!o.fail_fast;
	shmchan__spin_init(&c->spin, o.spin_ns, shmchan__alone());
	err = shmchan__rpc_stash_init(&c->stash, header.reply_capacity);
	if (!err)
		err = attach(c, &header);
	if (err && shmchan_region_check(c->region))
		err = -ESTALE;
	if (err) {
		shmchan__entry_undo(c->region, capability);
		free(c->stash.memory);
		memset(c, 0, sizeof(*c));
	}
	return err;
}

int shmchan_rpc_client_open(struct shmchan_rpc_client *c, const char *name,
			    const struct shmchan_rpc_opts *opts)
{
	return enter(c, name, NULL, opts);
}

int shmchan_rpc_client_adopt(struct shmchan_rpc_client *c, int capability,
			     const struct shmchan_rpc_opts *opts)
{
	return enter(c, NULL, &capability, opts);
}

void shmchan_rpc_client_close(struct shmchan_rpc_client *c)
{
	if (!c || !c->region)
		return;
	/* A forked child has no part of it; who was revoked has none any more. */
	if (!shmchan__usable(c->region) && !shmchan_region_check(c->region)) {
		shmchan_lane_leave(&c->r);
		if (shmchan_lane_close(&c->w) > 0)
			(void)shmchan__rpc_ring_server(c);
	}
	shmchan_region_close(c->region);
	free(c->stash.memory);
	/* With a region it would be open. */
	memset(c, 0, sizeof(*c));
}

struct shmchan_rpc__pending *
shmchan__rpc_pending(struct shmchan_rpc_client *c, uint32_t id)
{
	struct shmchan_rpc__pending *p = &c->pending[PLACE(id)];

	return id && p->id == id ? p : NULL;
}

void shmchan__rpc_forget(struct shmchan_rpc_client *c,
			 struct shmchan_rpc__pending *p)
{
	if (p->over)
		c->nr_over--;
	memset(p, 0, sizeof(*p));
	c->nr_pending--;
}

int shmchan__rpc_no_call(const struct shmchan_rpc_client *c, uint32_t id)
{
	return shmchan__fail(EINVAL,
			     "rpc: call %u to %s is not under way: it is over and was told of, or was taken back, or never was",
			     id, shmchan__name_of(c->region));
}

int shmchan__rpc_cancel(struct shmchan_rpc_client *c, uint32_t id)
{
	struct shmchan_rpc__pending *p = shmchan__rpc_pending(c, id);
	struct shmchan_wire_rpc_client *own = c->own;
	struct shmchan_rpc__kept *kept;
	int err = shmchan_region_check(c->region);

	if (err)
		return err;
	if (!p)
		return shmchan__rpc_no_call(c, id);
	/*
	 * The server looks before it begins, and may sleep until there is room
	 * for the reply: pairs with its count of waiters and its second look.
	 */
	shmchan_store_relaxed(&own->cancelled_ids[PLACE(id)], id);
	shmchan_store_seq_cst(&own->cancelled,
			      shmchan_load_relaxed(&own->cancelled) + 1);
	while ((kept = shmchan__rpc_stash_find(&c->stash, id)))
		shmchan__rpc_stash_drop(&c->stash, kept);
	shmchan__rpc_forget(c, p);
	c->stats.cancelled++;
	return shmchan_bell_wanted(c->region, BELL_SERVER) ?
	       shmchan__rpc_ring_server(c) : 0;
}

int shmchan_rpc_cancel(struct shmchan_rpc_client *c, uint32_t id)
{
	int err = rpc_begin(c);

	if (err)
		return err;
	err = shmchan__rpc_cancel(c, id);
	shmchan__leave(&c->busy);
	return err;
}

void shmchan_rpc_client_get_stats(const struct shmchan_rpc_client *c,
				  struct shmchan_rpc_client_stats *stats)
{
	static const struct shmchan_rpc_client_stats none;

	if (stats)
		*stats = c && c->region ? c->stats : none;
}
