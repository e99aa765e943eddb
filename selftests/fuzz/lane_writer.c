// SPDX-License-Identifier: GPL-2.0-only

/*
 * A writer whose readers' cursors are hostile, and a writer that takes over a
 * lane of which every byte may be nonsense.
 */

#include "lane.h"

#define CAPACITY	4096

struct open_ones {
	struct shmchan_reservation rsv[4];
	unsigned int nr;
};

static int write_once(struct fuzz_lane *l, struct shmchan_lane_writer *w,
		      struct open_ones *open, uint8_t op, uint8_t arg)
{
	static const uint8_t bytes[2048] = { 1 };
	struct shmchan_reservation *rsv;
	int err, ring;

	switch (op % 7) {
	case 0:
		return shmchan_lane_send(w, bytes, arg * 5, arg, 0);
	case 1:
		if (open->nr == 4)
			return 0;
		rsv = &open->rsv[open->nr];
		err = shmchan_lane_reserve(w, arg * 4, rsv);
		if (err)
			return err;
		shmchan_lane_fill(w, rsv, 0, bytes, rsv->length);
		open->nr++;
		return 0;
	case 2:
		if (!open->nr)
			return 0;
		rsv = &open->rsv[arg % open->nr];
		if (arg & 0x80)
			err = shmchan_lane_abort(w, rsv);
		else
			err = shmchan_lane_commit(w, rsv, rsv->length / 2, arg,
						  0);
		*rsv = open->rsv[--open->nr];
		return err;
	case 3:
		err = shmchan_lane_send_n(w, bytes, 8 * (arg & 3), arg >> 2, 0,
					  0, &ring);
		return err > 0 ? 0 : err;
	case 4:
		return shmchan_lane_evict(w, arg * 4);
	case 5:
		l->slots[1 + (arg & 1)] = (1ULL + (arg >> 3)) << 32 |
			(arg & 2 ? SHMCHAN_SLOT_LIVE : SHMCHAN_SLOT_DIED);
		return 0;
	default:
		/* It dies with whatever is open; its heir repairs. */
		l->slots[0] += 1ULL << 32;
		open->nr = 0;
		return shmchan_lane_writer_attach(w, &l->lane,
			SHMCHAN_SLOT_WORD_GEN(l->slots[0]), &l->waiters[0]);
	}
}

static int known(int err)
{
	switch (-err) {
	case 0: case -1: case EAGAIN: case EPIPE: case EMSGSIZE: case ENOBUFS:
	case EBADMSG: case ENOTSUP: case EINVAL:
		return 1;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct open_ones open = { .nr = 0 };
	struct shmchan_lane_writer w;
	struct fuzz_lane l;
	uint8_t op;
	int err;

	fuzz_begin();
	op = fuzz_u8(&in);
	fuzz_lane_new(&l, CAPACITY, fuzz_lane_flags(op));
	fuzz_hostile(shmchan_lane_cursor(&l.lane, 0), 64 * FUZZ_READERS);
	/* While it has the lane, only it writes there; but who had it before? */
	if (op & 0x80) {
		fuzz_hostile(l.lane.ring, CAPACITY);
		fuzz_hostile(fuzz_lane_control(&l),
			     sizeof(struct shmchan_lane_control));
		while (fuzz_more(&in)) {
			op = fuzz_u8(&in);
			if (op != FUZZ_POKE)
				break;
			fuzz_peer(&in, op);
		}
		fuzz.nr_ranges = 1;
	}
	l.slots[0] += 1ULL << 32;
	err = shmchan_lane_writer_attach(&w, &l.lane, 2, &l.waiters[0]);
	/* The one thing that cannot be repaired: positions are at their end. */
	if (err) {
		FUZZ_CHECK(err == -EINVAL &&
			   l.lane.control->floor > SHMCHAN_LANE_MAX_POS);
		fuzz_lane_free(&l);
		return 0;
	}
	while (fuzz_more(&in)) {
		op = fuzz_u8(&in);
		if (fuzz_peer(&in, op))
			continue;
		fuzz_call();
		err = write_once(&l, &w, &open, op, fuzz_u8(&in));
		FUZZ_CHECK(known(err));
	}
	fuzz_call();
	(void)shmchan_lane_close(&w);
	fuzz_lane_free(&l);
	return 0;
}
