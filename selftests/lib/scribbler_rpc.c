// SPDX-License-Identifier: GPL-2.0-only

/* Services beside a scribbler: a mad client, and a mad server. */

#include "rpc_fixture.h"
#include "scribbler.h"
#include "../../lib/rpc_private.h"

#define CAPACITY	4096

static struct shmchan_rpc_opts opts_for(uint32_t nr_clients)
{
	return SHMCHAN_RPC_OPTS(.nr_clients = nr_clients,
				.request_capacity = CAPACITY,
				.reply_capacity = CAPACITY, .spin_ns = -1);
}

/* Nobody can take over a lane at the end of all positions. */
static void be_repairable(const struct shmchan_lane_writer *w)
{
	if (w->lane.control)
		shmchan_store_relaxed(&w->lane.control->floor,
				      w->limit - w->lane.capacity);
}

static void mad_client(struct scribbler *s, const char *tag)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_client c;
	uint64_t words[16] = { 0 };
	uint32_t id;
	int err;

	for (;;) {
		ask_with(&c, tag, opts_for(2));
		scribbler_opened(s);
		scribbler_aim(s, c.w.lane.ring, CAPACITY);
		scribbler_aim(s, c.own, sizeof(*c.own));
		scribbler_aim(s, &c.own->replies, 64);
		while (!scribbler_asked(s)) {
			err = shmchan_rpc_send(&c, 1, words,
					       8 + scribbler_pick(&s->rnd, 120),
					       SHMCHAN_FOREVER, &id, 0);
			scribbler_fire(s, err);
			err = shmchan_rpc_recv(&c, SHMCHAN_RPC_ANY, words,
					       sizeof(words), &reply, 0);
			scribbler_fire(s, err);
		}
		be_repairable(&c.w);
		shmchan_rpc_client_close(&c);
	}
}

/*
 * Until the request of the honest client comes: what comes of the other one is within
 * bounds, and answered.  Returns whether that one breaks the rules.
 */
static int serve_until(struct scribbler_round *r, struct shmchan_rpc_server *s,
		       uint32_t honest, struct shmchan_rpc_call *call,
		       uint64_t *value)
{
	uint64_t buf[CAPACITY / 8];
	int in_place, err, over = 0;
	uint32_t others = 0;

	for (;;) {
		in_place = !scribbler_choose(r, 2);
		err = shmchan_rpc_next(s, call, in_place ? NULL : buf,
				       in_place ? 0 : sizeof(buf), 0);
		SCRIBBLER_ERRORS(err, EBADMSG, EPIPE, EOWNERDEAD);
		if (call->client == honest)
			break;
		CHECK_LT(++others, 10000);
		over |= err == -EBADMSG;
		if (err)
			continue;
		CHECK_LE(call->length, sizeof(buf));
		scribbler_look(call->data, call->length);
		scribbler_done(r);
		err = shmchan_rpc_reply(s, call, 0, buf, 8, 0);
		SCRIBBLER_ERRORS(err, EAGAIN, ECANCELED, EOWNERDEAD, EPIPE,
				 EBADMSG, EINVAL);
	}
	CHECK_EQ(err, 0);
	CHECK_EQ(call->length, 8);
	memcpy(value, call->data, 8);
	return over;
}

static void server(struct scribbler_round *r)
{
	struct shmchan_rpc_reply reply;
	struct shmchan_rpc_client c;
	struct shmchan_rpc_server s;
	struct shmchan_rpc_call call;
	uint64_t value, n;
	uint32_t id;
	int over;

	serve_with(&s, r->tag, opts_for(2));
	ask_with(&c, r->tag, opts_for(2));
	for (n = 0; scribbler_goes_on(r); n++) {
		CHECK_EQ(shmchan_rpc_send(&c, 1, &n, 8, SHMCHAN_FOREVER, &id,
					  0), 0);
		over = serve_until(r, &s, c.region->slot, &call, &value);
		CHECK_EQ(value, n);
		CHECK_EQ(shmchan_rpc_reply(&s, &call, 0, &value, 8, 0), 0);
		CHECK_EQ(shmchan_rpc_recv(&c, id, &value, 8, &reply, 0), 0);
		CHECK_EQ(value, n);
		if (!over && !scribbler_is_stuck(r))
			continue;
		/* Now and then the server begins anew as well. */
		if (!scribbler_choose(r, 4)) {
			shmchan_rpc_server_close(&s);
			scribbler_ask(r);
			serve_with(&s, r->tag, opts_for(2));
		} else {
			scribbler_ask(r);
		}
	}
	shmchan_rpc_client_close(&c);
	shmchan_rpc_server_close(&s);
}

static void mad_server(struct scribbler *sc, const char *tag)
{
	struct shmchan_rpc_call call;
	uint64_t words[CAPACITY / 8];
	struct shmchan_rpc_server s;
	int err;

	memset(words, 0, sizeof(words));
	for (;;) {
		serve_with(&s, tag, opts_for(1));
		scribbler_opened(sc);
		scribbler_aim(sc, shmchan_region_at(s.region, s.header.replies),
			      CAPACITY);
		scribbler_aim(sc, s.seats[0].own, sizeof(*s.seats[0].own));
		scribbler_aim(sc, s.seats[0].own, 512);
		while (!scribbler_asked(sc)) {
			err = shmchan_rpc_next(&s, &call, words, sizeof(words),
					       0);
			if (!err)
				(void)shmchan_rpc_reply(&s, &call, 0, words,
					scribbler_pick(&sc->rnd, 128), 0);
			scribbler_fire(sc, err);
		}
		be_repairable(&s.seats[0].w);
		shmchan_rpc_server_close(&s);
	}
}

/* 1: the server breaks the rules. */
static int ask_something(struct scribbler_round *r,
			 struct shmchan_rpc_client *c, uint32_t *last)
{
	uint32_t before = shmchan_rpc_pending(c), how = scribbler_choose(r, 64);
	struct shmchan_rpc_reply reply = { 0 };
	uint64_t buf[CAPACITY / 8] = { 0 };
	int err;

	if (how < 28) {
		err = shmchan_rpc_send(c, 1, buf, how, SHMCHAN_FOREVER, last, 0);
		SCRIBBLER_ERRORS(err, EAGAIN, ENOBUFS, EBADMSG);
		CHECK_EQ(shmchan_rpc_pending(c), before + !err);
	} else if (how == 28) {
		err = shmchan_rpc_cancel(c, *last);
		SCRIBBLER_ERRORS(err, EINVAL);
	} else {
		err = shmchan_rpc_recv(c, how < 40 ? *last : SHMCHAN_RPC_ANY,
				       buf, sizeof(buf), &reply,
				       how == 63 ? 100000 : 0);
		SCRIBBLER_ERRORS(err, EAGAIN, ETIMEDOUT, EINVAL, ENOBUFS,
				 EOWNERDEAD, EPIPE, ETIME, EOVERFLOW, EBADMSG);
		CHECK(err || reply.length <= sizeof(buf));
		if (!err)
			scribbler_done(r);
		else if (err == -EAGAIN)
			sched_yield();
	}
	CHECK_LE(shmchan_rpc_pending(c), SHMCHAN_RPC_PENDING);
	return err == -EBADMSG;
}

static void client(struct scribbler_round *r)
{
	struct shmchan_rpc_client c;
	uint32_t last = 0;

	ask_with(&c, r->tag, opts_for(1));
	while (scribbler_goes_on(r)) {
		if (!ask_something(r, &c, &last) && !scribbler_is_stuck(r))
			continue;
		shmchan_rpc_client_close(&c);
		scribbler_ask(r);
		ask_with(&c, r->tag, opts_for(1));
	}
	shmchan_rpc_client_close(&c);
}

TEST_LIMIT(clients, 120)
{
	scribbler_run(&(struct scribbler_scene){
		"client of a service", mad_client, server });
}

TEST_LIMIT(servers, 120)
{
	scribbler_run(&(struct scribbler_scene){
		"server", mad_server, client });
}

TEST_MAIN
