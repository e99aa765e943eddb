// SPDX-License-Identifier: GPL-2.0-only

/*
 * A server with a hostile client, and an honest one that is served all the same:
 * each of its requests is taken once, in order, and it gets the reply to it.
 */

#include <shmchan/loop.h>

#include "rpc.h"

#define HONEST		0
#define HOSTILE		1
#define CALLS		8

static struct fuzz_rpc services[2];
static struct fuzz_rpc *f;
static struct shmchan_rpc_call calls[CALLS];
static unsigned int nr_calls;
static uint64_t asked, taken;

static void call_server(uint8_t op, uint8_t arg)
{
	struct shmchan_cond conds[SHMCHAN_RPC_SERVER_CONDS];
	struct shmchan_rpc_call call;
	size_t room = (arg & 0x7f) * 8;
	uint64_t *buf;
	unsigned int i;
	int err;

	buf = calloc(1, room + 8);
	switch (op % 4) {
	case 0:
		err = shmchan_rpc_next(&f->s, &call, arg & 0x80 ? NULL : buf,
				       room, 0);
		FUZZ_ERRORS(err, EAGAIN, EOWNERDEAD, EPIPE, EBADMSG, EMSGSIZE);
		if (err && err != -EAGAIN && err != -EMSGSIZE)
			FUZZ_CHECK(call.client == 1 + HOSTILE);
		if (err)
			break;
		fuzz_look(call.data, call.length);
		FUZZ_CHECK(arg & 0x80 || call.length <= room);
		if (call.client == 1 + HONEST) {
			FUZZ_CHECK(call.length == 8 && taken < asked);
			FUZZ_CHECK(*(const uint64_t *)call.data == taken);
			taken++;
		}
		calls[nr_calls++ % CALLS] = call;
		break;
	case 1:
	case 2:
		if (!nr_calls)
			break;
		i = (arg >> 3) % (nr_calls < CALLS ? nr_calls : CALLS);
		buf[0] = calls[i].method;
		err = op & 4 ? shmchan_rpc_reply_part(&f->s, &calls[i], 0, buf,
						      8 + (arg & 7) *
						      (room / 8), 0) :
		      shmchan_rpc_reply(&f->s, &calls[i], 0, buf, 8, 0);
		FUZZ_ERRORS(err, EAGAIN, EMSGSIZE, EOVERFLOW, ECANCELED,
			    EOWNERDEAD, EPIPE, EBADMSG, EINVAL);
		if (calls[i].client == 1 + HONEST)
			FUZZ_ERRORS(err, EAGAIN, EMSGSIZE, EOVERFLOW, EINVAL);
		break;
	default:
		if (arg & 0x80) {
			err = shmchan_rpc_server_conds(&f->s, conds);
			FUZZ_ERRORS(err, EAGAIN);
			break;
		}
		if (nr_calls)
			(void)shmchan_rpc_cancelled(&f->s, &calls[arg %
				(nr_calls < CALLS ? nr_calls : CALLS)]);
		break;
	}
	free(buf);
}

static void client(struct shmchan_rpc_client *c, int honest, uint8_t arg)
{
	struct shmchan_rpc_reply reply;
	uint64_t buf[128] = { 0 };
	uint32_t id;
	int err;

	if (arg & 1) {
		buf[0] = asked;
		err = shmchan_rpc_send(c, (uint32_t)asked, buf, honest ? 8 :
				       arg * 3U, SHMCHAN_FOREVER, &id, 0);
		if (!honest)
			return;
		FUZZ_ERRORS(err, EAGAIN, ENOBUFS);
		asked += !err;
		return;
	}
	err = shmchan_rpc_recv(c, 0, buf, sizeof(buf), &reply, 0);
	if (!honest)
		return;
	/* EINVAL: there is nothing under way. */
	FUZZ_ERRORS(err, EAGAIN, EINVAL, EOVERFLOW);
	FUZZ_CHECK(err != -EOVERFLOW || f->drops);
	if (!err)
		FUZZ_CHECK(reply.length >= 8 && buf[0] < taken);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct shmchan_rpc_client *c;
	uint8_t op, arg;
	int i;

	if (!services[0].kept.all) {
		fuzz_rpc_new(&services[0], 0);
		fuzz_rpc_new(&services[1], -1);
	}
	f = &services[fuzz_u8(&in) % 2];
	fuzz_put_back(&f->kept);
	nr_calls = 0;
	asked = taken = 0;
	c = &f->c[HOSTILE];
	fuzz_begin();
	fuzz_hostile(c->w.lane.ring, CAPACITY);
	fuzz_hostile(c->own, sizeof(*c->own));
	/* Where it counts, most of all. */
	fuzz_hostile(&c->own->generation, 64);
	fuzz_hostile(&c->own->replies, 64);
	while (fuzz_more(&in)) {
		op = fuzz_u8(&in);
		if (fuzz_peer(&in, op))
			continue;
		fuzz_call();
		arg = fuzz_u8(&in);
		if (op >= 0xd0)
			client(&f->c[HONEST], 1, arg);
		else if (op >= 0xa0)
			client(c, 0, arg);
		else if (op >= 0x98)
			fuzz_slot(&f->kept, 1 + HOSTILE, arg & 1 ?
				  SHMCHAN_SLOT_LIVE : arg & 2 ?
				  SHMCHAN_SLOT_DIED : SHMCHAN_SLOT_LEFT);
		else
			call_server(op, arg);
	}
	fuzz.countdown = 0;
	for (i = 0; taken < asked; i++) {
		FUZZ_CHECK(i < 3000);
		fuzz_call();
		call_server(0, 0x7f);
	}
	return 0;
}
