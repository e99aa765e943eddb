// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Services, the client: what has come back. */

#include <errno.h>

#include "lane_private.h"
#include "rpc_client.h"

#define SKIP_MAX	1024

/* One reply out of the lane. */
struct arrived {
	const uint8_t *payload;
	size_t length;
	uint32_t id;
	uint32_t flags;
	int32_t status;
	uint64_t end;
};

/*
 * The next that is for a call under way.  What is late, or for a holder of this
 * seat before us, is passed over.  0, EAGAIN, ESTALE.
 */
static int arrival(struct shmchan_rpc_client *c, struct arrived *a,
		   struct shmchan_rpc__pending **pending)
{
	struct shmchan_wire_rpc_reply *head;
	const uint8_t *data = NULL;
	uint32_t length = 0, client;
	uint64_t pos;
	int i, err;

	for (i = 0; i < SKIP_MAX; i++) {
		pos = c->r.pos;
		err = shmchan_lane__front(&c->r, &data, &length, &a->id,
					  &a->end);
		if (err) {
			err = shmchan__rpc_nothing(c, err, pos);
			if (err)
				return err;
			continue;
		}
		if (length < sizeof(struct shmchan_wire_rpc_reply)) {
			c->stats.late++;
			shmchan_lane__advance(&c->r, a->end);
			continue;
		}
		/* Read once; then it is only the copy that counts. */
		head = (struct shmchan_wire_rpc_reply *)(uintptr_t)data;
		client = shmchan_load_relaxed(&head->client);
		a->flags = shmchan_load_relaxed(&head->flags);
		a->status = shmchan_load_relaxed(&head->status);
		a->payload = data + sizeof(struct shmchan_wire_rpc_reply);
		a->length = length - sizeof(struct shmchan_wire_rpc_reply);
		*pending = shmchan__rpc_pending(c, a->id);
		if (client == c->region->generation && *pending &&
		    !(*pending)->kept && !(*pending)->over)
			return 0;
		c->stats.late++;
		shmchan_lane__advance(&c->r, a->end);
	}
	return -EAGAIN;
}

static int too_large(const struct shmchan__rpc_sink *sink, uint32_t id,
		     size_t length)
{
	sink->reply->id = id;
	sink->reply->length = length;
	return shmchan__fail(EMSGSIZE,
			     "rpc: the reply to call %u has %zu bytes, the buffer %zu",
			     id, length, sink->capacity);
}

static void tell(struct shmchan_rpc_client *c,
		 const struct shmchan__rpc_sink *sink, uint32_t id,
		 int32_t status, size_t length, uint32_t flags)
{
	sink->reply->id = id;
	sink->reply->status = status;
	sink->reply->length = length;
	sink->reply->more = !!(flags & SHMCHAN_WIRE_RPC_MORE);
	c->stats.replies++;
}

static int keep(struct shmchan_rpc_client *c, const struct arrived *a,
		struct shmchan_rpc__pending *p)
{
	struct shmchan_rpc__kept *kept;

	kept = shmchan__rpc_stash_put(&c->stash, a->id, (uint32_t)a->length);
	if (!kept)
		return shmchan__fail(ENOBUFS,
				     "rpc: replies to %u other calls are waiting, and there is no place for more: receive those first",
				     c->nr_pending);
	kept->flags = a->flags;
	kept->status = a->status;
	shmchan_lane__copy_out(kept + 1, a->payload, a->length);
	if (!(a->flags & SHMCHAN_WIRE_RPC_MORE))
		p->kept = 1;
	return shmchan_lane_reader_check(&c->r);
}

int shmchan__rpc_drain(struct shmchan_rpc_client *c,
		       const struct shmchan__rpc_sink *sink)
{
	struct shmchan_rpc__pending *p;
	struct arrived a;
	int err;

	if (c->bad) {
		err = shmchan__rpc_after_bad(c);
		if (err)
			return err == -EBADMSG ? -EAGAIN : err;
	}
	for (;;) {
		err = arrival(c, &a, &p);
		if (err)
			break;
		if (a.flags & SHMCHAN_WIRE_RPC_EXPIRED) {
			p->over = -ETIME;
			c->nr_over++;
			c->stats.expired++;
			shmchan_lane__advance(&c->r, a.end);
			continue;
		}
		if (sink->keep ||
		    (sink->id != SHMCHAN_RPC_ANY && sink->id != a.id)) {
			err = keep(c, &a, p);
			if (err)
				return err;
			shmchan_lane__advance(&c->r, a.end);
			continue;
		}
		if (a.length > sink->capacity)
			return too_large(sink, a.id, a.length);
		shmchan_lane__copy_out(sink->buf, a.payload, a.length);
		err = shmchan_lane_reader_check(&c->r);
		if (err)
			return err;
		shmchan_lane__advance(&c->r, a.end);
		tell(c, sink, a.id, a.status, a.length, a.flags);
		if (!(a.flags & SHMCHAN_WIRE_RPC_MORE))
			shmchan__rpc_forget(c, p);
		return 0;
	}
	/* All that came before the drops has been taken. */
	if (err == -EAGAIN && c->dropped != c->dropped_done)
		shmchan__rpc_end_dropped(c);
	return err;
}

/* What was kept, or has ended.  EAGAIN: nothing. */
static int known(struct shmchan_rpc_client *c,
		 const struct shmchan__rpc_sink *sink)
{
	struct shmchan_rpc__pending *p;
	struct shmchan_rpc__kept *kept = NULL;
	uint32_t id;
	int err;

	if (c->stash.nr)
		kept = shmchan__rpc_stash_find(&c->stash, sink->id);
	if (kept) {
		id = kept->id;
		if (kept->length > sink->capacity)
			return too_large(sink, id, kept->length);
		shmchan_lane__copy_out(sink->buf, kept + 1, kept->length);
		tell(c, sink, id, kept->status, kept->length, kept->flags);
		if (!(kept->flags & SHMCHAN_WIRE_RPC_MORE))
			shmchan__rpc_forget(c, shmchan__rpc_pending(c, id));
		shmchan__rpc_stash_drop(&c->stash, kept);
		return 0;
	}
	if (!c->nr_over)
		return -EAGAIN;
	for (p = c->pending; p < c->pending + SHMCHAN_RPC_PENDING; p++) {
		if (!p->over ||
		    (sink->id != SHMCHAN_RPC_ANY && sink->id != p->id))
			continue;
		sink->reply->id = p->id;
		err = p->over;
		shmchan__rpc_forget(c, p);
		return err;
	}
	return -EAGAIN;
}

int shmchan__rpc_recv(struct shmchan_rpc_client *c,
		      const struct shmchan__rpc_sink *sink,
		      struct shmchan__rpc_time *time)
{
	uint64_t peer;
	int err;

	for (;;) {
		/* Before the look, so that no end comes in between. */
		peer = shmchan_load_acquire((uint64_t *)c->server_word);
		if (c->stash.nr || c->nr_over) {
			err = known(c, sink);
			if (err != -EAGAIN)
				break;
		}
		err = shmchan__rpc_drain(c, sink);
		if (err != -EAGAIN)
			return err;
		if (c->nr_over) {
			err = known(c, sink);
			if (err != -EAGAIN)
				break;
		}
		if (!time->timeout_ns)
			return shmchan__rpc_try_over(c, 0);
		err = shmchan__rpc_wait(c, peer, 0, 0, rpc_until(time));
		if (err)
			return err;
	}
	/* An error that is about one call. */
	return err && sink->reply->id && err != -EMSGSIZE ?
	       shmchan__rpc_say_over(c, err, sink->reply->id) : err;
}

static int recv(struct shmchan_rpc_client *c,
		const struct shmchan__rpc_sink *sink, int64_t timeout_ns)
{
	struct shmchan__rpc_time time = { timeout_ns, 0 };

	if (sink->id != SHMCHAN_RPC_ANY && !shmchan__rpc_pending(c, sink->id))
		return shmchan__rpc_no_call(c, sink->id);
	if (!c->nr_pending)
		return shmchan__fail(EINVAL,
				     "rpc: no call to %s is under way: there is nothing to receive",
				     shmchan__name_of(c->region));
	return shmchan__rpc_recv(c, sink, &time);
}

int shmchan_rpc_recv(struct shmchan_rpc_client *c, uint32_t id, void *buf,
		     size_t capacity, struct shmchan_rpc_reply *reply,
		     int64_t timeout_ns)
{
	struct shmchan_rpc_reply unused;
	const struct shmchan__rpc_sink sink = {
		.id = id, .buf = buf, .capacity = capacity,
		.reply = reply ? reply : &unused,
	};
	int err;

	*sink.reply = (struct shmchan_rpc_reply){ 0, 0, 0, 0 };
	err = rpc_begin(c);
	if (err)
		return err;
	err = recv(c, &sink, timeout_ns);
	shmchan__leave(&c->busy);
	return err;
}
