// SPDX-License-Identifier: GPL-2.0-only

/*
 * A work queue of which anything may be anything: members trust each other, but
 * what one that is mad does crashes nobody, and keeps nobody busy for ever.
 */

#include <shmchan/loop.h>
#include <shmchan/workq.h>

#include "kept.h"

#define ITEMS		8
#define SIZE		40

static struct fuzz_kept kept;
static struct shmchan_workq q[2];

static void prepare(void)
{
	struct shmchan_workq_opts opts = SHMCHAN_WORKQ_OPTS(
		.create = 1, .nr_items = ITEMS, .item_size = SIZE,
		.nr_members = 3, .spin_ns = -1);
	const char *name = fuzz_name();

	FUZZ_CHECK(!shmchan_workq_open(&q[0], name, &opts));
	FUZZ_CHECK(!shmchan_workq_open(&q[1], name, &opts));
	fuzz_keep(&kept, q, sizeof(q));
	fuzz_keep_region(&kept, q[0].region);
}

static void look(const struct shmchan_workq *w,
		 const struct shmchan_workq_item *item)
{
	FUZZ_CHECK((uint8_t *)item->data >= w->items &&
		   (uint8_t *)item->data + item->length <=
		   w->items + ITEMS * w->item_stride);
	FUZZ_CHECK(item->length <= SIZE);
	fuzz_look(item->data, item->length);
}

static void call(struct shmchan_workq *w, struct shmchan_workq_item *items,
		 uint8_t op, uint8_t arg)
{
	struct shmchan_workq_item *item = &items[arg & 7];
	struct shmchan_cond conds[SHMCHAN_WORKQ_CONDS];
	struct shmchan_workq_claim claims[ITEMS];
	struct shmchan_workq_stat stat;
	uint8_t bytes[64] = { 0 };
	int err, i;

	switch (op % 10) {
	case 0:
		err = shmchan_workq_put(w, bytes, arg & 63, 0);
		/* ESTALE: somebody has taken our cell. */
		FUZZ_ERRORS(err, EAGAIN, EMSGSIZE, ESTALE);
		break;
	case 1:
		err = shmchan_workq_reserve(w, item, 0);
		FUZZ_ERRORS(err, EAGAIN);
		if (!err)
			look(w, item);
		break;
	case 2:
		err = shmchan_workq_commit(w, item, arg >> 2);
		FUZZ_ERRORS(err, EMSGSIZE, EINVAL, ESTALE);
		break;
	case 3:
		err = shmchan_workq_abort(w, item);
		FUZZ_ERRORS(err, EINVAL, ESTALE);
		break;
	case 4:
		err = shmchan_workq_take(w, item, 0);
		FUZZ_ERRORS(err, EAGAIN);
		if (!err)
			look(w, item);
		break;
	case 5:
		err = shmchan_workq_take_n(w, items, 1 + (arg & 7), 0);
		FUZZ_ERRORS(err, EAGAIN);
		FUZZ_CHECK(err <= 1 + (arg & 7));
		for (i = 0; i < err; i++)
			look(w, &items[i]);
		break;
	case 6:
		err = shmchan_workq_ack(w, item);
		FUZZ_ERRORS(err, EINVAL, ESTALE);
		break;
	case 7:
		err = shmchan_workq_nack(w, item, arg >> 6);
		FUZZ_ERRORS(err, EINVAL, ESTALE);
		break;
	case 8:
		err = shmchan_workq_take_dead(w, item);
		FUZZ_ERRORS(err, EAGAIN);
		if (!err)
			look(w, item);
		break;
	default:
		err = shmchan_workq_conds(w, conds);
		FUZZ_ERRORS(err, EAGAIN);
		FUZZ_CHECK(!shmchan_workq_get_stat(w, &stat));
		err = shmchan_workq_claims(w, claims, ITEMS);
		FUZZ_CHECK(err >= 0 && err <= ITEMS);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { data, data + size };
	struct shmchan_workq_item items[8] = { 0 };
	uint8_t op;

	if (!kept.all)
		prepare();
	fuzz_put_back(&kept);
	fuzz_begin();
	fuzz_hostile(q[1].control, sizeof(*q[1].control));
	fuzz_hostile(q[1].cells, 8 * ITEMS);
	fuzz_hostile(q[1].items, ITEMS * q[1].item_stride);
	while (fuzz_more(&in)) {
		op = fuzz_u8(&in);
		if (fuzz_peer(&in, op))
			continue;
		fuzz_call();
		/* Who is no member any more makes no calls. */
		if (op < 0xf0 && shmchan_region_check(q[op >> 7].region))
			continue;
		if (op >= 0xf0)
			fuzz_slot(&kept, 1, op & 1 ? SHMCHAN_SLOT_LIVE :
				  SHMCHAN_SLOT_DIED);
		else
			call(&q[op >> 7], items, op & 0x7f, fuzz_u8(&in));
	}
	return 0;
}
