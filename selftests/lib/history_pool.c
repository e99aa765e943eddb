// SPDX-License-Identifier: GPL-2.0-only

/* Pools whose owner and holders, or members, are killed at random. */

#include "history_pool.h"

#define SIZE		256U	/* bytes of a buffer */
#define CELLS		3U	/* of a holder */
#define MEMBERS		3U	/* of a writable pool, beside the keeper */

/* An actor's own. */
static struct shmchan_pool *pool;
static struct shmchan_pool_buf held[2 * NR];
static uint32_t nr_held;

/* References that are offered to whoever wants them, fresh and stale. */
#define OFFERS		4U
static uint64_t *offers;

static uint64_t contents(const struct shmchan_pool_buf *b)
{
	uint64_t first, value;
	uint32_t i;

	memcpy(&first, b->data, 8);
	for (i = 8; i < SIZE; i += 8) {
		memcpy(&value, (uint8_t *)b->data + i, 8);
		if (value != first)
			return TORN;
	}
	return first;
}

static uint64_t fill(const struct history_self *me,
		     const struct shmchan_pool_buf *b)
{
	uint64_t value = (uint64_t)me->actor << 32 | me->nr;
	uint32_t i;

	for (i = 0; i < SIZE; i += 8)
		memcpy((uint8_t *)b->data + i, &value, 8);
	return value;
}

static void come(struct history_self *me, struct shmchan_pool_opts *opts)
{
	struct history_event *e = history_invoke(me, POOL_OPEN, 0, 0);

	opts->wait_ns = opts->create ? 0 : TOLD_NS;
	pool = open_pool("pool", opts);
	history_return(e, me, 0, 0);
}

/* With all that it has. */
static void leave(struct history_self *me)
{
	struct history_event *e = history_invoke(me, POOL_CLOSE, 0, 0);

	shmchan_pool_close(pool);
	history_return(e, me, 0, 0);
}

static int64_t some_time(struct history_self *me)
{
	return history_pick(me, 3) ? history_pick(me, 3) * MS : 0;
}

static int alloc_one(struct history_self *me, int64_t timeout)
{
	struct history_event *e = history_invoke(me, POOL_ALLOC, 0, 0);
	struct shmchan_pool_buf b;
	int err = shmchan_pool_alloc(pool, SIZE, &b, timeout);

	if (err) {
		CHECK_EQ(err, timeout ? -ETIMEDOUT : -EAGAIN);
		/* Common, and dear to judge: some of them will do. */
		if (history_pick(me, 8))
			history_forget(e, me);
		else
			history_return(e, me, err, 0);
		return err;
	}
	e->object = b.index;
	e->arg = key_of(&b);
	history_return(e, me, 0, fill(me, &b));
	held[nr_held++] = b;
	return 0;
}

static void offer_one(struct history_self *me, const struct shmchan_pool_buf *b)
{
	shmchan_store_seq_cst(&offers[history_pick(me, OFFERS)],
			      (uint64_t)b->index << 32 | b->lap);
}

static void take_one(struct history_self *me)
{
	uint64_t offer = shmchan_load_seq_cst(&offers[history_pick(me, OFFERS)]);
	struct shmchan_pool_ref ref = {
		.index = (uint32_t)(offer >> 32), .lap = (uint32_t)offer,
		.length = SIZE,
	};
	struct history_event *e = history_invoke(me, POOL_TAKE, ref.index,
						 ref.lap);
	struct shmchan_pool_buf b;
	int err = shmchan_pool_take(pool, &ref, &b);

	if (!err)
		e->arg = key_of(&b);
	history_return(e, me, err, err ? 0 : contents(&b));
	if (!err)
		held[nr_held++] = b;
}

static void must_be_refused(struct history_self *me, struct shmchan_pool_buf *b)
{
	struct history_event *e = history_invoke(me, POOL_AGAIN, b->index, 0);

	history_return(e, me, shmchan_pool_drop(pool, b), 0);
}

static void drop_one(struct history_self *me)
{
	uint32_t i = history_pick(me, nr_held);
	struct shmchan_pool_buf copy = held[i], other = held[i];
	uint64_t value = contents(&held[i]);
	struct history_event *e;

	/* Near it, but not ours. */
	other.ticket += 1 + history_pick(me, 2);
	if (!history_pick(me, 16))
		must_be_refused(me, &other);
	e = history_invoke(me, POOL_DROP, held[i].index, key_of(&held[i]));
	history_return(e, me, shmchan_pool_drop(pool, &held[i]), value);
	held[i] = held[--nr_held];
	if (!history_pick(me, 16))
		must_be_refused(me, &copy);
}

static void ask(struct history_self *me)
{
	uint32_t index = history_pick(me, NR);
	struct history_event *e = history_invoke(me, POOL_ASK, index, 0);

	history_return(e, me, shmchan_pool_holders(pool, index, NULL, 0), 0);
}

/* More than there are seats, since those of the dead may take a moment. */
static struct shmchan_pool_opts opts_of(enum shmchan_pool_role role, int create,
					int writable)
{
	return SHMCHAN_POOL_OPTS(.role = role, .create = create,
				 .nr_holders = 12, .nr_cells = CELLS,
				 .writable = writable,
				 .classes = {{ SIZE, NR }});
}

static void play(struct history_self *me)
{
	const int owner = me->role == OWNER;
	struct shmchan_pool_opts opts = opts_of(owner ? SHMCHAN_POOL_OWNER :
						SHMCHAN_POOL_HOLDER, 0, 0);

	come(me, &opts);
	while (history_goes_on(me)) {
		uint32_t what = history_pick(me, 16);

		if (what == 0)
			ask(me);
		else if (what < 6 && nr_held)
			drop_one(me);
		else if (what < 8 && nr_held)
			offer_one(me, &held[history_pick(me, nr_held)]);
		else if (!owner || what == 8)
			take_one(me);
		else if (!alloc_one(me, some_time(me)))
			offer_one(me, &held[nr_held - 1]);
		/* It may have a few more than there are, by taking its own. */
		if (nr_held == 2 * NR)
			drop_one(me);
		history_pace(me);
	}
	/* What it has is given back, or left behind. */
	while (nr_held && history_pick(me, 4))
		drop_one(me);
	leave(me);
}

static struct shmchan_spsc tx, rx;

static void send_one(struct history_self *me)
{
	struct shmchan_pool_buf *b = &held[history_pick(me, nr_held)];
	struct history_event *e = history_invoke(me, POOL_SEND, b->index,
						 key_of(b));
	uint64_t value = fill(me, b);
	int err;

	/* Who receives it can be told apart even if we are killed here. */
	e->value = value;
	shmchan_crash_fence();
	err = shmchan_pool_send_spsc(pool, &tx, b, 0, 0, some_time(me));
	CHECK(!err || err == -EAGAIN || err == -ETIMEDOUT || err == -EPIPE ||
	      err == -EOWNERDEAD);
	history_return(e, me, err, value);
	if (err)
		return;
	/* What it was sent as; the buffer is another's. */
	CHECK_EQ(shmchan_pool_drop(pool, b), 0);
	*b = held[--nr_held];
}

static void recv_one(struct history_self *me)
{
	struct history_event *e = history_invoke(me, POOL_RECV, 0, 0);
	struct shmchan_pool_buf b;
	int err = shmchan_pool_recv_spsc(pool, &rx, &b, NULL, some_time(me));

	if (err) {
		/* Of one that has died, or that the last receiver had taken. */
		CHECK(err == -EAGAIN || err == -ETIMEDOUT || err == -ESTALE ||
		      err == -EPIPE || err == -EOWNERDEAD);
		history_forget(e, me);
		if (err == -EPIPE || err == -EOWNERDEAD)
			shmchan_spsc_wait_peer(&rx, MS);
		return;
	}
	e->object = b.index;
	e->arg = key_of(&b);
	history_return(e, me, 0, contents(&b));
	held[nr_held++] = b;
}

static const char *lane_of(uint32_t role)
{
	static char name[16];

	snprintf(name, sizeof(name), "lane%u", role % MEMBERS);
	return name;
}

/* Each sends to the next one. */
static void play_writable(struct history_self *me)
{
	struct shmchan_pool_opts opts = opts_of(SHMCHAN_POOL_HOLDER, 0, 1);

	come(me, &opts);
	open_as(&tx, lane_of(me->role), SHMCHAN_SENDER, 4096, 0);
	open_as(&rx, lane_of(me->role + MEMBERS - 1), SHMCHAN_RECEIVER, 4096,
		0);
	while (history_goes_on(me)) {
		uint32_t what = history_pick(me, 16);

		if (what < 3 && nr_held)
			drop_one(me);
		else if (what < 8 && nr_held)
			send_one(me);
		else if (what < 12)
			recv_one(me);
		else
			alloc_one(me, some_time(me));
		history_pace(me);
	}
	while (nr_held && history_pick(me, 4))
		drop_one(me);
	CHECK_GE(shmchan_pool_recall(pool, NULL), 0);
	shmchan_spsc_close(&tx);
	shmchan_spsc_close(&rx);
	leave(me);
}

/* All of them, once each, when the last deaths have been noticed; and no more. */
static void have_all(struct history *h)
{
	struct history_self me = history_actor(h, OWNER);
	uint64_t begin = now_ns();
	uint32_t seen = 0;

	nr_held = 0;
	while (nr_held < NR) {
		/* Whether that was right is for the judge as well. */
		if (alloc_one(&me, 100 * MS) &&
		    now_ns() - begin > TOLD_NS * (uint64_t)harness_slowness())
			FAIL("%u of %u buffers have not come back; SHMCHAN_TEST_SEED=%llu",
			     NR - nr_held, NR, (unsigned long long)h->seed);
	}
	while (nr_held) {
		CHECK(!(seen & 1U << held[--nr_held].index));
		seen |= 1U << held[nr_held].index;
	}
	nr_held = NR;
	CHECK_EQ(alloc_one(&me, 0), -EAGAIN);
	while (nr_held)
		drop_one(&me);
}

static const struct pool_rules lent = { .buffers = NR, .cells = CELLS };
static const struct pool_rules given = { .buffers = NR, .writable = 1 };

TEST_LIMIT(lent_and_passed_on, 120)
{
	struct shmchan_pool_opts owner = opts_of(SHMCHAN_POOL_OWNER, 1, 0);
	struct shmchan_pool_opts holder = opts_of(SHMCHAN_POOL_HOLDER, 0, 0);
	struct history_run run = {
		.nr_roles = 4, .kills = (uint32_t)HARNESS_ROUNDS(100),
		.play = play,
	};
	struct history *h = history_new();
	struct shmchan_pool *keeper;
	uint32_t i;

	offers = shared_alloc(4096);
	/* Of no lap that there will be. */
	for (i = 0; i < OFFERS; i++)
		offers[i] = UINT32_MAX;
	/* The pool outlives all actors: a holder that has nothing. */
	pool = open_pool("pool", &owner);
	keeper = open_pool("pool", &holder);
	shmchan_pool_close(pool);
	history_perform(h, &run);
	pool = open_pool("pool", &owner);
	have_all(h);
	shmchan_pool_close(pool);
	history_judge(h, pool_checker, &lent);
	shmchan_pool_close(keeper);
}

TEST_LIMIT(given_away, 120)
{
	struct shmchan_pool_opts opts = opts_of(SHMCHAN_POOL_OWNER, 1, 1);
	struct history_run run = {
		.nr_roles = MEMBERS, .kills = (uint32_t)HARNESS_ROUNDS(80),
		.play = play_writable,
	};
	struct history *h = history_new();
	struct shmchan_pool *keeper = open_pool("pool", &opts);

	history_perform(h, &run);
	pool = keeper;
	have_all(h);
	history_judge(h, pool_checker, &given);
	shmchan_pool_close(keeper);
}

TEST_MAIN
