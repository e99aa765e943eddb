// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Services, the client: calls that end without a reply.
 *
 * How a call ends.  By its last reply; or it is marked as over when it is certain
 * that none comes any more, and that is told once:
 *
 *  - its server has ended, and the lane is drained of what that one has sent.  The
 *    lane says so: the reader knows of which generation, or a later one, all that
 *    is still to come must be (whose.oldest; lib/lane_reader.c).
 *  - the server has dropped it.  The count of drops is raised behind what was sent
 *    before, so the lane is drained once more when it has moved.
 *  - the server breaks the rules.
 */

#include <errno.h>

#include "lane_private.h"
#include "rpc_client.h"

/* Those of one kind are over. */
static void end_calls(struct shmchan_rpc_client *c,
		      int (*which)(const struct shmchan_rpc_client *c,
				   const struct shmchan_rpc__pending *p),
		      int how)
{
	struct shmchan_rpc__pending *p = c->pending;
	uint32_t left = c->nr_pending;

	for (; left && p < c->pending + SHMCHAN_RPC_PENDING; p++) {
		if (!p->id)
			continue;
		left--;
		if (p->kept || p->over || !which(c, p))
			continue;
		p->over = how;
		c->nr_over++;
		if (how == -EOVERFLOW)
			c->stats.dropped++;
		else
			c->stats.lost++;
	}
}

static int was_last(const struct shmchan_rpc_client *c,
		    const struct shmchan_rpc__pending *p)
{
	return p->server + 1 == c->ended;
}

static int was_before(const struct shmchan_rpc_client *c,
		      const struct shmchan_rpc__pending *p)
{
	return p->server < c->ended;
}

/*
 * The lane says of servers that closed that they did, but not whose word that is if
 * a successor ended before it had written anything.
 */
static void end_servers(struct shmchan_rpc_client *c)
{
	uint32_t i;
	int how;

	c->ended = c->r.whose.oldest;
	/* Asking takes a system call; where nobody waits none is made. */
	for (i = 0; i < SHMCHAN_RPC_PENDING; i++)
		if (c->pending[i].id && was_last(c, &c->pending[i]))
			break;
	if (i < SHMCHAN_RPC_PENDING) {
		how = shmchan__rpc_how_ended(c->region, SLOT_SERVER,
					     c->ended - 1);
		if (how)
			end_calls(c, was_last, how);
	}
	end_calls(c, was_before, c->end_error ? c->end_error : -EOWNERDEAD);
	c->end_error = 0;
}

static int was_dropped(const struct shmchan_rpc_client *c,
		       const struct shmchan_rpc__pending *p)
{
	return shmchan_load_relaxed((uint32_t *)
		&c->server->dropped_ids[PLACE(p->id)]) == p->id;
}

void shmchan__rpc_end_dropped(struct shmchan_rpc_client *c)
{
	c->dropped_done = c->dropped;
	end_calls(c, was_dropped, -EOVERFLOW);
}

static int is_any(const struct shmchan_rpc_client *c,
		  const struct shmchan_rpc__pending *p)
{
	(void)c;
	(void)p;
	return 1;
}

/*
 * Whose lane it is; not whose it will be, once that one has repaired it, even if it
 * names that one.
 */
void shmchan__rpc_bad_server(struct shmchan_rpc_client *c)
{
	uint64_t word = shmchan_load_acquire((uint64_t *)c->server_word);

	c->bad_server = shmchan_load_acquire((uint64_t *)
					     &c->server->generation);
	if (c->bad_server > SHMCHAN_SLOT_WORD_GEN(word))
		c->bad_server = SHMCHAN_SLOT_WORD_GEN(word);
	c->bad = 1;
	end_calls(c, is_any, -EBADMSG);
}

int shmchan__rpc_in_order(const struct shmchan_rpc_client *c, uint64_t *server)
{
	uint64_t word = shmchan_load_acquire((uint64_t *)c->server_word);

	*server = shmchan_load_acquire((uint64_t *)&c->server->generation);
	return SHMCHAN_SLOT_WORD_STATE(word) == SHMCHAN_SLOT_LIVE &&
	       SHMCHAN_SLOT_WORD_GEN(word) == *server;
}

int shmchan__rpc_mended(const struct shmchan_rpc_client *c, uint64_t *server)
{
	return shmchan__rpc_in_order(c, server) &&
	       (!c->bad || *server != c->bad_server);
}

int shmchan__rpc_after_bad(struct shmchan_rpc_client *c)
{
	uint64_t server;
	int err;

	if (!shmchan__rpc_in_order(c, &server))
		return -EAGAIN;
	if (server == c->bad_server)
		return shmchan__fail(EBADMSG,
				     "rpc: the server of %s breaks the rules: nothing is sent to it, and nothing heard",
				     shmchan__name_of(c->region));
	/* Behind what the last one has left. */
	shmchan_store_seq_cst(&c->own->replies.pos, shmchan_load_relaxed(
			      (uint64_t *)&c->server->start));
	err = shmchan_lane_reader_rejoin(&c->r, SHMCHAN_FROM_CURSOR);
	if (!err)
		c->bad = 0;
	return err;
}

/*
 * A jump without a place to go to is a repair under way; but not if the server says
 * that the lane is in order, and said so before we looked.
 */
static int leads_nowhere(struct shmchan_rpc_client *c)
{
	const uint8_t *data;
	uint64_t pos = c->r.pos, server, end;
	uint32_t length, id;

	return shmchan__rpc_jumps(c) && shmchan__rpc_in_order(c, &server) &&
	       shmchan_lane__front(&c->r, &data, &length, &id, &end) ==
	       -EAGAIN && c->r.pos == pos && shmchan__rpc_jumps(c);
}

int shmchan__rpc_nothing(struct shmchan_rpc_client *c, int err, uint64_t pos)
{
	uint64_t dropped;

	if (err == -ESTALE)
		return err;
	if (err == -EPIPE || err == -EOWNERDEAD)
		c->end_error = err;
	/* A jump: an earlier server was the one that broke the rules. */
	if (err == -EBADMSG && c->r.pos == pos) {
		shmchan__rpc_bad_server(c);
		return -EAGAIN;
	}
	if (c->r.whose.oldest > c->ended)
		end_servers(c);
	if (err == -EAGAIN && c->r.pos == pos && leads_nowhere(c)) {
		shmchan__rpc_bad_server(c);
		return -EAGAIN;
	}
	if (c->r.pos != pos)
		return 0;
	/* Pairs with the release in shmchan__rpc_seat_drop(). */
	dropped = shmchan_load_acquire((uint64_t *)&c->server->dropped);
	if (dropped != c->dropped) {
		c->dropped = dropped;
		return 0;
	}
	return -EAGAIN;
}

int shmchan__rpc_say_over(const struct shmchan_rpc_client *c, int err,
			  uint32_t id)
{
	const char *name = shmchan__name_of(c->region);

	switch (err) {
	case -EOWNERDEAD:
		return shmchan__fail(EOWNERDEAD,
			"rpc: the server of %s died before it answered call %u: it was executed once or not at all",
			name, id);
	case -EPIPE:
		return shmchan__fail(EPIPE,
			"rpc: the server of %s closed before it answered call %u: it was executed once or not at all",
			name, id);
	case -ETIME:
		return shmchan__fail(ETIME,
			"rpc: the deadline of call %u to %s was over before the server came to it: it was not executed",
			id, name);
	case -EOVERFLOW:
		return shmchan__fail(EOVERFLOW,
			"rpc: the server of %s dropped call %u: replies were not received in time (drop_after_ns)",
			name, id);
	default:
		return shmchan__fail(EBADMSG,
			"rpc: the server of %s breaks the rules: call %u ends without a reply",
			name, id);
	}
}
