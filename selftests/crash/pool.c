// SPDX-License-Identifier: GPL-2.0-only

/*
 * Crash points of pools.  Whoever is killed: what a living holder has is not
 * reused and does not change, and all else can be had again: not one buffer more
 * or less.
 */

#include <shmchan/pool.h>

#include "records.h"

#define TAG	"pool"
#define WAY	"pool.ch"	/* the channel that references go through */
#define NR	8U
#define SIZE	256U

struct job {
	int n;
	int writable;
	int sleeper;		/* who allocates sleeps in a helper */
	void (*op)(struct shmchan_pool *pool, const struct job *job);
};

/* What the victim has told others of. */
struct story {
	struct shmchan_pool_ref ref[NR];
	uint32_t nr;
	int got;		/* the sleeper has a buffer */
};

#define story	((struct story *)crash_scratch)

static struct shmchan_pool *owner, *holder;
static struct shmchan_pool_buf held[2];		/* by holder, all the time */
static struct shmchan_spsc tx, rx;
static pid_t helper;

static int try_open(struct shmchan_pool **pool, enum shmchan_pool_role role,
		    const char *name, int writable)
{
	struct shmchan_pool_opts opts = SHMCHAN_POOL_OPTS(
		.role = role, .create = 1, .nr_holders = 3, .nr_cells = 4,
		.writable = writable, .classes = {{ SIZE, NR }});

	return shmchan_pool_open(pool, name, &opts);
}

static struct shmchan_pool *open_pool(enum shmchan_pool_role role, int writable)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	struct shmchan_pool *pool = NULL;
	int err;

	do
		err = try_open(&pool, role, crash_name(TAG), writable);
	while (err == -EBUSY && now_ns() < end);
	CHECK_EQ(err, 0);
	return pool;
}

static void open_way(struct shmchan_spsc *ch, enum shmchan_spsc_role role)
{
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = role, .create = 1, .capacity = 4096, .spin_ns = -1);
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	int err;

	do
		err = shmchan_spsc_open(ch, crash_name(WAY), &opts);
	while (err == -EBUSY && now_ns() < end);
	CHECK_EQ(err, 0);
}

static void alloc_filled(struct shmchan_pool *pool, struct shmchan_pool_buf *buf,
			 uint32_t seed)
{
	CHECK_EQ(shmchan_pool_alloc(pool, SIZE, buf, 0), 0);
	record_fill(buf->data, SIZE, seed);
}

static void tell(struct shmchan_pool *pool, const struct shmchan_pool_buf *buf)
{
	CHECK_EQ(shmchan_pool_ref(pool, buf, &story->ref[story->nr]), 0);
	story->nr++;
}

/* Two buffers, 100 and 101, that holder has; the owner has dropped them. */
static void hold_two(int writable)
{
	struct shmchan_pool_ref ref;
	struct shmchan_pool_buf buf;
	uint32_t i;

	for (i = 0; i < 2; i++) {
		if (writable) {
			alloc_filled(holder, &held[i], 100 + i);
			continue;
		}
		alloc_filled(owner, &buf, 100 + i);
		CHECK_EQ(shmchan_pool_ref(owner, &buf, &ref), 0);
		CHECK_EQ(shmchan_pool_take(holder, &ref, &held[i]), 0);
		CHECK_EQ(shmchan_pool_drop(owner, &buf), 0);
	}
}

/*
 * All that can be had is had, now that the dead is known to be: so many buffers,
 * and writing to them leaves those that are held as they are.
 */
static void all_but(struct shmchan_pool *pool, uint32_t nr_held)
{
	struct shmchan_pool_buf buf[NR + 1];
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;
	uint32_t i, n = 0;
	int err;

	/* The death may take a moment to be seen. */
	while (n < NR - nr_held) {
		err = shmchan_pool_alloc(pool, SIZE, &buf[n],
					 (int64_t)(end - now_ns()));
		if (err)
			FAIL("%u of %u buffers come back", n, NR - nr_held);
		memset(buf[n++].data, 0xee, SIZE);
	}
	CHECK_EQ(shmchan_pool_alloc(pool, SIZE, &buf[n], 0), -EAGAIN);
	for (i = 0; i < 2; i++)
		if (held[i].data)
			record_check(held[i].data, SIZE, 100 + i);
	for (i = 0; i < n; i++)
		CHECK_EQ(shmchan_pool_drop(pool, &buf[i]), 0);
}

static void drop_held(void)
{
	CHECK_EQ(shmchan_pool_drop(holder, &held[0]), 0);
	CHECK_EQ(shmchan_pool_drop(holder, &held[1]), 0);
}

/* --- the owner is killed --------------------------------------------------- */

static void owner_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	(void)job;
	owner = open_pool(SHMCHAN_POOL_OWNER, 0);
	holder = open_pool(SHMCHAN_POOL_HOLDER, 0);
	hold_two(0);
	shmchan_pool_close(owner);
	open_way(&rx, SHMCHAN_RECEIVER);
}

static void owner_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;

	job->op(open_pool(SHMCHAN_POOL_OWNER, 0), job);
}

/*
 * Way 0: who takes what the dead has told of comes before its successor.  Way 1:
 * behind.  Then it is stale, unless a holder has it.
 */
static void owner_survive(const struct crash_scenario *s)
{
	struct shmchan_pool_buf taken[NR] = { { 0 } }, buf;
	uint32_t seed[NR], i, nr = 0;
	int err;

	(void)s;
	crash_look(TAG, shmchan_pool_region(holder));
	crash_look(WAY, rx.region);
	if (crash_way())
		owner = open_pool(SHMCHAN_POOL_OWNER, 0);
	for (i = 0; i < story->nr && nr < 2; i++) {
		err = shmchan_pool_take(holder, &story->ref[i], &taken[nr]);
		CHECK(!err || err == -ESTALE);
		if (err)
			continue;
		seed[nr] = 200 + i;
		record_check(taken[nr].data, SIZE, seed[nr]);
		nr++;
	}
	/* The next owner would find lent what nobody has named, and free it. */
	if (crash_way())
		CHECK_EQ(nr, 0);
	else
		owner = open_pool(SHMCHAN_POOL_OWNER, 0);
	all_but(owner, 2 + nr);
	while (!shmchan_pool_recv_spsc(holder, &rx, &buf, NULL, 0))
		CHECK_EQ(shmchan_pool_drop(holder, &buf), 0);
	for (i = 0; i < nr; i++) {
		record_check(taken[i].data, SIZE, seed[i]);
		CHECK_EQ(shmchan_pool_drop(holder, &taken[i]), 0);
	}
	drop_held();
	all_but(owner, 0);
	shmchan_spsc_close(&rx);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
	crash_no_trace(TAG);
	crash_no_trace(WAY);
}

#define OWNER(what, ...)						\
	CRASH("pool " what, .setup = owner_setup,			\
	      .victim = owner_victim, .survive = owner_survive,		\
	      .ways = 2, .arg = &(const struct job){ __VA_ARGS__ })

/* n buffers that it has, filled and told of. */
static void have(struct shmchan_pool *pool, struct shmchan_pool_buf *buf, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		alloc_filled(pool, &buf[i], 200 + (uint32_t)i);
		tell(pool, &buf[i]);
	}
}

static void o_alloc(struct shmchan_pool *pool, const struct job *job)
{
	struct shmchan_pool_buf buf[NR], one;
	int i, ret;

	have(pool, buf, job->n);
	/* None is free then: the cells are looked through for one. */
	for (i = 3; i < job->n; i++)
		CHECK_EQ(shmchan_pool_drop(pool, &buf[i]), 0);
	if (job->n > 3)
		story->nr = 3;
	crash_begin();
	ret = shmchan_pool_alloc(pool, SIZE, &one, -1);
	crash_end();
	CHECK_EQ(ret, 0);
}

OWNER("alloc", .n = 2, .op = o_alloc);
OWNER("alloc, reuses", .n = 6, .op = o_alloc);

static void o_drop(struct shmchan_pool *pool, const struct job *job)
{
	struct shmchan_pool_buf buf[NR];
	int i, ret = 0;

	have(pool, buf, job->n);
	crash_begin();
	for (i = 0; i < job->n; i++)
		ret |= shmchan_pool_drop(pool, &buf[i]);
	crash_end();
	CHECK_EQ(ret, 0);
}

OWNER("drop by the owner", .n = 1, .op = o_drop);
OWNER("drop by the owner, and look who has them", .n = 6, .op = o_drop);

static void o_send(struct shmchan_pool *pool, const struct job *job)
{
	struct shmchan_pool_buf buf[NR];
	int i, ret = 0;

	have(pool, buf, 2);
	open_way(&tx, SHMCHAN_SENDER);
	crash_begin();
	for (i = 0; i < 2; i++) {
		ret |= shmchan_pool_send_spsc(pool, &tx, &buf[i], 0, 0, -1);
		ret |= shmchan_pool_drop(pool, &buf[i]);
	}
	if (job->n)
		ret |= shmchan_pool_recall(pool, &tx.w) != 2;
	crash_end();
	CHECK_EQ(ret, 0);
}

OWNER("send and drop by the owner", .op = o_send);
OWNER("send, drop and recall", .n = 1, .op = o_send);

static void o_close(struct shmchan_pool *pool, const struct job *job)
{
	struct shmchan_pool_buf buf[NR];

	have(pool, buf, job->n);
	crash_begin();
	shmchan_pool_close(pool);
	crash_end();
}

OWNER("close by the owner", .n = 2, .op = o_close);

static void o_rebuild(const struct crash_scenario *s)
{
	const char *name = crash_name(TAG);
	struct shmchan_pool *pool;
	int ret;

	(void)s;
	crash_begin();
	ret = try_open(&pool, SHMCHAN_POOL_OWNER, name, 0);
	crash_end();
	CHECK_EQ(ret, 0);
}

CRASH("pool open by an owner, finds what is lent", .setup = owner_setup,
      .victim = o_rebuild, .survive = owner_survive,
      .arg = &(const struct job){ 0 });

/* --- a holder is killed, or a member of a writable pool -------------------- */

static void holder_setup(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_pool_buf buf;
	uint32_t i;

	owner = open_pool(SHMCHAN_POOL_OWNER, job->writable);
	holder = open_pool(SHMCHAN_POOL_HOLDER, job->writable);
	hold_two(job->writable);
	open_way(&tx, SHMCHAN_SENDER);
	/* Four are under way to the victim. */
	for (i = 0; i < 4; i++) {
		alloc_filled(owner, &buf, 200 + i);
		CHECK_EQ(shmchan_pool_send_spsc(owner, &tx, &buf, 0, 0, 0), 0);
		tell(owner, &buf);
		CHECK_EQ(shmchan_pool_drop(owner, &buf), 0);
	}
}

static void holder_victim(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_pool *pool = open_pool(SHMCHAN_POOL_HOLDER,
					      job->writable);

	open_way(&rx, SHMCHAN_RECEIVER);
	job->op(pool, job);
}

static void holder_survive(const struct crash_scenario *s)
{
	struct shmchan_pool *next;

	(void)s;
	crash_look(TAG, shmchan_pool_region(owner));
	crash_look(WAY, tx.region);
	(void)shmchan_pool_recall(owner, &tx.w);
	all_but(owner, 2);
	/* Its seat is free, of three. */
	next = open_pool(SHMCHAN_POOL_HOLDER, 0);
	drop_held();
	all_but(owner, 0);
	shmchan_spsc_close(&tx);
	shmchan_pool_close(next);
	shmchan_pool_close(holder);
	shmchan_pool_close(owner);
	crash_no_trace(TAG);
	crash_no_trace(WAY);
	crash_no_trace("on");
}

#define HOLDER(what, ...)						\
	CRASH("pool " what, .setup = holder_setup,			\
	      .victim = holder_victim, .survive = holder_survive,	\
	      .arg = &(const struct job){ __VA_ARGS__ })

static void h_take(struct shmchan_pool *pool, const struct job *job)
{
	struct shmchan_pool_buf buf[NR];
	int i, ret = 0;

	crash_begin();
	for (i = 0; i < 2; i++)
		ret |= shmchan_pool_recv_spsc(pool, &rx, &buf[i], NULL, -1);
	for (i = 0; i < job->n; i++)
		ret |= shmchan_pool_drop(pool, &buf[i]);
	crash_end();
	CHECK_EQ(ret, 0);
	if (!job->n)
		record_check(buf[0].data, SIZE, 200);
}

HOLDER("take", .op = h_take);
HOLDER("take and drop", .n = 2, .op = h_take);
HOLDER("take, writable", .writable = 1, .op = h_take);
HOLDER("take and drop, writable", .n = 2, .writable = 1, .op = h_take);

static void h_alloc(struct shmchan_pool *pool, const struct job *job)
{
	struct shmchan_pool_buf buf;
	int ret;

	crash_begin();
	ret = shmchan_pool_alloc(pool, SIZE, &buf, 0);
	if (job->n)
		ret |= shmchan_pool_drop(pool, &buf);
	crash_end();
	CHECK_EQ(ret, 0);
}

HOLDER("alloc, writable", .writable = 1, .op = h_alloc);
HOLDER("alloc and drop, writable", .n = 1, .writable = 1, .op = h_alloc);

/* What it has taken goes on to somebody else, who does not come for it. */
static void h_pass(struct shmchan_pool *pool, const struct job *job)
{
	static struct shmchan_spsc on;
	struct shmchan_spsc_opts opts = SHMCHAN_SPSC_OPTS(
		.role = SHMCHAN_SENDER, .create = 1, .capacity = 4096,
		.spin_ns = -1);
	struct shmchan_pool_buf buf;
	int ret;

	(void)job;
	CHECK_EQ(shmchan_spsc_open(&on, crash_name("on"), &opts), 0);
	CHECK_EQ(shmchan_pool_recv_spsc(pool, &rx, &buf, NULL, -1), 0);
	crash_begin();
	ret = shmchan_pool_send_spsc(pool, &on, &buf, 0, 0, -1);
	ret |= shmchan_pool_drop(pool, &buf);
	crash_end();
	CHECK_EQ(ret, 0);
}

HOLDER("pass on", .op = h_pass);
HOLDER("pass on, writable", .writable = 1, .op = h_pass);

static void h_close(struct shmchan_pool *pool, const struct job *job)
{
	struct shmchan_pool_buf buf;

	(void)job;
	CHECK_EQ(shmchan_pool_recv_spsc(pool, &rx, &buf, NULL, -1), 0);
	crash_begin();
	shmchan_pool_close(pool);
	crash_end();
}

HOLDER("close by a holder", .op = h_close);
HOLDER("close by a member, writable", .writable = 1, .op = h_close);

static void h_open(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	const char *name = crash_name(TAG);
	struct shmchan_pool *pool;
	int ret;

	crash_begin();
	ret = try_open(&pool, SHMCHAN_POOL_HOLDER, name, job->writable);
	crash_end();
	CHECK_EQ(ret, 0);
}

CRASH("pool open by a holder", .setup = holder_setup, .victim = h_open,
      .survive = holder_survive, .arg = &(const struct job){ 0 });
CRASH("pool open by a member, writable", .setup = holder_setup,
      .victim = h_open, .survive = holder_survive,
      .arg = &(const struct job){ .writable = 1 });

/* --- and who wants one sleeps ---------------------------------------------- */

static void sleeping_owner(const struct crash_scenario *s)
{
	const struct job *job = s->arg;
	struct shmchan_pool *mine = open_pool(SHMCHAN_POOL_OWNER,
					      job->writable);
	struct shmchan_pool_buf buf[NR];
	uint32_t i;

	for (i = 0; i < 4; i++) {
		alloc_filled(mine, &buf[i], 200 + i);
		tell(mine, &buf[i]);
		CHECK(!job->writable || !shmchan_pool_ref(mine, &buf[i],
							  &story->ref[i]));
	}
	open_way(&tx, SHMCHAN_SENDER);
	for (i = 0; i < 4; i++)
		CHECK_EQ(shmchan_pool_send_spsc(mine, &tx, &buf[i], 0, 0, 0),
			 0);
	for (i = 0; i < 4; i++)
		CHECK_EQ(shmchan_pool_drop(mine, &buf[i]), 0);
	/* The other four are its own, for ever. */
	for (i = 0; i < 4; i++)
		alloc_filled(mine, &buf[i], 300 + i);
	CHECK_EQ(shmchan_spsc_wait_peer(&tx, CRASH_PATIENCE_NS), 0);
	for (i = 0; i < 4; i++) {
		struct shmchan_pool_buf one;

		CHECK_EQ(shmchan_pool_alloc(mine, SIZE, &one,
					    2 * CRASH_PATIENCE_NS), 0);
		memset(one.data, 0xee, SIZE);
		if (!i) {
			shmchan_store_release(&story->got, 1);
			/* What the dead has not received stays: take it back. */
			while (story->got != 2)
				sleep_ms(1);
			(void)shmchan_pool_recall(mine, &tx.w);
		}
	}
	for (i = 0; i < 4; i++)
		record_check(buf[i].data, SIZE, 300 + i);
	shmchan_spsc_close(&tx);
	shmchan_pool_close(mine);
}

static void asleep_setup(const struct crash_scenario *s)
{
	helper = crash_helper(sleeping_owner, s);
	crash_until_asleep(helper);
}

static void asleep_survive(const struct crash_scenario *s)
{
	uint64_t end = now_ns() + CRASH_PATIENCE_NS;

	(void)s;
	crash_look(TAG, NULL);
	crash_look(WAY, NULL);
	while (!shmchan_load_acquire(&story->got)) {
		CHECK_LT(now_ns(), end);
		sleep_ms(1);
	}
	shmchan_store_release(&story->got, 2);
	crash_helper_ok(helper);
	crash_no_trace(TAG);
	crash_no_trace(WAY);
}

static void h_last(struct shmchan_pool *pool, const struct job *job)
{
	struct shmchan_pool_buf buf[4];
	int i, ret = 0;

	for (i = 0; i < 4; i++)
		CHECK_EQ(shmchan_pool_recv_spsc(pool, &rx, &buf[i], NULL, -1),
			 0);
	crash_until_asleep(helper);
	crash_begin();
	ret = shmchan_pool_drop(pool, &buf[0]);
	if (job->n)
		shmchan_pool_close(pool);
	crash_end();
	CHECK_EQ(ret, 0);
}

CRASH("pool drop, the owner sleeps for one", .setup = asleep_setup,
      .victim = holder_victim, .survive = asleep_survive,
      .arg = &(const struct job){ .op = h_last });
CRASH("pool drop and close, the owner sleeps for one", .setup = asleep_setup,
      .victim = holder_victim, .survive = asleep_survive,
      .arg = &(const struct job){ .n = 1, .op = h_last });
CRASH("pool drop, writable, another sleeps for one", .setup = asleep_setup,
      .victim = holder_victim, .survive = asleep_survive,
      .arg = &(const struct job){ .writable = 1, .op = h_last });
