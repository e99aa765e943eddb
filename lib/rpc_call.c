// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/* Services, the client: sending requests. */

#include <errno.h>

#include "rpc_client.h"

static int too_long(const struct shmchan_rpc_client *c, size_t length)
{
	return shmchan__fail(EMSGSIZE,
			     "rpc: a request of %zu bytes; to %s it may have %zu (request_capacity / 4, less 32)",
			     length, shmchan__name_of(c->region),
			     shmchan_rpc_max_request(c->region));
}

/* There is no server, or not one that could be asked: how does that end? */
static int absent(const struct shmchan_rpc_client *c, uint64_t word)
{
	const char *name = shmchan__name_of(c->region);

	switch (SHMCHAN_SLOT_WORD_STATE(word)) {
	case SHMCHAN_SLOT_LEFT:
		return shmchan__fail(EPIPE, "rpc: the server of %s closed",
				     name);
	case SHMCHAN_SLOT_DIED:
	case SHMCHAN_SLOT_REVOKED:
		return shmchan__fail(EOWNERDEAD, "rpc: the server of %s died",
				     name);
	default:
		return shmchan__fail(EAGAIN,
				     "rpc: %s has no server yet", name);
	}
}

/* A number whose place is free; there is one. */
static uint32_t next_id(struct shmchan_rpc_client *c)
{
	do
		c->next_id++;
	while (!c->next_id || c->pending[PLACE(c->next_id)].id);
	return c->next_id;
}

/* Room for it, and a server: which one.  EAGAIN and others. */
static int reserve(struct shmchan_rpc_client *c, size_t length,
		   struct shmchan_reservation *rsv, uint64_t word)
{
	int err;

	if (SHMCHAN_SLOT_WORD_STATE(word) != SHMCHAN_SLOT_LIVE)
		return c->fail_fast ? absent(c, word) : -EAGAIN;
	if (c->bad) {
		err = shmchan__rpc_after_bad(c);
		if (err)
			return err;
	}
	err = shmchan_lane_reserve(&c->w, length, rsv);
	/* Its cursor is nonsense. */
	if (err == -EBADMSG)
		shmchan__rpc_bad_server(c);
	return err;
}

/*
 * A first try found no room, or no server.  What comes meanwhile is kept: a server
 * may wait for us to take it.
 */
static int reserve_until(struct shmchan_rpc_client *c, size_t length,
			 struct shmchan_reservation *rsv, uint64_t *word,
			 struct shmchan__rpc_time *time)
{
	struct shmchan_lane_cursor *cursor = shmchan_lane_cursor(&c->w.lane, 0);
	const struct shmchan__rpc_sink sink = { .keep = 1 };
	uint64_t pos;
	int err;

	if (!time->timeout_ns)
		return shmchan__rpc_try_over(c, 1);
	for (;;) {
		*word = shmchan_load_acquire((uint64_t *)c->server_word);
		pos = shmchan_load_acquire(&cursor->pos);
		err = reserve(c, length, rsv, *word);
		if (err != -EAGAIN)
			return err;
		err = shmchan__rpc_drain(c, &sink);
		if (err != -EAGAIN)
			return err;
		err = shmchan__rpc_wait(c, *word, 1, pos, rpc_until(time));
		if (err)
			return err;
	}
}

static int send(struct shmchan_rpc_client *c, uint32_t method,
		const void *request, size_t length, uint64_t deadline,
		uint32_t *id, struct shmchan__rpc_time *time)
{
	const size_t prefix = sizeof(struct shmchan_wire_rpc_request);
	struct shmchan_wire_rpc_request *head;
	struct shmchan_rpc__pending *p;
	struct shmchan_reservation rsv;
	uint64_t word;
	int ret;

	*id = 0;
	if (length > c->w.max_payload - prefix)
		return too_long(c, length);
	if (c->nr_pending == SHMCHAN_RPC_PENDING)
		return shmchan__fail(ENOBUFS,
				     "rpc: %u calls to %s are under way, which is the most: receive replies first",
				     c->nr_pending, shmchan__name_of(c->region));
	word = shmchan_load_acquire((uint64_t *)c->server_word);
	ret = reserve(c, prefix + length, &rsv, word);
	if (ret == -EAGAIN && !(c->fail_fast && SHMCHAN_SLOT_WORD_STATE(word) !=
						SHMCHAN_SLOT_LIVE))
		ret = reserve_until(c, prefix + length, &rsv, &word, time);
	if (ret)
		return ret;
	*id = next_id(c);
	head = rsv.data;
	head->server = SHMCHAN_SLOT_WORD_GEN(word);
	head->client = c->region->generation;
	head->method = method;
	head->flags = 0;
	head->deadline = deadline;
	shmchan_lane__copy_in(head + 1, request, length, 0);
	p = &c->pending[PLACE(*id)];
	p->id = *id;
	p->server = SHMCHAN_SLOT_WORD_GEN(word);
	c->nr_pending++;
	/* Of the last call in this place; the commit releases it. */
	if (shmchan_load_relaxed(&c->own->cancelled_ids[PLACE(*id)]))
		shmchan_store_relaxed(&c->own->cancelled_ids[PLACE(*id)], 0);
	ret = shmchan_lane_commit(&c->w, &rsv, prefix + length, *id, 0);
	if (ret > 0)
		ret = shmchan__rpc_ring_server(c);
	if (!ret)
		ret = shmchan_region_check(c->region);
	if (ret) {
		shmchan__rpc_forget(c, p);
		return ret;
	}
	c->stats.calls++;
	return 0;
}

int shmchan_rpc_send(struct shmchan_rpc_client *c, uint32_t method,
		     const void *request, size_t length, uint64_t deadline,
		     uint32_t *id, int64_t timeout_ns)
{
	struct shmchan__rpc_time time = { timeout_ns, 0 };
	int err;

	if (!id)
		return shmchan__fail(EINVAL,
				     "rpc: nowhere to put the number of the call: NULL");
	*id = 0;
	err = rpc_begin(c);
	if (err)
		return err;
	err = send(c, method, request, length, deadline, id, &time);
	shmchan__leave(&c->busy);
	return err;
}

static int call(struct shmchan_rpc_client *c, uint32_t method,
		const void *request, size_t length,
		struct shmchan__rpc_sink *sink, int64_t timeout_ns)
{
	struct shmchan__rpc_time time = { timeout_ns, 0 };
	int err;

	if (!timeout_ns)
		return shmchan__fail(EINVAL,
				     "rpc: a call with a timeout of 0 could never see its reply: use shmchan_rpc_send() and _recv()");
	err = send(c, method, request, length, rpc_until(&time), &sink->id,
		   &time);
	if (err)
		return err;
	err = shmchan__rpc_recv(c, sink, &time);
	/* Whatever it was: nobody waits for more of it. */
	if (shmchan__rpc_pending(c, sink->id))
		(void)shmchan__rpc_cancel(c, sink->id);
	return err;
}

int shmchan_rpc_call(struct shmchan_rpc_client *c, uint32_t method,
		     const void *request, size_t length, void *buf,
		     size_t capacity, struct shmchan_rpc_reply *reply,
		     int64_t timeout_ns)
{
	struct shmchan_rpc_reply unused;
	struct shmchan__rpc_sink sink = {
		.buf = buf, .capacity = capacity,
		.reply = reply ? reply : &unused,
	};
	int err;

	*sink.reply = (struct shmchan_rpc_reply){ 0, 0, 0, 0 };
	err = rpc_begin(c);
	if (err)
		return err;
	err = call(c, method, request, length, &sink, timeout_ns);
	shmchan__leave(&c->busy);
	return err;
}
