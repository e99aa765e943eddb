// SPDX-License-Identifier: GPL-2.0-only

/*
 * A holder of a pool whose owner is hostile, with any reference: what is taken lies
 * within one buffer, and is dropped once.
 */

#include "pool.h"

static struct fuzz_pool pool;

/* Numbers that are near something, or anything. */
static uint32_t number(struct fuzz_input *in, uint32_t near)
{
	uint8_t how = fuzz_u8(in);

	if (how < 0xc0)
		return how % (near + 1);
	return how < 0xe0 ? (uint32_t)fuzz_u64(in) : near + how - 0xf0U;
}

static void take(struct fuzz_input *in, struct shmchan_pool_buf *held,
		 unsigned int *nr)
{
	struct shmchan_pool *h = pool.holder[0];
	const uint8_t *base = h->region->base;
	struct shmchan_pool_ref ref;
	struct shmchan_pool_buf b;
	int err;

	ref.index = number(in, BUFFERS);
	ref.lap = number(in, 2);
	ref.offset = number(in, 64);
	ref.length = number(in, 64);
	err = shmchan_pool_take(h, &ref, &b);
	FUZZ_ERRORS(err, ESTALE, EBADMSG, ENOBUFS, EBUSY);
	FUZZ_CHECK((err == -ENOBUFS) == (*nr == CELLS && err != -EBADMSG) ||
		   err == -EBADMSG);
	if (err)
		return;
	FUZZ_CHECK(b.length <= b.capacity && b.length == ref.length);
	FUZZ_CHECK((uint8_t *)b.data >= base &&
		   (uint8_t *)b.data + b.capacity <=
		   base + h->region->data_size);
	fuzz_look(b.data, b.length);
	FUZZ_CHECK(*nr < CELLS);
	held[(*nr)++] = b;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct shmchan_pool_buf held[CELLS], copy;
	struct shmchan_pool_loan loans[4];
	struct shmchan_pool *h;
	unsigned int nr = 0, i;
	uint8_t op;
	int err;

	if (!pool.kept.all)
		fuzz_pool_new(&pool);
	fuzz_put_back(&pool.kept);
	h = pool.holder[0];
	fuzz_begin();
	fuzz_hostile(pool.owner->view.words, 8 * BUFFERS);
	while (fuzz_more(&in)) {
		op = fuzz_u8(&in);
		if (fuzz_peer(&in, op))
			continue;
		fuzz_call();
		switch (op % 8) {
		case 0:
			if (!nr)
				break;
			i = op / 8 % nr;
			copy = held[i];
			FUZZ_CHECK(!shmchan_pool_drop(h, &held[i]));
			FUZZ_CHECK(shmchan_pool_drop(h, &copy) == -EINVAL);
			held[i] = held[--nr];
			break;
		case 1:
			err = shmchan_pool_holders(h, op & 0x80 ? op / 8 % 8 :
						   SHMCHAN_POOL_ALL, loans, 4);
			FUZZ_ERRORS(err, EINVAL);
			FUZZ_CHECK(err <= 2 * CELLS);
			break;
		case 2:
			/* The owner, as owners are. */
			if (!shmchan_pool_alloc(pool.owner, op, &copy, 0) &&
			    op & 0x80)
				(void)shmchan_pool_drop(pool.owner, &copy);
			break;
		case 3:
			fuzz_slot(&pool.kept, 0, op & 0x80 ? SHMCHAN_SLOT_LIVE :
				  SHMCHAN_SLOT_DIED);
			break;
		default:
			take(&in, held, &nr);
			break;
		}
	}
	while (nr)
		FUZZ_CHECK(!shmchan_pool_drop(h, &held[--nr]));
	return 0;
}
