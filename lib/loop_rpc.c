// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

/*
 * Services in event loops: what a server and a client wait for, and arming it.
 *
 * A server has as many words to look at as it has clients, so it does as the
 * receiver of a channel of many (loop_channel.c): it is counted among those who sleep
 * on its doorbell, then looks at all clients, and waits for the doorbell's count of
 * rings to move.  A client's doorbell is its own, and its words are three, as in
 * rpc_wait.c.
 */

#include <errno.h>

#include "loop_private.h"
#include "rpc_client.h"

/* A handle's of either kind. */
static int check(const struct shmchan_region *region)
{
	int err = region ? shmchan__usable(region) : shmchan__not_open("rpc");

	return err ? err : shmchan_region_check(region);
}

/* The server. */

static int request(void)
{
	return shmchan__fail(EAGAIN, "rpc: there is something for next to tell");
}

static uint64_t rings(const struct shmchan_rpc_server *s)
{
	return shmchan_load_seq_cst(
		&shmchan_doorbell_status(s->region, BELL_SERVER)->seq);
}

int shmchan__rpc_server_conds(struct shmchan_rpc_server *s,
			      struct shmchan_cond *conds)
{
	int err = check(s ? s->region : NULL), found;

	if (!err && (s->region->backend == SHMCHAN_BACKEND_LOCAL ||
		     !s->armed || rings(s) != s->armed_seq)) {
		s->armed = 0;
		err = shmchan__bell_count(s->region, BELL_SERVER,
					  &s->armed_seq);
		s->armed = !err;
	}
	if (err)
		return err;
	found = shmchan__rpc_anything(s);
	/* Behind what was looked at: zeros are no absence of requests. */
	if (shmchan_region_check(s->region))
		return -ESTALE;
	if (found)
		return 1;
	shmchan__rpc_publish(s);
	conds[0].region = s->region;
	conds[0].elem = shmchan__elem_rings(s->region, BELL_SERVER,
					    s->armed_seq);
	conds[1].region = s->region;
	conds[1].elem = shmchan_elem_members(s->region, s->members);
	return 0;
}

int shmchan_rpc_server_conds(struct shmchan_rpc_server *s,
			     struct shmchan_cond conds[SHMCHAN_RPC_SERVER_CONDS])
{
	int ret = shmchan__rpc_server_conds(s, conds);

	return ret > 0 ? request() : ret;
}

int shmchan_rpc_server_arm(struct shmchan_rpc_server *s)
{
	int err = check(s ? s->region : NULL), found;

	if (!err)
		err = shmchan__loop_subscribe(s->region, BELL_SERVER,
					      &s->subscribed);
	if (!err)
		err = shmchan_bell_arm(s->region, BELL_SERVER, NULL, 0);
	if (err)
		return err;
	found = shmchan__rpc_anything(s);
	if (shmchan_region_check(s->region))
		return -ESTALE;
	if (found)
		return request();
	shmchan__rpc_publish(s);
	return 0;
}

int shmchan_rpc_server_ack(struct shmchan_rpc_server *s)
{
	int err = check(s ? s->region : NULL);

	return err ? err : shmchan__loop_ack(s->region);
}

/* The client. */

static int has_header(const struct shmchan_rpc_client *c, uint64_t *header)
{
	*header = shmchan_load_acquire(shmchan_lane__from(&c->r, c->r.pos));
	return !c->bad && c->nr_pending &&
	       (c->r.run_left || (shmchan_hdr_committed(*header) &&
				  !lane_header_jumps(*header)));
}

/* Another server will say that it has put the lane in order; 1: it has. */
static int await_repair(const struct shmchan_rpc_client *c, uint64_t header,
			struct shmchan_cond *cond)
{
	uint64_t server;

	if (!c->bad && !lane_header_jumps(header))
		return 0;
	if (shmchan__rpc_mended(c, &server))
		return 1;
	cond->elem = shmchan_elem64(c->bell,
		rpc_offset(c->region, &c->server->generation), server);
	return 0;
}

/*
 * What is in the lane is looked at as recv does, for a reply may be late and an end
 * may concern no call; but where there is a record recv is to take it from the lane,
 * and not from the stash.
 */
int shmchan__rpc_client_conds(struct shmchan_rpc_client *c,
			      struct shmchan_cond *conds)
{
	const struct shmchan__rpc_sink sink = { .keep = 1 };
	int err = check(c ? c->region : NULL), found;
	uint64_t peer, header;

	if (err)
		return err;
	/* Before the look, so that no end comes in between. */
	peer = shmchan_load_acquire((uint64_t *)c->server_word);
	if (c->stash.nr || c->nr_over || has_header(c, &header)) {
		found = 1;
	} else {
		err = shmchan__rpc_drain(c, &sink);
		if (err != -EAGAIN && err != -ENOBUFS)
			return err;
		found = c->stash.nr || c->nr_over || has_header(c, &header);
	}
	if (shmchan_region_check(c->region))
		return -ESTALE;
	if (found)
		return 1;
	/* What the server may be waiting for, before we sleep. */
	shmchan_lane_publish(&c->r);
	conds[0].elem = shmchan_elem64(c->bell, c->reply_ring +
				       (c->r.pos & c->r.mask), header);
	if (await_repair(c, header, &conds[0]))
		return 1;
	conds[1].elem = shmchan_elem64(c->bell, c->dropped_word, c->dropped);
	conds[2].elem = shmchan_elem_slot(c->region, SLOT_SERVER, peer);
	conds[0].region = conds[1].region = conds[2].region = c->region;
	return 0;
}

int shmchan_rpc_client_conds(struct shmchan_rpc_client *c,
			     struct shmchan_cond conds[SHMCHAN_RPC_CLIENT_CONDS])
{
	int ret = shmchan__rpc_client_conds(c, conds);

	return ret > 0 ? shmchan__fail(EAGAIN,
				       "rpc: there is something to receive") :
			 ret;
}

int shmchan_rpc_client_arm(struct shmchan_rpc_client *c)
{
	struct shmchan_cond conds[SHMCHAN_RPC_CLIENT_CONDS];
	int err = check(c ? c->region : NULL);

	if (!err)
		err = shmchan__loop_subscribe(c->region, c->bell,
					      &c->subscribed);
	if (!err)
		err = shmchan_bell_arm(c->region, c->bell, NULL, 0);
	return err ? err : shmchan_rpc_client_conds(c, conds);
}

int shmchan_rpc_client_ack(struct shmchan_rpc_client *c)
{
	int err = check(c ? c->region : NULL);

	return err ? err : shmchan__loop_ack(c->region);
}
