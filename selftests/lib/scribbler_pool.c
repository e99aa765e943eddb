// SPDX-License-Identifier: GPL-2.0-only

/* Pools beside a scribbler: a mad holder, and a mad owner. */

#include "pool_fixture.h"
#include "scribbler.h"
#include "../../lib/pool_private.h"

#define NR		8U
#define SIZE		64U
#define CELLS		4U

static struct shmchan_pool_opts opts_of(enum shmchan_pool_role role)
{
	return SHMCHAN_POOL_OPTS(.role = role,
				 .create = role == SHMCHAN_POOL_OWNER,
				 .nr_holders = 2, .nr_cells = CELLS,
				 .classes = {{ SIZE, NR }},
				 .wait_ns = role == SHMCHAN_POOL_OWNER ? 0 :
					    10 * TOLD_NS);
}

static struct shmchan_pool *open_role(const char *tag,
				      enum shmchan_pool_role role)
{
	struct shmchan_pool_opts opts = opts_of(role);

	return open_pool(tag, &opts);
}

static void offer(struct scribbler_stage *stage,
		  const struct shmchan_pool_ref *ref)
{
	shmchan_store_seq_cst(&stage->offer,
			      (uint64_t)ref->index << 32 | ref->lap);
}

static struct shmchan_pool_ref offered(struct scribbler_stage *stage)
{
	uint64_t word = shmchan_load_seq_cst(&stage->offer);
	struct shmchan_pool_ref ref = {
		.index = (uint32_t)(word >> 32), .lap = (uint32_t)word,
		.length = SIZE,
	};

	return ref;
}

static void mad_holder(struct scribbler *s, const char *tag)
{
	struct shmchan_pool *p = open_role(tag, SHMCHAN_POOL_HOLDER);
	struct shmchan_pool_buf held[2] = { 0 };
	struct shmchan_pool_ref ref;
	unsigned int i;

	scribbler_aim(s, p->block, sizeof(*p->block) + 8ULL * CELLS);
	for (i = 0;; i ^= 1) {
		ref = offered(s->stage);
		if (held[i].data)
			(void)shmchan_pool_drop(p, &held[i]);
		scribbler_fire(s, 0);
		scribbler_fire(s, shmchan_pool_take(p, &ref, &held[i]));
	}
}

/* What the mad one pins are four of eight: an honest one and its owner always go on. */
static void owner_and_holder(struct scribbler_round *r)
{
	struct shmchan_pool *owner = open_role(r->tag, SHMCHAN_POOL_OWNER);
	struct shmchan_pool *holder = open_role(r->tag, SHMCHAN_POOL_HOLDER);
	struct shmchan_pool_loan loans[NR];
	struct shmchan_pool_ref ref;
	struct shmchan_pool_buf a, b;
	uint8_t n;
	int nr;

	for (n = 0; scribbler_goes_on(r); n++) {
		CHECK_EQ(shmchan_pool_alloc(owner, SIZE, &a, 0), 0);
		CHECK_LT(a.index, NR);
		memset(a.data, n, SIZE);
		CHECK_EQ(shmchan_pool_ref(owner, &a, &ref), 0);
		offer(r->stage, &ref);
		CHECK_EQ(shmchan_pool_take(holder, &ref, &b), 0);
		CHECK_EQ(shmchan_pool_drop(owner, &a), 0);
		if (!scribbler_choose(r, 4)) {
			nr = shmchan_pool_holders(owner, SHMCHAN_POOL_ALL,
						  loans, NR);
			CHECK_GE(nr, 1);
			CHECK_LE(nr, 1 + (int)CELLS);
		}
		if (!scribbler_choose(r, 16))
			sched_yield();
		CHECK_EQ(((uint8_t *)b.data)[0], n);
		CHECK_EQ(((uint8_t *)b.data)[SIZE - 1], n);
		CHECK_EQ(shmchan_pool_drop(holder, &b), 0);
		scribbler_done(r);
	}
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
}

static void mad_owner(struct scribbler *s, const char *tag)
{
	struct shmchan_pool_ref ref;
	struct shmchan_pool_buf b;
	struct shmchan_pool *p;

	for (;;) {
		p = open_role(tag, SHMCHAN_POOL_OWNER);
		scribbler_opened(s);
		scribbler_aim(s, p->view.words, 8ULL * NR);
		scribbler_aim(s, shmchan__pool_data(p, 0), (size_t)SIZE * NR);
		while (!scribbler_asked(s)) {
			if (!shmchan_pool_alloc(p, SIZE, &b, 0)) {
				if (!shmchan_pool_ref(p, &b, &ref))
					offer(s->stage, &ref);
				scribbler_fire(s, 0);
				if (!scribbler_pick(&s->rnd, 8))
					sched_yield();
				(void)shmchan_pool_drop(p, &b);
			}
			scribbler_fire(s, 0);
		}
		shmchan_pool_close(p);
	}
}

static void drop(struct shmchan_pool *p, struct shmchan_pool_buf *b)
{
	struct shmchan_pool_buf copy = *b;

	CHECK_EQ(shmchan_pool_drop(p, b), 0);
	CHECK_EQ(shmchan_pool_drop(p, &copy), -EINVAL);
}

/* What is taken lies in one buffer, and is dropped once. */
static void holder(struct scribbler_round *r)
{
	struct shmchan_pool *p = open_role(r->tag, SHMCHAN_POOL_HOLDER);
	const uint8_t *base = shmchan_pool_region(p)->base;
	uint64_t size = shmchan_pool_region(p)->data_size;
	struct shmchan_pool_buf held[CELLS], b;
	struct shmchan_pool_ref ref;
	uint32_t nr = 0;
	int err;

	while (scribbler_goes_on(r)) {
		ref = offered(r->stage);
		if (!scribbler_choose(r, 8))
			ref.index = scribbler_choose(r, NR + 2);
		if (!scribbler_choose(r, 8))
			ref.offset = scribbler_choose(r, SIZE + 2);
		err = shmchan_pool_take(p, &ref, &b);
		SCRIBBLER_ERRORS(err, ESTALE, EBADMSG, ENOBUFS, EBUSY);
		CHECK(err != -ENOBUFS || nr == CELLS);
		if (!err) {
			CHECK_LT(nr, CELLS);
			CHECK((const uint8_t *)b.data >= base);
			CHECK((const uint8_t *)b.data + b.capacity <=
			      base + size);
			CHECK_LE(b.length, b.capacity);
			scribbler_look(b.data, b.length);
			held[nr++] = b;
			scribbler_done(r);
		} else if (scribbler_is_stuck(r)) {
			scribbler_ask(r);
		} else {
			sched_yield();
		}
		while (nr && !scribbler_choose(r, 2))
			drop(p, &held[--nr]);
		CHECK_GE(shmchan_pool_holders(p, SHMCHAN_POOL_ALL, NULL, 0), 0);
	}
	while (nr)
		drop(p, &held[--nr]);
	shmchan_pool_close(p);
}

TEST_LIMIT(holders, 120)
{
	scribbler_run(&(struct scribbler_scene){
		"holder of a pool", mad_holder, owner_and_holder });
}

TEST_LIMIT(owners, 120)
{
	scribbler_run(&(struct scribbler_scene){
		"owner of a pool", mad_owner, holder });
}

TEST_MAIN
