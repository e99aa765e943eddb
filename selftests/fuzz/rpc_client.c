// SPDX-License-Identifier: GPL-2.0-only

/* A client whose server is hostile: what comes is within bounds, or an error. */

#include <shmchan/loop.h>

#include "rpc.h"

static struct fuzz_rpc service;
static struct fuzz_rpc *f = &service;
static uint32_t last;

static void call_client(struct shmchan_rpc_client *c, uint8_t op, uint8_t arg)
{
	size_t room = (arg & 0x1f) * 8;
	struct shmchan_rpc_reply reply = { 0 };
	uint32_t id = 0, before = shmchan_rpc_pending(c);
	struct shmchan_cond conds[SHMCHAN_RPC_CLIENT_CONDS];
	uint8_t *buf = calloc(1, room + 1);
	int err;

	switch (op % 4) {
	case 0:
		err = shmchan_rpc_send(c, arg, buf, room, arg & 0x80 ? 1 :
				       SHMCHAN_FOREVER, &id, 0);
		FUZZ_ERRORS(err, EAGAIN, ENOBUFS, EBADMSG, EPIPE, EOWNERDEAD);
		FUZZ_CHECK((err != -EPIPE && err != -EOWNERDEAD) ||
			   c->fail_fast);
		FUZZ_CHECK(shmchan_rpc_pending(c) == before + !err);
		if (!err)
			last = id;
		break;
	case 1:
	case 2:
		err = shmchan_rpc_recv(c, op & 8 ? SHMCHAN_RPC_ANY :
				       last - (arg >> 5), buf, room, &reply, 0);
		FUZZ_ERRORS(err, EAGAIN, EMSGSIZE, EINVAL, ENOBUFS, EOWNERDEAD,
			    EPIPE, ETIME, EOVERFLOW, EBADMSG);
		FUZZ_CHECK(err || reply.length <= room);
		if (err && err != -EMSGSIZE && err != -EAGAIN &&
		    err != -EINVAL && err != -ENOBUFS)
			FUZZ_CHECK(reply.id && shmchan_rpc_pending(c) ==
				   before - 1);
		if (!err)
			FUZZ_CHECK(shmchan_rpc_pending(c) ==
				   before - !reply.more);
		break;
	default:
		/* Replies that it keeps, and ends, are still to be received. */
		if (arg & 4) {
			err = shmchan_rpc_client_conds(c, conds);
			FUZZ_ERRORS(err, EAGAIN);
			FUZZ_CHECK(shmchan_rpc_pending(c) == before);
			break;
		}
		err = shmchan_rpc_cancel(c, last - (arg & 3));
		FUZZ_ERRORS(err, EINVAL);
		FUZZ_CHECK(shmchan_rpc_pending(c) == before - !err);
		break;
	}
	FUZZ_CHECK(shmchan_rpc_pending(c) <= SHMCHAN_RPC_PENDING);
	free(buf);
}

/* As servers are, mostly. */
static void serve(uint8_t arg)
{
	struct shmchan_rpc_call call;
	uint64_t buf[64] = { 0 };

	if (shmchan_rpc_next(&f->s, &call, buf, sizeof(buf), 0))
		return;
	if (arg & 1)
		(void)shmchan_rpc_reply_part(&f->s, &call, arg, buf, arg & 0xf8,
					     0);
	if (arg & 2)
		(void)shmchan_rpc_reply(&f->s, &call, 0, buf, arg & 0xf8, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct shmchan_wire_rpc_server *page;
	struct shmchan_rpc_client *c;
	uint8_t op, arg;

	if (!f->kept.all)
		fuzz_rpc_new(f, 0);
	fuzz_put_back(&f->kept);
	last = 0;
	c = &f->c[0];
	c->fail_fast = fuzz_u8(&in) & 1;
	page = f->s.seats[0].own;
	fuzz_begin();
	fuzz_hostile(f->s.seats[0].w.lane.ring, CAPACITY);
	fuzz_hostile(page, sizeof(*page));
	fuzz_hostile(&page->generation, 64);
	fuzz_hostile(&page->requests, 64);
	fuzz_hostile(&page->replies, sizeof(page->replies));
	while (fuzz_more(&in)) {
		op = fuzz_u8(&in);
		if (fuzz_peer(&in, op))
			continue;
		fuzz_call();
		arg = fuzz_u8(&in);
		if (op >= 0xc0)
			serve(arg);
		else if (op >= 0xb0)
			fuzz_slot(&f->kept, 0, arg & 1 ? SHMCHAN_SLOT_LIVE :
				  arg & 2 ? SHMCHAN_SLOT_DIED :
				  SHMCHAN_SLOT_LEFT);
		else
			call_client(c, op, arg);
	}
	return 0;
}
