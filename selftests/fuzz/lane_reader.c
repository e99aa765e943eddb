// SPDX-License-Identifier: GPL-2.0-only

/*
 * A reader of a lane whose writer is hostile.  There is an honest writer as well,
 * so that much of what is there makes sense.
 */

#include "lane.h"

#define CAPACITY	4096

static int read_once(struct fuzz_lane *l, struct shmchan_lane_reader *r,
		     uint8_t op, uint8_t arg)
{
	size_t room = (arg & 15) * 16, length = 0;
	uint32_t meta = 0;
	const void *data;
	uint8_t *buf;
	int err;

	switch (op % 7) {
	case 0:
		/* As large as is said: one byte more is a report. */
		buf = malloc(room + 1);
		err = shmchan_lane_recv(r, buf, room, &length, &meta);
		FUZZ_CHECK(err || length <= room);
		FUZZ_CHECK(err != -EMSGSIZE || length > room);
		free(buf);
		return err;
	case 1:
		if (l->lane.flags & SHMCHAN_LANE_PASSABLE)
			err = shmchan_lane_peek_spec(r, &data, &length, &meta);
		else
			err = shmchan_lane_peek(r, &data, &length, &meta);
		FUZZ_CHECK(err || length <= l->lane.max_payload);
		if (!err)
			fuzz_look(data, length);
		return err;
	case 2:
		return shmchan_lane_release(r);
	case 3:
		buf = malloc(8 * (arg & 7) * (size_t)(arg >> 3) + 1);
		err = shmchan_lane_recv_n(r, buf, 8 * (arg & 7), arg >> 3,
					  &meta);
		FUZZ_CHECK(err <= (int)(arg >> 3));
		free(buf);
		return err > 0 ? 0 : err;
	case 4:
		return shmchan_lane_reader_rejoin(r, arg & 1 ?
						  SHMCHAN_FROM_NOW :
						  SHMCHAN_FROM_OLDEST);
	case 5:
		shmchan_lane_publish(r);
		return 0;
	default:
		/* The writer dies, another comes. */
		l->slots[0] = (1ULL + (arg >> 2)) << 32 |
			      (arg & 3 ? SHMCHAN_SLOT_LIVE : SHMCHAN_SLOT_DIED);
		return 0;
	}
}

/* Errors that the calls name. */
static int known(int err)
{
	switch (-err) {
	case 0: case EAGAIN: case EPIPE: case EOWNERDEAD: case EMSGSIZE:
	case EOVERFLOW: case EBADMSG: case EINVAL:
		return 1;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct shmchan_lane_reader r;
	struct shmchan_lane_writer w;
	uint8_t bytes[256] = { 1 }, op;
	struct fuzz_lane l;
	int ring, err;

	fuzz_begin();
	fuzz_lane_new(&l, CAPACITY, fuzz_lane_flags(fuzz_u8(&in)));
	fuzz_hostile(l.lane.ring, CAPACITY);
	fuzz_hostile(fuzz_lane_control(&l), sizeof(struct shmchan_lane_control));
	FUZZ_CHECK(!shmchan_lane_writer_attach(&w, &l.lane, 1, &l.waiters[0]));
	err = shmchan_lane_reader_join(&r, &l.lane, 0, 1, SHMCHAN_FROM_OLDEST,
				       &l.waiters[1], fuzz_lane_wake, &l);
	FUZZ_CHECK(!err);
	while (fuzz_more(&in)) {
		op = fuzz_u8(&in);
		if (fuzz_peer(&in, op))
			continue;
		fuzz_call();
		if (op & 0x80) {
			if (op & 0x40)
				(void)shmchan_lane_send_n(&w, bytes, 8, op & 31,
							  op, 0, &ring);
			else
				(void)shmchan_lane_send(&w, bytes, op & 63, op,
							0);
			continue;
		}
		err = read_once(&l, &r, op, fuzz_u8(&in));
		FUZZ_CHECK(known(err));
	}
	shmchan_lane_leave(&r);
	fuzz_lane_free(&l);
	return 0;
}
