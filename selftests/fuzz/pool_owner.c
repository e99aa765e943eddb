// SPDX-License-Identifier: GPL-2.0-only

/*
 * The owner of a pool with a hostile holder, and an honest one: nothing that is ours
 * or that the honest one holds is lent again, and the hostile one pins no more than
 * it has cells.
 */

#include "pool.h"

#define HONEST		0
#define HOSTILE		1
#define OURS		BUFFERS

static struct fuzz_pool pool;
static struct shmchan_pool_buf ours[OURS], theirs[CELLS];
static unsigned int nr_ours, nr_theirs;

static int used(uint32_t index)
{
	unsigned int i;

	for (i = 0; i < nr_ours; i++)
		if (ours[i].index == index)
			return 1;
	for (i = 0; i < nr_theirs; i++)
		if (theirs[i].index == index)
			return 1;
	return 0;
}

static void lend(uint8_t op)
{
	struct shmchan_pool_buf b;
	int err;

	err = shmchan_pool_alloc(pool.owner, op & 0x40 ? 1000 : 64, &b, 0);
	FUZZ_ERRORS(err, EAGAIN);
	if (err)
		return;
	FUZZ_CHECK(b.index < BUFFERS && !used(b.index) && nr_ours < OURS);
	memset(b.data, 1, b.capacity);
	ours[nr_ours++] = b;
}

static void take(uint8_t op)
{
	struct shmchan_pool_ref ref;
	unsigned int i;
	int err;

	if (!nr_ours || nr_theirs == CELLS)
		return;
	i = op % nr_ours;
	FUZZ_CHECK(!shmchan_pool_ref(pool.owner, &ours[i], &ref));
	err = shmchan_pool_take(pool.holder[HONEST], &ref, &theirs[nr_theirs]);
	/* What is ours is lent. */
	FUZZ_CHECK(!err);
	nr_theirs++;
}

static void drop(struct shmchan_pool *p, struct shmchan_pool_buf *b,
		 unsigned int *nr, uint8_t op)
{
	unsigned int i;

	if (!*nr)
		return;
	i = op % *nr;
	FUZZ_CHECK(!shmchan_pool_drop(p, &b[i]));
	b[i] = b[--*nr];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct shmchan_pool_loan loans[4];
	struct shmchan_pool_block *block;
	uint8_t op;
	int err;

	if (!pool.kept.all)
		fuzz_pool_new(&pool);
	fuzz_put_back(&pool.kept);
	nr_ours = nr_theirs = 0;
	block = pool.holder[HOSTILE]->block;
	fuzz_begin();
	fuzz_hostile(block, sizeof(*block) + 8 * CELLS);
	while (fuzz_more(&in)) {
		op = fuzz_u8(&in);
		if (fuzz_peer(&in, op))
			continue;
		fuzz_call();
		switch (op % 8) {
		case 0:
		case 1:
			lend(op);
			break;
		case 2:
			drop(pool.owner, ours, &nr_ours, op / 8);
			break;
		case 3:
			take(op / 8);
			break;
		case 4:
			drop(pool.holder[HONEST], theirs, &nr_theirs, op / 8);
			break;
		case 5:
			err = shmchan_pool_holders(pool.owner, SHMCHAN_POOL_ALL,
						   loans, 4);
			FUZZ_CHECK(err >= (int)nr_theirs && err <= 2 * CELLS);
			break;
		case 6:
			fuzz_slot(&pool.kept, 1 + HOSTILE, op & 0x80 ?
				  SHMCHAN_SLOT_LIVE : SHMCHAN_SLOT_DIED);
			break;
		default:
			(void)shmchan_pool_poll(pool.owner);
			break;
		}
	}
	fuzz.countdown = 0;
	while (nr_ours)
		drop(pool.owner, ours, &nr_ours, 0);
	while (nr_theirs)
		drop(pool.holder[HONEST], theirs, &nr_theirs, 0);
	/* It pins so many of six: two at least are to be had. */
	for (op = 0; op < BUFFERS - CELLS; op++) {
		unsigned int before = nr_ours;

		fuzz_call();
		lend(0);
		if (nr_ours == before)
			lend(0x40);
		FUZZ_CHECK(nr_ours == before + 1);
	}
	return 0;
}
